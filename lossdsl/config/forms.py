"""What a value of YAML, or a mapping, says about a loss: its text, its parameters and options.

    huber                                              a built-in's name
    "abs(t - x)^2"                                     a formula
    {huber: {delta: 0.5}, reduction: sum}              a built-in with parameters, options beside it
    {file: mine.loss, params: {delta: 0.5}}            a file, relative to the YAML file
    {formula: "abs(t - x)^p", params: {p: 2}, axis: 1} a formula with parameters
    [huber, {formula: abs(x), weight: 0.1}]            a sum, each loss under its weight
    {terms: […], reduction: sum}                       the same with options beside it
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossdsl import catalog
from lossdsl.config.document import NUMBER, Entry, Item, Tagged
from lossdsl.config.habits import habit, reference_hint
from lossdsl.config.terms import sum_of, terms_of
from lossdsl.errors import LossConfigError, LossError, LossFileError, LossParameterError, did_you_mean
from lossdsl.runtime.sources import is_file, is_folder, is_name, read
from lossdsl.source import Source, Span

OPTIONS = ("reduction", "axis", "name", "dtype")
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")
WORDS = ("file", "formula", "terms", "params", *OPTIONS)


@dataclass(frozen=True)
class Described:
    """A loss as it is described: its source, its parameters and its options, with the places of all of them."""

    source: Source
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    span: Span | None = None
    places: Mapping[str, Entry] = field(default_factory=dict)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Inside, mistakes in parameters and options are reported where YAML gives them."""
        try:
            yield
        except LossError as error:
            place = self._place(error)
            if place is None:
                raise
            raise placed(error, place) from None

    def _place(self, error: LossError) -> Span | None:
        if self.span is None:
            return None
        if isinstance(error, LossParameterError):
            for name in error.names:
                if name in self.places:
                    entry = self.places[name]
                    return entry.key if error.is_unknown else entry.item.span
        if error.span is None:
            return self.span
        inside = error.span.source.name == self.span.source.name
        return None if inside or not isinstance(error, LossParameterError) else self.span


def placed(error: LossError, span: Span) -> LossError:
    """The same mistake at another place."""
    return type(error)(error.message, span, error.hint)


def described(item: Item, folder: Path | None = None) -> Described:
    """What `item` says about a loss; files are looked for in `folder`. Raises LossConfigError or LossFileError."""
    if isinstance(item.value, str):
        return Described(_named(item, folder), {}, {}, item.span)
    if isinstance(item.value, dict):
        return _mapping(item, item.value, folder)
    if isinstance(item.value, list):
        return _sum(item, {}, folder)
    hint = "as in `huber`, `abs(t - x)^2` or `{huber: {delta: 0.5}}`"
    if isinstance(item.value, Tagged):
        hint = f"no tags are read; {hint}"
    raise LossConfigError(f"a loss is a name, a formula or a mapping, and this is {item.kind}", item.span, hint)


def _sum(item: Item, entries: Mapping[str, Entry], folder: Path | None) -> Described:
    """The sum of a list of losses; `entries` are the options beside it."""
    if not isinstance(item.value, list):
        hint = "as in `terms: [huber, {formula: abs(x), weight: 0.1}]`"
        raise LossConfigError(f"`terms` is a list of losses, and this is {item.kind}", item.span, hint)
    source, parameters, places = sum_of(terms_of(item.value, folder, described), _value)
    options = {key: _option(key, entries[key]) for key in OPTIONS if key in entries}
    return Described(source, parameters, options, item.span, places)


def _mapping(item: Item, entries: dict[str, Entry], folder: Path | None) -> Described:
    way, params = _way(item, entries), entries.get("params")
    is_own = way in ("file", "formula")
    if params is not None and not is_own:
        where, hint = f"the parameters of `{way}` stand under its name", f"as in `{way}: {{…}}`"
        if way == "terms":
            where, hint = "parameters stand under the loss of a term", "as in `terms: [{huber: {delta: 0.5}}]`"
        raise LossConfigError(where, params.key, hint)
    if way == "terms":
        return _sum(entries[way].item, entries, folder)
    source = _source(way, entries[way], folder) if is_own else read(way)
    place = ("params", params) if is_own else (way, entries[way])
    given = {} if place[1] is None else _entries(place[0], place[1])
    for name in given:
        if name in OPTIONS:
            raise LossConfigError(f"`{name}` is an option, not a parameter", given[name].key, f"put it beside `{way}`")
    options = {key: _option(key, entries[key]) for key in OPTIONS if key in entries}
    parameters = {name: _value(entry.item, name) for name, entry in given.items()}
    return Described(source, parameters, options, entries[way].key or item.span, given)


def _way(item: Item, entries: dict[str, Entry]) -> str:
    """The one key that says which loss it is: `file`, `formula` or a built-in's name."""
    ways = [key for key in entries if key in ("file", "formula", "terms") or key not in WORDS]
    for key in ways:
        if key not in WORDS and catalog.full_name(key) is None:
            message = f"`{key}` is neither a built-in loss nor an option"
            raise LossConfigError(message, entries[key].key, _hint(key, entries))
    if not ways:
        raise LossConfigError("this describes no loss", item.span, _no_loss_hint(entries))
    if len(ways) > 1:
        first, second = ways[:2]
        hint = "keep one of them; a sum of both is a list, as in `[huber, {mse: {}, weight: 0.5}]`"
        raise LossConfigError(f"`{first}` and `{second}` each describe a loss", entries[second].key, hint)
    return ways[0]


def _hint(key: str, entries: Mapping[str, Entry]) -> str | None:
    formula = entries.get("formula")
    if formula is not None and formula.item.in_braces and (key.count("(") != key.count(")")):
        return "a comma inside `{…}` ends the formula: put it in quotes"
    if (hint := habit(key)) is not None:
        return hint
    called = entries["name"].item.value if "name" in entries else None
    if isinstance(called, str) and catalog.full_name(called) is not None:
        return f"a loss is a key of its own, by its name: `{called}: {{{key}: …}}`"
    way = next((each for each in entries if catalog.full_name(each) is not None), None)
    if way is not None and key in _parameters_of(way):
        return f"a parameter stands under the name of its loss: `{way}: {{{key}: …}}`"
    if formula is not None or "file" in entries:
        near = did_you_mean(key, [*WORDS])
        return near or f"a parameter stands under `params`: `params: {{{key}: …}}`"
    place = _place_of_loss(key, entries[key].item.value)  # before `z_loss`, which looks like it
    if place is not None:
        return f'name the place of the loss: `from_yaml(…, key="{place}")`'
    near = did_you_mean(key, [*WORDS, *catalog.known()])
    return near or "as in `huber`, `{huber: {delta: 0.5}}`, `{file: mine.loss}` or `{formula: …}`"


def _place_of_loss(key: str, inner: Any) -> str | None:
    """The place of the loss in what is the configuration of more than a loss."""
    word, below = key.lower(), inner if isinstance(inner, dict) else {}
    if word == "losses" and below:
        return f"{key}.{next(iter(below))}"
    if "loss" in below:
        return f"{key}.loss"
    return key if word == "loss" and inner is not None else None


def _parameters_of(name: str) -> list[str]:
    """The parameters of a built-in loss."""
    from lossdsl import pipeline

    found = pipeline.builtin(name)
    return [] if found is None else [spec.name for spec in pipeline.parameters(found)]


def _no_loss_hint(entries: Mapping[str, Entry]) -> str:
    name = entries.get("name")
    if name is not None and isinstance(name.item.value, str) and catalog.full_name(name.item.value) is not None:
        return f"`name` is what Keras calls the loss; write `{name.item.value}: {{…}}`"
    return "add a built-in's name, `file: mine.loss` or `formula: …`"


def _entries(name: str, entry: Entry) -> dict[str, Entry]:
    """The parameters under a key; nothing at all stands for none."""
    value = entry.item.value
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LossConfigError(
            f"`{name}` holds a mapping of parameters, and this is {entry.item.kind}",
            entry.item.span,
            f"as in `{name}: {{delta: 0.5}}`",
        )
    return value


def _source(way: str, entry: Entry, folder: Path | None) -> Source:
    item = entry.item
    if not isinstance(item.value, str) or item.text is None:
        raise LossConfigError(f"`{way}` is a text, and this is {item.kind}", item.span or entry.key, _quote_hint(item))
    return _path(item, folder) if way == "file" else item.text


def _quote_hint(item: Item) -> str:
    is_formula = isinstance(item.value, list | dict)
    return "put a formula in quotes" if is_formula else 'a text stands in quotes, as in "abs(t - x)"'


def _path(item: Item, folder: Path | None) -> Source:
    path = (folder or Path()) / item.value
    if not is_file(path):
        beside = [each.name for each in path.parent.glob("*.loss")] if is_folder(path.parent) else []
        hint = did_you_mean(path.name, beside) or f"it is looked for in the folder {path.parent}"
        raise LossFileError(f"there is no file {path}", item.span, hint)
    return _read(path, item)


def _read(source: str | Path, item: Item) -> Source:
    try:
        return read(source)
    except LossError as error:
        raise error if item.span is None else placed(error, item.span) from None


def _named(item: Item, folder: Path | None) -> Source:
    """What one string names: a built-in, a file, or a formula."""
    text = str(item.value)
    assert item.text is not None
    if not text.strip():
        raise LossConfigError("the loss is empty", item.span, "as in `huber` or `abs(t - x)^2`")
    if (reference := reference_hint(text)) is not None:
        raise LossConfigError("this is a reference, and no loss", item.span, reference)
    if re.fullmatch(r"[\w./\\~-]+\.(txt|ya?ml|json|py|toml|los)", text.strip()):
        hint = "a loss in a file of another name: `{file: …}`; files of losses end in `.loss`"
        raise LossConfigError("this is the name of a file, and no formula", item.span, hint)
    if re.fullmatch(r"(tf\.)?(keras|torch|lossdsl|optax)(\.\w+)+(\(\))?", text.strip()):
        name = did_you_mean(text.strip("() ").rpartition(".")[2], catalog.known())
        hint = f"a built-in loss is named by one word; {name}" if name else "name a built-in loss, or write its formula"
        raise LossConfigError("this is the name of Python's for a loss", item.span, hint)
    if "\n" not in text and text.endswith(".loss"):
        builtin = catalog.read(text.removesuffix(".loss"))
        return builtin if builtin is not None and not is_file((folder or Path()) / text) else _path(item, folder)
    if is_name(text.strip()):
        found = _read(text, item)
        return item.text if found.text == text else found
    return item.text


def _reduction(name: str, item: Item, span: Span | None) -> Any:
    value = item.value
    if value is None or value in REDUCTIONS:
        return value
    is_word = isinstance(value, str)
    wrong = f"there is no reduction `{value}`" if is_word else f"`{name}` is a word, and this is {item.kind}"
    hint = habit(str(value)) or did_you_mean(str(value), REDUCTIONS) or f"one of {', '.join(REDUCTIONS)}"
    raise LossConfigError(wrong, span, hint)


def _axis(name: str, item: Item, span: Span | None) -> Any:
    if item.value is None:
        return None
    is_list = isinstance(item.value, list)
    numbers = [each.value for each in item.value] if is_list else [item.value]
    if not numbers or any(isinstance(number, bool) or not isinstance(number, int) for number in numbers):
        hint = "as in `axis: -1` or `axis: [1, 2]`; `axis: null` stands for all axes"
        raise LossConfigError(f"`{name}` is a whole number or a list of them", span, hint)
    return tuple(numbers) if is_list else item.value


def _word(name: str, item: Item, span: Span | None) -> Any:
    if not isinstance(item.value, str):
        example = {"dtype": "float32", "name": "my_loss"}[name]
        raise LossConfigError(f"`{name}` is a word, and this is {item.kind}", span, f"as in `{name}: {example}`")
    return item.value


def _option(name: str, entry: Entry) -> Any:
    return _READERS[name](name, entry.item, entry.item.span or entry.key)


_READERS = {"reduction": _reduction, "axis": _axis, "name": _word, "dtype": _word}
"""The value of each option, given its name, what stands there, and the place to blame."""


def _value(item: Item, key: str = "") -> Any:
    """A parameter's value as plain Python; a text that reads as a number is one, for PyYAML reads 1e-3 as text."""
    if isinstance(item.value, list):
        return [_value(each, key) for each in item.value]
    value = item.value
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value)
        if math.isinf(value):
            raise LossConfigError("this number is too large for floating point", item.span, "write `.inf` for infinity")
    if isinstance(value, dict) and ("learned" in value or "schedule" in value):
        return _plain(item)  # one that changes
    if value is None or isinstance(value, dict | Tagged):
        hint = _value_hint(item, key)
        message = f"a parameter is a number, a truth value or a list, and this is {item.kind}"
        raise LossConfigError(message, item.span, hint)
    return value


def _plain(item: Item) -> Any:
    """A value as plain Python, whatever it is."""
    if isinstance(item.value, dict):
        return {key: _plain(entry.item) for key, entry in item.value.items()}
    if isinstance(item.value, list):
        return [_plain(each) for each in item.value]
    is_number = isinstance(item.value, str) and NUMBER.fullmatch(item.value.strip())
    return float(item.value) if is_number else item.value


def _value_hint(item: Item, key: str) -> str | None:
    """What to do about a parameter without a value, or with one that is no number."""
    if ":" in key:
        return f"a space belongs behind the `:`, as in `{key.replace(':', ': ')}`"
    if key.isdigit():
        return "a decimal is written with a point"
    if isinstance(item.value, dict):
        return "a parameter is one number, or a list of them"
    return "leave the parameter out where its default is meant" if item.value is None else None

"""Losses from YAML and from mappings; `forms` says which forms they take."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossdsl.config.document import Entry, Item, from_python, from_text
from lossdsl.config.forms import Described, described
from lossdsl.config.terms import weight_of
from lossdsl.errors import LossConfigError, LossError, LossFileError, did_you_mean, near_miss
from lossdsl.runtime.sources import MAX_BYTES, is_file, is_folder, not_utf8
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.runtime.compiled import Loss


def from_config(config: Mapping[str, Any] | Sequence[Any] | str) -> Any:
    """A Keras loss from a mapping, or from a built-in's name or a formula; or those of several outputs.

    Args:
        config: `"huber"`, `"abs(t - x)^2"`, `{"huber": {"delta": 0.5}}`, `{"file": "mine.loss", "params": {…}}` or
            `{"formula": "…", "params": {…}}`; a mapping may also have `reduction`, `axis`, `name` and `dtype`. A list
            is the sum of such losses, each of which may have a `weight`; `{"outputs": {…}}` is as in `from_yaml`.

    Raises:
        LossError: the kind says what was wrong.

    >>> import lossdsl
    >>> lossdsl.from_config({"huber": {"delta": 0.5}}).spec
    <loss huber(t, x; delta=0.5)>
    """
    return _made(from_python(config), None)


def from_yaml(path_or_text: str | os.PathLike[str], key: str | None = None) -> Any:
    """A Keras loss from a YAML file, or from YAML text; or the losses of a model with several outputs.

    Args:
        path_or_text: a path, or text with a line break or a `:` in it that is no path.
        key: where in the file the loss stands, as in `"train.loss"`; by default the whole file describes a loss.

    Returns:
        A `Loss`. Where a mapping has one loss an output, under `outputs`, what `model.compile` takes as `loss` and
        `loss_weights`, each by the name of the output: `model.compile("adam", **lossdsl.from_yaml("train.yaml"))`.

    Raises:
        LossError: the message shows the line of YAML that is to blame.

    >>> import lossdsl
    >>> found = lossdsl.from_yaml("outputs: {box: huber, class: {binary_crossentropy: {}, weight: 0.5}}")
    >>> found["loss"]["box"].spec, found["loss_weights"]
    (<loss huber(t, x; delta=1.0)>, {'box': 1.0, 'class': 0.5})
    """
    item, folder = _document(path_or_text)
    return _made(_at(item, key), folder)


def description(path_or_text: str | os.PathLike[str], key: str | None = None) -> Described:
    """What a YAML file or text says about a loss, before any of it is compiled. Raises LossError."""
    item, folder = _document(path_or_text)
    found = _at(item, key)
    is_output = key is not None and key.split(".")[-2:-1] == ["outputs"]
    return described(weight_of(found)[0] if is_output else found, folder)


def source_of_mapping(
    mapping: Mapping[str, Any], axis: Any, parameters: Mapping[str, Any], meaningless: Sequence[str] = ()
) -> tuple[Source, tuple[int, ...], dict[str, Any]]:
    """Text, axes and parameters of the loss that a mapping describes; `axis` and `parameters` join the mapping's."""
    from lossdsl.runtime.sources import read
    from lossdsl.runtime.spec import axes_of

    found = _joined(described(from_python(mapping)), {"axis": axis}, parameters)
    for option in meaningless:
        if option in found.options:
            hint = "give it as an argument, if there is one of that name"
            raise LossConfigError(f"`{option}` in the mapping is an option for Keras losses", None, hint)
    return read(found.source), axes_of(found.options.get("axis", -1)), dict(found.parameters)


def compile_mapping(mapping: Mapping[str, Any], *, parameters: Mapping[str, Any], **options: Any) -> Loss:
    """The Keras loss that a mapping describes; `parameters` and `options` of `compile` join those of the mapping."""
    return _compiled(_joined(described(from_python(mapping)), options, parameters))


_DEFAULTS = {"axis": -1, "reduction": "sum_over_batch_size", "name": None, "dtype": None}


def _joined(found: Described, options: Mapping[str, Any], parameters: Mapping[str, Any]) -> Described:
    """The description with what was said beside it; nothing may be said twice."""
    chosen = {name: value for name, value in options.items() if value != _DEFAULTS[name]}
    for name, value in chosen.items():
        if found.options.get(name, value) != value:
            both = f"{found.options[name]!r} in the mapping and {value!r} beside it"
            raise LossConfigError(f"`{name}` is {both}", None, "give it once")
    for name in parameters:
        if name in found.parameters:
            raise LossConfigError(f"the parameter `{name}` has a value in the mapping already", None, "give it once")
    return replace(found, options={**found.options, **chosen}, parameters={**found.parameters, **parameters})


def find_losses(path: str | os.PathLike[str] | Source) -> list[Described | LossError]:
    """The losses of a YAML file: the whole of it, or what stands under keys called `loss` and `losses`, at any depth.

    A source is the text of such a file, whose name says where the files named in it are looked for. A description that
    is wrong is given as its error. Raises LossError for a file that cannot be read as YAML.
    """
    folder: Path | None
    if isinstance(path, Source):
        root, folder = from_text(path.text, path.name), Path(path.name).parent
    else:
        root, folder = _document(Path(path))
    items = [root] if _looks_like_loss(root) else list(_under_loss_keys(root).values())
    if not items:
        hint = "it stands under a key `loss`, or is the whole file"
        raise LossConfigError("there is no loss in this file", root.span, hint)
    found: list[Described | LossError] = []
    for item in items:
        try:
            found.append(described(item, folder))
        except LossError as error:
            found.append(error)
    return found


def keys_of_losses(path: str | os.PathLike[str]) -> list[str]:
    """The keys under which a YAML file with several losses has them, as `description` takes them. Raises LossError."""
    return list(_under_loss_keys(_document(Path(path))[0]))


def _made(item: Item, folder: Path | None) -> Any:
    """What `model.compile` takes of a description."""
    outputs = _outputs(item)
    if outputs is None:
        return _compiled(described(item, folder))
    parts = {name: weight_of(entry.item) for name, entry in outputs.items()}
    losses = {name: _compiled(described(each, folder)) for name, (each, _) in parts.items()}
    return {"loss": losses, "loss_weights": {name: _weight(name, weight) for name, (_, weight) in parts.items()}}


def _outputs(item: Item) -> Mapping[str, Entry] | None:
    """The losses of a mapping by output; None for a description of one loss."""
    if not isinstance(item.value, dict) or "outputs" not in item.value:
        return None
    for key, entry in item.value.items():
        if key != "outputs":
            message = f"`{key}` stands beside `outputs`, and belongs to none of them"
            raise LossConfigError(message, entry.key, "put it beside the loss of an output")
    found = item.value["outputs"].item
    if not isinstance(found.value, dict) or not found.value:
        hint = "as in `outputs: {box: huber, class: {binary_crossentropy: {}, weight: 0.5}}`"
        raise LossConfigError(f"`outputs` holds a loss for each output, and this is {found.kind}", found.span, hint)
    return found.value


def _weight(name: str, entry: Entry | None) -> float:
    if entry is None:
        return 1.0
    value = entry.item.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = "Keras keeps the weights of outputs as they are; a weight in a list of losses may be learned"
        message = f"the weight of `{name}` is a number, and this is {entry.item.kind}"
        raise LossConfigError(message, entry.item.span, hint)
    return float(value)


def _compiled(found: Described) -> Loss:
    from lossdsl.runtime.compiled import Loss
    from lossdsl.runtime.sources import read

    with found.blamed():
        return Loss(read(found.source), found.parameters, **found.options)


def _document(path_or_text: str | os.PathLike[str]) -> tuple[Item, Path | None]:
    """The values of a YAML file or text, and the folder of a file."""
    if isinstance(path_or_text, str) and _is_text(path_or_text):
        return from_text(path_or_text, "<yaml>"), None
    path = Path(path_or_text)
    if not is_file(path):
        if is_folder(path):
            raise LossFileError(f"{path} is a folder", None, "name a file in it")
        beside = [each.name for each in path.parent.iterdir()] if is_folder(path.parent) else []
        raise LossFileError(f"there is no file {path}", None, did_you_mean(path.name, beside))
    if path.stat().st_size > MAX_BYTES:
        raise LossFileError(f"{path} has more than {MAX_BYTES} bytes; that is no configuration")
    try:
        return from_text(path.read_text(encoding="utf-8-sig"), str(path)), path.parent
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None
    except OSError as error:
        raise LossFileError(f"{path} cannot be read: {error.strerror}") from None


def _is_text(given: str) -> bool:
    if "\n" in given:
        return True
    drive = re.match(r"[A-Za-z]:[\\/]", given)
    return ":" in given and not drive and not is_file(Path(given))


def _at(item: Item, key: str | None) -> Item:
    """The value under a dotted key; a key of the file may hold dots itself."""
    if key is None:
        return item
    parts = key.split(".")
    walked = 0
    while walked < len(parts):
        rest = parts[walked:]
        here = ".".join(parts[:walked])
        entries = _keys(item)
        taken = next((n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in entries), 0)
        if not taken:
            raise _no_key(rest[0], f"`{here}`" if here else "the file", item)
        item = entries[".".join(rest[:taken])].item
        walked += taken
    return item


def _no_key(key: str, where: str, item: Item) -> LossConfigError:
    entries = _keys(item)
    if not entries:
        hint = f"as in `{key}: huber`" if where == "the file" else None
        return LossConfigError(f"{where} holds {item.kind}, so it has no key `{key}`", item.span, hint)
    near = near_miss(key, entries)
    span = (entries[near].key if near else None) or item.span
    hint = f"did you mean `{near}`?" if near else f"its keys: {', '.join(entries)}"
    return LossConfigError(f"{where} has no key `{key}`", span, hint)


def _keys(item: Item) -> dict[str, Entry]:
    """The entries of a mapping, or of a list by number."""
    if isinstance(item.value, dict):
        return item.value
    if isinstance(item.value, list):
        return {str(number): Entry(None, each) for number, each in enumerate(item.value)}
    return {}


def _looks_like_loss(item: Item) -> bool:
    if isinstance(item.value, dict):
        from lossdsl import catalog

        return any(key in ("file", "formula") or catalog.full_name(key) is not None for key in item.value)
    return isinstance(item.value, str)


def _under_loss_keys(root: Item) -> dict[str, Item]:
    """What stands under `loss`, and each of what stands under `losses`, once each and in order, by dotted key."""
    found: dict[str, Item] = {}
    seen: set[int] = set()
    waiting = [("", root)]
    while waiting:
        above, item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        inner: list[tuple[str, Item]] = []
        for key, entry in _keys(item).items():
            if key == "loss":
                found.update(_of_outputs(above + key, entry.item))
            elif key == "losses":
                for name, each in _keys(entry.item).items():
                    found.update(_of_outputs(f"{above}{key}.{name}", each.item))
            else:
                inner.append((f"{above}{key}.", entry.item))
        waiting += reversed(inner)
    return found


def _of_outputs(key: str, item: Item) -> dict[str, Item]:
    """A loss by its key; of one for several outputs, those of all of them."""
    outputs = item.value.get("outputs") if isinstance(item.value, dict) else None
    if outputs is None or not isinstance(outputs.item.value, dict):
        return {key: item}
    return {f"{key}.outputs.{name}": weight_of(each.item)[0] for name, each in outputs.item.value.items()}


__all__ = [
    "Described",
    "compile_mapping",
    "description",
    "find_losses",
    "from_config",
    "from_yaml",
    "keys_of_losses",
    "source_of_mapping",
]

"""A text and the files that it uses as one: `use "fair.loss"` lets a loss call the one of another file.

What is used becomes a helper of the file, under a name that nothing else in it has, so that later stages see one file.
The same is done to the texts, for a loss is saved as one text. Places in messages stay those of the files.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from lossdsl.errors import LossFileError, LossNameError, LossSyntaxError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.parse import parse
from lossdsl.ir.ops import function_names
from lossdsl.source import Source, Span

T = TypeVar("T")


@dataclass(frozen=True)
class _Unit:
    """A file, the names in it, and for those that name a loss of this file or a used one, whose loss that is."""

    file: s.FileText
    names: frozenset[str]
    losses: Mapping[str, tuple[Source, int]]


def linked(source: Source) -> s.FileText:
    """The losses of a text, those of the files that it uses before them.

    Raises LossSyntaxError where a text does not follow the grammar or lacks a header, LossNameError where two losses
    cannot be told apart, LossFileError where a file is used that was not read.
    """
    file = parse(source)
    if not file.uses:
        return file
    units: dict[Source, _Unit] = {}
    _collect(source, units)
    new = _new_names(units, source)
    losses: list[s.LossText] = []
    texts: list[str] = []
    for unit in units.values():
        renamed = {name: new[key] for name, key in unit.losses.items() if new[key] != name}
        words = [word for text in unit.file.losses for word in _loss_words(text) if word.text in renamed]
        losses += [_mapped(text, {word: replace(word, text=renamed[word.text]) for word in words}.get) for text in
                   unit.file.losses]  # fmt: skip
        changes = [(line.span, "") for line in unit.file.uses]
        texts.append(_changed(unit.file.source.text, [*changes, *((one.span, renamed[one.text]) for one in words)]))
    return s.FileText(source, tuple(losses), file.uses, "\n".join(text.strip() for text in texts) + "\n")


def _collect(source: Source, units: dict[Source, _Unit]) -> None:
    """The unit of a text, after those of the files that it uses; each file once."""
    file = parse(source)
    read = dict(source.uses)
    seen: dict[str, tuple[Source, int]] = {}
    for line in file.uses:
        if line.path not in read:
            message = f"`{line.path}` is not read: this text is no file, beside which another could lie"
            raise LossFileError(message, line.span, "put the text into a file, or the losses into one text")
        used = read[line.path]
        if used not in units:
            _collect(used, units)
        last = units[used].file.losses[-1].header
        assert last is not None
        if last.name.text in seen and seen[last.name.text][0] != used:
            message = f"two of the files that are used have a loss `{last.name.text}`"
            raise LossNameError(message, line.span, "give one of them another name")
        seen[last.name.text] = used, len(units[used].file.losses) - 1
    for place, text in enumerate(file.losses):
        if text.header is None:
            hint = "begin it with `loss name(t, x)`"
            raise LossSyntaxError("a loss that is used, or uses others, needs a header", text.span, hint)
        name = text.header.name
        if name.text in seen and seen[name.text][0] != source:
            raise LossNameError(f"a file that is used has a loss `{name.text}`, too", name.span, "choose another name")
        seen[name.text] = source, place
    units[source] = _Unit(file, frozenset(_names(file)), seen)


def _new_names(units: Mapping[Source, _Unit], root: Source) -> dict[tuple[Source, int], str]:
    """A name for each loss: its own where that means nothing else in any of the files; always in the last of them."""
    every = frozenset[str]().union(*(unit.names for unit in units.values()), function_names())
    found: dict[tuple[Source, int], str] = {}
    for source, unit in units.items():
        for place, text in enumerate(unit.file.losses):
            assert text.header is not None
            name, key = text.header.name.text, (source, place)
            means_else = any(name in one.names and one.losses.get(name) != key for one in units.values())
            is_free = source == root or not (means_else or name in found.values())
            found[key] = name if is_free else _numbered(name, every | {*found.values()})
    return found


def _numbered(name: str, taken: frozenset[str]) -> str:
    return next(one for number in itertools.count(2) if (one := f"{name}_{number}") not in taken)


def _nodes(node: Any) -> Iterator[s.Node]:
    """A node and all below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            waiting += one
        elif isinstance(one, s.Node | s.LossText):
            if isinstance(one, s.Node):
                yield one
            waiting += [getattr(one, field.name) for field in fields(one)]


def _names(file: s.FileText) -> Iterator[str]:
    """All names in a file."""
    for text in file.losses:
        for node in _nodes(text):
            if isinstance(node, s.Name | s.Word):
                yield node.text


def _loss_words(text: s.LossText) -> Iterator[s.Word]:
    """The names of losses in a loss: its own, and those that it calls and does not define as functions."""
    own = {node.left.function.text for node in text.lines if isinstance(node, s.Definition) and
           isinstance(node.left, s.Call)}  # fmt: skip
    assert text.header is not None
    yield text.header.name
    for node in _nodes(text.lines):
        if isinstance(node, s.Call) and node.function.text not in own:
            yield node.function


def _mapped(node: T, found: Callable[[Any], Any]) -> T:
    """A node with some of the words in it exchanged."""
    if isinstance(node, s.Word):
        new = found(node)
        return node if new is None else new
    if isinstance(node, tuple):
        return tuple(_mapped(each, found) for each in node)  # type: ignore[return-value]
    if not is_dataclass(node) or isinstance(node, Span | type):
        return node
    return replace(node, **{one.name: _mapped(getattr(node, one.name), found) for one in fields(node)})


def _changed(text: str, changes: list[tuple[Span, str]]) -> str:
    for span, new in sorted(changes, key=lambda one: -one[0].start):
        text = text[: span.start] + new + text[span.end :]
    return text

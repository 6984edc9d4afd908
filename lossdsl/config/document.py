"""YAML text into values that know where they stand. The only door to PyYAML.

Nothing is built from tags, and an alias shares the value that it names, so no text can run code or grow without bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from lossdsl.config.embedded import Embedded, is_in_braces, offsets_of
from lossdsl.config.problems import explained
from lossdsl.errors import LossConfigError, LossLimitError
from lossdsl.source import Source, Span

MAX_LENGTH = 300_000
MAX_DEPTH = 60
MAX_NODES = 40_000
MAX_MERGED = 20_000
"""How many entries `<<` may take in, all of a text together: each time they are copied."""

_TAG = "tag:yaml.org,2002:"
_DECIMAL = re.compile(r"[-+]?[0-9][0-9_]*")
_PREFIXED = re.compile(r"[-+]?0[xb][0-9a-fA-F_]+")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Tagged:
    """A value with a tag of its own, which is not read."""

    tag: str


@dataclass(frozen=True, eq=False)
class Item:
    """A value and its place: a string, number, truth value or None, a list of items, or a dict of entries by key.

    `text` is a string as a source, `in_braces` whether it stands unquoted inside `{…}` or `[…]`. Values that come from
    Python have no place.
    """

    value: Any
    span: Span | None = None
    text: Source | None = None
    in_braces: bool = False

    @property
    def kind(self) -> str:
        """What the value is, for a message."""
        match self.value:
            case None:
                return "nothing"
            case bool():
                return "a truth value"
            case int() | float():
                return "a number"
            case str():
                return "a text"
            case list():
                return "a list"
            case dict():
                return "a mapping"
            case Tagged(tag):
                return f"a value with the tag `{tag}`"
        return f"of type {type(self.value).__name__}"


class Entry(NamedTuple):
    """A key's place, and what stands under it."""

    key: Span | None
    item: Item


def from_python(value: Any, depth: int = 0) -> Item:
    """Mappings, lists and scalars of Python as items."""
    if depth > MAX_DEPTH:
        raise LossLimitError(f"the mapping is nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise LossConfigError(f"the keys of a mapping are text, not {key!r}")
        return Item({key: Entry(None, from_python(inner, depth + 1)) for key, inner in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Item([from_python(inner, depth + 1) for inner in value])
    return Item(value, None, Source(value) if isinstance(value, str) else None)


def from_text(text: str, name: str) -> Item:
    """The one document of a YAML text. Raises LossConfigError with the place of a mistake."""
    if len(text) > MAX_LENGTH:
        raise LossLimitError(f"{name} has {len(text)} characters; at most {MAX_LENGTH} of YAML are read")
    source = Source(text, name)
    composer: Any = None
    try:
        composer = _Composer(text)
        node = composer.get_single_node()
    except yaml.reader.ReaderError as error:
        at = min(error.position, len(text))
        shown = f"U+{ord(text[at]):04X}" if at < len(text) else "a character"
        raise LossConfigError(f"{shown} cannot stand in YAML", Span(source, at, at + 1), "remove it") from None
    except yaml.MarkedYAMLError as error:
        raise explained(error, source) from None
    except (ValueError, OverflowError):  # of `chr`, for an escape such as "\\UFFFFFFFF"
        at = text.rfind("\\", 0, composer.index + 1)
        hint = "the last character of Unicode is \\U0010FFFF"
        raise LossConfigError("there is no character of this number", Span(source, at, at + 10), hint) from None
    except _TooMuchError as error:
        raise LossLimitError(error.message, Span(source, error.at, error.at + 1), "split the file") from None
    if node is None:
        raise LossConfigError(f"{name} is empty", None, "it may hold `loss: huber`")
    return _Reader(source).item(node)


class _TooMuchError(Exception):
    def __init__(self, message: str, at: int) -> None:
        super().__init__(message, at)
        self.message = message
        self.at = at


class _Composer(yaml.SafeLoader):
    """PyYAML's composer, which is recursive and slow, with bounds."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH:
            raise self.beyond(f"the YAML is nested more than {MAX_DEPTH} deep")
        if self.nodes > MAX_NODES:
            raise self.beyond(f"the YAML holds more than {MAX_NODES} values")
        found = super().compose_node(parent, index)
        self.depth -= 1
        return found

    def beyond(self, message: str) -> _TooMuchError:
        return _TooMuchError(message, self.peek_event().start_mark.index)  # type: ignore[no-untyped-call]


class _Reader:
    """Nodes into items, each node once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.done: dict[int, Item] = {}
        self.open: set[int] = set()
        self.merged = 0

    def span(self, node: Any) -> Span:
        start, end = node.start_mark.index, node.end_mark.index
        return Span(self.source, start, max(start + 1, start + len(self.source.text[start:end].rstrip())))

    def item(self, node: Any) -> Item:
        if id(node) in self.open:
            hint = "an anchor may not stand inside itself"
            raise LossConfigError("this value contains itself", self.span(node), hint)
        if id(node) not in self.done:
            self.open.add(id(node))
            self.done[id(node)] = self._read(node)
            self.open.discard(id(node))
        return self.done[id(node)]

    def _read(self, node: Any) -> Item:
        span = self.span(node)
        if not node.tag.startswith(_TAG) or "python" in node.tag:
            return Item(Tagged(node.tag.replace(_TAG, "!!")), span)
        if isinstance(node, yaml.MappingNode):
            return Item(self._entries(node), span)
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(child) for child in node.value], span)
        value = _scalar(node)
        if not isinstance(value, str):
            return Item(value, span)
        offsets = offsets_of(self.source.text, node)
        line, column = self.source.position(span.start)
        text: Source = Embedded(value, self.source.name, line, column, whole=self.source, offsets=offsets)
        return Item(value, span, text, not node.style and is_in_braces(self.source.text, span.start))

    def _entries(self, node: Any) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: list[tuple[Any, Any]] = []
        for key, child in node.value:
            if key.tag == f"{_TAG}merge":
                merged += [(key, one) for one in (child.value if isinstance(child, yaml.SequenceNode) else [child])]
            else:
                self._check_key(key, own)
                own[key.value] = Entry(self.span(key), self.item(child))
        for key, child in merged:
            own |= {name: entry for name, entry in self._merged(key, child).items() if name not in own}
        return own

    def _check_key(self, key: Any, before: Mapping[str, Entry]) -> None:
        if not isinstance(key, yaml.ScalarNode):
            is_template = self.source.text.startswith("{{", self.span(key).start - 1)
            remedy = "a template is filled in before it is read" if is_template else "as in `huber: {delta: 0.5}`"
            raise LossConfigError("a key is one word", self.span(key), remedy)
        if key.value in before:
            first = before[key.value].key
            hint = f"it stands first in line {first.line}" if first else None
            raise LossConfigError(f"the key `{key.value}` stands here a second time", self.span(key), hint)

    def _merged(self, key: Any, child: Any) -> Mapping[str, Entry]:
        """What `<<` takes in."""
        inner = self.item(child)
        if not isinstance(inner.value, dict):
            raise LossConfigError("`<<` takes in a mapping", self.span(child), "as in `<<: *base`")
        self.merged += len(inner.value)
        if self.merged > MAX_MERGED:
            raise LossLimitError(f"`<<` takes in more than {MAX_MERGED} entries", self.span(key))
        return inner.value


def _scalar(node: Any) -> str | int | float | bool | None:
    """A scalar's value: as in YAML 1.2, whole numbers are decimal, and `1e-3` is a number only where one is wanted."""
    kind, text = node.tag.removeprefix(_TAG), str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("yes", "true", "on", "y")
    if kind == "int" and len(text) < 400:
        plain = text.replace("_", "")
        if _DECIMAL.fullmatch(text):
            return int(plain)
        if _PREFIXED.fullmatch(text):
            return int(plain, 0)
    if kind == "float":
        word = text.lower().replace("_", "")
        if word.lstrip("+-") in (".inf", ".nan"):
            return float(word.replace(".", ""))
        if NUMBER.fullmatch(word):
            return float(word)
    return text

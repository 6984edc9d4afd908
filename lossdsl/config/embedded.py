"""Texts inside a YAML text, each character of which knows where it stands there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lossdsl.source import Source

_NOTHING = Source("")


@dataclass(frozen=True)
class Embedded(Source):
    """A text that is part of a YAML text: `offsets` says where in `whole` each of its characters stands.

    Places and excerpts are those of the YAML text, whatever was quoted, escaped, folded or indented there.
    """

    whole: Source = _NOTHING
    offsets: tuple[int, ...] = (0,)

    def position(self, offset: int) -> tuple[int, int]:
        return self.whole.position(self.offsets[min(offset, len(self.offsets) - 1)])

    def line_at(self, offset: int) -> tuple[str, int]:
        at = self.offsets[min(offset, len(self.offsets) - 1)]
        line, start = self.whole.line_at(at)
        return line, offset - (at - start)

    def headed(self, line: str) -> Embedded:
        return replace(self, text=line + self.text, offsets=(*[self.offsets[0]] * len(line), *self.offsets))


_LETTERS = {"x": 2, "u": 4, "U": 8}


def offsets_of(text: str, node: Any) -> tuple[int, ...]:
    """Where each character of a scalar stands in the YAML text.

    White space aside, a scalar is its raw text without quotes, escapes and (of a block) the first line; so the two are
    read side by side, and white space in the value takes the place of the raw text that is next.
    """
    at, end = node.start_mark.index, node.end_mark.index
    if node.style in ("|", ">"):
        at = max(text.find("\n", at, end), at) + 1
    elif node.style:
        at += 1
    found: list[int] = []
    for char in node.value:
        while node.style == '"' and text.startswith("\\\n", at):
            at += 2
        if not char.isspace():
            while at < end and text[at].isspace():
                at += 1
        elif not (at < end and text[at].isspace()) and not text.startswith("\\", at):
            found.append(max(at - 1, node.start_mark.index))  # a break that was folded into the space before it
            continue
        found.append(min(at, end))
        at += _raw_length(text, at, char, node.style)
    return (*found, min(at, end))


def _raw_length(text: str, at: int, char: str, style: str | None) -> int:
    """How many characters of the YAML text stand for one of a scalar."""
    if style == '"' and text.startswith("\\", at):
        return 2 + _LETTERS.get(text[at + 1 : at + 2], 0)
    return 2 if style == char == "'" else 1


def is_in_braces(text: str, at: int) -> bool:
    """Whether an unquoted text stands inside `{…}` or `[…]` of its own line."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before.count("{") > before.count("}") or before.count("[") > before.count("]")

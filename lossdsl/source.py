"""Where text came from, and where in it something stands."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace


def normal_name(text: str) -> str:
    """A name in the one Unicode form that names have (NFKC, as in Python): `µ` is `μ`, and `ﬁ` is `fi`."""
    return unicodedata.normalize("NFKC", text)


@dataclass(frozen=True)
class Source:
    """A piece of text in the language, and how to name places in it.

    `first_line`, `first_column` and `indent` (all in characters; lines and columns count from 1) say where the text
    stands in the file `name` when it is only a part of that file, as a formula in YAML is: `first_column` is that of
    the first line, `indent` is what was cut off the lines after it. `uses` are the files that the text uses, by the
    paths that stand in it.
    """

    text: str
    name: str = "<formula>"
    first_line: int = 1
    first_column: int = 1
    indent: int = 0
    uses: tuple[tuple[str, Source], ...] = ()

    def position(self, offset: int) -> tuple[int, int]:
        """The (line, column) of a character, both from 1, in the file called `name`."""
        row = self.text.count("\n", 0, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        shift = self.first_column if row == 0 else self.indent + 1
        return self.first_line + row, offset - start + shift

    def line_at(self, offset: int) -> tuple[str, int]:
        """The text of the line that holds `offset`, and the offset at which that line starts."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r"), start

    def headed(self, line: str) -> Source:
        """The same with a line of ours, which ends in a line break, above it; places stay what they are."""
        indent = self.indent if "\n" in self.text else self.first_column - 1
        return replace(self, text=line + self.text, first_line=self.first_line - 1, indent=indent)


@dataclass(frozen=True)
class Span:
    """The characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __or__(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

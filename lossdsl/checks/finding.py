"""What a finding is, and the kind of thing that a row of the table of findings is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lossdsl.errors import excerpt, render
from lossdsl.source import Span

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """Something found in a loss. `known` says how: "read", "example run", "tested at 4 points", "proved"."""

    id: str
    severity: Severity
    message: str
    span: Span | None = None
    hint: str | None = None
    known: str = "read"

    def __str__(self) -> str:
        return render(f"{self.severity}[{self.id}]", self.message, self.span, self.hint)

    def excerpt(self) -> list[str]:
        """The line that it is about, with a line of carets; nothing where no line is to blame."""
        return [] if self.span is None else excerpt(self.span)


@dataclass(frozen=True)
class Sure:
    """Something that was made sure of, in a few words: "2 examples", "gradient in x proved"."""

    text: str


@dataclass(frozen=True)
class Row:
    """A kind of finding: what it is called, how much it matters, what it means, and two examples.

    `wrong` is a loss that raises it, `right` the same loss mended; a kind that no text can raise has neither.
    """

    id: str
    name: str
    severity: Severity
    meaning: str
    wrong: str = ""
    right: str = ""

    def found(self, message: str, span: Span | None = None, hint: str | None = None, known: str = "read") -> Finding:
        """A finding of this kind."""
        return Finding(self.id, self.severity, message, span, hint, known)

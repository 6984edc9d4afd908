"""What a finding is, and the kind of thing that a row of the table of findings is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from lossdsl.errors import excerpt, render
from lossdsl.ir.verdict import Number, Verdict, place
from lossdsl.source import Span

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Edit:
    """A change of a text that mends something and leaves the loss what it is: `text` in the place of a span."""

    span: Span
    text: str = ""


@dataclass(frozen=True)
class Finding:
    """Something found in a loss. `known` says how: "read", "example run", "tested at 4 points", "proved".

    `allowed` is the reason that an `allow` line of the loss gives, and empty where there is none. `fix` mends it; it is
    empty where that takes a decision.
    """

    id: str
    severity: Severity
    message: str
    span: Span | None = None
    hint: str | None = None
    known: str = "read"
    allowed: str = ""
    fix: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        shown = render(f"{self.severity}[{self.id}]", self.message, self.span, self.hint)
        return f"{shown}\n  allowed: {self.allowed}" if self.allowed else shown

    def excerpt(self) -> list[str]:
        """The line that it is about, with a line of carets; nothing where no line is to blame."""
        return [] if self.span is None else excerpt(self.span)


@dataclass(frozen=True)
class Sure:
    """Something that was made sure of, in a few words: "2 examples", "gradient in x proved"."""

    text: str


@dataclass(frozen=True)
class Known:
    """What is known of a property of a loss.

    `how` is "proved", "refuted", "tested" (at `points` points, and not contradicted) or "open"; `by` names the means,
    such as "intervals". `at` is the point that refutes it, as values of inputs and parameters by name, and `detail`
    what is seen there. `scope` says for which parameters alone there is a proof ("for p = 2"), where there is none for
    all that are admissible. `finding` is the id of a finding that tells the same with its place, and empty where there
    is none.

    >>> Known("convex", "refuted", "search", "the value is 1").text
    'convex refuted by search'
    """

    property: str
    how: str
    by: str = ""
    detail: str = ""
    finding: str = ""
    scope: str = ""
    at: Mapping[str, Any] = field(default_factory=dict)
    points: int = 0

    @classmethod
    def of(cls, property: str, verdict: Verdict, finding: str = "") -> Known:
        """What a verdict says of a property, with plain floats for the point."""
        at = {str(name): _floats(value) for name, value in verdict.at.items()}
        return cls(property, verdict.how, verdict.by, verdict.detail, finding, verdict.scope, at, verdict.points)

    @cached_property
    def text(self) -> str:
        """The verdict in a few words."""
        return f"{self.property} {self.how}{f' by {self.by}' if self.by else ''}"

    @cached_property
    def more(self) -> str:
        """The point and what is seen there, the number of points of a trial, the scope of a proof."""
        parts = [
            f"proved {self.scope} alone" if self.scope else "",
            f"at {self.points} points" if self.how == "tested" and self.points else "",
            f"at {place({name: _fractions(value) for name, value in self.at.items()})}" if self.at else "",
            self.detail,
        ]
        return "; ".join(part for part in parts if part)


def _floats(value: Number) -> Any:
    """A plain decimal as a float, rows of them as lists."""
    return [_floats(part) for part in value] if isinstance(value, tuple) else float(value)


def _fractions(value: Any) -> Number:
    return tuple(map(_fractions, value)) if isinstance(value, list) else Fraction(repr(value))


Outcome = Finding | Sure | Known
"""What a family may have to say of a loss."""


@dataclass(frozen=True)
class Row:
    """A kind of finding: what it is called, how much it matters, what it means, and two examples.

    `wrong` is a loss that raises it, `right` the same loss mended; a kind that no text can raise has neither. `remedy`
    says what to do about it. `allowable` is whether an author may acknowledge it by an `allow` line: not what makes a
    loss unreadable or its values wrong. `asked` is whether it is told only where it is asked for, with `--properties`
    or where `--select` names it, since a sound loss may well raise it.
    """

    id: str
    name: str
    severity: Severity
    meaning: str
    wrong: str = ""
    right: str = ""
    remedy: str = ""
    allowable: bool = True
    asked: bool = False

    def found(
        self,
        message: str,
        span: Span | None = None,
        hint: str | None = None,
        known: str = "read",
        fix: tuple[Edit, ...] = (),
    ) -> Finding:
        """A finding of this kind."""
        return Finding(self.id, self.severity, message, span, hint, known, "", fix)


def without_line(node: Span) -> tuple[Edit, ...]:
    """The change that takes out the lines in which something stands, with the comment behind it."""
    text = node.source.text
    start = text.rfind("\n", 0, node.start) + 1
    end = text.find("\n", node.end)
    return (Edit(Span(node.source, start, len(text) if end < 0 else end + 1)),)

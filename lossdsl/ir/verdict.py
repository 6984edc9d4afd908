"""What is known of a claim about a loss, and how it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from lossdsl.ir.text import decimal, format_point

How = Literal["proved", "refuted", "tested", "open"]

Number = Fraction | tuple["Number", ...]
"""A plain decimal, or rows of them: a value that an author can type in an `example` line."""


@dataclass(frozen=True)
class Verdict:
    """What is known of one claim.

    `how` is "proved" (by `by`: "composition", "intervals", "polynomials", "substitution", "pieces"), "refuted" (at the
    point `at`, and where the claim is about several points `beside` has the others), "tested" (at `points` points
    without a contradiction) or "open". `detail` is a sentence in figures: what was found at the point. `scope` says
    for which parameters alone there is a proof, as in "for c = 1", where that is not so for all that are admissible;
    such a verdict is "tested" or "open". `size` is, for a jump, how large it is beside
    the values there: a series that is broken off may jump by 1e-12.

    A claim may be about the author's loss, such as that it is convex, or about lossdsl's own work: that a gradient is
    the derivative.
    """

    how: How
    by: str = ""
    points: int = 0
    at: Mapping[str, Number] = field(default_factory=dict)
    beside: tuple[Mapping[str, Number], ...] = ()
    detail: str = ""
    scope: str = ""
    size: float = 0.0

    @property
    def place(self) -> str:
        """The point as an author would write it: `t=0, x=1.5, delta=1`."""
        return place(self.at)

    def __str__(self) -> str:
        scope = f", proved {self.scope} alone" if self.scope else ""
        match self.how:
            case "proved":
                return f"proved ({self.by})" if self.by else "proved"
            case "refuted":
                return f"refuted at {self.place}" if self.at else f"refuted ({self.by})"
            case "tested":
                return f"tested at {self.points} point{'s' * (self.points != 1)}{scope}"
        return f"open{scope}"


def place(at: Mapping[str, Number]) -> str:
    """A point as text: `t=[0, 1], x=[0.5, 2], delta=1`.

    >>> place({"t": (Fraction(0), Fraction(1)), "delta": Fraction(1, 2)})
    't=[0, 1], delta=0.5'
    """
    return format_point(at.items(), decimal)


OPEN = Verdict("open")

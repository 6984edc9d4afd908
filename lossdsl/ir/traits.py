"""What a mathematician knows of a function of one real argument: its direction, its bends, its kinks, its poles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lossdsl.ir.bounds import INF, REALS, Bounds, End


@dataclass(frozen=True)
class Trait:
    """A function of one argument.

    `domain` is where the value is finite: that of the row's `defined`, if nothing else is said. With `elsewhere` there
    are finite values outside it too, between poles, of which nothing is known. `steep` lists the points of it at which
    the slope is not finite, `corners` those at which it jumps. `direction` is 1 (strictly increasing), -1 (strictly
    decreasing), 2 (even, and increasing from 0 up) or 0; `bends` is 1 (convex), -1 (concave) or 0 (neither) over the
    whole domain, and `bends_right` the same for arguments of at least 0 (such a function is odd, up to a constant).
    `parity` is 1 for an even function, -1 for an odd one.
    `ball` computes it over Arb's balls; `limits` are its values at the two ends of its domain; `image` holds every
    value. `least` has facts in the language: each text, in the argument a, is at least 0.
    """

    ball: Callable[[Any], Any] | None = None
    domain: Bounds = REALS
    elsewhere: bool = False
    steep: tuple[End, ...] = ()
    corners: tuple[End, ...] = ()
    direction: int = 0
    bends: int = 0
    bends_right: int = 0
    limits: tuple[End, End] = (-INF, INF)
    image: Bounds = REALS
    least: tuple[str, ...] = ()
    is_continuous: bool = True
    is_affine: bool = False
    parity: int = 0

    @property
    def is_zero_with(self) -> bool:
        """Whether it is 0 where its argument is, and nowhere else."""
        if self.direction == 2 or self.domain.low == 0:
            return self.direction > 0 and self.image.low == 0 and not self.image.low_open
        return self.parity == -1 and self.direction in (1, -1) and not self.elsewhere

    def over(self, bounds: Bounds) -> Bounds:
        """Every value that the function takes on an interval."""
        if self.elsewhere and not bounds.within(self.domain):
            return REALS
        inner = bounds.meet(self.domain)
        if inner.is_empty or self.ball is None or not self.is_continuous:
            return self.image
        low, high = self.limits
        if self.direction == 1:
            return inner.increasing(self.ball, low, high).meet(self.image)
        if self.direction == -1:
            return (-inner.increasing(self._negative, -low, -high)).meet(self.image)
        if self.direction == 2:
            return inner.absolute().increasing(self.ball, Fraction(0), INF).meet(self.image)
        return self.image

    def _negative(self, a: Any) -> Any:
        assert self.ball is not None
        return -self.ball(a)

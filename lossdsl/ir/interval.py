"""Intervals of real numbers: what is known of an expression's values before any number is put in.

They decide where a guard is needed and where a rule may be used; they are computed in floating point without directed
rounding, which is enough for signs and for strictness, and is not a proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Generic, Self, TypeVar

INF = math.inf


E = TypeVar("E", float, Fraction | float)


@dataclass(frozen=True)
class Ends(Generic[E]):
    """The reals from `low` to `high`; an end that is `open` does not belong.

    What does not depend on how numbers are rounded: `Interval` is this over floats, `ir.bounds` over exact ones.
    """

    zero: ClassVar[Any]

    low: E
    high: E
    low_open: bool = False
    high_open: bool = False

    def contains(self, value: E) -> bool:
        above = value > self.low or (value == self.low and not self.low_open)
        below = value < self.high or (value == self.high and not self.high_open)
        return above and below

    def within(self, other: Self) -> bool:
        """Whether every point of this interval lies in `other`."""
        low = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        high = self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        return low and high

    def meet(self, other: Self) -> Self:
        """What both allow. Two that contradict each other give an interval whose ends are crossed."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, not_open = min((self.high, not self.high_open), (other.high, not other.high_open))
        return type(self)(low, high, low_open, not not_open)

    def join(self, other: Self) -> Self:
        """The smallest interval that holds both."""
        low, low_open = min((self.low, self.low_open), (other.low, other.low_open))
        high, not_open = max((self.high, not self.high_open), (other.high, not other.high_open))
        return type(self)(low, high, low_open, not not_open)

    @property
    def is_positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def is_nonnegative(self) -> bool:
        return self.low >= 0

    @property
    def is_negative(self) -> bool:
        return self.high < 0 or (self.high == 0 and self.high_open)

    @property
    def is_nonpositive(self) -> bool:
        return self.high <= 0

    @property
    def is_nonzero(self) -> bool:
        return self.is_positive or self.is_negative

    def __neg__(self) -> Self:
        return type(self)(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Self) -> Self:
        low, high = self.low + other.low, self.high + other.high
        return type(self)(low, high, self.low_open or other.low_open, self.high_open or other.high_open)

    def __sub__(self, other: Self) -> Self:
        return self + -other

    def __mul__(self, other: Self) -> Self:
        ends = [
            (
                self.zero if a == 0 or b == 0 else a * b,
                (a_open and b != 0) or (b_open and a != 0) or (a_open and b_open),
            )
            for a, a_open in ((self.low, self.low_open), (self.high, self.high_open))
            for b, b_open in ((other.low, other.low_open), (other.high, other.high_open))
        ]
        low = min(value for value, _ in ends)
        high = max(value for value, _ in ends)
        low_open = all(is_open for value, is_open in ends if value == low)
        high_open = all(is_open for value, is_open in ends if value == high)
        return type(self)(low, high, low_open, high_open)


@dataclass(frozen=True)
class Interval(Ends[float]):
    """The reals from `low` to `high`, in floating point. Infinite ends are always open."""

    zero: ClassVar[Any] = 0.0
    low: float = -INF
    high: float = INF

    def meet(self, other: Interval) -> Interval:
        """What both allow; the other one where they contradict each other."""
        both = super().meet(other)
        return other if both.low > both.high else both

    def reciprocal(self) -> Interval:
        if self.is_positive:
            return Interval(
                0.0 if self.high == INF else 1 / self.high,
                INF if self.low == 0 else 1 / self.low,
                self.high_open or self.high == INF,
                self.low_open,
            )
        if self.is_negative:
            return -(-self).reciprocal()
        return REALS

    def power(self, exponent: Interval) -> Interval:
        if exponent.low == exponent.high and exponent.low == int(exponent.low) >= 0 and int(exponent.low) % 2 == 0:
            size = self.absolute()
            return size.through(lambda v: _power(v, exponent.low))
        if not self.is_nonnegative:
            return REALS
        if exponent.low == exponent.high and exponent.low > 0:
            return self.through(lambda v: _power(v, exponent.low))
        return POSITIVE if self.is_positive else NONNEGATIVE

    def absolute(self) -> Interval:
        if self.is_nonnegative:
            return self
        if self.high <= 0:
            return -self
        return NONNEGATIVE.meet(self.join(-self))

    def through(self, function: Callable[[float], float], *, strictly: bool = True) -> Interval:
        """The image under an increasing function; `strictly` keeps open ends open."""
        low, high = function(self.low), function(self.high)
        return Interval(low, high, self.low_open and strictly, self.high_open and strictly)


def _power(value: float, exponent: float) -> float:
    try:
        return math.pow(value, exponent)
    except OverflowError:
        return INF


REALS = Interval()
POSITIVE = Interval(low=0.0, low_open=True)
NONNEGATIVE = Interval(low=0.0)
NONPOSITIVE = Interval(high=0.0)
UNIT = Interval(0.0, 1.0)
SIGNED_UNIT = Interval(-1.0, 1.0)


def point(value: float) -> Interval:
    return Interval(value, value)

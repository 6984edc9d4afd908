"""Intervals of real numbers: ends are exact fractions, and whatever is rounded is rounded outwards, by Arb.

They say what values an expression can take before any number is put in: where a guard is needed, where a rule may be
used, and what is proved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

End = Fraction | float
"""An exact number, or an infinity."""

INF = math.inf
_ZERO = Fraction(0)
_BITS = 20_000
"""The longest end that is kept as it is, in bits; a longer one is rounded outwards."""


def _plus(a: End, b: End) -> End:
    """The sum of two ends; a fraction may be beyond all floats."""
    return a if abs(a) == INF else b if abs(b) == INF else a + b


def _times(a: End, b: End) -> End:
    """The product of two ends, 0 where one of them is."""
    if a == 0 or b == 0:
        return _ZERO
    if INF in (abs(a), abs(b)):
        return INF if (a > 0) == (b > 0) else -INF
    return a * b


@dataclass(frozen=True)
class Bounds:
    """The reals from `low` to `high`. An end that is `open` is surely not taken; infinite ends never are."""

    low: End = -INF
    high: End = INF
    low_open: bool = False
    high_open: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            end = getattr(self, name)
            if type(end) is not Fraction and math.isfinite(end):
                object.__setattr__(self, name, Fraction(str(end)))  # 0.1 is one tenth

    @property
    def is_finite(self) -> bool:
        return self.low > -INF and self.high < INF

    @property
    def is_point(self) -> bool:
        return self.low == self.high

    @property
    def is_empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def contains(self, value: End) -> bool:
        above = value > self.low or (value == self.low and not self.low_open)
        below = value < self.high or (value == self.high and not self.high_open)
        return above and below

    def within(self, other: Bounds) -> bool:
        """Whether every point of this interval lies in `other`."""
        low = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        high = self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        return low and high

    def meet(self, other: Bounds) -> Bounds:
        """What both allow. Two that contradict each other give an interval whose ends are crossed."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, not_open = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Bounds(low, high, low_open, not not_open)

    def join(self, other: Bounds) -> Bounds:
        """The smallest interval that holds both."""
        low, low_open = min((self.low, self.low_open), (other.low, other.low_open))
        high, not_open = max((self.high, not self.high_open), (other.high, not other.high_open))
        return Bounds(low, high, low_open, not not_open)

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

    def __neg__(self) -> Bounds:
        return Bounds(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Bounds) -> Bounds:
        low, high = _plus(self.low, other.low), _plus(self.high, other.high)
        return _kept(Bounds(low, high, self.low_open or other.low_open, self.high_open or other.high_open))

    def __sub__(self, other: Bounds) -> Bounds:
        return self + -other

    def __mul__(self, other: Bounds) -> Bounds:
        ends = [
            (_times(a, b), (a_open and b != 0) or (b_open and a != 0) or (a_open and b_open))
            for a, a_open in ((self.low, self.low_open), (self.high, self.high_open))
            for b, b_open in ((other.low, other.low_open), (other.high, other.high_open))
        ]
        low = min(value for value, _ in ends)
        high = max(value for value, _ in ends)
        low_open = all(is_open for value, is_open in ends if value == low)
        high_open = all(is_open for value, is_open in ends if value == high)
        return _kept(Bounds(low, high, low_open, high_open))

    def reciprocal(self) -> Bounds:
        """One over it; everything where it may be 0."""
        if self.is_negative:
            return -(-self).reciprocal()
        if not self.is_positive:
            return REALS
        low = Fraction(0) if self.high == INF else 1 / Fraction(self.high)
        high = INF if self.low == 0 else _ZERO if self.low == INF else 1 / Fraction(self.low)
        return Bounds(low, high, self.high_open or self.high == INF, self.low_open)

    def absolute(self) -> Bounds:
        if self.is_nonnegative:
            return self
        if self.high <= 0:
            return -self
        return Bounds(Fraction(0), INF).meet(self.join(-self))

    def power(self, exponent: Bounds) -> Bounds:
        """The power of nonnegative numbers, or with a whole exponent."""
        if exponent.is_point and exponent.is_finite and Fraction(exponent.low).denominator == 1:
            return self._whole(int(exponent.low))
        if not self.is_nonnegative:
            return REALS
        if self == point(0) and exponent.is_positive:
            return self
        found = POSITIVE if self.is_positive else NONNEGATIVE
        if exponent.is_nonnegative:
            return found.meet(UNIT) if self.high <= 1 else found.meet(Bounds(1)) if self.low >= 1 else found
        return found.meet(UNIT) if exponent.is_nonpositive and self.low >= 1 else found

    def _whole(self, exponent: int) -> Bounds:
        if exponent == 0:
            return point(1)
        if exponent < 0:
            return self._whole(-exponent).reciprocal()
        if exponent <= 64:
            return self.whole_power(exponent)
        return NONNEGATIVE if exponent % 2 == 0 or self.is_nonnegative else REALS

    def whole_power(self, exponent: int) -> Bounds:
        """The power with a whole exponent of at least 1."""
        base = self.absolute() if exponent % 2 == 0 else self
        low = base.low**exponent if base.low > -INF else -INF
        high = base.high**exponent if base.high < INF else INF
        return _kept(Bounds(low, high, base.low_open, base.high_open))

    def increasing(self, function: Callable[[Any], Any], at_low: End, at_high: End) -> Bounds:
        """The image under a strictly increasing function; `at_low` and `at_high` are its limits at the infinities."""
        low, high = _image(function, self.low, at_low)[0], _image(function, self.high, at_high)[1]
        exact_low, exact_high = (_is_exact(function, end) for end in (self.low, self.high))
        return Bounds(
            low,
            high,
            (self.low_open and exact_low) or self.low == -INF,
            (self.high_open and exact_high) or self.high == INF,
        )


REALS = Bounds()
POSITIVE = Bounds(0, low_open=True)
NONNEGATIVE = Bounds(0)
NONPOSITIVE = Bounds(high=0)
NEGATIVE = Bounds(high=0, high_open=True)
UNIT = Bounds(0, 1)
OPEN_UNIT = Bounds(0, 1, True, True)
SIGNED_UNIT = Bounds(-1, 1)


def point(value: End) -> Bounds:
    return Bounds(value, value)


def ball(value: End) -> Any:
    """An exact number as Arb's."""
    from flint import arb, fmpq

    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


_FAR = Fraction(2) ** 1000
"""Beyond it, and below one over it, an end is not written out."""


def enclosed(value: Any) -> Bounds:
    """The interval that a ball of Arb's stands for."""
    if not value.is_finite():
        return REALS
    return Bounds(_rounded(value.lower(), up=False), _rounded(value.upper(), up=True))


def _rounded(value: Any, *, up: bool) -> End:
    """A ball of Arb's without a radius as an end, outwards where it is far from 1."""
    mantissa, exponent = value.mid().man_exp()
    size, shift = int(mantissa), int(exponent)
    if size == 0 or -3000 < shift < 1000:
        return Fraction(size) * Fraction(2) ** shift
    if not up:
        return -_rounded(-value, up=True)
    if shift > 0:
        return INF if size > 0 else -_FAR
    return 1 / _FAR if size > 0 else Fraction(0)


def _image(function: Callable[[Any], Any], end: End, limit: End) -> tuple[End, End]:
    """Bounds of a function at an end."""
    if end in (INF, -INF):
        return limit, limit
    found = enclosed(function(ball(end)))
    return found.low, found.high


def _is_exact(function: Callable[[Any], Any], end: End) -> bool:
    return end not in (INF, -INF) and bool(function(ball(end)).is_exact())


def _kept(found: Bounds) -> Bounds:
    """The same with ends of a reasonable length."""
    low, high = found.low, found.high
    if isinstance(low, Fraction) and _bits(low) > _BITS:
        low = enclosed(ball(low)).low
    if isinstance(high, Fraction) and _bits(high) > _BITS:
        high = enclosed(ball(high)).high
    is_same = low == found.low, high == found.high
    return Bounds(low, high, found.low_open and is_same[0], found.high_open and is_same[1])


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()

"""Intervals that are proofs: ends are exact fractions, and whatever is rounded is rounded outwards, by Arb.

`ir.interval` has intervals over floats, for guards and rules; a proof may not rest on those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from lossdsl.ir.interval import Ends, Interval

End = Fraction | float
"""An exact number, or an infinity."""

INF = math.inf
_BITS = 20_000
"""The longest end that is kept as it is, in bits; a longer one is rounded outwards."""


@dataclass(frozen=True)
class Bounds(Ends[End]):
    """The reals from `low` to `high`. An end that is `open` is surely not taken; infinite ends never are."""

    zero: ClassVar[Any] = Fraction(0)
    low: End = -INF
    high: End = INF

    @property
    def is_finite(self) -> bool:
        return self.low > -INF and self.high < INF

    @property
    def is_point(self) -> bool:
        return self.low == self.high

    @property
    def is_empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def __add__(self, other: Bounds) -> Bounds:
        return _kept(super().__add__(other))

    def __mul__(self, other: Bounds) -> Bounds:
        return _kept(super().__mul__(other))

    def reciprocal(self) -> Bounds:
        """One over it; everything where it may be 0."""
        if self.is_negative:
            return -(-self).reciprocal()
        if not self.is_positive:
            return REALS
        low = Fraction(0) if self.high == INF else 1 / Fraction(self.high)
        high = INF if self.low == 0 else 1 / Fraction(self.low)
        return Bounds(low, high, self.high_open or self.high == INF, self.low_open)

    def absolute(self) -> Bounds:
        if self.is_nonnegative:
            return self
        if self.high <= 0:
            return -self
        return Bounds(Fraction(0), INF).meet(self.join(-self))

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
POSITIVE = Bounds(Fraction(0), INF, True)
NONNEGATIVE = Bounds(Fraction(0), INF)
UNIT = Bounds(Fraction(0), Fraction(1))
OPEN_UNIT = Bounds(Fraction(0), Fraction(1), True, True)
SIGNED_UNIT = Bounds(Fraction(-1), Fraction(1))


def point(value: Fraction | int) -> Bounds:
    return Bounds(Fraction(value), Fraction(value))


def exactly(interval: Interval) -> Bounds:
    """Bounds from an interval whose ends are exact as floats: a kind's, or one of `require`."""
    low, high = (Fraction(end) if math.isfinite(end) else end for end in (interval.low, interval.high))
    return Bounds(low, high, interval.low_open, interval.high_open)


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

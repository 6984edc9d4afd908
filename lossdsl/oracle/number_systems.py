"""The exact numbers that the op table's meanings are worked out over; see `sympy_numbers` for symbols.

A namespace has the functions that the rows of `ir.ops` call on `m`, and `number` for constants. A result that is not
real is nan, as in floating point.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Protocol

from lossdsl.ir.op import Kind, Op

DIGITS = 50


class Beyond(Exception):
    """An operation that a namespace has no meaning for."""


class Numbers(Protocol):
    """What an evaluation needs of a namespace besides the functions that the rows name."""

    def number(self, value: Fraction | float | int) -> Any: ...

    def apply(self, function: Callable[..., Any], name: str, args: tuple[Any, ...]) -> Any: ...

    def meaning(self, op: Op) -> Callable[..., Any]: ...


@cache
def mp_numbers(digits: int = DIGITS) -> MpNumbers:
    """Real numbers of so many digits."""
    return MpNumbers(digits)


_GROWING = ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc", "loggamma")
"""Functions of mpmath's that take as many digits as their argument has before the point: `exp(exp(exp(9)))` would never
end."""
_REACH = 4096

_REMEMBERED = 4096
"""Of each function the values at so many numbers are kept."""

PLAIN: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
    "square": lambda a: a * a,
    "abs": abs,
    "where": lambda c, a, b: a if c else b,
    "max": lambda a, b: a if a >= b or a != a else b,  # of nan and a number it is nan, as in floating point
    "min": lambda a, b: a if a <= b or a != a else b,
    "relu": lambda a: a if a > 0 or a != a else a.context.zero,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "real": lambda a: a,
    "stop": lambda a: a,
}
"""The rows of `ir.ops` that mpmath's numbers have as operators, which raise nothing and stay real: most of all work."""


class MpNumbers:
    """Real numbers by mpmath, in a context of their own, so that no one else's precision is touched."""

    def __init__(self, digits: int = DIGITS) -> None:
        import mpmath

        self.context = mpmath.MPContext()
        self.context.dps = digits
        self.mpf = self.context.mpf
        self.inf, self.nan = self.context.inf, self.context.nan
        self.floor, self.ceil = self.context.floor, self.context.ceil
        for name in _GROWING:
            setattr(self, name, self._within_reach(getattr(self.context, name)))
        self.abs, self.round = abs, self.context.nint
        self.number = lru_cache(4096)(self.nearest)  # a loss has few numbers, and grids have the same ones
        self._meanings: dict[Op, Callable[..., Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

    @property
    def pi(self) -> Any:
        return +self.context.pi

    def nearest(self, value: Fraction | float | int) -> Any:
        """The number nearest to `value`."""
        if isinstance(value, Fraction):
            return self.mpf(value.numerator) / value.denominator
        return self.mpf(value)

    def meaning(self, op: Op) -> Callable[..., Any]:
        """An operation as a function of numbers (and conditions)."""
        if op not in self._meanings:
            self._meanings[op] = self._meaning(op)
        return self._meanings[op]

    def _meaning(self, op: Op) -> Callable[..., Any]:
        if op.name in PLAIN:
            return PLAIN[op.name]
        make, apply, number = self.context.make_mpf, self.apply, self.number
        if Kind.BOOL in (*op.takes, op.gives):
            return lambda *args: number(found) if type(found := apply(op.exact, op.name, args)) is int else found

        # A function takes much longer than to look up what it was at the same numbers, as along the lines of a grid.
        # Where a row ends at numbers, its meaning may take forever beyond, as that of a Bessel function does.
        ends = [(i, float(ends.low), float(ends.high)) for i, ends in enumerate(op.defined) if ends.is_finite]

        @lru_cache(_REMEMBERED)
        def worked_out(*parts: Any) -> Any:
            if any(not low <= make(parts[i]) <= high for i, low, high in ends):
                return self.nan
            found = apply(op.exact, op.name, tuple(map(make, parts)))
            return number(found) if type(found) is int else found

        if op.arity == 1:
            return lambda a: worked_out(a._mpf_)
        return lambda *args: worked_out(*(a._mpf_ for a in args))

    def apply(self, function: Callable[..., Any], name: str, args: tuple[Any, ...]) -> Any:
        """The value of an operation; infinite or nan where floating point would have it so."""
        try:
            found = function(self, *args)
        except ZeroDivisionError:
            if name == "div" and args[0] != 0 and not self.context.isnan(args[0]):
                return self.inf if args[0] > 0 else -self.inf
            return self.inf if name == "pow" else self.nan
        except (ValueError, OverflowError):  # a pole, or a power beyond all bounds
            return self.nan
        if isinstance(found, self.context.mpc):
            return found.real if found.imag == 0 else self.nan
        return found

    def _within_reach(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: function(*map(self._bounded, args))

    def power(self, a: Any, b: Any) -> Any:
        """A power; of exponents so large that a number next to 1 leaves all bounds, infinity or 0."""
        b = self._bounded(b)
        if not abs(b) >= self.mpf(2) ** (self.context.prec + 64) or not abs(a) < self.inf:  # of nan neither holds
            return self.context.power(a, b)
        return self.mpf(1) if abs(a) == 1 else self.inf if (abs(a) > 1) == (b > 0) else self.mpf(0)

    def _bounded(self, value: Any) -> Any:
        """An argument, infinite if it is beyond 2^4096, nan if it is complex."""
        if isinstance(value, self.context.mpc):
            return self.nan
        _, _, exponent, bits = value._mpf_ if hasattr(value, "_mpf_") else self.mpf(value)._mpf_
        return value if exponent + bits <= _REACH else self.inf if value > 0 else -self.inf

    def besseli(self, order: Any, a: Any) -> Any:
        """The modified Bessel function; far out by its asymptotic series (Abramowitz and Stegun 9.7.1)."""
        order, a = self._bounded(order), self._bounded(a)
        if abs(a) == self.inf:
            return self.inf
        if a < -(2**40) and self.context.isint(order):
            return self.besseli(order, -a) * (-1) ** int(order)
        if a < 2**40 or order**2 * 2**20 > a:
            return self.context.besseli(order, a)
        term = total = self.mpf(1)
        k = 0
        while abs(term) > abs(total) * self.context.eps:
            k += 1
            term *= ((2 * k - 1) ** 2 - 4 * order**2) / (8 * k * a)
            total += term
        return self.context.exp(a) / self.context.sqrt(2 * self.context.pi * a) * total

    def ratio(self, p: int, q: int) -> Any:
        return self.mpf(p) / q

    def digamma(self, a: Any) -> Any:
        """Of positive numbers, which are its domain here as they are lgamma's."""
        return self.context.digamma(self._bounded(a)) if a > 0 else self.nan

    def polygamma(self, order: int, a: Any) -> Any:
        """Of positive numbers: mpmath would go up from a negative one in steps of 1."""
        return self.context.polygamma(order, self._bounded(a)) if a > 0 else self.nan

    def gammainc(self, a: Any, low: Any, high: Any) -> Any:
        """The share of the gamma distribution of shape `a` between two numbers, of which one is 0 or infinite."""
        low, high = self._bounded(low), self._bounded(high)
        if not 0 <= low <= high:
            return self.nan
        if low == high or (low == 0 and high == self.inf):
            return self.mpf(low != high)
        if low >= a + 1 or (low == 0 and high <= a + 1):
            return self.context.gammainc(a, low, high, regularized=True)
        # Beyond its middle the series of a share is slow, that of the rest is not; a small shape leaves it little.
        lost = max(0, -int(self.context.mag(a))) // 3 if a > 0 and a < self.inf else 0
        with self.context.extradps(20 + lost):
            rest = (0, low) if high == self.inf else (high, self.inf)
            found = 1 - self.context.gammainc(a, *rest, regularized=True)
        return +found

    def xlogy(self, a: Any, b: Any) -> Any:
        return self.mpf(0) if a == 0 else a * self.context.log(b)

    def where(self, c: bool, a: Any, b: Any) -> Any:
        return a if c else b

    lt, le, gt, ge, eq, ne = map(
        staticmethod, (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
    )

    def both(self, a: bool, b: bool) -> bool:
        return a and b

    def either(self, a: bool, b: bool) -> bool:
        return a or b

    def negate(self, a: bool) -> bool:
        return not a

    def stop(self, a: Any) -> Any:
        return a

    def log(self, a: Any) -> Any:
        return -self.inf if a == 0 else self.context.log(a)


class RoundedNumbers(MpNumbers):
    """Floating point with `bits` of precision and float32's range, in which each single operation is rounded correctly.

    It stands for the targets: none of them is better, and the result is the same on every machine.
    """

    def __init__(self, bits: int = 24, largest: float = 3.4028234663852886e38, smallest: float = 2.0**-149) -> None:
        super().__init__(25)
        from mpmath import libmp

        self.bits, self.largest, self.smallest = bits, largest, smallest
        self.normal = smallest * 2 ** (bits - 1)
        self.rounded_parts = libmp.mpf_pos
        # Numbers with exponents between these are neither below the normal ones nor near the largest.
        self._least, self._most = math.frexp(self.normal)[1], math.frexp(largest)[1]

    def nearest(self, value: Fraction | float | int) -> Any:
        return self.rounded(super().nearest(value))

    def _meaning(self, op: Op) -> Callable[..., Any]:
        found, rounded = super()._meaning(op), self.rounded
        if op.gives is Kind.BOOL or op.is_exact:
            return found
        if op.arity == 2:
            return lambda a, b: rounded(found(a, b))
        return lambda *args: rounded(found(*args))

    def rounded(self, value: Any) -> Any:
        """The nearest number that the format holds."""
        parts = value._mpf_
        if self._least < parts[2] + parts[3] < self._most and parts[1]:
            if parts[3] <= self.bits:
                return value
            return self.context.make_mpf(self.rounded_parts(parts, self.bits, "n"))
        size = abs(value)
        if size > self.largest:
            return self.inf if value > 0 else -self.inf
        if size < self.normal:  # below that, numbers have a fixed distance
            return self.context.nint(value / self.smallest) * self.smallest
        return self.context.make_mpf(self.rounded_parts(parts, self.bits, "n"))


@cache
def float32_numbers() -> RoundedNumbers:
    """Ideal float32."""
    return RoundedNumbers()

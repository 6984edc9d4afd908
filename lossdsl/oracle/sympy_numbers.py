"""The op table's meanings over sympy's symbols; see `number_systems`."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lossdsl.ir.op import Op
from lossdsl.oracle.number_systems import Beyond

_MOST_BITS = 2**16
"""Of a power that is worked out exactly."""

_MOST_BITS_WRITTEN = 512
"""Of a number in a formula: whole exponents of such sizes are worked out digit by digit."""


class SympyNumbers:
    """Sympy's expressions.

    A condition is a symbol that is 0 or 1, and a choice is a sum over its outcomes: derivatives pass by conditions
    anyhow, and sympy is slow with pieces. `conditions` has the symbols; `stopped` has those that stand for a `stop`.
    """

    def __init__(self) -> None:
        import sympy

        self.sympy = sympy
        self.stopped: dict[Any, Any] = {}
        self.conditions: dict[Any, Any] = {}
        self.sqrt, self.exp, self.log = sympy.sqrt, sympy.exp, sympy.log
        self.abs, self.pi, self.ratio = sympy.Abs, sympy.pi, sympy.Rational
        self.erf, self.erfc, self.loggamma, self.besseli = sympy.erf, sympy.erfc, sympy.loggamma, sympy.besseli
        self.digamma, self.polygamma, self.sign = sympy.digamma, sympy.polygamma, sympy.sign
        for name in ("sin", "cos", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh"):
            setattr(self, name, getattr(sympy, name))

    def __getattr__(self, name: str) -> Any:
        raise Beyond(name)  # floor, ceil, round, isnan: sympy has no derivative, or no function, for them

    def number(self, value: Fraction | float | int) -> Any:
        """A rational number; raises Beyond for the infinities."""
        if isinstance(value, float) and not math.isfinite(value):
            raise Beyond("inf")
        exact = Fraction(value)
        if exact.numerator.bit_length() + exact.denominator.bit_length() > _MOST_BITS_WRITTEN:
            raise Beyond("a number of very many digits")
        return self.sympy.Rational(exact.numerator, exact.denominator)

    def apply(self, function: Callable[..., Any], name: str, args: tuple[Any, ...]) -> Any:
        return function(self, *args)

    def meaning(self, op: Op) -> Callable[..., Any]:
        """An operation as a function of expressions."""

        def one(*args: Any) -> Any:
            found = op.exact(self, *args)
            return self.number(found) if type(found) is int else found

        return one

    def power(self, a: Any, b: Any) -> Any:
        """A power; of large exponents sympy would work out all digits."""
        if getattr(b, "is_Number", False):
            bits = (int(a.p).bit_length() + int(a.q).bit_length()) if getattr(a, "is_Rational", False) else 1
            if abs(b) * bits > _MOST_BITS:
                raise Beyond("pow")
        return self.sympy.Pow(a, b)

    # Hyperbolic functions are written in exponentials: sympy looks for periods in theirs, through the whole argument.

    def sinh(self, a: Any) -> Any:
        return (self.sympy.exp(a) - self.sympy.exp(-a)) / 2

    def cosh(self, a: Any) -> Any:
        return (self.sympy.exp(a) + self.sympy.exp(-a)) / 2

    def tanh(self, a: Any) -> Any:
        far = self.sympy.exp(-2 * a)
        return (1 - far) / (1 + far)

    def where(self, c: Any, a: Any, b: Any) -> Any:
        return c * a + (1 - c) * b

    def lt(self, a: Any, b: Any) -> Any:
        a, b = self.sympy.sympify(a), self.sympy.sympify(b)
        if a.is_Number and b.is_Number:
            return self.sympy.Integer(int(a < b))
        return self._condition("lt", a, b)

    def gt(self, a: Any, b: Any) -> Any:
        return self.lt(b, a)

    def le(self, a: Any, b: Any) -> Any:
        return 1 - self.lt(b, a)

    def ge(self, a: Any, b: Any) -> Any:
        return 1 - self.lt(a, b)

    def eq(self, a: Any, b: Any) -> Any:
        a, b = self.sympy.sympify(a), self.sympy.sympify(b)
        if a.is_Number and b.is_Number:
            return self.sympy.Integer(int(a == b))
        return self._condition("eq", a, b)

    def ne(self, a: Any, b: Any) -> Any:
        return 1 - self.eq(a, b)

    def both(self, a: Any, b: Any) -> Any:
        return a * b

    def either(self, a: Any, b: Any) -> Any:
        return a + b - a * b

    def negate(self, a: Any) -> Any:
        return 1 - a

    def _condition(self, name: str, a: Any, b: Any) -> Any:
        symbol = self.sympy.Symbol(f"c{len(self.conditions)}", real=True)
        return self.conditions.setdefault((name, a, b), symbol)

    def xlogy(self, a: Any, b: Any) -> Any:
        return self.sympy.Integer(0) if a == 0 else a * self.sympy.log(b)

    def stop(self, a: Any) -> Any:
        return self.stopped.setdefault(a, self.sympy.Symbol(f"stopped{len(self.stopped)}", real=True))

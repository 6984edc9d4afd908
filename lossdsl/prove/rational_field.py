"""Rational functions over exact numbers: arithmetic, and back to expressions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache, reduce
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr

MAX_ATOMS = 20
MAX_TERMS = 400
MAX_POWER = 12
MAX_DEGREE = 120
"""Of a tower of squares the degree doubles with each, and nobody factors a polynomial of degree 2^26."""

MAX_BITS = 20_000
"""Of a number that is squared its digits double as well."""


class TooLarge(Exception):
    """A normal form would be larger than is allowed."""


@cache
def context() -> Any:
    """The polynomials in as many variables as there may be atoms."""
    from flint import Ordering, fmpq_mpoly_ctx

    return fmpq_mpoly_ctx.get(tuple(f"g{place}" for place in range(MAX_ATOMS)), Ordering.lex)


def rational(value: Any) -> Fraction:
    """A number of flint's as Python's."""
    return Fraction(int(value.p), int(value.q))


def plain(value: Fraction) -> Any:
    """A number of Python's as flint's."""
    from flint import fmpq

    return fmpq(value.numerator, value.denominator)


@dataclass(frozen=True)
class RationalFunction:
    """A quotient of polynomials without a common factor."""

    top: Any
    bottom: Any

    @property
    def is_zero(self) -> bool:
        return bool(self.top.is_zero())

    @property
    def is_polynomial(self) -> bool:
        return bool(self.bottom.is_constant())

    @property
    def value(self) -> Fraction | None:
        """The number that it is, if it is one."""
        if not (self.top.is_constant() and self.bottom.is_constant()):
            return None
        return Fraction(0) if self.top.is_zero() else rational(self.top.leading_coefficient())

    @property
    def key(self) -> tuple[str, str]:
        return str(self.top), str(self.bottom)


def _bits(polynomial: Any) -> int:
    """How long the first coefficient is."""
    first = rational(polynomial.leading_coefficient())
    return first.numerator.bit_length() + first.denominator.bit_length()


def atoms_in(polynomial: Any) -> list[int]:
    """The numbers of the atoms that occur in a polynomial."""
    return [place for place, degree in enumerate(polynomial.degrees()) if degree > 0]


def factored(polynomial: Any) -> tuple[Any, list[tuple[Any, int]]]:
    """A polynomial's constant factor, and its other factors with their powers."""
    return _factored(_Written(str(polynomial), polynomial))


@dataclass(frozen=True)
class _Written:
    """A polynomial that can be looked up: flint's have no hash."""

    text: str
    polynomial: Any = field(compare=False)


@lru_cache(512)
def _factored(written: _Written) -> tuple[Any, list[tuple[Any, int]]]:
    scale, factors = written.polynomial.factor()
    return scale, factors


@dataclass
class RationalField:
    """Rational functions of the atoms met so far, which are expressions, and what the atoms are functions of."""

    atoms: list[Expr] = field(default_factory=list)
    arguments: dict[int, tuple[RationalFunction, ...]] = field(default_factory=dict)

    def number(self, value: Fraction | int) -> RationalFunction:
        return RationalFunction(context().constant(plain(Fraction(value))), context().constant(1))

    def atom(self, place: int) -> RationalFunction:
        return RationalFunction(context().gens()[place], context().constant(1))

    def of_polynomial(self, polynomial: Any) -> RationalFunction:
        return RationalFunction(polynomial, context().constant(1))

    # --- arithmetic ---------------------------------------------------------------------------------------------

    def add(self, a: RationalFunction, b: RationalFunction) -> RationalFunction:
        if a.bottom == b.bottom:
            return self._ratio(a.top + b.top, a.bottom)
        return self._ratio(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom)

    def negative(self, a: RationalFunction) -> RationalFunction:
        return RationalFunction(-a.top, a.bottom)

    def sub(self, a: RationalFunction, b: RationalFunction) -> RationalFunction:
        return self.add(a, self.negative(b))

    def mul(self, a: RationalFunction, b: RationalFunction) -> RationalFunction:
        return self._ratio(a.top * b.top, a.bottom * b.bottom)

    def div(self, a: RationalFunction, b: RationalFunction) -> RationalFunction:
        if b.is_zero:
            raise TooLarge
        return self._ratio(a.top * b.bottom, a.bottom * b.top)

    def power(self, a: RationalFunction, exponent: int) -> RationalFunction:
        if abs(exponent) > MAX_POWER or len(a.top) ** abs(exponent) > 10 * MAX_TERMS:
            raise TooLarge
        if exponent < 0:
            return self.power(self.div(self.number(1), a), -exponent)
        return self._ratio(a.top**exponent, a.bottom**exponent)

    def _ratio(self, top: Any, bottom: Any) -> RationalFunction:
        (top, under), (bottom, over) = self._roots(top), self._roots(bottom)
        top, bottom = top * over, bottom * under
        if top.is_zero():
            return self.number(0)
        if bottom.is_zero() or len(top) > MAX_TERMS or len(bottom) > MAX_TERMS:
            raise TooLarge
        if max(top.total_degree(), bottom.total_degree()) > MAX_DEGREE or max(map(_bits, (top, bottom))) > MAX_BITS:
            raise TooLarge
        if not bottom.is_constant():
            common = top.gcd(bottom)
            if not common.is_constant():
                top, bottom = top / common, bottom / common
        scale = bottom.leading_coefficient()
        return RationalFunction(top / scale, bottom / scale)

    def _roots(self, polynomial: Any) -> tuple[Any, Any]:
        """A polynomial in which no square root is squared, and what it is to be divided by."""
        under = context().constant(1)
        for place, arguments in self.arguments.items():
            node = self.atoms[place]
            if isinstance(node, Call) and node.op.name == "sqrt" and polynomial.degrees()[place] >= 2:
                inner = arguments[0]
                most = int(polynomial.degrees()[place]) // 2
                found = context().constant(0)
                for powers, coefficient in polynomial.to_dict().items():
                    left = list(powers)
                    left[place] = powers[place] % 2
                    times = int(powers[place]) // 2
                    term = context().from_dict({tuple(left): coefficient})
                    found += term * inner.top**times * inner.bottom ** (most - times)
                polynomial, under = found, under * inner.bottom**most
                if len(polynomial) > 10 * MAX_TERMS:
                    raise TooLarge
        return polynomial, under

    # --- back to expressions, and slopes ------------------------------------------------------------------------

    def expr(self, ratio: RationalFunction) -> Expr:
        """The form as an expression, in factors."""
        top = self._product(ratio.top)
        return top if ratio.is_polynomial else b.div(top, self._product(ratio.bottom))

    def _product(self, polynomial: Any) -> Expr:
        if polynomial.is_zero():
            return b.ZERO
        scale, factors = factored(polynomial)
        size = rational(scale)
        parts = []
        for factor, exponent in factors:
            if factor.leading_coefficient() < 0 and len(factor) > 1 and _negatives(factor) > len(factor) / 2:
                factor, size = -factor, size * (-1) ** int(exponent)
            coefficients = [rational(coefficient) for coefficient in factor.coeffs()]
            whole = max(coefficient.denominator for coefficient in coefficients)
            if whole == 1 and size.denominator > 1 and len(factors) == 1 and len(factor) > 1 and exponent == 1:
                factor, size = factor * plain(size), Fraction(1)
            inner = self._sum(factor)
            parts.append(inner if exponent == 1 else b.power(inner, b.const(int(exponent))))
        if not parts:
            return b.const(size)
        found = reduce(b.mul, parts if abs(size) == 1 else (b.const(abs(size)), *parts))
        return b.neg(found) if size < 0 else found

    def _sum(self, polynomial: Any) -> Expr:
        terms: list[tuple[Fraction, Expr]] = []
        one: Expr = b.ONE
        for powers, coefficient in polynomial.to_dict().items():
            factors = (b.power(atom, b.const(int(power))) for atom, power in zip(self.atoms, powers, strict=False))
            terms.append((rational(coefficient), reduce(b.mul, factors, one)))
        terms.sort(key=lambda pair: (pair[1] is b.ONE, pair[0] < 0))
        found: Expr = b.ZERO
        for size, term in terms:
            part = b.mul(b.const(abs(size)), term)
            found = b.sub(found, part) if size < 0 else b.add(found, part)
        return found


def _negatives(polynomial: Any) -> int:
    return sum(coefficient < 0 for coefficient in polynomial.coeffs())

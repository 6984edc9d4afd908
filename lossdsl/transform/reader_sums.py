"""Sums as a reader expects them: each term once, a factor of all terms outside, a square where there is one."""

from __future__ import annotations

from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.expr import Expr
from lossdsl.transform.cancellation import Count, Part, Parts, netted
from lossdsl.transform.cancellation import size as size_of
from lossdsl.transform.canonical import SHORT, Canonical, Product
from lossdsl.transform.factors import multiplied, powered

_UNIT = Fraction(1)


class ReaderSums(Canonical):
    """The normal form with sums for readers."""

    def _sum(self, node: Expr) -> Expr:
        """A sum with each term once, and with the factors that all of them have outside."""
        result = super()._sum(node)
        if self.decides:
            return result
        terms = () if result in self.named else self.sums.get(result, ())
        if len(terms) < 2:
            return result
        opened = [(inner, count * scale) for unit, scale in terms for inner, count in self._inner_sum(unit)]
        units = {unit for unit, _ in opened}
        if len(units) <= min(len(terms), len(opened) - 1):
            return self._sum(self.written_sum(netted(opened, units)))
        if any(unit is b.ONE for unit, _ in terms):
            return self._without_brackets(terms) or self._over_sum(terms) or self._square(terms) or result
        return self._without_brackets(terms) or self._factored(terms) or result

    def _without_brackets(self, terms: Parts) -> Expr | None:
        """`a*(1 - c) - c*(1 - a)` as `a - c`: products of sums opened, if no more terms are left then; else None."""
        if len(terms) > SHORT:
            return None
        opened = [(part, scale * each) for unit, scale in terms for part, each in self._opened_product(unit)]
        found: dict[frozenset[Part], Part] = {}
        for unit, scale in opened:
            key = frozenset(self.bases_of(unit).items())
            same, before = found.get(key, (unit, 0))
            found[key] = (same, before + scale)
        left = [part for part in found.values() if part[1]]
        if len(opened) == len(terms) or len(left) > len(terms):
            return None
        return self._sum(self.written_sum(left)) if len(left) > 1 else self.written_sum(left)

    def _opened_product(self, unit: Expr) -> Parts:
        """A product with its first short sum multiplied out, as the terms of a sum; others as they are."""
        factors = self.factors_of(unit)
        for whole, power in factors:
            inner = self._inner_sum(whole)
            if power == 1 and 1 < len(inner) <= SHORT:
                rest = multiplied(powered(*part) for part in factors if part[0] is not whole)
                parts = ((self._unit_of(self.visited(b.mul(rest, part))), each) for part, each in inner)
                return tuple((part, each * own) for (part, own), each in parts)
        return ((unit, 1),)

    def _factored(self, terms: Parts) -> Expr | None:
        """`a*u + a*v` as `a*(u + v)`; None if the terms have no factor in common."""
        found = [self.bases_of(unit) for unit, _ in terms]
        shared = {base: _common([each.get(base, 0) for each in found]) for base in found[0]}
        factors = tuple((base, count) for base, count in shared.items() if count)
        sizes = {size_of(scale) for _, scale in terms}
        scale = Fraction(sizes.pop() if len(sizes) == 1 else 1)
        if not factors and scale == 1:
            return None
        inner: list[Part] = []
        for unit, each in terms:
            rest = [(base, count - shared.get(base, 0)) for base, count in self.bases_of(unit).items()]
            left = self.written(Product(1, _UNIT, tuple(part for part in rest if part[1])))
            inner.append((left, each / scale))
        outside = self.written(Product(1, scale, factors))
        return self.visited(b.mul(outside, self.visited(self.written_sum(inner))))

    def _square(self, terms: Parts) -> Expr | None:
        """`a*u^2 + b*u + c` as `a*(u + b/(2*a))^2`, where that is the same; else None."""
        counts = {self._power_of(unit): Fraction(scale) for unit, scale in terms}
        if len(terms) != 3 or len(counts) != 3:
            return None
        for (base, power), leading in counts.items():
            linear, constant = counts.get((base, 1)), counts.get((b.ONE, 1))
            if power == 2 and linear and constant and linear**2 == 4 * leading * constant:
                inner = self.written_sum([(base, 1), (b.ONE, linear / (2 * leading))])
                return self.visited(b.mul(b.const(leading), b.power(inner, b.TWO)))
        return None

    def _power_of(self, unit: Expr) -> Part:
        factors = self.factors_of(unit)
        return factors[0] if len(factors) == 1 else (unit, 1)

    def _inner_sum(self, part: Expr) -> Parts:
        return ((part, 1),) if part in self.named else self.sums.get(part, ((part, 1),))

    def _over_sum(self, terms: Parts) -> Expr | None:
        """`1/s - 1` as `(1 - s)/s`, where 1 is a term of s and so goes away; else None."""
        if len(terms) != 2 or terms[0][1] != -terms[1][1]:
            return None
        (unit, scale) = terms[0] if terms[1][0] is b.ONE else terms[1]
        known = self.products.get(unit)
        if known is None or known.scale != 1 or len(known.factors) != 1 or known.factors[0][1] != -1:
            return None
        below = known.factors[0][0]
        rest = [part for part in self.sums.get(below, ()) if part != (b.ONE, 1)]
        if below in self.named or len(rest) != len(self.sums.get(below, ())) - 1:
            return None
        return self.visited(b.mul(b.const(-scale), b.div(self.written_sum(rest), below)))


def _common(counts: list[Count]) -> Count:
    """The exponent of a base that several products have in common."""
    if min(counts) > 0:
        return min(counts)
    return max(counts) if max(counts) < 0 else 0

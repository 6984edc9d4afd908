"""Products as a reader expects them: one fraction each, with choices around it or inside of it.

Digits do not count here: quotients are opened, and `e/c/c` is `e/c^2`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE
from lossdsl.ir.expr import Const, Expr
from lossdsl.transform.cancellation import Count, Part, Parts
from lossdsl.transform.cancellation import size as size_of
from lossdsl.transform.canonical import SHORT, Product
from lossdsl.transform.choice_rules import is_choice
from lossdsl.transform.factors import multiplied, name_of, positive, powered
from lossdsl.transform.reader_rules import size as read
from lossdsl.transform.reader_sums import ReaderSums

_UNIT = Fraction(1)


class Fractions(ReaderSums):
    """The normal form with each product as one fraction."""

    def gathered(self, node: Expr) -> tuple[int, list[Part], list[Part]]:
        sign, constants, parts = super().gathered(node)
        if self.decides:
            return sign, constants, parts
        factors: dict[Expr, Count] = {}
        for part, power in ((_unguarded(part) if power < 0 else part, power) for part, power in parts):
            unit, scale = self.units.get(part, (part, 1))
            if scale != 1:
                constants.append((b.const(scale), power))
            is_open = abs(power) == 1 or self._meets(part, parts)
            for base, count in self._inner(unit) if is_open else ((unit, 1),):
                factors[base] = factors.get(base, 0) + count * power
        return sign, constants, _without_sizes(_without_inverses(factors))

    def _meets(self, part: Expr, parts: Iterable[Part]) -> bool:
        """Whether something in a part occurs in another."""
        inside = self.bases_of(self.units.get(part, (part, 1))[0])
        return any(base in inside for other, _ in parts if other is not part for base in self.bases_of(other))

    def _inner(self, part: Expr) -> Parts:
        """The factors of a part; a power of a quotient stays one."""
        if part in self.bases_of(part):
            return ((part, 1),)
        found: list[Part] = []
        for base, power in self.factors_of(part):
            found += (
                [(inner, count * power) for inner, count in self._inner(base)] if abs(power) == 1 else [(base, power)]
            )
        return tuple(found)

    def placed(self, node: Expr, found: Product) -> Expr:
        """The product; a choice between something and 0 takes in numbers and names, and all if some of it cancels."""
        found = self._with_constant(self._chosen_once(self._multiplied_out(found)))
        for place, (base, power) in enumerate(found.factors):
            if power == 1 and base not in self.named and is_switch(base):
                rest = replace(found, factors=found.factors[:place] + found.factors[place + 1 :])
                condition, *pieces = base.children
                is_number = all(isinstance(piece, Const) for piece in pieces)
                is_short = base not in self.closed and all(self._is_simple(factor) for factor, _ in rest.factors)
                if is_number or is_short or any(self._meets(piece, rest.factors) for piece in pieces):
                    factor = self.written(rest)
                    return b.where(condition, *(self._product_of(factor, piece) for piece in pieces))
        return self.written(found)

    def _chosen_once(self, found: Product) -> Product:
        """The product with choices on one condition, each with 0 as its second piece, as one."""
        pieces: dict[Expr, Expr] = {}
        rest: list[Part] = []
        for base, power in found.factors:
            if power == 1 and base not in self.named and is_choice(base) and base.children[2] is b.ZERO:
                condition, piece, _ = base.children
                pieces[condition] = self.visited(b.mul(pieces[condition], piece)) if condition in pieces else piece
            else:
                rest.append((base, power))
        if len(pieces) + len(rest) == len(found.factors):
            return found
        chosen = ((b.where(condition, piece, b.ZERO), 1) for condition, piece in pieces.items())
        return replace(found, factors=(*rest, *chosen))

    def _with_constant(self, found: Product) -> Product:
        """`2*where(c, u/2, 0)` as `where(c, u, 0)`: a constant goes where all pieces of a choice have one."""
        if found.scale != 1:
            for place, (base, power) in enumerate(found.factors):
                scaled = self._scaled(base, found.scale) if power == 1 and is_choice(base) else None
                if scaled is not None:
                    factors = (*found.factors[:place], (scaled, power), *found.factors[place + 1 :])
                    return replace(found, scale=_UNIT, factors=factors, is_divided=False)
        return found

    def _scaled(self, piece: Expr, scale: Fraction) -> Expr | None:
        """A piece of a choice times a constant, if it has one already; else None."""
        if piece in self.named:
            return None
        if is_choice(piece):
            condition, *pieces = piece.children
            first, second = (self._scaled(each, scale) for each in pieces)
            return None if first is None or second is None else b.where(condition, first, second)
        has_one = b.exact(piece) is not None or positive(piece) in self.units
        return self.visited(b.mul(b.const(scale), piece)) if has_one else None

    def _multiplied_out(self, found: Product) -> Product:
        """The product with `u*(a/u + b/v)*v` as `a*v + b*u`, and `d*(1 + e/d)` as `d + e`, if that is shorter."""
        kept = {*self.named, *self.closed}
        for whole, power in found.factors:
            terms = self.sums.get(whole, ()) if abs(power) == 1 and whole not in kept else ()
            inside = [(unit, 1) for unit, _ in terms]
            others = [part for part in found.factors if part[0] is not whole]
            moved = [part for part in others if part[1] * power > 0 and self._meets(part[0], inside)]
            if not moved or len(terms) > SHORT:
                continue
            times = multiplied(powered(base, count * power) for base, count in moved)
            spread = self.written_sum([(self.visited(b.mul(times, unit)), scale) for unit, scale in terms])
            rest = (part for part in others if part not in moved)
            shorter = replace(found, factors=(*rest, (spread, power)))
            if read(self.spelled(shorter)) < read(self.spelled(found)):
                return shorter
        return found

    def _product_of(self, factor: Expr, piece: Expr) -> Expr:
        return self.visited(b.mul(factor, piece)) if piece is not b.ZERO else piece

    def spelled(self, product: Product) -> Expr:
        """Above and below one line; what varies along fewer axes, such as `sum(t)/sum(x)`, is a quotient before."""
        axes = NONE.union(*(base.axes for base, _ in product.factors))
        small = [(base, power) for base, power in product.factors if NONE < base.axes < axes]
        if not any(power > 0 for _, power in small) or not any(power < 0 for _, power in small):
            small = []
        rest = [part for part in product.factors if part not in small]
        above, below = _fraction(sorted(rest, key=lambda part: not self._is_simple(part[0])))
        if product.is_divided:
            below = b.mul(b.const(1 / product.scale), below)
        before = b.mul(b.const(_UNIT if product.is_divided else product.scale), b.div(*_fraction(small)))
        return b.div(b.mul(before, above), below)

    def _is_simple(self, base: Expr) -> bool:
        """Whether a factor is written before others: a name."""
        return base in self.named or not base.children


def _without_inverses(factors: dict[Expr, Count]) -> list[Part]:
    """The factors, without what `exp(a)` and `exp(-a)` have against each other."""
    for base in [base for base in factors if name_of(base) == "exp" and name_of(base.children[0]) == "neg"]:
        inverse = b.call("exp", base.children[0].children[0])
        if factors.get(inverse, 0) * factors[base] > 0:
            both = min(factors[base], factors[inverse], key=size_of)
            factors[base] -= both
            factors[inverse] -= both
    return [(base, power) for base, power in factors.items() if power]


def _without_sizes(factors: list[Part]) -> list[Part]:
    """The factors, with `abs(u)*sign(u)` as u."""
    for size, _ in [part for part in factors if name_of(part[0]) == "abs"]:
        sign = b.call("sign", size.children[0])
        if (size, 1) in factors and (sign, 1) in factors:
            factors = [(sign.children[0], power) if base is size else (base, power) for base, power in factors]
            factors.remove((sign, 1))
    return factors


def _fraction(factors: Iterable[Part]) -> tuple[Expr, Expr]:
    parts = list(factors)
    above = multiplied(powered(base, power) for base, power in parts if power > 0)
    return above, multiplied(powered(base, -power) for base, power in parts if power < 0)


def _unguarded(divisor: Expr) -> Expr:
    """A divisor without the 1 that stands for it where nothing of the quotient is asked for."""
    return divisor.children[1] if is_choice(divisor) and divisor.children[2] is b.ONE else divisor


def is_switch(node: Expr) -> bool:
    """Whether a node is a choice between something and 0."""
    return is_choice(node) and b.ZERO in node.children[1:]

"""Expressions as a reader expects them: one fraction a product, signs and factors moved to where they are written.

None of it changes a value of real arithmetic. Digits do not count here: quotients are opened, and `e/c/c` is `e/c^2`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE
from lossdsl.ir.expr import Along, Call, Const, Expr, Reduce
from lossdsl.ir.whole import definition
from lossdsl.transform.cancellation import Count, Part, Parts
from lossdsl.transform.canonical import Canonical, Product
from lossdsl.transform.choice_rules import is_choice
from lossdsl.transform.factors import multiplied, powered
from lossdsl.transform.language import expression


def readable(roots: Iterable[Expr], named: Collection[Expr] = ()) -> tuple[Expr, ...]:
    """`-(2*(t - x))` as `2*(x - t)`, `-(y/p)` as `-y/p`, `where(c, 0, 1)*u` as `where(c, 0, u)`,
    `where(not c, u, v)` as `where(c, v, u)`.

    A part in `named`, which has a name, stays what it is; an operation that is not public is written out.
    """
    plain = b.mapped(roots, lambda node: node if node in named else _public(node))
    return b.mapped(_Fractions(named)(plain), lambda node: node if node in named else _signed(node, named))


def _public(node: Expr) -> Expr:
    """A node in operations that the language has."""
    if isinstance(node, Call) and node.op.written and not node.op.public:
        return expression(node.op.written, dict(zip(node.op.args, node.args, strict=True)))
    if isinstance(node, Along | Reduce) and not node.op.public:
        return definition(node) or node
    return node


class _Fractions(Canonical):
    """The normal form with each product as one fraction."""

    def gathered(self, node: Expr) -> tuple[int, list[Part], list[Part]]:
        sign, constants, parts = super().gathered(node)
        factors: dict[Expr, Count] = {}
        for part, power in ((_unguarded(part) if power < 0 else part, power) for part, power in parts):
            unit, scale = self.units.get(part, (part, 1))
            if scale != 1:
                constants.append((b.const(scale), power))
            is_open = abs(power) == 1 or self._meets(part, parts)
            for base, count in self._inner(unit) if is_open else ((unit, 1),):
                factors[base] = factors.get(base, 0) + count * power
        return sign, constants, [(base, power) for base, power in factors.items() if power]

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
        """The product; a choice between something and 0 takes in a constant, and all else if some of it cancels."""
        found = self._taken_in(found)
        for place, (base, power) in enumerate(found.factors):
            if power == 1 and base not in self.named and _is_switch(base):
                rest = replace(found, factors=found.factors[:place] + found.factors[place + 1 :])
                condition, *pieces = base.children
                is_number = all(isinstance(piece, Const) for piece in pieces)
                if is_number or not rest.factors or any(self._meets(piece, rest.factors) for piece in pieces):
                    factor = self.written(rest)
                    return b.where(condition, *(self._product_of(factor, piece) for piece in pieces))
        return self.written(found)

    def _taken_in(self, found: Product) -> Product:
        """The product with `d*(1 + e/d)` as `d + e`."""
        for whole, sign in found.factors:
            for factor, power in found.factors:
                if factor is not whole and whole not in self.named and abs(sign) == 1 and power * sign > 0:
                    taken = self._multiplied(whole, factor, power * sign)
                    if taken is not None:
                        rest = [part for part in found.factors if part[0] not in (whole, factor)]
                        return replace(found, factors=(*rest, (taken, sign)))
        return found

    def _multiplied(self, whole: Expr, factor: Expr, power: Count) -> Expr | None:
        """A sum times a factor that all of its terms but constants are divided by; else None."""
        terms = self.sums.get(whole, ())
        counts = [self.bases_of(unit).get(factor, 0) for unit, _ in terms if unit is not b.ONE]
        if not counts or max(counts) >= 0 or min(counts) + power < 0:
            return None
        times = powered(factor, power)
        return self.written_sum([(self.visited(b.mul(times, unit)), scale) for unit, scale in terms])

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


_UNIT = Fraction(1)


def _fraction(factors: Iterable[Part]) -> tuple[Expr, Expr]:
    parts = list(factors)
    above = multiplied(powered(base, power) for base, power in parts if power > 0)
    return above, multiplied(powered(base, -power) for base, power in parts if power < 0)


def _unguarded(divisor: Expr) -> Expr:
    """A divisor without the 1 that stands for it where nothing of the quotient is asked for."""
    return divisor.children[1] if is_choice(divisor) and divisor.children[2] is b.ONE else divisor


def _is_switch(node: Expr) -> bool:
    """Whether a node is a choice between something and 0."""
    return is_choice(node) and b.ZERO in node.children[1:]


def _signed(node: Expr, named: Collection[Expr]) -> Expr:
    """A node with its sign where it is least in the way."""
    if isinstance(node, Call) and node.op.name == "neg":
        return _negative(node.args[0], named)
    if isinstance(node, Call) and node.op.name == "where":
        condition, first, second = node.args
        if isinstance(condition, Call) and condition.op.name == "not":
            return b.where(condition.args[0], second, first)
    return node


def _negative(node: Expr, named: Collection[Expr]) -> Expr:
    """The negative of an expression: of a difference in it, else of its first factor."""
    turned = _turned(node, named)
    if turned is not None:
        return turned
    if isinstance(node, Call) and node not in named:
        if _is_switch(node):
            condition, first, second = node.args
            return b.where(condition, _negative(first, named), _negative(second, named))
        if node.op.name in ("mul", "div"):
            return b.call(node.op.name, _negative(node.args[0], named), node.args[1])
    return b.neg(node)


def _turned(node: Expr, named: Collection[Expr]) -> Expr | None:
    """An expression with one difference among its factors turned around; None if there is none."""
    if isinstance(node, Call) and node not in named:
        if node.op.name == "sub":
            return b.sub(node.args[1], node.args[0])
        if node.op.name in ("mul", "div"):
            first, second = node.args
            for one in (True, False)[: 2 if node.op.name == "mul" else 1]:
                turned = _turned(first if one else second, named)
                if turned is not None:
                    return b.call(node.op.name, *((turned, second) if one else (first, turned)))
    return None

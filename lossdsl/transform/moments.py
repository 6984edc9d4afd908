"""Squares of distances, variances and covariances out of the sums in which they cancel."""

from __future__ import annotations

from collections.abc import Sequence

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Expr, Position, Reduce
from lossdsl.ir.whole import reduce
from lossdsl.transform.gathered import element_of
from lossdsl.transform.sums import Terms, coefficient, less, multiplied, signed_factors


def square_of(term: Expr) -> tuple[Expr, Reduce | None] | None:
    """What is squared in `a^2` or a sum or mean of it, and that aggregate."""
    total = term if isinstance(term, Reduce) and term.op.name in ("sum", "mean") else None
    factors = multiplied(term if total is None else total.arg)
    return (factors[0], total) if len(factors) == 2 and factors[0] is factors[1] else None


def squared_difference(sign: int, square: tuple[Expr, Reduce | None], rest: Terms) -> Terms | None:
    """The terms with `a^2 - 2*a*c + c^2` as one, and the same of sums: the square of a distance.

    Of operands with the same axes only: distances of pairs are written this way to be a product of matrices.
    """
    a, total = square

    def aggregated(product: Expr) -> Expr:
        return product if total is None else total.rebuilt((product,))

    for place, (opposite, term) in enumerate(rest):
        other = square_of(term) if opposite == sign else None
        if other is None or other[0].axes != a.axes or aggregated(b.power(other[0], b.TWO)) is not term:
            continue
        (c, _), others = other, rest[:place] + rest[place + 1 :]
        for turn, (away, cross) in enumerate(others):
            if away == -sign and _is_cross(cross, a, c, total):
                return [(sign, aggregated(b.power(b.sub(a, c), b.TWO))), *others[:turn], *others[turn + 1 :]]
    return None if total is None else _distance_from_one(sign, a, total, rest)


def _distance_from_one(sign: int, a: Expr, total: Reduce, rest: Terms) -> Terms | None:
    """The terms with `sum(a^2) - 2*a[t] + 1` as `(1 - a[t])^2` and the squares of the others."""
    for place, (opposite, cross) in enumerate(rest if (sign, b.ONE) in rest and total.op.name == "sum" else []):
        part = coefficient(cross, b.TWO) if opposite == -sign else None
        element = None if part is None else element_of(part, a, total.over)
        if element is not None:
            is_other = b.call("ne", Position(element.axis), element.index)
            others = b.total(b.where(is_other, total.arg, b.ZERO), total.over)
            left = less(rest[:place] + rest[place + 1 :], [(sign, b.ONE)]) or []
            return [(sign, b.power(b.sub(b.ONE, element), b.TWO)), (sign, others), *left]
    return None


def _is_cross(term: Expr, a: Expr, c: Expr, total: Reduce | None) -> bool:
    """Whether a term is `2*a*c`, or twice the sum or mean of `a*c`."""
    factors = multiplied(term)
    if total is not None:
        sums = [one for one in factors if isinstance(one, Reduce)]
        if len(sums) != 1 or sums[0].op is not total.op or sums[0].over != total.over:
            return False
        factors.remove(sums[0])
        factors += multiplied(sums[0].arg)
    return len(factors) == 3 and all(one in factors for one in (b.TWO, a, c)) and (a is not c or factors.count(a) == 2)


def covariance(factors: list[Expr], sign: int, other: Expr, over: Axes) -> Expr | None:
    """`mean(a*c) - mean(a)*mean(c)` as the mean of what both differ from their means; of two alike, the variance."""
    if len(factors) != 2 or not all(over <= one.axes for one in factors):
        return None
    means = [reduce("mean", one, over) for one in factors]
    if signed_factors(other) not in ((sign, means), (sign, means[::-1])):
        return None
    if factors[0] is factors[1]:
        return reduce("var", factors[0], over)
    left, right = (b.sub(one, mean) for one, mean in zip(factors, means, strict=True))
    return reduce("mean", b.mul(left, right), over)


def weighed_covariance(factors: list[Expr], sign: int, other: Expr, over: Axes) -> Expr | None:
    """`sum(p*a*c) - sum(p*a)*sum(p*c)` of probabilities p as the mean under p of what both differ from their means."""
    for weight in factors:
        if not (isinstance(weight, Along) and weight.op.name == "softmax" and weight.over == over):
            continue
        pair = list(factors)
        pair.remove(weight)
        if len(pair) != 2 or not all(over <= one.axes for one in pair):
            continue
        means = [reduce("sum", b.mul(weight, one), over) for one in pair]
        swapped = [reduce("sum", b.mul(one, weight), over) for one in pair]
        found = signed_factors(other)
        if found[0] == sign and _are_products_of(found[1], means, swapped):
            left, right = (b.sub(one, mean) for one, mean in zip(pair, means, strict=True))
            return reduce("sum", b.mul(weight, b.mul(left, right)), over)
    return None


def _are_products_of(found: list[Expr], means: Sequence[Expr], swapped: Sequence[Expr]) -> bool:
    """Whether two factors are the two means, in any order, each written in either way."""
    if len(found) != 2:
        return False
    ways = list(zip(means, swapped, strict=True))
    return any(all(one in way for one, way in zip(found, order, strict=True)) for order in (ways, ways[::-1]))

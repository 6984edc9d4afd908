"""Aggregates, by what the targets know (sum, mean, prod, max, min, any, all, arg… and along) and by whole functions.

A filter becomes a choice between an element and the value that does not count (0 for a sum, -inf for a maximum), so
empty selections have their values and their gradients by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lossdsl.ir import build as b
from lossdsl.ir import whole
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Reduce
from lossdsl.ir.ops import AGGREGATES, OPS

_INF = Const(float("inf"))
_MINUS_INF = Const(float("-inf"))


class Selection(NamedTuple):
    """Axes, the condition that picks elements (None: all of them), and what gives the axes their length."""

    over: Axes
    condition: Expr | None
    sized: Callable[[Axes], Expr]


def _reduce(name: str, expr: Expr, over: Axes) -> Expr:
    return Reduce(AGGREGATES[name], expr, over) if over else expr


def _masked(expr: Expr, chosen: Selection, otherwise: Expr) -> Expr:
    expr = b.number(expr)
    return expr if chosen.condition is None else b.where(chosen.condition, expr, otherwise)


def _times_missing(expr: Expr, chosen: Selection) -> Expr:
    """A sum over an axis along which nothing varies is the length of that axis times the term."""
    missing = chosen.over - expr.axes
    return b.mul(chosen.sized(missing), expr) if missing else expr


def sum_(expr: Expr, chosen: Selection) -> Expr:
    masked = _masked(expr, chosen, b.ZERO)
    rest = chosen._replace(over=chosen.over - masked.axes)
    return _times_missing(_reduce("sum", masked, chosen.over & masked.axes), rest)


def count(condition: Expr, chosen: Selection) -> Expr:
    return sum_(b.number(condition), chosen)


def mean(expr: Expr, chosen: Selection) -> Expr:
    if chosen.condition is None:
        return _reduce("mean", b.number(expr), chosen.over & expr.axes)
    number = count(Flag(True), chosen)
    return b.div(sum_(expr, chosen), b.call("max", number, b.ONE))


def prod(expr: Expr, chosen: Selection) -> Expr:
    masked = _masked(expr, chosen, b.ONE)
    missing = chosen.over - masked.axes
    result = _reduce("prod", masked, chosen.over & masked.axes)
    return b.power(result, chosen.sized(missing)) if missing else result


def max_(expr: Expr, chosen: Selection) -> Expr:
    masked = _masked(expr, chosen, _MINUS_INF)
    return _reduce("max", masked, chosen.over & masked.axes)


def min_(expr: Expr, chosen: Selection) -> Expr:
    masked = _masked(expr, chosen, _INF)
    return _reduce("min", masked, chosen.over & masked.axes)


def any_(condition: Expr, chosen: Selection) -> Expr:
    if chosen.condition is not None:
        condition = b.call("and", chosen.condition, condition)
    return _reduce("any", condition, chosen.over & condition.axes)


def all_(condition: Expr, chosen: Selection) -> Expr:
    if chosen.condition is not None:
        condition = b.call("or", b.call("not", chosen.condition), condition)
    return _reduce("all", condition, chosen.over & condition.axes)


def _argument(name: str, otherwise: Expr) -> Callable[[Expr, Selection], Expr]:
    def lowered(expr: Expr, chosen: Selection) -> Expr:
        return Reduce(AGGREGATES[name], b.spread(_masked(expr, chosen, otherwise), chosen.over), chosen.over)

    return lowered


def len_(expr: Expr, chosen: Selection) -> Expr:
    if chosen.condition is not None:
        return count(Flag(True), chosen)
    return b.length(expr, chosen.over) if chosen.over <= expr.axes else chosen.sized(chosen.over)


def _whole(name: str, otherwise: Expr) -> Callable[[Expr, Selection], Expr]:
    """A function of whole axes, with the elements that a filter leaves out as `otherwise`."""

    def made(expr: Expr, chosen: Selection) -> Expr:
        return whole.reduce(name, b.spread(_masked(expr, chosen, otherwise), chosen.over), chosen.over)

    return made


def _whole_along(name: str) -> Callable[[Expr, Selection], Expr]:
    def made(expr: Expr, chosen: Selection) -> Expr:
        return whole.along(name, b.spread(b.number(expr), chosen.over), chosen.over)

    return made


def var(expr: Expr, chosen: Selection) -> Expr:
    expr = b.number(expr)
    if not chosen.over & expr.axes:  # what is the same everywhere does not vary
        return b.ZERO
    if chosen.condition is None:
        return whole.reduce("var", b.spread(expr, chosen.over), chosen.over)
    return mean(b.power(b.sub(expr, mean(expr, chosen)), b.TWO), chosen)


def std(expr: Expr, chosen: Selection) -> Expr:
    expr = b.number(expr)
    if not chosen.over & expr.axes:
        return b.ZERO
    if chosen.condition is None:
        return whole.reduce("std", b.spread(expr, chosen.over), chosen.over)
    variance = var(expr, chosen)
    return b.where(b.call("gt", variance, b.ZERO), b.call("sqrt", variance), b.ZERO)


def cumsum(expr: Expr, chosen: Selection) -> Expr:
    return Along(AGGREGATES["cumsum"], (b.spread(_masked(expr, chosen, b.ZERO), chosen.over),), chosen.over)


def rank(expr: Expr, chosen: Selection) -> Expr:
    return Along(AGGREGATES["rank"], (b.spread(_masked(expr, chosen, _MINUS_INF), chosen.over),), chosen.over)


def sort(expr: Expr, chosen: Selection, key: Expr | None = None) -> Expr:
    values = b.spread(b.number(expr), chosen.over)
    keys = values if key is None else b.spread(b.number(key), chosen.over)
    return Along(AGGREGATES["sort"], (values, keys), chosen.over)


def dot(left: Expr, chosen: Selection, right: Expr) -> Expr:
    return sum_(b.mul(b.number(left), b.number(right)), chosen)


def quantile(expr: Expr, chosen: Selection, q: Expr) -> Expr:
    """The element at q of the way from the smallest to the largest, between two of them on the line that joins them.

    Which elements these are, nobody knows where one is nan.
    """
    (axis,) = chosen.over
    values = b.spread(b.number(expr), chosen.over)
    place = b.mul(b.number(q), b.sub(b.length(values, chosen.over), b.ONE))
    in_order = Along(AGGREGATES["ordered"], (values, values), chosen.over)
    below = b.call("floor", place)
    first, second = (Gather(in_order, axis, Call(OPS["whole"], (at,))) for at in (below, b.call("ceil", place)))
    return b.add(first, b.mul(b.sub(place, below), b.sub(second, first)))


def median(expr: Expr, chosen: Selection) -> Expr:
    return quantile(expr, chosen, b.const(0.5))


def spectrum(expr: Expr, chosen: Selection) -> Expr:
    """sqrt(C^2 + S^2) of the sums with cosines and sines, by their larger one, which does not overflow."""
    values = b.spread(b.number(expr), chosen.over)
    parts = [b.call("abs", Along(AGGREGATES[name], (values,), chosen.over)) for name in ("dft_cos", "dft_sin")]
    large, small = b.call("max", *parts), b.call("min", *parts)
    size = b.mul(large, b.call("sqrt", b.add(b.ONE, b.power(b.div(small, large), b.TWO))))
    return b.where(b.call("ne", large, b.ZERO), size, b.ZERO)


LOWERED: dict[str, Callable[..., Expr]] = {
    "sum": sum_,
    "mean": mean,
    "prod": prod,
    "max": max_,
    "min": min_,
    "any": any_,
    "all": all_,
    "argmax": _argument("argmax", _MINUS_INF),
    "argmin": _argument("argmin", _INF),
    "count": count,
    "len": len_,
    "logsumexp": _whole("logsumexp", _MINUS_INF),
    "norm": _whole("norm", b.ZERO),
    "var": var,
    "std": std,
    "softmax": _whole_along("softmax"),
    "log_softmax": _whole_along("log_softmax"),
    "normalize": _whole_along("normalize"),
    "cumsum": cumsum,
    "rank": rank,
    "sort": sort,
    "dot": dot,
    "median": median,
    "quantile": quantile,
    "spectrum": spectrum,
}
"""Each public aggregate's meaning: a function of its argument, what it ranges over, and any further argument."""

"""Windows: aggregates over what lies beside an index, as in `sum[k in 0:3](w[k]*x[i + k])`.

Over few numbers one is written out, term by term: then each read is at an index plus a number, which is a slice of an
array. All others read their elements one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

from lossdsl.frontend import syntax as s
from lossdsl.frontend.indices import Bound
from lossdsl.frontend.scope import Scope
from lossdsl.ir import build as b
from lossdsl.ir.expr import Expr

LONGEST = 128
"""How many terms are written out at most."""

_JOINS = {
    "sum": "add",
    "count": "add",
    "prod": "mul",
    "max": "max",
    "min": "min",
    "any": "or",
    "all": "and",
    "filter": "add",
}

Terms = Callable[[str, Bound], Expr]
"""The term of an aggregate that is called so, where nothing is left to range over; `filter` has what is let through."""


def written_out(node: s.Aggregate, name: str, bound: Bound, scope: Scope, term: Terms) -> Expr | None:
    """An aggregate over numbers, term by term, of the indices that it had in a scope; None where it stays whole."""
    sizes = [index.axis.size for _, index in bound.indices]
    if name not in (*_JOINS, "mean") or len(sizes) < len(node.items) or not all(sizes):
        return None
    ranges = [range(index.low, index.low + (index.axis.size or 0)) for _, index in bound.indices]
    places = list(product(*ranges))
    if len(places) > LONGEST:
        return None
    names = [index.axis.name for _, index in bound.indices]
    scopes = [_with(scope, dict(zip(names, numbers, strict=True))) for numbers in places]

    def over(called: str) -> Expr:
        return _joined(_JOINS[called], (term(called, Bound(each, {}, ())) for each in scopes))

    if name != "mean":
        return over(name)
    if node.condition is None:
        return b.div(over("sum"), b.const(len(places)))
    return b.div(over("sum"), b.call("max", over("filter"), b.ONE))


def _with(scope: Scope, numbers: dict[str, int]) -> Scope:
    for name, number in numbers.items():
        scope = scope.plus(name, b.const(number))
    return scope


def _joined(name: str, terms: Iterable[Expr]) -> Expr:
    """Terms in order, joined in pairs: the first of several that tie stays the first."""
    found = list(terms)
    while len(found) > 1:
        pairs = [b.call(name, *found[at : at + 2]) for at in range(0, len(found) - 1, 2)]
        found = pairs + (found[-1:] if len(found) % 2 else [])
    return found[0]

"""Whether a value stays within bounds whatever the prediction, everything else being set."""

from __future__ import annotations

from lossdsl.analysis.bounds import INF
from lossdsl.analysis.compose import Composition
from lossdsl.analysis.facts import FACTS
from lossdsl.ir.expr import Along, Call, Expr, Gather, Reduce, Rename, Slice, walk

_KEEPS = frozenset({"add", "sub", "mul", "max", "min", "logaddexp"})


def is_limited(expr: Expr, known: Composition, held: frozenset[Expr] = frozenset()) -> bool:
    """Whether it is proved that, for each target and parameters, a bound holds for every prediction.

    What is in `held` is known to stay within bounds.
    """
    found: dict[Expr, bool] = {}
    for node in walk(expr):
        nature = known[node]
        found[node] = node in held or nature.constant or nature.bounds.is_finite or _one(node, found, known)
    return found[expr]


def _one(node: Expr, found: dict[Expr, bool], known: Composition) -> bool:
    match node:
        case Call(op, args) if op.name in _KEEPS:
            return all(found[arg] for arg in args)
        case Call(op, args) if op.name == "where":
            return found[args[1]] and found[args[2]]
        case Call(op, (top, bottom)) if op.name == "div":
            bounds = known.bounds(bottom)
            return found[top] and (bounds.low > 0 or bounds.high < 0)
        case Call(op, (base, exponent)) if op.name == "pow":
            bounds, power = known.bounds(base), known.bounds(exponent)
            return known[exponent].constant and found[base] and (power.low >= 0 or bounds.low > 0)
        case Call(op, (inner,)) if op.name in FACTS and op.name != "tan":
            fact = FACTS[op.name]
            domain, bounds = fact.domain, known.bounds(inner)
            low = domain.low == -INF or not domain.low_open or bounds.low > domain.low
            high = domain.high == INF or not domain.high_open or bounds.high < domain.high
            return found[inner] and low and high
        case Reduce(op, inner) if op.name in ("sum", "mean", "max", "min", "prod", "logsumexp"):
            return found[inner]
        case Along(op, args) if op.name in ("cumsum", "sort", "unsort"):
            return found[args[0]]
        case Rename(inner) | Slice(inner) | Gather(inner):
            return found[inner]
    return False

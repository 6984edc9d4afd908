"""Functions of whole axes that stay whole until code is made: what each means, in sums, exponentials and roots.

`softmax(x)` is one node for the gradient, for proofs and for readers. Its definition is written here once, without what
floating point needs (`transform.lower` has that).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Const, Expr, Reduce, walk
from lossdsl.ir.ops import AGGREGATES

INF = float("inf")


def reduce(name: str, arg: Expr, over: Axes) -> Reduce:
    """An aggregate that takes axes away."""
    return Reduce(AGGREGATES[name], arg, over)


def along(name: str, arg: Expr, over: Axes) -> Along:
    """A function along axes that keeps them."""
    return Along(AGGREGATES[name], (arg,), over)


def may_be_empty(arg: Expr) -> bool:
    """Whether an argument has the element -inf by a filter, so that nothing may be left of a row."""
    return any(isinstance(node, Const) and node.value == -INF for node in walk(arg))


def nonzero(total: Expr) -> Expr:
    """A divisor, and 1 where it is 0."""
    return b.where(b.call("ne", total, b.ZERO), total, b.ONE)


def _logsumexp(arg: Expr, over: Axes) -> Expr:
    return b.call("log", reduce("sum", b.call("exp", arg), over))


def _softmax(arg: Expr, over: Axes) -> Expr:
    exponential = b.call("exp", arg)
    total: Expr = reduce("sum", exponential, over)
    return b.div(exponential, nonzero(total) if may_be_empty(arg) else total)


def _log_softmax(arg: Expr, over: Axes) -> Expr:
    return b.sub(arg, reduce("logsumexp", arg, over))


def _norm(arg: Expr, over: Axes) -> Expr:
    return b.call("sqrt", reduce("sum", b.power(arg, b.TWO), over))


def _normalize(arg: Expr, over: Axes) -> Expr:
    return b.div(arg, nonzero(reduce("norm", arg, over)))


def _var(arg: Expr, over: Axes) -> Expr:
    return reduce("mean", b.power(b.sub(arg, reduce("mean", arg, over)), b.TWO), over)


def _std(arg: Expr, over: Axes) -> Expr:
    return b.call("sqrt", _var(arg, over))


def _others(arg: Expr, over: Axes) -> Expr:
    return b.sub(reduce("sum", arg, over), arg)


def _softmax_rest(arg: Expr, over: Axes) -> Expr:
    return b.sub(b.ONE, along("softmax", arg, over))


def _log_softmax_rest(arg: Expr, over: Axes) -> Expr:
    return b.call("log", _softmax_rest(arg, over))


def _log_beta(arg: Expr, over: Axes) -> Expr:
    return b.sub(reduce("sum", b.call("lgamma", arg), over), b.call("lgamma", reduce("sum", arg, over)))


DEFINITIONS: Mapping[str, Callable[[Expr, Axes], Expr]] = {
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "softmax_rest": _softmax_rest,
    "log_softmax_rest": _log_softmax_rest,
    "others": _others,
    "log_beta": _log_beta,
    "norm": _norm,
    "normalize": _normalize,
    "var": _var,
    "std": _std,
}


def definition(node: Expr) -> Expr | None:
    """What a whole function means, in terms of simpler ones; None for any other node."""
    if isinstance(node, Reduce) and node.op.name in DEFINITIONS:
        return DEFINITIONS[node.op.name](node.arg, node.over)
    if isinstance(node, Along) and node.op.name in DEFINITIONS:
        return DEFINITIONS[node.op.name](node.args[0], node.over)
    return None

"""Vector-Jacobian products of functions of whole axes, whole functions again: one rule each.

References: the Jacobian of softmax is diag(p) - p p^T (Bridle 1990); that of e/|e| is (I - u u^T)/|e|.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Position, Reduce, walk
from lossdsl.ir.whole import INF, along, nonzero, reduce
from lossdsl.transform.scaled import NEAR

Times = Callable[[Expr, Expr], Expr]
"""The product of an adjoint and a slope, which is 0 where a choice makes the adjoint 0, whatever the slope is there."""
Rule = Callable[[Expr, Expr, Axes, Expr, Times], Expr]
"""From the node, its argument, its axes, its adjoint and the product to the adjoint of the argument."""


def _logsumexp(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return times(adjoint, along("softmax", arg, over))


def _softmax(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return times(b.sub(adjoint, b.total(times(adjoint, node), over)), node)


def _log_softmax(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    share = along("softmax", arg, over)
    if _is_multiple(adjoint, share, over):  # as in an entropy: what is added to all log p at once is no slope
        return b.ZERO
    return b.sub(adjoint, times(_total(adjoint, over), share))


def _is_multiple(expr: Expr, share: Expr, over: Axes) -> bool:
    """Whether an expression is something times a number that is one along some axes."""
    match expr:
        case Call(op, (arg,)) if op.name == "neg":
            return _is_multiple(arg, share, over)
        case Call(op, (one, other)) if op.name == "mul":
            sides = ((one, other), (other, one))
            return any(not part.axes & over and _is_multiple(rest, share, over) for part, rest in sides)
        case Call(op, (above, below)) if op.name == "div":
            return not below.axes & over and _is_multiple(above, share, over)
    return expr is share


def _by_others(rule: Rule) -> Rule:
    """The slope of a class that has most of the probability by those of the others, for all of them come to 0."""

    def with_digits(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
        slope = rule(node, arg, over, adjoint, times)
        is_sure = _is_sure(arg, over)
        rest = b.where(is_sure, b.ZERO, slope)
        return b.where(is_sure, b.neg(b.total(rest, over)), rest)

    return with_digits


def _log_softmax_of_digits(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    """By the others where the adjoint has the logits itself, as of a power of p; with soft labels that takes long.

    Not in a tower of shares of shares, each of which would be worked out again for every one above.
    """
    is_lowest = not any(isinstance(part, Along | Reduce) for part in walk(arg))
    rule = _by_others(_log_softmax) if is_lowest and b.varies_with(adjoint, (arg,)) else _log_softmax
    return rule(node, arg, over, adjoint, times)


def _is_sure(arg: Expr, over: Axes) -> Expr:
    """Whether a class has more than half of the probability, as at most one has."""
    return b.call("gt", along("softmax", arg, over), NEAR)


def _total(adjoint: Expr, over: Axes) -> Expr:
    return b.total(adjoint if over <= adjoint.axes else b.spread(adjoint, over), over)


def _softmax_rest(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return _softmax(along("softmax", arg, over), arg, over, b.neg(adjoint), times)


def _log_softmax_rest(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    """By way of log p: dlog(1 - p) is -p/(1 - p)*dlog p."""
    share, rest = along("softmax", arg, over), along("softmax_rest", arg, over)
    weight = b.where(b.call("gt", rest, b.ZERO), b.div(times(adjoint, share), rest), b.ZERO)
    return _log_softmax(node, arg, over, b.neg(weight), times)


def _log_softmax_rest_of_digits(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    """-a*p + p*(the sum of a*p/(1 - p) over the others).

    Where a class is sure, its p/(1 - p) may overflow: times the p of another it is the share of that in the others.
    """
    is_sure = _is_sure(arg, over)
    share, rest = along("softmax", arg, over), along("softmax_rest", arg, over)
    own = times(adjoint, share)
    odds = b.where(is_sure, b.ZERO, b.div(own, rest))
    small, sure = b.total(odds, over), b.total(b.where(is_sure, own, b.ZERO), over)
    among_others = along("softmax", b.where(is_sure, Const(-INF), arg), over)
    unsure = b.add(times(b.sub(small, odds), share), times(sure, among_others))
    return b.sub(b.where(is_sure, times(small, share), unsure), own)


def _others(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return along("others", b.spread(adjoint, over), over)


def _log_beta(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return b.neg(times(adjoint, b.call("digamma_diff", arg, along("others", arg, over))))


def _norm(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return times(adjoint, along("normalize", arg, over))


def _normalize(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    along_it = b.mul(node, b.total(times(adjoint, node), over))
    return b.div(b.sub(adjoint, along_it), nonzero(reduce("norm", arg, over)))


def of_normalize(node: Along, adjoint: Expr, times: Times) -> Expr:
    """That of a unit vector; of an adjoint along another by how both differ, which keeps digits near parallel."""
    (arg,), over = node.args, node.over
    for unit, weight in _unit_factors(adjoint, over):
        away = b.sub(unit, node)
        is_direction = b.number(b.call("gt", reduce("norm", unit.args[0], over), b.ZERO))  # a zero vector has none
        across = b.sub(away, b.mul(node, b.total(b.mul(away, node), over)))
        return b.div(times(times(weight, is_direction), across), nonzero(reduce("norm", arg, over)))
    return _normalize(node, arg, over, adjoint, times)


def _unit_factors(adjoint: Expr, over: Axes) -> Iterator[tuple[Along, Expr]]:
    """A unit vector of which an adjoint is a multiple, with the multiple."""
    match adjoint:
        case Along(op, _, axes) if op.name == "normalize" and axes == over:
            yield adjoint, b.ONE
        case Call(op, (arg,)) if op.name == "neg":
            yield from ((unit, b.neg(weight)) for unit, weight in _unit_factors(arg, over))
        case Call(op, (one, other)) if op.name == "mul":
            for part, factor in ((one, other), (other, one)):
                if not factor.axes & over:
                    yield from ((unit, b.mul(weight, factor)) for unit, weight in _unit_factors(part, over))
        case Call(op, (above, below)) if op.name == "div" and not below.axes & over:
            yield from ((unit, b.div(weight, below)) for unit, weight in _unit_factors(above, over))


def _from_mean(arg: Expr, over: Axes) -> Expr:
    return b.sub(arg, reduce("mean", arg, over))


def _var(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    return times(b.div(b.mul(b.TWO, adjoint), b.length(arg, over)), _from_mean(arg, over))


def _std(node: Expr, arg: Expr, over: Axes, adjoint: Expr, times: Times) -> Expr:
    count = b.call("sqrt", b.length(arg, over))
    return times(b.div(adjoint, count), along("normalize", _from_mean(arg, over), over))


RULES: Mapping[str, Rule] = {
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


_OF_DIGITS: Mapping[str, Rule] = {
    **RULES,
    "softmax": _by_others(_softmax),
    "softmax_rest": _by_others(_softmax_rest),
    "log_softmax": _log_softmax_of_digits,
    "log_softmax_rest": _log_softmax_rest_of_digits,
}


def of_whole(node: Reduce | Along, adjoint: Expr, times: Times, *, for_readers: bool) -> Expr:
    """The adjoint of the argument of a whole function; that for readers loses digits where a class is sure."""
    rule = (RULES if for_readers else _OF_DIGITS)[node.op.name]
    return rule(node, node.children[0], node.over, adjoint, times)


def of_labelled(node: Gather, label: Expr, adjoint: Expr, times: Times) -> tuple[Expr, Expr] | None:
    """The argument of `log_softmax(x)[t]`, and its adjoint by 1 - p for the class and -p for the others: none cancels.

    That of log(1 - p) is -p for the class, and for each other p times its share in the others.

    `label` is the index as it counts where it is compared with positions.
    """
    whole = node.arg
    if not (isinstance(whole, Along) and whole.op.name in _LABELLED and whole.over == frozenset({node.axis})):
        return None
    if not label.axes <= whole.axes - whole.over:
        return None
    (arg,) = whole.args
    is_class = b.call("eq", Position(node.axis), label)

    def at_label(name: str) -> Expr:
        return Gather(along(name, arg, whole.over), node.axis, node.index)

    if whole.op.name == "log_softmax":
        slope = b.where(is_class, at_label("softmax_rest"), b.neg(along("softmax", arg, whole.over)))
        return arg, times(adjoint, slope)
    others = along("softmax", b.where(is_class, Const(-INF), arg), whole.over)
    return arg, times(times(adjoint, at_label("softmax")), b.where(is_class, b.const(-1), others))


def of_labelled_for_readers(node: Gather, label: Expr, adjoint: Expr, times: Times) -> tuple[Expr, Expr] | None:
    """The same by `onehot(t) - softmax(x)`, as papers have it."""
    whole = node.arg
    if not (isinstance(whole, Along) and whole.op.name in ("softmax", "log_softmax") and len(whole.over) == 1):
        return None
    if node.axis not in whole.over or not label.axes <= whole.axes - whole.over:
        return None
    share = along("softmax", whole.args[0], whole.over)
    slope = b.sub(b.number(b.call("eq", Position(node.axis), label)), share)
    return whole.args[0], times(adjoint if whole.op.name == "log_softmax" else times(adjoint, node), slope)


_LABELLED = ("log_softmax", "log_softmax_rest")

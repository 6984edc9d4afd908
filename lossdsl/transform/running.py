"""Running sums: what comes after each element, the logarithms of running sums, and the slopes of those.

The sum of all less a running sum is the running sum from the other end, one place on. The logarithm of a running sum
of exponentials is a whole function, `logcumsumexp`, for its terms may overflow or vanish.
"""

from __future__ import annotations

from dataclasses import replace

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axis
from lossdsl.ir.expr import Along, Call, Expr, Gather, Position, Reduce, Slice, Unslice
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.ranges import Ranges
from lossdsl.transform.lower import largest
from lossdsl.transform.scaled import NOTHING, prefix
from lossdsl.transform.shares import is_whole
from lossdsl.transform.sums import FEW, summands, summed


def rest_of_running(total: Along, known: Ranges) -> Expr | None:
    """1 less a running sum of shares that come to 1: the sum of those after it."""
    return _after(total) if is_whole(total.args[0], total.over, known.units) else None


def rest_of_after(rest: Unslice, known: Ranges) -> Expr | None:
    """1 less the sum of the shares after each element: the running sum itself."""
    back = rest.arg.children[0] if isinstance(rest.arg, Slice) else None
    if not isinstance(back, Along) or not back.op.runs:
        return None
    running = Along(back.op, back.args, back.over, not back.reverse)
    return running if rest_of_running(running, known) is rest else None


def between(node: Call) -> Expr | None:
    """The difference of two elements of a running sum as the sum of what is between them."""
    terms = summands(node, FEW)
    for place, (sign, one) in enumerate(terms):
        for other, (its_sign, two) in enumerate(terms[:place]):
            if its_sign == sign or not (isinstance(one, Gather) and isinstance(two, Gather)) or one.arg is not two.arg:
                continue
            found = _from_to(one, two)
            if found is not None:
                return summed([(sign, found), *(rest for at, rest in enumerate(terms) if at not in (place, other))])
    return None


def _from_to(one: Gather, other: Gather) -> Expr | None:
    """An element of a running sum less another."""
    first, second = prefix(one), prefix(other)
    match first, second:
        case Reduce(_, Call(_, (to_one, arg, _)), over), Reduce(_, Call(_, (to_other, _, _))) if one.axis == other.axis:
            more, fewer = (b.call("and", a, b.call("not", c)) for a, c in ((to_one, to_other), (to_other, to_one)))
            here, there = b.exact(one.index), b.exact(other.index)
            if here is None or there is None or not isinstance(one.arg, Along):
                return b.total(b.where(more, arg, b.where(fewer, b.neg(arg), b.ZERO)), over)
            if (here > there) != one.arg.reverse:  # as numbers tell
                return b.total(b.where(more, arg, b.ZERO), over)
            return b.neg(b.total(b.where(fewer, arg, b.ZERO), over))
    return None


def rest_of_total(node: Call) -> Expr | None:
    """`sum(e) - cumsum(e)` as the sum of what comes after each element, `cumsum(e) - e` as that of those before it."""
    terms = summands(node, FEW)
    for place, (sign, running) in enumerate(terms):
        if not (isinstance(running, Along) and running.op.name == "cumsum"):
            continue
        (arg,) = running.args
        for other, (its_sign, part) in enumerate(terms):
            found = None
            if its_sign == -sign and isinstance(part, Reduce) and part.op.name == "sum" and part.arg is arg:
                found = (-sign, _after(running)) if part.over == running.over else None
            elif its_sign == -sign and part is arg:
                found = sign, _after(replace(running, reverse=not running.reverse))
            if found is not None and found[1] is not None:
                kept = [one for at, one in enumerate(terms) if at not in (place, other)]
                return summed([(found[0], found[1]), *kept])
    return None


def _after(running: Along) -> Expr | None:
    """What a running sum has still to come, as that from the other end, without the element at hand."""
    (axis,) = running.over if len(running.over) == 1 else (None,)
    if axis is None or not (axis.is_last or axis.is_index) or axis.size == 0:
        return None
    back = Along(running.op, running.args, running.over, not running.reverse)
    shorter = _shorter(axis)
    start = 0 if running.reverse else 1
    return Unslice(b.cut(back, axis, shorter, start), running.args[0], shorter, axis, 1 - start)


def _shorter(axis: Axis) -> Axis:
    return replace(axis, cut=axis.cut + 1) if axis.size is None else replace(axis, size=axis.size - 1)


def log_of_padded(node: Unslice, log: Expr) -> Expr:
    """The logarithm of what is 0 outside of a part, from that of the part."""
    return b.where(is_inside(node), Unslice(log, node.like, node.old, node.new, node.start), NOTHING)


def is_inside(node: Unslice) -> Expr:
    """The condition that a position is in the part, outside of which there are zeros."""
    place: Expr = Position(node.new)
    start: Expr = b.const(node.start)
    if node.start < 0:  # from the end
        start = b.add(b.length(node.like, frozenset({node.new})), start)
    found = b.call("lt", place, b.add(start, b.length(node.arg, frozenset({node.old}))))
    return b.call("and", b.call("ge", place, start), found) if node.start else found


def slope_of_log(node: Along, adjoint: Expr, *, is_linear: bool) -> Expr:
    """The adjoint of e from that of `logcumsumexp(e)`: `exp(e)` times the running sum of `a*exp(-node)` from the end.

    Both factors may overflow where their product does not, so they are added as logarithms, of either sign of `a`
    apart, and all of e is taken beside the largest.
    """
    (arg,) = node.args
    powers = b.sub(arg, largest(arg, node.over))
    beside = Along(node.op, (powers,), node.over, node.reverse)
    if is_linear:  # in what comes after the loss, which JAX transposes: no logarithm is taken of it
        is_there = b.call("gt", beside, NOTHING)
        scale = b.where(is_there, b.call("exp", b.neg(b.where(is_there, beside, b.ZERO))), b.ZERO)
        weights = b.spread(b.mul(adjoint, scale), node.over)
        return b.mul(b.call("exp", powers), Along(AGGREGATES["cumsum"], (weights,), node.over, not node.reverse))
    return b.sub(_of_one_sign(beside, adjoint), _of_one_sign(beside, b.neg(adjoint)))


def _of_one_sign(node: Along, adjoint: Expr) -> Expr:
    """The part of the slope that positive elements of an adjoint make."""
    is_there = b.call("and", b.call("gt", adjoint, b.ZERO), b.call("gt", node, NOTHING))
    weight = b.where(is_there, b.sub(b.call("log", b.where(is_there, adjoint, b.ONE)), node), NOTHING)
    back = Along(node.op, (b.spread(weight, node.over),), node.over, not node.reverse)
    return b.call("exp", b.add(node.args[0], back))

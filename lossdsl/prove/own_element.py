"""The element of an aggregate that stands at the position at hand: of `max[j if t[j] >= t](x[j])` it is `x`."""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axis
from lossdsl.ir.bounds import INF, REALS, Bounds
from lossdsl.ir.expr import Along, Call, Const, Expr, Position, Reduce, Rename, walk
from lossdsl.ir.ranges import conjuncts


def gap(first: Expr, second: Expr) -> Bounds:
    """The bounds of `first - second` where one is an aggregate and the other an element of it; else all numbers."""
    for one, other, turn in ((first, second, 1), (second, first, -1)):
        if isinstance(one, Reduce) and one.op.name in ("max", "min", "logsumexp") and own_element(one) is other:
            is_above = (one.op.name != "min") == (turn > 0)
            return Bounds(0, INF) if is_above else Bounds(-INF, 0)
    return REALS


def own_element(node: Reduce) -> Expr | None:
    """What an aggregate has at the position at hand, if it goes over one index and the filter lets that position in."""
    if len(node.over) != 1:
        return None
    (axis,) = node.over
    home = axis.home
    if axis == home or not axis.is_whole or not axis.is_index or _binds(node.arg, home):
        return None
    put = {part: there for part in walk(node.arg) if (there := _at_hand(part, axis, home)) is not None}
    found = _let_in(b.substitute(node.arg, put))
    return None if found is None or axis in found.axes else found


def _at_hand(part: Expr, axis: Axis, home: Axis) -> Expr | None:
    """What is read by an index, read at the position at hand."""
    if isinstance(part, Rename) and part.new == axis and part.old == home and not part.is_diagonal:
        return part.arg
    return Position(home) if isinstance(part, Position) and part.axis == axis else None


def _binds(expr: Expr, home: Axis) -> bool:
    """Whether something inside goes over the axis of the position at hand, so that it is another one there."""
    return any(isinstance(part, Reduce | Along) and home in part.over for part in walk(expr))


def _let_in(expr: Expr) -> Expr | None:
    """The element behind a filter that holds at the position at hand; None where it may not."""
    while isinstance(expr, Call) and expr.op.name == "where" and isinstance(expr.args[2], Const):
        if not _holds(expr.args[0]):
            return None
        expr = expr.args[1]
    return expr


def _holds(condition: Expr) -> bool:
    """Whether a condition holds by its form: of two equal parts."""
    if not isinstance(condition, Call):
        return False
    if condition.op.name == "and":
        return all(map(_holds, conjuncts(condition)))
    return 0 in condition.op.holds_at and condition.args[0] is condition.args[1]

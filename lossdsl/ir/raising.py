"""The loss with what the language wrote out for safety taken back: one operation for one idea, equal in value.

`log_softmax`, `logsumexp` and `norm` are resolved into formulas that cannot overflow; a proof wants to see what they
are. Every rewriting here is an identity of real numbers.
"""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Call, Expr, Reduce
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.whole import definition


def plain(expr: Expr) -> Expr:
    """The expression in the operations that the analysis has facts for."""
    return b.mapped((expr,), plain_node)[0]


def plain_node(node: Expr) -> Expr:
    """The same of a node whose parts are plain already."""
    meaning = definition(node)
    if meaning is not None and node.op.name != "logsumexp":  # type: ignore[attr-defined]
        return plain(meaning)
    match node:
        case Call(op, (inner,)) if op.name == "log":
            return _log(node, inner)
        case Call(op, (inner,)) if op.name == "stop":
            return inner  # it hides a slope, not a value
        case Call(op, (inner,)) if op.name == "relu":
            return b.call("max", inner, b.ZERO)
        case Call(op, (condition, first, second)) if op.name == "where":
            return _guarded_root(condition, first, second) or node
        case Call(op, (Call(left, (first, shift)), Call(right, (second, other)))) if op.name == "sub":
            if left.name == right.name == "sub" and shift is other:
                return b.sub(first, second)
    return node


def _log(node: Expr, inner: Expr) -> Expr:
    if isinstance(inner, Call) and inner.op.name == "cosh":
        return b.call("log_cosh", inner.args[0])
    if isinstance(inner, Call) and inner.op.name == "add":
        for one, other in (inner.args, inner.args[::-1]):
            if b.is_const(one, 1) and isinstance(other, Call) and other.op.name == "exp":
                return b.call("softplus", other.args[0])
    if isinstance(inner, Call) and inner.op.name == "sigmoid":
        return b.call("log_sigmoid", inner.args[0])
    if isinstance(inner, Reduce) and inner.op.name == "sum":
        return _log_of_sum(inner.arg, inner.over) or node
    return node


def _log_of_sum(inner: Expr, over: Axes) -> Expr | None:
    """`log(sum(exp(u - m)))` as logsumexp(u) - m, where m is the same for every term."""
    if not (isinstance(inner, Call) and inner.op.name == "exp"):
        return None
    power = inner.args[0]
    if isinstance(power, Call) and power.op.name == "sub" and not power.args[1].axes & over:
        return b.sub(_logsumexp(power.args[0], over), power.args[1])
    return _logsumexp(power, over)


def _logsumexp(inner: Expr, over: Axes) -> Expr:
    return Reduce(AGGREGATES["logsumexp"], inner, over)


def _guarded_root(condition: Expr, first: Expr, second: Expr) -> Expr | None:
    """`where(s > 0, sqrt(s), 0)`, s a sum of squares, as sqrt(s)."""
    if not (isinstance(condition, Call) and condition.op.name == "gt" and b.is_const(condition.args[1], 0)):
        return None
    total = condition.args[0]
    is_root = isinstance(first, Call) and first.op.name == "sqrt" and first.args[0] is total
    return first if is_root and b.is_const(second, 0) and is_sum_of_squares(total) else None


def is_sum_of_squares(node: Expr) -> bool:
    """Whether an expression is a sum or mean of squares, by its form."""
    return isinstance(node, Reduce) and node.op.name in ("sum", "mean") and is_square(node.arg)


def is_square(node: Expr) -> bool:
    if not isinstance(node, Call):
        return False
    if node.op.name == "mul":
        return node.args[0] is node.args[1]
    exponent = b.exact(node.args[1]) if node.op.name == "pow" else None
    return node.op.name == "square" or (exponent is not None and exponent.denominator == 1 and exponent % 2 == 0)

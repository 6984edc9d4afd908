"""Expressions as they are meant: without what is there for the shapes of arrays and for floating-point numbers only."""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Position, Reduce
from lossdsl.ir.whole import INF, definition


def plain(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """Without the choices that spread a value over positions, and that keep a root from a slope at 0."""
    return b.mapped(roots, _plain, keeps_axes=False)


def written_out(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The same with logsumexp, norm, var and std as sums, which is how formulas have them."""
    return b.mapped(plain(roots), _as_sums, keeps_axes=False)


def _plain(node: Expr) -> Expr:
    if not (isinstance(node, Call) and node.op.name == "where"):
        return node
    condition, value, otherwise = node.args
    if isinstance(condition, Call) and b.is_const(otherwise, 0):
        tested = condition.args[0]
        rooted = isinstance(value, Call) and value.op.name == "sqrt" and value.args[0] is tested
        if (condition.op.name == "gt" and rooted) or (condition.op.name == "ge" and isinstance(tested, Position)):
            return value
    return node


def _as_sums(node: Expr) -> Expr:
    return (_sums(node) if isinstance(node, Reduce) else None) or node


def _sums(node: Reduce) -> Expr | None:
    meaning = definition(node)
    arg = node.arg
    if node.op.name == "logsumexp" and isinstance(arg, Call) and arg.op.name == "where" and arg.args[2] is Const(-INF):
        return b.call("log", b.total(b.where(arg.args[0], b.call("exp", arg.args[1]), b.ZERO), node.over))
    return meaning

"""Expressions as they are meant: without what is there for floating-point numbers only."""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Position, Reduce


def plain(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """Without the shift in exp(e - shift), which cancels, and without guards that exact arithmetic does not need."""
    return b.mapped(roots, _plain)


def _plain(node: Expr) -> Expr:
    if not isinstance(node, Call):
        return node
    if node.op.name == "stop" and _is_shift(node.args[0]):
        return b.ZERO
    if node.op.name == "where":
        condition, value, otherwise = node.args
        if isinstance(condition, Call) and b.is_const(otherwise, 0):
            tested = condition.args[0]
            rooted = isinstance(value, Call) and value.op.name == "sqrt" and value.args[0] is tested
            if (condition.op.name == "gt" and rooted) or (condition.op.name == "ge" and isinstance(tested, Position)):
                return value
    return node


def _is_shift(node: Expr) -> bool:
    if not (isinstance(node, Call) and node.op.name == "where" and b.is_const(node.args[2], 0)):
        return False
    condition, largest, _ = node.args
    return (
        isinstance(condition, Call)
        and condition.op.name == "lt"
        and condition.args == (b.call("abs", largest), Const(float("inf")))
        and any(isinstance(part, Reduce) and part.op.name == "max" for part in (largest, *largest.children))
    )

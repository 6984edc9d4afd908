"""Expressions as a reader expects them: signs and factors moved to where they are written.

None of it changes a value of real arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr


def readable(roots: Iterable[Expr], named: Collection[Expr] = ()) -> tuple[Expr, ...]:
    """`-(2*(t - x))` as `2*(x - t)`, `-(y/p)` as `-y/p`, `where(c, 0, 1)*u` as `where(c, 0, u)`,
    `where(not c, u, v)` as `where(c, v, u)`.

    A part in `named`, which has a name, stays what it is.
    """

    def change(node: Expr) -> Expr:
        if node in named or not isinstance(node, Call):
            return node
        if node.op.name == "neg":
            return _negative(node.args[0], named)
        if node.op.name == "mul":
            return _product(node.args[0], node.args[1], named)
        if node.op.name == "where" and isinstance(node.args[0], Call) and node.args[0].op.name == "not":
            return b.where(node.args[0].args[0], node.args[2], node.args[1])
        return node

    return b.mapped(roots, change)


def _negative(node: Expr, named: Collection[Expr]) -> Expr:
    """The negative of an expression that is readable already."""
    if isinstance(node, Call) and node not in named:
        if node.op.name == "neg":
            return node.args[0]
        if node.op.name == "sub":
            return b.sub(node.args[1], node.args[0])
        if node.op.name == "mul":
            return _product(_negative(node.args[0], named), node.args[1], named)
        if _is_switch(node):
            condition, first, second = node.args
            return b.where(condition, _negative(first, named), _negative(second, named))
        if node.op.name == "div":
            above = node.args[0]
            is_product = isinstance(above, Call) and above.op.name in ("mul", "neg")
            return b.div(_negative(above, named) if is_product else b.neg(above), node.args[1])
    return b.neg(node)


def _product(first: Expr, second: Expr, named: Collection[Expr]) -> Expr:
    """A product, without the minus sign of a number before a difference, and with its factor inside a switch."""
    for one, other in ((first, second), (second, first)):
        if isinstance(one, Call) and one not in named and _is_switch(one):
            condition, if_true, if_false = one.args
            if isinstance(other, Const) or all(isinstance(value, Const) for value in (if_true, if_false)):
                return b.where(condition, _scaled(if_true, other, named), _scaled(if_false, other, named))
    is_difference = isinstance(second, Call) and second.op.name == "sub" and second not in named
    if is_difference and isinstance(first, Const) and first.value < 0:
        return b.mul(b.neg(first), _negative(second, named))
    return b.mul(first, second)


def _is_switch(node: Call) -> bool:
    """Whether a node is a choice between something and 0."""
    return node.op.name == "where" and b.ZERO in node.args[1:]


def _scaled(value: Expr, factor: Expr, named: Collection[Expr]) -> Expr:
    if value is b.ZERO:
        return value
    if value is b.ONE:
        return factor
    if b.is_const(value, -1):
        return _negative(factor, named)
    return _product(factor, value, named) if isinstance(factor, Const) else _product(value, factor, named)

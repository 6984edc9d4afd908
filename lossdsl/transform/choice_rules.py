"""Rules for choices with 0 in one of their pieces, which the normal form of sums and products asks for."""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr


def is_choice(node: Expr) -> bool:
    return isinstance(node, Call) and node.op.name == "where"


def indicator(factor: Expr) -> Expr | None:
    """The condition of a factor that is 1 where it holds and 0 elsewhere."""
    if is_choice(factor) and factor.children[1] is b.ONE and factor.children[2] is b.ZERO:
        return factor.children[0]
    return None


def simpler_choice(node: Expr) -> Expr:
    """`where(c, 0, e)` as `where(not c, e, 0)`, one choice in another as one, and a sign outside."""
    if not is_choice(node):  # it may have been folded
        return node
    condition, first, second = node.children
    if first is b.ZERO:
        condition, first, second = b.call("not", condition), second, first
        node = b.where(condition, first, second)
    if second is not b.ZERO or not is_choice(node):
        return node
    if is_choice(first) and first.children[2] is b.ZERO:
        return b.where(b.call("and", condition, first.children[0]), first.children[1], b.ZERO)
    if isinstance(first, Call) and first.op.name == "neg":
        return b.neg(b.where(condition, first.args[0], b.ZERO))
    return node


def joined_choices(node: Expr) -> tuple[Expr, Expr, Expr] | None:
    """A sum or difference of two choices on one condition, as a choice between two of them: condition and pieces."""
    left, right = node.children
    if not (is_choice(left) and is_choice(right) and left.children[0] is right.children[0]):
        return None
    name = "add" if isinstance(node, Call) and node.op.name == "add" else "sub"
    first, second = (b.call(name, *pair) for pair in zip(left.children[1:], right.children[1:], strict=True))
    return left.children[0], first, second

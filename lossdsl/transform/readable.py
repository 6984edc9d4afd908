"""Expressions as a reader expects them: one fraction a product, signs and factors moved to where they are written.

None of it changes a value of real arithmetic. Digits do not count here: quotients are opened, and `e/c/c` is `e/c^2`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, walk
from lossdsl.ir.op import Op
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.traversal import users
from lossdsl.transform.choice_rules import is_choice
from lossdsl.transform.factors import name_of
from lossdsl.transform.reader_products import Fractions, is_switch
from lossdsl.transform.reader_rules import (
    choice,
    comparison,
    inside_choice,
    known_total,
    opposite,
    public,
    settled_choice,
    signed,
    size,
    without_logarithms,
)
from lossdsl.transform.signs import moved, positive_part


def readable(root: Expr, named: Collection[Expr], known: Ranges) -> Expr:
    """`-(2*(t - x))` as `2*(x - t)`, `-(y/p)` as `-y/p`, `where(c, 0, 1)*u` as `where(c, 0, u)`,
    `where(not c, u, v)` as `where(c, v, u)`.

    A part in `named`, which has a name, stays what it is; an operation that is not public is written out.
    """

    def mapped(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
        return b.mapped([expr], lambda node: node if node in named else change(node))[0]

    plain = mapped(root, lambda node: known_total(without_logarithms(public(node))))
    plain = mapped(_with_complements(plain), lambda node: settled_choice(node, known))
    (fraction,) = Fractions(named)((plain,))
    chosen = mapped(_compared(fraction, named), lambda node: inside_choice(node, named))
    if chosen is not fraction and size(chosen) <= size(fraction):
        (fraction,) = Fractions(named)((chosen,))
    compared = _compared(fraction, named)
    placed = mapped(compared, lambda node: _signed(signed(moved(without_logarithms(node), positive_part)), named))
    return mapped(placed, lambda node: _over_positive(node, named, known))


def _compared(root: Expr, named: Collection[Expr]) -> Expr:
    """Choices and comparisons as they are written; a difference that is needed elsewhere stays one."""
    (root,) = b.mapped([root], lambda node: node if node in named else choice(node))
    above = users(root)
    whole = {node for node, found in above.items() if node in named or len(found) > 1}
    turned: set[Expr] = set()

    def written(node: Expr) -> Expr:
        if node in named:
            return node
        found = comparison(node, whole)
        if isinstance(node, Call) and node.op.is_order and isinstance(node.args[0], Const):
            turned.add(found)
        return opposite(found, whole) if is_choice(found) and found.children[0] in turned else found

    return b.mapped([root], written)[0]


def _with_complements(root: Expr) -> Expr:
    """Where a probability `sigmoid(u)` occurs, `sigmoid(-u)` as 1 less it."""
    there = {node for node in walk(root) if name_of(node) == "sigmoid"}

    def other(node: Expr) -> Expr:
        if node in there and name_of(node.children[0]) == "neg":
            chance = b.call("sigmoid", node.children[0].children[0])
            return b.sub(b.ONE, chance) if chance in there else node
        return node

    return b.mapped([root], other)[0]


def _over_positive(node: Expr, named: Collection[Expr], known: Ranges) -> Expr:
    """`(t - p)/(p*(p - 1))` as `(p - t)/(p*(1 - p))` where p is at most 1."""
    if name_of(node) != "div":
        return node
    above, below = (_turned(part, named, known if place else None) for place, part in enumerate(node.children))
    return node if above is None or below is None else b.div(above, below)


def _signed(node: Expr, named: Collection[Expr]) -> Expr:
    """A node with its sign where it is least in the way."""
    return _negative(node.children[0], named) if name_of(node) == "neg" else node


def _negative(node: Expr, named: Collection[Expr]) -> Expr:
    """The negative of an expression: of a difference in it, else of its first factor."""
    turned = _turned(node, named)
    if turned is not None:
        return turned
    if isinstance(node, Call) and node not in named:
        if is_switch(node):
            condition, first, second = node.args
            return b.where(condition, _negative(first, named), _negative(second, named))
        if node.op.name in ("mul", "div"):
            return b.call(node.op.name, _negative(node.args[0], named), node.args[1])
    return b.neg(node)


def _turned(node: Expr, named: Collection[Expr], known: Ranges | None = None) -> Expr | None:
    """An expression with one difference among its factors turned around; None if there is none.

    With `known`, it must be one with a constant that is never positive.
    """
    match node:
        case Call() if node in named:
            return None
        case Call(Op("sub"), (first, second)):
            is_wanted = known is None or (isinstance(second, Const) and known[node].is_nonpositive)
            return b.sub(second, first) if is_wanted else None
        case Call(Op("mul" | "div") as op, (first, second)):
            turned = _turned(first, named, known)
            if turned is not None:
                return b.call(op.name, turned, second)
            turned = _turned(second, named, known) if op.name == "mul" else None
            return None if turned is None else b.mul(first, turned)
    return None

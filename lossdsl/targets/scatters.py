"""Choices by the position of a label, as the slope of `x[t]` is one: one element of a row is another one.

Where arrays are worked out one after the other, it is cheaper to put that element in its place than to compare every
position of the row with the label. A compiler of whole functions does the comparison inside of the loop that needs it,
so only targets that spell `put` do this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST
from lossdsl.ir.expr import Call, Expr, Position, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.traversal import users


@dataclass(frozen=True)
class Scatter:
    """`where(position == index, value, row)` along the last axis; `row` is None for zeros."""

    equality: Expr
    index: Expr
    value: Expr
    row: Expr | None


def scatters(roots: Iterable[Expr]) -> dict[Expr, Scatter]:
    """The choices below the roots that are such."""
    return {node: found for node in walk(*roots) if isinstance(node, Call) and (found := _scatter(node)) is not None}


def outermost(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with what rows do to such a choice done to both of its pieces, so that it stands outside.

    XLA makes an array of a choice by positions once, and one of a product with it for each of its readers.
    """
    return b.mapped(roots, _outside)


def _outside(node: Expr) -> Expr:
    if not isinstance(node, Call) or node.op.name not in ("mul", "neg", "where"):
        return node
    for place, arg in enumerate(node.args):
        found = _scatter(arg) if isinstance(arg, Call) else None
        others = (*node.args[:place], *node.args[place + 1 :])
        if found is None or found.row is None or any(LAST in other.axes for other in others):
            continue

        def piece(one: Expr, at: int = place) -> Expr:
            return b.rebuild(node, (*node.args[:at], one, *node.args[at + 1 :]))

        return b.where(found.equality, piece(found.value), piece(found.row))
    return node


def unused(roots: Iterable[Expr], found: dict[Expr, Scatter]) -> set[Expr]:
    """The comparisons that nobody needs any more."""
    roots = tuple(roots)
    above = users(*roots)
    return {one.equality for one in found.values() if all(user in found for user in above[one.equality])} - set(roots)


def _scatter(node: Call) -> Scatter | None:
    if node.op.name != "where" or node.kind is not Kind.REAL:
        return None
    condition, value, row = node.args
    if not (isinstance(condition, Call) and condition.op.name == "eq"):
        return None
    for place, index in (condition.args, condition.args[::-1]):
        is_label = isinstance(place, Position) and place.axis == LAST and index.kind is Kind.INT
        if is_label and index.axes == node.axes - {LAST} and LAST not in value.axes:
            if row is b.ZERO:
                return Scatter(condition, index, value, None)
            return Scatter(condition, index, value, row) if row.axes == node.axes else None
    return None

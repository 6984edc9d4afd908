"""Indices that are the axis itself: `sum[k](p[k]*log(p[k]))` is `sum(p*log(p))`.

Where nothing inside varies along the axis at hand, an index over the whole of it is only another name. Without it,
`p[k]` is `p`, so that what is known of a softmax holds of it as well, and arrays need no second last dimension.
"""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, Axis
from lossdsl.ir.expr import Along, Call, Expr, Gather, Position, Reduce, Rename


def with_own_axes(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with aggregates over `last` in place of an index of it, where no other part varies along that."""

    def change(node: Expr) -> Expr:
        if not isinstance(node, Reduce) or LAST in node.arg.axes:
            return node
        indices = [axis for axis in node.over if axis.home == LAST and axis.is_index and axis.is_whole]
        if len(indices) != 1:
            return node
        inside = _named(node.arg, indices[0], {})
        return node if inside is None else Reduce(node.op, inside, node.over - {indices[0]} | {LAST})

    return b.mapped(roots, change)


def _named(expr: Expr, index: Axis, done: dict[Expr, Expr | None]) -> Expr | None:
    """An expression with `last` in place of an index; None where something varies along both."""
    if index not in expr.axes:
        return expr
    if expr not in done:
        done[expr] = _named_inside(expr, index, done)
    return done[expr]


def _named_inside(expr: Expr, index: Axis, done: dict[Expr, Expr | None]) -> Expr | None:
    if isinstance(expr, Position):
        return Position(LAST)
    if isinstance(expr, Rename) and expr.new == index and not expr.is_diagonal:
        return b.renamed(expr.arg, expr.old, LAST) if expr.old != LAST else expr.arg
    if not expr.children or any(LAST in child.axes for child in expr.children):
        return None  # a slice, a gather or an aggregate along `last`, of something that has the index too
    if not isinstance(expr, Call | Reduce | Along | Rename | Gather):
        return None
    children = [_named(child, index, done) for child in expr.children]
    if None in children:
        return None
    found = b.rebuild(expr, tuple(child for child in children if child is not None))
    if isinstance(found, Rename) and found.new == index:  # a diagonal of two, which this is one of
        return Rename(found.arg, found.old, LAST)
    if isinstance(found, Along) and index in found.over:
        return Along(found.op, found.args, found.over - {index} | {LAST}, found.reverse)
    return found

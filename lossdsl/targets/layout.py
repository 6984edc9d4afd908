"""Where axes lie in an array: the dimensions of each expression, and what has to be done so that two of them meet.

An array has one dimension for each axis of its expression, in the order of `axes.ordered`. A loss whose expressions
have batch and space always together is `flexible`: the two are written `...`, so that its code serves every rank. Any
other loss is laid out with one dimension for all of space.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lossdsl.ir.axes import LAST, NONE, SAMPLE, Axes, Axis, ordered
from lossdsl.ir.expr import Along, Call, Expr, Gather, Length, Position, Reduce, Rename, users, walk

_LAST: Axes = frozenset({LAST})
_FLEXIBLE: tuple[Axes, ...] = (NONE, _LAST, SAMPLE, SAMPLE | {LAST})


def is_flexible(roots: Iterable[Expr]) -> bool:
    """Whether one code serves every rank of the inputs."""
    return all(map(_serves_every_rank, walk(*roots)))


def _serves_every_rank(node: Expr) -> bool:
    match node:
        case Rename():
            return False
        case Reduce(arg=arg, over=over) | Length(arg=arg, over=over):
            fits = over in (_LAST, arg.axes)
        case Along(over=over):
            fits = over == _LAST
        case Position(axis):
            fits = axis == LAST
        case Gather(index=index):
            fits = LAST not in index.axes and bool(index.axes or index.is_static)
        case _:
            fits = True
    return fits and node.axes in _FLEXIBLE


@dataclass(frozen=True)
class Layout:
    """The dimensions of arrays, flexible or fixed."""

    flexible: bool

    def dims(self, axes: Axes) -> tuple[Axis, ...]:
        """The axes of an array, in order."""
        return ordered(axes)

    def rank_from_end(self, axes: Axes, axis: Axis) -> int:
        """The number of a dimension, counted from the end (-1 is the last)."""
        dims = self.dims(axes)
        return dims.index(axis) - len(dims)

    def index(self, have: Axes, want: Axes) -> list[object] | None:
        """The subscript that gives an array with axes `have` room for the axes of `want`; None if it meets as it is.

        The items are `None` for a new dimension, `...` and `:` for those that stay.
        """
        if self.flexible:
            return [..., None] if have == SAMPLE and LAST in want else None
        target = self.dims(want | have)
        present = [axis in have for axis in target]
        if True not in present:
            return None
        first = present.index(True)
        if all(present[first:]):
            return None
        return [slice(None) if there else None for there in present[first:]]


def kept(roots: Iterable[Expr]) -> set[Expr]:
    """The expressions without a last axis that are computed with one of length 1, since all that uses them has it."""
    roots = tuple(roots)
    above = users(*roots)
    order = list(walk(*roots))
    found: set[Expr] = set()
    for node in reversed(order):
        may = node not in roots and node.axes and not node.is_static and LAST not in node.axes and _may_keep(node)
        if may and all(isinstance(user, Call) and (LAST in user.axes or user in found) for user in above[node]):
            found.add(node)
    rooted: set[Expr] = set()
    for node in order:
        if node in found and (isinstance(node, Reduce) or not rooted.isdisjoint(node.children)):
            rooted.add(node)
    return rooted


def _may_keep(node: Expr) -> bool:
    return isinstance(node, Call) or (isinstance(node, Reduce) and node.over == _LAST)

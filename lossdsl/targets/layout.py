"""Where axes lie in an array: the dimensions of each expression, and what has to be done so that two of them meet.

An array has one dimension for each axis of its expression, in the order of `axes.ordered`. A loss whose expressions
have batch and space always together is `flexible`: the two are written `...`, so that its code serves every rank. Any
other loss is laid out with one dimension for all of space.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lossdsl.ir.axes import NONE, SAMPLE, Axes, Axis, is_along_last, last_of, ordered, without_last
from lossdsl.ir.expr import Along, Call, Expr, Gather, Length, Reduce, Rename, Slice, walk
from lossdsl.ir.traversal import users


def is_flexible(roots: Iterable[Expr]) -> bool:
    """Whether one code serves every rank of the inputs."""
    return all(map(_serves_every_rank, walk(*roots)))


def _serves_every_rank(node: Expr) -> bool:
    match node:
        case Rename(old=old, new=new) | Slice(old=old, new=new):
            fits = old.is_last and new.is_last
        case Reduce(arg=arg, over=over) | Length(arg=arg, over=over):
            fits = is_along_last(over) or over == arg.axes
        case Along(over=over):
            fits = is_along_last(over)
        case Gather(axis=axis, index=index):
            fits = axis.is_last and last_of(index.axes) is None
        case _:
            fits = True
    return fits and without_last(node.axes) in (NONE, SAMPLE)


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
            return [..., None] if have == SAMPLE and last_of(want) is not None else None
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
        is_open = node not in roots and node.axes and not node.is_static
        may = is_open and last_of(node.axes) is None and _may_keep(node)
        if may and all(isinstance(user, Call) and (last_of(user.axes) or user in found) for user in above[node]):
            found.add(node)
    rooted: set[Expr] = set()
    for node in order:
        if node in found and (isinstance(node, Reduce) or not rooted.isdisjoint(node.children)):
            rooted.add(node)
    return rooted


def _may_keep(node: Expr) -> bool:
    return isinstance(node, Call) or (isinstance(node, Reduce) and is_along_last(node.over))

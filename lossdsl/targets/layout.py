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


def is_flexible(roots: Iterable[Expr]) -> bool:
    """Whether one code serves every rank of the inputs."""
    for node in walk(*roots):
        if without_last(node.axes) not in (NONE, SAMPLE):
            return False
        match node:
            case Rename(_, old, new) | Slice(_, old, new) if not (old.is_last and new.is_last):
                return False
            case Reduce(_, arg, over) | Length(arg, over) if not (is_along_last(over) or over == arg.axes):
                return False
            case Along(_, _, over) if not is_along_last(over):
                return False
            case Gather(_, axis, index) if not axis.is_last or last_of(index.axes) is not None:
                return False
    return True


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
    users: dict[Expr, list[Expr]] = {}
    order = list(walk(*roots))
    for node in order:
        for child in node.children:
            users.setdefault(child, []).append(node)
    found: set[Expr] = set()
    for node in reversed(order):
        if node in roots or node.is_static or last_of(node.axes) is not None or not node.axes:
            continue
        is_reduction = isinstance(node, Reduce) and is_along_last(node.over)
        if not (is_reduction or isinstance(node, Call)):
            continue
        above = users.get(node, [])
        if above and all(isinstance(u, Call) and (last_of(u.axes) is not None or u in found) for u in above):
            found.add(node)
    rooted: set[Expr] = set()
    for node in order:
        if node in found and (
            isinstance(node, Reduce) or any(child in rooted for child in node.children)
        ):
            rooted.add(node)
    return rooted


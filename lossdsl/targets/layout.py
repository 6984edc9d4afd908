"""Where axes lie in an array: the dimensions of each expression, and what has to be done so that two of them meet.

An array has one dimension for each axis of its expression, in the order of `axes.ordered`. A loss whose expressions
have batch and space always together is `flexible`: the two are written `...`, so that its code serves every rank. Any
other loss is laid out with one dimension for all of space.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lossdsl.ir.axes import LAST, NONE, SAMPLE, Axes, Axis, ordered
from lossdsl.ir.expr import Along, Call, Expr, Gather, Length, Position, Reduce, Rename, walk

_FLEXIBLE: tuple[Axes, ...] = (NONE, frozenset({LAST}), SAMPLE, SAMPLE | {LAST})


def is_flexible(roots: Iterable[Expr]) -> bool:
    """Whether one code serves every rank of the inputs."""
    for node in walk(*roots):
        if node.axes not in _FLEXIBLE or isinstance(node, Rename):
            return False
        if isinstance(node, Reduce) and not (node.over == frozenset({LAST}) or node.over == node.arg.axes):
            return False
        if isinstance(node, Along) and node.over != frozenset({LAST}):
            return False
        if isinstance(node, Length) and node.over != frozenset({LAST}) and node.over != node.arg.axes:
            return False
        if isinstance(node, Position) and node.axis != LAST:
            return False
        if isinstance(node, Gather) and LAST in node.index.axes:
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
    users: dict[Expr, list[Expr]] = {}
    order = list(walk(*roots))
    for node in order:
        for child in node.children:
            users.setdefault(child, []).append(node)
    found: set[Expr] = set()
    for node in reversed(order):
        if node in roots or node.is_static or LAST in node.axes or not node.axes:
            continue
        is_reduction = isinstance(node, Reduce) and node.over == frozenset({LAST})
        if not (is_reduction or isinstance(node, Call)):
            continue
        above = users.get(node, [])
        if above and all(isinstance(user, Call) and (LAST in user.axes or user in found) for user in above):
            found.add(node)
    rooted: set[Expr] = set()
    for node in order:
        if node in found and (isinstance(node, Reduce) or any(child in rooted for child in node.children)):
            rooted.add(node)
    return rooted

"""Axes: the part of an expression's type that says along what it varies, and how long that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Axis:
    """Something along which an expression varies.

    `domain` names the axis of a tensor that supplies the positions: `batch`, `space`, `last`, `rows` of a matrix, or
    what a line `places row, col` calls the axes between batch and last. `place` tells which of those it is, from 1; it
    is 0 for all other domains.
    `number` is 0 for those axes themselves ("the position at hand") and counts the index variables, whose `name` is
    what the author called them, so that two indices of one name in two places stay two.

    An axis has a length of its own: that of its domain less `cut` positions, or `size` where that is given. What is
    left of a tensor by `x[1:]` has another axis than `x`, and so has an index that reads `x[i + 1]`.
    """

    name: str
    domain: str
    number: int = 0
    cut: int = 0
    size: int | None = None
    place: int = 0

    @property
    def home(self) -> Axis:
        """The axis of its domain: the whole of it, at hand."""
        return DOMAINS.get(self.domain) or Axis(self.domain, self.domain, place=self.place)

    def index(self, name: str, number: int, cut: int = 0, size: int | None = None) -> Axis:
        """Another axis of the same domain, with a name, number and length of its own."""
        return Axis(name, self.domain, number, cut, size, self.place)

    @property
    def is_place(self) -> bool:
        """Whether its positions are places of a sample: those between batch and last."""
        return self.domain == "space" or self.place > 0

    @property
    def is_sample(self) -> bool:
        """Whether a loss may have values along it: a sample or a place, at hand."""
        return self.number == 0 and (self.domain == "batch" or self.is_place)

    @property
    def is_index(self) -> bool:
        return self.number > 0

    @property
    def is_last(self) -> bool:
        """Whether it is the last dimension of whatever has it: `last` itself, or what a slice leaves of it."""
        return self.domain == "last" and self.number == 0

    @property
    def is_whole(self) -> bool:
        """Whether it is as long as the axis of its domain."""
        return not self.cut and self.size is None

    def length(self, whole: int) -> int:
        """How many positions it has where the axis of its domain has `whole`."""
        return max(0, whole - self.cut) if self.size is None else self.size

    def as_long_as(self, other: Axis) -> bool:
        """Whether the two have one length, given that their domains have one."""
        return self.size == other.size and (self.size is not None or self.cut == other.cut)


BATCH = Axis("batch", "batch")
SPACE = Axis("space", "space")
LAST = Axis("last", "last")
ROWS = Axis("rows", "rows")

DOMAINS = {axis.name: axis for axis in (BATCH, SPACE, LAST, ROWS)}
SAMPLE = frozenset({BATCH, SPACE})
"""What is left of a loss at its end: one value a sample, or a sample and place."""

Axes = frozenset[Axis]
NONE: Axes = frozenset()

_ORDER = {"batch": 1, "space": 2, "rows": 3, "last": 5}


def _order(axis: Axis) -> tuple[int, int, int, str, str, int]:
    # An index over a place that has a name lies beside it: a neighbour in it is a slice, and no transposition.
    rank = 2 if axis.place else 4 if axis.is_index else _ORDER[axis.domain]
    return rank, axis.place, axis.number, axis.name, axis.domain, axis.size or axis.cut


@lru_cache(1024)
def ordered(axes: Axes) -> tuple[Axis, ...]:
    """Axes in the order in which arrays hold them: batch, places, rows, index variables by age and name, last."""
    return tuple(sorted(axes, key=_order))


def last_of(axes: Axes) -> Axis | None:
    """The last dimension, if there is one: `last` or what a slice leaves of it."""
    return next((axis for axis in axes if axis.is_last), None)


def is_along_last(over: Axes) -> bool:
    """Whether the last dimension, and nothing else, is meant."""
    return len(over) == 1 and last_of(over) is not None


def without_last(axes: Axes) -> Axes:
    return frozenset(axis for axis in axes if not axis.is_last)


def names(axes: Iterable[Axis]) -> str:
    """Axes for a reader, in order: `batch, last`."""
    return ", ".join(axis.name for axis in ordered(frozenset(axes))) or "none"


def slice_bounds(whole: Axis, part: Axis, start: int) -> tuple[int | None, int | None]:
    """The start and stop, as Python writes them, of those elements of an axis that a part of it has."""
    if part.size is not None:
        stop = start + part.size
        return start, None if start < 0 <= stop else stop
    left = part.cut - whole.cut - start
    return start or None, -left if left else None

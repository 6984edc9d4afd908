"""Axes: the part of an expression's type that says along what it varies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Axis:
    """Something along which an expression varies.

    `domain` names the axis of a tensor that supplies the positions: `batch`, `space`, `last`, or `rows` of a matrix.
    `number` is 0 for those axes themselves ("the position at hand") and counts the index variables, whose `name` is
    what the author called them, so that two indices of one name in two places stay two.
    """

    name: str
    domain: str
    number: int = 0

    @property
    def is_index(self) -> bool:
        return self.number > 0


BATCH = Axis("batch", "batch")
SPACE = Axis("space", "space")
LAST = Axis("last", "last")
ROWS = Axis("rows", "rows")

DOMAINS = {axis.name: axis for axis in (BATCH, SPACE, LAST, ROWS)}
SAMPLE = frozenset({BATCH, SPACE})
"""What is left of a loss at its end: one value a sample, or a sample and place."""

Axes = frozenset[Axis]
NONE: Axes = frozenset()

_ORDER = {"rows": 1, "batch": 2, "space": 3, "last": 5}


@lru_cache(1024)
def ordered(axes: Axes) -> tuple[Axis, ...]:
    """Axes in the order in which arrays hold them: rows, batch, space, index variables by age and name, last."""
    return tuple(sorted(axes, key=lambda a: (4, a.number, a.name, a.domain) if a.is_index else (_ORDER[a.name],)))


def names(axes: Iterable[Axis]) -> str:
    """Axes for a reader, in order: `batch, last`."""
    return ", ".join(axis.name for axis in ordered(frozenset(axes))) or "none"

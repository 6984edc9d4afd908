"""Points on both sides of every join: where a comparison of a loss turns, or `abs`, `max` and their like bend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.loss import Loss
from lossdsl.oracle.input_kinds import decimal
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point

MOST = 8
"""How many joins are looked at."""
_HALVINGS = 30
_ASIDE = 1e-4
"""How far from a join its two sides are, as a part of the way between two points."""


def both_sides(loss: Loss, roots: Sequence[Expr], points: Sequence[Point]) -> Iterator[Point]:
    """For each join of the roots that lies between two of the points, one point close before it and one close behind.

    Only the prediction moves.
    """
    moving = set(loss.prediction.nodes)
    for level in _levels(roots)[:MOST]:
        for one, other in pairwise(points):
            far = {node: other.values[node] if node in moving else array for node, array in one.values.items()}
            turn = _turn(level, one.values, far, one.sizes)
            if turn is not None:
                yield from (Point(_between(one.values, far, turn + aside), one.sizes) for aside in (-_ASIDE, _ASIDE))
                break


def _levels(roots: Sequence[Expr]) -> list[Expr]:
    """Expressions that are 0 on a join."""
    found: dict[Expr, None] = {}
    for node in walk(*roots):
        found.update(dict.fromkeys(borders(node)))
    return [level for level in found if not level.is_static]


def borders(node: Expr) -> list[Expr]:
    """Expressions that are 0 where an operation passes from one of its pieces to the next."""
    if not isinstance(node, Call):
        return []
    if node.op.compares:
        return [b.sub(*map(b.number, node.args))]
    corners = node.op.trait.corners if node.op.trait is not None else ()
    return [b.sub(node.args[0], b.const(Fraction(corner))) for corner in corners]


def _between(one: Mapping[Expr, Array], other: Mapping[Expr, Array], part: float) -> dict[Expr, Array]:
    """A part of the way from one point to another, in decimals where they differ."""

    def mixed(a: Any, c: Any) -> Any:
        if a == c or not (math.isfinite(a) and math.isfinite(c)):
            return a
        return decimal(float(a) + part * (float(c) - float(a)), 9)

    pair = np.frompyfunc(mixed, 2, 1)
    return {node: np.asarray(pair(array, other[node]), dtype=object) for node, array in one.items()}


def _turn(
    level: Expr, one: Mapping[Expr, Array], other: Mapping[Expr, Array], sizes: Mapping[str, int]
) -> float | None:
    """How far on the way from one point to another a level passes 0 in some element; None if it does not."""
    m = mp_numbers()

    def at(part: float) -> Array:
        given = Point(_between(one, other, part), sizes).given(m)
        return evaluate([level], given, m, sizes)[level]

    before, behind = at(0.0), at(1.0)
    turned = np.asarray(np.frompyfunc(lambda a, c: bool(a * c < 0), 2, 1)(before, behind), dtype=bool)
    if not np.any(turned):
        return None
    place = tuple(int(index[0]) for index in np.nonzero(turned)) if turned.ndim else ()
    low, high, sign = 0.0, 1.0, before[place] > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (at(middle)[place] > 0) == sign:
            low = middle
        else:
            high = middle
    return (low + high) / 2

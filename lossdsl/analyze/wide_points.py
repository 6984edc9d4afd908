"""Points that are far and near, and on both sides of every join, at which two losses that seem to agree are compared.

At ordinary points a loss is the same as another one that only differs below a threshold, or beyond one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.ranges import Ranges
from lossdsl.oracle.breakpoints import borders
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.orders import holds
from lossdsl.oracle.points import Point, allowed

SCALES = tuple(Fraction(10) ** power for power in (-1, 1, -3, 3, -6, 6, -12, 12, -24))
"""By what inputs are multiplied."""
_OTHER = tuple(map(Fraction, ("-1", "1/1000", "1000")))
"""By what parameters are multiplied."""
MOST = 12
"""How many joins are gone to."""
_ASIDE = (Fraction(0), Fraction(1, 2**20), Fraction(-1, 2**20))
"""How far beside a join it is looked, as a part of the numbers there."""
_WHOLE = frozenset({"real", "logits", "positive", "nonneg", "prob"})
"""Kinds of which each element may have any size within bounds, whatever the others are."""


def ties(loss: Loss, tried: Sequence[Point]) -> Iterator[Point]:
    """Points with the same number all over the batch in each of the inputs but the prediction, and in all of them."""
    others = [spec for spec in loss.inputs if spec is not loss.prediction]
    for point in tried[:1]:
        even: dict[Expr, Any] = {}
        for node in (node for spec in others for node in spec.nodes):
            even[node] = np.full_like(point.values[node], max(point.values[node].flat))
            yield Point({**point.values, node: even[node]}, point.sizes)
        yield Point({**point.values, **even}, point.sizes)


def levels(roots: Iterable[Expr]) -> list[Expr]:
    """Expressions that are 0 where a choice or a corner in one of the roots is."""
    borders_of = (level for node in walk(*roots) for level in borders(node))
    return list(dict.fromkeys([*borders_of, *equations(roots)]))


def equations(roots: Iterable[Expr]) -> list[Expr]:
    """Expressions that are 0 where two are equal that one of the roots compares."""
    pairs = (node.children for node in walk(*roots) if isinstance(node, Call) and node.op.name in ("eq", "ne"))
    return list(dict.fromkeys(b.sub(*map(b.number, pair)) for pair in pairs))


def wide_points(loss: Loss, known: Ranges, roots: Sequence[Expr], start: Point) -> Iterator[Point]:
    """Points made of one by other sizes of its inputs and parameters, and on and beside the joins of the roots."""
    free: list[Expr] = [node for spec in loss.inputs if _is_free(spec) for node in spec.nodes]
    own = [spec.node for spec in loss.parameters if spec.node in start.values and spec.kind == "real"]
    changed = [
        *_resized(free, start),
        *_even(free, start),
        *_rescaled(own, start),
        *_on_joins([*free, *own], levels(roots)[:MOST], start),
    ]
    for each in changed:
        yield from _admitted(loss, known, start, each)


def _resized(free: Sequence[Expr], start: Point) -> Iterator[Mapping[Expr, Any]]:
    """All inputs of any size, and each of them, multiplied."""
    for nodes in ([free] if len(free) > 1 else []) + [[node] for node in free]:
        yield from ({node: start.values[node] * scale for node in nodes} for scale in SCALES)


def _even(free: Sequence[Expr], start: Point) -> Iterator[Mapping[Expr, Any]]:
    """Each of the inputs 0, whole, halfway between whole numbers, and the same as another one."""
    half = Fraction(1, 2)
    for node in free:
        array = start.values[node]
        yield {node: 0 * array}
        yield {node: array // 1}
        yield {node: array // 1 + half}
    for node, other in itertools.permutations(free, 2):
        if start.values[node].shape == start.values[other].shape:
            yield {node: start.values[other]}


def _rescaled(own: Sequence[Expr], start: Point) -> Iterator[Mapping[Expr, Any]]:
    """Each of the parameters multiplied."""
    return ({node: start.values[node] * scale} for node in own for scale in _OTHER)


def _on_joins(moving: Sequence[Expr], joins: Sequence[Expr], start: Point) -> Iterator[Mapping[Expr, Any]]:
    """Each of inputs and parameters moved, or stretched, up to a join and to both sides of it."""
    for node in moving if joins else ():
        array = start.values[node]
        for step in (np.full_like(array, Fraction(1)), array):
            for part in _turns(joins, node, step, start):
                there = array + part * step
                yield from ({node: there + aside * np.where(there == 0, 1, there)} for aside in _ASIDE)


def unseen(joins: Sequence[Expr], tried: Iterable[Point]) -> list[tuple[Expr, int]]:
    """The joins of which no point is on one side, each with the sign that is not met there: 0, where two are equal."""
    m = mp_numbers()
    met: dict[Expr, set[int]] = {level: set() for level in joins}
    for point in tried:
        done = evaluate(joins, point.given(m), m, point.sizes)
        for level, signs in met.items():
            signs |= {(value > 0) - (value < 0) for value in done[level].flat if value == value}
    return [(level, sign) for level, signs in met.items() for sign in (1, -1, 0) if sign not in signs]


def _is_free(spec: InputSpec) -> bool:
    return not spec.is_label and all(part.domain in _WHOLE for part in spec.parts)


def _admitted(loss: Loss, known: Ranges, point: Point, changed: Mapping[Expr, Any]) -> Iterator[Point]:
    """The point with some arrays changed, if these are of their kinds and as is required."""
    if not all(known[node].contains(value) for node, array in changed.items() for value in np.ravel(array)):
        return
    values = {**point.values, **{node: np.asarray(array, dtype=object) for node, array in changed.items()}}
    parameters: dict[Expr, Array] = {spec.node: values[spec.node] for spec in loss.parameters if spec.node in values}
    if holds(loss, values) and (not changed.keys() & parameters.keys() or allowed(loss, parameters, point.sizes)):
        yield Point(values, point.sizes)


def _turns(joins: Sequence[Expr], node: Expr, step: Array, point: Point) -> list[Fraction]:
    """How far one may go, in steps of an array, until a join is met by the first element of what is linear there."""
    m = mp_numbers()
    tables = []
    for part in (-1, 0, 1):
        there = Point({**point.values, node: np.asarray(point.values[node] + part * step, dtype=object)}, point.sizes)
        tables.append(evaluate(joins, there.given(m), m, there.sizes))
    found: dict[Fraction, None] = {}
    for level in joins:
        before, middle, behind = (table[level].flat[0] for table in tables)
        slope = middle - before
        if m.isfinite(slope) and slope and abs(behind - middle - slope) <= m.mpf("1e-40") * (abs(behind) + abs(before)):
            exact = Fraction(m.nstr(-before / slope, 40))  # from there on: an input of 0 is the end of what is small
            plain = exact.limit_denominator(10**18)
            found[(plain if abs(plain - exact) <= abs(exact) / 10**25 else exact) - 1] = None
    return list(found)

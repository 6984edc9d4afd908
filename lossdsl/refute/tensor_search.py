"""Refutations for losses over whole tensors: at the small tensors of `oracle.points`, and between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Expr, walk
from lossdsl.ir.inputs import DOMAINS, SUM_TO_ONE, InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.verdict import OPEN, Number, Verdict
from lossdsl.oracle.input_kinds import INPUT_KINDS
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.orders import holds
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.refute.parameter_values import ParameterValues
from lossdsl.refute.selected_parts import culprit

COUNT = 12
"""At how many points a claim is tried, with parameters near their defaults."""
FAR_COUNT = 24
"""At how many with parameters far from them."""
MAX_NODES = 1500
_ROUNDED = 1e-4
"""How far from 1 the length of a unit vector of plain decimals may be."""
_ALONE = {"binary": (0, 1), "onehot": (0, 1), "sign": (-1, 1)}
"""The values of inputs that have two."""


def refuted(program: Program, name: str, *, far: bool = False) -> Verdict:
    """A refutation of a claim at tensors that were tried, or how many were; `far`: for parameters far from defaults."""
    loss = program.loss
    if name not in _TRIALS or sum(1 for _ in walk(loss.result)) > MAX_NODES:
        return OPEN
    tried = 0
    drawn = list(points(loss, program.known, COUNT))
    if far:
        drawn = list(_far(program, drawn))
    for place, point in enumerate(drawn):
        other = drawn[(place + 2) % len(drawn)]
        found, looked = _TRIALS[name](loss, point, other)
        tried += looked
        if found is not None:
            return found
    return Verdict("tested", "search", tried) if tried else OPEN


def _far(program: Program, drawn: Sequence[Point]) -> Iterator[Point]:
    """Points with the parameters far from their defaults."""
    leaves: dict[Expr, Bounds] = {spec.node: program.known[spec.node] for spec in program.loss.parameters}
    found = ParameterValues(program.loss, leaves).far()
    for values, point in zip(islice(found, FAR_COUNT), cycle(drawn), strict=False):
        yield _moved(point, {node: np.full_like(point.values[node], value) for node, value in values.items()})


def finite_values(loss: Loss, point: Point) -> list[Any] | None:
    """The values at a point; None where one is not finite, or a part of it that counts: real numbers end there."""
    m = mp_numbers()
    done = evaluate([loss.result], point.given(m), m, point.sizes)
    found = done[loss.result].ravel().tolist()
    return found if all(map(m.isfinite, found)) and culprit(loss.result, done, m) is None else None


def _moved(point: Point, arrays: Mapping[Expr, Array]) -> Point:
    return Point({**point.values, **arrays}, point.sizes)


def at(loss: Loss, point: Point) -> dict[str, Number]:
    """A point as a reader would put it in."""
    found: dict[str, Number] = {}
    for node, array in point.values.items():
        found[getattr(node, "name", "")] = _rows(array)
    return found


def _rows(array: Any) -> Number:
    if isinstance(array, np.ndarray) and array.ndim:
        return tuple(_rows(part) for part in array)
    value: Number = array.item() if isinstance(array, np.ndarray) else array
    return value


def _text(value: Any) -> str:
    return f"{float(value):.6g}"


Found = tuple[Verdict | None, int]


def _negative(loss: Loss, point: Point, other: Point) -> Found:
    values = finite_values(loss, point)
    if values is None:
        return None, 0
    least = min(values)
    if least < -(mp_numbers().mpf(10) ** -30):
        return Verdict("refuted", "search", at=at(loss, point), detail=f"the value is {_text(least)}"), 1
    return None, 1


def agreeing(loss: Loss, point: Point) -> Point | None:
    """A point with the prediction put on the target; None where the target is no admissible prediction."""
    target = loss.target
    if target is None or target.is_label or len(target.nodes) != len(loss.prediction.nodes):
        return None
    moved: dict[Expr, Array] = {}
    for t, x in zip(target.nodes, loss.prediction.nodes, strict=True):
        if point.values[t].shape != point.values[x].shape:
            return None
        if target.domains != loss.prediction.domains and not fits(loss.prediction, x, point.values[t]):
            return None
        moved[x] = point.values[t]
    return _moved(point, moved) if holds(loss, {**point.values, **moved}) else None


def fits(spec: InputSpec, node: Expr, array: Array) -> bool:
    """Whether numbers may stand in a node of an input."""
    return _is_of(spec.part(node).domain, array)


def _is_of(domain: str, array: Array) -> bool:
    """Whether numbers are such as an input of a kind takes."""
    values = array.ravel().tolist()
    if not all(DOMAINS[domain].contains(value) for value in values):
        return False
    if domain == "unit":
        return all(abs(total - 1) < _ROUNDED for total in np.sum(array * array, axis=-1).ravel().tolist())
    if domain in SUM_TO_ONE and any(total != 1 for total in np.sum(array, axis=-1).ravel().tolist()):
        return False
    if domain == "count":
        return all(value == round(value) for value in values)
    return domain not in _ALONE or all(value in _ALONE[domain] for value in values)


def _nonzero(loss: Loss, point: Point, other: Point) -> Found:
    there = agreeing(loss, point)
    values = None if there is None else finite_values(loss, there)
    if there is None or values is None:
        return None, 0
    most = max(values, key=abs)
    if abs(most) > mp_numbers().mpf(10) ** -30:
        return Verdict("refuted", "search", at=at(loss, there), detail=f"the value is {_text(most)}"), 1
    return None, 1


def _less(loss: Loss, point: Point, other: Point) -> Found:
    there = agreeing(loss, point)
    values = None if there is None else finite_values(loss, there)
    here = finite_values(loss, point)
    if there is None or values is None or here is None:
        return None, 0
    for mine, best in zip(here, values, strict=True):
        if mine < best - mp_numbers().mpf(10) ** -30 * (1 + abs(best)):
            detail = f"a value is {_text(mine)}, less than the {_text(best)} that x = t gives,"
            return Verdict("refuted", "search", at=at(loss, point), beside=(at(loss, there),), detail=detail), 1
    return None, 1


def _lopsided(loss: Loss, point: Point, other: Point) -> Found:
    there = agreeing(loss, point)
    if there is None or not loss.prediction.is_line:
        return None, 0
    mirror: dict[Expr, Array] = {x: 2 * there.values[x] - point.values[x] for x in loss.prediction.nodes}
    turned = _moved(point, mirror)
    if not holds(loss, turned.values):
        return None, 0
    return _compared(loss, point, turned)


def _bent(loss: Loss, point: Point, other: Point) -> Found:
    if not all(INPUT_KINDS[domain].is_line for domain in loss.prediction.domains):
        return None, 0  # no line of such predictions
    ends = [point, _moved(point, {x: other.values[x] for x in loss.prediction.nodes})]
    middle: dict[Expr, Array] = {x: (ends[0].values[x] + ends[1].values[x]) / 2 for x in loss.prediction.nodes}
    between = _moved(point, middle)
    values = [finite_values(loss, one) for one in (*ends, between)]
    if any(one is None for one in values):
        return None, 0
    for one, two, half in zip(*values, strict=True):
        chord = (one + two) / 2
        if half > chord + mp_numbers().mpf(10) ** -25 * (abs(one) + abs(two) + 1):
            detail = f"the value is {_text(half)}, on the line between the others {_text(chord)}"
            beside = (at(loss, ends[0]), at(loss, ends[1]))
            return Verdict("refuted", "search", at=at(loss, between), beside=beside, detail=detail), 1
    return None, 1


def _shifted(loss: Loss, point: Point, other: Point) -> Found:
    arrays: dict[Expr, Array] = {x: point.values[x] + 1 for x in loss.prediction.nodes}
    return _changed(loss, point, arrays) if loss.prediction.may_be("shifted") else (None, 0)


def _scaled(loss: Loss, point: Point, other: Point) -> Found:
    arrays: dict[Expr, Array] = {x: point.values[x] * 2 for x in loss.prediction.nodes}
    return _changed(loss, point, arrays) if loss.prediction.may_be("scaled") else (None, 0)


def _changed(loss: Loss, point: Point, arrays: Mapping[Expr, Array]) -> Found:
    """A point at which the loss is another where the predictions are changed alike."""
    return _compared(loss, point, _moved(point, arrays))


def _compared(loss: Loss, point: Point, there: Point) -> Found:
    """Two points at which the loss is another; what it is like there."""
    here, across = finite_values(loss, point), finite_values(loss, there)
    if here is None or across is None:
        return None, 0
    for one, two in zip(here, across, strict=True):
        if abs(one - two) > mp_numbers().mpf(10) ** -30 * (1 + abs(one)):
            detail = f"the values are {_text(one)} and {_text(two)}"
            return Verdict("refuted", "search", at=at(loss, point), beside=(at(loss, there),), detail=detail), 1
    return None, 1


_TRIALS = {
    "nonnegative": _negative,
    "zero at t = x": _nonzero,
    "least at t = x": _less,
    "symmetric": _lopsided,
    "convex": _bent,
    "shift invariant": _shifted,
    "scale invariant": _scaled,
}

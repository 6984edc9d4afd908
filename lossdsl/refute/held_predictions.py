"""Predictions that a bound of their own holds where the loss is not least: the slope is 0 there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.prediction_view import COUPLED
from lossdsl.ir.verdict import Number
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.orders import holds
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.refute.agreement import is_judged, usual
from lossdsl.refute.grid_search import GridLine, GridSearch
from lossdsl.refute.tensor_search import at, finite_values

REACH = 10
"""A prediction held only beyond this is no concern: a sigmoid is within 5e-5 of its end there."""
SETTINGS = 5
"""For how many targets predictions are looked at."""
POINTS = 4
"""At how many drawn points the elements of tensors are put beyond a bound."""
HALF = Fraction(1, 2)
EDGE = Fraction(1, 100)
"""Nor is one held only so near to the end of its kind."""


@dataclass(frozen=True)
class HeldPrediction:
    """The bound that holds a prediction, and where."""

    node: Call
    at: Mapping[str, Number]


def held_prediction(program: Program, search: GridSearch) -> HeldPrediction | None:
    """A prediction of everyday size that a bound holds, at which the slope is 0 and the loss is not least."""
    bounds = list(_bounds_on_prediction(program))
    slope = program.element_gradients.get(program.loss.prediction, ()) if bounds else ()
    if len(slope) != 1:
        return None
    for line, (node, bound) in product(islice(search.lines, SETTINGS), bounds):
        x = _place(search, line, slope[0], node, bound)
        if x is not None:
            return HeldPrediction(node, search.at(line.setting, x))
    return None


def _bounds_on_prediction(program: Program) -> Iterator[tuple[Call, Expr]]:
    """The bounds of what is made of the prediction and of numbers alone, each with what it holds it at."""
    loss = program.loss
    others = [node for spec in loss.inputs if spec is not loss.prediction for node in spec.nodes]
    for node in walk(loss.value):
        if not isinstance(node, Call) or b.depends(node, others) or not b.depends(node, loss.prediction.nodes):
            continue
        if node.op.name in ("max", "min"):
            yield from ((node, arg) for arg in node.args if arg.is_static)
        elif node.op.name == "relu":
            yield node, b.ZERO


def _place(search: GridSearch, line: GridLine, slope: Expr, node: Call, bound: Expr) -> Fraction | None:
    """A prediction of everyday size that a bound holds, at which the slope is 0 and the loss is not least."""
    finite = line.finite()
    if not finite:
        return None
    least = min(y for _, y in finite)
    enough = least + search.m.mpf(10) ** -3 * (1 + abs(least))
    leaves = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    high = [x for x, y in finite if y > enough and abs(x) <= REACH and _is_inside(leaves, x)]
    if not high:
        return None
    (inside,) = [arg for arg in node.args if arg is not bound] or node.args[:1]
    held, inner = (search.numbers(part, line.setting, high) for part in (node, inside))
    end = search.numbers(bound, line.setting, high[:1])[0]
    slopes = search.numbers(slope, line.setting, high)
    for x, value, free, steep in zip(high, held, inner, slopes, strict=True):
        if value is not None and value == end and free != end and steep is not None and steep == 0:
            return x
    return None


# --- whole tensors ----------------------------------------------------------------------------------------------------


def held_element(program: Program) -> HeldPrediction | None:
    """An element of a prediction that a bound holds, by which alone the loss reads it, though the loss is less inside.

    Beyond the bound the loss does not change with the element, so that its slope is 0 there.
    """
    loss = program.loss
    if not is_judged(loss) or not COUPLED.isdisjoint(loss.prediction.domains):
        return None
    for (node, bound), drawn in product(_bounds_on_prediction(program), points(loss, program.known, POINTS)):
        read = _read_through(loss, node, bound)
        found = _held_at(program, usual(loss, drawn), read, node, bound) if read is not None else None
        if found is not None:
            return HeldPrediction(node, at(loss, found))
    return None


def _read_through(loss: Loss, node: Call, bound: Expr) -> Expr | None:
    """The prediction that is bounded, where the loss does not read it in another way."""
    for inside in node.args:
        if inside in loss.prediction.nodes and not b.depends(b.substitute(loss.result, {node: bound}), (inside,)):
            return inside
    return None


def _held_at(program: Program, point: Point, read: Expr, node: Call, bound: Expr) -> Point | None:
    """A point with an element beyond a bound, if the loss is less with it inside; None if that is so for no element."""
    m, loss = mp_numbers(), program.loss
    end = evaluate([bound], point.given(m), m, point.sizes)[bound].ravel().tolist()[0]
    if not m.isfinite(end) or abs(end) > REACH:
        return None
    middle, away = Fraction(str(m.nstr(end, 15))), HALF * (-1 if node.op.name in ("max", "relu") else 1)
    if not all(_is_inside(program.known[read], middle + step) for step in (away, -away)):
        return None
    for place in np.ndindex(point.values[read].shape):
        beyond, within = (_put(point, read, place, middle + step) for step in (away, -away))
        if _costs_more(loss, beyond, within):
            return beyond
    return None


def _costs_more(loss: Loss, point: Point, other: Point) -> bool:
    """Whether a sample costs clearly more at a point than at another; both must be admissible."""
    here, there = (finite_values(loss, one) if holds(loss, one.values) else None for one in (point, other))
    pairs = zip(here or (), there or (), strict=False)
    return any(one - two > (1 + abs(one)) * EDGE for one, two in pairs)


def _put(point: Point, node: Expr, place: tuple[int, ...], value: Fraction) -> Point:
    array = point.values[node].copy()
    array[place] = value
    return Point({**point.values, node: array}, point.sizes)


def _is_inside(bounds: Bounds, x: Fraction) -> bool:
    return bool(bounds.low + EDGE < x < bounds.high - EDGE)

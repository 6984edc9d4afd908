"""Small tensors at which losses over whole axes are tried: drawn ones, and those that training meets now and then.

A batch may have a single sample, samples of one class alone, rows that are all 0, a mask that lets nothing through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import numpy as np

from lossdsl.ir.axes import BATCH, LAST, last_of, ordered
from lossdsl.ir.expr import Call, Expr, Input, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.ranges import Ranges
from lossdsl.oracle.input_kinds import INPUT_KINDS
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.orders import holds
from lossdsl.oracle.points import Point, points
from lossdsl.oracle.samples import is_by_sample

DRAWN = 6
"""How many points are drawn."""


@dataclass(frozen=True)
class PlainPoint:
    """A point, and what is plain about it, as the end of a sentence; empty where it is drawn."""

    point: Point
    why: str = ""


def plain_points(loss: Loss, known: Ranges) -> Iterator[PlainPoint]:
    """Drawn points, then plain ones near the first of these."""
    drawn = list(points(loss, known, DRAWN))
    yield from map(PlainPoint, drawn)
    if not drawn:
        return
    first = drawn[0]
    ways = chain(*(_plain(spec, first) for spec in loss.inputs), _plain_together(loss, first), _marked(loss, first))
    made = (PlainPoint(_moved(first, arrays), why) for why, arrays in ways)
    yield from (plain for plain in made if holds(loss, plain.point.values))
    yield from _met_once(loss, drawn[-1])
    if not is_by_sample(loss):
        yield PlainPoint(_one_sample(loss, first), "in a batch of one sample")


def _plain(spec: InputSpec, point: Point) -> Iterator[tuple[str, Mapping[Expr, Array]]]:
    """One input made plain in each way that it may be."""
    if spec.is_label:
        yield f"where `{spec.name}` is one class alone", {node: _filled(point, node, 0) for node in spec.nodes}
        return
    for value in _plain_values(spec):
        yield f"where `{spec.name}` is {value} everywhere", {node: _filled(point, node, value) for node in spec.nodes}
    if _has_corners(spec):
        yield f"where `{spec.name}` is sure of one element", {node: _corner(point, node) for node in spec.nodes}
    for part in spec.parts if len(spec.parts) > 1 else ():
        for value in set(INPUT_KINDS[part.domain].plain) - set(_plain_values(spec)):
            yield f"where `{part.name}` is {value} everywhere", {part.node: _filled(point, part.node, value)}


def _plain_together(loss: Loss, point: Point) -> Iterator[tuple[str, Mapping[Expr, Array]]]:
    """Several inputs made plain at once."""
    real = [spec for spec in loss.inputs if spec.is_real]
    for value, word in enumerate(("zeros", "ones")):
        some = [spec for spec in real if value in _plain_values(spec)]
        if len(some) > 1:
            yield f"where {_and(some)} are all {word}", {n: _filled(point, n, value) for one in some for n in one.nodes}
    corners = [spec for spec in loss.inputs if _has_corners(spec)]
    yield from _at_corners(loss, point, corners) if corners else ()


def _marked(loss: Loss, point: Point) -> Iterator[tuple[str, Mapping[Expr, Array]]]:
    """An input of real numbers that is everywhere what the loss asks of its elements whether they are it."""
    m = mp_numbers()
    real = {node: spec for spec in loss.inputs if spec.is_real for node in spec.nodes}
    for node in walk(loss.result):
        if not isinstance(node, Call) or node.op.name not in ("eq", "ne"):
            continue
        for one, other in (node.args, node.args[::-1]):
            if one in real and other.is_static and not other.axes:
                value = evaluate([other], point.given(m), m, point.sizes)[other].item()
                if m.isfinite(value) and int(value) == value:
                    yield f"where `{real[one].name}` is {int(value)} everywhere", {one: _filled(point, one, int(value))}


def _at_corners(loss: Loss, point: Point, corners: list[InputSpec]) -> Iterator[tuple[str, Mapping[Expr, Array]]]:
    """Probabilities that are sure of one element, and of each label."""
    nodes = [node for spec in corners for node in spec.nodes]
    if len(corners) > 1:
        yield f"where {_and(corners)} agree on one element", {node: _corner(point, node) for node in nodes}
    for label in (spec for spec in loss.inputs if spec.layout == "label"):
        sure: dict[Expr, Array] = {node: _at_label(point, node, label.nodes[0]) for node in nodes}
        yield f"where {_and(corners)} are sure of `{label.name}`", sure


def _plain_values(spec: InputSpec) -> list[int]:
    """The numbers that all elements of an input may be at once."""
    first, *others = (INPUT_KINDS[domain].plain for domain in spec.domains)
    return [value for value in first if all(value in other for other in others)]


def _has_corners(spec: InputSpec) -> bool:
    return spec.is_real and all(INPUT_KINDS[domain].has_corners for domain in spec.domains) and LAST in spec.over


_SINGLE = {"real", "logits", "logprob", "positive", "nonneg", "prob"}
"""The kinds of which each element is a number by itself."""


def _met_once(loss: Loss, point: Point) -> Iterator[PlainPoint]:
    """A point at which one element of each row is predicted as it is, and the others are not."""
    target, prediction = loss.target, loss.prediction
    if target is None or target.is_label or target.domains != prediction.domains:
        return
    if not _SINGLE.issuperset(target.domains):
        return
    moved: dict[Expr, Array] = {}
    for t, x in zip(target.nodes, prediction.nodes, strict=False):
        if LAST not in x.axes or point.values[t].shape != point.values[x].shape:
            return
        moved[x] = point.values[x].copy()
        moved[x][..., 0] = point.values[t][..., 0]
    if moved and holds(loss, {**point.values, **moved}):
        yield PlainPoint(_moved(point, moved), f"where `{target.name}` and `{prediction.name}` agree in one element")


def _filled(point: Point, node: Expr, value: int) -> Array:
    return np.full(point.values[node].shape, Fraction(value), dtype=object)


def _corner(point: Point, node: Expr) -> Array:
    if last_of(node.axes) is None:  # a part of one element
        return _filled(point, node, 1)
    array = _filled(point, node, 0)
    array[..., 0] = Fraction(1)
    return array


def _at_label(point: Point, node: Expr, label: Expr) -> Array:
    """1 at the element that a label names, and 0 at all others."""
    if last_of(node.axes) is None:
        return _filled(point, node, 1)
    array = _filled(point, node, 0)
    for place, value in np.ndenumerate(point.values[label]):
        if len(place) == array.ndim - 1:
            array[(*place, int(value) % array.shape[-1])] = Fraction(1)  # a part may have fewer elements than classes
    return array


def _one_sample(loss: Loss, point: Point) -> Point:
    values = {node: _first(array, node) for node, array in point.values.items()}
    return Point(values, {**point.sizes, "batch": 1})


def _first(array: Array, node: Expr) -> Array:
    if not isinstance(node, Input) or BATCH not in node.axes:
        return array
    return array.take([0], axis=ordered(node.axes).index(BATCH))


def _moved(point: Point, arrays: Mapping[Expr, Array]) -> Point:
    return Point({**point.values, **arrays}, point.sizes)


def _and(specs: list[InputSpec]) -> str:
    return " and ".join(f"`{spec.name}`" for spec in specs)

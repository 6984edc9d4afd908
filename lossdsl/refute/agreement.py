"""Losses that are not least where target and prediction agree, or that reward an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np

from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.verdict import Number
from lossdsl.oracle.interpreter import Array
from lossdsl.oracle.orders import holds
from lossdsl.oracle.points import Point, defaults, points
from lossdsl.pipeline import Program
from lossdsl.refute.grid_search import GridSearch
from lossdsl.refute.tensor_search import MAX_NODES, agreeing, at, finite_values

COUNT = 12
SETTINGS = 2
"""For how many targets of 0 and 1 predictions are looked at."""
_HALF = Fraction(1, 2)
"""Nearer than this a label that is smoothed may have what costs least."""
_CLEAR = Fraction(1, 1000)
"""What a value must differ by, beside 1 or its size, to be no matter of a small constant."""


@dataclass(frozen=True)
class Reward:
    """Two predictions, the worse of which costs less: where, what it costs, and what the better one costs."""

    at: dict[str, Number]
    cost: Any
    better: Any


def rewarded(search: GridSearch) -> Reward | None:
    """Of a target of 0 or 1, a probability farther from it that costs less than a nearer one."""
    loss = search.loss
    target = loss.target
    if target is None or target.domain != "binary" or loss.prediction.domain != "prob" or len(loss.inputs) != 2:
        return None
    for line, _ in zip(search.lines, range(SETTINGS), strict=False):
        is_one = line.setting[target.nodes[0]] == 1
        found = line.finite() if is_one else line.finite()[::-1]  # the farthest first
        size = 1 + max((abs(y) for _, y in found), default=0)
        far = [(x, y) for x, y in found if abs(x - line.setting[target.nodes[0]]) >= _HALF]
        for (x, worse), (_, better) in pairwise(far):
            if better - worse > search.m.number(_CLEAR) * size:
                return Reward(search.at(line.setting, x), worse, better)
    return None


def most_at_agreement(program: Program) -> Reward | None:
    """A target and a prediction that costs less than agreeing with it; None if any that was tried costs more."""
    found: Reward | None = None
    tried = clear = 0
    for point, there in _pairs(program):
        here, best = finite_values(program.loss, point), finite_values(program.loss, there)
        if here is None or best is None:
            continue
        tried += 1
        if any(mine > agreed for mine, agreed in zip(here, best, strict=True)):
            return None
        if all(differ(mine, agreed) for mine, agreed in zip(here, best, strict=True)):
            clear += 1
            found = found or Reward(at(program.loss, point), here[0], best[0])
    return found if tried > COUNT // 2 and clear > tried // 2 else None


def less_than_at_agreement(program: Program) -> Reward | None:
    """Of two distributions, one at which the loss is less than where they agree."""
    loss = program.loss
    if loss.target is None or not loss.target.domain == loss.prediction.domain == "simplex":
        return None
    for point, there in _pairs(program):
        here, best = finite_values(loss, point), finite_values(loss, there)
        for mine, agreed in zip(here or (), best or (), strict=False):
            if mine < agreed and differ(mine, agreed):
                return Reward(at(loss, point), mine, agreed)
    return None


def _pairs(program: Program) -> Iterator[tuple[Point, Point]]:
    """Points with the defaults of parameters, and the same with the prediction put on the target."""
    loss = program.loss
    target = loss.target
    kinds = loss.prediction.domains
    if target is None or kinds not in (target.domains, (_HOLDS.get(target.domain),)) or not is_judged(loss):
        return
    for point in list(points(loss, program.known, COUNT)):
        here = usual(loss, point)
        there = agreeing(loss, here)
        if there is not None:
            yield here, there


_HOLDS = {"binary": "prob", "onehot": "simplex"}
"""The kind of predictions that a target of another kind is one of."""


def is_judged(loss: Loss) -> bool:
    """Whether a loss is small enough, and each parameter has a default or meets a requirement."""
    required = {node for one in loss.requirements for node in walk(one.condition)}
    return sum(1 for _ in walk(loss.result)) <= MAX_NODES and not any(
        spec.default is None and spec.node not in required for spec in loss.parameters
    )


def usual(loss: Loss, point: Point) -> Point:
    """A point with the parameters at their defaults, where they have one."""
    arrays: dict[Expr, Array] = {}
    for spec in loss.parameters:
        if spec.name not in loss.settled and spec.default is not None:
            arrays[spec.node] = defaults(spec, point.values[spec.node].shape)
    return Point({**point.values, **arrays}, point.sizes)


def differ(one: Any, other: Any) -> bool:
    return bool(abs(one - other) > (1 + abs(other)) / 1000)


# --- without end --------------------------------------------------------------------------------------------------

_FAR = (10**2, 10**4, 10**6)


def falls_without_end(program: Program) -> Reward | None:
    """A prediction along the ray of which the loss falls like a power, as far as it is followed."""
    loss = program.loss
    if not is_judged(loss):
        return None
    for drawn, (way, node) in product(list(points(loss, program.known, COUNT // 2)), _ways(loss)):
        ray = _ray(loss, usual(loss, drawn), way, node)
        held = [finite_values(loss, one) or () for one in ray]
        for near, far, farthest in zip(*held, strict=False):
            if farthest < 5 * far < 25 * near < 0 and farthest < -1000:
                return Reward(at(loss, ray[-1]), farthest, near)
    return None


def _ray(loss: Loss, point: Point, way: int, node: Expr | None) -> list[Point]:
    """Predictions ever farther away; none where one of them may not be."""
    found = [_scaled(loss, point, factor) if node is None else _moved(point, node, way * factor) for factor in _FAR]
    return found if all(holds(loss, one.values) for one in found) else []


def _ways(loss: Loss) -> list[tuple[int, Expr | None]]:
    """The rays that are followed: of a single prediction its own, of several components that of a logarithm.

    Others may be a scale, or a corner of a box: they have a kind that is not said. A term of an exponent is any number.
    """
    if len(loss.prediction.nodes) == 1:
        return [(1, None)] if loss.prediction.is_line else []
    powers = [node.args[0] for node in walk(loss.result) if isinstance(node, Call) and node.op.name == "exp"]
    inside = {term for power in powers for term in _terms(power)}
    free = [part.node for part in loss.prediction.parts if part.domain in ("real", "logits")]
    return [(way, node) for node in loss.prediction.nodes if node in inside and node in free for way in (1, -1)]


def _terms(power: Expr) -> Iterator[Expr]:
    """The terms of an exponent without numbers that multiply them."""
    match power:
        case Call(op, args) if op.signs:
            for arg in args:
                yield from _terms(arg)
        case Call(op, (one, other)) if op.name in ("mul", "div") and (one.is_static or other.is_static):
            yield from _terms(other if one.is_static else one)
        case _:
            yield power


def _moved(point: Point, node: Expr, far: int) -> Point:
    return Point({**point.values, node: np.full_like(point.values[node], Fraction(far))}, point.sizes)


def _scaled(loss: Loss, point: Point, factor: int) -> Point:
    moved: dict[Expr, Array] = {node: factor * point.values[node] for node in loss.prediction.nodes}
    return Point({**point.values, **moved}, point.sizes)

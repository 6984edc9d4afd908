"""Predictions on the wrong side of their target that cost less than those on the right one.

Each law is tried at small tensors and must fail at all of them, so that a loss which is odd in one place is let alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH, LAST, ordered
from lossdsl.ir.expr import Call, Expr, Gather, Position, Rename, walk
from lossdsl.ir.loss import Loss
from lossdsl.oracle.interpreter import Array
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.refute.agreement import Reward, differ, is_judged, usual
from lossdsl.refute.tensor_search import at, finite_values

COUNT = 4
"""At how many points each law is tried."""
STEPS = (Fraction(1, 2), Fraction(2), Fraction(8))
"""How far on either side predictions are."""
FAR = 8

Side = Callable[[Fraction], Array]
"""Predictions so far on the side of their target; on the other side for a number below 0."""


def on_the_wrong_side(program: Program) -> Reward | None:
    """Of logits, margins or embeddings, those that contradict every target and cost less than those that agree."""
    loss = program.loss
    if loss.target is None or not loss.prediction.is_line or not is_judged(loss):
        return None
    if len(loss.inputs) != 2 or len(loss.prediction.nodes) > 1 or _has_stop(loss):
        return None
    is_alike = loss.target.domain == loss.prediction.domain or loss.target.domain == "unit"
    if is_alike and not loss.target.is_label:
        return _opposed(program)
    if loss.target.domain in ("sign", "binary") and not loss.target.is_label:
        return _everywhere(program, _two_classes) or _hump(program, _two_classes)
    if loss.target.is_label and BATCH in loss.target.nodes[0].axes:
        return _mixed_up(program) if _meets_labels_alone(loss) else _hump(program, _classes)
    return None


def _has_stop(loss: Loss) -> bool:
    return any(isinstance(node, Call) and node.op.name == "stop" for node in walk(loss.result))


# --- classes ------------------------------------------------------------------------------------------------------


def _two_classes(loss: Loss, point: Point) -> Side | None:
    """Scores of two classes; None where each element has not a target of its own."""
    (x,), (t,) = loss.prediction.nodes, loss.target.nodes if loss.target else ()
    targets = point.values[t]
    if targets.shape != point.values[x].shape:
        return None
    signs = _chosen(targets == 1, Fraction(1), Fraction(-1))
    return lambda far: signs * far


def _classes(loss: Loss, point: Point) -> Side | None:
    """The logit of the class that a label names; those of the others are 0."""
    (x,), (t,) = loss.prediction.nodes, loss.target.nodes if loss.target else ()
    shape = point.values[x].shape
    if LAST not in x.axes or point.values[t].shape != shape[:-1]:
        return None
    is_named = point.values[t][..., None] == np.arange(shape[-1])
    return lambda far: _chosen(is_named, far, Fraction(0))


def _chosen(condition: Array, one: Fraction, other: Fraction) -> Array:
    found = np.full(condition.shape, other, dtype=object)
    found[condition] = one
    return found


def _opposed(program: Program) -> Reward | None:
    """The opposite of a target that costs less than the target itself, where turning both round changes nothing."""
    loss = program.loss
    (x,), (t, *others) = loss.prediction.nodes, loss.target.nodes if loss.target else ()
    found: Reward | None = None
    for drawn in islice(points(loss, program.known, COUNT), COUNT):
        point = usual(loss, drawn)
        targets = point.values[t]
        if others or targets.shape != point.values[x].shape:
            return None
        turned = Point({**point.values, t: -targets, x: -point.values[x]}, point.sizes)
        if finite_values(loss, turned) != finite_values(loss, point):
            return None
        for size in (Fraction(1), Fraction(3)):
            opposite, costs = _at(loss, point, -size * targets)
            _, agreed = _at(loss, point, size * targets)
            if costs is None or agreed is None:
                return None
            reward = _reward(loss, opposite, costs, agreed)
            if reward is None:
                return None
            found = found or reward
    return found


def _reward(loss: Loss, worse: Point, costs: Sequence[Any], others: Sequence[Any]) -> Reward | None:
    """The worse of two predictions, where it costs less on an average."""
    cost, better = sum(costs) / len(costs), sum(others) / len(others)
    return Reward(at(loss, worse), cost, better) if cost < better and differ(cost, better) else None


def _at(loss: Loss, point: Point, predictions: Array) -> tuple[Point, list[Any] | None]:
    (x,) = loss.prediction.nodes
    moved = Point({**point.values, x: predictions}, point.sizes)
    return moved, finite_values(loss, moved)


def _sides(program: Program, of: Callable[[Loss, Point], Side | None]) -> Iterator[tuple[Point, Side]]:
    for drawn in islice(points(program.loss, program.known, COUNT), COUNT):
        point = usual(program.loss, drawn)
        side = of(program.loss, point)
        if side is not None:
            yield point, side


def _everywhere(program: Program, of: Callable[[Loss, Point], Side | None]) -> Reward | None:
    """Predictions on the wrong side that cost less, and never more, however far they are."""
    found: Reward | None = None
    for point, side in _sides(program, of):
        for far in STEPS:
            wrong, costs = _at(program.loss, point, side(-far))
            _, others = _at(program.loss, point, side(far))
            if costs is None or others is None:
                return None
            pairs = list(zip(costs, others, strict=True))
            if any(cost > better for cost, better in pairs) or _turned(program.loss, wrong) != costs:
                return None  # of a distance the one class wants little, and the other one much
            if found is None and all(differ(cost, better) for cost, better in pairs):
                found = Reward(at(program.loss, wrong), costs[0], others[0])
    return found


def _turned(loss: Loss, point: Point) -> list[Any] | None:
    """The values where both the target and the prediction are those of the other side."""
    assert loss.target is not None
    (x,), (t,) = loss.prediction.nodes, loss.target.nodes
    turned = -point.values[t] if loss.target.domain == "sign" else 1 - point.values[t]
    return finite_values(loss, Point({**point.values, x: -point.values[x], t: turned}, point.sizes))


def _hump(program: Program, of: Callable[[Loss, Point], Side | None]) -> Reward | None:
    """Predictions far on the wrong side that cost less than undecided ones, though those on the right side do, too."""
    if _is_folded(program):
        return None  # of a square, either sign is right
    found: Reward | None = None
    for point, side in _sides(program, of):
        if _at(program.loss, point, side(Fraction(1, 3)))[1] == _at(program.loss, point, side(Fraction(-1, 3)))[1]:
            return None  # nor of a length
        wrong, costs = _at(program.loss, point, side(Fraction(-FAR)))
        _, undecided = _at(program.loss, point, side(Fraction(0)))
        _, right = _at(program.loss, point, side(Fraction(FAR)))
        if costs is None or undecided is None or right is None:
            return None
        for cost, middle, better in zip(costs, undecided, right, strict=True):
            if not (cost < middle and differ(cost, middle) and better < middle and differ(better, middle)):
                return None
        found = found or Reward(at(program.loss, wrong), costs[0], undecided[0])
    return found


def _is_folded(program: Program) -> bool:
    """Whether large scores of either sign come to the same, as those in a polynomial of even degree do."""
    loss, known = program.loss, program.known
    for node in walk(loss.result):
        if not isinstance(node, Call) or not b.depends(node, loss.prediction.nodes):
            continue
        first, *others = node.args
        power = b.exact(others[0]) if node.op.name == "pow" else None
        is_even = (power is not None and power % 2 == 0) or (node.op.name == "mul" and others[0] is first)
        is_even = is_even or (node.op.trait is not None and node.op.trait.direction == 2)
        if is_even and known[first].low < 0 < known[first].high:
            return True
    return False


def contradicting(program: Program) -> Iterator[Point]:
    """Points at which scores contradict every class, far and farther."""
    loss = program.loss
    if loss.target is None or len(loss.prediction.nodes) > 1 or len(loss.target.nodes) > 1:
        return
    is_number = loss.target.domain in ("sign", "binary", "onehot") and not loss.target.is_label
    if is_number or loss.target.is_label:
        for point, side in _sides(program, _two_classes if is_number else _classes):
            for far in (1, FAR):
                yield _at(loss, point, side(Fraction(-far)))[0]


# --- embeddings ---------------------------------------------------------------------------------------------------


def _meets_labels_alone(loss: Loss) -> bool:
    """Whether labels meet those of other samples, and neither classes nor numbers: x is an embedding."""
    assert loss.target is not None
    labels = loss.target.nodes
    meets = False
    for node in walk(loss.result):
        if isinstance(node, Gather) and b.depends(node.index, labels):
            return False
        if isinstance(node, Call) and any(arg in labels for arg in node.args):
            if any(isinstance(arg, Position) for arg in node.args):
                return False
            meets = meets or any(isinstance(arg, Rename | Gather) and arg.arg in labels for arg in node.args)
    return meets


def _mixed_up(program: Program) -> Reward | None:
    """Samples of two classes far apart, though neighbours, that cost less than those that lie with their like."""
    loss = program.loss
    (x,), (t,) = loss.prediction.nodes, loss.target.nodes if loss.target else ()
    drawn = next(iter(points(loss, program.known, 1)), None)
    if drawn is None or LAST not in x.axes:
        return None
    point = usual(loss, drawn)
    sizes = {**point.sizes, "batch": 4}
    shapes = {node: tuple(sizes[axis.domain] for axis in ordered(node.axes)) for node in (x, t)}
    labels = np.empty(shapes[t], dtype=object)
    for place in np.ndindex(shapes[t]):
        labels[place] = Fraction(place[0] // 2)
    found: Reward | None = None
    for size in (Fraction(1), Fraction(3)):
        costs = []
        for groups in ((0, 1, 0, 1), (0, 0, 1, 1)):
            values: dict[Expr, Array] = {**point.values, t: labels, x: _groups(shapes[x], groups, size)}
            costs.append((Point(values, sizes), finite_values(loss, Point(values, sizes))))
        (mixed, mixed_costs), (_, apart) = costs
        if not mixed_costs or not apart:
            return None
        reward = _reward(loss, mixed, mixed_costs, apart)
        if reward is None:
            return None
        found = found or reward
    return found


def _groups(shape: tuple[int, ...], groups: tuple[int, ...], size: Fraction) -> Array:
    """Embeddings of four samples, each near the corner of its group."""
    found = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        sample, element = place[0], place[-1]
        near = Fraction((7 * sample + 5 * element) % 11, 50)
        found[place] = size * (Fraction(int(element == groups[sample])) + near)
    return found

"""Whether a gradient that someone wrote by hand is that of a loss: proved by sympy, or tried at 50 digits and more.

What it is compared with is the derivative of the loss before its average over the last axis. Where the two differ, a
difference quotient of the loss has the last word, and at a kink nobody is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.axes import ordered
from lossdsl.ir.expr import Call, Const, Expr, Input, Length, Reduce, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.mixing import is_elementwise
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import format_point, formula
from lossdsl.oracle.breakpoints import both_sides
from lossdsl.oracle.gradient_check import Trial
from lossdsl.oracle.interpreter import met
from lossdsl.oracle.points import Point, points
from lossdsl.oracle.proof import Derivative

POINTS = 12
"""How many points are tried, besides those on both sides of each join."""
_AGREE = "1e-15"
_EXACT = "1e-30"


@dataclass(frozen=True)
class Comparison:
    """What came of it: `how` is "proved", "tested", "wrong" or "open"; `points` counts the places tried.

    Of a wrong one: where, as in an `example` line, what is given there and what is right; the constant factor by which
    all of it differs, and the condition under which it does, if there is one; whether it is right elsewhere.
    """

    how: str
    points: int = 0
    where: str = ""
    given: str = ""
    right: str = ""
    factor: Fraction | None = None
    is_average: bool = False
    condition: str = ""
    is_partly_right: bool = False


@dataclass
class _Seen:
    """The elements at which two gradients were compared."""

    agree: list[tuple[Any, dict[Expr, bool]]] = field(default_factory=list)
    differ: list[tuple[Any, Any, str, dict[Expr, bool]]] = field(default_factory=list)


def compared(loss: Loss, node: Input, ours: Expr, given: Expr, known: Ranges, names: Mapping[Expr, str]) -> Comparison:
    """Whether `given` is `ours`, the derivative of the loss in one input; `names` are what conditions call parts."""
    plain = replace(loss, result=loss.value)
    seen = _Seen()
    every = (Trial(plain, point) for point in _points(plain, given, known))
    trials = [trial for trial in every if trial.is_usable]
    conditions = _conditions((loss.value, given))
    for trial in trials:
        _look(plain, node, given, ours, trial, conditions, seen)
    count = len(trials)
    if not seen.agree and not seen.differ:
        return Comparison("open")
    if not seen.differ:
        if Derivative(plain, known).is_given_by(InputSpec((node,)), (given,)):
            return Comparison("proved", count)
        return Comparison("tested", count)
    theirs, right, where, _ = seen.differ[0]
    m = trials[0].m
    pairs = [(one, other) for one, other, _, _ in seen.differ]
    factor = _factor(pairs, m)
    last = trials[0].point.sizes["last"]
    return Comparison(
        "wrong",
        count,
        where,
        m.nstr(theirs, 10),
        m.nstr(right, 10),
        factor,
        factor == Fraction(1, last) and any(isinstance(part, Length | Reduce) for part in walk(given)),
        _condition(seen, names),
        any(value != 0 for value, _ in seen.agree),
    )


def _conditions(roots: Sequence[Expr]) -> list[Expr]:
    """The comparisons below the roots, those that `abs`, `max` and `min` make included."""
    found: dict[Expr, None] = {}
    for node in walk(*roots):
        if isinstance(node, Call) and node.op.is_order:
            found[node] = None
        elif isinstance(node, Call) and node.op.name in ("max", "min"):
            one, other = reversed(node.args) if isinstance(node.args[0], Const) else node.args
            found[b.call("gt", one, other)] = None
        elif isinstance(node, Call) and node.op.name == "abs":
            found[b.call("gt", node.args[0], b.ZERO)] = None
    return [node for node in found if not node.is_static]


def _points(loss: Loss, given: Expr, known: Ranges) -> Iterator[Point]:
    first = list(islice(points(loss, known, 4 * POINTS), POINTS))
    yield from first
    yield from both_sides(loss, (loss.value, given), first)


def _look(
    loss: Loss, node: Input, given: Expr, ours: Expr, trial: Trial, conditions: Sequence[Expr], seen: _Seen
) -> None:
    """Compares every element of one point."""
    m = trial.m
    shape = trial.given[node].shape
    theirs, right = (trial.spread(one, node) for one in (given, ours))
    held = {one: trial.of(one) for one in conditions}
    for place in np.ndindex(shape):
        one, other = theirs[place], right[place]
        if not m.isfinite(other):
            continue
        outcome = {
            condition: bool(np.broadcast_to(met(values, condition.axes, node.axes), shape)[place])
            for condition, values in held.items()
            if condition.axes <= node.axes
        }
        if m.isfinite(one) and abs(one - other) <= m.mpf(_AGREE) * (abs(other) + m.mpf("1e-10")):
            seen.agree.append((one, outcome))
            continue
        move = np.full(shape, m.mpf(0), dtype=object)
        move[place] = m.mpf(1)
        slope = trial.quotient({node: move})
        if slope is None or abs(slope - other) > m.mpf("1e-9") * (1 + abs(other)):
            continue  # a kink, or a place at which nothing is sure
        seen.differ.append((one, other, shown(loss, trial.point, place), outcome))


def shown(loss: Loss, point: Point, place: tuple[int, ...]) -> str:
    """A point as in an `example` line; of an elementwise loss the one element."""
    parts = []
    for node, array in point.values.items():
        values = array
        if isinstance(node, Input) and is_elementwise(loss.value) and array.shape and len(array.shape) == len(place):
            values = array[place].reshape(1) if isinstance(array[place], np.ndarray) else np.array([array[place]])
        elif isinstance(node, Input):
            dims = ordered(node.axes)
            values = np.squeeze(array, axis=tuple(at for at, axis in enumerate(dims) if axis.name == "space"))
        parts.append((getattr(node, "name", str(node)), values.tolist()))
    return format_point(parts, lambda value: f"{float(value):.10g}")


def _factor(pairs: Sequence[tuple[Any, Any]], m: Any) -> Fraction | None:
    """The one simple number by which all that differs is too large; None if there is none."""
    ratios = [one / other for one, other in pairs if other != 0 and m.isfinite(one)]
    if len(ratios) < len(pairs) or len(ratios) < 2:
        return None
    first = ratios[0]
    if any(abs(ratio - first) > m.mpf(_EXACT) * abs(first) for ratio in ratios) or not 1e-9 < abs(first) < 1e9:
        return None
    simple = Fraction(str(m.nstr(first, 40))).limit_denominator(1000)
    close = abs(m.mpf(simple.numerator) / simple.denominator - first) <= m.mpf(_EXACT) * abs(first)
    return simple if close and simple != 0 else None


def _condition(seen: _Seen, names: Mapping[Expr, str]) -> str:
    """The outcome of one comparison that tells all elements that differ from all that agree; "" if none does."""
    if not seen.agree:
        return ""
    telling = []
    for condition in seen.differ[0][3]:
        bad = {outcome.get(condition) for _, _, _, outcome in seen.differ}
        good = {outcome.get(condition) for _, outcome in seen.agree}
        if len(bad) == len(good) == 1 and bad != good and isinstance(condition, Call):
            word = condition.op.name if True in bad else condition.op.opposite
            telling.append(formula(b.call(word, *condition.args), names))
    return min(telling, key=len, default="")

"""Parameters that change while a model is trained: what a user writes for one, and the range in which it stays.

Keras is not imported here: what holds such values in a model is `runtime.keras_values`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossParameterError, format_value
from lossdsl.ir import build as b
from lossdsl.ir.bounds import REALS, Bounds
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.loss import ParameterSpec
from lossdsl.ir.ranges import Ranges, conjuncts
from lossdsl.pipeline import Program


@dataclass(frozen=True)
class Learned:
    """A value that the optimizer of the model changes; made by `learned`."""

    initial: Any = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ByEpoch:
    """A schedule that counts epochs; made by `by_epoch`."""

    schedule: Any


def learned(initial: Any = None, *, low: float | None = None, high: float | None = None) -> Learned:
    """A value for a parameter of `lossdsl.compile` that is learned with the model.

    Args:
        initial: what it begins with: a number, or as many as the vector or matrix has; by default that of the loss.
        low: what it stays above, in addition to what the loss requires.
        high: what it stays below.

    The loss has a layer, `loss.layer`, which belongs into the model: it passes its input on, and holds the variables.
    The value is a smooth function of its variable (a softplus, a sigmoid), whose range is what `require` and the bounds
    leave: it comes near to an end, and never takes it.

    Raises:
        LossError: by `compile`, where the bounds leave nothing, or the parameter is none that may change in training.

    >>> import lossdsl
    >>> lossdsl.learned(1.0, high=2.0)
    Learned(initial=1.0, low=None, high=2.0)
    """
    return Learned(initial, low, high)


def by_epoch(schedule: Any) -> ByEpoch:
    """A value for a parameter of `lossdsl.compile`: a schedule that is called with the number of the epoch, from 0.

    Args:
        schedule: a `keras.optimizers.schedules.LearningRateSchedule`. Given as it is, without `by_epoch`, it is called
            with the number of the training step.

    Raises:
        LossError: by `compile`, where it is no schedule, or the parameter is none that may change in training.

    >>> import keras, lossdsl
    >>> warm_up = keras.optimizers.schedules.PolynomialDecay(0.0, decay_steps=10, end_learning_rate=1.0)
    >>> lossdsl.compile("(t - x)^2 + beta*abs(x)", beta=lossdsl.by_epoch(warm_up)).now
    {'beta': 0.0}
    """
    return ByEpoch(schedule)


@dataclass(frozen=True)
class SmoothMap:
    """All real numbers, monotonically, into those between two ends; None is no end."""

    low: float | None = None
    high: float | None = None

    def inverse(self, value: Any) -> NDArray[np.float64]:
        """What is mapped to values inside of the range."""
        array = np.asarray(value, dtype=np.float64)
        if self.low is not None and self.high is not None:
            return np.asarray(np.log(array - self.low) - np.log(self.high - array))
        if self.low is None and self.high is None:
            return array
        distance = array - self.low if self.low is not None else self.high - array  # type: ignore[operator]
        return np.asarray(distance + np.log(-np.expm1(-distance)))  # of the softplus

    def inner_ends(self, dtype: str) -> tuple[float | None, float | None]:
        """The least and the largest number of a dtype in the range, beyond which rounding would take the map."""
        kind = np.float64 if dtype == "float64" else np.float32
        tiny = float(np.finfo(kind).tiny)
        ends: list[float | None] = []
        for end, towards in ((self.low, math.inf), (self.high, -math.inf)):
            if end is None:
                ends.append(None)
            elif end == 0:
                ends.append(math.copysign(tiny, towards))
            else:
                ends.append(float(np.nextafter(kind(end), kind(towards))))
        return ends[0], ends[1]


def smooth_map(program: Program, spec: ParameterSpec, value: Learned, numbers: Mapping[str, float]) -> SmoothMap:
    """The map that keeps a parameter where the loss requires it, given the parameters that are plain numbers.

    Raises LossParameterError where no interval has only numbers that fulfil what is required.
    """
    loss, node = program.loss, spec.node
    put: dict[Expr, Expr] = {one.node: b.const(numbers[one.name]) for one in loss.parameters if one.name in numbers}
    conditions = [b.substitute(one.condition, put) for one in loss.requirements]
    given = Bounds(-math.inf if value.low is None else value.low, math.inf if value.high is None else value.high)
    range_ = program.known.facts.get(node, REALS).meet(given)
    for condition in conditions:
        for part in conjuncts(condition):
            range_ = range_.meet(_range_of(part, node))
    inside = Bounds(range_.low, range_.high, True, True)
    if not inside.low < inside.high:
        message = f"{loss.name} leaves no room in which `{spec.name}` could be learned"
        raise LossParameterError(message, spec.span, "give it as a number", (spec.name,))
    known = Ranges({**program.known.facts, node: inside}, program.known.units)
    for requirement, condition in zip(loss.requirements, conditions, strict=True):
        if node in walk(condition) and not all(_holds(part, known) for part in conjuncts(condition)):
            text = requirement.text
            message = f"{loss.name} requires `{text}`, which `{spec.name}` may leave while it is learned"
            hint = f"give bounds between which it holds: `{spec.name}=lossdsl.learned(…, low=…, high=…)`"
            raise LossParameterError(message, requirement.span, hint, (spec.name,))
    return SmoothMap(_end(inside.low), _end(inside.high))


def check_inside(loss: str, spec: ParameterSpec, initial: Any, within: SmoothMap) -> None:
    """Raises LossParameterError for an initial value that lies on an end of the range, or beyond."""
    array = np.asarray(initial, dtype=np.float64)
    low = -math.inf if within.low is None else within.low
    high = math.inf if within.high is None else within.high
    if not ((low < array) & (array < high)).all():
        message = f"{loss}: `{spec.name}` is learned between {low:g} and {high:g}, and cannot begin with"
        hint = "give an initial value between these, as in `lossdsl.learned(…)`"
        raise LossParameterError(f"{message} {format_value(initial)}", spec.span, hint, (spec.name,))


def _end(end: Any) -> float | None:
    return float(end) if math.isfinite(end) else None


def _range_of(condition: Expr, node: Expr) -> Bounds:
    """What a comparison of a parameter with a number leaves of it."""
    if not isinstance(condition, Call) or not condition.op.turned or condition.op.name == "ne":
        return REALS
    (left, right), name = condition.args, condition.op.name
    if right is node:
        left, right, name = right, left, condition.op.turned
    end = b.exact(right)
    if left is not node or end is None:
        return REALS
    if name == "eq":
        return Bounds(end, end)
    return Bounds(high=end) if name in ("lt", "le") else Bounds(low=end)


def _holds(condition: Expr, known: Ranges) -> bool:
    """Whether a condition is proved by the ranges of its sides."""
    if not isinstance(condition, Call) or len(condition.args) != 2:
        return False
    name = condition.op.name
    if name in ("and", "or"):
        return (all if name == "and" else any)(_holds(part, known) for part in conjuncts(condition, name))
    left, right = (known[arg] for arg in condition.args)
    if name in ("gt", "ge"):
        left, right, name = right, left, condition.op.turned
    match name:
        case "lt":
            return left.high < right.low or (left.high == right.low and (left.high_open or right.low_open))
        case "le":
            return left.high <= right.low
        case "ne":
            return left.meet(right).is_empty
    return False

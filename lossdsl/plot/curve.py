"""Losses and their slopes as curves, and the places where the pieces of a loss meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS
from lossdsl.oracle.breakpoints import borders
from lossdsl.plot.view import REMEDY, Array, View
from lossdsl.runtime.execute import functions
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.targets import code
from lossdsl.transform.lower import lowered

POINTS, FEW = 801, 101


@dataclass(frozen=True, eq=False)
class Curve:
    """A loss and its slope at the places `at`, each a batch of one sample.

    A nan in all three arrays separates pieces that do not join smoothly; `joins` are the places where pieces meet.
    `shifted` is true where `at` is x - t, false where it is x. `along` names the horizontal axis, `told` the target.
    """

    at: Array
    value: Array
    slope: Array
    joins: Array
    shifted: bool
    target: float | None
    along: str
    told: str


def curve(loss: LoadedLoss, target: float | None = None, over: tuple[float, float] | None = None) -> Curve:
    """One loss along a range, of x - t where only the difference counts, else of the prediction for one target.

    Args:
        loss: what `lossdsl.load` gives.
        target: the value of t, or the label 0 or 1; by default what the kind of t suggests. It has no influence on a
            curve over x - t.
        over: the range of x - t or x; by default what the kind of x suggests, else -3 to 3.

    Raises:
        LossTypeError: the loss is no function of two numbers, or the same everywhere. Also for a range that is none.

    >>> import lossdsl.plot
    >>> found = lossdsl.plot.curve(lossdsl.load("huber", delta=1.0), over=(-2.0, 2.0))
    >>> found.value.shape == found.slope.shape == found.at.shape, found.shifted
    (True, True)
    """
    return curves(View(loss), [target], over)[0]


def curves(view: View, targets: Sequence[float | None], over: tuple[float, float] | None) -> list[Curve]:
    """A curve for each target; the same as `curve`, of a view that has been made."""
    low, high = over if over is not None else view.range
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise LossTypeError(f"a picture goes from a number to a larger one, not from {low!r} to {high!r}")
    for target in targets:
        view.check_target(target)
    if view.compares and all(_is_flat(view, target, low, high) for target in targets):
        shown = "two classes" if view.is_of_classes else "one element"
        message = f"{view.loss.name} is no curve: it compares {view.compares}, and does not change with {shown} alone"
        raise LossTypeError(message, None, REMEDY)
    return [_curve(view, target, low, high) for target in targets]


def _is_flat(view: View, target: float | None, low: float, high: float) -> bool:
    chosen = view.targets[0] if target is None else target
    slope = view.sampled(np.linspace(low, high, FEW), chosen)[1]
    return not np.nan_to_num(slope).any()


def _curve(view: View, target: float | None, low: float, high: float) -> Curve:
    shifted = target is None and view.is_shift_invariant
    if target is None and view.has_target:
        target = 0.0 if shifted else view.targets[0]
    grid = np.linspace(low, high, FEW if view.is_coupled else POINTS)  # a batch each takes its time
    pieces = _Pieces(view)
    brackets = pieces.brackets(grid, target)
    at = np.unique(np.concatenate([grid, *brackets])) if brackets else grid
    value, slope = view.sampled(at, target)
    if not np.isfinite(value).any():
        message = f"{view.loss.name} has no finite value from {low:g} to {high:g}"
        raise LossTypeError(message, None, "choose another range")
    sizes = (_bulk(value), _bulk(slope), _bulk(slope) / (high - low))
    joins = [pair for pair in brackets if pieces.is_join(pair, target, (high - low) / 1000, sizes)]
    cuts = np.searchsorted(at, [pair[1] for pair in joins])
    at, value, slope = (np.insert(array, cuts, np.nan) for array in (at, value, slope))
    told = view.told(target) if target is not None and not shifted else ""
    places = np.array([pair[1] for pair in joins])
    return Curve(at, value, slope, places, shifted, target, view.along(shifted=shifted), told)


class _Pieces:
    """Where the pieces of a loss meet, found from the conditions in its formula by bisection."""

    def __init__(self, view: View) -> None:
        self.view = view

    def brackets(self, grid: Array, target: float | None) -> list[tuple[float, float]]:
        """The places where a choice of the formula changes, each as two neighbouring numbers, in order."""
        found: set[tuple[float, float]] = set()
        for condition in self._choices:
            held = self._held(condition, grid, target)
            for place in np.flatnonzero((held[1:] != held[:-1]).any(axis=1)):
                found.add(self._bisected(condition, grid[place], grid[place + 1], held[place], target))
        return sorted(found)

    def _bisected(
        self, condition: Callable[..., Any], low: float, high: float, before: NDArray[np.bool_], target: float | None
    ) -> tuple[float, float]:
        while True:
            middle = 0.5 * (low + high)
            if not low < middle < high or high - low < 1e-14 * max(1.0, abs(low)):
                return float(low), float(high)
            if (self._held(condition, np.array([middle]), target)[0] == before).all():
                low = middle
            else:
                high = middle

    def _held(self, condition: Callable[..., Any], x: Array, target: float | None) -> NDArray[np.bool_]:
        """Where a condition holds, a row for each number and a column for each element."""
        last = 2 if self.view.is_of_classes else 1
        arguments = self.view.loss.arguments(last)
        (held,) = self.view.each(lambda *inputs: (condition(*inputs, *arguments),), x, target)
        wide = held.reshape(len(held), -1) if len(held.shape) and len(held) == len(x) else held.reshape(1, -1)
        return np.asarray(np.broadcast_to(wide != 0, (len(x), wide.shape[1])))

    @cached_property
    def _choices(self) -> list[Callable[..., Any]]:
        """The conditions of all choices, as functions of the inputs."""
        checked = self.view.checked
        conditions = {_condition(node): None for node in walk(checked.result)}
        wanted = [expr for expr in conditions if expr is not None and not expr.is_static and _is_at_hand(expr)]
        made = [
            code.value_function(checked, expr, "numpy", f"choice_{number}")
            for number, expr in enumerate(lowered(map(b.number, wanted)))
        ]
        label = f"{checked.name} choices"
        found = functions(code.module(made, "numpy"), label) if made else {}
        return [_quiet(found[f"choice_{number}"]) for number in range(len(made))]

    def is_join(
        self, pair: tuple[float, float], target: float | None, step: float, sizes: tuple[float, float, float]
    ) -> bool:
        """Whether value, slope or curvature visibly differ on the two sides; the choice in abs(e)^2 at 0 is no join.

        `sizes` are what value, slope and curvature amount to in the picture.
        """
        low, high = pair
        value, slope = self.view.sampled(np.array([low - step, low, high, high + step]), target)
        with np.errstate(all="ignore"):
            bends = (slope[1] - slope[0]) / step, (slope[3] - slope[2]) / step
            sides = ((value[1], value[2]), (slope[1], slope[2]), bends)
            return any(
                abs(one - other) > max(0.05 * max(abs(one), abs(other)), 0.01 * size)
                for (one, other), size in zip(sides, sizes, strict=True)
            )


def _bulk(heights: Array) -> float:
    """How far the bulk of some numbers reaches, poles left aside."""
    heights = heights[np.isfinite(heights)]
    return float(np.ptp(np.percentile(heights, [2, 98]))) if heights.size else 0.0


def _condition(node: Expr) -> Expr | None:
    """What a node chooses by."""
    if not isinstance(node, Call):
        return None
    if node.op is OPS["where"]:
        return node.args[0]
    if node.op.gives is Kind.BOOL:
        return None
    border = next(iter(borders(node)), None)
    return None if border is None else b.call("ge", border, b.ZERO)


def _is_at_hand(expr: Expr) -> bool:
    """Whether an expression has one value for each element, and none for pairs of them."""
    return bool(expr.axes) and not any(axis.is_index for axis in expr.axes)


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return call

"""A loss of raw scores on numpy arrays: gradient and curvature a row, the best constant, what scores mean."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lossdsl.boosting.curvature import Centre, Curvature, Score
from lossdsl.errors import LossShapeError, LossTypeError
from lossdsl.ir.axes import BATCH, LAST
from lossdsl.ir.mixing import mixes_elements, mixes_samples
from lossdsl.runtime.shapes import show
from lossdsl.runtime.spec import LoadedLoss

Array = NDArray[np.float64]
LEAST = 1e-16
"""The least curvature: libraries divide by sums of them."""
_TRIED = 8
"""At how many rows a slope is looked at."""
_FAR = 64.0
"""How far from 0 a best constant is looked for, where targets and scores are of different kinds."""


class RowLoss:
    """A loss of target and raw scores, one value a row; scores `(n,)` or `(n, k)`."""

    def __init__(self, spec: LoadedLoss, curvature: str) -> None:
        loss = spec.program.loss
        self.spec = spec
        if loss.target is None or len(loss.inputs) > 2:
            names = ", ".join(one.name for one in loss.inputs)
            hint = "boosting libraries hand over target and prediction and nothing else"
            raise LossTypeError(f"{spec.name} has the inputs {names}, not a target and a prediction", None, hint)
        if loss.places:
            raise LossTypeError(f"{spec.name} names its places, so it cannot be boosted", None, "a row has none")
        meet = BATCH in spec.numpy.hessian(loss.prediction).mixed
        if BATCH not in loss.result.axes or meet or mixes_samples(loss.result):
            hint = "a tree is grown from the gradient of each row by itself"
            raise LossTypeError(
                f"{spec.name} takes the samples of a batch together, so it cannot be boosted", None, hint
            )
        numbers = {name: value for name, value in spec.parameters.items() if isinstance(value, float)}
        self.score = Score.of(spec.program, numbers)
        self.chosen = curvature
        self.curvature: Curvature = self.score.curvature(curvature)

    # --- arrays

    def aligned(self, target: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
        """Targets and scores in float64, with an axis for the components of the scores."""
        loss = self.spec.program.loss
        t, x = np.asarray(target), np.asarray(scores, dtype=np.float64)
        t = t if loss.target is not None and loss.target.is_label else t.astype(np.float64)
        if x.ndim == 2 and x.shape[1] == 1:
            x = x[:, 0]
        if t.ndim == 2 and t.shape[1] == 1:
            t = t[:, 0]
        if t.ndim not in (1, 2) or x.ndim not in (1, 2) or len(t) != len(x):
            message = f"{self.spec.name}: the targets have shape {show(t.shape)}, the scores {show(x.shape)}"
            raise LossShapeError(message, None, "one row of scores a target: (n,) or (n, k)")
        has_last = LAST in loss.prediction.over
        wants = loss.target is not None and LAST in loss.target.over
        return t[:, None] if wants and t.ndim == 1 else t, x[:, None] if has_last and x.ndim == 1 else x

    def values(self, target: Array, scores: Array) -> Array:
        """One value a row: the sum over the outputs, where each has a loss of its own."""
        return np.asarray(self.spec.numpy(target, scores), dtype=np.float64) * self._outputs(scores)

    def gradient(self, target: Array, scores: Array) -> Array:
        """The derivative of each row's value in its scores."""
        return np.asarray(self.spec.numpy.grad(target, scores), dtype=np.float64) * self._outputs(scores)

    def derivatives(self, target: ArrayLike, scores: ArrayLike, weight: ArrayLike | None) -> tuple[Array, Array]:
        """Gradient and curvature in the shape of the scores, each times the weight of its row."""
        t, x = self.aligned(target, scores)
        slope = self.gradient(t, x)
        if x.shape[1:] == (1,) and not slope.any() and self._is_flat:
            message = f"{self.spec.name} compares the scores of a row, and a row has one: its slope is 0 everywhere"
            hint = "libraries give each row by itself, of a list too: take a loss of single scores, or several a row"
            raise LossTypeError(message, None, hint)
        bend = np.maximum(self._bend(t, x, slope), LEAST)
        if weight is not None:
            each = np.asarray(weight, dtype=np.float64).reshape(-1, *[1] * (slope.ndim - 1))
            slope, bend = slope * each, bend * each
        return slope.reshape(np.shape(scores)), bend.reshape(np.shape(scores))

    @cached_property
    def _is_flat(self) -> bool:
        """Whether the slope is 0 wherever a row has one score, as that of a softmax over it is."""
        loss, draw = self.spec.program.loss, np.random.default_rng(0)
        if loss.target is None or not mixes_elements(loss.value):
            return False
        t = np.zeros(_TRIED, dtype=np.int64) if loss.target.is_label else draw.uniform(0.0, 1.0, _TRIED)
        return not self.gradient(*self.aligned(t, draw.normal(size=_TRIED))).any()

    def _bend(self, target: Array, scores: Array, slope: Array) -> Array:
        kind, majorizer = self.curvature.kind, self.curvature.majorizer
        if kind == "one":
            return np.ones_like(scores)
        if majorizer is None:
            return self._second(target, scores)
        if majorizer.centre is None:
            return np.full_like(scores, majorizer.constant)
        if majorizer.centre is Centre.TARGET:
            away, rise = scores - target, slope
            near = away == 0
        else:
            away = scores
            rise = slope - self.gradient(target, np.zeros_like(scores))
            near = np.abs(away) < 1e-4  # where the difference has few digits, and is the second derivative to 8 of them
        found = rise / np.where(near, 1.0, away)
        return np.where(near, self._second(target, scores), found) if near.any() else found

    def _second(self, target: Array, scores: Array) -> Array:
        """The second derivative; of outputs that meet, the sum of the absolute values in its row, which dominates."""
        twin, loss = self.spec.numpy, self.spec.program.loss
        hessian = twin.hessian(loss.prediction)
        if not hessian.mixed:
            return np.asarray(twin.hess(target, scores), dtype=np.float64) * self._outputs(scores)
        arguments = [target, scores, *self.spec.arguments(loss.prediction.block(scores.shape[-1]))]
        return hessian.row_sums(arguments, scores)

    def _outputs(self, scores: Array) -> int:
        """How many outputs have a loss of their own, over which the loss takes the mean."""
        loss = self.spec.program.loss
        return scores.shape[-1] if LAST in loss.value.axes and loss.value is not loss.result else 1

    # --- what scores mean

    @cached_property
    def link(self) -> str:
        """How raw scores become predictions: "identity", "softmax", "mean" (of targets), or "" where none is proved."""
        if self.score.is_of_error:
            return "identity"
        if self.score.softmax is not None:
            return "softmax"
        return "mean" if self.score.is_affine_in_target else ""

    def transform(self, scores: ArrayLike) -> Array:
        """What the scores predict of targets: their mean, probabilities, or, for a loss of the error, the scores."""
        x = np.asarray(scores, dtype=np.float64)
        if self.link == "identity":
            return x
        if self.link == "softmax":
            powers = np.exp(x - x.max(axis=-1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
        if not self.link:
            reason = "its slope is neither that of an error, nor affine in the target, nor that of a softmax"
            hint = f"{reason}: take what the formula makes of a score, as `1/(1 + exp(-scores))`"
            raise LossTypeError(f"{self.spec.name}: what a score predicts of the target is not known", None, hint)
        rows = x.reshape(-1, 1)
        with np.errstate(all="ignore"):  # the target for which the slope is 0
            at_zero = self.gradient(np.zeros_like(rows), rows)
            at_one = self.gradient(np.ones_like(rows), rows)
            found = at_zero / (at_zero - at_one)
        return found.reshape(x.shape)

    def base_score(self, target: ArrayLike, weight: ArrayLike | None, outputs: int) -> Any:
        """The constant score of least weighted loss: a number, or one for each of several outputs."""
        from scipy import optimize

        t = np.asarray(target)
        if not t.size:
            message = f"{self.spec.name}: there is no target that a constant could fit"
            raise LossShapeError(message, None, "give some rows")
        if not np.isfinite(t.astype(np.float64)).all():
            message = f"{self.spec.name}: a target is nan or infinite, so that no constant is best"
            raise LossTypeError(message, None, "leave such rows out")
        w = np.ones(len(t)) if weight is None else np.asarray(weight, dtype=np.float64)
        if w.shape != (len(t),):
            message = f"{self.spec.name}: there are {w.size} weights for {len(t)} rows"
            raise LossShapeError(message, None, "one weight a row")

        def of(constant: Array) -> tuple[float, Array]:
            aligned, x = self.aligned(t, np.broadcast_to(constant, (len(t), outputs)))
            x = np.ascontiguousarray(x)
            slope = (self.gradient(aligned, x).reshape(len(t), -1) * w[:, None]).sum(axis=0)
            return float((self.values(aligned, x) * w).sum() / w.sum()), slope / w.sum()

        if outputs > 1:
            found = optimize.minimize(
                of, np.zeros(outputs), jac=True, method="L-BFGS-B", bounds=[(-_FAR, _FAR)] * outputs
            )
            return np.asarray(found.x)
        if self.score.is_of_error:  # perhaps with several valleys: each quantile of the targets is tried
            grid = np.unique(np.quantile(t.astype(float), np.linspace(0, 1, 65)))
        else:
            grid = np.array([sign * 2.0**power for sign in (-1, 1) for power in range(-6, 7)] + [0.0])
            grid.sort()
        with np.errstate(all="ignore"):
            heights = np.nan_to_num([of(np.array([each]))[0] for each in grid], nan=np.inf)
        best = int(np.argmin(heights))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        if low == high:
            return float(low)
        return float(_least(lambda each: of(np.array([each])), low, high, grid[best]))


def _least(of: Any, low: float, high: float, best: float) -> float:
    """The minimum between two numbers: where the slope changes its sign, if it does, else by golden section."""
    from scipy import optimize

    if of(low)[1][0] < 0 < of(high)[1][0]:
        return float(optimize.brentq(lambda each: of(each)[1][0], low, high, xtol=1e-12))
    found = optimize.minimize_scalar(lambda each: of(each)[0], bounds=(low, high), method="bounded")
    return float(found.x) if found.fun < of(best)[0] else best

"""The objects that XGBoost, LightGBM and CatBoost call: objectives and metrics in the forms that each of them knows.

None of the libraries is imported: they are told apart by what they hand over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lossdsl.boosting.objective import RowLoss
from lossdsl.errors import LossShapeError
from lossdsl.runtime.spec import LoadedLoss

Array = NDArray[Any]


class Objective:
    """A loss as a boosting library's objective.

    `curvature` is what its second derivatives are ("newton", "majorizer" or "one") and `why` says for what reason;
    `metric` is the same loss as the library's metric. Copied and pickled as its text and parameters.
    """

    def __init__(self, spec: LoadedLoss, curvature: str) -> None:
        self.spec = spec
        self._rows = RowLoss(spec, curvature)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.spec, self._rows.chosen)

    def __repr__(self) -> str:
        return f"<lossdsl.boosting {self.spec!r}, curvature={self.curvature!r}>"

    @property
    def __name__(self) -> str:
        """What a library calls the objective."""
        return self.spec.name

    @property
    def curvature(self) -> str:
        """What was taken: "newton", "majorizer" or "one"."""
        return self._rows.curvature.kind

    @property
    def why(self) -> str:
        """Why that curvature."""
        return self._rows.curvature.why

    def base_score(self, y: ArrayLike, weight: ArrayLike | None = None, outputs: int = 1) -> Any:
        """The constant raw score of least weighted loss: a number, or an array `(outputs,)`."""
        return self._rows.base_score(y, weight, outputs)

    def transform(self, scores: ArrayLike) -> Array:
        """What raw scores predict: probabilities, means, or the scores themselves. Raises LossTypeError if unknown."""
        return self._rows.transform(scores)


class Metric:
    """The weighted mean of a loss as a metric of a boosting library; smaller is better."""

    def __init__(self, spec: LoadedLoss) -> None:
        self.spec = spec
        self._rows = RowLoss(spec, "one")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.spec,)

    @property
    def __name__(self) -> str:
        """What a library shows the metric as."""
        return self.spec.name

    def value(self, y: ArrayLike, scores: ArrayLike, weight: ArrayLike | None = None) -> float:
        """The mean of the loss over rows, by weight."""
        values = self._rows.values(*self._rows.aligned(y, scores))
        return float(np.average(values, weights=_rows_of(weight, len(values))))


def _rows_of(weight: ArrayLike | None, rows: int, groups: ArrayLike | None = None) -> Array | None:
    """A weight for each row; of one weight a group, each row has that of its group. None for no weights."""
    if weight is None or np.size(weight) == 0:
        return None
    found = np.asarray(weight, dtype=np.float64).reshape(-1)
    if len(found) != rows and groups is not None and len(found) == np.size(groups):
        found = np.repeat(found, np.asarray(groups, dtype=int))
    if len(found) != rows:
        raise LossShapeError(f"there are {len(found)} weights for {rows} rows", None, "one weight a row, or a group")
    return found


# --- XGBoost


class XGBoostObjective(Objective):
    """For `XGBRegressor(objective=…)` and its like, and for `xgboost.train(…, obj=…)`; gradients in float32."""

    @property
    def metric(self) -> XGBoostMetric:
        """For `eval_metric=` of the scikit-learn interface and `custom_metric=` of `xgboost.train`."""
        return XGBoostMetric(self.spec)

    def params(self, y: ArrayLike, weight: ArrayLike | None = None) -> dict[str, Any]:
        """Parameters that go with the objective: the base score, which a custom objective has at 0.5 otherwise."""
        if self._rows.link == "softmax":
            return {"base_score": 0.0}
        return {"base_score": self.base_score(y, weight)}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Array, Array]:
        """Gradient and curvature of `(y_true, y_pred)`, or of `(scores, DMatrix)`, times the weights."""
        y_true, y_pred, sample_weight = _of_matrix(y_true, y_pred, sample_weight)
        slope, bend = self._rows.derivatives(y_true, y_pred, sample_weight)
        return slope.astype(np.float32), bend.astype(np.float32)


class XGBoostMetric(Metric):
    """Called `(y_true, y_pred)` by the scikit-learn interface, `(scores, DMatrix)` by `xgboost.train`."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The value, or name and value where a matrix is given."""
        is_native = hasattr(y_pred, "get_label")
        found = self.value(*_of_matrix(y_true, y_pred, sample_weight))
        return (self.__name__, found) if is_native else found


def _of_matrix(one: Any, other: Any, weight: Any) -> tuple[Any, Any, Any]:
    """Target, scores and weights of either interface."""
    if not hasattr(other, "get_label"):
        return one, other, _rows_of(weight, len(other))
    rows, weights = other.num_row(), other.get_weight()
    target = np.reshape(other.get_label(), (rows, -1))
    groups = np.diff(other.get_uint_info("group_ptr")) if len(weights) not in (0, rows) else None
    return target, one, _rows_of(weights, rows, groups)


# --- LightGBM


class LightGBMObjective(Objective):
    """For `LGBMRegressor(objective=…)` and its like, and for `lightgbm.train({"objective": …})`.

    LightGBM begins with scores of 0 and predicts raw ones: give `init_score=numpy.full(len(y), b)` with
    `b = objective.base_score(y)`, and add `b` to what it predicts.
    """

    @property
    def metric(self) -> LightGBMMetric:
        """For `eval_metric=` of `fit` and `feval=` of `lightgbm.train`."""
        return LightGBMMetric(self.spec)

    def params(self, y: ArrayLike, weight: ArrayLike | None = None) -> dict[str, Any]:
        """Parameters that go with the objective: the number of classes of a loss over classes."""
        if self._rows.link == "softmax":
            return {"num_class": int(np.max(np.asarray(y))) + 1}
        return {}

    def __call__(self, y_true: Any, y_pred: Any, weight: Any = None, group: Any = None) -> tuple[Array, Array]:
        """Gradient and curvature of `(y_true, y_pred)`, or of `(scores, Dataset)`, times the weights."""
        y_true, y_pred, weight = _of_dataset(y_true, y_pred, weight, group)
        return self._rows.derivatives(y_true, y_pred, weight)


class LightGBMMetric(Metric):
    """Called `(y_true, y_pred, weight, group)` by scikit-learn's interface, `(scores, Dataset)` by `lightgbm.train`."""

    def __call__(self, y_true: Any, y_pred: Any, weight: Any = None, group: Any = None) -> tuple[str, float, bool]:
        """Name, value, and that larger is not better."""
        return self.__name__, self.value(*_of_dataset(y_true, y_pred, weight, group)), False


def _of_dataset(one: Any, other: Any, weight: Any, group: Any) -> tuple[Any, Any, Any]:
    if not hasattr(other, "get_label"):
        return one, other, _rows_of(weight, len(other), group)
    target = other.get_label()
    return target, one, _rows_of(other.get_weight(), len(target), other.get_group())


# --- CatBoost


class CatBoostObjective(Objective):
    """For `loss_function=` of CatBoost's models, which take derivatives of the negative loss."""

    @property
    def metric(self) -> CatBoostMetric:
        """For `eval_metric=`, which CatBoost needs beside an objective of one's own."""
        return CatBoostMetric(self.spec)

    def params(self, y: ArrayLike, weight: ArrayLike | None = None) -> dict[str, Any]:
        """Parameters that go with the objective: its metric, and one Newton step a leaf.

        CatBoost begins with scores of 0: the best constant is given as `baseline=` of its `Pool`.
        """
        found: dict[str, Any] = {"eval_metric": self.metric}
        if self._rows.link == "softmax":
            found["classes_count"] = int(np.max(np.asarray(y))) + 1
        return {**found, "leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1}

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any = None) -> list[tuple[float, float]]:
        """First and second derivatives of the negative loss of rows with one score each."""
        rows = _rows_of(weights, len(targets))
        slope, bend = self._rows.derivatives(np.asarray(targets), np.asarray(approxes), rows)
        return list(zip((-slope).tolist(), (-bend).tolist(), strict=True))

    def calc_ders_multi(self, approxes: Any, target: float, weight: Any) -> tuple[list[float], list[list[float]]]:
        """The same of one row with several scores; the second derivatives as a matrix."""
        each = None if weight is None else [weight]
        slope, bend = self._rows.derivatives(np.asarray([target]), np.asarray(approxes)[None], each)
        return (-slope[0]).tolist(), np.diag(-bend[0]).tolist()


class CatBoostMetric(Metric):
    """What CatBoost evaluates: sums, and what becomes of them."""

    def is_max_optimal(self) -> bool:
        """Smaller is better."""
        return False

    def get_final_error(self, error: float, weight: float) -> float:
        """The mean of sums that `evaluate` gave."""
        return error / weight if weight else 0.0

    def evaluate(self, approxes: Sequence[Any], target: Any, weight: Any) -> tuple[float, float]:
        """The weighted sum of the loss, and that of the weights."""
        scores = np.stack([np.asarray(each) for each in approxes], axis=1)
        rows = _rows_of(weight, len(scores))
        total = float(len(scores) if rows is None else rows.sum())
        return self.value(np.asarray(target), scores, rows) * total, total


LIBRARIES: Mapping[str, type[Objective]] = {
    "xgboost": XGBoostObjective,
    "lightgbm": LightGBMObjective,
    "catboost": CatBoostObjective,
}
"""The objective for each library."""

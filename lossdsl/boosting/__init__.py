"""Losses as objectives of XGBoost, LightGBM and CatBoost.

    objective = lossdsl.boosting.xgboost("log(1 + ((t - x)/c)^2)", c=1.0)
    XGBRegressor(objective=objective, **objective.params(y))

Each object serves the library's own interface and the one for scikit-learn, knows weights, and can be pickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lossdsl.api import named
from lossdsl.boosting.engines import CatBoostObjective, LightGBMObjective, XGBoostObjective
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.source import Source

Named = str | os.PathLike[str] | Source | Mapping[str, Any]
"""What a loss is named by, as for `lossdsl.load`."""


def xgboost(source: Named, curvature: str = "auto", **parameters: Any) -> XGBoostObjective:
    """A loss as an objective of XGBoost: `XGBRegressor(objective=…, **objective.params(y))`, or `xgb.train(…, obj=…)`.

    Args:
        source: a path, a built-in's name, the text of a formula or file, or a mapping, as for `lossdsl.load`. The loss
            is one of target and raw scores `(n,)` or `(n, k)`; one that takes samples together is refused.
        curvature: what stands for the second derivative: "newton" for the true one (of outputs that meet, the sum of
            the absolute values in its row); "majorizer" for one that is proved to bound the loss from above; "one";
            "auto" for Newton where it is proved to be safe, else a majorizer, else one. The object's `curvature` says
            what was taken, its `why` for what reason.
        **parameters: values for the parameters of the loss.

    Raises:
        LossError: what was wrong, where, and what to do about it.

    >>> import numpy as np, lossdsl.boosting
    >>> objective = lossdsl.boosting.xgboost("huber", delta=1.0)
    >>> objective.curvature
    'majorizer'
    >>> objective(np.zeros(2), np.array([0.5, 4.0]))
    (array([0.5, 1. ], dtype=float32), array([1.  , 0.25], dtype=float32))
    """
    return XGBoostObjective(_loaded(source, parameters), curvature)


def lightgbm(source: Named, curvature: str = "auto", **parameters: Any) -> LightGBMObjective:
    """A loss as an objective of LightGBM: `LGBMRegressor(objective=…)`, or `lgb.train({"objective": …}, …)`.

    Args:
        source, curvature, parameters: as for `xgboost`.

    Raises:
        LossError: as `xgboost` does.

    >>> import lossdsl.boosting
    >>> lossdsl.boosting.lightgbm("mse").why
    'the loss is proved to be quadratic in the score'
    """
    return LightGBMObjective(_loaded(source, parameters), curvature)


def catboost(source: Named, curvature: str = "auto", **parameters: Any) -> CatBoostObjective:
    """A loss as an objective of CatBoost: `CatBoostRegressor(loss_function=…, **objective.params(y))`.

    Args:
        source, curvature, parameters: as for `xgboost`.

    Raises:
        LossError: as `xgboost` does.

    >>> import lossdsl.boosting
    >>> lossdsl.boosting.catboost("mse").calc_ders_range([3.0], [1.0], None)
    [(-4.0, -2.0)]
    """
    return CatBoostObjective(_loaded(source, parameters), curvature)


def _loaded(source: Named, parameters: Mapping[str, Any]) -> LoadedLoss:
    return LoadedLoss(*named(source, -1, parameters, ("axis", "reduction", "name", "dtype")))


__all__ = ["CatBoostObjective", "LightGBMObjective", "XGBoostObjective", "catboost", "lightgbm", "xgboost"]

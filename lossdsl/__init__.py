"""Loss functions written as in the paper, checked, differentiated and compiled for Keras.

    lossdsl.compile("huber.loss", delta=0.5)     a keras.losses.Loss
    lossdsl.metric("huber", delta=0.5)           a keras.metrics.Metric
    lossdsl.load("huber", delta=0.5).numpy(t, x) the same on numpy arrays, without Keras
    lossdsl.torch.Loss, lossdsl.jax.loss         for plain torch and JAX, without Keras
    lossdsl.boosting.xgboost("huber", delta=0.5) an objective for XGBoost; likewise lightgbm and catboost

Importing this package loads neither Keras nor numpy; what is needed is loaded when it is asked for. Once it is
imported, Keras models that were saved with one of its losses load without `custom_objects`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lossdsl._registration import register_with_keras
from lossdsl.errors import (
    LossConfigError,
    LossError,
    LossFileError,
    LossImportError,
    LossLimitError,
    LossNameError,
    LossParameterError,
    LossShapeError,
    LossSyntaxError,
    LossTypeError,
)

if TYPE_CHECKING:
    from lossdsl import losses
    from lossdsl.api import compile, load, metric
    from lossdsl.checks import check, properties
    from lossdsl.config import from_config, from_yaml
    from lossdsl.fused.dense import FusedDense
    from lossdsl.runtime.debugging import debug
    from lossdsl.runtime.value_sources import by_epoch, learned

__version__ = "0.1.0"

_LATE = {
    "FusedDense": "lossdsl.fused.dense",
    "by_epoch": "lossdsl.runtime.value_sources",
    "check": "lossdsl.checks",
    "compile": "lossdsl.api",
    "debug": "lossdsl.runtime.debugging",
    "from_config": "lossdsl.config",
    "from_yaml": "lossdsl.config",
    "learned": "lossdsl.runtime.value_sources",
    "load": "lossdsl.api",
    "metric": "lossdsl.api",
    "properties": "lossdsl.checks",
}

_MODULES = ("losses", "torch", "jax", "boosting")
"""Modules that are imported when they are asked for."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"lossdsl.{name}")
    if name not in _LATE:
        raise AttributeError(f"module 'lossdsl' has no attribute {name!r}")
    found = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()

__all__ = [
    "FusedDense",
    "LossConfigError",
    "LossError",
    "LossFileError",
    "LossImportError",
    "LossLimitError",
    "LossNameError",
    "LossParameterError",
    "LossShapeError",
    "LossSyntaxError",
    "LossTypeError",
    "__version__",
    "by_epoch",
    "check",
    "compile",
    "debug",
    "from_config",
    "from_yaml",
    "learned",
    "load",
    "losses",
    "metric",
    "properties",
]

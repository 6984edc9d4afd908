"""Keras's classes, made from rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from lossdsl.ir.axes import LAST
from lossdsl.runtime.drop_in.aligned import logits_of, prepared
from lossdsl.runtime.drop_in.docs import doc
from lossdsl.runtime.drop_in.row import MODULE, PACKAGE, BuiltInRow, opened
from lossdsl.runtime.evaluate import evaluate
from lossdsl.runtime.keras_loss import CompiledLoss
from lossdsl.runtime.replicas import Replicas

Loss = keras.losses.Loss
_COMMON = ("reduction", "name", "dtype")


class BuiltIn(CompiledLoss):
    """A loss class of `keras.losses`, compiled from a file of the catalog.

    Saved by what it was made with, all of it; a file finds it once lossdsl is imported.
    """

    row: ClassVar[BuiltInRow]
    built = False
    """Keras restores the build config of what has this attribute, and only then."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.row.init_signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        options = dict(bound.arguments)
        del options["self"]
        common = {name: options.pop(name) for name in _COMMON}
        for name, value in options.items():
            setattr(self, name, value)
        self._options = options
        spec = opened(self.row, options, _compute_dtype(common["dtype"]))
        super().__init__(spec, common["name"], common["reduction"], common["dtype"])

    def __repr__(self) -> str:
        return f"<{MODULE}.{type(self).__name__} {self.spec!r}>"

    def get_config(self) -> dict[str, Any]:
        """Every argument of the class, as plain JSON; some only if they are not the default."""
        config = super().get_config()
        if config["dtype"] is None:
            del config["dtype"]
        for name, value in self._options.items():
            if name == self.row.apart:
                continue
            if name not in self.row.unsaved or value != self.row.init_signature.parameters[name].default:
                config[name] = _json(value)
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """What a saved loss keeps beside its config; None for nothing."""
        name = self.row.apart
        if not name or self._options[name] == self.row.init_signature.parameters[name].default:
            return None
        return {name: _json(self._options[name])}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Takes up what `get_build_config` gave."""
        type(self).__init__(self, **{**self.get_config(), **config})

    def _values(
        self, y_true: Any, y_pred: Any, mask: Any, sample_weight: Any, replicas: Replicas | None
    ) -> tuple[Any, Any]:
        by_place = mask is not None or (sample_weight is not None and np.ndim(sample_weight) > 1)
        spec = self.spec
        options: Mapping[str, Any] = self._options
        if getattr(y_pred, "dtype", None) == self.dtype:  # a cast would have forgotten them
            y_pred, options = logits_of(self.row, y_pred, options)
            spec = spec if options is self._options else opened(self.row, options, self.dtype)
        y_true, y_pred = prepared(self.row, y_true, y_pred, options, keep=by_place)
        is_elementwise = LAST in spec.program.loss.value.axes
        found = evaluate(
            spec, y_true, y_pred, mask, dtype=self.dtype, label=self.name, rank_one_is_batch=is_elementwise,
            replicas=replicas,
        )  # fmt: skip
        values, mask = found.by_sample()
        own = None if self.row.counts is None else self.row.counts(values, y_true, self._options)
        return values, own if mask is None else mask if own is None else ops.logical_and(mask, own)


def _compute_dtype(dtype: Any) -> str:
    try:
        return str(keras.dtype_policies.get(dtype or keras.config.floatx()).compute_dtype)
    except (TypeError, ValueError):
        return ""  # the base class says what is wrong


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value).tolist()


def class_of(row: BuiltInRow) -> type[BuiltIn]:
    """Keras's class of a row."""
    signature = row.init_signature

    def __init__(self: BuiltIn, *args: Any, **kwargs: Any) -> None:
        BuiltIn.__init__(self, *args, **kwargs)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    __init__.__qualname__ = f"{row.class_name}.__init__"
    __init__.__module__ = MODULE
    members = {
        "__init__": __init__,
        "__doc__": doc(row, list(signature.parameters)[1:], is_function=False),
        "__module__": MODULE,
        "row": row,
    }
    made: type[BuiltIn] = keras.saving.register_keras_serializable(PACKAGE, row.class_name)(
        type(row.class_name, (BuiltIn,), members)
    )
    return made

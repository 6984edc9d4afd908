"""Connectionist temporal classification, the one loss that rests on the backend's own operation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lossdsl.errors import LossShapeError
from lossdsl.runtime.drop_in.row import MODULE, PACKAGE


def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification: the negative log-likelihood of a sequence without an alignment.

    Graves, Fernandez, Gomez, Schmidhuber (2006), Connectionist Temporal Classification: Labelling Unsegmented Sequence
    Data with Recurrent Neural Networks, ICML, doi:10.1145/1143844.1143891

    The one loss here without a `.loss` file: it is a recursion over time, and rests on the backend's own operation, as
    Keras's does.

    Args:
        y_true: labels `(batch, length)`, whole numbers; 0 is the blank and pads short sequences.
        y_pred: logits `(batch, time, classes)`.

    Returns:
        One value a sample.

    Raises:
        LossShapeError: tensors of another rank.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2:
        raise LossShapeError(f"ctc: `y_true` has shape {tuple(y_true.shape)}; it must be (batch, length)")
    if len(y_pred.shape) != 3:
        raise LossShapeError(f"ctc: `y_pred` has shape {tuple(y_pred.shape)}; it must be (batch, time, classes)")
    batch, time = ops.shape(y_pred)[:2]
    given = time * ops.ones((batch,), dtype="int32")
    wanted = ops.cast(ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1), "int32")
    return ops.ctc_loss(ops.cast(y_true, "int32"), y_pred, wanted, given, mask_index=0)


class CTC(keras.losses.Loss):  # type: ignore[misc]
    """Connectionist temporal classification as a loss object; see `ctc`.

    Args:
        reduction: how the values become one number: "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight",
            "none" or None.
        name: the name in logs.
        dtype: the dtype of the computation; by default `keras.config.floatx()`.
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: Any = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self._given_dtype = dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample."""
        return ctc(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Every argument, as plain JSON."""
        config = {"name": self.name, "reduction": self.reduction}
        return config if self._given_dtype is None else {**config, "dtype": self._dtype_policy.name}


for _made in (ctc, CTC):
    _made.__module__ = MODULE
    keras.saving.register_keras_serializable(PACKAGE, _made.__name__)(_made)

"""What Keras's functions do with target and prediction before the formula, and with the values after it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from lossdsl.errors import LossShapeError
from lossdsl.runtime import keras_internals
from lossdsl.runtime.drop_in.row import BuiltInRow


def logits_of(row: BuiltInRow, y_pred: Any, options: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Prediction and options, from the logits where `y_pred` is a sigmoid or softmax that remembers them.

    As in Keras, on TensorFlow alone: what a probability of almost 0 or 1 has lost, the logit still has, slope and all.
    """
    if not row.remembers or keras.backend.backend() != "tensorflow":
        return y_pred, options
    logits = getattr(y_pred, "_keras_logits", None)
    if logits is None:
        return y_pred, options
    if options["from_logits"]:
        warnings.warn(
            f"{row.name} has from_logits=True, but y_pred is what an activation made of logits; those are taken.",
            stacklevel=5,
        )
    return logits, {**options, "from_logits": True}


def prepared(row: BuiltInRow, y_true: Any, y_pred: Any, options: Mapping[str, Any], keep: bool) -> tuple[Any, Any]:
    """Target and prediction as tensors, aligned as Keras does; `keep` leaves the prediction's places alone."""
    y_pred = keras_internals.tensor_of(y_pred)
    y_true = keras_internals.tensor_of(y_true)
    if not (keras_internals.has_rank(y_true) and keras_internals.has_rank(y_pred)):
        return y_true, y_pred
    rank = len(y_pred.shape)
    if row.warns and rank and y_pred.shape[-1] == 1:
        warnings.warn(
            f"In loss {row.name}, expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1, "
            f"but it is {tuple(y_pred.shape)}: of one class the loss says nothing; see binary_crossentropy.",
            SyntaxWarning,
            stacklevel=5,
        )
    if row.is_sparse:
        return _sparse_target(y_true, y_pred, options.get("axis", -1)), y_pred
    if len(y_true.shape) == rank + 1 == 2 and y_true.shape[-1] == 1:
        y_pred = ops.expand_dims(y_pred, -1)
    elif len(y_true.shape) == rank - 1 > 1 and y_pred.shape[-1] == 1 and not keep:
        y_pred = ops.squeeze(y_pred, -1)
    return y_true, y_pred


def _sparse_target(y_true: Any, y_pred: Any, axis: Any) -> Any:
    """The labels without the axis of the classes, if they have one.

    Raises LossShapeError for another axis than the last on TensorFlow and JAX, as Keras does.
    """
    rank = len(y_pred.shape)
    whole = isinstance(axis, int) and not isinstance(axis, bool)
    if whole and axis not in (-1, rank - 1) and keras.backend.backend() != "torch":
        raise LossShapeError(
            f"Only axis=-1 is currently supported. Received: axis={axis}. Arguments `target` and `output` must have "
            f"the same shape up until the last dimension: target.shape={tuple(y_true.shape)}, "
            f"output.shape={tuple(y_pred.shape)}",
            None,
            f'`lossdsl.compile("sparse_categorical_crossentropy", axis={axis})` takes any axis',
        )
    if whole and len(y_true.shape) == rank and -rank <= axis < rank and y_true.shape[axis] == 1:
        return ops.squeeze(y_true, axis)
    return y_true


def target_of(row: BuiltInRow, y_true: Any, y_pred: Any, options: Mapping[str, Any]) -> Any:
    """The target, with the reference embeddings if there are any."""
    labels, embeddings = options.get("ref_labels"), options.get("ref_embeddings")
    if labels is None and embeddings is None:
        return y_true
    labels = y_true if labels is None else ops.convert_to_tensor(labels)
    embeddings = y_pred if embeddings is None else ops.convert_to_tensor(embeddings)
    return y_true, labels if len(labels.shape) == 1 else ops.reshape(labels, (-1,)), embeddings


def ignored(values: Any, y_true: Any, options: Mapping[str, Any]) -> Any:
    """Where the label is not the one to ignore; None if there is none."""
    if options.get("ignore_class") is None:
        return None
    labels = ops.reshape(ops.cast(y_true, "int32"), ops.shape(values))
    return ops.not_equal(labels, int(options["ignore_class"]))


def positive(values: Any, y_true: Any, options: Mapping[str, Any]) -> Any:
    """Where the value is greater than 0."""
    return values > 0

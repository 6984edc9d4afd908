"""What lossdsl uses of Keras that is not public, in one place, with a way out where a version lacks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)

try:
    from keras.src.backend import get_keras_mask as _get_mask
except ImportError:
    _get_mask = None
try:
    from keras.src.backend import set_keras_mask as _set_mask
except ImportError:
    _set_mask = None
try:
    from keras.src.losses.loss import reduce_weighted_values as _reduce
except ImportError:
    _reduce = None


def opaque(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps `tf.function` and `torch.compile` from reading the Python of a function: they call it as it is.

    They cannot follow the objects that describe a loss; the operations on tensors are the same either way. What
    `torch.compile` compiles breaks off here and goes on behind.
    """
    found: Callable[..., Any] = function
    if keras.backend.backend() == "torch":
        import torch

        found = torch.compiler.disable(function)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.autograph.experimental.do_not_convert(function)
    return found


def mask_of(tensor: Any) -> Any:
    """The mask that a layer left on its output, or None."""
    found: Any = _get_mask(tensor) if _get_mask is not None else None
    return found if found is not None else getattr(tensor, "_keras_mask", None)


def leave_mask(tensor: Any, mask: Any) -> None:
    """Leaves on a tensor which of its values count, where the loss that reduces them looks for it."""
    if _set_mask is not None:
        _set_mask(tensor, mask)


def reduced(values: Any, weight: Any, mask: Any, reduction: str | None, dtype: str) -> Any:
    """Values under weights and a mask (both of the shape of the values, or None), reduced as Keras does.

    Under `sum_over_batch_size` a mask divides by the number of values that count; under `mean_with_sample_weight` the
    sum of the weights divides.
    """
    function: Callable[..., Any] | None = _reduce
    if function is not None:
        return function(values, sample_weight=weight, mask=mask, reduction=reduction, dtype=dtype)
    if mask is not None:
        on = ops.cast(mask, values.dtype)
        if reduction in ("mean", "sum_over_batch_size"):
            on = on * ops.divide_no_nan(ops.cast(ops.size(on), values.dtype), ops.sum(on))
        weight = on if weight is None else weight * on
    if weight is not None:
        values = values * weight
    if reduction in (None, "none"):
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    by_weight = reduction == "mean_with_sample_weight" and weight is not None
    divisor = ops.sum(weight) if by_weight else ops.cast(ops.size(values), values.dtype)
    return ops.divide_no_nan(total, divisor)


def has_rank(tensor: Any) -> bool:
    """Whether the rank of a tensor is known; in a TensorFlow graph traced for several ranks it is not."""
    return getattr(tensor.shape, "rank", 0) is not None


def ranked(tensor: Any, prediction: Any, last: tuple[int, int] | None, label: str) -> Any:
    """A TensorFlow tensor of unknown rank in the shape of the prediction.

    `last` says how many components the last axes of tensor and prediction hold; None that the tensor lacks that axis.
    Only trailing axes of length 1 may come or go; the graph checks that when it runs.
    """
    import tensorflow as tf

    def core(shape: Any) -> Any:
        """The lengths up to the last that is not 1."""
        return tf.boolean_mask(shape, tf.cumsum(tf.cast(shape != 1, tf.int32), reverse=True) > 0)

    static = prediction.shape.as_list()
    if last is None:
        wanted, static = tf.shape(prediction)[:-1], static[:-1]
    elif last[0] == last[1]:
        wanted = tf.shape(prediction)
    else:
        length = tf.shape(prediction)[-1:] // last[1] * last[0]
        wanted = tf.concat([tf.shape(prediction)[:-1], length], 0)
        static[-1] = None if static[-1] is None else static[-1] // last[1] * last[0]
    given = tf.shape(tensor)
    agrees = tf.strings.reduce_join(tf.strings.as_string(core(given)), separator=",") == tf.strings.reduce_join(
        tf.strings.as_string(core(wanted)), separator=","
    )
    check = tf.debugging.Assert(agrees, [f"{label} and the prediction have shapes that do not agree:", given, wanted])
    with tf.control_dependencies([check] if check is not None else []):
        result = tf.reshape(tensor, wanted)
    result.set_shape(static)
    return result


def agreeing(tensor: Any, prediction: Any, places: dict[int, int], label: str) -> Any:
    """A TensorFlow tensor whose lengths at some places equal those of the prediction, checked when the graph runs."""
    import tensorflow as tf

    checks = [
        tf.debugging.assert_equal(
            tf.shape(tensor)[one], tf.shape(prediction)[other], f"{label} and the prediction do not agree in shape"
        )
        for one, other in places.items()
        if tensor.shape[one] is None
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(tensor)

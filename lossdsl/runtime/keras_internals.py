"""What lossdsl uses of Keras (and TensorFlow) that is not public, in one place, with a way out where it is missing."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Sequence
from functools import cache
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
try:
    from keras.src.backend.common.stateless_scope import get_stateless_scope as _scope
except ImportError:
    _scope = None
try:
    from keras.src.backend.common.symbolic_scope import in_symbolic_scope as _symbolic
except ImportError:
    _symbolic = None


def is_in_scope(variables: Sequence[Any]) -> bool | None:
    """Whether Keras gives each variable its value for a step that is a pure function; None outside of such a step."""
    scope = _scope() if _scope is not None else None
    if scope is None or not scope.state_mapping or (_symbolic is not None and _symbolic()):
        return None  # without values, and where Keras looks for shapes alone
    return all(scope.get_current_value(each) is not None for each in variables)


def stamp(tensor: Any, mark: str, layer: Any) -> None:
    """Notes on a tensor that it went through a layer, where its backend lets tensors have attributes."""
    with contextlib.suppress(AttributeError):
        tensor._lossdsl_layers = {**getattr(tensor, "_lossdsl_layers", {}), mark: weakref.ref(layer)}


def stamped(tensor: Any, mark: str) -> Any:
    """The layer with a mark that a tensor went through, or None."""
    found = getattr(tensor, "_lossdsl_layers", {}).get(mark)
    return None if found is None else found()


def reading() -> object | None:
    """What stands for the file that Keras is reading a model from; None where it reads none, or does not tell."""
    try:
        from keras.src.backend.common.global_state import get_global_attribute
    except ImportError:
        return None
    shared = get_global_attribute("shared_objects/id_to_obj_map")  # there as long as a file is read
    return None if shared is None else shared.setdefault("lossdsl", object())


def is_traced(tensor: Any) -> bool:
    """Whether JAX stands a tensor in for the values of a function that it compiles or differentiates."""
    if keras.backend.backend() != "jax" or (_scope is not None and _scope() is not None):
        return False
    import jax

    return isinstance(tensor, jax.core.Tracer)


def is_recorded(tensor: Any) -> bool:
    """Whether a derivative in a TensorFlow tensor may be asked for, backward or forward; True if that is unknown."""
    try:
        from tensorflow.python.eager.forwardprop_util import pack_tangents
        from tensorflow.python.eager.record import should_record_backprop
    except ImportError:
        return True
    return bool(should_record_backprop([tensor]) or pack_tangents([tensor]).tangents)


def tensor_of(value: Any, dtype: str | None = None) -> Any:
    """A tensor of the backend; of a variable of TensorFlow's its value, which `keras.ops` leaves as it is."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        value = tf.convert_to_tensor(value) if isinstance(value, tf.Variable) else value
    elif backend == "torch" and is_ready(value, dtype):
        return value
    return ops.convert_to_tensor(value, dtype=dtype)


def label_of(value: Any) -> Any:
    """A tensor of whole numbers, of torch's in 64 bits as they come."""
    if keras.backend.backend() == "torch" and is_ready(value, "int64"):
        return value
    return ops.cast(tensor_of(value), "int32")


def is_ready(value: Any, dtype: str | None) -> bool:
    """Whether a value is a tensor of torch's as Keras would make it of itself, which it takes a while to say."""
    torch, device = _torch()
    if type(value) is not torch.Tensor or not value.is_cpu or value.layout is not torch.strided or device() != "cpu":
        return False
    return dtype is None or value.dtype is getattr(torch, dtype, None)


@cache
def _torch() -> tuple[Any, Callable[[], Any]]:
    """torch, and what tells where Keras puts its tensors; None if that is unknown."""
    import torch

    try:
        from keras.src.backend.torch.core import get_device
    except ImportError:
        return torch, lambda: None
    return torch, get_device


def opaque(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps `tf.function` and `torch.compile` from reading the Python of a function: they call it as it is.

    They cannot follow the objects that describe a loss; the operations on tensors are the same either way. What
    `torch.compile` compiles breaks off here and goes on behind.
    """
    if keras.backend.backend() == "torch":
        import torch

        found: Callable[..., Any] = torch.compiler.disable(function)
        return found
    return as_written(function)


def as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps `tf.function` from reading the Python of a function. `torch.compile` reads it."""
    found: Callable[..., Any] = function
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.autograph.experimental.do_not_convert(function)
    return found


def whole_in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Has `torch.compile` put a function into its graph as one call; see `torch_graphs.whole_in_graph`."""
    if keras.backend.backend() != "torch":
        return function
    from lossdsl.runtime import torch_graphs

    return torch_graphs.whole_in_graph(function)


def has_processes() -> bool:
    """Whether several processes train one model by `torch.distributed`."""
    if keras.backend.backend() != "torch":
        return False
    from torch import distributed

    return bool(distributed.is_available() and distributed.is_initialized())


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
    sum of the weights divides. An empty batch gives 0, as in Keras's graphs; outside them Keras gives no number.
    """
    if tuple(values.shape) == (0,) and reduction not in (None, "none"):
        return ops.sum(values)
    function: Callable[..., Any] | None = _reduce
    if function is not None and not (keras.backend.backend() == "torch" and dtype == "float64"):  # it means in float32
        return function(values, sample_weight=weight, mask=mask, reduction=reduction, dtype=dtype)
    counts = _counts(ops.ones_like(values), weight, mask, reduction)
    values = values * counts
    if reduction in (None, "none"):
        return values
    total = ops.sum(values)
    return total if reduction == "sum" else _quotient(total, _divisor(counts, weight, mask, reduction))


def coefficients(ones: Any, weight: Any, mask: Any, reduction: str | None, dtype: str) -> Any:
    """What each value counts in `reduced`, where `ones` are ones in the place of values.

    For all reductions but "none" the loss is the sum of all values, each times this.
    """
    counts = _counts(ones, weight, mask, reduction)
    if reduction in (None, "none", "sum"):
        return counts
    replicas = reduced(ones, None, None, reduction, dtype)  # 1, or its share where several replicas have a batch each
    return counts * _quotient(replicas, _divisor(counts, weight, mask, reduction))


def _counts(ones: Any, weight: Any, mask: Any, reduction: str | None) -> Any:
    """Weights and mask as one factor a value; under a mean, what the mask leaves counts for all."""
    if mask is not None:
        on = ops.cast(mask, ones.dtype) * ones
        if reduction in ("mean", "sum_over_batch_size"):
            on = on * _quotient(ops.cast(ops.size(on), ones.dtype), ops.sum(on))
        return on if weight is None else weight * on
    return ones if weight is None else weight * ones


def _divisor(counts: Any, weight: Any, mask: Any, reduction: str | None) -> Any:
    by_weight = reduction == "mean_with_sample_weight" and not (weight is None and mask is None)
    return ops.sum(counts) if by_weight else ops.cast(ops.size(counts), counts.dtype)


def _quotient(one: Any, other: Any) -> Any:
    """One by the other; 0 where the other is 0."""
    is_zero = ops.equal(other, 0)
    return ops.where(is_zero, ops.zeros_like(one), one / ops.where(is_zero, ops.ones_like(other), other))


def has_rank(tensor: Any) -> bool:
    """Whether the rank of a tensor is known; in a TensorFlow graph traced for several ranks it is not."""
    return getattr(tensor.shape, "rank", 0) is not None


Packing = tuple[int, int]


def ranked(tensor: Any, prediction: Any, last: tuple[Packing, Packing] | None, label: str) -> Any:
    """A TensorFlow tensor of unknown rank in the shape of the prediction.

    `last` says how the last axes of tensor and prediction are packed: how many elements belong to components of known
    lengths, and how many components share the others. It is None where the tensor lacks that axis.
    Only trailing axes of length 1 may come or go; the graph checks that when it runs.
    """
    import tensorflow as tf

    static = prediction.shape.as_list()
    if last is None:
        wanted, static = tf.shape(prediction)[:-1], static[:-1]
    elif last[0] == last[1]:
        wanted = tf.shape(prediction)
    else:
        (fixed, shares), (less, count) = last
        wanted = tf.concat([tf.shape(prediction)[:-1], (tf.shape(prediction)[-1:] - less) // count * shares + fixed], 0)
        static[-1] = None if static[-1] is None else (static[-1] - less) // count * shares + fixed
    given = tf.shape(tensor)
    texts = [tf.strings.as_string(_without_ones(shape)) for shape in (given, wanted)]
    one, other = (tf.strings.reduce_join(text, separator=",") for text in texts)
    agrees = one == other
    check = tf.debugging.Assert(agrees, [f"{label} and the prediction have shapes that do not agree:", given, wanted])
    with tf.control_dependencies([check] if check is not None else []):
        result = tf.reshape(tensor, wanted)
    result.set_shape(static)
    return result


def padded(tensor: Any, rank: int) -> Any:
    """A TensorFlow tensor of unknown rank with so many axes; only trailing axes of length 1 come or go."""
    import tensorflow as tf

    core = _without_ones(tf.shape(tensor))
    result = tf.reshape(tensor, tf.concat([core, tf.ones(rank - tf.size(core), tf.int32)], 0))
    result.set_shape([None] * rank)
    return result


def _without_ones(shape: Any) -> Any:
    """The lengths in a TensorFlow shape up to the last that is not 1."""
    import tensorflow as tf

    return tf.boolean_mask(shape, tf.cumsum(tf.cast(shape != 1, tf.int32), reverse=True) > 0)


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

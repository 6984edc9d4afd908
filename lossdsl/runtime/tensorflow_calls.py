"""A loss of TensorFlow's tensors, outside of graphs and in them, with our gradient.

Outside of graphs the gradient in the prediction is made together with the values, as `torch_eager` does it on torch:
wherever what comes after is a factor of it, nobody else's gradient is asked for, and nobody asks for a derivative of
it. In graphs, where value and gradient find what they have in common by themselves, this is so where XLA fuses each of
them, and the gradient costs more to make than to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lossdsl.runtime.keras_internals import is_recorded
from lossdsl.runtime.tensorflow_fused import marked

if TYPE_CHECKING:
    from lossdsl.runtime.kernels import Code


def carried(code: Code, arguments: Sequence[Any], large: bool) -> Any:
    """The values of tensors, to be differentiated in every mode.

    `large` says that they are large, and that the code is one whose functions XLA fuses.
    """
    is_eager = tf.executing_eagerly()
    # In a graph what nobody asks for is cut off later; outside, it must not be worked out.
    wanted = [not is_eager or is_recorded(tensor) for tensor in arguments]
    if not any(wanted):
        return code.value(*arguments)
    found = in_one(code, arguments, wanted, large) if is_eager else None
    if found is not None:
        return found
    pullbacks = (*code.pullbacks, *code.of_settings)
    is_kept = large and not is_eager and code.is_separable and not code.is_light

    def with_gradient(*tensors: Any) -> tuple[Any, Callable[..., Any]]:
        # The tape needs none of what the value is made of.
        plain = tuple(map(tf.stop_gradient, tensors)) if is_eager else tensors
        value, factor, slope = code.value_and_slope(*plain) if is_kept else (code.value(*plain), 1.0, None)

        def gradient(upstream: Any) -> list[Any]:
            found = [
                pullback(*tensors, upstream)[0] if needed and pullback is not None else None
                for pullback, needed in zip(pullbacks, wanted, strict=True)
            ]
            if is_kept and not is_differentiated([*tensors, upstream]):
                with marked():
                    found[code.prediction] = scaled(factor, slope, upstream)
            return found

        return value, gradient

    return tf.custom_gradient(with_gradient)(*arguments)


@cache
def _tapes() -> Any:
    """What TensorFlow keeps of its tapes; None where that is missing."""
    try:
        from tensorflow.python.eager import record
        from tensorflow.python.eager.forwardprop_util import pack_tangents
    except ImportError:
        return None
    wanted = ("should_record_backprop", "stop_recording", "record_operation")
    return (record, pack_tangents) if all(hasattr(record, one) for one in wanted) else None


def is_differentiated(tensors: Sequence[Any]) -> bool:
    """Whether a derivative of what is made of tensors now may be asked for; True if that is unknown."""
    tapes = _tapes()
    if tapes is None:
        return True
    record, pack_tangents = tapes
    return bool(record.should_record_backprop(tensors) or pack_tangents(tensors).tangents)


def scaled(factor: Any, slope: Any, upstream: Any) -> Any:
    """A slope, times a factor and the derivative of what comes after, which stand for all that is in a place."""
    if type(factor) is not float or factor != 1.0:
        upstream = upstream * factor
    rank = len(upstream.shape)
    for _ in range(len(slope.shape) - rank if rank else 0):
        upstream = tf.expand_dims(upstream, -1)
    return slope * upstream


def in_one(code: Code, arguments: Sequence[Any], heard: Sequence[bool], large: bool = False) -> Any:
    """The values of tensors, `heard` of which a derivative may be asked for; None if that has to be made apart."""
    tapes = _tapes()
    is_light = large and code.is_light  # worked out when it is asked for: no operation multiplies it in memory
    if tapes is None or sum(heard) != 1 or not heard[code.prediction] or not (is_light or code.is_separable):
        return None
    record, pack_tangents = tapes
    pullback = code.pullbacks[code.prediction]
    assert pullback is not None, "a prediction is real"
    if pack_tangents(list(arguments)).tangents:
        return None
    with record.stop_recording():
        values, factor, slope = (code.value(*arguments), 1.0, None) if is_light else code.value_and_slope(*arguments)
        values = tf.identity(values) if any(values is each for each in arguments) else values

    def backward(upstream: Any) -> list[Any]:
        tensors = [*arguments, upstream]
        is_apart = slope is None or is_differentiated(tensors)
        return [pullback(*tensors)[0] if is_apart else scaled(factor, slope, upstream)]

    record.record_operation("Loss", [values], [arguments[code.prediction]], backward)
    return values

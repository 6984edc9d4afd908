"""A loss outside of TensorFlow's graphs, where a training step asks for value and gradient.

The gradient in the prediction is made together with the values, as `torch_eager` does it on torch: wherever what comes
after is a factor of it, nobody else's gradient is asked for, and nobody asks for a derivative of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from lossdsl.runtime.kernels import Code


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


def in_one(code: Code, arguments: Sequence[Any], heard: Sequence[bool]) -> Any:
    """The values of tensors, `heard` of which a derivative may be asked for; None if that has to be made apart."""
    tapes = _tapes()
    if tapes is None or sum(heard) != 1 or not heard[code.prediction] or not code.is_separable:
        return None
    record, pack_tangents = tapes
    pullback = code.pullbacks[code.prediction]
    assert pullback is not None, "a prediction is real"
    if pack_tangents(list(arguments)).tangents:
        return None
    with record.stop_recording():
        values, factor, slope = code.value_and_slope(*arguments)
        values = tf.identity(values) if any(values is each for each in arguments) else values

    def backward(upstream: Any) -> list[Any]:
        tensors = [*arguments, upstream]
        if record.should_record_backprop(tensors) or pack_tangents(tensors).tangents:  # asked for a derivative of this
            return [pullback(*tensors)[0]]
        if type(factor) is not float or factor != 1.0:
            upstream = upstream * factor
        rank = len(upstream.shape)
        for _ in range(len(slope.shape) - rank if rank else 0):
            upstream = tf.expand_dims(upstream, -1)
        return [slope * upstream]

    record.record_operation("Loss", [values], [arguments[code.prediction]], backward)
    return values

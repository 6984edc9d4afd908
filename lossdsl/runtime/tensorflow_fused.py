"""Losses of large tensors on TensorFlow, outside of `jit_compile`: XLA fuses what else is one operation after another.

The operations are marked, no more. TensorFlow compiles marked ones when they run: what XLA does not know, and what
comes with ever more shapes, it runs as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import tensorflow as tf

Function = Callable[..., Any]

LARGE = 2**18
"""From how many elements on it pays to fuse: below, it takes as long to call what was compiled."""
_BATCH = 32
"""What a length that is not known beforehand is taken for."""


def is_large(tensor: Any) -> bool:
    """Whether it pays to fuse what is made of a tensor; measured on processors alone."""
    size = 1
    for length in tensor.shape:
        size *= _BATCH if length is None else length
    return size >= LARGE and not _has_accelerator() and not _is_compiled()


def _is_compiled() -> bool:
    """Whether XLA has the whole graph; False if that is unknown."""
    try:
        from tensorflow.python.framework.ops import get_default_graph
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
    except ImportError:
        return False
    return not tf.executing_eagerly() and bool(GraphOrParentsInXlaContext(get_default_graph()))


@cache
def _has_accelerator() -> bool:
    return any(device.device_type != "CPU" for device in tf.config.list_physical_devices())


def marked() -> AbstractContextManager[Any]:
    """Marks the operations that are put into a graph; there are none outside of one."""
    found: AbstractContextManager[Any] = nullcontext() if tf.executing_eagerly() else tf.xla.experimental.jit_scope()
    return found


def fused(function: Function) -> Function:
    """A function of tensors whose operations are marked, in a graph of their own where there is none."""

    def inside(*tensors: Any) -> Any:
        with marked():
            return function(*tensors)

    def alone(*tensors: Any) -> Any:
        found = inside(*tensors)
        if not isinstance(found, tuple | list):
            return found
        like = found[-1]  # of a number of Python's a graph would make one of 32 bits
        return [tf.constant(one, like.dtype) if isinstance(one, float) else one for one in found]

    graphs: dict[tuple[int, ...], Function] = {}

    def called(*tensors: Any) -> Any:
        if not tf.executing_eagerly():
            return inside(*tensors)
        ranks = tuple(len(tensor.shape) for tensor in tensors)
        if ranks not in graphs:  # one graph takes all lengths, but of several ranks it would know none
            graphs[ranks] = tf.function(alone, autograph=False, reduce_retracing=True)
        return graphs[ranks](*tensors)

    return called

"""Packed inputs as arrays: what their components are together, and each of them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lossdsl.ir.axes import last_of
from lossdsl.ir.inputs import InputSpec

Array = np.ndarray[Any, Any]


def packed(spec: InputSpec, arrays: Sequence[Array]) -> Array:
    """An input of its components, side by side along the last axis."""
    if len(arrays) == 1:
        return arrays[0]
    pairs = zip(spec.nodes, arrays, strict=True)
    return np.concatenate([array if last_of(node.axes) else array[..., None] for node, array in pairs], axis=-1)


def components(spec: InputSpec, array: Array) -> list[Array]:
    """The inverse of `packed`."""
    if len(spec.nodes) == 1:
        return [array]
    pairs = zip(spec.nodes, spec.blocks(array.shape[-1]), strict=True)
    return [array[..., block] if last_of(node.axes) else array[..., block.start] for node, block in pairs]

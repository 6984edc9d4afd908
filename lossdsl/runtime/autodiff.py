"""What a backend's automatic differentiation makes of the code of a value, without our gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossConfigError, did_you_mean
from lossdsl.extras import is_installed, missing
from lossdsl.pipeline import Program
from lossdsl.runtime.execute import functions
from lossdsl.targets import code
from lossdsl.transform.guard import guarded
from lossdsl.transform.lower import lowered

Floats = NDArray[np.float64]


def check_installed(backend: str) -> None:
    """Raises LossConfigError where there is no such backend, LossImportError where it is not installed."""
    if backend not in _BACKENDS:
        hint = did_you_mean(backend, _BACKENDS) or f"there are {', '.join(_BACKENDS)}"
        raise LossConfigError(f"there is no backend `{backend}`", None, hint)
    if not is_installed(backend):
        raise missing(backend)


def tensor_of(backend: str) -> Callable[[Any], Any]:
    """What makes a backend's tensor of an array; labels are whole numbers of 32 bits, as JAX has no others."""

    def made(array: Any) -> Any:
        array = array.astype(np.int32) if array.dtype.kind == "i" else array
        if backend == "tensorflow":
            return import_module("tensorflow").constant(array)
        return import_module("jax.numpy").asarray(array) if backend == "jax" else import_module("torch").tensor(array)

    return made


def derivative(program: Program, backend: str) -> Callable[[Sequence[Any], Sequence[Any]], list[Floats | None]]:
    """A function of inputs (float64; labels int32) and parameters: the derivatives of the sum of all values.

    There is one for each input, None for a label. Raises LossImportError if the backend is not installed.
    """
    check_installed(backend)
    (value,) = guarded(lowered((program.stable,)), program.known)
    module = code.module([code.value_function(program.loss, value, backend)], backend)
    made = functions(module, program.loss.name)["value"]
    reals = [spec.is_real for spec in program.loss.inputs]

    def run(inputs: Sequence[Any], parameters: Sequence[Any]) -> list[Floats | None]:
        slopes = iter(_BACKENDS[backend](made, inputs, parameters, reals))
        return [next(slopes) if real else None for real in reals]

    return run


def _settings(parameters: Sequence[Any], tensor: Callable[[Any], Any]) -> list[Any]:
    """Parameters as arguments of the code: vectors and matrices as tensors, numbers as they are."""
    return [tensor(array) if np.ndim(array) else float(array) for array in parameters]


def _tensorflow(
    value: Callable[..., Any], inputs: Sequence[Any], parameters: Sequence[Any], reals: Sequence[bool]
) -> list[Floats]:
    import tensorflow as tf

    tensors = [tf.constant(array) for array in inputs]
    wanted = list(compress(tensors, reals))
    with tf.GradientTape() as tape:
        tape.watch(wanted)
        total = tf.reduce_sum(value(*tensors, *_settings(parameters, tf.constant)))
    slopes = tape.gradient(total, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [np.asarray(slope) for slope in slopes]


def _jax(
    value: Callable[..., Any], inputs: Sequence[Any], parameters: Sequence[Any], reals: Sequence[bool]
) -> list[Floats]:
    import jax

    # jax works in float32 unless told; it is told for these calls only. Older versions have the switch elsewhere.
    double = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64
    with double(True):
        tensors = [jax.numpy.asarray(array) for array in inputs]
        settings = _settings(parameters, jax.numpy.asarray)
        places = tuple(compress(range(len(reals)), reals))
        slopes = jax.grad(lambda *given: value(*given, *settings).sum(), places)(*tensors)
        return [np.asarray(slope) for slope in slopes]


def _torch(
    value: Callable[..., Any], inputs: Sequence[Any], parameters: Sequence[Any], reals: Sequence[bool]
) -> list[Floats]:
    import torch

    tensors = [torch.tensor(array, requires_grad=real) for array, real in zip(inputs, reals, strict=True)]
    total = value(*tensors, *_settings(parameters, torch.tensor)).sum()
    wanted = list(compress(tensors, reals))
    slopes = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad else [None] * len(wanted)
    return [
        np.zeros(tensor.shape) if slope is None else slope.numpy() for tensor, slope in zip(wanted, slopes, strict=True)
    ]


_BACKENDS: Mapping[str, Callable[..., list[Floats]]] = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
"""The derivatives of the sum of all values in each input that has one, given the code of the value."""

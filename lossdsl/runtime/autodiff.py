"""What a backend's automatic differentiation makes of the code of a value, without our gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
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
    return _BACKENDS[backend](made, [spec.is_real for spec in program.loss.inputs])


def _tensorflow(value: Callable[..., Any], reals: list[bool]) -> Callable[..., list[Floats | None]]:
    import tensorflow as tf

    def run(inputs: Sequence[Any], parameters: Sequence[Any]) -> list[Floats | None]:
        tensors = [tf.constant(array) for array in inputs]
        settings = [tf.constant(array) if np.ndim(array) else float(array) for array in parameters]
        with tf.GradientTape() as tape:
            wanted = [tensor for tensor, real in zip(tensors, reals, strict=True) if real]
            tape.watch(wanted)
            total = tf.reduce_sum(value(*tensors, *settings))
        slopes = iter(tape.gradient(total, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        return [np.asarray(next(slopes)) if real else None for real in reals]

    return run


def _jax(value: Callable[..., Any], reals: list[bool]) -> Callable[..., list[Floats | None]]:
    import jax

    # jax works in float32 unless told; it is told for these calls only. Older versions have the switch elsewhere.
    double = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64

    def run(inputs: Sequence[Any], parameters: Sequence[Any]) -> list[Floats | None]:
        with double(True):
            tensors = [jax.numpy.asarray(array) for array in inputs]
            settings = [jax.numpy.asarray(array) if np.ndim(array) else float(array) for array in parameters]
            places = tuple(place for place, real in enumerate(reals) if real)
            found = jax.grad(lambda *given: value(*given, *settings).sum(), places)(*tensors)
            slopes = iter([np.asarray(slope) for slope in found])
        return [next(slopes) if real else None for real in reals]

    return run


def _torch(value: Callable[..., Any], reals: list[bool]) -> Callable[..., list[Floats | None]]:
    import torch

    def run(inputs: Sequence[Any], parameters: Sequence[Any]) -> list[Floats | None]:
        tensors = [torch.tensor(array, requires_grad=real) for array, real in zip(inputs, reals, strict=True)]
        settings = [torch.tensor(array) if np.ndim(array) else float(array) for array in parameters]
        total = value(*tensors, *settings).sum()
        wanted = [tensor for tensor, real in zip(tensors, reals, strict=True) if real]
        found = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad else [None] * len(wanted)
        slopes = iter(found)
        results: list[Floats | None] = []
        for tensor, real in zip(tensors, reals, strict=True):
            slope = next(slopes) if real else None
            results.append(None if not real else np.zeros(tensor.shape) if slope is None else slope.numpy())
        return results

    return run


_BACKENDS: dict[str, Callable[..., Callable[..., list[Floats | None]]]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}

"""A loss as a function of a backend's tensors, with our gradient.

Ours is used on every backend, so that kinks and unselected pieces are treated alike on all; docs/performance.md has
what it costs and gains beside Keras. It is written to be recomputed from the arguments, so that second derivatives
come out by differentiating it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from lossdsl.errors import LossConfigError
from lossdsl.runtime.execute import functions
from lossdsl.runtime.spec import LoadedLoss

Kernel = Callable[[list[Any], list[Any]], Any]
"""Takes the inputs, aligned, and the parameters; gives one value a sample (and place), or one number."""


def kernel(spec: LoadedLoss, backend: str) -> Kernel:
    """The function of a loss for a Keras backend; made once for each loss."""
    if backend not in _MAKERS:
        known = ", ".join(_MAKERS)
        raise LossConfigError(
            f"there is no code for the Keras backend {backend}", None, f"set KERAS_BACKEND to one of: {known}"
        )
    made = _made.setdefault(spec, {})
    if backend not in made:
        made[backend] = _MAKERS[backend](spec)
    return made[backend]


_made: WeakKeyDictionary[LoadedLoss, dict[str, Kernel]] = WeakKeyDictionary()


def _tensorflow(spec: LoadedLoss) -> Kernel:
    import tensorflow as tf

    code = functions(spec.program.module("tensorflow"), spec.name)
    value, pullback = code["value"], code["pullback"]
    is_real = [one.is_real for one in spec.program.loss.inputs]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def call(inputs: list[Any], parameters: list[Any]) -> Any:
        dtype = inputs[spec.program.loss.inputs.index(spec.program.loss.prediction)].dtype
        settings = [each if isinstance(each, float) else tf.constant(each, dtype) for each in parameters]

        def with_gradient(*tensors: Any) -> tuple[Any, Callable[..., Any]]:
            def gradient(upstream: Any) -> list[Any]:
                slopes = iter(pullback(*tensors, *settings, upstream))
                return [next(slopes) if real else None for real in is_real]

            return value(*tensors, *settings), gradient

        return tf.custom_gradient(with_gradient)(*inputs)

    return call  # type: ignore[no-any-return]


def _jax(spec: LoadedLoss) -> Kernel:
    import jax
    import jax.numpy as jnp
    import numpy as np

    code = functions(spec.program.module("jax"), spec.name)
    value, pullback = code["value"], code["pullback"]
    is_real = [one.is_real for one in spec.program.loss.inputs]

    def call(inputs: list[Any], parameters: list[Any]) -> Any:
        dtype = inputs[spec.program.loss.inputs.index(spec.program.loss.prediction)].dtype
        settings = [each if isinstance(each, float) else jnp.asarray(each, dtype) for each in parameters]

        @jax.custom_vjp  # type: ignore[untyped-decorator]
        def with_gradient(*tensors: Any) -> Any:
            return value(*tensors, *settings)

        def forward(*tensors: Any) -> tuple[Any, tuple[Any, ...]]:
            return with_gradient(*tensors), tensors

        def backward(tensors: tuple[Any, ...], upstream: Any) -> tuple[Any, ...]:
            slopes = iter(pullback(*tensors, *settings, upstream))
            nothing = jax.dtypes.float0
            return tuple(
                next(slopes) if real else np.zeros(tensor.shape, nothing)
                for real, tensor in zip(is_real, tensors, strict=True)
            )

        with_gradient.defvjp(forward, backward)
        return with_gradient(*inputs)

    return call


def _torch(spec: LoadedLoss) -> Kernel:
    import torch

    code = functions(spec.program.module("torch"), spec.name)
    value, pullback = code["value"], code["pullback"]
    is_real = [one.is_real for one in spec.program.loss.inputs]

    def call(inputs: list[Any], parameters: list[Any]) -> Any:
        like = inputs[spec.program.loss.inputs.index(spec.program.loss.prediction)]
        settings = [
            each if isinstance(each, float) else torch.as_tensor(each, dtype=like.dtype, device=like.device)
            for each in parameters
        ]

        class WithGradient(torch.autograd.Function):  # type: ignore[misc]
            """The gradient is computed from the saved inputs, in operations that torch can differentiate again."""

            @staticmethod
            def forward(context: Any, *tensors: Any) -> Any:
                context.save_for_backward(*tensors)
                return value(*tensors, *settings)

            @staticmethod
            def backward(context: Any, upstream: Any) -> Any:
                slopes = iter(pullback(*context.saved_tensors, *settings, upstream))
                return tuple(next(slopes) if real else None for real in is_real)

        return WithGradient.apply(*inputs)

    return call


_MAKERS: dict[str, Callable[[LoadedLoss], Kernel]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}


"""A loss outside of torch's compilers and function transforms, where a training step asks for value and gradient.

The gradient in the prediction is made together with the values, with which it shares most of its work, wherever what
comes after is a factor of it; the backward pass then multiplies. Every other call is up to the code's own function,
which has each mode of differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from lossdsl.ir.axes import BATCH, SPACE

if TYPE_CHECKING:
    from lossdsl.runtime.kernels import Code

_are_transformed: Any = getattr(torch._C, "_are_functorch_transforms_active", None)


def carried(code: Code, arguments: Sequence[Any]) -> Any:
    """The values of tensors, to be differentiated in every mode."""
    if _are_transformed is None or _are_transformed() or torch.compiler.is_compiling():
        return code.carried(*arguments)
    if torch.autograd.forward_ad._current_level >= 0:
        return code.carried(*arguments)
    heard = [each.requires_grad for each in arguments] if torch.is_grad_enabled() else []
    if True not in heard:
        return code.value(*arguments)
    if heard.count(True) > 1 or not heard[code.prediction] or not code.is_separable:
        return code.carried(*arguments)
    return _InOne.apply(code, *arguments)


class _InOne(torch.autograd.Function):  # type: ignore[misc]
    """The values of a code, and with them its gradient in the prediction for a derivative of 1 in each."""

    @staticmethod
    def forward(ctx: Any, code: Code, *arguments: Any) -> Any:
        prediction = arguments[code.prediction]
        ones = prediction.new_ones(()).expand(_lengths(code, tuple(prediction.shape)))
        wanted = [place == code.prediction for place in range(len(code.pullbacks))]
        values, slope = code.joint(wanted)(*arguments, ones)
        assert values.shape == ones.shape, "a value for each place"
        ctx.code = code
        ctx.save_for_backward(slope, *arguments)
        return values

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
        slope, *arguments = ctx.saved_tensors
        place = ctx.code.prediction
        if torch.is_grad_enabled():  # asked for a derivative of this
            (found,) = ctx.code.pullbacks[place](*arguments, upstream)
        else:
            found = slope * upstream.reshape(*upstream.shape, *[1] * (len(slope.shape) - len(upstream.shape)))
        return None, *(found if at == place else None for at in range(len(arguments)))


def _lengths(code: Code, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the values for a prediction of a shape."""
    axes = code.program.loss.result.axes
    if BATCH not in axes:
        return ()
    return shape[: len(shape) - code.program.loss.prediction.is_full] if SPACE in axes else shape[:1]

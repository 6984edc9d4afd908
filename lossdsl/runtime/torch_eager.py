"""A loss outside of torch's compilers and function transforms, where a training step asks for value and gradient.

The gradient in the prediction is made together with the values, with which it shares most of its work, wherever what
comes after is a factor of it; the backward pass then multiplies. Every other call is up to the code's own function,
which has each mode of differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

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
    """The values of a code, and with them its gradient in the prediction but for a factor that each value has."""

    @staticmethod
    def forward(ctx: Any, code: Code, *arguments: Any) -> Any:
        values, factor, slope = code.value_and_slope(*arguments)
        ctx.code, ctx.factor = code, factor
        ctx.save_for_backward(slope, *arguments)
        return values

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
        slope, *arguments = ctx.saved_tensors
        place = ctx.code.prediction
        if torch.is_grad_enabled():  # asked for a derivative of this
            (found,) = ctx.code.pullbacks[place](*arguments, upstream)
        else:
            if type(ctx.factor) is not float or ctx.factor != 1.0:
                upstream = upstream * ctx.factor
            found = slope * upstream.reshape(*upstream.shape, *[1] * (len(slope.shape) - len(upstream.shape)))
        return None, *(found if at == place else None for at in range(len(arguments)))


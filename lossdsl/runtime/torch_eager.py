"""A loss outside of torch's compilers and function transforms, where a training step asks for value and gradient.

The gradient in the prediction is made together with the values, with which it shares most of its work, wherever what
comes after is a factor of it; the backward pass then multiplies. Every other call is up to the code's own function,
which has each mode of differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from lossdsl.ir.axes import BATCH

if TYPE_CHECKING:
    from lossdsl.runtime.kernels import Code

_BLOCK = 2**19
"""How many bytes of the prediction one thread works with at a time, as in `runtime.by_rows`."""

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
        found, is_own = _by_rows(code, arguments)
        values, factor, slope = found
        ctx.code, ctx.factor, ctx.slope, ctx.is_own = code, factor, slope, is_own
        ctx.save_for_backward(*arguments)
        return values

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
        arguments = ctx.saved_tensors
        place = ctx.code.prediction
        slope = ctx.slope
        if torch.is_grad_enabled() or slope is None:  # asked for a derivative of this, or a second time
            (found,) = ctx.code.pullbacks[place](*arguments, upstream)
        else:
            if type(ctx.factor) is not float or ctx.factor != 1.0:
                upstream = upstream * ctx.factor
            upstream = upstream.reshape(*upstream.shape, *[1] * (len(slope.shape) - len(upstream.shape)))
            if ctx.is_own and _is_plain(upstream):
                found, ctx.slope = slope.mul_(upstream), None
            else:
                found = slope * upstream
        return None, *(found if at == place else None for at in range(len(arguments)))


def _by_rows(code: Code, arguments: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """What `value_and_slope` gives, of large tensors made some samples at a time: what is between stays in a cache.

    Beside it whether the slope is an array of its own, and no part of the arguments.
    """
    prediction = arguments[code.prediction]
    block = _BLOCK * torch.get_num_threads()
    size = prediction.numel() * prediction.itemsize
    if size < 2 * block or not prediction.is_cpu or not code.program.is_by_rows:
        return code.value_and_slope(*arguments), False
    loss, count = code.program.loss, len(prediction)
    has_rows = [BATCH in one.over for one in loss.inputs]
    if any(len(each) != count for each, has in zip(arguments, has_rows, strict=False) if has):
        return code.value_and_slope(*arguments), False
    has_rows += [False] * (len(arguments) - len(has_rows))
    step = max(1, count * block // size)
    results: list[Any] = []
    for start in range(0, count, step):
        some = [each[start : start + step] if has else each for each, has in zip(arguments, has_rows, strict=True)]
        parts = code.value_and_slope(*some)
        results = results or [part.new_empty((count, *part.shape[1:])) if _is_array(part) else part for part in parts]
        for result, part in zip(results, parts, strict=True):
            if _is_array(part):
                result[start : start + step] = part
    return results, True


def _is_plain(tensor: Any) -> bool:
    """Whether a tensor stands for itself, not for several, as upstream derivatives do under `is_grads_batched`."""
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True


def _is_array(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and part.ndim > 0

"""A linear layer and a loss in one for plain torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from lossdsl.fused.linear import FusedLinear, TensorLibrary
from lossdsl.fused.torch_chunks import TorchChunks
from lossdsl.runtime.torch_graphs import whole_in_graph
from lossdsl.source import Source


def fused_linear(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    /,
    *,
    reduction: str = "mean",
    chunk: int | None = None,
    **parameters: Any,
) -> FusedLinear:
    """The loss of `torch.nn.functional.linear(hidden, weight, bias)`, whose logits are never there as a whole.

    Args:
        source: as for `lossdsl.load`. Any loss in which each place has its own logits to itself; what comes after, such
            as a sum over the tokens of a sequence, may take places together.
        reduction: "mean", where the sum of the weights divides, "sum", or "none" for one value a place.
        chunk: how many places are worked out at a time; by default as many as have four million logits.
        **parameters: values for the parameters of the loss.

    Returns:
        A function `(hidden, weight, target, bias=None, sample_weight=None)`; see `FusedLinear.__call__`. It can be
        differentiated backward, twice if need be, compiled by `torch.compile`, and mapped by `torch.func.vmap`. There
        is no forward mode. Inside `torch.autocast` products are in float32, as outside.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    >>> import torch
    >>> loss = fused_linear("sparse_categorical_crossentropy", from_logits=True)
    >>> weight = torch.zeros(8, 3, requires_grad=True)
    >>> value = loss(torch.ones(2, 3), weight, torch.tensor([0, 5]))
    >>> round(float(value.detach()), 4)
    2.0794
    >>> value.backward()
    >>> weight.grad[0]
    tensor([-0.3750, -0.3750, -0.3750])
    """
    return FusedLinear(_TORCH, source, reduction, chunk, parameters)


def _real(value: Any) -> torch.Tensor:
    found = torch.as_tensor(value)
    return found if found.is_floating_point() else found.to(torch.get_default_dtype())


def _ones(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    dtype = like.dtype if like.dtype == torch.float64 else torch.float32
    return torch.ones(shape, dtype=dtype, device=like.device)


def _label(value: Any) -> torch.Tensor:
    return torch.as_tensor(value).long()


_TORCH = TensorLibrary("torch", TorchChunks, _real, _label, _ones, torch.broadcast_to, True, whole_in_graph)

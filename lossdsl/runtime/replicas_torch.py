"""The replicas of `torch.distributed`: processes that train one model, as under DistributedDataParallel."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed

from lossdsl.runtime.replicas import Replicas


class TorchReplicas(Replicas):
    """The processes of a group, which averages their gradients."""

    def __init__(self, group: Any) -> None:
        self._group = group

    @classmethod
    def here(cls, group: Any = None) -> TorchReplicas | None:
        """The processes of a group, by default of all of them; None if there is one, or this is none of them."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return None
        is_alone = distributed.get_rank(group) < 0 or distributed.get_world_size(group) == 1
        return None if is_alone else cls(group)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def whole(self, tensor: Any) -> Any:
        """The parts of all processes. Its gradient adds up theirs, and takes the part of this process."""
        lengths = self._lengths(tensor)
        if tensor.dtype == torch.bool:
            return _Gather.apply(tensor.to(torch.uint8), self._group, lengths).to(torch.bool)
        return _Gather.apply(tensor, self._group, lengths)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def own(self, values: Any, part: Any) -> Any:
        """The values of the samples of this process."""
        return values[_place(self._lengths(part), self._group)]

    def _lengths(self, part: Any) -> tuple[int, ...]:
        """How many samples each of the processes has."""
        own = torch.tensor([part.shape[0]], device=part.device)
        found = [torch.empty_like(own) for _ in range(distributed.get_world_size(self._group))]
        distributed.all_gather(found, own, group=self._group)
        return tuple(torch.cat(found).tolist())


def _place(lengths: tuple[int, ...], group: Any) -> slice:
    rank = distributed.get_rank(group)
    return slice(sum(lengths[:rank]), sum(lengths[: rank + 1]))


class _Gather(torch.autograd.Function):  # type: ignore[misc]
    """The parts of all processes, one after the other; adding up and taking a part is its transpose."""

    @staticmethod
    def forward(tensor: Any, group: Any, lengths: tuple[int, ...]) -> Any:
        # Parts of one length are what every backend sends.
        padded = tensor.new_zeros((max(lengths), *tensor.shape[1:]))
        padded[: tensor.shape[0]] = tensor
        parts = [torch.empty_like(padded) for _ in lengths]
        distributed.all_gather(parts, padded, group=group)
        return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.group, ctx.lengths = inputs

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, None, None]:
        return _Scatter.apply(upstream, ctx.group, ctx.lengths), None, None


class _Scatter(torch.autograd.Function):  # type: ignore[misc]
    """Of the sum of what the processes have, the part of this one."""

    @staticmethod
    def forward(tensor: Any, group: Any, lengths: tuple[int, ...]) -> Any:
        total = tensor.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total, group=group)
        return total[_place(lengths, group)]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.group, ctx.lengths = inputs

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, None, None]:
        return _Gather.apply(upstream.contiguous(), ctx.group, ctx.lengths), None, None

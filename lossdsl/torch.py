"""Losses for plain torch, without Keras.

    lossdsl.torch.Loss("huber", delta=0.5)(input, target)

An `nn.Module` with the arguments in torch's order, and our gradient in backward, forward and vmapped modes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lossdsl.api import named
from lossdsl.errors import LossConfigError
from lossdsl.extras import load
from lossdsl.runtime.given import is_dense, no_tensor
from lossdsl.runtime.native import NativeLoss, check_parameter
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.weighted_values import check_reduction
from lossdsl.source import Source, normal_name

if TYPE_CHECKING:
    from lossdsl.runtime.twin import Twin

torch = load("torch")

from lossdsl.fused.heads import Head  # noqa: E402 - what follows imports the library itself
from lossdsl.fused.torch_linear import fused_linear  # noqa: E402
from lossdsl.runtime.replicas_torch import TorchReplicas  # noqa: E402


class Loss(torch.nn.Module):  # type: ignore[misc,name-defined]
    """A loss of torch's tensors: `loss(input, target, weight=None)`, further inputs by name.

    Args:
        source: a path, a built-in's name, or the text of a formula or file, as `lossdsl.load` takes them.
        reduction: "mean", "sum", or "none" for one value a sample (and place).
        axis: the axis or axes that play `last`; 1 for class scores as torch has them, `(N, C, H, W)`; None for all.
        gather: what a loss does that takes the samples of a batch together, where processes have a part of it each.
            "auto": it gathers the parts of all of them, if `torch.distributed` was initialized; each has to call the
            loss then, and has the loss of the whole for its result. A group of processes: those of that group. None: it
            sees the part that it is given. Losses of single samples gather nothing.
        **parameters: values for the parameters of the loss. Numbers become part of the code. A tensor stays a tensor:
            an `nn.Parameter` is learned, any other is a buffer, and both are in `state_dict`.

    Shapes:
        input `(N, …)` or `(N, …, D)`, as the loss has it, and target likewise; a label has whole numbers, without the
        last axis. An input of rank 1 is a batch of numbers, or, for a loss of several classes or components, one
        sample. Beside one trailing axis of length 1 nothing is broadcast. weight `(N,)` or `(N, …)`: one number a
        sample, or one a sample and place; under "mean" the sum of the weights divides, as in torch's own losses.

    The target takes the dtype and the device of the input. Inside `torch.autocast` the loss is worked out in float32.

    Raises:
        LossError: what was wrong, where, and what to do about it.

    >>> import lossdsl.torch
    >>> loss = lossdsl.torch.Loss("huber", delta=1.0)
    >>> float(loss(torch.tensor([0.5, 3.0]), torch.zeros(2)))
    1.3125
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Source | Mapping[str, Any],
        reduction: str = "mean",
        *,
        axis: int | tuple[int, ...] | None = -1,
        gather: Any = "auto",
        **parameters: Any,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if isinstance(gather, str) and gather != "auto":
            raise LossConfigError(f"there is no gather {gather!r}", None, '"auto", None, or a group of processes')
        self.reduction = reduction
        self.gather = gather
        given = {normal_name(name): value for name, value in parameters.items()}
        live = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
        plain = {name: value for name, value in given.items() if name not in live}
        self.spec = LoadedLoss(*named(source, axis, plain, ("reduction", "name", "dtype")), live=frozenset(live))
        self._attributes = {name: self._registered(name, value) for name, value in live.items()}
        self._native = self._made()
        known = {name: value for name, value in live.items() if type(value) in _REAL and not value.is_meta}
        self._native.check_values({name: value.detach().cpu().tolist() for name, value in known.items()})

    def _made(self) -> NativeLoss:
        return NativeLoss(self.spec, "torch", ("input", "target", "weight"))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_native": None}  # generated functions are made again where they arrive

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._native = self._made()

    @property
    def numpy(self) -> Twin:
        """The loss on numpy arrays, with the numbers that its parameters have now."""
        values = {name: getattr(self, one).detach().cpu().numpy() for name, one in self._attributes.items()}
        return LoadedLoss(self.spec.origin, self.spec.axis, {**self.spec.parameters, **values}).numpy

    def _registered(self, name: str, value: Any) -> str:
        """The attribute in which a parameter is kept."""
        (spec,) = (one for one in self.spec.program.loss.parameters if one.name == name)
        check_parameter(self.spec.name, spec, tuple(value.shape))
        attribute = f"{name}_" if hasattr(self, name) else name
        keep = self.register_parameter if isinstance(value, torch.nn.Parameter) else self.register_buffer
        keep(attribute, value)
        return attribute

    def extra_repr(self) -> str:
        """What `print` shows of the module."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.spec.parameters.items())
        return f"{self.spec.name}{', ' if values else ''}{values}, reduction={self.reduction!r}"

    def forward(self, input: Any, target: Any = None, weight: Any = None, **others: Any) -> Any:
        """The loss of a prediction and its target.

        Args:
            input: the prediction, of a floating dtype, in the shape that the loss takes: `(n,)`, `(n, k)` or more axes.
            target: as many samples, of any real dtype; labels are whole numbers. None for a loss without a target.
            weight: one number a sample, or one a sample and place.
            others: further inputs of the loss, by name.

        Raises:
            LossError: shapes that do not agree, an input that is missing or that the loss does not have.
        """
        native = self._native
        live = {name: getattr(self, attribute) for name, attribute in self._attributes.items()}
        inputs = native.ordered(input, target, others)
        compiling = torch.compiler.is_compiling()
        if not compiling:
            inputs = [_tensor(native.name, name, each) for name, each in zip(native.inputs, inputs, strict=True)]
            native.check_shapes(tuple([tuple(each.shape) for each in inputs]), live)
        device = inputs[native.place].device.type
        if not torch.is_autocast_enabled(device):
            return self._loss(inputs, live, weight, compiling=compiling)
        with torch.autocast(device, enabled=False):  # as torch's own losses, it is worked out in 32 bits there
            return self._loss([_widened(each) for each in inputs], live, weight, compiling=compiling)

    def _loss(self, inputs: list[Any], live: dict[str, Any], weight: Any, *, compiling: bool) -> Any:
        native = self._native
        replicas = self._replicas(inputs[native.place])
        part = inputs[native.place]
        inputs = inputs if replicas is None else native.gathered(inputs, replicas)
        inputs = native.aligned(inputs, torch.permute)
        values = native.values(inputs, live, compiling=compiling)
        if weight is not None:
            weight = weight if compiling else _tensor(native.name, "weight", weight)
            weight = torch.as_tensor(weight, dtype=values.dtype, device=values.device)
        return native.reduced(values, weight, self.reduction, part, replicas)

    def _replicas(self, prediction: Any) -> TorchReplicas | None:
        """The processes that have the other parts of the batch, if the loss takes it whole."""
        if self.gather is None or not self._native.couples_samples(prediction):
            return None
        return TorchReplicas.here(None if self.gather == "auto" else self.gather)


_REAL = (torch.Tensor, torch.nn.Parameter)
"""Tensors that have numbers, as those of torch's tracing have not."""


def _widened(tensor: Any) -> Any:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _tensor(loss: str, name: str, value: Any) -> Any:
    if not is_dense(value):
        raise no_tensor(loss, name, value)
    try:
        found = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise no_tensor(loss, name, value, error) from None
    if found.is_complex():
        raise no_tensor(loss, name, value)
    return found


__all__ = ["Head", "Loss", "fused_linear"]

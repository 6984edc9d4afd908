"""The loss of a linear layer's output that is never made, for plain torch and JAX: what both have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lossdsl.api import named
from lossdsl.errors import LossConfigError, LossTypeError, format_value
from lossdsl.fused.heads import Head, aligned, arguments, fitted_weight, targets
from lossdsl.fused.steps import Steps, check_chunk, steps
from lossdsl.ir.axes import BATCH
from lossdsl.ir.inputs import InputSpec
from lossdsl.runtime.given import is_dense, no_tensor
from lossdsl.runtime.kernels import kernel
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.source import Source

REDUCTIONS = ("mean", "sum", "none")


class Chunks(Protocol):
    """The code of a loss over chunks, on one backend."""

    def place_values(self, arguments: list[Any]) -> tuple[Any, ...]:
        """Each place value, `(places,)`."""

    def weighted_total(self, weights: list[Any], arguments: list[Any]) -> Any:
        """The sum of all place values, each times its weight `(places,)`."""


@dataclass(frozen=True)
class TensorLibrary:
    """What a loss needs of a tensor library."""

    backend: str
    chunks: Callable[[Steps, int | None, int], Chunks]
    real: Callable[[Any], Any]
    """A tensor of floating numbers, in a dtype of its own if it has one."""
    label: Callable[[Any], Any]
    ones: Callable[[tuple[int, ...], Any], Any]
    """Ones of a shape, in the dtype of the work, where a tensor lies."""
    spread: Callable[[Any, tuple[Any, ...]], Any]
    """A tensor over a larger shape, as numpy's `broadcast_to`."""
    is_classes_first: bool = False
    """Whether a kernel is `(classes, hidden)`."""
    opaque: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function
    """Keeps a compiler from reading the Python of a function, where it would: it sees the tensors alone."""


class FusedLinear:
    """The loss of a linear layer's output that is never made: what `fused_linear` gives."""

    def __init__(
        self,
        library: TensorLibrary,
        source: str | os.PathLike[str] | Source | Mapping[str, Any],
        reduction: str,
        chunk: int | None,
        parameters: Mapping[str, Any],
    ) -> None:
        if reduction not in REDUCTIONS:
            known = ", ".join(f'"{one}"' for one in REDUCTIONS)
            raise LossConfigError(f"`reduction` is one of {known}, not {format_value(reduction)}")
        check_chunk(chunk)
        self.spec = LoadedLoss(*named(source, -1, parameters))
        self.reduction = reduction
        self.chunk = chunk
        self._library = library
        self._evaluated = library.opaque(lambda *given: self._value(*given))
        self._made: dict[tuple[Any, ...], tuple[Steps, Chunks]] = {}

    def __repr__(self) -> str:
        return f"<fused linear layer and {self.spec!r}>"

    def __call__(
        self, hidden: Any, weight: Any, target: Any = None, bias: Any = None, sample_weight: Any = None
    ) -> Any:
        """The loss, reduced; with `reduction="none"` one value a place.

        Args:
            hidden: hidden states `(batch, ..., hidden)`, of any floating dtype.
            weight: the weight of the layer: `(classes, hidden)` on torch, `(hidden, classes)` on JAX.
            target: the target; with extra inputs a tuple of target and inputs, or a mapping by name. An input over the
                classes may be a `Head`, as the logits of a teacher are.
            bias: the bias of the layer, `(classes,)`.
            sample_weight: a weight for each sample, or for each sample and place.

        Returns:
            A number, or one value a place, in float32 (float64 where hidden states or a weight are).

        Raises:
            LossShapeError: shapes that do not agree.
            LossTypeError: inputs that are missing, or a loss that takes the logits of several places together.
        """
        return self._evaluated(hidden, weight, target, bias, sample_weight)

    def _value(self, hidden: Any, weight: Any, target: Any, bias: Any, sample_weight: Any) -> Any:
        spec, label = self.spec, self.spec.name
        loss = spec.program.loss
        parts = {**targets(spec, target, label), loss.prediction.identifier: Head(hidden, weight, bias)}
        given = {one.identifier: self._input(one, parts[one.identifier]) for one in loss.inputs}
        places, inputs = aligned(spec, given, label)
        of_loss, chunks = self._chunks(given)
        flat = arguments(spec, inputs, places, lambda tensor, shape: tensor.reshape(shape), self._library.spread)
        if of_loss.rest is None and self.reduction != "none":
            weights = self._weights(sample_weight, places, self._library.real(hidden))
            if self.reduction == "mean":
                weights = weights / _divisor(weights)
            return chunks.weighted_total([weights.reshape(-1)], flat)
        values = [value.reshape(places) for value in chunks.place_values(flat)]
        found = values[0] if of_loss.rest is None else self._of_places(of_loss, values, inputs)
        return self._reduced(found, sample_weight, of_loss)

    def _input(self, spec: InputSpec, value: Any) -> Any:
        library = self._library
        if not isinstance(value, Head):
            return self._tensor(library.label if spec.is_label else library.real, spec.name, value)
        if spec.is_label:
            message = f"{self.spec.name}: `{spec.name}` is a label, one whole number a place, and no layer makes it"
            raise LossTypeError(message, None, "give the labels themselves")
        hidden, kernel = (self._tensor(library.real, spec.name, one) for one in value[:2])
        bias = None if value.bias is None else self._tensor(library.real, spec.name, value.bias)
        return Head(hidden, kernel.T if library.is_classes_first else kernel, bias)

    def _tensor(self, make: Callable[[Any], Any], name: str, value: Any) -> Any:
        if value is None or not is_dense(value):
            raise no_tensor(self.spec.name, name, value)
        try:
            return make(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise no_tensor(self.spec.name, name, value, error) from None

    def _chunks(self, given: Mapping[str, Any]) -> tuple[Steps, Chunks]:
        """The code for inputs, made once for each kind of them."""
        heads = {name: value for name, value in given.items() if isinstance(value, Head)}
        counts = {name: int(value.kernel.shape[1]) for name, value in heads.items()}
        classes = counts[self.spec.program.loss.prediction.identifier]
        key = tuple((name, counts[name], value.bias is not None) for name, value in heads.items())
        if key not in self._made:
            biased = [value.bias is not None for value in heads.values()]
            of_loss = steps(self.spec, counts, biased, self._library.backend)
            self._made[key] = of_loss, self._library.chunks(of_loss, self.chunk, classes)
        return self._made[key]

    def _of_places(self, of_loss: Steps, values: list[Any], inputs: Mapping[str, Any]) -> Any:
        """The loss of the place values."""
        assert of_loss.rest is not None
        parts = {**inputs, **dict(zip(of_loss.names, values, strict=True))}
        given = [parts[one.identifier] for one in of_loss.rest.program.loss.inputs]
        return kernel(of_loss.rest, self._library.backend)(given, of_loss.rest.arguments(None))

    def _reduced(self, values: Any, sample_weight: Any, of_loss: Steps) -> Any:
        loss = of_loss.loss
        if BATCH not in loss.result.axes:
            if sample_weight is not None:
                message = f"{loss.name} is one number for the whole batch, which has no weight a sample"
                raise LossTypeError(message, None, "let the weights be an input of the formula")
            return values
        weights = self._weights(sample_weight, tuple(values.shape), values)
        values = values * weights
        if self.reduction == "none":
            return values
        return values.sum() / _divisor(weights) if self.reduction == "mean" else values.sum()

    def _weights(self, weight: Any, shape: tuple[int, ...], like: Any) -> Any:
        """One weight a value."""
        ones = self._library.ones(shape, like)
        return ones if weight is None else ones * fitted_weight(self._library.real(weight), shape, self.spec.name)


def _divisor(weights: Any) -> Any:
    """The sum of weights, by which a mean is divided; 1 where that is 0."""
    total = weights.sum()
    return total + (total == 0)

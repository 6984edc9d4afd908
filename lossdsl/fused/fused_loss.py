"""The Keras loss of hidden states: the last layer is worked out inside it, a few places at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from weakref import WeakValueDictionary

import keras
from keras import ops

from lossdsl.errors import LossConfigError, LossShapeError
from lossdsl.fused.heads import Head, aligned, arguments
from lossdsl.fused.linear import Chunks
from lossdsl.fused.steps import Steps, steps
from lossdsl.ir.axes import BATCH, LAST
from lossdsl.ir.inputs import InputSpec
from lossdsl.runtime import keras_internals
from lossdsl.runtime.evaluate import (
    Evaluation,
    aligned_mask,
    given_targets,
    input_tensor,
    masked,
    own_weights,
    weights,
    whole,
)
from lossdsl.runtime.keras_loss import CompiledLoss, default_name
from lossdsl.runtime.kernels import kernel
from lossdsl.runtime.replicas import Replicas
from lossdsl.runtime.spec import LoadedLoss


@dataclass(frozen=True)
class _Given:
    """What a loss was called with, and the code for it."""

    inputs: Mapping[str, Any]
    flat: list[Any]
    places: tuple[Any, ...]
    mask: Any
    steps: Steps
    chunks: Chunks

    def values(self) -> list[Any]:
        """Each place value, over the places."""
        return [ops.reshape(value, self.places) for value in self.chunks.place_values(self.flat)]


_CHUNKS = {"tensorflow": "TensorFlowChunks", "jax": "JaxChunks", "torch": "TorchChunks"}
RESTORED: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""By mark, the layers that were read from a file: Keras reads those of a model first, and its loss after them."""

_REMEDY = "compile the model with `loss=head.loss` of the `FusedDense` at its end"


@keras.saving.register_keras_serializable(package="lossdsl", name="FusedLoss")
class FusedLoss(CompiledLoss):
    """The loss of a `FusedDense`, its `head`: called with the hidden states that the layer gave on.

    Called as Keras calls a loss, `loss(y_true, y_pred, sample_weight=None)`. Saved with its model by its head, which is
    a layer of that model.
    """

    def __init__(self, head: Any, spec: LoadedLoss, reduction: str | None) -> None:
        super().__init__(spec, default_name(spec.name), reduction, None)
        self._layer: Callable[[], Any] = lambda: head  # as an attribute it is a loop to what saves models
        self._made: dict[tuple[Any, ...], tuple[Steps, Chunks]] = {}

    def __repr__(self) -> str:
        return f"<loss {self.spec!r} of the layer {self._layer().name}>"

    @keras_internals.opaque
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss."""
        given = self._given(y_true, y_pred, keras_internals.mask_of(y_pred))
        if given.steps.rest is not None or self.reduction in (None, "none"):
            return super().__call__(y_true, y_pred, sample_weight)
        with keras.name_scope(self.name):
            ones = ops.ones(given.places, dtype=self.dtype)
            own = own_weights(self.spec, sample_weight)
            weight = None if own is None else weights(own, ones, self.dtype, self.name)
            counts = keras_internals.coefficients(ones, weight, given.mask, self.reduction, self.dtype)
            return given.chunks.weighted_total([ops.reshape(counts, (-1,))], given.flat)

    def _values(
        self, y_true: Any, y_pred: Any, mask: Any, sample_weight: Any, replicas: Replicas | None
    ) -> tuple[Any, Any]:
        """One value a sample, and which of them count (None: all)."""
        given = self._given(y_true, y_pred, mask)
        found = given.values()
        rest, mask, is_single = given.steps.rest, given.mask, False
        if rest is not None and mask is not None and any(given.steps.has_bias):
            # What comes after takes places together, the masked ones as well, whose logits are to be 0.
            at_rest = self._harmless(given).values()
            found = [ops.where(mask, value, other) for value, other in zip(found, at_rest, strict=True)]
        if replicas is not None:  # the values of all places, which are less than the states that they are made of
            found = [replicas.whole(value) for value in found]
            mask = mask if mask is None else replicas.whole(mask)
        values = found[0]
        if rest is not None:
            named = dict(zip(given.steps.names, found, strict=True))
            for one in rest.program.loss.inputs:
                if one.identifier not in named:
                    own = given.inputs[one.identifier]
                    named[one.identifier] = own if replicas is None else whole(one, own, replicas)
            inputs = [named[one.identifier] for one in rest.program.loss.inputs]
            values = kernel(rest, keras.backend.backend())(inputs, rest.arguments(None))
            is_single = BATCH not in rest.program.loss.result.axes
        return Evaluation(values, mask, y_pred if replicas is None else found[0], is_single).by_sample()

    def _given(self, y_true: Any, y_pred: Any, mask: Any) -> _Given:
        """The inputs, aligned, and the code for them. Raises LossShapeError, LossTypeError."""
        spec, label = self.spec, self.name
        loss = spec.program.loss
        hidden = keras_internals.tensor_of(y_pred)
        tensors: dict[str, Any] = {
            loss.prediction.identifier: self._head(self._layer(), hidden, "the layer of the loss")
        }
        teacher = self._layer().target_head
        found = given_targets(spec, y_true, label) if loss.target is not None else {}
        for one in loss.inputs:
            if one is loss.prediction:
                continue
            if one is loss.target and teacher is not None:
                states = keras_internals.tensor_of(found[one.identifier])
                tensors[one.identifier] = self._head(teacher, states, "`target_head`")
            else:
                tensor = input_tensor(one, found[one.identifier], self.dtype, label)
                tensors[one.identifier] = _ranked(one, tensor, hidden, label)
        _, inputs = aligned(spec, tensors, label)
        rank = len(hidden.shape) - 1
        for one in loss.inputs:
            if not isinstance(inputs[one.identifier], Head) and BATCH in one.over:
                own = rank if one.has_places else 1
                inputs[one.identifier] = _agreeing(inputs[one.identifier], hidden, own, f"{label}: `{one.name}`")
        if mask is not None:
            mask = aligned_mask(mask, hidden, loss.prediction, label)
            inputs = {one.identifier: _masked(one, inputs[one.identifier], mask) for one in loss.inputs}
            mask = ops.logical_and(_padded(mask, rank), ops.ones(ops.shape(hidden)[:-1], dtype="bool"))
        return self._ready(inputs, tuple(ops.shape(hidden)[:-1]), mask)

    def _ready(self, inputs: Mapping[str, Any], places: tuple[Any, ...], mask: Any) -> _Given:
        of_loss, chunks = self._code(inputs)
        flat = arguments(self.spec, inputs, places, ops.reshape, ops.broadcast_to)
        return _Given(inputs, flat, places, mask, of_loss, chunks)

    def _harmless(self, given: _Given) -> _Given:
        """The first place of each sample, as if it were masked: with logits of 0, which a bias has no part in."""
        loss = self.spec.program.loss
        depth = len(given.places) - 1
        first = (slice(None), *[slice(1)] * depth)
        off = ops.zeros_like(given.mask[first])
        inputs: dict[str, Any] = {}
        for one in loss.inputs:
            value = given.inputs[one.identifier]
            if isinstance(value, Head):
                zeros = ops.zeros_like(value.hidden[(*first, slice(1))])
                inputs[one.identifier] = Head(zeros, ops.zeros_like(value.kernel[:1]))
            else:
                has_places = BATCH in one.over and one.has_places
                inputs[one.identifier] = masked(one, value[first] if has_places else value, off)
        return self._ready(inputs, (given.places[0], *[1] * depth), None)

    def _head(self, layer: Any, hidden: Any, who: str) -> Head:
        """The product of hidden states and the weights of a layer."""
        if not layer.built:
            raise LossConfigError(f"{self.name}: {who} has no weights yet: no model has it as a layer", None, _REMEDY)
        bias = getattr(layer, "bias", None)
        return Head(hidden, _value_of(layer.kernel), None if bias is None else _value_of(bias))

    def _code(self, tensors: Mapping[str, Any]) -> tuple[Steps, Chunks]:
        """The code for inputs, made once."""
        backend = keras.backend.backend()
        heads = {name: value for name, value in tensors.items() if isinstance(value, Head)}
        counts = {name: int(value.kernel.shape[1]) for name, value in heads.items()}
        classes = counts[self.spec.program.loss.prediction.identifier]
        key = tuple((name, counts[name], value.bias is not None) for name, value in heads.items())
        if key not in self._made:
            of_loss = steps(self.spec, counts, [value.bias is not None for value in heads.values()], backend)
            maker: Callable[..., Chunks] = getattr(import_module(f"lossdsl.fused.{backend}_chunks"), _CHUNKS[backend])
            self._made[key] = of_loss, maker(of_loss, self._layer().chunk, classes)
        return self._made[key]

    def get_config(self) -> dict[str, Any]:
        """The mark of the layer, which the model saves."""
        return {"head": self._layer().mark}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FusedLoss:
        """The loss of the layer that was read before, as part of the model. Raises LossConfigError if there is none."""
        head = RESTORED.get(str(config.get("head")))
        if head is None or head.read_from is not keras_internals.reading():
            raise LossConfigError(
                "the loss was saved with a `FusedDense`, which the model did not read from the file",
                None,
                "load with `compile=False`, then compile with `loss=head.loss`",
            )
        found: FusedLoss = head.loss
        return found


def _value_of(weight: Any) -> Any:
    """The tensor of a weight, which may be a variable of Keras's or made of some."""
    return keras_internals.tensor_of(weight.value if isinstance(weight, keras.Variable) else weight)


def _ranked(spec: InputSpec, tensor: Any, hidden: Any, label: str) -> Any:
    """A tensor whose rank is known; in a TensorFlow graph that of a target may not be."""
    if keras_internals.has_rank(tensor):
        return tensor
    if LAST in spec.over:
        message = f"{label}: the rank of `{spec.name}` is not known in the graph"
        raise LossShapeError(message, None, "give a target whose shape is known, as by `tf.ensure_shape`")
    return keras_internals.ranked(tensor, hidden, None, f"{label}: `{spec.name}`")


def _agreeing(tensor: Any, hidden: Any, rank: int, label: str) -> Any:
    """A tensor whose lengths that are not known yet are compared with those of the places when the graph runs."""
    if None not in tuple(tensor.shape[:rank]):
        return tensor
    return keras_internals.agreeing(tensor, hidden, {place: place for place in range(rank)}, label)


def _masked(spec: InputSpec, value: Any, mask: Any) -> Any:
    """An input with harmless values, and hidden states with zeros, where the mask is off."""
    if not isinstance(value, Head):
        return masked(spec, value, mask)
    on = _padded(mask, len(value.hidden.shape))
    return value._replace(hidden=ops.where(on, value.hidden, ops.zeros_like(value.hidden)))


def _padded(mask: Any, rank: int) -> Any:
    while len(mask.shape) < rank:
        mask = ops.expand_dims(mask, -1)
    return mask

"""From what a loss is called with to one value a sample: casts, alignment, masks, the kernel.

What Keras's `Loss` objects and plain functions have in common. A `Loss` takes the first axis for the batch whatever the
rank; a function takes a prediction of rank 1 for one sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import keras
from keras import ops

from lossdsl.errors import LossShapeError, LossTypeError
from lossdsl.ir.axes import BATCH, LAST, SPACE, Axis, ordered
from lossdsl.ir.inputs import HARMLESS, InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.runtime import keras_internals
from lossdsl.runtime.debugging import tested
from lossdsl.runtime.given import is_dense, is_real, no_tensor
from lossdsl.runtime.kernels import kernel, whole_kernel
from lossdsl.runtime.replicas import Replicas
from lossdsl.runtime.shapes import Plan, Shape, Shapes, Step, show
from lossdsl.runtime.spec import LoadedLoss


@dataclass(frozen=True)
class Evaluation:
    """What came of a call: the values, the mask over the samples (or None), and the prediction, aligned."""

    values: Any
    mask: Any
    prediction: Any
    is_single: bool
    """Whether the values are one number: the whole was one sample, or the loss is one of the whole batch."""

    def by_sample(self) -> tuple[Any, Any]:
        """Values and mask, where one number stands once for each sample, and what is masked is 0."""
        values, mask = self.values, self.mask
        if self.is_single:
            samples = ops.ones((ops.shape(self.prediction)[0], *[1] * len(values.shape)), dtype=values.dtype)
            values = samples * values
        if mask is not None:
            mask = _fitted(mask, values)
            values = ops.where(mask, values, ops.zeros_like(values))
        return values, mask


def evaluate(
    spec: LoadedLoss,
    y_true: Any,
    y_pred: Any,
    mask: Any = None,
    *,
    dtype: str,
    label: str,
    rank_one_is_batch: bool = True,
    live: Mapping[str, Any] = MappingProxyType({}),
    replicas: Replicas | None = None,
) -> Evaluation:
    """The loss of tensors, before weights and reduction.

    Args:
        spec: the loss.
        y_true: the target; with extra inputs a tuple of target and inputs, or a dict by name.
        y_pred: the prediction.
        mask: truth values over the samples (and places), or None; where it is off, harmless inputs are put in.
        dtype: what real inputs are cast to.
        label: what the loss is called in messages.
        rank_one_is_batch: whether a prediction of rank 1 is a batch of single elements, or one sample.
        live: tensors for the parameters of the loss that come with each call.
        replicas: those that have the other parts of the batch; the values are of all of it then.

    Raises:
        LossShapeError: shapes that do not agree.
        LossTypeError: extra inputs that are missing, or an axis that is not there.
    """
    loss = spec.program.loss
    tensors = _tensors(spec, y_true, y_pred, dtype, label)
    if replicas is not None:
        tensors = {one.identifier: whole(one, tensors[one.identifier], replicas) for one in loss.inputs}
        mask = mask if mask is None else replicas.whole(ops.cast(mask, "bool"))
    raw = tensors[loss.prediction.identifier]
    rank = len(raw.shape)
    joins = None if spec.axis == (-1,) else _joined(spec, tuple(_shapes(tensors).items()), label)
    is_whole = joins is not None and len(joins) == rank
    if joins is not None:
        tensors = {
            one.identifier: _moved(one, _ranked(one, tensors[one.identifier], rank), rank, joins) for one in loss.inputs
        }
    single, prediction, inputs = _aligned(spec, tensors, rank_one_is_batch and bool(spec.axis), label)
    if mask is not None:
        mask = aligned_mask(mask, prediction, loss.prediction, label)
        inputs = [masked(one, tensor, mask) for one, tensor in zip(loss.inputs, inputs, strict=True)]
    inputs = tested(spec, inputs, label, keras.backend.backend())
    is_one = single or is_whole
    if mask is not None and loss.places:
        mask = _along(mask, loss)
    live = {name: ops.cast(value, dtype) for name, value in live.items()}
    values = _values(spec, inputs, live, is_whole=is_whole, is_one=is_one)
    is_single = rank > 0 and (is_one or BATCH not in loss.result.axes)
    return Evaluation(values, mask, raw if is_one else prediction, is_single)


def _aligned(
    spec: LoadedLoss, tensors: Mapping[str, Any], rank_one_is_batch: bool, label: str
) -> tuple[bool, Any, list[Any]]:
    """Whether the whole is one sample; the prediction and all inputs, aligned."""
    loss = spec.program.loss
    found, is_ready = _planned(spec, tuple(_shapes(tensors).items()), rank_one_is_batch, label)
    if is_ready:
        return found.single, tensors[loss.prediction.identifier], [tensors[one.identifier] for one in loss.inputs]
    stepped = {one: _stepped(tensors[one.identifier], found.steps[one.identifier]) for one in loss.inputs}
    prediction = stepped[loss.prediction]
    inputs = [_checked_late(spec, one, tensor, prediction, label) for one, tensor in stepped.items()]
    return found.single, prediction, inputs


def _values(spec: LoadedLoss, inputs: list[Any], live: Mapping[str, Any], *, is_whole: bool, is_one: bool) -> Any:
    """What the code of the loss makes of its inputs; without the batch axis where all of them are one sample."""
    loss, backend = spec.program.loss, keras.backend.backend()
    run = whole_kernel(spec, backend) if is_whole else None
    if run is not None:
        # One row, for XLA sums a vector much quicker than a matrix with one row, and than all of a matrix.
        return run([ops.reshape(tensor, (-1,)) for tensor in inputs], spec.arguments(None, live))
    if is_whole:
        pairs = zip(loss.inputs, inputs, strict=True)
        inputs = [ops.reshape(tensor, (1, -1)) if one.over >= {BATCH, LAST} else tensor for one, tensor in pairs]
    last = None
    if any(isinstance(value, tuple) for value in spec.parameters.values()):
        last = _last_of(loss.prediction, inputs[loss.inputs.index(loss.prediction)])
    values = kernel(spec, backend)(inputs, spec.arguments(last, live))
    return values[0] if is_one and BATCH in loss.result.axes else values


def _shapes(tensors: Mapping[str, Any]) -> dict[str, Shape]:
    """The lengths by name; None for one that is not known yet, such as a symbol of `torch.compile`'s."""
    return {name: tuple([n if isinstance(n, int) else None for n in tensor.shape]) for name, tensor in tensors.items()}


@lru_cache(maxsize=512)
def _joined(spec: LoadedLoss, shapes: tuple[tuple[str, Shape], ...], label: str) -> tuple[int, ...] | None:
    """The axes that play `last`, settled once for the same loss and shapes."""
    return Shapes(spec, dict(shapes), label).joined()


@lru_cache(maxsize=512)
def _planned(
    spec: LoadedLoss, shapes: tuple[tuple[str, Shape], ...], rank_one_is_batch: bool, label: str
) -> tuple[Plan, bool]:
    """What is done to the inputs, settled once for the same loss and shapes, and whether that is nothing at all."""
    found = Shapes(spec, dict(shapes), label).plan(rank_one_is_batch=rank_one_is_batch)
    is_moved = any(step.squeeze or step.expand or step.lead for step in found.steps.values())
    return found, not is_moved and all(None not in shape for _, shape in shapes)


# --- the tensors ----------------------------------------------------------------------------------------------------


def _tensors(spec: LoadedLoss, y_true: Any, y_pred: Any, dtype: str, label: str) -> dict[str, Any]:
    """The inputs of the loss by name, each in the dtype, labels as whole numbers."""
    loss = spec.program.loss
    given: dict[str, Any] = {loss.prediction.identifier: y_pred}
    if loss.target is not None:
        given.update(given_targets(spec, y_true, label))
    tensors = {one.identifier: input_tensor(one, given[one.identifier], dtype, label) for one in loss.inputs}
    prediction = tensors[loss.prediction.identifier]
    for one in loss.inputs:
        if not keras_internals.has_rank(tensors[one.identifier]):
            lacks = LAST in loss.prediction.over and LAST not in one.over
            last = None if lacks else ((one.fixed, one.shares), (loss.prediction.fixed, loss.prediction.shares))
            tensors[one.identifier] = keras_internals.ranked(
                tensors[one.identifier], prediction, last, f"{label}: `{one.name}`"
            )
    return tensors


def given_targets(spec: LoadedLoss, y_true: Any, label: str) -> dict[str, Any]:
    """What Keras hands over as the target: the target alone, or with the extra inputs as a tuple or dict."""
    loss = spec.program.loss
    assert loss.target is not None
    extra = loss.inputs[2:]
    if not extra:
        return {loss.target.identifier: y_true}
    wanted = [loss.target, *extra]
    names = ", ".join(one.name for one in wanted)
    if isinstance(y_true, Mapping):
        found = {}
        for name, value in y_true.items():
            one = loss.input(name)
            if one is None or one not in wanted:
                raise LossTypeError(f"{label} has no input `{name}` beside the prediction", None, f"it has {names}")
            found[one.identifier] = value
    elif isinstance(y_true, tuple | list) and len(y_true) == len(wanted):
        found = {one.identifier: value for one, value in zip(wanted, y_true, strict=True)}
    else:
        found = {}
    if len(found) != len(wanted):
        raise LossTypeError(
            f"{label} takes {len(wanted)} inputs beside the prediction ({names})",
            None,
            f"give y_true as a tuple ({names}) or as a dict with these keys; in `fit`, where y has an entry for each "
            f"output of the model, as fit(x, [({names})])",
        )
    return found


def input_tensor(spec: InputSpec, value: Any, dtype: str, label: str) -> Any:
    if keras.backend.backend() == "torch" and keras_internals.is_ready(value, "int64" if spec.is_label else dtype):
        return value
    if not is_dense(value) or not is_real(value):  # some backends make tensors of these, and fail where they are used
        raise no_tensor(label, spec.name, value)
    try:
        if spec.is_label:
            return keras_internals.label_of(value)
        return keras_internals.tensor_of(value, dtype)
    except (TypeError, ValueError, AttributeError) as error:
        raise no_tensor(label, spec.name, value, error) from None


def whole(spec: InputSpec, tensor: Any, replicas: Replicas) -> Any:
    """An input, of all replicas if it has samples."""
    return replicas.whole(tensor) if BATCH in spec.over and len(tensor.shape) else tensor


def _ranked(spec: InputSpec, tensor: Any, rank: int) -> Any:
    """An input with the rank of the prediction, where a trailing axis of length 1 is all that differs."""
    if not spec.is_full:
        return tensor
    if len(tensor.shape) == rank + 1 and tensor.shape[-1] == 1:
        return ops.squeeze(tensor, -1)
    return ops.expand_dims(tensor, -1) if len(tensor.shape) == rank - 1 else tensor


def _moved(spec: InputSpec, tensor: Any, rank: int, places: tuple[int, ...]) -> Any:
    """The tensor with the axes that play `last` at its end, as one; as it is where those are all of them."""
    if not spec.is_full or len(tensor.shape) != rank or len(places) == rank:
        return tensor
    rest = [place for place in range(rank) if place not in places]
    turned = ops.transpose(tensor, [*rest, *places])
    if len(places) == 1:
        return turned
    lengths = tuple(turned.shape)[len(rest) :]
    last = -1 if None in lengths else math.prod(lengths)
    return ops.reshape(turned, (*ops.shape(turned)[: len(rest)], last))


def _stepped(tensor: Any, step: Step) -> Any:
    if step.squeeze:
        tensor = ops.squeeze(tensor, -1)
    if step.expand:
        tensor = ops.expand_dims(tensor, -1)
    return ops.expand_dims(tensor, 0) if step.lead else tensor


def _checked_late(spec: LoadedLoss, one: InputSpec, tensor: Any, prediction: Any, label: str) -> Any:
    """The tensor, with lengths that the graph does not know yet checked against the prediction when it runs."""
    other = spec.program.loss.prediction
    if one is other or None not in tuple(tensor.shape):
        return tensor
    wanted: dict[int, int] = {}
    for axis in ordered(one.over & other.over):
        if any(
            {(one.nodes[0].name, axis), (other.nodes[0].name, axis)} <= set(group) for group in spec.program.meetings
        ):
            wanted |= _dimensions(one, other, axis, len(tensor.shape), len(prediction.shape))
    return keras_internals.agreeing(tensor, prediction, wanted, f"{label}: `{one.name}`")


def _dimensions(one: InputSpec, other: InputSpec, axis: Axis, rank: int, other_rank: int) -> dict[int, int]:
    """The dimensions of an input that have an axis, each with that of another input that it meets there."""
    if axis == BATCH:
        return {0: 0}
    if axis == LAST:
        return {rank - 1: other_rank - 1} if one.is_packed_like(other) else {}
    if axis == SPACE:
        return {place: place for place in range(1, rank - (LAST in one.over))}
    return {ordered(one.over).index(axis): ordered(other.over).index(axis)}


def _last_of(spec: InputSpec, prediction: Any) -> int | None:
    if LAST not in spec.over or prediction.shape[-1] is None:
        return None
    return spec.block(int(prediction.shape[-1]))


# --- masks and weights ----------------------------------------------------------------------------------------------


def aligned_mask(mask: Any, prediction: Any, spec: InputSpec, label: str) -> Any:
    """The mask as truth values over the sample axes of the prediction."""
    mask = ops.cast(mask, "bool")
    rank = len(prediction.shape) - (1 if LAST in spec.over else 0)
    if len(mask.shape) == rank + 1 and mask.shape[-1] == 1:
        mask = ops.squeeze(mask, -1)
    if len(mask.shape) > rank:
        raise LossShapeError(
            f"{label}: the mask has shape {show(tuple(mask.shape))}, the prediction {show(tuple(prediction.shape))}"
        )
    return mask


def masked(spec: InputSpec, tensor: Any, mask: Any) -> Any:
    """The input with a harmless value wherever the mask is off."""
    is_short = not spec.has_places and len(mask.shape) > 1  # one for all places of a sample
    if BATCH not in spec.over or len(tensor.shape) < len(mask.shape) or is_short:
        return tensor
    if (number := spec.harmless) is not None:
        harmless = ops.full_like(tensor, number)
    else:
        pieces = spec.pieces(ops.shape(tensor)[-1])
        rows = [ops.full_like(tensor[..., place], HARMLESS.get(part.domain, 0.0)) for part, place in pieces]
        harmless = ops.concatenate(rows, axis=-1)
    return ops.where(_padded(mask, len(tensor.shape)), tensor, harmless)


def _padded(mask: Any, rank: int) -> Any:
    while len(mask.shape) < rank:
        mask = ops.expand_dims(mask, -1)
    return mask


def _along(mask: Any, loss: Loss) -> Any:
    """The mask over the axes of the values, where places have names: a row counts if one of its columns does."""
    mask = _padded(mask, 1 + len(loss.places))
    gone = tuple(at for at, axis in enumerate(loss.places, 1) if axis not in loss.result.axes)
    return ops.any(mask, axis=gone) if gone else mask


def _fitted(mask: Any, values: Any) -> Any:
    """The mask over the axes of the values: places that were reduced away count if one of them does."""
    while len(mask.shape) > len(values.shape):
        mask = ops.any(mask, axis=-1)
    return ops.logical_and(_padded(mask, len(values.shape)), ops.ones_like(values, dtype="bool"))


def weights(weight: Any, values: Any, dtype: str, label: str, replicas: Replicas | None = None) -> Any:
    """Weights with the shape of the values: padded on the right, and spread. Raises LossShapeError.

    With replicas the values are those of the whole batch, and the weights of a part of it.
    """
    weight = weight_tensor(weight, dtype, label)
    rank = len(values.shape)
    if not keras_internals.has_rank(weight):
        weight = keras_internals.padded(weight, rank)
    if replicas is not None and len(weight.shape):
        weight = replicas.whole(weight)
    given = tuple(weight.shape)
    if len(given) == rank + 1 and given[-1] == 1:
        weight = ops.squeeze(weight, -1)
    while len(weight.shape) < rank and len(given) > 0:
        weight = ops.expand_dims(weight, -1)
    if len(weight.shape) > rank or not _fits(tuple(weight.shape), tuple(values.shape)):
        raise LossShapeError(
            f"{label}: the sample weights have shape {show(given)}, the values of the loss {show(tuple(values.shape))}",
            None,
            "weights have one number a sample, or one a sample and place",
        )
    return weight * ops.ones_like(values)


def weight_tensor(weight: Any, dtype: str, label: str) -> Any:
    """A tensor of weights. Raises LossTypeError for what is none."""
    if not is_dense(weight) or not is_real(weight):
        raise no_tensor(label, "sample_weight", weight)
    try:
        return ops.convert_to_tensor(weight, dtype=dtype)
    except (TypeError, ValueError, AttributeError) as error:
        raise no_tensor(label, "sample_weight", weight, error) from None


def own_weights(spec: LoadedLoss, weight: Any) -> Any:
    """The weights of the samples, where Keras's `fit` handed the same ones to the target and to each extra input."""
    own = weight
    while isinstance(own, Mapping | tuple | list) and len(own) > 0 and len(spec.program.loss.inputs) > 2:
        own = next(iter(own.values() if isinstance(own, Mapping) else own))
    is_number = not hasattr(own, "shape") or (keras_internals.has_rank(own) and len(own.shape) == 0)
    return weight if is_number else own  # a list of numbers is itself the weights


def _fits(weight: Shape, values: Shape) -> bool:
    return all(w is None or v is None or w in (1, v) for w, v in zip(weight[::-1], values[::-1], strict=False))

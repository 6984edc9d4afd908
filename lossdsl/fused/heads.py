"""What a fused loss is called with, brought to one axis of places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lossdsl.errors import LossShapeError, LossTypeError
from lossdsl.ir.axes import BATCH, LAST
from lossdsl.ir.inputs import InputSpec
from lossdsl.runtime.shapes import Shape, Shapes, show
from lossdsl.runtime.spec import LoadedLoss

Reshape = Callable[[Any, tuple[Any, ...]], Any]


class Head(NamedTuple):
    """Logits that are not made: hidden states `(batch, ..., hidden)`, and the kernel and bias of the layer above them.

    The kernel is `(classes, hidden)` on torch, as in `torch.nn.Linear`, and `(hidden, classes)` elsewhere.
    """

    hidden: Any
    kernel: Any
    bias: Any = None


def aligned(spec: LoadedLoss, given: Mapping[str, Any], label: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The shape of the places, and the inputs with a trailing axis of length 1 more or less, as they need it.

    Args:
        spec: the loss.
        given: for each input, by identifier, a tensor, or a `Head` whose kernel is `(hidden, classes)`.
        label: what the loss is called in messages.

    Raises:
        LossShapeError: shapes that do not agree.
    """
    loss = spec.program.loss
    shapes: dict[str, Shape] = {}
    for one in loss.inputs:
        value = given[one.identifier]
        shapes[one.identifier] = _head_shape(one, value, label) if isinstance(value, Head) else tuple(value.shape)
    found = Shapes(spec, shapes, label).plan(rank_one_is_batch=True)
    inputs: dict[str, Any] = {}
    for one in loss.inputs:
        value, step = given[one.identifier], found.steps[one.identifier]
        if not isinstance(value, Head):
            value = value[..., 0] if step.squeeze else value
            value = value[..., None] if step.expand else value
        inputs[one.identifier] = value
    return shapes[loss.prediction.identifier][:-1], inputs


def _head_shape(spec: InputSpec, head: Head, label: str) -> Shape:
    """The shape of the logits that are not made."""
    hidden, kernel = tuple(head.hidden.shape), tuple(head.kernel.shape)
    if len(hidden) < 2:
        message = f"{label}: the hidden states of `{spec.name}` have shape {show(hidden)}"
        raise LossShapeError(message, None, "they have an axis of places at least, and their own as the last")
    if len(kernel) != 2 or (None not in (hidden[-1], kernel[0]) and hidden[-1] != kernel[0]):
        raise LossShapeError(
            f"{label}: the hidden states of `{spec.name}` have shape {show(hidden)}, "
            f"and the kernel {show(kernel)} as (hidden, classes)",
            None,
            "the last axis of the hidden states is the first of the kernel",
        )
    if head.bias is not None and tuple(head.bias.shape) != kernel[1:]:
        raise LossShapeError(
            f"{label}: the bias of `{spec.name}` has shape {show(tuple(head.bias.shape))}, not {show(kernel[1:])}"
        )
    return (*hidden[:-1], kernel[1])


def arguments(
    spec: LoadedLoss, inputs: Mapping[str, Any], places: tuple[Any, ...], reshape: Reshape, spread: Reshape
) -> list[Any]:
    """The flat list of `Steps`, with one axis of places; what a sample has once, each of its places has.

    `reshape` and `spread` are functions of a tensor and a shape, the second as numpy's `broadcast_to`.
    """
    found: list[Any] = []
    for one in spec.program.loss.inputs:
        value = inputs[one.identifier]
        if isinstance(value, Head):
            found += [reshape(value.hidden, (-1, value.hidden.shape[-1])), value.kernel]
            found += [] if value.bias is None else [value.bias]
        elif BATCH in one.over:
            last = (value.shape[-1],) if LAST in one.over else ()
            if not one.has_places and len(places) > 1:
                value = spread(reshape(value, (-1, *(1,) * (len(places) - 1), *last)), (*places, *last))
            found.append(reshape(value, (-1, *last)))
        else:
            found.append(value)
    return found


def targets(spec: LoadedLoss, target: Any, label: str) -> dict[str, Any]:
    """The inputs beside the prediction by identifier: a target alone, or with others as a tuple or a mapping.

    Raises LossTypeError where there are too many or too few.
    """
    loss = spec.program.loss
    wanted = [one for one in loss.inputs if one is not loss.prediction]
    names = ", ".join(one.name for one in wanted) or "none"
    given: Sequence[Any] = [target]
    if isinstance(target, Mapping):
        by_name = {name: loss.input(name) for name in target}
        found = {one.identifier: target[name] for name, one in by_name.items() if one is not None and one in wanted}
        if len(found) == len(target) == len(wanted):
            return found
        given = ()
    elif isinstance(target, tuple) and not isinstance(target, Head) and len(wanted) != 1:
        given = target
    if target is None and not wanted:
        return {}
    if len(given) != len(wanted):
        hint = f"give them as a tuple ({names}), or by name" if len(wanted) > 1 else None
        raise LossTypeError(f"{label} takes {len(wanted)} inputs beside the prediction: {names}", None, hint)
    return {one.identifier: value for one, value in zip(wanted, given, strict=True)}


def fitted_weight(weight: Any, shape: Shape, label: str) -> Any:
    """Weights with as many axes as the values of a loss, of shape `shape`. Raises LossShapeError."""
    given = tuple(weight.shape)
    if len(given) == len(shape) + 1 and given[-1] == 1:
        weight = weight[..., 0]
    while len(weight.shape) < len(shape) and given:
        weight = weight[..., None]
    pairs = zip(reversed(tuple(weight.shape)), reversed(shape), strict=False)
    if len(weight.shape) > len(shape) or any(one not in (1, other) for one, other in pairs):
        raise LossShapeError(
            f"{label}: the sample weights have shape {show(given)}, the values of the loss {show(shape)}",
            None,
            "weights have one number a sample, or one a sample and place",
        )
    return weight

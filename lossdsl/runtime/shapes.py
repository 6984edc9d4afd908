"""Shapes of what a loss is called with: what is aligned, what is refused. Knows shapes only, no arrays.

`t` and `x` must agree, up to one trailing axis of length 1; everything else is an error that shows both shapes. Where a
length is not known yet (None, in a graph), it is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lossdsl.errors import LossShapeError
from lossdsl.ir.axes import BATCH, LAST, SPACE, Axis
from lossdsl.ir.loss import ELEMENT, InputSpec
from lossdsl.ir.meets import Home, Need, called, length_of

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Step:
    """What is done to one tensor: a trailing axis taken off or put on, then a batch axis put in front."""

    squeeze: bool = False
    expand: bool = False
    lead: bool = False


@dataclass(frozen=True)
class Plan:
    """What is done to each tensor, and whether the whole is one sample (so that results lose their batch axis)."""

    steps: Mapping[str, Step]
    single: bool


def plan(
    inputs: Sequence[InputSpec],
    prediction: InputSpec,
    shapes: Mapping[str, Shape],
    meetings: Sequence[frozenset[Home]],
    *,
    rank_one_is_batch: bool,
    loss: str,
    parameters: Mapping[str, Shape] = MappingProxyType({}),
    needs: Sequence[Need] = (),
) -> Plan:
    """How the tensors are brought to the axes of their inputs; `parameters` are the shapes of vectors and matrices.

    A prediction of rank 1 whose elements have a last axis is one sample, whose only axis is `last` (as in Keras's loss
    functions and in `example` lines); with `rank_one_is_batch` it is a batch of samples with one element each (as in
    `fit`, where the first axis is always the batch).
    """
    steps: dict[str, Step] = {}
    rank = len(shapes[prediction.identifier])
    lead = False
    if LAST in prediction.over and BATCH in prediction.over:
        if rank == 0:
            steps[prediction.identifier] = Step(expand=True, lead=True)
            lead = True
        elif rank == 1:
            lead = not rank_one_is_batch
            steps[prediction.identifier] = Step(lead=True) if lead else Step(expand=True)
        else:
            steps[prediction.identifier] = Step()
        places = max(rank - 1, 0) if not (rank == 1 and rank_one_is_batch) else 1
    else:
        others = [len(shapes[s.identifier]) for s in inputs if LAST in s.over and BATCH in s.over]
        squeeze = rank >= 1 and shapes[prediction.identifier][-1] == 1 and bool(others) and rank == max(others)
        squeeze = squeeze or (not others and rank > 1 and shapes[prediction.identifier][-1] == 1)
        places = rank - squeeze
        lead = places == 0
        steps[prediction.identifier] = Step(squeeze=squeeze, lead=lead)
    for spec in inputs:
        if spec is not prediction:
            steps[spec.identifier] = _step(spec, shapes, prediction, places, lead, loss)
    result = Plan(steps, lead)
    _compare(inputs, prediction, shapes, result, meetings, loss, parameters)
    _count(inputs, shapes, result, needs, loss)
    return result


def joined(
    inputs: Sequence[InputSpec],
    prediction: InputSpec,
    axis: tuple[int, ...],
    shapes: Mapping[str, Shape],
    meetings: Sequence[frozenset[Home]],
    loss: str,
) -> tuple[int, ...] | None:
    """The axes of the prediction that play `last`, in order; None where that is its last one, as usual.

    `axis` is empty for all axes. Tensors that meet along `last` must agree in each of these axes: once they are joined,
    only the product of the lengths is left. Raises LossShapeError.
    """
    first = shapes[prediction.identifier]
    rank = len(first)
    if axis == (-1,) or not prediction.over >= {BATCH, LAST} or rank < 2:
        return None
    for place in axis:
        if not -rank <= place < rank:
            message = f"{loss}: `{prediction.name}` has shape {show(first)}, and so no axis {place}"
            raise LossShapeError(message, None, "axes count from 0, and from the end as -1, -2")
    places = tuple(sorted({place % rank for place in axis})) or tuple(range(rank))
    if places == (rank - 1,):
        return None
    if len(places) == rank and any(BATCH in spec.over and not spec.over >= ELEMENT for spec in inputs):
        raise LossShapeError(f"{loss} has inputs that lack an axis, so that not all axes together can be its `last`")
    for spec in inputs:
        given = shapes[spec.identifier]
        shape = given[:-1] if len(given) == rank + 1 else (*given, 1) if len(given) == rank - 1 else given
        meets = any({(spec.nodes[0].name, LAST), (prediction.nodes[0].name, LAST)} <= group for group in meetings)
        if not meets or not spec.over >= ELEMENT:
            continue
        if len(shape) != rank or any(
            None not in (shape[place], first[place]) and shape[place] != first[place] for place in places
        ):
            raise mismatch((spec.name, given), (prediction.name, first), loss)
    return places


def _step(
    spec: InputSpec, shapes: Mapping[str, Shape], prediction: InputSpec, places: int, lead: bool, loss: str
) -> Step:
    """The step of an input other than the prediction, whose sample axes (batch and space) number `places`."""
    shape = shapes[spec.identifier]
    if BATCH not in spec.over:
        if len(shape) != len(spec.over):
            raise LossShapeError(
                f"{loss}: `{spec.name}` is a {spec.layout} and has rank {len(spec.over)}, not shape {show(shape)}"
            )
        return Step()
    own = len(spec.over) - lead if SPACE not in spec.over else None
    wanted = places + (1 if LAST in spec.over else 0) if own is None else own
    if len(shape) == wanted:
        return Step(lead=lead)
    if len(shape) == wanted + 1 and shape[-1] == 1:
        return Step(squeeze=True, lead=lead)
    if LAST in spec.over and len(shape) == wanted - 1 and _last(shapes, prediction) in (1, None):
        return Step(expand=True, lead=lead)
    if LAST in spec.over and len(shape) == wanted - 1 and LAST not in prediction.over:
        return Step(expand=True, lead=lead)
    one, two = shapes[spec.identifier], shapes[prediction.identifier]
    raise mismatch((spec.name, one), (prediction.name, two), loss, _label_hint(spec, one, prediction, two))


def _label_hint(spec: InputSpec, shape: Shape, prediction: InputSpec, other: Shape) -> str | None:
    """What to do where one-hot vectors stand for labels, or labels for one-hot vectors."""
    classes = other[-1] if other and LAST in prediction.over else None
    if spec.is_label and len(shape) == len(other) and classes != 1 and shape[-1:] == other[-1:]:
        return (
            f"`{spec.name}` is a label, one whole number a sample, and this looks one-hot: give `argmax({spec.name}, "
            f"axis=-1)`, or use a loss for distributions, such as `categorical_crossentropy`"
        )
    is_one = len(shape) == len(other) - 1 or (len(shape) == len(other) and shape[-1:] == (1,))
    is_over_classes = spec.domain in ("prob", "simplex", "onehot", "binary", "logprob") and LAST in spec.over
    if is_over_classes and is_one and classes not in (1, None):
        return (
            f"`{spec.name}` has one number a sample: if that is a class, make it one-hot, or use a loss for labels "
            f"(`{spec.name}: label`), such as `sparse_categorical_crossentropy`"
        )
    return None


def _last(shapes: Mapping[str, Shape], prediction: InputSpec) -> int | None:
    shape = shapes[prediction.identifier]
    last = shape[-1] if len(shape) > 1 else len(prediction.nodes)
    return None if last is None else last // len(prediction.nodes)


def _compare(
    inputs: Sequence[InputSpec],
    prediction: InputSpec,
    shapes: Mapping[str, Shape],
    found: Plan,
    meetings: Sequence[frozenset[Home]],
    loss: str,
    parameters: Mapping[str, Shape],
) -> None:
    """Refuses lengths that differ where tensors meet."""
    by_node = {node.name: spec for spec in inputs for node in spec.nodes}
    for spec in inputs:
        last = shapes[spec.identifier][-1] if shapes[spec.identifier] else None
        if len(spec.nodes) > 1 and last is not None and last % len(spec.nodes):
            raise LossShapeError(
                f"{loss}: the last axis of `{spec.name}` has length {last}, "
                f"which is no multiple of its {len(spec.nodes)} components",
                None,
                "a packed input has all of the first component, then all of the second",
            )
    for group in meetings:
        lengths: dict[tuple[int | None, ...], tuple[str, Shape]] = {}
        for place in sorted(group, key=lambda place: (by_node.get(place[0]) is not prediction, len(place), str(place))):
            name, axis = place[:2]
            if name in by_node:
                spec = by_node[name]
                who = spec.name, shapes[spec.identifier]
                length = _length(shapes[spec.identifier], spec, found.steps[spec.identifier], axis)
                if len(place) == 3:
                    length = (_left(place, length),)
                    if axis == LAST:
                        who = called(place, spec.name), (*shapes[spec.identifier][:-1], *length)
            elif name in parameters:
                who = name, parameters[name]
                length = parameters[name][-1:] if axis == LAST else parameters[name][:1]
            else:
                continue  # a vector given as one number
            for known, other in lengths.items():
                if len(known) != len(length) or any(
                    a is not None and b is not None and a != b for a, b in zip(known, length, strict=True)
                ):
                    hint = _label_hint(by_node[name], who[1], prediction, other[1]) if name in by_node else None
                    raise mismatch(who, other, loss, hint)
            lengths.setdefault(length, who)


def _left(place: Home, lengths: Shape) -> int | None:
    """What slices leave of an axis; of several places, of all of them as one."""
    return None if None in lengths else length_of(place, math.prod(n for n in lengths if n is not None))


def _count(
    inputs: Sequence[InputSpec], shapes: Mapping[str, Shape], found: Plan, needs: Sequence[Need], loss: str
) -> None:
    """Refuses tensors that have fewer elements than a slice or a mean takes."""
    by_node = {node.name: spec for spec in inputs for node in spec.nodes}
    for need in needs:
        name, axis = need.place[:2]
        if name not in by_node:
            continue
        spec = by_node[name]
        shape = shapes[spec.identifier]
        left = _left(need.place, _length(shape, spec, found.steps[spec.identifier], axis))
        if left is not None and left < need.least:
            part = called(need.place, spec.name)
            of = f"{loss}: `{spec.name}` has shape {show(shape)}"
            message = f"{of}, and so `{part}` has {left} elements along `{axis.name}`"
            hint = f"the formula takes at least {need.least} of them: give longer rows, or cut off less"
            raise LossShapeError(message, None, hint)


def _length(shape: Shape, spec: InputSpec, step: Step, axis: Axis) -> tuple[int | None, ...]:
    """The lengths of a tensor along an axis, after its step."""
    if step.squeeze:
        shape = shape[:-1]
    if step.expand:
        shape = (*shape, 1)
    if step.lead:
        shape = (1, *shape)
    if axis == LAST:
        last = shape[-1]
        return (None if last is None else last // len(spec.nodes),)
    if axis == BATCH:
        return shape[:1]
    if axis == SPACE:
        return shape[1:-1] if LAST in spec.over else shape[1:]
    return shape[-2:-1] if LAST in spec.over else shape[:1]


def mismatch(one: tuple[str, Shape], two: tuple[str, Shape], loss: str, hint: str | None = None) -> LossShapeError:
    """The error for two tensors, each a name and a shape, that do not agree."""
    return LossShapeError(
        f"{loss}: `{one[0]}` has shape {show(one[1])} and `{two[0]}` has shape {show(two[1])}, which do not agree: "
        "they must have the same shape",
        None,
        hint or "up to one trailing axis of length 1; nothing is broadcast",
    )


def show(shape: Shape) -> str:
    """A shape for a reader: `(32, 3)`, with `?` for what is not known yet."""
    return f"({', '.join('?' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"

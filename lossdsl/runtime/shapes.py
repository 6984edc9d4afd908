"""Shapes of what a loss is called with: what is aligned, what is refused. Knows shapes only, no arrays.

`t` and `x` must agree, up to one trailing axis of length 1; everything else is an error that shows both shapes. Where a
length is not known yet (None, in a graph), it is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lossdsl.errors import LossShapeError
from lossdsl.ir.axes import BATCH, LAST, SPACE, Axis, names, ordered
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.meets import Home, called, length_of

if TYPE_CHECKING:
    from lossdsl.runtime.spec import LoadedLoss

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


@dataclass(frozen=True)
class _Measured:
    """The lengths of a tensor along an axis; `name` and `shape` are for a reader, `spec` is that of an input."""

    name: str
    shape: Shape
    length: Shape
    spec: InputSpec | None = None


class Shapes:
    """The shapes that the inputs of a loss were given with; `label` is what the loss is called in messages."""

    def __init__(
        self,
        loaded: LoadedLoss,
        shapes: Mapping[str, Shape],
        label: str,
        parameters: Mapping[str, Shape] = MappingProxyType({}),
    ) -> None:
        """`parameters` has the shapes of those that came with the call, as far as these have any."""
        own = {name: shape for name, shape in parameters.items() if shape not in ((), (1,))}
        self.loaded = loaded
        self.parameters = {**loaded.parameter_shapes, **own}
        self.inputs = loaded.program.loss.inputs
        self.prediction = loaded.program.loss.prediction
        self.meetings = loaded.program.meetings
        self.shapes = shapes
        self.label = label

    def of(self, spec: InputSpec) -> Shape:
        return self.shapes[spec.identifier]

    # --- the axes that play `last`

    def joined(self) -> tuple[int, ...] | None:
        """The axes of the prediction that play `last`, in order; None where that is its last one, as usual.

        Tensors that meet along `last` must agree in each of these axes: once they are joined, only the product of the
        lengths is left. Raises LossShapeError.
        """
        axis, first = self.loaded.axis, self.of(self.prediction)
        rank = len(first)
        if axis == (-1,) or not self.prediction.over >= {BATCH, LAST} or rank < 2:
            return None
        if self.prediction.places and len(axis) != 1:
            message = f"{self.label} names its places ({self._named()}), so that several axes cannot be its `last`"
            raise LossShapeError(message, None, "reduce over places in the formula, as in `mean[space](e)`")
        for place in axis:
            if not -rank <= place < rank:
                message = f"{self.label}: `{self.prediction.name}` has shape {show(first)}, and so no axis {place}"
                raise LossShapeError(message, None, "axes count from 0, and from the end as -1, -2")
        places = tuple(sorted({place % rank for place in axis})) or tuple(range(rank))
        if places == (rank - 1,):
            return None
        if len(places) == rank and any(BATCH in spec.over and not spec.is_full for spec in self.inputs):
            message = f"{self.label} has inputs that lack an axis, so that not all axes together can be its `last`"
            raise LossShapeError(message)
        for spec in self.inputs:
            if spec.is_full and self._meets_prediction_along_last(spec):
                self._check_joined(spec, places)
        return places

    def _meets_prediction_along_last(self, spec: InputSpec) -> bool:
        both = {(spec.nodes[0].name, LAST), (self.prediction.nodes[0].name, LAST)}
        return any(both <= group for group in self.meetings)

    def _check_joined(self, spec: InputSpec, places: Sequence[int]) -> None:
        given, first = self.of(spec), self.of(self.prediction)
        more = len(given) - len(first)
        shape = given[:-1] if more == 1 else (*given, 1) if more == -1 else given
        if len(shape) != len(first) or not _agree([shape[at] for at in places], [first[at] for at in places]):
            raise self._mismatch((spec.name, given), (self.prediction.name, first))

    # --- what is done to each

    def plan(self, *, rank_one_is_batch: bool) -> Plan:
        """How the tensors are brought to the axes of their inputs. Raises LossShapeError.

        A prediction of rank 1 whose elements have a last axis is one sample, whose only axis is `last` (as in Keras's
        loss functions and in `example` lines); with `rank_one_is_batch` it is a batch of samples with one element each
        (as in `fit`, where the first axis is always the batch).
        """
        first, places = self._step_of_prediction(rank_one_is_batch)
        steps = {
            spec.identifier: first if spec is self.prediction else self._step(spec, places, first)
            for spec in self.inputs
        }
        self._check_components()
        self._check_meetings(steps)
        self._check_needs(steps)
        return Plan(steps, first.lead)

    def _step_of_prediction(self, rank_one_is_batch: bool) -> tuple[Step, int]:
        """What is done to the prediction, and how many sample axes (batch and space) it was given with."""
        shape = self.of(self.prediction)
        rank = len(shape)
        if self.prediction.places:
            return self._step_with_places(rank_one_is_batch)
        if self.prediction.over >= {BATCH, LAST}:
            if rank == 0:
                return Step(expand=True, lead=True), 0
            if rank > 1:
                return Step(), rank - 1
            if rank_one_is_batch and (label := self.loaded.program.class_label) is not None:
                raise self._one_class(label)
            return (Step(expand=True), 1) if rank_one_is_batch else (Step(lead=True), 0)
        others = [len(self.of(spec)) for spec in self.inputs if spec.over >= {BATCH, LAST}]
        squeeze = shape[-1:] == (1,) and rank == max(others, default=max(rank, 2))
        places = rank - squeeze
        return Step(squeeze=squeeze, lead=places == 0), places

    def _one_class(self, label: str) -> LossShapeError:
        given = f"`{self.prediction.name}` has shape {show(self.of(self.prediction))}"
        message = f"{self.label}: {given}, one number a row, and `{label}` names one of several"
        hint = "give a column for each class; one number for two classes is for a loss such as `binary_crossentropy`"
        return LossShapeError(message, None, hint)

    def _step_with_places(self, rank_one_is_batch: bool) -> tuple[Step, int]:
        """The same where the places have names, and there are as many as that."""
        shape, over = self.of(self.prediction), self.prediction.over
        wanted = len(self.prediction.places) + 1
        if LAST in over:
            found = {wanted + 1: Step(), wanted: Step(expand=True) if rank_one_is_batch else Step(lead=True)}
        else:
            found = {wanted: Step(), wanted - 1: Step(lead=True)}
            if shape[-1:] == (1,):
                found[wanted + 1] = Step(squeeze=True)
        if not over >= {BATCH} or len(shape) not in found:
            message = f"{self.label}: `{self.prediction.name}` has shape {show(shape)}, not the axes {names(over)}"
            raise LossShapeError(message, None, "the loss names its places, and so settles how many there are")
        step = found[len(shape)]
        return step, wanted - step.lead

    def _named(self) -> str:
        return ", ".join(axis.name for axis in self.prediction.places)

    def _step(self, spec: InputSpec, places: int, first: Step) -> Step:
        """The step of an input beside the prediction, whose sample axes number `places` and whose step is `first`."""
        shape, prediction, lead = self.of(spec), self.of(self.prediction), first.lead
        has_last = LAST in spec.over
        if BATCH not in spec.over:
            if len(shape) == len(spec.over):
                return Step()
            own = f"`{spec.name}` is a {spec.layout} and has rank {len(spec.over)}, not shape {show(shape)}"
            raise LossShapeError(f"{self.label}: {own}")
        more = len(shape) - (places + has_last if spec.has_places else len(spec.over) - lead)
        if more == 0:
            return Step(lead=lead)
        if more == 1 and shape[-1] == 1:
            return Step(squeeze=True, lead=lead)
        has_one = LAST not in self.prediction.over or self._last_of_prediction(first) in (1, None)
        if more == -1 and has_last and has_one and spec.has_places:
            return Step(expand=True, lead=lead)
        hint = _label_hint(spec, shape, self.prediction, prediction)
        raise self._mismatch((spec.name, shape), (self.prediction.name, prediction), hint)

    def _last_of_prediction(self, step: Step) -> int | None:
        shape = self.of(self.prediction)
        if len(shape) < 2 or step.expand:
            return 1
        return None if shape[-1] is None else self.prediction.block(shape[-1])

    # --- lengths that must agree

    def _check_components(self) -> None:
        """Refuses a last axis that the components of an input cannot share."""
        for spec in self.inputs:
            last = self.of(spec)[-1] if self.of(spec) else 1  # one number is a last axis of length 1
            if len(spec.nodes) == 1 or last is None or (last >= spec.fixed and not (last - spec.fixed) % spec.shares):
                continue
            has, hint = f"which is no multiple of its {spec.shares} components", _IN_ORDER
            if spec.fixed:
                pairs = zip(spec.nodes, spec.lengths, strict=True)
                shared = " and ".join(f"`{node.name}`" for node, length in pairs if length is None)
                has = f"which is not {spec.fixed} and equal parts for {shared}"
                hint = f"give {spec.fixed} + {spec.shares}·n elements, or say how long one more is, as in `(a: K, …)`"
            raise LossShapeError(f"{self.label}: the last axis of `{spec.name}` has length {last}, {has}", None, hint)

    def _check_meetings(self, steps: Mapping[str, Step]) -> None:
        """Refuses lengths that differ where tensors meet."""
        by_node = {node.name: spec for spec in self.inputs for node in spec.nodes}
        for group in self.meetings:
            order = sorted(group, key=lambda home: (by_node.get(home[0]) is not self.prediction, len(home), str(home)))
            before: list[_Measured] = []
            for one in filter(None, (self._measured(home, by_node.get(home[0]), steps) for home in order)):
                other = next((each for each in before if not _agree(each.length, one.length)), None)
                if other is not None:
                    raise self._lengths_differ(one, other)
                before.append(one)

    def _lengths_differ(self, one: _Measured, other: _Measured) -> LossShapeError:
        hint = _VECTOR if len(one.shape) == 1 else None
        if one.spec is not None:
            hint = _label_hint(one.spec, one.shape, self.prediction, other.shape)
        return self._mismatch((one.name, one.shape), (other.name, other.shape), hint)

    def _measured(self, home: Home, spec: InputSpec | None, steps: Mapping[str, Step]) -> _Measured | None:
        """An input, what slices leave of it, or a parameter; None for a vector given as one number."""
        if spec is None:
            own = self.parameters.get(home[0])
            return None if own is None else _Measured(home[0], own, own[-1:] if home[1] == LAST else own[:1])
        shape = self.of(spec)
        length = _length(shape, spec, steps[spec.identifier], home[1])
        is_part = len(spec.nodes) > 1 and home[1].is_last
        if None in length or (len(home) == 2 and not is_part):
            return _Measured(spec.name, shape, length, spec)
        length = (_left(home, length),) if len(home) > 2 else length
        name = called(home, home[0] if is_part else spec.name)
        return _Measured(name, (*shape[:-1], *length) if home[1].is_last else shape, length, spec)

    def _check_needs(self, steps: Mapping[str, Step]) -> None:
        """Refuses tensors that have fewer elements than a slice or a mean takes."""
        by_node = {node.name: spec for spec in self.inputs for node in spec.nodes}
        for need in self.loaded.program.needs:
            name, axis = need.place[:2]
            if name not in by_node:
                continue
            spec = by_node[name]
            shape = self.of(spec)
            left = _left(need.place, _length(shape, spec, steps[spec.identifier], axis))
            if left is not None and left < need.least:
                of, part = f"{self.label}: `{spec.name}` has shape {show(shape)}", called(need.place, spec.name)
                so = "" if part == spec.name else f" and so `{part}` has"
                message = f"{of},{so} {left} elements along `{axis.name}`"
                or_else = "cut off less" if so else "mend the index"
                hint = f"the formula takes at least {need.least} of them: give longer rows, or {or_else}"
                raise LossShapeError(message, None, hint)

    def _mismatch(self, one: tuple[str, Shape], two: tuple[str, Shape], hint: str | None = None) -> LossShapeError:
        """The error for two tensors, each a name and a shape, that do not agree."""
        wanted = "" if hint == _VECTOR else ": they must have the same shape"
        return LossShapeError(
            f"{self.label}: `{one[0]}` has shape {show(one[1])} and `{two[0]}` has shape {show(two[1])}, which do not "
            f"agree{wanted}",
            None,
            hint or "up to one trailing axis of length 1; nothing is broadcast",
        )


_IN_ORDER = "a packed input has all of the first component, then all of the second"
_VECTOR = "a vector has one number for each element of the last axis"


def _agree(one: Sequence[int | None], other: Sequence[int | None]) -> bool:
    """Whether lengths are equal; one that is not known yet is equal to any."""
    return len(one) == len(other) and all(None in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True))


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


def _left(place: Home, lengths: Shape) -> int | None:
    """What slices leave of an axis; of several places, of all of them as one."""
    return None if None in lengths else length_of(place, math.prod(n for n in lengths if n is not None))


def _length(shape: Shape, spec: InputSpec, step: Step, axis: Axis) -> Shape:
    """The lengths of a tensor along an axis, after its step."""
    if step.squeeze:
        shape = shape[:-1]
    if step.expand:
        shape = (*shape, 1)
    if step.lead:
        shape = (1, *shape)
    if axis.is_last:
        last = shape[-1]
        return (axis.size if last is None or axis.size is not None else spec.block(last),)
    if axis == BATCH:
        return shape[:1]
    if axis == SPACE:
        return shape[1:-1] if LAST in spec.over else shape[1:]
    if axis.place:
        return shape[(at := ordered(spec.over).index(axis)) : at + 1]
    return shape[-2:-1] if LAST in spec.over else shape[:1]


def show(shape: Shape) -> str:
    """A shape for a reader: `(32, 3)`, with `?` for what is not known yet."""
    return f"({', '.join('?' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"

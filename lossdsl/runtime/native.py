"""A loss as a function of a library's own tensors, without Keras: what `lossdsl.torch` and `lossdsl.jax` share.

What runs is the module that `lossdsl emit` writes, in place. It aligns its arguments and carries our gradient into each
mode of differentiation. Outside of compilers, shapes are compared before, for better messages than a module by itself
can have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from lossdsl.errors import LossNameError, LossParameterError, LossShapeError, LossTypeError
from lossdsl.ir.axes import BATCH, LAST
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import ParameterSpec
from lossdsl.pipeline import Program
from lossdsl.runtime.bind import check_requirements, of_kind
from lossdsl.runtime.execute import functions
from lossdsl.runtime.replicas import Replicas, own_values
from lossdsl.runtime.shapes import Shape, Shapes, show
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.weighted_values import reduced

_RANKS = 33
"""How many ranks are told apart: more than a library has."""


class NativeLoss:
    """The generated function of a loss, and how it is called: `values(inputs, parameters)`.

    `parameters` are the live ones of the loss, by name; all others are numbers in the code.
    """

    def __init__(self, spec: LoadedLoss, target: str, reserved: tuple[str, ...]) -> None:
        """`reserved` are the names that a call of the library's has for other things than inputs of the loss."""
        loss = spec.program.loss
        self.spec = spec
        self.name = spec.name
        self.prediction = str(loss.prediction.identifier)
        self.target = None if loss.target is None else str(loss.target.identifier)
        self.inputs = tuple(str(one.identifier) for one in loss.inputs)
        self.extra = tuple(one for one in self.inputs if one not in (self.prediction, self.target))
        for one in self.extra:
            if one in reserved:
                hint = "give the input another name in the loss"
                message = f"{self.name}: an input `{one}` cannot be told from the argument of that name"
                raise LossNameError(message, None, hint)
        numbers = {name: value for name, value in spec.parameters.items() if isinstance(value, float)}
        bound = spec.program.bound(numbers)
        self.program = Program(bound.file, replace(bound.loss, requirements=()))
        self.open = tuple(one for one in self.program.loss.parameters if one.name not in self.program.loss.settled)
        self.is_elementwise = LAST in spec.program.loss.value.axes
        # Plain values, for compilers read the calls below.
        self.axis = spec.axis
        self.place = self.inputs.index(self.prediction)
        self.least = 1 + len(loss.places)
        self.couples = tuple(spec.couples_samples(rank) for rank in range(_RANKS))
        self.have_batch = tuple(BATCH in one.over for one in loss.inputs)
        self.is_one_sample = self.least - (self.is_elementwise or LAST not in loss.prediction.over)
        self.have_last = tuple(one.is_full for one in loss.inputs)
        self.settings = tuple((str(one.name), spec.parameters.get(one.name)) for one in self.open)
        self.told = functions(self.program.callable_module(target), self.name)["loss"]
        self.raw: Callable[..., Any] = getattr(self.told, "__wrapped__")  # noqa: B009 - what compilers can read

    # --- a call

    def ordered(self, prediction: Any, target: Any, others: Mapping[str, Any]) -> list[Any]:
        """The inputs in the order of the loss. Raises LossTypeError for one that is missing or not known."""
        for name in others:
            if name not in self.extra:
                known = f"beside target and prediction it has {', '.join(self.extra) or 'none'}"
                raise LossTypeError(f"{self.name} takes no further input `{name}`", None, known)
        given = {**others, self.prediction: prediction}
        if self.target is not None:
            given[self.target] = target
        for name in self.inputs:
            if name not in given or given[name] is None:
                hint = f"give it by name: `{name}=…`" if name in self.extra else "give the target and the prediction"
                raise LossTypeError(f"{self.name} is called without `{name}`", None, hint)
        return [given[name] for name in self.inputs]

    def aligned(self, inputs: list[Any], transpose: Callable[[Any, list[int]], Any]) -> list[Any]:
        """The inputs with the axes that play `last` at their end, a batch of numbers as one of rows of length 1."""
        rank = len(inputs[self.place].shape)
        if self.axis != (-1,) and rank > 1:
            moved = _places(self.axis, rank)
            inputs = [
                _moved(array, moved, rank, transpose) if has_last else array
                for has_last, array in zip(self.have_last, inputs, strict=True)
            ]
        if self.is_elementwise and self.axis and rank == self.least:
            inputs[self.place] = inputs[self.place][..., None]
        return inputs

    def couples_samples(self, prediction: Any) -> bool:
        """Whether the samples of a batch take part in one another's loss."""
        return self.couples[min(len(prediction.shape), len(self.couples) - 1)]

    def gathered(self, inputs: list[Any], replicas: Replicas) -> list[Any]:
        """The inputs of all replicas. Raises LossShapeError where there is a sample, and no batch."""
        prediction = inputs[self.place]
        if len(prediction.shape) <= self.is_one_sample and self.axis:
            message = f"{self.name}: `{self.prediction}` has shape {show(tuple(prediction.shape))}: it is one sample"
            raise LossShapeError(message, None, "what takes samples together needs a batch: an axis before the others")
        return [
            replicas.whole(array) if has_batch and len(array.shape) else array
            for has_batch, array in zip(self.have_batch, inputs, strict=True)
        ]

    def reduced(self, values: Any, weight: Any, reduction: str, prediction: Any, replicas: Replicas | None) -> Any:
        """The values under weights, reduced; with replicas, values of all their samples and weights of its own."""
        if replicas is None:
            return reduced(values, weight, reduction, self.name)
        weight = replicas.whole(weight) if weight is not None and len(weight.shape) else weight
        found = reduced(values, weight, reduction, self.name)
        if reduction != "none" or not len(found.shape):
            return found
        return own_values(self.spec, found, prediction, replicas)

    def values(self, inputs: list[Any], live: Mapping[str, Any], *, compiling: bool) -> Any:
        """One value a sample (and place), or one number."""
        settings = [live.get(name, value) for name, value in self.settings]
        return (self.raw if compiling else self.told)(*inputs, *settings)

    def check_shapes(self, shapes: tuple[Shape, ...], parameters: Mapping[str, Any]) -> None:
        """Raises LossShapeError where what a call was given does not agree, LossParameterError for a parameter."""
        given = {one.name: tuple(parameters[one.name].shape) for one in self.open if one.name in parameters}
        for one in self.open:
            if one.name in given:
                check_parameter(self.name, one, given[one.name])
        _check_shapes(self.spec, shapes, tuple(given.items()), self.is_elementwise)

    def check_values(self, parameters: Mapping[str, Any]) -> None:
        """Raises LossParameterError where numbers that a call was given break what the loss requires of them."""
        loss = self.spec.program.loss
        if loss.requirements and parameters:
            found = {one.name: of_kind(one, parameters[one.name]) for one in self.open if one.name in parameters}
            known = {name: value for name, value in found.items() if value is not None}
            check_requirements(self.spec.program, {**self.spec.parameters, **known})


def check_parameter(loss: str, spec: ParameterSpec, shape: Shape) -> None:
    """Raises LossParameterError where a tensor cannot be the parameter."""
    rank = {"vector": 1, "matrix": 2}.get(spec.kind, 0)
    if len(shape) != rank:
        message = f"{loss}: the parameter `{spec.name}` has rank {rank}, not shape {show(shape)}"
        hint = None if rank else "give one number: a tensor of shape ()"
        raise LossParameterError(message, spec.span, hint, (spec.name,))


# --- shapes ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _check_shapes(
    spec: LoadedLoss, shapes: tuple[Shape, ...], parameters: tuple[tuple[str, Shape], ...], is_elementwise: bool
) -> None:
    loss = spec.program.loss
    given = {one.identifier: shape for one, shape in zip(loss.inputs, shapes, strict=True)}
    places = Shapes(spec, given, spec.name).joined()
    if places is not None:
        rank = len(given[loss.prediction.identifier])
        given = {one.identifier: _moved_shape(one, given[one.identifier], places, rank) for one in loss.inputs}
    Shapes(spec, given, spec.name, dict(parameters)).plan(rank_one_is_batch=is_elementwise and bool(spec.axis))


def _places(axis: tuple[int, ...], rank: int) -> list[int]:
    """The axes that play `last`, in order; all of them where none is named."""
    return sorted({place % rank for place in axis}) or list(range(rank))


def _moved_shape(spec: InputSpec, shape: Shape, places: tuple[int, ...], rank: int) -> Shape:
    if len(shape) != rank or not spec.is_full:
        return shape
    rest = [length for place, length in enumerate(shape) if place not in places]
    return (*rest, math.prod(shape[place] or 0 for place in places))


def _moved(array: Any, places: list[int], rank: int, transpose: Callable[[Any, list[int]], Any]) -> Any:
    if len(array.shape) != rank:
        return array
    if len(places) == rank:
        return array.reshape(-1)
    rest = [place for place in range(rank) if place not in places]
    turned = transpose(array, [*rest, *places])
    return turned if len(places) == 1 else turned.reshape(*turned.shape[: len(rest)], -1)

"""Place values as code of a backend: what runs over a few places at a time, and what the loss goes on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from lossdsl.errors import LossTypeError, format_value
from lossdsl.fused.place_values import taken_apart
from lossdsl.ir.axes import BATCH
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.runtime.kernels import Axes, Code
from lossdsl.runtime.spec import LoadedLoss


@dataclass(frozen=True, eq=False)
class Steps:
    """The code of a loss whose inputs `heads` come as hidden states, a kernel and, where there is one, a bias.

    What it runs over is one flat list of tensors, its *arguments*: for each input of the loss in order the tensor, or
    for one of `heads` hidden states `(places, hidden)`, kernel `(hidden, classes)` and bias `(classes,)`. Tensors of
    places have these as their one axis in front.
    """

    spec: LoadedLoss
    heads: tuple[InputSpec, ...]
    has_bias: tuple[bool, ...]
    codes: tuple[Code, ...]
    """For each place value."""
    rest: LoadedLoss | None
    """The loss of the place values, where that is not the one place value itself."""
    names: tuple[str, ...] = ()
    """What the place values are called as inputs of `rest`."""

    @property
    def loss(self) -> Loss:
        return self.spec.program.loss

    def settings(self, classes: int, array: Callable[[Any], Any]) -> list[list[Any]]:
        """For each code the arguments behind the inputs, where the prediction has that many classes."""
        given = self.spec.arguments(self.loss.prediction.block(classes))
        return [code.settings(given, array) for code in self.codes]

    def grouped(self, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        """A list of the length of the arguments, input by input."""
        rest = list(arguments)
        found = []
        for spec in self.loss.inputs:
            count = 2 + self.has_bias[self.heads.index(spec)] if spec in self.heads else 1
            found.append(tuple(rest[:count]))
            del rest[:count]
        return found

    @property
    def are_places(self) -> tuple[bool, ...]:
        """For each argument, whether it has places in front; else it is the same for all of them."""
        found: list[bool] = []
        for spec, group in zip(self.loss.inputs, self.grouped([None] * (3 * len(self.loss.inputs))), strict=True):
            found += [BATCH in spec.over, *[False] * (len(group) - 1)]
        return tuple(found)

    def cut(self, arguments: Sequence[Any], rows: Callable[[Any], Any]) -> list[Any]:
        """The arguments, or what there is for each, with some rows of what has places in front."""
        pairs = zip(arguments, self.are_places, strict=True)
        return [rows(each) if is_place and each is not None else each for each, is_place in pairs]

    def of_inputs(self, inputs: Sequence[Any], rows: Callable[[Any], Any]) -> list[Any]:
        """The inputs of the loss, with some rows of those that have places."""
        return [rows(each) if BATCH in spec.over else each for spec, each in zip(self.loss.inputs, inputs, strict=True)]

    def parted(self, found: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """What there is for the arguments that have places in front, and for the others; None is left out."""
        pairs = [pair for pair in zip(found, self.are_places, strict=True) if pair[0] is not None]
        return [one for one, is_place in pairs if is_place], [one for one, is_place in pairs if not is_place]

    def together(self, own: Iterable[Any], shared: Iterable[Any], wanted: Sequence[bool]) -> list[Any]:
        """What `parted` made, for the arguments that are wanted, in their order again."""
        sides = {True: iter(own), False: iter(shared)}
        return [next(sides[is_place]) for is_place in compress(self.are_places, wanted)]

    def values(self, inputs: Sequence[Any], settings: Sequence[Sequence[Any]]) -> list[Any]:
        """The place values of some places, given the inputs of the loss."""
        return [code.value(*inputs, *own) for code, own in zip(self.codes, settings, strict=True)]

    def values_and_slopes(
        self, inputs: Sequence[Any], settings: Sequence[Sequence[Any]], upstream: Sequence[Any], wanted: Sequence[bool]
    ) -> tuple[list[Any], list[Any]]:
        """The same, and for each input that is wanted the derivative of their sum, each times its `upstream`."""
        values: list[Any] = []
        found: list[Any] = [None] * len(inputs)
        for code, own, seed in zip(self.codes, settings, upstream, strict=True):
            chosen = [one and pullback is not None for one, pullback in zip(wanted, code.pullbacks, strict=True)]
            value, *slopes = code.joint(chosen)(*inputs, *own, seed)
            values.append(value)
            for place, slope in zip(compress(range(len(inputs)), chosen), slopes, strict=True):
                found[place] = slope if found[place] is None else found[place] + slope
        return values, found


def steps(spec: LoadedLoss, heads: Mapping[str, int], has_bias: Sequence[bool], backend: str) -> Steps:
    """The code of a loss for a backend; `heads` are the identifiers of inputs that come as a layer's product.

    Each has the number of its classes; `has_bias` is in the order of the inputs.

    Raises:
        LossTypeError: the loss cannot be worked out a few places at a time, or its `last` is not the last axis.
    """
    if spec.axis != (-1,):
        message = f"{spec.name}: in a fused layer the classes are the last axis, not `axis={format_value(spec.axis)}`"
        raise LossTypeError(message, None, "leave `axis` out")
    numbers = {name: value for name, value in spec.parameters.items() if isinstance(value, float)}
    bound = spec.program.bound(numbers)
    chosen = {one: one.block(heads[one.identifier]) for one in bound.loss.inputs if one.identifier in heads}
    apart = taken_apart(bound, chosen)
    codes = tuple(Code.of(spec.over(one), backend, Axes.PLACELESS) for one in apart.values)
    rest = None if apart.rest is None else spec.over(apart.rest)
    return Steps(spec, tuple(chosen), tuple(has_bias), codes, rest, apart.names)


def chunk_of(chunk: int | None, classes: int, elements: int) -> int:
    """How many places are worked out at a time: if nobody says, as many as have that many logits."""
    return max(1, elements // max(classes, 1)) if chunk is None else chunk


def check_chunk(chunk: Any) -> None:
    """Raises LossTypeError for what is no number of places."""
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        message = f"`chunk` is a number of places, 1 or more, not {format_value(chunk)}"
        raise LossTypeError(message, None, "leave it out: then it follows from the number of classes")

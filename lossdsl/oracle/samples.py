"""Many points at which floating point is tried: numbers of a format, from the everyday to its limits.

Unlike `points`, these are drawn for their sizes: both signs, log-uniform over many orders of magnitude, near each
other, near 0 and 1, and on them. The same ones are drawn every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.axes import BATCH, SPACE, Axis, ordered
from lossdsl.ir.expr import Along, Expr, Gather, Input, Length, Reduce, Rename, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss, ParameterSpec
from lossdsl.ir.mixing import is_elementwise
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import format_point
from lossdsl.oracle.float_formats import Floats, Format
from lossdsl.oracle.input_kinds import INPUT_KINDS
from lossdsl.oracle.no_numbers import no_numbers
from lossdsl.oracle.orders import put_in_order
from lossdsl.oracle.points import defaults, in_interval, shape_of, sizes_for

EVERYDAY = ("plain", "near", "tails", "large", "close", "plain", "near", "small", "wide", "on")
"""How the inputs of a sample are drawn; together they are the values that training meets."""
EXTREME = ("huge", "tiny")
"""Sizes up to the limits of the format."""

TOGETHER = 3
"""How many samples a batch has whose samples are worked out together."""

_SIZES = {
    "plain": (-1.0, 1.0),
    "near": (-1.0, 2.0),
    "close": (-0.5, 2.0),
    "small": (-3.0, -1.0),
    "wide": (-3.0, 2.0),
    "large": (1.0, 2.0),
}
"""Powers of ten between which sizes lie."""


@dataclass(frozen=True)
class Samples:
    """Values of inputs and parameters, by node, each a number of a format; the first axis of inputs counts samples."""

    inputs: Mapping[Expr, Floats]
    parameters: Mapping[Expr, Floats]
    styles: tuple[str, ...]
    sizes: Mapping[str, int]

    apart: bool = True
    """Whether no sample has an influence on another; if not, they are one row together."""

    @property
    def rows(self) -> int:
        return len(self.styles) if self.apart else 1

    @property
    def everyday(self) -> NDArray[np.bool_]:
        """Which rows are of sizes that training meets."""
        return np.array([style not in EXTREME for style in self.styles[: self.rows]])

    def has_rows(self, node: Expr) -> bool:
        """Whether an input has other values in each row."""
        return not self.apart or BATCH in node.axes

    def only(self, places: Sequence[int]) -> Samples:
        """Some of the rows."""
        if not self.apart:
            return self
        inputs = {node: array[list(places)] if BATCH in node.axes else array for node, array in self.inputs.items()}
        styles = tuple(self.styles[place] for place in places)
        return replace(self, inputs=inputs, styles=styles, sizes={**self.sizes, "batch": len(styles)})

    def shown(self, row: int, kind: Format) -> str:
        """The numbers of a row, as in an `example` line."""
        parts = []
        for node, array in {**self.inputs, **self.parameters}.items():
            if isinstance(node, Input):
                values = array[row] if self.apart and BATCH in node.axes else array
                axes = _axes_of(node, self.apart)
                places = tuple(at for at, axis in enumerate(axes) if axis == SPACE and values.shape[at] == 1)
                values = np.squeeze(values, axis=places)
            else:
                values = array
            parts.append((getattr(node, "name", str(node)), np.asarray(values).tolist()))
        digits = {24: 9, 11: 5, 8: 4}[kind.bits]
        return format_point(parts, lambda value: f"{float(value):.{digits}g}")


def _axes_of(node: Expr, apart: bool) -> list[Axis]:
    return [axis for axis in ordered(node.axes) if not (apart and axis == BATCH)]


def is_by_sample(loss: Loss) -> bool:
    """Whether no sample of a batch has an influence on another."""
    for node in walk(loss.result):
        if any(axis.domain == "batch" and axis != BATCH for axis in node.axes):
            return False
        if isinstance(node, Reduce | Along | Length) and BATCH in node.over:
            return False
        if (isinstance(node, Gather) and node.axis == BATCH) or (isinstance(node, Rename) and node.old == BATCH):
            return False
    return BATCH in loss.result.axes


def elements(loss: Loss, slopes: Sequence[Expr]) -> int:
    """How many numbers are worked out for value and slopes at one sample."""
    sizes = {**sizes_for(loss), "batch": 1 if is_by_sample(loss) else TOGETHER}
    if is_elementwise(loss.value):
        sizes["last"] = 1
    return sum(math.prod(sizes[axis.domain] for axis in node.axes) for node in walk(loss.result, *slopes))


def batches(
    loss: Loss, known: Ranges, kind: Format, count: int, given: Mapping[str, Any] | None = None
) -> list[Samples]:
    """`count` samples: in one batch where none has an influence on another, else in small batches of one style each.

    `given` has values of parameters, used in place of their defaults.
    """
    styles = [
        EXTREME[place // 6 % 2] if place % 6 == 5 else EVERYDAY[(place - place // 6) % len(EVERYDAY)]
        for place in range(count)
    ]
    if is_by_sample(loss):
        return [samples(loss, known, kind, styles, given=given)]
    some = styles[: count // 4]
    return [samples(loss, known, kind, [style] * TOGETHER, seed, given) for seed, style in enumerate(some)]


def samples(
    loss: Loss,
    known: Ranges,
    kind: Format,
    styles: Sequence[str],
    seed: int = 5,
    given: Mapping[str, Any] | None = None,
) -> Samples:
    """One sample of each style."""
    sizes = {**sizes_for(loss), "batch": len(styles)}
    if is_elementwise(loss.value):
        sizes["last"] = 1
    random = Random(seed)
    inputs = _drawn(loss, kind, styles, sizes, random)
    inputs = put_in_order(loss, {node: _rounded(array, kind) for node, array in inputs.items()})
    inputs = {node: _rounded(array, kind) for node, array in inputs.items()}
    for leaf, values in no_numbers(loss).items():
        for place in range(3, len(styles), 4) if BATCH in leaf.axes else ():
            inputs[leaf][place].flat[0] = random.choice(values)
    parameters: dict[Expr, Floats] = {
        spec.node: _parameter(spec, known, sizes, random, given or {})
        for spec in loss.parameters
        if spec.name not in loss.settled
    }
    return Samples(inputs, parameters, tuple(styles), sizes, is_by_sample(loss))


def _rounded(array: Floats, kind: Format) -> Floats:
    return np.clip(kind.rounded(array), -kind.largest, kind.largest)


def _parameter(
    spec: ParameterSpec, known: Ranges, sizes: Mapping[str, int], random: Random, given: Mapping[str, Any]
) -> Floats:
    shape = tuple(sizes["last" if axis.domain == "rows" else axis.domain] for axis in ordered(spec.over))
    if spec.name in given:  # a vector of another length than that of the samples is repeated
        return np.resize(np.asarray(given[spec.name], dtype=float), shape)
    if spec.default is not None:
        return defaults(spec, shape).astype(float)
    numbers = [float(in_interval(known[spec.node], random)) for _ in np.ndindex(shape)]
    return np.array(numbers).reshape(shape)


def _drawn(
    loss: Loss, kind: Format, styles: Sequence[str], sizes: Mapping[str, int], random: Random
) -> dict[Expr, Floats]:
    """Numbers of each style for all inputs; what has no batch has those of the first."""
    nodes = [(spec, node) for spec in loss.inputs for node in spec.nodes]
    inputs: dict[Expr, Floats] = {node: np.zeros(shape_of(node, sizes)) for _, node in nodes}
    for place, style in enumerate(styles):
        numbers = _Numbers(style, kind, random)
        for spec, node in nodes:
            if BATCH in node.axes:
                _fill(spec, node, inputs[node][place : place + 1], numbers, sizes["last"])
            elif not place:
                _fill(spec, node, inputs[node], numbers, sizes["last"])
    return inputs


def _fill(spec: InputSpec, node: Expr, room: Floats, numbers: _Numbers, classes: int) -> None:
    """Puts numbers of one sample into a node of an input, or a part of it."""
    drawn = np.array([numbers.at(at) for at in range(room.size)])
    if spec.is_label:
        settled = np.array([float(numbers.random.randrange(classes)) for _ in drawn])
        room[...] = settled.reshape(room.shape)
        return
    room[...] = drawn.reshape(room.shape)
    room[...] = INPUT_KINDS[spec.part(node).domain].bring(room.ravel(), numbers.random).reshape(room.shape)


class _Numbers:
    """The numbers of one sample, of the sizes of a style; in two styles those of a place are near each other."""

    def __init__(self, style: str, kind: Format, random: Random) -> None:
        self.style = style
        self.kind = kind
        self.random = random
        self.is_near = style in ("near", "close")
        self.is_shared = random.random() < 0.5 and self.is_near  # the elements of a sample are near each other too
        widest = 2.0 - kind.bits / 3.4 if style == "near" else -3.0
        self.gap = 10 ** random.uniform(widest, -1.0)
        self.base: dict[int, float] = {}

    def at(self, place: int) -> float:
        """A number for an element of an input."""
        key = 0 if self.is_shared else place
        if key not in self.base:
            self.base[key] = _size(self.style, self.kind, self.random)
        value = _size(self.style, self.kind, self.random)
        if not self.is_near:
            return value
        return self.base[key] * (1.0 + self.random.choice((-1, 1)) * self.gap * self.random.random())


def _size(style: str, kind: Format, random: Random) -> float:
    """A number of the sizes of a style, of either sign."""
    sign = random.choice((-1.0, 1.0))
    if style == "on":
        return random.choice((0.0, 1.0, -1.0, 0.5, 2.0))
    if style == "tails":
        small = 10 ** random.uniform(-4.0, math.log10(0.5))
        return small if sign > 0 else 1.0 - small
    if style == "huge":
        return sign * 10 ** random.uniform(3.0, 0.98 * math.log10(kind.largest))
    if style == "tiny":
        return sign * 10 ** random.uniform(math.log10(kind.normal), -3.0)
    return sign * 10 ** random.uniform(*_SIZES[style])

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
from lossdsl.ir.loss import Loss
from lossdsl.ir.mixing import is_elementwise
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import format_point
from lossdsl.oracle.float_formats import Floats, Format
from lossdsl.oracle.input_kinds import INPUT_KINDS
from lossdsl.oracle.points import in_interval, sizes_for

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
    inputs: dict[Expr, Floats] = {}
    for spec in loss.inputs:
        for node in spec.nodes:
            shape = tuple(sizes[axis.domain] for axis in ordered(node.axes))
            inputs[node] = np.zeros(shape)
    for place, style in enumerate(styles):
        _fill(loss, inputs, place, style, kind, random, sizes["last"])
    inputs = {node: np.clip(kind.rounded(array), -kind.largest, kind.largest) for node, array in inputs.items()}
    parameters: dict[Expr, Floats] = {}
    for parameter in loss.parameters:
        if parameter.name not in loss.settled:
            shape = tuple(sizes["last" if axis.domain == "rows" else axis.domain] for axis in ordered(parameter.over))
            if given and parameter.name in given:  # a vector of another length than that of the samples is repeated
                parameters[parameter.node] = np.resize(np.asarray(given[parameter.name], dtype=float), shape)
                continue
            usual, interval = parameter.default, known[parameter.node]
            numbers = [float(usual if usual is not None else in_interval(interval, random)) for _ in np.ndindex(shape)]
            parameters[parameter.node] = np.array(numbers).reshape(shape)
    return Samples(inputs, parameters, tuple(styles), sizes, is_by_sample(loss))


def _fill(
    loss: Loss,
    inputs: Mapping[Expr, Floats],
    place: int,
    style: str,
    kind: Format,
    random: Random,
    classes: int,
) -> None:
    """Puts numbers into one sample of every input."""
    base: dict[int, float] = {}
    shared = random.random() < 0.5 and style in ("near", "close")  # the elements of a sample are near each other too
    gap = 10 ** random.uniform(2.0 - kind.bits / 3.4, -1.0) if style == "near" else 10 ** random.uniform(-3.0, -1.0)
    for spec in loss.inputs:
        for node in spec.nodes:
            array = inputs[node]
            row = array[place] if BATCH in node.axes else array
            if BATCH not in node.axes and place:
                continue
            flat = row.reshape(-1) if row.ndim else np.empty(1)
            for at in range(flat.size):
                key = 0 if shared else at
                if key not in base:
                    base[key] = _size(style, kind, random)
                value = _size(style, kind, random)
                if style in ("near", "close"):
                    value = base[key] * (1.0 + random.choice((-1, 1)) * gap * random.random())
                flat[at] = value
            if spec.is_label:
                settled = np.array([float(random.randrange(classes)) for _ in flat])
            else:
                settled = INPUT_KINDS[spec.domain].bring(flat, random)
            if row.ndim:
                row[...] = settled.reshape(row.shape)
            else:
                array[place] = settled[0]


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

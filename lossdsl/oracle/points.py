"""Points at which formulas are tried: small tensors of plain decimals in the domain of a loss, always the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from lossdsl.errors import LossShapeError
from lossdsl.ir.axes import DOMAINS, LAST, ROWS, last_of, ordered
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Const, Expr, Gather, Input, Slice, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss, ParameterSpec
from lossdsl.ir.meets import Home, called, length_of, meetings
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import format_point
from lossdsl.oracle.input_kinds import INPUT_KINDS, decimal, positive, signed
from lossdsl.oracle.interpreter import Array, evaluate, filled
from lossdsl.oracle.no_numbers import no_numbers
from lossdsl.oracle.number_systems import Numbers, mp_numbers
from lossdsl.oracle.orders import put_in_order

_TRIES = 40
_SHARE = 0.25
"""How many of the elements are no numbers where that is tried."""


@dataclass(frozen=True)
class Point:
    """A value for every input and parameter, by node, as fractions with few digits."""

    values: Mapping[Expr, Array]
    sizes: Mapping[str, int]

    def given(self, m: Numbers) -> dict[Expr, Array]:
        """The same over the numbers of a namespace."""
        return {node: filled(array, m) for node, array in self.values.items()}

    def shown(self) -> str:
        """As an author would write it in an example: `t=[…], x=[…], delta=1.5`."""
        named = ((getattr(node, "name", str(node)), array.tolist()) for node, array in self.values.items())
        return format_point(named, _plainly)


def _plainly(value: Fraction | float) -> str:
    return f"{int(value)}" if math.isfinite(value) and value == int(value) else repr(float(value))


def sizes_for(loss: Loss) -> dict[str, int]:
    """Two samples, one place, three elements; more where the loss picks one out by number, or cuts some off.

    Along each axis of places that has a name there are two.

    Raises LossShapeError where slices meet that differ in length however many elements there are.
    """
    sizes = {**dict.fromkeys(domains(loss), 2), "batch": 2, "space": 1, "last": 3, "rows": 3}
    sizes["last"] = max([3, *(len(one.default) for one in loss.parameters if isinstance(one.default, tuple))])
    has_slices = False
    for node in walk(loss.result):
        if isinstance(node, Gather) and isinstance(node.index, Const):
            place = int(node.index.value)
            domain, least = node.axis.domain, place + 1 if place >= 0 else -place
        elif isinstance(node, Slice):
            domain, least = node.old.domain, abs(node.start) + (node.new.size or node.new.cut + 1) + 1
            has_slices = has_slices or domain == "last"
        else:
            continue
        sizes[domain] = max(sizes[domain], least)
    own: dict[str, int] = {}
    if has_slices:
        sizes["last"], own = _fitting(loss, sizes["last"])
    return {**sizes, "rows": max(sizes["last"], sizes["rows"]), **own}


def shape_of(node: Expr, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a leaf where axes have these sizes."""
    whole = tuple(sizes[axis.domain] if axis.size is None else axis.size for axis in ordered(node.axes))
    own = sizes.get(_own(node.name)) if isinstance(node, Input) else None
    return whole if own is None or LAST not in node.axes else (*whole[:-1], own)


def _own(name: str) -> str:
    """What the length of an input's last axis is called, where it is not that of the others."""
    return f"last of {name}"


def domains(loss: Loss) -> tuple[str, ...]:
    """The domains of axes of a loss."""
    return (*DOMAINS, *(axis.domain for axis in loss.places))


def _fitting(loss: Loss, wanted: int) -> tuple[int, dict[str, int]]:
    """The number of elements nearest to `wanted`, from there on first, at which slices that meet have one length.

    Where there is none, inputs that are not cut are as long as what they meet, a slice of another.
    """
    measured = {axis: leaf.name for axis, leaf in loss.measures.items()}
    groups = [sorted(group, key=lambda part: (len(part), str(part))) for group in meetings(loss.result, measured)]
    lengths: list[int] = [*range(wanted, 2 * wanted + 1), *range(wanted - 1, 0, -1)]
    for last in lengths:
        if not any(_odd_pair(group, last) for group in groups):
            return last, {}
    counted = _own(measured.get(LAST, ""))
    inputs = [node for spec in loss.inputs for node in spec.nodes if LAST in node.axes]
    for last in lengths:
        own = _own_lengths(groups, last)
        if own is not None:  # positions are counted as far as what measures the axis goes, in slopes as well
            return own.get(counted, last), {**{_own(node.name): last for node in inputs}, **own}
    pair = next(filter(None, (_odd_pair(group, wanted) for group in groups)))
    names = {node.name: spec.name for spec in loss.inputs for node in spec.nodes}
    left, right = (called(part, names.get(part[0], part[0])) for part in pair)
    raise LossShapeError(
        f"`{left}` and `{right}` meet, and never have the same length where all last axes have one",
        None,
        "slices that meet pick out equally many elements, as in `x[1:] - x[:-1]`; nothing is broadcast",
    )


def _odd_pair(group: list[Home], last: int) -> tuple[Home, Home] | None:
    """Two that meet and have not the same length."""
    one = group[0]
    return next(((one, part) for part in group if length_of(part, last) != length_of(one, last)), None)


def _own_lengths(groups: list[list[Home]], last: int) -> dict[str, int] | None:
    """The lengths of inputs that are not cut and meet a slice of another; None where that is as long for none."""
    cut = {part[0] for group in groups for part in group if len(part) == 3}
    own: dict[str, int] = {}
    for group in groups:
        lengths = {length_of(part, last) for part in group if part[0] in cut}
        if len(lengths) > 1 or 0 in lengths:
            return None
        length = min(lengths, default=last)
        whole = (name for name, axis, *_ in group if name not in cut and axis == LAST)
        if any(own.setdefault(_own(name), length) != length for name in whole):
            return None
    return own


def points(
    loss: Loss, known: Ranges, count: int, seed: int = 1, *, asks: bool = False, longer: int = 0
) -> Iterator[Point]:
    """At most `count` points that meet the loss's requirements; every other one has the defaults of parameters.

    With `asks`, the inputs of which the formula asks whether they are nan or infinite are so here and there at every
    other pair of points. Each axis has `longer` elements more than is usual, unless slices fix the lengths.
    """
    sizes = sizes_for(loss)
    if longer and not sizes.keys() - set(domains(loss)):
        sizes = {domain: size + longer for domain, size in sizes.items()}
    strange = no_numbers(loss) if asks else {}
    for number in range(count):
        random = Random(1000 * seed + number)
        is_usual = number % 2 == 0
        inputs = _inputs(loss, sizes, random, is_usual)
        if number % 4 in (1, 2):
            inputs |= {node: _strewn(inputs[node], values, number) for node, values in strange.items()}
        tries = (_parameters(loss, sizes, known, random, is_usual) for _ in range(_TRIES))
        drawn = next((each for each in tries if allowed(loss, each, sizes)), None)
        if drawn is not None:
            yield Point({**inputs, **drawn}, sizes)


def allowed(loss: Loss, drawn: Mapping[Expr, Array], sizes: Mapping[str, int]) -> bool:
    """Whether values of parameters meet what the loss requires of them."""
    conditions = [requirement.condition for requirement in loss.requirements]
    if not conditions:
        return True
    m = mp_numbers()
    done = evaluate(conditions, Point(drawn, sizes).given(m), m, sizes)
    return all(bool(np.all(done[condition])) for condition in conditions)


def _objects(shape: tuple[int, ...], draw: Any) -> Array:
    found = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        found[place] = draw()
    return found


def _inputs(loss: Loss, sizes: Mapping[str, int], random: Random, is_signed: bool) -> dict[Expr, Array]:
    drawn: dict[Expr, Array] = {}
    for spec in loss.inputs:
        drawn |= {node: _input(spec, node, sizes, random, is_signed) for node in spec.nodes}
    return put_in_order(loss, drawn)


def _strewn(array: Array, values: Sequence[float], number: int) -> Array:
    """An array with some of its elements, the first among them, replaced by values that are no numbers."""
    random = Random(number)
    found = array.copy()
    for place in np.ndindex(found.shape):
        if not any(place) or random.random() < _SHARE:
            found[place] = random.choice(values)
    return found


def _input(spec: InputSpec, node: Expr, sizes: Mapping[str, int], random: Random, is_signed: bool) -> Array:
    shape = shape_of(node, sizes)
    if spec.is_label:
        return _objects(shape, lambda: Fraction(random.randrange(sizes["last"])))
    kind = INPUT_KINDS[spec.part(node).domain]
    draw = kind.draw or (signed if is_signed else positive)
    found = _objects(shape, lambda: draw(random))
    rows = found if last_of(node.axes) or LAST not in spec.over else found[..., None]
    for place in np.ndindex(rows.shape[:-1]) if LAST in spec.over else ():
        rows[place] = kind.fit(list(rows[place]), random)
    return found


def _parameters(
    loss: Loss, sizes: Mapping[str, int], known: Ranges, random: Random, is_usual: bool
) -> dict[Expr, Array]:
    """Those that are no part of the code; with their defaults where that `is_usual`."""
    free = [spec for spec in loss.parameters if spec.name not in loss.settled]
    return {spec.node: _parameter(spec, sizes, known, random, is_usual) for spec in free}


def _parameter(spec: ParameterSpec, sizes: Mapping[str, int], known: Ranges, random: Random, is_usual: bool) -> Array:
    # Matrices are drawn square: their rows and their last axis are usually the same classes.
    shape = tuple(sizes["last" if axis == ROWS else axis.domain] for axis in ordered(spec.over))
    usual = spec.usual
    if is_usual and usual is not None:
        return defaults(spec, shape)
    is_whole = spec.kind == "int"

    def draw() -> Fraction:
        number = in_interval(known[spec.node], random, usual)
        return Fraction(round(number)) if is_whole else number

    return _objects(shape, draw)


def defaults(spec: ParameterSpec, shape: tuple[int, ...]) -> Array:
    """The default of a parameter that has one, in a shape; where it has several numbers, these repeated."""
    numbers = np.asarray(spec.default)
    exact = _objects(numbers.shape, lambda: Fraction(0))
    for place in np.ndindex(numbers.shape):
        number = float(numbers[place])
        exact[place] = Fraction(repr(number)) if math.isfinite(number) else number
    return np.resize(exact, shape)


def in_interval(interval: Bounds, random: Random, usual: Fraction | None = None) -> Fraction:
    """A number inside an interval, near `usual` where one side is infinite."""
    low, high = interval.low, interval.high
    if low == high:
        return Fraction(low)
    if math.isfinite(low) and math.isfinite(high):
        return decimal(low + (high - low) * random.uniform(0.02, 0.98))
    size = abs(float(usual)) if usual else 1.0
    step = size * math.exp(random.uniform(-1.5, 1.0))
    if math.isfinite(low):
        return Fraction(low) + decimal(step)
    if math.isfinite(high):
        return Fraction(high) - decimal(step)
    return decimal(step) if usual else decimal(size * random.uniform(-2.0, 2.0))

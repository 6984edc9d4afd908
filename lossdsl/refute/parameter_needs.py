"""What goes wrong for a parameter of which nothing is required: the loss has no value, or is negative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from lossdsl.ir.expr import Expr, walk
from lossdsl.ir.loss import Loss, ParameterSpec
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.plain_points import plain_points
from lossdsl.oracle.points import Point, defaults
from lossdsl.pipeline import Program
from lossdsl.refute.selected_parts import culprit
from lossdsl.refute.sides import contradicting

MAX_NODES = 300
DRAWN = 2
"""How many drawn points are looked at; all of those at which several inputs are plain are."""
_SCALES = (1, 20)
"""By what predictions are multiplied, to see them far from the target."""


SMOOTHING = ("eps", "epsilon", "ε", "smooth", "smoothing", "softening")
"""Names of parameters that are added to keep something from 0."""


def is_smoothing(spec: ParameterSpec) -> bool:
    """Whether a parameter is called like a small number that keeps something from 0."""
    return spec.name.lower() in SMOOTHING


@dataclass(frozen=True)
class ParameterNeed:
    """A value of a parameter for which a loss is "negative" or "without a value" though it is not for the default."""

    spec: ParameterSpec
    value: Fraction
    what: str


def needs(program: Program) -> Iterator[ParameterNeed]:
    """One for each number of which nothing is required and that should not be 0, negative, or above 1."""
    loss = program.loss
    required = {node for one in loss.requirements for node in walk(one.condition)}
    free = [spec for spec in loss.parameters if spec.name not in loss.settled]
    if any(spec.default is None for spec in free) or sum(1 for _ in walk(loss.result)) > MAX_NODES:
        return
    judged = [spec for spec in free if spec.node not in required and spec.kind == "real" and not is_smoothing(spec)]
    tried = list(_points(program, free)) if judged else []
    usual = [(point, found) for point in tried if (found := _values(loss, point)) is not None]
    is_nonnegative = all(value >= -_nothing() for _, values in usual for value in values)
    for spec in judged:
        yield from islice(_bad(loss, spec, usual, is_nonnegative), 1)


def _bad(
    loss: Loss, spec: ParameterSpec, usual: list[tuple[Point, list[Any]]], is_nonnegative: bool
) -> Iterator[ParameterNeed]:
    default = spec.usual or Fraction(0)
    for value in (Fraction(0), -default, *([Fraction(2)] if 0 < default < 1 else [])):
        for point, before in usual if value != default else ():
            found = _values(loss, _with(point, {spec: value}))
            if found is None:
                yield ParameterNeed(spec, value, "without a value")
            elif is_nonnegative and min(found) < -_nothing() and not (
                value == -default and _is_weight(before, _values(loss, _with(point, {spec: Fraction(0)})), found)
            ):
                yield ParameterNeed(spec, value, "negative")


def _is_weight(before: list[Any], without: list[Any] | None, opposite: list[Any]) -> bool:
    """Whether a parameter is a plain factor of a term: that a negative one rewards it, everybody knows."""
    return without is not None and all(
        abs(one + other - 2 * middle) <= _nothing() * (1 + abs(one))
        for one, middle, other in zip(before, without, opposite, strict=True)
    )


def _nothing() -> Any:
    return mp_numbers().mpf(10) ** -9


def _points(program: Program, free: list[ParameterSpec]) -> Iterator[Point]:
    loss = program.loss
    is_line = loss.prediction.is_line
    known = [spec for spec in free if spec.default is not None]
    for place, plain in enumerate(plain_points(loss, program.known)):
        if not (place < DRAWN or " and " in plain.why or plain.why.startswith(f"where `{loss.prediction.name}`")):
            continue
        values = dict(plain.point.values)
        values |= {spec.node: defaults(spec, values[spec.node].shape) for spec in known}
        for scale in _SCALES if is_line else _SCALES[:1]:
            moved: dict[Expr, Array] = {node: scale * values[node] for node in loss.prediction.nodes}
            yield Point({**values, **moved}, plain.point.sizes)
    if is_line:
        yield from contradicting(program)


def _with(point: Point, values: Mapping[ParameterSpec, Fraction]) -> Point:
    arrays: dict[Expr, Array] = {
        spec.node: np.full(point.values[spec.node].shape, value, dtype=object) for spec, value in values.items()
    }
    return Point({**point.values, **arrays}, point.sizes)


def _values(loss: Loss, point: Point) -> list[Any] | None:
    """The values of the loss; None where it has none."""
    m = mp_numbers()
    done = evaluate([loss.result], point.given(m), m, point.sizes)
    found = done[loss.result].ravel().tolist()
    is_good = bool(found) and all(map(m.isfinite, found)) and culprit(loss.result, done, m) is None
    return found if is_good else None

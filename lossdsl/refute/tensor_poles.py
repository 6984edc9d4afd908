"""Poles of losses over whole tensors: predictions at which what is divided by, or a logarithm is taken of, is 0."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, walk
from lossdsl.ir.verdict import Verdict
from lossdsl.oracle.input_kinds import INPUT_KINDS
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.orders import holds
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.refute.poles import exact
from lossdsl.refute.tensor_search import MAX_NODES, finite_values, fits
from lossdsl.refute.tensor_search import at as point_at

POINTS = 2
"""From how many points ways are gone."""
MAX_LEVELS = 12
_FAR = (1, 3, 10, 100, 10_000)
_WAYS = (*(Fraction(-step) for step in reversed(_FAR)), *(Fraction(part, 8) for part in (-2, 0, 1, 2, 4, 6)),
         *map(Fraction, _FAR))  # fmt: skip
"""How far ways are gone, either way: 1 is where another point lies, or -1 times this one."""
_STEPS = 200
_BESIDE = Fraction(1, 10**9), Fraction(1, 10**12)


@dataclass(frozen=True)
class TensorLevel:
    """An operation that has no value where `factor`, which the prediction moves, is 0."""

    node: Call
    factor: Expr


@dataclass(frozen=True)
class TensorPole:
    """A point next to which an operation that reaches the loss has no value, and one on either side."""

    node: Call
    at: Point
    beside: tuple[Point, Point]


@dataclass(frozen=True)
class _Way:
    """From a point along some elements of the prediction."""

    program: Program
    start: Point
    node: Expr
    moves: Array

    def at(self, step: Any) -> Point:
        there: Array = self.start.values[self.node] + step * self.moves
        return Point({**self.start.values, self.node: there}, self.start.sizes)

    def admits(self, step: Fraction) -> bool:
        point, loss = self.at(step), self.program.loss
        return fits(loss.prediction, self.node, point.values[self.node]) and holds(loss, point.values)

    def numbers(self, expr: Expr, step: Fraction) -> list[Any]:
        point = self.at(step)
        return list(evaluate([expr], point.given(mp_numbers()), mp_numbers(), point.sizes)[expr].ravel().tolist())


def tensor_poles(program: Program, levels: Sequence[TensorLevel]) -> Iterator[TensorPole]:
    """A pole of each operation that has one on a way that is gone."""
    if sum(1 for _ in walk(program.loss.result)) > MAX_NODES:
        return
    for level in levels[:MAX_LEVELS]:
        found = (_on_way(way, level) for way in _ways(program))
        pole = next(filter(None, found), None)
        if pole is not None:
            yield pole


def gap(program: Program, found: Sequence[TensorPole]) -> Verdict | None:
    """A pole between predictions that have a value on either side."""
    for pole in found:
        at, *ends = (point_at(program.loss, one) for one in (pole.at, *pole.beside))
        detail = "next to it there is no finite value, though there is one on either side"
        return Verdict("refuted", "search", at=at, beside=tuple(ends), detail=detail)
    return None


def _ways(program: Program) -> Iterator[_Way]:
    """Along all elements of the prediction alike, to another point, through 0, and along each of the first few."""
    spec = program.loss.prediction
    drawn = list(points(program.loss, program.known, POINTS))
    for place, start in enumerate(drawn):
        other = drawn[place - 1]
        for node in spec.nodes:
            if not INPUT_KINDS[spec.part(node).domain].is_line:
                continue
            here = start.values[node]
            yield _Way(program, start, node, _one_at(here.shape, None))
            yield _Way(program, start, node, np.asarray(other.values[node] - here))
            yield _Way(program, start, node, -2 * here)
            for chosen in islice(np.ndindex(here.shape), here.shape[-1] if here.shape else 1):
                yield _Way(program, start, node, _one_at(here.shape, chosen))


def _one_at(shape: tuple[int, ...], chosen: tuple[int, ...] | None) -> Array:
    """1 at one element, or at all, and else 0."""
    found = np.full(shape, Fraction(chosen is None), dtype=object)
    if chosen is not None:
        found[chosen] = Fraction(1)
    return found


def _on_way(way: _Way, level: TensorLevel) -> TensorPole | None:
    """The first pole on a way that reaches the loss."""
    known = [(step, way.numbers(level.factor, step)) for step in _WAYS if way.admits(step)]
    for (low, ones), (high, others) in pairwise(known):
        for place, (one, other) in enumerate(zip(ones, others, strict=True)):
            step = low if one == 0 else _zero(way, level.factor, place, low, high) if one * other < 0 else None
            if step is not None and (found := _pole(way, level, place, step)) is not None:
                return found
    return None


def _zero(way: _Way, factor: Expr, place: int, low: Fraction, high: Fraction) -> Fraction | None:
    """The step at which a factor passes through 0, to as many digits as a reader can put in; None where it jumps."""
    m = mp_numbers()
    first = way.numbers(factor, low)[place]
    for _ in range(_STEPS):
        middle = (low + high) / 2
        value = way.numbers(factor, middle)[place]
        if not m.isfinite(value):
            return None
        if abs(value) <= m.mpf(10) ** -40:
            return Fraction(m.nstr(m.number(middle), 15))
        low, high = (middle, high) if value * first > 0 else (low, middle)
    return None


def _pole(way: _Way, level: TensorLevel, place: int, step: Fraction) -> TensorPole | None:
    """The pole at a step, if the loss has finite values on both sides, and feels what the operation gives there."""
    loss = way.program.loss
    for sign in (-1, 1):
        far, near = (step + sign * each for each in _BESIDE)
        if not all(way.admits(one) and finite_values(loss, way.at(one)) is not None for one in (far, near)):
            return None
        size, nearer = (abs(way.numbers(level.factor, one)[place]) for one in (far, near))
        if not 0 < 10 * nearer < size or not _grows(way, level, far, near):
            return None
        is_near = b.call("lt", b.call("abs", level.factor), b.const(2 * exact(nearer)))
        lost = b.where(is_near, Const(math.nan), level.node)
        if not lost.axes <= level.node.axes:
            return None
        values = way.numbers(b.substitute(loss.result, {level.node: lost}), near)
        if all(map(mp_numbers().isfinite, values)):
            return None  # it is not selected there
    return TensorPole(level.node, way.at(step), (way.at(step - _BESIDE[0]), way.at(step + _BESIDE[0])))


def _grows(way: _Way, level: TensorLevel, far: Fraction, near: Fraction) -> bool:
    """Whether an operation has no value where its level is 0: a power or `xlogy`, where it grows towards that."""
    if level.node.op.name not in ("pow", "xlogy"):
        return True
    before, after = (max(map(abs, way.numbers(level.node, step))) for step in (far, near))
    return bool(after > before + 1)

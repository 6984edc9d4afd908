"""How far floating point is from the truth: the formula as written, at 110 digits, on the very numbers it was given.

A large error need not be a mistake. Where moving the inputs by a few units in their last place moves the truth as much,
no arithmetic could do better with numbers that were rounded once; such an error is *excused*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.expr import Expr
from lossdsl.ir.loss import Loss
from lossdsl.oracle.float_formats import Floats, Format
from lossdsl.oracle.interpreter import Array, evaluate, filled, met
from lossdsl.oracle.number_systems import MpNumbers, mp_numbers
from lossdsl.oracle.samples import Samples

DIGITS = 110
"""What a format can hold reaches from 1e-45 to 1e38, and differences must be seen in it."""
LARGE = 64.0
"""An error that is looked into, in units in the last place."""
SLACK = 16.0
"""By how many units in the last place inputs are moved to see what may be excused: one, for each of some operations."""
_MOVES = 3

Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class Errors:
    """The errors of one part of a loss, the largest of each sample."""

    ulps: Floats
    """In units in the last place (of slopes: of the largest in the sample); nan where the truth cannot be represented,
    infinite where the result is no number."""
    gaps: Floats
    """The same as plain numbers."""
    size: Floats
    """How large the truth is."""
    lost: Truths
    """Which samples have no correct digit though they could."""
    overflow: Truths
    """Which samples are infinite or nan though the truth is far from that."""
    excused: Truths
    everyday: Truths
    """Which samples are of sizes that training meets."""
    got: Array
    true: Array

    @property
    def is_known(self) -> Truths:
        return ~np.isnan(self.ulps)

    def told(self, row: int) -> str:
        """The element of a sample that is furthest off, beside the truth."""
        got, true = self.got[row].ravel(), self.true[row].ravel()
        gap = [abs(float(one) - float(other)) for one, other in zip(got, true, strict=True)]
        place = int(np.argmax(np.where(np.isnan(gap), np.inf, gap)))
        return f"{float(got[place]):.3g}, and {float(true[place]):.3g} is right"


class Truth:
    """The exact value of a loss and its slopes in the components of the prediction, at samples."""

    def __init__(self, loss: Loss, slopes: Sequence[Expr], samples: Samples) -> None:
        self.loss = loss
        self.slopes = tuple(slopes)
        self.samples = samples
        self.nodes = loss.prediction.nodes
        self.m: MpNumbers = mp_numbers(DIGITS)
        self.parts = self._at(samples)

    def _at(self, samples: Samples) -> dict[str, Array]:
        """The exact value, and the slopes in all components side by side; a row for each sample."""
        given = {node: filled(array, self.m) for node, array in {**samples.inputs, **samples.parameters}.items()}
        done = evaluate([self.loss.result, *self.slopes], given, self.m, samples.sizes)
        slopes = []
        for node, slope in zip(self.nodes, self.slopes, strict=True):
            slopes.append(np.broadcast_to(met(done[slope], slope.axes, node.axes), given[node].shape))
        return self._parts(samples, [done[self.loss.result], *slopes])

    @staticmethod
    def _parts(samples: Samples, arrays: Sequence[Any]) -> dict[str, Array]:
        value, *slopes = (_by_row(np.asarray(array), samples.rows) for array in arrays)
        return {"value": value, "gradient": np.concatenate(slopes, axis=1)}

    def errors(self, arrays: Sequence[Any], kind: Format) -> dict[str, Errors]:
        """How far results in a format are off: value, then slopes, each in the shape that the code gives."""
        parts = self._parts(self.samples, arrays)
        got = {part: np.broadcast_to(array, self.parts[part].shape) for part, array in parts.items()}
        gaps = {part: self._gaps(got[part], self.parts[part], kind) for part in got}
        sizes = {part: np.abs(_floats(self.parts[part])) for part in got}
        sizes["gradient"] = np.broadcast_to(_largest(sizes["gradient"])[:, None], sizes["gradient"].shape)
        ulps = {part: _largest(gaps[part] / kind.unit(sizes[part])) for part in got}
        large = np.any([~(found <= LARGE) & ~np.isnan(found) for found in ulps.values()], axis=0)
        asked = np.flatnonzero(large)
        reach = self._reach(kind, asked) if asked.size else {}
        found = {}
        for part, mine in ulps.items():
            excused = ~(mine <= LARGE) & ~np.isnan(mine)
            lost, overflow = np.zeros_like(excused), np.zeros_like(excused)
            gap, size = _largest(gaps[part]), _largest(np.where(np.isnan(gaps[part]), np.nan, sizes[part]))
            for place, row in enumerate(asked):
                if gap[row] > reach[part][place]:
                    excused[row] = False
                    overflow[row] = np.isinf(gap[row]) and size[row] < math.sqrt(kind.largest)
                    lost[row] = np.isfinite(gap[row]) and gap[row] >= size[row] / 2 and gap[row] > kind.normal
            everyday = self.samples.everyday
            found[part] = Errors(mine, gap, size, lost, overflow, excused, everyday, got[part], self.parts[part])
        return found

    def _gaps(self, got: Array, true: Array, kind: Format) -> Floats:
        """Absolute errors; nan where the format cannot hold the truth, infinite where the result is no number."""
        m = self.m

        def one(found: Any, exact: Any) -> float:
            if not m.isfinite(exact) or abs(exact) > kind.largest:
                return float("nan")
            return float(abs(m.mpf(found) - exact)) if np.isfinite(found) else float("inf")

        pairs = zip(np.asarray(got, dtype=float).ravel().tolist(), true.ravel(), strict=True)
        return np.array([one(*pair) for pair in pairs], dtype=float).reshape(true.shape)

    def _reach(self, kind: Format, places: Any) -> dict[str, Floats]:
        """How far value and slopes of some samples move if inputs and parameters do, by units in the last place."""
        samples = self.samples.only(places)
        still = self._at(samples)
        found = {part: np.zeros(samples.rows) for part in still}
        random = Random(3)
        for _ in range(_MOVES):
            moved = replace(
                samples,
                inputs={
                    node: samples.inputs[node] if spec.is_label else _moved(samples.inputs[node], kind, random)
                    for spec in self.loss.inputs
                    for node in spec.nodes
                },
                parameters={node: _moved(array, kind, random) for node, array in samples.parameters.items()},
            )
            for part, after in self._at(moved).items():
                far = _floats(np.abs(after - still[part]))
                found[part] = np.maximum(found[part], np.max(np.where(np.isfinite(far), far, np.inf), axis=1))
        return found


def _by_row(array: Array, rows: int) -> Array:
    """A row for each sample; what is the same for all, as a form that a rule made simpler may be, is repeated."""
    if array.size % rows:
        array = np.broadcast_to(array, (rows, *array.shape))
    return array.reshape(rows, -1)


def _floats(values: Array) -> Floats:
    return values.astype(float)


def _largest(values: Floats) -> Floats:
    """The largest of each row, without what is nan; nan where all are."""
    found = np.max(np.where(np.isnan(values), -1.0, values), axis=1)
    return np.where(found < 0, np.nan, found)


def _moved(values: Floats, kind: Format, random: Random) -> Floats:
    signs = np.array([random.choice((-1.0, 1.0)) for _ in range(values.size)]).reshape(values.shape)
    return np.where(np.isfinite(values), values + SLACK * signs * kind.unit(values), values)

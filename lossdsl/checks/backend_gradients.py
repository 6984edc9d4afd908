"""Our gradient beside a backend's automatic differentiation of the value: `lossdsl check FILE --backend jax`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from lossdsl.checks.finding import Finding, Row, Sure
from lossdsl.checks.packed_arrays import components, packed
from lossdsl.checks.subject import Subject
from lossdsl.ir.expr import Input
from lossdsl.ir.inputs import InputSpec
from lossdsl.oracle.breakpoints import both_sides
from lossdsl.oracle.compare import shown
from lossdsl.oracle.gradient_check import Trial
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.runtime.autodiff import derivative

BACKEND = Row(
    "backend",
    "Backend finds another gradient",
    "error",
    "The automatic differentiation of the backend named with `--backend` gives another gradient of the value's code, "
    "at a point that is no kink.",
    allowable=False,  # an `allow` would meet nothing in a check without the option
)
UNTESTED = Row(
    "untested-backend",
    "Not compared with the backend",
    "info",
    "No point was found at which the gradient could be compared with the automatic differentiation of the backend.",
    allowable=False,  # an `allow` would meet nothing in a check without the option
)

ROWS = (BACKEND, UNTESTED)

POINTS = 12
AGREE = 1e-9
"""How far apart two slopes in float64 may be, beside the largest of a point."""
SMALL = 1e-4
"""A slope of a loss that is 0 only but for rounding is compared with this."""


def look(subject: Subject) -> Iterator[Finding | Sure]:
    """A finding for each input in which the backend finds another gradient; none if no backend is named."""
    if subject.backend is None:
        return
    tried = kinks = 0
    wrong = False
    for program in subject.programs:
        differing, count, bent = _differing(program, subject.backend)
        tried, kinks, wrong = tried + count, kinks + bent, wrong or bool(differing)
        for text in differing.values():
            yield BACKEND.found(
                text, program.loss.spans.get(program.loss.result), None, f"tested at {count} points in float64"
            )
    if not tried:
        yield UNTESTED.found(f"no point was found to compare with {subject.backend}")
    elif not wrong:
        aside = f", {kinks} slopes at kinks aside" if kinks else ""
        yield Sure(f"gradient as by {subject.backend}'s automatic differentiation (tested at {tried} points{aside})")


def _differing(program: Program, backend: str) -> tuple[dict[str, str], int, int]:
    """What differs, by input; at how many points that was looked for; how many slopes were left aside at kinks."""
    loss = program.loss
    theirs = derivative(program, backend)
    first = list(islice(points(loss, program.known, 4 * POINTS, asks=True), POINTS))
    places = [*first, *both_sides(loss, (loss.value,), first)]
    found: dict[str, str] = {}
    count = kinks = 0
    for point in map(_in_float64, places):
        trial = Trial(loss, point)
        if not trial.is_usable:
            continue
        count += 1
        inputs, parameters = _arguments(program, point)
        for spec, slopes in zip(loss.inputs, theirs(inputs, parameters), strict=True):
            if slopes is not None and spec.name not in found:
                text, bent = _of_input(program, spec, slopes, trial, backend)
                kinks += bent
                found |= {spec.name: text} if text else {}
    return found, count, kinks


def _of_input(program: Program, spec: InputSpec, slopes: Any, trial: Trial, backend: str) -> tuple[str, int]:
    """What differs at a point in the last component of an input that does, and how many slopes are left aside."""
    rows = zip(spec.nodes, program.gradients[spec], components(spec, slopes), strict=True)
    found = [_difference(program, node, trial.spread(expr, node), part, trial, backend) for node, expr, part in rows]
    return next((text for text, _ in reversed(found) if text), ""), sum(bent for _, bent in found)


def _difference(program: Program, node: Input, ours: Any, theirs: Any, trial: Trial, backend: str) -> tuple[str, int]:
    """How the slopes in one input differ at a point, in words; and how many do at a kink."""
    mine = ours.astype(float)
    scale = float(np.max(np.abs(mine[np.isfinite(mine)]), initial=0.0)) + SMALL
    bent = 0
    for place in np.ndindex(mine.shape):
        if abs(mine[place] - theirs[place]) <= AGREE * scale or not np.isfinite(mine[place]):
            continue
        move = np.full(mine.shape, trial.m.mpf(0), dtype=object)
        move[place] = trial.m.mpf(1)
        if trial.quotient({node: move}) is None:
            bent += 1
            continue
        where = ", ".join(filter(None, (shown(program.loss, trial.point, place), program.loss.setting)))
        return (
            f"the gradient in `{node.name}` is {mine[place]:.10g}, and {theirs[place]:.10g} by {backend}, at {where}",
            bent,
        )
    return "", bent


def _in_float64(point: Point) -> Point:
    """The point moved to numbers of float64, so that all see the same."""
    nearest = np.frompyfunc(lambda value: Fraction(float(value)) if np.isfinite(float(value)) else value, 1, 1)
    return Point({node: np.asarray(nearest(array), dtype=object) for node, array in point.values.items()}, point.sizes)


def _arguments(program: Program, point: Point) -> tuple[list[Any], list[Any]]:
    loss = program.loss
    inputs = []
    for spec in loss.inputs:
        array = packed(spec, [point.values[node].astype(float) for node in spec.nodes])
        inputs.append(array.astype(np.int32) if spec.is_label else array)
    parameters: list[Any] = []
    for parameter in loss.parameters:
        if parameter.name not in loss.settled:
            array = point.values[parameter.node]
            parameters.append(array.astype(float) if array.ndim else float(array.item()))
    return inputs, parameters

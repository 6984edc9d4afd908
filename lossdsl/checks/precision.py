"""Digits: how far value and gradient are from the truth in float32, bfloat16 and float16, in the code as emitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lossdsl.checks.finding import Finding, Known, Row
from lossdsl.checks.packed_arrays import components, packed
from lossdsl.checks.subject import Subject
from lossdsl.checks.where import Affected, Whereabouts, region
from lossdsl.errors import LossError
from lossdsl.ir.expr import walk
from lossdsl.ir.loss import Loss
from lossdsl.oracle.accuracy import Errors, Truth
from lossdsl.oracle.float_formats import FLOAT32, FORMATS, SHORT, Format
from lossdsl.oracle.samples import Samples, batches, elements
from lossdsl.pipeline import Program
from lossdsl.runtime import autodiff
from lossdsl.runtime.execute import functions
from lossdsl.runtime.rounded import in_format
from lossdsl.targets import code
from lossdsl.transform.guard import guarded

LOST = Row(
    "lost-digits",
    "All digits lost",
    "warning",
    "In float32, for inputs of everyday sizes, the value or the gradient has no correct digit, though numbers next to "
    "the inputs have nearly the same one. A remark where the gradient keeps its digits.",
    "(x^4 - t^4) - (x^2 + t^2)*(x - t)*(x + t) + (t - x)^2",
    "(t - x)^2",
)
OVERFLOW = Row(
    "overflow",
    "Overflow on the way",
    "warning",
    "In float32, for inputs of everyday sizes, the value or the gradient is infinite or nan, though the true one is an "
    "ordinary number.",
    "log(1 + sinh(abs(t - x)))",
    "abs(t - x) + log1p(2*exp(-abs(t - x)) - exp(-2*abs(t - x))) - log(2)",
)

ROWS = (LOST, OVERFLOW)

MAX_NODES = 400
"""The largest loss that is measured, in operations with its gradient."""
WORK = 4000
"""How many elements of operations are worked out exactly, all settings of a loss and all formats together."""
MOST, FEWEST = 240, 24
SIGNIFICANT = {"value": 2.0**-10, "gradient": 8.0}
"""What is off by less than so many units in the last place of a usual value or slope is as good as right.

Much less for a value, whose smallness near a minimum is what one looks at; a slope is added to others.
"""


@dataclass(frozen=True)
class Measure:
    """The error of one part of a loss ("value" or "gradient") in a format: the largest, in units in the last place.

    `points` counts the samples of everyday sizes, `excused` those among them at which a large error was excused (see
    `oracle.accuracy`). `lost` and `overflow` are where digits are lost, everyday and beyond.
    """

    part: str
    format: Format
    worst: float
    place: str
    points: int
    excused: int
    lost: Whereabouts | None
    overflow: Whereabouts | None

    def __str__(self) -> str:
        """As a sentence or several.

        >>> str(Measure("value", FLOAT32, 1.5, "t=[0.5], x=[2]", 40, 0, None, None))
        'value in float32: within 1.5 ulp at 40 points (worst at t=[0.5], x=[2])'
        """
        text = f"{self.part} in {self.format.name}: within {self.worst:.2g} ulp at {self.points} points"
        text += f" (worst at {self.place})" if self.place else ""
        if self.excused:
            text += f"; at {self.excused} more, one unit in the last place of the inputs changes as much"
        for word, found in (("no correct digit", self.lost), ("overflow on the way", self.overflow)):
            text += f"; {word} {found.text}" if found is not None else ""
        return text


def look(subject: Subject) -> Iterator[Finding | Known]:
    """A finding where float32 loses all digits or overflows at everyday inputs.

    Where properties are asked for, also how many ulps are lost elsewhere, and in the 16-bit formats.
    """
    measures = measured(subject, FORMATS if subject.properties else (FLOAT32,))
    is_learned = not any(_is_told(one.lost) for one in measures if one.format is FLOAT32 and one.part == "gradient")
    for measure in measures:
        for row, found in ((LOST, measure.lost), (OVERFLOW, measure.overflow)):
            if measure.format is FLOAT32 and found is not None and _is_told(found):
                told = _finding(subject, row, measure, found)
                yield replace(told, severity="info") if row is LOST and is_learned else told
        if subject.properties:
            name, _, rest = str(measure).partition(": ")
            yield Known(name, "tested", "", rest)


def _is_told(found: Whereabouts | None) -> bool:
    return found is not None and found.is_everyday


def _finding(subject: Subject, row: Row, measure: Measure, found: Whereabouts) -> Finding:
    what = "has no correct digit" if row is LOST else "is no number"
    return row.found(
        f"the {measure.part} {what} in {measure.format.name} {found.text}",
        subject.loss.spans.get(subject.loss.result),
        "do not subtract numbers that are nearly equal: look for a form without the difference"
        if row is LOST
        else "take the large factor out first, or use log1p, softplus or logsumexp",
        f"tested at {measure.points} points",
    )


def measured(subject: Subject, formats: Sequence[Format] = FORMATS) -> list[Measure]:
    """Value and gradient in each format, over all settings of the loss; none where it is too large, or cannot run."""
    runs: list[_Run] = []
    for program in subject.programs:
        runs += _runs(program, len(subject.programs), formats, subject.parameters, subject.backend)
    if not any(run.kind is FLOAT32 for run in runs):
        return []
    return [_measure(part, kind, runs) for kind in formats for part in ("value", "gradient")]


# --- running ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """What came of one batch of samples in one format: the errors of each part."""

    loss: Loss
    kind: Format
    samples: Samples
    errors: Mapping[str, Errors]


def _runs(
    program: Program, settings: int, formats: Sequence[Format], given: Mapping[str, Any], backend: str | None
) -> Iterator[_Run]:
    loss = program.loss
    slopes = program.gradients.get(loss.prediction)
    if slopes is None or len([*walk(loss.result, *slopes)]) > MAX_NODES:
        return
    count = min(max(WORK // (settings * elements(loss, slopes)), FEWEST), MOST)
    compiled = _compiled(program)
    theirs = compiled if backend is None else _compiled(program, backend)
    for kind in (FLOAT32, SHORT):
        for samples in batches(loss, program.known, kind, count, given):
            truth = Truth(loss, program.written_slopes, samples)
            for one in formats if kind is SHORT else (FLOAT32,):
                try:
                    got = (theirs if one is FLOAT32 else compiled)(samples, one)
                except LossError:  # the parameters leave the range of floating point: told where they are bound
                    continue
                yield _Run(loss, one, samples, truth.errors(got, one))


def _cast(array: Any, kind: Format) -> Any:
    return array.astype(kind.name) if kind.name in ("float32", "float16") else in_format(array, kind)


def _compiled(program: Program, target: str = "numpy") -> Callable[[Samples, Format], list[Any]]:
    """Value and slopes at samples in a format, by the code that is emitted for a target; but for numpy, in float32."""
    loss, spec = program.loss, program.loss.prediction
    (value,) = guarded((program.value,), program.known)
    slopes = guarded(program.gradients[spec], program.known)
    trees = [code.value_function(loss, value, target), code.gradient_function(loss, [(spec, slopes)], target)]
    made = functions(code.module(trees, target), loss.name)
    tensor: Callable[[Any], Any] = np.asanyarray if target == "numpy" else autodiff.tensor_of(target)

    def run(samples: Samples, kind: Format) -> list[Any]:
        arguments = []
        for one in loss.inputs:
            array = packed(one, [samples.inputs[node] for node in one.nodes])
            arguments.append(tensor(array.astype(np.int64) if one.is_label else _cast(array, kind)))
        for array in samples.parameters.values():
            arguments.append(tensor(_cast(array, kind)) if array.ndim else float(array))
        with np.errstate(all="ignore"):
            found, (slope,) = made["value"](*arguments), made["gradient"](*arguments)
        return [np.asarray(found, dtype=float), *components(spec, np.asarray(slope, dtype=float))]

    return run


# --- summing up ---------------------------------------------------------------------------------------------------


def _measure(part: str, kind: Format, runs: list[_Run]) -> Measure:
    mine = [run for run in runs if run.kind is kind]
    worst, place, points, excused = 0.0, "", 0, 0
    for run in mine:
        found = run.errors[part]
        counted = found.everyday & found.is_known
        points += int(np.sum(counted))
        excused += int(np.sum(counted & found.excused))
        for row in np.flatnonzero(counted & ~found.excused & ~found.overflow):
            if found.ulps[row] > worst:
                worst, place = float(found.ulps[row]), run.samples.shown(int(row), kind)
    lost = region([Affected(run.samples, run.loss, run.errors[part], _lost(run, part, mine)) for run in mine], kind)
    overflow = region(
        [Affected(run.samples, run.loss, run.errors[part], run.errors[part].overflow) for run in mine], kind
    )
    return Measure(part, kind, worst, place, points, excused, lost, overflow)


def _lost(run: _Run, part: str, runs: list[_Run]) -> Any:
    """The samples without a correct digit, but for those whose error is nothing beside a usual value or slope."""
    found = run.errors[part]
    if not np.any(found.lost):
        return found.lost
    sizes = np.concatenate([one.errors[part].size[one.errors[part].everyday] for one in runs if one.loss is run.loss])
    sizes = sizes[~np.isnan(sizes)]
    usual = float(np.quantile(sizes, 0.9)) if sizes.size else 0.0
    return found.lost & (found.gaps >= SIGNIFICANT[part] * run.kind.unit(usual))

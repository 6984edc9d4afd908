"""The worked values of a loss, run through the numpy twin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from lossdsl.checks.finding import Finding, Row, Sure
from lossdsl.checks.subject import Subject, inputs_of, parameters_of
from lossdsl.checks.texts import from_error
from lossdsl.errors import LossError
from lossdsl.ir.loss import Example, Written
from lossdsl.pipeline import Program
from lossdsl.runtime.spec import LoadedLoss

EXAMPLE = Row(
    "example",
    "Example with another value",
    "error",
    "The loss of an example is not what the file says, to the digits that are written.",
    "loss mine(t, x)\n(t - x)^2\nexample t=[0, 0], x=[1, 2] -> 5.0",
    "loss mine(t, x)\n(t - x)^2\nexample t=[0, 0], x=[1, 2] -> 2.5",
    "work the value out by hand: either it or the formula is wrong",
    allowable=False,
)

ROWS = (EXAMPLE,)

ULPS = 8
"""How many units in the last place of float64 a value may be off where more digits are written than that."""


def look(subject: Subject) -> Iterator[Finding | Sure]:
    """A finding for each example that has another value, or none; the number of examples where all are right."""
    loss = subject.loss
    wrong = list(run_examples(subject.programs))
    yield from wrong
    if loss.examples and not wrong:
        yield Sure(f"{len(loss.examples)} example{'s' * (len(loss.examples) > 1)}")


def run_examples(programs: Sequence[Program]) -> Iterator[Finding]:
    """A finding for each example that has another value, or none.

    The loss is given as programs for some settings of its `bool` and `int` parameters; any others are made.
    """
    loss = programs[0].loss
    loaded: dict[tuple[tuple[str, Any], ...], LoadedLoss] = {}
    for example in loss.examples:
        parameters = parameters_of(loss, example)
        key = tuple((name, _frozen(value)) for name, value in parameters.items())
        try:
            if key not in loaded:
                loaded[key] = LoadedLoss(loss.source, (-1,), parameters, programs)
            got = loaded[key].numpy(**inputs_of(loss, example))
        except LossError as error:
            yield from_error(error, example.span)
            continue
        difference = compared(example, got)
        if difference is not None:
            hint = "mend the formula, or the value in the example"
            yield EXAMPLE.found(difference, example.span, hint, "example run")


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def compared(example: Example, got: Any) -> str | None:
    """What differs between a written value and a computed one; None where they agree to the digits written."""
    got = np.asarray(got)
    expected = example.expected
    if shape(expected) == got.shape and all(
        agrees(one, float(other)) for one, other in zip(flat(expected), got.ravel(), strict=True)
    ):
        return None
    written = example.span.text.rpartition("->")[2].strip()
    return f"the example says {written}, but the loss is {shown(got.tolist())}"


def agrees(expected: object, got: float) -> bool:
    """Whether a number is the written one, up to half a unit of its last decimal or some ulps of float64."""
    value = expected.value if isinstance(expected, Written) else expected
    assert isinstance(value, Fraction | float | int)
    if not math.isfinite(value) or not math.isfinite(got):
        return float(value) == got or (value != value and got != got)
    unit = expected.unit if isinstance(expected, Written) else Fraction(0)
    slack = max(unit / 2, ULPS * Fraction(math.ulp(float(value))))
    return abs(Fraction(got) - Fraction(value)) <= slack


def shape(value: object) -> tuple[int, ...]:
    """The shape of nested lists; (-1,) as a part where rows differ in length, which agrees with no array."""
    if not isinstance(value, list):
        return ()
    inner = {shape(part) for part in value}
    return (len(value), *(inner.pop() if len(inner) == 1 else (-1,) if inner else ()))


def flat(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for part in value:
            yield from flat(part)
    else:
        yield value


def shown(value: Any) -> str:
    """A computed value with the digits that float64 can vouch for."""
    return f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else f"{value:.15g}"

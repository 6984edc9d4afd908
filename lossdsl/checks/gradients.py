"""The gradient and the stable form, judged by means that share nothing with how they were made."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row, Sure
from lossdsl.checks.subject import Subject
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.verdict import Verdict
from lossdsl.oracle.gradient_check import judge

VALUE = Row(
    "value",
    "Stable form differs",
    "error",
    "The form that is computed has another value than the formula that was written: a mistake in lossdsl.",
    allowable=False,
)
GRADIENT = Row(
    "gradient",
    "Gradient differs",
    "error",
    "The gradient is not the derivative of the formula that was written: a mistake in lossdsl.",
    allowable=False,
)
UNTESTED = Row(
    "untested-gradient",
    "Gradient not tested",
    "info",
    "No point was found at which to compare the gradient with a difference quotient.",
    "loss mine(t, x)\nlog(-1 - (t - x)^2)",
    "loss mine(t, x)\nlog(1 + (t - x)^2)",
    "say which values the inputs take, as in `x: prob`: points are sought there",
)

ROWS = (VALUE, GRADIENT, UNTESTED)


def look(subject: Subject) -> Iterator[Finding | Sure]:
    """A finding for each gradient that is wrong or could not be tested; the others are told as sure."""
    good: dict[str, list[str]] = {}
    for number, program in enumerate(subject.programs):
        prove = subject.prove and number == 0
        verdicts = judge(
            program.loss, program.stable, program.gradients, program.known, count=subject.points, prove=prove
        )
        for spec, verdict in verdicts:
            if verdict.how in ("refuted", "open"):
                yield _unsettled(program.loss, spec, verdict)
            elif spec is not None:
                good.setdefault(str(verdict), []).append(spec.name)
    for how, names in good.items():
        inputs = list(dict.fromkeys(names))
        yield Sure(f"gradient{'s' * (len(inputs) > 1)} in {' and '.join(inputs)} {how}")


def _unsettled(loss: Loss, spec: InputSpec | None, verdict: Verdict) -> Finding:
    span = loss.spans.get(loss.result)
    known = f"tested at {verdict.points} points"
    if verdict.how == "open":
        return UNTESTED.found(f"{_named(spec)} is not tested: {verdict.detail}", span, None, known)
    where = f" ({loss.setting})" if loss.settled else ""
    row = VALUE if spec is None else GRADIENT
    return row.found(f"{verdict.detail}{where}", span, "this is a mistake in lossdsl, not in the loss", known)


def _named(spec: InputSpec | None) -> str:
    return "the value" if spec is None else f"the gradient in `{spec.name}`"

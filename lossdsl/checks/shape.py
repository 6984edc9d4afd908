"""The shape of a loss: where it is least, whether it is bounded below, where nothing is learned.

A loss of the error `t - x` alone is expected to be least, and 0 or more, where there is no error. Of any other, such as
a likelihood, these are properties that an author may promise, and no mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.analysis import Study
from lossdsl.analysis.verdict import place
from lossdsl.checks.finding import Finding, Known, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject

BOTTOMLESS = Row(
    "unbounded-below",
    "No lower bound",
    "warning",
    "The loss falls without end: training makes it smaller for ever and learns nothing.",
    "t - x",
    "abs(t - x)",
    "look for a lost sign, square or absolute value",
)
NEGATIVE = Row(
    "negative",
    "Error that is rewarded",
    "warning",
    "A loss of the error t - x alone is negative somewhere.",
    "sqrt(1 + (t - x)^2) - 2",
    "sqrt(1 + (t - x)^2) - 1",
    "look for a wrong constant or for pieces that are exchanged",
)
ELSEWHERE = Row(
    "least-elsewhere",
    "Least where there is an error",
    "warning",
    "A loss of the error t - x alone is least at another prediction than the target.",
    "(t - x + 1)^2",
    "(t - x)^2",
    "look for a constant that moves the error",
)

ROWS = (BOTTOMLESS, NEGATIVE, ELSEWHERE)


def look(subject: Subject) -> Iterator[Finding | Known]:
    """A finding for each defect of shape, once over all settings; where it is asked for, also the shape itself."""
    if subject.properties:
        yield from _properties(subject)
    told: set[str] = set()
    promised = {promise.text for promise in subject.loss.expectations}
    for study in subject.studies:
        for found in _look(study, promised):
            if found.id not in told:
                told.add(found.id)
                yield found


def _look(study: Study, promised: set[str]) -> Iterator[Finding]:
    loss = study.program.loss
    span, where = loss.spans.get(loss.value) or loss.spans.get(loss.result), setting(loss)
    if study.below.how == "refuted":
        text = f"the loss has no lower bound{where}: {study.below.detail}"
        yield BOTTOMLESS.found(text, span, BOTTOMLESS.remedy, str(study.below))
        return
    if len(loss.inputs) != 2 or not all(case.view.moves for case in study.cases):
        return  # a loss of more than the error
    verdict = study.decide("nonnegative")
    if verdict.how == "refuted" and "nonnegative" not in promised:
        text = f"the loss is negative at {verdict.place}{where}: {verdict.detail}"
        yield NEGATIVE.found(text, span, NEGATIVE.remedy, str(verdict))
    verdict = study.decide("least at t = x")
    if verdict.how == "refuted" and "least at t = x" not in promised:
        text = f"the loss is not least at `t = x`{where}: {verdict.detail} at {verdict.place}"
        yield ELSEWHERE.found(text, span, ELSEWHERE.remedy, str(verdict))


def _properties(subject: Subject) -> Iterator[Known]:
    """Where the loss is least, whether it has a lower bound, where it is flat, how steep it gets."""
    study = subject.studies[0]
    yield Known("bounded below", study.below.how, study.below.by, study.below.detail)
    least = study.minimiser
    if least.text:
        at = f" (found at {place(least.at)})" if least.at else ""
        yield Known(f"least at {least.text}", "tested" if least.at else least.verdict.how, least.verdict.by, at.strip())
    yield Known("slope bounded", study.steep.how, study.steep.by, study.steep.detail)
    for flat in study.flat:
        yield Known(f"flat where {flat.where}", flat.verdict.how, flat.verdict.by, f"as at {place(flat.at)}")
    for join in study.joins:
        if join.kink:
            seen = f"the slope jumps by {join.kink}, as at {join.slope.place}"
            yield Known(f"kink at {join.condition}", "tested", join.slope.by, seen)
        if join.decides_nothing:
            why = f"value and slope agree there, so `{join.comparison}` and its strict or lax twin are the same"
            yield Known(f"no choice at {join.condition}", "proved", join.value.by, why)

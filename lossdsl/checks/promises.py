"""What an author promises by `expect`, held against what is known; and what is known of every property."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.analyze import Analyzer, Verdict
from lossdsl.checks.finding import Known, Outcome, Row, Sure
from lossdsl.checks.subject import Subject
from lossdsl.ir.loss import INVARIANCES, PROPERTIES, Expectation, Loss

BROKEN = Row(
    "broken-promise",
    "Promise that does not hold",
    "error",
    "An `expect` line promises a property that the loss does not have; the point shows it.",
    "loss mine(t, x)\nmin((t - x)^2, 1)\nexpect convex",
    "loss mine(t, x)\n(t - x)^2\nexpect convex",
    "mend the loss, or take the word out of the `expect` line",
    allowable=False,
)
OPEN = Row(
    "open-promise",
    "Promise that is neither proved nor refuted",
    "warning",
    "An `expect` line promises a property that could be neither proved nor refuted.",
    "loss mine(t: prob, x: prob)\n-sum(softmax(x)^3*log_softmax(t*x))\nexpect convex",
    "loss mine(t: prob, x: prob)\nsum((x - t)^2)\nexpect convex",
    "take the word out of the `expect` line, or acknowledge it with the reason why it holds",
)

REQUIRE = "say by `require` which parameters are meant"

ROWS = (BROKEN, OPEN)


def look(subject: Subject) -> Iterator[Outcome]:
    """A finding for each promise that some setting of the `bool` and `int` parameters breaks or leaves open.

    Where it is asked for, also what is known of each property.
    """
    if subject.properties:
        yield from _properties(subject)
    kept = 0
    for promise in subject.loss.expectations:
        found = list(_verdicts(subject, promise.text))
        unsettled = [one for one in found if one[1].how != "proved"]
        broken = [one for one in unsettled if one[1].how == "refuted"]
        if broken:
            yield BROKEN.found(_broken(promise, *broken[0]), promise.span, BROKEN.remedy, str(broken[0][1]))
            continue
        if subject.covering and not unsettled:
            kept += 1
            continue
        analyzer, verdict = (unsettled or found)[0]
        remedy = OPEN.remedy if unsettled and not verdict.scope else f"{REQUIRE}, or {OPEN.remedy}"
        yield OPEN.found(_open(promise, analyzer, verdict), promise.span, remedy, str(verdict))
    if kept:
        yield Sure(f"{kept} promise{'s' * (kept > 1)} proved")


def _verdicts(subject: Subject, name: str) -> Iterator[tuple[Analyzer, Verdict]]:
    """A verdict on a property for each setting that is looked at, then for those that cover all of them."""
    further = [one for one in subject.covering if not any(one is other for other in subject.analyzers)]
    for analyzer in (*subject.analyzers, *further):
        yield analyzer, analyzer.decide(name)


def _properties(subject: Subject) -> Iterator[Known]:
    """What is known of each property, under the defaults of the flags."""
    promised = {promise.text for promise in subject.loss.expectations}
    for name in PROPERTIES:
        verdict = subject.general.decide(name)
        is_broken = verdict.how == "refuted" and name in promised
        yield Known.of(name, verdict, BROKEN.id if is_broken else "")
    for name in INVARIANCES:
        verdict = subject.general.decide(name)
        if verdict.how == "proved" or name in promised:  # of most losses nobody would ask
            yield Known.of(name, verdict, BROKEN.id if verdict.how == "refuted" else "")


def _broken(promise: Expectation, analyzer: Analyzer, verdict: Verdict) -> str:
    where = f" at {verdict.place}" if verdict.at else ""
    seen = f": {verdict.detail}" if verdict.detail else ""
    return f"the loss is not {said(promise.text)}{where}{setting(analyzer.program.loss)}{seen}"


def _open(promise: Expectation, analyzer: Analyzer, verdict: Verdict) -> str:
    tried = f"; it is proved {verdict.scope} alone" if verdict.scope else ""
    tried += f"; {verdict.points} points do not contradict it" if verdict.how == "tested" else ""
    return f"that the loss is {said(promise.text)} is neither proved nor refuted{setting(analyzer.program.loss)}{tried}"


def said(name: str) -> str:
    """A property within a sentence."""
    return name.replace("at t = x", "at `t = x`")


def setting(loss: Loss) -> str:
    """The values of the `bool` and `int` parameters, for the end of a sentence."""
    return f" (with {loss.setting})" if loss.settled else ""

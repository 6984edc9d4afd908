"""Elements that are read and are not there."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.ir.text import formula

OUTSIDE = Row(
    "out-of-range",
    "Element that is not there",
    "warning",
    "An element is read by a number that its axis does not have, for some labels or for all. The nearest one counts in "
    "its place.",
    "loss mine(t: label, x)\n-log_softmax(x)[t + 1]",
    "loss mine(t: label, x)\n-log_softmax(x)[t]",
    "elements and classes are counted from 0: the last of `len(x)` is `x[len(x) - 1]`",
)

ROWS = (OUTSIDE,)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each place that reads beyond an axis, once over all settings."""
    told: set[str] = set()
    for analyzer in subject.analyzers:
        loss = analyzer.program.loss
        for found in analyzer.missing:
            text = formula(found.node, loss.names)
            if text not in told:
                told.add(text)
                where = f"element {found.index} of {found.length}, counted from 0{setting(loss)}"
                message = f"`{text}` reads {where}: the nearest one counts in its place"
                yield OUTSIDE.found(message, loss.spans.get(found.node) or subject.formula, OUTSIDE.remedy, "seen")

"""What the documentation of a loss owes its reader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lossdsl import catalog
from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject

REFERENCE = Row(
    "no-reference",
    "No reference",
    "info",
    "The documentation of a built-in names no publication.",
    remedy="add author, year, title and DOI to the documentation",
)

EXAMPLE = Row(
    "no-example",
    "No example",
    "info",
    "A loss has documentation but no worked value, which would be run by `lossdsl check` and tell its reader more.",
    '"""Squared error."""\nloss mine(t, x)\n(t - x)^2',
    '"""Squared error."""\nloss mine(t, x)\n(t - x)^2\nexample t=[1, 2], x=[1, 4] -> 2.0',
)

ROWS = (REFERENCE, EXAMPLE)

_PUBLICATION = re.compile(r"\(\d{4}[a-z]?\)|doi:|arXiv:|https?://|ISBN")


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for a built-in whose documentation names no publication, and for a documented loss without a value."""
    loss = subject.loss
    if catalog.read(loss.name) == loss.source and not _PUBLICATION.search(loss.doc):
        yield REFERENCE.found("the documentation names no publication", subject.file.losses[-1].span)
    header = subject.file.losses[-1].header
    if header is not None and loss.doc and not loss.examples:
        hint = "add a line such as `example t=[0, 1], x=[0.5, 1] -> …` with the value worked out by hand"
        yield EXAMPLE.found("the loss has no worked value", header.name.span, hint)

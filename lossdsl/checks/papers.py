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

ROWS = (REFERENCE,)

_PUBLICATION = re.compile(r"\(\d{4}[a-z]?\)|doi:|arXiv:|https?://|ISBN")


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for a built-in whose documentation names no publication."""
    loss = subject.loss
    if catalog.read(loss.name) == loss.source and not _PUBLICATION.search(loss.doc):
        yield REFERENCE.found("the documentation names no publication", subject.file.losses[-1].span)

"""Defaults of parameters that their own requirements refuse."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject
from lossdsl.checks.texts import from_error
from lossdsl.errors import LossError
from lossdsl.runtime.bind import bound, check_requirements

ROWS: tuple[Row, ...] = ()


def look(subject: Subject) -> Iterator[Finding]:
    """A finding where the defaults of a loss break its own requirements."""
    if any(spec.default is None for spec in subject.loss.parameters):
        return
    try:
        check_requirements(subject.programs[0], bound(subject.file, {}))
    except LossError as error:
        yield from_error(error)

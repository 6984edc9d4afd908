"""Findings one a line, `file:line:column: severity[id] message`, as editors and compilers have them."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks import Finding, Report
from lossdsl.cli.formats.told import Checked, Line, file_of


def lines(checked: Checked) -> Iterator[Line]:
    """Each finding in a line; nothing where nothing is found."""
    for report in checked.reports:
        yield from (_finding(report, found) for found in checked.shown(report))
        if checked.with_properties:
            for known in report.verdicts:
                if not checked.told(report, known):
                    more = f": {known.more}" if known.more else ""
                    yield Line(f"{report.file or report.name}: {known.text}{more}")


def _finding(report: Report, found: Finding) -> Line:
    name = found.span.source.name if found.span else file_of(report, found)
    place = f"{name}:{found.span.line}:{found.span.column}: " if found.span else f"{name}: " if name else ""
    allowed = f" (allowed: {found.allowed})" if found.allowed else ""
    message = f"{place}{found.severity}[{found.id}] {found.message}{allowed}"
    return Line(" ".join(message.split("\n")), found.severity)

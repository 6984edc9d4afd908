"""Findings as workflow commands of GitHub Actions, which become annotations of the lines of a pull request.

"Workflow commands for GitHub Actions", https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks import Finding, Report
from lossdsl.cli.formats.told import Checked, Line, file_of, region

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def lines(checked: Checked) -> Iterator[Line]:
    """A command for each finding; nothing where nothing is found."""
    return (_command(report, found) for report in checked.reports for found in checked.shown(report))


def _command(report: Report, found: Finding) -> Line:
    properties: dict[str, object] = {}
    if name := file_of(report, found):
        properties["file"] = name
    if name and found.span is not None:
        place = region(found.span)
        properties |= {"line": place.line, "endLine": place.end_line, "col": place.column}
        properties["endColumn"] = place.end_column
    properties["title"] = f"lossdsl {found.id}"
    command = "notice" if found.allowed else _COMMANDS[found.severity]
    given = ",".join(f"{key}={str(value).translate(_IN_PROPERTIES)}" for key, value in properties.items())
    more = {"help": found.hint, "allowed": found.allowed}
    message = "\n".join([found.message, *(f"{word}: {text}" for word, text in more.items() if text)])
    return Line(f"::{command} {given}::{message.translate(_IN_MESSAGES)}")

"""Findings as one JSON document.

    {"lossdsl": "0.1.0", "format": 2, "counts": {"error": 1, …}, "losses": [
        {"name": …, "file": …, "ok": …, "findings": […], "passed": […], "properties": […]}]}

`format` grows when the meaning of a field changes. Lines and columns count from 1 and characters are those of Unicode;
`end_column` is the one after the last character. `allowed` is the reason of an `allow` line, or null; such findings are
listed and not counted. A place is null where no line is to blame. A property has what `lossdsl.properties` tells of it;
its `finding` is the id of one that tells more of it, or null. `fix` has the changes that `--fix` makes in a file, or
null.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lossdsl import __version__
from lossdsl.checks import Edit, Finding, Report
from lossdsl.cli.formats.told import Checked, Line, region

FORMAT = 2


def lines(checked: Checked) -> Iterator[Line]:
    """The document, indented, in ASCII."""
    counts = Counter(found.severity for report in checked.reports for found in report.counted)
    document = {
        "lossdsl": __version__,
        "format": FORMAT,
        "counts": {severity: counts[severity] for severity in ("error", "warning", "info")},
        "losses": [_loss(report) for report in checked.reports],
    }
    yield Line(json.dumps(document, indent=2))


def _loss(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "file": report.file,
        "ok": report.ok,
        "findings": [_finding(found) for found in report.findings],
        "passed": list(report.passed),
        "properties": [{**asdict(verdict), "finding": verdict.finding or None} for verdict in report.verdicts],
    }


def _finding(found: Finding) -> dict[str, Any]:
    place = None
    if found.span is not None:
        place = {"file": found.span.source.name, **region(found.span)._asdict(), "text": found.span.text}
    return {
        "id": found.id,
        "severity": found.severity,
        "message": found.message,
        "hint": found.hint,
        "known": found.known,
        "allowed": found.allowed or None,
        "fix": [_edit(edit) for edit in found.fix] or None,
        "place": place,
    }


def _edit(edit: Edit) -> dict[str, Any]:
    """A change of a text; what ends with a line ends where the next one begins."""
    line, column = edit.span.source.position(edit.span.start)
    end_line, end_column = edit.span.source.position(edit.span.end)
    return {"line": line, "column": column, "end_line": end_line, "end_column": end_column, "text": edit.text}

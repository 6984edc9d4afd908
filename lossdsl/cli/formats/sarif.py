"""Findings as SARIF 2.1.0, which code hosts and editors read.

OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", Errata 01 (2023),
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. Its sections are named where a choice rests on one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lossdsl import __version__
from lossdsl.checks import FINDINGS, Finding, Report, Row
from lossdsl.cli.formats.told import Checked, Line, file_of, region

VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""What the current folder is called, against which files are named; code hosts know it by this name."""

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_NUMBERS = {name: number for number, name in enumerate(FINDINGS)}


def lines(checked: Checked) -> Iterator[Line]:
    """The document, indented, in ASCII; findings that are allowed are suppressed results of it."""
    run = {
        "tool": {
            "driver": {
                "name": "lossdsl",
                "semanticVersion": __version__,
                "rules": [_rule(row) for row in FINDINGS.values()],
            }
        },
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder in which lossdsl was called."}}},
        "columnKind": "unicodeCodePoints",  # 3.14.27: of Python's strings, not of UTF-16
        "results": [_result(report, found) for report in checked.reports for found in report.findings],
    }
    yield Line(json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2))


def _text(text: str) -> str:
    """A message in which nothing is taken for a placeholder (3.11.5) or for a link, as in `sum[j](x[j])` (3.11.6)."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _rule(row: Row) -> dict[str, Any]:
    text = "\n\n".join([row.meaning, *([f"What to do: {row.remedy}."] if row.remedy else [])])
    blocks = [
        f"{title}\n\n```\n{example}\n```"
        for title, example in (("Raises it:", row.wrong), ("Does not:", row.right))
        if example
    ]
    return {
        "id": row.id,
        "name": "".join(word.capitalize() for word in row.id.split("-")),
        "shortDescription": {"text": _text(f"{row.name}.")},
        "fullDescription": {"text": _text(row.meaning)},
        "help": {"text": _text(text), "markdown": _text("\n\n".join([text, *blocks]))},
        "defaultConfiguration": {"level": _LEVELS[row.severity], **({"enabled": False} if row.asked else {})},  # 3.50.2
    }


def _result(report: Report, found: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.id,
        "ruleIndex": _NUMBERS[found.id],
        "level": _LEVELS[found.severity],
        "message": {"text": _text(f"{found.message}\nhelp: {found.hint}" if found.hint else found.message)},
        # 3.27.23: an empty list says that it is not suppressed; either all results have one or none
        "suppressions": [{"kind": "inSource", "justification": found.allowed}] if found.allowed else [],
        "properties": {"loss": report.name, "known": found.known},
    }
    if name := file_of(report, found):
        place: dict[str, Any] = {"artifactLocation": _file(name)}
        if found.span is not None:
            at = region(found.span)
            place["region"] = {
                "startLine": at.line,
                "startColumn": at.column,
                "endLine": at.end_line,
                "endColumn": at.end_column,
            }
        result["locations"] = [{"physicalLocation": place}]
    return result


def _file(name: str) -> dict[str, str]:
    """Where a file is (3.4): against the current folder if it lies in it, else from the top."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:  # 3.10.2 wants the latter resolved
        path = path.resolve()
        here = Path.cwd().resolve()
        if not path.is_relative_to(here):
            return {"uri": path.as_uri()}
        path = path.relative_to(here)
    return {"uri": quote(path.as_posix()), "uriBaseId": ROOT}

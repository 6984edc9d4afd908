"""Findings as SARIF 2.1.0, which code hosts and editors read.

OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", Errata 01 (2023),
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; sections are named where a choice rests on them.
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
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_NUMBERS = {name: number for number, name in enumerate(FINDINGS)}


def lines(checked: Checked) -> Iterator[Line]:
    """The document, indented, in ASCII; findings that are allowed are suppressed results of it (3.27.23)."""
    run = {
        "tool": {
            "driver": {
                "name": "lossdsl",
                "semanticVersion": __version__,
                "rules": [_rule(row) for row in FINDINGS.values()],
            }
        },
        "columnKind": "unicodeCodePoints",  # 3.14.17: of Python's strings, not of UTF-16
        "results": [_result(report, found) for report in checked.reports for found in report.findings],
    }
    yield Line(json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2))


def _rule(row: Row) -> dict[str, Any]:
    help_ = "\n\n".join(
        part
        for part in (
            row.meaning,
            row.remedy and f"What to do: {row.remedy}.",
            row.wrong and f"Raises it:\n\n{_indented(row.wrong)}",
            row.right and f"Does not:\n\n{_indented(row.right)}",
        )
        if part
    )
    return {
        "id": row.id,
        "name": "".join(word.capitalize() for word in row.id.split("-")),
        "shortDescription": {"text": f"{row.name}."},
        "fullDescription": {"text": row.meaning},
        "help": {"text": help_},
        "defaultConfiguration": {"level": _LEVELS[row.severity]},
    }


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _result(report: Report, found: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.id,
        "ruleIndex": _NUMBERS[found.id],
        "level": _LEVELS[found.severity],
        "message": {"text": f"{found.message}\nhelp: {found.hint}" if found.hint else found.message},
        "suppressions": [{"kind": "inSource", "justification": found.allowed}] if found.allowed else [],
        "properties": {"loss": report.name, "known": found.known},
    }
    if name := file_of(report, found):
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(name)}}
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


def _uri(name: str) -> str:
    """A file as a URI reference (3.4.3): relative to the current folder where it lies in it, or is named so."""
    path = Path(name)
    if path.is_absolute():
        if not path.is_relative_to(Path.cwd()):
            return path.as_uri()
        path = path.relative_to(Path.cwd())
    return quote(path.as_posix())

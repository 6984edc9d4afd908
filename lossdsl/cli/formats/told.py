"""What every format is made from, and what it makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lossdsl.checks import FINDINGS, Finding, Known, Report
from lossdsl.runtime.sources import is_file
from lossdsl.source import Span


class Line(NamedTuple):
    """Text to be printed, of one line or several; what has a `severity` is coloured on a terminal."""

    text: str
    severity: str = ""


@dataclass(frozen=True)
class Checked:
    """The reports of a run, in order, and what is wanted of them.

    `fixed` is how many findings were mended, and `diffs` what that would change where nothing is written.
    """

    reports: tuple[Report, ...]
    severities: tuple[str, ...] = ("error", "warning")
    with_allowed: bool = False
    with_properties: bool = False
    fixed: int = 0
    with_summary: bool = True
    diffs: tuple[str, ...] = ()

    def shown(self, report: Report) -> Iterator[Finding]:
        """The findings of a report that are meant for readers."""
        return (found for found in report.findings if self.with_allowed or not found.allowed)

    def asked(self, report: Report) -> list[Finding]:
        """The findings of a report that are told since they were asked for, but for those that are allowed."""
        return [found for found in report.counted if found.id in FINDINGS and FINDINGS[found.id].asked]

    def told(self, report: Report, known: Known) -> str:
        """The id of the finding shown that tells what a verdict does; empty where the verdict has to."""
        return known.finding if any(found.id == known.finding for found in self.shown(report)) else ""

    @property
    def fixable(self) -> int:
        """How many findings `--fix` mends in their files."""
        return sum(bool(found.fix) and is_loss_file(report.file) for report in self.reports for found in report.counted)

    @property
    def counted(self) -> list[Finding]:
        """The findings that decide the exit status."""
        return [found for report in self.reports for found in report.counted if found.severity in self.severities]


class Region(NamedTuple):
    """Where a span begins, and the place right after its last character; lines and columns count from 1."""

    line: int
    column: int
    end_line: int
    end_column: int


def region(span: Span) -> Region:
    """The lines and columns of a span, in the file that it is in (of a loss in YAML: the YAML file)."""
    source = span.source
    last_line, last_column = source.position(max(span.start, span.end - 1))
    return Region(*source.position(span.start), last_line, last_column + 1)


def file_of(report: Report, found: Finding) -> str:
    """The file that a finding is about; empty where it is in none, as a formula of the command line is."""
    name = found.span.source.name if found.span is not None else report.file
    return "" if name.startswith("<") else name


def is_loss_file(name: str) -> bool:
    """Whether a text comes from a file that `--fix` writes."""
    return name.endswith(".loss") and is_file(Path(name))

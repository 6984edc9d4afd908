"""Findings for people: place, line of source, carets, remedy; and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lossdsl.checks import Known, Report
from lossdsl.checks.run import tally
from lossdsl.cli.formats.told import Checked, Line


def lines(checked: Checked) -> Iterator[Line]:
    """Each finding with its line, then how many there were; of a single loss also what was made sure of."""
    for report in checked.reports:
        for found in checked.shown(report):
            yield Line(str(found), found.severity)
        if checked.with_properties and report.verdicts:
            yield Line(_properties(checked, report))
    if checked.with_summary:
        yield Line(_summary(checked))


def _summary(checked: Checked) -> str:
    count = len(checked.reports)
    allowed = sum(bool(found.allowed) for report in checked.reports for found in report.findings)
    found = tally(checked.counted) or "nothing found"
    asked = 0 if "info" in checked.severities else sum(len(checked.asked(report)) for report in checked.reports)
    sure = "; ".join(_sure(checked.reports[0])) if count == 1 else ""
    return "".join([
        f"{count} {'loss' if count == 1 else 'losses'} checked: {found}",
        f", {asked} remark{'s' * (asked > 1)}" if asked else "",
        f", {allowed} allowed" if allowed else "",
        f", {checked.fixed} mended" if checked.fixed else "",
        f", {checked.fixable} fixable with --fix" if checked.fixable else "",
        f" ({sure})" if sure else "",
    ])  # fmt: skip


def _sure(report: Report) -> list[str]:
    """What was made sure of in a loss, in a few words each."""
    counts = Counter(verdict.how for verdict in report.verdicts)
    known = [
        f"{counts[how]} propert{'y' if counts[how] == 1 else 'ies'} {how}"
        for how in ("proved", "tested")
        if counts[how]
    ]
    return [*report.passed, *known]


def _properties(checked: Checked, report: Report) -> str:
    """A table of what is known of a loss; what a finding above tells is not told again."""
    rows = []
    for known in report.verdicts:
        finding = checked.told(report, known)
        rows.append((known.property, known.how, f"see {finding} above" if finding else _means(known)))
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    table = [f"  {name:{first}}  {how:{second}}  {means}".rstrip() for name, how, means in rows]
    return "\n".join([f"properties of {report.name}:", *table])


def _means(known: Known) -> str:
    return "; ".join(part for part in (f"by {known.by}" if known.by else "", known.more) if part)

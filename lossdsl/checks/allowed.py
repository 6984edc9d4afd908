"""Findings that the author knows and wants: `allow` lines, and what is wrong with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from lossdsl.checks.finding import Finding, Row, without_line
from lossdsl.errors import did_you_mean
from lossdsl.frontend import syntax as s

UNMET = Row(
    "unmet-allow",
    "Acknowledgement without a finding",
    "warning",
    "An `allow` line names a finding that is not raised in its loss.",
    'loss mine(t, x; a = 1.0)\na*(t - x)^2\nallow unused-parameter "kept for old configurations"',
    'loss mine(t, x; a = 1.0)\n(t - x)^2\nallow unused-parameter "kept for old configurations"',
    "remove the line, or put it into the loss in which the finding is raised",
    allowable=False,
)
WRONG = Row(
    "allow-error",
    "Acknowledgement of what cannot be",
    "error",
    "An `allow` line names no finding that there is, or one that is to be mended and not to be acknowledged.",
    'loss mine(t, x; a = 1.0)\n(t - x)^2\nallow unused-paramter "kept for old configurations"',
    'loss mine(t, x; a = 1.0)\n(t - x)^2\nallow unused-parameter "kept for old configurations"',
    "write the id as `lossdsl check --list` has it",
    allowable=False,
)

ROWS = (UNMET, WRONG)

_REMOVE = "remove the line"


def acknowledged(
    file: s.FileText, findings: Sequence[Finding], rows: Mapping[str, Row], sought: Container[str]
) -> Iterator[Finding]:
    """The findings, marked where their loss allows them, and those that the `allow` lines themselves give rise to.

    An `allow` line speaks for its own loss alone: a finding belongs to the loss in whose lines it stands, and to the
    last one if it stands in none. A line that meets nothing is told only where its finding was `sought`.
    """
    owners = [_owner(file, finding) for finding in findings]
    marks: dict[int, str] = {}
    seen: defaultdict[int, set[str]] = defaultdict(set)
    lines = [(at, line) for at, loss in enumerate(file.losses) for line in loss.lines if isinstance(line, s.Allow)]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, finding in enumerate(findings):
        places[finding.id].append(place)
    for number, line in lines:
        name = line.finding.text
        wrong = _wrong(line, rows, seen[number])
        if wrong is not None:
            yield wrong
            continue
        seen[number].add(name)
        met = [place for place in places[name] if owners[place] == number]
        marks |= dict.fromkeys(met, line.reason)
        if not met and name in sought:
            yield _unmet(line, _elsewhere(file, owners, places[name]))
    for place, finding in enumerate(findings):
        yield replace(finding, allowed=marks[place]) if place in marks else finding


def _unmet(line: s.Allow, hint: str) -> Finding:
    fix = without_line(line.span) if hint == _REMOVE else ()
    return UNMET.found(f"there is no finding `{line.finding.text}` here", line.finding.span, hint, fix=fix)


def _wrong(line: s.Allow, rows: Mapping[str, Row], seen: Container[str]) -> Finding | None:
    """What is wrong with a line whatever is found, given the ids of those above it."""
    name, span = line.finding.text, line.finding.span
    row = rows.get(name)
    if row is None:
        hint = did_you_mean(name, rows) or "`lossdsl check --list` names them"
        return WRONG.found(f"there is no finding `{name}`", span, hint)
    if not row.allowable:
        return WRONG.found(f"`{name}` cannot be acknowledged", span, "mend what it is about")
    if name in seen:
        fix = without_line(line.span)
        return UNMET.found(f"`{name}` is acknowledged above already", span, "remove one of the lines", fix=fix)
    return None


def _owner(file: s.FileText, finding: Finding) -> int:
    """Which loss of a file a finding belongs to."""
    last = len(file.losses) - 1
    if finding.span is None or finding.span.source != file.source:
        return last
    start = finding.span.start
    return next((number for number, loss in enumerate(file.losses) if start < loss.span.end), last)


def _elsewhere(file: s.FileText, owners: Sequence[int], alike: Sequence[int]) -> str:
    """What to do with a line that meets nothing in its own loss."""
    for place in alike:
        header = file.losses[owners[place]].header
        if header is not None:
            return f"it is raised in `{header.name.text}`: put the line there"
    return _REMOVE

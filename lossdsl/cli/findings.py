"""What `lossdsl check --list` and `--explain ID` print: the table of findings."""

from __future__ import annotations

from lossdsl.checks import FINDINGS, Row
from lossdsl.cli.named import one_of

WIDEST = 100
"""A line of an example is cut there."""


def listed() -> str:
    """Every finding in a line: id, severity, meaning, and whether it is told only where it is asked for."""
    ids, severities = max(map(len, FINDINGS)), max(len(row.severity) for row in FINDINGS.values())
    return "\n".join(
        f"{row.id:{ids}}  {row.severity:{severities}}  {row.meaning}{' (when asked for)' * row.asked}"
        for row in FINDINGS.values()
    )


def explained(id: str) -> str:
    """A row of the table, with its examples. Raises WrongUse."""
    row = FINDINGS[one_of(id, FINDINGS, "finding", "`lossdsl check --list` names them")]
    parts = [f"{row.id} ({row.severity}): {row.name}", row.meaning, *_remedy(row)]
    if row.wrong:
        parts.append(f"Raises it:\n\n{example(row.wrong)}")
    if row.right:
        parts.append(f"Does not:\n\n{example(row.right)}")
    return "\n\n".join(parts)


def _remedy(row: Row) -> list[str]:
    lines = [f"What to do: {row.remedy}."] if row.remedy else []
    if row.asked:
        lines.append(f"It is told with `--properties`, or `--select {row.id}`.")
    if row.allowable:
        lines.append(f'Where it is wanted: a line `allow {row.id} "why"` in the loss.')
    return lines


def example(text: str, indent: str = "    ") -> str:
    """The text of an example, long lines cut."""
    lines = (line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…" for line in text.split("\n"))
    return "\n".join(f"{indent}{line}" for line in lines)

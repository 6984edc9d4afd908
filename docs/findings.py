"""Writes docs/findings.md from the table of findings in `lossdsl/checks/`.

python docs/findings.py            write it
python docs/findings.py --check    exit 1 if it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from lossdsl.checks import FAMILIES, Row
from lossdsl.cli.findings import example

PAGE = Path(__file__).resolve().parent / "findings.md"

HEAD = """\
# The findings of `lossdsl check`

Written by `python docs/findings.py` from the table in `lossdsl/checks/`;
`lossdsl check --explain ID` prints one of them.

An error is a mistake, a warning very likely one; both make the exit status 1. A remark (info) does so with `--strict`.
`--select` and `--ignore` take ids, or the name of a family, which stands in brackets below. What its author wants is
acknowledged in the loss by a line `allow ID "reason"`, and does not count any more.

What a sound loss may well have, such as a kink, is told when asked for: all of it with `--properties`, some of it where
`--select` names the finding or its family. Where such a finding tells what a verdict of `--properties` does, the latter
only points to it; in JSON it has the finding's id.
"""


def page() -> str:
    """The whole page: a table of all, then each with its examples, family by family."""
    parts = [HEAD, "| id | | |\n|---|---|---|"]
    parts[-1] += "".join(f"\n| [{row.id}](#{row.id}) | {_kind(row)} | {row.meaning} |" for row in _rows())
    for name, family in FAMILIES.items():
        if family.ROWS:
            title = str(family.__doc__).partition("\n")[0].rstrip(".")
            parts.append(f"\n## {title} (`{name}`)")
            parts += map(section, family.ROWS)
    return "\n".join(parts) + "\n"


def _rows() -> Iterable[Row]:
    return (row for family in FAMILIES.values() for row in family.ROWS)


def _kind(row: Row) -> str:
    return f"{row.severity}, when asked for" if row.asked else row.severity


def section(row: Row) -> str:
    """One finding: what it means, what to do, and the two examples."""
    kind = _kind(row) if row.allowable else f"{_kind(row)}; cannot be acknowledged"
    lines = ["", f"### {row.id}", "", f"{row.name} ({kind}). {row.meaning}"]
    if row.remedy:
        lines += ["", f"What to do: {row.remedy}."]
    for title, text in (("Raises it:", row.wrong), ("Does not:", row.right)):
        if text:
            lines += ["", title, "", example(text)]
    return "\n".join(lines)


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How often each finding was found, the most frequent first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator

from lossdsl.checks import FINDINGS
from lossdsl.cli.formats.told import Checked, Line


def _counts(checked: Checked) -> list[tuple[str, int, bool]]:
    """Each finding by id, how often it was found, and whether `--fix` mends it."""
    found = [one for report in checked.reports for one in checked.shown(report)]
    fixable = {one.id for one in found if one.fix}
    counts = Counter(one.id for one in found)
    return [(id, count, id in fixable) for id, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]


def _text(checked: Checked) -> Iterator[Line]:
    rows = _counts(checked)
    width = max((len(id) for id, _, _ in rows), default=0)
    for id, count, is_fixable in rows:
        yield Line(f"{count:5}  {id:{width}}  {FINDINGS[id].name}{' (with --fix)' if is_fixable else ''}")


def _json(checked: Checked) -> Iterator[Line]:
    rows = [
        {"id": id, "severity": FINDINGS[id].severity, "count": count, "fixable": is_fixable}
        for id, count, is_fixable in _counts(checked)
    ]
    yield Line(json.dumps(rows, indent=2))


STATISTICS: dict[str, Callable[[Checked], Iterator[Line]]] = {"text": _text, "json": _json}
"""What makes lines of the counts, by the name of the format."""

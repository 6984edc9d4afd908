"""The formats in which findings are told: each is a module of this folder, and a row of this table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lossdsl.cli.formats import compact, github, json, sarif, text
from lossdsl.cli.formats.told import Checked, Line

FORMATS: dict[str, Callable[[Checked], Iterator[Line]]] = {
    "text": text.lines,
    "compact": compact.lines,
    "json": json.lines,
    "github": github.lines,
    "sarif": sarif.lines,
}
"""What makes lines of what was checked, by the name of the format; the first is the usual one."""

__all__ = ["FORMATS", "Checked", "Line"]

"""What `lossdsl check --fix` does: findings mended in their files, where the loss stays what it is."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lossdsl import pipeline
from lossdsl.checks import Edit, Finding, Report
from lossdsl.cli.fmt import lines_of, unified
from lossdsl.cli.formats.told import is_loss_file
from lossdsl.errors import LossError
from lossdsl.ir.loss import Loss
from lossdsl.runtime.files import store
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.cli.named import Named

MOST = 1000
"""How many findings of a file are mended; each time it is checked again, for what is taken out may have used others."""


def mended(item: Named, report: Report, check: Callable[[Source], Report]) -> tuple[Named, Report, int]:
    """A loss with its text mended: the loss, what is found then, by `check`, and how many findings are gone.

    A change is made where the text still means the same loss, node for node.
    """
    count = 0
    while isinstance(item, Source) and count < MOST:
        text, mends = _changes(item, report.counted)
        if not mends:
            break
        item = replace(item, text=text)
        report = check(item)
        count += mends
    return item, report, count


def keep(item: Named) -> None:
    """Writes a text into the file that it is of, with the ends of lines that the file has. Raises LossFileError."""
    assert isinstance(item, Source)
    path = Path(item.name)
    before = path.read_bytes()
    mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
    store(mark + item.text.replace("\n", lines_of(before)[1]).encode(), path)


def difference(before: Named, after: Named) -> str:
    """What is mended in a text, as `diff -u` tells it."""
    assert isinstance(before, Source)
    assert isinstance(after, Source)
    return unified(before.text, after.text, before.name)


def _changes(source: Source, findings: Iterable[Finding]) -> tuple[str, int]:
    """The text of a file with the changes that are safe, and how many findings that mends."""
    text, count = source.text, 0
    if not is_loss_file(source.name):
        return text, count
    for finding in sorted(findings, key=_last_first):
        if finding.fix and all(edit.span.source == source for edit in finding.fix):
            changed = _changed(text, finding.fix)
            if _means_the_same(replace(source, text=text), replace(source, text=changed)):
                text, count = changed, count + 1
    return text, count


def _last_first(finding: Finding) -> int:
    """An order in which no change moves the place of another."""
    return -max((edit.span.start for edit in finding.fix), default=0)


def _changed(text: str, edits: Sequence[Edit]) -> str:
    for edit in sorted(edits, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _means_the_same(before: Source, after: Source) -> bool:
    try:
        old, new = (_meaning(pipeline.program(pipeline.parsed(source)).loss) for source in (before, after))
    except LossError:
        return False
    return old == new


def _meaning(loss: Loss) -> tuple[object, ...]:
    """What a loss is, wherever it stands in its text."""
    parameters = [(spec.name, spec.kind, spec.default) for spec in loss.parameters]
    return loss.inputs, parameters, loss.granted, loss.result

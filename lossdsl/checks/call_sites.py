"""Findings inside built-in losses that a text calls: their place is the call, for only that is the author's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lossdsl import pipeline
from lossdsl.checks.finding import Finding
from lossdsl.checks.names import below
from lossdsl.frontend import syntax as s
from lossdsl.source import Source

BESIDE = "<against>"
"""What the text of a gradient given beside a loss is called: it is the author's too."""


def in_file(file: s.FileText, finding: Finding) -> Finding:
    """The finding, at the first call of the file that leads into the text it is about, which is told in brackets."""
    span = finding.span
    if span is None or span.source == file.source or span.source.name == BESIDE:
        return finding
    calls = (call for loss in reversed(file.losses) for call in _calls(loss, file))
    call = next((call for call in calls if _leads(call.function.text, span.source, set())), None)
    message = f"{finding.message} (in `{span.text}`, line {span.line} of {span.source.name})"
    where = call.span if call is not None else file.losses[-1].span
    return replace(finding, message=message, span=where, fix=())


def _calls(loss: s.LossText, file: s.FileText) -> Iterator[s.Call]:
    """The calls in a loss, in order of place, of what is not a loss of the same file."""
    own = {each.header.name.text for each in file.losses if each.header is not None}
    calls = [node for line in loss.lines for node in below(line) if isinstance(node, s.Call)]
    return (call for call in sorted(calls, key=lambda call: call.span.start) if call.function.text not in own)


def _leads(name: str, source: Source, seen: set[str]) -> bool:
    """Whether a call of a built-in ends up in a text, by way of those that it calls itself, too."""
    if name in seen:
        return False
    seen.add(name)
    called = pipeline.builtin(name)
    if called is None:
        return False
    inner = (call.function.text for loss in called.losses for call in _calls(loss, called))
    return called.source == source or any(_leads(each, source, seen) for each in inner)

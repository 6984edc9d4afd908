"""What is wrong with a text that is no YAML, in words for someone who meant to write a formula."""

from __future__ import annotations

import re

import yaml

from lossdsl.errors import LossConfigError
from lossdsl.source import Source, Span

_QUOTE = "put the formula in quotes"

# What PyYAML says, what we say instead, and what helps.
_PROBLEMS: tuple[tuple[str, str, str | None], ...] = (
    (r"found character '\\t'", "a tab cannot stand here in YAML", "indent with spaces"),
    (r"found character", "YAML gives this character a meaning of its own", _QUOTE),
    (r"expected chomping or indentation", "`|` and `>` start a block of text in YAML, on the lines after it",
     f"write an absolute value as `abs(e)`, or {_QUOTE}"),
    (r"mapping values are not allowed", "YAML reads this `:` as the end of a key",
     f"if it belongs to a formula, {_QUOTE}"),
    (r"expected ',' or '[}\]]'", "the `{…}` or `[…]` around this is not closed, or holds an unquoted formula",
     f"close it, or {_QUOTE}"),
    (r"could not find expected ':'", "this line is neither a key with a `:` nor part of the value above",
     "indent it, or write a formula of several lines as a block after `|`"),
    (r"found undefined alias", "there is no anchor of this name",
     f"an anchor is set up by `&name`; if this is a formula, {_QUOTE}"),
    (r"found another document", "the text holds several documents", "keep the one before `---`"),
    (r"unexpected end of stream", "the quotes opened here are never closed", "close them"),
    (r"expected alphabetic or numeric", "`*` and `&` name anchors in YAML", _QUOTE),
    (r"expected <block end>, but found '-'", "a list stands here beside keys", "indent it under its key"),
    (r"expected <block end>", "this does not fit the indentation of the lines above",
     f"indent it like them; if it is a formula, {_QUOTE}"),
    (r"unknown escape", "this escape means nothing in YAML", "use single quotes"),
    (r"undefined tag handle", "YAML reads `!` as the start of a tag", _QUOTE),
    (r"found duplicate anchor", "there are two anchors of this name", None),
)  # fmt: skip


def explained(error: yaml.MarkedYAMLError, source: Source) -> LossConfigError:
    """PyYAML's error with our words and the place that is to blame."""
    problem = error.problem or "malformed"
    at = _blamed(error, problem, source)
    before = source.text[:at].rstrip()
    if "<block end>" in problem and " #" in before[before.rfind("\n") + 1 :]:
        hint = "write a formula of several lines as a block after `|`, or in quotes"
        return LossConfigError("the comment above ended the value", Span(source, at, at + 1), hint)
    line = source.line_at(at)[0]
    if "${" in line:
        hint = "it is filled in by the library that reads it: give lossdsl what it resolves to"
        return LossConfigError("`${…}` means nothing in YAML", Span(source, *_reference(source, at)), hint)
    for pattern, message, help_ in _PROBLEMS:
        if re.search(pattern, problem):
            return LossConfigError(message, Span(source, at, at + 1), help_)
    return LossConfigError(f"malformed YAML: {problem}", Span(source, at, at + 1))


def _blamed(error: yaml.MarkedYAMLError, problem: str, source: Source) -> int:
    """Where what is to blame stands: what was opened and never closed, or the last of the text."""
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    unclosed = problem.startswith("expected ',' or") and opened and mark and opened.line < mark.line
    if opened is not None and ("end of stream" in problem or "alphabetic" in problem or unclosed):
        mark = opened
    if mark is not None and mark.index < len(source.text):
        return mark.index
    return max(len(source.text.rstrip()) - 1, 0)


def _reference(source: Source, at: int) -> tuple[int, int]:
    """Where the `${…}` of a line stands."""
    line, start = source.line_at(at)
    first = line.index("${")
    last = line.find("}", first)
    return start + first, start + (len(line) if last < 0 else last + 1)

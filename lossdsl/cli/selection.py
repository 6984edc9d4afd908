"""Which findings are told of which file: options of the command line, then settings of the project."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lossdsl.checks import FAMILIES, FINDINGS, Report
from lossdsl.cli.named import Unread, one_of
from lossdsl.cli.project import Project, Settings
from lossdsl.cli.status import WrongUse
from lossdsl.errors import LossError
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.cli.named import Named

ALL = "ALL"
"""All findings, those too that are told only where they are asked for."""

UNREADABLE = frozenset(row.id for row in FAMILIES["texts"].ROWS)
"""What keeps a loss from being read at all; it is always told."""


@dataclass(frozen=True)
class RowSelection:
    """What is told of a file, by id; which of that has to be asked for; and whether remarks count."""

    ids: frozenset[str]
    asked: frozenset[str]
    strict: bool

    def told(self, report: Report) -> Report:
        """The report with what is told of it."""
        return replace(report, findings=tuple(found for found in report.findings if found.id in self.ids))


def selections(items: Sequence[Named], options: argparse.Namespace, project: Project) -> list[RowSelection]:
    """What is told of each loss. Raises WrongUse."""
    files = [_file(item) for item in items]
    try:
        found = {file: _selection(options, project.settings(file), file) for file in dict.fromkeys(files)}
    except LossError as error:
        raise WrongUse(str(error)) from None
    return [found[file] for file in files]


def project_of(options: argparse.Namespace) -> Project:
    """The settings that the command line asks for. Raises WrongUse."""
    try:
        return Project(options.config, isolated=options.isolated)
    except LossError as error:
        raise WrongUse(str(error)) from None


def _file(item: Named) -> str:
    """The file that a loss stands in."""
    if isinstance(item, Source | Unread):
        return item.name
    return item.span.source.name if item.span is not None else item.source.name


def _selection(options: argparse.Namespace, settings: Settings, file: str) -> RowSelection:
    named = ids(options.select or settings.select)
    ignored = ids(options.ignore) | (set() if options.select else ids(settings.ignore))
    if kept := sorted(ignored & UNREADABLE):
        raise WrongUse(f"`{kept[0]}` cannot be ignored: a text that cannot be read is not checked")
    ignored |= ids(settings.ignored_in(file))
    unasked = {row.id for row in FINDINGS.values() if not row.asked or options.properties}
    more = ids(options.extend_select)
    asked = {id for id in named | more if FINDINGS[id].asked} - ignored
    told = (((named or unasked) | more) - ignored) | UNREADABLE
    return RowSelection(frozenset(told), frozenset(asked), options.strict or settings.strict)


def asked_of(options: argparse.Namespace, found: Iterable[RowSelection]) -> dict[str, Any]:
    """What is asked of `lossdsl.check` beyond what it does anyway."""
    wanted = frozenset[str]().union(*(each.asked for each in found))
    asked = {
        "against": options.against,
        "backend": options.backend,
        "properties": options.properties,
        "asked": [id for id in FINDINGS if id in wanted],
    }
    return {name: value for name, value in asked.items() if value}


def ids(given: Iterable[str]) -> set[str]:
    """The ids that are named, each by itself, all of a family, or ALL. Raises WrongUse."""
    found: set[str] = set()
    for word in (word.strip() for text in given for word in text.split(",")):
        families = ", ".join(name for name, family in FAMILIES.items() if family.ROWS)
        hint = f"`lossdsl check --list` names them, and the families are {families}"
        if word == ALL:
            found |= set(FINDINGS)
            continue
        name = one_of(word, [*FINDINGS, *FAMILIES], "finding", hint)
        found |= {name} if name in FINDINGS else {row.id for row in FAMILIES[name].ROWS}
    return found

"""`lossdsl check`: looks for mistakes in losses."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from lossdsl.cli.named import losses
from lossdsl.cli.status import CLEAN, FOUND
from lossdsl.cli.terminal import write
from lossdsl.errors import LossError
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.checks import Report
    from lossdsl.config import Described

_COUNTED = ("error", "warning")


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "check",
        help="look for mistakes in losses",
        description="Looks for mistakes in losses, without Keras: in the text, in the worked examples (`example`), in\n"
        "the gradient, and names without use. Each finding has its place, the line and a remedy.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources", nargs="+", metavar="FILE", help="a .loss or YAML file, a folder, a built-in's name, or a formula"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    checked: list[Report] = []
    count = 0
    for given in options.sources:
        for item in losses(given):
            count += 1
            try:
                report = _report(item)
            except LossError as error:
                counts["error"] += 1
                write(sys.stdout, "error", str(error))
                continue
            checked.append(report)
            for finding in report.findings:
                counts[finding.severity] += 1
                write(sys.stdout, finding.severity, str(finding))
    found = ", ".join(_number(counts[severity], severity) for severity in _COUNTED if counts[severity])
    passed = f" ({'; '.join(checked[0].passed)})" if count == 1 and checked and checked[0].passed else ""
    print(f"{_number(count, 'loss')} checked: {found or 'nothing found'}{passed}")
    return FOUND if found else CLEAN


def _report(item: Source | Described | LossError) -> Report:
    """What is found in a loss and, of one in YAML, in the parameters given there. Raises LossError."""
    from lossdsl.checks import check

    if isinstance(item, LossError):
        raise item
    if isinstance(item, Source):
        return check(item)
    report = check(item.source)
    if report.ok:
        from lossdsl.runtime.spec import LoadedLoss, axes_of

        with item.blamed():
            LoadedLoss(item.source, axes_of(item.options.get("axis", -1)), item.parameters)
    return report


def _number(count: int, noun: str) -> str:
    plural = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{plural}"

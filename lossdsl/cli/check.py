"""`lossdsl check`: looks for mistakes in losses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lossdsl.cli.named import STDIN, Stdin, WrongUse, losses, one_of
from lossdsl.cli.status import CLEAN, FOUND
from lossdsl.cli.terminal import write

if TYPE_CHECKING:
    from lossdsl.checks import Report

BACKENDS = ("tensorflow", "jax", "torch")
_FORMATS = "text, compact, json, github or sarif"

_EPILOG = """\
A finding that is known and wanted is acknowledged in its loss: allow ID "reason". It is not counted then.

exit status: 0 nothing found, 1 errors or warnings found, 2 wrong use, such as a file that is not there.
"""


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "check",
        help="look for mistakes in losses",
        description="Looks for mistakes in losses, without Keras: in the text, in the worked examples (`example`), in\n"
        "the gradient, and more; --list names all there is to find. Each finding has its place, the line and a remedy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="FILE",
        help="a .loss or YAML file, a folder, a built-in's name, a formula, or - for standard input",
    )
    parser.add_argument("--format", default="text", metavar="FORMAT", help=f"{_FORMATS} (by default text)")
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="IDS",
        help="only these findings, or families of them, separated by commas; --list has their ids",
    )
    parser.add_argument("--ignore", action="append", default=[], metavar="IDS", help="all but these")
    parser.add_argument("--strict", action="store_true", help="remarks count as well")
    parser.add_argument("--exit-zero", action="store_true", help="status 0 whatever is found")
    parser.add_argument("--show-allowed", action="store_true", help="print what `allow` lines acknowledge, too")
    parser.add_argument(
        "--properties", action="store_true", help="print what is known of each loss, its kinks and flat regions too"
    )
    parser.add_argument("--stdin-filename", metavar="NAME", help="the name of standard input; *.yaml is read as YAML")
    parser.add_argument("--jobs", type=int, metavar="N", help="how many processes check (by default 1 or 2)")
    parser.add_argument("--list", action="store_true", help="list the findings there are")
    parser.add_argument("--explain", metavar="ID", help="say what a finding means, with examples")
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="EXPR",
        help="compare a gradient in the prediction, written by hand, with the loss's; `t=EXPR` for another input, and "
        "`--against=EXPR` where it begins with a minus",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        metavar="BACKEND",
        help="compare the gradient with the automatic differentiation of tensorflow, jax or torch, too, and judge the "
        "digits of its code",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.list or options.explain is not None:
        from lossdsl.cli.findings import explained, listed

        print(listed() if options.explain is None else explained(options.explain))
        return CLEAN
    if not options.sources:
        raise WrongUse("name a file, a folder, a built-in loss or a formula, or - for standard input")
    if options.jobs is not None and options.jobs < 1:
        raise WrongUse(f"--jobs is at least 1, not {options.jobs}")
    if options.sources.count(STDIN) > 1:
        raise WrongUse(f"standard input is read once, so `{STDIN}` is given once")
    if options.stdin_filename is not None and STDIN not in options.sources:
        raise WrongUse(f"--stdin-filename names standard input, which is read where a file is `{STDIN}`")

    from lossdsl.cli.formats import FORMATS, Checked
    from lossdsl.cli.jobs import reports, usual
    from lossdsl.cli.progress import progress

    lines = FORMATS[one_of(options.format, FORMATS, "format", f"there are {_FORMATS}")]
    wanted = _wanted(options.select, options.ignore)
    stdin = Stdin(options.stdin_filename or "<stdin>")
    items = [item for given in options.sources for item in losses(given, stdin)]
    found: list[Report] = []
    with progress(len(items)) as advance:
        for report in reports(items, options.jobs or usual(len(items)), _asked(options)):
            found.append(replace(report, findings=tuple(one for one in report.findings if one.id in wanted)))
            advance()
    severities = ("error", "warning", "info") if options.strict else ("error", "warning")
    checked = Checked(tuple(found), severities, options.show_allowed, options.properties)
    for line in lines(checked):
        write(sys.stdout, line.severity, line.text)
    return FOUND if checked.counted and not options.exit_zero else CLEAN


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """What is asked of `lossdsl.check` beyond what it does anyway."""
    from lossdsl.checks import FINDINGS

    named = _ids(options.select) - _ids(options.ignore)
    asked = {
        "against": options.against,
        "backend": options.backend,
        "properties": options.properties,
        "asked": [row.id for row in FINDINGS.values() if row.asked and row.id in named],
    }
    return {name: value for name, value in asked.items() if value}


def _wanted(select: Iterable[str], ignore: Iterable[str]) -> set[str]:
    """The ids of the findings that are told. What keeps a loss from being read at all is always told."""
    from lossdsl.checks import FAMILIES, FINDINGS

    unreadable = {row.id for row in FAMILIES["texts"].ROWS}
    selected, ignored = _ids(select), _ids(ignore)
    if kept := sorted(ignored & unreadable):
        raise WrongUse(f"`{kept[0]}` cannot be ignored: a text that cannot be read is not checked")
    return ((selected or set(FINDINGS)) - ignored) | unreadable


def _ids(given: Iterable[str]) -> set[str]:
    """The ids that are named, each by itself or all of a family."""
    from lossdsl.checks import FAMILIES, FINDINGS

    found: set[str] = set()
    for word in (word.strip() for text in given for word in text.split(",")):
        families = ", ".join(name for name, family in FAMILIES.items() if family.ROWS)
        hint = f"`lossdsl check --list` names them, and the families are {families}"
        name = one_of(word, [*FINDINGS, *FAMILIES], "finding", hint)
        found |= {name} if name in FINDINGS else {row.id for row in FAMILIES[name].ROWS}
    return found

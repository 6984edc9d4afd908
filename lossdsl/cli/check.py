"""`lossdsl check`: looks for mistakes in losses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from lossdsl.cli.named import STDIN, add_exclude, kept_by, losses, one_of
from lossdsl.cli.status import CLEAN, FOUND, WrongUse
from lossdsl.cli.streams import Stdin
from lossdsl.cli.terminal import deliver, write
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.checks import Report
    from lossdsl.cli.formats import Checked, Line
    from lossdsl.cli.selection import RowSelection

BACKENDS = ("tensorflow", "jax", "torch")
_FORMATS = "text, compact, json, github or sarif"

_EPILOG = """\
A finding that is known and wanted is acknowledged in its loss: allow ID "reason". It is not counted then.

Of the nearest pyproject.toml, [tool.lossdsl] has `select`, `ignore`, `strict`, `exclude` and a table
`per-file-ignores`; --select sets the first two aside.

exit status: 0 nothing found, 1 errors or warnings found, 2 wrong use, such as a file that is not there.
"""

_SELECTING = {
    "select": "only these findings, or families of them, separated by commas; --list has their ids, ALL is all",
    "extend-select": "these too, such as one that is told when asked for",
    "ignore": "all but these",
}


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
        help="a .loss or YAML file, a folder (by default the one at hand), a built-in's name, a formula, or - for "
        "standard input",
    )
    parser.add_argument(
        "--format", "--output-format", default="text", metavar="FORMAT", help=f"{_FORMATS} (by default text)"
    )
    for option, told in _SELECTING.items():
        parser.add_argument(f"--{option}", action="append", default=[], metavar="IDS", help=told)
    parser.add_argument("--strict", action="store_true", help="remarks count as well")
    parser.add_argument("--fix", action="store_true", help="mend in .loss files what leaves the loss what it is")
    parser.add_argument("--diff", action="store_true", help="write nothing, print what --fix would change")
    add_exclude(parser)
    parser.add_argument("--statistics", action="store_true", help="print how often each finding was found")
    parser.add_argument(
        "-o", "--output", "--output-file", metavar="PATH", help="write what is found into this file, as UTF-8"
    )
    parser.add_argument("--config", metavar="PATH", help="a pyproject.toml for all that is checked")
    parser.add_argument("--isolated", action="store_true", help="leave every pyproject.toml aside")
    parser.add_argument("-e", "--exit-zero", action="store_true", help="status 0 whatever is found")
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
    options.sources = options.sources or ["."]
    _refuse_wrong_use(options)

    lines = _lines_of(options)
    checked = _checked(options)
    if options.diff:
        _tell_differences(checked, options.output)
    elif options.output is None:
        for line in lines(checked):
            write(sys.stdout, line.severity, line.text)
    else:
        deliver("".join(f"{line.text}\n" for line in lines(checked)), options.output)
    found = checked.diffs if options.diff else checked.counted
    return FOUND if found and not options.exit_zero else CLEAN


def _lines_of(options: argparse.Namespace) -> Callable[[Checked], Iterator[Line]]:
    """What makes lines of what was checked. Raises WrongUse for a format that is not there."""
    from lossdsl.cli.formats import FORMATS
    from lossdsl.cli.formats.statistics import STATISTICS

    formats = STATISTICS if options.statistics else FORMATS
    known = f"with --statistics there are {' and '.join(STATISTICS)}" if options.statistics else f"there are {_FORMATS}"
    return formats[one_of(options.format, formats, "format", known)]


def _tell_differences(checked: Checked, path: str | None) -> None:
    """What would be mended: the differences as a document, and how many on standard error."""
    deliver("".join(checked.diffs), path)
    if checked.with_summary:
        write(sys.stderr, "", f"{checked.fixed} finding{'' if checked.fixed == 1 else 's'} would be mended")


def _checked(options: argparse.Namespace) -> Checked:
    """What is told of all that is named, after what is mended."""
    from lossdsl.cli.fixes import difference, keep, mended
    from lossdsl.cli.formats import Checked
    from lossdsl.cli.jobs import reports, usual
    from lossdsl.cli.progress import progress
    from lossdsl.cli.selection import asked_of, project_of, selections

    stdin = Stdin(options.stdin_filename or "<stdin>")
    project = project_of(options)
    keeps = kept_by(options, project)
    items = [item for given in options.sources for item in losses(given, stdin, keeps)]
    selected = selections(items, options, project)
    asked = asked_of(options, selected)
    found: list[Report] = []
    diffs: list[str] = []
    fixed = 0
    with progress(len(items)) as advance:
        made = reports(items, options.jobs or usual(len(items)), asked)
        for item, selection, report in zip(items, selected, made, strict=True):
            told = selection.told(report)
            if options.fix or options.diff:
                new, told, count = mended(item, told, partial(_again, selection, asked))
                fixed += count
                if count and options.diff:
                    diffs.append(difference(item, new))
                elif count:
                    keep(new)
            found.append(told)
            advance()
    is_strict = any(selection.strict for selection in selected)
    return Checked(
        tuple(found),
        ("error", "warning", "info") if is_strict else ("error", "warning"),
        options.show_allowed,
        options.properties,
        fixed,
        with_summary=not options.quiet,
        diffs=tuple(diffs),
    )


def _refuse_wrong_use(options: argparse.Namespace) -> None:
    if options.jobs is not None and options.jobs < 1:
        raise WrongUse(f"--jobs is at least 1, not {options.jobs}")
    if options.sources.count(STDIN) > 1:
        raise WrongUse(f"standard input is read once, so `{STDIN}` is given once")
    if options.stdin_filename is not None and STDIN not in options.sources:
        raise WrongUse(f"--stdin-filename names standard input, which is read where a file is `{STDIN}`")


def _again(selection: RowSelection, asked: Mapping[str, Any], text: Source) -> Report:
    """The report of a text that has been mended."""
    from lossdsl.cli.jobs import report

    return selection.told(report(text, asked))

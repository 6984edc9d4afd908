"""`lossdsl compare`: whether two losses are equal, or equal up to scale and shift, and for which parameters."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl.cli.named import add_output, one_loss, program_of
from lossdsl.cli.status import CLEAN, FOUND
from lossdsl.cli.terminal import deliver


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "compare",
        help="tell whether two losses are equal, and for which parameters",
        description="Tells whether two losses are equal, or equal up to scale and shift: for all parameters, for some\n"
        "numbers that formulas are fond of, or where two parameters are one. Parameters of one name are\n"
        "one number. What is found is proved, or tested with 900 digits at points far and near and around\n"
        "each join; what differs, be it below a threshold alone, is shown.\n"
        "Values are compared, not slopes: stop(e) counts as e.",
        epilog="examples:\n"
        "  lossdsl compare expectile mse\n"
        "  lossdsl compare 'huber(t, x; delta=2)' 'smooth_l1(t, x; beta=2)'\n\n"
        "exit status: 0 a relation was found, 1 none was found.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name in ("first", "second"):
        parser.add_argument(name, metavar="FILE", help="a built-in's name, a file, or a formula in quotes")
    add_output(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl.analyze.relation import compared

    first, second = (program_of(one_loss(given, None), [])[0] for given in (options.first, options.second))
    names = first.loss.name, second.loss.name
    if names[0] == names[1]:
        names = "the first", "the second"
    found = compared(first, second)
    lines = [one.format(*names) for one in found.relations]
    if found.nearly is not None:
        left, right = found.values
        lines.append(
            f"{names[0]} is {found.nearly.right(names[1])} at ordinary points, but not everywhere: at {found.point} "
            f"it is {left}, and the other side {right}"
        )
    elif found.point:
        where = "otherwise they differ" if lines else f"{names[0]} and {names[1]} differ, by more than scale and shift"
        lines.append(f"{where}, as at {found.point}: {found.values[0]} and {found.values[1]}")
    elif not lines:
        lines.append(f"nothing was found of {names[0]} and {names[1]}: both have finite values at hardly any point")
    where, values = found.lacking
    if where:
        lines.append(f"that is where both have a value; at {where} they are {values[0]} and {values[1]}")
    if found.inputs:
        lines.append(f"both take {', '.join(found.inputs)}; one of them takes other values as well")
    deliver("\n".join([*lines, ""]), options.output)
    return CLEAN if found.relations else FOUND

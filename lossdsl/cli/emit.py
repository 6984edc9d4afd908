"""`lossdsl emit`: a loss as a module that needs no lossdsl."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl.cli.named import add_one_loss, add_output, add_parameters, one_loss, program_of
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.cli.terminal import deliver
from lossdsl.errors import near_miss
from lossdsl.targets import TARGETS, listed


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "emit",
        help="print a loss as a module that needs no lossdsl",
        description="Prints a self-contained Python module: the function, its gradient, and for torch and keras a\n"
        "class that keeps its parameters; or an ES module of JavaScript over nested arrays of numbers.\n"
        "What the target differentiates is our gradient. What a loss\n"
        "requires of a parameter is tested where that is a plain number, not where it is traced.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_one_loss(parser)
    add_output(parser)
    parser.add_argument(
        "--target", default="numpy", metavar="TARGET", help=f"{listed(TARGETS, 'or')} (by default numpy)"
    )
    add_parameters(parser, "the value that a parameter has by default")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.target not in TARGETS:
        near = near_miss(options.target, TARGETS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(TARGETS)}"
        raise WrongUse(f"there is no target `{options.target}`; {hint}")
    program, given = program_of(one_loss(options.source, options.key), options.param)
    defaults = {spec.name: spec.default for spec in program.loss.parameters if spec.default is not None}
    deliver(program.emitted(options.target, {**defaults, **given}), options.output)
    return CLEAN

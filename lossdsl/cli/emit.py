"""`lossdsl emit`: a loss as a module that needs no lossdsl."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl.cli.named import add_one_loss, add_output, one_loss, program_of
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.cli.terminal import deliver
from lossdsl.errors import near_miss


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "emit",
        help="print a loss as a module that needs no lossdsl",
        description="Prints a self-contained Python module: the function, its gradient where it is ours, and for\n"
        "keras a class for model.compile.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_one_loss(parser)
    add_output(parser)
    parser.add_argument(
        "--target", default="numpy", metavar="TARGET", help="numpy, tensorflow, jax, torch or keras (by default numpy)"
    )
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="the value that a parameter has by default"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl import pipeline

    if options.target not in pipeline.TARGETS:
        near = near_miss(options.target, pipeline.TARGETS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(pipeline.TARGETS)}"
        raise WrongUse(f"there is no target `{options.target}`; {hint}")
    program, given = program_of(one_loss(options.source, options.key), options.param)
    defaults = {spec.name: spec.default for spec in program.loss.parameters if spec.default is not None}
    deliver(program.emitted(options.target, {**defaults, **given}), options.output)
    return CLEAN

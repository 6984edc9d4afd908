"""`lossdsl show`: what the compiler makes of a loss."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl.cli.named import WrongUse, one_loss, program_of
from lossdsl.cli.status import CLEAN
from lossdsl.errors import near_miss
from lossdsl.source import Source


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "show",
        help="print what the compiler makes of a loss",
        description="Prints a loss at a stage of the compiler.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="NAME", help="a .loss file, a built-in's name, or a formula")
    parser.add_argument(
        "--stage", default="loss", metavar="STAGE", help="one of the stages of the compiler (by default `loss`)"
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of a parameter; those of kind bool and int change what is made of a loss",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl import pipeline

    if options.stage not in pipeline.STAGES:
        near = near_miss(options.stage, pipeline.STAGES)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(pipeline.STAGES)}"
        raise WrongUse(f"there is no stage `{options.stage}`; {hint}")
    loss = one_loss(options.source)
    if options.stage == "text":  # also of a text that has mistakes
        print((loss if isinstance(loss, Source) else loss.source).text.rstrip("\n"))
        return CLEAN
    program, _ = program_of(loss, options.param)
    print(program.show(options.stage))
    return CLEAN

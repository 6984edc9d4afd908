"""`lossdsl show`: what the compiler makes of a loss."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl.cli.named import add_one_loss, add_output, add_parameters, one_loss, program_of
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.cli.terminal import deliver
from lossdsl.errors import near_miss
from lossdsl.source import Source


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "show",
        help="print what the compiler makes of a loss",
        description="Prints a loss at a stage of the compiler:\n"
        "  text          as it is written\n"
        "  tree          as it was parsed\n"
        "  loss          as it is understood: inputs with their axes, parameters, the formula\n"
        "  latex         the formula, to be pasted into a paper\n"
        "  masks, axes, rules, descent, parts, probabilities, canonical, complements, lowered, late\n"
        "                the formula after this pass of the compiler, and all before it\n"
        "  stable        the formula in the form that keeps its digits, which is what is computed\n"
        "  proposals     what sympy would make simpler, and what became of it\n"
        "  gradient      the gradients that are compiled\n"
        "  numpy, tensorflow, jax, torch, keras, javascript\n"
        "                the code for each; `lossdsl emit` prints it as a module",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_one_loss(parser)
    add_output(parser)
    parser.add_argument("--stage", default="loss", metavar="STAGE", help="the stage (by default loss)")
    add_parameters(parser, "the value of a parameter; those of kind bool and int change what is made of a loss")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl import pipeline

    if options.stage not in pipeline.STAGES:
        near = near_miss(options.stage, pipeline.STAGES)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(pipeline.STAGES)}"
        raise WrongUse(f"there is no stage `{options.stage}`; {hint}")
    loss = one_loss(options.source, options.key)
    if options.stage == "text":  # also of a text that has mistakes
        shown = (loss if isinstance(loss, Source) else loss.source).text.rstrip("\n")
    else:
        shown = program_of(loss, options.param)[0].show(options.stage)
    deliver(f"{shown}\n", options.output)
    return CLEAN

"""`lossdsl eval`: the value of a loss for given numbers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lossdsl.cli.named import add_one_loss, add_output, add_parameters, one_loss, program_of, value_of
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.cli.terminal import deliver
from lossdsl.errors import LossError, did_you_mean
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.ir.loss import Loss


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "eval",
        help="print the value of a loss for given numbers",
        description="Prints the value of a loss, one number a sample, in float64. Inputs are numbers or lists: of a\n"
        "list of numbers all are one sample, of a list of lists each is a sample.",
        epilog="examples:\n"
        "  lossdsl eval huber t=0 x=3\n"
        "  lossdsl eval huber t='[[0, 0], [1, 1]]' x='[[3, 0], [1, 5]]' --param delta=0.5 --grad\n"
        "  lossdsl eval 'abs(t - x)^p' t=0 x=3 --param p=1.5",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_one_loss(parser)
    add_output(parser)
    parser.add_argument("inputs", nargs="*", metavar="INPUT=VALUE", help="a number or a list, as in t=0 x='[1, 2]'")
    parser.add_argument("--grad", action="store_true", help="print the gradient, too")
    parser.add_argument("--wrt", metavar="INPUT", help="the input that the gradient is in (by default the prediction)")
    add_parameters(parser, "the value of a parameter")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl.runtime.spec import LoadedLoss, axes_of

    item = one_loss(options.source, options.key)
    program, given = program_of(item, options.param)
    inputs = dict(_input(text, program.loss) for text in options.inputs)
    source, axis = (item, -1) if isinstance(item, Source) else (item.source, item.options.get("axis", -1))
    try:
        loss = LoadedLoss(source, axes_of(axis), given, [program])
        if options.grad or options.wrt is not None:
            value, slope = loss.numpy.value_and_grad(**inputs, wrt=options.wrt)
            text = f"{_shown(value)}\ngradient in {options.wrt or program.loss.prediction.name}: {_shown(slope)}\n"
        else:
            text = f"{_shown(loss.numpy(**inputs))}\n"
    except LossError as error:
        if error.span is None:
            raise WrongUse(f"{error.message}{f'; {error.hint}' if error.hint else ''}") from None
        raise
    deliver(text, options.output)
    return CLEAN


def _input(text: str, loss: Loss) -> tuple[str, Any]:
    """The name and the value that INPUT=VALUE gives."""
    names = [spec.name for spec in loss.inputs]
    name, sign, value = text.partition("=")
    name = name.strip()
    if not sign:
        raise WrongUse(f"an input is given as INPUT=VALUE, as in `{names[-1]}=1`, not `{text}`")
    if any(name == spec.name for spec in loss.parameters):
        raise WrongUse(f"`{name}` is a parameter: `--param {text}`")
    if name not in names:
        hint = did_you_mean(name, names) or f"its inputs are {', '.join(names)}"
        raise WrongUse(f"{loss.name} has no input `{name}`; {hint}")
    found = value_of(value)
    if not _is_of_numbers(found):
        raise WrongUse(f"`{name}={value}` is no number; several stand in brackets, as in `{name}=[1, 2]`")
    return name, found


def _is_of_numbers(value: Any) -> bool:
    return all(map(_is_of_numbers, value)) if isinstance(value, list) else not isinstance(value, str)


def _shown(value: Any) -> str:
    """A number or nested list, to the last digit."""
    return str(value.tolist()) if hasattr(value, "tolist") else str(value)

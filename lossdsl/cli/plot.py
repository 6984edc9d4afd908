"""`lossdsl plot`: pictures of losses."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossdsl.cli.named import Unread, add_parameters, losses, refuse_other_kinds, split, value_of
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.errors import did_you_mean
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.cli.named import Named
    from lossdsl.runtime.spec import LoadedLoss

FORMATS = ("png", "svg", "pdf")


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "plot",
        help="draw losses and their gradients",
        description="Draws losses into one picture, values above and gradients below: over x - t where only the\n"
        "difference of prediction and target counts, else over the prediction, with a curve for each\n"
        "label. Dots mark where the pieces of a loss meet.",
        epilog="examples:\n"
        "  lossdsl plot huber mse log_cosh -o robust.png\n"
        "  lossdsl plot huber --param delta=0.5,1,2 --svg\n"
        "  lossdsl plot binary_crossentropy --param from_logits=true --range -6 6\n"
        "  lossdsl plot 'abs(t - x)^p' --param p=1,1.5,2 -o powers.pdf",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources", nargs="+", metavar="NAME", help="a built-in's name, a .loss or YAML file, or a formula"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="the file: .png, .svg or .pdf (by default named after the loss, here)"
    )
    formats = parser.add_mutually_exclusive_group()
    for name in FORMATS:
        formats.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, help=f"without -o: as {name.upper()}"
        )
    add_parameters(
        parser, "the value of a parameter; several values are drawn as a family of curves", "NAME=VALUE[,VALUE…]"
    )
    parser.add_argument(
        "--range", nargs=2, type=number, metavar=("LOW", "HIGH"), help="what is drawn of the horizontal axis"
    )
    parser.add_argument(
        "--target", nargs="+", type=number, metavar="T", help="draw over the prediction for these targets or labels"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl import plot

    items = [item for given in options.sources for item in losses(given)]
    families = _families(options.param)
    drawn = [loss for item in items for loss in _members(item, families)]
    _refuse_unknown(families, drawn)
    varied = [name for name, values in families.items() if len(values) > 1]
    is_family = len(items) == 1 and len(drawn) > 1
    labels = [_member_label(loss, varied) if is_family else plot.label(loss) for loss in drawn]
    path = Path(options.output) if options.output else Path(f"{_stem(drawn)}.{options.format or FORMATS[0]}")
    if options.output and options.format and path.suffix.lower() != f".{options.format}":
        raise WrongUse(f"{path} is no name for --{options.format}: leave one of the two out")
    written = plot.draw(
        drawn,
        path,
        over=options.range and tuple(options.range),
        targets=options.target,
        labels=labels,
        title=plot.name(drawn[0]) if is_family else None,
        graded=is_family,
    )
    if not options.quiet:
        print(f"written: {written}")
    return CLEAN


def _member_label(loss: LoadedLoss, varied: Sequence[str]) -> str:
    """What a member of a family is called: by the parameters in which they differ."""
    from lossdsl import plot

    return ", ".join(f"{name} = {plot.number(loss.parameters[name])}" for name in varied)


def _families(settings: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each parameter on the command line."""
    found: dict[str, list[Any]] = {}
    for text in settings:
        name, sign, values = text.partition("=")
        parts = [part.strip() for part in split(values)]
        if not sign or not parts or not all(parts):
            raise WrongUse(f"--param is NAME=VALUE or NAME=VALUE,VALUE,…, not `{text}`")
        found[name.strip()] = [value_of(part) for part in parts]
    return found


def _members(item: Named, families: Mapping[str, Sequence[Any]]) -> list[LoadedLoss]:
    """A loss for each choice of its parameters' values. Raises LossError."""
    from lossdsl import pipeline
    from lossdsl.runtime.spec import LoadedLoss, axes_of

    if isinstance(item, Unread):
        raise item.error
    source = item if isinstance(item, Source) else item.source
    own = {spec.name for spec in pipeline.parameters(pipeline.parsed(source))}
    chosen = {name: values for name, values in families.items() if name in own}
    choices = [dict(zip(chosen, values, strict=True)) for values in itertools.product(*chosen.values())]
    for choice in choices:
        refuse_other_kinds(pipeline.parsed(source), choice)
    if isinstance(item, Source):
        return [LoadedLoss(item, (-1,), choice) for choice in choices]
    axis = axes_of(item.options.get("axis", -1))
    with item.blamed():
        return [LoadedLoss(source, axis, {**item.parameters, **choice}) for choice in choices]


def _refuse_unknown(families: Mapping[str, Sequence[Any]], drawn: Sequence[LoadedLoss]) -> None:
    known = sorted({spec.name for loss in drawn for spec in loss.program.loss.parameters})
    for name in families:
        if name not in known:
            hint = did_you_mean(name, known) or (f"there are {', '.join(known)}" if known else "there is none")
            raise WrongUse(f"no loss here has a parameter `{name}`; {hint}")


def _stem(drawn: Sequence[LoadedLoss]) -> str:
    """The name of a picture that the user gave none: that of its losses."""
    names = dict.fromkeys(loss.name for loss in drawn)
    return "-".join(names) if len(names) <= 3 else "losses"


def number(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError
    return found

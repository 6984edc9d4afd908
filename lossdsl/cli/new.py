"""`lossdsl new`: a file to begin a loss with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lossdsl.cli.named import one_loss
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.errors import LossError
from lossdsl.source import Source

TEMPLATE = '''"""{title}: what it is, in a line.

What it is for, and where it was published: author, "title", year, address.
"""
loss {name}(t, x; scale = 1.0)
require scale > 0

e = (t - x)/scale
e^2

expect nonnegative, convex, least at t = x

example t=[0, 0], x=[1, 2] -> 2.5
'''


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "new",
        help="write a file to begin a loss with",
        description="Writes NAME.loss with the parts that a loss may have, or with the text of another loss. A file\n"
        "that is there already stays as it is.",
        epilog="examples:\n  lossdsl new charbonnier\n  lossdsl new losses/my_huber --like huber",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="PATH", help="the name of the loss, or the path of its file")
    parser.add_argument("--like", metavar="NAME", help="begin with this loss: a built-in's name or a .loss file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl.frontend.parse import parse
    from lossdsl.runtime.files import store

    path = Path(options.name if options.name.endswith(".loss") else f"{options.name}.loss")
    name = path.stem
    text = TEMPLATE.format(name=name, title=name.replace("_", " ").capitalize())
    try:
        parse(Source(text, str(path)))
    except LossError:
        raise WrongUse(f"`{name}` is no name for a loss; one has letters, digits and `_`, as in `my_huber`") from None
    if options.like is not None:
        text = _renamed(one_loss(options.like, None), name)
    if path.exists() or path.is_symlink():
        raise WrongUse(f"{path} is there already; choose another name, or remove it")
    store(text.encode(), path)
    if not options.quiet:
        print(f"written: {path}; `lossdsl check {path}` looks for mistakes in it")
    return CLEAN


def _renamed(loss: object, name: str) -> str:
    """The text of a loss under another name."""
    from lossdsl.frontend.parse import parse

    if not isinstance(loss, Source):
        raise WrongUse("--like takes a built-in's name or a .loss file")
    header = parse(loss).losses[-1].header
    if header is None:
        return f"loss {name}(t, x)\n\n{loss.text.strip()}\n"
    return f"{loss.text[: header.name.span.start]}{name}{loss.text[header.name.span.end :]}"

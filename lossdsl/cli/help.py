"""`lossdsl help`: what `--help` prints, asked for as other programs have it."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl.cli.status import CLEAN


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "help",
        help="print help, of a command too",
        description="Prints this program's help, or that of a command, as `lossdsl COMMAND --help` does.",
    )
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="the command")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl.cli import help_of

    print(help_of(options.command), end="")
    return CLEAN

"""`lossdsl list`: the built-in losses."""

from __future__ import annotations

import argparse
from typing import Any

from lossdsl import catalog
from lossdsl.cli.status import CLEAN


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser("list", help="list the built-in losses", description="Lists the built-in losses.")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    from lossdsl.frontend.parse import parse

    names = catalog.names()
    width = max(map(len, names))
    for name in names:
        source = catalog.read(name)
        assert source is not None
        title = parse(source).losses[-1].doc.partition("\n")[0]
        print(f"{name:{width}}  {title}".rstrip())
    return CLEAN

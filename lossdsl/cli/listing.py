"""`lossdsl list`: the built-in losses."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from lossdsl import catalog
from lossdsl.cli.status import CLEAN

COLUMNS = 100


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "list",
        help="list the built-in losses",
        description="Lists the built-in losses, a line each: the name, what it is, and in brackets its other names.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    names = catalog.names()
    width = max(map(len, names)) + 1
    for name in names:
        print(f"{name:{width}}{_told(name, COLUMNS - width)}")
    return CLEAN


def _told(name: str, width: int) -> str:
    """The title of a loss, or what of it fits beside its other names."""
    from lossdsl.frontend.parse import parse

    source = catalog.read(name)
    assert source is not None
    title = parse(source).losses[-1].doc.partition("\n")[0].rstrip(".")
    others = sorted(catalog.aliases(name), key=len)
    end = f" ({', '.join(others)})" if others else ""
    if len(title) + len(end) > width:
        head = title.partition(":")[0]
        rest = textwrap.shorten(title, max(1, width - len(end)), placeholder="…")
        title = rest if len(rest) > len(head) else head
    return f"{title}{end}"

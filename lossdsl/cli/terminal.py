"""Messages on a terminal, in colour where that is wanted."""

from __future__ import annotations

import os
from typing import TextIO

_COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}


def write(stream: TextIO, severity: str, text: str) -> None:
    """A message on a stream, coloured on a terminal: the first line, the carets and the remedy.

    What has no severity is printed as it is.
    """
    if not severity or not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        print(text, file=stream)
        return
    from rich.console import Console
    from rich.text import Text

    shown = Text()
    style = _COLOURS.get(severity, "bold red")
    for count, line in enumerate(text.split("\n")):
        bare = line.strip(" |")
        loud = count == 0 or (bare and not bare.strip("^"))
        shown.append(f"{line}\n", style if loud else "green" if line.startswith("  help:") else "")
    Console(file=stream, highlight=False, soft_wrap=True).print(shown, end="")

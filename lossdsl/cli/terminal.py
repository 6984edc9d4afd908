"""What the command line writes: messages, in colour where that is wanted, and documents."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from lossdsl.cli.status import WrongUse

COLOURS = ("auto", "always", "never")
"""What `--color` takes."""

_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}
_wanted: ContextVar[str] = ContextVar("wanted", default="auto")


@contextmanager
def coloured(wanted: str) -> Iterator[None]:
    """Inside, messages are coloured "always", "never", or as terminal and environment have it."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def has_colours(stream: TextIO) -> bool:
    """Whether messages on a stream are coloured: `--color` decides, then FORCE_COLOR, NO_COLOR and the terminal."""
    if _wanted.get() != "auto":
        return _wanted.get() == "always"
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(stream: TextIO, severity: str, text: str) -> None:
    """A message on a stream, coloured on a terminal: the first line, the carets and the remedy.

    What has no severity is printed as it is.
    """
    if not severity or not has_colours(stream):
        print(text, file=stream)
        return
    from rich.console import Console
    from rich.text import Text

    shown = Text()
    style = _STYLES.get(severity, "bold red")
    for count, line in enumerate(text.split("\n")):
        bare = line.strip(" |")
        loud = count == 0 or (bare and not bare.strip("^"))
        shown.append(f"{line}\n", style if loud else "green" if line.startswith("  help:") else "")
    console = Console(
        file=stream, highlight=False, soft_wrap=True, force_terminal=True, color_system="standard", no_color=False
    )
    console.print(shown, end="")


def deliver(text: str, path: str | None = None) -> None:
    """Writes a document into a file, as UTF-8, or to standard output, where it is written as it is or not at all.

    Raises WrongUse for what the encoding of standard output has no place for, LossFileError for a file that cannot be
    written.
    """
    if path is not None and path != "-":
        from lossdsl.runtime.files import store

        store(text.encode(), path)
        return
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise WrongUse(
            f"standard output is {sys.stdout.encoding}, which has no `{text[error.start]}`; "
            "`-o FILE` writes UTF-8, and PYTHONIOENCODING=utf-8 makes standard output so"
        ) from None
    sys.stdout.write(text)

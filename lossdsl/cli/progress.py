"""A bar that shows how far a long piece of work is."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 1.0
"""After how many seconds of work the bar appears."""


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Inside, the function that it gives is called after each of `total` steps.

    Where standard error is a terminal and the work takes longer than a second, a bar is shown there, and taken away at
    the end. It appears by a timer, for a single step may take that long.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda: None
        return
    bar = _Bar(total)
    timer = threading.Timer(PATIENCE, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar.advance
    finally:
        timer.cancel()
        bar.close()


class _Bar:
    """A bar that may be shown from another thread, unless the work is over by then."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.is_over = False
        self.lock = threading.Lock()
        self.move: Callable[[int], None] | None = None
        self.stop: Callable[[], None] = lambda: None

    def show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        with self.lock:
            if self.is_over:
                return
            columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn())
            console = Console(stderr=True)
            shown = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
            task = shown.add_task("checking", total=self.total, completed=self.done)
            self.move = lambda done: shown.update(task, completed=done)
            self.stop = shown.stop
            shown.start()

    def advance(self) -> None:
        with self.lock:
            self.done += 1
            if self.move is not None:
                self.move(self.done)

    def close(self) -> None:
        with self.lock:
            self.is_over = True
            self.stop()

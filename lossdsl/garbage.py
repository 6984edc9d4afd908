"""How often Python looks for garbage: what a compiler makes has no cycles, and is let go without."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def collect_seldom() -> None:
    """For a process that lives for seconds and makes few cycles: by default a tenth of a check goes there."""
    gc.set_threshold(100_000, 20, 20)


def uncollected(work: Callable[P, R]) -> Callable[P, R]:
    """The function, during which nobody looks for garbage: of a large loss, that takes a fifth of the time."""

    @wraps(work)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        if not gc.isenabled():
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return alone

"""Code for libraries of arrays, and for JavaScript: a target is a row here and a module `TARGET_code`, imported when it
is asked for.

Such a module has a `PRINTER`, the texts of its `HELPERS`, its `IMPORTS`, and what an emitted module is made of. What
is no library of arrays has an emitter of its own instead: functions `emitted` and `gradient_alone`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

from lossdsl.ir.op import LIBRARIES as LIBRARIES
from lossdsl.ir.op import TARGETS as TARGETS


def target_module(target: str) -> ModuleType:
    """The module of a target."""
    return import_module(f"lossdsl.targets.{target}_code")


def own_emitter(target: str) -> Any:
    """The module of a target that writes modules in its own way; None for those that `emit` writes."""
    return None if target in LIBRARIES else target_module(target)


def differentiates(target: str) -> bool:
    """Whether a target takes gradients itself: where none does, they are functions of their own."""
    return target in LIBRARIES and target_module(target).PRINTER.differentiates is True


def listed(names: Iterable[str], word: str = "and") -> str:
    """`numpy, jax and torch`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last

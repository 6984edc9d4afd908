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

WITHOUT_DIFFERENTIATION = ("numpy", "javascript")
"""Targets whose modules have the gradient as a function of its own."""


def target_module(target: str) -> ModuleType:
    """The module of a target."""
    return import_module(f"lossdsl.targets.{target}_code")


def own_emitter(target: str) -> Any:
    """The module of a target that writes modules in its own way; None for those that `emit` writes."""
    return None if target in LIBRARIES else target_module(target)


def listed(names: Iterable[str], word: str = "and") -> str:
    """`numpy, jax and torch`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last

"""Code for libraries of arrays: a target is a row here and a module `TARGET_code`, imported when it is asked for.

Such a module has a `PRINTER`, the texts of its `HELPERS`, its `IMPORTS`, and what an emitted module is made of.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

from lossdsl.ir.op import TARGETS as TARGETS


def target_module(target: str) -> ModuleType:
    """The module of a target."""
    return import_module(f"lossdsl.targets.{target}_code")


def listed(names: Iterable[str], word: str = "and") -> str:
    """`numpy, jax and torch`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last

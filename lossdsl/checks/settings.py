"""Under which settings of its `bool` and `int` parameters a loss has to be looked at, to speak of all of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from lossdsl import pipeline
from lossdsl.errors import LossError
from lossdsl.frontend.syntax import FileText

MAX_FLAGS = 4
"""Of how many flags each setting is looked at."""


def covering(file: FileText, fixed: Mapping[str, bool | int] | None = None) -> tuple[pipeline.Program, ...]:
    """The loss for each setting of the flags that are not fixed, with a symbol for each `int` parameter that is not.

    Empty where there would be too many, or where an `int` must be known, as in a slice.
    """
    fixed = fixed or {}
    open_ones = [spec for spec in pipeline.parameters(file) if spec.name not in fixed]
    flags = [spec.name for spec in open_ones if spec.kind == "bool"]
    whole = [spec.name for spec in open_ones if spec.kind == "int"]
    if len(flags) > MAX_FLAGS:
        return ()
    settings = [{**fixed, **dict(zip(flags, row, strict=True))} for row in _rows(len(flags))]
    try:
        return tuple(pipeline.program(file, one, free=whole) for one in settings)
    except LossError:
        return ()


def _rows(count: int) -> itertools.product[tuple[bool, ...]]:
    return itertools.product((False, True), repeat=count)


def usual(file: FileText) -> dict[str, bool | int]:
    """The defaults of the `bool` and `int` parameters; false and 1 where there is none."""
    specs = [spec for spec in pipeline.parameters(file) if spec.kind in ("bool", "int")]
    found = {spec.name: spec.usual if spec.usual is not None else int(spec.kind == "int") for spec in specs}
    return {spec.name: bool(found[spec.name]) if spec.kind == "bool" else int(found[spec.name]) for spec in specs}

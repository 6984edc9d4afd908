"""Values for parameters: given ones checked, defaults filled in, requirements tested."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from lossdsl import pipeline
from lossdsl.errors import LossParameterError, did_you_mean
from lossdsl.frontend.syntax import FileText
from lossdsl.ir.loss import ParameterSpec
from lossdsl.runtime.execute import functions
from lossdsl.source import normal_name

Value = float | int | bool | tuple[float, ...] | tuple[tuple[float, ...], ...]
"""A parameter's value as plain Python: a vector is a tuple, a matrix a tuple of rows."""


def bound(file: FileText, given: Mapping[str, Any]) -> dict[str, Value]:
    """A value for each parameter of a file's loss, in order.

    Raises LossParameterError for a name that is no parameter, a value of the wrong kind, and a parameter without one.
    """
    values = known(file, given)
    for spec in pipeline.parameters(file):
        if spec.name not in values:
            raise LossParameterError(
                f"the parameter `{spec.name}` has no value",
                spec.span,
                _how_to_give(spec, file.losses[-1].header is None),
                (spec.name,),
            )
    return values


def known(file: FileText, given: Mapping[str, Any]) -> dict[str, Value]:
    """A value for each parameter of a file's loss that is given or has a default, in order.

    Raises LossParameterError for a name that is no parameter, and for a value of the wrong kind.
    """
    specs = pipeline.parameters(file)
    names = [spec.name for spec in specs]
    given = {normal_name(name): value for name, value in given.items()}
    header = file.losses[-1].header
    label = header.name.text if header is not None else "the formula"
    for name in given:
        if name not in names:
            hint = did_you_mean(name, names) or (f"its parameters: {', '.join(names)}" if names else "it has none")
            raise LossParameterError(f"{label} has no parameter `{name}`", None, hint, (name,), is_unknown=True)
    chosen = [spec for spec in specs if spec.name in given or spec.default is not None]
    return {spec.name: _checked(spec, given.get(spec.name, spec.default)) for spec in chosen}


_ELSEWHERE = ("y", "y_true", "target", "y_pred", "y_hat", "yhat", "ŷ", "prediction")
"""What target and prediction are called elsewhere; in a formula without a header these are parameters."""


def _how_to_give(spec: ParameterSpec, bare: bool) -> str:
    if bare and spec.name in _ELSEWHERE:
        return "in a formula, target and prediction are `t` and `x`; a header names them: `loss mine(y_true, y_pred)`"
    example = {"vector": "[…]", "matrix": "[[…], […]]", "bool": "True", "int": "1"}.get(spec.kind, "1.0")
    text = f"give it one, as in `compile(…, {spec.name}={example})`, in YAML `params: {{{spec.name}: {example}}}`"
    if spec.kind not in ("vector", "matrix"):
        text += f", or for a command `--param {spec.name}={example.lower()}`"
    if bare:
        from lossdsl.ir.ops import function_names

        near = did_you_mean(spec.name, [*function_names(), "t", "x"])
        if near is not None and len(spec.name) > 1:
            return f"{text}; or {near}"
    return text


def _checked(spec: ParameterSpec, value: Any) -> Value:
    """A plain Python value of the parameter's kind."""

    def wrong(wanted: str) -> LossParameterError:
        return LossParameterError(f"`{spec.name}` is {wanted}, not {value!r}", spec.span, None, (spec.name,))

    if isinstance(value, np.ndarray | np.generic) and value.ndim == 0:
        value = value.item()
    if spec.kind == "bool":
        if not isinstance(value, bool):
            raise wrong("true or false")
        return bool(value)
    if spec.kind == "vector":
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            return (float(value),)
        try:
            row = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise wrong("a vector of numbers") from None
        if row.ndim != 1 or row.size == 0:
            raise wrong("a vector of numbers")
        return tuple(float(number) for number in row)
    if spec.kind == "matrix":
        try:
            rows = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise wrong("a matrix: rows of numbers, of one length") from None
        if rows.ndim != 2 or rows.size == 0:
            raise wrong("a matrix: rows of numbers, of one length")
        return tuple(tuple(map(float, row)) for row in rows)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise wrong("a number")
    if spec.kind == "int":
        whole = float(value)
        if whole != math.floor(whole):
            raise wrong("a whole number")
        return int(whole)
    result = float(value)
    if math.isnan(result):
        raise wrong("a number")
    return result


def check_requirements(program: pipeline.Program, values: Mapping[str, Value]) -> None:
    """Raises LossParameterError for the first requirement that does not hold."""
    loss = program.loss
    if not loss.requirements:
        return
    arguments = [_argument(values[spec.name]) for spec in loss.parameters if spec.name not in loss.settled]
    with np.errstate(all="ignore"):
        held = functions(program.requirements(), f"{loss.name} requirements")["requirements"](*arguments)
    for requirement, holds in zip(loss.requirements, held, strict=True):
        if not holds:
            text = normal_name(requirement.span.text)
            names = tuple(name for name in values if re.search(rf"\b{re.escape(name)}\b", text))
            shown = ", ".join(f"{name} = {values[name]!r}" for name in names) or "its value"
            raise LossParameterError(
                f"{loss.name} requires `{requirement.span.text}`, which {shown} violates", requirement.span, None, names
            )


def _argument(value: Value) -> Any:
    return np.asarray(value, dtype=float) if isinstance(value, tuple) else value


def settled(specs: tuple[ParameterSpec, ...], values: Mapping[str, Value]) -> dict[str, bool | int]:
    """The values that fold away at compile time."""
    return {spec.name: values[spec.name] for spec in specs if spec.kind in ("bool", "int")}  # type: ignore[misc]

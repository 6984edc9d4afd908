"""Values for parameters: given ones checked, defaults filled in, requirements tested."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from lossdsl import pipeline
from lossdsl.errors import LossParameterError, did_you_mean, format_value
from lossdsl.frontend.foreign import is_foreign_name, name_hint
from lossdsl.frontend.scripts import as_latin
from lossdsl.frontend.syntax import FileText
from lossdsl.ir.expr import walk
from lossdsl.ir.loss import Loss, ParameterSpec, Requirement
from lossdsl.ir.ops import function_names
from lossdsl.runtime.execute import functions
from lossdsl.source import normal_name

Value = float | int | bool | tuple[float, ...] | tuple[tuple[float, ...], ...]
"""A parameter's value as plain Python: a vector is a tuple, a matrix a tuple of rows."""


def bound(file: FileText, given: Mapping[str, Any], live: Collection[str] = ()) -> dict[str, Value]:
    """A value for each parameter of a file's loss, in order, but for those that are `live`: these come with each call.

    Raises LossParameterError for a name that is no parameter, a value of the wrong kind, and a parameter without one.
    """
    values = known(file, {**given, **dict.fromkeys(live)}, live)
    for spec in pipeline.parameters(file):
        if spec.name not in values and spec.name not in live:
            raise LossParameterError(
                f"the parameter `{spec.name}` has no value",
                spec.span,
                _how_to_give(spec, file.losses[-1].header is None),
                (spec.name,),
            )
    return values


def known(file: FileText, given: Mapping[str, Any], live: Collection[str] = ()) -> dict[str, Value]:
    """A value for each parameter of a file's loss that is given or has a default and is not `live`, in order.

    Raises LossParameterError for a name that is no parameter, and for a value of the wrong kind.
    """
    specs = pipeline.parameters(file)
    given = {normal_name(name): value for name, value in given.items()}
    header = file.losses[-1].header
    label = header.name.text if header is not None else "the formula"
    _check_names(label, given, [spec.name for spec in specs])
    for spec in specs:
        if spec.name in live and spec.kind in ("bool", "int"):
            message = f"`{spec.name}` of {label} decides what is compiled: it cannot change afterwards"
            raise LossParameterError(message, spec.span, f"give it as {_WANTED[spec.kind]}", (spec.name,))
    chosen = [one for one in specs if one.name not in live and (one.name in given or one.default is not None)]
    return {spec.name: _checked(spec, given.get(spec.name, spec.default)) for spec in chosen}


def _check_names(label: str, given: Mapping[str, Any], names: list[str]) -> None:
    """Raises LossParameterError for a name that is no parameter."""
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        those = f"its parameters: {', '.join(names)}" if names else "it has none"
        hint = did_you_mean(unknown, names) or those
        raise LossParameterError(f"{label} has no parameter `{unknown}`", None, hint, (unknown,), is_unknown=True)


def _example(spec: ParameterSpec) -> str:
    return {"vector": "[1, 2]", "matrix": "[[1, 2], [3, 4]]", "bool": "True", "int": "1"}.get(spec.kind, "1.0")


def _how_to_give(spec: ParameterSpec, bare: bool) -> str:
    example = _example(spec)
    text = f"give it one, as in `compile(…, {spec.name}={example})`, in YAML `params: {{{spec.name}: {example}}}`"
    if spec.kind not in ("vector", "matrix"):
        text += f", or for a command `--param {spec.name}={example.lower()}`"
    if bare:
        if pipeline.builtin(spec.name) is not None:
            return f"`{spec.name}` is a loss: call it, as in `{spec.name}(t, x)`"
        element = _element_hint(spec.name)
        if element is not None:
            return f"{element}; or give it a value: `compile(…, {spec.name}={example})`"
        near = name_hint(spec.name, [*function_names(), "t", "x"])
        if near is not None and is_foreign_name(spec.name):
            return f"{near}; or give it a value: `compile(…, {spec.name}={example})`"
        if near is not None and (len(spec.name) > 1 or as_latin(spec.name) != spec.name):
            return f"{text}; or {near}"
    return text


def _element_hint(name: str) -> str | None:
    """What to do about a name of an element or an index, as papers have them, in a formula without a header."""
    if name in ("i", "j", "k"):
        return f"an index is bound by an aggregate, as in `sum[{name}](x[{name}])`"
    of, _, at = name.partition("_")
    if of not in ("t", "x") or not (at.isdigit() or at in ("i", "j", "k", "n")):
        return None
    if at.isdigit():
        return f"an element is written `{of}[{at}]`, counted from 0"
    return f"the element at hand is `{of}`, that of an index `{of}[{at}]`, as in `sum[{at}]({of}[{at}])`"


_WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "real": "a number",
    "vector": "a vector of numbers",
    "matrix": "a matrix: rows of numbers, of one length",
}
MAX_WHOLE = 2**53
"""The largest whole number that a parameter may be: those below it are floating-point numbers, too."""


def _checked(spec: ParameterSpec, value: Any) -> Value:
    """A plain Python value of the parameter's kind."""
    plain = _at_rest(value)
    if isinstance(plain, np.ndarray | np.generic) and plain.ndim == 0:
        plain = plain.item()
    try:
        found = None if _is_trained(plain) else of_kind(spec, plain)
    except OverflowError:
        message = f"`{spec.name}` is too large for a floating-point number: {format_value(value)}"
        raise LossParameterError(message, spec.span, None, (spec.name,)) from None
    if found is None:
        message = f"`{spec.name}` is {_WANTED[spec.kind]}, not {format_value(value)}"
        raise LossParameterError(message, spec.span, _other_kind(spec, value), (spec.name,))
    return found


def _is_trained(value: Any) -> bool:
    """Whether a tensor is one that changes, of which the number at hand would be kept for ever."""
    return callable(getattr(value, "assign", None)) or getattr(value, "requires_grad", False) is True


def _at_rest(value: Any) -> Any:
    """A tensor whose numbers are known and stay as an array of numpy's, whatever else as it is."""
    if isinstance(value, np.ndarray | np.generic) or not (hasattr(value, "dtype") and hasattr(value, "shape")):
        return value
    if _is_trained(value):
        return value
    try:
        return np.asarray(value.tolist() if hasattr(value, "tolist") else value)
    except (TypeError, ValueError, NotImplementedError, RuntimeError):  # one of a graph, which has no numbers yet
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real | np.number) and not isinstance(value, bool)


def _whole(value: Any) -> int | None:
    if not _is_number(value) or value != value or value % 1 != 0:
        return None
    if abs(value) > MAX_WHOLE:
        raise OverflowError
    return int(value)


def _real(value: Any) -> float | None:
    number = float(value) if _is_number(value) else math.nan
    return None if math.isnan(number) else number


def _vector(value: Any) -> tuple[float, ...] | None:
    """A number alone is a vector of one; a dict has a number for each class 0, 1, 2, …, as class weights in Keras."""
    if isinstance(value, Mapping):
        by_class = {_whole(key): number for key, number in value.items()}
        if by_class.keys() != set(range(len(value))):
            return None
        value = [by_class[place] for place in range(len(value))]
    array = _array([value] if _is_number(value) else value, 1)
    return None if array is None else tuple(map(float, array))


def _matrix(value: Any) -> tuple[tuple[float, ...], ...] | None:
    array = _array(value, 2)
    return None if array is None else tuple(tuple(map(float, row)) for row in array)


def _array(value: Any, rank: int) -> Any:
    """An array of numbers that is not empty and holds no nan, else None."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    return None if array.ndim != rank or array.size == 0 or np.isnan(array).any() else array


_OF_KIND: Mapping[str, Callable[[Any], Value | None]] = {
    "bool": lambda value: value if isinstance(value, bool) else None,
    "int": _whole,
    "real": _real,
    "vector": _vector,
    "matrix": _matrix,
}
"""A value as plain Python, None if it is of another kind. Raises OverflowError for a number that is too large."""


def of_kind(spec: ParameterSpec, value: Any) -> Value | None:
    """The value as plain Python, None if it is none of the parameter's kind. Raises OverflowError."""
    return _OF_KIND[spec.kind](value)


def _other_kind(spec: ParameterSpec, value: Any) -> str | None:
    """What to do about a value of another kind."""
    if isinstance(value, str):
        return _text_hint(spec, value)
    if isinstance(value, bool):
        return "write 1 or 0 for a number"
    if spec.kind == "bool" and _is_number(value) and value in (0, 1):
        return f"write `{spec.name}={bool(value)}`"
    if spec.kind in ("real", "int") and isinstance(value, list | tuple | np.ndarray):
        return f"a parameter with several values is declared `{spec.name}: vector`"
    if spec.kind == "int" and _is_number(value) and math.isfinite(value):
        return f"declare it without `int`, as `{spec.name}`, if fractions are meant"
    if (isinstance(value, Mapping) and "learned" in value) or type(value).__name__ in ("Learned", "ByEpoch"):
        return "a value that changes is for `lossdsl.compile`; `lossdsl.torch.Loss` takes an `nn.Parameter`"
    if _is_trained(value):
        how = "`lossdsl.learned(…)` or a `keras.Variable`"
        return f"for a value that is trained `lossdsl.compile` takes {how}, `lossdsl.torch.Loss` an `nn.Parameter`"
    if value is None:
        return "leave it out where its default is meant" if spec.default is not None else "give it a number"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return "a parameter is a plain number: give `float(…)` of a tensor, or declare an input for it"
    if spec.kind == "vector" and isinstance(value, Mapping):
        return _class_hint(spec.name, value)
    if spec.kind in ("vector", "matrix"):
        return f"as in `{spec.name}={_example(spec)}`"
    if callable(value):
        return "a parameter is a plain number: call a schedule for its value, or declare an input for it"
    return None


def _class_hint(name: str, value: Mapping[Any, Any]) -> str:
    """What to do about a dict that is no vector: how many classes there are, only one that names each can tell."""
    every = f"a dict has a number for each class, counted from 0: `{name}={{0: 1, 1: 2}}`"
    given = {key for key in value if _is_number(key) and float(key).is_integer() and 0 <= key < 1000}
    missing = [place for place in range(int(max(given, default=0))) if place not in given]
    if len(given) < len(value) or not missing:
        return every
    shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
    return f"{every}; none for {shown}: a class that counts as usual has 1"


def _text_hint(spec: ParameterSpec, text: str) -> str:
    """What to do about a text in the place of a value."""
    if spec.kind == "bool" and text.lower() in ("true", "false", "yes", "no", "on", "off", "0", "1"):
        return f"leave out the quotes: `{spec.name}={text.lower() in ('true', 'yes', 'on', '1')}`"
    if "${" in text or "{{" in text:
        return "a reference like this is filled in by the library that reads it: give lossdsl what it resolves to"
    is_plain = re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", text)
    if is_plain and len(text) < 40:
        return f"leave out the quotes: `{spec.name}={text.strip()}`"
    return f"as in `{spec.name}={_example(spec)}`"


def check_requirements(program: pipeline.Program, values: Mapping[str, Value]) -> None:
    """Raises LossParameterError for the first requirement that does not hold.

    What is required of a parameter that has no value here, since it comes with each call, is not tested.
    """
    loss = program.loss
    if not loss.requirements:
        return
    missing = {spec.node for spec in loss.parameters if spec.name not in values}
    open_ones = [spec for spec in loss.parameters if spec.name not in loss.settled]
    arguments = [_argument(values.get(spec.name, 1.0)) for spec in open_ones]
    with np.errstate(all="ignore"):
        held = functions(program.requirements(), f"{loss.name} requirements")["requirements"](*arguments)
    for requirement, holds in zip(loss.requirements, held, strict=True):
        if not holds and missing.isdisjoint(walk(requirement.condition)):
            raise violated(loss, requirement, values)


def violated(loss: Loss, requirement: Requirement, values: Mapping[str, Value]) -> LossParameterError:
    """The error for a requirement that values break."""
    text = normal_name(requirement.text)
    names = tuple(name for name in values if re.search(rf"\b{re.escape(name)}\b", text))
    shown = ", ".join(f"{name} = {format_value(values[name])}" for name in names) or "its value"
    return LossParameterError(
        f"{loss.name} requires `{requirement.text}`, which {shown} violates",
        requirement.span,
        "give a value that fulfils it",
        names,
    )


def _argument(value: Value) -> Any:
    return np.asarray(value, dtype=float) if isinstance(value, tuple) else value


def settled(specs: tuple[ParameterSpec, ...], values: Mapping[str, Value]) -> dict[str, bool | int]:
    """The values that fold away at compile time."""
    return {spec.name: values[spec.name] for spec in specs if spec.kind in ("bool", "int")}  # type: ignore[misc]

"""A row of the table of `lossdsl.losses`, and the checked loss behind a call of it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from lossdsl import catalog
from lossdsl.errors import LossParameterError
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.source import Source

MODULE = "lossdsl.losses"
PACKAGE = "lossdsl"
"""Where the functions and classes say they are from, and under what name files find them."""

_SURE = 2.0**-23
"""What Keras's `1 - epsilon` lacks to 1 in float32. In 16 bits it would be 0, and the logarithm infinite."""


@dataclass(frozen=True)
class BuiltInRow:
    """A loss of `keras.losses`.

    `options` and `init` are the signatures of the function (behind `y_true, y_pred`) and of the class, as in Python.
    `arguments` says what the options mean. `references` is the file that takes reference embeddings; `is_sparse` marks
    labels along a class axis, `warns` a loss of several classes, and `counts` gives the values that count.
    `unsaved` are the options that Keras's own config lacks, so that they stand in ours only where they are not the
    default; `apart` is such a one that must not stand there even then, since Keras's tests say what the config is.
    `rounded` marks a loss that clips probabilities to Keras's `1 - epsilon`, which in float32 is 1 - 2^-23.
    `remembers` marks one that goes back to the logits of an activation where the backend's tensors remember them.
    """

    name: str
    class_name: str
    options: str
    init: str
    arguments: Mapping[str, str]
    references: str = ""
    is_sparse: bool = False
    warns: bool = False
    counts: Callable[[Any, Any, Mapping[str, Any]], Any] | None = None
    shapes: str = "`(batch, …, last)` both"
    gives: str = "One value a sample (and place): the mean over the axis."
    aliases: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()
    apart: str = ""
    rounded: bool = False
    remembers: bool = False

    @cached_property
    def signature(self) -> inspect.Signature:
        return _signature(f"y_true, y_pred, {self.options}")

    @cached_property
    def init_signature(self) -> inspect.Signature:
        return _signature(f"self, {self.init}")

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The options of the function with their defaults; those without one are left out."""
        parameters = list(self.signature.parameters.values())[2:]
        return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}

    @cached_property
    def kinds(self) -> dict[str, type]:
        """The type of each option's default, in either signature."""
        parameters = [*self.signature.parameters.values(), *self.init_signature.parameters.values()]
        return {one.name: type(one.default) for one in parameters if one.default is not inspect.Parameter.empty}


def _signature(text: str) -> inspect.Signature:
    """A signature from its text; defaults are literals."""
    definition = ast.parse(f"def f({text.rstrip(', ')}): ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    names = [arg.arg for arg in definition.args.args]
    values = [ast.literal_eval(node) for node in definition.args.defaults]
    empty = [inspect.Parameter.empty] * (len(names) - len(values))
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature(
        [inspect.Parameter(name, kind, default=value) for name, value in zip(names, [*empty, *values], strict=True)]
    )


@lru_cache(maxsize=512)
def _opened(file: str, axis: tuple[int, ...], parameters: tuple[tuple[str, Any], ...]) -> LoadedLoss:
    source = catalog.read(file)
    assert isinstance(source, Source), file
    return LoadedLoss(source, axis, dict(parameters))


def opened(row: BuiltInRow, options: Mapping[str, Any], dtype: str) -> LoadedLoss:
    """The loss of a row with values for its options; compiled once for each set of them."""
    axis = axes_of(options.get("axis", -1))
    file = row.name
    found = []
    for name, value in options.items():
        if name == "axis" or (name == "ignore_class" and value is None):
            continue
        if name in ("ref_labels", "ref_embeddings"):
            file = row.references if value is not None else file
            continue
        found.append((name, _plain(name, value, row)))
    if row.rounded and dtype == "float32":
        found.append(("sure", _SURE))
    return _opened(file, axis, tuple(found))


def _plain(name: str, value: Any, row: BuiltInRow) -> Any:
    """A value of a parameter as plain Python, so that equal ones are equal."""
    if row.kinds.get(name) is bool:
        return bool(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if name == "ignore_class" else float(value)
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float)
    except (TypeError, ValueError, NotImplementedError, RuntimeError):
        raise LossParameterError(
            f"{row.name}: `{name}` is a number known when the loss is made, not {value!r}", None, None, (name,)
        ) from None
    return float(array) if array.ndim == 0 else tuple(array.tolist()) if array.ndim == 1 else array.tolist()

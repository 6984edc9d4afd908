"""Generated numpy code in formats that numpy does not have: every operation in float64, then rounded to the format.

It stands for what the tensor libraries do with bfloat16: they too work out each operation more precisely and round.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossdsl.oracle.float_formats import BFLOAT16, Format


def in_format(values: Any, kind: Format) -> Any:
    """The values as an array whose arithmetic is that of a format.

    >>> one = in_format([1.0], BFLOAT16)
    >>> one + 0.003, one / 3
    (Rounded([1.]), Rounded([0.33398438]))
    """
    found = kind.rounded(values).view(Rounded)
    found.kind = kind
    return found


class Rounded(np.ndarray[Any, Any]):
    """An array of a format; made by `in_format`."""

    kind: Format = BFLOAT16

    def __array_finalize__(self, other: Any) -> None:
        self.kind = getattr(other, "kind", BFLOAT16)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        found = getattr(ufunc, method)(*(_plain(one, self.kind) for one in inputs), **options)
        return _wrapped(found, self.kind)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        plain = {name: _plain(value, self.kind) for name, value in options.items()}
        return _wrapped(function(*_plain(args, self.kind), **plain), self.kind)


def _plain(value: Any, kind: Format) -> Any:
    """An argument in float64; real numbers are rounded first, for the libraries turn them into the format as well."""
    if isinstance(value, Rounded):
        return value.view(np.ndarray)
    if isinstance(value, float) or (isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f"):
        rounded = kind.rounded(value)
        return rounded if isinstance(value, np.ndarray) else float(rounded)
    if isinstance(value, tuple | list):
        return type(value)(_plain(part, kind) for part in value)
    return value


def _wrapped(value: Any, kind: Format) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_wrapped(part, kind) for part in value)
    if isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
        return in_format(value, kind)
    return value

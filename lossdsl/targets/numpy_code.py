"""The numpy target: the twin that checks, teaches and boosts."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import ClassVar

from lossdsl.targets import arguments, pairs_numpy, special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


class NumpyPrinter(Printer):
    target = "numpy"
    mixes_plain = True
    differentiates = False
    spell: ClassVar[Mapping[str, str]] = {
        "lift": "np.asarray(a, dtype)",
        "dtype": "a.dtype",
        "real": "_real(a)",
        "like": "np.asarray(a, x.dtype)",
        "given shape": "np.shape(a)",
        "label": "np.asarray(a, int)",
        "vector": "_vector(np.asarray(a, x.dtype), x)",
        "matrix": "np.asarray(a, x.dtype)",
        "split": "np.split(a, n, axis=-1)",
        "joined": "np.concatenate(parts, axis=-1)",
        "shape": "a.shape",
        "reshape": "np.reshape(a, s)",
        "flat with last": "a.reshape(a.shape[0], math.prod(a.shape[1:-1]), a.shape[-1])",
        "flat": "a.reshape(a.shape[0], math.prod(a.shape[1:]))",
        "filled with number": "np.full(s, a, dtype)",
        "filled": "np.broadcast_to(a, s)",
        "length": "a.shape[k]",
        "count": "a.shape[k]",
        "size": "a.size",
        "arange": "np.arange(a.shape[k])",
        "range": "np.arange(n)",
        "shorter range": "np.arange(a.shape[k] - n)",
        "reduced": "F(a, axis=k)",
        "reduced, kept": "F(a, axis=k, keepdims=True)",
        "position": "_position(F, a, k)",
        "position in last": "F(a, axis=k)",
        "einsum": "np.einsum(s, a, b, optimize=True)",
        "transpose": "np.transpose(a, k)",
        "diagonal": "np.diagonal(a, axis1=i, axis2=j)",
        "pick": "np.take(a, i, axis=k, mode='clip')",
        "take": "np.take(a, i, axis=k, mode='clip')",
        "take last": "_take_along(a, i[..., None], -1)",
        "near": "_near(t, s, a, b)",
        "add rows": "_added_rows(a, i, n, k)",
        "put": "_put(a, i, b)",
        "put among zeros": "_put_among_zeros(n, i, b)",
    }

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if axis != -1:  # a batch may be empty, and numpy asks what is the largest of nothing
            first = {"max": "-math.inf", "min": "math.inf"}.get(function.rpartition(".")[2])
            if first is not None:
                return fill(f"{function}(a, axis=k, initial={first})", a=tree, k=axis)
        return super().reduced(function, tree, axis, keep)


PRINTER = NumpyPrinter
IMPORTS = {"math": "import math", "np": "import numpy as np", "special": "from scipy import special"}
OWN = {
    "_norm": '''
def _norm(a, **along):
    """sqrt(sum(a^2)), of smaller or larger numbers where the squares do not fit."""
    total = np.sum(np.square(a), **along)
    if a.dtype.itemsize > 2 and np.all((total > 1e-30) & (total < 1e37)):
        return np.sqrt(total)
    top = np.max(np.abs(a), initial=0.0, **{**along, "keepdims": True})
    top = np.where((top > 0.0) & (top < math.inf), top, 1.0)
    total = np.sum(np.square(a / top), **along)
    return np.reshape(top, np.shape(total)) * np.sqrt(total)
''',
    "_real": '''
def _real(a):
    """An array of floating numbers."""
    a = np.asarray(a)
    return a if a.dtype.kind == "f" else a.astype(float)
''',
    "_mean": '''
def _mean(a, axis):
    """np.mean; 0 over nothing, as in an empty batch."""
    return np.mean(a, axis=axis) if a.size else np.sum(a, axis=axis)
''',
    "_position": '''
def _position(function, a, axis):
    """np.argmax or np.argmin; 0 over nothing."""
    return (
        function(a, axis=axis)
        if a.shape[axis]
        else np.zeros(np.sum(a, axis=axis).shape, int)
    )
''',
    "_put": '''
def _put(a, index, value):
    """`a` with another value at a position of the last axis, if it has such a position."""
    if not a.shape[-1]:
        return a
    inside = np.clip(index, 0, a.shape[-1] - 1).astype(int)
    value = np.where(index == inside, value, np.take_along_axis(a, inside, axis=-1))
    result = np.array(a)
    np.put_along_axis(result, inside, value, axis=-1)
    return result
''',
    "_put_among_zeros": '''
def _put_among_zeros(count, index, value):
    """A value at a position of the last axis, if it is inside, and 0 elsewhere."""
    rows = np.broadcast_shapes(index.shape, value.shape)[:-1]
    index = np.broadcast_to(index, (*rows, 1))
    return _put(np.zeros((*rows, count), value.dtype), index, value)
''',
    "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range."""
    index = np.clip(index, 0, a.shape[axis] - 1)
    return np.squeeze(np.take_along_axis(a, index, axis=axis), axis=axis)
''',
    "_unslice": '''
def _unslice(a, axis, count, start):
    """`a` from `start` on along an axis of a length, and 0 elsewhere."""
    first = len(range(count)[:start])
    widths = [(0, 0)] * a.ndim
    widths[axis] = first, count - first - a.shape[axis]
    return np.pad(a, widths)
''',
}
HELPERS = special.helpers(special.NUMPY) | arguments.HELPERS | pairs_numpy.HELPERS | OWN

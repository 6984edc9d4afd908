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
HELPERS = (
    special.helpers(special.NUMPY)
    | arguments.HELPERS
    | pairs_numpy.HELPERS
    | {
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
        "_vector": '''
def _vector(a, x):
    """A vector; one number stands for all of the last axis."""
    return np.broadcast_to(a, x.shape[-1:]) if tuple(a.shape) in ((), (1,)) else a
''',
        "_real": '''
def _real(a):
    """An array of floating numbers."""
    a = np.asarray(a)
    return a if a.dtype.kind == "f" else a.astype(float)
''',
        "_in_blocks": '''
def _in_blocks(function, combined, joined, lengths, *arrays):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    size, (first, axis) = math.prod(lengths), arrays[0]
    if size <= 2**22:
        return function(*(a for a, _ in arrays))
    step = max(1, first.shape[axis] * 2**20 // size)
    found = []
    for start in range(0, first.shape[axis], step):
        part = function(
            *(a[(*[slice(None)] * k, slice(start, start + step))] for a, k in arrays)
        )
        found = (
            [part]
            if not found
            else [combined(found[0], part)]
            if combined
            else [*found, part]
        )
    return found[0] if combined else np.concatenate(found, axis=joined)
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
        "_along": '''
def _along(function, arrays, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    arrays = np.broadcast_arrays(*arrays)
    shape = arrays[0].shape
    first = first % len(shape)
    joined = (
        *shape[:first],
        math.prod(shape[first : first + count]),
        *shape[first + count :],
    )
    moved = [np.moveaxis(a.reshape(joined), first, -1) for a in arrays]
    return np.moveaxis(function(*moved), -1, first).reshape(shape)
''',
        "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""
    if reverse:
        return _along(
            lambda a: np.flip(np.cumsum(np.flip(a, -1), axis=-1), -1),
            [a],
            first,
            count,
        )
    return _along(lambda a: np.cumsum(a, axis=-1), [a], first, count)
''',
        "_rank": '''
def _rank(a, first, count):
    """1 for the largest, 2 for the next; the first of several comes first."""
    order = lambda a: np.argsort(
        np.argsort(-a, axis=-1, kind="stable"), axis=-1, kind="stable"
    )
    return _along(lambda a: (order(a) + 1).astype(a.dtype), [a], first, count)
''',
        "_dft_cos": '''
def _dft_cos(a, first, count):
    """Sums with cosines, the real part of the discrete Fourier transform."""
    return _along(
        lambda a: np.real(np.fft.fft(a, axis=-1)).astype(a.dtype), [a], first, count
    )
''',
        "_dft_sin": '''
def _dft_sin(a, first, count):
    """Sums with sines."""
    return _along(
        lambda a: -np.imag(np.fft.fft(a, axis=-1)).astype(a.dtype), [a], first, count
    )
''',
        "_sort": '''
def _sort(a, key, first, count):
    """`a` in ascending order of `key`."""
    order = lambda key: np.argsort(key, axis=-1, kind="stable")
    return _along(
        lambda a, key: np.take_along_axis(a, order(key), axis=-1),
        [a, key],
        first,
        count,
    )
''',
        "_unsort": '''
def _unsort(a, key, first, count):
    """`a`, which is in ascending order of `key`, back in the order of `key` itself."""
    order = lambda key: np.argsort(
        np.argsort(key, axis=-1, kind="stable"), axis=-1, kind="stable"
    )
    return _along(
        lambda a, key: np.take_along_axis(a, order(key), axis=-1),
        [a, key],
        first,
        count,
    )
''',
    }
)

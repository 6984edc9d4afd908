"""The keras target: `keras.ops`, for code that runs on every backend of Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lossdsl.targets import special
from lossdsl.targets.printer import Printer


class KerasPrinter(Printer):
    target = "keras"
    module_names = ("keras", "ops", "math")
    lifts_all = True
    counts_plainly = False
    spell: ClassVar[Mapping[str, str]] = {
        "lift": "ops.cast(a, dtype)",
        "dtype": "keras.backend.standardize_dtype(a.dtype)",
        "label": "ops.cast(a, 'int32')",
        "vector": "ops.broadcast_to(ops.convert_to_tensor(a, x.dtype), ops.shape(x)[-1:])",
        "matrix": "ops.convert_to_tensor(a, x.dtype)",
        "split": "ops.split(a, n, axis=-1)",
        "joined": "ops.concatenate(parts, axis=-1)",
        "shape": "ops.shape(a)",
        "reshape": "ops.reshape(a, s)",
        "flat with last": "_flat(a, True)",
        "flat": "_flat(a, False)",
        "filled with number": "ops.broadcast_to(ops.cast(a, dtype), s)",
        "filled": "ops.broadcast_to(a, s)",
        "length": "ops.cast(ops.shape(a)[k], dtype)",
        "count": "ops.shape(a)[k]",
        "size": "ops.cast(ops.size(a), dtype)",
        "arange": "ops.arange(ops.shape(a)[k])",
        "reduced": "F(a, axis=k)",
        "reduced, kept": "F(a, axis=k, keepdims=True)",
        "position": "F(a, axis=k)",
        "position in last": "F(a, axis=k)",
        "einsum": "ops.einsum(s, a, b)",
        "transpose": "ops.transpose(a, k)",
        "diagonal": "ops.diagonal(a, axis1=i, axis2=j)",
        "pick": "ops.take(a, ops.clip(ops.cast(i, 'int32'), 0, ops.shape(a)[k] - 1), axis=k)",
        "take": "ops.take(a, ops.clip(i, 0, ops.shape(a)[k] - 1), axis=k)",
        "take last": "_take_along(a, i[..., None], -1)",
    }


PRINTER = KerasPrinter
HELPERS = special.helpers(special.KERAS) | {
    "_in_blocks": '''
def _in_blocks(function, combined, joined, lengths, *tensors):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    (first, axis), known = tensors[0], all(isinstance(length, int) for length in lengths)
    if not known or math.prod(lengths) <= 2**22:
        return function(*(a for a, _ in tensors))
    step = max(1, first.shape[axis] * 2**20 // math.prod(lengths))
    found = []
    for start in range(0, first.shape[axis], step):
        part = function(*(a[(*[slice(None)] * k, slice(start, start + step))] for a, k in tensors))
        found = [part] if not found else [combined(found[0], part)] if combined else [*found, part]
    return found[0] if combined else ops.concatenate(found, axis=joined)
''',
    "_mean": '''
def _mean(a, axis):
    """ops.mean; 0 over nothing, as in an empty batch."""
    mean = ops.mean(a, axis=axis)
    return mean if all(a.shape) else ops.where(ops.size(a) > 0, mean, ops.zeros_like(mean))
''',
    "_flat": '''
def _flat(a, has_last):
    """`a` with all axes between the first and the last joined; without a last axis, all after the first."""
    shape = ops.shape(a)
    if has_last:
        return ops.reshape(a, (shape[0], math.prod(shape[1:-1]), shape[-1]))
    return ops.reshape(a, (shape[0], math.prod(shape[1:])))
''',
    "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range; all other dimensions broadcast."""
    axis = axis % len(a.shape)
    index = ops.clip(index, 0, ops.shape(a)[axis] - 1)
    shape = [max(m, n) for m, n in zip(ops.shape(a), ops.shape(index))]
    length = ops.shape(a)[axis]
    a = ops.broadcast_to(a, [length if k == axis else n for k, n in enumerate(shape)])
    index = ops.broadcast_to(index, [1 if k == axis else n for k, n in enumerate(shape)])
    return ops.squeeze(ops.take_along_axis(a, index, axis=axis), axis)
''',
    "_unslice": '''
def _unslice(a, like, start, stop):
    """Zeros like `like`, but `a` from `start` to `stop` of the last axis."""
    first, last, _ = slice(start, stop).indices(like.shape[-1])
    return ops.pad(a, [(0, 0)] * (len(a.shape) - 1) + [(first, like.shape[-1] - last)])
''',
    "_along": '''
def _along(function, tensors, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    shape = [max(lengths) for lengths in zip(*(ops.shape(a) for a in tensors))]
    first = first % len(shape)
    joined = (*shape[:first], math.prod(shape[first : first + count]), *shape[first + count :])
    moved = [ops.moveaxis(ops.reshape(ops.broadcast_to(a, shape), joined), first, -1) for a in tensors]
    return ops.reshape(ops.moveaxis(function(*moved), -1, first), shape)
''',
    "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""
    if reverse:
        return _along(lambda a: ops.flip(ops.cumsum(ops.flip(a, -1), axis=-1), -1), [a], first, count)
    return _along(lambda a: ops.cumsum(a, axis=-1), [a], first, count)
''',
    "_rank": '''
def _rank(a, first, count):
    """1 for the largest, 2 for the next; the first of several comes first."""
    order = lambda a: ops.argsort(ops.argsort(-a, axis=-1), axis=-1)
    return _along(lambda a: ops.cast(order(a) + 1, a.dtype), [a], first, count)
''',
    "_sort": '''
def _sort(a, key, first, count):
    """`a` in ascending order of `key`."""
    order = lambda key: ops.argsort(key, axis=-1)
    return _along(lambda a, key: ops.take_along_axis(a, order(key), axis=-1), [a, key], first, count)
''',
    "_unsort": '''
def _unsort(a, key, first, count):
    """`a`, which is in ascending order of `key`, back in the order of `key` itself."""
    order = lambda key: ops.argsort(ops.argsort(key, axis=-1), axis=-1)
    return _along(lambda a, key: ops.take_along_axis(a, order(key), axis=-1), [a, key], first, count)
''',
}

"""The keras target: `keras.ops`, for code that runs on every backend of Keras."""

from __future__ import annotations

import ast

from lossdsl.ir.axes import Axes, Axis
from lossdsl.ir.expr import Expr, Reduce
from lossdsl.targets import special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


class KerasPrinter(Printer):
    target = "keras"
    module_names = ("keras", "ops", "math")
    lifts_all = True
    counts_plainly = False

    def lift(self, tree: ast.expr, like: Expr | None = None) -> ast.expr:
        return fill("ops.cast(a, dtype)", a=tree)

    def dtype_of(self, tree: ast.expr) -> ast.expr:
        return fill("keras.backend.standardize_dtype(a.dtype)", a=tree)

    def split(self, tree: ast.expr, count: int) -> ast.expr:
        return fill("ops.split(a, n, axis=-1)", a=tree, n=count)

    def joined(self, parts: list[ast.expr]) -> ast.expr:
        return fill("ops.concatenate(parts, axis=-1)", parts=ast.List(parts, ast.Load()))

    def shape(self, tree: ast.expr) -> ast.expr:
        return fill("ops.shape(a)", a=tree)

    def reshape(self, tree: ast.expr, shape: ast.expr) -> ast.expr:
        return fill("ops.reshape(a, s)", a=tree, s=shape)

    def flat(self, tree: ast.expr, has_last: bool) -> ast.expr:
        self.helpers.add("_flat")
        return fill("_flat(a, last)", a=tree, last=ast.Constant(has_last))

    def filled(self, tree: ast.expr, shape: ast.expr, is_plain: bool) -> ast.expr:
        return fill("ops.broadcast_to(a, s)", a=self.lift(tree) if is_plain else tree, s=shape)

    def length(self, arg: Expr, over: Axes) -> ast.expr:
        if self.layout.flexible and len(over) > 1:
            return fill("ops.cast(ops.size(a), dtype)", a=self.done[arg])
        parts = [
            fill("ops.cast(ops.shape(a)[k], dtype)", a=tree, k=place)
            for tree, place in (self.shape_of(arg, axis) for axis in over)
        ]
        result = parts[0]
        for part in parts[1:]:
            result = fill("a * b", a=result, b=part)
        return result

    def arange(self, axis: Axis) -> ast.expr:
        tree, place = self.measured(axis)
        return fill("ops.arange(ops.shape(a)[k])", a=tree, k=place)

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if axis is None:
            return fill(f"{function}(a)", a=tree)
        return fill(f"{function}(a, axis=k{', keepdims=True' if keep else ''})", a=tree, k=axis)

    def argument(self, node: Reduce) -> ast.expr:
        place = self.layout.rank_from_end(node.arg.axes, next(iter(node.over)))
        return fill(f"{node.op.spelling['keras']}(a, axis=k)", a=self.done[node.arg], k=place)

    def einsum(self, text: str, left: ast.expr, right: ast.expr) -> ast.expr:
        return fill("ops.einsum(s, a, b)", s=ast.Constant(text), a=left, b=right)

    def transpose(self, tree: ast.expr, order: tuple[int, ...]) -> ast.expr:
        return fill("ops.transpose(a, k)", a=tree, k=order)

    def diagonal(self, tree: ast.expr, rank: int, first: int, second: int) -> ast.expr:
        return fill("ops.diagonal(a, axis1=i, axis2=j)", a=tree, i=first, j=second)

    def take(self, tree: ast.expr, index: ast.expr, axis: int) -> ast.expr:
        return fill("ops.take(a, ops.clip(i, 0, ops.shape(a)[k] - 1), axis=k)", a=tree, i=index, k=axis)

    def take_last(self, tree: ast.expr, index: ast.expr) -> ast.expr:
        self.helpers.add("_take_along")
        return fill("_take_along(a, i[..., None], -1)", a=tree, i=index)


PRINTER = KerasPrinter
HELPERS = special.helpers(special.KERAS) | {
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

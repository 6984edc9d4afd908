"""The TensorFlow target: native operations, eager, in graphs and under XLA."""

from __future__ import annotations

import ast

from lossdsl.ir.axes import Axes, Axis
from lossdsl.ir.expr import Expr, Reduce
from lossdsl.targets import special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


class TensorFlowPrinter(Printer):
    target = "tensorflow"
    counts_plainly = False

    def lift(self, tree: ast.expr, like: Expr | None = None) -> ast.expr:
        return fill("tf.constant(a, dtype)", a=tree)

    def split(self, tree: ast.expr, count: int) -> ast.expr:
        return fill("tf.split(a, n, axis=-1)", a=tree, n=count)

    def joined(self, parts: list[ast.expr]) -> ast.expr:
        return fill("tf.concat(parts, axis=-1)", parts=ast.List(parts, ast.Load()))

    def shape(self, tree: ast.expr) -> ast.expr:
        return fill("tf.shape(a)", a=tree)

    def reshape(self, tree: ast.expr, shape: ast.expr) -> ast.expr:
        return fill("tf.reshape(a, s)", a=tree, s=shape)

    def flat(self, tree: ast.expr, has_last: bool) -> ast.expr:
        self.helpers.add("_flat")
        return fill("_flat(a, last)", a=tree, last=ast.Constant(has_last))

    def filled(self, tree: ast.expr, shape: ast.expr, is_plain: bool) -> ast.expr:
        return fill("tf.broadcast_to(a, s)", a=self.lift(tree) if is_plain else tree, s=shape)

    def length(self, arg: Expr, over: Axes) -> ast.expr:
        if self.layout.flexible and len(over) > 1:
            return fill("tf.cast(tf.size(a), dtype)", a=self.done[arg])
        parts = [
            fill("tf.cast(tf.shape(a)[k], dtype)", a=tree, k=place)
            for tree, place in (self.shape_of(arg, axis) for axis in over)
        ]
        result = parts[0]
        for part in parts[1:]:
            result = fill("a * b", a=result, b=part)
        return result

    def arange(self, axis: Axis) -> ast.expr:
        tree, place = self.measured(axis)
        return fill("tf.range(tf.shape(a)[k])", a=tree, k=place)

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if axis is None:
            return fill(f"{function}(a)", a=tree)
        return fill(f"{function}(a, axis=k{', keepdims=True' if keep else ''})", a=tree, k=axis)

    def argument(self, node: Reduce) -> ast.expr:
        place = self.layout.rank_from_end(node.arg.axes, next(iter(node.over)))
        function = node.op.spelling["tensorflow"]
        if place == -1:
            return fill(f"{function}(a, axis=-1, output_type=tf.int32)", a=self.done[node.arg])
        self.helpers.add("_position")
        return fill(f"_position({function}, a, k)", a=self.done[node.arg], k=place)

    def einsum(self, text: str, left: ast.expr, right: ast.expr) -> ast.expr:
        return fill("tf.einsum(s, a, b)", s=ast.Constant(text), a=left, b=right)

    def transpose(self, tree: ast.expr, order: tuple[int, ...]) -> ast.expr:
        return fill("tf.transpose(a, k)", a=tree, k=order)

    def diagonal(self, tree: ast.expr, rank: int, first: int, second: int) -> ast.expr:
        order = (*(place for place in range(rank) if place not in (first, second)), first, second)
        if order != tuple(range(rank)):
            tree = fill("tf.transpose(a, k)", a=tree, k=order)
        return fill("tf.linalg.diag_part(a)", a=tree)

    def take(self, tree: ast.expr, index: ast.expr, axis: int) -> ast.expr:
        self.helpers.add("_take")
        return fill("_take(a, i, k)", a=tree, i=index, k=axis)

    def take_last(self, tree: ast.expr, index: ast.expr) -> ast.expr:
        self.helpers.add("_take_along")
        return fill("_take_along(a, i[..., None], -1)", a=tree, i=index)


PRINTER = TensorFlowPrinter
HELPERS = special.helpers(special.TENSORFLOW) | {
    "_position": '''
def _position(function, a, axis):
    """tf.math.argmax or tf.math.argmin; 0 over nothing, as in an empty batch."""
    if a.shape[axis] == 0:
        return tf.zeros_like(tf.math.reduce_sum(a, axis=axis), dtype=tf.int32)
    return function(a, axis=axis, output_type=tf.int32)
''',
    "_flat": '''
def _flat(a, has_last):
    """`a` with all axes between the first and the last joined; without a last axis, all after the first."""
    shape = tf.shape(a)
    if has_last:
        return tf.reshape(a, [shape[0], tf.reduce_prod(shape[1:-1]), a.shape[-1] or shape[-1]])
    return tf.reshape(a, [shape[0], tf.reduce_prod(shape[1:])])
''',
    "_take": '''
def _take(a, index, axis):
    """The parts of `a` at positions of an axis, held inside its range."""
    return tf.gather(a, tf.clip_by_value(index, 0, tf.shape(a)[axis] - 1), axis=axis)
''',
    "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range; all other dimensions broadcast."""
    rank = a.shape.rank
    axis = axis % rank
    order = [k for k in range(rank) if k != axis] + [axis]
    back = [order[:-1].index(k) for k in range(rank) if k != axis]
    a, index = tf.transpose(a, order), tf.transpose(index, order)[..., 0]
    index = tf.clip_by_value(index, 0, tf.shape(a)[-1] - 1)
    shape = tf.broadcast_dynamic_shape(tf.shape(a)[:-1], tf.shape(index))
    a = tf.broadcast_to(a, tf.concat([shape, tf.shape(a)[-1:]], 0))
    index = tf.broadcast_to(index, shape)
    return tf.transpose(tf.gather(a, index, axis=-1, batch_dims=rank - 1), back)
''',
    "_unslice": '''
def _unslice(a, like, start, stop):
    """Zeros like `like`, but `a` from `start` to `stop` of the last axis."""
    first, last, _ = slice(start, stop).indices(like.shape[-1])
    return tf.pad(a, [(0, 0)] * (a.shape.rank - 1) + [(first, like.shape[-1] - last)])
''',
    "_along": '''
def _along(function, tensors, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    shape = tf.shape(tensors[0])
    for tensor in tensors[1:]:
        shape = tf.broadcast_dynamic_shape(shape, tf.shape(tensor))
    rank = tensors[0].shape.rank
    first = first % rank
    size = tf.reduce_prod(shape[first : first + count], keepdims=True)
    joined = tf.concat([shape[:first], size, shape[first + count :]], 0)
    others = [k for k in range(rank - count + 1) if k != first]
    back = [others.index(k) if k != first else rank - count for k in range(rank - count + 1)]
    moved = [tf.transpose(tf.reshape(tf.broadcast_to(a, shape), joined), [*others, first]) for a in tensors]
    return tf.reshape(tf.transpose(function(*moved), back), shape)
''',
    "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""
    return _along(lambda a: tf.math.cumsum(a, axis=-1, reverse=reverse), [a], first, count)
''',
    "_rank": '''
def _rank(a, first, count):
    """1 for the largest, 2 for the next; the first of several comes first."""
    order = lambda a: tf.argsort(tf.argsort(-a, axis=-1, stable=True), axis=-1, stable=True)
    return _along(lambda a: tf.cast(order(a) + 1, a.dtype), [a], first, count)
''',
    "_sort": '''
def _sort(a, key, first, count):
    """`a` in ascending order of `key`."""
    order = lambda key: tf.argsort(key, axis=-1, stable=True)
    return _along(lambda a, key: tf.gather(a, order(key), batch_dims=len(a.shape) - 1), [a, key], first, count)
''',
    "_unsort": '''
def _unsort(a, key, first, count):
    """`a`, which is in ascending order of `key`, back in the order of `key` itself."""
    order = lambda key: tf.argsort(tf.argsort(key, axis=-1, stable=True), axis=-1, stable=True)
    return _along(lambda a, key: tf.gather(a, order(key), batch_dims=len(a.shape) - 1), [a, key], first, count)
''',
}

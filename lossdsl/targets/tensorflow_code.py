"""The TensorFlow target: native operations, eager, in graphs and under XLA."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import ClassVar

from lossdsl.ir.expr import Call, Expr
from lossdsl.targets import arguments, pairs_tensorflow, special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


def _is_negated_order(node: Expr) -> bool:
    """Whether a node is `not a < b` or the like, of tensors."""
    if not (isinstance(node, Call) and node.op.name == "not" and not node.is_static):
        return False
    return isinstance(node.args[0], Call) and node.args[0].op.is_order


class TensorFlowPrinter(Printer):
    keeps_dimensions = False  # in a graph, value and slope share the operations that both spell alike
    fuses = True
    target = "tensorflow"
    counts_plainly = False
    spell: ClassVar[Mapping[str, str]] = {
        "lift": "tf.constant(a, dtype)",
        "dtype": "a.dtype",
        "real": "_real(a)",
        "like": "_like(a, x)",
        "number": "_like(a, x)",
        "given shape": "tf.shape(a)",
        "ones": "tf.ones(s, x.dtype)",
        "label": "tf.cast(a, tf.int32)",
        "vector": "_vector(_like(a, x), x)",
        "matrix": "_like(a, x)",
        "split": "tf.split(a, n, axis=-1)",
        "joined": "tf.concat(parts, axis=-1)",
        "shape": "tf.shape(a)",
        "reshape": "tf.reshape(a, s)",
        "flat with last": "_flat(a, True)",
        "flat": "_flat(a, False)",
        "filled with number": "tf.broadcast_to(tf.constant(a, dtype), s)",
        "filled": "tf.broadcast_to(a, s)",
        "length": "tf.cast(_count(a, k), dtype)",
        "count": "_count(a, k)",
        "size": "tf.cast(tf.size(a), dtype)",
        "arange": "tf.range(_count(a, k))",
        "range": "tf.range(n)",
        "shorter range": "tf.range(tf.maximum(_count(a, k) - n, 0))",
        "reduced": "F(a, axis=k)",
        "reduced, kept": "F(a, axis=k, keepdims=True)",
        "position": "_position(F, a, k)",
        "position in last": "F(a, axis=k, output_type=tf.int32)",
        "einsum": "_contract(s, a, b)",
        # products of matrices: an einsum takes 0.1 ms more to start
        "ab,bc->ac": "tf.linalg.matmul(a, b)",
        "ac,bc->ab": "tf.linalg.matmul(a, b, transpose_b=True)",
        "ab,ac->bc": "_turned(a, b)",
        "transpose": "tf.transpose(a, k)",
        "diagonal": "tf.linalg.diag_part(a)",
        "pick": "_take(a, i, k)",
        "add rows": "_added_rows(a, i, n, k)",
        "take": "_take(a, i, k)",
        "take last": "_take_last(a, i)",
        "near": "_near(t, s, a, b)",
    }

    def _call(self, node: Call) -> ast.expr:
        """An operation; not `~(a < b)`, which a graph takes for `a >= b`: that is another thing where one is nan."""
        condition = node.args[0] if node.args else node
        if node.op.name == "where" and _is_negated_order(condition):
            inner, first, second = condition.children[0], *node.args[1:]
            return super()._call(Call(node.op, (inner, second, first)))
        if _is_negated_order(node) and not self.is_plain(condition):
            return fill("tf.where(c, False, True)", c=self.meet(condition, self.has(node)))
        return super()._call(node)

    def finished(self, tree: ast.FunctionDef) -> ast.FunctionDef:
        """Without the negated comparisons that no choice reads any more."""
        read = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
        names = [(line, line.targets[0]) for line in tree.body if isinstance(line, ast.Assign)]
        idle = [line for line, target in names if isinstance(target, ast.Name) and target.id not in read]
        if idle:
            tree.body = [line for line in tree.body if line not in idle]
            return self.finished(tree)
        return super().finished(tree)

    def subscript(self, tree: ast.expr, index: list[object]) -> ast.expr:
        """One new dimension has an operation of its own, which is quicker than a slice."""
        if index.count(None) == 1 and all(item in (None, ...) or item == slice(None) for item in index):
            place = index.index(None)
            return fill("tf.expand_dims(a, k)", a=tree, k=place - len(index) if ... in index[:place] else place)
        return super().subscript(tree, index)

    def diagonal(self, tree: ast.expr, rank: int, first: int, second: int) -> ast.expr:
        order = (*(place for place in range(rank) if place not in (first, second)), first, second)
        if order != tuple(range(rank)):
            tree = self.transpose(tree, order)
        return super().diagonal(tree, rank, first, second)


PRINTER = TensorFlowPrinter
IMPORTS = {"math": "import math", "tf": "import tensorflow as tf"}
CARRIED = '''
@tf.custom_gradient
def _carried(*arguments):
    """The loss with its own gradient, which is worked out from the arguments again."""

    def gradient(upstream):
        return [vjp and vjp(*arguments, upstream) for vjp in _VJPS]

    return _value(*arguments), gradient
'''
HELPERS = special.helpers(special.TENSORFLOW) | arguments.HELPERS | pairs_tensorflow.HELPERS | {
    "_is_known": '''
def _is_known(*numbers):
    """Whether numbers can be compared now; in a graph, those that it computes cannot."""
    return tf.executing_eagerly() or not any(tf.is_tensor(a) for a in numbers)
''',
    "_real": '''
def _real(a):
    """A tensor of floating numbers."""
    a = tf.convert_to_tensor(a)
    return a if a.dtype.is_floating else tf.cast(a, tf.float32)
''',
    "_like": '''
def _like(a, x):
    """A tensor with the dtype of another."""
    return tf.cast(tf.convert_to_tensor(a, dtype_hint=x.dtype), x.dtype)
''',
    "_moved": '''
def _moved(a, old, new):
    """`a` with one axis at another place."""
    order = [k for k in range(a.shape.rank) if k != old]
    return a if old == new else tf.transpose(a, [*order[:new], old, *order[new:]])
''',
    "_in_blocks": '''
def _in_blocks(function, combined, joined, lengths, *tensors):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    plain = tf.autograph.experimental.do_not_convert

    @plain
    def whole():
        return function(*(a for a, _ in tensors))

    def part(rows):
        return function(*(tf.expand_dims(row, k) for row, (_, k) in zip(rows, tensors)))

    @plain
    def by_row():
        rows = [_moved(a, k, 0) for a, k in tensors]
        first = part([a[0] for a in rows])
        if combined:
            more = [a[1:] for a in rows]
            add = plain(lambda found, row: combined(found, part(row)))
            return tf.foldl(add, more, first, parallel_iterations=1)
        found = tf.map_fn(
            plain(lambda row: tf.squeeze(part(row), joined)),
            rows,
            first.dtype,
            parallel_iterations=1,
        )
        return _moved(found, 0, joined)

    if all(isinstance(length, int) for length in lengths):
        return whole() if math.prod(lengths) <= 2**22 else by_row()
    return tf.cond(
        tf.reduce_prod(tf.cast(tf.stack(lengths), tf.float32)) > 2.0**22, by_row, whole
    )
''',
    "_norm": '''
def _norm(a, axis=None):
    """sqrt(sum(a^2)), of smaller or larger numbers where the squares do not fit."""
    total = tf.math.reduce_sum(tf.math.square(a), axis=axis)

    def scaled():
        size = tf.math.abs(tf.stop_gradient(a))
        top = tf.math.reduce_max(size, axis=axis, keepdims=True)
        top = tf.where((top > 0.0) & (top < math.inf), top, tf.ones_like(top))
        part = _root(tf.math.reduce_sum(tf.math.square(a / top), axis=axis))
        return tf.squeeze(top, axis) * part

    if a.dtype.size == 2:
        return scaled()
    fits = tf.math.reduce_all((total > 1e-30) & (total < 1e37))
    return tf.cond(fits, lambda: _root(total), scaled)
''',
    "_excess": '''
def _excess(a, axis=None):
    """sum(a) - 1 of terms whose largest is 1; where that is less than 1, the others are summed by themselves.

    Large tensors are summed again only if some sum asks for it: in a loop of at most one round, which XLA leaves alone,
    while it moves what follows into the branches of a choice. XLA differentiates no loop, so the slope is given.
    """
    plain = tf.autograph.experimental.do_not_convert

    @tf.custom_gradient
    def seldom(a):
        still, total = (
            tf.stop_gradient(a),
            tf.stop_gradient(tf.math.reduce_sum(a, axis=axis)),
        )
        near = total < 2.0

        def exact(_, found):
            others = tf.math.reduce_sum(tf.where(still < 1.0, still, 0.0), axis=axis)
            return False, tf.where(
                near, others + (tf.math.round(total - others) - 1.0), found
            )

        start = tf.math.reduce_any(near), total - 1.0
        _, found = tf.while_loop(plain(lambda again, _: again), plain(exact), start)

        def slope(upstream):
            return tf.broadcast_to(
                upstream if axis is None else tf.expand_dims(upstream, axis),
                tf.shape(a),
            )

        return found, slope

    if a.shape.is_fully_defined() and a.shape.num_elements() <= 2**16:
        ones = tf.math.floor(a)
        return tf.math.reduce_sum(a - ones, axis=axis) + (
            tf.math.reduce_sum(ones, axis=axis) - 1.0
        )
    return seldom(a)
''',
    "_mean": '''
def _mean(a, axis):
    """tf.math.reduce_mean; 0 over nothing, as in an empty batch."""
    mean = tf.math.reduce_mean(a, axis=axis)
    count = a.shape.num_elements()
    return mean if count else tf.where(tf.size(a) > 0, mean, tf.zeros_like(mean))
''',
    "_position": '''
def _position(function, a, axis):
    """tf.math.argmax or tf.math.argmin; 0 over nothing, as in an empty batch."""
    if a.shape[axis] == 0:
        return tf.zeros_like(tf.math.reduce_sum(a, axis=axis), dtype=tf.int32)
    return function(a, axis=axis, output_type=tf.int32)
''',
    "_count": '''
def _count(a, axis):
    """The length of an axis: a number if it is known beforehand."""
    return tf.shape(a)[axis] if a.shape[axis] is None else a.shape[axis]
''',
    "_flat": '''
def _flat(a, has_last):
    """`a` with all axes between the first and the last joined; without a last axis, all after the first."""
    if a.shape.rank == 1 + has_last:
        return tf.expand_dims(a, 1)
    shape = tf.shape(a)
    if has_last:
        return tf.reshape(
            a, [shape[0], tf.reduce_prod(shape[1:-1]), a.shape[-1] or shape[-1]]
        )
    return tf.reshape(a, [shape[0], tf.reduce_prod(shape[1:])])
''',
    "_turned": '''
def _turned(a, b):
    """The product of the transposed `a` and `b`. An einsum turns large matrices quicker, but takes 0.1 ms to start."""
    if a.shape.is_fully_defined() and a.shape.num_elements() <= 2**16:
        return tf.linalg.matmul(a, b, transpose_a=True)
    return tf.einsum("ab,ac->bc", a, b)
''',
    "_contract": '''
def _contract(text, a, b):
    """tf.einsum of two arrays. Dimensions of length 1 that go through stay out of it: a plain product is left."""
    first, second, result = text.replace("->", ",").split(",")
    shared = [k for k in result if k in first and k in second]
    single = [
        k for k in shared if a.shape[first.index(k)] == b.shape[second.index(k)] == 1
    ]
    if single:
        a, b = (
            tf.squeeze(a, [first.index(k) for k in single]),
            tf.squeeze(b, [second.index(k) for k in single]),
        )
    c = tf.einsum("".join(k for k in text if k not in single), a, b)
    for place in sorted(result.index(k) for k in single):
        c = tf.expand_dims(c, place)
    return c
''',
    "_take": '''
def _take(a, index, axis):
    """The parts of `a` at positions of an axis, held inside its range."""
    return tf.gather(a, tf.clip_by_value(index, 0, tf.shape(a)[axis] - 1), axis=axis)
''',
    "_take_last": '''
def _take_last(a, index):
    """One element of the last axis of `a` for each place of the others, its position held inside the range."""
    index = tf.minimum(tf.maximum(index, 0), _count(a, -1) - 1)
    return tf.gather(a, index, batch_dims=a.shape.rank - 1)
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
def _unslice(a, axis, count, start):
    """`a` from `start` on along an axis of a length, and 0 elsewhere."""
    if isinstance(count, int):
        first = len(range(count)[:start])
    else:
        first = tf.clip_by_value(start if start >= 0 else count + start, 0, count)
    widths = [[0, 0]] * a.shape.rank
    widths[axis] = [first, count - first - _count(a, axis)]
    return tf.pad(a, widths)
''',
    "_along": '''
def _along(function, tensors, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    shape = tf.shape(tensors[0])
    for tensor in tensors[1:]:
        shape = tf.broadcast_dynamic_shape(shape, tf.shape(tensor))
    rank = max(tensor.shape.rank for tensor in tensors)
    first = first % rank
    size = tf.reduce_prod(shape[first : first + count], keepdims=True)
    joined = tf.concat([shape[:first], size, shape[first + count :]], 0)
    others = [k for k in range(rank - count + 1) if k != first]
    back = [
        others.index(k) if k != first else rank - count for k in range(rank - count + 1)
    ]
    moved = [
        tf.transpose(tf.reshape(tf.broadcast_to(a, shape), joined), [*others, first])
        for a in tensors
    ]
    return tf.reshape(tf.transpose(function(*moved), back), shape)
''',
    "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""
    return _along(
        lambda a: tf.math.cumsum(a, axis=-1, reverse=reverse), [a], first, count
    )
''',
    "_logcumsumexp": '''
def _logcumsumexp(a, first, count, reverse):
    """Logarithms of running sums of exponentials, from the end if `reverse`; nan is not left out."""
    total = lambda a: tf.math.cumulative_logsumexp(a, axis=-1, reverse=reverse)
    is_nan = lambda a: tf.cumsum(tf.cast(a != a, a.dtype), axis=-1, reverse=reverse) > 0
    nan = lambda a: tf.constant(math.nan, a.dtype)
    return _along(lambda a: tf.where(is_nan(a), nan(a), total(a)), [a], first, count)
''',
    "_dft": '''
def _dft(a):
    """The discrete Fourier transform along the last axis."""
    kind = tf.complex128 if a.dtype == tf.float64 else tf.complex64
    return tf.signal.fft(tf.cast(a, kind))
''',
}

"""The numpy target: the twin that checks, teaches and boosts."""

from __future__ import annotations

import ast

from lossdsl.ir.axes import Axes, Axis
from lossdsl.ir.expr import Expr, Reduce
from lossdsl.targets import special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


class NumpyPrinter(Printer):
    target = "numpy"

    def lift(self, tree: ast.expr, like: Expr | None = None) -> ast.expr:
        return tree if like is not None else fill("np.asarray(a, dtype)", a=tree)

    def split(self, tree: ast.expr, count: int) -> ast.expr:
        return fill("np.split(a, n, axis=-1)", a=tree, n=count)

    def joined(self, parts: list[ast.expr]) -> ast.expr:
        return fill("np.concatenate(parts, axis=-1)", parts=ast.List(parts, ast.Load()))

    def shape(self, tree: ast.expr) -> ast.expr:
        return fill("a.shape", a=tree)

    def reshape(self, tree: ast.expr, shape: ast.expr) -> ast.expr:
        return fill("np.reshape(a, s)", a=tree, s=shape)

    def flat(self, tree: ast.expr, has_last: bool) -> ast.expr:
        if has_last:
            return fill("a.reshape(a.shape[0], math.prod(a.shape[1:-1]), a.shape[-1])", a=tree)
        return fill("a.reshape(a.shape[0], math.prod(a.shape[1:]))", a=tree)

    def filled(self, tree: ast.expr, shape: ast.expr, is_plain: bool) -> ast.expr:
        return fill("np.full(s, a, dtype)" if is_plain else "np.broadcast_to(a, s)", a=tree, s=shape)

    def length(self, arg: Expr, over: Axes) -> ast.expr:
        if self.layout.flexible and len(over) > 1:
            return fill("a.size", a=self.done[arg])
        parts = [fill("a.shape[k]", a=tree, k=place) for tree, place in (self.shape_of(arg, axis) for axis in over)]
        result = parts[0]
        for part in parts[1:]:
            result = fill("a * b", a=result, b=part)
        return result

    def arange(self, axis: Axis) -> ast.expr:
        tree, place = self.measured(axis)
        return fill("np.arange(a.shape[k])", a=tree, k=place)

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        more = ", keepdims=True" if keep else ""
        if self.target == "numpy" and axis != -1:  # a batch may be empty, and numpy asks what is the largest of nothing
            more += {"np.max": ", initial=-math.inf", "np.min": ", initial=math.inf"}.get(function, "")
            if function == "special.logsumexp":
                self.helpers.add(function := "_logsumexp")
        if axis is None:
            return fill(f"{function}(a{more})", a=tree)
        return fill(f"{function}(a, axis=k{more})", a=tree, k=axis)

    def argument(self, node: Reduce) -> ast.expr:
        place = self.layout.rank_from_end(node.arg.axes, next(iter(node.over)))
        function = node.op.spelling["numpy"]
        if self.target == "numpy" and place != -1:
            self.helpers.add("_position")
            return fill(f"_position({function}, a, k)", a=self.done[node.arg], k=place)
        return fill(f"{function}(a, axis=k)", a=self.done[node.arg], k=place)

    def einsum(self, text: str, left: ast.expr, right: ast.expr) -> ast.expr:
        return fill("np.einsum(s, a, b, optimize=True)", s=ast.Constant(text), a=left, b=right)

    def transpose(self, tree: ast.expr, order: tuple[int, ...]) -> ast.expr:
        return fill("np.transpose(a, k)", a=tree, k=order)

    def diagonal(self, tree: ast.expr, rank: int, first: int, second: int) -> ast.expr:
        return fill("np.diagonal(a, axis1=i, axis2=j)", a=tree, i=first, j=second)

    def take(self, tree: ast.expr, index: ast.expr, axis: int) -> ast.expr:
        return fill("np.take(a, i, axis=k, mode='clip')", a=tree, i=index, k=axis)

    def take_last(self, tree: ast.expr, index: ast.expr) -> ast.expr:
        self.helpers.add("_take_along")
        return fill("_take_along(a, i[..., None], -1)", a=tree, i=index)


PRINTER = NumpyPrinter
HELPERS = special.helpers(special.NUMPY) | {
    "_logsumexp": '''
def _logsumexp(a, axis=None):
    """log(sum(exp(a))); -inf over nothing."""
    return special.logsumexp(a, axis=axis) if a.size else np.log(np.sum(a, axis=axis))
''',
    "_position": '''
def _position(function, a, axis):
    """np.argmax or np.argmin; 0 over nothing."""
    return function(a, axis=axis) if a.shape[axis] else np.zeros(np.sum(a, axis=axis).shape, int)
''',
    "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range."""
    index = np.clip(index, 0, a.shape[axis] - 1)
    return np.squeeze(np.take_along_axis(a, index, axis=axis), axis=axis)
''',
    "_unslice": '''
def _unslice(a, like, start, stop):
    """Zeros like `like`, but `a` from `start` to `stop` of the last axis."""
    first, last, _ = slice(start, stop).indices(like.shape[-1])
    return np.pad(a, [(0, 0)] * (a.ndim - 1) + [(first, like.shape[-1] - last)])
''',
    "_along": '''
def _along(function, arrays, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    arrays = np.broadcast_arrays(*arrays)
    shape = arrays[0].shape
    first = first % len(shape)
    joined = (*shape[:first], math.prod(shape[first : first + count]), *shape[first + count :])
    moved = [np.moveaxis(a.reshape(joined), first, -1) for a in arrays]
    return np.moveaxis(function(*moved), -1, first).reshape(shape)
''',
    "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""
    if reverse:
        return _along(lambda a: np.flip(np.cumsum(np.flip(a, -1), axis=-1), -1), [a], first, count)
    return _along(lambda a: np.cumsum(a, axis=-1), [a], first, count)
''',
    "_rank": '''
def _rank(a, first, count):
    """1 for the largest, 2 for the next; the first of several comes first."""
    order = lambda a: np.argsort(np.argsort(-a, axis=-1, kind="stable"), axis=-1, kind="stable")
    return _along(lambda a: (order(a) + 1).astype(a.dtype), [a], first, count)
''',
    "_sort": '''
def _sort(a, key, first, count):
    """`a` in ascending order of `key`."""
    order = lambda key: np.argsort(key, axis=-1, kind="stable")
    return _along(lambda a, key: np.take_along_axis(a, order(key), axis=-1), [a, key], first, count)
''',
    "_unsort": '''
def _unsort(a, key, first, count):
    """`a`, which is in ascending order of `key`, back in the order of `key` itself."""
    order = lambda key: np.argsort(np.argsort(key, axis=-1, kind="stable"), axis=-1, kind="stable")
    return _along(lambda a, key: np.take_along_axis(a, order(key), axis=-1), [a, key], first, count)
''',
}

"""The torch target."""

from __future__ import annotations

import ast

from lossdsl.ir.axes import Axes, Axis
from lossdsl.ir.expr import Expr, Reduce
from lossdsl.targets import special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


class TorchPrinter(Printer):
    target = "torch"
    module_names = ("torch", "math")
    lifts_all = True

    def lift(self, tree: ast.expr, like: Expr | None = None) -> ast.expr:
        return fill("torch.tensor(a, dtype=dtype, device=device)", a=tree)

    def split(self, tree: ast.expr, count: int) -> ast.expr:
        return fill("torch.chunk(a, n, dim=-1)", a=tree, n=count)

    def joined(self, parts: list[ast.expr]) -> ast.expr:
        return fill("torch.cat(parts, dim=-1)", parts=ast.List(parts, ast.Load()))

    def shape(self, tree: ast.expr) -> ast.expr:
        return fill("a.shape", a=tree)

    def reshape(self, tree: ast.expr, shape: ast.expr) -> ast.expr:
        return fill("torch.reshape(a, s)", a=tree, s=shape)

    def flat(self, tree: ast.expr, has_last: bool) -> ast.expr:
        if has_last:
            return fill("a.reshape(a.shape[0], math.prod(a.shape[1:-1]), a.shape[-1])", a=tree)
        return fill("a.reshape(a.shape[0], math.prod(a.shape[1:]))", a=tree)

    def filled(self, tree: ast.expr, shape: ast.expr, is_plain: bool) -> ast.expr:
        return fill("torch.broadcast_to(a, s)", a=self.lift(tree) if is_plain else tree, s=shape)

    def length(self, arg: Expr, over: Axes) -> ast.expr:
        if self.layout.flexible and len(over) > 1:
            return fill("a.numel()", a=self.done[arg])
        parts = [fill("a.shape[k]", a=tree, k=place) for tree, place in (self.shape_of(arg, axis) for axis in over)]
        result = parts[0]
        for part in parts[1:]:
            result = fill("a * b", a=result, b=part)
        return result

    def arange(self, axis: Axis) -> ast.expr:
        tree, place = self.measured(axis)
        return fill("torch.arange(a.shape[k], device=a.device)", a=tree, k=place)

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if axis is None:
            return fill(f"{function}(a)", a=tree)
        if function == "torch.prod" and isinstance(axis, tuple):
            for place in sorted(axis, reverse=True):
                tree = fill(f"{function}(a, dim=k)", a=tree, k=place)
            return tree
        return fill(f"{function}(a, dim=k{', keepdim=True' if keep else ''})", a=tree, k=axis)

    def argument(self, node: Reduce) -> ast.expr:
        place = self.layout.rank_from_end(node.arg.axes, next(iter(node.over)))
        return fill(f"{node.op.spelling['torch']}(a, dim=k)", a=self.done[node.arg], k=place)

    def einsum(self, text: str, left: ast.expr, right: ast.expr) -> ast.expr:
        return fill("torch.einsum(s, a, b)", s=ast.Constant(text), a=left, b=right)

    def transpose(self, tree: ast.expr, order: tuple[int, ...]) -> ast.expr:
        return fill("torch.permute(a, k)", a=tree, k=order)

    def diagonal(self, tree: ast.expr, rank: int, first: int, second: int) -> ast.expr:
        return fill("torch.diagonal(a, dim1=i, dim2=j)", a=tree, i=first, j=second)

    def take(self, tree: ast.expr, index: ast.expr, axis: int) -> ast.expr:
        return fill("a[torch.clamp(i, 0, a.shape[0] - 1)]", a=tree, i=index)

    def take_last(self, tree: ast.expr, index: ast.expr) -> ast.expr:
        self.helpers.add("_take_along")
        return fill("_take_along(a, i[..., None], -1)", a=tree, i=index)


PRINTER = TorchPrinter
HELPERS = special.helpers(special.TORCH) | {
    "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range; all other dimensions broadcast."""
    axis = axis % a.ndim
    index = torch.clamp(index, 0, a.shape[axis] - 1).long()
    shape = list(torch.broadcast_shapes([n for k, n in enumerate(a.shape) if k != axis],
                                        [n for k, n in enumerate(index.shape) if k != axis]))
    a = a.expand(*shape[:axis], a.shape[axis], *shape[axis:])
    index = index.expand(*shape[:axis], 1, *shape[axis:])
    return torch.squeeze(torch.take_along_dim(a, index, dim=axis), axis)
''',
    "_unslice": '''
def _unslice(a, like, start, stop):
    """Zeros like `like`, but `a` from `start` to `stop` of the last axis."""
    first, last, _ = slice(start, stop).indices(like.shape[-1])
    return torch.nn.functional.pad(a, (first, like.shape[-1] - last))
''',
    "_along": '''
def _along(function, tensors, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    tensors = torch.broadcast_tensors(*tensors)
    shape = tensors[0].shape
    first = first % len(shape)
    joined = (*shape[:first], math.prod(shape[first : first + count]), *shape[first + count :])
    moved = [torch.movedim(a.reshape(joined), first, -1) for a in tensors]
    return torch.movedim(function(*moved), -1, first).reshape(shape)
''',
    "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""
    if reverse:
        return _along(lambda a: torch.flip(torch.cumsum(torch.flip(a, [-1]), dim=-1), [-1]), [a], first, count)
    return _along(lambda a: torch.cumsum(a, dim=-1), [a], first, count)
''',
    "_rank": '''
def _rank(a, first, count):
    """1 for the largest, 2 for the next; the first of several comes first."""
    order = lambda a: torch.argsort(torch.argsort(-a, dim=-1, stable=True), dim=-1, stable=True)
    return _along(lambda a: (order(a) + 1).to(a.dtype), [a], first, count)
''',
    "_sort": '''
def _sort(a, key, first, count):
    """`a` in ascending order of `key`."""
    order = lambda key: torch.argsort(key, dim=-1, stable=True)
    return _along(lambda a, key: torch.take_along_dim(a, order(key), dim=-1), [a, key], first, count)
''',
    "_unsort": '''
def _unsort(a, key, first, count):
    """`a`, which is in ascending order of `key`, back in the order of `key` itself."""
    order = lambda key: torch.argsort(torch.argsort(key, dim=-1, stable=True), dim=-1, stable=True)
    return _along(lambda a, key: torch.take_along_dim(a, order(key), dim=-1), [a, key], first, count)
''',
}

"""The torch target for a function that torch runs one operation after the other, and records none of.

An array that nobody needs any more is worked on in place: a large one costs more to make than to change. And since
nothing is traced, code may look at numbers: on a processor it leaves out what they show to be unnecessary.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import ClassVar

from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Call, Expr, Reduce
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES, OPS
from lossdsl.targets import torch_code
from lossdsl.targets.scatters import Scatter
from lossdsl.targets.template import assign, fill, name
from lossdsl.targets.torch_code import TorchPrinter

_IN_PLACE = {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}
_FUNCTIONS = frozenset(
    {"abs", "square", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "sigmoid", "clamp"}
)
"""Functions of one array, each of which torch has with a line after its name as well."""
_MAKES_AN_ARRAY = frozenset({"add", "sub", "mul", "div", "neg", "where", "max", "min"}) | _FUNCTIONS


class EagerPrinter(TorchPrinter):
    """Torch's code; `made` are the parts whose arrays are new, and used once, where the tree stands."""

    keeps_dimensions = False
    is_compiled = False
    spell: ClassVar[Mapping[str, str]] = {**TorchPrinter.spell, "take last": "_at(a, i)"}

    def _prepare(self) -> None:
        super()._prepare()
        self.made: set[Expr] = set()

    def _is_free(self, part: Expr, node: Expr) -> bool:
        """Whether the array of a part is new, needed here alone, and as large as that of the node."""
        is_inlined = part in self.made and self.uses[part] == 1 and not isinstance(self.done[part], ast.Name)
        return is_inlined and part.axes == node.axes

    def _call(self, node: Call) -> ast.expr:
        short = None if node in self.scatters else self._short(node)
        if short is not None:
            return short
        slope = _WITH_SLOPE.get(node.op.name)
        if slope is not None and self.uses[part := Call(OPS[slope], node.args)]:
            helper = f"_{node.op.name}_and_slope"
            self.helpers.add(helper)
            both = self._temporary("v")
            self.body.append(assign(both, fill(f"{helper}(a)", a=self.done[node.args[0]])))
            self.done[part] = fill("a[1]", a=name(both))
            return fill("a[0]", a=name(both))
        tree = super()._call(node)
        if node.kind is not Kind.REAL or self.is_plain(node) or isinstance(tree, ast.Name):
            return tree
        if node.op.name in _MAKES_AN_ARRAY:
            self.made.add(node)
        if isinstance(tree, ast.Call) and ast.unparse(tree.func) == "torch.where" and node.axes > {BATCH}:
            self.helpers.add("_choose")
            tree.func = name("_choose")
        return self._in_place(node, tree)

    def _short(self, node: Call) -> ast.expr | None:
        """What is one operation, or none, where nothing is recorded."""
        match node:
            case Call(op, (arg,)) if op.name == "stop" and not self.is_plain(arg):
                return self.done[arg]
            case Call(op, (above, below)) if op.name == "div" and self.is_plain(above) and self._is_count(below):
                self.plain.add(node)
                return fill("a / (n or math.nan)", a=self.done[above], n=self.done[below])
            case Call(op, (test, one, other)) if op.name == "where" and other is b.ZERO and not self.is_plain(test):
                if one is b.ONE:
                    return fill("a.to(dtype)", a=self.done[test])
                if test is b.call("lt", b.call("abs", one), b.const(math.inf)):
                    return fill("torch.nan_to_num(a, 0.0, 0.0, 0.0)", a=self.done[one])
        return None

    def _in_place(self, node: Call, tree: ast.expr) -> ast.expr:
        """The tree with a free argument changed instead of a new array made."""
        free = [self._is_free(arg, node) for arg in node.args]
        match tree:
            case ast.UnaryOp(ast.USub(), operand) if free[0]:
                return fill("a.neg_()", a=operand)
            case ast.BinOp(left, op, right) if len(free) == 2 and type(op) in _IN_PLACE:
                function = _IN_PLACE[type(op)]
                if free[0]:
                    return _method(left, function, [right])
                if free[1] and isinstance(op, ast.Add | ast.Mult):
                    return _method(right, function, [left])
            case ast.Call(ast.Attribute(ast.Name("torch"), function), [first], keywords) if function in _FUNCTIONS:
                bounded = [place for place, arg in enumerate(node.args) if not self.is_plain(arg)]
                if len(bounded) == 1 and free[bounded[0]]:
                    return _method(first, f"{function}_", [], keywords)
            case ast.Call(ast.Name("_choose"), args) if free[1]:
                args.append(ast.Constant(True))
        return tree

    def _reduce(self, node: Reduce) -> ast.expr:
        if node.op.name == "excess" and node not in self.blocks:
            total = Reduce(AGGREGATES["sum"], node.arg, node.over)
            if self.uses[total]:
                self.helpers.add("_excess")
                axes = self._reduced_dimensions(node)
                return fill("_excess(a, t, dim=k)", a=self.done[node.arg], t=self._early(total), k=axes)
        return super()._reduce(node)

    def _early(self, part: Call | Reduce) -> ast.expr:
        """A part that is needed before its turn."""
        if part not in self.done:
            self.done[part] = super()._reduce(part) if isinstance(part, Reduce) else super()._call(part)
            self._named(part)
        return self.done[part]

    def _tree(self, node: Expr) -> ast.expr:
        return self.done[node] if node in self.done else super()._tree(node)

    def _scatter(self, node: Call, found: Scatter) -> ast.expr:
        tree = super()._scatter(node, found)
        if found.row is not None and self._is_free(found.row, node) and isinstance(tree, ast.Call):
            tree.args.append(ast.Constant(True))
        return tree


def _method(tree: ast.expr, function: str, args: list[ast.expr], keywords: list[ast.keyword] | None = None) -> ast.expr:
    return ast.Call(ast.Attribute(tree, function, ast.Load()), args, keywords or [])


_WITH_SLOPE = {"log_cosh": "tanh"}
"""Functions that share most of their work with their slope."""

PRINTER = EagerPrinter
IMPORTS = torch_code.IMPORTS
HELPERS = {
    **torch_code.HELPERS,
    "_excess": '''
def _excess(a, total=None, **along):
    """sum(a) - 1 of terms whose largest is 1; where that is less than 1, the others are summed by themselves."""
    total = torch.sum(a, **along) if total is None else total
    if a.is_cpu and not (total < 2.0).any():
        return total - 1.0
    others = torch.sum(torch.frac(a), **along)
    return torch.where(
        total < 2.0, others + (torch.round(total - others) - 1.0), total - 1.0
    )
''',
    "_choose": '''
def _choose(condition, a, b, is_free=False):
    """torch.where by the bits of numbers: a branch that no processor can foresee costs ten times as much.

    Where the condition holds for each row, it is `a` itself, if that `is_free`.
    """
    if is_free and condition.is_cpu and condition.shape == (*a.shape[:-1], 1):
        if not isinstance(b, torch.Tensor) and condition.all():
            return a
    if condition.numel() < 2**14 or not condition.is_cpu:
        return torch.where(condition, a, b)
    like = a if isinstance(a, torch.Tensor) else b
    if not like.is_floating_point() or getattr(b, "dtype", like.dtype) != like.dtype:
        return torch.where(condition, a, b)
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[like.itemsize]
    mask = condition.to(bits).neg_()
    a = torch.as_tensor(a, dtype=like.dtype).view(bits)
    if not isinstance(b, torch.Tensor) and b == 0.0:
        return (a & mask).view(like.dtype)
    b = torch.as_tensor(b, dtype=like.dtype).view(bits)
    return (((a ^ b) & mask) ^ b).view(like.dtype)
''',
    "_norm": '''
def _norm(a, dim=None, keepdim=False):
    """sqrt(sum(a^2)); where a square overflows or vanishes, of multiples of `a` whose largest is 1."""
    total = torch.sum(torch.square(a), dim=dim, keepdim=keepdim)
    kind = torch.finfo(a.dtype)
    if a.is_cpu and ((total > kind.tiny / kind.eps) & (total < math.inf)).all():
        return total.sqrt_()
    if not a.numel():
        return total
    top = torch.amax(torch.abs(a), dim=() if dim is None else dim, keepdim=True)
    top = torch.where((top > 0.0) & (top < math.inf), top, 1.0)
    found = torch.sum(torch.square(a / top), dim=dim, keepdim=keepdim).sqrt_()
    return top.reshape(found.shape) * found
''',
    "_log_cosh_and_slope": '''
def _log_cosh_and_slope(a):
    """log(cosh(a)) and tanh(a), by g = exp(|a|) - 1: cosh(a) is 1 + g^2/(2 + 2*g). Beyond a bound it is a line."""
    size = torch.abs(a)
    near = torch.clamp(size, max=5.5 if a.dtype == torch.float16 else 20.0)
    size.sub_(near)
    g = near.expm1_()
    part = torch.square(g).div_((g + 1.0).mul_(2.0)).log1p_()
    slope = (g + 2.0).mul_(g)
    return part.add_(size), slope.div_(slope + 2.0).copysign_(a)
''',
    "_at": '''
def _at(a, index):
    """The element of each row at a position, held inside of it."""
    index = torch.clamp(index, 0, a.shape[-1] - 1).long()
    return torch.gather(a, -1, index[..., None])[..., 0]
''',
    "_put": '''
def _put(a, index, value, is_free=False):
    """`a` with another value at a position of the last axis, if it has such a position; itself, if it `is_free`."""
    if not a.shape[-1]:
        return a
    index = index.long()
    inside = torch.clamp(index, 0, a.shape[-1] - 1)
    if a.is_cpu and torch.equal(index, inside):
        value = value.expand_as(inside)
    else:
        value = torch.where(index == inside, value, torch.gather(a, -1, inside))
    return a.scatter_(-1, inside, value) if is_free else torch.scatter(a, -1, inside, value)
''',
}

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
from lossdsl.ir.expr import Call, Expr, Reduce
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES, OPS
from lossdsl.targets import torch_code
from lossdsl.targets.scatters import Scatter
from lossdsl.targets.template import fill, name
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
        known = _KNOWN.get(node.op.name)
        if known is not None and node.args[0] in self.done and self.uses[part := Call(OPS[known], node.args)]:
            helper = f"_{node.op.name}"
            self.helpers.add(helper)
            return fill(f"{helper}(a, b)", a=name(self._named(node.args[0])), b=self._early(part))
        tree = super()._call(node)
        if node.kind is not Kind.REAL or self.is_plain(node) or isinstance(tree, ast.Name):
            return tree
        if node.op.name in _MAKES_AN_ARRAY:
            self.made.add(node)
        return self._in_place(node, tree)

    def _short(self, node: Call) -> ast.expr | None:
        """What is one operation, or none, where nothing is recorded."""
        match node:
            case Call(op, (arg,)) if op.name == "stop" and not self.is_plain(arg):
                return self.done[arg]
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


_KNOWN = {"log_cosh": "tanh"}
"""Functions whose slope is half of their own work."""

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
    "_log_cosh": '''
def _log_cosh(a, slope=None):
    """log(cosh(a)), by tanh(a), which is its slope: near 0 by the square of that."""
    slope = torch.tanh(a) if slope is None else slope
    size = torch.abs(a)
    near = size < 0.625
    part = torch.where(near, torch.square(slope).neg_(), torch.abs(slope)).log1p_()
    size.sub_(part)
    return torch.where(near, part.mul_(-0.5), size)
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

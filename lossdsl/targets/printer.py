"""Expressions into Python: what all targets share.

Each class has one layer: what a target spells in its own way (`spelling`), parts that get names and trees that meet
(`statements`), elementwise operations, reductions, and in this module all that moves elements about.
"""

from __future__ import annotations

import ast
from fractions import Fraction

from lossdsl.ir.axes import Axes, Axis, is_along_last, ordered
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
    Length,
    Param,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
)
from lossdsl.targets.axis_reductions import Reductions
from lossdsl.targets.one_of_each import Placed
from lossdsl.targets.template import fill, literal, name


class Printer(Reductions):
    """Statements for the expressions of one function; see `Statements`."""

    def _steps(self, node: Expr) -> tuple[Unslice, Unslice] | None:
        """The parts of a difference of one array among zeros, moved along an axis, where a target has it as one."""
        match node:
            case Call(op, (Unslice() as one, Unslice() as other)) if op.name == "sub" and "steps" in self.spell:
                same = (one.arg, one.like, one.old, one.new) == (other.arg, other.like, other.old, other.new)
                return (one, other) if same else None
        return None

    def _step(self, one: Unslice, other: Unslice) -> ast.expr:
        like, at = self.shape_of(one.like, one.new)
        dims = self.layout.dims(one.arg.axes)
        parts = {"k": dims.index(one.old) - len(dims), "i": one.start, "j": other.start}
        tree = self.spelled("steps", a=self.done[one.arg], n=self.spelled("count", a=like, k=at), **parts)
        return self._rename(tree, one.arg, one.old, one.new)

    def _tree(self, node: Expr) -> ast.expr:
        steps = self._steps(node)
        if steps is not None:
            return self._step(*steps)
        match node:
            case Const(value):
                self.plain.add(node)
                return constant(value)
            case Flag(value):
                self.plain.add(node)
                return ast.Constant(value)
            case Input(key) | Param(key):
                if node.is_static and not self.traced:
                    self.plain.add(node)
                return name(self.leaves[key])
            case Call():
                return self._call(node)
            case Reduce():
                return self._added_rows(self.placed[node]) if node in self.placed else self._reduce(node)
            case Length(arg, over):
                return self.length(arg, over)
            case Position(axis):
                return self.arange(axis)
            case Rename(arg, old, new):
                return self._rename(self.done[arg], arg, old, new)
            case Gather():
                return self._gather(node)
            case Slice():
                return self._slice(node)
            case Unslice():
                return self._unslice(node)
            case Along():
                return self._along(node)
        raise AssertionError(f"no code for {type(node).__name__}")

    def _rename(self, tree: ast.expr, arg: Expr, old: Axis, new: Axis) -> ast.expr:
        """An array of the axes of `arg`, but that `old` is called `new`, in the order of arrays."""
        dims = self.layout.dims(arg.axes)
        if new in arg.axes:
            tree = self.diagonal(tree, len(dims), dims.index(old), dims.index(new))
            dims = (*(axis for axis in dims if axis not in (old, new)), new)
        else:
            dims = tuple(new if axis == old else axis for axis in dims)
        order = tuple(dims.index(axis) for axis in self.layout.dims(frozenset(dims)))
        return tree if order == tuple(range(len(order))) else self.transpose(tree, order)

    def _added_rows(self, found: Placed) -> ast.expr:
        """The sum of rows at the positions that they have along an axis."""
        dims = self.layout.dims(found.rows.axes)
        index = self.meet_fully(found.index, dims[:-1])
        home, at = self.measured(found.new)
        count = self.spelled("count", a=home, k=at)
        rows = self.done[found.rows]
        tree = self.spelled("add rows", a=rows, i=index, n=count, k=dims.index(found.old))
        return self._rename(tree, found.rows, found.old, found.new)

    def _slice(self, node: Slice) -> ast.expr:
        dims = self.layout.dims(node.arg.axes)
        part = slice(*node.bounds)
        before: list[object] = [...] if node.old.is_last else [slice(None)] * dims.index(node.old)
        index = [*before, part]
        return self._rename(self.subscript(self.done[node.arg], index), node.arg, node.old, node.new)

    def _unslice(self, node: Unslice) -> ast.expr:
        self.helpers.add("_unslice")
        dims = self.layout.dims(node.arg.axes)
        like, at = self.shape_of(node.like, node.new)
        count = self.spelled("count", a=like, k=at)
        place = dims.index(node.old) - len(dims)
        tree = fill("_unslice(a, k, n, i)", a=self.done[node.arg], k=place, n=count, i=node.start)
        return self._rename(tree, node.arg, node.old, node.new)

    def _gather(self, node: Gather) -> ast.expr:
        arg, axis, index = node.arg, node.axis, node.index
        dims = self.layout.dims(arg.axes)
        tree = self.done[arg]
        if isinstance(index, Const):
            place = int(index.value)
            if axis.is_last:
                return self.subscript(tree, [..., place])
            return self.subscript(tree, [*[slice(None)] * dims.index(axis), place])
        at = self._whole(index)
        if self.is_plain(index) or not index.axes:
            return self.spelled("pick", a=tree, i=at, k=self.layout.rank_from_end(arg.axes, axis))
        if arg.axes == {axis}:
            return self.take(tree, at, 0)
        rest = arg.axes - {axis}
        in_order = ordered(index.axes | rest) == (*ordered(index.axes), *ordered(rest))
        if not rest & index.axes and dims[0] == axis and in_order:
            return self.take(tree, at, 0)
        if axis.is_last and rest == index.axes:
            return self.take_last(tree, at)
        self.helpers.add("_take_along")
        everything = ordered(arg.axes | index.axes)
        return fill(
            "_take_along(a, i, k)",
            a=self.meet_fully(arg, everything),
            i=self.meet_fully(index, everything),
            k=everything.index(axis),
        )

    def meet_fully(self, node: Expr, dims: tuple[Axis, ...]) -> ast.expr:
        """The tree of `node` with a dimension for each of `dims`."""
        present = [axis in node.axes for axis in dims]
        tree = self.done[node]
        return tree if all(present) else self.subscript(tree, [slice(None) if there else None for there in present])

    def _along(self, node: Along) -> ast.expr:
        op, over = node.op.name, node.over
        trees = [self.meet(arg, node.axes) for arg in node.args]
        dims = self.layout.dims(node.axes)
        places = [place for place, axis in enumerate(dims) if axis in over]
        first, count = (-1, 1) if is_along_last(over) else (places[0], len(places))
        order: tuple[int, ...] = ()
        if not is_along_last(over) and places != list(range(first, first + count)):
            # The axes do not lie side by side: they step to the end for it, and back.
            order = (*(place for place in range(len(dims)) if place not in places), *places)
            trees = [self.transpose(self.meet_fully(arg, dims), order) for arg in node.args]
            first = len(dims) - count
        helper = f"_{op}"
        self.helpers.update((helper, "_along"))
        more: list[object] = [node.reverse] if node.op.runs else []
        call = fill(f"{helper}()")
        assert isinstance(call, ast.Call)
        call.args = [*trees, literal(first), literal(count), *map(literal, more)]
        return self.transpose(call, tuple(map(order.index, range(len(order))))) if order else call

    def finished(self, tree: ast.FunctionDef) -> ast.FunctionDef:
        """The whole function, after a last look."""
        return tree

    def length(self, arg: Expr, over: Axes) -> ast.expr:
        if self.layout.flexible and len(over) > 1:
            return self.spelled("size", a=self.done[arg])
        places = [self.shape_of(arg, axis) for axis in ordered(over)]
        parts = [self.spelled("length", a=tree, k=place) for tree, place in places]
        result = parts[0]
        for part in parts[1:]:
            result = fill("a * b", a=result, b=part)
        return result

    def arange(self, axis: Axis) -> ast.expr:
        if axis.size is not None:
            return self.spelled("range", n=axis.size)
        tree, place = self.measured(axis)
        if axis.cut:
            return self.spelled("shorter range", a=tree, k=place, n=axis.cut)
        return self.spelled("arange", a=tree, k=place)


def constant(value: Fraction | float) -> ast.expr:
    """A number as Python writes it."""
    if isinstance(value, float):
        return fill({float("inf"): "math.inf", float("-inf"): "-math.inf"}.get(value, "math.nan"))
    try:
        nearest = float(value)
    except OverflowError:
        return fill("math.inf" if value > 0 else "-math.inf")
    return fill(repr(nearest))

"""Expressions into Python: what all targets share.

A `Printer` turns expressions into statements and trees, one temporary for each part that is used more than once. What a
target spells differently is a column of the op table, or a text in its `spell`; a subclass has a method only where a
text is not enough. `lifts_all`: functions of several arguments take no plain numbers; `mixes_plain`: they take them
everywhere; `counts_plainly`: lengths are Python's whole numbers; `keeps_dimensions`: a reduction that only meets what
has its axis keeps one of length 1.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from lossdsl.errors import LossTypeError
from lossdsl.ir.axes import DOMAINS, LAST, NONE, Axes, Axis, is_along_last, last_of, ordered
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
    is_whole,
    walk,
)
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS
from lossdsl.targets import TARGETS, blocks, listed
from lossdsl.targets.identifiers import distinct, user
from lossdsl.targets.layout import Layout, is_flexible, kept
from lossdsl.targets.template import assign, defined, fill, literal, name, repeated

_INLINE = 8
"""How deeply trees nest before a part gets a name: for readers, and for Python's own parser."""


class Printer:
    """Statements for the expressions of one function.

    `leaves` gives the names of inputs and parameters, `names` what the author called the parts; a user's names are
    marked (see `names`). Where parameters are `traced`, they are arrays of the working dtype instead of plain numbers.
    Afterwards `body` holds the statements and `helpers` the names of the helper functions that they call.
    """

    target: ClassVar[str]
    spell: ClassVar[Mapping[str, str]]
    lifts_all: ClassVar[bool] = False
    counts_plainly: ClassVar[bool] = True
    mixes_plain: ClassVar[bool] = False
    keeps_dimensions: ClassVar[bool] = True

    def __init__(
        self,
        roots: tuple[Expr, ...],
        leaves: Mapping[str, str],
        names: Mapping[Expr, str] | None = None,
        traced: bool = False,
    ) -> None:
        self.roots = roots
        self.leaves = dict(leaves)
        self.names = dict(names or {})
        self.traced = traced
        self.taken = set(self.leaves.values())
        self.layout = Layout(is_flexible(roots))
        self.kept = kept(roots) if self.keeps_dimensions else set[Expr]()
        self.body: list[ast.stmt] = []
        self.helpers: set[str] = set()
        self.done: dict[Expr, ast.expr] = {}
        self.depth: dict[Expr, int] = {}
        self.plain: set[Expr] = set()
        self.sizes: dict[Axis, Input | Param] = {}
        self.counter = 0
        self.uses: dict[Expr, int] = {}
        self._count()
        found = {} if self.layout.flexible else blocks.blocks(roots)
        self.blocks = {node: block for node, block in found.items() if self._factors(node) is None}
        self.hidden = blocks.hidden(roots, self.blocks)

    def _count(self) -> None:
        for node in walk(*self.roots):
            for child in node.children:
                self.uses[child] = self.uses.get(child, 0) + 1
        for root in self.roots:
            self.uses[root] = self.uses.get(root, 0) + 1

    # --- printing

    def print(self) -> list[ast.expr]:
        """The trees of the roots; `body` then holds what stands before them."""
        for node in walk(*self.roots):
            if node in self.hidden:
                continue
            tree = self._tree(node)
            inner = max((self.depth.get(child, 0) for child in node.children), default=0)
            self.depth[node] = inner + 1 if node.children else 0
            if self._deserves_name(node, tree):
                target = self._name(node)
                self.body.append(assign(target, tree))
                tree = name(target)
                self.depth[node] = 0
            self.done[node] = tree
        return [self.done[root] for root in self.roots]

    def _deserves_name(self, node: Expr, tree: ast.expr) -> bool:
        if not node.children or isinstance(tree, ast.Name | ast.Constant):
            return False
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Name | ast.Constant):
            return False
        if isinstance(node, Rename) and not isinstance(tree, ast.Call):
            return False
        if node in self.roots and self.uses[node] == 1:
            return False
        return self.uses[node] > 1 or node in self.names or self.depth[node] > _INLINE

    def _name(self, node: Expr) -> str:
        if node not in self.names:
            return self._temporary("v")
        found = distinct(user(self.names[node]), self.taken)
        self.taken.add(found)
        return found

    def has(self, node: Expr) -> Axes:
        """The axes for which the printed array has a dimension."""
        return node.axes | {LAST} if node in self.kept else node.axes

    def meet(self, node: Expr, want: Axes) -> ast.expr:
        """The tree of `node`, with room for the axes of `want`."""
        tree = self.done[node]
        if node.is_static or not node.axes:
            return tree
        kept = {last_of(want) or LAST} if node in self.kept else NONE  # of length 1, it meets what a slice leaves, too
        index = self.layout.index(node.axes | kept, want)
        return tree if index is None else self.subscript(tree, index)

    def subscript(self, tree: ast.expr, index: list[object]) -> ast.expr:
        """`tree[…]` with `None`, `...`, slices and numbers."""
        items: list[ast.expr] = [
            ast.Slice(
                None if item.start is None else literal(item.start), None if item.stop is None else literal(item.stop)
            )
            if isinstance(item, slice)
            else ast.Constant(item)  # type: ignore[arg-type]
            for item in index
        ]
        return ast.Subscript(tree, items[0] if len(items) == 1 else ast.Tuple(items, ast.Load()), ast.Load())

    def is_plain(self, node: Expr) -> bool:
        """Whether the printed value is a plain Python number rather than an array."""
        return node in self.plain

    def _tree(self, node: Expr) -> ast.expr:
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
                return self._reduce(node)
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

    # --- elementwise

    def _call(self, node: Call) -> ast.expr:
        op, args = node.op, node.args
        if not op.spelling[self.target] and not ("python" in op.spelling and node.is_static):
            have = [target for target in TARGETS if op.spelling[target]] or ["no target"]
            hint = f"{listed(have)} {'have' if len(have) > 1 else 'has'} it"
            raise LossTypeError(f"the target {self.target} has no `{op.name}`", None, hint)
        if op.name == "pow":
            short = self._short_power(node)
            if short is not None:
                return short
        want = self.has(node)
        whole = any(arg.kind is Kind.INT for arg in args) and all(map(is_whole, args))
        trees = [self._whole(arg) if whole and isinstance(arg, Const) else self.meet(arg, want) for arg in args]
        if op.name == "where" and self.is_plain(args[0]):
            if all(self.is_plain(arg) for arg in args):
                self.plain.add(node)
            if self.is_plain(node) or all(self.has(arg) >= want for arg in args[1:]):
                return fill("(a if c else b)", c=trees[0], a=trees[1], b=trees[2])
            trees[0] = self.condition(trees[0])  # a piece that lacks axes is spread over those of the other
        counts = [self._is_count(arg) for arg in args]
        if any(counts) and all(self.is_plain(arg) or count for arg, count in zip(args, counts, strict=True)):
            # the dtype's own arithmetic: Python's raises where a length of 0 divides
            trees = [self.lift(tree) if count else tree for tree, count in zip(trees, counts, strict=True)]
        elif self.lifts_all and "(" in op.spelling.get(self.target, ""):
            trees = [self.lift(tree) if count else tree for tree, count in zip(trees, counts, strict=True)]
        if all(self.is_plain(arg) for arg in args):
            if "python" in op.spelling:
                self.plain.add(node)
                return self._spelled_once(op.spelling["python"], op.args, trees)
            trees = [self.lift(tree) for tree in trees]
        text = op.spelling[self.target]
        self._need(text)
        numbers = [i for i, arg in enumerate(args) if arg.kind is not Kind.BOOL]
        is_ours = text.startswith("_")  # helper functions choose and compare: they take arrays of one dtype
        if (is_ours or self.lifts_all) and "(" in text and len(numbers) > 1 and not self.mixes(node):
            for i in numbers:
                trees[i] = self.lift(trees[i]) if self.is_plain(args[i]) else trees[i]
        elif "(" in text and len(numbers) > 1 and self.is_plain(args[numbers[0]]):
            trees[numbers[0]] = self.lift(trees[numbers[0]], args[numbers[-1]])
        return self._spelled_once(text, op.args, trees)

    def _spelled_once(self, text: str, letters: str, trees: list[ast.expr]) -> ast.expr:
        """`text` with trees in place of letters; what stands there more than once is worked out once."""
        parts = dict(zip(letters, trees, strict=True))
        for letter in repeated(text):
            if letter in parts and not isinstance(parts[letter], ast.Name | ast.Constant):
                found = self._temporary("v")
                self.body.append(assign(found, parts[letter]))
                parts[letter] = name(found)
        return fill(text, **parts)

    def _is_count(self, node: Expr) -> bool:
        """Whether the printed value is a plain whole number that Python read off a shape."""
        return self.counts_plainly and isinstance(node, Length)

    def _whole(self, arg: Expr) -> ast.expr:
        return literal(int(arg.value)) if isinstance(arg, Const) else self.done[arg]

    def _short_power(self, node: Call) -> ast.expr | None:
        """Powers that have a better spelling than `**`."""
        base, exponent = node.args
        value = exponent.value if isinstance(exponent, Const) else None
        if self.is_plain(base):
            if isinstance(value, Fraction) and value.denominator == 1:
                self.plain.add(node)
                return fill("a ** k", a=self.done[base], k=int(value))
            return None
        short = {Fraction(2): "square", Fraction(1, 2): "sqrt"}.get(value) if isinstance(value, Fraction) else None
        tree = self.meet(base, self.has(node))
        if self._is_count(base):
            tree = self.lift(tree)
        if short is not None:
            return fill(OPS[short].spelling[self.target], a=tree)
        if value == -1:
            return fill("1.0 / a", a=tree)
        if value == 3:
            return self._spelled_once(f"a * {OPS['square'].spelling[self.target]}", "a", [tree])
        return None

    def _need(self, text: str) -> None:
        for part in text.replace("(", " ").replace(",", " ").split():
            if part.startswith("_"):
                self.helpers.add(part)

    # --- axes

    def _reduce(self, node: Reduce) -> ast.expr:
        factors = self._factors(node)
        if factors is not None:
            return self._contraction(node, *factors)
        if node in self.blocks:
            tree = self._in_blocks(self.blocks[node])
            return self.subscript(tree, [..., None]) if node in self.kept else tree
        dims = self.layout.dims(self.has(node.arg))
        tree = self.done[node.arg]
        self._need(node.op.spelling[self.target])
        if node.op.name in ("argmax", "argmin"):
            if not node.over <= node.arg.axes:  # simplified to one number: the first of equals
                self.plain.add(node)
                return literal(0)
            place = self.argument(node)
            return self.subscript(place, [..., None]) if node in self.kept else place
        if is_along_last(node.over):
            keep = node in self.kept
            return self.reduced(node.op.spelling[self.target], tree, -1, keep)
        if node.over >= node.arg.axes or (self.layout.flexible and node.over == node.arg.axes):
            return self.reduced(node.op.spelling[self.target], tree, None, False)
        places = tuple(place for place, axis in enumerate(dims) if axis in node.over)
        result = self.reduced(node.op.spelling[self.target], tree, places[0] if len(places) == 1 else places, False)
        return self.subscript(result, [..., None]) if node in self.kept else result

    def _factors(self, node: Expr) -> tuple[Expr, Expr] | None:
        """The factors of a sum of products that would be larger than its factors: a matrix product in disguise."""
        if not isinstance(node, Reduce) or node.op.name != "sum" or node in self.kept or self.layout.flexible:
            return None
        product = node.arg
        if self.uses[product] > 1:
            return None
        if not isinstance(product, Call) or product.op.name != "mul":
            return None
        left, right = product.args
        if product in self.names or not (left.axes < product.axes and right.axes < product.axes):
            return None
        return None if any(part in self.kept for part in product.args) else (left, right)

    def _contraction(self, node: Reduce, left: Expr, right: Expr) -> ast.expr:
        letters = {axis: chr(ord("a") + place) for place, axis in enumerate(ordered(node.arg.axes))}
        free = [min((letters[axis] for axis in part.axes & node.axes - other.axes), default="") for part, other in
                ((left, right), (right, left))]
        if free[0] > free[1]:  # the rows of the result come from the first factor: no transposition is left to do
            left, right = right, left
        shapes = ["".join(letters[axis] for axis in ordered(part.axes)) for part in (left, right, node)]
        text = f"{shapes[0]},{shapes[1]}->{shapes[2]}"
        return self.einsum(text, self.done[left], self.done[right])

    def _in_blocks(self, block: blocks.Block) -> ast.expr:
        """A reduction worked out a block of one axis at a time, by a function of its own."""
        self.helpers.add("_in_blocks")
        leaves = dict(self.leaves)
        given = {leaf: self._named(part) for leaf, part in block.whole.items()}
        for leaf, part in block.cut.items():
            found = self._named(part)
            if found in given.values():  # one array that is cut in two ways, or once not at all
                self.body.append(assign(other := self._temporary("v"), name(found)))
                found = other
            given[leaf] = found
        leaves.update({leaf.name: found for leaf, found in given.items()})
        inner = type(self)((block.root,), leaves, traced=self.traced)
        inner.blocks, inner.hidden, inner.counter = {}, set(), self.counter
        (tree,) = inner.print()
        self.helpers |= inner.helpers
        self.counter = inner.counter
        function = self._temporary("block")
        cut = [leaves[leaf.name] for leaf in block.cut]
        self.body.append(defined(function, cut, [*inner.body, ast.Return(tree)]))
        joined = literal(self.layout.dims(block.root.axes).index(block.axis)) if not block.combined else literal(None)
        combined: ast.expr = literal(None)
        if block.combined:
            text = OPS[block.combined].spelling[self.target]
            self._need(text)
            combined = fill(f"lambda a, b: {text}")
        call = fill("_in_blocks(f, c, k, n)", f=name(function), c=combined, k=joined, n=self._lengths(block))
        assert isinstance(call, ast.Call)
        places = [self.layout.dims(part.axes).index(block.axis) for part in block.cut.values()]
        call.args += [
            ast.Tuple([name(array), literal(place)], ast.Load()) for array, place in zip(cut, places, strict=True)
        ]
        return call

    def _lengths(self, block: blocks.Block) -> ast.expr:
        """The lengths of all axes of what is reduced in blocks."""
        parts = {**block.cut, **block.whole}.values()
        homes = [next((part, axis) for part in parts if axis in part.axes) for axis in ordered(block.root.arg.axes)]
        counts = [self.spelled("count", a=tree, k=place) for tree, place in (self.shape_of(*home) for home in homes)]
        return ast.Tuple(counts, ast.Load())

    def _named(self, node: Expr) -> str:
        """A Python name for what was printed, with the axes of the expression alone."""
        tree = self.done[node]
        if isinstance(tree, ast.Name) and node not in self.kept:
            return tree.id
        found = self._temporary("v")
        tree = self.lift(tree) if self._is_count(node) else tree
        if node in self.kept:
            tree = self.subscript(tree, [..., 0])
        else:
            self.done[node] = name(found)
        self.body.append(assign(found, tree))
        return found

    def _temporary(self, word: str) -> str:
        self.counter += 1
        return f"{word}{self.counter}"

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
        if is_along_last(over):
            first, count = -1, 1
        else:
            places = [place for place, axis in enumerate(dims) if axis in over]
            first, count = places[0], len(places)
        helper = f"_{op}"
        self.helpers.update((helper, "_along"))
        more: list[object] = [node.reverse] if op == "cumsum" else []
        call = fill(f"{helper}()")
        assert isinstance(call, ast.Call)
        call.args = [*trees, literal(first), literal(count), *map(literal, more)]
        return call

    # --- sizes

    def shape_of(self, node: Expr, axis: Axis) -> tuple[ast.expr, int]:
        """An array that has the axis, and the number of the dimension."""
        if self.layout.flexible:
            return self.done[node], -1
        return self.done[node], self.layout.dims(self.has(node)).index(axis)

    def measured(self, axis: Axis) -> tuple[ast.expr, int]:
        """A leaf on which to measure an axis for counting positions."""
        home = DOMAINS[axis.domain]
        leaf = self.sizes[home]
        if self.layout.flexible:
            return name(self.leaves[leaf.name]), -1
        return name(self.leaves[leaf.name]), self.layout.dims(leaf.axes).index(home)

    def finished(self, tree: ast.FunctionDef) -> ast.FunctionDef:
        """The whole function, after a last look."""
        return tree

    # --- what a target spells in its own way

    def spelled(self, key: str, **parts: ast.expr | int | str | tuple[int, ...] | None) -> ast.expr:
        """A structural operation: its text in `spell`, with trees in place of letters."""
        text = self.spell[key]
        self._need(text)
        return fill(text, **parts)

    def lift(self, tree: ast.expr, like: Expr | None = None) -> ast.expr:
        """A plain number as an array of the working dtype (where one with `like` may not stand as it is)."""
        return tree if self.mixes_plain and like is not None else self.spelled("lift", a=tree)

    def mixes(self, node: Call) -> bool:
        """Whether an operation takes plain numbers beside its tensors, although the target's operations do not."""
        return False

    def condition(self, tree: ast.expr) -> ast.expr:
        """A plain truth value as the target's own choice takes it."""
        return tree

    def split(self, tree: ast.expr, count: int) -> ast.expr:
        """The components of a packed input."""
        return self.spelled("split", a=tree, n=count)

    def joined(self, parts: list[ast.expr]) -> ast.expr:
        """The inverse of `split`."""
        return self.spelled("joined", parts=ast.List(parts, ast.Load()))

    def dtype_of(self, tree: ast.expr) -> ast.expr:
        return self.spelled("dtype", a=tree)

    def shape(self, tree: ast.expr) -> ast.expr:
        return self.spelled("shape", a=tree)

    def reshape(self, tree: ast.expr, shape: ast.expr) -> ast.expr:
        return self.spelled("reshape", a=tree, s=shape)

    def flat(self, tree: ast.expr, has_last: bool) -> ast.expr:
        """An input with all of space as one dimension."""
        return self.spelled("flat with last" if has_last else "flat", a=tree)

    def filled(self, tree: ast.expr, shape: ast.expr, is_plain: bool) -> ast.expr:
        """`tree` broadcast to a shape."""
        return self.spelled("filled with number" if is_plain else "filled", a=tree, s=shape)

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

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if axis != -1 and function.rpartition(".")[2] in ("mean", "reduce_mean"):  # a batch may be empty
            self.helpers.add("_mean")
            return fill("_mean(a, k)", a=tree, k=axis)
        if axis is None:
            return fill("F(a)", F=fill(function), a=tree)
        return self.spelled("reduced, kept" if keep else "reduced", F=fill(function), a=tree, k=axis)

    def argument(self, node: Reduce) -> ast.expr:
        """The position of the largest or smallest along one axis."""
        place = self.layout.rank_from_end(node.arg.axes, next(iter(node.over)))
        key = "position in last" if place == -1 else "position"
        return self.spelled(key, F=fill(node.op.spelling[self.target]), a=self.done[node.arg], k=place)

    def einsum(self, text: str, left: ast.expr, right: ast.expr) -> ast.expr:
        if text in self.spell:
            return self.spelled(text, a=left, b=right)
        return self.spelled("einsum", s=ast.Constant(text), a=left, b=right)

    def transpose(self, tree: ast.expr, order: tuple[int, ...]) -> ast.expr:
        return self.spelled("transpose", a=tree, k=order)

    def diagonal(self, tree: ast.expr, rank: int, first: int, second: int) -> ast.expr:
        """The diagonal of two dimensions, which becomes the last one."""
        return self.spelled("diagonal", a=tree, i=first, j=second)

    def take(self, tree: ast.expr, index: ast.expr, axis: int) -> ast.expr:
        """The parts at positions of one axis."""
        return self.spelled("take", a=tree, i=index, k=axis)

    def take_last(self, tree: ast.expr, index: ast.expr) -> ast.expr:
        """One element of the last axis for each place of the others."""
        return self.spelled("take last", a=tree, i=index)


def constant(value: Fraction | float) -> ast.expr:
    """A number as Python writes it."""
    if isinstance(value, float):
        return fill({float("inf"): "math.inf", float("-inf"): "-math.inf"}.get(value, "math.nan"))
    try:
        nearest = float(value)
    except OverflowError:
        return fill("math.inf" if value > 0 else "-math.inf")
    return fill(repr(nearest))



"""Reductions as trees: over some axes, as a matrix product, or a block of an axis at a time."""

from __future__ import annotations

import ast

from lossdsl.ir.axes import is_along_last, last_of, ordered
from lossdsl.ir.expr import Call, Const, Expr, Reduce
from lossdsl.ir.ops import OPS
from lossdsl.targets import blocks, one_of_each, pair_products
from lossdsl.targets.elementwise import Elementwise
from lossdsl.targets.scatters import unused
from lossdsl.targets.template import assign, defined, fill, literal, name


class Reductions(Elementwise):
    """The trees of `Reduce`s. Those in `blocks` are worked out a part at a time; what only they use is `hidden`."""

    def _prepare(self) -> None:
        super()._prepare()
        found = {} if self.layout.flexible else blocks.blocks(self.roots)
        self.placed = {} if self.layout.flexible or "add rows" not in self.spell else one_of_each.placed(self.roots)
        self.blocks = {
            node: block for node, block in found.items() if node not in self.placed and self._factors(node) is None
        }
        self.hidden |= blocks.hidden(self.roots, self.blocks) | one_of_each.unused(self.roots, self.placed)
        self.arrays: frozenset[Expr] = frozenset()
        """Sums and means of what is to be one array."""
        self.near: dict[tuple[Expr, Expr], str] = {}
        """The names of what is known of pairs, by their parts."""

    def _reduce(self, node: Reduce) -> ast.expr:
        factors = self._factors(node)
        if factors is not None:
            return self._with_last(node, self._contraction(node, *factors))
        if node in self.blocks:
            return self._with_last(node, self._of_pairs(node, self._in_blocks(self.blocks[node])))
        function = node.op.spelling[self.target]
        self._need(function)
        if node.op.name not in ("argmax", "argmin"):
            tree = self.done[node.arg]
            if node in self.arrays:
                self.helpers.add("_array")
                tree = fill("_array(a)", a=tree)
            return self.reduced(function, tree, self._reduced_dimensions(node), node in self.kept)
        if node.over <= node.arg.axes:
            return self._with_last(node, self.argument(node))
        self.plain.add(node)  # simplified to one number: the first of equals
        return literal(0)

    def _with_last(self, node: Reduce, tree: ast.expr) -> ast.expr:
        """The tree with a last dimension of length 1, where that is kept."""
        return self.subscript(tree, [..., None]) if node in self.kept else tree

    def _reduced_dimensions(self, node: Reduce) -> int | tuple[int, ...] | None:
        """The numbers of the dimensions that go; None for all."""
        if is_along_last(node.over):
            return -1
        if node.over >= node.arg.axes:
            return None
        dims = self.layout.dims(self.has(node.arg))
        places = tuple(place for place, axis in enumerate(dims) if axis in node.over)
        return places[0] if len(places) == 1 else places

    def argument(self, node: Reduce) -> ast.expr:
        """The position of the largest or smallest along one axis."""
        place = self.layout.rank_from_end(node.arg.axes, next(iter(node.over)))
        key = "position in last" if place == -1 else "position"
        return self.spelled(key, F=fill(node.op.spelling[self.target]), a=self.done[node.arg], k=place)

    def _factors(self, node: Expr) -> tuple[Expr, Expr] | None:
        """The factors of a sum of products that would be larger than its factors: a matrix product in disguise."""
        if not isinstance(node, Reduce) or node.op.name != "sum" or self.layout.flexible:
            return None
        product = node.arg
        if self.uses[product] > 1:
            return None
        if not isinstance(product, Call) or product.op.name != "mul":
            return None
        left, right = product.args
        if product in self.names or not (left.axes < product.axes and right.axes < product.axes):
            return None
        return left, right

    def _contraction(self, node: Reduce, left: Expr, right: Expr) -> ast.expr:
        letters = {axis: chr(ord("a") + place) for place, axis in enumerate(ordered(node.arg.axes))}
        free = [
            min((letters[axis] for axis in part.axes & node.axes - other.axes), default="")
            for part, other in ((left, right), (right, left))
        ]
        if free[0] > free[1]:  # the rows of the result come from the first factor: no transposition is left to do
            left, right = right, left
        shapes = ["".join(letters[axis] for axis in ordered(part.axes)) for part in (left, right, node)]
        text = f"{shapes[0]},{shapes[1]}->{shapes[2]}"
        parts = [self.subscript(self.done[p], [..., 0]) if p in self.kept else self.done[p] for p in (left, right)]
        return self.einsum(text, *parts)

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
        inner.blocks, inner.hidden, inner.counter = {}, unused((block.root,), inner.scatters), self.counter
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

    def _of_pairs(self, node: Reduce, exact: ast.expr) -> ast.expr:
        """Distances of pairs, and sums of their differences, by matrix products; `exact` is without those."""
        apart, pull = pair_products.distances(node), pair_products.pull(node)
        found = apart or pull
        if found is None or "near" not in self.spell:
            return exact
        letters = pair_products.letters(found.first, found.second)
        function = self._temporary("apart")
        self.body.append(defined(function, [], [ast.Return(exact)]))
        lazy = name(function)
        if apart is not None:
            self.helpers.add("_apart")
            return fill("_apart(n, r, e)", n=self._near(found, letters), r=apart.is_root, e=lazy)
        assert pull is not None
        self.helpers.add("_pulled")
        is_second = node.over <= found.second.axes
        known = self._near(found, letters)
        return fill("_pulled(n, w, f, e)", n=known, w=self._weight(node, pull.weight), f=is_second, e=lazy)

    def _weight(self, node: Reduce, weight: Expr) -> ast.expr:
        """What multiplies differences of pairs, with a dimension for each of the pair's axes."""
        pair = node.arg.axes - {last_of(node.arg.axes)}
        if isinstance(weight, Const) and weight not in self.done:  # the 1 of a plain sum is no part of the formula
            return literal(float(weight.value))
        if weight.is_static or not weight.axes:
            return self.done[weight]
        index = self.layout.index(weight.axes, pair)
        tree = name(self._named(weight))
        return tree if index is None else self.subscript(tree, index)

    def _near(self, found: pair_products.Distances | pair_products.Pull, letters: pair_products.Letters) -> ast.expr:
        """What is known of pairs beforehand, once in a function."""
        key = found.first, found.second
        if key not in self.near:
            parts = {"a": name(self._named(found.first)), "b": name(self._named(found.second))}
            tree = self.spelled("near", t=ast.Constant(letters.text), s=literal(letters.same), **parts)
            self.near[key] = self._temporary("near")
            self.body.append(assign(self.near[key], tree))
        return name(self.near[key])

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
        tree = self._lifted_count(node, tree)
        if node in self.kept:
            tree = self.subscript(tree, [..., 0])
        else:
            self.done[node] = name(found)
        self.body.append(assign(found, tree))
        return found

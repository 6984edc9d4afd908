"""Expressions into statements: one temporary for each part that is used more than once, and trees that meet."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping

from lossdsl.ir.axes import LAST, NONE, Axes, Axis, last_of
from lossdsl.ir.expr import Expr, Input, Param, Rename, walk
from lossdsl.targets.identifiers import distinct, user
from lossdsl.targets.layout import Layout, is_flexible, kept
from lossdsl.targets.spelling import Spelling
from lossdsl.targets.template import assign, literal, name

_INLINE = 8
"""How deeply trees nest before a part gets a name: for readers, and for Python's own parser."""


class Statements(Spelling):
    """The statements of one function; what the tree of a single node is, a subclass says.

    `leaves` gives the names of inputs and parameters, `names` what the author called the parts; a user's names are
    marked (see `identifiers`). Where parameters are `traced`, they are arrays of the working dtype instead of plain
    numbers. Afterwards `body` holds the statements.
    """

    def __init__(
        self,
        roots: tuple[Expr, ...],
        leaves: Mapping[str, str],
        names: Mapping[Expr, str] | None = None,
        traced: bool = False,
    ) -> None:
        super().__init__()
        self.roots = roots
        self.leaves = dict(leaves)
        self.names = dict(names or {})
        self.traced = traced
        self.taken = set(self.leaves.values())
        self.layout = Layout(is_flexible(roots))
        self.kept = kept(roots) if self.keeps_dimensions else set[Expr]()
        self.body: list[ast.stmt] = []
        self.done: dict[Expr, ast.expr] = {}
        self.depth: dict[Expr, int] = {}
        self.plain: set[Expr] = set()
        self.sizes: dict[Axis, Input | Param] = {}
        self.counter = 0
        self.uses = Counter((*roots, *(child for node in walk(*roots) for child in node.children)))
        self.hidden: set[Expr] = set()
        """What is not printed: it is worked out elsewhere, or nobody needs it."""
        self._prepare()

    def _prepare(self) -> None:
        """What a subclass wants to know beforehand."""

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

    def _tree(self, node: Expr) -> ast.expr:
        raise NotImplementedError

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

    def shape_of(self, node: Expr, axis: Axis) -> tuple[ast.expr, int]:
        """An array that has the axis, and the number of the dimension."""
        return self.done[node], -1 if self.layout.flexible else self.layout.dims(self.has(node)).index(axis)

    def measured(self, axis: Axis) -> tuple[ast.expr, int]:
        """A leaf on which to measure an axis for counting positions."""
        home = axis.home
        leaf = self.sizes[home]
        return name(self.leaves[leaf.name]), -1 if self.layout.flexible else self.layout.dims(leaf.axes).index(home)

    def _temporary(self, word: str) -> str:
        self.counter += 1
        return f"{word}{self.counter}"

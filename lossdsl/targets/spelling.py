"""What a target spells in its own way, over syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import ClassVar

from lossdsl.ir.expr import Call, Expr
from lossdsl.targets.template import fill, literal


class Spelling:
    """The operations of a target that are no rows of the op table, each a text in `spell` with letters for its parts.

    A target's subclass has a method only where a text is not enough. `lifts_all`: functions of several arguments take
    no plain numbers; `mixes_plain`: they take them everywhere; `counts_plainly`: lengths are Python's whole numbers;
    `keeps_dimensions`: a reduction that only meets what has its axis keeps one of length 1; `fuses`: its compiler may
    leave a product unrounded that is subtracted from; `differentiates`: it takes gradients itself. `helpers` has the
    names of the helper functions that were called.
    """

    target: ClassVar[str]
    spell: ClassVar[Mapping[str, str]]
    lifts_all: ClassVar[bool] = False
    counts_plainly: ClassVar[bool] = True
    mixes_plain: ClassVar[bool] = False
    keeps_dimensions: ClassVar[bool] = True
    fuses: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True

    def __init__(self) -> None:
        self.helpers: set[str] = set()

    def _need(self, text: str) -> None:
        """Notes the helper functions that a text calls."""
        for part in text.replace("(", " ").replace(",", " ").split():
            if part.startswith("_"):
                self.helpers.add(part)

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

    def parted(self, tree: ast.expr, ends: list[str], ones: list[bool]) -> ast.expr:
        """The components of a packed input that differ in length, those of one element without a last axis.

        `ends` tells where they start, given the length of the whole as `n`.
        """
        length = fill("s[-1]", s=self.shape(tree))
        stops = [*(fill(end, n=length) for end in ends[1:]), None]
        parts: list[ast.expr] = []
        for place, (end, is_one) in enumerate(zip(ends, ones, strict=True)):
            start = fill(end, n=length) if place else None
            part = start or literal(0) if is_one else ast.Slice(start, stops[place])
            parts.append(ast.Subscript(tree, ast.Tuple([ast.Constant(...), part], ast.Load()), ast.Load()))
        return ast.Tuple(parts, ast.Load())

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

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if axis != -1 and function.rpartition(".")[2] in ("mean", "reduce_mean"):  # a batch may be empty
            self.helpers.add("_mean")
            return fill("_mean(a, k)", a=tree, k=axis)
        if axis is None:
            return fill("F(a)", F=fill(function), a=tree)
        return self.spelled("reduced, kept" if keep else "reduced", F=fill(function), a=tree, k=axis)

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

"""Elementwise operations as trees: operands that meet, plain numbers among tensors, powers, choices by a label."""

from __future__ import annotations

import ast
from fractions import Fraction

from lossdsl.errors import LossTypeError
from lossdsl.ir.axes import LAST
from lossdsl.ir.expr import Call, Const, Expr, Length, is_whole
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS
from lossdsl.ir.traversal import unknown
from lossdsl.targets import TARGETS, listed
from lossdsl.targets.scatters import Scatter, scatters, unused
from lossdsl.targets.statements import Statements
from lossdsl.targets.template import assign, fill, literal, name, repeated

_COUNTS = {"mul": "a * b", "max": "max(a, b)"}
"""What makes a count of counts, in Python's own whole numbers."""


class Elementwise(Statements):
    """The trees of `Call`s, each spelled as the op table has it for the target; `scatters` are not compared."""

    def _prepare(self) -> None:
        super()._prepare()
        self.counts: dict[Expr, bool] = {}
        self.scatters = scatters(self.roots) if "put" in self.spell else {}
        self.hidden |= unused(self.roots, self.scatters)

    def _call(self, node: Call) -> ast.expr:
        self._check_spelled(node)
        if node in self.scatters:
            return self._scatter(node, self.scatters[node])
        if self._is_count(node):
            left, right = map(self._whole, node.args)
            return fill(_COUNTS[node.op.name], a=left, b=right)
        if node.op.name == "pow" and (short := self._short_power(node)) is not None:
            return short
        op, args, trees = node.op, node.args, self._operands(node)
        if op.name == "where" and self.is_plain(args[0]):
            if (choice := self._settled_choice(node, *trees)) is not None:
                return choice
            trees[0] = self.condition(trees[0])  # a piece that lacks axes is spread over those of the other
        text = op.spelling[self.target]
        is_plain = all(self.is_plain(arg) or self._is_count(arg) for arg in args)
        if is_plain or (self.lifts_all and "(" in text):
            # the dtype's own arithmetic: Python's raises where a length of 0 divides
            trees = [*map(self._lifted_count, args, trees)]
        if not all(map(self.is_plain, args)):
            trees = self._lifted_among_tensors(node, trees)
        elif "python" in op.spelling:
            self.plain.add(node)
            return self._spelled_once(op.spelling["python"], op.args, trees)
        else:
            trees = [self.lift(tree) for tree in trees]
        self._need(text)
        return self._spelled_once(text, op.args, trees)

    def returned(self, root: Expr, tree: ast.expr) -> ast.expr:
        """The value of a loss as its function gives it: an array, where it was a number."""
        return self.lift(tree) if self.is_plain(root) or self._is_count(root) else tree

    def _scatter(self, node: Call, found: Scatter) -> ast.expr:
        """A row with one element in its place, or zeros with it."""
        want = self.has(node)
        value = self.meet(found.value, want)
        value = self.lift(value) if self.is_plain(found.value) or self._is_count(found.value) else value
        index = self.meet(found.index, want)
        if found.row is not None:
            return self.spelled("put", a=self.done[found.row], i=index, b=value)
        like, place = self.measured(LAST)
        return self.spelled("put among zeros", n=self.spelled("length", a=like, k=place), i=index, b=value)

    def _check_spelled(self, node: Call) -> None:
        op = node.op
        if not op.spelling[self.target] and not ("python" in op.spelling and node.is_static):
            have = [target for target in TARGETS if op.spelling[target]] or ["no target"]
            hint = f"{listed(have)} {'have' if len(have) > 1 else 'has'} it"
            raise LossTypeError(f"the target {self.target} has no `{op.name}`", None, hint)

    def _operands(self, node: Call) -> list[ast.expr]:
        """The trees of the arguments, which meet; constants among whole numbers are whole."""
        is_among_whole = any(arg.kind is Kind.INT for arg in node.args) and all(map(is_whole, node.args))
        want = self.has(node)
        return [
            self._whole(arg) if is_among_whole and isinstance(arg, Const) else self.meet(arg, want) for arg in node.args
        ]

    def _settled_choice(self, node: Call, condition: ast.expr, one: ast.expr, other: ast.expr) -> ast.expr | None:
        """Python's own choice by a plain condition, where either piece has all axes of the whole."""
        if all(map(self.is_plain, node.args)):
            self.plain.add(node)
        if self.is_plain(node) or all(self.has(arg) >= self.has(node) for arg in node.args[1:]):
            return fill("(a if c else b)", c=condition, a=one, b=other)
        return None

    def _lifted_among_tensors(self, node: Call, trees: list[ast.expr]) -> list[ast.expr]:
        """The operands, where the function of the target takes no plain numbers, or none in the first place."""
        text, args = node.op.spelling[self.target], node.args
        numbers = [place for place, arg in enumerate(args) if arg.kind is not Kind.BOOL]
        if "(" not in text or len(numbers) < 2:
            return trees
        trees = list(trees)
        is_ours = text.startswith("_")  # helper functions choose and compare: they take arrays of one dtype
        if (is_ours or self.lifts_all) and not self.mixes(node):
            for place in filter(lambda place: self.is_plain(args[place]), numbers):
                trees[place] = self.lift(trees[place])
        elif self.is_plain(args[numbers[0]]):
            all_plain = all(self.is_plain(args[i]) for i in numbers)  # of which an array would be made in any dtype
            trees[numbers[0]] = self.lift(trees[numbers[0]], None if all_plain else args[numbers[-1]])
        return trees

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
        if not self.counts_plainly:
            return False
        for part in unknown(node, self.counts):
            self.counts[part] = isinstance(part, Length) or self._is_of_counts(part)
        return self.counts[node]

    def _is_of_counts(self, node: Expr) -> bool:
        if not (isinstance(node, Call) and node.op.name in _COUNTS and len(node.args) == 2):
            return False
        others = [arg for arg in node.args if not self.counts[arg]]
        return len(others) < 2 and all(isinstance(arg, Const) and is_whole(arg) for arg in others)

    def _lifted_count(self, node: Expr, tree: ast.expr) -> ast.expr:
        return self.lift(tree) if self._is_count(node) else tree

    def _whole(self, arg: Expr) -> ast.expr:
        """A whole number: a constant without its point."""
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
        square, root = (OPS[name].spelling[self.target] for name in ("square", "sqrt"))
        texts = {2: square, Fraction(1, 2): root, -1: "1.0 / a", 3: f"a * {square}"}
        if not isinstance(value, Fraction) or value not in texts:
            return None
        return self._spelled_once(texts[value], "a", [self._lifted_count(base, self.meet(base, self.has(node)))])

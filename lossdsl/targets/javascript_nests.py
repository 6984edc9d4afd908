"""Loops in loops: what the JavaScript target knows of positions, lengths and names.

Each loop goes along one axis. An expression is at home in the outermost loop that knows its position along all of its
axes: there it is worked out once, whatever loops stand inside.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from lossdsl.ir.axes import Axes, Axis, ordered
from lossdsl.ir.expr import Expr, Input, Param, Position, Rename, Slice, Unslice, walk
from lossdsl.targets.javascript_syntax import expression
from lossdsl.targets.template import fill, literal, name

_LENGTHS = {"batch": "batch", "space": "places", "rows": "rows", "last": "last"}
_LETTERS = {"batch": "i", "space": "s", "rows": "r", "last": "k"}
"""What lengths and positions along an axis are called; along a place that has a name, `places` and `s` as well."""


@dataclass
class Frame:
    """The inside of a loop, or of the function: its lines, and what has been worked out in it."""

    parent: Frame | None = None
    lines: list[str] = field(default_factory=list)
    done: dict[tuple[object, ...], ast.expr] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    def assign(self, word: str, target: str, tree: ast.expr) -> None:
        self.lines.append(f"{'  ' * (self.depth + 1)}{word}{target} = {expression(tree)};")


@dataclass(frozen=True)
class Place:
    """A position along an axis, and the loop in which it is known."""

    tree: ast.expr
    frame: Frame


Places = Mapping[Axis, Place]


@dataclass(frozen=True)
class Leaf:
    """An argument of the function: the array of its numbers, their lengths along its axes, the component at hand.

    Where components differ in length, `row` is that of all of them together, and `start` where this one begins.
    """

    data: str
    axes: tuple[Axis, ...]
    component: int = 0
    components: int = 1
    row: str = ""
    start: str = ""


class Nests:
    """The lines of one function. `leaves` has arrays, `numbers` the names of plain parameters.

    `length` gives the length of an axis of a leaf; `names` is what the author called the parts; `taken` are names
    that cannot be used. `ignored` axes have length 1 (those of places, where they come with the batch).
    """

    def __init__(
        self,
        roots: Iterable[Expr],
        leaves: Mapping[str, Leaf],
        numbers: Mapping[str, str],
        length: Callable[[str, Axis], ast.expr],
        measures: Mapping[Axis, Input | Param],
        names: Mapping[Expr, str],
        taken: Iterable[str],
        ignored: Axes,
    ) -> None:
        roots = tuple(roots)
        self.leaves, self.numbers, self.measured, self.measures = leaves, numbers, length, measures
        self.lengths: dict[str, str] = {}
        self.names, self.taken, self.ignored = names, {*taken}, ignored
        self.top, self.counter = Frame(), 0
        self.helpers: set[str] = set()
        self.stored: dict[Expr, str] = {}
        self.uses = Counter((*roots, *(child for node in walk(*roots) for child in node.children)))

    # --- loops and names

    def dims(self, axes: Axes) -> tuple[Axis, ...]:
        return tuple(axis for axis in ordered(axes) if axis not in self.ignored)

    def fresh(self, word: str) -> str:
        """A name that nothing has."""
        found, number = word, 1
        while found in self.taken:
            number += 1
            found = f"{word}{number}"
        self.taken.add(found)
        return found

    def temporary(self) -> str:
        """A name for a part that has none."""
        self.counter += 1
        return self.fresh(f"v{self.counter}")

    def opened(self, frame: Frame, node: Expr, axes: Axes) -> tuple[list[tuple[str, ast.expr]], dict[Axis, Place]]:
        """Loops over axes of an expression: their variables and lengths, and the positions inside of them."""
        heads, places, inner = list[tuple[str, ast.expr]](), dict[Axis, Place](), frame
        for axis in self.dims(axes):
            word = axis.name if axis.is_index and axis.name.isidentifier() else _LETTERS.get(axis.domain, "s")
            variable = self.fresh(word)
            heads.append((variable, self.length(node, axis)))
            inner = Frame(inner)
            places[axis] = Place(name(variable), inner)
        return heads, places

    def closed(self, frame: Frame, inner: Frame, heads: list[tuple[str, ast.expr]]) -> None:
        """Puts loops into the frame where they stand."""
        for variable, length in reversed(heads):
            outer, pad = inner.parent, "  " * inner.depth
            assert outer is not None
            head = f"{pad}for (let {variable} = 0; {variable} < {expression(length)}; {variable}++) {{"
            outer.lines += [head, *inner.lines, f"{pad}}}"]
            self.taken.discard(variable)
            inner = outer
        assert inner is frame

    # --- lengths

    def length(self, node: Expr, axis: Axis) -> ast.expr:
        """How many positions an expression has along one of its axes."""
        if axis in self.ignored:
            return literal(1)
        if axis.size is not None:
            return literal(axis.size)
        match node:
            case Input(key) | Param(key):
                return self.leaf_length(key, axis)
            case Position():
                home = next(one for one in self.measures if one.domain == axis.domain)
                whole = self.leaf_length(self.measures[home].name, home)
                return fill("Math.max(0, n - c)", n=whole, c=axis.cut) if axis.cut else whole
            case Rename(arg, old, new) if axis == new:
                return self.length(arg, old)
            case Slice(arg, old, new, _) if axis == new:
                less = new.cut - old.cut
                whole = self.length(arg, old)
                return fill("Math.max(0, n - c)", n=whole, c=less) if less else whole
            case Unslice(_, like, _, new, _) if axis == new:
                return self.length(like, new)
        return self.length(next(child for child in node.children if axis in child.axes), axis)

    def leaf_length(self, leaf: str, axis: Axis) -> ast.expr:
        """The length of an axis of an argument: a constant at the head of the function."""
        text = expression(self.measured(leaf, axis))
        if text not in self.lengths:
            self.lengths[text] = self.fresh(_LENGTHS.get(axis.domain, "places"))
        return name(self.lengths[text])

    def head(self) -> list[str]:
        """The lines of these constants."""
        return [f"  const {found} = {text};" for text, found in self.lengths.items()]

    def size(self, node: Expr, axes: Axes) -> ast.expr:
        """How many positions there are along several axes together."""
        parts = [self.length(node, axis) for axis in self.dims(axes)] or [literal(1)]
        found = parts[0]
        for part in parts[1:]:
            found = fill("a * b", a=found, b=part)
        return found

    # --- positions

    def element(self, data: str, node: Expr, axes: tuple[Axis, ...], places: Places) -> ast.expr:
        """The element of an array at the position at hand."""
        return fill("a[i]", a=fill(data), i=self.index(node, axes, places))

    def index(self, node: Expr, axes: tuple[Axis, ...], places: Places) -> ast.expr:
        """The number of the position at hand among those along several axes."""
        index: ast.expr | None = None
        for axis in axes:
            at = places[axis].tree
            index = at if index is None else fill("i * n + k", i=index, n=self.length(node, axis), k=at)
        return index or literal(0)

    def position(self, node: Expr, axes: Axes, places: Places) -> tuple[object, ...]:
        """A key for an expression at the position at hand."""
        return (node, *(expression(places[axis].tree) for axis in self.dims(axes)))

    def home(self, node: Expr, places: Places) -> Frame:
        """The outermost loop in which all positions of an expression are known."""
        frames = [places[axis].frame for axis in self.dims(node.axes)]
        return max(frames, key=lambda frame: frame.depth, default=self.top)

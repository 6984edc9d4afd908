"""Expressions as loops over flat arrays of numbers, for the JavaScript target.

An expression has one number at each position of its axes. What is asked for at a position is worked out in the loop
where it is at home, and kept there in a constant if it is used again; a reduction is a loop of its own. What would be
worked out again in loops that have nothing to do with it, and what is read at other positions than the one at hand, is
worked out for all positions first, into an array.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lossdsl.errors import LossTypeError
from lossdsl.ir.axes import Axes, Axis, last_of
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
from lossdsl.targets.javascript_nests import Frame, Leaf, Nests, Place, Places
from lossdsl.targets.javascript_syntax import expression
from lossdsl.targets.printer import constant
from lossdsl.targets.template import fill, literal, name, repeated

_WIDTH = 72
"""How long an expression gets before a part has a name."""


_POWERS = {2.0: "a * a", 3.0: "a * a * a", 0.5: "Math.sqrt(a)", -1.0: "1.0 / a"}


@dataclass(frozen=True)
class Fold:
    """How a reduction goes: what `s` is at first, what with an element `a`, and the value made of `s` and `n`."""

    first: str
    step: str
    last: str = "s"


FOLDS: Mapping[str, Fold] = {
    "sum": Fold("0.0", "s + a"),
    "mean": Fold("0.0", "s + a", "(s / n if n > 0 else 0.0)"),
    "prod": Fold("1.0", "s * a"),
    "max": Fold("-Infinity", "Math.max(s, a)"),
    "min": Fold("Infinity", "Math.min(s, a)"),
    "any": Fold("False", "s or a"),
    "all": Fold("True", "s and a"),
    "norm": Fold("0.0", "Math.hypot(s, a)"),
}


class Loops(Nests):
    """The lines of one function; see `Nests`."""

    # --- what stands at a position

    def at(self, node: Expr, places: Places, frame: Frame) -> ast.expr:
        """The value of an expression at a position, as it can be used in a frame."""
        match node:
            case Const(value):
                return constant(value)
            case Flag(value):
                return ast.Constant(value)
            case Input(key) | Param(key):
                return (
                    name(self.numbers[key])
                    if key in self.numbers
                    else self.leaf_element(self.leaves[key], node, places)
                )
            case Position(axis):
                return places[axis].tree
            case Length(arg, over):
                return self.size(arg, over)
            case Rename(arg, old, new):
                return self.at(self._read(arg), {**places, old: places[new]}, frame)
            case Slice():
                return self._slice(node, places, frame)
            case Unslice():
                return self._unslice(node, places, frame)
            case Gather():
                return self._gather(node, places, frame)
        if node in self.stored:
            return self.element(self.stored[node], node, self.dims(node.axes), places)
        home = self.home(node, places)
        here = self.position(node, node.axes, places)
        if here not in home.done:
            made = self._made(node, places, home)
            if node in self.stored or (
                isinstance(node, Call) and home is frame and not self._deserves_name(node, made)
            ):
                return made
            home.done[here] = self._named(node, made, home)
        return home.done[here]

    def _made(self, node: Expr, places: Places, home: Frame) -> ast.expr:
        match node:
            case Call():
                return self._call(node, places, home)
            case Reduce() if home.depth <= len(self.dims(node.axes)):
                return self._reduce(node, places, home)
        self.store(node)
        return self.element(self.stored[node], node, self.dims(node.axes), places)

    def _deserves_name(self, node: Expr, tree: ast.expr) -> bool:
        if isinstance(tree, ast.Name | ast.Constant):
            return False
        return self.uses[node] > 1 or node in self.names or len(expression(tree)) > _WIDTH

    def _named(self, node: Expr, tree: ast.expr, frame: Frame) -> ast.expr:
        if isinstance(tree, ast.Name | ast.Constant):
            return tree
        found = self.fresh(self.names[node]) if node in self.names else self.temporary()
        frame.assign("const ", found, tree)
        return name(found)

    def leaf_element(self, leaf: Leaf, node: Expr, places: Places) -> ast.expr:
        """The element of an argument at the position at hand; components have a block of the last axis each."""
        if leaf.components == 1:
            return self.element(leaf.data, node, self.dims(node.axes), places)
        if leaf.row:
            return fill("a[i]", a=fill(leaf.data), i=self._in_row(leaf, node, places))
        *outer, last = self.dims(node.axes)
        block: ast.expr = literal(leaf.component)
        if outer:
            index = self.index(node, tuple(outer), places)
            block = fill("i * c + j", i=index, c=leaf.components, j=leaf.component)
        block = fill("b * n + k", b=block, n=self.length(node, last), k=places[last].tree)
        return fill("a[i]", a=fill(leaf.data), i=block)

    def _in_row(self, leaf: Leaf, node: Expr, places: Places) -> ast.expr:
        """Where the element is that a component has at the position at hand, in rows of components of any lengths."""
        outer = tuple(axis for axis in self.dims(node.axes) if not axis.is_last)
        at = fill("i * r + s", i=self.index(node, outer, places), r=fill(leaf.row), s=fill(leaf.start))
        last = last_of(node.axes)
        return at if last is None else fill("a + k", a=at, k=places[last].tree)

    def _call(self, node: Call, places: Places, home: Frame) -> ast.expr:
        text = node.op.spelling.get("javascript")
        if not text:
            raise LossTypeError(f"the target javascript has no `{node.op.name}`", None, "another target has it")
        if node.op.name == "pow" and isinstance(node.args[1], Const):
            text = _POWERS.get(float(node.args[1].value), text)
        trees = [self.at(arg, places, home) for arg in node.args]
        parts = dict(zip(node.op.args, trees, strict=True))
        for letter in repeated(text):
            if letter in parts and not isinstance(parts[letter], ast.Name | ast.Constant):
                found = self.temporary()
                home.assign("const ", found, parts[letter])
                parts[letter] = name(found)
        self._need(text)
        return fill(text, **parts)

    def _need(self, text: str) -> None:
        for part in text.replace("(", " ").split():
            if part.startswith("_"):
                self.helpers.add(part)

    def _reduce(self, node: Reduce, places: Places, home: Frame) -> ast.expr:
        if node.op.name in ("argmax", "argmin"):
            return self._position(node, places, home)
        if node.op.name == "excess":
            return self._excess(node, places, home)
        fold = FOLDS[node.op.name]
        count = self.size(node.arg, node.over)
        total = self._folded(node, places, home, {"total": (fold.first, fold.step)})[0]
        return fill(fold.last, s=name(total), n=count)

    def _folded(self, node: Reduce, places: Places, home: Frame, folds: Mapping[str, tuple[str, str]]) -> list[str]:
        """Variables in which the elements are gathered, in a loop of its own."""
        found = [self.fresh(word) for word in folds]
        for variable, (first, _) in zip(found, folds.values(), strict=True):
            home.assign("let ", variable, fill(first))
        heads, more = self.opened(home, node.arg, node.over)
        inner = [place.frame for place in more.values()][-1] if more else home
        element = self.at(node.arg, {**places, **more}, inner)
        for variable, (_, step) in zip(found, folds.values(), strict=True):
            inner.assign("", variable, fill(step, s=name(variable), a=element))
        self.closed(home, inner, heads)
        return found

    def _excess(self, node: Reduce, places: Places, home: Frame) -> ast.expr:
        """The sum of terms less 1, their largest; the others by themselves where they come to less than 1."""
        self.helpers.add("_excess")
        folds = {"total": ("0.0", "s + a"), "others": ("0.0", "s + a - Math.floor(a)")}
        total, others = self._folded(node, places, home, folds)
        return fill("_excess(a, b)", a=name(total), b=name(others))

    def _position(self, node: Reduce, places: Places, home: Frame) -> ast.expr:
        """The position of the largest or smallest along one axis; the first of several."""
        if not node.over <= node.arg.axes:
            return literal(0)
        sign, first = (">", "-Infinity") if node.op.name == "argmax" else ("<", "Infinity")
        best, place = self.fresh("best"), self.fresh("place")
        home.assign("let ", best, fill(first))
        home.assign("let ", place, literal(0))
        heads, more = self.opened(home, node.arg, node.over)
        (at,) = more.values()
        element = self._named(node.arg, self.at(node.arg, {**places, **more}, at.frame), at.frame)
        pad = "  " * (at.frame.depth + 1)
        test = f"{expression(element)} {sign} {best}"
        at.frame.lines += [
            f"{pad}if ({test}) {{",
            f"{pad}  [{best}, {place}] = [{expression(element)}, {expression(at.tree)}];",
            f"{pad}}}",
        ]
        self.closed(home, at.frame, heads)
        return name(place)

    # --- other positions

    def _read(self, arg: Expr) -> Expr:
        """What is read at other positions than the one at hand: it is worked out for all of them first."""
        if isinstance(arg, Reduce | Along):
            self.store(arg)
        return arg

    def _slice(self, node: Slice, places: Places, frame: Frame) -> ast.expr:
        at, first = places[node.new], self._first(node.arg, node.old, node.start)
        tree = fill("i + k", i=at.tree, k=first) if node.start else at.tree
        return self.at(self._read(node.arg), {**places, node.old: Place(tree, at.frame)}, frame)

    def _first(self, node: Expr, axis: Axis, start: int) -> ast.expr:
        """Where a slice starts; a negative start counts from the end."""
        return literal(start) if start >= 0 else fill("n - k", n=self.length(node, axis), k=-start)

    def _unslice(self, node: Unslice, places: Places, frame: Frame) -> ast.expr:
        at = places[node.new]
        first = self._first(node.like, node.new, node.start)
        place = fill("i - k", i=at.tree, k=first) if node.start else at.tree
        if node.arg.children:
            self.store(node.arg)
        count = self.length(node.arg, node.old)
        inside = self.at(node.arg, {**places, node.old: Place(place, at.frame)}, frame)
        return fill("(a if p >= 0 and p < n else 0.0)", a=inside, p=place, n=count)

    def _gather(self, node: Gather, places: Places, frame: Frame) -> ast.expr:
        axis, index = node.axis, node.index
        home = self.home(index, places)
        count = self.length(node.arg, axis)
        if isinstance(index, Const):
            place = self._first(node.arg, axis, int(index.value))
        else:
            self.helpers.add("_held")
            key = ("held", axis, node.arg, *self.position(index, index.axes, places))
            if key not in home.done:
                tree = fill("_held(i, n)", i=self.at(index, places, home), n=count)
                found = self.fresh("c")
                home.assign("const ", found, tree)
                home.done[key] = name(found)
            place = home.done[key]
        return self.at(self._read(node.arg), {**places, axis: Place(place, home)}, frame)

    # --- arrays

    def store(self, node: Expr) -> None:
        """Works an expression out at all positions, into an array."""
        if node in self.stored or not self.dims(node.axes):
            return
        found = self.fresh(self.names[node]) if node in self.names else self.temporary()
        if isinstance(node, Along):
            self._along(node, found)
        else:
            self._filled(found, node, node)
        self.stored[node] = found

    def _filled(self, found: str, node: Expr, like: Expr) -> None:
        dims = self.dims(like.axes)
        self.allocate(found, self.size(like, like.axes))
        self.fill(like, like.axes, [(node, lambda places: self.element(found, like, dims, places))])

    def allocate(self, found: str, size: ast.expr) -> None:
        """An array of zeros."""
        self.top.lines.append(f"  const {found} = new Float64Array({expression(size)});")

    def fill(self, like: Expr, axes: Axes, stores: Sequence[tuple[Expr, Callable[[Places], ast.expr]]]) -> None:
        """Puts the value of each expression where its function says, at each position of axes that `like` has."""
        heads, places = self.opened(self.top, like, axes)
        inner = [place.frame for place in places.values()][-1] if places else self.top
        for node, target in stores:
            is_here = isinstance(node, Reduce) and node not in self.stored
            tree = self._made(node, places, inner) if is_here else self.at(node, places, inner)
            inner.assign("", expression(target(places)), tree)
        self.closed(self.top, inner, heads)

    def _along(self, node: Along, found: str) -> None:
        """A function along axes that lie side by side: it gets lines of so many elements, so far apart."""
        given = []
        for arg in node.args:
            part = self.temporary()
            self._filled(part, arg, node)
            given.append(name(part))
        dims = self.dims(node.axes)
        inner = frozenset(dims[max(place for place, axis in enumerate(dims) if axis in node.over) + 1 :])
        self.helpers |= {f"_{node.op.name}", "_lines"}
        more = [literal(node.reverse)] if node.op.runs else []
        tree = fill(f"_{node.op.name}()")
        assert isinstance(tree, ast.Call)
        tree.args = [*given, self.size(node, node.over), self.size(node, inner), *more]
        self.top.assign("const ", found, tree)

"""The JavaScript target: an ES module over nested arrays of numbers, for browsers and Node.

It differs from the others in that there is no library of arrays: values and gradients are loops over numbers in double
precision. So it has an emitter of its own.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from lossdsl.ir.axes import BATCH, LAST, NONE, ROWS, SPACE, Axes, Axis, names, ordered
from lossdsl.ir.expr import Expr, Input, Param
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Argument, Loss
from lossdsl.ir.text import definitions
from lossdsl.targets import documentation, packing
from lossdsl.targets.arguments import Arguments
from lossdsl.targets.emission import Emission
from lossdsl.targets.identifiers import Renaming, user
from lossdsl.targets.javascript_helpers import HELPERS
from lossdsl.targets.javascript_loops import Loops
from lossdsl.targets.javascript_nests import Leaf, Places
from lossdsl.targets.javascript_syntax import RESERVED, block, expression
from lossdsl.targets.layout import is_flexible
from lossdsl.targets.template import fill, literal, name


class PRINTER:
    """What becomes of the arguments of a loss; the rest is loops."""

    spell: ClassVar[Mapping[str, str]] = {
        "real": "_real(a)",
        "like": "_real(a)",
        "label": "_whole(a)",
        "matrix": "_real(a)",
        "vector": "_vector(_real(a), x)",
    }


def emitted(given: Emission) -> str:
    """The text of a module: the loss, and its gradient in each real input."""
    made = _Module(given.loss, (given.value, *(expr for _, exprs in given.gradients for expr in exprs)), given)
    return made.text()


def gradient_alone(
    loss: Loss, spec: InputSpec, exprs: tuple[Expr, ...], defaults: Mapping[str, object], is_elementwise: bool
) -> str:
    """The text of a module with one function, the gradient in an input."""
    given = Emission(loss, loss.result, [(spec, exprs)], (), (), defaults)
    return _Module(loss, exprs, given).gradient_text(spec, is_elementwise)


@dataclass(frozen=True)
class _Function:
    text: str
    helpers: frozenset[str]


class _Module:
    """The parts of a module, in the order in which they are read."""

    def __init__(self, loss: Loss, roots: Iterable[Expr], given: Emission) -> None:
        self.loss, self.given = loss, given
        self.open = [one for one in loss.parameters if one.name not in loss.settled]
        every: list[Argument] = [*loss.inputs, *self.open]
        self.safe = _safe_names([loss.name, *(one.identifier for one in every)])
        self.arguments = Arguments(
            loss, "javascript", Renaming({user(old): new for old, new in self.safe.items()}, {}, {}), given.meetings
        )
        self.every = ", ".join(self.arguments.every)
        self.ignored: Axes = frozenset({SPACE}) if all(is_flexible((root,)) for root in roots) else NONE
        self.is_single = not self.ignored and self.arguments.batched() != []

    # --- texts

    def text(self) -> str:
        function = self.safe[self.loss.name]
        value = self._value("_value")
        slopes = {spec: self._slope(f"_slope_{spec.identifier}", spec, exprs) for spec, exprs in self.given.gradients}
        public = [self._public(function), *(self._gradient(function, spec) for spec in slopes)]
        own = [*public, self._prepared(), value.text, *(slope.text for slope in slopes.values())]
        found = {*value.helpers, *(helper for slope in slopes.values() for helper in slope.helpers)}
        return _joined([_comment(documentation.lines(self.loss)), *own], found)

    def gradient_text(self, spec: InputSpec, is_elementwise: bool) -> str:
        ((_, exprs),) = self.given.gradients
        slope = self._slope("_slope", spec, exprs)
        loss = self.loss
        value = loss.value if is_elementwise else loss.result
        doc = [documentation.gradient_title(loss, spec, is_elementwise), "", *definitions(value, loss.names), ""]
        function = documentation.gradient_name(self.safe[loss.name], loss, spec)
        public = self._defined(function, [*doc, *documentation.shapes(loss)], self._gradient_body("_slope", spec))
        return _joined([public, self._prepared(), slope.text], slope.helpers)

    # --- functions for users

    def _public(self, function: str) -> str:
        loss = self.loss
        axes = names(loss.result.axes)
        doc = [
            documentation.title(loss),
            "",
            *definitions(loss.result, loss.names),
            "",
            *documentation.shapes(loss),
            "",
        ]
        doc.append(f"Returns one value for each of: {axes}." if loss.result.axes else "Returns one number.")
        if not self.is_single:
            return self._defined(function, doc, [f"  return _value(..._arguments({self.every}));"])
        single = self.arguments.own("single")
        first = f"{single} ? found[0] : " if BATCH in loss.result.axes else ""
        body = [f"  const [{single}, ...given] = _arguments({self.every});"]
        body += ["  const found = _value(...given);", f"  return {first}found;"]
        return self._defined(function, doc, body)

    def _gradient(self, function: str, spec: Argument) -> str:
        assert isinstance(spec, InputSpec)
        doc = [f"The derivative of the sum of all values of `{function}` in {spec.name}."]
        name_of_it = documentation.gradient_name(function, self.loss, spec)
        return self._defined(name_of_it, doc, self._gradient_body(f"_slope_{spec.identifier}", spec))

    def _gradient_body(self, slope: str, spec: InputSpec) -> list[str]:
        given = f"_arguments({self.every})" + (".slice(1)" if self.is_single else "")
        return [f"  return _nested({slope}(...{given}), _real({self.arguments.of(spec)}).shape);"]

    def _defined(self, function: str, doc: Sequence[str], body: Sequence[str]) -> str:
        defaults = {self.arguments.of(one): self.given.defaults.get(one.name) for one in self.open}
        given = [
            one if defaults.get(one) is None else f"{one} = {expression(literal(defaults[one]))}"
            for one in self.arguments.every
        ]
        return "\n".join([_comment(doc), f"export function {function}({', '.join(given)}) {{", *body, "}"])

    def _prepared(self) -> str:
        """The function that prepares the arguments: their shapes, and what is required of parameters."""
        found = self.arguments
        lines = self._required()
        python = "\n".join([*found.conversions(), *found.alignment()])
        lines += block(ast.parse(textwrap.dedent(python)).body, 2, {*found.every})
        last = self.every
        if self.is_single:
            single = found.own("single")
            test, *led = found.batched()
            lines.append(f"  const {single} = {expression(ast.parse(test, mode='eval').body)};")
            lines.append(f"  if ({single}) {{")
            lines += [*block(ast.parse(textwrap.dedent("\n".join(led))).body, 4, {*found.every}), "  }"]
            last = f"{single}, {last}"
        head = f"function _arguments({self.every}) {{"
        title = "// The arguments as the loss wants them: numbers in order, in shapes that agree."
        return "\n".join([head, f"  {title}", *lines, f"  return [{last}];", "}"])

    def _required(self) -> list[str]:
        lines = []
        for text, condition in self.given.requirements:
            if condition.is_static:
                loops = self._loops((condition,))
                tree = loops.at(condition, {}, loops.top)
                message = literal(f"{self.loss.name} requires {' '.join(text.split())}")
                lines += loops.top.lines
                refused = ast.If(ast.UnaryOp(ast.Not(), tree), [ast.Raise(fill("ValueError(m)", m=message))], [])
                lines += block([refused], 2, set())
        return lines

    # --- functions of flat arrays

    def _loops(self, roots: Iterable[Expr]) -> Loops:
        leaves, numbers = dict[str, Leaf](), dict[str, str]()
        for spec in self.loss.inputs:
            argument = self.arguments.of(spec)
            for place, node in enumerate(spec.nodes):
                leaf = Leaf(f"{argument}.data", tuple(node.axes), place, len(spec.nodes))
                if spec.fixed:
                    row = f"{argument}.shape[-1]"
                    leaf = replace(leaf, row=row, start=packing.start(spec, place, row))
                leaves[node.name] = leaf
        for one in self.open:
            if one.over:
                leaves[one.name] = Leaf(f"{self.arguments.of(one)}.data", tuple(one.over))
            else:
                numbers[one.name] = self.arguments.of(one)
        taken = {*RESERVED, *self.safe.values(), *HELPERS, "shape"}
        return Loops(roots, leaves, numbers, self._length, self.loss.measures, self.loss.names, taken, self.ignored)

    def _length(self, leaf: str, axis: Axis) -> ast.expr:
        leaf = self._measured(leaf, axis)
        every: list[Argument] = [*self.loss.inputs, *self.open]
        one = next(one for one in every if any(node.name == leaf for node in one.nodes))
        shape = f"{self.arguments.of(one)}.shape"
        has_last = LAST in one.over
        if axis == LAST:
            return fill(packing.block(one, f"{shape}[-1]"))
        if axis == ROWS:
            return fill(f"{shape}[{-1 - has_last}]")
        if axis.place:
            return fill(f"{shape}[{ordered(one.over).index(axis) - len(one.over)}]")
        is_all = self.ignored and SPACE in one.over
        if axis == BATCH and not is_all:
            return fill(f"{shape}[0]")
        if axis == BATCH:
            return fill(f"_size({shape}[:-1])" if has_last else f"_size({shape})")
        return fill(f"_size({shape}[1:-1])" if has_last else f"_size({shape}[1:])")

    def _measured(self, leaf: str, axis: Axis) -> str:
        """The argument on which a length is measured, of those that are as long along an axis."""
        together = next((group for group in self.given.meetings if (leaf, axis) in group), frozenset())
        measure = self.loss.measures.get(axis)
        return measure.name if measure is not None and (measure.name, axis) in together else leaf

    def _value(self, function: str) -> _Function:
        root, axes = self.given.value, self.loss.result.axes
        loops = self._loops((root,))
        if not loops.dims(axes) and not axes:
            return self._finished(function, loops, loops.at(root, {}, loops.top))
        out, prediction = loops.fresh("values"), self.loss.prediction.nodes[0]
        like: Expr = prediction if axes <= prediction.axes else root
        loops.allocate(out, loops.size(like, axes))
        loops.fill(like, axes, [(root, lambda places: loops.element(out, like, loops.dims(axes), places))])
        shape = fill(self.arguments.value_shape(f"{self.arguments.prediction}.shape"))
        return self._finished(function, loops, fill("_nested(a, s)", a=name(out), s=shape))

    def _slope(self, function: str, spec: Argument, exprs: tuple[Expr, ...]) -> _Function:
        loops = self._loops(exprs)
        nodes: Sequence[Input | Param] = spec.nodes
        out = loops.fresh("slope")
        loops.allocate(out, fill(f"{self.arguments.of(spec)}.data.length"))
        stores: dict[Axes, list[tuple[Expr, Callable[[Places], ast.expr]]]] = {}
        for node, expr in zip(nodes, exprs, strict=True):
            store = partial(loops.leaf_element, replace(loops.leaves[node.name], data=out), node)
            stores.setdefault(node.axes, []).append((expr, store))
        for axes, some in stores.items():
            loops.fill(next(node for node in nodes if node.axes == axes), axes, some)
        return self._finished(function, loops, name(out))

    def _finished(self, function: str, loops: Loops, result: ast.expr) -> _Function:
        end = f"  return {expression(result)};"
        lines = [f"function {function}({self.every}) {{", *loops.head(), *loops.top.lines, end, "}"]
        return _Function("\n".join(lines), frozenset(loops.helpers))


def _safe_names(every: Sequence[str]) -> dict[str, str]:
    """What a user's names become where JavaScript or a helper function has them already."""
    found: dict[str, str] = {}
    for one in every:
        safe = one
        while safe in RESERVED or safe in HELPERS or safe in found.values() or safe in _OWN:
            safe += "_"
        found[one] = safe
    return found


_OWN = ("_value", "_arguments", "_slope", "shape", "found", "given")
"""What functions and their variables are called here."""


def _comment(lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return f"/** {_escaped(lines[0])} */"
    return "\n".join(["/**", *(f" * {_escaped(line)}".rstrip() for line in lines), " */"])


def _escaped(line: str) -> str:
    text = line.replace("*/", "* /").replace("\t", "    ")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _joined(own: Sequence[str], needed: Iterable[str]) -> str:
    """A module of texts and the helpers that they call."""
    texts, waiting = list(own), sorted({*needed, *_called("\n".join(own))})
    helpers = list[str]()
    while waiting:
        helper = waiting.pop(0)
        if helper not in helpers:
            helpers.append(helper)
            waiting += _called(HELPERS[helper])
    return "\n\n".join([*texts, *(HELPERS[helper] for helper in helpers)]) + "\n"


def _called(text: str) -> list[str]:
    return sorted({word for word in re.findall(r"_\w+", text) if word in HELPERS})

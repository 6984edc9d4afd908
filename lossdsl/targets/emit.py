"""One self-contained module for a loss: code that runs without lossdsl and that a person may keep."""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import textwrap
from collections.abc import Container, Mapping, Sequence
from typing import Any

from lossdsl.ir.axes import BATCH, names
from lossdsl.ir.expr import Expr
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Argument, Loss
from lossdsl.ir.text import definitions
from lossdsl.source import normal_name
from lossdsl.targets import code, documentation, layout, source_layout, target_module
from lossdsl.targets.arguments import Arguments
from lossdsl.targets.emission import Emission
from lossdsl.targets.expression_layout import expression
from lossdsl.targets.identifiers import user
from lossdsl.targets.printer import constant

_PRIVATE = ("_value", "_arguments", "_carried", "_VJPS")


def emitted(given: Emission, target: str) -> str:
    """The text of a module: the loss and its gradients, and for torch and keras a class that keeps its parameters.

    Where the target differentiates, what it finds is our gradient.
    """
    return _Module(given, target).text()


def callable_tree(given: Emission, target: str) -> ast.Module:
    """The module as a tree to be run in place: its function `loss` takes all arguments, and nothing is documented.

    So no text of a user's is in it, not even as a comment.
    """
    return _Module(given, target).tree()


def gradient_alone(
    loss: Loss,
    spec: InputSpec,
    exprs: tuple[Expr, ...],
    target: str,
    defaults: Mapping[str, object],
    is_elementwise: bool,
) -> str:
    """The text of a module with one function, the gradient in an input, in guarded expressions."""
    function = code.gradient_function(
        loss, [(spec, exprs)], target, user(documentation.gradient_name(loss.name, loss, spec))
    )
    _unpack_single(function.tree)
    settled = code.settle([function], target, _marked(loss))
    arguments = Arguments(loss, target, settled, ())
    value = loss.value if is_elementwise else loss.result
    lines = [
        documentation.gradient_title(loss, spec, is_elementwise),
        "",
        *definitions(value, loss.names),
        "",
        *documentation.shapes(loss),
    ]
    used = {node.id for node in ast.walk(function.tree) if isinstance(node, ast.Name)}
    first = [line for line in arguments.settings() if line.split()[0] in used]
    imports, helpers = code.surroundings([function], target, settled, [textwrap.dedent("\n".join(first))])
    head = source_layout.signature(
        f"def {function.tree.name}", _signature(arguments.every, _defaults(loss, arguments, defaults)), ":"
    )
    text = "\n".join([*head, *_docstring(lines, 4), *first, *source_layout.body(function.tree)])
    return _joined(["\n".join(_sorted(imports)), text, *helpers])


class _Module:
    """The parts of a module, in the order in which they are read."""

    def __init__(self, given: Emission, target: str) -> None:
        self.given, self.target, self.loss = given, target, given.loss
        self.home = target_module(target)
        self.traced = traced = given.seed is not None
        word = "vjp" if traced else "slope"
        self.slopes = {spec: f"_{word}_{spec.identifier}" for spec, _ in given.gradients}
        every = [slope for spec, exprs in given.gradients if spec is self.loss.prediction for slope in exprs]
        arrays = code.summed_arrays(target, given.value, every) if traced else frozenset()
        functions = [code.value_function(self.loss, given.value, target, "_value", traced, arrays)]
        for spec, exprs in given.gradients:
            made = code.gradient_function(
                self.loss, [(spec, exprs)], target, self.slopes[spec], given.seed, traced, arrays
            )
            _unpack_single(made.tree)
            functions.append(made)
        self.functions = functions
        roots = (given.value, *(expr for _, exprs in given.gradients for expr in exprs))
        self.is_flexible = all(layout.is_flexible((root,)) for root in roots)
        blocked = {*_PRIVATE, *self.slopes.values()}
        self.names = code.settle(functions, target, _marked(self.loss), blocked)
        self.arguments = Arguments(self.loss, target, self.names, given.meetings)
        self.name = self.names.users[user(self.loss.name)]
        self.every = ", ".join(self.arguments.every)
        self.is_batched = not self.is_flexible and self.arguments.batched() != []
        self.is_single = self.is_batched and BATCH in self.loss.result.axes

    def tree(self) -> ast.Module:
        run = "\n".join(["def loss(", f"    {self.every}", "):", *self._call()])
        return ast.parse(self._text("", [run, self._arguments()]))

    def text(self) -> str:
        own = [self._public(), *(self._gradient(spec) for spec in self.slopes if isinstance(spec, InputSpec))]
        if hasattr(self.home, "class_text"):
            own.append(self._class())
        own.append(self._arguments())
        return self._text("\n".join(_docstring(documentation.lines(self.loss), 0)), own)

    def _text(self, doc: str, own: Sequence[str]) -> str:
        """The module with its documentation, its functions for users, and whatever these need."""
        carried = []
        if self.traced:
            every: list[Argument] = [*self.loss.inputs, *self.arguments.open]
            table = [self.slopes.get(one, "None") for one in every]
            carried = [*source_layout.tuple_lines("_VJPS = ", table)]
            carried = ["\n".join(carried), self.names.text(code.carried(self.target, self.arguments.every))]
        imports, helpers = code.surroundings(self.functions, self.target, self.names, [*own, *carried])
        # after which the trees are others
        bodies = [source_layout.function(function.tree) for function in self.functions]
        head = "\n\n".join(filter(None, [doc, "\n".join(_sorted(imports))]))
        return _joined([head, *own, *bodies, *carried, *map(source_layout.laid_out, helpers)])

    # --- functions

    def _public(self) -> str:
        loss = self.loss
        lines = [
            documentation.title(loss),
            "",
            *definitions(loss.result, loss.names),
            "",
            *documentation.shapes(loss),
            "",
        ]
        axes = names(loss.result.axes)
        lines.append(f"Returns one value for each of: {axes}." if loss.result.axes else "Returns one number.")
        return self._defined(self.name, lines, self._call())

    def _call(self) -> list[str]:
        """The body of the function: its arguments prepared, and its value."""
        run = "_carried" if self.traced else "_value"
        if not self.is_single:
            return [f"    return {run}(*_arguments({self.every}))"]
        given, single = map(self.arguments.own, ("arguments", "is_single"))
        body = source_layout.signature(f"{single}, *{given} = _arguments", self.arguments.every, "", 4)
        value = f"{run}(*{given})"
        return [*body, f"    return {value}[0] if {single} else {value}"]

    def _gradient(self, spec: InputSpec) -> str:
        arguments, prediction = self.arguments, self.arguments.prediction
        shape = arguments.own("shape")
        body = [f"    {shape} = {arguments.spelled('given shape', a=arguments.of(spec))}"]
        first = f"{arguments.own('_is_single')}, " if self.is_single else ""
        body += source_layout.signature(f"{_tuple(first + self.every)} = _arguments", arguments.every, "", 4)
        parts = list(arguments.every)
        if self.traced:
            upstream = arguments.own("upstream")
            lengths = arguments.value_shape(arguments.spelled("shape", a=prediction))
            ones = ast.parse(arguments.spelled("ones", s=lengths, x=prediction), mode="eval").body
            body += source_layout.assigned(upstream, ones, 4)
            parts.append(upstream)
        slope = arguments.own("slope")
        body += source_layout.signature(f"{slope} = {self.slopes[spec]}", parts, "", 4)
        body.append(f"    return {arguments.spelled('reshape', a=slope, s=shape)}")
        title = f"The derivative of the sum of all values of `{self.name}` in {spec.name}."
        return self._defined(documentation.gradient_name(self.name, self.loss, spec), [title], body)

    def _arguments(self) -> str:
        found = self.arguments
        body = found.requirements(self.given.requirements)
        body += [*found.conversions(), *found.alignment()]
        last = self.every
        if self.is_batched:
            test, *led = found.batched()
            if self.is_single:
                single = found.own("is_single")
                body.append(f"    {single} = {test}")
                test, last = single, f"{single}, {last}"
            body += [f"    if {test}:", *led]
        body += [f"    return {_tuple(last)}"]
        head = source_layout.signature("def _arguments", found.every, ":")
        title = "The arguments as the loss wants them: of one dtype, in shapes that agree."
        return "\n".join([*head, *_docstring([title], 4), *body])

    def _defined(self, function: str, doc: Sequence[str], body: Sequence[str]) -> str:
        head = source_layout.signature(f"def {function}", _signature(self.arguments.every, self._defaults()), ":")
        return "\n".join([*head, *_docstring(doc, 4), *body])

    def _defaults(self) -> dict[str, str]:
        return _defaults(self.loss, self.arguments, self.given.defaults)

    # --- the class

    def _class(self) -> str:
        attributes = {one: _attribute(one, self.home.ATTRIBUTES) for one in self.arguments.parameters}
        defaults = {attributes[one]: text for one, text in self._defaults().items()}
        text: str = self.home.class_text(
            loss=self.loss,
            function=self.name,
            name=_class_name(self.loss, {self.name, *self.home.IMPORTS, *self.names.own.values()}),
            title=documentation.title(self.loss),
            signature=lambda *more: _signature([*attributes.values()], defaults, more),
            parameters=[*attributes.values()],
        )
        return self.names.text(text)


def _joined(parts: Sequence[str]) -> str:
    return "\n\n\n".join(part for part in parts if part) + "\n"


def _marked(loss: Loss) -> list[str]:
    """The names of a user's that a module has outside of generated functions."""
    parameters = [one.name for one in loss.parameters if one.name not in loss.settled]
    return [user(text) for text in (loss.name, *(one.identifier for one in loss.inputs), *parameters)]


def _defaults(loss: Loss, arguments: Arguments, values: Mapping[str, object]) -> dict[str, str]:
    """The defaults of parameters, as Python text, by argument."""
    return {arguments.of(one): _number(values[one.name]) for one in arguments.open if one.name in values}


def _number(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_number, value))}{',' if len(value) == 1 else ''})"
    return repr(value) if isinstance(value, int) or math.isfinite(value) else expression(constant(value))


def _signature(every: Sequence[str], defaults: Mapping[str, str], more: Sequence[str] = ()) -> list[str]:
    """Arguments with their defaults; behind one that has a default, those without can be given by name alone."""
    found: list[str] = []
    is_open = True
    for one in every:
        if one not in defaults and is_open and any(before in defaults for before in every[: every.index(one)]):
            found.append("*")
            is_open = False
        found.append(f"{one}={defaults[one]}" if one in defaults else one)
    return [*found, *more]


def _attribute(argument: str, taken: Container[str]) -> str:
    """What an argument is called in a class, whose base has names of its own."""
    found = f"p{argument}" if argument.startswith("_") else argument
    return f"{found}_" if found in taken else found


def _class_name(loss: Loss, taken: set[str]) -> str:
    text = normal_name("".join(part.capitalize() for part in loss.name.split("_")))
    if not text.isidentifier() or keyword.iskeyword(text) or text in taken or hasattr(builtins, text):
        text = f"Loss{text}" if f"Loss{text}".isidentifier() else "Loss"
    return text


def _docstring(lines: Sequence[str], indent: int) -> list[str]:
    """Lines of text as a docstring."""
    pad = " " * indent
    shown = [f"{pad}{_escaped(line)}".rstrip() for line in lines]
    shown[0] = f'{pad}"""{shown[0].strip()}'
    if len(lines) == 1 and not shown[0].endswith(('"', "\\")):
        return [f'{shown[0]}"""']
    return [*shown, f'{pad}"""']


def _escaped(line: str) -> str:
    text = line.replace("\\", "\\\\").replace('"""', r"\"\"\"").replace("\t", "    ")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _unpack_single(tree: ast.FunctionDef) -> None:
    """A gradient in one input is returned as itself rather than as a tuple of one."""
    last = tree.body[-1]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple) and len(last.value.elts) == 1:
        last.value = last.value.elts[0]


def _sorted(imports: Sequence[str]) -> list[str]:
    """Imports in order: Python's own, then those of packages, whole modules first."""
    own = sorted(line for line in imports if line.split()[1] in ("math", "numbers"))
    others = sorted(line for line in imports if line not in own and line.startswith("import"))
    members: dict[str, list[str]] = {}
    for line in imports:
        if line.startswith("from"):
            members.setdefault(line.split()[1], []).append(line.partition(" import ")[2])
    others += [f"from {package} import {', '.join(sorted(found))}" for package, found in sorted(members.items())]
    return [*own, *([""] if own and others else []), *others]


def _tuple(items: str) -> str:
    """The text of several items, or of one, as a tuple."""
    return items if "," in items else f"({items},)"

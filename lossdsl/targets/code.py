"""Whole functions and modules of Python from a loss."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from lossdsl.ir.axes import LAST, SAMPLE, SPACE, Axis
from lossdsl.ir.expr import Expr, Input, Param
from lossdsl.ir.loss import InputSpec, Loss
from lossdsl.targets.blocks import split_means
from lossdsl.targets.printer import Printer, identifier
from lossdsl.targets.template import assign, fill, literal, name, statements

TARGETS = ("numpy", "tensorflow", "jax", "torch", "keras")
"""Each is a module beside this one, with a PRINTER and HELPERS; it is imported when it is asked for."""


def _module(target: str) -> ModuleType:
    return import_module(f"lossdsl.targets.{target}")


_IMPORTS = {
    "math": "import math",
    "np": "import numpy as np",
    "special": "from scipy import special",
    "tf": "import tensorflow as tf",
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "jsp": "import jax.scipy.special as jsp",
    "torch": "import torch",
    "keras": "import keras",
    "ops": "from keras import ops",
}


@dataclass(frozen=True)
class Function:
    """A generated function: its tree and the helper functions that it calls."""

    tree: ast.FunctionDef
    helpers: frozenset[str]


def value_function(loss: Loss, value: Expr, target: str, function: str = "value") -> Function:
    """`function(inputs, parameters)` with one value a sample (and place), or one number."""
    return _Builder(loss, split_means((value,)), target).value(function)


def gradient_function(
    loss: Loss,
    gradients: Sequence[tuple[InputSpec, tuple[Expr, ...]]],
    target: str,
    function: str = "gradient",
    seed: Input | None = None,
) -> Function:
    """`function(inputs, parameters)` with the tuple of gradients, each of the shape of its input.

    `gradients` pairs inputs with one expression a component. With `seed`, the function has it as a last argument: the
    derivative of what comes after with respect to each value of the loss.
    """
    gradients = [(spec, split_means(exprs)) for spec, exprs in gradients]
    roots = tuple(expr for _, exprs in gradients for expr in exprs)
    return _Builder(loss, roots, target, seed).gradients(function, gradients)


def condition_function(loss: Loss, conditions: Sequence[Expr], function: str = "requirements") -> Function:
    """`function(parameters)` with the list of truth values of conditions on parameters, for numpy."""
    builder = _Builder(loss, tuple(conditions), "numpy")
    builder.arguments = []
    trees = [fill("bool(np.all(c))", c=tree) for tree in builder.printer.print()]
    tree = builder.plain(function, [ast.Return(ast.List(list(trees), ast.Load()))])
    return Function(tree, frozenset(builder.printer.helpers))


def static_condition(loss: Loss, condition: Expr) -> ast.expr:
    """A condition on plain parameters as a tree over their names."""
    (tree,) = _Builder(loss, (condition,), "numpy").printer.print()
    return tree


def taken_in(loss: Loss, target: str, used: set[str]) -> list[ast.stmt]:
    """What a function that a person calls does first with its arguments, as far as they are among the names `used`.

    Labels become whole numbers, vectors and matrices arrays of the prediction's dtype; a vector that is one number is
    stretched to the length of the last axis.
    """
    spell: Mapping[str, str] = _module(target).PRINTER.spell
    prediction = loss.prediction
    like = next((spec for spec in (prediction, *loss.inputs) if spec.is_real and LAST in spec.over), None)
    found = []
    for label in loss.inputs:
        if label.is_label:
            found.append((identifier(label.identifier, set()), "label", prediction))
    for parameter in loss.parameters:
        if parameter.name not in loss.settled and parameter.kind in ("vector", "matrix"):
            kind = "matrix" if like is None else parameter.kind
            found.append((identifier(parameter.name, set()), kind, like or prediction))
    body: list[ast.stmt] = []
    for argument, kind, model in found:
        if argument in used:
            tree: ast.expr = name(identifier(model.identifier, set()))
            if kind == "vector" and len(model.nodes) > 1:
                tree = fill(f"x[..., ::{len(model.nodes)}]", x=tree)
            body.append(assign(argument, fill(spell[kind], a=name(argument), x=tree)))
    return body


class _Builder:
    def __init__(self, loss: Loss, roots: tuple[Expr, ...], target: str, seed: Input | None = None) -> None:
        self.loss = loss
        leaves = {node.name: identifier(node.name, set()) for spec in loss.inputs for node in spec.nodes}
        for parameter in loss.parameters:
            leaves[parameter.name] = identifier(parameter.name, set())
        if seed is not None:
            leaves[seed.name] = identifier(seed.name, set(leaves.values()))
        self.arguments = [identifier(spec.identifier, set()) for spec in loss.inputs]
        self.printer: Printer = _module(target).PRINTER(roots, leaves, loss.names, taken=(*self.arguments, "shape"))
        self.printer.sizes.update(_measures(loss))
        self.target = target
        self.parameters = [leaves[p.name] for p in loss.parameters if p.name not in loss.settled]
        self.seed = seed
        if seed is not None:
            self.parameters.append(leaves[seed.name])

    def value(self, function: str) -> Function:
        (tree,) = self.printer.print()
        (root,) = self.printer.roots
        if self.printer.is_plain(root):
            tree = self.printer.lift(tree)
        leading: ast.expr | None = None
        if not self.printer.layout.flexible and SPACE in root.axes:
            prediction = self.loss.prediction
            shape = self.printer.shape(name(self._argument(prediction)))
            leading = fill("s[:-1]" if LAST in prediction.over else "s", s=shape)
            if root.axes != SAMPLE:
                leading = fill("s[1:]", s=leading)
            tree = self.printer.reshape(tree, name("shape"))
        return self._function(function, [ast.Return(tree)], {"shape": leading} if leading is not None else {})

    def gradients(self, function: str, gradients: Sequence[tuple[InputSpec, tuple[Expr, ...]]]) -> Function:
        trees = iter(self.printer.print())
        results: list[ast.expr] = []
        before: dict[str, ast.expr] = {}
        flexible = self.printer.layout.flexible
        for spec, exprs in gradients:
            parts = [self._like(next(trees), expr, node) for expr, node in zip(exprs, spec.nodes, strict=True)]
            tree = parts[0] if len(parts) == 1 else self.printer.joined(parts)
            if not flexible and SPACE in spec.nodes[0].axes:
                kept = identifier(f"{spec.identifier}_shape", self.printer.taken)
                before[kept] = self.printer.shape(name(self._argument(spec)))
                tree = self.printer.reshape(tree, name(kept))
            results.append(tree)
        return self._function(function, [ast.Return(ast.Tuple(results, ast.Load()))], before)

    def _like(self, tree: ast.expr, expr: Expr, node: Input) -> ast.expr:
        """A gradient in the shape of its input."""
        plain = self.printer.is_plain(expr)
        if expr.axes == node.axes and not plain:
            return tree
        if not plain:
            tree = self.printer.meet(expr, node.axes)
        return self.printer.filled(tree, self.printer.shape(name(self.printer.leaves[node.name])), plain)

    def _argument(self, spec: InputSpec) -> str:
        return identifier(spec.identifier, set())

    def _function(self, function: str, end: list[ast.stmt], before: dict[str, ast.expr]) -> Function:
        printer = self.printer
        body: list[ast.stmt] = [assign(kept, tree) for kept, tree in before.items()]
        used = _names_in([*printer.body, *end])
        if not printer.layout.flexible:
            for spec in self.loss.inputs:
                argument = self._argument(spec)
                if SPACE in spec.nodes[0].axes:
                    body.append(assign(argument, printer.flat(name(argument), LAST in spec.over)))
            if self.seed is not None and SPACE in self.seed.axes:
                argument = printer.leaves[self.seed.name]
                upstream = name(argument)
                whole = self.seed.axes >= SAMPLE
                flat = printer.flat(upstream, False) if whole else printer.reshape(upstream, literal((-1,)))
                body.append(assign(argument, flat))
        for spec in self.loss.inputs:
            if len(spec.nodes) > 1:
                targets = [ast.Name(printer.leaves[node.name], ast.Store()) for node in spec.nodes]
                value = printer.split(name(self._argument(spec)), len(targets))
                body.append(ast.Assign([ast.Tuple(list(targets), ast.Store())], value))
        if "dtype" in used:
            body.append(assign("dtype", printer.dtype_of(name(self._argument(self.loss.prediction)))))
        if "device" in used:
            body.append(assign("device", fill("a.device", a=name(self._argument(self.loss.prediction)))))
        return Function(self.plain(function, [*body, *printer.body, *end]), frozenset(printer.helpers))

    def plain(self, function: str, body: list[ast.stmt]) -> ast.FunctionDef:
        """A function of the inputs and parameters; statements of the printer come first if `body` is only the end."""
        if self.printer.body and self.printer.body[0] not in body:
            body = [*self.printer.body, *body]
        arguments = [ast.arg(argument) for argument in (*self.arguments, *self.parameters)]
        tree = ast.FunctionDef(
            name=function,
            args=ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[]),
            body=body,
            decorator_list=[],
        )
        return self.printer.finished(tree)


def _names_in(nodes: Sequence[ast.AST]) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


def _measures(loss: Loss) -> dict[Axis, Input | Param]:
    """For each axis, an input (the prediction first) or parameter that has it."""
    order = loss.inputs[1:2] + loss.inputs[:1] + loss.inputs[2:]
    leaves: list[Input | Param] = [node for spec in order for node in spec.nodes]
    leaves += [parameter.node for parameter in loss.parameters if parameter.over]
    found: dict[Axis, Input | Param] = {}
    for leaf in leaves:
        for axis in leaf.axes:
            found.setdefault(axis, leaf)
    return found


def module(functions: Sequence[Function], target: str, doc: str = "") -> ast.Module:
    """A module with its imports, the helpers that are called, and the functions."""
    texts: dict[str, str] = _module(target).HELPERS
    helpers: dict[str, list[ast.stmt]] = {}
    waiting = sorted({helper for function in functions for helper in function.helpers}, reverse=True)
    while waiting:
        helper = waiting.pop()
        if helper not in helpers:
            helpers[helper] = statements(texts[helper])
            called = _names_in(helpers[helper]) & texts.keys()
            waiting.extend(sorted(called - helpers.keys()))
    body: list[ast.stmt] = [part for parts in helpers.values() for part in parts]
    body += [function.tree for function in functions]
    used = _names_in(body)
    imports = [part for key, text in _IMPORTS.items() if key in used for part in statements(text)]
    head: list[ast.stmt] = [ast.Expr(literal(doc))] if doc else []
    return ast.fix_missing_locations(ast.Module([*head, *imports, *body], []))



"""One self-contained module for a loss: code that runs without lossdsl and that a person may keep."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping, Sequence

from lossdsl.ir.axes import names
from lossdsl.ir.expr import Expr
from lossdsl.ir.loss import InputSpec, Loss
from lossdsl.ir.text import definitions
from lossdsl.targets import code
from lossdsl.targets.printer import identifier
from lossdsl.targets.template import literal, statements

_WIDTH = 100


def emitted(
    loss: Loss,
    value: Expr,
    gradients: Sequence[tuple[InputSpec, tuple[Expr, ...]]],
    requirements: Sequence[tuple[str, Expr]],
    target: str,
    defaults: Mapping[str, object],
    keeps_source: str,
) -> str:
    """The text of a module.

    `value` and `gradients` are the guarded expressions; `requirements` pairs each condition with its text; `defaults`
    are the values of the parameters, as the module shall have them. For the target `keras` the module has a class to
    give to `model.compile`, and its gradient is left to the backend; for the others it has the gradient as well.
    """
    name = identifier(loss.name, set())
    functions = [code.value_function(loss, value, target, name)]
    if target != "keras":
        functions += [
            code.gradient_function(loss, [(spec, exprs)], target, _gradient_name(name, loss, spec))
            for spec, exprs in gradients
        ]
    module = code.module(functions, target)
    own = {function.tree.name for function in functions}
    tests = _tests(loss, requirements)
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name in own:
            _finish(node, loss, target, defaults, tests if node.name == name else [], name)
    extra = _keras_class(loss, name, defaults) if target == "keras" else []
    head = ast.Expr(literal(_doc(loss, keeps_source)))
    body = [head, *module.body, *extra]
    if extra:
        body.insert(1, statements("import keras")[0])
    seen: set[str] = set()
    unique = [n for n in body if not isinstance(n, ast.Import | ast.ImportFrom) or _once(ast.unparse(n), seen)]
    return ast.unparse(ast.fix_missing_locations(ast.Module(unique, []))) + "\n"


def gradient_alone(
    loss: Loss,
    spec: InputSpec,
    exprs: tuple[Expr, ...],
    target: str,
    defaults: Mapping[str, object],
    is_elementwise: bool,
) -> str:
    """The text of a module with one function, the gradient in an input, in guarded expressions."""
    name = _gradient_name(identifier(loss.name, set()), loss, spec)
    module = code.module([code.gradient_function(loss, [(spec, exprs)], target, name)], target)
    (tree,) = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name]
    _take_in(tree, loss, target, defaults)
    _unpack_single(tree)
    value = loss.value if is_elementwise else loss.result
    lines = [gradient_title(loss, spec, is_elementwise), "", *definitions(value, loss.names), "", *_shapes(loss)]
    doc = "\n".join(f"    {line}" if line else "" for line in lines).strip()
    tree.body.insert(0, ast.Expr(literal(f"{doc}\n    ")))
    return ast.unparse(ast.fix_missing_locations(module)) + "\n"


def gradient_title(loss: Loss, spec: InputSpec, is_elementwise: bool) -> str:
    """What a gradient is the gradient of."""
    if is_elementwise:
        return f"The gradient of {loss.name} in {spec.name}: of the loss of each element, before the average."
    return f"The gradient of {loss.name} in {spec.name}: of the sum of its values."


def _once(text: str, seen: set[str]) -> bool:
    fresh = text not in seen
    seen.add(text)
    return fresh


def _gradient_name(name: str, loss: Loss, spec: InputSpec) -> str:
    return f"{name}_gradient" if spec is loss.prediction else f"{name}_gradient_{spec.identifier}"


def _doc(loss: Loss, source: str) -> str:
    """Title, reference, formula and shapes."""
    body = source.strip()
    if body.startswith('"""') and body.count('"""') == 2:
        body = body.rsplit('"""', 1)[1].strip()  # the documentation stands above already
    parts = [loss.doc or f"The loss {loss.name}.", "In the language of lossdsl:", textwrap.indent(body, "    ")]
    return "\n\n".join(parts) + "\n"


def _shapes(loss: Loss) -> list[str]:
    lines = []
    for spec in loss.inputs:
        kind = "whole numbers" if spec.is_label else spec.domain
        lines.append(f"    {spec.name}: {kind}, axes ({names(spec.over)})")
    for parameter in loss.parameters:
        if parameter.name not in loss.settled:
            lines.append(f"    {parameter.name}: {'a number' if parameter.kind == 'real' else parameter.kind}")
    if loss.settled:
        settled = ", ".join(f"{name} = {value}" for name, value in loss.settled.items())
        lines.append(f"    settled when this was written: {settled}")
    return lines


def _tests(loss: Loss, requirements: Sequence[tuple[str, Expr]]) -> list[ast.stmt]:
    """`if not delta > 0: raise ValueError(…)` for what is required of plain parameters."""
    found: list[ast.stmt] = []
    for text, condition in requirements:
        if not condition.is_static:
            continue
        tree = code.static_condition(loss, condition)
        message = f"{loss.name} requires {text}"
        raising = statements(f"raise ValueError({message!r})")
        found.append(ast.If(ast.UnaryOp(ast.Not(), tree), raising, []))
    return found


def _finish(
    tree: ast.FunctionDef,
    loss: Loss,
    target: str,
    defaults: Mapping[str, object],
    tests: list[ast.stmt],
    name: str,
) -> None:
    """Gives a function its defaults, its documentation and its tests."""
    _take_in(tree, loss, target, defaults)
    if tree.name == name:
        lines = [_title(loss), "", *definitions(loss.result, loss.names), "", *_shapes(loss), ""]
        axes = names(loss.result.axes)
        lines.append(f"Returns one value for each of: {axes}." if loss.result.axes else "Returns one number.")
    else:
        lines = [f"The derivative of the sum of all values of `{name}`."]
        _unpack_single(tree)
    doc = "\n".join(f"    {line}" if line else "" for line in lines).strip()
    tree.body = [ast.Expr(literal(f"{doc}\n    " if len(lines) > 1 else doc)), *tests, *tree.body]


def _take_in(tree: ast.FunctionDef, loss: Loss, target: str, defaults: Mapping[str, object]) -> None:
    """Defaults for the parameters, if all of them have one; and what is done to arguments before they are used."""
    used = {node.id for statement in tree.body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    tree.body[:0] = code.taken_in(loss, target, used)
    names = [p.name for p in loss.parameters if p.name not in loss.settled]
    if all(name in defaults for name in names):
        values = [defaults[name] for name in names]
        tree.args.defaults = [literal(list(v) if isinstance(v, tuple) else v) for v in values]


def _title(loss: Loss) -> str:
    return loss.doc.split("\n", 1)[0] if loss.doc else f"The loss {loss.name}."


def _unpack_single(tree: ast.FunctionDef) -> None:
    """A gradient in one input is returned as itself rather than as a tuple of one."""
    last = tree.body[-1]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple) and len(last.value.elts) == 1:
        last.value = last.value.elts[0]


def _keras_class(loss: Loss, name: str, defaults: Mapping[str, object]) -> list[ast.stmt]:
    """A serializable `keras.losses.Loss` around the function."""
    class_name = "".join(part.capitalize() for part in loss.name.split("_"))
    parameters = [identifier(p.name, set()) for p in loss.parameters if p.name not in loss.settled]
    signature = "".join(
        f"{p}={list(v) if isinstance(v, tuple) else v!r}, " if (v := defaults.get(p)) is not None else f"{p}, "
        for p in parameters
    )
    values = "".join(f", self.{p}" for p in parameters)
    config = "".join(f", {p!r}: self.{p}" for p in parameters)
    target = loss.target
    arguments = "y_pred"
    if target is not None:
        arguments = "y_true, y_pred"
        if len(loss.inputs) > 2:
            arguments = "y_true[0], y_pred, *y_true[1:]"
    assigns = "\n        ".join(f"self.{p} = {p}" for p in parameters) or "pass"
    doc = f"{_title(loss)} For `model.compile`; saved with its parameters."
    text = f'''
@keras.saving.register_keras_serializable(package={loss.name!r})
class {class_name}(keras.losses.Loss):
    {doc!r}

    def __init__(self, {signature}name={loss.name!r}, reduction='sum_over_batch_size', dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        {assigns}

    def call(self, y_true, y_pred):
        return {name}({arguments}{values})

    def get_config(self):
        return {{**super().get_config(){config}}}
'''
    return statements(text)

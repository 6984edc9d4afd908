"""Whole functions and modules of Python from a loss."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from lossdsl.ir.axes import LAST, SAMPLE, SPACE, last_of
from lossdsl.ir.expr import Expr, Input, Param, Position, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Argument, Loss
from lossdsl.targets import array_sums, one_of_each, packing, pair_products, source_layout, target_module
from lossdsl.targets.blocks import split_means
from lossdsl.targets.exact_shifts import with_exact_shifts
from lossdsl.targets.identifiers import Renaming, renaming, user
from lossdsl.targets.lifetimes import freed
from lossdsl.targets.printer import Printer
from lossdsl.targets.scatters import outermost
from lossdsl.targets.template import assign, fill, literal, name, statements


@dataclass(frozen=True)
class Function:
    """A generated function: its tree and the helper functions that it calls."""

    tree: ast.FunctionDef
    helpers: frozenset[str]


def value_function(
    loss: Loss,
    value: Expr,
    target: str,
    function: str = "value",
    traced: bool = False,
    arrays: frozenset[Expr] = frozenset(),
) -> Function:
    """`function(inputs, parameters)` with one value a sample (and place), or one number.

    Numbers among the parameters are plain ones, or, where they are `traced`, arrays of the prediction's dtype. Of the
    sums in `arrays` (see `array_sums`) the target is given one array.
    """
    return _Builder(loss, _prepared((value,), target), target, traced=traced, arrays=arrays).value(function)


def gradient_function(
    loss: Loss,
    gradients: Sequence[tuple[Argument, tuple[Expr, ...]]],
    target: str,
    function: str = "gradient",
    seed: Input | None = None,
    traced: bool = False,
    arrays: frozenset[Expr] = frozenset(),
) -> Function:
    """`function(inputs, parameters)` with the tuple of gradients, each of the shape of its input.

    `gradients` pairs inputs (or parameters) with one expression a component. With `seed`, the function has it as a last
    argument: the derivative of what comes after with respect to each value of the loss.
    """
    gradients = [(spec, _prepared(exprs, target)) for spec, exprs in gradients]
    roots = tuple(expr for _, exprs in gradients for expr in exprs)
    return _Builder(loss, roots, target, seed, traced, arrays).gradients(function, gradients)


def joint_function(
    loss: Loss,
    value: Expr,
    gradients: Sequence[tuple[Argument, tuple[Expr, ...]]],
    target: str,
    function: str,
    seed: Input | None = None,
    traced: bool = False,
) -> Function:
    """`function(inputs, parameters)` with the value and behind it the gradients, which share what both need."""
    (value,) = _prepared((value,), target)
    gradients = [(spec, _prepared(exprs, target)) for spec, exprs in gradients]
    roots = (value, *(expr for _, exprs in gradients for expr in exprs))
    return _Builder(loss, roots, target, seed, traced).joint(function, gradients)


def scaled_function(
    loss: Loss, value: Expr, factor: Expr, gradient: tuple[Argument, tuple[Expr, ...]], target: str, function: str
) -> Function:
    """`function(inputs, parameters)` with the value, a factor that each value has, and a gradient without it.

    The factor is a plain number or has the axes of the value. Parameters are arrays of the prediction's dtype.
    """
    spec, slopes = gradient
    value, factor, *rest = (_prepared((one,), target)[0] for one in (value, factor, *slopes))
    return _Builder(loss, (value, factor, *rest), target, traced=True).scaled(function, spec, tuple(rest))


def summed_arrays(target: str, value: Expr, slopes: Iterable[Expr]) -> frozenset[Expr]:
    """The sums of which a target is to be given one array, in a value and slopes that are compiled together."""
    if target != "jax":
        return frozenset()
    return array_sums.array_sums([*_prepared((value,), target), *_prepared(tuple(slopes), target)])


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


def _prepared(roots: tuple[Expr, ...], target: str) -> tuple[Expr, ...]:
    """Expressions in the form in which the printers find pairs of samples, and XLA makes arrays once."""
    roots = pair_products.with_weights(split_means(roots))
    if target_module(target).PRINTER.fuses:
        roots = with_exact_shifts(roots)
    if "add rows" in target_module(target).PRINTER.spell:
        roots = one_of_each.gathered(roots)
    return outermost(roots) if target == "jax" else roots


class _Builder:
    def __init__(
        self,
        loss: Loss,
        roots: tuple[Expr, ...],
        target: str,
        seed: Input | None = None,
        traced: bool = False,
        arrays: frozenset[Expr] = frozenset(),
    ) -> None:
        self.loss = loss
        leaves = {node.name: user(node.name) for spec in loss.inputs for node in spec.nodes}
        for parameter in loss.parameters:
            leaves[parameter.name] = user(parameter.name)
        if seed is not None:
            leaves[seed.name] = "upstream"
        self.arguments = [user(spec.identifier) for spec in loss.inputs]
        self.printer: Printer = target_module(target).PRINTER(roots, leaves, loss.names, traced)
        self.printer.sizes.update(loss.measures)
        self.printer.arrays = arrays
        self.target = target
        self.parameters = [leaves[p.name] for p in loss.parameters if p.name not in loss.settled]
        self.seed = seed
        if seed is not None:
            self.parameters.append(leaves[seed.name])

    def value(self, function: str) -> Function:
        (tree,) = self.printer.print()
        before: dict[str, ast.expr] = {}
        return self._function(function, [ast.Return(self._value(tree, before))], before)

    def joint(self, function: str, gradients: Sequence[tuple[Argument, tuple[Expr, ...]]]) -> Function:
        self._count_on(gradients)
        tree, *trees = self.printer.print()
        before: dict[str, ast.expr] = {}
        results = [self._value(tree, before), *self._slopes(trees, gradients, before)]
        made = self._function(function, [ast.Return(ast.Tuple(results, ast.Load()))], before)
        *body, end = made.tree.body
        made.tree.body = [*freed(body, [end]), end]
        return made

    def scaled(self, function: str, spec: Argument, slopes: tuple[Expr, ...]) -> Function:
        tree, factor, *trees = self.printer.print()
        before: dict[str, ast.expr] = {}
        results = [self._value(tree, before), factor, *self._slopes(trees, [(spec, slopes)], before)]
        made = self._function(function, [ast.Return(ast.Tuple(results, ast.Load()))], before)
        *body, end = made.tree.body
        made.tree.body = [*freed(body, [end]), end]
        return made

    def _value(self, tree: ast.expr, before: dict[str, ast.expr]) -> ast.expr:
        """The value, of which `tree` is what was printed; `before` has what is to be known at the beginning."""
        root = self.printer.roots[0]
        tree = self.printer.returned(root, tree)
        if not self.printer.layout.flexible and SPACE in root.axes:
            prediction = self.loss.prediction
            shape = self.printer.shape(name(self._argument(prediction)))
            leading = fill("s[:-1]" if LAST in prediction.over else "s", s=shape)
            if root.axes != SAMPLE:
                leading = fill("s[1:]", s=leading)
            before["shape"] = leading
            tree = self.printer.reshape(tree, name("shape"))
        return tree

    def gradients(self, function: str, gradients: Sequence[tuple[Argument, tuple[Expr, ...]]]) -> Function:
        self._count_on(gradients)
        before: dict[str, ast.expr] = {}
        results = self._slopes(self.printer.print(), gradients, before)
        return self._function(function, [ast.Return(ast.Tuple(results, ast.Load()))], before)

    def _count_on(self, gradients: Sequence[tuple[Argument, tuple[Expr, ...]]]) -> None:
        """Positions at which an input is read are counted on it: it may be longer than others that never meet it."""
        specs = [spec for spec, _ in gradients if isinstance(spec, InputSpec)]
        if len(specs) == len(gradients) == 1:
            counted = {node.axis.home for node in walk(self.loss.result) if isinstance(node, Position)}
            leaf = specs[0].nodes[0]
            self.printer.sizes.update(dict.fromkeys(leaf.axes - counted, leaf))

    def _slopes(
        self,
        printed: Sequence[ast.expr],
        gradients: Sequence[tuple[Argument, tuple[Expr, ...]]],
        before: dict[str, ast.expr],
    ) -> list[ast.expr]:
        """The gradients, each in the shape of its input."""
        trees = iter(printed)
        results: list[ast.expr] = []
        flexible = self.printer.layout.flexible
        for spec, exprs in gradients:
            nodes: tuple[Input | Param, ...] = spec.nodes
            parts = [self._like(next(trees), expr, node) for expr, node in zip(exprs, nodes, strict=True)]
            tree = parts[0] if len(parts) == 1 else self.printer.joined(list(map(self._with_last, parts, nodes)))
            if not flexible and SPACE in spec.nodes[0].axes:
                kept = f"{spec.identifier}_shape"
                before[kept] = self.printer.shape(name(self._argument(spec)))
                tree = self.printer.reshape(tree, name(kept))
            results.append(tree)
        return results

    def _with_last(self, tree: ast.expr, node: Input | Param) -> ast.expr:
        """A component with a last axis, which one of a number for each sample (and place) lacks."""
        return tree if last_of(node.axes) else self.printer.subscript(tree, [..., None])

    def _like(self, tree: ast.expr, expr: Expr, node: Input | Param) -> ast.expr:
        """A gradient in the shape of its input."""
        plain = self.printer.is_plain(expr)
        if expr.axes == node.axes and not plain:
            return tree
        if not plain:
            tree = self.printer.meet(expr, node.axes)
        return self.printer.filled(tree, self.printer.shape(name(self.printer.leaves[node.name])), plain)

    def _argument(self, spec: Argument) -> str:
        return user(spec.identifier)

    def _flattened(self) -> Iterator[ast.stmt]:
        """What makes one axis of those between the first and the last."""
        printer, seed = self.printer, self.seed
        for spec in self.loss.inputs:
            argument = self._argument(spec)
            if SPACE in spec.nodes[0].axes:
                yield assign(argument, printer.flat(name(argument), LAST in spec.over))
        if seed is not None and SPACE in seed.axes:
            argument = printer.leaves[seed.name]
            upstream, is_whole = name(argument), seed.axes >= SAMPLE
            flat = printer.flat(upstream, LAST in seed.axes) if is_whole else printer.reshape(upstream, literal((-1,)))
            yield assign(argument, flat)

    def _function(self, function: str, end: list[ast.stmt], before: dict[str, ast.expr]) -> Function:
        printer = self.printer
        body: list[ast.stmt] = [assign(kept, tree) for kept, tree in before.items()]
        used = _names_in([*printer.body, *end])
        if not printer.layout.flexible:
            body += self._flattened()
        for spec in self.loss.inputs:
            if len(spec.nodes) > 1:
                targets = [ast.Name(printer.leaves[node.name], ast.Store()) for node in spec.nodes]
                whole = name(self._argument(spec))
                if not spec.fixed:
                    value = printer.split(whole, len(targets))
                else:
                    ends = [packing.start(spec, place, "n") for place in range(len(targets))]
                    value = printer.parted(whole, ends, [last_of(node.axes) is None for node in spec.nodes])
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


def settle(
    functions: Sequence[Function], target: str, marked: Sequence[str] = (), blocked: Iterable[str] = ()
) -> Renaming:
    """Settles every name in the functions of a module, in place, and those `marked` elsewhere in it.

    A user's name can be none of those `blocked`.
    """
    trees = [function.tree for function in functions]
    home = target_module(target)
    found = renaming([*trees, *map(name, marked)], home.IMPORTS, {*blocked, *_outside(target)})
    found.apply(trees)
    return found


def surroundings(
    functions: Sequence[Function], target: str, names: Renaming, texts: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """The lines of imports and the texts of helpers that functions need, and other texts of the module."""
    home = target_module(target)
    known: Mapping[str, str] = home.HELPERS
    modules: Mapping[str, str] = home.IMPORTS
    back = {new: old for old, new in names.own.items()}
    used = {back.get(each, each) for each in _names_in([*(f.tree for f in functions), *map(ast.parse, texts)])}
    helpers: list[str] = []
    waiting = sorted({*(helper for function in functions for helper in function.helpers), *(used & known.keys())})
    while waiting:
        helper = waiting.pop(0)
        if helper not in helpers:
            helpers.append(helper)
            inside = _names_of(known[helper])
            used |= inside
            waiting += sorted(inside & known.keys() - {*helpers})
    imports = [_as(line, names.own.get(alias, alias), alias) for alias, line in modules.items() if alias in used]
    return imports, [names.text(known[helper].strip("\n")) for helper in helpers]


def carried(target: str, arguments: Sequence[str]) -> str:
    """The text of `_carried(arguments)`, which makes one of `_value` and `_VJPS`; none for numpy."""
    text: str = getattr(target_module(target), "CARRIED", "").strip("\n")
    lines: list[str] = []
    for line in text.split("\n"):
        head, every, tail = line.partition("(EVERY)")
        word = head.lstrip()
        lines += source_layout.signature(word, arguments, tail, len(head) - len(word)) if every else [line]
    return "\n".join(lines)


def kernel_text(target: str, slopes: Sequence[str | None]) -> str:
    """The text that makes one function of `value` and, for each argument, a function for the gradient, or None."""
    text = carried(target, [f"a{place}" for place in range(len(slopes))])
    table = ", ".join(f"lambda *given: {slope}(*given)[0]" if slope else "None" for slope in slopes)
    return f"_VJPS = ({table},)\n" + text.replace("_value(", "value(") if text else ""


@cache
def _names_of(text: str) -> frozenset[str]:
    return frozenset(_names_in([ast.parse(text)]))


@cache
def _outside(target: str) -> frozenset[str]:
    """What modules of a target refer to: builtins, and helper functions."""
    home = target_module(target)
    texts = (*home.HELPERS.values(), getattr(home, "CARRIED", ""), "ValueError, len, max, super, isinstance, tuple")
    used = {name for text in texts for name in _names_of(text)} & {*dir(builtins)}
    return frozenset({*used, *home.HELPERS})


def _as(line: str, new: str, old: str) -> str:
    return line if new == old else f"{line.removesuffix(f' as {old}')} as {new}"


def module(functions: Sequence[Function], target: str, text: str = "") -> ast.Module:
    """A module with its imports, the helpers that are called, the functions, and at its end what a text defines."""
    names = settle(functions, target)
    imports, helpers = surroundings(functions, target, names, (text,))
    body = statements("\n".join([*imports, *helpers]))
    body += [*(function.tree for function in functions), *statements(names.text(text))]
    return ast.fix_missing_locations(ast.Module(body, []))

"""The stages of the compiler, in order, on one page.

    text ─► tree ─► loss ─► stable ─► gradient ─► numpy, tensorflow

Each stage is kept by name, so that `lossdsl show NAME --stage STAGE` can print it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from lossdsl import catalog
from lossdsl.frontend import syntax
from lossdsl.frontend.parse import parse
from lossdsl.frontend.resolve import declared, resolve
from lossdsl.ir import build as b
from lossdsl.ir.axes import names
from lossdsl.ir.expr import Call, Expr
from lossdsl.ir.loss import Argument, InputSpec, Loss, ParameterSpec
from lossdsl.ir.meets import Home, Need, meetings, needs
from lossdsl.ir.mixing import mixes_elements, mixes_samples
from lossdsl.ir.ranges import Ranges, ranges
from lossdsl.ir.text import definitions, formula
from lossdsl.source import Source
from lossdsl.targets import TARGETS as TARGETS
from lossdsl.targets import code
from lossdsl.targets.layout import is_flexible
from lossdsl.transform.canonical import canonical
from lossdsl.transform.gradient import gradient, is_by_sample, seed_for
from lossdsl.transform.guard import guarded
from lossdsl.transform.passes import COMPUTE, LINK, LOWER, MASKS, STABILIZE, VALUE, through
from lossdsl.transform.places import placeless, whole
from lossdsl.transform.products import affine_choices
from lossdsl.transform.readable import readable
from lossdsl.transform.simplify import Proposal, simplified

_VALUE_PASSES = tuple(one.name for one in VALUE)
STAGES = ("text", "tree", "loss", "latex", *_VALUE_PASSES, "stable", "proposals", "gradient", *TARGETS)
"""What `lossdsl show` prints: of the passes (see `transform.passes`), the value after each."""


@lru_cache(64)
def parsed(source: Source) -> syntax.FileText:
    """The syntax tree of a text; of one that was read not long ago, the same."""
    return parse(source)


def parameters(file: syntax.FileText) -> tuple[ParameterSpec, ...]:
    """The parameters that a file's loss declares (or, for a bare formula, implies)."""
    return declared(file)[1]


def builtin(name: str) -> syntax.FileText | None:
    """The syntax tree of a built-in loss."""
    source = catalog.read(name)
    return None if source is None else parsed(source)


def program(
    file: syntax.FileText, settled: Mapping[str, bool | int] | None = None, free: Collection[str] = ()
) -> Program:
    """Everything that is made of a file, given its `bool` and `int` parameters; made when it is asked for.

    Those `int` parameters that are `free` stay symbols, of which nothing is known but what is required.
    """
    return Program(file, resolve(file, settled, builtin, catalog.known, free))


@dataclass(frozen=True)
class Program:
    """A loss and its later stages."""

    file: syntax.FileText
    loss: Loss

    def bound(self, values: Mapping[str, float]) -> Program:
        """The same loss with numbers in place of parameters, so that what they settle is settled now.

        Where too much would be settled, so that nothing is left to sum over, it is this loss as it is.
        """
        put: dict[Expr, Expr] = {
            one.node: b.const(values[one.name]) for one in self.loss.parameters if one.name in values
        }
        if not b.keeps_axes(self.loss.value, put) or not b.keeps_axes(self.loss.result, put):
            return self
        loss = replace(
            self.loss,
            value=b.substitute(self.loss.value, put),
            result=b.substitute(self.loss.result, put),
            parameters=tuple(one for one in self.loss.parameters if one.name not in values),
        )
        return Program(self.file, loss)

    @cached_property
    def placeless(self) -> Program | None:
        """The same loss for inputs that have no places; None if it takes several places together."""
        found = placeless(self.loss)
        return None if found is None else Program(self.file, found)

    @cached_property
    def whole(self) -> Program | None:
        """The same loss for inputs that are one sample, of any shape; None if its axes matter to it."""
        found = whole(self.loss)
        return None if found is None else Program(self.file, found)

    @cached_property
    def is_flexible(self) -> bool:
        """Whether one code serves inputs of every rank, with places and without."""
        return is_flexible((self.loss.result,))

    @cached_property
    def latex(self) -> str:
        """The loss as a LaTeX formula, as its author wrote it, without delimiters."""
        from lossdsl.targets.latex import latex  # here and in `emitted`: a check needs neither

        return latex(self.loss)

    @cached_property
    def known(self) -> Ranges:
        """What is known of the values of expressions."""
        return ranges(self.loss)

    @cached_property
    def stable(self) -> Expr:
        """The loss in the form that keeps its digits, and from which the gradient is taken."""
        return self._stabilized(self.loss.result)

    def _stabilized(self, expr: Expr) -> Expr:
        (found,) = through((*MASKS, *STABILIZE, *LINK), (expr,), self.known)
        return found

    @cached_property
    def value(self) -> Expr:
        """The form in which the value is computed: the late rules have been used too."""
        (found,) = through(LOWER, (self.stable,), self.known)
        return found

    @cached_property
    def gradients(self) -> dict[InputSpec, tuple[Expr, ...]]:
        """The gradient of the sum of all values in each real input, one expression a component."""
        return self._gradients()

    @cached_property
    def pullbacks(self) -> dict[InputSpec, tuple[Expr, ...]]:
        """The same, of the sum of values each times its own upstream derivative."""
        seed = seed_for(self.stable)
        leaves = {node for spec in self.loss.inputs if spec.is_real for node in spec.nodes}
        if is_by_sample(self.stable, leaves):
            found = {spec: tuple(b.mul(seed, expr) for expr in exprs) for spec, exprs in self.gradients.items()}
        else:
            found = self._gradients(seed)
        return {spec: self._in_few_passes(exprs) for spec, exprs in found.items()}

    @cached_property
    def parameter_pullbacks(self) -> dict[ParameterSpec, tuple[Expr, ...]]:
        """The same for the numbers, vectors and matrices that the loss takes, which a model may learn."""
        open_ones = [one for one in self.loss.parameters if one.name not in self.loss.settled]
        found = gradient(self.stable, [one.node for one in open_ones], seed_for(self.stable))
        slopes = {one: through(LOWER, (found[one.node],), self.known) for one in open_ones}
        return {one: self._in_few_passes(self._believing(exprs)) for one, exprs in slopes.items()}

    def _in_few_passes(self, exprs: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Gradients as they are computed on large tensors."""
        return through(COMPUTE, exprs, self.known)

    @cached_property
    def written_slopes(self) -> tuple[Expr, ...]:
        """The derivative in the prediction of the loss as its author wrote it: what errors are measured against."""
        nodes = self.loss.prediction.nodes
        found = gradient(self.loss.result, nodes)
        return tuple(found[node] for node in nodes)

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether the loss is the average of a loss that each element of the last axis has by itself."""
        value = self.loss.value
        return value is not self.loss.result and not mixes_elements(value) and not mixes_samples(value)

    @cached_property
    def element_gradients(self) -> dict[InputSpec, tuple[Expr, ...]]:
        """The gradient of the loss of each element, before the average; if the loss is not elementwise, `gradients`."""
        if not self.is_elementwise:
            return self.gradients
        value = self._stabilized(self.loss.value)
        return self._by_input(self._refined(*self._slopes(value, b.ONE)))

    @cached_property
    def readable_gradients(self) -> dict[InputSpec, tuple[Expr, ...]]:
        """The same as `element_gradients`, in a form for readers instead of one for digits."""
        value = self.loss.value if self.is_elementwise else self.loss.result
        (plain,) = canonical(through(STABILIZE, (value,), self.known))
        slopes, _ = simplified(canonical(self._slopes(plain, b.ONE, guards=False)), self.known)
        return self._by_input(readable(slopes, self.loss.names))

    def _gradients(self, seed: Expr = b.ONE) -> dict[InputSpec, tuple[Expr, ...]]:
        return self._by_input(self._refined(*self._slopes(self.stable, seed)))

    def _slopes(self, value: Expr, seed: Expr, *, guards: bool = True) -> tuple[Expr, ...]:
        """The derivative in each component of each real input."""
        leaves = [node for spec in self.loss.inputs if spec.is_real for node in spec.nodes]
        slopes = gradient(value, leaves, seed, guards=guards)
        return tuple(slopes[leaf] for leaf in leaves)

    def _believing(self, exprs: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The expressions without the guards of divisors that parameters alone make, where `require` excludes 0."""

        def change(node: Expr) -> Expr:
            if isinstance(node, Call) and node.op.name == "div" and isinstance(node.args[1], Call):
                op, divisor = node.args[1].op, node.args[1].args
                is_guard = op.name == "where" and divisor[2] is b.ONE and divisor[1].is_static
                if is_guard and self.known[divisor[1]].is_nonzero:
                    return b.div(node.args[0], divisor[1])
            return node

        return b.mapped(exprs, change)

    def _refined(self, *slopes: Expr) -> tuple[Expr, ...]:
        return canonical(self._believing(simplified(through(LOWER, slopes, self.known), self.known)[0]))

    def _by_input(self, exprs: Iterable[Expr]) -> dict[InputSpec, tuple[Expr, ...]]:
        found = iter(exprs)
        return {spec: tuple(next(found) for _ in spec.nodes) for spec in self.loss.inputs if spec.is_real}

    @cached_property
    def proposals(self) -> list[Proposal]:
        """What sympy proposed for the gradients, and what became of it."""
        return simplified(through(LOWER, self._slopes(self.stable, b.ONE), self.known), self.known)[1]

    @cached_property
    def meetings(self) -> list[frozenset[Home]]:
        """The sets of places, (input, axis), and of slices of them that must have one length."""
        return meetings(self.loss.result, {axis: leaf.name for axis, leaf in self.loss.measures.items()})

    @cached_property
    def needs(self) -> list[Need]:
        """How many elements there must be."""
        return needs(self.loss.result)

    def module(self, target: str) -> ast.Module:
        """Python for a target: `value`, and `gradient_NAME` and `pullback_NAME` for each real input."""
        gradients = [self._gradient_function(spec, target) for spec in self.gradients]
        return code.module([self._value_function(target), *gradients, *self._pullback_functions(target)], target)

    def value_module(self, target: str) -> ast.Module:
        """The same with `value` alone: the gradient is not worked out for it."""
        return code.module([self._value_function(target)], target)

    def gradient_module(self, target: str, spec: InputSpec) -> ast.Module:
        """The same with the gradient in one real input alone."""
        return code.module([self._gradient_function(spec, target)], target)

    def _value_function(self, target: str) -> code.Function:
        (value,) = guarded((self.value,), self.known)
        return code.value_function(self.loss, value, target)

    def _gradient_function(self, spec: InputSpec, target: str) -> code.Function:
        safe = guarded(self.gradients[spec], self.known)
        return code.gradient_function(self.loss, [(spec, safe)], target, f"gradient_{spec.identifier}")

    def kernel(self, target: str) -> ast.Module:
        """What a tensor library runs: `value`, `pullback_NAME` for each real input, and the two in one: `_carried`."""
        (value,) = guarded(affine_choices((self.value,)), self.known)
        traced = target != "numpy"
        found = [code.value_function(self.loss, value, target, traced=traced)]
        found += self._pullback_functions(target, traced)
        inputs = [f"pullback_{one.identifier}" if one.is_real else None for one in self.loss.inputs]
        parameters = len([one for one in self.loss.parameters if one.name not in self.loss.settled])
        return code.module(found, target, code.kernel_text(target, inputs, parameters))

    def _pullback_functions(self, target: str, traced: bool = False) -> list[code.Function]:
        seed = seed_for(self.stable)
        return [
            code.gradient_function(
                self.loss, [(spec, guarded(exprs, self.known))], target, f"pullback_{spec.identifier}", seed, traced
            )
            for spec, exprs in self.pullbacks.items()
        ]

    def emitted(self, target: str, defaults: Mapping[str, object]) -> str:
        """A module of its own for a target, with the parameters' values as defaults."""
        from lossdsl.targets import emit

        # numpy differentiates nothing: there the gradient is a function, elsewhere it goes with the value.
        found: list[tuple[Argument, tuple[Expr, ...]]] = []
        if target == "numpy":
            found += self.gradients.items()
        else:
            found += [*self.pullbacks.items(), *self.parameter_pullbacks.items()]
        return emit.emitted(
            emit.Emission(
                loss=self.loss,
                value=guarded((self.value,), self.known)[0],
                gradients=[(spec, guarded(exprs, self.known)) for spec, exprs in found],
                requirements=[(one.span.text, one.condition) for one in self.loss.requirements],
                meetings=self.meetings,
                defaults=defaults,
                seed=None if target == "numpy" else seed_for(self.stable),
            ),
            target,
        )

    def emitted_gradient(self, spec: InputSpec, target: str, defaults: Mapping[str, object]) -> str:
        """A module of its own for a target with the gradient in one input, that of `element_gradients`."""
        from lossdsl.targets import emit

        safe = guarded(self.element_gradients[spec], self.known)
        return emit.gradient_alone(self.loss, spec, safe, target, defaults, self.is_elementwise)

    def requirements(self) -> ast.Module:
        """Python that tells of each requirement whether it holds."""
        conditions = [requirement.condition for requirement in self.loss.requirements]
        return code.module([code.condition_function(self.loss, conditions)], "numpy")

    def show(self, stage: str) -> str:
        """A stage as text."""
        if stage == "text":
            return self.loss.source.text.rstrip("\n")
        if stage == "tree":
            return _tree(self.file)
        if stage == "loss":
            return _loss(self.loss, self.loss.result)
        if stage == "latex":
            return self.latex
        if stage == "stable":
            return "\n".join(definitions(self.value, self.loss.names))
        if stage in _VALUE_PASSES:
            passes = VALUE[: _VALUE_PASSES.index(stage) + 1]
            (found,) = through(passes, (self.loss.result,), self.known)
            return "\n".join(definitions(found, self.loss.names))
        if stage == "proposals":
            return "\n\n".join(map(str, self.proposals)) or "none"
        if stage == "gradient":
            lines = []
            for spec, exprs in self.gradients.items():
                for node, expr in zip(spec.nodes, exprs, strict=True):
                    *before, last = definitions(expr)
                    lines += [f"# d/d{node.name}", *before, last]
            return "\n".join(lines)
        return ast.unparse(self.module(stage))


def _loss(loss: Loss, value: Expr) -> str:
    """The resolved loss: its inputs and parameters with their axes, and what it computes."""
    lines = [f"loss {loss.name}"]
    for spec in loss.inputs:
        kind = spec.layout if spec.is_label else " ".join(word for word in (spec.domain, spec.layout) if word)
        lines.append(f"  input {spec.name}: {kind}; axes {names(spec.over)}")
    for parameter in loss.parameters:
        settled = f" = {loss.settled[parameter.name]}" if parameter.name in loss.settled else ""
        lines.append(f"  parameter {parameter.name}: {parameter.kind}{settled}")
    lines += [f"  require {formula(requirement.condition)}" for requirement in loss.requirements]
    lines += [f"  {line}" for line in definitions(value)]
    lines.append(f"  axes of the result: {names(value.axes)}")
    return "\n".join(lines)


def _tree(node: object, depth: int = 0) -> str:
    """A syntax tree, one node a line, with its place."""
    pad = "  " * depth
    if isinstance(node, syntax.FileText):
        return "\n".join(_tree(loss, depth) for loss in node.losses)
    if isinstance(node, syntax.LossText):
        parts = [part for part in (node.header, *node.lines) if part is not None]
        return "\n".join([f"{pad}LossText", *(_tree(part, depth + 1) for part in parts)])
    if isinstance(node, syntax.Node):
        own = []
        below = []
        for field in node.__dataclass_fields__:
            value = getattr(node, field)
            if field == "span":
                continue
            if isinstance(value, syntax.Node | tuple):
                below.append(_tree(value, depth + 1))
            elif value is not None:
                own.append(f"{value}")
        place = f"{node.span.line}:{node.span.column}"
        head = f"{pad}{type(node).__name__} {' '.join(own)}".rstrip()
        return "\n".join([f"{head}  @{place}", *(text for text in below if text)])
    if isinstance(node, tuple):
        return "\n".join(text for text in (_tree(part, depth) for part in node) if text)
    return f"{pad}{node}" if node is not None else ""

"""The stages of the compiler, in order, on one page.

    text ─► tree ─► loss ─► stable ─► gradient ─► numpy, tensorflow

Each stage is kept by name, so that `lossdsl show NAME --stage STAGE` can print it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lossdsl import catalog
from lossdsl.errors import LossError
from lossdsl.frontend import syntax
from lossdsl.frontend.linking import linked
from lossdsl.frontend.resolve import declared, resolve
from lossdsl.garbage import uncollected
from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Expr, Gather, Input, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Argument, Loss, ParameterSpec
from lossdsl.ir.meets import Home, LeastLength, meetings, named_by, needs, reads
from lossdsl.ir.mixing import mixes_elements, mixes_samples
from lossdsl.ir.ranges import Ranges, ranges
from lossdsl.source import Source
from lossdsl.stages import STAGES as STAGES
from lossdsl.stages import shown
from lossdsl.targets import TARGETS as TARGETS
from lossdsl.targets import code, differentiates, own_emitter, twin_code
from lossdsl.targets.layout import is_flexible
from lossdsl.targets.some_samples import Rows, by_rows
from lossdsl.transform.by_value import by_value
from lossdsl.transform.canonical import cancels_in_conditions, canonical
from lossdsl.transform.fewer_passes import affine_choices, signs_in_divisors
from lossdsl.transform.gradient import DIRECTION, gradient, is_by_sample, seed_for, without_slope
from lossdsl.transform.guard import believing, guarded
from lossdsl.transform.passes import AS_WRITTEN, COMPUTE, LINK, LOWER, MASKS, STABILIZE, Pass, through
from lossdsl.transform.places import placeless, whole
from lossdsl.transform.readable import readable
from lossdsl.transform.reader_rules import size
from lossdsl.transform.signs import signs_outside
from lossdsl.transform.simplify import Proposal, simplified

if TYPE_CHECKING:
    from lossdsl.targets.emission import Emission


@lru_cache(64)
def parsed(source: Source) -> syntax.FileText:
    """The syntax tree of a text and the files that it uses; of one that was read not long ago, the same."""
    return linked(source)


def inputs(file: syntax.FileText) -> tuple[InputSpec, ...]:
    """The inputs that a file's loss declares (or, for a bare formula, implies)."""
    return declared(file)[0]


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
    loss = resolve(file, settled, builtin, catalog.known, free)
    node = without_slope(loss.result, loss.prediction.nodes)
    if node is not None:
        message = f"`{node.op.name}` has no slope in what depends on the prediction here"
        hint = "only a target or a parameter can stand there, or `stop(…)` around it, through which no gradient goes"
        raise LossError(message, loss.spans.get(node), hint)
    return Program(file, loss)


@dataclass(frozen=True)
class Program:
    """A loss and its later stages."""

    file: syntax.FileText
    loss: Loss

    def bound(self, values: Mapping[str, float]) -> Program:
        """The same loss with numbers in place of parameters, so that what they settle is settled now.

        Where too much would be settled, so that nothing is left to sum over, it is this loss as it is.
        """
        known = [one for one in self.loss.parameters if one.name in values]
        put: dict[Expr, Expr] = {one.node: b.const(values[one.name]) for one in known}
        if not b.keeps_axes(self.loss.value, put) or not b.keeps_axes(self.loss.result, put):
            return self
        loss = replace(
            self.loss,
            value=b.substitute(self.loss.value, put),
            result=b.substitute(self.loss.result, put),
            requirements=tuple(
                replace(one, condition=b.substitute(one.condition, put)) for one in self.loss.requirements
            ),
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
        known = ranges(self.loss)
        known.keeps_conditions = cancels_in_conditions(self.loss.result, known)
        return known

    @cached_property
    def stable(self) -> Expr:
        """The loss in the form that keeps its digits, and from which the gradient is taken."""
        return self._stabilized(self.loss.result)

    def _stabilized(self, expr: Expr) -> Expr:
        (found,) = through((*MASKS, *STABILIZE, *LINK), (expr,), self.known)
        return b.spread(found, expr.axes - found.axes)  # where all that varied along an axis cancelled

    @cached_property
    def value(self) -> Expr:
        """The form in which the value is computed: the late rules have been used too."""
        (found,) = through(LOWER, (self.stable,), self.known)
        return b.spread(found, self.stable.axes - found.axes)

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
        open_ones = self.loss.open
        found = gradient(self.stable, [one.node for one in open_ones], seed_for(self.stable))
        slopes = {one: through(LOWER, (found[one.node],), self.known) for one in open_ones}
        return {one: self._in_few_passes(believing(exprs, self.known)) for one, exprs in slopes.items()}

    def _in_few_passes(self, exprs: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Gradients as they are computed on large tensors."""
        return through(COMPUTE, exprs, self.known)

    def second_derivatives(self, spec: InputSpec) -> tuple[tuple[Expr, ...], InputSpec]:
        """For each component of an input, the matrix of its second derivatives times a vector, and these vectors.

        The matrix is that of the sum of all values. Where the loss takes no elements together it is diagonal, and is
        had by a vector of ones. The vectors are packed as the input is.
        """
        slopes = gradient(self.stable, spec.nodes)
        directions = tuple(Input(f"{DIRECTION}{node.name}", node.axes) for node in spec.nodes)
        products = [
            gradient(b.mul(slopes[node], direction), [node])[node] if slopes[node] is not b.ZERO else b.ZERO
            for node, direction in zip(spec.nodes, directions, strict=True)
        ]
        return self._refined(*products), replace(spec, nodes=directions)

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
        forms = [self._readable(passes) for passes in (STABILIZE, AS_WRITTEN)]
        return self._by_input(min(each, key=size) for each in zip(*forms, strict=True))

    def _readable(self, passes: tuple[Pass, ...]) -> tuple[Expr, ...]:
        """The slopes that readers get of the loss after some passes."""
        value = self.loss.value if self.is_elementwise else self.loss.result
        (plain,) = canonical(through(passes, (value,), self.known), self.known)
        slopes, _ = simplified(canonical(self._slopes(plain, b.ONE, guards=False), self.known), self.known)
        return tuple(readable(slope, self.loss.names, self.known) for slope in slopes)

    def _gradients(self, seed: Expr = b.ONE) -> dict[InputSpec, tuple[Expr, ...]]:
        return self._by_input(self._refined(*self._slopes(self.stable, seed)))

    def _slopes(self, value: Expr, seed: Expr, *, guards: bool = True) -> tuple[Expr, ...]:
        """The derivative in each component of each real input."""
        leaves = [node for spec in self.loss.inputs if spec.is_real for node in spec.nodes]
        slopes = gradient(value, leaves, seed, guards=guards)
        return tuple(slopes[leaf] for leaf in leaves)

    def _refined(self, *slopes: Expr) -> tuple[Expr, ...]:
        lowered = simplified(through(LOWER, slopes, self.known), self.known)[0]
        return signs_outside(canonical(believing(lowered, self.known), self.known))

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
    def needs(self) -> list[LeastLength]:
        """How many elements there must be."""
        return [*needs(self.loss.result), *reads(self.loss.result)]

    @cached_property
    def class_label(self) -> str | None:
        """The label that names one of the prediction's elements along the last axis, if one does."""
        reads = (node for node in walk(self.loss.result) if isinstance(node, Gather) and node.axis.is_last)
        of_prediction = (node for node in reads if b.depends(node.arg, self.loss.prediction.nodes))
        return next((label.name for node in of_prediction if (label := named_by(node)) is not None), None)

    @uncollected
    def module(self, target: str) -> ast.Module:
        """Python for a target: `value`, and `gradient_NAME` and `pullback_NAME` for each real input."""
        gradients = [self._gradient_function(spec, target) for spec in self.gradients]
        return code.module([self._value_function(target), *gradients, *self._pullback_functions(target)], target)

    @uncollected
    def value_module(self, target: str) -> ast.Module:
        """The same with `value` alone: the gradient is not worked out for it."""
        return code.module([self._value_function(target)], target)

    @uncollected
    def twin_module(self, spec: InputSpec | None, *, has_value: bool) -> tuple[ast.Module, Rows | None]:
        """Python for numpy: `twin`, the value, the gradient in an input, or both, for some samples.

        Beside it stands what is needed of all samples first, functions of their own, whose results are arguments of
        `twin` between inputs and parameters; None if all samples are needed at once.
        """
        value = guarded((self.value,), self.known) if has_value else ()
        found = signs_in_divisors(self.gradients[spec]) if spec else ()
        slopes = guarded(found, self.known)
        return twin_code.module(self.loss, value, spec, slopes)

    @uncollected
    def second_module(self, target: str, spec: InputSpec) -> ast.Module:
        """The same with `second`, the product of the second derivatives in an input with one more behind the inputs."""
        found, directions = self.second_derivatives(spec)
        given = replace(self.loss, inputs=(*self.loss.inputs, directions))
        made = code.gradient_function(given, [(spec, guarded(found, self.known))], target, "second")
        return code.module([made], target)

    def _value_function(self, target: str) -> code.Function:
        (value,) = guarded((self.value,), self.known)
        return code.value_function(self.loss, value, target)

    def _gradient_function(self, spec: InputSpec, target: str) -> code.Function:
        safe = guarded(self.gradients[spec], self.known)
        return code.gradient_function(self.loss, [(spec, safe)], target, f"gradient_{spec.identifier}")

    @uncollected
    def kernel(self, target: str, live: Collection[str] = ()) -> ast.Module:
        """What a tensor library runs: `value`, `pullback_NAME` for each real input, and the two in one: `_carried`.

        Parameters that are `live` have one, too: `parameter_pullback_NAME`.
        """
        (value,) = guarded(affine_choices((self.value,)), self.known)
        traced = differentiates(target)
        arrays = code.summed_arrays(target, value, guarded(self.pullbacks[self.loss.prediction], self.known))
        found = [code.value_function(self.loss, value, target, traced=traced, arrays=arrays)]
        found += self._pullback_functions(target, traced, live, arrays)
        slopes = [f"pullback_{one.identifier}" if one.is_real else None for one in self.loss.inputs]
        slopes += [f"parameter_pullback_{one.name}" if one.name in live else None for one in self.loss.open]
        return code.module(found, target, code.kernel_text(target, slopes))

    @uncollected
    def joint_module(self, target: str, wanted: Collection[InputSpec]) -> ast.Module:
        """The same with `value_and_pullbacks`: the value, and what pulls back into the inputs that are wanted.

        Those share what they have in common, and nothing is kept longer than it is needed.
        """
        slopes = [(spec, guarded(exprs, self.known)) for spec, exprs in self.pullbacks.items() if spec in wanted]
        (value,) = guarded(affine_choices((self.value,)), self.known)
        made = code.joint_function(
            self.loss, value, slopes, target, "value_and_pullbacks", seed_for(self.stable), differentiates(target)
        )
        return code.module([made], target)

    @uncollected
    def eager_module(self, target: str) -> ast.Module:
        """The same with `value_and_slope` for a library that runs one operation after the other.

        Of the derivative in the prediction it gives the parts of a product: a factor that each value has, by which what
        comes after is multiplied, and the rest, in the shape of the prediction.
        """
        spec = self.loss.prediction
        slope = self.pullbacks[spec][0]
        keeps_places = is_flexible((self.value, slope))
        found = by_value(slope, seed_for(self.stable), keeps_places) if len(spec.nodes) == 1 else None
        factor, *rest = found or (b.ONE, *self._in_few_passes(self.gradients[spec]))
        value, factor, *slopes = guarded((*affine_choices((self.value,)), factor, *rest), self.known)
        made = code.scaled_function(self.loss, value, factor, (spec, tuple(slopes)), target, "value_and_slope")
        return code.module([made], target)

    @cached_property
    def is_by_rows(self) -> bool:
        """Whether the value of a sample and the derivative in its prediction need no other sample."""
        found = by_rows(self.loss, (self.value, *self.gradients[self.loss.prediction]))
        return found is not None and not found.before and BATCH in self.value.axes & self.loss.prediction.over

    def _pullback_functions(
        self, target: str, traced: bool = False, live: Collection[str] = (), arrays: frozenset[Expr] = frozenset()
    ) -> list[code.Function]:
        seed = seed_for(self.stable)
        slopes: list[tuple[str, Argument, tuple[Expr, ...]]] = [
            (f"pullback_{spec.identifier}", spec, exprs) for spec, exprs in self.pullbacks.items()
        ]
        for one, exprs in self.parameter_pullbacks.items() if live else ():
            if one.name in live:
                slopes.append((f"parameter_pullback_{one.name}", one, exprs))
        return [
            code.gradient_function(self.loss, [(spec, guarded(exprs, self.known))], target, name, seed, traced, arrays)
            for name, spec, exprs in slopes
        ]

    @uncollected
    def emitted(self, target: str, defaults: Mapping[str, object]) -> str:
        """A module of its own for a target, with the parameters' values as defaults."""
        from lossdsl.targets import emit

        given = self._emission(target, defaults)
        own = own_emitter(target)
        return str(own.emitted(given)) if own else emit.emitted(given, target)

    @uncollected
    def callable_module(self, target: str) -> ast.Module:
        """The same to be run in place, as `loss(inputs, parameters)`; what is required of parameters is not tested."""
        from lossdsl.targets import emit

        return emit.callable_tree(replace(self._emission(target, {}), requirements=()), target)

    def _emission(self, target: str, defaults: Mapping[str, object]) -> Emission:
        from lossdsl.targets.emission import Emission

        # where nothing is differentiated, the gradient is a function; elsewhere it goes with the value
        found: list[tuple[Argument, tuple[Expr, ...]]] = []
        is_plain = not differentiates(target)
        if is_plain:
            found += self.gradients.items()
        else:
            found += [*self.pullbacks.items(), *self.parameter_pullbacks.items()]
        return Emission(
            loss=self.loss,
            value=guarded((self.value,), self.known)[0],
            gradients=[(spec, guarded(exprs, self.known)) for spec, exprs in found],
            requirements=[(one.text, one.condition) for one in self.loss.requirements],
            meetings=self.meetings,
            defaults=defaults,
            seed=None if is_plain else seed_for(self.stable),
        )

    def emitted_gradient(self, spec: InputSpec, target: str, defaults: Mapping[str, object]) -> str:
        """A module of its own for a target with the gradient in one input, that of `element_gradients`."""
        from lossdsl.targets import emit

        safe = guarded(self.element_gradients[spec], self.known)
        own = own_emitter(target)
        if own:
            return str(own.gradient_alone(self.loss, spec, safe, defaults, self.is_elementwise))
        return emit.gradient_alone(self.loss, spec, safe, target, defaults, self.is_elementwise)

    def requirements(self) -> ast.Module:
        """Python that tells of each requirement whether it holds."""
        conditions = [requirement.condition for requirement in self.loss.requirements]
        return code.module([code.condition_function(self.loss, conditions)], "numpy")

    def show(self, stage: str) -> str:
        """A stage of STAGES as text."""
        return shown(self, stage)

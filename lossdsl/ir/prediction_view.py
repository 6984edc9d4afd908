"""A loss as a function of its prediction: what the analysis works on, and the way back to what the author wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, NONE
from lossdsl.ir.bounds import NONNEGATIVE, REALS, Bounds
from lossdsl.ir.expr import Expr, Gather, Input, Length, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.mixing import is_elementwise
from lossdsl.ir.raising import plain_node
from lossdsl.ir.ranges import ranges
from lossdsl.source import Span

ERROR = Input("the error t - x", NONE)
"""Stands for `t - x` in a loss that depends on the two by their difference alone."""

CASES: Mapping[str, tuple[int, ...]] = {"binary": (0, 1), "sign": (-1, 1)}
"""The values of a target that has only a few."""


@dataclass(frozen=True)
class PredictionView:
    """A loss, seen as a function of `variables`, its prediction.

    `expr` is one value of the loss, before the average over the last axis where it is `elementwise`. Where the loss
    depends on t and x by their difference alone, `moves` is true: `expr` is then in the leaf ERROR, which falls as the
    prediction grows. `leaves` has the bounds of what is left, `source` the node as the author wrote it.
    """

    loss: Loss
    expr: Expr
    variables: frozenset[Expr]
    leaves: Mapping[Expr, Bounds]
    elementwise: bool
    moves: bool
    source: Mapping[Expr, Expr]
    target_case: Fraction | None = None

    @property
    def variable(self) -> Expr | None:
        """The prediction, where it is one number."""
        return next(iter(self.variables)) if self.elementwise and len(self.variables) == 1 else None

    @property
    def fixed(self) -> frozenset[Expr]:
        """The parts that the prediction has no influence on."""
        moved: set[Expr] = set(self.variables)
        every = list(walk(self.expr))
        for node in every:
            if not isinstance(node, Length) and any(child in moved for child in node.children):
                moved.add(node)
        return frozenset(node for node in every if node not in moved)

    def span(self, node: Expr) -> Span | None:
        """Where a part stands in the source."""
        wanted = self.source.get(node, node)
        if wanted in self.loss.spans:
            return self.loss.spans[wanted]
        for parent in walk(self.loss.value):  # what the language wrote out has the place of what it stands in
            if wanted in parent.children and parent in self.loss.spans:
                return self.loss.spans[parent]
        return None

    def written(self, expr: Expr) -> Expr:
        """An expression in the author's inputs."""
        return b.substitute(expr, {ERROR: self._difference()}) if self.moves else expr

    def _difference(self) -> Expr:
        target = self.loss.target
        assert target is not None
        return b.sub(target.nodes[0], self.loss.prediction.nodes[0])


def views(loss: Loss, given: Mapping[Expr, Expr] | None = None) -> list[PredictionView]:
    """The loss as a function of its prediction; one for each value of a target that has only a few.

    `given` has numbers to put in for parameters.
    """
    known = ranges(loss)
    leaves: dict[Expr, Bounds] = {}
    for spec in loss.inputs:
        leaves |= dict.fromkeys(spec.nodes, REALS if spec.is_real else NONNEGATIVE)
        leaves |= {part.node: part.bounds for part in spec.parts if spec.is_real}
    leaves |= {spec.node: known[spec.node] for spec in loss.parameters}
    prediction = frozenset(loss.prediction.nodes)
    elementwise = is_elementwise(loss.value, loss.prediction.nodes)
    expr, source = _traced(loss.value if elementwise else loss.result)
    if given:
        expr, source = _exchanged(expr, dict(given), source)
    target = loss.target
    if elementwise and target is not None and len(target.nodes) == 1 and target.domain in CASES:
        return [
            _view(loss, expr, source, prediction, leaves, elementwise, Fraction(case)) for case in CASES[target.domain]
        ]
    return [_view(loss, expr, source, prediction, leaves, elementwise, None)]


def _view(
    loss: Loss,
    expr: Expr,
    source: Mapping[Expr, Expr],
    prediction: frozenset[Expr],
    leaves: Mapping[Expr, Bounds],
    elementwise: bool,
    case: Fraction | None,
) -> PredictionView:
    if case is not None:
        assert loss.target is not None
        expr, source = _exchanged(expr, {loss.target.nodes[0]: b.const(case)}, source)
    if elementwise and len(prediction) == 1 and loss.target is not None and len(loss.target.nodes) == 1:
        (x,) = prediction
        t = loss.target.nodes[0]
        if leaves.get(x, Bounds()) == Bounds() and leaves.get(t) == Bounds():
            difference = {b.sub(t, x): ERROR, b.sub(x, t): b.neg(ERROR)}
            moved, origin = _exchanged(expr, difference, source)
            if not b.depends(moved, (x, t)) and b.depends(moved, (ERROR,)):
                return PredictionView(loss, moved, frozenset({ERROR}), leaves, True, True, origin, case)
    return PredictionView(loss, expr, prediction, leaves, elementwise, False, source, case)


COUPLED = frozenset({"simplex", "logprob", "onehot", "unit"})
"""The kinds in which the elements of a sample must fit each other."""


def stands_alone(loss: Loss) -> bool:
    """Whether one element makes an admissible input by itself, so that the loss may be tried on it alone."""
    coupled = any(LAST in spec.over and not COUPLED.isdisjoint(spec.domains) for spec in loss.inputs)
    return not coupled and not any(isinstance(node, Gather) for node in walk(loss.value))


def _traced(expr: Expr) -> tuple[Expr, dict[Expr, Expr]]:
    """The plain form, and for each of its nodes the one that it was made from."""
    source: dict[Expr, Expr] = {}
    done: dict[Expr, Expr] = {}
    for node in walk(expr):
        done[node] = plain_node(b.rebuild(node, tuple(done[child] for child in node.children)))
        source.setdefault(done[node], node)
    return done[expr], source


def _exchanged(
    expr: Expr, replacements: dict[Expr, Expr], source: Mapping[Expr, Expr]
) -> tuple[Expr, dict[Expr, Expr]]:
    origin: dict[Expr, Expr] = {}
    done: dict[Expr, Expr] = dict(replacements)
    for node in walk(expr):
        if node not in done:
            done[node] = b.rebuild(node, tuple(done[child] for child in node.children))
        origin.setdefault(done[node], source.get(node, node))
    return done[expr], origin

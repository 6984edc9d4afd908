"""Where operations may leave their domain at single predictions: what is 0 there, taken apart into factors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.prediction_view import PredictionView
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.traits import Trait
from lossdsl.prove.assumptions import Assumptions, gaps
from lossdsl.prove.rational_field import TooLarge, atoms_in, factored
from lossdsl.prove.rational_functions import NormalForms


@dataclass(frozen=True)
class DomainEdge:
    """An operation that has no value where `factor` is 0.

    `vertex` is the prediction at which a factor of degree 2 in it turns: its zeros lie on either side.
    """

    node: Call
    factor: Expr
    vertex: Expr | None = None


def domain_edges(view: PredictionView, assumptions: Assumptions) -> Iterator[DomainEdge]:
    """The edges that some prediction may be on, as far as bounds tell; of a loss of one number."""
    leaf = view.variable
    if leaf is None:
        return
    bounds = assumptions.composition(None).bounds
    moved = [node for node in walk(view.expr) if isinstance(node, Call) and node not in view.fixed]
    levels = [(node, level) for node in moved for level in _levels(node) if not bounds(level).is_nonzero]
    for node, level in levels:
        for factor in _factors(level, assumptions.forms):
            if b.depends(factor, (leaf,)):
                yield DomainEdge(node, factor, _vertex(factor, leaf, assumptions.forms))


def tensor_edges(root: Expr, leaves: Collection[Expr], known: Ranges) -> Iterator[DomainEdge]:
    """The same of a loss over whole tensors, whose prediction are some leaves."""
    forms = NormalForms()
    nodes = [node for node in walk(root) if isinstance(node, Call) and b.depends(node, leaves)]
    levels = [(node, level) for node in nodes for level in _levels(node) if not known[level].is_nonzero]
    for node, level in levels:
        for factor in _factors(level, forms):
            if b.depends(factor, leaves):
                yield DomainEdge(node, factor)


def _levels(node: Call) -> list[Expr]:
    """What is 0 where an operation has no value, though it may have one on either side."""
    name, args = node.op.name, node.args
    if name in ("div", "xlogy"):
        return [args[1]]
    if name == "pow":
        exponent = b.exact(args[1])
        return [args[0]] if exponent is None or exponent < 0 else []
    if name == "tan":
        return [b.call("cos", args[0])]
    if node.op.trait is None:
        return []
    return [gap for gap, is_open in gaps(args[0], node.op.trait.domain) if is_open]


def _factors(level: Expr, forms: NormalForms) -> Iterator[Expr]:
    """Expressions one of which is 0 wherever a level is."""
    try:
        polynomials = [factor for factor, _ in factored(forms.of(level).top)[1]]
        parts = [forms.expr(forms.of_polynomial(one)) for one in polynomials]
    except TooLarge:
        parts = [level]
    for part in parts:
        if isinstance(part, Call) and (part.op.name == "pow" or (part.op.trait or Trait()).is_zero_with):
            yield from _factors(part.args[0], forms)
        else:
            yield part


def _vertex(factor: Expr, leaf: Expr, forms: NormalForms) -> Expr | None:
    """The prediction at which a factor a*x^2 + b*x + c has the slope 0."""
    try:
        polynomial = forms.of(factor).top
        place = atoms_in(forms.of(leaf).top)[0]
        if polynomial.degrees()[place] != 2:
            return None
        first = polynomial.derivative(place)
        twice = first.derivative(place)
        rest = first - twice * polynomial.context().gens()[place]
        return forms.expr(forms.negative(forms.div(forms.of_polynomial(rest), forms.of_polynomial(twice))))
    except TooLarge:
        return None

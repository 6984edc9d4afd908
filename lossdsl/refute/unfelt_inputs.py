"""Inputs that a loss does not feel, though they stand in it: what they add cancels, as a shift of all logits does.

Of analytic functions alone: what does not change at a few numbers in general position changes nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise

from lossdsl.ir import build as b
from lossdsl.ir.bounds import REALS
from lossdsl.ir.expr import Along, Call, Expr, Input, Reduce, walk
from lossdsl.ir.op import Kind
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.refute.agreement import is_judged, usual
from lossdsl.refute.tensor_search import finite_values

COUNT = 4
"""How many points are tried, each with the input of another one."""
_ARITHMETIC = ("add", "sub", "mul", "div", "neg", "square", "pow", "logaddexp")
_AGGREGATES = ("sum", "mean", "prod", "logsumexp", "dot", "var", "softmax", "log_softmax", "cumsum")


def unfelt_inputs(program: Program) -> Iterator[Input]:
    """The inputs of real numbers that stand in a loss and have no influence on it."""
    loss = program.loss
    if not is_judged(loss):
        return
    drawn = [usual(loss, point) for point in islice(points(loss, program.known, COUNT), COUNT)]
    pairs = [(one, other) for one, other in pairwise(drawn) if one.sizes == other.sizes]
    for spec in loss.inputs:
        for node in spec.nodes if spec.is_real and spec.domain not in _NARROW else ():
            if pairs and _is_analytic(loss.result, node) and all(_is_same(program, node, *pair) for pair in pairs):
                yield node


_NARROW = ("onehot", "simplex", "unit", "binary", "sign", "count")
"""Kinds of inputs whose values are in no general position."""


def _is_analytic(result: Expr, moved: Input) -> bool:
    """Whether an input reaches the loss by analytic functions alone."""
    if not b.depends(result, (moved,)):
        return False
    way: set[Expr] = {moved}
    for node in walk(result):
        if not any(child in way for child in node.children):
            continue
        way.add(node)
        if node.kind is not Kind.REAL:
            return False
        if isinstance(node, Call):
            trait = node.op.trait
            is_smooth = trait is not None and trait.is_continuous and not trait.corners and trait.domain == REALS
            if node.op.name not in _ARITHMETIC and not (is_smooth and node.op.name != "stop"):
                return False
        elif isinstance(node, Reduce | Along) and node.op.name not in _AGGREGATES:
            return False
    return True


def _is_same(program: Program, node: Input, point: Point, other: Point) -> bool:
    """Whether the loss at a point is the same with an input of another one."""
    if point.values[node].shape != other.values[node].shape:
        return False
    moved = Point({**point.values, node: other.values[node]}, point.sizes)
    here, there = finite_values(program.loss, point), finite_values(program.loss, moved)
    if not here or not there or not (point.values[node] != other.values[node]).any():
        return False
    tiny = mp_numbers().mpf(10) ** -30
    return all(abs(one - two) <= tiny * (1 + abs(one)) for one, two in zip(here, there, strict=True))

"""Inputs that a loss does not feel, though they stand in it: what they add cancels, as a shift of all logits does.

Of analytic functions alone: what does not change at a few numbers in general position changes nowhere. Where others are
taken of it, as an absolute value is, what they are taken of must not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, pairwise
from typing import Any

from lossdsl.ir.bounds import INF, Bounds
from lossdsl.ir.expr import Along, Call, Expr, Input, Reduce, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import Ranges
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program
from lossdsl.refute.agreement import is_judged, usual
from lossdsl.refute.tensor_search import finite_values

COUNT = 4
"""How many points are tried, each with the input of another one."""
_ARITHMETIC = ("add", "sub", "mul", "div", "pow", "logaddexp")
"""Those of several arguments that are analytic; of one, its row tells."""
_AGGREGATES = ("sum", "mean", "prod", "logsumexp", "dot", "var", "softmax", "log_softmax", "cumsum")


def unfelt_inputs(program: Program) -> Iterator[Input]:
    """The inputs of real numbers that stand in a loss and have no influence on it."""
    loss = program.loss
    if not is_judged(loss):
        return
    drawn = [usual(loss, point) for point in islice(points(loss, program.known, COUNT), COUNT)]
    pairs = [(one, other) for one, other in pairwise(drawn) if one.sizes == other.sizes]
    wide = [spec for spec in loss.inputs if spec.is_real and spec.domain not in _NARROW]
    for node in chain.from_iterable(spec.nodes for spec in wide if pairs):
        parts = _analytic_parts(loss.result, node, program.known)
        if parts and node not in parts and all(_is_same(program, parts, node, *pair) for pair in pairs):
            yield node


_NARROW = ("onehot", "simplex", "unit", "binary", "sign", "count")
"""Kinds of inputs whose values are in no general position."""


def _analytic_parts(result: Expr, moved: Input, known: Ranges) -> list[Expr]:
    """What an input reaches by analytic functions alone: the loss, or what functions with a corner are taken of."""
    way: set[Expr] = {moved}
    last: dict[Expr, None] = {}
    for node in walk(result):
        reached = [child for child in node.children if child in way]
        if reached and _is_analytic(node, known):
            way.add(node)
        else:
            last.update(dict.fromkeys(reached))
    return [*last, *([result] if result in way else [])]


def _is_analytic(node: Expr, known: Ranges) -> bool:
    if node.kind is not Kind.REAL:
        return False
    if isinstance(node, Call):
        trait = node.op.trait
        is_smooth = trait is not None and trait.is_continuous and not trait.corners
        is_smooth = is_smooth and trait is not None and known[node.args[0]].within(_inside(trait.domain))
        return node.op.name in _ARITHMETIC or (is_smooth and node.op.name != "stop")
    return isinstance(node, Reduce | Along) and node.op.name in _AGGREGATES


def _inside(domain: Bounds) -> Bounds:
    """A domain without its ends, where it has some."""
    return Bounds(domain.low, domain.high, domain.low > -INF, domain.high < INF)


def _is_same(program: Program, parts: list[Expr], node: Input, point: Point, other: Point) -> bool:
    """Whether parts of the loss are at a point the same with an input of another one."""
    if point.values[node].shape != other.values[node].shape:
        return False
    moved = Point({**point.values, node: other.values[node]}, point.sizes)
    if any(finite_values(program.loss, one) is None for one in (point, moved)):
        return False
    if not (point.values[node] != other.values[node]).any():
        return False
    here, there = _values(parts, point), _values(parts, moved)
    tiny = mp_numbers().mpf(10) ** -30
    return all(abs(one - two) <= tiny * (1 + abs(one)) for one, two in zip(here, there, strict=True))


def _values(parts: list[Expr], point: Point) -> list[Any]:
    m = mp_numbers()
    done = evaluate(parts, point.given(m), m, point.sizes)
    return [value for part in parts for value in done[part].ravel().tolist()]

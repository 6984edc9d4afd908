"""Where a loss over whole tensors, or its gradient, leaves the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from lossdsl.ir.expr import Expr, walk
from lossdsl.ir.loss import Loss
from lossdsl.oracle.interpreter import Array, evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.plain_points import PlainPoint, plain_points
from lossdsl.oracle.points import Point
from lossdsl.pipeline import Program
from lossdsl.refute.domain_errors import DomainError, escape, is_steep, may_be_steep
from lossdsl.refute.selected_parts import culprit, live_parts, shown
from lossdsl.refute.tensor_search import at as point_at

MAX_SLOPES = 3000
"""Of how many operations gradients are looked at."""
_NEAR = (Fraction(1, 10**9), Fraction(1, 10**15))
"""Which part of the way to another point is gone, to see whether a slope grows towards the first."""


def over_tensors(program: Program) -> Iterator[DomainError]:
    """One escape for each operation without a finite value, or with an infinite slope, at points that are tried.

    Only what reaches the result counts: an empty selection has the logarithm -inf, which is meant. A parameter without
    default or requirement may be anything, so nothing is said of a loss that has one.
    """
    loss = program.loss
    required = {node for one in loss.requirements for node in walk(one.condition)}
    if any(spec.default is None and spec.node not in required for spec in loss.parameters):
        return
    seen: set[Expr] = set()
    for place, plain in enumerate(tried := list(plain_points(loss, program.known))):
        done = evaluate([loss.result], plain.point.given(mp_numbers()), mp_numbers(), plain.point.sizes)
        found = _value(loss, plain, done) or _slope(program, plain, done, tried[1 - min(place, 1)].point)
        if found is not None and found.node not in seen:
            seen.add(found.node or loss.result)
            yield replace(found, why=plain.why)


def _value(loss: Loss, plain: PlainPoint, done: Mapping[Expr, Array]) -> DomainError | None:
    """The operation that leaves its domain; of a selection that is empty, the whole loss."""
    m = mp_numbers()
    bad = [value for value in done[loss.result].ravel().tolist() if not m.isfinite(value)]
    found = culprit(loss.result, done, m)
    if found is not None and (bad or found[1] == "nan"):  # nan stays in floating point
        return escape("value", loss, *found, point_at(loss, plain.point))
    if bad and plain.why:
        at, span = point_at(loss, plain.point), loss.spans.get(loss.value)
        return DomainError("value", "", "", shown(bad[0], m), at, span, loss.result)
    return None


def _slope(program: Program, plain: PlainPoint, done: Mapping[Expr, Array], other: Point) -> DomainError | None:
    """The operation whose slope makes the gradient in the prediction infinite, where the loss is finite."""
    loss = program.loss
    m = mp_numbers()
    candidates = [node for node in walk(loss.result) if may_be_steep(node)]
    if not candidates or any(not m.isfinite(value) for value in done[loss.result].ravel().tolist()):
        return None
    live = live_parts(loss.result, done)
    steep = [node for node in candidates if node in live and any(is_steep(node, done, done[node].size))]
    gradient = program.gradients.get(loss.prediction, ()) if steep else ()
    if not gradient or sum(1 for _ in walk(*gradient)) > MAX_SLOPES or plain.point.sizes != other.sizes:
        return None
    bad = [value for value in _numbers(gradient, plain.point) if not m.isfinite(value)]
    if bad:
        return escape("gradient", loss, steep[0], shown(bad[0], m), point_at(loss, plain.point))
    far, near = (_largest(gradient, _towards(loss, plain.point, other, step)) for step in _NEAR)
    if near > 10 * far > 10:
        return escape("gradient", loss, steep[0], "unbounded", point_at(loss, plain.point))
    return None


def _numbers(exprs: Sequence[Expr], point: Point) -> list[Any]:
    done = evaluate(exprs, point.given(mp_numbers()), mp_numbers(), point.sizes)
    return [value for expr in exprs for value in done[expr].ravel().tolist()]


def _largest(exprs: Sequence[Expr], point: Point) -> Any:
    """The largest slope; 0 where one is not finite."""
    m = mp_numbers()
    found = [abs(value) for value in _numbers(exprs, point)]
    return max(found) if all(map(m.isfinite, found)) else m.mpf(0)


def _towards(loss: Loss, point: Point, other: Point, step: Fraction) -> Point:
    """A point with its prediction moved a part of the way to another's."""
    moved: dict[Expr, Array] = {
        node: point.values[node] + step * (other.values[node] - point.values[node]) for node in loss.prediction.nodes
    }
    return Point({**point.values, **moved}, point.sizes)

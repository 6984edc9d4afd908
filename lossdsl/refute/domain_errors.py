"""Where a loss, or its gradient, leaves the numbers: a logarithm of 0, a division by 0, a root's infinite slope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any, TypeGuard

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind
from lossdsl.ir.text import formula
from lossdsl.ir.verdict import Number
from lossdsl.oracle.interpreter import Array, met
from lossdsl.oracle.number_systems import MpNumbers
from lossdsl.pipeline import Program
from lossdsl.refute.counterexamples import plainness
from lossdsl.refute.grid_search import KEPT, GridLine, GridSearch, Setting
from lossdsl.refute.selected_parts import infinite, rows, selected, shown
from lossdsl.source import Span

LONGEST = 60
"""Of what an operation is taken is told in at most so many characters; else its place has to tell it."""


@dataclass(frozen=True)
class DomainError:
    """An operation that leaves its domain for an admissible input.

    `of` is "value" or "gradient"; `op` the operation's name, empty where none is to blame, and `argument` the text of
    what it is taken of, empty where that is long; `result` is "inf", "-inf", "nan" or, of a gradient that is finite at
    the point by convention alone, "unbounded"; `at` an input that does it, and `why` what is special about it.
    """

    of: str
    op: str
    argument: str
    result: str
    at: Mapping[str, Number] = field(default_factory=dict)
    span: Span | None = None
    node: Expr | None = None
    why: str = ""


def in_value(search: GridSearch) -> Iterator[DomainError]:
    """One escape for each operation that gives no finite value somewhere on the grids."""
    seen: set[Expr] = set()
    loss = search.loss
    for line in search.lines:
        broken = sorted((x for x, y in zip(line.xs, line.values, strict=True) if y is None), key=plainness)
        for x, found in zip(broken, _culprits(search, line, broken), strict=True):
            if found is not None and found[0] not in seen:
                seen.add(found[0])
                yield escape("value", loss, *found, search.at(line.setting, x))
            if len(seen) > 8:
                return


def _culprits(search: GridSearch, line: GridLine, xs: Sequence[Fraction]) -> Iterator[tuple[Call, str] | None]:
    """`culprit` at each of some points of a line."""
    expr = search.loss.value
    if not xs:
        return
    if line.parts is not None:
        found = _culprits_along(expr, line.parts, len(line.xs), search.m)
        yield from (found.get(line.xs.index(x)) for x in xs)
    elif search.may_be_stacked:
        found = _culprits_along(expr, search.parts(expr, line.setting, xs), len(xs), search.m)
        yield from (found.get(place) for place in range(len(xs)))
    else:
        for x in xs:
            yield _culprits_along(expr, search.parts(expr, line.setting, [x]), 1, search.m).get(0)


def _culprits_along(expr: Expr, done: Mapping[Expr, Array], count: int, m: MpNumbers) -> dict[int, tuple[Call, str]]:
    """`culprit` for each place of a line that has one."""
    found: dict[int, tuple[Call, str]] = {}
    live = selected(expr, done, count)
    for node in walk(expr):
        if not isinstance(node, Call) or node not in live or node.kind is Kind.BOOL or node.op.name == "where":
            continue
        bad = live[node] & infinite(done[node], count)
        for arg in (arg for arg in node.args if arg.kind is Kind.REAL) if bad.any() else ():
            bad &= ~infinite(done[arg], count)
        for place in map(int, np.flatnonzero(bad)):
            if place not in found:
                found[place] = node, shown(rows(done[node], count)[place], m)
    return found


def escape(of: str, loss: Loss, node: Call, result: str, at: Mapping[str, Number]) -> DomainError:
    """An operation that leaves its domain at a point."""
    # Of a quotient it is the divisor that matters, of a power the base.
    argument = node.args[1] if node.op.name in ("div", "xlogy") else node.args[0]
    text = formula(argument, loss.names)
    return DomainError(of, node.op.name, text if len(text) <= LONGEST else "", result, at, loss.spans.get(node), node)


def in_gradient(program: Program, search: GridSearch) -> Iterator[DomainError]:
    """One escape for each operation with an infinite slope where the loss itself is finite."""
    loss = program.loss
    spec = loss.prediction
    candidates = [node for node in walk(loss.value) if may_be_steep(node)]
    gradient = program.gradients.get(spec, ()) if candidates else ()
    if len(gradient) != 1:
        return
    seen: set[Expr] = set()
    for line in islice(search.lines, KEPT):
        for x, steep in _steep(search, line, candidates):
            suspects = [node for node in steep if node not in seen]
            bad = _not_finite(gradient[0], search, line.setting, x) if suspects else ""
            if bad:
                seen.add(suspects[0])
                yield escape("gradient", loss, suspects[0], bad, search.at(line.setting, x))


def _not_finite(slope: Expr, search: GridSearch, setting: Setting, x: Fraction) -> str:
    """What a slope is at a point where it is not finite, or grows without end; "" for others."""
    done = search.parts(slope, setting, [x])[slope].ravel().tolist()
    bad = next((shown(value, search.m) for value in done if not search.m.isfinite(value)), "")
    return bad or ("unbounded" if _grows(slope, search, setting, x) else "")


_NEAR = (Fraction(1, 10**9), Fraction(1, 10**15))


def _grows(gradient: Expr, search: GridSearch, setting: Setting, x: Fraction) -> bool:
    """Whether the slope grows without an end in sight as the prediction comes near a point, from either side."""
    bounds = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    for sign in (1, -1):
        places = [x + sign * step for step in _NEAR]
        if all(map(bounds.contains, places)):
            far, near = search.numbers(gradient, setting, places)
            if far is not None and near is not None and abs(near) > 10 * abs(far) > 10:
                return True
    return False


def _steep(search: GridSearch, line: GridLine, candidates: Sequence[Call]) -> Iterator[tuple[Fraction, list[Call]]]:
    """The points of a line at which the loss is finite, each with the selected operations whose slope is infinite."""
    expr = search.loss.value
    places = [(place, x) for place, (x, y) in enumerate(zip(line.xs, line.values, strict=True)) if y is not None]
    if line.parts is not None:
        found = _steep_along(expr, line.parts, len(line.xs), candidates)
        yield from ((x, found[place]) for place, x in places if place in found)
    else:
        for _, x in places:
            found = _steep_along(expr, search.parts(expr, line.setting, [x]), 1, candidates)
            if found:
                yield x, found[0]


def _steep_along(
    expr: Expr, done: Mapping[Expr, Array], count: int, candidates: Sequence[Call]
) -> dict[int, list[Call]]:
    """The selected operations with an infinite slope at each place of a line that has one."""
    steep = {node: np.array(is_steep(node, done, count), dtype=bool) for node in candidates}
    steep = {node: mask for node, mask in steep.items() if mask.any()}
    found: dict[int, list[Call]] = {}
    if steep:
        live = selected(expr, done, count)
        for node, mask in steep.items():
            for place in map(int, np.flatnonzero(mask & live[node]) if node in live else ()):
                found.setdefault(place, []).append(node)
    return found


def may_be_steep(node: Expr) -> TypeGuard[Call]:
    """Whether a node is an operation whose slope is infinite somewhere."""
    if not isinstance(node, Call):
        return False
    if node.op.name == "pow":
        exponent = b.exact(node.args[1])
        return exponent is None or exponent < 1
    return node.op.trait is not None and bool(node.op.trait.steep)


def is_steep(node: Call, done: Mapping[Expr, Array], count: int) -> list[bool]:
    """At which points of a line an operation is where its slope is infinite."""
    if node.op.name == "pow":
        bases, exponents = (_values(arg, node, done, count) for arg in node.args)
        return [a == 0 and c < 1 for a, c in zip(bases, exponents, strict=True)]
    steep = [float(end) for end in node.op.trait.steep] if node.op.trait is not None else []
    return [value in steep for value in rows(done[node.args[0]], count)]


def _values(arg: Expr, node: Expr, done: Mapping[Expr, Array], count: int) -> list[Any]:
    """The values of an operand, one for each of the operation: at the points of a line, or in a tensor of its axes."""
    array = done[arg]
    if array.size not in (1, count):
        array = np.broadcast_to(met(array, arg.axes, node.axes), done[node].shape)
    return rows(array, count)

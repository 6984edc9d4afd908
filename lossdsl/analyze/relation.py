"""Whether two losses are equal, or equal up to scale and shift, and for which parameters: `lossdsl compare`.

Both are worked out at 50 digits at the same points. Where all values of the one are a multiple of the other's plus a
constant, that is proved if it can be: by the normal form of the difference, piece by piece, or by the stable forms of
both. Values are compared, not slopes: `stop(e)` is e. Parameters of one name are one number. Others are tried as they
are, at a few numbers that formulas are fond of, and two of them as one. A difference is shown by a point.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from lossdsl.errors import LossError, LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.axes import names
from lossdsl.ir.expr import Const, Expr, Input
from lossdsl.ir.inputs import MIXED, InputSpec, Order
from lossdsl.ir.loss import Loss
from lossdsl.ir.prediction_view import views
from lossdsl.ir.ranges import ranges
from lossdsl.ir.text import formula
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point, allowed, points
from lossdsl.pipeline import Program
from lossdsl.prove.claims import TargetCase
from lossdsl.transform.canonical import canonical
from lossdsl.transform.passes import LINK, STABILIZE, through

POINTS = 8
"""At how many points two losses are compared; half of them have the defaults of parameters."""
MAX_TRIED = 150
"""How many settings of parameters are tried."""
FOND = tuple(map(Fraction, ("0", "1/2", "1", "2", "-2")))
"""Numbers at which a family often is a loss with a name."""
POWERS = (1, -1, 2, -2)
"""To what powers a parameter may stand in scale and shift."""
_CLOSE = "1e-30"

Given = Mapping[Expr, Expr]
"""Parameters and what is put in for them: numbers, or other parameters."""


@dataclass(frozen=True)
class Relation:
    """first = scale*second + shift, where `given` is put in for parameters.

    `how` is "proved" (by `by`) or "tested" (at `points` points).
    """

    scale: Expr
    shift: Expr
    how: str
    by: str = ""
    points: int = 0
    given: Given = field(default_factory=dict)

    def format(self, first: str, second: str) -> str:
        """The relation as a sentence: `expectile = 0.5*mean_squared_error for q = 0.5: proved (pieces)`."""
        right = f"{_factor(self.scale)}{second}"
        if self.shift is not b.ZERO:
            sign, size = ("-", b.neg(self.shift)) if formula(self.shift).startswith("-") else ("+", self.shift)
            right += f" {sign} {formula(size)}"
        where = ", ".join(f"{formula(node)} = {formula(value)}" for node, value in self.given.items())
        known = f"proved ({self.by})" if self.how == "proved" else f"tested at {self.points} points"
        return f"{first} = {right}{f' for {where}' if where else ''}: {known}"


@dataclass(frozen=True)
class Compared:
    """What two losses are to each other: the relations that were found, and where they differ, a point."""

    relations: tuple[Relation, ...]
    point: str = ""
    values: tuple[str, str] = ("", "")


def _told_apart(left: Any, right: Any) -> tuple[str, str]:
    """Two numbers with as many digits, from six on, as show that they differ."""
    shown = ("", "")
    for digits in (6, 10, 15, 25, 50):
        shown = mp_numbers().nstr(left, digits), mp_numbers().nstr(right, digits)
        if shown[0] != shown[1]:
            break
    return shown


def _factor(scale: Expr) -> str:
    """A scale as it stands before what it multiplies; nothing for 1."""
    if scale in (b.ONE, b.const(-1)):
        return "" if scale is b.ONE else "-"
    text = formula(scale)
    return f"({text})*" if set(text) & set("+-/") else f"{text}*"


def _holds(given: Given, point: Point) -> bool:
    """Whether parameters have at a point what is put in for them."""
    values = {node: array.item() for node, array in point.values.items() if node in given or node in given.values()}
    return all(
        values[node] == (value.value if isinstance(value, Const) else values[value]) for node, value in given.items()
    )


def _is_case(given: Given, of: Given) -> bool:
    """Whether what is put in for parameters is a case of something more general."""
    return all(
        given.get(node) is value or (node in given and given[node] is given.get(value)) for node, value in of.items()
    )


def compared(first: Program, second: Program) -> Compared:
    """What the first of two losses is to the second.

    Raises LossTypeError where they take different inputs, or give values of different axes.

    >>> from lossdsl import pipeline
    >>> expectile, square = (pipeline.program(pipeline.builtin(name)) for name in ("expectile", "mean_squared_error"))
    >>> (found,) = compared(expectile, square).relations
    >>> print(found.format("expectile", "mean_squared_error"))
    expectile = 0.5*mean_squared_error for q = 0.5: proved (pieces)
    """
    pair = _Pair.of(first, second)
    everywhere = pair.relation({})
    if everywhere is not None:
        return Compared((everywhere,))
    found: list[Relation] = []
    for given in itertools.islice(pair.settings(), MAX_TRIED):
        if any(_is_case(given, one.given) for one in found):
            continue
        relation = pair.relation(given)
        if relation is not None:
            found.append(relation)
    return Compared(tuple(found), *pair.difference(found))


@dataclass
class _Pair:
    """Two losses over the same inputs, and the points at which they are compared."""

    loss: Loss
    first: Expr
    second: Expr
    is_elementwise: bool
    tried: list[Point]
    own: tuple[frozenset[Expr], frozenset[Expr]]
    ties: list[Point]
    """Points at which numbers of a target, or of a further input, are equal: times are, and relevances."""

    @staticmethod
    def of(first: Program, second: Program) -> _Pair:
        inputs, moved = _met(first.loss, second.loss)
        whole = first.is_elementwise and second.is_elementwise
        left = first.loss.value if whole else first.loss.result
        right = b.substitute(second.loss.value if whole else second.loss.result, moved)
        if left.axes != right.axes:
            raise LossTypeError(
                f"{first.loss.name} and {second.loss.name} cannot be compared: one gives a number for each sample, and "
                "the other one for the batch, or for each element"
            )
        specs = {one.node: one for one in (*second.loss.parameters, *first.loss.parameters)}
        settled = {**second.loss.settled, **first.loss.settled}
        loss = replace(
            first.loss,
            inputs=inputs,
            parameters=tuple(specs.values()),
            settled=settled,
            value=b.sub(left, right),
            result=b.sub(left, right),
            requirements=(*first.loss.requirements, *second.loss.requirements),
            orders=(*first.loss.orders, *(_named(one, moved) for one in second.loss.orders)),
        )
        free = [
            frozenset(one.node for one in each.parameters if one.kind == "real" and one.name not in settled)
            for each in (first.loss, second.loss)
        ]
        tried = list(points(loss, ranges(loss), POINTS))
        return _Pair(loss, left, right, whole, tried, (free[0], free[1]), [] if whole else list(_ties(loss, tried)))

    def settings(self) -> Iterator[Given]:
        """What is put in for parameters, the least first: a number for one, two as one, numbers for two."""
        nodes = sorted(self.own[0] | self.own[1], key=formula)
        numbers: list[dict[Expr, Expr]] = [{node: b.const(value)} for node, value in itertools.product(nodes, FOND)]
        mine, theirs = (sorted(one, key=formula) for one in (self.own[0] - self.own[1], self.own[1] - self.own[0]))
        alike: list[dict[Expr, Expr]] = [{node: other} for node, other in itertools.product(theirs, mine)]
        yield from numbers
        yield from alike
        for number, same in itertools.product(numbers, alike):
            if not {*number} & {*same, *same.values()}:
                yield number | same
        for one, other in itertools.combinations(nodes, 2):
            for left, right in itertools.product(FOND, FOND):
                yield {one: b.const(left), other: b.const(right)}

    def values(self, given: Given, inputs: Point, parameters: Point) -> list[tuple[Any, Any]] | None:
        """The values of both at some inputs, under some parameters; None where those are not admitted."""
        m = mp_numbers()
        mine: set[Expr] = {one.node for one in self.loss.parameters}
        drawn = {node: array for node, array in parameters.values.items() if node in mine}
        for node, value in given.items():
            if isinstance(value, Const):
                drawn[node] = np.array(value.value, dtype=object)
            else:
                drawn[node] = drawn[value]
        if not allowed(self.loss, drawn, inputs.sizes):
            return None
        everything = {node: array for node, array in inputs.values.items() if node not in mine} | drawn
        done = evaluate([self.first, self.second], Point(everything, inputs.sizes).given(m), m, inputs.sizes)
        left, right = (np.asarray(done[one], dtype=object).ravel() for one in (self.first, self.second))
        return list(zip(left, right, strict=True))

    def _fits(self, given: Given) -> list[tuple[Point, Any, Any]]:
        """The scale and shift that values show under several parameters; nothing where some show none."""
        fits: list[tuple[Point, Any, Any]] = []
        for parameters in (self.tried[0], *self.tried[1::2]):  # the defaults, and others
            found = (self.values(given, inputs, parameters) or [] for inputs in (*self.tried, *self.ties))
            pairs = [pair for row in found for pair in row if all(map(mp_numbers().isfinite, pair))]
            if len(pairs) < 4:
                continue
            fit = _line(pairs)
            if fit is None:
                return []
            fits.append((parameters, *fit))
        return fits

    def relation(self, given: Given) -> Relation | None:
        """The relation that all values show; None where there is none."""
        fits = self._fits(given)
        if not fits or (len(fits) < 2 and self.own[0] | self.own[1]):
            return None
        free = [node for node in sorted(self.own[0] | self.own[1], key=formula) if node not in given]
        scale = _as_expression([(point, value) for point, value, _ in fits], free)
        shift = _as_expression([(point, value) for point, _, value in fits], free)
        if scale is None or shift is None or scale is b.ZERO:
            return None
        by = self._proof(given, scale, shift)
        return Relation(scale, shift, "proved" if by else "tested", by, len(self.tried) + len(self.ties), given)

    def _proof(self, given: Given, scale: Expr, shift: Expr) -> str:
        """By what the relation is proved; "" if it is not."""
        try:
            left, right = (b.substitute(one, dict(given)) for one in (self.first, self.second))
            right = b.add(b.mul(scale, right), shift)
            difference = b.sub(left, right)
            loss = replace(self.loss, value=difference, result=difference)
            (plain,) = canonical((difference,))
            if plain is b.ZERO:
                return "canonical form"
            cases = [TargetCase(view) for view in views(loss)]
            if all(case.vanishes(case.view.expr) for case in cases):
                return "pieces"
            known = ranges(loss)
            one, other = through((*STABILIZE, *LINK), (left, right), known)
            (plain,) = canonical((b.sub(one, other),))
        except LossError:
            return ""
        return "stable forms" if plain is b.ZERO else ""

    def difference(self, known: Sequence[Relation]) -> tuple[str, tuple[str, str]]:
        """A point at which the two differ, and both values there; of no relation that is known, if there is one."""
        m = mp_numbers()
        every = (*self.tried, *self.ties)
        for point in sorted(every, key=lambda point: any(_holds(one.given, point) for one in known)):
            for place, (left, right) in enumerate(self.values({}, point, point) or ()):
                is_told = m.isfinite(left) and m.isfinite(right)
                if is_told and abs(left - right) > m.mpf("1e-20") * (abs(left) + abs(right)):
                    shown = self._at(point, place) if self.is_elementwise else point
                    return shown.shown(), _told_apart(left, right)
        return "", ("", "")

    def _at(self, point: Point, place: int) -> Point:
        """A point with one element of what varies along all axes of the loss."""
        return Point(
            {
                node: np.array(array.ravel()[place], dtype=object) if node.axes == self.first.axes else array
                for node, array in point.values.items()
            },
            point.sizes,
        )


def _met(first: Loss, second: Loss) -> tuple[tuple[InputSpec, ...], dict[Expr, Expr]]:
    """The inputs of both, and what the second's nodes become: by name where all names agree, else by position."""
    theirs = list(second.inputs)
    if {one.identifier for one in first.inputs} == {one.identifier for one in theirs}:
        theirs = [next(one for one in theirs if one.identifier == each.identifier) for each in first.inputs]
    moved: dict[Expr, Expr] = {}
    inputs = []
    fit = len(theirs) == len(first.inputs)
    for mine, other in zip(first.inputs, theirs, strict=False):
        fit = fit and len(mine.nodes) == len(other.nodes)
        fit = fit and all(a.axes == c.axes for a, c in zip(mine.nodes, other.nodes, strict=False))
        moved.update(zip(other.nodes, mine.nodes, strict=False))
        inputs.append(_narrowed(mine, other))
    if not fit:
        raise LossTypeError(
            f"{first.name} and {second.name} cannot be compared, since they take different inputs: "
            f"{_listed(first.inputs)}, and {_listed(second.inputs)}"
        )
    return tuple(inputs), moved


def _ties(loss: Loss, tried: Sequence[Point]) -> Iterator[Point]:
    """Points with the same number all over the batch in each of the inputs but the prediction, and in all of them."""
    others = [spec for spec in loss.inputs if spec is not loss.prediction]
    for point in tried[:1]:
        even: dict[Expr, Any] = {}
        for node in (node for spec in others for node in spec.nodes):
            even[node] = np.full_like(point.values[node], max(point.values[node].flat))
            yield Point({**point.values, node: even[node]}, point.sizes)
        yield Point({**point.values, **even}, point.sizes)


def _named(one: Order, moved: Mapping[Expr, Expr]) -> Order:
    """An order of parts of the one loss as one of parts of the other."""
    low, high = moved.get(one.low, one.low), moved.get(one.high, one.high)
    assert isinstance(low, Input)
    assert isinstance(high, Input)
    return replace(one, low=low, high=high)


def _narrowed(mine: InputSpec, other: InputSpec) -> InputSpec:
    """An input with the kinds that one of two losses says where the other says none."""
    pairs = zip(mine.domains, other.domains, strict=False)
    kinds = tuple(theirs if own == "real" else own for own, theirs in pairs)
    return replace(mine, domain=kinds[0] if len(set(kinds)) == 1 else MIXED, kinds=kinds if len(kinds) > 1 else ())


def _listed(inputs: Sequence[InputSpec]) -> str:
    shown = ", ".join(f"{one.name}: {one.layout or 'element'}" for one in inputs)
    return f"{shown}, places {names(inputs[0].places)}" if inputs[0].places else shown


def _line(pairs: Sequence[tuple[Any, Any]]) -> tuple[Any, Any] | None:
    """Scale and shift by which every first value follows from the second; None if there are none."""
    m = mp_numbers()
    low, high = min(pairs, key=lambda pair: pair[1]), max(pairs, key=lambda pair: pair[1])
    if high[1] == low[1]:
        return None
    scale = (high[0] - low[0]) / (high[1] - low[1])
    shift = low[0] - scale * low[1]
    size = max(abs(high[0]), abs(low[0]), abs(scale * high[1]), abs(scale * low[1]))
    shift = m.mpf(0) if abs(shift) <= m.mpf(_CLOSE) * size else shift
    for left, right in pairs:
        if abs(left - scale * right - shift) > m.mpf(_CLOSE) * (abs(left) + abs(scale * right) + size):
            return None
    return scale, shift


def _as_expression(values: Sequence[tuple[Point, Any]], free: Sequence[Expr]) -> Expr | None:
    """A number that was found under several parameters as a fraction, or one times powers of two parameters at most."""
    if all(value == 0 for _, value in values):
        return b.ZERO
    exponents: list[dict[Expr, int]] = [{}, *({node: power} for node in free for power in POWERS)]
    for one, other in itertools.combinations(free, 2):
        exponents += [{one: p, other: q} for p, q in itertools.product(POWERS, POWERS)]
    for powers in exponents:
        fraction = _fraction([_over_powers(value, point, powers) for point, value in values])
        if fraction is not None:
            return _times(fraction, powers)
    return None


def _times(fraction: Fraction, powers: Mapping[Expr, int]) -> Expr:
    found: Expr = b.const(fraction)
    for node, power in powers.items():
        size = b.power(node, b.const(abs(power)))
        found = b.mul(found, size) if power > 0 else b.div(found, size)
    return found


def _over_powers(value: Any, point: Point, powers: Mapping[Expr, int]) -> Any | None:
    """A number over powers of parameters at a point; None where these are 0."""
    m = mp_numbers()
    size = m.mpf(1)
    for node, power in powers.items():
        base = Fraction(point.values[node].item())
        size *= m.number(base) ** power if base else m.mpf(0)
    return value / size if size else None


def _fraction(values: Sequence[Any]) -> Fraction | None:
    """The fraction of small numbers that all of some values are; None if there is none."""
    m = mp_numbers()
    if any(value is None for value in values):
        return None
    found = Fraction(m.nstr(values[0], 40)).limit_denominator(1000)
    exact = m.number(found)
    close = m.mpf("1e-25") * abs(exact)
    return found if found and all(abs(value - exact) <= close for value in values) else None

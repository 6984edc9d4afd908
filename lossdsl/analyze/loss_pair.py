"""Two losses over the same inputs: what one is to the other at points, and whether that is proved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from lossdsl.analyze.common_inputs import met, narrower, renamed
from lossdsl.analyze.scale_and_shift import as_expression, line, told_apart
from lossdsl.analyze.wide_points import equations, levels, ties, unseen, wide_points
from lossdsl.errors import LossError, LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.expr import Const, Expr
from lossdsl.ir.loss import Loss
from lossdsl.ir.prediction_view import views
from lossdsl.ir.ranges import ranges
from lossdsl.ir.text import formula
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import DIGITS, mp_numbers
from lossdsl.oracle.points import Point, allowed, points
from lossdsl.pipeline import Program
from lossdsl.prove.claims import TargetCase
from lossdsl.transform.canonical import canonical
from lossdsl.transform.passes import LINK, STABILIZE, through

POINTS = 8
"""At how many points two losses are compared; half of them have the defaults of parameters."""
DEEP = (900, 1800)
"""With how many digits two losses are compared where they seem to agree; the least double is 5e-324."""
SAME = "1e-450"
"""By what part of their size values may differ there that are the same."""
FOND = tuple(map(Fraction, ("0", "1/2", "1", "2", "-2")))
"""Numbers at which a family often is a loss with a name."""

Given = Mapping[Expr, Expr]
"""Parameters and what is put in for them: numbers, or other parameters."""


@dataclass(frozen=True)
class Relation:
    """first = scale*second + shift, where `given` is put in for parameters.

    `how` is "proved" (by `by`) or "tested" (at `points` points, none of which is beyond a join in `beyond`).
    """

    scale: Expr
    shift: Expr
    how: str
    by: str = ""
    points: int = 0
    beyond: tuple[str, ...] = ()
    given: Given = field(default_factory=dict)

    def format(self, first: str, second: str) -> str:
        """The relation as a sentence: `expectile = 0.5*mean_squared_error for q = 0.5: proved (pieces)`."""
        known = f"proved ({self.by})" if self.how == "proved" else f"tested at {self.points} points"
        known += f", none where {' or '.join(self.beyond)}" if self.beyond else ""
        return f"{first} = {self.right(second)}: {known}"

    def right(self, second: str) -> str:
        """What the first loss is, and for which parameters: `0.5*mean_squared_error for q = 0.5`."""
        right = f"{_factor(self.scale)}{second}"
        if self.shift is not b.ZERO:
            sign, size = ("-", b.neg(self.shift)) if formula(self.shift).startswith("-") else ("+", self.shift)
            right += f" {sign} {formula(size)}"
        where = ", ".join(f"{formula(node)} = {formula(value)}" for node, value in self.given.items())
        return f"{right}{f' for {where}' if where else ''}"


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


def _differ(left: Any, right: Any, same: Any) -> bool:
    """Whether two numbers differ by more than such a part; where one is 0, digits may have had no room."""
    return bool(abs(left - right) > same * (abs(left) + abs(right)) and (left * right != 0 or abs(left - right) > same))


@dataclass
class Pair:
    """Two losses over the same inputs, and the points at which they are compared."""

    loss: Loss
    first: Expr
    second: Expr
    is_elementwise: bool
    tried: list[Point]
    own: tuple[frozenset[Expr], frozenset[Expr]]
    more: list[Point]
    """Points at which numbers of a target, or of a further input, are equal: times are, and relevances; longer ones."""
    inputs: tuple[str, ...] = ()
    """The inputs of which one of the losses takes other numbers as well, each as in a header."""
    against: list[tuple[str, tuple[str, str], Relation]] = field(default_factory=list)
    """Of what holds at ordinary points, points at which it does not, with the values of both sides."""

    @staticmethod
    def of(first: Program, second: Program) -> Pair:
        inputs, moved = met(first.loss, second.loss)
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
            orders=(*first.loss.orders, *(renamed(one, moved) for one in second.loss.orders)),
        )
        free = [
            frozenset(one.node for one in each.parameters if one.kind == "real" and one.name not in settled)
            for each in (first.loss, second.loss)
        ]
        tried = list(points(loss, ranges(loss), POINTS))
        if not tried:
            required = (" and ".join(one.text for one in each.requirements) for each in (first.loss, second.loss))
            raise LossTypeError(
                f"{first.loss.name} and {second.loss.name} cannot be compared: parameters of one name are one number, "
                f"and none was found that both admit ({'; '.join(filter(None, required))})",
                hint="put numbers in for those of one of them, as in `huber(t, x; delta=2)`",
            )
        more = [] if whole else [*ties(loss, tried), *_longer(loss)]
        common = narrower(first.loss, second.loss, inputs)
        return Pair(loss, left, right, whole, tried, (free[0], free[1]), more, common)

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

    def put(self, given: Given, inputs: Point, parameters: Point) -> Point | None:
        """Some inputs, under some parameters with what is given put in; None where those are not admitted."""
        mine: set[Expr] = {one.node for one in self.loss.parameters}
        drawn = {node: array for node, array in parameters.values.items() if node in mine}
        for node, value in given.items():
            if isinstance(value, Const):
                drawn[node] = np.array(value.value, dtype=object)
            else:
                drawn[node] = drawn[value]
        if not allowed(self.loss, drawn, inputs.sizes):
            return None
        return Point({node: array for node, array in inputs.values.items() if node not in mine} | drawn, inputs.sizes)

    def values(self, given: Given, inputs: Point, parameters: Point) -> list[tuple[Any, Any]] | None:
        """The values of both at some inputs, under some parameters; None where those are not admitted."""
        point = self.put(given, inputs, parameters)
        return None if point is None else self.at(point)

    def at(self, point: Point, digits: int = DIGITS) -> list[tuple[Any, Any]]:
        """The values of both at a point."""
        m = mp_numbers(digits)
        done = evaluate([self.first, self.second], point.given(m), m, point.sizes)
        left, right = (np.asarray(done[one], dtype=object).ravel() for one in (self.first, self.second))
        return list(zip(left, right, strict=True))

    def _fits(self, given: Given) -> list[tuple[Point, Any, Any]]:
        """The scale and shift that values show under several parameters; nothing where some show none."""
        fits: list[tuple[Point, Any, Any]] = []
        for parameters in (self.tried[0], *self.tried[1::2]):  # the defaults, and others
            found = (self.values(given, inputs, parameters) or [] for inputs in (*self.tried, *self.more))
            pairs = [pair for row in found for pair in row if all(map(mp_numbers().isfinite, pair))]
            if len(pairs) < 4:
                continue
            fit = line(pairs)
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
        scale = as_expression([(point, value) for point, value, _ in fits], free)
        shift = as_expression([(point, value) for point, _, value in fits], free)
        if scale is None or shift is None or scale is b.ZERO:
            return None
        by = self._proof(given, scale, shift)
        if by:
            return Relation(scale, shift, "proved", by, given=given)
        return self._tested(given, scale, shift)

    def _tested(self, given: Given, scale: Expr, shift: Expr) -> Relation | None:
        """The relation, if it holds with many digits, and at points far and near and around joins as well."""
        every = itertools.product((*self.tried, *self.more), (None, self.tried[0]))
        near = [self.put(given, one, parameters or one) for one, parameters in every]
        wide = [point for parameters in (self.tried[0], *self.tried[1:3]) for point in self._wide(given, parameters)]
        found = Relation(scale, shift, "tested", "", len(self.tried) + len(self.more) + len(wide), given=given)
        for point in (*filter(None, near), *wide):
            apart = self._apart(found, point)
            if apart is not None:
                self.against.append((self._shown(point, apart[0]), apart[1], found))
                return None
        roots = (self.first, self.second)
        equal = equations(roots)
        sides = unseen(levels(roots), (*self.tried, *self.more, *wide))
        beyond = (
            f"{formula(level)} {'=><'[sign]} 0"
            for level, sign in sides
            if (self._may_be(level, sign) if sign else level in equal)
        )
        return replace(found, beyond=tuple(beyond))

    def _wide(self, given: Given, parameters: Point) -> Iterator[Point]:
        """Points far and near, and around joins, under some parameters."""
        start = self.put(given, self.tried[0], parameters)
        if start is not None:
            put = {spec.node for spec in self.loss.parameters if spec.node in given or spec.node in given.values()}
            known = ranges(self.loss)
            for point in wide_points(self.loss, known, (self.first, self.second), start):
                if all(np.array_equal(point.values[node], start.values[node]) for node in put):
                    yield point

    def _apart(self, found: Relation, point: Point) -> tuple[int, tuple[str, str]] | None:
        """The place of values at a point that a relation does not hold of, and what its sides are; None if it does."""
        places = []
        for digits in DEEP:  # what is lost in so many digits is no difference
            m = mp_numbers(digits)
            sides = evaluate([found.scale, found.shift], point.given(m), m, point.sizes)
            scale, shift = (sides[one].item() for one in (found.scale, found.shift))
            pairs = [(left, scale * right + shift) for left, right in self.at(point, digits)]
            places = [
                (place, pair)
                for place, pair in enumerate(pairs)
                if all(map(m.isfinite, pair)) and _differ(*pair, m.mpf(SAME))
            ]
            if not places:
                return None
        return places[0][0], told_apart(*places[0][1])

    def lacking(self, given: Given) -> tuple[str, tuple[str, str]]:
        """A point at which one of the two has a value, and the other none, and what they are there; "" for none."""
        m = mp_numbers()
        near = (self.put(given, one, one) for one in (*self.tried, *self.more))
        for point in (*filter(None, near), *self._wide(given, self.tried[0])):
            for place, (left, right) in enumerate(self.at(point)):
                if m.isfinite(left) != m.isfinite(right):
                    return self._shown(point, place), (m.nstr(left, 6), m.nstr(right, 6))
        return "", ("", "")

    def _may_be(self, level: Expr, sign: int) -> bool:
        """Whether something may have a sign, for all that is known."""
        bounds = TargetCase(views(self.loss)[0]).composition.bounds(level)
        return not (bounds.is_nonpositive if sign > 0 else bounds.is_nonnegative)

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
        every = (*self.tried, *self.more)
        for point in sorted(every, key=lambda point: any(_holds(one.given, point) for one in known)):
            for place, (left, right) in enumerate(self.values({}, point, point) or ()):
                is_told = m.isfinite(left) and m.isfinite(right)
                if is_told and abs(left - right) > m.mpf("1e-20") * (abs(left) + abs(right)):
                    return self._shown(point, place), told_apart(left, right)
        return "", ("", "")

    def _shown(self, point: Point, place: int) -> str:
        """A point, with one element of what varies along all axes of the loss, as text."""
        if not self.is_elementwise:
            return point.shown()
        one = Point(
            {
                node: np.array(array.ravel()[place], dtype=object) if node.axes == self.first.axes else array
                for node, array in point.values.items()
            },
            point.sizes,
        )
        return one.shown()


def _longer(loss: Loss) -> Iterator[Point]:
    """Points with more elements and samples: a sum is no multiple of a mean."""
    if not any(spec.over for spec in loss.parameters):
        yield from points(loss, ranges(loss), 1, longer=2)

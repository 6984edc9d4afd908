"""Proofs by composition: from what is known of each operation, what is known of the whole, in the prediction.

The rules are those of interval arithmetic and of disciplined convex programming (Grant, Boyd, Ye 2006, Disciplined
Convex Programming, doi:10.1007/0-387-30528-9_7). They prove, and never refute: what they leave open is open.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.axes import LAST
from lossdsl.ir.bounds import INF, NONNEGATIVE, REALS, SIGNED_UNIT, UNIT, Bounds, point
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
    Length,
    Param,
    Position,
    Reduce,
    Unslice,
)
from lossdsl.ir.op import Aggregate
from lossdsl.ir.ops import OPS
from lossdsl.prove.dominance import dominated, vector_of
from lossdsl.prove.merged_sums import has_sums, merged
from lossdsl.prove.own_element import gap
from lossdsl.prove.properties import RULES, Profile, one_argument, settled
from lossdsl.prove.rational_field import RationalFunction, TooLarge, atoms_in, rational
from lossdsl.prove.rational_functions import NormalForms

VERTICES = 6
"""The most atoms of a sum whose extremes are looked for at every corner."""


@dataclass
class Composition(Interpretation[Profile]):
    """The properties of expressions in the prediction. `leaves` has the bounds of inputs and parameters.

    `apart` says what is known besides of what stands inside of an aggregate, by its pieces; `compared` of a sum or
    quotient, by its products. `units` are the inputs whose elements sum to 1.
    """

    prediction: frozenset[Expr]
    leaves: Mapping[Expr, Bounds]
    forms: NormalForms = field(default_factory=NormalForms)
    apart: Callable[[Expr, Profile, Mapping[Expr, Profile]], Profile] = lambda node, found, known: found
    compared: Callable[[Call], Bounds] = lambda node: REALS
    units: frozenset[Expr] = frozenset()

    def bounds(self, expr: Expr) -> Bounds:
        return self[expr].bounds

    def over(self, node: Expr, children: tuple[Expr, ...]) -> Profile:
        """What an operation makes of other children than its own, without any folding."""
        return self.transfer(node, [self[child] for child in children])

    def top(self, node: Expr) -> Profile:
        return Profile()

    def refined(self, node: Expr, below: list[Profile], found: Profile) -> Profile:
        if found.bounds.is_empty:  # only where a piece is that can never be selected
            found = replace(found, bounds=REALS)
        is_number = isinstance(node, Call) and not node.args  # pi, epsilon
        if is_number or (below and not isinstance(node, Length) and all(one.constant for one in below)):
            found = replace(found, constant=True, convex=True, concave=True, continuous=True, smooth=True)
        if isinstance(node, Call) and node.op.name in ("add", "sub", "mul", "div") and not found.bounds.is_point:
            found = replace(found, bounds=self._sharpened(node, found.bounds))
        return found

    def constant(self, node: Const) -> Profile:
        return settled(point(node.value)) if isinstance(node.value, Fraction) else settled(REALS, total=False)

    def flag(self, node: Flag) -> Profile:
        return settled(UNIT)

    def leaf(self, node: Input | Param) -> Profile:
        bounds = self.leaves.get(node, REALS)
        return Profile(bounds, False, True, True, True, True, True) if node in self.prediction else settled(bounds)

    def length(self, node: Length) -> Profile:
        return settled(Bounds(Fraction(1), INF))

    def position(self, node: Position) -> Profile:
        return settled(NONNEGATIVE)

    def reduced(self, node: Reduce, inner: Profile) -> Profile:
        inner = self.apart(node.arg, inner, self.known)
        bounds = node.op.bounds(inner.bounds)
        if node.op.name == "sum" and node.over == {LAST} and isinstance(node.arg, Call) and node.arg.op.name == "mul":
            for weight, other in (node.arg.args, node.arg.args[::-1]):
                if weight in self.units:  # an average
                    bounds = bounds.meet(self.known[other].bounds)
        return replace(_reduced(node.op.name, inner), bounds=bounds)

    def along(self, node: Along, below: list[Profile]) -> Profile:
        return replace(_along(node.op, below), bounds=node.op.bounds(below[0].bounds))

    def gathered(self, node: Gather, below: list[Profile]) -> Profile:
        inner, index = below
        return inner if index.constant else Profile(inner.bounds, total=inner.total)

    def padded(self, node: Unslice, inner: Profile) -> Profile:
        return replace(inner, bounds=inner.bounds.join(point(0)))

    def call(self, node: Call, below: list[Profile]) -> Profile:
        name = node.op.name
        if node.op.trait is not None:
            return one_argument(node.op, below[0])
        if name == "mul" and node.args[0] is node.args[1]:
            return one_argument(OPS["square"], below[0])
        known = all(one.total for one in below)
        found = RULES[name](*below) if name in RULES else Profile(total=known and node.op.is_total)
        ends = [one.bounds for one in below]
        if name == "div":
            ends[1] = _without_zero(ends[1])  # where the quotient has a value
        if name == "where":
            ends[1] = ends[1].meet(_selected(node.args[0], node.args[1]))
        bounds = node.op.image(*ends)
        vector = vector_of(node.args[1]) if name == "div" else None
        if vector is not None and vector.arg is node.args[0]:
            bounds = bounds.meet(SIGNED_UNIT)
        if name == "sub":
            bounds = bounds.meet(gap(*node.args))
        return replace(found, bounds=bounds)

    def _sharpened(self, node: Call, bounds: Bounds) -> Bounds:
        """Sharper bounds, from the normal form of a sum or product."""
        has_sign = bounds.is_nonnegative or bounds.is_nonpositive
        if node.op.name == "div" or (node.op.name != "mul" and not has_sign):
            bounds = bounds.meet(self.compared(node))
        try:
            form = self.forms.of(node)
        except TooLarge:
            return bounds
        if node.op.name != "div":
            bounds = self._cornered(form, bounds)
        if has_sums(form, self.forms):
            bounds = bounds.meet(merged(form, self.forms, self.bounds))
        found = dominated(form, self.forms)
        return bounds if found is None else bounds.meet(found)

    def _cornered(self, form: RationalFunction, bounds: Bounds) -> Bounds:
        """Sharper bounds for what is affine in each of its atoms: its extremes are at corners."""
        used = atoms_in(form.top)
        if not form.is_polynomial or len(used) > VERTICES or any(d > 1 for d in form.top.degrees()):
            return bounds
        ends = [self._atom_bounds(place) for place in used]
        if not used or not all(one.is_finite for one in ends):
            return bounds
        return bounds.meet(_corners(form.top, used, ends))

    def _atom_bounds(self, place: int) -> Bounds:
        node = self.forms.atoms[place]
        return self.known[node].bounds if node in self.known else self[node].bounds


def _selected(condition: Expr, piece: Expr) -> Bounds:
    """The bounds of a piece that are its own condition, as in `where(s > 0, s, 1)`."""
    match condition:
        case Call(op, (subject, Const(end))) if subject is piece and isinstance(end, Fraction):
            return op.beside(end)
    return REALS


def _without_zero(bounds: Bounds) -> Bounds:
    """The same bounds of what is not 0."""
    low_open, high_open = bounds.low_open or bounds.low == 0, bounds.high_open or bounds.high == 0
    return bounds if bounds.is_point else Bounds(bounds.low, bounds.high, low_open, high_open)


def _corners(polynomial: object, used: list[int], ends: list[Bounds]) -> Bounds:
    """The extremes of a polynomial of degree 1 in each atom, over a box."""
    # Over one denominator, so that every corner is a sum of products of whole numbers.
    parts = [(rational(coefficient), powers) for powers, coefficient in polynomial.to_dict().items()]  # type: ignore[attr-defined]
    below = math.lcm(*(coefficient.denominator for coefficient, _ in parts))
    terms = [(int(size * below), [powers[place] for place in used]) for size, powers in parts]
    sides = []
    for one in ends:
        pair = Fraction(one.low), Fraction(one.high)
        shared = math.lcm(*(end.denominator for end in pair))
        below *= shared
        sides.append([(int(end * shared), shared) for end in pair])
    values: dict[tuple[int, ...], Fraction] = {}
    for corner in itertools.product((0, 1), repeat=len(used)):
        at = [side[which] for side, which in zip(sides, corner, strict=True)]
        total = sum(
            math.prod([size, *(value if power else shared for power, (value, shared) in zip(powers, at, strict=True))])
            for size, powers in terms
        )
        values[corner] = Fraction(total, below)
    low, high = min(values.values()), max(values.values())
    # An atom that reaches neither end gives every corner some weight; an end of the others may have it all.
    free = [place for place, one in enumerate(ends) if one.low_open and one.high_open]
    groups: dict[tuple[int, ...], list[Fraction]] = {}
    for corner, value in values.items():
        groups.setdefault(tuple(side for place, side in enumerate(corner) if place not in free), []).append(value)
    return Bounds(
        low, high, all(max(group) > low for group in groups.values()), all(min(g) < high for g in groups.values())
    )


# --- aggregates ---------------------------------------------------------------------------------------------------


def _reduced(name: str, u: Profile) -> Profile:
    match name:
        case "sum" | "mean":
            return u
        case "max":
            return Profile(convex=u.convex, continuous=u.continuous, smooth=u.smooth and u.constant, total=u.total)
        case "min":
            return Profile(concave=u.concave, continuous=u.continuous, smooth=u.smooth and u.constant, total=u.total)
        case "logsumexp":
            return Profile(convex=u.convex, continuous=u.continuous, smooth=u.smooth, total=u.total)
        case "prod":
            return Profile(continuous=u.continuous, smooth=u.smooth, total=u.total)
    return Profile(total=u.total)


def _along(op: Aggregate, below: Iterable[Profile]) -> Profile:
    first, *keys = below
    if op.name == "cumsum" or ((op.sorts or op.name == "unsort") and keys and keys[0].constant):
        return first
    return Profile(total=first.total)

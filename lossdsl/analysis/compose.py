"""Proofs by composition: from what is known of each operation, what is known of the whole, in the prediction.

The rules are those of interval arithmetic and of disciplined convex programming (Grant, Boyd, Ye 2006, Disciplined
Convex Programming, doi:10.1007/0-387-30528-9_7). They prove, and never refute: what they leave open is open.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lossdsl.analysis.bounds import INF, NONNEGATIVE, POSITIVE, REALS, UNIT, Bounds, point
from lossdsl.analysis.facts import FACTS, Fact
from lossdsl.analysis.forms import Forms, TooLarge, atoms_in, rational
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
    Rename,
    Slice,
    Unslice,
    walk,
)

VERTICES = 6
"""The most atoms of a sum whose extremes are looked for at every corner."""


@dataclass(frozen=True)
class Nature:
    """What is known of an expression for every admissible input, as a function of the whole prediction.

    `constant`: it does not depend on it. `convex` and `concave` (both: affine) hold where it is defined, which is then
    a convex set. `continuous` and `smooth` (once, with a continuous slope) hold where it is defined, too; `total` says
    that this is everywhere.
    """

    bounds: Bounds = REALS
    constant: bool = False
    convex: bool = False
    concave: bool = False
    continuous: bool = False
    smooth: bool = False
    total: bool = False

    @property
    def affine(self) -> bool:
        return self.convex and self.concave


def _settled(bounds: Bounds, *, total: bool = True) -> Nature:
    return Nature(bounds, True, True, True, True, True, total)


@dataclass
class Composition:
    """The natures of expressions, worked out on demand. `leaves` has the bounds of inputs and parameters."""

    prediction: frozenset[Expr]
    leaves: Mapping[Expr, Bounds]
    forms: Forms = field(default_factory=Forms)
    known: dict[Expr, Nature] = field(default_factory=dict)

    def __getitem__(self, expr: Expr) -> Nature:
        for node in walk(expr) if expr not in self.known else ():
            if node not in self.known:
                self.known[node] = self._of(node)
        return self.known[expr]

    def bounds(self, expr: Expr) -> Bounds:
        return self[expr].bounds

    def _of(self, node: Expr) -> Nature:
        below = [self.known[child] for child in node.children]
        found = self._rule(node, below)
        if found.bounds.is_empty:  # only where a piece is that can never be selected
            found = replace(found, bounds=REALS)
        if below and not isinstance(node, Length) and all(one.constant for one in below):
            found = replace(found, constant=True, convex=True, concave=True, continuous=True, smooth=True)
        if isinstance(node, Call) and node.op.name in ("add", "sub", "mul") and not found.bounds.is_point:
            found = replace(found, bounds=self._cornered(node, found.bounds))
        return found

    def _rule(self, node: Expr, below: list[Nature]) -> Nature:
        match node:
            case Const(value):
                return _settled(point(value)) if isinstance(value, Fraction) else _settled(REALS, total=False)
            case Flag():
                return _settled(UNIT)
            case Input() | Param():
                bounds = self.leaves.get(node, REALS)
                if node in self.prediction:
                    return Nature(bounds, False, True, True, True, True, True)
                return _settled(bounds)
            case Length():
                return _settled(Bounds(Fraction(1), INF))
            case Position():
                return _settled(NONNEGATIVE)
            case Call(op, args):
                if op.name in FACTS:
                    return one_argument(op.name, below[0])
                return self._call(op.name, args, below)
            case Reduce(op, _, _):
                return _reduced(op.name, below[0])
            case Along(op, _, _, _):
                return _along(op.name, below)
            case Rename() | Slice():
                return below[0]
            case Gather():
                return below[0] if below[1].constant else Nature(below[0].bounds, total=below[0].total)
            case Unslice():
                return replace(below[0], bounds=below[0].bounds.join(point(0)))
        return Nature()

    def _call(self, name: str, args: tuple[Expr, ...], below: list[Nature]) -> Nature:
        if name == "pi":
            return _settled(Bounds(Fraction(3141592653589793, 10**15), Fraction(3141592653589794, 10**15)))
        if name == "not":
            return replace(below[0], bounds=UNIT)
        if len(below) == 3:
            return _chosen(*below)
        first, second = below
        if name in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "isnan"):
            return Nature(UNIT, total=first.total and second.total)
        if name in ("max", "min"):
            return extreme(name, first, second)
        if name == "mul" and args[0] is args[1]:
            return one_argument("square", first)
        rule = _RULES.get(name)
        return Nature(total=False) if rule is None else rule(first, second)

    def _cornered(self, node: Expr, bounds: Bounds) -> Bounds:
        """Sharper bounds for what is affine in each of its atoms: its extremes are at corners."""
        try:
            form = self.forms.of(node)
        except TooLarge:
            return bounds
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


def _chosen(condition: Nature, first: Nature, second: Nature) -> Nature:
    """A choice: known where the prediction has no part in the condition; the other choices are taken apart."""
    bounds = first.bounds.join(second.bounds)
    total = condition.total and first.total and second.total
    if not condition.constant:
        return Nature(bounds, total=total)
    return Nature(
        bounds,
        False,
        first.convex and second.convex,
        first.concave and second.concave,
        first.continuous and second.continuous,
        first.smooth and second.smooth,
        total,
    )


def _corners(polynomial: object, used: list[int], ends: list[Bounds]) -> Bounds:
    """The extremes of a polynomial of degree 1 in each atom, over a box."""
    terms = [
        (rational(coefficient), [place for place, power in enumerate(powers) if power])
        for powers, coefficient in polynomial.to_dict().items()  # type: ignore[attr-defined]
    ]
    values: dict[tuple[int, ...], Fraction] = {}
    for corner in itertools.product((0, 1), repeat=len(used)):
        at = {place: (e.high if side else e.low) for place, e, side in zip(used, ends, corner, strict=True)}
        total = Fraction(0)
        for coefficient, places in terms:
            for place in places:
                coefficient *= at[place]  # type: ignore[assignment]
            total += coefficient
        values[corner] = total
    low, high = min(values.values()), max(values.values())
    # An atom that reaches neither end gives every corner some weight; an end of the others may have it all.
    free = [place for place, one in enumerate(ends) if one.low_open and one.high_open]
    groups: dict[tuple[int, ...], list[Fraction]] = {}
    for corner, value in values.items():
        groups.setdefault(tuple(side for place, side in enumerate(corner) if place not in free), []).append(value)
    return Bounds(
        low, high, all(max(group) > low for group in groups.values()), all(min(g) < high for g in groups.values())
    )


# --- one argument -------------------------------------------------------------------------------------------------


def one_argument(name: str, u: Nature) -> Nature:
    """An operation of one argument, by its row."""
    fact = FACTS[name]
    inside = u.bounds.within(fact.domain)
    image = image_of(fact, u.bounds)
    if not fact.is_continuous:
        return Nature(_stepped(name, u.bounds).meet(fact.image), total=u.total)
    if name in ("neg", "stop", "real"):
        if name == "neg":
            return Nature(image, u.constant, u.concave, u.convex, u.continuous, u.smooth, u.total)
        return u
    if name == "tan":
        return Nature(image)
    bends = _bends(fact, u.bounds)
    direction = _direction(fact, u.bounds)
    # Where the domain ends above u, u must be concave for what is left of its own domain to be convex; and so on.
    upward = fact.domain.high == INF and (u.concave or fact.domain.low == -INF)
    keeps = inside or upward or u.affine
    convex = keeps and bends > 0 and (u.affine or (direction > 0 and u.convex) or (direction < 0 and u.concave))
    concave = keeps and bends < 0 and (u.affine or (direction > 0 and u.concave) or (direction < 0 and u.convex))
    regular = not any(u.bounds.holds(end) for end in (*fact.steep, *fact.corners))
    return Nature(image, False, convex, concave, u.continuous, u.smooth and regular, u.total and inside)


def _direction(fact: Fact, bounds: Bounds) -> int:
    if fact.direction == 2:
        return 1 if bounds.is_nonnegative else -1 if bounds.is_nonpositive else 0
    return fact.direction


def _bends(fact: Fact, bounds: Bounds) -> int:
    if fact.bends or not fact.bends_right:
        return fact.bends
    if bounds.is_nonnegative:
        return fact.bends_right
    # The rows with `bends_right` are odd functions up to a constant.
    return -fact.bends_right if bounds.is_nonpositive else 0


def image_of(fact: Fact, bounds: Bounds) -> Bounds:
    """Every value that a function takes on an interval."""
    inner = bounds.meet(fact.domain)
    if inner.is_empty or fact.ball is None or not fact.is_continuous:
        return fact.image
    if fact.direction == 1:
        low, high = fact.limits
        return inner.increasing(fact.ball, low, high).meet(fact.image)
    if fact.direction == -1:
        ball = fact.ball
        low, high = fact.limits
        turned = inner.increasing(lambda a: -ball(a), -low, -high)
        return (-turned).meet(fact.image)
    if fact.direction == 2:
        size = inner.absolute()
        return size.increasing(fact.ball, Fraction(0), INF).meet(fact.image)
    return fact.image


def _stepped(name: str, bounds: Bounds) -> Bounds:
    if name in ("floor", "whole"):
        return Bounds(bounds.low - 1, bounds.high).meet(NONNEGATIVE if bounds.is_nonnegative else REALS)
    if name == "ceil":
        return Bounds(bounds.low, bounds.high + 1)
    if name == "round":
        return Bounds(bounds.low - Fraction(1, 2), bounds.high + Fraction(1, 2))
    if name == "sign" and bounds.is_positive:
        return point(1)
    if name == "sign" and bounds.is_negative:
        return point(-1)
    return REALS


# --- several arguments --------------------------------------------------------------------------------------------


def added(u: Nature, v: Nature) -> Nature:
    return Nature(
        u.bounds + v.bounds,
        False,
        u.convex and v.convex,
        u.concave and v.concave,
        u.continuous and v.continuous,
        u.smooth and v.smooth,
        u.total and v.total,
    )


def _subtracted(u: Nature, v: Nature) -> Nature:
    return added(u, one_argument("neg", v))


def _multiplied(u: Nature, v: Nature) -> Nature:
    if v.constant:
        u, v = v, u
    found = Nature(
        u.bounds * v.bounds,
        continuous=u.continuous and v.continuous,
        smooth=u.smooth and v.smooth,
        total=u.total and v.total,
    )
    if u.constant:
        up, down = u.bounds.is_nonnegative, u.bounds.is_nonpositive
        convex = v.affine or (up and v.convex) or (down and v.concave)
        concave = v.affine or (up and v.concave) or (down and v.convex)
        return replace(found, convex=convex, concave=concave)
    return found


def _divided(u: Nature, v: Nature) -> Nature:
    turned, regular = v.bounds.reciprocal(), v.bounds.is_nonzero
    # A pole is a hole in the prediction's range: what lies on either side of it does not hang together.
    inverse = Nature(turned, v.constant, continuous=v.continuous and regular, smooth=v.smooth and regular,
                     total=v.total and regular)  # fmt: skip
    if v.constant:
        inverse = replace(inverse, convex=True, concave=True, continuous=True, smooth=True)
    elif v.bounds.is_positive:
        inverse = replace(inverse, convex=v.concave)
    elif v.bounds.is_negative:
        inverse = replace(inverse, concave=v.convex)
    return _multiplied(u, inverse)


def _raised(u: Nature, v: Nature) -> Nature:
    total = u.total and v.total
    if u.constant and not v.constant:
        # a^v = exp(v*log(a))
        if not u.bounds.is_positive:
            return Nature(NONNEGATIVE if u.bounds.is_nonnegative else REALS)
        return Nature(POSITIVE, False, v.affine, False, v.continuous, v.smooth, total)
    if not v.constant:
        inside = u.bounds.is_positive
        if not inside:
            return Nature(NONNEGATIVE if u.bounds.is_nonnegative else REALS)
        return Nature(POSITIVE, False, False, False, u.continuous and v.continuous, u.smooth and v.smooth, total)
    exponent = v.bounds
    if exponent.is_point and Fraction(exponent.low).denominator == 1:
        return _whole_power(u, int(exponent.low))
    return _real_power(u, v)


def _whole_power(u: Nature, n: int) -> Nature:
    if n == 0:
        return replace(_settled(point(1)), total=u.total)
    if n < 0:
        return _divided(_settled(point(1)), _whole_power(u, -n))
    if n == 1:
        return u
    if n > 64:
        bounds = NONNEGATIVE if n % 2 == 0 or u.bounds.is_nonnegative else REALS
    else:
        bounds = u.bounds.whole_power(n)
    up, down = u.bounds.is_nonnegative, u.bounds.is_nonpositive
    if n % 2 == 0:
        convex = u.affine or (up and u.convex) or (down and u.concave)
        concave = False
    else:
        convex = up and u.convex
        concave = down and u.concave
    return Nature(bounds, False, convex, concave, u.continuous, u.smooth, u.total)


def _real_power(u: Nature, v: Nature) -> Nature:
    """A power whose exponent is the same whatever the prediction, but need not be whole."""
    exponent = v.bounds
    low, high = u.bounds.low, u.bounds.high
    base = u.bounds.is_nonnegative
    positive = u.bounds.is_positive
    bounds = (POSITIVE if positive else NONNEGATIVE) if base else REALS
    if base and exponent.is_nonnegative:
        if high <= 1:
            bounds = bounds.meet(UNIT)
        if low >= 1:
            bounds = bounds.meet(Bounds(Fraction(1), INF))
    if u.bounds == point(0) and exponent.is_positive:
        bounds = point(0)
    if base and exponent.is_nonpositive and low >= 1:
        bounds = bounds.meet(UNIT)
    one = Fraction(1)
    convex = concave = False
    if exponent.low >= one:
        convex = base and u.convex
    elif exponent.is_nonnegative and exponent.high <= one:
        concave = (base or u.affine) and u.concave
    elif exponent.is_nonpositive:
        convex = base and u.concave
    # A base that may be 0 has a steep root there; where it may be negative the exponent is whole, or it has no value.
    smooth = u.smooth and (positive or (exponent.low > one or (exponent.low == one and base)))
    total = u.total and (positive or (base and exponent.is_nonnegative))
    whole = u.continuous and (base or exponent.is_nonnegative)  # a whole negative exponent has a pole
    return Nature(bounds, False, convex, concave, whole, smooth and whole, total)


def extreme(name: str, u: Nature, v: Nature) -> Nature:
    """The larger or the smaller of two."""
    up = name == "max"
    pick = max if up else min
    low_open = _open_end(u.bounds.low, u.bounds.low_open, v.bounds.low, v.bounds.low_open, up=up)
    high_open = _open_end(-u.bounds.high, u.bounds.high_open, -v.bounds.high, v.bounds.high_open, up=not up)
    low, high = pick(u.bounds.low, v.bounds.low), pick(u.bounds.high, v.bounds.high)
    bounds = Bounds(low, high, low_open, high_open)
    first = u.bounds.low >= v.bounds.high if up else u.bounds.high <= v.bounds.low
    other = v.bounds.low >= u.bounds.high if up else v.bounds.high <= u.bounds.low
    if first or other:
        return replace(u if first else v, total=u.total and v.total)
    return Nature(
        bounds,
        False,
        up and u.convex and v.convex,
        not up and u.concave and v.concave,
        u.continuous and v.continuous,
        False,
        u.total and v.total,
    )


def _open_end(a: object, a_open: bool, c: object, c_open: bool, *, up: bool) -> bool:
    """Whether the lower end of max(u, v) (`up`) or of min(u, v) is open."""
    if a == c:
        return (a_open or c_open) if up else (a_open and c_open)
    return a_open if (a > c) == up else c_open  # type: ignore[operator]


def _xlogy(u: Nature, v: Nature) -> Nature:
    log = one_argument("log", v)
    found = _multiplied(u, log)
    # Where the factor is 0 the logarithm does not count; that it is free of the prediction keeps this continuous.
    calm = u.constant or v.bounds.is_positive
    total = u.total and v.total and (v.bounds.is_positive or (v.bounds.is_nonnegative and u.bounds == point(0)))
    return replace(found, continuous=found.continuous and calm, smooth=found.smooth and calm, total=total)


def _logaddexp(u: Nature, v: Nature) -> Nature:
    low, high = max(u.bounds.low, v.bounds.low), max(u.bounds.high, v.bounds.high) + 1
    continuous, smooth = u.continuous and v.continuous, u.smooth and v.smooth
    return Nature(Bounds(low, high), False, u.convex and v.convex, False, continuous, smooth, u.total and v.total)


def _bessel(u: Nature, v: Nature) -> Nature:
    settled = u.constant and u.bounds.is_nonnegative
    return Nature(
        REALS,
        continuous=settled and v.continuous,
        smooth=settled and v.smooth,
        total=u.total and v.total and v.bounds.is_positive and u.bounds.is_nonnegative,
    )


_RULES: dict[str, Callable[[Nature, Nature], Nature]] = {
    "add": added,
    "sub": _subtracted,
    "mul": _multiplied,
    "div": _divided,
    "pow": _raised,
    "xlogy": _xlogy,
    "logaddexp": _logaddexp,
    "log_bessel_i": _bessel,
    "mod": lambda u, v: Nature(total=u.total and v.total and v.bounds.is_nonzero),
}


# --- aggregates ---------------------------------------------------------------------------------------------------


def _reduced(name: str, u: Nature) -> Nature:
    bounds = u.bounds
    if name in ("sum", "mean"):
        return replace(u, bounds=bounds if name == "mean" else summed(bounds))
    if name in ("max", "min"):
        up = name == "max"
        return Nature(
            bounds, False, up and u.convex, not up and u.concave, u.continuous, u.smooth and u.constant, u.total
        )
    if name == "logsumexp":
        return Nature(Bounds(bounds.low, INF), False, u.convex, False, u.continuous, u.smooth, u.total)
    if name == "prod":
        image = (UNIT if bounds.high <= 1 else NONNEGATIVE) if bounds.is_nonnegative else REALS
        return Nature(image, False, False, False, u.continuous, u.smooth, u.total)
    if name in ("any", "all"):
        return Nature(UNIT, total=u.total)
    return Nature(NONNEGATIVE if name.startswith("arg") else REALS, total=u.total)


def summed(one: Bounds) -> Bounds:
    """The sum of one or more values of an interval."""
    low = one.low if one.low >= 0 else -INF
    high = one.high if one.high <= 0 else INF
    return Bounds(low, high, one.low_open, one.high_open)


def _along(name: str, below: Iterable[Nature]) -> Nature:
    first, *keys = below
    if name == "cumsum":
        return replace(first, bounds=summed(first.bounds))
    if name in ("sort", "unsort") and keys and keys[0].constant:
        return first
    if name == "rank":
        return Nature(Bounds(Fraction(1), INF), total=first.total)
    return Nature(first.bounds, total=first.total)

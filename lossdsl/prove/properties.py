"""What is known of a part of a loss as a function of the prediction, and what each operation makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from lossdsl.ir.bounds import INF, NONNEGATIVE, POSITIVE, REALS, UNIT, Bounds, point
from lossdsl.ir.traits import TRAITS, Trait


@dataclass(frozen=True)
class Properties:
    """What is known of an expression for every admissible input, as a function of the whole prediction.

    `constant`: it does not depend on it. `convex` and `concave` (both: affine), `continuous` and `smooth` (once, with
    a continuous slope) hold where it is defined, and say that this is a convex set: a pole, or a gap, between two
    predictions that have a value is a break. `total` says that it is defined everywhere.
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


def settled(bounds: Bounds, *, total: bool = True) -> Properties:
    return Properties(bounds, True, True, True, True, True, total)


# --- one argument -------------------------------------------------------------------------------------------------


def one_argument(name: str, u: Properties) -> Properties:
    """An operation of one argument, by its row."""
    trait = TRAITS[name]
    inside = u.bounds.within(trait.domain)
    if trait.elsewhere and not inside:
        return Properties()  # it may pass a pole
    image = image_of(trait, u.bounds)
    if not trait.is_continuous:
        return Properties(_stepped(name, u.bounds).meet(trait.image), total=u.total)
    if name in ("neg", "stop", "real"):
        if name == "neg":
            return Properties(image, u.constant, u.concave, u.convex, u.continuous, u.smooth, u.total)
        return u
    bends = _bends(trait, u.bounds)
    direction = _direction(trait, u.bounds)
    keeps = keeps_domain(u, trait.domain)
    convex = keeps and bends > 0 and (u.affine or (direction > 0 and u.convex) or (direction < 0 and u.concave))
    concave = keeps and bends < 0 and (u.affine or (direction > 0 and u.concave) or (direction < 0 and u.convex))
    continuous = keeps and u.continuous
    regular = not any(u.bounds.contains(end) for end in (*trait.steep, *trait.corners))
    return Properties(
        image, False, convex, concave, continuous, continuous and u.smooth and regular, u.total and inside
    )


def keeps_domain(u: Properties, domain: Bounds) -> bool:
    """Whether the predictions at which u lies in `domain` are a convex set, given that those are at which u is defined.

    Where the domain ends above u, u must be convex, and where it ends below, concave.
    """
    if u.bounds.within(domain):
        return True
    rest = Bounds(-INF, domain.high, False, domain.high_open), Bounds(domain.low, INF, domain.low_open)
    above, below = (u.bounds.within(side) for side in rest)
    return (above or u.convex) and (below or u.concave)


def _direction(fact: Trait, bounds: Bounds) -> int:
    if fact.direction == 2:
        return 1 if bounds.is_nonnegative else -1 if bounds.is_nonpositive else 0
    return fact.direction


def _bends(fact: Trait, bounds: Bounds) -> int:
    if fact.bends or not fact.bends_right:
        return fact.bends
    if bounds.is_nonnegative:
        return fact.bends_right
    # The rows with `bends_right` are odd functions up to a constant.
    return -fact.bends_right if bounds.is_nonpositive else 0


def image_of(fact: Trait, bounds: Bounds) -> Bounds:
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


def added(u: Properties, v: Properties) -> Properties:
    return Properties(
        u.bounds + v.bounds,
        False,
        u.convex and v.convex,
        u.concave and v.concave,
        u.continuous and v.continuous,
        u.smooth and v.smooth,
        u.total and v.total,
    )


def _subtracted(u: Properties, v: Properties) -> Properties:
    return added(u, one_argument("neg", v))


def _multiplied(u: Properties, v: Properties) -> Properties:
    if v.constant:
        u, v = v, u
    found = Properties(
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


def _divided(u: Properties, v: Properties) -> Properties:
    turned, regular = v.bounds.reciprocal(), v.bounds.is_nonzero
    up, down = v.bounds.is_nonnegative, v.bounds.is_nonpositive
    # A pole in the midst of the predictions is a break; one at the end of them is not.
    keeps = regular or (up and v.concave) or (down and v.convex)
    inverse = Properties(turned, v.constant, continuous=v.continuous and keeps, smooth=v.smooth and keeps,
                         total=v.total and regular)  # fmt: skip
    if v.constant:
        inverse = replace(inverse, convex=True, concave=True, continuous=True, smooth=True)
    else:
        inverse = replace(inverse, convex=up and v.concave, concave=down and v.convex)
    return _multiplied(u, inverse)


def _raised(u: Properties, v: Properties) -> Properties:
    total = u.total and v.total
    if not v.constant:
        if not u.bounds.is_positive:
            return Properties(NONNEGATIVE if u.bounds.is_nonnegative else REALS)
        # a^v = exp(v*log(a))
        return Properties(POSITIVE, False, u.constant and v.affine, False, u.continuous and v.continuous,
                          u.smooth and v.smooth, total)  # fmt: skip
    exponent = v.bounds
    if exponent.is_point and Fraction(exponent.low).denominator == 1:
        return _whole_power(u, int(exponent.low))
    return _real_power(u, v)


def _whole_power(u: Properties, n: int) -> Properties:
    if n == 0:
        return replace(settled(point(1)), total=u.total)
    if n < 0:
        return _divided(settled(point(1)), _whole_power(u, -n))
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
    return Properties(bounds, False, convex, concave, u.continuous, u.smooth, u.total)


def _real_power(u: Properties, v: Properties) -> Properties:
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
    # Where the exponent is not whole, a negative base has no value, and where it is negative, 0 has none.
    keeps = keeps_domain(u, NONNEGATIVE) and (exponent.is_nonnegative or positive or keeps_domain(u, POSITIVE))
    crossed = not (base or exponent.is_nonnegative)  # if it is whole there is a pole in the midst
    continuous = u.continuous and keeps and not crossed
    # A base that may be 0 has a steep root there.
    smooth = u.smooth and (positive or (exponent.low > one or (exponent.low == one and base)))
    total = u.total and (positive or (base and exponent.is_nonnegative))
    return Properties(bounds, False, convex and keeps, concave and keeps, continuous, smooth and continuous, total)


def extreme(name: str, u: Properties, v: Properties) -> Properties:
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
    return Properties(
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


def _xlogy(u: Properties, v: Properties) -> Properties:
    log = one_argument("log", v)
    found = _multiplied(u, log)
    # Where the factor is 0 the logarithm does not count; that it is free of the prediction keeps this continuous.
    calm = u.constant or v.bounds.is_positive
    total = u.total and v.total and (v.bounds.is_positive or (v.bounds.is_nonnegative and u.bounds == point(0)))
    return replace(found, continuous=found.continuous and calm, smooth=found.smooth and calm, total=total)


def _logaddexp(u: Properties, v: Properties) -> Properties:
    low, high = max(u.bounds.low, v.bounds.low), max(u.bounds.high, v.bounds.high) + 1
    continuous, smooth = u.continuous and v.continuous, u.smooth and v.smooth
    return Properties(Bounds(low, high), False, u.convex and v.convex, False, continuous, smooth, u.total and v.total)


def _bessel(u: Properties, v: Properties) -> Properties:
    settled = u.constant and u.bounds.is_nonnegative and v.bounds.is_nonnegative and keeps_domain(v, POSITIVE)
    return Properties(
        REALS,
        continuous=settled and v.continuous,
        smooth=settled and v.smooth,
        total=u.total and v.total and v.bounds.is_positive and u.bounds.is_nonnegative,
    )


RULES: dict[str, Callable[[Properties, Properties], Properties]] = {
    "add": added,
    "sub": _subtracted,
    "mul": _multiplied,
    "div": _divided,
    "pow": _raised,
    "xlogy": _xlogy,
    "logaddexp": _logaddexp,
    "log_bessel_i": _bessel,
    "mod": lambda u, v: Properties(total=u.total and v.total and v.bounds.is_nonzero),
}


def chosen(condition: Properties, first: Properties, second: Properties) -> Properties:
    """A choice: known where the prediction has no part in the condition; the other choices are taken apart."""
    bounds = first.bounds.join(second.bounds)
    total = condition.total and first.total and second.total
    if not condition.constant:
        return Properties(bounds, total=total)
    return Properties(
        bounds,
        False,
        first.convex and second.convex,
        first.concave and second.concave,
        first.continuous and second.continuous,
        first.smooth and second.smooth,
        total,
    )

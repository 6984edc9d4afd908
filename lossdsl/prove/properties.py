"""What is known of a part of a loss as a function of the prediction, and what each operation makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from lossdsl.ir.bounds import INF, NONNEGATIVE, POSITIVE, REALS, Bounds, point
from lossdsl.ir.op import Op
from lossdsl.ir.ops import OPS
from lossdsl.ir.traits import Trait


@dataclass(frozen=True)
class Profile:
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


def settled(bounds: Bounds, *, total: bool = True) -> Profile:
    return Profile(bounds, True, True, True, True, True, total)


# --- one argument -------------------------------------------------------------------------------------------------


def one_argument(op: Op, u: Profile) -> Profile:
    """An operation of one argument, by its row."""
    trait = op.trait
    assert trait is not None
    inside = u.bounds.within(trait.domain)
    if trait.elsewhere and not inside:
        return Profile()  # it may pass a pole
    image = op.image(u.bounds)
    if not trait.is_continuous:
        return Profile(image.meet(trait.image), total=u.total)
    bends = _bends(trait, u.bounds)
    direction = _direction(trait, u.bounds)
    keeps = keeps_domain(u, trait.domain)
    convex = u.affine or (direction > 0 and u.convex) or (direction < 0 and u.concave)
    concave = u.affine or (direction > 0 and u.concave) or (direction < 0 and u.convex)
    up, down = (trait.is_affine or bends == side for side in (1, -1))
    continuous = keeps and u.continuous
    regular = not any(u.bounds.contains(end) for end in (*trait.steep, *trait.corners))
    return Profile(
        image,
        False,
        keeps and up and convex,
        keeps and down and concave,
        continuous,
        continuous and u.smooth and regular,
        u.total and inside,
    )


def keeps_domain(u: Profile, domain: Bounds) -> bool:
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


# --- several arguments --------------------------------------------------------------------------------------------
#
# The bounds of what comes out are those of the row; these say the rest.


def _added(u: Profile, v: Profile) -> Profile:
    return Profile(
        convex=u.convex and v.convex,
        concave=u.concave and v.concave,
        continuous=u.continuous and v.continuous,
        smooth=u.smooth and v.smooth,
        total=u.total and v.total,
    )


def _subtracted(u: Profile, v: Profile) -> Profile:
    return _added(u, replace(v, convex=v.concave, concave=v.convex))


def _multiplied(u: Profile, v: Profile) -> Profile:
    if v.constant:
        u, v = v, u
    found = Profile(continuous=u.continuous and v.continuous, smooth=u.smooth and v.smooth, total=u.total and v.total)
    if u.constant:
        up, down = u.bounds.is_nonnegative, u.bounds.is_nonpositive
        convex = v.affine or (up and v.convex) or (down and v.concave)
        concave = v.affine or (up and v.concave) or (down and v.convex)
        return replace(found, convex=convex, concave=concave)
    return found


def _divided(u: Profile, v: Profile) -> Profile:
    regular = v.bounds.is_nonzero
    up, down = v.bounds.is_nonnegative, v.bounds.is_nonpositive
    # A pole in the midst of the predictions is a break; one at the end of them is not.
    keeps = regular or (up and v.concave) or (down and v.convex)
    inverse = Profile(
        v.bounds.reciprocal(),
        v.constant,
        continuous=v.constant or (v.continuous and keeps),
        smooth=v.constant or (v.smooth and keeps),
        convex=v.constant or (up and v.concave),
        concave=v.constant or (down and v.convex),
        total=v.total and regular,
    )
    return _multiplied(u, inverse)


def _raised(u: Profile, v: Profile) -> Profile:
    if not v.constant:
        if not u.bounds.is_positive:
            return Profile()
        # a^v = exp(v*log(a))
        return Profile(
            convex=u.constant and v.affine,
            continuous=u.continuous and v.continuous,
            smooth=u.smooth and v.smooth,
            total=u.total and v.total,
        )
    exponent = v.bounds
    if exponent.is_point and Fraction(exponent.low).denominator == 1:
        return _whole_power(u, int(exponent.low))
    return _real_power(u, v)


def _whole_power(u: Profile, n: int) -> Profile:
    if n == 0:
        return settled(point(1), total=u.total)
    if n < 0:
        below = replace(_whole_power(u, -n), bounds=u.bounds.power(point(-n)))
        return _divided(settled(point(1)), below)
    if n == 1:
        return u
    up, down = u.bounds.is_nonnegative, u.bounds.is_nonpositive
    convex = up and u.convex
    concave = down and u.concave
    if n % 2 == 0:
        convex, concave = u.affine or convex or concave, False
    return Profile(convex=convex, concave=concave, continuous=u.continuous, smooth=u.smooth, total=u.total)


def _real_power(u: Profile, v: Profile) -> Profile:
    """A power whose exponent is the same whatever the prediction, but need not be whole."""
    exponent, one = v.bounds, Fraction(1)
    base, positive = u.bounds.is_nonnegative, u.bounds.is_positive
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
    return Profile(
        convex=convex and keeps,
        concave=concave and keeps,
        continuous=continuous,
        smooth=smooth and continuous,
        total=u.total and v.total and (positive or (base and exponent.is_nonnegative)),
    )


def _larger(u: Profile, v: Profile) -> Profile:
    total = u.total and v.total
    if u.bounds.low >= v.bounds.high:
        return replace(u, total=total)
    if v.bounds.low >= u.bounds.high:
        return replace(v, total=total)
    return Profile(convex=u.convex and v.convex, continuous=u.continuous and v.continuous, total=total)


def _smaller(u: Profile, v: Profile) -> Profile:
    total = u.total and v.total
    if u.bounds.high <= v.bounds.low:
        return replace(u, total=total)
    if v.bounds.high <= u.bounds.low:
        return replace(v, total=total)
    return Profile(concave=u.concave and v.concave, continuous=u.continuous and v.continuous, total=total)


def _xlogy(u: Profile, v: Profile) -> Profile:
    found = _multiplied(u, one_argument(OPS["log"], v))
    # Where the factor is 0 the logarithm does not count; that it is free of the prediction keeps this continuous.
    calm = u.constant or v.bounds.is_positive
    total = u.total and v.total and (v.bounds.is_positive or (v.bounds.is_nonnegative and u.bounds == point(0)))
    return replace(found, continuous=found.continuous and calm, smooth=found.smooth and calm, total=total)


def _logaddexp(u: Profile, v: Profile) -> Profile:
    return replace(_added(u, v), concave=False)


ORDERS = Bounds(Fraction(-1), INF, True)
"""Of these orders the modified Bessel function is positive at all positive numbers."""


def _bessel(u: Profile, v: Profile) -> Profile:
    is_inside = u.bounds.within(ORDERS)
    settled = u.constant and is_inside and v.bounds.is_nonnegative and keeps_domain(v, POSITIVE)
    return Profile(
        continuous=settled and v.continuous,
        smooth=settled and v.smooth,
        total=u.total and v.total and v.bounds.is_positive and is_inside,
    )


def _chosen(condition: Profile, first: Profile, second: Profile) -> Profile:
    """A choice: known where the prediction has no part in the condition; the other choices are taken apart."""
    total = condition.total and first.total and second.total
    return replace(_added(first, second), total=total) if condition.constant else Profile(total=total)


RULES: dict[str, Callable[..., Profile]] = {
    "add": _added,
    "sub": _subtracted,
    "mul": _multiplied,
    "div": _divided,
    "pow": _raised,
    "max": _larger,
    "min": _smaller,
    "where": _chosen,
    "xlogy": _xlogy,
    "logaddexp": _logaddexp,
    "log_bessel_i": _bessel,
    "mod": lambda u, v: Profile(total=u.total and v.total and v.bounds.is_nonzero),
}
"""What several arguments make of the properties of each; of others nothing is claimed but that they are total."""

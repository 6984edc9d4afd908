"""Orders of growth, and what each operation makes of them: exact, and open where nothing is known.

Everything is compared with `y^power * log(y)^logs` as y goes to infinity, as Hardy's scale of orders does (Hardy 1910,
Orders of Infinity, Cambridge Tracts in Mathematics 12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from lossdsl.ir.bounds import INF, REALS, Bounds, point
from lossdsl.ir.op import Op
from lossdsl.ir.ops import OPS

Order = tuple[Fraction | float, int]
"""(power, logs); the power is infinite for what outgrows, or falls below, every power."""

LEVEL: Order = (Fraction(0), 0)


@dataclass(frozen=True)
class Growth:
    """An expression over `y^power*log(y)^logs` stays bounded, as y grows.

    With `lead` it has a limit, which lies in these bounds: a finite number, for each setting of everything else. Where
    the power is infinite, the lead tells the sign alone, and is not 0.
    """

    order: Order
    lead: Bounds | None = None

    @property
    def sign(self) -> int:
        """The sign in the end; 0 where it is not known."""
        if self.lead is None:
            return 0
        return 1 if self.lead.is_positive else -1 if self.lead.is_negative else 0

    @property
    def stays(self) -> bool:
        """Whether the expression stays bounded."""
        return self.order <= LEVEL

    @property
    def end(self) -> int:
        """1 where it goes to infinity, -1 to minus infinity, 0 where neither is known."""
        return self.sign if self.order > LEVEL else 0

    @property
    def limit(self) -> Bounds | None:
        """Bounds of its limit, where that is finite and known to exist."""
        if self.order < LEVEL:
            return point(0)
        return self.lead if self.order == LEVEL else None


ANY_FAST: Order = (INF, 0)
VANISHING: Order = (-INF, 0)
UP, DOWN = point(1), point(-1)


def _plus(a: Order, c: Order) -> Order | None:
    if {a[0], c[0]} == {INF, -INF}:
        return None
    power = a[0] + c[0]
    return (power, 0) if power in (INF, -INF) else (power, a[1] + c[1])


def _added(a: Growth, c: Growth) -> Growth | None:
    if a.order == c.order:
        if a.order[0] == INF:
            return a if a.sign and a.sign == c.sign else None
        if a.order[0] == -INF:
            return Growth(a.order)
        return Growth(a.order, a.lead + c.lead if a.lead is not None and c.lead is not None else None)
    return max(a, c, key=lambda one: one.order)


def _negative(a: Growth) -> Growth:
    return Growth(a.order, None if a.lead is None else -a.lead)


def _multiplied(a: Growth, c: Growth) -> Growth | None:
    for one, other in ((a, c), (c, a)):
        if one.order[0] == INF and other.order[0] != INF and not other.sign:
            return None  # what it is multiplied by may go to 0
    order = _plus(a.order, c.order)
    if order is None:
        return None
    if order[0] in (INF, -INF):
        sign = a.sign * c.sign
        return Growth(order, point(sign) if sign else None) if sign or order[0] == -INF else None
    return Growth(order, a.lead * c.lead if a.lead is not None and c.lead is not None else None)


def _inverse(a: Growth) -> Growth | None:
    if not a.sign or a.lead is None:
        return None
    if a.order[0] in (INF, -INF):
        return Growth((-a.order[0], 0), a.lead)
    return Growth((-a.order[0], -a.order[1]), a.lead.reciprocal())


def divided(a: Growth, c: Growth) -> Growth | None:
    inverse = _inverse(c)
    return None if inverse is None else _multiplied(a, inverse)


def _power(a: Growth, exponent: Fraction) -> Growth | None:
    if exponent == 0:
        return Growth(LEVEL, point(1))
    if exponent < 0:
        inverse = _inverse(a)
        return None if inverse is None else _power(inverse, -exponent)
    whole = exponent.denominator == 1
    logs = a.order[1] * exponent
    if logs.denominator != 1 or (not whole and a.sign < 0) or exponent > 64:
        return None
    order: Order = (a.order[0] * exponent, int(logs))
    if a.lead is None:
        return Growth(order) if order[0] != INF else None
    if a.order[0] in (INF, -INF):
        turned = a.sign if exponent % 2 else abs(a.sign)
        return Growth(order, {1: UP, 0: None, -1: DOWN}[turned])
    if whole:
        return Growth(order, a.lead.whole_power(int(exponent)))
    if exponent == Fraction(1, 2) and a.lead.is_nonnegative:
        return Growth(order, OPS["sqrt"].image(a.lead))
    return Growth(order, Bounds(Fraction(0), INF, True) if a.sign > 0 else None)


def _exp(a: Growth) -> Growth | None:
    if a.end:
        # log(y)^1 alone would give a power of y, of which nothing is said here.
        return Growth(ANY_FAST if a.end > 0 else VANISHING, UP) if a.order[0] > 0 else None
    return _at_limit(OPS["exp"], a)


def log(a: Growth) -> Growth | None:
    if a.sign <= 0 or a.order[0] in (INF, -INF):
        return None
    power = Fraction(a.order[0])
    if power:
        return Growth((Fraction(0), 1), point(power))
    return _at_limit(OPS["log"], a) if a.order == LEVEL else None


def _at_limit(op: Op, a: Growth) -> Growth | None:
    """A continuous function of what has a limit inside its domain."""
    limit, trait = a.limit, op.trait
    if limit is None or trait is None or not trait.is_continuous or not limit.within(trait.domain):
        return None
    if any(-INF < end < INF and limit.contains(end) for end in (trait.domain.low, trait.domain.high)):
        return None  # its domain may be left in the meantime
    return Growth(LEVEL, op.image(limit))


def one_argument(op: Op, a: Growth) -> Growth | None:
    if has_own_growth(op):
        return _OWN[op.name](a)
    trait = op.trait
    if a.end and trait and trait.is_continuous and trait.domain == REALS and trait.direction in (1, -1):
        end = trait.limits[1 if a.end > 0 else 0]
        if -INF < end < INF:
            limit = Fraction(end)
            return Growth(LEVEL, point(limit) if limit.denominator == 1 else Bounds(limit - _NEAR, limit + _NEAR))
    return _at_limit(op, a)


_NEAR = Fraction(1, 10**12)
"""Limits that are no whole numbers, such as those of `atan`, are written to 16 digits."""


def _softplus(a: Growth) -> Growth | None:
    if a.end > 0:
        return a
    return Growth(VANISHING, UP) if a.end < 0 and a.order[0] > 0 else _at_limit(OPS["softplus"], a)


def _abs(a: Growth) -> Growth | None:
    return a if a.sign > 0 else _negative(a) if a.sign < 0 else _at_limit(OPS["abs"], a)


def _log_cosh(a: Growth) -> Growth | None:
    return _abs(a) if a.end else _at_limit(OPS["log_cosh"], a)  # far out, it is abs(a) - log(2)


_OWN: Mapping[str, Callable[[Growth], Growth | None]] = {
    "neg": _negative,
    "real": lambda a: a,
    "stop": lambda a: a,
    "sqrt": lambda a: _power(a, Fraction(1, 2)),
    "abs": _abs,
    "sign": lambda a: Growth(LEVEL, point(a.sign) if a.sign else None),
    "log_cosh": _log_cosh,
    "exp": _exp,
    "log": log,
    "softplus": _softplus,
}
"""The functions that make the scale, and those that leave an order of growth as it is. All others follow from what they
are in terms of these, as their rows have it, or from their limits."""


def has_own_growth(op: Op) -> bool:
    return op.name in _OWN


def several_arguments(name: str, args: list[Growth]) -> Growth | None:
    if len(args) != 2:
        return None
    a, c = args
    match name:
        case "add":
            return _added(a, c)
        case "sub":
            return _added(a, _negative(c))
        case "mul":
            return _multiplied(a, c)
        case "div":
            return divided(a, c)
        case "pow" if c.order == LEVEL and c.lead is not None and c.lead.is_point:
            return _power(a, Fraction(c.lead.low))
    return None

"""Limits of an expression of one variable as it grows, or falls, without end; everything else is a number."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lossdsl.analysis.bounds import INF, Bounds, point
from lossdsl.analysis.facts import FACTS
from lossdsl.analysis.forms import Forms, TooLarge
from lossdsl.analysis.natures import image_of
from lossdsl.ir.expr import Call, Const, Expr, Flag, walk

Limit = Bounds | float | bool | None
"""An interval that holds a finite limit, an infinity, the outcome of a condition, or None where it is not known."""


def limit(expr: Expr, leaf: Expr, sign: int) -> Limit:
    """The limit as `leaf` goes to plus or minus infinity. No other leaf may be left in the expression."""
    found: dict[Expr, Limit] = {}
    for node in walk(expr):
        if node is leaf:
            found[node] = sign * INF
        elif isinstance(node, Const):
            found[node] = point(node.value) if isinstance(node.value, Fraction) else node.value
            if node.value != node.value:
                found[node] = None
        elif isinstance(node, Flag):
            found[node] = node.value
        elif isinstance(node, Call):
            args = [found[arg] for arg in node.args]
            found[node] = _call(node.op.name, args)
            if found[node] is None and node.op.name in ("add", "sub", "mul", "div"):
                found[node] = _rational(node, leaf, sign)
        else:
            found[node] = None
    return found[expr]


def _call(name: str, args: list[Limit]) -> Limit:
    if name == "where":
        held = args[0]
        return args[1 if held else 2] if isinstance(held, bool) else None
    if any(arg is None for arg in args):
        return None
    if name in FACTS:
        return _one(name, args[0])
    rule = _RULES.get(name)
    return None if rule is None else rule(*args)


def _one(name: str, a: Limit) -> Limit:
    fact = FACTS[name]
    if isinstance(a, bool) or a is None:
        return None
    if name == "sign":
        return point(_sign(a)) if _sign(a) else None
    if not fact.is_continuous:
        return None
    if isinstance(a, Bounds):
        return _known(image_of(fact, a)) if a.within(fact.domain) else None
    if (a > 0 and fact.domain.high < INF) or (a < 0 and fact.domain.low > -INF):
        return None
    if fact.direction == 2:
        return INF
    if name == "lgamma":
        return INF
    if fact.direction == 0:
        return None
    end = fact.limits[1 if a > 0 else 0]
    return point(Fraction(end)) if -INF < end < INF else float(end)


def _known(bounds: Bounds) -> Limit:
    return bounds if bounds.is_finite else None


def _add(a: Limit, c: Limit) -> Limit:
    if isinstance(a, Bounds) and isinstance(c, Bounds):
        return a + c
    ends = [one for one in (a, c) if isinstance(one, float)]
    return ends[0] if ends and all(end == ends[0] for end in ends) else None


def _negative(a: Limit) -> Limit:
    return -a if isinstance(a, Bounds | float) and not isinstance(a, bool) else None


def _sign(a: Limit) -> int:
    if isinstance(a, Bounds):
        return 1 if a.low > 0 else -1 if a.high < 0 else 0
    return 0 if a is None else 1 if a > 0 else -1


def _mul(a: Limit, c: Limit) -> Limit:
    if isinstance(a, Bounds) and isinstance(c, Bounds):
        return a * c
    signs = _sign(a) * _sign(c)
    return signs * INF if signs else None


def _div(a: Limit, c: Limit) -> Limit:
    if isinstance(c, Bounds):
        return _mul(a, c.reciprocal()) if c.low > 0 or c.high < 0 else None
    return point(0) if isinstance(a, Bounds) else None


def _pow(a: Limit, c: Limit) -> Limit:
    if not isinstance(c, Bounds) or not c.is_point:
        return None
    exponent = Fraction(c.low)
    if isinstance(a, Bounds):
        if exponent.denominator == 1 and 0 < exponent <= 64:
            return a.whole_power(int(exponent))
        return None
    if exponent == 0 or a is None:
        return None
    if a < 0 and exponent.denominator != 1:
        return None
    if exponent < 0:
        return point(0)
    return INF if a > 0 or exponent % 2 == 0 else -INF


def _extreme(pick: Callable[[Any, Any], Any]) -> Callable[[Limit, Limit], Limit]:
    def found(a: Limit, c: Limit) -> Limit:
        if isinstance(a, Bounds) and isinstance(c, Bounds):
            low, high = pick(a.low, c.low), pick(a.high, c.high)
            return a if (low, high) == (a.low, a.high) else c if (low, high) == (c.low, c.high) else None
        for one, other in ((a, c), (c, a)):
            if isinstance(one, float):
                return one if pick(one, 0.0) == one else other
        return None

    return found


def _compare(test: Callable[[float, float], bool]) -> Callable[[Limit, Limit], Limit]:
    """Whether one is surely more (or less) than the other in the end; None where they meet."""

    def found(a: Limit, c: Limit) -> Limit:
        ends = []
        for one in (a, c):
            if isinstance(one, Bounds):
                ends.append((one.low, one.high))
            elif one is None or isinstance(one, bool):
                return None
            else:
                ends.append((one, one))
        (low, high), (least, most) = ends
        if low > most:
            return test(1, 0)
        return test(0, 1) if high < least else None

    return found


_RULES: dict[str, Callable[..., Limit]] = {
    "add": _add,
    "sub": lambda a, c: _add(a, _negative(c)),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "max": _extreme(max),
    "min": _extreme(min),
    "lt": _compare(lambda a, c: a < c),
    "le": _compare(lambda a, c: a <= c),
    "gt": _compare(lambda a, c: a > c),
    "ge": _compare(lambda a, c: a >= c),
    "eq": _compare(lambda a, c: False),
    "ne": _compare(lambda a, c: True),
    "and": lambda a, c: a and c if isinstance(a, bool) and isinstance(c, bool) else None,
    "or": lambda a, c: a or c if isinstance(a, bool) and isinstance(c, bool) else None,
    "not": lambda a: not a if isinstance(a, bool) else None,
    "truth": lambda a: point(int(a)) if isinstance(a, bool) else None,
    "pi": lambda: Bounds(Fraction(3), Fraction(4)),
}


def _rational(expr: Expr, leaf: Expr, sign: int) -> Limit:
    """The limit of a quotient of polynomials in the leaf."""
    forms = Forms()
    try:
        form = forms.of(expr)
    except TooLarge:
        return None
    if any(atom is not leaf for atom in forms.atoms) or not forms.atoms or form.is_zero:
        return None
    top, bottom = form.top.degrees()[0], form.bottom.degrees()[0]
    leading = form.top.leading_coefficient()  # the other one is 1
    if top > bottom:
        turned = sign if (top - bottom) % 2 else 1
        return INF if (leading > 0) == (turned > 0) else -INF
    if top == bottom:
        return point(Fraction(int(leading.p), int(leading.q)))
    return point(0)

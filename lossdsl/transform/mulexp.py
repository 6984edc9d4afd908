"""Products of what may be 0 and an exponential that may overflow: `mulexp`, which is 0 where the first is."""

from __future__ import annotations

from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Length, walk
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.traversal import unknown
from lossdsl.transform.factors import few_factors
from lossdsl.transform.gradient import is_upstream

_OVERFLOWS = 88
"""The exponential of more is infinite in float32."""
_FEW = 8


class Pullbacks:
    """Which expressions have a part of what a pullback is linear in. Each is looked at once."""

    def __init__(self) -> None:
        self._found: dict[Expr, bool] = {}

    def has(self, expr: Expr) -> bool:
        for node in unknown(expr, self._found):
            self._found[node] = is_upstream(node) or any(self._found[child] for child in node.children)
        return self._found[expr]


def with_exponential(node: Call, known: Ranges, linear: Pullbacks) -> Expr | None:
    """A product of what may be 0 and an exponential that may overflow, which is 0 then: 0 times infinity is nan.

    So is a quotient by an exponential that may vanish, as the error over a scale that is predicted.
    """
    powers, others = _powers_and_others(node)
    if not powers:
        return None
    inner = [one for one in others if not linear.has(one)]  # it may not be compared with 0, for JAX transposes it
    if _are_opposite(powers, known) and all(one.is_static for one in inner):
        return fold(b.mul, others, b.call("exp", fold(b.add, powers)))
    if not inner:
        return None
    power, factor = _summed(powers), fold(b.mul, inner)
    if power is b.ZERO and factor.axes >= node.axes:
        return fold(b.mul, (one for one in others if one not in inner), factor)
    if known[power].high < _OVERFLOWS or (known[factor].is_nonzero and not _may_underflow(factor)):
        return None
    return fold(b.mul, (one for one in others if one not in inner), b.call("mulexp", factor, power))


def _summed(powers: list[Expr]) -> Expr:
    """The sum of exponents, without those that cancel."""
    left = list[Expr]()
    for power in powers:
        if b.neg(power) in left:
            left.remove(b.neg(power))
        else:
            left.append(power)
    return fold(b.add, left) if left else b.ZERO


def _are_opposite(powers: list[Expr], known: Ranges) -> bool:
    """Whether one exponential may overflow where another vanishes."""
    may_overflow = [known[power].high >= _OVERFLOWS for power in powers]
    may_vanish = [known[power].low <= -_OVERFLOWS for power in powers]
    return any(one and any(may_vanish[:place] + may_vanish[place + 1 :]) for place, one in enumerate(may_overflow))


def _may_underflow(factor: Expr) -> bool:
    """Whether a number that is not 0 may be too small to be written down, as the slope of what has long saturated."""
    ops = {node.op for node in walk(factor) if isinstance(node, Call)}
    return any(op.trait is not None and 0 in op.trait.limits and op.trait.image.is_nonzero for op in ops)


def without_choice(node: Call, linear: Pullbacks) -> Expr | None:
    """The first piece of `where(a != 0, mulexp(a, c), 0)`, which is 0 without the choice where a is.

    With it, each of a tower of exponentials would be worked out again under the condition of every other one.
    """
    condition, piece, other = node.args
    if other is not b.ZERO or not (isinstance(condition, Call) and condition.op.name == "ne"):
        return None
    compared, zero = condition.args
    factors = few_factors(piece)
    whole = [one for one in factors if isinstance(one, Call) and _is_mulexp(one)]
    if zero is not b.ZERO or len(whole) != 1 or not all(linear.has(one) for one in factors if one not in whole):
        return None
    inside = few_factors(whole[0].args[0])
    for one in few_factors(compared):
        if one not in inside:
            return None
        inside.remove(one)
    return piece if all(isinstance(one, Const | Length) for one in inside) else None  # the others are finite


def _is_mulexp(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.op.name == "mulexp"


def _powers_and_others(node: Expr) -> tuple[list[Expr], list[Expr]]:
    """The exponents among the first factors of a product or quotient, and the other factors."""
    powers, others = list[Expr](), list[Expr]()
    stack = [node]
    while stack:
        one = stack.pop()
        is_enough = len(stack) + len(others) > _FEW  # a product may be the product of itself, forty times over
        match one:
            case Call(op, (first, second)) if op.name == "mul" and not is_enough:
                stack += [second, first]
            case Call(op, (inner,)) if op.name == "neg" and any(map(_is_mulexp, few_factors(inner, above=True))):
                stack += [inner, b.const(-1)]
            case Call(op, (above, Call(below, (power,)))) if (op.name, below.name) == ("div", "exp"):
                powers.append(b.neg(power))
                stack.append(above)
            case Call(op, (above, below)) if op.name == "div" and below.is_static and powers and above is not b.ONE:
                stack += [above, b.div(b.ONE, below)]
            case Call(op, (power,)) if op.name == "exp":
                powers.append(power)
            case Call(op, (factor, power)) if op.name == "mulexp":
                powers.append(power)
                others.append(factor)
            case _ if one is not b.ONE:
                others.append(one)
    return powers, others

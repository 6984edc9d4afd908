"""Products of what may be 0 and an exponential that may overflow: `mulexp`, which is 0 where the first is."""

from __future__ import annotations

from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr
from lossdsl.ir.ranges import Ranges

_OVERFLOWS = 88
"""The exponential of more is infinite in float32."""


def with_exponential(node: Call, known: Ranges) -> Expr | None:
    """A product of what may be 0 and an exponential that may overflow, which is 0 then: 0 times infinity is nan.

    So is a quotient by an exponential that may vanish, as the error over a scale that is predicted.
    """
    powers, others = _powers_and_others(node)
    if not powers or not others:
        return None
    power, factor = fold(b.add, powers), fold(b.mul, others)
    if known[power].high < _OVERFLOWS or known[factor].is_nonzero:
        return None
    return b.call("mulexp", factor, power)


def _powers_and_others(node: Expr) -> tuple[list[Expr], list[Expr]]:
    """The exponents among the factors of a product or quotient, and the other factors."""
    match node:
        case Call(op, (one, other)) if op.name == "mul":
            (powers, others), (more, rest) = _powers_and_others(one), _powers_and_others(other)
            return [*powers, *more], [*others, *rest]
        case Call(op, (above, Call(below, (power,)))) if (op.name, below.name) == ("div", "exp"):
            powers, others = _powers_and_others(above)
            return [*powers, b.neg(power)], others
        case Call(op, (power,)) if op.name == "exp":
            return [power], []
        case Call(op, (factor, power)) if op.name == "mulexp":
            return [power], [factor]
    return [], [] if node is b.ONE else [node]

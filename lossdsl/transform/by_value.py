"""A slope as a product of a factor that each value of the loss has, and what each element has beside it."""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE, SPACE
from lossdsl.ir.expr import Call, Expr, Input, walk


def by_value(slope: Expr, seed: Input, keeps_places: bool) -> tuple[Expr, Expr] | None:
    """The factor without the derivative of what comes after, `seed`, and the rest; None where it is not such a product.

    Whoever is given the rest multiplies what comes after by the factor before he multiplies the rest by both: that is
    one pass over what is large instead of two. Where arrays keep the places of the inputs, the factor may have places.
    """
    if not isinstance(slope, Call) or slope.op.name != "mul":
        return None
    for one, rest in (slope.args, slope.args[::-1]):
        if one.axes != seed.axes or seed not in walk(one) or seed in walk(rest):
            continue
        factor = b.substitute(one, {seed: b.ONE})
        fits = factor.axes in (NONE, seed.axes) and (keeps_places or SPACE not in factor.axes)
        if fits and all(isinstance(node, Call) for node in walk(one) if node is not seed and seed in walk(node)):
            return factor, rest
    return None

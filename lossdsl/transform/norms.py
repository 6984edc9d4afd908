"""Roots of sums of squares, and quotients by them, as norms: whole functions whose squares need not fit the format."""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Call, Expr, Reduce
from lossdsl.ir.op import Aggregate, Op
from lossdsl.ir.whole import along, reduce


def root(total: Expr) -> Expr | None:
    """`sqrt(sum(e^2))` as norm(e), that of a mean by its length, of products and quotients by their parts."""
    match total:
        case Reduce(op, arg, over) if op.name in ("sum", "mean") and (base := _root_of_square(arg)) is not None:
            norm = reduce("norm", b.spread(base, over), over)
            return norm if op.name == "sum" else b.div(norm, b.call("sqrt", b.length(arg, over)))
        case Call(op, (one, other)) if op.name == "mul":
            first, second = root(one), root(other)
            return None if first is None or second is None else b.mul(first, second)
        case Call(op, (one, other)) if op.name == "max" and (b.exact(other) or 0) > 0:
            found = root(one)
            return None if found is None else b.call("max", found, b.call("sqrt", other))
        case Call(op, (above, below)) if op.name == "div" and below.is_static:
            found = root(above)
            return None if found is None else b.div(found, b.call("sqrt", below))
    return None


def _root_of_square(node: Expr) -> Expr | None:
    """What is squared; of a filter, which has 0 elsewhere, with the filter."""
    match node:
        case Call(op, (condition, one, other)) if op.name == "where" and other is b.ZERO:
            inner = _root_of_square(one)
            return None if inner is None else b.where(condition, inner, b.ZERO)
    return b.squared(node)


def over_norms(above: Expr, below: Expr) -> Expr | None:
    """`e/norm(e)` as normalize(e), and `sum(a*c)/(norm(a)*norm(c))` as the sum of products of such unit vectors.

    The products alone might not fit, nor the square of a norm in the slope of a quotient. Of nothing but zeros, which
    has no direction, it is 0.
    """
    if isinstance(below, Reduce) and below.op.name == "norm" and above is below.arg:
        return along("normalize", above, below.over)
    match above:
        case Call(Op("neg"), (negated,)):
            found = over_norms(negated, below)
            return None if found is None else b.neg(found)
        case Reduce(Aggregate("sum"), arg, over) if _is_product(arg):
            return _over_parts(arg, below, over)
    return None


def _over_parts(product: Expr, below: Expr, over: Axes) -> Expr | None:
    """A sum of products over norms of their factors."""
    parts, rest = list(product.children), []
    for divisor in below.children if _is_product(below) else (below,):
        place = _normed(divisor, parts, over)
        if place is None:
            rest.append(divisor)
        else:
            parts[place] = along("normalize", parts[place], over)
    if parts == list(product.children):
        return None
    result: Expr = reduce("sum", b.mul(*parts), over)
    for divisor in rest:
        result = b.div(result, divisor)
    return result


def _is_product(node: Expr) -> bool:
    return isinstance(node, Call) and node.op.name == "mul"


def _normed(divisor: Expr, parts: list[Expr], over: Axes) -> int | None:
    """Which of the parts a divisor is the norm of, which has not been divided by it yet."""
    if not (isinstance(divisor, Reduce) and divisor.op.name == "norm" and divisor.over == over):
        return None
    return parts.index(divisor.arg) if divisor.arg in parts else None

"""Quotients of exponentials: softmax, sigmoid and tanh where that is what they are, else by one exponential."""

from __future__ import annotations

from collections.abc import Callable

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Call, Expr, Gather, Reduce, Rename, Slice
from lossdsl.ir.whole import along
from lossdsl.transform.log_domain import LogDomain
from lossdsl.transform.log_rules import log_of_part, share
from lossdsl.transform.norms import over_norms
from lossdsl.transform.pairs import log_over_part, paired
from lossdsl.transform.scaled import LEAST, MOST, NEAR, Scaled, subtraction, unshifted
from lossdsl.transform.sums import summands


def log_of_quotient_near_one(arg: Expr) -> Expr | None:
    """`log(a/(a + b))` as -log1p(b/a), and log(a[i]/sum(a)) likewise."""
    if not (isinstance(arg, Call) and arg.op.name == "div"):
        return None
    for one, total in (arg.args, arg.args[::-1]):
        found = None
        if isinstance(total, Reduce) and total.op.name == "sum":
            found = log_over_part(total, one)
        elif isinstance(total, Call) and total.op.name == "add" and one in total.args:
            other = total.args[0] if total.args[1] is one else total.args[1]
            found = b.call("log1p", b.div(other, one))
        if found is not None:
            return b.neg(found) if total is arg.args[1] else found
    return None


def quotient(domain: LogDomain, node: Call) -> Expr | None:
    above, below = node.args
    units = over_norms(above, below)
    if units is not None:
        return units
    tangent = _half_tangent(domain, above, below)
    if tangent is not None:
        return tangent
    divisor = domain.scale(below)
    if divisor.is_plain:
        return None
    found = _share(above, below)
    if found is not None:
        return found
    dividend = domain.scale(above)
    odds = _sigmoid(Scaled(b.ONE) if dividend.is_plain else dividend, divisor)
    if odds is not None:
        return b.mul(above, odds) if dividend.is_plain else odds
    if dividend.is_plain:
        return None
    plain = b.sub(dividend.power, divisor.power)
    power = paired(plain)
    element = share(domain, "softmax", above, below)
    if element is not None:
        return element
    part = log_of_part(domain, above, below)
    if part is not None:
        quotient = b.call("exp", part)
    else:
        quotient = b.mul(b.div(dividend.factor, divisor.factor), b.call("exp", power))
    if power is not plain:  # as of the odds p/(1 - p)
        return quotient
    is_well = b.call("and", b.call("gt", below, b.const(LEAST)), b.call("lt", below, b.const(MOST)))
    value = b.where(is_well, node, quotient)
    if dividend.factor is b.ONE and divisor.factor is b.ONE:  # powers of the divisor in the slope need not fit
        return b.call("via", value, power, value)
    return value


def _half_tangent(domain: LogDomain, above: Expr, below: Expr) -> Expr | None:
    """`(p - q)/(p + q)` of two exponentials as tanh of half the distance of their logarithms."""
    pair = subtraction(above)
    if pair is None or not domain.is_made_of_exponentials(below):
        return None
    terms = summands(below, 2)
    if len(terms) != 2 or {sign for sign, _ in terms} != {1} or {term for _, term in terms} != set(pair):
        return None
    logs = [b.ZERO if one is b.ONE else domain.log(one) for one in pair]
    if logs[0] is None or logs[1] is None:
        return None
    return b.call("tanh", b.mul(NEAR, b.sub(logs[0], logs[1])))


def _sigmoid(dividend: Scaled, divisor: Scaled) -> Expr | None:
    """`exp(a)/(exp(a) + exp(c))` as sigmoid(a - c)."""
    if dividend.factor is not b.ONE or divisor.factor is not b.ONE or not isinstance(divisor.power, Call):
        return None
    name, args = divisor.power.op.name, divisor.power.args
    if name == "softplus":
        (a,) = args
        return b.call("sigmoid", a if dividend.power is a else b.neg(a)) if dividend.power in (a, b.ZERO) else None
    if name == "logaddexp":
        for one, other in (args, args[::-1]):
            if dividend.power is one:
                return b.call("sigmoid", b.sub(one, other))
    return None


def _share(above: Expr, below: Expr) -> Expr | None:
    """A part of a sum of exponentials over the sum, with the exponential replaced by the softmax."""
    if not (isinstance(below, Reduce) and below.op.name == "sum"):
        return None
    powers = below.arg
    if not (isinstance(powers, Call) and powers.op.name == "exp" and below.over <= powers.axes):
        return None
    power, _ = unshifted(powers.args[0], below.over)
    return _replaced(above, powers, along("softmax", power, below.over), below.over)


def _replaced(part: Expr, powers: Expr, share: Expr, over: Axes) -> Expr | None:
    """What is proportional to exponentials, with shares in their place; None if it is not proportional to them."""

    def inside(inner: Expr) -> Expr | None:
        return _replaced(inner, powers, share, over)

    if part is powers:
        return share
    match part:
        case Call():
            return _replaced_in_call(part, inside)
        case Reduce(op) if op.name not in ("sum", "mean"):
            return None
        case Rename(_, old, new) | Slice(_, old, new) if {old, new} & powers.axes - over:
            return None
        case Reduce(_, arg) | Gather(arg) | Rename(arg) | Slice(arg):
            found = inside(arg)
            keeps_axes = found is not None and (isinstance(part, Gather | Rename) or found.axes == arg.axes)
            return part.rebuilt((found, *part.children[1:])) if found is not None and keeps_axes else None
    return None


def _replaced_in_call(node: Call, inside: Callable[[Expr], Expr | None]) -> Expr | None:
    """The same for an operation, `inside` which is what becomes of its arguments."""
    parts: list[Expr | None]
    match node.op.name, node.args:
        case "mul", (one, other):
            left = inside(one)
            parts = [one, inside(other)] if left is None else [left, other]
        case "div", (one, other):
            parts = [inside(one), other]
        case _, args if node.op.signs:
            parts = [inside(arg) for arg in args]
        case "where", (condition, *pieces):
            parts = [condition, *(piece if b.is_const(piece, 0) else inside(piece) for piece in pieces)]
        case _:
            return None
    return None if None in parts else b.call(node.op.name, *(one for one in parts if one is not None))

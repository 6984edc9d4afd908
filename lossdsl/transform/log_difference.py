"""Logarithms of differences, which are taken to be positive: of two exponentials, and of 1 less a probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Reduce, Rename
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.whole import along, reduce
from lossdsl.transform.canonical import canonical
from lossdsl.transform.scaled import NEAR, NOTHING, Scaled, name_of, subtraction

if TYPE_CHECKING:
    from lossdsl.transform.log_domain import LogDomain


def difference(domain: LogDomain, expr: Expr) -> Expr | None:
    """The logarithm of a difference of two such numbers, or of 1 and one; None for anything else."""
    pair = subtraction(expr)
    if pair is None:
        return None
    return _log_difference(domain, *pair, depth=0)


def size_of_difference(domain: LogDomain, expr: Expr) -> Expr | None:
    """The logarithm of the absolute value of a difference of two such numbers, whichever is larger."""
    if domain.known[expr].is_nonnegative:
        return difference(domain, expr)
    pair = subtraction(expr)
    if pair is None:
        return None
    one, other = pair
    if name_of(one) == name_of(other) and name_of(one) in ("sigmoid", "norm_cdf"):
        low, high = (b.call(name, one.children[0], other.children[0]) for name in ("min", "max"))
        are_apart = b.call("ne", high, low)
        smaller = b.call(name_of(one), b.where(are_apart, low, b.sub(high, b.ONE)))
        found = _log_difference(domain, b.call(name_of(one), high), smaller, depth=0)
        return None if found is None else b.where(are_apart, found, NOTHING)
    if domain.scale(one).is_plain and domain.scale(other).is_plain:
        return None
    logs = [b.ZERO if side is b.ONE else domain.pure(domain.scale(side)) for side in pair]
    if logs[0] is None or logs[1] is None:
        return None
    gap = b.call("abs", collected(logs[0], logs[1]))
    are_apart = b.call("ne", gap, b.ZERO)
    rest = log_less_exponential(domain, b.neg(b.where(are_apart, gap, b.ONE)))
    return b.where(are_apart, b.add(b.call("max", logs[0], logs[1]), rest), NOTHING)


def _log_difference(domain: LogDomain, one: Expr, other: Expr, depth: int) -> Expr | None:
    if depth < 4 and (choice := _of_choice(domain, one, other, depth)) is not None:
        return choice
    if b.is_const(other, 0):
        return domain.log(one)
    whole = b.exact(one)
    if whole is not None and whole >= 2 * domain.known[other].high:
        return None  # nothing cancels
    same = {name_of(one), name_of(other)}
    if same == {"sigmoid"}:
        a, c = one.children[0], other.children[0]
        both = b.add(b.call("log_sigmoid", a), b.call("log_sigmoid", b.neg(c)))
        return b.add(both, _log_of_gap(domain, c, a))
    if same == {"norm_cdf"}:
        return _between(domain, one.children[0], other.children[0])
    left, right = domain.scale(one), domain.scale(other)
    if right.is_plain and left.is_plain:
        return _log_of_rest(domain, other) if one is b.ONE else None
    if one is b.ONE:
        return log_rest(domain, other, right)
    high, low = domain.pure(left), domain.pure(right)
    if high is None or low is None:
        return None
    return b.add(high, _log_of_gap(domain, low, high))


def _log_of_gap(domain: LogDomain, low: Expr, high: Expr) -> Expr:
    """log(1 - exp(low - high)), by what is left of the difference once what both have is gone."""
    power = collected(low, high)
    if name_of(power) == "neg" and name_of(power.children[0]) == "softplus":
        return b.call("log_sigmoid", power.children[0].children[0])
    return log_less_exponential(domain, power)


def collected(one: Expr, other: Expr) -> Expr:
    """A difference without what both sides have."""
    gap = b.sub(one, other)
    found = canonical((gap,))[0]
    return found if found.axes == gap.axes else gap


def _between(domain: LogDomain, a: Expr, c: Expr) -> Expr:
    """log(norm_cdf(a) - norm_cdf(c)); where a is c and an exponential, of one that is too small for their sum.

    The density in the middle, times the gap: what is left out is of the order of the fourth power of the gap.
    """
    plain, gap = b.call("log_norm_cdf_diff", a, c), collected(a, c)
    scaled = domain.scale(gap)
    power = None if scaled.is_plain else domain.pure(scaled)
    if power is None:
        return plain
    middle = b.add(c, b.mul(NEAR, gap))
    square = b.power(middle, b.TWO)
    rest = b.div(b.mul(b.power(gap, b.TWO), b.sub(square, b.ONE)), b.const(24))
    near = b.sub(b.add(power, rest), b.add(b.mul(NEAR, square), b.const(0.5 * math.log(2 * math.pi))))
    is_near = b.call("lt", b.mul(gap, b.add(b.ONE, b.call("abs", middle))), b.const(0.01))
    return b.where(is_near, near, b.call("log_norm_cdf_diff", a, b.where(is_near, b.sub(a, b.ONE), c)))


def _of_choice(domain: LogDomain, one: Expr, other: Expr, depth: int) -> Expr | None:
    """Of a choice, that of each piece."""
    for place, side in enumerate((one, other)):
        if name_of(side) == "where" and not domain.scale(side).is_plain:
            condition, *pieces = side.children
            sides = [(piece, other) if place == 0 else (one, piece) for piece in pieces]
            logs = [_log_difference(domain, *pair, depth + 1) or b.call("log", b.sub(*pair)) for pair in sides]
            return b.where(condition, *logs)
    return None


def _log_of_rest(domain: LogDomain, share: Expr) -> Expr | None:
    """log(1 - F) of what is its own factor, but no clip, as a quotient, a mixture, or the square of an odd function."""
    rest = None if name_of(share) in ("max", "min") else domain.complement(share, domain)
    found = None if rest is None or _is_sum(rest) else domain.log(rest)
    if found is None or name_of(share) == "pow":
        return found
    return b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), found)


def log_rest(domain: LogDomain, share: Expr, scaled: Scaled) -> Expr | None:
    """log(1 - F): that of the complement, where it is known as more than 1 less the exponential of a logarithm."""
    rest = domain.complement(share, domain)
    if rest is not None and not (name_of(rest) == "neg" and name_of(rest.children[0]) == "expm1"):
        found = domain.log_of(rest)
        if _is_sum(rest) and domain.known[share].high <= 1 and not domain.known[rest].is_nonnegative:
            found = domain.unless_small(rest, found)  # it is not, though its parts do not tell
        if not _is_sum(rest) or domain.rest(rest) is not None:
            return found
        return b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), found)
    power = domain.pure(scaled)
    if power is None:
        return None
    plain = b.call("log1mexp", power)
    if name_of(share) != "exp":  # whose exponent is there; a logarithm of what is small has fewer digits than that
        plain = b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), plain)
    return log_less_exponential(domain, power, plain)


def log_less_exponential(domain: LogDomain, power: Expr, plain: Expr | None = None) -> Expr:
    """log(1 - exp(power)); where that is so near to 0 that even the power is tiny, by the logarithm of the power."""
    plain = plain or b.call("log1mexp", power)
    away = _away(domain, power)
    if away is None:
        return plain
    tiny = b.call("gt", power, b.const(-1e-6))
    return b.where(tiny, b.add(away, b.mul(NEAR, power)), plain)


def log_of_log(domain: LogDomain, log: Expr) -> Expr | None:
    """log(-log(F)) of a share F, also where F is 1 but for what is too small to be written down."""
    away = _away_by_name(domain, log)
    if away is None:
        return None
    tiny = b.call("gt", log, b.const(-1e-6))
    return b.where(tiny, away, b.call("log", b.neg(b.where(tiny, b.const(-1), log))))


def _away(domain: LogDomain, power: Expr) -> Expr | None:
    """The logarithm of less a logarithm near 0, log(-log(F)), which is log(1 - F) but for half of 1 - F."""
    away = _away_by_name(domain, power)
    if away is not None:
        return away
    scaled = domain.scale(b.neg(power))
    return None if scaled.is_plain else scaled.log


def _away_by_name(domain: LogDomain, power: Expr) -> Expr | None:
    """The same where the logarithm has a name."""
    match power:
        case Const(0):
            return NOTHING
        case Call(op, (a,)) if op.name == "log_sigmoid":
            return b.call("log_softplus", b.neg(a))
        case Call(op, (a,)) if op.name == "log_norm_cdf":
            return b.sub(b.call("log_norm_cdf", b.neg(a)), b.mul(NEAR, power))
        case Call(op, (a,)) if op.name == "log1mexp":
            return b.sub(a, b.mul(NEAR, power))
        case Call(op, (Call(inner_op, (share,)),)) if (op.name, inner_op.name) == ("log1p", "neg"):
            return b.sub(domain.log_of(share), b.mul(NEAR, power))
        case Call(op, (factor, inner)) if op.name == "mul":
            if domain.is_positive(inner):
                factor, inner = inner, factor
            if domain.is_positive(factor) and (away := _away(domain, inner)) is not None:
                return b.add(b.call("log", factor), away)
        case Call(op, (one, other)) if op.name == "add":
            first, second = _away(domain, one), _away(domain, other)
            return None if first is None or second is None else b.call("logaddexp", first, second)
        case Call(op, (condition, one, other)) if op.name == "where":
            first, second = _away(domain, one), _away(domain, other)
            if first is None and second is None:
                return None
            plain = (b.call("log", b.neg(piece)) for piece in (one, other))  # of a piece that is not near 0
            return b.where(condition, *(found or log for found, log in zip((first, second), plain, strict=True)))
        case Call(op, (one, other)) if op.name in _OPPOSITE:
            first, second = _away(domain, one), _away(domain, other)
            return None if first is None or second is None else b.call(_OPPOSITE[op.name], first, second)
        case Reduce(op, arg, over) if op.name == "sum":
            away = _away(domain, arg)
            return None if away is None else reduce("logsumexp", b.spread(away, over), over)
        case Along(op, (a,), over) if op.name in _RESTS:
            return b.sub(along(_RESTS[op.name], a, over), b.mul(NEAR, power))
        case Along(op, (arg,), over, reverse) if op.name == "cumsum" and (away := _away(domain, arg)) is not None:
            return Along(AGGREGATES["logcumsumexp"], (away,), over, reverse)
        case Gather(arg, axis, index) if (away := _away(domain, arg)) is not None:
            return Gather(away, axis, index)
        case Rename(arg, old, new) if (away := _away(domain, arg)) is not None:
            return Rename(away, old, new)
    return None


_OPPOSITE = {"max": "min", "min": "max"}
_RESTS = {"log_softmax": "log_softmax_rest", "log_softmax_rest": "log_softmax"}


def _is_sum(expr: Expr) -> bool:
    return name_of(expr) in ("add", "sub", "sum", "mean")

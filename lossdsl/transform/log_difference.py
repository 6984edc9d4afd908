"""Logarithms of differences, which are taken to be positive: of two exponentials, and of 1 less a probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Call, Expr, Gather, Reduce
from lossdsl.ir.whole import along, reduce
from lossdsl.transform.scaled import NEAR, Scaled, name_of, subtraction

if TYPE_CHECKING:
    from lossdsl.transform.log_domain import LogDomain


def difference(domain: LogDomain, expr: Expr) -> Expr | None:
    """The logarithm of a difference of two such numbers, or of 1 and one; None for anything else."""
    pair = subtraction(expr)
    if pair is None:
        return None
    return _log_difference(domain, *pair, depth=0)


def _log_difference(domain: LogDomain, one: Expr, other: Expr, depth: int) -> Expr | None:
    if depth < 4 and (choice := _of_choice(domain, one, other, depth)) is not None:
        return choice
    if b.is_const(other, 0):
        return domain.log(one)
    same = {name_of(one), name_of(other)}
    if same == {"sigmoid"}:
        a, c = one.children[0], other.children[0]
        both = b.add(b.call("log_sigmoid", a), b.call("log_sigmoid", b.neg(c)))
        return b.add(both, b.call("log1mexp", b.sub(c, a)))
    if same == {"norm_cdf"}:
        return b.call("log_norm_cdf_diff", one.children[0], other.children[0])
    left, right = domain.scale(one), domain.scale(other)
    if right.is_plain and left.is_plain:
        return _log_of_rest(domain, other) if one is b.ONE else None
    if one is b.ONE:
        return log_rest(domain, other, right)
    high, low = domain.pure(left), domain.pure(right)
    if high is None or low is None:
        return None
    return b.add(high, b.call("log1mexp", b.sub(low, high)))


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
    """log(1 - F) for the square of an odd function, whose complement is a product."""
    rest = domain.complement(share, domain) if name_of(share) == "pow" else None
    return None if rest is None or _is_sum(rest) else domain.log(rest)


def log_rest(domain: LogDomain, share: Expr, scaled: Scaled) -> Expr | None:
    """log(1 - F): that of the complement, where it is known as more than 1 less the exponential of a logarithm."""
    rest = domain.complement(share, domain)
    if rest is not None and not (name_of(rest) == "neg" and name_of(rest.children[0]) == "expm1"):
        found = domain.log_of(rest)
        if not _is_sum(rest) or domain.rest(rest) is not None:
            return found
        return b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), found)
    power = domain.pure(scaled)
    if power is None:
        return None
    plain = b.call("log1mexp", power)
    if name_of(share) != "exp":  # whose exponent is there; a logarithm of what is small has fewer digits than that
        plain = b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), plain)
    away = _away(domain, power)  # where F is so near to 1 that even its logarithm is tiny
    if away is None:
        return plain
    tiny = b.call("gt", power, b.const(-1e-6))
    return b.where(tiny, b.add(away, b.mul(NEAR, power)), plain)


def _away(domain: LogDomain, power: Expr) -> Expr | None:
    """The logarithm of less a logarithm near 0, log(-log(F)), which is log(1 - F) but for half of 1 - F."""
    match power:
        case Call(op, (a,)) if op.name == "log_sigmoid":
            return b.call("log_softplus", b.neg(a))
        case Call(op, (a,)) if op.name == "log_norm_cdf":
            return b.sub(b.call("log_norm_cdf", b.neg(a)), b.mul(NEAR, power))
        case Call(op, (a,)) if op.name == "log1mexp":
            return b.sub(a, b.mul(NEAR, power))
        case Call(op, (factor, inner)) if op.name == "mul":
            if domain.is_positive(inner):
                factor, inner = inner, factor
            away = _away(domain, inner) if domain.is_positive(factor) else None
            return None if away is None else b.add(b.call("log", factor), away)
        case Call(op, (one, other)) if op.name == "add":
            first, second = _away(domain, one), _away(domain, other)
            return None if first is None or second is None else b.call("logaddexp", first, second)
        case Call(op, (condition, one, other)) if op.name == "where":
            first, second = _away(domain, one), _away(domain, other)
            return None if first is None or second is None else b.where(condition, first, second)
        case Reduce(op, arg, over) if op.name == "sum":
            away = _away(domain, arg)
            return None if away is None else reduce("logsumexp", b.spread(away, over), over)
        case Along(op, (a,), over) if op.name == "log_softmax":
            return b.sub(along("log_softmax_rest", a, over), b.mul(NEAR, power))
        case Gather(arg, axis, index) if (away := _away(domain, arg)) is not None:
            return Gather(away, axis, index)
    scaled = domain.scale(b.neg(power))
    return None if scaled.is_plain else scaled.log


def _is_sum(expr: Expr) -> bool:
    return name_of(expr) in ("add", "sub", "sum", "mean")

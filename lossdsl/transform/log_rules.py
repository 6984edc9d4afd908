"""Operations as `factor*exp(power)`: one rule each, from the operation and its arguments to what `LogDomain` keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lossdsl.ir import build as b
from lossdsl.ir.expr import Expr
from lossdsl.transform.log_difference import difference, log_rest
from lossdsl.transform.pairs import paired
from lossdsl.transform.scaled import NEAR, NOTHING, Scaled, name_of, subtraction

if TYPE_CHECKING:
    from lossdsl.transform.log_domain import LogDomain

Args = tuple[Expr, ...]


def _exp(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return Scaled(b.ONE, args[0])


def _by_logarithm(name: str) -> Callable[[LogDomain, Expr, Args], Scaled]:
    return lambda d, expr, args: Scaled(b.ONE, b.call(name, args[0]))


def _erfc(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return Scaled(b.TWO, b.call("log_norm_cdf", b.mul(b.neg(b.call("sqrt", b.TWO)), args[0])))


def _sinh(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    (a,) = args
    if not d.is_positive(a):
        return Scaled(expr)
    return Scaled(NEAR, b.add(a, b.call("log1mexp", b.mul(b.const(-2), a))))


def _mul(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    one, other = map(d.scale, args)
    if one.is_plain and other.is_plain:
        return Scaled(expr)
    one, other = one.by_logarithm, other.by_logarithm
    return Scaled(b.mul(one.factor, other.factor), b.add(one.power, other.power))


def _div(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    one, other = map(d.scale, args)
    if one.is_plain and other.is_plain:
        return Scaled(expr)
    one, other = one.by_logarithm, other.by_logarithm
    return Scaled(b.div(one.factor, other.factor), paired(b.sub(one.power, other.power)))


def _neg(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    if name_of(args[0]) == "expm1" and d.known[args[0].children[0]].high <= 0:
        share = b.call("exp", args[0].children[0])
        return Scaled(b.ONE, log_rest(d, share, d.scale(share)) or b.call("log", expr))
    inner = d.scale(args[0])
    return Scaled(expr) if inner.is_plain else Scaled(b.neg(inner.factor), inner.power)


def _raised(d: LogDomain, expr: Expr, base: Expr, exponent: Expr) -> Scaled:
    inner = d.scale(base).by_logarithm
    if inner.is_plain:
        power = difference(d, base)
        return Scaled(expr) if power is None else Scaled(b.ONE, b.mul(exponent, power))
    factor = b.ONE if inner.factor is b.ONE else b.power(inner.factor, exponent)
    return Scaled(factor, b.mul(exponent, inner.power))


def _pow(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, *args)


def _square(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, args[0], b.TWO)


def _sqrt(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, args[0], NEAR)


def _where(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    condition, *pieces = args
    found = [Scaled(b.ONE, NOTHING) if b.is_const(piece, 0) else d.scale(piece).by_logarithm for piece in pieces]
    if all(piece.is_plain or piece.power is NOTHING for piece in found):
        return Scaled(expr)
    one, other = found
    return Scaled(b.where(condition, one.factor, other.factor), b.where(condition, one.power, other.power))


def _extreme(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    found = [d.scale(arg).by_logarithm for arg in args]
    if all(one.is_plain for one in found):
        return Scaled(expr)
    if any(b.is_const(arg, 0) for arg in args) and name_of(expr) == "max":
        return next(one for one, arg in zip(found, args, strict=True) if not b.is_const(arg, 0))
    pure = [d.pure(one) for one in found]
    if pure[0] is None or pure[1] is None:
        return Scaled(expr)
    return Scaled(b.ONE, b.call(name_of(expr), *(b.number(one) for one in pure if one is not None)))


def _stop(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return d.each(expr, args[0], lambda part: b.call("stop", part))


def _via(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    inner = d.scale(args[0])
    return Scaled(expr) if inner.is_plain else inner


def _added(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    pair = subtraction(expr)
    if pair is not None and pair[0] is b.ONE:
        share = d.scale(pair[1])
        rest = None if share.is_plain else log_rest(d, pair[1], share)
        if rest is not None:
            return Scaled(b.ONE, rest)
    return d.near_one(expr, d.chosen(expr, d.added(expr)))


RULES: dict[str, Callable[[LogDomain, Expr, Args], Scaled]] = {
    "exp": _exp,
    "sigmoid": _by_logarithm("log_sigmoid"),
    "norm_cdf": _by_logarithm("log_norm_cdf"),
    "softplus": _by_logarithm("log_softplus"),
    "cosh": _by_logarithm("log_cosh"),
    "erfc": _erfc,
    "sinh": _sinh,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "pow": _pow,
    "square": _square,
    "sqrt": _sqrt,
    "where": _where,
    "max": _extreme,
    "min": _extreme,
    "stop": _stop,
    "via": _via,
    "add": _added,
    "sub": _added,
}

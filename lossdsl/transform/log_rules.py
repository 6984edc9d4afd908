"""Operations as `factor*exp(power)`: one rule each, from the operation and its arguments to what `LogDomain` keeps."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from lossdsl.ir import build as b
from lossdsl.ir.bounds import UNIT
from lossdsl.ir.expr import Const, Expr, Gather, Reduce, Rename, Slice
from lossdsl.ir.whole import INF, may_be_empty
from lossdsl.transform import polynomials
from lossdsl.transform.gathered import reads, without_part
from lossdsl.transform.log_difference import (
    collected,
    difference,
    log_less_exponential,
    log_of_log,
    log_rest,
    size_of_difference,
)
from lossdsl.transform.pairs import paired
from lossdsl.transform.scaled import NEAR, NOTHING, Scaled, condition_of, name_of, of_logits, subtraction
from lossdsl.transform.sums import summands

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


def _tanh(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    (a,) = args
    if not d.known[a].is_nonnegative:
        return Scaled(expr)
    twice = b.mul(b.const(-2), a)
    return Scaled(b.ONE, b.sub(log_less_exponential(d, twice), b.call("softplus", twice)))


def _mul(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    one, other = map(d.scale, args)
    if one.is_plain and other.is_plain:
        return Scaled(expr)
    one, other = one.by_logarithm, other.by_logarithm
    return Scaled(b.mul(one.factor, other.factor), b.add(one.power, other.power))


def log_of_part(d: LogDomain, above: Expr, below: Expr) -> Expr | None:
    """log(a/(a + c)) as -softplus(log(c) - log(a)), and log((a + c)/a) likewise."""
    for sign, one, total in ((-1, above, below), (1, below, above)):
        rest = without_part(total, one)
        if rest is not None and d.is_positive(one) and d.is_positive(rest):
            found = b.call("softplus", b.sub(d.log_of(rest), d.log_of(one)))
            return found if sign > 0 else b.neg(found)
    return None


def share(d: LogDomain, name: str, above: Expr, below: Expr) -> Expr | None:
    """a[i]/sum(a), or its logarithm, as the softmax or log_softmax of the logarithms of all elements."""
    if not (isinstance(below, Reduce) and below.op.name == "sum"):
        return None
    read, log = reads(above, below.arg, below.over), d.scale(below.arg).by_logarithm
    pure = None if read is None or log.is_plain else d.pure(log)
    if read is None or pure is None or may_be_empty(pure):  # of nothing a softmax is 0, and the quotient 0/0
        return None
    return read(of_logits(name, b.spread(pure, below.over), below.over))


def _div(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    one, other = map(d.scale, args)
    if one.is_plain and other.is_plain:
        return Scaled(expr)
    part = log_of_part(d, *args) or share(d, "log_softmax", *args)
    if part is not None:
        return Scaled(b.ONE, part)
    one, other = one.by_logarithm, other.by_logarithm
    factor, power = b.div(one.factor, other.factor), paired(b.sub(one.power, other.power))
    found = Scaled(factor, power)
    near = polynomials.near(d, *args) if d.is_positive(factor) else None
    return found if near is None else Scaled(b.ONE, b.where(*near, found.log))


def _neg(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    if name_of(args[0]) == "expm1" and d.known[args[0].children[0]].high <= 0:
        share = b.call("exp", args[0].children[0])
        return Scaled(b.ONE, log_rest(d, share, d.scale(share)) or b.call("log", expr))
    inner = d.scale(args[0])
    if not inner.is_plain:
        return Scaled(b.neg(inner.factor), inner.power)
    power = log_of_log(d, args[0])
    return Scaled(expr) if power is None else Scaled(b.ONE, power)


def _raised(d: LogDomain, expr: Expr, base: Expr, exponent: Expr) -> Scaled:
    inner = d.scale(base).by_logarithm
    if not exponent.is_static and not d.known[base].is_nonnegative:
        return Scaled(expr)  # it may be a whole number, at which what is negative has powers
    if not exponent.is_static and d.is_positive(base):
        is_wild = not inner.is_plain or d.is_made_of_exponentials(exponent)
        return Scaled(b.ONE, b.mul(exponent, inner.log)) if is_wild else Scaled(expr)
    if inner.is_plain:
        power = _log_of_base(d, base, b.exact(exponent))
        return Scaled(expr) if power is None else Scaled(b.ONE, b.mul(exponent, power))
    factor = b.ONE if inner.factor is b.ONE else b.power(inner.factor, exponent)
    return Scaled(factor, b.mul(exponent, inner.power))


def _log_of_base(d: LogDomain, base: Expr, exponent: Fraction | None) -> Expr | None:
    """The logarithm of the absolute value of a difference, as far as its power is that of it."""
    if exponent is not None and exponent.denominator == 1:
        if exponent % 2 == 0:
            return size_of_difference(d, base)
        if not d.known[base].is_nonnegative:
            return None
    return difference(d, base)  # a power that is no whole number has no value at less than 0


def _expm1(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    size = size_of_difference(d, expr)
    return Scaled(expr) if size is None else Scaled(b.call("sign", args[0]), size)


def _abs(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    inner = d.scale(args[0]).by_logarithm
    if not inner.is_plain:
        return Scaled(b.call("abs", inner.factor), inner.power)
    size = size_of_difference(d, args[0])
    return Scaled(expr) if size is None else Scaled(b.ONE, size)


def _pow(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, *args)


def _square(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, args[0], b.TWO)


def _sqrt(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, args[0], NEAR)


def _of_piece(d: LogDomain, piece: Expr) -> Scaled:
    """A piece of a choice; 0 and infinity are what a filter leaves to the others of an aggregate."""
    if isinstance(piece, Const) and piece.value in (0.0, INF):
        return Scaled(b.ONE, piece if piece.value else NOTHING)
    return d.scale(piece).by_logarithm


def _where(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    condition, *pieces = args
    found = [_of_piece(d, piece) for piece in pieces]
    if all(piece.is_plain or isinstance(piece.power, Const) for piece in found):
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
        return _extreme_of_any(d, expr, args, pure)
    return Scaled(b.ONE, b.call(name_of(expr), *(b.number(one) for one in pure if one is not None)))


def _extreme_of_any(d: LogDomain, expr: Expr, args: Args, pure: list[Expr | None]) -> Scaled:
    """The larger, or smaller, of what is positive and a number of any sign, of which max takes nothing below 0."""
    if not all(power is not None or d.scale(arg).is_plain for arg, power in zip(args, pure, strict=True)):
        return Scaled(expr)
    name = name_of(expr)
    floored = (b.call("max", arg, b.ZERO) if name == "max" else arg for arg in args)
    logs = [power or b.call("log", arg) for arg, power in zip(floored, pure, strict=True)]
    return Scaled(b.ONE, b.call(name, *logs))


def _stop(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return d.each(expr, args[0], lambda part: b.call("stop", part))


def _via(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    inner = d.scale(args[0])
    return Scaled(expr) if inner.is_plain else inner


def _added(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    polynomial = d.polynomial(expr)
    if polynomial is not None:
        return polynomial
    pair = subtraction(expr)
    found = _and_odd(d, expr) if pair is None else _pair(d, expr, *pair)
    if found is None:
        found = d.added(expr)
    return found if not found.is_plain else polynomials.scaled(d, expr, least=1) or found


def _pair(d: LogDomain, expr: Expr, one: Expr, other: Expr) -> Scaled | None:
    return _less_condition(d, one, other) or _rest(d, expr, one, other) or _between(d, expr, one, other)


def _between(d: LogDomain, expr: Expr, one: Expr, other: Expr) -> Scaled | None:
    """What a distribution function has between two thresholds, as each logistic of a mixture has."""
    if name_of(one) != name_of(other) or name_of(one) not in ("sigmoid", "norm_cdf"):
        return None
    gap = collected(one.children[0], other.children[0])
    log = difference(d, expr) if d.is_positive(gap) else size_of_difference(d, expr)
    return None if log is None else Scaled(b.ONE if d.is_positive(gap) else b.call("sign", gap), log)


def _less_condition(d: LogDomain, share: Expr, other: Expr) -> Scaled | None:
    """F - onehot(t), as softmax(x) - onehot(t), is -(1 - F) at one place and F at the others."""
    condition, own = condition_of(other), d.scale(share)
    if condition is None or own.is_plain or not d.known[share].within(UNIT):
        return None
    rest = log_rest(d, share, own)
    if rest is None:
        return None
    return Scaled(b.where(condition, b.const(-1), own.factor), b.where(condition, rest, own.power))


def _and_odd(d: LogDomain, expr: Expr) -> Scaled | None:
    """1 + F, as of a tangent, by the complement of -F."""
    terms = summands(expr, 2)
    if len(terms) != 2 or (1, b.ONE) not in terms:
        return None
    share = next((term for sign, term in terms if sign > 0 and term is not b.ONE), None)
    return None if share is None else _known_rest(d, b.neg(share))


def _known_rest(d: LogDomain, share: Expr) -> Scaled | None:
    """The complement of an element of an odd function that ends at 1, as a tangent does."""
    inner = share
    while isinstance(inner, Gather | Rename | Slice) or name_of(inner) == "neg":
        inner = inner.children[0]
    rest = d.complement(share, d) if name_of(inner) in ("tanh", "erf") else None
    return None if rest is None else d.scale(rest)


def _rest(d: LogDomain, expr: Expr, one: Expr, share: Expr) -> Scaled | None:
    """1 - F, with its sign as the factor where F may be more than 1."""
    if one is not b.ONE:
        return None
    if d.scale(share).is_plain:
        return _known_rest(d, share)
    if d.known[share].high <= 1:
        rest = log_rest(d, share, d.scale(share))
        return None if rest is None else Scaled(b.ONE, rest)
    size = size_of_difference(d, expr)
    return None if size is None else Scaled(b.call("sign", expr), size)


RULES: dict[str, Callable[[LogDomain, Expr, Args], Scaled]] = {
    "abs": _abs,
    "exp": _exp,
    "expm1": _expm1,
    "sigmoid": _by_logarithm("log_sigmoid"),
    "norm_cdf": _by_logarithm("log_norm_cdf"),
    "softplus": _by_logarithm("log_softplus"),
    "tanh": _tanh,
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

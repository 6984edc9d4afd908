"""Pairs of terms that cancel each other, by functions that do not: looked for in the whole sum, in any order."""

from __future__ import annotations

from collections.abc import Collection

from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Reduce
from lossdsl.ir.whole import INF, along
from lossdsl.transform.gammas import gamma_ratio
from lossdsl.transform.gathered import reads
from lossdsl.transform.logit_shift import without_shift
from lossdsl.transform.moments import covariance, square_of, squared_difference, weighed_covariance
from lossdsl.transform.sums import FEW, Terms, coefficient, less, multiplied, summands, summed


def paired(node: Expr, units: Collection[Expr] = ()) -> Expr:
    """A sum with terms that belong together as one: `logsumexp(x) - x[t]` is -log_softmax(x)[t].

    `units` are the inputs whose elements sum to 1.
    """
    terms = summands(node, FEW)
    if not 1 < len(terms) <= FEW:
        return node
    invariant = without_shift(terms, units)
    if invariant is not None:
        return summed(invariant)
    for place, (sign, term) in enumerate(terms):
        rest = terms[:place] + terms[place + 1 :]
        if (-sign, term) in rest:
            rest.remove((-sign, term))
            return paired(summed(rest), units)
        found = _of_several(sign, term, rest)
        if found is not None:
            return paired(summed(found), units)
        for other, (opposite, element) in enumerate(rest):
            one = _together(term, element, opposite == sign)
            if one is not None:
                return paired(summed([(sign, one), *rest[:other], *rest[other + 1 :]]), units)
    return node


# --- an expression and its logarithm or exponential -----------------------------------------------------------------


def _of_several(sign: int, term: Expr, rest: Terms) -> Terms | None:
    """The terms with several as one: `u - log1p(u)`, `u - 1 - log(u)`, `exp(u) - 1 - u`, and `a*log(a/b) - a + b`."""
    square = square_of(term)
    if square is not None:
        return squared_difference(sign, square, rest)
    power = _logarithm(term)
    if power is not None and (left := less(rest, [(-sign, power), (-sign, b.ONE)])) is not None:
        return [(sign, b.call("expm1mx", power)), *left]
    match term:
        case Call(op, (u,)) if op.name == "log":
            for away in ([(-sign, u), (sign, b.ONE)], [(-sign, _from_one(u))]):
                left = less(rest, away)
                if left is not None:
                    return [(sign, _log_less(u)), *left]
        case Call(op, (u,)) if op.name in ("log1p", "expm1"):
            left = less(rest, [(-sign, u)])
            return None if left is None else [(sign, b.call(f"{op.name}mx", u)), *left]
        case Call(op, (a, Call(log, (Call(div, (above, below)),)))) if (op.name, log.name, div.name) == (
            "mul",
            "log",
            "div",
        ) and above is a:
            left = less(rest, [(-sign, a), (sign, below)])
            return None if left is None else [(-sign, b.mul(a, _log_less(b.div(below, a)))), *left]
    return None


_LOG_OF = {"sigmoid": "log_sigmoid", "norm_cdf": "log_norm_cdf"}


def _logarithm(term: Expr) -> Expr | None:
    """The logarithm of an exponential, a share, or 1 over one, where it has a name of its own."""
    match term:
        case Call(op, (a,)) if op.name == "exp":
            return a
        case Call(op, (a,)) if op.name in _LOG_OF:
            return b.call(_LOG_OF[op.name], a)
        case Call(op, (one, share)) if op.name == "div" and one is b.ONE:
            inner = _logarithm(share)
            return None if inner is None else b.neg(inner)
        case Along(op, (a,), over) if op.name == "softmax":
            return along("log_softmax", a, over)
        case Gather(whole, axis, index):
            inner = _logarithm(whole)
            return None if inner is None else Gather(inner, axis, index)
    return None


def _log_less(u: Expr) -> Expr:
    """`log(u) - (u - 1)`, by a function of `u - 1` where u is not far below 1."""
    rest = _from_one(u)
    return b.where(b.call("gt", u, b.const(0.5)), b.call("log1pmx", rest), b.sub(b.call("log", u), rest))


def _from_one(u: Expr) -> Expr:
    """`u - 1`; of a quotient, by the difference."""
    if isinstance(u, Call) and u.op.name == "div":
        return _relative(*u.args)
    return b.sub(u, b.ONE)


def _relative(one: Expr, other: Expr) -> Expr:
    return b.div(b.sub(one, other), other)


# --- two terms ------------------------------------------------------------------------------------------------------


def _together(term: Expr, other: Expr, is_sum: bool) -> Expr | None:
    """`term + other`, or `term - other`, as something that does not cancel."""
    match term:
        case Call(op, (a,)) if op.name == "softplus":
            return _whole_softplus(a, other) if is_sum else _less_power(a, other)
        case Call(op, powers) if op.name == "logaddexp" and not is_sum:
            return _less_part(powers, other)
        case Call(op, (a,)) if op.name == "log_sigmoid" and not is_sum:
            return a if other is b.call("log_sigmoid", b.neg(a)) else None
        case Call(op, (Call(inner, (power,)),)) if (op.name, inner.name) == ("log1p", "exp") and is_sum:
            return _whole_softplus(power, other)
        case Call(op, (a,)) if op.name in ("lgamma", "digamma") and not is_sum:
            return gamma_ratio(op.name, a, other)
        case Call(op, (Reduce(inner) as total,)) if (op.name, inner.name) == ("log", "sum") and not is_sum:
            return _log_of_share(total, other)
        case Reduce(op, arg, over) if op.name == "mean":
            return covariance(multiplied(arg), -1 if is_sum else 1, other, over)
        case Reduce(op, arg, over) if op.name == "sum":
            return weighed_covariance(multiplied(arg), -1 if is_sum else 1, other, over)
    return None


def _less_power(a: Expr, other: Expr) -> Expr | None:
    """`log(1 + exp(a))` less a multiple of a, or less what is a part of a that is itself such a logarithm."""
    weight = coefficient(other, a)
    if weight is not None:
        return _weighed(weight, a)
    rest = _less_of_total(a, other) if other.axes <= a.axes else None  # for all classes at once it takes too long
    if rest is None:
        return None
    is_something = b.call("gt", a, Const(-INF))  # as where all others are masked, and no share is left
    plain = b.sub(b.call("softplus", a), other)
    return b.where(is_something, b.add(rest, b.call("softplus", b.neg(a))), plain)


def _less_of_total(total: Expr, part: Expr) -> Expr | None:
    """The logarithm of a sum of exponentials less that of one of them."""
    if isinstance(total, Reduce):
        terms = without_shift([(1, total), (-1, part)], ())
        return None if terms is None else summed(terms)
    return _together(total, part, False)


def _less_part(powers: tuple[Expr, ...], part: Expr) -> Expr | None:
    """`log(exp(a) + exp(c)) - a` as softplus(c - a), and the same of more terms."""
    for one, other in (powers, powers[::-1]):
        if part is one:
            return b.call("softplus", b.sub(other, part))
    for one, other in (powers, powers[::-1]):
        rest = _less_of_total(one, part)
        if rest is not None:
            return b.call("logaddexp", rest, b.sub(other, part))
    return None


def _log_of_share(total: Reduce, other: Expr) -> Expr | None:
    """`log(sum(a)) - log(a)`, or less the logarithm of one element."""
    part = _logged(other, total.arg)
    return None if part is None else log_over_part(total, part)


def _logged(log: Expr, whole: Expr) -> Expr | None:
    """What a logarithm is taken of, as all of a whole or a part of it."""
    match log:
        case Call(op, (part,)) if op.name == "log":
            return part
        case Call(op, (part,)) if op.name == "log1p":
            return whole if less(summands(whole, FEW), [(1, part)]) == [(1, b.ONE)] else None
        case Call(op, (_, near, far)) if op.name == "where":
            found = _logged(near, whole)
            return found if found is _logged(far, whole) else None
        case Gather(inner, axis, index):
            element = _logged(inner, whole)
            return None if element is None else Gather(element, axis, index)
    return None


def log_over_part(total: Reduce, part: Expr) -> Expr | None:
    """`log(sum(a)/a[i])`, of all elements or of one, by what the others have, where that is less."""
    read = reads(part, total.arg, total.over)
    if read is None:
        return None
    others = read(along("others", total.arg, total.over))
    is_less = b.call("lt", b.call("abs", others), part)  # else nothing cancels, and the quotient may overflow
    plain = b.sub(b.call("log", total), b.call("log", part))
    return b.where(is_less, b.call("log1p", b.div(others, part)), plain)


def _whole_softplus(power: Expr, other: Expr) -> Expr | None:
    """`log(1 + exp(-abs(a))) + max(a, 0)` as softplus(a)."""
    if not isinstance(other, Call) or other.op.name not in ("max", "relu"):
        return None
    for a in other.args:
        is_positive_part = other.op.name == "relu" or b.ZERO in other.args
        if is_positive_part and power in (b.neg(b.call("abs", a)), b.neg(b.call("abs", b.neg(a)))):
            return b.call("softplus", a)
    return None


def _weighed(weight: Expr, a: Expr) -> Expr:
    """`softplus(a) - w*a`, which is softplus(-a) where w is 1."""
    right, left = b.call("softplus", a), b.call("softplus", b.neg(a))
    return b.add(b.mul(b.sub(b.ONE, weight), right), b.mul(weight, left))

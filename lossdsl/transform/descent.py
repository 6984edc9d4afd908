"""Numerically stable rewriting of exponentials, logarithms, quotients and powers, by `log_domain`: children first.

What a paper writes with probabilities becomes functions that keep their digits: a quotient by a sum of exponentials is
a softmax, a logarithm descends to the logits, and a power of a probability has the slope of its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from lossdsl.ir import build as b
from lossdsl.ir.bounds import UNIT
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Reduce, Rename
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.whole import along, reduce
from lossdsl.transform.complement import one_minus
from lossdsl.transform.factors import positive
from lossdsl.transform.gammas import log_beta, log_binomial
from lossdsl.transform.gathered import reads
from lossdsl.transform.log_domain import LogDomain
from lossdsl.transform.logit_shift import without_shift
from lossdsl.transform.lower import largest
from lossdsl.transform.norms import root
from lossdsl.transform.pairs import paired
from lossdsl.transform.quotients import log_of_quotient_near_one, quotient
from lossdsl.transform.running import between, rest_of_total
from lossdsl.transform.scaled import LEAST, MOST, NEAR, NOTHING, condition_of, of_logits, unshifted
from lossdsl.transform.sums import FEW, Terms, less, summands, summed, union

Rule = Callable[[LogDomain, Call], Expr | None]


def descended(roots: Iterable[Expr], known: Ranges) -> tuple[Expr, ...]:
    """The roots with every rule of this module used, from the leaves up."""
    roots = tuple(roots)
    domain = LogDomain(known, one_minus)

    def change(node: Expr) -> Expr:
        if isinstance(node, Reduce):
            return _of_whole(domain, node)
        if isinstance(node, Along):
            return _of_all(node)
        if not isinstance(node, Call):
            return node
        rule = _RULES.get(node.op.name)
        found = None if rule is None else rule(domain, node)
        if isinstance(found, Along):
            found = _of_all(found)
        return node if found is None or found.axes != node.axes else found  # of x - x, the axes would be lost

    def apart(node: Expr) -> Expr:  # first, for exponentials among factors become one, and logarithms choices
        if not isinstance(node, Call) or node.op.name not in ("add", "sub"):
            return node
        found = _union(domain, node) or _unmoved(domain, node) or _log_of_share(domain, node)
        return found or log_beta(node) or log_binomial(node) or rest_of_total(node) or between(node) or node

    return b.mapped(b.mapped(roots, apart), change)


def _of_all(node: Along) -> Expr:
    """Shares of exponentials by what counts in their powers.

    `normalize(exp(x))` has the largest exponential as 1, for all of them may overflow or vanish.
    """
    match node:
        case Along(op, (logits,), over) if op.name in ("softmax", "log_softmax"):
            return of_logits(op.name, logits, over)
        case Along(op, (Call(inner, (power,)),), over) if (op.name, inner.name) == ("normalize", "exp"):
            if over <= power.axes and unshifted(power, over)[1] is None:
                return along("normalize", b.call("exp", b.sub(power, largest(power, over))), over)
    return node


def _of_whole(domain: LogDomain, node: Expr) -> Expr:
    """An aggregate of logarithms of probabilities, where a form of it is better."""
    if not isinstance(node, Reduce):
        return node
    return _of_largest(node) or (_of_powers(domain, node) if node.op.name == "logsumexp" else None) or node


def _of_powers(domain: LogDomain, node: Reduce) -> Expr | None:
    """`logsumexp(c*log_softmax(x))` as the logarithm of a sum of powers, which may be near 1."""
    if not (isinstance(node.arg, Call) and node.arg.op.name == "mul"):
        return None
    for exponent, log in (node.arg.args, node.arg.args[::-1]):
        if isinstance(log, Along) and log.op.name == "log_softmax" and log.over == node.over and exponent.is_static:
            total = reduce("sum", b.power(along("softmax", log.args[0], log.over), exponent), node.over)
            return None if domain.rest(total) is None else domain.log(total)
    return None


def _of_largest(node: Reduce) -> Expr | None:
    """The largest probability as that of its class, whose complement and slope are known."""
    whole = node.arg
    if node.op.name != "max" or not isinstance(whole, Along) or whole.over != node.over or len(node.over) != 1:
        return None
    if whole.op.name not in ("softmax", "log_softmax"):
        return None
    (axis,) = node.over
    return Gather(whole, axis, reduce("argmax", whole.args[0], node.over))


# --- logarithms -----------------------------------------------------------------------------------------------------


def _log(domain: LogDomain, node: Call) -> Expr | None:
    (arg,) = node.args
    return domain.log(arg) or log_of_quotient_near_one(arg)


def _log1p(domain: LogDomain, node: Call) -> Expr | None:
    (arg,) = node.args
    if isinstance(arg, Call) and arg.op.name == "neg":
        (share,) = arg.args
        found = domain.log(b.sub(b.ONE, share))
        if found is None or domain.known[share].within(UNIT):
            return found
        return b.where(b.call("lt", b.call("abs", share), NEAR), node, found)  # which may be the logarithm of a sum
    if domain.known[arg].within(UNIT):
        return None  # log1p of an exponential that cannot overflow is as good
    found = domain.log(b.add(b.ONE, arg))
    if found is None or (isinstance(found, Call) and (found.op.name == "softplus" or node in found.args)):
        return found  # which has the logarithm at hand where that is the best
    is_far = domain.known[arg].high <= 1  # as a tangent is from 0 near its end at -1
    return b.where(b.call("gt", arg, b.neg(NEAR)) if is_far else b.call("lt", arg, b.ONE), node, found)


def _to_base(base: int) -> Rule:
    def rule(domain: LogDomain, node: Call) -> Expr | None:
        found = domain.log(node.args[0])
        return None if found is None else b.div(found, b.call("log", b.const(base)))

    return rule


def _xlogy(domain: LogDomain, node: Call) -> Expr | None:
    weight, arg = node.args
    found = domain.log(arg)
    return None if found is None else b.where(b.call("eq", weight, b.ZERO), b.ZERO, b.mul(weight, found))


# --- exponentials ---------------------------------------------------------------------------------------------------

_EXP_OF = {"log_sigmoid": "sigmoid", "log_norm_cdf": "norm_cdf", "log_softplus": "softplus"}
_EXP_OF_WHOLE = {"log_softmax": "softmax", "log_softmax_rest": "softmax_rest"}


def _exp(domain: LogDomain, node: Call) -> Expr | None:
    return _exponential(node.args[0])


def _exponential(power: Expr) -> Expr | None:
    """The exponential of a logarithm, where that has a name of its own."""
    match power:
        case Call(op, (a,)) if op.name in _EXP_OF:
            return b.call(_EXP_OF[op.name], a)
        case Call(op, (Call(inner, (a,)),)) if (op.name, inner.name) == ("neg", "softplus"):
            return b.call("sigmoid", b.neg(a))
        case Along(op, (a,), over) if op.name in _EXP_OF_WHOLE:
            return along(_EXP_OF_WHOLE[op.name], a, over)
        case Gather(arg, axis, index) if (inner_one := _exponential(arg)) is not None:
            return Gather(inner_one, axis, index)
        case Rename(arg, old, new) if (inner_one := _exponential(arg)) is not None:
            return Rename(inner_one, old, new)
    return None


def _expm1(domain: LogDomain, node: Call) -> Expr | None:
    found = _exponential(node.args[0])
    rest = None if found is None else one_minus(found, domain)
    return None if rest is None else b.neg(rest)


# --- sums and quotients ---------------------------------------------------------------------------------------------


def _union(domain: LogDomain, node: Call) -> Expr | None:
    """`F + G - F*G` of probabilities as 1 - (1 - F)*(1 - G), whose logarithm and slopes are known."""
    pair = union(node)
    if pair is None or not all(domain.known[one].within(UNIT) for one in pair):
        return None
    one, other = pair
    return b.sub(b.ONE, b.mul(b.sub(b.ONE, one), b.sub(b.ONE, other)))


def _unmoved(domain: LogDomain, node: Call) -> Expr | None:
    """`log(mean(exp(x))) - mean(x)`, as any sum that a shift of x does not change, without the shift."""
    terms = summands(node, FEW)
    plain = [part for sign, term in terms for part in _log_of_exponentials(sign, term)]
    found = without_shift(plain, domain.known.units) if plain != terms else None
    return None if found is None else summed(found)


def _log_of_share(domain: LogDomain, node: Call) -> Expr | None:
    """`log(sum(a)) - log(a[i])` in a sum as the logarithm of the quotient, if that descends."""
    terms = summands(node, FEW)
    for sign, term in terms:
        total = _logged(term)
        if not (isinstance(total, Reduce) and total.op.name == "sum"):
            continue
        for opposite, other in terms:
            part = _logged(other)
            if sign == opposite or part is None or reads(part, total.arg, total.over) is None:
                continue
            log = domain.log(b.div(part, total))
            left = None if log is None else less(terms, [(sign, term), (opposite, other)])
            if log is not None and left is not None:
                return summed([(opposite, log), *left])
    return None


def _logged(node: Expr) -> Expr | None:
    """What a logarithm is taken of."""
    return node.args[0] if isinstance(node, Call) and node.op.name == "log" else None


def _log_of_exponentials(sign: int, term: Expr) -> Terms:
    """`log(sum(exp(a)))` as a logsumexp, and that of a mean less the logarithm of the count."""
    match term:
        case Call(log, (Reduce(op, Call(exp, (a,)) as inner, over),)) if (log.name, exp.name) == ("log", "exp"):
            if op.name in ("sum", "mean") and over <= a.axes:
                count = [(-sign, b.call("log", b.length(inner, over)))] if op.name == "mean" else []
                return [(sign, reduce("logsumexp", a, over)), *count]
    return [(sign, term)]


def _sum(domain: LogDomain, node: Call) -> Expr | None:
    found = paired(node, domain.known.units)
    if found is not node:
        return b.mapped((found,), lambda inner: _of_whole(domain, inner))[0]
    left, right = node.args
    if node.op.name == "sub" and isinstance(right, Call) and right.op.name == "neg":
        return b.add(left, right.args[0])  # as the rules know it
    return None


def _product(domain: LogDomain, node: Call) -> Expr | None:
    """`exp(a)*exp(c)` by one exponential, for one may overflow where the other vanishes, as in densities."""
    signs = [-1 if positive(one) is not one else 1 for one in node.args]
    powers = [one.children[0] for one in map(positive, node.args) if isinstance(one, Call) and one.op.name == "exp"]
    if len(powers) < 2:
        return None
    together = powers[0].axes | powers[1].axes
    if together not in (powers[0].axes, powers[1].axes) and not any(map(domain.is_made_of_exponentials, powers)):
        return None  # of pairs, each would take an exponential of its own
    found = b.call("exp", b.add(*powers))
    return found if signs[0] == signs[1] else b.neg(found)


# --- powers ---------------------------------------------------------------------------------------------------------


def _power(domain: LogDomain, node: Call) -> Expr | None:
    base, exponent = node.args
    return (root(base) if exponent is NEAR else None) or _raised(domain, node, base, exponent)


def _sqrt(domain: LogDomain, node: Call) -> Expr | None:
    return root(node.args[0]) or _raised(domain, node, node.args[0], NEAR)


def _raised(domain: LogDomain, node: Call, base: Expr, exponent: Expr) -> Expr | None:
    """A power with the slope of its logarithm: that of the power itself is 0 times infinity where the base vanishes."""
    if isinstance(base, Call) and base.op.name == "exp":
        return b.call("exp", b.mul(exponent, base.args[0]))
    apart = _without_condition(domain, base, exponent)
    if apart is not None:
        condition, share = apart
        return b.mul(condition, _raised(domain, _power_of(node, share), share, exponent) or _power_of(node, share))
    whole = b.exact(exponent)
    if (whole is not None and whole >= 1) or domain.is_tame(base):
        return None
    if not exponent.is_static and not domain.known[base].is_nonnegative:
        return None  # it may be a whole number, at which what is negative has powers
    log = domain.log(base)
    if log is None:
        return None
    if not exponent.is_static:  # a base of 0 with the exponent 0 is 1
        return b.call("exp", b.mul(exponent, b.call("max", log, b.const(-MOST))))
    if isinstance(exponent, Const) and exponent.value == 0:
        return b.ONE
    small = b.call("exp", b.mul(exponent, log))  # the base may vanish where its root does not
    fits = b.call("gt", base, b.const(LEAST))
    if not domain.known[base].high < MOST:
        fits = b.call("and", fits, b.call("lt", base, b.const(MOST)))
    value = b.where(fits, node, small)
    is_number = b.call("gt", log, NOTHING)  # at a base of 0 the slope is 0, as that of a root at its minimum
    return b.call("via", value, b.where(is_number, log, b.ZERO), b.mul(exponent, value))


def _without_condition(domain: LogDomain, base: Expr, exponent: Expr) -> tuple[Expr, Expr] | None:
    """The number of a condition in a product, whose powers are itself, and what it multiplies."""
    if not (isinstance(base, Call) and base.op.name == "mul" and domain.known[exponent].is_positive):
        return None
    for number, share in (base.args, base.args[::-1]):
        if condition_of(number) is not None and domain.known[share].is_nonnegative:
            return number, share
    return None


def _power_of(node: Call, base: Expr) -> Call:
    """A root or power of another base."""
    found = b.call(node.op.name, base, *node.args[1:])
    assert isinstance(found, Call)
    return found


def _acos(domain: LogDomain, node: Call) -> Expr | None:
    """The angle whose cosine is a probability F, which may be near 1: twice that whose sine is sqrt((1 - F)/2)."""
    (share,) = node.args
    if not domain.known[share].is_nonnegative or not domain.is_made_of_exponentials(share):
        return None
    rest = one_minus(share, domain)
    if rest is None:
        return None
    half = b.call("sqrt", b.mul(NEAR, rest))
    return b.mul(b.TWO, b.call("asin", (_sqrt(domain, half) if isinstance(half, Call) else None) or half))


def _asin(domain: LogDomain, node: Call) -> Expr | None:
    """Near a right angle by that whose cosine is the probability."""
    angle = _acos(domain, node)
    if angle is None:
        return None
    return b.where(b.call("gt", node.args[0], NEAR), b.sub(b.const(math.pi / 2), angle), node)


def _atanh(domain: LogDomain, node: Call) -> Expr | None:
    """Of a probability near 1 by the logarithm of its complement."""
    (share,) = node.args
    if not domain.known[share].within(UNIT) or not domain.is_made_of_exponentials(share):
        return None
    rest = domain.log(b.sub(b.ONE, share))
    if rest is None:
        return None
    far = b.mul(NEAR, b.sub(b.call("log1p", share), rest))
    return b.where(b.call("gt", share, NEAR), far, node)


_RULES: dict[str, Rule] = {
    "log": _log,
    "log1p": _log1p,
    "log2": _to_base(2),
    "log10": _to_base(10),
    "xlogy": _xlogy,
    "exp": _exp,
    "expm1": _expm1,
    "add": _sum,
    "sub": _sum,
    "div": quotient,
    "mul": _product,
    "pow": _power,
    "sqrt": _sqrt,
    "acos": _acos,
    "asin": _asin,
    "atanh": _atanh,
}

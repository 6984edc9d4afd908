"""Logarithms of ratios of gamma functions, as of binomial coefficients, which keep their digits at any size."""

from __future__ import annotations

from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Reduce, walk
from lossdsl.ir.whole import along, reduce
from lossdsl.transform.gathered import reads
from lossdsl.transform.logit_shift import added, combination, scaled
from lossdsl.transform.sums import FEW, Terms, less, summands, summed

_LONG = 64
"""How many nodes the argument of a gamma function has, at most, that is compared with others term by term."""


_OF_TWO = {"lgamma": "lgamma_ratio", "digamma": "digamma_diff"}


def gamma_ratio(name: str, a: Expr, other: Expr) -> Expr | None:
    """`lgamma(v + d) - lgamma(v)`, or that of digamma, whatever the size of v."""
    distance = _distance(a, other, name)
    if distance is None:
        return None
    value = b.exact(distance)
    if value is not None and value < 0:  # from the smaller of both, of which the other may have no digits
        return b.neg(b.call(_OF_TWO[name], a, b.neg(distance)))
    return b.call(_OF_TWO[name], other.children[0], distance)


def _distance(a: Expr, gamma: Expr, name: str = "lgamma") -> Expr | None:
    """d of `lgamma(v + d)` and `lgamma(v)`; None where it has a part of v itself, as it may be nearly -v."""
    if not (isinstance(gamma, Call) and gamma.op.name == name):
        return None
    if isinstance(a, Reduce) and a.op.name == "sum" and (read := reads(gamma.args[0], a.arg, a.over)) is not None:
        return read(along("others", a.arg, a.over))
    if sum(1 for _ in walk(a, gamma)) > _LONG:
        return None
    fewer = combination(gamma.args[0])
    left = {part: by for part, by in added(combination(a), scaled(fewer, Fraction(-1))).items() if by}
    if not left or any(part in fewer for part in left if part is not b.ONE):
        return None
    return summed([(1 if by > 0 else -1, b.mul(b.const(abs(by)), part)) for part, by in left.items()])


def log_binomial(node: Expr) -> Expr | None:
    """A sum with the logarithm of a binomial coefficient of real numbers, or of a beta function, that keeps digits.

    To be looked for before the sums inside of it, of which the first two terms are a pair, too.
    """
    terms = summands(node, FEW)
    for place, (sign, term) in enumerate(terms if len(terms) > 2 else []):
        if isinstance(term, Call) and term.op.name == "lgamma" and not term.is_static:
            found = _of_three(sign, term.args[0], terms[:place] + terms[place + 1 :])
            if found is not None:
                return summed(found)
    return None


def log_beta(node: Expr) -> Expr | None:
    """A sum with `sum(lgamma(a)) - lgamma(sum(a))`, as of a Dirichlet distribution, as one function of a."""
    terms = summands(node, FEW)
    for sign, term in terms:
        match term:
            case Reduce(op, Call(inner, (a,)), over) if (op.name, inner.name) == ("sum", "lgamma") and len(over) == 1:
                left = less(terms, [(sign, term), (-sign, b.call("lgamma", reduce("sum", a, over)))])
                if left is not None and not a.is_static and over <= a.axes:
                    return summed([(sign, reduce("log_beta", a, over)), *left])
    return None


def _of_three(sign: int, a: Expr, rest: Terms) -> Terms | None:
    """`lgamma(a) - lgamma(u) - lgamma(v)`, as of a binomial coefficient, by the ratio to the larger of both."""
    gammas = [term for its_sign, term in rest if its_sign == -sign]
    pairs = [(one, distance) for one in gammas if (distance := _distance(a, one)) is not None]
    if len(pairs) != 2:
        return None
    (one, to_one), (other, to_other) = pairs
    u, v = one.children[0], other.children[0]
    is_larger = b.call("ge", u, v)  # one choice for all three: of equals, max and min would both take the first
    ratio = b.call("lgamma_ratio", b.where(is_larger, u, v), b.where(is_larger, to_one, to_other))
    left = [term for term in rest if term not in ((-sign, one), (-sign, other))]
    return [(sign, ratio), (-sign, b.call("lgamma", b.where(is_larger, v, u))), *left]

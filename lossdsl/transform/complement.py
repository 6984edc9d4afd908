"""1 - F without the subtraction, for F between 0 and 1: the digits that are left where F is near 1.

The complement of a sigmoid is a sigmoid, that of a softmax the sum of the others, that of a product of complements
comes from the sum of their logarithms. The slope is that of the plain form, so this is used after differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Along, Call, Expr, Gather, Reduce, Rename, Slice, Unslice
from lossdsl.ir.op import Aggregate
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.whole import along, reduce
from lossdsl.transform.gathered import without_part
from lossdsl.transform.log_domain import LogDomain
from lossdsl.transform.mixtures import at_end, of_distance, of_mixture, of_product, of_two, of_weighed
from lossdsl.transform.mulexp import Pullbacks, with_exponential, without_choice
from lossdsl.transform.pairs import paired
from lossdsl.transform.polynomials import difference as polynomial_gap
from lossdsl.transform.polynomials import form, rest_of
from lossdsl.transform.running import rest_of_after, rest_of_running
from lossdsl.transform.scaled import MOST, NEAR, name_of, prefix, subtraction
from lossdsl.transform.shares import difference, of_condition, of_total
from lossdsl.transform.sums import FEW, summands, summed, without_term


def complemented(roots: Iterable[Expr], known: Ranges) -> tuple[Expr, ...]:
    """The roots with every `1 - F` by its own form, where it has one, and without how values are differentiated."""
    domain, linear = LogDomain(known, one_minus), Pullbacks()

    def change(node: Expr) -> Expr:
        match node:
            case Call(op, (value, *_)) if op.name == "via":
                return value
            case Call(op) if op.name in ("add", "sub"):
                return next((found for form in _DIFFERENCES if (found := form(node, domain)) is not None), node)
            case Call(op) if op.name in ("mul", "div"):
                return with_exponential(node, domain.known, linear) or node
            case Call(op) if op.name == "where":
                return without_choice(node, linear) or node
            case Call(op, (cosine,)) if op.name == "acos":
                return _angle(node, cosine, domain) or node
        return node

    def by_whole(node: Expr) -> Expr:  # first, for the complement of the first of several would leave the others
        polynomial = form(node, domain) if name_of(node) in ("add", "sub") else None
        if polynomial is not None:
            return polynomial.value()
        pair = subtraction(node) if name_of(node) in ("add", "sub") else None
        if pair is None or pair[0] is not b.ONE or name_of(pair[1]) not in ("add", "sub"):
            return node
        return one_minus(pair[1], domain) or of_two(pair[1], domain) or node

    def by_tangent(node: Expr) -> Expr:  # at last, for a complement reads differences as they are
        return (difference(node) if isinstance(node, Call) and node.op.name in ("add", "sub") else None) or node

    return b.mapped(b.mapped(b.mapped(roots, by_whole), change), by_tangent)


def _difference(node: Call, domain: LogDomain) -> Expr | None:
    """`c - c*F` as c times 1 - F, wherever in a sum the two stand."""
    terms = summands(node, FEW)
    for place, (sign, term) in enumerate(terms):
        whole = b.exact(term)
        for other, (other_sign, share) in enumerate(terms if whole else []):
            rest = None if other == place else _rest_of(sign * (whole or Fraction(1)), other_sign, share, domain)
            if rest is not None:
                return summed([(1, rest), *(one for at, one in enumerate(terms) if at not in (place, other))])
    return None


def _rest_of(whole: Fraction, sign: int, term: Expr, domain: LogDomain) -> Expr | None:
    """`c - c*F` of a number c and a term of the other sign; None if they do not belong together."""
    for size, share in (_with_coefficient(term), (Fraction(1), term)):
        if abs(size) == abs(whole):
            part = share if sign * size * whole < 0 else b.neg(share)
            rest = one_minus(part, domain)
            return None if rest is None else b.mul(b.const(whole), _unless_large(part, rest, domain))
    return None


def _less_root(node: Call, domain: LogDomain) -> Expr | None:
    """`sqrt(u + c^2) - c` as u/(sqrt(u + c^2) + c), for positive c."""
    (sign, first), (opposite, second), *_ = [*summands(node, 2), (0, b.ZERO)]
    for root, c, its_sign in ((first, second, sign), (second, first, opposite)):
        if sign == opposite or not domain.known[c].is_positive:
            continue
        if isinstance(root, Call) and (root.op.name == "sqrt" or (root.op.name == "pow" and root.args[1] is NEAR)):
            inside = without_term(root.args[0], b.power(c, b.TWO))
            if inside is not None:
                is_small = b.call("lt", inside, b.power(c, b.TWO))  # what is large loses nothing, and may be infinite
                found = b.where(is_small, b.div(inside, b.add(root, c)), b.sub(root, c))
                return found if its_sign > 0 else b.neg(found)
    return None


_DIFFERENCES: tuple[Callable[[Call, LogDomain], Expr | None], ...] = (
    _difference,
    lambda node, domain: of_condition(node, lambda part: one_minus(part, domain)),
    _less_root,
    lambda node, domain: None if (found := form(node, domain, least=1)) is None else found.value(),
)


def _with_coefficient(term: Expr) -> tuple[Fraction, Expr]:
    """A term as a number and what it multiplies."""
    if isinstance(term, Call) and term.op.name == "mul":
        for one, other in (term.args, term.args[::-1]):
            size = b.exact(one)
            if size:
                return size, other
    return Fraction(1), term


def _angle(node: Call, cosine: Expr, domain: LogDomain) -> Expr | None:
    """The angle between two vectors: of a small one, by half of how far their unit vectors are from each other."""
    rest = one_minus(cosine, domain) if isinstance(cosine, Reduce) else None
    if rest is None:
        return None
    small = b.mul(b.TWO, b.call("asin", b.call("min", b.call("sqrt", b.mul(NEAR, rest)), b.ONE)))
    return b.where(b.call("gt", cosine, NEAR), small, node)


def one_minus(share: Expr, domain: LogDomain) -> Expr | None:
    """1 - F for a probability F; None where the plain difference is as good, or nothing better is known."""
    return domain.known_rest(share, lambda part: _worked_out(part, domain) or rest_of(part, domain))


def _worked_out(share: Expr, domain: LogDomain) -> Expr | None:
    match share:
        case Call(op, args):
            return _of_call(op.name, args, share, domain)
        case Along(op, (a,), over) if op.name == "softmax":
            return along("softmax_rest", a, over)
        case Along(op, (a,), over) if op.name == "softmax_rest":
            return along("softmax", a, over)
        case Along(op) if op.name == "cumsum":
            return rest_of_running(share, domain.known)
        case Unslice():
            return rest_of_after(share, domain.known)
        case Along(op, (arg, key), over) if op.sorts:
            inner = one_minus(arg, domain)
            return None if inner is None or not over <= inner.axes else share.rebuilt((inner, key))
        case Reduce(op, arg, over) if op.name == "prod" and domain.known[arg].is_nonnegative:
            return b.neg(b.call("expm1", reduce("sum", domain.log_of(arg), over)))
        case Reduce(op, Call() as arg, over) if op.name == "sum":
            shares = of_total(arg, over, domain.known, lambda part: one_minus(part, domain))
            return shares or (_of_cosine(arg, over) if arg.op.name == "mul" else None)
        case Reduce(op, arg, over) if op.name in ("mean", "max", "min"):
            inner = one_minus(arg, domain)
            other = {"mean": "mean", "max": "min", "min": "max"}[op.name]
            return None if inner is None or not over <= inner.axes else reduce(other, inner, over)
        case Gather() if (total := prefix(share)) is not None:
            return one_minus(total, domain)
        case Gather(arg, axis, index):
            inner = one_minus(arg, domain)
            return None if inner is None else Gather(inner, axis, index)
        case Rename(arg, old, new):
            inner = one_minus(arg, domain)
            return None if inner is None else Rename(inner, old, new)
        case Slice(arg):
            inner = one_minus(arg, domain)
            return None if inner is None else share.rebuilt((inner,))
    return None


_OPPOSITE = {"max": "min", "min": "max"}


def _of_call(name: str, args: tuple[Expr, ...], share: Expr, domain: LogDomain) -> Expr | None:
    match name, args:
        case (("sigmoid" | "norm_cdf"), (a,)):
            return b.call(name, b.neg(a))
        case "erf", (a,):
            return b.call("erfc", a)
        case "erfc", (a,):
            return b.call("erf", a)
        case "tanh", (a,):
            return b.mul(b.TWO, b.call("sigmoid", b.mul(b.const(-2), a)))
        case "cos", (a,):
            return b.call("one_minus_cos", a)
        case "exp", (a,):
            return b.neg(b.call("expm1", a))
        case "via", (a, *_):
            return one_minus(a, domain)
        case "stop", (a,):
            inner = one_minus(a, domain)
            return None if inner is None else b.call("stop", inner)
        case "where", (condition, *pieces):
            found = [at_end(piece) or one_minus(piece, domain) for piece in pieces]
            if None in found or all(map(at_end, pieces)):
                return None
            return b.where(condition, *(piece for piece in found if piece is not None))
        case (("max" | "min"), _):
            found = [one_minus(piece, domain) for piece in args]
            if found == [None, None] or not domain.is_made_of_exponentials(share):  # a late rule has plain clips
                return None
            pairs = zip(found, args, strict=True)
            return b.call(_OPPOSITE[name], *(piece or b.sub(b.ONE, arg) for piece, arg in pairs))
        case "mul", (one, Call(op, (a,))) if one is NEAR and op.name == "erfc":
            return b.mul(NEAR, b.call("erfc", b.neg(a)))
        case "mul", (one, other):
            return of_product(one, other, domain) or of_weighed(share, domain)
        case "abs", (a,):
            return of_distance(a, domain)
        case "pow", (base, exponent) if exponent.is_static and domain.known[exponent].is_nonzero:
            return _of_power(base, exponent, domain)
        case "sqrt", (base,):
            log = domain.log(base)
            return None if log is None else b.neg(b.call("expm1", b.mul(NEAR, log)))
        case "neg", (Call() as inner,):
            return _of_negative(inner, share, domain)
        case "neg", (Gather() | Rename() | Slice() | Along(Aggregate(sorts=True)) as inner,):
            whole = one_minus(b.neg(inner.children[0]), domain)
            return None if whole is None else inner.rebuilt((whole, *inner.children[1:]))
        case "div", (_, below) if b.exact(below):
            return of_weighed(share, domain)
        case "div", (above, below):
            return _of_quotient(above, below, domain) or (_of_reciprocal(below, domain) if above is b.ONE else None)
        case (("add" | "sub"), _):
            return of_mixture(share, domain)
        case "where", (condition, *pieces):
            found = [one_minus(b.neg(piece), domain) for piece in pieces]
            return None if None in found else b.where(condition, *(piece for piece in found if piece is not None))
    return None


def _of_negative(inner: Call, share: Expr, domain: LogDomain) -> Expr | None:
    """1 - F for F the negative of an operation."""
    match inner.op.name, inner.args:
        case "expm1", (a,):
            return b.call("exp", a)
        case (("tanh" | "erf"), (a,)):  # odd functions
            return _of_call(inner.op.name, (b.neg(a),), share, domain)
        case "mul", (one, other):  # of two, one of which is negative as it is written
            for factor, rest in ((one, other), (other, one)):
                if domain.known[factor].is_nonpositive:
                    return of_product(b.neg(factor), rest, domain)
        case (("add" | "sub"), _):
            return of_mixture(share, domain)
    return None


def _of_cosine(product: Call, over: Axes) -> Expr | None:
    """1 - cos of the angle between two vectors: half the square of how far their unit vectors are from each other."""
    units = [one for one in product.args if isinstance(one, Along) and one.op.name == "normalize" and one.over == over]
    if len(units) != 2:
        return None
    norms = [reduce("norm", one.args[0], over) for one in units]
    are_directions = b.call("ne", b.call("min", *norms), b.ZERO)  # a zero vector has none
    apart = reduce("sum", b.power(b.sub(*units), b.TWO), over)
    return b.where(are_directions, b.mul(NEAR, apart), b.ONE)


def _of_power(base: Expr, exponent: Expr, domain: LogDomain) -> Expr | None:
    """1 - F^c by the logarithm of F; 1 - F^2 of a number of either sign is (1 - F)*(1 + F)."""
    whole, values = b.exact(exponent), domain.known[base]
    if whole == 2 and not values.is_nonnegative:
        low, high = one_minus(base, domain), one_minus(b.neg(base), domain)
        return None if low is None or high is None else b.mul(low, high)
    if whole is None or whole.denominator != 1:
        log = domain.log(base)
    elif not values.within(_SMALL):
        return _of_large(base, exponent, domain)
    else:
        is_even = whole % 2 == 0
        log = domain.size(base) if is_even else domain.log(base) if values.is_nonnegative else None
    return None if log is None else b.neg(b.call("expm1", b.mul(exponent, log)))


def _of_large(base: Expr, exponent: Expr, domain: LogDomain) -> Expr | None:
    """1 - F^c of a sum of exponentials: near 1 by the logarithm, which has fewer digits than the power elsewhere."""
    if not domain.known[base].is_nonnegative or not domain.is_made_of_exponentials(base):
        return None
    log = domain.log(base)
    if log is None:
        return None
    is_near = b.call("lt", base, b.TWO)
    return b.where(is_near, b.neg(b.call("expm1", b.mul(exponent, log))), b.sub(b.ONE, b.power(base, exponent)))


_SMALL = Bounds(-2.0, 2.0)
"""What may be the sum of two probabilities: of what is larger, the logarithm has fewer digits than the power."""


def _of_reciprocal(below: Expr, domain: LogDomain) -> Expr | None:
    """1 - 1/F, of the odds 1/F - 1, is -(1 - F)/F."""
    rest = one_minus(below, domain)
    return None if rest is None else b.neg(b.div(rest, below))


def _unless_large(share: Expr, rest: Expr, domain: LogDomain) -> Expr:
    """A complement; of a quotient by the subtraction where the divisor may be infinite, for then so is more."""
    if name_of(share) != "div":
        return rest
    below = share.children[1]
    if domain.known[below].high < MOST or not domain.is_made_of_exponentials(below):
        return rest
    return b.where(b.call("lt", below, b.const(MOST)), rest, b.sub(b.ONE, share))


def _of_quotient(above: Expr, below: Expr, domain: LogDomain) -> Expr | None:
    """1 - p/(p + q) and 1 - p/sum(p) by what the others have."""
    difference = _squared_difference(above, below, domain)
    if difference is not None:
        return difference
    others = without_part(below, above)
    if others is None and (found := polynomial_gap(below, above, domain)) is not None:
        others = found.value()
    return None if others is None else b.div(others, below)


def _squared_difference(above: Expr, below: Expr, domain: LogDomain) -> Expr | None:
    """1 - 2*a*c/(a^2 + c^2) as (a - c)^2/(a^2 + c^2); the slope is that of the quotient, which is 0 at a = 0."""
    rest = b.sub(below, above)
    difference = paired(rest)
    if difference is rest or any(sign < 0 for sign, _ in summands(difference)):
        return None

    def change(node: Expr) -> Expr:
        pair = subtraction(node) if name_of(node) == "sub" else None
        return (one_minus(pair[1], domain) if pair is not None and pair[0] is b.ONE else None) or node

    return b.div(b.mapped((difference,), change)[0], below)

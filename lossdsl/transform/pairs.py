"""Pairs of terms that cancel each other, by functions that do not: looked for in the whole sum, in any order."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Expr, Gather, Reduce
from lossdsl.ir.whole import along, reduce
from lossdsl.transform.logit_shift import Terms, without_shift

FEW = 8
"""How many terms are looked at together: it may be a sum of sums that are looked at, too."""


_SHARED = 4
"""How often a part of a sum may occur in it, on average: in a tower of sums of itself, each term does 2^n times."""


def summands(expr: Expr, most: int | None = None) -> Terms:
    """The terms of a sum with their signs, in order.

    Of more than `most`, or where the same parts occur again and again, some may be sums themselves.
    """
    found: Terms = []
    stack = [(1, expr)]
    seen = set[Expr]()
    while stack:
        if len(found) + len(stack) > (FEW + _SHARED * len(seen) if most is None else most):
            return [*found, *reversed(stack)]
        sign, node = stack.pop()
        seen.add(node)
        if isinstance(node, Call) and node.op.name in ("add", "sub", "neg"):
            signs = {"add": (sign, sign), "sub": (sign, -sign), "neg": (-sign,)}[node.op.name]
            stack += reversed(list(zip(signs, node.args, strict=True)))
        else:
            found.append((sign, node))
    return found


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


def without_term(total: Expr, term: Expr) -> Expr | None:
    """A sum without one of its terms, which may be a sum; None if it has no such term."""
    left = _less(summands(total, FEW), summands(term, FEW))
    return None if not left else summed(left)


def union(node: Expr) -> tuple[Expr, Expr] | None:
    """F and G of a sum `F + G - F*G`, either of which may be a sum."""
    terms = summands(node, FEW)
    for place, (sign, product) in enumerate(terms):
        factors = multiplied(product) if sign < 0 else []
        for split, one in enumerate(factors if len(factors) > 1 else []):
            other = fold(b.mul, [*factors[:split], *factors[split + 1 :]])
            if _less(terms[:place] + terms[place + 1 :], [(1, one), (1, other)]) == []:
                return one, other
    return None


def summed(terms: Terms) -> Expr:
    if not terms:
        return b.ZERO
    (sign, first), *rest = terms
    total = first if sign > 0 else b.neg(first)
    for sign, term in rest:
        total = b.add(total, term) if sign > 0 else b.sub(total, term)
    return total


# --- an expression and its logarithm or exponential -----------------------------------------------------------------


def _of_several(sign: int, term: Expr, rest: Terms) -> Terms | None:
    """The terms with several as one: `u - log1p(u)`, `u - 1 - log(u)`, `exp(u) - 1 - u`, and `a*log(a/b) - a + b`."""
    square = _square_of(term)
    if square is not None:
        return _squared_difference(sign, square, rest)
    log = _logarithm(term)
    if log is not None and (left := _less(rest, [(-sign, log), (-sign, b.ONE)])) is not None:
        return [(sign, b.call("expm1mx", log)), *left]
    match term:
        case Call(op, (u,)) if op.name == "log":
            for away in ([(-sign, u), (sign, b.ONE)], [(-sign, _from_one(u))]):
                left = _less(rest, away)
                if left is not None:
                    return [(sign, _log_less(u)), *left]
        case Call(op, (u,)) if op.name in ("log1p", "expm1"):
            left = _less(rest, [(-sign, u)])
            return None if left is None else [(sign, b.call(f"{op.name}mx", u)), *left]
        case Call(op, (a, Call(log, (Call(div, (above, below)),)))) if (op.name, log.name, div.name) == (
            "mul",
            "log",
            "div",
        ) and above is a:
            left = _less(rest, [(-sign, a), (sign, below)])
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
            log = _logarithm(share)
            return None if log is None else b.neg(log)
        case Along(op, (a,), over) if op.name == "softmax":
            return along("log_softmax", a, over)
        case Gather(whole, axis, index):
            log = _logarithm(whole)
            return None if log is None else Gather(log, axis, index)
    return None


def multiplied(node: Expr) -> list[Expr]:
    """The factors of a product, no more than a few; of a power with the exponent 2, its base twice."""
    found, stack = list[Expr](), [node]
    while stack:
        one = stack.pop()
        match one:
            case Call(op, (first, second)) if op.name == "mul" and len(stack) + len(found) < FEW:
                stack += [second, first]
            case Call(op, (base, exponent)) if op.name == "pow" and exponent is b.TWO:
                found += [base, base]
            case _:
                found.append(one)
    return found


def _square_of(term: Expr) -> tuple[Expr, Reduce | None] | None:
    """What is squared in `a^2` or a sum or mean of it, and that aggregate."""
    total = term if isinstance(term, Reduce) and term.op.name in ("sum", "mean") else None
    factors = multiplied(term if total is None else total.arg)
    return (factors[0], total) if len(factors) == 2 and factors[0] is factors[1] else None


def _squared_difference(sign: int, square: tuple[Expr, Reduce | None], rest: Terms) -> Terms | None:
    """The terms with `a^2 - 2*a*c + c^2` as one, and the same of sums: the square of a distance.

    Of operands with the same axes only: distances of pairs are written this way to be a product of matrices.
    """
    a, total = square

    def aggregated(product: Expr) -> Expr:
        return product if total is None else total.rebuilt((product,))

    for place, (opposite, term) in enumerate(rest):
        other = _square_of(term) if opposite == sign else None
        if other is None or other[0].axes != a.axes or aggregated(b.power(other[0], b.TWO)) is not term:
            continue
        (c, _), others = other, rest[:place] + rest[place + 1 :]
        for turn, (away, cross) in enumerate(others):
            if away == -sign and _is_cross(cross, a, c, total):
                return [(sign, aggregated(b.power(b.sub(a, c), b.TWO))), *others[:turn], *others[turn + 1 :]]
    return None


def _is_cross(term: Expr, a: Expr, c: Expr, total: Reduce | None) -> bool:
    """Whether a term is `2*a*c`, or twice the sum or mean of `a*c`."""
    factors = multiplied(term)
    if total is not None:
        sums = [one for one in factors if isinstance(one, Reduce)]
        if len(sums) != 1 or sums[0].op is not total.op or sums[0].over != total.over:
            return False
        factors.remove(sums[0])
        factors += multiplied(sums[0].arg)
    return len(factors) == 3 and all(one in factors for one in (b.TWO, a, c)) and (a is not c or factors.count(a) == 2)


def _less(terms: Terms, taken: Terms) -> Terms | None:
    """Terms without some of them; None if one is not there."""
    left = list(terms)
    for sign, whole in taken:
        for inner, part in summands(whole):
            if (sign * inner, part) not in left:
                return None
            left.remove((sign * inner, part))
    return left


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
        case Call(op, (a,)) if op.name == "lgamma" and not is_sum:
            return _gamma_ratio(a, other)
        case Reduce(op, arg, over) if op.name == "mean":
            return _covariance(multiplied(arg), -1 if is_sum else 1, other, over)
    return None


def _less_power(a: Expr, other: Expr) -> Expr | None:
    """`log(1 + exp(a))` less a multiple of a, or less what is a part of a that is itself such a logarithm."""
    weight = _coefficient(other, a)
    if weight is not None:
        return _weighed(weight, a)
    rest = _less_of_total(a, other)
    return None if rest is None else b.add(rest, b.call("softplus", b.neg(a)))


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


def _signed_factors(node: Expr) -> tuple[int, list[Expr]]:
    """The sign of a product, and its factors without theirs."""
    sign, found = 1, list[Expr]()
    for one in multiplied(node):
        if isinstance(one, Call) and one.op.name == "neg":
            inner, factors = _signed_factors(one.args[0])
            sign, found = -sign * inner, found + factors
        else:
            found.append(one)
    return sign, found


def _covariance(factors: list[Expr], sign: int, other: Expr, over: Axes) -> Expr | None:
    """`mean(a*c) - mean(a)*mean(c)` as the mean of what both differ from their means; of two alike, the variance."""
    if len(factors) != 2 or not all(over <= one.axes for one in factors):
        return None
    means = [reduce("mean", one, over) for one in factors]
    if _signed_factors(other) not in ((sign, means), (sign, means[::-1])):
        return None
    if factors[0] is factors[1]:
        return reduce("var", factors[0], over)
    left, right = (b.sub(one, mean) for one, mean in zip(factors, means, strict=True))
    return reduce("mean", b.mul(left, right), over)


def _gamma_ratio(a: Expr, other: Expr) -> Expr | None:
    """`lgamma(v + d) - lgamma(v)`, whatever the size of v."""
    if not (isinstance(other, Call) and other.op.name == "lgamma" and isinstance(a, Call) and a.op.name == "add"):
        return None
    (start,) = other.args
    for one, difference in (a.args, a.args[::-1]):
        if one is start:
            return b.call("lgamma_ratio", start, difference)
    return None


def _whole_softplus(power: Expr, other: Expr) -> Expr | None:
    """`log(1 + exp(-abs(a))) + max(a, 0)` as softplus(a)."""
    if not isinstance(other, Call) or other.op.name not in ("max", "relu"):
        return None
    for a in other.args:
        is_positive_part = other.op.name == "relu" or b.ZERO in other.args
        if is_positive_part and power in (b.neg(b.call("abs", a)), b.neg(b.call("abs", b.neg(a)))):
            return b.call("softplus", a)
    return None


def _coefficient(product: Expr, of: Expr) -> Expr | None:
    """What multiplies an expression in a product of two."""
    if product is of:
        return b.ONE
    if isinstance(product, Call) and product.op.name == "mul" and of in product.args:
        return product.args[0] if product.args[1] is of else product.args[1]
    return None


def _weighed(weight: Expr, a: Expr) -> Expr:
    """`softplus(a) - w*a`, which is softplus(-a) where w is 1."""
    right, left = b.call("softplus", a), b.call("softplus", b.neg(a))
    return b.add(b.mul(b.sub(b.ONE, weight), right), b.mul(weight, left))

"""Complements of products, of distances, and of sums: mixtures, and what is shifted by a number."""

from __future__ import annotations

from functools import reduce as fold
from itertools import product

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr
from lossdsl.ir.whole import INF
from lossdsl.transform.log_domain import LogDomain
from lossdsl.transform.logit_shift import combination
from lossdsl.transform.scaled import NEAR, subtraction
from lossdsl.transform.shares import of_classes
from lossdsl.transform.sums import FEW, Terms, less, multiplied, summands, summed


def _rest(share: Expr, domain: LogDomain) -> Expr | None:
    return domain.complement(share, domain)


def at_end(piece: Expr) -> Expr | None:
    """The complement of 0, of 1, and of an infinity, which a filter leaves to the others of a largest or smallest."""
    if isinstance(piece, Const) and abs(piece.value) == INF:
        return Const(-piece.value)
    return b.ONE if piece is b.ZERO else b.ZERO if piece is b.ONE else None


def _factors(sign: int, term: Expr) -> list[tuple[Expr, Expr]]:
    """The factors of a product in either order, one of them with the sign; 1 is a factor of what is no product."""
    pairs: list[tuple[Expr, Expr]] = [(term, b.ONE)]
    factors = multiplied(term)
    if len(factors) == 2:
        first, second = factors
        pairs += [(first, second), (second, first)]
        if isinstance(second, Call) and second.op.name == "erfc":  # half of it is a probability
            pairs.append((b.mul(b.TWO, first), b.mul(NEAR, second)))
    if sign > 0:
        return pairs
    return [turned for one, other in pairs for turned in ((one, b.neg(other)), (b.neg(one), other))]


def of_mixture(share: Expr, domain: LogDomain) -> Expr | None:
    """1 - (t*F + (1 - t)*G) is t*(1 - F) + (1 - t)*(1 - G); 1 - (1 - F) is F."""
    others = of_classes(share)
    if others is not None:
        return others
    terms = summands(share)
    pair = subtraction(share)
    if pair is not None and pair[0] is b.ONE:
        return pair[1]
    if (1, b.ONE) in terms:
        return b.neg(summed(less(terms, [(1, b.ONE)]) or []))
    found = of_weighed(share, domain) or _of_shifted(terms, domain)
    if found is not None:
        return found
    if len(terms) != 2:
        return None
    for (weight, first), (opposite, second) in product(_factors(*terms[0]), _factors(*terms[1])):
        if _are_opposite(weight, opposite, domain):
            return _weighed([(weight, first), (opposite, second)], domain)
    return None


def of_weighed(share: Expr, domain: LogDomain) -> Expr | None:
    """1 - (F + G)/2, and that of any mixture whose weights are numbers."""
    parts = combination(share)
    if not 1 < len(parts) <= FEW or sum(parts.values()) != 1 or min(parts.values()) < 0:
        return None
    return _weighed([(b.const(weight), part) for part, weight in parts.items()], domain)


def _weighed(parts: list[tuple[Expr, Expr]], domain: LogDomain) -> Expr | None:
    """The complements by their weights, if one is known."""
    rests = [at_end(part) or _rest(part, domain) for _, part in parts]
    if all(rest is None or part is b.ONE for rest, (_, part) in zip(rests, parts, strict=True)):
        return None
    known = (rest or b.sub(b.ONE, part) for rest, (_, part) in zip(rests, parts, strict=True))
    return fold(b.add, (b.mul(weight, rest) for rest, (weight, _) in zip(known, parts, strict=True)))


def _are_opposite(weight: Expr, other: Expr, domain: LogDomain) -> bool:
    """Whether two weights come to 1."""
    one, two = b.exact(weight), b.exact(other)
    if one is not None or two is not None:
        return one is not None and two is not None and one + two == 1
    is_rest = b.sub(b.ONE, weight) is other or b.sub(b.ONE, other) is weight
    return is_rest or _rest(weight, domain) is other or _rest(other, domain) is weight


def _of_shifted(terms: Terms, domain: LogDomain) -> Expr | None:
    """1 - (F + c) is (1 - F) - c, and 1 - (F - G) is (1 - F) + G; 1 - (2 - F) is -(1 - F)."""
    if len(terms) == 2 and (1, b.TWO) in terms:
        sign, share = next(one for one in terms if one != (1, b.TWO))
        rest = _rest(share, domain) if sign < 0 else None
        return None if rest is None else b.neg(rest)
    is_settled = [term.is_static for _, term in terms]
    shares = [term for (sign, term), settled in zip(terms, is_settled, strict=True) if not settled and sign > 0]
    if len(shares) != 1:
        return None
    (share,) = shares
    others = [one for one in terms if one[1] is not share]
    if not all(term.is_static or domain.known[term].is_nonnegative for _, term in others):
        return None
    rest = _rest(share, domain)
    if rest is None and any(domain.is_made_of_exponentials(term) for _, term in others):
        rest = b.sub(b.ONE, share)
    if rest is None:
        return None
    for sign, term in others:
        rest = b.sub(rest, term) if sign > 0 else b.add(rest, term)
    return rest


def of_two(total: Expr, domain: LogDomain) -> Expr | None:
    """1 - (F + G) by the complement of the larger one; not under a logarithm, where both would be worked out."""
    terms = summands(total, 2)
    if [sign for sign, _ in terms] != [1, 1]:
        return None
    (_, one), (_, other) = terms
    first, second = _rest(one, domain), _rest(other, domain)
    if first is None or second is None:
        return None
    return b.where(b.call("gt", one, other), b.sub(first, other), b.sub(second, one))


def of_distance(difference: Expr, domain: LogDomain) -> Expr | None:
    """1 - abs(F - G) as the complement of the larger one and the smaller one."""
    pair = subtraction(difference)
    if pair is None or not all(domain.known[one].is_nonnegative for one in pair):
        return None
    rests = [_rest(one, domain) for one in pair]
    if rests == [None, None]:
        return None
    first, second = (rest or b.sub(b.ONE, one) for rest, one in zip(rests, pair, strict=True))
    return b.where(b.call("gt", *pair), b.add(first, pair[1]), b.add(second, pair[0]))


def of_product(one: Expr, other: Expr, domain: LogDomain) -> Expr | None:
    """1 - F*G is (1 - F) + F*(1 - G), whichever sign both have."""
    if domain.known[one].is_nonpositive and domain.known[other].is_nonpositive:
        one, other = b.neg(one), b.neg(other)
    first, second = _rest(one, domain), _rest(other, domain)
    if first is None or second is None:
        return None
    if b.neg(first) is second:  # 1 - F*(2 - F)
        return b.power(first, b.TWO)
    return b.add(first, b.mul(one, second))

"""Sums by their terms and products by their factors: a few of each, with signs, in order."""

from __future__ import annotations

from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr

Terms = list[tuple[int, Expr]]
"""The terms of a sum with their signs."""

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
        if isinstance(node, Call) and node.op.signs:
            stack += reversed([(sign * own, arg) for own, arg in zip(node.op.signs, node.args, strict=True)])
        else:
            found.append((sign, node))
    return found


def summed(terms: Terms) -> Expr:
    if not terms:
        return b.ZERO
    (sign, first), *rest = terms
    total = first if sign > 0 else b.neg(first)
    for sign, term in rest:
        total = b.add(total, term) if sign > 0 else b.sub(total, term)
    return total


def less(terms: Terms, taken: Terms) -> Terms | None:
    """Terms without some of them; None if one is not there."""
    left = list(terms)
    for sign, whole in taken:
        for inner, part in summands(whole):
            if (sign * inner, part) not in left:
                return None
            left.remove((sign * inner, part))
    return left


def without_term(total: Expr, term: Expr) -> Expr | None:
    """A sum without one of its terms, which may be a sum; None if it has no such term."""
    left = less(summands(total, FEW), summands(term, FEW))
    return None if not left else summed(left)


def union(node: Expr) -> tuple[Expr, Expr] | None:
    """F and G of a sum `F + G - F*G`, either of which may be a sum."""
    terms = summands(node, FEW)
    for place, (sign, product) in enumerate(terms):
        factors = _of_quotient(product) if sign < 0 else []
        for split, one in enumerate(factors if len(factors) > 1 else []):
            other = fold(b.mul, [*factors[:split], *factors[split + 1 :]])
            if less(terms[:place] + terms[place + 1 :], [(1, one), (1, other)]) == []:
                return one, other
    return None


def _of_quotient(product: Expr) -> list[Expr]:
    """The factors of a product, of `a*c/d` a and c/d."""
    if isinstance(product, Call) and product.op.name == "div":
        *others, last = multiplied(product.args[0])
        return [*others, b.div(last, product.args[1])]
    return multiplied(product)


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


def signed_factors(node: Expr) -> tuple[int, list[Expr]]:
    """The sign of a product, and its factors without theirs."""
    sign, found = 1, list[Expr]()
    for one in multiplied(node):
        if isinstance(one, Call) and one.op.name == "neg":
            inner, factors = signed_factors(one.args[0])
            sign, found = -sign * inner, found + factors
        else:
            found.append(one)
    return sign, found


def coefficient(product: Expr, of: Expr) -> Expr | None:
    """What multiplies an expression in a product of two."""
    if product is of:
        return b.ONE
    if isinstance(product, Call) and product.op.name == "mul" and of in product.args:
        return product.args[0] if product.args[1] is of else product.args[1]
    return None

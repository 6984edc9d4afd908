"""Pairs of terms of a sum that cancel each other, by functions that do not: looked for in the whole sum, in any order."""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Gather, Reduce
from lossdsl.ir.whole import along

_FEW = 8
"""How many terms are looked at together: it may be a sum of sums that are looked at, too."""


def summands(expr: Expr) -> list[tuple[int, Expr]]:
    """The terms of a sum with their signs, in order."""
    found: list[tuple[int, Expr]] = []
    stack = [(1, expr)]
    while stack:
        sign, node = stack.pop()
        if isinstance(node, Call) and node.op.name in ("add", "sub", "neg"):
            signs = {"add": (sign, sign), "sub": (sign, -sign), "neg": (-sign,)}[node.op.name]
            stack += reversed(list(zip(signs, node.args, strict=True)))
        else:
            found.append((sign, node))
    return found


def paired(node: Expr) -> Expr:
    """A sum with two terms that belong together as one: `logsumexp(x) - x[t]` is -log_softmax(x)[t]."""
    terms = summands(node)
    if not 1 < len(terms) <= _FEW:
        return node
    for place, (sign, term) in enumerate(terms):
        for other, (opposite, element) in enumerate(terms):
            found = None if place == other else _together(term, element, opposite == sign)
            if found is not None:
                rest = [pair for at, pair in enumerate(terms) if at not in (place, other)]
                return paired(_summed([(sign, found), *rest]))
    return node


def _summed(terms: list[tuple[int, Expr]]) -> Expr:
    (sign, first), *rest = terms
    total = first if sign > 0 else b.neg(first)
    for sign, term in rest:
        total = b.add(total, term) if sign > 0 else b.sub(total, term)
    return total


def _together(term: Expr, other: Expr, is_sum: bool) -> Expr | None:
    """`term + other`, or `term - other`, as something that does not cancel."""
    match term:
        case Reduce(op) if op.name == "logsumexp" and not is_sum:
            found = _normalized(term, other)
            return None if found is None else b.neg(found)
        case Call(op, (a,)) if op.name == "softplus":
            weight = None if is_sum else _coefficient(other, a)
            return _whole_softplus(a, other) if is_sum else None if weight is None else _weighed(weight, a)
        case Call(op, (a,)) if op.name == "log_sigmoid" and not is_sum:
            return a if other is b.call("log_sigmoid", b.neg(a)) else None
        case Call(op, (Call(inner, (power,)),)) if (op.name, inner.name) == ("log1p", "exp") and is_sum:
            return _whole_softplus(power, other)
    return None


def _normalized(total: Reduce, element: Expr) -> Expr | None:
    """`x - logsumexp(x)`, of an element of x or of all."""
    whole = along("log_softmax", total.arg, total.over)
    if element is total.arg:
        return whole
    match element:
        case Gather(arg, axis, index) if arg is total.arg and total.over == frozenset({axis}):
            return Gather(whole, axis, index)
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

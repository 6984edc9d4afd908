"""Shares of a whole that comes to 1: what all but some have, and averages with such weights, as complements.

1 - sum(p*F) is sum(p*(1 - F)) for weights p that come to 1; without some classes, what is left is the sum of the
others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from fractions import Fraction
from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes, Axis
from lossdsl.ir.bounds import UNIT
from lossdsl.ir.expr import Along, Call, Expr, Gather, Position, Rename
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.whole import may_be_empty, reduce
from lossdsl.transform.scaled import NEAR, condition_of
from lossdsl.transform.sums import multiplied, summands

Complement = Callable[[Expr], Expr | None]


def of_total(arg: Call, over: Axes, known: Ranges, complement: Complement) -> Expr | None:
    """1 less the sum of some shares, or of shares times probabilities; None for the sum of anything else."""
    if arg.op.name == "where" and arg.args[2] is b.ZERO:
        condition, whole, _ = arg.args
        if is_whole(whole, over, known.units):
            return reduce("sum", b.spread(b.where(condition, b.ZERO, whole), over), over)
        parts = _weighed(_with_whole(multiplied(whole), over, known), over, known, complement)
        if parts is not None:
            weight, rest = parts
            return reduce("sum", b.spread(b.where(condition, b.mul(weight, rest), weight), over), over)
    factors = _with_whole(multiplied(arg), over, known)
    for place, weight in enumerate(factors):
        others = [*factors[:place], *factors[place + 1 :]]
        chosen = condition_of(others[0]) if len(others) == 1 and is_whole(weight, over, known.units) else None
        if chosen is not None:
            return reduce("sum", b.spread(b.where(chosen, b.ZERO, weight), over), over)
    parts = _weighed(factors, over, known, complement)
    if parts is not None:
        return reduce("sum", b.spread(b.mul(*parts), over), over)
    return _of_place(factors, over, known, complement) or _of_roots(arg, over, known)


def _weighed(factors: list[Expr], over: Axes, known: Ranges, complement: Complement) -> tuple[Expr, Expr] | None:
    """Shares that come to 1, and the complement of the probability that they are multiplied by."""
    for place, weight in enumerate(factors):
        others = [*factors[:place], *factors[place + 1 :]]
        if others and is_whole(weight, over, known.units):
            share = fold(b.mul, others)
            rest = complement(share) if known[share].within(UNIT) else None
            if rest is not None:
                return weight, rest
    return None


def _of_place(factors: list[Expr], over: Axes, known: Ranges, complement: Complement) -> Expr | None:
    """1 less a probability at one place, `sum(F*onehot(t))`; where no place is meant, it is 1."""
    for place, factor in enumerate(factors):
        condition, others = condition_of(factor), [*factors[:place], *factors[place + 1 :]]
        if condition is None or not others or not _is_one_place(condition, over):
            continue
        share = fold(b.mul, others)
        rest = complement(share) if known[share].within(UNIT) else None
        if rest is not None:
            chosen = b.total(b.spread(b.mul(factor, rest), over), over)  # a nan elsewhere makes the sum nan, too
            return b.add(chosen, b.where(b.anywhere(condition, over), b.ZERO, b.ONE))
    return None


def _is_one_place(condition: Expr, over: Axes) -> bool:
    """Whether a condition holds for at most one position, as that of a label does."""
    if not (isinstance(condition, Call) and condition.op.name == "eq"):
        return False
    return any(
        isinstance(one, Position) and frozenset({one.axis}) == over and one.axis not in other.axes
        for one, other in (condition.args, condition.args[::-1])
    )


def _of_roots(arg: Expr, over: Axes, known: Ranges) -> Expr | None:
    """1 - sum(sqrt(p*q)) of two distributions as half the square of how far their roots are from each other."""
    pair = _under_root(arg)
    if pair is None or not all(is_whole(one, over, known.units) for one in pair):
        return None
    apart = b.sub(*(b.call("sqrt", one) for one in pair))
    return b.mul(NEAR, reduce("sum", b.power(apart, b.TWO), over))


def _under_root(node: Expr) -> tuple[Expr, ...] | None:
    """p and q of `sqrt(p*q)`, of `sqrt(p)*sqrt(q)`, and of what a root of what may vanish has become."""
    match node:
        case Call(op, (value, *_)) if op.name == "via":
            return _under_root(value)
        case Call(op, (_, value, Call(small))) if op.name == "where" and small.name == "exp":
            return _under_root(value)
        case Call(op, (Call() as inner, *exponent)) if op.name == "sqrt" or (op.name, exponent) == ("pow", [NEAR]):
            return inner.args if inner.op.name == "mul" else None
        case Call(op, (one, other)) if op.name == "mul":
            roots = [_root_of(part) for part in (one, other)]
            return None if None in roots else tuple(root for root in roots if root is not None)
    return None


def _root_of(node: Expr) -> Expr | None:
    """What a root is taken of."""
    match node:
        case Call(op, (value, *_)) if op.name == "via":
            return _root_of(value)
        case Call(op, (_, value, Call(small))) if op.name == "where" and small.name == "exp":
            return _root_of(value)
        case Call(op, (inner, *exponent)) if op.name == "sqrt" or (op.name, exponent) == ("pow", [NEAR]):
            return inner
    return None


def _with_whole(factors: list[Expr], over: Axes, known: Ranges) -> list[Expr]:
    """The factors with a power of shares, `p^c` for c above 1, as p and `p^(c - 1)`."""
    for place, factor in enumerate(factors):
        match factor:
            case Call(op, (base, exponent)) if op.name == "pow" and is_whole(base, over, known.units):
                if exponent.is_static and known[exponent].low > 1:
                    less = b.power(base, b.sub(exponent, b.ONE))
                    return [*factors[:place], base, less, *factors[place + 1 :]]
    return factors


def of_condition(node: Call, complement: Complement) -> Expr | None:
    """A probability less the number of a condition, `softmax(x) - onehot(t)`: less 1, it is its complement."""
    terms = summands(node, 2)
    if [sign for sign, _ in terms] not in ([1, -1], [-1, 1]):
        return None
    for (sign, share), (_, other) in (terms, terms[::-1]):
        condition = condition_of(other)
        rest = None if condition is None or not share.axes >= condition.axes else complement(share)
        if condition is not None and rest is not None:
            found = b.where(condition, b.neg(rest), share)
            return found if sign > 0 else b.neg(found)
    return None


def is_whole(weight: Expr, over: Axes, units: Collection[Expr]) -> bool:
    """Whether the elements along some axes come to 1."""
    if isinstance(weight, Rename) and over == frozenset({weight.new}):
        return is_whole(weight.arg, frozenset({weight.old}), units)
    if isinstance(weight, Along) and weight.op.name == "softmax" and weight.over == over:
        return not may_be_empty(weight.args[0])  # that of nothing comes to 0
    return weight in units and len(over) == 1 and next(iter(over)).name == "last"


def of_classes(total: Expr) -> Expr | None:
    """1 - (p[0] + w*p[1]) as a sum over all classes of one softmax, each with what its weight of at most 1 leaves."""
    terms = [term for sign, term in summands(total) if sign > 0]
    if len(terms) < 2 or len(terms) != len(summands(total)):
        return None
    pairs = [_with_weight(term) for term in terms]
    classes = [one for _, term in pairs if (one := _class_of(term)) is not None]
    if len(classes) < len(terms) or len({one[0] for one in classes}) > 1:
        return None
    left: dict[int, Fraction] = {}
    for (weight, _), (_, _, number) in zip(pairs, classes, strict=True):
        left[number] = left.get(number, Fraction(1)) - weight
    if min(left.values()) < 0:
        return None
    whole, axis, _ = classes[0]
    rest: Expr = whole
    for number, share in sorted(left.items(), reverse=True):
        rest = b.where(b.call("eq", Position(axis), b.const(number)), b.mul(b.const(share), whole), rest)
    return reduce("sum", rest, frozenset({axis}))


def _with_weight(term: Expr) -> tuple[Fraction, Expr]:
    """A term as a number and what it multiplies."""
    factors = multiplied(term)
    for place, factor in enumerate(factors if len(factors) == 2 else []):
        weight = b.exact(factor)
        if weight is not None:
            return weight, factors[1 - place]
    return Fraction(1), term


def _class_of(term: Expr) -> tuple[Along, Axis, int] | None:
    """The softmax, axis and number of a class that is read by a number."""
    if not (isinstance(term, Gather) and isinstance(term.arg, Along) and term.arg.op.name == "softmax"):
        return None
    index = b.exact(term.index)
    if may_be_empty(term.arg) or term.arg.over != frozenset({term.axis}):
        return None
    if index is None or index < 0 or index.denominator != 1:
        return None
    return term.arg, term.axis, int(index)


def difference(node: Call) -> Expr | None:
    """The difference of two sigmoids, or of two classes of a softmax, as their sum times tanh of half the distance.

    sigmoid(a) - sigmoid(c) = tanh((a - c)/2)*(sigmoid(a)*sigmoid(-c) + sigmoid(c)*sigmoid(-a)).
    """
    terms = summands(node, 2)
    if [sign for sign, _ in terms] not in ([1, -1], [-1, 1]):
        return None
    (one, other) = (term for _, term in sorted(terms, key=lambda each: -each[0]))
    match one, other:
        case Call(first, (a,)), Call(second, (c,)) if first.name == second.name == "sigmoid":
            if _are_opposite(a, c):
                return None
            both = b.add(b.mul(one, b.call("sigmoid", b.neg(c))), b.mul(other, b.call("sigmoid", b.neg(a))))
            return b.mul(_half_tanh(a, c), both)
        case Gather(whole, axis, index), Gather(same, _, second) if whole is same and _is_softmax_along(whole, axis):
            (x,) = whole.children
            return b.mul(_half_tanh(Gather(x, axis, index), Gather(x, axis, second)), b.add(one, other))
    return None


def _is_softmax_along(whole: Expr, axis: Axis) -> bool:
    return isinstance(whole, Along) and whole.op.name == "softmax" and whole.over == frozenset({axis})


def _half_tanh(a: Expr, c: Expr) -> Expr:
    """tanh of half the distance, which is 0 between infinite logits, as masks have them."""
    apart = b.where(b.call("eq", a, c), b.ZERO, b.sub(a, c))
    return b.call("tanh", b.mul(NEAR, apart))


def _are_opposite(a: Expr, c: Expr) -> bool:
    return b.neg(a) is c or b.neg(c) is a

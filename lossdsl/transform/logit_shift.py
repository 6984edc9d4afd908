"""Losses that a shift of all logits does not change: proved by the coefficients of a sum, written without the shift.

`logsumexp(x) - 0.9*x[t] - 0.1*mean(x)` is the same for x and x + c, since each term moves by its coefficient times c,
and the coefficients sum to 0. So x may be log_softmax(x) in every term, whose logsumexp is 0: logits around 1e6 lose no
digits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction
from functools import reduce

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Expr, Gather, Length, Reduce
from lossdsl.ir.op import Op
from lossdsl.ir.traversal import within
from lossdsl.ir.whole import along
from lossdsl.transform.gathered import opened_terms, with_elements
from lossdsl.transform.sums import Terms

Combination = dict[Expr, Fraction]
"""A sum of expressions with exact coefficients; that of `b.ONE` is the constant."""


def without_shift(terms: Terms, units: Collection[Expr]) -> Terms | None:
    """The terms with log_softmax in place of the logits of a logsumexp among them; None if a shift would change them.

    `units` are the inputs whose elements sum to 1.
    """
    totals = {(total.arg, total.over): None for _, term in terms if (total := _weighed(term)[1]) is not None}
    if not totals:
        return None
    whole = _without_one(with_elements(terms, totals), units)
    opened = opened_terms(terms) if whole is None else terms
    return _without_one(with_elements(opened, totals), units) if opened != terms else whole


def _without_one(terms: Terms, units: Collection[Expr]) -> Terms | None:
    for place, (sign, term) in enumerate(terms):
        weight, total = _weighed(term)
        if total is None:
            continue
        moved = scaled(combination(weight), Fraction(sign))
        found = _unmoved([*terms[:place], *terms[place + 1 :]], total, moved, units)
        if found is not None:
            return found
    return None


def _unmoved(terms: Terms, total: Reduce, moved: Combination, units: Collection[Expr]) -> Terms | None:
    """Terms with log_softmax in place of logits, if a shift of these, by which something has moved, takes it back."""
    logits, share = total.arg, along("log_softmax", total.arg, total.over)
    weights = along("softmax", total.arg, total.over)
    found: Terms = []
    for sign, element in terms:
        if b.varies_with(element, (logits,)):
            by = _moves(element, logits, total.over, units)
            if by is None:
                return None
            moved = added(moved, scaled(by, Fraction(sign)))
            unmoved = b.substitute(element, {logits: share})
            element = b.substitute(unmoved, {along("softmax", share, total.over): weights})
        found.append((sign, element))
    return None if any(moved.values()) else found


def _weighed(term: Expr) -> tuple[Expr, Reduce | None]:
    """A logsumexp and what multiplies it."""
    if isinstance(term, Reduce) and term.op.name == "logsumexp":
        return b.ONE, term
    if isinstance(term, Call) and term.op.name == "mul":
        for weight, total in (term.args, term.args[::-1]):
            is_total = isinstance(total, Reduce) and total.op.name == "logsumexp"
            if is_total and isinstance(total, Reduce) and not b.varies_with(weight, (total.arg,)):
                return weight, total
    return b.ONE, None


def _moves(term: Expr, logits: Expr, over: Axes, units: Collection[Expr]) -> Combination | None:
    """By how much a term grows where all logits grow by 1; None if that is no constant."""
    if term is logits:
        return {b.ONE: Fraction(1)}
    match term:
        case Along(op, (arg,)) if op.name in ("softmax", "log_softmax") and arg is logits:
            return {}
        case Gather(arg) if arg is logits:
            return {b.ONE: Fraction(1)}
        case Reduce(op, arg, axes) if (op.is_between or op.name == "logsumexp") and axes <= over:
            return _moves(arg, logits, over, units)
        case Reduce(op, arg, axes) if op.name == "sum" and axes == over:
            return _of_sum(arg, logits, over, units)
        case Call(op) if op.signs:
            return _of_terms(term, logits, over, units)
        case Call(op) if op.name in ("mul", "div"):
            return _of_multiple(term, logits, over, units)
    return None


def _of_terms(term: Call, logits: Expr, over: Axes, units: Collection[Expr]) -> Combination | None:
    """By how much a sum or negative grows."""
    moves = [_moves(arg, logits, over, units) if b.varies_with(arg, (logits,)) else {} for arg in term.args]
    parts = [part for part in moves if part is not None]
    return _signed_sum(term, parts) if len(parts) == len(moves) else None


def _signed_sum(node: Call, parts: Iterable[Combination]) -> Combination:
    """What a sum, difference or negative comes to, whose terms are `parts`."""
    return reduce(added, (scaled(part, Fraction(sign)) for sign, part in zip(node.op.signs, parts, strict=True)))


def _of_multiple(term: Call, logits: Expr, over: Axes, units: Collection[Expr]) -> Combination | None:
    """By how much a product or quotient grows, of which one side has the logits, and the other none of their axes."""
    one, other = term.args
    if term.op.name == "mul" and b.varies_with(other, (logits,)):
        one, other = other, one
    if b.varies_with(other, (logits,)) or other.axes & over:
        return None
    inner = _moves(one, logits, over, units)
    factor = other if term.op.name == "mul" else b.div(b.ONE, other)
    return None if inner is None else times(inner, factor)


def _of_sum(arg: Expr, logits: Expr, over: Axes, units: Collection[Expr]) -> Combination | None:
    """By how much `sum(w*x)` grows: by the sum of the weights."""
    if not (isinstance(arg, Call) and arg.op.name == "mul"):
        return None
    for weight, element in (arg.args, arg.args[::-1]):
        if element is logits and (weight is along("softmax", logits, over) or not b.varies_with(weight, (logits,))):
            return _total(weight, over, units)
    return None


def _total(weight: Expr, over: Axes, units: Collection[Expr]) -> Combination | None:
    """The sum of weights along axes, where it is known."""
    if weight in units or (isinstance(weight, Along) and weight.op.name == "softmax" and weight.over == over):
        return {b.ONE: Fraction(1)}
    match weight:
        case Call(Op("div"), (above, Length(_, axes))) if axes == over and not above.axes & over:
            return combination(above)
        case Call(Op("add" | "sub" as name), (one, other)):
            first, second = _total(one, over, units), _total(other, over, units)
            if first is None or second is None:
                return None
            return added(first, scaled(second, Fraction(1 if name == "add" else -1)))
        case Call(Op("mul"), (one, other)) if not one.axes & over or not other.axes & over:
            factor, rest = (other, one) if one.axes & over else (one, other)
            inner = _total(rest, over, units)
            return None if inner is None else times(inner, factor)
    return None


# --- sums with exact coefficients -----------------------------------------------------------------------------------


def combination(expr: Expr) -> Combination:
    """An expression as a sum of others with exact coefficients."""
    found: Combination = {}
    weights = {expr: Fraction(1)}
    for node in reversed(within(expr, lambda one: bool(_terms(one)))):  # each once, in a tower of sums of sums too
        if node not in weights:
            continue  # a factor
        by, value = weights[node], b.exact(node)
        terms = _terms(node)
        for coefficient, part in terms:
            weights[part] = weights.get(part, Fraction(0)) + by * coefficient
        if value is not None:
            found[b.ONE] = found.get(b.ONE, Fraction(0)) + by * value
        elif not terms:
            found[node] = by
    return dict(reversed(found.items()))


def _terms(node: Expr) -> list[tuple[Fraction, Expr]]:
    """What a sum, a multiple or a part adds up, with coefficients; nothing for any other node, and for a number."""
    if not isinstance(node, Call) or b.exact(node) is not None:
        return []
    if node.op.signs:
        return [(Fraction(sign), arg) for sign, arg in zip(node.op.signs, node.args, strict=True)]
    if node.op.name == "mul":
        pairs = [(b.exact(factor), rest) for factor, rest in (node.args, node.args[::-1])]
        return [(by, rest) for by, rest in pairs if by is not None][:1]
    if node.op.name == "div" and (by := b.exact(node.args[1])):
        return [(1 / by, node.args[0])]
    return []


def scaled(one: Combination, by: Fraction) -> Combination:
    return {part: coefficient * by for part, coefficient in one.items()}


def added(one: Combination, other: Combination) -> Combination:
    return {part: one.get(part, Fraction(0)) + other.get(part, Fraction(0)) for part in {**one, **other}}


def times(one: Combination, factor: Expr) -> Combination:
    found: Combination = {}
    for part, coefficient in one.items():
        found = added(found, scaled(combination(factor if part is b.ONE else b.mul(part, factor)), coefficient))
    return found

"""Elements of a whole, however they are written: `2*x[t]` is the element t of `2*x`, and so is `y[t]` of y = 2*x."""

from __future__ import annotations

from collections.abc import Callable, Collection

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes, Axis
from lossdsl.ir.expr import Along, Call, Expr, Gather, Position, Reduce, Rename, walk
from lossdsl.ir.whole import along
from lossdsl.transform.canonical import canonical
from lossdsl.transform.sums import FEW, Terms, coefficient, less, summands, summed, without_term

_LONG = 64
"""How many nodes an expression has, at most, that is compared with the elements of another."""


def element_of(part: Expr, whole: Expr, over: Axes) -> Gather | None:
    """`whole[i]`, if `part` is that; None if it is no element of the whole along the one axis of `over`."""
    if len(over) != 1 or not over <= whole.axes or over & part.axes:
        return None
    (axis,) = over
    if isinstance(part, Gather) and part.arg is whole and part.axis == axis:
        return part
    if _is_long(part) or _is_long(whole):
        return None
    alike = _opened(part)
    for index in _indices(part, whole, axis):
        if _read(whole, axis, index) is alike:
            return Gather(whole, axis, index)
    return None


def reads(part: Expr, whole: Expr, over: Axes) -> Callable[[Expr], Expr] | None:
    """How `part` is read from `whole`, to read it from something else: as all of it, or as an element."""
    if part is whole:
        return lambda other: other
    found = element_of(part, whole, over)
    return None if found is None else lambda other: Gather(other, found.axis, found.index)


def without_part(total: Expr, part: Expr) -> Expr | None:
    """A sum without one of its terms, or without an element of an aggregate among them; None if it has no such."""
    found = without_term(total, part)
    terms = summands(total, FEW) if found is None else []
    for sign, term in terms:
        if sign > 0 and isinstance(term, Reduce) and term.op.name == "sum":
            others = _others(part, term.arg, term.over)
            if others is not None:
                return summed([(1, others), *[one for one in terms if one[1] is not term]])
    return found


def _others(part: Expr, whole: Expr, over: Axes) -> Expr | None:
    """The sum of the elements of a whole but for that which `part` is, or, for each of its elements, but for this."""
    if part is whole:
        return along("others", whole, over) if len(over) == 1 else None
    element = element_of(part, whole, over)
    if element is None:
        return None
    is_other = b.call("ne", Position(element.axis), element.index)
    return b.total(b.where(is_other, whole, b.ZERO), over)


def with_elements(terms: Terms, wholes: Collection[tuple[Expr, Axes]]) -> Terms:
    """The terms of a sum with multiples of elements of some wholes written as such."""
    for whole, over in wholes:
        if len(over) == 1 and over <= whole.axes and not _is_long(whole):
            terms = _with_sums([(sign, _as_multiple(term, whole, *over)) for sign, term in terms], whole, *over)
    return terms


def _as_multiple(term: Expr, whole: Expr, axis: Axis) -> Expr:
    if axis in term.axes or _is_long(term):
        return term
    for index in _indices(term, whole, axis):
        read, element = _read(whole, axis, index), Gather(whole, axis, index)
        product, *alike = canonical((_opened(term), read, b.neg(read)))
        for one, found in zip(alike, (element, b.neg(element)), strict=True):
            weight = coefficient(product, one)
            if weight is not None:
                return b.mul(weight, found)
    return term


def _with_sums(terms: Terms, whole: Expr, axis: Axis) -> Terms:
    """The terms with the elements of the terms of a whole, `x[t]` and `c[t]` of `x + c`, as its element."""
    if not (isinstance(whole, Call) and whole.op.signs):
        return terms
    for index in dict.fromkeys(index for _, term in terms for index in _indices(term, whole, axis)):
        read = _read(whole, axis, index)
        for sign in (1, -1):
            left = less(terms, [(sign, read)])
            if left is not None:
                terms = [*left, (sign, Gather(whole, axis, index))]
    return terms


def opened_terms(terms: Terms) -> Terms:
    """The terms of a sum with an element of a sum as the elements of its terms, and without those that cancel then."""
    found: Terms = []
    for sign, term in terms:
        is_sum = isinstance(term, Gather) and isinstance(term.arg, Call) and bool(term.arg.op.signs)
        for inner, part in summands(_opened(term)) if is_sum and not _is_long(term) else [(1, term)]:
            if (-sign * inner, part) in found:
                found.remove((-sign * inner, part))
            else:
                found.append((sign * inner, part))
    return found


def _is_long(expr: Expr) -> bool:
    return sum(1 for _, _ in zip(walk(expr), range(_LONG + 1), strict=False)) > _LONG


def _indices(part: Expr, whole: Expr, axis: Axis) -> list[Expr]:
    """At which positions of an axis something may be read: those of its elements, and its own beside other samples."""
    found = [node.index for node in walk(part) if isinstance(node, Gather) and node.axis == axis]
    own = [node.old for node in walk(whole) if isinstance(node, Rename) and node.new == axis]
    return list(dict.fromkeys([*found, *(Position(old) for old in own if old in part.axes)]))


def _opened(expr: Expr) -> Expr:
    """The expression with elements read first, and then what is made of them."""

    def change(node: Expr) -> Expr:
        return _read(node.arg, node.axis, node.index) if isinstance(node, Gather) else node

    return b.mapped((expr,), change)[0]


def _read(whole: Expr, axis: Axis, index: Expr) -> Expr:
    """An element of a whole, by the elements of what it is made of."""
    if axis not in whole.axes:
        return whole
    match whole:
        case Rename(arg, old, new) if new == axis and index is Position(old) and not whole.is_diagonal:
            return arg
        case Call(op, args):
            return b.call(op.name, *(_read(arg, axis, index) for arg in args))
        case Reduce() | Along() if not whole.over & (index.axes | {axis}):  # which would take the index for its own
            return whole.rebuilt(tuple(_read(child, axis, index) for child in whole.children))
    return Gather(whole, axis, index)

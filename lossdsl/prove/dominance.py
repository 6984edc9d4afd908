"""What an aggregate says of its elements: `max(u) >= u[i]`, `logsumexp(u) >= max(u)`, `norm(u) >= abs(u[i])`.

Nor is it below their mean, unless it is the least of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.bounds import INF, REALS, Bounds
from lossdsl.ir.expr import Call, Const, Expr, Gather, Reduce, Rename
from lossdsl.ir.ops import AGGREGATES
from lossdsl.prove.rational_field import RationalFunction, TooLarge, atoms_in, rational
from lossdsl.prove.rational_functions import NormalForms


def dominated(form: RationalFunction, forms: NormalForms) -> Bounds | None:
    """The bounds of a multiple of `aggregate - element`, up to a number: `logsumexp(u) - u[i]` is at least 0."""
    if not form.is_polynomial:
        return None
    found = REALS
    for place in atoms_in(form.top):
        node = forms.atoms[place]  # an aggregate is the same for every position along its axes
        times = form.top.derivative(place)
        if not times.is_constant():
            continue
        size = rational(times.leading_coefficient())
        for element, least in _never_beyond(node, form, forms):
            rest = None
            with suppress(TooLarge):
                gap = forms.mul(forms.number(size), forms.sub(forms.atom(place), element))
                rest = forms.sub(form, gap).value
            if rest is not None:
                above = (size > 0) == least
                found = found.meet(Bounds(Fraction(rest), INF) if above else Bounds(-INF, Fraction(rest)))
    return None if found == REALS else found


def _never_beyond(node: Expr, form: RationalFunction, forms: NormalForms) -> Iterator[tuple[RationalFunction, bool]]:
    """Forms that an atom is never below, each with True, or never above, with False."""
    vector = vector_of(node)
    near = [forms.atoms[place] for place in atoms_in(form.top)]
    met = {other.op.name for other in near if isinstance(other, Call | Reduce)}
    if vector is not None:
        for element in _elements(vector.arg, vector.over, form, forms):
            yield element, True
            yield forms.negative(element), True
        if "abs" in met:
            with suppress(TooLarge):
                yield forms.of(b.call("abs", vector.arg)), True
    if isinstance(node, Reduce) and node.op.name in ("max", "min", "logsumexp"):
        for element in _elements(node.arg, node.over, form, forms):
            yield element, node.op.name != "min"
        between = {"logsumexp": ("max", "mean"), "max": ("mean",), "min": ("mean",)}[node.op.name]
        for other in met.intersection(between):
            with suppress(TooLarge):
                yield forms.of(Reduce(AGGREGATES[other], node.arg, node.over)), node.op.name != "min"


@dataclass(frozen=True)
class Vector:
    """The elements of a vector, and the axes along which they lie."""

    arg: Expr
    over: Axes


def vector_of(node: Expr) -> Vector | None:
    """The vector of which an expression is the length, or at least the length, by its form; None if it is none.

    `where(norm(u) != 0, norm(u), 1)`, by which a vector is divided that may be 0, is not below its elements either.
    """
    match node:
        case Call(op, (Reduce(total, Call(power, (inner, Const(value))), over),)):
            is_norm = op.name == "sqrt" and total.name == "sum" and power.name == "pow" and value == 2
            return Vector(inner, over) if is_norm else None
        case Call(choice, (Call(above, (length, Const(end))), Call() as same, Const(other))):
            is_guarded = choice.name == "where" and above.name == "ne" and length is same and end == 0 <= other
            return vector_of(same) if is_guarded else None
    return None


def _elements(arg: Expr, over: Axes, form: RationalFunction, forms: NormalForms) -> Iterator[RationalFunction]:
    """The forms of elements over which an aggregate goes: any of them, and those that a form reads at a position."""
    with suppress(TooLarge):
        yield forms.of(arg)
    for place in atoms_in(form.top):
        other = forms.atoms[place]
        if _picks(other, arg, over):
            with suppress(TooLarge):
                yield forms.of(other.rebuilt((arg, *other.children[1:])))


def _picks(other: Expr, arg: Expr, over: Axes) -> bool:
    """Whether something is read at one position along an axis of an aggregate: by a label, or at the sample itself."""
    if isinstance(other, Gather):
        return other.axis in over
    if not isinstance(other, Rename) or other.old not in over or other.old not in arg.axes:
        return False
    return (other.old.domain, other.old.cut, other.old.size) == (other.new.domain, other.new.cut, other.new.size)

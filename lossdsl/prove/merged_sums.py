"""Bounds of a normal form in which there are sums: those over the same axes are one, and a share of a whole is below 1.

`sum(t) + sum(x) - sum(t*x)` is the sum of `t + x - t*x`, which for numbers between 0 and 1 is not negative, though no
bound of the three sums by themselves says so. The quotient of what is so found to be a part and its whole lies between
0 and 1, as the overlap of two masks does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.bounds import NEGATIVE, NONNEGATIVE, NONPOSITIVE, POSITIVE, REALS, Bounds, point
from lossdsl.ir.expr import Expr, Reduce
from lossdsl.prove.dominance import dominated, vector_of
from lossdsl.prove.rational_field import RationalFunction, TooLarge, atoms_in, rational
from lossdsl.prove.rational_functions import NormalForms

BoundsOf = Callable[[Expr], Bounds]


def has_sums(form: RationalFunction, forms: NormalForms) -> bool:
    """Whether a form has sums, or means, or lengths of vectors among its atoms."""
    used = {forms.atoms[place] for part in (form.top, form.bottom) for place in atoms_in(part)}
    return any(_is_sum(atom) or vector_of(atom) is not None for atom in used)


def merged(form: RationalFunction, forms: NormalForms, bounds_of: BoundsOf) -> Bounds:
    """The bounds of a form, wherever it has a value."""

    def of(polynomial: Any) -> Bounds:
        return _of_polynomial(polynomial, forms, bounds_of)

    if form.is_polynomial:
        return of(form.top)
    bottom = of(form.bottom)
    if not (bottom.is_nonnegative or bottom.is_nonpositive):
        return REALS
    # Where it has a value the bottom is not 0, so that a sign that is only not the other one is one.
    turn = -1 if bottom.is_nonpositive else 1
    found = REALS
    for end in (Fraction(0), Fraction(1), Fraction(-1)):
        rest = of(turn * (form.top - _multiple(form.bottom, end)))
        for side, known in ((NONNEGATIVE, rest.is_nonnegative), (NONPOSITIVE, rest.is_nonpositive)):
            found = found.meet(side + point(end)) if known else found
        for side, known in ((POSITIVE, rest.is_positive), (NEGATIVE, rest.is_negative)):
            found = found.meet(side + point(end)) if known else found
    return found


def _multiple(polynomial: Any, times: Fraction) -> Any:
    return polynomial * int(times)


def _of_polynomial(polynomial: Any, forms: NormalForms, bounds_of: BoundsOf) -> Bounds:
    """The bounds of a polynomial, term by term, where sums over the same axes are one term."""
    groups: dict[Any, list[tuple[Fraction, Reduce]]] = {}
    found = point(Fraction(0))
    for powers, coefficient in polynomial.to_dict().items():
        size, used = rational(coefficient), [(forms.atoms[p], int(n)) for p, n in enumerate(powers) if n]
        if len(used) == 1 and used[0][1] == 1 and isinstance(used[0][0], Reduce) and _is_sum(used[0][0]):
            node = used[0][0]
            groups.setdefault((node.op.name, node.over), []).append((size, node))
            continue
        term = point(size)
        for atom, power in used:
            term = term * bounds_of(atom).power(point(Fraction(power)))
        found = found + term
    for members in groups.values():
        found = found + _of_sums(members, forms, bounds_of)
    known = dominated(forms.of_polynomial(polynomial), forms)
    return found if known is None else found.meet(known)


def _of_sums(members: list[tuple[Fraction, Reduce]], forms: NormalForms, bounds_of: BoundsOf) -> Bounds:
    """The bounds of multiples of sums over the same axes."""
    found = point(Fraction(0))
    for size, node in members:
        found = found + point(size) * bounds_of(node)
    if len(members) == 1:
        return found
    (first, node), *rest = members
    inner = b.mul(b.const(first), node.arg)
    for size, other in rest:
        inner = b.add(inner, b.mul(b.const(size), other.arg))
    elements = bounds_of(inner)
    with suppress(TooLarge):
        elements = elements.meet(bounds_of(forms.expr(forms.of(inner))))  # in factors: a square is seen to be one
    return found.meet(node.op.bounds(elements))


def _is_sum(node: Expr) -> bool:
    """Whether it adds up what varies along each axis, so that the numbers that two of them add up are as many."""
    return isinstance(node, Reduce) and node.op.name in ("sum", "mean") and node.over <= node.arg.axes

"""What an aggregate says of its elements: `max(u) >= u[i]`, `logsumexp(u) >= max(u)`, and the same for `min`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

from lossdsl.ir.bounds import INF, Bounds
from lossdsl.ir.expr import Expr, Gather, Reduce
from lossdsl.prove.rational_functions import NormalForms, RationalFunction, TooLarge, atoms_in, rational


def dominated(form: RationalFunction, forms: NormalForms) -> Bounds | None:
    """The bounds of a multiple of `aggregate - element`, up to a number: `logsumexp(u) - u[i]` is at least 0."""
    if not form.is_polynomial:
        return None
    for place in atoms_in(form.top):
        node = forms.atoms[place]
        if not isinstance(node, Reduce) or node.op.name not in ("max", "min", "logsumexp"):
            continue
        times = form.top.derivative(place)
        if not times.is_constant():
            continue
        size = rational(times.leading_coefficient())
        side = size if node.op.name != "min" else -size
        for element in _elements(node, form, forms):
            try:
                gap = forms.mul(forms.number(size), forms.sub(forms.atom(place), element))
                rest = forms.sub(form, gap).value
            except TooLarge:
                continue
            if rest is not None:
                return Bounds(Fraction(rest), INF) if side > 0 else Bounds(-INF, Fraction(rest))
    return None


def _elements(node: Reduce, form: RationalFunction, forms: NormalForms) -> Iterator[RationalFunction]:
    """The forms of what is never beyond an aggregate: its elements, and `max` for `logsumexp`."""
    with suppress(TooLarge):
        yield forms.of(node.arg)
    for place in atoms_in(form.top):
        if _is_within(forms.atoms[place], node):
            yield forms.atom(place)


def _is_within(other: Expr, node: Reduce) -> bool:
    if isinstance(other, Gather):
        return other.arg is node.arg and other.axis in node.over
    is_max = isinstance(other, Reduce) and other.op.name == "max" and node.op.name == "logsumexp"
    return is_max and other.arg is node.arg and other.over == node.over  # type: ignore[attr-defined]

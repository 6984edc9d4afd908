"""Square roots that are rational multiples of one another: `sqrt(1 + (e/c)^2)` is `sqrt(c^2 + e^2)/c` where c > 0."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

from lossdsl.ir.expr import Call
from lossdsl.prove.rational_field import RationalFunction, TooLarge, atoms_in, context, factored, plain, rational
from lossdsl.prove.rational_functions import NormalForms

Sign = Callable[[RationalFunction], "tuple[int, bool] | None"]
"""The sign of a form wherever it is looked at, or None where it is not known."""


def vanishes(form: RationalFunction, forms: NormalForms, sign: Sign) -> bool:
    """Whether a form is 0 wherever it has a value, by what its roots are to each other."""
    for place in _roots(form, forms):
        whole = _root(forms.arguments[place][0], forms)
        form = _put(form, forms, place, whole, sign)
    for place, other in itertools.combinations(_roots(form, forms), 2):
        with suppress(TooLarge):
            ratio = _root(forms.div(forms.arguments[place][0], forms.arguments[other][0]), forms)
            form = _put(form, forms, place, ratio, sign, forms.atom(other))
    return form.is_zero


def _roots(form: RationalFunction, forms: NormalForms) -> Iterator[int]:
    for place in atoms_in(form.top):
        node = forms.atoms[place]
        if isinstance(node, Call) and node.op.name == "sqrt" and place in forms.arguments:
            yield place


def _put(
    form: RationalFunction,
    forms: NormalForms,
    place: int,
    size: RationalFunction | None,
    sign: Sign,
    times: RationalFunction | None = None,
) -> RationalFunction:
    """The form with `abs(size)*times` in the place of a root, if the sign of that is known."""
    known = None if size is None else sign(size)
    if size is None or known is None:
        return form
    size = size if known[0] >= 0 else forms.negative(size)
    other = size if times is None else forms.mul(size, times)
    found = forms.number(0)
    for powers, coefficient in form.top.to_dict().items():
        term = forms.number(rational(coefficient))
        for one in (one for one, power in enumerate(powers) if power):
            term = forms.mul(term, forms.power(other if one == place else forms.atom(one), int(powers[one])))
        found = forms.add(found, term)
    return found


def _root(form: RationalFunction, forms: NormalForms) -> RationalFunction | None:
    """A rational function of which a form is the square; None if there is none."""
    top, bottom = _square_root(form.top), _square_root(form.bottom)
    if top is None or bottom is None:
        return None
    return forms.div(forms.of_polynomial(top), forms.of_polynomial(bottom))


def _square_root(polynomial: Any) -> Any | None:
    scale, factors = factored(polynomial)
    size = rational(scale)
    tops = math.isqrt(size.numerator) if size > 0 else 0, math.isqrt(size.denominator)
    if tops[0] ** 2 != size.numerator or tops[1] ** 2 != size.denominator or any(power % 2 for _, power in factors):
        return None
    found = context().constant(plain(Fraction(*tops)))
    for factor, power in factors:
        found *= factor ** (int(power) // 2)
    return found

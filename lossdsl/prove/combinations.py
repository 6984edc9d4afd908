"""Whether a polynomial is a sum of products of nonnegative ones, with nonnegative coefficients.

Such a sum is looked for by the simplex method over exact fractions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lossdsl.prove.packed_polynomials import ONE, PackedPolynomial, Packing
from lossdsl.prove.rational_field import atoms_in
from lossdsl.prove.simplex import Simplex

if TYPE_CHECKING:
    from lossdsl.prove.certificates import Nonnegative

MAX_COLUMNS = 90
MAX_ROWS = 40


@dataclass(frozen=True)
class GivenSigns:
    """Polynomials that are known to be nonnegative, looked up by their texts."""

    key: tuple[tuple[str, bool], ...]
    known: tuple[Nonnegative, ...] = field(compare=False)


@dataclass(frozen=True)
class Question:
    """Whether a polynomial is a combination of products of others. It is asked again under other settings of a loss."""

    given: GivenSigns
    degree: int
    key: tuple[str, tuple[str, ...]]
    target: Any = field(compare=False)
    zeros: tuple[Any, ...] = field(compare=False)


@lru_cache(512)
def answer(question: Question) -> tuple[bool | None, int]:
    """The answer, and how much work it took."""
    return _combination(*_written(question))


def _writer(question: Question) -> Packing:
    polynomials = [question.target, *(one.polynomial for one in question.given.known), *question.zeros]
    most = max((int(power) for one in polynomials for power in one.degrees()), default=0)
    width = ((most + 1) * (question.degree + 1)).bit_length()  # of what is multiplied, the powers are added
    return Packing(max(16, width), question.target.context().nvars())


_Layer = dict[Any, tuple[PackedPolynomial, int]]
"""Products of as many factors, each with the place of its last factor."""


def _taller(layer: _Layer, factors: Sequence[PackedPolynomial], degree: int) -> _Layer:
    """The products of one factor more, up to a degree: factors in order, so that every product is made once."""
    found: _Layer = {}
    for product, first in layer.values():
        for place in range(first, len(factors)):
            if product.degree + factors[place].degree <= degree:
                made = product.times(factors[place])
                _, last = found.setdefault(made.key, (made, place))
                found[made.key] = (made, last) if made.strict else found[made.key]
    return found


@lru_cache(128)
def _products(given: GivenSigns, degree: int, write: Packing) -> tuple[list[PackedPolynomial], list[PackedPolynomial]]:
    """The polynomials that are given, and the products of some of them."""
    factors = [one.product(write) for one in given.known]
    products: dict[Any, PackedPolynomial] = {ONE.key: ONE}
    layer: _Layer = {ONE.key: (ONE, 0)}
    for _ in range(degree):
        taller = _taller(layer, factors, degree)
        layer = taller
        products |= {key: made for key, (made, _) in layer.items() if key not in products or made.strict}
        if len(products) > MAX_COLUMNS:
            break
    return factors, list(products.values())[:MAX_COLUMNS]


def _written(question: Question) -> tuple[PackedPolynomial, list[PackedPolynomial]]:
    """The polynomial that is asked for, and those of which it may be a combination."""
    write = _writer(question)
    factors, products = _products(question.given, question.degree, write)
    target = write.product(question.target)
    extra: list[PackedPolynomial] = []
    places = atoms_in(question.target)
    if target.degree >= 2:
        used = [write.gen(place) for place in places]
        names = [f"g{place}" for place in places]
        squares = [factor for factor in factors if factor.degree == 1]
        pairs = [(a, c) for a in range(len(used)) for c in range(len(used)) if names[a] < names[c]]
        linear = [*used, *squares[:4], *(used[a].less(used[c]) for a, c in pairs)]
        extra = [part.times(part).lax() for part in linear]
    for zero in question.zeros:
        whole = write.product(zero)
        for factor in (ONE, *(write.gen(place) for place in sorted({*atoms_in(zero), *places}))):
            product = whole.times(factor).lax()
            extra += [product, replace(product, terms={powers: -value for powers, value in product.terms.items()})]
    return target, _different([*products, *extra])[: 2 * MAX_COLUMNS]


def _different(products: Iterable[PackedPolynomial]) -> list[PackedPolynomial]:
    found: dict[Any, PackedPolynomial] = {}
    for product in products:
        key = product.key
        if key not in found or product.strict:
            found[key] = product
    return list(found.values())


def _of_use(target: PackedPolynomial, columns: Sequence[PackedPolynomial]) -> Sequence[PackedPolynomial]:
    """The columns that a combination may have: none with a monomial that the target lacks and no other takes away."""
    while True:
        signs: dict[int, set[bool]] = {}
        for column in columns:
            for powers, coefficient in column.terms.items():
                signs.setdefault(powers, set()).add(coefficient > 0)
        stuck = {powers for powers, met in signs.items() if len(met) == 1 and powers not in target.terms}
        left = [column for column in columns if stuck.isdisjoint(column.terms)]
        if len(left) == len(columns):
            return left
        columns = left


def _combination(target: PackedPolynomial, columns: Sequence[PackedPolynomial]) -> tuple[bool | None, int]:
    """Whether a polynomial is a combination of others, as `answer` has it, and the work that it took."""
    columns = _of_use(target, columns)
    monomials = sorted({powers for column in columns for powers in column.terms} | set(target.terms))
    reached = {powers for column in columns for powers in column.terms}
    if len(monomials) > MAX_ROWS or not reached.issuperset(target.terms):
        return None, 0
    below = math.lcm(target.below, *(column.below for column in columns))
    every = [(column.terms, below // column.below) for column in (*columns, target)]
    rows = []
    for powers in monomials:
        sign = -1 if target.terms.get(powers, 0) < 0 else 1
        rows.append([terms.get(powers, 0) * scale * sign for terms, scale in every])
    tableau = Simplex(rows, len(columns))
    found = None
    if tableau.is_feasible():
        found = tableau.can_raise([place for place, column in enumerate(columns) if column.strict])
    return found, (tableau.steps + 3) * len(rows) * len(columns)

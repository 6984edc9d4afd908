"""Polynomials with whole coefficients whose monomials are packed into whole numbers, so that products are quick."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lossdsl.prove.rational_field import rational


@dataclass(frozen=True)
class PackedPolynomial:
    """A polynomial with whole coefficients, by monomial, over a whole number; `strict` as of `Nonnegative`.

    A monomial is a whole number, the powers of the atoms one after the other: those of a product are added. That is
    much quicker for the small polynomials here than to ask flint for each product.
    """

    terms: Mapping[int, int]
    below: int
    degree: int
    strict: bool

    @cached_property
    def key(self) -> tuple[frozenset[tuple[int, int]], int]:
        return frozenset(self.terms.items()), self.below

    def times(self, other: PackedPolynomial) -> PackedPolynomial:
        terms: dict[int, int] = {}
        for powers, coefficient in self.terms.items():
            for more, factor in other.terms.items():
                terms[powers + more] = terms.get(powers + more, 0) + coefficient * factor
        return _reduced(terms, self.below * other.below, self.degree + other.degree, self.strict and other.strict)

    def less(self, other: PackedPolynomial) -> PackedPolynomial:
        terms = {powers: coefficient * other.below for powers, coefficient in self.terms.items()}
        for powers, coefficient in other.terms.items():
            terms[powers] = terms.get(powers, 0) - coefficient * self.below
        return _reduced(terms, self.below * other.below, max(self.degree, other.degree), False)

    def lax(self) -> PackedPolynomial:
        return replace(self, strict=False)


def _reduced(terms: Mapping[int, int], below: int, degree: int, strict: bool) -> PackedPolynomial:
    common = math.gcd(below, *terms.values())
    return PackedPolynomial(
        {powers: value // common for powers, value in terms.items() if value}, below // common, degree, strict
    )


@dataclass(frozen=True)
class Packing:
    """Polynomials of flint's as products, with `width` bits for the power of each atom."""

    width: int
    count: int

    def gen(self, place: int) -> PackedPolynomial:
        # The first atom counts most, so that monomials are in the order of their powers.
        return PackedPolynomial({1 << self.width * (self.count - 1 - place): 1}, 1, 1, False)

    def product(self, polynomial: Any, *, strict: bool = False) -> PackedPolynomial:
        terms, below = {}, 1
        for powers, coefficient in polynomial.to_dict().items():
            packed = 0
            for power in powers:
                packed = packed << self.width | int(power)
            terms[packed] = rational(coefficient)
            below = math.lcm(below, terms[packed].denominator)
        wholes = {powers: value.numerator * (below // value.denominator) for powers, value in terms.items()}
        return PackedPolynomial(wholes, below, int(polynomial.total_degree()) if wholes else 0, strict)


ONE = PackedPolynomial({0: 1}, 1, 0, True)

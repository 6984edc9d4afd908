"""Signs of polynomials over a region, decided by certificates.

A polynomial is nonnegative wherever some others are if it is a sum of products of these with nonnegative coefficients
(Handelman 1988, Representing polynomials by positive linear functions on compact convex polyhedra, Pacific Journal of
Mathematics 132, doi:10.2140/pjm.1988.132.35). Such a sum is looked for by the simplex method over exact fractions, so
what is found is a proof; what is not found says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from lossdsl.ir.bounds import INF, Bounds
from lossdsl.prove.combinations import GivenSigns, Question, answer
from lossdsl.prove.packed_polynomials import PackedPolynomial, Packing
from lossdsl.prove.rational_field import atoms_in, factored, rational

MAX_DEGREE = 4


@dataclass(frozen=True)
class Nonnegative:
    """A polynomial that is at least 0 (`strict`: greater than 0) in a region."""

    polynomial: Any
    strict: bool = False
    _products: dict[Packing, PackedPolynomial] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def text(self) -> str:
        """The polynomial written out: equal ones alike. Polynomials of flint's have no hash."""
        return str(self.polynomial)

    @cached_property
    def atoms(self) -> frozenset[int]:
        return frozenset(atoms_in(self.polynomial))

    @cached_property
    def lax(self) -> Nonnegative:
        """The same without `strict`."""
        return Nonnegative(self.polynomial) if self.strict else self

    def product(self, write: Packing) -> PackedPolynomial:
        """It as one of the factors of products."""
        if write not in self._products:
            self._products[write] = write.product(self.polynomial, strict=self.strict)
        return self._products[write]


def half_line(polynomial: Any, *, strict: bool = False) -> Bounds:
    """Where a polynomial of degree 1 in one atom is at least 0, or greater."""
    terms = {sum(powers): rational(coefficient) for powers, coefficient in polynomial.to_dict().items()}
    end = -terms.get(0, Fraction(0)) / terms[1]
    return Bounds(end, INF, strict) if terms[1] > 0 else Bounds(-INF, end, False, strict)


EFFORT = 600_000
"""How many numbers the simplex method may touch for one loss, before it gives up."""


@dataclass
class Effort:
    """What is left of the work that may be done for one loss: counted, not timed, so that every machine agrees."""

    left: int = EFFORT


@dataclass(frozen=True)
class SemialgebraicSet:
    """Where some polynomials are nonnegative and others (`zeros`) are 0."""

    known: tuple[Nonnegative, ...] = ()
    zeros: tuple[Any, ...] = ()
    effort: Effort = field(default_factory=Effort, compare=False)

    def with_sign(self, polynomial: Any, sign: int) -> SemialgebraicSet:
        """The part of it where a polynomial is positive, zero or negative."""
        if sign == 0:
            return SemialgebraicSet(self.known, (*self.zeros, polynomial), self.effort)
        return SemialgebraicSet(
            (*self.known, Nonnegative(polynomial if sign > 0 else -polynomial, True)), self.zeros, self.effort
        )

    def closed(self) -> SemialgebraicSet:
        """With its edge."""
        return SemialgebraicSet(tuple(one.lax for one in self.known), self.zeros, self.effort)

    def __add__(self, other: SemialgebraicSet) -> SemialgebraicSet:
        return SemialgebraicSet((*self.known, *other.known), (*self.zeros, *other.zeros), self.effort)

    def about(self, atoms: Iterable[int]) -> SemialgebraicSet:
        """The conditions that are linked with some atoms."""
        wanted = set(atoms)
        zeros = [(zero, frozenset(atoms_in(zero))) for zero in self.zeros]
        linked = [*(one.atoms for one in self.known), *(used for _, used in zeros)]
        grown = True
        while grown:
            grown = False
            for used in linked:
                if not used <= wanted and used & wanted:
                    wanted |= used
                    grown = True
        return SemialgebraicSet(
            tuple(one for one in self.known if one.atoms <= wanted),
            tuple(zero for zero, used in zeros if used <= wanted),
            self.effort,
        )

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The conditions as text: equal sets of them alike."""
        return tuple((one.text, one.strict) for one in self.known), tuple(map(str, self.zeros))

    @cached_property
    def box(self) -> tuple[Mapping[int, Bounds], bool]:
        """The bounds of each atom by its own conditions of degree 1, and whether there are no other conditions."""
        found: dict[int, Bounds] = {}
        is_all = True
        conditions = [(one.polynomial, one.atoms, one.strict, False) for one in self.known]
        conditions += [(zero, frozenset(atoms_in(zero)), False, True) for zero in self.zeros]
        for polynomial, atoms, strict, is_zero in conditions:
            if len(atoms) != 1 or polynomial.total_degree() != 1:
                is_all = is_all and not atoms
                continue
            (place,) = atoms
            side = half_line(polynomial, strict=strict)
            if is_zero:
                end = side.low if side.low > -INF else side.high
                side = Bounds(end, end)
            found[place] = found.get(place, Bounds()).meet(side)
        return found, is_all

    @property
    def is_empty_box(self) -> bool:
        """Whether the bounds of some atom alone leave nothing of it."""
        return any(one.is_empty for one in self.box[0].values())

    def is_empty(self) -> bool:
        """Whether it is proved to hold no point."""
        if self.is_empty_box:
            return True
        if not self.known or self.box[1]:
            return False
        return self._combines(self.known[0].polynomial * 0, degree=2) is True

    def sign(self, polynomial: Any) -> tuple[int, bool] | None:
        """(1, strict) where it is proved nonnegative, (-1, strict) nonpositive, (0, False) zero; None if open."""
        if polynomial.is_zero():
            return 0, False
        scale, factors = factored(polynomial)
        sign, strict = (1 if scale > 0 else -1), True
        left = []
        for factor, exponent in factors:
            one = self._factor_sign(factor, even=int(exponent) % 2 == 0)
            if one is None:
                left.append(factor)
            else:
                sign, strict = sign * one[0], strict and one[1]
        if left:
            # What has no sign may have one together: 3 - e and 3 + e, where 9 - e^2 is known to be positive.
            one = self._whole_sign(math.prod(left)) if 1 < len(left) < sum(power for _, power in factors) else None
            if one is None:
                return self._whole_sign(polynomial)
            sign, strict = sign * one[0], strict and one[1]
        return (sign, strict) if sign else (0, False)

    def is_nonnegative(self, polynomial: Any) -> bool:
        found = self.sign(polynomial)
        return found is not None and found[0] >= 0

    def is_positive(self, polynomial: Any) -> bool:
        found = self.sign(polynomial)
        return found is not None and found == (1, True)

    def _factor_sign(self, factor: Any, *, even: bool) -> tuple[int, bool] | None:
        found = self._whole_sign(factor)
        if even:
            return (1, found is not None and found[1]) if found is None or found[0] else (0, False)
        return found

    def _whole_sign(self, polynomial: Any) -> tuple[int, bool] | None:
        region = self.about(atoms_in(polynomial))
        found = region._in_box(polynomial)
        if found is not None or (region.box[1] and polynomial.total_degree() == 1 and len(atoms_in(polynomial)) == 1):
            return found
        degree = min(max(polynomial.total_degree(), 1), MAX_DEGREE)
        for sign in (1, -1):
            strict = region._combines(polynomial * sign, degree=degree)
            if strict is not None:
                return sign, strict
        return None

    def _in_box(self, polynomial: Any) -> tuple[int, bool] | None:
        """The sign of a polynomial of degree 1 in one atom, by the bounds of the atom."""
        atoms = atoms_in(polynomial)
        if len(atoms) != 1 or polynomial.total_degree() != 1 or atoms[0] not in self.box[0]:
            return None
        bounds = self.box[0][atoms[0]]
        for sign in (1, -1):
            if bounds.within(half_line(polynomial * sign, strict=True)):
                return sign, True
            if bounds.within(half_line(polynomial * sign)):
                return sign, False
        return None

    def _combines(self, target: Any, *, degree: int) -> bool | None:
        """Whether `target` is a nonnegative combination of products; true if one of them may be positive."""
        if self.effort.left <= 0:
            return None
        given = GivenSigns(tuple((one.text, one.strict) for one in self.known), self.known)
        key = str(target), tuple(str(zero) for zero in self.zeros)
        found, work = answer(Question(given, degree, key, target, self.zeros))
        self.effort.left -= work
        return found

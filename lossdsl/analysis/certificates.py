"""Signs of polynomials over a region, decided by certificates.

A polynomial is nonnegative wherever some others are if it is a sum of products of these with nonnegative coefficients
(Handelman 1988, Representing polynomials by positive linear functions on compact convex polyhedra, Pacific Journal of
Mathematics 132, doi:10.2140/pjm.1988.132.35). Such a sum is looked for by the simplex method over exact fractions, so
what is found is a proof; what is not found says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from lossdsl.analysis.forms import atoms_in

MAX_COLUMNS = 90
MAX_ROWS = 40
MAX_DEGREE = 4
MAX_STEPS = 80
"""The most exchanges that the simplex method makes."""


@dataclass(frozen=True)
class Known:
    """A polynomial that is at least 0 (`strict`: greater than 0) in a region."""

    polynomial: Any
    strict: bool = False

    @cached_property
    def text(self) -> str:
        """The polynomial written out: equal ones alike. Polynomials of flint's have no hash."""
        return str(self.polynomial)

    @cached_property
    def terms(self) -> Mapping[tuple[int, ...], Any]:
        """The coefficients by the powers of the atoms."""
        found: Mapping[tuple[int, ...], Any] = self.polynomial.to_dict()
        return found


EFFORT = 600_000
"""How many numbers the simplex method may touch for one loss, before it gives up."""


@dataclass
class Effort:
    """What is left of the work that may be done for one loss: counted, not timed, so that every machine agrees."""

    left: int = EFFORT


@dataclass(frozen=True)
class Region:
    """Where some polynomials are nonnegative and others (`zeros`) are 0."""

    known: tuple[Known, ...] = ()
    zeros: tuple[Any, ...] = ()
    effort: Effort = field(default_factory=Effort, compare=False)

    def with_sign(self, polynomial: Any, sign: int) -> Region:
        """The part of it where a polynomial is positive, zero or negative."""
        if sign == 0:
            return Region(self.known, (*self.zeros, polynomial), self.effort)
        return Region((*self.known, Known(polynomial if sign > 0 else -polynomial, True)), self.zeros, self.effort)

    def closed(self) -> Region:
        """With its edge."""
        return Region(tuple(Known(one.polynomial) for one in self.known), self.zeros, self.effort)

    def __add__(self, other: Region) -> Region:
        return Region((*self.known, *other.known), (*self.zeros, *other.zeros), self.effort)

    def about(self, atoms: Iterable[int]) -> Region:
        """The conditions that are linked with some atoms."""
        wanted = set(atoms)
        known, zeros = list(self.known), list(self.zeros)
        grown = True
        while grown:
            grown = False
            for polynomial in [one.polynomial for one in known] + zeros:
                used = set(atoms_in(polynomial))
                if used & wanted and not used <= wanted:
                    wanted |= used
                    grown = True
        return Region(
            tuple(one for one in known if set(atoms_in(one.polynomial)) <= wanted),
            tuple(zero for zero in zeros if set(atoms_in(zero)) <= wanted),
            self.effort,
        )

    def is_empty(self) -> bool:
        """Whether it is proved to hold no point."""
        if not self.known:
            return False
        return self._combines(self.known[0].polynomial * 0, degree=2) is True

    def sign(self, polynomial: Any) -> tuple[int, bool] | None:
        """(1, strict) where it is proved nonnegative, (-1, strict) nonpositive, (0, False) zero; None if open."""
        if polynomial.is_zero():
            return 0, False
        scale, factors = polynomial.factor()
        sign, strict = (1 if scale > 0 else -1), True
        for factor, exponent in factors:
            one = self._factor_sign(factor, even=int(exponent) % 2 == 0)
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
        degree = min(max(polynomial.total_degree(), 1), MAX_DEGREE)
        for sign in (1, -1):
            strict = region._combines(polynomial * sign, degree=degree)
            if strict is not None:
                return sign, strict
        return None

    def _combines(self, target: Any, *, degree: int) -> bool | None:
        """Whether `target` is a nonnegative combination of products; true if one of them may be positive."""
        if self.effort.left <= 0:
            return None
        zeros = tuple(str(zero) for zero in self.zeros)
        key = (str(target), degree, tuple((one.text, one.strict) for one in self.known), zeros)
        found, work = _answer(_Question(key, target, degree, self.known, self.zeros))
        self.effort.left -= work
        return found


@dataclass(frozen=True)
class _Question:
    """Whether a polynomial is a combination of products of others. It is asked again under other settings of a loss."""

    key: tuple[Any, ...]
    target: Any = field(compare=False)
    degree: int = field(compare=False)
    known: tuple[Known, ...] = field(compare=False)
    zeros: tuple[Any, ...] = field(compare=False)


@lru_cache(512)
def _answer(question: _Question) -> tuple[bool | None, int]:
    """The answer, and how much work it took."""
    return _combination(question.target, _columns(question))


def _columns(question: _Question) -> list[Known]:
    target, degree, given = question.target, question.degree, question.known
    one = target * 0 + 1
    products: list[Known] = [Known(one, True)]
    layer = products
    for _ in range(degree):
        taller = []
        for product in layer:
            for factor in given:
                if product.polynomial.total_degree() + factor.polynomial.total_degree() <= degree:
                    taller.append(Known(product.polynomial * factor.polynomial, product.strict and factor.strict))
        layer = _different(taller)
        products = _different([*products, *layer])
        if len(products) > MAX_COLUMNS:
            products = products[:MAX_COLUMNS]
            break
    extra: list[Known] = []
    if target.total_degree() >= 2:
        gens = target.context().gens()
        used = [gens[place] for place in atoms_in(target)]
        squares = [one.polynomial for one in given if one.polynomial.total_degree() == 1]
        names = {place: str(gen) for place, gen in enumerate(used)}
        pairs = [(a, c) for a in names for c in names if names[a] < names[c]]
        linear = [*used, *squares[:4], *(used[a] - used[c] for a, c in pairs)]
        extra = [Known(part * part) for part in linear]
    for zero in question.zeros:
        gens = zero.context().gens()
        places = sorted({*atoms_in(zero), *atoms_in(target)})
        for factor in (one, *(gens[place] for place in places)):
            extra += [Known(zero * factor), Known(-zero * factor)]
    return _different([*products, *extra])[: 2 * MAX_COLUMNS]


def _different(products: Iterable[Known]) -> list[Known]:
    found: dict[str, Known] = {}
    for product in products:
        if product.text not in found or product.strict:
            found[product.text] = product
    return list(found.values())


def _combination(target: Any, columns: Sequence[Known]) -> tuple[bool | None, int]:
    from flint import fmpq

    parts = [column.terms for column in columns]
    goal = target.to_dict()
    monomials = sorted({powers for part in parts for powers in part} | set(goal))
    if len(monomials) > MAX_ROWS or any(all(powers not in part for part in parts) for powers in goal):
        return None, 0
    zero = fmpq(0)
    rows = []
    for powers in monomials:
        right = goal.get(powers, zero)
        sign = -1 if right < 0 else 1
        rows.append([part.get(powers, zero) * sign for part in parts] + [right * sign])
    tableau = _Simplex(rows, len(columns))
    found = None
    if tableau.is_feasible():
        found = tableau.can_raise([place for place, column in enumerate(columns) if column.strict])
    return found, (tableau.steps + 3) * len(rows) * len(columns)


class _Simplex:
    """The simplex method for `rows` of equations in nonnegative unknowns, by Bland's rule, over exact fractions."""

    def __init__(self, rows: list[list[Any]], count: int) -> None:
        from flint import fmpq

        self.zero = fmpq(0)
        self.rows = rows
        self.count = count
        self.basis = [-1 - place for place in range(len(rows))]  # artificial unknowns are negative numbers
        self.steps = 0
        self.costs: list[Any] = []

    def is_feasible(self) -> bool:
        """Phase one: whether the artificial unknowns can all be 0."""
        costs = [sum((row[place] for row in self.rows), self.zero) for place in range(self.count + 1)]
        self.costs = costs
        while self.costs[-1] != 0:
            enter = next((place for place in range(self.count) if self.costs[place] > 0), None)
            if enter is None or not self._exchange(enter):
                return False
        self.costs = [self.zero] * (self.count + 1)
        # An artificial unknown that is still in the basis is 0: it must stay so.
        for number, name in enumerate(self.basis):
            if name < 0:
                enter = next((place for place in range(self.count) if self.rows[number][place] != 0), None)
                if enter is not None:
                    self._pivot(number, enter)
        keep = [number for number, name in enumerate(self.basis) if name >= 0]
        self.rows = [self.rows[number] for number in keep]
        self.basis = [self.basis[number] for number in keep]
        return True

    def can_raise(self, wanted: list[int]) -> bool:
        """Phase two: whether one of the wanted unknowns can be positive."""
        targets = set(wanted)
        # The gain of one more of each unknown, in the sum of the wanted ones; a basic unknown has none.
        gains = [self.zero + (1 if place in targets else 0) for place in range(self.count)] + [self.zero]
        for row, name in zip(self.rows, self.basis, strict=True):
            if name in targets:
                gains = [gain - value for gain, value in zip(gains, row, strict=True)]
        self.costs = gains
        while self.costs[-1] == 0:  # minus the sum itself
            enter = next((place for place in range(self.count) if self.costs[place] > 0), None)
            if enter is None:
                return False
            if not any(row[enter] > 0 for row in self.rows):
                return True  # it can grow without bound
            if not self._exchange(enter):
                return False
        return True

    def _exchange(self, enter: int) -> bool:
        self.steps += 1
        if self.steps > MAX_STEPS:
            return False
        best, leave = None, -1
        for number, row in enumerate(self.rows):
            if row[enter] > 0:
                ratio = row[-1] / row[enter]
                if best is None or ratio < best or (ratio == best and self.basis[number] < self.basis[leave]):
                    best, leave = ratio, number
        if best is None:
            return False
        self._pivot(leave, enter)
        return True

    def _pivot(self, leave: int, enter: int) -> None:
        row = self.rows[leave]
        scale = row[enter]
        row = [value / scale if value != 0 else value for value in row]
        self.rows[leave] = row
        for number, other in enumerate(self.rows):
            if number != leave and other[enter] != 0:
                factor = other[enter]
                self.rows[number] = [a - factor * c if c != 0 else a for a, c in zip(other, row, strict=True)]
        if self.costs[enter] != 0:
            factor = self.costs[enter]
            self.costs = [a - factor * c if c != 0 else a for a, c in zip(self.costs, row, strict=True)]
        self.basis[leave] = enter

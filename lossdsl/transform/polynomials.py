"""Polynomials of probabilities by what each has and lacks: `3*p^2 - 2*p^3` is p^2*(p + 3*(1 - p)).

In Bernstein's form a polynomial on [0, 1] is a sum of powers of p and of 1 - p. Where no coefficient is negative, none
of it cancels, and what vanishes at an end is a factor of its own. Of what has no upper end, the powers themselves are
the form. Farouki, Rajan (1987), On the numerical condition of polynomials in Bernstein form, Computer Aided Geometric
Design 4(3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce as fold
from itertools import product
from math import gcd
from typing import TYPE_CHECKING

from lossdsl.ir import build as b
from lossdsl.ir.bounds import UNIT
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.transform.bernstein import HIGHEST, Polynomial, bernstein, by_rest, lines, plus, times, with_power
from lossdsl.transform.canonical import canonical
from lossdsl.transform.logit_shift import combination
from lossdsl.transform.scaled import NEAR, Scaled
from lossdsl.transform.sums import FEW, summands

if TYPE_CHECKING:
    from lossdsl.transform.log_domain import LogDomain

Pairs = tuple[tuple[int, int], ...]
"""The powers of each atom and of its rest."""

_ATOMS, _NODES = 3, 64
"""What is read as a polynomial: how many probabilities, and how many operations."""
_DEEP = 12
"""How deep its operations are nested."""
_LONG = 24
"""How many nodes an atom has."""
_ELEVATED = 4
"""By how much a degree is raised until no coefficient is negative."""


@dataclass(frozen=True)
class Atoms:
    """Probabilities or positive numbers that a polynomial is made of, each with 1 less it; 0 for what has no end."""

    own: tuple[Expr, ...]
    rests: tuple[Expr, ...]
    are_shares: tuple[bool, ...]

    def factors(self, powers: Pairs) -> list[tuple[Expr, int]]:
        """The bases of a product with their exponents."""
        pairs = zip(self.own, self.rests, powers, strict=True)
        return [one for atom, rest, (own, other) in pairs for one in ((atom, own), (rest, other)) if one[1]]

    def product(self, powers: Pairs) -> Expr:
        bases = [b.power(base, b.const(count)) for base, count in self.factors(powers)]
        return fold(b.mul, bases) if bases else b.ONE


@dataclass(frozen=True)
class Form:
    """`sign` times a product of powers times a sum of such products."""

    atoms: Atoms
    sign: int
    common: Pairs
    terms: tuple[tuple[Fraction, Pairs], ...]

    @property
    def vanishes(self) -> bool:
        """Whether the value is 0 where each atom is at one of its ends."""
        tops = [max(sum(powers[place]) for _, powers in self.terms) for place in range(len(self.common))]
        corners = set(product(*(((0, top), (top, 0)) for top in tops)))
        return any(map(any, self.common)) or not corners <= {powers for _, powers in self.terms}

    def total(self) -> Expr:
        """The sum."""
        return fold(b.add, (b.mul(b.const(weight), self.atoms.product(powers)) for weight, powers in self.terms))

    def value(self) -> Expr:
        """The whole."""
        found = b.mul(self.atoms.product(self.common), self.total())
        return found if self.sign > 0 else b.neg(found)


def form(expr: Expr, domain: LogDomain, least: int = 2) -> Form | None:
    """A sum that subtracts as a form that does not, if it vanishes at an end; None for any other.

    `least` is 2 for a power of one probability, 1 where products of different ones count as well, 0 for any.
    """
    read = _read(expr, domain, least) if _subtracts(expr, domain) else None
    found = None if read is None else _formed(*read)
    return found if found is not None and found.vanishes else None


def rest_of(share: Expr, domain: LogDomain) -> Expr | None:
    """1 less a polynomial, if that vanishes at an end."""
    if not (isinstance(share, Call) and (share.op.signs or share.op.name in ("mul", "div"))):
        return None
    read = _read(share, domain, 1)
    if read is None:
        return None
    atoms, polynomial = read
    found = _formed(atoms, plus(_one(atoms), polynomial, -1))
    return found.value() if found is not None and found.vanishes else None


def difference(one: Expr, other: Expr, domain: LogDomain) -> Form | None:
    """The difference of two polynomials, one of which at least has several terms, if it vanishes at an end."""
    if not any(isinstance(side, Call) and side.op.signs for side in (one, other)):
        return None
    return form(b.sub(one, other), domain, least=0)


def near(domain: LogDomain, above: Expr, below: Expr) -> tuple[Expr, Expr] | None:
    """Where a quotient of two polynomials is near 1, and its logarithm there."""
    found = difference(above, below, domain)
    if found is None:
        return None
    half, whole = (below, above) if found.sign > 0 else (above, below)
    is_near = b.call("gt", half, b.mul(NEAR, whole))
    return is_near, b.call("log1p", b.div(found.value(), below))


def scaled(domain: LogDomain, expr: Expr, least: int = 2) -> Scaled | None:
    """A polynomial that is near 0 or 1 at an end, by its logarithm; `least` as in `form`."""
    read = _read(expr, domain, least) if _subtracts(expr, domain) else None
    found = None if read is None else _formed(*read)
    if read is None or found is None:
        return None
    near = _near_one(expr, domain, *read) if found.sign > 0 else None
    if near is None and not found.vanishes:
        return None
    logs = [b.mul(b.const(count), domain.log_of(base)) for base, count in found.atoms.factors(found.common)]
    total = found.total()
    log = fold(b.add, logs if total is b.ONE else [*logs, domain.log_of(total)])
    return Scaled(b.const(found.sign), log if near is None else b.where(*near, log))


def _near_one(expr: Expr, domain: LogDomain, atoms: Atoms, polynomial: Polynomial) -> tuple[Expr, Expr] | None:
    """Where a polynomial is near 1, and its logarithm there, by its distance from 1 and the slopes of that."""
    apart = plus(polynomial, _one(atoms), -1)
    distance = _formed(atoms, apart)
    if distance is None:  # near an end that is a factor, what cancels elsewhere does not
        distance = _formed(atoms, apart, may_cancel=True)
        distance = distance if distance is not None and any(map(any, distance.common)) else None
    if distance is None or not distance.vanishes:
        return None
    total = distance.value()
    for place, atom in enumerate(atoms.own):
        total = b.call("via", total, atom, _slope(atoms, apart, place)) if place == 0 else b.add(
            total, b.call("via", b.ZERO, atom, _slope(atoms, apart, place)))  # fmt: skip
    is_near: Expr = b.call("gt", expr, NEAR)
    if not domain.known[expr].high <= 1:
        is_near = b.call("and", is_near, b.call("lt", expr, b.TWO))
    return is_near, b.call("log1p", total)


def _slope(atoms: Atoms, polynomial: Polynomial, place: int) -> Expr:
    """The derivative in one of the atoms; its sign may change between the ends."""
    derived = {
        with_power(powers, place, powers[place] - 1): weight * powers[place]
        for powers, weight in polynomial.items()
        if powers[place]
    }
    found = _formed(atoms, derived, may_cancel=True)
    assert found is not None or not derived
    return b.ZERO if found is None else found.value()


# --- reading --------------------------------------------------------------------------------------------------------


def _subtracts(expr: Expr, domain: LogDomain) -> bool:
    """Whether a sum has terms of both signs."""
    terms = summands(expr, FEW)
    if len(terms) < 2:
        return False
    bounds = [domain.known[term] for _, term in terms]
    signs = {
        sign * (1 if own.is_nonnegative else -1 if own.is_nonpositive else 0)
        for (sign, _), own in zip(terms, bounds, strict=True)
    }
    return len(signs) > 1 or 0 in signs


@dataclass
class _Reader:
    """Reads monomials as pairs of an atom's number and its power; `left` counts down what may still be looked at."""

    domain: LogDomain
    powers: dict[Expr, Fraction]
    left: int = _NODES
    depth: int = 0
    atoms: dict[Expr, int] = field(default_factory=dict)

    def read(self, expr: Expr) -> Polynomial | None:
        """The polynomial in the atoms that are known by then; the powers of later ones are left out."""
        self.left -= 1
        value = b.exact(expr)
        if value is not None:
            return {(): value} if value else {}
        if self.left < 0 or self.depth > _DEEP:
            return None
        self.depth += 1
        found = self._composed(expr) if isinstance(expr, Call) else None
        self.depth -= 1
        return found or self._atom(expr)

    def _atom(self, expr: Expr) -> Polynomial | None:
        known = self.domain.known[expr]
        if not known.is_nonnegative:
            return None
        if expr not in self.atoms:
            for one, place in self.atoms.items():
                if known.within(UNIT) and self.domain.complement(one, self.domain) is expr:
                    return {(): Fraction(1), (0,) * place + (1,): Fraction(-1)}
            self.atoms[expr] = len(self.atoms)
        return {(0,) * self.atoms[expr] + (1,): Fraction(1)} if len(self.atoms) <= _ATOMS else None

    def _composed(self, expr: Call) -> Polynomial | None:
        match expr.op.name, expr.args:
            case _ if expr.op.signs:
                total: Polynomial = {}
                for sign, arg in zip(expr.op.signs, expr.args, strict=True):
                    part = self.read(arg)
                    if part is None:
                        return None
                    total = plus(total, part, sign)
                return total
            case "mul", (one, other):
                return times(self.read(one), self.read(other))
            case "div", (above, below) if by := b.exact(below):
                return times(self.read(above), {(): 1 / by})
            case "pow", (base, exponent) if (count := b.exact(exponent)) in _COUNTS:
                return fold(times, [self.read(base)] * int(count or 0))
            case "expm1", (a,):
                inner = self.read(b.call("exp", a))
                return None if inner is None else plus(inner, {(): Fraction(1)}, -1)
            case "exp", (a,):
                unit, weight = _multiple(a)
                least = self.powers.get(unit) if unit is not None else None
                if unit is not None and least is not None and weight / least in _COUNTS:
                    return fold(times, [self._atom(b.call("exp", b.mul(b.const(least), unit)))] * int(weight / least))
            case (("tanh" | "erf"), (a,)):  # an odd function, as 2*F - 1 of the distribution function F
                factor = b.TWO if expr.op.name == "tanh" else b.call("sqrt", b.TWO)
                (share,) = canonical((b.mul(factor, a),))
                inner = self.read(b.call("sigmoid" if expr.op.name == "tanh" else "norm_cdf", share))
                return None if inner is None else plus(plus(inner, inner, 1), {(): Fraction(1)}, -1)
        return None


_COUNTS = frozenset(map(Fraction, range(2, HIGHEST + 1)))


def _exponentials(expr: Expr) -> dict[Expr, Fraction]:
    """Of exponentials of multiples of the same, the multiple of the one that all of them are powers of."""
    found: dict[Expr, Fraction] = {}
    for node, _ in zip(walk(expr), range(_NODES), strict=False):
        is_exponential = isinstance(node, Call) and node.op.name in ("exp", "expm1")
        base, weight = _multiple(node.children[0]) if is_exponential else (None, Fraction(0))
        if base is not None:
            found[base] = _common(found.get(base, weight), weight)
    return found


def _multiple(power: Expr) -> tuple[Expr | None, Fraction]:
    """A multiple of something as that and a number other than 0; None for a sum of several, and for nothing."""
    parts = [(part, weight) for part, weight in combination(power).items() if weight]
    return parts[0] if len(parts) == 1 else (None, Fraction(0))


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The largest number that two are whole multiples of; the first where they have different signs."""
    if one * other <= 0:
        return one
    whole = gcd(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(whole, one.denominator * other.denominator) * (1 if one > 0 else -1)


def _read(expr: Expr, domain: LogDomain, least: int) -> tuple[Atoms, Polynomial] | None:
    """The atoms of an expression and the polynomial in them; None if it is but a multiple of one, or of its rest."""
    reader = _Reader(domain, _exponentials(expr))
    found = reader.read(expr)
    atoms = tuple(reader.atoms)
    if found is None or max(map(max, filter(None, found)), default=0) < least:
        return None
    if (least and max(map(sum, found)) < 2) or (least == 2 and len(atoms) > 1):
        return None
    if not any(map(domain.is_made_of_exponentials, atoms)) or any(map(_is_long, atoms)):
        return None
    are_shares = tuple(domain.known[atom].within(UNIT) for atom in atoms)
    rests = tuple(
        (domain.complement(atom, domain) or b.sub(b.ONE, atom)) if is_share else b.ZERO
        for atom, is_share in zip(atoms, are_shares, strict=True)
    )
    full = {powers + (0,) * (len(atoms) - len(powers)): weight for powers, weight in found.items()}
    return (Atoms(atoms, rests, are_shares), full) if full else None


def _is_long(atom: Expr) -> bool:
    """Whether an atom is made of much; its rest and logarithms would be too, and those of what is made of it."""
    return sum(1 for _, _ in zip(walk(atom), range(_LONG + 1), strict=False)) > _LONG


def _one(atoms: Atoms) -> Polynomial:
    return {(0,) * len(atoms.own): Fraction(1)}


# --- the form -------------------------------------------------------------------------------------------------------


def _formed(atoms: Atoms, polynomial: Polynomial, *, may_cancel: bool = False) -> Form | None:
    """The form, whose sum is positive; with `may_cancel`, one in which it need not be counts as well."""
    if not polynomial:
        return None
    is_linear = len(atoms.own) > 1 and all(atoms.are_shares) and max(map(sum, polynomial)) == 1
    linear = _linear(atoms, polynomial) if is_linear else None
    if linear is not None:
        return linear
    common: list[tuple[int, int]] = []
    for place, is_share in enumerate(atoms.are_shares):
        own = min(powers[place] for powers in polynomial)
        polynomial = {with_power(powers, place, powers[place] - own): weight for powers, weight in polynomial.items()}
        other = 0
        while is_share and all(sum(line.values()) == 0 for line in lines(polynomial, place).values()):
            polynomial, other = by_rest(polynomial, place), other + 1
        common.append((own, other))
    for more in range(_ELEVATED):
        terms = _terms(atoms, polynomial, more)
        signs = {weight > 0 for weight, _ in terms}
        if len(signs) == 1 or may_cancel:
            sign = -1 if signs == {False} else 1
            return Form(atoms, sign, tuple(common), tuple((sign * weight, powers) for weight, powers in terms))
    return None


def _linear(atoms: Atoms, polynomial: Polynomial) -> Form | None:
    """A sum of multiples, by what each has or lacks: `p + q - 2` is -((1 - p) + (1 - q)); None if it is never 0."""
    weights = [
        polynomial.get(with_power((0,) * len(atoms.own), place, 1), Fraction(0)) for place in range(len(atoms.own))
    ]
    constant = polynomial.get((0,) * len(atoms.own), Fraction(0))
    for sign in (1, -1):
        if constant + sum(weight for weight in weights if weight * sign < 0) == 0:
            none: Pairs = ((0, 0),) * len(weights)
            terms = [
                (abs(weight), (*none[:place], (1, 0) if weight * sign > 0 else (0, 1), *none[place + 1 :]))
                for place, weight in enumerate(weights)
                if weight
            ]
            return Form(atoms, sign, none, tuple(terms))
    return None


def _terms(atoms: Atoms, polynomial: Polynomial, more: int) -> list[tuple[Fraction, Pairs]]:
    """The terms of a sum with the degree in each probability raised by `more`."""
    tops: list[int] = []
    for place, is_share in enumerate(atoms.are_shares):
        degree = max(powers[place] for powers in polynomial)
        tops.append(degree + more if is_share and degree else degree)
        polynomial = bernstein(polynomial, place, tops[place]) if is_share else polynomial
    kinds = list(zip(tops, atoms.are_shares, strict=True))
    return [
        (weight, tuple((own, top - own if is_share else 0) for own, (top, is_share) in zip(powers, kinds, strict=True)))
        for powers, weight in sorted(polynomial.items(), reverse=True)
    ]

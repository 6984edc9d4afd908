"""What cancels among parts: factors against divisors, and terms against terms of the other sign.

A product is a list of bases with exponents, a sum one of terms with coefficients; the same work is done on both. A part
may be made of others. It is opened only as far as something in it meets its opposite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from lossdsl.ir.expr import Expr

Count = int | Fraction
Part = tuple[Expr, Count]
"""A base with its exponent, or a term with its coefficient."""
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Family:
    """How parts are looked into: all that a part is made of, one level of it, and how much of a base meets another.

    `meeting` is given a base, its amounts in all parts, and whether all of them are parts of their own.
    """

    contents: Callable[[Expr, Count], Mapping[Expr, Count]]
    opened: Callable[[Expr], Parts]
    meeting: Callable[[Expr, list[Count], bool], Count]


def settled(parts: list[Part], family: Family) -> list[Part] | None:
    """The parts without what cancels, each that is opened in its place; None if nothing cancels."""
    result: list[Part] | None = None
    while True:
        amounts = _meeting(parts if result is None else result, family)
        if not amounts:
            return result
        result = list(parts) if result is None else result
        places = _to_open(result, amounts, family)
        result = _opened(result, places, family) if places else netted(result, set(amounts))


def _meeting(parts: list[Part], family: Family) -> dict[Expr, Count]:
    """The bases that meet their opposites, and how much of each."""
    counts: dict[Expr, list[Count]] = {}
    hidden: set[Expr] = set()
    for part, count in parts:
        for base, each in family.contents(part, count).items():
            counts.setdefault(base, []).append(each * count)
            if base is not part:
                hidden.add(base)
    found = {base: family.meeting(base, rows, base not in hidden) for base, rows in counts.items() if len(rows) > 1}
    return {base: amount for base, amount in found.items() if amount}


def _to_open(parts: list[Part], amounts: dict[Expr, Count], family: Family) -> set[int]:
    """The parts to be opened so that enough of each base is a part of its own."""
    missing = {(base, sign): amount for base, amount in amounts.items() for sign in (True, False)}
    for part, count in parts:
        if (part, count > 0) in missing:
            missing[part, count > 0] -= size(count)
    places: set[int] = set()
    for place, (part, count) in enumerate(parts):
        inside = family.contents(part, count)
        sign = 1 if count > 0 else -1
        found = [(base, inside[base] * sign) for base in inside.keys() & amounts.keys() - {part}]
        if any(missing[base, each > 0] > 0 for base, each in found):
            places.add(place)
            for base, each in found:
                missing[base, each > 0] -= size(each)
    return places


def _opened(parts: list[Part], places: set[int], family: Family) -> list[Part]:
    """The parts with those at some places opened, one copy of each."""
    found: list[Part] = []
    for place, (part, count) in enumerate(parts):
        if place not in places:
            found.append((part, count))
            continue
        sign = 1 if count > 0 else -1
        if count != sign:
            found.append((part, count - sign))
        found += [(base, each * sign) for base, each in family.opened(part)]
    return found


def netted(parts: list[Part], bases: set[Expr]) -> list[Part]:
    """The parts with all of each base in one place, the first where it has the sign that is left."""
    totals: dict[Expr, Count] = {}
    for base, count in parts:
        if base in bases:
            totals[base] = totals.get(base, 0) + count
    found: list[Part] = []
    for base, count in parts:
        if base not in bases:
            found.append((base, count))
        elif totals[base] * count > 0:
            found.append((base, totals[base]))
            totals[base] = 0
    return found


def shared_by_quotient(base: Expr, counts: list[Count], is_open: bool) -> Count:
    """How much of a base both multiplies and divides."""
    above, below = total(count for count in counts if count > 0), total(-count for count in counts if count < 0)
    return min(above, below)


def size(count: Count) -> Count:
    return count if count >= 0 else -count


def total(counts: Iterable[Count]) -> Count:
    result: Count = 0
    for count in counts:
        result += count
    return result

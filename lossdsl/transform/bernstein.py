"""Polynomials with exact coefficients, and their Bernstein form: sums, products, and what 1 - p divides."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

Powers = tuple[int, ...]
"""The power of each variable, in the order of the variables; those after the last that occurs may be left out."""
Polynomial = dict[Powers, Fraction]

HIGHEST, MOST_TERMS = 8, 32
"""The largest degree and number of terms of a product."""


def plus(one: Polynomial, other: Polynomial, sign: int) -> Polynomial:
    """The sum, or with the sign -1 the difference."""
    found = dict(one)
    for powers, weight in other.items():
        found[powers] = found.get(powers, Fraction(0)) + sign * weight
    return {powers: weight for powers, weight in found.items() if weight}


def times(one: Polynomial | None, other: Polynomial | None) -> Polynomial | None:
    """The product; None if it has too many terms or too high a degree, or if one of both is None."""
    if one is None or other is None:
        return None
    found: Polynomial = {}
    for (first, weight), (second, by) in product(one.items(), other.items()):
        long, short = (first, second) if len(first) >= len(second) else (second, first)
        powers = tuple(count + (short[place] if place < len(short) else 0) for place, count in enumerate(long))
        found[powers] = found.get(powers, Fraction(0)) + weight * by
    if len(found) > MOST_TERMS or any(sum(powers) > HIGHEST for powers in found):
        return None
    return {powers: weight for powers, weight in found.items() if weight}


def with_power(powers: Powers, place: int, count: int) -> Powers:
    """The powers with another one of the variable at a place."""
    return (*powers[:place], count, *powers[place + 1 :])


def lines(polynomial: Polynomial, place: int) -> dict[Powers, dict[int, Fraction]]:
    """The coefficients along one variable, for each power of the others."""
    found: dict[Powers, dict[int, Fraction]] = {}
    for powers, weight in polynomial.items():
        found.setdefault(with_power(powers, place, 0), {})[powers[place]] = weight
    return found


def by_rest(polynomial: Polynomial, place: int) -> Polynomial:
    """A polynomial that vanishes where a variable is 1, divided by 1 less that."""
    found: Polynomial = {}
    for key, line in lines(polynomial, place).items():
        total = Fraction(0)
        for count in range(max(line)):
            total += line.get(count, Fraction(0))
            if total:
                found[with_power(key, place, count)] = total
    return found


def bernstein(polynomial: Polynomial, place: int, top: int) -> Polynomial:
    """The coefficients of p^i*(1 - p)^(top - i), with the binomials."""
    found: Polynomial = {}
    for key, line in lines(polynomial, place).items():
        for count in range(top + 1):
            parts = [weight * comb(top - own, count - own) for own, weight in line.items() if own <= count]
            if total := sum(parts, Fraction(0)):
                found[with_power(key, place, count)] = total
    return found

"""The line on which pairs of numbers lie, and how its scale and shift depend on parameters."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.expr import Expr
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point

POWERS = (1, -1, 2, -2)
"""To what powers a parameter may stand in scale and shift."""
CLOSE = "1e-30"
"""By what part of their size two numbers of 50 digits may differ that are the same."""


def line(pairs: Sequence[tuple[Any, Any]]) -> tuple[Any, Any] | None:
    """Scale and shift by which every first value follows from the second; None if there are none."""
    m = mp_numbers()
    low, high = min(pairs, key=lambda pair: pair[1]), max(pairs, key=lambda pair: pair[1])
    if high[1] == low[1]:
        return None
    scale = (high[0] - low[0]) / (high[1] - low[1])
    shift = low[0] - scale * low[1]
    size = max(abs(high[0]), abs(low[0]), abs(scale * high[1]), abs(scale * low[1]))
    shift = m.mpf(0) if abs(shift) <= m.mpf(CLOSE) * size else shift
    for left, right in pairs:
        if abs(left - scale * right - shift) > m.mpf(CLOSE) * (abs(left) + abs(scale * right) + size):
            return None
    return scale, shift


def as_expression(values: Sequence[tuple[Point, Any]], free: Sequence[Expr]) -> Expr | None:
    """A number that was found under several parameters as a fraction, or one times powers of two parameters at most."""
    if all(value == 0 for _, value in values):
        return b.ZERO
    exponents: list[dict[Expr, int]] = [{}, *({node: power} for node in free for power in POWERS)]
    for one, other in itertools.combinations(free, 2):
        exponents += [{one: p, other: q} for p, q in itertools.product(POWERS, POWERS)]
    for powers in exponents:
        fraction = _fraction([_over_powers(value, point, powers) for point, value in values])
        if fraction is not None:
            return _times(fraction, powers)
    return None


def told_apart(left: Any, right: Any) -> tuple[str, str]:
    """Two numbers with as many digits, from six on, as show that they differ; or the second as the first and a rest."""
    shown = ("", "")
    for digits in (6, 10, 15, 25, 50):
        shown = mp_numbers().nstr(left, digits), mp_numbers().nstr(right, digits)
        if shown[0] != shown[1]:
            return shown
    short = mp_numbers().nstr(left, 6)
    return short, f"{short} {'-' if right < left else '+'} {mp_numbers().nstr(abs(right - left), 6)}"


def _times(fraction: Fraction, powers: Mapping[Expr, int]) -> Expr:
    found: Expr = b.const(fraction)
    for node, power in powers.items():
        size = b.power(node, b.const(abs(power)))
        found = b.mul(found, size) if power > 0 else b.div(found, size)
    return found


def _over_powers(value: Any, point: Point, powers: Mapping[Expr, int]) -> Any | None:
    """A number over powers of parameters at a point; None where these are 0."""
    m = mp_numbers()
    size = m.mpf(1)
    for node, power in powers.items():
        base = Fraction(point.values[node].item())
        size *= m.number(base) ** power if base else m.mpf(0)
    return value / size if size else None


def _fraction(values: Sequence[Any]) -> Fraction | None:
    """The fraction of small numbers that all of some values are; None if there is none."""
    m = mp_numbers()
    if any(value is None for value in values):
        return None
    found = Fraction(m.nstr(values[0], 40)).limit_denominator(1000)
    exact = m.number(found)
    close = m.mpf("1e-25") * abs(exact)
    return found if found and all(abs(value - exact) <= close for value in values) else None

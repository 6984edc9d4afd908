"""Refutations of what may be expected of an elementwise loss, each with the point that shows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Expr
from lossdsl.ir.verdict import Verdict
from lossdsl.refute.grid_search import GridLine, GridSearch

_SMALL = Fraction(1, 10**25)
"""What two numbers of 50 digits must differ by, as a part of their size, to count as different."""
_NOTHING = Fraction(1, 10**30)
"""What is smaller is rounding, whatever it is a part of."""


def _text(value: Any) -> str:
    """A value to six digits, for a sentence."""
    from lossdsl.ir.text import decimal

    rounded = float(value)
    return decimal(Fraction(f"{rounded:.6g}")) if math.isfinite(rounded) else str(value.context.nstr(value, 6))


def _below(search: GridSearch, a: Any, c: Any, scale: Any = 0) -> bool:
    """Whether a is surely less than c."""
    if a >= c:
        return False
    size = max(abs(a), abs(c), abs(scale), search.m.number(_NOTHING))
    return bool(c - a > size * search.m.number(_SMALL))


def negative(search: GridSearch) -> Verdict | None:
    """A point at which the loss is below 0: the plainest one."""
    zero = search.m.mpf(0)
    for line in search.lines:
        found = [(x, y) for x, y in line.finite() if _below(search, y, zero)]
        x, y = min(found, key=lambda pair: (plainness(pair[0]), pair[0]), default=(Fraction(0), zero))
        if found and search.is_sure(line.setting, [x]):
            return Verdict("refuted", "search", at=search.at(line.setting, x), detail=f"the value is {_text(y)}")
    return None


def plainness(x: Fraction) -> tuple[int, Fraction]:
    """Short numbers of a usual size first."""
    return x.denominator.bit_length() + max(0, abs(x.numerator).bit_length() - 7), abs(x)


def nonzero_at_target(search: GridSearch) -> Verdict | None:
    """A target at which the loss of the very same prediction is not 0."""
    for line, x, y in _on_target(search):
        if y is None or abs(y) > search.m.number(_NOTHING):
            detail = "there is no finite value" if y is None else f"the value is {_text(y)}"
            if y is not None and search.is_sure(line.setting, [x]):
                return Verdict("refuted", "search", at=search.at(line.setting, x), detail=detail)
    return None


def _on_target(search: GridSearch) -> Iterator[tuple[GridLine, Fraction, Any]]:
    target = search.loss.target
    if target is None or len(target.nodes) != 1:
        return
    node = target.nodes[0]
    for line in search.lines:
        x = line.setting[node]
        if x in line.xs:
            yield line, x, line.values[line.xs.index(x)]


def less_than_target(search: GridSearch) -> Verdict | None:
    """A prediction that costs less than the target itself."""
    for line, x, y in _on_target(search):
        if y is None:
            continue
        for other, value in sorted(line.finite(), key=lambda pair: plainness(pair[0])):
            if _below(search, value, y) and search.is_sure(line.setting, [x, other]):
                return Verdict(
                    "refuted", "search", at=search.at(line.setting, other), beside=(search.at(line.setting, x),),
                    detail=f"the value is {_text(value)}, less than the {_text(y)} that x = t gives,",
                )  # fmt: skip
    return None


def asymmetric(search: GridSearch) -> Verdict | None:
    """Two errors of one size that cost differently."""
    for line, x, _ in _on_target(search):
        values = dict(line.finite())
        for other in sorted(values, key=plainness):
            mirror = 2 * x - other
            if mirror not in values or not _below(search, values[other], values[mirror]):
                continue
            if search.is_sure(line.setting, [other, mirror]):
                return Verdict(
                    "refuted", "search", at=search.at(line.setting, other), beside=(search.at(line.setting, mirror),),
                    detail=f"the values are {_text(values[other])} and {_text(values[mirror])}",
                )  # fmt: skip
    return None


def bent_down(search: GridSearch) -> Verdict | None:
    """Three predictions, the middle one above the line between the others."""
    for line in search.lines:
        points = line.finite()
        if len(points) != len(line.xs) and not _is_interval(line):
            continue  # the points between have no value, so there is no line
        for one, middle, other in _triples(points):
            share = (middle[0] - one[0]) / (other[0] - one[0])
            chord = one[1] + search.m.number(share) * (other[1] - one[1])
            if not _below(search, chord, middle[1], max(abs(one[1]), abs(other[1]))):
                continue
            if search.is_sure(line.setting, [one[0], middle[0], other[0]]):
                return Verdict(
                    "refuted", "search", at=search.at(line.setting, middle[0]),
                    beside=(search.at(line.setting, one[0]), search.at(line.setting, other[0])),
                    detail=f"the value is {_text(middle[1])}, on the line between the others {_text(chord)}",
                )  # fmt: skip
    return None


def _is_interval(line: GridLine) -> bool:
    """Whether the predictions that have a value follow each other."""
    flags = [value is not None for value in line.values]
    changes = sum(a != c for a, c in pairwise(flags))
    return changes <= 1 or (changes == 2 and not flags[0])


def _triples(points: Sequence[tuple[Fraction, Any]]) -> Iterator[tuple[Any, Any, Any]]:
    """Plain ones first: evenly spaced, then neighbours."""
    # As whole numbers of one unit, which are quickly added and found.
    unit = math.lcm(16, *(x.denominator for x, _ in points))
    wholes = [x.numerator * (unit // x.denominator) for x, _ in points]
    at = dict(zip(wholes, points, strict=True))
    for step in (unit, 2 * unit, unit // 4, unit // 16, 4 * unit):
        for whole, point in at.items():
            if whole - step in at and whole + step in at:
                yield at[whole - step], point, at[whole + step]
    for place in range(1, len(points) - 1):
        yield points[place - 1], points[place], points[place + 1]
    for place in range(1, len(points) - 1):
        yield points[0], points[place], points[-1]


# --- at joins -----------------------------------------------------------------------------------------------------

INFINITE = "the slope is infinite"
_MILLIONTH = Fraction(1, 10**6)
_STEPS = (Fraction(1, 10**9), Fraction(1, 10**12), Fraction(1, 10**15))
_HERE = 2 * len(_STEPS)
"""The place of a join among its neighbours."""
_SHIFTS = (*(-2 * h for h in _STEPS), *(-h for h in _STEPS), Fraction(0), *_STEPS, *(2 * h for h in _STEPS))
SETTINGS = 14
"""For how many settings of the other inputs and the parameters each join is tried."""


def jump(search: GridSearch, joins: Sequence[Expr]) -> Verdict | None:
    """A prediction at which the value jumps."""
    return _at_joins(search, joins, _jump)


def hole(search: GridSearch) -> Verdict | None:
    """A prediction without a value between two that have one, however near."""
    bounds = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    for line in search.lines:
        for x in (x for x, y in zip(line.xs, line.values, strict=True) if y is None):
            near = [x + shift for h in _STEPS for shift in (-h, h)]
            if all(map(bounds.contains, near)) and None not in search.line(line.setting, near).values:
                ends = (search.at(line.setting, near[0]), search.at(line.setting, near[1]))
                return Verdict("refuted", "search", at=search.at(line.setting, x), beside=ends,
                               detail="there is no finite value, though there is one on either side")  # fmt: skip
    return None


def kink(search: GridSearch, joins: Sequence[Expr]) -> Verdict | None:
    """A prediction at which the slope jumps, or is infinite."""
    return _at_joins(search, joins, _kink)


def _at_joins(
    search: GridSearch, joins: Sequence[Expr], judge: Callable[[GridSearch, Sequence[Any]], str | None]
) -> Verdict | None:
    bounds = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    for setting in islice(search.settings(), SETTINGS):
        found = dict.fromkeys(search.number(join, setting) for join in joins)
        inside = [x for x in found if x is not None and all(bounds.contains(x + shift) for shift in _SHIFTS)]
        line = search.line(setting, [x + shift for x in inside for shift in _SHIFTS])
        for place, x in enumerate(inside):
            values = line.values[place * len(_SHIFTS) : (place + 1) * len(_SHIFTS)]
            detail = judge(search, values)
            if detail is not None:
                at, *ends = (search.at(setting, x + shift) for shift in (0, -_STEPS[0], _STEPS[0]))
                return Verdict("refuted", "search", at=at, beside=tuple(ends), detail=detail, size=_size(values))
    return None


def _size(values: Sequence[Any]) -> float:
    """How far the values next to a join lie apart, beside the largest of them, or beside 1 where they are small."""
    found = [values[place] for place in (5, _HERE, 9) if values[place] is not None]
    return float((max(found) - min(found)) / max(1, *map(abs, found))) if len(found) > 1 else 0.0


def _jump(search: GridSearch, values: Sequence[Any]) -> str | None:
    low, high, middle = values[3:6], values[7:10], values[_HERE]
    if None in (*low, *high):
        return None
    gaps = [c - a for a, c in zip(low, high, strict=True)]
    size = max(map(abs, (*low, *high)))
    if _lasts(search, gaps, size):
        return f"the value goes from {_text(low[-1])} to {_text(high[-1])}"
    if middle is not None:
        alone = [middle - a for a in low]
        if _lasts(search, alone, size + abs(middle)):
            return f"the value is {_text(middle)} there, and {_text(low[-1])} beside it"
    return None


def _lasts(search: GridSearch, gaps: Sequence[Any], size: Any) -> bool:
    """Whether a difference stays the same while the points come together.

    What it changes by must fall with their distance: `abs(e)^0.001` goes to 0, and is 0.97 at 1e-12.
    """
    far, near, nearest = gaps
    nothing = search.m.number(_NOTHING)
    first, second = abs(far - near), abs(near - nearest)
    is_steady = first < abs(near) / 10 and second <= first / 10 + nothing * (1 + size)
    return bool(is_steady and abs(nearest) > search.m.number(_MILLIONTH) * size + nothing)


def _kink(search: GridSearch, values: Sequence[Any]) -> str | None:
    if any(value is None for place, value in enumerate(values) if place != _HERE):
        return None
    m = search.m
    slopes = []
    for place, h in enumerate(_STEPS):
        step = m.number(h)
        left = (values[3 + place] - values[place]) / step
        right = (values[10 + place] - values[7 + place]) / step
        slopes.append((left, right))
    (far_left, far_right), (left, right), _ = slopes
    size = max(abs(left), abs(right))
    gaps = [right - left for left, right in slopes]
    if size > 8 * max(abs(far_left), abs(far_right)) and size > 1:
        return INFINITE
    if _lasts(search, gaps, size):
        return f"the slope goes from {_text(left)} to {_text(right)}"
    return None

"""Whether one form of an elementwise expression may take the place of another: the scales for every proposal.

It may if it is equal at sampled points to 35 digits, if it is no less accurate in float32, and if it
costs less (or a little more, and is far more accurate). Float32 is played by exact arithmetic in which every single
operation is rounded correctly, so that the verdict is the same on every machine. Parts that are no elementwise
operation count as inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np

from lossdsl.ir.axes import LAST
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.build import exact, substitute
from lossdsl.ir.expr import Call, Const, Expr, Flag, Input, walk
from lossdsl.ir.ranges import Ranges
from lossdsl.oracle.interpreter import Array, evaluate, filled
from lossdsl.oracle.number_systems import MpNumbers, float32_numbers, mp_numbers

POINTS = 64
_PLACES = 110
"""Digits that are worked with: what float32 can hold reaches from 1e-45 to 1e38, and differences must be seen in it."""
_AGREE = "1e-35"
_FLOOR = 4.0
"""Errors up to so many units in the last place are not held against a form."""
_SLACK = 1.25
"""Nor is the worst error, if it grows by no more than this: it depends on which points were drawn."""
_MUCH = 256
"""But at each point an error may not grow by as much as this, however large it is elsewhere. It may by less: that a
form happens to be exact at one point says little of it."""
_LOST = 2.0**24
GAIN = 16


def cost(*roots: Expr) -> int:
    """The price of expressions: operations, each shared part once; functions cost more than quotients, those more than
    products. Constants and what the parameters alone settle are free."""
    total = 0
    for node in walk(*roots):
        if isinstance(node, Call) and not node.is_static:
            total += 1 if _is_square(node) else 2 if _is_small_power(node) else node.op.cost
    return total


def _is_square(node: Call) -> bool:
    return node.op.name == "pow" and exact(node.args[1]) == 2


def _is_small_power(node: Call) -> bool:
    return node.op.name == "pow" and exact(node.args[1]) in (3, 4)


def weigh(before: Expr, after: Expr, known: Ranges) -> str | None:
    """Why `after` may not stand for `before`; None if it may.

    It must be equal and no less accurate; and cheaper, unless it gains `GAIN` times the accuracy for at most half as
    much again.
    """
    old, new = cost(before), cost(after)
    if after is before or new > 1.5 * old:
        return f"not cheaper ({old} before, {new} after)"
    scales = _Scales(before, after, known)
    if new >= old and not scales.gains():
        return f"not cheaper ({old} before, {new} after), nor much more accurate"
    return scales.worse()


def worse(before: Expr, after: Expr, known: Ranges) -> str | None:
    """How `after` differs from `before` or is less accurate, whatever the two cost; None if it is neither."""
    return _Scales(before, after, known).worse()


class _Scales:
    """Two expressions at the same points, exactly and in float32."""

    def __init__(self, before: Expr, after: Expr, known: Ranges) -> None:
        self.exprs, self.leaves = _sampled((before, after), known)
        self.given = draws(self.leaves)
        self.m = mp_numbers(_PLACES)

    def worse(self) -> str | None:
        return self.unequal() or self.less_accurate()

    def unequal(self) -> str | None:
        """A point at which they differ, in words; None if there is none among those tried."""
        m = self.m
        agree, least = m.mpf(_AGREE), m.mpf("1e-45")
        truth = [_values(expr, self.leaves, m) for expr in self.exprs]
        for place, (one, other) in enumerate(zip(*truth, strict=True)):
            if not m.isfinite(one):
                continue
            slack = agree * max(abs(one), least) * self._room(place)
            if not m.isfinite(other) or abs(one - other) > slack:
                return f"not equal ({self._shown(place)}: {m.nstr(one, 8)} before, {m.nstr(other, 8)} after)"
        return None

    def _room(self, place: int) -> float:
        """How much cancellation must be allowed for at a point: from its largest to its smallest input."""
        sizes = [abs(float(row[place])) for row in self.given.values()] or [1.0]
        return max(1.0, *sizes) ** 2 / min(1.0, *(size for size in sizes if size > 0), 1.0) ** 2

    def errors(self, which: int) -> tuple[float, ...]:
        """The errors of the first or the second in float32, in units of the last place of the true value."""
        return _errors(self.exprs[which], self.exprs[0], self.leaves)

    def less_accurate(self) -> str | None:
        """Where the second loses digits of float32 that the first keeps, in words; None if it does not."""
        old, new = self.errors(0), self.errors(1)
        for place in range(POINTS):
            if new[place] > _MUCH * max(_FLOOR, old[place]):
                return f"loses digits where {self._shown(place)} ({old[place]:.3g} ulp before, {new[place]:.3g} after)"
        if max(new) > max(_FLOOR, _SLACK * max(old)):
            place = new.index(max(new))
            return f"less accurate ({max(old):.3g} ulp before, {max(new):.3g} after, where {self._shown(place)})"
        if _mean(new) > max(_mean(old), 1.0) + 0.25:
            return f"less accurate on average ({_mean(old):.2g} bits lost before, {_mean(new):.2g} after)"
        return None

    def gains(self) -> bool:
        """Whether the second is far more accurate. Where the first loses little, the second is not looked at.

        Most proposals fail at the point that is worst for the first, so that one is tried before all others.
        """
        old = self.errors(0)
        most = max(old)
        if most <= GAIN * _FLOOR or GAIN * self._error_at(old.index(most)) >= most:
            return False
        return most > GAIN * max(self.errors(1))

    def _error_at(self, place: int) -> float:
        """The error of the second at one point."""
        single = float32_numbers()
        given = {leaf: filled(row[place : place + 1], single) for leaf, row in self.given.items()}
        (got,) = np.ravel(evaluate((self.exprs[1],), given, single, {"last": 1})[self.exprs[1]])
        return ulps(got, _values(self.exprs[0], self.leaves, mp_numbers(_PLACES))[place], single.largest)

    def _shown(self, place: int) -> str:
        return ", ".join(f"{float(row[place]):.6g}" for row in self.given.values()) or "there"


# A form is weighed against several others, at the same points.


@lru_cache(64)
def _values(expr: Expr, leaves: Leaves, m: MpNumbers) -> tuple[Any, ...]:
    given = {leaf: filled(row, m) for leaf, row in draws(leaves).items()}
    done = evaluate((expr,), given, m, {"last": POINTS})[expr]
    return tuple(np.broadcast_to(done, (POINTS,)).tolist())


@lru_cache(64)
def _errors(expr: Expr, right: Expr, leaves: Leaves) -> tuple[float, ...]:
    """The errors in float32 of a form of `right`, in units of the last place of the true value."""
    single = float32_numbers()
    rounded, true = _values(expr, leaves, single), _values(right, leaves, mp_numbers(_PLACES))
    return tuple(ulps(got, exact, single.largest) for got, exact in zip(rounded, true, strict=True))


def _mean(lost: Sequence[float]) -> float:
    return sum(math.log2(1 + error) for error in lost) / len(lost)


def ulps(got: Any, true: Any, largest: float) -> float:
    """An error in units of float32's last place, at most 2^24; none where the truth is beyond its range."""
    size = abs(true)
    if not size <= largest:
        return 0.0
    if not abs(got) <= largest:
        return _LOST
    unit = 2.0 ** max(math.frexp(float(size))[1] - 24, -149) if size else 2.0**-149
    return min(float(abs(got - true) / unit), _LOST)


# --- points -------------------------------------------------------------------------------------------------------


Leaves = tuple[tuple[Expr, Bounds], ...]
"""What expressions are made of, each with the interval of its values."""


def _sampled(exprs: tuple[Expr, ...], known: Ranges) -> tuple[tuple[Expr, ...], Leaves]:
    """The expressions over one axis of points, and their inputs."""
    leaves: dict[Expr, Expr] = {}
    for expr in exprs:
        for node in _leaves(expr):
            leaves.setdefault(node, Input(f"?p{len(leaves)}", frozenset({LAST})))
    intervals = tuple((leaf, known[node]) for node, leaf in leaves.items())
    return tuple(substitute(expr, leaves) for expr in exprs), intervals


def _leaves(expr: Expr) -> list[Expr]:
    """What is no elementwise operation, in order."""
    found: dict[Expr, None] = {}
    stack, seen = [expr], set[Expr]()
    while stack:
        node = stack.pop()
        if node in seen or isinstance(node, Const | Flag):
            continue
        seen.add(node)
        if isinstance(node, Call):
            stack.extend(reversed(node.args))
        else:
            found[node] = None
    return list(found)


_STYLES = {
    "plain": (-2, 2),
    "near": (-2, 2),
    "wide": (-12, 12),
    "tiny": (-48, -6),
    "large": (6, 45),
    "odd": (-2, 2),
    "exponents": (0.7, 4.4),
}
"""How points are drawn: the powers of e between which sizes lie. With "near" all are nearly equal, with "odd" one is
much larger than the rest, and "exponents" are of sizes at which exponentials are neither 1 nor beyond all bounds."""


@lru_cache(64)
def draws(leaves: Leaves, seed: int = 7) -> Mapping[Expr, Array]:
    """`POINTS` values for each leaf, inside its interval, each a number of float32."""
    intervals = dict(leaves)
    random = Random(seed)
    order = (*_STYLES, "near")
    found: dict[Expr, Array] = {leaf: np.empty(POINTS, dtype=object) for leaf in intervals}
    for place in range(POINTS):
        style = order[place % len(order)]
        odd = random.choice(list(intervals)) if intervals else None
        base = random.choice((-1, 1)) * math.exp(random.uniform(-1.5, 1.5))
        for leaf, interval in intervals.items():
            value = random.choice((-1, 1)) * math.exp(random.uniform(*_STYLES[style]))
            if style == "odd" and leaf is odd:
                value *= math.exp(random.uniform(20, 45))
            if style == "near":
                value = base * (1 + random.choice((-1, 1)) * 10 ** random.uniform(-7, -1))
            found[leaf][place] = float(np.float32(_inside(interval, value, random)))
    return found


def _inside(interval: Bounds, value: float, random: Random) -> float:
    """A value brought into an interval, keeping its size where it can."""
    if interval.contains(value):
        return value
    if interval.contains(-value):
        return -value
    low, high = interval.low, interval.high
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * random.choice((random.random(), 1e-4, 1 - 1e-4))
    return low + abs(value) if math.isfinite(low) else high - abs(value)

"""The kinds of inputs, a row each: the values at which an input of that kind is tried, for every purpose.

Grids have fixed values for losses of one number, small tensors are drawn as plain decimals, and samples for floating
point are numbers of any size brought into the kind. The elements of a sample may have to fit each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import numpy as np

from lossdsl.oracle.float_formats import Floats

HALF = Fraction(1, 2)
_STEPS = [Fraction(k, 4) for k in range(-16, 17)]
_FAR = [Fraction(sign * 10**k) for k in (1, 2, 3, 6) for sign in (1, -1)]
_NEAR = [Fraction(sign, 10**k) for k in (2, 8) for sign in (1, -1)]
_REAL = tuple(sorted({*_STEPS, *_FAR, *_NEAR}))
_UNIT = (*(Fraction(k, 16) for k in range(17)), Fraction(1, 10**8), 1 - Fraction(1, 10**8))


def decimal(value: float, digits: int = 3) -> Fraction:
    """A float as a fraction with so many significant digits."""
    return Fraction(f"{value:.{digits}g}")


def signed(random: Random) -> Fraction:
    return decimal(random.uniform(-3.0, 3.0))


def positive(random: Random) -> Fraction:
    return decimal(math.exp(random.uniform(-2.5, 1.5)))


def _one_of(*values: int) -> Callable[[Random], Fraction]:
    return lambda random: Fraction(values[random.randrange(len(values))])


def _each(*values: float) -> Callable[[Floats, Random], Floats]:
    return lambda row, random: np.array([values[random.randrange(len(values))] for _ in row])


@dataclass(frozen=True)
class InputKind:
    """Values of an input.

    `grid` has those of a prediction of one number, `few` those of any other input. `draw` gives an element of a small
    tensor, None for one of either sign or positive by turns; `fit` makes the elements of a sample fit each other.
    `bring` takes numbers of any size into the kind. `plain` are the numbers that all elements may be at once.
    """

    grid: tuple[Fraction, ...]
    few: tuple[Fraction, ...]
    draw: Callable[[Random], Fraction] | None = None
    fit: Callable[[list[Fraction], Random], list[Fraction]] = lambda row, random: row
    bring: Callable[[Floats, Random], Floats] = lambda row, random: row
    plain: tuple[int, ...] = ()
    has_corners: bool = False
    """Whether a row may be 1 at one element and 0 at all others, as a sure distribution is."""
    is_line: bool = True
    """Whether what lies between two values is one as well."""


def _hot(row: list[Fraction], random: Random) -> list[Fraction]:
    hot = random.randrange(len(row))
    return [Fraction(int(place == hot)) for place in range(len(row))]


def _scaled_to_one(row: list[Fraction], random: Random) -> list[Fraction]:
    total = sum(row)
    parts = [decimal(float(value / total)) for value in row[:-1]]
    return [*parts, 1 - sum(parts, Fraction(0))]


def _logarithms(row: list[Fraction], random: Random) -> list[Fraction]:
    return [decimal(math.log(part)) for part in _scaled_to_one(row, random)]


def _of_length_one(row: list[Fraction], random: Random) -> list[Fraction]:
    norm = math.sqrt(sum(float(value) ** 2 for value in row))
    return [decimal(float(value) / norm, 6) for value in row]


def _into_unit(row: Floats, random: Random) -> Floats:
    size = np.abs(row)
    return np.where((row >= 0.0) & (row <= 1.0), row, size / (1.0 + size))


def _row_of_sum_one(row: Floats, random: Random) -> Floats:
    size = np.abs(row) + 1e-3
    return np.asarray(size / np.sum(size))


def _nonzero(row: Floats, random: Random) -> Floats:
    size = np.abs(row)
    return np.where(size == 0.0, 1.0, size)


_SOME = (Fraction(0), Fraction(1), Fraction(-1), Fraction(3, 2), Fraction(-5, 2))
_SHARES = (HALF, Fraction(0), Fraction(1), Fraction(1, 8), Fraction(3, 4))
_PARTS: Callable[[Random], Fraction] = lambda random: decimal(random.uniform(0.05, 1.0))  # noqa: E731

INPUT_KINDS: dict[str, InputKind] = {
    "real": InputKind(_REAL, _SOME, plain=(0, 1)),
    "logits": InputKind(_REAL, _SOME, signed, plain=(0, 1)),
    "positive": InputKind(
        tuple(value for value in _REAL if value > 0),
        (Fraction(1), HALF, Fraction(3), Fraction(1, 8)),
        positive,
        bring=_nonzero,
        plain=(1,),
    ),
    "nonneg": InputKind(
        tuple(value for value in _REAL if value >= 0),
        (Fraction(0), Fraction(1), HALF, Fraction(3)),
        positive,
        bring=lambda row, random: np.abs(row),
        plain=(0, 1),
    ),
    "prob": InputKind(
        tuple(sorted(_UNIT)),
        _SHARES,
        lambda random: decimal(random.uniform(0.02, 0.98)),
        bring=_into_unit,
        plain=(0, 1),
    ),
    "simplex": InputKind(tuple(sorted(_UNIT)), _SHARES, _PARTS, _scaled_to_one, _row_of_sum_one, has_corners=True),
    "logprob": InputKind(
        tuple(sorted(-value for value in _REAL if value >= 0)),
        (-HALF, Fraction(0), Fraction(-3)),
        _PARTS,
        _logarithms,
        lambda row, random: -np.abs(row),
    ),
    "binary": InputKind(
        (Fraction(0), Fraction(1)),
        (Fraction(0), Fraction(1)),
        _one_of(0, 1),
        bring=_each(0.0, 1.0),
        plain=(0, 1),
        is_line=False,
    ),
    "sign": InputKind(
        (Fraction(-1), Fraction(1)),
        (Fraction(1), Fraction(-1)),
        _one_of(-1, 1),
        bring=_each(-1.0, 1.0),
        plain=(1, -1),
        is_line=False,
    ),
    "count": InputKind(
        tuple(map(Fraction, range(6))),
        tuple(map(Fraction, (0, 1, 2, 5))),
        _one_of(*range(6)),
        bring=_each(*map(float, range(12))),
        plain=(0, 1),
        is_line=False,
    ),
    "onehot": InputKind(
        (Fraction(1),),
        (Fraction(1),),
        lambda random: Fraction(0),
        _hot,
        lambda row, random: np.asarray(np.eye(row.size)[random.randrange(row.size)]),
        has_corners=True,
        is_line=False,
    ),
    "unit": InputKind(
        (Fraction(-1), Fraction(1)),
        (Fraction(1), Fraction(-1)),
        signed,
        _of_length_one,
        lambda row, random: np.asarray(row / (math.hypot(*row) or 1.0)),
        has_corners=True,
        is_line=False,
    ),
}
"""By the word that declares it; a label is a whole number below the number of classes, and has no row."""
LABELS_TRIED = (Fraction(0), Fraction(1), Fraction(2))
"""Labels on grids."""

"""The values at which losses are tried, by the kind of the input: always the same ones."""

from __future__ import annotations

from fractions import Fraction

HALF = Fraction(1, 2)
_STEPS = [Fraction(k, 4) for k in range(-16, 17)]
_FAR = [Fraction(sign * 10**k) for k in (1, 2, 3, 6) for sign in (1, -1)]
_NEAR = [Fraction(sign, 10**k) for k in (2, 8) for sign in (1, -1)]
_UNIT = [Fraction(k, 16) for k in range(17)] + [Fraction(1, 10**8), 1 - Fraction(1, 10**8)]

GRIDS: dict[str, list[Fraction]] = {
    "real": sorted({*_STEPS, *_FAR, *_NEAR}),
    "logits": sorted({*_STEPS, *_FAR, *_NEAR}),
    "positive": sorted({value for value in (*_STEPS, *_FAR, *_NEAR) if value > 0}),
    "nonneg": sorted({value for value in (*_STEPS, *_FAR, *_NEAR) if value >= 0}),
    "prob": sorted(_UNIT),
    "simplex": sorted(_UNIT),
    "logprob": sorted({-value for value in (*_STEPS, *_FAR, *_NEAR) if value >= 0}),
    "binary": [Fraction(0), Fraction(1)],
    "sign": [Fraction(-1), Fraction(1)],
    "count": [Fraction(k) for k in range(6)],
    "onehot": [Fraction(1)],
    "unit": [Fraction(-1), Fraction(1)],
}
"""The values of a prediction that are tried, by its kind."""

FEW: dict[str, list[Fraction]] = {
    "real": [Fraction(0), Fraction(1), Fraction(-1), Fraction(3, 2), Fraction(-5, 2)],
    "logits": [Fraction(0), Fraction(1), Fraction(-1), Fraction(3, 2), Fraction(-5, 2)],
    "positive": [Fraction(1), Fraction(1, 2), Fraction(3), Fraction(1, 8)],
    "nonneg": [Fraction(0), Fraction(1), Fraction(1, 2), Fraction(3)],
    "prob": [HALF, Fraction(0), Fraction(1), Fraction(1, 8), Fraction(3, 4)],
    "simplex": [HALF, Fraction(0), Fraction(1), Fraction(1, 8), Fraction(3, 4)],
    "logprob": [-HALF, Fraction(0), Fraction(-3)],
    "binary": [Fraction(0), Fraction(1)],
    "sign": [Fraction(1), Fraction(-1)],
    "count": [Fraction(0), Fraction(1), Fraction(2), Fraction(5)],
    "onehot": [Fraction(1)],
    "unit": [Fraction(1), Fraction(-1)],
}
"""The values of every other input."""

"""Formats of floating point: their limits, and numbers brought into them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.oracle.number_systems import RoundedNumbers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A binary format: `bits` of precision (the leading one counted) and the range of its exponents."""

    name: str
    bits: int
    least: int
    """The exponent of the smallest normal number, a power of two."""
    most: int
    """The exponent of the power of two from which numbers are too large."""

    @property
    def largest(self) -> float:
        """The largest number."""
        return math.ldexp(2.0 - 2.0 ** (1 - self.bits), self.most - 1)

    @property
    def normal(self) -> float:
        """The smallest number with all its bits."""
        return math.ldexp(1.0, self.least)

    @property
    def smallest(self) -> float:
        """The smallest number above 0."""
        return math.ldexp(1.0, self.least - self.bits + 1)

    @property
    def numbers(self) -> RoundedNumbers:
        """The format as a namespace of exact numbers, in which each operation is rounded correctly."""
        return _numbers(self)

    def unit(self, values: Any) -> Floats:
        """One unit in the last place at each value."""
        plain = np.asarray(values, dtype=np.float64)
        exponent = np.where(plain == 0.0, self.least, np.frexp(plain)[1])
        return np.asarray(np.ldexp(1.0, np.maximum(exponent - self.bits, self.least - self.bits + 1)))

    def rounded(self, values: Any) -> Floats:
        """The nearest numbers of the format, ties to even; infinite beyond its range.

        >>> FLOAT16.rounded([0.1, 2049.0, 1e5])
        array([9.99755859e-02, 2.04800000e+03,            inf])
        """
        plain = np.asarray(values, dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            unit = np.where(np.isfinite(plain), self.unit(np.where(np.isfinite(plain), plain, 0.0)), 1.0)
            found = np.where(np.isfinite(plain), np.rint(plain / unit) * unit, plain)
        return np.asarray(np.where(np.abs(found) > self.largest, np.copysign(math.inf, plain), found))


@cache
def _numbers(kind: Format) -> RoundedNumbers:
    return RoundedNumbers(kind.bits, kind.largest, kind.smallest)


FLOAT32 = Format("float32", 24, -126, 128)
BFLOAT16 = Format("bfloat16", 8, -126, 128)
FLOAT16 = Format("float16", 11, -14, 16)
FORMATS = (FLOAT32, BFLOAT16, FLOAT16)

SHORT = Format("short", 8, -14, 16)
"""The numbers that all of them hold."""

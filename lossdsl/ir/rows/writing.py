"""What the rows of the table of operations are written with: spellings, errors, common intervals."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from lossdsl.ir.bounds import INF, Bounds
from lossdsl.ir.op import DOUBLE, LIBRARIES, LIKE, TARGETS, Kind

BOOL, INT, REAL = Kind.BOOL, Kind.INT, Kind.REAL
PI_BELOW = Fraction(3141592653589793, 10**15)
PI_ABOVE = Fraction(3141592653589794, 10**15)
NONZERO = Bounds(0, low_open=True)  # as a domain: the guard tests `!= 0`, the sign does not matter
ABOVE_MINUS_ONE = Bounds(-1, low_open=True)
FROM_MINUS_ONE = Bounds(-1)
FROM_ONE = Bounds(1)
OPEN_SIGNED_UNIT = Bounds(-1, 1, True, True)
HALF_OPEN_UNIT = Bounds(0, 1, True)
TAME = Bounds(high=0)  # where an exponential cannot overflow
SMALL = (Bounds(-3, 3),)
PLUS = (Bounds(0.05, 4),)


def errors(value: str, slope: str = "0", double: str = "0 0", javascript: str = "") -> dict[str, tuple[float, float]]:
    """The errors of a row: of values and of slopes, one number a library or one for all; then of both in float64,
    and where browsers are less accurate, in theirs.
    """
    values, slopes = ([float(part) for part in text.split()] for text in (value, slope))
    libraries = [library for library in LIBRARIES if library not in LIKE]
    count = len(libraries)
    pairs = zip(libraries, values * (count // len(values)), slopes * (count // len(slopes)), strict=True)
    in_double, in_browsers = ([float(part) for part in text.split()] for text in (double, javascript or double))
    return {
        **{target: (one, other) for target, one, other in pairs},
        DOUBLE: (in_double[0], in_double[1]),
        "javascript": (in_browsers[0], in_browsers[1]),
    }


def spelled(
    numpy: str, tensorflow: str = "", python: str = "", torch: str = "", keras: str = "", javascript: str = ""
) -> dict[str, str]:
    """The spellings of a row.

    One text that uses only operators serves all targets. JAX has numpy's and scipy's names, torch and `keras.ops` have
    numpy's where nothing else is said; `keras.ops` has no special functions ("-" for none). JavaScript computes with
    plain numbers, as Python does, and has most of Python's names.
    """
    same = "" if "np." in numpy or "special." in numpy or ".astype" in numpy else numpy
    found = {
        "numpy": numpy,
        "tensorflow": tensorflow or same,
        "python": python or same,
        "jax": numpy.replace("np.", "jnp.").replace("special.", "jsp."),
        "torch": torch or numpy.replace("np.", "torch.").replace("special.", "torch.special."),
        "keras": keras or ("-" if "special." in numpy else numpy.replace("np.", "ops.")),
        "javascript": javascript or _MATH.sub("Math.", python or same),
    }
    return {target: text for target, text in found.items() if text and text != "-"}


_MATH = re.compile(r"\bmath\.|\b(?=(abs|max|min)\()")


def helper(function: str, letters: str = "a", **others: str) -> dict[str, str]:
    """An operation for which every target has a function of `targets.special`, but for some with their own."""
    call = f"{function}({', '.join(letters)})"
    return {**dict.fromkeys(TARGETS, call), **others}


def everywhere(function: str) -> dict[str, str]:
    """An operation that has one name in numpy, tensorflow and math."""
    return spelled(f"np.{function}(a)", f"tf.math.{function}(a)", f"math.{function}(a)")


def float_exp(value: float) -> float:
    """The exponential of a float; infinite where it overflows."""
    return math.exp(value) if value < 700 else INF

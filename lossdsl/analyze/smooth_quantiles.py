"""Losses that bend up smoothly from one slope to another: a quantile loss that is smoothed, or one of a margin."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import islice

from lossdsl.analyze.analyzer import Analyzer
from lossdsl.ir.verdict import Number

_FAR = 10**6
_SETTINGS = 14
"""Among how many settings of everything else that of a point is looked for."""


def is_smooth_quantile(analyzer: Analyzer, at: Mapping[str, Number]) -> bool:
    """Whether a loss is convex and smooth, as far as that is known, and has slopes of other sizes at its two ends.

    The error 0 is then not where it is least: how far it is from there is the width of the bend, and meant. The slopes
    are those for the parameters and the target of a point.
    """
    loss = analyzer.program.loss
    slopes = analyzer.program.element_gradients.get(loss.prediction, ())
    if analyzer.search is None or len(slopes) != 1:
        return False
    if any(analyzer.near(name).how == "refuted" for name in ("convex", "smooth")):
        return False
    name = loss.prediction.nodes[0].name
    for setting in islice(analyzer.search.settings(), _SETTINGS):
        if analyzer.search.at(setting, Fraction(0)) == {**at, name: Fraction(0)}:
            ends = analyzer.search.numbers(slopes[0], setting, [Fraction(-_FAR), Fraction(_FAR)])
            return None not in ends and _are_lopsided(float(ends[0]), float(ends[1]))
    return False


def _are_lopsided(low: float, high: float) -> bool:
    """Whether slopes differ in size, and point to each other or one of them is 0."""
    less, most = sorted((abs(low), abs(high)))
    return less < most / _FAR or (low < 0 < high and most - less > most / 100)

"""Predictions at which an operation has no value: zeros of what it is divided by, or takes the logarithm of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Call, Expr
from lossdsl.ir.verdict import Verdict
from lossdsl.refute.domain_errors import DomainError, escape
from lossdsl.refute.grid_search import GridSearch, Setting
from lossdsl.refute.selected_parts import selected, shown

SETTINGS = 14
"""For how many settings of everything else zeros are looked for."""
_STEPS = 120
"""How often the interval that a zero lies in is made smaller."""
_NOTHING = Fraction(1, 10**40)
"""Below this, beside 1, a level is taken to be 0 next to its zero; one that jumps past 0 never is."""
_BESIDE = (Fraction(1, 10**9), Fraction(1, 10**12))


@dataclass(frozen=True)
class Level:
    """An operation `node` of the loss `root` that has no value where `factor` is 0; `vertex` parts two zeros of it.

    They are in the author's inputs. `shown` is the operation as it is told; `case` the only target that all is for.
    """

    root: Expr
    node: Call
    factor: Expr
    vertex: Expr | None
    shown: Call
    case: Fraction | None = None


@dataclass(frozen=True)
class Pole:
    """A prediction, within `setting`, at which an operation has no value.

    Where it is no plain decimal, `x` is the nearest one of 15 digits and `is_exact` is false.
    """

    level: Level
    setting: Setting
    x: Fraction
    is_exact: bool


def poles(search: GridSearch, levels: Sequence[Level]) -> Iterator[Pole]:
    """The poles that reach the loss: of each operation the plainest in each setting."""
    target = search.loss.target
    for setting in islice(search.settings(), SETTINGS) if levels else ():
        for level in levels:
            if level.case is not None and target is not None and setting.get(target.nodes[0]) != level.case:
                continue
            zeros = _zeros(search, level, setting)
            found = next((zero for zero in zeros if _is_selected(search, level, setting, zero[0])), None)
            if found is not None:
                yield Pole(level, setting, *found)


def _zeros(search: GridSearch, level: Level, setting: Setting) -> Iterator[tuple[Fraction, bool]]:
    """The zeros between the predictions of a grid, plain ones first, each with whether it is exact."""
    bounds = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    xs = search.grid(setting)
    turn = search.number(level.vertex, setting) if level.vertex is not None else None
    if turn is not None and bounds.contains(turn):
        xs = sorted({*xs, turn})
    values = search.numbers(level.factor, setting, xs)
    known = [(x, y) for x, y in zip(xs, values, strict=True) if y is not None]
    found = [(x, True) for x, y in known if y == 0]
    for (low, one), (high, other) in pairwise(known):
        if one * other < 0:
            found += filter(None, [_zero(search, level.factor, setting, (low, one), (high, other))])
    yield from sorted(found, key=lambda pair: (not pair[1], abs(pair[0])))


def _zero(
    search: GridSearch, factor: Expr, setting: Setting, low: tuple[Fraction, Any], high: tuple[Fraction, Any]
) -> tuple[Fraction, bool] | None:
    """The zero between two predictions at which a factor has different signs; None where it jumps past 0.

    By false position, in which an end that stays counts half each time (Dowell and Jarratt 1971, A modified regula
    falsi method, BIT 11, doi:10.1007/BF01934364); every third step halves the interval, for exponentials.
    """
    m = search.m
    (a, fa), (c, fc) = ((m.number(x), y) for x, y in (low, high))
    for step in range(_STEPS):
        x = (a + c) / 2 if step % 3 == 2 else (a * fc - c * fa) / (fc - fa)
        y = _at(search, factor, setting, x)
        if y is None:
            return None
        if abs(y) <= m.number(_NOTHING) * (1 + abs(x)):
            return _decimal(search, factor, setting, x)
        if y * fc < 0:
            a, fa = c, fc
        else:
            fa = fa / 2
        c, fc = x, y
    return None


def _at(search: GridSearch, factor: Expr, setting: Setting, x: Any) -> Any | None:
    """A factor at a number of many digits."""
    return search.numbers(factor, setting, [exact(x)])[0]


def exact(value: Any) -> Fraction:
    """A number of mpmath's as the fraction that it is."""
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-mantissa if sign else mantissa) * (
        Fraction(2**exponent) if exponent > 0 else Fraction(1, 2**-exponent)
    )


def _decimal(search: GridSearch, factor: Expr, setting: Setting, x: Any) -> tuple[Fraction, bool]:
    """The plain decimal at or next to a zero, and whether the factor is 0 there: by fractions alone, for no digits are
    lost among these."""
    near = Fraction(str(search.m.nstr(x, 15)))
    point = {**setting, search.loss.prediction.nodes[0]: near}
    put: dict[Expr, Expr] = {node: b.const(value) for node, value in point.items()}
    return near, b.exact(b.substitute(factor, put)) == 0


def _is_selected(search: GridSearch, level: Level, setting: Setting, x: Fraction) -> bool:
    """Whether an operation that has no value at a prediction reaches the loss, next to it on each admissible side."""
    if not _counts(search, level.node, setting, x):
        return False
    bounds = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    beside = [x + sign * step for step in _BESIDE for sign in (1, -1)]
    inside = [one for one in (x, *beside) if bounds.contains(one)]
    for one in inside:
        live = selected(level.root, search.parts(level.root, setting, [one]), 1)
        if level.node not in live or not live[level.node].all():
            return False
    return bool(inside)


def _counts(search: GridSearch, node: Call, setting: Setting, x: Fraction) -> bool:
    """Whether an operation has no value where its base, or what it takes the logarithm of, is 0."""
    name, (first, *others) = node.op.name, node.args
    if name == "pow":
        (exponent,) = search.numbers(others[0], setting, [x])
        return exponent is not None and bool(exponent < 0)
    if name == "xlogy":
        (factor,) = search.numbers(first, setting, [x])
        return factor is not None and bool(factor != 0)
    return True


# --- what a pole shows ------------------------------------------------------------------------------------------


def escapes(search: GridSearch, found: Sequence[Pole]) -> Iterator[DomainError]:
    """One escape for each operation with a pole."""
    seen: set[Expr] = set()
    for pole in found:
        node = pole.level.shown
        if node not in seen:
            seen.add(node)
            yield escape("value", search.loss, node, _result(search, pole), search.at(pole.setting, pole.x))


def _result(search: GridSearch, pole: Pole) -> str:
    """What an operation gives at a pole; "unbounded" of one that is no decimal."""
    if not pole.is_exact:
        return "unbounded"
    value, beside = (
        search.parts(pole.level.node, pole.setting, [x])[pole.level.node].ravel().tolist()[0]
        for x in (pole.x, pole.x + _BESIDE[0])
    )
    if search.m.isfinite(value):  # by the rounding of 50 digits, to either side of 0
        return "inf" if beside > 0 else "-inf"
    return shown(value, search.m)


def gap(search: GridSearch, found: Sequence[Pole]) -> Verdict | None:
    """A pole between predictions that have a value on either side, however near."""
    bounds = search.view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    for pole in found:
        near = [pole.x + sign * step for step in _BESIDE for sign in (-1, 1)]
        if all(map(bounds.contains, near)) and None not in search.values(pole.setting, near):
            at, *ends = (search.at(pole.setting, x) for x in (pole.x, *near[:2]))
            where = "there" if pole.is_exact else "next to it there"
            detail = f"{where} is no finite value, though there is one on either side"
            return Verdict("refuted", "search", at=at, beside=tuple(ends), detail=detail)
    return None

"""The shape of a loss of one number: whether it is bounded, where it is least, flat or steep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Any

from lossdsl.analyze.piece_reports import asked
from lossdsl.ir import build as b
from lossdsl.ir.bounds import INF, Bounds, point
from lossdsl.ir.expr import Expr
from lossdsl.ir.prediction_view import PredictionView
from lossdsl.ir.text import decimal, formula
from lossdsl.ir.verdict import OPEN, Number, Verdict
from lossdsl.prove.asymptotics import towards
from lossdsl.prove.case_splits import CaseSplit, Cell
from lossdsl.prove.certificates import SemialgebraicSet
from lossdsl.prove.composition import Composition
from lossdsl.prove.growth_orders import Growth
from lossdsl.prove.piecewise import Piecewise
from lossdsl.prove.rational_field import RationalFunction, TooLarge, atoms_in
from lossdsl.refute.counterexamples import _below, _text
from lossdsl.refute.grid_search import GridLine, GridSearch, Setting
from lossdsl.refute.poles import Pole
from lossdsl.source import Span

_LARGE = Fraction(10**6)
SETTINGS = 40
"""For how many settings of everything else the ends are looked at."""
THIRDS = 60
"""How often a third of an interval is left out in which a loss is least."""


@dataclass(frozen=True)
class Minimiser:
    """What a loss is least at: `text` in words, `level` the level of a quantile as a formula, `kind` one word.

    `kind` is "mean", "median" or "quantile" (which of a distribution of targets the best prediction is), "t" where only
    a single target is understood, or "" where it is at another prediction, then `at` is one target with the best
    prediction that was found.
    """

    kind: str
    text: str
    level: str = ""
    verdict: Verdict = OPEN
    at: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Flat:
    """A region in which the loss does not change with the prediction though it is less elsewhere.

    `where` says where as a condition, `span` where that is asked, and `value` is the value at the point `at`.
    """

    where: str
    at: Mapping[str, Number]
    verdict: Verdict
    value: str
    span: Span | None = None


def unbounded(
    search: GridSearch,
    below: bool | None = None,
    *,
    of: Callable[[Expr], Expr] | None = None,
    gaps: Sequence[Pole] = (),
) -> Verdict | None:
    """A setting for which the loss (or what `of` makes of it) has an infinite limit; `below`: minus infinity only.

    Limits are looked for towards the ends of the predictions and towards the gaps between them.
    """
    expr = search.view.expr if of is None else of(search.view.expr)
    what = "the slope" if of is not None else "the value"
    seen: set[Expr] = set()
    for setting in islice(search.settings(), SETTINGS):
        plain = _settled(expr, setting)
        if plain in seen or not _is_of_case(search.view, setting):
            continue  # seen with another value of a parameter that has no part in it
        seen.add(plain)
        inside = [pole for pole in gaps if pole.is_exact and pole.setting == setting]
        for end, found in (*_ends(search, plain), *_sides(search, plain, inside)):
            if not found.end or (below is not None and (found.end < 0) != below):
                continue
            return Verdict(
                "refuted", "limits", at=search.at(setting, end.place),
                detail=f"{what} goes to {'inf' if found.end > 0 else '-inf'} as the prediction {end.way}",
            )  # fmt: skip
    return None


def fading(search: GridSearch, of: Callable[[Expr], Expr]) -> Verdict | None:
    """A setting for which the slope, which `of` makes of the loss, goes to 0 though the loss is less elsewhere."""
    slope = of(search.view.expr)
    for line in islice(search.lines, SETTINGS):
        values = line.finite()
        if not _is_of_case(search.view, line.setting):
            continue
        for end, found in _ends(search, _settled(slope, line.setting)):
            if not end.is_far or found.limit != point(0) or not values:
                continue
            x, last = values[-1 if end.place > 0 else 0]
            if last > _lifted(search, min(y for _, y in values)):
                detail = f"the slope goes to 0 as the prediction {end.way}"
                return Verdict("refuted", "limits", at=search.at(line.setting, x), detail=detail)
    return None


@dataclass(frozen=True)
class End:
    """An end of the predictions, in words, and a prediction near it."""

    way: str
    place: Fraction
    is_far: bool


def _is_of_case(view: PredictionView, setting: Setting) -> bool:
    """Whether a setting has the value of the target that the loss is looked at for."""
    case, target = view.target_case, view.loss.target
    return case is None or target is None or setting.get(target.nodes[0]) == case


def _settled(expr: Expr, setting: Setting) -> Expr:
    """An expression of the prediction alone."""
    return b.substitute(expr, {node: b.const(value) for node, value in setting.items()})


def _ends(search: GridSearch, plain: Expr) -> Iterator[tuple[End, Growth]]:
    """How an expression of the prediction alone grows towards each of its ends, as far as that is known."""
    view, leaf = search.view, search.view.variable
    if leaf is None:
        return
    bounds = view.leaves.get(search.loss.prediction.nodes[0], Bounds())
    settled = Composition(frozenset({leaf}), {}).bounds
    for sign in (1, -1):
        end = bounds.high if sign > 0 else bounds.low
        is_far = end in (INF, -INF)
        if view.moves:
            end = -end  # the error falls as the prediction grows
        found = towards(plain, leaf, end, -sign, settled)
        if found is not None and is_far:
            yield End("grows" if sign > 0 else "falls", sign * _LARGE, is_far), found
        elif found is not None:
            yield _near(Fraction(end), sign), found


def _near(x: Fraction, sign: int) -> End:
    """A prediction as an end of those below it (`sign` 1) or above."""
    return End(f"{'grows' if sign > 0 else 'falls'} to {decimal(x)}", x - sign / _LARGE, False)


def _sides(search: GridSearch, plain: Expr, inside: Sequence[Pole]) -> Iterator[tuple[End, Growth]]:
    """How an expression of the prediction alone grows towards each side of predictions without a value."""
    view, leaf, target = search.view, search.view.variable, search.loss.target
    if leaf is None:
        return
    settled = Composition(frozenset({leaf}), {}).bounds
    for pole in inside:
        # The error falls as the prediction grows.
        end, turn = (pole.setting[target.nodes[0]] - pole.x, -1) if view.moves and target is not None else (pole.x, 1)
        for sign in (1, -1):
            beside = [pole.x - sign / far for far in (_LARGE, _LARGE**2)]
            if None in search.values(pole.setting, beside):
                continue  # there the loss has no value, whatever its slope would be
            found = towards(plain, leaf, end, -sign * turn, settled)
            if found is not None:
                yield _near(pole.x, sign), found


def _lifted(search: GridSearch, least: Any) -> Any:
    """What a value must exceed to be more than the least one, and not by rounding."""
    return least + search.m.mpf(10) ** -12 * (1 + abs(least))


def flats(view: PredictionView, pieces: Piecewise, search: GridSearch) -> Iterator[Flat]:
    """The cells on which the slope is proved to be 0 although a smaller value was found."""
    for cell in filter(partial(_is_level, view, pieces), pieces.whole):
        for line in search.lines:
            found = _above_least(view, pieces, cell, search, line) if _is_of_case(view, line.setting) else None
            if found is not None:
                x, y = found
                splits = _telling(pieces, cell)
                where = " and ".join(_condition(view, split) for split in splits) or "everywhere"
                span = view.span(splits[-1].asker) if splits else None
                yield Flat(where, search.at(line.setting, x), Verdict("proved", "pieces"), _text(y), span)
                break


def _is_level(view: PredictionView, pieces: Piecewise, cell: Cell) -> bool:
    """Whether the slope is proved to be 0 on a cell."""
    try:
        is_flat = pieces.assumptions.forms.of(pieces.slope(cell.value)).is_zero
    except TooLarge:
        return False
    return bool(is_flat and pieces.assumptions.composition(None, view.variables)[cell.value].continuous)


def _above_least(
    view: PredictionView, pieces: Piecewise, cell: Cell, search: GridSearch, line: GridLine
) -> tuple[Fraction, Any] | None:
    """The plainest point of a line on a level cell, with its value, if several of them lie above the least value."""
    found = line.finite()
    if not found:
        return None
    least = min(y for _, y in found)
    gap = search.m.mpf(10) ** -12 * (1 + abs(least))
    high = [(x, y) for x, y in found if y > least + gap]
    levels = search.numbers(view.written(cell.value), line.setting, [x for x, _ in high])
    level = next((y for y in levels if y is not None), None)
    high = [(x, y) for x, y in high if level is not None and abs(y - level) < gap]
    high = [(x, y) for x, y in high if _holds(view, pieces, cell.splits, line.setting, x, search)]
    return min(high, key=lambda pair: (pair[0].denominator, abs(pair[0]))) if len(high) >= 2 else None


def _telling(pieces: Piecewise, cell: Cell) -> list[CaseSplit]:
    """The answers that make a cell what it is, without those that follow from the others."""
    kept = list(cell.splits)
    for split in cell.splits:
        others = [one for one in kept if one is not split]
        region = SemialgebraicSet()
        for one in others:
            region = region.with_sign(one.difference, one.sign)
        if others and pieces.assumptions.within(region).sign(split.difference) == (split.sign, True):
            kept = others
    return kept


def _condition(view: PredictionView, split: CaseSplit) -> str:
    one, other = asked(view, split.asker)
    return f"{one} {'>' if split.sign > 0 else '<'} {other}"


def _holds(
    view: PredictionView, pieces: Piecewise, splits: object, setting: object, x: Fraction, search: GridSearch
) -> bool:
    numbers = dict(setting)  # type: ignore[call-overload]
    numbers[search.loss.prediction.nodes[0]] = x
    for split in splits:  # type: ignore[attr-defined]
        difference = view.written(
            pieces.assumptions.forms.expr(pieces.assumptions.forms.of_polynomial(split.difference))
        )
        value = search.number(difference, numbers)
        if value is None or (value > 0) - (value < 0) != split.sign:
            return False
    return True


# --- what is learned ----------------------------------------------------------------------------------------------


def statistic(view: PredictionView, pieces: Piecewise) -> tuple[str, str]:
    """Which statistic of its targets a loss is least at, from its slope: ("mean", ""), ("quantile", level) or "".

    The mean if the slope is of degree 1 in the target (and the target itself is where the loss is least); a quantile if
    the slope is a constant on either side of the target.
    """
    target = view.loss.target
    if target is None or len(target.nodes) != 1:
        return "", ""
    forms = pieces.assumptions.forms
    t = target.nodes[0]
    try:
        slopes = [forms.of(view.written(pieces.slope(cell.value))) for cell in pieces.whole]
    except TooLarge:
        return "", ""
    level = _quantile(view, pieces, slopes)
    if level is not None:
        return ("median", "") if b.is_const(level, 0.5) else ("quantile", formula(level))
    if len({one.key for one in slopes}) != 1 or view.target_case is not None:
        return "", ""
    used = [place for place in _places(slopes[0]) if b.depends(forms.atoms[place], (t,))]
    is_alone = len(used) == 1 and forms.atoms[used[0]] is t
    ratio = slopes[0]
    is_linear = is_alone and (ratio.top.degrees()[used[0]], ratio.bottom.degrees()[used[0]]) == (1, 0)
    return ("mean" if is_linear else "", "")


def _quantile(view: PredictionView, pieces: Piecewise, slopes: Sequence[RationalFunction]) -> Expr | None:
    """The level of the quantile that a loss is least at: its slope is one constant below the target, another above."""
    forms, target = pieces.assumptions.forms, view.loss.target
    nodes = (*(target.nodes if target is not None else ()), view.loss.prediction.nodes[0])
    if len(pieces.whole) != 2 or not view.moves:
        return None
    if any(b.depends(forms.atoms[place], nodes) for one in slopes for place in _places(one)):
        return None
    pairs = list(zip(slopes, pieces.whole, strict=True))
    ups = [one for one, cell in pairs if _is_below(pieces, cell, above=False)]
    downs = [one for one, cell in pairs if _is_below(pieces, cell, above=True)]
    if len(ups) != 1 or len(downs) != 1:
        return None
    return forms.expr(forms.div(forms.negative(downs[0]), forms.sub(ups[0], downs[0])))


def _places(ratio: object) -> list[int]:
    return sorted({*atoms_in(ratio.top), *atoms_in(ratio.bottom)})  # type: ignore[attr-defined]


def _is_below(pieces: Piecewise, cell: object, *, above: bool) -> bool:
    """Whether a cell is the side of targets above (or below) the prediction: the error's sign."""
    error = pieces.assumptions.forms.of(pieces.leaf).top
    found = pieces.assumptions.within(cell.region).sign(error)  # type: ignore[attr-defined]
    return found is not None and found[1] and (found[0] > 0) == above


def searched(search: GridSearch, verdict: Verdict) -> Minimiser:
    """The best prediction for the first target for which one is found that is not the target itself."""
    target = search.loss.target
    node = target.nodes[0] if target is not None and len(target.nodes) == 1 else None
    for line in search.lines:
        found = line.finite()
        x = _lowest(search, line, line.xs.index(min(found, key=lambda pair: pair[1])[0])) if found else None
        if x is not None and (node is None or x != line.setting[node]):
            name = search.loss.prediction.nodes[0].name
            return Minimiser("", f"{name} = {decimal(x)}", "", verdict, search.at(line.setting, x))
    return Minimiser("", "", verdict=verdict)


def _lowest(search: GridSearch, line: GridLine, place: int) -> Fraction | None:
    """Where a loss is least between the neighbours of a point of its grid, to six digits.

    None where it falls towards one of the neighbours, up to a jump or for ever.
    """
    beside = [line.values[at] for at in (place - 1, place + 1) if 0 <= at < len(line.values)]
    x, y = line.xs[place], line.values[place]
    if len(beside) < 2 or None in beside:
        return None
    low, high = line.xs[place - 1], line.xs[place + 1]
    for _ in range(THIRDS):
        third = (high - low) / 3
        one, other = search.values(line.setting, [low + third, high - third])
        if one is None or other is None:
            return x
        low, high = (low, high - third) if one < other else (low + third, high)
    if low == line.xs[place - 1] or high == line.xs[place + 1]:
        return None
    found = Fraction(f"{float(low + high) / 2:.6g}")
    (value,) = search.values(line.setting, [found])
    return found if value is not None and _below(search, value, y) else x

"""Random piecewise formulas, worked out at 60 digits by means of their own, against what is claimed of them.

`random_losses.py` makes them. `python tests/soundness.py 2000` tries so many; `tests/test_soundness.py` a few of them.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

from random_losses import KINDS, RANGES, ROW_KINDS, SIMPLEX, Env, Given, M, Part, Pick, RandomLoss, Unsure, random_loss

from lossdsl import pipeline
from lossdsl.analyze import Analyzer, Verdict, analyzer
from lossdsl.checks.settings import covering
from lossdsl.errors import LossError
from lossdsl.ir.loss import EXPECTED
from lossdsl.source import Source

HUGE = M.mpf(10) ** 5
TINY = M.mpf(10) ** -35

# --- a loss along a line of predictions ---------------------------------------------------------------------------


@dataclass
class Line:
    """A loss on predictions x(s): for an elementwise loss x = s, for one over an axis a line through it."""

    loss: RandomLoss
    ts: list[Any]
    given: Given
    base: list[Any]
    way: list[Any]
    low: Any
    high: Any
    told: dict[Any, Any] = field(default_factory=dict)
    """The values that were worked out: each claim looks at the same places."""

    def __str__(self) -> str:
        given = [f"{word}={M.nstr(value, 6)}" for word, value in self.given.items()]
        rows = {"t": self.ts, "base": self.base, "way": self.way}
        return ", ".join([*given, *(f"{word}={[float(one) for one in row]}" for word, row in rows.items())])

    def xs(self, s: Any) -> list[Any]:
        return [base + s * way for base, way in zip(self.base, self.way, strict=True)]

    def at(self, s: Any) -> Any:
        """The value; nan where there is none, None where nothing can be said."""
        if s not in self.told:
            try:
                self.told[s] = self.loss.value(self.ts, self.xs(s), self.given)
            except Unsure:
                self.told[s] = None
        return self.told[s]

    @cached_property
    def places(self) -> tuple[list[Any], list[Any]]:
        """Special places, and all that are looked at: those, their neighbours and a grid."""
        special = self.special()
        grid = {self.low + (self.high - self.low) * M.mpf(k) / 53 for k in range(54)}
        close = {s + sign * M.mpf(10) ** -far for s in special for far in (2, 6, 12, 25) for sign in (1, -1)}
        return special, sorted(s for s in {*special, *grid, *close} if self.low <= s <= self.high)

    def finite(self, places: Sequence[Any]) -> list[tuple[Any, Any]]:
        inside = [s for s in places if self.low <= s <= self.high and self.is_admissible(s)]
        found = [(s, self.at(s)) for s in inside]
        return [(s, y) for s, y in found if y is not None and M.isfinite(y)]

    def is_admissible(self, s: Any) -> bool:
        return self.loss.admits(self.xs(s))

    def special(self) -> list[Any]:
        """Where something that is critical passes 0, by bisection, and where predictions are targets or whole."""
        grid = [self.low + (self.high - self.low) * M.mpf(k) / 60 for k in range(61)]
        found = {M.mpf(k) for k in range(-3, 4)} | {self.low, self.high, *self.ts}
        for place, t in enumerate(self.ts):
            if self.way[place]:
                found.add((t - self.base[place]) / self.way[place])
        for functions in (self._critical(), self._bends()):
            for function in functions:
                found.update(self._zeros(function, grid))
        return sorted(s for s in found if self.low <= s <= self.high)[:40]

    def _critical(self) -> list[Callable[[Any], Any]]:
        """What the formula breaks or bends with where it is 0, at each element."""

        def at(critical: Callable[[Env], Any], place: int) -> Callable[[Any], Any]:
            return lambda s: critical(self.loss.elements(self.ts, self.xs(s), self.given)[place])

        return [at(critical, place) for place in range(len(self.ts)) for critical in self.loss.formula.critical[:12]]

    def _bends(self) -> list[Callable[[Any], Any]]:
        """The same of the parts of a loss of rows."""

        def at(part: Part, place: int) -> Callable[[Any], Any]:
            return lambda s: part.bends(self.ts, self.xs(s))[place]

        parts = self.loss.parts.values()
        return [at(part, place) for part in parts for place in range(len(part.bends(self.ts, self.xs(self.low))))]

    def _zeros(self, function: Callable[[Any], Any], grid: list[Any]) -> list[Any]:
        def at(s: Any) -> Any:
            try:
                found = function(s)
            except Unsure:
                return None
            return found if M.isfinite(found) else None

        signs = [(s, value) for s in grid if (value := at(s)) is not None]
        zeros = [s for s, value in signs if value == 0]
        for (low, one), (high, other) in pairwise(signs):
            if one * other < 0:
                for _ in range(190):
                    middle = (low + high) / 2
                    value = at(middle)
                    if value is None:
                        break
                    low, high = (middle, high) if value * one > 0 else (low, middle)
                zeros.append((low + high) / 2)
        return zeros


def lines(loss: RandomLoss, pick: Pick, count: int) -> list[Line]:
    draw = _line_of_rows if loss.is_of_rows else _line_of_elements
    return [draw(loss, pick) for _ in range(count)]


def _line_of_elements(loss: RandomLoss, pick: Pick) -> Line:
    low, high = map(M.mpf, RANGES[loss.x])
    ts = [M.mpf(pick(KINDS[loss.t])) for _ in range(3 if loss.over else 1)]
    given = pick(loss.parameters)
    if not loss.over:
        return Line(loss, ts, given, [M.zero], [M.one], low, high)
    return Line(loss, ts, given, *_through(loss, pick), M.mpf(-3), M.mpf(3))


def _line_of_rows(loss: RandomLoss, pick: Pick) -> Line:
    ts, given = list(map(M.mpf, pick(ROW_KINDS[loss.t]))), pick(loss.parameters)
    if loss.x != "simplex":
        return Line(loss, ts, given, *_through(loss, pick), M.mpf(-3), M.mpf(3))
    base, end = (list(map(M.mpf, pick(SIMPLEX))) for _ in range(2))
    if base == end:
        end = [M.mpf("0.25"), M.mpf("0.25"), M.mpf("0.5")]
    return Line(loss, ts, given, base, [b - a for a, b in zip(base, end, strict=True)], M.zero, M.one)


def _through(loss: RandomLoss, pick: Pick) -> tuple[list[Any], list[Any]]:
    """A point of three predictions, and a direction."""
    is_free = loss.x in ("real", "logits")
    base = [M.mpf(pick(["0", "1", "-1.5", "0.5", "2"] if is_free else ["0.5", "0.25", "1"])) for _ in range(3)]
    way = [M.mpf(pick(["0.25", "1", "-0.5", "0"] if is_free else ["0", "0.125"])) for _ in range(3)]
    way[0] = way[0] or M.one / 8
    sign = -1 if loss.x == "logprob" else 1
    return [sign * one for one in base], way


# --- what contradicts a claim -------------------------------------------------------------------------------------


def _slack(*values: Any) -> Any:
    return TINY * (1 + sum(map(abs, values)))


def negative(line: Line) -> str:
    return next((f"{y} at {s}" for s, y in line.finite(line.places[1]) if y < -_slack()), "")


def on_target(line: Line) -> Any:
    """The value where the prediction is the target; None where that is no admissible prediction."""
    if line.loss.t == "label" or not line.loss.admits(line.ts):
        return None
    try:
        return line.loss.value(line.ts, line.ts, line.given)
    except Unsure:
        return None


def nonzero(line: Line) -> str:
    found = on_target(line)
    return f"{found} at the target" if found is not None and not abs(found) <= _slack() else ""


def less(line: Line) -> str:
    best = on_target(line)
    if best is None:
        return ""
    found = line.finite(line.places[1])
    if not M.isfinite(best):
        return "no value at the target" if found else ""
    return next((f"{y} at {s}, {best} at the target" for s, y in found if y < best - _slack(best)), "")


def lopsided(line: Line) -> str:
    for s in line.places[1]:
        mirror = [2 * t - x for t, x in zip(line.ts, line.xs(s), strict=True)]
        other = Line(line.loss, line.ts, line.given, mirror, [M.zero] * len(mirror), M.zero, M.zero)
        if not (line.is_admissible(s) and other.is_admissible(M.zero)):
            continue
        one, two = line.at(s), other.at(M.zero)
        if one is None or two is None or not (M.isfinite(one) and M.isfinite(two)):
            continue
        beside = line.at(s + M.mpf(10) ** -55 * (1 + abs(s)))
        is_steady = beside is not None and abs(beside - one) < _slack(one)  # else digits are lost in this evaluation
        if abs(one - two) > _slack(one, two) and is_steady:
            return f"{one} and {two} at {s}"
    return ""


def bent(line: Line) -> str:
    found = line.finite(line.places[1])
    for step in (1, 2, 5, 13):
        for (a, fa), (s, fs), (c, fc) in zip(found, found[step:], found[2 * step :], strict=False):
            share = (s - a) / (c - a)
            if fs > fa + share * (fc - fa) + _slack(fa, fc):
                return f"{fs} at {s}, above the line from {a} to {c}"
    return gap(line)


def gap(line: Line) -> str:
    """A place without a value between two that have one."""
    order = [(s, line.at(s)) for s in line.places[1] if line.is_admissible(s)]
    order = [(s, y) for s, y in order if y is not None]
    have = [place for place, (_, y) in enumerate(order) if M.isfinite(y)]
    inner = order[have[0] : have[-1]] if have else []
    return next((f"no value at {s}" for s, y in inner if not M.isfinite(y)), "")


FAR, MIDDLE, NEAR = (M.mpf(10) ** -far for far in (12, 20, 28))


def broken(line: Line) -> str:
    """A jump, a pole or a gap."""
    special, _ = line.places
    for s in special:
        found = break_at(line, s)
        if found:
            return found
    return gap(line)


def break_at(line: Line, s: Any) -> str:
    """What happens at a place that is not continuous."""
    steps = (FAR, MIDDLE, NEAR)
    sides = [[line.at(s + sign * h) if line.is_admissible(s + sign * h) else None for h in steps] for sign in (-1, 1)]
    middle = line.at(s) if line.is_admissible(s) else None
    if any(y is None or not M.isfinite(y) for side in sides for y in side):
        return ""
    for side in sides:
        if abs(side[2]) > 1 + M.mpf("1.2") * abs(side[0]):
            return f"a pole at {s}: {side[2]}"
    gaps = [abs(high - low) for low, high in zip(*sides, strict=True)]
    if middle is not None and not M.isfinite(middle):
        return f"no value at {s}, though there is one on either side"
    if middle is not None:
        gaps = [max(one, abs(middle - side[place])) for place, one in enumerate(gaps) for side in sides[:1]]
    size = 1 + max(abs(side[2]) for side in sides)
    return f"a jump of {gaps[2]} at {s}" if gaps[2] > max(size / 10**6, gaps[0] * M.mpf("0.9")) else ""


def kinked(line: Line) -> str:
    special, _ = line.places
    return broken(line) or next(filter(None, (kink_at(line, s) for s in special)), "")


def kink_at(line: Line, s: Any) -> str:
    """A slope that jumps, or grows without end."""
    slopes = []
    for h in (FAR, MIDDLE):
        ends = [line.at(s + k * h) if line.is_admissible(s + k * h) else None for k in (-2, -1, 1, 2)]
        if any(y is None or not M.isfinite(y) for y in ends):
            return ""
        slopes.append(((ends[1] - ends[0]) / h, (ends[3] - ends[2]) / h))
    size = 1 + max(abs(slope) for pair in slopes for slope in pair)
    (far_left, far_right), (left, right) = slopes
    if max(abs(left), abs(right)) > 2 * (1 + max(abs(far_left), abs(far_right))):
        return f"a slope without end at {s}: {left}, {right}"
    jump, before = abs(right - left), abs(far_right - far_left)
    return f"a kink at {s}: {left}, {right}" if jump > size / 10**6 and jump > before * M.mpf("0.9") else ""


def unbounded(line: Line) -> str:
    """Values that grow towards an end of the predictions, or a pole."""
    special, every = line.places
    usual = [abs(y) for _, y in line.finite(every)]
    far = []
    for power in (3, 10, 40):
        for sign in (1, -1):
            s = sign * M.mpf(10) ** power
            y = line.at(s) if line.is_admissible(s) else None
            far += [abs(y)] if y is not None and M.isfinite(y) else []
    near = []
    for s in special:
        for sign in (1, -1):
            found = [abs(y) for _, y in line.finite([s + sign * FAR, s + sign * NEAR])]
            near += found[1:] if len(found) == 2 and found[1] > M.mpf("1.2") * found[0] else []
    most = max([*far, *near], default=M.zero)
    return f"{most}" if usual and most > 1000 * (1 + sorted(usual)[len(usual) // 2]) else ""


def undefined(line: Line) -> str:
    for s in line.places[1]:
        y = line.at(s) if line.is_admissible(s) else None
        if y is not None and not M.isfinite(y):
            return f"no value at {s}"
    return ""


def sinking(line: Line) -> str:
    """Values that fall without end, towards an end of the predictions or at a place."""
    special, every = line.places
    usual = sorted(abs(y) for _, y in line.finite(every))
    ends = [[sign * M.mpf(10) ** power for power in (3, 10, 40)] for sign in (1, -1)]
    around = [[s + sign * step for step in (FAR, MIDDLE, NEAR)] for s in special for sign in (1, -1)]
    for way in (*ends, *around):
        found = [y for _, y in line.finite(way)]
        if usual and len(found) == 3 and found[2] < min(M.mpf("1.2") * found[1], -1000 * (1 + usual[len(usual) // 2])):
            return f"{found[2]} at {way[2]}"
    return ""


def steep(line: Line) -> str:
    """A slope that grows without end, towards an end of the predictions or at a place."""

    def slope(s: Any, h: Any) -> Any:
        ends = line.finite([s, s + h])
        return abs(ends[1][1] - ends[0][1]) / abs(h) if len(ends) == 2 else M.zero

    special, every = line.places
    usual = sorted(slope(s, M.mpf(10) ** -25) for s in every)[len(every) // 2]
    ends = [[slope(sign * M.mpf(10) ** power, M.one) for power in (3, 8, 13)] for sign in (1, -1)]
    around = [[slope(s + sign * h, sign * h) for h in (FAR, MIDDLE, NEAR)] for s in special for sign in (1, -1)]
    for found in (*ends, *around):
        if found[2] > 1000 * (1 + usual) and found[2] > 2 * found[1] > 4 * found[0]:
            return f"slopes of {[M.nstr(one, 5) for one in found]}"
    return ""


def _changed(line: Line, change: Callable[[Any], Any]) -> str:
    """A place at which the value is another when each prediction is changed."""
    for s in line.places[1]:
        xs = list(map(change, line.xs(s)))
        moved = Line(line.loss, line.ts, line.given, xs, [M.zero] * len(xs), M.zero, M.zero)
        if not (line.is_admissible(s) and moved.is_admissible(M.zero)):
            continue
        one, other, beside = line.at(s), moved.at(M.zero), line.at(s + M.mpf(10) ** -52 * (1 + abs(s)))
        if any(y is None or not M.isfinite(y) for y in (one, other, beside)) or abs(beside - one) > _slack(one):
            continue  # a value that a last digit changes says nothing
        if abs(one - other) > _slack(one, other):
            return f"{one} and {other} at {s}"
    return ""


def shifted(line: Line) -> str:
    return next(filter(None, (_changed(line, lambda x, by=by: x + by) for by in (M.mpf("0.5"), M.mpf(-40)))), "")


def scaled(line: Line) -> str:
    return next(filter(None, (_changed(line, lambda x, by=by: x * by) for by in (M.mpf("0.25"), M.mpf(40)))), "")


CONTRADICTS: dict[str, Callable[[Line], str]] = {
    "nonnegative": negative,
    "zero at t = x": nonzero,
    "least at t = x": less,
    "symmetric": lopsided,
    "convex": bent,
    "continuous": broken,
    "smooth": kinked,
    "bounded": unbounded,
    "shift invariant": shifted,
    "scale invariant": scaled,
    "finite": undefined,
    "bounded below": sinking,
    "slope bounded": steep,
}


# --- points of refutations ----------------------------------------------------------------------------------------


def _numbers(value: Any) -> list[Any]:
    """A number or nested rows as a list of rows of the last axis."""
    if not isinstance(value, tuple):
        return [[_number(value)]]
    if not isinstance(value[0], tuple):
        return [list(map(_number, value))]
    return [row for part in value for row in _numbers(part)]


def _number(value: Any) -> Any:
    return M.mpf(value.numerator) / value.denominator


def _rows(loss: RandomLoss, at: Any) -> tuple[list[Any], list[Any]]:
    """The rows of targets and predictions of a point; a label once for each element."""
    xs = _numbers(at["x"])
    ts = _numbers(at["t"])
    if loss.t == "label":
        labels = [label for row in ts for label in row]
        ts = [[label] * len(row) for label, row in zip(labels, xs, strict=True)]
    return ts, xs


def _given(loss: RandomLoss, at: Any) -> Given:
    return {word: _number(at[word]) if word in at else one for word, one in loss.parameters[0].items()}


def put_in(loss: RandomLoss, at: Any) -> list[Any]:
    """The values of the loss at a point of a verdict, one a sample."""
    found = []
    for t, x in zip(*_rows(loss, at), strict=True):
        try:
            found.append(loss.value(t, x, _given(loss, at)))
        except Unsure:
            found.append(None)
    return found


def not_admitted(loss: RandomLoss, at: Any) -> str:
    """Why a point is none that the loss admits; "" where it is one."""
    given = {word: at[word] for word in loss.declared.names if word in at}
    if len(given) == len(loss.declared.names) and not loss.declared.admits(*given.values()):
        return f"{given} is not admissible"
    outside = [row for row in _numbers(at["x"]) if loss.x != "simplex" and not loss.admits(row)]
    return f"x={outside} is not admissible" if outside else ""


def not_shown(loss: RandomLoss, claim: str, verdict: Verdict) -> str:
    """Why the point of a refutation does not show what it is said to show; "" where it does."""
    if not verdict.at or claim in ("bounded", "bounded below", "slope bounded"):  # of which one point says little
        return ""
    for one in (verdict.at, *verdict.beside):
        if why := not_admitted(loss, one):
            return why
    middle = put_in(loss, verdict.at)
    around = [put_in(loss, one) for one in verdict.beside]
    if any(y is None for row in (middle, *around) for y in row):
        return ""
    rows = list(zip(middle, *around, strict=True))
    match claim:
        case "nonnegative":
            good = any(row[0] < 0 for row in rows)
        case "zero at t = x":
            good = any(row[0] != 0 for row in rows)
        case "least at t = x":
            good = any(row[0] < row[1] for row in rows)
        case "symmetric" | "shift invariant" | "scale invariant":
            good = any(row[0] != row[1] for row in rows)
        case "finite":
            # between the poles below 0 lossdsl has no value of lgamma and digamma, where mpmath has one
            good = any(not M.isfinite(row[0]) for row in rows) or "gamma(" in loss.text
            good = good or any(_is_near_a_pole(loss, verdict.at, place) for place in range(len(rows)))
        case "convex":
            share = _share(*(_numbers(one["x"]) for one in (verdict.at, *verdict.beside)))
            good = any(row[0] > row[1] + share * (row[2] - row[1]) for row in rows)
        case _ if any(len(row) > 1 for row in _numbers(verdict.at["t"])):
            # of rows a pole alone is shown: to 15 digits where it is, and from a small step on either side
            good = any(not M.isfinite(one) or abs(one) > max(map(abs, beside)) + 3 for one, *beside in rows)
        case _:
            t, x = _numbers(verdict.at["t"])[0], _numbers(verdict.at["x"])[0][0]
            line = Line(loss, t, _given(loss, verdict.at), [M.zero], [M.one], -HUGE, HUGE)
            around_x = [x + sign * step for step in (FAR, MIDDLE) for sign in (1, -1)]
            if any(line.at(s) is None for s in around_x):
                return ""
            is_hole = not M.isfinite(middle[0]) and len(line.finite(around_x)) == 4
            good = is_hole or bool(break_at(line, x) or (claim == "smooth" and kink_at(line, x)))
            good = good or _may_be_rounded(verdict, x)
    return "" if good else f"{verdict} is not so: {rows}"


def _share(middle: list[Any], low: list[Any], high: list[Any]) -> Any:
    """How far from one end of a line a prediction lies, as a share of its length."""
    for rows in zip(middle, low, high, strict=True):
        for x, a, b in zip(*rows, strict=True):
            if a != b:
                return (x - a) / (b - a)
    return M.mpf("0.5")


def _may_be_rounded(verdict: Verdict, x: Any) -> bool:
    """Whether a join lies between decimals, so that the point told is near it only."""
    return Fraction(verdict.at["x"]).denominator > 10**6


def _is_near_a_pole(loss: RandomLoss, at: Any, place: int) -> bool:
    """Whether a pole that is no decimal lies next to a point: values grow there, or something critical passes 0."""
    if loss.is_of_rows or Fraction(at["x"]).denominator <= 10**6:
        return False
    t, x = (rows[place][0] for rows in _rows(loss, at))
    line = Line(loss, [t], _given(loss, at), [M.zero], [M.one], x - M.mpf(10) ** -6, x + M.mpf(10) ** -6)
    grown = break_at(line, x)
    return bool(grown) or any(abs(s - x) < M.mpf(10) ** -12 * (1 + abs(x)) for s in line.special() if s != x)


# --- trials -------------------------------------------------------------------------------------------------------


def analyzed(text: str) -> Analyzer:
    """What is found out of a loss, for whatever its `int` parameters are."""
    file = pipeline.parsed(Source(text))
    return analyzer(next(iter(covering(file)), None) or pipeline.program(file))  # the latter raises a LossError


def faults(loss: RandomLoss, pick: Pick, count: int = 4, told: Counter[str] | None = None) -> list[str]:
    """What is claimed of a loss and is not so; `told` counts what was claimed."""
    found = analyzed(loss.text)
    sampled = lines(loss, pick, count)
    wrong = []
    for claim in EXPECTED:
        verdict = found.decide(claim)
        if told is not None:
            told[f"{claim}: {verdict.how}"] += 1
        if verdict.how == "proved":
            against = [(line, CONTRADICTS[claim](line)) for line in sampled]
            wrong += [f"{claim}: {verdict}, but {why}, {line}" for line, why in against if why]
        elif verdict.how == "refuted" and (why := not_shown(loss, claim, verdict)):
            wrong.append(f"{claim}: {why}")
    return wrong


def main(count: int, seed: int) -> int:
    bad = empty = 0
    told: Counter[str] = Counter()
    for number in range(seed, seed + count):
        source = random.Random(number)
        loss = random_loss(source.choice)
        try:
            wrong = faults(loss, source.choice, told=told)
        except LossError:  # a formula in which nothing is left of the prediction
            empty += 1
            continue
        if wrong:
            bad += 1
            print(f"--- {number}\n{loss.text}", *wrong, sep="\n  ", flush=True)
    print(f"{count} formulas, {empty} without a prediction, {dict(sorted(told.items()))}")
    print(f"{count - empty} formulas, {bad} of which something was claimed that is not so")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))

"""Random piecewise formulas, worked out at 60 digits by means of their own, against what is claimed of them.

A formula is made as a text in the language and as a Python function of mpmath's numbers at once, so that what it is
compared with shares nothing with lossdsl: neither the parser nor the interpreter. `python tests/soundness.py 2000`
tries so many; `tests/test_soundness.py` a few of them.
"""

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from mpmath import MPContext

from lossdsl import pipeline
from lossdsl.analyze import Analyzer, Verdict, analyzer
from lossdsl.errors import LossError
from lossdsl.ir.loss import PROPERTIES
from lossdsl.source import Source

M = MPContext()
M.dps = 60
NAN = M.nan
HUGE = M.mpf(10) ** 5
TINY = M.mpf(10) ** -35

Pick = Callable[[Sequence[Any]], Any]
Env = dict[str, Any]


class Unsure(Exception):
    """A point at which this evaluation has nothing to say."""


# --- functions ----------------------------------------------------------------------------------------------------


def _inside(holds: Callable[[Any], bool], function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda a: function(a) if holds(a) else NAN


def _bounded(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Of arguments whose exponential can be written down."""

    def found(a: Any) -> Any:
        if abs(a) > HUGE:
            raise Unsure
        return function(a)

    return found


def _log_gamma(a: Any) -> Any:
    """log |gamma(a)|, which has poles at 0, -1, -2, ..."""
    return M.inf if a <= 0 and a == M.floor(a) else M.log(abs(M.gamma(a)))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "relu": lambda a: max(a, M.zero),
    "sign": lambda a: M.sign(a),
    "floor": M.floor,
    "sqrt": _inside(lambda a: a >= 0, M.sqrt),
    "exp": _bounded(M.exp),
    "expm1": _bounded(M.expm1),
    "log": _inside(lambda a: a >= 0, lambda a: M.log(a) if a else -M.inf),
    "log1p": _inside(lambda a: a >= -1, lambda a: M.log1p(a) if a > -1 else -M.inf),
    "atanh": _inside(lambda a: abs(a) <= 1, lambda a: M.atanh(a) if abs(a) < 1 else a * M.inf),
    "acosh": _inside(lambda a: a >= 1, M.acosh),
    "asin": _inside(lambda a: abs(a) <= 1, M.asin),
    "atan": M.atan,
    "tanh": M.tanh,
    "tan": _bounded(M.tan),
    "sin": _bounded(M.sin),
    "cos": _bounded(M.cos),
    "sigmoid": _bounded(lambda a: 1 / (1 + M.exp(-a))),
    "softplus": _bounded(lambda a: M.log1p(M.exp(a))),
    "lgamma": _bounded(_log_gamma),
}
OFTEN = ["abs", "abs", "abs", "sqrt", "log", "log", "exp", "log1p", "relu"]
CRITICAL = {"abs", "relu", "sign", "sqrt", "log", "lgamma"}
"""Functions that break, bend or end where their argument is 0."""
ENDS = {"atanh": (-1, 1), "asin": (-1, 1), "acosh": (1,), "log1p": (-1,), "lgamma": (-1, -2)}


@dataclass
class Formula:
    """A formula as text and as a function; `critical` has functions whose zeros are places worth looking at."""

    text: str
    of: Callable[[Env], Any]
    critical: list[Callable[[Env], Any]] = field(default_factory=list)


def constant(text: str) -> Formula:
    value = M.mpf(Fraction(text).numerator) / Fraction(text).denominator
    return Formula(text, lambda env: value)


def name(word: str) -> Formula:
    return Formula(word, lambda env: env[word])


def applied(word: str, a: Formula) -> Formula:
    function = FUNCTIONS[word]
    critical = [*a.critical, *([a.of] if word in CRITICAL else [])]
    critical += [lambda env, end=end: a.of(env) - end for end in ENDS.get(word, ())]
    return Formula(f"{word}({a.text})", lambda env: _of(function, a.of(env)), critical)


def _of(function: Callable[..., Any], *args: Any) -> Any:
    """A function of numbers; of an infinite one floating point goes on where real numbers do not."""
    if any(M.isnan(arg) for arg in args):
        return NAN
    if any(M.isinf(arg) for arg in args):
        raise Unsure
    return function(*args)


def _quotient(a: Any, c: Any) -> Any:
    return NAN if c == 0 else a / c


def _power(a: Any, c: Any) -> Any:
    if abs(c) > 50 or abs(a) > M.mpf(10) ** 1000:
        raise Unsure
    if c == 0:
        return M.one
    if a == 0:
        return M.zero if c > 0 else NAN
    return a**c if a > 0 or c == M.floor(c) else NAN


def _xlogy(a: Any, c: Any) -> Any:
    if a == 0 and c <= 0:
        if c < 0:
            raise Unsure
        return M.zero
    return a * M.log(c) if c > 0 else NAN


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "({} + {})": lambda a, c: a + c,
    "({} - {})": lambda a, c: a - c,
    "({}*{})": lambda a, c: a * c,
    "({})/({})": _quotient,
    "({})^({})": _power,
    "max({}, {})": max,
    "min({}, {})": min,
    "xlogy({}, {})": _xlogy,
}


def combined(shape: str, a: Formula, c: Formula) -> Formula:
    function = OPERATORS[shape]
    critical = [*a.critical, *c.critical]
    if shape[:3] in ("max", "min"):
        critical.append(lambda env: a.of(env) - c.of(env))
    if "/" in shape or "xlogy" in shape:
        critical.append(c.of)
    if "^" in shape:
        critical.append(a.of)
    return Formula(shape.format(a.text, c.text), lambda env: _of(function, a.of(env), c.of(env)), critical)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, c: a < c,
    "<=": lambda a, c: a <= c,
    ">": lambda a, c: a > c,
    ">=": lambda a, c: a >= c,
}


def chosen(word: str, left: Formula, right: Formula, a: Formula, c: Formula) -> Formula:
    holds = COMPARISONS[word]

    def of(env: Env) -> Any:
        one, other = left.of(env), right.of(env)
        if not (M.isfinite(one) and M.isfinite(other)):
            raise Unsure
        return a.of(env) if holds(one, other) else c.of(env)

    critical = [*left.critical, *right.critical, *a.critical, *c.critical]
    critical.append(lambda env: left.of(env) - right.of(env))
    return Formula(f"where({left.text} {word} {right.text}, {a.text}, {c.text})", of, critical)


# --- losses -------------------------------------------------------------------------------------------------------

KINDS: dict[str, list[str]] = {
    "real": ["0", "1", "-1", "1.5", "-2.5", "7"],
    "positive": ["1", "0.5", "3", "0.125"],
    "nonneg": ["0", "1", "0.5", "3"],
    "prob": ["0.5", "0", "1", "0.125", "0.75"],
    "binary": ["0", "1"],
    "sign": ["-1", "1"],
    "count": ["0", "1", "2", "5"],
}
"""Values of a target of each kind."""

RANGES = {"real": (-8, 8), "positive": (0, 8), "nonneg": (0, 8), "prob": (0, 1)}
"""Predictions of each kind."""

REQUIREMENTS: dict[str, Callable[[Any], bool]] = {
    "": lambda a: True,
    "require a > 0": lambda a: a > 0,
    "require 0 < a < 1": lambda a: 0 < a < 1,
    "require a >= 1": lambda a: a >= 1,
    "require a != 0": lambda a: a != 0,
    "require 0 <= a <= 2": lambda a: 0 <= a <= 2,
}
PARAMETERS = [0.5, 0.01, 0.999, 1, 1.5, 2, 3, 10, 51, 1000, -1, -0.5, 0]


@dataclass
class RandomLoss:
    """A loss with what is needed to work it out: `kinds` of target and prediction, the values of its parameter."""

    text: str
    formula: Formula
    t: str
    x: str
    parameters: list[Any]
    over: str = ""
    """The aggregate over the last axis, or "" for an elementwise loss."""

    def admits(self, x: Any) -> bool:
        """Whether a number is an admissible prediction."""
        match self.x:
            case "positive":
                return bool(x > 0)
            case "nonneg":
                return bool(x >= 0)
            case "prob":
                return bool(0 <= x <= 1)
        return True

    def value(self, ts: Sequence[Any], xs: Sequence[Any], a: Any) -> Any:
        """The loss of some elements; nan where it has no finite value."""
        found = [self.formula.of({"t": t, "x": x, "e": t - x, "a": a}) for t, x in zip(ts, xs, strict=True)]
        if any(not M.isfinite(one) for one in found):
            return NAN
        match self.over:
            case "sum" | "":
                return M.fsum(found)
            case "mean":
                return M.fsum(found) / len(found)
            case "max":
                return max(found)
            case "norm":
                return M.sqrt(M.fsum(one * one for one in found))
        raise AssertionError(self.over)


WRITTEN = {"": "{}", "sum": "sum({})", "mean": "mean({})^1", "max": "max[last]({})", "norm": "sqrt(sum(({})^2))"}


def random_formula(pick: Pick, depth: int, has_parameter: bool) -> Formula:
    """A formula in t, x, the error e and perhaps a parameter a."""
    if depth == 0:
        word = pick(["e", "e", "e", "x", "t", "a", "1", "2", "0.5"])
        if word in ("t", "x", "e") or (word == "a" and has_parameter):
            return name(word)
        return constant("3" if word == "a" else word)

    def part() -> Formula:
        return random_formula(pick, pick([0, depth - 1, depth - 1]), has_parameter)

    match pick(["function", "function", "function", "operator", "operator", "power", "affine", "choice", "square"]):
        case "function":
            return applied(pick([*OFTEN, *FUNCTIONS]), part())
        case "operator":
            return combined(pick(list(OPERATORS)), part(), part())
        case "power":
            exponent = name("a") if has_parameter and pick([True, False]) else constant(pick(["-1", "3", "0.5", "1.5"]))
            return combined("({})^({})", part(), exponent)
        case "square":
            return combined("({})^({})", part(), constant("2"))
        case "affine":
            number = constant(pick(["1", "2", "50"]))
            factor = combined("({} - {})", number, name("a")) if has_parameter else number
            return combined("({}*{})", factor, part())
    return chosen(pick(list(COMPARISONS)), part(), constant(pick(["0", "1", "-1", "0.5"])), part(), part())


def random_pole(pick: Pick, has_parameter: bool) -> Formula:
    """A function that ends or breaks somewhere, of something that reaches that place from either side."""
    inner = pick([name("e"), name("x"), applied("abs", name("e")), combined("({})^({})", name("e"), constant("2"))])
    if pick([True, False]):
        inner = combined(pick(["({} - {})", "({} + {})"]), inner, constant(pick(["1", "2", "0.5"])))
    outer = pick(["log", "sqrt", "lgamma", "atanh", "acosh", "log1p", "tan", "({})/({})", "({})^({})", "xlogy({}, {})"])
    if outer == "({})^({})":
        return combined(outer, inner, name("a") if has_parameter else constant(pick(["-1", "-0.5", "0.5"])))
    if outer in OPERATORS:
        return combined(outer, pick([constant("1"), name("t"), name("x")]), inner)
    return applied(outer, inner)


def random_loss(pick: Pick) -> RandomLoss:
    has_parameter = pick([True, False])
    formula = random_formula(pick, pick([1, 2, 3]), has_parameter)
    match pick(["as it is", "as it is", "pole", "sum with a pole", "function of a pole"]):
        case "pole":
            formula = random_pole(pick, has_parameter)
        case "sum with a pole":
            formula = combined(pick(["({} + {})", "({}*{})"]), formula, random_pole(pick, has_parameter))
        case "function of a pole":
            formula = applied(pick(OFTEN), random_pole(pick, has_parameter))
    t, x = pick(["real", "real", *KINDS]), pick(["real", "real", "real", *RANGES])
    require = pick(list(REQUIREMENTS)) if has_parameter else ""
    default = pick([one for one in PARAMETERS[:8] if REQUIREMENTS[require](one)])
    over = pick(["", "", "", "", *WRITTEN])
    header = f"loss random(t: {t}, x: {x}" + (f"; a = {default})" if has_parameter else ")")
    moved = ["e = t - x"] if "e" in formula.text.replace("exp", "").replace("where", "") else []
    text = "\n".join([header, *filter(None, [require]), *moved, WRITTEN[over].format(formula.text)])
    allowed = [M.mpf(one) for one in PARAMETERS if REQUIREMENTS[require](one)] if has_parameter else [M.zero]
    return RandomLoss(text, formula, t, x, allowed, over)


# --- a loss along a line of predictions ---------------------------------------------------------------------------


@dataclass
class Line:
    """A loss on predictions x(s): for an elementwise loss x = s, for one over an axis a line through it."""

    loss: RandomLoss
    ts: list[Any]
    a: Any
    base: list[Any]
    way: list[Any]
    low: Any
    high: Any

    def xs(self, s: Any) -> list[Any]:
        return [base + s * way for base, way in zip(self.base, self.way, strict=True)]

    def at(self, s: Any) -> Any:
        """The value; nan where there is none, None where nothing can be said."""
        try:
            return self.loss.value(self.ts, self.xs(s), self.a)
        except Unsure:
            return None

    def finite(self, places: Sequence[Any]) -> list[tuple[Any, Any]]:
        inside = [s for s in places if self.low <= s <= self.high and self.is_admissible(s)]
        found = [(s, self.at(s)) for s in inside]
        return [(s, y) for s, y in found if y is not None and M.isfinite(y)]

    def is_admissible(self, s: Any) -> bool:
        return all(map(self.loss.admits, self.xs(s)))

    def special(self) -> list[Any]:
        """Where something that is critical passes 0, by bisection, and where predictions are targets or whole."""
        grid = [self.low + (self.high - self.low) * M.mpf(k) / 60 for k in range(61)]
        found = {M.mpf(k) for k in range(-3, 4)} | {self.low, self.high, *self.ts}
        for place, t in enumerate(self.ts):
            if self.way[place]:
                found.add((t - self.base[place]) / self.way[place])
        for place in range(len(self.ts)):
            for critical in self.loss.formula.critical:
                found.update(self._zeros(critical, place, grid))
        return sorted(s for s in found if self.low <= s <= self.high)[:40]

    def _zeros(self, critical: Callable[[Env], Any], place: int, grid: list[Any]) -> list[Any]:
        def at(s: Any) -> Any:
            x = self.base[place] + s * self.way[place]
            try:
                found = critical({"t": self.ts[place], "x": x, "e": self.ts[place] - x, "a": self.a})
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
    found = []
    low, high = map(M.mpf, RANGES[loss.x])
    for _ in range(count):
        size = 3 if loss.over else 1
        ts = [M.mpf(pick(KINDS[loss.t])) for _ in range(size)]
        a = pick(loss.parameters)
        if not loss.over:
            found.append(Line(loss, ts, a, [M.zero], [M.one], low, high))
            continue
        others = ["0.5", "0.25", "1"] if loss.x != "real" else ["0", "1", "-1.5", "0.5", "2"]
        base = [M.mpf(pick(others)) for _ in ts]
        way = [M.mpf(pick(["0.25", "1", "-0.5"] if loss.x == "real" else ["0", "0.125"])) for _ in ts]
        way[0] = way[0] or M.one / 8
        found.append(Line(loss, ts, a, base, way, M.mpf(-3), M.mpf(3)))
    return found


def places(line: Line) -> tuple[list[Any], list[Any]]:
    """Special places, and all that are looked at: those, their neighbours and a grid."""
    special = line.special()
    grid = {line.low + (line.high - line.low) * M.mpf(k) / 53 for k in range(54)}
    close = {s + sign * M.mpf(10) ** -far for s in special for far in (2, 6, 12, 25) for sign in (1, -1)}
    return special, sorted(s for s in {*special, *grid, *close} if line.low <= s <= line.high)


# --- what contradicts a claim -------------------------------------------------------------------------------------


def _slack(*values: Any) -> Any:
    return TINY * (1 + sum(map(abs, values)))


def negative(line: Line) -> str:
    return next((f"{y} at {s}" for s, y in line.finite(places(line)[1]) if y < -_slack()), "")


def on_target(line: Line) -> Any:
    """The value where the prediction is the target; None where that is no admissible prediction."""
    if not all(map(line.loss.admits, line.ts)):
        return None
    try:
        return line.loss.value(line.ts, line.ts, line.a)
    except Unsure:
        return None


def nonzero(line: Line) -> str:
    found = on_target(line)
    return f"{found} at the target" if found is not None and not abs(found) <= _slack() else ""


def less(line: Line) -> str:
    best = on_target(line)
    if best is None:
        return ""
    found = line.finite(places(line)[1])
    if not M.isfinite(best):
        return "no value at the target" if found else ""
    return next((f"{y} at {s}, {best} at the target" for s, y in found if y < best - _slack(best)), "")


def lopsided(line: Line) -> str:
    for s in places(line)[1]:
        mirror = [2 * t - x for t, x in zip(line.ts, line.xs(s), strict=True)]
        other = Line(line.loss, line.ts, line.a, mirror, [M.zero] * len(mirror), M.zero, M.zero)
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
    found = line.finite(places(line)[1])
    for step in (1, 2, 5, 13):
        for (a, fa), (s, fs), (c, fc) in zip(found, found[step:], found[2 * step :], strict=False):
            share = (s - a) / (c - a)
            if fs > fa + share * (fc - fa) + _slack(fa, fc):
                return f"{fs} at {s}, above the line from {a} to {c}"
    return gap(line)


def gap(line: Line) -> str:
    """A place without a value between two that have one."""
    order = [(s, line.at(s)) for s in places(line)[1] if line.is_admissible(s)]
    order = [(s, y) for s, y in order if y is not None]
    have = [place for place, (_, y) in enumerate(order) if M.isfinite(y)]
    inner = order[have[0] : have[-1]] if have else []
    return next((f"no value at {s}" for s, y in inner if not M.isfinite(y)), "")


FAR, MIDDLE, NEAR = (M.mpf(10) ** -far for far in (12, 20, 28))


def broken(line: Line) -> str:
    """A jump, a pole or a gap."""
    special, _ = places(line)
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
    special, _ = places(line)
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
    special, every = places(line)
    usual = [abs(y) for _, y in line.finite(every)]
    far = []
    for power in (3, 10, 40):
        for sign in (1, -1):
            s = sign * M.mpf(10) ** power
            y = line.at(s) if line.is_admissible(s) else None
            far += [abs(y)] if y is not None and M.isfinite(y) else []
    near = [abs(y) for s in special for sign in (1, -1) for _, y in line.finite([s + sign * NEAR])]
    most = max([*far, *near], default=M.zero)
    return f"{most}" if usual and most > 1000 * (1 + sorted(usual)[len(usual) // 2]) else ""


def undefined(line: Line) -> str:
    for s in places(line)[1]:
        y = line.at(s) if line.is_admissible(s) else None
        if y is not None and not M.isfinite(y):
            return f"no value at {s}"
    return ""


CONTRADICTS: dict[str, Callable[[Line], str]] = {
    "nonnegative": negative,
    "zero at t = x": nonzero,
    "least at t = x": less,
    "symmetric": lopsided,
    "convex": bent,
    "continuous": broken,
    "smooth": kinked,
    "bounded": unbounded,
    "defined": undefined,
}


# --- points of refutations ----------------------------------------------------------------------------------------


def _numbers(value: Any) -> list[Any]:
    """A number or nested rows as a list of rows of the last axis."""
    if not isinstance(value, tuple):
        return [[M.mpf(value.numerator) / value.denominator]]
    if not isinstance(value[0], tuple):
        return [[M.mpf(one.numerator) / one.denominator for one in value]]
    return [row for part in value for row in _numbers(part)]


def put_in(loss: RandomLoss, at: Any) -> list[Any]:
    """The values of the loss at a point of a verdict, one a sample."""
    ts, xs = _numbers(at["t"]), _numbers(at["x"])
    a = M.mpf(at["a"].numerator) / at["a"].denominator if "a" in at else M.zero
    found = []
    for t, x in zip(ts, xs, strict=True):
        try:
            found.append(loss.value(t, x, a))
        except Unsure:
            found.append(None)
    return found


def not_shown(loss: RandomLoss, claim: str, verdict: Verdict) -> str:
    """Why the point of a refutation does not show what it is said to show; "" where it does."""
    if not verdict.at or claim == "bounded":
        return ""
    if "a" in verdict.at and not any(abs(one - float(verdict.at["a"])) < 1e-9 for one in loss.parameters):
        value = float(verdict.at["a"])
        header = next((line for line in loss.text.splitlines() if line.startswith("require")), "")
        if not REQUIREMENTS[header](value):
            return f"a = {value} is not admissible"
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
        case "symmetric":
            good = any(row[0] != row[1] for row in rows)
        case "convex":
            xs = [_numbers(one["x"])[0][0] for one in (verdict.at, *verdict.beside)]
            share = M.mpf("0.5") if xs[1] == xs[2] else (xs[0] - xs[1]) / (xs[2] - xs[1])
            good = any(row[0] > row[1] + share * (row[2] - row[1]) for row in rows)
        case _:
            line = Line(loss, _numbers(verdict.at["t"])[0], _a(verdict), [M.zero], [M.one], -HUGE, HUGE)
            x = _numbers(verdict.at["x"])[0][0]
            around_x = [x + sign * step for step in (FAR, MIDDLE) for sign in (1, -1)]
            is_hole = not M.isfinite(middle[0]) and len(line.finite(around_x)) == 4
            good = is_hole or bool(break_at(line, x) or (claim == "smooth" and kink_at(line, x)))
            good = good or _may_be_rounded(verdict, x)
    return "" if good else f"{verdict} is not so: {rows}"


def _a(verdict: Verdict) -> Any:
    return M.mpf(verdict.at["a"].numerator) / verdict.at["a"].denominator if "a" in verdict.at else M.zero


def _may_be_rounded(verdict: Verdict, x: Any) -> bool:
    """Whether a join lies between decimals, so that the point told is near it only."""
    return Fraction(verdict.at["x"]).denominator > 10**6


# --- trials -------------------------------------------------------------------------------------------------------


def analyzed(text: str) -> Analyzer:
    return analyzer(pipeline.program(pipeline.parsed(Source(text))))


def faults(loss: RandomLoss, pick: Pick, count: int = 4) -> list[str]:
    """What is claimed of a loss and is not so."""
    found = analyzed(loss.text)
    sampled = lines(loss, pick, count)
    wrong = []
    for claim in (*PROPERTIES, "defined"):
        verdict = found.defined if claim == "defined" else found.decide(claim)
        if verdict.how == "proved":
            told = [(line, CONTRADICTS[claim](line)) for line in sampled]
            wrong += [f"{claim}: {verdict}, but {why}, t={line.ts} a={line.a}" for line, why in told if why]
        elif verdict.how == "refuted" and claim != "defined" and (why := not_shown(loss, claim, verdict)):
            wrong.append(f"{claim}: {why}")
    return wrong


def main(count: int, seed: int) -> int:
    bad = 0
    for number in range(seed, seed + count):
        source = random.Random(number)
        loss = random_loss(source.choice)
        try:
            wrong = faults(loss, source.choice)
        except LossError:  # a formula in which nothing is left of the prediction
            continue
        if wrong:
            bad += 1
            print(f"--- {number}\n{loss.text}", *wrong, sep="\n  ", flush=True)
    print(f"{count} formulas, {bad} of which something was claimed that is not so")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))

"""Random piecewise losses, each a text in the language and a Python function of mpmath's numbers at once.

So what a loss is compared with shares nothing with lossdsl: neither the parser nor the interpreter. A loss is either a
formula of one target and one prediction, perhaps summed over the last axis, or one of whole rows, in which parts such
as `softmax(x)` or `x[t]` have names. There are up to two parameters, with requirements of each and between them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mpmath import MPContext

M = MPContext()
M.dps = 60
NAN = M.nan
HUGE = M.mpf(10) ** 5

Pick = Callable[[Sequence[Any]], Any]
Env = Mapping[str, Any]
Row = Sequence[Any]


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


def _digamma(a: Any) -> Any:
    return NAN if a <= 0 and a == M.floor(a) else M.digamma(a)


def _normal(a: Any) -> Any:
    return M.erfc(-a / M.sqrt(2)) / 2


def _log_normal(a: Any) -> Any:
    if abs(a) > 1000:
        raise Unsure
    return M.log(_normal(a))


def _cube_root(a: Any) -> Any:
    return M.sign(a) * abs(a) ** (M.one / 3)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "relu": lambda a: max(a, M.zero),
    "sign": lambda a: M.sign(a),
    "floor": M.floor,
    "ceil": M.ceil,
    "round": M.nint,
    "sqrt": _inside(lambda a: a >= 0, M.sqrt),
    "cbrt": _cube_root,
    "square": lambda a: a * a,
    "exp": _bounded(M.exp),
    "expm1": _bounded(M.expm1),
    "log": _inside(lambda a: a >= 0, lambda a: M.log(a) if a else -M.inf),
    "log2": _inside(lambda a: a >= 0, lambda a: M.log(a) / M.log(2) if a else -M.inf),
    "log1p": _inside(lambda a: a >= -1, lambda a: M.log1p(a) if a > -1 else -M.inf),
    "atanh": _inside(lambda a: abs(a) <= 1, lambda a: M.atanh(a) if abs(a) < 1 else a * M.inf),
    "acosh": _inside(lambda a: a >= 1, M.acosh),
    "asin": _inside(lambda a: abs(a) <= 1, M.asin),
    "acos": _inside(lambda a: abs(a) <= 1, M.acos),
    "atan": M.atan,
    "asinh": M.asinh,
    "tanh": M.tanh,
    "sinh": _bounded(M.sinh),
    "cosh": _bounded(M.cosh),
    "tan": _bounded(M.tan),
    "sin": _bounded(M.sin),
    "cos": _bounded(M.cos),
    "sigmoid": _bounded(lambda a: 1 / (1 + M.exp(-a))),
    "log_sigmoid": _bounded(lambda a: -M.log1p(M.exp(-a))),
    "softplus": _bounded(lambda a: M.log1p(M.exp(a))),
    "lgamma": _bounded(_log_gamma),
    "digamma": _bounded(_digamma),
    "erf": _bounded(M.erf),
    "norm_cdf": _bounded(_normal),
    "log_norm_cdf": _log_normal,
}
OFTEN = ["abs", "abs", "abs", "sqrt", "log", "log", "exp", "log1p", "relu"]
CRITICAL = {"abs", "relu", "sign", "sqrt", "cbrt", "log", "log2", "lgamma", "digamma"}
"""Functions that break, bend or end where their argument is 0."""
ENDS = {
    "atanh": (-1, 1),
    "asin": (-1, 1),
    "acos": (-1, 1),
    "acosh": (1,),
    "log1p": (-1,),
    "lgamma": (-1, -2),
    "digamma": (-1, -2),
    "round": (0.5, -0.5, 1.5),
    "floor": (0, 1, -1),
    "ceil": (0, 1, -1),
}


@dataclass
class Formula:
    """A formula as text and as a function; `critical` has functions whose zeros are places worth looking at."""

    text: str
    of: Callable[[Env], Any]
    critical: list[Callable[[Env], Any]] = field(default_factory=list)
    names: frozenset[str] = frozenset()


def constant(text: str) -> Formula:
    value = M.mpf(Fraction(text).numerator) / Fraction(text).denominator
    return Formula(text, lambda env: value)


def name(word: str) -> Formula:
    return Formula(word, lambda env: env[word], names=frozenset([word]))


def applied(word: str, a: Formula) -> Formula:
    function = FUNCTIONS[word]
    critical = [*a.critical, *([a.of] if word in CRITICAL else [])]
    critical += [lambda env, end=end: a.of(env) - end for end in ENDS.get(word, ())]
    return Formula(f"{word}({a.text})", lambda env: _of(function, a.of(env)), critical, a.names)


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


def _log_sum(a: Any, c: Any) -> Any:
    if max(abs(a), abs(c)) > HUGE:
        raise Unsure
    return max(a, c) + M.log1p(M.exp(-abs(a - c)))


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "({} + {})": lambda a, c: a + c,
    "({} - {})": lambda a, c: a - c,
    "({}*{})": lambda a, c: a * c,
    "({})/({})": _quotient,
    "({})^({})": _power,
    "max({}, {})": max,
    "min({}, {})": min,
    "xlogy({}, {})": _xlogy,
    "logaddexp({}, {})": _log_sum,
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
    text = shape.format(a.text, c.text)
    return Formula(text, lambda env: _of(function, a.of(env), c.of(env)), critical, a.names | c.names)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, c: a < c,
    "<=": lambda a, c: a <= c,
    ">": lambda a, c: a > c,
    ">=": lambda a, c: a >= c,
}


@dataclass
class Condition:
    """`left < right`, or two of those with `and` or `or` between them."""

    text: str
    holds: Callable[[Env], bool]
    critical: list[Callable[[Env], Any]]
    names: frozenset[str]


def compared(word: str, left: Formula, right: Formula) -> Condition:
    def holds(env: Env) -> bool:
        one, other = left.of(env), right.of(env)
        if not (M.isfinite(one) and M.isfinite(other)):
            raise Unsure
        return COMPARISONS[word](one, other)

    critical = [*left.critical, *right.critical, lambda env: left.of(env) - right.of(env)]
    return Condition(f"{left.text} {word} {right.text}", holds, critical, left.names | right.names)


def both(word: str, one: Condition, other: Condition) -> Condition:
    def holds(env: Env) -> bool:
        first, second = one.holds(env), other.holds(env)
        return first and second if word == "and" else first or second

    text = f"({one.text}) {word} ({other.text})"
    return Condition(text, holds, [*one.critical, *other.critical], one.names | other.names)


def chosen(condition: Condition, a: Formula, c: Formula) -> Formula:
    text = f"where({condition.text}, {a.text}, {c.text})"
    critical = [*condition.critical, *a.critical, *c.critical]
    return Formula(text, lambda env: (a if condition.holds(env) else c).of(env), critical,
                   condition.names | a.names | c.names)  # fmt: skip


def by_cases(conditions: Sequence[Condition], values: Sequence[Formula]) -> Formula:
    """The value of the first condition that holds, else the last."""
    pieces = ", ".join(f"{condition.text}: {value.text}" for condition, value in zip(conditions, values, strict=False))

    def of(env: Env) -> Any:
        held = [condition.holds(env) for condition in conditions]
        return values[held.index(True) if True in held else -1].of(env)

    critical = [one for part in (*conditions, *values) for one in part.critical]
    names = frozenset().union(*(part.names for part in (*conditions, *values)))
    return Formula(f"cases({pieces}, else: {values[-1].text})", of, critical, names)


# --- what formulas are made of ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaves:
    """The names of which formulas are drawn: those that move with the prediction, and parameters."""

    usual: tuple[str, ...] = ("e", "e", "e", "x", "t")
    moving: tuple[str, ...] = ("e", "x")
    parameters: tuple[str, ...] = ()

    def leaf(self, pick: Pick) -> Formula:
        word = pick([*self.usual, *self.parameters, "1", "2", "0.5"])
        return name(word) if word in (*self.usual, *self.parameters) else constant(word)

    def number(self, pick: Pick, *texts: str) -> Formula:
        """A number or a parameter: where pieces meet, or an exponent."""
        if self.parameters and pick([True, False]):
            return name(pick(self.parameters))
        return constant(pick(texts))


def random_formula(pick: Pick, depth: int, leaves: Leaves) -> Formula:
    """A formula of the leaves."""
    if depth == 0:
        return leaves.leaf(pick)

    def part() -> Formula:
        return random_formula(pick, pick([0, depth - 1, depth - 1]), leaves)

    def condition() -> Condition:
        one = compared(pick(list(COMPARISONS)), part(), leaves.number(pick, "0", "1", "-1", "0.5"))
        if pick([True, True, True, False]):
            return one
        other = compared(pick(list(COMPARISONS)), name(pick(leaves.moving)), leaves.number(pick, "0", "2", "-1"))
        return both(pick(["and", "or"]), one, other)

    match pick(["function", "function", "function", "operator", "operator", "power", "affine", "choice", "square",
                "kinks", "cases"]):  # fmt: skip
        case "function":
            return applied(pick([*OFTEN, *FUNCTIONS]), part())
        case "operator":
            return combined(pick(list(OPERATORS)), part(), part())
        case "power":
            return combined("({})^({})", part(), leaves.number(pick, "-1", "3", "0.5", "1.5"))
        case "square":
            return combined("({})^({})", part(), constant("2"))
        case "affine":
            number = constant(pick(["1", "2", "50"]))
            factor = combined("({} - {})", number, name(pick(leaves.parameters))) if leaves.parameters else number
            return combined("({}*{})", factor, part())
        case "kinks":
            return combined(pick(["({}*{})", "({}*{})", "({} - {})"]), random_kink(pick, leaves),
                            random_kink(pick, leaves))  # fmt: skip
        case "cases":
            count = pick([1, 2, 3])
            return by_cases([condition() for _ in range(count)], [part() for _ in range(count + 1)])
    return chosen(condition(), part(), part())


def random_kink(pick: Pick, leaves: Leaves) -> Formula:
    """A function with a kink at a number or a parameter."""
    moved = combined(pick(["({} - {})", "({} + {})"]), name(pick(leaves.moving)), leaves.number(pick, "0", "1", "0.5"))
    match pick(["function", "function", "max", "min"]):
        case "function":
            return applied(pick(["abs", "relu", "abs", "sign"]), moved)
        case word:
            return combined(f"{word}({{}}, {{}})", moved, leaves.number(pick, "0", "1", "-1"))


def random_pole(pick: Pick, leaves: Leaves) -> Formula:
    """A function that ends or breaks somewhere, of something that reaches that place from either side."""
    moving = name(pick(leaves.moving))
    inner = pick([moving, moving, applied("abs", moving), combined("({})^({})", moving, constant("2"))])
    if pick([True, False]):
        inner = combined(pick(["({} - {})", "({} + {})"]), inner, leaves.number(pick, "1", "2", "0.5"))
    outer = pick(["log", "sqrt", "lgamma", "digamma", "atanh", "acosh", "log1p", "tan", "cbrt", "({})/({})",
                  "({})^({})", "xlogy({}, {})"])  # fmt: skip
    if outer == "({})^({})":
        return combined(outer, inner, leaves.number(pick, "-1", "-0.5", "0.5"))
    if outer in OPERATORS:
        return combined(outer, pick([constant("1"), name(pick(leaves.usual)), name(pick(leaves.moving))]), inner)
    return applied(outer, inner)


def random_body(pick: Pick, leaves: Leaves, depth: int) -> Formula:
    """A formula, perhaps with a pole in it."""
    formula = random_formula(pick, depth, leaves)
    match pick(["as it is", "as it is", "pole", "with a pole", "of a pole", "far in"]):
        case "pole":
            return random_pole(pick, leaves)
        case "with a pole":
            return combined(pick(["({} + {})", "({}*{})", "min({}, {})"]), formula, random_pole(pick, leaves))
        case "of a pole":
            return applied(pick(OFTEN), random_pole(pick, leaves))
        case "far in":
            inner = applied(pick(["sqrt", "abs", "tanh", "atan", "exp", "log"]), random_pole(pick, leaves))
            return applied(pick(["sqrt", "abs", "tanh", "sigmoid", "square", "atan"]), inner)
    return formula


# --- parameters ---------------------------------------------------------------------------------------------------

Given = dict[str, Any]
"""Values of parameters, by name."""

REQUIREMENTS: dict[str, Callable[[Any], bool]] = {
    "": lambda a: True,
    "require a > 0": lambda a: a > 0,
    "require 0 < a < 1": lambda a: 0 < a < 1,
    "require a >= 1": lambda a: a >= 1,
    "require a != 0": lambda a: a != 0,
    "require 0 <= a <= 2": lambda a: 0 <= a <= 2,
}
BETWEEN: dict[str, Callable[[Any, Any], bool]] = {
    "": lambda a, b: True,
    "require 0 < a < b": lambda a, b: 0 < a < b,
    "require a > b": lambda a, b: a > b,
    "require a*b > 0": lambda a, b: a * b > 0,
    "require a + b <= 1": lambda a, b: a + b <= 1,
    "require a >= 0 and b >= 1": lambda a, b: a >= 0 and b >= 1,
    "require a^2 <= b": lambda a, b: a * a <= b,
}
PARAMETERS = [0.5, 0.01, 0.999, 1, 1.5, 2, 3, 10, 51, 1000, -1, -0.5, 0]


@dataclass(frozen=True)
class Declared:
    """The parameters of a loss: how the header has them, what is required, and values that they may have."""

    names: tuple[str, ...] = ()
    header: str = ""
    require: str = ""
    allowed: tuple[Given, ...] = ({},)
    admits: Callable[..., bool] = lambda: True


def random_parameters(pick: Pick) -> Declared:
    match pick(["none", "none", "one", "one", "one", "two", "whole"]):
        case "one":
            require = pick(list(REQUIREMENTS))
            admits = REQUIREMENTS[require]
            default = pick([one for one in PARAMETERS[:8] if admits(one)])
            allowed = tuple({"a": M.mpf(one)} for one in PARAMETERS if admits(one))
            return Declared(("a",), f"; a = {default}", require, allowed, admits)
        case "two":
            require = pick(list(BETWEEN))
            between = BETWEEN[require]
            values = [(one, other) for one in PARAMETERS for other in PARAMETERS if between(one, other)]
            a, c = pick([pair for pair in values if max(map(abs, pair)) <= 3])
            allowed = tuple({"a": M.mpf(one), "b": M.mpf(other)} for one, other in values)
            return Declared(("a", "b"), f"; a = {a}, b = {c}", require, allowed, between)
        case "whole":
            require = pick(["", "require a >= 1", "require a > 0", "require a != 0"])
            admits = REQUIREMENTS[require]
            whole = [one for one in (1, 2, 3, 4, 5, 0, -1, -2) if admits(one)]
            allowed = tuple({"a": M.mpf(one)} for one in whole)
            return Declared(("a",), f"; a: int = {pick(whole[:3])}", require, allowed, admits)
    return Declared()


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

RANGES = {"real": (-8, 8), "positive": (0, 8), "nonneg": (0, 8), "prob": (0, 1), "logits": (-8, 8), "logprob": (-8, 0)}
"""Predictions of each kind."""

ROW_KINDS: dict[str, list[list[str]]] = {
    "label": [["0", "0", "0"], ["1", "1", "1"], ["2", "2", "2"]],
    "onehot": [["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]],
    "simplex": [["1", "0", "0"], ["0.5", "0.25", "0.25"], ["0.2", "0.3", "0.5"], ["0", "0.5", "0.5"]],
    "unit": [["1", "0", "0"], ["0", "-1", "0"], ["0.6", "0", "0.8"], ["-0.6", "0.8", "0"]],
    "binary": [["0", "0", "0"], ["1", "0", "1"], ["1", "1", "1"], ["0", "0", "1"]],
    "real": [["0", "0", "0"], ["1", "-1", "2"], ["0.5", "0.5", "0.5"], ["-2", "3", "0"]],
    "prob": [["0", "0.5", "1"], ["0.25", "0.25", "0.25"], ["1", "1", "1"], ["0.75", "0", "0"]],
}
"""Targets of a loss of rows; of a label, the label at each element."""

SIMPLEX = [["0.5", "0.25", "0.25"], ["1", "0", "0"], ["0", "1", "0"], ["0.2", "0.3", "0.5"], ["0", "0.5", "0.5"]]
"""Predictions that are distributions: what is tried lies on the lines between them."""


@dataclass
class Part:
    """A part of a loss of rows: its text, its values at the elements, and where it bends in pairs of elements."""

    text: str
    values: Callable[[Row, Row], list[Any]]
    bends: Callable[[Row, Row], list[Any]] = lambda ts, xs: []


def _softmax(xs: Row) -> list[Any]:
    most = max(xs)
    if most - min(xs) > HUGE:
        raise Unsure
    powers = [M.exp(x - most) for x in xs]
    return [one / M.fsum(powers) for one in powers]


def _everywhere(function: Callable[[Row, Row], Any]) -> Callable[[Row, Row], list[Any]]:
    return lambda ts, xs: [function(ts, xs)] * len(xs)


def _label(ts: Row, xs: Row) -> Any:
    return xs[int(ts[0])]


def _log_sum_exp(xs: Row) -> Any:
    return max(xs) + M.log(M.fsum(M.exp(x - max(xs)) for x in xs))


def _length(row: Row) -> Any:
    return M.sqrt(M.fsum(one * one for one in row))


def _pairs(ts: Row, xs: Row) -> list[Any]:
    return [one - other for place, one in enumerate(xs) for other in xs[:place]]


def _unit(xs: Row) -> list[Any]:
    size = _length(xs)
    return [x / size if size else M.zero for x in xs]


def _variance(xs: Row) -> Any:
    middle = M.fsum(xs) / len(xs)
    return M.fsum((x - middle) ** 2 for x in xs) / len(xs)


PARTS: dict[str, Part] = {
    "p": Part("softmax(x)", lambda ts, xs: _softmax(xs)),
    "z": Part("log_softmax(x)", lambda ts, xs: [M.log(one) for one in _softmax(xs)]),
    "q": Part("logsumexp(x)", _everywhere(lambda ts, xs: _log_sum_exp(xs))),
    "h": Part("max[last](x)", _everywhere(lambda ts, xs: max(xs)), _pairs),
    "m": Part("mean(x)", _everywhere(lambda ts, xs: M.fsum(xs) / len(xs))),
    "s": Part("sum(t*x)", _everywhere(lambda ts, xs: M.fsum(t * x for t, x in zip(ts, xs, strict=True)))),
    "r": Part("norm(t - x)", _everywhere(lambda ts, xs: _length([t - x for t, x in zip(ts, xs, strict=True)])),
              lambda ts, xs: [_length([t - x for t, x in zip(ts, xs, strict=True)])]),
    "u": Part("normalize(x)", lambda ts, xs: _unit(xs)),
    "v": Part("var(x)", _everywhere(lambda ts, xs: _variance(xs))),
    "c": Part("cumsum(x)", lambda ts, xs: [M.fsum(xs[: place + 1]) for place in range(len(xs))]),
    "w": Part("sort(x)", lambda ts, xs: sorted(xs), _pairs),
}  # fmt: skip
"""Parts of a loss of rows, by the name that they have in it."""
OF_LABELS: dict[str, Part] = {
    "y": Part("onehot(t)", lambda ts, xs: [M.mpf(int(t == place)) for place, t in enumerate(ts)]),
    "g": Part("x[t]", _everywhere(_label)),
    "k": Part("softmax(x)[t]", _everywhere(lambda ts, xs: _softmax(xs)[int(ts[0])])),
    "d": Part("x - x[t]", lambda ts, xs: [x - _label(ts, xs) for x in xs], lambda ts, xs: _pairs(ts, xs)),
}
"""Further parts where the target is a label."""


@dataclass
class RandomLoss:
    """A loss with what is needed to work it out: `kinds` of target and prediction, the values of its parameters."""

    text: str
    formula: Formula
    t: str
    x: str
    declared: Declared
    over: str = ""
    """The aggregate over the last axis, or "" for none."""
    parts: dict[str, Part] = field(default_factory=dict)
    """The parts of a loss of rows."""
    is_of_rows: bool = False

    @property
    def parameters(self) -> tuple[Given, ...]:
        return self.declared.allowed

    def admits(self, xs: Row) -> bool:
        """Whether some numbers are an admissible prediction."""
        match self.x:
            case "positive":
                return all(x > 0 for x in xs)
            case "nonneg":
                return all(x >= 0 for x in xs)
            case "prob":
                return all(0 <= x <= 1 for x in xs)
            case "simplex":
                return all(0 <= x <= 1 for x in xs) and abs(M.fsum(xs) - 1) < M.mpf(10) ** -50
            case "logprob":
                return all(x <= 0 for x in xs)
        return True

    def elements(self, ts: Row, xs: Row, given: Given) -> list[Env]:
        """The names of the formula at each element."""
        values = {word: part.values(ts, xs) for word, part in self.parts.items()}
        return [
            {"t": t, "x": x, "e": t - x, **given, **{word: row[place] for word, row in values.items()}}
            for place, (t, x) in enumerate(zip(ts, xs, strict=True))
        ]

    def value(self, ts: Row, xs: Row, given: Given) -> Any:
        """The loss of some elements; nan where it has no finite value."""
        found = [self.formula.of(env) for env in self.elements(ts, xs, given)]
        if any(not M.isfinite(one) for one in found):
            return NAN
        match self.over:
            case "sum":
                return M.fsum(found)
            case "mean" | "":
                return M.fsum(found) / len(found)
            case "max":
                return max(found)
            case "norm":
                return M.sqrt(M.fsum(one * one for one in found))
        raise AssertionError(self.over)


WRITTEN = {"": "{}", "sum": "sum({})", "mean": "mean({})^1", "max": "max[last]({})", "norm": "sqrt(sum(({})^2))"}


def random_loss(pick: Pick) -> RandomLoss:
    return random_loss_of_rows(pick) if pick([True, False, False, False]) else random_loss_of_elements(pick)


def random_loss_of_elements(pick: Pick) -> RandomLoss:
    """A formula in the target t, the prediction x and the error e, perhaps summed over the last axis."""
    declared = random_parameters(pick)
    formula = random_body(pick, Leaves(parameters=declared.names), pick([1, 2, 3]))
    t, x = pick(["real", "real", *KINDS]), pick(["real", "real", "real", *RANGES])
    over = pick(["", "", "", "", *WRITTEN])
    return _written(formula, declared, t, x, over, {}, is_of_rows=False)


def random_loss_of_rows(pick: Pick) -> RandomLoss:
    """A formula in parts of a row of predictions, such as its softmax or the element that a label names."""
    declared = random_parameters(pick)
    t = pick(["label", "label", *ROW_KINDS])
    x = pick(["real", "logits", "real", "simplex", "prob", "positive"])
    every = {**PARTS, **OF_LABELS}
    words = [word for word in PARTS if t != "label" or word not in ("s", "r")]
    words += list(OF_LABELS) if t == "label" else []
    some = tuple(pick(words) for _ in range(2))
    targets = ("y", "y") if t == "label" else ("t", "e")
    leaves = Leaves((*some, *some, "x", *targets), (*some, "x"), declared.names)
    formula = random_body(pick, leaves, pick([1, 2]))
    over = pick(["sum", "sum", "mean", "max", ""])
    parts = {word: every[word] for word in sorted({*some, "y"}) if word in formula.names and word in every}
    return _written(formula, declared, t, x, over, parts, is_of_rows=True)


def _written(formula: Formula, declared: Declared, t: str, x: str, over: str, parts: dict[str, Part], *,
             is_of_rows: bool) -> RandomLoss:  # fmt: skip
    header = f"loss random(t: {t}, x: {x}{declared.header})"
    moved = ["e = t - x"] if "e" in formula.names else []
    moved += [f"{word} = {part.text}" for word, part in parts.items()]
    text = "\n".join([header, *filter(None, [declared.require]), *moved, WRITTEN[over].format(formula.text)])
    return RandomLoss(text, formula, t, x, declared, over, parts, is_of_rows)

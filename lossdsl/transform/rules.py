"""Stable forms, as rules in the language itself: what an author writes, and what is computed instead.

Both sides of a rule are equal in real arithmetic wherever its condition holds; the right side is the one that keeps its
digits. The tests prove each by sympy or check it at 50 digits, and show the gain in accuracy at `point`. Letters stand
for any expression. A rule that looks right and is not stays here with the point at which it goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE
from lossdsl.ir.bounds import POSITIVE, UNIT, Bounds
from lossdsl.ir.expr import Call, Const, Expr, Input
from lossdsl.ir.ranges import Ranges
from lossdsl.transform.language import expression


@dataclass(frozen=True)
class Rule:
    """`left => right` where every letter in `needs` lies in its interval.

    `constants` are letters that must be settled by the parameters. `point` is a value of the letters at which the left
    side has lost digits in float32. A `late` rule is used after differentiation: the slope of its left side is the simpler
    one, and as accurate. `fractional` are letters that must not be a whole constant, `rounded` such as must not be a number
    of float32, for which nothing is lost. `wrong_at` marks a rule that must never be used, by a point where the sides differ.
    """

    name: str
    left: str
    right: str
    needs: tuple[tuple[str, Bounds], ...] = ()
    constants: str = ""
    point: tuple[tuple[str, float], ...] = ()
    wrong_at: tuple[tuple[str, float], ...] = ()
    late: bool = False
    fractional: str = ""
    rounded: str = ""


ABOVE_MINUS_ONE = Bounds(low=-1.0, low_open=True)
LOWER_HALF = Bounds(0.0, 0.5, low_open=True)
UPPER_HALF = Bounds(0.5, 1.0, low_open=True)

RULES = (
    Rule("log1p", "log(1 + a)", "log1p(a)", point=(("a", 1e-6),)),
    Rule("log1p-of-difference", "log(1 - a)", "log1p(-a)", point=(("a", 1e-6),)),
    Rule("expm1", "exp(a) - 1", "expm1(a)", point=(("a", 1e-6),)),
    Rule("expm1-of-difference", "1 - exp(a)", "-expm1(a)", point=(("a", 1e-6),)),
    Rule("one-plus-tanh", "1 + tanh(a)", "2*sigmoid(2*a)", point=(("a", -20.0),)),
    Rule("one-less-tanh", "1 - tanh(a)", "2*sigmoid(-2*a)", point=(("a", 20.0),)),
    Rule("share-by-tanh", "b + b*tanh(a)", "2*b*sigmoid(2*a)", constants="b", point=(("a", -20.0), ("b", 0.5))),
    Rule("rest-by-tanh", "b - b*tanh(a)", "2*b*sigmoid(-2*a)", constants="b", point=(("a", 20.0), ("b", 0.5))),
    Rule("one-plus-erf", "1 + erf(a)", "erfc(-a)", point=(("a", -5.0),)),
    Rule("share-by-erf", "b + b*erf(a)", "b*erfc(-a)", constants="b", point=(("a", -5.0), ("b", 0.5))),
    Rule("rest-by-erf", "b - b*erf(a)", "b*erfc(a)", constants="b", point=(("a", 5.0), ("b", 0.5))),
    Rule("share-by-atan", "0.5 + atan(a)/pi", "atan2(1, -a)/pi", point=(("a", -1e5),)),
    Rule("rest-by-atan", "0.5 - atan(a)/pi", "atan2(1, a)/pi", point=(("a", 1e5),)),
    Rule("rest-of-angle", "1 - atan2(b, a)/pi", "atan2(b, -a)/pi", (("b", POSITIVE),), point=(("a", -1e5), ("b", 1.0))),
    Rule("log-of-angle", "log(atan2(b, a)/pi)", "where(a < 0, log1p(-atan2(b, -a)/pi), log(atan2(b, a)) - log(pi))",
         (("b", POSITIVE),), point=(("a", -1e5), ("b", 1.0)), late=True),
    Rule("tanh-by-sigmoid", "2*sigmoid(a) - 1", "tanh(0.5*a)", point=(("a", 1e-6),)),
    Rule("tanh-by-sigmoid-of-negative", "1 - 2*sigmoid(a)", "-tanh(0.5*a)", point=(("a", 1e-6),)),
    Rule("sigmoid-about-half", "sigmoid(a) - 0.5", "0.5*tanh(0.5*a)", point=(("a", 1e-6),)),
    Rule("sigmoids-of-both-signs", "sigmoid(a) - sigmoid(-a)", "tanh(0.5*a)", point=(("a", 1e-6),)),
    Rule("erf-by-norm_cdf", "2*norm_cdf(a) - 1", "erf(a/sqrt(2))", point=(("a", 1e-6),)),
    Rule("erf-by-norm_cdf-of-negative", "1 - 2*norm_cdf(a)", "-erf(a/sqrt(2))", point=(("a", 1e-6),)),
    Rule("norm_cdf-about-half", "norm_cdf(a) - 0.5", "0.5*erf(a/sqrt(2))", point=(("a", 1e-6),)),
    Rule("tanh-by-sinh", "sinh(a)/cosh(a)", "tanh(a)", point=(("a", 100.0),)),
    Rule("half-tanh-by-sinh", "sinh(a)/(1 + cosh(a))", "tanh(0.5*a)", point=(("a", 100.0),)),
    Rule("cosh-less-one", "cosh(a) - 1", "2*sinh(0.5*a)^2", point=(("a", 1e-4),), late=True),
    Rule("one-less-cosh", "1 - cosh(a)", "-2*sinh(0.5*a)^2", point=(("a", 1e-4),), late=True),
    Rule("asin-of-root-of-complement", "asin(sqrt(1 - a))", "acos(sqrt(a))", (("a", UNIT),), point=(("a", 1e-9),)),
    Rule("atanh-of-complement", "atanh(1 - a)", "0.5*log((2 - a)/a)", point=(("a", 1e-9),)),
    Rule("atanh-of-share", "atanh(2*a - 1)", "0.5*log(a/(1 - a))", point=(("a", 1e-9),)),
    Rule("asinh", "log(a + sqrt(a^2 + 1))", "asinh(a)", point=(("a", -1e3),)),
    Rule("root-less-size", "sqrt(a^2 + b) - abs(a)", "where(b < a^2, b/(sqrt(a^2 + b) + abs(a)), sqrt(a^2 + b) + (-abs(a)))",
         point=(("a", 1e3), ("b", 1.0)), late=True),
    Rule("quotient-of-squares", "a^2/b^2", "(a/b)^2", point=(("a", 1e25), ("b", 1e25))),
    Rule("expm1-of-softplus", "expm1(softplus(a))", "exp(a)"),  # whose logarithm is known
    Rule("atanh-of-tanh", "atanh(tanh(a))", "a", point=(("a", 20.0),)),
    Rule("asinh-of-sinh", "asinh(sinh(a))", "a", point=(("a", 100.0),)),
    Rule("acosh-of-cosh", "acosh(cosh(a))", "abs(a)", point=(("a", 1e-4),)),
    Rule("rest-of-gamma", "1 - gammainc(a, b)", "gammaincc(a, b)", point=(("a", 2.0), ("b", 12.0))),
    Rule("rest-of-rest-of-gamma", "1 - gammaincc(a, b)", "gammainc(a, b)", point=(("a", 6.0), ("b", 0.5))),
    Rule("rest-of-beta", "1 - betainc(a, b, c)", "betainc(b, a, 1 - c)", point=(("a", 2.0), ("b", 6.0), ("c", 0.9))),
    Rule("complement-of-complement", "1 - (1 - a)", "a", point=(("a", 1e-9),)),
    Rule("complement-of-clip", "1 - min(max(a, b), c)", "max(1 - max(a, b), 1 - c)", constants="bc", rounded="c",
         point=(("a", 1.0), ("b", 1e-7), ("c", 1 - 1e-7)), late=True),
    Rule("log-of-clip", "log(min(max(a, b), c))", "min(log(max(a, b)), log(c))", (("b", LOWER_HALF),),
         constants="bc", rounded="c", point=(("a", 1.0), ("b", 1e-7), ("c", 1 - 1e-7)), late=True),
    Rule("log-of-narrow-clip", "log(min(max(a, b), c))", "min(max(log(max(a, 0)), log(b)), log(c))",
         (("b", UPPER_HALF),), constants="bc", point=(("a", 0.3), ("b", 1 - 1e-7), ("c", 1.0)), late=True),
    Rule("log1p-of-clip", "log1p(-min(max(a, b), c))", "max(log1p(-min(max(a, b), 1)), log(1 - c))",
         (("b", LOWER_HALF), ("c", UPPER_HALF)), constants="bc", rounded="c",
         point=(("a", 2.0), ("b", 1e-7), ("c", 1 - 1e-7)), late=True),
    Rule("log1p-of-floor", "log(max(1 - a, 0))", "log1p(-min(a, 1))", point=(("a", 1e-6),), late=True),
    Rule("log1p-of-floor-1", "log(max(1 + a, b))", "log1p(max(a, b - 1))", constants="b", point=(("a", 1e-6), ("b", 0.5)), late=True),
    Rule("log-sigmoid-of-negative", "log_sigmoid(-a)", "-softplus(a)", late=True),  # shares its parts with the other
    Rule("sigmoid-gap", "b*sigmoid(a) - c*sigmoid(-a)", "sigmoid_gap(a, b, c)", late=True),  # by one exponential
    Rule("power-near-one", "(1 + a)^b - 1", "expm1(b*log1p(a))", point=(("a", 1e-6), ("b", 0.5)), late=True, fractional="b"),
    Rule("complement-of-power-near-one", "1 - (1 + a)^b", "-expm1(b*log1p(a))", point=(("a", 1e-6), ("b", 0.5)), late=True,
         fractional="b"),
    Rule("difference-of-roots", "sqrt(a) - sqrt(b)", "(a - b)/max(sqrt(a) + sqrt(b), 1e-30)", point=(("a", 0.3), ("b", 0.300001)),
         late=True),
    Rule("complement-of-power-of-share", "1 - a^b", "-expm1(b*log(a))", (("a", UNIT), ("b", POSITIVE)),
         point=(("a", 0.999999), ("b", 0.5)), late=True, fractional="b"),
    Rule("complement-of-power", "1 - a^b", "-powm1(a, b)", point=(("a", 0.999999), ("b", 0.5)), late=True,
         fractional="b"),
    Rule("power-less-one", "a^b - 1", "powm1(a, b)", point=(("a", 0.999999), ("b", 0.5)), late=True, fractional="b"),
    Rule("difference-of-log1p", "log1p(a) - log1p(b)", "sign(a - b)*log1p(abs(a - b)/(1 + min(a, b)))",
         (("a", ABOVE_MINUS_ONE), ("b", ABOVE_MINUS_ONE)), point=(("a", 10.0), ("b", 10.00001)), late=True),
    Rule("log-of-near-quotient", "log(a/b)", "sign(a - b)*log1p(abs(a - b)/min(a, b))",
         (("a", POSITIVE), ("b", POSITIVE)), point=(("a", 0.3), ("b", 0.300001)), late=True),
    Rule("square-of-signed-log", "(sign(a)*log1p(abs(a)/b))^2", "log1p(abs(a)/b)^2", late=True),  # where a sign is dear
    # tempting, and wrong
    Rule("log-of-quotient", "log(a/b)", "log(a) - log(b)", wrong_at=(("a", -2.0), ("b", -3.0))),
    Rule("root-of-square", "sqrt(a^2)", "a", wrong_at=(("a", -1.0),)),
    Rule("log-of-power", "log(a^2)", "2*log(a)", wrong_at=(("a", -1.0),)),
)  # fmt: skip

_LETTERS = {letter: Input(f"?{letter}", NONE) for letter in "abc"}


@cache
def _pattern(text: str) -> Expr:
    return expression(text, dict(_LETTERS))


@cache
def _usable(late: bool) -> dict[str, tuple[Rule, ...]]:
    """The rules by the operation at the top of their left side; the late ones only if they are wanted."""
    found: dict[str, list[Rule]] = {}
    for rule in RULES:
        top = _pattern(rule.left)
        if not rule.wrong_at and isinstance(top, Call) and (late or not rule.late):
            found.setdefault(top.op.name, []).append(rule)
    return {name: tuple(rules) for name, rules in found.items()}


def stable(roots: Iterable[Expr], known: Ranges, *, late: bool = False) -> tuple[Expr, ...]:
    """The roots in stable form: every rule that applies, applied, from the leaves up."""

    def change(node: Expr) -> Expr:
        for _ in range(8):
            new = _rewritten(node, known, late)
            if new is node:
                return node
            node = b.mapped((new,), lambda inner: _rewritten(inner, known, late))[0]
        return node

    return b.mapped(roots, change)


def _rewritten(node: Expr, known: Ranges, late: bool) -> Expr:
    if isinstance(node, Call):
        for rule in _usable(late).get(node.op.name, ()):
            found = match(_pattern(rule.left), node)
            if found is not None and _holds(rule, found, known):
                return expression(rule.right, found)
    return node


def _holds(rule: Rule, found: dict[str, Expr], known: Ranges) -> bool:
    if any(not found[letter].is_static for letter in rule.constants):
        return False
    for letter in rule.fractional:
        exact = b.exact(found[letter])
        if exact is not None and exact.denominator == 1:
            return False
    for letter in rule.rounded:
        exact = b.exact(found[letter])
        if exact is not None and _is_single(exact):
            return False
    return all(known[found[letter]].within(interval) for letter, interval in rule.needs)


def _is_single(value: Fraction) -> bool:
    """Whether float32 has a number (its range left aside)."""
    denominator = value.denominator
    return denominator & (denominator - 1) == 0 and abs(value.numerator) < 2**24


def match(pattern: Expr, node: Expr) -> dict[str, Expr] | None:
    """What the letters of `pattern` stand for in `node`, or None. Sums and products match in either order."""
    found: dict[str, Expr] = {}
    return found if _match(pattern, node, found) else None


def _match(pattern: Expr, node: Expr, found: dict[str, Expr]) -> bool:
    if isinstance(pattern, Input):
        letter = pattern.name[1:]
        return found.setdefault(letter, node) is node
    if isinstance(pattern, Const):
        return pattern is node
    if not isinstance(pattern, Call) or not isinstance(node, Call) or pattern.op is not node.op:
        return False
    orders = [node.args]
    if pattern.op.name in ("add", "mul", "max", "min"):
        orders.append(node.args[::-1])
    for args in orders:
        before = dict(found)
        if all(_match(part, arg, found) for part, arg in zip(pattern.args, args, strict=True)):
            return True
        found.clear()
        found.update(before)
    return False

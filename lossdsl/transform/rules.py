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
from lossdsl.ir.expr import Call, Const, Expr, Input, Reduce
from lossdsl.ir.interval import POSITIVE, Interval
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
    needs: tuple[tuple[str, Interval], ...] = ()
    constants: str = ""
    point: tuple[tuple[str, float], ...] = ()
    wrong_at: tuple[tuple[str, float], ...] = ()
    late: bool = False
    fractional: str = ""
    rounded: str = ""


ABOVE_MINUS_ONE = Interval(low=-1.0, low_open=True)
LOWER_HALF = Interval(0.0, 0.5, low_open=True)
UPPER_HALF = Interval(0.5, 1.0, low_open=True)

RULES = (
    Rule("log-cosh", "log(cosh(a))", "log_cosh(a)", point=(("a", 1e-3),)),
    Rule("log1p", "log(1 + a)", "log1p(a)", point=(("a", 1e-6),)),
    Rule("log1p-of-difference", "log(1 - a)", "log1p(-a)", point=(("a", 1e-6),)),
    Rule("expm1", "exp(a) - 1", "expm1(a)", point=(("a", 1e-6),)),
    Rule("expm1-of-difference", "1 - exp(a)", "-expm1(a)", point=(("a", 1e-6),)),
    Rule("sigmoid", "1/(1 + exp(-a))", "sigmoid(a)", point=(("a", -100.0),)),
    Rule("sigmoid-of-negative", "1/(1 + exp(a))", "sigmoid(-a)", point=(("a", 100.0),)),
    Rule("sigmoid-as-quotient", "exp(a)/(1 + exp(a))", "sigmoid(a)", point=(("a", 100.0),)),
    Rule("root-minus-one", "sqrt(1 + a) - 1", "where(a < 1, a/(sqrt(1 + a) + 1), sqrt(1 + a) + (-1))",
         point=(("a", 1e-6),), late=True),
    Rule("exp-of-expm1", "1 + expm1(a)", "exp(a)", point=(("a", -20.0),)),
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
    Rule("complement-of-power", "1 - a^b", "-expm1(b*log(a))", (("b", POSITIVE),), constants="b",
         point=(("a", 0.999999), ("b", 0.5)), late=True, fractional="b"),
    Rule("difference-of-log1p", "log1p(a) - log1p(b)", "sign(a - b)*log1p(abs(a - b)/(1 + min(a, b)))",
         (("a", ABOVE_MINUS_ONE), ("b", ABOVE_MINUS_ONE)), point=(("a", 10.0), ("b", 10.00001)), late=True),
    Rule("log-of-near-quotient", "log(a/b)", "sign(a - b)*log1p(abs(a - b)/min(a, b))",
         (("a", POSITIVE), ("b", POSITIVE)), point=(("a", 0.3), ("b", 0.300001)), late=True),
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


def tidy(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with constants gathered, signs pulled out and products with a reciprocal written as quotients.

    None of this loses digits: factors are merged exactly, and a quotient is rounded once where a reciprocal and a
    product are rounded twice.
    """
    return b.mapped(roots, _tidied)


def _tidied(node: Expr) -> Expr:
    if isinstance(node, Reduce) and node.op.name in ("sum", "mean"):
        return _pulled(node)
    if not isinstance(node, Call):
        return node
    if node.op.name in ("mul", "div"):
        sign, factors, divisors = factored(node)
        factors = _with_powers(factors)
        for place, factor in enumerate(factors):
            condition = _indicator(factor)
            if condition is not None and condition.axes >= node.axes:
                rest = factors[:place] + factors[place + 1 :]
                return _tidied(b.where(condition, _product(sign, rest, divisors), b.ZERO))
        return _product(sign, factors, divisors)
    if node.op.name == "where" and node.args[1] is b.ZERO:
        return _tidied(b.where(b.call("not", node.args[0]), node.args[2], b.ZERO))
    if node.op.name == "where" and node.args[2] is b.ZERO:
        inner = node.args[1]
        if isinstance(inner, Call) and inner.op.name == "where" and inner.args[2] is b.ZERO:
            return b.where(b.call("and", node.args[0], inner.args[0]), inner.args[1], b.ZERO)
        positive = _negated(inner)
        if positive is not None:
            return b.neg(b.where(node.args[0], positive, b.ZERO))
    if node.op.name in ("add", "sub"):
        left, right = node.args
        if _is_choice(left) and _is_choice(right) and left.children[0] is right.children[0]:
            pieces = (b.call(node.op.name, *pair) for pair in zip(left.children[1:], right.children[1:], strict=True))
            return _tidied(b.where(left.children[0], *map(_tidied, pieces)))
        shared = _over_one_divisor(node)
        if shared is not None:
            return shared
    if node.op.name == "add" and _negated(node.args[1]) is not None:
        return _tidied(b.sub(node.args[0], _negated(node.args[1]) or b.ZERO))
    if node.op.name == "add" and _negated(node.args[0]) is not None:
        return _tidied(b.sub(node.args[1], _negated(node.args[0]) or b.ZERO))
    if node.op.name == "sub" and _negated(node.args[1]) is not None:
        return _tidied(b.add(node.args[0], _negated(node.args[1]) or b.ZERO))
    if node.op.name == "sub" and _negated(node.args[0]) is not None:
        return b.neg(b.add(_negated(node.args[0]) or b.ZERO, node.args[1]))
    if node.op.name == "neg" and isinstance(node.args[0], Call) and node.args[0].op.name == "sub":
        return b.sub(node.args[0].args[1], node.args[0].args[0])
    return node


def _with_powers(factors: list[Expr]) -> list[Expr]:
    """`u^(c - 1)` and `u` as `u^c`, as the chain rule leaves them.

    The same wherever the product is a number; and where u is 0, or underflows, `c*u^(c - 1)` with c = 0 is nan.
    """
    for place, factor in enumerate(factors):
        if not (isinstance(factor, Call) and factor.op.name == "pow"):
            continue
        base, exponent = factor.args
        if isinstance(exponent, Call) and exponent.op.name == "sub" and exponent.args[1] is b.ONE and base in factors:
            rest = [*factors[:place], b.power(base, exponent.args[0]), *factors[place + 1 :]]
            rest.remove(base)
            return _with_powers(rest)
    return factors


def _pulled(node: Reduce) -> Expr:
    """A sum or mean with the factors that do not vary along its axes outside, where they are applied once."""
    sign, factors, divisors = factored(node.arg)
    outside = [factor for factor in factors if not factor.axes & node.over]
    below = [divisor for divisor in divisors if not divisor.axes & node.over]
    if sign == 1 and not any(part is not b.ONE for part in (*outside, *below)):
        return node
    inside = _product(1, [f for f in factors if f not in outside], [d for d in divisors if d not in below])
    if not node.over <= inside.axes:
        return node
    return _product(sign, [Reduce(node.op, inside, node.over), *outside], below)


def _is_choice(node: Expr) -> bool:
    return isinstance(node, Call) and node.op.name == "where"


def _indicator(factor: Expr) -> Expr | None:
    """The condition of a factor that is 1 where it holds and 0 elsewhere."""
    if isinstance(factor, Call) and factor.op.name == "where" and factor.args[1] is b.ONE and factor.args[2] is b.ZERO:
        return factor.args[0]
    return None


def _over_one_divisor(node: Call) -> Expr | None:
    """`a/d - b/d` as `(a - b)/d`, which is rounded once less, and takes one division."""
    left, right = node.args
    if not (isinstance(left, Call) and isinstance(right, Call) and left.op.name == right.op.name == "div"):
        return None
    if left.args[1] is not right.args[1]:
        return None
    return _tidied(b.div(_tidied(b.call(node.op.name, left.args[0], right.args[0])), left.args[1]))


def _negated(node: Expr) -> Expr | None:
    return node.args[0] if isinstance(node, Call) and node.op.name == "neg" else None


DEEPEST = 24
"""How many levels of a product are opened: each product is opened anew, so without a bound long ones take for ever."""


def factored(node: Expr, depth: int = 0) -> tuple[int, list[Expr], list[Expr]]:
    """Sign, factors and divisors of a product, opened as far as that is free of rounding."""
    if isinstance(node, Call) and depth < DEEPEST:
        if node.op.name == "neg":
            sign, factors, divisors = factored(node.args[0], depth + 1)
            return -sign, factors, divisors
        if node.op.name == "mul":
            left, right = (factored(arg, depth + 1) for arg in node.args)
            by_many = any(NONE < divisor.axes < node.axes for divisor in left[2] + right[2])  # like x/sum(x): one part
            if not (by_many or (left[2] and right[2])) or left[1] == [b.ONE] or right[1] == [b.ONE]:
                return left[0] * right[0], left[1] + right[1], left[2] + right[2]
        if node.op.name == "div":
            sign, factors, divisors = factored(node.args[0], depth + 1)
            if not divisors:
                return sign, factors, [node.args[1]]
    return 1, [node], []


def _product(sign: int, factors: list[Expr], divisors: list[Expr]) -> Expr:
    scale = b.const(sign)
    rest: list[Expr] = []
    for factor in factors:
        if b.exact(factor) is not None:
            scale = b.mul(scale, factor)  # type: ignore[assignment]
        else:
            rest.append(factor)
    value = b.exact(scale)
    assert value is not None
    negative, size = value < 0, b.const(abs(value))
    if not rest:
        result: Expr = size
    else:
        result = rest[0]
        for factor in rest[1:]:
            result = b.mul(result, factor)
        result = b.mul(size, result)
    for divisor in divisors:
        result = b.div(result, divisor)
    return b.neg(result) if negative else result


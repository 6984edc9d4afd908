"""Products by their factors: how they are opened, merged and put together. Which are opened when is said elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import reduce

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE
from lossdsl.ir.expr import Call, Expr, Length
from lossdsl.transform.cancellation import Count, Part

MOST_FACTORS = 48
"""As many of a product are looked at one by one; a longer one is opened in part."""
LARGEST_POWER = 64
_LEAST, _MOST = Fraction(1, 2**126), Fraction(2**127)


def name_of(node: Expr) -> str:
    return node.op.name if isinstance(node, Call) else ""


_FEW = 8


def few_factors(expr: Expr, *, above: bool = False) -> list[Expr]:
    """The factors of a product but for its sign; of a long one some may be products.

    What is divided by a number or a length is a product, too, and with `above` what is divided by anything.
    """
    found, stack = list[Expr](), [expr]
    while stack:
        match stack.pop():
            case Call(op, args) if op.name in ("mul", "neg") and len(found) + len(stack) < _FEW:
                stack += reversed(args)
            case Call(op, (top, below)) if op.name == "div" and (above or b.exact(below) or is_length(below)):
                stack.append(top)
            case one if one is not b.ONE:
                found.append(one)
    return found


def positive(node: Expr) -> Expr:
    """A node without a minus sign."""
    return node.children[0] if name_of(node) == "neg" else node


def is_length(node: Expr) -> bool:
    return isinstance(node, Length) or (name_of(node) == "real" and isinstance(node.children[0], Length))


def powered(base: Expr, power: Count) -> Expr:
    return base if power == 1 else b.power(base, b.const(power))


def negative(node: Expr) -> Expr:
    return b.sub(*reversed(node.children)) if name_of(node) == "sub" else b.neg(node)


def value_of(constants: Iterable[Part]) -> Fraction:
    """A product of powers of constants."""
    result = Fraction(1)
    for base, power in constants:
        result *= (b.exact(base) or Fraction(1)) ** int(power)
    return result


def is_normal(constant: Fraction) -> bool:
    """Whether a constant is a normal number of float32: others are not merged into one."""
    return _LEAST < abs(constant) < _MOST


def as_power(part: Expr, power: int, least: int = 2) -> Part:
    """A part as a base and an exponent: `u^2` is u squared."""
    if name_of(part) == "pow":
        count = b.exact(part.children[1])
        if count is not None and count.denominator == 1 and least <= count <= LARGEST_POWER:
            return part.children[0], count * power
    return part, power


def with_powers(factors: list[Part]) -> list[Part]:
    """`u^(c - 1)` and `u` as `u^c`, `u^c` by `u` as `u^(c - 1)`, `u` by its root as the root, and roots of u that meet.

    The same wherever the product is a number; and where u is 0, or underflows, `c*u^(c - 1)` with c = 0 is nan.
    """
    counts = dict(factors)
    for place, (factor, power) in enumerate(factors):
        new = _with_base(factor, power, counts)
        if new is not None:
            base = factor.children[0]
            before, rest = (
                [part for part in some if part[0] is not base] for some in (factors[:place], factors[place + 1 :])
            )
            return with_powers([*before, *(part for part in new if part[1]), *rest])
    return _met(factors)


def _met(factors: list[Part]) -> list[Part]:
    """The factors with `u^(-1/2)*u^(1/2)` as 1: powers of one base, by constants, of which one divides."""
    places: dict[Expr, tuple[int, Count]] = {}
    for other, part in enumerate(factors):
        base, second = _root(*part)
        one, first = places.setdefault(base, (other, second))
        if first * second < 0:
            left = Fraction(first) + Fraction(second)
            merged_one = [(b.power(base, b.const(abs(left))), 1 if left > 0 else -1)] if left else []
            rest = [part for place, part in enumerate(factors) if place not in (one, other)]
            return with_powers([*rest[:one], *merged_one, *rest[one:]])
    return factors


def _root(factor: Expr, power: Count) -> Part:
    """A root, or a power by a constant, as its base with its exponent."""
    if name_of(factor) == "sqrt":
        return factor.children[0], Fraction(1, 2) * power
    exponent = b.exact(factor.children[1]) if name_of(factor) == "pow" else None
    return (factor, power) if exponent is None else (factor.children[0], exponent * power)


def _with_base(factor: Expr, power: Count, counts: Mapping[Expr, Count]) -> list[Part] | None:
    """A root or power together with its base, if that is a factor too; None where they stay apart."""
    name = name_of(factor)
    count = counts.get(factor.children[0], 0) if name in ("pow", "sqrt") else 0
    if not count:
        return None
    base = factor.children[0]
    if name == "sqrt":
        whole = int((power + 2 * count) / 2)
        return None if count * power > 0 else [(base, whole), (factor, power + 2 * count - 2 * whole)]
    exponent = factor.children[1]
    if power != 1 or b.exact(exponent) is not None or (count > 0 and not _lacks(exponent, count)):
        return None
    return [(b.power(base, _shifted(exponent, count)), 1)]


def _lacks(exponent: Expr, count: Count) -> bool:
    """Whether an exponent is something less `count`, as the chain rule leaves it."""
    return name_of(exponent) == "sub" and b.exact(exponent.children[1]) == count


def _shifted(exponent: Expr, count: Count) -> Expr:
    if name_of(exponent) == "sub" and b.exact(exponent.children[1]) is not None:
        return _shifted(exponent.children[0], count - (b.exact(exponent.children[1]) or 0))
    return b.add(exponent, b.const(count)) if count > 0 else b.sub(exponent, b.const(-count))


def is_single(value: Fraction) -> bool:
    """Whether float32 has a number (its range left aside)."""
    denominator = value.denominator
    return denominator & (denominator - 1) == 0 and abs(value.numerator) < 2**24


def factored(node: Expr) -> tuple[int, list[Expr], list[Expr]]:
    """Sign, factors and divisors of a product; at most one quotient is opened, and of a long product a part."""
    sign, above, below = 1, list[Expr](), list[Expr]()
    stack, opened = [node], 0
    while stack:
        part = stack.pop()
        opened += 1
        name = name_of(part) if opened <= MOST_FACTORS else ""
        is_shared = name == "div" and part is not node and NONE < part.children[1].axes < node.axes  # like x/sum(x)
        if name == "neg":
            sign = -sign
            stack.append(part.children[0])
        elif name == "mul":
            stack += reversed(part.children)
        elif name == "div" and not below and not is_shared:
            below.append(part.children[1])
            stack.append(part.children[0])
        else:
            above.append(part)
    return sign, [part for part in above if part is not b.ONE] or [b.ONE], below


def merged(constants: Iterable[Expr]) -> list[Expr]:
    """Constants multiplied exactly, as far as float32 has the result."""
    found: list[Expr] = []
    for constant in constants:
        scale = value_of([(found[-1], 1), (constant, 1)]) if found else None
        if scale is not None and is_normal(scale):
            found[-1] = b.const(scale)
        else:
            found.append(constant)
    return found


def multiplied(factors: Iterable[Expr]) -> Expr:
    """Factors in their order."""
    result: Expr = b.ONE
    return reduce(b.mul, factors, result)


def scaled_product(factors: Iterable[Expr]) -> Expr:
    """Factors in their order after one constant, that of all of them."""
    constants: list[Expr] = []
    rest: list[Expr] = []
    for factor in factors:
        is_scaled = isinstance(factor, Call) and factor.op.name == "mul" and b.exact(factor.children[0]) is not None
        for part in factor.children if is_scaled else (factor,):
            (rest if b.exact(part) is None else constants).append(part)
    return multiplied([*merged(constants), *rest])

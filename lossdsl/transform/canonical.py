"""Sums and products in one normal form."""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE
from lossdsl.ir.expr import Call, Expr, Reduce


def canonical(roots: Iterable[Expr]) -> tuple[Expr, ...]:
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


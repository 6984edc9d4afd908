"""Constructors of numbers and elementwise operations, with the folding that never changes a value.

Constants are added, multiplied and raised to whole powers as exact fractions. `0 + e`, `1*e` and the like go away;
`0*e` goes away as well, for a loss means its value in real arithmetic, where no `e` is infinite.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from fractions import Fraction

from lossdsl.ir.expr import Call, Const, Expr, Flag, is_whole
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS

MAX_EXPONENT = 1024
"""The largest power of a constant that is worked out exactly; beyond that it is left to run time."""


def const(value: float | int | Fraction) -> Const:
    """A constant; a float stands for the shortest decimal that reads back as it."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return Const(value)
        value = Fraction(repr(value))
    return Const(Fraction(value))


ZERO, ONE, TWO = const(0), const(1), const(2)


def is_const(expr: Expr, value: float | None = None) -> bool:
    return isinstance(expr, Const) and (value is None or expr.value == value)


def exact(expr: Expr) -> Fraction | None:
    """The value of a finite constant, else None."""
    return expr.value if isinstance(expr, Const) and isinstance(expr.value, Fraction) else None


def number(expr: Expr) -> Expr:
    """`expr` as a real number: conditions count as 0 and 1, whole numbers as themselves."""
    if isinstance(expr, Flag):
        return ONE if expr.value else ZERO
    if expr.kind is Kind.BOOL:
        return Call(OPS["truth"], (expr,))
    if expr.kind is Kind.INT:
        return Call(OPS["real"], (expr,))
    return expr


def call(name: str, *args: Expr) -> Expr:
    """An elementwise operation, with its arguments brought to the kinds that it takes, and folded."""
    op = OPS[name]
    if not op.takes and not (all(map(is_whole, args)) and (op.whole or (op.infix and op.gives is Kind.BOOL))):
        args = tuple(map(number, args))
    elif name == "where" and not all(map(is_whole, args[1:])):
        args = (args[0], number(args[1]), number(args[2]))
    folded = _FOLDS[name](*args) if name in _FOLDS else None
    return Call(op, args) if folded is None else folded


def add(a: Expr, b: Expr) -> Expr:
    return call("add", a, b)


def sub(a: Expr, b: Expr) -> Expr:
    return call("sub", a, b)


def mul(a: Expr, b: Expr) -> Expr:
    return call("mul", a, b)


def div(a: Expr, b: Expr) -> Expr:
    return call("div", a, b)


def neg(a: Expr) -> Expr:
    return call("neg", a)


def power(a: Expr, b: Expr) -> Expr:
    return call("pow", a, b)


def where(c: Expr, a: Expr, b: Expr) -> Expr:
    return call("where", c, a, b)


# --- folding ------------------------------------------------------------------------------------------------------


_LARGEST, _LEAST = Fraction(sys.float_info.max), Fraction(math.ulp(0.0))


def _folded(value: Fraction) -> Const | None:
    """A result worked out beforehand, None where floating point does not have it: then it is left to run time."""
    return const(value) if value == 0 or _LEAST <= abs(value) <= _LARGEST else None


def _fold_add(a: Expr, b: Expr) -> Expr | None:
    x, y = exact(a), exact(b)
    if x is not None and y is not None:
        return _folded(x + y)
    if x == 0:
        return b
    return a if y == 0 else None


def _fold_sub(a: Expr, b: Expr) -> Expr | None:
    x, y = exact(a), exact(b)
    if x is not None and y is not None:
        return _folded(x - y)
    if x == 0:
        return neg(b)
    return a if y == 0 else None


def _fold_mul(a: Expr, b: Expr) -> Expr | None:
    x, y = exact(a), exact(b)
    if x is not None and y is not None:
        return _folded(x * y)
    if x == 0 or y == 0:
        return ZERO
    if x == 1:
        return b
    if y == 1:
        return a
    if x == -1:
        return neg(b)
    return neg(a) if y == -1 else None


def _fold_div(a: Expr, b: Expr) -> Expr | None:
    x, y = exact(a), exact(b)
    if y is not None and y != 0:
        if x is not None:
            return _folded(x / y)
        if y == 1:
            return a
        if y == -1:
            return neg(a)
    return ZERO if x == 0 and y is None else None


def _fold_neg(a: Expr) -> Expr | None:
    if isinstance(a, Const):
        return Const(-a.value)
    return a.args[0] if isinstance(a, Call) and a.op.name == "neg" else None


def _fold_pow(a: Expr, b: Expr) -> Expr | None:
    x, y = exact(a), exact(b)
    if y == 1:
        return a
    if y == 0 or x == 1:
        return ONE
    if x is None or y is None or y.denominator != 1 or abs(y) > MAX_EXPONENT or (x == 0 and y < 0):
        return None
    return _folded(x ** int(y)) if _bits(x) * abs(y) < 4096 else None


def _bits(x: Fraction) -> int:
    return x.numerator.bit_length() + x.denominator.bit_length()


def _fold_where(c: Expr, a: Expr, b: Expr) -> Expr | None:
    if isinstance(c, Flag):
        return a if c.value else b
    if isinstance(a, Call) and a.op.name == "where" and a.args[0] is c:
        return where(c, a.args[1], b)
    if isinstance(b, Call) and b.op.name == "where" and b.args[0] is c:
        return where(c, a, b.args[2])
    return a if a is b else None


def _fold_compare(test: Callable[[float | Fraction, float | Fraction], bool]) -> Callable[[Expr, Expr], Expr | None]:
    def fold(a: Expr, b: Expr) -> Expr | None:
        if isinstance(a, Const) and isinstance(b, Const):
            return Flag(test(a.value, b.value))
        return None

    return fold


_EQUAL = _fold_compare(lambda a, b: a == b)


def _fold_eq(a: Expr, b: Expr) -> Expr | None:
    if isinstance(a, Call) and a.op.name == "truth" and b is ONE:  # as in onehot(t) == 1
        return a.args[0]
    return _EQUAL(a, b)


def _fold_and(a: Expr, b: Expr) -> Expr | None:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Flag):
            return other if one.value else one
    return a if a is b else None


def _fold_or(a: Expr, b: Expr) -> Expr | None:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Flag):
            return one if one.value else other
        if one is _fold_not(other):
            return Flag(True)
    return a if a is b else None


def _fold_not(a: Expr) -> Expr | None:
    if isinstance(a, Flag):
        return Flag(not a.value)
    return a.args[0] if isinstance(a, Call) and a.op.name == "not" else None


def _fold_extreme(pick: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Expr, Expr], Expr | None]:
    def fold(a: Expr, b: Expr) -> Expr | None:
        x, y = exact(a), exact(b)
        return const(pick(x, y)) if x is not None and y is not None else None

    return fold


def _fold_at_zero(result: Expr) -> Callable[[Expr], Expr | None]:
    return lambda a: result if is_const(a, 0) else None


def _fold_abs(a: Expr) -> Expr | None:
    if not isinstance(a, Const):
        return None
    return Const(-a.value) if a.value < 0 else a


def _fold_log(a: Expr) -> Expr | None:
    x = exact(a)
    if x is None or x == 1 or abs(x - 1) >= Fraction(1, 4):
        return ZERO if x == 1 else None
    # Near 1 the float nearest to a constant has lost digits of its logarithm; its exact distance from 1 has not.
    return call("log1p", const(x - 1))


_FOLDS: dict[str, Callable[..., Expr | None]] = {
    "add": _fold_add,
    "sub": _fold_sub,
    "mul": _fold_mul,
    "div": _fold_div,
    "neg": _fold_neg,
    "pow": _fold_pow,
    "where": _fold_where,
    "lt": _fold_compare(lambda a, b: a < b),
    "le": _fold_compare(lambda a, b: a <= b),
    "gt": _fold_compare(lambda a, b: a > b),
    "ge": _fold_compare(lambda a, b: a >= b),
    "eq": _fold_eq,
    "ne": _fold_compare(lambda a, b: a != b),
    "and": _fold_and,
    "or": _fold_or,
    "not": _fold_not,
    "max": _fold_extreme(max),
    "min": _fold_extreme(min),
    "exp": _fold_at_zero(ONE),
    "log": _fold_log,
    "log1p": _fold_at_zero(ZERO),
    "expm1": _fold_at_zero(ZERO),
    "sqrt": lambda a: a if is_const(a, 0) or is_const(a, 1) else None,
    "abs": _fold_abs,
}

"""Constructors: nodes with the folding that never changes a value.

Constants are added, multiplied and raised to whole powers as exact fractions. `0 + e`, `1*e` and the like go away;
`0*e` goes away as well, for a loss means its value in real arithmetic, where no `e` is infinite.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction

from lossdsl.ir.axes import SAMPLE, Axes, Axis, ordered, without_last
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Length,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
    is_whole,
    walk,
)
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES, OPS

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


def total(expr: Expr, over: Axes) -> Expr:
    """The sum over those axes that `expr` has."""
    present = over & expr.axes
    return Reduce(AGGREGATES["sum"], number(expr), present) if present else expr


def average(expr: Expr) -> Expr:
    """The mean over the last axis, if `expr` has one."""
    present = expr.axes - without_last(expr.axes)
    return Reduce(AGGREGATES["mean"], number(expr), present) if present else number(expr)


def anywhere(condition: Expr, over: Axes) -> Expr:
    """Whether a condition holds somewhere along those axes that it has."""
    present = over & condition.axes
    return Reduce(AGGREGATES["any"], condition, present) if present else condition


def length(expr: Expr, over: Axes) -> Expr:
    """How many positions `expr` has along axes, measured on small parts that have them, if it can on no count."""
    known = [axis.size for axis in over if axis.size is not None]
    if len(known) == len(over) and over:
        return const(math.prod(known))
    found = _measured(expr, over)
    apart = [axis for axis in ordered(over) if axis not in SAMPLE]
    groups = [frozenset(group) for group in (over & SAMPLE, *([axis] for axis in apart)) if group]
    if len(groups) == 1 or not found.children:
        return number(Length(found, over))
    result: Expr = ONE  # no input has all of them, and what has need not be worked out
    for group in groups:
        result = mul(result, length(found, group))
    return result


def _measured(expr: Expr, over: Axes) -> Expr:
    """The part of an expression on which axes are measured."""
    waiting, seen, found = [expr], set[Expr](), expr
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        below = [child for child in _as_long(part, over) if over <= child.axes]
        found = found if below else part
        if not below and not isinstance(part, Position):
            break
        waiting += reversed(below)
    return found


def _as_long(node: Expr, over: Axes) -> tuple[Expr, ...]:
    """The children of a node whose lengths along axes, where they have them, are its own."""
    match node:
        case Call() | Reduce() | Along():
            return node.children
        case Rename(arg, old, new) | Slice(arg, old, new) if not over & {old, new}:
            return (arg,)
    return ()


def cut(expr: Expr, old: Axis, new: Axis, start: int = 0) -> Expr:
    """`Slice`, or `Rename` where nothing is left out; a slice of a slice is one."""
    if start == 0 and old.as_long_as(new):
        return expr if old == new else renamed(expr, old, new)
    if isinstance(expr, Position) and start >= 0:
        return add(Position(new), const(start))
    if isinstance(expr, Slice) and expr.new == old and old not in expr.arg.axes and min(start, expr.start) >= 0:
        return cut(expr.arg, expr.old, new, start + expr.start)
    return Slice(expr, old, new, start)


def renamed(expr: Expr, old: Axis, new: Axis) -> Expr:
    """`Rename`, with a detour of one axis undone."""
    if isinstance(expr, Rename) and expr.new == old and not expr.is_diagonal and old not in expr.arg.axes:
        return expr.arg if expr.old == new else renamed(expr.arg, expr.old, new)
    return Position(new) if isinstance(expr, Position) else Rename(expr, old, new)


def spread(expr: Expr, over: Axes) -> Expr:
    """`expr`, varying along axes that it may lack: the same value at each position."""
    for axis in ordered(over - expr.axes):
        there = call("ge", Position(axis), ZERO)
        expr = Call(OPS["and"], (there, expr)) if expr.kind is Kind.BOOL else Call(OPS["where"], (there, expr, ZERO))
    return expr


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


# --- passes over whole expressions --------------------------------------------------------------------------------


def rebuild(node: Expr, children: tuple[Expr, ...], *, keeps_axes: bool = True) -> Expr:
    """`node` over other children, folded anew. An axis that is summed, sorted or measured along is not lost."""
    if all(new is old for new, old in zip(children, node.children, strict=True)):
        return node
    if isinstance(node, Call):
        return call(node.op.name, *children)
    if isinstance(node, Rename | Gather | Slice) and children[0] is ZERO:
        return ZERO
    if not keeps_axes:
        return node.rebuilt(children)
    if isinstance(node, Reduce | Along | Length):
        pairs = zip(children, node.children, strict=True)
        children = tuple(spread(new, (old.axes - new.axes) & node.over) for new, old in pairs)
    elif isinstance(node, Unslice):
        children = (spread(children[0], frozenset({node.old})), spread(children[1], frozenset({node.new})))
    elif isinstance(node, Rename | Slice | Gather):
        moved = node.axis if isinstance(node, Gather) else node.old
        if moved not in children[0].axes:
            return children[0]
    return node.rebuilt(children)


def mapped(roots: Iterable[Expr], change: Callable[[Expr], Expr], *, keeps_axes: bool = True) -> tuple[Expr, ...]:
    """The roots with `change` applied to every node, children first, each node once."""
    roots = tuple(roots)
    done: dict[Expr, Expr] = {}
    for node in walk(*roots):
        done[node] = change(rebuild(node, tuple(done[child] for child in node.children), keeps_axes=keeps_axes))
    return tuple(done[root] for root in roots)


def substitute(expr: Expr, replacements: dict[Expr, Expr]) -> Expr:
    """`expr` with nodes exchanged; what is put in is not searched again."""
    done: dict[Expr, Expr] = dict(replacements)
    for node in walk(expr):
        if node not in done:
            done[node] = rebuild(node, tuple(done[child] for child in node.children))
    return done[expr]


def keeps_axes(expr: Expr, replacements: dict[Expr, Expr]) -> bool:
    """Whether, with nodes exchanged, the whole and all that is summed or measured still has the axes that it had."""
    done: dict[Expr, Expr] = dict(replacements)
    for node in walk(expr):
        if node not in done:
            children = tuple(done[child] for child in node.children)
            pairs = zip(children, node.children, strict=True)
            if not isinstance(node, Call) and any(new.axes != old.axes for new, old in pairs):
                return False
            done[node] = rebuild(node, children)
    return done[expr].axes == expr.axes


def depends(expr: Expr, on: Iterable[Expr]) -> bool:
    """Whether one of the nodes `on` is part of `expr`."""
    wanted = set(on)
    return any(node in wanted for node in walk(expr))

"""Expressions as text in the language, for messages, `lossdsl show` and the documents."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, TypeGuard

from lossdsl.ir.axes import Axes, is_along_last, names
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
    Length,
    Param,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.op import Op
from lossdsl.ir.traversal import users

_ATOM = 100


def decimal(value: Fraction | float) -> str:
    """A constant as an author would write it: a decimal if it is one, else a quotient."""
    if isinstance(value, float):
        return "inf" if value > 0 else "-inf" if value < 0 else "nan"
    if value.denominator == 1 and abs(value.numerator) < 10**15:
        return str(value.numerator)
    try:
        nearest = Decimal(repr(float(value)))
    except OverflowError:  # worked out from smaller ones; it may get smaller again
        return f"{Decimal(value.numerator) / Decimal(value.denominator):.17g}".replace("e+", "e")
    if Fraction(nearest) == value:
        return str(nearest).lower().replace("e+", "e")
    return f"{value.numerator}/{value.denominator}" if value.denominator < 10**6 else repr(float(value))


def formula(expr: Expr, known: Mapping[Expr, str] | None = None) -> str:
    """One line in the language; `known` gives names to parts."""
    done: dict[Expr, tuple[str, int]] = {}
    names_of = dict(known or {})
    for node in walk(expr):
        done[node] = (names_of[node], _ATOM) if node in names_of else _one(node, done)
    return done[expr][0]


def definitions(expr: Expr, names_of: Mapping[Expr, str] | None = None) -> list[str]:
    """The lines of a body: parts that have a name in `names_of` or are used more than once, then the value."""
    known: dict[Expr, str] = {}
    lines: list[str] = []
    for node, name in named(expr, names_of).items():
        lines.append(f"{name} = {formula(node, known)}")
        known[node] = name
    return [*lines, formula(expr, known)]


def named(expr: Expr, names_of: Mapping[Expr, str] | None = None) -> dict[Expr, str]:
    """The parts that are written once under a name, parts before wholes: those in `names_of`, and those used twice."""
    given = dict(names_of or {})
    above = users(expr)
    taken = {node.name for node in walk(expr) if isinstance(node, Input | Param)} | set(given.values())
    free = (name for number in itertools.count(1) if (name := f"u{number}") not in taken)
    known: dict[Expr, str] = {}
    for node in walk(expr):
        is_part = (len(above[node]) > 1 or node in given) and node.children and node is not expr
        if is_part and len(formula(node, known)) > 3:
            known[node] = given.get(node) or next(free)
    return known


def is_onehot(node: Expr) -> TypeGuard[Call]:
    """Whether a node compares the number of the class at hand with a label."""
    if not (isinstance(node, Call) and node.op.name == "eq"):
        return False
    place, label = node.args
    return isinstance(place, Position) and place.axis.is_last and place.axis not in label.axes


def _one(node: Expr, done: Mapping[Expr, tuple[str, int]]) -> tuple[str, int]:
    text = partial(_within, done)
    inside = partial(_within, done, above=0)
    match node:
        case Const(value):
            shown = decimal(value)
            return shown, 60 if "/" in shown else 70 if shown.startswith("-") else _ATOM
        case Flag(value):
            return str(value).lower(), _ATOM
        case Input(name) | Param(name):
            return name, _ATOM
        case Position(axis):
            return (axis.name if axis.is_index else f"position[{axis.name}]"), _ATOM
        case Length(arg, over):
            return f"len{_over(over)}({inside(arg)})", _ATOM
        case Call(Op("real" | "truth" | "whole"), (value,)):
            return done[value]
        case Call(_, (Position(), label)) if is_onehot(node):
            return f"onehot({inside(label)})", _ATOM
        case Call(op) if op.infix:
            return _infix(node, text), op.precedence
        case Call(op, ()):
            return op.name, _ATOM
        case Call(op, args):
            return f"{op.name}({', '.join(map(inside, args))})", _ATOM
        case Reduce(op, arg, over):
            return f"{op.name}{_over(over)}({inside(arg)})", _ATOM
        case Along(op, args, over, reverse):
            return f"{op.name}{'_reversed' if reverse else ''}{_over(over)}({', '.join(map(inside, args))})", _ATOM
        case Gather(arg, _, index):
            return f"{text(arg, _ATOM)}[{inside(index)}]", _ATOM
        case Rename(arg, old, new):
            is_as_long = not (old.is_index or new.is_index) and old.domain == new.domain
            if is_as_long:  # what is as long as a slice of something else
                return done[arg]
            return f"{text(arg, _ATOM)}[{old.name} -> {new.name}]", _ATOM
        case Slice(arg, _, new, start) if new.is_index:
            return f"{text(arg, _ATOM)}[{_moved(new.name, start)}]", _ATOM
        case Slice(arg):
            return f"{text(arg, _ATOM)}[{':'.join('' if end is None else str(end) for end in node.bounds)}]", _ATOM
        case Unslice(arg, _, old, _, start):
            place = _moved(old.name, start) if old.is_index else f"{start}:"
            return f"pad({inside(arg)}, {place})", _ATOM
    raise AssertionError(f"no text for {type(node).__name__}")


def _within(done: Mapping[Expr, tuple[str, int]], child: Expr, above: int) -> str:
    """A part, in brackets if it holds together less than what stands around it."""
    inner, precedence = done[child]
    if is_onehot(child):  # the language has it as a number
        inner, precedence = f"{inner} == 1", child.op.precedence
    return f"({inner})" if precedence < above else inner


def _infix(node: Call, text: Callable[[Expr, int], str]) -> str:
    """An operation written between its arguments, or before its one; `text` has each in brackets if it needs them."""
    op, level = node.op, node.op.precedence
    first, *rest = node.args
    if not rest:
        return f"{op.infix}{' ' if op.infix.isalpha() else ''}{text(first, level)}"
    last = rest[0]
    if op.name == "pow":
        return f"{text(first, level + 1)}^{text(last, level)}"
    gap = "" if op.infix in "*/" else " "
    # A product of products is written flat; in which order terms are added is seen.
    is_flat = op.name in ("mul", "and", "or") and isinstance(last, Call) and last.op is op
    return f"{text(first, level)}{gap}{op.infix}{gap}{text(last, level + (not is_flat))}"


def _over(over: Axes) -> str:
    return "" if is_along_last(over) else f"[{names(over)}]"


def _moved(index: str, by: int) -> str:
    return f"{index} {'-' if by < 0 else '+'} {abs(by)}" if by else index


def format_point(values: Iterable[tuple[str, Any]], show: Callable[[Any], str]) -> str:
    """A point as an author would write it in an example: `t=[0, 1], x=[0.5, 2], delta=1`; `show` writes a number.

    >>> format_point([("t", (0.0, 1.0)), ("delta", 0.5)], str)
    't=[0.0, 1.0], delta=0.5'
    """
    return ", ".join(f"{name}={_format_rows(value, show)}" for name, value in values)


def _format_rows(value: Any, show: Callable[[Any], str]) -> str:
    return (
        f"[{', '.join(_format_rows(part, show) for part in value)}]" if isinstance(value, tuple | list) else show(value)
    )

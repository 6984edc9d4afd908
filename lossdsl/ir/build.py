"""Constructors of expressions, for everybody: `from lossdsl.ir import build as b`.

Those of numbers and elementwise operations are of `calls`; here are aggregates, moves of axes, and rebuilding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from lossdsl.ir.axes import SAMPLE, Axes, Axis, ordered, without_last
from lossdsl.ir.calls import ONE, TWO, ZERO, add, call, const, div, exact, is_const, mul, neg, number, power, sub, where
from lossdsl.ir.expr import Along, Call, Expr, Gather, Length, Position, Reduce, Rename, Slice, Unslice, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES, OPS
from lossdsl.ir.traversal import valued

__all__ = [
    "ONE", "TWO", "ZERO", "add", "anywhere", "average", "call", "const", "cut", "depends", "div", "exact", "is_const",
    "keeps_axes", "length", "mapped", "mul", "neg", "number", "power", "rebuild", "renamed", "spread", "sub",
    "substitute", "total", "where",
]  # fmt: skip


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


def moved_condition(node: Expr, condition: Expr) -> Expr:
    """The condition of a node, from that of what it moves or gathers: of a gathered axis one position is enough."""
    match node:
        case Reduce(_, _, over) | Along(_, _, over):
            return anywhere(condition, over)
        case Slice(_, axis) | Unslice(_, _, axis) | Gather(_, axis):
            return anywhere(condition, frozenset({axis}))
        case Rename(_, old, new):
            counts = anywhere(condition, frozenset({new}))
            return Rename(counts, old, new) if old in counts.axes else counts
    return condition


def squared(node: Expr) -> Expr | None:
    """What a node is the square of, in whichever way it is written."""
    match node:
        case Call(op, (base, *exponent)) if op.name == "square" or (op.name == "pow" and exponent == [TWO]):
            return base
        case Call(op, (one, other)) if op.name == "mul" and one is other:
            return one
    return None


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
        other = ONE if expr is ZERO else ZERO  # a choice between two that are alike would be none
        expr = Call(OPS["and"], (there, expr)) if expr.kind is Kind.BOOL else Call(OPS["where"], (there, expr, other))
    return expr


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


def varies_with(expr: Expr, on: Iterable[Expr]) -> bool:
    """Whether the value of one of the nodes `on` counts in `expr`, and not only how long it is."""
    wanted = set(on)
    return any(node in wanted for node in valued(expr))


def depends(expr: Expr, on: Iterable[Expr]) -> bool:
    """Whether one of the nodes `on` is part of `expr`."""
    wanted = set(on)
    return any(node in wanted for node in walk(expr))

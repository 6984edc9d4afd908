"""Last axes that meet: what a slice leaves of one meets what is as long.

A tensor that was not cut may be as long as a slice of another: then its axis is that of the slice from there on, and
the lengths are compared when they are known. What is left of one tensor by two slices is compared here.
"""

from __future__ import annotations

from lossdsl.errors import LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.axes import Axis, last_of
from lossdsl.ir.expr import Call, Expr
from lossdsl.ir.meets import Home, called, home_of, never_agree
from lossdsl.ir.traversal import within
from lossdsl.source import Span


def agreed(expr: Expr, span: Span) -> Expr:
    """An expression whose parts meet along one last axis. Raises LossTypeError where they cannot."""
    done: dict[Expr, Expr] = {}
    known: dict[Expr, dict[Axis, Home]] = {}
    for node in within(expr, _has_several):  # a chain of comparisons may be thousands long
        parts = [done[child] for child in node.children] if _has_several(node) else []
        done[node] = b.rebuild(node, tuple(together(parts, span, known))) if parts else node
    return done[expr]


def _has_several(node: Expr) -> bool:
    return sum(axis.is_last for axis in node.axes) > 1


def together(exprs: list[Expr], span: Span, known: dict[Expr, dict[Axis, Home]] | None = None) -> list[Expr]:
    """Expressions along one last axis. Raises LossTypeError where some can never have the same length."""
    lasts = {axis for expr in exprs for axis in expr.axes if axis.is_last}
    if len(lasts) < 2:
        return exprs
    one = min(lasts, key=lambda axis: (axis.is_whole, axis.size is None, axis.size or axis.cut))
    known = {} if known is None else known
    homes = [home_of(expr, axis, known) for expr in exprs if (axis := last_of(expr.axes)) == one]
    return [_as(expr, one, homes, span) for expr in exprs]


def _as(expr: Expr, one: Axis, homes: list[Home | None], span: Span) -> Expr:
    last = last_of(expr.axes)
    if last is None or last == one:
        return expr
    home = home_of(expr, last)
    for other in homes:
        if home is not None and other is not None and never_agree(home, other):
            left, right = called(home, home[0]), called(other, home[0])
            hint = "slices that meet pick out equally many elements, as in `x[1:] - x[:-1]`; nothing is broadcast"
            raise LossTypeError(f"`{left}` and `{right}` meet, and never have the same length", span, hint)
    return _recast(expr, last, one)


def _recast(expr: Expr, old: Axis, new: Axis) -> Expr:
    """An expression with one axis called another: what counts positions counts those of the new one."""
    done: dict[Expr, Expr] = {}
    for node in within(expr, lambda node: isinstance(node, Call) and old in node.axes):
        if old not in node.axes:
            done[node] = node
        elif isinstance(node, Call):
            done[node] = b.rebuild(node, tuple(done[child] for child in node.children))
        else:
            done[node] = b.renamed(node, old, new)
    return done[expr]

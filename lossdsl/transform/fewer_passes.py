"""Sums and choices in forms that take fewer passes over large tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import TypeGuard

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Unslice, walk
from lossdsl.ir.op import Op
from lossdsl.transform.factors import factored, scaled_product


def shared_choices(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with `where(c, a*e, 0)` as `where(c, a*where(c, e, 0), 0)`, where `where(c, e, 0)` is there already.

    Of `e` itself, of which nothing is needed elsewhere, no array is left.
    """
    choices = {(node.args[0], node.args[1]): node for node in walk(*roots) if _keeps(node)}
    chosen: dict[tuple[Expr, Expr], Expr] = {}

    def change(node: Expr) -> Expr:
        if not _keeps(node):
            return node
        condition, piece, _ = node.args
        return b.where(condition, _inside(piece, condition, choices, chosen), b.ZERO)

    return b.mapped(roots, change)


def _keeps(node: Expr) -> TypeGuard[Call]:
    """Whether a node is `where(c, e, 0)`."""
    return isinstance(node, Call) and node.op.name == "where" and node.args[2] is b.ZERO


def _is_open(node: Expr) -> TypeGuard[Call]:
    """Whether parts of an operation may be choices of their own. Others stay: 0 may not be in their domain."""
    return isinstance(node, Call) and node.op.name in ("add", "sub", "mul", "neg", "where")


def _inside(
    piece: Expr, condition: Expr, choices: Mapping[tuple[Expr, Expr], Call], chosen: dict[tuple[Expr, Expr], Expr]
) -> Expr:
    """A piece with those parts of it as choices of which there is one by the condition; not the piece as a whole.

    `chosen` has what became of parts under a condition, each of which is looked at once.
    """
    if not _is_open(piece):
        return piece
    waiting = [*piece.args]
    while waiting:
        part = waiting[-1]
        key = condition, part
        if key in choices:
            chosen[key] = choices[key]
        if key in chosen or not _is_open(part):
            chosen.setdefault(key, part)
            waiting.pop()
            continue
        missing = [arg for arg in part.args if (condition, arg) not in chosen]
        if not missing:
            chosen[key] = b.rebuild(part, tuple(chosen[condition, arg] for arg in part.args))
        waiting += missing
    return b.rebuild(piece, tuple(chosen[condition, arg] for arg in piece.args))


def doubled(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with sums in which one term occurs twice beside small ones, as `1 - t - c - t`, as `2*((1 - c)/2 - t)`.

    What multiplies the sum takes up the 2, and halving is exact.
    """
    return b.mapped(roots, _doubled)


def _doubled(node: Expr) -> Expr:
    if not (isinstance(node, Call) and node.op.name in ("add", "sub")):
        return node
    large: list[tuple[int, Expr]] = []
    small: Expr = b.ZERO
    for sign, term in _terms(node):
        if term.axes == node.axes:
            large.append((sign, term))
        else:
            small = b.add(small, term) if sign > 0 else b.sub(small, term)
    if len(large) != 2 or large[0] != large[1]:
        return node
    (sign, term), half = large[0], b.div(small, b.const(2))
    return b.mul(b.const(2), b.add(half, term) if sign > 0 else b.sub(half, term))


_FEW = 4
"""How deeply a sum is opened: it may be one of sums that are used several times."""


def _terms(node: Expr, sign: int = 1, depth: int = 0) -> list[tuple[int, Expr]]:
    """The terms of a sum with their signs, in order."""
    if not (isinstance(node, Call) and node.op.signs and depth < _FEW):
        return [(sign, node)]
    signed = zip(node.op.signs, node.args, strict=True)
    return [term for one, arg in signed for term in _terms(arg, sign * one, depth + 1)]


def signs_in_divisors(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with `-(e/n)` as `e/(-n)`, where n has fewer axes than e."""
    return b.mapped(roots, _sign_in_divisor)


def _sign_in_divisor(node: Expr) -> Expr:
    match node:
        case Call(op, (Call(inner, (above, below)),)) if (op.name, inner.name) == ("neg", "div"):
            return b.div(above, b.neg(below)) if below.axes < above.axes else node
    return node


def grouped_steps(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with sums in which one slope meets itself moved along an axis as differences of the two.

    What neighbours have in common goes to both of them: of `abs(x[i + 1] - x[i])` the slope at the one is minus that at
    the other. Side by side, both are had of one array, and nothing is negated.
    """
    return b.mapped(roots, _grouped)


def _grouped(node: Expr) -> Expr:
    if not (isinstance(node, Call) and node.op.name in ("add", "sub")):
        return node
    moved: dict[tuple[object, ...], dict[int, Expr]] = {}
    rest: list[tuple[int, Expr]] = []
    for sign, term in _terms(node):
        if isinstance(term, Unslice):
            sign, term = _unsigned(sign, term)
            one = moved.setdefault((term.arg, term.like, term.old, term.new), {})
            if sign not in one:
                one[sign] = term
                continue
        rest.append((sign, term))
    steps = [b.sub(one[1], one[-1]) for one in moved.values() if len(one) == 2]
    rest += [pair for one in moved.values() if len(one) == 1 for pair in one.items()]
    return _plus(reduce(b.add, steps), rest) if steps else node


def _plus(total: Expr, terms: Iterable[tuple[int, Expr]]) -> Expr:
    for sign, term in terms:
        total = b.add(total, term) if sign > 0 else b.sub(total, term)
    return total


def _unsigned(sign: int, term: Unslice) -> tuple[int, Unslice]:
    """A part among zeros without the sign of the part."""
    if isinstance(term.arg, Call) and term.arg.op.name == "neg":
        return -sign, Unslice(term.arg.args[0], term.like, term.old, term.new, term.start)
    return sign, term


def affine_choices(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with a choice by few axes between `2*e - 1` and `e`, say, as `where(c, 2, 1)*e + where(c, -1, 0)`."""
    return b.mapped(roots, _affine_choice)


def _affine_choice(node: Expr) -> Expr:
    if not (isinstance(node, Call) and node.op.name == "where" and node.args[0].axes < node.axes):
        return node
    condition, *pieces = node.args
    first, second = (_line(piece) for piece in pieces)
    if first is None or second is None or first[0] is not second[0]:
        return node
    slope, start = (b.where(condition, *pair) for pair in zip(first[1:], second[1:], strict=True))
    return b.add(b.mul(slope, first[0]), start)


def _line(expr: Expr) -> tuple[Expr, Expr, Expr] | None:
    """`a*e + c` with constants a and c as (e, a, c)."""
    start: Expr = b.ZERO
    match expr:
        case Call(Op("add" | "sub" as name), (left, right)):
            signed = right if name == "add" else b.neg(right)
            if b.exact(right) is not None:
                expr, start = left, signed
            elif b.exact(left) is not None:
                expr, start = signed, left
    sign, factors, divisors = factored(expr)
    constants = [factor for factor in factors if b.exact(factor) is not None]
    rest = [factor for factor in factors if factor not in constants]
    if divisors or len(rest) != 1:
        return None
    return rest[0], scaled_product([b.const(sign), *constants]), start

"""Sums over pairs of which each sample has one, as the hardest of a batch: no weight of all pairs is made.

The slope of `max[j](D[j])` is a sum over all pairs of `where(j == argmax(D), w, 0)*(x - x[j])`. Along j that is one
element, which is gathered. Along the other axis of the pair, rows are added up at the positions that samples have for
them: `sum(where(j == p, row, 0))`, which targets that spell `add rows` do without a comparison of every pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axis, last_of, ordered
from lossdsl.ir.expr import Call, Expr, Gather, Position, Reduce, Rename, walk
from lossdsl.ir.op import Op
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.traversal import users
from lossdsl.targets import pair_products


@dataclass(frozen=True)
class Placed:
    """`sum(where(position == index, rows, 0))` along `old`, which the rows have in the place of `new`."""

    rows: Expr
    index: Expr
    old: Axis
    new: Axis


@dataclass(frozen=True)
class _Pick:
    """The position along an axis at which a weight is not 0, and what it is there."""

    index: Expr
    weight: Expr


def gathered(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with sums of differences of pairs over those pairs alone whose weights are not 0 by their position."""
    return b.mapped(roots, _gathered)


def placed(roots: Iterable[Expr]) -> dict[Expr, Placed]:
    """The sums below the roots that add rows at positions."""
    return {node: found for node in walk(*roots) if isinstance(node, Reduce) and (found := _placed(node)) is not None}


def unused(roots: Iterable[Expr], found: Mapping[Expr, Placed]) -> set[Expr]:
    """The choices of these sums, with their comparisons, that nobody needs beside them."""
    roots = tuple(roots)
    above = users(*roots)
    gone: set[Expr] = set()
    for node in reversed(list(walk(*roots))):
        is_part = isinstance(node, Position) or (isinstance(node, Call) and node.op.name in ("where", "eq"))
        if is_part and node not in roots and all(user in found or user in gone for user in above[node]):
            gone.add(node)
    return gone


def _placed(node: Reduce) -> Placed | None:
    if node.op.name != "sum" or len(node.over) != 1:
        return None
    match node.arg:
        case Call(Op("where"), (Call(Op("eq"), (Position() as place, index)), rows, other)) if other is b.ZERO:
            (old,) = node.over
            last = last_of(rows.axes)
            if last is None or not _is_inside(index, place.axis):
                return None
            is_whole = rows.axes == index.axes | {last} and old in index.axes and not {last, place.axis} & index.axes
            return Placed(rows, index, old, place.axis) if is_whole else None
    return None


def _is_inside(index: Expr, axis: Axis) -> bool:
    """Whether a position is that of a largest or smallest along an axis of the same length."""
    if not isinstance(index, Reduce) or index.op.name not in ("argmax", "argmin") or len(index.over) != 1:
        return False
    (own,) = index.over
    return own.domain == axis.domain and own.cut == axis.cut == 0 and own.size is axis.size is None


def _gathered(node: Expr) -> Expr:
    found = pair_products.pull(node) if isinstance(node, Reduce) else None
    if found is None or not isinstance(node, Reduce):
        return node
    (over,) = node.over
    for axis in ordered(node.arg.axes - {last_of(node.arg.axes)}):
        picks = _picks(found.weight, axis)
        terms = [_term(found, pick, axis, over) for pick in picks]
        if terms and None not in terms:
            total: Expr = reduce(b.add, [term for term in terms if term is not None])
            return total if total.axes == node.axes else node
    return node


def _term(found: pair_products.Pull, pick: _Pick, axis: Axis, over: Axis) -> Expr | None:
    """What the pairs of one pick come to."""
    first, second = (_at(part, axis, pick.index) for part in (found.first, found.second))
    rows = b.mul(pick.weight, b.sub(first, second))
    if axis == over:
        return rows
    choice = b.where(b.call("eq", Position(axis), pick.index), rows, b.ZERO)
    made = Reduce(AGGREGATES["sum"], choice, frozenset({over}))
    return made if over in choice.axes and _placed(made) is not None else None


def _picks(weight: Expr, axis: Axis) -> list[_Pick]:
    """A weight as a sum of what is 0 but at one position; none where it is no such sum."""
    match weight:
        case Rename(arg, old, new) if new == axis and not weight.is_diagonal:
            return _picks(arg, old)
        case Call(Op("neg"), (arg,)):
            return [_Pick(one.index, b.neg(one.weight)) for one in _picks(arg, axis)]
        case Call(Op("add" | "sub"), (one, other)):
            first, second = _picks(one, axis), _picks(other, axis)
            if weight.op.name == "sub":
                second = [_Pick(each.index, b.neg(each.weight)) for each in second]
            return [*first, *second] if first and second else []
        case Call(Op("mul"), (one, other)):
            return _times(one, other, axis) or _times(other, one, axis)
        case Call(Op("div"), (above, below)):
            return [_Pick(each.index, b.div(each.weight, _at(below, axis, each.index))) for each in _picks(above, axis)]
        case Call(Op("where"), (condition, piece, other)) if other is b.ZERO:
            return _of_choice(condition, piece, axis)
    return []


def _times(one: Expr, factor: Expr, axis: Axis) -> list[_Pick]:
    return [_Pick(each.index, b.mul(each.weight, _at(factor, axis, each.index))) for each in _picks(one, axis)]


def _of_choice(condition: Expr, piece: Expr, axis: Axis) -> list[_Pick]:
    parts = _conjuncts(condition)
    for part in parts:
        match part:
            case Call(Op("eq"), (Position(own), index)) if own == axis and _is_inside(index, axis):
                rest = [_at(other, axis, index) for other in parts if other is not part]
                weight = _at(piece, axis, index)
                return [_Pick(index, b.where(reduce(_both, rest), weight, b.ZERO) if rest else weight)]
    inner = _picks(piece, axis)
    return [_Pick(each.index, b.where(_at(condition, axis, each.index), each.weight, b.ZERO)) for each in inner]


def _conjuncts(condition: Expr) -> list[Expr]:
    if isinstance(condition, Call) and condition.op.name == "and":
        return [part for arg in condition.args for part in _conjuncts(arg)]
    return [condition]


def _both(one: Expr, other: Expr) -> Expr:
    return b.call("and", one, other)


def _at(node: Expr, axis: Axis, index: Expr) -> Expr:
    """A part at a position of an axis, where only its leaves are gathered; itself, where it has not that axis."""
    if axis not in node.axes:
        return node
    match node:
        case Call(_, args):
            return b.rebuild(node, tuple(_at(arg, axis, index) for arg in args), keeps_axes=False)
        case Position():
            return index
        case Rename(arg, old, new) if new == axis and not node.is_diagonal and old not in index.axes:
            return _at(arg, old, index)
    return Gather(node, axis, index)

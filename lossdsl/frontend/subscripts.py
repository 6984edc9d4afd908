"""What stands in square brackets: the element or slice of a value, and the axes and new indices of an aggregate.

Behind a value, the kind of an index tells the axis: an index variable takes the place of the axis that it runs over, a
number or label picks an element of the last axis, of a matrix a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lossdsl.errors import LossLimitError, LossNameError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.frontend.scope import WORDS, Indexed, Scope
from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH, DOMAINS, LAST, ROWS, SPACE, Axes, Axis, names, ordered
from lossdsl.ir.expr import Call, Expr, Gather, Input, Rename, Slice
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS, function_names
from lossdsl.source import Span

MAX_INDEX = 2**31 - 1

Resolve = Callable[[s.Node, Scope], Expr]
"""What gives the expression that a node means in a scope."""


# --- behind a value -----------------------------------------------------------------------------------------------


def subscript(node: s.Subscript, scope: Scope, resolve: Resolve) -> Expr:
    """A value with brackets behind it."""
    if node.condition is not None:
        raise LossTypeError("only an aggregate has a filter", node.condition.span, "as in `sum[j if t[j] > 0](x[j])`")
    if isinstance(node.target, s.Name):
        meaning = scope.names.get(node.target.text)
        if isinstance(meaning, Indexed):
            return _element_of(node, meaning, scope, resolve)
    target = resolve(node.target, scope)
    moves: list[_Move] = []
    free = list(target.axes)
    for item in node.items:
        move = _move(item, target, node, scope, resolve)
        if move is None:
            continue
        if isinstance(move, s.Range):
            target = _slice(target, move, scope, resolve)
            continue
        if move.axis not in free:
            raise LossTypeError(f"`{node.target.span.text}` has no axis `{move.axis.name}` here", item.span)
        free.remove(move.axis)
        moves.append(move)
    return _moved(target, moves)


def _move(item: s.Item, target: Expr, node: s.Subscript, scope: Scope, resolve: Resolve) -> _Move | s.Range | None:
    """What an item does to a tensor; None where it is the element at hand."""
    if isinstance(item, s.Range):
        return item
    if not isinstance(item, s.At):
        raise LossTypeError("a new index belongs to an aggregate or a definition", item.span)
    if isinstance(item.value, s.Self):
        return None
    if isinstance(item.value, s.Name):
        meaning = scope.names.get(item.value.text)
        if isinstance(meaning, Axis):
            home = DOMAINS[meaning.domain]
            if home not in target.axes:
                raise LossTypeError(
                    f"`{node.target.span.text}` has no axis `{home.name}`",
                    item.span,
                    f"`{meaning.name}` runs over `{home.name}`; its axes are {names(target.axes)}",
                )
            return _Move(home, meaning)
        if meaning is None and item.value.text not in (*function_names(), *WORDS):
            near = did_you_mean(item.value.text, scope.names)
            if item.value.text in ("None", "newaxis"):
                near = "leave it out: axes have names, and meet by them"
            hint = near or f"an index is bound by an aggregate, as in `sum[{item.value.text}](…)`"
            raise LossNameError(f"the index `{item.value.text}` is not defined", item.span, hint)
    axis = ROWS if ROWS in target.axes else LAST
    if axis not in target.axes:
        raise LossTypeError(
            f"`{node.target.span.text}` has no elements to choose from",
            node.span,
            f"its axes are {names(target.axes)}",
        )
    return _Move(axis, index(item.value, scope, resolve))


def _element_of(node: s.Subscript, meaning: Indexed, scope: Scope, resolve: Resolve) -> Expr:
    """An element of a definition with free indices, each of which has its axis."""
    name = node.target.span.text
    if len(node.items) != len(meaning.indices):
        count = len(meaning.indices)
        plural = "index" if count == 1 else "indices"
        hint = f"as in `{name}[{', '.join(axis.name for axis in meaning.indices)}]`"
        raise LossTypeError(f"`{name}` has {count} {plural}, not {len(node.items)}", node.span, hint)
    moves = []
    for item, axis in zip(node.items, meaning.indices, strict=True):
        if not isinstance(item, s.At):
            raise LossTypeError("one element is wanted here", item.span)
        value: Axis | Expr
        found = scope.names.get(item.value.text) if isinstance(item.value, s.Name) else None
        if isinstance(item.value, s.Self):
            value = DOMAINS[axis.domain]
        elif isinstance(found, Axis):
            if found.domain != axis.domain:
                raise LossTypeError(
                    f"`{found.name}` runs over `{found.domain}`, this index of `{name}` over `{axis.domain}`",
                    item.span,
                )
            value = found
        else:
            value = index(item.value, scope, resolve)
        moves.append(_Move(axis, value))
    return _moved(meaning.value, [move for move in moves if move.axis in meaning.value.axes])


def index(node: s.Node, scope: Scope, resolve: Resolve) -> Expr:
    """A whole number: a label, or something computed."""
    value = resolve(node, scope)
    if value.kind is Kind.BOOL:
        hint = "a filter belongs to an aggregate, as in `sum[j if t[j] > 0](x[j])`"
        raise LossTypeError(f"`{node.span.text}` is a condition, not an index", node.span, hint)
    if isinstance(value, Input) and value.kind is not Kind.INT and LAST in value.axes:
        raise LossTypeError(
            f"`{node.span.text}` is not a label",
            node.span,
            f"declare it so in the header: `{node.span.text}: label`; an index variable is bound by `sum[j](…)`",
        )
    exact = b.exact(value)
    if exact is not None and exact.denominator != 1:
        hint = "elements are counted 0, 1, 2, …, and from the end -1, -2, …"
        raise LossTypeError(f"`{node.span.text}` is not a whole number", node.span, hint)
    if exact is not None and abs(exact) > MAX_INDEX:
        raise LossLimitError(f"no axis has {node.span.text} elements", node.span, "the last one is `x[-1]`")
    return value if value.kind is Kind.INT or exact is not None else Call(OPS["whole"], (value,))


def _slice(target: Expr, item: s.Range, scope: Scope, resolve: Resolve) -> Expr:
    """A part of the last axis."""
    if LAST not in target.axes:
        hint = "a slice is one of an input with a last axis; labels and scalars have none"
        raise LossTypeError("there is no axis `last` to take a slice of", item.span, hint)
    bounds = []
    for end in (item.start, item.stop):
        value = None if end is None else b.exact(resolve(end, scope))
        if end is not None and (value is None or value.denominator != 1):
            raise LossTypeError("a slice runs between whole numbers known beforehand", end.span, "as in `x[1:]`")
        if end is not None and value is not None and abs(value) > MAX_INDEX:
            raise LossLimitError(f"no axis has {end.span.text} elements", end.span, "up to the end is `x[1:]`")
        bounds.append(None if value is None else int(value))
    return Slice(target, bounds[0], bounds[1])


class _Move(NamedTuple):
    """An axis, and what takes its place: another axis, or an element of it."""

    axis: Axis
    value: Axis | Expr


def _moved(target: Expr, moves: list[_Move]) -> Expr:
    """All moves at once: an axis that is on its way steps aside first if its place is taken."""
    renames = [(move.axis, move.value) for move in moves if isinstance(move.value, Axis) and move.value != move.axis]
    leaving = {old for old, _ in renames}
    waiting = []
    for count, (old, new) in enumerate(renames):
        if new in leaving and new in target.axes:
            aside = Axis(f"aside{count}", old.domain, 1_000_000 + count)
            target = _renamed(target, old, aside)
            waiting.append((aside, new))
        else:
            waiting.append((old, new))
    for old, new in waiting:
        target = _renamed(target, old, new)
    for move in moves:
        if isinstance(move.value, Expr):
            target = Gather(target, move.axis, move.value)
    return target


def _renamed(expr: Expr, old: Axis, new: Axis) -> Expr:
    """`Rename`, with a detour of one axis undone."""
    if isinstance(expr, Rename) and expr.new == old and not expr.is_diagonal and old not in expr.arg.axes:
        return expr.arg if expr.old == new else _renamed(expr.arg, expr.old, new)
    return Rename(expr, old, new)


# --- of an aggregate or a definition ------------------------------------------------------------------------------


def selected(items: tuple[s.Item, ...], scope: Scope) -> tuple[Scope, dict[Axis, Span]]:
    """The scope inside an aggregate, and the axes that it ranges over, each with its place."""
    places: dict[Axis, Span] = {}
    for item in items:
        over: Axes
        if isinstance(item, s.At) and isinstance(item.value, s.Name) and item.value.text in WORDS:
            word = item.value.text
            over = frozenset({BATCH, SPACE, LAST} if word == "all" else {DOMAINS[word]})
        elif (bound := new_index(item, scope)) is not None:
            scope, axis = bound
            over = frozenset({axis})
        else:
            raise LossTypeError(
                "an aggregate ranges over axes or new indices", item.span, "as in `sum[batch](e)` or `sum[j](x[j])`"
            )
        for axis in ordered(over.difference(places)):
            places[axis] = item.span
    return scope, places


def new_index(item: s.Item, scope: Scope) -> tuple[Scope, Axis] | None:
    """The scope in which a new index has its name, and its axis; None where an item is no name."""
    match item:
        case s.Bound(_, word, domain):
            return scope.bind_index(word, _domain(domain))
        case s.At(_, s.Name(span, text)):
            return scope.bind_index(s.Word(span, text), "last")
    return None


def _domain(word: s.Word) -> str:
    if word.text not in DOMAINS:
        raise LossNameError(
            f"`{word.text}` is no axis", word.span, "an index runs over `batch`, `space`, `last` or `rows`"
        )
    return word.text

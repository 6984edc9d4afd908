"""What stands in square brackets behind a value: an element, a slice, the place of another index.

The kind of an index tells the axis: an index variable, alone or with a number added, reads along the axis that it runs
over, `a in batch` a row of the batch, a number or label an element of the last axis, of a matrix a row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from lossdsl.errors import LossLimitError, LossNameError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.frontend.indices import Resolving, Way, from_end, is_said, note, way_of
from lossdsl.frontend.scope import Index, Indexed, Scope
from lossdsl.ir import build as b
from lossdsl.ir.affine import affine
from lossdsl.ir.axes import ROWS, Axis, last_of, names, ordered
from lossdsl.ir.expr import Call, Const, Expr, Gather, Input, Position
from lossdsl.ir.meets import home_of
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS, function_names
from lossdsl.source import Span

MAX_INDEX = 2**31 - 1
_ARITHMETIC = ("add", "sub", "mul", "neg", "whole", "real", "floor", "ceil", "round", "mod", "div", "max", "min", "abs")


class _Move(NamedTuple):
    """An axis, and what takes its place: another axis, from one of its positions on, or an element of it."""

    axis: Axis
    value: Axis | Expr
    start: int = 0


_Way = tuple[Axis, Axis, int]
"""From which axis to which, and from which of its positions on."""


def subscript(node: s.Subscript, scope: Scope, resolver: Resolving) -> Expr:
    """A value with brackets behind it."""
    if node.condition is not None:
        raise LossTypeError("only an aggregate has a filter", node.condition.span, "as in `sum[j if t[j] > 0](x[j])`")
    if isinstance(node.target, s.Self):
        return _position(node, scope, resolver)
    meaning = scope.names.get(node.target.text) if isinstance(node.target, s.Name) else None
    count = len(meaning.indices) if isinstance(meaning, Indexed) else 0
    if isinstance(meaning, Indexed):
        target = _element_of(replace(node, items=node.items[:count]), meaning, scope, resolver)
        if len(node.items) <= count:
            return target
        node = replace(node, items=node.items[count:])  # of an element that is a vector, an element
    else:
        target = resolver.resolve(node.target, scope)
    moves: list[_Move] = []
    free = list(ordered(target.axes))
    for place, item in enumerate(node.items):
        if isinstance(item, s.Range):
            target = _slice(target, item, scope, resolver)
            free = [axis for axis in ordered(target.axes) if axis in free or axis.is_last]
            continue
        move = _move(item, target, free, len(node.items) - place, node, scope, resolver)
        is_elsewhere = move is None or move.axis.domain not in ("last", "rows")
        if isinstance(meaning, Indexed) and is_elsewhere:
            raise _miscounted(node, meaning, count + len(node.items))
        if move is not None:
            free.remove(move.axis)
            moves.append(move)
    _check_once(node, moves)
    return _moved(_folded(target, moves), moves)


_BY_NAMES = "an element of it is `x[0]`, a slice `x[1:]`; other axes have names, as in `x[a in batch]`, without `:`"


def _check_once(node: s.Subscript, moves: list[_Move]) -> None:
    """Raises for brackets as in `x[:, 0]`: where numpy has positions, axes have names here."""
    slices = sum(isinstance(item, s.Range) for item in node.items)
    if slices > 1 or (slices and any(move.axis.is_last for move in moves)):
        raise LossTypeError("two things in these brackets read along the last axis", node.span, _BY_NAMES)


def _position(node: s.Subscript, scope: Scope, resolver: Resolving) -> Expr:
    """`self[space]`."""
    match node.items:
        case (s.At(span, s.Name(_, text)),) if text in scope.words and text != "all":
            axis = scope.axis(s.Word(span, text))
            resolver.sized(axis, span)
            return Position(axis)
    hint = "as in `self[batch]`, `self[space]`, `self[last]`"
    raise LossTypeError("`self` is the position on an axis", node.span, hint)


def _move(
    item: s.Item, target: Expr, free: list[Axis], items: int, node: s.Subscript, scope: Scope, resolver: Resolving
) -> _Move | None:
    """What an item, the first of `items` that are left, does to a tensor; None where it is the element at hand."""
    if isinstance(item, s.Bound | s.Placed):
        word = item.value if isinstance(item, s.Placed) else s.Name(item.name.span, item.name.text)
        axis = _home(scope.axis(item.domain).domain, free, 1, item, node)
        return _to(Index(axis, 0, axis, target), index(word, scope, resolver), item, resolver)
    if not isinstance(item, s.At):
        raise LossTypeError("a new index belongs to an aggregate or a definition", item.span)
    if isinstance(item.value, s.Self):
        return None
    if isinstance(item.value, s.Name):
        _check_defined(item.value, scope)
    value = index(item.value, scope, resolver)
    way = way_of(value, resolver)
    if way is not None:
        axis = _home(way.axis.domain, free, items, item, node)
        return _along(way, Index(axis, 0, axis, target), value, item, resolver)
    domains = {axis.domain for axis in _counted(value)}
    if len(domains) > 1:
        hint = "an index reads along the axis that it runs over"
        raise LossTypeError(f"`{item.span.text}` counts along {' and '.join(sorted(domains))}", item.span, hint)
    if domains:
        axis = _home(domains.pop(), free, items, item, node)
        return _to(Index(axis, 0, axis, target), value, item, resolver)
    axis_ = ROWS if ROWS in free else last_of(frozenset(free))
    if axis_ is None:
        if any(isinstance(other, s.At) and other is not item for other in node.items):
            raise LossTypeError("two things in these brackets read along the last axis", node.span, _BY_NAMES)
        have = names(free) if free else "none"
        message = f"`{node.target.span.text}` has no elements to choose from"
        raise LossTypeError(message, node.span, f"its axes are {have}; a row of the batch is `x[a in batch]`")
    return _Move(axis_, value)


def _to(own: Index, value: Expr, item: s.Item, resolver: Resolving) -> _Move:
    """An element of an axis that is known."""
    way = way_of(value, resolver)
    if way is not None and way.axis.domain == own.axis.domain:
        return _along(way, own, value, item, resolver)
    found = affine(value)
    if found is not None and found.scales and all(is_said(axis, resolver) for axis in found.scales):
        every = frozenset(found.scales)
        ends = found.least(every) - own.low, found.largest(every) - own.low
        if ends[0] < 0 or (own.axis.size is not None and ends[1] >= own.axis.size):
            shown = " and ".join(f"`{axis.name}`" for axis in ordered(every))
            raise LossTypeError(f"nothing is there for every number of {shown}", item.span, "let it run over fewer")
    return _Move(own.axis, value if not own.low else b.sub(value, b.const(own.low)))


def _along(way: Way, own: Index, value: Expr, item: s.Item, resolver: Resolving) -> _Move:
    """What is read along an index: of a window, each element of it."""
    note(resolver, way, own, item.span)
    if way.least == way.largest:
        return _Move(own.axis, way.axis, way.least - own.low)
    return _Move(own.axis, value if not own.low else b.sub(value, b.const(own.low)))


def _check_defined(name: s.Name, scope: Scope) -> None:
    """Raises for a name that is not defined, as one of an index."""
    if name.text in scope.names or name.text in (*function_names(), *scope.words):
        return
    near = did_you_mean(name.text, scope.names)
    if name.text in ("None", "newaxis"):
        near = "leave it out: axes have names, and meet by them"
    hint = near or f"an index is bound by an aggregate, as in `sum[{name.text}](…)`"
    raise LossNameError(f"the index `{name.text}` is not defined", name.span, hint)


def _home(domain: str, free: list[Axis], items: int, item: s.Item, node: s.Subscript) -> Axis:
    """The axis of a tensor along which an index of a domain reads: of a matrix with two, the first reads its rows."""
    if domain == "last" and ROWS in free and items > 1:
        return ROWS
    found = next((axis for axis in free if axis.domain == domain and not axis.is_index), None)
    if found is None:
        shown = f"`{node.target.span.text}` has no axis `{domain}`"
        hint = f"`{item.span.text}` reads along `{domain}`; its axes are {names(free)}"
        raise LossTypeError(shown, item.span, hint)
    return found


def _counted(value: Expr) -> set[Axis]:
    """The axes whose positions a number is made of, by arithmetic."""
    found: set[Axis] = set()
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, Position):
            found.add(node.axis)
        elif isinstance(node, Call) and node.op.name in _ARITHMETIC:
            stack += node.args
    return found


def _folded(target: Expr, moves: list[_Move]) -> Expr:
    """The target; elements that are counted from the end by `len(x) - 1` become those that are so by -1."""
    for place, move in enumerate(moves):
        end = from_end(move.value) if isinstance(move.value, Expr) else None
        if end is not None and end[1] < 0:
            (over,) = end[0].over
            home = home_of(target, move.axis)
            if home is not None and home == home_of(end[0].arg, over):
                moves[place] = move._replace(value=Const(b.const(end[1]).value))
    return target


def _element_of(node: s.Subscript, meaning: Indexed, scope: Scope, resolver: Resolving) -> Expr:
    """An element of a definition with free indices, each of which has its axis."""
    name = node.target.span.text
    if len(node.items) < len(meaning.indices):
        raise _miscounted(node, meaning, len(node.items))
    pairs = zip(node.items, meaning.indices, strict=True)
    every = [_move_to(item, replace(own, value=meaning.value), name, scope, resolver) for item, own in pairs]
    moves = [move for move in every if move.axis in meaning.value.axes]
    return _moved(_folded(meaning.value, moves), moves)


def _miscounted(node: s.Subscript, meaning: Indexed, given: int) -> LossTypeError:
    name, count = node.target.span.text, len(meaning.indices)
    plural = "index" if count == 1 else "indices"
    hint = f"as in `{name}[{', '.join(one.axis.name for one in meaning.indices)}]`"
    return LossTypeError(f"`{name}` has {count} {plural}, not {given}", node.span, hint)


def _said_place(item: s.Item) -> s.Item:
    """The place that an item says, after the axis that it names."""
    match item:
        case s.Bound(span, word):
            return s.At(span, s.Name(word.span, word.text))
        case s.Placed(span):
            return s.At(span, item.value)
    return item


def _move_to(item: s.Item, own: Index, name: str, scope: Scope, resolver: Resolving) -> _Move:
    """Where one index of a definition goes."""
    is_named = isinstance(item, s.Bound | s.Placed) and scope.axis(item.domain).domain == own.axis.domain
    if is_named:
        item = _said_place(item)
    if not isinstance(item, s.At):
        raise LossTypeError("one element is wanted here", item.span)
    if isinstance(item.value, s.Self):
        if not own.axis.as_long_as(own.home) or own.low:
            hint = f"read it at an index: `{name}[i]`"
            raise LossTypeError(f"`{name}` is not there at every position", item.span, hint)
        return _Move(own.axis, own.home)
    value = index(item.value, scope, resolver)
    way = way_of(value, resolver)
    if way is not None and way.axis.domain == own.axis.domain:
        return _along(way, own, value, item, resolver)
    for axis in () if is_named else ordered(frozenset(_counted(value))):
        if axis.domain != own.axis.domain and not is_said(axis, resolver):
            message = f"`{axis.name}` runs over `{axis.domain}`, this index of `{name}` over `{own.axis.domain}`"
            raise LossTypeError(message, item.span)
    exact = b.exact(value)
    if exact is None:
        return _to(own, value, item, resolver)
    return _Move(own.axis, _counted_from(value, exact, own.low, item.value, name))


def _counted_from(value: Expr, exact: Fraction, low: int, node: s.Node, name: str) -> Expr:
    """The number of an element where the first has the number `low`."""
    if 0 <= exact < low:
        raise LossTypeError(f"`{name}` is not there at {node.span.text}", node.span, f"its first element is {low}")
    return value if exact < 0 else b.const(exact - low)


def index(node: s.Node, scope: Scope, resolver: Resolving) -> Expr:
    """A whole number: a label, or something computed."""
    value = resolver.resolve(node, scope)
    if value.kind is Kind.BOOL:
        hint = "a filter belongs to an aggregate, as in `sum[j if t[j] > 0](x[j])`"
        raise LossTypeError(f"`{node.span.text}` is a condition, not an index", node.span, hint)
    if isinstance(value, Input) and value.kind is not Kind.INT and last_of(value.axes) is not None:
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


# --- slices -------------------------------------------------------------------------------------------------------


def _slice(target: Expr, item: s.Range, scope: Scope, resolver: Resolving) -> Expr:
    """A part of the last axis, which is an axis of its own."""
    last = last_of(target.axes)
    if last is None:
        hint = "a slice is one of an input with a last axis; labels and scalars have none"
        raise LossTypeError("there is no axis `last` to take a slice of", item.span, hint)
    first, stop = (_end(end, scope, resolver) for end in (item.start, item.stop))
    start = first or 0
    if last.size is not None:
        start, stop = (end + last.size if end < 0 else end for end in (start, last.size if stop is None else stop))
    return b.cut(target, last, _left(last, start, stop, item.span), start)


def _end(end: s.Node | None, scope: Scope, resolver: Resolving) -> int | None:
    """A start or stop, as far as it is written."""
    if end is None:
        return None
    value = b.exact(resolver.resolve(end, scope))
    if value is None or value.denominator != 1:
        hint = "as in `x[1:]`; a parameter is declared `K: int`"
        raise LossTypeError("a slice runs between whole numbers known beforehand", end.span, hint)
    if abs(value) > MAX_INDEX:
        raise LossLimitError(f"no axis has {end.span.text} elements", end.span, "up to the end is `x[1:]`")
    return int(value)


def _left(last: Axis, start: int, stop: int | None, span: Span) -> Axis:
    """The axis that a slice leaves of the last one."""
    is_to_end = stop is None or stop < 0
    if start >= 0 and is_to_end:
        return Axis("last", "last", 0, last.cut + start - (stop or 0))
    size = (stop or 0) - start
    is_within = last.size is None or 0 <= start < (stop or 0) <= last.size
    if (start < 0 and not is_to_end) or not is_within:
        hint = "count both ends from the same side, and within what is there"
        raise LossTypeError("it is not known what this slice leaves", span, hint)
    if size <= 0:
        raise LossTypeError("nothing is left by this slice", span, "as in `x[1:3]`, which has x[1] and x[2]")
    return Axis("last", "last", 0, 0, size)


# --- several at once ----------------------------------------------------------------------------------------------


def _stepped_aside(target: Expr, ways: list[_Way], leaving: Collection[Axis]) -> tuple[Expr, list[_Way]]:
    """What waits until its place is free, at a place of its own, and the ways that are left then: that goes last."""
    direct, stepped = [], []
    for count, (old, new, start) in enumerate(ways):
        if new == old:
            continue
        if new in leaving:
            aside = _aside(new, old, count)
            target = b.cut(target, old, aside, start)
            stepped.append((aside, new, 0))
        else:
            direct.append((old, new, start))
    return target, direct + stepped


def _moved(target: Expr, moves: list[_Move]) -> Expr:
    """All moves at once: an axis that is on its way steps aside first if its place is taken."""
    ways = [(move.axis, move.value, move.start) for move in moves if isinstance(move.value, Axis)]
    leaving = {old for old, new, _ in ways if new != old}
    target, waiting = _stepped_aside(target, ways, leaving)
    for count, (old, new, start) in enumerate(waiting):
        if new in target.axes and not (start == 0 and old.as_long_as(new)):  # a diagonal of what is cut
            aside = _aside(new, old, len(ways) + count)
            target, old, start = b.cut(target, old, aside, start), aside, 0
        target = b.cut(target, old, new, start)
    for move in moves:
        if isinstance(move.value, Expr):
            target = _gathered(target, move.axis, move.value)
    return target


def _aside(like: Axis, old: Axis, count: int) -> Axis:
    """An axis as long as another, for as long as the place of that is taken."""
    return old.index(f"aside{count}", 1_000_000 + count, like.cut, like.size)


def _gathered(target: Expr, axis: Axis, index: Expr) -> Expr:
    """An element of an axis; where the index varies along it too, the two are kept apart."""
    if axis not in index.axes:
        return Gather(target, axis, index)
    aside = axis.index("other", 2_000_000, axis.cut, axis.size)
    return b.renamed(Gather(target, axis, b.renamed(index, axis, aside)), aside, axis)

"""Index variables: what binds them, and over which positions each runs.

An index runs over those positions at which all that is read with it is there, as in Tensor Comprehensions (Vasilache et
al. 2018). What is read is known only when the inside of a binder has been resolved: then it is resolved again, with an
axis as long as that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple, Protocol, TypeVar

from lossdsl.errors import LossNameError, LossTypeError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.foreign import axis_hint
from lossdsl.frontend.scope import Index, Scope
from lossdsl.ir import build as b
from lossdsl.ir.affine import affine
from lossdsl.ir.axes import LAST, Axis, ordered
from lossdsl.ir.expr import Call, Expr, Input, Length, Param, walk
from lossdsl.source import Span

T = TypeVar("T")

ROUNDS = 4
"""How often the inside of a binder is resolved at most: what is read does not hang on how far an index runs."""


@dataclass(frozen=True)
class Read:
    """A read at an index: at which of its positions, from `first` on, it finds something.

    It finds nothing in the `short` last positions of the domain, or from position `stop` on, where the length is known.
    `home` is the axis that is read.
    """

    home: Axis
    first: int
    short: int | None
    stop: int | None
    span: Span
    of: Index


Key = tuple[str, int]
"""The name and number of an index."""


Reads = dict[Key, list[Read]]
"""What is read with each index."""


Ranges = dict[int, dict[s.Item, "_Extent"]]
"""How far the indices of a binder ran when it was resolved before, by its id: most likely they do so again."""


class Resolving(Protocol):
    """What gives expressions their meaning, and remembers what was read."""

    reads: Reads
    ranges: Ranges
    said: set[Key]
    windows: set[Key]

    def resolve(self, node: s.Node, scope: Scope) -> Expr:
        """The expression that a node means in a scope."""

    def sized(self, axis: Axis, span: Span) -> Expr:
        """An expression that has an axis."""


def _key(axis: Axis) -> Key:
    return axis.name, axis.number


def is_said(axis: Axis, resolver: Resolving) -> bool:
    """Whether an index runs over numbers that are said and known beforehand, as in `k in 0:3`."""
    return axis.size is not None and _key(axis) in resolver.said


class Way(NamedTuple):
    """The index along which something is read, and the least and largest number added to its position.

    The two differ in a window, `x[i + k]`; `beside` has what is added there, indices over numbers that are said.
    """

    axis: Axis
    least: int
    largest: int
    beside: frozenset[Axis]


def way_of(value: Expr, resolver: Resolving) -> Way | None:
    """How an index expression moves along one index: `i`, `i + 1`, `i + k - 1`. None where it is worked out otherwise.

    Where only indices over numbers that are said take part, it is along the first of them.
    """
    found = affine(value)
    if found is None or not all(axis.is_index for axis in found.scales):
        return None
    said = frozenset(axis for axis in found.scales if is_said(axis, resolver))
    leading = [axis for axis in ordered(frozenset(found.scales)) if axis not in said] or list(ordered(said))[:1]
    if len(leading) != 1 or found.scales[leading[0]] != 1:
        return None
    beside = said - {leading[0]}
    return Way(leading[0], found.least(beside), found.largest(beside), beside)


def is_window(bound: Bound, resolver: Resolving) -> bool:
    """Whether something is read at another index plus one of a binder's."""
    return any(_key(index.axis) in resolver.windows for _, index in bound.indices)


def note(resolver: Resolving, way: Way, of: Index, span: Span) -> None:
    """Remembers that `of` is read on a way along an index."""
    for at in {way.least, way.largest}:
        _note(resolver, way.axis, of, at, span)
    resolver.windows.update(map(_key, way.beside))


def _note(resolver: Resolving, index: Axis, of: Index, at: int, span: Span) -> None:
    first = of.low - at
    size = of.axis.size
    found = Read(of.home, first, of.axis.cut - first if size is None else None, size and first + size, span, of)
    resolver.reads.setdefault(_key(index), []).append(found)


def from_end(expr: Expr) -> tuple[Length, int] | None:
    """The length and the number of `len(x) - 1` or `len(x)`, where that is what an expression is."""
    match expr:
        case Call(op, (inner,)) if op.name in ("real", "whole"):
            return from_end(inner)
        case Length(_, over) if len(over) == 1:
            return expr, 0
        case Call(op, (left, right)) if op.name in ("add", "sub"):
            found, by = from_end(left), b.exact(right)
            if found is not None and by is not None and by.denominator == 1:
                return found[0], found[1] + int(by if op.name == "add" else -by)
    return None


# --- over which positions -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Extent:
    """The numbers over which an index runs: from `low` to the `short` last of a domain, or up to `stop`."""

    home: Axis
    low: int = 0
    short: int = 0
    stop: int | None = None
    is_said: bool = False
    measured: Length | None = None

    def index(self, name: str, number: int) -> Index:
        size = None if self.stop is None else max(0, self.stop - self.low)
        cut = 0 if size is not None else self.low + self.short
        return Index(self.home.index(name, number, cut, size), self.low, self.home)

    def has(self, read: Read) -> bool:
        """Whether a read finds something at every one of these numbers."""
        if self.stop is None:
            ends = read.short is not None and self.low + self.short >= read.short
        else:
            ends = read.stop is None or self.stop - self.low <= read.stop
        return read.first <= 0 and ends


class Bound(NamedTuple):
    """The scope inside a binder, the axes that it ranges over, each with its place, and its indices."""

    scope: Scope
    places: dict[Axis, Span]
    indices: tuple[tuple[s.Item, Index], ...]


def within(resolver: Resolving, items: tuple[s.Item, ...], scope: Scope, body: Callable[[Bound], T]) -> T:
    """What `body` makes of the inside of a binder, once each index is as long as what is read with it asks for."""
    before = resolver.ranges.get(id(items), {})
    extents = {item: extent for item, extent in before.items() if not extent.is_said}
    mistake: LossTypeError | None = None
    for _ in range(ROUNDS):
        bound = _bound(resolver, items, scope, extents)
        keys = {item: _key(index.axis) for item, index in bound.indices}
        outer = {key: resolver.reads.pop(key, None) for key in keys.values()}
        try:
            found, mistake = body(bound), None
        except LossTypeError as error:  # it may be one that a shorter axis does not have
            mistake = error
        read = {item: resolver.reads.pop(keys[item], []) for item, _ in bound.indices}
        wanted = {item: _narrowed(extents[item], index, read[item]) for item, index in bound.indices}
        resolver.reads.update({key: reads for key, reads in outer.items() if reads is not None})
        if wanted == extents:
            if mistake is not None:
                raise mistake
            for item, _ in bound.indices:
                _check_read(item, read[item])
            return found
        extents = resolver.ranges[id(items)] = wanted
    if mistake is not None:
        raise mistake
    raise AssertionError("what is read hangs on how far an index runs")


def _check_read(item: s.Item, reads: list[Read]) -> None:
    """Raises for an index with which nothing is read, if an axis is called so elsewhere."""
    if isinstance(item, s.At) and not reads and (word := bound_name(item)) is not None:
        hint = axis_hint(word.text)
        if hint is not None:
            raise LossNameError(f"`{word.text}` is no axis, and nothing is read with it as an index", word.span, hint)


def _check_measured(extent: _Extent, reads: list[Read]) -> None:
    """Raises where an index runs up to the length of a tensor and only others are read with it."""
    length = extent.measured
    if length is None or not reads:
        return
    (axis,) = length.over
    measured = _tensors(length.arg, axis)
    found = [_tensors(read.of.value, read.of.axis) for read in reads if read.of.value is not None]
    if measured and found and all(found) and not any(measured & each for each in found):
        of, one = min(measured), min(found[0])
        hint = f"what is read tells how far it runs: `len({one})`"
        raise LossTypeError(f"this index runs up to the length of `{of}`, and reads `{one}`", reads[0].span, hint)


def _tensors(value: Expr, axis: Axis) -> set[str]:
    """The tensors in an expression that have the axis of a domain."""
    leaves = (node for node in walk(value) if isinstance(node, Input | Param))
    return {node.name for node in leaves if axis.home in node.axes}


def _narrowed(extent: _Extent, index: Index, reads: list[Read]) -> _Extent:
    """How far an index runs, given what is read with it."""
    homes = {read.home for read in reads}
    home = homes.pop() if len(homes) == 1 else extent.home.home
    if extent.is_said:
        for read in reads:
            if not extent.has(read):
                hint = f"let `{index.axis.name}` run over fewer numbers"
                raise LossTypeError(f"nothing is there for every number of `{index.axis.name}`", read.span, hint)
        _check_measured(extent, reads)
        return replace(extent, home=home if home.domain == extent.home.domain else extent.home)
    low = max([0, *(read.first + index.low for read in reads)])
    short = max([0, *(read.short - index.low for read in reads if read.short is not None)])
    stops = [read.stop + index.low for read in reads if read.stop is not None]
    stops += [] if home.size is None else [home.size]
    short, stop = max(short, home.cut), min(stops) if stops else None
    if stop is not None and stop <= low:
        hint = "an index runs where all that is read with it is there"
        raise LossTypeError(f"there is no position for `{index.axis.name}`", reads[0].span, hint)
    return _Extent(home, low, short, stop)


# --- binders ------------------------------------------------------------------------------------------------------


def _bound(resolver: Resolving, items: tuple[s.Item, ...], scope: Scope, extents: dict[s.Item, _Extent]) -> Bound:
    places: dict[Axis, Span] = {}
    indices: list[tuple[s.Item, Index]] = []
    for item in items:
        if isinstance(item, s.At) and isinstance(item.value, s.Name) and item.value.text in scope.words:
            over = scope.words[item.value.text]
        elif (word_of := bound_name(item)) is not None:
            extent = extents.setdefault(item, _first(resolver, item, scope))
            scope, index = scope.bind_index(word_of, extent.index)
            (resolver.said.add if extent.is_said else resolver.said.discard)(_key(index.axis))
            resolver.windows.discard(_key(index.axis))
            indices.append((item, index))
            over = frozenset({index.axis})
        else:
            raise LossTypeError("an aggregate ranges over axes or new indices", item.span, _what_to_range_over(item))
        for axis in ordered(over.difference(places)):
            places[axis] = item.span
    return Bound(scope, places, tuple(indices))


def bound_name(item: s.Item) -> s.Word | None:
    """The name of a new index; None where an item is none."""
    match item:
        case s.Bound(_, word, _) | s.Ranged(_, word, _, _):
            return word
        case s.At(_, s.Name(span, text)):
            return s.Word(span, text)
    return None


def _first(resolver: Resolving, item: s.Item, scope: Scope) -> _Extent:
    """How far an index runs before it is known what is read with it."""
    match item:
        case s.Bound(_, _, word):
            return _Extent(scope.axis(word))
        case s.Ranged(_, _, start, stop):
            return _said(resolver, start, stop, scope)
    return _Extent(LAST)


def _said(resolver: Resolving, start: s.Node, stop: s.Node, scope: Scope) -> _Extent:
    """`0:K`, `1:len(x)`, `0:len(x) - 1`."""
    low, end = b.exact(resolver.resolve(start, scope)), resolver.resolve(stop, scope)
    if low is None or low.denominator != 1 or low < 0:
        hint = "as in `k in 1:len(x)`; a parameter is declared `K: int`"
        raise LossTypeError("an index begins with a whole number known beforehand", start.span, hint)
    number, last = b.exact(end), from_end(end)
    if last is not None:
        (axis,), by = last[0].over, last[1]
        if axis.size is None and not axis.is_index and axis.cut - by >= 0:
            return _Extent(axis.home, int(low), axis.cut - by, None, True, last[0])
        number = None if axis.size is None else Fraction(axis.size + by)
    if number is None or number.denominator != 1:
        hint = "as in `c in 0:K` with `K: int` in the header, or `k in 1:len(x)`"
        raise LossTypeError("an index ends at a whole number known beforehand, or at a length", stop.span, hint)
    if number <= low:
        raise LossTypeError("there is no number from there to here", start.span | stop.span, "as in `c in 0:3`")
    return _Extent(LAST, int(low), 0, int(number), True)


def _what_to_range_over(item: s.Item) -> str:
    """What to write in the brackets of an aggregate instead."""
    match item:
        case s.At(s.Chain(s.Name(), _)):
            return "numbers are a range, `sum[j in 0:3](x[j])`; a filter begins with `if`, `sum[j if j < 3](x[j])`"
        case s.At(s.Number() | s.Unary()):
            return "axes have names: `mean[batch](e)`; without brackets it is the last one"
    return "as in `sum[batch](e)` or `sum[j](x[j])`"

"""Which tensors must agree in length along which axis: those that meet in the formula."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from lossdsl.ir.affine import affine
from lossdsl.ir.axes import LAST, ROWS, Axis, last_of, ordered, slice_bounds
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Gather,
    Input,
    Param,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.traversal import unknown

Place = tuple[str, Axis]
"""An input or parameter by name, and one of its axes."""

Part = tuple[str, Axis, tuple[tuple[int | None, int | None], ...]]
"""What slices leave of a place: the start and stop of each, one after the other."""


Home = Place | Part
"""Where the length of an axis of an expression comes from."""


class _Groups:
    """Disjoint sets."""

    def __init__(self) -> None:
        self.parent: dict[object, object] = {}

    def find(self, item: object) -> object:
        self.parent.setdefault(item, item)
        while self.parent[item] != item:
            item = self.parent[item]
        return item

    def read_by(self, label: str, home: Home | None) -> None:
        """Says that a label names the elements of an axis, as it names those of whatever else it reads."""
        if home is not None:
            self.parent[self.find(home)] = self.find((label, None))

    def join(self, one: Home, other: Home) -> None:
        """Says that two have one length; of what slices leave of one axis that may be known, and is not asked."""
        if one[:2] != other[:2] or _left(one) != _left(other):
            self.parent[self.find(one)] = self.find(other)


class LeastLength(NamedTuple):
    """A number of elements that must be there, where a slice or a mean takes them."""

    place: Home
    least: int


def meetings(value: Expr, measured: Mapping[Axis, str] | None = None) -> list[frozenset[Home]]:
    """The sets of places, and of slices of places, that must have one length.

    `measured` has the tensor on which the positions along an axis are counted.
    """
    groups = _Groups()
    _walked(value, groups, measured or {})
    found: dict[object, set[Home]] = {}
    for item in list(groups.parent):
        if isinstance(item, tuple) and isinstance(item[1], Axis) and isinstance(item[0], str):
            found.setdefault(groups.find(item), set()).add(item)
    return [frozenset(group) for group in found.values() if len(group) > 1]


def needs(value: Expr) -> list[LeastLength]:
    """How many elements slices of a fixed length ask for; and a mean asks for one, where a slice left fewer."""
    homes = _walked(value, _Groups(), {})
    found: dict[LeastLength, None] = {}
    for node in walk(value):
        if isinstance(node, Slice) and node.new.size is not None and node.old.size is None:
            least = node.start + node.new.size if node.start >= 0 else -node.start
            home = homes[node.arg].get(node.old)
        elif isinstance(node, Gather) and (last_read := _last_read(node.index)) is not None:
            least, home = last_read + 1, homes[node.arg].get(node.axis)
        elif isinstance(node, Reduce) and node.op.name == "mean" and (last := last_of(node.over)) and last.cut:
            least, home = 1, homes[node.arg].get(last)
        else:
            continue
        if home is not None:
            found[LeastLength(home, least)] = None
    return list(found)


def reads(value: Expr) -> list[LeastLength]:
    """How many elements of the last axis there must be for what is read at a number, or is one of those that are there.

    Targets tell of this in ways of their own, or not at all; emitted modules leave it to them.
    """
    homes = _walked(value, _Groups(), {})
    found: dict[LeastLength, None] = {}
    for node in walk(value):
        if isinstance(node, Gather):
            number = node.index.value if isinstance(node.index, Const) else 0
            pairs = [(node.axis, int(number) + 1 if number >= 0 else -int(number))]
        elif isinstance(node, Reduce) and node.op.name in _ONE_OF_THOSE:
            pairs = [(axis, 1) for axis in node.over if node.op.name in ("argmax", "argmin") or axis.is_last]
        else:
            continue
        for axis, least in pairs:
            home = homes[node.arg].get(axis)
            if home is not None and home[1].domain == LAST.domain:
                found[LeastLength(home, least)] = None
    return list(found)


_ONE_OF_THOSE = ("max", "min", "argmax", "argmin")


def named_by(node: Gather) -> Input | None:
    """The label that reads elements of the last axis or rows of a matrix, as `x[t]` does; None where it is no label."""
    index = node.index
    while isinstance(index, Rename):
        index = index.arg
    is_of_classes = node.axis.is_last or node.axis.domain == ROWS.domain
    return index if isinstance(index, Input) and index.whole and is_of_classes else None


def _last_read(index: Expr) -> int | None:
    """The largest position that an index over known numbers names, as `x[k + 2*j]` reads; None for all others."""
    found = affine(index)
    if found is None or not found.scales or any(axis.size is None for axis in found.scales):
        return None
    return found.largest(frozenset(found.scales))


def home_of(expr: Expr, axis: Axis, known: dict[Expr, dict[Axis, Home]] | None = None) -> Home | None:
    """The tensor that gives an axis of an expression its length; `known` keeps those of its parts."""
    homes = {} if known is None else known
    for node in unknown(expr, homes):
        homes[node] = _homes(node, homes, _Groups(), {})
    return homes[expr].get(axis)


def _walked(value: Expr, groups: _Groups, measured: Mapping[Axis, str]) -> dict[Expr, dict[Axis, Home]]:
    homes: dict[Expr, dict[Axis, Home]] = {}
    for node in walk(value):
        homes[node] = _homes(node, homes, groups, measured)
    return homes


def length_of(part: Home, whole: int) -> int:
    """The length of a place, or of what slices leave of it, if its axis has `whole` elements."""
    whole = whole if part[1].size is None else part[1].size
    for start, stop in cuts_of(part):
        whole = len(range(whole)[start:stop])
    return whole


def cuts_of(part: Home) -> tuple[tuple[int | None, int | None], ...]:
    """The start and stop of each slice of a place, one after the other."""
    return part[2] if len(part) == 3 else ()


def never_agree(one: Home, other: Home) -> bool:
    """Whether what is left of one axis by different slices has never the same length."""
    (size, cut), (other_size, other_cut) = _left(one), _left(other)
    return one[:2] == other[:2] and (size is None) == (other_size is None) and (size, cut) != (other_size, other_cut)


def _left(part: Home) -> tuple[int | None, int]:
    """What is left of a place by slices: a number of elements, or all but a number of them."""
    size, cut = part[1].size, 0
    for start, stop in cuts_of(part):
        first = start or 0
        if size is not None:
            size = len(range(size)[start:stop])
        elif first >= 0 and (stop is None or stop < 0):
            cut += first - (stop or 0)
        else:
            size, cut = (stop or 0) - first, 0
    return size, cut


def called(part: Home, name: str) -> str:
    """`x[1:]` for a reader, where the input itself is called `name`."""
    ends = [":".join("" if end is None else str(end) for end in cut) for cut in cuts_of(part)]
    return name + "".join(f"[{end}]" for end in ends)


def _homes(
    node: Expr, homes: dict[Expr, dict[Axis, Home]], groups: _Groups, measured: Mapping[Axis, str]
) -> dict[Axis, Home]:
    match node:
        case Input(name) | Param(name):
            for axis in ordered(node.axes):
                groups.find((name, axis))
            return {axis: (name, axis) for axis in node.axes}
        case Position(axis) if (domain := axis.home) in measured:
            counted: Home = (measured[domain], domain)
            if not axis.is_whole:
                counted = (*counted, (slice_bounds(domain, axis, 0),))
            groups.find(counted)
            return {axis: counted}
        case Rename(arg, old, new):
            moved = {new: homes[arg][old]} if old in homes[arg] else {}
            return _joined([_others(homes[arg], {old}), moved], groups)
        case Gather(arg, axis, index):
            if (label := named_by(node)) is not None:
                groups.read_by(label.name, homes[arg].get(axis))
            return _joined([_others(homes[arg], {axis}), homes[index]], groups)
        case Slice(arg, old, new) if old in homes[arg]:
            home = homes[arg][old]
            part = (*home[:2], (*cuts_of(home), node.bounds))
            groups.find(part)
            return {**_others(homes[arg], {old}), new: part}
        case Slice(arg):
            return homes[arg]
        case Unslice(arg, like, old, new):
            whole = homes[like].get(new)
            return {**_others(homes[arg], {old}), **({} if whole is None else {new: whole})}
        case Reduce(_, arg, over):
            return _others(homes[arg], over)
        case Call() | Along():
            return _joined([homes[child] for child in node.children], groups)
    return {}


def _others(homes: dict[Axis, Home], gone: Collection[Axis]) -> dict[Axis, Home]:
    return {axis: home for axis, home in homes.items() if axis not in gone}


def _joined(parts: list[dict[Axis, Home]], groups: _Groups) -> dict[Axis, Home]:
    result: dict[Axis, Home] = {}
    for part in parts:
        for axis, home in part.items():
            if axis in result:
                groups.join(result[axis], home)
            else:
                result[axis] = home
    return result

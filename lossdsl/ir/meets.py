"""Which tensors must agree in length along which axis: those that meet in the formula."""

from __future__ import annotations

from lossdsl.ir.axes import LAST, Axis, ordered
from lossdsl.ir.expr import Along, Call, Expr, Gather, Input, Param, Reduce, Rename, Slice, Unslice, walk

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

    def join(self, one: object, other: object) -> None:
        self.parent[self.find(one)] = self.find(other)


def meetings(value: Expr) -> list[frozenset[Place | Part]]:
    """The sets of places, and of slices of places, that must have one length."""
    groups = _Groups()
    homes: dict[Expr, dict[Axis, Home]] = {}
    for node in walk(value):
        homes[node] = _homes(node, homes, groups)
    found: dict[object, set[Place | Part]] = {}
    for item in list(groups.parent):
        if isinstance(item, tuple) and isinstance(item[1], Axis) and isinstance(item[0], str):
            found.setdefault(groups.find(item), set()).add(item)
    return [frozenset(group) for group in found.values() if len(group) > 1]


def length_of(part: Place | Part, whole: int) -> int:
    """The length of a place, or of what slices leave of it, if its axis has `whole` elements."""
    for start, stop in part[2] if len(part) == 3 else ():
        whole = len(range(whole)[start:stop])
    return whole


def called(part: Place | Part, name: str) -> str:
    """`x[1:]` for a reader, where the input itself is called `name`."""
    cuts = part[2] if len(part) == 3 else ()
    ends = [":".join("" if end is None else str(end) for end in cut) for cut in cuts]
    return name + "".join(f"[{end}]" for end in ends)


def _homes(node: Expr, homes: dict[Expr, dict[Axis, Home]], groups: _Groups) -> dict[Axis, Home]:
    match node:
        case Input(name) | Param(name):
            for axis in ordered(node.axes):
                groups.find((name, axis))
            return {axis: (name, axis) for axis in node.axes}
        case Rename(arg, old, new):
            rest = {axis: home for axis, home in homes[arg].items() if axis != old}
            moved = {new: homes[arg][old]} if old in homes[arg] else {}
            return _joined([rest, moved], groups)
        case Gather(arg, axis, index):
            rest = {each: home for each, home in homes[arg].items() if each != axis}
            return _joined([rest, homes[index]], groups)
        case Slice(arg, start, stop):
            if LAST not in homes[arg]:
                return homes[arg]
            name, axis, *cuts = homes[arg][LAST]
            part = (name, axis, (*(cuts[0] if cuts else ()), (start, stop)))
            groups.find(part)
            return {**homes[arg], LAST: part}
        case Unslice(arg, like):
            return {**homes[arg], LAST: homes[like].get(LAST, ("like", LAST))}
        case Reduce(_, arg, over):
            return {axis: home for axis, home in homes[arg].items() if axis not in over}
        case Call() | Along():
            return _joined([homes[child] for child in node.children], groups)
    return {}


def _joined(parts: list[dict[Axis, Home]], groups: _Groups) -> dict[Axis, Home]:
    result: dict[Axis, Home] = {}
    for part in parts:
        for axis, home in part.items():
            if axis in result:
                groups.join(result[axis], home)
            else:
                result[axis] = home
    return result

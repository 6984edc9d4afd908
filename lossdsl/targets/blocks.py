"""Reductions of what pairs of samples make, worked out a few samples at a time.

`sum((x - x[j])^2)` over a batch meets batch x batch x last differences on its way to batch x batch numbers. In blocks
of samples they are never there all at once. A product of norms would be small too, but it loses the digits of pairs
that lie close together, and the zeros of those that coincide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, NONE, Axes, Axis, ordered
from lossdsl.ir.expr import Call, Expr, Input, Length, Reduce, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.traversal import users

COMBINED = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "any": "or", "all": "and"}
"""How the results of two blocks become one, for each reduction along the axis that is cut."""

WHOLE = ("mean", "excess", "norm")
"""Reductions that need the whole of each axis that they take away, and are cut along another."""


@dataclass(frozen=True, eq=False, repr=False)
class Made(Input):
    """What stands in a block for a part that is worked out before."""

    of: Kind = Kind.REAL

    @cached_property
    def kind(self) -> Kind:
        return self.of


@dataclass(frozen=True)
class Block:
    """A reduction as a function of blocks along `axis`.

    `root` is the reduction with an input in place of each part that is worked out before: `cut` are the parts that have
    the axis, `whole` those without it.
    """

    axis: Axis
    root: Reduce
    cut: Mapping[Made, Expr]
    whole: Mapping[Made, Expr]

    @property
    def combined(self) -> str:
        """The operation that puts blocks together; nothing where their results stand side by side."""
        return COMBINED[self.root.op.name] if self.axis in self.root.over else ""


def split_means(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with the means along an axis that is to be cut as sums, divided by the length."""

    def change(node: Expr) -> Expr:
        if not isinstance(node, Reduce) or node.op.name != "mean":
            return node
        axis, parts = cut(node.arg)
        if axis is None or axis not in node.over:
            return node
        along = frozenset({axis})
        total = Reduce(AGGREGATES["sum"], node.arg, along)
        count: Expr = Length(next(part for part in parts if axis in part.axes), along)
        if axis.cut:
            count = b.call("max", count, b.ONE)  # a mean of nothing is 0
        mean = b.div(total, count)
        rest = node.over - along
        return Reduce(node.op, mean, rest) if rest else mean

    return b.mapped(roots, change)


def blocks(roots: Iterable[Expr]) -> dict[Expr, Block]:
    """The reductions below the roots that are worked out in blocks."""
    found: dict[Expr, Block] = {}
    for node in walk(*roots):
        if isinstance(node, Reduce) and (node.op.name in COMBINED or node.op.name in WHOLE):
            axis, parts = cut(node.arg, node.over if node.op.name in WHOLE else NONE)
            if axis is not None:
                found[node] = _block(node, axis, parts)
    return found


def hidden(roots: Iterable[Expr], found: Mapping[Expr, Block]) -> set[Expr]:
    """What is worked out inside of blocks alone."""
    roots = tuple(roots)
    above = users(*roots)
    inside: set[Expr] = set()
    for node in reversed(list(walk(*roots))):
        is_within = all(user in found or (user in inside and user.axes == node.axes) for user in above[node])
        if is_within and isinstance(node, Call) and node not in roots:
            inside.add(node)
    return inside


def cut(wide: Expr, kept: Axes = NONE) -> tuple[Axis | None, list[Expr]]:
    """The axis along which a large array is cut, none of `kept`, and the parts of which elementwise operations make it.

    There is one where pairs meet along the last axis, and none of the parts is as large as what they make.
    """
    pairs = _pairs(wide.axes)
    free = [axis for axis in pairs if axis not in kept]
    if LAST not in wide.axes or len(pairs) < 2 or not free or not isinstance(wide, Call):
        return None, []
    parts: dict[Expr, None] = {}
    stack: list[Expr] = [wide]
    seen: set[Expr] = set()
    while stack:
        part = stack.pop()
        if part in seen or part.is_static:
            continue
        seen.add(part)
        if part.axes != wide.axes:
            parts[part] = None
        elif isinstance(part, Call):
            stack.extend(reversed(part.args))
        else:
            return None, []
    return free[0], list(parts)


def _pairs(axes: Axes) -> tuple[Axis, ...]:
    """The axes beside the last one; places count where they meet other places."""
    rest = axes - {LAST}
    met = {axis.domain for axis in rest if axis.is_index}
    return ordered(frozenset(axis for axis in rest if axis.is_index or not axis.is_place or axis.domain in met))


def _block(node: Reduce, axis: Axis, parts: list[Expr]) -> Block:
    leaves = {part: Made(f"?{place}", part.axes, False, part.kind) for place, part in enumerate(parts)}
    root = Reduce(node.op, b.substitute(node.arg, dict(leaves)), node.over)
    cut = {leaf: part for part, leaf in leaves.items() if axis in part.axes}
    whole = {leaf: part for part, leaf in leaves.items() if axis not in part.axes}
    return Block(axis, root, cut, whole)

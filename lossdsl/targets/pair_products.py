"""Distances of pairs, and weighted sums of differences of pairs, as matrix products: which are, and their letters.

`sum((x - x[j])^2)` is |x|^2 + |x[j]|^2 - 2*dot(x, x[j]). Its gradient, `sum[j](w*(x - x[j]))`, is `sum[j](w)*x` less
the product of the matrix w with x. Both lose the digits of pairs that are near beside their norms, so code works those
out from their differences, and all others by the products. `blocks` has the same by differences alone, for what is
small, and for where most pairs are near.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes, Axis, last_of, ordered
from lossdsl.ir.expr import Call, Expr, Reduce, Rename
from lossdsl.ir.op import Op
from lossdsl.targets.blocks import cut


@dataclass(frozen=True)
class Distances:
    """A sum of squared differences `first - second` along the last axis, or the root of it."""

    first: Expr
    second: Expr
    is_root: bool


@dataclass(frozen=True)
class Pull:
    """The sum over one axis, which only one of `first` and `second` has, of `weight*(first - second)`."""

    first: Expr
    second: Expr
    weight: Expr


@dataclass(frozen=True)
class Letters:
    """The axes of the parts of a pair as the letters of an einsum."""

    first: str
    second: str
    pair: str
    same: tuple[str, str] | None
    """The letters along which a sample meets itself, where both parts are one array."""

    @property
    def text(self) -> str:
        """The product of all pairs."""
        return f"{self.first},{self.second}->{self.pair}"


def with_weights(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with what multiplies differences of pairs, in sums over one of their axes, as one factor."""
    return b.mapped(roots, _weighted)


def distances(node: Reduce) -> Distances | None:
    """The distances that a reduction is."""
    last = last_of(node.arg.axes)
    if last is None or node.over != frozenset({last}) or node.op.name not in ("norm", "sum"):
        return None
    apart = node.arg if node.op.name == "norm" else b.squared(node.arg)
    found = None if apart is None else _difference(apart, last)
    return None if found is None else Distances(*found, node.op.name == "norm")


def pull(node: Reduce) -> Pull | None:
    """The sum of differences under weights that a reduction is."""
    last = last_of(node.arg.axes)
    if last is None or node.op.name != "sum" or len(node.over) != 1 or last in node.over:
        return None
    weight: Expr = b.ONE
    apart = node.arg
    if isinstance(apart, Call) and apart.op.name == "mul" and last not in apart.args[0].axes:
        weight, apart = apart.args
    found = _difference(apart, last)
    if found is None or not weight.axes <= node.arg.axes - {last}:
        return None
    (axis,) = node.over
    return Pull(*found, weight) if (axis in found[0].axes) != (axis in found[1].axes) else None


def letters(first: Expr, second: Expr) -> Letters:
    """The letters of the axes of two parts."""
    every = ordered(first.axes | second.axes)
    named = {axis: chr(ord("a") + place) for place, axis in enumerate(every)}

    def of(axes: Axes) -> str:
        return "".join(named[axis] for axis in ordered(axes))

    own = _renamed(first, second)
    same = None if own is None else (named[own[0]], named[own[1]])
    last = last_of(first.axes)
    return Letters(of(first.axes), of(second.axes), of(frozenset(every) - {last}), same)


def _renamed(first: Expr, second: Expr) -> tuple[Axis, Axis] | None:
    """The axes along which the two are one array."""

    def bare(node: Expr) -> tuple[Expr, Axis | None]:
        return (node.arg, node.new) if isinstance(node, Rename) and not node.is_diagonal else (node, None)

    (one, new), (other, more) = bare(first), bare(second)
    if one is not other or (new is None and more is None):
        return None
    mine, yours = first.axes - second.axes, second.axes - first.axes
    return (next(iter(mine)), next(iter(yours))) if len(mine) == len(yours) == 1 else None


def _difference(node: Expr, last: Axis) -> tuple[Expr, Expr] | None:
    """The parts of a difference of what differs in an axis each, neither as large as it."""
    if not (isinstance(node, Call) and node.op.name == "sub"):
        return None
    first, second = node.args
    fits = last in first.axes and last in second.axes and first.axes - second.axes and second.axes - first.axes
    return (first, second) if fits else None


def _weighted(node: Expr) -> Expr:
    if not (isinstance(node, Reduce) and node.op.name == "sum" and len(node.over) == 1):
        return node
    last = last_of(node.arg.axes)
    if last is None or last in node.over or cut(node.arg)[0] is None:
        return node
    found = _apart(node.arg, last)
    if found is None:
        return node
    weight, apart = found
    new = Reduce(node.op, b.mul(weight, apart), node.over)
    return new if pull(new) is not None and new.axes == node.axes else node


def _apart(node: Expr, last: Axis) -> tuple[Expr, Expr] | None:
    """A product as a weight without the last axis, and a difference of pairs."""
    if _difference(node, last) is not None:
        return b.ONE, node
    match node:
        case Call(Op("neg"), (arg,)):
            return _reweighted(_apart(arg, last), b.neg)
        case Call(Op("mul"), (one, other)) if last not in one.axes & other.axes:
            inner, outer = (one, other) if last in one.axes else (other, one)
            return _reweighted(_apart(inner, last), lambda weight: _times(outer, weight))
        case Call(Op("div"), (above, below)) if last not in below.axes:
            return _reweighted(_apart(above, last), lambda weight: b.div(weight, below))
        case Call(Op("where"), (condition, piece, other)) if other is b.ZERO and last not in condition.axes:
            return _reweighted(_apart(piece, last), lambda weight: b.where(condition, weight, b.ZERO))
    return None


def _reweighted(found: tuple[Expr, Expr] | None, make: Callable[[Expr], Expr]) -> tuple[Expr, Expr] | None:
    return None if found is None else (make(found[0]), found[1])


def _times(outer: Expr, weight: Expr) -> Expr:
    """A product of weights; where both are 0 by one condition, one of them says so."""
    match weight:
        case Call(op, (condition, piece, other)) if op.name == "where" and other is b.ZERO and piece is b.ONE:
            if any(_is_zero_without(condition, factor) for factor in _factors(outer)):
                return outer
            return b.where(condition, outer, b.ZERO)
    return b.mul(outer, weight)


def _factors(node: Expr) -> list[Expr]:
    if isinstance(node, Call) and node.op.name == "mul":
        return [factor for arg in node.args for factor in _factors(arg)]
    return [node]


def _is_zero_without(condition: Expr, factor: Expr) -> bool:
    match factor:
        case Call(op, (own, _, other)) if op.name == "where" and other is b.ZERO:
            return own is condition
    return False

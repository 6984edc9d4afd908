"""A loss for inputs that lack axes: those without places, such as `(batch, last)`, and those that are one sample.

Where batch and space do not occur together throughout, code has a dimension for space, of length 1 for such inputs.
It is not free: a product through it is no plain matrix product, and a compiler may not see that two arrays with it are
one. Nor is a batch of one sample: the sum of a vector is quicker than that of the one row of a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, NONE, Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Input, Length, Param, Position, Reduce, Rename, walk
from lossdsl.ir.inputs import ELEMENT
from lossdsl.ir.loss import Loss


def placeless(loss: Loss) -> Loss | None:
    """The loss with one place, and no axis for it; None where places have names, or several are needed."""
    met = frozenset(axis for node in walk(loss.result) for axis in node.axes)
    if loss.places or any(axis.domain == "space" and not axis.is_whole for axis in met):
        return None
    value, result, *named = _without((loss.value, loss.result, *loss.names))
    inputs = tuple(
        replace(spec, nodes=tuple(Input(node.name, _rest(node.over), node.whole) for node in spec.nodes))
        for spec in loss.inputs
    )
    names = dict(zip(named, loss.names.values(), strict=True))
    return replace(loss, value=value, result=result, inputs=inputs, names=names)


def whole(loss: Loss) -> Loss | None:
    """The loss of inputs of any shape that are one sample, all axes of which are `last`; None if positions matter."""
    done: dict[Expr, Expr] = {}
    for node in walk(loss.value, loss.result, *loss.names):
        new = _whole(node, tuple(done.get(child, child) for child in node.children))
        if new is None:
            return None
        done[node] = new
    names = {done[node]: name for node, name in loss.names.items()}
    return replace(loss, value=done[loss.value], result=done[loss.result], names=names)


def _whole(node: Expr, children: tuple[Expr, ...]) -> Expr | None:
    match node:
        case Const() | Flag():
            return node
        case Input(_, over):
            return node if over == ELEMENT else None
        case Param(_, over):
            return node if over == NONE else None
        case Call(op) if op.name == "real":
            return b.number(children[0])
        case Call():
            return b.rebuild(node, children)
        case Reduce(op, _, over) if over <= ELEMENT and not op.name.startswith("arg"):
            if LAST not in over:
                return children[0]
            return Reduce(op, children[0], ELEMENT) if children[0].axes == ELEMENT else None
        case Length(_, over) if over <= ELEMENT:
            if LAST not in over:
                return b.ONE
            return Length(children[0], ELEMENT) if children[0].axes == ELEMENT else None
    return None


def _rest(axes: Axes) -> Axes:
    return frozenset(axis for axis in axes if axis.domain != "space")


def _without(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    roots = tuple(roots)
    done: dict[Expr, Expr] = {}
    for node in walk(*roots):
        done[node] = _changed(node, tuple(done[child] for child in node.children))
    return tuple(done[root] for root in roots)


def _changed(node: Expr, children: tuple[Expr, ...]) -> Expr:
    """A node over children that have lost the axes of space; what it does along those is done with one element."""
    match node:
        case Input(name, over, whole):
            return Input(name, _rest(over), whole)
        case Call(op) if op.name == "real":
            return b.number(children[0])
        case Reduce(op, arg, over):
            rest = _rest(over)
            if rest or not over <= arg.axes:
                return Reduce(op, children[0], rest)
            return b.ZERO if op.name in ("argmax", "argmin") else children[0]
        case Along(op, _, over):
            if not _rest(over):
                return {"rank": b.ONE, "dft_sin": b.ZERO}.get(op.name, children[0])
            return Along(op, children, _rest(over), node.reverse)
        case Rename(_, old, _) if old.domain == "space":
            return children[0]
        case Gather(_, axis, _) if axis.domain == "space":
            return b.spread(children[0], children[1].axes)
        case Length(_, over):
            return Length(children[0], _rest(over)) if _rest(over) else b.ONE
        case Position(axis) if axis.domain == "space":
            return b.ZERO
    return b.rebuild(node, children)

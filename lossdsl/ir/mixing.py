"""Which expressions take elements of a vector, or samples of a batch, together."""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir.axes import BATCH, LAST, Axes, Axis
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
    Length,
    Param,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.op import Kind


def is_elementwise(value: Expr, of: Iterable[Expr] = ()) -> bool:
    """Whether each element of a value is made of the elements at hand alone: of every input, or of some, `of`."""
    moved = set(of)
    is_all = not moved
    for node in walk(value):
        if isinstance(node, Const | Flag | Input | Param):
            if is_all and isinstance(node, Param) and node.over:
                return False  # one number for each element
        elif is_all or (not isinstance(node, Length) and any(child in moved for child in node.children)):
            if not isinstance(node, Call):
                return False
            moved.add(node)
    return True


def mixes_elements(value: Expr) -> bool:
    """Whether some part takes the elements of the last axis together. A condition on all of them does not count."""
    return any(_takes(node, axis) for node in walk(value) for axis in node.axes | {LAST} if axis.is_last)


def mixes_samples(value: Expr, *, conditions: bool = False) -> bool:
    """Whether some part takes the samples of a batch together; with `conditions`, also a condition on all of them."""
    return any(
        isinstance(node, Reduce | Along)
        and any(axis.domain == BATCH.domain for axis in node.over)
        and (conditions or node.kind is Kind.REAL)
        for node in walk(value)
    )


def needs_whole_batch(result: Expr) -> bool:
    """Whether what a loss returns for a sample, or for the batch as one, cannot be told from the sample alone."""
    return BATCH not in result.axes or any(asks_for_batch(node) for node in walk(result))


def asks_for_batch(node: Expr) -> bool:
    """Whether a node by itself takes other samples than the one at hand, or their number."""
    return any(axis.domain == BATCH.domain for axis in _crossed(node))


def is_separable(result: Expr) -> bool:
    """Whether the numbers of a result have parts of the inputs to themselves, conditions apart; or it is one number.

    Then the derivative of their sum, each times a factor, is that factor times something else in each part.
    """
    domains = {axis.domain for axis in result.axes}
    return not any(axis.domain in domains for node in walk(result) if node.kind is Kind.REAL for axis in _crossed(node))


def _crossed(node: Expr) -> Axes:
    """The axes along which a node by itself takes other elements than the one at hand, or their number."""
    match node:
        case Reduce() | Along() | Length():
            return node.over
        case Gather() | Position():
            return frozenset({node.axis})
        case Slice(_, old) | Unslice(_, _, old):
            return frozenset({old})
        case _:
            return frozenset()


def _takes(node: Expr, axis: Axis) -> bool:
    match node:
        case Reduce():
            return axis in node.over and node.kind is Kind.REAL
        case Along() | Length():
            return axis in node.over
        case Gather():
            return node.axis == axis
        case Rename(_, old) | Slice(_, old) | Unslice(_, _, _, old):
            return old == axis
    return False

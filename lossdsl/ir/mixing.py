"""Which expressions take elements of a vector, or samples of a batch, together."""

from __future__ import annotations

from lossdsl.ir.axes import BATCH, LAST, Axis
from lossdsl.ir.expr import Along, Expr, Gather, Length, Reduce, Rename, Slice, Unslice, walk
from lossdsl.ir.op import Kind


def mixes_elements(value: Expr) -> bool:
    """Whether some part takes the elements of the last axis together. A condition on all of them does not count."""
    return any(_takes(node, LAST) for node in walk(value))


def mixes_samples(value: Expr, *, conditions: bool = False) -> bool:
    """Whether some part takes the samples of a batch together; with `conditions`, also a condition on all of them."""
    return any(
        isinstance(node, Reduce | Along)
        and any(axis.domain == BATCH.domain for axis in node.over)
        and (conditions or node.kind is Kind.REAL)
        for node in walk(value)
    )


def _takes(node: Expr, axis: Axis) -> bool:
    match node:
        case Reduce():
            return axis in node.over and node.kind is Kind.REAL
        case Along() | Length():
            return axis in node.over
        case Gather():
            return node.axis == axis
        case Rename():
            return node.old == axis
    return isinstance(node, Slice | Unslice)

"""Numbers for parts of inputs of which `require` says an order: drawn ones are sorted, others may be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.expr import Expr, Input
from lossdsl.ir.inputs import in_order
from lossdsl.ir.loss import Loss


def put_in_order(loss: Loss, arrays: Mapping[Expr, NDArray[Any]]) -> dict[Expr, NDArray[Any]]:
    """Arrays of inputs with the numbers of ordered parts exchanged, so that what is required holds."""
    found = dict(arrays)
    strict = {frozenset((one.low, one.high)) for one in loss.orders if one.strict}
    for group in _groups(loss):
        below = None
        for place, row in enumerate(np.sort(np.stack([found[node] for node in group]), axis=0)):
            if below is not None:  # which may have been raised
                is_strict = any(frozenset((group[place], other)) in strict for other in group[:place])
                row = _above(row, below, is_strict)
            found[group[place]] = below = row
    return found


def _above(row: NDArray[Any], below: NDArray[Any], is_strict: bool) -> NDArray[Any]:
    """A row, raised where it is less than another, or where it is not greater."""
    return np.where(row > below, row, below + np.maximum(abs(below), 1)) if is_strict else np.maximum(row, below)


def _groups(loss: Loss) -> list[tuple[Input, ...]]:
    """The parts that are linked by orders, each group in an order that is required."""
    linked: list[set[Input]] = []
    for one in loss.orders:
        met = [group for group in linked if one.low in group or one.high in group]
        linked = [group for group in linked if group not in met] + [{one.low, one.high}.union(*met)]
    row = in_order(loss.orders)
    return [tuple(node for node in row if node in group) for group in linked]


def holds(loss: Loss, arrays: Mapping[Expr, NDArray[Any]]) -> bool:
    """Whether arrays of inputs are as is required of their parts."""
    pairs = ((arrays[one.low], arrays[one.high], one.strict) for one in loss.orders)
    return all(bool(np.all(low < high if strict else low <= high)) for low, high, strict in pairs)

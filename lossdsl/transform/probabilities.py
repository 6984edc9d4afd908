"""Slopes of softmax by way of one: what a loss makes of p, 1 - p and log p is a multiple of that of log p.

With p = softmax(x)[t]: dp is p*dlog p, and d(1 - p) is -p*dlog p. Each by itself would be a difference of two
softmaxes, which cancels.
"""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Expr, Gather
from lossdsl.ir.whole import along

_FAMILY = ("softmax", "softmax_rest")


def linked(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with each probability of a label differentiated by way of its logarithm."""

    def change(node: Expr) -> Expr:
        if not (isinstance(node, Gather) and isinstance(node.arg, Along) and node.arg.op.name in _FAMILY):
            return node
        whole = node.arg
        if whole.over != frozenset({node.axis}) or not node.index.axes <= whole.axes - whole.over:
            return node

        def of(name: str) -> Expr:
            return Gather(along(name, whole.args[0], whole.over), node.axis, node.index)

        share = of("softmax")
        return b.call("via", node, of("log_softmax"), share if whole.op.name == "softmax" else b.neg(share))

    return b.mapped(roots, change)

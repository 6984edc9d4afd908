"""Slopes of shares of a whole, that would cancel: of softmax by way of one, and of `a/(a + c)`.

What a loss makes of p, 1 - p and log p is a multiple of the slope of log p.

With p = softmax(x)[t]: dp is p*dlog p, and d(1 - p) is -p*dlog p. Each by itself would be a difference of two
softmaxes, which cancels.
"""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Call, Expr, Gather
from lossdsl.ir.whole import along
from lossdsl.transform.sums import without_term

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


def with_parts(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with `a/(a + c)` differentiated as a part of a whole."""

    def change(node: Expr) -> Expr:
        if not isinstance(node, Call) or node.op.name != "div":
            return node
        above, below = node.args
        return of_part(above, below) or node

    return b.mapped(roots, change)


def of_part(above: Expr, below: Expr, depth: int = 2) -> Expr | None:
    """`a/(a + c)` with the slopes c/(a + c)^2 in a and -a/(a + c)^2 in c: those of the quotient would cancel in a."""
    if above.is_static or not isinstance(below, Call):
        return None
    rest = without_term(below, above)
    if rest is None:
        factors = above.args if depth and isinstance(above, Call) and above.op.name == "mul" else ()
        parts = [(factor, of_part(one, below, depth - 1)) for factor, one in zip(factors, factors[::-1], strict=True)]
        return next((b.mul(factor, part) for factor, part in parts if part is not None), None)
    part = b.call("via", b.div(above, below), above, b.div(b.div(rest, below), below))
    if rest.is_static:
        return part
    return b.add(part, b.call("via", b.ZERO, rest, b.neg(b.div(b.div(above, below), below))))

"""Differences that are 0 where the largest of several products is taken from them, for compilers that fuse the two.

XLA computes `a*b - m` by one instruction that does not round the product, so that the largest product less itself is
not 0, and its exponential not 1: all digits of a class that is sure would be those of that rounding.
"""

from __future__ import annotations

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Gather, Rename, Slice
from lossdsl.ir.ops import OPS
from lossdsl.transform.lower import is_shift


def with_exact_shifts(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The roots with what is left of the largest of computed numbers, less itself, taken away; no slope changes."""
    products: dict[Expr, bool] = {}

    def has_product(node: Expr) -> bool:
        """Whether a product may be fused with what reads it: nothing is stored in between."""
        if node not in products:
            inner = node.children[:1] if isinstance(node, Gather | Rename | Slice) else node.children
            is_elementwise = isinstance(node, Call | Gather | Rename | Slice)
            is_product = isinstance(node, Call) and (node.op.name in ("mul", "div") or b.squared(node) is not None)
            products[node] = is_product or (is_elementwise and any(map(has_product, inner)))
        return products[node]

    def change(node: Expr) -> Expr:
        if not isinstance(node, Call) or node.op.name not in ("add", "sub"):
            return node
        for shift, other in (node.args, node.args[::-1]):
            if is_shift(shift) and has_product(other):
                logits = other if node.op.name == "sub" else b.neg(other)
                left = b.where(b.call("eq", logits, shift), b.neg(node), b.ZERO)
                return b.add(node, Call(OPS["stop"], (left,)))
        return node

    return b.mapped(roots, change)

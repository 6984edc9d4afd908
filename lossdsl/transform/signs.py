"""Minus signs where they cost least: outside of moves and sums, and in a difference instead of a sum.

Nothing is rounded by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.expr import Expr, Gather, Reduce, Rename, Slice, Unslice
from lossdsl.ir.op import Kind
from lossdsl.transform.factors import name_of

_LINEAR = ("sum", "mean")
_PRODUCTS = ("mul", "div")


def signs_outside(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with `a + -b` as `a - b`, also where `-b` is moved to other axes or summed first."""
    begins = _BeginsWithSign()

    def change(node: Expr) -> Expr:
        node = moved(node, _negated)
        return with_difference(node) if any(begins[child] for child in node.children) else node

    return b.mapped(roots, change)


class _BeginsWithSign(Interpretation[bool]):
    """Whether a product begins with a minus sign: known of each at once, however long the product is."""

    def transfer(self, node: Expr, below: list[bool]) -> bool:
        if name_of(node) in _PRODUCTS:
            return below[0]
        return name_of(node) == "neg" or (b.exact(node) or 0) < 0


def moved(node: Expr, without: Callable[[Expr], Expr | None]) -> Expr:
    """What is linear in its first child, with the sign of that outside; `without` is given the child."""
    is_linear = isinstance(node, Rename | Gather | Slice | Unslice) or (
        isinstance(node, Reduce) and node.op.name in _LINEAR
    )
    turned = without(node.children[0]) if is_linear else None
    return node if turned is None else b.neg(node.rebuilt((turned, *node.children[1:])))


def _negated(node: Expr) -> Expr | None:
    """What a node is the negative of: taking the sign from a product, too, would add an operation."""
    return node.children[0] if name_of(node) == "neg" else None


def with_difference(node: Expr) -> Expr:
    """`a + -b` as `a - b`, `-1 + a` as `a - 1`, and `-a - b` as `-(a + b)`."""
    name = name_of(node)
    if name not in ("add", "sub") or node.kind is not Kind.REAL:
        return node
    left, right = node.children
    turned = positive_part(right)
    if turned is not None:
        return with_difference(b.call("sub" if name == "add" else "add", left, turned))
    turned = positive_part(left)
    if turned is not None:
        return b.sub(right, turned) if name == "add" else b.neg(with_difference(b.add(turned, right)))
    return node


def positive_part(node: Expr) -> Expr | None:
    """A node without the minus sign that it begins with; None if there is none."""
    around: list[Expr] = []
    while name_of(node) in _PRODUCTS:
        around.append(node)
        node = node.children[0]
    value = b.exact(node)
    if name_of(node) == "neg":
        node = node.children[0]
    elif value is not None and value < 0:
        node = b.const(-value)
    else:
        return None
    return reduce(lambda inner, outer: b.call(name_of(outer), inner, outer.children[1]), reversed(around), node)

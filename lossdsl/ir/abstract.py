"""Abstract interpretation: what a domain knows of each part of an expression, worked out once, children first.

A domain is a subclass of `Interpretation` over its own values: ranges (`ir.ranges`), properties such as curvature and
continuity (`prove.composition`), boundedness (`prove.boundedness`), orders of growth (`prove.asymptotics`). It says
what it knows of leaves, and what each operation makes of what is known of its operands; of all else it knows `top`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

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
)
from lossdsl.ir.traversal import unknown

V = TypeVar("V")


@dataclass
class Interpretation(Generic[V]):
    """The values of a domain for expressions, on demand. `known` keeps them; what is in it is taken as it is."""

    known: dict[Expr, V] = field(default_factory=dict, init=False)

    def __getitem__(self, expr: Expr) -> V:
        for node in unknown(expr, self.known):
            below = [self.known[child] for child in node.children]
            self.known[node] = self.refined(node, below, self.transfer(node, below))
        return self.known[expr]

    def transfer(self, node: Expr, below: list[V]) -> V:
        """What is known of a node, given what is known of its children, by its kind."""
        match node:
            case Const():
                return self.constant(node)
            case Flag():
                return self.flag(node)
            case Input() | Param():
                return self.leaf(node)
            case Length():
                return self.length(node)
            case Position():
                return self.position(node)
            case Call():
                return self.call(node, below)
            case Reduce():
                return self.reduced(node, below[0])
            case Along():
                return self.along(node, below)
            case Rename() | Slice():
                return below[0]
            case Gather():
                return self.gathered(node, below)
            case Unslice():
                return self.padded(node, below[0])
        return self.top(node)

    def top(self, node: Expr) -> V:
        """What is known of anything."""
        raise NotImplementedError

    def refined(self, node: Expr, below: list[V], found: V) -> V:
        """What is known besides, from elsewhere than the operation."""
        return found

    def constant(self, node: Const) -> V:
        return self.top(node)

    def flag(self, node: Flag) -> V:
        return self.top(node)

    def leaf(self, node: Input | Param) -> V:
        return self.top(node)

    def length(self, node: Length) -> V:
        return self.top(node)

    def position(self, node: Position) -> V:
        return self.top(node)

    def call(self, node: Call, below: list[V]) -> V:
        return self.top(node)

    def reduced(self, node: Reduce, inner: V) -> V:
        return self.top(node)

    def along(self, node: Along, below: list[V]) -> V:
        return self.top(node)

    def gathered(self, node: Gather, below: list[V]) -> V:
        return below[0]

    def padded(self, node: Unslice, inner: V) -> V:
        return self.top(node)


@dataclass
class Anywhere(Interpretation[bool]):
    """Whether an expression, or some part of it, is of some sort."""

    is_one: Callable[[Expr], bool] = lambda node: False

    def transfer(self, node: Expr, below: list[bool]) -> bool:
        return any(below) or self.is_one(node)

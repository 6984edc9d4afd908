"""What differentiation asks of the parts of a loss and of adjoints, each found out once for a part.

A part is asked about again for every slope that it occurs in; so what is known of it is kept for the whole pass.
"""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass, field
from functools import cached_property

from lossdsl.ir.abstract import Anywhere, Interpretation
from lossdsl.ir.expr import Call, Expr, Input, Reduce, walk
from lossdsl.ir.ranges import Ranges
from lossdsl.transform.choices import SEED, Masks, Steepness, degree


@dataclass
class Exponentials(Interpretation[int]):
    """The exponentials in an expression, as the bits of a number."""

    numbers: dict[Expr, int] = field(default_factory=dict)

    def transfer(self, node: Expr, below: list[int]) -> int:
        found = 0
        for part in below:
            found |= part
        if isinstance(node, Call) and node.op.overflows:
            found |= 1 << self.numbers.setdefault(node, len(self.numbers))
        return found

    def has(self, expr: Expr, exponential: Expr) -> bool:
        """Whether an exponential is part of an expression."""
        inside = self[expr]
        return exponential in self.numbers and bool(inside >> self.numbers[exponential] & 1)


@dataclass
class Heights(Interpretation[int]):
    """How many elementwise operations are on top of each other."""

    def transfer(self, node: Expr, below: list[int]) -> int:
        return 1 + max(below, default=0) if isinstance(node, Call) else 0


@dataclass
class Degrees(Interpretation[float]):
    """How fast the elementwise operations grow in what a gradient is taken of."""

    active: Set[Expr] = frozenset()

    def transfer(self, node: Expr, below: list[float]) -> float:
        return degree(node, below) if isinstance(node, Call) else float(node in self.active)


def is_given(node: Expr) -> bool:
    """Whether a node is an input, and not what comes after the loss."""
    return isinstance(node, Input) and node.name != SEED


@dataclass(frozen=True)
class Flow:
    """A loss, the nodes of it through which a gradient flows, and the conditions that may leave out what is nan.

    `guards` asks for choices where the slope of a root may be infinite.
    """

    value: Expr
    active: Set[Expr]
    masks: Masks
    guards: bool = True
    reached: dict[Expr, Expr | None] = field(default_factory=dict)
    """Where adjoints may differ from 0: see `slopes.past_pole`."""

    @cached_property
    def places(self) -> dict[Expr, int]:
        """Where each node of the loss stands, children before parents."""
        return {node: place for place, node in enumerate(walk(self.value))}

    @cached_property
    def degrees(self) -> Degrees:
        return Degrees(active=self.active)

    @cached_property
    def heights(self) -> Heights:
        return Heights()

    @cached_property
    def steepness(self) -> Steepness:
        return Steepness()

    @cached_property
    def ranges(self) -> Ranges:
        """What is known of values by their form alone."""
        return Ranges()

    @cached_property
    def exponentials(self) -> Exponentials:
        return Exponentials()

    @cached_property
    def with_inputs(self) -> Anywhere:
        return Anywhere(is_one=is_given)

    @cached_property
    def with_aggregates(self) -> Anywhere:
        return Anywhere(is_one=lambda node: isinstance(node, Reduce))

    def is_steep(self, slope: Expr) -> bool:
        """Whether a slope grows faster than what it is made of."""
        return self.steepness[slope] > 1

    def has_poles(self, expr: Expr) -> bool:
        """Whether the slopes in an expression may be infinite."""
        return self.steepness[expr] == math.inf

    def is_choosable(self, nodes: Set[Expr]) -> bool:
        """Whether a choice may stand above the slopes in these nodes: see `choices.degree`."""
        return all(self.degrees[node] <= 2 for node in nodes)

"""Where nothing may be cancelled: what decides in a condition, whose nan counts.

Where x is 0, `x/x > 0` does not hold, and a choice by it takes the other piece. So a factor is cancelled there only if
it is known to be a number other than 0, and a term only if it is known to be a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.expr import Call, Const, Expr, Gather, Input, Length, Param, Position, Reduce, Rename, Slice, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import Ranges


@dataclass
class Finiteness(Interpretation[bool]):
    """Whether an expression is a number, neither nan nor infinite, for all that its inputs can be."""

    ranges: Ranges = field(default_factory=Ranges)

    def transfer(self, node: Expr, below: list[bool]) -> bool:
        match node:
            case Const():
                return b.exact(node) is not None
            case Input() | Param() | Length() | Position():
                return True
            case Call():
                return all(below) and self._has_value(node)
            case Reduce(op):
                return all(below) and op.empty is not None and math.isfinite(op.empty)  # there may be no elements
            case Rename() | Slice() | Gather():
                return all(below)
        return False

    def _has_value(self, node: Call) -> bool:
        values = [self.ranges[arg] for arg in node.args]
        exponent = b.exact(node.args[1]) if node.op.name == "pow" else None
        if exponent is not None and exponent.denominator == 1:
            return exponent >= 0 or values[0].is_nonzero
        if node.op.name in ("div", "mod"):
            return values[1].is_nonzero
        is_inside = all(each.within(node.op.defined_of(place)) for place, each in enumerate(values))
        return is_inside and (not node.op.holds or (node.op.name == "pow" and values[0].is_positive))


def decisive(*roots: Expr) -> set[Expr]:
    """What the conditions below some roots are made of."""
    found: set[Expr] = set()
    stack = [node for node in walk(*roots) if node.kind is Kind.BOOL]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.children
    return found

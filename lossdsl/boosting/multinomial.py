"""Losses that are affine in the scores but for a multiple of their logsumexp, as cross-entropies of a softmax are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from operator import mul

from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.axes import LAST
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Input, Length, Param, Position, Reduce, walk
from lossdsl.ir.op import Op
from lossdsl.pipeline import Program

Multiple = tuple[float, float] | None
"""Between which numbers the multiple lies; None where an expression is of another kind."""
NOTHING = (0.0, 0.0)


@dataclass
class LogsumexpMultiple(Interpretation[Multiple]):
    """How often an expression has the logsumexp of the scores in it, beside what is affine in them."""

    program: Program
    scores: Input
    moving: frozenset[Expr]
    """The parts that the scores move."""

    def top(self, node: Expr) -> Multiple:
        return None

    def refined(self, node: Expr, below: list[Multiple], found: Multiple) -> Multiple:
        return found if node in self.moving else NOTHING

    def leaf(self, node: Input | Param) -> Multiple:
        return NOTHING

    def call(self, node: Call, below: list[Multiple]) -> Multiple:
        one, *others = below
        match node.op.name:
            case "neg" if one is not None:
                return -one[1], -one[0]
            case "add" if one is not None and others[0] is not None:
                return one[0] + others[0][0], one[1] + others[0][1]
            case "sub" if one is not None and others[0] is not None:
                return one[0] - others[0][1], one[1] - others[0][0]
            case "mul":
                return self._scaled(node.args[0], node.args[1])
            case "where" if node.args[0] not in self.moving:
                return _hull(below[1], below[2])
        return None

    def _scaled(self, one: Expr, other: Expr) -> Multiple:
        """A product of which one factor does not move with the scores."""
        factor, rest = (one, other) if one not in self.moving else (other, one)
        of = self.known.get(rest)
        if factor in self.moving or of is None:
            return None
        known = self.program.known[factor]
        ends = [a * c for a in (known.low, known.high) for c in of if c]
        return (min(ends), max(ends)) if ends else NOTHING

    def reduced(self, node: Reduce, inner: Multiple) -> Multiple:
        if node.over != frozenset({LAST}):
            return None
        if node.op.name == "logsumexp":
            return (1.0, 1.0) if node.arg is self.scores else None
        if node.op.name != "sum" or inner is None:
            return None
        if inner == NOTHING:
            return NOTHING
        low, high = inner
        factor = self._factor(node.arg)
        total = None if factor is None else sum_along_last(factor, self.program)
        if total is not None:
            return (-float(total), -float(total))  # the other factor has -1 of it, or there would be no factor
        return (low * float("inf") if low < 0 else 0.0, high * float("inf") if high > 0 else 0.0)

    def _factor(self, node: Expr) -> Expr | None:
        """What a log_softmax is multiplied by."""
        if isinstance(node, Call) and node.op.name == "mul":
            for factor, rest in (node.args, node.args[::-1]):
                if isinstance(rest, Along) and rest.op.name == "log_softmax" and factor not in self.moving:
                    return factor
        return None

    def along(self, node: Along, below: list[Multiple]) -> Multiple:
        return (-1.0, -1.0) if node.op.name == "log_softmax" and node.children[0] is self.scores else None

    def gathered(self, node: Gather, below: list[Multiple]) -> Multiple:
        return below[0]


def _hull(one: Multiple, other: Multiple) -> Multiple:
    if one is None or other is None:
        return None
    return min(one[0], other[0]), max(one[1], other[1])


def sum_along_last(expr: Expr, program: Program) -> Fraction | None:
    """The sum of an expression over the last axis, where that is the same number for every input; else None."""
    match expr:
        case Input():
            return Fraction(1) if expr in program.known.units else None
        case Call(Op("div"), (Const() as one, Length())):
            return _exact(one)
        case Call(Op("add" | "sub" as name), (one, other)):
            a, c = sum_along_last(one, program), sum_along_last(other, program)
            return None if a is None or c is None else a + c if name == "add" else a - c
        case Call(Op("mul"), (one, other)):
            scaled = ((_number(one), other), (_number(other), one))
            pairs = ((scale, sum_along_last(rest, program)) for scale, rest in scaled if scale is not None)
            return next((scale * total for scale, total in pairs if total is not None), None)
    return None


def _number(expr: Expr) -> Fraction | None:
    """The value of numbers alone."""
    if isinstance(expr, Const):
        return _exact(expr)
    if not isinstance(expr, Call) or not (expr.op.signs or expr.op.name == "mul"):
        return None
    parts = [part for part in map(_number, expr.args) if part is not None]
    if len(parts) < len(expr.args):
        return None
    return sum(map(mul, expr.op.signs, parts), Fraction(0)) if expr.op.signs else parts[0] * parts[1]


def _exact(node: Const) -> Fraction | None:
    return node.value if isinstance(node.value, Fraction) else None


def multiple(program: Program) -> Multiple:
    """The multiple of logsumexp that a loss of several scores has beside what is affine in them; None for others."""
    (node, *more) = program.loss.prediction.nodes
    moving: set[Expr] = {node}
    for each in walk(program.stable):
        if not isinstance(each, Length | Position) and any(child in moving for child in each.children):
            moving.add(each)
    return None if more else LogsumexpMultiple(program, node, frozenset(moving))[program.stable]

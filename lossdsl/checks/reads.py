"""Reads that can leave their axis, and terms that count along an axis along which they do not vary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject
from lossdsl.ir.bounds import Bounds, point
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Input, Length, Position, Reduce, Rename, Slice, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.ranges import Ranges, ranges

OUTSIDE = Row(
    "read-outside",
    "Read that can leave its axis",
    "warning",
    "An index that is worked out names no element for some labels or positions: the nearest one is read instead. A "
    "label by itself, as in `x[t]`, is taken to name a class.",
    "loss mine(t: label, x)\nlogsumexp(x) - x[t + 1]",
    "loss mine(t: label, x; classes: int = 3)\nlogsumexp(x) - where(t < classes - 1, x[t + 1], x[t])",
    "choose before it by `where`, or hold the index inside by `min` and `max`",
)
REPEATED = Row(
    "repeated-term",
    "Term that counts once for each element",
    "warning",
    "What is added up does not vary along one of the axes: each term counts as often as that axis has elements.",
    "loss mine(y: label, x)\nsum[all](where(y == 0, 0, -log_softmax(x)[y]))",
    "loss mine(y: label, x)\nsum[batch, space](where(y == 0, 0, -log_softmax(x)[y]))",
    "name the axes that are meant, as in `sum[batch, space](…)`; if it is to count so often, multiply by the length",
)

ROWS = (OUTSIDE, REPEATED)

_LENGTHS = (*range(1, 13), 100)
"""The lengths of axes at which indices are tried."""


@dataclass
class _Counted(Ranges):
    """What values expressions take where each axis has `count` positions more than are cut off."""

    count: int = 1

    def length(self, node: Length) -> Bounds:
        return point(math.prod(axis.length(self.count) for axis in node.over))

    def position(self, node: Position) -> Bounds:
        return Bounds(0.0, float(max(0, node.axis.length(self.count) - 1)))

    def call(self, node: Call, below: list[Bounds]) -> Bounds:
        if node.op.name in ("floor", "whole", "ceil"):
            turn = math.ceil if node.op.name == "ceil" else math.floor
            low, high = (end if math.isinf(end) else turn(end) for end in (below[0].low, below[0].high))
            is_below = turn is math.floor and below[0].high_open and high == below[0].high
            return Bounds(low, high - 1 if is_below else high)
        return super().call(node, below)

    def reduced(self, node: Reduce, inner: Bounds) -> Bounds:
        if node.op.name in ("argmax", "argmin"):
            return Bounds(0.0, float(max(0, math.prod(axis.length(self.count) for axis in node.over) - 1)))
        return super().reduced(node, inner)

    def along(self, node: Along, below: list[Bounds]) -> Bounds:
        if node.op.name == "rank":
            return Bounds(1.0, float(max(1, math.prod(axis.length(self.count) for axis in node.over))))
        return super().along(node, below)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each read that can leave its axis, and for each term that is repeated."""
    loss = subject.loss
    guarded = set(_guarded(loss.result))
    told: set[Expr] = set()
    for node in walk(loss.result):
        if isinstance(node, Gather) and node not in guarded and node.index not in told and _can_leave(node, loss):
            told.add(node.index)
            text = "the index can name an element that is not there: the nearest one is read instead"
            yield OUTSIDE.found(text, loss.spans.get(node) or loss.spans.get(loss.result), OUTSIDE.remedy)
    for span, axis in loss.repeated:
        text = f"nothing here varies along `{axis}`: each term counts once for each of its elements"
        yield REPEATED.found(text, span, REPEATED.remedy)


def _can_leave(node: Gather, loss: Loss) -> bool:
    """Whether an index that is worked out can be less than 0, or too large, for some length of the axis."""
    if isinstance(node.index, Const) or _is_label(node.index):
        return False
    known = ranges(loss)
    labels = [each for spec in loss.inputs if spec.is_label for each in spec.nodes]
    for count in (length + node.axis.cut for length in _LENGTHS):
        if any(axis.length(count) == 0 for axis in node.index.axes):
            continue  # nothing is read
        last = float(max(0, node.axis.length(count) - 1))
        facts: dict[Expr, Bounds] = {**known.facts, **dict.fromkeys(labels, Bounds(0.0, float(count - 1)))}
        found = replace(_Counted(facts, known.units), count=count)[node.index]
        if found.low < 0 or found.high >= last + 1:
            return True
    return False


def _is_label(index: Expr) -> bool:
    """Whether an index is a label, of some sample and place, as it was given."""
    while isinstance(index, Rename | Gather | Slice):
        index = index.children[0]
    return isinstance(index, Input) and index.whole


def _guarded(root: Expr) -> Iterator[Expr]:
    """The parts of choices whose conditions are about what the index of a read is made of."""
    for node in walk(root):
        if isinstance(node, Call) and node.op.name == "where":
            asked = _made_of(node.args[0])
            for part in walk(*node.args[1:]):
                if isinstance(part, Gather) and _made_of(part.index) & asked:
                    yield part


def _made_of(expr: Expr) -> set[Expr]:
    return {part for part in walk(expr) if isinstance(part, Position) or (isinstance(part, Input) and part.whole)}

"""What values an expression can take, from the kinds of its inputs and what is required of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.build import ZERO
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Input, Length, Param, Position, Reduce
from lossdsl.ir.interval import NONNEGATIVE, NONPOSITIVE, POSITIVE, REALS, UNIT, Interval, point
from lossdsl.ir.loss import DOMAINS, SUM_TO_ONE, Loss
from lossdsl.ir.whole import DEFINITIONS


@dataclass
class Ranges(Interpretation[Interval]):
    """Intervals of expressions; `facts` has what is known of some besides."""

    facts: Mapping[Expr, Interval] = field(default_factory=dict)
    units: frozenset[Expr] = frozenset()
    """The inputs whose elements sum to 1."""

    def top(self, node: Expr) -> Interval:
        return REALS

    def refined(self, node: Expr, below: list[Interval], found: Interval) -> Interval:
        return found.meet(self.facts[node]) if node in self.facts else found

    def constant(self, node: Const) -> Interval:
        return point(float(node.value)) if node.value == node.value else REALS

    def length(self, node: Length) -> Interval:
        return Interval(low=1.0)

    def position(self, node: Position) -> Interval:
        return NONNEGATIVE

    def call(self, node: Call, below: list[Interval]) -> Interval:
        args = node.args
        match node.op.name:
            case "mul" if args[0] is args[1]:
                return below[0].power(point(2.0))
            case "sub" if shifted_where(node) is Flag(True):
                return node.op.bounds(*below).meet(NONPOSITIVE)
            case "where" if args[2] is ZERO and shifted_where(args[1]) is args[0]:
                return NONPOSITIVE
            case "where":
                return _given(args[0], args[1], below[1]).join(below[2])
        return node.op.bounds(*below)

    def reduced(self, node: Reduce, inner: Interval) -> Interval:
        if node.op.name in DEFINITIONS:
            return node.op.bounds(inner)
        match node.op.name:
            case "mean" | "max" | "min":
                return inner
            case "sum":
                return _scaled(inner)
            case "prod" if inner.is_nonnegative:
                return UNIT if inner.high <= 1 else NONNEGATIVE
            case "excess":
                return Interval(low=-1.0)
        return NONNEGATIVE if node.op.name.startswith("arg") else REALS

    def along(self, node: Along, below: list[Interval]) -> Interval:
        if node.op.name in DEFINITIONS:
            return node.op.bounds(below[0])
        if node.op.name in ("sort", "unsort"):
            return below[0]
        if node.op.name in ("dft_cos", "dft_sin"):
            return REALS
        return POSITIVE if node.op.name == "rank" else _scaled(below[0])


def shifted_where(node: Expr) -> Expr | None:
    """Where `e - m` is at most 0, since the shift m is the largest e, of all or of some; None if that is unknown."""
    if not (isinstance(node, Call) and node.op.name == "sub"):
        return None
    shift = node.args[1]
    if isinstance(shift, Call) and shift.op.name == "stop":
        shift = shift.args[0]
    if isinstance(shift, Call) and shift.op.name == "where" and shift.args[2] is ZERO:
        shift = shift.args[1]
    if not (isinstance(shift, Reduce) and shift.op.name == "max"):
        return None
    of = shift.arg
    if of is node.args[0]:
        return Flag(True)
    is_masked = isinstance(of, Call) and of.op.name == "where" and of.args[1] is node.args[0]
    return of.children[0] if is_masked else None


def _given(condition: Expr, subject: Expr, interval: Interval) -> Interval:
    """What `subject` can be where `condition` holds, if the condition is about it."""
    fact = _fact(condition, subject)
    return interval if fact is None else interval.meet(fact[1])


def _scaled(inner: Interval) -> Interval:
    """The sum of one or more values of an interval."""
    if inner.is_positive:
        return Interval(inner.low, low_open=inner.low_open)
    if inner.is_nonnegative:
        return NONNEGATIVE
    if inner.high <= 0:
        return NONPOSITIVE
    return REALS


def ranges(loss: Loss) -> Ranges:
    """The intervals of a loss: those of its inputs by kind, those of its parameters by `require`."""
    facts: dict[Expr, Interval] = {}
    for spec in loss.inputs:
        for node in spec.nodes:
            facts[node] = NONNEGATIVE if spec.is_label else DOMAINS[spec.domain]
    for requirement in loss.requirements:
        for part in conjuncts(requirement.condition):
            fact = _fact(part)
            if fact is not None:
                subject, interval = fact
                facts[subject] = facts.get(subject, REALS).meet(interval)
    units = frozenset(node for spec in loss.inputs if spec.domain in SUM_TO_ONE for node in spec.nodes)
    return Ranges(facts, units)


def conjuncts(condition: Expr) -> list[Expr]:
    """The parts of `a and b and …`."""
    if isinstance(condition, Call) and condition.op.name == "and":
        return [part for arg in condition.args for part in conjuncts(arg)]
    return [condition]


def _fact(condition: Expr, about: Expr | None = None) -> tuple[Expr, Interval] | None:
    """`d > 0` as an interval of d; `about` is what the comparison must be about, if it is no parameter."""
    if not isinstance(condition, Call) or len(condition.args) != 2:
        return None
    left, right = condition.args
    name = condition.op.name
    if isinstance(left, Const):
        left, right = right, left
        name = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}.get(name, name)
    bound = b.exact(right)
    if bound is None or not (isinstance(left, Param | Input) if about is None else left is about):
        return None
    end = float(bound)
    intervals = {
        "lt": Interval(high=end, high_open=True),
        "le": Interval(high=end),
        "gt": Interval(low=end, low_open=True),
        "ge": Interval(low=end),
        "eq": point(end),
    }
    return (left, intervals[name]) if name in intervals else None

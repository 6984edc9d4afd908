"""What values an expression can take, from the kinds of its inputs and what is required of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lossdsl.ir import build as b
from lossdsl.ir.build import ZERO
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
    walk,
)
from lossdsl.ir.interval import NONNEGATIVE, NONPOSITIVE, POSITIVE, REALS, UNIT, Interval, point
from lossdsl.ir.loss import DOMAINS, SUM_TO_ONE, Loss
from lossdsl.ir.whole import DEFINITIONS


@dataclass
class Ranges:
    """Intervals of expressions, worked out on demand and kept."""

    facts: Mapping[Expr, Interval] = field(default_factory=dict)
    units: frozenset[Expr] = frozenset()
    """The inputs whose elements sum to 1."""
    known: dict[Expr, Interval] = field(default_factory=dict)

    def __getitem__(self, expr: Expr) -> Interval:
        for node in walk(expr) if expr not in self.known else ():
            if node not in self.known:
                found = self._of(node)
                self.known[node] = found.meet(self.facts[node]) if node in self.facts else found
        return self.known[expr]

    def _of(self, node: Expr) -> Interval:
        match node:
            case Const(value):
                return point(float(value)) if value == value else REALS
            case Call(op, args):
                if op.name == "mul" and args[0] is args[1]:
                    return self.known[args[0]].power(point(2.0))
                if op.name == "sub" and shifted_where(node) is Flag(True):
                    return op.bounds(*(self.known[arg] for arg in args)).meet(NONPOSITIVE)
                if op.name == "where" and args[2] is ZERO and shifted_where(args[1]) is args[0]:
                    return NONPOSITIVE
                if op.name == "where":
                    return _given(args[0], args[1], self.known[args[1]]).join(self.known[args[2]])
                return op.bounds(*(self.known[arg] for arg in args))
            case Reduce(op) | Along(op) if op.name in DEFINITIONS:
                return op.bounds(self.known[node.children[0]])
            case Reduce(op, arg):
                inner = self.known[arg]
                if op.name in ("mean", "max", "min"):
                    return inner
                if op.name == "sum":
                    return _scaled(inner)
                if op.name == "prod" and inner.is_nonnegative:
                    return UNIT if inner.high <= 1 else NONNEGATIVE
                if op.name == "excess":
                    return Interval(low=-1.0)
                return NONNEGATIVE if op.name.startswith("arg") else REALS
            case Along(op, args):
                inner = self.known[args[0]]
                return inner if op.name in ("sort", "unsort") else POSITIVE if op.name == "rank" else _scaled(inner)
            case Rename(arg) | Gather(arg) | Slice(arg):
                return self.known[arg]
            case Length():
                return Interval(low=1.0)
            case Position():
                return NONNEGATIVE
        return REALS


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

"""What values an expression can take, from the kinds of its inputs and what is required of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.axes import LAST, Axes
from lossdsl.ir.bounds import NONNEGATIVE, NONPOSITIVE, REALS, UNIT, Bounds, point
from lossdsl.ir.build import ZERO
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Input, Length, Param, Position, Reduce, Rename
from lossdsl.ir.inputs import SUM_TO_ONE
from lossdsl.ir.loss import Loss
from lossdsl.ir.ops import OPS


@dataclass
class Ranges(Interpretation[Bounds]):
    """Boundss of expressions; `facts` has what is known of some besides."""

    facts: Mapping[Expr, Bounds] = field(default_factory=dict)
    units: frozenset[Expr] = frozenset()
    """The inputs whose elements sum to 1."""
    keeps_conditions: bool = False
    """Whether the loss has a condition in which something would cancel that may have no value."""

    def top(self, node: Expr) -> Bounds:
        return REALS

    def refined(self, node: Expr, below: list[Bounds], found: Bounds) -> Bounds:
        return agreed(found, self.facts[node]) if node in self.facts else found

    def constant(self, node: Const) -> Bounds:
        return point(node.value) if node.value == node.value else REALS

    def length(self, node: Length) -> Bounds:
        return Bounds(1)

    def position(self, node: Position) -> Bounds:
        return NONNEGATIVE

    def call(self, node: Call, below: list[Bounds]) -> Bounds:
        args = node.args
        match node.op.name:
            case "mul" if args[0] is args[1]:
                return below[0].power(point(2))
            case "sub" if shifted_where(node) is Flag(True):
                return node.op.image(*below).meet(NONPOSITIVE)
            case "div" if _is_part(*args) and below[0].is_nonnegative:
                return node.op.image(*below).meet(UNIT)
            case "where" if args[2] is ZERO and shifted_where(args[1]) is args[0]:
                return NONPOSITIVE
            case "where":
                return _given(args[0], args[1], below[1]).join(below[2])
        return node.op.image(*below)

    def reduced(self, node: Reduce, inner: Bounds) -> Bounds:
        found = node.op.bounds(inner)
        return found.meet(UNIT) if node.op.name == "sum" and self._are_shares(node.arg, node.over) else found

    def along(self, node: Along, below: list[Bounds]) -> Bounds:
        found = node.op.bounds(below[0])
        return found.meet(UNIT) if node.op.name == "cumsum" and self._are_shares(node.args[0], node.over) else found

    def _are_shares(self, node: Expr, over: Axes) -> bool:
        """Whether elements are not negative, and come to at most 1 along axes."""
        match node:
            case Call(op, (_, whole, other)) if op.name == "where" and other is ZERO:
                return self._are_shares(whole, over)
            case Along(op, _, axes) if op.name == "softmax":
                return axes == over
            case Rename(arg, old, new):
                return over == {new} and self._are_shares(arg, frozenset({old}))
        return node in self.units and over == {LAST}


def _is_part(above: Expr, below: Expr) -> bool:
    """Whether a quotient is that of an element by the sum of all, which is at most 1 if none is negative."""
    if not (isinstance(below, Reduce) and below.op.name == "sum"):
        return False
    return below.arg is (above.arg if isinstance(above, Gather) and above.axis in below.over else above)


def agreed(found: Bounds, fact: Bounds) -> Bounds:
    """What two statements allow together; the second where they contradict each other."""
    both = found.meet(fact)
    return fact if both.is_empty else both


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


def _given(condition: Expr, subject: Expr, interval: Bounds) -> Bounds:
    """What `subject` can be where `condition` holds, if the condition is about it."""
    fact = _fact(condition, subject)
    return interval if fact is None else agreed(interval, fact[1])


def ranges(loss: Loss) -> Ranges:
    """The intervals of a loss: those of its inputs by kind, those of its parameters by `require`."""
    facts: dict[Expr, Bounds] = {}
    for spec in loss.inputs:
        facts |= {part.node: NONNEGATIVE if spec.is_label else part.bounds for part in spec.parts}
    for requirement in loss.requirements:
        for part in conjuncts(requirement.condition):
            fact = _fact(part)
            if fact is not None:
                subject, interval = fact
                facts[subject] = agreed(facts.get(subject, REALS), interval)
    units = frozenset(part.node for spec in loss.inputs for part in spec.parts if part.domain in SUM_TO_ONE)
    return Ranges(facts, units)


def conjuncts(condition: Expr, of: str = "and") -> list[Expr]:
    """The parts of `a and b and …`, or of another operation, of which there may be thousands."""
    found: list[Expr] = []
    stack = [condition]
    while stack:
        part = stack.pop()
        if isinstance(part, Call) and part.op.name == of:
            stack += reversed(part.args)
        else:
            found.append(part)
    return found


def _fact(condition: Expr, about: Expr | None = None) -> tuple[Expr, Bounds] | None:
    """`d > 0` as an interval of d; `about` is what the comparison must be about, if it is no parameter."""
    if not isinstance(condition, Call) or len(condition.args) != 2:
        return None
    left, right = condition.args
    op = condition.op
    if isinstance(left, Const):
        left, right = right, left
        op = OPS[op.turned or op.name]
    bound = b.exact(right)
    if bound is None or not (isinstance(left, Param | Input) if about is None else left is about):
        return None
    interval = op.beside(float(bound))
    return None if interval == REALS else (left, interval)

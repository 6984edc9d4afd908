"""A positive number as `factor*exp(power)`, and the forms of sums that its logarithm reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Input, Position, Reduce
from lossdsl.ir.whole import INF, along
from lossdsl.transform.sums import FEW, summands, summed

NOTHING = Const(-INF)
"""The logarithm of 0."""
LEAST, MOST = 1e-30, 1e30
"""Between them no format of 32 bits overflows or underflows."""
NEAR = b.const(0.5)


@dataclass(frozen=True)
class Scaled:
    """A number as `factor*exp(power)`; `better` is its logarithm, where that of the factor has lost digits near 1."""

    factor: Expr
    power: Expr = b.ZERO
    better: Expr | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the number is its own factor: it can neither overflow nor underflow."""
        return self.power is b.ZERO

    @property
    def by_logarithm(self) -> Scaled:
        """The same with the better logarithm as the power."""
        return self if self.better is None else Scaled(b.ONE, self.better)

    @property
    def log(self) -> Expr:
        """The logarithm."""
        if self.better is not None:
            return self.better
        if self.factor is b.ONE:
            return self.power
        found = b.call("log", self.factor)
        return found if self.is_plain else b.add(found, self.power)

    def map(self, change: Callable[[Expr], Expr]) -> Scaled:
        return Scaled(change(self.factor), change(self.power), None if self.better is None else change(self.better))


def name_of(node: Expr) -> str:
    return node.op.name if isinstance(node, Call | Reduce | Along) else ""


def unshifted(power: Expr, over: Axes) -> tuple[Expr, Expr | None]:
    """An exponent without what is subtracted from all of it along some axes, and that."""
    terms = summands(power, FEW)
    own = summed([(sign, term) for sign, term in terms if term.axes & over])
    common = [(-sign, term) for sign, term in terms if not term.axes & over]
    return (own, summed(common)) if common and own.axes == power.axes else (power, None)


def of_logits(name: str, logits: Expr, over: Axes) -> Along:
    """The softmax or log_softmax of logits, without what is the same in all of them."""
    if isinstance(logits, Along) and logits.op.name == "log_softmax" and logits.over == over:
        return along(name, logits.args[0], over)
    return along(name, unshifted(logits, over)[0], over)


def condition_of(part: Expr) -> Expr | None:
    """The condition that a number of 0 or 1 tells."""
    return part.args[0] if isinstance(part, Call) and part.op.name == "truth" else None


def prefix(node: Gather) -> Expr | None:
    """An element of a cumulated sum as the sum of what comes before it, and of itself; None for any other element."""
    cumulated, axis, index = node.arg, node.axis, node.index
    if not (isinstance(cumulated, Along) and cumulated.op.name == "cumsum" and cumulated.over == frozenset({axis})):
        return None
    exact = b.exact(index)
    if axis in index.axes or (exact is not None and exact < 0):
        return None
    if exact is None and not isinstance(index, Input):
        if cumulated.reverse:
            return None  # one beyond the end is held inside of the range
        index = b.call("max", index, b.ZERO)
    side = "ge" if cumulated.reverse else "le"
    return b.total(b.where(b.call(side, Position(axis), index), cumulated.args[0], b.ZERO), cumulated.over)


_MANY = 200
"""More sums than this in one are none that anybody subtracts; each of them would be looked through again."""


def _may_subtract(expr: Expr) -> bool:
    """Whether a sum has no two positive terms of which one is no constant. One of very many is not looked into."""
    positive, is_settled = 0, True
    stack = [(1, expr)]
    seen: set[tuple[int, Expr]] = set()
    while stack:
        sign, node = stack.pop()
        if isinstance(node, Call) and node.op.signs:
            if (sign, node) in seen:
                continue  # a sum of itself has 2^n terms
            seen.add((sign, node))
            if len(seen) > _MANY:
                return False
            signed = [(sign * one, arg) for one, arg in zip(node.op.signs, node.args, strict=True)]
            # Those that are no sums are looked at first.
            stack += sorted(signed, key=lambda one: not (isinstance(one[1], Call) and one[1].op.signs))
        elif sign > 0:
            positive += 1
            is_settled = is_settled and b.exact(node) is not None
            if positive > 1 and not is_settled:
                return False
    return True


def subtraction(expr: Expr) -> tuple[Expr, Expr] | None:
    """What a sum of two terms subtracts from what."""
    if name_of(expr) == "neg" and name_of(expr.children[0]) == "expm1":
        return b.ONE, b.call("exp", expr.children[0].children[0])
    if name_of(expr) == "expm1":
        return b.call("exp", expr.children[0]), b.ONE
    if name_of(expr) not in ("add", "sub"):
        return None
    if name_of(expr) == "sub" and expr.children[0] is b.ONE:
        return b.ONE, expr.children[1]
    if not _may_subtract(expr):
        return None
    terms = summands(expr)
    positive, negative = ([term for sign, term in terms if sign == wanted] for wanted in (1, -1))
    if len(positive) == 1 and len(negative) == 1:
        return positive[0], negative[0]
    if positive == [b.ONE] and negative:
        return b.ONE, fold(b.add, negative)
    settled = [term for _, term in terms if b.exact(term) is not None]
    if len(negative) == 1 and positive == settled:
        return fold(b.add, positive), negative[0]
    return None

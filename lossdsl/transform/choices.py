"""What may leave a choice, and what must stay in it.

A choice (`where`, `max`, `min`) is left outermost: what a piece does where it is not selected, be it nan or infinite,
cannot reach the result. A factor may be taken out only where it is known to be finite, for 0 times nan is nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
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
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.op import Kind, Op
from lossdsl.ir.ranges import conjuncts

CHOICES = ("where", "max", "min", "relu")
SEED = "?upstream"
"""The name of the input that stands for what comes after: see `gradient.seed_for`."""


@dataclass(frozen=True)
class Masks:
    """The conditions of an expression that may leave out what is nan, and which parts these make 0: see `nonzero`."""

    conditions: frozenset[Expr]
    decided: dict[Expr, Expr] = field(default_factory=dict, compare=False, repr=False)


def masks(value: Expr) -> Masks:
    """The conditions of an expression that may leave out what is nan."""
    wheres = [node for node in walk(value) if isinstance(node, Call) and node.op.name == "where"]
    return Masks(frozenset(node.args[0] for node in wheres if deselects(node.args[0], *node.args[1:])))


def deselects(condition: Expr, *parts: Expr) -> bool:
    """Whether a condition may leave out what is nan in some parts.

    One that compares what they add up to, such as the `sum(x^2) > 0` of a norm, cannot: what is nan is nan there, too.
    """
    totals = [node for node in walk(condition) if isinstance(node, Reduce | Gather) and node.kind is Kind.REAL]
    return not totals or not _data(*parts) <= _data(*totals)


def _data(*parts: Expr) -> set[Expr]:
    return {node for part in parts for node in _real(part) if isinstance(node, Input) and not node.whole}


def selected(
    condition: Expr, adjoint: Expr, first: Expr, second: Expr, known: Masks, is_steep: Callable[[Expr], bool]
) -> Expr:
    """The choice between two slopes, times the adjoint: outside if that is finite, else inside, so that 0 stays 0."""
    if is_plain_factor(adjoint):
        return times(adjoint, b.where(condition, first, second), known)
    return b.where(condition, *(times(adjoint, slope, known, steep=is_steep(slope)) for slope in (first, second)))


def times(adjoint: Expr, slope: Expr, known: Masks, *, steep: bool = False) -> Expr:
    """Their product; where a mask makes the adjoint 0 and the slope may be nan there, a choice of products.

    With `steep` other choices hold the product, too: what grows fast may be infinite where they leave it out.
    """
    counts = nonzero(adjoint, known)
    if counts is not Flag(True) and not is_tame(slope, counts):
        if not slope.axes <= adjoint.axes:  # no array over the axes of both: they may only meet in a sum
            needed = b.anywhere(counts, counts.axes - slope.axes)
            return b.mul(adjoint, b.where(needed, slope, b.ZERO))
        inside = _within(adjoint, slope, known, steep)
        return b.where(counts, b.mul(adjoint, slope), b.ZERO) if inside is None else inside
    inside = _within(adjoint, slope, known, steep) if steep else None
    return b.mul(adjoint, slope) if inside is None else inside


def _within(adjoint: Expr, slope: Expr, known: Masks, steep: bool) -> Expr | None:
    """A product inside the choice that is a factor of the adjoint, if there is one."""
    if not isinstance(adjoint, Call):
        return None
    if _is_choice(adjoint):
        condition, *pieces = adjoint.args
        return b.where(condition, *(times(piece, slope, known, steep=steep) for piece in pieces))
    if adjoint.op.name == "neg":
        inside = _within(adjoint.args[0], slope, known, steep)
        return None if inside is None else b.neg(inside)
    if adjoint.op.name == "mul":
        for one, other in (adjoint.args, adjoint.args[::-1]):
            if _is_choice(one):
                return times(one, times(other, slope, known, steep=steep), known, steep=steep)
    if adjoint.op.signs and all(_is_choice(part) and _is_padded(part) for part in adjoint.args):
        return b.where(nonzero(adjoint), b.mul(adjoint, slope), b.ZERO)
    return None


def _is_choice(node: Expr) -> bool:
    """Whether a node is a choice between something and 0."""
    return isinstance(node, Call) and node.op.name == "where" and b.ZERO in node.args[1:]


def _is_padded(choice: Expr) -> bool:
    """Whether a choice takes what is cut out of something, and nothing of the rest."""
    match choice.children[1]:
        case Unslice() | Call(Op("neg"), (Unslice(),)):
            return True
    return False


def nonzero(adjoint: Expr, known: Masks | None = None) -> Expr:
    """A condition outside of which choices (those by masks that are given, if they are) make an adjoint 0."""
    done = {} if known is None else known.decided
    stack = [adjoint]
    while stack and adjoint not in done:  # a sum may have hundreds of terms, one inside the other
        node = stack[-1]
        parts = _deciding(node, known)
        missing = [part for part in parts if part not in done]
        if missing:
            stack += missing
        else:
            done[stack.pop()] = _nonzero(node, [done[part] for part in parts], known)
    return done[adjoint]


def _deciding(adjoint: Expr, known: Masks | None) -> tuple[Expr, ...]:
    """The parts that decide whether an adjoint is 0."""
    match adjoint:
        case Call(op, args) if op.name in ("where", "mul", "add", "sub", "neg", "div"):
            return {"where": args[1:], "neg": args[:1], "div": args[:1]}.get(op.name, args)
        case Reduce(op, arg) if op.name in ("sum", "mean") and known is not None:
            return (arg,)
        case Along(op, (arg, *_)) if op.name != "rank" and known is not None:
            return (arg,)
        case Slice(arg) | Unslice(arg) | Rename(arg) if known is not None:
            return (arg,)
    return ()


def _nonzero(adjoint: Expr, below: list[Expr], known: Masks | None) -> Expr:
    """The condition, from those of the parts. Of what is gathered along axes one position is enough for all."""
    if not below:
        return Flag(adjoint.value != 0 if isinstance(adjoint, Const) else True)
    match adjoint:
        case Call(op, (condition, *_)) if op.name == "where":
            one, other = below
            if one is other:
                return one
            if known is not None and condition not in known.conditions:
                return b.call("or", one, other)
            return b.call("or", b.call("and", condition, one), b.call("and", b.call("not", condition), other))
        case Call(op) if op.name == "mul":
            return b.call("and", *below)
        case Call(op) if op.name in ("add", "sub"):
            return b.call("or", *below)
    return b.moved_condition(adjoint, below[0])


def is_tame(expr: Expr, counts: Expr) -> bool:
    """Whether an expression is known to be finite where a condition does not hold, so that 0 times it is 0.

    That is so of what is made of constants, and of operands that are harmless there (see `masks`), by operations that
    are finite everywhere.
    """
    tests = set(conjuncts(counts))
    stack, seen = [expr], set[Expr]()
    while stack:
        node = stack.pop()
        if node in seen or node.kind is not Kind.REAL or isinstance(node, Length):
            continue
        seen.add(node)
        is_given = isinstance(node, Input | Param) and node.name != SEED
        if is_given or (isinstance(node, Const) and b.exact(node) is None):
            return False
        if isinstance(node, Call) and node.op.name not in CHOICES and degree(node, [1.0] * len(node.args)) == math.inf:
            return False
        is_selected = isinstance(node, Call) and node.op.name == "where" and tests.issubset(conjuncts(node.args[0]))
        stack += node.children[2:] if is_selected else node.children
    return True


@dataclass
class Steepness(Interpretation[float]):
    """The degree of an expression in whatever it is made of."""

    def transfer(self, node: Expr, below: list[float]) -> float:
        if node.is_static or isinstance(node, Length):
            return 0.0
        return degree(node, below) if isinstance(node, Call) else max(below, default=1.0)


def degree(node: Call, below: list[float]) -> float:
    """How fast an operation grows, as the degree of a polynomial; infinite if it may have infinite slopes.

    A choice may stand above what grows like a square at the most: its slopes are then as large as the inputs, so that
    none overflows where its piece is not selected.
    """
    name = node.op.name
    if any(isinstance(arg, Const) and b.exact(arg) is None for arg in node.args):
        return math.inf  # infinity, or nan
    if name == "mul":
        return sum(below)
    if name == "square":
        return 2 * below[0]
    if name == "pow":
        exponent = b.exact(node.args[1])
        is_whole = exponent is not None and exponent >= 1 == exponent.denominator
        return below[0] * float(exponent) if exponent is not None and is_whole else math.inf
    if name == "div":
        if node.args[1] is b.ZERO:
            return math.inf
        by_many = node.args[1].axes < node.axes  # see gradient._push_quotient
        return below[0] if node.args[1].is_static or by_many else math.inf
    if name in CHOICES or any(safe is not None for safe in node.op.safe):
        return math.inf
    return max(below, default=0.0)


def is_plain_factor(adjoint: Expr) -> bool:
    """Whether an adjoint is a plain factor: made of constants, lengths, counts and the seed only."""
    return not any(isinstance(node, Input | Param) and node.name != SEED for node in _real(adjoint))


def _real(expr: Expr) -> Iterator[Expr]:
    """The numbers of which an expression is made: not what only decides or is measured, and is finite in any case."""
    stack, seen = [expr], set[Expr]()
    while stack:
        node = stack.pop()
        if node not in seen and node.kind is Kind.REAL:
            seen.add(node)
            yield node
            stack += () if isinstance(node, Length) else node.children

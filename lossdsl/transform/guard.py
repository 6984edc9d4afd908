"""Makes every piece of a choice safe to evaluate everywhere.

Where a piece is not selected, the arguments of its operations may leave the domain (`log` of a negative number), and
although the result is then thrown away, automatic differentiation through the code would turn it into NaN. So such an
argument is replaced by a harmless one where its piece is not selected. This is the one module that knows how.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Call, Expr, Flag, Position, walk
from lossdsl.ir.ranges import Ranges, shifted_where
from lossdsl.ir.rows.writing import NONZERO
from lossdsl.ir.traversal import within
from lossdsl.transform.factors import few_factors

_MOST = 40
"""How many operations are looked at for each there is: in a tower of roots, each is guarded for every one above it."""


def guarded(roots: tuple[Expr, ...], known: Ranges) -> tuple[Expr, ...]:
    """The roots with every piece of every choice made safe."""
    done: dict[Expr, Expr] = {}
    unsafe = _Unsafe(ranges=known)
    every = list(walk(*roots))
    left = _MOST * len(every)
    for node in every:
        new = b.rebuild(node, tuple(done[child] for child in node.children))
        if isinstance(new, Call) and new.op.name == "where" and left > 0:
            condition, first, second = new.args
            left -= sum(len(region(piece)) for piece in (first, second) if unsafe[piece])
            both = _in_both(first, second, unsafe) | _compared(new, unsafe)
            new = b.where(
                condition, _safe(first, condition, unsafe, both), _safe(second, b.call("not", condition), unsafe, both)
            )
        done[node] = new
    return tuple(done[root] for root in roots)


def believing(roots: tuple[Expr, ...], known: Ranges) -> tuple[Expr, ...]:
    """The roots without the guards of divisors that parameters alone make, where `require` excludes 0."""

    def change(node: Expr) -> Expr:
        if isinstance(node, Call) and node.op.name == "div" and isinstance(node.args[1], Call):
            op, divisor = node.args[1].op, node.args[1].args
            is_guard = op.name == "where" and divisor[2] is b.ONE and divisor[1].is_static
            if is_guard and known[divisor[1]].is_nonzero:
                return b.div(node.args[0], divisor[1])
        return node

    return b.mapped(roots, change)


@dataclass
class _Unsafe(Interpretation[bool]):
    """Whether an elementwise operation in an expression may leave its domain."""

    ranges: Ranges = field(default_factory=Ranges)

    def transfer(self, node: Expr, below: list[bool]) -> bool:
        return isinstance(node, Call) and (any(below) or bool(_unsafe(node, self.ranges)))


def _in_both(first: Expr, second: Expr, unsafe: _Unsafe) -> Set[Expr]:
    """The operations that both pieces need: they count whichever is selected, so that nothing is to be replaced.

    Were they replaced in each piece apart, a tower of choices would double with every storey.
    """
    return {*region(first)}.intersection(region(second)) if unsafe[first] and unsafe[second] else frozenset()


def _compared(choice: Call, unsafe: _Unsafe) -> Set[Expr]:
    """The operations of a factor in `where(factor != 0, factor*slope, 0)`, as the gradient has it for roots.

    The factor is 0 where it does not count, and so it has a value there; the choice is for the slope.
    """
    condition, piece, other = choice.args
    if other is not b.ZERO or not (isinstance(condition, Call) and condition.op.name == "ne" and unsafe[piece]):
        return frozenset()
    factor, zero = condition.args
    inside = few_factors(piece, above=True)
    is_factor = zero is b.ZERO and inside != [piece] and {*few_factors(factor, above=True)} <= {*inside}
    return {*region(factor)} if is_factor else frozenset()


def _safe(piece: Expr, selected: Expr, unsafe: _Unsafe, both: Set[Expr]) -> Expr:
    """`piece` with the arguments of its elementwise operations replaced where `selected` does not hold."""
    if not unsafe[piece]:
        return piece
    done: dict[Expr, Expr] = {}
    for node in region(piece):
        if node in both or not unsafe[node]:
            continue
        args = [done.get(arg, arg) for arg in node.children]
        for position, safe in _unsafe(node, unsafe.ranges):
            args[position] = _replaced(node.children[position], args[position], selected, safe)
        done[node] = b.rebuild(node, tuple(args))
    return done.get(piece, piece)


def _replaced(original: Expr, arg: Expr, selected: Expr, safe: float) -> Expr:
    """An argument, `safe` where it does not count; as it is where it was taken care of, or is settled anyway."""
    if original.is_static and not selected.is_static:
        return arg
    counts = shifted_where(original)
    if counts is not None:  # safe under one condition, and so the same wherever it is used
        return b.where(counts, arg, b.const(safe))
    if _is_guarded(original, selected):
        return arg
    return b.where(somewhere(selected, selected.axes - original.axes), arg, b.const(safe))


def somewhere(selected: Expr, over: Axes) -> Expr:
    """What many elements share is needed if one of them is selected; the one with a certain number always is."""
    if isinstance(selected, Call) and selected.op.name == "eq":
        for one, other in (selected.args, selected.args[::-1]):
            if isinstance(one, Position) and {one.axis} == over and one.axis not in other.axes:
                return Flag(True)
    return b.anywhere(selected, over)


def region(piece: Expr) -> list[Expr]:
    """The elementwise operations of a piece, children first."""
    return within(piece, lambda node: isinstance(node, Call))


def _is_guarded(arg: Expr, selected: Expr) -> bool:
    return isinstance(arg, Call) and arg.op.name == "where" and arg.args[0] is selected


def _unsafe(node: Expr, known: Ranges) -> list[tuple[int, float]]:
    """The arguments of an operation that may leave its domain, with what to put there instead."""
    if not isinstance(node, Call):
        return []
    pairs = ((position, safe) for position, safe in enumerate(node.op.safe) if safe is not None)
    return [(position, safe) for position, safe in pairs if not _is_inside(node, position, known)]


def _is_inside(node: Call, position: int, known: Ranges) -> bool:
    """Whether an argument is known to lie in the domain of its operation."""
    domain, values = node.op.domain_of(position), known[node.args[position]]
    exponent = b.exact(node.args[1]) if node.op.name == "pow" else None
    if exponent is not None and exponent.denominator == 1:
        return exponent >= 0 or values.is_nonzero
    return values.is_nonzero if domain is NONZERO else values.within(domain)

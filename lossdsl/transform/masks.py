"""Selects the operands of what a mask may throw away: the "double where" for the choices that an author wrote.

`where(isnan(t), 0, (t - x)^2)` becomes `where(isnan(t), 0, where(isnan(t), 0.5, t - x)^2)`. What is not selected is
then worked out from harmless numbers, so that no derivative of it is nan, of whatever order and whoever differentiates.
This is done once, to the formula as it was written; what the stable forms and the gradient make of it keeps it.

A choice is a mask for an operand if its condition is about an input that is no label, and its other piece does without
the operand: huber's error, which both pieces need, is nan in both. Labels select a few elements of many, or ignore a
sample; there it is enough that a slope which may be nan stays in the choice (`slopes.times`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial, reduce
from typing import NamedTuple

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Anywhere, Interpretation
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Input, Length, Reduce, Rename, Slice, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import Ranges, conjuncts, shifted_where
from lossdsl.ir.traversal import within

_OFF = tuple(Fraction(k, 32) for k in (16, 12, 20, 14, 18, 11))
"""How far harmless numbers lie from the end of a range: exact in every format, off the kinks, and not all the same."""


class _Sum(NamedTuple):
    """What is known of a sum of operands with constant factors: how many, over which axes, and if there is a `stop`."""

    many: int = 0
    axes: frozenset[Axes] = frozenset()
    stops: bool = False


def masked(root: Expr, known: Ranges) -> Expr:
    """The expression with the operands of each piece selected by the mask that selects the piece."""
    facts = _Facts(known)
    return b.mapped((root,), lambda node: _with_selected_operands(node, facts))[0]


def _with_selected_operands(node: Expr, facts: _Facts) -> Expr:
    if not (isinstance(node, Call) and node.op.name == "where"):
        return node
    condition, first, second = node.args
    return b.where(
        condition,
        _Mask(condition, second, facts).selected(first),
        _Mask(b.call("not", condition), first, facts).selected(second),
    )


@dataclass(frozen=True)
class _Way:
    """How a part of a piece is reached: through slopes that are finite, or not; None for what is selected itself.

    `tests` are those of choices on every way to it; None where nobody will ask, for no aggregate is below.
    """

    passes: bool | None
    tests: tuple[Expr, ...] | None

    def below(self, node: Call, sums: _Sums) -> Iterable[tuple[Expr, _Way]]:
        """The ways to the operands of an operation."""
        passes = bool(self.passes) and _passes(node, sums)
        if node.op.name == "where" and self.tests is not None:
            condition, first, second = node.args
            yield first, _Way(passes, (*self.tests, *conjuncts(condition)))
            yield second, _Way(passes, (*self.tests, b.call("not", condition)))
            return
        for arg in node.args:
            yield arg, _Way(passes, self.tests)

    def joined(self, other: _Way) -> _Way:
        """What holds of both ways."""
        passes = bool(self.passes and other.passes)
        if self.tests is None or other.tests is None:
            return _Way(passes, None)
        return _Way(passes, tuple(test for test in self.tests if test in other.tests))


class _Mask:
    """A condition, and what the piece that it does not select needs as well."""

    def __init__(self, condition: Expr, other: Expr, facts: _Facts) -> None:
        self.condition = condition
        self.tests = tuple(test for test in conjuncts(condition) if _has_data(test))
        self.totals = {node for node in walk(condition) if isinstance(node, Reduce)}  # as in where(s > 0, sqrt(s), 0)
        self.needed = set(filter(_is_data, facts.wanted[other])) if self.tests else set()
        self.facts = facts
        self.numbers: dict[Expr, Const] = {}
        self.done: dict[tuple[Expr, tuple[Expr, ...], bool], Expr] = {}

    def selected(self, piece: Expr) -> Expr:
        """The piece with its operands selected."""
        return self._selected(piece, self.tests, True) if self.tests else piece

    def _selected(self, piece: Expr, tests: tuple[Expr, ...], passing: bool) -> Expr:
        """The same for a part of it that is needed where all tests hold; `passing` says that its slope is finite."""
        key = piece, tests, passing
        if key not in self.done:  # sums of what stands beside them are met again in every sum above
            self.done[key] = self._worked_out(piece, tests, passing)
        return self.done[key]

    def _worked_out(self, piece: Expr, tests: tuple[Expr, ...], passing: bool) -> Expr:
        order = within(piece, self._is_open)
        done: dict[Expr, Expr] = {}
        for node, way in self._operands(piece, order, passing).items():
            done[node] = self._choice(node, tests, way) if way.passes is None else self._below(node, tests, way)
        for node in order:
            if node not in done:
                done[node] = b.rebuild(node, tuple(done[arg] for arg in node.children)) if self._is_open(node) else node
        return done[piece]

    def _is_open(self, node: Expr) -> bool:
        """Whether a part is looked into; a condition is, for what it compares may be an operand."""
        return isinstance(node, Call) and (node.kind is not Kind.REAL or self._is_wanting(node))

    def _is_wanting(self, node: Expr) -> bool:
        """Whether there is something in a part that the other piece does without."""
        return not self.facts.wanted[node] <= self.needed

    def _operands(self, piece: Expr, order: list[Expr], passing: bool) -> dict[Expr, _Way]:
        """What is to be selected, and the aggregates in which there may be more, each with the way that leads there."""
        sums = self.facts.sums
        has_aggregate = any(node.children and not isinstance(node, Call) for node in order)
        ways = {piece: _Way(passing, () if has_aggregate else None)}
        found: dict[Expr, _Way] = {}
        for node in reversed(order):
            if node not in ways or node in self.totals or not self._is_wanting(node):
                continue
            way, known = ways[node], sums[node]
            if known is not None and (way.passes or known == _Sum()):
                continue
            if self._is_one(node, known) or (not way.passes and _is_selection(node)):
                found[node] = replace(way, passes=None)
            elif isinstance(node, Call):
                for child, step in way.below(node, sums):
                    ways[child] = step if child not in ways else ways[child].joined(step)
            else:
                is_product = isinstance(node, Reduce) and node.op.name == "prod"
                found[node] = replace(way, passes=way.passes and not is_product)
        return found

    def _is_one(self, node: Expr, known: _Sum | None) -> bool:
        """Whether a sum is selected as a whole: where that takes fewer choices than to select what it is made of."""
        if known is None:
            return False
        if known.stops or _is_data(node):
            return known.many > 0
        return known.many > 1 and (known.axes == {node.axes} or node.axes == self.condition.axes)

    def _choice(self, operand: Expr, tests: tuple[Expr, ...], way: _Way) -> Expr:
        """An operand, or a harmless number where it is not needed."""
        everything = frozenset(axis for test in tests for axis in test.axes)
        needs = reduce(_both, _somewhere(tests, everything - operand.axes, way.tests or ()))
        if _is_selection(operand):
            inner, value, harmless = operand.children
            return b.where(_both(needs, inner), value, harmless)
        if shifted_where(operand) is self.condition:
            return operand
        number = self.numbers.setdefault(operand, _harmless(operand, len(self.numbers), self.facts.known))
        return b.where(needs, operand, number)

    def _below(self, node: Expr, tests: tuple[Expr, ...], way: _Way) -> Expr:
        """An aggregate, or an element of something: axes are other ones within, and what one position needs, all do."""
        match node:
            case Reduce(_, _, over) | Along(_, _, over):
                others = over
            case Rename(_, old, new):
                others = frozenset({old, new})
            case Gather(arg, axis, index):
                others = index.axes - arg.axes | {axis}
            case Slice(_, old, new):
                others = frozenset({old, new})
            case _:
                return node
        below = _somewhere(tests, others, way.tests or ())
        first, *rest = node.children
        return b.rebuild(node, (self._selected(first, below, bool(way.passes)), *rest))


_both = partial(b.call, "and")


def _somewhere(tests: tuple[Expr, ...], over: Axes, within: tuple[Expr, ...] = ()) -> tuple[Expr, ...]:
    """Tests that hold together somewhere along axes: those that share one of these must hold at the same place.

    What is `within` a choice of its own is needed where the tests of that hold as well.
    """
    found: list[Expr] = []
    groups: list[tuple[Axes, Expr]] = []
    for test in tests:
        axes, joint = test.axes & over, test
        if not axes:
            found.append(test)
            continue
        for group in [group for group in groups if group[0] & axes]:
            groups.remove(group)
            axes, joint = axes | group[0], _both(group[1], joint)
        groups.append((axes, joint))
    for place, (axes, joint) in enumerate(groups):
        inner = (test for test in within if test.axes & over and test.axes & over <= axes)
        groups[place] = axes, reduce(_both, inner, joint)
    return (*found, *(b.anywhere(joint, axes) for axes, joint in groups))


def _has_data(expr: Expr) -> bool:
    return any(_is_data(node) for node in walk(expr))


def _is_data(node: Expr) -> bool:
    """Whether a node is an input that is no label, or an element of one."""
    while isinstance(node, Gather | Rename | Slice):
        node = node.arg
    return isinstance(node, Input) and not node.whole


def _is_selection(node: Expr) -> bool:
    return isinstance(node, Call) and node.op.name == "where" and isinstance(node.args[2], Const)


_NOTHING = frozenset[Expr]()


class _Wanted(Interpretation[frozenset[Expr]]):
    """The data whose values an expression needs wherever it is needed; of a choice that selects an operand, itself."""

    def transfer(self, node: Expr, below: list[frozenset[Expr]]) -> frozenset[Expr]:
        if node.kind is not Kind.REAL or isinstance(node, Length):
            return _NOTHING
        if _is_data(node) or _is_selection(node):
            return frozenset({node})
        return _NOTHING.union(*below)


def _passes(node: Call, sums: _Sums) -> bool:
    if node.op.name in ("mul", "div"):
        return any(sums[factor] == _Sum() for factor in node.args[node.op.name == "div" :])
    return node.op.passes  # its slopes know nothing of the operands: through these nan has no way back


@dataclass
class _Sums(Interpretation[_Sum | None]):
    """What is known of each part as a sum of data with constant factors; None for what is no such sum."""

    data: Anywhere = field(default_factory=lambda: Anywhere(is_one=_is_data))

    def transfer(self, node: Expr, below: list[_Sum | None]) -> _Sum | None:
        if node.kind is not Kind.REAL or isinstance(node, Length):
            return _Sum()
        if _is_data(node):
            return _Sum(1, frozenset({node.axes}))
        if isinstance(node, Call):
            return _sum_of(node, below)
        return None if self.data[node] else _Sum()


def _sum_of(node: Call, parts: list[_Sum | None]) -> _Sum | None:
    if all(part == _Sum() for part in parts):
        return _Sum()
    if node.op.name == "stop":
        return _Sum(stops=True)
    free = parts[1:] if node.op.name == "div" else parts
    is_scaled = node.op.name in ("mul", "div") and any(part == _Sum() for part in free)
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts) or not (is_scaled or node.op.signs):
        return None
    many = min(2, sum(part.many for part in whole))
    axes = frozenset[Axes]().union(*(part.axes for part in whole))
    return _Sum(many, axes, any(part.stops for part in whole))


@dataclass(frozen=True)
class _Facts:
    """What is known of the parts of a loss, each looked at once, however many masks there are."""

    known: Ranges
    sums: _Sums = field(default_factory=_Sums)
    wanted: _Wanted = field(default_factory=_Wanted)


def _harmless(operand: Expr, number: int, known: Ranges) -> Const:
    """A number that an operand may well be."""
    values = known[operand]
    off = _OFF[number % len(_OFF)]
    low, high = (None if abs(end) == float("inf") else Fraction(end) for end in (values.low, values.high))
    if low is not None:
        return b.const(low + off * (1 if high is None else high - low))
    return b.const(off if high is None else high - off)

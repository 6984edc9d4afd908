"""A loss taken apart: the regions in which one formula without choices gives its value, and what holds in each.

Every comparison that a choice asks for splits the inputs into three: where the two sides' difference is negative, zero
and positive. A cell is what is left of the inputs after all such questions; those that are proved empty are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Flag
from lossdsl.ir.op import Kind
from lossdsl.prove.assumptions import Assumptions
from lossdsl.prove.certificates import SemialgebraicSet
from lossdsl.prove.rational_field import TooLarge, atoms_in

MAX_CELLS = 120


@dataclass(frozen=True)
class CaseSplit:
    """One question and its answer: the sign of `difference` (a polynomial), asked by the node `asker`."""

    difference: Any
    sign: int
    asker: Expr
    sides: tuple[Expr, Expr]


@dataclass(frozen=True)
class Cell:
    """A part of the inputs, and the loss there, without choices. `flags` are conditions that nothing is known of."""

    splits: tuple[CaseSplit, ...]
    flags: tuple[tuple[Expr, bool], ...]
    region: SemialgebraicSet
    value: Expr
    chosen: frozenset[tuple[Expr, bool]] = frozenset()
    """The choices that were met, each with the outcome of its condition."""

    @property
    def is_thin(self) -> bool:
        """Whether it lies on a join."""
        return any(split.sign == 0 for split in self.splits)

    @property
    def zeros(self) -> tuple[CaseSplit, ...]:
        return tuple(split for split in self.splits if split.sign == 0)

    def agrees(self, other: Cell) -> bool:
        """Whether the conditions that nothing is known of come out alike."""
        mine = dict(self.flags)
        return all(mine.get(condition, value) == value for condition, value in other.flags)


class _Asked(Exception):
    """A question that has no answer yet."""

    def __init__(self, question: tuple[Any, Expr, tuple[Expr, Expr]] | Expr) -> None:
        super().__init__()
        self.question = question


_Case = tuple[tuple[CaseSplit, ...], tuple[tuple[Expr, bool], ...], SemialgebraicSet]


def cells(expr: Expr, assumptions: Assumptions) -> list[Cell]:
    """Every cell of an expression that is not proved to be empty. Raises TooLarge."""
    found: list[Cell] = []
    stack: list[_Case] = [((), (), SemialgebraicSet())]
    while stack:
        case = stack.pop()
        if len(found) + len(stack) > MAX_CELLS:
            raise TooLarge
        splits, flags, region = case
        resolver = _Resolver(assumptions, splits, dict(flags), region)
        try:
            found.append(Cell(*case, resolver.resolved(expr), frozenset(resolver.chosen)))
        except _Asked as asked:
            stack += _answers(case, asked.question, assumptions)
    return found


def _answers(case: _Case, question: Any, assumptions: Assumptions) -> Iterator[_Case]:
    """A case narrowed by each answer to a question that is not proved to be impossible."""
    splits, flags, region = case
    if isinstance(question, Expr):
        yield from ((splits, (*flags, (question, answer)), region) for answer in (True, False))
        return
    difference, asker, sides = question
    for sign in (1, 0, -1):
        narrowed = region.with_sign(difference, sign)
        if not assumptions.within(narrowed).about(atoms_in(difference)).is_empty():
            yield (*splits, CaseSplit(difference, sign, asker, sides)), flags, narrowed


class _Resolver:
    def __init__(
        self,
        assumptions: Assumptions,
        splits: tuple[CaseSplit, ...],
        flags: Mapping[Expr, bool],
        region: SemialgebraicSet,
    ) -> None:
        self.assumptions = assumptions
        self.flags = flags
        self.region = region
        self.chosen: set[tuple[Expr, bool]] = set()
        self.answers = {_normal(split.difference): split.sign * _turn(split.difference) for split in splits}

    def resolved(self, expr: Expr) -> Expr:
        """The expression with every choice made. What is not chosen is not looked into."""
        done: dict[Expr, Expr] = {}
        stack = [expr]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            needed = self._needed(node, done)
            missing = [child for child in needed if child not in done]
            if missing:
                stack += missing
                continue
            stack.pop()
            done[node] = self._made(node, done)
        return done[expr]

    def _needed(self, node: Expr, done: Mapping[Expr, Expr]) -> tuple[Expr, ...]:
        if isinstance(node, Call) and not self._is_whole(node):
            if node.op.name == "where":
                condition = node.args[0]
                if condition not in done:
                    return (condition,)
                held = done[condition]
                assert isinstance(held, Flag)
                return (node.args[1] if held.value else node.args[2],)
            return node.args
        return ()  # what is not elementwise is taken as a whole

    def _made(self, node: Expr, done: Mapping[Expr, Expr]) -> Expr:
        if isinstance(node, Flag):
            return node
        if not isinstance(node, Call) or self._is_whole(node):
            return self._flag(node) if node.kind is Kind.BOOL else node
        name = node.op.name
        if name == "where":
            held = done[node.args[0]]
            assert isinstance(held, Flag)
            self.chosen.add((node, held.value))
            return done[node.args[1] if held.value else node.args[2]]
        args = tuple(done[arg] for arg in node.args)
        if node.op.holds_at:
            if any(map(_is_infinite, args)) and all(arg.is_static for arg in args):
                return self._flag(node)  # a parameter may be infinite
            return Flag(self._compare(node, *args) in node.op.holds_at)
        match name:
            case "abs" | "sign":
                sign = self._compare(node, args[0], b.ZERO)
                return b.const(sign) if name == "sign" else {1: args[0], 0: b.ZERO, -1: b.neg(args[0])}[sign]
            case "max" | "min":
                side = self._compare(node, *args)
                return args[side < 0] if name == "max" else args[side > 0]
            case "isnan" | "isinf":
                return Flag(False)
            case "isfinite":
                return Flag(True)
        return b.rebuild(node, args)

    def _is_whole(self, node: Expr) -> bool:
        """A choice that the prediction has no part in stays as it is; its condition may be asked for elsewhere."""
        return node in self.assumptions.fixed and node.kind is not Kind.BOOL

    def _flag(self, node: Expr) -> Expr:
        if node not in self.flags:
            raise _Asked(node)
        return Flag(self.flags[node])

    def _compare(self, asker: Expr, a: Expr, c: Expr) -> int:
        """The sign of a - c. Raises _Asked where the splits do not tell."""
        for one, sign in ((a, 1), (c, -1)):
            if _is_infinite(one):
                return sign if one.value > 0 else -sign  # type: ignore[attr-defined]
        form = self.assumptions.forms.of(b.sub(b.number(a), b.number(c)))
        if form.is_zero:
            return 0
        bottom = (1, True) if form.is_polynomial else self.assumptions.within(self.region).sign(form.bottom)
        if bottom is None or not bottom[1]:
            raise TooLarge
        key = _normal(form.top)
        if key in self.answers:
            return self.answers[key] * _turn(form.top) * bottom[0]
        known = self.assumptions.within(self.region).sign(form.top)
        if known is not None and (known[1] or known[0] == 0):
            return known[0] * bottom[0]
        raise _Asked((form.top * bottom[0], asker, (a, c)))


def _is_infinite(node: Expr) -> bool:
    return isinstance(node, Const) and isinstance(node.value, float) and math.isinf(node.value)


def _turn(polynomial: Any) -> int:
    return 1 if polynomial.leading_coefficient() > 0 else -1


def _normal(polynomial: Any) -> str:
    """The same text for every multiple of a polynomial."""
    return str(polynomial / polynomial.leading_coefficient())

"""A loss taken apart: the regions in which one formula without choices gives its value, and what holds in each.

Every comparison that a choice asks for splits the inputs into three: where the two sides' difference is negative, zero
and positive. A cell is what is left of the inputs after all such questions; those that are proved empty are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

from lossdsl.analysis.bounds import INF, Bounds
from lossdsl.analysis.certificates import Effort, Known, Region
from lossdsl.analysis.compose import Composition
from lossdsl.analysis.facts import FACTS
from lossdsl.analysis.forms import Forms, Ratio, TooLarge, atoms_in, plain, rational
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Flag, Input, Param, walk
from lossdsl.ir.op import Kind
from lossdsl.symbolic.language import expression

MAX_CELLS = 60
_COMPARISONS = {"lt": (-1,), "le": (-1, 0), "gt": (1,), "ge": (0, 1), "eq": (0,), "ne": (-1, 1)}


@dataclass(frozen=True)
class Split:
    """One question and its answer: the sign of `difference` (a polynomial), asked by the node `asker`."""

    difference: Any
    sign: int
    asker: Expr
    sides: tuple[Expr, Expr]


@dataclass(frozen=True)
class Cell:
    """A part of the inputs, and the loss there, without choices. `flags` are conditions that nothing is known of."""

    splits: tuple[Split, ...]
    flags: tuple[tuple[Expr, bool], ...]
    region: Region
    value: Expr
    chosen: frozenset[tuple[Expr, bool]] = frozenset()
    """The choices that were met, each with the outcome of its condition."""

    @property
    def is_thin(self) -> bool:
        """Whether it lies on a join."""
        return any(split.sign == 0 for split in self.splits)

    @property
    def zeros(self) -> tuple[Split, ...]:
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


@dataclass
class Ground:
    """What holds everywhere: bounds of leaves, requirements, and facts of the atoms of normal forms."""

    leaves: Mapping[Expr, Bounds]
    forms: Forms
    required: tuple[Known, ...] = ()
    fixed: frozenset[Expr] = frozenset()
    """Parts that do not depend on the prediction: they are not taken apart."""
    effort: Effort = field(default_factory=Effort)
    _facts: tuple[int, tuple[Known, ...]] = (-1, ())
    _composed: dict[Any, Composition] = field(default_factory=dict)

    def region(self) -> Region:
        """Every polynomial over the atoms met so far that is known to be nonnegative."""
        if self._facts[0] != len(self.forms.atoms):
            count = len(self.forms.atoms)
            found = [*self.required]
            for place in range(count):
                found += self._atom(place)
            self._facts = (count, tuple(found))  # the lemmas may have met further atoms, which have no facts yet
        return Region(self._facts[1], (), self.effort)

    def _atom(self, place: int) -> Iterator[Known]:
        node = self.forms.atoms[place]
        atom = self.forms.atom(place).top
        bounds = self.composition(None).bounds(node)
        if isinstance(bounds.low, Fraction):
            yield Known(atom - plain(bounds.low), bounds.low_open)
        if isinstance(bounds.high, Fraction):
            yield Known(plain(bounds.high) - atom, bounds.high_open)
        if isinstance(node, Call) and node.op.name in FACTS and len(self.forms.atoms) < 16:
            for text in FACTS[node.op.name].least:
                try:
                    lemma = self.forms.of(expression(text, {"a": node.args[0]}))
                except TooLarge:
                    continue
                if lemma.is_polynomial:
                    yield Known(lemma.top)

    def composition(self, region: Region | None, prediction: frozenset[Expr] = frozenset()) -> Composition:
        """Composition over the bounds that a region leaves to single leaves."""
        key = None if region is None else tuple((str(one.polynomial), one.strict) for one in region.known)
        if (key, prediction) not in self._composed:
            leaves = dict(self.leaves)
            for one in region.known if region is not None else ():
                self._narrow(leaves, one)
            for zero in region.zeros if region is not None else ():
                self._narrow(leaves, Known(zero))
                self._narrow(leaves, Known(-zero))
            self._composed[key, prediction] = Composition(prediction, leaves, self.forms)
        return self._composed[key, prediction]

    def _narrow(self, leaves: dict[Expr, Bounds], one: Known) -> None:
        used = atoms_in(one.polynomial)
        if len(used) != 1 or one.polynomial.total_degree() != 1:
            return
        node = self.forms.atoms[used[0]]
        if not isinstance(node, Input | Param):
            return
        terms = {sum(powers): rational(coefficient) for powers, coefficient in one.polynomial.to_dict().items()}
        slope, end = terms[1], -terms.get(0, Fraction(0)) / terms[1]
        side = Bounds(end, INF, one.strict) if slope > 0 else Bounds(-INF, end, False, one.strict)
        leaves[node] = leaves.get(node, Bounds()).meet(side)

    def sign(self, expr: Expr, region: Region) -> tuple[int, bool] | None:
        """(sign, strict) of an expression without choices over a region, if it can be proved."""
        bounds = self.composition(region).bounds(expr)
        if bounds.is_point and bounds.low == 0:
            return 0, False
        if bounds.is_positive or bounds.is_negative:
            return (1 if bounds.is_positive else -1), True
        try:
            found = self.ratio_sign(self.forms.of(expr), region)
        except TooLarge:
            found = None
        if found is None and (bounds.is_nonnegative or bounds.is_nonpositive):
            return (1 if bounds.is_nonnegative else -1), False
        return found

    def ratio_sign(self, form: Ratio, region: Region) -> tuple[int, bool] | None:
        whole = self.region() + region
        top = whole.sign(form.top)
        if top is None or top[0] == 0 or form.is_polynomial:
            return top
        bottom = whole.sign(form.bottom)
        return None if bottom is None or not bottom[1] else (top[0] * bottom[0], top[1])

    def is_defined(self, expr: Expr, region: Region) -> bool:
        """Whether an expression without choices is proved to have a finite value everywhere in a region."""
        composed = self.composition(region)
        if composed[expr].total:
            return True
        return all(self._is_inside(node, region, composed) for node in walk(expr) if isinstance(node, Call))

    def _is_inside(self, node: Call, region: Region, composed: Composition) -> bool:
        name, args = node.op.name, node.args
        if name in FACTS:
            domain = FACTS[name].domain
            if name == "tan":
                return False
            if composed.bounds(args[0]).within(domain):
                return True
            ends = []
            if domain.low > -INF:
                ends.append((b.sub(args[0], b.const(Fraction(domain.low))), domain.low_open))
            if domain.high < INF:
                ends.append((b.sub(b.const(Fraction(domain.high)), args[0]), domain.high_open))
            return all(self._above(end, is_open, region) for end, is_open in ends)
        if name == "div":
            found = self.sign(args[1], region)
            return found is not None and found[0] != 0 and found[1]
        if name == "pow":
            exponent = composed.bounds(args[1])
            if exponent.is_point and Fraction(exponent.low).denominator == 1 and exponent.low >= 0:
                return True
            return self._above(args[0], not exponent.is_nonnegative, region)
        if name in ("xlogy", "log_bessel_i"):
            return self._above(args[1], True, region)
        return name in _TOTAL or node.kind is Kind.BOOL

    def _above(self, expr: Expr, strictly: bool, region: Region) -> bool:
        found = self.sign(expr, region)
        return found is not None and (found == (1, True) or (not strictly and found[0] >= 0))


_TOTAL = frozenset({"add", "sub", "mul", "neg", "max", "min", "where", "logaddexp", "pi"})


def cells(expr: Expr, ground: Ground) -> list[Cell]:
    """Every cell of an expression that is not proved to be empty. Raises TooLarge."""
    found: list[Cell] = []
    stack: list[tuple[tuple[Split, ...], tuple[tuple[Expr, bool], ...], Region]] = [((), (), Region())]
    while stack:
        splits, flags, region = stack.pop()
        if len(found) + len(stack) > MAX_CELLS:
            raise TooLarge
        try:
            resolver = _Resolver(ground, splits, dict(flags), region)
            value = resolver.resolved(expr)
        except _Asked as asked:
            question = asked.question
            if isinstance(question, Expr):
                stack += [(splits, (*flags, (question, answer)), region) for answer in (True, False)]
                continue
            difference, asker, sides = question
            for sign in (1, 0, -1):
                narrowed = region.with_sign(difference, sign)
                if not (ground.region() + narrowed).about(atoms_in(difference)).is_empty():
                    stack.append(((*splits, Split(difference, sign, asker, sides)), flags, narrowed))
            continue
        found.append(Cell(splits, flags, region, value, frozenset(resolver.chosen)))
    return found


class _Resolver:
    def __init__(self, ground: Ground, splits: tuple[Split, ...], flags: Mapping[Expr, bool], region: Region) -> None:
        self.ground = ground
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
        if not isinstance(node, Call) or self._is_whole(node):
            return self._flag(node) if node.kind is Kind.BOOL and not isinstance(node, Flag) else node
        name = node.op.name
        if name == "where":
            held = done[node.args[0]]
            assert isinstance(held, Flag)
            self.chosen.add((node, held.value))
            return done[node.args[1] if held.value else node.args[2]]
        args = tuple(done[arg] for arg in node.args)
        if name in _COMPARISONS:
            if any(_is_infinite(arg) for arg in args) and all(arg.is_static for arg in args):
                return self._flag(node)  # a parameter may be infinite
            return Flag(self._compare(node, *args) in _COMPARISONS[name])
        match name:
            case "abs" | "sign":
                sign = self._compare(node, args[0], b.ZERO)
                if name == "sign":
                    return b.const(sign)
                return args[0] if sign > 0 else b.neg(args[0]) if sign < 0 else b.ZERO
            case "max":
                return args[0] if self._compare(node, *args) >= 0 else args[1]
            case "min":
                return args[0] if self._compare(node, *args) <= 0 else args[1]
            case "isnan":
                return Flag(False)
        return b.rebuild(node, args)

    def _is_whole(self, node: Expr) -> bool:
        """A choice that the prediction has no part in stays as it is; its condition may be asked for elsewhere."""
        return node in self.ground.fixed and node.kind is not Kind.BOOL

    def _flag(self, node: Expr) -> Expr:
        if node not in self.flags:
            raise _Asked(node)
        return Flag(self.flags[node])

    def _compare(self, asker: Expr, a: Expr, c: Expr) -> int:
        """The sign of a - c. Raises _Asked where the splits do not tell."""
        for one, sign in ((a, 1), (c, -1)):
            if _is_infinite(one):
                return sign if one.value > 0 else -sign  # type: ignore[attr-defined]
        form = self.ground.forms.of(b.sub(b.number(a), b.number(c)))
        if form.is_zero:
            return 0
        bottom = (1, True) if form.is_polynomial else (self.ground.region() + self.region).sign(form.bottom)
        if bottom is None or not bottom[1]:
            raise TooLarge
        key = _normal(form.top)
        if key in self.answers:
            return self.answers[key] * _turn(form.top) * bottom[0]
        known = (self.ground.region() + self.region).sign(form.top)
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


def required(conditions: list[Expr], forms: Forms) -> tuple[Known, ...]:
    """The polynomials that conditions such as `0 < q and q < 1` make nonnegative; others are left out."""
    found: list[Known] = []
    for condition in conditions:
        if not isinstance(condition, Call):
            continue
        if condition.op.name == "and":
            found += required(list(condition.args), forms)
        elif condition.op.name in ("lt", "le", "gt", "ge"):
            left, right = condition.args
            if condition.op.name in ("gt", "ge"):
                left, right = right, left
            try:
                form = forms.of(b.sub(b.number(right), b.number(left)))
            except TooLarge:
                continue
            if form.is_polynomial:
                found.append(Known(form.top, condition.op.name in ("lt", "gt")))
    return tuple(found)


@cache
def _slopes(name: str) -> tuple[tuple[Expr, ...], tuple[Expr | None, ...]]:
    """The slopes of an operation over letters."""
    from lossdsl.ir.ops import OPS

    op = OPS[name]
    letters = tuple(Input(f"argument {letter}", frozenset()) for letter in op.args)
    given: dict[str, Expr] = dict(zip(op.args, letters, strict=True))
    texts = op.derivative or ("",) * op.arity
    return letters, tuple(b.number(expression(text, given)) if text else None for text in texts)


def slope(expr: Expr, leaf: Expr) -> Expr:
    """The derivative of an elementwise expression in one leaf, inside the pieces."""
    done: dict[Expr, Expr] = {}
    for node in walk(expr):
        if node is leaf:
            done[node] = b.ONE
        elif not isinstance(node, Call) or all(done[arg] is b.ZERO for arg in node.args):
            done[node] = b.ZERO
        elif node.op.name in ("where", "max", "min"):
            condition = node.args[0]
            if node.op.name != "where":
                condition = b.call("ge" if node.op.name == "max" else "le", *node.args)
            done[node] = b.where(condition, done[node.args[-2]], done[node.args[-1]])
        else:
            letters, slopes = _slopes(node.op.name)
            total: Expr = b.ZERO
            for arg, one in zip(node.args, slopes, strict=True):
                if one is not None and done[arg] is not b.ZERO:
                    local = b.substitute(one, dict(zip(letters, node.args, strict=True)))
                    total = b.add(total, b.mul(local, done[arg]))
            done[node] = total
    return done[expr]

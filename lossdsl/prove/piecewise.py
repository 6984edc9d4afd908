"""What happens where pieces meet: the two one-sided limits of value and slope at each join, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from operator import attrgetter
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Input, Param
from lossdsl.prove.assumptions import Assumptions, slope
from lossdsl.prove.case_splits import CaseSplit, Cell
from lossdsl.prove.certificates import SemialgebraicSet
from lossdsl.prove.rational_field import TooLarge, atoms_in, rational


@dataclass(frozen=True)
class Adjacency:
    """Two cells that meet on a third, thin one: `low` on the side of smaller predictions, where that is known.

    `same_value` and `same_slope` are true, false or, where it cannot be told, None. `rises` is the sign of the jump of
    the slope (in the direction of growing predictions), where it is known. They are worked out when they are asked for.
    """

    pieces: Piecewise = field(repr=False, compare=False)
    low: Cell
    high: Cell
    on: Cell
    join: CaseSplit
    solved: tuple[tuple[Expr, Expr], ...]
    ordered: bool

    @property
    def sides(self) -> tuple[Cell, Cell]:
        return self.low, self.high

    @cached_property
    def same_value(self) -> bool | None:
        return self.pieces.same(self.low.value, self.high.value, self.on, self.solved)

    @property
    def same_slope(self) -> bool | None:
        return self._slopes[0]

    @property
    def rises(self) -> int | None:
        return self._slopes[1]

    @cached_property
    def _slopes(self) -> tuple[bool | None, int | None]:
        """`same_slope` and `rises`: the sign of the jump may tell that there is one."""
        low, high = (self.pieces.slope(cell.value) for cell in self.sides)
        same = self.pieces.same(low, high, self.on, self.solved)
        if same or not self.ordered:
            return same, None
        jump = self.pieces.sign_at(b.sub(high, low), self.on, self.solved)
        if jump is None:
            return same, None
        return (False if jump[1] else same), jump[0]


@dataclass
class Piecewise:
    """The cells of a loss of one number, and what is proved of them."""

    cells: Sequence[Cell]
    assumptions: Assumptions
    leaf: Expr
    falls: bool = False
    """Whether the leaf falls as the prediction grows."""
    _slopes: dict[Expr, Expr] = field(default_factory=dict)
    _same: dict[tuple[Any, ...], bool | None] = field(default_factory=dict)
    _signs: dict[tuple[Any, ...], tuple[int, bool] | None] = field(default_factory=dict)

    def slope(self, value: Expr) -> Expr:
        """The derivative in the prediction."""
        if value not in self._slopes:
            found = slope(value, self.leaf)
            self._slopes[value] = b.neg(found) if self.falls else found
        return self._slopes[value]

    @cached_property
    def whole(self) -> list[Cell]:
        """Cells that are not proved to be points of each line: there the slope counts."""
        return [cell for cell in self.cells if not cell.is_thin or not self._is_crossed(cell)]

    def _is_crossed(self, cell: Cell) -> bool:
        """Whether each line of predictions has at most one point in common with a thin cell, at each join."""
        return any(self.crossing(cell, split) for split in cell.zeros)

    def crossing(self, cell: Cell, split: CaseSplit) -> int:
        """The sign of the slope of a split's difference in the prediction on a cell; 0 where it is not known."""
        try:
            difference = self.assumptions.forms.expr(self.assumptions.forms.of_polynomial(split.difference))
            found = self.assumptions.sign(self.slope(difference), cell.region.closed())
        except TooLarge:
            return 0
        return found[0] if found is not None and found[1] else 0

    @cached_property
    def joins(self) -> list[Expr]:
        """The values of the leaf at which pieces meet, as far as they can be solved for: places worth trying."""
        return list(dict.fromkeys(place for on in self.cells for split in on.zeros for place in self.places(split)))

    def places(self, split: CaseSplit) -> Iterator[Expr]:
        """The values of the leaf at which the two sides of a split meet, as far as they can be solved for."""
        for factor, _ in split.difference.factor()[1]:
            solution = self._solution(factor, None)
            if solution is not None and solution[0] is self.leaf:
                yield solution[1]
            yield from self._roots(factor)

    def _roots(self, polynomial: Any) -> Iterator[Expr]:
        """The two values of the leaf at which a polynomial of degree 2 in it is 0."""
        forms = self.assumptions.forms
        place = atoms_in(forms.of(self.leaf).top)[0]
        others = [forms.atoms[other] for other in atoms_in(polynomial) if other != place]
        if polynomial.degrees()[place] != 2 or any(b.depends(other, (self.leaf,)) for other in others):
            return
        first = polynomial.derivative(place)
        twice = first.derivative(place)
        # With the polynomial p = a*y^2 + b*y + c, its slope squared less 4*a*p is b^2 - 4*a*c.
        slope, root = (
            forms.expr(forms.of_polynomial(part))
            for part in (first - twice * polynomial.context().gens()[place], first * first - 2 * twice * polynomial)
        )
        for sign in (b.ONE, b.const(-1)):
            top = b.add(b.neg(slope), b.mul(sign, b.call("sqrt", root)))
            yield b.div(top, forms.expr(forms.of_polynomial(twice)))

    @cached_property
    def meetings(self) -> list[Adjacency]:
        """Every pair of cells on every thin cell that may be an edge of both."""
        return list(self._meetings())

    def _meetings(self) -> Iterator[Adjacency]:
        for on in filter(attrgetter("is_thin"), self.cells):
            near = [cell for cell in self.whole if cell is not on and cell.agrees(on) and self._touches(cell, on)]
            if len(near) > 1:
                yield from self._meetings_on(on, near)

    def _meetings_on(self, on: Cell, near: list[Cell]) -> Iterator[Adjacency]:
        """The meetings of cells beside a thin one."""
        crossings = [(split, self.crossing(on, split)) for split in on.zeros]
        sides = {id(cell): [self._side(cell, split) for split in on.zeros] for cell in near}
        solved = tuple(self.solved(on))
        for one, other in combinations(near, 2):
            if one.agrees(other):
                signs = list(zip(sides[id(one)], sides[id(other)], strict=True))
                yield self._meeting(one, other, on, crossings, signs, solved)

    def _touches(self, cell: Cell, on: Cell) -> bool:
        """Whether the edge of a cell may reach a thin one."""
        joint = cell.region.closed() + on.region
        if joint.is_empty_box:
            return False
        places = {place for split in on.zeros for place in atoms_in(split.difference)}
        return not self.assumptions.within(joint).about(places).is_empty()

    def _meeting(
        self,
        one: Cell,
        other: Cell,
        on: Cell,
        crossings: Sequence[tuple[CaseSplit, int]],
        sides: Sequence[tuple[int, int]],
        solved: tuple[tuple[Expr, Expr], ...],
    ) -> Adjacency:
        """Two cells on a thin one, in the order in which a rising prediction passes them where that is known."""
        for (split, crossing), (first, second) in zip(crossings, sides, strict=True):
            if crossing and 0 not in (first, second) and first != second:
                pair = (other, one) if first * crossing > 0 else (one, other)
                return Adjacency(self, *pair, on, split, solved, True)
        return Adjacency(self, one, other, on, on.zeros[0], solved, False)

    def sign_at(self, expr: Expr, on: Cell, solved: tuple[tuple[Expr, Expr], ...]) -> tuple[int, bool] | None:
        """The sign of an expression on a thin cell, by what is assumed or by what the cell's equations give."""
        key = expr, id(on), solved
        if key not in self._signs:
            self._signs[key] = self._sign_at(expr, on, solved)
        return self._signs[key]

    def _sign_at(self, expr: Expr, on: Cell, solved: tuple[tuple[Expr, Expr], ...]) -> tuple[int, bool] | None:
        try:
            return self.assumptions.sign(expr, on.region) or self.assumptions.sign(self._put(expr, solved), on.region)
        except TooLarge:
            return None

    def _side(self, cell: Cell, split: CaseSplit) -> int:
        """The sign of a split's difference on a cell."""
        key = split.difference
        for mine in cell.splits:
            if mine.difference == key:
                return mine.sign
            if mine.difference == -key:
                return -mine.sign
        found = self.assumptions.within(cell.region).sign(key)
        return found[0] if found is not None and found[1] else 0

    def solved(self, on: Cell) -> Iterator[tuple[Expr, Expr]]:
        """The leaves that the equations of a thin cell determine, the prediction first: (leaf, what it is)."""
        done: list[tuple[Expr, Expr]] = []
        for split in on.zeros:
            try:
                equation = self._put(
                    self.assumptions.forms.expr(self.assumptions.forms.of_polynomial(split.difference)), tuple(done)
                )
                form = self.assumptions.forms.of(equation)
            except TooLarge:
                continue
            found = self._solution(form.top, on.region)
            if found is not None:
                done.append(found)
                yield found

    # Without a region, what the leaf is divided by may be 0.
    def _solution(self, polynomial: object, region: SemialgebraicSet | None) -> tuple[Expr, Expr] | None:
        forms = self.assumptions.forms
        places = [p for p in atoms_in(polynomial) if isinstance(forms.atoms[p], Input | Param)]
        places.sort(key=lambda place: forms.atoms[place] is not self.leaf)
        for place in places:
            if polynomial.degrees()[place] != 1:  # type: ignore[attr-defined]
                continue
            leaf = forms.atoms[place]
            others = [forms.atoms[p] for p in atoms_in(polynomial) if p != place]
            if any(b.depends(other, (leaf,)) for other in others):
                continue
            slope_of = polynomial.derivative(place)  # type: ignore[attr-defined]
            if region is not None and not slope_of.is_constant():
                found = self.assumptions.within(region).sign(slope_of)
                if found is None or not found[1]:
                    continue
            rest = polynomial - slope_of * polynomial.context().gens()[place]  # type: ignore[attr-defined]
            try:
                ratio = forms.negative(forms.div(forms.of_polynomial(rest), forms.of_polynomial(slope_of)))
            except TooLarge:
                continue
            return leaf, forms.expr(ratio)
        return None

    def _put(self, expr: Expr, solved: tuple[tuple[Expr, Expr], ...]) -> Expr:
        for leaf, value in solved:
            expr = b.substitute(expr, {leaf: value})
        return expr

    def at_join(self, expr: Expr, meeting: Adjacency) -> Expr:
        """An expression at a join, in as few leaves as can be."""
        put = self._put(expr, meeting.solved)
        try:
            return self.assumptions.forms.expr(self.assumptions.forms.of(put))
        except TooLarge:
            return put

    def same(self, one: Expr, other: Expr, on: Cell, solved: tuple[tuple[Expr, Expr], ...]) -> bool | None:
        """Whether two expressions are equal on a thin cell; None where it cannot be told.

        Of many cells that meet there, most have the values of others.
        """
        key = one, other, id(on), solved
        if key not in self._same:
            self._same[key] = self._is_same(one, other, on, solved)
        return self._same[key]

    def _is_same(self, one: Expr, other: Expr, on: Cell, solved: tuple[tuple[Expr, Expr], ...]) -> bool | None:
        if one is other:
            return True
        forms = self.assumptions.forms
        try:
            difference = forms.of(b.sub(self._put(one, solved), self._put(other, solved)))
        except TooLarge:
            return None
        if difference.is_zero:
            return True
        for split in on.zeros:
            if (difference.top % split.difference).is_zero() if _divides(split.difference) else False:
                return True
        try:
            found = self.assumptions.ratio_sign(difference, on.region)
        except TooLarge:
            return None
        return False if found is not None and found[1] else None

    # --- what is proved ------------------------------------------------------------------------------------------

    @cached_property
    def continuous(self) -> bool:
        """Whether the loss is proved continuous where it is defined."""
        for cell in self.cells:
            closed = cell.region.closed()
            if not self.assumptions.composition(closed, frozenset({self.leaf}))[cell.value].continuous:
                return False
        return all(map(self._is_joined, filter(attrgetter("is_thin"), self.cells)))

    def _is_joined(self, on: Cell) -> bool:
        """Whether every cell that touches a thin one has its value there."""
        solved = tuple(self.solved(on))
        near = (cell for cell in self.cells if cell is not on and cell.agrees(on) and self._touches(cell, on))
        return all(
            self.assumptions.is_defined(cell.value, cell.region.closed() + on.region)
            and self.same(cell.value, on.value, on, solved)
            for cell in near
        )

    @cached_property
    def smooth(self) -> bool:
        """Whether the slope is proved to exist and to be continuous."""
        if not self.continuous:
            return False
        for cell in self.whole:
            closed = cell.region.closed()
            if not self.assumptions.composition(closed, frozenset({self.leaf}))[cell.value].smooth:
                return False
        return all(meeting.same_slope for meeting in self.meetings)

    @cached_property
    def convex(self) -> bool:
        """Whether the loss is proved convex in the prediction, on every line of predictions."""
        if not self.continuous:
            return False
        for cell in self.whole:
            if not self.bends_up(cell) or not self.assumptions.is_defined(cell.value, cell.region.closed()):
                return False
        return all(
            meeting.same_slope or (meeting.ordered and meeting.rises is not None and meeting.rises >= 0)
            for meeting in self.meetings
        )

    def bends_up(self, cell: Cell) -> bool:
        """Whether a piece is proved convex in its cell."""
        if self.assumptions.composition(cell.region, frozenset({self.leaf}))[cell.value].convex:
            return True
        try:
            found = self.assumptions.sign(slope(slope(cell.value, self.leaf), self.leaf), cell.region)
        except TooLarge:
            return False
        return found is not None and found[0] >= 0

    @cached_property
    def nonnegative(self) -> bool:
        """Whether every piece is proved to be at least 0 where it is selected."""
        return all(self._is_nonnegative(cell) for cell in self.cells)

    def falls_towards(self, error: object) -> bool:
        """Whether the loss is proved to fall, or stay, wherever the prediction comes nearer to the target.

        `error` is the polynomial t - x. The loss must have a value everywhere and no jump, so that slopes decide: they
        exist wherever they are asked for, since only whole cells count, and points that these leave out are crossed.
        """
        if not self.continuous or not all(self.assumptions.is_defined(cell.value, cell.region) for cell in self.cells):
            return False
        for cell in self.whole:
            slope = self.slope(cell.value)
            if not self.assumptions.is_defined(slope, cell.region):
                return False
            for side in (1, -1):
                region = cell.region.with_sign(error, side)
                if self.assumptions.within(region).is_empty():
                    continue
                found = self._sign_of(slope, region)
                if found is None or found * side > 0:
                    return False
        return True

    def _sign_of(self, expr: Expr, region: SemialgebraicSet) -> int | None:
        """The sign of an expression over a region, if it is proved for it as it is or for its normal form."""
        forms = self.assumptions.forms
        try:
            for one in (expr, forms.expr(forms.of(expr))):
                found = self.assumptions.sign(one, region)
                if found is not None:
                    return found[0]
        except TooLarge:
            pass
        return None

    def _is_nonnegative(self, cell: Cell) -> bool:
        for sum_ in (cell.value, self._put(cell.value, tuple(self.solved(cell)))):
            try:
                found = self.assumptions.sign(sum_, cell.region)
            except TooLarge:
                continue
            if found is not None and found[0] >= 0:
                return True
        return False


def _divides(polynomial: object) -> bool:
    return not polynomial.is_constant()  # type: ignore[attr-defined]


def constant(polynomial: object) -> Fraction:
    """The value of a constant polynomial."""
    return rational(polynomial.leading_coefficient()) if not polynomial.is_zero() else Fraction(0)  # type: ignore[attr-defined]


__all__ = ["Adjacency", "Call", "Piecewise", "constant"]

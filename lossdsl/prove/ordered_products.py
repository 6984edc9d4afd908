"""Bounds of sums and quotients by comparing the products in them factor by factor, as the areas of boxes are compared.

The overlap of two boxes is `max(0, w)*max(0, h)`, and neither factor is above the side of a box, so that the overlap is
not above its area. By such facts a quotient like `overlap/union` lies between 0 and 1. Where no product is above
another, what is linear in the factors may tell more: the width of what encloses two boxes, and that of their overlap,
are together not below the widths of the two, so that the area that encloses them is not below that of their union.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, permutations

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE
from lossdsl.ir.bounds import INF, REALS, Bounds
from lossdsl.ir.expr import Call, Expr, Input, walk
from lossdsl.prove.assumptions import Assumptions, required
from lossdsl.prove.certificates import Effort, Nonnegative, SemialgebraicSet
from lossdsl.prove.rational_field import TooLarge, atoms_in, rational
from lossdsl.prove.rational_functions import NormalForms

MAX_SIZE = 60
"""The largest sum or quotient, in operations, that is looked at."""
MAX_PRODUCTS = 8
"""The most products that are compared with one another."""
MAX_GROUP = 4
"""The most factors over the same inputs that are compared with one another."""
MAX_CHOICES = 8
"""The most choices of a difference, by `max`, `min` and `abs`, that are resolved one after another."""
WORK = 100
"""How much of the effort it takes to look at one choice."""
EFFORT = 100_000
"""How many numbers the simplex method may touch for one sum or quotient."""
SUMS = 10
"""For how many of those that take all of it there is time in one loss."""
NO, NOT_NEGATIVE, ABOVE = 0, 1, 2


@dataclass
class OrderedProducts:
    """What is known of sums and quotients by their products. `conditions` are taken for granted."""

    assumptions: Assumptions
    conditions: list[Expr]
    _signs: dict[Expr, int] = field(default_factory=dict)
    _effort: Effort = field(default_factory=Effort)
    _whole: Effort = field(default_factory=lambda: Effort(SUMS * EFFORT))

    def bounds(self, node: Call) -> Bounds:
        """The bounds of a sum or quotient, wherever it has a value."""
        given = min(EFFORT, self._whole.left)
        self._effort = Effort(given)
        found = self._bounds(node) if given > 0 else REALS
        self._whole.left -= given - self._effort.left
        return found

    def _bounds(self, node: Call) -> Bounds:
        every = list(walk(node))
        is_ordered = any(isinstance(part, Input) for one in self.conditions for part in walk(one))
        if len(every) > MAX_SIZE or not (is_ordered or any(map(_is_choice, every))):
            return REALS
        if node.op.name != "div":
            sign = self.sign(node)
            return Bounds(Fraction(0), INF, sign == ABOVE) if sign else REALS
        top, bottom = node.args
        found = REALS
        if not self.sign(bottom):
            return found
        for end in (0, 1, -1):
            edge = b.mul(b.const(end), bottom)
            if sign := self.sign(b.sub(top, edge)):
                found = found.meet(Bounds(Fraction(end), INF, sign == ABOVE))
            elif sign := self.sign(b.sub(edge, top)):
                found = found.meet(Bounds(-INF, Fraction(end), False, sign == ABOVE))
        return found

    def sign(self, expr: Expr) -> int:
        """Whether an expression is proved to be at least 0, or above 0."""
        if expr in self._signs:
            return self._signs[expr]
        known = self.assumptions.composition(None).bounds(expr)
        found = ABOVE if known.is_positive else NOT_NEGATIVE if known.is_nonnegative else NO
        try:
            found = found or self._chosen(expr, self.conditions, MAX_CHOICES)
        except TooLarge:
            found = NO
        if found or self._effort.left > 0:  # of what there was no time for, nothing is known
            self._signs[expr] = found
        return found

    def _chosen(self, expr: Expr, conditions: list[Expr], left: int) -> int:
        """The same, by what is chosen.

        Of what grows with `max(a, c)`, one of a and c that will do is enough, as neither is above it; of what falls
        with it, both must do, each where it is the larger one.
        """
        found = next(_choices(expr), None)
        if found is None:
            return self._plain(expr, conditions)
        self._effort.left -= WORK
        if not left or self._effort.left < 0:
            return NO
        node, slope = found
        one, other = node.args if node.op.name != "abs" else (node.args[0], b.neg(node.args[0]))
        put = [b.substitute(expr, {node: each}) for each in (one, other)]
        if (slope > 0) == (node.op.name != "min"):
            return max(self._chosen(each, conditions, left - 1) for each in put)
        where = [b.call("ge" if node.op.name != "min" else "le", *pair) for pair in ((one, other), (other, one))]
        return min(self._chosen(each, [*conditions, there], left - 1) for each, there in zip(put, where, strict=True))

    def _plain(self, expr: Expr, conditions: list[Expr]) -> int:
        """The same of a polynomial: from the conditions, or from what is known of its products."""
        forms = NormalForms()
        form = forms.of(expr)
        if not form.is_polynomial:
            return NO
        found = None
        products = [one for one in walk(expr) if isinstance(one, Call) and _factors(one)]
        if 0 < len(products) <= MAX_PRODUCTS:
            plain = [one for one in conditions if not any(isinstance(part, Input) for part in walk(one))]
            facts = (*self._facts(products, forms), *required(plain, forms))
            found = SemialgebraicSet(facts, (), self._effort).sign(form.top)
        if found is None:
            everywhere = Assumptions(self.assumptions.leaves, forms, effort=self._effort)
            found = everywhere.within(SemialgebraicSet(required(conditions, forms))).sign(form.top)
        if found is None and 0 < len(products) <= MAX_PRODUCTS:
            found = self._by_factors(expr, products)
        if found is None or found[0] < 0:
            return NO
        return ABOVE if found == (1, True) else NOT_NEGATIVE

    def _by_factors(self, expr: Expr, products: list[Call]) -> tuple[int, bool] | None:
        """The sign of a polynomial in the factors of its products, by what is linear in those over the same inputs."""
        factors = list(dict.fromkeys(factor for product in products for factor in _factors(product)))
        letters: dict[Expr, Expr] = {one: Input(f"factor {place}", one.axes) for place, one in enumerate(factors)}
        forms = NormalForms()
        top = forms.of(b.substitute(expr, letters)).top
        if len(atoms_in(top)) != len(factors):  # something else is in it
            return None
        facts: list[Nonnegative] = []
        for group in _linked(factors):
            linear = [forms.of(b.substitute(one, letters)).top for one in _combined(group) if self.sign(one)]
            facts += _needed(map(Nonnegative, linear), self._effort)
        return SemialgebraicSet(tuple(facts), (), self._effort).sign(top)

    def _is_below(self, low: Sequence[Expr], high: Sequence[Expr]) -> bool:
        """Whether each factor is proved to be no more than the other."""
        return all(self.sign(b.sub(c, a)) for a, c in zip(low, high, strict=True))

    def _facts(self, products: list[Call], forms: NormalForms) -> Iterator[Nonnegative]:
        """That products of what is not negative are so, that some are never above others, and what squares say."""
        known: dict[Call, tuple[Expr, Expr]] = {}
        for product in products:
            one, other = _factors(product)
            if self.sign(one) and self.sign(other):
                known[product] = one, other
                yield Nonnegative(forms.of(product).top)
            else:
                for beside in (b.add(one, other), b.sub(one, other)):
                    yield Nonnegative(forms.of(b.call("square", beside)).top)
        for low, high in permutations(known, 2):
            if self._is_below(known[low], known[high]) or self._is_below(known[low], known[high][::-1]):
                yield Nonnegative(forms.sub(forms.of(high), forms.of(low)).top)


def _linked(factors: Sequence[Expr]) -> list[list[Expr]]:
    """Factors in groups of those that depend on the same inputs, at most four to a group: more are left alone."""
    groups: list[tuple[set[Expr], list[Expr]]] = []
    for factor in factors:
        inputs = {node for node in walk(factor) if isinstance(node, Input)}
        met = [group for group in groups if group[0] & inputs]
        groups = [group for group in groups if group not in met]
        groups.append((inputs.union(*(one for one, _ in met)), [*(f for _, each in met for f in each), factor]))
    return [group for inputs, group in groups if inputs and len(group) <= MAX_GROUP]


def _combined(group: Sequence[Expr]) -> Iterator[Expr]:
    """What may be known of a few factors: each, their differences, and those of the sums of two."""
    yield from group
    for one, other in permutations(group, 2):
        yield b.sub(one, other)
    for pair in combinations(group, 2):
        rest = [one for one in group if one not in pair]
        for others in combinations(rest, 2):
            yield b.sub(b.add(*pair), b.add(*others))


def _needed(facts: Iterable[Nonnegative], effort: Effort) -> list[Nonnegative]:
    """Facts of which none follows from the others: few of them make few products."""
    left = list(facts)
    for one in list(left):
        others = [other for other in left if other is not one]
        if SemialgebraicSet(tuple(others), (), effort).is_nonnegative(one.polynomial):
            left = others
    return left


def _choices(expr: Expr) -> Iterator[tuple[Call, Fraction]]:
    """The choices of which an expression has a multiple, each with its factor."""
    leaf = Input("a choice", NONE)
    for node in reversed(list(walk(expr))):
        if isinstance(node, Call) and _is_choice(node):
            forms = NormalForms()
            (place,) = atoms_in(forms.of(leaf).top)
            form = forms.of(b.substitute(expr, {node: leaf}))
            slope = form.top.derivative(place)
            if form.is_polynomial and slope.is_constant() and not slope.is_zero():
                yield node, rational(slope.leading_coefficient()) / rational(form.bottom.leading_coefficient())


def _is_choice(node: Expr) -> bool:
    return isinstance(node, Call) and (node.op.name == "abs" or (node.op.selects and node.op.compares))


def _factors(node: Call) -> tuple[Expr, ...]:
    """The two factors of a product, or of a square, whose sign does not matter; nothing of anything else."""
    if node.op.name == "mul" and node.args[0] is not node.args[1]:
        return node.args
    if node.op.name == "mul" or (node.op.name == "pow" and node.args[1] is b.TWO):
        size = b.call("abs", node.args[0])
        return size, size
    return ()

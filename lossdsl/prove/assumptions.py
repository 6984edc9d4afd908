"""What holds of a loss everywhere, and signs and domains in a region of its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.bounds import INF, Bounds
from lossdsl.ir.expr import Call, Expr, Input, Param, walk
from lossdsl.ir.op import Op
from lossdsl.prove.certificates import Effort, Nonnegative, SemialgebraicSet, half_line
from lossdsl.prove.composition import Composition
from lossdsl.prove.properties import ORDERS
from lossdsl.prove.rational_field import RationalFunction, TooLarge, atoms_in, plain
from lossdsl.prove.rational_functions import NormalForms
from lossdsl.transform.language import expression


@dataclass
class Assumptions:
    """What holds everywhere: bounds of leaves, requirements, and facts of the atoms of normal forms."""

    leaves: Mapping[Expr, Bounds]
    forms: NormalForms
    required: tuple[Nonnegative, ...] = ()
    fixed: frozenset[Expr] = frozenset()
    """Parts that do not depend on the prediction: they are not taken apart."""
    effort: Effort = field(default_factory=Effort)
    _facts: tuple[int, tuple[tuple[Expr, Nonnegative], ...]] = (-1, ())
    _composed: dict[Any, Composition] = field(default_factory=dict)

    def within(self, region: SemialgebraicSet) -> SemialgebraicSet:
        """A region with every polynomial over the atoms met so far that is known to be nonnegative in it.

        Of an atom that may have no value somewhere in the region nothing is known: `a + 1 >= 2*sqrt(a)` would say that
        a is at least -1, though it is a piece elsewhere that has the root.
        """
        if self._facts[0] != len(self.forms.atoms):
            count = len(self.forms.atoms)
            found = [(self.forms.atoms[place], fact) for place in range(count) for fact in self._atom(place)]
            self._facts = (count, tuple(found))  # the lemmas may have met further atoms, which have no facts yet
        composed = self.composition(region)
        facts = (fact for node, fact in self._facts[1] if composed[node].total)
        return SemialgebraicSet((*self.required, *facts), (), self.effort) + region

    def _atom(self, place: int) -> Iterator[Nonnegative]:
        node = self.forms.atoms[place]
        atom = self.forms.atom(place).top
        bounds = self.composition(None).bounds(node)
        if isinstance(bounds.low, Fraction):
            yield Nonnegative(atom - plain(bounds.low), bounds.low_open)
        if isinstance(bounds.high, Fraction):
            yield Nonnegative(plain(bounds.high) - atom, bounds.high_open)
        if isinstance(node, Call) and node.op.trait is not None and len(self.forms.atoms) < 16:
            for text in node.op.trait.least:
                try:
                    lemma = self.forms.of(expression(text, {"a": node.args[0]}))
                except TooLarge:
                    continue
                if lemma.is_polynomial:
                    yield Nonnegative(lemma.top)

    def composition(self, region: SemialgebraicSet | None, prediction: frozenset[Expr] = frozenset()) -> Composition:
        """Composition over the bounds that a region leaves to single leaves."""
        key = None if region is None else region.key
        if (key, prediction) not in self._composed:
            leaves = dict(self.leaves)
            for one in region.known if region is not None else ():
                self._narrow(leaves, one)
            for zero in region.zeros if region is not None else ():
                self._narrow(leaves, Nonnegative(zero))
                self._narrow(leaves, Nonnegative(-zero))
            self._composed[key, prediction] = Composition(prediction, leaves, self.forms)
        return self._composed[key, prediction]

    def _narrow(self, leaves: dict[Expr, Bounds], one: Nonnegative) -> None:
        used = atoms_in(one.polynomial)
        if len(used) != 1 or one.polynomial.total_degree() != 1:
            return
        node = self.forms.atoms[used[0]]
        if not isinstance(node, Input | Param):
            return
        leaves[node] = leaves.get(node, Bounds()).meet(half_line(one.polynomial, strict=one.strict))

    def sign(self, expr: Expr, region: SemialgebraicSet) -> tuple[int, bool] | None:
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

    def ratio_sign(self, form: RationalFunction, region: SemialgebraicSet) -> tuple[int, bool] | None:
        whole = self.within(region)
        top = whole.sign(form.top)
        if top is None or top[0] == 0 or form.is_polynomial:
            return top
        bottom = whole.sign(form.bottom)
        return None if bottom is None or not bottom[1] else (top[0] * bottom[0], top[1])

    def is_defined(self, expr: Expr, region: SemialgebraicSet) -> bool:
        """Whether an expression without choices is proved to have a finite value everywhere in a region."""
        return self.composition(region)[expr].total or self.has_values(walk(expr), region)

    def has_values(self, nodes: Iterable[Expr], region: SemialgebraicSet) -> bool:
        """Whether each of some operations is proved to have a finite value all over a region, if its operands do."""
        composed = self.composition(region)
        return all(self._is_inside(node, region, composed) for node in nodes if isinstance(node, Call))

    def _is_inside(self, node: Call, region: SemialgebraicSet, composed: Composition) -> bool:
        name, args = node.op.name, node.args
        if node.op.trait is not None:
            domain = node.op.trait.domain
            if composed.bounds(args[0]).within(domain):
                return True
            return all(self._above(gap, is_open, region) for gap, is_open in gaps(args[0], domain))
        if name == "div":
            found = self.sign(args[1], region)
            return found is not None and found[0] != 0 and found[1]
        if name == "pow":
            exponent = composed.bounds(args[1])
            if exponent.is_point and Fraction(exponent.low).denominator == 1 and exponent.low >= 0:
                return True
            return self._above(args[0], not exponent.is_nonnegative, region)
        if name in ("xlogy", "log_bessel_i"):
            is_admitted = name == "xlogy" or composed.bounds(args[0]).within(ORDERS)
            return is_admitted and self._above(args[1], True, region)
        return node.op.is_total

    def _above(self, expr: Expr, strictly: bool, region: SemialgebraicSet) -> bool:
        found = self.sign(expr, region)
        return found is not None and (found == (1, True) or (not strictly and found[0] >= 0))


def gaps(arg: Expr, domain: Bounds) -> Iterator[tuple[Expr, bool]]:
    """How far an argument is from each end of a domain, and whether it may not be there."""
    if domain.low > -INF:
        yield b.sub(arg, b.const(Fraction(domain.low))), domain.low_open
    if domain.high < INF:
        yield b.sub(b.const(Fraction(domain.high)), arg), domain.high_open


def required(conditions: list[Expr], forms: NormalForms) -> tuple[Nonnegative, ...]:
    """The polynomials that conditions such as `0 < q and q < 1` make nonnegative; others are left out."""
    found: list[Nonnegative] = []
    for condition in conditions:
        match condition:
            case Call(Op("and"), args):
                found += required(list(args), forms)
            case Call(op, (left, right)) if op.is_order:
                one, other = (left, right) if 1 in op.holds_at else (right, left)
                with suppress(TooLarge):
                    form = forms.of(b.sub(b.number(one), b.number(other)))
                    found += [Nonnegative(form.top, 0 not in op.holds_at)] if form.is_polynomial else []
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
        elif node.op.selects:
            condition = node.args[0]
            if node.op.name != "where":
                condition = b.call("ge" if node.op.name == "max" else "le", *node.args)
            done[node] = b.where(condition, done[node.args[-2]], done[node.args[-1]])
        else:
            done[node] = _by_chain_rule(node, done)
    return done[expr]


def _by_chain_rule(node: Call, done: Mapping[Expr, Expr]) -> Expr:
    letters, slopes = _slopes(node.op.name)
    total: Expr = b.ZERO
    for arg, one in zip(node.args, slopes, strict=True):
        if one is not None and done[arg] is not b.ZERO:
            local = b.substitute(one, dict(zip(letters, node.args, strict=True)))
            total = b.add(total, b.mul(local, done[arg]))
    return total

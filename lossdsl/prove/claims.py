"""How each property of a loss is proved: by composition, or by taking the loss apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Expr, walk
from lossdsl.ir.prediction_view import ERROR, PredictionView
from lossdsl.ir.ranges import ranges
from lossdsl.prove import roots
from lossdsl.prove.assumptions import Assumptions, required
from lossdsl.prove.boundedness import is_bounded, is_limited
from lossdsl.prove.case_splits import Cell, cells
from lossdsl.prove.composition import Composition
from lossdsl.prove.invariance import is_invariant
from lossdsl.prove.ordered_products import OrderedProducts
from lossdsl.prove.parts import Parts
from lossdsl.prove.piecewise import Piecewise
from lossdsl.prove.properties import Profile
from lossdsl.prove.rational_field import TooLarge
from lossdsl.prove.rational_functions import NormalForms

MAX_PROOF = 400
"""The largest loss, in operations, that is taken apart into pieces; a larger one is composed and tested only."""


@dataclass
class TargetCase:
    """One view of a loss with what is worked out about it."""

    view: PredictionView
    forms: NormalForms = field(default_factory=NormalForms)
    _apart: dict[Expr, list[Cell] | None] = field(default_factory=dict)

    @property
    def conditions(self) -> list[Expr]:
        """What is taken for granted: of parameters, and of the parts of inputs."""
        return self.view.loss.granted

    @cached_property
    def assumptions(self) -> Assumptions:
        known = required(self.conditions, self.forms)
        return Assumptions(self.view.leaves, self.forms, known, self.view.fixed)

    @cached_property
    def composition(self) -> Composition:
        compared = OrderedProducts(self.assumptions, self.conditions).bounds
        units = ranges(self.view.loss).units
        if self.view.elementwise:  # it is taken apart as a whole
            return Composition(self.view.variables, self.view.leaves, self.forms, compared=compared, units=units)
        return Composition(self.view.variables, self.view.leaves, self.forms, Parts(self.view), compared, units)

    def taken_apart(self, expr: Expr) -> list[Cell] | None:
        """The cells of an expression, or None where there would be too many."""
        if expr not in self._apart:
            self._apart[expr] = self._cells(expr)
        return self._apart[expr]

    def _cells(self, expr: Expr) -> list[Cell] | None:
        if sum(1 for _ in walk(expr)) > MAX_PROOF:
            return None
        try:
            return cells(expr, self.assumptions)
        except TooLarge:
            return None

    @cached_property
    def pieces(self) -> Piecewise | None:
        """The pieces of an elementwise loss of one number."""
        leaf = self.view.variable
        found = None if leaf is None else self.taken_apart(self.view.expr)
        if leaf is None or found is None:
            return None
        return Piecewise(found, self.assumptions, leaf, self.view.moves)

    def vanishes(self, expr: Expr) -> bool:
        """Whether an expression is proved to be 0 wherever it is defined."""
        found = self.taken_apart(expr)
        if found is None:
            return False
        try:
            return all(self._vanishes_in(cell) for cell in found)
        except TooLarge:
            return False

    def _vanishes_in(self, cell: Cell) -> bool:
        form = self.forms.of(cell.value)
        if form.is_zero or any(_divides(zero, form.top) for zero in cell.region.zeros):
            return True
        if self.assumptions.sign(cell.value, cell.region) == (0, False):
            return True
        return roots.vanishes(form, self.forms, lambda one: self.assumptions.ratio_sign(one, cell.region))

    def stays_above(self, expr: Expr) -> bool:
        """Whether an expression is proved to be at least 0 wherever it is defined."""
        if self.composition.bounds(expr).is_nonnegative or (expr is self.view.expr and self.is_nonnegative):
            return True
        leaf = self.view.variable
        found = self.taken_apart(expr) if self.view.elementwise else None
        if found is None:
            return False
        return Piecewise(found, self.assumptions, leaf or ERROR, self.view.moves).nonnegative

    @cached_property
    def properties(self) -> Profile:
        """What composition tells of the loss."""
        composed = self.composition
        return composed.apart(self.view.expr, composed[self.view.expr], composed.known)

    @property
    def is_nonnegative(self) -> bool:
        return self.properties.bounds.is_nonnegative

    @cached_property
    def mirrored(self) -> Expr | None:
        """The loss of the prediction that errs as much the other way."""
        view = self.view
        if view.moves:
            return b.substitute(view.expr, {ERROR: b.neg(ERROR)})
        target, prediction = view.loss.target, view.loss.prediction
        if target is None or len(target.nodes) != len(prediction.nodes) or target.is_label:
            return None
        swap: dict[Expr, Expr] = {}
        for t, x in zip(target.nodes, prediction.nodes, strict=True):
            at = t if view.target_case is None else b.const(view.target_case)
            swap[x] = b.sub(b.mul(b.TWO, at), x)
        return b.substitute(view.expr, swap)

    @cached_property
    def error(self) -> Expr | None:
        """The error t - x of a loss of one number, where the target is itself an admissible prediction; else None."""
        target, prediction = self.view.loss.target, self.view.loss.prediction
        if target is None or len(target.nodes) != 1 or target.is_label or len(prediction.nodes) != 1:
            return None
        if self.view.moves:
            return ERROR
        (t,), (x,) = target.nodes, prediction.nodes
        at = t if self.view.target_case is None else b.const(self.view.target_case)
        return b.sub(at, x) if self.composition.bounds(at).within(self.view.leaves.get(x, Bounds())) else None

    @cached_property
    def falls_towards_target(self) -> bool:
        """Whether each piece is proved to fall towards the target, which is itself an admissible prediction."""
        if self.pieces is None or self.error is None:
            return False
        try:
            return self.pieces.falls_towards(self.forms.of(self.error).top)
        except TooLarge:
            return False

    @cached_property
    def on_target(self) -> Expr | None:
        """The loss where the prediction is the target, if it is proved to have a value there for every target."""
        target, prediction = self.view.loss.target, self.view.loss.prediction
        if target is None or len(target.nodes) != len(prediction.nodes):
            return None
        put: dict[Expr, Expr] = {}
        if self.view.moves:
            put[ERROR] = b.ZERO
        elif any(t.axes != x.axes for t, x in zip(target.nodes, prediction.nodes, strict=True)):
            return None
        elif self.view.target_case is not None:
            put[prediction.nodes[0]] = b.const(self.view.target_case)
        else:
            put |= dict(zip(prediction.nodes, target.nodes, strict=True))
        return b.substitute(self.view.expr, put) if self._is_total(put) or self._has_value_on_target else None

    def _is_total(self, put: Mapping[Expr, Expr]) -> bool:
        """Whether each operation is proved to have a value with that put in, also those that a product by 0 hides."""
        done = dict(put)
        for node in walk(self.view.expr):
            if node not in done:
                children = tuple(done[child] for child in node.children)
                if not self.composition.over(node, children).total:
                    return False
                done[node] = b.rebuild(node, children)
        return True

    @property
    def _has_value_on_target(self) -> bool:
        """The same, where only the pieces that the target selects count."""
        found = self.taken_apart(self.view.expr) if self.view.elementwise and self.error is not None else None
        if found is None or self.error is None:
            return False
        try:
            error = self.forms.of(self.error).top
        except TooLarge:
            return False
        for cell in found:
            there = cell.region.with_sign(error, 0)
            if self.assumptions.within(there).is_empty():
                continue
            # Of the value of a cell, parts are folded away; what the cell selects of the loss is looked at as written.
            if not self.assumptions.has_values(_selected(self.view.expr, dict(cell.chosen)), there):
                return False
        return True


def _divides(one: Any, other: Any) -> bool:
    """Whether a polynomial is a factor of another."""
    return not one.is_constant() and (one.gcd(other) * one.leading_coefficient() - one).is_zero()


def _selected(expr: Expr, chosen: Mapping[Expr, bool]) -> list[Expr]:
    """The parts of an expression that some choices leave, of each choice the piece that is taken."""
    found: dict[Expr, None] = {}
    stack = [expr]
    while stack:
        node = stack.pop()
        if node in found:
            continue
        if node in chosen:
            stack.append(node.children[1 if chosen[node] else 2])
        else:
            found[node] = None
            stack += node.children
    return list(found)


Proof = Callable[[TargetCase], str]
"""By what a claim is proved for a case; "" where it is not."""


def _by(way: str, holds: Callable[[TargetCase], bool]) -> Proof:
    return lambda case: way if holds(case) else ""


def _apart(name: str) -> Callable[[TargetCase], bool]:
    return lambda case: case.pieces is not None and getattr(case.pieces, name)


def _plainly_zero(case: TargetCase) -> str:
    try:
        return "substitution" if case.on_target is not None and case.forms.of(case.on_target).is_zero else ""
    except TooLarge:
        return ""


def _zero(case: TargetCase) -> str:
    return "substitution" if case.on_target is not None and case.vanishes(case.on_target) else ""


def _least_by_sign(case: TargetCase) -> str:
    found = CLAIMS["nonnegative"].composed(case)
    return f"{found} and substitution" if found and _plainly_zero(case) else ""


def _least_by_difference(case: TargetCase) -> str:
    claim = CLAIMS["nonnegative"]
    found = (claim.composed(case) or claim.taken_apart(case)) if _zero(case) else ""
    if found:
        return f"{found} and substitution"
    if case.view.moves and _symmetric(case) and (CLAIMS["convex"].composed(case) or CLAIMS["convex"].taken_apart(case)):
        return "convexity and symmetry"
    if case.falls_towards_target:
        return "slopes"
    target = case.on_target
    return "polynomials" if target is not None and case.stays_above(b.sub(case.view.expr, target)) else ""


def _above_zero(case: TargetCase) -> str:
    if case.stays_above(case.view.expr):
        return "polynomials"
    return "slopes and substitution" if _zero(case) and case.falls_towards_target else ""


def _even(case: TargetCase) -> str:
    if case.mirrored is None:
        return ""
    try:
        same = case.forms.of(case.view.expr).key == case.forms.of(case.mirrored).key
    except TooLarge:
        return ""
    return "substitution" if same else ""


def _symmetric(case: TargetCase) -> str:
    mirrored = case.mirrored
    return "substitution" if mirrored is not None and case.vanishes(b.sub(case.view.expr, mirrored)) else ""


@dataclass(frozen=True)
class Claim:
    """How a property is proved: by composition, which costs little, or by taking the loss apart."""

    composed: Proof
    taken_apart: Proof = lambda case: ""


CLAIMS: dict[str, Claim] = {
    "continuous": Claim(
        _by("composition", lambda case: case.properties.continuous), _by("pieces", _apart("continuous"))
    ),
    "smooth": Claim(_by("composition", lambda case: case.properties.smooth), _by("pieces", _apart("smooth"))),
    "convex": Claim(_by("composition", lambda case: case.properties.convex), _by("pieces", _apart("convex"))),
    "nonnegative": Claim(
        _by("intervals", lambda case: case.properties.bounds.is_nonnegative),
        _above_zero,
    ),
    "bounded": Claim(
        _by("intervals", lambda case: is_limited(case.view.expr, case.composition)),
        _by("pieces", lambda case: case.pieces is not None and is_bounded(case.pieces)),
    ),
    "symmetric": Claim(_even, _symmetric),
    "zero at t = x": Claim(_plainly_zero, _zero),
    "shift invariant": Claim(_by("composition", lambda case: is_invariant(case.view, "shift invariant"))),
    "scale invariant": Claim(_by("composition", lambda case: is_invariant(case.view, "scale invariant"))),
    "least at t = x": Claim(_least_by_sign, _least_by_difference),
}
"""How each property is proved."""

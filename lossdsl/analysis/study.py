"""A loss under study: what is proved, refuted or only tested of it, worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lossdsl.analysis import refute, tensors
from lossdsl.analysis.cells import Cell, Ground, cells, required
from lossdsl.analysis.compose import Composition
from lossdsl.analysis.forms import Forms, TooLarge
from lossdsl.analysis.joins import Pieces
from lossdsl.analysis.limited import is_limited
from lossdsl.analysis.search import Search
from lossdsl.analysis.verdict import UNKNOWN, Verdict
from lossdsl.analysis.view import ERROR, View, views
from lossdsl.ir import build as b
from lossdsl.ir.expr import Expr, walk
from lossdsl.ir.loss import PROPERTIES
from lossdsl.pipeline import Program

MAX_PROOF = 400
"""The largest loss, in operations, that is taken apart into pieces; a larger one is composed and tested only."""


@dataclass
class Case:
    """One view of a loss with what is worked out about it."""

    view: View
    forms: Forms = field(default_factory=Forms)

    @cached_property
    def ground(self) -> Ground:
        conditions = [requirement.condition for requirement in self.view.loss.requirements]
        known = required(conditions, self.forms)
        return Ground(self.view.leaves, self.forms, known, self.view.fixed)

    @cached_property
    def composition(self) -> Composition:
        return Composition(self.view.variables, self.view.leaves, self.forms)

    def taken_apart(self, expr: Expr) -> list[Cell] | None:
        """The cells of an expression, or None where there would be too many."""
        if sum(1 for _ in walk(expr)) > MAX_PROOF:
            return None
        try:
            return cells(expr, self.ground)
        except TooLarge:
            return None

    @cached_property
    def pieces(self) -> Pieces | None:
        """The pieces of an elementwise loss of one number."""
        leaf = self.view.variable
        found = None if leaf is None else self.taken_apart(self.view.expr)
        if leaf is None or found is None:
            return None
        return Pieces(found, self.ground, leaf, self.view.moves)

    def vanishes(self, expr: Expr) -> bool:
        """Whether an expression is proved to be 0 wherever it is defined."""
        found = self.taken_apart(expr)
        if found is None:
            return False
        for cell in found:
            try:
                if not self.forms.of(cell.value).is_zero and self.ground.sign(cell.value, cell.region) != (0, False):
                    return False
            except TooLarge:
                return False
        return True

    def stays_above(self, expr: Expr) -> bool:
        """Whether an expression is proved to be at least 0 wherever it is defined."""
        if self.composition.bounds(expr).is_nonnegative:
            return True
        leaf = self.view.variable
        found = self.taken_apart(expr) if self.view.elementwise else None
        if found is None:
            return False
        return Pieces(found, self.ground, leaf or ERROR, self.view.moves).nonnegative

    @cached_property
    def on_target(self) -> Expr | None:
        """The loss where the prediction is the target."""
        target, prediction = self.view.loss.target, self.view.loss.prediction
        if target is None or len(target.nodes) != len(prediction.nodes):
            return None
        if self.view.moves:
            return b.substitute(self.view.expr, {ERROR: b.ZERO})
        if any(t.axes != x.axes for t, x in zip(target.nodes, prediction.nodes, strict=True)):
            return None
        if self.view.target_case is not None:
            value = b.const(self.view.target_case)
            return b.substitute(self.view.expr, {prediction.nodes[0]: value})
        return b.substitute(self.view.expr, dict(zip(prediction.nodes, target.nodes, strict=True)))


@dataclass
class Study:
    """What is known of a loss, for one setting of its `bool` and `int` parameters.

    Each answer is worked out once. Nothing in it depends on a clock: what is tried is bounded by size.
    """

    program: Program
    _decided: dict[str, Verdict] = field(default_factory=dict)

    @cached_property
    def cases(self) -> list[Case]:
        """The loss as a function of its prediction; one for each value of a target that has only a few."""
        return [Case(view) for view in views(self.program.loss)]

    @cached_property
    def search(self) -> Search | None:
        """Trials on grids, for an elementwise loss of one number."""
        view = self.cases[0].view
        if not view.elementwise or len(self.program.loss.prediction.nodes) != 1:
            return None
        return Search(view, tuple(self.joins_at))

    @cached_property
    def joins_at(self) -> list[Expr]:
        """The predictions at which pieces meet, as far as they can be solved for."""
        found: dict[Expr, None] = {}
        loss = self.program.loss
        for case in self.cases:
            for meeting in case.pieces.meetings if case.pieces is not None else ():
                for leaf, value in meeting.solved:
                    if leaf is case.view.variable:
                        found[b.sub(loss.target.nodes[0], value) if leaf is ERROR and loss.target else value] = None
        return list(found)

    def decide(self, name: str) -> Verdict:
        """A verdict on one of `ir.loss.PROPERTIES`, of the loss as a function of its prediction.

        A loss is judged where it has a value; where it has none is told by `escapes`. It is "symmetric" if an error
        costs the same in either direction, "bounded" if no prediction makes it arbitrarily large or small for a given
        target.
        """
        if name not in PROPERTIES:
            raise KeyError(name)
        if name not in self._decided:
            self._decided[name] = self._decide(name)
        return self._decided[name]

    def _decide(self, name: str) -> Verdict:
        proofs = [_PROOFS[name](self, case) for case in self.cases]
        if all(proofs):
            return Verdict("proved", " and ".join(dict.fromkeys(filter(None, proofs))))
        if self.search is None:
            return tensors.refuted(self.program, name)
        found = self._refuted(name, self.search)
        if found is not None:
            return found
        if name in ("continuous", "smooth", "bounded"):
            return UNKNOWN  # points do not tell
        return Verdict("tested", "search", self.search.tried)

    def _refuted(self, name: str, search: Search) -> Verdict | None:
        if name in ("continuous", "smooth"):
            broken = refute.jump(search, self.joins_at)
            return broken or (refute.kink(search, self.joins_at) if name == "smooth" else None)
        return _REFUTATIONS[name](search) if name in _REFUTATIONS else None


Proof = Callable[[Study, Case], str]
"""By what a claim is proved for a case; "" where it is not."""


def _continuous(study: Study, case: Case) -> str:
    if case.composition[case.view.expr].continuous:
        return "composition"
    return "pieces" if case.pieces is not None and case.pieces.continuous else ""


def _smooth(study: Study, case: Case) -> str:
    if case.composition[case.view.expr].smooth:
        return "composition"
    return "pieces" if case.pieces is not None and case.pieces.smooth else ""


def _convex(study: Study, case: Case) -> str:
    if case.composition[case.view.expr].convex:
        return "composition"
    return "pieces" if case.pieces is not None and case.pieces.convex else ""


def _nonnegative(study: Study, case: Case) -> str:
    if case.composition.bounds(case.view.expr).is_nonnegative:
        return "intervals"
    return "polynomials" if case.stays_above(case.view.expr) else ""


def _bounded(study: Study, case: Case) -> str:
    return "intervals" if is_limited(case.view.expr, case.composition) else ""


def _zero(study: Study, case: Case) -> str:
    return "substitution" if case.on_target is not None and case.vanishes(case.on_target) else ""


def _least(study: Study, case: Case) -> str:
    if case.on_target is None:
        return ""
    if _zero(study, case) and _nonnegative(study, case):
        return f"{_nonnegative(study, case)} and substitution"
    return "polynomials" if case.stays_above(b.sub(case.view.expr, case.on_target)) else ""


def _symmetric(study: Study, case: Case) -> str:
    view = case.view
    if view.moves:
        mirrored = b.substitute(view.expr, {ERROR: b.neg(ERROR)})
    else:
        target, prediction = view.loss.target, view.loss.prediction
        if target is None or len(target.nodes) != len(prediction.nodes):
            return ""
        swap: dict[Expr, Expr] = {}
        for t, x in zip(target.nodes, prediction.nodes, strict=True):
            at = t if view.target_case is None else b.const(view.target_case)
            swap[x] = b.sub(b.mul(b.TWO, at), x)
        mirrored = b.substitute(view.expr, swap)
    return "substitution" if case.vanishes(b.sub(view.expr, mirrored)) else ""


_PROOFS: dict[str, Proof] = {
    "continuous": _continuous,
    "smooth": _smooth,
    "convex": _convex,
    "nonnegative": _nonnegative,
    "bounded": _bounded,
    "symmetric": _symmetric,
    "zero at t = x": _zero,
    "least at t = x": _least,
}

_REFUTATIONS: dict[str, Callable[[Search], Verdict | None]] = {
    "nonnegative": refute.negative,
    "zero at t = x": refute.nonzero_at_target,
    "least at t = x": refute.less_than_target,
    "symmetric": refute.asymmetric,
    "convex": refute.bent_down,
}

__all__ = ["Case", "Sequence", "Study"]

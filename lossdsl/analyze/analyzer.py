"""An analyzer of one loss: what is proved, refuted or only tested of it, worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from lossdsl.analyze import loss_shape, piece_reports
from lossdsl.ir import build as b
from lossdsl.ir.bounds import INF
from lossdsl.ir.expr import Call, Expr, walk
from lossdsl.ir.loss import INVARIANCES
from lossdsl.ir.prediction_view import stands_alone, views
from lossdsl.ir.text import formula
from lossdsl.ir.verdict import OPEN, Verdict
from lossdsl.pipeline import Program
from lossdsl.prove.assumptions import slope
from lossdsl.prove.boundedness import is_gentle
from lossdsl.prove.claims import CLAIMS, MAX_PROOF, Proof, TargetCase
from lossdsl.prove.domain_edges import domain_edges, tensor_edges
from lossdsl.prove.rational_field import TooLarge
from lossdsl.prove.silent_labels import silent_labels
from lossdsl.refute import counterexamples, domain_errors, poles, tensor_poles, tensor_search
from lossdsl.refute.agreement import (
    Reward,
    falls_without_end,
    less_than_at_agreement,
    most_at_agreement,
    rewarded,
)
from lossdsl.refute.grid_search import GridSearch, ValueCache
from lossdsl.refute.held_predictions import HeldPrediction, held_element, held_prediction
from lossdsl.refute.missing_elements import MissingElement, missing_elements
from lossdsl.refute.parameter_needs import ParameterNeed, needs
from lossdsl.refute.sides import on_the_wrong_side
from lossdsl.refute.tensor_domain import over_tensors
from lossdsl.refute.unfelt_inputs import unfelt_inputs


@dataclass
class Analyzer:
    """What is known of a loss, for one setting of its `bool` and `int` parameters.

    Each answer is worked out once. Nothing in it depends on a clock: what is tried is bounded by size.
    """

    program: Program
    kept: ValueCache = field(default_factory=ValueCache, repr=False)
    _decided: dict[str, Verdict] = field(default_factory=dict)
    _near: dict[str, Verdict] = field(default_factory=dict)

    @cached_property
    def cases(self) -> list[TargetCase]:
        """The loss as a function of its prediction; one for each value of a target that has only a few."""
        return [TargetCase(view) for view in views(self.program.loss)]

    @cached_property
    def defaults(self) -> dict[Expr, Expr]:
        """The parameters that are not settled, with their defaults; empty where one has none."""
        loss = self.program.loss
        free = [spec for spec in loss.parameters if spec.name not in loss.settled]
        if any(spec.default is None or spec.over for spec in free):
            return {}
        return {spec.node: b.const(spec.usual) for spec in free if spec.usual is not None}

    @cached_property
    def usual(self) -> list[TargetCase]:
        """The same for the defaults of its parameters."""
        return [TargetCase(view) for view in views(self.program.loss, self.defaults)] if self.defaults else []

    @property
    def scope(self) -> str:
        """For which parameters `usual` is: `for delta = 1`."""
        return f"for {', '.join(f'{formula(node)} = {formula(value)}' for node, value in self.defaults.items())}"

    @cached_property
    def search(self) -> GridSearch | None:
        """Trials on grids, for an elementwise loss of one number; other losses are tried at whole tensors."""
        view = self.cases[0].view
        if not view.elementwise or len(self.program.loss.prediction.nodes) != 1 or not stands_alone(self.program.loss):
            return None
        return GridSearch(view, tuple(self.joins_at), kept=self.kept)

    @cached_property
    def far_search(self) -> GridSearch | None:
        """The same for parameters far from their defaults."""
        return None if self.search is None else replace(self.search, is_far=True, tried=0)

    @property
    def has_parameters(self) -> bool:
        """Whether there are parameters that are not settled."""
        return len(self.program.loss.parameters) > len(self.program.loss.settled)

    @cached_property
    def joins_at(self) -> list[Expr]:
        """The predictions at which pieces meet, as far as they can be solved for."""
        found: dict[Expr, None] = {}
        loss = self.program.loss
        for case in self.cases:
            for value in case.pieces.joins if case.pieces is not None else ():
                found[b.sub(loss.target.nodes[0], value) if case.view.moves and loss.target else value] = None
        return list(found)

    @cached_property
    def joins(self) -> tuple[piece_reports.Join, ...]:
        """Where the pieces of an elementwise loss meet, and what happens there."""
        found: list[piece_reports.Join] = []
        for case in self.cases:
            if case.pieces is not None:
                found += piece_reports.joins(case.view, case.pieces, self.search)
        return piece_reports.told_once(found)

    @cached_property
    def pieces(self) -> tuple[piece_reports.Piece, ...]:
        """Piecewise that are never selected, gaps between the conditions, and conditions that overlap."""
        apart = [case.taken_apart(case.view.expr) if case.view.elementwise else None for case in self.cases]
        views = [case.view for case in self.cases]
        found = [cells for cells in apart if cells is not None]
        if len(found) != len(apart):
            return ()
        gaps = [
            gap
            for view, cells in zip(views, found, strict=True)
            for gap in piece_reports.gaps(view, cells, self.search)
        ]
        return (*piece_reports.unreachable(views, found), *gaps[:1], *piece_reports.overlaps(views[0], self.search))

    @cached_property
    def defined(self) -> Verdict:
        """Whether the loss has a finite value for every admissible input."""
        if self.escapes and any(escape.of == "value" for escape in self.escapes):
            first = next(escape for escape in self.escapes if escape.of == "value")
            gives = "has no value next to it" if first.result == "unbounded" else f"gives {first.result}"
            return Verdict("refuted", "search", at=first.at, detail=f"`{first.op}` {gives}")
        if all(case.properties.total for case in self.cases):
            return Verdict("proved", "intervals")
        if all(
            case.pieces is not None
            and all(case.assumptions.is_defined(cell.value, cell.region) for cell in case.pieces.cells)
            for case in self.cases
        ):
            return Verdict("proved", "polynomials")
        if self.tensor_gaps:
            return tensor_poles.gap(self.program, self.tensor_gaps) or OPEN
        return Verdict("tested", "search", self.search.tried) if self.search is not None else OPEN

    @cached_property
    def escapes(self) -> tuple[domain_errors.DomainError, ...]:
        """Operations that leave their domain for an admissible input, in the value or in the gradient."""
        if self.is_large:
            return ()
        if self.search is None:
            return tuple(over_tensors(self.program))
        is_safe = all(case.properties.total for case in self.cases)
        found = [] if is_safe else list(domain_errors.in_value(self.search))
        told = {escape.node for escape in found}
        found += [escape for escape in poles.escapes(self.search, self.gaps) if escape.node not in told]
        return (*found, *domain_errors.in_gradient(self.program, self.search))

    @cached_property
    def levels(self) -> tuple[poles.Level, ...]:
        """The operations of an elementwise loss that may have no value at single predictions."""
        found: dict[poles.Level, None] = {}
        for case in self.cases if not self.is_large else ():
            for edge in domain_edges(case.view, case.assumptions):
                written = case.view.written
                node, shown = written(edge.node), case.view.source.get(edge.node, edge.node)
                vertex = None if edge.vertex is None else written(edge.vertex)
                if isinstance(node, Call):
                    shown = shown if isinstance(shown, Call) else node
                    level = poles.Level(written(case.view.expr), node, written(edge.factor), vertex, shown,
                                        case.view.target_case)  # fmt: skip
                    found[level] = None
        return tuple(found)

    @cached_property
    def gaps(self) -> tuple[poles.Pole, ...]:
        """Predictions at which an operation that reaches the loss has no value."""
        return tuple(poles.poles(self.search, self.levels)) if self.search is not None else ()

    @cached_property
    def far_gaps(self) -> tuple[poles.Pole, ...]:
        """The same for parameters far from their defaults."""
        return tuple(poles.poles(self.far_search, self.levels)) if self.far_search is not None else ()

    @cached_property
    def tensor_gaps(self) -> tuple[tensor_poles.TensorPole, ...]:
        """The same of a loss over whole tensors."""
        loss = self.program.loss
        if self.search is not None or self.is_large or not loss.prediction.is_real:
            return ()
        edges = tensor_edges(loss.result, loss.prediction.nodes, self.program.known)
        levels = [tensor_poles.TensorLevel(edge.node, edge.factor) for edge in edges]
        return tuple(tensor_poles.tensor_poles(self.program, levels))

    @cached_property
    def is_large(self) -> bool:
        """Whether the loss is too large to be tried on grids."""
        return sum(1 for _ in walk(self.program.loss.value)) > MAX_PROOF

    @cached_property
    def below(self) -> Verdict:
        """Whether there is a number that the loss never falls below, for a given target."""
        if self.near("nonnegative").how == "proved":
            return self.near("nonnegative")
        if all(case.properties.bounds.low > -INF for case in self.cases):
            return Verdict("proved", "intervals")
        if self.near("bounded").how == "proved":
            return self.near("bounded")
        if self.near("nonnegative").how != "refuted" and self._is_usual("nonnegative"):
            return replace(OPEN, scope=self.scope)
        if self.search is None and not self.is_large and (found := falls_without_end(self.program)) is not None:
            detail = f"it is {float(found.cost):.6g} at predictions that are a million times as large"
            return Verdict("refuted", "search", at=found.at, detail=detail)
        if self.search is None or self.is_large:
            return OPEN
        if self.near("least at t = x").how == "proved":
            return self.near("least at t = x")
        return self._without_end(self.search, below=True) or OPEN

    @cached_property
    def reward(self) -> Reward | None:
        """A prediction that costs less than one that is nearer to the target."""
        if self.is_large:
            return None
        if self.search is not None and (found := rewarded(self.search)) is not None:
            return found
        if self.cases[0].view.moves:
            return None
        return most_at_agreement(self.program) or on_the_wrong_side(self.program)

    @cached_property
    def unfelt(self) -> tuple[Expr, ...]:
        """The inputs that stand in the loss and that it does not feel, tested."""
        return () if self.is_large else tuple(unfelt_inputs(self.program))

    @cached_property
    def silent(self) -> tuple[int, ...]:
        """The labels for which a prediction does not matter, proved."""
        return () if self.is_large else tuple(silent_labels(self.program.loss))

    @cached_property
    def held(self) -> HeldPrediction | None:
        """A prediction that a bound of its own holds where the loss is not least."""
        if self.is_large:
            return None
        return held_element(self.program) if self.search is None else held_prediction(self.program, self.search)

    @cached_property
    def missing(self) -> tuple[MissingElement, ...]:
        """The places of the formula that read beyond an axis."""
        return tuple(missing_elements(self.program))

    @cached_property
    def needs(self) -> tuple[ParameterNeed, ...]:
        """The parameters of which something should be required."""
        return tuple(needs(self.program))

    @cached_property
    def disagreement(self) -> Reward | None:
        """A prediction that costs less than the target itself, for a loss of two distributions."""
        return None if self.is_large else less_than_at_agreement(self.program)

    @cached_property
    def steep(self) -> Verdict:
        """Whether the slope stays bounded over all predictions, for a given target."""
        if self.search is None or any(case.pieces is None for case in self.cases):
            return OPEN
        if all(case.pieces is not None and is_gentle(case.pieces) for case in self.cases):
            return Verdict("proved", "intervals")
        sharp = next((escape for escape in self.escapes if escape.of == "gradient"), None)
        if sharp is not None:
            return Verdict("refuted", "search", at=sharp.at, detail=f"the slope is {sharp.result}")
        return self._without_end(self.search, is_slope=True) or OPEN

    @cached_property
    def flat(self) -> tuple[loss_shape.Flat, ...]:
        """Regions in which nothing is learned: the slope is 0, and the loss is less elsewhere."""
        if self.search is None:
            return ()
        found: list[loss_shape.Flat] = []
        for case in self.cases:
            if case.pieces is not None:
                found += loss_shape.flats(case.view, case.pieces, self.search)
        return tuple(found)

    @cached_property
    def minimiser(self) -> loss_shape.Minimiser:
        """The prediction at which the loss is least."""
        least = self.near("least at t = x")
        case = self.cases[0]
        if least.how == "proved":
            kind, level = "", ""
            if len(self.cases) == 1 and case.pieces is not None:
                kind, level = loss_shape.statistic(case.view, case.pieces)
            elif self._is_proper:
                kind = "mean"
            words = {"mean": "the mean of t", "median": "the median of t", "quantile": f"the quantile of t at {level}"}
            return loss_shape.Minimiser(kind or "t", words.get(kind, "t"), level, least)
        if self.search is None or self.is_large or least.how != "refuted":
            return loss_shape.Minimiser("", "", verdict=least)
        return loss_shape.searched(self.search, least)

    @cached_property
    def _is_proper(self) -> bool:
        """Whether the mean of a target of 0 or 1 is proved to be the best prediction: a proper scoring rule.

        It is if the loss is convex, and at the prediction x the slopes for 1 and 0, weighted by x and 1 - x, cancel.
        """
        leaf = self.cases[0].view.variable
        targets = [case.view.target_case for case in self.cases]
        if leaf is None or targets != [0, 1] or self.near("convex").how != "proved":
            return False
        zero, one = (slope(case.view.expr, leaf) for case in self.cases)
        return self.cases[1].vanishes(b.add(b.mul(leaf, one), b.mul(b.sub(b.ONE, leaf), zero)))

    def decide(self, name: str) -> Verdict:
        """A verdict on one of `ir.loss.EXPECTED`, of the loss as a function of its prediction.

        A loss is judged where it has a value; where it has none is told by `escapes`. It is "symmetric" if an error
        costs the same in either direction, "bounded" if no prediction makes it arbitrarily large or small for a given
        target.
        """
        if name in _OTHERS:
            return _OTHERS[name](self)
        if name not in CLAIMS:
            raise KeyError(name)
        if name not in self._decided:
            self._decided[name] = self._decide(name)
        return self._decided[name]

    def _decide(self, name: str) -> Verdict:
        found = self.near(name)
        if found.how in ("proved", "refuted"):
            return found
        if self.has_parameters:
            far = self._refuted(name, far=True)
            if far.how == "refuted":
                return far
            found = replace(found, points=found.points + far.points, how="tested" if far.points else found.how)
        # A proof for the defaults alone is none: other parameters are admissible, too.
        return replace(found, scope=self.scope) if self._is_usual(name) else found

    def near(self, name: str) -> Verdict:
        """The same, but for refutations parameters near the defaults alone are tried."""
        if name not in self._near:
            self._near[name] = self._proved_or_refuted(name)
        return self._near[name]

    def _proved_or_refuted(self, name: str) -> Verdict:
        claim = CLAIMS[name]
        proved = self._proved([claim.composed])
        if proved is not None:
            return proved
        refuted = self._refuted(name, far=False)
        if refuted.how == "refuted":
            return refuted
        return self._proved([claim.composed, claim.taken_apart]) or refuted

    def _is_usual(self, name: str) -> bool:
        """Whether a property is proved for the defaults of the parameters."""
        claim = CLAIMS[name]
        return bool(self.usual) and self._proved([claim.composed, claim.taken_apart], self.usual) is not None

    def _proved(self, ways: Sequence[Proof], cases: Sequence[TargetCase] | None = None) -> Verdict | None:
        """A proof, if each case has one by one of some ways."""
        found = [next(filter(None, (_tried(way, case) for way in ways)), "") for case in cases or self.cases]
        return Verdict("proved", " and ".join(dict.fromkeys(found))) if all(found) else None

    def _refuted(self, name: str, *, far: bool) -> Verdict:
        """A refutation, or what was tried where points may tell, for parameters near the defaults or far from them."""
        search = self.far_search if far else self.search
        if search is None and name in ("continuous", "smooth"):
            return (None if far else tensor_poles.gap(self.program, self.tensor_gaps)) or OPEN
        if search is None or name in INVARIANCES:
            return tensor_search.refuted(self.program, name, far=far)
        if name in ("continuous", "smooth"):
            gap = poles.gap(search, self.far_gaps if far else self.gaps)
            broken = gap or counterexamples.jump(search, self.joins_at) or counterexamples.hole(search)
            return broken or (counterexamples.kink(search, self.joins_at) if name == "smooth" else None) or OPEN
        if name == "bounded":
            return self._without_end(search) or OPEN
        return _REFUTATIONS[name](search) or Verdict("tested", "search", search.tried)

    def _without_end(self, search: GridSearch, *, below: bool | None = None, is_slope: bool = False) -> Verdict | None:
        """An infinite limit of the loss or of its slope, for any of the targets; `below`: minus infinity only."""
        for case in self.cases:
            of = case.pieces.slope if is_slope and case.pieces is not None else None
            found = loss_shape.unbounded(replace(search, view=case.view), below, of=of, gaps=self.gaps)
            if found is not None:
                return found
        return None


def _tried(way: Proof, case: TargetCase) -> str:
    """A proof by one way; none where that meets a polynomial that is too large."""
    try:
        return way(case)
    except TooLarge:
        return ""


_OTHERS: dict[str, Callable[[Analyzer], Verdict]] = {
    "finite": lambda analyzer: analyzer.defined,
    "bounded below": lambda analyzer: analyzer.below,
    "slope bounded": lambda analyzer: analyzer.steep,
}

_REFUTATIONS: dict[str, Callable[[GridSearch], Verdict | None]] = {
    "nonnegative": counterexamples.negative,
    "zero at t = x": counterexamples.nonzero_at_target,
    "least at t = x": counterexamples.less_than_target,
    "symmetric": counterexamples.asymmetric,
    "convex": counterexamples.bent_down,
}

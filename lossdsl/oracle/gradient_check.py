"""Judges of a loss's stable form and gradient that share nothing with how they were made.

One is a difference quotient of the loss as it was written, at 60 digits and more, at sampled points. The other, for
small losses, is sympy: it differentiates the loss, expanded over tiny tensors of symbols, and proves the two gradients
equal where it can. What is tried is bounded by size, never by a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import chain, islice
from random import Random
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Input, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import NO_SLOPE, Kind
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.traversal import valued
from lossdsl.ir.verdict import Verdict
from lossdsl.oracle.interpreter import Array, evaluate, met
from lossdsl.oracle.number_systems import MpNumbers, mp_numbers
from lossdsl.oracle.points import Point, points

DIGITS = 60
FINE = 600
"""As many where values are so large, or bend so much, that at first no slope can be told."""
_STEP = 0.3
"""A step is this part of the digits below 1."""
_PERIODIC = ("mod", "sin", "cos", "tan", "floor", "ceil", "round")
_AGREE = "1e-15"
_STRAIGHT = "1e-9"
MAX_NODES = 400
"""The largest loss, in operations with its gradient, that is tried at every point and put before sympy."""


def judge(
    loss: Loss,
    value: Expr,
    gradients: Mapping[InputSpec, tuple[Expr, ...]],
    known: Ranges,
    *,
    count: int = 4,
    prove: bool = False,
) -> list[tuple[InputSpec | None, Verdict]]:
    """A verdict on the stable form `value` of a loss, for None, then one on each of its gradients.

    `count` is how many points are tried; fewer of a large loss. With `prove`, sympy is asked first, of a small one.
    """
    size = len([*walk(loss.result, *chain(*gradients.values()))])
    is_large = size > MAX_NODES
    if is_large:
        count = max(1, count * MAX_NODES // size)
    trials = _usable(loss, points(loss, known, 4 * count + 8 * is_large, asks=True), count)
    finer = cache(lambda: [Trial(loss, trial.point, FINE) for trial in trials[:2]])
    surer = cache(lambda: _surer(loss, trials))
    at_first = _value_verdict(value, trials)
    found: list[tuple[InputSpec | None, Verdict]] = [
        (None, _value_verdict(value, surer()) if at_first.how == "refuted" else at_first)
    ]
    proves = cache(lambda: _prover(loss, known)) if prove and not is_large else None
    flat = _without_slope(loss)
    for spec, exprs in gradients.items():
        function = next((flat[node] for node in spec.nodes if node in flat), None)
        if function is not None:
            found.append((spec, Verdict("open", detail=f"`{function}` has no slope in it")))
            continue
        if _is_only_compared(spec, loss.result) and all(b.is_const(expr, 0) for expr in exprs):
            found.append((spec, Verdict("proved")))
            continue
        verdict = _slope_verdict(spec, exprs, trials, finer)
        if verdict.how == "refuted":  # not by digits that are lost beside numbers such as 1e300
            verdict = _quotient_verdict(spec, exprs, surer())
        is_proved = proves is not None and verdict.how in ("tested", "open") and proves()(spec, exprs)
        found.append((spec, Verdict("proved") if is_proved else verdict))
    return found


def _usable(loss: Loss, drawn: Iterable[Point], count: int) -> list[Trial]:
    every = (Trial(loss, point) for point in drawn)
    return list(islice((trial for trial in every if trial.is_usable), count))


def _surer(loss: Loss, trials: list[Trial]) -> list[Trial]:
    """The trials that more digits leave something to say of, with these."""
    return [finer for trial in trials if (finer := Trial(loss, trial.point, FINE)).keeps_digits]


def _prover(loss: Loss, known: Ranges) -> Callable[[InputSpec, tuple[Expr, ...]], bool]:
    """Whether gradients are the derivative by sympy's means, which take long to load."""
    from lossdsl.oracle.proof import Derivative

    return Derivative(loss, known).is_given_by


def _slope_verdict(
    spec: InputSpec, exprs: tuple[Expr, ...], trials: list[Trial], finer: Callable[[], list[Trial]]
) -> Verdict:
    """That of the difference quotient, with more digits where these tell nothing."""
    verdict = _quotient_verdict(spec, exprs, trials)
    return _quotient_verdict(spec, exprs, finer()) if verdict.how == "open" else verdict


def _is_only_compared(spec: InputSpec, result: Expr) -> bool:
    """Whether an input is in conditions alone, so that all pieces of the loss have the slope 0 in it."""
    reached: set[Expr] = set(spec.nodes)
    for node in walk(result):
        if node.kind is Kind.REAL and any(child in reached for child in node.children):
            reached.add(node)
    return result not in reached


def _without_slope(loss: Loss) -> dict[Expr, str]:
    """The inputs in which a function that is called has no slope, each with such a function."""
    found: dict[Expr, str] = {}
    for node in walk(loss.result):
        if not isinstance(node, Call):
            continue
        for arg, slope in zip(node.args, node.op.derivative, strict=False):
            if slope == NO_SLOPE:
                found.update((leaf, node.op.name) for leaf in valued(arg) if isinstance(leaf, Input))
    return found


class Trial:
    """A loss at one point: its values there and nearby, and those of other expressions."""

    def __init__(self, loss: Loss, point: Point, digits: int = DIGITS) -> None:
        self.loss = loss
        self.point = point
        self.digits = digits
        self.m: MpNumbers = mp_numbers(digits)
        self.given = point.given(self.m)
        self._done = evaluate([loss.result], self.given, self.m, point.sizes)
        # What `stop` hides stays as it is when an input is moved.
        stopped = [node for node in self._done if isinstance(node, Call) and node.op.name == "stop"]
        self._held: dict[Expr, Array] = {node: self._done[node] for node in stopped}
        self.values = self._done[loss.result]
        self.total = _sum(self.values)

    @property
    def is_usable(self) -> bool:
        return bool(self.m.isfinite(self.total)) and not self._is_blurred

    @property
    def _is_blurred(self) -> bool:
        """Whether what rounds or repeats is taken of numbers so large that their digits end before the point."""
        far = self.m.mpf(10) ** (self.digits // 2)
        args = {arg for node in walk(self.loss.result) if isinstance(node, Call) and node.op.name in _PERIODIC
                for arg in node.args}  # fmt: skip
        return any(self.m.isfinite(one) and abs(one) > far for arg in args for one in self._done[arg].ravel().tolist())

    @property
    def keeps_digits(self) -> bool:
        """Whether twice the digits give the same values: of `exp(1e700)` 600 digits leave none."""
        finer = Trial(self.loss, self.point, 2 * self.digits).values
        pairs = zip(self.values.ravel().tolist(), finer.ravel().tolist(), strict=True)
        return all(_agree(one, other, 0, self.m) for one, other in pairs if self.m.isfinite(one))

    @cached_property
    def passes_infinity(self) -> bool:
        """Whether an infinite value on the way reaches the loss, as in erf(1/0): it does if nan in its place does."""
        for node in walk(self.loss.result):
            if not isinstance(node, Call) or node.kind is not Kind.REAL:
                continue
            array = self._done[node]
            infinite = np.array([self.m.isinf(one) for one in array.ravel().tolist()], dtype=bool).reshape(array.shape)
            if infinite.any() and self._reaches(node, infinite):
                return True
        return False

    def _reaches(self, node: Expr, places: Array) -> bool:
        """Whether what a part is at some places reaches the loss: nan in its place does."""
        given = {**self.given, node: np.where(places, self.m.nan, self._done[node])}
        values = evaluate([self.loss.result], given, self.m, self.point.sizes)[self.loss.result]
        return any(self.m.isnan(one) for one in values.ravel().tolist())

    def passes_infinite_slope(self, moved: Input) -> bool:
        """Whether an operation on the way from an input has an infinite slope, as `a^b` has in `a` at 0 for b < 1.

        Times a slope of 0 that is nan, even where the two together have one, as in `0^(t - t)`.
        """
        way: set[Expr] = {moved}
        for node in walk(self.loss.result):
            if node is moved or not any(child in way for child in node.children):
                continue
            way.add(node)
            if isinstance(node, Call) and node.kind is Kind.REAL:
                steep = self._steep(node, [place for place, arg in enumerate(node.args) if arg in way])
                if steep.any() and self._reaches(node, steep):
                    return True
        return False

    def _steep(self, node: Call, moved: Sequence[int]) -> Array:
        """Where an operation by itself has no finite slope in one of some arguments."""
        args = [np.broadcast_to(met(self._done[arg], arg.axes, node.axes), self._done[node].shape) for arg in node.args]
        meaning = self.m.meaning(node.op)
        found = np.zeros(self._done[node].shape, dtype=bool)
        for place in np.ndindex(found.shape):
            at = [arg[place] for arg in args]
            found[place] = any(self._is_steep(meaning, at, one) for one in moved)
        return found

    def _is_steep(self, meaning: Callable[..., Any], at: list[Any], one: int) -> bool:
        """Whether a difference quotient grows as its step gets smaller, on either side."""
        here = meaning(*at)
        if not self.m.isfinite(here):
            return True
        for sign in (1, -1):
            quotients = []
            for digits in (_STEP * self.digits, 1.5 * _STEP * self.digits):
                step = sign * self.m.mpf(10) ** -int(digits)
                quotients.append(abs(meaning(*at[:one], at[one] + step, *at[one + 1 :]) - here) / abs(step))
            near, nearer = quotients
            if not (self.m.isfinite(near) and self.m.isfinite(nearer)) or nearer > 2 * near + 1:
                return True
        return False

    def of(self, expr: Expr) -> Array:
        self._done = evaluate([expr], self._done, self.m, self.point.sizes)
        return self._done[expr]

    def spread(self, expr: Expr, node: Input) -> Array:
        """The values of a slope in `node`, one for each of its elements."""
        return np.broadcast_to(met(self.of(expr), expr.axes, node.axes), self.given[node].shape)

    def quotient(self, move: Mapping[Expr, Array], part: float = _STEP) -> Any | None:
        """The slope of the sum of all values along a direction; None at a kink, or where it cannot be told.

        The step is `part` of the digits below 1.
        """
        step = self.m.mpf(10) ** -int(part * self.digits)
        still = self._still(move)
        if self.loss.result in still:
            return self.m.mpf(0)
        (ahead, after), (behind, before) = (self._moved(still, move, sign * step) for sign in (1, -1))
        if self._is_single(before, after):
            return None
        forward, backward = (ahead - self.total) / step, (self.total - behind) / step
        if not (self.m.isfinite(forward) and self.m.isfinite(backward)):
            return None
        noise = abs(self.total) * self.m.mpf(10) ** (5 - self.digits) / step
        if noise > self.m.mpf(_AGREE) * (1 + abs(forward) + abs(backward)):
            return None  # the values are so large that this slope is lost among their digits
        bend = abs(forward - backward)
        if bend > self.m.mpf(_STRAIGHT) * (1 + abs(forward) + abs(backward)):
            return None
        return (forward + backward) / 2

    def is_steady(self, move: Mapping[Expr, Array], slope: Any) -> bool:
        """Whether a much smaller step gives the same slope."""
        finer = self.quotient(move, 1.5 * _STEP)
        return finer is not None and _agree(slope, finer, 1, self.m)

    def _still(self, move: Mapping[Expr, Array]) -> dict[Expr, Array]:
        """The parts of the loss that stay as they are when some inputs are moved."""
        moved: set[Expr] = set(move)
        still: dict[Expr, Array] = {}
        for node in walk(self.loss.result):
            if node in self._held or not (node in moved or any(child in moved for child in node.children)):
                still[node] = self._done[node]
            else:
                moved.add(node)
        return {**{node: array for node, array in self.given.items() if node not in move}, **still}

    def _is_single(self, before: Mapping[Expr, Array], after: Mapping[Expr, Array]) -> bool:
        """Whether a condition is another here than on both sides, as `x == 0`: its piece has a slope of its own."""
        return any(
            bool(np.any((self._done[node] != before[node]) & (self._done[node] != after[node])))
            for node in walk(self.loss.result)
            if isinstance(node, Call) and node.kind is Kind.BOOL and node in before and node in after
        )

    def _moved(
        self, still: Mapping[Expr, Array], move: Mapping[Expr, Array], step: Any
    ) -> tuple[Any, Mapping[Expr, Array]]:
        """The sum of all values at a point nearby, and the values of all parts there."""
        given = dict(still)
        for node, along in move.items():
            given[node] = self.given[node] + step * along
        done = evaluate([self.loss.result], given, self.m, self.point.sizes)
        return _sum(done[self.loss.result]), done


def _sum(values: Array) -> Any:
    return sum(values.ravel().tolist())


def _agree(ours: Any, theirs: Any, scale: Any, m: MpNumbers) -> bool:
    return bool(abs(ours - theirs) <= m.mpf(_AGREE) * (scale + abs(theirs)))


def _value_verdict(value: Expr, trials: list[Trial]) -> Verdict:
    for trial in trials:
        got = np.broadcast_to(met(trial.of(value), value.axes, trial.loss.result.axes), trial.values.shape)
        for ours, theirs in zip(got.ravel(), trial.values.ravel(), strict=True):
            if trial.m.isfinite(theirs) and not _agree(ours, theirs, abs(trial.total) + 1, trial.m):
                return Verdict("refuted", points=len(trials), detail=_difference("the value", ours, theirs, trial))
    return Verdict("tested", points=len(trials)) if trials else Verdict("open", detail=_NOWHERE)


_NOWHERE = "no point was found at which the loss is finite"


def _quotient_verdict(spec: InputSpec, exprs: tuple[Expr, ...], trials: list[Trial]) -> Verdict:
    try:
        return _compared(spec, exprs, trials)
    except ValueError:  # of numpy: an element is put in its place among those of a longer tensor
        return Verdict("open", detail="tensors of different lengths meet in it")


def _compared(spec: InputSpec, exprs: tuple[Expr, ...], trials: list[Trial]) -> Verdict:
    tested = 0
    for number, trial in enumerate(trials):
        slopes = {node: trial.spread(expr, node) for node, expr in zip(spec.nodes, exprs, strict=True)}
        if _agrees_along_one_direction(slopes, trial, Random(number)):
            tested += 1
            continue
        differences = list(_differences(spec, slopes, trial))
        wrong = next(filter(None, differences), "")
        if wrong:
            return Verdict("refuted", points=tested + 1, detail=wrong)
        tested += bool(differences)
    return Verdict("tested", points=tested) if tested else Verdict("open", detail=_NOWHERE)


def _agrees_along_one_direction(slopes: Mapping[Input, Array], trial: Trial, random: Random) -> bool:
    move: dict[Expr, Array] = {node: _direction(trial.given[node], random, trial.m) for node in slopes}
    terms = [a * b for node, slope in slopes.items() for a, b in zip(slope.ravel(), move[node].ravel(), strict=True)]
    along = trial.quotient(move)
    return along is not None and _agree(sum(terms), along, sum(map(abs, terms)), trial.m)


def _differences(spec: InputSpec, slopes: Mapping[Input, Array], trial: Trial) -> Iterator[str]:
    """For each element in which there is a slope, how ours differs from it; nothing where it does not."""
    for node, one, place in _unit_moves(spec, trial):
        slope = trial.quotient(one)
        if slope is not None:
            ours = slopes[node][place]
            if not trial.m.isfinite(ours) and (trial.passes_infinity or trial.passes_infinite_slope(node)):
                continue  # what a slope is there no rule says
            is_right = _agree(ours, slope, abs(ours) + trial.m.mpf("1e-10"), trial.m)
            if not is_right and not trial.is_steady(one, slope):
                continue  # what bends within a step, as `t^1e300` does beside 1, has another slope there
            label = f"d/d{node.name}{list(place) if place else ''}"
            yield "" if is_right else _difference(label, ours, slope, trial)


def _unit_moves(spec: InputSpec, trial: Trial) -> Iterator[tuple[Input, dict[Expr, Array], tuple[int, ...]]]:
    for node in spec.nodes:
        shape = trial.given[node].shape
        for place in np.ndindex(shape):
            move = np.full(shape, trial.m.mpf(0), dtype=object)
            move[place] = trial.m.mpf(1)
            yield node, {node: move}, place


def _direction(like: Array, random: Random, m: MpNumbers) -> Array:
    found = np.empty(like.shape, dtype=object)
    for place in np.ndindex(like.shape):
        found[place] = m.mpf(round(random.uniform(0.2, 1.0) * random.choice((-1, 1)), 3))
    return found


def _difference(label: str, ours: Any, theirs: Any, trial: Trial) -> str:
    m = trial.m
    return f"{label} is {m.nstr(ours, 12)} and should be {m.nstr(theirs, 12)} at {trial.point.shown()}"

"""Points at which a claim about a loss is wrong: looked for on fixed grids, with 50 digits, always the same ones.

What is found is a refutation, since the point can be put in by hand: inputs are plain decimals. What is not found is a
test, and its points are counted.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import chain
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.axes import ordered
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Along, Call, Expr, Gather, Input, Length, Param, Position, Reduce, walk
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind
from lossdsl.ir.prediction_view import PredictionView
from lossdsl.ir.verdict import Number
from lossdsl.oracle.input_kinds import INPUT_KINDS, LABELS_TRIED
from lossdsl.oracle.interpreter import Array, evaluate, filled
from lossdsl.oracle.number_systems import DIGITS, Beyond, MpNumbers
from lossdsl.oracle.orders import put_in_order
from lossdsl.oracle.points import domains
from lossdsl.refute.parameter_values import ParameterValues
from lossdsl.refute.selected_parts import Truths, infinite, rows, selected, wrong_at

BUDGET = 50_000
"""How many operations, times points, are worked out on grids; the first setting is always tried."""

KEPT = 6
"""Of how many lines the values of all parts are kept: those on which slopes are looked at."""

_SURE = 1e-25
"""By what part of its size a value may change with the digits that it is worked out with."""

_BESIDE = (Fraction(0), *(sign * Fraction(1, 10**far) for far in (2, 6) for sign in (1, -1)))
"""How far from a join predictions are tried as well."""

Setting = Mapping[Expr, Fraction]


@dataclass(frozen=True)
class GridLine:
    """A loss along its prediction: everything else is set. `parts` has the values of its parts, where they are kept."""

    setting: Setting
    xs: tuple[Fraction, ...]
    values: tuple[Any, ...]
    parts: Mapping[Expr, Array] | None = field(default=None, repr=False)

    def finite(self) -> list[tuple[Fraction, Any]]:
        """The points at which the loss has a value."""
        return [(x, y) for x, y in zip(self.xs, self.values, strict=True) if y is not None]


class _RealNumbers(MpNumbers):
    """Numbers of 50 digits, in which a function of infinity that mpmath has no answer for is nan."""

    def apply(self, function: Callable[..., Any], name: str, args: tuple[Any, ...]) -> Any:
        try:
            return super().apply(function, name, args)
        except TypeError:
            return self.nan


@cache
def _real_numbers(digits: int = DIGITS) -> MpNumbers:
    return _RealNumbers(digits)


ROOM = 200_000
"""How many values of parts are kept."""


@dataclass
class ValueCache:
    """The values that parts of a loss had along lines, for further lines on which nothing below them has changed.

    Under other settings of its `bool` and `int` parameters a loss has many of the same parts.
    """

    arrays: dict[tuple[Any, ...], Array] = field(default_factory=dict)
    room: int = ROOM
    _numbers: dict[Any, int] = field(default_factory=dict)
    _leaves: dict[Expr, tuple[Expr, ...]] = field(default_factory=dict)

    def keys(self, expr: Expr, given: Mapping[Expr, Any]) -> dict[Expr, tuple[Any, ...]]:
        """For each part that is made of what is given: the part and numbers that stand for what is given below it."""
        numbers = {leaf: self._numbers.setdefault(_whole(value), len(self._numbers)) for leaf, value in given.items()}
        found: dict[Expr, tuple[Any, ...]] = {}
        for node in walk(expr):
            if node not in self._leaves:
                below = dict.fromkeys(chain.from_iterable(self._leaves[child] for child in node.children))
                self._leaves[node] = (node,) if isinstance(node, Input | Param) else tuple(below)
            if all(leaf in numbers for leaf in self._leaves[node]):
                found[node] = (node, *map(numbers.__getitem__, self._leaves[node]))
        return found

    def add(self, key: tuple[Any, ...], array: Array) -> None:
        if key not in self.arrays and self.room >= array.size:
            self.arrays[key] = array
            self.room -= array.size


def _whole(value: Fraction | tuple[Fraction, ...]) -> tuple[Any, ...]:
    """Fractions as whole numbers, which are looked up much faster."""
    return tuple(x.as_integer_ratio() for x in (value if isinstance(value, tuple) else (value,)))


@dataclass
class GridSearch:
    """Trials of an elementwise loss. `extra` has further predictions worth trying, such as its joins.

    The parameters are near their defaults; if it is far, far from them.
    """

    view: PredictionView
    extra: Sequence[Expr] = ()
    is_far: bool = False
    kept: ValueCache = field(default_factory=ValueCache)
    m: MpNumbers = field(default_factory=_real_numbers)
    tried: int = 0
    _lines: list[GridLine] = field(default_factory=list, init=False)
    _settled: dict[tuple[Any, ...], Fraction | None] = field(default_factory=dict, init=False)

    @property
    def loss(self) -> Loss:
        return self.view.loss

    def settings(self) -> Iterator[Setting]:
        """Values for everything but the prediction: those of parameters near the defaults, or those far from them."""
        inputs = [spec for spec in self.loss.inputs if spec is not self.loss.prediction]
        nodes = [(shift, spec, node) for shift, spec in enumerate(inputs) for node in spec.nodes]
        choices = [(shift, node, self._input_values(spec, node)) for shift, spec, node in nodes]
        longest = max((len(values) for _, _, values in choices), default=1)
        rows: list[dict[Expr, Fraction]] = []
        for at in range(longest):
            rows.append(_in_order(self.loss, {node: row[(at + shift) % len(row)] for shift, node, row in choices}))
        far = self.is_far
        for number, drawn in enumerate(self.parameters.far() if far else self.parameters.near()):
            some = [rows[number % len(rows)], rows[0]] if number or far else rows
            yield from ({**row, **drawn} for row in some)

    def _input_values(self, spec: InputSpec, node: Expr) -> tuple[Fraction, ...]:
        if spec.is_label:
            return LABELS_TRIED
        return INPUT_KINDS[spec.part(node).domain].few

    @cached_property
    def parameters(self) -> ParameterValues:
        return ParameterValues(self.loss, self.view.leaves)

    @property
    def lines(self) -> Iterator[GridLine]:
        """The loss on a grid of predictions, for each setting; worked out as far as it is asked for."""
        place = 0
        while True:
            if place == len(self._lines):
                following = next(self._more, None)
                if following is None:
                    return
                self._lines.append(following)
            yield self._lines[place]
            place += 1

    @cached_property
    def _more(self) -> Iterator[GridLine]:
        return self._every()

    def _every(self) -> Iterator[GridLine]:
        size = sum(1 for _ in walk(self.loss.value))
        budget = BUDGET
        for number, setting in enumerate(self.settings()):
            xs = self.grid(setting)
            budget -= size * len(xs)
            if budget < 0 and number:
                return
            yield self._within_reach(setting, xs, keep=number < KEPT)

    def _within_reach(self, setting: Setting, xs: Sequence[Fraction], *, keep: bool) -> GridLine:
        """A line; towers of exponentials have no far points, since their values cannot be written down."""
        for most in (None, 100, 4):
            near = xs if most is None else [x for x in xs if -most <= x <= most]
            try:
                return self.line(setting, near, keep=keep)
            except (MemoryError, OverflowError):
                continue
        return GridLine(setting, (), ())

    def line(self, setting: Setting, xs: Sequence[Fraction], *, keep: bool = False) -> GridLine:
        """The loss at some predictions; None where it has no finite value."""
        self.tried += len(xs)
        if keep and xs and self.may_be_stacked:
            parts = self.parts(self.loss.value, setting, xs)
            return GridLine(setting, tuple(xs), tuple(self._finite(self.loss.value, parts, len(xs))), parts)
        return GridLine(setting, tuple(xs), tuple(self.values(setting, xs)))

    def is_sure(self, setting: Setting, xs: Sequence[Fraction]) -> bool:
        """Whether twice the digits give the same values: those at a pole, as of tan(acos(0)), are rounding alone."""
        pairs = zip(self.values(setting, xs), self._finer.values(setting, xs), strict=True)
        return all(
            mine is finer or (None not in (mine, finer) and abs(mine - finer) <= _SURE * (1 + abs(finer)))
            for mine, finer in pairs
        )

    @cached_property
    def _finer(self) -> GridSearch:
        return replace(self, m=_real_numbers(2 * DIGITS), kept=ValueCache())

    def grid(self, setting: Setting) -> list[Fraction]:
        """The predictions that are tried under a setting, in order."""
        bounds = self.view.leaves.get(self.loss.prediction.nodes[0], Bounds())
        more: set[Fraction] = set()
        target = self.loss.target
        if target is not None and len(target.nodes) == 1 and target.nodes[0] in setting:
            more.add(setting[target.nodes[0]])
        for expr in self.extra:
            at = self.number(expr, setting)
            if at is not None:
                more.update(at + shift for shift in _BESIDE)
        usual, everywhere = self._usual_grid
        found = list(usual)
        for point in more - everywhere:
            if bounds.contains(point):
                insort(found, point)
        return found

    @cached_property
    def _usual_grid(self) -> tuple[list[Fraction], frozenset[Fraction]]:
        """The predictions that are tried under every setting, in order."""
        spec = self.loss.prediction
        bounds = self.view.leaves.get(spec.nodes[0], Bounds())
        grid = INPUT_KINDS[spec.domain].grid if spec.is_real else (Fraction(0),)
        found = frozenset(point for point in grid if bounds.contains(point))
        return sorted(found), found

    def number(self, expr: Expr, setting: Setting) -> Fraction | None:
        """A part that is settled by a setting, as a plain decimal near it."""
        key = expr, *(setting.get(leaf) for leaf in walk(expr) if isinstance(leaf, Input | Param))
        if key not in self._settled:
            self._settled[key] = self._number(expr, setting)
        return self._settled[key]

    def _number(self, expr: Expr, setting: Setting) -> Fraction | None:
        given = {node: filled(np.asarray(value, dtype=object), self.m) for node, value in setting.items()}
        try:
            flat = b.substitute(expr, {node: b.const(value) for node, value in setting.items()})
            done = evaluate([flat], given, self.m, {})[flat]
        except (KeyError, Beyond, ValueError):
            return None
        value = done.item() if done.ndim == 0 else done.ravel()[0]
        if not self.m.isfinite(value) or abs(value) > 10**9:
            return None
        exact = Fraction(str(self.m.nstr(value, 15)))
        return exact

    def numbers(self, expr: Expr, setting: Setting, xs: Sequence[Fraction]) -> list[Any]:
        """The values of another expression in the author's inputs; None where it has none."""
        return self._at(expr, setting, xs) if xs else []

    def values(self, setting: Setting, xs: Sequence[Fraction]) -> list[Any]:
        """One value of the loss for each prediction; None where it is not finite."""
        expr = self.loss.value
        if not xs:
            return []
        if not self.may_be_stacked:
            return [self._at(expr, setting, [x])[0] for x in xs]
        return self._at(expr, setting, xs)

    @cached_property
    def may_be_stacked(self) -> bool:
        """Whether several predictions may stand in one batch: nothing counts or sums over it."""
        for node in walk(self.loss.value):
            if isinstance(node, Along | Gather | Length | Position):
                return False
            if isinstance(node, Reduce) and not (node.op.is_between or node.op.takes is Kind.BOOL):
                return False
        return True

    def _at(self, expr: Expr, setting: Setting, xs: Sequence[Fraction]) -> list[Any]:
        return self._finite(expr, self.parts(expr, setting, xs), len(xs))

    def parts(self, expr: Expr, setting: Setting, xs: Sequence[Fraction]) -> dict[Expr, Array]:
        """The values of an expression and all that it is made of; see `rows`."""
        (variable,) = self.loss.prediction.nodes
        values: dict[Expr, Sequence[Fraction]] = {**{node: [value] for node, value in setting.items()}, variable: xs}
        sizes = {**dict.fromkeys(domains(self.loss), 1), "batch": len(xs)}
        if len(xs) < 2 or not self.may_be_stacked:
            return evaluate([expr], {node: self._spread(node, row) for node, row in values.items()}, self.m, sizes)
        keys = self.kept.keys(expr, {**setting, variable: tuple(xs)})
        known = {node: self.kept.arrays[key] for node, key in keys.items() if key in self.kept.arrays}
        given = {node: self._spread(node, row) for node, row in values.items() if node not in known}
        done = evaluate([expr], {**given, **known}, self.m, sizes)
        for node, key in keys.items():
            self.kept.add(key, done[node])
        return done

    def _spread(self, node: Expr, values: Sequence[Fraction]) -> Array:
        axes = ordered(node.axes)
        if all(axis.domain != "batch" for axis in axes):
            values = values[:1]
        array = np.empty(tuple(len(values) if axis.domain == "batch" else 1 for axis in axes), dtype=object)
        array.reshape(-1)[:] = [self.m.number(value) for value in values]
        return array

    def _finite(self, expr: Expr, parts: Mapping[Expr, Array], count: int) -> list[Any]:
        """The values of an expression; None where it, or a part that is selected, has no finite one."""
        bad = self._broken(expr, parts, count) | infinite(parts[expr], count)
        return [None if one else y for y, one in zip(rows(parts[expr], count), bad.tolist(), strict=True)]

    def _broken(self, root: Expr, done: Mapping[Expr, Array], count: int) -> Truths:
        """Where a part that is selected has no finite value: floating point may go on there, real numbers do not."""
        suspects = {node: wrong for node in walk(root) if (wrong := wrong_at(node, done, count)) is not None}
        bad = np.zeros(count, dtype=bool)
        if suspects:
            live = selected(root, done, count, through=(Call,))
            for node, wrong in suspects.items():
                if node in live:
                    bad |= live[node] & wrong
        return bad

    def at(self, setting: Setting, x: Fraction) -> dict[str, Number]:
        """A point as a reader would put it in."""
        values = {**setting, self.loss.prediction.nodes[0]: x}
        found: dict[str, Number] = {}
        for spec in self.loss.inputs:
            for node in spec.nodes:
                found[node.name] = values[node]
        for parameter in self.loss.parameters:
            if parameter.node in values:
                found[parameter.name] = values[parameter.node]
        return found


def _in_order(loss: Loss, row: dict[Expr, Fraction]) -> dict[Expr, Fraction]:
    if not loss.orders:
        return row
    found = put_in_order(loss, {node: np.array(value, dtype=object) for node, value in row.items()})
    return {node: array.item() for node, array in found.items()}

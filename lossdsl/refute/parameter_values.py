"""Values of a loss's parameters at which claims are tried: the defaults, others near them, and others far away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product, zip_longest
from random import Random

import numpy as np

from lossdsl.ir.bounds import INF, Bounds
from lossdsl.ir.expr import Const, Expr, walk
from lossdsl.ir.loss import Loss, ParameterSpec
from lossdsl.oracle.interpreter import Array, evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import domains

HALF = Fraction(1, 2)
NEAR = 8
"""How many other values near the default are tried of each parameter."""
FAR = 40
"""How many values far from the default."""
MIXED = 24
"""How many times all parameters are changed at once."""

Values = Mapping[Expr, Fraction]


@dataclass(frozen=True)
class ParameterValues:
    """Admissible values of the parameters that are not settled; of a vector or matrix, one number for all of it."""

    loss: Loss
    leaves: Mapping[Expr, Bounds]

    @cached_property
    def free(self) -> list[ParameterSpec]:
        return [spec for spec in self.loss.parameters if spec.name not in self.loss.settled]

    @cached_property
    def usual(self) -> Values:
        """The defaults, and for a parameter without one a number that it may be."""
        found: dict[Expr, Fraction] = {spec.node: self._usual(spec) for spec in self.free}
        return found

    def near(self) -> Iterator[Values]:
        """The defaults, then other values, one parameter changed at a time."""
        if self.is_admissible(self.usual):
            yield self.usual
        yield from self._one_by_one({spec: self._near(spec) for spec in self.free})

    def far(self) -> Iterator[Values]:
        """Values far from the defaults: one parameter changed at a time, then all of them."""
        values = {spec: self._far(spec) for spec in self.free}
        yield from self._one_by_one(values)
        random = Random(3)
        for _ in range(MIXED if len(values) > 1 else 0):
            drawn: dict[Expr, Fraction] = {
                spec.node: random.choice(found or [self.usual[spec.node]]) for spec, found in values.items()
            }
            if self.is_admissible(drawn):
                yield drawn

    def _one_by_one(self, values: Mapping[ParameterSpec, list[Fraction]]) -> Iterator[Values]:
        for several in zip_longest(*values.values()):
            for spec, value in zip(values, several, strict=True):
                drawn = {**self.usual, spec.node: value}
                if value not in (None, self.usual[spec.node]) and self.is_admissible(drawn):
                    yield drawn

    def _bounds(self, spec: ParameterSpec) -> Bounds:
        return self.leaves.get(spec.node, Bounds())

    def _usual(self, spec: ParameterSpec) -> Fraction:
        if spec.usual is not None:
            return spec.usual
        bounds = self._bounds(spec)
        for value in (Fraction(1), HALF, Fraction(2), Fraction(0), Fraction(-1)):
            if bounds.contains(value):
                return value
        return _between(bounds)

    def _near(self, spec: ParameterSpec) -> list[Fraction]:
        usual = self.usual[spec.node]
        values = [2 * usual, usual / 2]
        # Where nothing is required of a parameter, its author had numbers like the default in mind.
        if spec.node in self._required:
            values += [Fraction(1), Fraction(1, 4), Fraction(3), Fraction(0), Fraction(5, 2), *self._ends(spec)]
        return self._fitting(spec, values)[:NEAR]

    def _far(self, spec: ParameterSpec) -> list[Fraction]:
        usual = self.usual[spec.node]
        values = [usual / 4, 3 * usual]
        if spec.kind == "int":
            values += [usual + step for step in (1, -1, 2, 3)]
        if spec.node in self._required:
            # Where a parameter meets a number of the formula, something may turn.
            values += [number + step for number, step in product(self._numbers, (1, -1, 0))]
            values += [end + sign * step for end, step, sign in product(self._ends(spec), _STEPS, (1, -1))]
            values += [sign * step * (abs(usual) or 1) for step, sign in product(_SCALES, (1, -1))]
        return self._fitting(spec, values)[:FAR]

    def _fitting(self, spec: ParameterSpec, values: list[Fraction]) -> list[Fraction]:
        """Those that a parameter may be, each once."""
        bounds = self._bounds(spec)
        whole = spec.kind == "int"
        return [one for one in dict.fromkeys(values) if bounds.contains(one) and not (whole and one.denominator > 1)]

    def _ends(self, spec: ParameterSpec) -> list[Fraction]:
        bounds = self._bounds(spec)
        return [Fraction(end) for end in (bounds.low, bounds.high) if -INF < end < INF]

    @cached_property
    def _numbers(self) -> list[Fraction]:
        """The numbers of the formula."""
        found = [node.value for node in walk(self.loss.value) if isinstance(node, Const)]
        return [value for value in dict.fromkeys(found) if isinstance(value, Fraction) and abs(value) < 10**9]

    @cached_property
    def _required(self) -> frozenset[Expr]:
        """The parameters of which something is required."""
        return frozenset(node for one in self.loss.requirements for node in walk(one.condition))

    def is_admissible(self, values: Values) -> bool:
        """Whether values meet the requirements."""
        conditions = [requirement.condition for requirement in self.loss.requirements]
        if not conditions:
            return True
        m = mp_numbers()
        given: dict[Expr, Array] = {}
        for node, value in values.items():
            given[node] = filled(np.full((1,) * len(node.axes), value, dtype=object), m)
        done = evaluate(conditions, given, m, dict.fromkeys(domains(self.loss), 1))
        return all(bool(np.all(done[condition])) for condition in conditions)


_STEPS = (Fraction(1, 10), Fraction(1, 1000), Fraction(1, 10**6))
"""How far from an end of what it may be a parameter is tried."""
_SCALES = (Fraction(10), Fraction(1, 10), HALF, Fraction(1), Fraction(100), Fraction(1, 1000), Fraction(10**4))


def _between(bounds: Bounds) -> Fraction:
    low = Fraction(bounds.low) if bounds.low > -INF else None
    high = Fraction(bounds.high) if bounds.high < INF else None
    if low is not None and high is not None:
        return (low + high) / 2
    return low + 1 if low is not None else high - 1 if high is not None else Fraction(1)

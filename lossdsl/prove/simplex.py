"""The simplex method over whole numbers, exact throughout."""

from __future__ import annotations

import math

MAX_STEPS = 80
"""The most exchanges that it makes."""


class Simplex:
    """The simplex method for `rows` of equations in nonnegative unknowns, by Bland's rule, over whole numbers.

    Each row, that of the costs too, is a positive multiple of what it stands for. Its last number is the right side.
    """

    def __init__(self, rows: list[list[int]], count: int) -> None:
        self.rows = rows
        self.count = count
        self.basis = [-1 - place for place in range(len(rows))]  # artificial unknowns are negative numbers
        self.steps = 0
        self.costs: list[int] = []

    def is_feasible(self) -> bool:
        """Phase one: whether the artificial unknowns can all be 0."""
        self.costs = [*map(sum, zip(*self.rows, strict=True))] or [0] * (self.count + 1)
        while self.costs[-1] != 0:
            enter = self._entering()
            if enter is None or not self._exchange(enter):
                return False
        self.costs = [0] * (self.count + 1)
        # An artificial unknown that is still in the basis is 0: it must stay so.
        for number in [number for number, name in enumerate(self.basis) if name < 0]:
            enter = next((place for place in range(self.count) if self.rows[number][place] != 0), None)
            if enter is not None:
                self._pivot(number, enter)
        keep = [number for number, name in enumerate(self.basis) if name >= 0]
        self.rows = [self.rows[number] for number in keep]
        self.basis = [self.basis[number] for number in keep]
        return True

    def can_raise(self, wanted: list[int]) -> bool:
        """Phase two: whether one of the wanted unknowns can be positive."""
        targets = set(wanted)
        # The gain of one more of each unknown, in the sum of the wanted ones; a basic unknown has none.
        basic = [(row, row[name]) for row, name in zip(self.rows, self.basis, strict=True) if name in targets]
        scale = math.lcm(1, *(own for _, own in basic))
        gains = [scale if place in targets else 0 for place in range(self.count)] + [0]
        for row, own in basic:
            gains = [gain - value * (scale // own) for gain, value in zip(gains, row, strict=True)]
        self.costs = gains
        while self.costs[-1] == 0:  # minus the sum itself
            enter = self._entering()
            if enter is None:
                return False
            if not any(row[enter] > 0 for row in self.rows):
                return True  # it can grow without bound
            if not self._exchange(enter):
                return False
        return True

    def _entering(self) -> int | None:
        return next((place for place in range(self.count) if self.costs[place] > 0), None)

    def _exchange(self, enter: int) -> bool:
        self.steps += 1
        if self.steps > MAX_STEPS:
            return False
        leave = -1
        for number, row in enumerate(self.rows):
            if row[enter] > 0:
                if leave >= 0:
                    best = self.rows[leave]
                    more = row[-1] * best[enter] - best[-1] * row[enter]  # which of the two quotients is larger
                    if more > 0 or (more == 0 and self.basis[number] >= self.basis[leave]):
                        continue
                leave = number
        if leave < 0:
            return False
        self._pivot(leave, enter)
        return True

    def _pivot(self, leave: int, enter: int) -> None:
        row = self.rows[leave]
        if row[enter] < 0:
            row = self.rows[leave] = [-value for value in row]
        for number, other in enumerate(self.rows):
            if number != leave and other[enter]:
                self.rows[number] = _without(other, row, enter)
        if self.costs[enter]:
            self.costs = _without(self.costs, row, enter)
        self.basis[leave] = enter


def _without(row: list[int], by: list[int], place: int) -> list[int]:
    """A row less as much of another as makes one of its numbers 0, in small whole numbers."""
    common = math.gcd(row[place], by[place])
    factor, scale = row[place] // common, by[place] // common
    found = [a * scale - factor * c for a, c in zip(row, by, strict=True)]
    shared = math.gcd(*found)
    return [value // shared for value in found] if shared > 1 else found

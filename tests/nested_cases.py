"""Random programs of nested indices, and what they mean by loops in plain Python over numpy arrays.

Unlike `index_cases` and `place_cases`, which have one aggregate around a product of reads, a program here is a tree:
aggregates in aggregates and in their filters, over several indices at once and windows, around sums, choices, functions
and definitions with free indices, with inputs that lack an axis and elements that a label names. An index runs over
those positions at which all that is read with it is there, wherever inside that is.
"""

import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from index_cases import total

from lossdsl.ir.axes import Axis, ordered

Arrays = dict[str, np.ndarray]
At = Mapping[str, int]
"""Positions: of the element at hand by axis, or of indices by name."""
Value = Callable[[Arrays, At, At], float]
Range = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """A part of a program: its text, its value, and where each index that it reads with may be.

    A read is also of `n`, which is one shorter, or not: an index that reads nothing else belongs to what is left.
    """

    text: str
    value: Value
    reads: tuple[tuple[str, Callable[[Arrays, int], bool], bool], ...] = ()

    def positions(self, index: str, axis: str, arrays: Arrays, axes: tuple[str, ...]) -> list[int]:
        asked = [there for name, there, _ in self.reads if name == index]
        is_cut = bool(asked) and all(cut for name, _, cut in self.reads if name == index)
        length = arrays["x"].shape[axes.index(axis)] - is_cut
        return [place for place in range(length) if all(there(arrays, place) for there in asked)]


def number(value: float) -> Part:
    return Part(f"({value})", lambda arrays, at, indices: value)


class Program:
    """A random program over `t`, `x`, a number for each place `s`, and a label `y`."""

    def __init__(self, seed: int, *, smooth: bool) -> None:
        self.chance = chance = random.Random(seed)
        self.smooth = smooth
        places = chance.choice([("row", "col"), ("space",), ()])
        self.axes = ("batch", *places, "last")
        self.count = itertools.count(1)
        self.definitions: list[tuple[str, dict[str, str], Part]] = []
        head = ["loss nested(t, x, s: scalar, y: label)", *(["places row, col"] if len(places) == 2 else [])]
        lines = ["bent(u) = u^2 + u", "n = x[1:]"]
        for place in range(chance.choice([0, 1, 1, 2])):
            free = {f"p{next(self.count)}": axis for axis in chance.sample(self.axes, chance.choice([1, 1, 2]))}
            whole = self._read("t", free, [(index, 0, None) for index in free])
            body = self._both("+", self._expression(free, 2), whole)
            lines.append(f"d{place}[{', '.join(f'{one} in {axis}' for one, axis in free.items())}] = {body.text}")
            self.definitions.append((f"d{place}", free, body))
        self.body = self._both("+", self._expression({}, 4), self._read("x", {}, []))
        self.source = "\n".join([*head, *lines, self.body.text])

    def values(self, arrays: Arrays) -> np.ndarray:
        """One number for each sample and place."""
        shape = arrays["x"].shape
        found = np.zeros(shape)
        for place in np.ndindex(shape):
            found[place] = self.body.value(arrays, dict(zip(self.axes, place, strict=True)), {})
        return found.mean(-1)

    def drawn(self, seed: int) -> Arrays:
        rng = np.random.default_rng(seed)
        lengths = [(2, 3, 2, 3), (1, 2, 4, 2), (2, 1, 3, 1), (3, 2, 1, 3), (1, 1, 1, 1)][seed % 5]
        shape = (*lengths[: len(self.axes) - 1], lengths[-1])
        made = {name: rng.uniform(-1.5, 1.5, shape) for name in "tx"}
        labels = rng.integers(0, min(shape[0], shape[-1]), shape[:-1])
        return {**made, "s": rng.uniform(-1.0, 1.0, shape[:-1]), "y": labels}

    def placed(self, found: np.ndarray, axes: frozenset[Axis], shape: tuple[int, ...]) -> np.ndarray:
        """Values of a loss for each sample and place, whatever axes they have."""
        have = [axis.domain for axis in ordered(axes)]
        index = tuple(slice(None) if axis in have else None for axis in self.axes[:-1])
        return np.broadcast_to(np.asarray(found)[index], shape)

    # --- parts

    def _expression(self, free: Mapping[str, str | Range], depth: int) -> Part:
        kind = self.chance.random() if depth else 1.0
        if kind < 0.25:
            return self._both(self.chance.choice("+-*"), *(self._expression(free, depth - 1) for _ in range(2)))
        if kind < 0.35:
            name, function = self.chance.choice([("tanh", math.tanh), ("sin", math.sin), ("bent", lambda u: u * u + u)])
            one = self._expression(free, depth - 1)
            return Part(f"{name}({one.text})", lambda *given: function(one.value(*given)), one.reads)
        if kind < 0.42:
            test, one, other = self._test(free), *(self._expression(free, depth - 1) for _ in range(2))
            return Part(
                f"where({test.text}, {one.text}, {other.text})",
                lambda *given: (one if test.value(*given) else other).value(*given),
                test.reads + one.reads + other.reads,
            )
        if kind < 0.75:
            return self._aggregate(free, depth)
        if kind < 0.87:
            return self._over(free, depth)
        return self._leaf(free)

    def _both(self, sign: str, one: Part, other: Part) -> Part:
        apply = {"+": float.__add__, "-": float.__sub__, "*": float.__mul__}[sign]
        text = f"({one.text} {sign} {other.text})"
        return Part(
            text, lambda *given: apply(float(one.value(*given)), float(other.value(*given))), one.reads + other.reads
        )

    def _aggregate(self, free: Mapping[str, str | Range], depth: int) -> Part:
        chance, new = self.chance, dict[str, str | Range]()
        for _ in range(chance.choice([1, 1, 1, 2, 2, 3])):
            new[f"i{next(self.count)}"] = chance.choice(self.axes)
        if chance.random() < 0.25:
            new[f"w{next(self.count)}"] = chance.choice([(0, 2), (0, 3), (1, 3)])
        inside = {**free, **new}
        body = self._expression(inside, depth - 1)
        test = self._test(inside) if chance.random() < 0.35 else None
        name = chance.choice(["sum", "mean"] if self.smooth else ["sum", "mean", "prod", "max", "min", "logsumexp"])
        reads = body.reads + (test.reads if test else ())
        together = Part("", body.value, reads)
        axes = self.axes

        def value(arrays: Arrays, at: At, indices: At) -> float:
            ranges = [
                together.positions(index, where, arrays, axes) if isinstance(where, str) else list(range(*where))
                for index, where in new.items()
            ]
            terms = []
            for places in itertools.product(*ranges):
                here = {**indices, **dict(zip(new, places, strict=True))}
                if test is None or test.value(arrays, at, here):
                    terms.append(body.value(arrays, at, here))
            return total(name, terms)

        spans = {one: where if isinstance(where, str) else f"{where[0]}:{where[1]}" for one, where in new.items()}
        bound = [f"{one} in {where}" for one, where in spans.items()]
        text = f"{name}[{', '.join(bound)}{f' if {test.text}' if test else ''}]({body.text})"
        return Part(text, value, reads)

    def _over(self, free: Mapping[str, str | Range], depth: int) -> Part:
        over = self.chance.sample(self.axes, self.chance.choice([1, 1, 2]))
        body, axes = self._expression(free, depth - 1), self.axes
        name = self.chance.choice(["sum", "mean"] if self.smooth else ["sum", "mean", "max", "min", "logsumexp"])

        def value(arrays: Arrays, at: At, indices: At) -> float:
            lengths = [range(arrays["x"].shape[axes.index(axis)]) for axis in over]
            elements = ({**at, **dict(zip(over, places, strict=True))} for places in itertools.product(*lengths))
            return total(name, [body.value(arrays, here, indices) for here in elements])

        return Part(f"{name}[{', '.join(over)}]({body.text})", value, body.reads)

    def _test(self, free: Mapping[str, str | Range]) -> Part:
        chance, over = self.chance, {one: axis for one, axis in free.items() if isinstance(axis, str)}
        kind = chance.random()
        if over and kind < 0.4:
            index = chance.choice([*over])
            axis = chance.choice([over[index], over[index], *self.axes])
            return Part(f"{index} <= self[{axis}]", lambda arrays, at, indices: indices[index] <= at[axis])
        if len(over) > 1 and kind < 0.6:
            one, other = chance.sample([*over], 2)
            return Part(f"{one} != {other}", lambda arrays, at, indices: indices[one] != indices[other])
        bound = chance.choice([0.0, 0.5, 50.0])  # the last leaves nothing
        part = self._read(chance.choice("tx"), over, self._moves(chance.choice("tx"), free))
        return Part(f"{part.text} > {bound}", lambda *given: part.value(*given) > bound, part.reads)

    # --- leaves

    def _leaf(self, free: Mapping[str, str | Range]) -> Part:
        chance, over = self.chance, {one: axis for one, axis in free.items() if isinstance(axis, str)}
        kind = chance.random()
        if over and kind < 0.1:
            index = chance.choice([*over])
            return Part(index, lambda arrays, at, indices: float(indices[index]))
        for name, needs, body in self.definitions if kind < 0.25 else []:
            found = [[one for one, axis in over.items() if axis == needed] for needed in needs.values()]
            if all(found):
                return self._of_definition(name, needs, body, [chance.choice(each) for each in found])
        if kind < 0.33 and (along := [one for one, axis in over.items() if axis == "last"]):
            return self._of_slice(chance.choice(along), chance.choice([0, 0, 1, -1]))
        if kind < 0.4:
            return number(chance.choice([2.0, 0.5, -1.5]))
        if kind < 0.47:
            return self._of_label(chance.choice(["last", "batch"]))
        name = chance.choice("txxs")
        return self._read(name, over, self._moves(name, free))

    def _moves(self, name: str, free: Mapping[str, str | Range]) -> list[tuple[str, int, tuple[str, Range] | None]]:
        """At which indices a tensor is read: each with a number and, maybe, a window."""
        chance = self.chance
        windows = [(one, span) for one, span in free.items() if not isinstance(span, str)]
        has = self.axes[: -1 if name == "s" else None]
        taken: dict[str, tuple[str, int, tuple[str, Range] | None]] = {}
        for index, axis in free.items():
            if isinstance(axis, str) and axis in has and chance.random() < 0.8:
                window = chance.choice(windows) if windows and chance.random() < 0.4 else None
                taken[axis] = (index, chance.choice([0, 0, 1]) if window else chance.choice([0, 0, 1, -1, 2]), window)
        found = list(taken.values())
        chance.shuffle(found)
        return found

    def _read(
        self, name: str, free: Mapping[str, str], moves: list[tuple[str, int, tuple[str, Range] | None]]
    ) -> Part:
        has, axes = self.axes[: -1 if name == "s" else None], self.axes

        def value(arrays: Arrays, at: At, indices: At) -> float:
            where = dict(at)
            for index, by, window in moves:
                where[free[index]] = indices[index] + by + (indices[window[0]] if window else 0)
            return float(arrays[name][tuple(where[axis] for axis in has)])

        def there(index: str, by: int, window: tuple[str, Range] | None) -> Callable[[Arrays, int], bool]:
            low, high = (window[1][0], window[1][1] - 1) if window else (0, 0)
            place = axes.index(free[index])
            return lambda arrays, at: at + by + low >= 0 and at + by + high < arrays["x"].shape[place]

        reads = tuple((index, there(index, by, window), False) for index, by, window in moves)
        texts = [_moved(index, by, window and window[0]) for index, by, window in moves]
        return Part(f"{name}[{', '.join(texts)}]" if texts else name, value, reads)

    def _of_definition(self, name: str, needs: dict[str, str], body: Part, chosen: list[str]) -> Part:
        pairs, axes = zip(needs, chosen, strict=True), self.axes
        moves = [(own, needs[own], index, self.chance.choice([0, 0, 1, -1])) for own, index in pairs]

        def there(own: str, axis: str, by: int) -> Callable[[Arrays, int], bool]:
            return lambda arrays, at: at + by in body.positions(own, axis, arrays, axes)

        def value(arrays: Arrays, at: At, indices: At) -> float:
            return body.value(arrays, at, {own: indices[index] + by for own, _, index, by in moves})

        reads = tuple((index, there(own, axis, by), False) for own, axis, index, by in moves)
        text = f"{name}[{', '.join(_moved(index, by, None) for _, _, index, by in moves)}]"
        return Part(text, value, reads)

    def _of_slice(self, index: str, by: int) -> Part:
        """An element of `n = x[1:]`."""

        def value(arrays: Arrays, at: At, indices: At) -> float:
            row = arrays["x"][tuple(at[axis] for axis in self.axes[:-1])][1:]
            return float(row[indices[index] + by])

        read = (index, lambda arrays, at: 0 <= at + by < arrays["x"].shape[-1] - 1, True)
        return Part(f"n[{_moved(index, by, None)}]", value, (read,))

    def _of_label(self, axis: str) -> Part:
        def value(arrays: Arrays, at: At, indices: At) -> float:
            label = int(arrays["y"][tuple(at[one] for one in self.axes[:-1])])
            return float(arrays["x"][tuple({**at, axis: label}[one] for one in self.axes)])

        return Part("x[y]" if axis == "last" else f"x[y in {axis}]", value)


def _moved(index: str, by: int, window: str | None) -> str:
    text = f"{index} + {window}" if window else index
    return f"{text} {'+' if by > 0 else '-'} {abs(by)}" if by else text

"""Random formulas with indices, and what they mean by loops in plain Python over numpy arrays.

A formula is an aggregate over an index of some axis, of a product of reads: of inputs, of slices of them, and of
definitions with a free index, each at the index plus or minus a number. An index runs over those positions of its axis
at which all that is read with it is there: the loops ask every read at every position.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lossdsl.ir.axes import Axis, ordered

AXES = ("batch", "space", "last")
At = dict[str, int]
Arrays = dict[str, np.ndarray]
Read = Callable[[Arrays, At, int], float | None]
"""An element along an axis, with all other positions at hand; None where there is none."""


@dataclass(frozen=True)
class Case:
    """A loss of `t` and `x`, both (batch, space, last), and its values by loops: one for each sample and place."""

    source: str
    value: Callable[[Arrays], np.ndarray]
    asks: int
    """How many elements of `last` a slice of a fixed length takes; 0 without one. Such a loss may be refused."""


def of_input(name: str, axis: str) -> Read:
    def read(arrays: Arrays, at: At, place: int) -> float | None:
        array = arrays[name]
        where = {**at, axis: place}
        inside = all(0 <= where[each] < array.shape[k] for k, each in enumerate(AXES))
        return float(array[tuple(where[each] for each in AXES)]) if inside else None

    return read


def of_slice(name: str, start: int | None, stop: int | None) -> Read:
    def read(arrays: Arrays, at: At, place: int) -> float | None:
        row = arrays[name][at["batch"], at["space"]][start:stop]
        return float(row[place]) if 0 <= place < len(row) else None

    return read


def of_definition(parts: list[tuple[Read, int]], axis: str) -> Read:
    """The sum of reads at places beside."""

    def read(arrays: Arrays, at: At, place: int) -> float | None:
        if not 0 <= place < arrays["x"].shape[AXES.index(axis)]:
            return None
        found = [one(arrays, at, place + by) for one, by in parts]
        return None if None in found else sum(found)  # type: ignore[arg-type]

    return read


def written(name: str, index: str, by: int) -> str:
    return f"{name}[{index}]" if by == 0 else f"{name}[{index} {'+' if by > 0 else '-'} {abs(by)}]"


def total(name: str, terms: list[float]) -> float:
    """What an aggregate makes of numbers; over nothing as the language has it."""
    if name in ("sum", "mean"):
        return sum(terms) / (max(len(terms), 1) if name == "mean" else 1)
    if name == "prod":
        return math.prod(terms)
    if name == "logsumexp":
        return math.log(sum(map(math.exp, terms))) if terms else -math.inf
    return (max if name == "max" else min)(terms, default=-math.inf if name == "max" else math.inf)


def case(seed: int, *, smooth: bool = False) -> Case:
    """A formula and its meaning; with `smooth`, of aggregates that have a slope everywhere."""
    chance = random.Random(seed)
    axis = chance.choice(AXES)
    lines: list[str] = []
    asks = 0
    pool: list[tuple[str, Read, str]] = [(name, of_input(name, axis), "") for name in "tx"]
    if axis == "last":
        start, stop = chance.choice([(1, None), (None, -1), (1, -1), (2, None), (0, 2), (-2, None)])
        lines.append(f"n = x[{'' if start is None else start}:{'' if stop is None else stop}]")
        pool.append(("n", of_slice("x", start, stop), f"{start}:{stop}"))
        asks = 2 if (start, stop) in ((0, 2), (-2, None)) else 0
    inner = [(chance.choice("tx"), chance.randint(-1, 1)) for _ in range(chance.randint(1, 2))]
    parts = [(of_input(name, axis), by) for name, by in inner]
    lines.append(f"d[m in {axis}] = {' + '.join(written(name, 'm', by) for name, by in inner)}")
    pool.append(("d", of_definition(parts, axis), ""))
    reads = [(*chance.choice(pool), chance.randint(-2, 2)) for _ in range(chance.randint(1, 3))]
    term = "*".join(written(name, "i", by) for name, _, _, by in reads)
    kind = chance.choice(["", "", "value", "self", "even"])
    test = {
        "": "",
        "value": f" if {written('x', 'i', 0)} > 0",
        "self": f" if i != self[{axis}]",
        "even": " if mod(i, 2) == 0",
    }[kind]
    asked = [(read, by) for _, read, _, by in reads] + ([(of_input("x", axis), 0)] if kind == "value" else [])
    aggregate = chance.choice(["sum", "mean"] if smooth else ["sum", "mean", "prod", "max", "min", "logsumexp"])
    of_slices = {cut for _, _, cut, _ in reads} | ({""} if kind == "value" else set())
    cut = of_slices.pop() if len(of_slices) == 1 else ""
    if cut and kind == "self":
        kind, test = "", ""  # the position at hand is one on the whole axis
    factor = chance.choice(["", "*x", "*t"]) if aggregate in ("sum", "mean", "prod") else ""  # of inf, signs are lost
    source = "\n".join(["loss indexed(t, x)", *lines, f"{aggregate}[i in {axis}{test}]({term}){factor}"])

    def at_hand(arrays: Arrays, at: At) -> float:
        length = arrays["x"].shape[AXES.index(axis)]
        if cut:  # the index belongs to what is left, if it reads nothing else
            length = len(range(length)[slice(*(None if end == "None" else int(end) for end in cut.split(":")))])
        terms = []
        for i in range(length):
            found = [read(arrays, at, i + by) for read, by in asked]
            if None in found:
                continue
            chosen = {"": True, "value": found[-1] > 0, "self": i != at[axis], "even": i % 2 == 0}[kind]
            if chosen:
                terms.append(math.prod(found[: len(reads)]))
        own = 1.0 if not factor else arrays[factor[1]][tuple(at[each] for each in AXES)]
        return total(aggregate, terms) * own

    def value(arrays: Arrays) -> np.ndarray:
        batch, space, last = arrays["x"].shape
        found = np.zeros((batch, space))
        for b, s in np.ndindex(batch, space):
            found[b, s] = sum(at_hand(arrays, dict(zip(AXES, (b, s, k), strict=True))) for k in range(last)) / last
        return found

    return Case(source, value, asks)


SHAPES = [(2, 3, 4), (3, 1, 5), (1, 4, 2), (1, 1, 1), (4, 2, 3), (2, 2, 1)]


def drawn(seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    return {name: rng.uniform(-1.5, 1.5, shape) for name in "tx"}


def slope(value: Callable[[Arrays], np.ndarray], arrays: Arrays, weights: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The derivative in x of the weighted sum of values, by central differences of the loops."""
    found = np.zeros_like(arrays["x"])
    for place in np.ndindex(found.shape):
        both = []
        for sign in (1, -1):
            moved = arrays["x"].copy()
            moved[place] += sign * step
            both.append(float(np.sum(weights * value({**arrays, "x": moved}))))
        found[place] = (both[0] - both[1]) / (2 * step)
    return found


def placed(found: np.ndarray, axes: frozenset[Axis], shape: tuple[int, ...]) -> np.ndarray:
    """Values of a loss for each sample and place, whatever axes they have."""
    have = [axis.domain for axis in ordered(axes)]
    index = tuple(slice(None) if axis in have else None for axis in AXES[:2])
    return np.broadcast_to(np.asarray(found)[index], shape)

"""Random formulas over places that have names, and what they mean by loops in plain Python over numpy arrays.

A formula is an aggregate over one, two or three indices, over the rows and columns of an image or any other axis, of a
product of reads: of inputs and of a definition, each at some of the indices plus or minus a number. An index runs over
those positions at which all that is read with it is there: the loops ask every read at every position.
"""

import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from index_cases import total

from lossdsl.ir.axes import Axis, ordered

AXES = ("batch", "row", "col", "last")
HEADER = "loss placed(t, x)\nplaces row, col"
At = dict[str, int]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A loss of `t` and `x`, both (batch, row, col, last), and its values by loops: one for each sample and place."""

    source: str
    value: Callable[[Arrays], np.ndarray]
    asks: int = 0
    """As in `index_cases`: there are no slices of a fixed length here."""


@dataclass(frozen=True)
class Read:
    """A tensor read at some of the indices plus numbers; each index by its name."""

    name: str
    moves: tuple[tuple[str, int], ...]

    def text(self, called: Mapping[str, str] = MappingProxyType({})) -> str:
        """As it is written, where indices may be called otherwise."""
        moves = [(called.get(index, index), by) for index, by in self.moves]
        parts = [index if not by else f"{index} {'+' if by > 0 else '-'} {abs(by)}" for index, by in moves]
        return f"{self.name}[{', '.join(parts)}]" if parts else self.name

    def found(self, arrays: Arrays, at: At, indices: At, homes: dict[str, str]) -> float | None:
        where = {**at, **{homes[index]: indices[index] + by for index, by in self.moves}}
        array = arrays[self.name]
        if any(not 0 <= where[axis] < array.shape[k] for k, axis in enumerate(AXES)):
            return None
        return float(array[tuple(where[axis] for axis in AXES)])

    def is_there(self, index: str, place: int, length: int) -> bool:
        return all(0 <= place + by < length for name, by in self.moves if name == index)


def case(seed: int, *, smooth: bool = False) -> Case:
    """A formula and its meaning; with `smooth`, of aggregates that have a slope everywhere."""
    chance = random.Random(seed)
    known = {"i": "row", "j": "col", "g": "row", "b": "batch", "k": "last"}
    chosen = chance.choice(["i", "j", "ij", "ij", "ji", "ig", "ijg", "ib", "jk", "ijk"])
    homes = {index: known[index] for index in chosen}
    reads = [_read(chance, chance.choice("tx"), homes) for _ in range(chance.randint(1, 3))]
    lines: list[str] = []
    inner: list[Read] = []
    if {"i", "j"} <= homes.keys() and chance.random() < 0.5:
        inner = [_read(chance, chance.choice("tx"), {"i": "row", "j": "col"}) for _ in range(2)]
        texts = [one.text({"i": "m", "j": "n"}) for one in inner]
        lines.append(f"d[m in row, n in col] = {texts[0]}*{texts[1]}")
        reads[0] = Read("d", (("i", chance.randint(-1, 1)), ("j", chance.randint(-1, 1))))
    aggregate = chance.choice(["sum", "mean"] if smooth else ["sum", "mean", "prod", "max", "min", "logsumexp"])
    binder = ", ".join(f"{index} in {home}" for index, home in homes.items())
    test, chooses = _filter(chance, chosen, homes)
    around = chance.choice(["", "", "mean[row]", "sum[space]", "max[col]" if not smooth else "sum[col]"])
    term = "*".join(one.text() for one in reads)
    formula = f"{aggregate}[{binder}{test}]({term})"
    if aggregate in ("sum", "mean") and chance.random() < 0.5:
        formula += "*x"
        factor = True
    else:
        factor = False
    source = "\n".join([HEADER, *lines, f"{around}({formula})" if around else formula])

    def at_hand(arrays: Arrays, at: At) -> float:
        lengths = dict(zip(AXES, arrays["x"].shape, strict=True))
        ranges = []
        for index, home in homes.items():
            asked = [one for one in reads if one.name != "d"]
            there = [p for p in range(lengths[home]) if all(one.is_there(index, p, lengths[home]) for one in asked)]
            for one in (one for one in reads if one.name == "d" and index in "ij"):
                by = dict(one.moves)[index]
                length = lengths[home]
                inside = [p for p in range(length) if all(each.is_there(index, p, length) for each in inner)]
                there = [p for p in there if p + by in inside]
            ranges.append(there)
        terms = []
        for positions in itertools.product(*ranges):
            indices = dict(zip(homes, positions, strict=True))
            if not chooses(arrays, at, indices):
                continue
            product = 1.0
            for one in reads:
                if one.name == "d":
                    moved = {index: indices[index] + by for index, by in one.moves}
                    values = [each.found(arrays, at, moved, homes) for each in inner]
                else:
                    values = [one.found(arrays, at, indices, homes)]
                product *= math.prod(values)  # type: ignore[arg-type]
            terms.append(product)
        own = float(arrays["x"][tuple(at[axis] for axis in AXES)]) if factor else 1.0
        return total(aggregate, terms) * own

    def value(arrays: Arrays) -> np.ndarray:
        shape = arrays["x"].shape
        found = np.zeros(shape)
        for place in np.ndindex(shape):
            found[place] = at_hand(arrays, dict(zip(AXES, place, strict=True)))
        if around:
            reduce = {"mean": np.mean, "sum": np.sum, "max": np.max}[around.partition("[")[0]]
            axes = {"row": (1,), "col": (2,), "space": (1, 2)}[around.partition("[")[2].rstrip("]")]
            found = np.broadcast_to(reduce(found, axis=axes, keepdims=True), shape)
        return found.mean(-1)

    return Case(source, value)


def _read(chance: random.Random, name: str, homes: dict[str, str]) -> Read:
    """A read at some of the indices, at most one along each axis, in any order."""
    moves: dict[str, tuple[str, int]] = {}
    for index, home in homes.items():
        if chance.random() < 0.8:
            moves[home] = (index, chance.choice([0, 0, 1, -1, 2]))
    found = list(moves.values())
    chance.shuffle(found)
    return Read(name, tuple(found))


def _filter(chance: random.Random, chosen: str, homes: dict[str, str]) -> tuple[str, Callable[[Arrays, At, At], bool]]:
    kind = chance.choice(["", "", "self", "even", "order", "self named"])
    first = chosen[0]
    home = homes[first]
    if kind == "self":
        return f" if {first} != self", lambda _, at, indices: indices[first] != at[home]
    if kind == "self named":
        return f" if {first} >= self[col]", lambda _, at, indices: indices[first] >= at["col"]
    if kind == "even":
        return f" if mod({first}, 2) == 0", lambda _, at, indices: indices[first] % 2 == 0
    if kind == "order" and len(chosen) > 1:
        second = chosen[1]
        return f" if {first} <= {second}", lambda _, at, indices: indices[first] <= indices[second]
    return "", lambda *_: True


SHAPES = [(2, 3, 4, 2), (1, 4, 3, 2), (3, 1, 2, 1), (1, 2, 1, 3), (2, 3, 3, 1), (1, 1, 1, 1)]


def drawn(seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    return {name: rng.uniform(-1.5, 1.5, shape) for name in "tx"}


def placed(found: np.ndarray, axes: frozenset[Axis], shape: tuple[int, ...]) -> np.ndarray:
    """Values of a loss for each sample and place, whatever axes they have."""
    have = [axis.domain for axis in ordered(axes)]
    index = tuple(slice(None) if axis in have else None for axis in AXES[:3])
    return np.broadcast_to(np.asarray(found)[index], shape)

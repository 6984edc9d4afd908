"""Random formulas with windows and with tables over two indices of one axis, and what they mean by loops.

A window reads at an index plus others that run over numbers. A table is a definition with two free indices along one
axis; it is read at the two, in either order, or twice at one, each plus a number. The names of the indices are drawn
anew where the table is read, and may be those with which it was made. An index runs where all that is read is there.
"""

import itertools
import math
import random

import numpy as np
from index_cases import AXES, Arrays, At, Case, total


def _value(arrays: Arrays, name: str, at: At) -> float | None:
    array = arrays[name]
    if any(not 0 <= at[axis] < array.shape[k] for k, axis in enumerate(AXES)):
        return None
    return float(array[tuple(at[axis] for axis in AXES)])


def _plus(index: str, by: int) -> str:
    return index if by == 0 else f"{index} {'+' if by > 0 else '-'} {abs(by)}"


def window(seed: int, *, smooth: bool = False) -> Case:
    """An aggregate of windows along an axis: `mean[i in space](sum[k in 0:3](w*x[i + 2*k - 1]))`."""
    chance = random.Random(seed)
    axis = chance.choice(AXES)
    low, count = chance.choice([0, 0, 1]), chance.randint(1, 3)
    numbers = range(low, low + count)
    step, by = chance.choice([1, 1, -1, 2]), chance.choice([0, 0, 1, -1])
    inside = chance.choice(["sum", "mean"] if smooth else ["sum", "mean", "max", "min", "prod", "logsumexp"])
    outside = chance.choice(["sum", "mean"])
    test = chance.choice(["", "", "odd", "here"])
    way = "i" + {1: " + k", -1: " - k", 2: " + 2*k"}[step] + (_plus("", by) if by else "")
    filters = {"": "", "odd": " if mod(k, 2) == 1", "here": " if t[i] > 0"}
    inner = f"{inside}[k in {low}:{low + count}{filters[test]}](x[{way}]*t[i])"
    source = f"loss windows(t, x)\n{outside}[i in {axis}]({inner})"
    if chance.random() < 0.3:
        source = f"loss windows(t, x)\nw[i in {axis}] = {inner}\n{outside}[i in {axis}](w[i])"

    def at_hand(arrays: Arrays, at: At) -> float:
        terms = []
        for i in range(arrays["x"].shape[AXES.index(axis)]):
            read = [_value(arrays, "x", {**at, axis: i + step * k + by}) for k in numbers]
            here = _value(arrays, "t", {**at, axis: i})
            if None in read or here is None:
                continue
            chosen = [k for k in numbers if {"": True, "odd": k % 2 == 1, "here": here > 0}[test]]
            terms.append(total(inside, [here * read[k - low] for k in chosen]))  # type: ignore[operator]
        return total(outside, terms)

    return Case(source, _over(at_hand), 0)


def table(seed: int, *, smooth: bool = False) -> Case:
    """An aggregate over a table: `s[i in batch, j in batch] = x[i]*t[j]`, then `max[i, j](s[j, i])` over the batch."""
    chance = random.Random(seed)
    axis = chance.choice(AXES)
    made = chance.choice([("i", "j"), ("j", "i"), ("m", "n")])
    one, two = (chance.choice([0, 0, 1, -1]) for _ in range(2))
    lines = [f"s[{made[0]} in {axis}, {made[1]} in {axis}] = x[{_plus(made[0], one)}]*t[{_plus(made[1], two)}]"]
    reads = []
    for _ in range(chance.randint(1, 3)):
        order = chance.choice([("i", "j"), ("j", "i"), ("j", "i"), ("i", "i")])
        reads.append([(index, chance.choice([0, 0, 0, 1])) for index in order])
    aggregate = chance.choice(["sum", "mean"] if smooth else ["sum", "mean", "max", "min", "logsumexp"])
    text = "*".join(f"s[{', '.join(_plus(*move) for move in moves)}]" for moves in reads)
    apart = chance.random() < 0.5
    binder = (
        f"{aggregate}[i in {axis}]({aggregate}[j in {axis}](" if apart else f"{aggregate}[i in {axis}, j in {axis}](("
    )
    source = "\n".join(["loss tables(t, x)", *lines, f"{binder}{text} + 0*x[i]*x[j]))"])

    def entry(arrays: Arrays, at: At, first: int, second: int) -> float | None:
        length = arrays["x"].shape[AXES.index(axis)]
        if not (0 <= first < length and 0 <= second < length):
            return None
        left, right = (_value(arrays, n, {**at, axis: p}) for n, p in (("x", first + one), ("t", second + two)))
        return None if left is None or right is None else left * right

    def at_hand(arrays: Arrays, at: At) -> float:
        length = arrays["x"].shape[AXES.index(axis)]
        rows: list[list[float]] = []
        for i in range(length):
            row = []
            for j in range(length):
                here = {"i": i, "j": j}
                found = [entry(arrays, at, *(here[index] + by for index, by in moves)) for moves in reads]
                if None not in found:
                    row.append(math.prod(found))  # type: ignore[arg-type]
            rows.append(row)
        there = [i for i in range(length) if rows[i]]
        if apart:
            return total(aggregate, [total(aggregate, rows[i]) for i in there])
        return total(aggregate, list(itertools.chain(*rows)))

    return Case(source, _over(at_hand), 0)


def _over(at_hand):
    """The values for each sample and place of what is found for each element."""

    def value(arrays: Arrays) -> np.ndarray:
        shape = arrays["x"].shape
        found = np.zeros(shape)
        for place in np.ndindex(shape):
            found[place] = at_hand(arrays, dict(zip(AXES, place, strict=True)))
        return found.mean(-1)

    return value

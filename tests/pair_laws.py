"""Distances of pairs that no matrix product keeps: near, equal, huge and tiny ones, and what they are in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

EPS = 2.0**-23


class Law(NamedTuple):
    """A loss of distances `d` of pairs of x and y, `weight` times `value` of each summed; `slope` is its derivative."""

    formula: str
    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    is_own: bool
    """Whether y is x; else it is the target."""


def _inverse(d: Any) -> Any:
    return 1 / (1e-3 + d)


LAWS = [
    Law("mean[j in batch](norm(x - x[j]))", lambda d: d, np.ones_like, True),
    Law("mean[j in batch](norm(x - t[j]))", lambda d: d, np.ones_like, False),
    Law("mean[j in batch](1/(0.001 + norm(x - x[j])))", _inverse, lambda d: -(_inverse(d) ** 2), True),
    Law("mean[j in batch](sqrt(1 + sum((t - x[j])^2)))", lambda d: np.hypot(1, d), lambda d: d / np.hypot(1, d), False),
    Law("mean[j in batch](where(norm(x - x[j]) < 0.1, norm(x - x[j]), 0))",
        lambda d: np.where(d < 0.1, d, 0), lambda d: d < 0.1, True),
]  # fmt: skip
SIZE = (190, 128)
"""With more than 2^22 numbers in all pairs."""


def batch(rng: np.random.Generator, law: Law, *, is_clustered: bool = False) -> tuple[Any, Any]:
    """A target and a prediction, float32, with pairs that coincide, nearly do, and are of all sizes."""
    t, x = rng.normal(size=(2, *SIZE))
    if is_clustered:
        x = 100 * x[rng.integers(0, 3, len(x))] + 1e-4 * x
        return (x + 1e-3 * t).astype("float32"), x.astype("float32")
    for one, (other, gap) in enumerate([(20, 0.0), (21, 1e-6), (22, 1e-4), (23, 1e-2), (24, 0.1), (20, 0.0)]):
        x[one] = x[other] + gap * rng.normal(size=SIZE[1])
    x[30:33] *= 1e19 if "norm" in law.formula else 1e17  # squares overflow, which a norm does not
    x[33:36] *= 1e-26  # squares vanish
    x[36] = x[37] + 1e-30
    t[:40] = x[:40]
    t[40:60] = x[40:60] * (1 + 1e-5 * rng.normal(size=(20, 1)))
    return t.astype("float32"), x.astype("float32")


def truth(law: Law, t: Any, x: Any) -> tuple[Any, Any, Any]:
    """One value a sample, the gradient of their sum in x, and the size of what is summed in that."""
    t, x = t.astype(float), x.astype(float)
    mine, others = (x, x) if law.is_own else (x, t)
    if "(t - x[j])" in law.formula:
        mine, others = t, x
    value, slope, size = np.zeros(len(x)), np.zeros_like(x), np.zeros_like(x)
    for place, one in enumerate(mine):
        apart = one - others
        d = np.linalg.norm(apart, axis=1)
        value[place] = np.mean(law.value(d))
        pulls = (law.slope(d) / np.where(d > 0, d, 1) / len(x))[:, None] * apart
        if mine is x:
            slope[place] += pulls.sum(0)
            size[place] += np.abs(pulls).sum(0)
        if others is x:
            slope -= pulls
            size += np.abs(pulls)
    return value, slope, size


def holds(law: Law, t: Any, x: Any, found: tuple[Any, Any], where: str) -> None:
    """Values have their digits, and slopes those of the terms that they sum, in units of float32."""
    value, slope, size = truth(law, t, x)
    off = np.abs(np.asarray(found[0], float) - value) / (EPS * np.abs(value) + 1e-37)
    assert np.max(off) < 24, f"{where}, value of {law.formula}: {np.max(off):.0f} units at {np.argmax(off)}"
    scale = np.max(size, axis=1, keepdims=True)
    off = np.abs(np.asarray(found[1], float) - slope) / (EPS * scale + 1e-37)
    assert np.max(off) < 64, f"{where}, slope of {law.formula}: {np.max(off):.0f} units at {np.argmax(off.max(1))}"


HARDEST = {
    "hardest of a class, and of the others":
        "D[j in batch] = norm(x - x[j])\n"
        "max(0, max[p in batch if k[p] == k](D[p]) - min[n in batch if k[n] != k](D[n]) + 1)",
    "nearest of targets": "min[j in batch](norm(x - t[j]))^2",
    "nearest prediction": "w*min[j in batch](sum((t - x[j])^2))",
    "weights of both": "w*max[j in batch](w[j]*norm(x - x[j]))/(1 + w)",
}  # fmt: skip
"""Losses of which each sample has one pair; `k` are its classes and `w` is a weight, of its places where it has any."""


def hardest(name: str, t: Any, x: Any, k: Any, w: Any) -> float:
    """The sum of all values, by loops over samples and places; x may be complex, as in a derivative by a small step."""
    total: Any = 0.0
    for i, place in np.ndindex(*x.shape[:2]):
        of_t, of_x, own, each = t[:, place], x[:, place], k[:, place], w[:, place]

        def apart(one: Any, other: Any) -> Any:
            return np.sqrt(np.sum((one - other) ** 2))

        def most(values: list[Any], sign: int) -> Any:
            return max(values, key=lambda value: sign * value.real)

        others = range(len(x))
        if name == "nearest of targets":
            total += most([apart(of_x[i], of_t[j]) for j in others], -1) ** 2
        elif name == "nearest prediction":
            total += each[i] * most([apart(of_t[i], of_x[j]) for j in others], -1) ** 2
        elif name == "weights of both":
            total += each[i] * most([each[j] * apart(of_x[i], of_x[j]) for j in others], 1) / (1 + each[i])
        else:
            far = most([apart(of_x[i], of_x[j]) for j in others if own[j] == own[i]], 1)
            near = most([apart(of_x[i], of_x[j]) for j in others if own[j] != own[i]], -1)
            total += most([far - near + 1, 0 * far], 1)
    return total


def hardest_cases(rng: np.random.Generator) -> Iterator[tuple[str, str, tuple[Any, ...], Any]]:
    """Name and text of a loss, its inputs with the prediction second, and the slope in it of the sum of all values."""
    for (name, formula), places in itertools.product(HARDEST.items(), (1, 2)):
        t, x = rng.normal(size=(2, 7, places, 3))
        k, w = np.arange(7)[:, None] % 3 + np.zeros((7, places), int), rng.uniform(0.5, 2.0, (7, places))
        slope = np.zeros_like(x)
        for place in np.ndindex(*x.shape):
            step = np.zeros(x.shape, complex)
            step[place] = 1e-30j
            slope[place] = hardest(name, t, x + step, k, w).imag / 1e-30
        inputs = (t, x, k, w) if places > 1 else (t[:, 0], x[:, 0], k[:, 0], w[:, 0])
        yield name, f"loss f(t, x, k: label, w: scalar)\n{formula}", inputs, slope.reshape(inputs[1].shape)

"""A sweep over twenty losses: a line fitted by each to points of which every tenth lies far off, scored on clean ones.

    python examples/sweep.py

A loss is a text or a mapping, as it stands in YAML: plain data, which an engine sends to its workers. The engine is the
one line that says so. On a cluster of Dask's (`pip install distributed`) or of Ray's (`pip install ray`) it is another:

    with distributed.Client().get_executor() as pool:
    with ray.util.multiprocessing.Pool() as pool:
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from scipy.optimize import minimize

import lossdsl

LOSSES: list[str | Mapping[str, Any]] = [
    "mean_squared_error",
    "mean_absolute_error",
    "log_cosh",
    "charbonnier",
    {"huber": {"delta": 0.1}},
    {"huber": {"delta": 1.0}},
    {"pseudo_huber": {"delta": 0.1}},
    {"smooth_l1": {"beta": 0.5}},
    {"cauchy": {"c": 0.2}},
    {"cauchy": {"c": 2.0}},
    {"welsch": {"c": 1.0}},
    {"geman_mcclure": {"c": 1.0}},
    {"tukey_biweight": {"c": 2.0}},
    {"fair": {"c": 0.5}},
    {"barron": {"alpha": 0.0, "c": 0.5}},
    {"quantile": {"q": 0.4}},
    {"expectile": {"q": 0.4}},
    "abs(t - x)^1.2",
    "log(1 + abs(t - x))",
    "e = t - x\nsqrt(1 + e^2) + 0.1*abs(e)",
]


def points(count: int, seed: int, far: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a line; every `far`-th target is far off, none if that is 0."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-2.0, 2.0, count)
    y = 2.0 * x - 1.0 + draw.normal(0.0, 0.1, count)
    if far:
        y[::far] += draw.uniform(5.0, 20.0, len(y[::far]))
    return x, y


def score(source: str | Mapping[str, Any]) -> float:
    """The mean absolute error, on clean points, of a line that is fitted by a loss."""
    loss = lossdsl.load(source).numpy
    x, y = points(200, 1, far=10)

    def objective(line: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss.by_row.value_and_grad(y, line[0] * x + line[1])
        return float(np.mean(value)), np.array([np.mean(slope * x), np.mean(slope)])

    line = minimize(objective, np.zeros(2), jac=True, method="BFGS").x
    inputs, targets = points(1000, 2, far=0)
    return float(np.mean(np.abs(line[0] * inputs + line[1] - targets)))


def main() -> None:
    with ProcessPoolExecutor() as pool:  # the engine
        found = list(pool.map(score, LOSSES))
    for error, source in sorted(zip(found, map(str, LOSSES), strict=True)):
        print(f"{error:.3f}  {source.splitlines()[-1]}")


if __name__ == "__main__":
    main()

"""A search over losses with `lossdsl.properties` as its filter: which shapes of an error may a robust fit use?

    python examples/search.py

Formulas of the error are drawn at random. Most of them are no losses: least somewhere else, without a lower bound,
undefined for some error, or steeper the larger the error. These are dropped before anything is fitted; what is left
fits a line to points of which every fifth lies far off.
"""

from __future__ import annotations

import random

import numpy as np
from scipy.optimize import minimize

import lossdsl

COUNT = 150
WANTED = ("symmetric", "least at t = x", "finite", "bounded below", "slope bounded", "continuous")
TRUTH = np.array([2.0, -1.0])


def formula(draw: random.Random, depth: int = 3) -> str:
    """A random formula of the error `e`."""
    if depth == 0 or draw.random() < 0.1:
        return draw.choice(["e", "e", "abs(e)", "e^2", "1", "0.5"])
    a, b = formula(draw, depth - 1), formula(draw, depth - 1)
    return draw.choice([
        f"({a} + {b})",
        f"({a} - {b})",
        f"{a}*{b}",
        f"({a})/(1 + abs({b}))",
        f"abs({a})",
        f"log(1 + ({a})^2)",
        f"log(cosh({a}))",
        f"sqrt(1 + ({a})^2)",
        f"exp(-({a})^2)",
        f"where(abs(e) < 1, {a}, {b})",
        f"max({a}, {b})",
    ])  # fmt: skip


def is_wanted(text: str) -> bool:
    """Whether all that is wanted of a loss is proved; the first property that is not ends the work."""
    try:
        found = lossdsl.properties(text)
        return all(found[name].how == "proved" for name in WANTED)
    except lossdsl.LossError:  # a formula in which nothing is left of the prediction
        return False


def fitted(text: str, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Slope and intercept of a line, by the gradient of the loss."""
    loss = lossdsl.load(text)  # its mean over a row of points is one number

    def objective(line: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss.numpy.value_and_grad(targets, line[0] * inputs + line[1])
        return float(value), np.array([np.sum(slope * inputs), np.sum(slope)])

    return minimize(objective, np.zeros(2), jac=True, method="BFGS").x


def main() -> None:
    draw = random.Random(1)
    texts = list(dict.fromkeys(f"e = t - x\n{formula(draw)}" for _ in range(COUNT)))
    kept = [text for text in texts if is_wanted(text)]
    print(f"{len(texts)} formulas, {len(kept)} losses with a proof that they are " + ", ".join(WANTED))

    noise = np.random.default_rng(5)
    inputs = noise.uniform(-2.0, 2.0, 100)
    targets = TRUTH[0] * inputs + TRUTH[1] + noise.normal(0.0, 0.1, 100)
    targets[::5] += noise.uniform(5.0, 20.0, 20)  # every fifth is far off, and above
    found = [(float(np.max(np.abs(fitted(text, inputs, targets) - TRUTH))), text) for text in kept]
    for error, text in sorted(found)[:10]:
        print(f"off by {error:.3f}  {text.splitlines()[1]}")
    squares = float(np.max(np.abs(fitted("(t - x)^2", inputs, targets) - TRUTH)))
    print(f"off by {squares:.3f}  squares, for comparison")


if __name__ == "__main__":
    main()

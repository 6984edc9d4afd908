"""Two losses between a one-hot target and ten class scores, on numpy arrays: no Keras is loaded.

python examples/one_hot.py
"""

from __future__ import annotations

import lossdsl

SCORES = [0.1, 0.6, 0.2, 0.05, 0.05, 0, 0, 0, 0, 0]

LOSSES = {
    # The sum takes the last axis away, so what is left is one number a sample: nothing is averaged any more.
    "half the squared distance": "0.5*sum((x - t)^2)",
    # 1e-7 keeps the logarithm finite where a score is 0.
    "cross-entropy": "-sum(t*log(x + 1e-7))",
}


def one_hot(label: int, classes: int = 10) -> list[float]:
    """1 at the place of the label and 0 elsewhere."""
    return [float(place == label) for place in range(classes)]


def main() -> None:
    for name, formula in LOSSES.items():
        loss = lossdsl.load(formula)
        print(f"{name}: {formula}")
        for label in (0, 1):
            # One sample without a batch axis, in float64; `numpy.grad` gives the slope in each of the ten scores.
            value = loss.numpy(one_hot(label), SCORES)
            slope = loss.numpy.grad(one_hot(label), SCORES)
            print(f"  class {label}: {float(value)!r}, slope in its score {slope[label]:.6g}")


if __name__ == "__main__":
    main()

"""What a row of these tables is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Reference = Callable[..., Any]
TINY = 1e-30
"""What keeps a quotient defined, so small that it does not show."""


@dataclass(frozen=True)
class Row:
    """Arrays by the names of the inputs, parameters, and the values: one a sample, or one for the batch.

    The reference is called with the arrays of a whole batch, then the parameters; `mean` says that its values are those
    of elements, which are averaged over a sample.
    """

    inputs: Callable[[np.random.Generator], dict[str, np.ndarray]]
    reference: Reference
    parameters: dict[str, Any]
    mean: bool


Rows = dict[str, Row]


def into(rows: Rows) -> Callable[..., Callable[[Reference], Reference]]:
    """A decorator that puts a reference into a table, under its own name; its parameters have its defaults."""

    def of(
        inputs: Callable[[np.random.Generator], dict[str, np.ndarray]], *, mean: bool = False, **parameters: Any
    ) -> Callable[[Reference], Reference]:
        def added(reference: Reference) -> Reference:
            assert reference.__name__ not in rows
            rows[reference.__name__] = Row(inputs, reference, parameters, mean)
            return reference

        return added

    return of


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def softmax(x):
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)


def real(*names, shape=(5, 4), scale=1.5):
    """Normal numbers for each of the names."""
    return lambda rng: {name: scale * rng.normal(size=shape) for name in names}


def labelled(rng, classes=4):
    """A class for each of six samples, and as many logits."""
    return {"t": rng.integers(0, classes, size=6), "x": 2 * rng.normal(size=(6, classes))}

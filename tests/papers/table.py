"""What a row of these tables is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Paper:
    """A loss, arrays for it (the prediction second), and its values from those arrays.

    `has_slope` is false where the reference is no function that a difference quotient differentiates: it stops a
    gradient, or jumps.
    """

    source: str
    inputs: Callable[[np.random.Generator], tuple[np.ndarray, ...]]
    reference: Callable[..., np.ndarray]
    has_slope: bool = True


Rows = dict[str, Paper]
Inputs = Callable[[np.random.Generator], tuple[np.ndarray, ...]]
Reference = Callable[..., np.ndarray]


def into(rows: Rows) -> Callable[..., Callable[[Reference], Reference]]:
    """A decorator for references, which puts them into a table together with their texts."""

    def paper(source: str, inputs: Inputs, *, has_slope: bool = True) -> Callable[[Reference], Reference]:
        def added(reference: Reference) -> Reference:
            rows[reference.__name__] = Paper(source, inputs, reference, has_slope)
            return reference

        return added

    return paper


def two(rng, shape=(5, 3)):
    return rng.normal(size=shape), rng.normal(size=shape)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x, axis=-1):
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def norm(x, axis=-1):
    return np.sqrt((x**2).sum(axis))


def unit(x, axis=-1):
    return x / norm(x, axis)[..., None]


def windows(x, size, axes):
    """Every window of an image, behind the other axes."""
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=axes)

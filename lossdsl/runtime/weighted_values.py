"""Values of a loss under weights, as one number: outside of Keras, which has rules of its own."""

from __future__ import annotations

from typing import Any

from lossdsl.errors import LossConfigError, LossShapeError
from lossdsl.runtime.shapes import show

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: Any) -> None:
    """Raises LossConfigError where there is no such reduction."""
    if reduction not in REDUCTIONS:
        known = ", ".join(f'"{one}"' for one in REDUCTIONS)
        raise LossConfigError(f"there is no reduction {reduction!r}", None, f"one of {known}")


def reduced(values: Any, weights: Any, reduction: str, label: str) -> Any:
    """The values under weights, which are a tensor with one number a sample (and place), or None.

    The mean under weights is sum(w*v)/sum(w), as in torch's losses, `numpy.average` and scikit-learn's metrics; 0 where
    the weights sum to 0.
    """
    if weights is None:
        return values if reduction == "none" else values.mean() if reduction == "mean" else values.sum()
    given = tuple(weights.shape)
    while len(weights.shape) < len(values.shape) and given:
        weights = weights[..., None]
    if len(weights.shape) > len(values.shape) or not all(
        w in (1, v) for w, v in zip(weights.shape[::-1], values.shape[::-1], strict=False)
    ):
        raise LossShapeError(
            f"{label}: the weights have shape {show(given)}, the values of the loss {show(tuple(values.shape))}",
            None,
            "weights have one number a sample, or one a sample and place"
            if values.shape
            else "this loss is one number for the whole batch: weigh inside the loss, with an input for the weights",
        )
    weighted = values * weights
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    total = (weights + values * 0).sum() if weights.shape != values.shape else weights.sum()
    return weighted.sum() / (total + (total == 0))

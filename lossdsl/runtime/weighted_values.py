"""Values of a loss under weights, as one number: outside of Keras, which has rules of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lossdsl.errors import LossConfigError, LossShapeError
from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Input
from lossdsl.ir.inputs import InputSpec
from lossdsl.pipeline import Program
from lossdsl.runtime.shapes import show

_INSIDE = "weigh inside the loss, with an input for the weights"
REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: Any) -> None:
    """Raises LossConfigError where there is no such reduction."""
    if reduction not in REDUCTIONS:
        known = ", ".join(f'"{one}"' for one in REDUCTIONS)
        raise LossConfigError(f"there is no reduction {reduction!r}", None, f"one of {known}")


def no_samples(label: str) -> LossShapeError:
    """The mistake that weights are given for what is one number for the whole batch."""
    return LossShapeError(f"{label} is one number for the whole batch, and has no samples to weigh", None, _INSIDE)


def weighted(program: Program) -> tuple[Program, str]:
    """The loss with a weight for each value as one more input, and what that is called. Raises LossShapeError."""
    loss = program.loss
    if BATCH not in loss.result.axes:
        raise no_samples(loss.name)
    taken = {node.name for one in loss.inputs for node in one.nodes} | {one.name for one in loss.parameters}
    name = "sample_weights"
    while name in taken:
        name += "_"
    layout = "scalar" if loss.result.axes == loss.sample_axes else "sample scalar"
    spec = InputSpec((Input(name, loss.result.axes),), layout=layout, places=loss.places)
    result = b.mul(spec.nodes[0], loss.result)
    inputs = (*loss.inputs, spec) if loss.target is not None else (spec, *loss.inputs)  # the prediction stays second
    made = replace(loss, inputs=inputs, value=result, result=result)
    return Program(program.file, made), name


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
            else f"this loss is one number for the whole batch: {_INSIDE}",
        )
    weighted = values * weights
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    total = (weights + values * 0).sum() if weights.shape != values.shape else weights.sum()
    return weighted.sum() / (total + (total == 0))

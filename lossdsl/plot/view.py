"""What a picture of a loss shows: which number is drawn along the horizontal axis, and for which targets.

- Where only the difference of prediction and target counts, that difference.
- Else the prediction, for each of a few targets.
- Of a loss over classes, the prediction for the second of two classes, for each label. Where only the difference of the
  two predictions counts, they are logits, and the first is 0; else they are probabilities, and add up to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, walk
from lossdsl.ir.mixing import mixes_elements, mixes_samples
from lossdsl.runtime.spec import LoadedLoss

Array = NDArray[np.float64]

REMEDY = "a picture shows a loss of one target and one prediction, each a single number or one of two classes"

_RANGES = {
    "prob": (0.0, 1.0),
    "simplex": (0.0, 1.0),
    "binary": (0.0, 1.0),
    "onehot": (0.0, 1.0),
    "positive": (0.0, 4.0),
    "nonneg": (0.0, 4.0),
    "count": (0.0, 4.0),
    "logprob": (-5.0, 0.0),
    "sign": (-1.0, 1.0),
    "unit": (-1.0, 1.0),
}
_TARGETS = {
    "prob": (0.0, 1.0),
    "binary": (0.0, 1.0),
    "onehot": (0.0, 1.0),
    "simplex": (0.0, 1.0),
    "sign": (-1.0, 1.0),
    "positive": (1.0,),
    "nonneg": (1.0,),
    "count": (1.0,),
}
_CLASSES = ("prob", "onehot", "simplex")
"""Kinds of targets that tell of classes, where the last axis counts as a whole."""

# What the first of two classes is predicted, given the second, and how it changes with that.
_OTHER: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "logits": (np.zeros_like, np.zeros_like),
    "prob": (lambda u: 1 - u, lambda u: -np.ones_like(u)),
    "logprob": (lambda u: np.log(-np.expm1(u)), lambda u: np.exp(u) / np.expm1(u)),
}


class View:
    """A loss as a function of one number, for one target.

    Raises LossTypeError for a loss that is none: with further inputs, inputs of several parts, or vectors.
    """

    def __init__(self, loss: LoadedLoss) -> None:
        self.loss = loss
        self.checked = loss.program.loss
        _refuse(loss)
        value = self.checked.value
        target = self.checked.target
        self.has_target = target is not None and b.depends(value, target.nodes)
        self.is_coupled = mixes_samples(value, conditions=True)
        self.is_of_vectors = mixes_elements(value)
        self.is_of_classes = (
            target is not None
            and not self.checked.prediction.layout
            and (target.is_label or (self.is_of_vectors and target.domain in _CLASSES))
        )

    @property
    def compares(self) -> str:
        """What the loss takes together beside single numbers: samples, vectors, or nothing."""
        return "the samples of a batch" if self.is_coupled else "whole vectors" if self.is_of_vectors else ""

    @property
    def names(self) -> tuple[str, str]:
        """What the loss calls its target and its prediction."""
        target = self.checked.target
        return target.name if target is not None else "t", self.checked.prediction.name

    @cached_property
    def pair(self) -> str:
        """What the predictions for two classes are: prob, logprob or logits."""
        domain = self.checked.prediction.domain
        if domain in ("prob", "simplex", "onehot"):
            return "prob"
        if domain in ("logprob", "logits"):
            return domain
        steps = np.linspace(-2.0, 2.0, 9)
        rows = [self._values(np.stack([np.full_like(steps, base), base + steps], 1), 1.0) for base in (0.0, 1.25, -2.5)]
        return "logits" if _agree(rows) else "prob"

    @cached_property
    def is_shift_invariant(self) -> bool:
        """Whether only x - t counts: the same values, to eleven digits, for several targets."""
        if not self.has_target or self.checked.prediction.domain != "real" or self.is_of_classes:
            return False
        grid = np.linspace(-3.0, 3.0, 25)
        return _agree([self.sampled(grid + shift, shift)[0] for shift in (0.0, 0.375, -2.5)])

    @cached_property
    def range(self) -> tuple[float, float]:
        """What is drawn of the horizontal axis, if the user does not say it."""
        if self.is_of_classes:
            return {"prob": (0.0, 1.0), "logprob": (-5.0, 0.0), "logits": (-5.0, 5.0)}[self.pair]
        target = self.checked.target
        if target is not None and target.domain in ("prob", "binary") and self.checked.prediction.domain == "real":
            outside = np.concatenate([np.linspace(-3.0, -0.01, 40), np.linspace(1.01, 4.0, 40)])
            if not any(self.sampled(outside, each)[1].any() for each in self.targets):
                return 0.0, 1.0  # the prediction is clipped: it is a probability
        return _RANGES.get(self.checked.prediction.domain, (-3.0, 3.0))

    @property
    def targets(self) -> tuple[float, ...]:
        """The targets that tell most about the loss."""
        spec = self.checked.target
        if spec is None or not self.has_target:
            return (0.0,)
        if self.is_of_classes:
            return 0.0, 1.0
        return _TARGETS.get(spec.domain) or self._compared or (0.0,)

    @cached_property
    def _compared(self) -> tuple[float, ...]:
        """The numbers that the formula asks whether the target equals: labels, as in `where(t == 1, …)`."""
        target = self.checked.target
        assert target is not None
        pairs = [
            node.args for node in walk(self.checked.result) if isinstance(node, Call) and node.op.name in ("eq", "ne")
        ]
        found = {b.exact(other) for pair in pairs for one, other in (pair, pair[::-1]) if one in target.nodes}
        return tuple(sorted(float(number) for number in found if number is not None))

    def check_target(self, target: float | None) -> None:
        """Raises LossTypeError for a target that is none of two classes."""
        spec = self.checked.target
        if target is None or spec is None or not self.is_of_classes:
            return
        if not 0 <= target <= 1 or (spec.is_label and target not in (0, 1)):
            message = f"a picture of {self.loss.name} has the classes 0 and 1, and {target:g} is none of them"
            raise LossTypeError(message, None, "name 0, 1 or both")

    def along(self, *, shifted: bool) -> str:
        """What the horizontal axis is."""
        t, x = self.names
        if self.is_of_classes:
            other = {"prob": f"{x}₀ = 1 − {x}₁", "logprob": f"{x}₀ = log(1 − exp({x}₁))", "logits": f"{x}₀ = 0"}
            return f"prediction {x}₁ of class 1   ({other[self.pair]})"
        one = "   (vectors of one element)" if self.is_of_vectors else ""
        return f"prediction − target,  {x} − {t}{one}" if shifted else f"prediction {x}{one}"

    def told(self, target: float) -> str:
        """A target as the legend names it."""
        t, _ = self.names
        return f"{t} = {target:g}".replace("-", "−")

    # --- values

    def sampled(self, x: Array, target: float | None) -> tuple[Array, Array]:
        """Value and slope at each number, each in a sample of its own."""
        value, slope = self.each(lambda *inputs: self.loss.numpy.value_and_grad(*inputs), x, target)
        slope = slope.reshape(len(x), -1)
        if self.is_of_classes:
            with np.errstate(all="ignore"):
                return value.reshape(len(x)), slope[:, 1] + slope[:, 0] * _OTHER[self.pair][1](x)
        return np.broadcast_to(value.reshape(-1), x.shape), np.broadcast_to(slope[:, 0], x.shape)

    def each(self, call: Callable[..., tuple[Any, ...]], x: Array, target: float | None) -> list[Array]:
        """What `call` gives for each number; each is a batch of its own where samples have a say in each other."""
        if not self.is_of_classes:
            return self._called(call, x[:, None], target)
        with np.errstate(all="ignore"):
            return self._called(call, np.stack([_OTHER[self.pair][0](x), x], 1), target)

    def _values(self, predictions: Array, target: float) -> Array:
        return self._called(lambda *inputs: (self.loss.numpy(*inputs),), predictions, target)[0]

    def _called(self, call: Callable[..., tuple[Any, ...]], predictions: Array, target: float | None) -> list[Array]:
        inputs = [self._target(predictions, target or 0.0), predictions][-len(self.checked.inputs) :]
        if not self.is_coupled:
            return [np.asarray(part, dtype=float) for part in call(*inputs)]
        rows = [call(*(array[i : i + 1] for array in inputs)) for i in range(len(predictions))]
        width = predictions.shape[1]
        parts = zip(*rows, strict=True)
        return [np.array([np.asarray(one, dtype=float).reshape(-1)[:width] for one in part]) for part in parts]

    def _target(self, predictions: Array, target: float) -> Array:
        spec = self.checked.target
        if spec is not None and spec.is_label:
            return np.full(len(predictions), int(target))
        if self.is_of_classes:
            return np.tile([1 - target, target], (len(predictions), 1))
        return np.full_like(predictions, target)


def _agree(rows: list[Array]) -> bool:
    return all(np.allclose(rows[0], other, rtol=1e-11, atol=1e-11, equal_nan=True) for other in rows[1:])


def _refuse(loss: LoadedLoss) -> None:
    """Raises for a loss that is no function of two numbers."""
    inputs = loss.program.loss.inputs
    what = f"{loss.name}({', '.join(spec.name for spec in inputs)}) is no curve"
    if len(inputs) > 2:
        raise LossTypeError(f"{what}: it has {len(inputs)} inputs", None, REMEDY)
    if loss.program.loss.places:
        raise LossTypeError(f"{what}: it names its places", None, REMEDY)
    for spec in inputs:
        if len(spec.nodes) > 1:
            raise LossTypeError(f"{what}: `{spec.name}` has {len(spec.nodes)} parts", None, REMEDY)
        if spec.layout not in ("", "scalar") and not (spec.layout == "label" and spec is loss.program.loss.target):
            raise LossTypeError(f"{what}: `{spec.name}` is a {spec.layout}", None, REMEDY)
    for name in loss.parameter_shapes:
        raise LossTypeError(f"{what}: `{name}` has several numbers", None, f"give `{name}` as one number")

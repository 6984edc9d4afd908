"""A loss as Keras wants it: one class for all of them, whose saved form is the source text.

The order of work in `__call__` is the one that gives right values for weights, masks, dtypes, single numbers and
replicas: read the mask from the prediction before any cast; align the target to the prediction and refuse every other
difference; put harmless inputs where the mask is off; compute one value a sample; pad weights on the right; then let
Keras reduce.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lossdsl.errors import LossConfigError, LossShapeError, LossTypeError
from lossdsl.ir.axes import BATCH, LAST, SPACE
from lossdsl.ir.loss import InputSpec
from lossdsl.runtime import keras_internals
from lossdsl.runtime.kernels import kernel
from lossdsl.runtime.shapes import Shape, Step, plan, show
from lossdsl.runtime.sources import read
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.runtime.twin import Twin
from lossdsl.source import Source

FORMAT = 1
"""The version of what `get_config` returns."""

_HARMLESS = {"positive": 1.0, "nonneg": 1.0, "prob": 0.5, "simplex": 0.5, "logprob": -1.0, "sign": 1.0, "unit": 0.5}


@keras.saving.register_keras_serializable(package="lossdsl", name="Loss")
class Loss(keras.losses.Loss):  # type: ignore[misc]
    """A compiled loss; made by `lossdsl.compile`.

    Called as Keras calls a loss, `loss(y_true, y_pred, sample_weight=None)`. `spec` is what `lossdsl.load` gives,
    `numpy` the same loss on arrays. Saved by its text, its parameters and its options, and nothing else.
    """

    def __init__(
        self,
        source: str | Source,
        parameters: Mapping[str, Any] | None = None,
        axis: int | Sequence[int] = -1,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
        file: str = "<formula>",
        version: int = FORMAT,
    ) -> None:
        if version > FORMAT:
            raise LossConfigError(
                f"the saved loss has format {version}; this version of lossdsl reads up to {FORMAT}",
                None,
                "install a newer lossdsl",
            )
        origin = source if isinstance(source, Source) else Source(source, file)
        self.spec = LoadedLoss(origin, axes_of(axis), dict(parameters or {}))
        if reduction not in keras_internals.REDUCTIONS:
            known = ", ".join(f'"{r}"' if r else "None" for r in keras_internals.REDUCTIONS)
            raise LossConfigError(f"there is no reduction {reduction!r}", None, f"one of {known}")
        try:
            super().__init__(name=name or _default_name(self.spec.name), reduction=reduction, dtype=_dtype(dtype))
        except (TypeError, ValueError):
            raise LossConfigError(f"{dtype!r} is no dtype", None, 'as in "float32"') from None
        self._given_dtype = dtype

    @property
    def numpy(self) -> Twin:
        """The loss on numpy arrays."""
        return self.spec.numpy

    def __repr__(self) -> str:
        return f"<lossdsl.Loss {self.spec!r}>"

    def get_config(self) -> dict[str, Any]:
        """Plain JSON: options, the text, the parameters."""
        axis = self.spec.axis
        return {
            "name": self.name,
            "reduction": self.reduction,
            "dtype": None if self._given_dtype is None else self._dtype_policy.name,
            "source": self.spec.source,
            "parameters": {
                name: np.asarray(value).tolist() if isinstance(value, tuple) else value
                for name, value in self.spec.parameters.items()
            },
            "axis": axis[0] if len(axis) == 1 else list(axis),
            "file": os.path.basename(self.spec.origin.name),
            "version": FORMAT,
        }

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample (or a sample and place), before weights, masks and reduction."""
        return self._values(y_true, y_pred, None)[0]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss."""
        mask = keras_internals.mask_of(y_pred)
        with keras.name_scope(self.name):
            values, mask = self._values(y_true, y_pred, mask)
            if sample_weight is not None:
                sample_weight = self._weights(sample_weight, values)
            return keras_internals.reduced(values, sample_weight, mask, self.reduction, self.dtype)

    # --- the steps

    def _values(self, y_true: Any, y_pred: Any, mask: Any) -> tuple[Any, Any]:
        loss = self.spec.program.loss
        tensors = self._tensors(y_true, y_pred)
        rank = len(tensors[loss.prediction.identifier].shape)
        moved = {spec.identifier: self._last(spec, tensors[spec.identifier], rank) for spec in loss.inputs}
        found = plan(
            loss.inputs,
            loss.prediction,
            {name: tuple(tensor.shape) for name, tensor in moved.items()},
            self.spec.program.meetings,
            rank_one_is_batch=True,
            loss=self.name,
            parameters=self.spec.parameter_shapes,
        )
        inputs = [_stepped(moved[spec.identifier], found.steps[spec.identifier]) for spec in loss.inputs]
        prediction = inputs[loss.inputs.index(loss.prediction)]
        inputs = [
            self._checked_late(spec, tensor, prediction) for spec, tensor in zip(loss.inputs, inputs, strict=True)
        ]
        if mask is not None:
            mask = self._aligned_mask(mask, prediction, loss.prediction)
            inputs = [_masked(spec, tensor, mask) for spec, tensor in zip(loss.inputs, inputs, strict=True)]
        values = self._kernel()(inputs, self.spec.arguments(_last_of(loss.prediction, prediction)))
        if BATCH not in loss.result.axes:
            samples = ops.ones((ops.shape(prediction)[0], *[1] * len(values.shape)), dtype=values.dtype)
            values = samples * values
        if mask is not None:
            mask = _fitted(mask, values)
            values = ops.where(mask, values, ops.zeros_like(values))
        return (values[0] if found.single else values), mask

    def _checked_late(self, spec: InputSpec, tensor: Any, prediction: Any) -> Any:
        """The tensor, with lengths that the graph does not know yet checked against the prediction when it runs."""
        other = self.spec.program.loss.prediction
        if spec is other or None not in tuple(tensor.shape)[1:]:
            return tensor
        wanted: dict[int, int] = {}
        for group in self.spec.program.meetings:
            for axis in (SPACE, LAST):
                if (spec.nodes[0].name, axis) in group and (other.nodes[0].name, axis) in group:
                    if axis == LAST and len(spec.nodes) == len(other.nodes):
                        wanted[len(tensor.shape) - 1] = len(prediction.shape) - 1
                    elif axis == SPACE:
                        places = len(tensor.shape) - (LAST in spec.over)
                        wanted.update({place: place for place in range(1, places)})
        return keras_internals.agreeing(tensor, prediction, wanted, f"{self.name}: `{spec.name}`")

    def _kernel(self) -> Callable[[list[Any], list[Any]], Any]:
        return kernel(self.spec, keras.backend.backend())

    def _tensors(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        """The inputs of the loss by name, each in the loss's dtype, labels as whole numbers."""
        loss = self.spec.program.loss
        given: dict[str, Any] = {loss.prediction.identifier: y_pred}
        if loss.target is not None:
            given.update(self._targets(y_true))
        tensors = {spec.identifier: self._tensor(spec, given[spec.identifier]) for spec in loss.inputs}
        prediction = tensors[loss.prediction.identifier]
        for spec in loss.inputs:
            if not keras_internals.has_rank(tensors[spec.identifier]):
                trimmed = LAST in loss.prediction.over and LAST not in spec.over
                tensors[spec.identifier] = keras_internals.ranked(
                    tensors[spec.identifier], prediction, trimmed, f"{self.name}: `{spec.name}`"
                )
        return tensors

    def _targets(self, y_true: Any) -> dict[str, Any]:
        """What Keras hands over as the target: the target alone, or with the extra inputs as a tuple or dict."""
        loss = self.spec.program.loss
        assert loss.target is not None
        extra = loss.inputs[2:]
        if not extra:
            return {loss.target.identifier: y_true}
        wanted = [loss.target, *extra]
        names = ", ".join(spec.name for spec in wanted)
        if isinstance(y_true, Mapping):
            found = {}
            for name, value in y_true.items():
                spec = loss.input(name)
                if spec is None or spec not in wanted:
                    raise LossTypeError(
                        f"{self.name} has no input `{name}` beside the prediction", None, f"it has {names}"
                    )
                found[spec.identifier] = value
        elif isinstance(y_true, tuple | list) and len(y_true) == len(wanted):
            found = {spec.identifier: value for spec, value in zip(wanted, y_true, strict=True)}
        else:
            found = {}
        if len(found) != len(wanted):
            raise LossTypeError(
                f"{self.name} takes {len(wanted)} inputs beside the prediction ({names})",
                None,
                f"give y_true as a tuple ({names}) or as a dict with these keys",
            )
        return found

    def _tensor(self, spec: InputSpec, value: Any) -> Any:
        try:
            if spec.is_label:
                return ops.cast(ops.convert_to_tensor(value), "int32")
            return ops.convert_to_tensor(value, dtype=self.dtype)
        except (TypeError, ValueError) as error:
            kind = type(error).__name__
            raise LossShapeError(f"{self.name}: `{spec.name}` is no tensor of numbers ({kind})") from None

    def _last(self, spec: InputSpec, tensor: Any, rank: int) -> Any:
        """The tensor with the axes that play `last` at its end, as one."""
        axis = self.spec.axis
        if axis == (-1,) or LAST not in spec.over or len(tensor.shape) != rank or rank < 2:
            return tensor
        if any(not -rank <= place < rank for place in axis):
            raise LossShapeError(f"{self.name}: there is no axis {axis} in shape {show(tuple(tensor.shape))}")
        places = sorted(place % rank for place in axis)
        rest = [place for place in range(rank) if place not in places]
        joined = ops.transpose(tensor, [*rest, *places])
        if len(places) == 1:
            return joined
        shape = ops.shape(joined)
        return ops.reshape(joined, (*shape[: len(rest)], int(np.prod(joined.shape[len(rest) :]))))

    def _aligned_mask(self, mask: Any, prediction: Any, spec: InputSpec) -> Any:
        """The mask as truth values over the sample axes of the prediction."""
        mask = ops.cast(mask, "bool")
        rank = len(prediction.shape) - (1 if LAST in spec.over else 0)
        if len(mask.shape) == rank + 1 and mask.shape[-1] == 1:
            mask = ops.squeeze(mask, -1)
        if len(mask.shape) > rank:
            raise LossShapeError(
                f"{self.name}: the mask has shape {show(tuple(mask.shape))}, the prediction "
                f"{show(tuple(prediction.shape))}"
            )
        return mask

    def _weights(self, weight: Any, values: Any) -> Any:
        """Weights with the shape of the values: padded on the right, and spread."""
        weight = ops.convert_to_tensor(weight, dtype=self.dtype)
        rank = len(values.shape)
        given = tuple(weight.shape)
        if len(given) == rank + 1 and given[-1] == 1:
            weight = ops.squeeze(weight, -1)
        while len(weight.shape) < rank and len(given) > 0:
            weight = ops.expand_dims(weight, -1)
        if len(weight.shape) > rank or not _fits(tuple(weight.shape), tuple(values.shape)):
            raise LossShapeError(
                f"{self.name}: the sample weights have shape {show(given)}, the values of the loss "
                f"{show(tuple(values.shape))}",
                None,
                "weights have one number a sample, or one a sample and place",
            )
        return weight * ops.ones_like(values)


def _default_name(name: str) -> str:
    """A name that no loss of Keras's has.

    A file in the old `.h5` format names a loss by this alone; where lossdsl is not imported, `huber` would load as
    Keras's own Huber with its default parameters.
    """
    try:
        keras.losses.get(name)
    except (TypeError, ValueError):
        return name
    return f"{name}_lossdsl"


def _dtype(dtype: Any) -> Any:
    return np.dtype(dtype).name if isinstance(dtype, type) and issubclass(dtype, np.generic) else dtype


def _stepped(tensor: Any, step: Step) -> Any:
    if step.squeeze:
        tensor = ops.squeeze(tensor, -1)
    if step.expand:
        tensor = ops.expand_dims(tensor, -1)
    return ops.expand_dims(tensor, 0) if step.lead else tensor


def _masked(spec: InputSpec, tensor: Any, mask: Any) -> Any:
    """The input with a harmless value wherever the mask is off."""
    if len(tensor.shape) < len(mask.shape):
        return tensor
    harmless = ops.full_like(tensor, 0 if spec.is_label else _HARMLESS.get(spec.domain, 0.0))
    return ops.where(_padded(mask, len(tensor.shape)), tensor, harmless)


def _padded(mask: Any, rank: int) -> Any:
    while len(mask.shape) < rank:
        mask = ops.expand_dims(mask, -1)
    return mask


def _fitted(mask: Any, values: Any) -> Any:
    """The mask over the axes of the values: places that were reduced away count if one of them does."""
    while len(mask.shape) > len(values.shape):
        mask = ops.any(mask, axis=-1)
    return ops.logical_and(_padded(mask, len(values.shape)), ops.ones_like(values, dtype="bool"))


def _fits(weight: Shape, values: Shape) -> bool:
    return all(w is None or v is None or w in (1, v) for w, v in zip(weight[::-1], values[::-1], strict=False))


def _last_of(spec: InputSpec, prediction: Any) -> int | None:
    if LAST not in spec.over or prediction.shape[-1] is None:
        return None
    return int(prediction.shape[-1]) // len(spec.nodes)


def compile(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    *,
    axis: int | Sequence[int] = -1,
    reduction: str | None = "sum_over_batch_size",
    name: str | None = None,
    dtype: Any = None,
    **parameters: Any,
) -> Loss:
    """A loss for `model.compile`, from a file, a built-in's name, a formula, or a mapping as in YAML.

    Args:
        source: a path (`pathlib.Path`, or text that ends in `.loss`: a file if there is one, else the built-in of that
            name), a built-in's name, the text of a formula or file, or a mapping (`{"huber": {"delta": 0.5}}`).
        axis: the axis or axes that play `last`.
        reduction: as in Keras: "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none" or None.
        name: the name in logs; by default that of the loss.
        dtype: the dtype of the computation; by default `keras.config.floatx()`.
        **parameters: values for the parameters of the loss.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    >>> import lossdsl
    >>> loss = lossdsl.compile("huber.loss", delta=1.0)
    >>> float(loss([[0.0], [0.0]], [[0.5], [3.0]]))
    1.3125
    """
    if isinstance(source, Mapping):
        from lossdsl.config import compile_mapping

        return compile_mapping(
            source, axis=axis, reduction=reduction, name=name, dtype=dtype, parameters=parameters
        )
    return Loss(read(source), parameters, axis, name, reduction, dtype)

"""A loss as a Keras metric: its mean over all samples seen since the last reset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lossdsl.errors import LossConfigError
from lossdsl.runtime import keras_internals
from lossdsl.runtime.evaluate import evaluate, own_weights, weights
from lossdsl.runtime.keras_loss import Loss
from lossdsl.runtime.replicas import own_values
from lossdsl.runtime.saved import FORMAT, check_config
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.twin import Twin
from lossdsl.source import Source


def counted(loss: Loss, spec: LoadedLoss, label: str, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any]:
    """The values of a batch, and what each counts (None: all alike); `spec` is the loss, or a term of it."""
    mask = keras_internals.mask_of(y_pred)
    weight = own_weights(spec, sample_weight)
    y_pred, replicas = loss.gathering(y_pred)
    live = loss.live(y_pred)
    found = evaluate(spec, y_true, y_pred, mask, dtype=loss.dtype, label=label, live=live, replicas=replicas)
    # Each replica adds up its own samples.
    values, mask = (one if one is None else own_values(spec, one, y_pred, replicas) for one in found.by_sample())
    if weight is not None:
        weight = weights(weight, values, loss.dtype, label)
    if mask is not None:
        on = keras.ops.cast(mask, loss.dtype)
        weight = on if weight is None else weight * on
    return values, weight


@keras.saving.register_keras_serializable(package="lossdsl", name="Metric")
class LossMetric(keras.metrics.Mean):  # type: ignore[misc]
    """The mean of a loss over samples; made by `lossdsl.metric`, and saved as a loss is.

    `spec` is what `lossdsl.load` gives, `numpy` the same loss on arrays.
    """

    def __init__(
        self,
        source: str | Source,
        parameters: Mapping[str, Any] | None = None,
        axis: int | Sequence[int] | None = -1,
        name: str | None = None,
        dtype: Any = None,
        file: str = "<formula>",
        version: int = FORMAT,
        layer: Any = None,  # that of the loss whose values these are
    ) -> None:
        self._loss = Loss(source, parameters, axis, name, "none", dtype, file, version, layer)
        self.spec = self._loss.spec
        if self.spec.live and layer is None:
            names = ", ".join(f"`{one}`" for one in sorted(self.spec.live))
            message = f"{self.spec.name}: {names} changes, and a metric has no values of its own"
            raise LossConfigError(message, None, "make the loss by `lossdsl.compile`, and `lossdsl.metric(loss)` of it")
        super().__init__(name=name or self.spec.name, dtype=dtype)

    @classmethod
    def of(cls, loss: Loss, name: str | None = None, dtype: Any = None) -> LossMetric:
        """The metric of a compiled loss, with the values that its parameters have at each step."""
        config = loss.get_config()
        for word in ("reduction", "layer"):
            config.pop(word, None)
        given = {**config, "name": name or loss.name, "dtype": dtype or config["dtype"]}
        return cls(**given, layer=loss.layer if loss.spec.live else None)

    @property
    def numpy(self) -> Twin:
        """The loss on numpy arrays, with the values that its parameters have at present."""
        return self._loss.numpy

    @keras_internals.opaque
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Takes up the values of a batch; what a mask leaves out, or a weight of 0, does not count."""
        values, weight = counted(self._loss, self.spec, self.name, y_true, y_pred, sample_weight)
        return super().update_state(values, sample_weight=weight)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LossMetric:
        """The metric that `get_config` described. Raises LossConfigError for what it cannot have written."""
        check_config(config)
        if config.get("layer") is None:
            return cls(**config)
        loss = Loss.from_config({**config, "reduction": "none"})
        return cls.of(loss)

    def get_config(self) -> dict[str, Any]:
        """Plain JSON: options, the text, the parameters."""
        config = {**self._loss.get_config(), "name": self.name}
        del config["reduction"]
        return config

"""A `keras.layers.Dense` that keeps its output to itself, and the loss that works it out a few places at a time."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from lossdsl.errors import LossConfigError, LossShapeError, LossTypeError
from lossdsl.fused.fused_loss import FusedLoss
from lossdsl.fused.linear import loaded
from lossdsl.fused.steps import check_chunk
from lossdsl.runtime.keras_loss import text_config
from lossdsl.runtime.saved import check_config
from lossdsl.source import Source

_NEVER = ("self", "units", "activation", "use_bias", "lora_rank", "lora_alpha", "quantization_config", "kwargs")
_OPTIONS = {"name", "dtype", "trainable"} | {*inspect.signature(keras.layers.Dense.__init__).parameters} - {*_NEVER}
"""What of the arguments is the layer's; the rest are parameters of the loss."""


@keras.saving.register_keras_serializable(package="lossdsl", name="FusedDense")
class FusedDense(keras.layers.Dense):  # type: ignore[misc]
    """A dense last layer whose logits exist a few places at a time, inside the loss that is made for it.

    The output of the layer is its input, the hidden states `(batch, ..., hidden)`; its kernel `(hidden, units)` and
    bias are those of `keras.layers.Dense`. A model that ends with it is compiled with `loss=head.loss`, which takes
    targets, weights and masks as every loss of lossdsl does. Memory is then one gradient of the kernel and some places,
    not the logits of all places and what is made of them.

    Args:
        units: how many logits a place has.
        loss: what `lossdsl.compile` takes. Any loss in which each place has its own logits to itself; what comes after,
            such as a sum over the tokens of a sequence, may take places together.
        use_bias: whether there is a bias.
        chunk: how many places are worked out at a time; by default as many as have four million logits.
        reduction: that of the loss, as in Keras.
        tied_to: a `keras.layers.Embedding` of `units` tokens, whose table is the kernel then.
        target_head: a frozen layer with a kernel and a bias, such as the `Dense` that ends a teacher: the target is its
            hidden states, and its logits are never made either.
        parameters: values for parameters of the loss whose names are options of a layer.
        **options: what `keras.layers.Dense` takes, and values for parameters of the loss.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    >>> import keras, lossdsl
    >>> head = lossdsl.FusedDense(1000, "sparse_categorical_crossentropy", from_logits=True)
    >>> hidden = keras.Input((None, 16))
    >>> model = keras.Model(hidden, head(hidden))
    >>> model.compile(optimizer="adam", loss=head.loss)
    >>> model.output_shape
    (None, None, 16)
    >>> head.with_logits(model).output_shape
    (None, None, 1000)
    """

    def __init__(
        self,
        units: int,
        loss: str | os.PathLike[str] | Source | Mapping[str, Any],
        use_bias: bool = True,
        chunk: int | None = None,
        *,
        reduction: str | None = "sum_over_batch_size",
        tied_to: Any = None,
        target_head: Any = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        own = {name: value for name, value in options.items() if name in _OPTIONS}
        values = {name: value for name, value in options.items() if name not in _OPTIONS}
        check_chunk(chunk)
        spec = loaded(loss, {**values, **(parameters or {})})
        super().__init__(units, use_bias=use_bias, **own)
        self.chunk = chunk
        self.tied_to = tied_to
        self.target_head = target_head
        if target_head is not None:
            if spec.program.loss.target is None or spec.program.loss.target.is_label:
                message = f"{spec.name} has no target over the classes that `target_head` could make"
                raise LossTypeError(message, None, "declare it as in `loss f(t: logits, x: logits)`")
            target_head.trainable = False
        self.loss = FusedLoss(self, spec, reduction)

    def build(self, input_shape: Any) -> None:
        """Makes the kernel and the bias, or takes the kernel from the embedding."""
        if self.tied_to is None:
            super().build(input_shape)
            return
        table = tuple(getattr(self.tied_to, "embeddings", None).shape) if self.tied_to.built else None
        if table != (self.units, input_shape[-1]):
            shown = "no table yet" if table is None else f"a table of shape {table}"
            message = f"the embedding that the layer is tied to has {shown}, not {(self.units, input_shape[-1])}"
            raise LossShapeError(message, None, "use the embedding in the model first, with as many tokens as units")
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    @property
    def kernel(self) -> Any:
        """The weights `(hidden, units)`; those of a tied embedding turned."""
        return super().kernel if self.tied_to is None else ops.transpose(self.tied_to.embeddings)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The hidden states as they are."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the hidden states."""
        return input_shape

    def logits(self, hidden: Any) -> Any:
        """The logits `(batch, ..., units)` of hidden states, as a whole: what `keras.layers.Dense` gives."""
        return super().call(hidden)

    def with_logits(self, model: Any) -> Any:
        """A model like one that ends with this layer, for inference: its output are the logits.

        Raises LossTypeError for a model that does not end with this layer alone.
        """
        output = getattr(model, "output", None)
        if self not in model.layers or not hasattr(output, "shape"):
            message = f"the model has not {self.name} and one output"
            raise LossTypeError(message, None, "make the logits by `head.logits(hidden)`")
        return keras.Model(model.inputs, FusedLogits(self)(output))

    def get_config(self) -> dict[str, Any]:
        """Plain JSON: the options of the layer, the text and the parameters of the loss."""
        config = {name: value for name, value in super().get_config().items() if name not in ("activation", *_NEVER)}
        of_loss = {**text_config(self.loss.spec), "reduction": self.loss.reduction}
        layers = {"tied_to": self.tied_to, "target_head": self.target_head}
        return {
            **config,
            "units": self.units,
            "use_bias": self.use_bias,
            "chunk": self.chunk,
            **{name: layer and keras.saving.serialize_keras_object(layer) for name, layer in layers.items()},
            "loss": of_loss,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FusedDense:
        """The layer that `get_config` described. Raises LossConfigError for what it cannot have written."""
        given = dict(config)
        of_loss = given.pop("loss", None)
        if not isinstance(of_loss, Mapping):
            raise LossConfigError("the saved layer has no loss", None, "save the model again")
        check_config(of_loss)
        for name in ("tied_to", "target_head"):
            given[name] = given.get(name) and keras.saving.deserialize_keras_object(given[name])
        return cls(
            loss=Source(of_loss["source"], of_loss.get("file", "<formula>")),
            reduction=of_loss.get("reduction", "sum_over_batch_size"),
            parameters=of_loss["parameters"],
            **given,
        )


@keras.saving.register_keras_serializable(package="lossdsl", name="FusedLogits")
class FusedLogits(keras.layers.Layer):  # type: ignore[misc]
    """The logits of a `FusedDense`, whose kernel it shares."""

    def __init__(self, head: FusedDense, **options: Any) -> None:
        super().__init__(**options)
        self.head = head
        self.supports_masking = True

    def call(self, hidden: Any) -> Any:
        """`(batch, ..., units)` from the hidden states."""
        return self.head.logits(hidden)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the logits."""
        return (*input_shape[:-1], self.head.units)

    def get_config(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**super().get_config(), "head": keras.saving.serialize_keras_object(self.head)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FusedLogits:
        """The layer that `get_config` described."""
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})

"""A `keras.layers.Dense` that keeps its output to itself, and the loss that works it out a few places at a time."""

from __future__ import annotations

import inspect
import os
import uuid
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from lossdsl.api import named
from lossdsl.errors import LossConfigError, LossParameterError, LossTypeError
from lossdsl.fused.fused_loss import RESTORED, FusedLoss
from lossdsl.fused.steps import check_chunk
from lossdsl.runtime import keras_internals
from lossdsl.runtime.keras_loss import text_config
from lossdsl.runtime.keras_values import is_changing
from lossdsl.runtime.saved import check_config
from lossdsl.runtime.spec import LoadedLoss
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
        chunk: how many places are worked out at a time; by default as many as have some million logits.
        reduction: that of the loss, as in Keras.
        embedding_dim: the length of hidden states, where the kernel is the table of embeddings, too:
            `head.embed(tokens)` begins a model that `head(hidden)` ends.
        target_head: a frozen layer with a kernel and a bias, such as the `Dense` that ends a teacher: the target is its
            hidden states, and its logits are never made either.
        parameters: values for parameters of the loss whose names are options of a layer.
        **options: what `keras.layers.Dense` takes, and values for parameters of the loss: plain ones. What changes in
            training is an input of the loss here, such as `gamma: sample scalar`, which comes with the target: slopes
            are made with the logits, a few places at a time, and are those of inputs.

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
        embedding_dim: int | None = None,
        target_head: Any = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        own = {name: value for name, value in options.items() if name in _OPTIONS}
        values = {name: value for name, value in options.items() if name not in _OPTIONS}
        check_chunk(chunk)
        _check_plain({**values, **(parameters or {})})
        spec = LoadedLoss(*named(loss, -1, {**values, **(parameters or {})}))
        super().__init__(units, use_bias=use_bias, **own)
        self.mark = uuid.uuid4().hex  # by which a saved loss finds its layer
        self.read_from: object | None = None
        self.chunk = chunk
        self.embedding_dim = embedding_dim
        self.target_head = target_head
        if target_head is not None:
            if spec.program.loss.target is None or spec.program.loss.target.is_label:
                message = f"{spec.name} has no target over the classes that `target_head` could make"
                raise LossTypeError(message, None, "declare it as in `loss f(t: logits, x: logits)`")
            target_head.trainable = False
        self.loss = FusedLoss(self, spec, reduction)

    def build(self, input_shape: Any) -> None:
        """Makes the kernel and the bias."""
        super().build(input_shape if self.embedding_dim is None else (None, self.embedding_dim))
        if self.embedding_dim is not None:
            self.input_spec = None  # tokens are taken as well

    def embed(self, tokens: Any) -> Any:
        """The embeddings `(..., embedding_dim)` of whole numbers `(...)`: columns of the kernel."""
        if self.embedding_dim is None:
            message = f"{self.name} was made without `embedding_dim`, and so embeds nothing"
            raise LossTypeError(message, None, "give it the length of the hidden states")
        return self(tokens, embed=True)

    def call(self, inputs: Any, embed: bool = False) -> Any:
        """The hidden states as they are; of tokens their embeddings."""
        return ops.take(ops.transpose(self.kernel), ops.cast(inputs, "int32"), axis=0) if embed else inputs

    def compute_output_spec(self, inputs: Any, embed: bool = False) -> Any:
        """The shape and dtype of what `call` gives."""
        if embed:
            return keras.KerasTensor((*inputs.shape, self.embedding_dim), self.compute_dtype)
        return keras.KerasTensor(inputs.shape, self.compute_dtype)

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
        teacher = self.target_head and keras.saving.serialize_keras_object(self.target_head)
        return {
            **config,
            "units": self.units,
            "use_bias": self.use_bias,
            "chunk": self.chunk,
            "embedding_dim": self.embedding_dim,
            "target_head": teacher,
            "loss": of_loss,
            "mark": self.mark,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FusedDense:
        """The layer that `get_config` described. Raises LossConfigError for what it cannot have written."""
        given = dict(config)
        of_loss = given.pop("loss", None)
        if not isinstance(of_loss, Mapping):
            raise LossConfigError("the saved layer has no loss", None, "save the model again")
        check_config(of_loss)
        given["target_head"] = keras.saving.deserialize_keras_object(given.get("target_head"))
        mark = given.pop("mark", None)
        found = cls(
            loss=Source(of_loss["source"], of_loss.get("file", "<formula>")),
            reduction=of_loss.get("reduction", "sum_over_batch_size"),
            parameters=of_loss["parameters"],
            **given,
        )
        found.mark = str(mark or found.mark)
        found.read_from = keras_internals.reading()
        RESTORED[found.mark] = found
        return found


def _check_plain(parameters: Mapping[str, Any]) -> None:
    """Raises LossParameterError for values that change while a model is trained."""
    for name in (name for name, value in parameters.items() if is_changing(value)):
        message = f"`{name}` of a fused layer is a plain number, and cannot change in training: no slope of it is made"
        hint = f"declare it as an input, `{name}: sample scalar`, and give it with the target; or use `lossdsl.compile`"
        raise LossParameterError(message, None, hint, (name,))


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

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

from lossdsl import pipeline
from lossdsl.errors import LossConfigError
from lossdsl.runtime import keras_internals
from lossdsl.runtime.debugging import is_debugging
from lossdsl.runtime.evaluate import evaluate, input_tensor, own_weights, weights
from lossdsl.runtime.keras_values import LAYERS, ValuesLayer, is_changing, layer_for, shape_of
from lossdsl.runtime.replicas import Replicas, own_values, replicas_here
from lossdsl.runtime.saved import CHANGING, FORMAT, check_config
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.runtime.twin import Twin
from lossdsl.source import Source, normal_name


class CompiledLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss object over a checked loss; how it is made and saved is up to the classes below.

    Called as Keras calls a loss, `loss(y_true, y_pred, sample_weight=None)`. `spec` is what `lossdsl.load` gives,
    `numpy` the same loss on arrays.
    """

    def __init__(self, spec: LoadedLoss, name: str | None, reduction: str | None, dtype: Any) -> None:
        self.spec = spec
        if reduction not in keras_internals.REDUCTIONS:
            known = ", ".join(f'"{r}"' if r else "None" for r in keras_internals.REDUCTIONS)
            raise LossConfigError(f"Invalid value for argument `reduction`: {reduction!r}", None, f"one of {known}")
        try:
            super().__init__(name=name, reduction=reduction, dtype=_dtype(dtype))
        except (TypeError, ValueError):
            raise LossConfigError(f"{dtype!r} is no dtype", None, 'as in "float32"') from None
        self._given_dtype = dtype
        self._has_variables = bool(spec.live)
        self._in_graph = keras_internals.whole_in_graph(lambda *given: self._called(*given))
        self._apart = keras_internals.opaque(lambda *given: self._called(*given))

    @property
    def numpy(self) -> Twin:
        """The loss on numpy arrays."""
        return self.spec.numpy

    def _repr_latex_(self) -> str:
        """The formula for a notebook."""
        return self.spec._repr_latex_()

    def _repr_html_(self) -> str:
        """What a notebook shows of the loss: its formula, its parameters, its picture."""
        return self.spec._repr_html_()

    def get_config(self) -> dict[str, Any]:
        """The options that every loss has, as plain JSON."""
        return {
            "name": self.name,
            "reduction": self.reduction,
            "dtype": None if self._given_dtype is None else self._dtype_policy.name,
        }

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample (or a sample and place), before weights, masks and reduction."""
        y_pred, replicas = self.gathering(y_pred)
        values = self._values(y_true, y_pred, None, None, replicas)[0]
        return own_values(self.spec, values, y_pred, replicas)

    @keras_internals.as_written
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss."""
        mask = keras_internals.mask_of(y_pred)  # an attribute of a tensor, which a compiler does not hand on
        apart = self._has_variables or is_debugging() or keras_internals.has_processes()
        return (self._apart if apart else self._in_graph)(y_true, y_pred, sample_weight, mask)

    def _called(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> Any:
        sample_weight = own_weights(self.spec, sample_weight)
        with keras.name_scope(self.name):
            y_pred, replicas = self.gathering(y_pred)
            values, mask = self._values(y_true, y_pred, mask, sample_weight, replicas)
            if sample_weight is not None:
                sample_weight = weights(sample_weight, values, self.dtype, self.name, replicas)
            found = keras_internals.reduced(values, sample_weight, mask, self.reduction, self.dtype)
            if replicas is None:
                return found
            if self.reduction in (None, "none"):
                return own_values(self.spec, found, y_pred, replicas)
            return replicas.share(found) if self.reduction == "sum" else found

    def gathering(self, y_pred: Any) -> tuple[Any, Replicas | None]:
        """The prediction, and the replicas that have the other parts of the batch, if the loss takes it whole."""
        replicas = replicas_here(keras.backend.backend())
        if replicas is None:
            return y_pred, None
        if not hasattr(y_pred, "shape"):
            y_pred = input_tensor(self.spec.program.loss.prediction, y_pred, self.dtype, self.name)
        is_apart = keras_internals.has_rank(y_pred) and not self.spec.couples_samples(len(y_pred.shape))
        return y_pred, None if is_apart else replicas

    def _values(
        self, y_true: Any, y_pred: Any, mask: Any, sample_weight: Any, replicas: Replicas | None
    ) -> tuple[Any, Any]:
        """One value a sample, and which of them count (None: all); with replicas, of all their samples."""
        live = self.live(y_pred)
        return evaluate(
            self.spec, y_true, y_pred, mask, dtype=self.dtype, label=self.name, live=live, replicas=replicas
        ).by_sample()

    def live(self, y_pred: Any) -> Mapping[str, Any]:
        """Tensors for the parameters that change."""
        return {}


@keras.saving.register_keras_serializable(package="lossdsl", name="Loss")
class Loss(CompiledLoss):
    """A loss compiled from a text; made by `lossdsl.compile`.

    Called as Keras calls a loss, `loss(y_true, y_pred, sample_weight=None)`. `spec` is what `lossdsl.load` gives,
    `numpy` the same loss on arrays. Saved by its text, its parameters and its options, and nothing else.
    """

    def __init__(
        self,
        source: str | Source,
        parameters: Mapping[str, Any] | None = None,
        axis: int | Sequence[int] | None = -1,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
        file: str = "<formula>",
        version: int = FORMAT,  # of what is saved; `check_config` compares it
        layer: Any = None,  # the one with the values that change, where that is there already
    ) -> None:
        origin = source if isinstance(source, Source) else Source(source, file)
        given = {normal_name(one): value for one, value in (parameters or {}).items()}
        changing = {one: value for one, value in given.items() if is_changing(value)}
        plain = {one: value for one, value in given.items() if one not in changing}
        spec = _spec(origin, axes_of(axis), plain, changing)
        super().__init__(spec, name or default_name(spec.name), reduction, dtype)
        if changing and layer is None:
            layer = layer_for(spec, self.name, changing, self.dtype)
        self._values_layer: Callable[[], Any] = lambda: layer  # as an attribute it is a loop to what saves models

    @property
    def layer(self) -> ValuesLayer:
        """The layer that holds the parameters that change, and passes its input on; it belongs into the model.

        Raises LossConfigError for a loss whose parameters are all plain numbers.
        """
        found: ValuesLayer | None = self._values_layer()
        if found is None:
            hint = "as in `lossdsl.compile(…, alpha=lossdsl.learned(1.0))`"
            raise LossConfigError(f"no parameter of {self.name} changes: it needs no layer", None, hint)
        return found

    @property
    def terms(self) -> list[Any]:
        """The terms of a sum that have names, as metrics: `model.compile(…, loss=loss, metrics=loss.terms)`.

        Each is the mean over samples of what its name stands for, a definition or a loss that is called, without the
        factor before it. Empty for a loss that is no sum.

        >>> import lossdsl
        >>> loss = lossdsl.compile("loss f(t, x)\\nfit = (t - x)^2\\nsize = abs(x)\\nfit + 0.1*size")
        >>> [term.name for term in loss.terms]
        ['fit', 'size']
        """
        from lossdsl.runtime.keras_terms import TermMetric, named_terms  # which stands above this module

        return [TermMetric(self, name) for name in named_terms(self.spec.program.loss)]

    @property
    def now(self) -> dict[str, Any]:
        """The parameters that change, as numbers and arrays of numpy: what they are at present."""
        return self.layer.now() if self.spec.live else {}

    @property
    def numpy(self) -> Twin:
        """The loss on numpy arrays, with the values that its parameters have at present."""
        return self._at_present().numpy

    def _at_present(self) -> LoadedLoss:
        spec = self.spec
        if not spec.live:
            return spec
        return LoadedLoss(spec.origin, spec.axis, {**spec.parameters, **self.now}, (spec.program,))

    def live(self, y_pred: Any) -> Mapping[str, Any]:
        return self.layer.tensors(y_pred) if self.spec.live else {}

    def _repr_latex_(self) -> str:
        return self._at_present()._repr_latex_()

    def _repr_html_(self) -> str:
        return self._at_present()._repr_html_()

    def __repr__(self) -> str:
        return f"<lossdsl.Loss {self.spec!r}>"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """The loss that `get_config` described. Raises LossConfigError for what it cannot have written."""
        layer = LAYERS.get(str(config.get("layer")))
        is_own = layer is not None and layer.is_read and layer.read_from is keras_internals.reading()
        return cls._described(config, layer if is_own else None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _copied, (self.get_config(),)

    @classmethod
    def _described(cls, config: Mapping[str, Any], layer: Any) -> Loss:
        """The loss that `get_config` described, with the layer of its values, if it has any."""
        check_config(config)
        given = dict(config)
        mark = given.pop("layer", None)
        if mark is None:
            return cls(**given)
        if layer is None:
            message = "the loss was saved with a layer that holds its values, which was not read from the file"
            raise LossConfigError(message, None, "load with `compile=False`, and compile with a loss made anew")
        return cls(**given, layer=layer)

    def get_config(self) -> dict[str, Any]:
        """Plain JSON: options, the text, the parameters."""
        config = {**super().get_config(), **text_config(self.spec)}
        if not self.spec.live:
            return config
        parameters = {**config["parameters"], **{name: dict(one.config) for name, one in self.layer.held.items()}}
        return {**config, "parameters": parameters, "layer": self.layer.mark, "version": CHANGING}


def _copied(config: Mapping[str, Any]) -> Loss:
    """A copy of a loss, with the same values; in another process they are those of a layer that was copied with it."""
    return Loss._described(config, LAYERS.get(str(config.get("layer"))))


def _spec(origin: Source, axis: tuple[int, ...], plain: Mapping[str, Any], changing: Mapping[str, Any]) -> LoadedLoss:
    """The loss, in which the parameters that change have no values."""
    if not changing:
        return LoadedLoss(origin, axis, plain)
    specs = {one.name: one for one in pipeline.parameters(pipeline.parsed(origin))}
    shapes = {name: shape_of(value, specs.get(name)) for name, value in changing.items()}
    return LoadedLoss(origin, axis, plain, (), frozenset(changing), {name: one for name, one in shapes.items() if one})


def text_config(spec: LoadedLoss) -> dict[str, Any]:
    """What a loss is made of, as plain JSON: the text, the parameters, the axes."""
    axis = spec.axis
    return {
        "source": spec.source,
        "parameters": {
            name: np.asarray(value).tolist() if isinstance(value, tuple) else value
            for name, value in spec.parameters.items()
        },
        "axis": None if not axis else axis[0] if len(axis) == 1 else list(axis),
        "file": os.path.basename(spec.origin.name),
        "version": FORMAT,
    }


def default_name(name: str) -> str:
    """A name that no loss of Keras's has.

    A file in the old `.h5` format names a loss by this alone; where lossdsl is not imported, `huber` would load as
    Keras's own Huber with its default parameters.
    """
    try:
        keras.losses.get(name)
    except (TypeError, ValueError):
        return str(name)
    return f"{name}_lossdsl"


def _dtype(dtype: Any) -> Any:
    return np.dtype(dtype).name if isinstance(dtype, type) and issubclass(dtype, np.generic) else dtype

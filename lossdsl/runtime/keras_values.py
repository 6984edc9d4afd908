"""The layer that holds the values of a loss that change while a model is trained.

A variable that only a loss knows is frozen on JAX and trained nowhere; those of a layer are trained, saved and restored
with the model. So the layer stands in the model and passes its input on, and the loss reads the variables. On JAX,
Keras says what they are inside of a compiled step by a `StatelessScope`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import keras
import numpy as np
from keras import ops

from lossdsl.errors import LossConfigError, LossParameterError, format_value
from lossdsl.ir.loss import ParameterSpec
from lossdsl.runtime import keras_internals
from lossdsl.runtime.bind import check_requirements, of_kind
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.value_sources import ByEpoch, Learned, SmoothMap, check_inside, smooth_map

Schedule = keras.optimizers.schedules.LearningRateSchedule
IN_LOGS = 16
"""Of how many numbers a value may be to stand in the logs."""

LAYERS: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""By mark, the layers there are; of a model in a file, Keras reads the layers first, and its loss after them."""


@dataclass(frozen=True)
class _Value:
    """What a layer holds for one parameter: a variable, and how it becomes the value."""

    variable: Any
    config: Mapping[str, Any]
    within: SmoothMap | None = None
    schedule: Any = None
    counts_epochs: bool = False

    def tensor(self, dtype: str) -> Any:
        """The value, of whatever the variable is now."""
        found = keras_internals.tensor_of(self.variable.value)
        if self.within is None:
            return found
        low, high = self.within.low, self.within.high
        if low is not None and high is not None:
            found = low + (high - low) * ops.sigmoid(found)
        elif low is not None:
            found = low + ops.softplus(found)
        elif high is not None:
            found = high - ops.softplus(found)
        least, largest = self.within.inner_ends(dtype)
        found = found if least is None else ops.maximum(found, least)
        return found if largest is None else ops.minimum(found, largest)


@keras.saving.register_keras_serializable(package="lossdsl", name="ValuesLayer")
class ValuesLayer(keras.layers.Layer):  # type: ignore[misc]
    """Holds the values of a loss that change, and passes its input on; made by `lossdsl.compile` as `loss.layer`.

    It is saved with the model. Each value stands in the logs of `fit`, as `LOSS_PARAMETER`.
    """

    def __init__(
        self,
        of: str,
        values: Mapping[str, Mapping[str, Any]],
        mark: str | None = None,
        variables: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """`values` says for each parameter what it is, as plain JSON; `variables` are those that there are already."""
        super().__init__(**{"dtype": "float32", **options}, autocast=False)
        self.of = of
        self.mark = mark or uuid.uuid4().hex
        self.supports_masking = True
        self.is_used = False
        self.is_read = False  # from a file, or as a copy: a loss that is read takes no other
        self.read_from: object | None = None
        self.held: dict[str, _Value] = {}
        given = variables or {}
        for name, config in values.items():
            self.held[name] = self._value(name, config, given.get(name))
        self.steps = self._counter("steps")
        self.epochs = self._counter("epochs")
        self.begins = self._counter("begins")  # 1 from when metrics are reset until the next step
        names = {name: _names(f"{of}_{name}", tuple(one.variable.shape)) for name, one in self.held.items()}
        self.tracked = tuple(name for name in names if names[name])
        self.tracker = ValueTracker([each for name in self.tracked for each in names[name]], self._begin)
        LAYERS[self.mark] = self

    # --- the variables

    def _counter(self, name: str) -> Any:
        return self.add_weight((), "zeros", "int", trainable=False, name=name, aggregation="only_first_replica")

    def _value(self, name: str, config: Mapping[str, Any], variable: Any) -> _Value:
        if "schedule" in config:
            schedule = keras.optimizers.schedules.deserialize(config["schedule"])
            now = self._weight(name, ops.convert_to_numpy(schedule(0)), trainable=False)
            return _Value(now, config, None, schedule, config.get("by") == "epoch")
        if "learned" in config:
            within = SmoothMap(config.get("low"), config.get("high"))
            return _Value(self._weight(name, within.inverse(config["learned"]), trainable=True), config, within)
        if variable is None:
            variable = self._weight(name, config["variable"], trainable=bool(config.get("trainable")))
        else:
            setattr(self, f"{name}_variable", variable)  # what is an attribute is tracked
        return _Value(variable, config)

    def _weight(self, name: str, initial: Any, *, trainable: bool) -> Any:
        array = np.asarray(initial, dtype=np.float64)
        return self.add_weight(
            array.shape,
            lambda shape, dtype: ops.convert_to_tensor(array, dtype),
            trainable=trainable,
            name=name,
            aggregation="none" if trainable else "only_first_replica",
        )

    # --- a step

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The input as it is. In training, schedules go on by a step."""
        self.is_used = True
        if training and any(one.schedule is not None for one in self.held.values()):
            self._advance()
        for tensor in keras.tree.flatten(inputs):
            keras_internals.stamp(tensor, self.mark, self)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape

    def _begin(self) -> None:
        self.begins.assign(1)

    def _advance(self) -> None:
        """What the schedules are at this step; an epoch ends where the metrics were reset after some steps."""
        is_next = ops.logical_and(ops.equal(self.begins.value, 1), ops.greater(self.steps.value, 0))
        self.epochs.assign(self.epochs.value + ops.cast(is_next, self.epochs.dtype))
        self.begins.assign(0)
        for one in self.held.values():
            if one.schedule is not None:
                count = self.epochs if one.counts_epochs else self.steps
                one.variable.assign(ops.cast(one.schedule(count.value), one.variable.dtype))
        self.steps.assign(self.steps.value + 1)

    # --- what the loss asks for

    def tensors(self, y_pred: Any) -> dict[str, Any]:
        """The values for a call of the loss, by parameter; they are noted for the logs.

        Raises LossConfigError where the model that is trained does not have this layer.
        """
        if not self.is_used:
            raise self._unused("has not been called")
        stamped = keras_internals.stamped(y_pred, self.mark)
        if stamped is not None and stamped is not self:
            message = f"{self.of}: the prediction comes from a copy of the layer that holds its values"
            raise LossConfigError(message, None, "compile a copied model with `copy.deepcopy(loss)`")
        known = keras_internals.is_in_scope([one.variable for one in self.held.values()])
        if known is None and keras_internals.is_traced(y_pred):
            message = f"{self.of}: its values change, and are constants to a function that JAX traces by itself"
            raise LossConfigError(message, None, "call it in a `keras.StatelessScope` with the variables of the model")
        if known is False:
            noted = self.tracker.noted() if keras_internals.is_in_scope([self.tracker.total]) else None
            if noted is None or len(self.tracked) < len(self.held):
                raise self._unused("is not in the model that is trained")
            return self._parted(noted)  # as a metric, after the step
        found = {name: one.tensor(self.variable_dtype) for name, one in self.held.items()}
        flat = [ops.reshape(ops.cast(found[name], "float32"), (-1,)) for name in self.tracked]
        if flat:
            self.tracker.update_state(ops.stop_gradient(ops.concatenate(flat)))
        return found

    def _parted(self, flat: Any) -> dict[str, Any]:
        found, start = {}, 0
        for name in self.tracked:
            shape = tuple(self.held[name].variable.shape)
            size = int(np.prod(shape, dtype=int))
            found[name] = ops.reshape(flat[start : start + size], shape)
            start += size
        return found

    def _unused(self, what: str) -> LossConfigError:
        names = ", ".join(f"`{name}`" for name in self.held)
        message = f"{self.of}: the layer that holds {names} {what}"
        return LossConfigError(message, None, "put it behind the model: `outputs = loss.layer(outputs)`")

    def now(self) -> dict[str, Any]:
        """The values as numbers and numpy arrays."""
        arrays = {
            name: ops.convert_to_numpy(one.tensor(self.variable_dtype)).astype(np.float64)
            for name, one in self.held.items()
        }
        return {name: array if array.ndim else array.item() for name, array in arrays.items()}

    def get_config(self) -> dict[str, Any]:
        """Plain JSON: what each value is; the numbers are among the weights."""
        values = {name: dict(one.config) for name, one in self.held.items()}
        return {**super().get_config(), "of": self.of, "values": values, "mark": self.mark}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ValuesLayer:
        """The layer that `get_config` described."""
        found = cls(**config)
        found.is_read, found.read_from = True, keras_internals.reading()
        return found


class ValueTracker(keras.metrics.Metric):  # type: ignore[misc]
    """The numbers that were used last, each under a name of its own in the logs; tells when metrics are reset."""

    def __init__(self, names: list[str], begins: Callable[[], None]) -> None:
        super().__init__(name="values", dtype="float32")
        self._names = names
        self._begins = begins
        self.total = self.add_variable((len(names),), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")  # the number of replicas: totals are summed over them

    def update_state(self, values: Any) -> None:
        """Notes the values of a step."""
        self.total.assign(values)
        self.count.assign(1.0)

    def noted(self) -> Any:
        """The values of the last step."""
        return self.total.value / ops.maximum(self.count.value, 1.0)

    def result(self) -> dict[str, Any]:
        """The values of the last step, by name."""
        noted = self.noted()
        return {name: noted[place] for place, name in enumerate(self._names)}

    def reset_state(self) -> None:
        """Forgets them; the next step begins an epoch."""
        super().reset_state()
        self._begins()


def _names(name: str, shape: tuple[int, ...]) -> list[str]:
    """What the numbers of a value are called in the logs; too many are not there."""
    places = list(np.ndindex(*shape))
    if len(places) > IN_LOGS:
        return []
    return ["_".join([name, *map(str, place)]) for place in places]


# --- what a user writes ---------------------------------------------------------------------------------------------


def is_changing(value: Any) -> bool:
    """Whether a value given for a parameter is one that changes."""
    if isinstance(value, Mapping):
        return any(word in value for word in ("learned", "variable", "schedule"))
    return isinstance(value, Learned | ByEpoch | Schedule | keras.Variable)


def shape_of(value: Any, spec: ParameterSpec | None) -> tuple[int, ...]:
    """The shape of a value that changes."""
    if isinstance(value, keras.Variable):
        return tuple(value.shape)
    if isinstance(value, Mapping):
        value = value.get("learned", value.get("variable"))
    if isinstance(value, Learned):
        value = value.initial if value.initial is not None or spec is None else spec.default
    return np.shape(value) if isinstance(value, list | tuple | np.ndarray) else ()


def layer_for(spec: LoadedLoss, name: str, changing: Mapping[str, Any], dtype: str) -> ValuesLayer:
    """The layer for the parameters of a loss that change. Raises LossParameterError."""
    specs = {one.name: one for one in spec.program.loss.parameters}
    configs: dict[str, Mapping[str, Any]] = {}
    variables: dict[str, Any] = {}
    for one, value in changing.items():
        configs[one] = _config(spec, specs[one], value)
        if isinstance(value, keras.Variable):
            variables[one] = value
    layer = ValuesLayer(name, configs, None, variables, dtype="float64" if dtype == "float64" else "float32")
    first = {one: of_kind(specs[one], _plain(value)) for one, value in layer.now().items()}
    check_requirements(spec.program, {**spec.parameters, **{one: v for one, v in first.items() if v is not None}})
    return layer


def _config(spec: LoadedLoss, parameter: ParameterSpec, value: Any) -> dict[str, Any]:
    """What a value is, as plain JSON."""
    match value:
        case {"learned": initial}:
            value = Learned(initial, value.get("low"), value.get("high"))
        case {"schedule": saved}:
            schedule = keras.optimizers.schedules.deserialize(saved)
            value = ByEpoch(schedule) if value.get("by") == "epoch" else schedule
    if isinstance(value, keras.Variable):
        _check_shape(spec, parameter, tuple(value.shape))
        return {"variable": ops.convert_to_numpy(value.value).tolist(), "trainable": bool(value.trainable)}
    if isinstance(value, Learned):
        initial = parameter.default if value.initial is None else value.initial
        plain = of_kind(parameter, _plain(initial))
        if plain is None:
            message = f"`{parameter.name}` of {spec.name} cannot begin with {format_value(initial)}"
            hint = "give `lossdsl.learned` a number, or as many as the vector or matrix has"
            raise LossParameterError(message, parameter.span, hint, (parameter.name,))
        numbers = {name: number for name, number in spec.parameters.items() if isinstance(number, float)}
        within = smooth_map(spec.program, parameter, value, numbers)
        check_inside(spec.name, parameter, plain, within)
        return {"learned": np.asarray(plain).tolist(), "low": within.low, "high": within.high}
    by = "epoch" if isinstance(value, ByEpoch) else "step"
    schedule = value.schedule if isinstance(value, ByEpoch) else value
    if not isinstance(schedule, Schedule):
        message = f"`{parameter.name}` of {spec.name} is by_epoch({format_value(schedule)}), which is no schedule"
        hint = "give a `keras.optimizers.schedules.LearningRateSchedule`"
        raise LossParameterError(message, parameter.span, hint, (parameter.name,))
    _check_shape(spec, parameter, ())
    return {"schedule": keras.optimizers.schedules.serialize(schedule), "by": by}


def _check_shape(spec: LoadedLoss, parameter: ParameterSpec, shape: tuple[int, ...]) -> None:
    rank = {"vector": 1, "matrix": 2}.get(parameter.kind, 0)
    if len(shape) != rank:
        message = f"{spec.name}: the parameter `{parameter.name}` has rank {rank}, not shape {shape}"
        raise LossParameterError(message, parameter.span, None, (parameter.name,))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value

"""Built-in losses in the shape of `keras.losses`: functions and classes made from rows of a table.

A row names the file of the catalog and gives Keras's two signatures; everything else follows. What Keras's functions do
beside the formula is here as well: which shapes they align, what they return for a prediction of rank 1, and the mask
that two of them leave on their result.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from lossdsl import catalog
from lossdsl.errors import LossParameterError, LossShapeError
from lossdsl.ir.axes import LAST
from lossdsl.runtime import keras_internals
from lossdsl.runtime.evaluate import evaluate
from lossdsl.runtime.keras_loss import CompiledLoss
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.source import Source

Loss = keras.losses.Loss
MODULE = "lossdsl.losses"
PACKAGE = "lossdsl"
_COMMON = ("reduction", "name", "dtype")
_SURE = 2.0**-23
"""What Keras's `1 - epsilon` lacks to 1 in float32. In 16 bits it would be 0, and the logarithm infinite."""


@dataclass(frozen=True)
class Row:
    """A loss of `keras.losses`.

    `options` and `init` are the signatures of the function (behind `y_true, y_pred`) and of the class, as in Python.
    `arguments` says what the options mean. `references` is the file that takes reference embeddings; `is_sparse` marks
    labels along a class axis, `warns` a loss of several classes, and `counts` gives the values that count.
    `unsaved` are the options that Keras's own config lacks, so that they stand in ours only where they are not the
    default. `rounded` marks a loss that clips probabilities to Keras's `1 - epsilon`, which in float32 is 1 - 2^-23.
    `remembers` marks one that goes back to the logits of an activation where the backend's tensors remember them.
    """

    name: str
    class_name: str
    options: str
    init: str
    arguments: Mapping[str, str]
    references: str = ""
    is_sparse: bool = False
    warns: bool = False
    counts: Callable[[Any, Any, Mapping[str, Any]], Any] | None = None
    shapes: str = "`(batch, …, last)` both"
    gives: str = "One value a sample (and place): the mean over the axis."
    aliases: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()
    rounded: bool = False
    remembers: bool = False

    @cached_property
    def signature(self) -> inspect.Signature:
        return _signature(f"y_true, y_pred, {self.options}")

    @cached_property
    def init_signature(self) -> inspect.Signature:
        return _signature(f"self, {self.init}")

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The options of the function with their defaults; those without one are left out."""
        parameters = list(self.signature.parameters.values())[2:]
        return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}

    @cached_property
    def kinds(self) -> dict[str, type]:
        """The type of each option's default, in either signature."""
        parameters = [*self.signature.parameters.values(), *self.init_signature.parameters.values()]
        return {one.name: type(one.default) for one in parameters if one.default is not inspect.Parameter.empty}


def _signature(text: str) -> inspect.Signature:
    """A signature from its text; defaults are literals."""
    definition = ast.parse(f"def f({text.rstrip(', ')}): ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    names = [arg.arg for arg in definition.args.args]
    values = [ast.literal_eval(node) for node in definition.args.defaults]
    empty = [inspect.Parameter.empty] * (len(names) - len(values))
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature(
        [inspect.Parameter(name, kind, default=value) for name, value in zip(names, [*empty, *values], strict=True)]
    )


# --- the checked loss behind a call -----------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _opened(file: str, axis: tuple[int, ...], parameters: tuple[tuple[str, Any], ...]) -> LoadedLoss:
    source = catalog.read(file)
    assert isinstance(source, Source), file
    return LoadedLoss(source, axis, dict(parameters))


def opened(row: Row, options: Mapping[str, Any], dtype: str) -> LoadedLoss:
    """The loss of a row with values for its options; compiled once for each set of them."""
    axis = axes_of(options.get("axis", -1))
    file = row.name
    found = []
    for name, value in options.items():
        if name == "axis" or (name == "ignore_class" and value is None):
            continue
        if name in ("ref_labels", "ref_embeddings"):
            file = row.references if value is not None else file
            continue
        found.append((name, _plain(name, value, row)))
    if row.rounded and dtype == "float32":
        found.append(("sure", _SURE))
    return _opened(file, axis, tuple(found))


def _plain(name: str, value: Any, row: Row) -> Any:
    """A value of a parameter as plain Python, so that equal ones are equal."""
    if row.kinds.get(name) is bool:
        return bool(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if name == "ignore_class" else float(value)
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float)
    except (TypeError, ValueError, NotImplementedError, RuntimeError):
        raise LossParameterError(
            f"{row.name}: `{name}` is a number known when the loss is made, not {value!r}", None, None, (name,)
        ) from None
    return float(array) if array.ndim == 0 else tuple(array.tolist()) if array.ndim == 1 else array.tolist()


# --- what Keras does before and after the formula ---------------------------------------------------------------------


def _logits(row: Row, y_pred: Any, options: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Prediction and options, from the logits where `y_pred` is a sigmoid or softmax that remembers them.

    As in Keras, on TensorFlow alone: what a probability of almost 0 or 1 has lost, the logit still has, slope and all.
    """
    if not row.remembers or keras.backend.backend() != "tensorflow":
        return y_pred, options
    logits = getattr(y_pred, "_keras_logits", None)
    if logits is None:
        return y_pred, options
    if options["from_logits"]:
        warnings.warn(
            f"{row.name} has from_logits=True, but y_pred is what an activation made of logits; those are taken.",
            stacklevel=5,
        )
    return logits, {**options, "from_logits": True}


def _prepared(row: Row, y_true: Any, y_pred: Any, options: Mapping[str, Any], keep: bool) -> tuple[Any, Any]:
    """Target and prediction as tensors, aligned as Keras does; `keep` leaves the prediction's places alone."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    if not (keras_internals.has_rank(y_true) and keras_internals.has_rank(y_pred)):
        return y_true, y_pred
    rank = len(y_pred.shape)
    if row.warns and rank and y_pred.shape[-1] == 1:
        warnings.warn(
            f"In loss {row.name}, expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1, "
            f"but it is {tuple(y_pred.shape)}: of one class the loss says nothing; see binary_crossentropy.",
            SyntaxWarning,
            stacklevel=5,
        )
    if row.is_sparse:
        return _sparse_target(y_true, y_pred, options.get("axis", -1)), y_pred
    if len(y_true.shape) == rank + 1 == 2 and y_true.shape[-1] == 1:
        y_pred = ops.expand_dims(y_pred, -1)
    elif len(y_true.shape) == rank - 1 > 1 and y_pred.shape[-1] == 1 and not keep:
        y_pred = ops.squeeze(y_pred, -1)
    return y_true, y_pred


def _sparse_target(y_true: Any, y_pred: Any, axis: Any) -> Any:
    """The labels without the axis of the classes, if they have one.

    Raises LossShapeError for another axis than the last on TensorFlow and JAX, as Keras does.
    """
    rank = len(y_pred.shape)
    whole = isinstance(axis, int) and not isinstance(axis, bool)
    if whole and axis not in (-1, rank - 1) and keras.backend.backend() != "torch":
        raise LossShapeError(
            f"Only axis=-1 is currently supported. Received: axis={axis}. Arguments `target` and `output` must have "
            f"the same shape up until the last dimension: target.shape={tuple(y_true.shape)}, "
            f"output.shape={tuple(y_pred.shape)}",
            None,
            f'`lossdsl.compile("sparse_categorical_crossentropy", axis={axis})` takes any axis',
        )
    if whole and len(y_true.shape) == rank and -rank <= axis < rank and y_true.shape[axis] == 1:
        return ops.squeeze(y_true, axis)
    return y_true


def _target(row: Row, y_true: Any, y_pred: Any, options: Mapping[str, Any]) -> Any:
    """The target, with the reference embeddings if there are any."""
    labels, embeddings = options.get("ref_labels"), options.get("ref_embeddings")
    if labels is None and embeddings is None:
        return y_true
    labels = y_true if labels is None else ops.convert_to_tensor(labels)
    embeddings = y_pred if embeddings is None else ops.convert_to_tensor(embeddings)
    return y_true, labels if len(labels.shape) == 1 else ops.reshape(labels, (-1,)), embeddings


def ignored(values: Any, y_true: Any, options: Mapping[str, Any]) -> Any:
    """Where the label is not the one to ignore; None if there is none."""
    if options.get("ignore_class") is None:
        return None
    labels = ops.reshape(ops.cast(y_true, "int32"), ops.shape(values))
    return ops.not_equal(labels, int(options["ignore_class"]))


def positive(values: Any, y_true: Any, options: Mapping[str, Any]) -> Any:
    """Where the value is greater than 0."""
    return values > 0


# --- functions --------------------------------------------------------------------------------------------------------


def _called(row: Row, y_true: Any, y_pred: Any, options: Mapping[str, Any]) -> Any:
    y_pred, options = _logits(row, y_pred, options)
    y_true, y_pred = _prepared(row, y_true, y_pred, options, keep=False)
    dtype = keras.backend.standardize_dtype(y_pred.dtype)
    if "float" not in dtype:
        dtype = keras.config.floatx()
    spec = opened(row, options, dtype)
    target = _target(row, y_true, y_pred, options)
    values = evaluate(spec, target, y_pred, dtype=dtype, label=row.name, rank_one_is_batch=False).values
    mask = None if row.counts is None else row.counts(values, y_true, options)
    if mask is not None:
        keras_internals.leave_mask(values, mask)
    return values


class _Symbolic(keras.Operation):  # type: ignore[misc]
    """A loss of symbolic tensors, as a node of a functional model."""

    def __init__(self, row: Row, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.row = row
        self.options = options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return _called(self.row, y_true, y_pred, self.options)


def function_of(row: Row) -> Callable[..., Any]:
    """Keras's function of a row: `f(y_true, y_pred, …)`, one value a sample, before any reduction."""
    signature, defaults = row.signature, row.defaults
    is_ready = len(defaults) == len(signature.parameters) - 2

    @keras_internals.opaque
    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 2 and not kwargs and is_ready:
            y_true, y_pred = args
            options = defaults
        else:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            options = dict(bound.arguments)
            y_true, y_pred = options.pop("y_true"), options.pop("y_pred")
        if keras.backend.is_keras_tensor(y_true) or keras.backend.is_keras_tensor(y_pred):
            return _Symbolic(row, options)(y_true, y_pred)
        return _called(row, y_true, y_pred, options)

    function.__name__ = function.__qualname__ = row.name
    function.__module__ = MODULE
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__doc__ = _doc(row, list(signature.parameters)[2:], is_function=True)
    made: Callable[..., Any] = keras.saving.register_keras_serializable(PACKAGE, row.name)(function)
    return made


# --- classes ----------------------------------------------------------------------------------------------------------


class BuiltIn(CompiledLoss):
    """A loss class of `keras.losses`, compiled from a file of the catalog.

    Saved by what it was made with, all of it; a file finds it once lossdsl is imported.
    """

    row: ClassVar[Row]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.row.init_signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        options = dict(bound.arguments)
        del options["self"]
        common = {name: options.pop(name) for name in _COMMON}
        for name, value in options.items():
            setattr(self, name, value)
        self._options = options
        spec = opened(self.row, options, _compute_dtype(common["dtype"]))
        super().__init__(spec, common["name"], common["reduction"], common["dtype"])

    def __repr__(self) -> str:
        return f"<{MODULE}.{type(self).__name__} {self.spec!r}>"

    def get_config(self) -> dict[str, Any]:
        """Every argument of the class, as plain JSON; some only if they are not the default."""
        config = super().get_config()
        if config["dtype"] is None:
            del config["dtype"]
        for name, value in self._options.items():
            if name not in self.row.unsaved or value != self.row.init_signature.parameters[name].default:
                config[name] = _json(value)
        return config

    def _values(self, y_true: Any, y_pred: Any, mask: Any, sample_weight: Any) -> tuple[Any, Any]:
        by_place = mask is not None or (sample_weight is not None and np.ndim(sample_weight) > 1)
        spec = self.spec
        options: Mapping[str, Any] = self._options
        if getattr(y_pred, "dtype", None) == self.dtype:  # a cast would have forgotten them
            y_pred, options = _logits(self.row, y_pred, options)
            spec = spec if options is self._options else opened(self.row, options, self.dtype)
        y_true, y_pred = _prepared(self.row, y_true, y_pred, options, keep=by_place)
        is_elementwise = LAST in spec.program.loss.value.axes
        found = evaluate(
            spec, y_true, y_pred, mask, dtype=self.dtype, label=self.name, rank_one_is_batch=is_elementwise
        )
        values, mask = found.by_sample()
        own = None if self.row.counts is None else self.row.counts(values, y_true, self._options)
        return values, own if mask is None else mask if own is None else ops.logical_and(mask, own)


def _compute_dtype(dtype: Any) -> str:
    try:
        return str(keras.dtype_policies.get(dtype or keras.config.floatx()).compute_dtype)
    except (TypeError, ValueError):
        return ""  # the base class says what is wrong


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value).tolist()


def class_of(row: Row) -> type[BuiltIn]:
    """Keras's class of a row."""
    signature = row.init_signature

    def __init__(self: BuiltIn, *args: Any, **kwargs: Any) -> None:
        BuiltIn.__init__(self, *args, **kwargs)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    __init__.__qualname__ = f"{row.class_name}.__init__"
    __init__.__module__ = MODULE
    members = {
        "__init__": __init__,
        "__doc__": _doc(row, list(signature.parameters)[1:], is_function=False),
        "__module__": MODULE,
        "row": row,
    }
    made: type[BuiltIn] = keras.saving.register_keras_serializable(PACKAGE, row.class_name)(
        type(row.class_name, (BuiltIn,), members)
    )
    return made


# --- ctc --------------------------------------------------------------------------------------------------------------


def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification: the negative log-likelihood of a sequence without an alignment.

    Graves, Fernandez, Gomez, Schmidhuber (2006), Connectionist Temporal Classification: Labelling Unsegmented Sequence
    Data with Recurrent Neural Networks, ICML, doi:10.1145/1143844.1143891

    The one loss here without a `.loss` file: it is a recursion over time, and rests on the backend's own operation, as
    Keras's does.

    Args:
        y_true: labels `(batch, length)`, whole numbers; 0 is the blank and pads short sequences.
        y_pred: logits `(batch, time, classes)`.

    Returns:
        One value a sample.

    Raises:
        LossShapeError: tensors of another rank.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2:
        raise LossShapeError(f"ctc: `y_true` has shape {tuple(y_true.shape)}; it must be (batch, length)")
    if len(y_pred.shape) != 3:
        raise LossShapeError(f"ctc: `y_pred` has shape {tuple(y_pred.shape)}; it must be (batch, time, classes)")
    batch, time = ops.shape(y_pred)[:2]
    given = time * ops.ones((batch,), dtype="int32")
    wanted = ops.cast(ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1), "int32")
    return ops.ctc_loss(ops.cast(y_true, "int32"), y_pred, wanted, given, mask_index=0)


class CTC(keras.losses.Loss):  # type: ignore[misc]
    """Connectionist temporal classification as a loss object; see `ctc`.

    Args:
        reduction: how the values become one number: "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight",
            "none" or None.
        name: the name in logs.
        dtype: the dtype of the computation; by default `keras.config.floatx()`.
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: Any = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self._given_dtype = dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample."""
        return ctc(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Every argument, as plain JSON."""
        config = {"name": self.name, "reduction": self.reduction}
        return config if self._given_dtype is None else {**config, "dtype": self._dtype_policy.name}


for _made in (ctc, CTC):
    _made.__module__ = MODULE
    keras.saving.register_keras_serializable(PACKAGE, _made.__name__)(_made)


# --- by name ----------------------------------------------------------------------------------------------------------


def serialize(loss: Any) -> Any:
    """A loss function or object as a plain dict, from which `deserialize` makes it again."""
    return keras.saving.serialize_keras_object(loss)


def found_by(known: Mapping[str, Any], name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A loss function or object from what `serialize` gave, from the name of one, or from class name and config."""
    if isinstance(name, Mapping) and "registered_name" not in name and name.get("class_name") in known:
        return known[name["class_name"]].from_config(dict(name.get("config") or {}))
    if isinstance(name, str) and name not in (custom_objects or {}) and name in known:
        return known[name]
    return keras.saving.deserialize_keras_object(name, custom_objects=custom_objects, module_objects=dict(known))


# --- documentation ----------------------------------------------------------------------------------------------------

_SHARED = {
    "axis": "the axis (or axes) over which each value is made; None for all of them.",
    "from_logits": "whether `y_pred` holds logits instead of probabilities.",
    "label_smoothing": "how far labels are drawn to the middle, from 0 to 1.",
    "reduction": 'how the values become one number: "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", '
    '"none" or None.',
    "name": "the name in logs.",
    "dtype": "the dtype of the computation; by default `keras.config.floatx()`.",
}


def _doc(row: Row, options: list[str], *, is_function: bool) -> str:
    """The docstring of a function or class: the catalog's text, then arguments, result and errors."""
    source = catalog.read(row.name)
    assert source is not None, row.name
    text = source.text.split('"""')[1].strip()
    lines = [text, "", "Args:"]
    if is_function:
        lines += _item("y_true", f"the target t; shapes {row.shapes}.")
        lines += _item("y_pred", "the prediction x, of any floating dtype, which is that of the result.")
    for name in options:
        lines += _item(name, row.arguments.get(name) or _SHARED[name])
    if is_function:
        lines += ["", "Returns:", f"    {row.gives}"]
    lines += ["", "Raises:", *_item("LossError", "shapes that do not agree, or an argument out of its range.")]
    return "\n".join(lines)


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(f"{name}: {text}", 112, initial_indent=" " * 4, subsequent_indent=" " * 8)

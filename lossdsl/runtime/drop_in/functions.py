"""Keras's functions, made from rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from lossdsl.runtime import keras_internals
from lossdsl.runtime.debugging import is_debugging
from lossdsl.runtime.drop_in.aligned import logits_of, prepared, target_of
from lossdsl.runtime.drop_in.docs import doc
from lossdsl.runtime.drop_in.row import MODULE, PACKAGE, BuiltInRow, opened
from lossdsl.runtime.evaluate import evaluate


def _called(row: BuiltInRow, y_true: Any, y_pred: Any, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """The values, and which of them count; None for all."""
    y_pred, options = logits_of(row, y_pred, options)
    y_true, y_pred = prepared(row, y_true, y_pred, options, keep=False)
    dtype = keras.backend.standardize_dtype(y_pred.dtype)
    if "float" not in dtype:
        dtype = keras.config.floatx()
    spec = opened(row, options, dtype)
    target = target_of(row, y_true, y_pred, options)
    values = evaluate(spec, target, y_pred, dtype=dtype, label=row.name, rank_one_is_batch=False).values
    return values, None if row.counts is None else row.counts(values, y_true, options)


def _left(values: Any, mask: Any) -> Any:
    """The values, with the mask where a loss object that reduces them finds it."""
    if mask is not None:
        keras_internals.leave_mask(values, mask)
    return values


class _Symbolic(keras.Operation):  # type: ignore[misc]
    """A loss of symbolic tensors, as a node of a functional model."""

    def __init__(self, row: BuiltInRow, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.row = row
        self.options = options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return _left(*_called(self.row, y_true, y_pred, self.options))


def _ready_calls() -> Any:
    """Where calls with tensors of torch's are kept; None on other backends."""
    if keras.backend.backend() != "torch":
        return None
    from lossdsl.runtime.torch_calls import ReadyCalls

    return ReadyCalls()


def _straight(row: BuiltInRow, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What runs calls such as this one, where nothing is to be done to the tensors and nothing stands beside values."""
    from lossdsl.runtime.torch_calls import straight

    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    options = dict(bound.arguments)
    y_true, y_pred = options.pop("y_true"), options.pop("y_pred")
    is_told = row.warns and y_pred.ndim and y_pred.shape[-1] == 1
    if is_told or (row.counts is not None and options.get("ignore_class", "") is not None):
        return None
    if options.get("ref_labels") is not None or options.get("ref_embeddings") is not None:
        return None
    target, prediction = prepared(row, y_true, y_pred, options, keep=False)
    if target is not y_true or prediction is not y_pred or not y_pred.is_floating_point():
        return None
    dtype = keras.backend.standardize_dtype(y_pred.dtype)
    return straight(opened(row, options, dtype), y_true, y_pred, dtype)


def function_of(row: BuiltInRow) -> Callable[..., Any]:
    """Keras's function of a row: `f(y_true, y_pred, …)`, one value a sample, before any reduction."""
    signature, defaults = row.signature, row.defaults
    is_ready = len(defaults) == len(signature.parameters) - 2
    ready = _ready_calls()

    def called(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        if ready is not None and len(args) == 2:
            values = ready.values(*args, kwargs.items(), lambda: _straight(row, signature, args, kwargs))
            if values is not None:
                return values, None
        if len(args) == 2 and is_ready and kwargs.keys() <= defaults.keys():  # a signature takes a while to bind
            y_true, y_pred = args
            options = {**defaults, **kwargs} if kwargs else defaults
        else:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            options = dict(bound.arguments)
            y_true, y_pred = options.pop("y_true"), options.pop("y_pred")
        if keras.backend.is_keras_tensor(y_true) or keras.backend.is_keras_tensor(y_pred):
            return _Symbolic(row, options)(y_true, y_pred), None
        return _called(row, y_true, y_pred, options)

    in_graph, apart = keras_internals.whole_in_graph(called), keras_internals.opaque(called)

    @keras_internals.as_written
    def function(*args: Any, **kwargs: Any) -> Any:
        return _left(*(apart if is_debugging() else in_graph)(*args, **kwargs))

    function.__name__ = function.__qualname__ = row.name
    function.__module__ = MODULE
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__doc__ = doc(row, list(signature.parameters)[2:], is_function=True)
    made: Callable[..., Any] = keras.saving.register_keras_serializable(PACKAGE, row.name)(function)
    return made

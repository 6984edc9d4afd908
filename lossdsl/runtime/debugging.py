"""A mode in which Keras losses test, while they train, that inputs are of the kinds which their headers say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossTypeError
from lossdsl.ir.axes import LAST
from lossdsl.ir.expr import Call, Const, Expr, Param, walk
from lossdsl.ir.inputs import DOMAINS, SUM_TO_ONE, InputSpec
from lossdsl.ir.prediction_view import CASES
from lossdsl.runtime.spec import LoadedLoss

Array = NDArray[Any]
_WITHIN = 1e-3
"""How far numbers may be outside a range, and sums from 1: rounding of half precision."""


class _Mode:
    """Whether inputs are tested: of the whole process, since strategies call losses in threads of their own."""

    is_on = False


class debug:
    """Tests the inputs of losses for Keras from here on, or inside a `with` block.

    An input that holds nan where the loss does not ask for it, a label beyond the classes which the loss does not
    compare with, a probability outside of [0, 1] (a prediction with `from_logits=False`, too), a distribution that does
    not sum to 1, a count below 0 are then errors that name the input, the first such place and its value; what a mask
    leaves out is not tested. Outside of graphs the error is a LossError; inside, the library's own with the same text:
    of TensorFlow where the step ran, of JAX once a result is waited for. It costs a look at every number. A graph that
    was traced before keeps to how it was: compile the model again. TensorFlow cannot do this under `jit_compile=True`.

    Args:
        on: False switches the tests off.

    Raises:
        LossTypeError: by a loss, of such an input.

    >>> import lossdsl
    >>> with lossdsl.debug():
    ...     lossdsl.compile("loss nll(t: label, x)\\n-log_softmax(x)[t]")([3], [[0.5, 0.5]])
    Traceback (most recent call last):
        ...
    lossdsl.errors.LossTypeError: type error: nll: `t` is a label beyond the 2 classes: 3 at (0,)
      help: labels are 0 to 1
    """

    def __init__(self, on: bool = True) -> None:
        self._before = _Mode.is_on
        _Mode.is_on = on

    def __enter__(self) -> debug:
        return self

    def __exit__(self, *_: object) -> None:
        _Mode.is_on = self._before


def is_debugging() -> bool:
    """Whether inputs are tested now."""
    return _Mode.is_on


def tested(spec: LoadedLoss, inputs: list[Any], label: str, backend: str) -> list[Any]:
    """The inputs, aligned, as they are; in debug mode only after they have been looked at. Raises LossTypeError."""
    if not _Mode.is_on:
        return inputs

    def look(*tensors: Any) -> None:
        arrays = [np.asarray(each) for each in tensors]
        for one, array in zip(spec.program.loss.inputs, arrays, strict=True):
            _look(spec, one, array, _classes(spec, arrays), label)

    return _LOOKERS[backend](look, inputs)


def _tensorflow(look: Callable[..., None], inputs: list[Any]) -> list[Any]:
    import tensorflow as tf

    if tf.executing_eagerly():
        look(*inputs)
        return inputs
    with tf.control_dependencies([tf.py_function(look, inputs, [])]):
        return [tf.identity(each) for each in inputs]


def _jax(look: Callable[..., None], inputs: list[Any]) -> list[Any]:
    import jax

    if any(isinstance(each, jax.core.Tracer) for each in inputs):
        jax.debug.callback(look, *inputs)
    else:
        look(*inputs)
    return inputs


def _torch(look: Callable[..., None], inputs: list[Any]) -> list[Any]:
    import torch

    plain = [each.detach().cpu() for each in inputs]
    look(*(each.float() if each.dtype is torch.bfloat16 else each for each in plain))  # which numpy does not know
    return inputs


_LOOKERS: dict[str, Callable[[Callable[..., None], list[Any]], list[Any]]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}


# --- what is looked for ---------------------------------------------------------------------------------------------


def _look(spec: LoadedLoss, one: InputSpec, array: Array, classes: int | None, label: str) -> None:
    name = f"{label}: `{one.name}`"
    if one.is_label:
        known = _compared(spec, one)
        if classes is not None:
            _refuse(
                (array < 0) | (array >= classes), array, f"{name} is a label beyond the {classes} classes",
                f"labels are 0 to {classes - 1}{''.join(f', or {value:g}' for value in known)}", known,
            )  # fmt: skip
        return
    if not _asks_for_nan(spec, one):
        _refuse(np.isnan(array), array, f"{name} is not a number", "find its origin, or leave it out by a mask")
    if len(one.parts) == 1:
        _look_at(name, one.domain, array)
        if one is spec.program.loss.prediction and one.domain == "real" and spec.parameters.get("from_logits") is False:
            hint = "give logits with `from_logits=True`, or end the model with a sigmoid or a softmax"
            _refuse((array < -_WITHIN) | (array > 1 + _WITHIN), array, f"{name} is no probability", hint)
        return
    parts = {part.name: array[..., place] for part, place in one.pieces(array.shape[-1])}
    for part in one.parts:
        _look_at(f"{label}: `{part.name}`", part.domain, parts[part.name])
    for order in spec.program.loss.orders:
        if order.low in one.nodes:
            low, high = parts[order.low.name], parts[order.high.name]
            text = f"{label}: `{order.high.name}` is {'not above' if order.strict else 'below'} `{order.low.name}`"
            _refuse(high <= low if order.strict else high < low, high, text, f"the loss requires `{order.span.text}`")


def _look_at(name: str, domain: str, array: Array) -> None:
    """Whether numbers are of a kind."""
    interval = DOMAINS[domain]
    outside = (array < float(interval.low) - _WITHIN) | (array > float(interval.high) + _WITHIN)
    _refuse(outside, array, f"{name} is {domain}, but lies outside", f"it is said to be {domain} in the header")
    if domain in CASES:
        _refuse(~np.isin(array, CASES[domain]), array, f"{name} is {domain}, but has another value", None)
    if domain in SUM_TO_ONE and array.ndim:
        sums = array.sum(axis=-1)
        _refuse(np.abs(sums - 1) > _WITHIN, sums, f"{name} is {domain}, but sums to something else than 1", None)


def _refuse(bad: Array, array: Array, message: str, hint: str | None, known: Iterable[float] = ()) -> None:
    """Raises LossTypeError for the first place where something is bad, and no value that the loss knows."""
    bad = bad & ~np.isin(array, list(known))
    if bad.any():
        place = tuple(map(int, np.argwhere(bad)[0]))
        raise LossTypeError(f"{message}: {array[place]} at {place}", None, hint)


def _classes(spec: LoadedLoss, arrays: list[Array]) -> int | None:
    """How many classes there are: the length of the prediction's last axis."""
    loss = spec.program.loss
    if LAST not in loss.prediction.over:
        return None
    return loss.prediction.block(int(arrays[loss.inputs.index(loss.prediction)].shape[-1]))


def _compared(spec: LoadedLoss, one: InputSpec) -> list[float]:
    """The numbers with which the loss compares a label: those stand for something else than a class."""
    found: dict[float, None] = {}
    for node in walk(spec.program.loss.result):
        if isinstance(node, Call) and node.op.name in ("eq", "ne") and any(arg in one.nodes for arg in node.args):
            found.update((number, None) for arg in node.args for number in _numbers(spec, arg))
    return list(found)


def _numbers(spec: LoadedLoss, expr: Expr) -> list[float]:
    if isinstance(expr, Const):
        return [float(expr.value)]
    value = spec.parameters.get(expr.name) if isinstance(expr, Param) else None
    return [float(value)] if isinstance(value, int | float) else []


def _asks_for_nan(spec: LoadedLoss, one: InputSpec) -> bool:
    """Whether the loss says what becomes of nan: by `isnan`."""
    return any(
        isinstance(node, Call) and node.op.name == "isnan" and any(each in one.nodes for each in walk(node))
        for node in walk(spec.program.loss.result)
    )


__all__ = ["debug", "tested"]

"""Calls with tensors of torch's that are as a loss wants them: what was settled for the first is taken for the others.

To find out that nothing has to be cast, aligned or moved takes longer than a small batch; it depends on shapes and
dtypes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from lossdsl.ir.axes import BATCH, LAST
from lossdsl.runtime import keras_internals
from lossdsl.runtime.debugging import is_debugging
from lossdsl.runtime.kernels import torch_code
from lossdsl.runtime.shapes import Shapes
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.torch_eager import carried

_MOST = 256
"""For how many kinds of calls something is kept; a batch may have a length of its own each time."""
_PLAIN = frozenset({bool, int, float, str, type(None)})
_LABELS = (torch.int32, torch.int64)

Run = Callable[[Any, Any], Any]
"""Takes target and prediction, gives the values."""


class ReadyCalls:
    """By the kind of a call, what runs it; None where it has to be looked at each time."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Run | None] = {}

    def values(
        self, y_true: Any, y_pred: Any, options: Iterable[tuple[str, Any]], make: Callable[[], Run | None]
    ) -> Any:
        """The values of a call, where something runs it; else None. `make` settles what does, of a kind that is new."""
        if type(y_true) is not torch.Tensor or type(y_pred) is not torch.Tensor or is_debugging():
            return None
        key: tuple[Any, ...] = (y_true.shape, y_true.dtype, y_pred.shape, y_pred.dtype, y_pred.device)
        for name, value in options:
            if type(value) not in _PLAIN:
                return None
            key += (name, type(value), value)  # True and 1 are equal, and not the same to a loss
        if not (keras_internals.is_ready(y_true, None) and keras_internals.is_ready(y_pred, None)):
            return None
        run = self._made.get(key) if key in self._made else self._settled(key, make)
        return None if run is None else run(y_true, y_pred)

    def _settled(self, key: tuple[Any, ...], make: Callable[[], Run | None]) -> Run | None:
        found = make()
        if len(self._made) >= _MOST:
            self._made.clear()
        self._made[key] = found
        return found


def straight(spec: LoadedLoss, y_true: Any, y_pred: Any, dtype: str) -> Run | None:
    """What runs the code of a loss on its two inputs as they are; None where there is more to do.

    The values are those of `evaluate` for a function, which takes a prediction of rank 1 for one sample. Raises
    LossShapeError for shapes that do not agree.
    """
    loss = spec.program.loss
    if spec.live or len(loss.inputs) != 2:
        return None
    is_target_first = loss.inputs[1] is loss.prediction
    inputs = [y_true, y_pred] if is_target_first else [y_pred, y_true]
    if not all(_is_right(one.is_label, tensor, dtype) for one, tensor in zip(loss.inputs, inputs, strict=True)):
        return None
    is_whole = not spec.axis
    if is_whole:
        has_none = spec.program.whole is None or not all(one.is_full for one in loss.inputs)
        if has_none or y_true.shape != y_pred.shape or not y_pred.ndim:
            return None
    elif spec.axis != (-1,) or not _is_plain(spec, inputs):
        return None
    last = loss.prediction.block(int(y_pred.shape[-1])) if LAST in loss.prediction.over else None
    code, settings = torch_code(spec, inputs, spec.arguments(None if is_whole else last), is_whole)

    def run(y_true: Any, y_pred: Any) -> Any:
        inputs = (y_true, y_pred) if is_target_first else (y_pred, y_true)
        if is_whole:
            inputs = (inputs[0].reshape(-1), inputs[1].reshape(-1))
        return carried(code, (*inputs, *settings))

    return run


def _is_plain(spec: LoadedLoss, inputs: Sequence[Any]) -> bool:
    """Whether inputs are aligned as they are, and have several samples, each of which has a value."""
    loss = spec.program.loss
    shapes = {one.identifier: tuple(tensor.shape) for one, tensor in zip(loss.inputs, inputs, strict=True)}
    found = Shapes(spec, shapes, spec.name).plan(rank_one_is_batch=False)
    is_moved = any(step.squeeze or step.expand or step.lead for step in found.steps.values())
    return not is_moved and not found.single and BATCH in loss.result.axes


def _is_right(is_label: bool, tensor: Any, dtype: str) -> bool:
    """Whether a tensor has the dtype that an input is brought to."""
    return tensor.dtype in _LABELS if is_label else tensor.dtype is getattr(torch, dtype)

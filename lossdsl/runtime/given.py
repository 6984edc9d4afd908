"""What a loss is called with that is no tensor of real numbers: what it is instead, and what to do about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossdsl.errors import LossError, LossShapeError, LossTypeError, format_value


def is_dense(value: Any) -> bool:
    """Whether a value is no ragged or sparse tensor."""
    kind = type(value).__name__
    if "Ragged" in kind or "Sparse" in kind or getattr(value, "is_sparse", False) is True:
        return False
    return kind not in ("BCOO", "BCSR") and not type(value).__module__.startswith("scipy.sparse")


def is_real(value: Any) -> bool:
    """Whether the dtype of an array, if it has one, is that of real numbers or truth values."""
    dtype = getattr(value, "dtype", None)
    return not any(part in str(dtype) for part in ("complex", "string", "<U", "|S"))


def no_tensor(loss: str, name: str, value: Any, error: Exception | None = None) -> LossError:
    """The mistake that an input is no tensor of real numbers."""
    head = f"{loss}: `{name}`"
    kind = type(value).__name__
    if value is None:
        return LossTypeError(f"{head} is None, not a tensor", None, "give the target and the prediction")
    if "Ragged" in kind:
        hint = "make it dense by `.to_tensor()`, and leave the padding out by a mask or `sample_weight`"
        return LossTypeError(f"{head} is ragged: its rows differ in length", None, hint)
    if not is_dense(value):
        return LossTypeError(f"{head} is sparse, not a dense tensor", None, f"make it dense: {_dense(value)}")
    if isinstance(value, str | bytes) or (held := _held(value)) == "text":
        hint = "turn texts into numbers: classes into labels 0, 1, 2, …, as by `np.unique(…, return_inverse=True)`"
        return LossTypeError(f"{head} holds text, not real numbers", None, hint)
    if held == "rows":
        hint = "pad the rows to one length, and leave the padding out by a mask or `sample_weight`"
        return LossShapeError(f"{head} is no array: its rows differ in length", None, hint)
    if held == "complex numbers":
        return LossTypeError(f"{head} holds complex numbers, not real numbers", None, "give the parts as two inputs")
    if isinstance(value, dict):
        hint = "give the tensor in it; several inputs of a loss have their names in its header"
        return LossTypeError(f"{head} is a mapping, not a tensor", None, hint)
    if callable(value):
        return LossTypeError(f"{head} is a function, not a tensor", None, "call it, and give what it returns")
    if held == "objects":
        hint = "give numbers: `numpy.asarray(…, dtype=float)`"
        return LossTypeError(f"{head} is an array of objects, not of real numbers: {format_value(value)}", None, hint)
    reason = f" ({type(error).__name__})" if error is not None and not held else ""
    return LossTypeError(f"{head} is no tensor of real numbers: {format_value(value)}{reason}", None, "give an array")


def _held(value: Any) -> str:
    """What an array of the value would hold: "text", "complex numbers", "rows" of different length, "objects"."""
    try:
        array = np.asarray(value)
    except ValueError:
        return "rows"
    except Exception:  # of whatever the value is
        return ""
    if array.dtype.kind == "O" and array.size and isinstance(array.flat[0], str | bytes):
        return "text"
    return {"U": "text", "S": "text", "c": "complex numbers", "O": "objects"}.get(array.dtype.kind, "")


def _dense(value: Any) -> str:
    if type(value).__module__.startswith("tensorflow"):
        return "`tf.sparse.to_dense(…)`"
    methods = [name for name in ("to_dense", "toarray", "todense") if hasattr(value, name)]
    return f"`.{methods[0]}()`" if methods else "as an array"

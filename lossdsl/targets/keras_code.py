"""The keras target: `keras.ops`, for code that runs on every backend of Keras."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from lossdsl.ir.axes import BATCH, LAST
from lossdsl.ir.inputs import HARMLESS, InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.targets import arguments, packing, source_layout, special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill


class KerasPrinter(Printer):
    target = "keras"
    lifts_all = True
    counts_plainly = False
    fuses = True
    spell: ClassVar[Mapping[str, str]] = {
        "lift": "ops.convert_to_tensor(a, dtype)",
        "dtype": "keras.backend.standardize_dtype(a.dtype)",
        "real": "_real(a)",
        "like": "ops.convert_to_tensor(a, x.dtype)",
        "number": "ops.convert_to_tensor(a, x.dtype)",
        "given shape": "ops.shape(a)",
        "ones": "ops.ones(s, x.dtype)",
        "label": "ops.cast(ops.convert_to_tensor(a), 'int32')",
        "vector": "_vector(ops.convert_to_tensor(a, x.dtype), x)",
        "matrix": "ops.convert_to_tensor(a, x.dtype)",
        "split": "ops.split(a, n, axis=-1)",
        "joined": "ops.concatenate(parts, axis=-1)",
        "shape": "ops.shape(a)",
        "reshape": "ops.reshape(a, s)",
        "flat with last": "_flat(a, True)",
        "flat": "_flat(a, False)",
        "filled with number": "ops.broadcast_to(ops.convert_to_tensor(a, dtype), s)",
        "filled": "ops.broadcast_to(a, s)",
        "length": "ops.cast(ops.shape(a)[k], dtype)",
        "count": "ops.shape(a)[k]",
        "size": "ops.cast(ops.size(a), dtype)",
        "arange": "ops.arange(ops.shape(a)[k])",
        "range": "ops.arange(n)",
        "shorter range": "ops.arange(ops.shape(a)[k])[n:] - n",
        "reduced": "F(a, axis=k)",
        "reduced, kept": "F(a, axis=k, keepdims=True)",
        "position": "F(a, axis=k)",
        "position in last": "F(a, axis=k)",
        "einsum": "ops.einsum(s, a, b)",
        "transpose": "ops.transpose(a, k)",
        "diagonal": "ops.diagonal(a, axis1=i, axis2=j)",
        "pick": "ops.take(a, ops.clip(ops.cast(i, 'int32'), 0, ops.shape(a)[k] - 1), axis=k)",
        "take": "ops.take(a, ops.clip(i, 0, ops.shape(a)[k] - 1), axis=k)",
        "take last": "_take_along(a, i[..., None], -1)",
    }

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if function == "ops.mean":
            self.helpers.add("_mean")
            return fill("_mean(a, k, keepdims=True)" if keep else "_mean(a, k)", a=tree, k=axis)
        first = {"ops.max": "-math.inf", "ops.min": "math.inf"}.get(function)
        if first is not None:  # a batch may be empty, and has no largest
            kept = ", keepdims=True" if keep else ""
            return fill(f"{function}(a, axis=k{kept}, initial={first})", a=tree, k=axis)
        return super().reduced(function, tree, axis, keep)


PRINTER = KerasPrinter
IMPORTS = {
    "math": "import math",
    "numbers": "import numbers",
    "keras": "import keras",
    "ops": "from keras import ops",
    "get_keras_mask": "from keras.src.backend import get_keras_mask",
    "set_keras_mask": "from keras.src.backend import set_keras_mask",
}
CARRIED = '''
@ops.custom_gradient
def _carried(*arguments):
    """The loss with its own gradient, which is worked out from the arguments again."""

    def gradient(*more, upstream=None):
        upstream = more[-1] if upstream is None else upstream
        return tuple(vjp and vjp(*arguments, upstream) for vjp in _VJPS)

    return _value(*arguments), gradient
'''
HELPERS = (
    special.helpers(special.KERAS)
    | arguments.HELPERS
    | {
        "_norm": '''
def _norm(a, axis=None, keepdims=False):
    """sqrt(sum(a^2)), of multiples of `a` whose largest is 1: no square overflows or vanishes."""
    top = ops.stop_gradient(ops.max(ops.abs(a), axis=axis, keepdims=True, initial=0.0))
    top = ops.where((top > 0.0) & (top < math.inf), top, ops.ones_like(top))
    found = _root(ops.sum(ops.square(a / top), axis=axis, keepdims=keepdims))
    return ops.reshape(top, ops.shape(found)) * found
''',
        "_masked": '''
def _masked(a, mask, harmless):
    """`a` with a harmless number wherever the mask is off."""
    a = ops.convert_to_tensor(a)
    while len(mask.shape) > len(a.shape) or len(mask.shape) == len(a.shape) > 1:
        if mask.shape[-1] != 1:
            break
        mask = ops.squeeze(mask, -1)
    if len(mask.shape) > len(a.shape):
        return a
    while len(mask.shape) < len(a.shape):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, a, ops.cast(harmless, a.dtype))
''',
        "_is_known": '''
def _is_known(*values):
    """Whether all are plain numbers; what a backend computes is not waited for."""
    return all(isinstance(a, numbers.Real) for a in values)
''',
        "_real": '''
def _real(a):
    """A tensor of floating numbers."""
    a = ops.convert_to_tensor(a)
    is_real = keras.backend.is_float_dtype(keras.backend.standardize_dtype(a.dtype))
    return a if is_real else ops.cast(a, keras.config.floatx())
''',
        "_mean": '''
def _mean(a, axis, keepdims=False):
    """The mean, which ops.mean takes in float32 on torch; over an empty batch 0."""
    axes = range(len(a.shape)) if axis is None else axis
    axes = (axes,) if isinstance(axes, int) else axes
    dtype = keras.backend.standardize_dtype(a.dtype)
    count = ops.cast(math.prod(ops.shape(a)[k] for k in axes), dtype)
    count = count if axis == -1 else ops.maximum(count, ops.ones_like(count))
    return ops.sum(a, axis=axis, keepdims=keepdims) / count
''',
        "_flat": '''
def _flat(a, has_last):
    """`a` with all axes between the first and the last joined; without a last axis, all after the first."""
    shape = ops.shape(a)
    if has_last:
        return ops.reshape(a, (shape[0], math.prod(shape[1:-1]), shape[-1]))
    return ops.reshape(a, (shape[0], math.prod(shape[1:])))
''',
        "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range; all other dimensions broadcast."""
    axis = axis % len(a.shape)
    index = ops.clip(index, 0, ops.shape(a)[axis] - 1)
    shape = [max(m, n) for m, n in zip(ops.shape(a), ops.shape(index))]
    length = ops.shape(a)[axis]
    a = ops.broadcast_to(a, [length if k == axis else n for k, n in enumerate(shape)])
    index = ops.broadcast_to(
        index, [1 if k == axis else n for k, n in enumerate(shape)]
    )
    return ops.squeeze(ops.take_along_axis(a, index, axis=axis), axis)
''',
        "_unslice": '''
def _unslice(a, axis, count, start):
    """`a` from `start` on along an axis of a length, and 0 elsewhere."""
    first = ops.shape(ops.arange(count)[:start])[0]
    widths = [(0, 0)] * len(a.shape)
    widths[axis] = first, count - first - ops.shape(a)[axis]
    return ops.pad(a, widths)
''',
        "_along": '''
def _along(function, tensors, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    rank = max(len(a.shape) for a in tensors)
    shapes = [(1,) * (rank - len(a.shape)) + tuple(ops.shape(a)) for a in tensors]
    shape = [max(lengths) for lengths in zip(*shapes)]
    first = first % len(shape)
    joined = (
        *shape[:first],
        math.prod(shape[first : first + count]),
        *shape[first + count :],
    )
    moved = [
        ops.moveaxis(ops.reshape(ops.broadcast_to(a, shape), joined), first, -1)
        for a in tensors
    ]
    return ops.reshape(ops.moveaxis(function(*moved), -1, first), shape)
''',
    }
)

ATTRIBUTES = frozenset({"call", "dtype", "from_config", "get_config", "keras", "name", "ops", "reduction", "self"})
"""What a loss of Keras's has already, so that no parameter of a loss can be called so in one."""


def _masked_targets(loss: Loss) -> str:
    """The line, or lines, that put harmless numbers where a mask is off."""
    targets = []
    for place, one in enumerate(one for one in loss.inputs if one is not loss.prediction):
        item = f"y_true[{place}]" if len(loss.inputs) > 2 else "y_true"
        targets.append(f"_masked({item}, mask, {_harmless(one, item)})" if BATCH in one.over else item)
    if len(targets) < 2:
        return "".join(f"\n            y_true = {one}" for one in targets)
    items = "".join(f"\n                {one}," for one in targets)
    return f"\n            y_true = ({items}\n            )"


def class_text(
    *, loss: Loss, function: str, name: str, title: str, signature: Callable[..., list[str]], parameters: Sequence[str]
) -> str:
    """A loss of Keras's around the function of a loss; it can be saved, and knows of masks and weights."""
    prediction = loss.prediction
    call = ["y_true", "y_pred"] if loss.target is not None else ["y_pred"]
    if len(loss.inputs) > 2:
        call = ["y_true[0]", "y_pred", "*y_true[1:]"]
    call = [*call, *(f"self.{one}" for one in parameters)]
    more = [f'name="{loss.name}"', 'reduction="sum_over_batch_size"', "dtype=None"]
    head = "\n".join(source_layout.signature("def __init__", ["self", *signature(*more)], ":", 4))
    assigned = "".join(f"\n        self.{one} = {one}" for one in parameters)
    config = "".join(f'\n            "{one}": self.{one},' for one in parameters)
    batch = ""
    if prediction.is_full:
        batch = f"""
        y_pred = ops.convert_to_tensor(y_pred)
        if len(y_pred.shape) == {1 + len(loss.places)}:
            y_pred = y_pred[..., None]"""
    shape, places = _values_over(loss)
    masked = _masked_targets(loss)
    values = "\n".join(source_layout.signature(f"return {function}", call, "", 8))
    if BATCH not in loss.result.axes:  # one for the whole batch stands once for each sample
        values = "\n".join(source_layout.signature(f"values = {function}", call, "", 8))
        values += """
        samples = (ops.shape(y_pred)[0], *[1] * len(values.shape))
        return values * ops.ones(samples, values.dtype)"""
    registered = source_layout.signature("@keras.saving.register_keras_serializable", [f'package="{loss.name}"'], "")
    return f'''{chr(10).join(registered)}
class {name}(keras.losses.Loss):
    """{title}

    For `model.compile`: one value a sample, under masks and weights. Saved with its parameters.
    """

{head}
        super().__init__(name=name, reduction=reduction, dtype=dtype){assigned}

    def __call__(self, y_true, y_pred, sample_weight=None):
        mask = get_keras_mask(y_pred){batch}
        shape = {shape}
        if mask is not None:
            # What is masked must not reach the loss: 0 times nan is nan.
            mask = ops.cast(mask, "bool"){masked}
            y_pred = _masked(y_pred, mask, {_harmless(prediction, "y_pred")}){places}
            set_keras_mask(y_pred, mask)
        if sample_weight is not None:
            # Weights belong to the first axes.
            sample_weight = ops.convert_to_tensor(sample_weight, self.dtype)
            while len(sample_weight.shape) < len(shape):
                sample_weight = ops.expand_dims(sample_weight, -1)
            sample_weight = sample_weight * ops.ones(shape, self.dtype)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
{values}

    def get_config(self):
        return {{
            **super().get_config(),
            "dtype": self.dtype,{config}
        }}'''


def _values_over(loss: Loss) -> tuple[str, str]:
    """The shape that values have, and what is done to a mask so that it has it, too."""
    shape = "ops.shape(y_pred)"
    if loss.result.axes >= loss.sample_axes - {BATCH}:
        return (f"{shape}[:-1]" if LAST in loss.prediction.over else shape), ""
    if not loss.places:
        some = """
            while len(mask.shape) > 1:
                mask = ops.any(mask, axis=-1)"""
        return f"{shape}[:1]", some
    gone = tuple(at for at, axis in enumerate(loss.places, 1) if axis not in loss.result.axes)
    some = f"""
            while len(mask.shape) < {1 + len(loss.places)}:
                mask = ops.expand_dims(mask, -1)
            mask = ops.any(mask, axis={gone})"""
    return arguments.place_lengths(loss, shape, frozenset({BATCH})), some


def _harmless(spec: InputSpec, tensor: str) -> str:
    """A number that every loss of such an input takes, or one for each element of its last axis, as text."""
    if (number := spec.harmless) is not None:
        return str(number)
    length = f"{tensor}.shape[-1]"
    rows = []
    for place, part in enumerate(spec.parts):
        count = str((spec.lengths and spec.lengths[place]) or packing.block(spec, length))
        rows.append(f"[{HARMLESS.get(part.domain, 0.0)}] * ({count})")
    return " + ".join(rows)

"""The numpy twin: a loss and its gradient on arrays, without Keras."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lossdsl.errors import LossShapeError, LossTypeError, did_you_mean
from lossdsl.ir.axes import LAST
from lossdsl.ir.inputs import InputSpec
from lossdsl.runtime.by_rows import SEVERAL, ByRows
from lossdsl.runtime.given import no_tensor
from lossdsl.runtime.hessian import Hessian
from lossdsl.runtime.shapes import Shapes, Step
from lossdsl.runtime.weighted_values import no_samples, reduced, weighted

if TYPE_CHECKING:
    from lossdsl.runtime.spec import LoadedLoss

Array = NDArray[Any]


class Twin:
    """One value a sample, from arrays: `twin(t, x)`.

    Inputs come by position in the header's order, or by name. A prediction of rank 1 is one sample (its axis is
    `last`), so the result is one number; of rank 2 and more, the first axis is the batch. Where rank 1 means n rows, as
    in scikit-learn, `by_row` is the same twin with the first axis for the batch whatever the rank. Work is done in the
    dtype of the prediction if that is a floating one, else in float64. Raises LossShapeError where shapes do not agree.

    >>> import lossdsl
    >>> huber = lossdsl.load("huber", delta=1.0)
    >>> huber.numpy([[0.0], [0.0]], [[0.5], [3.0]])
    array([0.125, 2.5  ])
    >>> huber.numpy.grad([[0.0], [0.0]], [[0.5], [3.0]])
    array([[0.5],
           [1. ]])
    """

    def __init__(self, spec: LoadedLoss, rank_one_is_batch: bool = False) -> None:
        self._spec = spec
        self._rank_one_is_batch = rank_one_is_batch
        self._made: dict[tuple[InputSpec | None, bool, bool], ByRows] = {}
        self._hessians: dict[InputSpec, Hessian] = {}
        self._weighted: tuple[Twin, str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and sent to other processes as its loss."""
        return Twin, (self._spec, self._rank_one_is_batch)

    @property
    def by_row(self) -> Twin:
        """The same loss, for which arrays of rank 1 are n rows of one element each: there are n values.

        >>> import lossdsl
        >>> lossdsl.load("huber", delta=1.0).numpy.by_row.grad([0.0, 0.0], [0.5, 3.0])
        array([0.5, 1. ])
        """
        return Twin(self._spec, rank_one_is_batch=True)

    def mean(self, *inputs: ArrayLike, sample_weight: ArrayLike | None = None, **named: ArrayLike) -> float:
        """The mean over rows, of which arrays of rank 1 have n: sum(w*v)/sum(w), 0 where the weights sum to 0.

        Weights have one number a row, or one a row and place. Called as scikit-learn calls a metric.

        >>> import lossdsl
        >>> lossdsl.load("huber", delta=1.0).numpy.mean([0.0, 0.0], [0.5, 3.0], sample_weight=[1.0, 3.0])
        1.90625
        """
        return self._reduced("mean", inputs, sample_weight, named)

    def sum(self, *inputs: ArrayLike, sample_weight: ArrayLike | None = None, **named: ArrayLike) -> float:
        """The sum over rows, of which arrays of rank 1 have n, each times its weight in `sample_weight`."""
        return self._reduced("sum", inputs, sample_weight, named)

    def _reduced(
        self, reduction: str, inputs: Sequence[ArrayLike], weight: ArrayLike | None, named: dict[str, ArrayLike]
    ) -> float:
        values = np.asarray(self.by_row(*inputs, **named))
        weights = None if weight is None else _weights(weight, self._spec.name)
        return float(reduced(values, weights, reduction, self._spec.name))

    def __call__(self, *inputs: ArrayLike, **named: ArrayLike) -> Any:
        """One value a sample (or a sample and place); one number for a loss of the whole batch."""
        call = self._prepared(inputs, named)
        (value,) = self._run(None, call, has_value=True)
        return call.leave(value)

    def grad(
        self, *inputs: ArrayLike, wrt: str | None = None, sample_weight: ArrayLike | None = None, **named: ArrayLike
    ) -> Array:
        """The derivative of the sum of all values, each times its weight, in an input, by default the prediction.

        Weights have one number a sample, or one a sample and place.

        >>> import lossdsl
        >>> lossdsl.load("huber", delta=1.0).numpy.by_row.grad([0.0, 0.0], [0.5, 3.0], sample_weight=[1.0, 2.0])
        array([0.5, 2. ])
        """
        if sample_weight is not None:
            twin, given = self._with_weights(inputs, named, sample_weight)
            return twin.grad(wrt=wrt, **given)
        spec = self._wrt(wrt)
        call = self._prepared(inputs, named)
        (slope,) = self._run(spec, call, has_value=False)
        return call.restore(spec, slope)

    def value_and_grad(self, *inputs: ArrayLike, wrt: str | None = None, **named: ArrayLike) -> tuple[Any, Array]:
        """Values, and the gradient of their sum in the input `wrt`, at once: they share what they have in common."""
        spec = self._wrt(wrt)
        call = self._prepared(inputs, named)
        value, slope = self._run(spec, call, has_value=True)
        return call.leave(value), call.restore(spec, slope)

    def hess(
        self, *inputs: ArrayLike, wrt: str | None = None, sample_weight: ArrayLike | None = None, **named: ArrayLike
    ) -> Array:
        """The diagonal of the second derivative of the sum of all values in an input, by default the prediction.

        It has the shape of the input. At a kink it is that of the piece which the gradient takes. Weights are as in
        `grad`.

        >>> import lossdsl
        >>> lossdsl.load("huber", delta=1.0).numpy.hess([[0.0], [0.0]], [[0.5], [3.0]])
        array([[1.],
               [0.]])
        """
        if sample_weight is not None:
            twin, given = self._with_weights(inputs, named, sample_weight)
            return twin.hess(wrt=wrt, **given)
        spec = self._wrt(wrt)
        call = self._prepared(inputs, named)
        arguments = [*call.arguments, *self._spec.arguments(call.last)]
        place = self._spec.program.loss.inputs.index(spec)
        return call.restore(spec, self.hessian(spec).diagonal(arguments, call.arguments[place]))

    def _with_weights(
        self, inputs: Sequence[ArrayLike], named: dict[str, ArrayLike], weight: ArrayLike
    ) -> tuple[Twin, dict[str, ArrayLike]]:
        """The loss with weights as one more input, and its inputs by name. Raises LossShapeError."""
        if self._weighted is None:
            program, name = weighted(self._spec.program)
            self._weighted = Twin(self._spec.over(program), self._rank_one_is_batch), name
        twin, name = self._weighted
        call = self._prepared(inputs, named)
        if call.is_whole:
            raise no_samples(self._spec.name)
        (values,) = self._run(None, call, has_value=True)
        ones = np.ones(np.shape(call.leave(values)))
        weights = reduced(ones, _weights(weight, self._spec.name), "none", self._spec.name)
        return twin, {**self._named(inputs, named), name: weights}

    def hessian(self, spec: InputSpec) -> Hessian:
        """The second derivatives in an input, `spec` of the loss's inputs, made once."""
        if spec not in self._hessians:
            self._hessians[spec] = Hessian(self._spec.program, spec)
        return self._hessians[spec]

    def _wrt(self, wrt: str | None) -> InputSpec:
        loss = self._spec.program.loss
        spec = loss.prediction if wrt is None else loss.input(wrt)
        if spec is None:
            names = [one.name for one in loss.inputs]
            hint = did_you_mean(wrt or "", names) or f"its inputs are {', '.join(names)}"
            raise LossTypeError(f"{loss.name} has no input `{wrt}`", None, hint)
        if not spec.is_real:
            hint = "ask for that in another input by `wrt=`"
            raise LossTypeError(f"`{spec.name}` is a label: there is no gradient in it", None, hint)
        return spec

    def _run(self, spec: InputSpec | None, call: _Call, *, has_value: bool) -> tuple[Array, ...]:
        """The value, the gradient in an input, or both; compiled when asked for, as a gradient costs more."""
        size = max((each.nbytes for each in call.arguments), default=0)
        found = self._settled if size >= SEVERAL else self._spec
        key = spec, has_value, size >= SEVERAL
        if key not in self._made:
            self._made[key] = ByRows(found.program, spec, has_value=has_value)
        with np.errstate(all="ignore"):
            return self._made[key](call.arguments, found.arguments(call.last))

    @cached_property
    def _settled(self) -> LoadedLoss:
        """The loss for large arrays: parameters that are 0 or 1 stand in its code, and leave operations away."""
        parameters = self._spec.parameters.items()
        numbers = {name: one for name, one in parameters if isinstance(one, float) and one in (0.0, 1.0)}
        return self._spec.over(self._spec.program.bound(numbers)) if numbers else self._spec

    def _prepared(self, inputs: Sequence[ArrayLike], named: dict[str, ArrayLike]) -> _Call:
        return _Call(self._spec, self._named(inputs, named), rank_one_is_batch=self._rank_one_is_batch)

    def _named(self, inputs: Sequence[ArrayLike], named: dict[str, ArrayLike]) -> dict[str, ArrayLike]:
        """The inputs of a call by name. Raises LossTypeError."""
        loss = self._spec.program.loss
        hint = f"its inputs are {', '.join(one.name for one in loss.inputs)}"
        if len(loss.inputs) == 1 and len(inputs) == 2:
            inputs = inputs[1:]  # a loss of the prediction alone leaves the target aside
        if len(inputs) > len(loss.inputs):
            raise LossTypeError(f"{loss.name} takes {len(loss.inputs)} inputs, not {len(inputs)}")
        given = {spec.identifier: value for spec, value in zip(loss.inputs, inputs, strict=False)}
        for name, value in named.items():
            found = loss.input(name)
            if found is None or found.identifier in given:
                raise LossTypeError(f"{loss.name} takes no further input `{name}`", None, hint)
            given[found.identifier] = value
        missing = [one.name for one in loss.inputs if one.identifier not in given]
        if missing:
            raise LossTypeError(f"{loss.name} is called without {', '.join(missing)}", None, hint)
        return given


class _Call:
    """The arrays of one call, aligned, and the way back for its results."""

    def __init__(self, spec: LoadedLoss, given: dict[str, ArrayLike], *, rank_one_is_batch: bool) -> None:
        loss = spec.program.loss
        raw = {one.identifier: _array(one, given[one.identifier], loss.name) for one in loss.inputs}
        prediction = raw[loss.prediction.identifier]
        dtype = prediction.dtype if prediction.dtype.kind == "f" else np.dtype(np.float64)
        self.shapes = {name: array.shape for name, array in raw.items()}
        self.places = Shapes(spec, self.shapes, loss.name).joined()
        self.rank = prediction.ndim
        moved: dict[str, Array] = {}
        for one in loss.inputs:
            array = raw[one.identifier]
            array = array.astype(np.int64, copy=False) if one.is_label else array.astype(dtype, copy=False)
            moved[one.identifier] = self._last(one, array, prediction.ndim)
        self.moved_shapes = {name: array.shape for name, array in moved.items()}
        self.plan = Shapes(spec, self.moved_shapes, loss.name).plan(rank_one_is_batch=rank_one_is_batch)
        self.arguments = [_stepped(moved[one.identifier], self.plan.steps[one.identifier]) for one in loss.inputs]
        self.last = _last_length(loss.inputs, loss.prediction, self.arguments)
        self.dtype = dtype

    def _last(self, spec: InputSpec, array: Array, rank: int) -> Array:
        """The array with the axes that play `last` at its end, as one."""
        if self.places is None or not spec.is_full:
            return array
        if len(self.places) == rank:
            return array.reshape(-1)
        if array.ndim != rank:
            return array
        rest = [place for place in range(rank) if place not in self.places]
        turned = np.transpose(array, [*rest, *self.places])
        return turned.reshape(*(array.shape[place] for place in rest), -1)

    @property
    def is_whole(self) -> bool:
        """Whether all axes play `last`, so that the whole is one sample."""
        return self.places is not None and len(self.places) == self.rank

    def leave(self, value: Any) -> Any:
        """A result as the caller sees it: without the batch axis that a single sample was given."""
        value = np.asarray(value, dtype=self.dtype)
        value = value[0] if self.plan.single and value.ndim else value
        return value[()] if value.ndim == 0 else value

    def restore(self, spec: InputSpec, slope: Array) -> Array:
        """A gradient in the shape that its input was given in."""
        shape = self.shapes[spec.identifier]
        slope = np.asarray(slope, dtype=self.dtype)
        if not slope.flags.writeable:  # a slope that is the same everywhere comes as a view of one number
            slope = slope.copy()
        if self.places is not None and len(self.places) < len(shape) and self.moved_shapes[spec.identifier] != shape:
            rest = [place for place in range(len(shape)) if place not in self.places]
            order = [*rest, *self.places]
            slope = slope.reshape([shape[place] for place in order])
            return np.transpose(slope, np.argsort(order))
        return slope.reshape(shape)


def _array(spec: InputSpec, value: ArrayLike, loss: str) -> Array:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise no_tensor(loss, spec.name, value, error) from None
    if array.dtype.kind not in "buif":
        raise no_tensor(loss, spec.name, value)
    if spec.is_label and array.dtype.kind == "f" and not np.all(np.isfinite(array) & (array == np.floor(array))):
        message = f"{loss}: `{spec.name}` is a label, but holds numbers that are not whole"
        raise LossShapeError(message, None, "labels are 0, 1, 2, …")
    return array


def _weights(weight: ArrayLike, loss: str) -> Array:
    """Weights as an array. Raises LossTypeError for what is none."""
    try:
        array = np.asarray(weight)
        array = array.astype(float) if array.dtype.kind in "buifO" else array
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise no_tensor(loss, "sample_weight", weight, error) from None
    if array.dtype.kind != "f":
        raise no_tensor(loss, "sample_weight", weight)
    return array


def _stepped(array: Array, step: Step) -> Array:
    if step.squeeze:
        array = array[..., 0]
    if step.expand:
        array = array[..., None]
    return array[None] if step.lead else array


def _last_length(inputs: Sequence[InputSpec], prediction: InputSpec, arguments: Sequence[Array]) -> int | None:
    """The length of the last axis, to which a vector parameter given as one number is stretched."""
    order = sorted(zip(inputs, arguments, strict=True), key=lambda pair: pair[0] is not prediction)
    for spec, array in order:
        if LAST in spec.over:
            return spec.block(int(array.shape[-1]))
    return None

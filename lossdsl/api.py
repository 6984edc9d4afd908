"""What users call: `load` a loss, `compile` it for Keras, or make a `metric` of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lossdsl.errors import LossConfigError
from lossdsl.runtime.sources import read
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.runtime.compiled import Loss, LossMetric


def load(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    **parameters: Any,
) -> LoadedLoss:
    """A loss without Keras.

    Args:
        source: a path (`pathlib.Path`, or text that ends in `.loss`), a built-in's name, the text of a formula or file,
            or a mapping as in YAML (`{"huber": {"delta": 0.5}}`).
        axis: the axis or axes that play `last`, by default the last one; None for all of them, the batch too.
        **parameters: values for the parameters of the loss, by name.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    >>> import lossdsl
    >>> loss = lossdsl.load("where(abs(t-x) < d, 0.5*(t-x)^2, d*(abs(t-x) - 0.5*d))", d=1.0)
    >>> float(loss.numpy([0.0, 0.0], [0.5, 3.0]))
    1.3125
    """
    return LoadedLoss(*named(source, axis, parameters))


def named(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    axis: Any,
    parameters: Mapping[str, Any],
    meaningless: Sequence[str] = (),
) -> tuple[Source, tuple[int, ...], Mapping[str, Any]]:
    """What `load` makes a loss of: its text, its axes, its parameters. Raises LossError.

    Options of a mapping that are `meaningless` to the caller are refused: nothing is ignored in silence.
    """
    if isinstance(source, Mapping):
        from lossdsl.config import source_of_mapping  # YAML is read by few; it is imported when it is

        return source_of_mapping(source, axis, parameters, meaningless)
    return read(source), axes_of(axis), parameters


def compile(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    /,
    *,
    axis: int | Sequence[int] | None = -1,
    reduction: str | None = "sum_over_batch_size",
    name: str | None = None,
    dtype: Any = None,
    **parameters: Any,
) -> Loss:
    """A loss for `model.compile`, from a file, a built-in's name, a formula, or a mapping as in YAML.

    Args:
        source: a path (`pathlib.Path`, or text that ends in `.loss`: a file if there is one, else the built-in of that
            name), a built-in's name, the text of a formula or file, or a mapping (`{"huber": {"delta": 0.5}}`).
        axis: the axis or axes that play `last`; None for all of them, the batch too.
        reduction: as in Keras: "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none" or None.
        name: the name in logs; by default that of the loss.
        dtype: the dtype of the computation; by default `keras.config.floatx()`.
        **parameters: values for the parameters of the loss: plain ones, or `lossdsl.learned(…)`, a `keras.Variable`
            or a schedule for what changes in training; then `loss.layer` goes behind the model.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    A loss that takes the samples of a batch together gathers the parts of all replicas under `tf.distribute`.

    >>> import lossdsl
    >>> loss = lossdsl.compile("huber.loss", delta=1.0)
    >>> float(loss([[0.0], [0.0]], [[0.5], [3.0]]))
    1.3125
    """
    if isinstance(source, Mapping):
        from lossdsl.config import compile_mapping

        return compile_mapping(source, axis=axis, reduction=reduction, name=name, dtype=dtype, parameters=parameters)
    from lossdsl.runtime.compiled import Loss  # Keras takes seconds: not before it is wanted

    return Loss(read(source), parameters, axis, name, reduction, dtype)


def metric(
    source: str | os.PathLike[str] | Source | Mapping[str, Any] | Loss,
    /,
    *,
    axis: int | Sequence[int] | None = -1,
    name: str | None = None,
    dtype: Any = None,
    **parameters: Any,
) -> LossMetric:
    """A loss as a Keras metric: its mean over all samples since the last reset, by weight where there are weights.

    Args:
        source: what `compile` takes, or what it gave: then the metric has the parameters of that loss, at each step
            those that change, too.
        axis: the axis or axes that play `last`; None for all of them, the batch too.
        name: the name in logs; by default that of the loss.
        dtype: the dtype of the computation; by default `keras.config.floatx()`.
        **parameters: values for the parameters of the loss.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    A loss of the whole batch counts once for each of its samples. Under a mask, `metrics=[lossdsl.metric(loss)]` counts
    what the mask leaves; Keras takes no loss there, its own included.

    >>> import lossdsl
    >>> metric = lossdsl.metric("huber.loss", delta=1.0)
    >>> metric.update_state([[0.0]], [[0.5]])
    >>> metric.update_state([[0.0]], [[3.0]], sample_weight=[3.0])
    >>> float(metric.result())
    1.90625
    """
    from lossdsl.runtime.compiled import Loss, LossMetric

    if isinstance(source, Loss):
        if parameters or axis != -1:
            message = f"{source.name} is compiled, with its parameters and its axis"
            hint = "give `lossdsl.metric` the loss alone, or its text with other parameters"
            raise LossConfigError(message, None, hint)
        return LossMetric.of(source, name, dtype)
    origin, axes, given = named(source, axis, parameters, ("reduction", "name", "dtype"))
    return LossMetric(origin, given, axes or None, name, dtype)

"""Losses for plain JAX, without Keras.

    lossdsl.jax.loss("huber", delta=0.5)(predictions, targets)

Pure functions with the arguments in optax's order, and our gradient under every transformation.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from lossdsl import pipeline
from lossdsl.api import named
from lossdsl.extras import load
from lossdsl.runtime.given import is_dense, no_tensor
from lossdsl.runtime.native import NativeLoss
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.weighted_values import check_reduction
from lossdsl.source import Source, normal_name

jax = load("jax")
jnp = load("jax.numpy")

from lossdsl.fused.heads import Head  # noqa: E402 - what follows imports the library itself
from lossdsl.fused.jax_linear import fused_linear  # noqa: E402
from lossdsl.runtime.replicas_jax import JaxReplicas, mapped_axes  # noqa: E402


class PureLoss:
    """What `loss` gives: a function of arrays. Two that are made alike compute the same, and it has no state.

    `spec` is the loss, `reduction` and `axis_name` are what `loss` was given.
    """

    def __init__(self, spec: LoadedLoss, reduction: str, axis_name: str | tuple[str, ...] | None = None) -> None:
        self.spec = spec
        self.axis_name = axis_name
        self.reduction = reduction
        self.__name__ = spec.name
        self.__doc__ = spec.doc
        self._made: dict[tuple[frozenset[str], tuple[tuple[str, Any], ...]], NativeLoss] = {}
        if not spec.live:
            self._native(frozenset(), {})

    def __reduce__(self) -> tuple[Any, ...]:
        return PureLoss, (self.spec, self.reduction, self.axis_name)

    def __repr__(self) -> str:
        return f"<lossdsl.jax loss {self.spec!r}, reduction={self.reduction!r}>"

    def __call__(self, predictions: Any, targets: Any = None, weights: Any = None, **named: Any) -> Any:
        """The loss of predictions; further inputs and parameters by name, arrays or traced.

        Numbers, vectors and matrices given here take part in every transformation, as inputs do; `bool` and `int`
        parameters decide what is compiled, and have to be plain values.
        """
        given = {normal_name(name): value for name, value in named.items()}
        kinds = {one.name: one.kind for one in self.spec.program.loss.parameters}
        chosen = {name: _plain(given.pop(name)) for name in [*given] if _is_settled(kinds.get(name), given[name])}
        live = {name: given.pop(name) for name in [*given] if name in kinds}
        native = self._native(frozenset(live), chosen)
        inputs = native.ordered(predictions, targets, given)
        inputs = [_array(native.name, name, each) for name, each in zip(native.inputs, inputs, strict=True)]
        live = {name: _array(native.name, name, each) for name, each in live.items()}
        native.check_shapes(tuple([each.shape for each in inputs]), live)
        known = {name: each for name, each in live.items() if not isinstance(each, jax.core.Tracer)}
        native.check_values({name: _plain(each) for name, each in known.items()})
        part = inputs[native.place]
        replicas = self._replicas(native, part)
        inputs = inputs if replicas is None else native.gathered(inputs, replicas)
        inputs = native.aligned(inputs, jnp.transpose)
        values = native.values(inputs, live, compiling=False)
        if weights is not None:
            weights = _array(native.name, "weights", weights).astype(values.dtype)
        return native.reduced(values, weights, self.reduction, part, replicas)

    def _replicas(self, native: NativeLoss, prediction: Any) -> JaxReplicas | None:
        """The places of the mapped axis that have the other parts of the batch, if the loss takes it whole."""
        if not native.couples_samples(prediction):
            return None
        if self.axis_name is None and (axes := mapped_axes()):
            name = axes[0] if len(axes) == 1 else axes
            warnings.warn(
                f"{native.name} takes the samples of a batch together, and sees those of one device here: "
                f"`axis_name={name!r}` gathers them; `axis_name=()` says that a part is meant, or the whole is given",
                stacklevel=3,
            )
        return JaxReplicas(self.axis_name) if self.axis_name else None

    def _native(self, live: frozenset[str], chosen: Mapping[str, Any]) -> NativeLoss:
        """The generated function in which some parameters are arguments, and others have values given in a call."""
        key = live, tuple(chosen.items())
        if key not in self._made:
            spec = self.spec
            if live != spec.live or chosen:
                kept = {name: value for name, value in spec.parameters.items() if name not in live}
                values = {**kept, **chosen}
                spec = LoadedLoss(spec.origin, spec.axis, values, (spec.program,), live)
            self._made[key] = NativeLoss(spec, "jax", ("predictions", "targets", "weights"))
        return self._made[key]


def loss(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    reduction: str = "mean",
    *,
    axis: int | tuple[int, ...] | None = -1,
    axis_name: str | tuple[str, ...] | None = None,
    **parameters: Any,
) -> PureLoss:
    """A loss as a pure function `(predictions, targets, weights=None, **named)`, under any transformation of JAX's.

    Args:
        source: a path, a built-in's name, or the text of a formula or file, as `lossdsl.load` takes them.
        reduction: "mean", "sum", or "none" for one value a sample (and place).
        axis: the axis or axes that play `last`; None for all of them, the batch too.
        axis_name: the axis or axes of `shard_map` or `pmap` along which a batch is spread: a loss that takes samples
            together gathers it, and each device has the loss of the whole for its result. Without it such a loss warns
            where it sees a part, unless `()` says that this is meant, or that the whole is given. Under `jit` a loss
            sees the whole of sharded arrays, and needs none.
        **parameters: values for parameters of the loss, plain numbers that become part of the code. Those left out, or
            given again in a call, may be arrays, traced and differentiated.

    Shapes:
        predictions `(N, …)` or `(N, …, D)`, as the loss has it, and targets likewise; a label has whole numbers,
        without the last axis. Predictions of rank 1 are a batch of numbers, or, for a loss of several classes or
        components, one sample. Beside one trailing axis of length 1 nothing is broadcast. weights `(N,)` or `(N, …)`;
        under "mean" their sum divides.

    The result has the dtype of the predictions; targets are cast to it.

    Raises:
        LossError: what was wrong, where, and what to do about it.

    >>> import jax, jax.numpy as jnp, lossdsl.jax
    >>> huber = lossdsl.jax.loss("huber")
    >>> float(huber(jnp.array([0.5, 3.0]), jnp.zeros(2)))
    1.3125
    >>> jax.grad(huber)(jnp.array([0.5, 3.0]), jnp.zeros(2), delta=2.0).tolist()
    [0.25, 1.0]
    """
    check_reduction(reduction)
    origin, axes, given = named(source, axis, parameters, ("reduction", "name", "dtype"))
    given = {normal_name(name): value for name, value in given.items()}
    specs = pipeline.parameters(pipeline.parsed(origin))
    lacking = [one for one in specs if one.name not in given and one.default is None]
    live = frozenset(one.name for one in lacking if one.kind not in ("bool", "int"))
    return PureLoss(LoadedLoss(origin, axes, given, live=live), reduction, axis_name)


def _array(loss: str, name: str, value: Any) -> Any:
    if not is_dense(value):
        raise no_tensor(loss, name, value)
    try:
        found = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise no_tensor(loss, name, value, error) from None
    if jnp.iscomplexobj(found):
        raise no_tensor(loss, name, value)
    return found


def _is_settled(kind: str | None, value: Any) -> bool:
    """Whether a value of a parameter decides what is compiled; one that is traced cannot, and is refused elsewhere."""
    return kind in ("bool", "int") and not isinstance(value, jax.core.Tracer)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


__all__ = ["Head", "PureLoss", "fused_linear", "loss"]

"""A linear layer and a loss in one for JAX."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from lossdsl.fused.jax_chunks import JaxChunks, work_dtype
from lossdsl.fused.linear import FusedLinear, TensorLibrary
from lossdsl.source import Source


def fused_linear(
    source: str | os.PathLike[str] | Source | Mapping[str, Any],
    /,
    *,
    reduction: str = "mean",
    chunk: int | None = None,
    **parameters: Any,
) -> FusedLinear:
    """The loss of `hidden @ weight + bias`, which is never there as a whole.

    Args:
        source: as for `lossdsl.load`. Any loss in which each place has its own logits to itself; what comes after, such
            as a sum over the tokens of a sequence, may take places together.
        reduction: "mean", where the sum of the weights divides, "sum", or "none" for one value a place.
        chunk: how many places are worked out at a time; by default as many as have three million logits.
        **parameters: values for the parameters of the loss.

    Returns:
        A function `(hidden, weight, target, bias=None, sample_weight=None)`; see `FusedLinear.__call__`. `jax.grad`,
        `jax.jit` and `jax.vmap` take it in any order. There is no forward mode.

    Raises:
        LossError: the kind says what was wrong; the message says where, and what to do.

    >>> import jax, jax.numpy as jnp
    >>> loss = fused_linear("sparse_categorical_crossentropy", from_logits=True)
    >>> hidden, weight = jnp.ones((2, 3)), jnp.zeros((3, 8))
    >>> round(float(loss(hidden, weight, jnp.array([0, 5]))), 4)
    2.0794
    >>> jax.grad(loss, 1)(hidden, weight, jnp.array([0, 5])).shape
    (3, 8)
    """
    return FusedLinear(_JAX, source, reduction, chunk, parameters)


def _real(value: Any) -> Any:
    found = jnp.asarray(value)
    return found if jnp.issubdtype(found.dtype, jnp.floating) else found.astype(float)


def _ones(shape: tuple[int, ...], like: Any) -> Any:
    return jnp.ones(shape, work_dtype([like]))


_JAX = TensorLibrary(
    "jax", JaxChunks, _real, lambda value: jnp.asarray(value).astype(jnp.int32), _ones, jnp.broadcast_to
)

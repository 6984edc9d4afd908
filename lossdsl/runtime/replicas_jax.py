"""The replicas of JAX's mapped axes: devices under `shard_map` or `pmap`, or a named axis of `vmap`."""

from __future__ import annotations

from typing import Any

import jax

from lossdsl.runtime.replicas import Replicas


class JaxReplicas(Replicas):
    """The places of a mapped axis, or of several, each of which has as many samples."""

    def __init__(self, axis_name: str | tuple[str, ...]) -> None:
        self._axis_name = axis_name

    def whole(self, tensor: Any) -> Any:
        """The parts of all places. Its gradient adds up theirs, and takes the part of this place."""
        return jax.lax.all_gather(tensor, self._axis_name, axis=0, tiled=True)

    def own(self, values: Any, part: Any) -> Any:
        """The values of the samples of this place."""
        length = part.shape[0]
        return jax.lax.dynamic_slice_in_dim(values, jax.lax.axis_index(self._axis_name) * length, length)


def mapped_axes() -> tuple[str, ...]:
    """The axes of devices over which what is traced runs, as under `shard_map`; none for a JAX that does not tell."""
    ask = getattr(jax.sharding, "get_abstract_mesh", None)
    return tuple(getattr(ask(), "manual_axes", ())) if ask is not None else ()

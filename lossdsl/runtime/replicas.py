"""Several devices that train one model, each with its part of a batch: what a loss of the whole batch asks of them.

A loss that takes the samples of a batch together is another loss on a part of it. So each replica gathers what all of
them were given, works out the loss of the whole, and sends back to each what its part adds to the gradient: the
transpose of gathering, by which the gradients that an engine adds up or averages over replicas are those of one device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lossdsl.runtime.spec import LoadedLoss


class Replicas(ABC):
    """The replicas of an engine, seen from one of them. Each of them has to make the same calls in the same order."""

    @abstractmethod
    def whole(self, tensor: Any) -> Any:
        """The parts that all replicas have of a tensor, one after the other along the first axis."""

    @abstractmethod
    def own(self, values: Any, part: Any) -> Any:
        """Of values of the whole batch, those of this replica, which has that part of a tensor."""

    def share(self, total: Any) -> Any:
        """What a replica answers for the sum of the whole, by how the engine puts answers together."""
        return total


def replicas_here(backend: str) -> Replicas | None:
    """The replicas under which a Keras backend runs this; None if there is one."""
    if backend == "tensorflow":
        from lossdsl.runtime.replicas_tensorflow import TensorFlowReplicas

        return TensorFlowReplicas.here()
    if backend == "torch":
        from lossdsl.runtime.replicas_torch import TorchReplicas

        return TorchReplicas.here()
    return None  # JAX spreads arrays over devices, and computes with them as one


def own_values(spec: LoadedLoss, values: Any, prediction: Any, replicas: Replicas | None) -> Any:
    """The values of the samples of one replica, whose prediction is given, among values of the whole batch.

    All of them, where they have no samples, since the batch plays `last`.
    """
    if replicas is None:
        return values
    rank = len(prediction.shape)
    places = {place % rank for place in spec.axis} or range(rank)
    has_samples = not spec.joins_batch(rank) or len(places) == rank
    return replicas.own(values, prediction) if has_samples else values

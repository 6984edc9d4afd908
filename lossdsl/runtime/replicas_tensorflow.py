"""The replicas of `tf.distribute`: of MirroredStrategy, MultiWorkerMirroredStrategy and those like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lossdsl.runtime.replicas import Replicas


class TensorFlowReplicas(Replicas):
    """Replicas under a strategy, which adds up their losses and gradients."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._count = context.num_replicas_in_sync

    @classmethod
    def here(cls) -> TensorFlowReplicas | None:
        """Those of the replica that runs this; None outside of `strategy.run`, and where there is one."""
        context = tf.distribute.get_replica_context()
        return None if context is None or context.num_replicas_in_sync == 1 else cls(context)

    def whole(self, tensor: Any) -> Any:
        """The parts of all replicas. Its gradient adds up theirs, and takes the part of this replica."""
        # An argument of a graph lies on no device, and strategies gather by devices; what is computed lies on one.
        sent = tf.cast(tensor, tf.int32) if tensor.dtype == tf.bool else tf.identity(tensor)
        found = tf.cast(self._gathered(sent), tensor.dtype)
        found.set_shape([None, *tensor.shape[1:]])
        return found

    def own(self, values: Any, part: Any) -> Any:
        """The values of the samples of this replica."""
        return self._cut(values, tf.shape(part)[0])

    def share(self, total: Any) -> Any:
        """An equal part, for a strategy adds up what replicas answer; Keras does so with means by itself."""
        return total / self._count

    # Gathering, and adding up and taking a part, are transposes of each other.

    def _gathered(self, tensor: Any) -> Any:
        def gather(tensor: Any) -> tuple[Any, Callable[..., Any]]:
            length = tf.shape(tensor)[0]
            return self._joined(tensor), lambda upstream: self._scattered(upstream, length)

        return tf.custom_gradient(gather)(tensor)

    def _scattered(self, tensor: Any, length: Any) -> Any:
        def scatter(tensor: Any) -> tuple[Any, Callable[..., Any]]:
            return self._cut(self._summed(tensor), length), self._gathered

        return tf.custom_gradient(scatter)(tensor)

    # Without a gradient. Where one process has all of the replicas these are no collective operations: TensorFlow takes
    # those of two strategies in a process for each other, unless both have the same ones in the same order.

    def _joined(self, tensor: Any) -> Any:
        """The parts one after the other."""
        if not self._is_one_process:
            return self._context.all_gather(tensor, axis=0)
        return self._merged(lambda parts: tf.concat(parts, 0), tensor)

    def _summed(self, tensor: Any) -> Any:
        """The sum of what the replicas have."""
        if not self._is_one_process:
            return self._context.all_reduce("sum", tensor)
        return self._merged(tf.add_n, tensor)

    @property
    def _is_one_process(self) -> bool:
        return bool(len(self._context.strategy.extended.worker_devices) == self._count)

    def _merged(self, function: Callable[[Any], Any], tensor: Any) -> Any:
        def across(strategy: Any, parts: Any) -> Any:
            return function(strategy.experimental_local_results(parts))

        return self._context.merge_call(across, args=(tensor,))

    def _cut(self, whole: Any, length: Any) -> Any:
        """The part of this replica of what is as long as the whole batch."""
        lengths = self._joined(tf.reshape(length, (1,)))
        start = tf.reduce_sum(lengths[: self._context.replica_id_in_sync_group])
        return whole[start : start + length]

"""The door to `Loss` for what has not imported Keras yet.

The import of Keras registers every class of ours that Keras can save (see `lossdsl._registration`), and so imports the
modules that define them. None of them may be half imported then: Keras comes first here.
"""

from lossdsl.extras import load

load("keras")

from lossdsl.runtime.keras_loss import Loss  # noqa: E402 - Keras comes first
from lossdsl.runtime.keras_metric import LossMetric  # noqa: E402

__all__ = ["Loss", "LossMetric"]

"""The door to `Loss` for what has not imported Keras yet.

The import of Keras registers every class of ours that Keras can save (see `lossdsl._registration`), and so imports the
modules that define them. None of them may be half imported then: Keras comes first here.
"""

import keras  # noqa: F401

from lossdsl.runtime.keras_loss import Loss

__all__ = ["Loss"]

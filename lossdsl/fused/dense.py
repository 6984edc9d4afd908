"""The door to `FusedDense` for what has not imported Keras yet; `runtime.compiled` tells why Keras comes first."""

from lossdsl.extras import load

load("keras")

from lossdsl.fused.keras_head import FusedDense  # noqa: E402 - Keras comes first

__all__ = ["FusedDense"]

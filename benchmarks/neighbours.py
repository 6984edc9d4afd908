"""Times a loss of neighbours in images beside the same in slices written by hand: value and gradient, alternating.

    python benchmarks/neighbours.py [--backend tensorflow|jax|torch …] [--shape 16x256x256x3] [--calls N]

The loss is the mean absolute difference of neighbours, below and to the right (`places row, col`). By hand it is slices
in the functions of the library, which differentiates them. Both are called in turn, each first in every second pair;
what is printed is the median of the ratios, ours to theirs, and their quartiles. Each backend has a process of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

LOSS = """
loss neighbours(t, x)
places row, col

e = x - t
mean[i in row, col](abs(e[i + 1] - e[i])) + mean[row, j in col](abs(e[j + 1] - e[j]))
"""
BACKENDS = ("tensorflow", "jax", "torch")
SEED = 20260303

Call = Callable[[], Any]
Pair = tuple[str, Call, Call]
"""A mode, and what is called in it: ours, and the slices written by hand."""


def on_tensorflow(t: Any, x: Any) -> list[Pair]:
    import tensorflow as tf

    import lossdsl

    ours = lossdsl.compile(LOSS)
    t, x = tf.constant(t), tf.constant(x)

    def by_hand(t: Any, x: Any) -> Any:
        e = x - t
        return tf.reduce_mean(tf.abs(e[:, 1:] - e[:, :-1])) + tf.reduce_mean(tf.abs(e[:, :, 1:] - e[:, :, :-1]))

    def both(loss: Callable[..., Any]) -> Call:
        def call() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(t, x)
            return value, tape.gradient(value, x)

        return call

    pairs: list[Pair] = [("eager", both(ours), both(by_hand))]
    for mode, is_compiled in (("graph", False), ("XLA", True)):
        one, other = (tf.function(both(loss), jit_compile=is_compiled) for loss in (ours, by_hand))
        pairs.append((mode, one, other))
    return [(mode, _waiting(one), _waiting(other)) for mode, one, other in pairs]


def _waiting(call: Call) -> Call:
    return lambda: [each.numpy() for each in call()]


def on_jax(t: Any, x: Any) -> list[Pair]:
    import jax
    import jax.numpy as jnp

    import lossdsl

    ours = lossdsl.compile(LOSS)

    def by_hand(t: Any, x: Any) -> Any:
        e = x - t
        return jnp.mean(jnp.abs(e[:, 1:] - e[:, :-1])) + jnp.mean(jnp.abs(e[:, :, 1:] - e[:, :, :-1]))

    t, x = jnp.asarray(t), jnp.asarray(x)
    one, other = (jax.jit(jax.value_and_grad(loss, argnums=1)) for loss in (ours, by_hand))
    return [("jit", lambda: jax.block_until_ready(one(t, x)), lambda: jax.block_until_ready(other(t, x)))]


def on_torch(t: Any, x: Any) -> list[Pair]:
    import torch

    import lossdsl

    ours = lossdsl.compile(LOSS)
    t, x = torch.tensor(t), torch.tensor(x, requires_grad=True)

    def by_hand(t: Any, x: Any) -> Any:
        e = x - t
        return (e[:, 1:] - e[:, :-1]).abs().mean() + (e[:, :, 1:] - e[:, :, :-1]).abs().mean()

    def both(loss: Callable[..., Any]) -> Call:
        def call() -> Any:
            value = loss(t, x)
            return value, torch.autograd.grad(value, x)[0]

        return call

    return [("eager", both(ours), both(by_hand))]


MAKERS = {"tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}


def numbers(result: Any) -> tuple[float, np.ndarray]:
    value, slope = (np.asarray(each.detach() if hasattr(each, "detach") else each) for each in result)
    return float(value), slope


def measure(backend: str, shape: tuple[int, ...], calls: int) -> None:
    """Prints a line for each mode of a backend, after both have been found to agree."""
    rng = np.random.default_rng(SEED)
    t, x = (rng.normal(size=shape).astype("float32") for _ in range(2))
    for mode, ours, theirs in MAKERS[backend](t, x):
        (value, slope), (wanted, expected) = numbers(ours()), numbers(theirs())
        np.testing.assert_allclose(value, wanted, rtol=1e-4)
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())
        ratios = []
        for number in range(calls):
            taken = {}
            for one in (ours, theirs) if number % 2 else (theirs, ours):
                start = time.perf_counter()
                one()
                taken[one] = time.perf_counter() - start
            ratios.append(taken[ours] / taken[theirs])
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{backend:10} {mode:6} {middle:5.2f}  ({low:.2f} to {high:.2f}, {calls} pairs)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--shape", default="16x256x256x3")
    parser.add_argument("--calls", type=int, default=21)
    options = parser.parse_args()
    if len(options.backend) > 1:
        for backend in options.backend:
            command = [sys.executable, __file__, "--backend", backend, "--shape", options.shape]
            environment = {**os.environ, "KERAS_BACKEND": backend}
            subprocess.run([*command, "--calls", str(options.calls)], check=True, env=environment)
        return
    os.environ["KERAS_BACKEND"] = options.backend[0]
    measure(options.backend[0], tuple(map(int, options.shape.split("x"))), options.calls)


if __name__ == "__main__":
    main()

"""Times every drop-in beside Keras's own function: value and gradient, in one process, alternating.

    python benchmarks/vs_keras.py [--write] [--quick] [NAME …]

`--write` puts the table into docs/performance.md. Set KERAS_BACKEND to `jax` or `torch` for those. Single cells are
noisy on a shared machine (Keras against itself gives 0.7 to 1.3): the geometric means are what to read.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

from lossdsl import losses as ours

SEED = 20260101
SHAPES = ((32, 10), (4096, 1024))
NAMES = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "kl_divergence",
    "poisson",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "sparse_categorical_crossentropy",
    "dice",
    "tversky",
    "categorical_generalized_cross_entropy",
)
PARAMETERS: dict[str, dict[str, float]] = {"categorical_generalized_cross_entropy": {"q": 0.5}}
OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def inputs(name: str, shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A target and a prediction of the kind that the loss expects, float32."""
    rows, columns = shape
    real = rng.normal(size=shape).astype("float32")
    prob = rng.uniform(0.01, 0.99, size=shape).astype("float32")
    simplex = prob / prob.sum(-1, keepdims=True)
    labels = rng.integers(0, columns, rows)
    onehot = np.eye(columns, dtype="float32")[labels]
    if name in ("sparse_categorical_crossentropy", "categorical_generalized_cross_entropy"):
        return labels.astype("int32"), simplex
    if name in ("categorical_crossentropy", "categorical_focal_crossentropy"):
        return onehot, simplex
    if name == "categorical_hinge":
        return onehot, real
    if name == "kl_divergence":
        other = rng.uniform(0.01, 0.99, size=shape).astype("float32")
        return other / other.sum(-1, keepdims=True), simplex
    if name in ("binary_crossentropy", "binary_focal_crossentropy", "dice", "tversky"):
        return (rng.uniform(size=shape) < 0.5).astype("float32"), prob
    if name in ("hinge", "squared_hinge"):
        return np.sign(rng.normal(size=shape)).astype("float32"), real
    if name in ("poisson", "mean_squared_logarithmic_error"):
        return rng.poisson(2.0, size=shape).astype("float32"), prob * 4
    return rng.normal(size=shape).astype("float32"), real


Step = Callable[[], Any]


def tensorflow_steps(function: Callable[..., Any], t: np.ndarray, x: np.ndarray) -> dict[str, Step]:
    import tensorflow as tf

    target, prediction = tf.constant(t), tf.constant(x)

    def value_and_gradient(target: Any, prediction: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            value = tf.reduce_mean(function(target, prediction))
        return value, tape.gradient(value, prediction)

    graph = tf.function(value_and_gradient)
    xla = tf.function(value_and_gradient, jit_compile=True)
    return {
        "eager": lambda: value_and_gradient(target, prediction)[1].numpy(),
        "graph": lambda: graph(target, prediction)[1].numpy(),
        "XLA": lambda: xla(target, prediction)[1].numpy(),
    }


def jax_steps(function: Callable[..., Any], t: np.ndarray, x: np.ndarray) -> dict[str, Step]:
    import jax
    import jax.numpy as jnp

    target, prediction = jnp.asarray(t), jnp.asarray(x)
    jitted = jax.jit(jax.value_and_grad(lambda a: jnp.mean(function(target, a))))
    return {"JAX jit": lambda: jitted(prediction)[1].block_until_ready()}


def torch_steps(function: Callable[..., Any], t: np.ndarray, x: np.ndarray) -> dict[str, Step]:
    import torch

    target = torch.as_tensor(t)
    prediction = torch.tensor(x, requires_grad=True)
    return {"torch eager": lambda: torch.autograd.grad(function(target, prediction).mean(), prediction)[0]}


STEPS = {"tensorflow": tensorflow_steps, "jax": jax_steps, "torch": torch_steps}


def ratio(mine: Step, theirs: Step, seconds: float) -> tuple[float, float]:
    """Median times of two steps, ms, from runs in turn."""
    for step in (mine, theirs, mine, theirs):
        step()
    start = time.perf_counter()
    theirs()
    mine()
    once = time.perf_counter() - start
    runs = max(5, min(300, int(seconds / max(once, 1e-6))))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for step, found in ((mine, times[0]), (theirs, times[1])):
            begin = time.perf_counter()
            step()
            found.append(time.perf_counter() - begin)
    return statistics.median(times[0]) * 1e3, statistics.median(times[1]) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="the small shape only")
    parser.add_argument("--seconds", type=float, default=0.8, help="time for each cell")
    options = parser.parse_args()
    backend = keras.backend.backend()
    rng = np.random.default_rng(SEED)
    print(f"seed {SEED}, backend {backend}, keras {keras.__version__}, python {platform.python_version()}")
    rows: list[str] = []
    ratios: dict[str, list[float]] = {}
    for name in options.names:
        for shape in SHAPES[:1] if options.quick else SHAPES:
            t, x = inputs(name, shape, rng)
            mine = STEPS[backend](partial(getattr(ours, name), **PARAMETERS.get(name, {})), t, x)
            theirs = STEPS[backend](partial(getattr(keras.losses, name), **PARAMETERS.get(name, {})), t, x)
            cells = []
            for mode in mine:
                try:
                    a, b = ratio(mine[mode], theirs[mode], options.seconds)
                except Exception as error:  # a mode that a peer cannot do is a finding, not the end of the run
                    cells.append(f"{type(error).__name__}")
                    continue
                ratios.setdefault(f"{mode} {shape}", []).append(a / b)
                cells.append(f"{a:.3g} / {b:.3g} = {a / b:.2f}")
            rows.append(f"| {name} | {shape[0]}×{shape[1]} | " + " | ".join(cells) + " |")
            print(rows[-1], flush=True)
    modes = list(mine)
    means = [
        f"| {mode} | {math.exp(statistics.fmean(map(math.log, found))):.2f} | {max(found):.2f} | {len(found)} |"
        for mode, found in ratios.items()
    ]
    print("\n".join(means))
    if options.write:
        OUT.write_text(_page(backend, modes, rows, means), encoding="utf-8")


def _page(backend: str, modes: list[str], rows: list[str], means: list[str]) -> str:
    head = [
        "# How fast the drop-ins are",
        "",
        "Written by `benchmarks/vs_keras.py --write`. Each cell is ours / Keras = ratio, in milliseconds, the",
        "median of runs taken in turn in one process: value and gradient of the mean of all values, float32.",
        f"Backend {backend}, Keras {keras.__version__}, {os.cpu_count()} cores. On a shared machine Keras timed",
        "against itself gives single cells from 0.7 to 1.3; the geometric means are what to read.",
        "",
        "| mode | geometric mean of ratios | largest | losses |",
        "|---|---|---|---|",
        *means,
        "",
        f"| loss | shape | {' | '.join(modes)} |",
        f"|---|---|{'---|' * len(modes)}",
        *rows,
    ]
    return "\n".join(head) + "\n"


if __name__ == "__main__":
    main()

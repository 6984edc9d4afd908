"""Steps a second of `fit` with Keras's losses and ours: three small networks, on each backend that is installed.

    python benchmarks/fit.py [--on tensorflow|jax|torch …] [--network NETWORK …] [--rounds N] [--write]

A segmentation network of convolutions, an autoencoder, a classifier of tokens, each with two or three losses. Ours and
Keras's train two models that begin alike, in turn, in one process; an epoch of each is a round, and the first, in which
graphs are made, does not count. What is reported is the lower quartile of seconds a step, and the median of the
quotients of neighbouring rounds. `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from sections import put

SEED = 20260312
STEPS = 8
BACKENDS = ("tensorflow", "jax", "torch")
OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TITLE = "In `fit`"


class Network(NamedTuple):
    """A network, its data, and the losses that it is trained with: classes of `keras.losses` and their options."""

    build: Callable[[Any], Any]
    data: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    batch: int
    losses: dict[str, tuple[str, dict[str, Any]]]


def segmentation(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((96, 96, 3)),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(8, 3, padding="same"),
        ]
    )


def autoencoder(keras: Any) -> Any:
    layers = keras.layers
    widths = [256, 32, 256]
    return keras.Sequential(
        [keras.Input((784,)), *(layers.Dense(one, activation="relu") for one in widths), layers.Dense(784, "sigmoid")]
    )


def tokens(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input((32,), dtype="int32"), layers.Embedding(2000, 64), layers.Dense(2000)])


def _segments(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.random((STEPS * 8, 96, 96, 3), "float32")
    return x, np.eye(8, dtype="float32")[rng.integers(0, 8, x.shape[:3])]


def _digits(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.random((STEPS * 256, 784), "float32")
    return x, x


def _texts(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.integers(0, 2000, (STEPS * 32, 32)).astype("int32")
    return x, np.roll(x, 1, 1)


LOGITS = {"from_logits": True}
NETWORKS = {
    "segmentation": Network(
        segmentation,
        _segments,
        8,
        {
            "cross-entropy from logits": ("CategoricalCrossentropy", LOGITS),
            "focal, binary, from logits": ("BinaryFocalCrossentropy", LOGITS),
            "focal from logits": ("CategoricalFocalCrossentropy", LOGITS),
        },
    ),
    "autoencoder": Network(
        autoencoder,
        _digits,
        256,
        {"binary cross-entropy": ("BinaryCrossentropy", {}), "huber": ("Huber", {"delta": 0.1})},
    ),
    "tokens": Network(
        tokens, _texts, 32, {"sparse cross-entropy from logits": ("SparseCategoricalCrossentropy", LOGITS)}
    ),
}


def trained(network: Network, loss: Any, rng: np.random.Generator) -> Callable[[], float]:
    """What trains a model for an epoch, and says how many seconds a step took."""
    import keras

    keras.utils.set_random_seed(SEED)
    model = network.build(keras)
    model.compile("sgd", loss)
    x, t = network.data(rng)

    def epoch() -> float:
        begin = time.perf_counter()
        model.fit(x, t, batch_size=network.batch, epochs=1, verbose=0, shuffle=False)
        return (time.perf_counter() - begin) / STEPS

    return epoch


def here(names: list[str], rounds: int) -> None:
    """Every cell on the backend of this process, one JSON a line."""
    import keras

    from lossdsl import losses

    for name in names:
        network = NETWORKS[name]
        for title, (loss, options) in network.losses.items():
            epochs = [
                trained(network, getattr(home, loss)(**options), np.random.default_rng(SEED))
                for home in (losses, keras.losses)
            ]
            for epoch in epochs:
                epoch()
            found: tuple[list[float], list[float]] = ([], [])
            for number in range(rounds):
                for place in (0, 1) if number % 2 else (1, 0):
                    found[place].append(epochs[place]())
            quotient = statistics.median(one / other for one, other in zip(*found, strict=True))
            ours, theirs = (statistics.quantiles(each, n=4)[0] for each in found)
            print(json.dumps([name, title, ours, theirs, quotient]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", nargs="+", default=list(BACKENDS), choices=BACKENDS, metavar="BACKEND")
    parser.add_argument("--network", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NETWORK")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--write", action="store_true", help="write the section of docs/performance.md")
    parser.add_argument("--here", action="store_true", help="the backend of this process only")
    options = parser.parse_args()
    if options.here:
        here(options.network, options.rounds)
        return
    lines = [
        "Written by `benchmarks/fit.py --write`: steps a second of `fit` with Keras's loss and with ours, models that",
        f"begin alike, epochs of {STEPS} steps in turn in one process; the lower quartile of {options.rounds}. The",
        "last column is the median of the quotients of our seconds and Keras's in neighbouring epochs: below 1 ours is",
        f"faster. {os.cpu_count()} cores. A machine that others use gives quotients from 0.9 to 1.1 of equal work.",
        "",
        "| backend | network | loss | Keras | ours | ours / Keras |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for backend in options.on:
        if importlib.util.find_spec(backend) is None:
            continue
        command = [sys.executable, __file__, "--here", "--rounds", str(options.rounds), "--network", *options.network]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                name, title, ours, theirs, quotient = json.loads(line)
                row = f"| {backend} | {name} | {title} | {1 / theirs:.1f} | {1 / ours:.1f} | {quotient:.2f} |"
                print(row, flush=True)
                lines.append(row)
        if process.returncode:
            raise SystemExit(f"{backend}: ended with {process.returncode}")
    if options.write:
        put(OUT, TITLE, lines)


if __name__ == "__main__":
    main()

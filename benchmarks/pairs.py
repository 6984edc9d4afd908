"""Measures distances of pairs beside the same written by hand: the triplet loss of the hardest, value and gradient.

    python benchmarks/pairs.py [--on numpy|tensorflow|jax|torch …] [--batch N] [--width N] [--calls N] [--write]

By hand, distances are |x|^2 + |y|^2 - 2*dot(x, y) for all pairs, which the library differentiates; near pairs have no
digits in it. Ours and theirs are called in turn in one process, each first in every second pair; times are medians, and
the ratio is the median of those of the pairs. Memory is what one call needs beyond what the process has, in MB, each
in a process of its own. `--write` puts the table into docs/performance.md. It runs on Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from fused import memory
from sections import put

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TITLE = "Pairs of samples"
SEED = 20260306
MARGIN = 1.0
CLASSES = 64
WHY = """\
Our backward pass works out distances again, from the arguments, so that second derivatives come out; by hand they are
kept. What is near is looked for in one more pass over all pairs. Of the hardest pairs, one a sample, the slopes are
gathered and added up where they belong; a weight of all pairs is not made. torch takes as many threads as there are
processors for either, and on a busy machine waits for them; of one thread's own time ours took 0.8 to 0.9 of that by
hand. When all differences were made, JAX took 33 times the time by hand and 41 times the memory. A batch of 8192
needs 2.5 GB in the whole process on TensorFlow, 1.2 to 1.9 on the others. Where more than an eighth of all pairs are
near (on TensorFlow and JAX more than 16 a sample), as in a batch of few and tight clusters, all differences are made
as before, in blocks.
"""
Call = Callable[[], Any]
Ways = dict[str, tuple[Call, Call]]
"""For each mode ours, and the same by hand."""


def problem(batch: int, width: int) -> tuple[Any, Any]:
    """Labels, and embeddings that lie apart as those of an untrained network do."""
    rng = np.random.default_rng(SEED)
    return rng.integers(0, CLASSES, batch), rng.standard_normal((batch, width), "float32")


def on_numpy(t: Any, x: Any) -> Ways:
    import lossdsl

    twin = lossdsl.load("triplet_hard", margin=MARGIN).numpy

    def by_hand() -> Any:
        squares = np.sum(x * x, 1)
        apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * (x @ x.T), np.float32(1e-12)))
        alike = t[:, None] == t
        rows = np.arange(len(x))
        far = np.argmax(np.where(alike, apart, -np.inf), 1)
        near = np.argmin(np.where(alike, np.inf, apart), 1)
        value = apart[rows, far] - apart[rows, near] + np.float32(MARGIN)
        slope = np.zeros_like(x)
        for other, sign in ((far, 1), (near, -1)):
            unit = (x - x[other]) * (sign * (value > 0) / apart[rows, other]).astype("float32")[:, None]
            slope += unit
            np.subtract.at(slope, other, unit)
        return np.maximum(value, 0), slope

    return {"arrays": (lambda: twin.value_and_grad(t, x), by_hand)}


def on_torch(t: Any, x: Any) -> Ways:
    import torch

    import lossdsl

    ours = lossdsl.torch.Loss("triplet_hard", margin=MARGIN)
    t, x = torch.tensor(t), torch.tensor(x, requires_grad=True)

    def by_hand(x: Any, t: Any) -> Any:
        squares = (x * x).sum(1)
        apart = (squares[:, None] + squares - 2 * x @ x.T).clamp(min=1e-12).sqrt()
        alike = t[:, None] == t
        far = torch.where(alike, apart, -torch.inf).amax(1)
        near = torch.where(alike, torch.inf, apart).amin(1)
        return torch.relu(far - near + MARGIN).mean()

    def both(loss: Callable[..., Any]) -> Call:
        def call() -> Any:
            value = loss(x, t)
            return value.detach(), torch.autograd.grad(value, x)[0]

        return call

    return {"eager": (both(ours), both(by_hand))}


def on_jax(t: Any, x: Any) -> Ways:
    import jax
    import jax.numpy as jnp

    import lossdsl

    ours = lossdsl.jax.loss("triplet_hard", margin=MARGIN)

    def by_hand(x: Any, t: Any) -> Any:
        squares = jnp.sum(x * x, 1)
        apart = jnp.sqrt(jnp.maximum(squares[:, None] + squares - 2 * x @ x.T, 1e-12))
        alike = t[:, None] == t
        far = jnp.max(jnp.where(alike, apart, -jnp.inf), 1)
        near = jnp.min(jnp.where(alike, jnp.inf, apart), 1)
        return jnp.mean(jax.nn.relu(far - near + MARGIN))

    t, x = jnp.asarray(t), jnp.asarray(x)
    one, other = (jax.jit(jax.value_and_grad(loss)) for loss in (ours, by_hand))
    return {"jit": (lambda: jax.block_until_ready(one(x, t)), lambda: jax.block_until_ready(other(x, t)))}


def on_tensorflow(t: Any, x: Any) -> Ways:
    import tensorflow as tf

    import lossdsl

    ours = lossdsl.compile("triplet_hard", margin=MARGIN)
    t, x = tf.constant(t), tf.constant(x)

    def by_hand(t: Any, x: Any) -> Any:
        squares = tf.reduce_sum(x * x, 1)
        gram = tf.matmul(x, x, transpose_b=True)
        apart = tf.sqrt(tf.maximum(squares[:, None] + squares - 2 * gram, 1e-12))
        alike = t[:, None] == t
        far = tf.reduce_max(tf.where(alike, apart, -np.inf), 1)
        near = tf.reduce_min(tf.where(alike, np.inf, apart), 1)
        return tf.reduce_mean(tf.nn.relu(far - near + MARGIN))

    def both(loss: Callable[..., Any]) -> Callable[[Any], Any]:
        def call(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(t, x)
            return value, tape.gradient(value, x)

        return call

    found: Ways = {}
    for mode, is_compiled in (("eager", None), ("graph", False), ("XLA", True)):
        one, other = map(both, (ours, by_hand))
        if is_compiled is not None:
            one, other = (tf.function(each, jit_compile=is_compiled) for each in (one, other))
        found[mode] = _waiting(one, x), _waiting(other, x)
    return found


def _waiting(call: Callable[[Any], Any], x: Any) -> Call:
    return lambda: [each.numpy() for each in call(x)]


MAKERS = {"numpy": on_numpy, "tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}


def here(options: argparse.Namespace) -> Any:
    """What a process of its own measures."""
    (library,) = options.on
    t, x = problem(options.batch, options.width)
    if options.way:
        mode, place = options.way.rsplit(":", 1)
        if library in ("numpy", "torch") or mode == "eager":  # a library loads at its first call
            MAKERS[library](*problem(256, options.width))[mode][int(place)]()
        way = MAKERS[library](t, x)[mode][int(place)]
        if mode not in ("arrays", "eager"):  # what compiles has done so
            way()
        return memory(way)
    found = {}
    for mode, (ours, theirs) in MAKERS[library](t, x).items():
        value, slope = (np.asarray(each) for each in theirs())
        mine, own = (np.asarray(each) for each in ours())
        np.testing.assert_allclose(mine, value, rtol=1e-4)
        np.testing.assert_allclose(own, slope, atol=1e-3 * float(np.max(np.abs(slope))))
        taken: dict[Call, list[float]] = {ours: [], theirs: []}
        for number in range(options.calls):
            for way in (ours, theirs) if number % 2 else (theirs, ours):
                start = time.perf_counter()
                way()
                taken[way].append(time.perf_counter() - start)
        ratios = [one / other for one, other in zip(taken[ours], taken[theirs], strict=True)]
        found[mode] = [*(1e3 * statistics.median(each) for each in taken.values()), statistics.median(ratios)]
    return found


def process(options: argparse.Namespace, library: str, *more: str) -> Any:
    command = [sys.executable, __file__, "--here", "--on", library, "--batch", str(options.batch)]
    command += ["--width", str(options.width), "--calls", str(options.calls), *more]
    environment = {**os.environ, "KERAS_BACKEND": library if library != "numpy" else "tensorflow"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", nargs="+", default=list(MAKERS), choices=MAKERS)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--calls", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write the section of docs/performance.md")
    parser.add_argument("--here", action="store_true", help="in this process, on one library")
    parser.add_argument("--way", metavar="MODE:PLACE", help="with --here, the memory of one way alone")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(here(options)))
        return
    lines = [
        f"Written by `benchmarks/pairs.py --write`: `triplet_hard` of {options.batch} samples, {options.width} wide,",
        "float32, value and gradient: ours / by hand = ratio. By hand, all distances come from one matrix product,",
        "and those of near pairs have no digits. Times in ms are medians of calls in turn; memory in MB is what one",
        "call needs, in a process of its own; TensorFlow keeps what the call took that compiled a graph.",
        "",
        "| library | mode | time | memory |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines))
    for library in options.on:
        for mode, (ours, theirs, ratio) in process(options, library).items():
            room = ""
            if mode not in ("graph", "XLA"):
                mine, other = (process(options, library, "--way", f"{mode}:{place}") for place in (0, 1))
                room = f"{mine:.0f} / {other:.0f} = {mine / other:.2f}"
            lines.append(f"| {library} | {mode} | {ours:.0f} / {theirs:.0f} = {ratio:.2f} | {room} |")
            print(lines[-1], flush=True)
    if options.write:
        put(OUT, TITLE, [*lines, "", *WHY.splitlines()])


if __name__ == "__main__":
    main()

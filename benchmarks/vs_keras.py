"""Times every drop-in beside Keras's own function: value and gradient, in one process, alternating.

    python benchmarks/vs_keras.py [--only NAME …] [--mode MODE …] [--shape ROWSxCOLUMNS …] [--seconds S] [--write]
    python benchmarks/vs_keras.py --printed FILE … --write

The modes are those of the backends that are installed: TensorFlow eager, in a graph and under XLA, JAX jit, torch
eager and compiled; each backend has a process of its own. `--write` puts the tables into docs/performance.md.

Ours and Keras's are called in turn, each first in every second pair, in the same process with the same threads. What is
reported is the lower quartile of many calls: what else runs on the machine can only add to a time. `--printed` takes
what earlier runs have printed, each of some modes, and measures nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from sections import put, split

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
    "circle",
    "ctc",
    "binary_crossentropy from logits",
    "categorical_crossentropy from logits",
    "sparse_categorical_crossentropy from logits",
    "categorical_crossentropy from learned logits",
)
PARAMETERS: dict[str, dict[str, float]] = {"categorical_generalized_cross_entropy": {"q": 0.5}}
MODES = {"tensorflow": ("eager", "graph", "XLA"), "jax": ("JAX jit",), "torch": ("torch eager", "torch compiled")}
PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
WHY = """\
## What stays slower, and why

On tensors that no cache holds an operation costs what it reads and writes, and XLA writes down what it then sums. Where
a loss keeps digits that Keras's function loses, it does so by another pass. The ratios here are those of 4096x1024,
measured one beside the other; the forms in brackets were tried.

- **`categorical_crossentropy` from learned logits**: the logarithm of a sum of exponentials sums the terms but the
  largest once more, for otherwise the value is 0 where the right class leads by 18 (see [accuracy.md](accuracy.md)). In
  TensorFlow this is done only if in some sample the largest outweighs the others together: from the logits of a
  classifier that has learned, not from those of one that begins. (A choice instead of a loop of at most one round: the
  same in a graph, 1.2 under XLA even where the loop is not entered, for XLA moves what follows into the branches. Terms
  made anew in the loop instead of kept: faster where it is not entered, 1.4 where it is. The second sum always made,
  as in JAX, where a choice costs more than it saves: 1.2 under XLA from any logits.) The fused operation of TensorFlow
  that Keras calls has the value and the slope of the plain sum. Below `exp` and `softplus` the plain sum is as good, as
  in `circle`.
- **Large tensors on TensorFlow** outside of `jit_compile`: from 2^18 elements on XLA fuses what else is one operation
  after another (below, it takes as long to call what was compiled: of 2^16 elements `huber` gains a sixth and `dice`
  loses a half). The first step takes 0.1 to 0.5 s longer, `circle`'s a second, for it is compiled; so does a step with
  another shape that comes again. Of 40 lengths in turn some ten were compiled, and the others ran as they are. Sums
  over rows take XLA longer than TensorFlow: `categorical_hinge` in a graph has 1.1, where it had 0.85 without.
- **`dice`**: what the two segmentations do not share is summed as `t*(1 - x) + x*(1 - t)`, in more passes
  than `t*x`; one minus a quotient near 1 would lose its digits. (Two sums instead of one: 1.1 in a graph, but 1.3 under
  XLA, where it is 1.0 now. `x + t*(1 - 2*x)`: 1.0, but of soft segmentations near 1 it keeps no digits.)
- **`kl_divergence`** under XLA: `log1p(|p - q|/min(p, q))` takes longer than `log(p/q)`, which has 1.08 and is wrong by
  thousands of units in the last place where `p` and `q` are close. (`log1p((p - q)/q)`, wrong where `q` is much larger:
  1.16. `log(w) + (u - (w - 1))/w` with `u` that quotient and `w = 1 + u`: 1.17. `log(w)*(p - q)/(q*(w - 1))` with
  `w = p/q`: 1.15. A choice of signs instead of a product with the sign: 1.19.)
- **`mean_squared_logarithmic_error`** under JAX: one `log1p` of a quotient, whose sign is put back, costs more than two
  logarithms, of whose difference near numbers have no digits. (The sign by a choice, or by its bit: 1.34 instead of
  1.38. XLA takes `(1 + u) - 1` for `u`, so that no form with `log` alone keeps them.)
- **`dice`** under JAX: the five operations of what the segmentations do not share, before a sum that takes one in
  Keras. (Two sums instead of one: longer.)
- **`sparse_categorical_crossentropy` from logits** of 32x10 in a graph: Keras calls one fused operation; ours are some
  thirty, of a microsecond and a half each.
- **Small tensors on torch**: what was settled for shapes and dtypes is kept, and a call goes straight to the code; a
  function of Python's in each direction takes some 20 microseconds of 40, where Keras has torch's own. The slowest are
  labels from logits (a gather, a scatter, and bounds of the index: some thirty operations beside one).
- **Cross-entropies from logits on torch**, eagerly: torch's `log_softmax` and its slope are one operation each, and
  have no digits of a sure class. Large batches are worked out some rows at a time, so that what is between stays in a
  cache; what is left is an exponential of 0.6 ns an element, where theirs takes 0.4 with all that it does. The binary
  one takes two logarithms and two sigmoids, where Keras's takes one of each and has no digits of what is surely not.
"""


def inputs(name: str, shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A target and a prediction of the kind that the loss expects, float32."""
    rows, columns = shape
    real = rng.normal(size=shape).astype("float32")
    prob = rng.uniform(0.01, 0.99, size=shape).astype("float32")
    simplex = prob / prob.sum(-1, keepdims=True)
    labels = rng.integers(0, columns, rows)
    onehot = np.eye(columns, dtype="float32")[labels]
    if name.endswith("from learned logits"):  # the right class leads by about 12
        return onehot, real + 12 * onehot
    if name.endswith("from logits"):
        target = {"binary": (prob < 0.5).astype("float32"), "categorical": onehot, "sparse": labels.astype("int32")}
        return target[name.split("_")[0]], real
    if name in ("sparse_categorical_crossentropy", "categorical_generalized_cross_entropy"):
        return labels.astype("int32"), simplex
    if name == "circle":  # one number a pair: as many as the other losses have elements
        points = rng.normal(size=(int(math.sqrt(rows * columns)), 64)).astype("float32")
        return rng.integers(0, 10, len(points)).astype("int32"), points / np.linalg.norm(points, axis=-1, keepdims=True)
    if name == "ctc":  # a sequence of 32 steps (8 in the small shape) in 16 classes for each sample
        steps = min(32, columns - 2)
        samples = max(2, rows * columns // (16 * steps) // 32)
        return rng.integers(1, 16, (samples, steps // 4)).astype("int32"), rng.normal(size=(samples, steps, 16)).astype(
            "float32"
        )
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
    # The target is an argument as in training: what is made of a constant alone would be worked out beforehand.
    jitted = jax.jit(jax.value_and_grad(lambda target, prediction: jnp.mean(function(target, prediction)), argnums=1))
    return {"JAX jit": lambda: jitted(target, prediction)[1].block_until_ready()}


def torch_steps(function: Callable[..., Any], t: np.ndarray, x: np.ndarray) -> dict[str, Step]:
    import torch

    target = torch.as_tensor(t)
    prediction = torch.tensor(x, requires_grad=True)
    torch.compiler.reset()
    compiled = torch.compile(lambda target, prediction: function(target, prediction).mean())
    return {
        "torch eager": lambda: torch.autograd.grad(function(target, prediction).mean(), prediction)[0],
        "torch compiled": lambda: torch.autograd.grad(compiled(target, prediction), prediction)[0],
    }


STEPS = {"tensorflow": tensorflow_steps, "jax": jax_steps, "torch": torch_steps}


class Cell(NamedTuple):
    """One measurement: times in ms."""

    name: str
    shape: str
    mode: str
    ours: float
    keras: float

    @property
    def ratio(self) -> float:
        return self.ours / self.keras

    def __str__(self) -> str:
        return f"{self.ours:.3g} / {self.keras:.3g} = {self.ratio:.2f}"


def timed(ours: Step, theirs: Step, seconds: float) -> tuple[float, float]:
    """Lower quartiles of the times of two steps, ms, from calls in turn."""
    for step in (ours, theirs, ours, theirs):
        step()
    start = time.perf_counter()
    theirs()
    ours()
    once = time.perf_counter() - start
    pairs = max(10, min(400, int(seconds / max(once, 1e-6))))
    times: tuple[list[float], list[float]] = ([], [])
    steps = ((ours, times[0]), (theirs, times[1]))
    for pair in range(pairs):
        for step, found in steps if pair % 2 else steps[::-1]:
            begin = time.perf_counter()
            step()
            found.append(time.perf_counter() - begin)
    low, high = (statistics.quantiles(found, n=4)[0] * 1e3 for found in times)
    return low, high


def measured(names: list[str], modes: list[str], shapes: list[tuple[int, int]], seconds: float) -> Iterator[Cell]:
    """Every cell on the backend of this process."""
    import keras

    from lossdsl import losses

    steps = STEPS[keras.backend.backend()]
    for name in names:
        options: dict[str, Any] = PARAMETERS.get(name, {})
        function = name
        if name.endswith("logits"):
            function, options = name.split()[0], {"from_logits": True}
        for shape in shapes:
            t, x = inputs(name, shape, np.random.default_rng([SEED, *shape]))
            ours = steps(partial(getattr(losses, function), **options), t, x)
            theirs = steps(partial(getattr(keras.losses, function), **options), t, x)
            for mode in ours:
                if mode in modes:
                    try:
                        yield Cell(name, _shown(shape), mode, *timed(ours[mode], theirs[mode], seconds))
                    except NotImplementedError as error:  # what a backend cannot do, Keras cannot either
                        print(f"{name} {mode}: {error}", file=sys.stderr)


def in_processes(options: argparse.Namespace) -> Iterator[Cell]:
    """Every cell on every backend, each in a process of its own."""
    for backend, modes in MODES.items():
        wanted = [mode for mode in modes if mode in options.mode]
        if not wanted or importlib.util.find_spec(PACKAGES[backend]) is None:
            continue
        command = [sys.executable, __file__, "--here", "--seconds", str(options.seconds), "--only", *options.only]
        command += ["--shape", *map(_shown, options.shape), "--mode", *wanted]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield Cell(*json.loads(line))
        if process.returncode:
            raise SystemExit(f"{backend}: ended with {process.returncode}")


def _shape(text: str) -> tuple[int, int]:
    rows, columns = text.split("x")
    return int(rows), int(columns)


def _shown(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"


def main() -> None:
    every = [mode for modes in MODES.values() for mode in modes]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME", help="losses")
    parser.add_argument("--mode", nargs="+", default=every, choices=every, metavar="MODE", help=", ".join(every))
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), type=_shape, metavar="ROWSxCOLUMNS")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each cell")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--printed", nargs="+", type=Path, default=[], metavar="FILE", help="what runs have printed")
    parser.add_argument("--here", action="store_true", help="the backend of this process only, one JSON a line")
    options = parser.parse_args()
    if options.here:
        for cell in measured(options.only, options.mode, options.shape, options.seconds):
            print(json.dumps(cell), flush=True)
        return
    print(f"seed {SEED}, python {platform.python_version()}, {os.cpu_count()} cores")
    cells = [cell for path in options.printed for cell in printed(path)]
    for cell in () if options.printed else in_processes(options):
        cells.append(cell)
        print(f"{cell.name:45} {cell.shape:10} {cell.mode:12} {cell}", flush=True)
    for line in means(cells):
        print(line)
    if options.write:
        for title, lines in split(page(cells)).items():
            put(OUT, title, lines)


def printed(path: Path) -> Iterator[Cell]:
    """The cells that a run has printed."""
    for line in path.read_text("utf-8").splitlines():
        name, shape, times = line[:45].strip(), line[46:56].strip(), line[57:]
        found = re.search(r"([0-9.e+]+) / ([0-9.e+]+) = [0-9.]+$", times)
        if found is not None and name in NAMES:
            yield Cell(name, shape, times[: found.start()].strip(), float(found[1]), float(found[2]))


def means(cells: list[Cell]) -> list[str]:
    """Rows of the table of geometric means."""
    found: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        found.setdefault((cell.mode, cell.shape), []).append(cell.ratio)
    return [
        f"| {mode} | {shape} | {math.exp(statistics.fmean(map(math.log, ratios))):.2f} | {max(ratios):.2f} "
        f"| {sum(ratio > 1.1 for ratio in ratios)} of {len(ratios)} |"
        for (mode, shape), ratios in found.items()
    ]


def page(cells: list[Cell]) -> str:
    """docs/performance.md."""
    from importlib.metadata import version

    modes = list(dict.fromkeys(cell.mode for cell in cells))
    at = {(cell.name, cell.shape, cell.mode): cell for cell in cells}
    rows = list(dict.fromkeys((cell.name, cell.shape) for cell in cells))
    used = [backend for backend, own in MODES.items() if set(own) & set(modes)]
    versions = ", ".join(f"{package} {version(package)}" for package in ["keras", *(PACKAGES[one] for one in used)])
    lines = [
        "# How fast the drop-ins are",
        "",
        "Written by `benchmarks/vs_keras.py --write`. Each cell is ours / Keras = ratio, in milliseconds, the lower",
        "quartile of calls taken in turn in one process: value and gradient of the mean of all values, float32.",
        f"{versions}; {os.cpu_count()} cores.",
        "On a shared machine Keras timed against itself gives single cells from",
        "0.7 to 1.3; the geometric means are what to read. `circle` compares as many pairs as the other losses have",
        "elements; `ctc` rests on the backend's own operation, and has fewer. An empty cell was not run.",
        "",
        "| mode | shape | geometric mean of ratios | largest | above 1.1 |",
        "|---|---|---|---|---|",
        *means(cells),
        "",
        *WHY.splitlines(),
        "",
        "## Every loss",
        "",
        f"| loss | shape | {' | '.join(modes)} |",
        f"|---|---|{'---|' * len(modes)}",
    ]
    for name, shape in rows:
        shown = [str(at[name, shape, mode]) if (name, shape, mode) in at else "" for mode in modes]
        lines.append(f"| {name} | {shape} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""The error of values and gradients in units in the last place of float32, against 60 digits.

    python benchmarks/accuracy.py [--write] [--points N] [NAME …]

Inputs are drawn log-uniformly. The truth is the author's formula, and the derivative of it, worked out at 60 digits on
the float32 numbers themselves. `--write` puts the tables into docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

import lossdsl
from lossdsl.ir.axes import ordered
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.runtime.execute import functions
from lossdsl.runtime.kernels import kernel
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.transform.gradient import gradient

SEED = 20260101
OUT = Path(__file__).resolve().parent.parent / "docs" / "accuracy.md"

# name: (source, parameters, kind of target, kind of prediction, number of elements in a sample)
CASES: dict[str, tuple[str, dict[str, Any], str, str, int]] = {
    "mean_squared_error": ("mean_squared_error", {}, "near", "real", 1),
    "mean_absolute_error": ("mean_absolute_error", {}, "near", "real", 1),
    "mean_absolute_percentage_error": ("mean_absolute_percentage_error", {}, "near", "positive", 1),
    "mean_squared_logarithmic_error": ("mean_squared_logarithmic_error", {}, "near", "positive", 1),
    "huber": ("huber", {}, "near", "real", 1),
    "log_cosh": ("log_cosh", {}, "near", "real", 1),
    "squared_hinge": ("squared_hinge", {}, "sign", "real", 1),
    "poisson": ("poisson", {}, "near", "positive", 1),
    "kl_divergence": ("kl_divergence", {}, "prob", "prob", 3),
    "binary_crossentropy": ("binary_crossentropy", {}, "binary", "prob", 1),
    "binary_crossentropy (logits)": ("binary_crossentropy", {"from_logits": True}, "binary", "real", 1),
    "binary_focal_crossentropy": ("binary_focal_crossentropy", {}, "binary", "prob", 1),
    "categorical_crossentropy": ("categorical_crossentropy", {}, "onehot", "prob", 4),
    "categorical_crossentropy (logits)": ("categorical_crossentropy", {"from_logits": True}, "onehot", "real", 4),
    "categorical_hinge": ("categorical_hinge", {}, "onehot", "real", 4),
    "cosine_similarity": ("cosine_similarity", {}, "real", "real", 4),
    "quantile": ("quantile", {"q": 0.75}, "near", "real", 1),
    "log(1 + exp(x))": ("log(1 + exp(x)) - t*0", {}, "real", "real", 1),
    "log(cosh(t - x))": ("log(cosh(t - x))", {}, "near", "real", 1),
    "-log(1/(1 + exp(-x)))": ("-log(1/(1 + exp(-x))) + 0*t", {}, "real", "real", 1),
    "sqrt(1 + (e/d)^2) - 1": ("sqrt(1 + ((t - x)/d)^2) - 1", {"d": 1.5}, "near", "real", 1),
    "log(sum(exp(x)))": ("log(sum(exp(x))) + 0*sum(t)", {}, "real", "real", 4),
    "1 - exp(-u)": ("1 - exp(-0.5*((t - x)/c)^2)", {"c": 1.5}, "near", "real", 1),
}


def drawn(kind: str, shape: tuple[int, ...], rng: np.random.Generator, other: np.ndarray | None = None) -> np.ndarray:
    """Numbers of a kind, log-uniform over many orders of magnitude."""
    sign = rng.choice([-1.0, 1.0], shape)
    if kind == "near" and other is not None:
        return other + sign * np.abs(other) * 10 ** rng.uniform(-6, 1, shape)
    if kind == "sign":
        return sign
    if kind == "binary":
        return (sign > 0).astype(float)
    if kind == "onehot":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[0])]
    if kind == "positive":
        return 10 ** rng.uniform(-3, 3, shape)
    if kind == "prob":
        small = 10 ** rng.uniform(-6, np.log10(0.5), shape)
        return np.where(sign > 0, small, 1 - small)
    return sign * 10 ** rng.uniform(-4, 1.8, shape)


def ulps(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Errors in units in the last place of float32 at the true value."""
    wanted = truth.astype(float)
    unit = np.spacing(np.maximum(np.abs(wanted), np.finfo(np.float32).tiny).astype(np.float32)).astype(float)
    pairs = zip(found.ravel().astype(float), truth.ravel(), strict=True)
    errors = np.array([abs(float(a) - b) for a, b in pairs], float)
    return np.where(np.isfinite(errors), errors, np.inf) / unit.ravel()


def summary(errors: np.ndarray) -> str:
    """Median, largest, and how many of a hundred are worse than 16."""
    return f"{np.median(errors):.2g} / {np.max(errors):.2g} / {100 * np.mean(errors > 16):.0f} %"


def runners(loss: LoadedLoss) -> dict[str, Callable[..., tuple[Any, Any]]]:
    """Value and gradient in the prediction, per target, on float32 arrays."""
    import tensorflow as tf

    name = f"gradient_{loss.program.loss.prediction.identifier}"
    settings = [value for key, value in loss.parameters.items() if key not in loss.program.loss.settled]
    numpy = functions(loss.program.module("numpy"), loss.name)
    call = kernel(loss, "tensorflow")

    def on_numpy(t: np.ndarray, x: np.ndarray) -> tuple[Any, Any]:
        with np.errstate(all="ignore"):
            return numpy["value"](t, x, *settings), numpy[name](t, x, *settings)[0]

    def on_tensorflow(t: Any, x: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = call([t, x], loss.arguments(x.shape[-1]))
        return value, tape.gradient(value, x)

    def eager(t: np.ndarray, x: np.ndarray) -> tuple[Any, Any]:
        return on_tensorflow(tf.constant(t), tf.constant(x))

    compiled = tf.function(on_tensorflow, jit_compile=True)
    return {"numpy": on_numpy, "TF eager": eager, "TF-XLA": lambda t, x: compiled(tf.constant(t), tf.constant(x))}


def keras_runner(name: str, parameters: dict[str, Any]) -> Callable[..., tuple[Any, Any]] | None:
    """Keras's own function with TensorFlow's gradient, or None where Keras has none."""
    import keras
    import tensorflow as tf

    function = getattr(keras.losses, name, None)
    if function is None:
        return None

    def run(t: np.ndarray, x: np.ndarray) -> tuple[Any, Any]:
        target, prediction = tf.constant(t), tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            value = function(target, prediction, **parameters)
        return value, tape.gradient(value, prediction)

    return run


def measured(case: str, points: int) -> tuple[list[str], list[str]]:
    """The cells for values and for gradients: numpy, TF eager, TF-XLA, Keras."""
    source, parameters, target_kind, prediction_kind, width = CASES[case]
    rng = np.random.default_rng(SEED)
    loss = lossdsl.load(source, **parameters)
    rows = max(8, points // width)
    x = drawn(prediction_kind, (rows, width), rng).astype(np.float32)
    t = drawn(target_kind, (rows, width), rng, x.astype(float)).astype(np.float32)
    m = mp_numbers(60)
    given: dict[Any, Any] = {}
    for spec, array in zip(loss.program.loss.inputs, (t, x), strict=True):
        (node,) = spec.nodes
        given[node] = filled(array[:, None, :], m)  # batch, space, last
    for parameter in loss.program.loss.parameters:
        if parameter.name not in loss.program.loss.settled:
            given[parameter.node] = filled(loss.parameters[parameter.name], m)
    result = loss.program.loss.result
    (node,) = loss.program.loss.prediction.nodes
    slope = gradient(result, [node])[node]
    done = evaluate([result, slope], given, m, {"batch": rows, "space": 1, "last": width})
    value_truth = np.broadcast_to(done[result], (rows, 1)).ravel()
    missing = tuple(axis in slope.axes for axis in ordered(node.axes))
    slope_truth = done[slope].reshape([n if there else 1 for n, there in zip((rows, 1, width), missing, strict=True)])
    slope_truth = np.broadcast_to(slope_truth, (rows, 1, width)).ravel()
    values, slopes = [], []
    all_runners: list[Callable[..., tuple[Any, Any]] | None] = list(runners(loss).values())
    all_runners.append(keras_runner(source, parameters))
    for run in all_runners:
        if run is None:
            values.append("")
            slopes.append("")
            continue
        value, grad = (np.asarray(part) for part in run(t, x))
        values.append(summary(ulps(value, value_truth)))
        slopes.append(summary(ulps(grad, slope_truth)))
    return values, slopes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md")
    parser.add_argument("--points", type=int, default=1000)
    options = parser.parse_args()
    print(f"seed {SEED}")
    tables: tuple[list[str], list[str]] = ([], [])
    for case in options.names:
        for table, cells in zip(tables, measured(case, options.points), strict=True):
            table.append(f"| {case} | {' | '.join(cells)} |")
        print(tables[0][-1], "\n   gradient", tables[1][-1], flush=True)
    if options.write:
        head = "| loss | numpy | TF eager | TF-XLA | Keras, TF eager |\n|---|---|---|---|---|"
        text = f"""# How accurate the losses are

Written by `python benchmarks/accuracy.py --write`. Each cell is the median, the largest, and the share above 16 of the
error in units in the last place of float32, over about {options.points} inputs drawn log-uniformly; truth at 60 digits.
Where a loss has a root (poisson near its minimum, a KL divergence or cosine near equality) the true value is close to
0, and a relative error cannot be small without more digits.

## Values

{head}
{chr(10).join(tables[0])}

## Gradients

{head}
{chr(10).join(tables[1])}
"""
        OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

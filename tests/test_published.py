"""Published losses, 195 of them: the shipped files give the values and gradients that papers and libraries have.

`shipped.py` says what is compared, and where the numbers are from.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shipped import PUBLISHED

import lossdsl

VALUE = 2e-6  # some expected values come from libraries that work in float32
SLOPE = 2e-4  # a difference quotient made the expected gradients

published = pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry["id"])


def test_there_are_195_of_them() -> None:
    assert len({entry["id"] for entry in PUBLISHED}) == 195


@published
def test_the_twin_gives_the_published_value_and_gradient(entry: dict[str, Any]) -> None:
    twin = lossdsl.load(entry["loss"], **parameters(entry)).numpy
    value, gradient = twin.value_and_grad(wrt=entry["wrt"], **arrays(entry))
    same_value(value, entry)
    same_slope(gradient, entry["gradient"])


@published
def test_the_keras_loss_gives_the_published_value_and_gradient(entry: dict[str, Any]) -> None:
    import tensorflow as tf

    loss = lossdsl.compile(entry["loss"], dtype="float64", **parameters(entry))
    inputs = {name: tf.constant(array) for name, array in arrays(entry).items()}
    with tf.GradientTape() as tape:
        tape.watch(inputs[entry["wrt"]])
        value = loss.call(*arguments(loss, inputs))
        if not entry["axes"]:  # one number for the batch stands once for each sample
            assert np.ptp(value.numpy()) == 0
            value = tf.reduce_mean(value)
        total = tf.reduce_sum(value)
    same_value(value.numpy(), entry)
    same_slope(tape.gradient(total, inputs[entry["wrt"]]).numpy(), entry["gradient"])


def parameters(entry: dict[str, Any]) -> dict[str, Any]:
    """What the loss is compiled with; `axis: null` stands for all axes, as in Keras."""
    found = dict(entry["parameters"])
    if "axis" in found:
        found["axis"] = tuple(range(np.ndim(entry["inputs"][entry["wrt"]])))
    return found


def arrays(entry: dict[str, Any]) -> dict[str, np.ndarray]:
    """The inputs by name: labels stay whole numbers, everything else is float64."""
    raw = {name: np.asarray(value) for name, value in entry["inputs"].items()}
    return {name: array if array.dtype.kind == "i" else array.astype(np.float64) for name, array in raw.items()}


def arguments(loss: Any, inputs: dict[str, Any]) -> Iterator[Any]:
    """What Keras would call the loss with: the target (or a tuple, with the extra inputs), and the prediction."""
    ir = loss.spec.program.loss
    by_spec = {ir.input(name): value for name, value in inputs.items()}
    rest = tuple(by_spec[spec] for spec in ir.inputs if spec is not ir.prediction)
    yield rest if len(rest) > 1 else rest[0] if rest else None
    yield by_spec[ir.prediction]


def same_value(value: Any, entry: dict[str, Any]) -> None:
    expected = np.asarray(entry["expected"], dtype=np.float64)
    assert np.shape(value) == expected.shape
    assert len(entry["axes"]) == expected.ndim
    np.testing.assert_allclose(value, expected, rtol=VALUE, atol=1e-12)  # atol: rounding of an expected 0


def same_slope(gradient: np.ndarray, expected: list[Any]) -> None:
    """`null` is left out; "inf" and "-inf" are the infinities. atol is the rounding of a difference quotient of 0."""
    wanted = np.array(expected, dtype=object)
    assert gradient.shape == wanted.shape
    known = np.not_equal(wanted, None)
    np.testing.assert_allclose(gradient[known], wanted[known].astype(np.float64), rtol=SLOPE, atol=1e-8)


def test_generated_code_does_not_hang_on_the_order_of_sets() -> None:
    """Python draws the hash of a text anew in each process; losses with several indices held them in sets."""
    text = """
from lossdsl import pipeline
for name in ("angular", "vicreg", "relational_distance", "lambdarank", "chamfer"):
    print(pipeline.program(pipeline.builtin(name)).show("numpy"))
"""
    found = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=Path(__file__).parent, env=environment, capture_output=True, text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1

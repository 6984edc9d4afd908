"""Published losses, 195 of them, as their papers and libraries have them: values and gradients on both targets.

`published/losses.json` holds for each its source in the language, inputs, expected values (one a sample, a sample and
place, or one number: `axes`), and a difference quotient of their sum. Where `agrees_with` names a library, the values
are that library's; "own numpy" is a restatement of the formula.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossdsl

LOSSES = json.loads((Path(__file__).parent / "published" / "losses.json").read_text(encoding="utf-8"))
VALUE = 2e-6  # some expected values come from libraries that work in float32
SLOPE = 2e-4  # a difference quotient made the expected gradients

published = pytest.mark.parametrize("entry", LOSSES, ids=lambda entry: entry["id"])


def test_there_are_195_of_them() -> None:
    assert len({entry["id"] for entry in LOSSES}) == 195


@published
def test_the_twin_gives_the_published_value_and_gradient(entry: dict[str, Any]) -> None:
    fixture = entry["fixture"]
    slope = fixture["grad_of_sum"]
    twin = lossdsl.load(entry["source"], **fixture["params"]).numpy
    value, gradient = twin.value_and_grad(wrt=slope["wrt"], **arrays(fixture))
    same_value(value, fixture)
    same_slope(gradient, slope["value"])


@published
def test_the_keras_loss_gives_the_published_value_and_gradient(entry: dict[str, Any]) -> None:
    import tensorflow as tf

    fixture = entry["fixture"]
    loss = lossdsl.compile(entry["source"], dtype="float64", **fixture["params"])
    inputs = {name: tf.constant(array) for name, array in arrays(fixture).items()}
    slope = fixture["grad_of_sum"]
    with tf.GradientTape() as tape:
        tape.watch(inputs[slope["wrt"]])
        value = loss.call(*arguments(loss, inputs))
        if not fixture["axes"]:  # one number for the batch stands once for each sample
            assert np.ptp(value.numpy()) == 0
            value = tf.reduce_mean(value)
        total = tf.reduce_sum(value)
    same_value(value.numpy(), fixture)
    same_slope(tape.gradient(total, inputs[slope["wrt"]]).numpy(), slope["value"])


def arrays(fixture: dict[str, Any]) -> dict[str, np.ndarray]:
    """The inputs by name: labels stay whole numbers, everything else is float64."""
    raw = {name: np.asarray(value) for name, value in fixture["inputs"].items()}
    return {name: array if array.dtype.kind == "i" else array.astype(np.float64) for name, array in raw.items()}


def arguments(loss: Any, inputs: dict[str, Any]) -> Iterator[Any]:
    """What Keras would call the loss with: the target (or a tuple, with the extra inputs), and the prediction."""
    ir = loss.spec.program.loss
    by_spec = {ir.input(name): value for name, value in inputs.items()}
    rest = tuple(by_spec[spec] for spec in ir.inputs if spec is not ir.prediction)
    yield rest if len(rest) > 1 else rest[0] if rest else None
    yield by_spec[ir.prediction]


def same_value(value: Any, fixture: dict[str, Any]) -> None:
    expected = np.asarray(fixture["expected"], dtype=np.float64)
    assert np.shape(value) == expected.shape
    assert len(fixture["axes"]) == expected.ndim
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
from test_published import LOSSES
from lossdsl import pipeline
from lossdsl.source import Source
for name in ("angular", "vicreg", "rkd", "lambdarank", "chamfer"):
    (source,) = (one["source"] for one in LOSSES if one["id"] == name)
    print(pipeline.program(pipeline.parsed(Source(source))).show("numpy"))
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

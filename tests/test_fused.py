"""The last layer and the loss in one: what a loss is taken apart into, and what comes of it on the backends.

Here the parts of a loss are held against the whole on the numpy twin, for every loss of the catalogue and of the
published ones that comes apart. `fused_trial.py` compares values, gradients, training and saving on a backend.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shipped import PUBLISHED
from test_backends import BACKENDS
from test_published import arrays

import lossdsl
from lossdsl.fused.place_values import taken_apart
from lossdsl.ir.axes import SPACE
from lossdsl.ir.expr import Along, Position, Reduce, Rename, walk
from lossdsl.ir.inputs import ELEMENT
from lossdsl.ir.mixing import mixes_samples
from lossdsl.ir.text import formula
from lossdsl.runtime.execute import functions
from lossdsl.targets.lifetimes import freed

CE = "loss f(t: label, x: logits)\nce = logsumexp(x) - x[t]\n"

TWO = ["logsumexp(x) - x[t]", "max(x)"]
MEAN = "4*sum[batch, space](value1)/max(4*sum[batch, space](where(t != 2, 1, 0)), 1)"


def parts(text, **parameters):
    """What the loss of a text is taken apart into, as formulas."""
    program = lossdsl.load(text, **parameters).program
    found = taken_apart(program, {program.loss.prediction: 4})
    return [formula(one.loss.result) for one in found.values], found.rest and formula(found.rest.loss.result)


@pytest.mark.parametrize(
    "text, values, rest",
    [
        (CE + "ce", ["logsumexp(x) - x[t]"], None),
        (CE + "where(t == 2, 0, ce)", ["where(t == 2, 0, logsumexp(x) - x[t])"], None),
        ("loss f(t, x)\n(t - x)^2", ["mean((t - x)^2)"], None),
        # a mean over places that count: their number is no matter of logits
        (CE + "mean[all if t != 2](ce)", ["where(t != 2, logsumexp(x) - x[t], 0)"], MEAN),
        (CE + "max[batch](ce)", ["logsumexp(x) - x[t]"], "max[batch](value1)"),
        # a condition on logits is a number in between
        (CE + "sum[batch](where(x[t] > 0, 1, 0))", ["where(x[t] > 0, 1, 0)"], "sum[batch](value1)"),
        # two values of a place that meet others
        (CE + "sum[batch](ce)*max[batch](max(x))", TWO, "sum[batch](value1)*max[batch](value2)"),
        # a name that the loss has already
        ("loss f(value1: scalar, x)\nmax[batch](max(x) - value1)", ["max(x) - value1"], "max[batch](value2)"),
        ("loss f(value1: scalar, x)\nmax[batch](max(x))*value1", ["max(x)"], "max[batch](value2)*value1"),
    ],
)  # fmt: skip
def test_a_loss_is_taken_apart_where_places_meet(text, values, rest):
    assert parts(text) == (values, rest)


@pytest.mark.parametrize(
    "text, message, at",
    [
        ("loss f(t, x)\nsum[batch](t*x)", "f cannot be fused with its layer: in `sum[batch](t*x)`", "sum[batch](t*x)"),
        ("loss f(t, x)\nmean(cumsum[batch](x))", "f cannot be fused with its layer: in `cumsum[batch](x)`", None),
        ("circle", "circle cannot be fused with its layer", None),
        ("loss f(t, x: scalar)\n(mean(t) - x)^2", "f: `x` has one number a place", None),
        ("loss f(t, x)\nmean(t)", "f does not use its prediction", None),
    ],
)
def test_a_loss_that_does_not_come_apart_is_refused(text, message, at):
    program = lossdsl.load(text).program
    with pytest.raises(lossdsl.LossTypeError) as caught:
        taken_apart(program, {program.loss.prediction: 4})
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert at is None or caught.value.span.text == at


def loaded(entry):
    """A published loss; its last axis plays `last`."""
    return lossdsl.load(entry["loss"], **{name: value for name, value in entry["parameters"].items() if name != "axis"})


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry["id"])
def test_the_parts_make_the_whole(entry):
    """On the twin, in float64. The places are samples here, so that a sum over them is one over the batch."""
    spec = loaded(entry)
    loss = spec.program.loss
    inputs = {loss.input(name).identifier: value for name, value in arrays(entry).items()}
    classes = np.shape(inputs[loss.prediction.identifier])[-1] // len(loss.prediction.nodes)
    try:
        apart = taken_apart(spec.program, {loss.prediction: classes})
    except lossdsl.LossTypeError as error:
        assert error.hint  # noqa: PT017 - either it comes apart, or it says what to do
        return
    whole = spec.numpy(**inputs)
    values = [spec.over(one).numpy(**inputs) for one in apart.values]
    if apart.rest is None:
        np.testing.assert_array_equal(values[0], whole)
        return
    others = {one.identifier: inputs[one.identifier] for one in loss.inputs if one is not loss.prediction}
    made = spec.over(apart.rest).numpy(**others, **dict(zip(apart.names, values, strict=True)))
    np.testing.assert_allclose(made, whole, rtol=1e-12)


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry["id"])
def test_a_loss_of_single_samples_is_one_place_value(entry):
    """What takes no samples together, as an analysis of its own says, is never refused, and has no second part."""
    program = loaded(entry).program
    loss = program.loss
    nodes = set(walk(loss.result))
    named = [axis for node in nodes if isinstance(node, Rename | Position) for axis in node.axes]
    moved = any(axis.domain in ("batch", "space") for axis in named)
    over_places = any(SPACE in node.over for node in nodes if isinstance(node, Reduce | Along))
    alone = not moved and not over_places and not mixes_samples(loss.result, conditions=True)
    if alone and loss.prediction.over == ELEMENT and loss.prediction.nodes[0] in nodes:
        assert taken_apart(program, {loss.prediction: 4}).rest is None


@pytest.mark.parametrize(
    "text", ["categorical_crossentropy", "huber", "loss f(t, x: logits)\nsum(t*x)*max[batch](x[0])"]
)
def test_value_and_gradient_as_one_function(text):
    program = lossdsl.load(text).program
    program = program.bound({one.name: float(one.default) for one in program.loss.parameters if one.kind == "real"})
    apart, joint = (
        functions(one, "f") for one in (program.module("numpy"), program.joint_module("numpy", program.gradients))
    )
    rng = np.random.default_rng(1)
    t, x = rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(4), 3)
    up = rng.normal(size=np.shape(apart["value"](t, x)))
    value, *slopes = joint["value_and_pullbacks"](t, x, up)
    np.testing.assert_allclose(value, apart["value"](t, x), rtol=1e-14)
    for spec, slope in zip(program.gradients, slopes, strict=True):
        np.testing.assert_allclose(slope, apart[f"pullback_{spec.identifier}"](t, x, up)[0], rtol=1e-14)


def test_a_name_is_let_go_after_its_last_use():
    body = ast.parse("a = f(x)\nb = g(a)\nc = b + a\nd = c").body
    kept = freed(body, ast.parse("return_ = d + b").body)
    assert [ast.unparse(one) for one in kept] == ["a = f(x)", "b = g(a)", "c = b + a", "del a", "d = c", "del c"]
    inside = ast.parse("a = f(x)\ndef g(y):\n    z = y + a\n    return z\nb = g(1)\nc = b").body
    assert [ast.unparse(one) for one in freed(inside, []) if isinstance(one, ast.Delete)] == ["del b, c"]


PARTS = {
    "tensorflow": ("modes", "layer", "saving"),
    "jax": ("function", "layer", "saving"),
    "torch": ("function", "layer", "saving"),
}


@pytest.mark.parametrize("backend, part", [(one, part) for one in BACKENDS for part in PARTS[one]])
def test_on_a_backend(backend, part):
    script = Path(__file__).with_name("fused_trial.py")
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1" if part == "function" else "0"}
    done = subprocess.run(
        [sys.executable, str(script), part], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{backend}: {part} done" in done.stdout

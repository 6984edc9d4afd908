"""Parameters that change while a model is trained: what they may be, and what comes of them on the backends.

`values_trial.py` compares slopes, training, saving and schedules on a backend; here it is what is refused, and where.
"""

import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_backends import BACKENDS

import lossdsl
from lossdsl.errors import LossConfigError, LossError, LossParameterError
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.runtime.value_sources import SmoothMap, smooth_map
from lossdsl.source import Source

PARTS = {"tensorflow": ("slopes", "models", "replicas"), "jax": ("slopes", "models"), "torch": ("slopes", "models")}


@pytest.mark.parametrize("backend, part", [(backend, part) for backend in BACKENDS for part in PARTS[backend]])
def test_backend(backend, part):
    script = Path(__file__).with_name("values_trial.py")
    # JAX has float64 only where it is asked for when it starts
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1" if part == "slopes" else "0"}
    done = subprocess.run(
        [sys.executable, str(script), part], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{backend}: {part} done" in done.stdout


# --- the range in which a value stays -------------------------------------------------------------------------------


def range_of(head, value, **numbers):
    """The ends between which the first parameter of a loss is learned, the others being numbers."""
    names = head.split("\n")[0].partition("; ")[2].rstrip(")").split(", ")
    first = names[0]
    source = Source(f"{head}\n(t - x)^2*{'*'.join(names)}", "<formula>")
    loaded = LoadedLoss(source, (-1,), numbers, (), frozenset([first]))
    parameter = next(one for one in loaded.program.loss.parameters if one.name == first)
    found = smooth_map(loaded.program, parameter, value, loaded.parameters)
    return found.low, found.high


@pytest.mark.parametrize(
    "head, bounds, numbers, expected",
    [
        ("loss f(t, x; a)", {}, {}, (None, None)),
        ("loss f(t, x; a)\nrequire a > 0", {}, {}, (0.0, None)),
        ("loss f(t, x; a)\nrequire 0 <= a", {}, {}, (0.0, None)),
        ("loss f(t, x; a)\nrequire a < 2", {}, {}, (None, 2.0)),
        ("loss f(t, x; a)\nrequire 0 < a < 1", {}, {}, (0.0, 1.0)),
        ("loss f(t, x; a)\nrequire a > 0 and a <= 0.5", {}, {}, (0.0, 0.5)),
        ("loss f(t, x; a)\nrequire 0 < a < 1", {"low": 0.5}, {}, (0.5, 1.0)),
        ("loss f(t, x; a)", {"low": -1.0, "high": 3.0}, {}, (-1.0, 3.0)),
        # another parameter is a number
        ("loss f(t, x; a, b)\nrequire a < b", {}, {"b": 2.0}, (None, 2.0)),
        ("loss f(t, x; a, b)\nrequire b < a", {}, {"b": 2.0}, (2.0, None)),
        # what no interval says by itself is proved
        ("loss f(t, x; a)\nrequire a != 0", {"low": 0.0}, {}, (0.0, None)),
        ("loss f(t, x; a)\nrequire a*a < 4", {"low": -2.0, "high": 2.0}, {}, (-2.0, 2.0)),
        ("loss f(t, x; a)\nrequire a < 0 or a > 1", {"low": 1.0}, {}, (1.0, None)),
    ],
)
def test_the_range_is_what_is_required(head, bounds, numbers, expected):
    assert range_of(head, lossdsl.learned(**bounds), **numbers) == expected


@pytest.mark.parametrize(
    "head, bounds, numbers, message",
    [
        ("loss f(t, x; a)\nrequire a != 0", {}, {}, "requires `a != 0`, which `a` may leave while it is learned"),
        ("loss f(t, x; a)\nrequire a*a < 4", {}, {}, "may leave"),
        ("loss f(t, x; a)\nrequire a < 0 or a > 1", {}, {}, "may leave"),
        ("loss f(t, x; a)\nrequire a == 2", {}, {}, "leaves no room in which `a` could be learned"),
        ("loss f(t, x; a)\nrequire a > 2", {"high": 2.0}, {}, "leaves no room"),
        ("loss f(t, x; a)\nrequire round(a) == a", {}, {}, "may leave"),
    ],
)
def test_a_range_that_no_map_has_is_refused(head, bounds, numbers, message):
    with pytest.raises(LossParameterError, match=message):
        range_of(head, lossdsl.learned(**bounds), **numbers)


ENDS = ["both", "low", "high", "none"]


@given(st.floats(-50, 50), st.floats(1e-3, 100), st.floats(1e-4, 1 - 1e-4), st.sampled_from(ENDS))
def test_maps_and_their_inverses_agree(low, width, part, ends):
    """The inverse by numpy, the map by its own formula at 64 bits."""
    within = SmoothMap(low if ends in ("both", "low") else None, low + width if ends in ("both", "high") else None)
    value = low + part * width
    raw = float(within.inverse(value))
    found = {
        "both": lambda: low + width / (1 + math.exp(-raw)),
        "low": lambda: low + np.logaddexp(raw, 0),
        "high": lambda: low + width - np.logaddexp(raw, 0),
        "none": lambda: raw,
    }[ends]()
    assert found == pytest.approx(value, rel=1e-9, abs=1e-9)
    for dtype in ("float32", "float64"):
        least, largest = within.inner_ends(dtype)
        kind = np.dtype(dtype).type
        assert least is None or kind(least) > kind(within.low)
        assert largest is None or kind(largest) < kind(within.high)


# --- what a user meets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"c": lossdsl.learned(0.0)}, "`c` is learned between 0 and inf, and cannot begin with 0.0"),
        ({"c": lossdsl.learned("one")}, "`c` of barron cannot begin with 'one'"),
        ({"c": lossdsl.learned([1.0, 2.0])}, "`c` of barron cannot begin with"),
        ({"c": lossdsl.by_epoch(3.0)}, "which is no schedule"),
        ({"gamma": lossdsl.learned(1.0)}, "barron has no parameter `gamma`"),
    ],
)
def test_values_that_cannot_be(parameters, message):
    with pytest.raises(LossParameterError, match=message.replace("[", r"\[")):
        lossdsl.compile("barron", **parameters)


def test_schedules_and_variables_are_held_to_requirements_at_the_beginning():
    import keras

    for value in (keras.Variable(-1.0), keras.optimizers.schedules.ExponentialDecay(0.0, 10, 0.5)):
        with pytest.raises(LossParameterError, match="barron requires `c > 0`"):
            lossdsl.compile("barron", c=value)
    with pytest.raises(LossParameterError, match="has rank 0, not shape"):
        lossdsl.compile("barron", c=keras.Variable([1.0, 2.0]))


def test_what_decides_what_is_compiled_cannot_change():
    with pytest.raises(LossParameterError, match="decides what is compiled"):
        lossdsl.compile("binary_crossentropy", from_logits=lossdsl.learned(1.0))


@pytest.mark.parametrize("door", [lossdsl.load, lossdsl.metric, lambda *a, **k: lossdsl.FusedDense(3, *a, **k)])
def test_other_doors_refuse_values_that_change(door):
    with pytest.raises(LossError) as caught:
        door("barron", c=lossdsl.learned(1.0))
    assert "lossdsl.compile" in str(caught.value) or "metrics=[loss]" in str(caught.value)


def test_a_loss_of_plain_numbers_has_no_layer():
    loss = lossdsl.compile("barron")
    assert loss.now == {}
    with pytest.raises(LossConfigError, match="no parameter of barron changes"):
        _ = loss.layer


def test_defaults_and_shapes_of_learned_values():
    loss = lossdsl.compile("barron", alpha=lossdsl.learned(), c=lossdsl.learned(2.5))
    assert loss.now == {"alpha": pytest.approx(1.0), "c": pytest.approx(2.5)}
    assert loss.numpy([[0.0]], [[3.0]]) == pytest.approx(lossdsl.load("barron", c=2.5).numpy([[0.0]], [[3.0]]))
    assert "barron" in repr(loss)
    assert "\\alpha" in loss._repr_latex_()


def test_a_copy_shares_the_values_and_a_stranger_is_refused():
    loss = lossdsl.compile("barron", alpha=lossdsl.learned(1.5))
    assert pickle.loads(pickle.dumps(loss)).layer is loss.layer
    config = loss.get_config()
    assert config["version"] == 2
    assert config["parameters"]["alpha"] == {"learned": 1.5, "low": None, "high": None}
    with pytest.raises(LossConfigError, match="which was not read from the file"):
        type(loss).from_config({**config, "layer": "0"})


def test_a_value_that_reaches_its_end_stays_inside():
    text = "loss f(t, x; p, q)\nrequire p > 0\nrequire 1 < q < 2\n(t - x)^2*p*q"
    loss = lossdsl.compile(text, p=lossdsl.learned(1.0), q=lossdsl.learned(1.5))
    for far in (-1e4, 1e4):
        for variable in loss.layer.trainable_variables:
            variable.assign(far)
        assert loss.now["p"] > 0
        assert 1 < loss.now["q"] < 2

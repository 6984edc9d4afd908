"""Kinds of the parts of packed inputs: what is told of them, and that all that draws, masks and proves keeps to it."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import pipeline
from lossdsl.analyze import analyzer
from lossdsl.frontend.format import formatted
from lossdsl.ir.axes import last_of
from lossdsl.ir.inputs import DOMAINS
from lossdsl.oracle.float_formats import FLOAT32
from lossdsl.oracle.plain_points import plain_points
from lossdsl.oracle.points import Point, points
from lossdsl.oracle.samples import EVERYDAY, samples
from lossdsl.source import Source

# A header, and the kind of each part.
TOLD = [
    ("(m, s: positive)", {"m": "real", "s": "positive"}),
    ("(m: real, s: positive, w: prob)", {"m": "real", "s": "positive", "w": "prob"}),
    ("(m, s): positive", {"m": "positive", "s": "positive"}),
    ("(m, s: prob): positive", {"m": "positive", "s": "prob"}),
    ("(there: 1 prob, box: 4 positive, classes: simplex)", {"there": "prob", "box": "positive", "classes": "simplex"}),
    ("(there: 1, classes): logprob", {"there": "logprob", "classes": "logprob"}),
    ("(g: 2, w: K simplex, m)", {"g": "real", "w": "simplex", "m": "real"}),
    ("(g: 1 prob, m, s: positive)", {"g": "prob", "m": "real", "s": "positive"}),
    ("(m, w: K simplex, s): positive", {"m": "positive", "w": "simplex", "s": "positive"}),
]


def program(inputs):
    text = f"loss f(t: scalar, {inputs}; K: int = 3)\nt"
    return pipeline.program(pipeline.parsed(Source(text)))


@pytest.mark.parametrize("inputs, kinds", TOLD)
def test_a_header_says_the_kind_of_each_part(inputs, kinds):
    spec = program(inputs).loss.prediction
    assert {part.name: part.domain for part in spec.parts} == kinds
    assert spec.domain == ("mixed" if len(set(kinds.values())) > 1 else next(iter(kinds.values())))


KIND = st.sampled_from(sorted(DOMAINS))


@st.composite
def packed(draw):
    """A packed input with a kind for each part, and with lengths in half of all cases."""
    kinds = draw(st.lists(KIND, min_size=2, max_size=3))
    names = ("m", "s", "w")[: len(kinds)]
    rest = draw(st.sets(st.integers(0, len(kinds) - 1), min_size=1))
    lengths = [0] * len(kinds)
    if draw(st.booleans()):
        lengths = [0 if place in rest else draw(st.integers(1, 3)) for place in range(len(kinds))]
    said = (f"{name}: {length or ''} {kind}" for name, length, kind in zip(names, lengths, kinds, strict=True))
    return f"({', '.join(said)})", lengths


@settings(max_examples=40, deadline=None, derandomize=True)
@given(packed())
def test_all_that_is_tried_is_of_the_kinds(case):
    inputs, lengths = case
    text = f"loss f({inputs})\n" + "+".join(
        name if length == 1 else f"mean({name})" for name, length in zip(("m", "s", "w"), lengths, strict=False)
    )
    made = pipeline.program(pipeline.parsed(Source(text)))
    tried = [*points(made.loss, made.known, 4), *(plain.point for plain in plain_points(made.loss, made.known))]
    tried.append(samples(made.loss, made.known, FLOAT32, EVERYDAY))
    for point in tried:
        for node in made.loss.prediction.nodes:
            whole = (point.values if isinstance(point, Point) else point.inputs)[node].astype(float)
            is_number = last_of(node.axes) is None
            of_kind(made.loss.prediction.part(node).domain, whole[..., None] if is_number else whole)


def of_kind(kind, array):
    if kind == "unit":
        np.testing.assert_allclose(np.sum(array**2, axis=-1), 1, atol=1e-4)
    if kind in ("simplex", "onehot"):
        np.testing.assert_allclose(np.sum(array, axis=-1), 1, atol=1e-5)
    if kind in ("simplex", "prob"):
        assert np.all((array >= 0) & (array <= 1))
    if kind in ("binary", "onehot"):
        assert np.all((array == 0) | (array == 1))
    if kind == "sign":
        assert np.all(np.abs(array) == 1)
    if kind in ("positive", "nonneg", "count"):
        assert np.all(array > 0 if kind == "positive" else array >= 0)
    if kind == "count":
        assert np.all(array == np.round(array))
    if kind == "logprob":
        assert np.all(array <= 0)


def test_a_kind_of_a_part_is_what_proofs_rest_on():
    """A logarithm of a scale has a value everywhere, and is smooth; of a part without a kind it is neither."""
    formula = "\nlog(s) + ((t - m)/s)^2"
    said, silent = (known(f"loss f(t, {inputs}){formula}") for inputs in ("(m, s: positive)", "(m, s)"))
    for name in ("continuous", "smooth"):
        assert said.decide(name).how == "proved"
        assert silent.decide(name).how != "proved"
    assert said.defined.how == "proved"
    assert not said.escapes
    assert silent.escapes
    sliced = known("loss f(t: scalar, (s: 1 positive, m: 1, w: simplex))\nlog(s) + (t - m)^2/s - log(sum(w)/2 + 0.5)")
    assert sliced.defined.how == "proved"
    assert sliced.decide("continuous").how == "proved"


def known(text):
    return analyzer(pipeline.program(pipeline.parsed(Source(text))))


def test_kinds_of_parts_are_formatted_shown_and_documented():
    text = "loss f(t, (m,s:positive,w :prob))\nt+m+s+w\n"
    assert formatted(Source(text)).startswith("loss f(t, (m, s: positive, w: prob))\n")
    made = pipeline.program(pipeline.parsed(Source(text)))
    assert made.loss.prediction.told == "(m, s: positive, w: prob)"
    assert "m real, s positive, w prob" in made.emitted("numpy", {})


@pytest.mark.parametrize("inputs, bad, message", [
    ("(m, s: positive)", [[0.0, -1.0]], "`s` is positive, but lies outside"),
    ("(m: sign, s)", [[0.5, 3.0]], "`m` is sign, but has another value"),
    ("(g: 1, s: simplex)", [[7.0, 0.5, 0.25]], "`s` is simplex, but sums to something else than 1"),
    ("(m, s): simplex", [[0.5, 0.5, 1.0, 0.5]], "`s` is simplex, but sums to something else than 1"),
    ("(g: 1, m, s: simplex)", [[7.0, 0.5, 0.25, 0.5, 0.25]], "`s` is simplex, but sums to something else than 1"),
    ("(m, g: 1 sign, s)", [[7.0, 0.5, 0.25]], "`g` is sign, but has another value"),
])  # fmt: skip
def test_the_debug_mode_looks_at_each_part(inputs, bad, message):
    used = " + ".join(
        name if f"{name}: 1" in inputs else f"mean({name})" for name in "gms" if re.search(rf"\b{name}\b", inputs)
    )
    loss = lossdsl.compile(f"loss f(t: scalar, {inputs})\n{used} + t")
    with lossdsl.debug(), pytest.raises(lossdsl.LossTypeError, match=re.escape(message)):
        loss(np.zeros(1, "float32"), np.array(bad, "float32"))


# Where a number of all kinds is there, it stands where the mask is off; else each part has its own.
MASKED = [
    "(m, s: positive)", "(m: logprob, s: positive)", "(m: 1 logprob, s: prob)", "(m: logprob, s: 2 prob)",
    "(m: logprob, g: 2, s: prob)", "(m: 1 logprob, g: positive, h: positive, s: 1 prob)",
]  # fmt: skip


@pytest.mark.parametrize("inputs", MASKED)
def test_what_is_masked_is_harmless_to_each_part(inputs, rng):
    """The loss of what is not masked, and slopes that are numbers, though the masked values are none of their kinds."""
    tf = pytest.importorskip("tensorflow")
    log_of_m = "log(-m)" if "logprob" in inputs else "m"
    text = f"loss f(t: scalar, {inputs})\nt + mean({log_of_m}) + mean(log(s) + sqrt(s))"
    text = text.replace(f"mean({log_of_m})", log_of_m) if "m: 1" in inputs else text
    text = text.replace("mean(log(s) + sqrt(s))", "log(s) + sqrt(s)") if "s: 1" in inputs else text
    loss = lossdsl.compile(text)
    spec = pipeline.program(pipeline.parsed(Source(text))).loss.prediction
    x = rng.uniform(0.1, 0.9, (2, 3, 4)).astype("float32")
    for part, place in spec.pieces(4):
        if part.domain == "logprob":
            x[..., place] *= -1
    mask = np.array([[True, True, False], [False, True, True]])
    poisoned = np.where(mask[..., None], x, np.nan).astype("float32")
    with tf.GradientTape() as tape:
        given_ = tf.Variable(poisoned)
        tape.watch(given_)
        prediction = tf.identity(given_)
        prediction._keras_mask = tf.constant(mask)
        value = loss(np.zeros((2, 3), "float32"), prediction)
    each = loss.numpy(np.zeros((2, 3)), x.astype(float))
    np.testing.assert_allclose(value, np.sum(np.where(mask, each, 0)) / np.sum(mask), rtol=1e-5)
    assert np.all(np.isfinite(tape.gradient(value, given_)))
    module: dict = {"__name__": "emitted"}
    exec(compile(pipeline.program(pipeline.parsed(Source(text))).emitted("keras", {}), "emitted", "exec"), module)  # noqa: S102
    made = module["F"]()
    prediction = tf.constant(poisoned)
    prediction._keras_mask = tf.constant(mask)
    np.testing.assert_allclose(made(np.zeros((2, 3), "float32"), prediction), value, rtol=1e-5)

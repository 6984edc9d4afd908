"""The targets agree: every built-in, on numpy and on TensorFlow (eager, graph, XLA), in value and gradient.

The gradient is judged by TensorFlow's automatic differentiation of the plain formula, at the joins by the conventions
of the language, and where a piece is not selected by having to be finite.
"""

import ast
import dataclasses
import math
import re
import tracemalloc
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from shipped import THOROUGH

import lossdsl
from lossdsl import pipeline
from lossdsl.runtime import kernels
from lossdsl.runtime.execute import functions
from lossdsl.targets import code
from lossdsl.transform.guard import guarded
from lossdsl.transform.lower import lowered

Array = np.ndarray
MODES = ("eager", "graph", "xla")
ULP = float(np.finfo(np.float32).eps)  # one unit in the last place, relative, at its largest


class Case(NamedTuple):
    """A built-in under some parameters, and how its inputs are drawn."""

    name: str
    parameters: dict[str, Any]
    target: str = "real"
    prediction: str = "real"
    scale: Callable[[Array, Array], Array] | None = None  # sum of the sizes of the terms, where they cancel
    slopes: Callable[[Array, Array], Array] | None = None  # the same of the gradient


def cosine_scale(t: Array, x: Array) -> Array:
    return np.sum(np.abs(t * x), -1) / (np.linalg.norm(t, axis=-1) * np.linalg.norm(x, axis=-1))


def steep(t: Array, x: Array) -> Array:
    return (1 / x + 1 / (1 - x)) / x.shape[-1]


# Where terms cancel, no code can keep the last digits of a result near 0, and the yardstick is an ulp of the sum of the
# sizes of the terms: a logarithm against a linear term (poisson), logarithms of both signs (kl_divergence), a scalar
# product (cosine_similarity), the slopes of cross-entropies, which are p - t or (1 - t)/(1 - p) - t/p.
CASES = [
    Case("allowable", {}),
    Case("allowable", {"delta": 0.3}),
    Case("binary_crossentropy", {}, "binary", "prob"),
    Case("binary_crossentropy", {"label_smoothing": 0.1}, "binary", "prob",
         slopes=steep),
    Case("binary_crossentropy", {"from_logits": True}, "binary", "real"),
    Case("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.2}, "prob", "real",
         slopes=lambda t, x: 1 + 0 * x),
    Case("categorical_crossentropy", {}, "onehot", "simplex", slopes=lambda t, x: 1 / np.maximum(x, 1e-7)),
    Case("categorical_crossentropy", {"label_smoothing": 0.1}, "onehot", "simplex",
         slopes=lambda t, x: 1 / np.maximum(x, 1e-7)),
    Case("categorical_crossentropy", {"from_logits": True}, "onehot", "real",
         scale=lambda t, x: 2 * np.max(np.abs(x), -1), slopes=lambda t, x: 1 + 0 * x),
    Case("categorical_hinge", {}, "onehot", "real", scale=lambda t, x: 1 + 2 * np.max(np.abs(x), -1)),
    Case("cosine_similarity", {}, "real", "real", scale=cosine_scale,
         slopes=lambda t, x: 2 / np.linalg.norm(x, axis=-1, keepdims=True) + 0 * x),
    Case("hinge", {}, "sign", "real", scale=lambda t, x: np.mean(1 + np.abs(x), -1)),
    Case("hinge", {}, "binary", "real", scale=lambda t, x: np.mean(1 + np.abs(x), -1)),
    Case("huber", {}),
    Case("huber", {"delta": 0.3}),
    Case("kl_divergence", {}, "simplex", "simplex", scale=lambda t, x: np.sum(t * (1 + np.abs(np.log(t / x))), -1)),
    Case("log_cosh", {}),
    Case("mean_absolute_error", {}),
    Case("mean_absolute_percentage_error", {}),
    Case("mean_squared_error", {}),
    Case("mean_squared_logarithmic_error", {}, "nonneg", "nonneg",
         scale=lambda t, x: np.mean((np.abs(np.log1p(x)) + np.abs(np.log1p(t))) ** 2, -1),
         slopes=lambda t, x: 2 * (np.log1p(x) + np.log1p(t)) / (1 + x) / x.shape[-1]),
    Case("poisson", {}, "count", "positive", scale=lambda t, x: np.mean(x + t * np.abs(np.log(x)), -1),
         slopes=lambda t, x: (1 + t / x) / x.shape[-1]),
    Case("quantile", {}),
    Case("quantile", {"q": 0.9}),
    Case("binary_focal_crossentropy", {}, "binary", "prob", slopes=steep),
    Case("binary_focal_crossentropy", {"apply_class_balancing": True, "gamma": 1.5}, "binary", "prob", slopes=steep),
    Case("binary_focal_crossentropy", {"from_logits": True}, "binary", "real", slopes=lambda t, x: 1 + 0 * x),
    Case("categorical_focal_crossentropy", {}, "onehot", "simplex", slopes=lambda t, x: 1 / np.maximum(x, 1e-7)),
    Case("categorical_focal_crossentropy", {"from_logits": True, "alpha": [0.1, 0.2, 0.3, 0.4, 0.5]}, "onehot", "real",
         scale=lambda t, x: 2 * np.max(np.abs(x), -1), slopes=lambda t, x: 1 + np.abs(x)),
    Case("categorical_generalized_cross_entropy", {"q": 0.7}, "label", "simplex",
         scale=lambda t, x: 1 / 0.7 + 0 * x[:, 0]),
    Case("sparse_categorical_crossentropy", {}, "label", "simplex", slopes=lambda t, x: 1 / np.maximum(x, 1e-7)),
    Case("sparse_categorical_crossentropy", {"from_logits": True, "ignore_class": 2}, "label", "real",
         scale=lambda t, x: 2 * np.max(np.abs(x), -1), slopes=lambda t, x: 1 + 0 * x),
    Case("tversky", {"alpha": 0.3, "beta": 0.7}, "binary", "prob", slopes=lambda t, x: 1 + 0 * x),
    Case("dice", {}, "binary", "prob", slopes=lambda t, x: 1 + 0 * x),
    # similarities are sums, and gamma multiplies what is lost in them
    Case("circle", {}, "label", "sphere", scale=lambda t, x: 80 + 0 * x[:, 0],
         slopes=lambda t, x: 80.0 * len(x) + 0 * x),
    Case("squared_hinge", {}, "sign", "real", scale=lambda t, x: np.mean((1 + np.abs(x)) ** 2, -1),
         slopes=lambda t, x: 2 * (1 + np.abs(x)) / x.shape[-1]),
]  # fmt: skip

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.parameters}")


def test_every_builtin_is_among_the_cases() -> None:
    assert {case.name for case in CASES} | {"circle_references"} == set(THOROUGH)


def test_circle_with_the_batch_as_references_is_circle(rng: np.random.Generator) -> None:
    t, x = inputs(Case("circle", {}, "label", "sphere"), rng, np.float64)
    value, slope = lossdsl.load("circle").numpy.value_and_grad(t, x)
    twin = lossdsl.load("circle_references").numpy
    np.testing.assert_allclose(twin(t, x, t, x), value, rtol=1e-12)
    both = twin.grad(t, x, t, x) + twin.grad(t, x, t, x, wrt="r")
    np.testing.assert_allclose(both, slope, rtol=1e-9, atol=1e-9)
    loss = keras_loss("circle_references", {}, "float64")
    found, gradient = on_tensorflow(lambda t, x: loss.call((t, t, x), x), "graph")(t, x)
    np.testing.assert_allclose(found, value, rtol=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9)


def drawn(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    match kind:
        case "real":
            return rng.normal(scale=2.0, size=shape)
        case "prob":
            return rng.uniform(0.02, 0.98, shape)
        case "binary":
            return rng.integers(0, 2, shape).astype(float)
        case "sign":
            return rng.choice([-1.0, 1.0], shape)
        case "nonneg" | "positive":
            return np.exp(rng.normal(size=shape))
        case "count":
            return rng.poisson(2.0, shape).astype(float)
        case "label":
            return rng.integers(0, shape[1], shape[0])
        case "sphere":
            points = rng.normal(size=shape)
            return points / np.linalg.norm(points, axis=-1, keepdims=True)
        case "onehot":
            return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
        case "simplex":
            weights = np.exp(rng.normal(size=shape))
            return weights / weights.sum(-1, keepdims=True)
    raise AssertionError(kind)


def inputs(case: Case, rng: np.random.Generator, dtype: Any = np.float32) -> tuple[Array, Array]:
    shape = (64, 5)
    t, x = drawn(case.target, rng, shape), drawn(case.prediction, rng, shape)
    return t.astype(np.int32 if case.target == "label" else dtype), x.astype(dtype)


# --- what is compared ---------------------------------------------------------------------------------------------


@cache
def compiled(source: str, settings: tuple[tuple[str, Any], ...], dtype: str) -> Any:
    return lossdsl.compile(source, dtype=dtype, **dict(settings))


def keras_loss(source: str, parameters: dict[str, Any], dtype: str = "float32") -> Any:
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
    return compiled(source, tuple(settings.items()), dtype)


def on_tensorflow(function: Callable[[Any, Any], Any], mode: str) -> Callable[[Any, Any], tuple[Array, Array]]:
    """Value, and gradient of the sum in the second argument, the way a mode runs."""
    import tensorflow as tf

    def both(t: Any, x: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(t, x)
        return value, tape.gradient(value, x, unconnected_gradients="zero")

    run = both if mode == "eager" else tf.function(both, jit_compile=mode == "xla", autograph=False)

    def call(t: Array, x: Array) -> tuple[Array, Array]:
        value, slope = run(tf.constant(t), tf.constant(x))
        return value.numpy(), slope.numpy()

    return call


def plain_formula(loss: Any) -> Callable[[Any, Any], Any]:
    """The formula as it was written, in TensorFlow, without stable forms and without our gradient."""
    program: pipeline.Program = loss.spec.program
    (value,) = guarded(lowered((program.loss.result,)), program.known)
    module = code.module([code.value_function(program.loss, value, "tensorflow")], "tensorflow")
    function = functions(module, "plain")["value"]
    settings = loss.spec.arguments(5)
    return lambda t, x: function(*([] if program.loss.target is None else [t]), x, *settings)


def second(function: Callable[[Any, Any], Any], t: Array, x: Array) -> Array:
    """The derivative of the sum of the gradient, by a tape on a tape."""
    import tensorflow as tf

    t, x = tf.constant(t), tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = function(t, x)
        slope = inner.gradient(value, x)
    return outer.gradient(slope, x, unconnected_gradients="zero").numpy()


def within_ulps(found: Array, wanted: Array, scale: Array, count: float) -> None:
    assert found.shape == wanted.shape
    distance = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    ulps = distance / (ULP * np.maximum(np.abs(scale), np.abs(wanted)) + 1e-45)
    assert np.max(ulps) <= count, f"{np.max(ulps):.1f} ulp at {np.unravel_index(np.argmax(ulps), ulps.shape)}"


# --- the built-ins ------------------------------------------------------------------------------------------------


@every_case
def test_numpy_and_tensorflow_agree_to_four_ulp(case: Case, rng: np.random.Generator) -> None:
    t, x = inputs(case, rng)
    wide = t if case.target == "label" else t.astype(np.float64), x.astype(np.float64)
    twin = lossdsl.load(case.name, **case.parameters).numpy
    value, slope = twin.value_and_grad(t, x)
    assert value.dtype == slope.dtype == np.float32
    value_scale = case.scale(*wide) if case.scale else value
    slope_scale = case.slopes(*wide) if case.slopes else slope
    loss = keras_loss(case.name, case.parameters)
    for mode in MODES:
        found, gradient = on_tensorflow(loss.call, mode)(t, x)
        within_ulps(found, value, value_scale, 4)
        within_ulps(gradient, slope, slope_scale, 4)


@every_case
def test_both_are_near_the_same_code_in_float64(case: Case, rng: np.random.Generator) -> None:
    """Agreement alone could be two equal mistakes: 8 ulp to the result in twice the precision."""
    t, x = inputs(case, rng)
    wide = t if case.target == "label" else t.astype(np.float64), x.astype(np.float64)
    twin = lossdsl.load(case.name, **case.parameters).numpy
    value, slope = twin.value_and_grad(t, x)
    true_value, true_slope = twin.value_and_grad(*wide)
    assert true_value.dtype == np.float64
    within_ulps(value, true_value, case.scale(*wide) if case.scale else true_value, 8)
    within_ulps(slope, true_slope, case.slopes(*wide) if case.slopes else true_slope, 8)


@every_case
def test_the_gradient_is_the_derivative_of_the_plain_formula(case: Case, rng: np.random.Generator) -> None:
    """In float64, where the textbook forms still have ten digits at these points; no point lies on a join."""
    t, x = inputs(case, rng, np.float64)
    loss = keras_loss(case.name, case.parameters, "float64")
    value, slope = on_tensorflow(loss.call, "eager")(t, x)
    plain = plain_formula(loss)
    plain_value, plain_slope = on_tensorflow(plain, "eager")(t, x)
    np.testing.assert_allclose(value, plain_value, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(slope, plain_slope, rtol=1e-10, atol=1e-12)
    bend, plain_bend = second(loss.call, t, x), second(plain, t, x)
    np.testing.assert_allclose(bend, plain_bend, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.target != "label"], ids=lambda case: f"{case.name}-{case.parameters}"
)
def test_the_gradient_in_the_target_is_right_as_well(case: Case, rng: np.random.Generator) -> None:
    t, x = inputs(case, rng, np.float64)
    loss = keras_loss(case.name, case.parameters, "float64")
    plain = plain_formula(loss)
    _, wanted = on_tensorflow(lambda x, t: plain(t, x), "eager")(x, t)
    _, found = on_tensorflow(lambda x, t: loss.call(t, x), "eager")(x, t)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(loss.numpy.grad(t, x, wrt="t"), wanted, rtol=1e-10, atol=1e-12)


# --- on the joins -------------------------------------------------------------------------------------------------

EPS = 1e-7

# (built-in, parameters, t, x, the gradient that the author's comparison selects). All numbers but epsilon are exact.
JOINS = [
    ("mean_absolute_error", {}, [2.0, 1.0], [2.0, 3.0], [0.0, 0.5]),
    ("mean_absolute_percentage_error", {}, [2.0, 0.0], [2.0, 0.0], [0.0, 0.0]),
    ("mean_squared_error", {}, [2.0], [2.0], [0.0]),
    ("huber", {"delta": 0.5}, [1.0, 1.0, 1.0], [1.5, 0.5, 1.0], [0.5 / 3, -0.5 / 3, 0.0]),
    ("allowable", {"delta": 0.5}, [1.0, 1.0], [1.5, 0.5], [0.5, -0.5]),  # < leaves the edge to the square
    ("allowable", {"delta": 0.5}, [1.0, 1.0], [1.25, 1.0], [0.0, 0.0]),
    ("quantile", {"q": 0.75}, [2.0], [2.0], [-0.75]),  # a tie of max goes to q*e
    ("log_cosh", {}, [1.0], [1.0], [0.0]),
    ("hinge", {}, [1.0, -1.0], [1.0, -1.0], [-0.5, 0.5]),  # a tie goes to 1 - y*x
    ("squared_hinge", {}, [1.0, -1.0], [1.0, -1.0], [0.0, 0.0]),
    ("categorical_hinge", {}, [1.0, 0.0, 0.0], [2.0, 1.0, 1.0], [-1.0, 1.0, 0.0]),  # two ties: the line, the first
    ("mean_squared_logarithmic_error", {}, [0.0], [0.0], [0.0]),
    ("mean_squared_logarithmic_error", {}, [1.0], [EPS], [-2 * math.log(2)]),  # on the floor the slope is that of x
    ("mean_squared_logarithmic_error", {}, [1.0], [0.0], [0.0]),
    ("kl_divergence", {}, [0.5, 0.5], [1.0, 0.0], [-0.5, 0.0]),  # 1 is inside the clip, 0 is not
    ("binary_crossentropy", {}, [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]),  # both beyond the clip
    ("binary_crossentropy", {"from_logits": True}, [1.0, 0.0], [0.0, 0.0], [-0.25, 0.25]),
    ("categorical_crossentropy", {"from_logits": True}, [1.0, 0.0], [0.0, 0.0], [-0.5, 0.5]),
    ("poisson", {}, [0.0], [0.0], [1.0]),
    ("cosine_similarity", {}, [3.0, 4.0], [0.0, 0.0], [-0.6 / EPS, -0.8 / EPS]),  # below the floor it is linear
]


@pytest.mark.parametrize("name, parameters, t, x, wanted", JOINS)
@pytest.mark.parametrize("where", ["numpy", *MODES])
def test_on_a_join_the_slope_is_that_of_the_selected_piece(
    name: str, parameters: dict[str, Any], t: list[float], x: list[float], wanted: list[float], where: str
) -> None:
    rows = np.array([t], np.float32), np.array([x], np.float32)
    if where == "numpy":
        _, slope = lossdsl.load(name, **parameters).numpy.value_and_grad(*rows)
    else:
        _, slope = on_tensorflow(keras_loss(name, parameters).call, where)(*rows)
    np.testing.assert_allclose(slope[0], np.float32(wanted), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name, parameters, t, x, wanted", JOINS)
def test_second_derivatives_are_finite_on_the_joins(
    name: str, parameters: dict[str, Any], t: list[float], x: list[float], wanted: list[float]
) -> None:
    loss = keras_loss(name, parameters)
    assert np.all(np.isfinite(second(loss.call, np.array([t], np.float32), np.array([x], np.float32))))


KINKS = [  # the conventions of the language, one by one: formula in x, point, slope
    ("abs(x)", 0.0, 0.0),
    ("where(x >= 0, x, 0)", 0.0, 1.0),
    ("where(x > 0, x, 0)", 0.0, 0.0),
    ("where(0 <= x, x, 0)", 0.0, 1.0),
    ("max(x, 0)", 0.0, 1.0),
    ("max(0, x)", 0.0, 0.0),
    ("min(x, 0)", 0.0, 1.0),
    ("min(0, x)", 0.0, 0.0),
    ("max(2*x, x)", 0.0, 2.0),
    ("max(x, 2*x, 3*x)", 0.0, 1.0),
    ("relu(x)", 0.0, 0.0),
    ("clip(x, 0, 1)", 0.0, 1.0),
    ("clip(x, 0, 1)", 1.0, 1.0),
    ("clip(x, 0, 1)", 1.5, 0.0),
    ("cases(x < 0: -x, x < 1: 2*x, else: 3*x)", 0.0, 2.0),
    ("cases(x < 0: -x, x < 1: 2*x, else: 3*x)", 1.0, 3.0),
    ("sign(x)", 0.0, 0.0),
    ("floor(x)", 1.0, 0.0),
    ("norm(x)", 0.0, 0.0),
    ("-1 < x <= 1", 1.0, 0.0),
    ("where(-1 < x <= 1, x, 5*x)", 1.0, 1.0),
    ("where(-1 < x <= 1, x, 5*x)", -1.0, 5.0),
]


@pytest.mark.parametrize("formula, point, slope", KINKS)
@pytest.mark.parametrize("where", ["numpy", "eager", "xla"])
def test_at_a_kink_the_convention_holds(formula: str, point: float, slope: float, where: str) -> None:
    source = f"loss f(x)\n{formula}"
    x = np.array([[point]], np.float32)
    if where == "numpy":
        found = lossdsl.load(source).numpy.grad(x)
    else:
        loss = keras_loss(source, {})
        _, found = on_tensorflow(lambda t, x: loss.call(None, x), where)(x, x)
    assert found.item() == slope


SPREAD = [  # an aggregate that meets elements again counts once for each; the gradient of 2 samples of 3 elements
    ("sum(x) + x", 1 + 1 / 3),
    ("sum(x) - sum(x)/len(x)", 1 - 1 / 3),
    ("where(x > 0, sum(x), 3*sum(x)) + x - x", 1.0),
    ("max(sum(x), -sum(x)) + t", 1.0),
    ("sum[batch](x) + x", 2 / 3 + 1 / 3),
    ("sum[all](x) + x", 2 + 1 / 3),
    ("mean[all](x)*3", 3 / 6),
]


@pytest.mark.parametrize("formula, slope", SPREAD)
def test_what_is_spread_back_counts_at_each_place(formula: str, slope: float) -> None:
    source = f"loss f(t, x)\n{formula}"
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_allclose(lossdsl.load(source).numpy.grad(x, x), np.full_like(x, slope), rtol=1e-14)
    loss = keras_loss(source, {}, "float64")
    count = 2 if "mean[all]" in formula else 1  # one number for the batch stands there for each sample
    np.testing.assert_allclose(on_tensorflow(loss.call, "graph")(x, x)[1], np.full_like(x, count * slope), rtol=1e-14)


NARROW = [  # a piece of fewer axes than the choice by a parameter: by hand, of [[1, 2, 3], [4, 5, 6]], b = 1 and -1
    ("sum(where(b > 0, 1, x))", [3, 3], [6, 15]),
    ("where(b > 0, 2, max(x))", [2, 2], [3, 6]),
    ("sum[batch](where(b > 0, 2, x))", 4, 7),
    ("sum[batch](sum(where(b > 0, mean(x), x[0])))", 21, 15),
    ("mean[all](where(b > 0, x, 1))", 3.5, 1),
]


@pytest.mark.parametrize("formula, chosen, other", NARROW)
@pytest.mark.parametrize("target", ["numpy", "tensorflow"])
def test_a_piece_of_fewer_axes_is_spread(formula: str, chosen: Any, other: Any, target: str) -> None:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for b, wanted in ((1.0, chosen), (-1.0, other)):
        source = f"loss f(t, x; b = 1.0)\n{formula}"
        if target == "numpy":
            found = lossdsl.load(source, b=b).numpy(x, x)
        else:
            found, _ = on_tensorflow(keras_loss(source, {"b": b}, "float64").call, "graph")(x, x)
        np.testing.assert_allclose(found, np.broadcast_to(wanted, np.shape(found)), rtol=1e-15)


@pytest.mark.parametrize("where", ["batch", "all"])
def test_the_mean_over_an_empty_batch_is_nothing(where: str) -> None:
    nothing = np.zeros((0, 3))
    spec = lossdsl.load(f"loss f(t, x)\nmean[{where}](t - x)")
    assert spec.numpy(nothing, nothing) == 0.0
    assert spec.numpy.grad(nothing, nothing).shape == (0, 3)


# --- pairs of samples, in blocks ----------------------------------------------------------------------------------


def pairs(u: Any, v: Any) -> Any:
    return u[:, None] - v[None]


PAIRS: list[tuple[str, tuple[int, ...], Callable[[Any, Any, Any], Any]]] = [  # with more than 2^22 elements on the way
    ("mean[j in batch if j != self](norm(x - x[j]))", (190, 128), lambda tf, t, x: tf.reduce_sum(tf.sqrt(
        tf.reduce_sum(pairs(x, x)**2, -1) + tf.eye(len(x), dtype=x.dtype)) - tf.eye(len(x), dtype=x.dtype), 1) / 189),
    ("max[j in batch](mean(abs(x - t[j])))", (190, 128), lambda tf, t, x: tf.reduce_max(
        tf.reduce_mean(abs(pairs(x, t)), -1), 1)),
    ("mean[j in batch, last](tanh(x - t[j]))", (191, 127), lambda tf, t, x: tf.reduce_mean(
        tf.tanh(pairs(x, t)), (1, 2))),
    ("sum[i in batch, j in batch](exp(-mean((x[i] - t[j])^2)))", (190, 128), lambda tf, t, x: tf.reduce_sum(
        tf.exp(-tf.reduce_mean(pairs(x, t)**2, -1)))),
    ("mean[k in space](norm(x - t[k]))", (4, 92, 128), lambda tf, t, x: tf.reduce_mean(
        tf.norm(x[:, :, None] - t[:, None], axis=-1), 2)),
    ("mean[j in batch](logsumexp(x - t[j]))", (190, 128), lambda tf, t, x: tf.reduce_mean(
        tf.reduce_logsumexp(pairs(x, t), -1), 1)),
    ("mean(logsumexp[j in batch](x - t[j]))", (190, 128), lambda tf, t, x: tf.reduce_mean(
        tf.reduce_logsumexp(pairs(x, t), 1), -1)),
]


@pytest.mark.parametrize("formula, shape, plainly", PAIRS, ids=[row[0] for row in PAIRS])
def test_pairs_in_blocks(
    formula: str, shape: tuple[int, ...], plainly: Callable[[Any, Any, Any], Any], rng: np.random.Generator
) -> None:
    """Against TensorFlow's value and gradient of the formula written out, which builds batch x batch x last."""
    import tensorflow as tf

    t, x = rng.normal(size=shape), rng.normal(size=shape)
    with tf.GradientTape() as tape:
        leaf = tf.constant(x)
        tape.watch(leaf)
        wanted = plainly(tf, tf.constant(t), leaf)
    slope = tape.gradient(wanted, leaf).numpy()
    source = f"loss f(t, x)\n{formula}"
    spec = lossdsl.load(source)
    for found, right in zip(spec.numpy.value_and_grad(t, x), (wanted.numpy(), slope), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-11, atol=1e-12 * np.abs(right).max())
    loss = keras_loss(source, {}, "float64")
    count = len(x) if wanted.ndim == 0 else 1  # one number for the batch stands there for each sample
    unknown = [tf.TensorSpec([None, *shape[1:]], tf.float64)] * 2
    for options in ({}, {"input_signature": unknown}, {"jit_compile": True}):

        @tf.function(**options)
        def both(t: Any, x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss.call(t, x)
            return value, tape.gradient(value, x)

        for found, right in zip(both(t, x), (wanted.numpy(), count * slope), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-11, atol=1e-12 * np.abs(right).max())


def test_pairs_are_never_there_all_at_once(rng: np.random.Generator) -> None:
    """What numpy allocates for 512 x 512 pairs of 64 numbers, which are 128 MiB in float64."""
    x = rng.normal(size=(512, 64))
    twin = lossdsl.load("loss f(x)\nmean[j in batch](norm(x - x[j]))").numpy
    twin.grad(x[:2])
    tracemalloc.start()
    try:
        twin.value_and_grad(x)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", ["numpy", "tensorflow", "torch"])
def test_what_a_spelling_names_twice_is_worked_out_once(target: str) -> None:
    program = lossdsl.load("softplus(t*x) + (t - x)^3 + mod(t + 2*x, 3)").program
    text = program.show(target).partition("def gradient")[0]
    assert text.count("t * x") == text.count("t - x") == text.count("2.0 * x") == 1


@pytest.mark.parametrize("target, both", [
    ("tensorflow", ("tf.math.reduce_max(x, axis=-1)", "tf.math.exp(x - tf.expand_dims(")),
    ("jax", ("jnp.max(x, axis=-1)", "jnp.exp(x - ")),
])  # fmt: skip
def test_value_and_slope_spell_reductions_alike(target: str, both: tuple[str, str]) -> None:
    """Each is found in the other then by the graph, and worked out once for both."""
    spec = lossdsl.load("sparse_categorical_crossentropy", from_logits=True)
    value, _, slope = re.split("def gradient_x|def pullback_x", spec.program.show(target))
    for shared in both:
        assert value.count(shared) == slope.count(shared) == 1


@pytest.mark.parametrize("body, arrays", [
    ("(t - x)^2", 0),  # the square is needed by the sum alone, t - x by the slope too
    ("max(1 - t*x, 0)", 1),  # 1 - t*x and 0 are needed by the slope
    ("abs(t - x)/max(abs(t), 0.1)", 1),  # and so are the difference and the divisor
    ("abs((t - x)/max(abs(t), 0.1))", 0),  # the quotient alone
    ("exp(t - x)*log(1 + exp(x))", 0),  # two exponentials would be kept beside the array that is summed
])  # fmt: skip
def test_a_sum_of_what_the_slope_has_in_several_arrays_is_given_one_on_jax(body: str, arrays: int) -> None:
    assert ast.unparse(lossdsl.load(body).program.kernel("jax")).count("_array(") == arrays + (arrays > 0)
    assert "_array" not in ast.unparse(lossdsl.load(body).program.kernel("tensorflow"))


def test_the_slope_of_a_clipped_quotients_logarithm_has_no_quotient_in_it() -> None:
    """log(x[t]/sum(x)) has the slopes 1/x[t] and -1/sum(x); and a class that there is is not looked for."""
    (slope,) = lossdsl.load("sparse_categorical_crossentropy").program.gradients.values()
    assert str(slope[0]).endswith(", 1/x[t], 0)>")
    text = lossdsl.load("sparse_categorical_crossentropy").program.show("tensorflow").partition("def pullback_x")[2]
    assert text.count(" / ") == 3  # in the condition, and the two slopes
    assert "reduce_any" not in text


@pytest.mark.parametrize("count", [12, 300])  # below and above 2^16 pairs, from which on an einsum turns the matrix
def test_products_of_matrices(count: int, rng: np.random.Generator) -> None:
    t, x = rng.integers(0, 4, count), rng.normal(size=(count, 5))
    _, slope = on_tensorflow(keras_loss("circle", {}, "float64").call, "graph")(t, x)
    wanted = lossdsl.load("circle").numpy.grad(t, x)
    np.testing.assert_allclose(slope, wanted, rtol=1e-9, atol=1e-11 * np.abs(wanted).max())


@pytest.mark.parametrize("body, slope", [("x[t + 1]", [0, 0, 1]), ("x[t - 5]", [1, 0, 0]), ("x[1 - t]", [1, 0, 0])])
def test_an_index_worked_out_beyond_its_axis_is_held_inside_for_the_slope_too(body: str, slope: list[int]) -> None:
    spec = lossdsl.load(f"loss f(t: label, x)\n{body}")
    t, x = np.array([2]), np.array([[0.5, 1.5, 4.0]])
    np.testing.assert_array_equal(spec.numpy(t, x), [x[0] @ slope])
    np.testing.assert_array_equal(spec.numpy.grad(t, x), [slope])
    loss = keras_loss(f"loss f(t: label, x)\n{body}", {}, "float64")
    np.testing.assert_array_equal(on_tensorflow(loss.call, "graph")(t, x)[1], [slope])


# --- which gradients are worked out -------------------------------------------------------------------------------


def test_a_gradient_is_worked_out_where_it_is_asked_for_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    called = []
    made = kernels.Code.of(lossdsl.load("huber"), "tensorflow")

    def noting(place: int) -> Any:
        return lambda *given: called.append(place) or made.pullbacks[place](*given)

    noted = dataclasses.replace(made, pullbacks=(noting(0), noting(1)))
    monkeypatch.setattr(kernels.Code, "of", lambda *given: noted)
    call = kernels._tensorflow(lossdsl.load("huber"))
    t, x = tf.constant([[1.0, 2.0]]), tf.constant([[1.5, 5.0]])
    for watched in ([], [x], [t], [t, x]):
        called.clear()
        with tf.GradientTape() as tape:
            tape.watch(watched)
            value = call([t, x], [])
        slopes = tape.gradient(value, watched)
        # that of the prediction alone is made with the value
        places = [place for place, one in enumerate((t, x)) if any(one is other for other in watched)]
        assert called == ([] if places == [1] else places)
        wanted = [[-0.25, -0.5] if one is t else [0.25, 0.5] for one in watched]
        np.testing.assert_allclose([slope[0] for slope in slopes], wanted)
    with tf.autodiff.ForwardAccumulator(t, tf.ones_like(t)) as forward:
        value = call([t, x], [])
    np.testing.assert_allclose(forward.jvp(value), [-0.75])


@pytest.mark.parametrize("body", [
    "huber(t, x)", "sum((t - x)^2)*exp(-mean(x))", "mean[space](abs(t - x))", "mean[all](x*t)", "cumsum[last](t - x)^2",
])  # fmt: skip
def test_a_gradient_made_with_the_value_is_the_one_made_afterwards(body: str, rng: np.random.Generator) -> None:
    """Under factors of what comes after, from a tape that is asked twice, and for derivatives of it."""
    import tensorflow as tf

    from lossdsl.runtime.tensorflow_calls import in_one

    spec = lossdsl.load(f"loss f(t, x)\n{body}")
    code = kernels.Code.of(spec, "tensorflow")
    t, x = (tf.constant(rng.uniform(size=(4, 5, 3))) for _ in range(2))
    weight = tf.constant(rng.uniform(0.5, 2, code.value(t, x).shape))

    call = kernels._tensorflow(spec)
    found = []
    for watched in ([x], [t, x]):  # of both it is made apart
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(watched)
            with tf.GradientTape() as inner:
                inner.watch(watched)
                assert (in_one(code, [t, x], [len(watched) > 1, True]) is None) == (len(watched) > 1)
                value = tf.reduce_sum(weight * call([t, x], []))
            slope = inner.gradient(value, x)
            bend = tf.reduce_sum(slope**2)
        again, bent = outer.gradient(value, x), outer.gradient(bend, x, unconnected_gradients="zero")
        found.append([value, slope, again, outer.gradient(value, x), bent])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_allclose(again, slope, rtol=1e-12)
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as forward:
        value = call([t, x], [])
    np.testing.assert_allclose(tf.reduce_sum(weight * forward.jvp(value)), tf.reduce_sum(slope), rtol=1e-10)


def test_two_sigmoids_of_one_exponential_bend_as_they_should_at_0() -> None:
    """The slope of cross-entropy from logits is sigmoid(x) - t; its own slope, sigmoid(x)*sigmoid(-x), is 1/4 at 0."""
    import tensorflow as tf

    call = kernels.kernel(lossdsl.load("binary_crossentropy", from_logits=True), "tensorflow")
    t, x = tf.constant([[1.0], [0.0], [0.25]], tf.float64), tf.constant([[0.0], [0.0], [-800.0]], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = call([t, x], [])
        slope = inner.gradient(value, x)
    np.testing.assert_allclose(slope[:, 0], [-0.5, 0.5, -0.25], rtol=1e-15)
    np.testing.assert_allclose(outer.gradient(slope, x)[:, 0], [0.25, 0.25, 0.0], rtol=1e-15)


# --- pieces that are not selected ---------------------------------------------------------------------------------

INF = math.inf
LN2 = math.log(2)

# (formula, point, value, slope). Where two pieces join, the slope is that of the piece that the condition selects.
TRAPS = [
    ("where(x > 0, x*log(x), 0)", 0.0, 0.0, 0.0),
    ("where(x > 0, x*log(x), 0)", -1.0, 0.0, 0.0),
    ("where(abs(x) < 1, sqrt(1 - x^2), 0)", 1.0, 0.0, 0.0),
    ("where(abs(x) < 1, sqrt(1 - x^2), 0)", 2.0, 0.0, 0.0),
    ("where(x < 20, log(1 + exp(x)), x)", 100.0, 100.0, 1.0),
    ("where(x < 20, log(1 + exp(x)), x)", 1000.0, 1000.0, 1.0),
    ("where(abs(x) < 20, log(cosh(x)), abs(x) - log(2))", 100.0, 100 - LN2, 1.0),
    ("where(abs(x) < 20, log(cosh(x)), abs(x) - log(2))", -100.0, 100 - LN2, -1.0),
    ("where(abs(x) < 20, log(cosh(x)), abs(x) - log(2))", 1000.0, 1000 - LN2, 1.0),
    ("where(abs(x) < 10, 10*log(1 + abs(x)/2), abs(x) - 3)", 0.0, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, log(abs(x)))", 0.0, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, sqrt(abs(x) - 1))", 0.0, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, sqrt(abs(x) - 1))", 0.5, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, sqrt(abs(x) - 1))", 1.0, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, (abs(x) - 1)^1.5)", 0.0, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, (abs(x) - 1)^1.5)", 0.5, 0.0, 0.0),
    ("where(abs(x) <= 1, 0, (abs(x) - 1)^1.5)", 1.0, 0.0, 0.0),
    ("max(abs(x) - 1, 0)^0.5", 0.0, 0.0, 0.0),
    ("max(abs(x) - 1, 0)^0.5", 0.5, 0.0, 0.0),
    ("relu(abs(x) - 1)^0.5", 0.5, 0.0, 0.0),
    ("where(x != 0, sqrt(x^2), 0)", 0.0, 0.0, 0.0),
    ("where(x > 0, 1/x, 0)", 0.0, 0.0, 0.0),
    ("where(x > 0, 1/x, 0)", -2.0, 0.0, 0.0),
    ("where(x > 0, x^0.5, 0)", 0.0, 0.0, 0.0),
    ("where(x > 0, x^0.5, 0)", -1.0, 0.0, 0.0),
    ("where(x < 0, exp(x), x + 1)", 100.0, 101.0, 1.0),
    ("where(x < 0, exp(x), x + 1)", 1000.0, 1001.0, 1.0),
    ("where(abs(x) < 1, exp(-1/(1 - x^2)), 0)", 1.0, 0.0, 0.0),
    ("where(abs(x) < 1, exp(-1/(1 - x^2)), 0)", 1.0001, 0.0, 0.0),
    ("where(abs(x) < 1, 1 - (1 - x^2)^3, 1)", 1e20, 1.0, 0.0),
    ("where(abs(x) <= 1, x^2/2, abs(x) - 0.5)", 3e38, 3e38, 1.0),
    ("where(abs(x) < 1000, x^4*exp(-x^2), 0)", 1e11, 0.0, 0.0),
    ("log(sigmoid(x))", -200.0, -200.0, 1.0),
    ("log(sigmoid(x))", -50.0, -50.0, 1.0),
    # an aggregate between the choice and what overflows
    ("where(sum(exp(x)) < 10, log(sum(exp(x))), 5)", 1000.0, 5.0, 0.0),
    ("where(sum(x^2) < 10, exp(sum(x^2)), 5)", 1e18, 5.0, 0.0),
    # entropies with 0*log(0) = 0: x*log(x) has no value at 0, xlogy has, and the slope there is truly infinite
    ("-xlogy(x, x) - xlogy(1 - x, 1 - x)", 0.0, 0.0, INF),
    ("-xlogy(x, x) - xlogy(1 - x, 1 - x)", 1.0, 0.0, -INF),
    ("xlogy(0, x)", 0.0, 0.0, 0.0),
    # A root of something that has a minimum of 0 by its form has a point or cusp there, as abs has; the slope is 0, as
    # that of abs is. (The chain rule would give infinity times 0, and end a training that fits one sample exactly.)
    ("sqrt(x^2)", 0.0, 0.0, 0.0),
    ("sqrt(mean(x^2))", 0.0, 0.0, 0.0),
    ("(x^2)^0.5", 0.0, 0.0, 0.0),
    ("abs(x)^0.6", 0.0, 0.0, 0.0),
    ("max(abs(x) - 1, 0)^0.5", 1.0, 0.0, 0.0),
    ("abs(x)^1.5", 0.0, 0.0, 0.0),
    ("log(1 + abs(x)^0.6)", 0.0, 0.0, 0.0),
    ("norm(x)^1.5", 0.0, 0.0, 0.0),
    # ... but the root of an input has an infinite slope at 0, and says so
    ("sqrt(x)", 0.0, 0.0, INF),
]

# No second derivative: x^4, (1 - x^2)^2 and exp(x) are themselves infinite where their piece is not selected, and the
# slope of the last is divided by the cusp itself.
NO_SECOND = {
    "where(abs(x) < 1, 1 - (1 - x^2)^3, 1)",
    "where(abs(x) < 1000, x^4*exp(-x^2), 0)",
    "where(sum(exp(x)) < 10, log(sum(exp(x))), 5)",
    "log(1 + abs(x)^0.6)",
}


@pytest.mark.parametrize("formula, point, value, slope", TRAPS)
def test_a_piece_that_is_not_selected_does_not_matter(formula: str, point: float, value: float, slope: float) -> None:
    source = f"loss f(x)\n{formula}"
    x = np.array([[point]], np.float32)
    loss = keras_loss(source, {})
    found = [lossdsl.load(source).numpy.value_and_grad(x)]
    found += [on_tensorflow(lambda t, x: loss.call(None, x), mode)(x, x) for mode in MODES]
    for one, gradient in found:
        np.testing.assert_allclose(one.item(), np.float32(value), rtol=1e-6)
        np.testing.assert_allclose(gradient.item(), slope, rtol=1e-6)
    if math.isfinite(slope) and formula not in NO_SECOND:
        assert np.isfinite(second(lambda t, x: loss.call(None, x), x, x)).all()


def test_a_parameter_as_exponent_keeps_the_slope_of_a_tie() -> None:
    """At exponent 1 a power is no root, and max gives its tie to the first argument as ever."""
    source = "loss f(x; p)\nmax(1 - x, 0)^p"
    for p, slope in ((1.0, -1.0), (2.0, 0.0), (0.5, 0.0)):
        assert lossdsl.load(source, p=p).numpy.grad(np.array([[1.0]])).item() == slope


@pytest.mark.parametrize("power, slope", [(0.0, -1.0), (0.5, 0.0), (1.0, 0.0), (3.0, 0.0)])
def test_the_slope_of_a_power_of_what_underflows(power: float, slope: float) -> None:
    """d/dx of sigmoid(-x)^g*log_sigmoid(-x), whose limit at infinity is -1 for g = 0 and 0 for any other g."""
    source = "loss f(x; g)\nsigmoid(-x)^g*log_sigmoid(-x)"
    for dtype, far in ((np.float32, 95.0), (np.float32, 200.0), (np.float64, 900.0)):
        found = lossdsl.load(source, g=power).numpy.grad(np.array([[far]], dtype)).item()
        assert found == pytest.approx(slope, abs=1e-15)
    x, right = 0.5, 1 / (1 + math.exp(-0.5))
    by_hand = -right * (1 - right) ** power * (1 + power * math.log(1 - right))
    assert lossdsl.load(source, g=power).numpy.grad(np.array([[x]])).item() == pytest.approx(by_hand, rel=1e-14)


# --- what a target might do differently at its edges --------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", {case.name: case for case in CASES}.values(), ids=lambda case: case.name)
def test_an_empty_batch_has_no_values(case: Case, dtype: Any) -> None:
    empty = np.zeros((0, 3), dtype)
    target = np.zeros(0, np.int32) if case.target == "label" else empty
    assert lossdsl.load(case.name).numpy(target, empty).shape == (0,)
    value, slope = on_tensorflow(keras_loss(case.name, {}, np.dtype(dtype).name).call, "eager")(target, empty)
    assert value.shape == (0,)
    assert slope.shape == (0, 3)


@pytest.mark.parametrize("rank", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ["huber", "hinge", "cosine_similarity", "categorical_crossentropy"])
def test_every_rank_gives_the_values_of_its_rows(name: str, rank: int, rng: np.random.Generator) -> None:
    shape = (2, 2, 1, 3, 4)[5 - rank :]
    t, x = rng.uniform(0.1, 1, shape), rng.uniform(0.1, 1, shape)
    twin = lossdsl.load(name).numpy
    found, slope = twin.value_and_grad(t, x)
    rows, row_slopes = twin.value_and_grad(t.reshape(-1, 4), x.reshape(-1, 4))
    np.testing.assert_allclose(found, rows.reshape(shape[:-1]), rtol=1e-14)
    np.testing.assert_allclose(slope, row_slopes.reshape(shape), rtol=1e-14)
    if rank > 1:
        value, gradient = on_tensorflow(keras_loss(name, {}, "float64").call, "graph")(t, x)
        np.testing.assert_allclose(value, found, rtol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-12)

"""What XLA fuses on TensorFlow for large tensors is what one operation after another gives, in each mode.

In float64, where the two differ by their rounding alone. How large is large is set to one element here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import lossdsl
from lossdsl.runtime import kernels, tensorflow_fused

BODIES = {
    "arithmetic, worked out again": "huber(t, x)",
    "kept, but for a factor": "mean(log(cosh(t - x)))",
    "a row's own": "logsumexp(x) - sum(t*x)",
    "of the whole batch": "sum((x - mean[batch](x))^2)*exp(-mean(t))",
}


def second(values: Callable[..., Any], t: Any, x: Any, weight: Any) -> list[Any]:
    """Value, gradient under a factor of what comes after, the same again, and a derivative of it."""
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = values(t, x)
            total = tf.reduce_sum(weight * value)
        slope = inner.gradient(total, x)
        bend = tf.reduce_sum(slope**2)
    return [value, slope, outer.gradient(total, x), outer.gradient(bend, x, unconnected_gradients="zero")]


def first(values: Callable[..., Any], t: Any, x: Any, weight: Any) -> list[Any]:
    with tf.GradientTape() as tape:
        tape.watch([t, x])
        value = values(t, x)
        total = tf.reduce_sum(weight * value)
    return [value, *tape.gradient(total, [t, x], unconnected_gradients="zero")]


def alone(values: Callable[..., Any], t: Any, x: Any, weight: Any) -> list[Any]:
    """As a training step asks: for the gradient in the prediction, once."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = values(t, x)
        total = tf.reduce_sum(weight * value)
    return [value, tape.gradient(total, x)]


def by_names(values: Callable[..., Any], t: Any, x: Any, weight: Any) -> list[Any]:
    """A derivative of what was made for a training step, of which no tape tells."""
    (slope,) = tf.gradients(tf.reduce_sum(weight * values(t, x)), x)
    return [slope, *tf.gradients(tf.reduce_sum(slope**2), x, unconnected_gradients="zero")]


def _unknown(step: Callable[..., Any]) -> Callable[..., Any]:
    spec = tf.TensorSpec([None, None, 3], tf.float64)
    return tf.function(step, input_signature=[spec, spec, tf.TensorSpec(None, tf.float64)])


MODES = {
    "outside of graphs": (lambda step: step, [alone, first, second]),
    "in a graph": (tf.function, [second]),
    "of unknown length": (_unknown, [by_names]),
}


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tensorflow_fused, "LARGE", 1)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("body", BODIES)
def test_what_is_fused_is_the_same(
    body: str, mode: str, everything_is_large: None, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    spec = lossdsl.load(f"loss f(t, x)\n{BODIES[body]}")
    t, x = (tf.constant(rng.uniform(size=(4, 5, 3))) for _ in range(2))
    weight = tf.constant(rng.uniform(0.5, 2, kernels.Code.of(spec, "tensorflow").value(t, x).shape))
    call = kernels._tensorflow(spec)

    def values(t: Any, x: Any) -> Any:
        return call([t, x], [])

    made, steps = MODES[mode]
    for step in steps:
        found = made(lambda t, x, weight, step=step: step(values, t, x, weight))(t, x, weight)
        with monkeypatch.context() as small:
            small.setattr(tensorflow_fused, "LARGE", 2**60)
            plain = tf.function(lambda t, x, weight, step=step: step(values, t, x, weight))(t, x, weight)
        for one, other in zip(found, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_operations_are_marked_where_tensors_are_large_and_nowhere_else() -> None:
    call = kernels._tensorflow(lossdsl.load("loss f(t, x)\nmean(log(1 + (t - x)^2))"))

    def marks(shape: list[int | None], **options: Any) -> int:
        spec = tf.TensorSpec(shape, tf.float32)
        step = tf.function(lambda t, x: alone(lambda t, x: call([t, x], []), t, x, 1.0), **options)
        nodes = step.get_concrete_function(spec, spec).graph.as_graph_def().node
        return sum("_XlaCompile" in node.attr for node in nodes)

    assert marks([4096, 1024]) > 0
    assert marks([None, 10000]) > 0
    assert marks([32, 10]) == marks([None, 784]) == 0
    assert marks([4096, 1024], jit_compile=True) == 0  # XLA has the whole


@pytest.mark.parametrize("is_eager", [True, False])
def test_functions_can_be_run_eagerly_and_lengths_can_change(is_eager: bool, everything_is_large: None) -> None:
    tf.config.run_functions_eagerly(is_eager)
    call = kernels._tensorflow(lossdsl.load("loss f(t, x)\nlogsumexp(x) - sum(t*x)"))
    spec = tf.TensorSpec([None, 3], tf.float32)
    step = tf.function(lambda t, x: alone(lambda t, x: call([t, x], []), t, x, 1.0), input_signature=[spec, spec])
    for length in range(1, 25):
        x = np.random.default_rng(length).normal(size=(length, 3)).astype("float32")
        for run in (step, lambda t, x: alone(lambda t, x: call([t, x], []), t, x, 1.0)):
            value, slope = run(tf.constant(x), tf.constant(x))
            np.testing.assert_allclose(value, np.log(np.exp(x).sum(-1)) - (x * x).sum(-1), rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(slope, np.exp(x) / np.exp(x).sum(-1, keepdims=True) - x, rtol=1e-5, atol=1e-5)


def test_one_loss_takes_tensors_of_any_rank_and_length(everything_is_large: None) -> None:
    """Outside of graphs, where one graph serves several of them."""
    for source in ("categorical_generalized_cross_entropy", "categorical_crossentropy", "dice"):
        spec = lossdsl.load(source)
        call = kernels.kernel(spec, "tensorflow")
        for shape in ((2, 1, 3), (4, 1, 3), (4, 2, 5), (5, 3, 2), (1, 1, 2)):
            rng = np.random.default_rng(shape)
            x = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
            t = rng.integers(0, shape[-1], shape[:-1])
            t = t if spec.program.loss.inputs[0].is_label else np.eye(shape[-1])[t]
            for target, prediction in ((t, x), (t[:, 0], x[:, 0])):
                label = tf.constant(target, tf.int32 if target.dtype.kind == "i" else tf.float64)
                own = spec.arguments(shape[-1], {})
                found = alone(lambda t, x, own=own, call=call: call([t, x], own), label, tf.constant(prediction), 1.0)
                for one, other in zip(found, spec.numpy.value_and_grad(target, prediction), strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("body", ["max[last](x - t)", "min[last](abs(x - t))", "logsumexp(x) - mean(t)", "norm(x - t)"])
@pytest.mark.parametrize("is_graph", [False, True])
def test_what_is_fused_hides_no_nan(body: str, is_graph: bool, everything_is_large: None) -> None:
    """XLA takes the largest of nan and 1 for 1."""
    loss = lossdsl.compile(f"loss f(t, x)\n{body}")
    t, x = tf.zeros((4, 8)), tf.constant(np.where(np.eye(4, 8) > 0, np.nan, 1.0), tf.float32)
    assert np.isnan((tf.function(loss) if is_graph else loss)(t, x))

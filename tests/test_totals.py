"""log(sum(exp(e))) keeps its digits: against mpmath at 50 digits, in float32."""

import ast

import mpmath
import numpy as np
import pytest

import lossdsl

ULP = np.finfo(np.float32).eps


def truth(row, label):
    with mpmath.workdps(50):
        numbers = [mpmath.mpf(float(value)) for value in row]
        return mpmath.log(mpmath.fsum(map(mpmath.exp, numbers))) - numbers[label]


@pytest.mark.parametrize("gap", [0.5, 5.0, 15.0, 18.0, 40.0, 80.0])
def test_a_confident_cross_entropy_keeps_its_digits(gap):
    # the plain form finds 0 at a gap of 18: log(1 + 3e-8) is 0 in float32
    row = np.array([[gap, 0.0, 0.25]], np.float32)
    found = lossdsl.load("loss ce(t: label, x)\nlogsumexp(x) - x[t]").numpy([0], row)[0]
    wanted = truth(row[0], 0)
    assert found > 0
    # exp, log1p and two sums: a few ulp; exp amplifies the rounding of e - m by the gap at the most once
    assert abs(float(found) - float(wanted)) <= 4 * ULP * float(wanted)


@pytest.mark.parametrize("form", ["log_softmax(x)[t]", "x[t] - logsumexp(x)", "log(softmax(x)[t])"])
def test_all_spellings_agree_in_float64(form, rng):
    x = rng.normal(size=(5, 4)) * 3
    t = np.array([0, 1, 2, 3, 0])
    found = lossdsl.load(f"loss f(t: label, x)\n-({form})").numpy(t, x)
    wanted = [float(truth(row, label)) for row, label in zip(x, t, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


@pytest.mark.parametrize("gap", [0.5, 18.0, 80.0])
@pytest.mark.parametrize("outer", ["softplus", "exp"])
def test_one_sum_is_enough_where_only_the_absolute_error_counts(outer, gap):
    true = {"exp": mpmath.exp, "softplus": lambda u: mpmath.log1p(mpmath.exp(u))}[outer]
    row = np.array([[0.0, -gap, 0.25 - gap]], np.float32)
    source = "loss f(t: label, x)\ns = logsumexp(x) - x[t]\n{}(s + {})"
    for shift in (0, -5, 5):
        spec = lossdsl.load(source.format(outer, shift))
        with mpmath.workdps(50):
            wanted = true(truth(row[0], 0) + shift)
        # a rounding of 1 in the sum; one of `shift` before an exponential is 2 ulp for 5; exp, log1p and a sum
        assert abs(float(spec.numpy([0], row)[0]) - float(wanted)) <= 6 * ULP * float(wanted)
        assert "_excess" not in ast.unparse(spec.program.value_module("numpy"))
    both = lossdsl.load(source.format("s + " + outer, 0)).program.value_module("numpy")
    assert "_excess" in ast.unparse(both)


@pytest.mark.parametrize(
    "row, wanted",
    [
        ([-np.inf, 0.0, 0.0], np.log(2.0)),
        ([-np.inf, -np.inf, -np.inf], -np.inf),
        ([np.inf, 0.0, 0.0], np.inf),
        ([1000.0, 1000.0, -1000.0], 1000.0 + np.log(2.0)),
        ([2.0] * 1000, 2.0 + np.log(1000.0)),
    ],
)
def test_infinite_elements(row, wanted):
    found = lossdsl.load("logsumexp(x) + 0*sum(t)").numpy([[0.0] * 3], [row])[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-15)


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize("mode", ["eager", "graph", "unknown lengths", "XLA"])
def test_large_tensors_are_summed_again_where_it_matters(mode, leads, rng):
    """In TensorFlow only if some sum asks for it: rows in which one logit leads by 20, and rows of equal ones."""
    import tensorflow as tf

    x = rng.normal(size=(300, 300)).astype(np.float32)
    if leads:
        x[0, 7], x[1], x[2] = 20.0, 1.0, 0.0
        x[2, 7] = 30.0
    label = np.full(300, 7)
    loss = lossdsl.compile("loss f(t: label, x)\nlogsumexp(x) - x[t]")
    options = {"eager": None, "graph": {}, "unknown lengths": {}, "XLA": {"jit_compile": True}}[mode]
    if mode == "unknown lengths":
        options = {"input_signature": [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, None], tf.float32)]}
    call = loss.call if options is None else tf.function(loss.call, **options)
    found = call(tf.constant(label), tf.constant(x)).numpy().astype(float)
    wanted = [float(truth(row, 7)) for row in x[:4]]
    np.testing.assert_allclose(found[:4], wanted, rtol=3 * ULP)  # exp, a sum of 300 terms, log1p and a difference


@pytest.mark.parametrize("jit", [False, True])
def test_large_tensors_bend_as_they_should(jit, rng):
    """A tape on a tape; by hand, d/dx of sum(p^2) with p = softmax(x) is 2*(p^2 - p*sum(p^2))."""
    import tensorflow as tf

    loss = lossdsl.compile("loss f(t: label, x)\nlogsumexp(x) - x[t]", dtype="float64")
    label = tf.zeros(300, tf.int32)

    @tf.function(jit_compile=jit)
    def bend(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(loss.call(label, x))
            slope = inner.gradient(value, x) + tf.one_hot(label, 300, dtype=x.dtype)
            total = tf.reduce_sum(slope**2)
        return outer.gradient(total, x)

    x = rng.normal(size=(300, 300))
    x[0, 7] = 20.0
    p = np.exp(x - x.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    wanted = 2 * (p**2 - p * (p**2).sum(-1, keepdims=True))
    np.testing.assert_allclose(bend(tf.constant(x)), wanted, rtol=1e-12, atol=1e-14)  # terms of up to 1 cancel


def test_an_empty_selection_is_minus_infinity_and_harms_no_gradient():
    loss = lossdsl.load("loss f(t, x)\nmax(logsumexp[j if t[j] > 0](x[j]), -1)")
    value, slope = loss.numpy.value_and_grad([[0.0, 0.0]], [[1.0, 2.0]])
    assert value[0] == -1.0
    assert np.array_equal(slope, [[0.0, 0.0]])

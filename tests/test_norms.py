"""Norms and what is made of them, of numbers whose squares no format of 32 or 16 bits holds.

They are homogeneous: multiplied by a power of two, all inputs give a multiple of the value and of the slopes. At the
scale 1 they are compared with numpy's own sums in float64.
"""

import operator

import numpy as np
import pytest

import lossdsl
from lossdsl.oracle.number_systems import mp_numbers

T = np.array([[0.3, -0.2, 0.5], [1.0, 0.25, -2.0], [0.0, 0.0, 1.0]])
X = np.array([[1.0, 2.0, -1.5], [-0.5, 2.0, 0.125], [0.75, 0.0, 0.0]])


def _length(e):
    return np.sqrt(np.sum(e * e, axis=-1))


HOMOGENEOUS = (
    # formula, degree, the same by numpy
    ("norm(x - t)", 1, lambda t, x: _length(x - t)),
    ("sqrt(sum((x - t)^2))", 1, lambda t, x: _length(x - t)),
    ("sqrt(mean((x - t)^2))", 1, lambda t, x: _length(x - t) / np.sqrt(3)),
    ("sum[i if i > 0]((x[i] - t[i])^2)^0.5", 1, lambda t, x: _length((x - t)[:, 1:])),
    ("std(x - t)", 1, lambda t, x: np.std(x - t, axis=-1)),
    ("-sum(normalize(t)*normalize(x))", 0, lambda t, x: -np.sum(t * x, axis=-1) / _length(t) / _length(x)),
    ("-sum(t*x)/(norm(t)*norm(x))", 0, lambda t, x: -np.sum(t * x, axis=-1) / _length(t) / _length(x)),
    ("sum(t*x)/sqrt(sum(t^2)*sum(x^2))", 0, lambda t, x: np.sum(t * x, axis=-1) / _length(t) / _length(x)),
    ("sum(abs(x/sqrt(sum(x^2)) - t/norm(t)))", 0,
     lambda t, x: np.sum(abs(x / _length(x)[:, None] - t / _length(t)[:, None]), axis=-1)),
)  # fmt: skip
SCALES = (2.0**-83, 2.0**83, 2.0**-100)


def check_scales(formula, degree, meaning, value_and_slope, scales=SCALES, dtype=np.float32, within=2e-6):
    """What a function that takes a text, targets and predictions gives, at several scales."""
    text = "loss f(t, x)\n" + formula
    value, slope = value_and_slope(text, T.astype(dtype), X.astype(dtype))
    np.testing.assert_allclose(value, meaning(T, X), rtol=within)
    for scale in scales:
        t, x = ((scale * part).astype(dtype) for part in (T, X))
        found, its_slope = (np.asarray(part, np.float64) for part in value_and_slope(text, t, x))
        what = f"{formula} at {scale}"
        np.testing.assert_allclose(
            found, np.multiply(value, scale**degree, dtype=np.float64), rtol=within, err_msg=what
        )
        true = np.multiply(slope, scale ** (degree - 1), dtype=np.float64)
        if np.max(np.abs(true)) < np.finfo(dtype).max:
            np.testing.assert_allclose(its_slope, true, rtol=0, atol=within * np.max(np.abs(true)), err_msg=what)


def on_numpy(text, t, x):
    loss = lossdsl.load(text)
    with np.errstate(all="ignore"):
        value = loss.numpy(t, x)
        return value, len(value) * loss.numpy.grad(t, x)


@pytest.mark.parametrize("formula, degree, meaning", HOMOGENEOUS, ids=[formula for formula, _, _ in HOMOGENEOUS])
def test_squares_need_not_fit(formula, degree, meaning):
    check_scales(formula, degree, meaning, on_numpy)


@pytest.mark.parametrize("formula, degree, meaning", HOMOGENEOUS, ids=[formula for formula, _, _ in HOMOGENEOUS])
def test_squares_need_not_fit_16_bits(formula, degree, meaning):
    check_scales(formula, degree, meaning, on_numpy, (2.0**-10, 2.0**9), np.float16, 2e-2)


def test_what_no_norm_has_stays():
    found = lossdsl.load("loss f(t, x)\nnorm(x - t)").numpy([[0.0, 0.0], [0.0, 0.0]], [[np.inf, 1.0], [np.nan, 1.0]])
    assert found[0] == np.inf
    assert np.isnan(found[1])


COSINES = (
    # formula, the same of the cosine
    ("1 - sum(normalize(t)*normalize(x))", lambda m, cosine: 1 - cosine),
    ("1 - sum(t*x)/(norm(t)*norm(x))", lambda m, cosine: 1 - cosine),
    ("2 - 2*sum(normalize(t)*normalize(x))", lambda m, cosine: 2 - 2 * cosine),
    ("acos(sum(normalize(t)*normalize(x)))", lambda m, cosine: m.acos(cosine)),
)


@pytest.mark.parametrize("formula, of_cosine", COSINES, ids=[formula for formula, _ in COSINES])
@pytest.mark.parametrize("angle", [1e-1, 1e-2, 1e-4])
def test_vectors_that_are_nearly_parallel_keep_their_digits(formula, of_cosine, angle, rng):
    """Against mpmath. Half a unit in the last place of the inputs turns a vector by as much: the room that is left."""
    m = mp_numbers(60)
    t = rng.uniform(0.5, 2, (1, 5)).astype(np.float32)
    x = (3 * t + angle * rng.standard_normal((1, 5))).astype(np.float32)
    target = [m.mpf(float(one)) for one in t[0]]

    def exact(row):
        dot = sum(map(operator.mul, target, row))
        return of_cosine(m, dot / m.sqrt(sum(a * a for a in target) * sum(a * a for a in row)))

    at, step, slopes = [m.mpf(float(one)) for one in x[0]], m.mpf(10) ** -20, []
    for place in range(5):
        ends = [[one + sign * step * (other == place) for other, one in enumerate(at)] for sign in (1, -1)]
        slopes.append(float((exact(ends[0]) - exact(ends[1])) / (2 * step)))
    loss = lossdsl.load("loss f(t, x)\n" + formula)
    room = 8 * np.finfo(np.float32).eps / angle
    np.testing.assert_allclose(loss.numpy(t, x)[0], float(exact(at)), rtol=room)
    np.testing.assert_allclose(loss.numpy.grad(t, x)[0], slopes, rtol=0, atol=room * max(map(abs, slopes)))


def test_a_vector_of_zeros_has_no_direction():
    t, x = np.array([[0.0, 0.0], [1.0, 2.0]], np.float32), np.array([[1.0, 3.0], [0.0, 0.0]], np.float32)
    loss = lossdsl.load("loss f(t, x)\n1 - sum(normalize(t)*normalize(x))")
    np.testing.assert_array_equal(loss.numpy(t, x), [1, 1])
    np.testing.assert_array_equal(loss.numpy.grad(t, x)[0], [0, 0])


def test_what_a_quotient_lacks_of_one_is_a_square():
    """Against numpy in float64; the slope of a target of zeros is exactly 0."""
    loss = lossdsl.load("loss f(t, x)\n1 - 2*sum(t*x)/(sum(t^2) + sum(x^2))")
    x = T + 1e-4
    t, x = T.astype(np.float32), x.astype(np.float32)
    wide = np.sum((t - x.astype(float)) ** 2, axis=-1) / (np.sum(t.astype(float) ** 2 + x.astype(float) ** 2, axis=-1))
    np.testing.assert_allclose(loss.numpy(t, x), wide, rtol=2e-6)
    np.testing.assert_array_equal(loss.numpy.grad(0 * t, x), 0 * t)

"""Weights in the derivatives of the numpy twin: those of the sum of the values, each times its weight."""

import random

import numpy as np
import pytest
from shipped import PUBLISHED
from test_published import arrays, parameters

import lossdsl
from lossdsl.errors import LossShapeError
from lossdsl.ir.mixing import mixes_samples


def _weighed(entry):
    """The twin of a published loss, its inputs by name, the prediction, and whether samples meet in it."""
    loss = lossdsl.load(entry["loss"], **parameters(entry))
    found = {loss.program.loss.input(name).identifier: array for name, array in arrays(entry).items()}
    return loss.numpy, found, loss.program.loss.prediction.identifier, mixes_samples(loss.program.loss.result)


SOME = random.Random(20261130).sample(PUBLISHED, 60)
STOPS = ("ciou", "beta_nll", "xgb_quantile")  # a difference quotient moves what their gradient holds still


@pytest.mark.parametrize("entry", SOME, ids=[entry["id"] for entry in SOME])
def test_weights_in_derivatives(entry, rng):
    """Where samples do not meet, each has its weight times what it has without; else difference quotients decide."""
    twin, given, name, couples = _weighed(entry)
    values = np.asarray(twin(**given))
    if not values.ndim:
        with pytest.raises(LossShapeError, match="is one number for the whole batch"):
            twin.grad(**given, sample_weight=2.0)
        return
    weight, x = rng.uniform(0.5, 2.0, values.shape), given[name]
    slope = twin.grad(**given, sample_weight=weight)
    if not couples:
        spread = weight.reshape(weight.shape + (1,) * (x.ndim - weight.ndim))
        np.testing.assert_allclose(slope, spread * twin.grad(**given), rtol=1e-9, atol=1e-12)
        second = twin.hess(**given, sample_weight=weight)
        np.testing.assert_allclose(second, spread * twin.hess(**given), rtol=1e-7, atol=1e-9)
    elif entry["id"] not in STOPS:
        place = tuple(rng.integers(0, length) for length in x.shape)
        step = np.zeros(x.shape)
        step[place] = 1e-6
        up, down = (np.sum(weight * twin(**{**given, name: x + sign * step})) for sign in (1, -1))
        assert slope[place] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)


def test_weights_are_aligned_as_in_sums():
    twin = lossdsl.load("huber").numpy
    t, x = np.zeros((2, 3, 1)), np.arange(6.0).reshape(2, 3, 1) / 4
    one = twin.grad(t, x, sample_weight=[1.0, 2.0])
    np.testing.assert_allclose(one, twin.grad(t, x) * np.array([1.0, 2.0])[:, None, None])
    with pytest.raises(LossShapeError, match=r"the weights have shape \(3,\)"):
        twin.grad(t, x, sample_weight=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(twin.by_row.hess(t[0, :, 0], x[1, :, 0], sample_weight=[1.0, 2.0, 3.0]), [1, 0, 0])
    alone = lossdsl.load("loss f(x)\nx^3").numpy  # of the prediction alone, and with a name of ours taken
    np.testing.assert_allclose(alone.grad([[2.0], [1.0]], sample_weight=[1.0, 5.0]), [[12.0], [15.0]])
    taken = lossdsl.load("loss f(sample_weights, x)\nsample_weights*x").numpy
    np.testing.assert_allclose(taken.grad([[2.0], [1.0]], [[1.0], [1.0]], sample_weight=[3.0, 5.0]), [[6.0], [5.0]])


def test_a_prediction_without_a_last_axis_has_second_derivatives():
    plain = lossdsl.load("loss f(t: scalar, x: scalar)\nm = mean[batch](t)\n(x - m)^3").numpy
    t, x = np.array([1.0, 3.0]), np.array([4.0, 5.0])
    np.testing.assert_allclose(plain.hess(t, x), 6 * (x - 2))
    together = lossdsl.load("loss f(t: scalar, x: scalar)\nsum[batch](x)^2 + x^3 + t").numpy
    np.testing.assert_allclose(together.hess(t, x, sample_weight=[1.0, 3.0]), 2 * 4 + 6 * x * [1, 3])

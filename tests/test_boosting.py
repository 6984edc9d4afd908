"""Objectives of boosting libraries: what curvature is taken and why, that majorizers are some, what scores mean.

The libraries themselves are called in `boosting_trial.py`, for those that `LOSSDSL_BOOSTING` names: `make test-all`.
"""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, softmax

import lossdsl
from lossdsl import boosting

LIBRARIES = os.environ.get("LOSSDSL_BOOSTING", "").split()
PSEUDO_HUBER = "d^2*(sqrt(1 + ((t - x)/d)^2) - 1)"
CAUCHY = "log(1 + ((t - x)/c)^2)"
LOGISTIC = "loss logistic(t: prob, x)\nsoftplus(x) - t*x"
SOFTMAX = "loss classes(t: label, x)\nlogsumexp(x) - x[t]"
POISSON = "loss counts(t: count, x)\nexp(x) - t*x"
TWEEDIE = """loss tweedie(t: nonneg, x; p = 1.5)
require p > 1 and p < 2
exp((2 - p)*x)/(2 - p) - t*exp((1 - p)*x)/(1 - p)"""
GAMMA = "loss gamma(t: positive, x)\nt*exp(-x) + x"


@pytest.mark.parametrize(
    "source, parameters, kind, why",
    [
        ("mse", {}, "newton", "quadratic"),
        ("(t - x)^4", {}, "newton", "stay short"),
        (TWEEDIE, {}, "newton", "stay short"),
        (LOGISTIC, {}, "newton", "Fisher scoring"),
        ("binary_crossentropy", {"from_logits": True}, "newton", "Fisher scoring"),
        (POISSON, {}, "newton", "Fisher scoring"),
        (SOFTMAX, {}, "newton", "Fisher scoring"),
        ("sparse_categorical_crossentropy", {"from_logits": True}, "newton", "Fisher scoring"),
        ("huber", {"delta": 1.5}, "majorizer", "reweighted least squares"),
        ("log_cosh", {}, "majorizer", "reweighted least squares"),
        (PSEUDO_HUBER, {"d": 1.0}, "majorizer", "reweighted least squares"),
        (CAUCHY, {"c": 2.0}, "majorizer", "reweighted least squares"),
        ("1 - exp(-(t - x)^2)", {}, "majorizer", "reweighted least squares"),  # Welsch's, which is not convex
        ("tukey_biweight", {"c": 3.0}, "majorizer", "reweighted least squares"),
        ("mae", {}, "one", "neither"),
        ("quantile", {"q": 0.3}, "one", "neither"),
        (GAMMA, {}, "one", "neither"),  # convex, but Newton's step grows as exp(x)
        ("exp(t - x) - (t - x) - 1", {}, "one", "neither"),  # likewise
        ("abs(t - x) + (t - x)^2", {}, "one", "neither"),  # quadratic beside a kink, of which no parabola is above
    ],
)
def test_what_is_taken_and_why(source, parameters, kind, why):
    found = boosting.xgboost(source, **parameters)
    assert found.curvature == kind
    assert why in found.why


MAJORIZED = [
    ("huber", {"delta": 0.7}),
    ("log_cosh", {}),
    (PSEUDO_HUBER, {"d": 0.3}),
    (CAUCHY, {"c": 2.0}),
    ("1 - exp(-(t - x)^2)", {}),
    ("u = (t - x)/4.685\nwhere(abs(u) < 1, 1 - (1 - u^2)^3, 1)", {}),  # Tukey's biweight
    (LOGISTIC, {}),
    ("loss smooth(t: prob, x)\nwhere(x > 1, x - 0.5, where(x < -1, -x - 0.5, 0.5*x^2)) - t*x", {}),
    ("loss waves(t, x)\nsin(x) + t*x", {}),  # neither even nor odd: the bound is 1
]


@pytest.mark.parametrize("source, parameters", MAJORIZED)
def test_a_majorizer_lies_above_the_loss(source, parameters, rng):
    """The parabola through each point, with its slope, at other points near and far."""
    rows = boosting.xgboost(source, "majorizer", **parameters)._rows
    t = rng.uniform(0, 1, (4000, 1))
    x = t + rng.normal(size=t.shape) * 10.0 ** rng.uniform(-3, 1.5, t.shape)
    y = x + rng.normal(size=t.shape) * 10.0 ** rng.uniform(-3, 1.5, t.shape)
    slope, bend = rows.derivatives(t, x, None)
    parabola = rows.values(t, x) + (slope * (y - x) + bend / 2 * (y - x) ** 2)[:, 0]
    rounding = 1e-13 * (1 + abs(rows.values(t, x)) + abs((slope * (y - x))[:, 0]))
    assert np.all(rows.values(t, y) <= parabola + rounding)
    assert np.all(bend > 0)


def test_the_softmax_is_bounded_by_one_half(rng):
    """All outputs step at once, so that the bound is one on the matrix (Böhning)."""
    rows = boosting.xgboost(SOFTMAX, "majorizer")._rows
    x, y, t = *rng.normal(size=(2, 2000, 4)) * 10.0 ** rng.uniform(-2, 1, (2, 2000, 1)), rng.integers(0, 4, 2000)
    slope, bend = rows.derivatives(t, x, None)
    assert np.all(bend == 0.5)
    parabola = rows.values(t, x) + np.sum(slope * (y - x) + bend / 2 * (y - x) ** 2, axis=1)
    assert np.all(rows.values(t, y) <= parabola + 1e-12)


def test_derivatives_by_hand(rng):
    t, x = rng.integers(0, 2, 50).astype(float), rng.normal(size=50)
    p, w = expit(x), rng.uniform(0.5, 2, 50)
    slope, bend = boosting.lightgbm(LOGISTIC)(t, x, w)
    np.testing.assert_allclose(slope, w * (p - t), rtol=1e-12)
    np.testing.assert_allclose(bend, w * p * (1 - p), rtol=1e-12)
    bound = boosting.lightgbm(LOGISTIC, "majorizer")(t, x)[1]
    np.testing.assert_allclose(bound, np.tanh(x / 2) / (2 * x), rtol=1e-9)  # Jaakkola and Jordan
    np.testing.assert_allclose(boosting.lightgbm(LOGISTIC, "majorizer")(t, 0 * x)[1], 0.25)
    scores, labels = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    slope, bend = boosting.lightgbm(SOFTMAX)(labels, scores)
    p = softmax(scores, axis=1)
    np.testing.assert_allclose(slope, p - np.eye(3)[labels], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(bend, 2 * p * (1 - p), rtol=1e-9)  # the row's sum of absolute values
    slope, bend = boosting.xgboost("mse")(np.zeros(4), np.array([1.0, 2.0, 3.0, 0.0]))
    assert (slope.tolist(), bend.tolist(), slope.dtype, bend.dtype) == ([2, 4, 6, 0], [2] * 4, np.float32, np.float32)
    slope, bend = boosting.xgboost("mse")(np.zeros((2, 3)), np.ones((2, 3)))  # each output has a loss of its own
    assert (slope.tolist(), bend.tolist()) == ([[2.0] * 3] * 2, [[2.0] * 3] * 2)
    assert boosting.catboost("mse").calc_ders_range([3.0, 1.0], [1.0, 1.0], [1.0, 2.0]) == [(-4.0, -2.0), (0.0, -4.0)]
    assert boosting.xgboost("mae", "one")(np.zeros(2), np.ones(2))[1].tolist() == [1.0, 1.0]
    assert boosting.xgboost(CAUCHY, "newton", c=1.0)(np.zeros(1), np.full(1, 3.0))[1] > 0  # the true one is negative


@pytest.mark.parametrize(
    "source, parameters, expected",
    [
        ("mse", {}, lambda y, w: np.average(y, weights=w)),
        (LOGISTIC, {}, lambda y, w: np.log(m := np.average(y / 9, weights=w)) - np.log1p(-m)),
        (POISSON, {}, lambda y, w: np.log(np.average(y, weights=w))),
        (TWEEDIE, {"p": 1.3}, lambda y, w: np.log(np.average(y, weights=w))),
        (GAMMA, {}, lambda y, w: np.log(np.average(y, weights=w))),
    ],
)
def test_the_best_constant(source, parameters, expected, rng):
    y, w = rng.integers(1, 9, 100).astype(float), rng.uniform(0.5, 2, 100)
    found = boosting.xgboost(source, **parameters).base_score(y / 9 if source == LOGISTIC else y, w)
    np.testing.assert_allclose(found, expected(y, w), rtol=1e-9)


def test_the_best_constant_of_quantiles_and_classes(rng):
    y = rng.normal(size=501)
    assert abs(boosting.xgboost("quantile", q=0.3).base_score(y) - np.quantile(y, 0.3)) < 2e-2
    assert abs(boosting.xgboost(CAUCHY, c=0.1).base_score(np.r_[np.full(60, 7.0), np.full(40, -3.0)]) - 7) < 1e-3
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    found = boosting.xgboost(SOFTMAX).base_score(labels, outputs=3)
    np.testing.assert_allclose(softmax(found), [0.5, 0.3, 0.2], atol=1e-5)
    assert boosting.xgboost("mse").base_score(np.full(5, 3.0)) == 3.0


def test_what_scores_mean(rng):
    x = rng.normal(size=20)
    np.testing.assert_allclose(boosting.xgboost(LOGISTIC).transform(x), expit(x), rtol=1e-12)
    for source in (POISSON, TWEEDIE, GAMMA):
        np.testing.assert_allclose(boosting.xgboost(source).transform(x), np.exp(x), rtol=1e-9)
    assert np.array_equal(boosting.xgboost("huber").transform(x), x)
    scores = rng.normal(size=(20, 3))
    np.testing.assert_allclose(boosting.xgboost(SOFTMAX).transform(scores), softmax(scores, axis=1), rtol=1e-12)
    with pytest.raises(lossdsl.LossTypeError, match="not known"):
        boosting.xgboost("loss f(t, x)\n(t^3 - x)^2*x^2").transform(x)


@pytest.mark.parametrize("make", [boosting.xgboost, boosting.lightgbm, boosting.catboost])
def test_copies_and_processes(make):
    one = make(CAUCHY, "majorizer", c=2.0)
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert (type(again), again.curvature, repr(again)) == (type(one), "majorizer", repr(one))
        assert pickle.loads(pickle.dumps(again.metric)).__name__ == one.metric.__name__


@pytest.mark.parametrize(
    "source, curvature, kind, message",
    [
        ("mean[batch](abs(x - mean[batch](x)) + t)", "auto", lossdsl.LossTypeError, "samples of a batch together"),
        ("sum[j in batch](abs(x - x[j]))*t", "auto", lossdsl.LossTypeError, "samples of a batch together"),
        ("loss f(t, x, w: scalar)\nsum(w*(t - x)^2)", "auto", lossdsl.LossTypeError, "not a target and a prediction"),
        ("loss f(x)\nx^2", "auto", lossdsl.LossTypeError, "not a target and a prediction"),
        ("mse", "hessian", lossdsl.LossConfigError, '"newton", "majorizer", "one"'),
        ("mae", "majorizer", lossdsl.LossConfigError, "no bound on the curvature is proved"),
    ],
)
def test_what_is_refused(source, curvature, kind, message):
    with pytest.raises(kind, match=message):
        boosting.xgboost(source, curvature)


def test_a_loss_that_ranks_the_scores_of_a_row_needs_several():
    """Of a list, libraries hand over each document as a row of its own."""
    objective = boosting.lightgbm("listnet")
    with pytest.raises(lossdsl.LossTypeError, match="compares the scores of a row"):
        objective(np.array([0.0, 1.0, 2.0]), np.zeros(3))
    assert objective(np.array([[0.0, 1.0]]), np.zeros((1, 2)))[0].any()
    assert not boosting.lightgbm("norm(t - x)", "one")(np.ones(3), np.ones(3))[0].any()  # all of it is right


def test_a_best_constant_is_asked_of_targets_that_have_one():
    objective = boosting.xgboost("huber")
    for target, weight, kind, message in (
        ([1.0, np.nan], None, lossdsl.LossTypeError, "a target is nan or infinite"),
        ([], None, lossdsl.LossShapeError, "there is no target"),
        ([1.0, 2.0], [1.0], lossdsl.LossShapeError, "1 weights for 2 rows"),
    ):
        with pytest.raises(kind, match=message):
            objective.params(np.array(target), weight)


def test_shapes_and_weights_are_compared():
    objective = boosting.lightgbm("mse")
    with pytest.raises(lossdsl.LossShapeError, match="one row of scores a target"):
        objective(np.zeros(3), np.zeros(4))
    with pytest.raises(lossdsl.LossShapeError, match="2 weights for 3 rows"):
        objective(np.zeros(3), np.zeros(3), np.ones(2))
    by_group = objective(np.zeros(3), np.ones(3), np.array([1.0, 5.0]), np.array([1, 2]))[0]
    assert by_group.tolist() == [2.0, 10.0, 10.0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_with_the_library(library):
    script = Path(__file__).with_name("boosting_trial.py")
    done = subprocess.run([sys.executable, str(script), library], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert f"{library}: boosting done" in done.stdout

"""Proofs about losses over whole tensors: sums that are one, choices inside of sums, elements of aggregates."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import pipeline
from lossdsl.analyze import analyzer
from lossdsl.errors import LossError
from lossdsl.ir.loss import PROPERTIES
from lossdsl.source import Source

MASKS = "loss f(t: prob, x: prob)\n"

# What each formula is proved to be; all of it is so by hand.
PROVED = [
    # sums over the same axes are one sum, and what is a part of a whole is a share of it
    (MASKS + "sum(t) + sum(x) - sum(t*x)", "nonnegative bounded"),
    (MASKS + "1 - sum(t*x)/(sum(t) + sum(x) - sum(t*x) + 1)", "nonnegative bounded continuous smooth"),
    (MASKS + "1 - 2*sum(t*x)/(sum(t^2) + sum(x^2))", "nonnegative bounded"),
    (MASKS + "mean(t^2) + mean(x^2) - 2*mean(t*x)", "nonnegative convex smooth symmetric"),
    ("loss f(t: positive, x: positive)\nsum(abs(t - x))/sum(t)", "nonnegative convex continuous"),
    # aggregates are not below their elements: at a label, at the sample itself, and of multiples
    ("loss f(t: label, x)\nlogsumexp(-2*x) + 2*x[t]", "nonnegative convex smooth"),
    ("s[j in batch] = sum(x*t[j])\nlogsumexp[j in batch](s[j]) - s[self]", "nonnegative convex smooth"),
    ("s[j in batch] = sum(x*t[j])\nmax[j in batch](3*s[j]) - 3*s[self]", "nonnegative convex continuous"),
    ("loss f(t: label, x)\nlog_softmax(x)[t]/sum(log_softmax(x))", "nonnegative"),
    ("loss f(t, x)\nsum(logsumexp[j if t[j] <= t](x[j]) - x)", "nonnegative convex smooth"),
    ("max[j in batch if t[j] >= t and j == self](2*x[j]) - 2*x", "nonnegative convex"),
    ("x - min[j in batch](x[j])", "nonnegative"),
    # a vector is no shorter than any of its elements, and divided by its length within bounds
    ("-sum(normalize(t)*normalize(x))", "bounded"),
    ("s[j in batch] = sum(normalize(x)*normalize(t)[j])\nlogsumexp[j in batch](s[j]) - s[self]", "nonnegative bounded"),
    ("s[j in batch] = sum(normalize(x)*normalize(t)[j])\nlog(sum[j in batch](exp(s[j])) + 2)", "bounded"),
    ("loss f(t: label, x: simplex)\n-x[t]/norm(x)", "bounded"),
    ("s[j in batch] = sum(normalize(x)*normalize(t)[j])\nlog(sum[j in batch if j != self](exp(s[j])))", "bounded"),
    ("p = softmax(x)\nsum(normalize(p - mean(p))*t)", "bounded"),
    ("z = normalize(x)\nlog(mean[i in batch, j in batch if i != j](exp(-sum((z[i] - z[j])^2))))", "bounded"),
    ("loss f(x; eps = 1.0)\nrequire eps > 0\nlog(norm(normalize(x)) + eps)", "bounded"),
    ("norm(x - t) - abs(x - t)", "nonnegative"),
    # choices inside of sums, as of losses of one number
    ("loss f(t, x, a: label)\nhuber(sum(t), x[a])", "nonnegative convex smooth"),
    ("loss f(t: binary, x)\nsum[all](softplus(x) - t*x)", "nonnegative convex smooth"),
    ("mean[all](huber(t/sum(abs(t)), x/sum(abs(x))))", "nonnegative"),
    ("n = sum(x^2)\nsum[all](max(0, 1 - t*x)/n)/sum[all](1/n)", "nonnegative"),
    ("mean[j](abs(t[j] - x[j]))", "nonnegative convex continuous symmetric"),
    ("sum[j](where(abs(t[j] - x[j]) < 1, 0.5*(t[j] - x[j])^2, abs(t[j] - x[j]) - 0.5))", "nonnegative convex smooth"),
    ("loss f(t: label, x; m = 1.0)\nsum[j if x[j] < m](m - x[j])", "nonnegative convex continuous"),
    # pi is a number
    ("log(2*pi) + (t - x)^2", "convex smooth symmetric"),
    # an aggregate of equal elements is the same, however they are written
    ("log(1 + mean((t - x)^2))", "symmetric nonnegative"),
]


@pytest.mark.parametrize("text, names", PROVED)
def test_what_is_proved_of_whole_tensors(text, names):
    found = known(text)
    for name in names.split():
        assert found.decide(name).how == "proved", name


# What none of them is, though it is near to one of the above.
NOT_SO = [
    ("loss f(t, x)\nsum(t) + sum(x) - sum(t*x)", "nonnegative"),
    (MASKS + "sum(t) + mean(x) - 2*sum(t*x)", "nonnegative"),
    (MASKS + "1 - 3*sum(t*x)/(sum(t^2) + sum(x^2))", "nonnegative"),
    (MASKS + "sum(t*x)/sum(t - x)", "nonnegative bounded continuous"),
    ("loss f(t: label, x)\nlogsumexp(-2*x) + x[t]", "nonnegative"),
    ("s[j in batch] = sum(x*t[j])\nlogsumexp[j in batch if j != self](s[j]) - s[self]", "nonnegative"),
    ("loss f(t, x)\nsum(logsumexp[j if t[j] < t](x[j]) - x)", "nonnegative"),
    ("loss f(t, x)\nsum(logsumexp[j if t[j] <= t + x](x[j]) - x)", "nonnegative"),
    ("loss f(t, x)\nsum(logsumexp[j](x[j] - 1) - x)", "nonnegative"),
    ("max[j in batch if t[j] >= t](mean[batch](x*x[j])) - mean[batch](x*x)", "nonnegative"),
    ("x - max[j in batch](x[j])", "nonnegative"),
    ("s[j in batch] = sum(x*t[j])\nmin[j in batch](3*s[j]) - 3*s[self]", "nonnegative"),
    ("loss f(t, x, a: label)\nwhere(x[a] > sum(t), 1, 0) + x[a]^2", "continuous smooth convex"),
    ("loss f(t, x, a: label)\nhuber(sum(t), x[a]^2)", "convex"),
    ("huber(1, sum(x^2))", "convex"),
    ("mean[all](huber(t/sum(abs(t)), x/sum(abs(x))))", "convex"),
    ("n = sum(x)\nsum[all](max(0, 1 - t*x)/n)", "nonnegative"),
    ("mean[all](where(abs(t - x) < 1, (t - x)^2, x))", "nonnegative continuous convex"),
    ("norm(x - t) - 2*abs(x - t)", "nonnegative"),
    ("log(sum(exp(x)) + 1)", "bounded"),
    ("z = normalize(x)\nlog(sum[j in batch if j != self](exp(z[j]*z)) + sum(z*t)^2)", "bounded"),
    ("z = normalize(x)\nlog(sum[j if z[j] > 0](z[j]))", "bounded"),
    ("z = normalize(x)\nlog(sum[j if j > 0](z[j]^2))", "bounded"),
    ("p = softmax(x)\nsum(t/norm(p - t))", "bounded"),
    ("loss f(t: binary, x)\nsum[all](softplus(x) - 1.1*t*x)", "nonnegative"),
    ("loss f(t, x, a: label)\nwhere(x[a] > 0, -1, 1)*huber(0, x[a])", "nonnegative convex"),
    ("loss f(t: label, x; m = 1.0)\nsum[j if x[j] < m](m - 2*x[j])", "nonnegative continuous"),
    ("sum[j](x[j] - x[j] + 3)*sum(t) - 3*sum(t)", "nonnegative"),
]


@pytest.mark.parametrize("text, names", NOT_SO)
def test_what_is_not_so_is_not_proved(text, names):
    found = known(text)
    for name in names.split():
        assert found.decide(name).how != "proved", name


def known(text):
    return analyzer(pipeline.program(pipeline.parsed(Source(text))))


ELEMENTS = (
    "t", "x", "t*x", "t^2", "x^2", "(t - x)^2", "abs(t - x)", "t*(1 - x)", "x*(1 - t)", "max(t, x)", "min(t, x)",
    "where(x > t, x - t, 0)", "where(x < 0.5, x^2, x - 0.25)", "abs(x - 0.5)", "log1p(t*x)",
)  # fmt: skip
SIZES = st.sampled_from(["1", "2", "-1", "-2", "0.5", "-0.5"])
SUM = st.builds(
    lambda op, terms: " + ".join(f"({size})*{op}({element})" for size, element in terms),
    st.sampled_from(["sum", "mean", "sum[all]"]),
    st.lists(st.tuples(SIZES, st.sampled_from(ELEMENTS)), min_size=1, max_size=3),
)
FORMULAS = st.one_of(
    SUM,
    st.builds("({})/({})".format, SUM, SUM),
    st.builds("1 - ({})/({} + 1)".format, SUM, SUM),
    st.builds("log(2*pi) - ({})*sum(x)".format, SUM),
)


@settings(max_examples=60, deadline=None)
@given(FORMULAS, st.integers(0, 2**32 - 1))
def test_nothing_is_claimed_of_tensors_that_numbers_contradict(formula, seed):
    try:
        found = known(MASKS + formula)
        claims = {name for name in PROPERTIES if found.decide(name).how == "proved"}
        value = lossdsl.load(MASKS + formula).numpy
    except LossError:  # nothing is left of the prediction
        assume(False)
    rng = np.random.default_rng(seed)
    for _ in range(25):
        # the ends of the interval are where bounds are met; a quotient that has no value says nothing
        t, x, y = (np.where(rng.random((2, 3)) < 0.3, rng.integers(0, 2, (2, 3)), rng.random((2, 3))) for _ in range(3))
        with np.errstate(all="ignore"):
            here, there, middle = value(t, x), value(t, y), value(t, (x + y) / 2)
            agreed = value(t, t)
        whole = np.isfinite(here) & np.isfinite(there) & np.isfinite(middle)
        here, there, middle = (np.where(whole, one, 0) for one in (here, there, middle))
        if "nonnegative" in claims:
            assert np.all(here >= -1e-9)
        if "convex" in claims:
            assert np.all(middle <= (here + there) / 2 + 1e-9)
        if "zero at t = x" in claims:
            assert np.all(np.abs(agreed) < 1e-9)
        if "least at t = x" in claims:
            assert np.all(np.where(whole, here - agreed, 0) >= -1e-9)

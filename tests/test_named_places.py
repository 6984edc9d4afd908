"""Places by name: random formulas against loops in plain Python, and what a line `places row, col` asks for.

Here on numpy; `backend_trial.py` has the same law for losses that are compiled for TensorFlow, JAX and torch.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from index_cases import slope
from place_cases import case, drawn, placed

import lossdsl
from lossdsl import LossError

tried = settings(suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])


@settings(tried, max_examples=120)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_what_is_read_at_named_places_is_what_loops_find(seed: int, shape: int) -> None:
    one, arrays = case(seed, smooth=seed % 2 == 0), drawn(shape)
    loss = lossdsl.load(one.source)
    value, gradient = loss.numpy.value_and_grad(**arrays)
    wanted = one.value(arrays)
    axes = loss.program.loss.result.axes
    np.testing.assert_allclose(placed(value, axes, wanted.shape), wanted, rtol=1e-10, atol=1e-12, err_msg=one.source)
    if seed % 4 == 0 and arrays["x"].size < 20:  # loops are slow
        weights = np.ones(wanted.shape) * (np.size(value) / wanted.size)
        expected = slope(one.value, arrays, weights)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6, err_msg=one.source)


IMAGE = np.random.default_rng(4).normal(size=(2, 3, 4, 2))
TARGET = np.random.default_rng(5).normal(size=(2, 3, 4, 2))
PLACES = "loss f(t, x)\nplaces row, col\n"
WANTED = [
    ("(t - x)^2", lambda t, x: ((t - x) ** 2).mean(3)),
    ("mean[row]((t - x)^2)", lambda t, x: ((t - x) ** 2).mean((1, 3))),
    ("mean[space](t*x)*mean[all](x)", lambda t, x: (t * x).mean((1, 2, 3)) * x.mean()),
    ("sum[i in row, col](x[i + 1] - x[i])", lambda t, x: (x[:, -1] - x[:, 0]).sum(1).mean(-1)),
    ("sum[all](x*where(self[row] == self[col], 1, 0))", lambda t, x: np.einsum("biik->", x[:, :, :3])),
    ("sum(cumsum[row](x)*t)", lambda t, x: (np.cumsum(x, 1) * t).sum(-1)),
    ("sum[i in row](sum(cumsum[space](x*x[i])))",
     lambda t, x: sum(np.cumsum((x * x[:, [i]]).reshape(2, 12, 2), 1).reshape(x.shape).sum(-1) for i in range(3))),
    ("d[i in row, j in col] = x[i + 1, j + 1] - x[i, j]\nmean[i in row, j in col](d[i, j]^2)",
     lambda t, x: ((x[:, 1:, 1:] - x[:, :-1, :-1]) ** 2).mean((1, 2, 3))),
    ("huber(t, x)", lambda t, x: lossdsl.load("huber").numpy(t, x)),
    ("max[space](len[row](x)*len[col](x)*x)", lambda t, x: 12 * x.max((1, 2)).mean(-1)),
]  # fmt: skip


@pytest.mark.parametrize("body, wanted", WANTED, ids=[body for body, _ in WANTED])
def test_what_a_formula_reads(body, wanted):
    """The twin and the emitted module, of a batch and of one sample."""
    loss = lossdsl.load(PLACES + body)
    emitted: dict = {"__name__": "emitted"}
    exec(loss.program.emitted("numpy", {}), emitted)  # noqa: S102 - what is emitted is tested
    expected, slope = wanted(TARGET, IMAGE), loss.numpy.grad(TARGET, IMAGE)
    np.testing.assert_allclose(loss.numpy(TARGET, IMAGE), expected, rtol=1e-12)
    np.testing.assert_allclose(emitted["f"](TARGET, IMAGE), expected, rtol=1e-12)
    np.testing.assert_allclose(emitted["f_gradient"](TARGET, IMAGE), slope, rtol=1e-12)
    if "all" not in body:
        for call in (loss.numpy, emitted["f"]):
            np.testing.assert_allclose(call(TARGET[0], IMAGE[0]), expected[0], rtol=1e-12)


OTHERS = [
    ("f(t: scalar, x)", "mean[row](t*sum(x))", (2, 3, 4), lambda t, x: (t * x.sum(-1)).mean(1)),
    ("f(t: scalar, x: scalar)", "mean[row](logsumexp[col](x) - sum[col](t*x))", (2, 3, 4),
     lambda t, x: (np.log(np.exp(x).sum(2)) - (t * x).sum(2)).mean(1)),
    ("f(t: sample scalar, x)", "t*mean[space](x^2)", (2,), lambda t, x: t * (x**2).mean((1, 2, 3))),
    ("f(t: label, x)", "x[t]", (2, 3, 4), lambda t, x: np.take_along_axis(x, t[..., None], -1)[..., 0]),
    ("f(t: label, x)", "mean[i in row](where(t[i + 1] == t[i], sum(x[i]), 0))", (2, 3, 4),
     lambda t, x: np.where(t[:, 1:] == t[:, :-1], x.sum(-1)[:, :-1], 0).mean(1)),
    ("f(t: label, x)", "sum(x[t in col])", (2, 3, 4),
     lambda t, x: np.take_along_axis(x, t[..., None], 2).sum(-1)),
]  # fmt: skip


@pytest.mark.parametrize("header, body, shape, wanted", OTHERS, ids=[body for _, body, _, _ in OTHERS])
def test_other_inputs_have_the_places_that_they_are_declared_with(header, body, shape, wanted):
    rng = np.random.default_rng(6)
    t = rng.integers(0, 2, shape) if "label" in header else rng.normal(size=shape)
    x = IMAGE[..., 0] if "x: scalar" in header else IMAGE
    twin = lossdsl.load(f"loss {header}\nplaces row, col\n{body}").numpy
    np.testing.assert_allclose(twin(t, x), wanted(t, x), rtol=1e-12)
    if "x: scalar" in header:
        np.testing.assert_allclose(twin(t[..., None], x[..., None]), wanted(t, x), rtol=1e-12)
    with pytest.raises(LossError, match="agree"):
        twin(t[:1], x)


def test_ranks_are_exact():
    loss = lossdsl.load(PLACES + "(t - x)^2")
    for shape in ((2, 3), (2, 3, 4, 2, 2), (2,)):
        with pytest.raises(LossError, match="not the axes batch, row, col, last"):
            loss.numpy(np.zeros(shape), np.zeros(shape))
    assert loss.numpy.by_row(IMAGE[..., 0], IMAGE[..., 0]).shape == (2, 3, 4)
    with pytest.raises(LossError, match="names its places"):
        lossdsl.load(PLACES + "(t - x)^2", axis=(1, 2)).numpy(TARGET, IMAGE)
    last_first = np.moveaxis(IMAGE, -1, 1)
    np.testing.assert_array_equal(
        lossdsl.load(PLACES + "mean[row](softmax(x)[0])", axis=1).numpy(last_first, last_first),
        lossdsl.load(PLACES + "mean[row](softmax(x)[0])").numpy(IMAGE, IMAGE),
    )


REFUSED = [
    ("loss f(t, x)\nplaces row, row\nt - x", "name of two places"),
    ("loss f(t, x)\nplaces t\nt - x", "has a meaning already"),
    ("loss f(t, x)\nplaces last\nt - x", "name of the language"),
    ("loss f(t, x)\nplaces row\nplaces col\nt - x", "names already"),
    ("loss f(t, x)\nd = t - x\nplaces row\nd", "too late"),
    ("loss f(t, x)\nplaces row col\nt - x", "without a comma"),
    ("loss f(t, x: vector)\nplaces row\nt - x", "has the places that are named"),
    (PLACES + "sum[i in space](x[i])", "several axes here: row, col"),
    (PLACES + "sum[i in rwo](x[i])", "no axis"),
    (PLACES + "row*x", "is an axis"),
    (PLACES + "row = 3\nrow*x", "what a place is called"),
    (PLACES + "sum[row in row](x)", "something else"),
    (PLACES + "x*self[space]", "several axes"),
    (PLACES + "sum[i in row, j in col](x[i + j])", "counts along"),
    (PLACES + "sum[i in row, k in row](x[i, k])", "no axis `row`"),
    (PLACES + "d[i in row] = x[i]\nsum[j in col](d[j])", "runs over `col`"),
    ("loss f(t, x)\nplaces a, b\nmean[a](t - x)\n\nloss g(t, x)\nf(t, x)", "names its places: a, b"),
]


@pytest.mark.parametrize("source, said", REFUSED)
def test_what_cannot_be_meant_is_refused(source, said):
    with pytest.raises(LossError, match=said) as caught:
        lossdsl.load(source)
    assert caught.value.span is not None


def test_the_word_is_free_for_other_uses():
    assert lossdsl.load("places = 3\n(t - x)^places").numpy([[0.0]], [[2.0]]) == [-8.0]
    assert lossdsl.load("places row\nmean[row](t - x)").numpy(IMAGE[0], IMAGE[0]).shape == (3,)


def test_a_called_loss_meets_the_places_of_its_caller_in_order():
    above = "loss f(t, x)\nplaces a, b\nmean[a](t - x)\n\n"
    loss = lossdsl.load(f"{above}loss g(t, x)\nplaces row, col\nf(t, x)")
    np.testing.assert_allclose(loss.numpy(TARGET, IMAGE), (TARGET - IMAGE).mean((1, 3)))


def test_names_of_places_and_what_reads_along_them_are_no_findings():
    text = "loss f(t: label, x)\nplaces row, col\nown = 1 - t\nmean[row](sum(x[own in col]))\n"
    assert not [one.id for one in lossdsl.check(text).findings if one.id.startswith("unused")]


def test_axes_that_lie_apart_are_summed_along_together():
    x = IMAGE[:, 0]
    loss = lossdsl.load("loss f(x)\nsum(cumsum[batch, last](x)*self[last]*(1 + self[batch]))")
    summed = np.cumsum(np.moveaxis(x, 1, 0).reshape(4, 4), 1).reshape(4, 2, 2)
    wanted = np.einsum("sbk,k,b->bs", summed, np.arange(2), 1 + np.arange(2))
    np.testing.assert_allclose(loss.numpy(x), wanted)


def test_a_mean_over_nothing_has_slope_0_whatever_stands_beside_it():
    loss = lossdsl.load("loss f(t, x)\nplaces row, col\nmean[row](mean[j in col, i in row](x[j]*x[i]*t[j, i + 2]))")
    np.testing.assert_array_equal(loss.numpy.grad(IMAGE[:, :1], IMAGE[:, :1]), np.zeros((2, 1, 4, 2)))


def test_defaults_may_have_several_numbers():
    source = "loss f(t: label, x; w: vector = [1, 2, 0.5])\n-w[t]*log_softmax(x)[t]"
    labels, x = np.array([0, 1, 2]), np.random.default_rng(7).normal(size=(3, 3))
    wanted = -np.array([1, 2, 0.5]) * (x - np.log(np.exp(x).sum(1, keepdims=True)))[range(3), labels]
    loss = lossdsl.load(source)
    emitted: dict = {"__name__": "emitted"}
    exec(loss.program.emitted("numpy", loss.parameters), emitted)  # noqa: S102 - what is emitted is tested
    for found in (loss.numpy(labels, x), emitted["f"](labels, x), lossdsl.load(source, w=[1, 2, 0.5]).numpy(labels, x)):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    matrix = lossdsl.load("loss f(t: label, x; C: matrix = [[0, 1, 2], [1, 0, 1], [2, 1, 0]])\nsum(C[t]*softmax(x))")
    cost = np.array([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(matrix.numpy(labels, x), (cost[labels] * p).sum(1))


WRONG_DEFAULTS = [
    ("w: vector = []", "no elements"),
    ("w = [1, 2]", "one number"),
    ("w: int = [1]", "one number"),
    ("w: vector = [1, [2]]", "a list where a number belongs"),
    ("w: matrix = [[1, 2], [3]]", "of one length"),
    ("w: matrix = [1, 2]", "rows of numbers"),
    ("w: vector = [1, true]", "holds numbers"),
    ("w: vector = [1, a]", "not defined"),
]


@pytest.mark.parametrize("parameter, said", WRONG_DEFAULTS)
def test_defaults_that_are_refused(parameter, said):
    with pytest.raises(LossError, match=said):
        lossdsl.load(f"loss f(t, x; {parameter})\nsum(w*x)")


def test_several_numbers_by_default_are_none_of_a_loss_that_is_called():
    above = "loss f(t, x; w: vector = [1, 2])\nsum(w*(t - x)^2)\n\n"
    with pytest.raises(LossError, match="several numbers by default"):
        lossdsl.load(f"{above}loss g(t, x)\nf(t, x)")
    loss = lossdsl.load(f"{above}loss g(t, x; v: vector = [1, 2])\nf(t, x; w=v)")
    np.testing.assert_allclose(loss.numpy(TARGET, IMAGE), (np.array([1, 2]) * (TARGET - IMAGE) ** 2).sum(-1))

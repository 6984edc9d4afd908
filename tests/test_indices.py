"""Indices mean what they say: random formulas against loops in plain Python, and the edges of each kind of bracket.

Here on numpy: the twin, what tensor libraries run, and the reference interpreter by way of `check`. `backend_trial.py`
has the same law for losses that are compiled for TensorFlow, JAX and torch.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from index_cases import case, drawn, placed, slope
from nested_cases import Program
from window_cases import table, window

import lossdsl
from lossdsl import LossError

# A failing formula is short enough to be read; shrinking it takes minutes.
tried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], phases=[Phase.generate])


@settings(tried, max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_what_is_read_at_an_index_is_what_loops_find(seed: int, shape: int) -> None:
    one, arrays = case(seed, smooth=seed % 2 == 0), drawn(shape)
    try:
        loss = lossdsl.load(one.source)
        with np.errstate(all="ignore"):
            value, gradient = loss.numpy.value_and_grad(**arrays)
    except LossError:
        assert one.asks, one.source
        return
    if arrays["x"].shape[-1] < one.asks:
        return  # what is left of a slice that is refused may be there
    wanted = one.value(arrays)
    axes = loss.program.loss.result.axes
    np.testing.assert_allclose(placed(value, axes, wanted.shape), wanted, rtol=1e-10, err_msg=one.source)
    if seed % 2 == 0:
        weights = np.ones(wanted.shape) * (np.size(value) / wanted.size)
        expected = slope(one.value, arrays, weights)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6, err_msg=one.source)


@settings(tried, max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_windows_and_tables_are_what_loops_find(seed: int, shape: int) -> None:
    one, arrays = (table, window)[seed % 2](seed, smooth=seed % 4 < 2), drawn(shape)
    loss = lossdsl.load(one.source)
    with np.errstate(all="ignore"):
        value, gradient = loss.numpy.value_and_grad(**arrays)
    wanted = one.value(arrays)
    axes = loss.program.loss.result.axes
    np.testing.assert_allclose(placed(value, axes, wanted.shape), wanted, rtol=1e-10, err_msg=one.source)
    if seed % 4 < 2:
        weights = np.ones(wanted.shape) * (np.size(value) / wanted.size)
        expected = slope(one.value, arrays, weights)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6, err_msg=one.source)


@settings(tried, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_nested_aggregates_are_what_loops_find(seed: int, shape: int) -> None:
    smooth = seed % 2 == 0
    one = Program(seed, smooth=smooth)
    arrays = one.drawn(shape)
    loss = lossdsl.load(one.source)
    with np.errstate(all="ignore"):
        value, gradient = loss.numpy.value_and_grad(**arrays)
        try:
            wanted = one.values(arrays)
        except (ValueError, OverflowError):  # of math, at what is infinite
            return
    if not np.isfinite(wanted).all():
        return
    found = one.placed(value, loss.program.loss.result.axes, wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9, err_msg=one.source)
    if smooth and seed % 3 == 0:
        way = np.random.default_rng(seed).normal(size=arrays["x"].shape)
        ends = [np.sum(one.values({**arrays, "x": arrays["x"] + step * way})) for step in (1e-5, -1e-5)]
        along = (ends[0] - ends[1]) / 2e-5 * np.size(value) / wanted.size
        scale = max(1.0, float(np.abs(gradient).max()))
        np.testing.assert_allclose(np.sum(gradient * way), along, rtol=1e-4, atol=1e-5 * scale, err_msg=one.source)


T, X = (np.random.default_rng(5).normal(size=(2, 6)) for _ in range(2))
PLACES = np.random.default_rng(6).normal(size=(2, 4, 3))
HEAD = "loss f(t, x)\n"


VALUES = [
    # an index belongs to its axis
    ("mean[i in space](sum(abs(x[i + 1] - x[i])))", PLACES, np.abs(np.diff(PLACES, axis=1)).sum(-1).mean(-1)),
    ("mean[i in batch](abs(x[i + 1] - x[i]))", X, np.abs(np.diff(X, axis=0)).mean()),
    ("mean[k in 1:len(x)](abs(x[k] - x[k - 1]))", X, np.abs(np.diff(X)).mean(-1)),
    ("sum[i in batch, j in last](x[i + 1, j - 1])", X, X[1, :-1].sum()),
    # definitions with free indices
    ("d[i] = x[i]^2\nsum[i](d[i + 1])", X, (X[:, 1:] ** 2).sum(-1)),
    ("d[i] = x[i + 1] - x[i]\nsum[i](d[i + 1] - d[i])", X, np.diff(X, 2).sum(-1)),
    ("s[i in batch, j in batch] = sum(x[i]*x[j])\nsum[i in batch](s[i, i + 1])", X, X[0] @ X[1]),
    ("d[i] = x[i + 1] - x[i]\nd[0]", X, X[:, 1] - X[:, 0]),
    ("d[i] = x[i]*x[i - 1]\nm = argmin[i](d[i])\nd[m]", X, (X[:, 1:]*X[:, :-1]).min(-1)),
    ("x[argmax[k in 2:5](x[k])]", X, X[:, 2:5].max(-1)),
    ("s[i in batch, j in batch] = sum(x[i]*x[j])*x[i, 0]\nsum[i in batch, j in batch](s[i, j]*s[j, i + 1])", X,
     (X @ X.T * X[:, :1])[0] @ (X @ X.T * X[:, :1])[:, 1]),
    # elements of axes that are named, by number
    ("x[-1 in batch]", X, X[-1].mean()),
    ("sum[k in 0:2](sum(x[k in batch]))", X, X.sum()),
    ("x[argmax[batch](x[0]) in batch]", X, X[X[:, 0].argmax()].mean()),
    # what is left by a slice is another axis
    ("s = x[1:5]\nsum[l](s[l]*s[l - 1])", X, (X[:, 1:4] * X[:, 2:5]).sum(-1)),
    ("n = x[1:]\nsum[j if j != self](n[j])", X, (X[:, 1:].sum(-1, keepdims=True) - X[:, 1:]).mean(-1)),
    ("softmax(x[1:])[-1]", X, (np.exp(X[:, 1:]) / np.exp(X[:, 1:]).sum(-1, keepdims=True))[:, -1]),
    ("x[-3:]*x[:3]", X, (X[:, -3:] * X[:, :3]).mean(-1)),
    ("x[1:][:-1] - x[1:-1]", X, np.zeros(2)),
    # lengths
    ("x[len(x) - 1]", X, X[:, -1]),
    ("x[len(x) - 2] + x[1:][len(x[1:]) - 1]", X, X[:, -2] + X[:, -1]),
    ("sort(x)[floor(len(x)/2)]", X, np.sort(X)[:, 3]),
    ("sum[i](x[len(x) - 1 - i]*x[i])", X, (X[:, ::-1] * X).sum(-1)),
    # the position at hand
    ("sum(where(self[last] < 2, x, 0))", X, X[:, :2].sum(-1)),
    ("mean[j in batch if j + 1 == self](sum(x[j]))", X, np.array([0, X[0].sum()])),
    # over nothing
    ("sum[i](x[i]*x[i + 9]) + count[i](x[i + 9] > 0)", X, np.zeros(2)),
]


@pytest.mark.parametrize("body, x, wanted", VALUES, ids=[body for body, _, _ in VALUES])
def test_what_a_formula_reads(body, x, wanted):
    np.testing.assert_allclose(lossdsl.load(f"loss f(x)\n{body}").numpy(x), wanted, rtol=1e-12, atol=1e-15)


def test_said_numbers_may_be_parameters():
    loss = lossdsl.load("loss f(x; K: int = 3)\nsum[c in 0:K](x[c]*c)")
    np.testing.assert_allclose(loss.numpy(X), X[:, 1] + 2 * X[:, 2])
    with pytest.raises(LossError, match="at least 3"):
        loss.numpy(X[:, :2])


def test_labels_and_scalars_are_read_at_the_next_place():
    labels = np.array([[0, 0, 2, 2], [1, 1, 1, 0]])
    loss = lossdsl.load("loss f(y: label, x)\nmean[i in space](where(y[i + 1] == y[i], sum(x[i]), 0))")
    same = labels[:, 1:] == labels[:, :-1]
    np.testing.assert_allclose(loss.numpy(labels, PLACES), np.where(same, PLACES.sum(-1)[:, :-1], 0).mean(-1))
    loss = lossdsl.load("loss f(m: scalar, x)\nmean[i in space](m[i + 1]*sum(x[i]))")
    weight = np.arange(8.0).reshape(2, 4)
    np.testing.assert_allclose(loss.numpy(weight, PLACES), (weight[:, 1:] * PLACES.sum(-1)[:, :-1]).mean(-1))


def test_a_row_of_the_batch_is_read_by_a_label():
    loss = lossdsl.load("loss f(a: label, x)\nsum(x[a in batch]*x)")
    value, gradient = loss.numpy.value_and_grad(np.array([1, 1]), X)
    np.testing.assert_allclose(value, (X[[1, 1]] * X).sum(-1))
    np.testing.assert_allclose(gradient, X[[1, 1]] + np.array([[0], [1]]) * X.sum(0))


def test_elements_of_a_matrix():
    matrix = np.random.default_rng(7).normal(size=(6, 6))
    loss = lossdsl.load("loss f(C: matrix, x)\nsum[d, e](C[d, e]*x[d]*x[e])")
    np.testing.assert_allclose(loss.numpy(matrix, X), np.einsum("de,bd,be->b", matrix, X, X))


def test_what_was_not_cut_may_be_as_long_as_what_was():
    loss = lossdsl.load(HEAD + "t*x[1:]")
    np.testing.assert_allclose(loss.numpy(T[:, :5], X), (T[:, :5] * X[:, 1:]).mean(-1))
    with pytest.raises(LossError, match="do not agree"):
        loss.numpy(T, X)
    onehot = lossdsl.load("loss f(t: label, x)\nsum(onehot(t)*x[1:])")
    np.testing.assert_allclose(onehot.numpy(np.array([1, 3]), X), X[[0, 1], [2, 4]])


REFUSED = [
    ("sum(where(self < 2, x, 0))", "on which axis"),
    ("own = self\nsum[j in last if j != own](x[j])", "on which axis"),
    ("x*x[1:]", "never have the same length"),
    ("sum[i](x[i]*x[1:])*x", "never have the same length"),
    ("x[3:1]", "nothing is left"),
    ("x[-2:1]", "not known what this slice leaves"),
    ("sum[k in 0:len(x)](x[k + 1])", "for every number"),
    ("sum[k in 3:2](x[k])", "no number"),
    ("sum[k in 0:x](x[k])", "known beforehand"),
    ("s = x[:2]\nsum[i](s[i + 2])", "no position"),
    ("sum[i in batch, j in last](x[i + j])", "counts along"),
    ("d[i] = x[i + 1]\nsum[j in batch](d[j])", "runs over"),
]


@pytest.mark.parametrize("body, said", REFUSED)
def test_what_cannot_be_meant_is_refused(body, said):
    with pytest.raises(LossError, match=said) as caught:
        lossdsl.load(f"loss f(x)\n{body}")
    assert caught.value.span is not None


def test_a_mean_of_nothing_that_a_slice_left_is_refused():
    loss = lossdsl.load(HEAD + "x[1:] - x[:-1]")
    with pytest.raises(LossError, match="has 0 elements"):
        loss.numpy(T[:, :1], X[:, :1])
    emitted: dict = {"__name__": "emitted"}
    exec(loss.program.emitted("numpy", {}), emitted)  # noqa: S102 - what is emitted is tested
    with pytest.raises(ValueError, match="are taken"):
        emitted["f"](T[:, :1], X[:, :1])
    np.testing.assert_allclose(emitted["f"](T, X), np.diff(X).mean(-1))


SAMPLES = [
    ("loss f(a: sample scalar, x)\na*x^2", (2,), lambda a, x: a[:, None] * (x**2).mean(-1)),
    ("loss f(a: sample label, x)\nx[a]", (2,), lambda a, x: x[np.arange(2), :, a]),
    ("loss f(a: sample, x)\nsum(a*x)", (2, 3), lambda a, x: np.einsum("bk,bsk->bs", a, x)),
    ("loss f(a: sample matrix, x)\nsum[d, e](a[d, e]*x[d]*x[e])", (2, 3, 3),
     lambda a, x: np.einsum("bde,bsd,bse->bs", a, x, x)),
]  # fmt: skip


@pytest.mark.parametrize("source, shape, wanted", SAMPLES, ids=[source for source, _, _ in SAMPLES])
def test_inputs_without_places(source, shape, wanted):
    is_label = "label" in source
    a = np.array([2, 0]) if is_label else np.random.default_rng(8).normal(size=shape)
    twin = lossdsl.load(source).numpy
    emitted: dict = {"__name__": "emitted"}
    exec(lossdsl.load(source).program.emitted("numpy", {}), emitted)  # noqa: S102 - what is emitted is tested
    expected = wanted(a, PLACES)
    for found in (twin(a, PLACES), emitted["f"](a, PLACES)):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    for call in (twin, emitted["f"]):  # without places, and one sample alone
        np.testing.assert_allclose(call(a, PLACES[:, 0]), expected[:, 0], rtol=1e-12)
        np.testing.assert_allclose(call(a[0], PLACES[0, 0]), expected[0, 0], rtol=1e-12)
        with pytest.raises((LossError, ValueError), match="agree"):
            call(np.zeros((3, *shape[1:]), int if is_label else float), PLACES)


def test_a_prediction_has_the_places_that_there_are():
    with pytest.raises(LossError, match="has the places"):
        lossdsl.load("loss f(t, x: sample scalar)\n(t - x)^2")


ALONG = [
    ("median(x)", np.median(X, -1)),
    ("median[batch](x)", np.median(X, 0).mean()),
    ("mean(abs(x - median(x)))", np.abs(X - np.median(X, -1, keepdims=True)).mean(-1)),
    ("quantile(x, 0.9)", np.quantile(X, 0.9, axis=-1)),
    ("quantile[batch](x, 1/3)", np.quantile(X, 1 / 3, axis=0).mean()),
    ("median(x[1:])", np.median(X[:, 1:], -1)),
    ("spectrum(x)^2", (np.abs(np.fft.fft(X)) ** 2).mean(-1)),
    ("spectrum[batch](x)", np.abs(np.fft.fft(X, axis=0)).mean(-1)),
    ("atan2(x, x[0] - x)", np.arctan2(X, X[:, :1] - X).mean(-1)),
    ("where(isinf(x) or not isfinite(x), 0, x)", X.mean(-1)),
]


@pytest.mark.parametrize("body, wanted", ALONG, ids=[body for body, _ in ALONG])
def test_order_statistics_and_spectra(body, wanted):
    """Against numpy; the gradient against central differences."""
    loss = lossdsl.load(f"loss f(x)\n{body}").numpy
    value, gradient = loss.value_and_grad(X)
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    moved = np.zeros_like(X)
    for place in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[place] = 1e-6
        moved[place] = (np.sum(loss(X + step)) - np.sum(loss(X - step))) / 2e-6
    np.testing.assert_allclose(gradient, moved, atol=1e-7)


def test_a_quantile_is_the_loss_where_it_has_a_target():
    loss = lossdsl.load(HEAD + "quantile(t, x; q=0.9) + 0*quantile(x, 0.9)").numpy
    np.testing.assert_allclose(loss(T, X), lossdsl.load("quantile", q=0.9).numpy(T, X))
    for text, said in (("quantile[all](x, 0.5)", "one axis"), ("quantile[last](x, x)", "a number or a parameter")):
        with pytest.raises(LossError, match=said):
            lossdsl.load(HEAD + text)


def test_class_weights_may_be_a_dict():
    source = "loss f(t: label, x; w: vector)\n-w[t]*log_softmax(x)[t]"
    labels = np.array([2, 0])
    by_list = lossdsl.load(source, w=[1, 2, 5, 1, 1, 1]).numpy(labels, X)
    by_class = lossdsl.load(source, w={0: 1, 2: 5, 1: 2, 3: 1, 4: 1, 5: 1}).numpy(labels, X)
    np.testing.assert_array_equal(by_class, by_list)
    for wrong in ({1: 1.0, 2: 2.0}, {"a": 1.0}, {0: "b"}, {}):
        with pytest.raises(LossError, match="a vector of numbers") as caught:
            lossdsl.load(source, w=wrong)
        assert "each class" in caught.value.hint


def test_what_a_label_reads_has_a_slope_that_is_a_count():
    labels = np.array([[0, 2, 2, 1], [1, 1, 0, 2]])
    loss = lossdsl.load("loss f(y: label, x)\nmean[i in space](sum[space](x[y]))*len(x)")
    value, gradient = loss.numpy.value_and_grad(labels, PLACES)
    np.testing.assert_allclose(value, np.take_along_axis(PLACES, labels[..., None], -1).sum((1, 2)) * 3)
    np.testing.assert_allclose(gradient, np.eye(3)[labels] * 3)


@pytest.mark.parametrize("longer", [3, 5])
def test_the_slope_of_what_is_read_at_a_number_is_as_long_as_it_is(longer):
    loss = lossdsl.load("loss f(t, x)\nmean[space](t[argmax(x)]^2*sum(x^2))").numpy
    t = np.random.default_rng(8).normal(size=(2, 4, longer))
    wanted, at = np.zeros_like(t), np.minimum(PLACES.argmax(-1), longer - 1)[..., None]
    slope = 2 * np.take_along_axis(t, at, -1) * (PLACES**2).sum(-1, keepdims=True) / 4
    np.put_along_axis(wanted, at, slope, -1)
    np.testing.assert_allclose(loss.grad(t, PLACES, wrt="t"), wanted)


def test_a_mean_of_nothing_is_0_where_pairs_meet_in_blocks():
    body = "mean[i in space, j in last, k in batch](sum[batch](x[i - 1, k, j] - (k - x[i + 1, k])))"
    loss = lossdsl.load(f"loss f(x)\n{body}").numpy
    for places in (0, 1, 2):
        value, gradient = loss.value_and_grad(PLACES[:, :places])
        assert float(np.sum(np.abs(value))) == float(np.sum(np.abs(gradient))) == 0.0
    assert np.all(loss(PLACES) != 0)


def test_binders_that_are_nested_are_not_resolved_again_and_again():
    body = "x"
    for depth in range(20):
        body = f"sum[i{depth}](x[i{depth} + 1]*{body})"
    loss = lossdsl.load(f"loss f(x)\n{body}").numpy
    np.testing.assert_allclose(loss(X), X.mean(-1) * X[:, 1:].sum(-1) ** 20, rtol=1e-10)


@pytest.mark.parametrize("inner", ["0", "var[a](0)", "t - t"])
@pytest.mark.parametrize("name", ["norm", "sum", "max", "std", "logsumexp"])
def test_an_aggregate_of_a_constant_has_its_axis(name, inner):
    """Of zeros too, which are spread along the axis by a choice: `where(j >= 0, 0, 0)` would be none."""
    t, x = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    loss = lossdsl.load(f"{name}[j]({inner})*x + t")
    expected = {"logsumexp": np.log(3)}.get(name, 0) * x + t
    np.testing.assert_allclose(loss.numpy(t, x), expected.mean(-1), rtol=1e-12)
    assert loss.numpy.grad(t, x).shape == (2, 3)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_what_is_read_at_a_number_may_be_of_another_length_than_what_is_counted(length):
    """Positions are counted along the prediction; the slope of the target is zero but for one element of its own."""
    rng = np.random.default_rng(length)
    t, x = rng.normal(size=(2, length)), rng.normal(size=(2, 3))
    loss = lossdsl.load("loss f(t, x)\nmean(x*self[last]) + exp(t[0]) + t[-1]").numpy
    np.testing.assert_allclose(loss(t, x), (x * np.arange(3)).mean(1) + np.exp(t[:, 0]) + t[:, -1])
    slope = np.zeros_like(t)
    slope[:, 0] += np.exp(t[:, 0])
    slope[:, -1] += 1
    np.testing.assert_allclose(loss.grad(t, x, wrt="t"), slope)
    np.testing.assert_allclose(loss.grad(t, x), np.tile(np.arange(3) / 3, (2, 1)))


@pytest.mark.parametrize("body", [
    "u = sum[i in space](x[i]) + prod[i in space](x - x)\nu^2 + u - u^2",
    "sum[i in space](x[i]) + prod[i in space](x - x) + prod[i in space](t - t)",
    "sum[i in space](x[i]) + (x - x)*t + (t - t)*x",
])  # fmt: skip
def test_values_have_the_axes_of_what_was_written(body):
    """Also where each part that varies along one cancels: a sum over all values counts its positions."""
    t, x = np.random.default_rng(2).normal(size=(2, 2, 3, 4))
    loss = lossdsl.load(f"loss f(t, x)\n{body}").numpy
    value, slope = loss.value_and_grad(t, x)
    np.testing.assert_allclose(value, np.repeat(x.sum(1).mean(-1)[:, None], 3, axis=1), rtol=1e-9)
    np.testing.assert_allclose(slope, np.full(x.shape, 3 / 4), rtol=1e-9)

"""The numpy twin: how it is called, in which shapes and dtypes it answers, and what it refuses."""

import pickle
import sys
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from scipy.optimize import minimize
from shipped import THOROUGH
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score

import lossdsl

SQUARE = "(t - x)^2"
TRIPLE = "loss triple(t, x, w: scalar, b)\nw*(t - x - b)^2"
GAUSS = "loss gauss(t, (m, s))\n0.5*((t - m)^2*exp(-s) + s)"
LABELS = "loss of_labels(t: label, x)\n-log_softmax(x)[t]"


def twin(source: str, **settings: Any) -> Any:
    return lossdsl.load(source, **settings).numpy


def test_inputs_come_by_position_or_by_name() -> None:
    square = twin("t^2 - x")
    assert square([3.0], [2.0]) == square(t=[3.0], x=[2.0]) == square([3.0], x=[2.0]) == square(x=[2.0], t=[3.0]) == 7.0
    triple = twin(TRIPLE)
    t, x, w, b = [[1.0]], [[2.0]], [3.0], [[0.5]]
    assert triple(t, x, w, b) == triple(w=w, b=b, x=x, t=t) == triple(t, x, b=b, w=w) == [6.75]


def test_a_packed_input_goes_by_any_of_its_names() -> None:
    gauss = twin(GAUSS)
    pair = [[1.0, 0.0]]
    wanted = gauss([[2.0]], pair)
    for name in ("(m, s)", "(m,s)", "m_s"):
        assert gauss(t=[[2.0]], **{name: pair}) == wanted == [0.5]
        np.testing.assert_array_equal(gauss.grad([[2.0]], pair, wrt=name), [[-1.0, 0.0]])


def test_the_gradient_is_in_the_prediction_unless_another_input_is_named() -> None:
    triple = twin(TRIPLE)
    t, x, w, b = [[1.0, 2.0]], [[2.0, 4.0]], [3.0], [[0.5, 0.0]]
    e = np.array([[-1.5, -2.0]])
    np.testing.assert_allclose(triple.grad(t, x, w, b), -3 * e)
    np.testing.assert_allclose(triple.grad(t, x, w, b, wrt="x"), -3 * e)
    np.testing.assert_allclose(triple.grad(t, x, w, b, wrt="t"), 3 * e)
    np.testing.assert_allclose(triple.grad(t, x, w, b, wrt="w"), np.mean(e**2, -1))
    value, slope = triple.value_and_grad(t, x, w, b, wrt="b")
    assert value == triple(t, x, w, b)
    np.testing.assert_allclose(slope, -3 * e)


def test_rank_one_is_one_sample_and_gives_one_number() -> None:
    value, slope = twin(SQUARE).value_and_grad([1.0, 2.0], [3.0, 2.0])
    assert np.shape(value) == ()
    assert isinstance(value, np.floating)
    assert value == 2.0
    np.testing.assert_array_equal(slope, [2.0, 0.0])
    assert twin(SQUARE)(1.0, 3.0) == 4.0
    assert twin(SQUARE).grad(1.0, 3.0) == 4.0
    assert twin(LABELS)(1, [0.0, 0.0]) == pytest.approx(np.log(2))
    assert twin(GAUSS)(2.0, [1.0, 0.0]) == 0.5


@pytest.mark.parametrize("shape", [(2, 3), (2, 1, 3), (2, 2, 2, 3), (1, 3), (0, 3), (2, 1)], ids=str)
def test_what_is_left_is_one_value_a_sample_and_place(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    t, x = rng.normal(size=shape), rng.normal(size=shape)
    value, slope = twin(SQUARE).value_and_grad(t, x)
    np.testing.assert_allclose(value, np.mean((t - x) ** 2, -1), rtol=1e-14)
    np.testing.assert_allclose(slope, 2 * (x - t) / shape[-1], rtol=1e-14)
    assert value.shape == shape[:-1]


def test_a_loss_of_the_whole_batch_is_one_number(rng: np.random.Generator) -> None:
    t, x = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    value, slope = twin("mean[all]((t - x)^2)").value_and_grad(t, x)
    assert np.shape(value) == ()
    assert value == pytest.approx(np.mean((t - x) ** 2), rel=1e-14)
    np.testing.assert_allclose(slope, (x - t) / 6, rtol=1e-13)


@pytest.mark.parametrize("j, place", [(0.0, 0), (1.7, 1), (9.0, 2), (-3.0, 0)])
def test_a_parameter_as_an_index(j: float, place: int) -> None:
    """Rounded down, and held inside the axis."""
    x = np.array([[1.0, 2.0, 4.0]])
    loss = lossdsl.load("loss f(t, x; j = 1.0)\nsum((x[j] - x)^2) + 0*sum(t)", j=j)
    assert loss.numpy(x, x) == np.sum((x[0, place] - x) ** 2)
    if j >= 0 and place == int(j):
        wanted = np.sum(2 * (x[0, place] - x)) * (np.arange(3) == place) - 2 * (x[0, place] - x)
        np.testing.assert_array_equal(loss.numpy.grad(x, x), wanted)


def test_the_slope_of_a_sum_of_slices(rng: np.random.Generator) -> None:
    """By hand: 1 for each element that a slice picks out, and its factor."""
    t, x = rng.normal(size=(2, 2, 4))
    slope = lossdsl.load("loss f(t, x)\nsum(x[1:] - 2*x[:-1]) + sum(x[-2:][:1])*sum(t)").numpy.grad(t, x)
    total = t.sum(-1)
    wanted = np.stack([total * 0 - 2, total * 0 - 1, total - 1, total * 0 + 1], -1)
    np.testing.assert_allclose(slope, wanted, rtol=4e-16)  # three terms, added in another order


@pytest.mark.parametrize(
    "formula, t, x",
    [
        ("sum(x[1:]*t)", (2, 4), (2, 5)),
        ("sum(x[1:][:-1]*t)", (2, 3), (2, 5)),
        ("sum(x[:2]*x[1:]) + 0*sum(t)", (2, 4), (2, 3)),
    ],
)
def test_slices_meet_what_is_as_long(formula: str, t: tuple[int, ...], x: tuple[int, ...]) -> None:
    """And nothing else: a slice of one element is not stretched."""
    loss = lossdsl.load(f"loss f(t, x)\n{formula}").numpy
    assert loss(np.ones(t), np.ones(x)).shape == (2,)
    for length in (1, 2, 6):
        with pytest.raises(lossdsl.LossShapeError, match=r"x\[.*\]` has shape \(2, \d\)"):
            loss(np.ones((2, length)), np.ones((2, length)))


def test_one_trailing_axis_may_come_or_go(rng: np.random.Generator) -> None:
    t, x = rng.normal(size=(4, 1)), rng.normal(size=(4, 1))
    wanted = (t - x)[:, 0] ** 2
    np.testing.assert_array_equal(twin(SQUARE)(t[:, 0], x), wanted)
    np.testing.assert_array_equal(twin(SQUARE).grad(t[:, 0], x, wrt="t"), 2 * (t - x)[:, 0])
    np.testing.assert_array_equal(twin(SQUARE)(t[:, :, None], x), wanted)
    labels = rng.integers(0, 3, 4)
    z = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(twin(LABELS)(labels[:, None], z), twin(LABELS)(labels, z))


def test_axis_says_what_plays_last(rng: np.random.Generator) -> None:
    t, x = rng.uniform(0.1, 1, (2, 3, 4)), rng.uniform(0.1, 1, (2, 3, 4))
    for axis in (1, -2, (1, 2), [1, 2], -1, (2, 1)):
        value, slope = lossdsl.load("kl_divergence", axis=axis).numpy.value_and_grad(t, x)
        np.testing.assert_allclose(value, np.sum(t * np.log(t / x), axis=tuple(np.atleast_1d(axis))), rtol=1e-12)
        np.testing.assert_allclose(slope, -t / x, rtol=1e-12)
    labels = rng.integers(0, 3, (2, 4))
    first, last = lossdsl.load(LABELS, axis=1).numpy, twin(LABELS)
    np.testing.assert_allclose(first(labels, x), last(labels, np.moveaxis(x, 1, -1)), rtol=1e-14)
    np.testing.assert_allclose(
        first.grad(labels, x), np.moveaxis(last.grad(labels, np.moveaxis(x, 1, -1)), -1, 1), rtol=1e-14
    )


def test_the_dtype_is_that_of_the_prediction() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        value, slope = twin("log_cosh").value_and_grad(np.array([[1.0]]), np.array([[2.0]], dtype))
        assert value.dtype == slope.dtype == dtype
    for dtype in (np.int32, np.uint8, bool):
        assert twin(SQUARE)(np.array([[1]], dtype), np.array([[0]], dtype)).dtype == np.float64
    assert twin(LABELS)(np.array([1.0]), np.zeros((1, 2), np.float32)).dtype == np.float32


def test_a_vector_is_stretched_if_it_was_given_as_one_number(rng: np.random.Generator) -> None:
    source = "loss weighted(t, x; w: vector = 2.0)\nw*(t - x)^2"
    t, x = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(twin(source)(t, x), 2 * np.mean((t - x) ** 2, -1), rtol=1e-14)
    np.testing.assert_allclose(twin(source, w=3)(t, x), 3 * np.mean((t - x) ** 2, -1), rtol=1e-14)
    np.testing.assert_allclose(twin(source, w=3).grad(t, x), 2 * (x - t), rtol=1e-14)
    np.testing.assert_allclose(twin(source, w=[1, 0, 0])(t, x), (t - x)[:, 0] ** 2 / 3, rtol=1e-14)
    np.testing.assert_allclose(twin("loss s(x; w: vector)\nsum(w)*mean(x)", w=1)(x), 3 * np.mean(x, -1), rtol=1e-13)
    for columns in (1, 2, 4):
        with pytest.raises(lossdsl.LossShapeError, match=r"`w` has shape \(3,\)"):
            twin(source, w=[1, 2, 3])(np.zeros((4, columns)), np.zeros((4, columns)))


def test_a_matrix_is_given_as_rows() -> None:
    source = "loss costs(t: label, x; M: matrix)\nsum(M[t]*x)"
    rows = [[0.0, 1.0, 2.0], [3.0, 0.0, 4.0]]
    for given in (rows, np.array(rows), tuple(map(tuple, rows))):
        np.testing.assert_array_equal(twin(source, M=given)([1, 0], np.eye(3)[:2]), [3.0, 1.0])
    for wrong in (1.0, [1.0, 2.0], [[1.0], [2.0, 3.0]], [["a"]], []):
        with pytest.raises(lossdsl.LossParameterError, match="matrix"):
            twin(source, M=wrong)
    with pytest.raises(lossdsl.LossShapeError, match="M"):
        twin(source, M=rows)([1, 0], np.eye(2))


def test_a_loss_of_the_prediction_alone_leaves_a_target_aside() -> None:
    size = twin("loss size(x)\nx^2")
    assert size([2.0]) == size(x=[2.0]) == size([7.0, 7.0], [2.0]) == 4.0
    np.testing.assert_array_equal(size.grad([2.0]), [4.0])


def test_inputs_are_left_as_they_were(rng: np.random.Generator) -> None:
    t, x = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    before = t.copy(), x.copy()
    value, slope = twin(SQUARE).value_and_grad(t, x)
    value[:] = 0
    slope[:] = 0
    np.testing.assert_array_equal((t, x), before)
    constant = twin("mean(x)").grad(t, x)
    constant[:] = 5  # an array of its own, no view of one number


def test_warnings_of_numpy_stay_inside() -> None:
    with np.errstate(all="raise"):
        assert twin("log_cosh")([0.0], [1e300]) == 1e300
        assert np.isnan(twin("log(x)")([0.0], [-1.0]))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: twin(SQUARE)([1.0]), lossdsl.LossTypeError, "without x"),
        (lambda: twin(SQUARE)([1.0], [1.0], [1.0]), lossdsl.LossTypeError, "takes 2 inputs, not 3"),
        (lambda: twin(SQUARE)([1.0], t=[1.0]), lossdsl.LossTypeError, "`t`"),
        (lambda: twin(SQUARE)([1.0], y=[1.0]), lossdsl.LossTypeError, "`y`"),
        (lambda: twin(SQUARE).grad([1.0], [1.0], wrt="y"), lossdsl.LossTypeError, "no input `y`"),
        (lambda: twin(LABELS).grad([1], [[1.0]], wrt="t"), lossdsl.LossTypeError, "label"),
        (lambda: twin(SQUARE)([[1.0], [1.0, 2.0]], [1.0]), lossdsl.LossShapeError, "rows differ in length"),
        (lambda: twin(SQUARE)(["a"], [1.0]), lossdsl.LossTypeError, "`t` holds"),
        (lambda: twin(SQUARE)([1.0], [1j]), lossdsl.LossTypeError, "`x` holds"),
        (lambda: twin(SQUARE)([1.0], None), lossdsl.LossTypeError, "`x` is None"),
        (lambda: twin(LABELS)([0.5], [[1.0, 2.0]]), lossdsl.LossShapeError, "not whole"),
        (lambda: twin(SQUARE)(np.ones((4, 1)), np.ones((4, 3))), lossdsl.LossShapeError, r"\(4, 1\).*\(4, 3\)"),
        (lambda: twin(SQUARE)(np.ones((4, 3)), np.ones((4, 1))), lossdsl.LossShapeError, r"\(4, 3\).*\(4, 1\)"),
        (lambda: twin(SQUARE)(np.ones((1, 3)), np.ones((4, 3))), lossdsl.LossShapeError, r"\(1, 3\).*\(4, 3\)"),
        (lambda: twin(SQUARE)(np.ones(3), np.ones((4, 3))), lossdsl.LossShapeError, r"\(3,\).*\(4, 3\)"),
        (lambda: twin(SQUARE)(1.0, np.ones((4, 3))), lossdsl.LossShapeError, r"\(\).*\(4, 3\)"),
        (lambda: twin(GAUSS)(np.ones((4, 1)), np.ones((4, 3))), lossdsl.LossShapeError, "no multiple of its 2"),
        (lambda: twin(SQUARE, axis=5)(np.ones((2, 2)), np.ones((2, 2))), lossdsl.LossShapeError, "axis 5"),
        (lambda: lossdsl.load(SQUARE, axis=1.5), lossdsl.LossTypeError, "axis"),
        (lambda: lossdsl.load("huber", gamma=1.0), lossdsl.LossParameterError, "no parameter `gamma`"),
        (lambda: lossdsl.load("huber", delta="big"), lossdsl.LossParameterError, "a number"),
        (lambda: lossdsl.load("huber", delta=True), lossdsl.LossParameterError, "a number"),
        (lambda: lossdsl.load("huber", delta=float("nan")), lossdsl.LossParameterError, "a number"),
        (lambda: lossdsl.load("huber", delta=0.0), lossdsl.LossParameterError, "requires `delta > 0`"),
    ],
)
def test_mistakes_name_the_culprit(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert caught.value.__cause__ is None  # no traceback of numpy's beneath


def test_a_value_asks_for_no_gradient_and_a_gradient_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = lossdsl.load(TRIPLE)
    asked = []
    made = type(loss.program).twin_module

    def noted(self: Any, spec: Any, *, has_value: bool) -> Any:
        asked.append((spec and spec.name, has_value))
        return made(self, spec, has_value=has_value)

    monkeypatch.setattr(type(loss.program), "twin_module", noted)
    arguments = [[1.0]], [[2.0]], [3.0], [[0.5]]
    loss.numpy(*arguments)
    assert asked == [(None, True)]
    assert "gradients" not in vars(loss.program)
    loss.numpy.grad(*arguments, wrt="w")
    loss.numpy.grad(*arguments, wrt="w")
    assert asked[1:] == [("w", False)]


def test_a_program_that_is_there_is_used() -> None:
    from lossdsl import pipeline
    from lossdsl.runtime.spec import LoadedLoss
    from lossdsl.source import Source

    source = Source("loss mine(t, x; twice: bool = false, a = 1.0)\nwhere(twice, 2, 1)*a*(t - x)^2")
    made = [pipeline.program(pipeline.parsed(source), {"twice": value}) for value in (False, True)]
    for number, parameters in enumerate(({"a": 3.0}, {"twice": True})):
        loss = LoadedLoss(source, (-1,), parameters, made)
        assert loss.program is made[number]
        assert loss.numpy([0.0], [1.0]) == lossdsl.load(source, **parameters).numpy([0.0], [1.0])
    assert LoadedLoss(source, (-1,), {"twice": True}, made[:1]).program.loss.settled == {"twice": True}


def test_the_twin_needs_no_keras() -> None:
    import subprocess

    script = "import sys, lossdsl; lossdsl.load('huber').numpy([1.0], [2.0]); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


OVER_AXES = [
    "mean(b)", "sum(b)", "max[last](b)", "mean[all](b)", "sum[batch](b)*x", "softmax(b)*x", "cumsum(b) + x", "prod(b)",
    "sum[i](b[i])", "sum[j in batch](b[j])", "b[0] + x", "count(exp(b) > t)", "argmax(b)*x", "len(b)*x", "sum(b[1:])",
    "b[1:]*x[1:]", "sort(b)*x", "x[argmax(b)]", "var(b) + x", "any[batch](b > t)*x", "logsumexp(b)", "norm(b)",
]  # fmt: skip


@pytest.mark.parametrize("over", OVER_AXES)
def test_what_cancels_to_a_number_keeps_its_axes(over: str) -> None:
    """`e - e` is 0 once terms cancel, and has no axes then: what is summed, sorted or cut along them still has them."""
    t, x = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]), np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    vanishing = twin(f"e = t - x\nb = exp(-(abs(e)*(e - e))^2)\n{over}")
    written = twin(f"loss f(t, x, zero)\nb = exp(zero)\n{over}")  # the same, and the compiler does not know it
    value = written(t, x, np.zeros_like(t))
    np.testing.assert_allclose(vanishing(t, x), value, rtol=1e-12)
    np.testing.assert_allclose(vanishing.grad(t, x), written.grad(t, x, np.zeros_like(t)), rtol=1e-12, atol=1e-12)


def test_a_sum_of_hundreds_of_terms_is_differentiated() -> None:
    found = twin("(t" + " - x" * 700 + ")^2")
    np.testing.assert_allclose(found.grad([2.0], [0.5]), [-1400.0 * (2.0 - 350.0)], rtol=1e-12)


def test_a_vector_picks_one_element_of_all_rows() -> None:
    loss = twin("loss f(t, x; w: vector)\nx[argmax(w)]*t", w=[1, 3, 2])
    t, x = np.ones((2, 3)), np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    np.testing.assert_allclose(loss(t, x), [0.2, 0.5], rtol=1e-15)
    np.testing.assert_allclose(loss.grad(t, x), [[0, 1, 0], [0, 1, 0]], rtol=1e-15)


# --- second derivatives, rows, weights

MEETING = [
    "loss f(t, x)\n(x[0] - 2*x[1])^2*x[2] + t[0]",  # elements that meet by their numbers alone
    "loss f(t, (m, s))\n0.5*((t - m)^2*exp(-s) + s)",
    "mean[all](exp(x)*t)^2",
    "mean[batch](x)*x - t",
    "sum[j in batch](exp(x - x[j]))*t",
    "loss f(t: label, x)\n-log_softmax(x)[t]*sum(x^2)",
]


def inputs_of(loss: Any, rng: np.random.Generator, rows: tuple[int, ...]) -> list[Any]:
    found = []
    for one in loss.program.loss.inputs:
        width = 3 * len(one.nodes) if loss.name == "f" else 3
        found.append(rng.integers(0, 3, rows) if one.is_label else rng.uniform(0.05, 0.95, (*rows, width)))
    return found


@pytest.mark.parametrize("rows", [(4,), (2, 2)])
@pytest.mark.parametrize("source", [*THOROUGH, *MEETING])
def test_second_derivatives_are_slopes_of_the_gradient(source: str, rows: tuple[int, ...], rng: Any) -> None:
    """Compared with a central difference of the gradient, which itself is compared with 60 digits elsewhere."""
    loss = lossdsl.load(source)
    if len(loss.program.loss.inputs) > 2 or (source in THOROUGH and len(rows) > 1):
        return
    t, x = inputs_of(loss, rng, rows)
    found, step = loss.numpy.hess(t, x), 1e-5
    assert found.shape == x.shape
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] += step
        below[place] -= step
        slope = (loss.numpy.grad(t, above)[place] - loss.numpy.grad(t, below)[place]) / (2 * step)
        np.testing.assert_allclose(found[place], slope, rtol=1e-5, atol=1e-5)


def test_the_second_derivative_in_another_input_and_of_one_sample() -> None:
    assert twin("x*t^3").hess([2.0], [5.0], wrt="t").tolist() == [60.0]  # 6*t*x
    assert twin("x*t^3").hess([2.0, 1.0], [5.0, 1.0], wrt="t").tolist() == [30.0, 3.0]  # of the mean of two
    with pytest.raises(lossdsl.LossTypeError, match="is a label"):
        twin(LABELS).hess([0], [[1.0, 2.0]], wrt="t")
    with pytest.raises(lossdsl.LossLimitError, match="10201 elements meet"):
        twin("mean[all](x*t)^2").hess(np.ones((101, 101)), np.ones((101, 101)))


def test_rows_in_arrays_of_rank_one() -> None:
    rows = twin("huber", delta=1.0).by_row
    t, x = np.zeros(3), np.array([0.5, 3.0, -2.0])
    assert rows(t, x).tolist() == [0.125, 2.5, 1.5]
    assert rows.grad(t, x).tolist() == [0.5, 1.0, -1.0]
    assert rows.hess(t, x).tolist() == [1.0, 0.0, 0.0]
    assert rows(t[:, None], x[:, None]).tolist() == rows(t, x).tolist()
    assert pickle.loads(pickle.dumps(rows))(t, x).tolist() == rows(t, x).tolist()


def test_means_and_sums_under_weights() -> None:
    loss = twin("mse")
    t, x, w = np.zeros(3), np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 3.0])
    assert (loss.mean(t, x), loss.sum(t, x)) == (14 / 3, 14.0)
    assert (loss.mean(t, x, sample_weight=w), loss.sum(t, x, sample_weight=w)) == (7.0, 28.0)
    assert loss.mean(t, x, sample_weight=0 * w) == 0.0
    with pytest.raises(lossdsl.LossShapeError, match=r"the weights have shape \(2,\)"):
        loss.mean(t, x, sample_weight=[1.0, 2.0])
    with pytest.raises(lossdsl.LossShapeError, match="one number for the whole batch"):
        twin("mean[all](abs(t - x))").mean(t, x, sample_weight=w)


def test_as_a_metric_of_scikit_learn_and_a_function_for_scipy(rng: np.random.Generator) -> None:
    x = rng.normal(size=(60, 2))
    y = x @ [1.0, -2.0] + 0.1 * rng.normal(size=60)
    loss = lossdsl.load("huber", delta=0.5).numpy
    scorer = make_scorer(loss.mean, greater_is_better=False)
    scores = cross_val_score(LinearRegression(), x, y, scoring=scorer, cv=3, n_jobs=2)
    own = [-loss.mean(y[k], LinearRegression().fit(np.delete(x, k, 0), np.delete(y, k)).predict(x[k]))
           for k in np.array_split(np.arange(60), 3)]  # fmt: skip
    np.testing.assert_allclose(scores, own)
    found = minimize(lambda w: (loss.sum(y, x @ w), x.T @ loss.by_row.grad(y, x @ w)), np.zeros(2), jac=True)
    np.testing.assert_allclose(found.x, np.linalg.lstsq(x, y)[0], atol=1e-5)  # all errors are within delta
    again = Parallel(n_jobs=2)(delayed(loss.mean)(y, each) for each in (y, y + 1.0))
    assert again == [0.0, loss.mean(y, y + 1.0)]


@pytest.mark.parametrize("text", ["max(t - x)", "argmax(t)*x", "categorical_hinge"])
def test_of_no_elements_there_is_no_largest(text):
    loss = lossdsl.load(text if text.isidentifier() else f"loss mine(t, x)\n{text}")
    with pytest.raises(lossdsl.LossShapeError, match="0 elements along `last`"):
        loss.numpy.value_and_grad(np.zeros((2, 0)), np.zeros((2, 0)))


CLASSES = "loss weighted(t: label, x; w: vector)\n-w[t]*log_softmax(x)[t]"


@pytest.mark.parametrize(
    "text, length",
    [
        (CLASSES, 4),
        (CLASSES, 6),
        (CLASSES.replace("; w", ", w"), 4),  # an input in the place of a parameter
        ("loss costs(t: label, x; w: vector)\nC = softmax(x)\n-log(C[t]) + sum[j in batch](w[t[j]])", 4),
    ],
)
def test_what_a_label_names_is_as_long_as_what_else_it_names(text, length):
    t, x, w = np.array([0, 1, 4]), np.zeros((3, 5)), np.arange(1.0, length + 1)
    is_parameter = ";" in text
    with pytest.raises(lossdsl.LossShapeError, match="`w` has shape"):
        lossdsl.load(text, **{"w": w} if is_parameter else {}).numpy(t, x, *() if is_parameter else (w,))
    fits = np.arange(1.0, 6.0)
    found = lossdsl.load(text, **{"w": fits} if is_parameter else {}).numpy(t, x, *() if is_parameter else (fits,))
    assert np.isfinite(found).all()


def test_one_number_a_row_is_no_choice_of_classes():
    """As scikit-learn gives the probability of one of two classes alone."""
    loss = lossdsl.load("sparse_categorical_crossentropy").numpy
    with pytest.raises(lossdsl.LossShapeError, match="one number a row, and `t` names one of several") as caught:
        loss.mean([0, 1, 1], [0.2, 0.9, 0.8])
    assert "binary_crossentropy" in caught.value.hint
    assert loss.mean([0, 1], [[0.5, 0.5], [0.5, 0.5]]) == pytest.approx(np.log(2))
    assert loss(0, [0.5, 0.5]) == pytest.approx(np.log(2))  # one sample

"""What no condition selects never matters: for random formulas, value and gradient are the same, bit for bit.

Here on numpy: the twin, what tensor libraries run, and what is emitted. `backend_trial.py` has the same law for losses
that are compiled for TensorFlow, JAX and torch. Where nothing is selected is found by the formula as it was written,
run forward.
"""

import numpy as np
import pytest
from choices import HEADER, SHAPE, Inputs, drawn, poisoned, sources
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl.runtime.execute import functions
from lossdsl.transform.masks import masked

# A failing formula is short enough to be read; shrinking it takes minutes.
tried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], phases=[Phase.generate])


@settings(tried, max_examples=120)
@given(sources(), st.integers(0, 1000))
def test_what_is_not_selected_never_matters(source: str, seed: int) -> None:
    inputs = drawn(seed)
    cases = list(poisoned(source, inputs))
    assume(cases)
    program = lossdsl.load(source).program
    made = functions(program.module("numpy"), "choices")
    emitted: dict = {"__name__": "emitted"}
    exec(program.emitted("numpy", {}), emitted)  # noqa: S102 - what is emitted is tested
    harmless = everything(made, emitted, inputs)
    for poison, given_ in cases:
        for name, found in everything(made, emitted, given_).items():
            np.testing.assert_array_equal(found, harmless[name], err_msg=f"{name} with {poison}: {given_}")


def everything(made: dict, emitted: dict, inputs: Inputs) -> dict[str, np.ndarray]:
    """Value and gradients in t and x, each in all the ways in which numpy has them."""
    arrays = list(inputs.values())
    with np.errstate(all="ignore"):
        value = made["value"](*arrays)
        found = {"value": value, "emitted value": emitted["choices"](*arrays)}
        for name in "tx":
            found[f"gradient in {name}"] = made[f"gradient_{name}"](*arrays)[0]
            found[f"pullback in {name}"] = made[f"pullback_{name}"](*arrays, np.ones_like(value))[0]
        found["emitted gradient in x"] = emitted["choices_gradient"](*arrays)
    return found


FORMULAS = [
    "mean(where(isnan(t), 0, (t - x)^2))",
    "mean[last if not isnan(t)]((t - x)^2)",
    "mean[last if t < inf]((t - x)^2)",
    "mean(where(isnan(t), 0, abs(t - x)))",
    "mean(cases(isnan(t): 0, abs(t - x) < 1: 0.5*(t - x)^2, else: abs(t - x) - 0.5))",
    "mean(where(not isnan(t), softplus(x) - t*x, 0))",
    "sum(where(isnan(t), 0, -t*log_softmax(x)))",
    "logsumexp[last if not isnan(t)](t*x)",
    "sum[j if not isnan(t[j])]((t[j] - x[j])^3)",
]
"""Formulas that leave out the elements whose target is nan."""


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("formula", FORMULAS)
def test_targets_that_are_missing_are_as_if_masked(formula: str, poison: float) -> None:
    """The same as of a mask input beside a target that is a number everywhere; and 0 in the gradient."""
    inputs = drawn(7)
    missing = inputs["m"] == 0
    with_nan = {**inputs, "t": np.where(missing, np.nan, inputs["t"]), "x": np.where(missing, poison, inputs["x"])}
    if "log_softmax" in formula:  # which is about all predictions
        with_nan["x"] = inputs["x"]
    if "< inf" in formula:
        with_nan["t"] = np.where(missing, np.inf, inputs["t"])
    by_mask = formula.replace("isnan(t[j])", "m[j] == 0").replace("isnan(t)", "m == 0").replace("t < inf", "m == 1")
    found = lossdsl.load(f"{HEADER}\n{formula}").numpy.value_and_grad(**with_nan)
    wanted = lossdsl.load(f"{HEADER}\n{by_mask}").numpy.value_and_grad(**inputs)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-15, atol=1e-16)
    assert np.all((found[1] == 0)[missing]) or "softmax" in formula


def test_a_missing_target_by_hand() -> None:
    """The derivative of (1 - x)^2 at 3, and nothing where the target is nan."""
    loss = lossdsl.load("loss f(t, x)\nsum(where(isnan(t), 0, (t - x)^2))")
    assert loss.numpy.grad([[np.nan, 1.0]], [[2.0, 3.0]]).tolist() == [[0.0, 4.0]]


UNMASKED = ["huber", "hinge", "quantile", "sparse_categorical_crossentropy", "cosine_similarity", "circle"]


@pytest.mark.parametrize("name", UNMASKED)
def test_what_both_pieces_need_is_not_selected(name: str) -> None:
    """Only a mask that an author wrote makes a second choice: huber's error is in both of its pieces."""
    program = lossdsl.load(name).program
    assert masked(program.loss.result, program.known) is program.loss.result


@pytest.mark.parametrize(
    "source",
    [
        "where(isnan(t), 0, (t - x)^2)",
        "mean(where(not t < inf, 0, (t - x)^2))",
        "loss f(lo, x, hi: positive scalar)\nwhere(hi == inf, relu(lo - x), relu(lo - x) + relu(x - hi))",
    ],
)
def test_what_asks_for_nan_or_infinity_is_no_dead_piece(source: str) -> None:
    report = lossdsl.check(source)
    assert not [finding for finding in report.findings if finding.id == "dead-piece"]


def test_nothing_is_made_over_the_axes_of_two_operands_for_a_mask(rng: np.random.Generator) -> None:
    """Pairs that a label leaves out: each operand is selected by itself, and the products stay a matrix product."""
    source = "loss f(y: label, x)\nsum[j in batch if y[j] != y](exp(sum(x*x[j])))"
    code = lossdsl.load(source).program.show("numpy")
    assert "einsum('abc,bcd->abd'" in code
    loss = lossdsl.load(source).numpy
    y, x = np.array([0, 0, 0]), rng.normal(size=SHAPE)
    assert loss.grad(y, np.where(np.arange(3)[:, None] == 1, np.nan, x)).tolist() == np.zeros(SHAPE).tolist()


@pytest.mark.parametrize("piece", ["log(x)", "x^x", "1/x", "sqrt(x)"])
@pytest.mark.parametrize("others", ["exp(x)", "(1 + x^2)"])
def test_an_element_that_is_not_read_never_matters(piece: str, others: str) -> None:
    """Of u the first element is read alone; what the others are, and how steep they are, is nobody's business."""
    loss = lossdsl.load(f"loss f(t, x)\nu = cases(x > 3: 0, x > 100: x, else: {piece})\nsum(u[0]/{others})")
    known = lossdsl.load(f"loss f(t, x)\nsum(where(x[0] > 3, 0, {piece.replace('x', 'x[0]')})/{others})")
    t = np.zeros((1, 4))
    for x in ([[0.5, 0.0, -2.0, -0.5]], [[2.0, -1.0, 0.0, 7.0]]):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(loss.numpy.grad(t, x), known.numpy.grad(t, x), rtol=1e-12)


@pytest.mark.parametrize("cut", ["e[:2]", "e[1:]", "sum(e[-1:])", "e[1:3]", "e[1:] - e[:-1]", "e[1:-1]*e[2:]"])
@pytest.mark.parametrize("piece", ["log({})", "1/{}", "sqrt({})", "acos({})", "{}^(-1.5)", "lgamma({})", "exp(1/{})"])
def test_what_is_cut_away_never_matters(piece: str, cut: str) -> None:
    """Elements that only what is cut away reads may be nan, infinite or at a pole: those where nan leaves a value."""
    loss = lossdsl.load(f"loss cut(x)\ne = {piece.format('x')}\n{cut}").numpy
    x = np.array([[0.25, 0.5, 0.75, 0.375]])
    slopes = loss.grad(x)
    for place in np.flatnonzero([np.isfinite(loss(np.where(one, np.nan, x)))[0] for one in np.eye(4)]):
        for poison in (np.nan, np.inf, 0.0, -1.0, 1e38):
            poisoned_ = x.copy()
            poisoned_[0, place] = poison
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(loss.grad(poisoned_), slopes, err_msg=f"{poison} at {place}")


@pytest.mark.parametrize("read", ["sort(e)[2]", "median(e)", "quantile(e, 0.6)", "mean(sort(e)[1:3])", "cumsum(e)[1]"])
@pytest.mark.parametrize("piece", ["log({})", "1/{}", "{}^(-1.5)", "-sqrt({})"])
def test_an_element_that_no_order_picks_never_matters(piece: str, read: str) -> None:
    """The last element comes to a pole of the slope, at the same end of the order that it has near the pole."""
    loss = lossdsl.load(f"loss picked(x)\ne = {piece.format('x')}\n{read}")
    code = functions(loss.program.module("numpy"), "picked")
    near, there = np.array([[[2.0, 0.5, 0.75, 0.375, last]] for last in (1e-3, 0.0)])
    with np.errstate(all="ignore"):
        assert loss.numpy(there) == loss.numpy(near)
        wanted = loss.numpy.grad(near)
        assert wanted[0, -1] == 0
        np.testing.assert_array_equal(loss.numpy.grad(there), wanted)
        np.testing.assert_array_equal(code["pullback_x"](there, np.ones(1))[0], wanted)


@pytest.mark.parametrize("read", ["median(x)", "quantile(x, 0.3)", "max(x)", "sort(x)[-1]", "median(x[1:])"])
def test_what_is_no_number_has_no_middle(read: str) -> None:
    """A nan anywhere in a row is nan, of numpy's arrays and in what is emitted; the other rows have their numbers."""
    loss, x = lossdsl.load(f"loss middle(x)\n{read}"), np.array([[1.0, 3.0, 2.0, 0.0], [4.0, 1.0, 2.0, 5.0]])
    emitted: dict = {"__name__": "emitted"}
    exec(loss.program.emitted("numpy", {}), emitted)  # noqa: S102 - what is emitted is tested
    for place in np.ndindex(x.shape):
        poisoned_ = x.copy()
        poisoned_[place] = np.nan
        is_read = place[1] > 0 or "[1:]" not in read
        for found in (loss.numpy(poisoned_), emitted["middle"](poisoned_)):
            assert np.isnan(found).tolist() == [is_read and row == place[0] for row in range(2)]

"""The numpy twin works out a few samples at a time: the same numbers, to the last bit, in little memory."""

import ast
import tracemalloc

import numpy as np
import pytest

import lossdsl
from lossdsl.runtime import by_rows
from lossdsl.runtime.execute import functions
from lossdsl.targets.twin_code import QUICK

SHAPE = (61, 150)
CASES = {
    "huber": "huber",
    "hinge": "hinge",  # a condition on the labels of the whole batch
    "log_cosh": "log_cosh",
    "focal": "binary_focal_crossentropy",
    "labels": "loss f(t: label, x: logits)\nlogsumexp(x) - x[t]",
    "softmax": "loss f(t, x: logits)\nsum(t*log_softmax(x))",
    "packed": "loss f(t, (m, s))\nsoftplus(s) + (t - m)^2*exp(-s)",
    "a weight a sample": "loss f(t, x, w: scalar)\nw*abs(t - x)",
    "one vector for all samples": "loss f(t, x, w: vector)\nw*abs(t - x)",
    "bounds of the batch": "loss f(t, x)\n(t - x)^2/(1 + max[all](abs(t))) - min[all](t)*x",
    "two conditions": "loss f(t, x)\nwhere(all[all](t > -9), x, t)^2 + where(any[all](t > 2), abs(x), 0)",
    "one input": "loss f(x)\nwhere(any[all](x > 1), x^2, abs(x))",
    "the whole batch": "loss f(t, x)\n(t - mean[batch](t))^2*x^2 + sort(x)[0]",
}


def arrays(text, shape, dtype, seed=1):
    """Inputs of a loss, and the twin."""
    rng = np.random.default_rng(seed)
    loss = lossdsl.load(text)
    made = {}
    for one in loss.program.loss.inputs:
        size = {"label": shape[:-1], "scalar": shape[:-1], "vector": shape[-1:]}.get(one.layout, shape)
        size = (*size[:-1], size[-1] * len(one.nodes)) if one.layout == "" else size
        values = rng.normal(size=size)
        values = 1 / (1 + np.exp(-values)) if one.domain in ("prob", "binary") else values
        values = np.sign(values) if one.domain == "sign" or text == "hinge" else values
        made[one.identifier] = rng.integers(0, shape[-1], size) if one.is_label else values.astype(dtype)
    return loss.numpy, made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_blocks_change_no_bit(name, dtype, monkeypatch):
    for shape in (SHAPE, (23, 3, 130)):
        twin, inputs = arrays(CASES[name], shape, dtype)
        monkeypatch.setattr(by_rows, "_BLOCK", 10**9)
        whole = [twin(**inputs), *twin.value_and_grad(**inputs), twin.grad(**inputs)]
        for block in (1, 8000, 8 * 4096 + 9000):
            monkeypatch.setattr(by_rows, "_BLOCK", block)
            again = lossdsl.load(CASES[name]).numpy
            found = [again(**inputs), *again.value_and_grad(**inputs), again.grad(**inputs)]
            for one, other in zip(found, whole, strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(whole[0], whole[1])
        np.testing.assert_array_equal(whole[2], whole[3])


@pytest.mark.parametrize("name", ["huber", "pseudo_huber", "binary_crossentropy", "categorical_crossentropy", "focal"])
def test_numbers_in_the_code_of_large_arrays_change_no_bit(name):
    """Parameters that are 0 or 1 leave operations away there; so does the second sum of exponentials."""
    shape = (300, 500)
    twin, inputs = arrays(CASES.get(name, name), shape, "float32")
    assert max(one.nbytes for one in inputs.values()) >= by_rows.SEVERAL
    whole = twin.value_and_grad(**inputs)
    for start in range(0, shape[0], 60):
        some = {key: one[start : start + 60] for key, one in inputs.items()}
        for one, other in zip(whole, twin.value_and_grad(**some), strict=True):
            np.testing.assert_array_equal(one[start : start + 60], other)


def test_what_takes_samples_together_is_not_cut():
    for name in CASES:
        program = lossdsl.load(CASES[name]).program
        _, rows = program.twin_module(program.loss.prediction, has_value=True)
        assert (rows is None) == (name == "the whole batch")
    program = lossdsl.load(CASES["one vector for all samples"]).program
    assert program.twin_module(program.loss.input("w"), has_value=False)[1] is None


def test_memory_beyond_the_results_is_that_of_a_block():
    t, x = np.random.default_rng(1).normal(size=(2, 2000, 500))
    twin = lossdsl.load("huber").numpy
    twin.value_and_grad(t[:3], x[:3])
    tracemalloc.start()
    try:
        results = twin.value_and_grad(t, x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - sum(one.nbytes for one in results) < 10 * by_rows._BLOCK < x.nbytes


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_a_choice_by_bits_is_a_choice(dtype):
    choose = functions(ast.parse("import numpy as np\n" + QUICK), "choose")["_choose"]
    rng = np.random.default_rng(1)
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5]) if dtype != "int64" else np.arange(6)
    a, b = (rng.choice(special, (90, 60)).astype(dtype) for _ in range(2))
    many, few = rng.random((90, 60)) < 0.5, rng.random((90, 1)) < 0.5
    tall = rng.random((5000, 1)) < 0.5
    cases = [(many, a, b), (few, a, b), (many, a, 0.0), (many, 1, b), (many, a[:1], b[:, :1]), (np.True_, a, b)]
    cases += [(np.False_, a, b[0]), (tall, a[0], b[1]), (many.T, a.T, b.T), (many, a, -0.0), (many, 2.0, 0.5)]
    for condition, one, other in cases:
        found, wanted = choose(condition, one, other), np.where(condition, one, other)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
        if found.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))


def test_a_bound_is_a_bound():
    made = functions(ast.parse("import numpy as np\n" + QUICK), "bound")
    special = np.random.default_rng(1).choice([np.nan, np.inf, -np.inf, 0.0, 1.5, -2.0], (90, 60))
    for a in (special, special.astype("float32"), special[0], np.arange(5000)):
        for b in (0.0, 1.0, -np.inf, np.nan, special[0, :1], a):
            for ours, numpys in (("_larger", np.maximum), ("_smaller", np.minimum)):
                found, wanted = made[ours](a, b), numpys(a, b)
                assert found.dtype == wanted.dtype
                np.testing.assert_array_equal(found, wanted)


def test_sums_over_rows_keep_their_digits():
    """As many partial sums are made as by np.sum, however long the rows are."""
    for length in (31, 32, 1000, 2048, 2049):
        t, x = np.random.default_rng(length).uniform(size=(2, 300, length)).astype("float32")
        exact = np.abs(t - x).astype("float64").mean(-1)
        assert np.abs(lossdsl.load("mae").numpy(t, x) / exact - 1).max() < 6 * 2.0**-24, length

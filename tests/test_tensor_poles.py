"""Poles of losses over whole tensors: each is a break with a point, which is put in by hand."""

import numpy as np
import pytest

import lossdsl


def total(x):
    return np.sum(x, axis=-1)


POLES = [
    ("1/(sum(x) - 3.7)", lambda t, x: total(x) - 3.7),
    ("log(abs(mean(x) - 41.3))", lambda t, x: np.mean(x, axis=-1) - 41.3),
    ("1/(max[last](x) - 2)", lambda t, x: np.max(x, axis=-1) - 2),
    ("exp(-1/(norm(x) - 2)^2)", lambda t, x: np.sqrt(total(x**2)) - 2),
    ("1/(sum(x*t) - 7.77)^2", lambda t, x: total(x * t) - 7.77),
    ("sigmoid(1/(sum(exp(x)) - 2))", lambda t, x: total(np.exp(x)) - 2),
    ("abs(1 - sum(x)/3)^(-0.5)", lambda t, x: 1 - total(x) / 3),
    ("sum(t*x)/(norm(t)*norm(x))", lambda t, x: total(x**2)),
    ("1/(x - mean(x) - 0.3)", lambda t, x: x - np.mean(x, axis=-1, keepdims=True) - 0.3),
    ("loss f(t, x: prob)\n1/(mean(x) - 0.37)", lambda t, x: np.mean(x, axis=-1) - 0.37),
    ("loss f(t: label, x: simplex)\n1/(x[t] - 0.3)",
     lambda t, x: np.take_along_axis(x, t[..., None].astype(int), axis=-1)[..., 0] - 0.3),
]  # fmt: skip


@pytest.mark.parametrize("source, level", POLES, ids=[source for source, _ in POLES])
def test_a_pole_over_tensors_is_a_break_with_a_point(source, level):
    found = lossdsl.properties(source)
    assert {found[name].how for name in ("continuous", "smooth", "finite")} == {"refuted"}
    at = {name: np.asarray(value, dtype=float) for name, value in found["continuous"].at.items()}
    assert np.min(np.abs(level(at["t"], at["x"]))) < 1e-13
    if "simplex" in source:
        np.testing.assert_allclose(total(at["x"]), 1)


@pytest.mark.parametrize(
    "source",
    [
        "1/(norm(x) + 1)",
        "where(sum(x) > 5, 1/(sum(x) - 3.7), 1)",  # not selected there
        "xlogy(sum(x), abs(sum(x)))",  # 0, not a pole
        "log(sum(x) - 3.3)",  # it has values on one side alone
        "1/(floor(sum(x)) + 0.5)",  # jumps past 0
        "loss f(t, x: prob)\n1/(mean(x) - 1.5)",
        "loss f(t: label, x: simplex)\n1/(sum(x) - 2)",
    ],
)
def test_what_is_no_pole_over_tensors_is_none(source):
    found = lossdsl.properties(source)["continuous"]
    assert "no finite value" not in found.detail

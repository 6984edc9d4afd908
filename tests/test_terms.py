"""Sums and outputs in YAML, and the terms of sums: what they come to, and what is said of a mistake."""

import keras
import numpy as np
import pytest

import lossdsl
from lossdsl.config import description, find_losses, keys_of_losses
from lossdsl.errors import LossError
from lossdsl.ir.text import formula
from lossdsl.runtime.keras_terms import named_terms

T, X = np.array([[0.5], [2.0]]), np.array([[1.0], [-1.0]])
E = (T - X)[:, 0]


def huber(delta):
    return np.where(np.abs(E) < delta, 0.5 * E**2, delta * (np.abs(E) - 0.5 * delta))


@pytest.mark.parametrize(
    "text, wanted, parameters",
    [
        ("- huber\n- abs(x)", huber(1) + abs(X[:, 0]), {}),
        ("- huber: {delta: 0.5}\n  weight: 2\n- {formula: abs(x), weight: 1e-1}",
         2*huber(0.5) + 0.1*abs(X[:, 0]), {"huber_delta": 0.5, "huber_weight": 2, "term2_weight": 0.1}),
        ("terms: [huber, {huber: {delta: 2}}, {huber: {delta: 3}, name: wide}]\nreduction: sum",
         huber(1) + huber(2) + huber(3), {"huber2_delta": 2, "wide_delta": 3}),
        ("- {formula: 'a*abs(t - x)^p', params: {a: 2, p: 3}, name: power}\n- mean_squared_error",
         2*abs(E)**3 + E**2, {"power_a": 2, "power_p": 3}),
        ("- {file: own.loss, weight: 0.5}\n- huber", 0.5*E**4 + huber(1), {"own_weight": 0.5}),
    ],
)  # fmt: skip
def test_a_list_is_a_sum(tmp_path, text, wanted, parameters):
    (tmp_path / "own.loss").write_text("loss huber_(t, x)\n(t - x)^2\nloss own(t, x)\nhuber_(t, x)^2", encoding="utf-8")
    (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
    loss = lossdsl.from_yaml(tmp_path / "train.yaml")
    np.testing.assert_allclose(loss.numpy(T, X), wanted, rtol=1e-12)
    assert loss.spec.parameters == parameters
    again = type(loss).from_config(loss.get_config())
    np.testing.assert_allclose(float(again(T, X)), float(loss(T, X)))
    assert float(loss(T, X)) == pytest.approx(wanted.sum() if "sum" in text else wanted.mean(), rel=1e-6)


def test_kinds_and_parameters_of_terms_are_kept():
    loss = lossdsl.from_config([{"sparse_categorical_crossentropy": {"from_logits": True}, "weight": 2.0}])
    (target, _) = loss.spec.program.loss.inputs
    assert target.is_label
    plain = lossdsl.load("sparse_categorical_crossentropy", from_logits=True).numpy
    t, x = [0, 1], [[1.0, 2.0], [0.5, 3.0]]
    np.testing.assert_allclose(loss.numpy(t, x), 2 * plain(t, x))


def test_weights_of_terms_are_learned():
    loss = lossdsl.from_yaml("- huber\n- {formula: 'exp(-s)*(t - x)^2 + s', params: {s: {learned: 0.5}}, name: own}")
    assert loss.now == {"own_s": 0.5}
    loss = lossdsl.from_yaml(
        "- huber\n- formula: abs(x)\n  name: size\n  weight:\n    schedule:\n      class_name: PolynomialDecay\n"
        "      config: {initial_learning_rate: 0.25, decay_steps: 10}\n    by: epoch"
    )
    assert loss.now == {"size_weight": 0.25}


def test_outputs_are_what_compile_takes():
    inputs = keras.Input((1,))
    model = keras.Model(
        inputs, {"a": keras.layers.Dense(1, name="a")(inputs), "b": keras.layers.Dense(1, name="b")(inputs)}
    )
    text = "outputs: {a: {huber: {delta: 2}}, b: {terms: [huber, abs(x)], weight: 0.5}}"
    model.compile("sgd", **lossdsl.from_yaml(text))
    a, b = (model.predict(T, verbose=0)[name][:, 0] for name in "ab")
    one, two = lossdsl.load("huber", delta=2.0).numpy, lossdsl.load("loss f(t, x)\nhuber(t, x) + abs(x)").numpy
    wanted = one(T, a[:, None]).mean() + 0.5 * two(T, b[:, None]).mean()
    assert model.evaluate(T, {"a": T, "b": T}, verbose=0, return_dict=True)["loss"] == pytest.approx(wanted, rel=1e-5)


def test_check_finds_each_of_the_losses(tmp_path):
    (tmp_path / "train.yaml").write_text(
        "train:\n  loss:\n    outputs: {a: huber, b: {huber: {}, weight: 2}, c: [huber, abs(x)]}", encoding="utf-8"
    )
    names = [one.source.name for one in find_losses(tmp_path / "train.yaml")]
    assert names == ["huber.loss", "huber.loss", "<terms>"]
    keys = [f"train.loss.outputs.{name}" for name in "abc"]
    assert keys_of_losses(tmp_path / "train.yaml") == keys
    assert [description(tmp_path / "train.yaml", key).source.name for key in keys] == names


@pytest.mark.parametrize(
    "text, message",
    [
        ("[huber, {huber: {dleta: 2}}]", ":1:18: config error: huber has no parameter `dleta`"),
        ("[huber, {huber: {delta: one}}]", ":1:25: parameter error: `huber2_delta` is a number, not 'one'"),
        ("[huber, {huber: {delta: -2}}]", ":1:25: parameter error: weighted requires"),
        ("[huber, {huber: {}, weight: big}]", ":1:29: parameter error: `huber2_weight` is a number"),
        ("[huber, {huber: {}, reduction: sum}]", "config error: `reduction` is an option of the sum, not of a term"),
        ("[huber, {sparse_categorical_crossentropy: {}}]", ":1:10: config error: the terms take other inputs"),
        ("[huber, [huber, {huber: {}}]]", ":1:9: config error: a term is one loss, and this is a list"),
        ("terms: huber", "config error: `terms` is a list of losses, and this is a text"),
        ("{terms: [], reduction: sum}", "config error: the list of losses is empty"),
        ("{terms: [huber], params: {a: 1}}", "config error: parameters stand under the loss of a term"),
        ("- huber\n- 'abs(t - '", ":2:"),
        ("{huber: {}, weight: 2}", "a weight belongs to a loss in a list"),
        ("outputs: {a: huber, b: {huber: {}, weight: a}}", ":1:44: config error: the weight of `b` is a number"),
        ("outputs: {a: huber}\nreduction: sum", ":2:1: config error: `reduction` stands beside `outputs`"),
        ("outputs: []\na: 1", "stands beside `outputs`"),
        ("outputs: [huber, {}]", "`outputs` holds a loss for each output, and this is a list"),
    ],
)
def test_mistakes_are_shown_in_the_text(text, message):
    with pytest.raises(LossError) as caught:
        lossdsl.from_yaml(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a = (t - x)^2\nb = abs(x)\na + 2*b", {"a": "(t - x)^2", "b": "abs(x)"}),
        ("a = (t - x)^2\nb = abs(x)\na - (b + a)/2", {"a": "(t - x)^2"}),
        ("a = (t - x)^2\nb = abs(x)\ntotal = a + b\ntotal", {"a": "(t - x)^2", "b": "abs(x)"}),
        ("a = (t - x)^2\nb = abs(x)\na - (-b) - 3*a", {"a": "(t - x)^2", "b": "abs(x)", "a2": "(t - x)^2"}),
        # a sum with a name is one term of another
        ("a = (t - x)^2\nb = abs(x)\nc = a + b\nc + x^2*b", {"c": "(t - x)^2 + abs(x)", "b": "abs(x)"}),
        ("huber(t, x) + 0.1*mae(t, x)", {"huber": "where(abs(t - x) < 1, 0.5*(t - x)^2, abs(t - x) - 0.5)",
                                         "mae": "abs(t - x)"}),
        # no sum; a term without a name, with two, and of parameters alone
        ("a = (t - x)^2\na", {}),
        ("a = abs(t - x)\nb = abs(x)\na*b + abs(t)", {}),
        ("a = abs(t - x)\nabs(x) + a", {"a": "abs(t - x)"}),
    ],
)  # fmt: skip
def test_terms_have_the_names_of_definitions_and_losses(text, expected):
    loss = lossdsl.load(f"loss f(t, x)\n{text}").program.loss
    assert {name: formula(term) for name, term in named_terms(loss).items()} == expected


def test_a_term_that_is_not_there_is_refused():
    loss = lossdsl.compile("loss f(t, x)\na = (t - x)^2\na + abs(x)")
    (term,) = loss.terms
    with pytest.raises(LossError, match="f has no term `b`"):
        type(term).from_config({**term.get_config(), "term": "b"})
    assert lossdsl.compile("huber").terms == []


@pytest.mark.parametrize("inputs, body, length", [
    ("(g: 1, low, high)", "mean((t - low)^2)*g + mean(high)", 7),
    ("(w: K, m, n: 1 prob); K: int = 2", "mean(m)*sum(w) + sum(t)*n", 7),
    ("(m: positive, s: 2)", "mean(log(m)) + sum(s) + sum(t)", 5),
])  # fmt: skip
def test_terms_whose_prediction_has_parts_of_stated_lengths(inputs, body, length, tmp_path):
    (tmp_path / "own.loss").write_text(f"loss own(t, {inputs})\n{body}\n")
    (tmp_path / "train.yaml").write_text("both:\n  - {file: own.loss, weight: 2}\n  - file: own.loss\n")
    t, x = np.ones((2, 3)), np.linspace(0.1, 1, 2 * length).reshape(2, length)
    loss = lossdsl.from_yaml(tmp_path / "train.yaml", "both")
    one = lossdsl.load(tmp_path / "own.loss").numpy
    np.testing.assert_allclose(loss.spec.numpy(t, x), 3 * one(t, x), rtol=1e-12)
    (tmp_path / "other.loss").write_text("loss other(t, (g: 3, low, high))\nmean(g) + mean(low*high) + mean(t)\n")
    (tmp_path / "train.yaml").write_text("both:\n  - {file: own.loss}\n  - file: other.loss\n")
    with pytest.raises(lossdsl.LossError, match="other inputs"):
        lossdsl.from_yaml(tmp_path / "train.yaml", "both")

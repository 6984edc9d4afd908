"""Packed inputs whose parts differ in length, labels with a last axis, and inputs that are as long as a part."""

import shutil
from random import Random

import numpy as np
import pytest
from javascript_trial import run
from part_cases import case
from test_papers import central_differences

import lossdsl
from lossdsl import LossError
from lossdsl.oracle.points import points

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 7))
FLAT, SEQUENCE, LABELS = RNG.normal(size=(3, 6)), RNG.normal(size=(2, 4, 3)), np.array([0, 2, 1])
MANY = np.array([[0, 3], [2, 2], [4, 1]])
ONE = RNG.normal(size=(3, 1))


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


CASES = [
    ("loss f(t, (g: 1, s))\ng*(t - s)^2", (FLAT, X), lambda t, x: x[:, 0] * ((t - x[:, 1:]) ** 2).mean(-1)),
    ("loss f(t, (s, g: 1))\ng*sum((t - s)^2)", (FLAT, X), lambda t, x: x[:, -1] * ((t - x[:, :-1]) ** 2).sum(-1)),
    ("loss f(t: label, (b: 2, c, o: 1, d: 1))\nsum(b^2)*o*d - log_softmax(c)[t]", (LABELS, X),
     lambda t, x: (x[:, :2] ** 2).sum(-1) * x[:, 5] * x[:, 6] - log_softmax(x[:, 2:5])[range(3), t]),
    ("loss f(t, (w: K, m); K: int = 3)\nsum[i](w[i + 1]*m[i]) + sum(0*t)", (ONE, X),
     lambda t, x: (x[:, 1:3] * x[:, 3:5]).sum(-1)),
    ("loss f(t: scalar, (w: 1, m))\nmean[i in space](t[i]*w[i + 1]*sum(m[i]))", (SEQUENCE[..., 0], SEQUENCE),
     lambda t, x: (t[:, :-1] * x[:, 1:, 0] * x[:, :-1, 1:].sum(-1)).mean(1)),
    ("loss h(t, (g: 1, s))\ng*(t - s)^2\n\nloss f(t, x)\nh(t, x[0], x[1:])", (FLAT, X),
     lambda t, x: x[:, 0] * ((t - x[:, 1:]) ** 2).mean(-1)),
    ("loss f(t, (g: 1, s, n))\nmean(g*(t - s)*n)", (FLAT[:, :3], X),
     lambda t, x: (x[:, :1] * (t - x[:, 1:4]) * x[:, 4:]).mean(-1)),
    ("loss f(t, (s, b: K, n, o: 1); K: int = 2)\no*sum(b)*sum((t - s)^2*n)", (FLAT[:, :2], X),
     lambda t, x: x[:, 6] * x[:, 2:4].sum(-1) * ((t - x[:, :2]) ** 2 * x[:, 4:6]).sum(-1)),
    ("loss f((b: 1, a, c), (s, g: 1, n))\nmean[i in space](b[i]*g[i + 1]*sum(a[i]*s[i])*c[i + 1][0]*n[i][0])",
     (SEQUENCE, SEQUENCE[::-1] + 1),
     lambda t, x: (t[:, :-1, 0] * x[:, 1:, 1] * t[:, :-1, 1] * x[:, :-1, 0] * t[:, 1:, 2] * x[:, :-1, 2]).mean(1)),
    ("loss f(t: label last, x)\nmean(-log_softmax(x)[t])", (MANY, X[:, :5]),
     lambda t, x: -np.take_along_axis(log_softmax(x), t, 1).mean(1)),
    ("loss f(t: label last, x)\nsum[k](where(any[j](t[j] == k), 0, x[k])) + x[t[0]]", (MANY, X[:, :5]),
     lambda t, x: np.where((t[:, None] == np.arange(5)[:, None]).any(-1), 0, x).sum(1) + x[range(3), t[:, 0]]),
    ("loss f(t: sample label last, x)\nsum[k](mean[space](x[t[k]]))", (np.array([[0, 2], [1, 1]]), SEQUENCE),
     lambda t, x: np.stack([x[b][:, t[b]].mean(0).sum() for b in range(2)])),
    ("loss f(y: label, x, near: label last)\nsum[k](x[near[k] in batch, y])",
     (LABELS, X, np.array([[1, 2], [0, 2], [1, 1]])),
     lambda y, x, near: np.stack([x[near[b], y[b]].sum() for b in range(3)])),
]  # fmt: skip


@pytest.mark.parametrize("source, inputs, wanted", CASES, ids=[source for source, _, _ in CASES])
def test_what_a_formula_reads(source, inputs, wanted):
    """The twin, the emitted module and a compiled loss."""
    loss = lossdsl.load(source)
    value, slope = loss.numpy.value_and_grad(*inputs)
    expected = wanted(*inputs)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, central_differences(wanted, inputs), rtol=1e-8, atol=1e-9)
    emitted: dict = {"__name__": "emitted"}
    exec(loss.program.emitted("numpy", loss.parameters), emitted)  # noqa: S102 - what is emitted is tested
    np.testing.assert_allclose(emitted["f"](*inputs), expected, rtol=1e-12)
    t, x, *others = inputs
    compiled = lossdsl.compile(source, reduction=None, dtype="float64")
    np.testing.assert_allclose(compiled((t, *others) if others else t, x), expected, rtol=1e-12)


def test_vectors_by_default_are_saved_and_stand_in_yaml(tmp_path):
    """A default of several numbers, one given in YAML, and what a saved model makes of either."""
    import keras

    source = "loss f(t: label, x; w: vector = [1, 2, 0.5])\n-w[t]*log_softmax(x)[t]"
    labels, x = np.array([0, 2, 1, 1]), RNG.normal(size=(4, 3)).astype("float32")
    (tmp_path / "f.loss").write_text(source)
    (tmp_path / "train.yaml").write_text(
        "default:\n  file: f.loss\ngiven:\n  file: f.loss\n  params: {w: [3, 1, 2]}\n"
    )
    for name, weights in (("default", [1, 2, 0.5]), ("given", [3, 1, 2])):
        loss = lossdsl.from_yaml(tmp_path / "train.yaml", name)
        expected = (-np.array(weights)[labels] * log_softmax(x)[range(4), labels]).mean()
        assert float(loss(labels, x)) == pytest.approx(expected, rel=1e-6)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("linear")])
        model.compile("sgd", loss=loss)
        model.save(tmp_path / f"{name}.keras")
        again = keras.models.load_model(tmp_path / f"{name}.keras")
        assert float(again.evaluate(x, labels, verbose=0)) == pytest.approx(expected, rel=1e-6)
        assert again.loss.spec.parameters["w"] == loss.spec.parameters["w"]


REFUSED = [
    ("(g: 1, s: 2)", "no part takes what is left"),
    ("(g: 0, s)", "at least one element"),
    ("(g: k, s)", "no length of a part"),
    ("(g: 1.5, s)", "no length of a part"),
    ("(g: scalar, s)", "no length of a part"),
]


@pytest.mark.parametrize("packed, said", REFUSED)
def test_lengths_that_say_nothing(packed, said):
    with pytest.raises(LossError, match=said) as caught:
        lossdsl.load(f"loss f(t, {packed})\ng*(t - s)^2")
    assert caught.value.span is not None
    assert caught.value.hint


def test_parts_that_say_no_length_share_what_is_left(tmp_path):
    """Random parts, in the twin, the module for numpy, TensorFlow's graph without lengths, and JavaScript."""
    tf = pytest.importorskip("tensorflow")
    scripts, wanted = [], []
    for seed in range(24):
        one = case(Random(seed))
        t, x = one.inputs(Random(seed), *((3,), (2, 2))[seed % 2])
        loss = lossdsl.load(one.text)
        expected, slope = one.wanted(t, x), central_differences(one.wanted, (t, x))
        value, gradient = loss.numpy.value_and_grad(t, x)
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12, err_msg=one.text)
        np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-7, err_msg=one.text)
        emitted: dict = {"__name__": "emitted"}
        exec(loss.program.emitted("numpy", {}), emitted)  # noqa: S102 - what is emitted is tested
        np.testing.assert_allclose(emitted["f"](t, x), expected, rtol=1e-11, atol=1e-12, err_msg=one.text)
        scripts.append((loss.program.emitted("javascript", {}), [("f", [t, x]), ("f_gradient", [t, x])]))
        wanted.append((one.text, expected, gradient))
        if seed < 3:
            compiled = lossdsl.compile(one.text, reduction=None, dtype="float64")
            signature = [tf.TensorSpec([None] * array.ndim, tf.float64) for array in (t, x)]
            graph = tf.function(compiled, input_signature=signature, autograph=False)
            np.testing.assert_allclose(graph(t, x), expected, rtol=1e-11, atol=1e-12, err_msg=one.text)
    if shutil.which("node") is not None:
        for (text, *right), found in zip(wanted, run(tmp_path, scripts), strict=True):
            for mine, theirs in zip(found, right, strict=True):
                np.testing.assert_allclose(np.asarray(mine, float), theirs, rtol=1e-11, atol=1e-12, err_msg=text)


def test_second_derivatives_are_packed_as_the_parts_are():
    loss = lossdsl.load("loss f(t, (g: 1, s, n))\nmean(g^2*(t - s)^2 + exp(n)*t)").numpy
    t, x = FLAT[:, :3], X
    right = np.concatenate([2 * ((t - x[:, 1:4]) ** 2).mean(-1)[:, None], np.tile(x[:, :1] ** 2 * 2 / 3, (1, 3)),
                            np.exp(x[:, 4:]) * t / 3], axis=-1)  # fmt: skip
    np.testing.assert_allclose(loss.hess(t, x), right, rtol=1e-12)


@pytest.mark.parametrize("length", [0, 1, 4, 6])
def test_what_parts_cannot_share_is_refused(length, tmp_path):
    """By the twin, by emitted modules, and by emitted JavaScript; nothing is left and each part empty at 1."""
    loss = lossdsl.load("loss f(t: scalar, (g: 1, s, n))\ng + sum(s*n) + t")
    t, x = np.zeros(3), np.ones((3, length))
    module: dict = {"__name__": "emitted"}
    exec(loss.program.emitted("numpy", {}), module)  # noqa: S102 - what is emitted is tested
    for function, errors in ((loss.numpy, LossError), (module["f"], ValueError)):
        if length == 1:
            np.testing.assert_allclose(function(t, x), 1)
        else:
            with pytest.raises(errors, match="equal parts"):
                function(t, x)
    if shutil.which("node") is not None and length > 1:
        ((found,),) = run(tmp_path, [(loss.program.emitted("javascript", {}), [("f", [t, x])])])
        assert "equal parts" in found


def test_parts_that_share_are_put_in_order():
    """What `require` says of them is what samples keep to."""
    loss = lossdsl.load("loss f(t: scalar, (g: 1, low, high))\nrequire low <= high\n\nt*g + mean(sqrt(high - low))")
    for point in points(loss.program.loss, loss.program.known, 6):
        _, low, high = (point.values[node] for node in loss.program.loss.prediction.nodes)
        assert np.all(low <= high)
    with pytest.raises(LossError, match="two parts of one"):
        lossdsl.load("loss f(t: scalar, (g: 2, low, high))\nrequire g <= low\n\nt*sum(g) + mean(sqrt(high - low))")


def test_tensors_that_are_too_short():
    loss = lossdsl.load("loss f(t, (b: 4, s))\nsum(b) + sum(s) + 0*sum(t)").numpy
    with pytest.raises(LossError, match="4 and equal parts"):
        loss(ONE, X[:, :3])
    loss = lossdsl.load("loss f(t, (g: 1, s))\ng*(t - s)^2").numpy
    with pytest.raises(LossError, match="do not agree"):
        loss(FLAT, FLAT)
    for packed in ("(g: 1, s)", "(g: 1, s, n)"):  # an index runs over the part alone, and the message tells of it
        loss = lossdsl.load(f"loss f(t, {packed})\nsum[i](t[i]*s[i]) + g").numpy
        shared = 6 // packed.count(",")
        t, s = FLAT[:, :shared], X[:, 1 : 1 + shared]
        np.testing.assert_allclose(loss(t, X), (t * s).sum(1) + X[:, 0])
        with pytest.raises(LossError, match=rf"`t` has shape \(3, {shared - 1}\) and `s` has shape \(3, {shared}\)"):
            loss(FLAT[:, : shared - 1], X)


@pytest.mark.parametrize(
    "source",
    [
        "loss f(t, (g: 1, s))\nsoftplus(g)*(t - s)^2",
        "loss f(t, (g: 1, s, n: positive))\nsoftplus(g)*(t - s)^2/n + log(n)",
        "loss f(t, x)\n(t - x[1:])^2 + t^2",
        "loss f(t: label last, x)\nmean(-log_softmax(x)[t])",
    ],
)
def test_such_losses_are_checked(source):
    """Inputs that are as long as a part of another are drawn so."""
    report = lossdsl.check(source)
    assert {one.id for one in report.findings} <= {"no-example", "no-doc", "no-documentation"}
    assert "gradient" not in {one.id for one in report.findings}

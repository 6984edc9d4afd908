"""Gradients as formulas, LaTeX and code."""


import re

import numpy as np
import pytest
from shipped import THOROUGH

import lossdsl
from lossdsl import catalog, cli, pipeline
from lossdsl.ir.op import LIBRARIES
from lossdsl.ir.plain import plain
from lossdsl.ir.text import definitions
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import points
from lossdsl.runtime.execute import functions
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.targets import code, latex
from lossdsl.transform.gradient import gradient
from lossdsl.transform.guard import guarded
from lossdsl.transform.lower import lowered


@pytest.fixture
def grad(capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["grad", *arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


ELEMENT = "of the loss of each element, before the average."
SUM = "of the sum of its values."
SCALED = "loss l(t, x; d = 1.5, a = 1.0)\nrequire d > 0\nrequire a > 0\ne = t - x\n"

# arguments -> what the gradient is that of, and its lines, worked out by hand
FORMULAS = [
    (["huber"], "huber in x", ELEMENT, ["e = t - x", "-where(abs(e) < delta, e, delta*sign(e))"]),
    (["huber", "--param", "delta=0.5"], "huber in x", ELEMENT,
     ["e = t - x", "-where(abs(e) < 0.5, e, 0.5*sign(e))"]),
    (["huber", "--wrt", "t"], "huber in t", ELEMENT, ["e = t - x", "where(abs(e) < delta, e, delta*sign(e))"]),
    (["mse"], "mean_squared_error in x", ELEMENT, ["2*(x - t)"]),
    (["log_cosh"], "log_cosh in x", ELEMENT, ["tanh(x - t)"]),
    (["hinge.loss"], "hinge in x", ELEMENT,
     ["y = where(all[batch, space, last](t == 0 or t == 1), 2*t - 1, t)", "where(y*x <= 1, -y, 0)"]),
    (["kl_divergence"], "kl_divergence in x", SUM,
     ["q = min(max(x, 1e-7), 1)", "p = min(max(t, 1e-7), 1)", "where(x == q, -p/q, 0)"]),
    (["categorical_crossentropy", "--param", "from_logits=true", "--param", "label_smoothing=0"],
     "categorical_crossentropy in x", SUM, ["sum(t)*softmax(x) - t"]),
    (["sparse_categorical_crossentropy"], "sparse_categorical_crossentropy in x", SUM,
     ["u1 = x[t]", "u2 = sum(x)", "u3 = u1/u2", "u4 = t != -1 and u3 >= 1e-7 and u3 <= 0.9999999",
      "where(u4, 1/u2, 0) - where(onehot(t) == 1 and u4, 1/u1, 0)"]),
    (["u1 = t - x\nexp(u1) + u1*(x + 1)^2 + sin((x + 1)^2)"], "loss in x", ELEMENT,
     ["u2 = x + 1", "u3 = u2^2", "u1 = t - x", "2*(cos(u3) + u1)*u2 - (u3 + exp(u1))"]),
    # as their papers have them: Charbonnier's, Cauchy's (Black and Anandan's too), Tukey's, Barron's, Welsch's,
    # Geman and McClure's, Feng's, Lin's
    (["e = t - x\n4*(sqrt(1 + (e/2)^2) - 1)"], "loss in x", ELEMENT, ["e = t - x", "-e/sqrt(1 + (e/2)^2)"]),
    ([f"{SCALED}d^2*(sqrt(1 + (e/d)^2) - 1)"], "l in x", ELEMENT, ["e = t - x", "-e/sqrt(1 + (e/d)^2)"]),
    (["d^2*(sqrt(1 + ((t-x)/d)^2) - 1)", "--param", "d=3"], "loss in x", ELEMENT, ["(x - t)/sqrt(1 + ((t - x)/3)^2)"]),
    ([f"{SCALED}d^2/2*log(1 + (e/d)^2)"], "l in x", ELEMENT, ["e = t - x", "-e/(1 + (e/d)^2)"]),
    ([f"{SCALED}log(1 + 0.5*(e/d)^2)"], "l in x", ELEMENT, ["e = t - x", "-e/(d^2 + 0.5*e^2)"]),
    ([f"{SCALED}where(abs(e) <= d, d^2/6*(1 - (1 - (e/d)^2)^3), d^2/6)"], "l in x", ELEMENT,
     ["e = t - x", "where(abs(e) <= d, -e*(1 - (e/d)^2)^2, 0)"]),
    ([f"{SCALED}abs(a - 2)/a*(((e/d)^2/abs(a - 2) + 1)^(a/2) - 1)"], "l in x", ELEMENT,
     ["e = t - x", "-e*((e/d)^2/abs(a - 2) + 1)^(a/2 - 1)/d^2"]),
    ([f"{SCALED}d^2/2*(1 - exp(-(e/d)^2))"], "l in x", ELEMENT, ["e = t - x", "-e*exp(-(e/d)^2)"]),
    ([f"{SCALED}(e/d)^2/(1 + (e/d)^2)"], "l in x", ELEMENT, ["e = t - x", "-2*e/(d^2*(1 + (e/d)^2)^2)"]),
    ([f"{SCALED}where(abs(e) < d, d*log(1 + abs(e)/a), abs(e) - (d - d*log(1 + d/a)))"], "l in x", ELEMENT,
     ["e = t - x", "u1 = abs(e)", "-where(u1 < d, d/(a + u1), 1)*sign(e)"]),
    (["loss focal(x: prob; g = 2.0)\n-(1 - x)^g*log(x)"], "focal in x", ELEMENT,
     ["u1 = 1 - x", "g*log(x)*u1^(g - 1) - u1^g/x"]),
    (["loss f(t: binary, x: logits)\np = sigmoid(x)\n-t*log(p) - (1 - t)*log(1 - p)"], "f in x", ELEMENT,
     ["p = sigmoid(x)", "p - t"]),
    (["loss f(t: binary, p: prob)\n-t*log(p) - (1 - t)*log(1 - p)"], "f in p", ELEMENT, ["(p - t)/(p*(1 - p))"]),
    (["loss f(t: binary, p: prob; g = 2.0)\nrequire g > 0\n-t*(1 - p)^g*log(p) - (1 - t)*p^g*log(1 - p)"], "f in p",
     ELEMENT, ["u1 = 1 - t", "u2 = 1 - p", "u3 = g - 1",
               "u1*p^g/u2 - g*log(u2)*u1*p^u3 - t*u2^g/p + t*g*log(p)*u2^u3"]),
    (["loss f(t: label, x: logits; eps = 1.0)\np = softmax(x)[t]\n-log(p) + eps*(1 - p)"], "f in x", SUM,
     ["u1 = softmax(x)", "p = u1[t]", "(u1 - onehot(t))*(1 + p*eps)"]),
    ([f"{SCALED}d^2*atan((e/d)^2)"], "l in x", ELEMENT, ["e = t - x", "-2*e/(1 + (e/d)^4)"]),
    ([f"{SCALED}(d + 1)/2*log(1 + (e/a)^2/d)"], "l in x", ELEMENT, None),
    (["loss f(t, x)\nsum[batch]((t - x)^2)/sum[batch]((t - mean[batch](t))^2)", "--wrt", "t"], "f in t", SUM, None),
    (["loss n(t, (m, s))\n0.5*((t - m)^2*exp(-s) + s)"], "n in (m, s)", ELEMENT, None),
    # kinds of blemishes: signs, constants, cancelling parts, choices on one condition, what keeps digits only
    (["where(t == 0, abs(x), x^2) - x"], "loss in x", ELEMENT, ["where(t == 0, sign(x), 2*x) - 1"]),
    (["max(0, 1 - t*x)^2"], "loss in x", ELEMENT, ["where(1 - t*x > 0, 2*t*(t*x - 1), 0)"]),
    (["loss f(t, x; m = 1.0)\nmax(0, abs(t - x) - m)"], "f in x", ELEMENT,
     ["u1 = t - x", "where(abs(u1) > m, -sign(u1), 0)"]),
    (["loss f(t, x; eps = 1e-3)\nrequire eps > 0\nsqrt((t - x)^2 + eps^2)"], "f in x", ELEMENT,
     ["(x - t)/sqrt((t - x)^2 + eps^2)"]),
    (["loss f(t, (m, s))\nz = (t - m)*exp(-s)\nexp(s)*softplus(z)"], "f in (m, s)", ELEMENT, None),
    (["loss f(t: binary, x)\np = sigmoid(x)\n(t - p)^2"], "f in x", ELEMENT, ["p = sigmoid(x)", "2*p*(p - t)*(1 - p)"]),
    (["loss f(t, x)\n-sum(softmax(t)*log_softmax(x))"], "f in x", SUM, ["softmax(x) - softmax(t)"]),
    (["loss f(t, x; c = 2.0)\nc^2*(abs(t - x)/c - log(1 + abs(t - x)/c))"], "f in x", ELEMENT,
     ["(x - t)/(1 + abs(t - x)/c)"]),
    (["loss f(t: prob, x; g = 2.0)\n-t*(1 - sigmoid(x))^g*log(sigmoid(x))"], "f in x", ELEMENT, None),
]  # fmt: skip


@pytest.mark.parametrize("arguments, what, told, lines", FORMULAS)
def test_formulas(grad, arguments, what, told, lines):
    status, out, err = grad(*arguments)
    assert (status, err) == (0, "")
    head, *body = out.splitlines()
    assert head == f"# The gradient of {what}: {told}"
    if lines is None:
        assert [line for line in body if line.startswith("#")] == (["# in m", "# in s"] if "m, s" in what else [])
        assert not re.search(r"1e-?30|> -inf|exp\(s\)\*", out)
    else:
        assert body == lines


def test_latex(grad):
    assert grad("mse", "--as", "latex")[1].splitlines() == [
        "% The gradient of mean_squared_error in x: of the loss of each element, before the average.",
        r"\frac{\partial \ell_{i}}{\partial x_{i}} = 2 \, \left(x_{i} - t_{i}\right)",
    ]
    text = grad("categorical_crossentropy", "--param", "from_logits=true", "--as", "latex")[1]
    assert r"\left(\sum_{k} y_{k}\right) \, \operatorname{softmax}\left(x\right)_{i} - y_{i}" in text
    assert r"\frac{\partial \mathcal{L}}{\partial x_{i}} &= " in text


NAMES = [name for name in THOROUGH if not name.startswith("circle")]


def inputs(loss: LoadedLoss) -> list[np.ndarray]:
    chance = np.random.default_rng(5)
    label = any(spec.is_label for spec in loss.program.loss.inputs)
    prediction = chance.uniform(0.1, 0.9, (6, 3))
    return [chance.integers(0, 3, 6) if label else chance.uniform(0.1, 0.9, (6, 3)), prediction]


@pytest.mark.parametrize("name", NAMES)
def test_every_form_is_the_derivative_that_is_compiled(name, grad):
    """Times the number of elements, where the average has been left out; that gradient has judges of its own."""
    loss = lossdsl.load(name)
    given = inputs(loss)
    expected = loss.numpy.grad(*given) * (3 if loss.program.is_elementwise else 1)
    arguments = loss.arguments(3)
    namespace: dict = {}
    exec(grad(name, "--as", "numpy")[1], namespace)  # noqa: S102 - code of our own
    np.testing.assert_allclose(namespace[f"{name}_gradient"](*given, *arguments), expected, rtol=1e-12, atol=1e-15)
    spec = loss.program.loss.prediction
    safe = guarded(lowered(loss.program.readable_gradients[spec]), loss.program.known)
    made = code.gradient_function(loss.program.loss, [(spec, safe)], "numpy")
    (slope,) = functions(code.module([made], "numpy"), name)["gradient"](*given, *arguments)
    np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("target", LIBRARIES)
def test_code_for_each_target_names_the_gradient_and_has_the_defaults(grad, target):
    status, out, _ = grad("huber", "--as", target, "--param", "delta=2")
    assert status == 0
    assert "def huber_gradient(t, x, delta=2):" in out
    assert '"""The gradient of huber in x: of the loss of each element, before the average.' in out
    compile(out, target, "exec")


@pytest.mark.parametrize("target", ["tensorflow", "keras"])
def test_code_for_tensorflow_and_keras_runs(grad, target):
    namespace: dict = {}
    exec(grad("huber", "--as", target)[1], namespace)  # noqa: S102
    import keras

    made = namespace["huber_gradient"](keras.ops.array([[0.0, 0.0]]), keras.ops.array([[0.5, -3.0]]))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(made), [[0.5, -1.0]])


M = mp_numbers(60)
BLEMISH = re.compile(r"\+ -|\+ \(-|\(-\w+\)\^|not [^(]|> -inf|[^\w.]0\.?\d*\*where\(\w+, 0\.|\b(u\d+) - \1\b")


@pytest.mark.parametrize("name", [name for name in catalog.names() if not name.startswith("circle")])
def test_a_printed_gradient_is_the_derivative_and_looks_like_one(name):
    """At 60 digits, against the derivative of the formula as it was written."""
    program = pipeline.program(pipeline.builtin(name))
    loss = program.loss
    if not loss.prediction.is_real:
        return
    value = loss.value if program.is_elementwise else loss.result
    slopes = gradient(value, loss.prediction.nodes, guards=False)
    forms = program.readable_gradients[loss.prediction]
    for point in points(loss, program.known, 1):
        done = evaluate([*slopes.values(), *forms], point.given(M), M, point.sizes)
        for node, form in zip(loss.prediction.nodes, forms, strict=True):
            expected, found = np.broadcast_arrays(done[slopes[node]].astype(float), done[form].astype(float))
            if np.all(np.isfinite(expected)):
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-20, err_msg=point.shown())
    for form in plain(forms):
        lines = definitions(form, dict(zip(plain(loss.names), loss.names.values(), strict=True)))
        assert not [line for line in lines if BLEMISH.search(line)]


@pytest.mark.parametrize("name", catalog.names()[::9])
def test_built_in_losses_have_readable_gradients(name):
    program = pipeline.program(pipeline.builtin(name))
    spec = program.loss.prediction
    if not spec.is_real:
        return
    for node, slope in zip(spec.nodes, program.readable_gradients[spec], strict=True):
        assert definitions(slope, program.loss.names)
        text = latex.gradient(slope, node, program.loss.names, program.is_elementwise)
        assert text.count("{") == text.count("}")
        assert r"\frac{\partial" in text


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["huber", "--wrt", "y"], "huber has no input `y`; its inputs are t, x"),
        (["sparse_categorical_crossentropy", "--wrt", "t"], "`t` is a label: there is no gradient in it"),
        (["huber", "--as", "nmpy"], "there is no form `nmpy`; did you mean `numpy`?"),
        (["huber", "--as", "zzz"], "there are formula, latex, numpy"),
        (["huber", "--param", "detla=1"], "did you mean `delta`?"),
        (["hubr"], "did you mean `huber`?"),
    ],
)
def test_wrong_use(grad, arguments, said):
    status, out, err = grad(*arguments)
    assert (status, out) == (2, "")
    assert said in err

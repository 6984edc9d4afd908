"""Gradients written by hand, and backends' automatic differentiation, compared with ours."""

import os
import re
import sys

import mpmath
import numpy as np
import pytest

import lossdsl
from lossdsl import catalog, cli, pipeline
from lossdsl.checks import backend_gradients
from lossdsl.checks.subject import Subject
from lossdsl.errors import LossConfigError, LossImportError
from lossdsl.ir import build as b
from lossdsl.oracle.breakpoints import both_sides
from lossdsl.oracle.points import points
from lossdsl.runtime.autodiff import derivative
from lossdsl.source import Source

BACKENDS = os.environ.get("LOSSDSL_BACKENDS", "tensorflow").split()


def told(source, *given):
    """What is found about given gradients, then what was made sure of them."""
    report = lossdsl.check(source, against=given, prove=False)
    found = [one for one in report.findings if one.id in ("against", "untested-against")]
    return [one.message for one in found], [one for one in report.passed if "given" in one]


HUBER = "where(abs(e) < delta, -e, -delta*sign(e))"

RIGHT = [
    ("(t - x)^2", "2*(x - t)", "proved"),
    ("(t - x)^2", "x=2*x - 2*t", "proved"),
    ("(t - x)^2", "t = 2*(t - x)", "proved"),
    ("abs(t - x)", "sign(x - t)", "tested"),
    ("abs(t - x)", "where(x > t, 1, -1)", "tested"),
    ("huber", HUBER, "proved"),
    ("huber", "where(abs(t - x) <= delta, x - t, delta*sign(x - t))", "tested"),
    ("quantile", "where(t > x, -q, 1 - q)", "tested"),
    ("log(cosh(t - x))", "tanh(x - t)", "proved"),
    ("max(0, 1 - t*x)^2", "-2*t*max(0, 1 - t*x)", "proved"),
    ("2*x + 0*t", "2", "proved"),
    ("loss f(t: label, x)\nlogsumexp(x) - x[t]", "softmax(x) - onehot(t)", "tested"),
    ("loss f(t, (m, s))\n0.5*((t - m)*exp(-s))^2 + s", "s=1 - (t - m)^2*exp(-2*s)", "proved"),
    ("loss f(t, (m, s))\n0.5*((t - m)*exp(-s))^2 + s", "(m - t)*exp(-2*s)", "proved"),
    ("loss f(t: prob, x)\n-t*log_sigmoid(x) - (1 - t)*log_sigmoid(-x)", "sigmoid(x) - t", "proved"),
]


@pytest.mark.parametrize("source, given, how", RIGHT, ids=[f"{one} | {two}"[-60:] for one, two, _ in RIGHT])
def test_right_gradients(source, given, how):
    found, passed = told(source, given)
    assert found == []
    (one,) = passed
    assert re.fullmatch(r"the gradient given in \w+ (proved|tested at \d+ points with 60 digits)", one)
    assert how in one


# Each is a mistake that is made by hand: a sign, a factor, a piece, an inner derivative that was forgotten.
WRONG = [
    ("(t - x)^2", "2*(t - x)", "the gradient in `x` has the wrong sign"),
    ("(t - x)^2", "x - t", "this is 1/2 times the gradient in `x`"),
    ("0.5*(t - x)^2", "2*(x - t)", "this is 2 times the gradient in `x`"),
    ("(t - x)^2", "2*(x - t)/len(x)", "this is the gradient in `x` of the average over the last axis"),
    ("(t - x)^2", "t=2*(x - t)", "the gradient in `t` has the wrong sign"),
    ("(t - x)^2", "(x - t)^2", "this is not the gradient in `x`"),
    ("(t - x)^2 + 1e-9*x", "2*(x - t)", "this is not the gradient in `x`"),
    ("huber", HUBER.replace("-delta*", "delta*"), "where abs(e) >= delta, the gradient in `x` has the wrong sign"),
    ("huber", HUBER.replace("-e", "-2*e"), "where abs(e) < delta, this is 2 times the gradient in `x`"),
    ("huber", HUBER.replace("delta*sign", "sign"), "in places this is not the gradient in `x`"),
    ("quantile", "where(t > x, -q, 1 + q)", "where t <= x, this is not the gradient in `x`"),
    ("max(0, 1 - t*x)^2", "-2*t*(1 - t*x)", "where 1 - t*x <= 0, this is not the gradient in `x`"),
    ("exp(-2*abs(t - x))", "-2*exp(-2*abs(t - x))", "where t - x > 0, the gradient in `x` has the wrong sign"),
    ("exp(3*x) + 0*t", "exp(3*x)", "this is 1/3 times the gradient in `x`"),
    ("log(x/t)", "1/x*t", "this is not the gradient in `x`"),
    ("loss f(t: label, x)\nlogsumexp(x) - x[t]", "onehot(t) - softmax(x)", "the gradient in `x` has the wrong sign"),
    ("loss f(t: label, x)\nlogsumexp(x) - x[t]", "softmax(x)", "in places this is not the gradient in `x`"),
]


@pytest.mark.parametrize("source, given, expected", WRONG, ids=[f"{one} | {two}"[-60:] for one, two, _ in WRONG])
def test_wrong_gradients(source, given, expected):
    (message,), passed = told(source, given)
    assert message.split(": it is ")[0] == expected
    assert passed == []


def test_the_point_is_one_and_both_values_are_right():
    """Worked out again with mpmath: 0.1 off in a piece that few points are in."""
    source = "where(abs(t - x) < 2.9, log(cosh(t - x)), abs(t - x))"
    (message,), _ = told(source, "where(abs(t - x) < 2.9, tanh(x - t), 1.1*sign(x - t))")
    pattern = r".*: it is (.*) and should be (.*) at t=\[(.*)\], x=\[(.*)\]"
    assert message.startswith("where abs(t - x) >= 2.9, this is 11/10 times the gradient in `x`: ")
    given, right, t, x = map(float, re.fullmatch(pattern, message).groups())
    assert abs(t - x) >= 2.9
    assert (given, right) == (1.1 * np.sign(x - t), np.sign(x - t))
    (message,), _ = told("log(cosh(t - x))", "tanh(x - t)^3")
    given, right, t, x = map(float, re.fullmatch(pattern, message).groups())
    assert given == pytest.approx(float(mpmath.tanh(x - t) ** 3), rel=1e-9)
    assert right == pytest.approx(float(mpmath.tanh(x - t)), rel=1e-9)


def test_settings_are_tried_and_named():
    text = "loss f(t, x; squared: bool = true)\nwhere(squared, (t - x)^2, abs(t - x))"
    (message,), _ = told(text, "2*(x - t)")
    assert message.endswith(", squared=false")
    assert told(text, "where(squared, 2*(x - t), sign(x - t))")[0] == []


@pytest.mark.parametrize(
    "given, expected",
    [
        ("2*(x - q)", "name-error"),
        ("2*(x - ", "syntax-error"),
        ("q=x", "name-error"),
        ("", "syntax-error"),
        ("loss g(t, x)\nx - t", "type-error"),
        ("sum[batch](x)", "against"),
        ("x > t", "against"),
    ],
)
def test_what_cannot_be_read_is_a_finding(given, expected):
    assert [one.id for one in lossdsl.check("(t - x)^2", against=given).findings] == [expected]


def test_on_the_command_line(capsys):
    assert cli.main(["check", "(t - x)^2", "--against", "2*(t - x)", "--against", "t=2*(t - x)"]) == 1
    out = capsys.readouterr().out
    assert "<against>:1:1: error[against]: the gradient in `x` has the wrong sign: it is " in out
    assert " 1 | 2*(t - x)\n" in out
    assert "the gradient given in t proved" in out


def test_both_sides_of_each_join_are_tried():
    program = pipeline.program(pipeline.parsed(Source("where(abs(t - x) < 0.7, (t - x)^2, max(x, t))")))
    loss = program.loss
    found = list(both_sides(loss, (loss.value,), list(points(loss, program.known, 8))))
    t, x = (spec.nodes[0] for spec in loss.inputs)
    gaps = np.array([abs(np.abs(one.values[t] - one.values[x]).astype(float) - 0.7).min() for one in found])
    assert len(found) >= 4
    assert sorted(gaps)[1] < 1e-2
    close = [one for one, gap in zip(found, gaps, strict=True) if gap < 1e-2]
    distances = [abs(a - c) for one in close for a, c in zip(one.values[t].flat, one.values[x].flat, strict=True)]
    sides = {bool(distance < 0.7) for distance in distances}
    assert sides == {True, False}


# --- backends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "name",
    ["huber", "quantile", "categorical_crossentropy", "binary_focal_crossentropy", "log_cosh", "categorical_hinge"],
)
def test_backends_differentiate_alike(backend, name):
    (one,) = backend_gradients.look(Subject(pipeline.parsed(catalog.read(name)), backend=backend))
    assert one.text.startswith(f"gradient as by {backend}'s automatic differentiation (tested at ")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_sees_a_wrong_gradient(monkeypatch, backend):
    good = pipeline.Program.gradients.func

    def bad(self):
        return {spec: tuple(b.mul(b.const(1 + 1e-6), expr) for expr in exprs) for spec, exprs in good(self).items()}

    monkeypatch.setattr(pipeline.Program, "gradients", property(bad))
    t, x = backend_gradients.look(Subject(pipeline.parsed(Source("log(cosh(t - x))")), backend=backend))
    assert (t.id, x.id) == ("backend", "backend")
    assert re.search(rf"the gradient in `x` is (\S+), and (\S+) by {backend}, at t=\[.*\], x=\[.*\]", x.message)


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_are_in_float64_and_of_each_input(backend):
    text = "loss f(t: label, x, (m, s); a: vector = 1.0)\na*(x[t] - m)^3*s"
    program = pipeline.program(pipeline.parsed(Source(text)))
    t = np.array([[1], [0]], np.int32)
    x, ms = np.array([[[0.1, 0.7]], [[1.0, 2.0]]]), np.arange(1.0, 9).reshape(2, 1, 4) / 3
    m, s = np.split(ms, 2, axis=-1)
    none, in_x, in_ms = derivative(program, backend)([t, x, ms], [np.array([1.0, 2.0])])
    picked = np.take_along_axis(x, t[..., None], -1)
    expected = -3 * np.array([1.0, 2.0]) * (picked - m) ** 2 * s / 2
    assert none is None
    np.testing.assert_allclose(in_ms[..., :2], expected, rtol=1e-14)
    np.testing.assert_allclose(in_x.sum(axis=-1), -expected.sum(axis=-1), rtol=1e-14)


def test_kinks_are_left_aside():
    """At x = t backends give abs the slopes 0 and 1; nobody is wrong there."""
    program = pipeline.program(pipeline.parsed(Source("loss f(t: binary, x: binary)\nabs(t - x)")))
    differing, count, kinks = backend_gradients._differing(program, BACKENDS[0])
    assert (differing, count > 0) == ({}, True)
    assert kinks >= 0


def test_a_backend_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(LossImportError, match="jax is not installed") as told_:
        lossdsl.check("huber", backend="jax")
    assert told_.value.hint == "pip install 'lossdsl[jax]'"
    assert cli.main(["check", "huber", "--backend", "jax"]) == 1
    assert "pip install 'lossdsl[jax]'" in capsys.readouterr().err
    with pytest.raises(LossConfigError, match="there is no backend `jaks`"):
        lossdsl.check("huber", backend="jaks")


def test_without_a_backend_none_is_asked():
    assert list(backend_gradients.look(Subject(pipeline.parsed(catalog.read("huber"))))) == []

"""Names that hide others, and documentation without a worked value."""

import pytest

import lossdsl
from lossdsl import catalog


def messages(text, kind):
    return [one.message for one in lossdsl.check(text, prove=False).findings if one.id == kind]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("f(x) = x^2\nf(t - x)", ["the argument `x` hides the input `x`"]),
        ("f(u, t) = u*t\nf(t - x, x)", ["the argument `t` hides the input `t`"]),
        ("loss f(y, p)\ng(p) = p^2\ng(y - p)", ["the argument `p` hides the input `p`"]),
        ("loss f((m, s))\ng(s) = s^2\ng(m - s)", ["the argument `s` hides the input `s`"]),
        ("loss f(t, x; d = 1.0)\ng(d) = d^2\nd*g(t - x)", ["the argument `d` hides the parameter `d`"]),
        ("e = t - x\nf(e) = e^2\nf(e)", ["the argument `e` hides the definition `e`"]),
        ("f(u) = u^2\ng(f) = f + 1\ng(f(t - x))", ["the argument `f` hides the function `f`"]),
        ("f(sum) = sum^2\nf(t - x)", ["the argument `sum` hides the function of the language `sum`"]),
        ("f(pi) = pi^2\nf(t - x)", ["the argument `pi` hides the function of the language `pi`"]),
        ("huber(u) = u^2\nhuber(t - x)", ["the function `huber` hides the built-in loss `huber`"]),
        ("sum[j](x[j] + sum[j](t[j]))", ["the index `j` hides the index around it `j`"]),
        ("mean(sum[j in batch](x[j] - mean[j](x[j])))", ["the index `j` hides the index around it `j`"]),
        # nothing is hidden: what comes later is not in reach, and indices beside each other do not meet
        ("f(e) = e^2\ne = t - x\nf(e)", []),
        ("sum[j](x[j]) + sum[j](t[j])", []),
        ("sum[i, j if i < j](x[i]*x[j])", []),
        ("f(u) = u^2\ng(u) = u + 1\nf(g(t - x))", []),
        ("loss f(y, p)\ng(x) = x^2\ng(y - p)", []),
        ("hinge = max(0, 1 - t*x)\nhinge^2", []),
        ("loss huber(t, x)\n(t - x)^2", []),
        ("loss huber(t, x)\n(t - x)^2\nloss mine(t, x)\n2*huber(t, x)", []),
    ],
)
def test_names_that_hide_others(text, expected):
    assert messages(text, "shadowed-name") == expected


def test_a_hidden_name_is_shown_where_it_is_hidden():
    (one,) = [one for one in lossdsl.check("f(x) = x^2\nf(t - x)", prove=False).findings if one.id == "shadowed-name"]
    assert (one.span.text, one.span.column, one.severity, one.known) == ("x", 3, "warning", "read")


@pytest.mark.parametrize(
    "text, expected",
    [
        ('"""Squared error."""\nloss f(t, x)\n(t - x)^2', 1),
        ('"""Squared error."""\nloss f(t, x)\n(t - x)^2\nexample t=[1], x=[3] -> 4.0', 0),
        ("loss f(t, x)\n(t - x)^2", 0),
        ("(t - x)^2", 0),
    ],
)
def test_a_documented_loss_has_a_worked_value(text, expected):
    report = lossdsl.check(text, prove=False)
    assert [one.id for one in report.findings] == ["no-example"] * expected
    assert report.ok


def test_only_the_last_loss_of_a_file_needs_one():
    text = '"""A helper."""\nloss h(t, x)\nt - x\n"""Mine."""\nloss f(t, x)\nh(t, x)^2\nexample t=[1], x=[3] -> 4.0'
    assert messages(text, "no-example") == []


@pytest.mark.parametrize("name", ["huber", "quantile"])
def test_a_built_in_that_loses_its_examples_is_told(monkeypatch, name):
    lines = catalog.read(name).text.splitlines()
    text = "\n".join(line for line in lines if not line.startswith("example"))
    assert messages(text, "no-example") == ["the loss has no worked value"]

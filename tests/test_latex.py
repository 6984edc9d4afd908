"""Losses as LaTeX: a table of formulas, and what holds of all of them."""

import re

import pytest

from lossdsl import catalog, load, pipeline
from lossdsl.source import Source
from lossdsl.targets.symbols import symbol


def latex(text: str, **settled: bool | int) -> str:
    return pipeline.program(pipeline.parsed(Source(text)), settled).latex


@pytest.mark.parametrize(
    "name, expected",
    [
        ("x", "x"), ("x1", "x_{1}"), ("x_1", "x_{1}"), ("delta", r"\delta"), ("Delta", r"\Delta"), ("δ", r"\delta"),
        ("Ω", r"\Omega"), ("delta_max", r"\delta_{\max}"), ("lambda", r"\lambda"), ("λ", r"\lambda"), ("ο", "o"),
        ("ŷ", r"\hat{y}"), ("y_hat", r"\hat{y}"), ("x̄", r"\bar{x}"), ("ǖ", r"\bar{\ddot{u}}"),
        ("margin", r"\mathrm{margin}"),
        ("label_smoothing", r"\mathrm{label\_smoothing}"), ("é", r"\acute{e}"), ("_", r"\_"), ("ж", "ж"),
    ],
)  # fmt: skip
def test_names(name, expected):
    assert symbol(name) == expected


def test_names_with_indices():
    assert symbol("x", ["b", "i"]) == "x_{b,i}"
    assert symbol("x_1", ["i"]) == "x_{1,i}"


# a loss of one value a sample, so that no average is in the way, and its formula
LABEL = "loss mine(t: label, x)\n"
SCALAR = "loss mine(t: scalar, x: scalar; a = 1.0, b = 2.0)\n"
TABLE = [
    (SCALAR, "t + x - (a - b)", "t + x - \\left(a - b\\right)"),
    (SCALAR, "t - x + a", "t - x + a"),
    (SCALAR, "a*(t - x)", "a \\, \\left(t - x\\right)"),
    (SCALAR, "2*3*x*0.5", "6 \\, x \\cdot 0.5"),
    (SCALAR, "-(t + x)", "-\\left(t + x\\right)"),
    (SCALAR, "t - -x", "t - \\left(-x\\right)"),
    (SCALAR, "t*-x", "t \\, \\left(-x\\right)"),
    (SCALAR, "(t + x)/(a*b)", "\\frac{t + x}{a \\, b}"),
    (SCALAR, "(t/x)^2", "\\left(\\frac{t}{x}\\right)^{2}"),
    (SCALAR, "x^(a + b)", "x^{a + b}"),
    (SCALAR, "x^a^b", "x^{a^{b}}"),
    (SCALAR, "(x^a)^b", "\\left(x^{a}\\right)^{b}"),
    (SCALAR, "-x^2", "-x^{2}"),
    (SCALAR, "x/3 + 1/3", "\\frac{x}{3} + \\frac{1}{3}"),
    (SCALAR, "x*1e-7 + 2.5e-9", "x \\cdot 10^{-7} + 2.5 \\cdot 10^{-9}"),
    (SCALAR, "abs(t - x)", "\\left|t - x\\right|"),
    (SCALAR, "sqrt(x^2)", "\\sqrt{x^{2}}"),
    (SCALAR, "cbrt(x)", "\\sqrt[3]{x}"),
    (SCALAR, "floor(x) + ceil(t)", "\\left\\lfloor x \\right\\rfloor + \\left\\lceil t \\right\\rceil"),
    (SCALAR, "exp(t)*log(x)", "\\exp\\left(t\\right) \\, \\log\\left(x\\right)"),
    (SCALAR, "log1p(-x)", "\\log\\left(1 + \\left(-x\\right)\\right)"),
    (SCALAR, "expm1(x)*a", "\\left(\\exp\\left(x\\right) - 1\\right) \\, a"),
    (SCALAR, "max(t, x)", "\\max\\left(t, x\\right)"),
    (SCALAR, "log_i0(x)", "\\log I_{0}\\left(x\\right)"),
    (SCALAR, "pi*x", "\\pi \\, x"),
    (SCALAR, "stop(x)", "\\operatorname{stop}\\left(x\\right)"),
    (SCALAR, "(t < x)*x", "\\left[t < x\\right] \\, x"),
    (SCALAR, "where(t < x, t, x)", "\\begin{cases} t & \\text{if } t < x \\\\ x & \\text{otherwise} \\end{cases}"),
    (
        SCALAR,
        "where(not t < x or t != a and x >= b, t, x)",
        "\\begin{cases} t & \\text{if } \\lnot \\left(t < x\\right) \\lor t \\ne a \\land x \\ge b"
        " \\\\ x & \\text{otherwise} \\end{cases}",
    ),
    (
        SCALAR,
        "cases(t < x: t, t > a: x, else: a)",
        "\\begin{cases} t & \\text{if } t < x \\\\ x & \\text{if } t > a \\\\ a & \\text{otherwise} \\end{cases}",
    ),
    (LABEL, "sum(x)", "\\sum_{i} x_{i}"),
    (LABEL, "mean(x)", "\\frac{1}{n} \\sum_{i} x_{i}"),
    (LABEL, "sum(x)*len(x)", "\\left(\\sum_{i} x_{i}\\right) \\, n"),
    (LABEL, "len(x)*sum(x)*2", "\\left(n \\, \\sum_{i} x_{i}\\right) \\cdot 2"),
    (LABEL, "sum(x + 1) + 1", "\\sum_{i} \\left(x_{i} + 1\\right) + 1"),
    (LABEL, "sum(x/sum(x))", "\\sum_{i} \\frac{x_{i}}{\\sum_{k} x_{k}}"),
    (LABEL, "max(x) - x[t]", "\\max_{i} x_{i} - x_{t}"),
    (LABEL, "x[0] - x[t]", "x_{0} - x_{t}"),
    (LABEL, "sum[j if j != t](x[j])", "\\sum_{j \\,:\\, j \\ne t} x_{j}"),
    (LABEL, "sum(x[1:] - x[:-1])", "\\sum_{i} \\left(x_{i+1} - x_{i}\\right)"),
    (LABEL, "logsumexp(x) - x[t]", "\\log\\left(\\sum_{i} \\exp\\left(x_{i}\\right)\\right) - x_{t}"),
    (LABEL, "norm(x)", "\\sqrt{\\sum_{i} x_{i}^{2}}"),
    (LABEL, "sum[j in batch](sum(x*x[j]))", "\\sum_{j} \\sum_{i} x_{i} \\, x_{j,i}"),
    (LABEL, "mean[batch](x[t])", "\\frac{1}{B} \\sum_{b} x_{b,t_{b}}"),
    (LABEL, "sum(cumsum(x))", "\\sum_{i} \\operatorname{cumsum}\\left(x\\right)_{i}"),
    ("loss mine(i, n)\n", "i*n", "\\frac{1}{N} \\sum_{k} i_{k} \\, n_{k}"),
    ("", "abs(t - x)^p", "\\frac{1}{n} \\sum_{i} \\left|t_{i} - x_{i}\\right|^{p}"),
]


@pytest.mark.parametrize("header, text, expected", TABLE, ids=[text for _, text, _ in TABLE])
def test_formulas(header, text, expected):
    assert latex(header + text) == expected


def test_definitions_stand_above_in_the_order_of_their_author():
    text = "loss mine(t, x; delta = 1.0)\nu = abs(t)\ne_hat = t - x\ne_hat^2*u + delta"
    assert latex(text).split("\n") == [
        r"\begin{aligned}",
        r"u_{i} &= \left|t_{i}\right| \\",
        r"\hat{e}_{i} &= t_{i} - x_{i} \\",
        r"\mathcal{L} &= \frac{1}{n} \sum_{i} \left(\hat{e}_{i}^{2} \, u_{i} + \delta\right)",
        r"\end{aligned}",
    ]


def test_a_settled_parameter_folds_away():
    source = catalog.read("binary_crossentropy")
    assert source is not None
    assert "softplus" not in latex(source.text, from_logits=False)
    assert latex(source.text, from_logits=True) != latex(source.text, from_logits=False)


def test_a_loaded_loss_has_its_formula():
    assert load("mean_squared_error").latex == r"\frac{1}{n} \sum_{i} \left(t_{i} - x_{i}\right)^{2}"


def test_a_long_formula_needs_no_recursion():
    names = [f"e{n} = e{n - 1} + x^{n}" for n in range(1, 1500)]
    assert latex("e0 = t\n" + "\n".join(names) + "\ne1499").count("\\\\") == 1499


@pytest.mark.parametrize("name", catalog.names())
def test_every_built_in_loss_is_well_formed(name):
    formula = pipeline.program(pipeline.builtin(name)).latex
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", formula):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert formula.count(r"\left") == formula.count(r"\right")
    assert sorted(re.findall(r"\\begin{(\w+)}", formula)) == sorted(re.findall(r"\\end{(\w+)}", formula))
    assert not re.search(r"_\{[^{}]*\}_\{", formula), "a subscript of a subscript"
    assert not re.search(r"(?<![{(]) --|[+] -|None|<", formula.replace(" < ", ""))

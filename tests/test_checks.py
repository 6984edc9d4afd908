"""`lossdsl.check`: every row's two examples, the catalog, and mistakes made on purpose."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.checks import FINDINGS
from lossdsl.checks.examples import agrees, run_examples
from lossdsl.checks.finding import Finding
from lossdsl.checks.table import ASKED
from lossdsl.errors import LossConfigError
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Reduce, walk
from lossdsl.ir.loss import Written
from lossdsl.ir.ops import OPS
from lossdsl.ir.ranges import ranges
from lossdsl.oracle.float_formats import FLOAT32
from lossdsl.oracle.gradient_check import judge
from lossdsl.oracle.no_numbers import no_numbers
from lossdsl.oracle.proof import Derivative
from lossdsl.oracle.samples import batches
from lossdsl.source import Source

SHOWN = [row for row in FINDINGS.values() if row.wrong and row.id != "config-error"]  # that one is raised by YAML


ASKED_FOR = [row for row in SHOWN if row.asked]


def found(source, **options):
    return [one.id for one in lossdsl.check(source, **options).findings]


@pytest.mark.parametrize("row", SHOWN, ids=lambda row: row.id)
def test_the_wrong_example_of_a_row_raises_it(row):
    report = lossdsl.check(row.wrong, asked=row.id)
    assert row.id in [one.id for one in report.findings]
    (first, *_) = [one for one in report.findings if one.id == row.id]
    assert first.severity == row.severity
    assert report.ok == (row.severity != "error")
    assert first.message in str(report)


@pytest.mark.parametrize("row", SHOWN, ids=lambda row: row.id)
def test_the_right_example_of_a_row_does_not(row):
    assert lossdsl.check(row.right, asked=row.id).counted == ()


@pytest.mark.parametrize("name", catalog.names())
def test_the_catalog_is_clean(name):
    report = lossdsl.check(name)
    assert report.counted == (), str(report)
    assert report.passed


def test_rows_without_examples_are_those_that_no_text_can_raise():
    assert {row.id for row in FINDINGS.values() if not row.wrong} == {
        "value",
        "gradient",
        "no-reference",
        "against",
        "untested-against",
        "backend",
        "untested-backend",
    }


# --- what is told where it is asked for


def test_what_must_be_asked_for_is_looked_for_by_what_is_named_in_the_table():
    assert [row.id for row in FINDINGS.values() if row.asked] == list(ASKED)
    assert {row.severity for row in FINDINGS.values() if row.asked} == {"info"}
    assert [row.id for row in ASKED_FOR] == list(ASKED)


@pytest.mark.parametrize("row", ASKED_FOR, ids=lambda row: row.id)
def test_what_is_not_asked_for_is_not_told(row):
    assert not {one.id for one in lossdsl.check(row.wrong).findings} & set(ASKED)


FLIPPED = "loss m(t, x; flip: bool = false)\nwhere(flip, abs(t - x), (t - x)^2)"


@pytest.mark.parametrize(
    "source, asked, text, message",
    [
        # by hand: the slopes of each piece where they meet
        (
            "abs(t - x)",
            "kink",
            "abs(t - x)",
            "the slope jumps by `2` at `t - x = 0`, from `-1` to `1` (seen at t=0, x=0)",
        ),
        (
            "quantile",
            "kink",
            "max(q*e, (q - 1)*e)",
            "the slope jumps by `1` at `q*e = (q - 1)*e`, from `-q` to `-(q - 1)` (seen at t=0, x=0, q=0.5)",
        ),
        (
            "max(x, 0) - t*x",
            "kink",
            "max(x, 0)",
            "the slope jumps by `1` at `x = 0`, from `-t` to `-(t - 1)` (seen at t=0, x=0)",
        ),
        (
            "hinge",
            "kink",
            "max(1 - y*x, 0)",
            "the slope jumps at `1 - y*x = 0`: it is `0` on one side and `-y` on the other (seen at t=1, x=1)",
        ),
        (
            "min((t - x)^2, 4)",
            "kink",
            "min((t - x)^2, 4)",
            "the slope jumps at `(t - x)^2 = 4`: it is `-(2*(t - x))` on one side and `0` on the other "
            "(seen at t=0, x=-2)",
        ),
        (
            "loss m(t: sign, x)\nmax(-t*x, 0)",
            "kink",
            "max(-t*x, 0)",
            "the slope jumps at `-t*x = 0`, from `0` to `1` for `t = -1` (seen at t=-1, x=0)",
        ),
        (
            FLIPPED,
            "kink",
            "abs(t - x)",
            "the slope jumps by `2` at `t - x = 0`, from `-1` to `1` (seen at t=0, x=0) (with flip=true)",
        ),
        (
            "huber",
            "idle-comparison",
            "abs(e) < delta",
            "value and slope agree at `abs(e) = delta`: `<` might as well be `<=`",
        ),
        ("mean_squared_error", "minimiser", "(t - x)^2", "the loss is least at the mean of t, over several targets"),
        (
            "mean_absolute_error",
            "minimiser",
            "abs(t - x)",
            "the loss is least at the median of t, over several targets",
        ),
        (
            "quantile",
            "minimiser",
            "max(q*e, (q - 1)*e)",
            "the loss is least at the quantile of t at q, over several targets",
        ),
        ("(x - 2*t)^2 + t*x", "minimiser", "(x - 2*t)^2 + t*x", "the loss is least at `x = 1.5` for t=1"),
        ("(atan(x) - t)^2", "minimiser", "(atan(x) - t)^2", f"the loss is least at `x = {math.tan(1):.6g}` for t=1"),
        (
            "u = abs(t - x)\ncases(u <= 2: u^2/2, u <= 4: 2*u - 2, u <= 8: 10 - (8 - u)^2/4, else: 10)",
            "flat-region",
            "u <= 8",
            "the slope is 0 where `u > 8`, though the loss is less elsewhere: it is 10 at t=0, x=10",
        ),
        (
            "loss m(t: binary, x)\n(t - sigmoid(x))^2",
            "fading-slope",
            "(t - sigmoid(x))^2",
            "the slope goes to 0 as the prediction grows, for t=0, though the loss is less elsewhere",
        ),
        (
            "mean_squared_error",
            "unbounded-slope",
            "(t - x)^2",
            "the slope goes to inf as the prediction grows, for t=0",
        ),
        (
            "loss m(t: prob, x: prob)\n-t*log(x)",
            "unbounded-slope",
            "-t*log(x)",
            "the slope goes to -inf as the prediction falls to 0, for t=0.5",
        ),
        (
            "min(abs(t - x), 1)",
            "not-convex",
            "min(abs(t - x), 1)",
            "the loss is not convex at t=0, x=-1.75: the value is 1, on the line between the others 0.875",
        ),
        (
            "quantile",
            "not-symmetric",
            "max(q*e, (q - 1)*e)",
            "the loss is not symmetric at t=1, x=0, q=0.25: the values are 0.25 and 0.75",
        ),
    ],
)
def test_what_is_told_where_it_is_asked_for(source, asked, text, message):
    (one,) = [one for one in lossdsl.check(source, asked=asked).findings if one.id == asked]
    assert (one.message, one.span.text) == (message, text)


def test_a_kink_with_a_long_formula_is_told_by_its_values():
    """By hand, at t = 0: 1*3*3*4*6*7*7*8.5*9."""
    factors = "(t^2 + exp(t*x))*(2 + cos(t + x))*(3 + sin(2*t - x))*(4 + tanh(x - t))*(5 + cos(3*t + x))"
    factors += "*(6 + exp(-t^2 - x))*(7 + log(1 + t^2 + x^2))*(8 + sigmoid(t - x))*(9 + atan(t*x))"
    (one,) = [one for one in lossdsl.check(f"where(x > 0, x*{factors}, 0)", asked="kink").findings if one.id == "kink"]
    assert one.message == "the slope jumps at `x = 0`: the slope goes from 0 to 809676 at t=0, x=0"


@pytest.mark.parametrize("asked", list(ASKED))
@pytest.mark.parametrize("name", ["log_cosh", "kl_divergence"])
def test_nothing_is_told_of_a_loss_that_has_nothing_of_it(name, asked):
    """Smooth, convex, with bounded slopes; of the second nothing is known that would be worth a remark."""
    assert found(name, asked=asked) == []


@pytest.mark.parametrize(
    "source, asked",
    [
        # `<` decides nothing under one setting, and the slope under another
        (f"{FLIPPED}*where(t > x, 1, 2)", "idle-comparison"),
        ("cases(x < 0: 0, x < 1: x*(t - 1), else: 0)", "minimiser"),  # it falls towards x = 1, and is 0 there
        ("loss m(t: sign, x)\nlog(1 + exp(-t*x))", "minimiser"),  # it falls for ever
        ("sqrt(abs(t - x))", "kink"),  # the slope is infinite there: that is another finding
        ("max(abs(t - x) - 1, 0)", "flat-region"),  # flat, and nowhere less
        ("loss m(t: sign, x)\nlog(1 + exp(-t*x))", "fading-slope"),  # it fades where the loss is least
        ("min((t - x)^2, 4)", "fading-slope"),  # it is 0 there: that is another finding
        ("where(t > 1, 2, 1)*(t - x)^2", "kink"),  # where targets differ, not predictions
    ],
)
def test_what_is_not_so_is_not_told(source, asked):
    assert asked not in found(source, asked=asked)


def test_what_is_told_of_one_setting_does_not_hide_what_another_has():
    source = "loss m(t, x; less: bool = false)\nwhere(less, sqrt(1 + (t - x)^2) - 2, t - x)"
    assert set(found(source)) == {"unbounded-below", "negative"}


def test_over_whole_tensors_a_point_shows_that_a_loss_is_not_convex():
    (one,) = lossdsl.check("cosine_similarity", asked=["not-convex"]).findings
    assert re.search(r"is not convex at t=\[\[\[.*\]\]\], x=\[\[\[.*\]\]\]: the value is -0\.29", one.message)


def test_a_finding_and_a_verdict_do_not_tell_the_same_twice():
    """What is promised and does not hold is told of the promise; the verdicts name the finding that tells more."""
    report = lossdsl.check("min((t - x)^2, 4)\nexpect convex", properties=True)
    assert [one.id for one in report.findings] == ["kink", "flat-region", "broken-promise"]
    named = {one.property: (one.how, one.finding) for one in report.verdicts if one.finding}
    assert named == {"smooth": ("refuted", "kink"), "convex": ("refuted", "broken-promise")}
    report = lossdsl.check("(t - x)^2", properties=True)
    assert [one.id for one in report.findings] == ["minimiser", "unbounded-slope"]
    named = {one.property: (one.how, one.finding) for one in report.verdicts if one.how == "refuted"}
    assert named == {"slope bounded": ("refuted", "unbounded-slope"), "bounded": ("refuted", "")}


def test_what_is_asked_for_must_be_there():
    with pytest.raises(LossConfigError, match="there is no finding `knik`"):
        lossdsl.check("huber", asked=["knik"])
    assert found("huber", asked=["jump", "unused-index"]) == []  # these are told in any case


# --- what is found, and how it is said


@pytest.mark.parametrize(
    "source, message",
    [
        # by hand: the value of each piece where they meet
        (
            "where(abs(t - x) < 2, (t - x)^2, 1)",
            "the value jumps by `3` at `abs(t - x) = 2`, from `4` to `1` (seen at t=0, x=2)",
        ),
        (
            "where((t - x)^2 < 4, (t - x)^2, 0)",
            "the value jumps at `(t - x)^2 = 4`: it is `4` on one side and `0` on the other (seen at t=0, x=-2)",
        ),
        (
            "where(2*t*x < 3, t + t*x/7, t)",
            "the value jumps at `2*t*x = 3`: it is `t + 3/14` on one side and `t` on the other (seen at t=1, x=1.5)",
        ),
        (
            "loss m(t: sign, x)\nwhere(t*x > 0, 0, 2)",
            "the value jumps by `2` at `t*x = 0`, from `0` to `2` for `t = -1` (seen at t=-1, x=0)",
        ),
    ],
)
def test_a_jump_is_told_with_both_sides(source, message):
    assert [one.message for one in lossdsl.check(source).findings if one.id == "jump"] == [message]


def test_a_finding_shows_its_place():
    report = lossdsl.check("loss mine(t, x; a = 1.0)\n(t - x)^2")
    *lines, summary = str(report).splitlines()
    assert summary == "mine: 1 warning (gradients in t and x proved)"
    assert lines == [
        "<formula>:1:17: warning[unused-parameter]: the parameter `a` has no influence on the loss",
        " 1 | loss mine(t, x; a = 1.0)",
        "   |                 ^",
        "  help: remove it, or use it",
    ]


def test_an_example_says_what_was_written_and_what_is():
    report = lossdsl.check("loss mine(t, x)\n(t - x)^2\nexample t=[[0], [1]], x=[[1], [3]] -> [1.0, 2.50]")
    (one,) = report.findings
    assert one.message == "the example says [1.0, 2.50], but the loss is [1, 4]"
    assert one.known == "example run"
    assert (one.span.line, one.excerpt()[0][:14]) == (3, " 3 | example t")


@pytest.mark.parametrize(
    "expected, unit, got, same",
    [
        (Fraction("1.3125"), "0.0001", 1.3125, True),
        (Fraction("1.3125"), "0.0001", 1.31254, True),
        (Fraction("1.3125"), "0.0001", 1.3126, False),
        (Fraction("0.69314718055994530942"), "1e-20", math.log(2), True),  # more digits than float64 has
        (Fraction("0.69314718055994530942"), "1e-20", math.log(2) + 1e-14, False),
        (math.inf, "0", math.inf, True),
        (math.inf, "0", 1e308, False),
        (Fraction(0), "0.001", math.nan, False),
    ],
)
def test_values_agree_to_the_digits_written(expected, unit, got, same):
    assert agrees(Written(expected, Fraction(unit)), got) == same


@pytest.mark.parametrize(
    "source, expected",
    [
        ("loss f(x: scalar)\nx^2\nexample x=3.0 -> 9.0", []),
        ("loss f(t: label, x)\nx[t]^2\nexample t=1, x=[0.5, 2] -> 4.0", []),
        ("loss f(t: label, x)\nx[t]^2\nexample t=[1, 0], x=[[1, 2], [3, 4]] -> [4.0, 9.0]", []),
        ("loss f(t, x; flip: bool = false)\nwhere(flip, abs(x), abs(t))\nexample t=[1], x=[2], flip=true -> 2.0", []),
        ("loss f(t, x; k: int)\n(t - x)^2*k\nexample t=[1], x=[2], k=3 -> 3.0", []),
        ("loss f(t, x; w: vector = 1.0)\nw*(t - x)^2\nexample t=[1, 1], x=[2, 3], w=[1, 2] -> 4.5", []),
        ("loss f(t, x)\n(t - x)^2\nexample t=[1], x=[2] -> [1.0]", ["example"]),
        ("loss f(t, x; d)\nrequire d > 0\nd*(t - x)^2\nexample t=[1], x=[2], d=-1 -> 1.0", ["parameter-error"]),
        ("where(abs(t-x) < d, 0.5*(t-x)^2, d*(abs(t-x) - 0.5*d))", []),
    ],
)
def test_examples_of_every_kind(source, expected):
    assert found(source) == expected


@pytest.mark.parametrize(
    "source, expected",
    [
        ("f(u) = u^2\nf(t - x)", []),
        ("f(u) = u^2\n(t - x)^2", ["unused-definition"]),
        ("s[j in batch] = sum(t*x[j])\nmean[j in batch](s[j])", []),
        ("s[j in batch] = sum(t*x)\nmean[j in batch](s[j])", ["unused-index"]),
        ("sum[i, j if t[i] > t[j]](x[i])", []),
        ("mean[batch]((t - x)^2)", []),
        ("loss a(t, x; k = 1.0)\n(t - x)^2\nloss c(t, x; k = 1.0)\na(t, x; k=k)", ["unused-parameter"]),
    ],
)
def test_what_nothing_uses(source, expected):
    assert [id for id in found(source) if id.startswith("unused")] == expected


@pytest.mark.parametrize(
    "source",
    ["", "\n\n", "loss", "((((", "x[[", "\0", "t - ", "loss f(t, x)\n", "example t=[1] -> 1", "no_such", "π", "λ x: x"],
)
def test_no_text_makes_check_raise(source):
    report = lossdsl.check(source)
    assert not report.ok
    assert all(isinstance(one, Finding) for one in report.findings)


@pytest.mark.parametrize("name", sorted(row.name for row in OPS.values() if row.public and row.name != "where"))
def test_every_function_can_be_checked(name):
    """Inside of its domain and out of it: it ends, and no gradient is wrong."""
    op = OPS[name]
    free = next(place for place in range(op.arity) if not op.has_no_slope(place))
    terms = [
        f"{name}({', '.join(each if place == free else '0.5' for place in range(op.arity))})"
        for each in ("x/(2 + x^2)", "1.5 + x^2", "x")
    ]
    report = lossdsl.check(f"t*({' + '.join(terms)})")
    assert report.ok, str(report)


def test_a_missing_file_is_a_finding(tmp_path):
    assert found(tmp_path / "none.loss") == ["file-error"]
    assert found(tmp_path) == ["file-error"]


def test_files_and_names_and_texts_are_read_alike(tmp_path):
    path = tmp_path / "mine.loss"
    path.write_bytes(catalog.read("huber").text.encode())
    assert found(path) == found(str(path)) == found("huber") == found(Source("(t - x)^2")) == []


@pytest.mark.parametrize(
    "text, place, allowed",
    [
        ("loss m(t, x)\n0.7*huber(t, x; delta=0.5) + abs(allowable(t, x))\n{}", (2, "allowable(t, x)"), True),
        # by way of another built-in, and of a helper, to which the finding then belongs
        ("loss m(t, x)\n3 + outer(t, x)\n{}", (2, "outer(t, x)"), True),
        ("loss h(t, x)\nallowable(t, x)\nloss m(t, x)\nh(t, x)\n{}", (2, "allowable(t, x)"), False),
        # a loss of the file's own is not the built-in of that name
        ("loss huber(t, x)\nouter(t, x)\nloss m(t, x)\nhuber(t, x)\n{}", (2, "outer(t, x)"), False),
    ],
)
def test_a_finding_inside_a_built_in_stands_at_its_call(monkeypatch, text, place, allowed):
    original = catalog.read
    outer = Source("loss outer(t, x)\nallowable(t, x)", "outer.loss")
    monkeypatch.setattr(catalog, "read", lambda name: outer if name == "outer" else original(name))

    def look(subject):
        spans = [span for span in subject.loss.spans.values() if span.text.startswith("where")]
        inside = next(span for span in spans if span.source.name == "allowable.loss")
        yield FINDINGS["untested-gradient"].found("it is so", inside)

    monkeypatch.setattr("lossdsl.checks.run.STUDIED", (look,))
    (one,) = lossdsl.check(text.format("")).findings
    assert (one.span.line, one.span.text) == place
    assert one.message == "it is so (in `where(abs(e) < delta, 0, e^2)`, line 13 of allowable.loss)"
    reasons = [one.allowed for one in lossdsl.check(text.format('allow untested-gradient "why"')).findings]
    assert reasons == (["why"] if allowed else ["", ""])


# --- mistakes made on purpose -------------------------------------------------------------------------------------


def spoiled(monkeypatch, attribute, change):
    """Makes a stage of every program give something else."""
    original = getattr(pipeline.Program, attribute).func
    monkeypatch.setattr(pipeline.Program, attribute, property(lambda self: change(original(self))))


@pytest.mark.parametrize("name", ["huber", "categorical_hinge", "cosine_similarity", "hinge", "poisson"])
def test_a_wrong_gradient_is_caught(monkeypatch, name):
    def change(gradients):
        return {spec: tuple(b.mul(b.const(1.001), expr) for expr in exprs) for spec, exprs in gradients.items()}

    spoiled(monkeypatch, "gradients", change)
    report = lossdsl.check(name)
    assert not report.ok
    assert {one.id for one in report.findings} == {"gradient"}
    assert "and should be" in report.findings[0].message


def test_a_gradient_that_is_wrong_in_one_piece_is_caught(monkeypatch):
    def change(gradients):
        return {spec: b.mapped(exprs, without_sign) for spec, exprs in gradients.items()}

    def without_sign(node):
        return b.ONE if isinstance(node, Call) and node.op.name == "sign" else node

    spoiled(monkeypatch, "gradients", change)
    assert {one.id for one in lossdsl.check("huber").findings} == {"gradient", "lost-digits"}


def test_a_stable_form_with_another_value_is_caught(monkeypatch):
    spoiled(monkeypatch, "stable", lambda value: b.add(value, b.const(1e-9)))
    assert "value" in {one.id for one in lossdsl.check("huber").findings}


def test_a_wrong_value_is_caught_by_the_examples():
    file = pipeline.builtin("huber")
    loss = pipeline.program(file).loss
    wrong = Source(loss.source.text.replace("0.5*e^2", "0.501*e^2"), "huber.loss")
    assert wrong.text != loss.source.text
    program = pipeline.program(pipeline.parsed(wrong))
    assert [one.id for one in run_examples([program])].count("example") >= 2


def test_a_built_in_without_a_reference_is_told(monkeypatch):
    text = Source('"""A loss."""\nloss mine(t, x)\n(t - x)^2\nexample t=[1], x=[3] -> 4.0', "mine.loss")
    monkeypatch.setattr(catalog, "read", lambda name: text if name == "mine" else None)
    report = lossdsl.check("mine")
    assert [one.id for one in report.findings] == ["no-reference"]
    assert report.ok


def test_sympy_proves_what_it_can():
    report = lossdsl.check("huber", prove=True)
    assert "gradients in t and x proved" in report.passed
    report = lossdsl.check("log_cosh", prove=True)
    assert report.ok


@pytest.mark.parametrize(
    "text, is_zero",
    [
        ("1/(x + y) + 1/(x - y) - 2*x/(x**2 - y**2)", True),
        ("1/(x + y) + 1/(x - y) - 2*x/(x**2 + y**2)", False),
        ("(1/x + 1/y)**-2 - x**2*y**2/(x + y)**2", True),
        ("exp(x)/(2*exp(x) + 2) - exp(x)/(exp(x) + 1)/2", True),
        ("sqrt(x)/y - sqrt(x)*y**-1 + log(x) - log(x)", True),
        ("log(x*y) - log(x)", False),
        ("x - x*y/(y + 1e0 - 1)", False),  # a float is no fraction
        ("(x + 1)**2 - x**2 - 2*x - 1", True),
    ],
)
def test_quotients_of_polynomials_cancel(text, is_zero):
    """By hand."""
    import sympy

    from lossdsl.oracle.proof import _cancels

    x, y = sympy.symbols("x y", real=True)
    assert _cancels(sympy.sympify(text, locals={"x": x, "y": y}, evaluate=False)) is is_zero


def test_what_is_divided_by_zero_cancels_with_nothing():
    import sympy

    from lossdsl.oracle.proof import _cancels

    x = sympy.Symbol("x")
    inverse = sympy.Pow(sympy.Add(x, -x, evaluate=False), -1, evaluate=False)
    assert not _cancels(sympy.Mul(sympy.Integer(0), inverse, evaluate=False))


def test_a_proof_is_not_given_for_a_wrong_gradient():
    found = pipeline.program(pipeline.builtin("mean_squared_error"))
    wrong = {spec: tuple(b.mul(b.const(2), expr) for expr in exprs) for spec, exprs in found.gradients.items()}
    verdicts = judge(found.loss, found.stable, wrong, found.known, prove=True)
    assert [verdict.how for _, verdict in verdicts] == ["tested", "refuted", "refuted"]


def test_a_proof_takes_two_samples_where_samples_meet():
    """Over one sample the mean is the sample itself: what is right there is wrong over two."""
    found = pipeline.program(pipeline.parsed(Source("mean[batch](x)^2")))
    spec, known = found.loss.prediction, Derivative(found.loss, found.known)
    (slope,) = found.gradients[spec]
    assert known.is_given_by(spec, (slope,))
    (mean,) = (node for node in walk(slope) if isinstance(node, Reduce))
    assert not known.is_given_by(spec, (b.substitute(slope, {mean: spec.nodes[0]}),))


def test_a_loss_that_is_nowhere_finite_is_not_tested():
    report = lossdsl.check("log(-1 - (t - x)^2)")
    assert report.ok
    assert {one.id for one in report.findings} == {"untested-gradient", "leaves-domain"}


def test_what_stop_hides_is_held_still():
    assert found("stop(t - x)*(t - x)") == []
    slope = lossdsl.load("stop(t - x)*(t - x)").numpy.grad([3.0], [1.0])
    np.testing.assert_array_equal(slope, [-2.0])


# --- what is no number, where a formula asks for it -----------------------------------------------------------------


def _wrong_where_nothing_is_selected(text: str, wrong: str) -> list[str]:
    """The inputs whose gradient is refuted if that in the prediction is worked out as it must not be."""
    right = pipeline.program(pipeline.parsed(Source(text, "")))
    (spec,) = [one for one in right.gradients if one is right.loss.prediction]
    slope = pipeline.program(pipeline.parsed(Source(wrong, ""))).loss.value
    verdicts = judge(right.loss, right.stable, {**right.gradients, spec: (slope,)}, right.known)
    return [one.name for one, verdict in verdicts if one is not None and verdict.how == "refuted"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("where(isnan(t), 0, (t - x)^2)", "where(isnan(t), 0, 1)*2*(x - t)/len(x)"),
        ("where(t == inf, 0, (t - x)^2)", "where(t == inf, 0, 1)*2*(x - t)/len(x)"),
        ("where(abs(t) < inf, (t - x)^2, 0)", "where(abs(t) < inf, 1, 0)*2*(x - t)/len(x)"),
        ("where(isfinite(t), (t - x)^2, 0)", "where(isfinite(t), 1, 0)*2*(x - t)/len(x)"),
        ("where(t == t, (t - x)^2, 0)", "where(t == t, 1, 0)*2*(x - t)/len(x)"),
    ],
)
def test_what_is_not_selected_must_not_matter(text, wrong):
    assert _wrong_where_nothing_is_selected(text, wrong) == ["x"]
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where(isnan(t), 0, (t - x)^2)", {"t": "nan"}),
        ("loss f(t: positive, x)\nwhere(t == inf, x, (t - x)^2)", {"t": "inf"}),
        ("loss f(t: prob, x)\nwhere(isinf(t), x, (t - x)^2)", {}),
        ("where(isfinite(t - x), (t - x)^2, 0)", {"t": "inf -inf nan", "x": "inf -inf nan"}),
        ("where(t != t, 0, (t - x)^2)", {"t": "nan"}),
        ("where(t > 3, 0, (t - x)^2)", {}),
        ("loss f(t: label, x)\nwhere(isnan(x[t]), 0, x[t])", {"x": "nan"}),
    ],
)
def test_which_inputs_are_no_numbers(text, expected):
    asked = no_numbers(pipeline.program(pipeline.parsed(Source(text, ""))).loss)
    assert {node.name: " ".join(map(str, values)) for node, values in asked.items()} == expected


def test_floating_point_is_tried_at_what_is_no_number():
    text = "where(isnan(t), 0, (t - x)^2)"
    loss = pipeline.program(pipeline.parsed(Source(text, ""))).loss
    (batch,) = batches(loss, ranges(loss), FLOAT32, 24)
    (target,) = loss.target.nodes
    assert np.isnan(batch.inputs[target]).sum() == 6


@pytest.mark.parametrize(
    "text",
    [
        "loss e(t: scalar, x)\nargmax[j]((x^floor(t))[j])",  # a power whose operands have other axes
        "loss e(t: scalar, x)\nu = log_softmax(x)\ndigamma(mod(x, u[t]))",  # an index that is nan
        "t[1:]",  # on a grid of one element nothing is left
        "loss e(t, x)\n(2*x)^(t - t)",  # a form without the axes of the loss
        "loss e(t: positive, x: positive)\nstd(t)^cbrt(1e300)",  # a power that no exact arithmetic works out
        "u = gammainc(t, x)\nstd(u)*x",  # a shape below 0
        "log_i0(1/(x - x)) + x",  # infinite, and so is what comes out
        "erf(x/(t - t)) + x",  # a slope on the way through infinity
        "logsumexp(x)*1e300^2/gammainc(1, relu(t))",  # bounds that no float holds
        "where(isfinite(x), x, 0.5^(x/0)) + where(x > t, t^2, x)",  # a power with nan for an exponent
        "tan(x/inf) + x",  # bounds of one over infinity
        "(t - x[1:])^2 + (t[0] - x[0])^2",  # an element's place among those of a longer tensor
        "mod(t*1e300^2, 2 + t^2)*x",  # a remainder of which no digit is left
        "0^normalize(t - t)*x",  # an infinite slope times 0
        "(x^1e300)^erf(x)",
        "loss f(t: binary, x)\nt^t*where(x > t, x, t)",
        "loss f(t: scalar, x: positive)\nu = all[last](x < 3)\nwhere(u, t, u)",  # a condition over an axis is no part
        "loss f(t: simplex, x)\nmedian[j](t[j])^median[h](where(0 < rank(x), std(0), x))",  # a form without bound
        "w = sum[j](softmax[batch](x)*x[j])*(t - t)\nsoftmax(w)*x",  # a batch that is the same everywhere
        "log_i0(1e300*x)",  # an asymptotic series
        "(x - 2)^(1e300 - t)",  # a power that takes long to work out
        "gammaincc(1e-3^t, 1e-300)*x",  # a series that converges slowly
        "loss e(t, x; q = inf)\nmin(q, abs(t - x))",
    ],
)
def test_what_a_text_means_is_judged_or_left(text):
    report = lossdsl.check(text)
    assert not {"value", "gradient"} & {one.id for one in report.findings}


def test_one_to_any_power_is_one():
    assert found("acos(1^x) + (t - x)^2", asked=()) == found("(t - x)^2")


def test_a_plain_sum_of_squares_of_pairs_is_compiled():
    """Its gradient is a sum of differences under the weight 1, which is no part of the formula."""
    t, x = np.array([[1.0], [4.0]]), np.array([[2.0], [0.0]])
    np.testing.assert_allclose(lossdsl.load("sum[j in batch]((t - x[j])^2)").numpy.grad(t, x), [[-2.0], [-10.0]])


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_a_position_in_what_a_slice_left_empty_ends_in_a_report(name):
    """Batches of one element are tried, too; there the twin has a LossError."""
    assert "unbounded-below" in [one.id for one in lossdsl.check(f"loss m(t: binary, x)\n{name}(t[1:]) + x").findings]


@pytest.mark.parametrize(
    "body", ["w = x - 1\nw[1]*(ceil(w) + t[:-1])", "sum(x*t[:-1])*x[0]", "cumsum(x)[1]*sum(x*t[2:])"]
)
def test_inputs_of_different_lengths_are_checked(body):
    """The slope of an element that is read counts the positions of the prediction, which is shorter than the target."""
    report = lossdsl.check(f"loss f(t, x)\n{body}")
    assert report.ok, report.findings
    assert any("gradient" in line and "x" in line for line in report.passed)

"""Digits: formats against numpy's and ml_dtypes', errors against mpmath, and formulas that lose digits on purpose."""

import re
from dataclasses import replace

import ml_dtypes
import mpmath
import numpy as np
import pytest

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.checks import precision
from lossdsl.checks.finding import Finding
from lossdsl.checks.subject import Subject
from lossdsl.cli import main
from lossdsl.ir import build as b
from lossdsl.ir.ops import OPS
from lossdsl.oracle.accuracy import Truth
from lossdsl.oracle.float_formats import BFLOAT16, FLOAT16, FLOAT32, FORMATS
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.samples import EVERYDAY, batches, samples
from lossdsl.runtime.rounded import in_format
from lossdsl.source import Source

DTYPES = {FLOAT32: np.float32, FLOAT16: np.float16, BFLOAT16: ml_dtypes.bfloat16}


def subject(text):
    source = catalog.read(text) or Source(text)
    return Subject(pipeline.parsed(source))


def found(text):
    """The ids of what is found, each with the part that it is about."""
    ids = {}
    for one in precision.look(subject(text)):
        if isinstance(one, Finding):
            assert one.known.startswith("tested at ")
            ids[f"{one.id} {'value' if 'the value' in one.message else 'gradient'}"] = one.severity
    is_learned = not any(name.endswith("gradient") for name in ids)  # a remark: training does not see it
    for name, severity in ids.items():
        assert severity == ("info" if name == "lost-digits value" and is_learned else "warning")
    return list(ids)


def measure(text, part="value", kind=FLOAT32):
    (one,) = [one for one in precision.measured(subject(text)) if (one.part, one.format) == (part, kind)]
    return one


# --- formats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_formats_round_as_numpy_and_ml_dtypes_do(kind, rng):
    values = np.concatenate([rng.choice([-1, 1], 2000) * 10 ** rng.uniform(-46, 39, 2000), rng.normal(size=200)])
    values = np.append(values, [0.0, np.inf, -np.inf, np.nan, 65504.0, 65519.9, 65520.0, kind.largest, kind.smallest])
    with np.errstate(over="ignore", invalid="ignore"):
        expected = values.astype(np.float32).astype(DTYPES[kind]) if kind is BFLOAT16 else values.astype(DTYPES[kind])
    got = kind.rounded(values.astype(np.float32) if kind is BFLOAT16 else values)
    np.testing.assert_array_equal(got, expected.astype(float))


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_the_limits_of_formats(kind):
    limits = ml_dtypes.finfo(DTYPES[kind])
    expected = [float(one) for one in (limits.max, limits.smallest_normal, limits.smallest_subnormal)]
    assert [kind.largest, kind.normal, kind.smallest] == expected
    for value in (1.0, 1.99, 2.0, 300.0, 1e-3, kind.smallest, 0.0):
        one = np.array(value, DTYPES[kind])
        above = np.nextafter(one, np.array(np.inf, DTYPES[kind]))
        assert float(kind.unit(float(one))) == float(above) - float(one)


@pytest.mark.parametrize(
    "function",
    [np.add, np.multiply, np.divide, np.exp, np.log1p, np.tanh, np.sqrt, np.square, np.maximum],
    ids=lambda function: function.__name__,
)
def test_operations_in_bfloat16_are_those_of_ml_dtypes(function, rng):
    """ml_dtypes works in float32 and rounds, ours in float64, so they part once in a long while, by one unit."""
    arrays = [BFLOAT16.rounded(np.abs(rng.normal(size=400)) + 0.01) for _ in range(function.nin)]
    ours = function(*(in_format(array, BFLOAT16) for array in arrays))
    theirs = function(*(array.astype(ml_dtypes.bfloat16) for array in arrays)).astype(float)
    plain = np.asarray(ours)
    assert ours.kind is BFLOAT16
    assert np.mean(plain == theirs) > 0.99
    assert np.all(np.abs(plain - theirs) <= BFLOAT16.unit(plain))


def test_all_that_code_does_stays_in_the_format(rng):
    x = in_format(rng.normal(size=(4, 3)), BFLOAT16)
    rows = [np.sum(x, axis=-1), np.where(x > 0, x, 0.1), x * 0.1, np.mean(x, axis=0), np.concatenate([x, x])]
    rows += [x[..., 1:], np.einsum("ij,kj->ik", x, x), np.full(3, 0.1) + x, np.max(x, axis=-1), 1.0 / x]
    for row in rows:
        plain = np.asarray(row, dtype=float)
        np.testing.assert_array_equal(plain, BFLOAT16.rounded(plain))
    np.testing.assert_array_equal(np.asarray(x * 0.1), BFLOAT16.rounded(np.asarray(x) * BFLOAT16.rounded(0.1)))


# --- errors -------------------------------------------------------------------------------------------------------


def test_errors_count_units_in_the_last_place():
    loss = pipeline.program(pipeline.parsed(Source("(t - x)^2"))).loss
    program = pipeline.program(pipeline.parsed(Source("(t - x)^2")))
    drawn = samples(loss, program.known, FLOAT32, EVERYDAY)
    truth = Truth(loss, program.written_slopes, drawn)
    for ulps in (0, 1, 3, 40):
        near = FLOAT32.rounded(truth.parts["value"].astype(float))
        got = near + ulps * FLOAT32.unit(near)
        slopes = truth.parts["gradient"].astype(float)
        errors = truth.errors([got, slopes], FLOAT32)["value"]
        assert np.all(np.abs(errors.ulps - ulps)[near[:, 0] > 0] <= 0.5)
        assert not np.any(errors.lost | errors.overflow)


@pytest.mark.parametrize(
    "text, exact",
    [
        ("huber", lambda t, x: mpmath.mpf(t - x) ** 2 / 2 if abs(t - x) < 1 else abs(t - x) - mpmath.mpf(0.5)),
        ("log_cosh", lambda t, x: mpmath.log(mpmath.cosh(mpmath.mpf(x) - t))),
        ("mean_squared_logarithmic_error", None),
        ("sqrt(1 + (t - x)^2) - 1", lambda t, x: mpmath.sqrt(1 + (mpmath.mpf(t) - x) ** 2) - 1),
        ("1 - exp(-abs(t - x))", lambda t, x: 1 - mpmath.exp(-abs(mpmath.mpf(t) - x))),
    ],
)
@pytest.mark.parametrize("kind", [FLOAT32, FLOAT16], ids=lambda kind: kind.name)
def test_the_worst_place_is_as_bad_as_it_says(text, exact, kind):
    """The named point, run again through the twin, against mpmath at 80 digits."""
    if exact is None:

        def exact(t, x):
            return mpmath.log((1 + mpmath.mpf(max(t, 1e-7))) / (1 + mpmath.mpf(max(x, 1e-7)))) ** 2

    one = measure(text, "value", kind)
    t, x = (float(DTYPES[kind](number)) for number in re.findall(r"=\[(.*?)\]", one.place))
    with mpmath.workdps(80), np.errstate(all="ignore"):
        got = lossdsl.load(text).numpy(np.array([[t]], DTYPES[kind]), np.array([[x]], DTYPES[kind]))
        true = exact(t, x)
        ulps = abs(mpmath.mpf(float(got[0])) - true) / float(kind.unit(float(true)))
    assert float(ulps) == pytest.approx(one.worst, rel=1e-6)
    assert one.worst < 20


def test_what_the_inputs_do_not_settle_is_excused():
    """Near t = 7.38905609893065 the loss is smaller than its digits; one unit of t moves it as much."""
    one = measure("t - exp(x)")
    assert found("t - exp(x)") == []
    assert one.worst < 64


# --- findings -----------------------------------------------------------------------------------------------------

BROKEN = [
    ("mean(sqrt(1 + (t - x)^2))^2 - 1", ["lost-digits value"]),
    ("len(x)*sum(x^2) - sum(x)^2 + 0*sum(t)", ["lost-digits value"]),
    ("cbrt(x^2 + 1e12) - 1e4 + 0*t", ["lost-digits value"]),
    ("(x^4 - t^4) - (x^2 + t^2)*(x - t)*(x + t) + (t - x)^2", ["lost-digits value", "lost-digits gradient"]),
    ("log(1 + sinh(abs(t - x)))", ["overflow value", "lost-digits gradient"]),
    ("1/(1 + sinh(t - x)^2)", ["overflow gradient"]),
]


@pytest.mark.parametrize("text, expected", BROKEN, ids=[text for text, _ in BROKEN])
def test_digits_that_are_lost_are_found(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2*sin((t - x)/2)^2",
        "cos(t - x) - 1 + (t - x)^2/2",
        "(1 + (t - x)^2)^0.25 - 1",
        "mean(x^2) - mean(x)^2 + 0*sum(t)",
        "1 - sum(x*t)/sqrt(sum(x^2)*sum(t^2))",
        "log(cosh(t - x) + 1)",
        "log(1 + exp(t - x))",
        "sqrt(1 + (t - x)^2) - 1",
        "1 - exp(-abs(t - x))",
        "x - t*log(x)",
        "log(cosh(t - x))",
        "(x - t)^2/(1 + x^2)",
        "logsumexp(x) + 0*sum(t)",
        "mean((x - mean(x))^2) + 0*sum(t)",
        "abs(t - x)^0.5",
        "(t - x)^4",
        "exp(x) - t*x",
        "log(x) - t",
        "1/x + 0*t",
        "where(abs(t - x) < 1e-3, 0, t - x)",
        "loss f(t: label, x)\nlogsumexp(x) - x[t]",
        "loss f(t, (m, s))\n0.5*((t - m)*exp(-s))^2 + s",
    ],
)
def test_no_alarm_without_need(text):
    assert found(text) == []


@pytest.mark.parametrize(
    "text, expected",
    [
        ("loss barron(t, x; a = 1.0)\ns = (t - x)^2\n((s + 1)^(a/2) - 1)/a", []),
        ("loss savage(t: sign, x)\n1/(1 + exp(2*t*x))^2", []),
        ("loss byol(t, x)\n2 - 2*sum(normalize(x)*normalize(stop(t)))", []),
        # the same as they are shipped
        ("barron", []),
        ("savage", []),
        ("byol", []),
        ("sparsemax", []),
        ("charbonnier", []),
        ("info_nce", []),
    ],
)
def test_published_losses(text, expected):
    assert found(text) == expected


def test_a_finding_names_range_point_and_truth():
    text = "log(1 + sinh(abs(t - x)))"
    one, *_ = [one for one in precision.look(subject(text)) if isinstance(one, Finding)]
    pattern = r"abs\(t - x\) >= 1e\+02, such as at t=\[(.*)\], x=\[(.*)\]: inf, and (.*) is right"
    start, rest = one.message.split(" where ")
    assert start == "the value is no number in float32"
    t, x, true = map(float, re.fullmatch(pattern, rest).groups())
    assert true == pytest.approx(abs(t - x) - np.log(2), rel=1e-2)
    assert one.span.text == text


def test_settings_are_named():
    text = "loss f(t, x; raw: bool = true)\nwhere(raw, (t - x)^2, log(1 + sinh(abs(t - x))))"
    messages = [one.message for one in precision.look(subject(text)) if isinstance(one, Finding)]
    assert len(messages) == 2
    assert all("raw=false" in message for message in messages)


def test_formats_are_told_where_properties_are_asked_for():
    assert list(precision.look(subject("huber"))) == []
    known = list(precision.look(replace(subject("huber"), properties=True)))
    assert [one.property for one in known] == [
        f"{part} in {kind.name}" for kind in FORMATS for part in ("value", "gradient")
    ]
    assert all(re.match(r"within \S+ ulp at \d+ points", one.detail) for one in known)
    whole = [str(measure("log(1 + sinh(abs(t - x)))", "value", kind)) for kind in FORMATS]
    assert "overflow on the way where abs(t - x) >= " in whole[0]


# --- mistakes made on purpose -------------------------------------------------------------------------------------


def spoiled(monkeypatch, attribute, change):
    monkeypatch.setattr(pipeline.Program, attribute, property(change))


@pytest.mark.parametrize("text", ["log(1 + exp(t - x))", "log(cosh(t - x))", "-log(1/(1 + exp(t - x)))"])
def test_without_the_stable_form_digits_are_lost(monkeypatch, text):
    assert found(text) == []
    spoiled(monkeypatch, "value", lambda self: self.loss.result)
    assert any(one.endswith("value") for one in found(text))


def test_a_helper_function_that_is_a_little_wrong_shows(monkeypatch):
    text = "softplus(x) + 0*t"
    before = measure(text).worst
    good = pipeline.Program.value.func
    spoiled(monkeypatch, "value", lambda self: b.mul(good(self), b.const(1 + 2**-20)))
    assert before < 5 < 14 < measure(text).worst < 64


def test_a_gradient_without_its_digits_shows(monkeypatch):
    good = pipeline.Program.gradients.func

    def there_and_back(expr):
        return b.sub(b.add(expr, b.const(1e4)), b.const(1e4))

    spoiled(
        monkeypatch,
        "gradients",
        lambda self: {spec: tuple(map(there_and_back, exprs)) for spec, exprs in good(self).items()},
    )
    assert found("0.01*(t - x)^2") == ["lost-digits gradient"]


# --- labels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("loss f(t: label, x)\n(t - x)^2", True),
        ("loss f(t: label, x; k = 1.0)\nwhere(t == k, 0, -x[t])", True),
        ("loss f(t: label, x; k: int = 1)\nwhere(t == k, 0, -x[t])", False),
        ("loss f(t: label, x)\nlogsumexp(x) - x[t]", False),
        ("loss f(t: label, x)\nsum[j](where(j > t, x[j], 0))", False),
        ("loss f(t: label, x)\nmean[j in batch if t[j] == t](sum((x - x[j])^2))", False),
        ("(t - x)^2", False),
    ],
)
def test_labels_that_become_real_numbers(text, expected):
    found = [one for one in lossdsl.check(text, prove=False).findings if one.id == "label-float16"]
    assert [one.severity for one in found] == ["info"] * expected


def test_whole_labels_are_told_apart_in_float16_and_real_ones_are_not():
    x = np.zeros((2, 1), np.float16)
    t = np.array([2048, 2049])
    whole = lossdsl.load("loss f(t: label, x; k: int = 2048)\nwhere(t == k, 0, 1) + 0*sum(x)").numpy(t, x)
    real = lossdsl.load("loss f(t: label, x; k = 2048.0)\nwhere(t == k, 0, 1) + 0*sum(x)").numpy(t, x)
    assert (whole.tolist(), real.tolist()) == ([0, 1], [0, 0])


# --- bounds -------------------------------------------------------------------------------------------------------


def test_numbers_that_grow_without_bound_end():
    m = mp_numbers(50)
    value = m.mpf(9)
    for _ in range(6):
        value = m.apply(OPS["exp"].exact, "exp", (value,))
    assert value == m.inf
    assert found("exp(exp(exp(exp(x)))) + 0*t") == []


def test_a_large_loss_is_not_measured():
    text = " + ".join(f"abs(x - {k})" for k in range(1, 220))
    assert precision.measured(subject(text)) == []


def test_samples_are_the_same_every_time_and_in_their_domains():
    text = "loss f(t: prob, x: simplex, y: unit, n: count, k: label)\nsum(t*x*y*n) + x[k]"
    program = pipeline.program(pipeline.parsed(Source(text)))
    for kind in FORMATS:
        one, other = (batches(program.loss, program.known, kind, 60)[0] for _ in range(2))
        for (node, array), again in zip(one.inputs.items(), other.inputs.values(), strict=True):
            np.testing.assert_array_equal(array, again)
            np.testing.assert_array_equal(array, kind.rounded(array))
            assert program.known[node].low <= array.min()
            assert array.max() <= program.known[node].high
        x = one.inputs[program.loss.inputs[1].nodes[0]]
        np.testing.assert_allclose(x.sum(axis=-1), 1, atol=3 * 2.0**-kind.bits)


STEEP = "loss steep(t, x; k = 1.0)\nrequire k >= 0\n\nlog(1 + sinh(k*abs(tanh(t - x)))) + (t - x)^2"


def test_digits_are_judged_for_the_parameters_given(tmp_path, capsys):
    """What overflows for k = 100 only is found in the YAML file that says so, and not in the loss alone."""
    (tmp_path / "steep.loss").write_text(STEEP)
    given = tmp_path / "given.yaml"
    given.write_text("loss: {file: steep.loss, params: {k: 100.0}}\n")
    assert main(["check", str(tmp_path / "steep.loss")]) == 0
    assert main(["check", str(given)]) == 1
    told = capsys.readouterr().out
    assert "[overflow]" in told
    assert "k=100" in told
    assert "overflow" in {found.id for found in lossdsl.check(STEEP, parameters={"k": 100.0}).findings}


def test_whole_parameters_that_are_given_are_judged_first():
    subject = Subject(pipeline.parsed(Source("loss f(t, x; n: int = 2)\nabs(t - x)^n")), parameters={"n": 3})
    assert subject.loss.settled == {"n": 3}


def test_the_digits_of_a_backend_are_those_of_its_own_code(monkeypatch):
    """1 - erf(a) loses all digits far out; here TensorFlow's code has it, and numpy's has not."""
    row = OPS["erfc"]
    spelling = {**row.spelling, "tensorflow": "1 - tf.math.erf(a)"}
    monkeypatch.setitem(OPS, "erfc", replace(row, spelling=spelling))
    source = "loss f(t, x)\n-log(erfc(abs(t - x)) + 1e-20)"
    assert "lost-digits" not in {found.id for found in lossdsl.check(source).findings}
    assert {found.id for found in lossdsl.check(source, backend="tensorflow").findings} & {"lost-digits", "overflow"}

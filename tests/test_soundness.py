"""Nothing is claimed of a random formula that 60 digits contradict; more by `python tests/soundness.py 2000`."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from soundness import analyzed, faults, random_loss

import lossdsl
from lossdsl.errors import LossError
from lossdsl.prove.certificates import EFFORT

EXAMPLES = 40


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=True))
def test_nothing_is_claimed_that_sixty_digits_contradict(random):
    loss = random_loss(random.choice)
    try:
        wrong = faults(loss, random.choice, count=3)
    except LossError:  # a formula in which nothing is left of the prediction
        assume(False)
    assert not wrong, loss.text


# Each has a value on either side of a place where it has none, or grows without end; mpmath, 60 digits.
BROKEN = [
    "log(abs(t - x))",
    "abs(t - x)^(-0.5)",
    "loss f(t, x; p = -1.0)\nabs(t - x)^p",
    "loss f(t, x; p = 2.0)\nabs(t - x)^p",  # continuous for the default alone
    "atanh(abs(t - x) - 1)",
    "xlogy(t, abs(t - x))",
    "log_bessel_i(1, abs(t - x))",
    "log(1 - cos(t - x))",
    "lgamma(t - x)",
    "digamma(t - x)",
    "tan(t - x)",
    "log(x^2)",
    "sqrt((t - x)^2 - 1)",
    "sum(log(abs(t - x)))",
    "log(norm(t - x))",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_pole_is_a_break_whatever_was_composed_first(text):
    found = analyzed(text)
    for name in ("continuous", "smooth"):
        assert found.decide(name).how != "proved", name


@pytest.mark.parametrize("text", ["lgamma(t - x)", "-digamma(t - x)", "tan(t - x)"])
def test_beyond_a_pole_nothing_is_known(text):
    found = analyzed(text)
    for name in ("convex", "nonnegative", "bounded"):
        assert found.decide(name).how != "proved", name


# Of a difference `d` that is 0 at one prediction, which may be any decimal.
POLES = [
    "1/d", "(t - x)^2/d", "exp(1/d)", "tanh(1/d)", "atan(1/d)", "sqrt(1/d^2)", "log(d^2)", "log(abs(d))", "d^(-2)",
    "abs(d)^(-0.5)", "min(1/d^2, 5)", "abs(t - x)/abs(d)", "where(abs(d) < 0.4, 1/d, 0)", "1/(d*(d^2 + 1))",
    "1/(d*d + 2*d)", "log((exp(d) - 1)^2)", "xlogy(t^2 + 1, d^2)", "1/(abs(d) - 0.25)", "1/(exp(d) - 1)",
    "(t - x)^2 + 1/(3*d)", "1/(d^2 - 0.0625)", "atanh(1 - d^2)",
]  # fmt: skip
SAFE = ["1/(d^2 + 0.01)", "where(abs(d) > 0.1, 1/d, 10)", "log(abs(d) + 0.001)", "exp(d)/(1 + exp(d))", "abs(d)^0.5"]


@settings(max_examples=30)
@given(st.sampled_from(POLES), st.integers(-99_999, 99_999), st.integers(1, 4), st.sampled_from(["x", "2*x", "t - x"]))
def test_a_pole_is_found_wherever_it_is(text, whole, digits, of):
    text = f"loss f(t, x)\nd = {of} - {whole}/{10**digits}\n{text}"
    found = lossdsl.properties(text)
    for name in ("finite", "continuous"):
        assert found[name].how == "refuted", (name, text)


@settings(max_examples=10)
@given(st.sampled_from(SAFE), st.integers(-99_999, 99_999), st.integers(1, 4))
def test_where_there_is_no_pole_none_is_found(text, whole, digits):
    found = lossdsl.properties(f"loss f(t, x)\nd = x - {whole}/{10**digits}\n{text}")
    assert found["finite"].how != "refuted"


def test_a_pole_is_told_with_its_place_and_what_grows_there():
    found = lossdsl.properties("1/(x - 3.7)")
    assert [found[name].at for name in ("finite", "continuous")] == [{"t": 0.0, "x": 3.7}] * 2
    assert found["bounded below"].detail == "the value goes to -inf as the prediction grows to 3.7"
    between = lossdsl.properties("1/(x^2 - 2)")["continuous"]
    assert abs(between.at["x"]) == pytest.approx(2**0.5, abs=1e-12)
    assert between.detail.startswith("next to it")
    (told,) = [one for one in lossdsl.check("(t - x)^2/abs(x - 3.7)").findings if one.id == "leaves-domain"]
    assert told.message == "the quotient by `abs(x - 3.7)` is inf at t=0, x=3.7"


def test_what_grows_where_a_loss_has_no_value_counts_for_nothing():
    found = lossdsl.properties("loss f(t: count, x)\n(t + 1)*log(x - 0.3)")
    assert found["slope bounded"].detail == "the slope goes to inf as the prediction falls to 0.3"
    assert lossdsl.properties("sqrt(x - 0.3)^3/(x - 0.3)")["bounded below"].how != "refuted"


@pytest.mark.parametrize("power", ["2", "-2"])
def test_a_power_has_a_pole_for_the_exponents_that_make_one(power):
    found = lossdsl.properties(f"loss f(t, x; q = {power})\nrequire q*({power}) > 0\nabs(t - x - 0.37)^q")
    assert (found["finite"].how == "refuted") == (power == "-2")


def test_the_rounding_at_a_pole_refutes_nothing():
    """At t = 0, acos is pi/2, of which no number of digits is on one side: tan of it is of either sign."""
    found = lossdsl.properties("loss f(t, x: nonneg)\ntan(acos(t)) + x")
    assert found["nonnegative"].at.get("t") != 0
    assert found["finite"].how == "refuted"


# What each row promises holds for the defaults and not for the parameters in the last column, which are admissible.
SCOPED = [
    ("loss f(t, x; c = 1.0)\nrequire c > 0\n(50 - c)*(t - x)^2", "nonnegative", "c=51"),
    ("loss f(t, x; c = 1.0)\nrequire c > 0\n(50 - c)*(t - x)^2", "convex", "c=51"),
    ("loss f(t, x; c = 1.0)\nrequire c > 0\n(50 - c)*(t - x)^2", "least at t = x", "c=51"),
    ("loss f(t, x; c = 1.0)\nrequire c > 0\nsum((50 - c)*(t - x)^2)", "nonnegative", "c=51"),
    ("loss f(t, x; c = 1.0)\nrequire c != 0\nc*(t - x)^2", "nonnegative", "c=-1"),
    ("loss f(t, x; p = 2.0)\nabs(t - x)^p", "convex", "p=0.5"),
    ("loss f(t, x; k: int = 2)\n(t - x)^k", "convex", "k=3"),
    ("loss f(t, x; k: int = 2)\n(t - x)^k", "symmetric", "k=1"),
]


@pytest.mark.parametrize("text, name, at", SCOPED)
def test_a_promise_that_other_parameters_break_is_refuted(text, name, at):
    report = lossdsl.check(f"{text}\nexpect {name}")
    (found,) = [one for one in report.findings if one.id == "broken-promise"]
    assert at in found.message


def test_a_proof_for_the_defaults_alone_is_none():
    text = "loss f(t, x; w = 2.0)\nw*abs(t - x)"
    verdict = analyzed(text).decide("nonnegative")
    assert (verdict.how, verdict.scope) == ("tested", "for w = 2")
    (found,) = [one for one in lossdsl.check(f"{text}\nexpect nonnegative").findings if one.id == "open-promise"]
    assert "proved for w = 2 alone" in found.message
    assert "require" in found.hint
    assert not lossdsl.check(f"{text}\nrequire w >= 0\nexpect nonnegative").findings


def test_what_has_no_value_at_the_target_is_not_zero_or_least_there():
    found = analyzed("sqrt(abs(t - x) - 1)")
    assert found.decide("least at t = x").how != "proved"
    assert analyzed("(t - x)*log(abs(t - x))").decide("zero at t = x").how != "proved"


OUTSIDE = {
    "prob": "relu(-x) + relu(x - 1)",
    "simplex": "relu(-x) + relu(x - 1)",
    "onehot": "relu(-x) + relu(x - 1)",
    "positive": "relu(-x)",
    "count": "relu(-x)",
    "logprob": "relu(x)",
    "sign": "abs(x^2 - 1)",
    "binary": "abs(x^2 - x)",
    "unit": "relu(sum(x^2) - 1.1)",
}
"""What is 0 for each prediction of a kind, and more than 0 for some other numbers."""


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_target_that_is_no_prediction_refutes_nothing(kind):
    """-0.7 is a target, and no probability: nothing is said of a prediction of -0.7."""
    text = f"t, x{{}})\nsum({OUTSIDE[kind]})"
    assert analyzed("loss f(" + text.format(f": {kind}")).decide("zero at t = x").how != "refuted"
    assert analyzed("loss f(" + text.format("")).decide("zero at t = x").how == "refuted"


def test_a_whole_number_is_proved_for_all_that_it_may_be():
    text = "loss f(t, x; k: int = 2)\nrequire k >= 1\nabs(t - x)^k\nexpect convex, symmetric"
    assert not lossdsl.check(text).findings


@pytest.mark.parametrize("text", ["max[last](x*t)", "max[last](x*t)^k"])
def test_a_whole_number_is_drawn_like_any_other(text):
    report = lossdsl.check(f"loss f(t, x; k: int = 3)\nrequire k >= 1\n{text}\nexpect bounded below")
    assert "open-promise" in [one.id for one in report.findings]


def stairs(count: int) -> str:
    """A convex loss of so many joins in the size of the error: the piece from k to k + 1 has the slope 2*k + 1."""
    pieces = [f"u < {k + 1}: {k * k} + {2 * k + 1}*(u - {k})" for k in range(count)]
    return f"u = abs(t - x)\ncases({', '.join(pieces)}, else: {count**2} + {2 * count + 1}*(u - {count}))"


@pytest.mark.parametrize("count", [9, 12, 24])
def test_many_joins_are_decided(count):
    """By the bounds of the error alone: no certificate is looked for."""
    found = analyzed(stairs(count))
    for name, how in {"continuous": "proved", "convex": "proved", "nonnegative": "proved", "smooth": "refuted"}.items():
        assert found.decide(name).how == how, name
    (case,) = found.cases
    assert case.assumptions.effort.left > EFFORT * 9 // 10


@pytest.mark.parametrize("count", [60, 200])
def test_the_gradient_of_a_large_loss_is_tested_too(count):
    text = " + ".join(f"log(1 + ({k + 1}*t - x)^2)" for k in range(count))
    assert "gradients in t and x tested at" in str(lossdsl.check(text))

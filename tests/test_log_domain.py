"""What a paper writes with probabilities keeps its digits: random formulas in float32, against mpmath at 700 digits.

The formulas are made of probabilities of logits, which may be of any size: a probability, one less a probability,
products, powers, mixtures, choices, products over an axis. Of each, logarithm, power and complement are tried.
The truth is the formula as it was written, in numbers that neither overflow nor cancel; the slope is its difference
quotient. An error counts as far as it is beyond what moving the logits by half a unit in their last place would do.
Where several probabilities depend on the same logit, errors of its slope are in units of the largest contribution.
Sums over all components of a softmax are left out: their slopes are differences, as accurate as their largest term.
"""

import math
import os
import re

import numpy as np
import pytest
from digits import HEADER, WRITTEN, Truth, check
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl.oracle.number_systems import mp_numbers

# --- formulas -----------------------------------------------------------------------------------------------------

ATOMS = st.sampled_from(
    [
        "softmax(x)[t]",
        "softmax(x/2)[t]",
        "softmax(x)[0]",
        "exp(x)[1]/sum(exp(x))",
        "sigmoid(x[0])",
        "sigmoid(x[1] - x[0])",
        "sigmoid(-x[t])",
        "1/(1 + exp(x[2]))",
        "exp(-abs(x[0]))",
        "exp(-x[1]^2/2)",
        "norm_cdf(x[0]/8)",
        "mean(sigmoid(x))",
        "prod(sigmoid(x))",
        "max(sigmoid(x))",
        "(1 + tanh(x[1]))/2",
        "0.5*(1 + erf(x[0]/8))",
        "(1 - exp(-exp(x[2])))",
        "exp(-exp(-x[0]))",
    ]
).map("<{}>".format)  # marked, so that what each contributes to a slope is known


def composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A probability made of others."""
    return st.one_of(
        st.builds("(1 - {})".format, inner),
        st.builds("{}*{}".format, inner, inner),
        st.builds("({})^{}".format, inner, st.sampled_from(["2", "0.5", "3", "1.5"])),
        st.builds("(0.3*{} + 0.7*{})".format, inner, inner),
        st.builds("where(t == 1, {}, {})".format, inner, inner),
        st.builds("max({}, {})".format, inner, inner),
        st.builds("min({}, {})".format, inner, inner),
        st.builds("(1 - (1 - {})*(1 - {}))".format, inner, inner),
        st.builds("({0} + {1} - {0}*{1})".format, inner, inner),
    )


PROBABILITIES = st.recursive(ATOMS, composed, max_leaves=3)


def plain(body: str) -> str:
    """The text without its marks."""
    return re.sub("<|>", "", body)


def by_atoms(body: str) -> tuple[str, int]:
    """The text with logits of its own for each probability of logits, and how many those are."""
    atoms = list(dict.fromkeys(re.findall("<(.*?)>", body)))

    def own(match: re.Match[str]) -> str:
        first = 3 * atoms.index(match[1])
        moved = re.sub(r"\bx\[(\w)\]", rf"x[\1 + {first}]", match[1])
        return re.sub(r"\bx\b(?!\[)", f"x[{first}:{first + 3}]", moved)

    return re.sub("<(.*?)>", own, body), len(atoms)


OF_ONE = (
    "1/(p + 0.5) - log(p)",
    "-log(p) + 1 - p",
    "p - log(p) - 1",
    "1 - p - p*log(p)",
    "log(2 - p)",
    "p^(-0.5) - 1",
    "-log(-log(p))",
    "2 - 2*p - 3*log(p)",
    "exp(1 - p) - 1",
)
LOSSES = st.one_of(
    st.builds("-log({})".format, PROBABILITIES),
    st.builds("p = {}\n-(1 - p)^{}*log(p)".format, PROBABILITIES, st.sampled_from(["0.5", "1", "2", "1.5"])),
    st.builds("log(1 + {}) - 8*log({})".format, PROBABILITIES, PROBABILITIES),
    st.builds("1 - {}".format, PROBABILITIES),
    st.builds("p = {}\n{}".format, PROBABILITIES, st.sampled_from(OF_ONE)),
)
LOGITS = st.lists(
    st.one_of(
        st.floats(-6, 6, width=32).map(lambda x: x if abs(x) > 1e-9 else 0.0),  # the square of a smaller one is 0
        st.floats(-40, 40, width=32).map(lambda x: x if abs(x) > 1e-9 else 0.0),
        st.sampled_from([-110.0, 100.0, -25.0, 18.0, 0.0]),
    ),
    min_size=3,
    max_size=3,
)


def on_numpy(text, t, x):
    loss = lossdsl.load(text)
    with np.errstate(all="ignore"):
        return [*loss.numpy(t, x), *loss.numpy.grad(t, x)[0]]


@settings(max_examples=int(os.environ.get("LOSSDSL_EXAMPLES", "60")), suppress_health_check=list(HealthCheck))
@given(LOSSES, st.integers(0, 2), LOGITS)
@example("-log(<softmax(x)[t]>)", 0, [-110.0, 0.0, 1.0])
@example("p = <softmax(x)[t]>\n-(1 - p)^0.5*log(p)", 0, [17.0, 0.0, 0.5])
def test_digits_are_kept(body, label, row):
    apart, count = by_atoms(body)
    check(plain(body), label, row, on_numpy, Truth(HEADER + apart, label).at(row * count) if count > 1 else ())


@pytest.mark.parametrize("body, label, row", WRITTEN, ids=[body for body, _, _ in WRITTEN])
def test_what_papers_write_keeps_its_digits(body, label, row):
    check(body, label, row, on_numpy)


ELEMENTS = st.recursive(
    st.just("#"),
    lambda inner: st.one_of(
        st.builds("{}*{}".format, st.sampled_from(["2", "0.3", "1.7"]), inner),
        st.builds("({})/3".format, inner),
        st.builds("-({} - 1)^2/4".format, inner),
        st.builds("3*tanh({})".format, inner),
        st.builds("-abs({})".format, inner),
        st.builds("({0} + sigmoid({0}))".format, inner),
    ),
    max_leaves=2,
)
OF_A_WHOLE = (
    "logsumexp({all}) - ({one})",
    "log(sum(exp({all}))) - ({one})",
    "-log(exp({one})/sum(exp({all})))",
    "-log(softmax({all})[t])",
    "l = {all}\nlogsumexp(l) - l[t]",
    "-log(1 - exp({one})/sum(exp({all})))",
    "-log(1 - exp({one})/(1 + sum(exp({all}))))",
    "p = sigmoid({all})\nlog(sum(p)) - log(sigmoid({one}))",
)


@settings(max_examples=int(os.environ.get("LOSSDSL_EXAMPLES", "60")), suppress_health_check=list(HealthCheck))
@given(ELEMENTS, st.sampled_from(OF_A_WHOLE), st.integers(0, 2), LOGITS)
@example("2*#", "log(sum(exp({all}))) - ({one})", 0, [-20.0, -25.0, -30.0])
def test_an_element_is_known_however_it_is_written(element, form, label, row):
    """`2*x[t]` beside `2*x`: a class that is sure of itself has the digits of what the others have."""
    check(form.format(all=element.replace("#", "x"), one=element.replace("#", "x[t]")), label, row, on_numpy)


SHARES = (
    "sigmoid(x[0])",
    "softmax(x)[t]",
    "exp(-exp(x[1]))",
    "norm_cdf(x[0]/4)",
    "exp(-abs(x[0]))",
    "1/(1 + exp(x[2]))",
)
WEIGHTS = st.lists(st.integers(0, 4), min_size=2, max_size=4).filter(any)


def expanded(own: int, rest: int, weights: list[int]) -> str:
    """The powers of s of s^own*(1 - s)^rest times the sum of weights[i]*s^i*(1 - s)^(n - i)."""
    found: dict[int, int] = {}
    for place, weight in enumerate(weights):
        power = rest + len(weights) - 1 - place
        for count in range(power + 1):
            at = own + place + count
            found[at] = found.get(at, 0) + weight * math.comb(power, count) * (-1) ** count
    terms = [f"{'-' if weight < 0 else '+'} {abs(weight)}*s^{at}" for at, weight in sorted(found.items()) if weight]
    return " ".join(terms).removeprefix("+ ").replace("*s^0", "").replace("s^1 ", "s ").removesuffix("^1")


@settings(max_examples=int(os.environ.get("LOSSDSL_EXAMPLES", "60")), suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SHARES), st.integers(0, 2), st.integers(0, 2), WEIGHTS, st.integers(0, 2), LOGITS)
@example("sigmoid(x[0])", 2, 0, [3, 1], 0, [17.0, 0.0, 0.0])
@example("softmax(x)[t]", 0, 2, [1, 3], 0, [200.0, 0.0, 0.0])
def test_a_polynomial_of_a_probability_keeps_its_digits(share, own, rest, weights, label, row):
    """As the sum of its powers, which cancel at the ends: `3*s^2 - 2*s^3` is 1 less what is of the order (1 - s)^2."""
    at, *_ = Truth(f"{HEADER}{share}", label).at(row)
    polynomial = expanded(own, rest, weights)
    assume("s^" in polynomial and min(at, 1 - at) < 1 / 32)  # between, the slope may be 0
    check(f"s = {share}\n-log({polynomial})", label, row, on_numpy)


EITHER_SIGN = (
    "log(abs(d))",
    "log(d^2 + 1e-3)",
    "sqrt(d^2)",
    "1 - d^2",
    "log(1 - d^2/4)",
    "(d^2)^0.3",
    "-log(1 - abs(d)/2)",
    "d^2/(1 + d^2)",
    "log(sum[j]((d + j)^2))",
    "d^3*exp(x[2])",
)
ORDINARY = st.sampled_from(["exp(x[0])", "exp(-x[1])", "x[1]", "x[2]", "t", "0.7", "1"])
PLAIN = st.one_of(PROBABILITIES.map(plain), ORDINARY)


@settings(max_examples=int(os.environ.get("LOSSDSL_EXAMPLES", "60")), suppress_health_check=list(HealthCheck))
@given(st.sampled_from(EITHER_SIGN), PLAIN, PLAIN, st.integers(0, 1), LOGITS)
@example("log(abs(d))", "exp(x[0])", "exp(-x[1])", 0, [-110.0, -100.0, 0.0])
@example("sqrt(d^2)", "sigmoid(x[0])", "0.7", 0, [0.25, 0.0, 0.0])
def test_differences_may_have_either_sign(body, one, other, label, row):
    """No form takes a difference for positive that is not; how many digits it has is another matter."""
    assume("x" in one + other)
    sides = (f"where(t < 9, {side}, x[0])" for side in (one, other))  # a loss has to have an input
    texts = [f"{HEADER}{text}" for text in (*sides, f"d = {one} - ({other})\n{body}")]
    first, second, true = (Truth(text, label).at(row) for text in texts)
    m = mp_numbers(60)
    sizes = [abs(side[0]) for side in (first, second)]
    assume(abs(first[0] - second[0]) > max(sizes) / 64)  # a nearer one has lost its digits before it is a logarithm
    assume(all(m.isfinite(one) and (one == 0 or 1e-25 < abs(one) < 1e25) for one in (*sizes, *true)))
    got = on_numpy(texts[2], np.array([label], np.int32), np.array([row], np.float32))
    largest = max(map(abs, true[1:]))
    assert abs(got[0] - true[0]) <= 1e-4 * max(abs(true[0]), 1e-2)
    for slope, expected in zip(got[1:], true[1:], strict=True):
        assert abs(slope - expected) <= 1e-3 * max(largest, 1e-2)


@pytest.mark.parametrize(
    "body, row, expected",
    [
        ("softmax(x)[0] - softmax(x)[1]", (-np.inf, -np.inf, 1.0), 0.0),
        ("abs(sigmoid(x[0]) - sigmoid(x[1]))", (np.inf, np.inf, 1.0), 0.0),
        ("sqrt(x[0]^2 + 4) - 2", (1e25, 0.0, 0.0), np.inf),
        ("1 - sum(softmax(where(x > 5, x, -inf))*sigmoid(x))", (1.0, 2.0, 3.0), 1.0),
    ],
)
def test_infinite_logits_and_classes_that_are_masked_have_plain_values(body, row, expected):
    """What a mask makes of logits, and what overflows: the forms with more digits say no other thing there."""
    value, *slopes = on_numpy(f"loss f(t: label, x)\n{body}", np.array([0], np.int32), np.array([row], np.float32))
    assert value == expected
    assert not np.isnan(slopes).any()


@pytest.mark.parametrize(
    "body, row",
    [
        ("log(max(x[0], exp(x[1])))", (np.nan, 0.0, 1.0)),
        ("1 - sum(sigmoid(x)*onehot(t))", (1.0, np.nan, 2.0)),
        ("log(sum(x)) - log(x[t])", (-1.0, -2.0, -2.0)),  # none is there, whatever their quotient is
        ("log(max(x[0], exp(x[1])))", (0.0, np.nan, 1.0)),
        ("log(sum[j if j <= t](exp(x[j])))", (np.nan, 0.0, 1.0)),
        ("-log(cumsum(softmax(x))[t])", (0.0, np.nan, 1.0)),
        ("log((exp(x[0]) - exp(x[1]))^2)", (np.nan, 0.0, 1.0)),
        ("1 - (sigmoid(x[0]) - sigmoid(x[1]))^2", (0.0, np.nan, 1.0)),
    ],
)
def test_a_logit_that_is_nan_is_not_hidden(body, row):
    """It makes the plain formula nan, and so the forms that are used in its place."""
    value, *_ = on_numpy(f"loss f(t: label, x)\n{body}", np.array([0], np.int32), np.array([row], np.float32))
    assert np.isnan(value)


HELD = [("F[t] - F[t - 1]", 0.0), ("log(F[t - 1])", -0.75), ("F[t + 2] - F[2]", 0.0)]


@pytest.mark.parametrize("body, expected", HELD)
def test_an_element_of_a_running_sum_is_held_inside_of_its_range(body, expected):
    """As of any tensor: before the first is the first, and the sum of nothing is not."""
    text = f"{HEADER}F = cumsum(exp(x))\n{body}"
    value, *_ = on_numpy(text, np.array([0], np.int32), np.array([[-0.75, 1.0, 2.0]], np.float32))
    assert value == pytest.approx(expected, rel=1e-6)


def test_a_class_of_reference_is_left_where_all_others_are_masked():
    """-log(exp(-inf)/(1 + 0)): the shares among the others, which would be 0/0, do not come in."""
    value, *_ = on_numpy(f"{HEADER}log(1 + sum(exp(x))) - x[t]", np.array([0], np.int32), np.full((1, 3), -np.inf))
    assert value == np.inf


@pytest.mark.parametrize("place", range(3))
def test_a_nan_in_what_is_written_stays_one(place):
    """Wherever the formula as it is written is nan for it, at 400 digits, the form with more digits is nan as well."""
    hidden = []
    for body, label, row in {one[0]: one for one in WRITTEN[place::3]}.values():
        if body == "exp(x[0])*exp(-x[0])*x[1]":  # powers that cancel are gone, as x - x is
            continue
        logits = [np.nan if at == place else one for at, one in enumerate(row)]
        expected = Truth(HEADER + body, label).at(logits)[0]
        value, *_ = on_numpy(HEADER + body, np.array([label], np.int32), np.array([logits], np.float32))
        if expected != expected and not np.isnan(value):
            hidden.append((body, logits, value))
    assert not hidden


OWN = (
    "-log(exp(dot(x, t)/0.1)/sum[j in batch](exp(dot(x, t[j])/0.1)))",
    "s[j in batch] = dot(normalize(x), normalize(t[j]))/0.1\n"
    "logsumexp[j in batch](s[j]) - dot(normalize(x), normalize(t))/0.1",
    "p = exp(dot(x, t)/0.1)/(1 + sum[j in batch](exp(dot(x, t[j])/0.1)))\n-log(p)",
    "log(sum[j in batch](exp(-norm(x - t[j])^2/0.05))) + norm(x - t)^2/0.05",
)


@pytest.mark.parametrize("body", OWN)
def test_the_share_of_an_own_element_among_a_batch_keeps_its_digits(body, rng):
    """In float32 against float64: logits are around 10, whose rounding moves values by 16 units in their last place."""
    t = rng.normal(size=(6, 8))
    t = (t / np.linalg.norm(t, axis=1, keepdims=True)).astype(np.float32)
    x = (t + 0.05 * rng.normal(size=t.shape)).astype(np.float32)
    loss = lossdsl.load(f"loss own(t, x)\n{body}").numpy
    exact = loss(t.astype(float), x.astype(float))
    assert exact.min() < 1e-2
    np.testing.assert_allclose(loss(t, x), exact, rtol=64 * 2.0**-24)
    slopes = loss.grad(t.astype(float), x.astype(float))
    np.testing.assert_allclose(loss.grad(t, x), slopes, rtol=0, atol=64 * 2.0**-24 * np.abs(slopes).max())


READ_IN_A_MEAN = (
    ("z = x - mean[batch](x)\nlogsumexp(z) - x[t] + mean[batch](x[t])",
     lambda x, z, own: lse(z) - own(x) + own(x).mean()),
    ("z = x - mean[batch](x)\nlogsumexp(x) - z[t] - mean[batch](x[t])",
     lambda x, z, own: lse(x) - own(z) - own(x).mean()),
    ("p = exp(x - mean[batch](x))\n-log(exp(x[t] - mean[batch](x[t]))/sum(p))",
     lambda x, z, own: lse(z) - own(x) + own(x).mean()),
    ("z = x - mean[batch](x)\nlog(sum(exp(2*z))) - 2*z[t]", lambda x, z, own: lse(2 * z) - 2 * own(z)),
)  # fmt: skip


def lse(x):
    return np.log(np.exp(x).sum(-1))


@pytest.mark.parametrize("body, expected", READ_IN_A_MEAN, ids=[body for body, _ in READ_IN_A_MEAN])
def test_an_index_is_not_taken_into_an_aggregate_over_its_own_axis(body, expected, rng):
    """The mean over a batch of `x[t]` is not the element t of the mean of x: against numpy, written by hand."""
    x, t = rng.normal(size=(4, 3)), np.array([0, 2, 1, 1])
    got = lossdsl.load(f"{HEADER}{body}").numpy(t, x)
    np.testing.assert_allclose(got, expected(x, x - x.mean(0), lambda a: a[np.arange(4), t]), rtol=1e-13)


def test_a_row_of_a_batch_is_not_taken_into_a_mean_over_the_batch(rng):
    t, x = rng.normal(size=(2, 4, 3))
    body = "s[j in batch] = mean[batch](dot(x, t[j])) + dot(x, t[j])\n"
    body += "logsumexp[j in batch](s[j]) - mean[batch](dot(x, t)) - dot(x, t)"
    all_, own = x @ t.T, (x * t).sum(-1)
    expected = lse(all_.mean(0) + all_) - own.mean() - own
    np.testing.assert_allclose(lossdsl.load(f"loss f(t, x)\n{body}").numpy(t, x), expected, rtol=1e-13)


DIFFERENCES = ("exp(x[0]) - exp(x[1])", "sigmoid(x[0]) - sigmoid(x[1])", "1 - exp(x[1])", "x[0] - x[1]")


@pytest.mark.parametrize("base", DIFFERENCES)
@pytest.mark.parametrize("body", ["d^x[2]", "log(d^x[2])", "(d^x[2])^0.5", "log(1 + d^x[2])"])
def test_what_is_negative_has_powers_at_whole_numbers_that_come_with_the_data(base, body):
    """(-b)^2 is b^2, whether the exponent is written or given."""
    logits = np.array([[0.0, 1.0, 2.0]])
    got, written = (
        lossdsl.load(f"{HEADER}d = {base}\n{text}").numpy(np.array([0]), logits)
        for text in (body, body.replace("x[2]", "2"))
    )
    np.testing.assert_allclose(got, written, rtol=1e-14)


@pytest.mark.parametrize("body", ["p[t]/sum(p)", "1 - p[t]/sum(p)", "log(sum(p)) - log(p[t])", "-log(p[t]/sum(p))"])
@pytest.mark.parametrize("part", ["exp(x)", "sigmoid(x)"])
def test_a_share_of_nothing_is_no_share(part, body):
    """0/0, as it is written, where no class is left."""
    text = f"{HEADER}p = where(x > 5, {part}, 0)\n{body}"
    value, *_ = on_numpy(text, np.array([0], np.int32), np.array([[0.0, 1.0, 2.0]], np.float32))
    assert np.isnan(value)

"""What a paper writes with probabilities keeps its digits: random formulas in float32, against mpmath at 400 digits.

The formulas are made of probabilities of logits, which may be of any size: a probability, one less a probability,
products, powers, mixtures, choices, products over an axis. Of each, logarithm, power and complement are tried.
The truth is the formula as it was written, in numbers that neither overflow nor cancel; the slope is its difference
quotient. An error counts as far as it is beyond what moving the logits by half a unit in their last place would do.
Sums over all components of a softmax are left out: their slopes are differences, as accurate as their largest term.
"""

import os

import numpy as np
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import pipeline
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.source import Source

HEADER = "loss f(t: label, x)\n"
DIGITS = 400
STEP = mp_numbers(DIGITS).mpf(10) ** -120
ULPS = 16.0
"""As many roundings as a dozen operations make."""
TINY = 1e-30
"""Below it a factor of what is computed may have fewer digits in float32."""

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
    ]
)


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
    )


PROBABILITIES = st.recursive(ATOMS, composed, max_leaves=3)
LOSSES = st.one_of(
    st.builds("-log({})".format, PROBABILITIES),
    st.builds("p = {}\n-(1 - p)^{}*log(p)".format, PROBABILITIES, st.sampled_from(["0.5", "1", "2", "1.5"])),
    st.builds("log(1 + {}) - log({})".format, PROBABILITIES, PROBABILITIES),
    st.builds("1 - {}".format, PROBABILITIES),
)
LOGITS = st.lists(
    st.one_of(
        st.floats(-6, 6, width=32), st.floats(-40, 40, width=32), st.sampled_from([-110.0, 100.0, -25.0, 18.0, 0.0])
    ),
    min_size=3,
    max_size=3,
)


# --- the truth ------------------------------------------------------------------------------------------------------


class Truth:
    """The value of a loss of one sample, and its difference quotients, at any logits."""

    def __init__(self, text: str, label: int) -> None:
        self.loss = pipeline.program(pipeline.parsed(Source(text))).loss
        self.m = mp_numbers(DIGITS)
        self.label = label

    def value(self, row):
        m = self.m
        (t,), (x,) = (spec.nodes for spec in self.loss.inputs)
        logits = np.empty((1, 1, len(row)), dtype=object)
        logits[0, 0, :] = row
        given = {t: filled([[self.label]], m), x: logits}
        done = evaluate([self.loss.result], given, m, {"batch": 1, "space": 1, "last": len(row)})
        return done[self.loss.result].ravel()[0]

    def at(self, row):
        """Value and slopes, as mpmath's numbers."""
        m = self.m
        exact = [m.mpf(float(one)) for one in row]
        value, slopes = self.value(exact), []
        for place in range(len(row)):
            above, below = list(exact), list(exact)
            above[place] += STEP
            below[place] -= STEP
            right, left = self.value(above) - value, value - self.value(below)
            is_kink = abs(right - left) > abs(right + left) * m.mpf(10) ** -40 + STEP * m.mpf(10) ** -60
            slopes.append(m.nan if is_kink else (right + left) / (2 * STEP))
        return [value, *slopes]


def reach(truth, row, true):
    """How far value and slopes move if the logits do by half a unit in their last place."""
    found = np.zeros(len(true))
    for signs in ((1, 1, 1), (1, -1, 1), (-1, 1, 1)):
        moved = [float(one) * (1 + sign * 2.0**-24) for one, sign in zip(row, signs, strict=True)]
        near = [abs(float(a - c)) for a, c in zip(truth.at(moved), true, strict=True)]
        found = np.maximum(found, near)
    return found


def errors(got, true, room):
    """Errors in units in the last place of float32, of slopes in those of the largest, beyond what is excused."""
    found = []
    largest = max(abs(float(slope)) for slope in true[1:])
    for place, (one, exact, far) in enumerate(zip(got, true, room, strict=True)):
        size = max(largest if place else abs(float(exact)), TINY)
        gap = abs(float(one) - float(exact)) - 2 * far
        found.append(np.inf if np.isnan(float(one)) else gap / float(np.spacing(np.float32(size))))
    return found


def check(body, label, row, value_and_slope):
    truth = Truth(HEADER + body, label)
    true = truth.at(row)
    if not all(truth.m.isfinite(one) and abs(one) < 1e37 for one in true):
        return  # a kink, or no value that float32 holds
    got = value_and_slope(HEADER + body, np.array([label], np.int32), np.array([row], np.float32))
    worst = errors(got, true, reach(truth, row, true))
    note(f"got {got}, right {[float(one) for one in true]}, ulps {worst}")
    assert max(worst) <= ULPS


def on_numpy(text, t, x):
    loss = lossdsl.load(text)
    with np.errstate(all="ignore"):
        return [*loss.numpy(t, x), *loss.numpy.grad(t, x)[0]]


@settings(max_examples=int(os.environ.get("LOSSDSL_EXAMPLES", "100")), suppress_health_check=list(HealthCheck))
@given(LOSSES, st.integers(0, 2), LOGITS)
@example("-log(softmax(x)[t])", 0, [-110.0, 0.0, 1.0])
@example("p = softmax(x)[t]\n-(1 - p)^0.5*log(p)", 0, [17.0, 0.0, 0.5])
def test_digits_are_kept(body, label, row):
    check(body, label, row, on_numpy)

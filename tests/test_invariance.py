"""Losses that a shift, or a positive factor, of all predictions does not change: what is proved, and that it is so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.analyze import analyzer
from lossdsl.checks.subject import inputs_of, parameters_of
from lossdsl.prove.invariance import is_invariant
from lossdsl.source import Source

SHIFT, SCALE = "shift invariant", "scale invariant"
LABEL = "loss f(t: label, x)\n"


def known(text):
    return analyzer(pipeline.program(pipeline.parsed(Source(text))))


PROVED = [
    (LABEL + "logsumexp(x) - x[t]", SHIFT),
    (LABEL + "-log_softmax(x)[t]", SHIFT),
    (LABEL + "-log(exp(x[t])/sum(exp(x)))", SHIFT),
    ("loss f(t: label, x; T = 2.0)\nrequire T > 0\nlogsumexp(x/T) - x[t]/T", SHIFT),
    (LABEL + "sum[j if j != t](max(0, 1 - x[t] + x[j]))", SHIFT),
    ("loss f(t: binary, x)\nmax[all](where(t == 1, x, -inf)) - min[all](x)", SHIFT),
    ("var(x) + std(x)", SHIFT),
    ("loss f((c, r))\nsoftplus(r - c)", SHIFT),
    ("loss f(t, x)\n(mean(x) - mean(t) - (x - t))^2", SHIFT),
    ("loss f(t, x)\nargmax(x)*mean(t) + rank(x) + var(x)", SHIFT),
    ("1 - sum(normalize(t)*normalize(x))", SCALE),
    ("1 - sum(t*x)/(norm(t)*norm(x))", SCALE),
    ("where(sum(t*x) > 0, sum(t*x)^2/sum(x^2), 0)", SCALE),
    ("loss f(t, x: positive)\nlog(x/mean[batch](x))", SCALE),
    ("loss f(x; p = 2.0)\nrequire p > 0\nsum(abs(x)^p)/norm(x)^p", SCALE),
    ("max(x)/(max(0, max(x)) + sqrt(sum(x^2)))", SCALE),
]


@pytest.mark.parametrize("text, name", PROVED)
def test_what_is_proved(text, name):
    assert known(text).decide(name).how == "proved"
    assert known(text).decide(SCALE if name == SHIFT else SHIFT).how != "proved"


NEVER = [
    (LABEL + "logsumexp(2*x) - x[t]", SHIFT),
    (LABEL + "sum[j if j != t](max(0, x[j]))", SHIFT),
    ("loss f(t: binary, x)\nsum[all](where(t == 1, x, 0)) - min[all](x)", SHIFT),
    ("sum(x) - x", SHIFT),
    ("x - t", SHIFT),
    ("where(x > 0, 1, 0)", SHIFT),
    ("prod(exp(x))/exp(x)", SHIFT),
    ("loss f(t, x; w: vector = 1.0)\nsum(w*x) - mean(w)*sum(x)", SHIFT),
    ("loss f(t: prob, x: prob)\nx - mean(x)", SHIFT),
    ("sum(t*x)/sum(x^2)", SCALE),
    ("softmax(x)", SCALE),
    ("x/(norm(x) + 1)", SCALE),
    ("where(x > 1, 1, 0)", SCALE),
    ("exp(x)/sum(exp(x))", SCALE),
    ("loss f(x; p = 2.0)\nsum(abs(x)^p)/norm(x)^2", SCALE),
]


@pytest.mark.parametrize("text, name", NEVER)
def test_what_is_not_so_is_not_proved(text, name):
    assert known(text).decide(name).how != "proved"


def test_what_is_not_so_is_refuted_with_a_point_and_may_be_promised():
    found = known("loss f(t: label, x)\nlogsumexp(2*x) - x[t]").decide(SHIFT)
    assert found.how == "refuted"
    assert found.beside
    ids = [one.id for one in lossdsl.check("loss f(t, x)\nsum(t*x)\nexpect scale invariant").findings]
    assert "broken-promise" in ids
    assert not lossdsl.check("loss f(t: label, x)\nlogsumexp(x) - x[t]\nexpect shift invariant, bounded below").findings


LEAVES = st.sampled_from(["x", "t", "1", "0", "2", "x[0]", "mean(x)", "max(x)", "sum(x)", "logsumexp(x)", "norm(x)"])


def grown(part):
    one = (
        "log({})",
        "exp({})",
        "abs({})",
        "mean({})",
        "sum({})",
        "max({})",
        "({})^2",
        "sqrt({})",
        "softmax({})",
        "sort({})",
    )
    two = (
        "({}) + ({})",
        "({}) - ({})",
        "({})*({})",
        "({})/({})",
        "max({}, {})",
        "where({} > {}, {}, 0)",
        "where(t > 0, {}, {})",
    )
    return st.one_of(
        st.builds(str.format, st.sampled_from(one), part), st.builds(str.format, st.sampled_from(two), part, part, part)
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.recursive(LEAVES, grown, max_leaves=5), st.sampled_from([SHIFT, SCALE]), st.integers(0, 1000))
def test_random_formulas_that_are_proved_to_stay_do_so(formula, name, seed):
    try:
        loss = lossdsl.load(f"loss f(t, x)\nmean({formula})")
        proved = analyzer(loss.program).cases[0]
    except lossdsl.LossError:
        return
    if not is_invariant(proved.view, name):
        return
    rng = np.random.default_rng(seed)
    t, x = rng.normal(size=(2, 3, 4))
    for change in (0.25, 3.0):
        there = x + change if name == SHIFT else x * change
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(loss.numpy(t, there), loss.numpy(t, x), rtol=1e-7, atol=1e-9, err_msg=formula)


@pytest.mark.parametrize("name", catalog.names()[::9])
def test_of_built_ins_what_is_proved_holds_at_their_examples(name):
    program = pipeline.program(pipeline.builtin(name))
    for example in program.loss.examples:
        given_ = parameters_of(program.loss, example)
        loss = lossdsl.load(name, **given_)
        inputs = inputs_of(program.loss, example)
        spec = loss.program.loss.prediction
        for claim in (SHIFT, SCALE):
            if analyzer(loss.program).decide(claim).how != "proved":
                continue
            x = np.asarray(inputs[spec.identifier], float)
            there = {**inputs, spec.identifier: x + 0.5 if claim == SHIFT else x * 3.0}
            np.testing.assert_allclose(loss.numpy(**there), loss.numpy(**inputs), rtol=1e-9, atol=1e-9)

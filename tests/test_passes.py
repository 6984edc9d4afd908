"""Every rewriting pass keeps the value of a loss, and its gradient: at 50 digits and more, over the built-in losses.

The truth is the formula as it was written, by the reference interpreter; that of a slope, its difference quotient.
"""

import numpy as np
import pytest
from shipped import THOROUGH

from lossdsl import pipeline
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import points
from lossdsl.source import Source
from lossdsl.transform.own_axes import with_own_axes
from lossdsl.transform.passes import COMPUTE, PASSES, VALUE, through

M = mp_numbers(80)
STEP = M.mpf(10) ** -30
NAMES = [name for name in THOROUGH if not name.startswith("circle")]  # whose batches take minutes


def programs(name):
    """The loss under the defaults of its parameters, and from logits if it has the choice."""
    file = pipeline.builtin(name)
    yield pipeline.program(file)
    if any(spec.name == "from_logits" for spec in pipeline.parameters(file)):
        yield pipeline.program(file, {"from_logits": True, **defaults(file)})


def defaults(file):
    specs = [spec for spec in pipeline.parameters(file) if spec.kind in ("bool", "int") and spec.name != "from_logits"]
    return {spec.name: spec.default if spec.default is not None else 1 for spec in specs}


def near(one, other):
    size = np.maximum(np.abs(other.astype(float)), 1e-20)
    return np.all(np.abs((one - other).astype(float)) <= 1e-15 * size)


@pytest.mark.parametrize("name", NAMES)
def test_no_pass_changes_a_value(name):
    for program in programs(name):
        for point in points(program.loss, program.known, 4):
            done = evaluate([program.loss.result], point.given(M), M, point.sizes)
            wanted = done[program.loss.result]
            if not all(M.isfinite(value) for value in wanted.ravel()):
                continue
            for count in range(1, len(VALUE) + 1):
                (form,) = through(VALUE[:count], (program.loss.result,), program.known)
                found = evaluate([form], point.given(M), M, point.sizes)[form]
                assert near(found, wanted), f"{VALUE[count - 1].name} at {point.shown()}"


@pytest.mark.parametrize("name", NAMES)
def test_no_pass_changes_a_gradient(name):
    for program in programs(name):
        for spec, slopes in program.gradients.items():
            for point in points(program.loss, program.known, 2):
                before = evaluate(slopes, point.given(M), M, point.sizes)
                for count in range(1, len(COMPUTE) + 1):
                    forms = through(COMPUTE[:count], slopes, program.known)
                    after = evaluate(forms, point.given(M), M, point.sizes)
                    for slope, form in zip(slopes, forms, strict=True):
                        assert near(*np.broadcast_arrays(after[form], before[slope])), f"{spec.name} at {point.shown()}"


def test_a_pass_is_a_row_with_a_name_of_its_own():
    assert len({one.name for one in PASSES}) == len(PASSES)
    assert all(one.does for one in PASSES)
    settled = {"from_logits": True, "ignore_class": -1}
    program = pipeline.program(pipeline.builtin("sparse_categorical_crossentropy"), settled)
    assert program.show("rules") == "where(t == -1, 0, logsumexp(x) - x[t])"
    assert program.show("descent") == "where(t == -1, 0, -log_softmax(x)[t])"
    assert "excess" in program.show("lowered")


@pytest.mark.parametrize(
    "written, is_own",
    [
        ("sum[k](x[k]*t[k])", True),
        ("sum[k if k > 0](softmax(x)[k]*k)", True),
        ("sum[k](cumsum(x)[k])", True),
        ("s[j in last, i in last] = x[j]*t[i]\nmean[i in last](s[i, i])", True),
        ("sum[k](x[k])*x[0]", True),
        ("mean(sum[k](x[k]*t))", False),  # what is summed varies along `last` at hand as well
        ("sum[j, k](x[j]*t[k])", False),
        ("sum[k](x[k + 1])", False),
        ("sum[k](sum(x*t[k]))", False),
    ],
)
def test_an_index_is_the_axis_itself_where_nothing_else_varies_along_it(written, is_own, rng):
    loss = pipeline.program(pipeline.parsed(Source(f"loss own(t, x)\n{written}"))).loss
    (form,) = with_own_axes((loss.result,))
    assert (form is not loss.result) is is_own
    given = {spec.nodes[0]: rng.normal(size=(2, 1, 4)) for spec in loss.inputs}
    sizes = {"batch": 2, "space": 1, "last": 4}
    exact = {node: np.vectorize(M.mpf)(array) for node, array in given.items()}
    one, other = (evaluate([root], exact, M, sizes)[root] for root in (loss.result, form))
    assert near(one, other)

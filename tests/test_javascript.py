"""Emitted JavaScript, run by node: rows of the op table, losses of the catalogue, and what arguments may be.

The values and gradients of losses are compared with the numpy twin's at their own examples and at published inputs;
rows with mpmath, as in `test_op_accuracy.py`. `make test` tries every twelfth loss; LOSSDSL_EXAMPLES=1000 tries all.
"""

import os
import shutil

import index_cases
import numpy as np
import place_cases
import pytest
import window_cases
from javascript_trial import compared, run
from op_trial import error_at, leaves_of, truths

import lossdsl
from lossdsl import catalog
from lossdsl.ir.axes import BATCH, SPACE
from lossdsl.ir.ops import OPS
from lossdsl.targets import javascript_helpers
from lossdsl.targets.javascript_loops import Loops
from lossdsl.targets.javascript_nests import Leaf
from lossdsl.targets.template import fill

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None and "CI" not in os.environ, reason="node runs what is tested here"
)
EVERY = 1 if int(os.environ.get("LOSSDSL_EXAMPLES", "0")) >= 1000 else 12
ROWS = [op for op in OPS.values() if op.arity]


def function_of(name, inputs, expr):
    """A function over an array for each argument, and the helpers that it calls."""
    loops = Loops(
        [expr], {leaf.name: Leaf(leaf.name, (BATCH,)) for leaf in inputs}, {},
        length, {BATCH: inputs[0]}, {}, {leaf.name for leaf in inputs}, frozenset({SPACE}),
    )  # fmt: skip
    loops.allocate("found", length(inputs[0].name))
    stored = lambda places: loops.element("found", inputs[0], (BATCH,), places)  # noqa: E731
    loops.fill(inputs[0], frozenset({BATCH}), [(expr, stored)])
    head = f"export function {name}({', '.join(leaf.name for leaf in inputs)}) {{"
    return "\n".join([head, *loops.head(), *loops.top.lines, "  return Array.from(found);", "}"])


def length(leaf, axis=BATCH):
    return fill(f"{leaf}.length")


def test_a_row_is_as_accurate_as_it_says(tmp_path):
    texts, calls, judged = list(javascript_helpers.HELPERS.values()), [], []
    for op in ROWS[::7] if EVERY > 1 else ROWS:
        inputs, _ = leaves_of(op)
        points, parts = truths(op, "float64")
        for part, (expr, truth) in parts.items():
            name = f"row_{op.name}_{part}"
            texts.append(function_of(name, inputs, expr))
            calls.append((name, [list(column) for column in zip(*points, strict=True)]))
            judged.append((op, part, points, truth))
    (found,) = run(tmp_path, [("\n".join(texts), calls)])
    for (op, part, points, truth), got in zip(judged, found, strict=True):
        assert not isinstance(got, str), f"{op.name}: {got}"
        for value, true, point in zip(got, truth, points, strict=True):
            error = error_at(op, part, "float64", value, true, point)
            assert error <= op.ulps["javascript"][part != "value"], f"{op.name}, {part}: {error} ulp at {point}"


def test_losses_give_what_the_twin_gives(tmp_path):
    count = 0
    for what, expected, got in compared(tmp_path, catalog.names()[::EVERY]):
        assert not isinstance(got, str), f"{what}: {got}"
        assert np.shape(got) == np.shape(expected), what
        found = np.asarray(got, dtype=object).astype(float)
        scale = np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13 * max(1.0, scale), err_msg=what)
        count += 1
    assert count > 100


def outcome(tmp_path, text, *given, gradient=False, **parameters):
    """What the emitted function of a loss gives, or the message with which it refuses."""
    loss = lossdsl.load(text, **parameters)
    name = loss.name + "_gradient" * gradient
    return run(tmp_path, [(loss.program.emitted("javascript", loss.parameters), [(name, list(given))])])[0][0]


def test_one_sample_and_plain_numbers_are_taken(tmp_path):
    assert outcome(tmp_path, "huber", 0, 1.5) == 1.0
    assert outcome(tmp_path, "huber", [0, 0], [1.5, 0]) == 0.5
    assert outcome(tmp_path, "huber", [[0], [0]], [[1.5], [0]], gradient=True) == [[1], [0]]
    assert outcome(tmp_path, "huber", [[[0], [0]]], [[[1.5], [0.0]]]) == [[1.0, 0.0]]
    assert outcome(tmp_path, "huber", [], []) == 0
    assert outcome(tmp_path, "loss a(t: label, x)\nx[t]", [1, 0], [[3, 4], [5, 6]]) == [4, 5]
    assert outcome(tmp_path, "loss a(t: label, x)\nx[t]", 1, [3, 4]) == 4


def test_what_does_not_fit_is_refused(tmp_path):
    assert "requires delta > 0" in outcome(tmp_path, "huber", [0], [1], -1)
    assert "[1,2] and [1,3], which do not agree" in outcome(tmp_path, "huber", [[0, 0]], [[1, 2, 3]])
    assert "differ in length" in outcome(tmp_path, "huber", [[0], [0, 1]], [[1], [2, 3]])


@pytest.mark.parametrize(
    "text",
    [
        "loss new(delete, let; typeof = 1.0)\nvoid = delete - let\ntypeof*void^2 + void^2",
        "loss places(values, i; total = 1.0)\nk = values - i\ntotal*k^2 + k^2",
        "loss _value(_arguments, _real; Math = 1.0)\nv1 = _arguments - _real\nMath*v1^2 + v1^2",
        "loss größe(ŷ, données; λ = 1.0)\nδ = ŷ - données\nλ*δ^2 + δ^2",
    ],
)
def test_names_of_users_meet_none_of_ours(text, tmp_path):
    loss = lossdsl.load(text)
    made = loss.program.emitted("javascript", loss.parameters)
    name = made.partition("export function ")[2].partition("(")[0]
    assert run(tmp_path, [(made, [(name, [[0, 0], [1, 3]]), (f"{name}_gradient", [[0, 0], [1, 3]])])]) == [[10, [2, 6]]]


def test_a_comment_ends_where_it_should(tmp_path):
    assert outcome(tmp_path, '"""Ends */ here."""\nloss a(t, x)\n# a */ too\nabs(t - x)', [1], [3]) == 2


def test_a_gradient_alone_is_a_module(tmp_path):
    loss = lossdsl.load("huber")
    text = loss.program.emitted_gradient(loss.program.loss.prediction, "javascript", {"delta": 2})
    assert run(tmp_path, [(text, [("huber_gradient", [[0, 0], [1.5, -3]])])]) == [[[1.5, -2]]]


BODIES = [
    *(f"{name}(x*t)" for name in ("sum", "mean", "prod", "max", "min", "norm", "var", "std", "median", "logsumexp")),
    *(f"sum({name}(x + t)*t)"
      for name in ("softmax", "log_softmax", "normalize", "cumsum", "sort", "rank", "spectrum")),
    "sum(log(cumsum(exp(9*x)))*t)", "F = cumsum(softmax(x))\nsum(log(1 - F[:-1])*t[1:])",
    "sum(sort(x, t)*t)", "sum(cumsum[batch](x)*t)", "sum(rank[batch](x)*x)", "prod[batch](x)", "quantile(x, 0.3)",
    "where(any(x > t), sum(x), 2*sum(x))", "where(all(x > t - 9), sum(x), 2*sum(x))", "x[argmax(t)]*x[argmin(t)]",
    "count(x > t)*sum(x)", "sum(round(2*t)*x)", "sum(mod(t, 0.75)*x)", "sum(mod(t, -0.75)*x)", "sum(erf(x))",
    "x[1:]*x[:-1]", "x[-2:]*t[:2]", "x[len(x) - 1]*x[1:]", "sum[i in last](x[i]*abs(x[i] - x))",
    "mean[j in batch if j != self](norm(x - x[j]))", "max[j in batch if j != self](dot(x, t[j]))",
    "logsumexp[j in batch](dot(x, x[j])) - x[1]", "mean(x - mean[batch](x))^2", "sum[i in last](x[i]*t[i + 1])",
]  # fmt: skip


def test_reductions_and_other_positions_are_the_twins(tmp_path):
    t, x = np.random.default_rng(3).normal(size=(2, 4, 5))
    t[0, :3] = 0.25, 0.75, -0.25  # halves are rounded to the even neighbour
    cases, wanted = [], []
    for body in BODIES:
        loss = lossdsl.load(f"loss f(t, x)\n{body}")
        cases.append((loss.program.emitted("javascript", {}), [("f", [t, x]), ("f_gradient", [t, x])]))
        wanted.append(loss.numpy.value_and_grad(t, x))
    for body, expected, found in zip(BODIES, wanted, run(tmp_path, cases), strict=True):
        for right, got in zip(expected, found, strict=True):
            assert not isinstance(got, str), f"{body}: {got}"
            np.testing.assert_allclose(np.asarray(got, float), right, rtol=1e-11, atol=1e-12, err_msg=body)


def test_random_formulas_with_indices_are_loops_over_arrays(tmp_path):
    """Values are those of loops in plain Python, gradients the twin's."""
    makers = [index_cases.case, place_cases.case, window_cases.window, window_cases.table]
    cases, wanted = [], []
    for seed in range(80 if EVERY > 1 else 600):
        home = place_cases if seed % 4 == 1 else index_cases
        one, arrays = makers[seed % 4](seed, smooth=True), home.drawn(seed)
        if one.asks:
            continue
        loss = lossdsl.load(one.source)
        name, given = loss.name, [arrays["t"], arrays["x"]]
        cases.append((loss.program.emitted("javascript", {}), [(name, given), (f"{name}_gradient", given)]))
        axes = loss.program.loss.result.axes
        wanted.append((one.source, one.value(arrays), axes, loss.numpy.grad(*given), home.placed))
    assert len(cases) > 60
    for (source, values, axes, slope, placed), (value, gradient) in zip(wanted, run(tmp_path, cases), strict=True):
        assert not isinstance(value, str), f"{source}: {value}"
        found = placed(np.asarray(value, float), axes, values.shape)
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9, err_msg=source)
        np.testing.assert_allclose(np.asarray(gradient, float), slope, rtol=1e-9, atol=1e-9, err_msg=source)

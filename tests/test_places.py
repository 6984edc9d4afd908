"""Code for inputs that lack axes gives what the code for all axes gives with axes of length 1."""

import numpy as np
import pytest

import lossdsl
from lossdsl.ir.axes import SPACE
from lossdsl.runtime.execute import functions

MIXED = {  # losses in which batch and space do not occur together
    "circle": "circle",
    "ranked": "loss f(t, x)\nsum(rank[batch](x)*sort[batch](x)*t) + cumsum[batch](mean(x))",
    "pairs": "loss f(t, x)\nmean[j in batch, k in space](sum(abs(x - x[j, k]))) + len[space](x)*sum(t)",
    "places": "loss f(t, x)\nsum(x)*max[space](sum(t*x)) + any[space](sum(t) > 0) + sum[all](x)",
    "first": "loss f(t, x)\nsum(x)*(1 + argmax[space](2 + sum(t))) + sum[batch](x)",
}


def run(program, t, x, upstream):
    code = functions(program.kernel("numpy"), "places")
    value = code["value"](t, x)
    (slope,) = code["pullback_x"](t, x, upstream.reshape(value.shape))
    return value, slope


@pytest.mark.parametrize("name", MIXED)
def test_without_places_there_is_no_axis_for_them(name, rng):
    spec = lossdsl.load(MIXED[name])
    program = spec.program.bound(dict(spec.parameters))
    assert not program.is_flexible
    assert not any(SPACE in node.axes for one in program.placeless.loss.inputs for node in one.nodes)
    x, upstream = rng.normal(size=(6, 3)), rng.normal(size=6)
    t = rng.integers(0, 3, 6) if spec.program.loss.inputs[0].is_label else rng.normal(size=(6, 3))
    value, slope = run(program, t[:, None], x[:, None], upstream)
    found = run(program.placeless, t, x, upstream)
    np.testing.assert_allclose(found[0], value[:, 0], rtol=1e-13)
    np.testing.assert_allclose(found[1], slope[:, 0], rtol=1e-13, atol=1e-15)


WHOLE = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "cosine_similarity",
    "dice",
    "hinge",
    "kl_divergence",
    "tversky",
    "loss f(t, x)\nsum((t - x)^2)/len(x) + max(x)/len(t)^2",
]


@pytest.mark.parametrize("name", WHOLE)
def test_one_sample_of_any_shape_is_summed_over_at_once(name, rng):
    spec = lossdsl.load(name)
    program = spec.program.bound({key: one for key, one in spec.parameters.items() if isinstance(one, float)})
    assert program.whole is not None
    t, x = (rng.uniform(size=(4, 5, 3)) < 0.5).astype(float), rng.uniform(size=(4, 5, 3))
    value, slope = run(program, t.reshape(1, -1), x.reshape(1, -1), np.array(0.7))
    found = run(program.whole, t, x, np.array(0.7))
    np.testing.assert_allclose(found[0], value[0], rtol=1e-13)
    np.testing.assert_allclose(found[1].ravel(), slope[0], rtol=1e-12)


@pytest.mark.parametrize("body", ["x[0]*t", "sum(x*rank(x))", "cumsum(x)*t", "max(x)*argmax(t)", "sum[i](x[i])*t"])
def test_where_positions_matter_there_is_no_such_code(body):
    assert lossdsl.load(f"loss f(t, x)\n{body}").program.whole is None

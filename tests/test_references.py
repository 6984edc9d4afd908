"""Every built-in is compared with values from elsewhere: published ones, Keras's, or a formula of `references/`."""

import numpy as np
import pytest
from references import REFERENCES
from shipped import PUBLISHED, THOROUGH

import lossdsl
from lossdsl import catalog


def test_each_built_in_is_compared_with_something():
    named = {catalog.full_name(entry["loss"]) for entry in PUBLISHED}
    assert named | set(THOROUGH) | set(REFERENCES) == set(catalog.names())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("masked_cross_entropy", {"ignored": 2}),
        ("weighted_cross_entropy", {"w": [1.0, 2.0, 4.0]}),
        ("corn", {}),
        ("load_balancing", {}),
        ("mdca", {}),
    ],
)
def test_tokens_count_alike_whatever_sample_they_are_of(name, parameters):
    """What is one number for the batch is that of all tokens, however unequally samples are masked."""
    rng = np.random.default_rng(3)
    twin = lossdsl.load(name, **parameters).numpy
    tensors = {"t": rng.integers(0, 3, size=(4, 5)), "x": rng.normal(size=(4, 5, 3))}
    given = [tensors[spec.name] for spec in lossdsl.load(name, **parameters).program.loss.inputs]
    assert np.shape(twin(*given)) == ()
    np.testing.assert_allclose(twin(*given), twin(*(one.reshape(20, *one.shape[2:]) for one in given)), rtol=1e-12)


@pytest.mark.parametrize("name", REFERENCES)
def test_the_twin_has_the_values_of_the_formula(name):
    row = REFERENCES[name]
    inputs = row.inputs(np.random.default_rng(7))
    expected = np.asarray(row.reference(*inputs.values(), **row.parameters), dtype=float)
    if row.mean:
        expected = expected.reshape(len(expected), -1).mean(1)
    loss = lossdsl.load(name, **row.parameters)
    specs = loss.program.loss.inputs  # of which one may have several parts
    value = loss.numpy(*(np.concatenate([inputs[node.name] for node in spec.nodes], axis=-1) for spec in specs))
    assert np.shape(value) == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-8, atol=1e-8)

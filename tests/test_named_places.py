"""Places by name: random formulas against loops in plain Python, and what a line `places row, col` asks for.

Here on numpy; `backend_trial.py` has the same law for losses that are compiled for TensorFlow, JAX and torch.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from index_cases import slope
from place_cases import case, drawn, placed

import lossdsl
from lossdsl import LossError

tried = settings(suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])


@settings(tried, max_examples=120)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_what_is_read_at_named_places_is_what_loops_find(seed: int, shape: int) -> None:
    one, arrays = case(seed, smooth=seed % 2 == 0), drawn(shape)
    loss = lossdsl.load(one.source)
    value, gradient = loss.numpy.value_and_grad(**arrays)
    wanted = one.value(arrays)
    axes = loss.program.loss.result.axes
    np.testing.assert_allclose(placed(value, axes, wanted.shape), wanted, rtol=1e-10, atol=1e-12, err_msg=one.source)
    if seed % 4 == 0 and arrays["x"].size < 20:  # loops are slow
        weights = np.ones(wanted.shape) * (np.size(value) / wanted.size)
        expected = slope(one.value, arrays, weights)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6, err_msg=one.source)

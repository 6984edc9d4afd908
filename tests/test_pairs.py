"""Pairs of samples by matrix products: near, equal, huge and tiny ones keep their digits, values and gradients.

On numpy and TensorFlow; `backend_trial.py` has the same laws for JAX and torch.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pair_laws
import pytest
from pair_laws import LAWS, Law

import lossdsl

FORMULAS = [law.formula for law in LAWS]


@pytest.mark.parametrize("law", LAWS, ids=FORMULAS)
@pytest.mark.parametrize("is_clustered", [False, True], ids=["few are near", "most are near"])
def test_near_pairs_keep_their_digits(law: Law, is_clustered: bool, rng: np.random.Generator) -> None:
    t, x = pair_laws.batch(rng, law, is_clustered=is_clustered)
    found = lossdsl.load(f"loss f(t, x)\n{law.formula}").numpy.value_and_grad(t, x)
    pair_laws.holds(law, t, x, found, "numpy")


@pytest.mark.parametrize("mode", ["eager", "graph", "XLA"])
def test_on_tensorflow_too(mode: str, rng: np.random.Generator) -> None:
    import tensorflow as tf

    for law in LAWS[:1] if mode == "XLA" else LAWS:
        t, x = pair_laws.batch(rng, law)
        loss = lossdsl.compile(f"loss f(t, x)\n{law.formula}", reduction=None)

        def both(t: Any, x: Any, loss: Any = loss) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(t, x)
            return value, tape.gradient(value, x)

        options: dict[str, Any] = {"graph": {"input_signature": [tf.TensorSpec([None, x.shape[1]])] * 2}}.get(mode, {})
        run = both if mode == "eager" else tf.function(both, jit_compile=mode == "XLA", **options)
        found = [each.numpy() for each in run(tf.constant(t), tf.constant(x))]
        pair_laws.holds(law, t, x, (found[0], found[1]), mode)


def test_hardest_pairs_by_loops(rng: np.random.Generator) -> None:
    import tensorflow as tf

    for name, text, (t, x, k, w), slope in pair_laws.hardest_cases(rng):
        found = lossdsl.load(text).numpy.grad(t, x, k=k, w=w)
        np.testing.assert_allclose(found, slope, rtol=1e-12, atol=1e-12, err_msg=name)
        loss = lossdsl.compile(text, reduction="sum", dtype="float64")
        given = tf.constant(x)

        def grad(given: Any, loss: Any = loss, others: Any = (t, k, w)) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(given)
                value = loss(others, given)
            return tape.gradient(value, given)

        for run in (grad, tf.function(grad), tf.function(grad, jit_compile=True)):
            np.testing.assert_allclose(run(given), slope, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("target", ["numpy", "tensorflow", "jax", "torch"])
def test_the_hardest_are_no_weights_of_all_pairs(target: str) -> None:
    tree = lossdsl.load("triplet_hard").program.kernel(target)
    (own,) = (part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == "pullback_x")
    assert ast.unparse(own).count("_added_rows(") == 2
    assert "_pulled(" not in ast.unparse(own)


@pytest.mark.parametrize("target", ["numpy", "tensorflow", "jax", "torch"])
def test_no_difference_is_made_of_all_pairs(target: str) -> None:
    """Distances and their slopes are products; dot products and theirs are such anyhow, whoever uses them."""
    for formula, products in (("norm(x - x[j])", ("_apart", "_pulled")), ("dot(x, x[j])^2", ())):
        tree = lossdsl.load(f"loss f(x)\nmean[j in batch]({formula})").program.kernel(target)
        functions = [part for part in tree.body if isinstance(part, ast.FunctionDef)]
        own = ast.unparse([part for part in functions if part.name == "value" or part.name.startswith("pullback")])
        assert all(product in own for product in products), own
        assert ("_in_blocks" in own) == bool(products), own

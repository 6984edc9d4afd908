"""`lossdsl.losses` beside `keras.losses`: signatures, values, gradients, shapes, weights, masks, dtypes, saving.

Values are compared with Keras's in float32, and where they differ with Keras's own formulas in float64, which is near
enough to the true value: there ours must be the nearer. What Keras gets wrong for a reason has a test of its own.
"""

import inspect
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import mpmath
import numpy as np
import pytest
import tensorflow as tf

import lossdsl
from lossdsl import losses

ROOT = Path(__file__).parents[1]
SHAPES = [(6, 5), (5,), (4, 3, 5), (2, 3, 2, 5), (2, 2, 3, 1, 5)]
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def real(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0.0, 2.0, shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.exp(rng.normal(0.0, 1.0, shape))


def probability(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.01, 0.99, shape)


def binary(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 2, shape).astype(float)


def sign(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape)


def simplex(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    scores = np.exp(rng.normal(0.0, 1.5, shape))
    return scores / scores.sum(-1, keepdims=True)


def onehot(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def label(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, shape[-1], shape[:-1])


def unit(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    vectors = rng.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class Case(NamedTuple):
    """A loss, what its inputs look like, and options of the function (`init`: of the class, where they differ)."""

    name: str
    class_name: str
    target: Draw
    prediction: Draw
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def __str__(self) -> str:
        shown = "-".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name}-{self.target.__name__}-{self.prediction.__name__}{'-' if shown else ''}{shown}"

    def data(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        target = self.target(rng, shape)
        target = target if target.dtype.kind == "i" else target.astype("float32")
        return target, self.prediction(rng, shape).astype("float32")


SMOOTH = {"label_smoothing": 0.1}
LOGITS = {"from_logits": True}
CASES = [
    Case("mean_squared_error", "MeanSquaredError", real, real),
    Case("mean_absolute_error", "MeanAbsoluteError", real, real),
    Case("mean_absolute_percentage_error", "MeanAbsolutePercentageError", real, real),
    Case("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", positive, positive),
    Case("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", positive, real),
    Case("cosine_similarity", "CosineSimilarity", positive, positive),
    Case("cosine_similarity", "CosineSimilarity", positive, positive, {"axis": 0}),
    Case("huber", "Huber", real, real),
    Case("huber", "Huber", real, real, {"delta": 0.3}),
    Case("huber", "Huber", real, real, {"delta": 4}),
    Case("log_cosh", "LogCosh", real, real),
    Case("hinge", "Hinge", binary, real),
    Case("hinge", "Hinge", sign, real),
    Case("hinge", "Hinge", real, real),
    Case("squared_hinge", "SquaredHinge", binary, real),
    Case("squared_hinge", "SquaredHinge", sign, real),
    Case("categorical_hinge", "CategoricalHinge", onehot, real),
    Case("kl_divergence", "KLDivergence", simplex, simplex),
    Case("kl_divergence", "KLDivergence", onehot, simplex),
    Case("poisson", "Poisson", positive, positive),
    *(Case("binary_crossentropy", "BinaryCrossentropy", target, prediction, options)
      for target in (binary, probability)
      for prediction, options in [(probability, {}), (probability, SMOOTH), (probability, {"axis": 0}), (real, LOGITS),
                                  (real, {**LOGITS, **SMOOTH})]),
    *(Case("binary_focal_crossentropy", "BinaryFocalCrossentropy", target, prediction, options)
      for target in (binary, probability)
      for prediction, options in [(probability, {}), (probability, {"apply_class_balancing": True, "alpha": 0.6}),
                                  (probability, {"gamma": 3.5, **SMOOTH}), (probability, {"gamma": 0, "axis": 0}),
                                  (real, LOGITS), (real, {**LOGITS, "apply_class_balancing": True, "gamma": 1.5})]),
    *(Case("categorical_crossentropy", "CategoricalCrossentropy", target, prediction, options)
      for target in (onehot, simplex)
      for prediction, options in [(simplex, {}), (positive, {}), (simplex, SMOOTH), (real, LOGITS),
                                  (real, {**LOGITS, **SMOOTH})]),
    *(Case("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", target, prediction, options)
      for target in (onehot, simplex)
      for prediction, options in [(simplex, {}), (simplex, {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "gamma": 1.5}),
                                  (simplex, SMOOTH), (real, LOGITS), (real, {**LOGITS, "alpha": 1, "gamma": 3})]),
    Case("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", label, simplex),
    Case("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", label, simplex, {"ignore_class": 2}),
    Case("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", label, real, LOGITS),
    Case("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", label, real,
         {**LOGITS, "ignore_class": 0}),
    *(Case("categorical_generalized_cross_entropy", "CategoricalGeneralizedCrossEntropy", label, simplex, {"q": q})
      for q in (0.05, 0.5, 0.9)),
    Case("dice", "Dice", binary, probability),
    Case("dice", "Dice", binary, probability, {"axis": -1}),
    Case("dice", "Dice", probability, probability, {"axis": (0, 1)}),
    Case("tversky", "Tversky", binary, probability),
    Case("tversky", "Tversky", binary, probability, {"alpha": 0.3, "beta": 0.8, "axis": -1}),
    Case("tversky", "Tversky", binary, probability, {"alpha": 0, "axis": (-2, -1)}),
    Case("circle", "Circle", label, unit),
    Case("circle", "Circle", label, unit, {"gamma": 20, "margin": 0.2}),
    Case("circle", "Circle", label, unit, {"remove_diagonal": False}),
]  # fmt: skip

every_case = pytest.mark.parametrize("case", CASES, ids=str)
FUNCTIONS = sorted({case.name for case in CASES} | {"ctc"})
CLASSES = sorted({case.class_name for case in CASES} | {"CTC"})
ALIASES = {
    "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error", "mape": "mean_absolute_percentage_error", "MAPE": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error", "MSLE": "mean_squared_logarithmic_error", "bce": "binary_crossentropy",
    "BCE": "binary_crossentropy", "kld": "kl_divergence", "KLD": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh", "huber_loss": "huber",
    "cosine_proximity": "cosine_similarity",
}  # fmt: skip


def array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(value, "float64")))


def first(name: str) -> Case:
    return next(case for case in CASES if name in (case.name, case.class_name))


# --- names and signatures ---------------------------------------------------------------------------------------------


def test_every_public_name_of_keras_is_there() -> None:
    names = {name for name in dir(keras.losses) if not name.startswith("_")}
    assert names <= set(dir(losses)), sorted(names - set(dir(losses)))
    assert names <= set(losses.__all__)
    assert {*FUNCTIONS, *CLASSES} == {
        name for name in names if name not in ("Loss", "get", "serialize", "deserialize")
    }


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_signatures_are_those_of_keras(name: str) -> None:
    ours, theirs = inspect.signature(getattr(losses, name)), inspect.signature(getattr(keras.losses, name))
    assert [(p.name, p.default, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.default, p.kind) for p in theirs.parameters.values()
    ]
    assert getattr(losses, name).__name__ == name
    assert getattr(losses, name).__module__ == "lossdsl.losses"


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_every_argument_is_documented(name: str) -> None:
    documentation = inspect.getdoc(getattr(losses, name)) or ""
    for parameter in inspect.signature(getattr(losses, name)).parameters:
        assert f"{parameter}: " in documentation, parameter


@pytest.mark.parametrize("alias, name", ALIASES.items())
def test_aliases(alias: str, name: str) -> None:
    assert getattr(losses, alias) is getattr(losses, name)
    assert losses.get(alias) is getattr(losses, name)


# --- functions --------------------------------------------------------------------------------------------------------


def shapes_of(case: Case) -> list[tuple[int, ...]]:
    """The shapes that Keras's function takes: labels need a batch, circle a matrix, an axis its rank."""
    if case.name == "circle":
        return [(12, 5)]
    axis = case.options.get("axis")
    ranks = 2 if isinstance(axis, tuple) else 1
    return [shape for shape in SHAPES if len(shape) >= ranks and not (case.target is label and len(shape) == 1)]


@every_case
def test_functions_give_the_values_of_keras(case: Case, rng: np.random.Generator) -> None:
    function, peer = getattr(losses, case.name), getattr(keras.losses, case.name)
    for shape in shapes_of(case):
        t, x = case.data(rng, shape)
        found, theirs = function(t, x, **case.options), peer(t, x, **case.options)
        assert found.shape == theirs.shape, shape
        assert found.dtype == theirs.dtype == tf.float32
        ours, expected = array(found), array(theirs)
        wide = t if case.target is label else t.astype("float64")
        truth = array(peer(wide, x.astype("float64"), **case.options))
        near = np.abs(ours - expected) <= 1e-6 * np.abs(expected)
        nearer = np.abs(ours - truth) <= np.abs(expected - truth)
        assert np.all(near | nearer), (shape, ours[~(near | nearer)], expected[~(near | nearer)])


@every_case
def test_functions_have_the_gradient_of_keras(case: Case, rng: np.random.Generator) -> None:
    """Away from clips and kinks, in float64, where automatic differentiation loses nothing that shows."""
    shape = shapes_of(case)[0]
    t, x = case.data(rng, shape)
    if case.name == "mean_squared_logarithmic_error":
        x = np.abs(x)  # below the floor the slope is 0, which the catalog's examples hold
    found = []
    for module in (losses, keras.losses):
        target = tf.constant(t if case.target is label else t.astype("float64"))
        prediction = tf.constant(x.astype("float64"))
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            value = tf.reduce_sum(getattr(module, case.name)(target, prediction, **case.options))
        found.append(tape.gradient(value, prediction).numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "ctc"])
def test_functions_keep_the_dtype_of_the_prediction(name: str, dtype: str, rng: np.random.Generator) -> None:
    case = first(name)
    t, x = case.data(rng, (4, 5))
    found = getattr(losses, name)(t, tf.cast(x, dtype), **case.options)
    assert found.dtype == dtype
    assert np.all(np.isfinite(array(found)))


@pytest.mark.parametrize("kind", [bool, "int32", "int64", "uint8", "float64"])
def test_targets_of_any_dtype_are_converted(kind: Any) -> None:
    t, x = np.array([[1, 0], [0, 1]]).astype(kind), np.array([[0.75, 0.5], [0.25, 0.5]], "float32")
    for name in ("mean_squared_error", "binary_crossentropy", "hinge", "dice", "categorical_crossentropy"):
        expected = getattr(keras.losses, name)(t.astype("float32"), x)
        np.testing.assert_allclose(getattr(losses, name)(t, x), expected, rtol=1e-6)


def test_lists_and_whole_predictions_are_taken() -> None:
    np.testing.assert_allclose(losses.mse([[0, 1]], [[2, 3]]), [4.0])
    assert losses.mse([[0, 1]], [[2, 3]]).dtype == tf.float32
    assert float(losses.mae([0.0, 1.0], [0.5, 1.0])) == 0.25


@pytest.mark.parametrize(
    "target, prediction, expected",
    [
        ((4,), (4, 1), (4,)),
        ((4, 1), (4,), (4,)),
        ((4, 3), (4, 3, 1), (4,)),
        ((4, 3, 1), (4, 3), (4,)),
        ((4,), (4,), ()),
        ((1,), (1,), ()),
        ((0, 3), (0, 3), (0,)),
        ((2, 3, 4, 5, 6), (2, 3, 4, 5, 6), (2, 3, 4, 5)),
    ],
)
def test_shapes_are_aligned_as_by_keras(target: Any, prediction: Any, expected: Any, rng: np.random.Generator) -> None:
    t, x = rng.uniform(size=target).astype("float32"), rng.uniform(size=prediction).astype("float32")
    theirs = keras.losses.mean_squared_error(t, x)
    assert losses.mean_squared_error(t, x).shape == theirs.shape == expected
    np.testing.assert_allclose(losses.mean_squared_error(t, x), theirs, rtol=1e-6)
    by_class = losses.MeanSquaredError(reduction="sum" if expected else "mean")
    peer = keras.losses.MeanSquaredError(reduction="sum" if expected else "mean")
    np.testing.assert_allclose(by_class(t, x), peer(t, x), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "ctc"])
def test_shapes_that_do_not_agree_are_an_error(name: str, rng: np.random.Generator) -> None:
    case = first(name)
    t, x = case.data(rng, (4, 5))
    function, loss = getattr(losses, name), getattr(losses, case.class_name)()
    wrong = t[:3] if case.target is label else t[:, :1]
    for call in (lambda: function(wrong, x, **case.options), lambda: loss(wrong, x)):
        with pytest.raises(lossdsl.LossShapeError, match="must have the same shape") as caught:
            call()
        assert str(wrong.shape) in str(caught.value)
        assert str(x.shape) in str(caught.value)


def test_axes_that_become_one_must_agree_each() -> None:
    """(2, 3) and (3, 2) have as many elements."""
    t, x = np.zeros((4, 2, 3), "float32"), np.zeros((4, 3, 2), "float32")
    for axis in (None, (1, 2)):
        with pytest.raises(lossdsl.LossShapeError, match=r"\(4, 2, 3\)"):
            losses.dice(t, x, axis=axis)
        with pytest.raises(lossdsl.LossShapeError, match=r"\(4, 2, 3\)"):
            lossdsl.load("dice", axis=axis).numpy(t, x)


@pytest.mark.parametrize("axis", [None, -1, 0, (0, 1), (1, 2), (0, 2), [0, 1, 2]])
def test_the_axes_of_dice_and_tversky(axis: Any, rng: np.random.Generator) -> None:
    t, x = binary(rng, (3, 4, 2)).astype("float32"), probability(rng, (3, 4, 2)).astype("float32")
    for name in ("dice", "tversky"):
        theirs = getattr(keras.losses, name)(t, x, axis=axis)
        found = getattr(losses, name)(t, x, axis=axis)
        assert found.shape == theirs.shape
        np.testing.assert_allclose(found, theirs, rtol=1e-6)
        np.testing.assert_allclose(lossdsl.load(name, axis=axis).numpy(t, x), theirs, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("kind", ["int32", "float32", "uint8"])
def test_labels_with_and_without_a_last_axis(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> None:
    t, x = np.array([2, 0, 1, 1]), simplex(rng, (4, 3)).astype("float32")
    expected = -np.log(x[np.arange(4), t])
    np.testing.assert_allclose(losses.sparse_categorical_crossentropy(t.reshape(shape).astype(kind), x), expected, 1e-5)
    expected = (1 - x[np.arange(4), t] ** 0.5) / 0.5
    given = losses.categorical_generalized_cross_entropy(t.reshape(shape).astype(kind), x, 0.5)
    np.testing.assert_allclose(given, expected, 1e-5)


def test_references_of_circle(rng: np.random.Generator) -> None:
    t, k = rng.integers(0, 3, 8), rng.integers(0, 3, 11)
    x, r = unit(rng, (8, 4)).astype("float32"), unit(rng, (11, 4)).astype("float32")
    for options in ({}, {"remove_diagonal": False}, {"gamma": 10, "margin": 0.25}):
        found = losses.circle(t, x, ref_labels=k, ref_embeddings=r, **options)
        theirs = keras.losses.circle(t, x, ref_labels=k, ref_embeddings=r, **options)
        np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(losses.circle(t[:, None], x, k[:, None], r, **options), theirs, rtol=1e-6, atol=1e-6)
    found, theirs = (module.circle(t, x, ref_embeddings=r[:8]) for module in (losses, keras.losses))
    np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-6)


def test_circle_and_ignored_labels_leave_a_mask(rng: np.random.Generator) -> None:
    t, x = np.array([0, 0, 1, 2]), unit(rng, (4, 3)).astype("float32")
    assert losses.circle(t, x)._keras_mask.numpy().tolist() == [True, True, False, False]
    found = losses.sparse_categorical_crossentropy(t, simplex(rng, (4, 3)), ignore_class=0)
    assert found._keras_mask.numpy().tolist() == [False, False, True, True]


def test_a_label_that_is_no_class_counts_for_nothing_if_it_is_the_one_to_ignore() -> None:
    x = np.array([[0.5, 0.5], [0.25, 0.75]], "float32")
    found = losses.SparseCategoricalCrossentropy(ignore_class=255)(np.array([255, 1]), x)
    np.testing.assert_allclose(found, -np.log(0.75), rtol=1e-6)


def test_ctc_is_that_of_the_backend(rng: np.random.Generator) -> None:
    t, x = np.array([[1, 2, 1, 0], [1, 2, 0, 2]]), rng.normal(size=(2, 6, 3)).astype("float32")
    np.testing.assert_allclose(losses.ctc(t, x), keras.losses.ctc(t, x), rtol=1e-6)
    np.testing.assert_allclose(losses.CTC()(t, x), keras.losses.CTC()(t, x), rtol=1e-6)
    for wrong in ((t[0], x), (t, x[0])):
        with pytest.raises(ValueError, match="it must be"):
            losses.ctc(*wrong)


# --- nearer the true value --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, t, x, options, truth",
    [
        ("log_cosh", 0.0, 1e-3, {}, lambda x: mpmath.log(mpmath.cosh(x))),
        ("binary_crossentropy", 0.0, 1e-6, {}, lambda x: -mpmath.log(1 - x)),
        ("binary_focal_crossentropy", 1.0, 16.0, LOGITS,
         lambda x: mpmath.log(1 + mpmath.exp(-x)) / (1 + mpmath.exp(x)) ** 2),
        ("dice", 1.0, 0.99999, {}, lambda x: 1 - 2 * x / (1 + x + mpmath.mpf("1e-7"))),
        ("tversky", 1.0, 0.99999, {}, lambda x: 1 - x / (x + (1 - x) / 2 + mpmath.mpf("1e-7"))),
    ],
)  # fmt: skip
def test_where_keras_loses_digits_ours_is_nearer_the_true_value(
    name: str, t: float, x: float, options: dict[str, Any], truth: Callable[[Any], Any]
) -> None:
    target, prediction = np.array([t], "float32"), np.array([x], "float32")
    with mpmath.workdps(40):
        exact = float(truth(mpmath.mpf(prediction[0].item())))
    ours, theirs = (float(getattr(module, name)(target, prediction, **options)) for module in (losses, keras.losses))
    assert abs(ours - exact) <= 1e-6 * abs(exact) < abs(theirs - exact)


def test_the_divergence_of_near_distributions_is_nearer_the_true_value(rng: np.random.Generator) -> None:
    """It is a sum of terms of either sign, nearly all of which cancels."""
    t = simplex(rng, (50, 3)).astype("float32")
    x = (t * (1 + 1e-5 * rng.normal(size=t.shape))).astype("float32")
    wide = t.astype("float64"), x.astype("float64")
    exact = np.sum(wide[0] * np.log1p((wide[0] - wide[1]) / wide[1]), axis=-1)
    ours, theirs = (np.abs(array(module.kl_divergence(t, x)) - exact) for module in (losses, keras.losses))
    assert np.median(ours) < 0.1 * np.median(theirs)


def test_almost_sure_and_right_is_not_lost_in_one_minus_a_power() -> None:
    x = np.array([[0.99999, 0.00001]], "float32")
    exact = -mpmath.expm1(0.5 * mpmath.log(mpmath.mpf(x[0, 0].item()))) / 0.5
    ours, theirs = (module.categorical_generalized_cross_entropy([0], tf.constant(x), 0.5)
                    for module in (losses, keras.losses))  # fmt: skip
    assert abs(float(ours[0]) - exact) < 1e-6 * exact < abs(float(theirs[0]) - exact)


def test_a_confident_mistake_has_a_slope_from_logits() -> None:
    """Where the sigmoid is clipped, as Keras's is on JAX and torch, there is none."""
    x = tf.constant([[-30.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = losses.binary_focal_crossentropy([[1.0]], x, from_logits=True)
    np.testing.assert_allclose(value, [30.0], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(value, x), [[-1.0]], rtol=1e-6)


# --- classes ----------------------------------------------------------------------------------------------------------


@every_case
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_reduce_and_weigh_as_those_of_keras(
    case: Case, reduction: Any, weighted: bool, rng: np.random.Generator
) -> None:
    options = {name: value for name, value in case.options.items() if name != "axis" or value == -1}
    t, x = case.data(rng, (6, 5))
    weight = rng.uniform(0.5, 2.0, 6).astype("float32") if weighted else None
    ours = getattr(losses, case.class_name)(**options, reduction=reduction)
    theirs = getattr(keras.losses, case.class_name)(**options, reduction=reduction)
    found, expected = array(ours(t, x, weight)), array(theirs(t, x, weight))
    if case.name in ("dice", "tversky") and "axis" not in options and not weighted:
        # one number: once for each sample here, and in Keras as soon as there are weights
        expected = array(theirs(t, x, np.ones(6, "float32")))
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["MeanSquaredError", "KLDivergence", "BinaryCrossentropy", "Huber"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
def test_masks_work_as_in_keras(name: str, reduction: str, rng: np.random.Generator) -> None:
    t, x = simplex(rng, (4, 3, 5)).astype("float32"), simplex(rng, (4, 3, 5)).astype("float32")
    mask = rng.integers(0, 2, (4, 3)).astype(bool)
    found = []
    for module in (losses, keras.losses):
        prediction = tf.constant(x)
        prediction._keras_mask = tf.constant(mask)
        found.append(array(getattr(module, name)(reduction=reduction)(t, prediction)))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["KLDivergence", "CosineSimilarity", "CategoricalHinge", "MeanSquaredError", "Dice"])
def test_a_prediction_of_rank_1_has_the_mean_of_keras(name: str, rng: np.random.Generator) -> None:
    t, x = simplex(rng, (5,)).astype("float32"), simplex(rng, (5,)).astype("float32")
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    np.testing.assert_allclose(ours()(t, x), theirs()(t, x), rtol=1e-6)
    assert ours(reduction=None)(t, x).shape == (5,)  # one value a sample, so that weights fit


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("name", CLASSES)
def test_classes_compute_in_their_dtype(name: str, dtype: str, rng: np.random.Generator) -> None:
    if name == "CTC":
        t, x = np.array([[1, 2, 1, 0]]), rng.normal(size=(1, 6, 3))
    else:
        t, x = first(name).data(rng, (4, 5))
    assert getattr(losses, name)(dtype=dtype)(t, x).dtype == dtype


@pytest.mark.parametrize("name", CLASSES)
def test_a_wrong_reduction_or_dtype_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`"):
        getattr(losses, name)(reduction="abc")
    with pytest.raises(ValueError):  # noqa: PT011 - Keras's own words where the class is Keras's
        getattr(losses, name)(dtype="float31")


@pytest.mark.parametrize("q", [0, 1, -0.5, 2])
def test_a_parameter_out_of_its_range_is_a_value_error(q: float) -> None:
    with pytest.raises(ValueError, match="0 < q < 1"):
        losses.CategoricalGeneralizedCrossEntropy(q=q)
    with pytest.raises(ValueError, match="delta > 0"):
        losses.huber([[0.0]], [[1.0]], delta=-1)
    with pytest.raises(ValueError, match="axis"):
        losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]], axis=True)
    with pytest.raises(TypeError, match="detla"):
        losses.huber([[0.0]], [[1.0]], detla=1)


def test_one_class_is_warned_of() -> None:
    with pytest.warns(SyntaxWarning, match="num_classes > 1"):
        losses.categorical_crossentropy([[1.0]], [[0.5]])
    with pytest.warns(SyntaxWarning, match="num_classes > 1"):
        losses.CategoricalFocalCrossentropy()([[1.0]], [[0.5]])


# --- saving -----------------------------------------------------------------------------------------------------------

MADE = {
    "Huber": {"delta": 0.3},
    "CosineSimilarity": {"axis": 1},
    "BinaryCrossentropy": {"from_logits": True, "label_smoothing": 0.2, "axis": 1},
    "BinaryFocalCrossentropy": {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5, "from_logits": True},
    "CategoricalCrossentropy": {"label_smoothing": 0.2},
    "CategoricalFocalCrossentropy": {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "gamma": 1.0},
    "SparseCategoricalCrossentropy": {"from_logits": True, "ignore_class": 1},
    "Dice": {"axis": (1,)},
    "Tversky": {"alpha": 0.2, "beta": 0.7, "axis": 1},
    "Circle": {"gamma": 10.0, "margin": 0.2, "remove_diagonal": False},
    "CategoricalGeneralizedCrossEntropy": {"q": 0.7},
}


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_is_saved(name: str, rng: np.random.Generator) -> None:
    options = {**MADE.get(name, {}), "reduction": "sum", "name": "mine", "dtype": "float64"}
    loss = getattr(losses, name)(**options)
    config = json.loads(json.dumps(loss.get_config()))
    apart = {"CosineSimilarity": "axis"}.get(name)  # not in Keras's config either; serialized all the same
    for key, value in options.items():
        assert key == apart or config[key] == (list(value) if isinstance(value, tuple) else value)
    if name == "CTC":
        t, x = np.array([[1, 2, 1, 0]]), rng.normal(size=(1, 6, 3))
    else:
        t, x = first(name).data(rng, (4, 5))
    expected = array(loss(t, x))
    full = config if apart is None else {**config, apart: options[apart]}
    revived = [
        type(loss).from_config(full),
        pickle.loads(pickle.dumps(loss)),
        losses.deserialize(losses.serialize(loss)),
        losses.deserialize(json.loads(json.dumps(losses.serialize(loss)))),
        losses.get({"class_name": name, "config": full}),
        keras.losses.deserialize(losses.serialize(loss)),
    ]
    for again in revived:
        assert type(again) is type(loss)
        assert json.loads(json.dumps(again.get_config())) == config
        assert again.dtype == "float64"
        np.testing.assert_array_equal(array(again(t, x)), expected)


@pytest.mark.parametrize("name", CLASSES)
def test_a_config_of_defaults_is_that_of_keras(name: str) -> None:
    assert getattr(losses, name)().get_config() == getattr(keras.losses, name)().get_config()


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_are_attributes(name: str) -> None:
    loss = getattr(losses, name)(**MADE.get(name, {}))
    for key, value in MADE.get(name, {}).items():
        assert getattr(loss, key) == value


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_found_and_saved_by_name(name: str) -> None:
    function = getattr(losses, name)
    assert losses.get(name) is losses.get(function) is losses.deserialize(name) is function
    assert losses.deserialize(losses.serialize(function)) is function
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_found_by_name(name: str) -> None:
    assert type(losses.get(name)) is getattr(losses, name)


def test_what_is_not_a_loss_is_not_found() -> None:
    assert losses.get(None) is None
    with pytest.raises(ValueError, match="nonsense"):
        losses.get("nonsense")


def test_is_categorical_crossentropy() -> None:
    for loss in (losses.categorical_crossentropy, losses.CategoricalCrossentropy(), "categorical_crossentropy",
                 keras.losses.categorical_crossentropy):  # fmt: skip
        assert losses.is_categorical_crossentropy(loss)
    for loss in (losses.binary_crossentropy, losses.CategoricalHinge(), "mse", None):
        assert not losses.is_categorical_crossentropy(loss)


@pytest.mark.parametrize("loss", ["huber", "Huber"])
def test_a_saved_model_finds_its_loss_in_a_fresh_process(loss: str, tmp_path: Path) -> None:
    """Importing the package is enough; nothing is given as a custom object."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(loss=losses.huber if loss == "huber" else losses.Huber(delta=0.25))
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    expected = model.evaluate(x, y, verbose=0)
    assert expected == pytest.approx(1.5 if loss == "huber" else 0.25 * (2 - 0.125))
    model.save(tmp_path / "model.keras")
    script = f"""
import lossdsl, numpy as np, keras
model = keras.models.load_model({str(tmp_path / "model.keras")!r})
print(model.evaluate(np.ones((4, 2), "float32"), np.zeros((4, 1), "float32"), verbose=0))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(expected)


# --- in graphs and models ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "ctc"])
def test_functions_in_a_graph_of_unknown_batch(name: str, rng: np.random.Generator) -> None:
    case = first(name)
    t, x = case.data(rng, (6, 5))
    function = getattr(losses, name)
    signature = [tf.TensorSpec([None, *t.shape[1:]], t.dtype), tf.TensorSpec([None, 5], tf.float32)]
    graph = tf.function(lambda t, x: function(t, x, **case.options), input_signature=signature)
    np.testing.assert_allclose(graph(t, x), function(t, x, **case.options), rtol=1e-6)


@pytest.mark.parametrize("name", ["binary_focal_crossentropy", "sparse_categorical_crossentropy", "circle", "dice"])
def test_functions_under_xla(name: str, rng: np.random.Generator) -> None:
    case = first(name)
    t, x = case.data(rng, (6, 5))
    function = getattr(losses, name)
    graph = tf.function(lambda t, x: function(t, x), jit_compile=True)
    np.testing.assert_allclose(graph(t, x), function(t, x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["Huber", "SparseCategoricalCrossentropy", "Dice", "Circle", "circle", "mse"])
def test_a_model_trains_as_with_keras(name: str, rng: np.random.Generator) -> None:
    x = rng.normal(size=(32, 4)).astype("float32")
    y = rng.integers(0, 3, 32) if "ircle" in name or "Sparse" in name else rng.uniform(size=(32, 3)).astype("float32")
    histories = []
    for module in (losses, keras.losses):
        keras.utils.set_random_seed(7)
        activation = "softmax" if "Sparse" in name else "sigmoid"
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=activation)])
        loss = module.mean_squared_error if name == "mse" else getattr(module, name)
        model.compile(optimizer=keras.optimizers.SGD(0.01), loss=loss() if isinstance(loss, type) else loss)
        histories.append(model.fit(x, y, epochs=2, batch_size=8, verbose=0).history["loss"])
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-5)


@pytest.mark.parametrize(
    "name, activation, t, logit",
    [
        ("binary_crossentropy", "sigmoid", [[1.0]], [[-40.0]]),
        ("binary_focal_crossentropy", "sigmoid", [[1.0]], [[-40.0]]),
        ("categorical_crossentropy", "softmax", [[1.0, 0.0]], [[0.0, 40.0]]),
        ("sparse_categorical_crossentropy", "softmax", [0], [[0.0, 40.0]]),
    ],
)
def test_an_activation_that_remembers_its_logits_loses_no_slope(name: str, activation: str, t: Any, logit: Any) -> None:
    x = tf.constant(logit)
    loss = getattr(losses, first(name).class_name)()
    for call in (getattr(losses, name), loss):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(call(t, keras.activations.get(activation)(x)))
        assert float(value) == pytest.approx(40.0)
        assert float(tf.reduce_min(tape.gradient(value, x))) == pytest.approx(-1.0)
    with pytest.warns(UserWarning, match="from_logits=True"):
        getattr(losses, name)(t, keras.activations.get(activation)(x), from_logits=True)


def test_symbolic_tensors_are_taken() -> None:
    t, x = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([t, x], losses.huber(t, x, delta=0.5))
    given = np.zeros((2, 3), "float32"), np.full((2, 3), 2.0, "float32")
    np.testing.assert_allclose(model.predict(given, verbose=0), [0.875, 0.875])


def test_equal_options_share_one_compiled_loss() -> None:
    one, other = losses.Huber(delta=0.5), losses.Huber(delta=np.float32(0.5))
    assert one.spec is other.spec
    assert one.spec is not losses.Huber(delta=0.25).spec


# --- the measure ------------------------------------------------------------------------------------------------------


def test_the_tests_of_keras_pass_with_our_module_in_place_of_its_own(tmp_path: Path) -> None:
    """They are read where Keras is installed."""
    text = (Path(keras.__file__).parent / "src" / "losses" / "losses_test.py").read_text(encoding="utf-8")
    theirs = "from keras.src.losses import losses\n"
    assert theirs in text
    (tmp_path / "losses_test.py").write_text(text.replace(theirs, "from lossdsl import losses\n"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "losses_test.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 160

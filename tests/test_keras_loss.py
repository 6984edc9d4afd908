"""The compiled loss as Keras uses it: saved and loaded, aligned, weighted, masked, reduced, in every dtype and rank."""

import copy
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import lossdsl
from lossdsl.runtime import keras_internals

HUBER = "where(abs(t-x) < d, 0.5*(t-x)^2, d*(abs(t-x) - 0.5*d))"
SQUARE = "(t - x)^2"

Array = np.ndarray


def small_model(loss: Any, shape: tuple[int, ...] = (3,), units: int = 1, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), keras.layers.Dense(4, "tanh"), keras.layers.Dense(units)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, **options)
    return model


def data(rng: np.random.Generator, count: int = 12, units: int = 1) -> tuple[Array, Array]:
    return rng.normal(size=(count, 3)).astype("float32"), rng.normal(size=(count, units)).astype("float32")


def number(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value))


# --- saving and loading -------------------------------------------------------------------------------------------


def _from_file(folder: Path) -> Any:
    path = folder / "own.loss"
    path.write_text(f'"""Mine."""\nloss own(t, x; d = 1.0)\nrequire d > 0\n{HUBER}\n', encoding="utf-8")
    return lossdsl.compile(path, d=0.7, reduction="sum")


def _from_yaml(folder: Path) -> Any:
    path = folder / "config.yaml"
    path.write_text("train:\n  loss: {huber: {delta: 0.5}, reduction: mean}\n", encoding="utf-8")
    return lossdsl.from_yaml(path, key="train.loss")


KINDS: dict[str, Callable[[Path], Any]] = {
    "formula": lambda folder: lossdsl.compile(HUBER, d=0.3, name="mine"),
    "file": _from_file,
    "builtin": lambda folder: lossdsl.compile("huber", delta=0.2),
    "vector": lambda folder: lossdsl.compile("loss f(t, x; w: vector)\nw*(t - x)^2", w=[1.5]),
    "yaml": _from_yaml,
    "dtype": lambda folder: lossdsl.compile("log_cosh", dtype="float64"),
}

LOADING = """
import json, sys
import numpy as np
import lossdsl
assert "keras" not in sys.modules
import keras
found = {}
for path in sys.argv[2:]:
    model = keras.models.load_model(path)
    with np.load(sys.argv[1]) as arrays:
        x, y = arrays["x"], arrays["y"]
    before = model.evaluate(x, y, verbose=0)
    after = model.train_on_batch(x, y)
    found[path] = [type(model.loss).__name__, model.loss.name, before, after, model.evaluate(x, y, verbose=0)]
print(json.dumps(found))
"""


def test_a_saved_model_loads_in_a_fresh_process_and_trains_on_the_same_way(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = data(rng)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    wanted = {}
    for kind, make in KINDS.items():
        model = small_model(make(tmp_path))
        model.train_on_batch(x, y)
        path = str(tmp_path / f"{kind}.keras")
        model.save(path)
        before = model.evaluate(x, y, verbose=0)
        after = model.train_on_batch(x, y)
        wanted[path] = ["Loss", model.loss.name, before, after, model.evaluate(x, y, verbose=0)]
    for made in (tmp_path / "own.loss", tmp_path / "config.yaml"):
        made.unlink()  # what was saved is the text
    output = run(LOADING, str(tmp_path / "data.npz"), *wanted)
    found = json.loads(output.splitlines()[-1])
    assert found.keys() == wanted.keys()
    for path, (kind, name, before, after, trained) in wanted.items():
        assert found[path][:3] == [kind, name, before], path
        # gradients are sums over threads, whose order is not settled: a step agrees to an ulp or two of float32
        assert found[path][3:] == pytest.approx([after, trained], rel=4 * float(np.finfo(np.float32).eps)), path


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_an_h5_file_does_not_silently_become_the_huber_of_keras(tmp_path: Path, rng: np.random.Generator) -> None:
    """Where lossdsl is not imported, the old format looks a loss up by its name."""
    model = small_model(lossdsl.compile("huber", delta=0.1))
    x, y = data(rng)
    before = model.evaluate(x, y, verbose=0)
    path = tmp_path / "model.h5"
    model.save(path)
    script = """
import sys
import keras
try:
    model = keras.models.load_model(sys.argv[1])
except (TypeError, ValueError) as error:
    print("refused", type(error).__name__)
else:
    print("loaded", model.loss)
"""
    assert "Huber" not in (answer := run(script, str(path)))
    assert answer.strip().splitlines()[-1].startswith("refused")
    loaded = keras.models.load_model(path)  # and where it is imported, it is the same loss
    assert loaded.evaluate(x, y, verbose=0) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "again",
    [
        copy.deepcopy,
        lambda loss: pickle.loads(pickle.dumps(loss)),
        lambda loss: type(loss).from_config(loss.get_config()),
        lambda loss: type(loss).from_config(json.loads(json.dumps(loss.get_config()))),
        lambda loss: keras.losses.deserialize(json.loads(json.dumps(keras.losses.serialize(loss)))),
        lambda loss: keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss)),
        lambda loss: keras.losses.get({"class_name": "lossdsl>Loss", "config": loss.get_config()}),
    ],
    ids=["deepcopy", "pickle", "config", "json", "losses.serialize", "serialize_keras_object", "get"],
)
def test_a_copy_is_the_same_loss(
    kind: str, again: Callable[[Any], Any], tmp_path: Path, rng: np.random.Generator
) -> None:
    loss = KINDS[kind](tmp_path)
    found = again(loss)
    assert found is not loss
    assert found.get_config() == loss.get_config()
    assert found.dtype == loss.dtype
    x, y = rng.normal(size=(4, 1)), rng.normal(size=(4, 1))
    assert number(found(y, x)) == number(loss(y, x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_config_is_plain_json(kind: str, tmp_path: Path) -> None:
    config = KINDS[kind](tmp_path).get_config()
    assert json.loads(json.dumps(config)) == config
    assert str(tmp_path) not in json.dumps(config)  # a path of one machine means nothing on another


def test_matrix_parameters_and_numpy_numbers_survive_as_json(rng: np.random.Generator) -> None:
    costs = rng.uniform(size=(3, 3))
    source = "loss costs(t: label, x; M: matrix)\nsum(M[t]*softmax(x))"
    loss = lossdsl.compile(source, M=costs, axis=np.array([1]).tolist())
    config = json.loads(json.dumps(loss.get_config()))
    again = type(loss).from_config(config)
    x, t = rng.normal(size=(4, 3)), np.array([0, 2, 1, 1])
    assert number(again(t, x)) == number(loss(t, x))
    half = lossdsl.compile(HUBER, d=np.float32(0.5))
    assert json.loads(json.dumps(half.get_config()))["parameters"] == {"d": 0.5}


def test_a_config_of_a_later_format_is_refused() -> None:
    config = lossdsl.compile(SQUARE).get_config()
    with pytest.raises(lossdsl.LossConfigError, match="format 99"):
        keras.losses.deserialize({"class_name": "lossdsl>Loss", "config": {**config, "version": 99}})


@pytest.mark.parametrize("name", [None, "ce", "crossentropy", "CE"])
def test_no_repr_is_taken_for_cross_entropy(name: str | None, rng: np.random.Generator) -> None:
    """Keras swaps a loss whose text is "ce" or "crossentropy" for its own."""
    loss = lossdsl.compile("loss ce(t, x)\n(t - x)^2", name=name)
    assert str(loss).lower() not in ("ce", "crossentropy")
    x, y = data(rng)
    model = small_model(loss, metrics=["accuracy"])
    expected = np.mean((y - model.predict(x, verbose=0)) ** 2)
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0)[0], expected, rtol=1e-6)


def test_no_default_name_is_that_of_a_loss_of_keras() -> None:
    for name in ("huber", "mean_squared_error", "hinge"):
        with pytest.raises(ValueError, match="Could not"):
            keras.losses.get(lossdsl.compile(name).name)
    assert lossdsl.compile("huber", name="huber").name == "huber"  # who asks for it gets it


# --- shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [SQUARE, "mean_squared_error", "mean[all]((t - x)^2)"])
def test_targets_without_the_trailing_axis_are_aligned(source: str, rng: np.random.Generator) -> None:
    x, y = data(rng)
    loss = lossdsl.compile(source)
    model = small_model(loss)
    wanted = np.mean((y - model.predict(x, verbose=0)) ** 2)
    prediction = model.predict(x, verbose=0)
    for target in (y, y[:, 0]):
        np.testing.assert_allclose(number(loss(target, prediction)), wanted, rtol=1e-6)
        np.testing.assert_allclose(model.evaluate(x, target, verbose=0, batch_size=4), wanted, rtol=1e-6)
        fitted = small_model(lossdsl.compile(source))
        history = fitted.fit(x, target, batch_size=12, epochs=1, shuffle=False, verbose=0)
        np.testing.assert_allclose(history.history["loss"][0], wanted, rtol=1e-6)
    # the same model again, traced anew for the other shape, and back
    shapes = [model.evaluate(x, target, verbose=0) for target in (y, y[:, 0], y, y[:, 0])]
    np.testing.assert_allclose(shapes, wanted, rtol=1e-6)
    flat = loss(y, prediction[:, 0])
    np.testing.assert_allclose(number(flat), wanted, rtol=1e-6)


def test_other_shapes_are_refused(rng: np.random.Generator) -> None:
    loss = lossdsl.compile(SQUARE)
    for target, prediction in [
        ((4, 1), (4, 3)),
        ((4, 3), (4, 1)),
        ((4,), (4, 3)),
        ((3,), (4, 3)),
        ((4, 3), (4,)),
        ((1, 3), (4, 3)),
        ((4, 3), (1, 3)),
        ((4, 2, 3), (4, 3)),
        ((4, 3), (4, 2, 3)),
        ((4, 3, 1, 1), (4, 3)),
        ((), (4, 3)),
    ]:
        with pytest.raises(lossdsl.LossShapeError) as caught:
            loss(np.zeros(target), np.zeros(prediction))
        for shape in (target, prediction):
            assert str(shape) in str(caught.value)


def test_a_model_whose_shapes_do_not_agree_does_not_train(rng: np.random.Generator) -> None:
    x, y = data(rng)
    model = small_model(lossdsl.compile(SQUARE), units=3)
    for call in (lambda: model.fit(x, y, verbose=0), lambda: model.evaluate(x, y, verbose=0)):
        with pytest.raises(lossdsl.LossShapeError, match=r"1\) and `x` has shape"):
            call()


def test_lengths_that_only_the_running_graph_knows_are_compared_there() -> None:
    loss = lossdsl.compile(SQUARE)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None)), tf.TensorSpec((None, None))])
    def unknown(t: Any, x: Any) -> Any:
        return loss(t, x)

    assert number(unknown(tf.ones((4, 3)), tf.zeros((4, 3)))) == 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="do not agree in shape"):
        unknown(tf.ones((4, 1)), tf.zeros((4, 3)))
    with pytest.raises(tf.errors.InvalidArgumentError):
        unknown(tf.ones((1, 3)), tf.zeros((4, 3)))


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("middle", [(), (2,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize("last", [1, 4])
def test_every_rank_and_length(count: int, middle: tuple[int, ...], last: int, rng: np.random.Generator) -> None:
    shape = (count, *middle, last)
    t, x = rng.uniform(0.1, 0.9, shape), rng.uniform(0.1, 0.9, shape)
    values = lossdsl.compile("kl_divergence", reduction=None, dtype="float64")(t, x)
    np.testing.assert_allclose(values, np.sum(t * np.log(t / x), -1), rtol=1e-12, atol=1e-15)
    assert tuple(values.shape) == shape[:-1]
    mean = lossdsl.compile("kl_divergence", dtype="float64")(t, x)
    assert mean.shape == ()
    np.testing.assert_allclose(mean, np.mean(values) if count else 0.0, rtol=1e-12, atol=1e-15)


def test_rank_one_is_a_batch_of_samples() -> None:
    values = lossdsl.compile(SQUARE, reduction=None)(np.array([1.0, 2.0]), np.array([0.0, 0.0]))
    np.testing.assert_array_equal(values, [1.0, 4.0])


# --- reductions, weights and masks --------------------------------------------------------------------------------

REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None]


def reference(values: Array, weight: Array | None, mask: Array | None, reduction: str | None) -> Array:
    """What a reduction means, written down once more: a masked value does not count, a weight multiplies."""
    weight = np.ones_like(values) if weight is None else weight * np.ones_like(values)
    on = np.ones_like(values) if mask is None else mask * np.ones_like(values)
    weighted = np.where(on > 0, values, 0) * weight
    match reduction:
        case "sum_over_batch_size" | "mean":
            return np.sum(weighted) / np.sum(on)
        case "sum":
            return np.sum(weighted)
        case "mean_with_sample_weight":
            return np.sum(weighted) / np.sum(weight * on)
    return weighted


def padded(weight: Array, rank: int) -> Array:
    return weight.reshape(*weight.shape, *[1] * (rank - weight.ndim))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_reductions_and_weights(reduction: str | None, mode: str, rng: np.random.Generator) -> None:
    loss = lossdsl.compile(SQUARE, reduction=reduction, dtype="float64")
    call = loss if mode == "eager" else tf.function(loss, autograph=False)
    for shape in [(4, 3), (4, 4, 3), (3, 4, 2)] if mode == "eager" else [(4, 4, 3)]:
        t, x = rng.normal(size=shape), rng.normal(size=shape)
        values = np.mean((t - x) ** 2, -1)
        np.testing.assert_allclose(call(t, x), reference(values, None, None, reduction), rtol=1e-12)
        for given in [(), shape[:1], (shape[0], 1), shape[:-1], (*shape[:-1], 1)]:
            weight = rng.uniform(0.5, 2, given)
            plain = weight.reshape(given[: values.ndim]) if len(given) > values.ndim else weight
            plain = padded(plain, values.ndim) if given else plain
            found = call(tf.constant(t), tf.constant(x), tf.constant(weight))
            np.testing.assert_allclose(found, reference(values, plain, None, reduction), rtol=1e-12)


@pytest.mark.parametrize("weight", [(3,), (4, 2), (2, 4), (4, 3, 2), (4, 3, 1, 1)], ids=str)
def test_weights_of_another_shape_are_refused(weight: tuple[int, ...]) -> None:
    loss = lossdsl.compile(SQUARE)
    with pytest.raises(lossdsl.LossShapeError, match="sample weights"):
        loss(np.zeros((4, 3, 2)), np.zeros((4, 3, 2)), np.ones(weight))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("source", [SQUARE, "kl_divergence", "mean_squared_error"])
def test_what_is_masked_does_not_count_even_if_it_is_nan(
    reduction: str | None, weighted: bool, source: str, rng: np.random.Generator
) -> None:
    shape = (4, 5, 3)
    t, x = rng.uniform(0.1, 1, shape), rng.uniform(0.1, 1, shape)
    values = np.sum(t * np.log(t / x), -1) if source == "kl_divergence" else np.mean((t - x) ** 2, -1)
    mask = rng.integers(0, 2, shape[:2]).astype(bool)
    mask[0] = False
    weight = rng.uniform(0.5, 2, shape[:2]) if weighted else None
    t[~mask], x[~mask] = np.nan, np.nan
    prediction = tf.Variable(x)
    loss = lossdsl.compile(source, reduction=reduction, dtype="float64")
    with tf.GradientTape() as tape:
        y = tf.convert_to_tensor(prediction)
        y._keras_mask = tf.constant(mask)
        found = loss(t, y, weight)
        total = tf.reduce_sum(found)
    np.testing.assert_allclose(found, reference(values, weight, mask, reduction), rtol=1e-12)
    slope = tape.gradient(total, prediction).numpy()
    assert np.all(np.isfinite(slope))
    assert not np.any(slope[~mask])
    assert np.all(np.any(slope[mask] != 0, -1))


def test_everything_masked_is_zero() -> None:
    y = tf.fill((2, 3, 1), np.nan)
    y._keras_mask = tf.zeros((2, 3), bool)
    for reduction in REDUCTIONS[:4]:
        assert number(lossdsl.compile(SQUARE, reduction=reduction)(tf.zeros((2, 3, 1)), y)) == 0.0


def sequence_model(first: Any, loss: Any, shape: tuple[int, ...]) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input(shape), first, keras.layers.SimpleRNN(4, return_sequences=True),
                              keras.layers.Dense(2)])  # fmt: skip
    model.compile(optimizer="sgd", loss=loss)
    return model


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mask_of_a_layer_arrives(weighted: bool, rng: np.random.Generator) -> None:
    tokens = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 0, 0]])
    t = rng.normal(size=(3, 4, 2)).astype("float32")
    t[tokens == 0] = np.nan
    weight = rng.uniform(0.5, 2, 3).astype("float32") if weighted else None
    model = sequence_model(keras.layers.Embedding(8, 4, mask_zero=True), lossdsl.compile(SQUARE), (4,))
    values = np.mean((t - model.predict(tokens, verbose=0)) ** 2, -1)
    wide = None if weight is None else weight[:, None]
    wanted = reference(values, wide, tokens != 0, "mean")
    np.testing.assert_allclose(model.evaluate(tokens, t, sample_weight=weight, verbose=0), wanted, rtol=1e-5)
    model.fit(tokens, t, sample_weight=weight, verbose=0)
    assert all(np.isfinite(each).all() for each in model.get_weights())


def test_the_mask_of_a_masking_layer_arrives(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4, 2)).astype("float32")
    x[1, 2:], x[2, 1:] = 0, 0
    on = np.any(x != 0, -1)
    t = rng.normal(size=(3, 4, 2)).astype("float32")
    t[~on] = np.nan
    model = sequence_model(keras.layers.Masking(), lossdsl.compile("huber"), (4, 2))
    values = lossdsl.load("huber").numpy(np.nan_to_num(t), model.predict(x, verbose=0))
    np.testing.assert_allclose(model.evaluate(x, t, verbose=0), reference(values, None, on, "mean"), rtol=1e-5)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_without_the_private_names_of_keras_the_reductions_are_the_same(
    reduction: str | None, weighted: bool, masked: bool, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    shape = (4, 3, 2)
    t, x = rng.normal(size=shape), rng.normal(size=shape)
    weight = rng.uniform(0.5, 2, shape[:2]) if weighted else None
    mask = rng.integers(0, 2, shape[:2]).astype(bool)
    loss = lossdsl.compile(SQUARE, reduction=reduction, dtype="float64")

    def found() -> Any:
        y = tf.constant(x)
        if masked:
            y._keras_mask = tf.constant(mask)
        return loss(t, y, weight)

    with_keras = found()
    monkeypatch.setattr(keras_internals, "_reduce", None)
    monkeypatch.setattr(keras_internals, "_get_mask", None)
    np.testing.assert_allclose(found(), with_keras, rtol=1e-12)


# --- one number for the whole batch -------------------------------------------------------------------------------


def test_a_batch_level_loss_is_spread_over_the_samples(rng: np.random.Generator) -> None:
    t, x = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    one = np.mean((t - x) ** 2)
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    for reduction in REDUCTIONS:
        loss = lossdsl.compile("mean[all]((t - x)^2)", reduction=reduction, dtype="float64")
        values = np.full(4, one)
        np.testing.assert_allclose(loss(t, x), reference(values, None, None, reduction), rtol=1e-12)
        np.testing.assert_allclose(loss(t, x, weight), reference(values, weight, None, reduction), rtol=1e-12)


def test_a_batch_level_loss_leaves_out_what_is_masked() -> None:
    """The weight of a mask on one number: what is masked reaches neither the number nor its gradient as nan."""
    t, x = np.ones((2, 3, 2)), np.zeros((2, 3, 2))
    x[0, 1] = np.nan
    y = tf.constant(x)
    y._keras_mask = tf.constant(~np.isnan(x[..., 0]))
    assert np.isfinite(number(lossdsl.compile("mean[all]((t - x)^2)")(t, y)))


def test_a_loss_that_keeps_only_space_has_the_values_of_every_sample(rng: np.random.Generator) -> None:
    t, x = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4, 2))
    wanted = np.mean(np.mean((t - x) ** 2, 0), -1)
    loss = lossdsl.compile("mean[batch]((t - x)^2)", reduction=None, dtype="float64")
    np.testing.assert_allclose(loss(t, x), np.tile(wanted, (5, 1)), rtol=1e-12)
    weight = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(np.sum(loss(t, x, weight), 0), wanted, rtol=1e-12)


def test_a_batch_level_loss_trains(rng: np.random.Generator) -> None:
    x, y = data(rng, 32)
    whole, samples = (small_model(lossdsl.compile(source)) for source in ("mean[all]((t - x)^2)", SQUARE))
    for model in (whole, samples):
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(whole.get_weights(), samples.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# --- axes, packed inputs, labels, extra inputs --------------------------------------------------------------------


def test_axis_says_what_plays_last(rng: np.random.Generator) -> None:
    t, x = rng.uniform(0.1, 1, (2, 3, 4, 5)), rng.uniform(0.1, 1, (2, 3, 4, 5))
    for axis in (1, -3, (1, 2), (2, 3), [1, 3], (1, 2, 3), -1):
        places = tuple(axis) if isinstance(axis, (tuple, list)) else axis
        loss = lossdsl.compile("kl_divergence", axis=axis, reduction=None, dtype="float64")
        wanted = np.sum(t * np.log(t / x), axis=places)
        np.testing.assert_allclose(loss(t, x), wanted, rtol=1e-12)
        again = type(loss).from_config(json.loads(json.dumps(loss.get_config())))
        np.testing.assert_allclose(again(t, x), wanted, rtol=1e-12)
    with pytest.raises(lossdsl.LossShapeError, match="axis"):
        lossdsl.compile("kl_divergence", axis=4)(t, x)


def test_labels_with_classes_first(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4, 4))
    t = rng.integers(0, 3, (2, 4, 4))
    source = "loss ce_of_labels(t: label, x)\n-log_softmax(x)[t]"
    first = lossdsl.compile(source, axis=1, dtype="float64", reduction=None)
    last = lossdsl.compile(source, dtype="float64", reduction=None)
    np.testing.assert_allclose(first(t, x), last(t, np.moveaxis(x, 1, -1)), rtol=1e-12)


GAUSS = "loss gauss(t, (m, s))\n0.5*((t - m)^2*exp(-s) + s)"


def test_a_packed_prediction_is_twice_as_wide_as_its_target(rng: np.random.Generator) -> None:
    x, y = data(rng)
    loss = lossdsl.compile(GAUSS)
    model = small_model(loss, units=2)
    m, s = np.split(model.predict(x, verbose=0), 2, -1)
    wanted = np.mean(0.5 * ((y - m) ** 2 * np.exp(-s) + s))
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), wanted, rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, y[:, 0], verbose=0), wanted, rtol=1e-5)
    model.fit(x, y, epochs=20, verbose=0)
    assert model.evaluate(x, y, verbose=0) < wanted
    for wrong in (np.zeros((4, 3)), np.zeros((4, 6))):
        with pytest.raises(lossdsl.LossShapeError):
            loss(np.zeros((4, 1)), wrong)


def test_labels_with_and_without_a_trailing_axis(rng: np.random.Generator) -> None:
    source = "loss ce_of_labels(t: label, x)\n-log_softmax(x)[t]"
    x = rng.normal(size=(12, 3)).astype("float32")
    t = rng.integers(0, 3, 12)
    model = small_model(lossdsl.compile(source), units=3)
    z = model.predict(x, verbose=0).astype("float64")
    wanted = -np.mean((z - np.log(np.sum(np.exp(z), -1, keepdims=True)))[np.arange(12), t])
    for target in (t, t[:, None], t.astype("float32"), t.astype("uint8"), t.astype("int64")[:, None]):
        np.testing.assert_allclose(number(model.loss(target, z)), wanted, rtol=1e-5)
    for target in (t, t[:, None]):
        np.testing.assert_allclose(model.evaluate(x, target, verbose=0), wanted, rtol=1e-5)
    model.fit(x, t, verbose=0)
    model.fit(x, t[:, None], verbose=0)


def test_large_labels_are_not_rounded() -> None:
    """float32, to which Keras casts targets, has no 2^24 + 1."""
    loss = lossdsl.compile("loss f(t: label, x)\nwhere(t == 16777217, x[0], 5)", reduction=None)
    np.testing.assert_array_equal(loss(np.array([16777217, 16777216]), np.ones((2, 1))), [1.0, 5.0])


TRIPLE = "loss triple(t, x, w: scalar, b)\nw*(t - x - b)^2"


def test_extra_inputs_travel_with_the_target_as_a_tuple_or_dict(rng: np.random.Generator) -> None:
    t, x, b = rng.normal(size=(3, 6, 2))
    w = rng.uniform(size=6)
    wanted = np.mean(w[:, None] * (t - x - b) ** 2)
    loss = lossdsl.compile(TRIPLE, dtype="float64")
    for given in ((t, w, b), [t, w, b], {"t": t, "w": w, "b": b}, {"b": b, "w": w[:, None], "t": t}):
        np.testing.assert_allclose(loss(given, x), wanted, rtol=1e-12)
    for wrong in (t, (t, w), (t, w, b, b), {"t": t, "w": w}, {"t": t, "w": w, "b": b, "c": b}):
        with pytest.raises(lossdsl.LossTypeError, match="w"):
            loss(wrong, x)


def test_extra_inputs_in_fit_are_an_entry_for_their_output(rng: np.random.Generator) -> None:
    """More of it, on every backend, in `backend_trial.py`."""
    x, t = data(rng)
    w = rng.uniform(0.5, 2, 12).astype("float32")
    source = "loss weighed(t, x, w: scalar)\nw*(t - x)^2"
    model = small_model(lossdsl.compile(source))
    wanted = np.mean(w[:, None] * (t - model.predict(x, verbose=0)) ** 2)
    batches = tf.data.Dataset.from_tensor_slices((x, ((t, w),))).batch(4)
    weighted = tf.data.Dataset.from_tensor_slices((x, ((t, w),), 2 * np.ones(12, "float32"))).batch(4)
    np.testing.assert_allclose(model.evaluate(batches, verbose=0), wanted, rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(weighted, verbose=0), 2 * wanted, rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, [(t, w)], verbose=0), wanted, rtol=1e-5)
    with pytest.raises(lossdsl.LossTypeError, match=r"fit\(x, \[\(t, w\)\]\)"):
        small_model(lossdsl.compile(source)).fit(x, t, verbose=0)


def test_weights_given_as_a_list_of_numbers_are_the_weights() -> None:
    loss = lossdsl.compile("loss weighed(t, x, w: scalar)\nw*(t - x)^2", reduction="sum")
    target, x = (np.zeros((2, 1)), np.ones(2)), np.ones((2, 1))
    for weight in ([1.0, 3.0], [[1.0], [3.0]], np.array([1.0, 3.0]), (np.array([1.0, 3.0]),) * 2):
        assert number(loss(target, x, weight)) == 4.0


def test_a_mask_that_is_an_input_filters_what_a_formula_adds_up(rng: np.random.Generator) -> None:
    t, x = rng.normal(size=(2, 4, 3, 1))
    on = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], bool)
    loss = lossdsl.compile("loss f(t, x, m: binary scalar)\nmean[all if m == 1]((t - x)^2)", dtype="float64")
    np.testing.assert_allclose(loss((t, on), x), np.mean(((t - x) ** 2)[on]), rtol=1e-12)


def test_weights_of_one_model_may_change_their_rank(rng: np.random.Generator) -> None:
    """Traced anew for several ranks, a TensorFlow graph knows none."""
    x, y = data(rng)
    weight = rng.uniform(0.5, 2, 12).astype("float32")
    model = small_model(lossdsl.compile(SQUARE))
    wanted = np.mean(weight[:, None] * (y - model.predict(x, verbose=0)) ** 2)
    for given in (weight, weight[:, None], weight):
        np.testing.assert_allclose(model.evaluate(x, y, sample_weight=given, verbose=0), wanted, rtol=1e-5)


def test_a_single_input_is_the_prediction(rng: np.random.Generator) -> None:
    loss = lossdsl.compile("loss size(x)\nx^2", dtype="float64")
    x = rng.normal(size=(4, 2))
    for target in (np.zeros((4, 2)), np.zeros(7), np.array(["a", "b"]), None):
        np.testing.assert_allclose(loss(target, x), np.mean(x**2), rtol=1e-12)


# --- dtypes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype, digits", [("float16", 2e-3), ("bfloat16", 2e-2), ("float32", 1e-6), ("float64", 1e-14)]
)
@pytest.mark.parametrize("source", ["huber", "hinge", "kl_divergence", "mean[all]((t - x)^2)"])
def test_the_dtype_of_a_loss_is_that_of_its_value(
    dtype: str, digits: float, source: str, rng: np.random.Generator
) -> None:
    t, x = rng.uniform(0.2, 1, (4, 3)), rng.uniform(0.2, 1, (4, 3))
    loss = lossdsl.compile(source, dtype=dtype)
    found = loss(t, x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype == loss.dtype
    wanted = np.mean(lossdsl.load(source).numpy(t, x))
    np.testing.assert_allclose(number(keras.ops.cast(found, "float64")), wanted, rtol=4 * digits)
    assert type(loss).from_config(loss.get_config()).dtype == dtype


def test_without_a_dtype_it_is_floatx_whatever_the_policy(rng: np.random.Generator) -> None:
    x, y = data(rng)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        loss = lossdsl.compile(SQUARE)
        model = small_model(loss)
        prediction = model(x)
        assert keras.backend.standardize_dtype(prediction.dtype) == "float16"
        assert keras.backend.standardize_dtype(loss(y, prediction).dtype) == "float32"
        wanted = np.mean((y - keras.ops.convert_to_numpy(prediction).astype("float64")) ** 2)
        np.testing.assert_allclose(number(loss(y, prediction)), wanted, rtol=1e-6)
        model.fit(x, y, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float16", "float64"])
def test_targets_of_every_dtype(dtype: str, rng: np.random.Generator) -> None:
    t = rng.integers(0, 2, (6, 1)).astype(dtype)
    x = rng.uniform(0.1, 0.9, (6, 1)).astype("float32")
    wanted = -np.mean(np.log(np.where(t.astype(bool), x, 1 - x)))
    loss = lossdsl.compile("binary_crossentropy")
    np.testing.assert_allclose(number(loss(t, x)), wanted, rtol=1e-6)
    if dtype in ("bool", "uint8", "int64"):
        small_model(loss).fit(rng.normal(size=(6, 3)).astype("float32"), t, verbose=0)


def test_what_is_no_tensor_is_refused() -> None:
    import tensorflow as tf

    loss = lossdsl.compile(SQUARE)
    for given, said in (
        (np.array(["a", "b"]), "holds text"),
        (None, "is None"),
        ([[1.0], [1.0, 2.0]], "rows differ in length"),
        (tf.ragged.constant([[1.0], [1.0, 2.0]]), "is ragged"),
        (tf.sparse.from_dense([[1.0], [2.0]]), "is sparse"),
        (len, "is a function"),
    ):
        with pytest.raises(lossdsl.LossError, match=said) as caught:
            loss(given, np.zeros((2, 1)))
        assert caught.value.hint


WEIGHTS = [
    (tf.sparse.from_dense(np.ones(3)), "is sparse"),
    (tf.ragged.constant([[1.0], [2.0, 3.0], [1.0]]), "is ragged"),
    (scipy.sparse.csr_matrix(np.ones((3, 1))), "is sparse"),
    (np.array(["a", "b", "c"]), "holds text"),
    (tf.constant(["a", "b", "c"]), "no tensor|holds text"),
    (np.ones(3) + 1j, "complex"),
    ([[1.0, 2.0], [3.0]], "differ in length"),
    ({"a": np.ones(3)}, "is a mapping"),
]


@pytest.mark.parametrize("weight, said", WEIGHTS, ids=[said for _, said in WEIGHTS])
def test_weights_that_are_no_numbers_are_refused(weight: Any, said: str) -> None:
    t, x = np.zeros((3, 2)), np.ones((3, 2))
    doors = [lossdsl.compile("huber"), lossdsl.metric("huber"), lossdsl.load("huber").numpy.mean]
    for call in doors:
        with pytest.raises(lossdsl.LossError, match=said) as caught:
            call(t, x, sample_weight=weight)
        assert "sample_weight" in str(caught.value)


def test_a_parameter_may_be_a_tensor_whose_numbers_stay() -> None:
    assert lossdsl.load("huber", delta=tf.constant(0.5)).parameters == {"delta": 0.5}
    vector = "loss f(t, x; w: vector)\nsum(w*(t - x)^2)"
    assert lossdsl.load(vector, w=tf.constant([1, 2])).parameters == {"w": (1.0, 2.0)}
    for source, given in (("huber", {"delta": tf.Variable(0.5)}), (vector, {"w": tf.Variable([1.0, 2.0])})):
        with pytest.raises(lossdsl.errors.LossParameterError, match="number") as caught:
            lossdsl.compile(source, **given)
        assert "keras.Variable" in str(caught.value.hint)


def test_wrong_options_are_refused_where_the_loss_is_made() -> None:
    with pytest.raises(lossdsl.LossConfigError, match="reduction"):
        lossdsl.compile(SQUARE, reduction="avg")
    with pytest.raises(lossdsl.LossConfigError, match="dtype"):
        lossdsl.compile(SQUARE, dtype="float31")
    with pytest.raises(lossdsl.LossTypeError, match="axis"):
        lossdsl.compile(SQUARE, axis="last")
    with pytest.raises(lossdsl.LossParameterError, match="`d`"):
        lossdsl.compile(HUBER)
    with pytest.raises(lossdsl.LossParameterError, match="requires `delta > 0`"):
        lossdsl.compile("huber", delta=-1.0)


# --- in training --------------------------------------------------------------------------------------------------


def test_a_step_of_training_is_that_of_the_same_loss_in_keras(rng: np.random.Generator) -> None:
    x, y = data(rng, 32)
    weight = rng.uniform(0.5, 2, 32).astype("float32")
    own, theirs = small_model(lossdsl.compile("huber", delta=0.4)), small_model(keras.losses.Huber(0.4))
    for jit in (False, True):
        for model in (own, theirs):
            model.compile(optimizer=keras.optimizers.SGD(0.1), loss=model.loss, jit_compile=jit)
            model.fit(x, y, sample_weight=weight, batch_size=8, epochs=2, shuffle=False, verbose=0)
        for one, other in zip(own.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_several_outputs_each_with_its_loss(rng: np.random.Generator) -> None:
    x, y = data(rng)
    inner = keras.Input((3,))
    outputs = {"a": keras.layers.Dense(1, name="a")(inner), "b": keras.layers.Dense(1, name="b")(inner)}
    model = keras.Model(inner, outputs)
    losses = {"a": lossdsl.compile("huber"), "b": lossdsl.compile(SQUARE)}
    model.compile(optimizer="sgd", loss=losses, loss_weights={"a": 1.0, "b": 0.5})
    predicted = model.predict(x, verbose=0)
    wanted = number(losses["a"](y, predicted["a"])) + 0.5 * number(losses["b"](y, predicted["b"]))
    found = model.evaluate(x, {"a": y, "b": y}, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


REPLICAS = """
import json
import numpy as np
import tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import lossdsl

def trained(source, strategy):
    with strategy.scope():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss=lossdsl.compile(source))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 3)).astype("float32"), rng.normal(size=(16, 1)).astype("float32")
    history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return history.history["loss"], [w.tolist() for w in model.get_weights()]

found = {}
for source in ("huber", "mean[all]((t - x)^2)"):
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert mirrored.num_replicas_in_sync == 2
    found[source] = [trained(source, tf.distribute.get_strategy()), trained(source, mirrored)]
print(json.dumps(found))
"""


def test_two_replicas_train_as_one_device_does_on_even_batches() -> None:
    found = json.loads(run(REPLICAS).splitlines()[-1])
    assert len(found) == 2
    for (losses, weights), (mirrored_losses, mirrored_weights) in found.values():
        np.testing.assert_allclose(losses, mirrored_losses, rtol=1e-5)
        for one, other in zip(weights, mirrored_weights, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# --- as a metric


def test_a_metric_agrees_with_its_loss_in_fit_and_after_loading(tmp_path, rng):
    x, y = rng.normal(size=(70, 3)).astype("float32"), rng.normal(size=(70, 1)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    metric = lossdsl.metric("huber", delta=0.5, name="error")
    model.compile(optimizer="sgd", loss=lossdsl.compile("huber", delta=0.5), metrics=[metric])
    log = model.fit(x, y, batch_size=32, epochs=2, verbose=0).history  # the last batch has 6 samples
    np.testing.assert_allclose(log["error"], log["loss"], rtol=1e-6)
    own = lossdsl.load("huber", delta=0.5).numpy.mean(y, np.asarray(model.predict(x, verbose=0)))
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), [own, own], rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0), [own, own], rtol=1e-5)


def test_a_metric_weighs_masks_and_begins_again():
    metric = lossdsl.metric("mse")
    assert metric.name == "mean_squared_error"
    metric.update_state([[0.0], [0.0]], [[1.0], [3.0]], sample_weight=[3.0, 1.0])
    assert float(metric.result()) == 3.0  # (3*1 + 1*9)/4
    metric.update_state([[0.0]], [[5.0]])
    assert float(metric.result()) == np.float32(7.4)  # (3*1 + 1*9 + 25)/5
    metric.reset_state()
    assert float(metric.result()) == 0.0
    steps = keras.layers.Masking(0.0)(np.array([[[1.0], [2.0], [0.0]]], "float32"))
    metric.update_state(np.array([[[2.0], [4.0], [np.nan]]], "float32"), steps)
    assert abs(float(metric.result()) - 2.5) < 1e-6  # (1 + 4)/2: the masked step does not count
    again = keras.metrics.deserialize(keras.metrics.serialize(lossdsl.metric("quantile", q=0.25, name="q25")))
    again.update_state([[0.0]], [[2.0]])
    assert (again.name, float(again.result())) == ("q25", 1.5)
    with pytest.raises(lossdsl.LossConfigError, match="`reduction` in the mapping"):
        lossdsl.metric({"huber": {}, "reduction": "sum"})
    with pytest.raises(lossdsl.LossShapeError):
        metric.update_state(np.zeros((3, 1)), np.zeros((3, 2)))


@pytest.mark.parametrize(
    "body", ["x[5]", "x[-6]", "sort(x[4:])[1]", "median(x[5:])", "argmax(x[5:])*x[0]", "max(x[5:])", "t[argmin(x[5:])]"]
)
def test_an_element_that_is_read_is_there(body):
    """TensorFlow tells of it in words of its own, and only when it runs, or makes -inf of it."""
    loss = lossdsl.compile(f"loss mine(t, x)\n{body} + 0*sum(t)")
    x = np.ones((3, 5), "float32")
    for call in (loss, tf.function(loss, autograph=False)):
        with pytest.raises(lossdsl.LossShapeError, match="elements along `last`"):
            call(x, x)
    assert np.isfinite(float(loss(np.ones((3, 6), "float32"), np.ones((3, 6), "float32"))))


# --- the debug mode

OF_THE_WRONG_KIND = [
    ("sparse_categorical_crossentropy", [[3]], [[0.5, 0.5]], "`t` is a label beyond the 2 classes: 3"),
    ("mse", [[np.nan]], [[1.0]], "`t` is not a number: nan"),
    ("mse", [[1.0]], [[np.nan]], "`x` is not a number: nan"),
    ("binary_crossentropy", [[1.0]], [[1.5]], "`x` is no probability: 1.5"),
    ("categorical_crossentropy", [[1.0, 0.0]], [[-0.5, 2.0]], "`x` is no probability: -0.5"),
    ("loss f(t: simplex, x)\n-sum(t*log_softmax(x))", [[0.5, 0.25]], [[1.0, 2.0]], "something else than 1: 0.75"),
    ("loss f(t: binary, x)\nsoftplus(x) - t*x", [[0.5]], [[1.0]], "`t` is binary, but has another value: 0.5"),
    ("loss f(t, x: prob)\n(t - x)^2", [[0.5]], [[1.5]], "`x` is prob, but lies outside: 1.5"),
    ("loss f(t: count, x)\nexp(x) - t*x", [[-1.0]], [[0.0]], "`t` is count, but lies outside: -1.0"),
]


@pytest.mark.parametrize("source, t, x, message", OF_THE_WRONG_KIND)
def test_the_debug_mode_names_what_is_not_of_its_kind(source, t, x, message):
    loss = lossdsl.compile(source)
    loss(np.array(t), np.array(x))
    with lossdsl.debug(), pytest.raises(lossdsl.LossTypeError, match=re.escape(message)):
        loss(np.array(t), np.array(x))
    loss(np.array(t), np.array(x))


def test_the_debug_mode_passes_what_the_loss_asks_for():
    with lossdsl.debug():
        ignoring = lossdsl.compile("sparse_categorical_crossentropy", ignore_class=-1)
        assert np.isfinite(float(ignoring(np.array([0, -1]), np.full((2, 2), 0.5))))
        observed = lossdsl.compile("loss f(t, x)\nmean[last if not isnan(t)]((t - x)^2)")
        assert float(observed(np.array([[np.nan, 1.0]]), np.array([[5.0, 3.0]]))) == 4.0
        masked = keras.layers.Masking(0.0)(np.array([[[1.0], [0.0]]], "float32"))
        assert float(lossdsl.compile("mse")(np.array([[[3.0], [np.nan]]], "float32"), masked)) == 4.0
        logits = lossdsl.compile("binary_crossentropy", from_logits=True)
        assert np.isfinite(float(logits(np.array([[1.0]]), np.array([[2.0]]))))


def test_the_debug_mode_looks_inside_a_graph(rng):
    x, labels = rng.normal(size=(8, 2)).astype("float32"), np.array([0, 1, 2, 0, 1, 2, 3, 0])

    def fit():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        model.compile("sgd", loss=lossdsl.compile("sparse_categorical_crossentropy", from_logits=True))
        model.fit(x, labels, verbose=0)

    with lossdsl.debug(), pytest.raises(tf.errors.InvalidArgumentError, match="a label beyond the 3 classes: 3"):
        fit()
    fit()

"""Run by test_values in a process of its own, since Keras settles its backend when it is imported.

    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python tests/values_trial.py slopes

Slopes in parameters are compared with difference quotients of the numpy twin; what training makes of a value, with
optima and schedules that are known by hand.
"""

import contextlib
import copy
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
from shipped import PUBLISHED
from test_published import arguments, arrays, parameters

import lossdsl
from lossdsl.errors import LossConfigError, LossError
from lossdsl.runtime.evaluate import evaluate
from lossdsl.runtime.spec import LoadedLoss

BACKEND = keras.backend.backend()
SEED = 20261130
SCHEDULES = keras.optimizers.schedules


# --- slopes ---------------------------------------------------------------------------------------------------------


def slopes(function, tensors):
    """The sum of a function of a list of arrays, and its gradients in them."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        given = [tf.constant(one) for one in tensors]
        with tf.GradientTape() as tape:
            tape.watch(given)
            total = tf.reduce_sum(function(given))
        return float(total), [one.numpy() for one in tape.gradient(total, given, unconnected_gradients="zero")]
    if BACKEND == "jax":
        import jax

        total, found = jax.jit(jax.value_and_grad(lambda given: function(given).sum()))(tensors)
        return float(total), [np.asarray(one) for one in found]
    import torch

    given = [torch.tensor(one, requires_grad=True) for one in tensors]
    total = function(given).sum()
    found = torch.autograd.grad(total, given, allow_unused=True)
    pairs = zip(found, given, strict=True)
    return float(total.detach()), [np.zeros(tuple(b.shape)) if a is None else a.numpy() for a, b in pairs]


def inside(origin, axis, values, name):
    """The values with one of them moved a little to where the loss allows it on both sides; None where it does not."""
    for factor, shift in ((1.0, 0.0), (0.9, 0.05), (0.9, 0.0), (1.1, 0.1)):
        try:
            moved = {**values, name: shifted(values[name], shift, factor)}
            for step in (1e-3, -1e-3):
                LoadedLoss(origin, axis, {**moved, name: shifted(moved[name], step)})
        except LossError:
            continue
        return moved
    return None


def shifted(value, step, factor=1.0):
    return (np.asarray(value, dtype=float) * factor + step).tolist()


CASES = [
    ("loss f(t, x; a = 1.0, c = 2.0)\n(abs(t - x)/c)^a", {"a": 1.5}, 3),
    ("loss f(t: label, x: logits; w: vector, s = 0.1)\n-w[t]*(1 - s)*log_softmax(x)[t] - s*mean(w*x)",
     {"w": [1, 2, 3]}, 3),
    ("loss f(t: label, x: logits; m: matrix)\n-sum(m[t]*log_softmax(x))", {"m": [[2, 1, 0], [1, 2, 1], [0, 1, 3]]}, 3),
    ("loss f(t, x; s = 2.0)\nsum[batch](exp(-(t - x)^2/s)) + s", {}, 3),
    ("loss f(t, (m, s); b = 0.5)\nb*softplus(s) + (t - m)^2*exp(-b*s)", {}, 6),
    ("loss f(t, x; k = 1.0)\nmean[space](k^2*(t - x)^2)*k", {}, 3),
]  # fmt: skip


def cases():
    """Losses with parameters that are numbers: source, axis, values, target and prediction."""
    rng = np.random.default_rng(SEED)
    for text, given, width in CASES:
        places = (2, 4, width) if "space" in text else (4, width)
        t = rng.integers(0, 3, 4) if ": label" in text else rng.normal(size=(*places[:-1], 3))
        yield text, given, -1, t, rng.normal(size=places)
    for entry in random.Random(SEED).sample(PUBLISHED, 24):
        given = parameters(entry)
        axis = given.pop("axis", -1)
        spec = lossdsl.load(entry["loss"], axis=axis, **given)
        if spec.program.loss.open:
            yield entry["loss"], given, axis, *arguments(type("_", (), {"spec": spec}), arrays(entry))


def check_slopes():
    """In every parameter of losses of each kind, where that is not at its default."""
    count = 0
    for text, given, axis, t, x in cases():
        plain = lossdsl.load(text, axis=axis, **given)
        values = dict(plain.parameters)
        live = [one.name for one in plain.program.loss.open]
        for name in live:
            values = values and inside(plain.origin, plain.axis, values, name)
        if not values:
            continue
        kept = {name: value for name, value in values.items() if name not in live}
        shapes = {name: np.shape(values[name]) for name in live if np.ndim(values[name])}
        spec = LoadedLoss(plain.origin, plain.axis, kept, (), frozenset(live), shapes)

        def run(tensors, spec=spec, t=t, x=x, live=live):
            given = dict(zip(live, tensors, strict=True))
            return evaluate(spec, t, x, dtype="float64", label="f", live=given).values

        arrays_ = [np.asarray(values[name], dtype=float) for name in live]
        total, found = slopes(run, arrays_)
        at = lambda changed, plain=plain, values=values, t=t, x=x: np.sum(  # noqa: E731
            evaluate_plain(plain, {**values, **changed}, t, x)
        )
        np.testing.assert_allclose(total, at({}), rtol=1e-9)
        for name, slope, array in zip(live, found, arrays_, strict=True):
            wanted = np.zeros(array.shape)
            for place in np.ndindex(array.shape):
                step = np.zeros(array.shape)
                step[place] = 1e-5
                up, down = at({name: (array + step).tolist()}), at({name: (array - step).tolist()})
                wanted[place] = (up - down) / 2e-5
            np.testing.assert_allclose(slope, wanted, rtol=1e-5, atol=1e-6, err_msg=f"{text} in {name}")
            count += 1
    assert count > 20, count


def evaluate_plain(plain, values, t, x):
    twin = LoadedLoss(plain.origin, plain.axis, values, (plain.program,)).numpy
    names = [one.identifier for one in plain.program.loss.inputs]
    rest = t if isinstance(t, tuple) else (t,) if t is not None else ()
    inputs = iter(rest)
    return twin(**{name: x if name == plain.program.loss.prediction.identifier else next(inputs) for name in names})


# --- training -------------------------------------------------------------------------------------------------------

SCALED = """loss laplace(t, x; s, k: vector)
require s > 0
require 0 <= k <= 1
log(s) + abs(t - x)/s + sum((k - 0.3)^2)
"""


def data(rows=256):
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(rows, 3)).astype("float32")
    return x, (x @ [[1.0], [2.0], [-1.0]] + rng.laplace(scale=0.5, size=(rows, 1))).astype("float32")


def model_of(loss, **options):
    """A linear model with the layer of a loss behind it."""
    keras.utils.set_random_seed(SEED)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, loss.layer(keras.layers.Dense(1)(inputs)))
    model.compile(keras.optimizers.Adam(0.05), loss=loss, **options)
    return model


def check_training():
    """The scale of Laplace's distribution ends at the mean error, compiled and not; it is saved, loaded, trained on."""
    x, y = data()
    for jit in (True, False):
        loss = lossdsl.compile(SCALED, s=lossdsl.learned(3.0), k=lossdsl.learned([0.5]))
        assert loss.now == {"s": pytest.approx(3.0), "k": pytest.approx([0.5])}
        model = model_of(loss, metrics=[loss], jit_compile=jit)
        assert len(model.trainable_variables) == 4
        log = model.fit(x, y, epochs=30, verbose=0).history
        error = np.abs(y - model.predict(x, verbose=0)).mean()
        assert loss.now["s"] == pytest.approx(error, rel=0.05)
        assert loss.now["k"] == pytest.approx([0.3], abs=1e-3)
        assert log["laplace_s"][0] > 2 > log["laplace_s"][-1] == pytest.approx(loss.now["s"], abs=0.05)
        assert log["laplace_k_0"][-1] == pytest.approx(0.3, abs=1e-2)
        assert loss.numpy.mean(y, model.predict(x, verbose=0)) == pytest.approx(
            model.evaluate(x, y, verbose=0, return_dict=True)["loss"], rel=1e-4
        )
    with tempfile.TemporaryDirectory() as folder:
        check_saved(model, loss, x, y, Path(folder) / "model.keras")
    check_copied(model, loss, x, y)


def check_copied(model, loss, x, y):
    """A copy of a model has a layer of its own: the loss of the first would train nothing there."""
    before = loss.now
    clone = keras.models.clone_model(model)
    clone.compile("adam", loss=loss)
    with pytest.raises(LossConfigError, match="layer"):
        clone.fit(x, y, verbose=0)
    clone = keras.models.clone_model(model)
    clone.compile("adam", loss=copy.deepcopy(loss))
    first = clone.loss.now
    clone.fit(x, y, verbose=0)
    assert clone.loss.now != first
    assert loss.now == before


def check_saved(model, loss, x, y, path):
    """In this process and in a fresh one: the value is that of the file, and is trained on without the first model."""
    model.save(path)
    again = keras.models.load_model(path)
    assert again.loss.now == loss.now
    before = model.evaluate(x, y, verbose=0)
    assert again.evaluate(x, y, verbose=0) == pytest.approx(before)
    again.fit(x[:64], y[:64] * 3, verbose=0)
    assert again.loss.now["s"] != loss.now["s"]
    assert model.evaluate(x, y, verbose=0) == pytest.approx(before)
    script = (
        "import sys, lossdsl, keras, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print('now', model.loss.now['s'])\n"
        "model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)\n"
        "print('then', model.loss.now['s'])"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    told = dict(line.split() for line in done.stdout.splitlines() if line.startswith(("now", "then")))
    assert float(told["now"]) == loss.now["s"] != float(told["then"])


class _Values(keras.callbacks.Callback):
    def __init__(self, variable):
        super().__init__()
        self.variable = variable

    def on_epoch_begin(self, epoch, logs=None):
        self.variable.assign(10.0 + epoch)


def check_schedules():
    """By step and by epoch, over two calls of fit and a validation in between; a variable that a callback sets."""
    x, y = data()
    schedule = SCHEDULES.PolynomialDecay(0.0, decay_steps=4, end_learning_rate=1.0)
    variable = keras.Variable(2.0, trainable=False)
    loss = lossdsl.compile(
        "loss f(t, x; a, b, v)\na*(t - x)^2 + b*x^2 + 0*v",
        a=schedule, b=lossdsl.by_epoch(schedule), v=variable,
    )  # fmt: skip
    assert loss.now == {"a": 0.0, "b": 0.0, "v": 2.0}
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), loss.layer])
    model.compile("sgd", loss=loss, jit_compile=BACKEND != "torch")  # where it takes half a minute
    log = model.fit(x, y, epochs=3, batch_size=128, verbose=0, validation_data=(x, y)).history
    assert log["f_a"] == [0.25, 0.75, 1.0]
    assert log["f_b"] == [0.0, 0.25, 0.5]
    assert log["val_f_b"] == log["f_b"]
    assert log["f_v"] == [2.0, 2.0, 2.0]
    log = model.fit(x, y, epochs=2, batch_size=128, verbose=0, callbacks=[_Values(variable)]).history
    assert log["f_b"] == [0.75, 1.0]
    assert log["f_v"] == [10.0, 11.0]
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    assert again.loss.now == loss.now == {"a": 1.0, "b": 1.0, "v": 11.0}
    wanted = loss.numpy.mean(y, model.predict(x, verbose=0))
    assert again.evaluate(x, y, verbose=0, return_dict=True)["loss"] == pytest.approx(wanted, rel=1e-5)


class Headed(keras.Model):
    """A model that is a class, with two outputs and two losses whose values change."""

    def __init__(self, first, second):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.first, self.second = first.layer, second.layer

    def call(self, x):
        return self.first(self.dense(x)), self.second(self.dense(x))


def check_several():
    """Two losses of one model, each with values of its own: both learn, and weights restore them."""
    x, y = data(64)
    starts = {"a": 1.0, "b": 1.5}
    losses = [lossdsl.compile("barron", alpha=lossdsl.learned(start), name=one) for one, start in starts.items()]
    model = Headed(*losses)
    model.compile(keras.optimizers.Adam(0.01), loss=losses)
    log = model.fit(x, (y, y), verbose=0).history
    assert {"a_alpha", "b_alpha"} < {*log}
    first = [loss.now["alpha"] for loss in losses]
    assert first[0] < 1 < first[1] < 1.5
    with tempfile.TemporaryDirectory() as folder:
        model.save_weights(Path(folder) / "model.weights.h5")
        model.fit(x, (y, y), verbose=0)
        assert [loss.now["alpha"] for loss in losses] != first
        model.load_weights(Path(folder) / "model.weights.h5")
    assert [loss.now["alpha"] for loss in losses] == first


def check_refused():
    """What would be frozen in silence."""
    x, y = data(32)
    loss = lossdsl.compile("loss f(t, x; p)\nrequire p > 0\nabs(t - x)^p", p=lossdsl.learned(1.0))
    with pytest.raises(LossConfigError, match="has not been called"):
        loss(y, y)
    found = loss(y, loss.layer(keras.ops.convert_to_tensor(y + 2)))
    assert float(keras.ops.convert_to_numpy(found)) == pytest.approx(2.0)
    if BACKEND == "jax":
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", loss=loss)
        with pytest.raises(LossConfigError, match="is not in the model that is trained"):
            model.fit(x, y, verbose=0)
        import jax

        with pytest.raises(LossConfigError, match="traces by itself"):
            jax.grad(lambda x: loss(y, x))(y)


def check_terms():
    """The terms of a sum, one under a weight that changes, add up to the loss; they are saved with the model."""
    x, y = data()
    schedule = SCHEDULES.PolynomialDecay(0.0, decay_steps=4, end_learning_rate=1.0)
    loss = lossdsl.compile("loss f(t, x; b)\nfit = (t - x)^2\nsize = abs(x)\nfit + b*size", b=schedule)
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), loss.layer])
    model.compile("sgd", loss=loss, metrics=loss.terms)
    log = model.fit(x, y, batch_size=128, verbose=0).history
    assert sorted(log) == ["f_b", "fit", "loss", "size"]
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["f_b"] == 0.25
    assert found["fit"] + 0.25 * found["size"] == pytest.approx(found["loss"], rel=1e-5)
    assert found["size"] == pytest.approx(np.abs(model.predict(x, verbose=0)).mean(), rel=1e-5)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(found)


def check_metric():
    """A metric of a compiled loss has its values at each step and counts what a mask leaves, saved or not."""
    x = np.random.default_rng(SEED).normal(size=(24, 5, 3)).astype("float32")
    y = x.sum(-1, keepdims=True)
    x[:8, 3:] = 0
    schedule = SCHEDULES.PolynomialDecay(0.0, decay_steps=4, end_learning_rate=1.0)
    loss = lossdsl.compile("loss f(t, x; b)\nabs(t - x) + b*abs(x)", b=schedule)
    keras.utils.set_random_seed(SEED)
    inputs = keras.Input((5, 3))
    hidden = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, loss.layer(keras.layers.Dense(1)(hidden)))
    model.compile("sgd", loss=loss, metrics=[lossdsl.metric(loss, name="same")])
    model.fit(x, y, batch_size=8, verbose=0)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["same"] == pytest.approx(found["loss"], rel=1e-5)
    counted = np.ones((24, 5), bool)
    counted[:8, 3:] = False
    predicted = model.predict(x, verbose=0)
    values = np.abs(y - predicted) + loss.now["b"] * np.abs(predicted)
    assert found["same"] == pytest.approx(values[..., 0][counted].mean(), rel=1e-5)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(found)
    with pytest.raises(LossConfigError, match="is compiled"):
        lossdsl.metric(loss, b=1.0)
    with pytest.raises(LossConfigError, match="no values of its own"):
        lossdsl.metric("loss f(t, x; b)\nb*abs(t - x)", b=schedule)


def check_lacking():
    """A saved loss whose layer is in no file is refused, though the layer that it was made with is still there."""
    x, y = data(32)
    loss = lossdsl.compile("barron", alpha=lossdsl.learned(1.0))
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    whole = keras.Model(inner.inputs, loss.layer(inner.outputs[0]))
    whole.compile("sgd", loss=loss)
    whole.fit(x, y, verbose=0)
    inner.compile("sgd", loss=loss)
    with tempfile.TemporaryDirectory() as folder:
        inner.save(Path(folder) / "model.keras")
        with pytest.raises(LossConfigError, match="was not read from the file"):
            keras.models.load_model(Path(folder) / "model.keras")
        whole.save(Path(folder) / "whole.keras")
        other = keras.models.load_model(Path(folder) / "whole.keras")  # what was read from another file is of that one
        with pytest.raises(LossConfigError, match="was not read from the file"):
            keras.models.load_model(Path(folder) / "model.keras")
        assert other.loss.layer is not loss.layer
        again = keras.models.load_model(Path(folder) / "model.keras", compile=False)
    assert again.predict(x, verbose=0).shape == (32, 1)


def check_replicas():
    """Under MirroredStrategy over two devices values, logs and schedules are those of one device."""
    import tensorflow as tf

    (device,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    x, y = data()
    schedule = SCHEDULES.PolynomialDecay(0.0, decay_steps=4, end_learning_rate=1.0)
    text = "loss f(t, x; s, b)\nrequire s > 0\nfit = abs(t - x)/s\nsize = x^2\nfit + log(s) + b*size"
    found = []
    for scope in (contextlib.nullcontext(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()):
        with scope:
            keras.utils.set_random_seed(SEED)
            loss = lossdsl.compile(text, s=lossdsl.learned(3.0), b=lossdsl.by_epoch(schedule))
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), loss.layer])
            model.compile(keras.optimizers.SGD(0.1), loss=loss, metrics=loss.terms)
        log = model.fit(x, y, batch_size=64, epochs=3, verbose=0, shuffle=False).history
        assert sorted(log) == ["f_b", "f_s", "fit", "loss", "size"]
        found.append([*map(log.get, sorted(log)), [loss.now["s"], loss.now["b"]]])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5)


def check_models():
    check_terms()
    check_metric()
    check_lacking()
    check_several()
    check_schedules()
    check_refused()
    check_training()


PARTS = {"slopes": check_slopes, "models": check_models, "replicas": check_replicas}

if __name__ == "__main__":
    for part in sys.argv[1:]:
        PARTS[part]()
        print(f"{BACKEND}: {part} done")

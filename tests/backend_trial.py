"""Run by test_backends in a process of its own, since Keras settles its backend when it is imported.

    KERAS_BACKEND=jax python tests/backend_trial.py

Compares every built-in and every published loss on a backend with the numpy twin (float32), the gradients at kinks with
the language's conventions, second derivatives, a training step in `fit`, and shapes that do not agree.
"""

import json
from pathlib import Path

import keras
import numpy as np

import lossdsl
from lossdsl import catalog

BACKEND = keras.backend.backend()
HERE = Path(__file__).resolve().parent
SEED = 20260202
ULP = np.finfo(np.float32).eps


def gradient(loss, t, x):
    """The derivative of the loss (reduction sum) in the prediction, on the backend's own tensors."""
    if BACKEND == "jax":
        import jax
        import jax.numpy as jnp

        return np.asarray(jax.jit(jax.grad(lambda a: loss(t, a)))(jnp.asarray(x)))
    if BACKEND == "torch":
        import torch

        prediction = torch.tensor(x, requires_grad=True)
        return torch.autograd.grad(loss(t, prediction), prediction)[0].numpy()
    import tensorflow as tf

    prediction = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(t, prediction)
    return tape.gradient(value, prediction).numpy()


def second(loss, t, x):
    """The derivative of the sum of the gradient."""
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.grad(lambda a: jax.grad(lambda b: loss(t, b))(a).sum())(x))
    if BACKEND == "torch":
        import torch

        prediction = torch.tensor(x, requires_grad=True)
        (first,) = torch.autograd.grad(loss(t, prediction), prediction, create_graph=True)
        if not first.requires_grad:  # the slope is constant wherever it exists
            return np.zeros_like(x)
        return torch.autograd.grad(first.sum(), prediction)[0].numpy()
    import tensorflow as tf

    prediction = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(prediction)
        with tf.GradientTape() as inner:
            inner.watch(prediction)
            value = loss(t, prediction)
        first = tf.reduce_sum(inner.gradient(value, prediction))
    return outer.gradient(first, prediction, unconnected_gradients=tf.UnconnectedGradients.ZERO).numpy()


def same(found, wanted, name, ulps):
    """Equality to some ulps of the largest number beside it: sums round in another order on each backend."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape, f"{name}: {found.shape} is not {wanted.shape}"
    finite = np.isfinite(wanted)
    assert np.array_equal(np.isfinite(found), finite), f"{name}: finite in other places"
    scale = np.max(np.abs(wanted[finite]), initial=1e-6)
    worst = np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)
    assert worst <= ulps * ULP * scale, f"{name}: off by {worst / (ULP * scale):.1f} ulp of {scale}"


def built_ins(rng):
    for name in catalog.names():
        spec = lossdsl.load(name)
        inputs = spec.program.loss.inputs
        if len(inputs) != 2 or any(one.layout for one in inputs):
            continue
        x = rng.uniform(0.05, 0.95, (6, 4)).astype("float32")
        t = rng.uniform(0.05, 0.95, (6, 4)).astype("float32")
        loss = lossdsl.compile(name, reduction="sum")
        each = lossdsl.compile(name, reduction=None)
        same(keras.ops.convert_to_numpy(each(t, x)), spec.numpy(t, x), name, 16)
        same(gradient(loss, t, x), spec.numpy.grad(t, x), f"gradient of {name}", 64)
        assert np.all(np.isfinite(second(loss, t, x))), f"second derivative of {name}"


def published():
    rows = json.loads((HERE / "published" / "losses.json").read_text(encoding="utf-8"))
    count = 0
    for row in rows:
        fixture = row["fixture"]
        spec = lossdsl.load(row["source"], **fixture["params"])
        inputs = spec.program.loss.inputs
        given = {}
        for key, value in fixture["inputs"].items():
            one = spec.program.loss.input(key)
            given[one.identifier] = np.asarray(value, "int32" if one.is_label else "float32")
        loss = lossdsl.compile(row["source"], reduction=None, **fixture["params"])
        prediction = given[spec.program.loss.prediction.identifier]
        others = [given[one.identifier] for one in inputs if one is not spec.program.loss.prediction]
        y_true = None if not others else others[0] if len(others) == 1 else tuple(others)
        found = keras.ops.convert_to_numpy(loss(prediction if y_true is None else y_true, prediction))
        wanted = np.asarray(fixture["expected"], float)
        wanted = np.broadcast_to(wanted, found.shape) if wanted.ndim == 0 else wanted
        scale = np.maximum(np.abs(wanted), 1e-2)
        # float32 against a fixture in float64: conditioning differs, so this catches wrong code, not lost digits
        worst = np.max(np.abs(found - wanted) / scale)
        assert found.shape == wanted.shape, f"{row['id']}: {found.shape} is not {wanted.shape}"
        assert worst < 5e-3, f"{row['id']}: off by {worst:.2g}"
        count += 1
    return count


def kinks():
    zero = np.zeros((1, 1), "float32")
    table = {
        "abs(t - x)": 0.0,
        "max(x, 0) + 0*t": 1.0,
        "max(0, x) + 0*t": 0.0,
        "min(x, 0) + 0*t": 1.0,
        "where(x >= 0, x, 0) + 0*t": 1.0,
        "where(x > 0, x, 0) + 0*t": 0.0,
        "relu(x) + 0*t": 0.0,
        "clip(x, 0, 1) + 0*t": 1.0,
        "norm(x - t)": 0.0,
        "where(x > 0, log(x), 0) + 0*t": 0.0,
        "where(x > 0, sqrt(x), 0) + 0*t": 0.0,
    }
    for formula, wanted in table.items():
        found = gradient(lossdsl.compile(formula, reduction="sum"), zero, zero)
        assert float(found[0, 0]) == wanted, f"slope of {formula} at 0: {found}"


def training(rng):
    x = rng.normal(size=(32, 3)).astype("float32")
    t = (x @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=lossdsl.compile("huber", delta=0.5))
    losses = model.fit(x, t, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses
    flat = model.evaluate(x, t[:, 0], verbose=0)
    same(flat, model.evaluate(x, t, verbose=0), "a target without its last axis", 4)
    try:
        lossdsl.compile("huber")(np.zeros((4, 1), "float32"), np.zeros((4, 3), "float32"))
    except lossdsl.LossShapeError:
        return
    raise AssertionError("(4, 1) against (4, 3) was accepted")


def main():
    rng = np.random.default_rng(SEED)
    built_ins(rng)
    kinks()
    training(rng)
    print(f"{BACKEND}: {published()} published losses, seed {SEED}")


if __name__ == "__main__":
    main()

"""Run by test_backends in a process of its own, since Keras settles its backend when it is imported.

    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python tests/backend_trial.py values

A part is the name of one of `PARTS`. What is found is compared with the numpy twin (the same generated code on another
library, held by other tests against formulas at 60 digits), with the fixtures of the published losses, and with the
language's conventions.
"""

import itertools
import sys
import tempfile
from pathlib import Path
from random import Random

import index_cases
import keras
import numpy as np
import pair_laws
import part_cases
import place_cases
import pytest
from choices import drawn, poisoned, sources
from digits import WRITTEN, check
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from nested_cases import Program
from papers.further import FURTHER
from papers.images import IMAGES
from papers.likelihoods import LIKELIHOODS
from papers.others import OTHERS
from papers.pairs import PAIRS
from papers.sequences import SEQUENCES
from shipped import PUBLISHED, THOROUGH
from test_norms import HOMOGENEOUS, SCALES, check_scales
from test_papers import PAPERS
from test_published import arguments, arrays, parameters, same_slope, same_value
from window_cases import table, window

import lossdsl
from lossdsl.ir.axes import BATCH
from lossdsl.runtime.keras_loss import CompiledLoss

BACKEND = keras.backend.backend()
SEED = 20260202
MODES = {"tensorflow": ("eager", "graph", "xla"), "jax": ("eager", "jit"), "torch": ("eager", "compile")}[BACKEND]
QUICK = "jit" if BACKEND == "jax" else "eager"  # outside jit, JAX compiles each operation by itself


# --- on the backend's own tensors -----------------------------------------------------------------------------------


def on_tensorflow(function, x, mode):
    import tensorflow as tf

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape.gradient(value, x)

    if mode != "eager":
        both = tf.function(both, jit_compile=mode == "xla")
    return both(tf.constant(x))


def on_jax(function, x, mode):
    import jax
    import jax.numpy as jnp

    def both(x):
        value, pullback = jax.vjp(function, x)
        return value, pullback(jnp.ones_like(value))[0]

    return (jax.jit(both) if mode == "jit" else both)(jnp.asarray(x))


def on_torch(function, x, mode):
    import torch

    x = torch.tensor(x, requires_grad=True)
    value = (torch.compile(function, backend="aot_eager") if mode == "compile" else function)(x)
    return value, torch.autograd.grad(value.sum(), x)[0]


def both(function, x, mode=QUICK):
    """The values of a function and the gradient of their sum."""
    found = {"tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}[BACKEND](function, x, mode)
    return [keras.ops.convert_to_numpy(each) for each in found]


def several(calls):
    """`both` of several functions, each with its argument; JAX compiles them all at once, which is quicker."""
    if BACKEND != "jax":
        return [both(function, x) for function, x in calls]
    import jax

    found = jax.jit(lambda xs: [on_jax(function, x, "eager") for (function, _), x in zip(calls, xs, strict=True)])(
        [x for _, x in calls]
    )
    return [[np.asarray(each) for each in one] for one in found]


def second(function, x):
    """The derivative of the sum of the gradient of the sum."""
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(lambda a: jax.grad(lambda b: function(b).sum())(a).sum()))(x))
    if BACKEND == "torch":
        import torch

        x = torch.tensor(x, requires_grad=True)
        (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        if not first.requires_grad:  # the slope is constant wherever it exists
            return np.zeros(x.shape)
        return torch.autograd.grad(first.sum(), x)[0].numpy()
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = function(x)
        first = inner.gradient(value, x)
    return outer.gradient(first, x, unconnected_gradients=tf.UnconnectedGradients.ZERO).numpy()


def same(found, wanted, what, within):
    """Equality, relative to the largest number beside it: sums round in another order on each backend."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape, f"{what}: {found.shape} is not {wanted.shape}"
    finite = np.isfinite(wanted)
    assert np.array_equal(found[~finite], wanted[~finite], equal_nan=True), f"{what}: {found} is not {wanted}"
    scale = np.max(np.abs(wanted[finite]), initial=1e-2)
    worst = np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)
    assert worst <= within * scale, f"{what}: off by {worst / scale:.2g} of {scale:.2g}"


def refused(call, what, *shapes):
    with pytest.raises(lossdsl.LossShapeError) as caught:
        call()
    assert all(str(shape) in str(caught.value) for shape in shapes), f"{what}: {caught.value}"


# --- every built-in -------------------------------------------------------------------------------------------------


class BuiltIn:
    """A built-in loss, with what it is called with beside the prediction."""

    def __init__(self, name):
        self.name = name
        self.spec = lossdsl.load(name)
        self.inputs = self.spec.program.loss.inputs
        self.by_label = self.inputs[0].is_label
        self.loss = self.compiled()

    def compiled(self, reduction=None, dtype="float64"):
        """What `lossdsl.compile` gives; compiled once for all dtypes."""
        return CompiledLoss(self.spec, self.name, reduction, dtype)

    def drawn(self, rng, shape):
        """A target (labels: whole numbers, without the last axis) and a prediction."""
        x = rng.uniform(0.05, 0.95, shape)
        if not self.by_label:
            return rng.uniform(0.05, 0.95, shape), x
        return rng.integers(0, shape[-1], shape[:-1] if len(shape) > 1 else shape), x

    def beside(self, t):
        """`y_true`, and the inputs of the twin by name: with reference embeddings where the loss takes them."""
        if len(self.inputs) == 2:
            return t, {}
        k, r = np.array([0, 1, 1]), np.linspace(-1.0, 1.0, 9).reshape(3, 3)
        return (t, k, r), {"k": k, "r": r}

    def check(self, t, x, mode, within, what):
        y_true, more = self.beside(t)
        value, slope = self.spec.numpy.value_and_grad(t, x, **more)
        for found, wanted, kind in zip(
            both(lambda a: self.loss(y_true, a), x, mode), (value, slope), ("value", "gradient"), strict=True
        ):
            same(found, wanted, f"{kind} of {self.name} {what}", within)


BUILT_INS = [BuiltIn(name) for name in THOROUGH]


def values(rng):
    """Values, gradients and second derivatives; in float64."""
    for one in BUILT_INS:
        t, x = one.drawn(rng, (6, 3))
        y_true, more = one.beside(t)
        for mode in MODES:
            one.check(t, x, mode, 1e-13, mode)
        step = 1e-6
        above, below = (one.spec.numpy.grad(t, x + sign * step, **more) for sign in (1, -1))
        found = second(lambda a, one=one, y_true=y_true: one.loss(y_true, a), x)
        same(found, (above - below) / (2 * step), f"second derivative of {one.name}", 1e-7)


def kinks(_):
    """Slopes where pieces join: those of the language, which are the numpy twin's, on every backend and compiled."""
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
    zero = np.zeros((1, 1))
    for formula, wanted in table.items():
        loss = lossdsl.compile(formula, reduction=None, dtype="float64")
        for mode in MODES:
            found = both(lambda a, loss=loss: loss(zero, a), zero, mode)[1]
            assert found.item() == wanted, f"slope of {formula} at 0, {mode}: {found}"
    # Where the pieces of the built-ins join: zeros, equal and opposite numbers, 1 apart, and the ends of clips
    places = (-1.0, 0.0, 1e-7, 0.5, 1 - 1e-7, 1.0, 2.0)
    rows = [((a, a), (b, b)) for a, b in itertools.product(places, places)]
    rows += itertools.product(itertools.product((0.0, 1.0), repeat=2), itertools.product((-1.0, 0.0, 1.0), repeat=2))
    t, x = (np.array(each) for each in zip(*rows, strict=True))
    for one in BUILT_INS:
        if len(one.inputs) == 2:
            one.check(np.arange(len(x)) % 2 if one.by_label else t, x, MODES[-1], 1e-12, "at kinks")


def published(_):
    """The 195 losses in `published/`, in float64: their values and gradients."""
    calls = []
    for entry in PUBLISHED:
        wrt = entry["wrt"]
        loss = lossdsl.compile(entry["loss"], dtype="float64", **parameters(entry))
        given = arrays(entry)

        def call(tensor, loss=loss, given=given, wrt=wrt, is_one=not entry["axes"]):
            value = loss.call(*arguments(loss, {**given, wrt: tensor}))
            return keras.ops.mean(value) if is_one else value  # one number stands once for each sample

        calls.append((call, given[wrt]))
    for start in range(0, len(PUBLISHED), 15):
        entries = PUBLISHED[start : start + 15]
        for entry, (value, slope) in zip(entries, several(calls[start : start + 15]), strict=True):
            try:
                same_value(value, entry)
                same_slope(slope, entry["gradient"])
            except AssertionError as error:
                raise AssertionError(entry["id"]) from error
    print(f"{BACKEND}: {len({entry['id'] for entry in PUBLISHED})} published losses")


# --- shapes and dtypes ----------------------------------------------------------------------------------------------

SHAPES = [(4,), (1, 3), (0, 3), (4, 1), (2, 3, 3), (2, 1, 2, 3), (2, 2, 1, 2, 3)]
DIGITS = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-5, "float64": 1e-13}


def shapes(rng):
    for one in BUILT_INS:
        wide = len(one.inputs) > 2  # as wide as the reference embeddings
        fitting = [shape for shape in SHAPES if shape[-1] == 3 or not wide]
        if one.by_label:  # a label chooses among several numbers
            fitting = [shape for shape in fitting if len(shape) > 1]
        drawn = [one.drawn(rng, shape) for shape in fitting]
        calls = [(lambda a, one=one, t=t: one.loss(one.beside(t)[0], a), x) for t, x in drawn]
        for (t, x), found in zip(drawn, several(calls), strict=True):
            shape = x.shape
            y_true, more = one.beside(t)
            column = (lambda a: a[:, None]) if len(shape) == 1 else lambda a: a
            value, slope = one.spec.numpy.value_and_grad(t if one.by_label else column(t), column(x), **more)
            same(found[0], value, f"{one.name} {shape}", 1e-13)
            same(found[1], slope.reshape(shape), f"gradient of {one.name} {shape}", 1e-13)
            total = one.compiled("mean")(y_true, x)
            same(keras.ops.convert_to_numpy(total), np.mean(value) if value.size else 0.0, f"{one.name} {shape}", 1e-13)


def empty_batches(_):
    """Every aggregate over an empty batch: no values, and no error."""
    formulas = [f"{name}[{over}](x - t)" for name in ("sum", "mean", "prod", "max", "min", "logsumexp", "norm", "std")
                for over in ("batch", "all")]  # fmt: skip
    formulas += [f"{name}[batch](x - t)" for name in ("argmax", "argmin", "softmax", "cumsum", "rank", "sort")]
    formulas += [f"{name}[batch](x > t)" for name in ("any", "all", "count")]
    formulas += ["sum(log(cumsum[batch](exp(x - t))))"]
    formulas += ["max[j in batch if j != self](x[j]*t)", "mean[i, j in batch if t[i] > t[j]](x[i] - x[j])"]
    nothing = np.zeros((0, 3))
    for formula in formulas:
        loss = lossdsl.compile(f"{formula} + 0*x", reduction=None, dtype="float64")
        value, slope = both(lambda a, loss=loss: loss(nothing, a), nothing)
        assert (value.shape, slope.shape) == ((0,), (0, 3)), formula


def narrow_pieces(_):
    """A choice by a parameter whose pieces have fewer axes than the choice: by hand, for [[1, 2, 3], [4, 5, 6]]."""
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    table = {
        "sum(where(b > 0, 1, x))": ([3, 3], [6, 15]),
        "where(b > 0, 2, max(x))": ([2, 2], [3, 6]),
        "sum[batch](where(b > 0, 2, max(x)))": ([4, 4], [9, 9]),
        "mean[all](where(b > 0, x, 1))": ([3.5, 3.5], [1, 1]),
    }
    for formula, wanted in table.items():
        for b, values in zip((1.0, -1.0), wanted, strict=True):
            loss = lossdsl.compile(f"loss f(x; b = 1.0)\n{formula}", b=b, reduction=None, dtype="float64")
            for mode in MODES:
                same(both(lambda a, loss=loss: loss(x, a), x, mode)[0], np.array(values), f"{formula}, {mode}", 1e-15)


def orders(_):
    """What is no number comes last and leaves no median; a slope of an element that is not picked may be infinite."""
    x = np.array([[1.0, np.nan, 3.0, 2.0], [2.0, 0.0, 3.0, 1.0]])
    middle = [[0, 0, 1 / 2, 1 / 2], [1 / 2, 0, 0, 1 / 2]]
    table = {
        "sort(x)[1]": ([2.0, 1.0], [[0, 0, 0, 1], [0, 0, 0, 1]]),
        "sort(x)[3]": ([np.nan, 3.0], [[0, 1, 0, 0], [0, 0, 1, 0]]),
        "median(x)": ([np.nan, 1.5], middle),
        "quantile(x, 0.5)": ([np.nan, 1.5], middle),
        "sort(log(x))[2]": ([np.log(3.0), np.log(2.0)], [[0, 0, 1 / 3, 0], [1 / 2, 0, 0, 0]]),
        "median(log(x))": ([np.nan, np.log(2.0) / 2], [[0, 0, 1 / 6, 1 / 4], [1 / 4, 0, 0, 1 / 2]]),
    }
    for formula, (wanted, slope) in table.items():
        loss = lossdsl.compile(f"loss f(x)\n{formula}", reduction=None, dtype="float64")
        for mode in MODES:
            found = both(lambda a, loss=loss: loss(x, a), x, mode)
            same(found[0], wanted, f"{formula}, {mode}", 1e-15)
            same(found[1], slope, f"gradient of {formula}, {mode}", 1e-15)


def pairs(rng):
    """Pairs of samples, with more than 2^22 numbers on the way: by hand, in blocks, and the twin's slopes."""
    t, x = rng.normal(size=(2, 190, 128))
    apart = x[:, None] - t[None]
    table = {
        "mean[j in batch](norm(x - t[j]))": np.mean(np.sqrt(np.sum(apart**2, -1)), 1),
        "max[j in batch](mean(abs(x - t[j])))": np.max(np.mean(abs(apart), -1), 1),
        "mean[j in batch, last](tanh(x - t[j]))": np.mean(np.tanh(apart), (1, 2)),
    }
    for formula, wanted in table.items():
        loss = lossdsl.compile(f"loss f(t, x)\n{formula}", reduction=None, dtype="float64")
        slope = loss.numpy.grad(t, x)
        for mode in MODES:
            found = both(lambda a, loss=loss: loss(t, a), x, mode)
            same(found[0], wanted, f"{formula}, {mode}", 1e-13)
            same(found[1], slope, f"gradient of {formula}, {mode}", 1e-12)
    for law in pair_laws.LAWS[:3]:
        t, x = pair_laws.batch(rng, law)
        loss = lossdsl.compile(f"loss f(t, x)\n{law.formula}", reduction=None)
        pair_laws.holds(law, t, x, both(lambda a, loss=loss, t=t: loss(t, a), x, QUICK), QUICK)
    if BACKEND != "tensorflow":
        for name, text, (t, x, k, w), slope in pair_laws.hardest_cases(rng):
            loss = lossdsl.compile(text, reduction=None, dtype="float64")
            for mode in MODES if name.startswith("hardest") else MODES[:1]:
                found = both(lambda a, loss=loss, others=(t, k, w): loss(others, a), x, mode)
                same(found[1], slope, f"{name}, {mode}", 1e-12)
        forward_pairs(rng)


def forward_pairs(rng):
    """The forward mode is the transpose of the reverse one for near pairs as well; torch's compiler reads all of it."""
    t, x, along = np.zeros(190, int), rng.normal(size=(190, 128)), rng.normal(size=(190, 128))
    x[3] = x[5] + 1e-4
    source = "loss f(t: label, x)\nmean[j in batch if j != self](log(0.001 + norm(x - x[j])))"
    if BACKEND == "jax":
        import jax

        loss = lossdsl.jax.loss(source, reduction="sum")
        slope = jax.jit(jax.grad(loss))(x, t)
        _, moved = jax.jit(lambda x, d: jax.jvp(lambda a: loss(a, t), (x,), (d,)))(x, along)
    else:
        import torch

        loss = lossdsl.torch.Loss(source, reduction="sum")
        t, x, along = map(torch.tensor, (t, x, along))
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss(leaf, t), leaf)
        _, moved = torch.func.jvp(lambda a: loss(a, t), (x,), (along,))
        value = torch.compile(loss, backend="aot_eager", fullgraph=True)(leaf, t)
        same(torch.autograd.grad(value, leaf)[0].numpy(), slope.numpy(), "pairs, compiled", 1e-12)
    same(np.asarray(moved), np.asarray((slope * along).sum()), "pairs, forward", 1e-10)


def dtypes(rng):
    for one in BUILT_INS:
        t, x = one.drawn(rng, (4, 3))
        for dtype, digits in DIGITS.items():
            x = np.asarray(keras.ops.cast(keras.ops.cast(x, dtype), "float64"))
            loss = one.compiled(dtype=dtype)
            found = loss(one.beside(t)[0], keras.ops.cast(x, dtype))
            assert keras.backend.standardize_dtype(found.dtype) == dtype, one.name
            wanted = one.spec.numpy(t, x, **one.beside(t)[1])
            same(keras.ops.convert_to_numpy(keras.ops.cast(found, "float64")), wanted, f"{one.name} {dtype}", digits)
        whole = t if one.by_label else (t > 0.5)
        for dtype in ("bool", "uint8", "int32", "int64", "float32"):
            if one.by_label and dtype == "bool":
                continue
            y_true, more = one.beside(whole.astype(dtype))
            wanted = one.spec.numpy(whole.astype("int64" if one.by_label else "float64"), x, **more)
            same(keras.ops.convert_to_numpy(one.loss(y_true, x)), wanted, f"{one.name} of {dtype}", 1e-13)


def alignment(rng):
    """What agrees up to a trailing axis is aligned; every other difference is an error with both shapes."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    for one in BUILT_INS:
        t, x = one.drawn(rng, (4, 3))
        wanted = one.spec.numpy(t, x, **one.beside(t)[1])
        if one.by_label:
            found = one.loss(one.beside(t[:, None])[0], x)
            wrong = [(3,), (4, 3), (1,), (4, 2, 1)]
        else:
            narrow = one.spec.numpy(t[:, :1], x[:, :1])
            for target, prediction in itertools.product((t[:, 0], t[:, :1]), (x[:, 0], x[:, :1])):
                same(keras.ops.convert_to_numpy(one.loss(target, prediction)), narrow, f"{one.name} aligned", 1e-13)
            found = one.loss(t[..., None], x)
            wrong = [(4, 1), (4,), (3,), (1, 3), (4, 2, 3)]
        same(keras.ops.convert_to_numpy(found), wanted, f"{one.name} aligned", 1e-13)
        for shape in wrong:
            target = one.beside(np.zeros(shape, "int32" if one.by_label else "float64"))[0]
            calls = [lambda one=one, target=target, x=x: one.loss(target, x)]
            function = getattr(lossdsl.losses, one.name, None)
            if function is not None and not one.by_label:
                calls.append(lambda function=function, target=target, x=x: function(target, x))
            for call in calls:
                refused(call, one.name, shape, x.shape)
        if len(one.inputs) == 2:
            model.compile(optimizer="sgd", loss=one.compiled("mean"))
            wide = np.zeros((4, 3) if one.by_label else (4, 1), "int32")
            refused(lambda wide=wide: model.fit(np.ones((4, 3)), wide, verbose=0), f"{one.name} in fit")


# --- training -------------------------------------------------------------------------------------------------------


def small(loss, **options):
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, **options)
    return model


def training(rng):
    x = rng.normal(size=(32, 3)).astype("float32")
    t = (x @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")
    model = small(lossdsl.compile("huber", delta=0.5))
    losses = model.fit(x, t, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses
    same(model.evaluate(x, t[:, 0], verbose=0), model.evaluate(x, t, verbose=0), "a target without last axis", 1e-6)
    if BACKEND == "jax":  # whose own default this is; the other parts run in 64 bits
        for one in BUILT_INS:
            t, x = (each.astype("float32" if each.dtype == "float64" else "int32") for each in one.drawn(rng, (6, 3)))
            y_true, more = one.beside(t)
            found = both(lambda a, one=one, y_true=y_true: one.compiled(dtype="float32")(y_true, a), x)
            wanted = one.spec.numpy.value_and_grad(t, x, **more)
            for each, other in zip(found, wanted, strict=True):
                same(each, other, f"{one.name} in 32 bits", 1e-5)


WEIGHED = "loss weighed(t, x, a: scalar)\na*(t - x)^2"
"""The extra input comes before the target in the alphabet, by which Keras sorts dicts."""


def extra_inputs(rng):
    """Further inputs travel with the target, in `fit` inside a list with an entry for each output."""
    x, t = rng.normal(size=(12, 3)).astype("float32"), rng.normal(size=(12, 1)).astype("float32")
    a, weight = rng.uniform(0.5, 2.0, (2, 12)).astype("float32")
    loss = lossdsl.compile(WEIGHED)
    forms = {"tuple": [(t, a)], "dict": [{"t": t, "a": a}], "as in tf.data": ((t, a),)}
    for what, y in forms.items():
        model = small(loss, metrics=["mse"])
        squares = (t - model.predict(x, verbose=0))[:, 0] ** 2
        one, other = np.mean(a * squares), np.mean(weight * a * squares)
        for call in (model.evaluate, model.test_on_batch, model.train_on_batch):
            found = call(x, y, **({"verbose": 0} if call == model.evaluate else {}))[0]
            same(found, one, f"{what}: {call.__name__}", 1e-5)
        model = small(loss)
        for weights in (weight, weight[:, None], [(weight, weight)], [{"t": weight, "a": weight}]):
            if isinstance(weights, np.ndarray) or isinstance(weights[0], dict) == (what == "dict"):
                weights = tuple(weights) if what == "as in tf.data" and isinstance(weights, list) else weights
                same(model.evaluate(x, y, sample_weight=weights, verbose=0), other, f"{what}, weighted", 1e-5)
        losses = model.fit(x, y, sample_weight=weight, batch_size=5, epochs=4, verbose=0).history["loss"]
        assert losses[-1] < losses[0], f"{what}: {losses}"
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model.keras")
            again = keras.models.load_model(Path(folder) / "model.keras")
        same(again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), f"{what}, loaded", 1e-6)
        history = [each.fit(x, y, epochs=1, shuffle=False, verbose=0).history["loss"] for each in (model, again)]
        same(history[1], history[0], f"{what}, trained on", 1e-6)

    inner = keras.Input((3,))
    p, q = (keras.layers.Dense(1, name=name)(inner) for name in "pq")
    for outputs, losses in itertools.product(([p, q], {"p": p, "q": q}), (["p", "q"], {"p": "p", "q": "q"})):
        own = {"p": loss, "q": lossdsl.compile("mean_squared_error")}
        model = keras.Model(inner, outputs)
        start, predicted = model.get_weights(), model.predict(x, verbose=0)
        first, last = predicted.values() if isinstance(predicted, dict) else predicted
        wanted = np.mean(a * (t - first)[:, 0] ** 2) + np.mean((t - last) ** 2)
        for y in ([{"t": t, "a": a}, t], [(t, a), t]):
            model.compile("sgd", {k: own[k] for k in losses} if isinstance(losses, dict) else [own[k] for k in losses])
            same(model.evaluate(x, y, verbose=0)[0], wanted, "two outputs", 1e-5)
        model.fit(x, [(t, a), t], verbose=0)
        weighted = np.mean(weight * a * (t - first)[:, 0] ** 2) + np.mean(weight * (t - last)[:, 0] ** 2)
        for weights in (weight, [(weight, weight), weight]) if isinstance(outputs, list) else ():
            model.set_weights(start)
            found = model.evaluate(x, [(t, a), t], sample_weight=weights, verbose=0)[0]
            same(found, weighted, "two outputs, weighted", 1e-5)

    tokens = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 0, 0]])
    on = tokens != 0
    t, a = rng.normal(size=(3, 4, 1)).astype("float32"), rng.uniform(0.5, 2.0, (3, 4)).astype("float32")
    t[~on], a[~on] = np.nan, np.nan
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(8, 4, mask_zero=True), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss=loss)
    wanted = np.mean((a * (t - model.predict(tokens, verbose=0))[..., 0] ** 2)[on])
    same(model.evaluate(tokens, [(t, a)], verbose=0), wanted, "masked", 1e-5)
    assert np.isfinite(model.fit(tokens, [(t, a)], verbose=0).history["loss"]).all()


# --- what no condition selects --------------------------------------------------------------------------------------


def called(loss):
    """A compiled loss as a function of all inputs."""
    return lambda t, x, *rest: loss.call((t, *rest), x)


def derived(values, mode):
    """A function of all inputs that gives values and their gradient in x; nothing is a constant to it."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def on_tensors(t, x, *rest):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = values(t, x, *rest)
            return value, tape.gradient(value, x, unconnected_gradients="zero")

        function = on_tensors if mode == "eager" else tf.function(on_tensors, jit_compile=mode == "xla")
        return lambda inputs: function(*map(tf.constant, inputs))
    if BACKEND == "jax":
        import jax

        def on_arrays(t, x, *rest):
            return values(t, x, *rest), jax.grad(lambda x: values(t, x, *rest).sum())(x)

        function = jax.jit(on_arrays)
        return lambda inputs: function(*inputs)
    import torch

    def on_torch_tensors(inputs):
        t, x, *rest = map(torch.tensor, inputs)
        x.requires_grad_()
        value = values(t, x, *rest)
        (slope,) = torch.autograd.grad(value.sum(), x, allow_unused=True)
        return value.detach(), torch.zeros_like(x) if slope is None else slope

    return on_torch_tensors


@settings(
    max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(sources(), st.integers(0, 1000))
def unselected(source, seed):
    """Values and gradients in float32 stay the same, bit for bit, whatever stands where nothing is selected."""
    inputs = drawn(seed)
    cases = list(poisoned(source, inputs))
    assume(cases)
    loss = lossdsl.compile(source, reduction=None, dtype="float32")
    emitted = {"__name__": "emitted"}
    exec(lossdsl.load(source).program.emitted(BACKEND, {}), emitted)  # noqa: S102 - what is emitted is tested
    modes = ("jit",) if BACKEND == "jax" else ("eager",) if BACKEND == "torch" else MODES
    for mode, values in itertools.product(modes, (called(loss), emitted["choices"])):
        function = derived(values, mode)
        harmless = function(as_given(inputs))
        for poison, given_ in cases:
            for found, wanted in zip(function(as_given(given_)), harmless, strict=True):
                found, wanted = map(keras.ops.convert_to_numpy, (found, wanted))
                assert np.array_equal(found, wanted, equal_nan=True), f"{source}\n{mode}, {poison}: {given_}"


def as_given(inputs):
    return [array.astype(np.int32 if array.dtype.kind == "i" else np.float32) for array in inputs.values()]


def second_of_masked(_):
    """Second derivatives by the backend, through our gradients: no nan comes from behind a mask."""
    t = np.array([[np.nan, 1.0, 0.5]])
    pieces = ("(t - x)^2", "(t - x)^3", "abs(t - x)^1.5", "softplus(x) - t*x", "exp(t*x)", "log(1 + (t - x)^2)")
    for piece in pieces:
        for formula in (f"sum(where(isnan(t), 0, {piece}))", f"mean[last if not isnan(t)]({piece})"):
            loss = lossdsl.compile(formula, reduction=None, dtype="float32")
            for poison in (2.0, np.nan, np.inf, 1e38):
                x = np.array([[poison, 3.0, -1.0]], np.float32)
                found = second(lambda a, loss=loss: loss.call(t, a), x)
                assert np.all(np.isfinite(found)), f"{formula} at {x}: {found}"
                assert found[0, 0] == 0, f"{formula} at {x}: {found}"


def modes(rng):
    """What each backend differentiates by: forward mode, second derivatives, batching, variables, compiled training."""
    for name in ("huber", "categorical_crossentropy", "dice"):
        one = BuiltIn(name)
        t, x = one.drawn(rng, (4, 3))
        slope = one.spec.numpy.grad(t, x)
        if BACKEND == "torch":
            t, x = keras.ops.convert_to_tensor(t, "float64"), keras.ops.convert_to_tensor(x, "float64")

        def total(a, one=one, t=t):
            return one.loss(t, a).sum()

        def single(b, a, one=one):
            return one.loss(b[None], a[None])[0]

        if BACKEND == "jax":
            import jax

            same(jax.jvp(total, (x,), (np.ones_like(x),))[1], slope.sum(), "forward", 1e-13)
            assert np.isfinite(jax.hessian(total)(x)).all()
            same(jax.vmap(jax.grad(single, 1))(t, x), slope, "batched", 1e-13)
        elif BACKEND == "torch":
            import torch

            tangent = torch.func.jvp(total, (x,), (torch.ones_like(x),))[1]
            same(tangent, slope.sum(), "forward", 1e-13)
            assert torch.func.hessian(total)(x).isfinite().all()
            found = torch.func.vmap(torch.func.grad(single, 1))(t, x)
            same(found, slope, "batched", 1e-13)
        else:
            import tensorflow as tf

            for place in (0, 1):
                given = [tf.Variable(each) if k == place else tf.constant(each) for k, each in enumerate((t, x))]
                with tf.GradientTape() as tape:
                    value = one.loss(*given)
                wanted = one.spec.numpy.grad(t, x, wrt="tx"[place])
                same(tape.gradient(value, given[place]), wanted, f"variable in {name}", 1e-13)


def compiled_training(rng):
    """A model whose step is compiled, which imports generated modules by their names on torch."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    loss = lossdsl.compile("categorical_crossentropy", from_logits=True)
    model.compile("sgd", loss, jit_compile=BACKEND != "tensorflow")
    t = np.eye(2, dtype="float32")[rng.integers(0, 2, 32)]
    history = model.fit(rng.normal(size=(32, 4)).astype("float32"), t, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]


def digits(_):
    """What papers write with probabilities, at logits of any size, in float32."""

    def on_backend(text, t, x):
        loss = lossdsl.compile(text, reduction=None, dtype="float32")
        found = []
        for mode in ("jit",) if BACKEND == "jax" else ("eager",) if BACKEND == "torch" else MODES:
            value, slope = derived(called(loss), mode)([t, x])
            found.append([*map(float, np.ravel(keras.ops.convert_to_numpy(value))),
                          *map(float, np.ravel(keras.ops.convert_to_numpy(slope)))])
        worst = np.array(found)
        largest = np.nanmax(np.abs(worst[:, 1:]))
        assert np.allclose(worst, worst[0], rtol=1e-5, atol=1e-12 * largest + 1e-35), f"{text}: {found}"
        return found[-1]

    for body, label, row in WRITTEN:
        check(body, label, row, on_backend)


def indices(_):
    """Random index expressions, with and without names of places, against loops over numpy arrays."""
    tried = 0
    for seed in range(60):
        cases = place_cases if seed % 3 == 0 else index_cases
        made = (cases.case, table, window)[seed // 3 % 3] if seed % 3 == 2 else cases.case
        one, arrays = made(seed, smooth=True), cases.drawn(seed)
        if one.asks or arrays["x"].size > 40:
            continue
        loss = lossdsl.compile(one.source, reduction=None, dtype="float64")
        wanted = one.value(arrays)
        axes = loss.spec.program.loss.result.axes
        for mode in MODES if tried % 6 == 0 else (QUICK,):
            found, gradient = both(lambda x, loss=loss, t=arrays["t"]: loss(t, x), arrays["x"], mode)
            if BATCH not in axes:  # what is one for the batch stands once for each sample
                found, gradient = found[0], gradient / len(wanted)
            placed = cases.placed(np.asarray(found), axes, wanted.shape)
            same(placed, wanted, f"{one.source} ({mode})", 1e-9)
            weights = np.full(wanted.shape, np.size(found) / wanted.size)
            slope = index_cases.slope(one.value, arrays, weights)
            assert np.allclose(gradient, slope, rtol=1e-6, atol=1e-6), f"{one.source} ({mode}): {gradient}, {slope}"
        tried += 1
    assert tried > 40, tried
    for seed in range(0, 24, 2):
        one = Program(seed, smooth=True)
        t, x, *others = one.drawn(seed).values()
        loss = lossdsl.compile(one.source, reduction=None, dtype="float64")
        wanted, slope = loss.spec.numpy.value_and_grad(t, x, *others)
        found, gradient = both(lambda x, loss=loss, t=t, others=others: loss((t, *others), x), x, QUICK)
        same(found, np.broadcast_to(wanted, np.shape(found)), one.source, 1e-9)
        same(gradient, slope * (np.size(found) / np.size(wanted)), f"slope of {one.source}", 1e-9)
    for seed in range(8):
        one = part_cases.case(Random(seed))
        t, x = one.inputs(Random(seed), 2, 2)
        loss = lossdsl.compile(one.text, reduction=None, dtype="float64")
        for mode in MODES if seed == 0 else (QUICK,):
            found, gradient = both(lambda x, loss=loss, t=t: loss(t, x), x, mode)
            same(found, one.wanted(t, x), one.text, 1e-9)
            same(gradient, loss.spec.numpy.grad(t, x), f"slope of {one.text}", 1e-9)
    for body in ("median(x)", "quantile[batch](x, 0.3)", "spectrum(x)", "atan2(x, t)", "x[len(x) - 1]*x[1:]",
                 "sort(x)[floor(len(x)/2)]", "mean[j in batch if j != self](x[j])", "x[-2:]*t[:2]"):  # fmt: skip
        loss = lossdsl.compile(f"loss f(t, x)\n{body}", reduction=None, dtype="float64")
        t, x = np.random.default_rng(3).normal(size=(2, 4, 5))
        wanted, slope = loss.spec.numpy.value_and_grad(t, x)
        for mode in MODES:
            found, gradient = both(lambda x, loss=loss, t=t: loss(t, x), x, mode)
            per = np.size(found) / np.size(wanted)
            same(found, np.broadcast_to(wanted, np.shape(found)), f"{body} ({mode})", 1e-12)
            same(gradient, slope * per, f"slope of {body} ({mode})", 1e-11)


def papers(rng):
    """Losses over named places, ensembles and pairs, beside the twin."""
    more = {**IMAGES, **PAIRS, **OTHERS, **FURTHER, **LIKELIHOODS, **SEQUENCES}
    for name, one in {**PAPERS, **dict(list(more.items())[::16])}.items():
        loss = lossdsl.compile(one.source, reduction=None, dtype="float64")
        t, x, *others = one.inputs(np.random.default_rng(20) if name in more else rng)
        wanted, slope = loss.spec.numpy.value_and_grad(t, x, *others)
        y = (t, *others) if others else t
        found, gradient = both(lambda x, loss=loss, y=y: loss(y, x), x)
        per = np.size(found) / np.size(wanted)  # what is one for the batch stands once for each sample
        same(found, np.broadcast_to(wanted, np.shape(found)), name, 1e-12)
        same(gradient, slope * per, f"slope of {name}", 1e-11)


def norms(_):
    """Norms of numbers whose squares do not fit, in 32 and in 16 bits; and their second derivatives."""
    for dtype, scales, within in (("float32", SCALES, 2e-6), ("float16", (2.0**-10, 2.0**9), 2e-2)):

        def on_backend(text, t, x, dtype=dtype):
            loss = lossdsl.compile(text, reduction=None, dtype=dtype)
            for mode in ("jit",) if BACKEND == "jax" else ("eager",) if BACKEND == "torch" else MODES:
                found = derived(lambda t, x, loss=loss: loss.call(t, x), mode)([t, x])
                found = [keras.ops.convert_to_numpy(part) for part in found]
            return found

        for formula, degree, meaning in HOMOGENEOUS:
            check_scales(formula, degree, meaning, on_backend, scales, getattr(np, dtype), within)
    loss = lossdsl.compile("loss f(t, x)\nnorm(x - t)", reduction=None, dtype="float64")
    t, x = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[4.0, 6.0], [0.0, 3.0]])
    found = second(lambda x: loss(t, x), x)
    same(found[:1], [[0.032, -0.024]], "second derivative of a norm", 1e-12)
    assert np.isfinite(found).all(), "the second derivative of a norm of 0"


PARTS = {
    "indices": (indices, papers),
    "digits": (digits, norms),
    "choices": (lambda _: unselected(), second_of_masked),
    "modes": (modes, compiled_training),
    "values": (values, kinks),
    "published": (published,),
    "shapes": (shapes, empty_batches, narrow_pieces, orders, pairs, dtypes, alignment),
    "training": (training, extra_inputs),
}

if __name__ == "__main__":
    for part in PARTS[sys.argv[1]]:
        part(np.random.default_rng(SEED))
    print(f"{BACKEND}: {sys.argv[1]} done, seed {SEED}")

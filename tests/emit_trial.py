"""Emitted modules of a target beside the numpy twin; run in a process of its own, since Keras settles its backend once.

    python tests/emit_trial.py TARGET PART

Gradients are those that the target's own differentiation finds; numpy's are those of the function in the module.
"""

import math
import sys
import types

import numpy as np
import pytest
from test_published import LOSSES, arrays, same_slope, same_value

import lossdsl
from lossdsl import catalog

TARGET, PART = sys.argv[1:] if __name__ == "__main__" else ("numpy", "")
SEED = 20260202


def imported(loss, **defaults):
    """The emitted module, imported, and the name of its function."""
    text = loss.program.emitted(TARGET, {**loss.parameters, **defaults})
    module = types.ModuleType(f"emitted_{loss.name}")
    sys.modules[module.__name__] = module
    exec(compile(text, module.__name__, "exec"), module.__dict__)  # noqa: S102 - that it runs is what is tested
    return module


def with_numpy(function, arguments, place):
    gradient = sys.modules[function.__module__].__dict__[f"{function.__name__}_gradient"]
    return function(*arguments), gradient(*arguments)


def with_torch(function, arguments, place):
    import torch

    tensors = [torch.tensor(each) for each in arguments]
    tensors[place].requires_grad_()
    value = function(*tensors)
    (slope,) = torch.autograd.grad(value.sum(), tensors[place])
    return value.detach().numpy(), slope.numpy()


def with_jax(function, arguments, place):
    import jax

    def both(*arguments):
        return function(*arguments), jax.grad(lambda *a: function(*a).sum(), place)(*arguments)

    return tuple(map(np.asarray, jax.jit(both)(*arguments)))


def with_tensorflow(function, arguments, place):
    import tensorflow as tf

    tensors = [tf.constant(each) for each in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors[place])
        value = function(*tensors)
    return value.numpy(), tape.gradient(value, tensors[place]).numpy()


def with_keras(function, arguments, place):
    import keras

    backend = {"tensorflow": with_tensorflow, "jax": with_jax, "torch": with_torch}[keras.backend.backend()]
    return backend(function, arguments, place)


def both(function, arguments, place=1):
    """The values, and the gradient of their sum in one argument."""
    return globals()[f"with_{TARGET}"](function, arguments, min(place, len(arguments) - 1))


def same(found, wanted, what, within=1e-13):
    """Equality, relative to the largest number: sums round in another order on each library."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{what}: {found.shape} is not {wanted.shape}"
    finite = np.isfinite(wanted)
    assert np.array_equal(found[~finite], wanted[~finite], equal_nan=True), f"{what}: {found} is not {wanted}"
    scale = np.max(np.abs(wanted[finite]), initial=1e-2)
    worst = np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)
    assert worst <= within * scale, f"{what}: off by {worst / scale:.2g}"


def drawn(loss, rng, rows, width):
    """Arrays for the inputs of a built-in."""
    found = []
    for spec in loss.program.loss.inputs:
        if spec.is_label:
            found.append(rng.integers(0, width, rows))
        elif spec.layout:
            found.append(rng.uniform(0.05, 0.95, rows if spec.layout == "scalar" else (rows, width)))
        else:
            found.append(rng.uniform(0.05, 0.95, (rows, width) if rows else (width,)))
    return found


def catalogue(rng):
    """Each built-in: a batch, an empty batch, one sample, targets with an axis too many or too few; what is refused."""
    for name in catalog.names():
        loss = lossdsl.load(name)
        function = getattr(imported(loss), name)
        inputs = loss.program.loss.inputs
        if len(inputs) > 2:
            continue  # its inputs depend on each other: it is among the published ones
        t, x = drawn(loss, rng, 4, 3)
        compare(loss, function, t, x, name)
        compare(loss, function, t[:0], x[:0], f"{name} of nothing")
        compare(loss, function, t[0], x[0], f"{name} of one sample")
        if t.ndim > 1:
            flat, narrow = t[:, 0], x[:, :1]
            compare(loss, function, t[:, :1], narrow, f"{name}, twice (n, 1)")
            compare(loss, function, flat, narrow, f"{name}, (n,) and (n, 1)")
            for one, other in ((t[:, :1], x), (t, narrow), (t[:3], x), (t[0], x)):
                refused(function, one, other, name)
        else:
            compare(loss, function, t[:, None], x, f"{name}, labels (n, 1)")
            refused(function, t[:3], x, name)
            refused(function, np.stack([t, t], 1), x, name)


def compare(loss, function, t, x, what):
    value, slope = loss.numpy.value_and_grad(t, x)
    found = both(function, (t, x))
    same(found[0], value, f"value of {what}")
    same(found[1], slope, f"gradient of {what}")


def refused(function, t, x, what):
    with pytest.raises(ValueError, match="do not agree"):
        function(*map(tensor, (t, x)))


def tensor(array):
    """An array as a tensor of the target's."""
    if TARGET == "torch":
        import torch

        return torch.tensor(array)
    if TARGET == "tensorflow":
        import tensorflow as tf

        return tf.constant(array)
    if TARGET == "keras":
        import keras

        return keras.ops.convert_to_tensor(array)
    return array


def published(_):
    """Each published loss, at the value and slope of its fixture."""
    done = 0
    for entry in LOSSES:
        fixture = entry["fixture"]
        loss = lossdsl.load(entry["source"], **fixture["params"])
        try:
            module = imported(loss)
        except lossdsl.LossTypeError as error:
            if "keras has no" in str(error):
                continue
            raise
        inputs = loss.program.loss.inputs
        given = {loss.program.loss.input(name): array for name, array in arrays(fixture).items()}
        wanted = loss.program.loss.input(fixture["grad_of_sum"]["wrt"])
        if TARGET == "numpy" and wanted is not loss.program.loss.prediction:
            continue
        value, slope = both(getattr(module, loss.name), [given[one] for one in inputs], inputs.index(wanted))
        try:
            same_value(value, fixture)
            same_slope(slope, fixture["grad_of_sum"]["value"])
        except AssertionError as error:
            raise AssertionError(f"{entry['id']}: {error}") from error
        done += 1
    assert done > (150 if TARGET == "keras" else 180), done


KINKS = {
    "abs(t - x)": 0.0,
    "max(x, 0) + 0*t": 1.0,
    "max(0, x) + 0*t": 0.0,
    "clip(x, 0, 1) + 0*t": 1.0,
    "norm(x - t)": 0.0,
    "where(x > 0, sqrt(x), 0) + 0*t": 0.0,
    "softplus(x) - t*x": 0.5,
    "sqrt(mean(cumsum(t - x)^2))": 0.0,
}


def kinks(_):
    """Slopes where pieces join, and where a head that begins with zeros begins: those of the language."""
    zero = np.zeros((1, 1))
    for formula, wanted in KINKS.items():
        _, slope = both(imported(lossdsl.load(formula)).loss, (zero, zero))
        assert slope == wanted, f"{formula}: {slope}"
    _, slope = both(imported(lossdsl.load("softplus(x) - t*x")).loss, (np.array([[1.0, 0.0]]), np.zeros((1, 2))))
    assert slope.tolist() == [[-0.25, 0.25]]
    _, slope = both(imported(lossdsl.load("where(isnan(t), 0, (t - x)^2)")).loss,
                    (np.array([[math.nan, 1.0]]), np.array([[2.0, 3.0]])))
    assert slope[0, 1] == 2.0


if __name__ == "__main__":
    globals()[PART](np.random.default_rng(SEED))
    print(f"{TARGET}: {PART} done")

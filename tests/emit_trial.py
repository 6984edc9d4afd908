"""Emitted modules of a target beside the numpy twin; run in a process of its own, since Keras settles its backend once.

    python tests/emit_trial.py TARGET PART

Gradients are those that the target's own differentiation finds; numpy's are those of the function in the module.
"""

import math
import sys
import types

import numpy as np
import pytest
from shipped import PUBLISHED, THOROUGH
from test_published import arrays, parameters, same_slope, same_value

import lossdsl

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
    """Built-ins: a batch, an empty batch, one sample, targets with an axis too many or too few; what is refused."""
    for name in THOROUGH:
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

    for body in (
        "norm(t - x)",
        "std(t - x)",
        "sum(spectrum(t - x))",
        "sum(normalize(t - x))",
        "logsumexp(t - x)",
        "max(t - x)",
    ):
        loss = lossdsl.load(f"loss of_nan(t, x)\n{body}")
        x = np.array([[1.0, np.nan, 2.0], [1.0, 2.0, 3.0]])
        value, _ = both(imported(loss).of_nan, (np.zeros_like(x), x))
        assert np.isnan(value).tolist() == [True, False], f"nan is hidden by {body}"


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
    for entry in PUBLISHED:
        loss = lossdsl.load(entry["loss"], **parameters(entry))
        try:
            module = imported(loss)
        except lossdsl.LossTypeError as error:
            if "keras has no" in str(error):
                continue
            raise
        inputs = loss.program.loss.inputs
        given = {loss.program.loss.input(name): array for name, array in arrays(entry).items()}
        wanted = loss.program.loss.input(entry["wrt"])
        if TARGET == "numpy" and wanted is not loss.program.loss.prediction:
            continue
        is_whole = "axis" in entry["parameters"]  # of which a module knows nothing: all is one row
        rows = [given[one].reshape(1, -1) if is_whole else given[one] for one in inputs]
        value, slope = both(getattr(module, loss.name), rows, inputs.index(wanted))
        if is_whole:
            value, slope = value[0], slope.reshape(given[wanted].shape)
        try:
            same_value(value, entry)
            same_slope(slope, entry["gradient"])
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
    _, slope = both(
        imported(lossdsl.load("where(isnan(t), 0, (t - x)^2)")).loss,
        (np.array([[math.nan, 1.0]]), np.array([[2.0, 3.0]])),
    )
    assert slope[0, 1] == 2.0


WORDS = """
np special torch jnp tf jax math float shape v1 value upstream ops keras slope _value _carried _arguments _VJPS _vjp_x
lambda class None del zip tuple isinstance a b is_single __name__ __debug__ __x device block1 single arguments input
target others ValueError super type training half forward y_true y_pred ŷ α µ ﬁ x_shape _mean _aligned _np numbers
""".split()  # noqa: SIM905 - words of libraries, of generated code and of Python


def names(_):
    """Losses whose inputs, parameters and parts are called as our code calls something, or as Python does."""
    t, x = np.array([[0.25, 2.5], [1.5, 0.5]]), np.array([[1.0, 2.0], [0.5, 3.0]])
    for place, word in enumerate(WORDS):
        other = WORDS[place - 7]
        text = (
            f"loss f(t, x; {word} = 2.0)\nrequire {word} > 0\nlog({word} + abs(t - x)) + softplus(x)*{word}",
            f"loss {word}({word}, x; {other} = 1.5)\nmean[i in batch](norm(x - x[i]))*{other} + sum({word}*x)",
            f"loss f({other}, {word})\nq = ({other} - {word})^2\nmean(q)",
        )[place % 3]
        loss = lossdsl.load(text)
        module = imported(loss)
        (function,) = {name for name in vars(module) if f"{name}_gradient" in vars(module)}
        value, slope = both(getattr(module, function), (t, x))
        wanted = loss.numpy.value_and_grad(t, x)
        same(value, wanted[0], text)
        same(slope, wanted[1], text)


def modes(_):
    """Forward mode, second derivatives, batching, traced and learned parameters."""
    loss = lossdsl.load("loss f(t, x; c = 1.0)\nrequire c > 0\nwhere(abs(t - x) < c, (t - x)^2, 2*c*abs(t - x) - c^2)")
    module = imported(loss)
    t, x = np.array([[0.25, 2.5], [1.5, 0.5]]), np.array([[1.0, 2.0], [0.5, 3.0]])
    with pytest.raises(ValueError, match="f requires c > 0"):
        module.f(tensor(t), tensor(x), c=-1.0)
    slope = loss.numpy.grad(t, x)
    if TARGET == "jax":
        import jax

        jitted = jax.jit(module.f)
        same(jitted(t, x, 1.0), loss.numpy(t, x), "traced")
        same(jax.grad(lambda c: jitted(t, x, c).sum())(1.0), np.sum(np.maximum(abs(t - x) - 1, 0)), "learned")
        same(jax.jvp(lambda x: module.f(t, x).sum(), (x,), (np.ones_like(x),))[1], slope.sum(), "forward")
        assert jax.hessian(lambda x: module.f(t, x).sum())(x).shape == (2, 2, 2, 2)
        same(jax.vmap(jax.grad(module.f, 1))(t, x), slope, "batched")
    if TARGET == "torch":
        import torch

        t, x = torch.tensor(t), torch.tensor(x)
        c = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        (learned,) = torch.autograd.grad(module.f(t, x, c).sum(), c)
        same(learned, np.sum(np.maximum(abs(t - x).numpy() - 1, 0)), "learned")
        tangent = torch.func.jvp(lambda x: module.f(t, x).sum(), (x,), (torch.ones_like(x),))[1]
        same(tangent, slope.sum(), "forward")
        assert torch.func.hessian(lambda x: module.f(t, x).sum())(x).shape == (2, 2, 2, 2)
        same(torch.func.vmap(torch.func.grad(module.f, 1))(t, x), slope, "batched")
        compiled = torch.compile(module.f, backend="aot_eager", fullgraph=True)
        same(compiled(t, x), module.f(t, x), "compiled")
        own = module.F if hasattr(module, "F") else module.LossF
        same(own(c=1.0)(x, t), module.f(t, x).mean(), "module")
        same(own(reduction="none")(x[:, 0], t[:, 0]), module.f(t[:, :1], x[:, :1]), "a batch of rank 1")
    if TARGET == "keras":
        as_a_keras_loss()
        masked_places()
    named_places()


PLACED = (
    "d[i in row, j in col] = x[i + 1, j] - x[i, j]\nmean[i in row, j in col](d[i, j + 1]^2) + mean[space](t)",
    "mean[row]((t - x)^2)*mean[batch](x)",
    "sum[i in row](cumsum[space](x*t[i])) - max[col](x)",
)


def named_places():
    """Losses whose places have names, of a batch and of one sample."""
    t, x = np.random.default_rng(3).normal(size=(2, 2, 3, 4, 2))
    # Running sums of 64 bits have 32 in Keras on torch.
    for body in PLACED[: 2 if TARGET == "keras" else None]:
        loss = lossdsl.load(f"loss placed(t, x)\nplaces row, col\n{body}")
        function = imported(loss).placed
        compare(loss, function, t, x, body)
        if "batch" not in body:
            compare(loss, function, t[0], x[0], f"{body}, of one sample")
        with pytest.raises(ValueError, match="not the axes batch, row, col, last"):
            function(*map(tensor, (t[0, 0], x[0, 0])))
        if "t - x" in body:
            refused(function, t, x[:, :, :3], body)


def masked_places():
    """A mask over rows and columns, of a loss with a value for each column."""
    import keras

    made = imported(lossdsl.load("loss placed(t, x)\nplaces row, col\nmean[row]((t - x)^2)")).Placed()
    x = keras.ops.convert_to_tensor(np.full((1, 2, 3, 1), 2.0, "float32"))
    mask = np.array([[[True, False, False], [True, True, False]]])
    keras.src.backend.set_keras_mask(x, keras.ops.convert_to_tensor(mask))
    assert float(made(np.zeros((1, 2, 3, 1), "float32"), x)) == 3.0  # columns of 4 and 4/2; none is left of the third


def as_a_keras_loss():
    """The class: saved, aligned, under masks and weights, for a loss of the whole batch too."""
    import keras

    loss = lossdsl.load("loss pair(t, x; c = 2.0)\nc*(t - x)^2")
    made = imported(loss).Pair(c=3.0)
    t, x = np.array([1.0, 2.0, 4.0], "float32"), np.array([[0.0], [2.0], [2.0]], "float32")
    assert float(made(t, x)) == float(made(t[:, None], x[:, 0])) == 5.0
    again = keras.losses.deserialize(keras.losses.serialize(made))
    assert (again.c, float(again(t, x))) == (3.0, 5.0)
    assert float(made(t, x, sample_weight=np.array([1.0, 0.0, 0.5]))) == 3.0
    inputs = keras.Input((3, 1))
    model = keras.Model(inputs, keras.layers.Masking(0.0)(inputs))
    steps = np.array([[[1.0], [2.0], [0.0]]], "float32")
    y = np.array([[[2.0], [4.0], [np.nan]]], "float32")
    assert float(made(y, model(steps))) == 7.5
    whole = imported(
        lossdsl.load("loss spread(t, x)\nmean[batch](sum(abs(t - x)))"),
    ).Spread
    assert whole(reduction="none")(t, x).shape == (3,)


if __name__ == "__main__":
    globals()[PART](np.random.default_rng(SEED))
    print(f"{TARGET}: {PART} done")

"""Run by test_fused in a process of its own, since Keras settles its backend when it is imported.

    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python tests/fused_trial.py function

What is found is compared with the unfused loss: the numpy twin on whole logits in float64, whose gradient is brought to
hidden states, kernel and bias by numpy's products, or on Keras a model that ends with `keras.layers.Dense`.
"""

import itertools
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

import lossdsl

BACKEND = keras.backend.backend()
SEED = 20260301
PLACES, HIDDEN, CLASSES = 11, 5, 7

LOSSES = {
    "cross-entropy": ("sparse_categorical_crossentropy", {"from_logits": True}),
    "label smoothing, soft cap, z-loss, ignored labels": (
        "loss f(t: label, x: logits; s = 0.1, cap = 5.0, z = 1e-2)\n"
        "y = cap*tanh(x/cap)\n"
        "where(t == 2, 0, logsumexp(y) - (1 - s)*y[t] - s*mean(y) + z*logsumexp(y)^2)",
        {},
    ),
    "focal": ("loss f(t: label, x: logits; g = 2.0)\np = softmax(x)\n-(1 - p[t])^g*log(p[t])", {}),
    "weights of classes": (
        "loss f(t: label, x: logits; w: vector)\n-w[t]*log_softmax(x)[t]",
        {"w": np.linspace(0.5, 2.0, CLASSES).tolist()},
    ),
    "soft labels": ("categorical_crossentropy", {"from_logits": True}),
    "packed": ("loss f(t, (m, s))\nsoftplus(s) + (t - m)^2*exp(-s)", {}),
    "a mean over what counts": ("loss f(t: label, x: logits)\nmean[all if t != 2](logsumexp(x) - x[t])", {}),
}  # fmt: skip


def draw(text, parameters, places=(PLACES,), seed=SEED):
    """Hidden states, kernel, bias, target and the twin of a loss."""
    rng = np.random.default_rng(seed)
    spec = lossdsl.load(text, **parameters)
    classes = CLASSES * len(spec.program.loss.prediction.nodes)
    if spec.program.loss.target.is_label:
        target = rng.integers(0, CLASSES, places)
    else:
        target = rng.dirichlet(np.ones(CLASSES), places)
    hidden, kernel = rng.normal(size=(*places, HIDDEN)), rng.normal(size=(HIDDEN, classes))
    return hidden, kernel, rng.normal(size=classes), target, spec.numpy


def truth(twin, hidden, kernel, bias, target, upstream):
    """The values, and the gradients of their sum under `upstream` in hidden states, kernel and bias, by numpy."""
    logits = hidden @ kernel + bias
    values, slope = twin.value_and_grad(target, logits)
    slope = slope * (upstream[..., None] if np.ndim(values) else upstream)
    flat, rows = slope.reshape(-1, slope.shape[-1]), hidden.reshape(-1, hidden.shape[-1])
    return values, (slope @ kernel.T, rows.T @ flat, flat.sum(0))


# --- the function for plain torch and JAX ---------------------------------------------------------------------------


def on_torch(function, arrays, upstream=None):
    """The value of a function of float64 arrays, and its gradients in them."""
    import torch

    tensors = [torch.tensor(one, requires_grad=True) for one in arrays]
    value = function(*tensors)
    found = torch.autograd.grad(value, tensors, None if upstream is None else torch.tensor(upstream))
    return value.detach().numpy(), [one.numpy() for one in found]


def on_jax(function, arrays, upstream=None):
    import jax

    value, pullback = jax.jit(lambda *given: jax.vjp(function, *given))(*map(jax.numpy.asarray, arrays))
    seed = jax.numpy.ones(value.shape) if upstream is None else jax.numpy.asarray(upstream)
    return np.asarray(value), [np.asarray(one) for one in pullback(seed)]


def function():
    """Values and gradients under each reduction, in chunks of every kind, on plain tensors."""
    if BACKEND == "torch":
        import torch

        from lossdsl.fused import torch_chunks
        from lossdsl.torch import fused_linear

        torch_chunks._BLOCK = 2 * CLASSES  # a chunk is worked with two places at a time
        run, turn, as_tensor = on_torch, lambda one: one.T, torch.tensor
    else:
        import jax

        from lossdsl.jax import fused_linear

        run, turn, as_tensor = on_jax, lambda one: one, jax.numpy.asarray
    for (name, (text, parameters)), places in itertools.product(LOSSES.items(), [(PLACES,), (3, 4)]):
        hidden, kernel, bias, target, twin = draw(text, parameters, places)
        rng = np.random.default_rng(SEED)
        weight, upstream = rng.random(places), rng.normal(size=places)
        ways = [(4, "none"), (5, "mean")]
        if name == "cross-entropy":  # chunks of one, that divide, that do not, and that are longer than all
            ways = [(1, "none"), (4, "none"), (4, "mean"), (PLACES, "sum"), (100, "mean"), (5, "sum")]
        elif places != (PLACES,):
            continue
        for chunk, reduction in ways:
            whole = np.ndim(twin(target, hidden @ kernel + bias)) == 0
            fused = fused_linear(text, reduction=reduction, chunk=chunk, **parameters)

            def loss(h, k, b, w, fused=fused, target=target, whole=whole):
                return fused(h, k, as_tensor(target), b, None if whole else w)

            factor = 1.0 if whole else weight
            if reduction == "mean" and not whole:
                factor = weight / weight.sum()
            if reduction == "none" and not whole:
                factor = weight * upstream
            values, (of_hidden, of_kernel, of_bias) = truth(twin, hidden, kernel, bias, target, factor)
            given = [hidden, turn(kernel), bias] + ([] if whole else [weight])
            if whole:
                value, found = run(lambda h, k, b, loss=loss: loss(h, k, b, None), given)
                expected = values
            else:
                value, found = run(loss, given, upstream if reduction == "none" else None)
                expected = values * weight if reduction == "none" else (values * factor).sum()
            case = f"{name} {places} {chunk} {reduction}"
            np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12, err_msg=case)
            np.testing.assert_allclose(found[0], of_hidden, rtol=1e-8, atol=1e-11, err_msg=case)
            np.testing.assert_allclose(found[1], turn(of_kernel), rtol=1e-8, atol=1e-11, err_msg=case)
            np.testing.assert_allclose(found[2], of_bias, rtol=1e-8, atol=1e-11, err_msg=case)
    refused_calls(fused_linear, as_tensor, turn)
    (torch_modes if BACKEND == "torch" else jax_modes)(fused_linear)


def refused_calls(fused_linear, as_tensor, turn):
    """What cannot be done is told."""
    hidden, kernel, bias, target, _ = draw(*LOSSES["cross-entropy"])
    fused = fused_linear(LOSSES["cross-entropy"][0], from_logits=True)
    h, k, b, t = map(as_tensor, (hidden, turn(kernel), bias, target))
    calls = [
        (lambda: fused(h, k, t[:-1], b), "do not agree"),
        (lambda: fused(h[:, :-1], k, t, b), "the kernel"),
        (lambda: fused(h[0], k, t, b), "an axis of places"),
        (lambda: fused(h, k, t, b[:-1]), "the bias of `x`"),
        (lambda: fused(h, k, t, b, h[:, 0][:-1]), "sample weights"),
        (lambda: fused(h, k, None, b), "`t` is None"),
        (lambda: fused_linear("mse", reduction="average"), "`reduction` is one of"),
        (lambda: fused_linear("mse", chunk=0), "`chunk` is a number of places"),
        (lambda: fused_linear("loss f(t, x)\nsum[batch](t*x)")(h, k, 0 * h[:, :1] + b, b), "meet"),
    ]
    for call, message in calls:
        with pytest.raises(lossdsl.LossError, match=message):
            call()


def torch_modes(fused_linear):
    """Second derivatives, torch.func, vmap over heads, torch.compile, an empty batch, 16 bits, a teacher's head."""
    import torch
    from torch.nn import functional

    from lossdsl.torch import Head

    text, parameters = LOSSES["cross-entropy"]
    hidden, kernel, bias, target, _ = draw(text, parameters)
    h, w, b, t = torch.tensor(hidden), torch.tensor(kernel.T.copy()), torch.tensor(bias), torch.tensor(target)
    fused = fused_linear(text, chunk=3, **parameters)

    def plain(h, w, b):
        return functional.cross_entropy(functional.linear(h, w, b), t)

    def ours(h, w, b):
        return fused(h, w, t, b)

    def second(function):
        given = [one.clone().requires_grad_() for one in (h, w, b)]
        first = torch.autograd.grad(function(*given), given, create_graph=True)
        return torch.autograd.grad(sum((one**2).sum() for one in first), given)

    for one, other in zip(second(ours), second(plain), strict=True):
        torch.testing.assert_close(one, other)
    of_func, of_plain = torch.func.grad(ours, (0, 1, 2))(h, w, b), torch.func.grad(plain, (0, 1, 2))(h, w, b)
    for one, other in zip(of_func, of_plain, strict=True):
        torch.testing.assert_close(one, other)
    heads = torch.stack([w, 2 * w, -w])
    mapped = torch.func.vmap(torch.func.grad(ours, 1), in_dims=(None, 0, None))(h, heads, b)
    torch.testing.assert_close(mapped, torch.stack([torch.func.grad(plain, 1)(h, one, b) for one in heads]))
    given = [one.clone().requires_grad_() for one in (h, w, b)]
    value = torch.compile(ours, fullgraph=True)(*given)
    for one, other in zip(torch.autograd.grad(value, given), of_plain, strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(NotImplementedError):
        torch.func.jvp(lambda h: ours(h, w, b), (h,), (h,))
    given = [h[:0].clone().requires_grad_(), w.clone().requires_grad_()]
    of_none = torch.autograd.grad(fused(given[0], given[1], t[:0]), given)
    assert of_none[0].shape == (0, HIDDEN)
    assert not of_none[1].any()
    # in 16 bits as near to the truth as float32 is, rounded once: the true class with them
    low = [one.to(torch.bfloat16).requires_grad_() for one in (10 * h, w)]
    exact = [one.detach().double().requires_grad_() for one in low]
    found = torch.autograd.grad(fused(*low, t), low)
    wanted = torch.autograd.grad(functional.cross_entropy(functional.linear(*exact), t), exact)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.bfloat16
        torch.testing.assert_close(one.double(), other, rtol=2**-8, atol=1e-6 * float(other.abs().max()))
    # a teacher's logits that are never made either, beside F.kl_div
    states, teacher = torch.randn(PLACES, 3).double(), torch.randn(CLASSES, 3).double()
    distil = fused_linear("loss f(t: logits, x: logits)\nsum(softmax(t)*(log_softmax(t) - log_softmax(x)))", chunk=4)
    given = [one.clone().requires_grad_() for one in (h, w)]
    value = distil(*given, Head(states, teacher))
    logits = functional.linear(*given).log_softmax(-1)
    expected = functional.kl_div(logits, (states @ teacher.T).log_softmax(-1), reduction="batchmean", log_target=True)
    torch.testing.assert_close(value, expected)
    pairs = zip(torch.autograd.grad(value, given), torch.autograd.grad(expected, given), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other)


def jax_modes(fused_linear):
    """Second derivatives, vmap over heads, an empty batch, no forward mode, 16 bits, a teacher's head."""
    import jax
    import jax.numpy as jnp

    from lossdsl.jax import Head

    text, parameters = LOSSES["cross-entropy"]
    hidden, kernel, bias, target, _ = draw(text, parameters)
    fused = fused_linear(text, chunk=3, **parameters)

    def plain(h, k, b):
        logits = jax.nn.log_softmax(h @ k + b)
        return -jnp.take_along_axis(logits, target[:, None], -1).mean()

    def ours(h, k, b):
        return fused(h, k, target, b)

    def second(function):
        def size(*given):
            return sum((one**2).sum() for one in jax.grad(function, (0, 1, 2))(*given))

        return jax.jit(jax.grad(size, (0, 1, 2)))(hidden, kernel, bias)

    for one, other in zip(second(ours), second(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    heads = jnp.stack([kernel, 2 * kernel, -kernel])
    mapped = jax.vmap(jax.grad(ours, 1), (None, 0, None))(hidden, heads, bias)
    np.testing.assert_allclose(mapped, [jax.grad(plain, 1)(hidden, one, bias) for one in heads], rtol=1e-9, atol=1e-12)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda h: ours(h, kernel, bias), (hidden,), (hidden,))
    of_none = jax.grad(fused, (0, 1))(jnp.zeros((0, HIDDEN)), jnp.asarray(kernel), jnp.zeros((0,), int))
    assert of_none[0].shape == (0, HIDDEN)
    assert not of_none[1].any()
    low = [jnp.asarray(one, jnp.bfloat16) for one in (10 * hidden, kernel)]
    exact = [one.astype(float) for one in low]
    found = jax.grad(fused, (0, 1))(*low, target)
    wanted = jax.grad(lambda h, k: plain(h, k, 0.0), (0, 1))(*exact)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == jnp.bfloat16
        np.testing.assert_allclose(one.astype(float), other, rtol=2**-8, atol=1e-6 * float(abs(other).max()))
    rng = np.random.default_rng(SEED)
    states, teacher = rng.normal(size=(PLACES, 3)), rng.normal(size=(3, CLASSES))
    distil = fused_linear("loss f(t: logits, x: logits)\nsum(softmax(t)*(log_softmax(t) - log_softmax(x)))", chunk=4)

    def whole(h, k):
        one, other = jax.nn.log_softmax(states @ teacher), jax.nn.log_softmax(h @ k)
        return (jnp.exp(one) * (one - other)).sum(-1).mean()

    found = jax.value_and_grad(lambda h, k: distil(h, k, Head(states, teacher)), (0, 1))(hidden, kernel)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(jax.value_and_grad(whole, (0, 1))(hidden, kernel)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


# --- the Keras layer ------------------------------------------------------------------------------------------------


def models(
    text, parameters, reduction="sum_over_batch_size", dtype=None, masked=True, tied=False, use_bias=True, **options
):
    """A model that ends with a fused layer, that layer, and the same model with `Dense` and a loss of its logits."""
    keras.utils.set_random_seed(SEED)
    width = {"embedding_dim": 8} if tied else {}
    head = lossdsl.FusedDense(CLASSES, text, use_bias, 5, reduction=reduction, dtype=dtype, **width, **parameters)
    if tied:
        source = keras.Input((4,), dtype="int32")
        states = head.embed(source)
    else:
        source = keras.Input((4, HIDDEN))
        states = keras.layers.Masking(0.0, dtype=dtype)(source) if masked else source
    states = keras.layers.Dense(8, "tanh", dtype=dtype)(states)
    fused = keras.Model(source, head(states))
    fused.compile(optimizer=keras.optimizers.SGD(0.5), loss=head.loss, **options)
    plain = None
    if not tied:
        again = keras.models.clone_model(keras.Model(source, states))
        plain = keras.Model(again.input, keras.layers.Dense(CLASSES, use_bias=use_bias, dtype=dtype)(again.output))
        loss = lossdsl.compile(text, reduction=reduction, **parameters)
        plain.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss, **options)
        plain.set_weights(fused.get_weights())
    return fused, head, plain


def data(seed=SEED):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(13, 4, HIDDEN)).astype("float32")
    inputs[3:7, 2:] = 0.0  # masked
    return inputs, rng.integers(0, CLASSES, (13, 4)), rng.random((13, 4)).astype("float32")


def same_training(fused, head, plain, inputs, target, weight, rtol=2e-5, with_logits=False):
    """The same losses in `fit` and `evaluate`, the same weights, the same logits."""
    histories = []
    for model in (fused, plain):
        found = model.fit(inputs, target, 5, 2, sample_weight=weight, verbose=0, shuffle=False)
        histories.append([*found.history["loss"], model.evaluate(inputs, target, 4, verbose=0)])
    np.testing.assert_allclose(*histories, rtol=rtol)
    for one, other in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=100 * rtol, atol=20 * rtol)
    if with_logits:
        found = head.with_logits(fused).predict(inputs, verbose=0)
        np.testing.assert_allclose(found, plain.predict(inputs, verbose=0), rtol=100 * rtol, atol=20 * rtol)


def layer():
    """Training beside `Dense`: losses, reductions, weights, masks, 16 bits, compiled, accumulated, tied, two heads."""
    inputs, target, weight = data()
    ce = LOSSES["cross-entropy"]
    compiled = {"jit_compile": True} if BACKEND == "tensorflow" else {}
    same_training(*models(*ce, **compiled), inputs, target, weight, with_logits=True)
    for reduction in ("sum", "mean_with_sample_weight"):
        same_training(*models(*ce, reduction=reduction, use_bias=False), inputs, target, weight[:, 0])
    for name in ("label smoothing, soft cap, z-loss, ignored labels", "weights of classes", "a mean over what counts"):
        own = None if name == "a mean over what counts" else weight
        same_training(
            *models(*LOSSES[name], masked=own is not None, run_eagerly=BACKEND == "tensorflow"), inputs, target, own
        )
    together = "loss f(t: label, x: logits)\n(sum[space](log_softmax(x)[t]) + 6)^2/20"  # of masked places, too
    same_training(*models(together, {}), inputs, target, weight[:, 0])
    soft = np.eye(CLASSES, dtype="float32")[target] * 0.8 + 0.2 / CLASSES
    same_training(*models(*LOSSES["soft labels"]), inputs, soft, weight)
    same_training(*models(*ce, dtype="mixed_bfloat16"), inputs, target, weight, rtol=5e-3)
    values(ce, inputs, target, weight)
    accumulated(inputs, target)
    tied(target)
    distilled(inputs)
    by_answer(inputs, target)
    wrong(inputs, target)


def values(ce, inputs, target, weight):
    """Called as it is, with no reduction: one value a place, with its weight."""
    fused, head, plain = models(*ce, reduction="none", masked=False)
    states = fused(inputs)
    found = head.loss(target, states, weight)
    assert tuple(found.shape) == (13, 4)
    wanted = plain.loss(target, plain(inputs), weight)
    found, wanted = map(keras.ops.convert_to_numpy, (found, wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def accumulated(inputs, target):
    """Gradients of several steps are added before the weights move."""
    fused, head, plain = models(*LOSSES["cross-entropy"])
    for model in (fused, plain):
        model.compile(optimizer=keras.optimizers.SGD(0.5, gradient_accumulation_steps=2), loss=model.loss)
    same_training(fused, head, plain, inputs, target, None)


def tied(target):
    """The kernel is the table of the embeddings, which learns from both its uses, as it does with whole logits."""
    fused, head, _ = models(*LOSSES["cross-entropy"], tied=True)
    assert sum(int(np.prod(one.shape)) for one in fused.trainable_variables) == 7 * 8 + 7 + 8 * 8 + 8
    hidden = keras.Model(fused.input, fused.output)
    weights = fused.get_weights()

    class Whole(keras.layers.Layer):
        def call(self, states):
            return head.logits(states)

    fused.fit(target, target, 13, 2, verbose=0, shuffle=False)
    after = [np.copy(one) for one in fused.get_weights()]
    fused.set_weights(weights)
    whole = Whole()
    whole.head = head
    plain = keras.Model(hidden.input, whole(hidden.output))
    loss = lossdsl.compile(LOSSES["cross-entropy"][0], from_logits=True)
    plain.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss)
    plain.fit(target, target, 13, 2, verbose=0, shuffle=False)
    for one, other in zip(after, fused.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    assert not np.allclose(after[0], weights[0])
    with pytest.raises(lossdsl.LossTypeError, match="embeds nothing"):
        lossdsl.FusedDense(CLASSES, "mse").embed(target)


def distilled(inputs):
    """The target is a teacher's hidden states, below a layer of its own that stays as it is."""
    text = "loss kd(t: logits, x: logits; T = 2.0)\nT^2*sum(softmax(t/T)*(log_softmax(t/T) - log_softmax(x/T)))"
    teacher = keras.layers.Dense(CLASSES)
    states = np.random.default_rng(1).normal(size=(13, 4, 3)).astype("float32")
    logits = keras.ops.convert_to_numpy(teacher(states))
    fused, _, plain = _with_teacher(text, teacher)
    before = [np.copy(one) for one in teacher.get_weights()]
    losses = []
    for model, target in ((fused, states), (plain, logits)):
        losses.append(model.fit(inputs, target, 5, 2, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-5)
    for one, other in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def by_answer(inputs, target):
    """The tokens of an answer meet behind the layer, and each has what the answer has once."""
    text = """
loss f(t: label, x: logits, m: scalar, a: sample scalar)
r = exp(log_softmax(x)[t] + 2)
mean[space if m > 0](-min(r*a, clip(r, 0.8, 1.2)*a))
"""
    fused, _, plain = models(text, {}, masked=False)
    rng = np.random.default_rng(SEED)
    given = [(target, (rng.random(target.shape) < 0.7).astype("float32"), rng.normal(size=13).astype("float32"))]
    histories = []
    for model in (fused, plain):
        found = model.fit(inputs, given, 5, 2, verbose=0, shuffle=False).history["loss"]
        histories.append([*found, model.evaluate(inputs, given, 4, verbose=0)])
    np.testing.assert_allclose(*histories, rtol=2e-5)
    for one, other in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=4e-4)


def _with_teacher(text, teacher):
    keras.utils.set_random_seed(SEED)
    source = keras.Input((4, HIDDEN))
    states = keras.layers.Dense(8, "tanh")
    head = lossdsl.FusedDense(CLASSES, text, target_head=teacher, T=3.0)
    fused = keras.Model(source, head(states(source)))
    fused.compile(optimizer="sgd", loss=head.loss)
    copy = keras.Sequential([keras.Input((4, HIDDEN)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(CLASSES)])
    copy.compile(optimizer="sgd", loss=lossdsl.compile(text, T=3.0))
    copy.set_weights([keras.ops.convert_to_numpy(one) for one in [*states.variables, head.kernel, head.bias]])
    return fused, head, copy


def wrong(inputs, target):
    """What cannot be done is told."""
    _, head, _ = models(*LOSSES["cross-entropy"])
    states = np.zeros((13, 4, 8), "float32")
    made = lossdsl.FusedDense(CLASSES, "loss f(t, x)\nsum[batch](t*x)")
    made.build((None, 8))
    calls = [
        (lambda: head.loss(target[:-1], states), "do not agree"),
        (lambda: head.loss(target, states[..., :-1]), "the kernel"),
        (lambda: lossdsl.FusedDense(CLASSES, *LOSSES["cross-entropy"][:1], from_logits=1.5), "from_logits"),
        (lambda: lossdsl.FusedDense(CLASSES, "mse", target_head=None, chunk=2.5), "`chunk` is a number of places"),
        (lambda: lossdsl.FusedDense(CLASSES, LOSSES["cross-entropy"][0], target_head=head), "has no target over"),
        (lambda: lossdsl.FusedDense(CLASSES, "mse").loss(states, states), "has no weights yet"),
        (lambda: lossdsl.FusedDense(CLASSES, "huber", delta=lossdsl.learned(1.0)), "declare it as an input"),
        (lambda: lossdsl.FusedDense(CLASSES, "huber", delta=keras.Variable(1.0)), "declare it as an input"),
        (lambda: made.loss(states[..., :CLASSES], states), "meet"),
        (lambda: head.with_logits(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])), "the model has not"),
    ]
    for call, message in calls:
        with pytest.raises(lossdsl.LossError, match=message):
            call()


def saving():
    """Saved and loaded: the loss reads the layer of the loaded model, which trains on; also into a plain `Dense`."""
    inputs, target, _ = data()
    with tempfile.TemporaryDirectory() as folder:
        for tied in (False, True):
            given = target if tied else inputs
            fused, head, plain = models(*LOSSES["weights of classes"], tied=tied)
            fused.fit(given, target, 13, verbose=0)
            path = str(Path(folder) / "model.keras")
            fused.save(path)
            again = keras.models.load_model(path)
            lone = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
            lone.compile(optimizer="sgd", loss=head.loss)
            lone.save(str(Path(folder) / "lone.keras"))  # which has a loss, and no layer of it
            with pytest.raises(lossdsl.LossConfigError, match="which the model did not read"):
                keras.models.load_model(str(Path(folder) / "lone.keras"))
            value = fused.evaluate(given, target, verbose=0)
            np.testing.assert_allclose(again.evaluate(given, target, verbose=0), value, rtol=1e-6)
            before = [np.copy(one) for one in again.get_weights()]
            for model in (fused, again):
                model.fit(given, target, 13, 2, verbose=0, shuffle=False)
            for one, other, old in zip(fused.get_weights(), again.get_weights(), before, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
                assert not np.allclose(other, old)
            with_logits = head.with_logits(fused)
            with_logits.save(path)
            found = keras.models.load_model(path).predict(given, verbose=0)
            np.testing.assert_allclose(found, with_logits.predict(given, verbose=0), rtol=1e-5)
            if plain is not None:
                plain.layers[-1].set_weights(head.get_weights())
                states = np.random.default_rng(2).normal(size=(2, 4, 8)).astype("float32")
                one, other = plain.layers[-1](states), head.logits(states)
                np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
        config = keras.saving.serialize_keras_object(fused.loss)
        config["config"]["head"] = "of no model"
        with pytest.raises(lossdsl.LossConfigError, match="which the model did not read"):
            keras.saving.deserialize_keras_object(config)


def modes():
    """TensorFlow's own: eagerly, in graphs of known and unknown length, under XLA; first and second derivatives."""
    import tensorflow as tf

    from lossdsl.fused.steps import steps
    from lossdsl.fused.tensorflow_chunks import TensorFlowChunks

    text, parameters = LOSSES["cross-entropy"]
    hidden, kernel, bias, target, _ = draw(text, parameters)
    weight = np.random.default_rng(SEED).random(PLACES)
    given = [tf.constant(one) for one in (hidden, kernel, bias, weight)]
    label = tf.constant(target, tf.int32)
    lengths = [
        tf.TensorSpec([None, *one.shape[1:]] if place != 1 else one.shape, one.dtype) for place, one in enumerate(given)
    ]
    found = steps(lossdsl.load(text, **parameters), {"x": CLASSES}, [True], "tensorflow")

    def plain(h, k, b, w):
        values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=h @ k + b)
        return tf.reduce_sum(w * values)

    def first(function):
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = function(*given)
        return value, tape.gradient(value, given)

    def second(function):
        with tf.GradientTape() as tape:
            tape.watch(given)
            _, slopes = first(function)
            size = tf.add_n([tf.reduce_sum(one**2) for one in slopes])
        return tape.gradient(size, given)

    wanted, wanted_second = first(plain), second(plain)
    for chunk in (3, 20):
        chunks = TensorFlowChunks(found, chunk, CLASSES)

        def total(h, k, b, w, chunks=chunks):
            return chunks.weighted_total([w], [label, h, k, b])

        def by_place(h, k, b, w, chunks=chunks):
            return tf.reduce_sum(w * chunks.place_values([label, h, k, b])[0])

        for function in (total, by_place):
            plainly = tf.autograph.experimental.do_not_convert(function)
            graph = tf.function(plainly)
            for way in (function, graph, tf.function(plainly, lengths), tf.function(plainly, jit_compile=True)):
                for one, other in zip(tf.nest.flatten(first(way)), tf.nest.flatten(wanted), strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
            for way in (function, graph):
                for one, other in zip(second(way), wanted_second, strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def lengths():
    """Parts that XLA compiles inside of a graph that does not know how many places there are, and inside of others."""
    import tensorflow as tf

    from lossdsl.fused import tensorflow_chunks
    from lossdsl.fused.steps import steps

    rng = np.random.default_rng(SEED)
    text, parameters = LOSSES["cross-entropy"]
    found = steps(lossdsl.load(text, **parameters), {"x": CLASSES}, [False], "tensorflow")
    chunks = tensorflow_chunks.TensorFlowChunks(found, 4, CLASSES)
    kernel = tf.constant(rng.normal(size=(HIDDEN, CLASSES)), tf.float32)

    def derived(h, label, w, total):
        with tf.GradientTape() as tape:
            tape.watch([h, kernel, w])
            value = total(h, label, w)
        return value, *tape.gradient(value, [h, kernel, w])

    def fused(h, label, w):
        return derived(h, label, w, lambda h, label, w: chunks.weighted_total([w], [label, h, kernel]))

    def plain(h, label, w):
        logits = h @ kernel
        return tf.reduce_sum(w * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits))

    unknown = [tf.TensorSpec([None, HIDDEN]), tf.TensorSpec([None], tf.int32), tf.TensorSpec([None])]
    before, tensorflow_chunks._LARGE = tensorflow_chunks._LARGE, 1
    ways = [fused, *(tf.function(fused, unknown, autograph=False, jit_compile=jit) for jit in (False, True))]
    for count in (0, 3, 4, 9, 17):
        given = (
            tf.constant(rng.normal(size=(count, HIDDEN)), tf.float32),
            tf.constant(rng.integers(0, CLASSES, count), tf.int32),
            tf.constant(rng.uniform(size=count), tf.float32),
        )
        wanted = derived(*given, plain)
        for way in ways:
            for one, other in zip(way(*given), wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, err_msg=f"{count} places")
    (made,) = chunks._made.values()
    assert made.experimental_get_tracing_count() <= 5, "compiled for each number of places"
    tensorflow_chunks._LARGE = before


PARTS = {"modes": lambda: (modes(), lengths()), "function": function, "layer": layer, "saving": saving}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
    print(f"{BACKEND}: {sys.argv[1]} done")

"""Losses for Keras on torch: inside of torch.compile, without a break in its graph, and where the gradient is made.

    KERAS_BACKEND=torch python tests/torch_trial.py

Run in a process of its own, for the backend is settled when Keras is imported.
"""

from functools import partial

import numpy as np
import pytest
import torch
from emit_trial import drawn
from keras.src.backend import set_keras_mask
from shipped import THOROUGH

import lossdsl
from lossdsl import losses
from lossdsl.runtime.kernels import Code
from lossdsl.runtime.torch_eager import carried
from lossdsl.torch import fused_linear

SEED = 20260311


def compared(function, inputs, what):
    """A function of tensors and its slope in the last of them, compiled and not, for batches of two lengths."""
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    for rows in (8, 5):
        found = []
        for run in (compiled, function):
            given = [each[:rows] for each in inputs]
            given[-1] = given[-1].clone().requires_grad_()
            value = run(*given)
            found.append((value.detach(), torch.autograd.grad(value.sum(), given[-1])[0]))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7, msg=lambda text: f"{what}: {text}")
            assert other.abs().sum() > 0, what


def calls():
    """Losses, how they are called, and the tensors; the prediction comes last."""
    x, t = torch.rand(2, 8, 5)
    label, weight, on = torch.randint(0, 5, (8,)), torch.rand(8), torch.rand(8) < 0.6
    scored = lossdsl.compile("loss f(t, x, m: binary scalar; w: vector = 2)\nm*sum(w*(t - x)^2)")
    yield "huber", lossdsl.compile("huber"), (t, x)
    yield "one value a sample", lossdsl.compile("huber", reduction=None), (t, x)
    yield "a sum", losses.CategoricalFocalCrossentropy(reduction="sum"), (t, x)
    yield "all axes", losses.Dice(), (t, x)
    yield "an axis", lossdsl.compile("log_cosh", axis=1), tuple(torch.rand(2, 8, 5, 3))
    pairs = "loss f(t: label, x)\nmean[j in batch](where(t == t[j], norm(x - x[j]), 0))"
    yield "pairs", lossdsl.compile(pairs), (label, x)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)
    yield "labels and weights", lambda t, w, x: sparse(t, x, w), (label, weight, x)
    yield "a further input", lambda t, m, x: scored((t, m), x), (t, weight, x)
    plain = lossdsl.compile("mse")

    def under_mask(t, on, x):
        x = x * 1.0
        set_keras_mask(x, on)
        return plain(t, x)

    yield "a mask", under_mask, (t, on, x)
    yield "a function", losses.binary_crossentropy, (t, x)
    yield "a function of labels", losses.sparse_categorical_crossentropy, (label, x)


def alike():
    """Losses that are called from the same code are told apart."""
    torch._dynamo.reset()
    x, kernel, label = torch.rand(8, 5), torch.rand(3, 5), torch.randint(0, 3, (8,))

    def called(loss, *inputs):
        return torch.compile(lambda *inputs: loss(*inputs), backend="aot_eager", fullgraph=True)(*inputs)

    for text in ("mse", "mae"):
        loss = lossdsl.compile(text)
        torch.testing.assert_close(called(loss, 1 - x, x), loss(1 - x, x))
    for text in ("logsumexp(x) - x[t]", "-x[t]"):
        loss = fused_linear(f"loss f(t: label, x: logits)\n{text}")
        torch.testing.assert_close(called(loss, x, kernel, label), loss(x, kernel, label))


def mistakes():
    """What does not agree is refused when it is traced; values that are learned break the graph and are right."""
    loss = lossdsl.compile("huber")
    with pytest.raises(Exception, match=r"shape \(4, 2\) and `x` has shape \(4, 3\)"):
        torch.compile(lambda t, x: loss(t, x), backend="aot_eager")(torch.rand(4, 2), torch.rand(4, 3))
    learned = lossdsl.compile("huber", delta=lossdsl.learned(0.5))
    learned.layer(torch.zeros(1))
    x, t = torch.rand(2, 8, 5)
    found = torch.compile(lambda t, x: learned(t, x) * 1, backend="aot_eager")(t, x)
    torch.testing.assert_close(found, learned(t, x))


SEPARATE = {  # formulas, and whether what comes after is a factor of their gradients, place by place
    "where(any[batch](t < 0.3), (t - x)^2, abs(t - x))": True,
    "mean[space](sum(abs(t - x)))": True,
    "cumsum[last](t - x)^2": True,
    "x - mean[batch](x)*t": False,
    "sum[j in batch](norm(x - x[j])*t[j])": False,
    "mean[all](x*t)": True,
    "mean[i in space]((x[i + 1] - x[i])^2 + t[i])": True,
    "cumsum[space](sum(x*t))": False,
}


def unpacked(code):
    return lambda given: code.carried(*given)


def slopes(run, given):
    """The value; its slope under random factors, with a derivative of its own and without; that derivative."""
    value = run(given)
    factor = torch.tensor(np.random.default_rng(SEED).uniform(0.5, 2, value.shape))
    (first,) = torch.autograd.grad(value, given[1], factor, create_graph=True)
    again = torch.autograd.grad(first.sum(), given[1])[0] if first.requires_grad else torch.zeros(())
    return value.detach(), first.detach(), torch.autograd.grad(run(given), given[1], factor)[0], again


def factors():
    """What comes after counts in the gradient, wherever that is made, as in the gradient made afterwards."""
    rng = np.random.default_rng(SEED)
    specs = {f"loss f(t, x)\n{body}": 3 for body in SEPARATE} | dict.fromkeys(THOROUGH, 2)
    for text, rank in specs.items():
        spec = lossdsl.load(text)
        if len(spec.program.loss.inputs) > 2:
            continue
        t, x = drawn(spec, rng, 4, 3) if rank == 2 else rng.uniform(size=(2, 4, 5, 3))
        code = Code.of(spec, "torch")
        given = [torch.tensor(t), torch.tensor(x, requires_grad=True)]
        given += code.settings(spec.arguments(3), lambda one: torch.as_tensor(one, dtype=torch.float64))
        before = [each.detach().clone() for each in given]
        for one, other in zip(*(slopes(run, given) for run in (partial(carried, code), unpacked(code))), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12, msg=partial("{}: {}".format, text))
        # what is worked on in place is the code's own
        assert all(torch.equal(*pair) for pair in zip(before, given, strict=True)), text
        body = text.partition("\n")[2]
        assert body not in SEPARATE or code.is_separable == SEPARATE[body], body
    with torch.no_grad():
        assert not carried(code, given).requires_grad


def labels():
    """Rows of logits of which one class is sure, and none is, and labels beyond the classes."""
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(6, 5)) + 25 * np.eye(6, 5)
    for logits in (x, rng.normal(size=(6, 5)), np.full((6, 5), -np.inf), x.astype("float32")):
        for t in ([0, 1, 2, 3, 4, 0], [4, 1, 7, -1, 2, -3]):
            spec = lossdsl.load("loss f(t: label, x: logits)\nlogsumexp(x) - x[t] + log_softmax(x)[t]^2")
            given = [torch.tensor(t), torch.tensor(logits, requires_grad=True)]
            code = Code.of(spec, "torch")
            both = (slopes(run, given) for run in (partial(carried, code), unpacked(code)))
            for one, other in zip(*both, strict=True):
                torch.testing.assert_close(one, other, equal_nan=True)


if __name__ == "__main__":
    torch.manual_seed(SEED)
    for what, function, inputs in calls():
        compared(function, inputs, what)
    alike()
    mistakes()
    factors()
    labels()
    print(f"torch done, seed {SEED}")

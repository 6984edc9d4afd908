"""Losses for Keras on torch: inside of torch.compile, without a break in its graph, and where the gradient is made.

    KERAS_BACKEND=torch python tests/torch_trial.py

Run in a process of its own, for the backend is settled when Keras is imported.
"""

import ast
import math
from functools import partial
from itertools import product
from unittest import mock

import numpy as np
import pytest
import torch
from emit_trial import drawn
from keras.src.backend import get_keras_mask, set_keras_mask
from shipped import THOROUGH

import lossdsl
from lossdsl import losses
from lossdsl.errors import LossError
from lossdsl.runtime import torch_eager
from lossdsl.runtime.execute import functions
from lossdsl.runtime.kernels import Code
from lossdsl.runtime.torch_eager import carried
from lossdsl.targets.torch_eager_code import HELPERS
from lossdsl.torch import Loss, fused_linear

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


def slopes(run, given, is_separable=False):
    """The value; its slope under random factors, with a derivative of its own and without; that derivative."""
    value = run(given)
    factor = torch.tensor(np.random.default_rng(SEED).uniform(0.5, 2, value.shape))
    twice = [torch.autograd.grad(value, given[1], factor, retain_graph=True)[0] for _ in range(2)]
    torch.testing.assert_close(*twice, equal_nan=True)
    if value.ndim and is_separable:  # for several upstream derivatives at once
        several = torch.stack([factor, -factor])
        many = torch.autograd.grad(run(given), given[1], several, is_grads_batched=True)[0]
        torch.testing.assert_close(many, torch.stack([twice[0], -twice[0]]))
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
        whole = slopes(unpacked(code), given)
        for block in (2**19, 8):  # bytes: all samples at once, and one after the other
            with mock.patch.object(torch_eager, "_BLOCK", block):
                for one, other in zip(slopes(partial(carried, code), given, code.is_separable), whole, strict=True):
                    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12, msg=partial("{}: {}".format, text))
        # what is worked on in place is the code's own
        assert all(torch.equal(*pair) for pair in zip(before, given, strict=True)), text
        body = text.partition("\n")[2]
        assert body not in SEPARATE or code.is_separable == SEPARATE[body], body
    with torch.no_grad():
        assert not carried(code, given).requires_grad


def without_branches():
    """What is written without a choice has the values of one, in each dtype, wherever a number lies."""
    texts = [HELPERS[name] for name in ("_choose", "_norm", "_log_cosh_and_slope")]
    made = functions(ast.parse("\n".join(["import math, torch", *texts])), "helpers")
    for dtype in (torch.float16, torch.float32, torch.float64):
        a, c = torch.randn(2, 160, 128, dtype=dtype)
        a[:8], c[4:12] = math.nan, math.inf
        on = torch.rand(a.shape) < 0.5
        for b in (c, c[:, :1], 0.0, -0.0, 1.0, math.nan, torch.tensor(2.0, dtype=dtype)):
            torch.testing.assert_close(made["_choose"](on, a, b), torch.where(on, a, b), rtol=0, atol=0, equal_nan=True)
        rows = torch.ones(160, 1, dtype=torch.bool)
        for kept in (rows, rows & (a[:, :1] < 1)):
            found = made["_choose"](kept, a.clone(), 0.0, True)
            torch.testing.assert_close(found, torch.where(kept, a, 0.0), rtol=0, atol=0, equal_nan=True)
        kind = torch.finfo(dtype)
        x = torch.tensor(np.random.default_rng(SEED).normal(size=(6, 9)), dtype=dtype)
        for scale in (1.0, kind.tiny, kind.max / 8):
            exact = torch.linalg.vector_norm((x / 4 * scale).to(torch.float64).mul_(1 / scale), dim=-1)
            found = made["_norm"](x / 4 * scale, -1).to(torch.float64) / scale
            torch.testing.assert_close(found, exact, rtol=12 * kind.eps, atol=0)
        a = torch.tensor(np.geomspace(1e-3, 60, 2000), dtype=dtype)
        exact = a.to(torch.float64).numpy()
        cosh = np.where(exact < 5, np.log1p(2 * np.sinh(exact / 2) ** 2), np.logaddexp(exact, -exact) - math.log(2))
        for sign in (1, -1):
            value, slope = made["_log_cosh_and_slope"](sign * a)
            torch.testing.assert_close(value.to(torch.float64), torch.tensor(cosh), rtol=4 * kind.eps, atol=kind.tiny)
            tanh = torch.tensor(sign * np.tanh(exact))
            torch.testing.assert_close(slope.to(torch.float64), tanh, rtol=4 * kind.eps, atol=0)
    value, slope = made["_log_cosh_and_slope"](torch.tensor([math.inf, -math.inf, math.nan, 0.0]))
    torch.testing.assert_close(value, torch.tensor([math.inf, math.inf, math.nan, 0.0]), equal_nan=True)
    torch.testing.assert_close(slope, torch.tensor([1.0, -1.0, math.nan, 0.0]), equal_nan=True)


def compiled_functions():
    """Where torch is compiled, `exp(a) - 1` and `tanh` have their digits, in values and both derivatives."""
    a = np.concatenate([sign * np.geomspace(1e-12, 30.0, 1500) for sign in (1, -1)] + [[0.0, 60.0, -60.0]])
    formulas = {"expm1(x)": (np.expm1, np.exp, np.exp), "tanh(x)": (
        np.tanh, lambda x: 1 / np.cosh(x) ** 2, lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2
    )}  # fmt: skip
    for (formula, exact), dtype in product(formulas.items(), (torch.float32, torch.float64)):
        torch._dynamo.reset()
        loss = Loss(f"loss f(x)\n{formula}", reduction="sum")
        compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
        x = torch.tensor(a, dtype=dtype, requires_grad=True)
        (slope,) = torch.autograd.grad(loss(x), x, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), x)
        single = Loss(f"loss f(x)\n{formula}", reduction="none")
        value = torch.compile(single, backend="aot_eager", fullgraph=True)(x.detach())
        (own,) = torch.autograd.grad(compiled(x), x)
        at = x.detach().double().numpy()
        for found, function in zip((value, own, second), exact, strict=True):
            wanted = torch.tensor(function(at))
            eps = torch.finfo(dtype).eps
            torch.testing.assert_close(found.double(), wanted, rtol=12 * eps, atol=1e-20 if found is value else 4 * eps)


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


def bits(function, t, x):
    """What a function gives for a target and a prediction, with its slope; or the text of its refusal."""
    x = x.clone().requires_grad_(x.is_floating_point())
    try:
        value = function(t, x)
    except (LossError, TypeError) as error:
        return [str(error)]
    mask = get_keras_mask(value)
    found = [value, mask] if x.requires_grad is False else [value, mask, *torch.autograd.grad(value.sum(), x)]
    return [None if each is None else each.detach().double().numpy().tobytes() for each in found]


def again():
    """A function called once more, with tensors that are as it wants them, gives what it gives by the long way."""
    shapes = [((6, 5), (6, 5)), ((6,), (6,)), ((6,), (6, 5)), ((6, 1), (6, 5)), ((6, 5), (5,)), ((6, 1), (6,)),
              ((2, 3, 5), (2, 3, 5)), ((2, 3), (2, 3, 5)), ((0, 5), (0, 5)), ((0,), (0, 5)), ((6, 1), (6, 1)),
              ((3, 4), (6, 5))]  # fmt: skip
    options = [{}, {"axis": None}, {"from_logits": True}, {"ignore_class": 2}, {"label_smoothing": 0.1}, {"alpha": 0.3},
               {"axis": 1}, {"axis": True}, {"q": 0.5}, {"delta": 2}, {"from_logits": 1}]  # fmt: skip
    functions = {name: one for name, one in vars(losses).items() if hasattr(one, "__signature__") and name != "ctc"}
    count = 0
    for function, given in product({id(one): one for one in functions.values()}.values(), options):
        if not given.keys() <= function.__signature__.parameters.keys():
            continue
        dtypes = [(one, torch.float32) for one in shapes] + [(shapes[0], torch.float64), (shapes[2], torch.bfloat16)]
        for (of_target, of_prediction), dtype in dtypes:
            x = torch.rand(of_prediction).mul(0.8).add(0.1).to(dtype)
            t = torch.randint(0, 5, of_target) if len(of_target) < 2 else torch.rand(of_target).to(dtype)
            run = partial(function, **given)
            found = [bits(run, t, x), bits(run, t, x)]
            with mock.patch("lossdsl.runtime.torch_calls.is_debugging", return_value=True):  # it looks at each call
                found.append(bits(run, t, x))
            assert found[0] == found[1] == found[2], (function, given, of_target, of_prediction, dtype)
            count += 1
    assert count > 800, count


if __name__ == "__main__":
    torch.manual_seed(SEED)
    again()
    for what, function, inputs in calls():
        compared(function, inputs, what)
    alike()
    mistakes()
    factors()
    without_branches()
    compiled_functions()
    labels()
    print(f"torch done, seed {SEED}")

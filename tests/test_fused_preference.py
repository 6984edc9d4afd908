"""Losses of tokens' log-probabilities through a fused last layer: a stage a place, in chunks, and one over the sums.

Each is held against torch's automatic differentiation of the same loss, written down plainly on whole logits in
float64, and its value against loops over answers and tokens in Python.
"""

import math

import numpy as np
import pytest

import lossdsl

SEED = 20260306
ANSWERS, TOKENS, HIDDEN, CLASSES = 5, 6, 4, 7

# The places of a sample are the tokens of both answers; `side` is 1 for those of the chosen one, -1 for those of the
# rejected one, and 0 for what is no token of an answer; `ref` are the log-probabilities of a reference model.
DPO = """
loss dpo_of_tokens(t: label, x: logits, side: scalar, ref: scalar; beta = 0.1)
softplus(-beta*sum[space](side*(log_softmax(x)[t] - ref)))
"""
SIMPO = """
loss simpo_of_tokens(t: label, x: logits, side: scalar; beta = 2.0, margin = 1.0)
p = log_softmax(x)[t]
softplus(margin - beta*(mean[space if side > 0](p) - mean[space if side < 0](p)))
"""
ORPO = """
loss orpo_of_tokens(t: label, x: logits, side: scalar; weight = 0.1)
p = log_softmax(x)[t]
c = mean[space if side > 0](p)
r = mean[space if side < 0](p)
-c + weight*softplus(-((c - r) - (log1p(-exp(c)) - log1p(-exp(r)))))
"""
# One answer a sample, good or bad; the drift from the reference is that of the batch, and taken for a constant.
KTO = """
loss kto_of_tokens(t: label, x: logits, side: scalar, ref: scalar, good: sample scalar; beta = 0.1)
u = sum[space](where(side != 0, log_softmax(x)[t] - ref, 0))
z = stop(max(0, mean[batch](u)))
where(good == 1, sigmoid(-beta*(u - z)), sigmoid(-beta*(z - u)))
"""
GRPO = """
loss grpo_of_tokens(t: label, x: logits, side: scalar, ref: scalar, old: scalar, a: sample scalar)
p = log_softmax(x)[t]
r = exp(p - old)
gain = min(r*a, clip(r, 0.8, 1.2)*a)
mean[space if side != 0](0.04*(exp(ref - p) - (ref - p) - 1) - gain)
"""


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(values):
    return sum(values) / len(values)


def dpo(p, side, ref, **_):
    return [softplus(-0.1 * sum(side[i] * (p[i] - ref[i]))) for i in range(len(p))]


def sides(p, side, i):
    return mean(p[i][side[i] > 0]), mean(p[i][side[i] < 0])


def simpo(p, side, **_):
    return [softplus(1.0 - 2.0 * (c - r)) for c, r in (sides(p, side, i) for i in range(len(p)))]


def orpo(p, side, **_):
    odds = lambda q: q - math.log1p(-math.exp(q))  # noqa: E731
    return [-c + 0.1 * softplus(odds(r) - odds(c)) for c, r in (sides(p, side, i) for i in range(len(p)))]


def kto(p, side, ref, good, **_):
    gains = [sum((p[i] - ref[i])[side[i] != 0]) for i in range(len(p))]
    drift = max(0.0, mean(gains))
    return [sigmoid(-0.1 * (u - drift) * (1 if one else -1)) for u, one in zip(gains, good, strict=True)]


def grpo(p, side, ref, old, a, **_):
    found = []
    for i in range(len(p)):
        costs = []
        for k in np.flatnonzero(side[i]):
            ratio, gap = math.exp(p[i][k] - old[i][k]), ref[i][k] - p[i][k]
            gain = min(ratio * a[i], min(max(ratio, 0.8), 1.2) * a[i])
            costs.append(0.04 * (math.exp(gap) - gap - 1) - gain)
        found.append(mean(costs))
    return found


CASES = {"dpo": (DPO, dpo), "simpo": (SIMPO, simpo), "orpo": (ORPO, orpo), "kto": (KTO, kto), "grpo": (GRPO, grpo)}


def drawn(name):
    """Hidden states, kernel and bias, and the other inputs of a loss by name."""
    rng = np.random.default_rng(SEED)
    side = np.zeros((ANSWERS, TOKENS))
    for row in side:
        chosen, rejected = rng.permutation(TOKENS)[:4].reshape(2, 2)
        row[chosen], row[rejected] = 1, 1 if name in ("kto", "grpo") else -1
    shape = (ANSWERS, TOKENS)
    others = {
        "t": rng.integers(0, CLASSES, shape),
        "side": side,
        "ref": rng.normal(-2, 0.5, shape),
        "old": rng.normal(-2, 0.5, shape),
        "good": (rng.random(ANSWERS) < 0.5).astype(float),
        "a": rng.normal(size=ANSWERS),
    }
    hidden, kernel = rng.normal(size=(*shape, HIDDEN)), rng.normal(size=(CLASSES, HIDDEN))
    names = [spec.name for spec in lossdsl.load(CASES[name][0]).program.loss.inputs]
    return hidden, kernel, rng.normal(size=CLASSES), {one: others[one] for one in names if one != "x"}


def truth(name, hidden, kernel, bias, given):
    """One value an answer, by loops over the log-probabilities of tokens."""
    logits = hidden @ kernel.T + bias
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    p = np.take_along_axis(log_p, given["t"][..., None], -1)[..., 0]
    return CASES[name][1](p, **given)


@pytest.mark.parametrize("chunk", [4, 100])
@pytest.mark.parametrize("name", CASES)
def test_on_torch(name, chunk):
    torch = pytest.importorskip("torch")
    from lossdsl.torch import Loss, fused_linear

    hidden, kernel, bias, given = drawn(name)
    head = [torch.tensor(one, requires_grad=True) for one in (hidden, kernel, bias)]
    others = {one: torch.tensor(value) for one, value in given.items()}
    fused = fused_linear(CASES[name][0], reduction="none", chunk=chunk)
    values = fused(head[0], head[1], others, head[2])
    np.testing.assert_allclose(values.detach(), truth(name, hidden, kernel, bias, given), rtol=1e-12)
    upstream = torch.tensor(np.random.default_rng(SEED).normal(size=ANSWERS))
    found = torch.autograd.grad((values * upstream).sum(), head)
    whole = Loss(CASES[name][0], reduction="none")
    logits = torch.nn.functional.linear(*head)
    target = others.pop("t")
    wanted = torch.autograd.grad((whole(logits, target, **others) * upstream).sum(), head)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    weight = torch.tensor(np.random.default_rng(1).random(ANSWERS))
    total = fused_linear(CASES[name][0], reduction="mean", chunk=chunk)
    mean_of = total(head[0], head[1], {"t": target, **others}, head[2], weight)
    torch.testing.assert_close(mean_of, (values * weight).sum() / weight.sum())


@pytest.mark.parametrize("name", CASES)
def test_on_jax(name):
    jax = pytest.importorskip("jax")
    from lossdsl.jax import fused_linear, loss

    with jax.enable_x64(True):
        hidden, kernel, bias, given = drawn(name)
        fused = fused_linear(CASES[name][0], reduction="sum", chunk=4)
        whole = loss(CASES[name][0], reduction="sum")
        target = given["t"]
        others = {one: value for one, value in given.items() if one != "t"}
        head = hidden, kernel.T.copy(), bias
        found = jax.jit(jax.value_and_grad(lambda h, k, b: fused(h, k, given, b), (0, 1, 2)))(*head)
        wanted = jax.value_and_grad(lambda h, k, b: whole(h @ k + b, target, **others), (0, 1, 2))(*head)
        np.testing.assert_allclose(found[0], sum(truth(name, hidden, kernel, bias, given)), rtol=1e-12)
        for one, other in zip(found[1], wanted[1], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)

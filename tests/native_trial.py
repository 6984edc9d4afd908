"""Losses for plain torch and JAX beside the numpy twin, and beside what both libraries state of their own losses.

    python tests/native_trial.py torch|jax

Run in a process of its own, in which Keras must not appear. Numbers of optax are those of its own tests, where they are
said to be computed by hand, by SciPy or by TensorFlow; torch's losses are called themselves.
"""

import copy
import math
import multiprocessing
import pickle
import sys
import tempfile

import numpy as np
import pytest
from emit_trial import drawn, same
from shipped import THOROUGH

import lossdsl
from lossdsl.errors import LossConfigError, LossNameError, LossParameterError, LossShapeError, LossTypeError

LIBRARY = sys.argv[1] if __name__ == "__main__" else "torch"
SEED = 20260203
REDUCED = {"mean": np.mean, "sum": np.sum, "none": np.asarray}
SHIFTED = "loss shifted(t, x; c = 1.0)\nrequire c > 0\nwhere(abs(t - x) < c, (t - x)^2, 2*c*abs(t - x) - c^2)"


def weighted(values, weight, reduction):
    """What the reductions mean, written down again; the weights have the rank of the values."""
    if reduction == "mean":
        return np.sum(values * weight) / np.sum(weight * np.ones_like(values))
    return np.sum(values * weight) if reduction == "sum" else values * weight


def catalogue(call, rng):
    """Value and gradient of built-ins; under weights; of one sample; and each reduction of one of them."""
    for name in THOROUGH:
        loss = lossdsl.load(name)
        if len(loss.program.loss.inputs) > 2:
            continue
        t, x = drawn(loss, rng, 4, 3)
        values, slope = loss.numpy.value_and_grad(t, x)
        weight = rng.uniform(0.5, 1.5, 4)
        value, found = call(name, "sum", t, x)
        same(value, np.sum(values), name)
        same(found, slope, f"gradient of {name}")
        if values.ndim:
            same(call(name, "mean", t, x, weight)[0], weighted(values, weight, "mean"), f"{name}, weighted")
        for reduction, function in REDUCED.items() if name == "huber" else ():
            same(call(name, reduction, t, x)[0], function(values), reduction)
            same(call(name, reduction, t, x, weight)[0], weighted(values, weight, reduction), f"weighted {reduction}")
        same(call(name, "none", t[0], x[0])[0].mean(), loss.numpy(t[0], x[0]), f"{name} of one sample")


MISTAKES = [
    # what is made, its parameters, arguments, the kind, a part of the message
    ("huber", {}, [(4, 3), (4, 2)], LossShapeError, r"shape \(4, 2\) and `x` has shape \(4, 3\)"),
    ("huber", {}, [(4, 3), (4, 3), (3,)], LossShapeError, r"shape \(3,\), the values of the loss \(4,\)"),
    ("huber", {}, [(4, 3), (4, 3), (4, 3)], LossShapeError, "one number a sample"),
    ("loss f(t, x)\nmean[batch](sum(abs(t - x)))", {}, [(4, 3), (4, 3), (4,)], LossShapeError, "for the whole batch"),
    ("sparse_categorical_crossentropy", {}, [(4, 3), (4, 3)], LossShapeError, "one-hot"),
    ("huber", {}, [(4, 3)], LossTypeError, "called without `t`"),
    ("huber", {"reduction": "average"}, [(4, 3), (4, 3)], LossConfigError, '"mean", "sum", "none"'),
    ("huber", {"delta": -1.0}, [(4, 3), (4, 3)], LossParameterError, "requires `delta > 0`"),
    ("loss f(t, x, weight: scalar, weights: scalar)\nweight*weights*sum(t - x)", {}, [(4, 3), (4, 3)], LossNameError,
     "cannot be told"),
]  # fmt: skip


def mistakes(made):
    """What is wrong with a call is told as everywhere, before the library sees it."""
    for source, options, shapes, kind, part in MISTAKES:
        with pytest.raises(kind, match=part):
            made(source, **options)(*(np.zeros(shape) for shape in shapes))
    with pytest.raises(LossTypeError, match="holds text"):
        made("huber")(np.zeros(3), ["a", "b", "c"])
    with pytest.raises(LossTypeError, match="complex"):
        made("huber")(np.zeros(3), np.zeros(3, complex))
    with pytest.raises(LossTypeError, match=r"weights?` holds text"):
        made("huber")(np.zeros(3), np.zeros(3), ["a", "b", "c"])
    with pytest.raises(LossTypeError, match="no further input `z`"):
        made("huber")(np.zeros(3), np.zeros(3), z=np.zeros(3))


def of_shapes(made, rng):
    """Axes that play `last`, further inputs, a loss of the prediction alone, a mapping for a source."""
    x, t = rng.normal(size=(4, 5, 2, 3)), rng.integers(0, 5, (4, 2, 3))
    wanted = lossdsl.load("sparse_categorical_crossentropy", axis=1, from_logits=True).numpy(t, x)
    found = made("sparse_categorical_crossentropy", reduction="none", axis=1, from_logits=True)(x, t)
    same(found, wanted, "classes along axis 1")
    a, b = rng.uniform(size=(2, 4, 2, 3))
    dice = made("dice", axis=None, reduction="sum")
    same(dice(a, b), lossdsl.load("dice", axis=None).numpy(b, a), "all axes")
    triplet = made("loss triplet(n, a, p)\nsum((a - p)^2) - sum((a - n)^2)", reduction="none")
    n, a, p = rng.normal(size=(3, 4, 2))
    same(triplet(a, n, p=p), np.sum((a - p) ** 2 - (a - n) ** 2, axis=1), "a further input")
    with pytest.raises(LossTypeError, match="`p=…`"):
        triplet(a, n)
    same(made("loss ridge(x)\nsum(x^2)")(a), np.mean(np.sum(a**2, axis=1)), "the prediction alone")
    same(
        made({"huber": {"delta": 0.5}}, reduction="none")(a, p), lossdsl.load("huber", delta=0.5).numpy(p, a), "mapping"
    )
    with pytest.raises(LossConfigError, match="`reduction` in the mapping"):
        made({"huber": {"delta": 0.5}, "reduction": "sum"})
    same(made("mse")(a, p, np.zeros(4)), 0.0, "weights that sum to 0")


# --- torch


def with_torch():
    import torch

    from lossdsl.torch import Loss

    def call(source, reduction, t, x, weight=None):
        x = torch.tensor(x, requires_grad=True)
        value = Loss(source, reduction)(x, torch.tensor(t), weight)
        value.sum().backward()
        return value.detach().numpy(), x.grad.numpy()

    def made(source, reduction="mean", **options):
        loss = Loss(source, reduction, **options)
        return lambda *given, **named: loss(*map(torch.tensor, given[:1]), *given[1:], **named).numpy()

    rng = np.random.default_rng(SEED)
    catalogue(call, rng)
    of_shapes(made, rng)
    mistakes(made)
    beside_torch(torch, Loss)
    as_a_module(torch, Loss)
    of_what_is_there(torch, Loss)
    under_transforms(torch, Loss)
    over_processes(torch)


def beside_torch(torch, Loss):
    """Values and gradients of torch's own losses, weighted ones too; and what torch's tests state of them."""
    F = torch.nn.functional
    torch.manual_seed(SEED)
    x, t = torch.randn(2, 6, 5, dtype=torch.float64)
    p, labels, w = torch.rand(6, 5, dtype=torch.float64), torch.randint(0, 5, (6,)), torch.rand(6, 1).double()
    per_class = torch.rand(5, dtype=torch.float64)
    log_p = torch.log_softmax(x, -1)
    # Further arguments of torch's losses, and the same loss as a text. "sum" is over elements in torch.
    pairs = [
        (F.mse_loss, (x, t), {}, "mse", {}, None),
        (F.mse_loss, (x, t), {"weight": w.expand(6, 5)}, "mse", {}, w[:, 0]),
        (F.l1_loss, (x, t), {}, "mae", {}, None),
        (F.l1_loss, (x, t), {"weight": w.expand(6, 5)}, "mae", {}, w[:, 0]),
        (F.huber_loss, (x, t), {"delta": 0.7}, "huber", {"delta": 0.7}, None),
        (F.smooth_l1_loss, (x, t), {"beta": 0.7}, "huber(t, x; delta = b)/b", {"b": 0.7}, None),
        (F.soft_margin_loss, (x, t.sign()), {}, "log(1 + exp(-t*x))", {}, None),
        (F.poisson_nll_loss, (x, p), {}, "exp(x) - t*x", {}, None),
        (F.poisson_nll_loss, (p, t), {"log_input": False, "eps": 0.0}, "x - t*log(x)", {}, None),
        (F.binary_cross_entropy_with_logits, (x, p), {}, "binary_crossentropy", {"from_logits": True}, None),
        (F.cross_entropy, (x, labels), {}, "sparse_categorical_crossentropy", {"from_logits": True}, None),
        (F.cross_entropy, (x, labels), {"weight": per_class}, "sparse_categorical_crossentropy", {"from_logits": True},
         per_class[labels]),
        (F.cross_entropy, (x, torch.softmax(t, -1)), {"label_smoothing": 0.1}, "categorical_crossentropy",
         {"from_logits": True, "label_smoothing": 0.1}, None),
        (F.multi_margin_loss, (x, labels), {},
         "loss m(t: label, x)\nsum[j if j != t](max(0, 1 - x[t] + x[j]))/len(x)", {}, None),
        (F.kl_div, (log_p, p), {}, "xlogy(t, t) - t*x", {}, None),
    ]  # fmt: skip
    for theirs, given, options, source, parameters, weight in pairs:
        found = []
        for loss in (lambda *a: theirs(*a, **options), lambda *a: Loss(source, **parameters)(*a, weight)):  # noqa: B023
            leaf = given[0].clone().requires_grad_()
            value = loss(leaf, given[1])
            found.append((value.detach().numpy(), torch.autograd.grad(value, leaf)[0].numpy()))
        same(found[1][0], found[0][0], f"{source} beside {theirs.__name__}")
        same(found[1][1], found[0][1], f"gradient of {source} beside {theirs.__name__}")
    volume, classes = torch.randn(3, 4, 2, 5), torch.randint(0, 4, (3, 2, 5))
    ours = Loss("sparse_categorical_crossentropy", axis=1, from_logits=True)(volume, classes)
    same(ours, F.cross_entropy(volume, classes), "classes along axis 1", 1e-6)
    # torch's own test of binary cross-entropy: the gradient of its sum at logits 0 and targets 0 is 0.5.
    zeros = torch.zeros(3, 1, requires_grad=True)
    Loss("binary_crossentropy", "sum", from_logits=True)(zeros, torch.zeros(3, 1)).backward()
    assert zeros.grad.tolist() == [[0.5]] * 3
    # and of its Gaussian likelihood: 0.5*(log(var) + (input - target)^2/var), element by element
    m, y = torch.tensor([[0.5, 1.5, 2.5], [2.0, 4.0, 6.0]]), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    var = torch.tensor([[0.5, 1.0, 1.5], [1.0, 1.5, 2.0]])
    ours = Loss("loss nll(t, x, v: positive)\n0.5*(log(v) + (t - x)^2/v)")(m, y, v=var)
    same(ours, (0.5 * (torch.log(var) + (m - y) ** 2 / var)).mean(), "Gaussian likelihood", 1e-6)
    with pytest.raises(LossParameterError):
        Loss("huber", delta=0.0)


def as_a_module(torch, Loss):
    """Learned parameters, buffers, state_dict, copies, devices, dtypes."""
    x, t = torch.tensor([[0.5, 3.0]]), torch.zeros(1, 2)
    c = torch.nn.Parameter(torch.tensor(1.0))
    loss = Loss(SHIFTED, c=c)
    loss(x, t).backward()
    assert float(c.grad) == 2.0  # by hand: half of 2*|e| - 2*c at e = 3, c = 1
    assert dict(loss.named_parameters()) == {"c": c}
    assert Loss(SHIFTED, c=torch.tensor(2.0)).state_dict() == {"c": torch.tensor(2.0)}
    assert Loss(SHIFTED, c=2.0).state_dict() == {}
    other = Loss(SHIFTED, c=torch.tensor(9.0))
    other.load_state_dict(loss.state_dict())
    for again in (other, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert float(again(x, t)) == float(loss(x, t)) == 2.625  # by hand: (0.25 + 2*3 - 1)/2
    assert float(loss.numpy(t.numpy(), x.numpy())[0]) == 2.625
    optimizer = torch.optim.SGD(loss.parameters(), 0.25)
    optimizer.step()
    assert float(loss(x, t)) == (0.25 + 2 * 0.5 * 3 - 0.25) / 2
    assert loss.to(torch.float64).c.dtype == torch.float64
    assert repr(loss) == "Loss(shifted, reduction='mean')"
    assert Loss("huber")(x.half(), t).dtype == torch.float16
    with pytest.raises(LossParameterError, match=r"not shape \(1,\)"):
        Loss(SHIFTED, c=torch.ones(1))
    with pytest.raises(LossParameterError, match="decides what is compiled"):
        Loss("binary_crossentropy", from_logits=torch.tensor(True))
    with pytest.raises(LossParameterError, match="violates"):
        Loss("huber", delta=torch.nn.Parameter(torch.tensor(-1.0)))
    with pytest.raises(LossShapeError, match="do not agree"):
        Loss("loss f(t, x; w: vector)\nsum(w*(t - x)^2)", w=torch.ones(3))(x, t)
    assert lossdsl.load("huber", delta=torch.tensor(0.5, dtype=torch.bfloat16)).parameters == {"delta": 0.5}
    with pytest.raises(LossParameterError, match="is a number") as caught:
        lossdsl.load("huber", delta=c)
    assert "nn.Parameter" in caught.value.hint
    vector = torch.nn.Parameter(torch.ones(2))
    Loss("loss f(t, x; w: vector)\nsum(w*(t - x)^2)", w=vector)(x, t).backward()
    assert vector.grad.tolist() == [0.25, 9.0]
    named = Loss("loss f(t, x; train = 2.0)\ntrain*(t - x)^2", train=torch.tensor(3.0))  # as a module's own method is
    assert list(named.state_dict()) == ["train_"]
    assert float(named(x, t)) == 3 * 9.25 / 2


def of_what_is_there(torch, Loss):
    """Losses that are an input as it stands, or a count of one: nothing of the library's is worked out."""
    x, t = torch.randn(2, 3), torch.zeros(2, 3)
    for source, wanted, slope in [
        ("loss critic(t: scalar, x: scalar)\nx", x, 1.0),
        ("loss f(t: scalar, x: scalar)\nt + 0*x", t, 0.0),
        ("loss f(t, x)\nlen(x) + 0*x", torch.tensor(3.0), 0.0),
    ]:
        for call in (Loss(source, "none"), torch.compile(Loss(source, "none"), backend="eager")):
            leaf = x.clone().requires_grad_()
            values = call(leaf, t)
            same(values.detach(), wanted, source)
            if values.requires_grad:
                values.sum().backward()
                same(leaf.grad, torch.full((2, 3), slope), f"gradient of {source}")
    torch.compiler.reset()  # which counts how often the code of one call was compiled


def under_transforms(torch, Loss):
    """torch.func, and torch.compile without a break in the graph, with shapes that change."""
    torch.manual_seed(SEED)
    x, t = torch.randn(2, 4, 3, dtype=torch.float64)
    c = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    loss = Loss(SHIFTED, c=c.detach())
    slope = torch.func.grad(loss)(x, t)
    same(slope, lossdsl.load(SHIFTED).numpy.grad(t.numpy(), x.numpy()) / 4, "grad")
    same(torch.func.vmap(torch.func.grad(loss))(x, t), slope * 4, "one row at a time")
    same(torch.func.jvp(lambda x: loss(x, t), (x,), (t,))[1], (slope * t).sum(), "jvp")
    hessian = torch.func.hessian(loss)(x, t).reshape(12, 12)
    same(hessian, np.diag(np.where(abs((t - x).numpy().ravel()) < 1, 2 / 12, 0.0)), "hessian")
    calls = torch.func.functional_call(loss, {"c": c}, (x, t))
    same(
        torch.autograd.grad(calls, c)[0], np.mean(np.maximum(2 * abs((t - x).numpy()) - 2, 0)), "a parameter handed in"
    )
    for source, given, options in [
        (SHIFTED, (x, t), {}),
        (SHIFTED, (x, t, torch.ones(4)), {"c": torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))}),
        ("sparse_categorical_crossentropy", (torch.randn(4, 5, 3), torch.randint(0, 5, (4, 3))),
         {"axis": 1, "from_logits": True}),
        ("dice", (x.sigmoid(), t.sigmoid()), {"axis": None}),
    ]:  # fmt: skip
        loss = Loss(source, **options)
        compiled = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=True)
        for rows in (4, 3, 2):
            cut = [each[:rows] for each in given]
            leaf, other = cut[0].clone().requires_grad_(), cut[0].clone().requires_grad_()
            value, expected = compiled(leaf, *cut[1:]), loss(other, *cut[1:])
            same(value.detach(), expected.detach(), f"{source}, compiled", 1e-6)
            slopes = torch.autograd.grad(value, leaf)[0], torch.autograd.grad(expected, other)[0]
            same(*slopes, f"gradient of {source}, compiled", 1e-6)


def trained_part(rank, rows, folder):
    """One of two processes: its half of a batch through a linear layer and a loss with a learned parameter."""
    import torch

    from lossdsl.torch import Loss

    class Trained(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 1, dtype=torch.float64)
            self.loss = Loss(SHIFTED, c=torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64)))

        def forward(self, x, t):
            return self.loss(self.layer(x), t)

    torch.manual_seed(SEED)
    model, x, t = Trained(), torch.randn(8, 3).double(), torch.randn(8, 1).double()
    if rank is not None:
        store = torch.distributed.FileStore(f"{folder}/store", 2)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
        model = torch.nn.parallel.DistributedDataParallel(model)
    model(x[rows], t[rows]).backward()
    found = [parameter.grad for parameter in model.parameters()]
    if rank is not None:
        torch.save(found, f"{folder}/{rank}")
        torch.distributed.barrier()
        del model  # gloo may wait forever for what is let go of after its group
        torch.distributed.destroy_process_group()
    return found


def over_processes(torch):
    """DistributedDataParallel over two processes: the gradients are those of one, of the learned parameter too."""
    whole = trained_part(None, slice(0, 8), "")
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process
        halves = [process(target=trained_part, args=(rank, rows, folder), daemon=True)
                  for rank, rows in enumerate((slice(0, 4), slice(4, 8)))]  # fmt: skip
        for each in halves:
            each.start()
        for each in halves:
            each.join(120)
            assert each.exitcode == 0
        for rank in (0, 1):
            for found, expected in zip(torch.load(f"{folder}/{rank}"), whole, strict=True):
                same(found, expected, f"gradients of process {rank}")


# --- JAX


def with_jax():
    import jax
    import jax.numpy as jnp

    from lossdsl.jax import loss

    def call(source, reduction, t, x, weight=None):
        function = loss(source, reduction)
        if reduction != "sum":
            return np.asarray(function(x, t, weight)), None
        return tuple(map(np.asarray, jax.jit(jax.value_and_grad(function))(x, t, weight)))

    def made(source, **options):
        return loss(source, **options)

    rng = np.random.default_rng(SEED)
    catalogue(call, rng)
    of_shapes(made, rng)
    mistakes(made)
    stated_by_optax(loss)
    traced(jax, jnp, loss)
    in_few_arrays(jax, jnp, loss)
    over_devices(jax, jnp, loss)


def stated_by_optax(loss):
    """Values in the tests of optax: of single elements where these are elementwise."""
    y = np.array([-2.0, 0.5, 0.0, 0.5, 2.0, 4.0, 132.0])
    t = np.array([0.0, -0.5, 0.0, 1.0, 1.0, 2.0, 0.3])
    same(loss("huber", "none")(y, t), [1.5, 0.5, 0.0, 0.125, 0.5, 1.5, 131.2], "huber")
    y, t = np.array([500.0, -2, -1, 0.5, 1]), np.array([-200.0, -1.5, 0, -1, 1])
    stated = [699.3068, 0.12011445, 0.4337809, 0.85544014, 0.0]
    np.testing.assert_allclose(loss("log_cosh", "none")(y, t), stated, rtol=1e-7, atol=2e-5)
    y, t = np.array([[10.0, 1, -2], [1, 4, 0.2]]), np.array([[0.0, 1.2, 0.2], [1, -0.3, 0]])
    distance = 1 + np.asarray(loss("cosine_similarity", "none")(y, t))
    np.testing.assert_allclose(distance, [0.9358251989, 1.0464068465], atol=1e-7)
    onehot, labels, stated = np.array([[0.0, 1, 0], [1, 0, 0]]), np.array([1, 0]), [9.00013, 3.0696733]
    dense = loss("categorical_crossentropy", "none", from_logits=True)
    np.testing.assert_allclose(dense(y, onehot), stated, atol=1e-5)
    np.testing.assert_allclose(dense(y[0], onehot[0]), stated[0], atol=1e-5)
    sparse = loss("sparse_categorical_crossentropy", "none", from_logits=True)
    np.testing.assert_allclose(sparse(y, labels), stated, atol=1e-5)
    binary = loss("binary_crossentropy", from_logits=True)
    for preds, labels, stated in [
        ([-1e9, -1e-9], [1.0, 0.0], 5e8),
        ([-1e9, -1e-9], [0.0, 1.0], 0.3465736),
        ([1e9, 1e-9], [1.0, 0.0], 0.3465736),
        ([0.0, 0.0], [0.0, 1.0], 0.6931472),
    ]:
        np.testing.assert_allclose(binary(np.array(preds), np.array(labels)), stated, rtol=1e-6)
    log_p = np.array([
        [-2.9957, -3.5066, -3.9120, -1.2040, -0.6931, -2.3026], [-1.6094, -1.6094, -1.6094, -2.3026, -1.8971, -1.8971]
    ])  # fmt: skip
    q = np.array([[0.2, 0.2, 0.2, 0.1, 0.15, 0.15], [0.05, 0.03, 0.02, 0.3, 0.5, 0.0]])
    stated = [0.8875577, 0.7592807]
    divergence = loss("loss kl(t: simplex, x: logprob)\nsum(xlogy(t, t) - t*x)", "none")
    np.testing.assert_allclose(divergence(log_p, q), stated, atol=1e-7)


def traced(jax, jnp, loss):
    """Parameters in a call: arrays, traced, differentiated, batched; flags that decide what is compiled."""
    rng = np.random.default_rng(SEED)
    x, t = rng.normal(size=(2, 4, 3))
    shifted = loss(SHIFTED)
    error = abs(t - x)

    def by_hand(c):
        return np.mean(np.where(error < c, error**2, 2 * c * error - c**2))

    same(jax.jit(shifted)(x, t, c=0.5), by_hand(0.5), "a traced parameter")
    same(jax.grad(lambda c: shifted(x, t, c=c))(0.5), np.mean(np.maximum(2 * error - 1, 0)), "its derivative")
    many = jax.vmap(lambda c: shifted(x, t, c=c))(jnp.array([0.5, 2.0]))
    same(many, [by_hand(0.5), by_hand(2.0)], "a batch of parameters")
    slope = lossdsl.load(SHIFTED).numpy.grad(t, x) / 4
    same(jax.vmap(jax.grad(shifted))(x, t), slope * 4, "one row at a time")
    same(jax.jvp(lambda x: shifted(x, t), (x,), (t,))[1], np.sum(slope * t), "jvp")
    diagonal = np.diag(np.where(error.ravel() < 1, 2 / 12, 0.0))
    same(jax.hessian(shifted)(x, t).reshape(12, 12), diagonal, "hessian")
    same(jax.jacfwd(shifted)(x, t), slope, "forward")
    lacking = loss("abs(t - x)^p")
    same(lacking(x, t, p=3.0), np.mean(error**3), "a parameter without a default")
    with pytest.raises(LossParameterError, match="the parameter `p` has no value"):
        lacking(x, t)
    entropy = loss("binary_crossentropy")
    p = 1 / (1 + np.exp(-x))
    same(entropy(x, p, from_logits=True), entropy(p, p), "a flag", 1e-6)
    with pytest.raises(LossParameterError, match="decides what is compiled"):
        jax.jit(entropy)(x, p, from_logits=True)
    with pytest.raises(LossParameterError, match=r"not shape \(2,\)"):
        shifted(x, t, c=np.ones(2))
    for wrong in (-1.0, np.float32(-1), jnp.array(-1.0)):
        with pytest.raises(LossParameterError, match="violates"):
            loss("huber")(x, t, delta=wrong)
    assert lossdsl.load("huber", delta=jnp.array(0.5)).parameters == {"delta": 0.5}
    weighted = loss("loss f(t, x; w: vector)\nsum(w*(t - x)^2)", "sum")
    same(jax.grad(lambda w: weighted(x, t, w=w))(jnp.ones(3)), np.sum(error**2, axis=0), "a vector")
    with pytest.raises(LossShapeError, match="do not agree"):
        weighted(x, t, w=jnp.ones(2))
    for again in (copy.deepcopy(lacking), pickle.loads(pickle.dumps(lacking))):
        same(again(x, t, p=1.0), np.mean(error), "copied")
    assert shifted(x.astype("float32"), t).dtype == jnp.float32


def in_few_arrays(jax, jnp, loss):
    """What value and slope have in common is worked out once, and before a sum there is one array of what is summed."""
    shape = (64, 8, 512)
    size = 4 * math.prod(shape)
    for name, options, most in [
        ("hinge", {}, 1.1),
        ("kl_divergence", {}, 1.1),
        ("mean_absolute_percentage_error", {}, 0.1),
        ("sparse_categorical_crossentropy", {"from_logits": True}, 0.1),
        ("binary_crossentropy", {"from_logits": True}, 1.1),
    ]:
        is_sparse = name.startswith("sparse")
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        t = jax.ShapeDtypeStruct(shape[:-1], jnp.int32) if is_sparse else x
        function = loss(name, **options)
        made = jax.jit(jax.value_and_grad(lambda x, t, function=function: function(x, t))).lower(x, t).compile()
        found = made.memory_analysis().temp_size_in_bytes / size
        assert found <= most, f"{name}: {found:.2f} arrays beside the gradient"


def over_devices(jax, jnp, loss):
    """shard_map over two devices: the mean of the parts' means, and a loss of the whole batch under sharded inputs."""
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    assert len(jax.devices()) == 2
    mesh = Mesh(np.array(jax.devices()), ("batch",))
    rng = np.random.default_rng(SEED)
    x, t = rng.normal(size=(2, 4, 3))
    function = loss("huber")
    rows = PartitionSpec("batch")

    def part(x, t):
        return jax.lax.pmean(function(x, t), "batch")

    sharded = jax.jit(jax.shard_map(part, mesh=mesh, in_specs=(rows, rows), out_specs=PartitionSpec()))
    same(sharded(x, t), function(x, t), "shard_map")
    same(jax.grad(sharded)(x, t), jax.grad(function)(x, t), "gradient under shard_map")
    whole = loss("loss spread(t, x)\nmean(abs(x - mean[batch](x)))", "sum")
    placed = jax.device_put(x, NamedSharding(mesh, rows))
    same(jax.jit(whole)(placed, t), whole(x, t), "samples that meet, sharded")
    same(jax.jit(jax.grad(whole))(placed, t), jax.grad(whole)(x, t), "and their gradient")


if __name__ == "__main__":
    {"torch": with_torch, "jax": with_jax}[LIBRARY]()
    assert "keras" not in sys.modules
    print(f"{LIBRARY}: native done")

"""The ways to the loss of a last layer that `fused.py` compares: functions of hidden states and kernel, by library.

Every way is made for the arrays of a problem, and called without arguments; it gives the value and the gradients in
hidden states and kernel. What a library can do beforehand, such as tracing and compiling, is done when a way is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SEED = 20260304
IGNORED = 3
SMOOTH = f"""
loss f(t: label, x: logits; s = 0.1, cap = 30.0, z = 1e-4)
y = cap*tanh(x/cap)
where(t == {IGNORED}, 0, logsumexp(y) - (1 - s)*y[t] - s*mean(y) + z*logsumexp(y)^2)
"""
LOSSES: dict[str, str] = {
    "cross-entropy": "loss f(t: label, x: logits)\nlogsumexp(x) - x[t]",
    "smoothing, cap, z-loss, ignored": SMOOTH,
    "focal": "loss f(t: label, x: logits; g = 2.0)\np = softmax(x)\n-(1 - p[t])^g*log(p[t])",
    "distillation": "loss f(t: logits, x: logits)\nsum(softmax(t)*(log_softmax(t) - log_softmax(x)))",
}
Way = Callable[[], tuple[Any, Any, Any]]


class Problem(NamedTuple):
    """Arrays in float32: hidden states, the kernel `(hidden, classes)`, and labels, or the same two of a teacher."""

    loss: str
    hidden: np.ndarray
    kernel: np.ndarray
    target: np.ndarray | tuple[np.ndarray, np.ndarray]
    chunk: int | None = None

    @property
    def has_teacher(self) -> bool:
        return isinstance(self.target, tuple)


def problem(loss: str, places: int, width: int, classes: int, chunk: int | None = None) -> Problem:
    """Random arrays of a size."""
    rng = np.random.default_rng(SEED)

    def head() -> tuple[np.ndarray, np.ndarray]:
        states = rng.standard_normal((places, width), "float32")
        return states, rng.standard_normal((width, classes), "float32") * np.float32(2 / np.sqrt(width))

    hidden, kernel = head()
    target = head() if loss == "distillation" else rng.integers(0, classes, places)
    return Problem(loss, hidden, kernel, target, chunk)


def on_torch(given: Problem) -> dict[str, Callable[[], Way]]:
    import torch
    from torch.nn import functional

    from lossdsl.torch import Head, Loss, fused_linear

    hidden = torch.tensor(given.hidden, requires_grad=True)
    weight = torch.tensor(np.ascontiguousarray(given.kernel.T), requires_grad=True)
    if given.has_teacher:
        states, teacher = torch.tensor(given.target[0]), torch.tensor(np.ascontiguousarray(given.target[1].T))
    else:
        target = torch.tensor(given.target)
    fused = fused_linear(LOSSES[given.loss], chunk=given.chunk)
    whole = Loss(LOSSES[given.loss])

    def of(function: Callable[[Any, Any], Any]) -> Callable[[], Way]:
        def call() -> Any:
            value = function(hidden, weight)
            return (value.detach(), *torch.autograd.grad(value, (hidden, weight)))

        return lambda: call

    def ours(h: Any, w: Any) -> Any:
        return fused(h, w, Head(states, teacher) if given.has_teacher else target)

    def unfused(h: Any, w: Any) -> Any:
        return whole(h @ w.T, states @ teacher.T if given.has_teacher else target)

    def native(h: Any, w: Any) -> Any:
        x = h @ w.T
        if given.loss == "cross-entropy":
            return functional.cross_entropy(x, target)
        if given.loss == "focal":
            log_p = x.log_softmax(-1).gather(-1, target[:, None])[:, 0]
            return (-((1 - log_p.exp()) ** 2) * log_p).mean()
        if given.has_teacher:
            y = (states @ teacher.T).log_softmax(-1)
            return functional.kl_div(x.log_softmax(-1), y, reduction="batchmean", log_target=True)
        y = 30.0 * torch.tanh(x / 30.0)
        size = y.logsumexp(-1)
        values = size - 0.9 * y.gather(-1, target[:, None])[:, 0] - 0.1 * y.mean(-1) + 1e-4 * size**2
        return torch.where(target == IGNORED, 0.0, values).mean()

    ways = {"ours, fused": of(ours), "ours, whole logits": of(unfused), "by hand, whole logits": of(native)}
    if given.loss == "cross-entropy":
        ways["by hand, in chunks"] = lambda: lambda: _torch_chunks(hidden, weight, target, given.chunk or 256)
        options = torch.nn.LinearCrossEntropyOptions()
        ways["F.linear_cross_entropy"] = of(lambda h, w: functional.linear_cross_entropy(h, w, target, options=options))
    return ways


def _torch_chunks(hidden: Any, weight: Any, target: Any, chunk: int) -> tuple[Any, Any, Any]:
    """Cross-entropy in chunks, in place, as one would write it for this loss alone."""
    import torch

    with torch.no_grad():
        count = len(hidden)
        of_hidden, of_weight, total = torch.empty_like(hidden), torch.zeros_like(weight), 0.0
        for start in range(0, count, chunk):
            rows = slice(start, start + chunk)
            logits = hidden[rows] @ weight.T
            size = logits.logsumexp(-1, keepdim=True)
            at = target[rows, None]
            total += (size - logits.gather(-1, at)).sum()
            logits.sub_(size).exp_().scatter_add_(-1, at, logits.new_full(at.shape, -1.0)).div_(count)
            torch.mm(logits, weight, out=of_hidden[rows])
            of_weight.addmm_(logits.T, hidden[rows])
        return total / count, of_hidden, of_weight


def on_jax(given: Problem) -> dict[str, Callable[[], Way]]:
    import jax
    import jax.numpy as jnp

    from lossdsl.jax import Head, fused_linear, loss

    hidden, kernel = jnp.asarray(given.hidden), jnp.asarray(given.kernel)
    target = jax.tree.map(jnp.asarray, given.target)
    fused = fused_linear(LOSSES[given.loss], chunk=given.chunk)
    whole = loss(LOSSES[given.loss])

    def compiled(function: Callable[..., Any]) -> Callable[[], Way]:
        def make() -> Way:
            run = jax.jit(function).lower(hidden, kernel, target).compile()
            return lambda: jax.block_until_ready(run(hidden, kernel, target))

        return make

    def of(function: Callable[[Any, Any, Any], Any]) -> Callable[[], Way]:
        def both(*arguments: Any) -> Any:
            value, slopes = jax.value_and_grad(function, (0, 1))(*arguments)
            return value, *slopes

        return compiled(both)

    def native(h: Any, k: Any, t: Any) -> Any:
        x = h @ k
        if given.has_teacher:
            y, log_p = jax.nn.log_softmax(t[0] @ t[1]), jax.nn.log_softmax(x)
            return (jnp.exp(y) * (y - log_p)).sum(-1).mean()
        if given.loss == "focal":
            log_p = jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], -1)[:, 0]
            return (-((1 - jnp.exp(log_p)) ** 2) * log_p).mean()
        is_plain = given.loss == "cross-entropy"
        y = x if is_plain else 30.0 * jnp.tanh(x / 30.0)
        size, right = jax.nn.logsumexp(y, -1), jnp.take_along_axis(y, t[:, None], -1)[:, 0]
        if is_plain:
            return (size - right).mean()
        values = size - 0.9 * right - 0.1 * y.mean(-1) + 1e-4 * size**2
        return jnp.where(t == IGNORED, 0.0, values).mean()

    ways = {
        "ours, fused": of(lambda h, k, t: fused(h, k, Head(*t) if given.has_teacher else t)),
        "ours, whole logits": of(lambda h, k, t: whole(h @ k, t[0] @ t[1] if given.has_teacher else t)),
        "by hand, whole logits": of(native),
    }
    if given.loss == "cross-entropy":
        ways["by hand, in chunks"] = compiled(_jax_chunks(given.chunk or 256))
    return ways


def _jax_chunks(chunk: int) -> Callable[..., Any]:
    """Cross-entropy in chunks that divide the places, as a scan."""
    import jax
    import jax.numpy as jnp

    def both(hidden: Any, kernel: Any, target: Any) -> Any:
        count, width = hidden.shape

        def step(total: Any, part: Any) -> Any:
            states, label = part
            logits = states @ kernel
            size = jax.nn.logsumexp(logits, -1)
            right = jnp.take_along_axis(logits, label[:, None], -1)[:, 0]
            slope = (jnp.exp(logits - size[:, None]) - jax.nn.one_hot(label, kernel.shape[1])) / count
            return total + states.T @ slope, ((size - right).sum(), slope @ kernel.T)

        parts = hidden.reshape(-1, min(chunk, count), width), target.reshape(-1, min(chunk, count))
        of_kernel, (values, of_hidden) = jax.lax.scan(step, jnp.zeros_like(kernel), parts)
        return values.sum() / count, of_hidden.reshape(count, width), of_kernel

    return both


def on_tensorflow(given: Problem) -> dict[str, Callable[[], Way]]:
    import keras
    import tensorflow as tf

    import lossdsl

    hidden, kernel = tf.constant(given.hidden), tf.Variable(given.kernel)
    teacher = None
    if given.has_teacher:
        teacher = keras.layers.Dense(given.kernel.shape[1], use_bias=False)
        teacher.build((None, given.hidden.shape[1]))
        teacher.kernel.assign(given.target[1])
        target = tf.constant(given.target[0])
    else:
        target = tf.constant(given.target, tf.int32)
    whole = lossdsl.compile(LOSSES[given.loss])

    def fused_graph() -> tuple[Callable[..., Any], Any]:
        head = lossdsl.FusedDense(given.kernel.shape[1], LOSSES[given.loss], False, given.chunk, target_head=teacher)
        head.build((None, given.hidden.shape[1]))
        head.kernel.assign(kernel)
        return (lambda h: head.loss(target, h)), head.kernel.value

    def graph(function: Callable[..., Any], weight: Any, **options: Any) -> Way:
        def both(h: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(h)
                value = function(h)
            return value, *tape.gradient(value, (h, weight))

        if not options.pop("is_graph", True):
            return lambda: [each.numpy() for each in both(hidden)]
        run = tf.function(both, autograph=False, **options).get_concrete_function(hidden)
        return lambda: [each.numpy() for each in run(hidden)]

    def unfused(h: Any) -> Any:
        return whole(target @ teacher.kernel.value if teacher else target, h @ kernel)

    def native(h: Any) -> Any:
        x = h @ kernel
        if teacher:
            y, log_p = tf.nn.log_softmax(target @ teacher.kernel.value), tf.nn.log_softmax(x)
            return tf.reduce_mean(tf.reduce_sum(tf.exp(y) * (y - log_p), -1))
        if given.loss == "focal":
            log_p = -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=x)
            return tf.reduce_mean(-((1 - tf.exp(log_p)) ** 2) * log_p)
        if given.loss == "cross-entropy":
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=x))
        y = 30.0 * tf.tanh(x / 30.0)
        size = tf.reduce_logsumexp(y, -1)
        values = size - 0.9 * tf.gather(y, target, batch_dims=1) - 0.1 * tf.reduce_mean(y, -1) + 1e-4 * size**2
        return tf.reduce_mean(tf.where(target == IGNORED, 0.0, values))

    def fused(**options: Any) -> Callable[[], Way]:
        def make() -> Way:
            return graph(*fused_graph(), **options)

        return make

    return {
        "ours, fused": fused(),
        "ours, fused, XLA": fused(jit_compile=True),
        "ours, fused, eager": fused(is_graph=False),
        "ours, whole logits": lambda: graph(unfused, kernel),
        "by hand, whole logits": lambda: graph(native, kernel),
    }


WAYS = {"torch": on_torch, "jax": on_jax, "tensorflow": on_tensorflow}

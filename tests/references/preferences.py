"""Preference and reinforcement learning.

Formulas are those of the papers' equations, as the trainers of the library TRL have them where it has the loss.
"""

import numpy as np

from .table import Rows, into, log_sigmoid, real, sigmoid

PREFERENCES: Rows = {}
of = into(PREFERENCES)


def pairs(rng):
    """Log-probabilities of four comparisons a sample: by the reference (tc, tr), and by the policy (c, r)."""
    return {name: -5 + 2 * rng.normal(size=(3, 4)) for name in ("tc", "tr", "c", "r")}


def policy(rng):
    return {name: -0.1 - rng.uniform(0, 5, size=(3, 4)) for name in ("c", "r")}


def lengths(rng):
    return pairs(rng) | {"lengths": rng.integers(-40, 40, size=(3, 4)).astype(float)}


def counted(rng):
    return pairs(rng) | {"n": rng.integers(1, 40, size=(3, 4)).astype(float)}


def tokens(rng):
    """Old and new log-probabilities of tokens, which of them count, and an advantage for each answer."""
    old = -rng.uniform(0, 3, size=(4, 5))
    new = np.minimum(old + 0.4 * rng.normal(size=(4, 5)), 0)
    mask = np.concatenate([np.ones((4, 1)), rng.integers(0, 2, size=(4, 4))], axis=1).astype(float)
    return {"t": old, "x": new, "m": mask, "a": rng.normal(size=4)}


# --- pairs of answers -------------------------------------------------------------------------------------------------


@of(pairs, mean=True, beta=0.7)
def apo_down(tc, tr, c, r, beta):
    return sigmoid(beta * (c - tc)) + 1 - sigmoid(beta * ((c - tc) - (r - tr)))


@of(pairs, beta=0.7)
def bco(tc, tr, c, r, beta):
    chosen, rejected = beta * (c - tc), beta * (r - tr)
    shift = (chosen.mean() + rejected.mean()) / 2
    return -(log_sigmoid(chosen - shift) + log_sigmoid(-(rejected - shift))).mean(1)


@of(policy, mean=True, eta=0.2)
def centered_reward(c, r, eta):
    return -log_sigmoid(c - r) + eta * (c + r) ** 2


@of(pairs, mean=True, beta=0.3, most=1.5)
def chi_po(tc, tr, c, r, beta, most):
    link = lambda ratio: ratio + np.log(ratio)  # noqa: E731
    lead = beta * link(np.exp(c) / np.exp(tc)) - beta * link(np.exp(r) / np.exp(tr))
    return -np.log(sigmoid(np.clip(lead, -most, most)))


@of(policy, mean=True, beta=0.3, weight=0.5)
def cpo(c, r, beta, weight):
    return -log_sigmoid(beta * (c - r)) - weight * c


@of(pairs, mean=True, beta=0.3, weight=5.0)
def dpo_positive(tc, tr, c, r, beta, weight):
    lost = np.maximum(0, np.log(np.exp(tc) / np.exp(c)))
    return -log_sigmoid(beta * (np.log(np.exp(c - tc) / np.exp(r - tr)) - weight * lost))


@of(pairs, mean=True, beta=0.4, smoothing=0.05)
def exo(tc, tr, c, r, beta, smoothing):
    # KL of (q, 1 - q) from (1 - smoothing, smoothing), equation 16
    q = sigmoid(beta * ((c - tc) - (r - tr)))
    return q * np.log(q / (1 - smoothing)) + (1 - q) * np.log((1 - q) / smoothing)


@of(pairs, mean=True, beta=0.2)
def ipo(tc, tr, c, r, beta):
    return (np.log(np.exp(c) * np.exp(tr) / (np.exp(r) * np.exp(tc))) - 1 / (2 * beta)) ** 2


@of(lengths, mean=True, beta=0.3, alpha=0.02)
def length_regularized_dpo(tc, tr, c, r, lengths, beta, alpha):
    # The reward that the policy is best for, less alpha a token, is beta*log(policy/reference) + alpha*length.
    chosen = beta * (c - tc) + alpha * lengths
    return -np.log(np.exp(chosen) / (np.exp(chosen) + np.exp(beta * (r - tr))))


@of(pairs, mean=True, beta=0.3)
def nca(tc, tr, c, r, beta):
    chosen, rejected = beta * (c - tc), beta * (r - tr)
    return -log_sigmoid(chosen) - 0.5 * (log_sigmoid(-chosen) + log_sigmoid(-rejected))


@of(lambda rng: pairs(rng) | {"offset": rng.uniform(0, 2, size=(3, 4))}, mean=True, beta=0.4)
def odpo(tc, tr, c, r, offset, beta):
    return -np.log(sigmoid(beta * (c - tc) - beta * (r - tr) - offset))


@of(policy, mean=True, weight=0.3)
def orpo(c, r, weight):
    odds = (np.exp(c) / (1 - np.exp(c))) / (np.exp(r) / (1 - np.exp(r)))
    return -c - weight * np.log(sigmoid(np.log(odds)))


@of(pairs, mean=True, beta=0.3, noise=0.2)
def robust_dpo(tc, tr, c, r, beta, noise):
    u = beta * ((c - tc) - (r - tr))
    return (-(1 - noise) * log_sigmoid(u) + noise * log_sigmoid(-u)) / (1 - 2 * noise)


@of(counted, mean=True, beta=0.3, alpha=0.7)
def rpo(tc, tr, c, r, n, beta, alpha):
    return -log_sigmoid(beta * ((c - tc) - (r - tr))) - alpha * c / n


@of(policy, mean=True)
def simper(c, r):
    return 1 / np.exp(-r) - 1 / np.exp(-c)  # perplexities are exp(-c) and exp(-r)


@of(policy, mean=True, beta=2.0, margin=0.6)
def simpo(c, r, beta, margin):
    return -log_sigmoid(beta * c - beta * r - margin)


@of(policy, mean=True, margin=0.8)
def slic(c, r, margin):
    return np.maximum(0, margin - c + r)


@of(pairs, mean=True, beta=0.25)
def sppo(tc, tr, c, r, beta):
    return (c - tc - (1 - 0.5) / beta) ** 2 + (r - tr - (0 - 0.5) / beta) ** 2


# --- policies and values ----------------------------------------------------------------------------------------------


@of(lambda rng: {"t": 3 * rng.normal(size=(3, 4)), "x": -rng.uniform(0, 4, size=(3, 4))}, mean=True, beta=0.8)
def advantage_weighted_regression(t, x, beta):
    return -np.minimum(np.exp(t / beta), 20) * x


@of(tokens, high=0.1)
def cispo(t, x, m, a, high):
    ratio = np.minimum(np.exp(x) / np.exp(t), 1 + high)
    return -(ratio * a[:, None] * x * m).sum() / m.sum()


@of(
    lambda rng: {"t": rng.normal(size=4), "x": rng.normal(size=(4, 3)), "a": rng.integers(0, 3, size=4)},
    alpha=0.6,
)
def conservative_q(t, x, a, alpha):
    taken = x[np.arange(4), a]
    return 0.5 * (taken - t) ** 2 + alpha * (np.log(np.exp(x).sum(1)) - taken)


def clipped(t, x, a, low, high):
    ratio = np.exp(x) / np.exp(t)
    return np.minimum(ratio * a, np.clip(ratio, 1 - low, 1 + high) * a)


@of(tokens, low=0.1, high=0.15)
def dapo(t, x, m, a, low, high):
    return -(clipped(t, x, a[:, None], low, high) * m).sum() / m.sum()


@of(tokens, eps=0.1, length=7.0)
def dr_grpo(t, x, m, a, eps, length):
    return -(clipped(t, x, a[:, None], eps, eps) * m).sum(1) / length


@of(real("t", "x", "a"), mean=True, eps=0.2, c=1.5)
def dual_clip_ppo(t, x, a, eps, c):
    gain = clipped(t, x, a, eps, eps)
    return -np.where(a < 0, np.maximum(gain, c * a), gain)


@of(tokens, low=0.05, high=0.02)
def gspo(t, x, m, a, low, high):
    product = np.prod(np.where(m == 1, np.exp(x) / np.exp(t), 1), axis=1)
    ratio = product ** (1 / m.sum(1))  # the geometric mean
    return -np.minimum(ratio * a, np.clip(ratio, 1 - low, 1 + high) * a)


@of(lambda rng: {"t": rng.normal(size=(3, 4)), "x": -rng.uniform(0, 4, size=(3, 4))}, mean=True)
def policy_gradient(t, x):
    return -t * x


@of(lambda rng: {"t": rng.normal(size=(3, 4)), "x": -rng.uniform(0, 4, size=(3, 4))}, mean=True)
def rloo(t, x):
    out = np.zeros_like(x)
    for i in range(t.shape[1]):
        others = np.delete(t, i, axis=1).mean(1)
        out[:, i] = -(t[:, i] - others) * x[:, i]
    return out


@of(real("t", "c", "r"), mean=True, eta=0.4)
def rebel(t, c, r, eta):
    return (np.log((np.exp(c) / np.exp(r)) ** (1 / eta)) - t) ** 2


@of(tokens, positive=0.8, negative=1.3)
def sapo(t, x, m, a, positive, negative):
    tau = np.where(a > 0, positive, negative)[:, None]
    gate = 4 / tau / (1 + np.exp(-tau * (np.exp(x) / np.exp(t) - 1)))
    return -(gate * a[:, None] * m).sum(1) / m.sum(1)

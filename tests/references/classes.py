"""Classes and labels, their calibration and distillation, regions of images, and times to an event."""

import numpy as np

from .table import TINY, Rows, into, labelled, log_sigmoid, real, sigmoid, softmax

CLASSES: Rows = {}
of = into(CLASSES)


def hot(t, x):
    return np.eye(x.shape[-1])[t]


def ruled(rng):
    return {"t": rng.integers(0, 2, size=(4, 6)).astype(float), "x": 2 * rng.normal(size=(4, 6))}


def shares(rng):
    return {"t": rng.integers(0, 4, size=6), "x": softmax(rng.normal(size=(6, 4)))}


@of(ruled, mean=True, positive=0.5, negative=3.0, margin=0.1)
def asymmetric(t, x, positive, negative, margin):
    p = sigmoid(x)
    shifted = np.maximum(p - margin, 0)
    holds = (1 - p) ** positive * np.log(p)
    return -t * holds - (1 - t) * shifted**negative * np.log(1 - shifted)


@of(ruled, mean=True, weight=1.2, margin=0.7, gamma=1.5)
def hill(t, x, weight, margin, gamma):
    p, q = sigmoid(x), sigmoid(x - margin)
    return -(t * (1 - q) ** gamma * np.log(q) + (1 - t) * -(weight - p) * p**2)


# --- calibration ------------------------------------------------------------------------------------------------------


@of(shares)
def brier_score(t, x):
    return ((x - hot(t, x)) ** 2).sum(1)


@of(labelled, beta=0.3)
def confidence_penalty(t, x, beta):
    p = softmax(x)
    entropy = -(p * np.log(p)).sum(1)
    return -np.log(p[np.arange(6), t]) - beta * entropy


@of(labelled, margin=1.0, weight=0.4)
def margin_label_smoothing(t, x, margin, weight):
    distance = x.max(1, keepdims=True) - x
    return -np.log(softmax(x)[np.arange(6), t]) + weight * np.where(distance > margin, distance - margin, 0).mean(1)


@of(labelled)
def mdca(t, x):
    return np.mean([abs(softmax(x)[:, c].mean() - (t == c).mean()) for c in range(4)])


# --- distillation -----------------------------------------------------------------------------------------------------


@of(real("t", "x"), temperature=3.0, eps=TINY)
def logit_standardization(t, x, temperature, eps):
    p, q = (softmax((z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True) / temperature) for z in (t, x))
    return temperature**2 * (p * np.log(p / q)).sum(1)


@of(real("t", "x"))
def reverse_kl(t, x):
    p, q = softmax(t), softmax(x)
    return (q * np.log(q / p)).sum(1)


@of(real("t", "x"), alpha=0.2)
def skew_kl(t, x, alpha):
    p, q = softmax(t), softmax(x)
    return (p * np.log(p / (alpha * p + (1 - alpha) * q))).sum(1)


# --- several classes --------------------------------------------------------------------------------------------------


@of(labelled)
def dynamic_fine_tuning(t, x):
    p = softmax(x)[np.arange(6), t]
    return -p * np.log(p)


@of(lambda rng: {"t": np.eye(4)[rng.integers(0, 4, size=6)], "x": rng.uniform(0, 5, size=(6, 4))})
def evidential_classification(t, x):
    # the expected squared error under the Dirichlet distribution, by its second moments
    a = x + 1
    total = a.sum(1, keepdims=True)
    mean = a / total
    second = a * (a + 1) / (total * (total + 1))
    return (t**2 - 2 * t * mean + second).sum(1)


@of(labelled, tau=0.6)
def logit_norm(t, x, tau):
    return -np.log((softmax(x / np.sqrt((x**2).sum(1, keepdims=True)) / tau) * hot(t, x)).sum(1))


@of(labelled, alpha=0.3)
def max_suppression(t, x, alpha):
    return -np.log((softmax(x) * hot(t, x)).sum(1)) + alpha * (np.sort(x, axis=1)[:, -1] - x.mean(1))


@of(labelled, eps=0.7)
def poly1_cross_entropy(t, x, eps):
    p = softmax(x)[np.arange(6), t]
    return -np.log(p) + eps * (1 - p)


@of(labelled)
def squentropy(t, x):
    others = (x**2 * (1 - hot(t, x))).sum(1) / (x.shape[1] - 1)
    return -np.log((softmax(x) * hot(t, x)).sum(1)) + others


# --- embeddings -------------------------------------------------------------------------------------------------------


@of(lambda rng: {"t": rng.integers(0, 4, size=7).astype(float), "x": rng.uniform(-1, 1, size=7)}, scale=5.0)
def cosent(t, x, scale):
    total = 1.0
    for i in range(len(t)):
        for j in range(len(t)):
            total += np.exp(scale * (x[j] - x[i])) if t[i] > t[j] else 0
    return np.log(total)


@of(real("t", "x"))
def spectral_contrastive(t, x):
    found = []
    for i in range(5):
        others = [(x[i] @ t[j]) ** 2 for j in range(5) if j != i]
        found.append(-2 * x[i] @ t[i] + np.mean(others))
    return np.array(found)


@of(real("t", "x", "n"), margin=0.5)
def triplet(t, x, n, margin):
    return np.maximum(np.linalg.norm(x - t, axis=1) ** 2 - np.linalg.norm(x - n, axis=1) ** 2 + margin, 0)


# --- regions of images ------------------------------------------------------------------------------------------------


@of(lambda rng: {"t": rng.normal(size=(2, 3, 3, 1)), "x": rng.uniform(size=(2, 3, 3, 1))})
def boundary(t, x):
    return np.array([(one * other).sum() / one.size for one, other in zip(t, x, strict=True)])


@of(lambda rng: {"t": rng.integers(0, 2, size=(2, 7)).astype(float), "x": rng.uniform(size=(2, 7))}, eps=TINY)
def jaccard(t, x, eps):
    return 1 - (t * x).sum() / (t + x - t * x).sum()


@of(lambda rng: {"t": rng.integers(0, 2, size=(2, 7)).astype(float), "x": rng.uniform(size=(2, 7))}, eps=TINY)
def tanimoto(t, x, eps):
    overlap = lambda a, b: (a * b).sum(1) / ((a - b) ** 2 + a * b).sum(1)  # noqa: E731
    return 1 - (overlap(t, x) + overlap(1 - t, 1 - x)) / 2


# --- times to an event ------------------------------------------------------------------------------------------------


@of(lambda rng: labelled(rng) | {"e": rng.integers(0, 2, size=6).astype(float)})
def logistic_hazard(t, x, e):
    found = []
    for last, logits, happened in zip(t, x, e, strict=True):
        survived = sum(-log_sigmoid(-logits[k]) for k in range(last))
        found.append(survived - (log_sigmoid(logits[last]) if happened else log_sigmoid(-logits[last])))
    return np.array(found)

"""Losses over named places, ensembles and pairs as their papers write them, beside references written for this test.

Each reference is plain numpy over arrays of any floating type; gradients are compared with central differences of the
reference in extended precision. `backend_trial.py` compares the compiled losses with these on numpy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import lossdsl


@dataclass(frozen=True)
class Paper:
    """A loss, arrays for it (the prediction second), and its values from those arrays."""

    source: str
    inputs: Callable[[np.random.Generator], tuple[np.ndarray, ...]]
    reference: Callable[..., np.ndarray]


def images(rng):
    return rng.normal(size=(2, 4, 5, 3)), rng.normal(size=(2, 4, 5, 3))


PAPERS: dict[str, Paper] = {}


def paper(source: str, inputs):
    def added(reference):
        PAPERS[reference.__name__] = Paper(source, inputs, reference)
        return reference

    return added


# --- images -----------------------------------------------------------------------------------------------------------


@paper(
    """
    loss tv(t, x; weight = 0.1)   # Rudin, Osher and Fatemi (1992): fidelity, and variation in both directions
    places row, col
    d[i in row, j in col] = (x[i + 1, j] - x[i, j])^2 + (x[i, j + 1] - x[i, j])^2
    sum[space](sum((t - x)^2)) + weight*sum[i in row, j in col](sum(sqrt(d[i, j])))
    """,
    images,
)
def isotropic_total_variation(t, x):
    down, across = np.diff(x, axis=1)[:, :, :-1], np.diff(x, axis=2)[:, :-1]
    return ((t - x) ** 2).sum((1, 2, 3)) + x.dtype.type("0.1") * np.sqrt(down**2 + across**2).sum((1, 2, 3))


@paper(
    """
    loss tv(t, x)   # the anisotropic form, as image libraries have it; t is left aside
    places row, col
    sum[i in row, col](sum(abs(x[i + 1] - x[i]))) + sum[row, j in col](sum(abs(x[j + 1] - x[j]))) + 0*mean[all](t)
    """,
    images,
)
def total_variation(_, x):
    return abs(np.diff(x, axis=1)).sum((1, 2, 3)) + abs(np.diff(x, axis=2)).sum((1, 2, 3))


@paper(
    """
    loss gdl(t, x; alpha = 2.0)   # Mathieu, Couprie and LeCun (2016), equation 6
    places row, col
    down = sum[i in row, col](sum(abs(abs(t[i] - t[i - 1]) - abs(x[i] - x[i - 1]))^alpha))
    across = sum[row, j in col](sum(abs(abs(t[j - 1] - t[j]) - abs(x[j - 1] - x[j]))^alpha))
    down + across
    """,
    images,
)
def gradient_difference(t, x):
    return sum(((abs(np.diff(t, axis=axis)) - abs(np.diff(x, axis=axis))) ** 2).sum((1, 2, 3)) for axis in (1, 2))


@paper(
    """
    loss sobel(t, x)   # edges by Sobel's filters, mean absolute difference
    places row, col
    e = x - t
    beside[i in row, j in col] = e[i, j + 1] - e[i, j - 1]
    below[i in row, j in col] = e[i + 1, j] - e[i - 1, j]
    across[i in row, j in col] = beside[i - 1, j] + 2*beside[i, j] + beside[i + 1, j]
    down[i in row, j in col] = below[i, j - 1] + 2*below[i, j] + below[i, j + 1]
    mean[i in row, j in col](abs(across[i, j]) + abs(down[i, j]))
    """,
    images,
)
def sobel_edges(t, x):
    e, total = x - t, 0
    for filter_ in (np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]), np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])):
        found = sum(
            filter_[i, j] * e[:, i : e.shape[1] - 2 + i, j : e.shape[2] - 2 + j] for i in range(3) for j in range(3)
        )
        total = total + abs(found).mean((1, 2, 3))
    return total


@paper(
    """
    loss dsnt(t: sample, x: scalar; sigma = 1.0)   # Nibali et al. (2018): coordinates of a heatmap, and its spread
    places row, col
    p = exp(x)/sum[space](exp(x))
    across = (2*self[col] + 1)/len[col](x) - 1
    down = (2*self[row] + 1)/len[row](x) - 1
    mu = sum[space](p*across)
    nu = sum[space](p*down)
    s = 2*sigma/len[col](x)
    r = 2*sigma/len[row](x)
    euclid = (mu - t[0])^2 + (nu - t[1])^2
    euclid + (sum[space](p*(across - mu)^2) - s^2)^2 + (sum[space](p*(down - nu)^2) - r^2)^2
    """,
    lambda rng: (rng.uniform(-0.5, 0.5, (3, 2)), rng.normal(size=(3, 4, 5))),
)
def dsnt_with_variance(t, x):
    rows, cols = x.shape[1:]
    p = np.exp(x) / np.exp(x).sum((1, 2), keepdims=True)
    across = (2 * np.arange(1, cols + 1) - (cols + 1)) / x.dtype.type(cols)
    down = ((2 * np.arange(1, rows + 1) - (rows + 1)) / x.dtype.type(rows))[:, None]
    mu, nu = (p * across).sum((1, 2)), (p * down).sum((1, 2))
    wide = (p * (across - mu[:, None, None]) ** 2).sum((1, 2)) - (2 / x.dtype.type(cols)) ** 2
    high = (p * (down - nu[:, None, None]) ** 2).sum((1, 2)) - (2 / x.dtype.type(rows)) ** 2
    return (mu - t[:, 0]) ** 2 + (nu - t[:, 1]) ** 2 + wide**2 + high**2


# --- sequences, sound, diffusion --------------------------------------------------------------------------------------


@paper(
    """
    loss guided_attention(t, x; g = 0.2)   # Tachibana, Uenoyama and Aihara (2018): rows are letters, the last axis time
    places letter
    w = 1 - exp(-(self[letter]/len[letter](x) - self[last]/len(x))^2/(2*g^2))
    mean[letter](w*x) + 0*mean[all](t)
    """,
    lambda rng: (np.zeros((2, 4, 6)), rng.uniform(0.1, 0.9, (2, 4, 6))),
)
def guided_attention(_, x):
    n, t = x.shape[1:]
    lines = (np.arange(n) / x.dtype.type(n))[:, None] - np.arange(t) / x.dtype.type(t)
    return (x * (1 - np.exp(-(lines**2) / (2 * x.dtype.type("0.2") ** 2)))).mean((1, 2))


@paper(
    """
    loss spectral(t, x)   # mean squared error of magnitudes of the Fourier transform
    (spectrum(x) - spectrum(t))^2
    """,
    lambda rng: (rng.normal(size=(3, 7)), rng.normal(size=(3, 7))),
)
def spectral_mse(t, x):
    angles = 2 * np.arccos(x.dtype.type(-1)) * np.outer(np.arange(7), np.arange(7)) / 7

    def size(a):
        return np.sqrt((a @ np.cos(angles)) ** 2 + (a @ np.sin(angles)) ** 2)

    return ((size(x) - size(t)) ** 2).mean(-1)


@paper(
    """
    loss min_snr(t, x, snr: sample positive scalar; gamma = 5.0)   # Hang et al. (2023), noise prediction
    places row, col
    min(snr, gamma)/snr*mean[space]((t - x)^2)
    """,
    lambda rng: (*images(rng), np.array([0.5, 20.0])),
)
def min_snr(t, x, snr):
    return np.minimum(snr, 5) / snr * ((t - x) ** 2).mean((1, 2, 3))


# --- ensembles --------------------------------------------------------------------------------------------------------


def ensemble(rng):
    return rng.normal(size=(2, 3)), rng.normal(size=(2, 4, 3))


@paper(
    """
    loss energy_score(t: sample, x)   # Gneiting and Raftery (2007), of an ensemble
    places member
    mean[i in member](norm(x[i] - t)) - 0.5*mean[i in member, j in member](norm(x[i] - x[j]))
    """,
    ensemble,
)
def energy_score(t, x):
    near = np.sqrt(((x - t[:, None]) ** 2).sum(-1)).mean(1)
    squares = ((x[:, :, None] - x[:, None]) ** 2).sum(-1)
    return near - np.sqrt(squares).mean((1, 2)) / 2


@paper(
    """
    loss variogram(t: sample, x; p = 0.5)   # Scheuerer and Hamill (2015), weights of 1
    places member
    sum[i, j if i != j]((abs(t[i] - t[j])^p - mean[member](abs(x[i] - x[j])^p))^2)
    """,
    ensemble,
)
def variogram_score(t, x):
    seen = abs(t[:, :, None] - t[:, None]) ** 0.5
    told = (abs(x[..., :, None] - x[..., None, :]) ** 0.5).mean(1)
    return ((seen - told) ** 2).sum((1, 2))


# --- classes and pairs ------------------------------------------------------------------------------------------------


@paper(
    """
    loss subcenter(t: sample label, x; m = 0.5, s = 16.0)   # Deng et al. (2020): x has cosines, several a class
    places center
    c = max[center](x)
    -log_softmax(s*where(onehot(t) == 1, cos(acos(c) + m), c))[t]
    """,
    lambda rng: (np.array([1, 0, 2]), rng.uniform(-0.6, 0.6, (3, 2, 4))),
)
def subcenter_arcface(t, x):
    c = x.max(1)
    own = np.arange(4) == t[:, None]
    z = 16 * np.where(own, np.cos(np.arccos(c) + x.dtype.type("0.5")), c)
    return np.log(np.exp(z).sum(-1)) - z[np.arange(3), t]


@paper(
    """
    loss prototypes(t: label, x; K: int = 3)   # Snell, Swersky and Zemel (2017), prototypes from the batch itself
    center[k in 0:K] = mean[j in batch if t[j] == k](x[j])
    logit[k in 0:K] = -sum((x - center[k])^2)
    logsumexp[k in 0:K](logit[k]) - sum[k in 0:K if k == t](logit[k])
    """,
    lambda rng: (np.array([0, 2, 1, 0, 2, 2]), rng.normal(size=(6, 4))),
)
def prototypes_by_class(t, x):
    center = np.stack([x[t == k].mean(0) for k in range(3)])
    logit = -((x[:, None] - center) ** 2).sum(-1)
    return np.log(np.exp(logit).sum(-1)) - logit[np.arange(6), t]


@paper(
    """
    loss deephit(event: sample label, x, time: sample label; alpha = 0.5, sigma = 0.3)   # Lee et al. (2018)
    places risk
    p = exp(x)/sum[risk](sum(exp(x)))
    reached = cumsum(p)
    own = event - 1
    mine = reached[own in risk, time]
    likelihood = where(event == 0, -log(1 - sum[risk](reached[time])), -log(p[own in risk, time]))
    order = sum[j in batch if time[j] > time](exp((reached[j, own in risk, time] - mine)/sigma))
    likelihood + alpha*where(event == 0, 0, order)
    """,
    lambda rng: (np.array([1, 0, 2, 1]), rng.normal(size=(4, 2, 5)), np.array([1, 3, 2, 3])),
)
def deephit_with_competing_risks(event, x, time):
    p = np.exp(x) / np.exp(x).sum((1, 2), keepdims=True)
    reached, found = np.cumsum(p, -1), []
    for i, (k, s) in enumerate(zip(event, time, strict=True)):
        if k == 0:
            found.append(-np.log(1 - reached[i, :, s].sum()))
            continue
        later = [j for j in range(len(time)) if time[j] > s]
        order = sum((np.exp((reached[j, k - 1, s] - reached[i, k - 1, s]) / x.dtype.type("0.3")) for j in later), 0)
        found.append(-np.log(p[i, k - 1, s]) + order / 2)
    return np.array(found)


# --- robust ---------------------------------------------------------------------------------------------------------


@paper(
    """
    loss ssi_trim(t, x; kept = 0.8)   # Ranftl et al. (2020): after median and scale, the largest cut off
    a = (t - median(t))/mean(abs(t - median(t)))
    b = (x - median(x))/mean(abs(x - median(x)))
    errors = sort(abs(a - b))
    sum(where(self[last] < floor(kept*len(x)), errors, 0))/(2*len(x))
    """,
    lambda rng: (rng.normal(size=(2, 11)), rng.normal(size=(2, 11))),
)
def trimmed_scale_and_shift_invariant(t, x):
    def settled(d):
        gap = d - np.median(d, -1, keepdims=True)
        return gap / abs(gap).mean(-1, keepdims=True)

    errors = np.sort(abs(settled(t) - settled(x)), -1)
    return errors[:, : int(0.8 * 11)].sum(-1) / 22


@paper(
    """
    loss least_trimmed_squares(t, x; h: int = 4)   # Rousseeuw (1984): the h smallest squares of the batch
    r = sort[batch](sum((t - x)^2))
    sum[batch](where(self[batch] < h, r, 0))/h
    """,
    lambda rng: (rng.normal(size=(6, 2)), rng.normal(size=(6, 2))),
)
def least_trimmed_squares(t, x):
    return np.sort(((t - x) ** 2).sum(-1))[:4].sum() / 4


@paper(
    """
    loss least_median_of_squares(t, x)   # Rousseeuw (1984)
    median[batch](sum((t - x)^2))
    """,
    lambda rng: (rng.normal(size=(6, 2)), rng.normal(size=(6, 2))),
)
def least_median_of_squares(t, x):
    return np.median(((t - x) ** 2).sum(-1))


STEP = np.longdouble("1e-6")


def central_differences(reference, inputs):
    """The derivative of the sum of all values in the second array, in extended precision."""
    exact = [each if each.dtype.kind == "i" else each.astype(np.longdouble) for each in inputs]
    found = np.zeros(inputs[1].shape)
    for place in np.ndindex(found.shape):
        both = []
        for sign in (1, -1):
            moved = exact[1].copy()
            moved[place] += sign * STEP
            both.append(np.sum(reference(exact[0], moved, *exact[2:])))
        found[place] = (both[0] - both[1]) / (2 * STEP)
    return found


@pytest.mark.parametrize("name", PAPERS)
def test_a_loss_is_that_of_its_paper(name):
    one = PAPERS[name]
    loss = lossdsl.load(one.source)
    inputs = one.inputs(np.random.default_rng(20))
    value, slope = loss.numpy.value_and_grad(*inputs)
    np.testing.assert_allclose(value, np.asarray(one.reference(*inputs), float), rtol=1e-12)
    np.testing.assert_allclose(slope, central_differences(one.reference, inputs), rtol=1e-8, atol=1e-9)

"""Regression, robust losses, forecasting and sound: what compares numbers."""

from itertools import pairwise

import numpy as np
from scipy import integrate, stats

from .table import Rows, into, real

ERRORS: Rows = {}
of = into(ERRORS)


def heat(rng):
    return {"t": rng.uniform(size=(4, 6)), "x": rng.uniform(-0.5, 1.5, size=(4, 6))}


@of(heat, mean=True, omega=10.0, theta=0.4, eps=0.8, alpha=2.2)
def adaptive_wing(t, x, omega, theta, eps, alpha):
    bent = lambda e: omega * np.log(1 + (e / eps) ** (alpha - t))  # noqa: E731
    e, step = np.abs(t - x), 1e-6
    slope = (bent(theta + step) - bent(theta - step)) / (2 * step)  # the line goes on where the curve ends
    return np.where(e < theta, bent(e), slope * (e - theta) + bent(theta))


@of(real("t", "x"), s=0.8)
def balanced_mse(t, x, s):
    near = stats.norm.pdf(x[:, None], t[None], s)  # of each prediction around the target of each sample
    own = stats.norm.pdf(x, t, s)
    return (-2 * s**2 * np.log(own / near.sum(1))).mean(1)


@of(real("t", "x"), mean=True, eps=0.5)
def epsilon_insensitive(t, x, eps):
    return np.where(np.abs(t - x) < eps, 0, np.abs(t - x) - eps)


@of(real("t", "x"), mean=True, c=1.3)
def fair(t, x, c):
    # its weight of an error is 1/(1 + |e|/c), so its slope e/(1 + |e|/c)
    slope = lambda e: e / (1 + e / c)  # noqa: E731
    return np.vectorize(lambda e: integrate.quad(slope, 0, e)[0])(np.abs(t - x))


@of(real("t", "x"), mean=True, beta=0.7)
def smooth_l1(t, x, beta):
    e = np.abs(t - x)
    return np.where(e < beta, e**2 / (2 * beta), e - beta / 2)


@of(lambda rng: {"t": 4 * rng.normal(size=(5, 4)), "x": 4 * rng.normal(size=(5, 4))}, mean=True, c=4.685)
def tukey_biweight(t, x, c):
    slope = lambda e: e * (1 - (e / c) ** 2) ** 2  # noqa: E731
    return np.vectorize(lambda e: integrate.quad(slope, 0, min(e, c))[0])(np.abs(t - x))


@of(lambda rng: {"t": rng.uniform(0, 3, size=(5, 4)), "x": rng.normal(size=(5, 4))}, mean=True, rho=1.3)
def tweedie_log_link(t, x, rho):
    # half the unit deviance at mean mu, less what depends on t alone
    mu = np.exp(x)
    return -t * mu ** (1 - rho) / (1 - rho) + mu ** (2 - rho) / (2 - rho)


# --- forecasts --------------------------------------------------------------------------------------------------------


def crps(cdf, t):
    """The integral of (F(y) - 1[y >= t])^2, by the definition."""
    below = integrate.quad(lambda y: cdf(y) ** 2, -np.inf, t)[0]
    return below + integrate.quad(lambda y: (1 - cdf(y)) ** 2, t, np.inf)[0]


def spread(rng):
    return {"t": rng.normal(size=(2, 3)), "m": rng.normal(size=(2, 3)), "s": 0.5 * rng.normal(size=(2, 3))}


@of(spread, mean=True)
def crps_laplace(t, m, s):
    return np.vectorize(lambda t, m, s: crps(stats.laplace(m, np.exp(s)).cdf, t))(t, m, s)


@of(spread, mean=True)
def crps_logistic(t, m, s):
    return np.vectorize(lambda t, m, s: crps(stats.logistic(m, np.exp(s)).cdf, t))(t, m, s)


@of(spread, mean=True)
def dawid_sebastiani(t, m, s):
    return np.log(np.exp(s) ** 2) + (t - m) ** 2 / np.exp(s) ** 2


def ensemble(rng):
    return {"t": rng.normal(size=5), "x": rng.normal(size=(5, 6))}


@of(ensemble)
def crps_ensemble(t, x):
    def one(t, members):  # the distribution of the members is a staircase
        ends = np.sort(np.append(members, t))
        return sum((np.mean(members <= low) - (t <= low)) ** 2 * (high - low) for low, high in pairwise(ends))

    return np.array([one(*each) for each in zip(t, x, strict=True)])


@of(ensemble)
def fair_crps_ensemble(t, x):
    n = x.shape[1]
    apart = np.abs(x[:, :, None] - x[:, None, :])[:, *np.triu_indices(n, 1)]
    return np.abs(x - t[:, None]).mean(1) - apart.mean(1) / 2


@of(lambda rng: {"t": rng.normal(size=(4, 3)), "x": rng.normal(size=(4, 5, 3))})
def energy_score(t, x):
    near = np.linalg.norm(x - t[:, None], axis=2).mean(1)
    return near - np.linalg.norm(x[:, :, None] - x[:, None], axis=3).mean((1, 2)) / 2


@of(real("t", "lower", "upper"), mean=True, alpha=0.3)
def interval_score(t, lower, upper, alpha):
    return (upper - lower) + 2 / alpha * (lower - t) * (t < lower) + 2 / alpha * (t - upper) * (t > upper)


def scaled(rng):
    return real("t", "x")(rng) | {"scale": rng.uniform(0.5, 3, size=5)}


@of(scaled, mean=True)
def mean_absolute_scaled_error(t, x, scale):
    return np.abs(t - x) / scale[:, None]


@of(scaled, mean=True)
def scaled_squared_error(t, x, scale):
    return (t - x) ** 2 / scale[:, None]


def positive(*names):
    return lambda rng: {name: rng.uniform(0.1, 4, size=(4, 5)) for name in names}


@of(positive("t", "x"), mean=True)
def qlike(t, x):
    return t / x - np.log(t) + np.log(x) - 1


@of(lambda rng: {"t": rng.integers(0, 3, size=(5, 4)).astype(float), "x": rng.normal(size=(5, 4))}, mean=True)
def arctangent_percentage_error(t, x):
    with np.errstate(divide="ignore"):
        return np.arctan(np.abs((t - x) / t))


@of(real("t", "x"), mean=True)
def symmetric_percentage_error(t, x):
    return 100 * np.abs(t - x) / ((np.abs(t) + np.abs(x)) / 2)


# --- sound ------------------------------------------------------------------------------------------------------------


@of(positive("t", "x"), mean=True, eps=0.01)
def log_magnitude(t, x, eps):
    return np.abs(np.log((t + eps) / (x + eps)))


@of(real("t", "x"))
def signal_to_noise(t, x):
    return -20 * np.log10(np.linalg.norm(t, axis=1) / np.linalg.norm(t - x, axis=1))


@of(positive("t", "x"))
def spectral_convergence(t, x):
    return np.sqrt(((t - x) ** 2).sum(1) / (t**2).sum(1))


@of(real("t", "x", shape=(3, 2, 8)))
def sa_sdr(t, x):
    energy = lambda signal: (signal**2).reshape(len(signal), -1).sum(1)  # noqa: E731
    return -10 * (np.log10(energy(t)) - np.log10(energy(t - x)))

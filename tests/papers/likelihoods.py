"""Likelihoods of numbers, counts and times, and errors of forecasts."""

import math

import numpy as np

from .table import Rows, into, sigmoid, softmax, two

LIKELIHOODS: Rows = {}
paper = into(LIKELIHOODS)

LOG_CDF = np.vectorize(lambda x: math.log(math.erfc(-x / math.sqrt(2)) / 2))
LGAMMA = np.vectorize(math.lgamma)


@paper(
    """
    loss mixture_density(t: scalar, (w: K, m: K, s); K: int = 3)   # Bishop (1994), equation 29, of one number
    -logsumexp[k in 0:K](log_softmax(w)[k] - s[k] - ((t - m[k])/exp(s[k]))^2/2 - log(2*pi)/2)
    """,
    lambda rng: (rng.normal(size=5), rng.normal(size=(5, 9))),
)
def mixture_density(t, x):
    w, m, s = x[:, :3], x[:, 3:6], np.exp(x[:, 6:])
    return -np.log((softmax(w) * np.exp(-(((t[:, None] - m) / s) ** 2) / 2) / s / np.sqrt(2 * np.pi)).sum(1))


@paper(
    """
    loss skew_normal(t, (m, s, a))   # Azzalini (1985), section 2
    z = (t - m)*exp(-s)
    s + z^2/2 + log(2*pi)/2 - log(2) - log(norm_cdf(a*z))
    """,
    lambda rng: (rng.normal(size=(5, 1)), rng.normal(size=(5, 3))),
)
def skew_normal(t, x):
    z = (t[:, 0] - x[:, 0]) * np.exp(-x[:, 1])
    return x[:, 1] + z**2 / 2 + np.log(np.pi / 2) / 2 - LOG_CDF(x[:, 2] * z)


@paper(
    """
    loss johnson_su(t, (g, d, m, s))   # Johnson (1949), of an unbounded variable
    z = (t - m)*exp(-s)
    s - d + log(2*pi)/2 + log(1 + z^2)/2 + (g + exp(d)*asinh(z))^2/2
    """,
    lambda rng: (rng.normal(size=(5, 1)), rng.normal(size=(5, 4))),
)
def johnson_su(t, x):
    g, d, m, s = x[:, 0], np.exp(x[:, 1]), x[:, 2], np.exp(x[:, 3])
    z = (t[:, 0] - m) / s
    density = d / s / np.sqrt(2 * np.pi * (z**2 + 1)) * np.exp(-((g + d * np.arcsinh(z)) ** 2) / 2)
    return -np.log(density)


@paper(
    """
    loss generalized_extreme(t, (m, s, k))   # Coles (2001), equation 3.2, inside of its support
    z = (t - m)*exp(-s)
    inside = 1 + k*z
    where(inside > 0, s + (1 + 1/k)*log(inside) + inside^(-1/k), inf)
    """,
    lambda rng: (rng.normal(size=(5, 1)), np.column_stack([rng.normal(size=(5, 2)), rng.uniform(0.1, 0.2, 5)])),
)
def generalized_extreme(t, x):
    m, s, k = x[:, 0], np.exp(x[:, 1]), x[:, 2]
    inside = 1 + k * (t[:, 0] - m) / s
    return np.array([
        np.inf if each <= 0 else -np.log(each ** (-1 - 1 / b) * np.exp(-(each ** (-1 / b))) / a)
        for each, a, b in zip(inside, s, k, strict=True)
    ])  # fmt: skip


@paper(
    """
    loss hurdle(t: count, (z, r))   # Mullahy (1986): a Poisson count above the hurdle, without its zero
    rate = exp(r)
    cases(t == 0: softplus(z), else: softplus(-z) + rate - t*r + lgamma(t + 1) + log(1 - exp(-rate)))
    """,
    lambda rng: (np.array([[0.0], [1.0], [4.0], [0.0]]), rng.normal(size=(4, 2))),
)
def hurdle(t, x):
    above, rate = sigmoid(x[:, 0]), np.exp(x[:, 1])
    count = t[:, 0]
    poisson = rate**count * np.exp(-rate) / np.exp(LGAMMA(count + 1))
    return -np.log(np.where(count == 0, 1 - above, above * poisson / (1 - np.exp(-rate))))


@paper(
    """
    loss cure(t: positive, (p, r), event: binary)   # Farewell (1982): some are cured, the others' times are exponential
    hazard = exp(r)
    alive = 1 - sigmoid(p) + sigmoid(p)*exp(-hazard*t)
    -event*(log(sigmoid(p)) + r - hazard*t) - (1 - event)*log(alive)
    """,
    lambda rng: (rng.uniform(0.5, 2, (5, 1)), rng.normal(size=(5, 2)), np.array([[1.0], [0], [1], [0], [1]])),
)
def mixture_cure(t, x, event):
    p, hazard, time = sigmoid(x[:, 0]), np.exp(x[:, 1]), t[:, 0]
    density, alive = p * hazard * np.exp(-hazard * time), 1 - p + p * np.exp(-hazard * time)
    return -np.log(np.where(event[:, 0] == 1, density, alive))


@paper(
    """
    loss log_logistic(t: positive, (m, s), event: binary)   # Bennett (1983), an accelerated failure time
    z = (log(t) - m)*exp(-s)
    -event*(z - s - log(t) - 2*softplus(z)) + (1 - event)*softplus(z)
    """,
    lambda rng: (rng.uniform(0.5, 2, (5, 1)), rng.normal(size=(5, 2)), np.array([[1.0], [0], [1], [0], [1]])),
)
def log_logistic(t, x, event):
    m, shape, time = np.exp(x[:, 0]), np.exp(-x[:, 1]), t[:, 0]
    odds = (time / m) ** shape
    return -np.log(np.where(event[:, 0] == 1, shape / time * odds / (1 + odds) ** 2, 1 / (1 + odds)))


@paper(
    """
    loss density_power(t, x; b = 0.4, s = 0.8)   # Basu et al. (1998), equation 2.3, of a normal mean
    (2*pi*s^2)^(-b/2)*(1/sqrt(1 + b) - (1 + 1/b)*exp(-b*((t - x)/s)^2/2))
    """,
    two,
)
def density_power(t, x):
    def density(e):
        return np.exp(-(e**2) / 2 / 0.64) / np.sqrt(2 * np.pi * 0.64)

    e = np.linspace(-12, 12, 4001)
    return (np.trapezoid(density(e) ** 1.4, e) - (1 + 1 / 0.4) * density(t - x) ** 0.4).mean(1)


@paper(
    """
    loss linex(t, x; a = 0.7)   # Varian (1975), as Zellner (1986) writes it
    e = x - t
    exp(a*e) - a*e - 1
    """,
    two,
)
def linex(t, x):
    return (np.exp(0.7 * (x - t)) - 0.7 * (x - t) - 1).mean(1)


@paper(
    """
    loss scaled_errors(t, x, past; h = 1.0)   # Makridakis et al. (2022), equation 1: RMSSE, by the steps of the past
    sqrt(mean((t - x)^2)/mean[k in 1:len(past)]((past[k] - past[k - 1])^2))/h
    """,
    lambda rng: (*two(rng), rng.normal(size=(5, 8))),
)
def scaled_errors(t, x, past):
    return np.sqrt(((t - x) ** 2).mean(1) / (np.diff(past) ** 2).mean(1))

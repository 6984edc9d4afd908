"""Diffusion, flows, and what generates."""

import numpy as np

from .table import Rows, into, log_sigmoid, real

MODELS: Rows = {}
of = into(MODELS)


def noisy(*further):
    """Two arrays, and positive numbers for each sample under further names."""
    return lambda rng: real("t", "x")(rng) | {name: rng.uniform(0.2, 8, size=5) for name in further}


@of(noisy("weight"), c=0.2)
def consistency_pseudo_huber(t, x, weight, c):
    return weight * (np.sqrt(np.linalg.norm(x - t, axis=1) ** 2 + c**2) - c)


@of(real("t", "x", "noise", "other_t", "other_noise"), mean=True, weight=0.2)
def contrastive_flow_matching(t, x, noise, other_t, other_noise, weight):
    return np.abs(x - (t - noise)) ** 2 - weight * np.abs(x - (other_t - other_noise)) ** 2


@of(noisy("snr"), mean=True)
def debiased(t, x, snr):
    return (t - x) ** 2 * np.reshape(snr, (-1, 1)) ** -0.5


@of(noisy("sigma"), mean=True)
def denoising_score_matching(t, x, sigma):
    # the noisy sample is clean + sigma*t, so the score of its density about the clean one is -t/sigma
    sigma = sigma[:, None]
    return sigma**2 * (x - (-t / sigma)) ** 2 / 2


@of(noisy("sigma"), mean=True, spread=0.7)
def edm(t, x, sigma, spread):
    # as a network of unit variance sees it: 1/c_out^2, with c_out of the paper's table 1
    c_out = sigma * spread / np.sqrt(sigma**2 + spread**2)
    return ((x - t) / c_out[:, None]) ** 2


@of(real("t", "x", "noise"), mean=True)
def flow_matching(t, x, noise):
    return (x - (t - noise)) ** 2


@of(real("t", "x"), p=0.75, c=0.01)
def mean_flow(t, x, p, c):
    squared = np.linalg.norm(x - t, axis=1) ** 2
    return squared / (squared + c) ** p


@of(noisy("snr"), mean=True, gamma=4.0)
def min_snr(t, x, snr, gamma):
    return (np.minimum(snr, gamma) / snr)[:, None] * (x - t) ** 2


@of(real("t", "x"), mean=True)
def noise_prediction(t, x):
    return (t - x) ** 2


@of(noisy("snr"), mean=True, k=1.5, gamma=0.5)
def p2_weighting(t, x, snr, k, gamma):
    return (x - t) ** 2 / ((k + snr) ** gamma)[:, None]


@of(lambda rng: real("t", "x", "noise")(rng) | {"angle": rng.uniform(0, np.pi / 2, size=5)}, mean=True)
def v_prediction(t, x, noise, angle):
    # the velocity is the derivative of the mixture cos(angle)*t + sin(angle)*noise by the angle
    step = 1e-6
    ahead, behind = (np.cos(a)[:, None] * t + np.sin(a)[:, None] * noise for a in (angle + step, angle - step))
    return ((ahead - behind) / (2 * step) - x) ** 2


@of(real("t", "x"))
def energy_distance(t, x):
    def apart(a, b):
        return np.mean([np.linalg.norm(one - other) for one in a for other in b])

    return 2 * apart(t, x) - apart(x, x) - apart(t, t)


@of(real("t", "x"), mean=True)
def gan(t, x):
    return -log_sigmoid(t) - log_sigmoid(-x)


@of(real("m", "s"), mean=True)
def gaussian_kl(m, s):
    # of N(m, exp(s)) from N(0, 1): log(1/sigma) + (sigma^2 + m^2)/2 - 1/2
    sigma = np.sqrt(np.exp(s))
    return np.log(1 / sigma) + (sigma**2 + m**2) / 2 - 0.5


@of(real("t", "x"), mean=True)
def least_squares_gan(t, x):
    return ((t - 1) ** 2 + x**2) / 2

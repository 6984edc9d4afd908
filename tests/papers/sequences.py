"""Losses of sequences, retrieval by frames, trees of classes and transport, with indices in several places."""

import numpy as np

from .table import Rows, into, log_softmax, softmax, softplus, two, unit, windows

SEQUENCES: Rows = {}
paper = into(SEQUENCES)


def logsumexp(x, axis):
    return np.log(np.exp(x).sum(axis))


@paper(
    """
    loss stft(t, x)   # Arik, Jun and Diamos (2019): magnitudes of windows under Hann's, by their sines and cosines
    h(n) = 0.5 - 0.5*cos(pi*n/2)
    xr[a, f in 0:3] = sum[n in 0:4](h(n)*x[a + n]*cos(pi*f*n/2))
    xi[a, f in 0:3] = sum[n in 0:4](h(n)*x[a + n]*sin(pi*f*n/2))
    tr[a, f in 0:3] = sum[n in 0:4](h(n)*t[a + n]*cos(pi*f*n/2))
    ti[a, f in 0:3] = sum[n in 0:4](h(n)*t[a + n]*sin(pi*f*n/2))
    mean[a, f in 0:3](abs(sqrt(xr[a, f]^2 + xi[a, f]^2 + 0.01) - sqrt(tr[a, f]^2 + ti[a, f]^2 + 0.01)))
    """,
    lambda rng: two(rng, (2, 9)),
)
def short_time_magnitudes(t, x):
    hann = 0.5 - 0.5 * np.cos(np.pi * np.arange(4) / 2)
    size = [np.sqrt(np.abs(np.fft.fft(windows(u, 4, -1) * hann)[..., :3]) ** 2 + 0.01) for u in (t, x)]
    return np.abs(size[1] - size[0]).mean((1, 2))


@paper(
    """
    loss autocorrelated(t, x; K: int = 3)   # Sun, Lang and Boning (2021): what errors keep of those before them
    e = t - x
    mean(e^2) + sum[k in 1:K + 1](mean[i](e[i]*e[i + k])^2)
    """,
    lambda rng: two(rng, (3, 8)),
)
def autocorrelated(t, x):
    e = t - x
    return (e**2).mean(1) + sum((e[:, k:] * e[:, :-k]).mean(1) ** 2 for k in (1, 2, 3))


@paper(
    """
    loss tcc(t, x; w = 0.1)   # Dwibedi et al. (2019): there and back again, as a regression of the frame
    places frame
    a[i in frame, k in frame] = -sum((x[i] - t[k])^2)
    v[i in frame, d] = sum[k in frame](exp(a[i, k] - logsumexp[q in frame](a[i, q]))*t[k, d])
    b[i in frame, k in frame] = -sum[d]((v[i, d] - x[k, d])^2)
    p[i in frame, k in frame] = exp(b[i, k] - logsumexp[q in frame](b[i, q]))
    m[i in frame] = sum[k in frame](p[i, k]*k)
    s[i in frame] = sum[k in frame](p[i, k]*(k - m[i])^2)
    mean[i in frame]((i - m[i])^2/s[i] + w*log(s[i]))
    """,
    lambda rng: two(rng, (2, 5, 3)),
)
def temporal_cycle(t, x):
    there = softmax(-((x[:, :, None] - t[:, None]) ** 2).sum(-1)) @ t
    back = softmax(-((there[:, :, None] - x[:, None]) ** 2).sum(-1))
    k = np.arange(5)
    m = back @ k
    s = (back * (k - m[..., None]) ** 2).sum(-1)
    return ((k - m) ** 2 / s + 0.1 * np.log(s)).mean(1)


@paper(
    """
    loss angular_prototypes(x; w = 10.0, b = -5.0)   # Chung et al. (2020): the first of each beside means of others
    places utterance
    c[k in batch] = mean[u in utterance if u > 0](normalize(x)[k, u])
    q[j in batch] = normalize(x)[j, 0 in utterance]
    s[j in batch, k in batch] = w*sum(normalize(q[j])*normalize(c[k])) + b
    mean[j in batch](logsumexp[k in batch](s[j, k]) - s[j, j])
    """,
    lambda rng: (rng.normal(size=(4, 3, 5)),),
)
def angular_prototypes(x):
    scores = 10 * unit(x)[:, 0] @ unit(unit(x)[:, 1:].mean(1)).T - 5
    return -np.diag(log_softmax(scores)).mean()


@paper(
    """
    loss crf(y: sample label last, x, A: matrix)   # Lafferty, McCallum and Pereira (2001): a chain of two labels
    places word
    s[a, b] = x[0 in word, a] + A[a, b] + x[1 in word, b]
    logsumexp[a, b](s[a, b]) - s[y[0], y[1]]
    """,
    lambda rng: (rng.integers(0, 3, (4, 2)), rng.normal(size=(4, 2, 3)), rng.normal(size=(3, 3))),
)
def chain_of_two(y, x, transitions):
    s = x[:, 0, :, None] + transitions + x[:, 1, None]
    return logsumexp(s, (1, 2)) - s[np.arange(4), y[:, 0], y[:, 1]]


def tree(rng):
    pairs = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    above = np.vstack([np.repeat(pairs, 2, axis=0), np.ones((2, 4))])
    return rng.integers(0, 4, 5), rng.normal(size=(5, 4)), np.vstack([np.eye(4), pairs]), above


@paper(
    """
    loss hxe(t: label, x, A: matrix, B: matrix; a = 0.5)   # Bertinetto et al. (2020): a node given the one above
    p = softmax(x)
    s[h in rows] = sum[k](A[h, k]*p[k])
    q[h in rows] = sum[k](B[h, k]*p[k])
    -sum[h in rows if A[h, t] == 1](exp(-a*h)*log(s[h]/q[h]))
    """,
    tree,
)
def hierarchical_cross_entropy(t, x, inside, above):
    p = softmax(x)
    given = np.log((p @ inside.T) / (p @ above.T)) * np.exp(-0.5 * np.arange(6))
    return -(inside[:, t].T * given).sum(1)


@paper(
    """
    loss mixed(t: label, x, partner: label; lam = 0.3)   # Zhang et al. (2018), with the labels of a shuffled batch
    -lam*log_softmax(x)[t] - (1 - lam)*log_softmax(x)[t[partner in batch]]
    """,
    lambda rng: (rng.integers(0, 4, 5), rng.normal(size=(5, 4)), rng.permutation(5)),
)
def mixed_labels(t, x, partner):
    rows = np.arange(5)
    return -0.3 * log_softmax(x)[rows, t] - 0.7 * log_softmax(x)[rows, t[partner]]


@paper(
    """
    loss sinkhorn(t, x; e = 0.5)   # Cuturi (2013): the cost after two steps, over rows and then over columns
    places point
    c[i in point, j in point] = sum((x[i] - t[j])^2)
    f[i in point] = -e*logsumexp[j in point](-c[i, j]/e)
    g[j in point] = -e*logsumexp[i in point]((f[i] - c[i, j])/e)
    sum[i in point, j in point](exp((f[i] + g[j] - c[i, j])/e)*c[i, j])/len[point](x)
    """,
    lambda rng: two(rng, (2, 4, 2)),
)
def two_steps_of_sinkhorn(t, x):
    c = ((x[:, :, None] - t[:, None]) ** 2).sum(-1)
    f = -0.5 * logsumexp(-2 * c, 2)[:, :, None]
    g = -0.5 * logsumexp(2 * (f - c), 1)[:, None]
    return (np.exp(2 * (f + g - c)) * c).sum((1, 2)) / 4


@paper(
    """
    loss wave(x: scalar; c = 0.7)   # Raissi, Perdikaris and Karniadakis (2019): what is left of the wave equation
    places time, place
    u[n in time, i in place] = x[n + 1, i] - 2*x[n, i] + x[n - 1, i]
    v[n in time, i in place] = x[n, i + 1] - 2*x[n, i] + x[n, i - 1]
    mean[n in time, i in place]((u[n, i] - c^2*v[n, i])^2)
    """,
    lambda rng: (rng.normal(size=(2, 5, 6)),),
)
def wave_equation(x):
    u, v = np.diff(x, 2, axis=1)[:, :, 1:-1], np.diff(x, 2, axis=2)[:, 1:-1]
    return ((u - 0.49 * v) ** 2).mean((1, 2))


@paper(
    """
    loss lsep(t: binary, x)   # Li, Song and Luo (2017): every label that holds above every one that does not
    log(1 + sum[u, v if t[u] < t[v]](exp(x[u] - x[v])))
    """,
    lambda rng: (rng.integers(0, 2, (4, 5)).astype(float), rng.normal(size=(4, 5))),
)
def pairs_of_labels(t, x):
    return np.log1p((np.exp(x[:, :, None] - x[:, None]) * (t[:, :, None] < t[:, None])).sum((1, 2)))


@paper(
    """
    loss concordance(t: scalar, x: scalar, e: binary scalar)   # Steck et al. (2008): below the index of concordance
    worse[i in batch, j in batch] = t[i] < t[j] and e[i] == 1
    n = sum[i in batch, j in batch if worse[i, j]](1)
    -sum[i in batch, j in batch if worse[i, j]](1 + log_sigmoid(x[i] - x[j])/log(2))/n
    """,
    lambda rng: (rng.exponential(size=7), rng.normal(size=7), np.array([1.0, 0, 1, 1, 0, 1, 1])),
)
def concordance(t, x, e):
    worse = (t[:, None] < t) & (e[:, None] == 1)
    return -(1 - softplus(x - x[:, None]) / np.log(2))[worse].mean()


@paper(
    """
    loss sobel(t: scalar, x: scalar)   # Lu and Chen (2022): edges of an image, by Sobel's kernels
    places row, col
    k(a) = cases(a == 1: 2, else: 1)
    e = x - t
    gx[i in row, j in col] = sum[a in 0:3, b in 0:3]((b - 1)*k(a)*e[i + a, j + b])
    gy[i in row, j in col] = sum[a in 0:3, b in 0:3]((a - 1)*k(b)*e[i + a, j + b])
    mean[i in row, j in col](abs(gx[i, j]) + abs(gy[i, j]))
    """,
    lambda rng: two(rng, (2, 5, 6)),
)
def edges_by_sobel(t, x):
    kernel, near = np.outer([1, 2, 1], [-1, 0, 1]), windows(x - t, (3, 3), (1, 2))
    return sum(np.abs((near * k).sum((-2, -1))) for k in (kernel, kernel.T)).mean((1, 2))

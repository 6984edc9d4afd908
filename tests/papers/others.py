"""Losses of classes, sequences, events, survival, generative models and boxes."""

import math

import numpy as np

from .table import Rows, into, log_softmax, norm, sigmoid, softmax, softplus

OTHERS: Rows = {}
paper = into(OTHERS)


def classified(rng):
    return np.array([2, 0, 1, 3]), rng.normal(size=(4, 4))


def confident(rng):
    return np.array([2, 0, 1, 3]), softmax(rng.normal(size=(4, 4)))


# --- classes ----------------------------------------------------------------------------------------------------------


@paper(
    """
    loss coral(t: label, x)   # Cao, Mirjalili and Raschka (2020), equation 5: is the rank above k?
    -sum[k](where(t > k, log_sigmoid(x[k]), log_sigmoid(x[k]) - x[k]))
    """,
    lambda rng: (np.array([2, 0, 3]), rng.normal(size=(3, 3))),
)
def consistent_rank_logits(t, x):
    above = t[:, None] > np.arange(3)
    return np.where(above, softplus(-x), softplus(x)).sum(1)


@paper(
    """
    loss sord(t: label, x; b = 0.7)   # Diaz and Marathe (2019): soft labels by how far classes are from the true one
    y[k] = exp(-b*(k - t)^2)/sum[l](exp(-b*(l - t)^2))
    -sum[k](y[k]*log_softmax(x)[k])
    """,
    classified,
)
def soft_ordinal(t, x):
    return -(softmax(-x.dtype.type("0.7") * (np.arange(4) - t[:, None]) ** 2) * log_softmax(x)).sum(1)


@paper(
    """
    loss cdw(t: label, x: logits; alpha = 2.0)   # Polat et al. (2022), equation 3
    -sum[k](log(1 - softmax(x)[k])*abs(k - t)^alpha)
    """,
    classified,
)
def class_distance(t, x):
    return -(np.log1p(-softmax(x)) * (np.arange(4) - t[:, None]) ** 2).sum(1)


@paper(
    """
    loss kappa(t: label, p: simplex)   # de la Torre, Puig and Valls (2018), equation 6: squared distances of classes
    n = len[batch](p)
    observed = sum[b in batch](sum[k]((k - t[b])^2*p[b, k]))
    seen[k] = count[b in batch](t[b] == k)
    told[k] = sum[b in batch](p[b, k])
    log(observed/sum[k, l]((k - l)^2*seen[k]*told[l]/n))
    """,
    confident,
)
def weighted_kappa(t, p):
    w = (np.arange(4)[:, None] - np.arange(4)) ** 2
    expected = (w * np.outer(np.bincount(t, minlength=4), p.sum(0))).sum() / 4
    return np.log((w[t] * p).sum() / expected)


@paper(
    """
    loss binomial(t: label, f: prob scalar; K: int = 5)   # Beckham and Pal (2017): one maximum, by a binomial
    -(lgamma(K) - lgamma(t + 1) - lgamma(K - t) + xlogy(t, f) + xlogy(K - 1 - t, 1 - f))
    """,
    lambda rng: (np.array([2, 0, 4]), rng.uniform(0.1, 0.9, 3)),
)
def unimodal_binomial(t, f):
    choose = np.array([math.comb(4, int(k)) for k in t])
    return -np.log(choose * f**t * (1 - f) ** (4 - t))


@paper(
    """
    loss forward(t: label, x, T: matrix)   # Patrini et al. (2017), theorem 2: what the noise makes of the probabilities
    -log(sum[k](T[k, t]*softmax(x)[k]))
    """,
    lambda rng: (*classified(rng), softmax(rng.normal(size=(4, 4)))),
)
def forward_correction(t, x, noise):
    return -np.log((softmax(x) @ noise)[range(4), t])


@paper(
    """
    loss peer(t: label, x, a: label, b: label; alpha = 0.5)   # Liu and Guo (2020), equation 5: peers are other samples
    -log_softmax(x)[t] + alpha*log_softmax(x[a in batch])[t[b in batch]]
    """,
    lambda rng: (*classified(rng), np.array([1, 2, 3, 0]), np.array([3, 0, 0, 2])),
)
def peer(t, x, a, b):
    return -log_softmax(x)[range(4), t] + log_softmax(x)[a, t[b]] / 2


@paper(
    """
    loss elr(t: label, x, history: simplex; weight = 3.0)   # Liu et al. (2020), equation 6
    p = softmax(x)
    -log(p[t]) + weight*log(1 - dot(p, history))
    """,
    lambda rng: (*classified(rng), softmax(rng.normal(size=(4, 4)))),
)
def early_learning(t, x, history):
    p = softmax(x)
    return -np.log(p[range(4), t]) + 3 * np.log(1 - (p * history).sum(1))


@paper(
    """
    loss nnpu(t: binary, x; prior = 0.4)   # Kiryo et al. (2017), equation 6, with the sigmoid loss
    hit = mean[batch if t[0] == 1](sigmoid(-x[0]))
    miss = mean[batch if t[0] == 1](sigmoid(x[0]))
    rest = mean[batch if t[0] == 0](sigmoid(x[0]))
    prior*hit + max(0, rest - prior*miss)
    """,
    lambda rng: (np.array([[1.0], [0], [0], [1]]), rng.normal(size=(4, 1))),
)
def nonnegative_unlabeled(t, x):
    a, b, p = x[t == 1], x[t == 0], x.dtype.type("0.4")
    return p * sigmoid(-a).mean() + np.maximum(0, sigmoid(b).mean() - p * sigmoid(a).mean())


@paper(
    """
    loss confusion(t, x; T = 2.5)   # Jin et al. (2020), equations 2 to 8: classes that are confused in a batch
    p = softmax(x/T)
    u = 1 + exp(sum(p*log(p)))
    w = len[batch](x)*u/sum[batch](u)
    c[k, l] = sum[b in batch](w[b]*p[b, k]*p[b, l])
    mean[k](sum[l if l != k](c[k, l])/sum[l](c[k, l])) + 0*mean[all](t)
    """,
    lambda rng: (rng.normal(size=(5, 3)), rng.normal(size=(5, 3))),
)
def class_confusion(_, x):
    p = softmax(x / x.dtype.type("2.5"))
    u = 1 + np.exp((p * np.log(p)).sum(1))
    c = np.einsum("b,bk,bl->kl", 5 * u / u.sum(), p, p)
    c = c / c.sum(1, keepdims=True)
    return (c.sum() - np.trace(c)) / 3


@paper(
    """
    loss complement(t: label, x)   # Chen et al. (2019), equation 2: entropy of all that is not the class
    p = softmax(x)
    q[k] = p[k]/(1 - p[t])
    sum[k if k != t](q[k]*log(q[k]))/(len(x) - 1)
    """,
    classified,
)
def complement_entropy(t, x):
    p = softmax(x)
    others = np.arange(4) != t[:, None]
    q = np.where(others, p / (1 - p[range(4), t])[:, None], 1)
    return np.where(others, q * np.log(q), 0).sum(1) / 3


@paper(
    """
    loss seesaw(t: label, x; n: vector = [100, 10, 50, 2], p = 0.8, q = 2.0)   # Wang et al. (2021), equations 4 to 6
    s = softmax(x)
    w[k] = where(n[t] > n[k], (n[k]/n[t])^p, 1)*where(s[k] > s[t], stop(s[k]/s[t])^q, 1)
    -x[t] + log(exp(x[t]) + sum[k if k != t](w[k]*exp(x[k])))
    """,
    classified,
    has_slope=False,
)
def seesaw(t, x):
    n, s, own = np.array([100.0, 10, 50, 2]), softmax(x), range(4)
    few = np.minimum(1, n / n[t][:, None]) ** 0.8
    wrong = np.maximum(1, s / s[own, t][:, None]) ** 2
    w = few * wrong
    w[own, t] = 1
    return -x[own, t] + np.log((w * np.exp(x)).sum(1))


@paper(
    """
    loss eql(t: label, x; rare: vector = [0, 1, 0, 1])   # Tan et al. (2020), equation 5: no push down of rare classes
    w[k] = where(k == t, 1, 1 - rare[k])
    -sum[k](w[k]*where(k == t, log_sigmoid(x[k]), log_sigmoid(-x[k])))
    """,
    classified,
)
def equalization(t, x):
    own = np.arange(4) == t[:, None]
    w = np.where(own, 1, 1 - np.array([0, 1, 0, 1]))
    return (w * np.where(own, softplus(-x), softplus(x))).sum(1)


@paper(
    """
    loss ring(t: label, (x, f); R = 2.0, weight = 0.1)   # Zheng, Pal and Savvides (2018): logits and features
    -log_softmax(x)[t] + weight*(norm(f) - R)^2
    """,
    lambda rng: (np.array([2, 0, 1, 3]), rng.normal(size=(4, 8))),
)
def ring(t, x):
    far = norm(x[:, 4:]) - 2
    return -log_softmax(x[:, :4])[range(4), t] + x.dtype.type("0.1") * far**2


@paper(
    """
    loss curricular(t: label, c; m = 0.5, s = 8.0, mean_cosine = 0.2)   # Huang et al. (2020), equations 5 to 9
    own = cos(acos(c[t]) + m)
    z[k] = where(k == t, own, where(c[k] > own, c[k]*(mean_cosine + c[k]), c[k]))
    logsumexp[k](s*z[k]) - s*own
    """,
    lambda rng: (np.array([2, 0, 1, 3]), rng.uniform(-0.7, 0.7, (4, 4))),
)
def curricular_face(t, c):
    own = np.cos(np.arccos(c[range(4), t]) + 0.5)[:, None]
    z = np.where(c > own, c * (c.dtype.type("0.2") + c), c)
    z = np.where(np.arange(4) == t[:, None], own, z)
    return np.log(np.exp(8 * z).sum(1)) - 8 * own[:, 0]


@paper(
    """
    loss magnitude(t: label, (c, a); s = 8.0, l = 1.0, u = 9.0)   # Meng et al. (2021), equations 3 and 6; a: features
    size = clip(norm(a), l, u)
    m = 0.45 + 0.35*(size - l)/(u - l)
    z[k] = s*where(k == t, cos(acos(c[k]) + m), c[k])
    logsumexp[k](z[k]) - z[t] + size/u^2 + 1/size
    """,
    lambda rng: (np.array([2, 0, 1]), np.concatenate([rng.uniform(-0.6, 0.6, (3, 4)), rng.normal(size=(3, 4))], 1)),
)
def mag_face(t, x):
    c, a = x[:, :4], np.clip(norm(x[:, 4:]), 1, 9)
    m = x.dtype.type("0.45") + x.dtype.type("0.35") * (a - 1) / 8
    z = 8 * np.where(np.arange(4) == t[:, None], np.cos(np.arccos(c) + m[:, None]), c)
    return np.log(np.exp(z).sum(1)) - z[range(3), t] + a / 81 + 1 / a


# --- sequences and events ---------------------------------------------------------------------------------------------


@paper(
    """
    loss tmse(t: label, x; tau = 1.5, weight = 0.15)   # Farha and Gall (2019), equations 4 to 8
    d[i in space] = log_softmax(x[i]) - stop(log_softmax(x[i - 1]))
    mean[space](-log_softmax(x)[t]) + weight*mean[i in space](mean(min(abs(d[i]), tau)^2))
    """,
    lambda rng: (rng.integers(0, 3, (2, 4)), rng.normal(size=(2, 4, 3))),
    has_slope=False,
)
def truncated_smoothing(t, x):
    p = log_softmax(x)
    d = np.minimum(abs(np.diff(p, axis=1)), 1.5) ** 2
    return -np.take_along_axis(p, t[..., None], 2).mean((1, 2)) + 0.15 * d.mean((1, 2))


@paper(
    """
    loss hawkes(when, x; T = 5.0)   # Hawkes (1971), likelihood as in Ozaki (1979): x has base rate, jump and decay
    mu = softplus(x[0])
    a = softplus(x[1])
    b = softplus(x[2])
    rate[i] = mu + a*sum[j if j < i](exp(-b*(when[i] - when[j])))
    -sum[i](log(rate[i])) + mu*T + a/b*sum[i](1 - exp(-b*(T - when[i])))
    """,
    lambda rng: (np.sort(rng.uniform(0, 5, (2, 3)), 1), rng.normal(size=(2, 3))),
)
def hawkes_process(when, x):
    mu, a, b = softplus(x).T
    found = 5 * mu
    for i in range(3):
        rate = mu + sum((a * np.exp(-b * (when[:, i] - when[:, j])) for j in range(i)), 0)
        found = found - np.log(rate) + a / b * (1 - np.exp(-b * (5 - when[:, i])))
    return found


@paper(
    """
    loss intensity_free(t: positive scalar, (w, m, s))   # Shchur, Bilos and Guennemann (2020), equation 2
    z = (log(t) - m)*exp(-s)
    -logsumexp(log_softmax(w) - s - 0.5*z^2) + log(t) + 0.5*log(2*pi)
    """,
    lambda rng: (rng.uniform(0.1, 3, 3), rng.normal(size=(3, 6))),
)
def lognormal_mixture(t, x):
    w, m, s = x[:, :2], x[:, 2:4], x[:, 4:]
    z = (np.log(t)[:, None] - m) * np.exp(-s)
    one = softmax(w) * np.exp(-s - z**2 / 2) / (t[:, None] * np.sqrt(4 * np.arccos(x.dtype.type(0))))
    return -np.log(one.sum(1))


@paper(
    """
    loss cpc(z, c; k: int = 2)   # van den Oord, Li and Vinyals (2018), equation 4: k steps on, against other samples
    s[b in batch, i in space] = dot(c[self, i], z[b, i + k])
    mean[i in space](logsumexp[b in batch](s[b, i]) - s[self, i])
    """,
    lambda rng: (rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5, 2))),
)
def predictive_coding(z, c):
    s = np.einsum("aik,bik->abi", c[:, :3], z[:, 2:])
    return (np.log(np.exp(s).sum(1)) - np.einsum("aai->ai", s)).mean(1)


@paper(
    """
    loss ts2vec(t, x)   # Yue et al. (2022), equations 1 and 2, at one scale: contrast in time, and among instances
    time[i in space, j in space] = exp(dot(x[i], t[j]))
    own[i in space, j in space] = where(i == j, 0, exp(dot(x[i], x[j])))
    other[b in batch] = exp(dot(x, t[b]))
    same[b in batch] = where(b == self, 0, exp(dot(x, x[b])))
    instance = -log(exp(dot(x, t))/sum[b in batch](other[b] + same[b]))
    mean[i in space](-log(time[i, i]/sum[j in space](time[i, j] + own[i, j]))) + mean[space](instance)
    """,
    lambda rng: (rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 2))),
)
def hierarchical_contrast(t, x):
    a, b = np.einsum("bik,bjk->bij", x, t), np.einsum("bik,bjk->bij", x, x)
    c, d = np.einsum("bik,cik->ibc", x, t), np.einsum("bik,cik->ibc", x, x)
    found = []
    for one, two in ((a, b), (c, d)):
        inside = np.exp(one).sum(2) + np.where(np.eye(one.shape[1]) == 1, 0, np.exp(two)).sum(2)
        found.append(np.log(inside) - np.einsum("aii->ai", one))
    return found[0].mean(1) + found[1].mean(0)


@paper(
    """
    loss coherence(t: scalar, x; delta = 1.5)   # Mobahi, Collobert and Weston (2009), equation 6; t: frame numbers
    mean[i in space, j in space if i < j](
        where(t[j] - t[i] == 1, norm(x[i] - x[j]), max(0, delta - norm(x[i] - x[j]))))
    """,
    lambda rng: (np.array([[1.0, 2, 5, 6]]), rng.normal(size=(1, 4, 2))),
)
def temporal_coherence(t, x):
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    d = [norm(x[:, i] - x[:, j]) for i, j in pairs]
    each = [np.where(t[:, j] - t[:, i] == 1, d, np.maximum(0, 1.5 - d)) for (i, j), d in zip(pairs, d, strict=True)]
    return np.mean(each, 0)


@paper(
    """
    loss permuted(t, x)   # Yu et al. (2017), two speakers: the better of both assignments
    places speaker
    e[i in speaker, j in speaker] = mean((x[i] - t[j])^2)
    min(sum[i in speaker](e[i, i]), sum[i in speaker, j in speaker if i != j](e[i, j]))
    """,
    lambda rng: (rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4))),
)
def permutation_invariant(t, x):
    return np.minimum(((x - t) ** 2).mean(2).sum(1), ((x - t[:, ::-1]) ** 2).mean(2).sum(1))


@paper(
    """
    loss stft(t, x; n: int = 4, hop: int = 2)   # Yamamoto, Song and Kim (2020), equations 4 to 6, one resolution
    hann(k) = 0.5 - 0.5*cos(2*pi*k/n)
    re[i, f in 0:3] = sum[k in 0:n](hann(k)*x[i + k]*cos(2*pi*f*k/n))
    im[i, f in 0:3] = sum[k in 0:n](hann(k)*x[i + k]*sin(2*pi*f*k/n))
    tr[i, f in 0:3] = sum[k in 0:n](hann(k)*t[i + k]*cos(2*pi*f*k/n))
    ti[i, f in 0:3] = sum[k in 0:n](hann(k)*t[i + k]*sin(2*pi*f*k/n))
    a[i, f in 0:3] = sqrt(re[i, f]^2 + im[i, f]^2)
    b[i, f in 0:3] = sqrt(tr[i, f]^2 + ti[i, f]^2)
    gap = sqrt(sum[i, f in 0:3 if mod(i, hop) == 0]((b[i, f] - a[i, f])^2))
    convergence = gap/sqrt(sum[i, f in 0:3 if mod(i, hop) == 0](b[i, f]^2))
    convergence + mean[i, f in 0:3 if mod(i, hop) == 0](abs(log(b[i, f]) - log(a[i, f])))
    """,
    lambda rng: tuple(rng.normal(size=(5, 2, 10))[3:]),
)
def spectrogram(t, x):
    window = (1 - np.cos(np.pi * np.arange(4) / 2)) / 2
    turns = np.exp(-2j * np.pi * np.outer(np.arange(4), np.arange(3)) / 4).round(12)

    def size(a):
        frames = np.lib.stride_tricks.sliding_window_view(a, 4, axis=1)[:, ::2] * window
        re, im = frames @ turns.real, frames @ turns.imag
        return np.sqrt(re**2 + im**2)

    a, b = size(x), size(t)
    gap = np.sqrt(((b - a) ** 2).sum((1, 2))) / np.sqrt((b**2).sum((1, 2)))
    return gap + abs(np.log(b) - np.log(a)).mean((1, 2))


# --- survival ---------------------------------------------------------------------------------------------------------


@paper(
    """
    loss brier(time, S: prob, event: scalar, G: prob)   # Graf et al. (1999): S[k] is survival of k, G of the censoring
    mean[k](where(time[0] <= k and event == 1, S[k]^2/G[time[0]], where(time[0] > k, (1 - S[k])^2/G[k], 0)))
    """,
    lambda rng: (
        np.array([[1.0] * 4, [3] * 4]), rng.uniform(size=(2, 4)), np.array([1.0, 0]), rng.uniform(0.5, 1, (2, 4))
    ),
)  # fmt: skip
def censored_brier(time, s, event, g):
    time, found = time[:, 0].astype(int), []
    for b in range(2):
        died = [s[b, k] ** 2 / g[b, time[b]] if time[b] <= k and event[b] else 0 for k in range(4)]
        lived = [(1 - s[b, k]) ** 2 / g[b, k] if time[b] > k else 0 for k in range(4)]
        found.append(sum(died + lived) / 4)
    return np.array(found)


@paper(
    """
    loss calibrated(t, x: prob; bins: int = 4, gamma = 30.0)   # Goldstein et al. (2020), X-Cal, equation 6
    inside[k in 0:bins] = mean[batch](sigmoid(gamma*(x[0] - k/bins))*sigmoid(gamma*((k + 1)/bins - x[0])))
    sum[k in 0:bins]((inside[k] - 1/bins)^2) + 0*mean[all](t)
    """,
    lambda rng: (rng.uniform(size=(6, 1)), rng.uniform(size=(6, 1))),
)
def distribution_calibration(_, x):
    k = np.arange(4)
    return (((sigmoid(30 * (x - k / 4)) * sigmoid(30 * ((k + 1) / 4 - x))).mean(0) - 0.25) ** 2).sum()


@paper(
    """
    loss survival_crps(time: label, F: prob, event: scalar)   # Avati et al. (2019), equation 3, on a grid of times
    sum[k if k < time](F[k]^2) + event*sum[k if k >= time]((1 - F[k])^2)
    """,
    lambda rng: (np.array([1, 3]), rng.uniform(size=(2, 5)), np.array([1.0, 0])),
)
def survival_crps(time, f, event):
    early = np.arange(5) < time[:, None]
    return np.where(early, f**2, 0).sum(1) + event * np.where(early, 0, (1 - f) ** 2).sum(1)


# --- generative models ------------------------------------------------------------------------------------------------


@paper(
    """
    loss total_correlation(z, (m, s); beta = 6.0)   # Chen et al. (2018), equation 3: densities of a batch
    n = len[batch](z)
    q[j in batch] = -0.5*(z - m[j])^2*exp(-2*s[j]) - s[j]
    whole = logsumexp[j in batch](sum(q[j])) - log(n)
    parts = sum(logsumexp[j in batch](q[j]) - log(n))
    beta*(whole - parts)
    """,
    lambda rng: (rng.normal(size=(4, 2)), rng.normal(size=(4, 4))),
)
def total_correlation(z, x):
    m, s = x[:, :2], x[:, 2:]
    q = -((z[:, None] - m) ** 2) * np.exp(-2 * s) / 2 - s
    n = np.log(x.dtype.type(4))
    return 6 * (np.log(np.exp(q.sum(2)).sum(1)) - n - (np.log(np.exp(q).sum(1)) - n).sum(1))


@paper(
    """
    loss codes(E: matrix, x; beta = 0.25)   # van den Oord et al. (2017), equation 3: the nearest code, and commitment
    d[r in rows] = sum((x - E[r])^2)
    near = argmin[r in rows](d[r])
    sum((stop(x) - E[near])^2) + beta*sum((x - stop(E[near]))^2)
    """,
    lambda rng: (rng.normal(size=(3, 2)), rng.normal(size=(4, 2))),
    has_slope=False,
)
def vector_quantized(codes, x):
    return 1.25 * ((x[:, None] - codes) ** 2).sum(2).min(1)


@paper(
    """
    loss iwae(t: sample, (m, q))   # Burda, Grosse and Salakhutdinov (2016), equation 8: m: means, q: log ratios
    places draw
    -(logsumexp[draw](sum(-0.5*(t - m)^2 + q)) - log(len[draw](m)))
    """,
    lambda rng: (rng.normal(size=(3, 2)), rng.normal(size=(3, 5, 4))),
)
def importance_weighted(t, x):
    w = (-((t[:, None] - x[..., :2]) ** 2) / 2 + x[..., 2:]).sum(2)
    return -(np.log(np.exp(w).sum(1)) - np.log(x.dtype.type(5)))


# --- boxes and points -------------------------------------------------------------------------------------------------


@paper(
    """
    loss probiou(t, x)   # Murrugarra-Llerena et al. (2022): boxes as Gaussians, (x, y, a, b, c) with variances a, b
    a = t[2] + x[2]
    b = t[3] + x[3]
    c = t[4] + x[4]
    det = a*b - c^2
    dx = x[0] - t[0]
    dy = t[1] - x[1]
    far = (a*dy^2 + b*dx^2)/(4*det) + c*dx*dy/(2*det)
    spread = 0.5*log(det/(4*sqrt((t[2]*t[3] - t[4]^2)*(x[2]*x[3] - x[4]^2))))
    sqrt(1 - exp(-far - spread))
    """,
    lambda rng: (np.array([[0.0, 0, 2, 1, 0.3]]), np.array([[0.5, -0.4, 1.5, 2, -0.2]])),
)
def gaussian_boxes(t, x):
    cov = [np.array([[z[2], z[4]], [z[4], z[3]]]) for z in (t[0], x[0])]
    total = cov[0] + cov[1]
    det = [a[0, 0] * a[1, 1] - a[0, 1] ** 2 for a in (total, *cov)]
    inverse = np.array([[total[1, 1], -total[0, 1]], [-total[0, 1], total[0, 0]]]) / det[0]
    gap = x[0, :2] - t[0, :2]
    bhattacharyya = gap @ inverse @ gap / 4 + np.log(det[0] / (4 * np.sqrt(det[1] * det[2]))) / 2
    return np.sqrt(1 - np.exp(-bhattacharyya))[None]


@paper(
    """
    loss repulsion(t, x; s = 0.5)   # Wang et al. (2018), equation 4: away from the box of a neighbour, x1 y1 x2 y2
    wide = max(0, min(t[2], x[2]) - max(t[0], x[0]))
    high = max(0, min(t[3], x[3]) - max(t[1], x[1]))
    g = wide*high/((t[2] - t[0])*(t[3] - t[1]))
    where(g <= s, -log(1 - g), (g - s)/(1 - s) - log(1 - s))
    """,
    lambda rng: (np.array([[0.0, 0, 2, 2], [0, 0, 3, 1]]), np.array([[1.0, 1, 3, 3], [0.5, 0.1, 2.9, 2]])),
)
def box_repulsion(t, x):
    corner = np.minimum(t[:, 2:], x[:, 2:]) - np.maximum(t[:, :2], x[:, :2])
    g = np.maximum(0, corner).prod(1) / (t[:, 2:] - t[:, :2]).prod(1)
    return np.where(g <= 0.5, -np.log(1 - g), 2 * (g - 0.5) - np.log(x.dtype.type("0.5")))


@paper(
    """
    loss emd(t: simplex, x: simplex; r = 2.0)   # Hou, Yu and Samaras (2017), equation 9, and NIMA's root
    mean(abs(cumsum(t) - cumsum(x))^r)^(1/r)
    """,
    lambda rng: (softmax(rng.normal(size=(3, 5))), softmax(rng.normal(size=(3, 5)))),
)
def earth_mover(t, x):
    return np.sqrt(((np.cumsum(t, 1) - np.cumsum(x, 1)) ** 2).mean(1))


@paper(
    """
    loss uniform(t, x; k: int = 2, h = 1.0)   # Yu et al. (2018), PU-Net, equation 4: the k nearest points push
    d[i in space, j in space] = norm(x[i] - x[j])
    order[i in space, j in space] = count[l in space if l != i](d[i, l] < d[i, j])
    w(u) = exp(-u^2/h^2)
    sum[i in space, j in space if i != j and order[i, j] < k](-d[i, j]*w(d[i, j])) + 0*mean[all](t)
    """,
    lambda rng: (rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 3))),
)
def point_repulsion(_, x):
    d = np.sqrt(((x[:, :, None] - x[:, None]) ** 2).sum(-1) + np.where(np.eye(5) == 1, 1e9, 0))
    near = np.sort(d, 2)[..., :2]
    return -(near * np.exp(-(near**2))).sum((1, 2))


@paper(
    """
    loss density(t, x; alpha = 2.0)   # Wu et al. (2021), density-aware Chamfer distance, equation 8
    d[i in space, j in space] = norm(x[i] - t[j])
    to[i in space] = argmin[j in space](d[i, j])
    back[j in space] = argmin[i in space](d[i, j])
    n[i in space] = count[l in space](to[l] == to[i])
    m[j in space] = count[l in space](back[l] == back[j])
    first = mean[i in space](1 - exp(-alpha*min[j in space](d[i, j]))/n[i])
    0.5*first + 0.5*mean[j in space](1 - exp(-alpha*min[i in space](d[i, j]))/m[j])
    """,
    lambda rng: (rng.normal(size=(1, 4, 2)), rng.normal(size=(1, 4, 2))),
)
def density_aware_chamfer(t, x):
    d = np.sqrt(((x[0][:, None] - t[0]) ** 2).sum(-1))
    found = 0
    for one in (d, d.T):
        near = one.argmin(1)
        found = found + (1 - np.exp(-2 * one.min(1)) / np.bincount(near, minlength=4)[near]).mean() / 2
    return np.asarray(found)[None]




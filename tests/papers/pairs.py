"""Losses of pairs, ranks, neighbours, graphs and knowledge bases."""

import itertools

import numpy as np

from .table import Rows, into, log_softmax, norm, softmax, softplus, unit

PAIRS: Rows = {}
paper = into(PAIRS)
LABELS = np.array([0, 1, 0, 2, 1, 0])
GRAPH = np.array([[0.0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])


def two_views(rng):
    return rng.normal(size=(5, 4)), rng.normal(size=(5, 4))


def labelled(rng):
    return LABELS, rng.normal(size=(6, 3))


def scored(rng):
    return np.array([1.0, 0, 1, 0, 0, 1])[:, None], rng.normal(size=(6, 1))


def square_distances(x):
    return ((x[:, None] - x[None]) ** 2).sum(-1)


def same_class(t):
    return (t[:, None] == t[None]) & ~np.eye(len(t), dtype=bool)


def masked_log_mean_exp(z, mask):
    return np.log(np.where(mask, np.exp(z), 0).sum(1))


@paper(
    """
    loss npair(t, x)   # Sohn (2016), equation 9: t has the positives
    log(1 + sum[j in batch if j != self](exp(dot(x, t[j]) - dot(x, t))))
    """,
    two_views,
)
def n_pair(t, x):
    z = x @ t.T
    e = np.exp(z - np.diag(z)[:, None])
    return np.log(1 + e.sum(1) - np.diag(e))


@paper(
    """
    loss nca(t: label, x)   # Goldberger et al. (2005): the chance to pick a neighbour of the same class
    d[j in batch] = sum((x - x[j])^2)
    logsumexp[j in batch if j != self](-d[j]) - logsumexp[j in batch if j != self and t[j] == t](-d[j])
    """,
    lambda rng: (np.array([0, 1, 0, 2, 1, 2]), rng.normal(size=(6, 3))),
)
def neighbourhood_components(t, x):
    d = -square_distances(x)
    return masked_log_mean_exp(d, ~np.eye(6, dtype=bool)) - masked_log_mean_exp(d, same_class(t))


@paper(
    """
    loss entangled(t: label, x; T = 2.0)   # Frosst, Papernot and Hinton (2019): soft nearest neighbours
    d[j in batch] = sum((x - x[j])^2)/T
    -mean[batch](log(sum[j in batch if j != self and t[j] == t](exp(-d[j]))/sum[j in batch if j != self](exp(-d[j]))))
    """,
    lambda rng: (np.array([0, 1, 0, 2, 1, 2]), rng.normal(size=(6, 3))),
)
def soft_nearest_neighbour(t, x):
    d = -square_distances(x) / 2
    return -(masked_log_mean_exp(d, same_class(t)) - masked_log_mean_exp(d, ~np.eye(6, dtype=bool))).mean()


@paper(
    """
    loss lmnn(t: label, x; mu = 0.5)   # Weinberger and Saul (2009), equation 13; all of a class are target neighbours
    d[i in batch, j in batch] = sum((x[i] - x[j])^2)
    pull = sum[i in batch, j in batch if i != j and t[i] == t[j]](d[i, j])
    push = sum[i in batch, j in batch, l in batch
        if i != j and t[i] == t[j] and t[l] != t[i]](max(0, 1 + d[i, j] - d[i, l]))
    (1 - mu)*pull + mu*push
    """,
    labelled,
)
def large_margin_neighbours(t, x):
    d, pull, push = square_distances(x), 0, 0
    for i, j in itertools.permutations(range(6), 2):
        if t[i] == t[j]:
            pull = pull + d[i, j]
            push = push + sum(max(0, 1 + d[i, j] - d[i, k]) for k in range(6) if t[k] != t[i])
    return 0.5 * pull + 0.5 * push


@paper(
    """
    loss quadruplet(t: label, x; a1 = 0.5, a2 = 0.3)   # Chen et al. (2017), equation 6: pairs without the anchor, too
    d[i in batch, j in batch] = sum((x[i] - x[j])^2)
    first = sum[i in batch, j in batch, k in batch
        if i != j and t[i] == t[j] and t[k] != t[i]](max(0, d[i, j] - d[i, k] + a1))
    first + sum[i in batch, j in batch, k in batch, l in batch
        if i != j and t[i] == t[j] and t[k] != t[i] and t[l] != t[k] and t[l] != t[i]](max(0, d[i, j] - d[l, k] + a2))
    """,
    labelled,
)
def quadruplet(t, x):
    d, found = square_distances(x), 0
    for i, j, k in itertools.product(range(6), repeat=3):
        if i != j and t[i] == t[j] and t[k] != t[i]:
            found = found + max(0, d[i, j] - d[i, k] + 0.5)
            others = [m for m in range(6) if t[m] not in (t[k], t[i])]
            found = found + sum(max(0, d[i, j] - d[m, k] + x.dtype.type("0.3")) for m in others)
    return np.asarray(found)


@paper(
    """
    loss ranked_list(t: label, x; alpha = 2.0, m = 0.6, T = 3.0)   # Wang et al. (2019), equations 3 to 7
    d[j in batch] = norm(x - x[j])
    w[j in batch] = exp(T*(alpha - d[j]))
    positives = sum[j in batch if j != self and t[j] == t](max(0, d[j] - (alpha - m)))
    negatives = sum[j in batch if t[j] != t and d[j] < alpha](stop(w[j])*(alpha - d[j]))
    positives/count[j in batch if j != self and t[j] == t](true) + \
negatives/sum[j in batch if t[j] != t and d[j] < alpha](stop(w[j]))
    """,
    lambda rng: (np.array([0, 1, 0, 1]), 0.3 * rng.normal(size=(4, 3))),
    has_slope=False,
)
def ranked_list(t, x):
    d = np.sqrt(square_distances(x))
    w = np.exp(3 * (2 - d))
    found = []
    for i in range(4):
        near = [max(0, d[i, j] - 1.4) for j in range(4) if j != i and t[j] == t[i]]
        far = [j for j in range(4) if t[j] != t[i] and d[i, j] < 2]
        found.append(np.mean(near) + sum(w[i, j] * (2 - d[i, j]) for j in far) / sum(w[i, j] for j in far))
    return np.array(found)


@paper(
    """
    loss tuplet(t: label, x; s = 8.0, beta = 0.1)   # Yu and Tao (2019), equation 3: angles to positives, with slack
    c[j in batch] = dot(normalize(x), normalize(x[j]))
    own[j in batch] = s*cos(acos(c[j]) - beta)
    rest = logsumexp[j in batch if t[j] != t](s*c[j])
    mean[j in batch if j != self and t[j] == t](softplus(rest - own[j]))
    """,
    labelled,
)
def tuplet_margin(t, x):
    c = unit(x) @ unit(x).T
    found = []
    for i in range(6):
        rest = np.log(np.exp(8 * c[i][t != t[i]]).sum())
        others = [j for j in range(6) if j != i and t[j] == t[i]]
        own = [8 * np.cos(np.arccos(c[i, j]) - x.dtype.type("0.1")) for j in others]
        found.append(np.mean([softplus(rest - one) for one in own]) if own else 0 * rest)
    return np.array(found)


@paper(
    """
    loss soft_triple(t: sample label, x; lam = 5.0, gamma = 0.5, delta = 0.1)   # Qian et al. (2019), equations 7 and 9
    places center
    s = sum[center](softmax[center](x/gamma)*x)
    -log_softmax(lam*(s - delta*onehot(t)))[t]
    """,
    lambda rng: (np.array([0, 2]), rng.uniform(-1, 1, (2, 3, 4))),
)
def soft_triple(t, x):
    s = (softmax(2 * x, 1) * x).sum(1)
    return -log_softmax(5 * (s - x.dtype.type("0.1") * (np.arange(4) == t[:, None])))[range(2), t]


@paper(
    """
    loss histogram(t: label, x; bins: int = 5)   # Ustinova and Lempitsky (2016), equations 2 to 5: soft histograms
    c[i in batch, j in batch] = dot(normalize(x[i]), normalize(x[j]))
    step = 2/(bins - 1)
    w(u, k) = max(0, 1 - abs(u - (k*step - 1))/step)
    pos[k in 0:bins] = mean[i in batch, j in batch if i < j and t[i] == t[j]](w(c[i, j], k))
    neg[k in 0:bins] = mean[i in batch, j in batch if i < j and t[i] != t[j]](w(c[i, j], k))
    sum[k in 0:bins](neg[k]*sum[l in 0:bins if l <= k](pos[l]))
    """,
    labelled,
)
def histogram(t, x):
    c = unit(x) @ unit(x).T
    pairs = list(itertools.combinations(range(6), 2))
    w = {p: np.maximum(0, 1 - abs(c[p] - np.linspace(-1, 1, 5)) / 0.5) for p in pairs}
    pos = np.mean([w[p] for p in pairs if t[p[0]] == t[p[1]]], 0)
    neg = np.mean([w[p] for p in pairs if t[p[0]] != t[p[1]]], 0)
    return (neg * np.cumsum(pos)).sum()


@paper(
    """
    loss magnet(t: label, x; alpha = 0.5)   # Rippel et al. (2016), equation 5, one cluster for each of three classes
    mu[k in 0:3] = mean[j in batch if t[j] == k](x[j])
    own = sum[k in 0:3 if k == t](sum((x - mu[k])^2))
    v = sum[batch](own)/(len[batch](x) - 1)
    max(0, own/(2*v) + alpha + logsumexp[k in 0:3 if k != t](-sum((x - mu[k])^2)/(2*v)))
    """,
    labelled,
)
def magnet(t, x):
    mu = np.stack([x[t == k].mean(0) for k in range(3)])
    d = ((x[:, None] - mu) ** 2).sum(-1)
    own = d[range(6), t]
    v = own.sum() / 5
    rest = np.where(np.arange(3) == t[:, None], 0, np.exp(-d / (2 * v))).sum(1)
    return np.maximum(0, own / (2 * v) + 0.5 + np.log(rest))


@paper(
    """
    loss debiased(t, x; tau = 0.5, prior = 0.1)   # Chuang et al. (2020), equation 8, one positive
    z[j in batch] = dot(normalize(x), normalize(t[j]))/tau
    n = len[batch](x) - 1
    g = (mean[j in batch if j != self](exp(z[j])) - prior*exp(z[self]))/(1 - prior)
    -log(exp(z[self])/(exp(z[self]) + n*max(g, exp(-1/tau))))
    """,
    two_views,
)
def debiased_contrastive(t, x):
    e = np.exp(2 * unit(x) @ unit(t).T)
    own = np.diag(e)
    p = x.dtype.type("0.1")
    g = ((e.sum(1) - own) / 4 - p * own) / (1 - p)
    return -np.log(own / (own + 4 * np.maximum(g, np.exp(x.dtype.type(-2)))))


@paper(
    """
    loss hard(t, x; beta = 0.7)   # Robinson et al. (2021), equation 4 without the correction: hard negatives weigh more
    z[j in batch] = dot(x, t[j])
    weighted = sum[j in batch if j != self](exp((1 + beta)*z[j]))/mean[j in batch if j != self](exp(beta*z[j]))
    -log(exp(z[self])/(exp(z[self]) + weighted))
    """,
    two_views,
)
def hard_negatives(t, x):
    z, b = x @ t.T, x.dtype.type("0.7")
    off = ~np.eye(5, dtype=bool)
    top = np.where(off, np.exp((1 + b) * z), 0).sum(1)
    below = np.where(off, np.exp(b * z), 0).sum(1) / 4
    own = np.exp(np.diag(z))
    return -np.log(own / (own + top / below))


@paper(
    """
    loss rince(t, x; q = 0.5, lam = 0.05)   # Chuang et al. (2022), equation 6
    z[j in batch] = dot(normalize(x), normalize(t[j]))
    -exp(q*z[self])/q + (lam*sum[j in batch](exp(z[j])))^q/q
    """,
    two_views,
)
def robust_info_nce(t, x):
    z = unit(x) @ unit(t).T
    return -2 * np.exp(np.diag(z) / 2) + 2 * np.sqrt(x.dtype.type("0.05") * np.exp(z).sum(1))


@paper(
    """
    loss nnclr(t, x; tau = 0.2)   # Dwibedi et al. (2021), equation 3: the batch itself is the support set
    near[i in batch] = argmax[j in batch if j != i](dot(normalize(x[i]), normalize(t[j])))
    q[i in batch] = normalize(t[near[i] in batch])
    z[i in batch, j in batch] = dot(q[i], normalize(x[j]))/tau
    mean[i in batch](logsumexp[j in batch](z[i, j]) - z[i, i])
    """,
    two_views,
)
def nearest_neighbour_contrast(t, x):
    c = unit(x) @ unit(t).T
    near = np.where(np.eye(5, dtype=bool), -9, c).argmax(1)
    z = unit(t)[near] @ unit(x).T * 5
    return (np.log(np.exp(z).sum(1)) - np.diag(z)).mean()


@paper(
    """
    loss dense(t, x; tau = 0.5)   # Wang et al. (2021), DenseCL: the place of the other view that looks most alike
    c[i in space, j in space] = dot(normalize(x[i]), normalize(t[j]))
    match[i in space] = argmax[j in space](c[i, j])
    mean[i in space](logsumexp[j in space](c[i, j]/tau) - c[i, match[i]]/tau)
    """,
    lambda rng: (rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 3))),
)
def dense_contrast(t, x):
    c = np.einsum("bik,bjk->bij", unit(x), unit(t))
    return (np.log(np.exp(2 * c).sum(2)) - 2 * c.max(2)).mean(1)


@paper(
    """
    loss siam((z1, z2), (p1, p2))   # Chen and He (2021), equation 2
    -0.5*dot(normalize(p1), normalize(stop(z2))) - 0.5*dot(normalize(p2), normalize(stop(z1)))
    """,
    lambda rng: (rng.normal(size=(3, 8)), rng.normal(size=(3, 8))),
)
def simple_siamese(z, p):
    return -((unit(p[:, :4]) * unit(z[:, 4:])).sum(1) + (unit(p[:, 4:]) * unit(z[:, :4])).sum(1)) / 2


@paper(
    """
    loss log_q(t, x, q: scalar)   # Yi et al. (2019): in-batch softmax, corrected by how often items are sampled
    z[j in batch] = dot(x, t[j]) - log(q[j])
    logsumexp[j in batch](z[j]) - z[self]
    """,
    lambda rng: (*two_views(rng), rng.uniform(0.1, 1, 5)),
)
def corrected_batch_softmax(t, x, q):
    return -np.diag(log_softmax(x @ t.T - np.log(q)))


@paper(
    """
    loss push(t: binary, x; p = 4.0)   # Rudin (2009), equation 1: the top of the list counts most
    sum[j in batch if t[j, 0] == 0](sum[i in batch if t[i, 0] == 1](exp(x[j, 0] - x[i, 0]))^p)
    """,
    scored,
)
def p_norm_push(t, x):
    a, b = x[t == 1], x[t == 0]
    return (np.exp(b[:, None] - a[None]).sum(1) ** 4).sum()


@paper(
    """
    loss top_push(t: binary, x)   # Li, Jin and Zhou (2014), equation 5: each positive against the largest negative
    top = max[j in batch if t[j, 0] == 0](x[j, 0])
    mean[i in batch if t[i, 0] == 1](max(0, 1 + top - x[i, 0])^2)
    """,
    scored,
)
def top_push(t, x):
    return (np.maximum(0, 1 + x[t == 0].max() - x[t == 1]) ** 2).mean()


@paper(
    """
    loss warp(t: label, x)   # Weston, Bengio and Usunier (2011), equations 1 to 3 with the exact rank and its hinge
    r = count[j if j != t](1 + x[j] > x[t])
    sum[k in 1:5 if k <= r](1/k)*sum[j if j != t](max(0, 1 + x[j] - x[t]))/max(r, 1)
    """,
    lambda rng: (np.array([1, 3, 0]), rng.normal(size=(3, 5))),
)
def weighted_approximate_rank(t, x):
    found = []
    for k, row in zip(t, x, strict=True):
        others = np.delete(row, k)
        r = (1 + others > row[k]).sum()
        found.append(sum(1 / i for i in range(1, r + 1)) * np.maximum(0, 1 + others - row[k]).sum() / max(r, 1))
    return np.array(found)


@paper(
    """
    loss p_listmle(t, x)   # Lan et al. (2014), equation 8: positions at the top weigh more
    s = sort(x, -t)
    n = len(x)
    sum[i]((2^(n - 1 - i) - 1)*(logsumexp[k if k >= i](s[k]) - s[i]))
    """,
    lambda rng: (rng.normal(size=(3, 4)), rng.normal(size=(3, 4))),
)
def position_aware_listmle(t, x):
    s = np.take_along_axis(x, np.argsort(-t, 1), 1)
    return sum((2.0 ** (3 - i) - 1) * (np.log(np.exp(s[:, i:]).sum(1)) - s[:, i]) for i in range(4))


@paper(
    """
    loss aucm(t: binary, x: prob; a = 0.6, b = 0.3, alpha = 0.2, m = 1.0)   # Yuan et al. (2021), equation 6
    p = mean[batch](t)
    one = mean[batch]((1 - p)*(x - a)^2*t + p*(x - b)^2*(1 - t))
    one + 2*alpha*(p*(1 - p)*m + mean[batch](p*x*(1 - t) - (1 - p)*x*t)) - p*(1 - p)*alpha^2
    """,
    lambda rng: (scored(rng)[0], rng.uniform(size=(6, 1))),
)
def auc_margin(t, x):
    p, a, b, c = 0.5, *(x.dtype.type(each) for each in ("0.6", "0.3", "0.2"))
    one = (0.5 * (x - a) ** 2 * t + 0.5 * (x - b) ** 2 * (1 - t)).mean()
    return one + 2 * c * (p * p + (p * x * (1 - t) - p * x * t).mean()) - p * p * c**2


@paper(
    """
    loss clusters(t, x)   # Hershey et al. (2016), deep clustering: affinities of embeddings, and of who speaks
    affinity[i in space, j in space] = dot(x[i], x[j]) - dot(t[i], t[j])
    sum[i in space, j in space](affinity[i, j]^2)
    """,
    lambda rng: (np.eye(3)[rng.integers(0, 3, (2, 4))], rng.normal(size=(2, 4, 3))),
)
def deep_clustering(t, x):
    return ((np.einsum("bik,bjk->bij", x, x) - np.einsum("bik,bjk->bij", t, t)) ** 2).sum((1, 2))


@paper(
    """
    loss mmd(t, x)   # Gretton et al. (2012), equation 3, with a mixture of three Gaussian kernels
    k(d) = exp(-d/2) + exp(-d/8) + exp(-d/32)
    n = len[batch](x)
    within(i, j) = k(sum((x[i] - x[j])^2)) + k(sum((t[i] - t[j])^2))
    sum[i in batch, j in batch if i != j](within(i, j))/(n*(n - 1)) - \
2*mean[i in batch, j in batch](k(sum((x[i] - t[j])^2)))
    """,
    two_views,
)
def mean_discrepancy(t, x):
    def k(a, b):
        d = ((a[:, None] - b) ** 2).sum(-1)
        return np.exp(-d / 2) + np.exp(-d / 8) + np.exp(-d / 32)

    within = k(x, x) + k(t, t)
    return (within.sum() - np.trace(within)) / 20 - 2 * k(x, t).mean()


@paper(
    """
    loss cmd(t, x; K: int = 5)   # Zellinger et al. (2017), equation 5 on the unit interval
    mt = mean[batch](t)
    mx = mean[batch](x)
    norm(mt - mx) + sum[k in 2:K + 1](norm(mean[batch]((t - mt)^k) - mean[batch]((x - mx)^k)))
    """,
    lambda rng: (rng.uniform(size=(5, 3)), rng.uniform(size=(5, 3))),
)
def central_moments(t, x):
    a, b = t - t.mean(0), x - x.mean(0)
    return norm(t.mean(0) - x.mean(0)) + sum(norm((a**k).mean(0) - (b**k).mean(0)) for k in range(2, 6))


@paper(
    """
    loss transe(t: real, x; margin = 1.0)   # Bordes et al. (2013): heads, relations and tails that are wrong are packed
    max(0, margin + norm(x) - norm(t))
    """,
    lambda rng: (rng.normal(size=(4, 3)), rng.normal(size=(4, 3))),
)
def translation_margin(t, x):
    return np.maximum(0, 1 + norm(x) - norm(t))


@paper(
    """
    loss rotate(bad, good: scalar; gamma = 2.0, alpha = 1.0)   # Sun et al. (2019), equations 5 and 6; distances
    w = stop(softmax(alpha*(gamma - bad)))
    -log_sigmoid(gamma - good) - sum(w*log_sigmoid(bad - gamma))
    """,
    lambda rng: (rng.uniform(0, 4, (3, 5)), rng.uniform(0, 4, 3)),
)
def self_adversarial_negatives(bad, good):
    w = softmax(2 - bad)
    return softplus(good - 2) + (w * softplus(2 - bad)).sum(1)


@paper(
    """
    loss dirichlet(A: matrix, x)   # Belkin, Niyogi and Sindhwani (2006): a signal on the nodes of a graph is smooth
    sum[d, e](A[d, e]*(x[d] - x[e])^2)/2
    """,
    lambda rng: (rng.uniform(size=(4, 4)), rng.normal(size=(3, 4))),
)
def graph_smoothness(a, x):
    return (a * (x[:, :, None] - x[:, None]) ** 2).sum((1, 2)) / 2


@paper(
    """
    loss mincut(A: sample matrix, S)   # Bianchi, Grattarola and Alippi (2020), equation 7: S has the nodes as places
    k = len(S)
    degree[i in rows] = sum[l](A[i, l])
    top = sum[i in space, j in space](A[i in rows, j in last]*dot(S[i], S[j]))
    below = sum[i in space](degree[i in rows]*dot(S[i], S[i]))
    g[c, d] = sum[i in space](S[i, c]*S[i, d])
    size = sqrt(sum[c, d](g[c, d]^2))
    -top/below + sqrt(sum[c, d]((g[c, d]/size - where(c == d, 1/sqrt(k), 0))^2))
    """,
    lambda rng: (rng.uniform(size=(2, 4, 4)), softmax(rng.normal(size=(2, 4, 3)))),
)
def minimum_cut(a, s):
    g = np.einsum("bic,bid->bcd", s, s)
    top = np.einsum("bij,bic,bjc->b", a, s, s)
    below = np.einsum("bi,bic->b", a.sum(2), s**2)
    apart = g / np.sqrt((g**2).sum((1, 2), keepdims=True)) - np.eye(3) / np.sqrt(s.dtype.type(3))
    return -top / below + np.sqrt((apart**2).sum((1, 2)))


@paper(
    """
    loss modularity(A: matrix, x: simplex)   # Tsitsulin et al. (2023), DMoN: the batch has the nodes, last the clusters
    m = sum[r in rows, k](A[r, k])/2
    degree[i in rows] = sum[k](A[i, k])
    b[i in batch, j in batch] = A[i in rows, j in last] - degree[i in rows]*degree[j in rows]/(2*m)
    size = norm(sum[batch](x))
    -sum[i in batch, j in batch](b[i, j]*dot(x[i], x[j]))/(2*m) + sqrt(len(x))/len[batch](x)*size - 1
    """,
    lambda rng: (GRAPH, softmax(rng.normal(size=(4, 4)))),
)
def modularity(a, x):
    m, d = a.sum() / 2, a.sum(1)
    b = a - np.outer(d, d) / (2 * m)
    return -np.einsum("ij,ik,jk->", b, x, x) / (2 * m) + 2 / 4 * norm(x.sum(0)) - 1


@paper(
    """
    loss distmult(t: sign scalar, (head, relation, tail))   # Trouillon et al. (2016): logistic loss of a trilinear form
    softplus(-t*sum(head*relation*tail))
    """,
    lambda rng: (np.array([1.0, -1, 1]), rng.normal(size=(3, 6))),
)
def trilinear_logistic(t, x):
    return softplus(-t * (x[:, :2] * x[:, 2:4] * x[:, 4:]).sum(1))




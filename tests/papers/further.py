"""Losses of clustering, retrieval, fairness, autoencoders, graphs, reinforcement and segmentation."""

import numpy as np

from .table import Rows, into, log_softmax, norm, softmax, softplus, two

FURTHER: Rows = {}
paper = into(FURTHER)


def shares(rng):
    return softmax(rng.normal(size=(6, 3))), softmax(rng.normal(size=(6, 3)))


def labelled(rng):
    return np.array([0, 1, 0, 2, 1, 0]), rng.normal(size=(6, 4))


def binary(rng):
    return (rng.uniform(size=(3, 8)) < 0.5).astype(float), rng.uniform(0.05, 0.95, size=(3, 8))


# --- clustering and views ---------------------------------------------------------------------------------------------


@paper(
    """
    loss iic(a: simplex, x: simplex)   # Ji, Henriques and Vedaldi (2019), equation 3: information between two views
    joint[c, d] = mean[batch](a[c]*x[d] + a[d]*x[c])/2
    -sum[c, d](joint[c, d]*(log(joint[c, d]) - log(sum[e](joint[c, e])) - log(sum[e](joint[e, d]))))
    """,
    shares,
)
def invariant_information(a, x):
    joint = a.T @ x / len(x)
    joint = (joint + joint.T) / 2
    return -(joint * np.log(joint / joint.sum(0) / joint.sum(1)[:, None])).sum()


@paper(
    """
    loss scan(n: simplex, x: simplex; strength = 5.0)   # Van Gansbeke et al. (2020): neighbours agree
    -mean[batch](log(sum(n*x))) + strength*sum(mean[batch](x)*log(mean[batch](x)))
    """,
    shares,
)
def semantic_clustering(n, x):
    used = x.mean(0)
    return -np.log((n * x).sum(1)).mean() + 5 * (used * np.log(used)).sum()


@paper(
    """
    loss fixmatch(weak: logits, x: logits; confidence = 0.6)   # Sohn et al. (2020), equation 4
    where(max(softmax(weak)) >= confidence, -log_softmax(x)[argmax(weak)], 0)
    """,
    lambda rng: (3 * rng.normal(size=(6, 4)), rng.normal(size=(6, 4))),
)
def fixmatch(weak, x):
    sure = softmax(weak).max(1) >= 0.6
    return np.where(sure, -log_softmax(x)[np.arange(6), weak.argmax(1)], 0)


@paper(
    """
    loss r_drop(t: label, x: logits, y: logits; a = 4.0)   # Liang et al. (2021): two passes through dropout agree
    p = log_softmax(x)
    q = log_softmax(y)
    -p[t] - q[t] + a*(sum(exp(p)*(p - q)) + sum(exp(q)*(q - p)))/2
    """,
    lambda rng: (*labelled(rng), rng.normal(size=(6, 4))),
)
def r_drop(t, x, y):
    p, q, at = log_softmax(x), log_softmax(y), np.arange(6)
    return -p[at, t] - q[at, t] + 2 * ((np.exp(p) - np.exp(q)) * (p - q)).sum(1)


@paper(
    """
    loss vse(t, x; margin = 0.2)   # Faghri et al. (2018), equation 5: the hardest caption and the hardest image
    s[i in batch, j in batch] = sum(normalize(t)[i]*normalize(x)[j])
    text[i in batch] = max[j in batch if j != i](relu(margin + s[i, j] - s[i, i]))
    image[i in batch] = max[j in batch if j != i](relu(margin + s[j, i] - s[i, i]))
    mean[i in batch](text[i] + image[i])
    """,
    two,
)
def hardest_negatives(t, x):
    s = t / norm(t)[:, None] @ (x / norm(x)[:, None]).T
    gap = 0.2 + s - np.diag(s)[:, None]
    back = 0.2 + s.T - np.diag(s)[:, None]
    for each in (gap, back):
        np.fill_diagonal(each, -np.inf)
    return (np.maximum(gap, 0).max(1) + np.maximum(back, 0).max(1)).mean()


@paper(
    """
    loss colbert(t, x)   # Khattab and Zaharia (2020): late interaction, against the other documents of the batch
    s[q in batch, d in batch] = sum[i in space](max[j in space](sum[k](t[q, i, k]*x[d, j, k])))
    mean[q in batch](logsumexp[d in batch](s[q, d]) - s[q, q])
    """,
    lambda rng: two(rng, (3, 4, 2)),
)
def late_interaction(t, x):
    s = np.einsum("qik,djk->qdij", t, x).max(3).sum(2)
    return (np.log(np.exp(s).sum(1)) - np.diag(s)).mean()


@paper(
    """
    loss flops(x; weight = 0.3)   # Paria et al. (2020), equation 4, as SPLADE has it
    weight*sum(mean[batch](log1p(relu(x)))^2)
    """,
    lambda rng: (rng.normal(size=(5, 6)),),
)
def sparse_terms(x):
    return 0.3 * (np.log1p(np.maximum(x, 0)).mean(0) ** 2).sum()


@paper(
    """
    loss facenet(y: label, x; margin = 0.2)   # Schroff et al. (2015), section 3.2: semi-hard negatives
    d[i in batch, j in batch] = sum((x[i] - x[j])^2)
    harder[i in batch, j in batch] = min[k in batch if y[k] != y[i] and d[i, k] > d[i, j]](d[i, k])
    hardest[i in batch] = max[k in batch if y[k] != y[i]](d[i, k])
    mean[i in batch, j in batch if i != j and y[i] == y[j]](
        relu(margin + d[i, j] - where(isinf(harder[i, j]), hardest[i], harder[i, j]))
    )
    """,
    labelled,
)
def semi_hard(y, x):
    d = ((x[:, None] - x[None]) ** 2).sum(2)
    found = []
    for i in range(6):
        others = [d[i, k] for k in range(6) if y[k] != y[i]]
        for j in range(6):
            if i != j and y[i] == y[j]:
                harder = [each for each in others if each > d[i, j]]
                found.append(max(0.0, 0.2 + d[i, j] - (min(harder) if harder else max(others))))
    return np.mean(found)


@paper(
    """
    loss ge2e(y: label, x; w = 10.0, b = -5.0)   # Wan et al. (2018), equation 6: without oneself in the centroid
    own = mean[j in batch if y[j] == y and j != self](x[j])
    s = w*sum(normalize(x)*normalize(own)) + b
    centre[j in batch] = mean[k in batch if y[k] == y[j]](x[k])
    often[j in batch] = count[k in batch](y[k] == y[j])
    rest = sum[j in batch if y[j] != y](exp(w*sum(normalize(x)*normalize(centre[j])) + b)/often[j])
    -s + log(exp(s) + rest)
    """,
    lambda rng: (np.array([0, 1, 0, 2, 1, 2]), rng.normal(size=(6, 3))),
)
def generalized_end_to_end(y, x):
    found = []
    unit = x / norm(x)[:, None]
    for i in range(6):
        logits = {}
        for k in range(3):
            rows = [j for j in range(6) if y[j] == k and j != i]
            c = x[rows].mean(0)
            logits[k] = 10 * unit[i] @ c / norm(c) - 5
        found.append(-logits[y[i]] + np.log(sum(map(np.exp, logits.values()))))
    return np.array(found)


@paper(
    """
    loss donsker_varadhan(x)   # Belghazi et al. (2018), equation 5: rows are one of a pair, columns the other
    -mean[i in batch](x[i, i in last]) + log(mean[i in batch, j if i != j](exp(x[i, j])))
    """,
    lambda rng: (rng.normal(size=(5, 5)),),
)
def mutual_information_bound(x):
    off = ~np.eye(5, dtype=bool)
    return -np.diag(x).mean() + np.log(np.exp(x[off]).mean())


# --- fairness, risk and dependence ------------------------------------------------------------------------------------


@paper(
    """
    loss hsic(t, x; s = 1.0)   # Gretton et al. (2005), definition 2, with normal kernels
    k[i in batch, j in batch] = exp(-sum((x[i] - x[j])^2)/(2*s^2))
    l[i in batch, j in batch] = exp(-sum((t[i] - t[j])^2)/(2*s^2))
    along[i in batch] = mean[m in batch](k[i, m])
    centred[i in batch, j in batch] = k[i, j] - along[i] - along[j] + mean[m in batch](along[m])
    sum[i in batch, j in batch](centred[i, j]*l[j, i])/(len[batch](sum(x)) - 1)^2
    """,
    two,
)
def independence_criterion(t, x):
    k, kt = (np.exp(-((a[:, None] - a[None]) ** 2).sum(2) / 2) for a in (x, t))
    h = np.eye(5) - 1 / 5
    return np.trace(k @ h @ kt @ h) / 16


@paper(
    """
    loss distance_correlation(t, x)   # Szekely, Rizzo and Bakirov (2007), definitions 4 and 5
    a[i in batch, j in batch] = norm(t[i] - t[j])
    b[i in batch, j in batch] = norm(x[i] - x[j])
    u[i in batch] = mean[k in batch](a[i, k])
    v[i in batch] = mean[k in batch](b[i, k])
    A[i in batch, j in batch] = a[i, j] - u[i] - u[j] + mean[k in batch](u[k])
    B[i in batch, j in batch] = b[i, j] - v[i] - v[j] + mean[k in batch](v[k])
    both = mean[i in batch, j in batch](A[i, j]*B[i, j])
    both/sqrt(mean[i in batch, j in batch](A[i, j]^2)*mean[i in batch, j in batch](B[i, j]^2))
    """,
    two,
)
def distance_correlation(t, x):
    def centred(a):
        d = norm(a[:, None] - a[None])
        return d - d.mean(0) - d.mean(1)[:, None] + d.mean()

    a, b = centred(t), centred(x)
    return (a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean())


@paper(
    """
    loss fair_boundary(t: sign scalar, x: scalar, z: scalar; weight = 2.0)   # Zafar et al. (2017), equation 2
    mean[batch](softplus(-t*x)) + weight*abs(mean[batch]((z - mean[batch](z))*x))
    """,
    lambda rng: (np.sign(rng.normal(size=6)), rng.normal(size=6), rng.integers(0, 2, 6).astype(float)),
)
def fair_boundary(t, x, z):
    return softplus(-t * x).mean() + 2 * abs(((z - z.mean()) * x).mean())


@paper(
    """
    loss group_dro(t, x, g: label; G: int = 3)   # Sagawa et al. (2020), equation 4: the worst group
    max[k in 0:G](mean[batch if g == k](mean((t - x)^2)))
    """,
    lambda rng: (*two(rng, (6, 3)), np.array([0, 1, 2, 0, 1, 0])),
)
def worst_group(t, x, g):
    errors = ((t - x) ** 2).mean(1)
    return max(errors[g == k].mean() for k in range(3))


@paper(
    """
    loss tilted(t, x; tilt = 1.5)   # Li et al. (2021), equation 2
    log(mean[batch](exp(tilt*mean((t - x)^2))))/tilt
    """,
    two,
)
def tilted_risk(t, x):
    return np.log(np.exp(1.5 * ((t - x) ** 2).mean(1)).mean()) / 1.5


@paper(
    """
    loss irm(t, x; weight = 10.0)   # Arjovsky et al. (2019), IRMv1: the slope in a scale of the prediction, squared
    mean[batch](sum((t - x)^2)) + weight*mean[batch](sum(2*(x - t)*x))^2
    """,
    two,
)
def invariant_risk(t, x):
    def risk(scale):
        return ((t - scale * x) ** 2).sum(1).mean()

    slope = risk(1.5) - risk(0.5)  # exact: the risk is a square in the scale
    return risk(1.0) + 10 * slope**2


@paper(
    """
    loss co_teaching(mine: logits, x: logits, t: label; kept = 0.5)   # Han et al. (2018): what the peer finds easy
    peer = -log_softmax(mine)[t]
    own = -log_softmax(x)[t]
    mean[batch if rank[batch](-peer) <= kept*len[batch](peer)](own)
    """,
    lambda rng: (*two(rng, (6, 4)), np.array([0, 1, 0, 2, 1, 0])),
)
def co_teaching(mine, x, t):
    at = np.arange(6)
    easy = np.argsort(-log_softmax(mine)[at, t])[:3]
    return -log_softmax(x)[at, t][easy].mean()


# --- autoencoders, graphs, knowledge ----------------------------------------------------------------------------------


@paper(
    """
    loss free_bits((m, v); free = 0.3)   # Kingma et al. (2016), equation 15
    sum(max(free, mean[batch](exp(v) + m^2 - 1 - v)/2))
    """,
    lambda rng: (rng.normal(size=(5, 8)),),
)
def free_bits(x):
    m, v = x[:, :4], x[:, 4:]
    return np.maximum(0.3, (np.exp(v) + m**2 - 1 - v).mean(0) / 2).sum()


@paper(
    """
    loss dip_vae(x; off = 10.0, on = 5.0)   # Kumar et al. (2018), equation 6, of the means
    c[i, j] = mean[batch](x[i]*x[j]) - mean[batch](x[i])*mean[batch](x[j])
    off*sum[i, j if i != j](c[i, j]^2) + on*sum[i]((c[i, i] - 1)^2)
    """,
    lambda rng: (rng.normal(size=(6, 3)),),
)
def disentangled_prior(x):
    c = np.cov(x.T, bias=True)
    return 10 * (c**2).sum() - 10 * (np.diag(c) ** 2).sum() + 5 * ((np.diag(c) - 1) ** 2).sum()


@paper(
    """
    loss diffpool(A, s: simplex)   # Ying et al. (2018), section 3.3: links and the entropy of clusters
    norm[i in space, j in space](A[i, j in last] - sum(s[i]*s[j])) + mean[space](-sum(s*log(s)))
    """,
    lambda rng: (rng.integers(0, 2, (2, 4, 4)).astype(float), softmax(rng.normal(size=(2, 4, 3)))),
)
def pooled_links(a, s):
    return np.sqrt(((a - s @ s.transpose(0, 2, 1)) ** 2).sum((1, 2))) - (s * np.log(s)).sum(2).mean(1)


@paper(
    """
    loss rotate(h, (re, im), phase)   # Sun et al. (2019), equation 3: a relation turns the head (h, 0)
    sum(sqrt((h*cos(phase) - re)^2 + (h*sin(phase) - im)^2))
    """,
    lambda rng: (rng.normal(size=(4, 3)), rng.normal(size=(4, 6)), rng.normal(size=(4, 3))),
)
def rotations(h, x, phase):
    return abs(h * np.exp(1j * phase) - x[:, :3] - 1j * x[:, 3:]).sum(1)


@paper(
    """
    loss poincare(u, x)   # Nickel and Kiela (2017), equations 1 and 5: against the rest of the batch
    d[i in batch, j in batch] = acosh(1 + 2*sum((u[i] - x[j])^2)/((1 - sum(u[i]^2))*(1 - sum(x[j]^2))))
    mean[i in batch](d[i, i] + log(sum[j in batch](exp(-d[i, j]))))
    """,
    lambda rng: (rng.uniform(-0.5, 0.5, (4, 3)), rng.uniform(-0.5, 0.5, (4, 3))),
)
def poincare(u, x):
    gaps = ((u[:, None] - x[None]) ** 2).sum(2)
    d = np.arccosh(1 + 2 * gaps / ((1 - (u**2).sum(1))[:, None] * (1 - (x**2).sum(1))))
    return -np.log(np.exp(-np.diag(d)) / np.exp(-d).sum(1)).mean()


# --- reinforcement and preferences ------------------------------------------------------------------------------------


@paper(
    """
    loss mpo_dual(x; eta = 0.7, eps = 0.1)   # Abdolmaleki et al. (2018), equation 8: actions along the last axis
    eta*eps + eta*mean[batch](log(mean(exp(x/eta))))
    """,
    lambda rng: (rng.normal(size=(4, 5)),),
)
def dual_temperature(x):
    return 0.07 + 0.7 * np.log(np.exp(x / 0.7).mean(1)).mean()


@paper(
    """
    loss munchausen(a: label, q, before, after, r: scalar; tau = 0.3, scale = 0.9, low = -1.0, gamma = 0.99)
    # Vieillard et al. (2020), equation 2
    bonus = scale*clip(tau*log_softmax(before/tau)[a], low, 0)
    soft = sum(softmax(after/tau)*(after - tau*log_softmax(after/tau)))
    (stop(r + bonus + gamma*soft) - q[a])^2
    """,
    lambda rng: (np.array([0, 2, 1]), *rng.normal(size=(3, 3, 3)), rng.normal(size=3)),
)
def munchausen(a, q, before, after, r):
    at = np.arange(3)
    bonus = 0.9 * np.clip(0.3 * log_softmax(before / 0.3)[at, a], -1, 0)
    p = softmax(after / 0.3)
    return (r + bonus + 0.99 * (p * (after - 0.3 * np.log(p))).sum(1) - q[at, a]) ** 2


@paper(
    """
    loss rrhf(reward, x)   # Yuan et al. (2023), equations 2 and 3: answers along the last axis, the best one is learned
    sum[i, j if reward[i] < reward[j]](relu(x[i] - x[j])) - x[argmax(reward)]
    """,
    two,
)
def ranked_responses(reward, x):
    worse = reward[:, :, None] < reward[:, None]
    gaps = np.maximum(x[:, :, None] - x[:, None], 0)
    return (worse * gaps).sum((1, 2)) - x[np.arange(5), reward.argmax(1)]


@paper(
    """
    loss td3_bc(a, x, q: scalar; alpha = 2.5)   # Fujimoto and Gu (2021), equation 5
    -alpha/mean[batch](abs(stop(q)))*mean[batch](q) + mean[batch](mean((x - a)^2))
    """,
    lambda rng: (*two(rng), rng.normal(size=5)),
)
def behaviour_cloned(a, pi, q):
    return -2.5 / abs(q).mean() * q.mean() + ((pi - a) ** 2).mean()


# --- segmentation -----------------------------------------------------------------------------------------------------


@paper(
    """
    loss exponential_logarithmic(t: binary, x: prob; gamma = 0.3, w = 0.8)   # Wong et al. (2018), equations 2 to 4
    dice = (2*sum(t*x) + 1)/(sum(t) + sum(x) + 1)
    w*(-log(dice))^gamma + (1 - w)*mean((-log(where(t == 1, x, 1 - x)))^gamma)
    """,
    binary,
)
def exponential_logarithmic(t, x):
    dice = (2 * (t * x).sum(1) + 1) / ((t + x).sum(1) + 1)
    entropy = -np.log(np.where(t == 1, x, 1 - x))
    return 0.8 * (-np.log(dice)) ** 0.3 + 0.2 * (entropy**0.3).mean(1)


@paper(
    """
    loss matthews(t: binary, x: prob)   # Abhishek and Hamarneh (2021), equation 3
    tp = sum(t*x)
    tn = sum((1 - t)*(1 - x))
    fp = sum((1 - t)*x)
    fn = sum(t*(1 - x))
    1 - (tp*tn - fp*fn)/sqrt((tp + fp)*(tp + fn)*(tn + fp)*(tn + fn))
    """,
    lambda rng: (np.tile([1.0, 0, 0, 1, 1, 0], (3, 1)), rng.uniform(0.05, 0.95, size=(3, 6))),
)
def matthews(t, x):
    chance = x.mean(1)  # the correlation of an indicator with one that is 1 with these probabilities
    covariance = (t * x).mean(1) - t.mean(1) * chance
    return 1 - covariance / np.sqrt(t.mean(1) * (1 - t.mean(1)) * chance * (1 - chance))


@paper(
    """
    loss sensitivity_specificity(t: binary, x: prob; w = 0.05)   # Brosch et al. (2015), equation 6
    w*sum(t*(t - x)^2)/sum(t) + (1 - w)*sum((1 - t)*(t - x)^2)/sum(1 - t)
    """,
    lambda rng: (np.tile([1.0, 0, 0, 1, 1, 0], (3, 1)), rng.uniform(size=(3, 6))),
)
def sensitivity_specificity(t, x):
    square = (t - x) ** 2
    return np.array([0.05 * e[y == 1].mean() + 0.95 * e[y == 0].mean() for y, e in zip(t, square, strict=True)])


@paper(
    """
    loss image_pyramid(t, x; R: int = 3, C: int = 2)   # Bojanowski et al. (2018): errors at two scales
    places row, col
    e = t - x
    fine = mean[space](mean(abs(e)))
    half[i in 0:R, j in 0:C] = mean[a in 0:2, b in 0:2](mean(e[2*i + a in row, 2*j + b in col]))
    fine + mean[i in 0:R, j in 0:C](abs(half[i, j]))
    """,
    lambda rng: two(rng, (2, 6, 4, 1)),
)
def image_pyramid(t, x):
    e = (t - x)[..., 0]
    half = e.reshape(2, 3, 2, 2, 2).mean((2, 4))
    return abs(e).mean((1, 2)) + abs(half).mean((1, 2))

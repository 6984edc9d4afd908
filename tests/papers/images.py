"""Losses of images, depth, optical flow and registration."""

import numpy as np

from .table import Rows, into, softmax, windows

IMAGES: Rows = {}
paper = into(IMAGES)


def images(rng):
    return rng.uniform(0.1, 1, (2, 5, 6, 2)), rng.uniform(0.1, 1, (2, 5, 6, 2))


def maps(rng):
    return rng.uniform(0.2, 2, (2, 5, 6)), rng.uniform(0.2, 2, (2, 5, 6))


def guided(rng):
    return rng.uniform(size=(2, 4, 5, 3)), rng.uniform(0.2, 2, (2, 4, 5))


def moments(t, x):
    """Means, variances and the covariance in windows of three by three."""
    a, b = windows(t, (3, 3), (1, 2)), windows(x, (3, 3), (1, 2))
    m, n = a.mean((-1, -2)), b.mean((-1, -2))
    return m, n, (a * a).mean((-1, -2)) - m**2, (b * b).mean((-1, -2)) - n**2, (a * b).mean((-1, -2)) - m * n


@paper(
    """
    loss ssim(t, x; c1 = 0.0001, c2 = 0.0009)   # Wang et al. (2004), equation 13, windows with equal weights
    places row, col
    m[i in row, j in col] = mean[a in 0:3, b in 0:3](t[i + a, j + b])
    n[i in row, j in col] = mean[a in 0:3, b in 0:3](x[i + a, j + b])
    u[i in row, j in col] = mean[a in 0:3, b in 0:3](t[i + a, j + b]^2) - m[i, j]^2
    v[i in row, j in col] = mean[a in 0:3, b in 0:3](x[i + a, j + b]^2) - n[i, j]^2
    c[i in row, j in col] = mean[a in 0:3, b in 0:3](t[i + a, j + b]*x[i + a, j + b]) - m[i, j]*n[i, j]
    top[i in row, j in col] = (2*m[i, j]*n[i, j] + c1)*(2*c[i, j] + c2)
    below[i in row, j in col] = (m[i, j]^2 + n[i, j]^2 + c1)*(u[i, j] + v[i, j] + c2)
    1 - mean[i in row, j in col](top[i, j]/below[i, j])
    """,
    images,
)
def structural_similarity(t, x):
    m, n, u, v, c = moments(t, x)
    whole = (2 * m * n + 1e-4) * (2 * c + 9e-4) / ((m**2 + n**2 + 1e-4) * (u + v + 9e-4))
    return 1 - whole.mean((1, 2, 3))


@paper(
    """
    loss lncc(t: scalar, x: scalar)   # Balakrishnan et al. (2019), VoxelMorph: squared correlation in each window
    places row, col
    m[i in row, j in col] = mean[a in 0:3, b in 0:3](t[i + a, j + b])
    n[i in row, j in col] = mean[a in 0:3, b in 0:3](x[i + a, j + b])
    tt[i in row, j in col] = sum[a in 0:3, b in 0:3]((t[i + a, j + b] - m[i, j])^2)
    xx[i in row, j in col] = sum[a in 0:3, b in 0:3]((x[i + a, j + b] - n[i, j])^2)
    tx[i in row, j in col] = sum[a in 0:3, b in 0:3]((t[i + a, j + b] - m[i, j])*(x[i + a, j + b] - n[i, j]))
    -mean[i in row, j in col](tx[i, j]^2/(tt[i, j]*xx[i, j]))
    """,
    maps,
)
def local_cross_correlation(t, x):
    _, _, u, v, c = moments(t, x)
    return -(c**2 / (u * v)).mean((1, 2))


@paper(
    """
    loss ternary(t: scalar, x: scalar)   # Meister et al. (2018), UnFlow: a soft census of each window
    places row, col
    soft(u) = u/sqrt(0.81 + u^2)
    gap(u) = u^2/(0.1 + u^2)
    far[i in row, j in col] = sum[a in 0:3, b in 0:3](
        gap(soft(t[i + a, j + b] - t[i + 1, j + 1]) - soft(x[i + a, j + b] - x[i + 1, j + 1])))
    mean[i in row, j in col]((far[i, j]^2 + 0.000001)^0.45)
    """,
    maps,
)
def ternary_census(t, x):
    def soft(a):
        gaps = windows(a, (3, 3), (1, 2)) - a[:, 1:-1, 1:-1, None, None]
        return gaps / np.sqrt(0.81 + gaps**2)

    gaps = (soft(t) - soft(x)) ** 2
    far = (gaps / (0.1 + gaps)).sum((-1, -2))
    return ((far**2 + 1e-6) ** 0.45).mean((1, 2))


@paper(
    """
    loss smooth(image, disparity: scalar)   # Godard et al. (2017), equation 3: less where the image has an edge
    places row, col
    across = mean[row, j in col](abs(disparity[j + 1] - disparity[j])*exp(-mean(abs(image[j + 1] - image[j]))))
    down = mean[i in row, col](abs(disparity[i + 1] - disparity[i])*exp(-mean(abs(image[i + 1] - image[i]))))
    across + down
    """,
    guided,
)
def edge_aware_smoothness(image, disparity):
    found = 0
    for axis in (1, 2):
        edges = np.exp(-abs(np.diff(image, axis=axis)).mean(-1))
        found = found + (abs(np.diff(disparity, axis=axis)) * edges).mean((1, 2))
    return found


@paper(
    """
    loss second(image, flow; k = 10.0)   # Jonschkowski et al. (2020), UFlow: second order, guided by edges of the image
    places row, col
    u[i in row] = flow[i + 1] - 2*flow[i] + flow[i - 1]
    v[j in col] = flow[j + 1] - 2*flow[j] + flow[j - 1]
    down = mean[i in row, col](mean(abs(u[i]))*exp(-k*mean(abs(image[i + 1] - image[i - 1]))))
    down + mean[row, j in col](mean(abs(v[j]))*exp(-k*mean(abs(image[j + 1] - image[j - 1]))))
    """,
    lambda rng: (0.1 * rng.uniform(size=(2, 4, 5, 2)), rng.normal(size=(2, 4, 5, 2))),
)
def second_order_smoothness(image, flow):
    down = np.exp(-10 * abs(image[:, 2:] - image[:, :-2]).mean(-1))
    across = np.exp(-10 * abs(image[:, :, 2:] - image[:, :, :-2]).mean(-1))
    first = (abs(np.diff(flow, 2, axis=1)).mean(-1) * down).mean((1, 2))
    return first + (abs(np.diff(flow, 2, axis=2)).mean(-1) * across).mean((1, 2))


@paper(
    """
    loss eigen(t: scalar, x: scalar; weight = 0.5)   # Eigen, Puhrsch and Fergus (2014), equation 4
    places row, col
    d = log(x) - log(t)
    mean[space](d^2) - weight*mean[space](d)^2
    """,
    maps,
)
def scale_invariant_depth(t, x):
    d = np.log(x) - np.log(t)
    return (d**2).mean((1, 2)) - 0.5 * d.mean((1, 2)) ** 2


@paper(
    """
    loss gradient(t: scalar, x: scalar)   # Li and Snavely (2018), MegaDepth: gradients of the log ratio, one scale
    places row, col
    r = log(x) - log(t)
    (sum[i in row, col](abs(r[i + 1] - r[i])) + sum[row, j in col](abs(r[j + 1] - r[j])))/len[space](x)
    """,
    maps,
)
def gradient_matching(t, x):
    r = np.log(x) - np.log(t)
    return (abs(np.diff(r, axis=1)).sum((1, 2)) + abs(np.diff(r, axis=2)).sum((1, 2))) / 30


@paper(
    """
    loss normals(t: scalar, x: scalar)   # Hu et al. (2019), equation 4: surface normals from the slopes of depth
    places row, col
    t1[i in row, j in col] = t[i + 1, j] - t[i, j]
    t2[i in row, j in col] = t[i, j + 1] - t[i, j]
    x1[i in row, j in col] = x[i + 1, j] - x[i, j]
    x2[i in row, j in col] = x[i, j + 1] - x[i, j]
    along[i in row, j in col] = t1[i, j]*x1[i, j] + t2[i, j]*x2[i, j] + 1
    size[i in row, j in col] = sqrt((t1[i, j]^2 + t2[i, j]^2 + 1)*(x1[i, j]^2 + x2[i, j]^2 + 1))
    mean[i in row, j in col](1 - along[i, j]/size[i, j])
    """,
    maps,
)
def surface_normals(t, x):
    def normal(a):
        down, across = np.diff(a, axis=1)[:, :, :-1], np.diff(a, axis=2)[:, :-1]
        found = np.stack([-down, -across, np.ones_like(down)], -1)
        return found / np.sqrt((found**2).sum(-1, keepdims=True))

    return (1 - (normal(t) * normal(x)).sum(-1)).mean((1, 2))


@paper(
    """
    loss ordinal(r: scalar, x: scalar, a: label, b: label)   # Chen et al. (2016): pairs of points, which is nearer
    gap = x[a in space] - x[b in space]
    mean[space](where(r == 0, gap^2, log(1 + exp(-r*gap))))
    """,
    lambda rng: (
        np.array([[1.0, -1, 0, 1], [0, 1, -1, -1]]), rng.normal(size=(2, 4)),
        np.array([[0, 1, 2, 3], [1, 1, 0, 2]]), np.array([[1, 2, 0, 0], [3, 2, 3, 1]]),
    ),
)  # fmt: skip
def relative_depth(r, x, a, b):
    gap = np.take_along_axis(x, a, 1) - np.take_along_axis(x, b, 1)
    return np.where(r == 0, gap**2, np.log(1 + np.exp(-r * gap))).mean(1)


@paper(
    """
    loss log_edges(t: scalar, x: scalar)   # Laplacian of edges, as in Seif and Androutsos (2018): five points
    places row, col
    e = x - t
    mean[i in row, j in col](abs(e[i + 1, j] + e[i - 1, j] + e[i, j + 1] + e[i, j - 1] - 4*e[i, j]))
    """,
    maps,
)
def laplacian_edges(t, x):
    e = x - t
    inner = e[:, 2:, 1:-1] + e[:, :-2, 1:-1] + e[:, 1:-1, 2:] + e[:, 1:-1, :-2] - 4 * e[:, 1:-1, 1:-1]
    return abs(inner).mean((1, 2))


@paper(
    """
    loss bending(u)   # Rueckert et al. (1999), equation 7: a free-form deformation bends
    places row, col
    a[i in row, j in col] = u[i + 1, j] - 2*u[i, j] + u[i - 1, j]
    b[i in row, j in col] = u[i, j + 1] - 2*u[i, j] + u[i, j - 1]
    c[i in row, j in col] = u[i + 1, j + 1] - u[i + 1, j] - u[i, j + 1] + u[i, j]
    mean[i in row, j in col](sum(a[i, j]^2 + b[i, j]^2 + 2*c[i, j]^2))
    """,
    lambda rng: (rng.normal(size=(2, 5, 6, 2)),),
)
def bending_energy(u):
    a = np.diff(u, 2, axis=1)[:, :, 1:-1]
    b = np.diff(u, 2, axis=2)[:, 1:-1]
    c = np.diff(np.diff(u, axis=1), axis=2)[:, 1:, 1:]
    return (a**2 + b**2 + 2 * c**2).sum(-1).mean((1, 2))


@paper(
    """
    loss folds(u)   # Mok and Chung (2020): where the determinant of the Jacobian is negative, space folds
    places row, col
    d(k, l, i, j) = where(l == 0, u[i + 1, j, k] - u[i, j, k], u[i, j + 1, k] - u[i, j, k])
    mean[i in row, j in col](max(0, d(0, 1, i, j)*d(1, 0, i, j) - (1 + d(0, 0, i, j))*(1 + d(1, 1, i, j))))
    """,
    lambda rng: (1.5 * rng.normal(size=(2, 4, 5, 2)),),
)
def folding(u):
    down, across = np.diff(u, axis=1)[:, :, :-1], np.diff(u, axis=2)[:, :-1]
    det = (1 + down[..., 0]) * (1 + across[..., 1]) - down[..., 1] * across[..., 0]
    return np.maximum(0, -det).mean((1, 2))


@paper(
    """
    loss ngf(t: scalar, x: scalar; eta = 0.1)   # Haber and Modersitzki (2006): normalized gradient fields
    places row, col
    t1[i in row, j in col] = t[i + 1, j] - t[i, j]
    t2[i in row, j in col] = t[i, j + 1] - t[i, j]
    x1[i in row, j in col] = x[i + 1, j] - x[i, j]
    x2[i in row, j in col] = x[i, j + 1] - x[i, j]
    both[i in row, j in col] = (t1[i, j]^2 + t2[i, j]^2 + eta^2)*(x1[i, j]^2 + x2[i, j]^2 + eta^2)
    mean[i in row, j in col](1 - (t1[i, j]*x1[i, j] + t2[i, j]*x2[i, j])^2/both[i, j])
    """,
    maps,
)
def normalized_gradient_fields(t, x):
    (a, b), (c, d) = ((np.diff(z, axis=1)[:, :, :-1], np.diff(z, axis=2)[:, :-1]) for z in (t, x))
    return (1 - (a * c + b * d) ** 2 / ((a**2 + b**2 + 0.01) * (c**2 + d**2 + 0.01))).mean((1, 2))


@paper(
    """
    loss information(t: scalar, x: scalar; bins: int = 4, s = 0.2)   # Viola and Wells (1997), with soft bins
    w(u, k) = exp(-(u - k/bins)^2/(2*s^2))
    p[k in 0:bins, l in 0:bins] = mean[space](w(t, k)/sum[m in 0:bins](w(t, m))*w(x, l)/sum[m in 0:bins](w(x, m)))
    left[k in 0:bins] = sum[l in 0:bins](p[k, l])
    right[l in 0:bins] = sum[k in 0:bins](p[k, l])
    -sum[k in 0:bins, l in 0:bins](p[k, l]*log(p[k, l]/(left[k]*right[l])))
    """,
    lambda rng: (rng.uniform(size=(2, 12)), rng.uniform(size=(2, 12))),
)
def mutual_information(t, x):
    def weights(u):
        w = np.exp(-((u[..., None] - np.arange(4) / 4) ** 2) / (2 * x.dtype.type("0.2") ** 2))
        return w / w.sum(-1, keepdims=True)

    p = np.einsum("bsk,bsl->bkl", weights(t), weights(x)) / 12
    return -(p * np.log(p / (p.sum(2, keepdims=True) * p.sum(1, keepdims=True)))).sum((1, 2))


@paper(
    """
    loss style(t, x)   # Gatys, Ecker and Bethge (2016), equations 4 and 5: Gram matrices of features over all places
    g[k, l] = sum[space](x[k]*x[l])
    h[k, l] = sum[space](t[k]*t[l])
    sum[k, l]((g[k, l] - h[k, l])^2)/(4*len(x)^2*len[space](x)^2)
    """,
    images,
)
def style(t, x):
    g, h = (np.einsum("brck,brcl->bkl", z, z) for z in (x, t))
    return ((g - h) ** 2).sum((1, 2)) / (4 * 2**2 * 30**2)


@paper(
    """
    loss contextual(t, x; h = 0.5)   # Mechrez, Talmi and Zelnik-Manor (2018), equations 1 to 5
    a = t - mean[space](t)
    b = x - mean[space](t)
    d[i in space, j in space] = 1 - dot(b[i], a[j])/(norm(b[i])*norm(a[j]))
    w[i in space, j in space] = exp((1 - d[i, j]/(min[k in space](d[i, k]) + 0.00001))/h)
    -log(mean[j in space](max[i in space](w[i, j]/sum[k in space](w[i, k]))))
    """,
    lambda rng: (rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3))[:, :4]),
)
def contextual(t, x):
    a, b = t - t.mean(1, keepdims=True), x - t.mean(1, keepdims=True)
    a, b = (z / np.sqrt((z**2).sum(-1, keepdims=True)) for z in (a, b))
    d = 1 - np.einsum("bik,bjk->bij", b, a)
    w = np.exp((1 - d / (d.min(2, keepdims=True) + 1e-5)) / 0.5)
    return -np.log((w / w.sum(2, keepdims=True)).max(1).mean(1))


@paper(
    """
    loss huber_tv(t: scalar, x: scalar; d = 0.3)   # Werlberger et al. (2009): Huber's norm of the gradient
    places row, col
    g[i in row, j in col] = sqrt((x[i + 1, j] - x[i, j])^2 + (x[i, j + 1] - x[i, j])^2)
    fit = mean[space](abs(x - t))
    fit + mean[i in row, j in col](where(g[i, j] <= d, g[i, j]^2/(2*d), g[i, j] - d/2))
    """,
    maps,
)
def huber_total_variation(t, x):
    g = np.sqrt(np.diff(x, axis=1)[:, :, :-1] ** 2 + np.diff(x, axis=2)[:, :-1] ** 2)
    d = x.dtype.type("0.3")
    return abs(x - t).mean((1, 2)) + np.where(g <= d, g**2 / (2 * d), g - d / 2).mean((1, 2))


@paper(
    """
    loss gated(image, p; s = 0.3)   # Obukhov et al. (2019): labels of near pixels that look alike should agree
    places row, col
    k(i, j, a, b) = exp(-sum((image[i + a, j + b] - image[i + 1, j + 1])^2)/(2*s^2))
    apart(i, j, a, b) = 1 - dot(p[i + a, j + b], p[i + 1, j + 1])
    mean[i in row, j in col](sum[a in 0:3, b in 0:3 if a != 1 or b != 1](k(i, j, a, b)*apart(i, j, a, b)))
    """,
    lambda rng: (rng.uniform(size=(2, 4, 5, 3)), softmax(rng.normal(size=(2, 4, 5, 2)))),
)
def gated_random_field(image, p):
    s = p.dtype.type("0.3")
    found = 0
    for a in range(3):
        for b in range(3):
            if (a, b) != (1, 1):
                there = (slice(None), slice(a, a + 2), slice(b, b + 3))
                near = ((image[there] - image[:, 1:-1, 1:-1]) ** 2).sum(-1)
                found = found + np.exp(-near / (2 * s**2)) * (1 - (p[there] * p[:, 1:-1, 1:-1]).sum(-1))
    return found.mean((1, 2))


@paper(
    """
    loss contour(t: binary scalar, x: prob scalar; weight = 1.0)   # Chen et al. (2019): length, and what is inside
    places row, col
    g[i in row, j in col] = (x[i + 1, j] - x[i, j])^2 + (x[i, j + 1] - x[i, j])^2
    region = mean[space](x*(t - 1)^2 + (1 - x)*t^2)
    mean[i in row, j in col](sqrt(g[i, j] + 0.00000001)) + weight*region
    """,
    lambda rng: ((rng.uniform(size=(2, 4, 5)) > 0.5).astype(float), rng.uniform(size=(2, 4, 5))),
)
def active_contour(t, x):
    g = np.diff(x, axis=1)[:, :, :-1] ** 2 + np.diff(x, axis=2)[:, :-1] ** 2
    return np.sqrt(g + 1e-8).mean((1, 2)) + (x * (t - 1) ** 2 + (1 - x) * t**2).mean((1, 2))


@paper(
    """
    loss hausdorff(t: binary, x: prob, dt: nonneg, dx: nonneg; alpha = 2.0)   # Karimi and Salcudean (2019), equation 8
    mean[space](mean((t - x)^2*(dt^alpha + dx^alpha)))
    """,
    lambda rng: (np.array([[[0.0], [1], [1]]]), rng.uniform(size=(1, 3, 1)), *rng.uniform(0, 3, (2, 1, 3, 1))),
)
def hausdorff_by_distances(t, x, dt, dx):
    return ((t - x) ** 2 * (dt**2 + dx**2)).mean((1, 2))


@paper(
    """
    loss frequency(t: scalar, x: scalar)   # Jiang et al. (2021): differences of 2-D spectra, the hard ones weigh more
    places row, col
    e = x - t
    turn(u, v, a, b) = 2*pi*(u*a/len[row](x) + v*b/len[col](x))
    re[u in row, v in col] = sum[a in row, b in col](e[a, b]*cos(turn(u, v, a, b)))
    im[u in row, v in col] = sum[a in row, b in col](e[a, b]*sin(turn(u, v, a, b)))
    size[u in row, v in col] = re[u, v]^2 + im[u, v]^2
    top = max[u in row, v in col](sqrt(size[u, v]))
    mean[u in row, v in col](stop(sqrt(size[u, v])/top)*size[u, v])
    """,
    lambda rng: (rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))),
    has_slope=False,
)
def focal_frequency(t, x):
    size = abs(np.fft.fft2(x - t)) ** 2
    weight = np.sqrt(size) / np.sqrt(size).max((1, 2), keepdims=True)
    return (weight * size).mean((1, 2))


@paper(
    """
    loss centerline(t: scalar, x: scalar)   # Shit et al. (2021), clDice, one round; windows go on at the borders
    places row, col
    up(u) = max(0, u)
    r(i) = min(max(i, 0), len[row](x) - 1)
    c(j) = min(max(j, 0), len[col](x) - 1)
    e[i in row, j in col] = min(min(x[i, j], min(x[r(i - 1), j], x[r(i + 1), j])), min(x[i, c(j - 1)], x[i, c(j + 1)]))
    o[i in row, j in col] = max[a in 0:3, b in 0:3](e[r(i + a - 1), c(j + b - 1)])
    f[i in row, j in col] = min(min(t[i, j], min(t[r(i - 1), j], t[r(i + 1), j])), min(t[i, c(j - 1)], t[i, c(j + 1)]))
    q[i in row, j in col] = max[a in 0:3, b in 0:3](f[r(i + a - 1), c(j + b - 1)])
    precision = (sum[i in row, j in col](up(x[i, j] - o[i, j])*t[i, j]) + 1)/\
(sum[i in row, j in col](up(x[i, j] - o[i, j])) + 1)
    sensitivity = (sum[i in row, j in col](up(t[i, j] - q[i, j])*x[i, j]) + 1)/\
(sum[i in row, j in col](up(t[i, j] - q[i, j])) + 1)
    1 - 2*precision*sensitivity/(precision + sensitivity)
    """,
    maps,
)
def centerline_dice(t, x):
    def skeleton(z):
        wide = np.pad(z, ((0, 0), (1, 1), (1, 1)), mode="edge")
        sides = [wide[:, 1:-1, 1:-1], wide[:, :-2, 1:-1], wide[:, 2:, 1:-1], wide[:, 1:-1, :-2], wide[:, 1:-1, 2:]]
        eroded = np.min(sides, axis=0)
        wide = np.pad(eroded, ((0, 0), (1, 1), (1, 1)), mode="edge")
        return np.maximum(0, z - windows(wide, (3, 3), (1, 2)).max((-1, -2)))

    s, r = skeleton(x), skeleton(t)
    p = ((s * t).sum((1, 2)) + 1) / (s.sum((1, 2)) + 1)
    q = ((r * x).sum((1, 2)) + 1) / (r.sum((1, 2)) + 1)
    return 1 - 2 * p * q / (p + q)


@paper(
    """
    loss dark(t: scalar, x)   # the dark channel of He, Sun and Tang (2011), as a loss since Golts et al. (2020)
    places row, col
    j_dark[i in row, j in col] = min[a in 0:3, b in 0:3](min(x[i + a, j + b]))
    mean[i in row, j in col](abs(j_dark[i, j] - t[i + 1, j + 1]))
    """,
    lambda rng: (rng.uniform(size=(2, 5, 6)), rng.uniform(size=(2, 5, 6, 3))),
)
def dark_channel(t, x):
    return abs(windows(x.min(-1), (3, 3), (1, 2)).min((-1, -2)) - t[:, 1:-1, 1:-1]).mean((1, 2))


@paper(
    """
    loss exposure(t: scalar, x; e = 0.6)   # Guo et al. (2020), Zero-DCE: exposure of patches, constancy of colours
    places row, col
    patch[i in row, j in col] = mean[a in 0:2, b in 0:2](mean(x[i + a, j + b]))
    c = mean[space](x)
    exposed = mean[i in row, j in col if mod(i, 2) == 0 and mod(j, 2) == 0](abs(patch[i, j] - e))
    exposed + (c[0] - c[1])^2 + (c[1] - c[2])^2 + (c[2] - c[0])^2 + 0*mean[space](t)
    """,
    lambda rng: (rng.uniform(size=(2, 4, 6)), rng.uniform(size=(2, 4, 6, 3))),
)
def zero_reference_exposure(_, x):
    patch = x.reshape(2, 2, 2, 3, 2, 3).mean((2, 4, 5))
    c = x.mean((1, 2))
    apart = (c[:, 0] - c[:, 1]) ** 2 + (c[:, 1] - c[:, 2]) ** 2 + (c[:, 2] - c[:, 0]) ** 2
    return abs(patch - x.dtype.type("0.6")).mean((1, 2)) + apart


@paper(
    """
    loss poisson(u: scalar, f: scalar; h = 0.25)   # Raissi, Perdikaris and Karniadakis (2019), by differences: u'' + f
    places row, col
    lap[i in row, j in col] = (f[i + 1, j] + f[i - 1, j] + f[i, j + 1] + f[i, j - 1] - 4*f[i, j])/h^2
    mean[i in row, j in col]((lap[i, j] + u[i, j])^2)
    """,
    maps,
)
def physics_informed(u, f):
    lap = (f[:, 2:, 1:-1] + f[:, :-2, 1:-1] + f[:, 1:-1, 2:] + f[:, 1:-1, :-2] - 4 * f[:, 1:-1, 1:-1]) * 16
    return ((lap + u[:, 1:-1, 1:-1]) ** 2).mean((1, 2))


@paper(
    """
    loss quality(t: label, x)   # Lee et al. (2021), per-pixel uncertainty of segmentation: entropy of a local vote
    places row, col
    p = softmax(x)
    vote[i in row, j in col] = mean[a in 0:3, b in 0:3](p[i + a, j + b])
    mean[i in row, j in col](-log(vote[i, j, t[i + 1, j + 1]]))
    """,
    lambda rng: (rng.integers(0, 3, (2, 4, 5)), rng.normal(size=(2, 4, 5, 3))),
)
def local_vote(t, x):
    vote = windows(softmax(x), (3, 3), (1, 2)).mean((-1, -2))
    return -np.log(np.take_along_axis(vote, t[:, 1:-1, 1:-1, None], -1)).mean((1, 2, 3))

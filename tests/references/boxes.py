"""Detection.

The box losses are written for centres and sizes, as in the papers' figures, not for corners.
"""

import numpy as np

from .table import TINY, Rows, into, log_sigmoid, sigmoid

BOXES: Rows = {}
of = into(BOXES)


def boxes(rng):
    """Corners of true and predicted boxes, some of which do not meet."""
    found = {}
    for names in (("a0", "b0", "a1", "b1"), ("x0", "y0", "x1", "y1")):
        near = rng.uniform(0, 3, size=(8, 2))
        far = near + rng.uniform(0.3, 3, size=(8, 2))
        found |= dict(zip(names, (*near.T[:, :, None], *far.T[:, :, None]), strict=True))
    return found


class Pair:
    """Two boxes by centre and size, the overlap of them, and the box around both."""

    def __init__(self, a0, b0, a1, b1, x0, y0, x1, y1):
        self.true = np.array([(a0 + a1) / 2, (b0 + b1) / 2]), np.array([a1 - a0, b1 - b0])
        self.found = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), np.array([x1 - x0, y1 - y0])
        self.around = np.array([np.maximum(a1, x1) - np.minimum(a0, x0), np.maximum(b1, y1) - np.minimum(b0, y0)])

    def iou(self, ratio=1.0):
        (at, size), (other, others) = self.true, self.found
        size, others = ratio * size, ratio * others
        shared = np.minimum(at + size / 2, other + others / 2) - np.maximum(at - size / 2, other - others / 2)
        both = np.prod(np.maximum(shared, 0), axis=0)
        return both / (np.prod(size, axis=0) + np.prod(others, axis=0) - both)

    @property
    def gap(self):
        return self.found[0] - self.true[0]


@of(boxes, mean=True, low=0.05, high=0.6, eps=TINY)
def focaler_iou(*corners, low, high, eps):
    return 1 - np.interp(Pair(*corners).iou(), [low, high], [0, 1])


@of(boxes, mean=True, ratio=0.8, eps=TINY)
def inner_iou(*corners, ratio, eps):
    return 1 - Pair(*corners).iou(ratio)


@of(boxes, mean=True, width=5.0, height=7.0, eps=TINY)
def mpdiou(a0, b0, a1, b1, x0, y0, x1, y1, width, height, eps):
    diagonal = width**2 + height**2
    first = np.hypot(x0 - a0, y0 - b0) ** 2 / diagonal
    second = np.hypot(x1 - a1, y1 - b1) ** 2 / diagonal
    return 1 - (Pair(a0, b0, a1, b1, x0, y0, x1, y1).iou() - first - second)


@of(boxes, mean=True, scale=0.5, eps=TINY)
def shape_iou(*corners, scale, eps):
    pair = Pair(*corners)
    (w, h), (wide, high) = pair.true[1], pair.found[1]
    ww, hh = 2 * w**scale / (w**scale + h**scale), 2 * h**scale / (w**scale + h**scale)
    distance = (hh * pair.gap[0] ** 2 + ww * pair.gap[1] ** 2) / (pair.around**2).sum(0)
    of_width = hh * np.abs(w - wide) / np.maximum(w, wide)
    of_height = ww * np.abs(h - high) / np.maximum(h, high)
    shape = (1 - np.exp(-of_width)) ** 4 + (1 - np.exp(-of_height)) ** 4
    return 1 - pair.iou() + distance + 0.5 * shape


@of(boxes, mean=True, theta=3.0, eps=TINY)
def siou(*corners, theta, eps):
    pair = Pair(*corners)
    angle = np.arcsin(np.min(np.abs(pair.gap), axis=0) / np.hypot(*pair.gap))
    gamma = 2 - np.cos(2 * angle - np.pi / 2)
    distance = (1 - np.exp(-gamma * (pair.gap / pair.around) ** 2)).sum(0)
    change = np.abs(pair.true[1] - pair.found[1]) / np.maximum(pair.true[1], pair.found[1])
    return 1 - pair.iou() + (distance + ((1 - np.exp(-change)) ** theta).sum(0)) / 2


@of(boxes, mean=True, eps=TINY)
def wise_iou(*corners, eps):
    pair = Pair(*corners)
    return np.exp((pair.gap**2).sum(0) / (pair.around**2).sum(0)) * (1 - pair.iou())


def heat(rng):
    t = rng.uniform(size=(4, 6))
    t[:, 2] = 1
    return {"t": t, "x": 2 * rng.normal(size=(4, 6))}


def quality(rng):
    t = rng.uniform(0.1, 1, size=(4, 6))
    t[:, 3:] = 0
    return {"t": t, "x": 2 * rng.normal(size=(4, 6))}


@of(heat, mean=True, alpha=1.5, beta=3.0)
def gaussian_focal(t, x, alpha, beta):
    p = sigmoid(x)
    peak = (1 - p) ** alpha * np.log(p)
    return -np.where(t == 1, peak, (1 - t) ** beta * p**alpha * np.log(1 - p))


def cross_entropy(t, x):
    return -t * log_sigmoid(x) - (1 - t) * log_sigmoid(-x)


@of(quality, mean=True, beta=1.5)
def quality_focal(t, x, beta):
    return np.abs(t - sigmoid(x)) ** beta * cross_entropy(t, x)


@of(quality, mean=True, alpha=0.6, gamma=1.5)
def varifocal(t, x, alpha, gamma):
    return np.where(t > 0, t * cross_entropy(t, x), -alpha * sigmoid(x) ** gamma * log_sigmoid(-x))

"""Recommendation: scores of a chosen item, then of sampled ones."""

import numpy as np

from .table import Rows, into, real, sigmoid, softmax

RANKINGS: Rows = {}
of = into(RANKINGS)


@of(real("x"), penalty=0.4)
def bpr_max(x, penalty):
    chosen, sampled = x[:, :1], x[:, 1:]
    weight = softmax(sampled)
    return -np.log((weight * sigmoid(chosen - sampled)).sum(1)) + penalty * (weight * sampled**2).sum(1)


@of(real("x"), margin=0.2, weight=1.7)
def cosine_contrastive(x, margin, weight):
    return 1 - x[:, 0] + weight * np.clip(x[:, 1:] - margin, 0, None).sum(1) / (x.shape[1] - 1)


@of(real("x"), beta=0.3)
def gbce(x, beta):
    p = sigmoid(x)
    return -(np.log(p[:, 0] ** beta) + np.log(1 - p[:, 1:]).sum(1)) / x.shape[1]

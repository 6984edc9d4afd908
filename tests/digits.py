"""Values and slopes of one sample in float32 against the formula as it was written, at 400 digits.

An error counts as far as it is beyond what moving the logits by half a unit in their last place would do. Errors of
slopes are in units in the last place of the largest. Where float32 cannot tell which of two numbers is the larger,
slopes are only finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lossdsl import pipeline
from lossdsl.ir.expr import Call, Reduce
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.source import Source

DIGITS = 700
STEP = mp_numbers(DIGITS).mpf(10) ** -120
ULPS = 16.0
"""As many roundings as a dozen operations make."""
TINY = 1e-30
"""Below it a factor of what is computed may have fewer digits in float32."""
HEADER = "loss f(t: label, x)\n"

WRITTEN = (
    # formula, label, logits
    ("-log(softmax(x)[t])", 0, (-110.0, 0.0, 1.0)),
    ("p = exp(x)/sum(exp(x))\n-log(p[t])", 0, (-110.0, 0.0, 1.0)),
    ("log(2 + exp(x[0]) + 0.5)", 0, (100.0, 0.0, 0.0)),
    ("log(2 + exp(x[0]))", 0, (1.0, 0.0, 0.0)),
    ("log(sum(exp(x)))", 0, (100.0, 100.0, -100.0)),
    ("log(sum(exp(x)))", 0, (-200.0, -200.0, -300.0)),
    ("log(where(t == 1, sigmoid(x[0]), 1 - sigmoid(x[0])))", 1, (-110.0, 0.0, 0.0)),
    ("p = softmax(x)[t]\n-(1 - p)^0.5*log(p)", 0, (17.0, 0.0, 0.5)),
    ("p = softmax(x)[t]\n-(1 - p)^2*log(p)", 0, (40.0, 0.0, 0.5)),
    ("-log(1 - softmax(x)[t])", 0, (200.0, 1.0, 2.0)),
    ("logsumexp(x) - x[t]", 0, (30.0, 0.0, -3.0)),
    ("logsumexp(x) - 0.9*x[t] - 0.1*mean(x)", 1, (1000000.0, 1000001.0, 999998.0)),
    ("log(sigmoid(x[0]) - sigmoid(x[1]))", 0, (60.0, 59.0, 0.0)),
    ("log(norm_cdf(x[0]) - norm_cdf(x[1]))", 0, (-9.0, -10.0, 0.0)),
    ("log(1 - norm_cdf(x[0]))", 0, (9.0, 0.0, 0.0)),
    ("-log(1 - prod(1 - sigmoid(x)))", 0, (-110.0, -120.0, -130.0)),
    ("1 - prod(1 - sigmoid(x))", 0, (-30.0, -20.0, -25.0)),
    ("-log(sum(0.3*exp(-abs(x))))", 0, (200.0, 210.0, 190.0)),
    ("log(sum[j if j != 1](exp(x[j])))", 0, (-150.0, 3.0, -151.0)),
    ("sum[j if j < 2](log(1 - sigmoid(x[j])))", 0, (100.0, -100.0, 3.0)),
    ("-log(softmax(x)[t] + 1e-7)", 0, (12.0, 0.0, 0.5)),
    ("sigmoid(x[0])/sigmoid(x[1])", 0, (-200.0, -201.0, 0.0)),
    ("log(sigmoid(x[0])/(1 - sigmoid(x[0])))", 0, (0.0001, 0.0, 0.0)),
    ("softplus(x[0]) - x[0]", 0, (20.0, 0.0, 0.0)),
    ("abs(x[0]) - log(1 + abs(x[0]))", 0, (0.0001, 0.0, 0.0)),
    ("exp(x[0]) - x[0] - 1", 0, (0.0001, 0.0, 0.0)),
    ("sqrt(1 - sigmoid(x[0]))", 0, (60.0, 0.0, 0.0)),
    ("log(1 - tanh(x[0])^2)", 0, (90.0, 0.0, 0.0)),
    ("log(0.5*(1 + erf(x[0])))", 0, (-12.0, 0.0, 0.0)),
    ("2*sigmoid(x[0]) - 1", 0, (0.0001, 0.0, 0.0)),
    ("log(1 - exp(-exp(x[0])))", 0, (90.0, 0.0, 0.0)),
    ("exp(x[0])*exp(-exp(x[0]))", 0, (90.0, 0.0, 0.0)),
    ("1/cosh(x[0])^2", 0, (90.0, 0.0, 0.0)),
    ("cosh(x[0]) - 1", 0, (0.0001, 0.0, 0.0)),
    ("(sqrt(x[0]) - sqrt(x[1]))^2", 0, (3.0, 3.0001, 0.0)),
    ("1 - 1/(1 + x[0]^2)", 0, (0.0001, 0.0, 0.0)),
    ("(1 + x[0]^2)^0.3 - 1", 0, (0.0001, 0.0, 0.0)),
    ("p = softmax(x)\n-log(p[0] + p[1])", 0, (30.0, 0.0, -3.0)),
    ("p = softmax(x)\n-log(1 - p[0] - p[1])", 0, (200.0, -150.0, 3.0)),
    ("p = softmax(x)\n-sum(onehot(t)*log(p) + (1 - onehot(t))*log(1 - p))", 1, (200.0, -150.0, 3.0)),
    ("-log(sum[j if j < 2](softmax(x)[j]))", 0, (30.0, 0.0, -3.0)),
    ("-log(sum(softmax(x)*sigmoid(x)))", 0, (30.0, 0.0, -3.0)),
    ("p = softmax(x)\n1 - sum(p^2)", 0, (30.0, 0.0, -3.0)),
    ("p = softmax(x)\n-log(1 - sum(p^2))", 0, (30.0, 0.0, -3.0)),
    ("1 - sqrt(softmax(x)[t])", 0, (30.0, 0.0, -3.0)),
    ("-log(max(softmax(x)))", 0, (30.0, 0.0, -3.0)),
    ("-log(mean(exp(x)))", 0, (200.0, -150.0, 3.0)),
    ("abs(sigmoid(x[0]) - sigmoid(x[1]))", 0, (0.0001, 0.0, 0.0002)),
    ("log(exp(x[0]) + exp(-x[0]))", 0, (0.0001, 0.0, 0.0)),
    ("log(1 + sum[j if j != t](exp(x[j] - x[t])))", 0, (-110.0, 0.0, 1.0)),
    ("p = 0.7*sigmoid(x[0]) + 0.3\n-log(p)", 0, (30.0, 0.0, -3.0)),
    ("(1/sigmoid(x[0]))^0.5", 0, (-110.0, 0.0, 1.0)),
    ("e = x[0] - x[1]\n2*e^2/(e^2 + 4)", 0, (30.0, 0.0, -3.0)),
    ("sqrt(x[0]^2 + 1e-6) - 1e-3", 0, (0.0001, 0.0, 0.0)),
    ("exp(x[0])/(1 + exp(x[0]))^2", 0, (30.0, 0.0, 0.0)),
    ("(1 - exp(-x[0]))/(1 + exp(-x[0]))", 0, (-110.0, 0.0, 0.0)),
    ("m = max(x)\nlog(sum(exp(x - m))) + m - x[t]", 0, (30.0, 0.0, -3.0)),
    ("logsumexp(x) - sum(softmax(x)*x)", 0, (30.0, 0.0, -3.0)),
    ("sum((softmax(x) - onehot(t))^2)", 0, (30.0, 0.0, -3.0)),
    ("p = softmax(x)\n-(1 - sum(onehot(t)*p)^0.7)/0.7", 0, (30.0, 0.0, -3.0)),
    ("0.5*x[0] + 0.5*x[1]^2*exp(-x[0])", 0, (-110.0, 0.0, 1.0)),
    ("s = exp(x[0])\n0.5*log(s) + 0.5*x[1]^2/s", 0, (-110.0, 0.0, 1.0)),
    ("exp(x[0])*exp(-x[0])*x[1]", 0, (-110.0, 2.0, 1.0)),
    ("log(1 + x[0]^2*exp(x[1]))", 0, (-20.0, -25.0, -30.0)),
    ("log(exp(x[0]) - 1 + exp(-x[0]))", 0, (200.0, 0.0, 0.0)),
    ("log(norm(exp(x)))", 0, (200.0, -150.0, 3.0)),
    ("sinh(x[0])/cosh(x[0])", 0, (110.0, 0.0, 0.0)),
    ("log(sinh(abs(x[0]) + 0.1))", 0, (110.0, 0.0, 0.0)),
    ("(1 - 0.5*(1 + erf(x[0]/8)))^0.5", 0, (18.0, 0.0, 0.0)),
    ("-log(cumsum(softmax(x))[t])", 0, (-110.0, 0.0, 1.0)),
    ("-log(1 - cumsum(softmax(x))[t])", 1, (0.0, 1.0, -110.0)),
    ("log(exp(softplus(x[0])) - 1)", 0, (-110.0, 0.0, 1.0)),
    ("p = sigmoid(x)\n-log(p[0] + p[1] - p[0]*p[1])", 0, (17.0, 0.0, 0.5)),
    ("h = sigmoid(x)\n-log(1 - prod[k if k <= t](1 - h[k]))", 1, (-110.0, -111.0, 1.0)),
    ("a = softplus(x[0])\nb = softplus(x[1])\n-log(a/(a + b))", 0, (-200.0, -210.0, 0.0)),
    ("-log(norm_cdf(x[0] + exp(x[1])) - norm_cdf(x[0]))", 0, (-20.0, -25.0, 0.0)),
    ("-log(sigmoid(x[0] + softplus(x[1])) - sigmoid(x[0]))", 0, (20.0, -25.0, 0.0)),
    ("-log(exp(-exp(x[0])) - exp(-exp(x[0])*2))", 0, (-110.0, 0.0, 1.0)),
    ("atanh(2*sigmoid(x[0]) - 1)", 0, (30.0, 0.0, 0.0)),
    ("p = softmax(x)\n-sum[k](p[k]*log(p[k]))", 0, (-200.0, -210.0, -190.0)),
    ("log((exp(x[0]) - exp(x[1]))^2)", 0, (-110.0, 100.0, 0.0)),
    ("log((exp(x[0]) - exp(x[1]))^2 + 1)", 0, (1.0, 2.0, 0.0)),
    ("log(abs(1 - exp(x[0])))", 0, (100.0, 0.0, 0.0)),
    ("sqrt((sigmoid(x[0]) - 0.7)^2)", 0, (0.3, 0.0, 0.0)),
    ("((softmax(x)[0] - softmax(x)[1])^2)^0.3", 0, (-3.0, 0.0, 1.0)),
    ("1 - (sigmoid(x[0]) - sigmoid(x[1]))^2", 0, (-30.0, 30.0, 1.0)),
    ("log(1 - (sigmoid(x[0]) - sigmoid(x[1]))^2)", 0, (-110.0, 0.0, 1.0)),
    ("1 - (x[0] + exp(x[1]))^2", 0, (-11.0, 0.0, 1.0)),
    ("log(sum((exp(x) - 1)^2))", 0, (0.3, -0.7, 1.1)),
    ("log(sum((softmax(x) - onehot(t))^2))", 0, (200.0, 0.0, 3.0)),
    ("log(max(x[0] + 1, exp(x[0])))", 0, (-110.0, 0.0, 1.0)),
    ("(exp(x[0]) - exp(x[1]))^2/(exp(x[0]) + exp(x[1]))^2", 0, (30.0, 0.0, 0.0)),
    ("-log(1 - abs(t - sigmoid(x[0])))", 0, (30.0, 0.0, 0.0)),
    ("-log(1 - (t - sigmoid(x[0]))^2)", 0, (30.0, 0.0, 0.0)),
    ("mean(x^2) - mean(x)^2", 0, (1000.0, 1001.0, 1002.0)),
    ("tanh(x[0]/exp(x[1]))", 0, (200.0, -150.0, 3.0)),
    ("erf(x[0]/exp(x[1]))", 0, (200.0, -150.0, 3.0)),
    ("1 - exp(-x[0]^2/exp(x[1]))", 0, (200.0, -150.0, 3.0)),
    ("log(1 - exp(-exp(x[0])*exp(x[1])))", 0, (200.0, -150.0, 3.0)),
    ("p = softmax(x)[t]\n1/p - 1", 0, (17.0, 0.0, 0.5)),
    ("p = softmax(x)[t]\np^(-0.5) - 1", 0, (17.0, 0.0, 0.5)),
    ("s = sigmoid(x[0])\nlog(s^2 + (1 - s)^2)", 0, (17.0, 0.0, 0.5)),
    ("p = softmax(x)[t]\n-log(p) + (1 - p)^2/2 + 1 - p", 0, (17.0, 0.0, 0.5)),
    ("p = softmax(x)[t]\nlog(2 - p)", 0, (17.0, 0.0, 0.5)),
    ("p = sigmoid(x[0])\nq = sigmoid(x[1])\n1 - p*q - (1 - p)*(1 - q)", 0, (-20.0, -25.0, -30.0)),
    ("p = sigmoid(x[0])\nq = sigmoid(x[1])\n1 - sqrt(p*q) - sqrt((1 - p)*(1 - q))", 0, (-20.0, -25.0, -30.0)),
    ("p = softmax(x)[t]\np - log(p) - 1", 0, (-20.0, -25.0, -30.0)),
    ("p = softmax(x)[t]\n1/p - 1 + log(p)", 0, (17.0, 0.0, 0.5)),
    ("log(1 + exp(x[0]) + exp(x[1])) - x[0]", 0, (17.0, 0.0, 0.5)),
    ("-log(exp(x[t])/(1 + sum(exp(x))))", 0, (17.0, 0.0, 0.5)),
    ("max(x) - logsumexp(x)", 0, (17.0, 0.0, 0.5)),
    ("logsumexp(2*x) - 2*logsumexp(x)", 0, (17.0, 0.0, 0.5)),
    ("1 - sum(softmax(x)^1.5)", 0, (17.0, 0.0, 0.5)),
    ("-log(sum(softmax(x)^1.5))", 0, (17.0, 0.0, 0.5)),
    ("-sum(softmax(x)^2*log(softmax(x)))", 0, (17.0, 0.0, 0.5)),
    ("p = softmax(x)[t]\n-log(-log(1 - p))", 0, (-110.0, 0.0, 1.0)),
    ("log(1 - (1 - softmax(x)[t])^10)", 0, (-110.0, 0.0, 1.0)),
    ("2*acos(sqrt(softmax(x)[t]))", 0, (30.0, 0.0, -3.0)),
    ("asin(sqrt(1 - softmax(x)[t]))", 0, (-110.0, 0.0, 1.0)),
    ("atanh(1 - softmax(x)[t])", 1, (30.0, 0.0, -3.0)),
    ("sqrt(1 - sum(sqrt(softmax(x)*onehot(t))))", 0, (30.0, 0.0, -3.0)),
    ("1 - sum(sqrt(softmax(x)*softmax(2*x)))", 0, (30.0, 0.0, -3.0)),
    ("-log(sum(sigmoid(x)*onehot(t)))", 0, (17.0, 0.0, 0.5)),
    ("log(mean(exp(x))) - mean(x)", 0, (1000.0, 999.0, 1001.0)),
    ("log(x[0] + sqrt(x[0]^2 + 1))", 0, (-110.0, 0.0, 1.0)),
    ("p = softmax(x)\nsum(p*x^2) - sum(p*x)^2", 0, (17.0, 0.0, 0.5)),
    ("lgamma(abs(x[0]) + abs(x[1]) + 1) - lgamma(abs(x[0]) + 1) - lgamma(abs(x[1]) + 1)", 0, (50000.0, 1.0, 0.0)),
    ("a = softplus(x) + 1\nlog(sum(a)) - log(a[t])", 0, (50000.0, 1.0, -50000.0)),
    ("1 - max[j if j != t](softmax(x)[j])", 1, (17.0, 0.0, 0.5)),
    ("-log(1 - sum[j if j != t](softmax(x)[j]^2))", 1, (30.0, 0.0, -3.0)),
    ("s = tanh(x)\n-log((1 + s[0])/2)", 0, (-110.0, 0.0, 1.0)),
    ("s = erf(x/8)\n-log(1 + s[t])", 0, (-110.0, 0.0, 1.0)),
    ("lgamma(abs(x[0]) + abs(x[1]) + 1) - lgamma(abs(x[0]) + 1) - lgamma(abs(x[1]) + 1)", 0, (1.0, 50000.0, 0.0)),
    ("lgamma(abs(x[1]) + 1) + lgamma(abs(x[0]) + 1) - lgamma(abs(x[0]) + abs(x[1]) + 2)", 0, (3.0, 3.0, 0.0)),
    ("log(sum(x)) - log(x[t])", 0, (1e-30, 1e10, 2.0)),
    ("F = cumsum(softmax(x))\n-log((1 - F)[t])", 0, (200.0, -150.0, 3.0)),
    ("F = cumsum(softmax(x))\n-log((1 - F)[t])", 1, (30.0, 0.0, -3.0)),
    ("F = cumsum(softmax(x))\n-sum[j if j < 2](log(1 - F[j]))", 0, (30.0, 0.0, -3.0)),
    ("F = cumsum(softmax(x))\nsum((1 - F)*F)", 0, (17.0, 0.0, 0.5)),
    ("F = cumsum(softmax(x))\nsum(F*log(F))", 0, (-110.0, 0.0, 1.0)),
    ("sum(log(cumsum(exp(x))))", 0, (200.0, -150.0, 3.0)),
    ("sum(log(cumsum(exp(x))) - x)", 0, (20.0, 21.0, 18.0)),
    ("sum(t*log(cumsum(sigmoid(x))))", 1, (-40.0, -35.0, 3.0)),
    ("S = sum(exp(x)) - cumsum(exp(x))\n-log(S[t])", 0, (30.0, 0.0, -3.0)),
    ("S = cumsum(exp(x)) - exp(x)\n-log(S[2] + 1)", 0, (-30.0, -20.0, 3.0)),
    ("h = 1 - exp(-exp(x))\n-sum(log(1 - h))", 0, (3.0, 3.0, -2.0)),
    ("-log(max[j if j != t](softmax(x)[j]))", 0, (200.0, -150.0, 3.0)),
    ("-log(1 - max[j if j != t](softmax(x)[j]))", 1, (30.0, 0.0, -3.0)),
    ("p = softmax(x)\n-log(p[t]) + log(max[j if j != t](p[j]))", 0, (200.0, -150.0, 3.0)),
    ("p = softmax(x)\n-log(p[t]/(p[t] + max[j if j != t](p[j])))", 0, (17.0, 0.0, 0.5)),
    ("-log(max[j if j != t](sigmoid(x[j])))", 1, (17.0, 0.0, 0.5)),
    ("u = 3/(sum(softplus(x)) + 3)\n-log(1 - u)", 0, (-20.0, -25.0, -30.0)),
    ("u = 1/(softplus(x[0]) + 1)\n-log(1 - u)", 0, (-110.0, 0.0, 1.0)),
    ("1 - 3/(sum(exp(x)) + 3)", 0, (200.0, -150.0, 3.0)),
    ("sqrt(1 + exp(x[0])) - 1", 0, (-20.0, 0.0, 0.0)),
    ("(1 + exp(x[0]))^3 - 1", 0, (-20.0, 0.0, 0.0)),
    ("1/sqrt(1 + exp(x[0])) - 1", 0, (200.0, 0.0, 0.0)),
    ("1 - 1/(1 + exp(x[0]))^2", 0, (-20.0, 0.0, 0.0)),
    ("nu = abs(x[0])\n0.5*(nu + 1)*log(1 + x[1]^2/nu) + lgamma(nu/2) - lgamma((nu + 1)/2) + 0.5*log(nu)", 0,
     (1e6, 2.0, 0.0)),
    ("nu = abs(x[0])\nlgamma(nu/2) - lgamma((nu + 1)/2)", 0, (1e-6, 0.0, 0.0)),
    ("lgamma(abs(x[0])) - lgamma(abs(x[0]) + 0.5)", 0, (1e-6, 0.0, 0.0)),
    ("p = softmax(x)\nlog(p[0] + p[1]*0.5)", 0, (17.0, 0.0, 0.5)),
    ("F = cumsum(softmax(x))\n-log(F[2] - F[0])", 0, (200.0, -150.0, 3.0)),
    ("F = cumsum(softmax(x))\n-log(where(t > 0, F[t] - F[t - 1], F[0]))", 1, (-110.0, -120.0, 1.0)),
    ("h = sigmoid(x)\nS = exp(cumsum(log(1 - h)))\n-sum(log(1 - S))", 0, (-110.0, -105.0, -120.0)),
    ("s = sort(softmax(x))\nlog(s[2]/s[0])", 0, (-110.0, 0.0, 200.0)),
    ("s = -sort(-softmax(x))\n-log(s[1]) - log(1 - s[0])", 0, (30.0, -150.0, 3.0)),
    ("c = cumsum(sort(softmax(x)))\n-log(1 - c[1])", 0, (200.0, -150.0, 3.0)),
    ("p = normalize(exp(x))\n-log(p[t])", 0, (-110.0, 200.0, 3.0)),
    ("p = normalize(exp(x))\np[1]", 0, (-110.0, 199.0, 200.0)),
    ("p = softmax(x)\nw = (1 - p)/sum(1 - p)\n-log(1 - w[t])", 0, (30.0, 0.0, -3.0)),
    ("p = max[j if j != t](sigmoid(x[j]))*exp(-x[1]^2/2)\n(1 - p)^0.5", 0, (0.0, 0.0, 1.0)),
    ("-log(1 - (1 - (1 - cumsum(softmax(x)))[0])*(1 - softmax(x)[t]))", 0, (0.0, 0.0, 18.0)),
    ("z = x/norm(x)\nlog(sum(exp(10*z))) - 10*z[t]", 0, (30.0, 0.0, -3.0)),
    ("log(sum(exp(2*x))) - 2*x[t]", 0, (-20.0, -25.0, -30.0)),
    ("d = (x - 1)^2\nlog(sum(exp(-d))) + d[t]", 1, (30.0, 0.0, -3.0)),
    ("d = abs(x - 2)\n-log(exp(-d[t])/sum(exp(-d)))", 0, (-20.0, -25.0, -30.0)),
    ("z = x - mean(x)\n-log(exp(z[t])/sum(exp(z)))", 0, (17.0, 0.0, 0.5)),
    ("z = x - mean(x)\nlogsumexp(z) - z[t]", 0, (17.0, 0.0, 0.5)),
    ("p = sigmoid(x)\nlog(sum(p)) - log(p[t])", 0, (-20.0, -25.0, -30.0)),
    ("u = softplus(x)\n-log(u[t]/sum(u))", 0, (-200.0, -210.0, -190.0)),
    ("p = 1/(1 + x^2)\n-log(p[t]/sum(p))", 1, (50000.0, 1.0, -50000.0)),
    ("k = exp(x[0])\nl = exp(x[1])\n-log(1/(1 + (2/l)^k))", 0, (30.0, 0.0, -3.0)),
    ("k = softplus(x[0])\nl = exp(x[1])\n-log(1 - exp(-(2/l)^k))", 0, (-110.0, 30.0, 0.0)),
    ("a = softplus(x[0])\n-log(1 - 0.3^a)", 0, (-110.0, 0.0, 0.0)),
    ("g = softplus(x[0])\np = softmax(x)[t]\n-(1 - p)^g*log(p)", 0, (17.0, 0.0, 0.5)),
    ("u = exp(x) + 1\nsum(lgamma(u)) - lgamma(sum(u))", 0, (30.0, 0.0, -3.0)),
    ("u = softplus(x) + 1\ndigamma(sum(u)) - digamma(u[t])", 0, (50000.0, 1.0, -50000.0)),
    ("p = exp(x)\nq = p/(sum(p) + 1)\n-log(1 - q[t])", 0, (30.0, 0.0, -3.0)),
    ("p = exp(x)\nq = p/(sum(p) + 0.1)\n-sum(log(1 - q))", 0, (200.0, 0.0, -3.0)),
    ("p = sigmoid(x)\nq = p/sum(p)\n-sum(log(1 - q))", 0, (-110.0, -120.0, -105.0)),
    ("p = sigmoid(x[0])\n-log(1 - (1 - p^2)^3)", 0, (-110.0, 0.0, 1.0)),
    ("p = sigmoid(x[0])\n-log(1 - p + p*sigmoid(x[1]))", 0, (200.0, -150.0, 3.0)),
    ("p = sigmoid(x)\nm = (p[0] + p[1] + p[2])/3\n-m*log(m) - (1 - m)*log(1 - m)", 0, (1000.0, 999.0, 1001.0)),
    ("p = sigmoid(x[0])\n-log(1 - (0.7*p + 0.3))", 0, (30.0, 0.0, 0.0)),
    ("p = sigmoid(x[0])\nasin(sqrt(p))", 0, (200.0, 0.0, 0.0)),
    ("p = sigmoid(x[0])\natanh(p) - p", 0, (30.0, 0.0, 0.0)),
    ("-log_softmax(3.3*x)[t]", 0, (5.3, 0.1, -3.2)),
    ("-log(1 - softmax(x/3)[t])", 0, (50.3, 0.1, -3.2)),
    ("p = softmax(x)[t]\n-log(1 - p*(2 - p))", 0, (30.0, 0.0, -3.0)),
    ("p = softmax(x)\n1 - 2*p[t]/(1 + sum(p^2))", 0, (-20.0, -25.0, -30.0)),
    ("s = sigmoid(x[0])\n-log(3*s^2 - 2*s^3)", 0, (17.0, 0.0, 0.5)),
    ("s = sigmoid(x[0])\n-log(1 - 3*s^2 + 2*s^3)", 0, (30.0, 0.0, -3.0)),
    ("s = sigmoid(x[0])\n-log((1 - s)/(1 + s))", 0, (200.0, -150.0, 3.0)),
    ("s = sigmoid(x[0])\n-log(2*s/(1 + s^2))", 0, (17.0, 0.0, 0.5)),
    ("s = tanh(x[0]/2)\n-log((1 - s^2)/4)", 0, (-110.0, 0.0, 1.0)),
    ("s = exp(-exp(x[1]))\n-log(1 - s + s^2 - s^3)", 0, (200.0, -150.0, 3.0)),
    ("p = softmax(x)\n-log(p[t]^3 + 3*p[t]^2*(1 - p[t]))", 0, (-20.0, -25.0, -30.0)),
    ("k = exp(x[2])\n-log(((1 + k)^2 - 1)/(1 + k)^2)", 0, (-20.0, -25.0, -30.0)),
    ("w = softmax(x)\n-log(sum[k](w[k]*(sigmoid((0.104 - x[k])*3) - sigmoid((0.096 - x[k])*3))))", 0,
     (1e3, 999.0, 1001.0)),
    ("w = softmax(x)\n-log(sum[k](w[k]*(norm_cdf(0.5 - x[k]) - norm_cdf(-0.5 - x[k]))))", 0, (-20.0, -25.0, -30.0)),
    ("s = 0.5 + atan(x[0])/pi\n-log(s) - log(1 - s)", 0, (5e4, 1.0, -5e4)),
)
"""What papers write, at logits where the plain form has no digit left, or is infinite."""


class Truth:
    """The value of a loss of one sample, and its difference quotients, at any logits."""

    def __init__(self, text: str, label: int) -> None:
        self.loss = pipeline.program(pipeline.parsed(Source(text))).loss
        self.m = mp_numbers(DIGITS)
        self.label = label

    def evaluated(self, row):
        m = self.m
        (t,), (x,) = (spec.nodes for spec in self.loss.inputs)
        logits = np.empty((1, 1, len(row)), dtype=object)
        logits[0, 0, :] = row
        given = {t: filled([[self.label]], m), x: logits}
        return evaluate([self.loss.result], given, m, {"batch": 1, "space": 1, "last": len(row)})

    def value(self, row):
        return self.evaluated(row)[self.loss.result].ravel()[0]

    def has_close_choice(self, row):
        """Whether two numbers that are compared are nearer to each other than float32 can tell."""
        done = self.evaluated([self.m.mpf(float(one)) for one in row])
        for node, found in done.items():
            if isinstance(node, Call) and node.op.name in ("max", "min", "lt", "le", "gt", "ge"):
                pairs = np.broadcast(*(done[arg].ravel() for arg in node.args))
            elif isinstance(node, Reduce) and node.op.name in ("max", "min"):
                elements = sorted(done[node.arg].ravel(), key=lambda one: abs(one - found.ravel()[0]))
                pairs = [elements[:2]] if len(elements) > 1 else []
            else:
                continue
            if any(abs(a - c) <= 2.0**-22 * max(abs(a), abs(c)) for a, c in pairs):
                return True
        return False

    def at(self, row):
        """Value and slopes, as mpmath's numbers."""
        m = self.m
        exact = [m.mpf(float(one)) for one in row]
        value, slopes = self.value(exact), []
        for place in range(len(row)):
            above, below = list(exact), list(exact)
            above[place] += STEP
            below[place] -= STEP
            right, left = self.value(above) - value, value - self.value(below)
            is_kink = abs(right - left) > abs(right + left) * m.mpf(10) ** -40 + STEP * m.mpf(10) ** -60
            slopes.append(m.nan if is_kink else (right + left) / (2 * STEP))
        return [value, *slopes]


def reach(truth, row, true):
    """How far value and slopes move if the logits do by half a unit in their last place."""
    found = np.zeros(len(true))
    for signs in ((1, 1, 1), (1, -1, 1), (-1, 1, 1)):
        moved = [float(one) * (1 + sign * 2.0**-24) for one, sign in zip(row, signs, strict=True)]
        near = [abs(float(a - c)) for a, c in zip(truth.at(moved), true, strict=True)]
        found = np.maximum(found, near)
    return found


def largest_slope(truth, row, true):
    """The largest slope here, or a little aside: where all slopes are 0, no digit of theirs can be right."""
    aside = truth.at([one + 0.125 for one in row]) if not any(true[1:]) else true
    return max((abs(float(slope)) for slope in aside[1:] if truth.m.isfinite(slope)), default=0.0)


def errors(got, true, room, largest):
    """Errors in units in the last place of float32, of slopes in those of the largest, beyond what is excused."""
    found = []
    for place, (one, exact, far) in enumerate(zip(got, true, room, strict=True)):
        size = max(largest if place else abs(float(exact)), TINY)
        gap = abs(float(one) - float(exact)) - 2 * far
        found.append(np.inf if np.isnan(float(one)) else gap / float(np.spacing(np.float32(size))))
    return found


def check(
    body: str,
    label: int,
    row: Sequence[float],
    value_and_slope: Callable[[str, Any, Any], list[Any]],
    contributions: Sequence[Any] = (),
) -> str:
    """What a function that takes a text, labels and logits gives, held against the truth; in words, for a report.

    `contributions` are a value and slopes that the slopes are sums of: one is as accurate as the largest of them.
    """
    truth = Truth(HEADER + body, label)
    true = truth.at(row)
    if not all(truth.m.isfinite(one) and abs(one) < 1e37 for one in true):
        return "a kink, or no value that float32 holds"
    got = value_and_slope(HEADER + body, np.array([label], np.int32), np.array([row], np.float32))
    largest = max([largest_slope(truth, row, true), *(abs(float(one)) for one in contributions[1:])])
    worst = errors(got, true, reach(truth, row, true), largest)
    if truth.has_close_choice(row):  # the slopes are those of one piece or the other
        worst = [worst[0], *(0.0 if np.isfinite(float(one)) else np.inf for one in got[1:])]
    told = f"got {got}, right {[float(one) for one in true]}, ulps {worst}"
    assert max(worst) <= ULPS, f"{body} at {list(row)}: {told}"
    return told

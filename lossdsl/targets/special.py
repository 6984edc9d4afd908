"""Functions that no backend has, written once for all of them.

`{log}` and the like stand for what a backend calls its logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping

_TEXTS = {
    "_log_cosh": '''
def _log_cosh(a):
    """log(cosh(a)), without overflow and accurate near 0; cosh itself loses digits under XLA.

    cosh(a)^2 is 1/(1 - tanh(a)^2), and cosh(a) is exp(|a|)/(1 + tanh|a|). The tanh is the slope, and so there already.
    """
    size = {abs}(a)
    slope = {tanh}(a)
    near = size < 0.625  # where both forms are as accurate
    part = {log1p}({where}(near, -slope * slope, {abs}(slope)))
    return {where}(near, -0.5 * part, size - part)
''',
    "_excess": '''
def _excess(a, **along):
    """sum(a) - 1 of terms whose largest is 1; where that is less than 1, the others are summed by themselves."""
    total = {sum}(a, **along)
    others = {sum}(a - {floor}(a), **along)
    return {where}(total < 2.0, others + ({round}(total - others) - 1.0), total - 1.0)
''',
    "_sigmoid_gap": '''
def _sigmoid_gap(a, b, c):
    """b*sigmoid(a) - c*sigmoid(-a), by one exponential and one division.

    The slope of the exponent at 0 is that of `-a`, as the choice below is.
    """
    right = a >= 0.0
    z = {exp}({minus_size})
    return {where}(right, b - c * z, b * z - c) / (1.0 + z)
''',
    "_log_norm_cdf": '''
def _log_norm_cdf(a):
    """log of the normal distribution function; an asymptotic series far out on the left."""
    left = {minimum}(a, -8.0 * {one})
    u = 1.0 / (left * left)
    series = {log1p}(-u * (1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u * (1.0 - 9.0 * u)))))
    far = -0.5 * left * left - {log}(-left) - 0.5 * math.log(2.0 * math.pi) + series
    near = {log}(0.5 * {erfc}(-{maximum}(a, -8.0 * {one}) / math.sqrt(2.0)))
    right = {log1p}(-0.5 * {erfc}({maximum}(a, 0.0 * {one}) / math.sqrt(2.0)))
    return {where}(a < -8.0, far, {where}(a > 0.0, right, near))
''',
    "_log_bessel_i": '''
def _log_bessel_i(order, a):
    """log of the modified Bessel function of the first kind, for a > 0.

    The power series for a < 30, the expansion for large arguments beyond, and that for large orders from 15 on:
    Olver, NIST Handbook of Mathematical Functions (2010), 10.25.2, 10.40.1 and 10.41.3.
    """
    order = order + {zeros_like}(a)
    near = {minimum}(a, 30.0 * {one})
    term = order * {log}(0.5 * near) - {lgamma}(order + 1.0)
    total = term
    for m in range(1, 70):
        term = term + 2.0 * {log}(0.5 * near) - math.log(m) - {log}(order + m)
        top = {maximum}(total, term)
        total = top + {log}({exp}(total - top) + {exp}(term - top))
    far = {maximum}(a, 30.0 * {one})
    mu = 4.0 * {minimum}(order, 15.0 * {one}) ** 2
    step, series = {ones_like}(a), {ones_like}(a)
    for k in range(1, 9):
        step = -step * (mu - (2 * k - 1) ** 2) / (8.0 * k * far)
        series = series + step
    large = far - 0.5 * {log}(2.0 * math.pi * far) + {log}({maximum}(series, 1e-3 * {one}))
    nu = {maximum}(order, 15.0 * {one})
    z = a / nu
    root = {sqrt}(1.0 + z * z)
    p = 1.0 / root
    q = p * p
    u1 = p * (3.0 - 5.0 * q) / 24.0
    u2 = q * (81.0 - 462.0 * q + 385.0 * q * q) / 1152.0
    u3 = p * q * (30375.0 - 369603.0 * q + 765765.0 * q * q - 425425.0 * q * q * q) / 414720.0
    u4 = q * q * (4465125.0 - 94121676.0 * q + 349922430.0 * q * q - 446185740.0 * q ** 3 + 185910725.0 * q ** 4)
    bend = {log1p}(u1 / nu + u2 / nu**2 + u3 / nu**3 + u4 / 39813120.0 / nu**4)
    high = nu * (root + {log}(z / (1.0 + root))) - 0.5 * {log}(2.0 * math.pi * nu) - 0.5 * {log}(root) + bend
    return {where}(order >= 15.0, high, {where}(a < 30.0, total, large))
''',
}


def helpers(names: Mapping[str, str]) -> dict[str, str]:
    """The functions under a backend's names; those for which it lacks a name are left out."""
    found = {}
    for name, text in _TEXTS.items():
        try:
            found[name] = text.format_map(names)
        except KeyError:
            continue
    return found


def _plain(prefix: str, *functions: str) -> dict[str, str]:
    return {name: f"{prefix}.{name}" for name in functions}


_COMMON = ("abs", "exp", "expm1", "floor", "log", "log1p", "maximum", "minimum", "round", "sqrt", "tanh")
NUMPY = {
    **_plain("np", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    "one": "1.0",
    "minus_size": "np.where(right, -a, a)",
}
TENSORFLOW = {
    **_plain("tf.math", *_COMMON, "erfc", "lgamma"),
    **_plain("tf", "where", "ones_like", "zeros_like"),
    "one": "1.0",
    "minus_size": "tf.math.minimum(-a, a)",  # written as in the rows of softplus and log_sigmoid, it is computed once
}
JAX = {
    **_plain("jnp", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    "lgamma": "jsp.gammaln",
    "one": "1.0",
    "minus_size": "jnp.where(right, -a, a)",
}
TORCH = {
    **_plain("torch", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    "lgamma": "torch.special.gammaln",
    "one": "torch.ones_like(a)",
}
KERAS = {**_plain("ops", *_COMMON, "sum", "where", "ones_like", "zeros_like"), "one": "1.0"}

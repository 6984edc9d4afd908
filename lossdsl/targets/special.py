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
    "_polynomial": '''
def _polynomial(a, *numbers):
    """A polynomial in a; the number of the highest power comes first."""
    found = numbers[0]
    for number in numbers[1:]:
        found = found * a + number
    return found
''',
    "_log1pmx": '''
def _log1pmx(a):
    """log1p(a) - a. Near 0 by s = a/(2 + a), of which log1p(a) is 2*atanh(s), and 2*s - a is -a*s."""
    near = (a > -0.75) & (a < 3.0)
    u = {where}(near, a, {zero})
    s = u / (2.0 + u)
    z = s * s
    return {where}(near, s * (2.0 * z * _polynomial(z, {ATANH}) - u), {log1p}({where}(near, {zero}, a)) - a)
''',
    "_expm1mx": '''
def _expm1mx(a):
    """exp(a) - 1 - a."""
    near = {abs}(a) < 2.0
    u = {where}(near, a, {zero})
    return {where}(near, u * u * _polynomial(u, {EXP}), {expm1}({where}(near, {zero}, a)) - a)
''',
    "_log1mexp": '''
def _log1mexp(a):
    """log(1 - exp(a)) for a < 0: Maechler, Accurately Computing log(1 - exp(-|a|)) (2012)."""
    near = a > -0.6931472
    close = {log}(-{expm1}({where}(near, a, -{oneself})))
    return {where}(near, close, {log1p}(-{exp}({where}(near, -{oneself}, a))))
''',
    "_log_softplus": '''
def _log_softplus(a):
    """log(log(1 + exp(a))). Far on the left it is a - u/2 + 5*u^2/24, with u = exp(a)."""
    far = a < -15.0
    u = {exp}({where}(far, a, -15.0 * {oneself}))
    near = {where}(far, {zero}, a)
    size = {where}(near < 0.0, -near, near)
    softplus = {where}(near < 0.0, {zero}, near) + {log1p}({exp}(-size))
    return {where}(far, a - u * (0.5 - u * (5.0 / 24.0)), {log}(softplus))
''',
    "_softplus_share": '''
def _softplus_share(a):
    """sigmoid(a)/log(1 + exp(a)), which is 1 - u/2 + 5*u^2/12 far on the left, with u = exp(a)."""
    far = a < -15.0
    u = {exp}({where}(far, a, -15.0 * {oneself}))
    near = {where}(far, {zero}, a)
    size = {where}(near < 0.0, -near, near)
    z = {exp}(-size)
    softplus = {where}(near < 0.0, {zero}, near) + {log1p}(z)
    share = {where}(near < 0.0, z, {oneself}) / ((1.0 + z) * softplus)
    return {where}(far, 1.0 - u * (0.5 - u * (5.0 / 12.0)), share)
''',
    "_mulexp": '''
def _mulexp(a, b):
    """a*exp(b), and 0 where a is 0, whatever b is there."""
    return a * {exp}({where}(a == 0.0, {zero}, b))
''',
    "_logdiffexp": '''
def _logdiffexp(a, b):
    """log(exp(a) - exp(b)) for a > b."""
    return a + _log1mexp(b - a)
''',
    "_mills": '''
def _mills(a):
    """exp(a^2/2)*norm_cdf(-a) for a >= 0, which falls from 1/2 like 1/a: a polynomial in
    (a - 5)/(a + 5), over a + 5.
    """
    return _polynomial(1.0 - 10.0 / (a + 5.0), {MILLS}) / (a + 5.0)
''',
    "_exp_square": '''
def _exp_square(a, factor):
    """exp(-factor*a^2) for a >= 0. The square of a number of few digits has no rounding error to be magnified."""
    a = {where}(a < 64.0, a, 64.0 * {oneself})
    part = {floor}(16.0 * a) * 0.0625
    return {exp}(-factor * part * part) * {exp}(-factor * (a - part) * (a + part))
''',
    "_erfc": '''
def _erfc(a):
    """1 - erf(a)."""
    size = {where}(a < 0.0, -a, a)  # whose slope at 0 is 1, as below
    tail = 2.0 * _exp_square(size, 1.0) * _mills(math.sqrt(2.0) * size)
    return {where}(a < 0.0, 2.0 - tail, tail)
''',
    "_norm_cdf": '''
def _norm_cdf(a):
    """The distribution function of the standard normal."""
    size = {where}(a < 0.0, -a, a)
    tail = _exp_square(size, 0.5) * _mills(size)
    return {where}(a < 0.0, tail, 1.0 - tail)
''',
    "_log_norm_cdf": '''
def _log_norm_cdf(a):
    """log(norm_cdf(a))."""
    size = {where}(a < 0.0, -a, a)
    tail = _exp_square(size, 0.5) * _mills(size)
    return {where}(a < 0.0, {log}(_mills(size)) - 0.5 * size * size, {log1p}(-tail))
''',
    "_norm_hazard": '''
def _norm_hazard(a):
    """The slope of log(norm_cdf(a)): the density over the distribution function."""
    size = {where}(a < 0.0, -a, a)
    density, mills = _exp_square(size, 0.5), _mills(size)
    return {where}(a < 0.0, 1.0 / mills, density / (1.0 - density * mills)) / math.sqrt(2.0 * math.pi)
''',
    "_norm_mean": '''
def _norm_mean(a, b):
    """The mean of exp(-a*u - u^2/2) for |u| < b, where b*(|a| + b) is at most 1/4, by eight points of Gauss's."""
    found = {zero}
    for place, weight in {GAUSS}:
        u = place * b
        found = found + 0.5 * weight * ({exp}(-u * (0.5 * u + a)) + {exp}(-u * (0.5 * u - a)))
    return found
''',
    "_norm_quotient": '''
def _norm_quotient(a, b):
    """log(norm_cdf(-b)/norm_cdf(-a)) for 0 <= a < b."""
    return {log}(_mills(b) / _mills(a)) - 0.5 * (b - a) * (b + a)
''',
    "_log_norm_cdf_diff": '''
def _log_norm_cdf_diff(a, b):
    """log(norm_cdf(a) - norm_cdf(b)) for a > b.

    As the integral of the density where a and b are near; else from the side on which the values are small.
    """
    turned = a + b > 0.0
    high, low = {where}(turned, -b, a), {where}(turned, -a, b)
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    near = half * (half - middle) < 0.25
    u, v = {where}(near, middle, {zero}), {where}(near, half, 0.25 * {oneself})
    close = {log}(2.0 * v * _norm_mean(u, v)) - 0.5 * u * u - 0.5 * math.log(2.0 * math.pi)
    across = high > 0.0
    tails = _norm_cdf({where}(across, low, -{oneself})) + _norm_cdf({where}(across, -high, -{oneself}))
    aside = near | across
    x, y = {where}(aside, {zero}, -high), {where}(aside, {oneself}, -low)
    far = {log}(_mills(x)) - 0.5 * x * x + _log1mexp(_norm_quotient(x, y))
    return {where}(near, close, {where}(across, {log1p}(-tails), far))
''',
    "_norm_share": '''
def _norm_share(a, b):
    """The slope of log(norm_cdf(a) - norm_cdf(b)) in a: the density at a over the difference, by the same cases."""
    middle, half = 0.5 * (a + b), 0.5 * (a - b)
    size = {where}(middle < 0.0, -middle, middle)
    near = half * (half + size) < 0.25
    u, v = {where}(near, middle, {zero}), {where}(near, half, 0.25 * {oneself})
    close = {exp}(-0.5 * v * ({where}(near, a, {zero}) + u)) / (2.0 * v * _norm_mean(u, v))
    right, left = b >= 0.0, a <= 0.0
    across = ~(right | left)
    x = {where}(near | across, {zero}, {where}(left, -a, b))
    y = {where}(near | across, {oneself}, {where}(left, -b, a))
    drop = {where}(left, {zero}, -0.5 * (y - x) * (y + x))
    far = {exp}(drop) * _norm_hazard(-x) / -{expm1}(_norm_quotient(x, y))
    p, q = {where}(across, a, {oneself}), {where}(across, b, -{oneself})
    density = _exp_square(p, 0.5) / math.sqrt(2.0 * math.pi)
    return {where}(near, close, {where}(across, density / (1.0 - _norm_cdf(q) - _norm_cdf(-p)), far))
''',
    "_lgamma_ratio": '''
def _lgamma_ratio(a, b):
    """lgamma(a + b) - lgamma(a) by the difference of Stirling's series, sixteen steps up where a is small."""
    low, step = {where}(b < 0.0, a + b, a), {where}(b < 0.0, -b, b)
    small = low < 16.0
    direct = small & ((step > 16.0) | ((step > 0.25) & (low + step < 4.0)))
    s = {where}(direct, {oneself}, step)
    z = {where}(small, low + 16.0, low)
    ratio = s / z
    p, q = 1.0 / (z + s), 1.0 / z
    mixed, powers, series = {oneself}, {oneself}, {oneself} / 12.0
    for number in (-1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360):
        powers = powers * q
        mixed = mixed * p + powers
        powers = powers * q
        mixed = mixed * p + powers
        series = series + number * mixed
    rise = s * {log}(z) + z * _log1pmx(ratio) + (s - 0.5) * {log1p}(ratio) - s * p * q * series
    product = {zero}
    for k in range(1, 16):
        part = s / (low + k)
        product = product + part + product * part
    tiny = low * 1e30 < s
    first = {where}(tiny, {log}(s) - {log}(low), {log1p}(s / {where}(tiny, {oneself}, low)))
    rise = {where}(small, rise - first - {log1p}(product), rise)
    rise = {where}(direct, {lgamma}(low + {where}(direct, step, {oneself})) - {lgamma}(low), rise)
    return {where}(b < 0.0, -rise, rise)
''',
    "_digamma_diff": '''
def _digamma_diff(a, b):
    """digamma(a + b) - digamma(a): sixteen steps up, then the difference of the asymptotic series, all of one sign."""
    low, step = {where}(b < 0.0, a + b, a), {where}(b < 0.0, -b, b)
    z = low + 16.0
    p, q = 1.0 / (z + step), 1.0 / z
    mixed, powers, series = {oneself}, {oneself}, {oneself} / 12.0
    for number in (-1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760):
        powers = powers * (q * q)
        mixed = mixed * (p * p) + powers
        series = series + number * mixed
    rise = {log1p}(step / z) + step * p * q * (0.5 + (p + q) * series)
    for k in range(16):
        rise = rise + step / (low + k) / (low + k + step)
    return {where}(b < 0.0, -rise, rise)
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


_NUMBERS = {
    # (atanh(s) - s)/s^3 in s^2 <= 0.36, (exp(u) - 1 - u)/u^2 in |u| <= 2, (x + 5)*mills(x) in (x - 5)/(x + 5):
    # interpolated at Chebyshev's nodes, to 1e-16
    "ATANH": """
        0.7201231225008426, -1.3164845850777693, 1.3244802568322058, -0.7256671075990073, 0.3454383624152297,
        -0.04307285487457161, 0.06533038958245267, 0.049999467726270036, 0.059105884481207654,
        0.06664518360915785, 0.07692420057836528, 0.09090905249262644, 0.11111111190248364, 0.14285714284860884,
        0.2000000000000363, 0.3333333333333333
    """,
    "EXP": """
        8.580357849794261e-18, 1.6376126325516946e-16, 2.8087409252747675e-15, 4.7737580214960735e-14,
        7.647273957195198e-13, 1.147097775321909e-11, 1.6059041233681633e-10, 2.087675150417348e-09,
        2.505210842152821e-08, 2.755731930001314e-07, 2.7557319223705004e-06, 2.4801587300995483e-05,
        0.00019841269841270936, 0.0013888888888891197, 0.008333333333333331, 0.04166666666666663,
        0.16666666666666666, 0.5
    """,
    "MILLS": """
        -1.4191921893580604e-10, -7.842796363635921e-10, 1.322102962781694e-09, 9.268659037027118e-09,
        -7.068045653980906e-09, -6.740161179772032e-08, 3.87533092243584e-08, 4.334561019475754e-07,
        -3.337060350835977e-07, -2.768861633372941e-06, 3.979457180792049e-06, 1.6680843519640492e-05,
        -4.976236467507681e-05, -5.9375585163440916e-05, 0.0005448989774454366, -0.0007978694284287862,
        -0.002993376760347635, 0.02079506680331947, -0.06911863870695671, 0.16502036617018967,
        -0.31353315667128584, 0.49530561596998063, -0.6653825028900568, 0.769193049750063
    """,
    # places and weights
    "GAUSS": """(
        (0.9602898564975362, 0.10122853629037681), (0.7966664774136267, 0.22238103445337443),
        (0.525532409916329, 0.31370664587788727), (0.18343464249564978, 0.36268378337836166)
    )""",
}


def helpers(names: Mapping[str, str]) -> dict[str, str]:
    """The functions under a backend's names; those for which it lacks a name are left out."""
    found = {}
    for name, text in _TEXTS.items():
        try:
            found[name] = text.format_map({**_NUMBERS, **names})
        except KeyError:
            continue
    return found


def _plain(prefix: str, *functions: str) -> dict[str, str]:
    return {name: f"{prefix}.{name}" for name in functions}


_COMMON = ("abs", "exp", "expm1", "floor", "log", "log1p", "maximum", "minimum", "round", "sqrt", "tanh")
_PLAIN_NUMBERS = {"one": "1.0", "zero": "0.0", "oneself": "1.0"}
NUMPY = {
    **_plain("np", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    **_PLAIN_NUMBERS,
    "lgamma": "special.gammaln",
    "minus_size": "np.where(right, -a, a)",
}
TENSORFLOW = {
    **_plain("tf.math", *_COMMON, "erfc", "lgamma"),
    **_plain("tf", "where", "ones_like", "zeros_like"),
    "one": "1.0",
    "zero": "tf.zeros_like(a)",  # a number that comes first would settle the dtype of a choice in a graph
    "oneself": "tf.ones_like(a)",
    "minus_size": "tf.math.minimum(-a, a)",  # written as in the rows of softplus and log_sigmoid, it is computed once
}
JAX = {
    **_plain("jnp", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    **_PLAIN_NUMBERS,
    "lgamma": "jsp.gammaln",
    "minus_size": "jnp.where(right, -a, a)",
}
TORCH = {
    **_plain("torch", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    "lgamma": "torch.special.gammaln",
    **_PLAIN_NUMBERS,
    "one": "torch.ones_like(a)",
}
KERAS = {**_plain("ops", *_COMMON, "sum", "where", "ones_like", "zeros_like"), **_PLAIN_NUMBERS}

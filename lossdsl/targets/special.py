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
    "_root": '''
def _root(a):
    """A square root whose slope at 0 is 0."""
    return {where}(a > 0.0, {sqrt}({where}(a > 0.0, a, {oneself})), {zero})
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
    "_powm1": '''
def _powm1(a, b):
    """a^b - 1: by expm1 where the power is near 1."""
    power = b * {log}({where}(a > 0.0, a, {oneself}))
    near = (a > 0.0) & ({abs}(power) < 0.5)
    return {where}(near, {expm1}({where}(near, power, {zero})), a**b - 1.0)
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
    """exp(-factor*a^2) for a >= 0. The square of a number of few digits has no rounding error to be magnified.

    The rest is a factor of its own, by expm1: a compiler would join two exponentials to one of the sum.
    """
    a = {where}(a < 64.0, a, 64.0 * {oneself})
    part = {floor}(64.0 * a) * 0.015625
    most = {exp}(-factor * part * part)
    return most + most * {expm1}(-factor * (a - part) * (a + part))
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
        rise = rise + (1.0 / (low + k)) * (step / (low + k + step))  # a compiler would join two divisors to a product
    return {where}(b < 0.0, -rise, rise)
''',
    "_cbrt": '''
def _cbrt(a):
    """The real cube root: a power, whose exponent is not quite a third, and a step of Newton's."""
    size = {abs}(a)
    is_zero = size == 0.0
    size = {where}(is_zero, {oneself}, size)
    root = size ** (1.0 / 3.0)
    root = root - (root - size / root / root) / 3.0
    return {where}(is_zero, a, {where}(a < 0.0, -root, root))
''',
    "_sinh": '''
def _sinh(a):
    """sinh(a), in two halves where exp(a) would overflow."""
    size = {where}(a < 0.0, -a, a)
    large = size > 80.0
    near = {expm1}({where}(large, {oneself}, size))
    half = {exp}(0.5 * {where}(large, size, {oneself}))
    found = {where}(large, 0.5 * half * half, 0.5 * (near + near / (1.0 + near)))
    return {where}(a < 0.0, -found, found)
''',
    "_cosh": '''
def _cosh(a):
    """cosh(a), in two halves where exp(a) would overflow."""
    size = {abs}(a)
    large = size > 80.0
    near = {exp}({where}(large, {oneself}, size))
    half = {exp}(0.5 * {where}(large, size, {oneself}))
    return {where}(large, 0.5 * half * half, 0.5 * near + 0.5 / near)
''',
    "_sech2": '''
def _sech2(a):
    """1 - tanh(a)^2, accurate where the tangent is nearly 1."""
    z = {exp}(-2.0 * {abs}(a))
    return 4.0 * z / (1.0 + z) / (1.0 + z)
''',
    "_hypot1": '''
def _hypot1(a):
    """sqrt(1 + a^2), without overflow."""
    size = {abs}(a)
    large = size > 1e9
    part = {where}(large, {oneself}, a)
    return {where}(large, size, {sqrt}(1.0 + part * part))
''',
    "_lgamma": '''
def _lgamma(a):
    """log(gamma(a)) for a > 0: a polynomial between the roots 1 and 2, to which others are moved; Stirling's series."""
    large = a >= 16.0
    u, product = {where}(large, 1.5 * {oneself}, a), {oneself}
    below = u < 1.0
    first = {where}(below, u, {oneself})
    u = {where}(below, u + 1.0, u)
    for _ in range(14):
        above = u > 2.0
        product = {where}(above, product * (u - 1.0), product)
        u = {where}(above, u - 1.0, u)
    roots = {where}(below, a, u - 1.0) * {where}(below, a - 1.0, u - 2.0)
    near = roots * _polynomial(2.0 * u - 3.0, {LGAMMA}) + {log}(product) - {log}(first)
    z = {where}(large, a, 16.0 * {oneself})
    q = 1.0 / z
    series = q * _polynomial(q * q, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
    return {where}(large, (z - 0.5) * ({log}(z) - 1.0) + (series + 0.5 * math.log(2.0 * math.pi) - 0.5), near)
''',
    "_digamma": '''
def _digamma(a):
    """The derivative of lgamma for a > 0: a polynomial around its root, for a < 3; beyond, the asymptotic series."""
    near = a < 3.0
    u = {where}(near, a, {oneself})
    below, above = u < 1.0, u > 2.0
    moved = {where}(above, u - 1.0, u)
    d = ({where}(below, u + 1.0, moved) - 1.4616321325302124) - 1.2438149938918909e-08
    step = {where}(below, -1.0 / u, {where}(above, 1.0 / moved, {zero}))
    z = {where}(near, 3.0 * {oneself}, a)
    small = z < 10.0
    steps = {zero}
    for k in range(10):
        steps = steps + 1.0 / (z + k)
    z = {where}(small, z + 10.0, z)
    q = 1.0 / z
    r = q * q
    series = r * _polynomial(r, 1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
    far = {log}(z) - 0.5 * q - series - {where}(small, steps, {zero})
    return {where}(near, d * _polynomial(d, {DIGAMMA}) + step, far)
''',
    "_trigamma": '''
def _trigamma(a):
    """The derivative of digamma for a > 0, fourteen steps up where a is small: all terms of one sign."""
    small = a < 14.0
    z = {where}(small, a + 14.0, a)
    q = 1.0 / z
    r = q * q
    series = r * _polynomial(r, 7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6)
    steps = {zero}
    for k in range(14):
        part = 1.0 / (a + k)
        steps = steps + part * part
    return q + 0.5 * r + q * series + {where}(small, steps, {zero})
''',
    "_polygamma2": '''
def _polygamma2(a):
    """The derivative of trigamma for a > 0, likewise."""
    small = a < 14.0
    z = {where}(small, a + 14.0, a)
    q = 1.0 / z
    r = q * q
    series = r * _polynomial(r, 35 / 2, -691 / 210, 5 / 6, -3 / 10, 1 / 6, -1 / 6, 1 / 2)
    steps = {zero}
    for k in range(14):
        part = 1.0 / (a + k)
        steps = steps + part * part * part
    return -(r + q * r + r * series + {where}(small, 2.0 * steps, {zero}))
''',
    "_log_i0": '''
def _log_i0(a):
    """log of the modified Bessel function of order 0: its power series; far out, without exp(a)/sqrt(2*pi*a)."""
    size = {abs}(a)
    large = size > 8.0
    u = {where}(large, {oneself}, a)
    y = 0.25 * u * u
    term, total = {oneself}, {zero}
    for k in range(1, 26):
        term = term * y / k**2
        total = total + term
    z = {where}(large, size, 8.0 * {oneself})
    far = z - 0.5 * {log}(2.0 * math.pi * z) + {log}(_polynomial(8.0 / z, {I0}))
    return {where}(large, far, {log1p}(total))
''',
    "_i1_over_i0": '''
def _i1_over_i0(a):
    """The slope of log_i0: the quotient of power series; far out, a polynomial in 8/a."""
    size = {abs}(a)
    large = size > 8.0
    u = {where}(large, {oneself}, a)
    y = 0.25 * u * u
    term, above, below = {oneself}, {oneself}, {oneself}
    for k in range(1, 26):
        term = term * y / k**2
        above = above + term / (k + 1)
        below = below + term
    far = _polynomial(8.0 / {where}(large, size, 8.0 * {oneself}), {I1_I0})
    return {where}(large, {where}(a < 0.0, -far, far), 0.5 * u * above / below)
''',
    "_i1_over_i0_slope": '''
def _i1_over_i0_slope(a):
    """The slope of i1_over_i0: by a series of positive terms over i0^2; far out, a polynomial in 1/a."""
    size = {abs}(a)
    large = size > 12.0
    u = {where}(large, {oneself}, a)
    y = 0.25 * u * u
    term, total, above, below = {oneself}, {oneself}, 0.5 * {oneself}, {oneself}
    for k in range(1, 52):
        total = total * y / k**2
        below = below + total
        term = term * y * (2.0 * (2 * k - 1) / k**3)
        above = above + term * (0.5 / (k + 1) ** 2)
    z = 1.0 / {where}(large, size, 12.0 * {oneself})
    return {where}(large, 0.5 * z * z * _polynomial(24.0 * z - 1.0, {I_SLOPE}), above / below / below)
''',
    "_log_bessel_i": '''
def _log_bessel_i(order, a):
    """log of the modified Bessel function of the first kind, for a > 0.

    The power series for a < 30 (Olver, NIST Handbook of Mathematical Functions, 2010, 10.25.2). Beyond, the expansion
    for large orders, at an order 40 higher where it is below 40, and from there down by recurrence.
    """
    order = order + {zeros_like}(a)
    is_near = a < 30.0
    near = {where}(is_near, a, {oneself})
    term = order * {log}(0.5 * near) - {lgamma}(order + 1.0)
    total = term
    for m in range(1, 70):
        term = term + 2.0 * {log}(0.5 * near) - math.log(m) - {log}(order + m)
        top = {where}(total > term, total, term)
        total = top + {log}({exp}(total - top) + {exp}(term - top))
    far = {where}(is_near, 30.0 * {oneself}, a)
    raised = {where}(order < 40.0, order + 40.0, order)
    high = _bessel_uniform(raised, far)[0] - {where}(order < 40.0, _bessel_down(order, far)[1], 0.0 * order)
    return {where}(is_near, total, high)
''',
    "_bessel_i_slope": '''
def _bessel_i_slope(order, a):
    """The slope of log_bessel_i in a: order/a and the quotient of the next order to this one, by recurrence."""
    order = order + {zeros_like}(a)
    is_near = a < 30.0
    near = {where}(is_near, a, {oneself})
    quotient = 0.0 * order
    for k in range(60, 0, -1):
        quotient = near / (2.0 * (order + k) + near * quotient)
    far = {where}(is_near, 30.0 * {oneself}, a)
    return {where}(is_near, quotient, _bessel_down(order, far)[0]) + order / a
''',
    "_bessel_down": '''
def _bessel_down(order, a):
    """The quotient of the Bessel functions of order + 1 and order, and log of that of order + 40 and order."""
    quotient, fall = _bessel_uniform(order + 40.0, a)[1], 0.0 * order
    for k in range(40, 0, -1):
        quotient = a / (2.0 * (order + k) + a * quotient)
        fall = fall + {log}(quotient)
    return quotient, fall
''',
    "_bessel_uniform": '''
def _bessel_uniform(order, a):
    """log of the Bessel function, and the quotient of the next order to this one, for large orders (Olver, 10.41.3)."""
    z = a / order
    root = {where}(z > 1e9, z, {sqrt}(1.0 + {where}(z > 1e9, {ones_like}(z), z) ** 2))
    p = 1.0 / root
    q = p * p
    u1 = p * (3.0 - 5.0 * q) / 24.0
    u2 = q * (81.0 - 462.0 * q + 385.0 * q * q) / 1152.0
    u3 = p * q * (30375.0 - 369603.0 * q + 765765.0 * q * q - 425425.0 * q * q * q) / 414720.0
    u4 = q * q * (4465125.0 - 94121676.0 * q + 349922430.0 * q * q - 446185740.0 * q ** 3 + 185910725.0 * q ** 4)
    v1 = p * (7.0 * q - 9.0) / 24.0
    v2 = q * (594.0 * q - 455.0 * q * q - 135.0) / 1152.0
    v3 = p * q * (451737.0 * q - 883575.0 * q * q + 475475.0 * q * q * q - 42525.0) / 414720.0
    bend = u1 / order + u2 / order**2 + u3 / order**3 + u4 / 39813120.0 / order**4
    turn = v1 / order + v2 / order**2 + v3 / order**3
    value = order * (root + {log}(z / (1.0 + root))) - 0.5 * {log}(2.0 * math.pi * order * root) + {log1p}(bend)
    return value, z / (1.0 + root) + root / z * (turn - bend) / (1.0 + bend)
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
    # sqrt(2*pi*x)*exp(-x)*i0(x) and i1(x)/i0(x) in 8/x; 2*x^2 times the slope of the latter in 24/x - 1;
    # lgamma(x)/((x - 1)*(x - 2)) in 2*x - 3; digamma(x)/d in the distance d from its root
    "I0": """
        0.00021741362535079715, -0.0026625315491871815, 0.014807392128916845, -0.04971781860568658,
        0.1129119492411452, -0.18407242896580622, 0.22309300326064718, -0.20544344390826025,
        0.14569668777594533, -0.08016614177493415, 0.034309108219713474, -0.011397527309861597,
        0.0029196171054882178, -0.0005693954857325939, 8.401474368855567e-05, -6.666416874467333e-06,
        7.5911600486890835e-06, 2.7348204590789832e-05, 0.00014305213146663701, 0.001098632796900738,
        0.01562500000009766, 0.9999999999999999
    """,
    "I1_I0": """
        -0.000445766547760845, 0.0054302307148987, -0.030074638855074384, 0.10064471584322641,
        -0.22795347370469263, 0.37079420237805233, -0.44857585102364095, 0.4124617908129662,
        -0.29214139763477337, 0.16057457788602564, -0.06866128820974239, 0.022792492349870228,
        -0.005834934062713414, 0.0011374041728891104, -0.00016763641632024228, 1.3667350579016338e-05,
        -1.371544340145628e-05, -4.761852419762335e-05, -0.00024414258766729214, -0.0019531249688897205,
        -0.06250000000019476, 1.0000000000000002
    """,
    "I_SLOPE": """
        3.8332334597023957e-10, 1.866344133857767e-10, -2.5070860092382424e-09, -1.7788872408033789e-09,
        6.945290864818987e-09, 7.66193707946909e-09, -8.202123200794903e-09, -1.7311733189486297e-08,
        -5.846491339409337e-09, 9.965618146638606e-09, 1.8756956576724484e-08, 2.6977147334795018e-08,
        4.6183753885237676e-08, 1.0157276456528292e-07, 2.886554472904282e-07, 1.036077275666864e-06,
        4.636444538635811e-06, 2.594159239283026e-05, 0.00018454334488613716, 0.0017350991101210296,
        0.0238352339926375, 1.022262554097863
    """,
    "LGAMMA": """
        -3.700571132904742e-12, 1.1577613910649688e-11, -1.5936042537298723e-11, 5.030067090605482e-11,
        -2.075322954216366e-10, 6.5655031582108e-10, -2.0184741279133343e-09, 6.430366506216791e-09,
        -2.0619851263731666e-08, 6.623870571642316e-08, -2.138638060528023e-07, 6.948428393704062e-07,
        -2.2742472358027586e-06, 7.511391846837954e-06, -2.5094328700900636e-05, 8.510090373634476e-05,
        -0.0002945507015164312, 0.001049818664454635, -0.003913560937626331, 0.015727850268641097,
        -0.07297994795715304, 0.4831289505409809
    """,
    "DIGAMMA": """
        -0.00016878496083097658, 0.000395233171086936, -0.00040799205339810525, 0.0004273126564918561,
        -0.0006949944344724667, 0.001098599591777925, -0.001590510940264569, 0.00230220928060364,
        -0.0033673361202724954, 0.0049270326395676, -0.007204809917634739, 0.01053878003582584,
        -0.01542474683845266, 0.022597648414237847, -0.03316112726351514, 0.04880428816938171,
        -0.07219956123856076, 0.10782405069104312, -0.16394270544259265, 0.258499760955653,
        -0.4427631689835915, 0.9676722454476212
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
    "lgamma": "_lgamma",
    "minus_size": "np.where(right, -a, a)",
}
TENSORFLOW = {
    **_plain("tf.math", *_COMMON, "erfc"),
    "lgamma": "_lgamma",
    **_plain("tf", "where", "ones_like", "zeros_like"),
    "one": "1.0",
    "zero": "tf.zeros_like(a)",  # a number that comes first would settle the dtype of a choice in a graph
    "oneself": "tf.ones_like(a)",
    "minus_size": "tf.math.minimum(-a, a)",  # written as in the rows of softplus and log_sigmoid, it is computed once
}
JAX = {
    **_plain("jnp", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    **_PLAIN_NUMBERS,
    "lgamma": "_lgamma",
    "minus_size": "jnp.where(right, -a, a)",
}
TORCH = {
    **_plain("torch", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    "lgamma": "_lgamma",
    **_PLAIN_NUMBERS,
    "one": "torch.ones_like(a)",
}
KERAS = {"lgamma": "_lgamma", **_plain("ops", *_COMMON, "sum", "where", "ones_like", "zeros_like"), **_PLAIN_NUMBERS}

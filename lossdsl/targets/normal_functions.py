"""The normal distribution and what is made of it, as texts for `targets.special`."""

TEXTS = {
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
}

NUMBERS = {
    # (x + 5)*mills(x) in (x - 5)/(x + 5), interpolated at Chebyshev's nodes, to 1e-16; Gauss's places and weights
    "MILLS": """
        -1.4191921893580604e-10, -7.842796363635921e-10, 1.322102962781694e-09, 9.268659037027118e-09,
        -7.068045653980906e-09, -6.740161179772032e-08, 3.87533092243584e-08, 4.334561019475754e-07,
        -3.337060350835977e-07, -2.768861633372941e-06, 3.979457180792049e-06, 1.6680843519640492e-05,
        -4.976236467507681e-05, -5.9375585163440916e-05, 0.0005448989774454366, -0.0007978694284287862,
        -0.002993376760347635, 0.02079506680331947, -0.06911863870695671, 0.16502036617018967,
        -0.31353315667128584, 0.49530561596998063, -0.6653825028900568, 0.769193049750063
    """,
    "GAUSS": """(
        (0.9602898564975362, 0.10122853629037681), (0.7966664774136267, 0.22238103445337443),
        (0.525532409916329, 0.31370664587788727), (0.18343464249564978, 0.36268378337836166)
    )""",
}

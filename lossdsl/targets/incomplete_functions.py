"""Incomplete gamma and beta functions, as texts for `targets.special`.

Weights by Stirling's formula and log1p(u) - u, so that large arguments do not cancel; then the power series on one
side of the mean and a continued fraction on the other (Olver, NIST Handbook of Mathematical Functions, 2010, 8.9, 8.11
and 8.17). The steps are enough for 1e-16 at shapes to 1000, which is where the rows end: beyond is nan.
"""

TEXTS = {
    "_stirling": '''
def _stirling(a):
    """lgamma(a) - (a - 1/2)*log(a) + a - log(2*pi)/2."""
    small = a < 1.0
    z = {where}(small, a + 1.0, a)
    step = (a + 0.5) * {log1p}(1.0 / {where}(small, a, {oneself})) - 1.0
    return _polynomial(1.0 - 2.0 / (z + 1.0), {STIRLING}) / z + {where}(small, step, {zero})
''',
    "_log_excess": '''
def _log_excess(a, b):
    """log(b) - a, where b is 1 + a and may be better known."""
    near = a > -0.5
    return {where}(near, _log1pmx({where}(near, a, {zero})), {log}({where}(near, {oneself}, b)) - a)
''',
    "_gamma_root": '''
def _gamma_root(a, b):
    """The root of b^a*exp(-b)/gamma(a): what a half is divided by may bring it back from below the smallest number."""
    a = {where}(a <= 1000.0, a, math.nan * {oneself})
    b = {where}(b < 1e5, b, 1e5 * {oneself})
    return {exp}(0.5 * (a * _log_excess((b - a) / a, b / a) - _stirling(a))) * (a / (2.0 * math.pi)) ** 0.25
''',
    "_gammainc": '''
def _gammainc(a, b):
    """gammainc(a, b): below a + 1 by its series, beyond as what is left."""
    left = b < a + 1.0
    return {where}(left, _gamma_low(a, {where}(left, b, a)), 1.0 - _gamma_high(a, {where}(left, a + 1.0, b)))
''',
    "_gammaincc": '''
def _gammaincc(a, b):
    """1 - gammainc(a, b). For a small shape by expm1 of the logarithm."""
    left = b < a + 1.0
    low = {where}(left, b, a)
    near = {where}(a < 1.0, low, 0.5 * {oneself})
    term, total = {oneself}, {zero}
    for k in range(1, 32):
        term = -term * near / k
        total = total + term / (a + k)
    power = a * {log}({where}(near > 0.0, near, {oneself})) - _lgamma_ratio({oneself}, a) + {log1p}(a * total)
    small = {where}(near > 0.0, -{expm1}(power), {oneself})
    rest = {where}(a < 1.0, small, 1.0 - _gamma_low(a, low))
    return {where}(left, rest, _gamma_high(a, {where}(left, a + 1.0, b)))
''',
    "_gamma_low": '''
def _gamma_low(a, b):
    """gammainc(a, b) for b < a + 1."""
    total = {oneself}
    for k in range(280, 0, -1):
        total = 1.0 + total * (b / (a + k))
    root = _gamma_root(a, b)
    return root / a * total * root
''',
    "_gamma_high": '''
def _gamma_high(a, b):
    """1 - gammainc(a, b) for b >= a + 1."""
    far = {where}(b < 1e5, b, 1e5 * {oneself}) - a
    below = far + 181.0
    for k in range(90, 0, -1):
        below = far + (2 * k - 1.0) + k * (a - k) / below
    root = _gamma_root(a, b)
    return root / below * root
''',
    "_gamma_density": '''
def _gamma_density(a, b):
    """b^(a - 1)*exp(-b)/gamma(a)."""
    inside = b > 0.0
    u = {where}(inside, b, {oneself})
    edge = {where}(a > 1.0, {zero}, {where}(a < 1.0, math.inf * {oneself}, {oneself}))
    root = _gamma_root(a, u)
    return {where}(inside, root / u * root, edge)
''',
    "_beta_root": '''
def _beta_root(a, b, c):
    """The root of c^a*(1 - c)^b*gamma(a + b)/gamma(a)/gamma(b), likewise."""
    both, rest = {where}((a <= 1000.0) & (b <= 1000.0), a + b, math.nan * {oneself}), 1.0 - c
    gap = {where}(c < 0.5, c * both - a, b - rest * both)
    shares = a * _log_excess(gap / a, c * both / a) + b * _log_excess(-gap / b, rest * both / b)
    root = {exp}(0.5 * (shares + _stirling(both) - _stirling(a) - _stirling(b)))
    return root * (a / (both / b) / (2.0 * math.pi)) ** 0.25
''',
    "_betainc": '''
def _betainc(a, b, c):
    """betainc(a, b, c): below the mean by a continued fraction, beyond as what is left."""
    rest = 1.0 - c
    left = (c * (a + b + 2.0) < a + 1.0) | ((c * (a + b) < a) & (rest > 0.02))
    p, q, x = {where}(left, a, b), {where}(left, b, a), {where}(left, c, rest)
    below = {oneself}
    for k in range(72, 0, -1):
        below = 1.0 + k * (q - k) * x / ((p + (2 * k - 1.0)) * (p + 2 * k)) / below
        below = 1.0 - (p + (k - 1.0)) * (p + q + (k - 1.0)) * x / ((p + (2 * k - 2.0)) * (p + (2 * k - 1.0))) / below
    root = _beta_root(a, b, c)
    part = root / p / below * root
    return {where}(left, part, 1.0 - part)
''',
    "_beta_density": '''
def _beta_density(a, b, c):
    """c^(a - 1)*(1 - c)^(b - 1)*gamma(a + b)/gamma(a)/gamma(b)."""
    low, high = c <= 0.0, c >= 1.0
    inside = ~(low | high)
    u = {where}(inside, c, 0.5 * {oneself})
    power, other = {where}(low, a, b), {where}(low, b, a)
    edge = {where}(power > 1.0, {zero}, {where}(power < 1.0, math.inf * {oneself}, other))
    root = _beta_root(a, b, u)
    return {where}(inside, root / u / (1.0 - u) * root, edge)
''',
}

NUMBERS = {
    # a*(lgamma(a) - (a - 1/2)*log(a) + a - log(2*pi)/2) for a >= 1 in (a - 1)/(a + 1): interpolated at Chebyshev's
    # nodes, to 1e-16
    "STIRLING": """
        6.423194878744392e-07, -7.096790896538647e-06, 3.7365487789196776e-05, -0.00012554323751283447,
        0.00030512807110221943, -0.0005795967269642688, 0.0009139572637407893, -0.0012630023673694869,
        0.0016082321485361014, -0.0019693734392551487, 0.002390143157755379, -0.0029269199342852785,
        0.003650400715601721, -0.0046493103546603525, 0.006093359845141171, -0.00821561221558195,
        0.010620410929770837, -0.01130292212198134, 0.007691603787587984, 0.08106146679532726
    """,
}

"""Gamma functions and their derivatives, as texts for `targets.special`."""

TEXTS = {
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
    first = {where}(tiny, {log}(s) - {log}(low), {log1p}(s / {where}(tiny | (low == 0.0), {oneself}, low)))
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
}

NUMBERS = {
    # lgamma(x)/((x - 1)*(x - 2)) in 2*x - 3; digamma(x)/d in the distance d from its root: interpolated at
    # Chebyshev's nodes, to 1e-16
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
}

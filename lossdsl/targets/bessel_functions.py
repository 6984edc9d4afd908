"""Modified Bessel functions of the first kind, as texts for `targets.special`."""

TEXTS = {
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

NUMBERS = {
    # sqrt(2*pi*x)*exp(-x)*i0(x) and i1(x)/i0(x) in 8/x; 2*x^2 times the slope of the latter in 24/x - 1:
    # interpolated at Chebyshev's nodes, to 1e-16
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
}

"""Functions that no backend has, written once for all of them.

`{log}` and the like stand for what a backend calls its logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping

from lossdsl.targets import axis_functions, bessel_functions, gamma_functions, incomplete_functions, normal_functions

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
    others = {sum}({fraction}, **along)
    return {where}(total < 2.0, others + ({round}(total - others) - 1.0), total - 1.0)
''',
    "_root": '''
def _root(a):
    """A square root whose slope at 0 is 0; that of nan is nan."""
    return {where}(a == 0.0, {zero}, {sqrt}({where}(a == 0.0, {oneself}, a)))
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
def _polynomial(a, *coefficients):
    """A polynomial in a by its coefficients; that of the highest power comes first."""
    found = coefficients[0]
    for coefficient in coefficients[1:]:
        found = found * a + coefficient
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
    """a*exp(b), and 0 where a is 0, however large b is there."""
    return a * {exp}({where}(a == 0.0, {where}(b > 0.0, {zero}, b), b))
''',
    "_logdiffexp": '''
def _logdiffexp(a, b):
    """log(exp(a) - exp(b)) for a > b."""
    return a + _log1mexp(b - a)
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
    **axis_functions.TEXTS,
    **gamma_functions.TEXTS,
    **normal_functions.TEXTS,
    **bessel_functions.TEXTS,
    **incomplete_functions.TEXTS,
}

_NUMBERS = {
    # (atanh(s) - s)/s^3 in s^2 <= 0.36, (exp(u) - 1 - u)/u^2 in |u| <= 2: interpolated at Chebyshev's nodes, to 1e-16
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
    **gamma_functions.NUMBERS,
    **normal_functions.NUMBERS,
    **bessel_functions.NUMBERS,
    **incomplete_functions.NUMBERS,
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
    **axis_functions.NUMPY,
    **_plain("np", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    **_PLAIN_NUMBERS,
    "fraction": "a - np.floor(a)",
    "lgamma": "_lgamma",
    "minus_size": "np.where(right, -a, a)",
}
TENSORFLOW = {
    **axis_functions.TENSORFLOW,
    **_plain("tf.math", *_COMMON, "erfc"),
    "fraction": "a - tf.math.floor(a)",
    "lgamma": "_lgamma",
    **_plain("tf", "where", "ones_like", "zeros_like"),
    "one": "1.0",
    "zero": "tf.zeros_like(a)",  # a number that comes first would settle the dtype of a choice in a graph
    "oneself": "tf.ones_like(a)",
    "minus_size": "tf.math.minimum(-a, a)",  # written as in the rows of softplus and log_sigmoid, it is computed once
}
JAX = {
    **axis_functions.JAX,
    **_plain("jnp", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    **_PLAIN_NUMBERS,
    "fraction": "a - jnp.floor(a)",
    "lgamma": "_lgamma",
    "minus_size": "jnp.where(right, -a, a)",
}
TORCH = {
    **axis_functions.TORCH,
    **_plain("torch", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    "expm1": "_expm1",
    "tanh": "_tanh",
    "fraction": "torch.frac(a)",
    "lgamma": "_lgamma",
    **_PLAIN_NUMBERS,
    "one": "torch.ones_like(a)",
}
KERAS = {
    **axis_functions.KERAS,
    **_plain("ops", *_COMMON, "sum", "where", "ones_like", "zeros_like"),
    **_PLAIN_NUMBERS,
    "fraction": "a - ops.floor(a)",
    "lgamma": "_lgamma",
}

"""The op table: every operation of the language, one row each.

Parser, resolver, printer, targets, gradient, tests, documentation and "did you mean" all read it. A new operation is a
new row and nothing else.
"""

from __future__ import annotations

import math
from typing import Any

from lossdsl.ir.interval import INF, NONNEGATIVE, NONPOSITIVE, POSITIVE, REALS, SIGNED_UNIT, UNIT, Interval, point
from lossdsl.ir.op import DOUBLE, TARGETS, Aggregate, Kind, Op

BOOL, INT, REAL = Kind.BOOL, Kind.INT, Kind.REAL
NONZERO = Interval(low=0.0, low_open=True)  # as a domain: the guard tests `!= 0`, the sign does not matter
NEGATIVE = Interval(high=0.0, high_open=True)
ABOVE_MINUS_ONE = Interval(-1.0, low_open=True)
FROM_MINUS_ONE = Interval(-1.0)
FROM_ONE = Interval(1.0)
OPEN_SIGNED_UNIT = Interval(-1.0, 1.0, True, True)
TAME = Interval(high=0.0)  # where an exponential cannot overflow
SMALL = (Interval(-3.0, 3.0),)
PLUS = (Interval(0.05, 4.0),)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else INF


def _log(value: float) -> float:
    return -INF if value <= 0 else math.log(value) if value < INF else INF


def _log2(value: float) -> float:
    return _log(value) / math.log(2)


def _log10(value: float) -> float:
    return _log(value) / math.log(10)


def _ulps(value: str, slope: str = "0", double: str = "0 0") -> dict[str, tuple[float, float]]:
    """The errors of a row: of values and of slopes, one number a target or one for all; then of both in float64."""
    values, slopes = ([float(part) for part in text.split()] for text in (value, slope))
    pairs = zip(TARGETS, values * (len(TARGETS) // len(values)), slopes * (len(TARGETS) // len(slopes)), strict=True)
    in_double = double.split()
    return {
        **{target: (one, other) for target, one, other in pairs},
        DOUBLE: (float(in_double[0]), float(in_double[1])),
    }


def _norm_gap(m: Any, a: Any, b: Any) -> Any:
    """norm_cdf(a) - norm_cdf(b), from the side on which both are small."""
    x, y = a / m.sqrt(2), b / m.sqrt(2)
    return m.where(m.gt(a + b, 0), m.erfc(y) - m.erfc(x), m.erfc(-x) - m.erfc(-y)) / 2


def _spell(numpy: str, tensorflow: str = "", python: str = "", torch: str = "", keras: str = "") -> dict[str, str]:
    """The spellings of a row.

    One text that uses only operators serves all targets. JAX has numpy's and scipy's names, torch and `keras.ops` have
    numpy's where nothing else is said; `keras.ops` has no special functions ("-" for none).
    """
    same = "" if "np." in numpy or "special." in numpy or ".astype" in numpy else numpy
    found = {
        "numpy": numpy,
        "tensorflow": tensorflow or same,
        "python": python or same,
        "jax": numpy.replace("np.", "jnp.").replace("special.", "jsp."),
        "torch": torch or numpy.replace("np.", "torch.").replace("special.", "torch.special."),
        "keras": keras or ("-" if "special." in numpy else numpy.replace("np.", "ops.")),
    }
    return {target: text for target, text in found.items() if text and text != "-"}


def _helper(function: str, letters: str = "a", **python: str) -> dict[str, str]:
    """An operation for which every target has a function of `targets.special`."""
    call = f"{function}({', '.join(letters)})"
    return {**dict.fromkeys(TARGETS, call), **python}


def _everywhere(function: str) -> dict[str, str]:
    """An operation that has one name in numpy, tensorflow and math."""
    return _spell(f"np.{function}(a)", f"tf.math.{function}(a)", f"math.{function}(a)")


def _softplus(m: Any, a: Any) -> Any:
    """log(1 + exp(a)), and 1 instead far on the left, where no digits would be left of it."""
    return m.where(m.lt(a, -300), 1, m.log(1 + m.exp(a)))


_ROWS = (
    Op("pi", "", "3.14159…", lambda m: m.pi, (), _spell("math.pi"), bounds=lambda: point(math.pi), public=False,
       ulps=_ulps("0.5", "0", "0.5 0")),
    # --- arithmetic -------------------------------------------------------------------------------------------------
    Op("add", "ab", "sum", lambda m, a, b: a + b, ("1", "1"), _spell("a + b"),
       bounds=lambda a, b: a + b, infix="+", precedence=50, public=False,
       ulps=_ulps("0.5", "0", "0.5 0")),
    Op("sub", "ab", "difference", lambda m, a, b: a - b, ("1", "-1"), _spell("a - b"),
       bounds=lambda a, b: a - b, infix="-", precedence=50, public=False,
       ulps=_ulps("0.5", "0", "0.5 0")),
    Op("mul", "ab", "product", lambda m, a, b: a * b, ("b", "a"), _spell("a * b"),
       bounds=lambda a, b: a * b, infix="*", precedence=60, public=False,
       ulps=_ulps("0.5", "0", "0.5 0")),
    Op("div", "ab", "quotient", lambda m, a, b: a / b, ("1/b", "-(a/b)/b"), _spell("a / b"),
       domain=(REALS, NONZERO), safe=(None, 1.0), bounds=lambda a, b: a * b.reciprocal(), sample=(*SMALL, *PLUS),
       infix="/", precedence=60, public=False, holds="b != 0",
       ulps=_ulps("0.5", "2.1", "0.5 1.7")),
    Op("neg", "a", "negative", lambda m, a: -a, ("-1",), _spell("-a"),
       bounds=lambda a: -a, infix="-", precedence=70, public=False,
       ulps=_ulps("0")),
    Op("pow", "ab", "power, also written a^b", lambda m, a, b: m.power(a, b), ("b*a^(b - 1)", "xlogy(a^b, a)"),
       _spell("a ** b", "", "math.pow(a, b)"), domain=(POSITIVE, REALS), safe=(1.0, None),
       bounds=lambda a, b: a.power(b), sample=(*PLUS, *SMALL), infix="^", precedence=80, defined=(NONNEGATIVE, REALS), holds="a > 0 or b > 0",
       ulps=_ulps("1.4 1.9 1.9 0.9 1.9", "22", "22 332")),
    Op("square", "a", "square", lambda m, a: a * a, ("2*a",), _spell("np.square(a)", "tf.math.square(a)", "a * a"),
       bounds=lambda a: a.power(point(2.0)),
       ulps=_ulps("0.5", "0", "0.5 0")),
    Op("abs", "a", "absolute value; slope 0 at 0", lambda m, a: m.abs(a), ("sign(a)",),
       _spell("np.abs(a)", "tf.math.abs(a)", "abs(a)"), bounds=lambda a: a.absolute(),
       ulps=_ulps("0")),
    Op("sign", "a", "-1, 0 or 1", lambda m, a: m.sign(a), ("",),
       _spell("np.sign(a)", "tf.math.sign(a)", "float((a > 0) - (a < 0))"),
       bounds=lambda a: a.through(lambda v: (v > 0) - (v < 0), strictly=False),
       ulps=_ulps("0")),
    Op("sqrt", "a", "square root", lambda m, a: m.sqrt(a), ("0.5/sqrt(a)",), _everywhere("sqrt"),
       domain=(POSITIVE,), safe=(1.0,), bounds=lambda a: a.meet(NONNEGATIVE).through(math.sqrt), sample=PLUS, defined=(NONNEGATIVE,),
       ulps=_ulps("0.5 0.5 0.5 0.8 0.5", "2", "0.5 2.1")),
    Op("cbrt", "a", "real cube root", lambda m, a: m.sign(a) * m.power(m.abs(a), m.ratio(1, 3)),
       ("1/(3*cbrt(a)^2)",), _helper("_cbrt", numpy="np.cbrt(a)", python="math.cbrt(a)"),
       domain=(NONZERO,), safe=(1.0,), bounds=lambda a: a.through(math.cbrt), sample=PLUS,
       ulps=_ulps("2.1 1.8 1.8 1.1 1.8", "7.1 4.7 4.7 3.4 4.7", "3.3 8")),
    # --- exponentials and logarithms --------------------------------------------------------------------------------
    Op("exp", "a", "exponential", lambda m, a: m.exp(a), ("exp(a)",), _everywhere("exp"),
       domain=(TAME,), safe=(0.0,), bounds=lambda a: a.through(_exp).meet(NONNEGATIVE) if a.low > -INF else
       Interval(0.0, _exp(a.high), True, a.high_open),
       ulps=_ulps("2 1.6 1.6 0.8 1.6", "2 1.6 1.6 0.5 1.6", "1.3 1.3")),
    Op("exp2", "a", "power of 2", lambda m, a: m.power(2, a), ("log(2)*exp2(a)",),
       {**_spell("np.exp2(a)", "tf.math.pow(tf.cast(2, a.dtype), a)", "math.exp2(a)"), "jax": "jnp.power(2.0, a)"}, domain=(TAME,), safe=(0.0,),
       bounds=lambda a: POSITIVE,
       ulps=_ulps("1.3 1.5 1.5 0.9 1.5", "1.9 2.5 2.5 1.9 2.5", "1.4 2.5")),
    Op("expm1", "a", "exp(a) - 1, accurate near 0", lambda m, a: m.exp(a) - 1, ("exp(a)",), _everywhere("expm1"),
       domain=(TAME,), safe=(0.0,), bounds=lambda a: Interval(-1.0, INF, True).meet(a.through(lambda v: _exp(v) - 1)),
       ulps=_ulps("2.6 3.6 3.6 0.8 3.6", "2.1 1.8 1.8 0.5 1.8", "2.6 1.8")),
    Op("log", "a", "natural logarithm", lambda m, a: m.log(a), ("1/a",), _everywhere("log"),
       domain=(POSITIVE,), safe=(1.0,), bounds=lambda a: a.meet(NONNEGATIVE).through(_log), sample=PLUS, defined=(POSITIVE,),
       ulps=_ulps("2.2 3.9 3.9 0.8 3.9", "0.5", "1.9 0.5")),
    Op("log2", "a", "logarithm to base 2", lambda m, a: m.log(a) / m.log(2), ("1/(a*log(2))",),
       _spell("np.log2(a)", "tf.math.log(a) / math.log(2.0)", "math.log2(a)"),
       domain=(POSITIVE,), safe=(1.0,), bounds=lambda a: a.meet(NONNEGATIVE).through(_log2), sample=PLUS, defined=(POSITIVE,),
       ulps=_ulps("0.9 2.6 2.6 0.8 2.6", "1.8", "1.9 1.6")),
    Op("log10", "a", "logarithm to base 10", lambda m, a: m.log(a) / m.log(10), ("1/(a*log(10))",),
       _spell("np.log10(a)", "tf.math.log(a) / math.log(10.0)", "math.log10(a)"),
       domain=(POSITIVE,), safe=(1.0,), bounds=lambda a: a.meet(NONNEGATIVE).through(_log10), sample=PLUS, defined=(POSITIVE,),
       ulps=_ulps("2.1 3.2 3.2 0.8 3.2", "1.8", "3.9 2.3")),
    Op("log1p", "a", "log(1 + a), accurate near 0", lambda m, a: m.log(1 + a), ("1/(1 + a)",), _everywhere("log1p"),
       domain=(Interval(-1.0, INF, True),), safe=(0.0,), bounds=lambda a: a.through(lambda v: _log(1 + v)), sample=PLUS, defined=(ABOVE_MINUS_ONE,),
       ulps=_ulps("1.4 2.3 2.3 0.8 2.3", "1.5", "2.3 1.7")),
    Op("logaddexp", "ab", "log(exp(a) + exp(b))", lambda m, a, b: m.log(m.exp(a) + m.exp(b)),
       ("sigmoid(a - b)", "sigmoid(b - a)"),
       _spell("np.logaddexp(a, b)", "tf.math.maximum(a, b) + tf.math.log1p(tf.math.exp(-tf.math.abs(a - b)))",
              "max(a, b) + math.log1p(math.exp(-abs(a - b)))"), scale=lambda a, b: max(abs(a), abs(b)),
       ulps=_ulps("1 2.1 2.1 1 2.1", "37", "1.5 312")),
    Op("xlogy", "ab", "a*log(b), and 0 where a is 0", lambda m, a, b: m.xlogy(a, b), ("log(b)", "where(a == 0, 0, a/b)"),
       _spell("special.xlogy(a, b)", "tf.math.xlogy(a, b)", "(a * math.log(b) if a else 0.0)",
              keras="ops.where(a == 0, 0.0, a * ops.log(ops.where(a == 0, 1.0, b)))"),
       domain=(REALS, POSITIVE), safe=(None, 1.0), sample=(*PLUS, *PLUS), defined=(NONNEGATIVE, POSITIVE),
       ulps=_ulps("1.7 2.6 2.6 1.7 2.6", "1.7 2.1 2.1 0.5 2.1", "2.8 1.7")),
    # --- trigonometry -----------------------------------------------------------------------------------------------
    Op("sin", "a", "sine", lambda m, a: m.sin(a), ("cos(a)",), _everywhere("sin"), bounds=lambda a: SIGNED_UNIT,
       ulps=_ulps("1.3 1.2 1.2 0.9 1.2", "1.4 1.8 1.8 0.8 1.8", "0.5 0.5")),
    Op("cos", "a", "cosine", lambda m, a: m.cos(a), ("-sin(a)",), _everywhere("cos"), bounds=lambda a: SIGNED_UNIT,
       ulps=_ulps("1.4 1.4 1.4 0.9 1.4", "1.5 1.5 1.5 0.9 1.5", "0.5 0.5")),
    Op("tan", "a", "tangent", lambda m, a: m.tan(a), ("1 + tan(a)^2",), _everywhere("tan"), domain=(SIGNED_UNIT,), safe=(0.0,),
       sample=(Interval(-1.4, 1.4),),
       ulps=_ulps("1.4 0.8 0.8 0.8 0.8", "3 2 2 2 2", "0.5 2.1")),
    Op("asin", "a", "inverse sine", lambda m, a: m.asin(a), ("1/sqrt((1 - a)*(1 + a))",),
       _spell("np.arcsin(a)", "tf.math.asin(a)", "math.asin(a)"), sample=(Interval(-0.95, 0.95),),
       domain=(Interval(-1.0, 1.0, True, True),), safe=(0.0,), bounds=lambda a: Interval(-math.pi / 2, math.pi / 2), defined=(SIGNED_UNIT,),
       ulps=_ulps("2.4 4.1 4.1 0.9 4.1", "1.5 2.1 2.1 1.5 2.1", "1.5 2.1")),
    Op("acos", "a", "inverse cosine", lambda m, a: m.acos(a), ("-1/sqrt((1 - a)*(1 + a))",),
       _spell("np.arccos(a)", "tf.math.acos(a)", "math.acos(a)"), sample=(Interval(-0.95, 0.95),),
       domain=(Interval(-1.0, 1.0, True, True),), safe=(0.0,), bounds=lambda a: Interval(0.0, math.pi), defined=(SIGNED_UNIT,),
       ulps=_ulps("1.5 5 5 1 5", "2", "1.4 1.7")),
    Op("atan", "a", "inverse tangent", lambda m, a: m.atan(a), ("1/(1 + a^2)",),
       _spell("np.arctan(a)", "tf.math.atan(a)", "math.atan(a)"), bounds=lambda a: a.through(math.atan),
       ulps=_ulps("1.2 2.1 2.1 0.8 2.1", "2.4", "2.3 1.6")),
    # --- hyperbolic functions ---------------------------------------------------------------------------------------
    Op("sinh", "a", "hyperbolic sine", lambda m, a: m.sinh(a), ("cosh(a)",), {**_everywhere("sinh"), "tensorflow": "_sinh(a)", "jax": "_sinh(a)", "keras": "_sinh(a)"}, domain=(SIGNED_UNIT,), safe=(0.0,),
       ulps=_ulps("1.2 2.6 2.6 0.9 2.6", "2.2 1.6 1.6 0.9 1.6", "4 1.6")),
    Op("cosh", "a", "hyperbolic cosine", lambda m, a: m.cosh(a), ("sinh(a)",), {**_everywhere("cosh"), "tensorflow": "_cosh(a)", "jax": "_cosh(a)", "keras": "_cosh(a)"}, domain=(SIGNED_UNIT,), safe=(0.0,),
       bounds=lambda a: Interval(1.0, INF),
       ulps=_ulps("1.9 1.7 1.7 0.8 1.7", "1 3.2 3.2 0.5 3.2", "2 3.8")),
    Op("tanh", "a", "hyperbolic tangent", lambda m, a: m.tanh(a), ("sech2(a)",), _everywhere("tanh"),
       bounds=lambda a: a.through(math.tanh).meet(Interval(-1.0, 1.0, True, True)),
       ulps=_ulps("1.5 3.7 3.7 0.8 3.7", "3.4 3.9 3.9 3.4 3.9", "8.3 4.2")),
    Op("sech2", "a", "1 - tanh(a)^2: the slope of tanh", lambda m, a: 1 / m.cosh(a) ** 2, ("-2*tanh(a)*sech2(a)",),
       _helper("_sech2"), bounds=lambda a: Interval(0.0, 1.0, True), public=False, written="1 - tanh(a)^2",
       ulps=_ulps("2.5 3.6 3.6 2.5 3.6", "3.9 4.6 4.6 3.2 4.6", "4.2 8.2")),
    Op("hypot1", "a", "sqrt(1 + a^2), without overflow", lambda m, a: m.sqrt(1 + a * a), ("a/hypot1(a)",),
       _helper("_hypot1", python="math.hypot(1.0, a)"), bounds=lambda a: FROM_ONE, public=False, written="sqrt(1 + a^2)",
       ulps=_ulps("1", "1.9", "1.1 2.1")),
    Op("asinh", "a", "inverse hyperbolic sine", lambda m, a: m.asinh(a), ("1/hypot1(a)",),
       _spell("np.arcsinh(a)", "tf.math.asinh(a)", "math.asinh(a)"), bounds=lambda a: a.through(math.asinh),
       ulps=_ulps("0.8 1.3 1.3 1.3 1.3", "2.1", "1.9 3")),
    Op("acosh", "a", "inverse hyperbolic cosine", lambda m, a: m.acosh(a), ("1/(sqrt(a - 1)*sqrt(a + 1))",),
       _spell("np.arccosh(a)", "tf.math.acosh(a)", "math.acosh(a)"), sample=(Interval(1.1, 5.0),),
       domain=(Interval(1.0, INF, True),), safe=(2.0,), bounds=lambda a: NONNEGATIVE, defined=(FROM_ONE,),
       ulps=_ulps("1.3 2.7 2.7 1.4 2.7", "2.8", "2.1 2.4")),
    Op("atanh", "a", "inverse hyperbolic tangent", lambda m, a: m.atanh(a), ("1/((1 - a)*(1 + a))",),
       _spell("np.arctanh(a)", "tf.math.atanh(a)", "math.atanh(a)"), sample=(Interval(-0.95, 0.95),),
       domain=(Interval(-1.0, 1.0, True, True),), safe=(0.0,), defined=(OPEN_SIGNED_UNIT,),
       ulps=_ulps("1.2 1.5 1.5 0.8 1.5", "2.2", "8.2 2.1")),
    # --- the functions of machine learning --------------------------------------------------------------------------
    Op("sigmoid", "a", "1/(1 + exp(-a))", lambda m, a: 1 / (1 + m.exp(-a)), ("sigmoid(a)*sigmoid(-a)",),
       _spell("special.expit(a)", "tf.math.sigmoid(a)", "0.5 * (1.0 + math.tanh(0.5 * a))", keras="ops.sigmoid(a)"),
       bounds=lambda a: Interval(0.0, 1.0, True, True),
       ulps=_ulps("2.1 4.3 4.3 2.1 4.3", "3.3 5.9 5.9 3.4 5.9", "2.7 3.7")),
    Op("sigmoid_gap", "abc", "b*sigmoid(a) - c*sigmoid(-a)", lambda m, a, b, c: b / (1 + m.exp(-a)) - c / (1 + m.exp(a)),
       ("(b + c)*sigmoid(a)*sigmoid(-a)", "sigmoid(a)", "-sigmoid(-a)"),
       {"numpy": "_sigmoid_gap(a, b, c)", "tensorflow": "_sigmoid_gap(a, b, c)", "jax": "_sigmoid_gap(a, b, c)",
        "torch": "b * torch.sigmoid(a) - c * torch.sigmoid(-a)", "keras": "b * ops.sigmoid(a) - c * ops.sigmoid(-a)"},
       public=False, written="b*sigmoid(a) - c*sigmoid(-a)", scale=lambda a, b, c: max(abs(b) / (1 + _exp(-a)), abs(c) / (1 + _exp(a))),
       ulps=_ulps("2.9 2.9 2.9 2.9 6", "4.2 7.8 7.8 4.2 7.8", "3.8 4.7")),
    Op("log_sigmoid", "a", "log(sigmoid(a))", lambda m, a: -m.log(1 + m.exp(-a)), ("sigmoid(-a)",),
       _spell("np.minimum(a, 0) - np.log1p(np.exp(-np.abs(a)))",
              "-tf.nn.relu(-a) - tf.math.log1p(tf.math.exp(tf.math.minimum(-a, a)))",
              "min(a, 0.0) - math.log1p(math.exp(-abs(a)))",
              "torch.clamp(a, max=0) - torch.log1p(torch.exp(-torch.abs(a)))"), bounds=lambda a: Interval(-INF, 0.0, True, True),
       ulps=_ulps("2.5 2.7 2.7 1.5 2.7", "1.6 6.2 6.2 1.6 6.2", "2.6 2.3")),
    Op("softplus", "a", "log(1 + exp(a))", lambda m, a: m.log(1 + m.exp(a)), ("sigmoid(a)",),
       _spell("np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))",
              "tf.math.maximum(a, 0) + tf.math.log1p(tf.math.exp(tf.math.minimum(-a, a)))",
              "max(a, 0.0) + math.log1p(math.exp(-abs(a)))",
              "torch.clamp(a, min=0) + torch.log1p(torch.exp(-torch.abs(a)))"), bounds=lambda a: POSITIVE,
       ulps=_ulps("2.7 2.6 2.6 1.3 2.6", "2.3 6.8 6.8 2.3 6.8", "2.5 2.7")),
    Op("log_cosh", "a", "log(cosh(a))", lambda m, a: m.log(m.cosh(a)), ("tanh(a)",),
       _spell("_log_cosh(a)", "_log_cosh(a)", "abs(a) - math.log(2.0) + math.log1p(math.exp(-2 * abs(a)))"),
       bounds=lambda a: NONNEGATIVE, public=False, written="log(cosh(a))",
       ulps=_ulps("3.3 7.9 7.9 1.9 7.9", "1.4 4.8 4.8 0.8 4.8", "5.9 9.2")),
    Op("relu", "a", "max(0, a); slope 0 at 0", lambda m, a: m.where(m.gt(a, 0), a, 0), ("a > 0",),
       _spell("np.maximum(a, 0)", "tf.nn.relu(a)", "max(a, 0.0)", "torch.relu(a)"), bounds=lambda a: a.through(lambda v: max(v, 0.0)),
       ulps=_ulps("0")),
    # --- special functions ------------------------------------------------------------------------------------------
    Op("erf", "a", "error function", lambda m, a: m.erf(a), ("2/sqrt(pi)*exp(-a^2)",),
       _spell("special.erf(a)", "tf.math.erf(a)", "math.erf(a)", keras="ops.erf(a)"), bounds=lambda a: a.through(math.erf),
       ulps=_ulps("0.8 3.6 3.6 0.8 3.6", "68", "2.8 197")),
    Op("erfc", "a", "1 - erf(a)", lambda m, a: m.erfc(a), ("-2/sqrt(pi)*exp(-a^2)",),
       _helper("_erfc", torch="torch.special.erfc(a)", python="math.erfc(a)"), bounds=lambda a: Interval(0.0, 2.0, True, True),
       ulps=_ulps("4.7 4.7 4.7 1 4.7", "41 41 41 39 41", "5.3 338")),
    Op("norm_cdf", "a", "distribution function of the standard normal", lambda m, a: m.erfc(-a / m.sqrt(2)) / 2,
       ("exp(-0.5*a^2)/sqrt(2*pi)",),
       _helper("_norm_cdf", python="0.5 * math.erfc(-a / math.sqrt(2.0))"),
       bounds=lambda a: Interval(0.0, 1.0, True, True),
       ulps=_ulps("4.6 4.6 4.6 4.8 4.6", "29", "4.7 144")),
    Op("log_norm_cdf", "a", "log(norm_cdf(a))", lambda m, a: m.log(m.erfc(-a / m.sqrt(2)) / 2),
       ("norm_hazard(a)",), _helper("_log_norm_cdf"),
       bounds=lambda a: Interval(-INF, 0.0, True, True),
       ulps=_ulps("5.9 7 7 7 7", "4.6 4.6 4.6 4.9 4.6", "6.1 4.8")),
    Op("lgamma", "a", "logarithm of |gamma|", lambda m, a: m.loggamma(a), ("digamma(a)",),
       _helper("_lgamma", python="math.lgamma(a)"), domain=(POSITIVE,), safe=(1.0,), sample=PLUS, defined=(POSITIVE,),
       ulps=_ulps("3 7.2 7.2 2.4 7.2", "0.5 7.5 7.5 7.5 7.5", "2.3 11")),
    Op("digamma", "a", "derivative of lgamma", lambda m, a: m.digamma(a), ("trigamma(a)",),
       _helper("_digamma", numpy="special.digamma(a)"), domain=(POSITIVE,), safe=(1.0,), sample=PLUS, defined=(POSITIVE,),
       ulps=_ulps("0.8 6.3 6.3 6.3 6.3", "4.8", "11 4")),
    Op("trigamma", "a", "derivative of digamma", lambda m, a: m.polygamma(1, a), ("polygamma2(a)",),
       _helper("_trigamma"), domain=(POSITIVE,), safe=(1.0,),
       sample=PLUS, public=False, defined=(POSITIVE,),
       ulps=_ulps("6", "4.9", "4.5 5.1")),
    Op("polygamma2", "a", "derivative of trigamma", lambda m, a: m.polygamma(2, a), ("",),
       _helper("_polygamma2"), domain=(POSITIVE,), safe=(1.0,),
       sample=PLUS, public=False, defined=(POSITIVE,),
       ulps=_ulps("5.3", "0", "5 0")),
    Op("log_i0", "a", "logarithm of the modified Bessel function of order 0", lambda m, a: m.log(m.besseli(0, a)),
       ("i1_over_i0(a)",),
       _helper("_log_i0"),
       bounds=lambda a: NONNEGATIVE,
       ulps=_ulps("2.2 3.3 3.3 1.8 3.3", "5.5", "4 6")),
    Op("i1_over_i0", "a", "ratio of modified Bessel functions", lambda m, a: m.besseli(1, a) / m.besseli(0, a),
       ("i1_over_i0_slope(a)",), _helper("_i1_over_i0"),
       sample=PLUS, bounds=lambda a: Interval(-1.0, 1.0, True, True), public=False,
       ulps=_ulps("7.7", "11", "6 12")),
    Op("i1_over_i0_slope", "a", "derivative of i1_over_i0",
       lambda m, a: (1 + m.besseli(2, a) / m.besseli(0, a)) / 2 - (m.besseli(1, a) / m.besseli(0, a)) ** 2,
       ("i1_over_i0(a)/a^2 - i1_over_i0_slope(a)*(2*i1_over_i0(a) + 1/a)",), _helper("_i1_over_i0_slope"),
       bounds=lambda a: Interval(0.0, 0.5, True), sample=PLUS, public=False,
       ulps=_ulps("17", "inf", "12 inf")),
    Op("log_bessel_i", "ab", "logarithm of the modified Bessel function of order a at b > 0; no slope in the order",
       lambda m, a, b: m.log(m.besseli(a, b)), ("", "bessel_i_slope(a, b)"), _helper("_log_bessel_i", "ab"),
       domain=(REALS, POSITIVE), safe=(None, 1.0), sample=(*PLUS, *PLUS),
       defined=(Interval(0.0, 1e3), Interval(0.0, 1e4, True)), scale=lambda a, b: a + b + 1,
       ulps=_ulps("2.7 2.8 2.8 2.7 2.8", "9.3 11 11 9.3 11", "61050 1100")),
    Op("bessel_i_slope", "ab", "slope of log_bessel_i in b", lambda m, a, b: m.besseli(a + 1, b) / m.besseli(a, b) + a / b,
       ("", "1 + (a/b)^2 - bessel_i_slope(a, b)*(bessel_i_slope(a, b) + 1/b)"), _helper("_bessel_i_slope", "ab"),
       domain=(REALS, POSITIVE), safe=(None, 1.0), sample=(*PLUS, *PLUS),
       defined=(Interval(0.0, 1e3), Interval(0.0, 1e4, True)), bounds=lambda a, b: POSITIVE, public=False,
       ulps=_ulps("8.1", "inf", "124 inf")),
    # --- differences whose terms cancel -----------------------------------------------------------------------------
    Op("log1pmx", "a", "log1p(a) - a, accurate near 0", lambda m, a: m.log(1 + a) - a, ("-a/(1 + a)",),
       _helper("_log1pmx"), domain=(Interval(-1.0, INF, True),), safe=(0.0,), bounds=lambda a: NONPOSITIVE, sample=PLUS,
       public=False, written="log1p(a) - a", defined=(ABOVE_MINUS_ONE,),
       ulps=_ulps("2.1", "2", "2.1 1.7")),
    Op("expm1mx", "a", "exp(a) - 1 - a, accurate near 0", lambda m, a: m.exp(a) - 1 - a, ("expm1(a)",),
       _helper("_expm1mx"), domain=(TAME,), safe=(0.0,), bounds=lambda a: NONNEGATIVE, public=False, written="exp(a) - 1 - a",
       ulps=_ulps("3.2 2 2 2 2", "3.2 5 5 1 5", "1.7 2.8")),
    Op("sqrt1pm1", "a", "sqrt(1 + a) - 1, accurate near 0", lambda m, a: m.sqrt(1 + a) - 1, ("0.5/sqrt(1 + a)",),
       _spell("np.where(a < 3, a / (1 + np.sqrt(1 + a)), np.sqrt(1 + a) - 1)",
              "tf.where(a < 3, a / (1 + tf.math.sqrt(1 + a)), tf.math.sqrt(1 + a) - 1)",
              "(a / (1.0 + math.sqrt(1.0 + a)) if a < 3.0 else math.sqrt(1.0 + a) - 1.0)"),
       domain=(Interval(-1.0, INF, True),), safe=(0.0,), sample=PLUS,
       bounds=lambda a: Interval(-1.0).meet(a.through(lambda v: math.sqrt(max(1 + v, 0.0)) - 1)), public=False, written="sqrt(1 + a) - 1", defined=(FROM_MINUS_ONE,),
       ulps=_ulps("1.9", "2.6", "2.4 1.9")),
    Op("one_minus_cos", "a", "1 - cos(a), accurate near 0", lambda m, a: 1 - m.cos(a), ("sin(a)",),
       _spell("2 * np.square(np.sin(0.5 * a))", "2 * tf.math.square(tf.math.sin(0.5 * a))",
              "2.0 * math.sin(0.5 * a) ** 2"), bounds=lambda a: Interval(0.0, 2.0), public=False, written="1 - cos(a)",
       ulps=_ulps("3.2 4.1 4.1 2.2 4.1", "1.2 1.2 1.2 0.8 1.2", "2 0.5")),
    Op("log1mexp", "a", "log(1 - exp(a)) for a < 0", lambda m, a: m.log(1 - m.exp(a)), ("-1/expm1(-a)",),
       _helper("_log1mexp"), domain=(NEGATIVE,), safe=(-1.0,), bounds=lambda a: NONPOSITIVE,
       sample=(Interval(-3.0, -0.05),), public=False, written="log(1 - exp(a))", defined=(NEGATIVE,),
       ulps=_ulps("3 3.4 3.4 1.1 3.4", "2 5.3 5.3 1.6 5.3", "64 4.5")),
    Op("logdiffexp", "ab", "log(exp(a) - exp(b)) for a > b", lambda m, a, b: m.log(m.exp(a) - m.exp(b)),
       ("-1/expm1(b - a)", "-1/expm1(a - b)"), _helper("_logdiffexp", "ab"), bounds=lambda a, b: Interval(-INF, a.high),
       sample=(PLUS[0], Interval(-3.0, 0.0)), public=False, written="log(exp(a) - exp(b))", holds="a > b", scale=lambda a, b: abs(a),
       ulps=_ulps("1.8 4.1 4.1 3.3 4.1", "48 50 50 48 50", "19 587")),
    Op("lgamma_ratio", "ab", "lgamma(a + b) - lgamma(a), for large a as well; a > 0 and a + b > 0",
       lambda m, a, b: m.loggamma(a + b) - m.loggamma(a), ("digamma_diff(a, b)", "digamma(a + b)"),
       _helper("_lgamma_ratio", "ab"), domain=(POSITIVE, REALS), safe=(1.0, None), sample=(*PLUS, *PLUS), public=False, written="lgamma(a + b) - lgamma(a)", defined=(POSITIVE, REALS), holds="a + b > 0", scale=lambda a, b: abs(b) + math.log1p(abs(b) / min(a, a + b)),
       ulps=_ulps("6.5 7.5 7.5 6.5 7.5", "25 35 35 25 35", "7.7 161")),
    Op("digamma_diff", "ab", "digamma(a + b) - digamma(a), for large a as well; a > 0 and a + b > 0",
       lambda m, a, b: m.digamma(a + b) - m.digamma(a), ("trigamma(a + b) - trigamma(a)", "trigamma(a + b)"),
       _helper("_digamma_diff", "ab"), domain=(POSITIVE, REALS), safe=(1.0, None), sample=(*PLUS, *PLUS), public=False, written="digamma(a + b) - digamma(a)", defined=(POSITIVE, REALS), holds="a + b > 0",
       ulps=_ulps("11", "inf", "4.8 inf")),
    Op("norm_hazard", "a", "density of the standard normal over its distribution function: the slope of log_norm_cdf",
       lambda m, a: m.exp(-a * a / 2) * m.sqrt(2 / m.pi) / m.erfc(-a / m.sqrt(2)),
       ("-norm_hazard(a)*(a + norm_hazard(a))",), _helper("_norm_hazard"), bounds=lambda a: POSITIVE, public=False, written="exp(-0.5*a^2)/sqrt(2*pi)/norm_cdf(a)",
       ulps=_ulps("5 6.5 6.5 5 6.5", "inf", "8.1 inf")),
    Op("log_norm_cdf_diff", "ab", "log(norm_cdf(a) - norm_cdf(b)) for a > b",
       lambda m, a, b: m.log(_norm_gap(m, a, b)),
       ("norm_share(a, b)", "-norm_share(-b, -a)"), _helper("_log_norm_cdf_diff", "ab"), bounds=lambda a, b: NONPOSITIVE,
       sample=(PLUS[0], Interval(-3.0, 0.0)), public=False, written="log(norm_cdf(a) - norm_cdf(b))", holds="a > b", scale=lambda a, b: 1.0,
       ulps=_ulps("7.8 11 11 6.3 11", "45 58 58 40 58", "3.8 242")),
    Op("norm_share", "ab", "density of the standard normal at a over norm_cdf(a) - norm_cdf(b): a slope of "
       "log_norm_cdf_diff", lambda m, a, b: m.exp(-a * a / 2) / m.sqrt(2 * m.pi) / _norm_gap(m, a, b),
       ("-norm_share(a, b)*(a + norm_share(a, b))", "norm_share(a, b)*norm_share(-b, -a)"), _helper("_norm_share", "ab"),
       bounds=lambda a, b: POSITIVE, sample=(PLUS[0], Interval(-3.0, 0.0)), public=False, written="exp(-0.5*a^2)/sqrt(2*pi)/(norm_cdf(a) - norm_cdf(b))", holds="a > b",
       ulps=_ulps("53 69 69 52 69", "inf", "153 inf")),
    Op("log_softplus", "a", "log(softplus(a))", lambda m, a: m.where(m.lt(a, -300), a, m.log(_softplus(m, a))), ("softplus_share(a)",),
       _helper("_log_softplus"), public=False, written="log(softplus(a))", scale=lambda a: 1.0,
       ulps=_ulps("2.1", "4.6", "2.1 4.6")),
    Op("softplus_share", "a", "sigmoid(a)/softplus(a): the slope of log_softplus",
       lambda m, a: m.where(m.lt(a, -300), 1, 1 / ((1 + m.exp(-a)) * _softplus(m, a))), ("softplus_share(a)*(sigmoid(-a) - softplus_share(a))",),
       _helper("_softplus_share"), bounds=lambda a: UNIT, public=False, written="sigmoid(a)/softplus(a)",
       ulps=_ulps("3.4", "inf", "3.4 inf")),
    Op("mulexp", "ab", "a*exp(b), and 0 where a is 0", lambda m, a, b: m.where(m.eq(a, 0), 0, a * m.exp(b)),
       ("exp(b)", "mulexp(a, b)"), _helper("_mulexp", "ab"), domain=(REALS, TAME), safe=(None, 0.0),
       bounds=lambda a, b: NONNEGATIVE if a.is_nonnegative else REALS, public=False, written="a*exp(b)",
       ulps=_ulps("3.1", "3.1", "3.1 3.1")),
    # --- steps ------------------------------------------------------------------------------------------------------
    Op("floor", "a", "largest whole number below", lambda m, a: m.floor(a), ("",),
       _spell("np.floor(a)", "tf.math.floor(a)", "float(math.floor(a))"), bounds=lambda a: a.through(lambda v: v - 1) .join(a),
       ulps=_ulps("0")),
    Op("ceil", "a", "smallest whole number above", lambda m, a: m.ceil(a), ("",),
       _spell("np.ceil(a)", "tf.math.ceil(a)", "float(math.ceil(a))"), bounds=lambda a: a.through(lambda v: v + 1).join(a),
       ulps=_ulps("0")),
    Op("round", "a", "nearest whole number, ties to even", lambda m, a: m.round(a), ("",),
       _spell("np.round(a)", "tf.math.round(a)", "float(round(a))"),
       ulps=_ulps("0")),
    Op("mod", "ab", "remainder with the sign of b", lambda m, a, b: a - b * m.floor(a / b), ("1", "-floor(a/b)"),
       _spell("np.mod(a, b)", "tf.math.floormod(a, b)", "a % b", "torch.remainder(a, b)"), domain=(REALS, NONZERO), safe=(None, 1.0),
       sample=(*SMALL, *PLUS), holds="b != 0 and abs(a) < 1e30*abs(b)",
       ulps=_ulps("0.8 1 1 0.8 1", "0.5 1 1 0.5 1", "0.5 0.5")),
    # --- choices ----------------------------------------------------------------------------------------------------
    Op("max", "ab", "larger of the two; a tie goes to the first", lambda m, a, b: m.where(m.ge(a, b), a, b),
       ("a >= b", "a < b"), _spell("np.maximum(a, b)", "tf.math.maximum(a, b)", "max(a, b)"),
       bounds=lambda a, b: Interval(max(a.low, b.low), max(a.high, b.high),
                                    a.low_open if a.low > b.low else b.low_open if b.low > a.low
                                    else a.low_open and b.low_open),
       ulps=_ulps("0")),
    Op("min", "ab", "smaller of the two; a tie goes to the first", lambda m, a, b: m.where(m.le(a, b), a, b),
       ("a <= b", "a > b"), _spell("np.minimum(a, b)", "tf.math.minimum(a, b)", "min(a, b)"),
       bounds=lambda a, b: Interval(min(a.low, b.low), min(a.high, b.high), high_open=
                                    a.high_open if a.high < b.high else b.high_open if b.high < a.high
                                    else a.high_open and b.high_open),
       ulps=_ulps("0")),
    Op("where", "cab", "a where the condition holds, b elsewhere", lambda m, c, a, b: m.where(c, a, b),
       ("", "c", "not c"), _spell("np.where(c, a, b)", "tf.where(c, a, b)", "(a if c else b)"),
       takes=(BOOL, REAL, REAL), bounds=lambda c, a, b: a.join(b),
       ulps=_ulps("0")),
    Op("lt", "ab", "less than", lambda m, a, b: m.lt(a, b), (), _spell("a < b"), gives=BOOL, infix="<", precedence=40,
       public=False,
       ulps=_ulps("0")),
    Op("le", "ab", "at most", lambda m, a, b: m.le(a, b), (), _spell("a <= b"), gives=BOOL, infix="<=", precedence=40,
       public=False,
       ulps=_ulps("0")),
    Op("gt", "ab", "greater than", lambda m, a, b: m.gt(a, b), (), _spell("a > b"), gives=BOOL, infix=">", precedence=40,
       public=False,
       ulps=_ulps("0")),
    Op("ge", "ab", "at least", lambda m, a, b: m.ge(a, b), (), _spell("a >= b"), gives=BOOL, infix=">=", precedence=40,
       public=False,
       ulps=_ulps("0")),
    Op("eq", "ab", "equal", lambda m, a, b: m.eq(a, b), (), _spell("a == b"), gives=BOOL, infix="==", precedence=40,
       public=False,
       ulps=_ulps("0")),
    Op("ne", "ab", "not equal", lambda m, a, b: m.ne(a, b), (), _spell("a != b"), gives=BOOL, infix="!=", precedence=40,
       public=False,
       ulps=_ulps("0")),
    Op("and", "ab", "both", lambda m, a, b: m.both(a, b), (), _spell("a & b", "", "(a and b)"), takes=(BOOL, BOOL),
       gives=BOOL, infix="and", precedence=20, public=False,
       ulps=_ulps("0")),
    Op("or", "ab", "at least one of the two", lambda m, a, b: m.either(a, b), (), _spell("a | b", "", "(a or b)"),
       takes=(BOOL, BOOL), gives=BOOL, infix="or", precedence=10, public=False,
       ulps=_ulps("0")),
    Op("not", "a", "negation", lambda m, a: m.negate(a), (), _spell("~a", "", "not a"), takes=(BOOL,), gives=BOOL,
       infix="not", precedence=30, public=False,
       ulps=_ulps("0")),
    Op("isnan", "a", "whether a is not a number", lambda m, a: m.isnan(a), (),
       _spell("np.isnan(a)", "tf.math.is_nan(a)", "math.isnan(a)"), gives=BOOL,
       ulps=_ulps("0")),
    # --- changes of kind, and what algebra does not see -------------------------------------------------------------
    Op("truth", "a", "1 where a condition holds, else 0", lambda m, a: m.where(a, 1, 0), ("",),
       _spell("a.astype(dtype)", "tf.cast(a, dtype)", "float(a)", "a.to(dtype)", "ops.cast(a, dtype)"), takes=(BOOL,), bounds=lambda a: UNIT, public=False,
       ulps=_ulps("0")),
    Op("real", "a", "a whole number as a number", lambda m, a: a, ("",),
       _spell("a.astype(dtype)", "tf.cast(a, dtype)", "float(a)", "a.to(dtype)", "ops.cast(a, dtype)"), takes=(INT,), bounds=lambda a: a, public=False, defined=(Interval(-(2.0**24), 2.0**24),),
       ulps=_ulps("0")),
    Op("whole", "a", "the whole number below, as an index", lambda m, a: m.floor(a), ("",),
       _spell("np.floor(a).astype(int)", "tf.cast(tf.math.floor(a), tf.int32)", "math.floor(a)", "torch.floor(a).long()",
              "ops.cast(ops.floor(a), 'int32')"), gives=INT, public=False, defined=(Interval(-(2.0**30), 2.0**30),),
       ulps=_ulps("0")),
    Op("via", "abc", "a, which is differentiated as c times b is", lambda m, a, b, c: a, ("", "c", ""), _spell("a"),
       bounds=lambda a, b, c: a, public=False, written="a",
       ulps=_ulps("0")),
    Op("stop", "a", "a, through which no gradient passes", lambda m, a: m.stop(a), ("",),
       {**_spell("a", "tf.stop_gradient(a)", "a", "a.detach()", "ops.stop_gradient(a)"),
        "jax": "jax.lax.stop_gradient(a)"}, bounds=lambda a: a,
       ulps=_ulps("0")),
)  # fmt: skip

OPS = {row.name: row for row in _ROWS}


def _reduction(
    name: str, doc: str, empty: float | None, numpy: str, tensorflow: str, takes: Kind = REAL, gives: Kind = REAL
) -> Aggregate:
    torch = {"np.max": "torch.amax", "np.min": "torch.amin"}.get(numpy, numpy.replace("np.", "torch."))
    spelling = {
        "numpy": numpy,
        "tensorflow": tensorflow,
        "jax": numpy.replace("np.", "jnp."),
        "torch": torch,
        "keras": numpy.replace("np.", "ops."),
    }
    return Aggregate(name, doc, empty, False, takes, gives, spelling)


def _others(elements: Interval) -> Interval:
    return NONNEGATIVE if elements.is_nonnegative else REALS


_AGGREGATE_ROWS = (
    _reduction("sum", "sum; 0 over nothing", 0.0, "np.sum", "tf.math.reduce_sum"),
    _reduction("mean", "mean; 0 over nothing", 0.0, "np.mean", "tf.math.reduce_mean"),
    _reduction("prod", "product; 1 over nothing", 1.0, "np.prod", "tf.math.reduce_prod"),
    _reduction("max", "largest; the first of several gets the gradient; -inf over nothing", -INF, "np.max",
               "tf.math.reduce_max"),
    _reduction("min", "smallest; the first of several gets the gradient; inf over nothing", INF, "np.min",
               "tf.math.reduce_min"),
    Aggregate("logsumexp", "log(sum(exp(e))); -inf over nothing", -INF),
    _reduction("any", "whether the condition holds somewhere", None, "np.any", "tf.math.reduce_any", takes=BOOL,
               gives=BOOL),
    _reduction("all", "whether the condition holds everywhere", None, "np.all", "tf.math.reduce_all", takes=BOOL,
               gives=BOOL),
    _reduction("argmax", "position of the largest, from 0; the first of several", None, "np.argmax", "tf.math.argmax",
               gives=INT),
    _reduction("argmin", "position of the smallest, from 0; the first of several", None, "np.argmin", "tf.math.argmin",
               gives=INT),
    Aggregate("count", "how often the condition holds; 0 over nothing", 0.0, takes=BOOL),
    Aggregate("len", "number of elements"),
    Aggregate("norm", "sqrt(sum(e^2)); slope 0 at 0", 0.0, bounds=lambda _: NONNEGATIVE,
              spelling=dict.fromkeys(("numpy", "tensorflow", "jax", "torch", "keras"), "_norm")),
    Aggregate("var", "mean squared difference from the mean", bounds=lambda _: NONNEGATIVE),
    Aggregate("std", "square root of var; slope 0 at 0", bounds=lambda _: NONNEGATIVE),
    Aggregate("dot", "sum(a*b)"),
    Aggregate("softmax", "exp(e)/sum(exp(e))", keeps=True, bounds=lambda _: UNIT),
    Aggregate("log_softmax", "e - logsumexp(e)", keeps=True, bounds=lambda _: NONPOSITIVE),
    Aggregate("softmax_rest", "1 - softmax(e)", keeps=True, bounds=lambda _: UNIT, public=False),
    Aggregate("log_softmax_rest", "log(1 - softmax(e))", keeps=True, bounds=lambda _: NONPOSITIVE, public=False),
    Aggregate("others", "sum of the other elements", keeps=True, bounds=_others, public=False),
    Aggregate("normalize", "e/norm(e), and 0 where norm(e) is 0", keeps=True, bounds=lambda _: SIGNED_UNIT),
    Aggregate("cumsum", "sum of all elements up to this one", keeps=True),
    Aggregate("sort", "in ascending order; `sort(e, key)` in ascending order of key", keeps=True),
    Aggregate("rank", "1 for the largest, 2 for the next; the first of several comes first", keeps=True),
    Aggregate("excess", "sum(e) - 1 of terms whose largest is 1, accurate where the others are small", -1.0,
              spelling=dict.fromkeys(("numpy", "tensorflow", "jax", "torch", "keras"), "_excess"), public=False),
    Aggregate("unsort", "inverse of sort: puts e, which is in order of key, back into place", keeps=True, public=False),
)  # fmt: skip

AGGREGATES = {row.name: row for row in _AGGREGATE_ROWS}

CONSTANTS = {"pi": math.pi, "inf": INF, "epsilon": 1e-7}
"""Names that stand for numbers. `epsilon` is Keras's fuzz factor. `pi` has a row too, for it is no fraction."""

SYNTAX = ("where", "cases", "onehot", "clip")
"""Functions that the resolver writes in terms of others."""


def function_names() -> list[str]:
    """Every name that the language itself gives a meaning to, as a function or a constant.

    Private rows are not among them: no text of a user's names one, so they may be called like a loss or a variable.
    """
    rows = [name for table in (OPS, AGGREGATES) for name, row in table.items() if row.public]
    return sorted({*rows, *CONSTANTS, *SYNTAX})

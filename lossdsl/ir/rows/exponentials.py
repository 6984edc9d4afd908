"""Exponentials, logarithms, and the functions of machine learning that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lossdsl.ir.bounds import INF, NEGATIVE, NONNEGATIVE, NONPOSITIVE, OPEN_UNIT, POSITIVE, REALS, Bounds, point
from lossdsl.ir.op import Op
from lossdsl.ir.rows.writing import ABOVE_MINUS_ONE, PLUS, TAME, errors, everywhere, float_exp, helper, spelled
from lossdsl.ir.traits import Trait


def _softplus(m: Any, a: Any) -> Any:
    """log(1 + exp(a)), and 1 instead far on the left, where no digits would be left of it."""
    return m.where(m.lt(a, -300), 1, m.log(1 + m.exp(a)))


def _log_sigmoid(a: Any) -> Any:
    return -(1 + (-a).exp()).log()


def _two(a: Any) -> Any:
    from flint import arb

    return arb(2) ** a


def _ten(a: Any) -> Any:
    from flint import arb

    return a.log() / arb(10).log()


def _binary(a: Any) -> Any:
    from flint import arb

    return a.log() / arb(2).log()


def logarithm(ball: Callable[[Any], Any], *least: str, elsewhere: bool = False) -> Trait:
    """What is known of a logarithm, or of a function that bends like one."""
    return Trait(ball, elsewhere=elsewhere, direction=1, bends=-1, least=least)


_LOG = logarithm(lambda a: a.log(), "a - 1 - log(a)")

EXPONENTIALS = (
    Op("exp", "a", "exponential", lambda m, a: m.exp(a), ("exp(a)",), everywhere("exp"), domain=(TAME,), safe=(0.0,),
       trait=Trait(lambda a: a.exp(), direction=1, bends=1, limits=(0, INF), image=POSITIVE,
                   least=("exp(a) - 1 - a",)), latex=r"\exp",
       ulps=errors("2 1.6 1.6 0.8 1.6", "2 1.6 1.6 0.75 1.6", "1.3 1.3")),
    Op("exp2", "a", "power of 2", lambda m, a: m.power(2, a), ("log(2)*exp2(a)",),
       {**spelled("np.exp2(a)", "tf.math.pow(tf.cast(2, a.dtype), a)", "math.exp2(a)",
                javascript="2.0 ** a"), "jax": "jnp.power(2.0, a)"},
       domain=(TAME,), safe=(0.0,), trait=Trait(_two, direction=1, bends=1, limits=(0, INF), image=POSITIVE),
       written="2^a", ulps=errors("1.3 1.5 1.5 0.9 1.5", "1.9 2.5 2.5 1.9 2.5", "1.4 2.5")),
    Op("expm1", "a", "exp(a) - 1, accurate near 0", lambda m, a: m.exp(a) - 1, ("exp(a)",), everywhere("expm1"),
       domain=(TAME,), safe=(0.0,),
       trait=Trait(lambda a: a.expm1(), direction=1, bends=1, limits=(-1, INF), image=ABOVE_MINUS_ONE,
                   least=("expm1(a) - a",)), written="exp(a) - 1",
       ulps=errors("2.6 3.6 3.6 0.8 3.6", "2.1 1.8 1.8 0.76 1.8", "2.6 1.8")),
    Op("expm1mx", "a", "exp(a) - 1 - a, accurate near 0", lambda m, a: m.exp(a) - 1 - a, ("expm1(a)",),
       helper("_expm1mx"), domain=(TAME,), safe=(0.0,),
       trait=Trait(lambda a: a.expm1() - a, bends=1, limits=(INF, INF), image=NONNEGATIVE), public=False,
       written="exp(a) - 1 - a", ulps=errors("3.2 2 2 2 2", "3.2 5 5 1 5", "1.7 2.8")),
    Op("log", "a", "natural logarithm", lambda m, a: m.log(a), ("1/a",), everywhere("log"), domain=(POSITIVE,),
       safe=(1.0,), defined=(POSITIVE,), trait=_LOG, sample=PLUS,
       latex=r"\log", ulps=errors("2.2 3.9 3.9 0.8 3.9", "0.5", "1.9 0.5")),
    Op("log2", "a", "logarithm to base 2", lambda m, a: m.log(a) / m.log(2), ("1/(a*log(2))",),
       spelled("np.log2(a)", "tf.math.log(a) / math.log(2.0)", "math.log2(a)"), domain=(POSITIVE,), safe=(1.0,),
       defined=(POSITIVE,), trait=logarithm(_binary), sample=PLUS, latex=r"\log_{2}",
       ulps=errors("1.7 2.6 2.6 0.8 2.6", "1.8", "1.9 1.6")),
    Op("log10", "a", "logarithm to base 10", lambda m, a: m.log(a) / m.log(10), ("1/(a*log(10))",),
       spelled("np.log10(a)", "tf.math.log(a) / math.log(10.0)", "math.log10(a)"), domain=(POSITIVE,), safe=(1.0,),
       defined=(POSITIVE,), trait=logarithm(_ten), sample=PLUS, latex=r"\log_{10}",
       ulps=errors("2.1 3.2 3.2 0.8 3.2", "1.8", "3.9 2.3")),
    Op("log1p", "a", "log(1 + a), accurate near 0", lambda m, a: m.log(1 + a), ("1/(1 + a)",), everywhere("log1p"),
       domain=(ABOVE_MINUS_ONE,), safe=(0.0,), defined=(ABOVE_MINUS_ONE,),
       trait=Trait(lambda a: a.log1p(), direction=1, bends=-1, least=("a - log1p(a)",)), sample=PLUS,
       written="log(1 + a)", ulps=errors("1.4 2.3 2.3 0.8 2.3", "1.5", "2.3 1.7")),
    Op("log1pmx", "a", "log1p(a) - a, accurate near 0", lambda m, a: m.log(1 + a) - a, ("-a/(1 + a)",),
       helper("_log1pmx"), domain=(ABOVE_MINUS_ONE,), safe=(0.0,), defined=(ABOVE_MINUS_ONE,),
       trait=Trait(lambda a: a.log1p() - a, bends=-1, limits=(-INF, -INF), image=NONPOSITIVE), sample=PLUS,
       public=False, written="log1p(a) - a", ulps=errors("2.1", "2", "2.1 1.7")),
    Op("logaddexp", "ab", "log(exp(a) + exp(b))", lambda m, a, b: m.log(m.exp(a) + m.exp(b)),
       ("sigmoid(a - b)", "sigmoid(b - a)"),
       spelled("np.logaddexp(a, b)", "tf.math.maximum(a, b) + tf.math.log1p(tf.math.exp(-tf.math.abs(a - b)))",
               "max(a, b) + math.log1p(math.exp(-abs(a - b)))", javascript="_logaddexp(a, b)"),
       bounds=lambda a, b: Bounds(max(a.low, b.low), max(a.high, b.high) + 1),
       scale=lambda a, b: max(abs(a), abs(b)), written="log(exp(a) + exp(b))",
       ulps=errors("1.6 2.1 2.1 1.6 2.1", "37", "1.5 312")),
    Op("logdiffexp", "ab", "log(exp(a) - exp(b)) for a > b", lambda m, a, b: m.log(m.exp(a) - m.exp(b)),
       ("-1/expm1(b - a)", "-1/expm1(a - b)"), helper("_logdiffexp", "ab"), holds="a > b",
       bounds=lambda a, b: Bounds(-INF, a.high), sample=(PLUS[0], Bounds(-3.0, 0.0)), scale=lambda a, b: abs(a),
       public=False, written="log(exp(a) - exp(b))", ulps=errors("3 4.1 4.1 3.3 4.1", "48 50 50 48 50", "19 587")),
    Op("log1mexp", "a", "log(1 - exp(a)) for a < 0", lambda m, a: m.log(1 - m.exp(a)), ("-1/expm1(-a)",),
       helper("_log1mexp"), domain=(NEGATIVE,), safe=(-1.0,), defined=(NEGATIVE,),
       trait=Trait(lambda a: (-a.expm1()).log(), direction=-1, bends=-1, limits=(0, -INF), image=NEGATIVE),
       sample=(Bounds(-3.0, -0.05),), public=False, written="log(1 - exp(a))",
       ulps=errors("4.8 3.4 3.4 1.8 3.4", "2 5.3 5.3 1.6 5.3", "64 4.5")),
    Op("xlogy", "ab", "a*log(b), and 0 where a is 0", lambda m, a, b: m.xlogy(a, b),
       ("log(b)", "where(a == 0, 0, a/b)"),
       spelled("special.xlogy(a, b)", "tf.math.xlogy(a, b)", "(a * math.log(b) if a else 0.0)",
               javascript="(a * Math.log(b) if a != 0.0 else 0.0)",
               keras="ops.where(a == 0, 0.0, a * ops.log(ops.where(a == 0, 1.0, b)))"),
       domain=(REALS, POSITIVE), safe=(None, 1.0), defined=(NONNEGATIVE, POSITIVE),
       bounds=lambda a, b: a * _LOG.over(b.meet(NONNEGATIVE)), sample=(*PLUS, *PLUS),
       written="a*log(b)", ulps=errors("1.7 2.6 2.6 1.7 2.6", "2.6 2.1 2.1 1.1 2.1", "2.8 1.7")),
    Op("mulexp", "ab", "a*exp(b), and 0 where a is 0", lambda m, a, b: m.where(m.eq(a, 0), 0, a * m.exp(b)),
       ("exp(b)", "mulexp(a, b)"), helper("_mulexp", "ab"), domain=(REALS, TAME), safe=(None, 0.0),
       bounds=lambda a, b: NONNEGATIVE if a.is_nonnegative else REALS, public=False, written="a*exp(b)",
       ulps=errors("3.1", "3.1", "3.1 3.1")),
    Op("sigmoid", "a", "1/(1 + exp(-a))", lambda m, a: 1 / (1 + m.exp(-a)), ("sigmoid(a)*sigmoid(-a)",),
       spelled("special.expit(a)", "tf.math.sigmoid(a)", "0.5 * (1.0 + math.tanh(0.5 * a))", keras="ops.sigmoid(a)",
               javascript="1.0 / (1.0 + Math.exp(-a))"),
       trait=Trait(lambda a: 1 / (1 + (-a).exp()), direction=1, bends_right=-1, limits=(0, 1), image=OPEN_UNIT),
       ulps=errors("2.1 4.3 4.3 2.1 4.3", "3.3 5.9 5.9 3.4 5.9", "2.7 3.7")),
    Op("sigmoid_gap", "abc", "b*sigmoid(a) - c*sigmoid(-a)",
       lambda m, a, b, c: b / (1 + m.exp(-a)) - c / (1 + m.exp(a)),
       ("(b + c)*sigmoid(a)*sigmoid(-a)", "sigmoid(a)", "-sigmoid(-a)"),
       helper("_sigmoid_gap", "abc", torch="b * torch.sigmoid(a) - c * torch.sigmoid(-a)",
              keras="b * ops.sigmoid(a) - c * ops.sigmoid(-a)"), bounds=lambda a, b, c: b.join(-c).join(point(0)),
       scale=lambda a, b, c: max(abs(b) / (1 + float_exp(-a)), abs(c) / (1 + float_exp(a))), public=False,
       written="b*sigmoid(a) - c*sigmoid(-a)", ulps=errors("2.9 2.9 2.9 2.9 6", "4.2 7.8 7.8 4.2 7.8", "3.8 4.7")),
    Op("log_sigmoid", "a", "log(sigmoid(a))", lambda m, a: -m.log(1 + m.exp(-a)), ("sigmoid(-a)",),
       spelled("np.minimum(a, 0) - np.log1p(np.exp(-np.abs(a)))",
               "-tf.nn.relu(-a) - tf.math.log1p(tf.math.exp(tf.math.minimum(-a, a)))",
       "min(a, 0.0) - math.log1p(math.exp(-abs(a)))", "torch.nn.functional.logsigmoid(a)"),
       trait=Trait(_log_sigmoid, direction=1, bends=-1, limits=(-INF, 0), image=NEGATIVE,
                   least=("a - log_sigmoid(a)",)), latex=r"\log\operatorname{sigmoid}",
       written="-softplus(-a)", ulps=errors("2.5 2.7 2.7 1.5 2.7", "2.8 6.2 6.2 2.8 6.2", "2.6 2.3")),
    Op("softplus", "a", "log(1 + exp(a))", lambda m, a: m.log(1 + m.exp(a)), ("sigmoid(a)",),
       spelled("np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))",
               "tf.math.maximum(a, 0) + tf.math.log1p(tf.math.exp(tf.math.minimum(-a, a)))",
       "max(a, 0.0) + math.log1p(math.exp(-abs(a)))", "torch.nn.functional.softplus(a, threshold=40.0)"),
       trait=Trait(lambda a: (1 + a.exp()).log(), direction=1, bends=1, limits=(0, INF), image=POSITIVE,
                   least=("softplus(a) - a", "2*softplus(a) - a - 1")),
       ulps=errors("2.7 2.6 2.6 1.3 2.6", "2.3 6.8 6.8 2.3 6.8", "2.5 2.7")),
    Op("log_softplus", "a", "log(softplus(a))", lambda m, a: m.where(m.lt(a, -300), a, m.log(_softplus(m, a))),
       ("softplus_share(a)",), helper("_log_softplus"),
       trait=Trait(lambda a: a.exp().log1p().log(), direction=1, limits=(-INF, INF)), scale=lambda a: 1.0,
       public=False, written="log(softplus(a))", ulps=errors("2.1", "4.6", "2.1 4.6")),
    Op("softplus_share", "a", "sigmoid(a)/softplus(a): the slope of log_softplus",
       lambda m, a: m.where(m.lt(a, -300), 1, 1 / ((1 + m.exp(-a)) * _softplus(m, a))),
       ("softplus_share(a)*(sigmoid(-a) - softplus_share(a))",), helper("_softplus_share"), trait=Trait(),
       public=False, written="sigmoid(a)/softplus(a)", ulps=errors("3.4", "inf", "3.4 inf")),
    Op("log_cosh", "a", "log(cosh(a))", lambda m, a: m.log(m.cosh(a)), ("tanh(a)",),
       spelled("_log_cosh(a)", "_log_cosh(a)", "abs(a) - math.log(2.0) + math.log1p(math.exp(-2 * abs(a)))",
               javascript="_log_cosh(a)"),
       trait=Trait(lambda a: a.cosh().log(), direction=2, bends=1, image=NONNEGATIVE, parity=1), public=False,
       written="log(cosh(a))", latex=r"\log\cosh",
       ulps=errors("3.3 7.9 7.9 1.9 7.9", "1.4 4.8 4.8 0.8 4.8", "5.9 9.2")),
)  # fmt: skip

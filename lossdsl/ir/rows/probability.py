"""Functions of probability: of the normal distribution, gamma and Bessel functions."""

from __future__ import annotations

import math
from typing import Any

from lossdsl.ir.bounds import INF, NEGATIVE, NONNEGATIVE, NONPOSITIVE, OPEN_UNIT, POSITIVE, REALS, UNIT, Bounds
from lossdsl.ir.op import NO_SLOPE, Op
from lossdsl.ir.rows.exponentials import logarithm
from lossdsl.ir.rows.writing import HALF_OPEN_UNIT, OPEN_SIGNED_UNIT, PLUS, errors, helper, spelled
from lossdsl.ir.traits import Trait


def _norm_gap(m: Any, a: Any, b: Any) -> Any:
    """norm_cdf(a) - norm_cdf(b), from the side on which both are small."""
    x, y = a / m.sqrt(2), b / m.sqrt(2)
    return m.where(m.gt(a + b, 0), m.erfc(y) - m.erfc(x), m.erfc(-x) - m.erfc(-y)) / 2


def _sqrt_half(a: Any) -> Any:
    from flint import arb

    return a / arb(2).sqrt()


def _norm_cdf(a: Any) -> Any:
    return _sqrt_half(-a).erfc() / 2


def _norm_hazard(a: Any) -> Any:
    from flint import arb

    return (-a * a / 2).exp() / (2 * arb.pi()).sqrt() / _norm_cdf(a)


SHAPE = Bounds(0.001, 1000)
"""Shapes of distributions for which incomplete functions are computed."""

DISTRIBUTIONS = (
    Op("erf", "a", "error function", lambda m, a: m.erf(a), ("2/sqrt(pi)*exp(-a^2)",),
       spelled("special.erf(a)", "tf.math.erf(a)", "math.erf(a)", keras="ops.erf(a)", javascript="_erf(a)"),
       trait=Trait(lambda a: a.erf(), direction=1, bends_right=-1, limits=(-1, 1), image=OPEN_SIGNED_UNIT, parity=-1),
       ulps=errors("0.8 3.6 3.6 0.8 3.6", "68", "2.8 197")),
    Op("erfc", "a", "1 - erf(a)", lambda m, a: m.erfc(a), ("-2/sqrt(pi)*exp(-a^2)",),
       helper("_erfc", torch="torch.special.erfc(a)", python="math.erfc(a)"),
       trait=Trait(lambda a: a.erfc(), direction=-1, bends_right=1, limits=(2, 0), image=Bounds(0, 2, True, True)),
       ulps=errors("4.7 4.7 4.7 1 4.7", "79 80 80 80 80", "5.3 338")),
    Op("norm_cdf", "a", "distribution function of the standard normal", lambda m, a: m.erfc(-a / m.sqrt(2)) / 2,
       ("exp(-0.5*a^2)/sqrt(2*pi)",), helper("_norm_cdf", python="0.5 * math.erfc(-a / math.sqrt(2.0))"),
       trait=Trait(_norm_cdf, direction=1, bends_right=-1, limits=(0, 1), image=OPEN_UNIT), latex=r"\Phi",
       ulps=errors("7.4 7.4 7.4 4.8 7.4", "85", "4.7 144")),
    Op("log_norm_cdf", "a", "log(norm_cdf(a))", lambda m, a: m.log(m.erfc(-a / m.sqrt(2)) / 2), ("norm_hazard(a)",),
       helper("_log_norm_cdf"),
       trait=Trait(lambda a: _norm_cdf(a).log(), direction=1, bends=-1, limits=(-INF, 0), image=NEGATIVE),
       latex=r"\log\Phi", ulps=errors("5.9 7 7 7 7", "4.6 4.6 4.6 4.9 4.6", "6.1 4.8")),
    Op("norm_hazard", "a", "density of the standard normal over its distribution function: the slope of log_norm_cdf",
       lambda m, a: m.exp(-a * a / 2) * m.sqrt(2 / m.pi) / m.erfc(-a / m.sqrt(2)),
       ("-norm_hazard(a)*(a + norm_hazard(a))",), helper("_norm_hazard"),
       trait=Trait(_norm_hazard, direction=-1, bends=1, limits=(INF, 0), image=POSITIVE), public=False,
       written="exp(-0.5*a^2)/sqrt(2*pi)/norm_cdf(a)", ulps=errors("5 6.5 6.5 5 6.5", "inf", "8.1 inf")),
    Op("log_norm_cdf_diff", "ab", "log(norm_cdf(a) - norm_cdf(b)) for a > b",
       lambda m, a, b: m.log(_norm_gap(m, a, b)), ("norm_share(a, b)", "-norm_share(-b, -a)"),
       helper("_log_norm_cdf_diff", "ab"), holds="a > b", bounds=lambda a, b: NONPOSITIVE,
       sample=(PLUS[0], Bounds(-3.0, 0.0)), scale=lambda a, b: 1.0, public=False,
       written="log(norm_cdf(a) - norm_cdf(b))", ulps=errors("7.8 11 11 6.3 11", "78 58 58 78 58", "3.8 242")),
    Op("norm_share", "ab",
       "density of the standard normal at a over norm_cdf(a) - norm_cdf(b): a slope of " "log_norm_cdf_diff",
       lambda m, a, b: m.exp(-a * a / 2) / m.sqrt(2 * m.pi) / _norm_gap(m, a, b),
       ("-norm_share(a, b)*(a + norm_share(a, b))", "norm_share(a, b)*norm_share(-b, -a)"),
       helper("_norm_share", "ab"), holds="a > b", bounds=lambda a, b: POSITIVE, sample=(PLUS[0], Bounds(-3.0, 0.0)),
       public=False, written="exp(-0.5*a^2)/sqrt(2*pi)/(norm_cdf(a) - norm_cdf(b))",
       ulps=errors("53 69 69 52 69", "inf", "153 inf")),
    Op("lgamma", "a", "logarithm of gamma, at a > 0", lambda m, a: m.loggamma(a), ("digamma(a)",),
       helper("_lgamma", python="math.lgamma(a)"), domain=(POSITIVE,), safe=(1.0,), defined=(POSITIVE,),
       trait=Trait(lambda a: a.lgamma(), elsewhere=True, bends=1), sample=PLUS, latex=r"\log\Gamma",
       ulps=errors("3 7.2 7.2 2.4 7.2", "0.5 7.5 7.5 7.5 7.5", "2.3 11")),
    Op("digamma", "a", "derivative of lgamma, at a > 0", lambda m, a: m.digamma(a), ("trigamma(a)",),
       helper("_digamma", numpy="special.digamma(a)"), domain=(POSITIVE,), safe=(1.0,), defined=(POSITIVE,),
       trait=logarithm(lambda a: a.digamma(), elsewhere=True), sample=PLUS, latex=r"\psi",
       ulps=errors("0.8 20 20 6.3 20", "4.8", "11 4")),
    Op("trigamma", "a", "derivative of digamma", lambda m, a: m.polygamma(1, a), ("polygamma2(a)",),
       helper("_trigamma"), domain=(POSITIVE,), safe=(1.0,), defined=(POSITIVE,),
       trait=Trait(None, elsewhere=True, direction=-1, bends=1, limits=(INF, 0), image=POSITIVE), sample=PLUS,
       latex=r"\psi'", ulps=errors("6", "4.9", "4.5 5.1")),
    Op("polygamma2", "a", "derivative of trigamma", lambda m, a: m.polygamma(2, a), ("",), helper("_polygamma2"),
       domain=(POSITIVE,), safe=(1.0,), defined=(POSITIVE,),
       trait=Trait(None, elsewhere=True, direction=1, bends=-1, limits=(-INF, 0), image=NEGATIVE), sample=PLUS,
       public=False, ulps=errors("5.3", "0", "5 0")),
    Op("lgamma_ratio", "ab", "lgamma(a + b) - lgamma(a), for large a as well; a > 0 and a + b > 0",
       lambda m, a, b: m.loggamma(a + b) - m.loggamma(a), ("digamma_diff(a, b)", "digamma(a + b)"),
       helper("_lgamma_ratio", "ab"), domain=(POSITIVE, REALS), safe=(1.0, None), defined=(POSITIVE, REALS),
       holds="a + b > 0", bounds=lambda a, b: REALS, sample=(*PLUS, *PLUS), scale=lambda a,
       b: abs(b) + math.log1p(abs(b) / min(a, a + b)),
       public=False, written="lgamma(a + b) - lgamma(a)",
       ulps=errors("6.5 7.5 7.5 6.5 7.5", "79 100 100 78 100", "7.7 161")),
    Op("digamma_diff", "ab", "digamma(a + b) - digamma(a), for large a as well; a > 0 and a + b > 0",
       lambda m, a, b: m.digamma(a + b) - m.digamma(a), ("trigamma(a + b) - trigamma(a)", "trigamma(a + b)"),
       helper("_digamma_diff", "ab"), domain=(POSITIVE, REALS), safe=(1.0, None), defined=(POSITIVE, REALS),
       holds="a + b > 0", bounds=lambda a, b: REALS, sample=(*PLUS, *PLUS), public=False,
       written="digamma(a + b) - digamma(a)",
       ulps=errors("11", "inf", "4.8 inf")),
    Op("log_i0", "a", "logarithm of the modified Bessel function of order 0", lambda m, a: m.log(m.besseli(0, a)),
       ("i1_over_i0(a)",), helper("_log_i0"),
       trait=Trait(lambda a: a.bessel_i(0).log(), direction=2, bends=1, image=NONNEGATIVE, parity=1),
       latex=r"\log I_{0}", ulps=errors("2.2 5.1 3.3 3.6 5.1", "5.5", "4 6")),
    Op("i1_over_i0", "a", "ratio of modified Bessel functions", lambda m, a: m.besseli(1, a) / m.besseli(0, a),
       ("i1_over_i0_slope(a)",), helper("_i1_over_i0"),
       trait=Trait(lambda a: a.bessel_i(1) / a.bessel_i(0), direction=1, bends_right=-1, limits=(-1, 1),
                   image=OPEN_SIGNED_UNIT, parity=-1), sample=PLUS, public=False, ulps=errors("7.7", "11", "6 12")),
    Op("i1_over_i0_slope", "a", "derivative of i1_over_i0",
       lambda m, a: (1 + m.besseli(2, a) / m.besseli(0, a)) / 2 - (m.besseli(1, a) / m.besseli(0, a)) ** 2,
       ("i1_over_i0(a)/a^2 - i1_over_i0_slope(a)*(2*i1_over_i0(a) + 1/a)",), helper("_i1_over_i0_slope"),
       trait=Trait(lambda a: (1 + a.bessel_i(2) / a.bessel_i(0)) / 2 - (a.bessel_i(1) / a.bessel_i(0)) ** 2,
                   limits=(0, 0), image=HALF_OPEN_UNIT, parity=1),
       sample=PLUS, public=False, ulps=errors("17", "inf", "12 inf")),
    Op("log_bessel_i", "ab", "logarithm of the modified Bessel function of order a at b > 0; no slope in the order",
       lambda m, a, b: m.log(m.besseli(a, b)), (NO_SLOPE, "bessel_i_slope(a, b)"), helper("_log_bessel_i", "ab"),
       domain=(REALS, POSITIVE), safe=(None, 1.0), defined=(Bounds(0.0, 1e3), Bounds(0.0, 1e4, True)),
       bounds=lambda a, b: REALS, sample=(*PLUS, *PLUS), scale=lambda a, b: a + b + 1,
       ulps=errors("6.2", "9.3 11 11 9.3 11", "61050 1100")),
    Op("bessel_i_slope", "ab", "slope of log_bessel_i in b",
       lambda m, a, b: m.besseli(a + 1, b) / m.besseli(a, b) + a / b,
       (NO_SLOPE, "1 + (a/b)^2 - bessel_i_slope(a, b)*(bessel_i_slope(a, b) + 1/b)"), helper("_bessel_i_slope", "ab"),
       domain=(REALS, POSITIVE), safe=(None, 1.0), defined=(Bounds(0.0, 1e3), Bounds(0.0, 1e4, True)),
       bounds=lambda a, b: POSITIVE, sample=(*PLUS, *PLUS), public=False, ulps=errors("12.3", "inf", "124 inf")),
    Op("gammainc", "ab",
       "distribution function of the gamma distribution of shape a <= 1000, at b >= 0; no slope in the shape",
       lambda m, a, b: m.gammainc(a, 0, b), (NO_SLOPE, "gamma_density(a, b)"),
       helper("_gammainc", "ab", numpy="special.gammainc(a, b)"),
       domain=(POSITIVE, POSITIVE), safe=(1.0, 1.0), defined=(SHAPE, NONNEGATIVE), bounds=lambda a, b: UNIT,
       sample=(*PLUS, *PLUS), ulps=errors("0.8 66 83 83 38", "120", "1370 940")),
    Op("gammaincc", "ab", "1 - gammainc(a, b); no slope in the shape",
       lambda m, a, b: m.gammainc(a, b, m.inf), (NO_SLOPE, "-gamma_density(a, b)"),
       helper("_gammaincc", "ab", numpy="special.gammaincc(a, b)"), domain=(POSITIVE, POSITIVE), safe=(1.0, 1.0),
       defined=(SHAPE, NONNEGATIVE), bounds=lambda a, b: UNIT, sample=(*PLUS, *PLUS),
       ulps=errors("0.8 86 86 75 86", "250 120 120 250 120", "1630 940")),
    Op("gamma_density", "ab", "b^(a - 1)*exp(-b)/gamma(a): the slope of gammainc",
       lambda m, a, b: m.power(b, a - 1) * m.exp(-b - m.loggamma(a)), (NO_SLOPE, "gamma_density(a, b)*((a - 1)/b - 1)"),
       helper("_gamma_density", "ab"), domain=(POSITIVE, POSITIVE), safe=(1.0, 1.0), defined=(SHAPE, POSITIVE),
       bounds=lambda a, b: NONNEGATIVE, sample=(*PLUS, *PLUS), public=False, written="b^(a - 1)*exp(-b - lgamma(a))",
       ulps=errors("120 180 120 120 180", "inf", "940 inf")),
    Op("betainc", "abc",
       "distribution function of the beta distribution of shapes a and b, at 0 <= c <= 1; no slope in the shapes",
       lambda m, a, b, c: m.betainc(a, b, 0, c, regularized=True), (NO_SLOPE, NO_SLOPE, "beta_density(a, b, c)"),
       helper("_betainc", "abc"), domain=(POSITIVE, POSITIVE, OPEN_UNIT), safe=(1.0, 1.0, 0.5),
       defined=(SHAPE, SHAPE, UNIT), bounds=lambda a, b, c: UNIT, sample=(*PLUS, *PLUS, OPEN_UNIT),
       ulps=errors("1000", "420", "2540 2870")),
    Op("beta_density", "abc", "c^(a - 1)*(1 - c)^(b - 1)/beta(a, b): the slope of betainc",
       lambda m, a, b, c: m.power(c, a - 1) * m.power(1 - c, b - 1) / m.beta(a, b),
       (NO_SLOPE, NO_SLOPE, "beta_density(a, b, c)*((a - 1)/c - (b - 1)/(1 - c))"), helper("_beta_density", "abc"),
       domain=(POSITIVE, POSITIVE, OPEN_UNIT), safe=(1.0, 1.0, 0.5), defined=(SHAPE, SHAPE, OPEN_UNIT),
       bounds=lambda a, b, c: NONNEGATIVE, sample=(*PLUS, *PLUS, OPEN_UNIT), public=False,
       written="c^(a - 1)*(1 - c)^(b - 1)*exp(lgamma(a + b) - lgamma(a) - lgamma(b))",
       ulps=errors("740", "inf", "2870 inf")),
)  # fmt: skip

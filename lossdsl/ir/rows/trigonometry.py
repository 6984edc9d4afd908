"""Circular and hyperbolic functions."""

from __future__ import annotations

from fractions import Fraction

from lossdsl.ir.bounds import INF, NONNEGATIVE, SIGNED_UNIT, Bounds
from lossdsl.ir.op import Op
from lossdsl.ir.rows.writing import (
    FROM_ONE,
    HALF_OPEN_UNIT,
    OPEN_SIGNED_UNIT,
    PI_ABOVE,
    PI_BELOW,
    PLUS,
    SMALL,
    errors,
    everywhere,
    helper,
    spelled,
)
from lossdsl.ir.traits import Trait


def _angle(a: Bounds, b: Bounds) -> Bounds:
    """The bounds of atan2: a half turn, and less where the point lies to the right of 0."""
    if not b.is_nonnegative:
        return Bounds(-PI_ABOVE, PI_ABOVE)
    low = Fraction(0) if a.is_nonnegative else -PI_ABOVE / 2
    high = Fraction(0) if a.is_nonpositive else PI_ABOVE / 2
    return Bounds(low, high)


TRIGONOMETRY = (
    Op("sin", "a", "sine", lambda m, a: m.sin(a), ("cos(a)",), everywhere("sin"),
       trait=Trait(lambda a: a.sin(), image=SIGNED_UNIT, parity=-1), latex=r"\sin",
       ulps=errors("1.3 1.2 1.2 0.9 1.2", "1.4 1.8 1.8 0.8 1.8", "0.5 0.5", "0.9 0.9")),
    Op("cos", "a", "cosine", lambda m, a: m.cos(a), ("-sin(a)",), everywhere("cos"),
       trait=Trait(lambda a: a.cos(), image=SIGNED_UNIT, parity=1), latex=r"\cos",
       ulps=errors("1.4 1.4 1.4 0.9 1.4", "1.5 1.5 1.5 0.9 1.5", "0.5 0.5", "0.9 0.9")),
    Op("tan", "a", "tangent", lambda m, a: m.tan(a), ("1 + tan(a)^2",), everywhere("tan"), domain=(SIGNED_UNIT,),
       safe=(0.0,),
       trait=Trait(lambda a: a.tan(), Bounds(-PI_BELOW / 2, PI_BELOW / 2), elsewhere=True, direction=1, bends_right=1,
                   parity=-1),
       sample=(Bounds(-1.4, 1.4),), latex=r"\tan", ulps=errors("2.2 0.8 0.8 1.4 0.8", "3 2 2 2 2", "0.5 2.1", "1 2.1")),
    Op("asin", "a", "inverse sine", lambda m, a: m.asin(a), ("1/sqrt((1 - a)*(1 + a))",),
       spelled("np.arcsin(a)", "tf.math.asin(a)", "math.asin(a)"), domain=(OPEN_SIGNED_UNIT,), safe=(0.0,),
       defined=(SIGNED_UNIT,),
       trait=Trait(lambda a: a.asin(), steep=(-1, 1), direction=1, bends_right=1,
                   image=Bounds(-PI_ABOVE / 2, PI_ABOVE / 2), parity=-1),
       sample=(Bounds(-0.95, 0.95),), latex=r"\arcsin",
       ulps=errors("2.4 4.1 4.1 0.9 4.1", "1.5 2.1 2.1 1.5 2.1", "1.5 2.1")),
    Op("acos", "a", "inverse cosine", lambda m, a: m.acos(a), ("-1/sqrt((1 - a)*(1 + a))",),
       spelled("np.arccos(a)", "tf.math.acos(a)", "math.acos(a)"), domain=(OPEN_SIGNED_UNIT,), safe=(0.0,),
       defined=(SIGNED_UNIT,),
       trait=Trait(lambda a: a.acos(), steep=(-1, 1), direction=-1, bends_right=-1, image=Bounds(0, PI_ABOVE)),
       sample=(Bounds(-0.95, 0.95),), latex=r"\arccos", ulps=errors("1.5 5 5 1 5", "2", "1.4 1.7")),
    Op("atan", "a", "inverse tangent", lambda m, a: m.atan(a), ("1/(1 + a^2)",),
       spelled("np.arctan(a)", "tf.math.atan(a)", "math.atan(a)"),
       trait=Trait(lambda a: a.atan(), direction=1, bends_right=-1, limits=(-PI_ABOVE / 2, PI_ABOVE / 2),
                   image=Bounds(-PI_ABOVE / 2, PI_ABOVE / 2, True, True), parity=-1), latex=r"\arctan",
       ulps=errors("1.2 2.1 2.1 0.8 2.1", "2.4", "2.3 1.6")),
    Op("atan2", "ab", "angle of the point (b, a) as seen from 0, from -pi to pi; slope 0 at 0",
       lambda m, a, b: m.atan2(a, b),
       # b/(a^2 + b^2) and -a/(a^2 + b^2) of quotients that no compiler joins to squares, which underflow
       ("where(b == 0, 0, where(abs(b) >= abs(a), 1/(b*(1 + (a/b)^2)), 1/(a*(a/b + b/a))))",
        "where(a == 0, 0, where(abs(b) >= abs(a), -1/(b*(a/b + b/a)), -1/(a*(1 + (b/a)^2))))"),
       spelled("np.arctan2(a, b)", "tf.math.atan2(a, b)", "math.atan2(a, b)"),
       bounds=_angle, sample=(*SMALL, *PLUS),
       ulps=errors("3.6 3.5 1.8 1.2 3.5", "2.6", "5 2.4")),
    Op("one_minus_cos", "a", "1 - cos(a), accurate near 0", lambda m, a: 1 - m.cos(a), ("sin(a)",),
       spelled("2 * np.square(np.sin(0.5 * a))", "2 * tf.math.square(tf.math.sin(0.5 * a))",
               "2.0 * math.sin(0.5 * a) ** 2"),
       trait=Trait(lambda a: 2 * (a / 2).sin() ** 2, image=Bounds(0, 2), parity=1), public=False, written="1 - cos(a)",
       ulps=errors("3.2 4.1 4.1 2.2 4.1", "1.2 1.2 1.2 0.8 1.2", "2 0.5")),
    Op("sinh", "a", "hyperbolic sine", lambda m, a: m.sinh(a), ("cosh(a)",),
       {**everywhere("sinh"), "tensorflow": "_sinh(a)", "jax": "_sinh(a)", "keras": "_sinh(a)"},
       domain=(SIGNED_UNIT,), safe=(0.0,), trait=Trait(lambda a: a.sinh(), direction=1, bends_right=1, parity=-1),
       latex=r"\sinh", ulps=errors("1.2 5.5 5.5 1.4 5.5", "2.2 1.6 1.6 0.9 1.6", "4 1.6")),
    Op("cosh", "a", "hyperbolic cosine", lambda m, a: m.cosh(a), ("sinh(a)",),
       {**everywhere("cosh"), "tensorflow": "_cosh(a)", "jax": "_cosh(a)", "keras": "_cosh(a)"},
       domain=(SIGNED_UNIT,), safe=(0.0,), latex=r"\cosh",
       trait=Trait(lambda a: a.cosh(), direction=2, bends=1, image=FROM_ONE, parity=1),
       ulps=errors("1.9 1.7 1.7 1.3 1.7", "1 4.8 4.8 0.5 4.8", "2 3.8")),
    Op("tanh", "a", "hyperbolic tangent", lambda m, a: m.tanh(a), ("sech2(a)",), everywhere("tanh"),
       trait=Trait(lambda a: a.tanh(), direction=1, bends_right=-1, limits=(-1, 1), image=OPEN_SIGNED_UNIT, parity=-1),
       latex=r"\tanh", ulps=errors("1.5 3.7 3.7 0.8 3.7", "3.4 3.9 3.9 3.4 3.9", "8.3 4.2")),
    Op("sech2", "a", "1 - tanh(a)^2: the slope of tanh", lambda m, a: 1 / m.cosh(a) ** 2, ("-2*tanh(a)*sech2(a)",),
       helper("_sech2"), trait=Trait(lambda a: 1 / a.cosh() ** 2, limits=(0, 0), image=HALF_OPEN_UNIT, parity=1),
       public=False, written="1 - tanh(a)^2", ulps=errors("4.1 3.6 3.6 2.5 3.6", "3.9 4.6 4.6 3.2 4.6", "4.2 8.2")),
    Op("asinh", "a", "inverse hyperbolic sine", lambda m, a: m.asinh(a), ("1/hypot1(a)",),
       spelled("np.arcsinh(a)", "tf.math.asinh(a)", "math.asinh(a)"),
       trait=Trait(lambda a: a.asinh(), direction=1, bends_right=-1, parity=-1), latex=r"\operatorname{arsinh}",
       ulps=errors("0.8 3.6 3.6 1.3 3.6", "2.1", "1.9 3")),
    Op("acosh", "a", "inverse hyperbolic cosine", lambda m, a: m.acosh(a), ("1/(sqrt(a - 1)*sqrt(a + 1))",),
       spelled("np.arccosh(a)", "tf.math.acosh(a)", "math.acosh(a)"), domain=(Bounds(1.0, INF, True),), safe=(2.0,),
       defined=(FROM_ONE,), trait=Trait(lambda a: a.acosh(), steep=(1,), direction=1, bends=-1, image=NONNEGATIVE),
       sample=(Bounds(1.1, 5.0),), latex=r"\operatorname{arcosh}",
       ulps=errors("1.3 2.7 2.7 1.4 2.7", "2.8", "2.1 2.4")),
    Op("atanh", "a", "inverse hyperbolic tangent", lambda m, a: m.atanh(a), ("1/((1 - a)*(1 + a))",),
       spelled("np.arctanh(a)", "tf.math.atanh(a)", "math.atanh(a)"), domain=(OPEN_SIGNED_UNIT,), safe=(0.0,),
       defined=(OPEN_SIGNED_UNIT,), trait=Trait(lambda a: a.atanh(), direction=1, bends_right=1, parity=-1),
       sample=(Bounds(-0.95, 0.95),), latex=r"\operatorname{artanh}",
       ulps=errors("1.2 1.5 1.5 1.5 1.5", "2.2", "8.2 2.1")),
)  # fmt: skip

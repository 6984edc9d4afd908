"""What is known of each operation as a function of real numbers: one row each, read by every pass.

The op table of `ir.ops` says what an operation computes and where the backends can be trusted with it; these rows say
what a mathematician knows: where its value and where its slope are finite, in which direction it goes, how it bends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lossdsl.ir.bounds import INF, NONNEGATIVE, OPEN_UNIT, POSITIVE, REALS, SIGNED_UNIT, Bounds, End, exactly
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS

HALF_PI = Fraction(3141592653589794, 2 * 10**15)  # a little more than pi/2
BRANCH = Fraction(3141592653589792, 2 * 10**15)  # a little less: up to there, tan has no pole

OPEN_SIGNED_UNIT = Bounds(Fraction(-1), Fraction(1), True, True)
ABOVE_MINUS_ONE = Bounds(Fraction(-1), INF, True)
HALF_OPEN_UNIT = Bounds(Fraction(0), Fraction(1), True)
FROM_MINUS_ONE = Bounds(Fraction(-1), INF)
NONPOSITIVE = Bounds(-INF, Fraction(0))
NEGATIVE = Bounds(-INF, Fraction(0), False, True)
FROM_ONE = Bounds(Fraction(1), INF)


@dataclass(frozen=True)
class Trait:
    """A function of one argument.

    `domain` is where the value is finite; with `elsewhere` there are finite values outside it too, between poles, of
    which nothing is known. `steep` lists the points of it at which the slope is not, `corners` those at
    which the slope jumps. `direction` is 1 (strictly increasing), -1 (strictly decreasing), 2 (even, and increasing
    from 0 up) or 0; `bends` is 1 (convex), -1 (concave) or 0 (neither) over the whole domain, and `bends_right` the
    same for arguments of at least 0 (such a function is odd, up to a constant). `ball` computes it over Arb's balls;
    `limits` are its values at the two ends of its domain; `image` holds every value. `least` has facts in the language:
    each text, in the argument a, is at least 0.
    """

    ball: Callable[[Any], Any] | None = None
    domain: Bounds = REALS
    elsewhere: bool = False
    steep: tuple[End, ...] = ()
    corners: tuple[End, ...] = ()
    direction: int = 0
    bends: int = 0
    bends_right: int = 0
    limits: tuple[End, End] = (-INF, INF)
    image: Bounds = REALS
    least: tuple[str, ...] = ()
    is_continuous: bool = True


def _log_sigmoid(a: Any) -> Any:
    return -(1 + (-a).exp()).log()


def _sqrt_half(a: Any) -> Any:
    from flint import arb

    return a / arb(2).sqrt()


def _two(a: Any) -> Any:
    from flint import arb

    return arb(2) ** a


def _ten(a: Any) -> Any:
    from flint import arb

    return a.log() / arb(10).log()


def _binary(a: Any) -> Any:
    from flint import arb

    return a.log() / arb(2).log()


def _norm_cdf(a: Any) -> Any:
    return _sqrt_half(-a).erfc() / 2


def _norm_hazard(a: Any) -> Any:
    from flint import arb

    return (-a * a / 2).exp() / (2 * arb.pi()).sqrt() / _norm_cdf(a)


def _logarithm(ball: Callable[[Any], Any], *least: str, elsewhere: bool = False) -> Trait:
    return Trait(ball, POSITIVE, elsewhere, direction=1, bends=-1, least=least)


_KNOWN: dict[str, Trait] = {
    "neg": Trait(lambda a: -a, direction=-1, limits=(INF, -INF)),
    "square": Trait(lambda a: a * a, direction=2, bends=1, image=NONNEGATIVE),
    "abs": Trait(abs, corners=(Fraction(0),), direction=2, bends=1, image=NONNEGATIVE),
    "sign": Trait(is_continuous=False, image=SIGNED_UNIT),
    "sqrt": Trait(lambda a: a.sqrt(), NONNEGATIVE, steep=(Fraction(0),), direction=1, bends=-1, limits=(-INF, INF),
                 image=NONNEGATIVE, least=("sqrt(a)", "1 + a - 2*sqrt(a)")),
    "cbrt": Trait(lambda a: a.sgn() * abs(a).root(3), steep=(Fraction(0),), direction=1, bends_right=-1),
    "exp": Trait(lambda a: a.exp(), direction=1, bends=1, limits=(Fraction(0), INF), image=POSITIVE,
                least=("exp(a) - 1 - a",)),
    "exp2": Trait(_two, direction=1, bends=1, limits=(Fraction(0), INF), image=POSITIVE),
    "expm1": Trait(lambda a: a.expm1(), direction=1, bends=1, limits=(Fraction(-1), INF), image=ABOVE_MINUS_ONE,
                  least=("expm1(a) - a",)),
    "log": _logarithm(lambda a: a.log(), "a - 1 - log(a)"),
    "log2": _logarithm(_binary),
    "log10": _logarithm(_ten),
    "log1p": Trait(lambda a: a.log1p(), ABOVE_MINUS_ONE, direction=1, bends=-1, least=("a - log1p(a)",)),
    "sin": Trait(lambda a: a.sin(), image=SIGNED_UNIT),
    "cos": Trait(lambda a: a.cos(), image=SIGNED_UNIT),
    "tan": Trait(lambda a: a.tan(), Bounds(-BRANCH, BRANCH), elsewhere=True, direction=1, bends_right=1),
    "asin": Trait(lambda a: a.asin(), SIGNED_UNIT, steep=(Fraction(-1), Fraction(1)), direction=1, bends_right=1,
                 image=Bounds(-HALF_PI, HALF_PI)),
    "acos": Trait(lambda a: a.acos(), SIGNED_UNIT, steep=(Fraction(-1), Fraction(1)), direction=-1, bends_right=-1,
                 image=Bounds(Fraction(0), 2 * HALF_PI)),
    "atan": Trait(lambda a: a.atan(), direction=1, bends_right=-1, limits=(-HALF_PI, HALF_PI),
                 image=Bounds(-HALF_PI, HALF_PI, True, True)),
    "sinh": Trait(lambda a: a.sinh(), direction=1, bends_right=1),
    "cosh": Trait(lambda a: a.cosh(), direction=2, bends=1, image=FROM_ONE),
    "tanh": Trait(lambda a: a.tanh(), direction=1, bends_right=-1, limits=(Fraction(-1), Fraction(1)),
                 image=OPEN_SIGNED_UNIT),
    "sech2": Trait(lambda a: 1 / a.cosh() ** 2, limits=(Fraction(0), Fraction(0)), image=HALF_OPEN_UNIT),
    "hypot1": Trait(lambda a: (1 + a * a).sqrt(), direction=2, bends=1, image=FROM_ONE),
    "asinh": Trait(lambda a: a.asinh(), direction=1, bends_right=-1),
    "acosh": Trait(lambda a: a.acosh(), FROM_ONE, steep=(Fraction(1),), direction=1, bends=-1, image=NONNEGATIVE),
    "atanh": Trait(lambda a: a.atanh(), OPEN_SIGNED_UNIT, direction=1, bends_right=1),
    "sigmoid": Trait(lambda a: 1 / (1 + (-a).exp()), direction=1, bends_right=-1, limits=(Fraction(0), Fraction(1)),
                    image=OPEN_UNIT),
    "log_sigmoid": Trait(_log_sigmoid, direction=1, bends=-1, limits=(-INF, Fraction(0)),
                        image=Bounds(-INF, Fraction(0), True, True), least=("a - log_sigmoid(a)",)),
    "softplus": Trait(lambda a: (1 + a.exp()).log(), direction=1, bends=1, limits=(Fraction(0), INF), image=POSITIVE,
                     least=("softplus(a) - a", "2*softplus(a) - a - 1")),
    "log_cosh": Trait(lambda a: a.cosh().log(), direction=2, bends=1, image=NONNEGATIVE),
    "erf": Trait(lambda a: a.erf(), direction=1, bends_right=-1, limits=(Fraction(-1), Fraction(1)),
                image=OPEN_SIGNED_UNIT),
    "erfc": Trait(lambda a: a.erfc(), direction=-1, bends_right=1, limits=(Fraction(2), Fraction(0)),
                 image=Bounds(Fraction(0), Fraction(2), True, True)),
    "norm_cdf": Trait(_norm_cdf, direction=1, bends_right=-1, limits=(Fraction(0), Fraction(1)), image=OPEN_UNIT),
    "log_norm_cdf": Trait(lambda a: _norm_cdf(a).log(), direction=1, bends=-1, limits=(-INF, Fraction(0)),
                         image=Bounds(-INF, Fraction(0), True, True)),
    "lgamma": Trait(lambda a: a.lgamma(), POSITIVE, elsewhere=True, bends=1),
    "digamma": _logarithm(lambda a: a.digamma(), elsewhere=True),
    "trigamma": Trait(None, POSITIVE, elsewhere=True, direction=-1, bends=1, limits=(INF, Fraction(0)), image=POSITIVE),
    "polygamma2": Trait(None, POSITIVE, elsewhere=True, direction=1, bends=-1, limits=(-INF, Fraction(0)),
                       image=Bounds(-INF, Fraction(0), True, True)),
    "log_i0": Trait(lambda a: a.bessel_i(0).log(), direction=2, bends=1, image=NONNEGATIVE),
    "i1_over_i0": Trait(lambda a: a.bessel_i(1) / a.bessel_i(0), direction=1, bends_right=-1,
                       limits=(Fraction(-1), Fraction(1)), image=OPEN_SIGNED_UNIT),
    "log1pmx": Trait(lambda a: a.log1p() - a, ABOVE_MINUS_ONE, bends=-1, limits=(-INF, -INF), image=NONPOSITIVE),
    "expm1mx": Trait(lambda a: a.expm1() - a, bends=1, limits=(INF, INF), image=NONNEGATIVE),
    "sqrt1pm1": Trait(lambda a: (1 + a).sqrt() - 1, FROM_MINUS_ONE, steep=(Fraction(-1),), direction=1, bends=-1,
                     limits=(Fraction(-1), INF), image=FROM_MINUS_ONE),
    "one_minus_cos": Trait(lambda a: 2 * (a / 2).sin() ** 2, image=Bounds(Fraction(0), Fraction(2))),
    "log1mexp": Trait(lambda a: (-a.expm1()).log(), NEGATIVE, direction=-1, bends=-1, limits=(Fraction(0), -INF),
                     image=NEGATIVE),
    "norm_hazard": Trait(_norm_hazard, direction=-1, bends=1, limits=(INF, Fraction(0)), image=POSITIVE),
    "i1_over_i0_slope": Trait(
        lambda a: (1 + a.bessel_i(2) / a.bessel_i(0)) / 2 - (a.bessel_i(1) / a.bessel_i(0)) ** 2,
        limits=(Fraction(0), Fraction(0)), image=HALF_OPEN_UNIT),
    "floor": Trait(lambda a: a.floor(), is_continuous=False),
    "ceil": Trait(lambda a: a.ceil(), is_continuous=False),
    "round": Trait(is_continuous=False),
    "whole": Trait(is_continuous=False),
    "real": Trait(lambda a: a, direction=1),
    "truth": Trait(is_continuous=False, image=Bounds(Fraction(0), Fraction(1))),
    "stop": Trait(lambda a: a, direction=1),
    "log_softplus": Trait(lambda a: a.exp().log1p().log(), direction=1, limits=(-INF, INF)),
    "softplus_share": Trait(),
}  # fmt: skip


class _Traits(Mapping[str, Trait]):
    """The traits by name. Of a function that has none here only its domain is known, and nothing is claimed."""

    def __getitem__(self, name: str) -> Trait:
        if name in _KNOWN:
            return _KNOWN[name]
        row = OPS[name]
        if row.arity != 1 or row.gives is not Kind.REAL:
            raise KeyError(name)
        return Trait(domain=exactly(row.defined_of(0)), is_continuous=False)

    def __iter__(self) -> Iterator[str]:
        return iter(_KNOWN)

    def __len__(self) -> int:
        return len(_KNOWN)


TRAITS: Mapping[str, Trait] = _Traits()
"""Operations of one argument."""

TOGETHER = frozenset({"add", "sub", "mul", "div", "pow", "max", "min", "where", "mod", "xlogy", "logaddexp",
                      "log_bessel_i", "pi", "relu", "sigmoid_gap", "via", "mulexp", "logdiffexp", "lgamma_ratio",
                      "digamma_diff", "log_norm_cdf_diff", "norm_share", "bessel_i_slope"})  # fmt: skip
"""Operations of several arguments (or none); `compose` has a rule for each."""

CONDITIONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "isnan", "isinf", "isfinite"})
"""Operations that give a condition; `pieces` reads them."""

"""The aggregates: operations over whole axes, one row each."""

from __future__ import annotations

from collections.abc import Callable

from lossdsl.ir.bounds import INF, NONNEGATIVE, NONPOSITIVE, REALS, SIGNED_UNIT, UNIT, Bounds
from lossdsl.ir.op import TARGETS, Aggregate, Kind, same
from lossdsl.ir.rows.writing import BOOL, FROM_MINUS_ONE, FROM_ONE, INT, REAL

Kinds = tuple[Kind, Kind]
"""What an aggregate takes, and what it gives."""


def reduction(
    name: str,
    doc: str,
    empty: float | None,
    bounds: Callable[[Bounds], Bounds],
    latex: str = "",
    kinds: Kinds = (REAL, REAL),
    counts: bool = False,
    on_one_axis: bool = False,
) -> Aggregate:
    """An aggregate that every target has under the same name."""
    spelling = {
        "numpy": f"np.{name}",
        "tensorflow": f"tf.math.{'' if name.startswith('arg') else 'reduce_'}{name}",
        "jax": f"jnp.{name}",
        "torch": f"torch.{'a' if name in ('max', 'min') else ''}{name}",
        "keras": f"ops.{name}",
    }
    return Aggregate(name, doc, empty, False, *kinds, spelling=spelling, bounds=bounds, latex=latex, counts=counts,
                     on_one_axis=on_one_axis)  # fmt: skip


def summed(one: Bounds) -> Bounds:
    """The sum of one or more values of an interval."""
    low = one.low if one.low >= 0 else -INF
    high = one.high if one.high <= 0 else INF
    return Bounds(low, high, one.low_open, one.high_open)


def always(bounds: Bounds) -> Callable[[Bounds], Bounds]:
    return lambda _: bounds


def _multiplied(elements: Bounds) -> Bounds:
    if not elements.is_nonnegative:
        return REALS
    return UNIT if elements.high <= 1 else NONNEGATIVE


def _others(elements: Bounds) -> Bounds:
    return NONNEGATIVE if elements.is_nonnegative else REALS


AGGREGATE_ROWS = (
    reduction("sum", "sum; 0 over nothing", 0.0, summed, r"\sum", counts=True),
    reduction("mean", "mean; 0 over nothing", 0.0, same),
    reduction("prod", "product; 1 over nothing", 1.0, _multiplied, r"\prod", counts=True),
    reduction("max", "largest; the first of several gets the gradient; -inf over nothing", -INF, same, r"\max"),
    reduction("min", "smallest; the first of several gets the gradient; inf over nothing", INF, same, r"\min"),
    Aggregate("logsumexp", "log(sum(exp(e))); -inf over nothing", -INF, bounds=lambda a: Bounds(a.low), counts=True),
    reduction("any", "whether the condition holds somewhere", None, always(UNIT), kinds=(BOOL, BOOL)),
    reduction("all", "whether the condition holds everywhere", None, always(UNIT), kinds=(BOOL, BOOL)),
    reduction("argmax", "position of the largest, from 0; the first of several", None, always(NONNEGATIVE),
              r"\operatorname*{arg\,max}", (REAL, INT), on_one_axis=True),
    reduction("argmin", "position of the smallest, from 0; the first of several", None, always(NONNEGATIVE),
              r"\operatorname*{arg\,min}", (REAL, INT), on_one_axis=True),
    Aggregate("count", "how often the condition holds; 0 over nothing", 0.0, takes=BOOL, bounds=always(NONNEGATIVE),
              counts=True),
    Aggregate("len", "number of elements", bounds=always(FROM_ONE)),
    Aggregate("norm", "sqrt(sum(e^2)); slope 0 at 0", 0.0, bounds=always(NONNEGATIVE),
              spelling=dict.fromkeys(TARGETS, "_norm"), counts=True),
    Aggregate("var", "mean squared difference from the mean", bounds=always(NONNEGATIVE)),
    Aggregate("std", "square root of var; slope 0 at 0", bounds=always(NONNEGATIVE)),
    Aggregate("dot", "sum(a*b)", bounds=always(REALS), takes_filter=False, arity=(2, 2)),
    Aggregate("median", "the middle one, or the mean of the two in the middle; nan where one is; along one axis",
              bounds=same, takes_filter=False, on_one_axis=True),
    Aggregate("quantile", "`quantile(e, q)`: the q-quantile, linear between two; nan where one is; along one axis",
              bounds=always(REALS), takes_filter=False, on_one_axis=True, arity=(2, 2)),
    Aggregate("spectrum", "magnitudes of the discrete Fourier transform; slope 0 at 0; along one axis", keeps=True,
              bounds=always(NONNEGATIVE), takes_filter=False, on_one_axis=True),
    Aggregate("dft_cos", "sum of e[k]*cos(2*pi*j*k/n) over k", keeps=True, public=False, bounds=always(REALS)),
    Aggregate("dft_sin", "sum of e[k]*sin(2*pi*j*k/n) over k", keeps=True, public=False, bounds=always(REALS)),
    Aggregate("softmax", "exp(e)/sum(exp(e))", keeps=True, bounds=always(UNIT), takes_filter=False),
    Aggregate("log_softmax", "e - logsumexp(e)", keeps=True, bounds=always(NONPOSITIVE), takes_filter=False),
    Aggregate("softmax_rest", "1 - softmax(e)", keeps=True, bounds=always(UNIT), public=False),
    Aggregate("log_softmax_rest", "log(1 - softmax(e))", keeps=True, bounds=always(NONPOSITIVE), public=False),
    Aggregate("others", "sum of the other elements", keeps=True, bounds=_others, public=False),
    Aggregate("log_beta", "sum(lgamma(e)) - lgamma(sum(e)), of the multivariate beta function", bounds=always(REALS),
              public=False),
    Aggregate("normalize", "e/norm(e), and 0 where norm(e) is 0", keeps=True, bounds=always(SIGNED_UNIT),
              takes_filter=False),
    Aggregate("cumsum", "sum of all elements up to this one", keeps=True, bounds=summed, runs=True),
    Aggregate("logcumsumexp", "log(cumsum(exp(e)))", keeps=True, public=False, runs=True,
              bounds=lambda a: Bounds(a.low)),
    Aggregate("sort", "in ascending order, nan last; `sort(e, key)` in ascending order of key", keeps=True, bounds=same,
              takes_filter=False, arity=(1, 2), sorts=True),
    Aggregate("ordered", "sort, but nan throughout where one element is nan", keeps=True, public=False, bounds=same,
              sorts=True),
    Aggregate("rank", "1 for the largest, 2 for the next; the first of several comes first", keeps=True,
              bounds=always(FROM_ONE)),
    Aggregate("excess", "sum(e) - 1 of terms whose largest is 1, accurate where the others are small", -1.0,
              spelling=dict.fromkeys(TARGETS, "_excess"), public=False, bounds=always(FROM_MINUS_ONE)),
    Aggregate("unsort", "inverse of sort: puts e, which is in order of key, back into place", keeps=True, public=False,
              bounds=same),
)  # fmt: skip

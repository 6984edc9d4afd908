"""The rewriting passes, in order: a row each, with the name under which `lossdsl show NAME --stage PASS` prints a loss
after it. Every pass keeps what expressions mean; `tests/test_passes.py` compares at 50 digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lossdsl.ir.expr import Expr
from lossdsl.ir.ranges import Ranges
from lossdsl.transform.canonical import canonical, settled_products
from lossdsl.transform.complement import complemented
from lossdsl.transform.descent import descended
from lossdsl.transform.fewer_passes import affine_choices, doubled, grouped_steps, shared_choices
from lossdsl.transform.lower import lowered
from lossdsl.transform.masks import masked
from lossdsl.transform.own_axes import with_own_axes
from lossdsl.transform.probabilities import linked, with_parts
from lossdsl.transform.products import small_first
from lossdsl.transform.rules import stable
from lossdsl.transform.signs import signs_outside

Exprs = tuple[Expr, ...]


@dataclass(frozen=True)
class Pass:
    """A rewriting of several expressions at once, which share their parts, given what values they can take."""

    name: str
    does: str
    run: Callable[[Exprs, Ranges], Exprs]


def through(passes: Iterable[Pass], exprs: Iterable[Expr], known: Ranges) -> Exprs:
    """Expressions after some passes."""
    found = tuple(exprs)
    for one in passes:
        found = one.run(found, known)
    return found


MASKS = (
    Pass("masks", "operands that a mask throws away are harmless numbers",
         lambda exprs, known: tuple(masked(expr, known) for expr in exprs)),
)  # fmt: skip
"""Of the loss as it was written, before anything else."""

STABILIZE = (
    Pass("axes", "an index over an axis that nothing else varies along is that axis",
         lambda exprs, known: with_own_axes(exprs)),
    Pass("rules", "the early rules: functions that keep their digits", lambda exprs, known: stable(exprs, known)),
    Pass("descent", "logarithms, quotients and powers descend to the logits",
         lambda exprs, known: stable(descended(exprs, known), known)),
    Pass("parts", "a part of a whole has slopes that do not cancel", lambda exprs, known: with_parts(exprs)),
)  # fmt: skip
"""Numerically stable forms, from which readers' gradients are taken as well."""

AS_WRITTEN = tuple(one for one in STABILIZE if one.name != "descent")
"""Nearer to what the author wrote: a reader gets the gradient of this form where it is the shorter one."""

LINK = (
    Pass("probabilities", "softmax has the slope of its logarithm", lambda exprs, known: linked(exprs)),
    Pass("canonical", "one normal form of sums and products", lambda exprs, known: canonical(exprs, known)),
)
"""What the compiled gradient is taken from."""

LOWER = (
    Pass("complements", "1 - F without the subtraction", lambda exprs, known: complemented(exprs, known)),
    Pass("lowered", "functions of whole axes as sums, shifts and guards", lambda exprs, known: lowered(exprs)),
    Pass("late", "rules whose left side has the simpler slope",
         lambda exprs, known: canonical(stable(exprs, known, late=True), known)),
)  # fmt: skip
"""Of values and gradients alike, after differentiation."""

COMPUTE = (
    Pass("order", "small factors first, and once",
         lambda exprs, known: small_first(doubled(stable(canonical(exprs, known), known, late=True)), known)),
    Pass("settled", "products without factors that cancel or constants that meet",
         lambda exprs, known: settled_products(exprs, known)),
    Pass("steps", "what two neighbours have in common, once", lambda exprs, known: grouped_steps(exprs)),
    Pass("choices", "choices that are shared, or between two lines",
         lambda exprs, known: affine_choices(shared_choices(exprs))),
    Pass("signs", "differences instead of sums with what is negative", lambda exprs, known: signs_outside(exprs)),
)  # fmt: skip
"""Of gradients on large tensors, where a pass over all elements is what an operation costs."""

VALUE = (*MASKS, *STABILIZE, *LINK, *LOWER)
"""All that the value goes through."""
PASSES = (*VALUE, *COMPUTE)

"""Parameters of which too little is required, and those that do not do what their name says."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from lossdsl.analyze import is_smoothing
from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Reduce
from lossdsl.ir.text import decimal, formula

UNGUARDED = Row(
    "unguarded-parameter",
    "Parameter of which nothing is required",
    "info",
    "Nothing is required of a parameter, and for another value than the default the loss is negative or has none.",
    "loss mine(t, x; width = 1.0)\nabs(t - x)/width",
    "loss mine(t, x; width = 1.0)\nrequire width > 0\nabs(t - x)/width",
    "say by `require` which values are meant: others are refused then, and promises are proved for these alone",
)
UNSMOOTHED = Row(
    "unsmoothed-kink",
    "Epsilon beside the kink",
    "warning",
    "A small number, or a parameter that is called like one, stands where it would smooth a kink or keep a gradient "
    "finite, and has no influence on the gradient.",
    "loss mine(t, x; eps = 1e-3)\nrequire eps > 0\nsqrt((t - x)^2) + eps",
    "loss mine(t, x; eps = 1e-3)\nrequire eps > 0\nsqrt((t - x)^2 + eps^2)",
    "put it inside of the root, the logarithm or the divisor",
)

ROWS = (UNGUARDED, UNSMOOTHED)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each parameter that needs a requirement, and for each epsilon that does nothing to the gradient."""
    loss = subject.loss
    for need in subject.analyzers[0].needs:
        text = f"nothing is required of `{need.spec.name}`: with {need.spec.name} = {decimal(need.value)} the loss is "
        yield UNGUARDED.found(f"{text}{need.what}{setting(loss)}", need.spec.span, UNGUARDED.remedy, "seen")
    gradient = subject.programs[0].gradients.get(loss.prediction, ())
    for spec in loss.parameters:
        is_used = b.depends(subject.programs[0].stable, (spec.node,))
        is_small = spec.kind == "real" and spec.usual is not None and 0 < spec.usual <= _SMALL
        if (is_smoothing(spec) or is_small) and is_used and not any(b.depends(one, (spec.node,)) for one in gradient):
            text = f"`{spec.name}` has no influence on the gradient{setting(loss)}"
            yield UNSMOOTHED.found(text, spec.span, UNSMOOTHED.remedy, "proved")
    for kink, small in _beside_kinks(loss.value):
        text = f"`{formula(small, loss.names)}` stands beside `{formula(kink, loss.names)}`"
        text = f"{text}, and has no influence on the gradient{setting(loss)}"
        yield UNSMOOTHED.found(text, subject.formula, UNSMOOTHED.remedy, "proved")


_SMALL = Fraction(1, 100)
_KINKS = ("sqrt", "abs", "norm")


def _beside_kinks(value: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Small numbers that are added to a root, a norm or an absolute value that is a term of the loss."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, Reduce) and node.op.name in ("mean", "sum"):
            stack.append(node.arg)
        elif isinstance(node, Call) and node.op.name in ("add", "sub"):
            stack += node.args
            for one, other in (node.args, node.args[::-1]):
                small = b.exact(other)
                has_kink = isinstance(one, Call | Reduce) and one.op.name in _KINKS
                if has_kink and small is not None and 0 < small <= _SMALL and not _is_smoothed(one):
                    yield one, other


def _is_smoothed(kink: Expr) -> bool:
    """Whether a number is added under a root."""
    under = kink.children[0]
    return isinstance(under, Call) and under.op.name == "add" and any(b.exact(term) is not None for term in under.args)

"""Parameters of which too little is required, and those that do not do what their name says."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.analyze import is_smoothing
from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.ir import build as b
from lossdsl.ir.text import decimal

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
    "A parameter is called as if it smoothed a kink or kept a gradient finite, and has no influence on the gradient.",
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
        if is_smoothing(spec) and is_used and not any(b.depends(one, (spec.node,)) for one in gradient):
            text = f"`{spec.name}` has no influence on the gradient{setting(loss)}"
            yield UNSMOOTHED.found(text, spec.span, UNSMOOTHED.remedy, "proved")

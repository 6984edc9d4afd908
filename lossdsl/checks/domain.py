"""Operations that leave their domain for admissible inputs, and slopes that become infinite."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.analyze import DomainError
from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.ir.verdict import place

LEAVES = Row(
    "leaves-domain",
    "Operation that leaves its domain",
    "warning",
    "A logarithm, root, power, quotient or inverse function has no finite value for an input that is admissible.",
    "loss mine(t, x)\n(log(x) - log(t))^2",
    "loss mine(t: positive, x: positive)\n(log(x) - log(t))^2",
    "say in the header what the input can be (`x: positive`), or keep it inside with `max` or `clip`",
)
STEEP = Row(
    "infinite-gradient",
    "Gradient that is infinite or nan",
    "warning",
    "The gradient in the prediction is infinite or nan for an admissible input at which the loss itself is finite.",
    "sqrt(abs(t - x))",
    "sqrt(abs(t - x) + 0.01)",
    "keep what is under the root away from 0, as in `sqrt(u + epsilon)`",
)
DEGENERATE = Row(
    "degenerate-batch",
    "Batch without a value",
    "warning",
    "The loss is infinite or nan for a batch of one kind: a single sample, one class alone, nothing that a filter lets "
    "through.",
    "loss mine(t: label, x)\nmax[j in batch if t[j] != t](1 - norm(x - x[j]))",
    "loss mine(t: label, x)\nmax(max[j in batch if t[j] != t](1 - norm(x - x[j])), 0)",
    "give such a batch a value: of nothing, `max` is -inf and `min` inf, which a bound or a `where` takes away",
)

ROWS = (LEAVES, STEEP, DEGENERATE)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each operation that leaves its domain, once over all settings."""
    told: set[tuple[str, str, str]] = set()
    for analyzer in subject.analyzers:
        for escape in analyzer.escapes:
            key = escape.of, escape.op, escape.argument
            if key in told:
                continue
            told.add(key)
            row = STEEP if escape.of == "gradient" else LEAVES if escape.op else DEGENERATE
            text = f"{_said(escape)}{setting(analyzer.program.loss)}"
            yield row.found(text, escape.span, row.remedy, f"refuted at {place(escape.at)}")


def _said(escape: DomainError) -> str:
    of = f" of `{escape.argument}`" if escape.argument else ""
    where = f" at {place(escape.at)}" if escape.at else ""
    where = f" {escape.why}, as{where}" if escape.why else where
    if not escape.op:
        return f"the loss is {escape.result}{where}"
    if escape.of == "gradient":
        if escape.result == "unbounded":
            near = where.replace(" at ", " towards ")
            return f"the gradient grows without bound{near}: so does the slope of `{escape.op}`{of}"
        return f"the gradient is {escape.result}{where}, where `{escape.op}`{of} has no finite slope"
    what = f"`{escape.op}`{of}"
    if escape.op == "div":
        what = f"the quotient by `{escape.argument}`" if escape.argument else "the quotient"
    if escape.result == "unbounded":
        return f"{what} has no finite value next to {place(escape.at)}"
    return f"{what} is {escape.result}{where}"

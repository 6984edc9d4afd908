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

ROWS = (LEAVES, STEEP)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each operation that leaves its domain, once over all settings."""
    told: set[tuple[str, str, str]] = set()
    for analyzer in subject.analyzers:
        for escape in analyzer.escapes:
            key = escape.of, escape.op, escape.argument
            if key in told:
                continue
            told.add(key)
            row = LEAVES if escape.of == "value" else STEEP
            text = f"{_said(escape)}{setting(analyzer.program.loss)}"
            yield row.found(text, escape.span, row.remedy, f"refuted at {place(escape.at)}")


def _said(escape: DomainError) -> str:
    of = f" of `{escape.argument}`" if escape.argument else ""
    where = f" at {place(escape.at)}" if escape.at else ""
    if escape.of == "gradient":
        if escape.result == "unbounded":
            near = where.replace(" at ", " towards ", 1)
            return f"the gradient grows without bound{near}: so does the slope of `{escape.op}`{of}"
        return f"the gradient is {escape.result}{where}, where `{escape.op}`{of} has no finite slope"
    if escape.op == "div":
        by = f" by `{escape.argument}`" if escape.argument else ""
        return f"the quotient{by} is {escape.result}{where}"
    return f"`{escape.op}`{of} is {escape.result}{where}"

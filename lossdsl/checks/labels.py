"""Labels that are turned into real numbers, of which the short formats hold few whole ones."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject
from lossdsl.ir.expr import Call, walk

LABEL = Row(
    "label-float16",
    "Label as a real number",
    "info",
    "A label meets a real number and is turned into one: bfloat16 rounds labels above 256, float16 those above 2048. "
    "Labels that only pick elements, or meet whole numbers, stay whole.",
    "loss mine(t: label, x; ignored = 0.0)\nwhere(t == ignored, 0, logsumexp(x) - x[t])",
    "loss mine(t: label, x; ignored: int = 0)\nwhere(t == ignored, 0, logsumexp(x) - x[t])",
)

ROWS = (LABEL,)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each label that is turned into a real number."""
    loss = subject.loss
    for spec in loss.inputs:
        if not spec.is_label:
            continue
        (label,) = spec.nodes
        for node in walk(loss.result):
            if isinstance(node, Call) and node.op.name == "real" and any(part is label for part in walk(node)):
                yield LABEL.found(
                    f"the label `{spec.name}` is turned into a real number: bfloat16 holds all whole ones up to 256, "
                    "float16 up to 2048",
                    loss.spans.get(node) or loss.spans.get(loss.result),
                    "if it meets a parameter, declare that as `int`; else compute in float32",
                )
                break

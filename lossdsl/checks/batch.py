"""Losses that are one number for the whole batch."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject
from lossdsl.ir.axes import BATCH

WHOLE = Row(
    "whole-batch",
    "One number for the whole batch",
    "info",
    "The loss is one number for the whole batch, which Keras counts once a sample: with "
    '`reduction="sum"` it comes out once for each sample, and of sample weights only the mean counts.',
    "loss mine(t, x)\nsqrt(mean[all]((t - x)^2))",
    "loss mine(t, x)\nsqrt(mean((t - x)^2))",
    "leave the reduction as it is, and give weights as an input of the loss: `mean[all](w*e)`",
    asked=True,
)

ROWS = (WHOLE,)


def whole(subject: Subject) -> Iterator[Finding]:
    """A finding for a loss that has no value for each sample."""
    loss = subject.loss
    if BATCH not in loss.result.axes:
        hint = "leave the reduction as it is, and give weights as an input of the loss"
        yield WHOLE.found("the loss is one number for the whole batch", loss.spans.get(loss.value), hint)

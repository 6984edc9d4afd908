"""Losses that take the samples of a batch together, and those that are one number for all of it."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import walk
from lossdsl.ir.mixing import asks_for_batch

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

MEET = Row(
    "samples-meet",
    "Samples that meet",
    "info",
    "The loss takes the samples of a batch together, and is another one on a part of it, as each of several "
    "devices may have: losses for Keras and torch gather the parts, JAX's with `axis_name`.",
    "loss mine(t, x)\nmean((t - x - mean[batch](t - x))^2)",
    "loss mine(t, x)\nmean((t - x)^2)",
    "nothing on one device; on several, let it gather; an emitted module sees the part that it is given",
    asked=True,
)

ROWS = (WHOLE, MEET)


def whole(subject: Subject) -> Iterator[Finding]:
    """A finding for a loss that has no value for each sample."""
    loss = subject.loss
    if BATCH not in loss.result.axes:
        hint = "leave the reduction as it is, and give weights as an input of the loss"
        yield WHOLE.found("the loss is one number for the whole batch", loss.spans.get(loss.value), hint)


def meets(subject: Subject) -> Iterator[Finding]:
    """A finding for a loss whose samples take part in one another's value."""
    loss = subject.loss
    found = [node for node in walk(loss.result) if asks_for_batch(node)]
    if found:
        span = next((loss.spans[node] for node in found if node in loss.spans), loss.spans.get(loss.value))
        message = "samples of a batch take part in one another's loss: on a part of the batch it is another one"
        yield MEET.found(message, span, "where several devices have a part each, let it gather them")

"""Which finding tells what a refuted property does, with a place: nobody wants to read the same thing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lossdsl.checks import domain, pieces, shape
from lossdsl.checks.finding import Finding, Known, Row

TELLS: Mapping[str, tuple[Row, ...]] = {
    "bounded below": (shape.BOTTOMLESS,),
    "slope bounded": (shape.STEEP, domain.STEEP),
    "continuous": (pieces.JUMP,),
    "smooth": (pieces.JUMP, pieces.KINK, domain.STEEP),
    "convex": (shape.BENT,),
    "nonnegative": (shape.NEGATIVE,),
    "symmetric": (shape.LOPSIDED,),
    "least at t = x": (shape.ELSEWHERE,),
}
"""The findings that are raised where a property is refuted, each for a reason of its own."""


def with_finding(known: Known, findings: Iterable[Finding]) -> Known:
    """A verdict with the id of the finding that tells it, if there is one and it is not known yet.

    >>> with_finding(Known("convex", "refuted"), [shape.BENT.found("the loss is not convex")]).finding
    'not-convex'
    """
    if known.finding or known.how != "refuted":
        return known
    raised = {finding.id for finding in findings}
    ids = (row.id for row in TELLS.get(known.property, ()))
    return replace(known, finding=next((id for id in ids if id in raised), ""))

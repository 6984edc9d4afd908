"""The table of findings: each kind is a row of the module that looks for it, and stands here by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

from lossdsl.checks import (
    allowed,
    backend_gradients,
    batch,
    by_hand,
    defaults,
    distributions,
    domain,
    elements,
    examples,
    gradients,
    influence,
    labels,
    names,
    papers,
    parameters,
    pieces,
    precision,
    promises,
    reads,
    shape,
    texts,
)
from lossdsl.checks.finding import Finding, Outcome, Row
from lossdsl.checks.subject import Subject

READ: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (names.look,)
"""What looks at the text of a loss alone, also of one that means nothing."""

STUDIED: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (
    defaults.look,
    examples.look,
    gradients.look,
    by_hand.look,
    backend_gradients.look,
    precision.look,
    labels.look,
    reads.look,
    papers.look,
    influence.look,
    elements.look,
    distributions.look,
    parameters.look,
    pieces.look,
    domain.look,
    shape.look,
    promises.look,
)
"""What looks at the loss that a text means."""

ASKED: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    batch.WHOLE.id: batch.whole,
    batch.MEET.id: batch.meets,
    pieces.KINK.id: pieces.kinks,
    pieces.IDLE.id: pieces.idle,
    shape.MINIMISER.id: shape.minimiser,
    shape.FLAT.id: shape.flats,
    shape.FADING.id: shape.fades,
    shape.STEEP.id: shape.steep,
    shape.BENT.id: shape.bent,
    shape.LOPSIDED.id: shape.lopsided,
}
"""What looks for a kind of finding that is told only where it is asked for, by id."""

FAMILIES: dict[str, ModuleType] = {
    family.__name__.rpartition(".")[2]: family
    for family in (
        texts,
        names,
        defaults,
        examples,
        gradients,
        by_hand,
        backend_gradients,
        precision,
        labels,
        reads,
        batch,
        papers,
        influence,
        elements,
        distributions,
        parameters,
        pieces,
        domain,
        shape,
        promises,
        allowed,
    )
}
"""The modules whose rows these are, by name."""

FINDINGS: dict[str, Row] = {row.id: row for family in FAMILIES.values() for row in family.ROWS}
"""Every kind of finding, by id."""

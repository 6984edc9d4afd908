"""The table of findings: each kind is a row of the module that looks for it, and stands here by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lossdsl.checks import defaults, examples, gradients, names, papers, texts
from lossdsl.checks.finding import Finding, Row, Sure
from lossdsl.checks.subject import Subject

READ: tuple[Callable[[Subject], Iterator[Finding]], ...] = (names.look,)
"""What looks at the text of a loss alone, also of one that means nothing."""

STUDIED: tuple[Callable[[Subject], Iterator[Finding | Sure]], ...] = (
    defaults.look,
    examples.look,
    gradients.look,
    papers.look,
)
"""What looks at the loss that a text means."""

FINDINGS: dict[str, Row] = {
    row.id: row for family in (texts, names, defaults, examples, gradients, papers) for row in family.ROWS
}
"""Every kind of finding, by id."""

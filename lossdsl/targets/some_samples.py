"""Expressions that are worked out for some samples at a time: what they need of the whole batch comes first.

A condition on all samples, as of labels that may be 0 and 1 or -1 and 1, is exact whatever the order in which samples
are looked at. So it is worked out beforehand, and the rest takes it for an input. A sum over samples is not, and where
one is left the expressions need the whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH, NONE
from lossdsl.ir.expr import Expr, Reduce, Rename, walk
from lossdsl.ir.loss import Loss, ParameterSpec
from lossdsl.ir.mixing import asks_for_batch
from lossdsl.targets.blocks import Made

EXACT = {"all": "logical_and", "any": "logical_or", "max": "maximum", "min": "minimum"}
"""How what is found in two parts of a batch becomes one, by the names of numpy's functions."""


@dataclass(frozen=True)
class Rows:
    """Expressions of the samples at hand, in which inputs stand for what is known of all of them."""

    roots: tuple[Expr, ...]
    before: Mapping[Made, Reduce]

    def loss(self, loss: Loss) -> Loss:
        """The loss whose code has those inputs as arguments before its parameters."""
        more = tuple(ParameterSpec(leaf.name, "real", None) for leaf in self.before)
        return replace(loss, parameters=(*more, *loss.parameters))


def by_rows(loss: Loss, roots: tuple[Expr, ...]) -> Rows | None:
    """Expressions of a loss as those of some samples; None if they need the whole batch."""
    crossing = {node for node in walk(*roots) if _crosses(node)}
    found = [node for node in crossing if isinstance(node, Reduce) and node.op.name in EXACT and not node.axes]
    found = [node for node in found if BATCH in node.over and crossing.isdisjoint(walk(node.arg))]
    taken = {node.name for spec in loss.inputs for node in spec.nodes} | {one.name for one in loss.parameters}
    names = (name for number in range(1, len(taken) + len(found) + 1) if (name := f"whole{number}") not in taken)
    before = {Made(next(names), NONE, False, node.kind): node for node in found}
    put: dict[Expr, Expr] = {node: leaf for leaf, node in before.items()}
    roots = tuple(b.substitute(root, put) for root in roots)
    return None if any(map(_crosses, walk(*roots))) else Rows(roots, before)


def _crosses(node: Expr) -> bool:
    return asks_for_batch(node) or (isinstance(node, Rename) and BATCH.domain in (node.old.domain, node.new.domain))

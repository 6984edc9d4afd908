"""The inputs that two losses have in common, so that both are worked out of the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lossdsl.errors import LossTypeError
from lossdsl.ir.axes import names
from lossdsl.ir.expr import Expr, Input
from lossdsl.ir.inputs import MIXED, InputSpec, Order
from lossdsl.ir.loss import Loss


def met(first: Loss, second: Loss) -> tuple[tuple[InputSpec, ...], dict[Expr, Expr]]:
    """The inputs of both, and what the second's nodes become: by name where all names agree, else by position."""
    theirs = list(second.inputs)
    if {one.identifier for one in first.inputs} == {one.identifier for one in theirs}:
        theirs = [next(one for one in theirs if one.identifier == each.identifier) for each in first.inputs]
    moved: dict[Expr, Expr] = {}
    inputs = []
    fit = len(theirs) == len(first.inputs)
    for mine, other in zip(first.inputs, theirs, strict=False):
        fit = fit and len(mine.nodes) == len(other.nodes)
        fit = fit and all(a.axes == c.axes for a, c in zip(mine.nodes, other.nodes, strict=False))
        moved.update(zip(other.nodes, mine.nodes, strict=False))
        inputs.append(_narrowed(mine, other))
    if not fit:
        raise LossTypeError(
            f"{first.name} and {second.name} cannot be compared, since they take different inputs: "
            f"{_listed(first.inputs)}, and {_listed(second.inputs)}"
        )
    return tuple(inputs), moved


def renamed(one: Order, moved: Mapping[Expr, Expr]) -> Order:
    """An order of parts of the one loss as one of parts of the other."""
    low, high = moved.get(one.low, one.low), moved.get(one.high, one.high)
    assert isinstance(low, Input)
    assert isinstance(high, Input)
    return replace(one, low=low, high=high)


def _narrowed(mine: InputSpec, other: InputSpec) -> InputSpec:
    """An input with the kinds that one of two losses says where the other says none."""
    pairs = zip(mine.domains, other.domains, strict=False)
    kinds = tuple(theirs if own == "real" else own for own, theirs in pairs)
    return replace(mine, domain=kinds[0] if len(set(kinds)) == 1 else MIXED, kinds=kinds if len(kinds) > 1 else ())


def _listed(inputs: Sequence[InputSpec]) -> str:
    shown = ", ".join(f"{one.name}: {one.layout or 'element'}" for one in inputs)
    return f"{shown}, places {names(inputs[0].places)}" if inputs[0].places else shown

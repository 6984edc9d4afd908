"""The inputs that two losses have in common, so that both are worked out of the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lossdsl.errors import LossTypeError
from lossdsl.ir.axes import names
from lossdsl.ir.expr import Expr, Input
from lossdsl.ir.inputs import MIXED, InputSpec, Order
from lossdsl.ir.loss import Loss

_KINDS_OF = {
    "nonneg": ("positive", "prob", "simplex", "binary", "count", "onehot"),
    "prob": ("simplex", "binary", "onehot"),
    "simplex": ("onehot",),
    "binary": ("onehot",),
    "count": ("binary", "onehot"),
}
"""Of kinds of numbers, the kinds all of whose numbers they have."""


def met(first: Loss, second: Loss) -> tuple[tuple[InputSpec, ...], dict[Expr, Expr]]:
    """The inputs of both, and what the second's nodes become: by name where all names agree, else by position.

    Raises LossTypeError where there is no such input.
    """
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
    """An input with the kinds that numbers have which are of both kinds; LossTypeError where there is none."""
    pairs = list(zip(mine.domains, other.domains, strict=False))
    for own, theirs in pairs:
        if not (_within(own, theirs) or _within(theirs, own)):
            raise LossTypeError(
                f"these losses cannot be compared, since no kind of numbers is both: {mine.name} is {own} in one of "
                f"them, and {theirs} in the other"
            )
    kinds = tuple(own if _within(own, theirs) else theirs for own, theirs in pairs)
    return replace(mine, domain=kinds[0] if len(set(kinds)) == 1 else MIXED, kinds=kinds if len(kinds) > 1 else ())


def _within(kind: str, other: str) -> bool:
    """Whether every number of a kind is of another."""
    return kind == other or other in ("real", "logits") or kind in _KINDS_OF.get(other, ())


def narrower(first: Loss, second: Loss, common: Sequence[InputSpec]) -> tuple[str, ...]:
    """The inputs that one of two losses takes of more kinds than both have in common, each as in a header."""
    theirs = {one.identifier: one for one in second.inputs}
    found = []
    for place, (mine, both) in enumerate(zip(first.inputs, common, strict=True)):
        other = theirs.get(mine.identifier, second.inputs[place])
        if any(_real(one.domains) != _real(both.domains) or one.layout != both.layout for one in (mine, other)):
            found.append(both.told)
    return tuple(found)


def _real(kinds: Sequence[str]) -> list[str]:
    return ["real" if one == "logits" else one for one in kinds]


def _listed(inputs: Sequence[InputSpec]) -> str:
    shown = ", ".join(f"{one.name}: {one.layout or 'element'}" for one in inputs)
    return f"{shown}, places {names(inputs[0].places)}" if inputs[0].places else shown

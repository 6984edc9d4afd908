"""Numbers that positions give by addition: `i + 1`, `i + 2*k - 1`."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from lossdsl.ir.axes import Axis
from lossdsl.ir.expr import Call, Const, Expr, Position

Scales = dict[Axis, int]


class Affine(NamedTuple):
    """The sum of positions, each times a whole number that is not 0, and of a whole number."""

    scales: Scales
    constant: int

    def least(self, axes: frozenset[Axis]) -> int:
        """The least that the constant and the positions along some axes of known sizes come to."""
        return self.constant + sum(min(0, by * _last(axis)) for axis, by in self.scales.items() if axis in axes)

    def largest(self, axes: frozenset[Axis]) -> int:
        """The largest that they come to."""
        return self.constant + sum(max(0, by * _last(axis)) for axis, by in self.scales.items() if axis in axes)


def _last(axis: Axis) -> int:
    return max(0, (axis.size or 0) - 1)


def affine(expr: Expr, known: dict[Expr, Affine | None] | None = None) -> Affine | None:
    """A number as a sum of positions; None where it is no such sum. `known` has what was found of its parts."""
    known = {} if known is None else known
    if expr not in known:
        known[expr] = _found(expr, known)
    return known[expr]


def _found(expr: Expr, known: dict[Expr, Affine | None]) -> Affine | None:
    match expr:
        case Position(axis):
            return Affine({axis: 1}, 0)
        case Const(Fraction() as value) if value.denominator == 1:
            return Affine({}, int(value))
        case Call(op, (inner,)) if op.name in ("real", "whole"):
            return affine(inner, known)
        case Call(op, (inner,)) if op.name == "neg":
            return _scaled(affine(inner, known), -1)
        case Call(op, (left, right)) if op.name in ("add", "sub"):
            return _added(affine(left, known), _scaled(affine(right, known), 1 if op.name == "add" else -1))
        case Call(op, (left, right)) if op.name == "mul":
            one, other = affine(left, known), affine(right, known)
            if one is not None and other is not None and not (one.scales and other.scales):
                return _scaled(one, other.constant) if one.scales else _scaled(other, one.constant)
    return None


def _scaled(one: Affine | None, by: int) -> Affine | None:
    if one is None:
        return None
    return Affine({axis: by * scale for axis, scale in one.scales.items() if by}, by * one.constant)


def _added(one: Affine | None, other: Affine | None) -> Affine | None:
    if one is None or other is None:
        return None
    total = {axis: one.scales.get(axis, 0) + other.scales.get(axis, 0) for axis in (*one.scales, *other.scales)}
    return Affine({axis: scale for axis, scale in total.items() if scale}, one.constant + other.constant)

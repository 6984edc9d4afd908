"""Elements that are named though their axis does not have them: the nearest one counts in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lossdsl.ir.axes import ordered
from lossdsl.ir.expr import Const, Expr, Gather, Input, walk
from lossdsl.ir.traversal import valued
from lossdsl.oracle.interpreter import Array, evaluate, met
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program

COUNT = 6
"""At how many points labels are put in."""


@dataclass(frozen=True)
class MissingElement:
    """An element that is read and is not there: its number, from 0, and how many elements there are."""

    node: Gather
    index: int
    length: int


def missing_elements(program: Program) -> Iterator[MissingElement]:
    """One for each place of the formula that reads beyond an axis, for some labels or for all, and counts there.

    Of a vector or matrix parameter nobody knows the length, nor of a number other than a label the range.
    """
    loss = program.loss
    gathers = [node for node in walk(loss.result) if isinstance(node, Gather) and _is_judged(node)]
    seen: set[Expr] = set()
    for point in points(loss, program.known, COUNT) if gathers else ():
        given = point.given(mp_numbers())
        done = evaluate([loss.result], given, mp_numbers(), point.sizes)
        for node in gathers:
            if node not in seen:
                found = _missing(node, done)
                if found is not None and _counts(loss.result, node, given, done, point):
                    seen.add(node)
                    yield found


def _is_judged(node: Gather) -> bool:
    is_of_input = any(isinstance(part, Input) for part in walk(node.arg))
    read = [part for part in valued(node.index) if isinstance(part, Input)]
    return (
        node.axis.domain == "last"
        and not isinstance(node.index, Const)
        and is_of_input
        and all(part.whole for part in read)
    )


def _places(node: Gather, done: Mapping[Expr, Array]) -> tuple[Array, int]:
    """The elements that are read, and how many there are."""
    length = done[node.arg].shape[ordered(node.arg.axes).index(node.axis)]
    whole = np.frompyfunc(lambda place: int(place) if mp_numbers().isfinite(place) else length, 1, 1)
    return np.asarray(whole(done[node.index]), dtype=object), length


def _missing(node: Gather, done: Mapping[Expr, Array]) -> MissingElement | None:
    places, length = _places(node, done)
    beyond = [place for place in places.ravel().tolist() if not 0 <= place < length]
    return MissingElement(node, beyond[0], length) if beyond else None


def _counts(root: Expr, node: Gather, given: Mapping[Expr, Array], done: Mapping[Expr, Array], point: Point) -> bool:
    """Whether what is read beyond the axis reaches the loss: it does if nan in its place does."""
    m = mp_numbers()
    places, length = _places(node, done)
    is_there = np.asarray(np.frompyfunc(lambda place: 0 <= place < length, 1, 1)(places), dtype=object)
    array = done[node].copy()
    inside = np.broadcast_to(met(is_there, node.index.axes, node.axes), array.shape)
    array[~inside.astype(bool)] = m.nan
    value = evaluate([root], {**given, node: array}, m, point.sizes)[root]
    return any(m.isnan(one) for one in value.ravel().tolist())

"""Whether two losses are equal, or equal up to scale and shift, and for which parameters: `lossdsl compare`.

Both are worked out at 50 digits at the same points. Where all values of the one are a multiple of the other's plus a
constant, that is proved if it can be: by the normal form of the difference, piece by piece, or by the stable forms of
both. Values are compared, not slopes: `stop(e)` is e. Parameters of one name are one number. Others are tried as they
are, at a few numbers that formulas are fond of, and two of them as one. A difference is shown by a point. What seems to
hold is looked at with many more digits, far and near, and on both sides of each join, before it is said.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from lossdsl.analyze.loss_pair import Given, Pair, Relation
from lossdsl.pipeline import Program

MAX_TRIED = 150
"""How many settings of parameters are tried."""


@dataclass(frozen=True)
class Compared:
    """What two losses are to each other: the relations that were found, and where they differ, a point.

    `nearly` is what holds at ordinary points and not at that one, where `values` are those of both its sides.
    `inputs` are those of which one of the losses takes other values as well: all is said of what both take, and of
    points at which both have a value. `lacking` is a point at which only one has, under the first relation.
    """

    relations: tuple[Relation, ...]
    point: str = ""
    values: tuple[str, str] = ("", "")
    nearly: Relation | None = None
    inputs: tuple[str, ...] = ()
    lacking: tuple[str, tuple[str, str]] = ("", ("", ""))


def _is_case(given: Given, of: Given) -> bool:
    """Whether what is put in for parameters is a case of something more general."""
    return all(
        given.get(node) is value or (node in given and given[node] is given.get(value)) for node, value in of.items()
    )


def compared(first: Program, second: Program) -> Compared:
    """What the first of two losses is to the second.

    Raises LossTypeError where they take different inputs, give values of different axes, or require of a parameter
    of one name what no number fulfils.

    >>> from lossdsl import pipeline
    >>> expectile, square = (pipeline.program(pipeline.builtin(name)) for name in ("expectile", "mean_squared_error"))
    >>> (found,) = compared(expectile, square).relations
    >>> print(found.format("expectile", "mean_squared_error"))
    expectile = 0.5*mean_squared_error for q = 0.5: proved (pieces)
    """
    pair = Pair.of(first, second)
    found = _found(pair)
    lacking = pair.lacking(found.relations[0].given) if found.relations else found.lacking
    return replace(found, inputs=pair.inputs, lacking=lacking)


def _found(pair: Pair) -> Compared:
    everywhere = pair.relation({})
    if everywhere is not None:
        return Compared((everywhere,))
    if pair.against:  # what fails below a threshold alone is no matter of parameters
        return Compared((), *pair.against[0])
    found: list[Relation] = []
    for given in itertools.islice(pair.settings(), MAX_TRIED):
        if any(_is_case(given, one.given) for one in found):
            continue
        relation = pair.relation(given)
        if relation is not None:
            found.append(relation)
    if not found and pair.against:
        return Compared((), *pair.against[0])
    return Compared(tuple(found), *pair.difference(found))

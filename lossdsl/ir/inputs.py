"""What a loss is given: the kinds of inputs, the axes that they have, and the parts of a packed one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate, pairwise

from lossdsl.ir.axes import BATCH, LAST, ROWS, SPACE, Axes, Axis
from lossdsl.ir.bounds import NONNEGATIVE, NONPOSITIVE, POSITIVE, REALS, SIGNED_UNIT, UNIT, Bounds
from lossdsl.ir.expr import Expr, Input
from lossdsl.source import Span

DOMAINS: dict[str, Bounds] = {
    "real": REALS,
    "positive": POSITIVE,
    "nonneg": NONNEGATIVE,
    "prob": UNIT,
    "simplex": UNIT,
    "logprob": NONPOSITIVE,
    "logits": REALS,
    "binary": UNIT,
    "sign": SIGNED_UNIT,
    "count": NONNEGATIVE,
    "onehot": UNIT,
    "unit": SIGNED_UNIT,
}
"""The words that say which values an input takes."""

SUM_TO_ONE = frozenset({"simplex", "onehot"})
"""Those of them whose elements sum to 1."""

LAYOUTS: dict[str, Axes] = {
    "label": frozenset({BATCH, SPACE}),
    "label last": frozenset({BATCH, SPACE, LAST}),
    "scalar": frozenset({BATCH, SPACE}),
    "vector": frozenset({LAST}),
    "matrix": frozenset({ROWS, LAST}),
    "row_label": frozenset({ROWS}),
    "sample": frozenset({BATCH, LAST}),
    "sample scalar": frozenset({BATCH}),
    "sample label": frozenset({BATCH}),
    "sample label last": frozenset({BATCH, LAST}),
    "sample matrix": frozenset({BATCH, ROWS, LAST}),
}
"""The words that say which axes an input has; `sample` says that it has no places."""

HARMLESS = {"positive": 1.0, "nonneg": 1.0, "prob": 0.5, "simplex": 0.5, "logprob": -1.0, "sign": 1.0, "unit": 0.5}
"""A value of inputs of a kind that stands where nothing is to count; 0 for other kinds."""

_CHANGED = {"shifted": frozenset({"real", "logits"}), "scaled": frozenset({"real", "logits", "positive", "nonneg"})}

LABELS = ("label", "label last", "row_label", "sample label", "sample label last")
"""Those of them whose inputs hold whole numbers."""

ELEMENT: Axes = frozenset({BATCH, SPACE, LAST})


def layout_axes(layout: str, places: tuple[Axis, ...]) -> Axes:
    """The axes that a word about them means, in a loss that names its places."""
    axes = LAYOUTS.get(layout, ELEMENT)
    return axes - {SPACE} | set(places) if places and SPACE in axes else axes


MIXED = "mixed"
"""Stands for the kind of a packed input whose parts are of several."""


@dataclass(frozen=True)
class Part:
    """What has a kind of its own: an input, or a component of one. `node` is what it is in formulas."""

    name: str
    node: Input
    domain: str

    @property
    def bounds(self) -> Bounds:
        return DOMAINS[self.domain]


@dataclass(frozen=True)
class InputSpec:
    """An input of a loss: one tensor, or several components, each a block of its last axis.

    `domain` is the kind of all of it, or MIXED; `kinds` are those of several nodes.
    `lengths` says how long the blocks of nodes are, where one of them says so; the others share what is left equally.
    """

    nodes: tuple[Input, ...]
    domain: str = "real"
    layout: str = ""
    places: tuple[Axis, ...] = ()
    """The axes of the loss between batch and last, where it names them."""
    kinds: tuple[str, ...] = ()
    lengths: tuple[int | None, ...] = ()
    stated: tuple[str, ...] = ()
    """The same as they are written, by a number or the name of a parameter; empty where nothing is said."""

    @cached_property
    def fixed(self) -> int:
        """How many elements of the last axis belong to blocks that say how long they are."""
        return sum(length or 0 for length in self.lengths)

    @cached_property
    def shares(self) -> int:
        """How many blocks share the other elements equally."""
        return self.lengths.count(None) or len(self.nodes)

    def block(self, length: int) -> int:
        """The length of a block that says none, where the last axis of the whole tensor is so long."""
        return (length - self.fixed) // self.shares

    def blocks(self, length: int) -> list[slice]:
        """Where each of its nodes lies in the last axis of the whole tensor."""
        own = self.block(length)
        stops = [*accumulate(own if one is None else one for one in self.lengths or [None] * len(self.nodes))]
        return [slice(start, stop) for start, stop in pairwise([0, *stops])]

    def is_packed_like(self, other: InputSpec) -> bool:
        """Whether its tensor has as many elements along the last axis as that of another, where their blocks agree."""
        return (self.fixed, self.shares) == (other.fixed, other.shares)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The nodes with their kinds."""
        kinds = self.kinds or (self.domain,) * len(self.nodes)
        return tuple(Part(node.name, node, kind) for node, kind in zip(self.nodes, kinds, strict=True))

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """The kinds of its parts, in order."""
        return tuple(part.domain for part in self.parts)

    def part(self, node: Expr) -> Part:
        """The part that one of its nodes is."""
        return next(part for part in self.parts if part.node is node)

    def pieces(self, length: int) -> Iterator[tuple[Part, slice]]:
        """Each part with where it lies in the last axis of the whole tensor, which is so long."""
        return zip(self.parts, self.blocks(length), strict=True)

    @property
    def is_line(self) -> bool:
        """Whether it is any number, as far as is said."""
        return self.domain in ("real", "logits")

    def may_be(self, change: str) -> bool:
        """Whether all of it may be "shifted" by a number, or "scaled" by a positive one, and is of its kinds still."""
        return _CHANGED[change].issuperset(self.domains)

    @property
    def harmless(self) -> float | None:
        """A number that stands where nothing is to count; None where no number is of the kinds of all parts."""
        if self.is_label:
            return 0.0
        wanted = [HARMLESS.get(kind, 0.0) for kind in self.domains]
        fit = (one for one in wanted if all(_is_harmless(one, part) for part in self.parts))
        return next(fit, None)

    @property
    def values(self) -> str:
        """Its kind in words; of parts of several kinds, each with its name: `m real, s positive`."""
        if self.domain != MIXED:
            return self.domain
        return ", ".join(f"{part.name} {part.domain}" for part in self.parts)

    @property
    def told(self) -> str:
        """It as in a header, with its kinds: `(m, s: positive)`, `t: label`."""
        words = " ".join(filter(None, ("" if self.domain in ("real", MIXED) else self.domain, self.layout)))
        if self.domain != MIXED and not self.stated:
            return f"{self.name}: {words}" if words else self.name
        told = []
        for part, length in zip(self.parts, self.stated or ("",) * len(self.nodes), strict=True):
            own = " ".join(filter(None, (length, "" if part.domain == "real" else part.domain)))
            told.append(f"{part.name}: {own}" if own else part.name)
        return f"({', '.join(told)})"

    @property
    def name(self) -> str:
        """What the input is called: `x`, or `(m, s)` for a packed one."""
        names = [node.name for node in self.nodes]
        return names[0] if len(names) == 1 else f"({', '.join(names)})"

    @cached_property
    def identifier(self) -> str:
        """The name as one word: `m_s` for a packed input."""
        return "_".join(node.name for node in self.nodes)

    @cached_property
    def over(self) -> Axes:
        return layout_axes(self.layout, self.places)

    @cached_property
    def is_full(self) -> bool:
        """Whether it has batch, places and last."""
        return self.over == layout_axes("", self.places)

    @property
    def has_places(self) -> bool:
        return any(axis.is_place for axis in self.over)

    @property
    def is_label(self) -> bool:
        return self.layout in LABELS

    @property
    def is_real(self) -> bool:
        return not self.is_label


def _is_harmless(number: float, part: Part) -> bool:
    return number == HARMLESS.get(part.domain, number) or (part.domain in ("positive", "nonneg") and number > 0)


@dataclass(frozen=True)
class Order:
    """That one part of a packed input is never above another; where it is `strict`, always below."""

    low: Input
    high: Input
    strict: bool
    span: Span


def in_order(orders: Iterable[Order]) -> tuple[Input, ...]:
    """The parts that are compared, each behind those below it. Raises ValueError where there is no such row."""
    below: dict[Input, list[Input]] = {}
    for one in orders:
        below.setdefault(one.low, [])
        below.setdefault(one.high, []).append(one.low)
    try:
        return tuple(TopologicalSorter(below).static_order())
    except CycleError as error:
        raise ValueError(*error.args) from None

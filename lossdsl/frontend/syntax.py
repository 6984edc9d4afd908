"""The syntax tree: frozen nodes, each with its place in the source. Nothing is known yet of what names mean."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lossdsl.source import Source, Span


@dataclass(frozen=True)
class Node:
    """A part of a text; `span` is where it stands."""

    span: Span


@dataclass(frozen=True)
class Word(Node):
    """A name as it was written."""

    text: str


# --- expressions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number(Node):
    """A number: its exact value, and one unit of the last decimal that was written (0 without one)."""

    value: Fraction
    unit: Fraction


@dataclass(frozen=True)
class Name(Node):
    text: str


@dataclass(frozen=True)
class Self(Node):
    """`self`, the position at hand."""


@dataclass(frozen=True)
class Truth(Node):
    value: bool


@dataclass(frozen=True)
class Unary(Node):
    """`op` is `-`, `+` or `not`."""

    op: str
    operand: Node


@dataclass(frozen=True)
class Chain(Node):
    """Operations of one precedence, from left to right: `first op1 e1 op2 e2 …`. Comparisons chain."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Power(Node):
    base: Node
    exponent: Node


@dataclass(frozen=True)
class Call(Node):
    function: Word
    args: tuple[Node, ...]
    keywords: tuple[tuple[Word, Node], ...] = ()


@dataclass(frozen=True)
class Cases(Node):
    pieces: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True)
class Item(Node):
    """What stands between square brackets."""


@dataclass(frozen=True)
class At(Item):
    value: Node


@dataclass(frozen=True)
class Bound(Item):
    """`j in batch`."""

    name: Word
    domain: Word


@dataclass(frozen=True)
class Placed(Item):
    """`argmax(t) in row`: an element that is worked out, of an axis that is named."""

    value: Node
    domain: Word


@dataclass(frozen=True)
class Ranged(Item):
    """`c in 0:K`: the numbers from `start` up to `stop`, without it."""

    name: Word
    start: Node
    stop: Node


@dataclass(frozen=True)
class Range(Item):
    """`start:stop`."""

    start: Node | None
    stop: Node | None


@dataclass(frozen=True)
class Subscript(Node):
    target: Node
    items: tuple[Item, ...]
    condition: Node | None


@dataclass(frozen=True)
class Aggregate(Node):
    """`sum[items if condition](args)`."""

    function: Node
    items: tuple[Item, ...]
    condition: Node | None
    args: tuple[Node, ...]


@dataclass(frozen=True)
class ListValue(Node):
    """`[…]`, which stands in examples only."""

    elements: tuple[Node, ...]


# --- lines --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InputDecl(Node):
    """An input; of a packed one, how long each part is and which kind it has, where that is said."""

    names: tuple[Word, ...]
    kinds: tuple[Word, ...]
    lengths: tuple[Word | None, ...] = ()
    part_kinds: tuple[tuple[Word, ...], ...] = ()


@dataclass(frozen=True)
class ParameterDecl(Node):
    name: Word
    kinds: tuple[Word, ...]
    default: Node | None


@dataclass(frozen=True)
class Docstring(Node):
    text: str


@dataclass(frozen=True)
class Use(Node):
    """`use "fair.loss"`: the losses of another file can be called."""

    path: str


@dataclass(frozen=True)
class Header(Node):
    name: Word
    inputs: tuple[InputDecl, ...]
    parameters: tuple[ParameterDecl, ...]


@dataclass(frozen=True)
class Places(Node):
    """`places row, col`: what the axes between batch and last are called."""

    names: tuple[Word, ...]


@dataclass(frozen=True)
class Require(Node):
    condition: Node


@dataclass(frozen=True)
class Expect(Node):
    text: str


@dataclass(frozen=True)
class Allow(Node):
    """A finding that the author knows and wants: its id, and why it may stay."""

    finding: Word
    reason: str


@dataclass(frozen=True)
class Example(Node):
    bindings: tuple[tuple[Word, Node], ...]
    expected: Node


@dataclass(frozen=True)
class Definition(Node):
    left: Node
    right: Node


@dataclass(frozen=True)
class Formula(Node):
    value: Node


# --- files --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossText:
    """One loss of a file: its documentation, its header (None for a bare formula), and the lines after it."""

    doc: str
    header: Header | None
    lines: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class FileText:
    """A whole text: its losses in order; the last is the file's, the others are its helpers.

    `uses` are the lines that name other files; where these were linked, their losses stand among the helpers, and
    `whole` is one text that means the same.
    """

    source: Source
    losses: tuple[LossText, ...]
    uses: tuple[Use, ...] = ()
    whole: str | None = None

    @property
    def text(self) -> str:
        """The text, with that of all files that it uses."""
        return self.source.text if self.whole is None else self.whole

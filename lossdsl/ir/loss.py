"""What a checked loss is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from lossdsl.ir.axes import BATCH, LAST, NONE, ROWS, SPACE, Axes, Axis, ordered
from lossdsl.ir.bounds import NONNEGATIVE, NONPOSITIVE, POSITIVE, REALS, SIGNED_UNIT, UNIT, Bounds
from lossdsl.ir.expr import Expr, Input, Param
from lossdsl.source import Source, Span, normal_name

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

LABELS = ("label", "label last", "row_label", "sample label", "sample label last")
"""Those of them whose inputs hold whole numbers."""

PROPERTIES = (
    "continuous",
    "smooth",
    "convex",
    "nonnegative",
    "bounded",
    "symmetric",
    "zero at t = x",
    "least at t = x",
)
"""What a loss may be expected to be, in its prediction."""

ELEMENT: Axes = frozenset({BATCH, SPACE, LAST})


def layout_axes(layout: str, places: tuple[Axis, ...]) -> Axes:
    """The axes that a word about them means, in a loss that names its places."""
    axes = LAYOUTS.get(layout, ELEMENT)
    return axes - {SPACE} | set(places) if places and SPACE in axes else axes


@dataclass(frozen=True)
class InputSpec:
    """An input of a loss: one tensor, or several components in equal blocks of its last axis."""

    nodes: tuple[Input, ...]
    domain: str = "real"
    layout: str = ""
    places: tuple[Axis, ...] = ()
    """The axes of the loss between batch and last, where it names them."""

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


Default = float | bool | int | tuple[float, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter: `kind` is real, bool, int, vector or matrix. `default` is None where a value must be given.

    A vector or matrix has one number for all of its elements by default, or a tuple of them, or of rows.
    """

    name: str
    kind: str
    default: Default | None
    span: Span | None = None

    @property
    def usual(self) -> Fraction | None:
        """The default as one exact number, of several the first; None where there is none, or none that is finite."""
        found = self.default
        while isinstance(found, tuple):
            found = found[0]
        return None if found is None or not math.isfinite(found) else Fraction(repr(float(found)))

    @property
    def over(self) -> Axes:
        return LAYOUTS.get(self.kind, NONE)

    @property
    def node(self) -> Param:
        return Param(self.name, self.over)

    @property
    def nodes(self) -> tuple[Param]:
        """As an input has several."""
        return (self.node,)

    @cached_property
    def identifier(self) -> str:
        return self.name


Argument = InputSpec | ParameterSpec
"""What a loss is called with."""


@dataclass(frozen=True)
class Example:
    """A worked value. The numbers are exact; `expected` carries the decimals that were written."""

    bindings: Mapping[str, object]
    expected: object
    span: Span


@dataclass(frozen=True)
class Expectation:
    """A property that the author promises."""

    text: str
    span: Span


@dataclass(frozen=True)
class Allowance:
    """A finding that the author knows and wants: its id, why it may stay, and where the id is written."""

    id: str
    reason: str
    span: Span


@dataclass(frozen=True)
class Requirement:
    """A condition on parameters, checked when they are bound."""

    condition: Expr
    span: Span


@dataclass(frozen=True)
class Written:
    """A number of an example: its exact value, and one unit of the last decimal that was written (0 without one)."""

    value: Fraction | float
    unit: Fraction


@dataclass(frozen=True)
class Loss:
    """A resolved loss: what every later stage works on.

    `value` is the last expression before the final average; `result` has it averaged over the last axis, and its axes
    are those of what the loss returns (batch and space, or none for one number). `spans` says where a node was first
    written, `names` what the author called it, `called` of which loss it is the value; `repeated` has aggregates whose
    term lacks an axis, with its name.
    """

    name: str
    doc: str
    inputs: tuple[InputSpec, ...]
    parameters: tuple[ParameterSpec, ...]
    value: Expr
    result: Expr
    source: Source
    text: str = ""
    """All of what was read: the text of the source, and of files that it uses."""
    settled: Mapping[str, bool | int] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    examples: tuple[Example, ...] = ()
    spans: Mapping[Expr, Span] = field(default_factory=dict)
    names: Mapping[Expr, str] = field(default_factory=dict)
    called: Mapping[Expr, str] = field(default_factory=dict)
    repeated: tuple[tuple[Span, str], ...] = ()

    @property
    def prediction(self) -> InputSpec:
        """The input that a model makes: the second, or the only one."""
        return self.inputs[1] if len(self.inputs) > 1 else self.inputs[0]

    @property
    def target(self) -> InputSpec | None:
        """The first of several inputs; None for a loss of the prediction alone."""
        return self.inputs[0] if len(self.inputs) > 1 else None

    @property
    def places(self) -> tuple[Axis, ...]:
        """The axes between batch and last, where the loss names them; else those are one, called `space`."""
        return self.inputs[0].places

    @property
    def sample_axes(self) -> Axes:
        """The axes of what has one value for each sample and place."""
        return layout_axes("scalar", self.places)

    @property
    def measures(self) -> dict[Axis, Input | Param]:
        """For each axis an input, the prediction first, or a parameter, on which its positions are counted."""
        order = self.inputs[1:2] + self.inputs[:1] + self.inputs[2:]
        leaves: list[Input | Param] = [node for spec in order for node in spec.nodes]
        leaves += [one.node for one in self.parameters if one.over]
        found: dict[Axis, Input | Param] = {}
        for leaf in leaves:
            for axis in ordered(leaf.axes):
                found.setdefault(axis, leaf)
        return found

    @property
    def open(self) -> tuple[ParameterSpec, ...]:
        """The parameters that stand in the formula still: numbers, vectors and matrices."""
        return tuple(one for one in self.parameters if one.name not in self.settled)

    @property
    def setting(self) -> str:
        """The values of the `bool` and `int` parameters, as text: `from_logits=true, k=2`; empty where it has none."""
        return ", ".join(f"{name}={str(value).lower()}" for name, value in self.settled.items())

    def input(self, name: str) -> InputSpec | None:
        """The input called so (`(m, s)`, `m_s` and `m,s` all name a packed one)."""
        wanted = normal_name(name).strip("()").replace(" ", "").replace(",", "_")
        return next((spec for spec in self.inputs if spec.identifier == wanted), None)

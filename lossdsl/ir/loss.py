"""What a checked loss is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from lossdsl.ir.axes import NONE, Axes, Axis, ordered
from lossdsl.ir.expr import Expr, Input, Param
from lossdsl.ir.inputs import LAYOUTS, InputSpec, Order, layout_axes
from lossdsl.source import Source, Span, normal_name

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

INVARIANCES = ("shift invariant", "scale invariant")
"""What a loss of scores or embeddings may be: shifting all of a prediction alike, or scaling it, changes nothing."""

EXPECTED = (*PROPERTIES, *INVARIANCES, "finite", "bounded below", "slope bounded")
"""What an `expect` line may promise."""

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
    """A condition on parameters, checked when they are bound: its place, and how it is told.

    That of a loss which is called has the place of the call, and is told in the words of the caller.
    """

    condition: Expr
    span: Span
    text: str


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
    orders: tuple[Order, ...] = ()
    """What is required of the parts of inputs: a promise, like their kinds."""
    expectations: tuple[Expectation, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    examples: tuple[Example, ...] = ()
    spans: Mapping[Expr, Span] = field(default_factory=dict)
    names: Mapping[Expr, str] = field(default_factory=dict)
    called: Mapping[Expr, str] = field(default_factory=dict)
    repeated: tuple[tuple[Span, str], ...] = ()

    @property
    def granted(self) -> list[Expr]:
        """What holds wherever the loss is asked for: what is required of parameters, and of the parts of inputs."""
        from lossdsl.ir.build import call

        ordered = [call("lt" if one.strict else "le", one.low, one.high) for one in self.orders]
        return [*(requirement.condition for requirement in self.requirements), *ordered]

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
                if axis.is_whole:
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

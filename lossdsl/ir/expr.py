"""Expressions: frozen, interned nodes, each with its axes and its kind.

Two expressions that are written alike are one object, so equality is identity and shared parts are shared. Places in
the source ride beside the nodes (`Loss.spans`), never inside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from lossdsl.ir.axes import NONE, Axes, Axis, slice_bounds
from lossdsl.ir.interning import Interned
from lossdsl.ir.op import Aggregate, Kind, Op


@dataclass(frozen=True, eq=False, repr=False)
class Expr(metaclass=Interned):
    """A node; see the subclasses. `children` are the expressions that it is made of."""

    def __repr__(self) -> str:
        from lossdsl.ir.text import formula

        return f"<{formula(self)}>"

    @property
    def children(self) -> tuple[Expr, ...]:
        return ()

    @cached_property
    def axes(self) -> Axes:
        raise NotImplementedError

    @cached_property
    def kind(self) -> Kind:
        return Kind.REAL

    @cached_property
    def is_static(self) -> bool:
        """Whether it is settled by the parameters alone, as one plain number."""
        return False

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        """The same node over other children."""
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Const(Expr):
    """A number, exactly as it was written (`0.1` is one tenth); the infinities and nan are floats."""

    value: Fraction | float

    @cached_property
    def axes(self) -> Axes:
        return NONE

    @cached_property
    def is_static(self) -> bool:
        return True


@dataclass(frozen=True, eq=False, repr=False)
class Flag(Expr):
    """A condition that is settled: true or false."""

    value: bool

    @cached_property
    def axes(self) -> Axes:
        return NONE

    @cached_property
    def kind(self) -> Kind:
        return Kind.BOOL

    @cached_property
    def is_static(self) -> bool:
        return True


@dataclass(frozen=True, eq=False, repr=False)
class Input(Expr):
    """The element at hand of an input tensor (or of one component of a packed one)."""

    name: str
    over: Axes
    whole: bool = False

    @cached_property
    def axes(self) -> Axes:
        return self.over

    @cached_property
    def kind(self) -> Kind:
        return Kind.INT if self.whole else Kind.REAL


@dataclass(frozen=True, eq=False, repr=False)
class Param(Expr):
    """A real parameter: one number, or a vector over the last axis."""

    name: str
    over: Axes = NONE

    @cached_property
    def axes(self) -> Axes:
        return self.over

    @cached_property
    def is_static(self) -> bool:
        return not self.over


@dataclass(frozen=True, eq=False, repr=False)
class Call(Expr):
    """An elementwise operation; its arguments meet by the names of their axes."""

    op: Op
    args: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    @cached_property
    def axes(self) -> Axes:
        return NONE.union(*(arg.axes for arg in self.args))

    @cached_property
    def kind(self) -> Kind:
        return _kind_of(self.op, self.args)

    @cached_property
    def is_static(self) -> bool:
        return self.op.name != "stop" and all(arg.is_static for arg in self.args)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Call(self.op, children)


def _kind_of(op: Op, args: tuple[Expr, ...]) -> Kind:
    """Whole numbers stay whole under + - * and a choice; everything else is as the row says."""
    if op.whole:
        values = [arg for arg in args if arg.kind is not Kind.BOOL]
        if all(is_whole(arg) for arg in values) and any(arg.kind is Kind.INT for arg in values):
            return Kind.INT
    return op.gives


def is_whole(expr: Expr) -> bool:
    """Whether an expression is a whole number by its type, or a constant that is one."""
    return expr.kind is Kind.INT or (
        isinstance(expr, Const) and isinstance(expr.value, Fraction) and expr.value.denominator == 1
    )


@dataclass(frozen=True, eq=False, repr=False)
class Reduce(Expr):
    """An aggregate of `arg` over axes that it has and loses."""

    op: Aggregate
    arg: Expr
    over: Axes

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    @cached_property
    def axes(self) -> Axes:
        return self.arg.axes - self.over

    @cached_property
    def kind(self) -> Kind:
        return self.op.gives

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Reduce(self.op, children[0], self.over)


@dataclass(frozen=True, eq=False, repr=False)
class Along(Expr):
    """Something along axes that keeps them: cumsum (or its `reverse`), rank, sort and unsort by a key."""

    op: Aggregate
    args: tuple[Expr, ...]
    over: Axes
    reverse: bool = False

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    @cached_property
    def axes(self) -> Axes:
        return self.over.union(*(arg.axes for arg in self.args))

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Along(self.op, children, self.over, self.reverse)


class _Moved(Expr):
    """The elements of `arg` at other places: of its axis `old` at those of `new`, unless a subclass says more."""

    arg: Expr
    old: Axis
    new: Axis

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    @cached_property
    def axes(self) -> Axes:
        return (self.arg.axes - {self.old}) | {self.new}

    @cached_property
    def kind(self) -> Kind:
        return self.arg.kind


@dataclass(frozen=True, eq=False, repr=False)
class Rename(_Moved):
    """`arg` with the axis `old` called `new`. Where `arg` has `new` already, the diagonal of the two."""

    arg: Expr
    old: Axis
    new: Axis

    @property
    def is_diagonal(self) -> bool:
        return self.new in self.arg.axes

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Rename(children[0], self.old, self.new)


@dataclass(frozen=True, eq=False, repr=False)
class Gather(Expr):
    """The element of `arg` at the position `index` (a whole number, held inside the range) of an axis."""

    arg: Expr
    axis: Axis
    index: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg, self.index)

    @cached_property
    def axes(self) -> Axes:
        return (self.arg.axes - {self.axis}) | self.index.axes

    @cached_property
    def kind(self) -> Kind:
        return self.arg.kind

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Gather(children[0], self.axis, children[1])


@dataclass(frozen=True, eq=False, repr=False)
class Slice(_Moved):
    """The elements of the axis `old` from `start` on, as many as the axis `new` has, which takes its place.

    A negative start counts from the end of an axis whose length is not known; `new` then has a `size`.
    """

    arg: Expr
    old: Axis
    new: Axis
    start: int

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """The start and stop of the slice as Python writes them."""
        return slice_bounds(self.old, self.new, self.start)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Slice(children[0], self.old, self.new, self.start)


@dataclass(frozen=True, eq=False, repr=False)
class Unslice(_Moved):
    """Zeros along the axis `new` of `like`, but `arg` from `start` on, along its axis `old`: the transpose of Slice."""

    arg: Expr
    like: Expr
    old: Axis
    new: Axis
    start: int

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg, self.like)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Unslice(children[0], children[1], self.old, self.new, self.start)


@dataclass(frozen=True, eq=False, repr=False)
class Position(Expr):
    """The number of the position at hand along an axis, from 0."""

    axis: Axis

    @cached_property
    def axes(self) -> Axes:
        return frozenset({self.axis})

    @cached_property
    def kind(self) -> Kind:
        return Kind.INT


@dataclass(frozen=True, eq=False, repr=False)
class Length(Expr):
    """How many positions `arg` has along axes. Nothing of `arg` is computed for it but its shape."""

    arg: Expr
    over: Axes

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    @cached_property
    def axes(self) -> Axes:
        return NONE

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Length(children[0], self.over)


def walk(*roots: Expr) -> Iterable[Expr]:
    """Every node below the roots once, children before parents."""
    return _walked(roots)


@lru_cache(256)
def _walked(roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The same is walked through again and again, by one question after another."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            children = node.children
            if children:
                stack.append((node, True))
                stack += [(child, False) for child in reversed(children) if child not in seen]
            else:
                order.append(node)
    return tuple(order)

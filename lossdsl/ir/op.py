"""What is known of an operation: the shape of a row of the table in `ops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

from lossdsl.ir.bounds import INF, REALS, UNIT, Bounds, End, point
from lossdsl.ir.traits import Trait

T = TypeVar("T")


class Kind(Enum):
    """What a value is. Truth values and whole numbers become real numbers wherever arithmetic wants them."""

    BOOL = "condition"
    INT = "whole number"
    REAL = "number"


NO_SLOPE = "?"
"""The derivative of a row in an argument in which it has none here: no prediction may reach that argument."""

LIBRARIES = ("numpy", "tensorflow", "jax", "torch", "keras")
"""The targets that are Python libraries of arrays, in several precisions."""

LIKE: Mapping[str, str] = {}
"""Libraries that have the names of another, each with that other: what rows say of it, they say of both."""

TARGETS = (*LIBRARIES, "javascript")
"""What a row has a spelling for."""

DOUBLE = "float64"
"""Under this key a row has its errors in float64, on any target."""


def with_likes(said: Mapping[str, T]) -> dict[str, T]:
    """What a row says of each target, with that of the libraries that are like others where it says nothing of them."""
    return {**{target: said[other] for target, other in LIKE.items() if other in said}, **said}


@dataclass(frozen=True, eq=False)
class Op:
    """An elementwise operation.

    `args` are the names of its arguments, one letter each, as the texts of the row use them; `takes` their kinds.
    `derivative` has one text in the language an argument, in terms of the arguments, "" for a slope that is 0
    everywhere it exists, or `NO_SLOPE`; it fixes the convention at kinks. `exact` is its meaning over the exact numbers
    of a namespace `m` (mpmath's or sympy's). `spelling` has one Python expression a target, over the same letters; that
    for JavaScript takes plain numbers, and is written in JavaScript's syntax when code is made.
    `domain` has an interval an argument in which value and slope are finite, and `safe` a number to put there where an
    argument leaves its domain in a piece that is not selected (`None`: everything is safe). `trait` is what is known of
    a function of one number; from it follow the `bounds`, which give the interval of the result from those of the
    arguments, where a row has no other. `sample` is the interval from which tests draw each argument.
    `defined` has an interval an argument in which there is a value at all, `holds` a condition on several arguments, as
    a text. `ulps` states the largest errors of value and slope in float32 for each library, and in float64
    for all of them and for JavaScript, in units in
    the last place of the result, or of `scale` of the arguments where the result is a difference that cancels; a slope
    that is no loss's gradient may be off by anything (inf). `written` is the same in more elementary operations, as a
    text: that by which readers see an operation that is not public, and LaTeX one without a symbol. `latex` is the
    symbol of a function or relation, or a text in which `#1` stands for the argument. `cost` is the price of one
    application, where a sum costs 1. If it is `whole`, a result of whole numbers is one; if it `compares`, something
    changes where its two arguments meet. If it `passes`, no slope is steeper than 1 whatever the arguments, and nothing
    jumps; if it `selects`, the value is one of its last two arguments. A comparison is named `turned` with its
    arguments exchanged, and `opposite` where it does not hold; it `holds_at` some signs of their difference. `signs`
    are those that a sum gives its terms. A row that lacks something is refused.
    """

    name: str
    args: str
    doc: str
    exact: Callable[..., Any]
    derivative: tuple[str, ...] = ()
    spelling: Mapping[str, str] = field(default_factory=dict)
    takes: tuple[Kind, ...] = ()
    gives: Kind = Kind.REAL
    domain: tuple[Bounds, ...] = ()
    safe: tuple[float | None, ...] = ()
    bounds: Callable[..., Bounds] | None = None
    trait: Trait | None = None
    sample: tuple[Bounds, ...] = ()
    defined: tuple[Bounds, ...] = ()
    holds: str = ""
    scale: Callable[..., float] | None = None
    ulps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    infix: str = ""
    precedence: int = 100
    public: bool = True
    written: str = ""
    latex: str = ""
    cost: int = 12
    whole: bool = False
    compares: bool = False
    passes: bool = False
    selects: bool = False
    turned: str = ""
    opposite: str = ""
    holds_at: tuple[int, ...] = ()
    signs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spelling", with_likes(self.spelling))
        object.__setattr__(self, "ulps", with_likes(self.ulps))
        for what, is_there in (
            ("a documentation", bool(self.doc)),
            ("a slope in each argument", self.gives is not Kind.REAL or len(self.derivative) == self.arity),
            ("a kind for each argument", len(self.takes) in (0, self.arity)),
            ("a domain for each argument", len(self.domain) in (0, self.arity)),
            ("a safe number for each argument", len(self.safe) == len(self.domain)),
            ("an interval for each argument in which it is defined", len(self.defined) in (0, self.arity)),
            ("a trait", self.trait is not None or self.arity != 1 or self.gives is Kind.BOOL),
            ("the bounds of its values", self.bounds is not None or self.arity == 1 or self.gives is Kind.BOOL),
            *((f"a spelling for {target}", target in self.spelling) for target in TARGETS),
            *((f"its error on {target}", target in self.ulps) for target in (*TARGETS, DOUBLE)),
        ):
            if not is_there:
                raise ValueError(f"the row of `{self.name}` in the table of operations lacks {what}")
        if self.trait is not None and self.trait.domain == REALS and self.defined and self.takes != (Kind.INT,):
            object.__setattr__(self, "trait", replace(self.trait, domain=self.defined[0]))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    @property
    def arity(self) -> int:
        return len(self.args)

    def has_no_slope(self, position: int) -> bool:
        """Whether there is no derivative in an argument, though the value moves with it."""
        return bool(self.derivative) and self.derivative[position] == NO_SLOPE

    def image(self, *args: Bounds) -> Bounds:
        """An interval that holds every value, given those of the arguments."""
        if self.bounds is not None:
            return self.bounds(*args)
        return UNIT if self.trait is None else self.trait.over(*args)

    @property
    def is_order(self) -> bool:
        """Whether it asks which of two is the larger."""
        return self.compares and self.gives is Kind.BOOL

    def beside(self, end: End) -> Bounds:
        """The numbers whose comparison with another one holds, if they are an interval; else all."""
        is_open, below, above = (sign not in self.holds_at for sign in (0, 1, -1))
        if below == above and not (below and self.holds_at):
            return REALS
        return Bounds(end if above else -INF, end if below else INF, is_open and above, is_open and below)

    @property
    def is_total(self) -> bool:
        """Whether there is a value whatever the arguments, and bounded ones have a bounded value."""
        return not self.defined and not self.holds

    @cached_property
    def overflows(self) -> bool:
        """Whether the value leaves float32 at ordinary arguments, as that of an exponential does."""
        ball = None if self.trait is None else self.trait.ball
        ends = (point(-200), point(200))
        if ball is None or not self.is_total:
            return False
        return any(end.increasing(ball, 0, 0).absolute().high > 1e38 for end in ends)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is rounded."""
        return all(error == (0, 0) for error in self.ulps.values())

    def domain_of(self, position: int) -> Bounds:
        return self.domain[position] if self.domain else REALS

    def defined_of(self, position: int) -> Bounds:
        return self.defined[position] if self.defined else REALS

    def sample_of(self, position: int) -> Bounds:
        return self.sample[position] if self.sample else Bounds(-3, 3)


def same(elements: Bounds) -> Bounds:
    """The bounds of what lies between the smallest and the largest element."""
    return elements


@dataclass(frozen=True, eq=False)
class Aggregate:
    """An operation that takes axes away (`keeps` is false) or works along them (`keeps` is true).

    `empty` is the value over no element at all. `spelling` has one Python function name a target, called with the array
    and the axis. An aggregate without `spelling` is written in terms of others: by the resolver, or, if it has a
    definition in `ir.whole`, once the gradient has been taken. `bounds` gives the interval of the result from that of
    the elements. `latex` is its sign, if it is written as a sum is. One that `runs` may run from either end.
    It takes from `arity[0]` to `arity[1]` arguments. Where it `counts`, a term counts as often as an axis has elements,
    along which the term does not vary. One that gives a position, or counts positions, goes `on_one_axis` alone.
    One that `sorts` gives its first argument in ascending order of its second.
    """

    name: str
    doc: str
    empty: float | None = None
    keeps: bool = False
    takes: Kind = Kind.REAL
    gives: Kind = Kind.REAL
    _: KW_ONLY
    bounds: Callable[[Bounds], Bounds]
    spelling: Mapping[str, str] = field(default_factory=dict)
    public: bool = True
    latex: str = ""
    runs: bool = False
    arity: tuple[int, int] = (1, 1)
    counts: bool = False
    takes_filter: bool = True
    on_one_axis: bool = False
    sorts: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "spelling", with_likes(self.spelling))

    def __repr__(self) -> str:
        return f"<aggregate {self.name}>"

    @property
    def is_between(self) -> bool:
        """Whether every value lies between the smallest and the largest element."""
        return self.bounds is same

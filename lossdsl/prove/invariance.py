"""What becomes of an expression where all predictions are shifted by one number, or multiplied by one positive number.

Of either change each part has a character: it becomes `k^times` as large, and `plus*log(k)` is added, where k is the
factor, or the exponential of the shift. A prediction that is scaled has times = 1, one that is shifted plus = 1; a
logarithm makes the one of the other, an exponential the reverse. A loss of whose value both are 0 is not changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Input, Length, Param, Position, Reduce, Unslice
from lossdsl.ir.op import Kind
from lossdsl.ir.prediction_view import ERROR, PredictionView
from lossdsl.prove.dominance import vector_of
from lossdsl.prove.rational_field import TooLarge
from lossdsl.prove.rational_functions import NormalForms


@dataclass(frozen=True)
class Character:
    """How a part changes. Of `times` and `plus`, expressions in normal form without axes, one is 0 at least.

    What is 0 everywhere is `zero`, and as good as of any `times`; infinity is `endless`, and of any character.
    """

    times: Expr = b.ZERO
    plus: Expr = b.ZERO
    zero: bool = False
    endless: bool = False

    @property
    def is_still(self) -> bool:
        return self.times is b.ZERO and self.plus is b.ZERO and not self.endless


Known = Character | None
STILL, ZERO, ENDLESS = Character(), Character(zero=True), Character(endless=True)
SHIFTED, SCALED = Character(plus=b.ONE), Character(times=b.ONE)

ACTIONS: Mapping[str, Character] = {"shift invariant": SHIFTED, "scale invariant": SCALED}
"""What becomes of a prediction, by the property of a loss that does not change with it."""
def is_invariant(view: PredictionView, name: str) -> bool:
    """Whether a loss is proved not to change where all predictions are shifted or scaled alike."""
    if not view.loss.prediction.may_be("shifted" if name == "shift invariant" else "scaled"):
        return False
    try:
        found = Invariance(view.variables, ACTIONS[name])[view.expr]
    except TooLarge:
        return False
    return found is not None and found.is_still


@dataclass
class Invariance(Interpretation[Known]):
    """The characters of expressions, where the variables have the character `action`. Raises TooLarge."""

    variables: frozenset[Expr]
    action: Character
    forms: NormalForms = field(default_factory=NormalForms)

    def top(self, node: Expr) -> Known:
        return None

    def constant(self, node: Const) -> Known:
        if isinstance(node.value, float) and math.isinf(node.value):
            return ENDLESS
        return ZERO if node.value == 0 else STILL

    def flag(self, node: Flag) -> Known:
        return STILL

    def leaf(self, node: Input | Param) -> Known:
        if node not in self.variables:
            return STILL
        if node is not ERROR:
            return self.action
        return Character(plus=b.neg(b.ONE)) if self.action is SHIFTED else None  # it is t - x

    def length(self, node: Length) -> Known:
        return STILL

    def position(self, node: Position) -> Known:
        return STILL

    def gathered(self, node: Gather, below: list[Known]) -> Known:
        inner, index = below
        return inner if index is not None and index.is_still else None

    def padded(self, node: Unslice, inner: Known) -> Known:
        return None if inner is None else _agreed([inner, ZERO])

    def call(self, node: Call, below: list[Known]) -> Known:
        if node.op.name == "div" and below[0] is not None and _is_unit_vector(node):
            return _sign(below[0])
        args = [one for one in below if one is not None]
        if len(args) < len(below):
            return None
        if node.kind is Kind.BOOL:
            return None if _agreed(args) is None else STILL
        if node.op.name in _BY_NODE:
            return _BY_NODE[node.op.name](self, node, args)
        if node.op.name in _RULES:
            return _RULES[node.op.name](*args)
        return STILL if all(one.is_still for one in args) else None

    def reduced(self, node: Reduce, inner: Known) -> Known:
        return None if inner is None else _REDUCED.get(node.op.name, _still)(inner)

    def along(self, node: Along, below: list[Known]) -> Known:
        args = [one for one in below if one is not None]
        return _ALONG.get(node.op.name, _still)(args[0]) if len(args) == len(below) else None

    # --- arithmetic

    def normal(self, expr: Expr) -> Expr:
        """An expression in the form that equal ones share."""
        return self.forms.expr(self.forms.of(expr))

    def sum(self, node: Call, args: list[Character]) -> Known:
        one, other = args
        if other.zero:
            return one
        if one.endless or other.endless:
            return None
        if node.op.name == "sub":
            other = Character(other.times, self.normal(b.neg(other.plus)), other.zero)
        if one.zero:
            return other
        if one.times is b.ZERO and other.times is b.ZERO:
            return Character(plus=self.normal(b.add(one.plus, other.plus)))
        return one if one == other else None

    def negative(self, node: Call, args: list[Character]) -> Known:
        (one,) = args
        return Character(one.times, self.normal(b.neg(one.plus)), one.zero, one.endless)

    def product(self, node: Call, args: list[Character]) -> Known:
        one, other = args
        if one.endless or other.endless:
            return None
        if one.zero or other.zero:
            return ZERO
        for part, size, factor in ((one, other, node.args[1]), (other, one, node.args[0])):
            if part.plus is not b.ZERO:
                is_number = size.is_still and not factor.axes
                return Character(plus=self.normal(b.mul(part.plus, factor))) if is_number else None
        return Character(self.normal(b.add(one.times, other.times)))

    def quotient(self, node: Call, args: list[Character]) -> Known:
        one, other = args
        if one.endless or other.endless or other.zero or other.plus is not b.ZERO:
            return None
        if one.zero:
            return ZERO
        if one.plus is b.ZERO:
            return Character(self.normal(b.sub(one.times, other.times)))
        is_number = other.is_still and not node.args[1].axes
        return Character(plus=self.normal(b.div(one.plus, node.args[1]))) if is_number else None

    def power(self, node: Call, args: list[Character]) -> Known:
        one, other = args
        if one.is_still and other.is_still:
            return STILL
        is_number = other.is_still and not node.args[1].axes and one.plus is b.ZERO and not one.endless
        return Character(self.normal(b.mul(one.times, node.args[1]))) if is_number else None

    def root(self, node: Call, args: list[Character]) -> Known:
        (one,) = args
        part = {"sqrt": Fraction(1, 2), "cbrt": Fraction(1, 3), "square": Fraction(2)}[node.op.name]
        if one.plus is not b.ZERO or one.endless:
            return None
        return Character(self.normal(b.mul(one.times, b.const(part))), zero=one.zero)


def _agreed(several: Iterable[Character]) -> Known:
    """The character of what is one of several, or compares them."""
    every = list(several)
    found = {one for one in every if not one.zero and not one.endless}
    if len(found) > 1:
        return None
    has_zero = any(one.zero for one in every)
    if not found:
        return None if has_zero and any(one.endless for one in every) else every[0]
    (one,) = found
    return None if has_zero and one.plus is not b.ZERO else one


def _is_unit_vector(node: Call) -> bool:
    """Whether an expression is divided by its length, or by 1 where that is 0."""
    vector = vector_of(node.args[1])
    return vector is not None and vector.arg is node.args[0]


def _still(one: Character) -> Known:
    return STILL if one.is_still else None


def _any(one: Character) -> Known:
    """Of a position, or an order, which no change of all elements alike moves."""
    return STILL


def _multiple(one: Character) -> Known:
    """Of what is multiplied where its argument is, and shifted in another way."""
    return one if one.plus is b.ZERO and not one.endless else None


def _shifted(one: Character) -> Known:
    """Of what is shifted as its argument is."""
    return None if one.times is not b.ZERO or one.endless else STILL if one.zero else one


def _moved(one: Character) -> Known:
    return one


def _without_shift(one: Character) -> Known:
    return STILL if one.times is b.ZERO and not one.endless else None


def _exponential(one: Character) -> Known:
    return None if one.endless or one.times is not b.ZERO else Character(times=one.plus)


def _logarithm(one: Character) -> Known:
    return None if one.endless or one.plus is not b.ZERO else Character(plus=one.times)


def _sign(one: Character) -> Known:
    return STILL if one.plus is b.ZERO and not one.endless else None


def _chosen(condition: Character, one: Character, other: Character) -> Known:
    return _agreed([one, other]) if condition.is_still else None


def _added(one: Character, other: Character) -> Known:
    found = _agreed([one, other])
    return None if found is None else _shifted(found)


def _extreme(one: Character, other: Character) -> Known:
    return _agreed([one, other])


_BY_NODE: Mapping[str, Callable[[Invariance, Call, list[Character]], Known]] = {
    "add": Invariance.sum,
    "sub": Invariance.sum,
    "mul": Invariance.product,
    "div": Invariance.quotient,
    "pow": Invariance.power,
    "sqrt": Invariance.root,
    "cbrt": Invariance.root,
    "square": Invariance.root,
    "neg": Invariance.negative,
}
_RULES: Mapping[str, Callable[..., Known]] = {
    "stop": _moved,
    "exp": _exponential,
    "log": _logarithm,
    "abs": _multiple,
    "sign": _sign,
    "max": _extreme,
    "min": _extreme,
    "where": _chosen,
    "logaddexp": _added,
}
_REDUCED: Mapping[str, Callable[[Character], Known]] = {
    "sum": _multiple,
    "mean": _moved,
    "max": _moved,
    "min": _moved,
    "median": _moved,
    "logsumexp": _shifted,
    "argmax": _any,
    "argmin": _any,
}
_ALONG: Mapping[str, Callable[[Character], Known]] = {
    "softmax": _without_shift,
    "log_softmax": _without_shift,
    "sort": _moved,
    "ordered": _moved,
    "cumsum": _multiple,
    "rank": _any,
    "spectrum": _multiple,
}

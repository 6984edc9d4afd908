"""Where the factors of a product are applied: those that vary along few axes first, and out of sums.

`upstream*(x - t)/len(x)`, worked out from the left, takes three passes over all elements; `(upstream/len(x))*(x - t)`
takes two. On tensors that do not fit a cache a pass is what an operation costs. Nothing is rounded more often than
before, and a factor that may be infinite stays inside the choice that throws it away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial, reduce

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Call, Expr, Flag, Input, Length, Reduce, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import Ranges, conjuncts
from lossdsl.ir.traversal import users
from lossdsl.transform.canonical import Canonical
from lossdsl.transform.choices import SEED, Steepness, deselects, is_plain_factor, is_tame
from lossdsl.transform.factors import factored, merged, scaled_product
from lossdsl.transform.guard import somewhere
from lossdsl.transform.kept import decisive

_MANY = 16
"""So many small factors a formula that is written by hand does not have."""


@dataclass(frozen=True)
class Split:
    """An expression as `sign*above/below*core`, where `above` and `below` lack some of its axes."""

    sign: int
    above: tuple[Expr, ...]
    below: tuple[Expr, ...]
    core: Expr

    def without(self, above: list[Expr], below: list[Expr]) -> Expr:
        """The expression without some of its small factors and divisors, and without its sign."""
        return _joined(1, _less(self.above, above), _less(self.below, below), self.core)


def small_first(roots: tuple[Expr, ...], known: Ranges) -> tuple[Expr, ...]:
    """The roots with their small factors gathered, and applied once."""
    above = users(*roots)
    splits: dict[Expr, Split] = {}
    done: dict[Expr, Expr] = {}
    conditions = decisive(*roots) if known.keeps_conditions else set()
    for node in walk(*roots):
        if node in conditions:
            done[node] = b.rebuild(node, tuple(done[child] for child in node.children))
            splits[node] = Split(1, (), (), done[node])
            continue
        split = _split(node, splits, done, known)
        done[node] = _joined(split.sign, split.above, split.below, split.core)
        if len(above[node]) > 1:  # what is used twice is computed once, and so stays whole
            if split.sign < 0 and not split.above:  # but for a sign, which would be a pass of its own
                whole = split.without([], [])
                done[node], split = b.neg(whole), Split(-1, (), (), whole)
            else:
                split = Split(1, (), (), done[node])
        splits[node] = split
    return tuple(done[root] for root in roots)


def _split(node: Expr, splits: dict[Expr, Split], done: dict[Expr, Expr], known: Ranges) -> Split:
    if isinstance(node, Reduce) and node.op.name in ("sum", "mean") and splits[node.arg].sign < 0:
        return Split(-1, (), (), Reduce(node.op, splits[node.arg].without([], []), node.over))
    if isinstance(node, Call) and node.axes:
        match node.op.name:
            case "neg":
                return replace(splits[node.args[0]], sign=-splits[node.args[0]].sign)
            case "mul" if (product := _of_product(node, splits, done)) is not None:
                return product
            case "div" if node.args[0].axes == node.axes:
                above, divisor = splits[node.args[0]], done[node.args[1]]
                if divisor.axes < node.axes:
                    return replace(above, below=(*above.below, divisor))
                return replace(above, core=b.div(above.core, divisor))
            case "add" | "sub":
                return _sum(node, splits, done)
            case "where" if node.args[2] is b.ZERO:
                return _choice(node, splits, done, known)
    return Split(1, (), (), b.rebuild(node, tuple(done[child] for child in node.children)))


def _of_product(node: Call, splits: dict[Expr, Split], done: dict[Expr, Expr]) -> Split | None:
    """A product with the small factors of both sides; None where both are small."""
    spread = _spread(node, splits, done)
    if spread is not None:
        return Split(1, (), (), spread)
    axes = [arg.axes for arg in node.args]
    if node.axes not in axes:
        return None
    left, right = (_seen(arg, node.axes, splits, done) for arg in node.args)
    if axes[0] == axes[1]:
        left, right = _undivided(left), _undivided(right)
    core = b.mul(left.core, right.core)
    return Split(left.sign * right.sign, _gathered(left.above + right.above), left.below + right.below, core)


def _gathered(factors: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Factors; of many, the constants as one, so that a long chain does not multiply them again at each link."""
    if len(factors) <= _MANY:
        return factors
    constants, rest = (tuple(part for part in factors if (b.exact(part) is None) == varies) for varies in (False, True))
    return (*merged(constants), *rest)


def _undivided(side: Split) -> Split:
    """A factor as a whole if it has divisors: a part such as x/sum(x) is likely to be used elsewhere."""
    return Split(side.sign, (), (), side.without([], [])) if any(each.axes for each in side.below) else side


def _spread(node: Call, splits: dict[Expr, Split], done: dict[Expr, Expr]) -> Expr | None:
    """A small factor times a sum, as a sum, where each term has a small factor already that takes it up."""
    for factor, terms in (node.args, node.args[::-1]):
        is_sum = isinstance(terms, Call) and terms.op.name in ("add", "sub")
        if not (is_sum and factor.axes < node.axes == terms.axes and splits[terms].core is done[terms]):
            continue
        sides = [splits[arg] for arg in terms.children]
        if all(arg.axes == node.axes and side.above for arg, side in zip(terms.children, sides, strict=True)):
            taken = (_joined(side.sign, (*side.above, done[factor]), side.below, side.core) for side in sides)
            return b.rebuild(terms, tuple(taken))
    return None


def _seen(node: Expr, full: Axes, splits: dict[Expr, Split], done: dict[Expr, Expr]) -> Split:
    """A part of an expression over the axes `full`."""
    if node.axes == full:
        return splits[node]
    new = done[node]
    if isinstance(new, Call) and new.op.name == "neg":
        return Split(-1, (new.args[0],), (), b.ONE)
    return Split(1, () if new is b.ONE else (new,), (), b.ONE)


def _sum(node: Call, splits: dict[Expr, Split], done: dict[Expr, Expr]) -> Split:
    """A sum, with the small factors that all of its terms have outside."""
    left, right = (_opened(arg, node.axes, splits, done) for arg in node.args)
    above = _common(left.above, right.above)
    below = _common(left.below, right.below)
    sign = right.sign if node.op.name == "add" else -right.sign
    sides = [(*factored(side.core), side) for side in (left, right)]
    shared = _common(*(factors for _, factors, _, _ in sides))
    one, other = (
        _joined(
            inner_sign if shared else 1,
            _less(side.above, above),
            _less(side.below, below),
            reduce(b.div, divisors, scaled_product(_less(factors, shared))) if shared else side.core,
        )
        for inner_sign, factors, divisors, side in sides
    )
    if left.sign == sign:
        inner = b.add(one, other)
    else:
        sign, inner = 1, b.sub(one, other) if sign < 0 else b.sub(other, one)
    core = reduce(b.mul, shared, inner)
    if (above or below or shared) and (left_over := Canonical().visited(inner)) is not inner:  # terms cancel
        core = Canonical().visited(reduce(b.mul, shared, left_over))
    return Split(sign, tuple(above), tuple(below), core)


def _opened(node: Expr, full: Axes, splits: dict[Expr, Split], done: dict[Expr, Expr]) -> Split:
    """A term of a sum; one that is small itself is a product of small factors."""
    if node.axes == full:
        return splits[node]
    sign, above, below = factored(done[node])
    return Split(sign, tuple(above), tuple(below), b.ONE)


def _choice(node: Call, splits: dict[Expr, Split], done: dict[Expr, Expr], known: Ranges) -> Split:
    """`where(c, e, 0)`, with what is finite in `e`, and conditions over few axes, outside."""
    inner = node.args[1]
    piece = splits[inner] if inner.axes == node.axes else Split(1, (done[inner],), (), b.ONE)
    tests = conjuncts(done[node.args[0]])
    small = [test for test in tests if test.axes < node.axes]
    large = [test for test in tests if test.axes == node.axes]
    few, many = (reduce(_both, some) if some else Flag(True) for some in (small, large))
    is_narrow = bool(large) and inner.axes < node.axes and _may_leave(done[inner], many)
    if is_narrow or (small and _is_finite(piece.core, few, known)):
        factor = _joined(1, piece.above, piece.below, b.ONE)
        return Split(piece.sign, (b.where(few, factor, b.ZERO),), (), b.where(many, piece.core, b.ZERO))
    above = tuple(filter(is_plain_factor, piece.above))
    below = tuple(divisor for divisor in piece.below if isinstance(divisor, Length))
    core = piece.without([*above], [*below])
    if small and not large and deselects(few, piece.core) and core is not piece.core:
        rest = _joined(1, _less(piece.above, [*above]), _less(piece.below, [*below]), b.ONE)
        above += (b.where(few, rest, b.ZERO),)
        core = piece.core
    return Split(piece.sign, above, below, b.where(reduce(_both, tests), core, b.ZERO))


def _may_leave(factor: Expr, condition: Expr) -> bool:
    """Whether what many elements share may leave a choice between them: whether one of them is selected for certain,
    or the factor is made of what all of them add up to, and so is needed anyway."""
    if somewhere(condition, condition.axes - factor.axes) is Flag(True):
        return True
    stack = [factor]
    while stack:
        node = stack.pop()
        if isinstance(node, Input) and not node.whole and node.name != SEED:
            return False
        stack += () if node.kind is not Kind.REAL or isinstance(node, Reduce | Length) else node.children
    return True


def _is_finite(expr: Expr, condition: Expr, known: Ranges) -> bool:
    """Whether an expression is finite where a condition does not hold, so that 0 times it is 0."""
    if deselects(condition, expr):
        return is_tame(expr, condition)
    values = known[expr]
    return Steepness()[expr] <= 1 or max(-values.low, values.high) < math.inf


_both = partial(b.call, "and")


def _joined(sign: int, above: tuple[Expr, ...], below: tuple[Expr, ...], core: Expr) -> Expr:
    """`sign*above/below*core`, with the factors along the fewest axes first."""
    small = scaled_product(sorted(above, key=_width))
    is_indicator = isinstance(core, Call) and core.op.name == "where" and core.args[1:] == (b.ONE, b.ZERO)
    if not is_indicator and core is not b.ONE and small is b.ONE:
        result = reduce(b.div, below, core)
        return b.neg(result) if sign < 0 else result
    if below:  # where something may cancel
        small = Canonical().visited(reduce(b.div, sorted(below, key=_width), small))
    small = b.neg(small) if sign < 0 else small
    return b.where(core.children[0], small, b.ZERO) if is_indicator else b.mul(small, core)


def _width(expr: Expr) -> int:
    return len(expr.axes)


def _common(one: Iterable[Expr], other: Iterable[Expr]) -> list[Expr]:
    rest = list(other)
    found = []
    for factor in one:
        if factor in rest:
            rest.remove(factor)
            found.append(factor)
    return found


def _less(factors: Iterable[Expr], taken: list[Expr]) -> tuple[Expr, ...]:
    rest = list(factors)
    for factor in taken:
        rest.remove(factor)
    return tuple(rest)

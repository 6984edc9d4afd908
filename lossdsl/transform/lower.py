"""Lowering of whole functions to what targets know, once the gradient has been taken: shifts, guards, accurate sums.

logsumexp is written as `log(sum(exp(e - m))) + m`, with m the largest element held constant. One term of the sum is
then exactly 1, and where the others are small, `log(1 + rest)` loses them: at a gap of 18 between logits, float32 finds
a cross-entropy of 0. Where the relative error counts, it is `log1p` of the aggregate `excess`, which sums the others by
themselves where they come to less than 1. The probability that softmax leaves to the other classes is made of the same
sum. Blanchard, Higham, Higham (2021), Accurately computing the log-sum-exp and softmax functions, IMA J. Numer. Anal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Position, Reduce, walk
from lossdsl.ir.ops import OPS
from lossdsl.ir.whole import DEFINITIONS, INF, may_be_empty, nonzero, reduce

_TAMING = ("exp", "softplus", "sigmoid")
"""Functions whose relative error is at most the absolute error of their argument."""


def lowered(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots without whole functions, and with the value alone of what is differentiated by way of another form."""
    roots = tuple(roots)
    to_the_last_digit = _relative(roots)
    done: dict[Expr, Expr] = {}
    for node in walk(*roots):
        children = tuple(done[child] for child in node.children)
        whole, picked = _whole(node)
        if whole is not None:
            arg = done[whole.children[0]]
            done[node] = _LOWERINGS[whole.op.name](_Parts(arg, whole.over, node in to_the_last_digit, picked, done))
        elif isinstance(node, Call) and node.op.name == "via":
            done[node] = children[0]
        else:
            done[node] = _simpler(b.rebuild(node, children))
    return tuple(done[root] for root in roots)


def _whole(node: Expr) -> tuple[Reduce | Along | None, Gather | None]:
    """The whole function that a node is, or that it takes an element of."""
    if isinstance(node, Reduce | Along) and node.op.name in DEFINITIONS:
        return node, None
    if isinstance(node, Gather) and isinstance(node.arg, Along) and node.arg.op.name in DEFINITIONS:
        whole = node.arg
        if whole.over == frozenset({node.axis}) and node.index.axes <= whole.axes - whole.over:
            return whole, node
    return None, None


def _relative(roots: tuple[Expr, ...]) -> set[Expr]:
    """The parts whose relative error counts, not only their absolute one."""
    found = set(roots)
    for node in reversed(list(walk(*roots))):
        # What passes its arguments on has an absolute error that is the sum of theirs at most.
        if not isinstance(node, Call) or not (node.op.name in _TAMING or (node.op.passes and node not in found)):
            found.update(node.children)
    return found


class _Parts:
    """What the lowering of a whole function is made of: its argument, shifted, and its sums."""

    def __init__(self, arg: Expr, over: Axes, exact: bool, picked: Gather | None, done: Mapping[Expr, Expr]) -> None:
        self.arg = arg
        self.over = over
        self.exact = exact
        self._picked = picked
        self._done = done
        self.may_be_empty = may_be_empty(arg)

    def element(self, array: Expr) -> Expr:
        """The element at hand of an array like the argument: that at a label, where only that is asked for."""
        if self._picked is None:
            return array
        return Gather(array, self._picked.axis, self._done[self._picked.index])

    @property
    def label(self) -> Expr | None:
        """The position of the element that is asked for; None if all are."""
        return None if self._picked is None else self._done[self._picked.index]

    @property
    def shift(self) -> Expr:
        """The largest element, as a constant: subtracting it keeps exp from overflowing and changes no slope."""
        return largest(self.arg, self.over)

    @property
    def powers(self) -> Expr:
        condition, arg = filtered(self.arg)
        powers = b.call("exp", b.sub(arg, self.shift))
        return powers if condition is None else b.where(condition, powers, b.ZERO)

    @property
    def total(self) -> Expr:
        return reduce("sum", self.powers, self.over)

    @property
    def log_total(self) -> Expr:
        """The logarithm of the total, which is at least 1."""
        if self.exact and len(self.over) == 1:
            return b.call("log1p", self.excess)
        return b.call("log", self.total)

    @property
    def excess(self) -> Expr:
        return reduce("excess", self.powers, self.over)

    @property
    def divisor(self) -> Expr:
        return nonzero(self.total) if self.may_be_empty else self.total


def filtered(arg: Expr) -> tuple[Expr | None, Expr]:
    """The condition of a filter, which puts -inf elsewhere, and what it lets through."""
    if not (isinstance(arg, Call) and arg.op.name == "where" and arg.args[2] is Const(-INF)):
        return None, arg
    condition, inner = filtered(arg.args[1])
    return (arg.args[0] if condition is None else b.call("and", arg.args[0], condition)), inner


def largest(arg: Expr, over: Axes) -> Expr:
    """The largest element along axes, as a constant, and 0 where that is infinite."""
    found = reduce("max", arg, over)
    finite = b.call("lt", b.call("abs", found), Const(INF))
    return Call(OPS["stop"], (b.where(finite, found, b.ZERO),))


def is_shift(node: Expr) -> bool:
    """Whether a node is the largest of something, as a constant."""
    return isinstance(node, Call) and node.op.name == "stop" and _is_finite_max(node.args[0])


def _is_finite_max(node: Expr) -> bool:
    if not (isinstance(node, Call) and node.op.name == "where" and node.args[2] is b.ZERO):
        return False
    return isinstance(node.args[1], Reduce) and node.args[1].op.name == "max"


def _logsumexp(p: _Parts) -> Expr:
    found = b.add(p.log_total, p.shift)
    return b.where(b.call("eq", p.total, b.ZERO), Const(-INF), found) if p.may_be_empty else found  # nan stays nan


def _softmax(p: _Parts) -> Expr:
    return b.div(p.element(p.powers), p.divisor)


def _log_softmax(p: _Parts) -> Expr:
    return b.sub(b.sub(p.element(p.arg), p.shift), p.log_total)


def _softmax_rest(p: _Parts) -> Expr:
    """Of the largest, the sum of the others by themselves; of any other, at least half of the total is left."""
    own = p.element(p.powers)
    if len(p.over) > 1:
        return b.div(b.sub(p.total, own), p.divisor)
    without = b.add(p.excess, b.sub(b.ONE, own))  # adds 0, whose slope is not: excess takes the largest for constant
    return b.div(b.where(b.call("eq", own, b.ONE), without, b.sub(p.total, own)), p.divisor)


def _log_softmax_rest(p: _Parts) -> Expr:
    """Of a class with more than half, a second logsumexp without it, for the others may be too small for their sum."""
    if len(p.over) > 1:  # what has more than half is the largest, and alone
        is_own = b.call("eq", p.arg, reduce("max", p.arg, p.over))
    else:
        (axis,) = p.over
        is_own = b.call("eq", Position(axis), reduce("argmax", p.arg, p.over) if p.label is None else p.label)
    without = b.where(is_own, Const(-INF), p.arg)
    rest = _Parts(without, p.over, p.exact, None, {})
    far = b.add(b.sub(rest.log_total, p.log_total), b.sub(rest.shift, p.shift))
    share = _softmax(p)
    return b.where(b.call("gt", share, b.const(0.5)), far, b.call("log1p", b.neg(share)))


def _others(p: _Parts) -> Expr:
    """The sum without the largest in size, summed by itself; of any other, the rest of the total is large enough."""
    (axis,) = p.over
    if p.label is not None:
        return reduce("sum", b.where(b.call("eq", Position(axis), p.label), b.ZERO, p.arg), p.over)
    top = reduce("argmax", b.call("abs", p.arg), p.over)
    is_top = b.call("eq", Position(axis), top)
    without = reduce("sum", b.where(is_top, b.ZERO, p.arg), p.over)
    return b.where(is_top, without, b.sub(reduce("sum", p.arg, p.over), p.arg))


def _log_beta(p: _Parts) -> Expr:
    """By the ratio of the gamma functions of the total and of the largest, which are near to each other."""
    (axis,) = p.over
    is_top = b.call("eq", Position(axis), reduce("argmax", p.arg, p.over))
    others = reduce("sum", b.where(is_top, b.ZERO, p.arg), p.over)
    small = reduce("sum", b.where(is_top, b.ZERO, b.call("lgamma", p.arg)), p.over)
    return b.sub(small, b.call("lgamma_ratio", reduce("max", p.arg, p.over), others))


def _norm(p: _Parts) -> Expr:
    return reduce("norm", p.arg, p.over)


def _normalize(p: _Parts) -> Expr:
    return b.div(p.element(p.arg), nonzero(_norm(p)))


def _var(p: _Parts) -> Expr:
    return DEFINITIONS["var"](p.arg, p.over)


def _std(p: _Parts) -> Expr:
    """By the norm of the differences from the mean, whose squares need not fit."""
    gaps = b.sub(p.arg, reduce("mean", p.arg, p.over))
    return b.div(reduce("norm", gaps, p.over), b.call("sqrt", b.length(p.arg, p.over)))


_LOWERINGS: Mapping[str, Callable[[_Parts], Expr]] = {
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "softmax_rest": _softmax_rest,
    "log_softmax_rest": _log_softmax_rest,
    "others": _others,
    "log_beta": _log_beta,
    "norm": _norm,
    "normalize": _normalize,
    "var": _var,
    "std": _std,
}
assert _LOWERINGS.keys() == DEFINITIONS.keys()


def _simpler(node: Expr) -> Expr:
    """`(small + m) - x` as `small + (m - x)`, and the square of a norm without its root."""
    if not isinstance(node, Call):
        return node
    if node.op.name in ("square", "pow") and isinstance(node.args[0], Reduce) and node.args[0].op.name == "norm":
        norm = node.args[0]
        if node.op.name == "square" or node.args[1] is b.TWO:
            return reduce("sum", b.power(norm.arg, b.TWO), norm.over)
    if node.op.name not in ("add", "sub"):
        return node
    left, right = node.args
    if isinstance(left, Call) and left.op.name == "add" and is_shift(left.args[1]):
        return b.add(left.args[0], b.call(node.op.name, left.args[1], right))
    return node

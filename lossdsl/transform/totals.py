"""log(sum(exp(e))) to the last digit: the largest term taken out of the sum.

The aggregates write it as `log(sum(exp(e - m))) + m`, with m the largest element held constant. One term of the sum is
then exactly 1, and where the others are small, `log(1 + rest)` loses them: at a gap of 18 between logits, float32 finds
a cross-entropy of 0. Here it is `log1p` of the aggregate `excess`, which sums the others by themselves where they come
to less than 1. And `m - x` is formed before the small part is added. For values only: the slope of the plain form is as
accurate and simpler. Nor is it done below an exponential or softplus, of whose argument only the absolute error counts,
and that of the plain logarithm is a rounding of 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Reduce, walk
from lossdsl.ir.ops import AGGREGATES

_TAMING = ("exp", "softplus", "sigmoid")
"""Functions whose relative error is at most the absolute error of their argument."""
_PASSING = ("add", "sub", "neg", "where", "max", "min")
"""Operations whose absolute error is the sum of those of their arguments at most."""


def accurate_totals(roots: Iterable[Expr]) -> tuple[Expr, ...]:
    """The roots with logarithms of a shifted sum of exponentials in the accurate form, where it makes a difference."""
    roots = tuple(roots)
    to_the_last_digit = _relative(roots)
    done: dict[Expr, Expr] = {}
    for node in walk(*roots):
        new = b.rebuild(node, tuple(done[child] for child in node.children))
        if isinstance(new, Call) and new.op.name == "log" and node in to_the_last_digit:
            new = _log_total(new)
        elif isinstance(new, Call) and new.op.name in ("add", "sub"):
            new = _small_part_last(new)
        done[node] = new
    return tuple(done[root] for root in roots)


def _relative(roots: tuple[Expr, ...]) -> set[Expr]:
    """The parts whose relative error counts, not only their absolute one."""
    found = set(roots)
    for node in reversed(list(walk(*roots))):
        name = node.op.name if isinstance(node, Call) else ""
        if name not in _TAMING and not (name in _PASSING and node not in found):
            found.update(node.children)
    return found


def _log_total(node: Call) -> Expr:
    total = node.args[0]
    if not (isinstance(total, Reduce) and total.op.name == "sum" and len(total.over) == 1):
        return node
    shift = _shift_of(total.arg)
    largest = None if shift is None else _largest(shift)
    if shift is None or largest is None or largest.over != total.over:
        return node
    return b.call("log1p", Reduce(AGGREGATES["excess"], total.arg, total.over))


def _shift_of(term: Expr) -> Call | None:
    """The shift in `exp(e - shift)`, or in `where(c, exp(e - shift), 0)`."""
    if isinstance(term, Call) and term.op.name == "where" and term.args[2] is b.ZERO:
        term = term.args[1]
    if isinstance(term, Call) and term.op.name == "exp":
        inner = term.args[0]
        if isinstance(inner, Call) and inner.op.name == "sub" and _is_shift(inner.args[1]):
            shift = inner.args[1]
            return shift if isinstance(shift, Call) else None
    return None


def _is_shift(node: Expr) -> bool:
    return isinstance(node, Call) and node.op.name == "stop" and _largest(node) is not None


def _largest(shift: Call) -> Reduce | None:
    """The maximum in `stop(where(abs(max(e)) < inf, max(e), 0))`."""
    choice = shift.args[0]
    if isinstance(choice, Call) and choice.op.name == "where" and choice.args[2] is b.ZERO:
        found = choice.args[1]
        if isinstance(found, Reduce) and found.op.name == "max":
            return found
    return None


def _small_part_last(node: Call) -> Expr:
    """`(small + m) - x` as `small + (m - x)`."""
    left, right = node.args
    if isinstance(left, Call) and left.op.name == "add" and _is_shift(left.args[1]):
        return b.add(left.args[0], b.call(node.op.name, left.args[1], right))
    return node

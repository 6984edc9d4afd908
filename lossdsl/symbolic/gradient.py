"""The gradient of a loss: reverse mode over the IR.

Elementwise slopes come from the op table, aggregates and indices have a rule each, below. A choice (`where`, `max`,
`min`) is differentiated piece by piece, with the choice left outermost: what a piece does where it is not selected, be
it NaN or infinite, cannot reach the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import reduce

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, NONE, Axes
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
    Length,
    Param,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.meets import meetings
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES
from lossdsl.symbolic.language import expression
from lossdsl.symbolic.ranges import Ranges
from lossdsl.symbolic.rules import factored

SEED = "upstream"
_CHOICES = ("where", "max", "min", "relu")


def seed_for(value: Expr) -> Input:
    """The input that stands for the derivative of what comes after a loss with respect to each of its values."""
    return Input(SEED, value.axes)


def gradient(value: Expr, wrt: Iterable[Input | Param], seed: Expr = b.ONE) -> dict[Expr, Expr]:
    """The derivative of the sum of `seed` times `value` with respect to each element of each input in `wrt`."""
    wanted = tuple(wrt)
    active = _active(value, wanted)
    adjoints = _Adjoints(_counted_axes(value))
    adjoints.add(value, seed)
    for node in reversed(list(walk(value))):
        if node in active and node in adjoints.of and node not in wanted:
            _push(node, adjoints.of[node], active, adjoints)
    return {node: adjoints.of.get(node, b.ZERO) for node in wanted}


def is_by_sample(value: Expr, wrt: Iterable[Input | Param]) -> bool:
    """Whether each element of an input moves but the one value that it belongs to.

    What comes after then multiplies the gradient, once.
    """
    wanted = tuple(wrt)
    own = value.axes
    if not all(own <= leaf.axes for leaf in wanted):
        return False
    active = _active(value, wanted)
    for node in walk(value):
        if node in active:
            match node:
                case Reduce(_, _, over) | Along(_, _, over) if over & own:
                    return False
                case Gather(_, axis, _) if axis in own:
                    return False
                case Rename():
                    return False
    return True


class _Adjoints:
    """The derivatives gathered so far, each brought to the axes of its node.

    `counted` are the axes that have one length throughout, so that the number of a position means the same everywhere.
    """

    def __init__(self, counted: Axes) -> None:
        self.of: dict[Expr, Expr] = {}
        self.counted = counted

    def add(self, node: Expr, contribution: Expr, spread_by: Expr | None = None) -> None:
        """Adds what comes from one user of a node; `spread_by` is an elementwise one, which may have spread the node.

        A contribution is summed over the axes along which the node was spread, the constant ones too: there it counts
        once for each position.
        """
        lost = spread_by.axes - node.axes - contribution.axes if spread_by is not None else NONE
        contribution = b.total(contribution, contribution.axes - node.axes)
        if spread_by is not None and lost:
            contribution = b.mul(contribution, b.length(spread_by, lost))
        before = self.of.get(node)
        self.of[node] = contribution if before is None else b.add(before, contribution)


def _counted_axes(value: Expr) -> Axes:
    """The axis `last`, if all that has it has one length there."""
    nodes = list(walk(value))
    if any(isinstance(node, Slice | Unslice | Rename) for node in nodes):
        return NONE
    places = {(node.name, LAST) for node in nodes if isinstance(node, Input | Param) and LAST in node.axes}
    return frozenset({LAST}) if len(places) < 2 or any(places <= group for group in meetings(value)) else NONE


def _active(value: Expr, wanted: tuple[Expr, ...]) -> set[Expr]:
    """The nodes through which a gradient flows."""
    active: set[Expr] = set(wanted)
    for node in walk(value):
        if node.kind is Kind.REAL and any(child in active for child in _differentiable(node)):
            active.add(node)
    return active


def _differentiable(node: Expr) -> tuple[Expr, ...]:
    """The children that a small change of which changes the node."""
    match node:
        case Call(op, _) if op.name == "stop" or not any(op.derivative):
            return ()
        case Reduce(op, _) if op.name not in ("sum", "mean", "prod", "max", "min"):
            return ()
        case Along(op, args):
            return () if op.name == "rank" else args[:1]
        case Gather(arg, _, _) | Unslice(arg, _, _, _):
            return (arg,)
        case Length():
            return ()
    return node.children


def _push(node: Expr, adjoint: Expr, active: set[Expr], adjoints: _Adjoints) -> None:
    """Hands the derivative with respect to a node on to its children."""
    match node:
        case Call(op, args) if op.name in _CHOICES:
            condition, first, second = _choice(node, active)
            for leaf, slopes in _piecewise(condition, first, second, active).items():
                adjoints.add(leaf, _selected(condition, adjoint, *slopes), node)
        case Call(op, (above, below)) if op.name == "div" and below.axes < node.axes:
            _push_quotient(node, above, below, adjoint, active, adjoints)
        case Call(op, args):
            for child, slope in zip(args, slopes_of(node), strict=True):
                if child in active and slope is not None:
                    adjoints.add(child, _times(adjoint, slope), node)
        case Reduce(op, arg, over) if arg in active:
            adjoints.add(arg, _reduction(node, op.name, arg, over, adjoint, adjoints.counted))
        case Along(op, (arg, *_), over, reverse) if op.name == "cumsum":
            adjoints.add(arg, Along(op, (b.spread(adjoint, over),), over, not reverse))
        case Along(op, (arg, key), over) if op.name in ("sort", "unsort"):
            other = "unsort" if op.name == "sort" else "sort"
            adjoints.add(arg, Along(AGGREGATES[other], (b.spread(adjoint, over), key), over))
        case Rename(arg, old, new) if node.is_diagonal:
            adjoints.add(arg, b.where(b.call("eq", Position(old), Position(new)), adjoint, b.ZERO))
        case Rename(arg, old, new):
            adjoints.add(arg, Rename(adjoint, new, old) if new in adjoint.axes else adjoint)
        case Gather(arg, axis, index):
            adjoints.add(arg, b.where(b.call("eq", Position(axis), _inside(arg, axis, index)), adjoint, b.ZERO))
        case Slice(arg, start, stop):
            if LAST not in adjoint.axes:  # the same for each element of the slice
                adjoint = Slice(b.spread(adjoint, frozenset({LAST})), start, stop)
            adjoints.add(arg, Unslice(adjoint, arg, start, stop))
        case Unslice(arg, _, start, stop):
            adjoints.add(arg, Slice(adjoint, start, stop))


def _push_quotient(
    node: Call, above: Expr, below: Expr, adjoint: Expr, active: set[Expr], adjoints: _Adjoints
) -> None:
    """A quotient by something that many elements share, such as `x/sum(x)`.

    Where a choice throws away what all of them contribute, it throws away the divisor as well, which may be 0 there.
    """
    inside = _under_logarithm(node, adjoint)
    if inside is not None:
        condition, rest = inside
        if above in active:
            adjoints.add(above, b.where(condition, b.div(rest, above), b.ZERO), node)
        if below in active:
            whole = b.total(b.where(condition, rest, b.ZERO), node.axes - below.axes)
            adjoints.add(below, b.neg(b.where(b.call("ne", below, b.ZERO), b.div(whole, below), b.ZERO)))
        return
    counts = _nonzero(adjoint)
    if counts is not Flag(True):
        counts = b.anywhere(counts, counts.axes - below.axes)
        below_safe = b.where(counts, below, b.ONE)
    else:
        below_safe = below
    if above in active:
        adjoints.add(above, b.div(adjoint, below_safe), node)
    if below in active:
        over = node.axes - below.axes
        whole = b.total(b.mul(adjoint, b.div(above, below_safe)), over)
        adjoints.add(below, b.neg(b.div(whole, below_safe)))


def _under_logarithm(node: Call, adjoint: Expr) -> tuple[Expr, Expr] | None:
    """The adjoint of `a/b` as `where(condition, rest/(a/b), 0)`, where it comes from the logarithm of a clipped `a/b`.

    The slopes of `log(a/b)` are `1/a` and `-1/b`, with nothing of the quotient in them. Where `b` is 0 the quotient is
    none, and clipped.
    """
    if not (isinstance(adjoint, Call) and adjoint.op.name == "where" and adjoint.args[2] is b.ZERO):
        return None
    condition, inside, _ = adjoint.args
    rest = _without(inside, [one for one in factored(inside)[2] if _is_clip(one, node, condition)])
    return None if rest is None else (condition, rest)


def _without(product: Expr, divisors: list[Expr]) -> Expr | None:
    """A product without its division by the one that is given; None if it has no such division."""
    sign, factors, below = factored(product)
    if len(divisors) != 1 or below.count(divisors[0]) != 1:
        return None
    rest: Expr = reduce(b.mul, factors, b.number(b.const(sign)))
    return reduce(b.div, (one for one in below if one is not divisors[0]), rest)


def _is_clip(expr: Expr, node: Expr, condition: Expr) -> bool:
    """Whether an expression is `min(max(node, low), high)`, and the condition that it is the node."""
    if not (isinstance(expr, Call) and expr.op.name == "min"):
        return False
    inner, high = expr.args
    if not (isinstance(inner, Call) and inner.op.name == "max" and inner.args[0] is node):
        return False
    return condition is b.call("and", b.call("ge", node, inner.args[1]), b.call("le", node, high))


def _nonzero(adjoint: Expr) -> Expr:
    """A condition outside of which choices make an adjoint 0."""
    match adjoint:
        case Const(value):
            return Flag(value != 0)
        case Call(op, (condition, first, second)) if op.name == "where":
            return b.call(
                "or",
                b.call("and", condition, _nonzero(first)),
                b.call("and", b.call("not", condition), _nonzero(second)),
            )
        case Call(op, args) if op.name == "mul":
            return b.call("and", *map(_nonzero, args))
        case Call(op, args) if op.name in ("add", "sub"):
            return b.call("or", *map(_nonzero, args))
        case Call(op, args) if op.name in ("neg", "div"):
            return _nonzero(args[0])
    return Flag(True)


def _inside(arg: Expr, axis: object, index: Expr) -> Expr:
    """A whole number as `Gather` reads it: negative ones count from the end."""
    exact = b.exact(index)
    if exact is not None and exact < 0:
        (home,) = [a for a in arg.axes if a == axis]
        return b.add(b.length(arg, frozenset({home})), index)
    return index


# --- elementwise --------------------------------------------------------------------------------------------------


def slopes_of(node: Call) -> list[Expr | None]:
    """The partial derivatives of an operation with respect to its arguments; None where it is 0 everywhere."""
    letters = dict(zip(node.op.args, node.args, strict=True))
    texts = node.op.derivative or ("",) * node.op.arity
    slopes = [b.number(expression(text, letters)) if text else None for text in texts]
    if node.op.name in ("sqrt", "pow") and slopes[0] is not None:
        slopes[0] = _rooted(node, slopes[0])
    return slopes


def _rooted(node: Call, slope: Expr) -> Expr:
    """The slope of a root, with 0 where its argument is at a minimum of 0.

    `sqrt(e^2)` and `abs(e)^0.6` have a point or a cusp there, as `abs` has, where the slopes of root and argument are
    infinity and 0; their product, nan, would end a training that fits one sample exactly. Which arguments have such a
    minimum is read off their form; an input that is merely declared `nonneg` keeps the infinite slope of its root at 0.
    """
    base = node.args[0]
    known = Ranges()[base]
    if not known.is_nonnegative or known.is_positive:
        return slope
    inside = b.call("gt", base, b.ZERO)
    if node.op.name == "pow":
        exponent = b.exact(node.args[1])
        if exponent is not None and not 0 < exponent < 1:
            return slope
        if exponent is None and not node.args[1].is_static:
            return slope
        inside = b.call("or", b.call("ge", node.args[1], b.ONE), inside)
    return b.where(inside, slope, b.ZERO)


def _choice(node: Call, active: set[Expr]) -> tuple[Expr, Expr, Expr]:
    """A choice as (condition, value if it holds, value if not)."""
    if node.op.name == "min":
        clipped = _clipped(node, active)
        if clipped is not None:
            return clipped
    if node.op.name == "where":
        return node.args[0], node.args[1], node.args[2]
    if node.op.name == "relu":
        return b.call("gt", node.args[0], b.ZERO), node.args[0], b.ZERO
    first, second = node.args
    return b.call("ge" if node.op.name == "max" else "le", first, second), first, second


def _clipped(node: Call, active: set[Expr]) -> tuple[Expr, Expr, Expr] | None:
    """`min(max(e, low), high)` as one choice; an end belongs to what is inside, as a tie goes to the first argument."""
    inner, high = node.args
    if not isinstance(inner, Call) or inner.op.name != "max" or high in active:
        return None
    arg, low = inner.args
    if arg not in active or low in active:
        return None
    if isinstance(arg, Input):  # one comparison; of what is worked out, two copies could differ in the last digit
        return b.call("eq", arg, node), arg, b.ZERO
    return b.call("and", b.call("ge", arg, low), b.call("le", arg, high)), arg, b.ZERO


def _selected(condition: Expr, adjoint: Expr, first: Expr, second: Expr) -> Expr:
    """The choice between two slopes, times the adjoint: outside if that is finite, else inside, so that 0 stays 0."""
    if is_plain_factor(adjoint):
        return b.mul(adjoint, b.where(condition, first, second))
    return b.where(condition, b.mul(adjoint, first), b.mul(adjoint, second))


def _times(adjoint: Expr, slope: Expr) -> Expr:
    """Their product; where the adjoint is 0 by a choice and the slope may be infinite there, a choice of products."""
    if isinstance(adjoint, Call) and growth(slope) > 1:
        if adjoint.op.name == "where" and b.ZERO in adjoint.args[1:]:
            condition, first, second = adjoint.args
            return b.where(condition, _times(first, slope), _times(second, slope))
        if adjoint.op.name == "mul":
            for one, other in (adjoint.args, adjoint.args[::-1]):
                if isinstance(one, Call) and one.op.name == "where" and b.ZERO in one.args[1:]:
                    return _times(one, b.mul(other, slope))
    return b.mul(adjoint, slope)


def growth(expr: Expr) -> float:
    """The degree of an expression in whatever it is made of."""
    degrees: dict[Expr, float] = {}
    for node in walk(expr):
        below = [degrees[child] for child in node.children]
        plain = 0.0 if node.is_static or isinstance(node, Length) else max(below, default=1.0)
        degrees[node] = _degree(node, below) if isinstance(node, Call) and not node.is_static else plain
    return degrees[expr]


def is_plain_factor(adjoint: Expr) -> bool:
    """Whether an adjoint is a plain factor: made of constants, lengths and the seed only."""
    return all(not isinstance(node, Input | Param) or node.name == SEED for node in _counted(adjoint))


def _counted(adjoint: Expr) -> Iterable[Expr]:
    stack, seen = [adjoint], set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            yield node
            if not isinstance(node, Length):
                stack.extend(node.children)


def _piecewise(condition: Expr, first: Expr, second: Expr, active: set[Expr]) -> dict[Expr, tuple[Expr, Expr]]:
    """For each node of a cut below both pieces, the slopes of the two pieces with respect to it."""
    cut = _cut((first, second), active)
    slopes = [_slopes(piece, cut, active) for piece in (first, second)]
    return {leaf: (slopes[0].get(leaf, b.ZERO), slopes[1].get(leaf, b.ZERO)) for leaf in cut}


def _cut(pieces: tuple[Expr, ...], active: set[Expr]) -> list[Expr]:
    """The nodes that every path from the pieces to the inputs passes: one (such as e = t - x) if there is one."""
    order = list(walk(*pieces))
    heights: dict[Expr, int] = {}
    degrees: dict[Expr, float] = {}
    for node in order:
        is_call = isinstance(node, Call)
        heights[node] = 1 + max((heights[child] for child in node.children), default=0) if is_call else 0
        below = [degrees[child] for child in node.children]
        degrees[node] = _degree(node, below) if isinstance(node, Call) else float(node in active)
    frontier = {piece for piece in pieces if piece in active}
    while not (len(frontier) == 1 and all(degrees[node] <= 2 for node in frontier)):
        open_nodes = [node for node in frontier if _is_open(node, active)]
        if not open_nodes:
            break
        highest = max(open_nodes, key=lambda node: heights[node])
        frontier.remove(highest)
        frontier.update(child for child in highest.children if child in active)
    return [node for node in order if node in frontier]


def _is_open(node: Expr, active: set[Expr]) -> bool:
    return isinstance(node, Call) and any(child in active for child in _differentiable(node))


def _degree(node: Call, below: list[float]) -> float:
    """How fast an operation grows, as the degree of a polynomial; infinite if it may have infinite slopes.

    A choice may stand above what grows like a square at the most: its slopes are then as large as the inputs, so that
    none overflows where its piece is not selected.
    """
    name = node.op.name
    if name == "mul":
        return sum(below)
    if name == "square":
        return 2 * below[0]
    if name == "pow":
        exponent = b.exact(node.args[1])
        is_tame = exponent is not None and exponent >= 1 == exponent.denominator
        return below[0] * float(exponent) if exponent is not None and is_tame else math.inf
    if name == "div":
        by_many = node.args[1].axes < node.axes  # see _push_quotient
        return below[0] if node.args[1].is_static or by_many else math.inf
    if name in _CHOICES or any(safe is not None for safe in node.op.safe):
        return math.inf
    return max(below, default=0.0)


def _slopes(piece: Expr, cut: list[Expr], active: set[Expr]) -> Mapping[Expr, Expr]:
    """The slopes of one piece with respect to the nodes of a cut, elementwise."""
    found: dict[Expr, Expr] = {piece: b.ONE}
    if piece not in active:
        return {}
    stop = set(cut)
    for node in reversed(list(walk(piece))):
        slope = found.get(node)
        if slope is None or node in stop or node not in active or not isinstance(node, Call):
            continue
        if node.op.name in _CHOICES:
            condition, first, second = _choice(node, active)
            rest = _without(slope, [node])
            if rest is not None and second is b.ZERO and isinstance(first, Call) and first.op.name == "div":
                slope, inner = rest, [_of_logarithm(first, cut, active), {}]
            else:
                inner = [_slopes(part, cut, active) for part in (first, second)]
            for leaf in cut:
                pair = [slopes.get(leaf, b.ZERO) for slopes in inner]
                if any(part is not b.ZERO for part in pair):
                    _accumulate(found, leaf, _selected(condition, slope, pair[0], pair[1]))
        else:
            for child, partial in zip(node.args, slopes_of(node), strict=True):
                if child in active and partial is not None:
                    _accumulate(found, child, b.mul(slope, partial))
    return {leaf: found[leaf] for leaf in cut if leaf in found}


def _of_logarithm(quotient: Call, cut: list[Expr], active: set[Expr]) -> Mapping[Expr, Expr]:
    """The slopes of `log(a/b)`: those of `a` by `a`, less those of `b` by `b`, with nothing of the quotient in them."""
    found: dict[Expr, Expr] = {}
    for part, change in zip(quotient.args, (lambda slope: slope, b.neg), strict=True):
        for leaf, slope in _slopes(part, cut, active).items():
            _accumulate(found, leaf, change(b.div(slope, part)))
    return found


def _accumulate(found: dict[Expr, Expr], node: Expr, slope: Expr) -> None:
    found[node] = b.add(found[node], slope) if node in found else slope


# --- aggregates ---------------------------------------------------------------------------------------------------


def _reduction(node: Reduce, name: str, arg: Expr, over: Axes, adjoint: Expr, counted: Axes) -> Expr:
    if name == "sum":
        return adjoint
    if name == "mean":
        return b.div(adjoint, b.length(arg, over))
    if name == "prod":
        is_zero = b.call("eq", arg, b.ZERO)
        zeros = b.total(b.number(is_zero), over)
        others = Reduce(AGGREGATES["prod"], b.where(is_zero, b.ONE, arg), over)
        rest = b.where(
            is_zero,
            b.where(b.call("eq", zeros, b.ONE), others, b.ZERO),
            b.where(b.call("eq", zeros, b.ZERO), b.div(others, arg), b.ZERO),
        )
        return b.mul(adjoint, rest)
    (axis, *more) = over
    if not more and axis in counted:
        place = Reduce(AGGREGATES[f"arg{name}"], arg, over)
        return b.where(b.call("eq", Position(axis), place), adjoint, b.ZERO)
    ties = b.call("eq", arg, node)
    first = b.call("eq", Along(AGGREGATES["cumsum"], (b.spread(b.number(ties), over),), over), b.ONE)
    return b.where(b.call("and", ties, first), adjoint, b.ZERO)

"""The gradient of a loss: reverse mode over the IR.

Elementwise slopes come from the op table, aggregates and indices have a rule each, below. A choice (`where`, `max`,
`min`) is differentiated piece by piece, with the choice left outermost: what a piece does where it is not selected, be
it NaN or infinite, cannot reach the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH, LAST, NONE, Axes, Axis
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
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
from lossdsl.transform import vjp
from lossdsl.transform.choices import CHOICES, SEED, Masks, masks, nonzero, selected, times
from lossdsl.transform.factors import factored
from lossdsl.transform.flow import Flow
from lossdsl.transform.running import is_inside, slope_of_log
from lossdsl.transform.slopes import choice, differentiable, past_pole, piecewise, slopes_of, without


def seed_for(value: Expr) -> Input:
    """The input that stands for the derivative of what comes after a loss with respect to each of its values."""
    return Input(SEED, value.axes)


DIRECTION = "the direction in "
"""The name of the input that a second derivative is multiplied by; no user can write it.

Behind it stands the name of the component that it is for.
"""


def is_upstream(node: Expr) -> bool:
    """Whether a gradient is linear in a leaf: in what comes after the loss, or in a direction."""
    return isinstance(node, Input) and (node.name == SEED or node.name.startswith(DIRECTION))


def gradient(value: Expr, wrt: Iterable[Input | Param], seed: Expr = b.ONE, *, guards: bool = True) -> dict[Expr, Expr]:
    """The derivative of the sum of `seed` times `value` with respect to each element of each input in `wrt`.

    Readers do without `guards`, by which 0 times an infinite slope is 0, and what is nearly 0 is no difference.
    """
    wanted = tuple(wrt)
    active = _active(value, wanted)
    flow = Flow(value, active, masks(value), guards)
    adjoints = _Adjoints(value)
    adjoints.add(value, seed)
    for node in reversed(list(walk(value))):
        if node in active and node in adjoints.of and node not in wanted:
            _push(node, adjoints.of[node], flow, adjoints)
    return {node: adjoints.of.get(node, b.ZERO) for node in wanted}


def without_slope(value: Expr, wrt: Iterable[Input | Param]) -> Call | None:
    """An operation that one of the inputs reaches in an argument in which it has no slope."""
    active = _active(value, tuple(wrt))
    for node in walk(value):
        if isinstance(node, Call) and any(
            node.op.has_no_slope(position) and arg in active for position, arg in enumerate(node.args)
        ):
            return node
    return None


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
                case Slice(_, old, _) | Unslice(_, _, _, old) if old in own:
                    return False
    return True


class _Adjoints:
    """The derivatives gathered so far, each brought to the axes of its node.

    `counted` are the axes that have one length throughout, so that the number of a position means the same everywhere.
    """

    def __init__(self, value: Expr) -> None:
        self.of: dict[Expr, Expr] = {}
        self.counted = _counted_axes(value)
        self.positions = {node.axis for node in walk(value) if isinstance(node, Position)}

    def is_counted_elsewhere(self, axis: Axis) -> bool:
        """Whether the loss itself counts positions along an axis, which may be of another length in what is read."""
        return axis in self.positions and axis not in self.counted

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
    """Those of `last` and `batch` that have one length in all that has them; of `batch`, indices are as long."""
    nodes = list(walk(value))
    if any(isinstance(node, Slice | Unslice) for node in nodes):
        return NONE
    has_index = any(isinstance(node, Rename) for node in nodes)
    leaves = [node for node in nodes if isinstance(node, Input | Param)]
    found = []
    for axis in (BATCH,) if has_index else (BATCH, LAST):
        places = {(node.name, axis) for node in leaves if axis in node.axes}
        if len(places) < 2 or any(places <= group for group in meetings(value)):
            found.append(axis)
    return frozenset(found)


def _active(value: Expr, wanted: tuple[Expr, ...]) -> set[Expr]:
    """The nodes through which a gradient flows."""
    active: set[Expr] = set(wanted)
    for node in walk(value):
        if node.kind is Kind.REAL and any(child in active for child in differentiable(node)):
            active.add(node)
    return active


def _push(node: Expr, adjoint: Expr, flow: Flow, adjoints: _Adjoints) -> None:
    """Hands the derivative with respect to a node on to its children."""
    active = flow.active
    match node:
        case Call(op, args) if op.name in CHOICES:
            condition, first, second = choice(node, active)
            for leaf, slopes in piecewise(first, second, flow).items():
                adjoints.add(leaf, selected(condition, adjoint, *slopes, flow.masks, flow.is_steep), node)
        case Call(op, (above, below)) if op.name == "div" and below.axes < node.axes:
            _push_quotient(node, above, below, adjoint, flow, adjoints)
        case Call(op, args):
            for child, slope in zip(args, slopes_of(node, flow), strict=True):
                if child in active and slope is not None:
                    product = times(adjoint, slope, flow.masks, steep=flow.is_steep(slope))
                    adjoints.add(child, past_pole(node, adjoint, product, flow), node)
        case Along(op, (arg,)) if op.name == "normalize" and flow.guards:
            adjoints.add(arg, vjp.of_normalize(node, adjoint, partial(times, known=flow.masks)))
        case Reduce(op, arg) | Along(op, (arg,)) if op.name in vjp.RULES:
            masked = partial(times, known=flow.masks)
            adjoints.add(arg, vjp.of_whole(node, adjoint, masked, for_readers=not flow.guards))
        case Reduce(op, arg, over) if arg in active:
            adjoints.add(arg, _reduction(node, op.name, arg, over, adjoint, flow.masks, adjoints.counted))
        case Along(op, (arg, *_), over, reverse) if op.name == "cumsum":
            back = partial(Along, op, over=over, reverse=not reverse)
            adjoints.add(arg, _moved(lambda each: back((b.spread(each, over),)), adjoint, arg, flow))
        case Along(op, (arg,)) if op.name == "logcumsumexp":
            is_linear = any(is_upstream(part) for part in walk(adjoint))
            adjoints.add(arg, slope_of_log(node, adjoint, is_linear=is_linear))
        case Along(op, (arg,), over) if op.name in ("dft_cos", "dft_sin"):  # the matrices are symmetric
            adjoints.add(arg, Along(op, (b.spread(adjoint, over),), over))
        case Along(op, (arg, key), over) if op.sorts or op.name == "unsort":
            other = AGGREGATES["unsort" if op.sorts else "sort"]
            adjoints.add(arg, _moved(lambda each: Along(other, (b.spread(each, over), key), over), adjoint, arg, flow))
        case Rename(arg, old, new) if node.is_diagonal:
            adjoints.add(arg, b.where(b.call("eq", Position(old), Position(new)), adjoint, b.ZERO))
        case Rename(arg, old, new):
            adjoints.add(arg, Rename(adjoint, new, old) if new in adjoint.axes else adjoint)
        case Gather(arg, axis, index):
            label = _inside(arg, axis, index)
            rule = vjp.of_labelled if flow.guards else vjp.of_labelled_for_readers
            labelled = rule(node, label, adjoint, partial(times, known=flow.masks))
            if isinstance(index, Const) and axis == LAST and adjoints.is_counted_elsewhere(LAST):
                one = Axis(LAST.name, LAST.domain, size=1)
                labelled = arg, Unslice(b.spread(adjoint, frozenset({one})), arg, one, axis, int(index.value))
            elif labelled is None:
                labelled = arg, b.where(b.call("eq", Position(axis), label), adjoint, b.ZERO)
            adjoints.add(*labelled)
        case Slice(arg, old, new, start):
            padded = Unslice(b.spread(adjoint, frozenset({new})), arg, new, old, start)
            # What was cut away may have an infinite slope, as a piece that is not selected.
            needs_choice = flow.guards and flow.has_poles(arg)
            adjoints.add(arg, b.where(is_inside(padded), padded, b.ZERO) if needs_choice else padded)
        case Unslice(arg, _, old, new, start):
            adjoints.add(arg, Slice(b.spread(adjoint, frozenset({new})), new, old, start))


def _moved(move: Callable[[Expr], Expr], adjoint: Expr, arg: Expr, flow: Flow) -> Expr:
    """An adjoint brought to other places of an axis; 0 by choice where none comes, for slopes may be infinite there."""
    moved = move(adjoint)
    counts = nonzero(adjoint)
    if not flow.guards or counts is Flag(True) or not flow.has_poles(arg):
        return moved
    return b.where(b.call("ne", move(b.number(counts)), b.ZERO), moved, b.ZERO)


def _push_quotient(node: Call, above: Expr, below: Expr, adjoint: Expr, flow: Flow, adjoints: _Adjoints) -> None:
    """A quotient by something that many elements share, such as `x/sum(x)`.

    Where a choice throws away what all of them contribute, it throws away the divisor as well, which may be 0 there.
    """
    active = flow.active
    inside = _under_logarithm(node, adjoint)
    if inside is not None:
        condition, rest = inside
        if above in active:
            adjoints.add(above, b.where(condition, b.div(rest, above), b.ZERO), node)
        if below in active:
            whole = b.total(b.where(condition, rest, b.ZERO), node.axes - below.axes)
            adjoints.add(below, b.neg(b.where(b.call("ne", below, b.ZERO), b.div(whole, below), b.ZERO)))
        return
    counts = nonzero(adjoint)
    if counts is not Flag(True):
        counts = b.anywhere(counts, counts.axes - below.axes)
        below_safe = b.where(counts, below, b.ONE)
    else:
        below_safe = below
    if above in active:
        adjoints.add(above, b.div(adjoint, below_safe), node)
    if below in active:
        over = node.axes - below.axes
        whole = b.total(times(adjoint, b.div(above, below_safe), flow.masks), over)
        adjoints.add(below, b.neg(b.div(whole, below_safe)))


def _under_logarithm(node: Call, adjoint: Expr) -> tuple[Expr, Expr] | None:
    """The adjoint of `a/b` as `where(condition, rest/(a/b), 0)`, where it comes from the logarithm of a clipped `a/b`.

    The slopes of `log(a/b)` are `1/a` and `-1/b`, with nothing of the quotient in them. Where `b` is 0 the quotient is
    none, and clipped.
    """
    if not (isinstance(adjoint, Call) and adjoint.op.name == "where" and adjoint.args[2] is b.ZERO):
        return None
    condition, inside, _ = adjoint.args
    rest = without(inside, [one for one in factored(inside)[2] if _is_clip(one, node, condition)])
    return None if rest is None else (condition, rest)


def _is_clip(expr: Expr, node: Expr, condition: Expr) -> bool:
    """Whether an expression is `min(max(node, low), high)`, and the condition that it is the node."""
    if not (isinstance(expr, Call) and expr.op.name == "min"):
        return False
    inner, high = expr.args
    if not (isinstance(inner, Call) and inner.op.name == "max" and inner.args[0] is node):
        return False
    return condition is b.call("and", b.call("ge", node, inner.args[1]), b.call("le", node, high))


def _inside(arg: Expr, axis: Axis, index: Expr) -> Expr:
    """A whole number as `Gather` reads it: negative constants count from the end, what is worked out is held inside.

    A label as it is given stays so: one that is no class has no slope.
    """
    exact = b.exact(index)
    if exact is not None and exact < 0:
        return b.add(b.length(arg, frozenset({axis})), index)
    is_worked_out = isinstance(index, Call) and index.kind is Kind.INT
    return Gather(Position(axis), axis, index) if is_worked_out else index


# --- aggregates ---------------------------------------------------------------------------------------------------


def _reduction(node: Reduce, name: str, arg: Expr, over: Axes, adjoint: Expr, known: Masks, counted: Axes) -> Expr:
    if name == "sum":
        return adjoint
    if name == "mean":
        count = b.length(arg, over)
        may_be_none = any(axis.cut and not axis.is_last for axis in over)
        return b.div(adjoint, b.call("max", count, b.ONE) if may_be_none else count)
    if name == "prod":
        is_zero = b.call("eq", arg, b.ZERO)
        zeros = b.total(b.number(is_zero), over)
        others = Reduce(AGGREGATES["prod"], b.where(is_zero, b.ONE, arg), over)
        rest = b.where(
            is_zero,
            b.where(b.call("eq", zeros, b.ONE), others, b.ZERO),
            b.where(b.call("eq", zeros, b.ZERO), b.div(others, arg), b.ZERO),
        )
        return times(adjoint, rest, known)
    (axis, *more) = over
    if not more and axis.is_whole and axis.home in counted:
        place = Reduce(AGGREGATES[f"arg{name}"], arg, over)
        return b.where(b.call("eq", Position(axis), place), adjoint, b.ZERO)
    ties = b.call("eq", arg, node)
    first = b.call("eq", Along(AGGREGATES["cumsum"], (b.spread(b.number(ties), over),), over), b.ONE)
    return b.where(b.call("and", ties, first), adjoint, b.ZERO)

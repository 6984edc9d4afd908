"""Elementwise slopes: of operations, from the op table; of choices, piece by piece; and of pieces down to a cut.

A choice (`where`, `max`, `min`) is left outermost: what a piece does where it is not selected, be it NaN or infinite,
cannot reach the result. Nothing is summed here; `gradient` does that, and calls these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import reduce
from heapq import heappop, heappush

from lossdsl.ir import build as b
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Along, Call, Expr, Flag, Gather, Input, Length, Reduce, Rename, Slice, Unslice
from lossdsl.ir.op import NO_SLOPE, Kind
from lossdsl.ir.traversal import unknown
from lossdsl.transform.choices import CHOICES, SEED, selected, times
from lossdsl.transform.factors import factored
from lossdsl.transform.flow import Flow
from lossdsl.transform.language import expression

_WRITTEN_DOWN = Bounds(-1e38, 1e38)
"""What float32 can write down."""


def slopes_of(node: Call, flow: Flow) -> list[Expr | None]:
    """The partial derivatives of an operation with respect to its arguments; None where it is 0 everywhere, or none."""
    letters = dict(zip(node.op.args, node.args, strict=True))
    texts = node.op.derivative or ("",) * node.op.arity
    slopes = [None if text in ("", NO_SLOPE) else b.number(expression(text, letters)) for text in texts]
    if node.op.name in ("sqrt", "pow") and slopes[0] is not None:
        slopes[0] = _raised_to_nothing(node, _rooted(node, slopes[0], flow), flow)
    return slopes


def _raised_to_nothing(node: Call, slope: Expr, flow: Flow) -> Expr:
    """The slope of a power, 0 where an exponent that varies is 0: of 0^0, which is 1 as all others, it would be nan."""
    exponent = node.args[1:]
    may_be_nothing = exponent and not exponent[0].is_static and all(flow.ranges[arg].contains(0) for arg in node.args)
    if not flow.guards or not may_be_nothing:
        return slope
    return b.where(b.call("ne", b.number(exponent[0]), b.ZERO), slope, b.ZERO)


def _rooted(node: Call, slope: Expr, flow: Flow) -> Expr:
    """The slope of a root, with 0 where its argument is at a minimum of 0.

    `sqrt(e^2)` and `abs(e)^0.6` have a point or a cusp there, as `abs` has, where the slopes of root and argument are
    infinity and 0; their product, nan, would end a training that fits one sample exactly. Which arguments have such a
    minimum is read off their form; an input that is merely declared `nonneg` keeps the infinite slope of its root at 0.
    """
    base = node.args[0]
    known = flow.ranges[base]
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


def past_pole(node: Call, adjoint: Expr, product: Expr, flow: Flow) -> Expr:
    """The product of an adjoint and a slope, 0 where the adjoint is 0 though the slope may be infinite.

    `(1 - p)^0.5*log(p)` has the slope 0 at p = 1: the root's factor is 0 there. An exponential overflows where what it
    stands in, as `exp(-exp(x))`, has long vanished.
    """
    if not flow.guards:
        return product
    is_large = node.op.overflows and not flow.ranges[node].within(_WRITTEN_DOWN)
    if not (is_large and flow.exponentials.has(adjoint, node)) and not _has_pole(node, adjoint, flow):
        return product
    return b.where(_reached(adjoint, flow), product, b.ZERO)


def _has_pole(node: Call, adjoint: Expr, flow: Flow) -> bool:
    """Whether the slope of a root may be infinite where its adjoint is 0."""
    if node.op.name == "pow":
        exponent = b.exact(node.args[1])
        has_pole = node.args[1].is_static and (exponent is None or 0 < exponent < 1)
    else:
        has_pole = node.op.name in ("sqrt", "cbrt")
    if not has_pole or flow.ranges[node.args[0]].is_positive:
        return False
    return flow.with_inputs[adjoint] and not flow.with_aggregates[node.args[0]]


def _reached(adjoint: Expr, flow: Flow) -> Expr:
    """Where an adjoint may differ from 0, whatever comes after the loss.

    What comes after is no part of the condition: an adjoint is linear in it, and JAX transposes it as such.
    """
    done = flow.reached  # None for what has nothing to do with what comes after
    for node in unknown(adjoint, done):
        parts = [found for child in node.children if (found := done[child]) is not None]
        done[node] = _reached_by(node, parts, done) if parts else Flag(True) if _is_seed(node) else None
    return done[adjoint] or b.call("ne", adjoint, b.ZERO)


def _is_seed(node: Expr) -> bool:
    return isinstance(node, Input) and node.name == SEED


def _reached_by(node: Expr, parts: list[Expr], done: Mapping[Expr, Expr | None]) -> Expr:
    """The condition of a node from those of its parts; of what is gathered along axes one position is enough."""
    match node:
        case Call(op, (condition, first, second)) if op.name == "where":
            one, other = (done[piece] or Flag(False) for piece in (first, second))
            return b.call("or", b.call("and", condition, one), b.call("and", b.call("not", condition), other))
        case Call(op, args):
            others = [b.call("ne", arg, b.ZERO) for arg in args if done[arg] is None] if op.name == "mul" else []
            return reduce(lambda so_far, factor: b.call("and", so_far, factor), others, _any_of(parts))
        case Reduce() | Along() | Slice() | Unslice() | Gather() | Rename():
            return b.moved_condition(node, parts[0])
    return _any_of(parts)


def _any_of(conditions: list[Expr]) -> Expr:
    return reduce(lambda so_far, one: b.call("or", so_far, one), conditions)


def choice(node: Call, active: Set[Expr]) -> tuple[Expr, Expr, Expr]:
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


def _clipped(node: Call, active: Set[Expr]) -> tuple[Expr, Expr, Expr] | None:
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


def piecewise(first: Expr, second: Expr, flow: Flow) -> dict[Expr, tuple[Expr, Expr]]:
    """For each node of a cut below both pieces, the slopes of the two pieces with respect to it."""
    cut = _cut((first, second), flow)
    done: _Slopes = {}
    slopes = [_slopes(piece, cut, flow, done) for piece in (first, second)]
    return {leaf: (slopes[0].get(leaf, b.ZERO), slopes[1].get(leaf, b.ZERO)) for leaf in cut}


def _cut(pieces: tuple[Expr, ...], flow: Flow) -> list[Expr]:
    """The nodes that every path from the pieces to the inputs passes: one (such as e = t - x) if there is one."""
    frontier = {piece for piece in pieces if piece in flow.active}
    while len(frontier) != 1 or not flow.is_choosable(frontier):
        open_nodes = [node for node in frontier if _is_open(node, flow.active)]
        if not open_nodes:
            break
        highest = max(open_nodes, key=lambda node: (flow.heights[node], flow.places[node]))
        frontier.remove(highest)
        frontier.update(child for child in highest.children if child in flow.active)
    return sorted(frontier, key=lambda node: flow.places[node])


def _is_open(node: Expr, active: Set[Expr]) -> bool:
    return isinstance(node, Call) and any(child in active for child in differentiable(node))


_Slopes = dict[Expr, Mapping[Expr, Expr]]
"""The slopes of pieces, each with respect to the nodes of one cut."""


def _slopes(piece: Expr, cut: list[Expr], flow: Flow, done: _Slopes) -> Mapping[Expr, Expr]:
    """The slopes of one piece with respect to the nodes of a cut, elementwise; those that are `done` are not redone."""
    for part in _parts(piece, cut, flow, done):
        done[part] = _worked_out(part, cut, flow, done)
    return done[piece] if piece in flow.active else {}


def _parts(piece: Expr, cut: list[Expr], flow: Flow, done: _Slopes) -> list[Expr]:
    """The pieces of the choices in a piece that are not done, and itself, each after those within it."""
    stop = set(cut)
    waiting, pieces = [piece], [piece]
    seen: set[Expr] = set()
    while waiting:
        node = waiting.pop()
        if node in seen or node in done or node not in flow.active or node in stop:
            continue
        seen.add(node)
        if isinstance(node, Call):
            waiting += differentiable(node)
            pieces += choice(node, flow.active)[1:] if node.op.name in CHOICES else ()
    left = {one for one in pieces if one in flow.active and one not in done}
    return sorted(left, key=lambda node: flow.places[node])


def _worked_out(piece: Expr, cut: list[Expr], flow: Flow, done: _Slopes) -> Mapping[Expr, Expr]:
    found: dict[Expr, Expr] = {piece: b.ONE}
    stop = set(cut)
    waiting = [-flow.places[piece]]
    nodes = {-flow.places[piece]: piece}
    while waiting:  # from the last node to the first: what is above a node has been done then
        node = nodes.pop(heappop(waiting))
        if node in stop or node not in flow.active or not isinstance(node, Call):
            continue
        is_choice = node.op.name in CHOICES
        slope = found[node]
        below = _past_choice(node, slope, cut, flow, done) if is_choice else _past_operation(node, slope, flow)
        for child, part in below:
            _accumulate(found, child, part)
            place = -flow.places[child]
            if place not in nodes:
                nodes[place] = child
                heappush(waiting, place)
    return {leaf: found[leaf] for leaf in cut if leaf in found}


def _past_operation(node: Call, slope: Expr, flow: Flow) -> Iterator[tuple[Expr, Expr]]:
    """The arguments of an operation, each with what of its slope reaches it."""
    for child, partial in zip(node.args, slopes_of(node, flow), strict=True):
        if child in flow.active and partial is not None:
            yield child, past_pole(node, slope, times(slope, partial, flow.masks), flow)


def _past_choice(node: Call, slope: Expr, cut: list[Expr], flow: Flow, done: _Slopes) -> Iterator[tuple[Expr, Expr]]:
    """The nodes of the cut below a choice, each with a choice between what reaches it through the two pieces."""
    condition, first, second = choice(node, flow.active)
    rest = without(slope, [node])
    if rest is not None and second is b.ZERO and isinstance(first, Call) and first.op.name == "div":
        slope, inner = rest, [_of_logarithm(first, cut, flow, done), {}]
    else:
        inner = [_slopes(part, cut, flow, done) for part in (first, second)]
    for leaf in cut:
        pair = [slopes.get(leaf, b.ZERO) for slopes in inner]
        if any(part is not b.ZERO for part in pair):
            yield leaf, selected(condition, slope, pair[0], pair[1], flow.masks, flow.is_steep)


def _of_logarithm(quotient: Call, cut: list[Expr], flow: Flow, done: _Slopes) -> Mapping[Expr, Expr]:
    """The slopes of `log(a/b)`: those of `a` by `a`, less those of `b` by `b`, with nothing of the quotient in them."""
    above, below = quotient.args
    found = {leaf: b.div(slope, above) for leaf, slope in _slopes(above, cut, flow, done).items()}
    for leaf, slope in _slopes(below, cut, flow, done).items():
        _accumulate(found, leaf, b.neg(b.div(slope, below)))
    return found


def _accumulate(found: dict[Expr, Expr], node: Expr, slope: Expr) -> None:
    found[node] = b.add(found[node], slope) if node in found else slope


def without(product: Expr, divisors: list[Expr]) -> Expr | None:
    """A product without its division by the one that is given; None if it has no such division."""
    sign, factors, below = factored(product)
    if len(divisors) != 1 or below.count(divisors[0]) != 1:
        return None
    rest: Expr = reduce(b.mul, factors, b.number(b.const(sign)))
    return reduce(b.div, (one for one in below if one is not divisors[0]), rest)


def differentiable(node: Expr) -> tuple[Expr, ...]:
    """The children that a small change of which changes the node."""
    match node:
        case Call(op, _) if op.name == "stop" or not any(op.derivative):
            return ()
        case Reduce(op, _) if op.gives is not Kind.REAL:
            return ()
        case Along(op, args):
            return () if op.name == "rank" else args[:1]
        case Gather(arg, _, _) | Unslice(arg, _, _, _):
            return (arg,)
        case Length():
            return ()
    return node.children

"""Sums that XLA must be given one array for, since it would make several.

XLA on a processor hands a sum to a library, and with it the elementwise operations before it, as long as nothing else
needs their results. What something else needs, it writes out in memory and hands over; so too a number that is spread
over the whole, where value and slope have it in common. Of `max(1 - t*x, 0)`, whose slope compares `1 - t*x` with 0,
these are two arrays. One would be enough: that of what is summed, for whatever is cheap is worked out again where it is
needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lossdsl.ir.expr import Call, Const, Expr, Input, Reduce, walk
from lossdsl.ir.traversal import users

_CHEAP = frozenset({"add", "sub", "mul", "neg", "square", "abs", "sign", "max", "min", "where"})
"""The operations that XLA works out again rather than keep their results."""
_DEAR = frozenset({"div", "pow", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "sigmoid"})
_HANDED_OVER = (_CHEAP - {"where"}) | _DEAR
"""Those that the library has."""


def array_sums(roots: Sequence[Expr]) -> frozenset[Expr]:
    """Those sums and means, of functions that are compiled together, that are cheaper of one array."""
    above = users(*roots)
    sums = (node for node in walk(*roots) if isinstance(node, Reduce) and node.op.name in ("sum", "mean"))
    return frozenset(node for node in sums if _is_cheaper(node, above, roots))


def _is_cheaper(total: Reduce, above: Mapping[Expr, list[Expr]], roots: Sequence[Expr]) -> bool:
    """Whether the sum of one array, and of what is kept for it, needs no more arrays than that of several."""
    axes = total.arg.axes
    taken: set[Expr] = {total}
    spread, arrays = 0, []
    for node in reversed(list(walk(total.arg))):
        own = above[node]
        if taken.isdisjoint(own):
            continue
        if node.axes != axes:
            spread += any(isinstance(user, Call) and user.axes == axes and user not in taken for user in own)
        elif _is_handed_over(node) and taken.issuperset(own) and node not in roots:
            taken.add(node)
        elif not isinstance(node, Input):
            arrays.append(node)
    count = spread + len(arrays)
    return count > 1 and 1 + len(_kept(arrays)) <= count


def _kept(nodes: Iterable[Expr]) -> set[Expr]:
    """What is not worked out twice, of that which nodes are made of, in their size."""
    found: set[Expr] = set()
    stack, seen = list(nodes), set[Expr]()
    while stack:
        node = stack.pop()
        if node in seen or isinstance(node, Input):
            continue
        seen.add(node)
        if isinstance(node, Call) and node.op.name in _CHEAP:
            stack += [child for child in node.children if child.axes == node.axes]
        else:
            found.add(node)
    return found


def _is_handed_over(node: Expr) -> bool:
    if not isinstance(node, Call) or node.op.name not in _HANDED_OVER:
        return False
    return node.op.name != "pow" or isinstance(node.args[1], Const)

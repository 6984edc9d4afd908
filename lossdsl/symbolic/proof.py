"""Proofs by sympy that a gradient is the derivative of its loss, for small losses.

The loss is written out over tiny tensors of symbols and differentiated by sympy. The difference between that and our
gradient is proved to vanish on every combination of outcomes of the conditions in it.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from lossdsl.ir.axes import ordered
from lossdsl.ir.expr import Call, Const, Expr, Flag, Input, Param, walk
from lossdsl.ir.loss import InputSpec, Loss
from lossdsl.symbolic.exact import Array, evaluate, met
from lossdsl.symbolic.namespaces import Beyond, SympyNumbers
from lossdsl.symbolic.points import sizes_for
from lossdsl.symbolic.ranges import Ranges

MAX_NODES = 60
MAX_CONDITIONS = 4
MAX_TERMS = 600
"""The largest difference, in sympy's operations, for which a proof is tried."""


def is_derivative(loss: Loss, spec: InputSpec, exprs: tuple[Expr, ...], known: Ranges) -> bool:
    """Whether sympy proves the gradient; False also where it cannot tell, or the loss is too large to ask."""
    import sympy

    if sum(1 for _ in walk(loss.result, *exprs)) > MAX_NODES or any(one.is_label for one in loss.inputs):
        return False
    sizes = {**sizes_for(loss), "batch": 2}
    if all(isinstance(node, Call | Const | Flag | Input | Param) for node in walk(loss.value)):
        sizes.update(batch=1, last=1)  # elementwise: one element stands for all
    m = SympyNumbers()
    given: dict[Expr, Array] = {}
    for node in [node for one in loss.inputs for node in one.nodes] + [one.node for one in loss.parameters]:
        given[node] = _symbols(node, sizes, known)
    try:
        done = evaluate([loss.result, *exprs], given, m, sizes)
        total = sum(done[loss.result].ravel().tolist())
        for node, expr in zip(spec.nodes, exprs, strict=True):
            ours = np.broadcast_to(met(done[expr], expr.axes, node.axes), given[node].shape)
            for place in np.ndindex(ours.shape):
                difference = sympy.sympify(ours[place]) - sympy.diff(total, given[node][place])
                if not _vanishes(difference, set(m.conditions.values())):
                    return False
    except (Beyond, TypeError, ValueError, NotImplementedError, sympy.PolynomialError):  # sympy gives up in many ways
        return False
    return True


def _symbols(node: Any, sizes: dict[str, int], known: Ranges) -> Array:
    import sympy

    interval = known[node]
    shape = tuple(sizes[axis.domain] for axis in ordered(node.axes))
    found = np.empty(shape, dtype=object)
    prefix = "i" if isinstance(node, Input) else "p"
    for place in np.ndindex(shape):
        label = f"{prefix}_{node.name}{''.join(f'_{index}' for index in place)}"
        found[place] = sympy.Symbol(
            label,
            real=True,
            positive=True if interval.is_positive else None,
            nonnegative=True if interval.is_nonnegative else None,
        )
    return found


def _vanishes(difference: Any, conditions: set[Any]) -> bool:
    """Whether an expression is 0 whatever its conditions turn out to be."""
    import sympy

    if difference == 0:
        return True
    if sympy.count_ops(difference) > MAX_TERMS:
        return False
    # The derivative of a sign is 0 wherever it exists, which is all that is claimed.
    difference = difference.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    open_ones = sorted(difference.free_symbols & conditions, key=str)
    if len(open_ones) > MAX_CONDITIONS:
        return False
    for outcome in itertools.product((0, 1), repeat=len(open_ones)):
        piece = difference.subs(dict(zip(open_ones, outcome, strict=True)))
        if piece != 0 and sympy.expand(sympy.numer(sympy.together(piece))) != 0:
            return False
    return True

"""Proofs by sympy that a gradient is the derivative of its loss, for small losses.

The loss is written out over tiny tensors of symbols and differentiated by sympy. The difference between that and our
gradient is proved to vanish on every combination of outcomes of the conditions in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from lossdsl.ir.axes import BATCH, Axis
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
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.ranges import Ranges
from lossdsl.oracle.interpreter import Array, evaluate, met
from lossdsl.oracle.number_systems import Beyond
from lossdsl.oracle.points import shape_of, sizes_for
from lossdsl.oracle.sympy_numbers import SympyNumbers

MAX_NODES = 60
MAX_WRITTEN = 4000
"""The largest loss with its gradients, in operations where nothing is shared: sympy works on what is written out."""
MAX_CONDITIONS = 4
"""How many conditions may be open in a difference, and how many different ones may be asked to begin with."""
MAX_TERMS = 600
"""The largest difference, in sympy's operations, for which a proof is tried."""
MAX_PAIRS = 30_000
"""How many pairs of terms are multiplied for a product of polynomials: for a chain of ten squares, 10^9."""


class Derivative:
    """A loss as sympy differentiates it. What is written out of it serves the gradients in all its inputs."""

    def __init__(self, loss: Loss, known: Ranges) -> None:
        self.loss = loss
        self.known = known
        self._written: dict[int, _Written] = {}

    def is_given_by(self, spec: InputSpec, exprs: tuple[Expr, ...]) -> bool:
        """Whether sympy proves a gradient; False also where it cannot tell, or the loss is too large to ask."""
        import sympy

        nodes = list(walk(self.loss.result, *exprs))
        calls = [node for node in nodes if isinstance(node, Call)]
        asked = {frozenset(node.args) for node in calls if node.op.compares or node.op.turned}
        is_large = len(nodes) > MAX_NODES or _written_out(nodes) > MAX_WRITTEN
        if is_large or len(asked) > MAX_CONDITIONS or any(one.is_label for one in self.loss.inputs):
            return False
        batch = 2 if any(map(_takes_samples, nodes)) else 1  # else one sample stands for all
        try:
            if batch not in self._written:
                self._written[batch] = _Written(self.loss, self.known, batch)
            written = self._written[batch]
            found = written.values(exprs)
            for node, expr in zip(spec.nodes, exprs, strict=True):
                symbols = written.given[node]
                ours = np.broadcast_to(met(found[expr], expr.axes, node.axes), symbols.shape)
                for place in np.ndindex(ours.shape):
                    difference = sympy.sympify(ours[place]) - sympy.diff(written.total, symbols[place])
                    if not _vanishes(difference, set(written.m.conditions.values())):
                        return False
        # sympy gives up in many ways
        except (Beyond, TypeError, ValueError, NotImplementedError, sympy.PolynomialError):
            return False
        return True


def _written_out(nodes: Iterable[Expr]) -> int:
    """The size of the largest of some expressions, given children first, as a tree."""
    sizes: dict[Expr, int] = {}
    for node in nodes:
        sizes[node] = 1 + sum(sizes[child] for child in node.children)
    return max(sizes.values(), default=0)


class _Written:
    """A loss written out over tiny tensors of symbols."""

    def __init__(self, loss: Loss, known: Ranges, batch: int) -> None:
        self.m = SympyNumbers()
        self.sizes = {**sizes_for(loss), "batch": batch}
        if all(isinstance(node, Call | Const | Flag | Input | Param) for node in walk(loss.value)):
            self.sizes.update(batch=1, last=1)  # elementwise: one element stands for all
        nodes = [node for one in loss.inputs for node in one.nodes] + [one.node for one in loss.parameters]
        self.given: dict[Expr, Array] = {node: _symbols(node, self.sizes, known) for node in nodes}
        self.done = evaluate([loss.result], self.given, self.m, self.sizes)
        self.total = sum(self.done[loss.result].ravel().tolist())

    def values(self, exprs: tuple[Expr, ...]) -> dict[Expr, Array]:
        return evaluate(exprs, self.done, self.m, self.sizes)


def _takes_samples(node: Expr) -> bool:
    """Whether an operation takes the samples of a batch together, or counts them."""
    match node:
        case Reduce() | Along() | Length():
            over: Iterable[Axis] = node.over
        case Gather():
            over = (node.axis,)
        case Rename() | Slice() | Unslice():
            over = (node.old, node.new)
        case _:
            return False
    return any(axis.domain == BATCH.domain for axis in over)


def _symbols(node: Any, sizes: dict[str, int], known: Ranges) -> Array:
    import sympy

    interval = known[node]
    shape = shape_of(node, sizes)
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
        if piece != 0 and not _cancels(piece) and sympy.expand(sympy.numer(sympy.together(piece))) != 0:
            return False
    return True


def _cancels(piece: Any) -> bool:
    """Whether an expression is seen to be 0 as a quotient of polynomials over what is no sum, product or whole power.

    That settles most, and takes a tenth of the time of what sympy does with expressions.
    """
    found = _Quotients(piece).of(piece)
    return found is not None and not found[0]


_Quotient = tuple[Any, dict[Any, int]]
"""A polynomial, and the powers of the polynomials that it is divided by."""


class _Quotients:
    """Expressions of sympy's as quotients of polynomials. The divisors stay factors: sums have few different ones."""

    def __init__(self, piece: Any) -> None:
        import sympy
        from sympy.polys.rings import PolyRing

        self.done: dict[Any, _Quotient | None] = {}
        others = [part for part in _parts(piece) if not part.is_Rational and not _is_arithmetic(part)]
        self.ring = PolyRing(others or [sympy.Symbol("one")], sympy.QQ)
        for gen, other in zip(self.ring.gens, others, strict=False):
            self.done[other] = gen, {}

    def of(self, expr: Any) -> _Quotient | None:
        """None where something is divided by 0."""
        if expr not in self.done:
            self.done[expr] = self._of(expr)
        return self.done[expr]

    def _of(self, expr: Any) -> _Quotient | None:
        if expr.is_Rational:
            return self.ring(self.ring.domain.from_sympy(expr)), {}
        parts = [self.of(part) for part in (expr.args[:1] if expr.is_Pow else expr.args)]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if expr.is_Pow:
            return self._power(known[0], int(expr.exp))
        return self._sum(known) if expr.is_Add else self._product(known)

    def _product(self, factors: list[_Quotient]) -> _Quotient:
        top, below = self.ring.one, dict[Any, int]()
        for one, divisors in factors:
            top = _times(top, one)
            for divisor, power in divisors.items():
                below[divisor] = below.get(divisor, 0) + power
        return top, below

    def _sum(self, terms: list[_Quotient]) -> _Quotient:
        below: dict[Any, int] = {}
        for _, divisors in terms:
            for divisor, power in divisors.items():
                below[divisor] = max(power, below.get(divisor, 0))
        total = self.ring.zero
        for top, divisors in terms:
            for divisor, power in below.items():
                top = _times(top, _raised(divisor, power - divisors.get(divisor, 0)))
            total += top
        return total, below

    def _power(self, base: _Quotient, exponent: int) -> _Quotient | None:
        top, below = base
        if exponent >= 0:
            return _raised(top, exponent), {divisor: power * exponent for divisor, power in below.items()}
        if not top:
            return None
        turned = self.ring.one / top.LC
        for divisor, power in below.items():
            turned = _times(turned, _raised(divisor, power))
        return _raised(turned, -exponent), {top.monic(): -exponent}


def _times(one: Any, other: Any) -> Any:
    """The product of two polynomials; raises Beyond for more than anybody waits for."""
    if len(one) * len(other) > MAX_PAIRS:
        raise Beyond("a product of polynomials this large")
    return one * other


def _raised(base: Any, exponent: int) -> Any:
    found = base.ring.one
    for _ in range(exponent):
        found = _times(found, base)
    return found


def _is_arithmetic(expr: Any) -> bool:
    return bool(expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer))


def _parts(expr: Any) -> list[Any]:
    """What an expression is made of by arithmetic, each once."""
    found: dict[Any, None] = {}
    stack = [expr]
    while stack:
        part = stack.pop()
        if part not in found:
            found[part] = None
            if _is_arithmetic(part):
                stack.extend(part.args[:1] if part.is_Pow else part.args)
    return list(found)

"""Which parts of a loss reach its result, and which of them have no finite value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.expr import Call, Const, Expr, Flag, Input, Param, walk
from lossdsl.ir.op import Kind
from lossdsl.oracle.interpreter import Array
from lossdsl.oracle.number_systems import PLAIN, MpNumbers

Truths = NDArray[np.bool_]


def rows(array: Array, count: int) -> list[Any]:
    """The values of a part at the points of a line: one for each, or one for all; nan for one without elements."""
    flat: list[Any] = array.ravel().tolist() or [math.nan]
    return flat if len(flat) == count else flat * count


def infinite(array: Array, count: int) -> Truths:
    """At which points of a line mpmath's numbers are infinite or nan: these have a mantissa of 0 and an exponent."""
    found = np.array([not y._mpf_[1] and y._mpf_[2] != 0 for y in array.ravel().tolist()], dtype=bool)
    if not found.size:  # a part without elements has no value
        return np.ones(count, dtype=bool)
    return np.broadcast_to(found, (count,))


def wrong_at(node: Expr, done: Mapping[Expr, Array], count: int) -> Truths | None:
    """Where a part is infinite or nan; None if it is so nowhere, or only where a part of its own is."""
    if node.kind is not Kind.REAL or isinstance(node, Const | Flag | Input | Param):
        return None
    if isinstance(node, Call) and node.op.name in PLAIN:  # as its arguments are: mpmath's exponents have no bound
        return None
    found = infinite(done[node], count)
    return found if found.any() else None


def selected(
    root: Expr, done: Mapping[Expr, Array], count: int, through: tuple[type[Expr], ...] = (Expr,)
) -> dict[Expr, Truths]:
    """The parts that reach the result, and at which points of a line they do; seen through some kinds of nodes only."""
    live: dict[Expr, Truths] = {root: np.ones(count, dtype=bool)}
    for node in reversed(list(walk(root))):
        here = live.get(node)
        if here is None or not isinstance(node, through):
            continue
        children = node.children
        if isinstance(node, Call) and node.op.name == "where":
            held = np.array([*map(bool, rows(done[children[0]], count))], dtype=bool)
            masks = [here, here & held, here & ~held]
        else:
            masks = [here] * len(children)
        for child, mask in zip(children, masks, strict=True):
            live[child] = live[child] | mask if child in live else mask
    return live


# --- whole tensors ----------------------------------------------------------------------------------------------------


def culprit(expr: Expr, done: Mapping[Expr, Array], m: MpNumbers) -> tuple[Call, str] | None:
    """The first operation whose arguments are finite and whose result is not, among those that are selected."""
    live = live_parts(expr, done)
    for node in walk(expr):
        if node not in live or node.kind is Kind.BOOL or not isinstance(node, Call) or node.op.name == "where":
            continue
        bad = [value for value in done[node].ravel().tolist() if not m.isfinite(value)]
        if bad and all(m.isfinite(y) for arg in node.args for y in done[arg].ravel().tolist() if arg.kind is Kind.REAL):
            return node, shown(bad[0], m)
    return None


def shown(value: Any, m: MpNumbers) -> str:
    return str(m.nstr(value)).replace("+", "")


def live_parts(root: Expr, done: Mapping[Expr, Array]) -> set[Expr]:
    """The parts that are selected somewhere."""
    live = {root}
    for node in reversed(list(walk(root))):
        if node not in live:
            continue
        parts = node.children
        if isinstance(node, Call) and node.op.name == "where":
            held = {bool(value) for value in done[parts[0]].ravel().tolist()}
            parts = (parts[0], *(parts[1:2] if True in held else ()), *(parts[2:] if False in held else ()))
        live |= {*parts}
    return live

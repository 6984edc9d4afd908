"""Values that are no numbers, where a formula asks for them: nan for `isnan(t)`, the infinities for `t == inf`.

An author who asks whether an input is nan means that it may be: so it is tried, and what a condition does not select
must not matter then.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Call, Const, Expr, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind

_INFINITE = (math.inf, -math.inf)
_ASKED: Mapping[str, tuple[float, ...]] = {"isnan": (math.nan,), "isinf": _INFINITE, "isfinite": (math.nan, *_INFINITE)}
"""The operations that ask, with what they ask for."""


def no_numbers(loss: Loss) -> dict[Expr, tuple[float, ...]]:
    """Of each input that a formula asks of, the values asked for that its kind admits; nan is admitted by all.

    A number that is compared with infinity may be infinite, one that is compared with itself nan.
    """
    asked: dict[Expr, set[float]] = {}
    for subject, values in (question for node in walk(loss.result) for question in questions(node)):
        for leaf in walk(subject):
            asked.setdefault(leaf, set()).update(values)
    found: dict[Expr, tuple[float, ...]] = {}
    for spec in loss.inputs:
        for leaf in spec.nodes if not spec.is_label else ():
            found[leaf] = _admitted(asked.get(leaf, set()), spec.part(leaf).bounds)
    return {leaf: values for leaf, values in found.items() if values}


def _admitted(wanted: set[float], bounds: Bounds) -> tuple[float, ...]:
    values = tuple(value for value in _INFINITE if value in wanted and bounds.low <= value <= bounds.high)
    return values + (math.nan,) * any(map(math.isnan, wanted))


def questions(test: Expr) -> Iterator[tuple[Expr, tuple[float, ...]]]:
    """What a condition asks of: an operand, and the values that are no numbers; nothing where it asks for none."""
    if not isinstance(test, Call) or test.kind is not Kind.BOOL:
        return
    if test.op.name in _ASKED:
        yield test.args[0], _ASKED[test.op.name]
    elif test.op.name in ("eq", "ne") and test.args[0] is test.args[1]:
        yield test.args[0], (math.nan,)
    elif test.op.infix and len(test.args) == 2:
        for one, other in (test.args, test.args[::-1]):
            if isinstance(other, Const) and abs(other.value) == math.inf:
                yield one, _INFINITE

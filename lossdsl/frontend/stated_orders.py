"""`require` lines about inputs: which part of a packed input is never above another, as the corners of a box are."""

from __future__ import annotations

from collections.abc import Sequence

from lossdsl.errors import LossTypeError
from lossdsl.ir.bounds import INF
from lossdsl.ir.expr import Call, Expr, Input, walk
from lossdsl.ir.inputs import DOMAINS, InputSpec, Order, in_order
from lossdsl.ir.ranges import conjuncts
from lossdsl.source import Span

_ORDERED = ("real", "logits", "positive", "nonneg", "prob")
"""The kinds whose numbers may be put in order, one part beside the other."""


def is_about_inputs(condition: Expr) -> bool:
    return any(isinstance(part, Input) for part in walk(condition))


def orders(condition: Expr, inputs: Sequence[InputSpec], span: Span) -> tuple[Order, ...]:
    """What a condition says of the parts of inputs. Raises LossTypeError where that is no order of two parts of one."""
    return tuple(_order(part, inputs, span) for part in conjuncts(condition))


def _order(condition: Expr, inputs: Sequence[InputSpec], span: Span) -> Order:
    match condition:
        case Call(op, (Input() as low, Input() as high)) if op.is_order:
            if 1 in op.holds_at:
                low, high = high, low
            strict = 0 not in op.holds_at
        case _:
            hint = "as in `require x0 < x1`; which numbers an input may be is said by a kind, as in `w: positive`"
            raise LossTypeError("of inputs, `require` compares two parts of one", span, hint)
    spec = next((one for one in inputs if low in one.nodes and high in one.nodes and low is not high), None)
    if spec is None:
        hint = "parts are those of `(x0, x1)`; of two inputs one knows nothing of the other"
        raise LossTypeError(f"`{low.name}` and `{high.name}` are not two parts of one input", span, hint)
    one, other = spec.part(low).domain, spec.part(high).domain
    if one != other or one not in _ORDERED:
        hint = f"parts that are put in order are both {', '.join(_ORDERED[:-1])} or {_ORDERED[-1]}"
        raise LossTypeError(f"`{low.name}` is {one} and `{high.name}` {other}", span, hint)
    if strict and DOMAINS[one].high < INF:
        raise LossTypeError(f"`{low.name}` may be {DOMAINS[one].high}, and nothing is above", span, "write `<=`")
    return Order(low, high, strict, span)


def check_orders(found: Sequence[Order]) -> None:
    """Raises LossTypeError where orders go round in a circle."""
    try:
        in_order(found)
    except ValueError:
        raise LossTypeError("each of these parts would be below itself", found[-1].span, "leave one out") from None


__all__ = ["check_orders", "is_about_inputs", "orders"]

"""Labels for which an element of the prediction has no influence, of losses that add up over elements.

`-sum(t*log(x))/len(x)` is such a loss: whatever is predicted where t is 0 changes nothing. All is read off the formula:
an aggregate takes the prediction of an element beside the label of this element, and the label is put in.
"""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Reduce, walk
from lossdsl.ir.loss import Loss
from lossdsl.transform.canonical import canonical

VALUES = {"binary": (0, 1), "sign": (-1, 1)}
"""The labels of each kind of target that has two of them."""


def silent_labels(loss: Loss) -> Iterator[int]:
    """The labels of which the predictions do not matter, where those of others do."""
    target = loss.target
    if target is None or target.is_label or len(target.nodes) > 1:
        return
    values: tuple[int, ...] = VALUES.get(target.domain, ())
    if target.domain == "onehot" and loss.prediction.domain == "logits":  # a choice among other numbers is meant
        values = (0,)
    summands = _summands(loss.result, loss.prediction.nodes)
    if not values or not summands:
        return
    for label in values:
        put = [canonical((_with(one, target.nodes[0], b.const(label)),))[0] for one in summands]
        if not any(b.varies_with(one, loss.prediction.nodes) for one in put):
            yield label


def _summands(root: Expr, xs: tuple[Expr, ...]) -> list[Expr]:
    """What aggregates take of the prediction element by element; empty if it is read in another way as well."""
    found: list[Expr] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if not b.varies_with(node, xs):
            continue
        if isinstance(node, Call):
            stack += node.children
        elif isinstance(node, Reduce) and node.op.name in ("sum", "mean"):
            if _is_elementwise(node.arg, xs):
                found.append(node.arg)
            else:
                stack.append(node.arg)
        else:
            return []
    return found


def _is_elementwise(expr: Expr, xs: tuple[Expr, ...]) -> bool:
    """Whether the prediction is read at the element at hand alone."""
    return all(isinstance(node, Call) or node in xs or not b.varies_with(node, xs) for node in walk(expr))


def _with(expr: Expr, target: Expr, label: Const) -> Expr:
    """An expression with a label for the target of the element at hand; what is told of other elements stays."""
    if expr is target:
        return label
    if not isinstance(expr, Call):
        return expr
    return b.rebuild(expr, tuple(_with(child, target, label) for child in expr.children))

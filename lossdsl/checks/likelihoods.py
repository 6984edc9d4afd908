"""Functions that turn logits into probabilities or their logarithms, by name or written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Call, Expr, Reduce

_NAMED: Mapping[type[Expr], tuple[str, ...]] = {
    Along: ("softmax", "log_softmax"),
    Reduce: ("logsumexp",),
    Call: ("sigmoid", "log_sigmoid", "softplus"),
}


def logits_of(node: Expr) -> tuple[str, Expr | None]:
    """The function that an operation is, and what it takes for logits; "" and None of any other.

    So is `exp(u)/sum(exp(u))` the softmax of u, `log(sum(exp(u)))` its logsumexp, `1/(1 + exp(-u))` its sigmoid.
    """
    if isinstance(node, Along | Reduce | Call) and node.op.name in _NAMED.get(type(node), ()):
        return node.op.name, node.children[0]
    match node:
        case Call(op, (top, below)) if op.name == "div":
            if (power := _power(top)) is not None and _total_of(below) is top:
                return "softmax", power
            power = _one_and_power(below)
            if top is b.ONE and isinstance(power, Call) and power.op.name == "neg":
                return "sigmoid", power.args[0]
        case Call(op, (inner,)) if op.name == "log":
            if (total := _total_of(inner)) is not None and (power := _power(total)) is not None:
                return "logsumexp", power
            if (power := _one_and_power(inner)) is not None:
                return "softplus", power
    return "", None


def _power(node: Expr) -> Expr | None:
    return node.args[0] if isinstance(node, Call) and node.op.name == "exp" else None


def _total_of(node: Expr) -> Expr | None:
    return node.arg if isinstance(node, Reduce) and node.op.name == "sum" else None


def _one_and_power(node: Expr) -> Expr | None:
    """The exponent of `1 + exp(u)`."""
    if not (isinstance(node, Call) and node.op.name == "add" and b.ONE in node.args):
        return None
    one, other = node.args
    return _power(other if one is b.ONE else one)

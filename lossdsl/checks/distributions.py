"""Distributions: functions that make one of what is one already, and smoothed labels that are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.likelihoods import logits_of
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, ordered
from lossdsl.ir.expr import Along, Call, Expr, Input, Position, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.text import formula, is_onehot
from lossdsl.ir.traversal import valued
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.plain_points import plain_points
from lossdsl.oracle.points import Point, points
from lossdsl.pipeline import Program

TWICE = Row(
    "normalized-twice",
    "Softmax or sigmoid of a probability",
    "warning",
    "A function that turns logits into probabilities is taken of what is a probability already, so that it can no more "
    "come near to 0 or 1.",
    "loss mine(t: onehot, x)\np = softmax(x)\n-sum(t*log_softmax(p))",
    "loss mine(t: onehot, x)\n-sum(t*log_softmax(x))",
    "take it of the logits; of a probability take the logarithm alone",
)
UNNORMALIZED = Row(
    "unnormalized-target",
    "Smoothed labels that are no distribution",
    "warning",
    "Labels are smoothed so that those of a sample do not sum to 1 any more.",
    "loss mine(t: onehot, x; s = 0.1)\nrequire 0 <= s < 1\ny = t*(1 - s) + s\n-sum(y*log_softmax(x))",
    "loss mine(t: onehot, x; s = 0.1)\nrequire 0 <= s < 1\ny = t*(1 - s) + s/len(t)\n-sum(y*log_softmax(x))",
    "spread what is taken from the true class over all: `t*(1 - s) + s/len(t)`",
)
SMOOTHED = Row(
    "smoothed-twice",
    "Labels that are smoothed twice",
    "warning",
    "Labels that are smoothed already are smoothed once more.",
    "loss mine(t: onehot, x; s = 0.1)\nrequire 0 <= s < 1\ny = t*(1 - s) + s/len(t)\nz = y*(1 - s) + s/len(t)\n"
    "-sum(z*log_softmax(x))",
    "loss mine(t: onehot, x; s = 0.1)\nrequire 0 <= s < 1\ny = t*(1 - s) + s/len(t)\n-sum(y*log_softmax(x))",
    "smooth once; twice with s is once with 1 - (1 - s)^2",
)

ROWS = (TWICE, UNNORMALIZED, SMOOTHED)

_SURE = ("prob", "simplex", "onehot", "binary")
"""The kinds of inputs that are probabilities."""


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each function that is taken of a probability, and for labels that are smoothed amiss."""
    told: set[str] = set()
    for program in subject.programs:
        for finding in (*_twice(program), *_smoothed(program), *_of_two(program)):
            if finding.message not in told:
                told.add(finding.message)
                yield finding


def _twice(program: Program) -> Iterator[Finding]:
    loss = program.loss
    for node in walk(loss.result):
        name, arg = logits_of(node)
        if arg is None:
            continue
        if isinstance(arg, Call) and arg.op.name == "neg":
            arg = arg.args[0]
        if isinstance(node, Along) and loss.target is not None and _unscaled(arg) in loss.target.nodes:
            arg = _unscaled(arg)
        if _is_probability(arg, loss):
            text = f"`{name}` is taken of `{formula(arg, loss.names)}`, which is a probability already"
            yield TWICE.found(f"{text}{setting(loss)}", loss.spans.get(node), TWICE.remedy)


def _is_probability(node: Expr, loss: Loss) -> bool:
    if isinstance(node, Input):
        return any(part.node is node and part.domain in _SURE for spec in loss.inputs for part in spec.parts)
    return logits_of(node)[0] in ("softmax", "sigmoid")


def _unscaled(node: Expr) -> Expr:
    """What is divided or multiplied by a number, as by a temperature."""
    match node:
        case Call(op, (one, other)) if op.name in ("mul", "div") and (one.is_static or other.is_static):
            return one if other.is_static else other
    return node


# --- smoothed labels ----------------------------------------------------------------------------------------------


def _smoothed(program: Program) -> Iterator[Finding]:
    loss = program.loss
    labels = [node for node in walk(loss.result) if _is_label(node, loss)]
    if not labels:
        return
    drawn = list(points(loss, program.known, 2))
    for node in walk(loss.result):
        inner = _unsmoothed(node, drawn)
        if inner is not None and _unsmoothed(inner, drawn) in labels:
            text = f"`{formula(inner, loss.names)}` is smoothed already"
            yield SMOOTHED.found(text, loss.spans.get(node), SMOOTHED.remedy)
    for node in walk(loss.result):
        target = _beside_log_probability(node, loss)
        if target is not None and (total := _total(program, target, labels)) is not None:
            text = f"the labels `{formula(target, loss.names)}` sum to {total}, not to 1{setting(loss)}"
            yield UNNORMALIZED.found(text, loss.spans.get(target), UNNORMALIZED.remedy, "seen")


_OF_TWO = ("sigmoid", "log_sigmoid", "softplus", "log")
"""What a likelihood of two classes is made of."""


def _of_two(program: Program) -> Iterator[Finding]:
    """Labels 0 and 1 that are smoothed from one side, so that both together are more than one."""
    loss = program.loss
    target = loss.target
    if target is None or target.is_label or target.domains != ("binary",):
        return
    ops = {node.op.name for node in walk(loss.result) if isinstance(node, Call)}
    (t,), drawn = target.nodes, list(points(loss, program.known, 2))
    for node in walk(loss.result) if ops & set(_OF_TWO) else ():
        if _unsmoothed(node, drawn) is not t:
            continue
        if b.depends(b.substitute(loss.result, {node: loss.prediction.nodes[0]}), (t,)):
            continue  # a weight beside the label
        zero, one = (_numbers(b.substitute(node, {t: b.const(label)}), drawn) for label in (0, 1))
        if zero[0] > 0 and one[0] <= 1 and abs(zero[0] + one[0] - 1) > _TINY:
            text = f"the labels `{formula(node, loss.names)}` are {float(zero[0]):.6g} for 0 and {float(one[0]):.6g} "
            text += f"for 1, which is not 1 in all{setting(loss)}"
            yield UNNORMALIZED.found(text, loss.spans.get(node), _TWO, "seen")


_TWO = "move both labels to the middle: `t*(1 - s) + s/2`"
_TINY = 1e-9


def _numbers(node: Expr, drawn: Sequence[Point]) -> list[Any]:
    return [evaluate([node], one.given(mp_numbers()), mp_numbers(), one.sizes)[node].ravel()[0] for one in drawn]


def _is_label(node: Expr, loss: Loss) -> bool:
    """Whether a node is a target that is 1 at the true class and 0 elsewhere, or probabilities of the classes."""
    target = loss.target
    if target is None:
        return False
    if isinstance(node, Input):
        return any(part.node is node and part.domain in ("onehot", "simplex", "binary") for part in target.parts)
    is_number = isinstance(node, Call) and node.op.name == "truth"
    return is_number and is_onehot(node.children[0])


def _unsmoothed(node: Expr, drawn: Sequence[Point]) -> Expr | None:
    """What is smoothed by a sum `k*u + c` with k between 0 and 1 and c positive; None if a node is no such sum."""
    if not isinstance(node, Call) or node.op.name != "add":
        return None
    for product, shift in (node.args, node.args[::-1]):
        if isinstance(product, Call) and product.op.name == "mul" and not _has_inputs(shift):
            for share, inner in (product.args, product.args[::-1]):
                if not _has_inputs(share) and _has_inputs(inner) and _is_share(share, shift, drawn):
                    return inner
    return None


def _has_inputs(node: Expr) -> bool:
    return any(isinstance(part, Input) for part in valued(node))


def _is_share(share: Expr, shift: Expr, drawn: Sequence[Point]) -> bool:
    for point in drawn:
        done = evaluate([share, shift], point.given(mp_numbers()), mp_numbers(), point.sizes)
        if not all(0 < one <= 1 for one in done[share].ravel()) or not all(one >= 0 for one in done[shift].ravel()):
            return False
    return bool(drawn)


def _beside_log_probability(node: Expr, loss: Loss) -> Expr | None:
    """The factor of a logarithm of probabilities, where it is made of the target alone."""
    if not isinstance(node, Call) or node.op.name != "mul":
        return None
    for factor, other in (node.args, node.args[::-1]):
        while isinstance(factor, Call) and factor.op.name == "neg":
            factor = factor.args[0]
        if _is_log_probability(other, loss) and LAST in factor.axes and _is_of_target(factor, loss):
            return factor
    return None


def _is_log_probability(node: Expr, loss: Loss) -> bool:
    if isinstance(node, Call) and node.op.name == "log":
        return _is_distribution(node.args[0], loss)
    return isinstance(node, Along) and node.op.name == "log_softmax"


def _is_of_target(factor: Expr, loss: Loss) -> bool:
    """Whether all that varies in a factor is the target."""
    leaves = {part for part in valued(factor) if not part.children and part.axes and not isinstance(part, Position)}
    return loss.target is not None and leaves <= set(loss.target.nodes)


def _is_distribution(node: Expr, loss: Loss) -> bool:
    """Whether a node is made of probabilities that sum to 1, up to a small constant that keeps them from 0."""
    while isinstance(node, Call) and node.op.name in ("add", "max", "min"):
        inner = [arg for arg in node.args if not arg.is_static]
        if len(inner) != 1:
            return False
        node = inner[0]
    if isinstance(node, Input):
        return any(part.node is node and part.domain == "simplex" for spec in loss.inputs for part in spec.parts)
    return isinstance(node, Along) and node.op.name == "softmax"


def _total(program: Program, target: Expr, labels: Sequence[Expr]) -> str | None:
    """What smoothed labels sum to for a sample that is sure of its class, if that is not 1."""
    loss = program.loss
    label = next((one for one in labels if b.depends(target, (one,))), None)
    sure = [plain.point for plain in plain_points(loss, program.known) if "sure of one element" in plain.why]
    for point in sure or list(points(loss, program.known, 1)):
        done = evaluate([target, *labels], point.given(mp_numbers()), mp_numbers(), point.sizes)
        if label is None or done[label].shape != done[target].shape:
            return None
        place = ordered(target.axes).index(LAST)
        if all(y == 0 for y, one in zip(done[target].ravel(), done[label].ravel(), strict=True) if one == 0):
            return None  # weights, and no smoothing
        total = done[target].sum(axis=place).ravel()[0]
        if abs(total - 1) > mp_numbers().mpf(10) ** -9:
            return f"{float(total):.6g} for {point.sizes['last']} classes"
    return None

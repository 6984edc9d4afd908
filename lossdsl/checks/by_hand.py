"""A gradient that someone wrote by hand, compared with ours: `lossdsl check FILE --against "EXPR"`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from lossdsl import pipeline
from lossdsl.checks.finding import Finding, Row, Sure
from lossdsl.checks.subject import Subject
from lossdsl.checks.texts import from_error
from lossdsl.errors import LossError, LossNameError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.frontend.headers import implied_header
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Input
from lossdsl.ir.loss import Loss
from lossdsl.oracle.compare import Comparison, compared
from lossdsl.source import Source, Span
from lossdsl.transform.gradient import gradient

AGAINST = Row(
    "against",
    "Gradient written by hand differs",
    "error",
    "The gradient given with `--against` is not the derivative of the loss before its average over the last axis.",
    allowable=False,  # an `allow` would meet nothing in a check without the option
)
UNTESTED = Row(
    "untested-against",
    "Gradient written by hand not tested",
    "info",
    "No point was found at which the gradient given with `--against` could be compared.",
    allowable=False,  # an `allow` would meet nothing in a check without the option
)

ROWS = (AGAINST, UNTESTED)

_NAMED = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")


def look(subject: Subject) -> Iterator[Finding | Sure]:
    """A finding for each given gradient that is not the derivative of the loss; the others are told as sure."""
    for text in subject.against:
        for number, program in enumerate(subject.programs):
            try:
                node, given, span = _given(text, program)
            except LossError as error:
                yield from_error(error)
                break
            ours = gradient(program.loss.value, [node])[node]
            found = compared(program.loss, node, ours, given, program.known, program.loss.names)
            if found.how == "wrong":
                yield _finding(found, node, span, program.loss)
            elif found.how == "open":
                yield UNTESTED.found("no point was found at which the loss and its gradient are finite", span)
            elif number == 0:
                how = found.how if found.how == "proved" else f"tested at {found.points} points with 60 digits"
                yield Sure(f"the gradient given in {node.name} {how}")


def _given(text: str, program: pipeline.Program) -> tuple[Input, Expr, Span]:
    """The input that a text is about, the gradient that it gives, and where that stands. Raises LossError."""
    loss, (*helpers, main) = program.loss, program.file.losses
    named = _NAMED.match(text)
    start = named.end() if named is not None else 0
    source = Source(text[start:].strip(), "<against>")
    parsed = pipeline.parsed(source).losses
    formula = parsed[-1].lines[-1] if parsed[-1].lines else None
    if len(parsed) > 1 or parsed[-1].header is not None or not isinstance(formula, s.Formula):
        raise LossTypeError("a gradient is one formula", parsed[-1].span, 'write `--against "x - t"`')
    nodes = {node.name: node for spec in loss.inputs for node in spec.nodes if spec.is_real}
    name = named.group(1) if named is not None else loss.prediction.nodes[0].name
    if name not in nodes:
        raise LossNameError(
            f"there is no gradient in `{name}`", None, did_you_mean(name, nodes) or f"the inputs are {', '.join(nodes)}"
        )
    body = tuple(line for line in main.lines if isinstance(line, s.Definition | s.Require))
    header = main.header if main.header is not None else implied_header(main)
    lines = (*body, *parsed[-1].lines[:-1], s.Formula(formula.span, _kept(formula.value, loss)))
    file = replace(program.file, losses=(*helpers, replace(main, header=header, lines=lines)))
    value = pipeline.program(file, loss.settled).loss.value
    if isinstance(value, Call) and value.op.name == "where" and _is_wrapping(value.args[0], loss):
        value = value.args[1]
    value = b.number(value)
    if not value.axes <= nodes[name].axes:
        raise LossTypeError(f"a gradient in `{name}` has the axes of `{name}`", formula.span)
    return nodes[name], value, formula.span


def _kept(value: s.Node, loss: Loss) -> s.Node:
    """The expression inside a choice that looks at the prediction, for a loss of no input is refused."""
    name = loss.prediction.nodes[0].name
    (wrapping,) = pipeline.parsed(Source(f"where({name} < inf, 0, 0)")).losses[-1].lines
    assert isinstance(wrapping, s.Formula)
    assert isinstance(wrapping.value, s.Call)
    condition, _, other = wrapping.value.args
    return replace(wrapping.value, args=(condition, value, other))


def _is_wrapping(condition: Expr, loss: Loss) -> bool:
    return (
        isinstance(condition, Call)
        and condition.args[0] is loss.prediction.nodes[0]
        and isinstance(condition.args[1], Const)
        and condition.args[1].value == float("inf")
    )


def _finding(found: Comparison, node: Input, span: Span, loss: Loss) -> Finding:
    place = ", ".join(filter(None, (found.where, loss.setting)))
    where = f"where {found.condition}, " if found.condition else "in places " if found.is_partly_right else ""
    text = f"{where}this is not the gradient in `{node.name}`"
    if found.factor == -1:
        text = f"{where}the gradient in `{node.name}` has the wrong sign"
    elif found.is_average:
        text = f"{where}this is the gradient in `{node.name}` of the average over the last axis"
    elif found.factor is not None:
        text = f"{where}this is {found.factor} times the gradient in `{node.name}`"
    hint = "leave out the division by the number of elements: the loss before its average is meant"
    text += f": it is {found.given} and should be {found.right} at {place}"
    return AGAINST.found(text, span, hint if found.is_average else None, f"tested at {found.points} points")

"""What the loss does not depend on, and predictions from which nothing is learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lossdsl.analyze.analyzer import Analyzer
from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.names import below
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.frontend import syntax as s
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST
from lossdsl.ir.expr import Call, Const, Expr, Gather, Input, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind
from lossdsl.ir.text import formula
from lossdsl.ir.traversal import valued
from lossdsl.ir.verdict import place
from lossdsl.pipeline import Program
from lossdsl.source import Span
from lossdsl.transform.canonical import canonical

WITHOUT = Row(
    "no-influence",
    "Input without influence",
    "warning",
    "The loss does not depend on an input, on one of its elements, or for some targets on the prediction.",
    "loss mine(t: binary, x: prob)\n-t*log(x + 1e-7)",
    "loss mine(t: binary, x: prob)\n-t*log(x + 1e-7) - (1 - t)*log(1 - x + 1e-7)",
    "look for a term or factor that is missing; what is not meant to count is left out of the header",
)
ZERO = Row(
    "zero-gradient",
    "Gradient that is 0 everywhere",
    "warning",
    "The gradient in the prediction is 0 whatever is predicted, so that nothing is learned: rounding, comparing, "
    "counting and `stop` have the slope 0.",
    "loss mine(t: binary, x: prob)\nabs(t - where(x > 0.5, 1, 0))",
    "loss mine(t: binary, x: prob)\nabs(t - x)",
    "put something in its place that has a slope, such as `sigmoid` for a threshold or `softmax` for `argmax`",
)
DEAD = Row(
    "dead-region",
    "Predictions held where they cost",
    "warning",
    "A bound on the prediction alone holds it where the loss is not least: the slope is 0 there, and training does not "
    "come back.",
    "loss mine(t: prob, x)\n(t - clip(x, 0, 1))^2",
    "loss mine(t: prob, x)\n(t - x)^2",
    "leave the bound out, put it on the loss, or say in the header that the prediction never goes beyond it",
)

ROWS = (WITHOUT, ZERO, DEAD)


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each input without influence, and for predictions from which nothing is learned."""
    unused = [*_unused(subject), *_unfelt(subject)]
    yield from unused
    if any(node in subject.loss.prediction.nodes for node, _ in _idle(subject)):
        return
    partly = next(_for_some_targets(subject), None)
    if partly is not None:
        yield partly
    yield from _skipped(subject)
    zero = next(_zero(subject), None)
    if zero is not None:
        yield zero
        return
    dead = next(_dead(subject), None)
    if dead is not None and partly is None:
        yield dead


def _idle(subject: Subject) -> Iterator[tuple[Input, bool]]:
    """The inputs on which the loss depends under no setting, and whether each is the prediction's."""
    used = {node for program in subject.programs for node in valued(_without_settled(program))}
    for spec in subject.loss.inputs:
        yield from ((node, spec is subject.loss.prediction) for node in spec.nodes if node not in used)


def _without_settled(program: Program) -> Expr:
    """The loss without what has one value only, as `max(x, 1)` of a probability."""

    def change(node: Expr) -> Expr:
        if not isinstance(node, Call) or node.kind is not Kind.REAL or not program.known[node].is_point:
            return node
        return b.const(program.known[node].low)

    return b.mapped((program.stable,), change)[0]


def _unused(subject: Subject) -> Iterator[Finding]:
    header = subject.file.losses[-1].header
    for node, is_prediction in _idle(subject):
        if header is None and not is_prediction:
            continue  # a formula in the prediction alone has no target, and nobody declared one
        what = f"the prediction `{node.name}`" if is_prediction else f"`{node.name}`"
        span = None if header is None else _named(header, node.name)
        yield WITHOUT.found(f"{what} has no influence on the loss", span or subject.formula, WITHOUT.remedy, "proved")


def _unfelt(subject: Subject) -> Iterator[Finding]:
    """Inputs that stand in the formula, and cancel."""
    idle = {node for node, _ in _idle(subject)}
    found = [set(analyzer.unfelt) for analyzer in subject.analyzers]
    for node in (one for spec in subject.loss.inputs for one in spec.nodes):
        if node not in idle and all(node in each for each in found):
            text = f"`{node.name}` cancels, and has no influence on the loss"
            yield WITHOUT.found(text, subject.formula, WITHOUT.remedy, "tested")


def _named(header: s.Header, name: str) -> Span | None:
    words = (part for part in below(header) if isinstance(part, s.Word))
    return next((word.span for word in words if word.text == name), None)


def _for_some_targets(subject: Subject) -> Iterator[Finding]:
    for analyzer in subject.analyzers:
        for text, case in _without_influence(analyzer):
            hint = _MARGIN if case == 0 else WITHOUT.remedy
            yield WITHOUT.found(f"{text}{setting(analyzer.program.loss)}", subject.formula, hint, "proved")


def _without_influence(analyzer: Analyzer) -> Iterator[tuple[str, Any]]:
    """What has no influence where, and the first target for which that is so."""
    target, views = analyzer.program.loss.target, [case.view for case in analyzer.cases]
    if target is None:
        return
    if len(analyzer.silent) == 1:
        (case,) = analyzer.silent
        yield f"an element of the prediction has no influence where `{target.name} = {case}`", case
    flat = [view.target_case for view in views if not b.depends(canonical((view.expr,))[0], view.variables)]
    if 0 < len(flat) < len(views):
        cases = " and ".join(f"`{target.name} = {case}`" for case in flat)
        yield f"the prediction has no influence for {cases}", flat[0]


_MARGIN = "a factor `t` wants labels -1 and 1 (`t: sign`); of labels 0 and 1, look for the term with `1 - t`"


def _skipped(subject: Subject) -> Iterator[Finding]:
    """Elements between others that are read by their number, and are not read themselves."""
    for node, read in _read_by_number(subject.loss).items():
        gaps = sorted(set(range(max(read, default=0))) - read) if all(place >= 0 for place in read) else []
        if gaps:
            shown = ", ".join(f"`{node.name}[{gap}]`" for gap in gaps)
            verb = "have" if len(gaps) > 1 else "has"
            yield WITHOUT.found(f"{shown} {verb} no influence on the loss", subject.formula, WITHOUT.remedy, "proved")


def _read_by_number(loss: Loss) -> dict[Input, set[int]]:
    """The numbers of the elements that are read of a prediction; of none if it is read in other ways as well."""
    reads: dict[Input, set[int]] = {node: set() for node in loss.prediction.nodes}
    for node in walk(loss.result):
        for child in node.children:
            if isinstance(child, Input) and child in reads:
                if not isinstance(node, Gather) or node.axis != LAST or not isinstance(node.index, Const):
                    return {}
                reads[child].add(int(node.index.value))
    return reads


def _zero(subject: Subject) -> Iterator[Finding]:
    slopes = [program.gradients.get(program.loss.prediction, (b.ONE,)) for program in subject.programs]
    if all(expr is b.ZERO for exprs in slopes for expr in exprs):
        yield ZERO.found("the gradient in the prediction is 0 everywhere", subject.formula, ZERO.remedy, "proved")


def _dead(subject: Subject) -> Iterator[Finding]:
    for analyzer in subject.analyzers:
        loss, held = analyzer.program.loss, analyzer.held
        if held is not None:
            text = f"`{formula(held.node, loss.names)}` holds the prediction at {place(held.at)}: the slope is 0 there"
            text += f", though the loss is less elsewhere{setting(loss)}"
            span = loss.spans.get(held.node) or subject.formula
            yield DEAD.found(text, span, DEAD.remedy, f"refuted at {place(held.at)}")

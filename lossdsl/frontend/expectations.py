"""What an author promises of a loss: `expect` lines, and the numbers of `example` lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from lossdsl.errors import LossNameError, LossParameterError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.frontend.headers import constant
from lossdsl.ir.expr import Const, Flag
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import EXPECTED, Example, Expectation, ParameterSpec, Written
from lossdsl.source import Span


def expectations(span: Span, text: str) -> list[Expectation]:
    """The properties of an `expect` line, each with its place."""
    found = []
    at = span.text.find(text)
    for part in text.split(","):
        name = part.strip()
        start = span.start + at + len(part) - len(part.lstrip())
        place = Span(span.source, start, max(start + len(name), start + 1))
        words = " ".join(name.split())
        if words not in EXPECTED:
            raise LossNameError(
                f"`{name}` is no property" if name else "a property is missing",
                place,
                did_you_mean(words, EXPECTED) or f"one of: {', '.join(EXPECTED)}",
            )
        found.append(Expectation(words, place))
        at += len(part) + 1
    return found


def written(node: s.Node) -> object:
    """Numbers of an example with the digits that were written: nested lists of Written, or a truth value."""
    if isinstance(node, s.ListValue):
        return [written(element) for element in node.elements]
    if isinstance(node, s.Number):
        return Written(node.value, node.unit)
    if isinstance(node, s.Unary) and node.op in "+-":
        inner = written(node.operand)
        if isinstance(inner, Written):
            return replace(inner, value=-inner.value if node.op == "-" else inner.value)
    value = constant(node)
    if isinstance(value, Flag):
        return value.value
    if isinstance(value, Const):
        return Written(value.value, Fraction(0))
    raise LossTypeError("an example holds plain numbers and lists of them", node.span)


def example(line: s.Example, inputs: Sequence[InputSpec], parameters: Sequence[ParameterSpec]) -> Example:
    """A worked value. Raises LossError for names that are not those of inputs and parameters."""
    known = [spec.identifier for spec in inputs] + [spec.name for spec in parameters]
    bindings: dict[str, object] = {}
    for word, node in line.bindings:
        if word.text not in known:
            raise LossNameError(
                f"`{word.text}` is no input or parameter",
                word.span,
                did_you_mean(word.text, known) or f"there are {', '.join(known)}",
            )
        if word.text in bindings:
            raise LossNameError(f"`{word.text}` has a value already", word.span)
        bindings[word.text] = written(node)
    missing = [spec.identifier for spec in inputs if spec.identifier not in bindings]
    missing += [p.name for p in parameters if p.default is None and p.name not in bindings]
    if missing:
        hint = f"as in `example …, {missing[0]}=[1] -> …`"
        raise LossParameterError(f"the example gives no value to {', '.join(missing)}", line.span, hint)
    return Example(bindings, written(line.expected), line.span)

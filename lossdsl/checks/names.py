"""Names that nothing uses, read off the syntax tree."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.subject import Subject
from lossdsl.frontend import syntax as s
from lossdsl.frontend.scope import WORDS

DEFINITION = Row(
    "unused-definition",
    "Definition without use",
    "warning",
    "A name is defined, and nothing that follows uses it.",
    "e = t - x\nu = t + x\ne^2",
    "e = t - x\ne^2",
    "remove the definition, or use it",
)
PARAMETER = Row(
    "unused-parameter",
    "Parameter without use",
    "warning",
    "A parameter of the header has no influence on the loss.",
    "loss mine(t, x; a = 1.0, b = 2.0)\na*(t - x)^2",
    "loss mine(t, x; a = 1.0)\na*(t - x)^2",
    "remove the parameter, or use it",
)
INDEX = Row(
    "unused-index",
    "Index without use",
    "warning",
    "An index is bound, and what it runs over does not depend on it: the same value is taken many times.",
    "sum[j in batch]((t - x)^2)",
    "sum[j in batch]((t - x[j])^2)",
    "write `x[j]` where the element at the index is meant, or remove the index",
)

ROWS = (DEFINITION, PARAMETER, INDEX)


def look(subject: Subject) -> Iterator[Finding]:
    """Definitions, parameters and indices without use, loss by loss, in order of their places."""
    for loss in subject.file.losses:
        found = [*_definitions(loss), *_parameters(loss), *_indices(loss)]
        yield from sorted(found, key=lambda one: one.span.start if one.span else 0)


def _definitions(loss: s.LossText) -> Iterator[Finding]:
    lines = [line for line in loss.lines if isinstance(line, s.Definition | s.Formula)]
    for number, line in enumerate(lines):
        if not isinstance(line, s.Definition):
            continue
        word = _defined(line.left)
        if word is not None and not any(word.text in _mentioned(_value(after)) for after in lines[number + 1 :]):
            yield DEFINITION.found(f"nothing uses `{word.text}`", word.span, "remove it, or use it")


def _defined(left: s.Node) -> s.Word | None:
    while isinstance(left, s.Subscript):
        left = left.target
    if isinstance(left, s.Name):
        return s.Word(left.span, left.text)
    return left.function if isinstance(left, s.Call) else None


def _value(line: s.Definition | s.Formula) -> s.Node:
    return line.right if isinstance(line, s.Definition) else line.value


def _parameters(loss: s.LossText) -> Iterator[Finding]:
    if loss.header is None:
        return
    used: set[str] = set()
    for line in loss.lines:
        if isinstance(line, s.Definition | s.Formula):
            used |= _mentioned(_value(line))
    for parameter in loss.header.parameters:
        if parameter.name.text not in used:
            text = f"the parameter `{parameter.name.text}` has no influence on the loss"
            yield PARAMETER.found(text, parameter.name.span, "remove it, or use it")


def _indices(loss: s.LossText) -> Iterator[Finding]:
    for line in loss.lines:
        if not isinstance(line, s.Definition | s.Formula):
            continue
        for node in below(line):
            if isinstance(node, s.Aggregate):
                used = set[str]().union(*map(_mentioned, node.args))
                if node.condition is not None:
                    used |= _mentioned(node.condition)
                yield from _unbound(node.items, used)
        if isinstance(line, s.Definition) and isinstance(line.left, s.Subscript):
            yield from _unbound(line.left.items, _mentioned(line.right))


def _unbound(items: tuple[s.Item, ...], used: set[str]) -> Iterator[Finding]:
    for item in items:
        if isinstance(item, s.Bound):
            word = item.name
        elif isinstance(item, s.At) and isinstance(item.value, s.Name) and item.value.text not in WORDS:
            word = s.Word(item.value.span, item.value.text)
        else:
            continue
        if word.text not in used:
            text = f"nothing under it depends on the index `{word.text}`"
            yield INDEX.found(text, word.span, f"write `…[{word.text}]` where it is meant, or remove it")


def _mentioned(node: s.Node) -> set[str]:
    """The names that an expression reads, and the functions that it calls."""
    found: set[str] = set()
    for part in below(node):
        if isinstance(part, s.Name):
            found.add(part.text)
        elif isinstance(part, s.Call):
            found.add(part.function.text)
    return found


def below(node: object) -> Iterator[s.Node]:
    """Every node of a tree, itself included; without recursion, for trees may be deep."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, s.Node):
            yield part
            stack.extend(getattr(part, name) for name in part.__dataclass_fields__ if name != "span")
        elif isinstance(part, tuple):
            stack.extend(part)

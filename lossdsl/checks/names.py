"""Names that nothing uses and names that hide others, read off the syntax tree."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping

from lossdsl import catalog
from lossdsl.checks.finding import Edit, Finding, Row, without_line
from lossdsl.checks.subject import Subject
from lossdsl.frontend import syntax as s
from lossdsl.frontend.named_places import places_of, with_places
from lossdsl.frontend.scripts import DIRECTIONS, confusion
from lossdsl.ir.ops import function_names
from lossdsl.source import Source, Span

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
    "loss mine(t, x; a = 1.0)\nrequire a > 0\na*(t - x)^2",
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

SHADOWED = Row(
    "shadowed-name",
    "Name that hides another",
    "warning",
    "An argument of a local function, an index, or a local function hides something else of that name.",
    "f(x) = x^2\nf(t - x)",
    "f(u) = u^2\nf(t - x)",
)

CONFUSABLE = Row(
    "confusable-name",
    "Name that looks like another",
    "warning",
    "A name mixes scripts, or is made of letters of another script that look like Latin ones: a reader takes it for "
    "another name.",
    "loss mine(t, x)\nх = t - x\nх^2",
    "loss mine(t, x)\ne = t - x\ne^2",
    "write the name on a Latin keyboard",
)
HIDDEN = Row(
    "hidden-direction",
    "Character that turns the text around",
    "warning",
    "A comment or documentation holds a character, unseen itself, that changes the direction in which the text is "
    "shown: what is read is not what is compiled.",
    "loss mine(t, x)\n(t - x)^2  # \u202eerauqs",
    "loss mine(t, x)\n(t - x)^2  # square",
    "remove the character",
)

ROWS = (DEFINITION, PARAMETER, INDEX, SHADOWED, CONFUSABLE, HIDDEN)


def look(subject: Subject) -> Iterator[Finding]:
    """Names without use and names that hide others, loss by loss, in order of their places."""
    for loss in subject.file.losses:
        found = [*_definitions(loss), *_parameters(loss), *_indices(loss), *_shadowing(loss)]
        found += _confusable(loss)
        yield from sorted(found, key=lambda one: one.span.start if one.span else 0)
    yield from _hidden(subject.file.source)


def _definitions(loss: s.LossText) -> Iterator[Finding]:
    lines = [line for line in loss.lines if isinstance(line, s.Definition | s.Formula)]
    for number, line in enumerate(lines):
        if not isinstance(line, s.Definition):
            continue
        word = _defined(line.left)
        if word is not None and not any(word.text in _mentioned(_value(after)) for after in lines[number + 1 :]):
            fix = without_line(line.span)
            yield DEFINITION.found(f"nothing uses `{word.text}`", word.span, "remove it, or use it", fix=fix)


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
    words = with_places(places_of(loss))
    for line in loss.lines:
        if not isinstance(line, s.Definition | s.Formula):
            continue
        for node in below(line):
            if isinstance(node, s.Aggregate):
                used = set[str]().union(*map(_mentioned, node.args))
                if node.condition is not None:
                    used |= _mentioned(node.condition)
                yield from _unbound(node.items, used, words)
        if isinstance(line, s.Definition) and isinstance(line.left, s.Subscript):
            yield from _unbound(line.left.items, _mentioned(line.right), words)


def _unbound(items: tuple[s.Item, ...], used: set[str], words: Collection[str]) -> Iterator[Finding]:
    for item in items:
        word = _index(item, words)
        if word is not None and word.text not in used:
            text = f"nothing under it depends on the index `{word.text}`"
            yield INDEX.found(text, word.span, f"write `…[{word.text}]` where it is meant, or remove it")


def _index(item: s.Item, words: Collection[str]) -> s.Word | None:
    """The index that an item in square brackets binds, where `words` name axes."""
    if isinstance(item, s.Bound | s.Ranged):
        return item.name
    if isinstance(item, s.At) and isinstance(item.value, s.Name) and item.value.text not in words:
        return s.Word(item.value.span, item.value.text)
    return None


def _bound_in(node: s.Aggregate, words: Collection[str]) -> dict[str, s.Word]:
    """The indices that an aggregate binds, by name."""
    found = (_index(item, words) for item in node.items)
    return {str(word.text): word for word in found if word is not None}


def _declared(header: s.Header) -> dict[str, str]:
    """What the names of a header are."""
    found = {str(word.text): "input" for one in header.inputs for word in one.names}
    return {**found, **{str(one.name.text): "parameter" for one in header.parameters}}


def _shadowing(loss: s.LossText) -> Iterator[Finding]:
    """Arguments, functions and indices that are called like something else in reach.

    All else that would hide a name is an error already, and is told by the resolver. That a helper loss is called like
    a built-in one is no finding: it has a header of its own, and whoever writes it means it.
    """
    header = loss.header
    reach = dict.fromkeys(("t", "x"), "input") if header is None else _declared(header)
    for line in loss.lines:
        if isinstance(line, s.Definition | s.Formula):
            yield from _nested(_value(line), with_places(places_of(loss)))
        left = line.left if isinstance(line, s.Definition) else None
        if isinstance(left, s.Call):
            yield from _hidden_by_function(left, reach)
        word = None if left is None else _defined(left)
        if word is not None:
            reach.setdefault(word.text, "function" if isinstance(left, s.Call) else "definition")


def _hidden_by_function(left: s.Call, reach: Mapping[str, str]) -> Iterator[Finding]:
    """What a local function and its arguments are called like."""
    if left.function.text in catalog.names():
        yield _hides(left.function, "function", "built-in loss")
    for arg in left.args:
        if isinstance(arg, s.Name):
            what = "function of the language" if arg.text in function_names() else reach.get(arg.text)
            if what is not None:
                yield _hides(s.Word(arg.span, arg.text), "argument", what)


def _nested(node: s.Node, words: Collection[str]) -> Iterator[Finding]:
    """Indices that are called like one around them."""
    stack: list[tuple[object, frozenset[str]]] = [(node, frozenset())]
    while stack:
        part, around = stack.pop()
        if isinstance(part, tuple):
            stack.extend((one, around) for one in part)
        elif isinstance(part, s.Node):
            bound = _bound_in(part, words) if isinstance(part, s.Aggregate) else {}
            yield from (_hides(bound[text], "index", "index around it") for text in bound if text in around)
            inner = around.union(bound)
            stack.extend((getattr(part, name), inner) for name in part.__dataclass_fields__ if name != "span")


def _confusable(loss: s.LossText) -> Iterator[Finding]:
    """Names that are not what they look like, each where it stands first."""
    first: dict[str, Span] = {}
    for node in below((loss.header, loss.lines)):
        if isinstance(node, s.Name | s.Word) and not node.text.isascii():
            place = first.setdefault(node.text, node.span)
            first[node.text] = min(place, node.span, key=lambda span: span.start)
    for text, span in first.items():
        if (what := confusion(text)) is not None:
            yield CONFUSABLE.found(f"the name `{text}` {what}", span, "write it on a Latin keyboard")


def _hidden(source: Source) -> Iterator[Finding]:
    """Characters in comments and documentation that change the direction of the text; elsewhere none can stand."""
    for place, char in enumerate(source.text):
        if char in DIRECTIONS:
            span = Span(source, place, place + 1)
            message = f"U+{ord(char):04X} ({unicodedata.name(char).lower()}) changes the direction of the text"
            yield HIDDEN.found(message, span, "remove it", fix=(Edit(span),))


def _hides(word: s.Word, kind: str, what: str) -> Finding:
    return SHADOWED.found(f"the {kind} `{word.text}` hides the {what} `{word.text}`", word.span, "give it another name")


def _mentioned(node: s.Node) -> set[str]:
    """The names that an expression reads, and the functions that it calls."""
    found: set[str] = set()
    for part in below(node):
        if isinstance(part, s.Name):
            found.add(part.text)
        elif isinstance(part, s.Call):
            found.add(part.function.text)
        elif isinstance(part, s.Subscript):  # `x[a in batch]` reads a
            found |= {item.name.text for item in part.items if isinstance(item, s.Bound)}
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

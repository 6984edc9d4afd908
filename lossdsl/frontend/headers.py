"""Headers of losses: inputs, parameters and their defaults; and the header that a bare formula implies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lossdsl.errors import LossLimitError, LossNameError, LossTypeError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.expressions import MAX_DEPTH, Resolver
from lossdsl.frontend.foreign import constant_hint, kind_hint
from lossdsl.frontend.packed_parts import has_lengths, part_domains
from lossdsl.frontend.scope import RESERVED, Scope
from lossdsl.ir import build as b
from lossdsl.ir.axes import Axis
from lossdsl.ir.expr import Const, Expr, Flag, Input
from lossdsl.ir.inputs import DOMAINS, LABELS, LAYOUTS, MIXED, InputSpec, layout_axes
from lossdsl.ir.loss import Default, ParameterSpec
from lossdsl.ir.ops import function_names
from lossdsl.source import Span

PARAMETER_KINDS = ("bool", "int", "vector", "matrix", "real")


def implied_header(loss: s.LossText) -> s.Header:
    """The header of a bare formula: inputs t and x, and a parameter for every other free name, in order."""
    defined: set[str] = set()
    free: dict[str, Span] = {}
    for line in loss.lines:
        if isinstance(line, s.Definition):
            _free_names(line.right, defined | _bound_names(line.left), free)
            left = line.left
            while isinstance(left, s.Subscript):
                left = left.target
            if isinstance(left, s.Name):
                defined.add(left.text)
            elif isinstance(left, s.Call):
                defined.add(left.function.text)
        elif isinstance(line, s.Formula):
            _free_names(line.value, defined, free)
        elif isinstance(line, s.Require):
            _free_names(line.condition, defined, free)
    start = Span(loss.span.source, loss.span.start, loss.span.start)
    parameters = tuple(s.ParameterDecl(span, s.Word(span, name), (), None) for name, span in free.items())
    inputs = tuple(s.InputDecl(start, (s.Word(start, name),), ()) for name in ("t", "x"))
    return s.Header(start, s.Word(start, "loss"), inputs, parameters)


def _bound_names(left: s.Node) -> set[str]:
    if isinstance(left, s.Call):
        return {arg.text for arg in left.args if isinstance(arg, s.Name)}
    if isinstance(left, s.Subscript):
        return _indices(left.items)
    return set()


def _indices(items: tuple[s.Item, ...]) -> set[str]:
    found = {item.value.text for item in items if isinstance(item, s.At) and isinstance(item.value, s.Name)}
    return found | {item.name.text for item in items if isinstance(item, s.Bound | s.Ranged)}


def _free_names(node: s.Node | None, bound: set[str], found: dict[str, Span], depth: int = 0) -> None:
    if node is None or depth > MAX_DEPTH:
        return
    if isinstance(node, s.Name) and node.text not in bound | {"t", "x"} and node.text not in function_names():
        found.setdefault(node.text, node.span)
    for part, inner in _parts(node, bound):
        _free_names(part, inner, found, depth + 1)


def _parts(node: s.Node, bound: set[str]) -> Iterator[tuple[s.Node | None, set[str]]]:
    """The parts of an expression, each with the names that are bound in it."""
    parts: list[s.Node | None] = []
    match node:
        case s.Unary(_, _, operand):
            parts = [operand]
        case s.Chain(_, first, rest):
            parts = [first, *(operand for _, operand in rest)]
        case s.Power(_, base, exponent):
            parts = [base, exponent]
        case s.Call(_, _, args, keywords):
            parts = [*args, *(value for _, value in keywords)]
        case s.Cases(_, pieces, otherwise):
            parts = [*(part for piece in pieces for part in piece), otherwise]
        case s.Aggregate(_, _, items, condition, args):
            inner = bound | _indices(items)
            yield from ((end, bound) for item in items if isinstance(item, s.Ranged) for end in _read(item))
            yield from ((part, inner) for part in (condition, *args))
        case s.Subscript(_, target, items, condition):
            parts = [target, *(part for item in items for part in _read(item)), condition]
    yield from ((part, bound) for part in parts)


def _read(item: s.Item) -> tuple[s.Node | None, ...]:
    """What is read in an item in square brackets; a name there is an index."""
    match item:
        case s.Range() | s.Ranged():
            return item.start, item.stop
        case s.At(_, value) if not isinstance(value, s.Name):
            return (value,)
        case s.Placed(_, value, _):
            return (value,)
    return ()


def _kinds(words: Sequence[s.Word]) -> tuple[str, str]:
    """The domain and the layout that words name, one of which may be two words in any order."""
    domain, layout, known = "real", "", [*DOMAINS, *LAYOUTS]
    for word in words:
        layouts = [each for each in (f"{layout} {word.text}", f"{word.text} {layout}", word.text) if each in LAYOUTS]
        if word.text in DOMAINS:
            domain = word.text
        elif layouts:
            layout = layouts[0]
        else:
            hint = kind_hint(word.text, known, of_input=True) or f"one of {', '.join(known)}"
            raise LossNameError(f"`{word.text}` is not a kind of input", word.span, hint)
    return domain, layout


def input_spec(declaration: s.InputDecl, places: tuple[Axis, ...] = ()) -> InputSpec:
    """What a declaration says of an input. Parts that have lengths come later: `packed_parts`."""
    domain, layout = _kinds(declaration.kinds)
    if len(declaration.names) > 1 and layout:
        raise LossTypeError("a packed input keeps batch and last axis", declaration.span, f"remove `{layout}`")
    over = layout_axes(layout, places)
    nodes = tuple(Input(word.text, over, layout in LABELS) for word in declaration.names)
    stated = tuple("" if one is None else one.text for one in declaration.lengths) if has_lengths(declaration) else ()
    kinds = part_domains(declaration, domain)
    if len(set(kinds)) > 1:
        domain = MIXED
    elif kinds:
        domain = kinds[0]
    return InputSpec(nodes, domain, layout, places, kinds if len(nodes) > 1 else (), stated=stated)


def parameter_spec(declaration: s.ParameterDecl) -> ParameterSpec:
    kind = "real"
    for word in declaration.kinds:
        if word.text not in PARAMETER_KINDS:
            raise LossNameError(
                f"`{word.text}` is not a kind of parameter",
                word.span,
                kind_hint(word.text, PARAMETER_KINDS, of_input=False) or f"one of {', '.join(PARAMETER_KINDS)}",
            )
        kind = word.text
    if declaration.name.text in RESERVED:
        raise LossNameError(
            f"`{declaration.name.text}` is an option of `compile`",
            declaration.name.span,
            "give the parameter another name",
        )
    default = None if declaration.default is None else _default(declaration, kind)
    return ParameterSpec(declaration.name.text, kind, default, declaration.span)


def _default(declaration: s.ParameterDecl, kind: str) -> Default:
    node = declaration.default
    assert node is not None
    if isinstance(node, s.ListValue):
        return _several(declaration, node, kind)
    value = constant(node)
    if kind == "bool":
        if not isinstance(value, Flag):
            hint = "declare it without `bool` if a number is meant"
            raise LossTypeError(f"the default of `{declaration.name.text}` is `true` or `false`", node.span, hint)
        return value.value
    exact = b.exact(value)
    if isinstance(value, Flag) or not isinstance(value, Const):
        raise LossTypeError("a default is a number", node.span, "a truth value is declared `name: bool = true`")
    if kind == "int":
        if exact is None or exact.denominator != 1:
            hint = "declare it without `int` if fractions are meant"
            raise LossTypeError(f"the default of `{declaration.name.text}` is a whole number", node.span, hint)
        return int(exact)
    return _real(value, declaration, node)


def _several(declaration: s.ParameterDecl, node: s.ListValue, kind: str) -> tuple[Any, ...]:
    """The numbers of a vector, or the rows of a matrix."""
    name = declaration.name.text
    if kind not in ("vector", "matrix"):
        raise LossTypeError(f"the default of `{name}` is one number", node.span, f"declare it `{name}: vector`")
    if not node.elements:
        raise LossTypeError(f"the default of `{name}` has no elements", node.span, "as in `[1, 2, 3]`")
    if kind == "vector":
        return tuple(_element(declaration, each) for each in node.elements)
    rows = [each for each in node.elements if isinstance(each, s.ListValue) and each.elements]
    if len(rows) < len(node.elements) or len({len(row.elements) for row in rows}) > 1:
        hint = "as in `[[1, 2], [3, 4]]`"
        raise LossTypeError(f"the default of `{name}` is rows of numbers, of one length", node.span, hint)
    return tuple(tuple(_element(declaration, each) for each in row.elements) for row in rows)


def _element(declaration: s.ParameterDecl, node: s.Node) -> float:
    name = declaration.name.text
    if isinstance(node, s.ListValue):
        raise LossTypeError(f"the default of `{name}` holds a list where a number belongs", node.span)
    value = constant(node)
    if isinstance(value, Flag) or not isinstance(value, Const):
        raise LossTypeError(f"the default of `{name}` holds numbers", node.span, "as in `[1, 2, 3]`")
    return _real(value, declaration, node)


def _real(value: Const, declaration: s.ParameterDecl, node: s.Node) -> float:
    try:
        return float(value.value)
    except OverflowError:
        raise LossLimitError(f"the default of `{declaration.name.text}` is too large", node.span) from None


def constant(node: s.Node) -> Expr:
    """The value of an expression without names."""

    def nothing(axis: Axis, span: Span) -> Expr:
        raise LossTypeError("only plain numbers can stand here", span)

    def no_loss(resolver: Resolver, call: s.Call, scope: Scope) -> Expr | None:
        return None

    try:
        return Resolver(nothing, no_loss).resolve(node, Scope())
    except LossNameError as error:
        word = error.span.text if error.span is not None else ""
        hint = constant_hint(word) or "only plain numbers can stand here"
        raise LossNameError(error.message, error.span, hint) from None

"""The tree that lark hands out, as nodes of `syntax`: a method for each rule of `grammars/lossdsl.lark`."""

from __future__ import annotations

import math
import sys
import textwrap
from dataclasses import replace
from fractions import Fraction
from typing import Any

from lark import Token, v_args
from lark.visitors import Transformer_NonRecursive

from lossdsl.errors import LossLimitError, LossSyntaxError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.foreign import character_hint, off_line_hint
from lossdsl.frontend.notations import better
from lossdsl.ir.inputs import DOMAINS
from lossdsl.source import Source, Span, normal_name

_WORDS = ("loss", "require", "expect", "allow", "example", "if", "in", "and", "or", "not", "self", "true", "false",
          "cases", "else")
MAX_EXPONENT = 4000
MAX_DIGITS = 1000
_RANGE = "numbers lie between 5e-324 and 1.8e308; infinity is `inf`"
LARGEST = Fraction(sys.float_info.max)
LEAST = Fraction(math.ulp(0.0))


class TreeBuilder(Transformer_NonRecursive[Token, Any]):
    """Lark's tree as nodes of `syntax`."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def _span(self, meta: Any) -> Span:
        return Span(self.source, meta.start_pos, meta.end_pos)

    def _word(self, token: Token) -> s.Word:
        span = Span(self.source, token.start_pos or 0, token.end_pos or 0)
        return s.Word(span, normal_name(str(token)) if token.type == "NAME" else str(token))

    def _name(self, token: Token) -> s.Word:
        """A word that is chosen freely, in the form that names have."""
        word = self._word(token)
        if (hint := off_line_hint(str(token))) is not None:
            raise LossSyntaxError(f"`{token}` is no name", word.span, hint)
        if not str(token).isidentifier():
            hint = f"a name has letters, digits and `_`, as in `{word.text}`; an element is written `x[1]`"
            raise LossSyntaxError(f"`{token}` is no name", word.span, hint)
        if word.text in _WORDS:
            text = f"`{token}` is a word of the language: `{word.text}`"
            raise LossSyntaxError(text, word.span, "choose another name")
        return word

    # --- lines

    def start(self, lines: list[s.Node]) -> list[s.Node]:
        return lines

    @v_args(meta=True)
    def docstring(self, meta: Any, children: list[Any]) -> s.Node:
        first, *rest = str(children[0])[3:-3].split("\n")
        return s.Docstring(self._span(meta), f"{first.strip()}\n{textwrap.dedent(chr(10).join(rest))}".strip())

    @v_args(meta=True)
    def use(self, meta: Any, children: list[Token]) -> s.Node:
        return s.Use(self._span(meta), str(children[1])[1:-1])

    @v_args(meta=True)
    def header(self, meta: Any, children: list[Any]) -> s.Node:
        name, inputs, parameters = children
        return s.Header(self._span(meta), self._name(name), tuple(inputs), tuple(parameters or ()))

    def inputs(self, children: list[s.InputDecl]) -> list[s.InputDecl]:
        return children

    def parameters(self, children: list[s.ParameterDecl]) -> list[s.ParameterDecl]:
        return children

    def kinds(self, children: list[Token]) -> tuple[s.Word, ...]:
        return tuple(map(self._word, children))

    @v_args(meta=True)
    def input(self, meta: Any, children: list[Any]) -> s.InputDecl:
        name, kinds = children
        return s.InputDecl(self._span(meta), (self._name(name),), kinds or ())

    @v_args(meta=True)
    def packed(self, meta: Any, children: list[Any]) -> s.InputDecl:
        *parts, kinds = children
        names, lengths, part_kinds = zip(*parts, strict=True)
        return s.InputDecl(self._span(meta), names, kinds or (), lengths, part_kinds)

    def part(self, children: list[Any]) -> tuple[s.Word, s.Word | None, tuple[s.Word, ...]]:
        name, *said = children
        words = tuple(map(self._word, filter(None, said)))
        has_length = bool(words) and words[0].text not in DOMAINS
        return self._name(name), words[0] if has_length else None, words[has_length:]

    @v_args(meta=True)
    def parameter(self, meta: Any, children: list[Any]) -> s.ParameterDecl:
        name, kinds, default = children
        return s.ParameterDecl(self._span(meta), self._name(name), kinds or (), default)

    @v_args(meta=True)
    def places(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Places(self._span(meta), tuple(map(self._name, children[1:])))

    @v_args(meta=True)
    def require(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Require(self._span(meta), children[0])

    @v_args(meta=True)
    def expect(self, meta: Any, children: list[Any]) -> s.Node:
        text = str(children[0]).rstrip()
        span = self._span(meta)
        return s.Expect(Span(span.source, span.start, span.start + len(text)), text.removeprefix("expect").strip())

    @v_args(meta=True)
    def allow(self, meta: Any, children: list[Token]) -> s.Node:
        _, finding, quoted = children
        reason = str(quoted)[1:-1].strip()
        if not reason:
            raise LossSyntaxError("the reason is empty", self._word(quoted).span, "say why the finding may stay")
        return s.Allow(self._span(meta), self._word(finding), reason)

    @v_args(meta=True)
    def example(self, meta: Any, children: list[Any]) -> s.Node:
        _, *bindings, expected = children
        return s.Example(self._span(meta), tuple(bindings), expected)

    def binding(self, children: list[Any]) -> tuple[s.Word, s.Node]:
        return self._word(children[0]), children[1]

    def packed_binding(self, children: list[Any]) -> tuple[s.Word, s.Node]:
        *names, value = children
        words = [self._word(name) for name in names]
        return s.Word(words[0].span | words[-1].span, "_".join(word.text for word in words)), value

    @v_args(meta=True)
    def definition(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Definition(self._span(meta), *children)

    @v_args(meta=True)
    def formula(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Formula(self._span(meta), children[0])

    # --- expressions

    @v_args(meta=True)
    def list_value(self, meta: Any, children: list[Any]) -> s.Node:
        return s.ListValue(self._span(meta), tuple(child for child in children if child is not None))

    def _chain(self, meta: Any, children: list[Any]) -> s.Node:
        pairs = zip(children[1::2], children[2::2], strict=True)
        return s.Chain(self._span(meta), children[0], tuple((str(op), operand) for op, operand in pairs))

    comparison = sum = product = v_args(meta=True)(_chain)

    @v_args(meta=True)
    def either(self, meta: Any, children: list[s.Node]) -> s.Node:
        return s.Chain(self._span(meta), children[0], tuple(("or", child) for child in children[1:]))

    @v_args(meta=True)
    def both(self, meta: Any, children: list[s.Node]) -> s.Node:
        return s.Chain(self._span(meta), children[0], tuple(("and", child) for child in children[1:]))

    @v_args(meta=True)
    def not_(self, meta: Any, children: list[s.Node]) -> s.Node:
        return s.Unary(self._span(meta), "not", children[0])

    @v_args(meta=True)
    def signed(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Unary(self._span(meta), str(children[0]), children[1])

    @v_args(meta=True)
    def raised(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Power(self._span(meta), children[0], children[2])

    @v_args(meta=True)
    def subscript(self, meta: Any, children: list[Any]) -> s.Node:
        target, items, condition = children
        return s.Subscript(self._span(meta), target, tuple(items), condition)

    @v_args(meta=True)
    def aggregate(self, meta: Any, children: list[Any]) -> s.Node:
        target, items, condition, args = children
        return s.Aggregate(self._span(meta), target, tuple(items), condition, tuple(args))

    @v_args(meta=True)
    def number(self, meta: Any, children: list[Token]) -> s.Node:
        return _number(str(children[0]), self._span(meta))

    @v_args(meta=True)
    def name(self, meta: Any, children: list[Token]) -> s.Node:
        return s.Name(self._span(meta), self._name(children[0]).text)

    @v_args(meta=True)
    def self_(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Self(self._span(meta))

    @v_args(meta=True)
    def true(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Truth(self._span(meta), True)

    @v_args(meta=True)
    def false(self, meta: Any, children: list[Any]) -> s.Node:
        return s.Truth(self._span(meta), False)

    @v_args(meta=True)
    def group(self, meta: Any, children: list[Any]) -> s.Node:
        inner: s.Node = children[0]
        return replace(inner, span=self._span(meta))

    @v_args(meta=True)
    def call(self, meta: Any, children: list[Any]) -> s.Node:
        name, args, keywords = children
        return s.Call(self._span(meta), self._name(name), tuple(args or ()), tuple(keywords or ()))

    @v_args(meta=True)
    def cases(self, meta: Any, children: list[Any]) -> s.Node:
        *pieces, otherwise = children
        return s.Cases(self._span(meta), tuple(pieces), otherwise)

    def piece(self, children: list[s.Node]) -> tuple[s.Node, s.Node]:
        return children[0], children[1]

    def arguments(self, children: list[s.Node]) -> list[s.Node]:
        return children

    def keywords(self, children: list[Any]) -> list[Any]:
        return children

    def keyword(self, children: list[Any]) -> tuple[s.Word, s.Node]:
        return self._word(children[0]), children[1]

    def items(self, children: list[s.Item]) -> list[s.Item]:
        return children

    @v_args(meta=True)
    def at(self, meta: Any, children: list[s.Node]) -> s.Item:
        return s.At(children[0].span, children[0])

    @v_args(meta=True)
    def bound(self, meta: Any, children: list[s.Node]) -> s.Item:
        value, domain = children
        if not isinstance(domain, s.Name):
            hint = "as in `j in batch`, `argmax(t) in row`, or over numbers `k in 0:3`"
            error = LossSyntaxError("behind `in` stands the name of an axis", domain.span, hint)
            raise better(error, self.source, domain.span.end)
        axis = s.Word(domain.span, domain.text)
        if isinstance(value, s.Name):
            return s.Bound(self._span(meta), s.Word(value.span, value.text), axis)
        return s.Placed(self._span(meta), value, axis)

    @v_args(meta=True)
    def ranged(self, meta: Any, children: list[s.Node]) -> s.Item:
        name, start, stop = children
        if not isinstance(name, s.Name):
            raise LossSyntaxError("a new index has a name", name.span, "as in `k in 0:3`")
        return s.Ranged(self._span(meta), s.Word(name.span, name.text), start, stop)

    @v_args(meta=True)
    def range(self, meta: Any, children: list[Any]) -> s.Item:
        return s.Range(self._span(meta), children[0], children[1])


def _number(text: str, span: Span) -> s.Number:
    """A number as it is written, exactly, with the size of its last decimal."""
    if not text.isascii():
        hint = character_hint(text[0])
        raise LossSyntaxError(f"`{text}` is not a number", span, hint or "write digits as `0` to `9`")
    digits, _, exponent = text.lower().partition("e")
    if len(digits) > MAX_DIGITS:
        hint = "a floating-point number keeps 17 of them; write a size as in `1e9`"
        raise LossLimitError(f"the number has {len(digits)} characters; at most {MAX_DIGITS} are read", span, hint)
    if len(exponent) > MAX_DIGITS or (exponent and abs(int(exponent)) > MAX_EXPONENT):
        shown = exponent if len(exponent) < 20 else f"{exponent[:16]}…"
        raise LossLimitError(f"the exponent {shown} is too large; at most {MAX_EXPONENT} is read", span, _RANGE)
    scale = Fraction(10) ** int(exponent or 0)
    decimals = digits.partition(".")[2]
    unit = scale / 10 ** len(decimals) if decimals else Fraction(0)
    value = Fraction(digits.rstrip(".") or "0") * scale
    if value and not LEAST <= value <= LARGEST:
        size = "large" if value > 1 else "small"
        shown = text if len(text) < 40 else f"{text[:36]}…"
        raise LossLimitError(f"{shown} is too {size} for a floating-point number", span, _RANGE)
    return s.Number(span, value, unit)

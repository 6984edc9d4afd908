"""Packed inputs: kinds of their parts, as in `(m, s: positive)`, and parts that differ in length: `(g: 1, s, w: K)`.

Parts that say no length share equally what the others leave, in `(m, s)` all of the tensor. A part of length 1 is a
number for each sample (and place), and has no last axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lossdsl.errors import LossNameError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.ir.axes import LAST, Axis
from lossdsl.ir.expr import Expr, Input
from lossdsl.ir.inputs import DOMAINS, LAYOUTS, InputSpec


def has_lengths(declaration: s.InputDecl) -> bool:
    """Whether parts of a packed input say how long they are."""
    return any(length is not None for length in declaration.lengths)


def part_domains(declaration: s.InputDecl, otherwise: str) -> tuple[str, ...]:
    """The kind of each part; `otherwise` of those that say none. Raises LossNameError or LossTypeError."""
    return tuple(_domain(words, otherwise) for words in declaration.part_kinds)


def _domain(words: tuple[s.Word, ...], otherwise: str) -> str:
    for word in words:
        if word.text in LAYOUTS:
            raise LossTypeError("a part has the axes of the whole", word.span, f"remove `{word.text}`")
        if word.text not in DOMAINS:
            hint = did_you_mean(word.text, DOMAINS) or f"one of {', '.join(DOMAINS)}"
            raise LossNameError(f"`{word.text}` is not a kind of part", word.span, hint)
    return words[-1].text if words else otherwise


def unpacked(
    declaration: s.InputDecl, spec: InputSpec, settled: Mapping[str, bool | int]
) -> tuple[InputSpec, dict[str, Expr]]:
    """An input whose parts say lengths, and what their names mean. Raises LossTypeError or LossNameError.

    `settled` has the `int` parameters, which may be lengths.
    """
    lengths = tuple(None if each is None else _length(each, settled) for each in declaration.lengths)
    otherwise = [word.text for word in declaration.kinds if word.text in DOMAINS]
    kinds = part_domains(declaration, *(otherwise[-1:] or ["real"]))
    if None not in lengths:
        hint = f"leave out one of the lengths: `{declaration.names[-1].text}` is then as long as what the others leave"
        raise LossTypeError("no part takes what is left", declaration.span, hint)
    names = [word.text for word in declaration.names]
    nodes = tuple(_component(spec, name, length) for name, length in zip(names, lengths, strict=True))
    return replace(spec, nodes=nodes, kinds=kinds, lengths=lengths), dict(zip(names, nodes, strict=True))


def _component(spec: InputSpec, name: str, length: int | None) -> Input:
    """A part that shares what is left with others, or a part beside such; its last axis has its own length."""
    if length == 1:
        return Input(name, spec.over - {LAST})
    last = LAST if length is None else Axis("last", "last", 0, 0, length)
    return Input(name, (spec.over - {LAST}) | {last})


def _length(word: s.Word, settled: Mapping[str, bool | int]) -> int:
    value = int(word.text) if word.text.isdigit() else settled.get(word.text)
    if value is None or isinstance(value, bool):
        near = did_you_mean(word.text, DOMAINS)
        hint = f"a whole number, a parameter declared `K: int`, or a kind, such as `positive`{f': {near}' * bool(near)}"
        raise LossNameError(f"`{word.text}` is no length of a part", word.span, hint)
    if value < 1:
        raise LossTypeError(f"a part has at least one element, not {value}", word.span, "leave the part out")
    return value

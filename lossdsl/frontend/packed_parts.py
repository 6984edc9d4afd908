"""Packed inputs: kinds of their parts, as in `(m, s: positive)`, and parts that differ in length: `(g: 1, s, w: K)`.

Where lengths are said, each part is a slice of one tensor. All but one say how long they are; that one takes what is
left. A part of length 1 is a number for each sample (and place), and has no last axis.
"""

from __future__ import annotations

from collections.abc import Mapping

from lossdsl.errors import LossNameError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, Axis
from lossdsl.ir.expr import Expr, Gather
from lossdsl.ir.inputs import DOMAINS, LAYOUTS, InputSpec, Part


def whole_name(declaration: s.InputDecl) -> str:
    """What a packed input is called as one."""
    return "_".join(word.text for word in declaration.names)


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


def parts(declaration: s.InputDecl, spec: InputSpec, settled: Mapping[str, bool | int]) -> tuple[Part, ...]:
    """What the names of a packed input mean, where lengths are said. Raises LossTypeError or LossNameError.

    `settled` has the `int` parameters, which may be lengths.
    """
    lengths = [None if each is None else _length(each, settled) for each in declaration.lengths]
    if lengths.count(None) != 1:
        raise _not_one_open(declaration)
    open_one = lengths.index(None)
    known = [each or 0 for each in lengths]
    (whole,) = spec.nodes
    kinds = part_domains(declaration, spec.domain if spec.domain in DOMAINS else "real")
    found: list[Part] = []
    for place, (word, kind, length) in enumerate(zip(declaration.names, kinds, lengths, strict=True)):
        start = sum(known[:place]) if place <= open_one else -sum(known[place:])
        stop = -sum(known[place + 1 :]) if length is None else start + length
        found.append(Part(word.text, _part(whole, start, length, sum(known)), kind, start, stop or None))
    return tuple(found)


def _not_one_open(declaration: s.InputDecl) -> LossTypeError:
    """The error for parts of which none, or several, take what is left."""
    *most, last = declaration.names
    if None not in declaration.lengths:
        hint = f"leave out one of the lengths: `{last.text}` is then as long as what the others leave"
        return LossTypeError("no part takes what is left", declaration.span, hint)
    open_ones = [word.text for word, length in zip(declaration.names, declaration.lengths, strict=True) if not length]
    said = [
        f"{word.text}: {length.text}" if length else f"{word.text}: K" if word.text in open_ones[:-1] else word.text
        for word, length in zip([*most, last], declaration.lengths, strict=True)
    ]
    *some, one_more = (f"`{one}`" for one in open_ones)
    message = f"{', '.join(some)} and {one_more} do not say where one ends and the next begins"
    hint = f"all parts but one say how long they are, as in `({', '.join(said)})` with a parameter `K: int`"
    return LossTypeError(message, declaration.span, hint)


def _part(whole: Expr, start: int, length: int | None, others: int) -> Expr:
    """A part of a packed input; without a length, what the others leave."""
    if length == 1:
        return Gather(whole, LAST, b.const(start))
    axis = Axis("last", "last", 0, others) if length is None else Axis("last", "last", 0, 0, length)
    return b.cut(whole, LAST, axis, start)


def _length(word: s.Word, settled: Mapping[str, bool | int]) -> int:
    value = int(word.text) if word.text.isdigit() else settled.get(word.text)
    if value is None or isinstance(value, bool):
        near = did_you_mean(word.text, DOMAINS)
        hint = f"a whole number, a parameter declared `K: int`, or a kind, such as `positive`{f': {near}' * bool(near)}"
        raise LossNameError(f"`{word.text}` is no length of a part", word.span, hint)
    if value < 1:
        raise LossTypeError(f"a part has at least one element, not {value}", word.span, "leave the part out")
    return value

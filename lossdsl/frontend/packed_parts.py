"""Packed inputs whose parts differ in length: `(g: 1, s, w: K)`. Each part is a slice of one tensor.

All but one say how long they are; that one takes what is left. A part of length 1 is a number for each sample (and
place), and has no last axis.
"""

from __future__ import annotations

from collections.abc import Mapping

from lossdsl.errors import LossNameError, LossTypeError
from lossdsl.frontend import syntax as s
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, Axis
from lossdsl.ir.expr import Expr, Gather, Input


def whole_name(declaration: s.InputDecl) -> str:
    """What a packed input is called as one."""
    return "_".join(word.text for word in declaration.names)


def has_lengths(declaration: s.InputDecl) -> bool:
    """Whether parts of a packed input say how long they are."""
    return any(length is not None for length in declaration.lengths)


def parts(declaration: s.InputDecl, whole: Input, settled: Mapping[str, bool | int]) -> dict[str, Expr]:
    """What the names of a packed input mean, where lengths are said. Raises LossTypeError or LossNameError.

    `settled` has the `int` parameters, which may be lengths.
    """
    lengths = [None if each is None else _length(each, settled) for each in declaration.lengths]
    if lengths.count(None) != 1:
        few = not lengths.count(None)
        message = "no part takes what is left" if few else "more than one part takes what is left"
        hint = "all parts but one say how long they are, as in `(g: 1, s)`; without lengths all are as long"
        raise LossTypeError(message, declaration.span, hint)
    open_one = lengths.index(None)
    known = [each or 0 for each in lengths]
    found: dict[str, Expr] = {}
    for place, word in enumerate(declaration.names):
        start = sum(known[:place]) if place <= open_one else -sum(known[place:])
        if place == open_one:
            found[word.text] = b.cut(whole, LAST, Axis("last", "last", 0, sum(known)), start)
        elif known[place] == 1:
            found[word.text] = Gather(whole, LAST, b.const(start))
        else:
            found[word.text] = b.cut(whole, LAST, Axis("last", "last", 0, 0, known[place]), start)
    return found


def _length(word: s.Word, settled: Mapping[str, bool | int]) -> int:
    value = int(word.text) if word.text.isdigit() else settled.get(word.text)
    if value is None or isinstance(value, bool):
        hint = "a whole number, or a parameter declared `K: int`"
        raise LossNameError(f"`{word.text}` is no length of a part", word.span, hint)
    if value < 1:
        raise LossTypeError(f"a part has at least one element, not {value}", word.span, "leave the part out")
    return value

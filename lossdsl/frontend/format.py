"""A text in its canonical form: what `lossdsl fmt` writes.

Only white space, line breaks and the spelling of `^` are changed. The tokens stay the same and in order, and so do the
meaning, the comments and the digits of numbers.

- One definition, requirement or example a line; the lines of a header, of a body and of the promises and examples
  below it stand in blocks, with one blank line between blocks and at most one inside.
- Spaces as in `a + b`, `a*b`, `u^2`, `f(x, y; k=1)`, `x[1:]`, `delta = 1.0` in a header, `t=[0, 1]` in an example.
- A line break inside brackets is kept after a comma or semicolon, before an operator, and at the start of a list. It is
  put at such a place where a line would have more than 120 columns. What follows is aligned with what stands after the
  bracket, or indented by four if nothing stands there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lossdsl.errors import width
from lossdsl.frontend.parse import parse, tokens
from lossdsl.source import Source, Span

COLUMNS = 120
"""How long a line may be before it is broken."""

_COMMENT = "   "
"""What stands between a line and the comment at its end."""

_BLOCKS = {
    "USE": "uses",
    **dict.fromkeys(("DOCSTRING", "LOSS", "PLACES", "REQUIRE"), "head"),
    **dict.fromkeys(("EXPECT", "ALLOW", "EXAMPLE"), "tests"),
}
"""The block that a line belongs to, by its first token; any other line is of the body."""

_OPENING, _CLOSING = ("LPAR", "LSQB"), ("RPAR", "RSQB")
_SEPARATORS = ("COMMA", "SEMICOLON")
_ENDS_OPERAND = ("NAME", "NUMBER", "SELF", "TRUE", "FALSE", *_CLOSING)
_TIGHT = ("SCALE", "POWER")
_OPERATORS = ("OR", "AND", "COMPARE", "SIGN", "SCALE")
"""Those that a line may be broken before; where there is a choice, before the loosest."""

_INDENT = 4
_FAR = 60
"""The column beyond which lines are no longer aligned with a bracket, but indented by the above."""

_Token = tuple[str, Span]
_Line = list[_Token]


@dataclass(frozen=True)
class _Piece:
    """A token of a line, and what stands before it.

    `rank` is None where the line cannot be broken before it; a smaller one is a better place. `beside` is a comment
    at the end of the line above it, `above` has comments on lines of their own.
    """

    text: str
    opens: bool
    closes: bool
    is_spaced: bool
    rank: int | None
    is_broken: bool
    beside: str
    above: tuple[str, ...]

    @property
    def must_break(self) -> bool:
        return self.is_broken or bool(self.beside or self.above)


def formatted(source: Source) -> str:
    """The canonical form of a text, with `\\n` at the end of each line; formatting that again changes nothing.

    Raises LossSyntaxError or LossLimitError for a text that cannot be parsed.

    >>> print(formatted(Source("loss half( t,x )\\n( t-x )**2 /2 # by two")), end="")
    loss half(t, x)
    <BLANKLINE>
    (t - x)^2/2   # by two
    """
    parse(source)
    found = list(tokens(source))
    text = "\n".join(_file(source, found)) + "\n"
    if _meaning(found) != _meaning(tokens(Source(text))):
        raise AssertionError(f"formatting changes the meaning of {source.name}")
    return text


def _meaning(found: Iterable[_Token]) -> list[list[tuple[str, str]]]:
    """The tokens of each line, without their places."""
    return [[(kind, _spelled(kind, span.text)) for kind, span in line] for line in _lines(found)]


def _spelled(kind: str, text: str) -> str:
    """A token as it is written. Some are a whole line, whose first word is followed by one space."""
    if kind == "EXPECT":
        return ", ".join(" ".join(part.split()) for part in text.split(","))
    return "^" if kind == "POWER" else re.sub(r"^([a-z]+)[ \t]+", r"\1 ", text.rstrip())


# --- lines and what stands between them ---------------------------------------------------------------------------


def _file(source: Source, found: Iterable[_Token]) -> Iterator[str]:
    """The lines of the text."""
    lines = list(_lines(found))
    text = source.text
    gaps = [_between(text[one[-1][1].end : other[0][1].start]) for one, other in itertools.pairwise(lines)]
    gaps.append(_between(text[lines[-1][-1][1].end :]))
    _, opening = _between("\n" + text[: lines[0][0][1].start])
    yield from _trimmed(_calm(opening), at_start=True)
    is_begun = False  # whether the loss at hand has more than its documentation
    for line, following, (beside, below) in zip(lines, [*lines[1:], None], gaps, strict=True):
        *above, last = _laid_out(_pieces(source, line))
        yield from [*above, f"{last}{_COMMENT}{beside}" if beside else last]
        is_begun = line[0][0] != "DOCSTRING"
        if following is None:
            yield from _trimmed(_calm(below), at_start=False)
        else:
            yield from _spaced(_calm(below), _wanted(line[0][0], following[0][0], is_begun))


def _lines(found: Iterable[_Token]) -> Iterator[_Line]:
    """The tokens of each line."""
    line: _Line = []
    for kind, span in found:
        if kind != "_NL":
            line.append((kind, span))
        elif line:
            yield line
            line = []
    if line:
        yield line


def _between(text: str) -> tuple[str, list[str]]:
    """What stands between two tokens: the comment beside the first, and the lines below it, blank or a comment."""
    beside, *below = (line.strip() for line in text.split("\n"))
    return beside, below[:-1] if below and not below[-1] else below


def _calm(lines: Sequence[str]) -> list[str]:
    """Without a second blank line after a blank line."""
    return [line for number, line in enumerate(lines) if line or not number or lines[number - 1]]


def _trimmed(lines: list[str], *, at_start: bool) -> list[str]:
    """Without the blank line at the start or end of the text."""
    end = 0 if at_start else -1
    return lines if not lines or lines[end] else lines[1:] if at_start else lines[:-1]


def _spaced(lines: list[str], wanted: bool | None) -> list[str]:
    """Comments and blank lines between two lines, with a blank line before them if one is wanted and there is none."""
    if wanted and "" not in lines:
        return ["", *lines]
    return [] if wanted is False and not any(lines) else lines


def _wanted(before: str, kind: str, is_begun: bool) -> bool | None:
    """Whether a blank line belongs between two lines, given their first tokens; None where that is up to the author."""
    if is_begun and kind in ("DOCSTRING", "LOSS"):
        return True
    blocks = [_BLOCKS.get(each, "body") for each in (before, kind)]
    if before == "DOCSTRING" or blocks == ["head", "head"]:
        return False
    return True if blocks[0] != blocks[1] else None


# --- one line -----------------------------------------------------------------------------------------------------


def _pieces(source: Source, line: _Line) -> list[_Piece]:
    """The tokens of a line with what stands before each."""
    found: list[_Piece] = []
    brackets: list[str] = []
    before = ""
    is_glued = True  # whether what comes next stands right behind
    opens_list = False
    for number, (kind, span) in enumerate(line):
        between = source.text[line[number - 1][1].end : span.start] if number else ""
        beside, above = _between(between)
        is_binary = kind in _OPERATORS and before in _ENDS_OPERAND
        is_tight = kind in _TIGHT or (kind == "EQUAL" and not _is_spaced_equal(line[0][0], len(brackets)))
        opens_call = kind in _OPENING and before in (*_ENDS_OPERAND, "CASES")
        stands_close = is_tight or opens_call or kind in (*_CLOSING, *_SEPARATORS, "COLON")
        rank = _rank(kind, before, is_binary, opens_list) if brackets else None
        found.append(
            _Piece(
                text=_spelled(kind, span.text),
                opens=kind in _OPENING,
                closes=kind in _CLOSING,
                is_spaced=not is_glued and not stands_close,
                rank=rank,
                is_broken=rank is not None and "\n" in between,
                beside=beside,
                above=tuple(filter(None, above)),
            )
        )
        is_sign, is_slice = kind == "SIGN" and not is_binary, kind == "COLON" and brackets[-1:] == ["LSQB"]
        is_glued = is_tight or is_sign or is_slice or kind in _OPENING
        opens_list = kind == "LSQB" and before not in _ENDS_OPERAND
        if kind in _OPENING:
            brackets.append(kind)
        elif kind in _CLOSING:
            brackets.pop()
        before = kind
    return found


def _rank(kind: str, before: str, is_binary: bool, opens_list: bool) -> int | None:
    """How well a line inside brackets is broken before a token, 0 best; None where it cannot be."""
    if opens_list:
        return 0
    if before in _SEPARATORS:
        return 1
    return 2 + _OPERATORS.index(kind) if is_binary else None


def _is_spaced_equal(first: str, depth: int) -> bool:
    """Whether `=` has spaces: that of a definition, and those of a header's parameters."""
    return first != "EXAMPLE" and depth == (1 if first == "LOSS" else 0)


@dataclass(frozen=True)
class _Bracket:
    """An open bracket: the column of the lines inside it, how deep it is, and the one around it."""

    column: int
    depth: int
    around: _Bracket | None

    def emptied(self) -> _Bracket:
        """The same for a bracket that is the last of its line."""
        return replace(self, column=_INDENT + (self.around.column if self.around is not None else 0))

    def after(self, piece: _Piece, column: int) -> _Bracket:
        """The innermost bracket behind a piece that ends in a column."""
        if piece.opens:
            opened = _Bracket(column, self.depth + 1, self)
            return opened.emptied() if column > _FAR else opened
        return self.around if piece.closes and self.around is not None else self


_OUTSIDE = _Bracket(0, 0, None)


def _laid_out(pieces: Sequence[_Piece]) -> list[str]:
    """A line of the text, as several if it is broken."""
    lines: list[str] = []
    start, bracket = 0, _OUTSIDE
    while start < len(pieces):
        indent = " " * bracket.column
        end, bracket = _end(pieces, start, bracket)
        if pieces[start].beside:
            lines[-1] += f"{_COMMENT}{pieces[start].beside}"
        lines += [f"{indent}{comment}" for comment in pieces[start].above]
        texts = (f" {piece.text}" if piece.is_spaced else piece.text for piece in pieces[start:end])
        lines.append(f"{indent}{''.join(texts).lstrip()}")
        start = end
    return lines


def _end(pieces: Sequence[_Piece], start: int, bracket: _Bracket) -> tuple[int, _Bracket]:
    """Where the line that starts with a piece ends, and the innermost bracket that is open there."""
    column = bracket.column
    breaks: list[tuple[int, int, int, _Bracket]] = []  # depth, rank, place, bracket; the least is taken
    for at in range(start, len(pieces)):
        piece = pieces[at]
        if at > start:
            here = bracket.emptied() if pieces[at - 1].opens else bracket
            if piece.must_break:
                return at, here
            if piece.rank is not None:
                breaks.append((here.depth, piece.rank, -at, here))
        column += width(piece.text) + (piece.is_spaced and at > start)
        bracket = bracket.after(piece, column)
        if column > COLUMNS and breaks:
            _, _, place, here = min(breaks, key=lambda each: each[:3])
            return -place, here
    return len(pieces), bracket

"""Brackets without a partner, and texts without an end: told before the parser runs."""

from __future__ import annotations

from lossdsl.errors import LossLimitError, LossSyntaxError
from lossdsl.frontend.foreign import character_hint
from lossdsl.frontend.lexical_errors import end_of_line, is_allow
from lossdsl.source import Source, Span

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_FRACTIONS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def check_brackets(source: Source, deepest: int) -> None:
    """Raises for a bracket that has no partner, which names the culprit better than the parser can."""
    text = source.text
    stack: list[int] = []
    at = 0
    while at < len(text):
        char = text[at]
        end = _end_of_words(source, at, is_outside=not stack)
        if char in "([":
            stack.append(at)
            if len(stack) > deepest:
                message = f"brackets are nested more than {deepest} deep"
                hint = "give the inner parts names: `e = …` on a line of its own"
                raise LossLimitError(message, Span(source, at, at + 1), hint)
        elif char in ")]":
            _check_closing(source, at, stack)
        elif end == at:
            _check_digit(source, at)
        at = max(end, at + 1)
    if stack:
        opened = stack[-1]
        raise LossSyntaxError(
            f"`{text[opened]}` is never closed", Span(source, opened, opened + 1), f"add `{_PAIRS[text[opened]]}`"
        )


def _end_of_words(source: Source, at: int, *, is_outside: bool) -> int:
    """The end of a comment, documentation or reason that begins here; `at` where none does."""
    text = source.text
    if text[at] == "#":
        return end_of_line(text, at)
    if text.startswith('"""', at):
        sign, what, end = '"""', "documentation", text.find('"""', at + 3)
    elif text[at] == '"' and is_outside and is_allow(text, at):
        sign, what, end = '"', "reason", text.find('"', at + 1, end_of_line(text, at))
    else:
        return at
    if end < 0:
        raise LossSyntaxError(
            f"the {what} is not closed", Span(source, at, at + len(sign)), f"close it with another `{sign}`"
        )
    return end + len(sign)


def _check_closing(source: Source, at: int, stack: list[int]) -> None:
    """Takes off the stack what a bracket closes."""
    char, span = source.text[at], Span(source, at, at + 1)
    if not stack:
        raise LossSyntaxError(f"`{char}` closes nothing", span, "remove it")
    opened = source.text[stack.pop()]
    if _PAIRS[opened] != char:
        raise LossSyntaxError(f"`{opened}` is closed by `{char}`", span, f"write `{_PAIRS[opened]}`")


def _check_digit(source: Source, at: int) -> None:
    """Refuses digits of a power or fraction, which are letters to the parser."""
    char = source.text[at]
    hint: str | None
    if char in _SUPERSCRIPTS:
        power = _SUPERSCRIPTS.index(char)
        hint = f"write a power as `^(-{power})`" if source.text[at - 1 : at] == "⁻" else f"write a power as `^{power}`"
    elif char in _FRACTIONS:
        hint = character_hint(char)
    else:
        return
    raise LossSyntaxError(f"`{char}` has no meaning here", Span(source, at, at + 1), hint)

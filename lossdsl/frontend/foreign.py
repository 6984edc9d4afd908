"""What to do about a word or sign that the language has not: hints for messages, out of the tables of foreign words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from lossdsl.errors import did_you_mean
from lossdsl.frontend.foreign_signs import CHARACTERS, LATEX, LETTERED
from lossdsl.frontend.foreign_words import (
    AXES,
    CONSTANTS,
    FUNCTIONS,
    INPUT_KINDS,
    KEYWORDS,
    PARAMETER_KINDS,
    STATEMENTS,
    ForeignWord,
)
from lossdsl.frontend.scripts import as_latin, off_the_line
from lossdsl.ir.ops import function_names
from lossdsl.source import normal_name


def _by_word(rows: Iterable[ForeignWord]) -> dict[str, ForeignWord]:
    return {word: row for row in rows for word in row.words.split()}


_FUNCTIONS, _CONSTANTS, _KEYWORDS = map(_by_word, (FUNCTIONS, CONSTANTS, KEYWORDS))
_INPUT_KINDS, _PARAMETER_KINDS = map(_by_word, (INPUT_KINDS, PARAMETER_KINDS))
_LATEX, _CHARACTERS, _STATEMENTS, _AXES = map(_by_word, (LATEX, CHARACTERS, STATEMENTS, AXES))
_ANY_CASE = {word.lower(): row for word, row in _FUNCTIONS.items()}


def function_hint(word: str, known: Iterable[str] = ()) -> str | None:
    """What to do about a function that is not there: what it is here, or the near miss among those that are known."""
    names = list(known)
    row = _FUNCTIONS.get(word) or _STATEMENTS.get(word)
    built_in = _in_words(word)
    if row is None and built_in in names:
        return f"`{word}` is `{built_in}(t, x)` here"
    if row is None and word.lower() not in map(str.lower, names):
        row = _ANY_CASE.get(word.lower())
    return row.hint(word) if row is not None else _near(word, names)


def loss_hint(word: str) -> str | None:
    """What to do about a loss of a library's, by its name alone: whether there is one here is not asked."""
    name = _in_words(word)
    is_loss = name != word or word.lower().endswith("loss")
    return f"the built-in losses are called as in `{name}(t, x)`: `lossdsl list` has their names" if is_loss else None


def _in_words(word: str) -> str:
    """What a class of a library is called as a loss: `CategoricalHingeLoss` as `categorical_hinge`."""
    found = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word).lower()
    return found.removesuffix("_loss") if found != word else word.removesuffix("_loss")


def name_hint(word: str, known: Iterable[str] = ()) -> str | None:
    """What to do about a name that stands for nothing: what it is here, or the near miss among those that are known."""
    names = list(known)
    row = _CONSTANTS.get(word)
    if row is not None and row.here in ("t", "x") and row.here not in names:
        row = None  # the loss has a header, and calls its inputs otherwise
    return row.hint(word) if row is not None else _near(word, names)


def is_foreign_name(word: str) -> bool:
    """Whether a name is known to stand for a number or input elsewhere."""
    return word in _CONSTANTS


def constant_hint(word: str) -> str | None:
    """What a number or truth value is called here that has this name elsewhere."""
    row = _CONSTANTS.get(word)
    is_constant = row is not None and row.here in ("true", "false", "inf", "-inf", "pi", "epsilon")
    return row.hint(word) if row is not None and is_constant else None


def axis_hint(word: str) -> str | None:
    """What an axis is called here that has this name elsewhere."""
    return _hint(_AXES, word)


def keyword_hint(word: str) -> str | None:
    """What to do about an argument with a name."""
    return _hint(_KEYWORDS, word)


def kind_hint(word: str, known: Iterable[str], *, of_input: bool) -> str | None:
    """What to do about a kind that is not there."""
    row = (_INPUT_KINDS if of_input else _PARAMETER_KINDS).get(word)
    return row.hint(word) if row is not None else did_you_mean(word, known)


def latex_hint(word: str, rest: str = "") -> str:
    """What to do about a command of LaTeX, with what follows it."""
    inside = re.match(r"\s*\{?\s*([A-Za-z]\w*|1)\s*\}?", rest)
    if inside and word in LETTERED:
        if inside[1] in ("1", "I"):
            return "an indicator is written `where(condition, 1, 0)`"
        if inside[1] == "E":
            return "an expectation is `mean(a)` here"
        if inside[1] in function_names():
            return f"write `{inside[1]}(…)`"
    if word not in _LATEX and word in function_names():
        return f"write `{word}(…)`"
    row = _LATEX.get(word)
    return row.hint(f"\\{word}") if row is not None else "formulas are plain text here, as in `sqrt(a^2 + 1)`"


def character_hint(char: str) -> str | None:
    """What to do about a character."""
    row = _CHARACTERS.get(char)
    if row is None:
        return None
    return f"write `{row.here}`{f'; {row.more}' if row.more else ''}" if row.here else row.more


def off_line_hint(word: str) -> str | None:
    """What to write in the place of letters above or below the line, as in `xᵀ` and `tᵢ`; None where there are none."""
    off = off_the_line(word)
    letters = "".join(char for char in off if char.isalpha())
    if not letters:
        return None
    if letters in ("ᵀ", "ᵗ"):
        return f"a product of vectors is `{_CHARACTERS[letters].here}`; a name has no letters above the line"
    at, of = normal_name(letters), "".join(char for char in word if char not in off)
    if "SUBSCRIPT" in unicodedata.name(letters[0]):
        return f"an element is written `{of}[{at}]`, as in `sum[{at}]({of}[{at}])`"
    return "a power is written with `^`; a name has no letters above the line"


def statement_hint(word: str) -> str | None:
    """What to do about a line that begins with this word."""
    return _hint(_STATEMENTS, word)


def _hint(table: dict[str, ForeignWord], word: str) -> str | None:
    row = table.get(word)
    return row.hint(word) if row is not None else None


def _near(word: str, known: list[str]) -> str | None:
    latin = as_latin(word)
    if latin != word and latin in known:
        return f"its letters only look like those of `{latin}`: write it on a Latin keyboard"
    return did_you_mean(word, known)

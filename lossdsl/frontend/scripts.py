"""Letters that look like others, and characters that change how a text looks.

Unicode Technical Report 36, "Unicode Security Considerations", and 39, "Unicode Security Mechanisms": a name of one
script is fine; one that mixes scripts, or is made of letters that all look Latin, is told.
"""

from __future__ import annotations

import unicodedata

_ALIKE = str.maketrans(
    "асеіјорԛѕԝхуһԁӏАВСЕНІЈКМОРЅТХУ" + "οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "օոսհցԼՕՏ",
    "aceijopqswxyhdlABCEHIJKMOPSTXY" + "oABEZHIKMNOPTYX" + "onuhgLOS",
)  # fmt: skip
"""Letters of Cyrillic, Greek and Armenian that are drawn like a Latin one."""

DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction in which a text is shown, and are not seen themselves."""


def as_latin(word: str) -> str:
    """The word with Latin letters in the place of those that look so."""
    return word.translate(_ALIKE)


def scripts(word: str) -> tuple[str, ...]:
    """The scripts of the letters of a word, in order: "Latin", "Cyrillic"."""
    names = (unicodedata.name(char, "").split(" ")[0] for char in word if char.isalpha())
    known = (name.capitalize() for name in names if name in _SCRIPTS)
    return tuple(dict.fromkeys(known))


_SCRIPTS = {
    "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "GEORGIAN", "CHEROKEE", "THAI", "CJK",
    "HIRAGANA", "KATAKANA", "HANGUL",
}  # fmt: skip


_EASTERN = {"Cyrillic", "Armenian", "Georgian", "Cherokee"}
"""Scripts that have letters like those of others, and are not mixed with them."""


def confusion(word: str) -> str | None:
    """Why a name is not what it seems to be; None where it is.

    Greek letters stand beside Latin ones in formulas (`Δx`, `σ_max`), and Japanese mixes its own scripts.

    >>> confusion("х"), confusion("Δx"), confusion("ошибка")
    ('looks like Latin `x`, and is Cyrillic', None, None)
    """
    found = scripts(word)
    latin = as_latin(word)
    if latin != word and latin.isascii():
        return f"looks like Latin `{latin}`, and is {' and '.join(found)}"
    if _EASTERN & {*found} and len(found) > 1:
        return f"has letters of {' and '.join(found)}"
    return None


def off_the_line(word: str) -> str:
    """The letters and digits of a word that stand above or below the line.

    >>> off_the_line("xᵀ"), off_the_line("tᵢ₂"), off_the_line("δ")
    ('ᵀ', 'ᵢ₂', '')
    """
    return "".join(char for char in word if unicodedata.decomposition(char).startswith(("<super>", "<sub>")))

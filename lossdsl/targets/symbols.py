"""Names as LaTeX: Greek letters, subscripts, hats."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
    "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta",
    "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
)  # fmt: skip
_LATIN_LIKE = {"omicron": "o"}
_ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030c": "check",
}
_ACCENT_WORDS = ("hat", "tilde", "bar", "dot")


def symbol(name: str, indices: Sequence[str] = ()) -> str:
    r"""A name with indices.

    What follows the `_` of a letter, and digits at its end, are subscripts; `y_hat` and `ŷ` are y with a hat.

    >>> print(symbol("delta_max", ["i"]), symbol("x1"), symbol("ŷ"), symbol("label_smoothing"))
    \delta_{\max,i} x_{1} \hat{y} \mathrm{label\_smoothing}
    """
    first, *rest = [part for part in name.split("_") if part] or ["_"]
    digits = re.fullmatch(r"([^\W\d]+)(\d+)", first)
    if digits:
        first, rest = digits[1], [digits[2], *rest]
    base = _word(first)
    if base.startswith(r"\mathrm"):
        base, rest = _upright("_".join([first, *rest])), []
    while rest and rest[0] in _ACCENT_WORDS:
        base = f"\\{rest.pop(0)}{{{base}}}"
    below = [*(_subscript(part) for part in rest), *indices]
    return f"{base}_{{{','.join(below)}}}" if below else base


def _subscript(part: str) -> str:
    return f"\\{part}" if part in ("max", "min") else symbol(part)


def _word(word: str) -> str:
    if word in _GREEK:
        return _LATIN_LIKE.get(word, f"\\{word}")
    if word.isdigit():
        return word
    plain = unicodedata.normalize("NFD", word)
    letter, accents = plain[:1], plain[1:]
    if all(accent in _ACCENTS for accent in accents):
        shown = _letter(letter)
        for accent in accents:
            shown = f"\\{_ACCENTS[accent]}{{{shown}}}"
        return shown
    return _upright(word)


def _upright(word: str) -> str:
    escaped = unicodedata.normalize("NFC", word).replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"


def _letter(letter: str) -> str:
    described = unicodedata.name(letter, "").removesuffix(" SYMBOL").split()
    if described[:1] == ["GREEK"] and len(described) == 4 and described[2] == "LETTER":
        small = {"lamda": "lambda"}.get(described[3].lower(), described[3].lower())
        word = small.capitalize() if described[1] == "CAPITAL" else small
        if word in _GREEK:
            return _LATIN_LIKE.get(word, f"\\{word}")
    return r"\_" if letter == "_" else letter

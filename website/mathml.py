"""The LaTeX that lossdsl writes, as MathML, which browsers set by themselves: no script and no font is fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\.\d+|\S", re.S)
_LETTERS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega
Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""
_GREEK = dict(zip(re.findall(r"\w+", _LETTERS), "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
_OPERATORS = {
    r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\land": "∧", r"\lor": "∨", r"\lnot": "¬", r"\cdot": "⋅", r"\times": "×",
    r"\forall": "∀", r"\exists": "∃", r"\in": "∈", r"\partial": "∂", r"\to": "→", r"\mid": "|", "-": "−", "*": "∗",
    r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈", r"\rceil": "⌉", r"\{": "{", r"\}": "}", "'": "′", r"\|": "‖",
    r"\lVert": "‖", r"\rVert": "‖", r"\lvert": "|", r"\rvert": "|", r"\dots": "…", r"\ldots": "…", r"\colon": ":",
}  # fmt: skip
_SYMBOLS = {r"\infty": "∞", r"\emptyset": "∅", r"\_": "_", r"\ell": "ℓ"}
_FUNCTIONS = frozenset(
    re.findall(r"\w+", "log exp max min cos sin tan arccos arcsin arctan cosh sinh tanh sign det ln")
)
_BIG = {r"\sum": "∑", r"\prod": "∏"}
_ACCENTS = {
    "hat": "^", "tilde": "~", "bar": "¯", "dot": "˙", "ddot": "¨", "check": "ˇ", "breve": "˘", "acute": "´",
    "grave": "`",
}  # fmt: skip
_SPACES = {r"\,": "0.17em", r"\;": "0.28em", r"\:": "0.22em", r"\ ": "0.33em", r"\quad": "1em", r"\!": "-0.17em"}
_LIMITS = ("max", "min", "arg\u2009max", "arg\u2009min")
_APPLY = "<mo>&#x2061;</mo>"


def mathml(latex: str) -> str:
    """A formula as a block of MathML, with the LaTeX as its annotation.

    Raises ValueError for what lossdsl does not write.
    """
    reader = _Reader(latex)
    body = reader.row(())
    if reader.peek():
        raise ValueError(f"unexpected {reader.peek()} in {latex}")
    note = f'<annotation encoding="application/x-tex">{escape(latex)}</annotation>'
    return f'<math display="block"><semantics>{body}{note}</semantics></math>'


class _Reader:
    """A parser by descent: each method takes tokens and gives MathML."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tokens = [(found[0], found.start()) for found in _TOKEN.finditer(latex)]
        self.place = 0

    def peek(self) -> str:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        found = self.peek()
        if not found or (wanted and found != wanted):
            raise ValueError(f"expected {wanted or 'more'} and found {found or 'the end'} in {self.latex}")
        self.place += 1
        return found

    def row(self, ends: tuple[str, ...]) -> str:
        """Items up to one of the tokens, which stays."""
        parts: list[str] = []
        while self.peek() and self.peek() not in (*ends, "}"):
            parts.append(self.item())
        return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"

    def group(self) -> str:
        """`{…}`, or one item without braces."""
        if self.peek() != "{":
            return self.atom()[0]
        self.take("{")
        found = self.row(())
        self.take("}")
        return found

    def raw(self) -> str:
        """What stands in braces, as text."""
        start = self.tokens[self.place][1]
        depth = 0
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if not depth:
                end = self.tokens[self.place - 1][1]
                return self.latex[start + 1 : end].replace(r"\_", "_").replace(r"\,", "\u2009")

    def item(self) -> str:
        """An atom with what stands below and above it."""
        base, has_limits, follows = self.atom()
        below = above = ""
        while self.peek() in ("_", "^"):
            if self.take() == "_":
                below = self.group()
            else:
                above = self.group()
        under, over, both = ("munder", "mover", "munderover") if has_limits else ("msub", "msup", "msubsup")
        if below and above:
            base = f"<{both}>{base}{below}{above}</{both}>"
        elif below:
            base = f"<{under}>{base}{below}</{under}>"
        elif above:
            base = f"<{over}>{base}{above}</{over}>"
        return base + follows

    def atom(self) -> tuple[str, bool, str]:
        """An atom, whether what is below stands under it, and what follows it."""
        token = self.take()
        word = token.lstrip("\\").rstrip("*")
        if token == "{":
            self.place -= 1
            return self.group(), False, ""
        if token in _BIG:
            return f'<mo movablelimits="false">{_BIG[token]}</mo>', True, ""
        special: dict[str, Callable[[], str]] = {
            r"\frac": lambda: f"<mfrac>{self.group()}{self.group()}</mfrac>",
            r"\sqrt": self._root,
            r"\left": self._fenced,
            r"\begin": self._table,
            r"\text": lambda: f"<mtext>{escape(self._words())}</mtext>",
            r"\mathrm": lambda: f'<mi mathvariant="normal">{escape(self.raw())}</mi>',
            r"\mathcal": lambda: "<mi>" + "".join(_script(letter) for letter in self.raw()) + "</mi>",
        }
        if token in special:
            return special[token](), False, ""
        if word == "operatorname":
            name = self.raw()
            return f'<mi mathvariant="normal">{escape(name)}</mi>', token.endswith("*") or name in _LIMITS, _APPLY
        if token.startswith("\\") and word in _FUNCTIONS:
            return f'<mi mathvariant="normal">{word}</mi>', word in _LIMITS, _APPLY
        if token.startswith("\\") and word in _ACCENTS:
            return f'<mover accent="true">{self.group()}<mo>{_ACCENTS[word]}</mo></mover>', False, ""
        return self._simple(token, word), False, ""

    def _simple(self, token: str, word: str) -> str:
        if token in _SPACES:
            return f'<mspace width="{_SPACES[token]}"></mspace>'
        if token in _OPERATORS:
            return f"<mo>{escape(_OPERATORS[token])}</mo>"
        if token in _SYMBOLS:
            return f"<mi>{_SYMBOLS[token]}</mi>"
        if token.startswith("\\") and word in _GREEK:
            return f"<mi>{_GREEK[word]}</mi>"
        if token[0].isdigit() or token[0] == ".":
            return f"<mn>{token}</mn>" if token != "." else "<mo>.</mo>"
        if token.startswith("\\"):
            raise ValueError(f"no MathML for {token} in {self.latex}")
        return f"<mi>{escape(token)}</mi>" if token.isalpha() else f"<mo>{escape(token)}</mo>"

    def _root(self) -> str:
        if self.peek() != "[":
            return f"<msqrt>{self.group()}</msqrt>"
        self.take("[")
        degree = self.row(("]",))
        self.take("]")
        return f"<mroot>{self.group()}{degree}</mroot>"

    def _fenced(self) -> str:
        first = self._fence()
        inside = self.row((r"\right",))
        self.take(r"\right")
        return f"<mrow>{first}{inside}{self._fence()}</mrow>"

    def _fence(self) -> str:
        token = self.take()
        text = "" if token == "." else _OPERATORS.get(token, token)
        return f'<mo fence="true" stretchy="true">{escape(text)}</mo>' if text else ""

    def _table(self) -> str:
        kind = self.raw()
        rows = [[self.row(("&", r"\\", r"\end"))]]
        while (token := self.take()) != r"\end":
            if token == "&":
                rows[-1].append(self.row(("&", r"\\", r"\end")))
            else:
                rows.append([self.row(("&", r"\\", r"\end"))])
        self.raw()
        lines = "".join(f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in row)}</mtr>" for row in rows)
        table = f'<mtable class="{escape(kind)}" displaystyle="true">{lines}</mtable>'
        return f'<mrow><mo fence="true" stretchy="true">{{</mo>{table}</mrow>' if kind == "cases" else table

    def _words(self) -> str:
        """Text; a space at its end counts, and would be left out."""
        text = self.raw()
        return f"{text[:-1]}\u00a0" if text.endswith(" ") else text


def _script(letter: str) -> str:
    """A capital letter as a script letter."""
    return {"L": "ℒ", "B": "ℬ", "E": "ℰ", "F": "ℱ", "H": "ℋ", "I": "ℐ", "M": "ℳ", "R": "ℛ"}.get(letter, letter)

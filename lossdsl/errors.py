"""The mistakes that a user can make: values with a place, a cause and a remedy.

An error holds facts; `render` makes its text, once, at the edge. Colours are the business of the command line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

from lossdsl.source import Span


class LossError(ValueError):
    """A mistake in a loss, in its parameters, or in what it is called with; a ValueError, as Keras raises.

    `message` says what is wrong, `span` where (`None` if no text is to blame), `hint` what to do about it.
    """

    kind = "error"

    def __init__(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        super().__init__(message, span, hint)
        self.message = message
        self.span = span
        self.hint = hint

    def __str__(self) -> str:
        return render(self.kind, self.message, self.span, self.hint)


class LossSyntaxError(LossError):
    """The text does not follow the grammar."""

    kind = "syntax error"


class LossNameError(LossError):
    """A name that means nothing here, or one that may not be used."""

    kind = "name error"


class LossTypeError(LossError):
    """A number where a condition belongs, a label where a number belongs, an axis that is not there."""

    kind = "type error"


class LossParameterError(LossError):
    """A parameter without a value, one that does not exist, or a value outside its range.

    `names` are the parameters to blame; `is_unknown` tells that the loss has no such parameter.
    """

    kind = "parameter error"

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        hint: str | None = None,
        names: tuple[str, ...] = (),
        is_unknown: bool = False,
    ) -> None:
        super().__init__(message, span, hint)
        self.names = names
        self.is_unknown = is_unknown


class LossShapeError(LossError):
    """Tensors whose shapes or dtypes do not fit the loss."""

    kind = "shape error"


class LossLimitError(LossError):
    """A text that is too long, too deeply nested, or has too large an exponent."""

    kind = "limit error"


class LossConfigError(LossError):
    """A YAML file or mapping that does not describe a loss."""

    kind = "config error"


class LossFileError(LossError):
    """A file or built-in that is not there or cannot be read."""

    kind = "file error"


class LossImportError(LossError, ImportError):
    """A library that is needed and not installed; an ImportError, too. The hint is the command that brings it."""

    kind = "import error"


def width(text: str) -> int:
    """How many columns a terminal gives `text` (a combining accent takes none, a wide letter two)."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


MAX_COLUMNS = 160
"""How much of a line an excerpt shows."""


def excerpt(span: Span) -> list[str]:
    """The line of source with a line of carets under the whole culprit (its first line, if it has several).

    Nothing of a blank line, which is no place to look at.
    """
    line, start = span.source.line_at(span.start)
    if not line.strip():
        return []
    shown = line.replace("\t", " ")
    column = span.start - start
    length = min(span.end, start + len(line)) - span.start
    if len(line) > MAX_COLUMNS:
        cut = max(0, min(column - MAX_COLUMNS // 3, len(line) - MAX_COLUMNS))
        shown = shown[cut : cut + MAX_COLUMNS]
        shown = f"{'…' if cut else ''}{shown}{'…' if cut + MAX_COLUMNS < len(line) else ''}"
        length = min(length, cut + MAX_COLUMNS - column)
        line, column = shown, column - cut + (1 if cut else 0)
    carets = "^" * max(1, width(line[column : column + length]))
    number = str(span.line)
    gutter = " " * len(number)
    return [f" {number} | {shown}", f" {gutter} | {' ' * width(shown[:column])}{carets}"]


def render(kind: str, message: str, span: Span | None, hint: str | None) -> str:
    """The plain text of a message: `place: kind: message`, the excerpt, and the hint."""
    place = f"{span.source.name}:{span.line}:{span.column}: " if span else ""
    lines = [f"{place}{kind}: {_cut(message)}"]
    if span is not None:
        lines += excerpt(span)
    if hint:
        lines.append(f"  help: {_cut(hint)}")
    return "\n".join(lines)


MAX_MESSAGE = 2000
"""How much of a message is shown: a name in it may be as long as the text."""


def _cut(text: str) -> str:
    half = MAX_MESSAGE // 2
    return text if len(text) <= MAX_MESSAGE else f"{text[:half]}…{text[-half:]}"


def format_value(value: object) -> str:
    """A value of Python's in a message: its `repr`, cut where it is long."""
    if isinstance(value, int) and abs(value) >= 10**40:  # Python writes no number of more than 4300 digits
        return f"a whole number of about {int(value.bit_length() * 0.30103) + 1} digits"
    try:
        text = repr(value)
    except Exception:  # whatever the class of another author raises
        return f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


MAX_VALUE = 80
"""How many characters of a value a message shows."""


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` was probably meant to be: one slip away, or much alike; or None."""
    candidates = sorted(set(known))
    by_case = {name.lower(): name for name in candidates}
    if word.lower() in by_case:
        return by_case[word.lower()]
    if len(word) > 2:
        slips = [name for name in candidates if len(name) > 2 and _is_one_slip(word, name)]
        if slips:
            return slips[0]
    found = get_close_matches(word, candidates, n=1, cutoff=0.7)
    return found[0] if found else None


def _is_one_slip(one: str, other: str) -> bool:
    """Whether a letter too many, too few, another one, or two exchanged ones make the difference."""
    if len(one) == len(other):
        differ = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(differ) == 2:
            first, second = differ
            return second == first + 1 and one[first] == other[second] and one[second] == other[first]
        return len(differ) == 1
    short, long = sorted((one, other), key=len)
    return len(long) - len(short) == 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the near miss, or None."""
    near = near_miss(word, known)
    return f"did you mean `{near}`?" if near else None

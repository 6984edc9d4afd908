"""Notations of papers and programs that a text breaks off at, and what to write: a table, a row a notation.

A row has what stands before the place in its line and what stands there, as patterns, and what to do about it, with the
parts of the patterns in braces. A part called `function` must be a function of the language, one called `loss` is
written as losses are. The first row that fits is told; where none does, `lexical_errors` and `syntax_errors` say what
they know of the character or word alone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from lossdsl.errors import LossSyntaxError
from lossdsl.frontend.foreign import keyword_hint
from lossdsl.ir.ops import function_names
from lossdsl.source import Source


class Notation(NamedTuple):
    """What stands before a place in its line, what stands there, and what to do about it."""

    before: str
    there: str
    hint: str


_NAME = r"[^\W\d]\w*"
_KINDS = "label|prob|positive|nonneg|binary|sign|count|onehot|simplex|logprob|logits|real|unit|scalar|vector|matrix"
_AGGREGATE = r"(?P<function>sum|mean|prod|max|min|any|all|count|std|var)\["
_FILTER = "a filter begins with `if`, as in `{function}[last if t > 0](e)`"
_COMMENT = "a comment begins with `#`"
_EXAMPLE = "as in `example t=[0], x=[1] -> 1.0`"
_BRACES_OF_HEADER = "remove the braces: the formula stands on the lines below the header"

NOTATIONS = (
    # braces
    Notation(r"\^\s*", r"\{(?P<power>[^{}\n]*)\}", "an exponent stands in round brackets: `^({power})`"),
    Notation(r"\^\s*", r"\{", "an exponent stands in round brackets, as in `a^(b + 1)`"),
    Notation(rf"(?P<of>{_NAME})_", r"\{(?P<at>\w+)\}", "an element is written `{of}[{at}]`, a name `{of}_{at}`"),
    Notation(r"^loss .*\)\s*", r"\{", _BRACES_OF_HEADER),
    Notation(rf"\b(?P<function>{_NAME})\s*", r"\{", "a function has round brackets: `{function}(…)`"),
    Notation(r"(?:^|[^\w.])1\s*", r"\{|\[", "an indicator is written `where(condition, 1, 0)`"),
    # headers
    Notation(r"^\s*loss\s*", r"=", "a loss has a header, `loss name(t, x)`, or is a formula alone"),
    Notation(r"^loss\s+", r"\d", "a name begins with a letter, as in `loss my_loss(t, x)`"),
    Notation(r"^loss .*\)\s*", r";", "remove the `;`: the formula stands on the lines below the header"),
    Notation(rf"^loss {_NAME}\s*", rf"{_NAME}\s*[,:]", "inputs stand in round brackets, as in `loss name(t, x)`"),
    Notation(rf"^loss {_NAME}\s*", r"\[", "inputs stand in round brackets, as in `loss name(t, x)`"),
    Notation(
        rf"^loss [^;]*[(,]\s*(?P<kind>{_KINDS})\s+",
        rf"(?P<of>{_NAME})",
        "a kind stands behind its input: `{of}: {kind}`",
    ),
    Notation(
        r"^loss .*;.*\b(?:float|int|bool|real|double|number|const)\s+",
        rf"(?P<of>{_NAME})",
        "a kind stands behind its name, as in `{of}: int = 1`; a real number needs none",
    ),
    Notation(rf"^loss .*;.*\b(?P<of>{_NAME})\s*:\s*", r"(?P<value>[-.\d]+)", "a default follows `=`: `{of} = {value}`"),
    Notation(
        rf"^loss {_NAME}\([^;)]*\b(?:float|int|double|Tensor|tensor|array)\s+",
        rf"(?P<of>{_NAME})",
        "a kind stands behind its name, as in `{of}: label`; a real number needs none",
    ),
    Notation(
        rf"^loss {_NAME}\([^;)]*\b(?P<of>{_NAME})\s*",
        r"[<>]=?|in\b",
        "which values an input takes, a word behind it says, as in `{of}: nonneg` or `{of}: prob`",
    ),
    Notation(
        rf"^require .*\b(?P<of>{_NAME})\s+",
        r"in\b",
        "an interval is written `0 < {of} < 1`, a choice of numbers `{of} == 1 or {of} == 2`",
    ),
    Notation(r"^\s*", r"%", "a comment begins with `#`"),
    Notation(rf"^loss {_NAME}\([^;)]*{_NAME}\s+", _NAME, "inputs are separated by commas, as in `loss name(t, x)`"),
    Notation(
        rf"^loss {_NAME}\([^)]*;[^)]*[\w.\]]\s+",
        _NAME,
        "parameters are separated by commas, as in `loss name(t, x; a = 1.0, c = 2.0)`",
    ),
    Notation(
        rf"^loss {_NAME}\([^)]*",
        r"\[",
        "a packed input stands in round brackets, as in `loss name(t, (m, s))`; a kind is one word, `t: prob`",
    ),
    Notation(
        rf"^loss {_NAME}\([^;)]*{_NAME}\s*",
        r"=?\s*\(",
        "components of a packed input stand alone, as in `loss name(t, (m, s))`",
    ),
    # examples
    Notation(r"^example .*[\]\d]\s+", rf"{_NAME}\s*=", f"inputs are separated by commas, {_EXAMPLE}"),
    Notation(r"^example\s+", r"[-.\d\[(]", f"each value has the name of its input, {_EXAMPLE}"),
    Notation(rf"^example\s+{_NAME}\s*", r"\(", f"each value has the name of its input, {_EXAMPLE}"),
    Notation(r"^example .*=\s*\([^)]*", r",", "a list stands in square brackets, as in `t=[0, 1]`"),
    Notation(r"^example .*,\s*", r"->", f"remove the comma before it, {_EXAMPLE}"),
    # aggregates and indices
    Notation(rf"{_AGGREGATE}[^\]]*", r"(?:where|when|with|such|for)\b", _FILTER),
    Notation(rf"{_AGGREGATE}[^\]]*", r"[|;]", _FILTER),
    Notation(
        rf"{_AGGREGATE}[^\]]*\bin\s+range\([^)]*\)\s*",
        r"\]",
        "a range of numbers is written `0:3`, as in `{function}[j in 0:3](e)`",
    ),
    Notation(
        rf"{_AGGREGATE}[^\]]*\bin\s+",
        r"\d+\.\.",
        "a range of numbers is written `0:3`, as in `{function}[j in 0:3](e)`",
    ),
    Notation(
        rf"{_AGGREGATE}[^\]]*\baxis\s*",
        r"=",
        "axes have names: `{function}[batch](e)`; without brackets it is the last one",
    ),
    Notation(
        rf"{_AGGREGATE}\s*(?P<at>{_NAME})\s*",
        r"=",
        "an index runs over an axis, `{function}[{at}](x[{at}])`, or over numbers, `{function}[{at} in 0:3](x[{at}])`",
    ),
    Notation(rf"{_AGGREGATE}\s*{_NAME}\s+", _NAME, "axes are separated by commas, as in `{function}[batch, last](e)`"),
    Notation(
        rf"\b(?P<function>sum|mean|prod|max|min)_(?P<at>{_NAME})\s+",
        rf"(?P<of>{_NAME})",
        "an index stands in square brackets: `{function}[{at}]({of}[{at}])`",
    ),
    Notation(r"\[[^\]]*:[^\]:]*", r":", "it has a start and an end, as in `x[1:5]`: a slice has no step"),
    # choices
    Notation(
        r"\bwhere\([^()]*",
        r":",
        "a choice has commas, `where(condition, a, b)`; pieces with `:` are `cases(c1: a, c2: b, else: c)`",
    ),
    Notation(r"\bcases\(.*", r";", "pieces are separated by commas, as in `cases(c1: a, c2: b, else: c)`"),
    Notation(r"\bcases\(.*:.*,[^:]*", r"\)", "the last piece begins with `else:`, as in `cases(c: a, else: b)`"),
    # definitions and statements
    Notation(rf"^\s*(?P<of>{_NAME})\s*", r":=", "a definition is written `{of} = …`"),
    Notation(rf"^\s*(?P<of>{_NAME})\s*=\s*{_NAME}\s*", r"->", "a local function is written `{of}(u) = …`"),
    Notation(
        rf"^\s*(?P<of>{_NAME})\s*=\s*", r"\[", "a vector is a parameter: `loss name(t, x; {of}: vector = [1, 2])`"
    ),
    Notation(r"^\s*", r"//|;|/\*|<!--", _COMMENT),
    # numbers
    Notation("", r"(?P<number>\d[\d.]*[eE][-+]?\d+)[^\W\d]", "a number has no suffix: `{number}`"),
    # signs and words between two values
    Notation(r"<\s*", r">", "unequal is `a != b`"),
    Notation(r"=\s*", r"[<>]", "the `=` comes last: `a <= b`, `a >= b`"),
    Notation(rf"(?P<of>{_NAME}|\d+|\))\s+", r"mod\b", "a remainder is `mod(a, b)`"),
    Notation(rf"(?:{_NAME}|\d+|\))\s+", r"xor\b", "of two conditions one is `(a or b) and not (a and b)`"),
    Notation(r"(?:^|\W)(?:ln|Ln|LN)\s+", rf"(?P<of>{_NAME}|\d+)", "`ln` is `log({of})` here"),
    Notation(r"(?:^|\W)[ΣƩ∑]\s*", rf"(?P<of>{_NAME})", "write `sum({of})`"),
    Notation(r"^\s*cases?\s+", _NAME, "pieces are written `cases(c1: a, c2: b, else: c)`"),
    Notation(r"\bwhere\s+", _NAME, "a choice is written `where(condition, a, b)`"),
    Notation(r"\b(?:KL|kl|D_KL|D)\([^()|]*", r"\|", "the divergence is `kl_divergence(t, x)`"),
    Notation(r"\b[Pp]\([^()|]*", r"\|", "the probability of the class that a label names is `softmax(x)[t]`"),
    Notation(
        r"\b(?P<function>sum|prod)\s+(?:over\s+)?",
        rf"(?P<of>{_NAME})\s*=",
        "a sum over an index is written `{function}[{of}](x[{of}])`",
    ),
    Notation(
        r"\b(?P<function>sum|mean|prod|max|min)\s+",
        r"(?:over|along|across)\s+(?:the\s+)?(?P<of>\w+)",
        "axes stand in square brackets: `{function}[{of}](e)`",
    ),
    Notation(
        r"\b(?P<function>sum|mean|prod|max|min)\[(?P<at>\w+)\]\s*",
        rf"(?P<of>{_NAME})",
        "an aggregate has round brackets: `{function}[{at}]({of})`",
    ),
    # functions, losses and their arguments
    Notation(
        r"\b(?P<loss>[A-Z]\w*[a-z]\w*)\([^()]*\)\s*", r"\(", "a loss is a function of its inputs, as in `{loss}(t, x)`"
    ),
    Notation(
        rf"\b(?P<function>{_NAME})\s*\^\s*(?P<power>-?\d+)\s*",
        rf"(?P<of>{_NAME})",
        "a power stands behind the brackets: `{function}({of})^{power}`",
    ),
    Notation(rf"\b(?P<function>{_NAME})\s+", rf"(?P<of>{_NAME})", "a function has brackets: `{function}({of})`"),
    Notation(
        rf"^(?!loss |allow |example ).*{_NAME}\([^()]*;[^=;()]*",
        r"\)",
        "a parameter has its name, as in `huber(t, x; delta = 0.5)`",
    ),
    Notation(
        rf"\b(?P<keyword>{_NAME})\s*=\s*",
        r"[\"'“‘]",
        "a parameter is a number, `true` or `false`: a text means nothing in a formula",
    ),
    Notation(
        rf"(?:{_NAME}|[)\]])",
        r"['′](?![^'′\n]*['′])",
        "remove it: there are no transposes and derivatives, and a name has letters, digits and `_`",
    ),
    Notation(r"(?:^|[^\w)\]])", r"\.(?![\d.*/^+-])", "a number has digits, as in `0.5`"),
)
"""In the order in which they are tried."""


def better(error: LossSyntaxError, source: Source, at: int) -> LossSyntaxError:
    """An error with the hint of the notation that its place is part of, if it is part of one."""
    hint = notation_hint(source, at)
    return error if hint is None else LossSyntaxError(error.message, error.span, hint)


def notation_hint(source: Source, at: int) -> str | None:
    """What to do about the notation that breaks off at a place of a text; None if it is none that is known."""
    begin = source.text.rfind("\n", 0, at) + 1
    before = unicodedata.normalize("NFKC", source.text[max(begin, at - _REACH) : at])
    there = source.text[at : at + _REACH]
    for row in NOTATIONS:
        place = _patterns(row)[1].match(there)
        found = place and _patterns(row)[0].search(before)
        if found and place:
            hint = _filled(row, {**found.groupdict(), **place.groupdict()})
            if hint is not None:
                return hint
    return None


_REACH = 200
"""As much is looked at before and behind a place."""


@cache
def _patterns(row: Notation) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(f"(?:{row.before})$"), re.compile(row.there)


def _filled(row: Notation, parts: dict[str, str]) -> str | None:
    """The hint of a row with the parts of its patterns; None where a part is not what its name says."""
    if "function" in parts and parts["function"] not in function_names():
        return None
    if "keyword" in parts and (hint := keyword_hint(parts["keyword"])) is not None:
        return hint
    if "loss" in parts:
        parts["loss"] = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parts["loss"]).lower()
    return row.hint.format(**parts)

"""What a text of known words and signs that breaks the grammar was probably meant to be."""

from __future__ import annotations

import re

from lossdsl.errors import LossSyntaxError
from lossdsl.frontend.foreign import character_hint, keyword_hint
from lossdsl.frontend.lexical_errors import explain_allow, explain_word, is_allow
from lossdsl.ir.ops import function_names
from lossdsl.source import Source, Span


def explain_token(source: Source, kind: str, start: int, end: int, expected: set[str]) -> LossSyntaxError:
    """A word or sign that is known, in a place where the grammar has no use for it."""
    span = Span(source, start, max(end, start + 1))
    written = source.text[start:end]
    line = source.text[source.text.rfind("\n", 0, start) + 1 : start].strip()
    if is_allow(source.text, start):
        return explain_allow(source, start, end)
    if kind == "REASON":
        return LossSyntaxError("`\"` has no meaning here", span, character_hint('"'))
    if kind in ("$END", "_NL"):
        return _too_early(source, kind, start, line, expected)
    found = _foreign_sign(source, span, line, expected)
    if found is not None:
        return found
    if kind in ("NAME", "NUMBER") or (kind.isalpha() and written.isalpha()):
        return explain_word(source, start, end)
    if "NUMBER" in expected and source.text[start - 1 : end] == "::":
        return LossSyntaxError("a slice has no step", span, "it has a start and an end, as in `x[1:5]`")
    if "NUMBER" in expected:
        return LossSyntaxError(f"`{written}` stands where a value belongs", span, "something is missing before it")
    if written in (":", ",") and (is_lambda := _as_a_function(source.text, start)):
        return LossSyntaxError("a loss is no function of Python's", span, is_lambda)
    is_call = kind in ("LPAR", "LSQB") and expected & {"SCALE", "SIGN"}
    hint = _missing_operator_hint(line) if is_call else character_hint(written)
    return LossSyntaxError(f"`{written}` cannot stand here", span, hint or _line_hint(f"{line}{written}", expected))


def _too_early(source: Source, kind: str, start: int, line: str, expected: set[str]) -> LossSyntaxError:
    """A text or line that ends where more belongs."""
    is_text = kind == "$END"
    if is_text and not any(each.strip() and not each.lstrip().startswith("#") for each in source.text.split("\n")):
        at = Span(source, 0, 0)
        return LossSyntaxError("there is no loss in this text", at, "a formula such as `(t - x)^2` is a loss")
    before = source.text if is_text else source.text[:start]
    last = max(0, len(before.rstrip()) - 1)
    what, hint = ("text", _missing(expected)) if is_text else ("line", _line_hint(line, expected))
    return LossSyntaxError(f"the {what} ends too early", Span(source, last, last + 1), hint)


def _foreign_sign(source: Source, span: Span, line: str, expected: set[str]) -> LossSyntaxError | None:
    """A sign that means something else in another language."""
    start, written = span.start, source.text[span.start : span.end]
    starts_operand = "NUMBER" in expected
    if written == "=" and "EQUAL" not in expected:
        return LossSyntaxError("`=` cannot stand here", span, _equals_hint(source.text, start, line))
    if written == "/" and source.text[start - 1 : start] == "/":
        hint = "write `floor(a/b)`; a comment begins with `#`"
        return LossSyntaxError("`//` has no meaning here", Span(source, start - 1, span.end), hint)
    if source.text.startswith("/*", start):
        return LossSyntaxError("`/*` has no meaning here", Span(source, start, start + 2), "a comment begins with `#`")
    if written == "[" and starts_operand:
        return LossSyntaxError("`[` stands where a value belongs", span, "a list stands in examples only")
    if written == "," and (number := _comma_number(source.text, start)):
        return LossSyntaxError("`,` cannot stand here", Span(source, *number), "a decimal is written with a point")
    if written in ("<", ">", "<=", ">=", "==", "!=") and starts_operand:
        return LossSyntaxError(f"`{written}` has nothing on its left", span, "a comparison has a number on each side")
    return None


def _as_a_function(text: str, at: int) -> str | None:
    """What to do about `lambda: …` and `(t, x) -> …`."""
    line = text[text.rfind("\n", 0, at) + 1 :].split("\n")[0]
    if re.match(r"\s*(lambda\b|\(\s*\w+\s*(,\s*\w+\s*)*\)\s*[-=]>)", line):
        return "write the formula alone: t is the target and x the prediction, or what `loss name(t, x)` above it says"
    return None


def _missing_operator_hint(line: str) -> str:
    """What to do about a bracket behind a value, with so much of the line before it."""
    hint = "an operator is missing before it; a product is written `a*b`"
    power = re.search(r"([A-Za-z]\w*)\s*(?:\^|\*\*)\s*(-?\s*\d+)$", line)
    if power and power[1] in function_names():
        hint = f"a power stands behind the brackets: `{power[1]}(…)^{power[2]}`"
        if power[2].replace(" ", "") == "-1" and f"a{power[1]}" in function_names():
            hint = f"the inverse function is `a{power[1]}(…)`; {hint}"
    return hint


def _equals_hint(text: str, at: int, line: str) -> str:
    """What to do about a `=` that cannot stand in its place, with so much of the line before it."""
    if text[at + 1 : at + 2] in ("<", ">"):
        return f"write `{text[at + 1]}=`"
    if line.startswith("loss ") and line.endswith(")"):
        return "the formula stands on a line of its own below the header"
    if line.startswith("loss ") and ";" not in line:
        return "parameters follow a semicolon, as in `loss name(t, x; delta = 1.0)`"
    if line.startswith("example"):
        return "values follow the names of their inputs, and the last one `->`: `example t=[0], x=[1] -> 1.0`"
    if line[-1:] in ("+", "-", "*", "/", ":"):
        return "a value is defined once, by `name = …` on a line of its own"
    if line.count("[") > line.count("]"):
        return "an index runs over an axis, as in `sum[j](x[j])`; a filter leaves a part: `sum[j if j < 9](x[j])`"
    return _named_argument(text, at) or "a comparison is written `==`"


def _named_argument(text: str, at: int) -> str | None:
    """What to do about `axis=-1` in a call."""
    before = re.search(r"([(,])\s*([^\W\d]\w*)\s*$", text[:at])
    if before is None:
        return None
    if (hint := keyword_hint(before[2])) is not None and not (before[1] == "(" and before[2] in ("x", "y", "a", "b")):
        return hint
    if before[1] == ",":
        return "parameters of a loss follow a semicolon, as in `huber(t, x; delta = 0.5)`; a comparison is written `==`"
    return None


def _comma_number(text: str, at: int) -> tuple[int, int] | None:
    """Start and end of `0,5` around its comma."""
    start, end = at, at + 1
    while start > 0 and text[start - 1].isdigit():
        start -= 1
    while end < len(text) and text[end].isdigit():
        end += 1
    return (start, end) if start < at and end > at + 1 else None


def _header_hint(line: str, expected: set[str]) -> str | None:
    """What helps after this much of a header."""
    if line.endswith(("->", ":=")):
        return "the formula stands on a line of its own below the header"
    if re.fullmatch(r"loss [^( ]*-+", line):
        return "a name has letters, digits and `_`, as in `my_loss`"
    if line.endswith("):"):
        return "remove the `:`"
    if "(" not in line:
        return "its inputs are missing after it, as in `loss name(t, x)`"
    if line.endswith("()"):
        return "name the inputs, as in `loss name(t, x)`"
    return "a packed input has several names, as in `(m, s)`" if expected == {"COMMA"} else None


def _line_hint(line: str, expected: set[str]) -> str | None:
    """What helps after this much of a line."""
    if line.startswith("require ") and line.endswith(","):
        return "each condition is a line of its own, or they are joined by `and`"
    if re.match(r"example .*\w\s*:$", line):
        return "an input and its value have a `=` between them, as in `example t=[0], x=[1] -> 1.0`"
    if re.match(r"example .*=\s*\([^)]*,$", line):
        return "a list stands in square brackets, as in `t=[0, 1]`"
    if re.search(r"\w\s*:$", line) and "cases" not in line and line.startswith("("):
        return "a value is defined by `name = …` on a line of its own"
    if re.match(r"\(\s*\w+\s*,$", line):
        return "a loss is one formula, of t and x: there are no tuples"
    if re.match(r"\w+\s*=(?!.*\().*,$", line):
        return "what follows stands on a line of its own"
    if line.startswith("loss ") and (hint := _header_hint(line, expected)):
        return hint
    if line.startswith("example") and "->" not in line and "RPAR" not in expected:
        return "an example ends with its value, as in `example t=[0], x=[1] -> 1.0`"
    return _missing(expected)


def _missing(expected: set[str]) -> str | None:
    if "NUMBER" in expected:
        return "a value is missing after it"
    if "COLON" in expected and "RSQB" not in expected:
        return "a condition and its value have a `:` between them, as in `cases(c: a, else: b)`"
    if "NAME" in expected:
        return "a name belongs here"
    if "EQUAL" in expected and "RPAR" not in expected:
        return "`=` and a value are missing after it"
    if "RPAR" in expected:
        return "`)` is missing after it"
    return None

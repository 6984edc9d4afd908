"""What a text that breaks the grammar was probably meant to be."""

from __future__ import annotations

from lossdsl.errors import LossLimitError, LossSyntaxError, near_miss
from lossdsl.ir.ops import function_names
from lossdsl.source import Source, Span

_PAIRS = {"(": ")", "[": "]", "{": "}"}

_CHARACTERS = {
    "|": "write an absolute value as `abs(e)`, and `or` for a choice of conditions",
    "&": "write `and`",
    "!": "write `not`, or `!=` for unequal",
    "{": "use round brackets, and `cases(c1: a, c2: b, else: c)` for pieces",
    "}": "use round brackets, and `cases(c1: a, c2: b, else: c)` for pieces",
    ";": "put each definition on a line of its own; `;` stands only before parameters",
    "@": "write `dot(a, b)` or `sum(a*b)`",
    "%": "write `mod(a, b)`",
    "?": "a choice is written `where(condition, a, b)`",
    "~": "write `not`",
    "'": "only documentation is text, and it stands in triple double quotes",
    '"': 'only documentation is text, and it stands in triple double quotes, """like this"""',
    "−": "write the minus sign as `-`",
    "–": "write the minus sign as `-`",
    "×": "write a product as `*`",
    "·": "write a product as `*`",
    "÷": "write a quotient as `/`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "²": "write a square as `^2`",
    "³": "write a cube as `^3`",
    "√": "write `sqrt(e)`",
    "∞": "write `inf`",
    "∑": "write `sum(e)`",
}

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"

_LINES = ("loss", "require", "expect", "allow", "example")
"""Words that a line may begin with."""

_PYTHON = {
    "lambda": "a local function is written `f(u) = expr`",
    "def": "a loss starts with `loss name(t, x)`, a local function is written `f(u) = expr`",
    "return": "the last line is the loss; no `return` is needed",
    "import": "a formula uses the functions of the language only",
}


def check_brackets(source: Source, deepest: int) -> None:
    """Raises for a bracket that has no partner, which names the culprit better than the parser can."""
    text = source.text
    stack: list[int] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "#":
            at = _end_of_line(text, at)
            continue
        if text.startswith('"""', at):
            end = text.find('"""', at + 3)
            if end < 0:
                raise LossSyntaxError(
                    "the documentation is not closed", Span(source, at, at + 3), 'close it with another `"""`'
                )
            at = end + 3
            continue
        if char == '"' and not stack and _is_allow(text, at):
            end = text.find('"', at + 1, _end_of_line(text, at))
            if end < 0:
                raise LossSyntaxError("the reason is not closed", Span(source, at, at + 1), 'close it with another `"`')
            at = end + 1
            continue
        if char in "([":
            stack.append(at)
            if len(stack) > deepest:
                raise LossLimitError(
                    f"brackets are nested more than {deepest} deep",
                    Span(source, at, at + 1),
                    "give the inner parts names: `e = …` on a line of its own",
                )
        elif char in _SUPERSCRIPTS:
            hint = f"write a power as `^{_SUPERSCRIPTS.index(char)}`"
            raise LossSyntaxError(f"`{char}` has no meaning here", Span(source, at, at + 1), hint)
        elif char in ")]":
            if not stack:
                raise LossSyntaxError(f"`{char}` closes nothing", Span(source, at, at + 1), "remove it")
            opened = stack.pop()
            if _PAIRS[text[opened]] != char:
                raise LossSyntaxError(
                    f"`{text[opened]}` is closed by `{char}`",
                    Span(source, at, at + 1),
                    f"write `{_PAIRS[text[opened]]}`",
                )
        at += 1
    if stack:
        opened = stack[-1]
        raise LossSyntaxError(
            f"`{text[opened]}` is never closed", Span(source, opened, opened + 1), f"add `{_PAIRS[text[opened]]}`"
        )


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _is_allow(text: str, at: int) -> bool:
    """Whether `at` stands in a line that begins with `allow`."""
    return text[text.rfind("\n", 0, at) + 1 : at].split()[:1] == ["allow"]


_ALLOW = "as in `allow unused-parameter \"kept for old configurations\"`"


def _explain_allow(source: Source, start: int, end: int) -> LossSyntaxError:
    """What breaks off or goes wrong in an `allow` line, of which all before `start` is right."""
    text = source.text
    begin = text.rfind("\n", 0, start) + 1
    before = text[begin:start].rstrip()
    if '"' not in before:
        before = before.partition("#")[0].rstrip()
    wrong = text[start:end].strip()
    last = begin + len(before) - 1
    span = Span(source, start, end) if wrong else Span(source, last, last + 1)
    if '"' in before:
        return LossSyntaxError(f"`{wrong}` stands behind the reason", span, "a line acknowledges one finding")
    if before.strip() == "allow":
        return LossSyntaxError("the id of a finding belongs after `allow`", span, _ALLOW)
    if wrong[:1] == ",":
        return LossSyntaxError("a line acknowledges one finding", span, _ALLOW)
    return LossSyntaxError("a reason in double quotes belongs after the id", span, _ALLOW)


def explain_character(source: Source, at: int) -> LossSyntaxError:
    """A character, or a word that stands where it cannot."""
    text = source.text
    char = text[at]
    if _is_allow(text, at):
        return _explain_allow(source, at, at + max(1, len(text[at : _end_of_line(text, at)].split("#")[0].rstrip())))
    if char == "." and at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_)]"):
        return _dotted(source, at)
    if char in "|\"'" and (closing := text.find(char, at + 1, _end_of_line(text, at))) > 0:
        absolute = f"write the absolute value as `abs({text[at + 1 : closing].strip()})`"
        help_ = absolute if char == "|" else _CHARACTERS[char]
        return LossSyntaxError(f"`{char}` has no meaning here", Span(source, at, closing + 1), help_)
    if char.isdigit() or char == ".":
        end = at
        while end < len(text) and (text[end].isalnum() or text[end] in "._"):
            end += 1
        written = text[at:end]
        cut = next((i for i, c in enumerate(written) if c.isalpha()), len(written))
        hint = f"write the product as `{written[:cut]}*{written[cut:]}`" if 0 < cut < len(written) else None
        return LossSyntaxError(f"`{written}` is not a number", Span(source, at, max(end, at + 1)), hint)
    if char.isalpha() or char == "_":
        end = at
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        return _word(source, at, end)
    shown = f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
    return LossSyntaxError(f"{shown} has no meaning here", Span(source, at, at + 1), _CHARACTERS.get(char))


def _dotted(source: Source, at: int) -> LossSyntaxError:
    """`np.abs` or `x.mean`: the part after the dot is what was meant."""
    start, end = at, at + 1
    while start > 0 and (source.text[start - 1].isalnum() or source.text[start - 1] == "_"):
        start -= 1
    while end < len(source.text) and (source.text[end].isalnum() or source.text[end] == "_"):
        end += 1
    word = source.text[at + 1 : end]
    hint = f"write `{word}(…)`" if word in function_names() else None
    return LossSyntaxError("a name has no parts after a dot", Span(source, start, end), hint)


def _word(source: Source, start: int, end: int) -> LossSyntaxError:
    word = source.text[start:end]
    before = source.text[:start].rstrip(" \t")
    previous = before[before.rfind("\n") + 1 :].split()[-1:] or [""]
    alone = before[before.rfind("\n") + 1 :].strip()
    meant = near_miss(alone, _LINES)
    if alone.isidentifier() and alone not in _LINES and meant is not None:
        begin = before.rfind(alone)
        return LossSyntaxError(
            f"no line begins with `{alone}`", Span(source, begin, begin + len(alone)), f"did you mean `{meant}`?"
        )
    if word in ("lambda", "for", "else", "in", "if", *_LINES, "self", "true", "false"):
        hint = {
            "if": "a choice is written `where(condition, a, b)`; a filter `sum[j if condition](e)`",
            "else": "a choice is written `where(condition, a, b)` or `cases(c: a, else: b)`",
            "for": "a sum over an index is written `sum[j](x[j])`",
        }.get(word)
        return LossSyntaxError(f"the word `{word}` cannot stand here", Span(source, start, end), hint)
    if previous[0] in _PYTHON:
        first = before.rfind(previous[0])
        return LossSyntaxError(
            f"`{previous[0]}` is not part of the language",
            Span(source, first, first + len(previous[0])),
            _PYTHON[previous[0]],
        )
    return LossSyntaxError(
        f"`{word}` follows something that it does not belong to",
        Span(source, start, end),
        "an operator is missing before it; a product is written `a*b`",
    )


def explain_token(source: Source, kind: str, start: int, end: int, expected: set[str]) -> LossSyntaxError:
    """A word or sign that is known, in a place where the grammar has no use for it."""
    span = Span(source, start, max(end, start + 1))
    written = source.text[start:end]
    starts_operand = "NUMBER" in expected
    if _is_allow(source.text, start):
        return _explain_allow(source, start, end)
    if kind == "REASON":
        return LossSyntaxError("`\"` has no meaning here", span, _CHARACTERS['"'])
    if kind == "$END":
        last = max(0, len(source.text.rstrip()) - 1)
        if not any(line.strip() and not line.lstrip().startswith("#") for line in source.text.split("\n")):
            at = Span(source, 0, 0)
            return LossSyntaxError("there is no loss in this text", at, "a formula such as `(t - x)^2` is a loss")
        return LossSyntaxError("the text ends too early", Span(source, last, last + 1), _missing(expected))
    line = source.text[source.text.rfind("\n", 0, start) + 1 : start].strip()
    hint: str | None
    if kind == "_NL":
        last = max(0, len(source.text[:start].rstrip()) - 1)
        return LossSyntaxError("the line ends too early", Span(source, last, last + 1), _line_hint(line, expected))
    if written == "=" and "EQUAL" not in expected:
        hint = "a comparison is written `==`"
        if line.startswith("loss ") and ";" not in line:
            hint = "parameters follow a semicolon, as in `loss name(t, x; delta = 1.0)`"
        elif line[-1:] in ("+", "-", "*", "/"):
            hint = "a value is defined once, by `name = …`"
        return LossSyntaxError("`=` cannot stand here", span, hint)
    if written == "/" and source.text[start - 1 : start] == "/":
        return LossSyntaxError("`//` has no meaning here", Span(source, start - 1, end), "write `floor(a/b)`")
    if written == "[" and starts_operand:
        return LossSyntaxError("`[` stands where a value belongs", span, "a list stands in examples only")
    if written == "," and (number := _comma_number(source.text, start)):
        return LossSyntaxError("`,` cannot stand here", Span(source, *number), "a decimal is written with a point")
    if written in ("<", ">", "<=", ">=", "==", "!=") and starts_operand:
        return LossSyntaxError(f"`{written}` has nothing on its left", span, "a comparison has a number on each side")
    if kind == "NAME" or kind == "NUMBER" or (kind.isalpha() and written.isalpha()):
        if (written.isalpha() and not starts_operand) or kind == "NUMBER":
            return _word(source, start, end)
        return _word(source, start, end)
    if starts_operand:
        return LossSyntaxError(f"`{written}` stands where a value belongs", span, "something is missing before it")
    hint = _CHARACTERS.get(written)
    if kind in ("LPAR", "LSQB") and expected & {"SCALE", "SIGN"}:
        hint = "an operator is missing before it; a product is written `a*b`"
    return LossSyntaxError(f"`{written}` cannot stand here", span, hint or _line_hint(f"{line}{written}", expected))


def _comma_number(text: str, at: int) -> tuple[int, int] | None:
    """Start and end of `0,5` around its comma."""
    start, end = at, at + 1
    while start > 0 and text[start - 1].isdigit():
        start -= 1
    while end < len(text) and text[end].isdigit():
        end += 1
    return (start, end) if start < at and end > at + 1 else None


def _line_hint(line: str, expected: set[str]) -> str | None:
    """What helps after this much of a line."""
    if line.startswith("loss "):
        if line.endswith("):"):
            return "remove the `:`"
        if "(" not in line:
            return "its inputs are missing after it, as in `loss name(t, x)`"
        if line.endswith("()"):
            return "name the inputs, as in `loss name(t, x)`"
        if expected == {"COMMA"}:
            return "a packed input has several names, as in `(m, s)`"
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

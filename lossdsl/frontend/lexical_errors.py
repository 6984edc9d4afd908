"""What a character or word that stands where it cannot was probably meant to be."""

from __future__ import annotations

import re
import unicodedata

from lossdsl.errors import LossSyntaxError, near_miss
from lossdsl.frontend.foreign import character_hint, function_hint, latex_hint, loss_hint, name_hint, statement_hint
from lossdsl.ir.ops import CONSTANTS, OPS, function_names
from lossdsl.source import Source, Span

_LINES = ("loss", "require", "expect", "allow", "example")
"""Words that a line may begin with."""


def explain_character(source: Source, at: int) -> LossSyntaxError:
    """A character, or a word that stands where it cannot."""
    text = source.text
    char = text[at]
    rest = text[at : end_of_line(text, at)]
    if is_allow(text, at):
        return explain_allow(source, at, at + max(1, len(rest.split("#")[0].rstrip())))
    if (dotted := re.match(r"\.([*/^+-])", rest)) is not None:
        plain = f"write `{dotted[1]}`: operators go element by element anyway"
        return LossSyntaxError(f"`{dotted[0]}` is no operator", Span(source, at, at + 2), plain)
    if char == "." and at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_)]"):
        return _dotted(source, at)
    if char == "\\" and (command := re.match(r"\\([A-Za-z]+|.?)", rest)):
        return _latex(source, at, command[1])
    if (pair := _PAIRED.match(rest)) is not None:
        return _paired(source, at, pair)
    if (sign := next(filter(rest.startswith, _LONG), None)) is not None:
        return LossSyntaxError(f"`{sign}` has no meaning here", Span(source, at, at + len(sign)), _LONG[sign])
    if (hint := _hint_here(text[:at], rest)) is not None:
        return LossSyntaxError(f"`{char}` has no meaning here", Span(source, at, at + 1), hint)
    if char.isdecimal() or char == ".":
        return _number(source, at)
    if char.isalpha() or char == "_":
        return explain_word(source, at, at + len(re.split(r"\W", rest, maxsplit=1)[0]))
    shown = f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
    return LossSyntaxError(f"{shown} has no meaning here", Span(source, at, at + 1), _character_hint(char))


def _hint_here(before: str, rest: str) -> str | None:
    """What to do about a sign that means something else where it stands: behind a number or name, in a header."""
    line = before.rpartition("\n")[2]
    match rest[0]:
        case "!" if before[-1:].isalnum() and not rest.startswith("!="):
            return "a factorial is `exp(lgamma(a + 1))`; unequal is `a != b`"
        case "%" if (number := re.search(r"\d[\d.]*$", before)) and not re.match(r"%\s*[\w(]", rest):
            return f"write it as `{float(number[0][:300]) / 100:g}`"
        case "{" if line.startswith("loss ") and ";" in line:
            return "parameters follow the semicolon as they are, as in `loss name(t, x; delta = 1.0)`"
        case "@" if not before.strip():
            return "a loss has no decorators: it begins with `loss name(t, x)`"
    return None


def _character_hint(char: str) -> str | None:
    hint = character_hint(char)
    if hint is None and not char.isprintable():
        return "remove it, or write a plain space"
    if hint is None and unicodedata.category(char) in ("Sm", "So", "Sk", "Po", "Ps", "Pe"):
        return "operators are `+ - * / ^`, comparisons `== != < <= > >=`; all else is a function by name"
    return hint


_LONG = {"...": "leave it out: an index names its axis, or stands for the last one", "~=": "write `a != b`"}
"""Signs of several characters."""

_PAIRED = re.compile(
    r"""(?P<norm>(?:\|\||‖|∥|ǁ)(?P<of>[^|‖∥ǁ\n]+)(?:\|\||‖|∥|ǁ))   # ||a||
    | (?P<abs>[|∣](?P<value>[^|∣\n]+)[|∣])                          # |a|
    | (?P<floor>⌊(?P<down>[^⌋\n]+)⌋) | (?P<ceil>⌈(?P<up>[^⌉\n]+)⌉)
    | (?P<dot>[⟨〈](?P<both>[^⟩〉\n]+)[⟩〉])
    | (?P<math>\$+(?P<formula>[^$\n]+)\$+)
    | (?P<quotes>["'“‘`](?P<text>[^"'”’`\n]*)["'”’`])
    """,
    re.VERBOSE,
)
"""What is written between two signs elsewhere."""


def _paired(source: Source, at: int, pair: re.Match[str]) -> LossSyntaxError:
    """Something between two signs: a norm, an absolute value, mathematics in LaTeX, a text."""
    span = Span(source, at, at + pair.end())
    kind = pair.lastgroup and next(name for name in _PAIR_KINDS if pair[name])
    sign = pair[0][: 2 if pair[0][:2] in ("||", "$$") else 1]
    if kind == "norm" and source.text[at : at + pair.end() + 2][pair.end() :].startswith("_1"):
        hint = f"write the sum of absolute values as `sum(abs({pair['of'].strip()}))`"
    elif kind == "norm":
        hint = f"write the Euclidean norm as `norm({pair['of'].strip()})`"
    elif kind == "abs" and re.search(r"[-+*/^,(]\s*$", pair["value"]):
        span = Span(source, at, at + 1)
        hint = "write an absolute value as `abs(a)`: of bars within bars nobody knows which belong together"
    elif kind == "abs":
        hint = f"write the absolute value as `abs({pair['value'].strip()})`"
    elif kind in ("floor", "ceil"):
        hint = f"write `{kind}({(pair['down'] or pair['up']).strip()})`"
    elif kind == "dot":
        hint = f"write the inner product as `dot({pair['both'].strip()})`"
    elif kind == "math":
        hint = "remove the `$`: a formula stands as it is, in plain text and without LaTeX"
    elif re.search(r"(^|\n)[ \t]*(use|import|include|from|load)[ \t]+$", source.text[:at]):
        hint = 'files are used as in `use "fair.loss"`'
    else:
        hint = 'only documentation is text, and it stands in triple double quotes, """like this"""'
    return LossSyntaxError(f"`{sign}` has no meaning here", span, hint)


_PAIR_KINDS = ("norm", "abs", "floor", "ceil", "dot", "math", "quotes")


def _latex(source: Source, at: int, command: str) -> LossSyntaxError:
    """A command of LaTeX, or a backslash at the end of a line."""
    if not command.strip():
        hint = "remove it: a line goes on inside brackets"
        return LossSyntaxError("`\\` has no meaning here", Span(source, at, at + 1), hint)
    end = at + 1 + len(command)
    if not command.isalpha():
        hint = latex_hint("Vert") if command == "|" else "remove it: space and line breaks mean nothing here"
        return LossSyntaxError(f"`\\{command}` is LaTeX", Span(source, at, end), hint)
    hint = latex_hint(command, source.text[end : end + 40])
    return LossSyntaxError(f"`\\{command}` is LaTeX", Span(source, at, end), hint)


def _number(source: Source, at: int) -> LossSyntaxError:
    """What begins like a number and is none."""
    text = source.text
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] in "._"):
        end += 1
    written = text[at:end]
    cut = next((i for i, c in enumerate(written) if c.isalpha()), len(written))
    hint = f"write the product as `{written[:cut]}*{written[cut:]}`" if 0 < cut < len(written) else None
    if re.fullmatch(r"\d[\d_]*", written):
        hint = f"write it without `_`: `{written.replace('_', '')}`"
    elif re.fullmatch(r"0[xXbBoO]\w+", written):
        hint = "numbers are decimal"
    elif not written.isascii() and written[:1].isdecimal():
        hint = "write digits as `0` to `9`"
    elif written.count(".") > 1:
        hint = "a number has one point; a range is `x[1:5]`"
    elif re.fullmatch(r"\d*\.?\d*[fFdDlL]", written):
        hint = f"write it as `{written[:-1]}`"
    return LossSyntaxError(f"`{written}` is not a number", Span(source, at, max(end, at + 1)), hint)


def _without_module(module: str, word: str) -> str | None:
    """What is written in the place of a name with a dot in it."""
    is_module = module.split(".")[0] in _MODULES
    if word in function_names():
        called = "" if word in CONSTANTS else "(…)" if is_module or not module else f"({module}{_rest(word)})"
        return f"write `{word}{called}`"
    hint = function_hint(word, function_names()) or name_hint(word)
    if hint is None and is_module:
        hint = loss_hint(word) or "a formula uses the functions of the language only"
    return hint


def _dotted(source: Source, at: int) -> LossSyntaxError:
    """`np.abs`, `tf.math.log` or `x.mean`: the part after the last dot is what was meant."""
    start = at - len(re.split(r"\W", source.text[:at])[-1])
    end = at + len(re.split(r"[^\w.]", source.text[at:], maxsplit=1)[0])
    module, _, word = source.text[start:end].rstrip(".").rpartition(".")
    hint = _without_module(module, word)
    if hint is None and source.text[end:].strip() == "" and start == len(source.text) - len(source.text.lstrip()):
        hint = "if this names a file: the name of a loss ends in `.loss`; any other is given as a `pathlib.Path`"
    elif hint is None:
        hint = f"leave it out: `{module}` is a number here, and no object of Python's" if module else None
    return LossSyntaxError("a name has no parts after a dot", Span(source, start, end), hint)


def _rest(word: str) -> str:
    """What follows the first argument of a function that was written as a method."""
    return ", …" if len(getattr(OPS.get(word), "args", ())) > 1 or word == "dot" else ""


_MODULES = ("np", "numpy", "math", "tf", "tensorflow", "K", "keras", "backend", "ops", "torch", "F", "nn", "jnp", "jax",
            "lax", "sp", "scipy", "special", "stats", "cmath", "T", "sympy")  # fmt: skip
"""What modules are called where formulas are written in Python."""


def explain_word(source: Source, start: int, end: int) -> LossSyntaxError:
    word = source.text[start:end]
    before = source.text[:start].rstrip(" \t")
    previous = before[before.rfind("\n") + 1 :].split()[-1:] or [""]
    alone = before[before.rfind("\n") + 1 :].strip()
    if (hint := statement_hint(previous[0])) is not None:
        first = before.rfind(previous[0])
        span = Span(source, first, first + len(previous[0]))
        return LossSyntaxError(f"`{previous[0]}` is not part of the language", span, hint)
    if alone.startswith("places "):
        message = f"`{word}` follows another name without a comma"
        return LossSyntaxError(message, Span(source, start, end), "places are named as in `places row, col`")
    if alone == "use":
        message = f"`{word}` is no file: a name in quotes is"
        return LossSyntaxError(message, Span(source, start, end), 'files are used as in `use "fair.loss"`')
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
            "loss": "a loss has a name of its own, one word: `loss my_loss(t, x)`",
            "self": "leave it out: a loss has inputs only, and `self` is the position at hand, in brackets",
            "in": "it stands in square brackets, as in `sum[j in batch](x[j])`",
        }.get(word, f"`{word}` is a word of the language: give what it names another name" if word in _LINES else None)
        return LossSyntaxError(f"the word `{word}` cannot stand here", Span(source, start, end), hint)
    if word == "is":
        hint = "a comparison is written `==`"
        return LossSyntaxError("the word `is` cannot stand here", Span(source, start, end), hint)
    if word in ("where", "otherwise", "when", "subject"):
        hint = "pieces are written `cases(c1: a, c2: b, else: c)`"
        return LossSyntaxError(f"the word `{word}` cannot stand here", Span(source, start, end), hint)
    if previous[0].endswith(";") or alone.endswith(";"):
        hint = "arguments are separated by commas; parameters of a loss have names, as in `huber(t, x; delta = 0.5)`"
        return LossSyntaxError(f"`{word}` stands behind a semicolon without a name", Span(source, start, end), hint)
    if previous[0] in function_names() and previous[0] not in CONSTANTS:
        hint = f"a function has brackets: `{previous[0]}({word})`"
        return LossSyntaxError(f"`{word}` follows `{previous[0]}` without brackets", Span(source, start, end), hint)
    return LossSyntaxError(
        f"`{word}` follows something that it does not belong to",
        Span(source, start, end),
        "an operator is missing before it; a product is written `a*b`",
    )


# --- `allow` lines ------------------------------------------------------------------------------------------------


def end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def is_allow(text: str, at: int) -> bool:
    """Whether `at` stands in a line that begins with `allow`."""
    return text[text.rfind("\n", 0, at) + 1 : at].split()[:1] == ["allow"]


_ALLOW = "as in `allow unused-parameter \"kept for old configurations\"`"


def explain_allow(source: Source, start: int, end: int) -> LossSyntaxError:
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

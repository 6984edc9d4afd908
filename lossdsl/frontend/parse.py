"""Text into a syntax tree, by way of lark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from lossdsl.errors import LossLimitError, LossSyntaxError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.brackets import check_brackets
from lossdsl.frontend.lexical_errors import explain_character
from lossdsl.frontend.notations import better
from lossdsl.frontend.syntax_errors import explain_token
from lossdsl.frontend.tree_builder import TreeBuilder
from lossdsl.source import Source, Span

MAX_LENGTH = 200_000
MAX_NESTING = 60


def parse(source: Source) -> s.FileText:
    """The losses of a text.

    Raises LossSyntaxError where the text does not follow `grammars/lossdsl.lark`, LossLimitError where it is too long
    or nested too deeply.
    """
    lines = _lines(source)
    uses = tuple(line for line in lines if isinstance(line, s.Use))
    for line in lines[len(uses) :]:
        if isinstance(line, s.Use):
            raise LossSyntaxError("files are used before the first loss", line.span, "move the line to the top")
    return s.FileText(source, tuple(_group(source, lines[len(uses) :])), uses)


@cache
def parse_expression(text: str) -> s.Node:
    """One expression of the project's own (a row of a table), which is known to be right."""
    (line,) = _lines(Source(text, "<table>"))
    if not isinstance(line, s.Formula):
        raise AssertionError(f"not an expression: {text}")
    return line.value


def tokens(source: Source) -> Iterator[tuple[str, Span]]:
    """The tokens of a text that `parse` accepts, in order, each with its kind; one of kind `_NL` ends each line."""
    for token in _parser().parse_interactive(source.text).iter_parse():
        yield token.type, Span(source, token.start_pos or 0, token.end_pos or 0)


def _lines(source: Source) -> list[s.Node]:
    if len(source.text) > MAX_LENGTH:
        message = f"the text has {len(source.text)} characters; at most {MAX_LENGTH} are read"
        raise LossLimitError(message, None, "split it")
    if half := re.search("[\ud800-\udfff]", source.text):
        raise LossSyntaxError(
            f"U+{ord(half[0]):04X} is half a character, which no text holds",
            Span(source, half.start(), half.end()),
            "save the text as UTF-8 in its editor",
        )
    check_brackets(source, MAX_NESTING)
    try:
        lines: list[s.Node] = TreeBuilder(source).transform(_parser().parse(source.text))
    except UnexpectedInput as error:
        raise _explained(error, source) from None
    except VisitError as error:
        raise error.orig_exc from None
    return lines


def _explained(error: UnexpectedInput, source: Source) -> LossSyntaxError:
    if isinstance(error, UnexpectedCharacters):
        at: Any = error.pos_in_stream  # lark says that it is None
        return better(explain_character(source, at), source, at)
    if isinstance(error, UnexpectedToken):
        token = error.token
        end = len(source.text.rstrip())
        start = end if token.type == "$END" else token.start_pos or 0
        stop = start if token.type == "$END" else token.end_pos or start + 1
        found = explain_token(source, token.type, start, stop, set(error.accepts or error.expected))
        return found if token.type in ("$END", "_NL") else better(found, source, start)
    raise AssertionError("lark raised an error of an unknown kind")


def grammar_path() -> Path:
    """Where the grammar lies: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "grammars" / "lossdsl.lark"
    return inside if inside.exists() else package.parent / "grammars" / "lossdsl.lark"


@cache
def _parser() -> Lark:
    return Lark(
        grammar_path().read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        postlex=_LineBreaks(),
        propagate_positions=True,
        maybe_placeholders=True,
    )


class _LineBreaks:
    """Drops the line breaks that end no line: those inside brackets and before the first line."""

    always_accept = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        started = False
        for token in stream:
            if token.type == "_NL":
                if started and depth == 0:
                    yield token
                continue
            depth += token.value in ("(", "[")
            depth -= token.value in (")", "]")
            started = True
            yield token


def _group(source: Source, lines: list[s.Node]) -> Iterator[s.LossText]:
    """Lines into losses: a documentation string or a header starts a new one."""
    doc = ""
    header: s.Header | None = None
    body: list[s.Node] = []
    for line in lines:
        if isinstance(line, s.Docstring | s.Header) and (header is not None or body):
            yield _loss_text(doc, header, body)
            doc, header, body = "", None, []
        if isinstance(line, s.Docstring):
            doc = line.text
        elif isinstance(line, s.Header):
            header = line
        else:
            body.append(line)
    if header is None and not body:
        span = lines[0].span if lines else None
        raise LossSyntaxError("there is no loss in this text", span, "a formula such as `(t - x)^2` is a loss")
    yield _loss_text(doc, header, body)


def _loss_text(doc: str, header: s.Header | None, body: list[s.Node]) -> s.LossText:
    first: s.Node = header if header is not None else body[0]
    return s.LossText(doc, header, tuple(body), first.span | (body[-1].span if body else first.span))

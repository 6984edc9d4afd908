"""Texts that cannot be read as a loss at all: each kind of error has a row."""

from __future__ import annotations

from lossdsl.checks.finding import Finding, Row
from lossdsl.errors import (
    LossError,
    LossFileError,
    LossLimitError,
    LossNameError,
    LossParameterError,
    LossShapeError,
    LossSyntaxError,
    LossTypeError,
)
from lossdsl.source import Span

SYNTAX = Row(
    "syntax-error",
    "Not the language",
    "error",
    "The text does not follow the grammar.",
    "(t - x^2",
    "(t - x)^2",
)
NAME = Row(
    "name-error",
    "Unknown name",
    "error",
    "A name means nothing here, or may not be used for this.",
    "loss mine(t, x)\nsquare(t - y)",
    "loss mine(t, x)\nsquare(t - x)",
)
TYPE = Row(
    "type-error",
    "Kinds or axes that do not fit",
    "error",
    "A number stands where a condition belongs, a label where a number belongs, or an axis is not there.",
    "where(t - x, t, x)",
    "where(t < x, t, x)",
)
PARAMETER = Row(
    "parameter-error",
    "Parameter out of range",
    "error",
    "A parameter has no value, does not exist, or has a default that its own `require` refuses.",
    "loss mine(t, x; delta = -1.0)\nrequire delta > 0\ndelta*(t - x)^2",
    "loss mine(t, x; delta = 1.0)\nrequire delta > 0\ndelta*(t - x)^2",
)
SHAPE = Row(
    "shape-error",
    "Example with shapes that do not fit",
    "error",
    "The tensors of an example do not agree in shape.",
    "loss mine(t, x)\n(t - x)^2\nexample t=[1, 2, 3], x=[1, 2] -> 0.0",
    "loss mine(t, x)\n(t - x)^2\nexample t=[1, 2, 3], x=[1, 2, 3] -> 0.0",
)
LIMIT = Row(
    "limit-error",
    "Too large",
    "error",
    "The text is too long, too deeply nested, or has too large an exponent.",
    f"{'(' * 400}x{')' * 400}",
    "x",
)
FILE = Row(
    "file-error",
    "No such file",
    "error",
    "The file or built-in is not there or cannot be read.",
    "no_such_loss.loss",
    "huber.loss",
)

ROWS = (SYNTAX, NAME, TYPE, PARAMETER, SHAPE, LIMIT, FILE)

_ROWS: dict[type[LossError], Row] = {
    LossSyntaxError: SYNTAX,
    LossNameError: NAME,
    LossTypeError: TYPE,
    LossParameterError: PARAMETER,
    LossShapeError: SHAPE,
    LossLimitError: LIMIT,
    LossFileError: FILE,
}


def from_error(error: LossError, span: Span | None = None) -> Finding:
    """An error as a finding; `span` is where, if the error does not know."""
    return _ROWS.get(type(error), SYNTAX).found(error.message, error.span or span, error.hint)

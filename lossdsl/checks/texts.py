"""Texts that cannot be read as a loss at all."""

from __future__ import annotations

from lossdsl.checks.finding import Finding, Row
from lossdsl.errors import (
    LossConfigError,
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
    "see docs/language.md for what a line may hold",
    allowable=False,
)
NAME = Row(
    "name-error",
    "Unknown name",
    "error",
    "A name means nothing here, or may not be used for this.",
    "loss mine(t, x)\nsquare(t - y)",
    "loss mine(t, x)\nsquare(t - x)",
    "define the name above its use, or declare it in the header",
    allowable=False,
)
TYPE = Row(
    "type-error",
    "Kinds or axes that do not fit",
    "error",
    "A number stands where a condition belongs, a label where a number belongs, or an axis is not there.",
    "where(t - x, t, x)",
    "where(t < x, x - t, t - x)",
    "compare where a condition is wanted; reduce an axis where one is left over",
    allowable=False,
)
PARAMETER = Row(
    "parameter-error",
    "Parameter out of range",
    "error",
    "A parameter has no value, does not exist, or has a default that its own `require` refuses.",
    "loss mine(t, x; delta = -1.0)\nrequire delta > 0\ndelta*(t - x)^2",
    "loss mine(t, x; delta = 1.0)\nrequire delta > 0\ndelta*(t - x)^2",
    "give a value that the `require` lines admit",
    allowable=False,
)
SHAPE = Row(
    "shape-error",
    "Example with shapes that do not fit",
    "error",
    "The tensors of an example do not agree in shape.",
    "loss mine(t, x)\n(t - x)^2\nexample t=[1, 2, 3], x=[1, 2] -> 0.0",
    "loss mine(t, x)\n(t - x)^2\nexample t=[1, 2, 3], x=[1, 2, 3] -> 0.0",
    "give target and prediction one shape; nothing is broadcast",
    allowable=False,
)
LIMIT = Row(
    "limit-error",
    "Too large",
    "error",
    "The text is too long, too deeply nested, or has too large an exponent.",
    f"{'(' * 400}x{')' * 400}",
    "x^2",
    "give inner parts names, each on a line of its own",
    allowable=False,
)
FILE = Row(
    "file-error",
    "No such file",
    "error",
    "The file or built-in is not there or cannot be read.",
    "no_such_loss.loss",
    "huber.loss",
    "`lossdsl list` names the built-in losses",
    allowable=False,
)
CONFIG = Row(
    "config-error",
    "Configuration that describes no loss",
    "error",
    "A YAML file or mapping does not say which loss is meant, or sets an option that does not exist.",
    "loss: {huber: {delta: 0.5}, reduction: smu}",
    "loss: {huber: {delta: 0.5}, reduction: sum}",
    "describe a loss by a name, a formula or a mapping, as in `huber` and `{huber: {delta: 0.5}}`",
    allowable=False,
)

ROWS = (SYNTAX, NAME, TYPE, PARAMETER, SHAPE, LIMIT, FILE, CONFIG)

_ROWS: dict[type[LossError], Row] = {
    LossSyntaxError: SYNTAX,
    LossNameError: NAME,
    LossTypeError: TYPE,
    LossParameterError: PARAMETER,
    LossShapeError: SHAPE,
    LossLimitError: LIMIT,
    LossFileError: FILE,
    LossConfigError: CONFIG,
}


def from_error(error: LossError, span: Span | None = None) -> Finding:
    """An error as a finding; `span` is where, if the error does not know."""
    return _ROWS.get(type(error), SYNTAX).found(error.message, error.span or span, error.hint)

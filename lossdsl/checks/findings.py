"""What `lossdsl check` can find: one finding, one row.

Each row has a loss that raises it and the same loss mended; the tests run both, and the documents show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lossdsl.errors import (
    LossError,
    LossFileError,
    LossLimitError,
    LossNameError,
    LossParameterError,
    LossShapeError,
    LossSyntaxError,
    LossTypeError,
    excerpt,
    render,
)
from lossdsl.source import Span

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Row:
    """A kind of finding: what it is called, how much it matters, what it means, and two examples."""

    id: str
    name: str
    severity: Severity
    meaning: str
    wrong: str = ""
    right: str = ""


@dataclass(frozen=True)
class Finding:
    """Something found in a loss. `known` says how: "read", "example run", "tested at 4 points", "proved"."""

    id: str
    severity: Severity
    message: str
    span: Span | None = None
    hint: str | None = None
    known: str = "read"

    def __str__(self) -> str:
        return render(f"{self.severity}[{self.id}]", self.message, self.span, self.hint)

    def excerpt(self) -> list[str]:
        """The line that it is about, with a line of carets; nothing where no line is to blame."""
        return [] if self.span is None else excerpt(self.span)


_ROWS = (
    Row("syntax-error", "Not the language", "error", "The text does not follow the grammar.",
        "(t - x^2", "(t - x)^2"),
    Row("name-error", "Unknown name", "error", "A name means nothing here, or may not be used for this.",
        "loss mine(t, x)\nsquare(t - y)", "loss mine(t, x)\nsquare(t - x)"),
    Row("type-error", "Kinds or axes that do not fit", "error",
        "A number stands where a condition belongs, a label where a number belongs, or an axis is not there.",
        "where(t - x, t, x)", "where(t < x, t, x)"),
    Row("parameter-error", "Parameter out of range", "error",
        "A parameter has no value, does not exist, or has a default that its own `require` refuses.",
        "loss mine(t, x; delta = -1.0)\nrequire delta > 0\ndelta*(t - x)^2",
        "loss mine(t, x; delta = 1.0)\nrequire delta > 0\ndelta*(t - x)^2"),
    Row("shape-error", "Example with shapes that do not fit", "error",
        "The tensors of an example do not agree in shape.",
        "loss mine(t, x)\n(t - x)^2\nexample t=[1, 2, 3], x=[1, 2] -> 0.0",
        "loss mine(t, x)\n(t - x)^2\nexample t=[1, 2, 3], x=[1, 2, 3] -> 0.0"),
    Row("limit-error", "Too large", "error", "The text is too long, too deeply nested, or has too large an exponent.",
        f"{'(' * 400}x{')' * 400}", "x"),
    Row("file-error", "No such file", "error", "The file or built-in is not there or cannot be read.",
        "no_such_loss.loss", "huber.loss"),
    Row("example", "Example with another value", "error",
        "The loss of an example is not what the file says, to the digits that are written.",
        "loss mine(t, x)\n(t - x)^2\nexample t=[0, 0], x=[1, 2] -> 5.0",
        "loss mine(t, x)\n(t - x)^2\nexample t=[0, 0], x=[1, 2] -> 2.5"),
    Row("value", "Stable form differs", "error",
        "The form that is computed has another value than the formula that was written: a mistake in lossdsl."),
    Row("gradient", "Gradient differs", "error",
        "The gradient is not the derivative of the formula that was written: a mistake in lossdsl."),
    Row("unused-definition", "Definition without use", "warning",
        "A name is defined, and nothing that follows uses it.",
        "e = t - x\nu = t + x\ne^2", "e = t - x\ne^2"),
    Row("unused-parameter", "Parameter without use", "warning",
        "A parameter of the header has no influence on the loss.",
        "loss mine(t, x; a = 1.0, b = 2.0)\na*(t - x)^2", "loss mine(t, x; a = 1.0)\na*(t - x)^2"),
    Row("unused-index", "Index without use", "warning",
        "An index is bound, and what it runs over does not depend on it: the same value is taken many times.",
        "sum[j in batch]((t - x)^2)", "sum[j in batch]((t - x[j])^2)"),
    Row("untested-gradient", "Gradient not tested", "info",
        "No point was found at which to compare the gradient with a difference quotient, or the loss is too large."),
    Row("no-reference", "No reference", "info", "The documentation of a built-in names no publication."),
)  # fmt: skip

FINDINGS = {row.id: row for row in _ROWS}
"""Every kind of finding, by id."""

_ERRORS: dict[type[LossError], str] = {
    LossSyntaxError: "syntax-error",
    LossNameError: "name-error",
    LossTypeError: "type-error",
    LossParameterError: "parameter-error",
    LossShapeError: "shape-error",
    LossLimitError: "limit-error",
    LossFileError: "file-error",
}


def finding(id: str, message: str, span: Span | None = None, hint: str | None = None, known: str = "read") -> Finding:
    """A finding of a row."""
    return Finding(id, FINDINGS[id].severity, message, span, hint, known)


def from_error(error: LossError, span: Span | None = None) -> Finding:
    """An error as a finding; `span` is where, if the error does not know."""
    return finding(_ERRORS.get(type(error), "syntax-error"), error.message, error.span or span, error.hint)

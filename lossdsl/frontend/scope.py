"""What names mean at a place in a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lossdsl.errors import LossNameError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.foreign import name_hint
from lossdsl.ir.axes import Axis
from lossdsl.ir.expr import Expr
from lossdsl.ir.ops import function_names

RESERVED = ("name", "reduction", "dtype", "axis")
"""Options of `compile`, which a parameter may therefore not be called."""

WORDS = ("batch", "space", "last", "all", "rows")
"""Names of axes in square brackets."""


@dataclass(frozen=True)
class LocalFunction:
    """A local function: its body is resolved where it is called, with what stands for its arguments."""

    arguments: tuple[str, ...]
    body: s.Node
    scope: Scope


@dataclass(frozen=True)
class Indexed:
    """A definition with free indices."""

    value: Expr
    indices: tuple[Axis, ...]


Meaning = Expr | LocalFunction | Indexed | Axis


@dataclass(frozen=True)
class Scope:
    """Names in reach. `depth` counts the index variables around, so that inner ones get new numbers."""

    names: Mapping[str, Meaning] = field(default_factory=dict)
    losses: Mapping[str, s.LossText] = field(default_factory=dict)
    depth: int = 0
    domain: str = "batch"

    def plus(self, name: str, meaning: Meaning) -> Scope:
        return replace(self, names={**self.names, name: meaning})

    def bind_index(self, word: s.Word, domain: str) -> tuple[Scope, Axis]:
        """The scope inside a binder, and its new axis."""
        taken = self.names.get(word.text)
        if taken is not None and not isinstance(taken, Axis):
            raise LossNameError(
                f"the index `{word.text}` has the name of something else here", word.span, "give the index another name"
            )
        axis = Axis(word.text, domain, self.depth + 1)
        return replace(self.plus(word.text, axis), depth=self.depth + 1, domain=domain), axis

    def check_free(self, word: s.Word, what: str) -> None:
        """Raises unless a definition, input or parameter may be called so."""
        if word.text in self.names:
            raise LossNameError(f"`{word.text}` has a meaning already", word.span, f"give the {what} another name")
        if word.text in function_names() or word.text in WORDS:
            raise LossNameError(
                f"`{word.text}` is a name of the language", word.span, f"give the {what} another name"
            )

    def hint(self, name: str) -> str | None:
        """The near miss among the names in reach, else those names."""
        near = name_hint(name, [*self.names, *self.losses, *function_names()])
        if near is not None:
            return near
        known = sorted(name for name, meaning in self.names.items() if not isinstance(meaning, LocalFunction))
        return f"names in reach: {', '.join(known)}" if known else None

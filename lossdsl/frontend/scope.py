"""What names mean at a place in a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lossdsl.errors import LossNameError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.frontend.foreign import axis_hint, name_hint
from lossdsl.ir.axes import BATCH, DOMAINS, LAST, NONE, SPACE, Axes, Axis, names, ordered
from lossdsl.ir.expr import Expr
from lossdsl.ir.ops import function_names

RESERVED = ("name", "reduction", "dtype", "axis")
"""Options of `compile`, which a parameter may therefore not be called."""

WORDS: dict[str, Axes] = {
    **{word: frozenset({axis}) for word, axis in DOMAINS.items()},
    "all": frozenset({BATCH, SPACE, LAST}),
}
"""Names of axes in square brackets, where a loss does not name its places."""


@dataclass(frozen=True)
class LocalFunction:
    """A local function: its body is resolved where it is called, with what stands for its arguments."""

    arguments: tuple[str, ...]
    body: s.Node
    scope: Scope


@dataclass(frozen=True)
class Index:
    """An index variable: its number is `low` at the first position of its `axis`, and `home` is what it runs over.

    Of a tensor that is read along it, `value` is that tensor.
    """

    axis: Axis
    low: int
    home: Axis
    value: Expr | None = None


@dataclass(frozen=True)
class Indexed:
    """A definition with free indices."""

    value: Expr
    indices: tuple[Index, ...]


Meaning = Expr | LocalFunction | Indexed | Index


@dataclass(frozen=True)
class Scope:
    """Names in reach.

    `words` has the axes that may be named. `depth` counts the index variables around, so that inner ones get new
    numbers. `around` are the axes over which they run, and `beside` that of an index beside which something stands:
    along them `self` counts.
    """

    names: Mapping[str, Meaning] = field(default_factory=dict)
    losses: Mapping[str, s.LossText] = field(default_factory=dict)
    depth: int = 0
    around: Axes = NONE
    beside: Axis | None = None
    words: Mapping[str, Axes] = field(default_factory=lambda: WORDS)

    def plus(self, name: str, meaning: Meaning) -> Scope:
        return replace(self, names={**self.names, name: meaning})

    def bind_index(self, word: s.Word, made: Callable[[str, int], Index]) -> tuple[Scope, Index]:
        """The scope inside a binder, and its new index, which is made of a new number."""
        taken = self.names.get(word.text)
        if word.text in self.words or (taken is not None and not isinstance(taken, Index)):
            raise LossNameError(
                f"the index `{word.text}` has the name of something else here", word.span, "give the index another name"
            )
        index = made(word.text, self.depth + 1)
        around = self.around | {index.home}
        return replace(self.plus(word.text, index), depth=self.depth + 1, around=around, beside=None), index

    def check_free(self, word: s.Word, what: str) -> None:
        """Raises unless a definition, input or parameter may be called so."""
        if word.text in self.names:
            raise LossNameError(f"`{word.text}` has a meaning already", word.span, f"give the {what} another name")
        if word.text in self.words and word.text not in WORDS:
            raise LossNameError(f"`{word.text}` is what a place is called", word.span, f"give the {what} another name")
        if word.text in function_names() or word.text in self.words:
            raise LossNameError(f"`{word.text}` is a name of the language", word.span, f"give the {what} another name")

    def axis(self, word: s.Word) -> Axis:
        """The one axis that a word names, along which an index runs. Raises LossNameError or LossTypeError."""
        if word.text == "all" or word.text not in self.words:
            known = [known for known in self.words if known != "all"]
            shown = ", ".join(f"`{each}`" for each in known[:-1])
            hint = f"an index runs over {shown} or `{known[-1]}`, or over numbers as in `k in 0:3`"
            near = did_you_mean(word.text, known) or axis_hint(word.text)
            raise LossNameError(f"`{word.text}` is no axis", word.span, near or hint)
        if len(self.words[word.text]) > 1:
            hint = f"name one of them, as in `i in {ordered(self.words[word.text])[0].name}`"
            shown = names(self.words[word.text])
            raise LossTypeError(f"`{word.text}` has several axes here: {shown}", word.span, hint)
        return next(iter(self.words[word.text]))

    def hint(self, name: str) -> str | None:
        """The near miss among the names in reach, else those names."""
        near = name_hint(name, [*self.names, *self.losses, *function_names()])
        if near is not None:
            return near
        if name in ("i", "j", "k", "l", "n"):
            return f"an index is bound by an aggregate, as in `sum[{name}](x[{name}])`"
        known = sorted(name for name, meaning in self.names.items() if not isinstance(meaning, LocalFunction))
        return f"names in reach: {', '.join(known)}" if known else None

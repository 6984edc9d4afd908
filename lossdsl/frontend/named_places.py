"""Places by name: the line `places row, col`, which says what the axes between batch and last are called.

Without it they are one axis, `space`, however many a tensor has. With it there are as many as it names, each with
indices and reductions of its own, and `space` is all of them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lossdsl.errors import LossNameError, LossSyntaxError, LossTypeError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.scope import WORDS, Scope
from lossdsl.ir.axes import BATCH, LAST, Axes, Axis

_HINT = "one line below the header names all axes between batch and last: `places row, col`"


def places_of(loss: s.LossText) -> dict[str, Axis]:
    """The places that a loss names, in order; empty where it has no such line. Raises for a second or late one."""
    found: dict[str, Axis] = {}
    is_begun = False
    for line in loss.lines:
        if not isinstance(line, s.Places):
            is_begun |= not isinstance(line, s.Require)
            continue
        if found or is_begun:
            message = "the places have names already" if found else "the places get their names too late"
            raise LossSyntaxError(message, line.span, _HINT)
        for place, word in enumerate(line.names, 1):
            if word.text in found:
                raise LossNameError(f"`{word.text}` is the name of two places", word.span, "give each its own")
            found[str(word.text)] = Axis(str(word.text), str(word.text), place=place)
    return found


def check_names(loss: s.LossText, scope: Scope) -> None:
    """Raises LossNameError for a place that is called as something else in a scope."""
    for line in loss.lines:
        if isinstance(line, s.Places):
            for word in line.names:
                replace(scope, words=WORDS).check_free(word, "axis")


def with_places(places: Mapping[str, Axis]) -> Mapping[str, Axes]:
    """The words for axes in a loss with these places."""
    if not places:
        return WORDS
    every = frozenset(places.values())
    own = {word: frozenset({axis}) for word, axis in places.items()}
    return {**WORDS, **own, "space": every, "all": frozenset({BATCH, LAST}) | every}


def words_of_call(call: s.Call, text: s.LossText, places: tuple[Axis, ...]) -> Mapping[str, Axes]:
    """The words for axes in a loss that is called where there are these places: those it names are these, in order."""
    own = places_of(text)
    if not own:
        words = with_places({axis.name: axis for axis in places})
        return {word: axes for word, axes in words.items() if word in WORDS}
    if len(own) != len(places):
        shown = f"`{call.function.text}` names its places: {', '.join(own)}"
        hint = f"name as many in this loss, by a line `places {', '.join(own)}` below its header"
        raise LossTypeError(shown, call.span, hint)
    return with_places(dict(zip(own, places, strict=True)))

"""What an emitted function does with its arguments first: arrays of one dtype, shapes that agree, values as required.

The rules are those of `runtime/shapes.py`, written out for one loss: up to a trailing axis of length 1 nothing is
broadcast.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from lossdsl.ir.axes import BATCH, LAST, NONE, ROWS, SAMPLE, SPACE, Axes, Axis, names, ordered
from lossdsl.ir.expr import Expr
from lossdsl.ir.inputs import ELEMENT, InputSpec
from lossdsl.ir.loss import Argument, Loss
from lossdsl.ir.meets import Home, called, cuts_of, needs
from lossdsl.targets import code, differentiates, expression_layout, packing, source_layout, target_module
from lossdsl.targets.identifiers import Renaming, user
from lossdsl.targets.template import fill
from lossdsl.targets.template import name as named

HELPERS = {
    "_aligned": '''
def _aligned(what, a, b, rank, grows):
    """`a` with so many axes: one of length 1 at its end may go, or come if it `grows`."""
    if len(a.shape) == rank + 1 and a.shape[-1] == 1:
        return a[..., 0]
    if len(a.shape) == rank - 1 and grows:
        return a[..., None]
    if len(a.shape) != rank:
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"{what} have shapes {shapes}, which do not agree")
    return a
''',
    "_placed": '''
def _placed(what, a, rank, axes):
    """Refuses a prediction that has not the axes of the formula, of which one sample alone has no batch."""
    if len(a.shape) not in (rank, rank - 1):
        raise ValueError(f"{what} has shape {tuple(a.shape)}, not the axes {axes}")
''',
    "_agree": '''
def _agree(what, a, b):
    """Refuses lengths that differ; one that a graph does not know yet is None."""
    if any(None not in (m, n) and m != n for m, n in zip(a, b)) or len(a) != len(b):
        shapes = f"{tuple(a)} and {tuple(b)}"
        raise ValueError(f"{what} have lengths {shapes}, which do not agree")
''',
    "_cut": '''
def _cut(lengths, start, stop):
    """What a slice leaves of an axis, or of several that are one; a length may be None."""
    left = None if None in lengths else len(range(math.prod(lengths))[start:stop])
    return (left,)
''',
    "_enough": '''
def _enough(what, lengths, least):
    """Refuses an axis of which the formula takes more than there is; a length may be None."""
    if None not in lengths and math.prod(lengths) < least:
        raise ValueError(f"{what} has {lengths[0]} elements, and {least} are taken")
''',
    "_shared": '''
def _shared(what, length, fixed, shares):
    """Refuses a last axis that parts cannot share; its length may be None."""
    if length is not None and (length < fixed or (length - fixed) % shares):
        raise ValueError(f"{what} has {length} elements, which are not {fixed} and {shares} equal parts")
''',
}


def place_lengths(loss: Loss, shape: str, more: Axes = NONE) -> str:
    """The shape of values that lack some of the places that a loss names, from that of the prediction."""
    kept = [at for at, axis in enumerate(ordered(loss.prediction.over)) if axis in loss.result.axes | more]
    return f"({', '.join(f'{shape}[{at}]' for at in kept)},)"


class Arguments:
    """The names of the arguments of an emitted loss, and the lines that prepare them."""

    def __init__(self, loss: Loss, target: str, names: Renaming, meetings: Sequence[frozenset[Home]]) -> None:
        self.loss, self.target, self.meetings = loss, target, meetings
        self.spell: Mapping[str, str] = target_module(target).PRINTER.spell
        self.renaming = names
        self.open = [one for one in loss.parameters if one.name not in loss.settled]
        self.inputs = [names.users[user(one.identifier)] for one in loss.inputs]
        self.parameters = [names.users[user(one.name)] for one in self.open]
        self.every = [*self.inputs, *self.parameters]

    def of(self, spec: Argument) -> str:
        """What an input or parameter is called."""
        return self.renaming.users[user(spec.identifier)]

    @property
    def prediction(self) -> str:
        return self.of(self.loss.prediction)

    def own(self, text: str) -> str:
        """A name for a local of ours that none of the arguments has."""
        while text in self.every:
            text += "_"
        return text

    # --- lines

    def requirements(self, requirements: Sequence[tuple[str, Expr]]) -> list[str]:
        """`if not delta > 0: raise ValueError(…)` for what is required of numbers, where these are known."""
        lines: list[str] = []
        for text, condition in requirements:
            if not condition.is_static:
                continue
            tree = code.static_condition(self.loss, condition)
            self.renaming.apply([tree])
            used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            given = [name for name in self.parameters if name in used]
            guard = f"_is_known({', '.join(given)})" if differentiates(self.target) else ""
            message = f"{self.loss.name} requires {' '.join(text.split())}"
            lines += source_layout.refusal(tree, message, guard)
        return lines

    def conversions(self) -> list[str]:
        """Arrays of the prediction's dtype; labels as whole numbers."""
        loss, x = self.loss, named(user(self.loss.prediction.identifier))
        pairs = [(loss.prediction, "label" if loss.prediction.is_label else "real")]
        pairs += [(one, "label" if one.is_label else "like") for one in loss.inputs if one is not loss.prediction]
        return [self._converted(one, key, x) for one, key in pairs]

    def settings(self) -> list[str]:
        """Parameters as arrays; a vector given as one number gets the length of the last axis."""
        loss = self.loss
        model = next((one for one in (loss.prediction, *loss.inputs) if one.is_real and LAST in one.over), None)
        lines = []
        for one in self.open:
            like: ast.expr = named(user((model or loss.prediction).identifier))
            if one.kind == "vector" and model is not None:
                step = f"x[..., {model.fixed or ''}::{model.shares}]"
                like = fill(step, x=like) if len(model.nodes) > 1 else like
                lines.append(self._converted(one, "vector", like))
            elif one.kind in ("vector", "matrix"):
                lines.append(self._converted(one, "matrix", like))
            elif "number" in self.spell:
                lines.append(self._converted(one, "number", like))
        return lines

    def _converted(self, one: Argument, key: str, like: ast.expr) -> str:
        tree = fill(self.spell[key], a=named(user(one.identifier)), x=like)
        self.renaming.apply([tree])
        return "\n".join(source_layout.assigned(self.of(one), tree, 4))

    def spelled(self, key: str, **parts: str) -> str:
        """What the target has under a key, with texts for letters."""
        tree = fill(self.spell[key], **{letter: named(f"?{letter}") for letter in parts})
        self.renaming.apply([tree])
        text = expression_layout.expression(tree)
        for letter, part in parts.items():
            text = text.replace(f"?{letter}", part)
        return text

    def alignment(self) -> list[str]:
        """The ranks that inputs must have beside the prediction, the parameters, and the lengths that must agree."""
        loss, x = self.loss, self.prediction
        over = loss.prediction.over
        lines = []
        if loss.places:
            lines += self._with_places()
        elif over == ELEMENT:
            lines += [f"    if len({x}.shape) == 0:", f"        {x} = {x}[None]"]
        elif over == SAMPLE:
            elements = [self.of(one) for one in loss.inputs if one.over == ELEMENT]
            rank = f"max({', '.join(f'len({one}.shape)' for one in elements)})" if len(elements) > 1 else ""
            most = rank or (f"len({elements[0]}.shape)" if elements else "")
            test = f"len({x}.shape) == {most}" if most else f"len({x}.shape) > 1"
            lines += [f"    if {test} and {x}.shape[-1:] == (1,):", f"        {x} = {x}[..., 0]"]
        for one in loss.inputs:
            if one is not loss.prediction:
                lines += self._ranked(one)
        for one in (each for each in loss.inputs if len(each.nodes) > 1):
            what = expression_layout.quoted(f"{loss.name}: {one.name}")
            given = [what, f"{self.of(one)}.shape[-1]", str(one.fixed), str(one.shares)]
            lines += source_layout.signature("_shared", given, "", 4)
        return [*lines, *self.settings(), *self._compared()]

    def _with_places(self) -> list[str]:
        """The rank that a prediction has whose places are named: one sample, or a batch."""
        loss, x = self.loss, self.prediction
        most = len(loss.prediction.over)
        lines = []
        if LAST not in loss.prediction.over:
            test = f"len({x}.shape) == {most + 1} and {x}.shape[-1:] == (1,)"
            lines += [f"    if {test}:", f"        {x} = {x}[..., 0]"]
        what = expression_layout.quoted(f"{loss.name}: {loss.prediction.name}")
        axes = expression_layout.quoted(names(loss.prediction.over))
        return [*lines, *source_layout.signature("_placed", [what, x, str(most), axes], "", 4)]

    def _ranked(self, one: InputSpec) -> list[str]:
        loss, x, argument = self.loss, self.prediction, self.of(one)
        over = loss.prediction.over
        rank, grows = str(len(one.over)), "False"
        if BATCH in one.over and not one.has_places:
            rank += f" - (len({x}.shape) == {len(loss.places) + (LAST in over)})"
        elif BATCH in one.over and BATCH in over:
            more = (LAST in one.over) - (LAST in over)
            rank = f"len({x}.shape)" + {1: " + 1", 0: "", -1: " - 1"}[more]
            if LAST in one.over:
                least = loss.prediction.fixed + loss.prediction.shares
                grows = "True" if LAST not in over else f"{x}.shape[-1] == {least}"
        what = expression_layout.quoted(f"{loss.name}: {one.name} and {loss.prediction.name}")
        arguments = [what, argument, x, rank, grows]
        return source_layout.signature(f"{argument} = _aligned", arguments, "", 4)

    def _compared(self) -> list[str]:
        loss = self.loss
        arguments: list[Argument] = [*loss.inputs, *self.open]
        by_node: dict[str, Argument] = {node.name: one for one in arguments for node in one.nodes}
        lines: dict[str, None] = {}
        together: dict[Argument, set[Axis]] = {}
        for first, place in self._pairs(by_node):
            one, other = by_node[first[0]], by_node[place[0]]
            if one is loss.prediction and first[1:] == place[1:2] and other is not one:
                together.setdefault(other, set()).add(place[1])
            elif (mine := self._length(place, other)) != (theirs := self._length(first, one)) or one is not other:
                lines.update(self._checked(other, mine, one, theirs))
        for other, axes in together.items():
            for mine, theirs in self._shapes(other, frozenset(axes)):
                lines.update(self._checked(other, mine, loss.prediction, theirs))
        for need in (need for need in needs(loss.result) if need.place[0] in by_node):
            one = by_node[need.place[0]]
            what = expression_layout.quoted(f"{loss.name}: {called(need.place, one.name)}")
            given = [what, self._length(need.place, one), str(need.least)]
            lines["\n".join(source_layout.signature("_enough", given, "", 4))] = None
        return list(lines)

    def _pairs(self, by_node: Mapping[str, Argument]) -> Iterator[tuple[Home, Home]]:
        """The lengths that must agree: each with one that stands for the others, of the prediction if it is there."""
        for group in self.meetings:
            places = [place for place in group if place[0] in by_node]
            places.sort(key=lambda place: (by_node[place[0]] is not self.loss.prediction, len(place), str(place)))
            yield from ((places[0], place) for place in places[1:])

    def _checked(self, one: Argument, mine: str, other: Argument, theirs: str) -> dict[str, None]:
        what = expression_layout.quoted(f"{self.loss.name}: {one.name} and {other.name}")
        return {"\n".join(source_layout.signature("_agree", [what, mine, theirs], "", 4)): None}

    def _shapes(self, one: Argument, axes: Axes) -> list[tuple[str, str]]:
        """Pairs of what must be equal where an input meets the prediction along axes."""
        first = self.loss.prediction
        mine, theirs = f"{self.of(one)}.shape", f"{self.prediction}.shape"
        if axes >= self.loss.sample_axes:
            if LAST not in axes or not (isinstance(one, InputSpec) and one.is_packed_like(first)):
                pairs = [(mine + "[:-1]" * (LAST in one.over), theirs + "[:-1]" * (LAST in first.over))]
                return pairs + ([(self._part(one, LAST), self._part(first, LAST))] if LAST in axes else [])
            return [(mine, theirs)]
        pairs = [(self._part(one, axis), self._part(first, axis)) for axis in ordered(axes)]
        is_short = self.loss.places or not any(axis.is_place for axis in one.over)
        if BATCH in axes and is_short:  # one sample alone has no batch
            batch = f"[:len({mine}) - {len(one.over) - 1}]"
            pairs[0] = mine + batch, theirs + batch
        return pairs

    def _part(self, one: Argument, axis: Axis) -> str:
        shape = f"{self.of(one)}.shape"
        if axis.is_last and axis.size is not None:
            return f"({axis.size},)"
        if axis == LAST and len(one.nodes) > 1:
            return f"({packing.block(one, f'{shape}[-1]')},)"
        if axis == LAST:
            return f"{shape}[-1:]"
        if axis == SPACE:
            return f"{shape}[1:-1]" if LAST in one.over else f"{shape}[1:]"
        if axis.place:  # one sample alone has no batch
            at = ordered(one.over).index(axis) - len(one.over)
            return f"{shape}[{at}:{at + 1 or ''}]"
        return f"{shape}[-2:-1]" if axis == ROWS and LAST in one.over else f"{shape}[:1]"

    def _length(self, place: Home, one: Argument) -> str:
        part = self._part(one, place[1])
        for start, stop in cuts_of(place):
            part = f"_cut({part}, {start}, {stop})"
        return part

    def batched(self) -> list[str]:
        """One sample as a batch of one, for code that needs the axis: the test for it, and the lines."""
        loss, x = self.loss, self.prediction
        if loss.prediction.over not in (ELEMENT, SAMPLE) and not loss.places:
            return []
        rank = len(loss.places) + (LAST in loss.prediction.over)
        led = [self.of(one) for one in loss.inputs if BATCH in one.over]
        return [f"len({x}.shape) == {rank}", *(f"        {one} = {one}[None]" for one in led)]

    def value_shape(self, shape: str) -> str:
        """The shape of the loss's values, from that of the prepared prediction."""
        axes, over = self.loss.result.axes, self.loss.prediction.over
        if not axes:
            return "()"
        if self.loss.places and axes != self.loss.sample_axes:
            return place_lengths(self.loss, shape)
        if axes == self.loss.sample_axes:
            return f"{shape}[:-1]" if LAST in over else shape
        if axes == frozenset({BATCH}):
            return f"{shape}[:1]"
        return f"{shape}[1:-1]" if LAST in over else f"{shape}[1:]"

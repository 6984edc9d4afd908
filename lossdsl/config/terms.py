"""A list of losses in YAML, or a mapping: their sum, each under a weight, as one loss.

    - huber: {delta: 0.5}
      weight: 2.0
    - {formula: "abs(x)", name: size, weight: {learned: 0.1}}

What comes of it is a text that uses those of the terms (`use`), whose parameters are the ones that were given: here
`huber_delta`, `huber_weight` and `size_weight`. So any of them may be learned or scheduled, and the loss is saved as
one text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lossdsl import pipeline
from lossdsl.config.document import Entry, Item
from lossdsl.errors import LossConfigError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import ParameterSpec
from lossdsl.source import Source, Span

NAME = "weighted"
"""What the sum is called, if nobody says otherwise."""


@dataclass(frozen=True)
class Term:
    """A loss of a sum: its text, which has a header, the values given for its parameters, its weight (None is 1)."""

    name: str
    source: Source
    given: Mapping[str, Entry]
    parameters: Mapping[str, Any]
    weight: Entry | None
    span: Span | None

    @property
    def header(self) -> s.Header:
        found = pipeline.parsed(self.source).losses[-1].header
        assert found is not None
        return found

    @property
    def declared(self) -> tuple[ParameterSpec, ...]:
        return pipeline.parameters(pipeline.parsed(self.source))


def weight_of(item: Item) -> tuple[Item, Entry | None]:
    """A loss without the weight that stands beside it, and that weight."""
    if not isinstance(item.value, dict) or "weight" not in item.value:
        return item, None
    rest = {key: entry for key, entry in item.value.items() if key != "weight"}
    return replace(item, value=rest), item.value["weight"]


def terms_of(items: list[Item], folder: Path | None, described: Callable[[Item, Path | None], Any]) -> list[Term]:
    """The terms of a list. Raises LossConfigError."""
    found: list[Term] = []
    if not items:
        raise LossConfigError("the list of losses is empty", None, "as in `[huber, {formula: abs(x), weight: 0.1}]`")
    for item in items:
        plain, weight = weight_of(item)
        if isinstance(plain.value, list):
            raise LossConfigError("a term is one loss, and this is a list", plain.span, "write all terms in one list")
        one = described(plain, folder)
        option = next((option for option in one.options if option != "name"), None)
        if option is not None:
            hint = "put it beside `terms: […]`, for the sum"
            raise LossConfigError(f"`{option}` is an option of the sum, not of a term", one.span, hint)
        header = pipeline.parsed(one.source).losses[-1].header
        name = str(one.options.get("name") or (header.name.text if header else f"term{len(found) + 1}"))
        name = _unlike(name, [each.name for each in found])
        if not name.isidentifier():
            raise LossConfigError(f"`{name}` is no name of a term", one.span, "a name has letters, digits and `_`")
        source = one.source if header is not None else _with_header(one.source, name)
        found.append(Term(name, source, one.places, one.parameters, weight, one.span))
    return found


def _head(terms: list[Term], given: list[_Given]) -> str:
    """The header of the sum."""
    declared = ", ".join(one.name if one.kind == "real" else f"{one.name}: {one.kind}" for one in given)
    return f"loss {NAME}({_inputs(terms)}{'; ' if declared else ''}{declared})"


def sum_of(terms: list[Term], values: Callable[[Item, str], Any]) -> tuple[Source, dict[str, Any], dict[str, Entry]]:
    """The text of the sum, the values of its parameters, and where they stand. Raises LossConfigError."""
    uses: dict[str, Source] = {}
    found: list[_Given] = []
    summands: list[str] = []
    words = ", ".join(word.text for one in terms[0].header.inputs for word in one.names)
    for term in terms:
        name = term.header.name.text
        if uses.setdefault(name, term.source) != term.source:
            message = f"two terms are other losses of one name, `{name}`"
            raise LossConfigError(message, term.span, "give the loss in one of the files another name")
        given = [_given(term, parameter, value) for parameter, value in term.parameters.items()]
        after = ", ".join(f"{one.parameter}={one.name}" for one in given)
        call = f"{name}({words}; {after})" if after else f"{name}({words})"
        if term.weight is not None:
            own = f"{term.name}_weight"
            given.append(_Given(own, "weight", "real", values(term.weight.item, own), term.weight))
            call = f"{own}*{call}"
        found += given
        summands.append(call)
    lines = [*(f'use "{name}"' for name in uses), "", _head(terms, found), "", " + ".join(summands), ""]
    source = Source("\n".join(lines), "<terms>", uses=tuple(uses.items()))
    places = {one.name: one.place for one in found if one.place is not None}
    return source, {one.name: one.value for one in found}, places


@dataclass(frozen=True)
class _Given:
    """A parameter of the sum: what it is in its term, its value, and where that stands."""

    name: str
    parameter: str
    kind: str
    value: Any
    place: Entry | None


def _given(term: Term, parameter: str, value: Any) -> _Given:
    known = {one.name: one for one in term.declared}
    place = term.given.get(parameter)
    if parameter not in known:
        hint = did_you_mean(parameter, known) or f"its parameters: {', '.join(known) or 'none'}"
        message = f"{term.header.name.text} has no parameter `{parameter}`"
        raise LossConfigError(message, place.key if place else term.span, hint)
    return _Given(f"{term.name}_{parameter}", parameter, known[parameter].kind, value, place)


def _inputs(terms: list[Term]) -> str:
    """The inputs of the sum, as text. Raises LossConfigError where the terms have others."""
    first = _of_term(terms[0])
    same = [True] * len(first)
    for term in terms[1:]:
        other = _of_term(term)
        if [_shape(one) for one in other] != [_shape(one) for one in first]:
            one, two = (f"`{name}({', '.join(map(_told, specs))})`" for name, specs in
                        ((terms[0].name, first), (term.name, other)))  # fmt: skip
            message = f"the terms take other inputs: {one} and {two}"
            raise LossConfigError(message, term.span, "losses of a sum are given the same target and prediction")
        same = [at and a.domains == b.domains for at, a, b in zip(same, first, other, strict=True)]
    return ", ".join(_told(one, with_domain=at) for one, at in zip(first, same, strict=True))


def _of_term(term: Term) -> list[InputSpec]:
    """The inputs of a term, with numbers for lengths of parts that its parameters say."""
    usual = {one.name: one.usual for one in term.declared}
    known = {**usual, **term.parameters}
    return [
        replace(one, stated=tuple(str(known.get(length, length)) for length in one.stated))
        for one in pipeline.inputs(pipeline.parsed(term.source))
    ]


def _shape(spec: InputSpec) -> tuple[int, str, tuple[str, ...]]:
    return len(spec.nodes), spec.layout, spec.stated


def _told(spec: InputSpec, *, with_domain: bool = True) -> str:
    if with_domain:
        return spec.told
    return f"{spec.name}: {spec.layout}" if spec.layout else spec.name


def _unlike(name: str, others: list[str]) -> str:
    number = 2
    found = name
    while found in others:
        found, number = f"{name}{number}", number + 1
    return found


def _with_header(source: Source, name: str) -> Source:
    """A bare formula as a loss of a name."""
    file = pipeline.parsed(source)
    inputs = ", ".join(one.name for one in pipeline.inputs(file))
    parameters = ", ".join(one.name for one in pipeline.parameters(file))
    return source.headed(f"loss {name}({inputs}{'; ' if parameters else ''}{parameters})\n")

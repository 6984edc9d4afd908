"""The loss that is looked at: its text, and what the compiler makes of it under several settings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lossdsl import pipeline
from lossdsl.analyze import Analyzer, analyzers
from lossdsl.checks.settings import covering, usual
from lossdsl.frontend.syntax import FileText
from lossdsl.ir.loss import Example, Loss, Written
from lossdsl.oracle.points import sizes_for
from lossdsl.source import Span

VARIANTS = 4
"""Under how many settings of its `bool` and `int` parameters a loss is looked at."""


@dataclass(frozen=True)
class Subject:
    """A loss to be looked at. The others are the arguments of `lossdsl.check` of these names."""

    file: FileText
    points: int = 4
    prove: bool = True
    against: tuple[str, ...] = ()
    backend: str | None = None
    properties: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def loss(self) -> Loss:
        """The loss under the defaults of its `bool` and `int` parameters."""
        return self.programs[0].loss

    @property
    def formula(self) -> Span | None:
        """Where the formula stands."""
        return self.loss.spans.get(self.loss.value) or self.loss.spans.get(self.loss.result)

    @cached_property
    def programs(self) -> tuple[pipeline.Program, ...]:
        """The loss for settings of its `bool` and `int` parameters: those given (or the defaults), then its examples'.

        Raises LossError where the text means nothing.
        """
        usual = self._usual
        settings = [usual]
        first = pipeline.program(self.file, settings[0])
        for example in first.loss.examples:
            given = parameters_of(first.loss, example)
            settings.append({**settings[0], **{name: value for name, value in given.items() if name in usual}})
        for values in itertools.product((False, True), repeat=min(len(self._flags), 2)):
            settings.append({**usual, **dict(zip(self._flags, values, strict=False))})
        different = list({tuple(setting.items()): setting for setting in settings}.values())
        found = (first, *(pipeline.program(self.file, setting) for setting in different[1:VARIANTS]))
        for one in found:
            sizes_for(one.loss)  # raises where no shapes would do
        return found

    @cached_property
    def _usual(self) -> dict[str, bool | int]:
        """The values of the `bool` and `int` parameters: those given, or the defaults."""
        found = usual(self.file)
        given = {name: value for name, value in self.parameters.items() if name in found}
        return found | {name: bool(value) if isinstance(value, bool) else int(value) for name, value in given.items()}

    @property
    def _flags(self) -> list[str]:
        return [name for name, value in self._usual.items() if isinstance(value, bool)]

    @cached_property
    def covering(self) -> tuple[Analyzer, ...]:
        """Analyzers that cover every setting: each of the flags, and for the `int` parameters a symbol.

        Empty where there would be too many, or where an `int` must be known, as in a slice.
        """
        known = {tuple(one.program.loss.settled.items()): one for one in self.analyzers}
        programs = covering(self.file)
        return tuple(known.get(tuple(one.loss.settled.items())) or Analyzer(one) for one in programs)

    @property
    def general(self) -> Analyzer:
        """The loss under the defaults of its flags, and for whatever its `int` parameters are where that can be."""
        usual = {name: self._usual[name] for name in self._flags}
        return next((one for one in self.covering if one.program.loss.settled == usual), self.analyzers[0])

    @cached_property
    def analyzers(self) -> tuple[Analyzer, ...]:
        """What can be found out about the loss under each of these settings."""
        return analyzers(self.programs)


def parameters_of(loss: Loss, example: Example) -> Mapping[str, Any]:
    """The parameters that an example gives."""
    names = {spec.name for spec in loss.parameters}
    return {name: plain(value) for name, value in example.bindings.items() if name in names}


def inputs_of(loss: Loss, example: Example) -> dict[str, Any]:
    """The tensors of an example, by input."""
    names = {spec.name for spec in loss.parameters}
    return {name: plain(value) for name, value in example.bindings.items() if name not in names}


def plain(value: object) -> Any:
    """A written value as Python's own numbers, whole ones as int, in nested lists."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, Written):
        number = value.value
        return int(number) if not isinstance(number, float) and number.denominator == 1 else float(number)
    return value

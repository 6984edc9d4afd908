"""`lossdsl.properties`: what is known of a loss as a function of its prediction, property by property."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lossdsl import pipeline
from lossdsl.analyze import Verdict, analyzers
from lossdsl.checks.finding import Known
from lossdsl.checks.settings import covering, usual
from lossdsl.errors import LossParameterError
from lossdsl.ir.expr import Flag
from lossdsl.ir.loss import EXPECTED, Loss
from lossdsl.runtime.bind import known, settled, violated
from lossdsl.runtime.sources import read
from lossdsl.source import Source, normal_name


def properties(source: str | os.PathLike[str] | Source, /, **parameters: Any) -> Properties:
    """What is known of a loss, by the name of the property; each is worked out when it is asked for.

    The names are those of `expect` lines: "continuous", "convex", "least at t = x", "slope bounded", …. Parameters that
    are given have that value; a proof holds for all admissible values of the others. No tensor is made and Keras is not
    loaded, so a search over losses may use it as a filter.

    Args:
        source: a path, a built-in's name, or the text of a formula or file.
        **parameters: values for parameters of the loss, by name.

    Returns:
        A mapping to `lossdsl.checks.Known`: `how` is "proved", "refuted", "tested" or "open", `at` the point of a
        refutation as values by name, `detail` what is seen there, `scope` for which parameters alone there is a proof.

    Raises:
        LossError: the kind says what was wrong with the loss or a parameter.

    >>> import lossdsl
    >>> found = lossdsl.properties("loss f(t, x; p = 2)\\nrequire p > 0\\nabs(t - x)^p")
    >>> found["nonnegative"].how, found["convex"].how, found["convex"].at
    ('proved', 'refuted', {'t': 1.5, 'x': -3.0, 'p': 0.25})
    >>> lossdsl.properties("abs(t - x)^p", p=1.5)["convex"].how
    'proved'
    """
    return Properties(source, parameters)


class Properties(Mapping[str, Known]):
    """What is known of one loss; see `lossdsl.properties`."""

    def __init__(self, source: str | os.PathLike[str] | Source, parameters: Mapping[str, Any]) -> None:
        file = pipeline.parsed(read(source))
        values = known(file, parameters)
        given = {name: values[name] for name in map(normal_name, parameters)}
        specs = [spec for spec in pipeline.parameters(file) if spec.name in given]
        fixed = settled(tuple(specs), given)
        numbers = {name: value for name, value in given.items() if isinstance(value, float)}
        self._tensors = [name for name, value in given.items() if isinstance(value, tuple)]
        programs = covering(file, fixed)
        self._covers = bool(programs)
        programs = programs or (pipeline.program(file, {**usual(file), **fixed}),)
        self._analyzers = analyzers(_bound(program, numbers, given) for program in programs)
        self._known: dict[str, Known] = {}

    def __getitem__(self, name: str) -> Known:
        if name not in self._known:
            if name not in EXPECTED:
                raise KeyError(name)
            self._known[name] = Known.of(name, self._verdict(name))
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(EXPECTED)

    def __len__(self) -> int:
        return len(EXPECTED)

    def __repr__(self) -> str:
        return f"<properties of the loss {self._analyzers[0].program.loss.name}>"

    def _verdict(self, name: str) -> Verdict:
        found = [one.decide(name) for one in self._analyzers]
        verdict = jointly([(one.program.loss, each) for one, each in zip(self._analyzers, found, strict=True)])
        if verdict.how == "proved" and not self._covers:
            scope = f"for {self._analyzers[0].program.loss.setting}"
            return Verdict("open", scope=scope)
        if verdict.how == "refuted" and self._tensors:
            # The tensors of the point are drawn, and these are given.
            names = " and ".join(f"`{one}`" for one in self._tensors)
            return Verdict("open", detail=f"it is not so for other values of {names} than those given")
        return verdict


def jointly(found: Sequence[tuple[Loss, Verdict]]) -> Verdict:
    """One verdict for several settings of the flags: proved if it is for each, refuted if it is for one."""
    for loss, verdict in found:
        if verdict.how == "refuted":
            return replace(verdict, detail="; ".join(filter(None, (verdict.detail, _with(loss)))))
    weakest = next((one for one in found if one[1].how == "open"), None) or next(
        (one for one in found if one[1].how == "tested"), None
    )
    if weakest is None:
        return replace(found[0][1], by=" and ".join(dict.fromkeys(verdict.by for _, verdict in found)))
    loss, verdict = weakest
    return replace(verdict, detail="; ".join(filter(None, (verdict.detail, _with(loss) if len(found) > 1 else ""))))


def _with(loss: Loss) -> str:
    return f"with {loss.setting}" if loss.settled else ""


def _bound(program: pipeline.Program, numbers: Mapping[str, float], given: Mapping[str, Any]) -> pipeline.Program:
    """The loss for given numbers. Raises LossParameterError where these break a requirement or leave nothing."""
    if not numbers:
        return program
    found = program.bound(numbers)
    if found is program:
        shown = ", ".join(f"{name} = {value:g}" for name, value in numbers.items())
        raise LossParameterError(
            f"with {shown} nothing is left of the loss that varies along its axes",
            None,
            "give a value for which the loss depends on its inputs",
            tuple(numbers),
        )
    for before, after in zip(program.loss.requirements, found.loss.requirements, strict=True):
        if isinstance(after.condition, Flag) and not after.condition.value:
            raise violated(program.loss, before, given)
    return found

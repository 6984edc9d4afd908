"""`lossdsl.check`: everything that can be found out about a loss without Keras, as a report."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lossdsl import catalog, pipeline
from lossdsl.checks.examples import parameters_of, run_examples
from lossdsl.checks.findings import Finding, finding, from_error
from lossdsl.checks.names import unused
from lossdsl.errors import LossError
from lossdsl.frontend.syntax import FileText
from lossdsl.ir.loss import InputSpec, Loss
from lossdsl.runtime.bind import bound, check_requirements
from lossdsl.runtime.sources import read
from lossdsl.source import Source
from lossdsl.symbolic.judge import Verdict, judge

VARIANTS = 4
"""How many settings of the `bool` and `int` parameters have their gradient tested."""

_REFERENCE = re.compile(r"\(\d{4}[a-z]?\)|doi:|arXiv:|https?://|ISBN")


@dataclass(frozen=True)
class Report:
    """What was found in a loss, in order of place, and what was made sure of (`passed`, one sentence each)."""

    name: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error."""
        return not any(found.severity == "error" for found in self.findings)

    def __str__(self) -> str:
        state = "no findings" if not self.findings else _counted(self.findings)
        passed = f" ({'; '.join(self.passed)})" if self.passed else ""
        return "\n".join([*map(str, self.findings), f"{self.name}: {state}{passed}"])


def _counted(findings: tuple[Finding, ...]) -> str:
    parts = []
    for severity, several in (("error", "errors"), ("warning", "warnings"), ("info", "remarks")):
        count = sum(found.severity == severity for found in findings)
        if count:
            parts.append(f"{count} {several if count > 1 else several[:-1]}")
    return ", ".join(parts)


def check(source: str | os.PathLike[str] | Source, *, points: int = 4, prove: bool = True) -> Report:
    """What is wrong with a loss, as a report; a mistake in the loss is a finding and raises nothing.

    Args:
        source: a path, a built-in's name, or the text of a formula or file.
        points: at how many points the gradient is compared with a difference quotient at 60 digits.
        prove: whether sympy's derivative is asked first, which proves the gradient of a small elementwise loss (for the
            defaults of its `bool` and `int` parameters); it costs half a second.

    >>> import lossdsl
    >>> report = lossdsl.check("loss mine(t, x; a = 1.0)\\n(t - x)^2")
    >>> report.ok, [found.id for found in report.findings]
    (True, ['unused-parameter'])
    """
    try:
        text = read(source)
    except LossError as error:
        return Report(str(source), (from_error(error),))
    try:
        file = pipeline.parsed(text)
    except LossError as error:
        return Report(text.name, (from_error(error),))
    header = file.losses[-1].header
    name = header.name.text if header is not None else text.name
    findings = list(unused(file))
    passed: list[str] = []
    try:
        programs = _variants(file)
    except LossError as error:
        return Report(name, (*findings, from_error(error)))
    first = programs[0].loss
    findings += _defaults(file, programs[0])
    wrong = list(run_examples(first))
    findings += wrong
    if first.examples and not wrong:
        passed.append(f"{len(first.examples)} example{'s' * (len(first.examples) > 1)}")
    findings += _gradients(programs, points, prove, passed)
    if catalog.read(first.name) == text and not _REFERENCE.search(first.doc):
        findings.append(finding("no-reference", "the documentation names no publication", file.losses[-1].span))
    findings.sort(key=lambda found: found.span.start if found.span else -1)
    return Report(name, tuple(findings), tuple(passed))


def _variants(file: FileText) -> list[pipeline.Program]:
    """The loss for the settings of its `bool` and `int` parameters: defaults first, then those of its examples."""
    specs = [spec for spec in pipeline.parameters(file) if spec.kind in ("bool", "int")]
    usual = {spec.name: spec.default if spec.default is not None else int(spec.kind == "int") for spec in specs}
    settings = [{name: bool(value) if isinstance(value, bool) else int(value) for name, value in usual.items()}]
    first = pipeline.program(file, settings[0])
    for example in first.loss.examples:
        given = parameters_of(first.loss, example)
        settings.append({**settings[0], **{name: value for name, value in given.items() if name in usual}})
    flags = [spec.name for spec in specs if spec.kind == "bool"]
    for values in itertools.product((False, True), repeat=min(len(flags), 2)):
        settings.append({**settings[0], **dict(zip(flags, values, strict=False))})
    different = list({tuple(setting.items()): setting for setting in settings}.values())
    return [first, *(pipeline.program(file, setting) for setting in different[1:VARIANTS])]


def _defaults(file: FileText, program: pipeline.Program) -> Iterator[Finding]:
    """A finding where the defaults of a loss break its own requirements."""
    if any(spec.default is None for spec in program.loss.parameters):
        return
    try:
        check_requirements(program, bound(file, {}))
    except LossError as error:
        yield from_error(error)


def _gradients(programs: list[pipeline.Program], points: int, prove: bool, passed: list[str]) -> Iterator[Finding]:
    """A finding for each gradient that is wrong or could not be tested; the others are told in `passed`."""
    good: dict[str, list[str]] = {}
    for program in programs:
        loss = program.loss
        first = prove and program is programs[0]
        for verdict in judge(loss, program.stable, program.gradients, program.known, count=points, prove=first):
            if verdict.how in ("wrong", "unknown"):
                yield _unsettled(loss, verdict)
            elif verdict.input is not None:
                good.setdefault(str(verdict), []).append(verdict.input.name)
    for how, names in good.items():
        inputs = list(dict.fromkeys(names))
        passed.append(f"gradient{'s' * (len(inputs) > 1)} in {' and '.join(inputs)} {how}")


def _unsettled(loss: Loss, verdict: Verdict) -> Finding:
    span = loss.spans.get(loss.result)
    setting = ", ".join(f"{name}={str(value).lower()}" for name, value in loss.settled.items())
    known = f"tested at {verdict.points} points"
    if verdict.how == "unknown":
        what = _named(verdict.input)
        return finding("untested-gradient", f"{what} is not tested: {verdict.detail}", span, None, known)
    where = f" ({setting})" if setting else ""
    id = "value" if verdict.input is None else "gradient"
    return finding(id, f"{verdict.detail}{where}", span, "this is a mistake in lossdsl, not in the loss", known)


def _named(spec: InputSpec | None) -> str:
    return "the value" if spec is None else f"the gradient in `{spec.name}`"

"""`lossdsl.check`: everything that can be found out about a loss without Keras, as a report."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lossdsl import pipeline
from lossdsl.checks.finding import Finding, Sure
from lossdsl.checks.subject import Subject
from lossdsl.checks.table import READ, STUDIED
from lossdsl.checks.texts import from_error
from lossdsl.errors import LossError
from lossdsl.runtime.sources import read
from lossdsl.source import Source


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
    subject = Subject(file, points, prove)
    found: list[Finding | Sure] = [one for look in READ for one in look(subject)]
    try:
        subject.programs  # noqa: B018 - made here, where a text that means nothing is a finding
    except LossError as error:
        found.append(from_error(error))
    else:
        found += [one for look in STUDIED for one in look(subject)]
    findings = [one for one in found if isinstance(one, Finding)]
    findings.sort(key=lambda one: one.span.start if one.span else -1)
    return Report(name, tuple(findings), tuple(one.text for one in found if isinstance(one, Sure)))

"""`lossdsl.check`: everything that can be found out about a loss without Keras, as a report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossdsl import pipeline
from lossdsl.checks.allowed import acknowledged
from lossdsl.checks.call_sites import in_file
from lossdsl.checks.finding import Finding, Known, Outcome, Sure
from lossdsl.checks.subject import Subject
from lossdsl.checks.table import ASKED, FINDINGS, READ, STUDIED
from lossdsl.checks.texts import from_error
from lossdsl.checks.verdicts import with_finding
from lossdsl.errors import LossConfigError, LossError, did_you_mean
from lossdsl.runtime import autodiff
from lossdsl.runtime.sources import read
from lossdsl.source import Source


@dataclass(frozen=True)
class Report:
    """What was found in a loss, in order of place, and what was made sure of (`passed`, one sentence each).

    `findings` has those too that the loss itself allows; `counted` are the others. `verdicts` say of each property what
    is known of it, and `file` where the text of the loss stands.
    """

    name: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...] = ()
    verdicts: tuple[Known, ...] = ()
    file: str = ""

    @property
    def counted(self) -> tuple[Finding, ...]:
        """The findings that no `allow` line of the loss acknowledges."""
        return tuple(found for found in self.findings if not found.allowed)

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error."""
        return not any(found.severity == "error" for found in self.counted)

    def __str__(self) -> str:
        passed = f" ({'; '.join(self.passed)})" if self.passed else ""
        return "\n".join([*map(str, self.counted), f"{self.name}: {tally(self.findings) or 'no findings'}{passed}"])


def tally(findings: Iterable[Finding]) -> str:
    """How many findings of each severity there are: "1 error, 2 warnings, 1 allowed"; nothing where there are none."""
    counts = Counter("allowed" if found.allowed else found.severity for found in findings)
    parts = []
    for kind, several in (("error", "errors"), ("warning", "warnings"), ("info", "remarks"), ("allowed", "allowed")):
        if counts[kind]:
            parts.append(f"{counts[kind]} {several if counts[kind] > 1 else several.removesuffix('s')}")
    return ", ".join(parts)


def check(
    source: str | os.PathLike[str] | Source,
    *,
    points: int = 4,
    prove: bool = True,
    against: str | Sequence[str] | None = None,
    backend: str | None = None,
    properties: bool = False,
    asked: str | Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Report:
    """What is wrong with a loss, as a report; a mistake in the loss is a finding and raises nothing.

    Args:
        source: a path, a built-in's name, or the text of a formula or file.
        points: at how many points the gradient is compared with a difference quotient at 60 digits.
        prove: whether sympy's derivative is asked first, which proves the gradient of a small elementwise loss (for the
            defaults of its `bool` and `int` parameters); it costs half a second.
        against: a gradient written by hand, to be compared with the derivative of the loss before its average over the
            last axis: a formula over the loss's names (`"x - t"`) in the prediction, or `"t = t - x"` in another input.
        backend: "tensorflow", "jax" or "torch": the value's code differentiated by it is compared with our gradient,
            and it is its code whose digits are judged in float32.
        properties: whether every property is looked into, and told in `verdicts`, and all findings are looked for that
            are told only where they are asked for, such as kinks; else only what the loss promises is looked into.
        asked: ids of such findings that are looked for in any case: `"kink"`, or several of them.
        parameters: values for which digits are judged in place of the defaults; what they must be is not asked here.

    Raises:
        LossConfigError: the backend is unknown or not installed, or there is no finding of an id in `asked`.

    >>> import lossdsl
    >>> report = lossdsl.check("loss mine(t, x; a = 1.0)\\n(t - x)^2")
    >>> report.ok, [found.id for found in report.findings]
    (True, ['unused-parameter'])
    >>> print(lossdsl.check("abs(t - x)", asked="kink").findings[0].message)
    the slope jumps by `2` at `t - x = 0`, from `-1` to `1` (seen at t=0, x=0)
    """
    if backend is not None:
        autodiff.check_installed(backend)
    wanted = _wanted((asked,) if isinstance(asked, str) else asked, properties=properties)
    given = () if against is None else (against,) if isinstance(against, str) else tuple(against)
    try:
        text = read(source)
    except LossError as error:
        return Report(str(source), (from_error(error),))
    try:
        file = pipeline.parsed(text)
    except LossError as error:
        return Report(text.name, (from_error(error),), file=text.name)
    header = file.losses[-1].header
    name = header.name.text if header is not None else text.name
    found, sought = _outcomes(Subject(file, points, prove, given, backend, properties, parameters or {}), wanted)
    raised = [in_file(file, one) for one in found if isinstance(one, Finding)]
    findings = list(acknowledged(file, raised, FINDINGS, sought))
    findings.sort(key=lambda one: one.span.start if one.span else -1)
    passed = tuple(one.text for one in found if isinstance(one, Sure))
    verdicts = tuple(with_finding(one, findings) for one in found if isinstance(one, Known))
    return Report(name, tuple(findings), passed, verdicts, text.name)


def _outcomes(subject: Subject, wanted: Collection[str]) -> tuple[list[Outcome], set[str]]:
    """What is found, and the ids of what was looked for."""
    found: list[Outcome] = [one for look in READ for one in look(subject)]
    last = subject.file.losses[-1]
    try:
        subject.programs  # noqa: B018 - made here, where a text that means nothing is a finding
    except LossError as error:
        return [*found, from_error(error, (last.header.name if last.header is not None else last).span)], set()
    found += [one for look in (*STUDIED, *(ASKED[id] for id in wanted)) for one in look(subject)]
    return found, {row.id for row in FINDINGS.values() if not row.asked or row.id in wanted}


def _wanted(asked: Sequence[str], *, properties: bool) -> list[str]:
    """The ids of the findings to be looked for because they are asked for, in the order of the table."""
    for id in asked:
        if id not in FINDINGS:
            hint = did_you_mean(id, FINDINGS) or "`lossdsl check --list` names them"
            raise LossConfigError(f"there is no finding `{id}`", None, hint)
    return [id for id in ASKED if properties or id in asked]

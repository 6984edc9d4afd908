"""Many losses checked at once, in processes of their own; the order of the reports is that of the losses."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any

from lossdsl import checks
from lossdsl.cli.named import Unread
from lossdsl.cli.status import WrongUse
from lossdsl.errors import LossError
from lossdsl.garbage import collect_seldom
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.cli.named import Named

MANY = 8
"""From how many losses on further processes are worth their start."""

MOST = 2
"""How many processes are used unless more are asked for; each takes about as much memory as one check."""


def usual(count: int) -> int:
    """How many processes check `count` losses unless a number is given."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST) if count >= MANY else 1


def reports(items: Sequence[Named], jobs: int, asked: Mapping[str, Any]) -> Iterator[checks.Report]:
    """The reports of the losses, in order; `asked` are arguments of `lossdsl.check`.

    Raises WrongUse where a process is ended from outside.
    """
    work = partial(report, asked=asked)
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from map(work, items)
        return
    # Started afresh and not forked: the timer of the progress bar is a thread, and threads are not copied.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_as_worker) as pool:
        try:
            yield from pool.map(work, items)
        except BrokenProcessPool:
            raise WrongUse("a process that checked losses was ended from outside; --jobs 1 needs no other") from None


def _as_worker() -> None:
    """Lets an interrupt end a worker without a word; the parent has the last one."""
    collect_seldom()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def report(item: Named, asked: Mapping[str, Any]) -> checks.Report:
    """What is found in a loss and, of one in YAML, in the parameters given there."""
    from lossdsl.checks.texts import from_error

    if isinstance(item, Unread):
        return checks.Report(item.name, (from_error(item.error),), file=item.name)
    if isinstance(item, Source):
        return checks.check(item, **asked)
    from lossdsl.runtime.spec import LoadedLoss, axes_of

    refused: LossError | None = None
    try:
        with item.blamed():
            LoadedLoss(item.source, axes_of(item.options.get("axis", -1)), item.parameters)
    except LossError as error:
        refused = error
    found = checks.check(item.source, **asked, parameters={} if refused else item.parameters)
    if refused is None or not found.ok:
        return found
    return checks.Report(found.name, (*found.findings, from_error(refused)), (), found.verdicts, found.file)

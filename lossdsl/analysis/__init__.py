"""What is proved of a loss, and what is refuted with a point: the reasoning behind `lossdsl check`."""

from collections.abc import Iterable

from lossdsl.analysis.escapes import Escape
from lossdsl.analysis.reports import Join, Piece
from lossdsl.analysis.search import Kept
from lossdsl.analysis.shape import Flat, Minimiser
from lossdsl.analysis.study import Study
from lossdsl.analysis.verdict import Verdict
from lossdsl.pipeline import Program


def study(program: Program) -> Study:
    """Everything that can be found out about a loss, each part when it is asked for."""
    return Study(program)


def studies(programs: Iterable[Program]) -> tuple[Study, ...]:
    """The same under several settings of its `bool` and `int` parameters, which have much in common."""
    kept = Kept()
    return tuple(Study(program, kept) for program in programs)


def decide(program: Program, name: str) -> Verdict:
    """A verdict on one of `ir.loss.PROPERTIES`.

    >>> from lossdsl import pipeline
    >>> from lossdsl.source import Source
    >>> program = pipeline.program(pipeline.parsed(Source("where(abs(t - x) < 1, 0, (t - x)^2)")))
    >>> print(decide(program, "nonnegative"))
    proved (intervals)
    >>> print(decide(program, "continuous"))
    refuted at t=0, x=1
    """
    return study(program).decide(name)


__all__ = ["Escape", "Flat", "Join", "Minimiser", "Piece", "Study", "Verdict", "decide", "studies", "study"]

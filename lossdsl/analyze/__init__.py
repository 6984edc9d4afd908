"""What is proved of a loss, and what is refuted with a point: the reasoning behind `lossdsl check`."""

from collections.abc import Iterable

from lossdsl.analyze.analyzer import Analyzer
from lossdsl.analyze.loss_shape import Flat, Minimiser
from lossdsl.analyze.piece_reports import Join, Piece
from lossdsl.ir.verdict import Verdict
from lossdsl.pipeline import Program
from lossdsl.refute.agreement import Reward
from lossdsl.refute.domain_errors import DomainError
from lossdsl.refute.grid_search import ValueCache
from lossdsl.refute.parameter_needs import is_smoothing


def analyzer(program: Program) -> Analyzer:
    """Everything that can be found out about a loss, each part when it is asked for."""
    return Analyzer(program)


def analyzers(programs: Iterable[Program]) -> tuple[Analyzer, ...]:
    """The same under several settings of its `bool` and `int` parameters, which have much in common."""
    kept = ValueCache()
    return tuple(Analyzer(program, kept) for program in programs)


def decide(program: Program, name: str) -> Verdict:
    """A verdict on one of `ir.loss.EXPECTED`.

    >>> from lossdsl import pipeline
    >>> from lossdsl.source import Source
    >>> program = pipeline.program(pipeline.parsed(Source("where(abs(t - x) < 1, 0, (t - x)^2)")))
    >>> print(decide(program, "nonnegative"))
    proved (intervals)
    >>> print(decide(program, "continuous"))
    refuted at t=0, x=1
    """
    return analyzer(program).decide(name)


__all__ = [
    "Analyzer",
    "DomainError",
    "Flat",
    "Join",
    "Minimiser",
    "Piece",
    "Reward",
    "Verdict",
    "analyzer",
    "analyzers",
    "decide",
    "is_smoothing",
]

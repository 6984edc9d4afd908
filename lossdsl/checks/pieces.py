"""Where the pieces of a loss meet, and which there are: jumps, kinks, gaps, overlaps, pieces that never count."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lossdsl.analyze import Join
from lossdsl.analyze.piece_reports import Piece
from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject

JUMP = Row(
    "jump",
    "Jump between pieces",
    "warning",
    "The value jumps where two pieces meet: the gradient there says nothing of it, and a step across it costs at once.",
    "loss mine(t, x; d = 1.0)\nrequire d > 0\nwhere(abs(t - x) < d, 0.5*(t - x)^2, d*(abs(t - x) - d))",
    "loss mine(t, x; d = 1.0)\nrequire d > 0\nwhere(abs(t - x) < d, 0.5*(t - x)^2, d*(abs(t - x) - 0.5*d))",
    "add the difference to one of the pieces, or acknowledge the jump",
)
GAP = Row(
    "gap",
    "Gap between conditions",
    "warning",
    "There are inputs for which no condition of `cases` holds: the loss is nan there.",
    "e = t - x\ncases(e > 1: e - 1, e < -1: -e - 1)",
    "e = t - x\ncases(e > 1: e - 1, e < -1: -e - 1, else: 0)",
    "add an `else`",
)
OVERLAP = Row(
    "overlap",
    "Conditions that overlap",
    "warning",
    "Two conditions of `cases` hold at once though neither is a part of the other, and their values differ: the first "
    "one counts.",
    "e = t - x\ncases(e > -1: e^2, e < 1: 2*abs(e) - 1, else: 0)",
    "e = t - x\ncases(e > -1 and e < 1: e^2, else: 2*abs(e) - 1)",
    "say in the first condition where it ends",
)
DEAD = Row(
    "dead-piece",
    "Piece that never counts",
    "warning",
    "No admissible input and parameter selects this piece.",
    "where(abs(t - x) < 0, 0, abs(t - x))",
    "where(abs(t - x) < 1, abs(t - x), 2*abs(t - x) - 1)",
    "mend the condition, or remove the piece",
)
KINK = Row(
    "kink",
    "Kink in the slope",
    "info",
    "The slope in the prediction jumps where two pieces meet.",
    "loss mine(t: sign, x)\nmax(1 - t*x, 0)",
    "loss mine(t: sign, x)\nmax(1 - t*x, 0)^2",
    "nothing where it is wanted: the gradient at the kink is that of the piece selected there",
    asked=True,
)
IDLE = Row(
    "idle-comparison",
    "Comparison that decides nothing",
    "info",
    "Value and slope agree where two pieces meet, so that `<` might as well be `<=`.",
    "where(t > x, 1, 2)*(t - x)^2",
    "where(t > x, 1, 2)*abs(t - x)",
    "nothing: the loss is the same with either sign",
    asked=True,
)

ROWS = (JUMP, GAP, OVERLAP, DEAD, KINK, IDLE)

ROUNDING = 2.0**-24
"""A jump that is a smaller part of the value is lost in the rounding of float32, as where a series takes over."""

LONGEST = 120
"""A slope with a longer formula is told by its value at a point."""

_TWINS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_PIECES = {"gap": GAP, "overlap": OVERLAP, "unreachable": DEAD}


def _of_piece(piece: Piece) -> Finding:
    row = _PIECES[piece.kind]
    at = f" at {piece.verdict.place}" if piece.verdict.at else ""
    return row.found(f"{piece.text}{at}", piece.span, row.remedy, str(piece.verdict))


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each jump and each piece that is amiss, once over all settings; a piece is dead if it is in all."""
    told: set[tuple[str, str]] = set()
    dead = frozenset.intersection(*(frozenset(one.text for one in each.pieces) for each in subject.analyzers))
    for analyzer in subject.analyzers:
        where = setting(analyzer.program.loss)
        for join in analyzer.joins:
            if join.value.how == "refuted" and join.value.size > ROUNDING and ("jump", join.condition) not in told:
                told.add(("jump", join.condition))
                yield JUMP.found(_jump(join) + where, join.span, JUMP.remedy, str(join.value))
        for piece in analyzer.pieces:
            if (piece.kind, piece.text) in told or (piece.kind == "unreachable" and piece.text not in dead):
                continue
            told.add((piece.kind, piece.text))
            yield _of_piece(piece)


def kinks(subject: Subject) -> Iterator[Finding]:
    """A finding for each join at which the slope jumps, with its one-sided limits."""
    for join, where in _joins(subject, lambda join: bool(join.kink)):
        yield KINK.found(_kink(join) + where, join.span, KINK.remedy, str(join.slope))


def idle(subject: Subject) -> Iterator[Finding]:
    """A finding for each comparison that decides nothing under any setting."""
    decided = {join.condition for analyzer in subject.analyzers for join in analyzer.joins if not join.decides_nothing}
    for join, _ in _joins(subject, lambda join: join.decides_nothing and join.condition not in decided):
        text = f"value and slope agree at `{join.condition}`: `{join.comparison}` might as well be"
        yield IDLE.found(f"{text} `{_TWINS[join.comparison]}`", join.span, IDLE.remedy, str(join.slope))


def _joins(subject: Subject, holds: Callable[[Join], bool]) -> Iterator[tuple[Join, str]]:
    """The joins of which something holds, each with the setting under which it does, once over all settings."""
    told: set[str] = set()
    for analyzer in subject.analyzers:
        for join in analyzer.joins:
            if holds(join) and join.condition not in told:
                told.add(join.condition)
                yield join, setting(analyzer.program.loss)


def _jump(join: Join) -> str:
    by = f" by `{join.jump}`" if join.jump else ""
    seen = f" (seen at {join.value.place})" if join.value.at else ""
    if join.left == join.right:
        return f"the value jumps{by} at `{join.condition}`{seen}"
    return _sides("value", by, join, (join.left, join.right)) + seen


def _kink(join: Join) -> str:
    limits = join.left_slope, join.right_slope
    if max(map(len, limits)) > LONGEST:
        return f"the slope jumps at `{join.condition}`: {join.slope.detail} at {join.slope.place}"
    by = "" if "0" in limits else f" by `{join.kink}`"
    return f"{_sides('slope', by, join, limits)} (seen at {join.slope.place})"


def _sides(what: str, by: str, join: Join, limits: tuple[str, str]) -> str:
    """What jumps, and the two limits; which of them is on the left is not always known."""
    case = f" for `{join.case}`" if join.case else ""
    if join.ordered:
        return f"the {what} jumps{by} at `{join.condition}`, from `{limits[0]}` to `{limits[1]}`{case}"
    sides = f"it is `{limits[0]}` on one side and `{limits[1]}` on the other"
    return f"the {what} jumps at `{join.condition}`: {sides}{case}"

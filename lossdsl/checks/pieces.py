"""Where the pieces of a loss meet, and which of them there are: jumps, gaps, overlaps, pieces that never count."""

from __future__ import annotations

from collections.abc import Iterator

from lossdsl.analysis import Join
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

ROWS = (JUMP, GAP, OVERLAP, DEAD)

ROUNDING = 2.0**-24
"""A jump that is a smaller part of the value is lost in the rounding of float32, as where a series takes over."""

_PIECES = {"gap": GAP, "overlap": OVERLAP, "unreachable": DEAD}


def look(subject: Subject) -> Iterator[Finding]:
    """A finding for each jump and each piece that is amiss, once over all settings; a piece is dead if it is in all."""
    told: set[tuple[str, str]] = set()
    for study in subject.studies:
        where = setting(study.program.loss)
        for join in study.joins:
            if join.value.how == "refuted" and join.value.size > ROUNDING and ("jump", join.condition) not in told:
                told.add(("jump", join.condition))
                yield JUMP.found(_jump(join) + where, join.span, JUMP.remedy, str(join.value))
        for piece in study.pieces:
            if (piece.kind, piece.text) in told:
                continue
            if piece.kind == "unreachable" and not all(
                any(one.text == piece.text for one in other.pieces) for other in subject.studies
            ):
                continue
            told.add((piece.kind, piece.text))
            row = _PIECES[piece.kind]
            at = f" at {piece.verdict.place}" if piece.verdict.at else ""
            yield row.found(f"{piece.text}{at}", piece.span, row.remedy, str(piece.verdict))


def _jump(join: Join) -> str:
    by = f" by `{join.jump}`" if join.jump else ""
    sides = f", from `{join.left}` to `{join.right}`" if join.left != join.right else ""
    seen = f" (seen at {join.value.place})" if join.value.at else ""
    return f"the value jumps{by} at `{join.condition}`{sides}{seen}"

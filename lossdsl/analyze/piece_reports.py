"""What the pieces of a loss tell its author: joins, pieces that are never selected, gaps and overlaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Input, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.prediction_view import PredictionView
from lossdsl.ir.ranges import ranges
from lossdsl.ir.text import decimal, formula
from lossdsl.ir.verdict import OPEN, Number, Verdict
from lossdsl.oracle.no_numbers import questions
from lossdsl.prove.case_splits import Cell
from lossdsl.prove.piecewise import Adjacency, Piecewise
from lossdsl.prove.rational_field import TooLarge
from lossdsl.refute import counterexamples
from lossdsl.refute.grid_search import GridSearch
from lossdsl.source import Span
from lossdsl.transform.kept import Finiteness

UNDEFINED = Const(float("nan"))


@dataclass(frozen=True)
class Join:
    """Where two pieces meet. What is asked of it is worked out then: few joins are told of.

    The limits of value and slope from either side are formulas; `left` is the side of smaller predictions where the
    sides are `ordered`, else one of the two.
    """

    view: PredictionView = field(repr=False)
    meeting: Adjacency = field(repr=False)
    search: GridSearch | None = field(repr=False)
    tried: dict[Any, Verdict | None] = field(default_factory=dict, repr=False, compare=False)
    """What was found at which places: that hangs on nothing else of a join."""

    @cached_property
    def condition(self) -> str:
        return " = ".join(asked(self.view, self.meeting.join.asker))

    @property
    def ordered(self) -> bool:
        return self.meeting.ordered

    @property
    def node(self) -> Expr:
        """What asks, as the author wrote it."""
        return self.view.source.get(self.meeting.join.asker, self.meeting.join.asker)

    @cached_property
    def span(self) -> Span | None:
        return self.view.span(self.meeting.join.asker)

    @property
    def comparison(self) -> str:
        """The `<`, `<=`, `>` or `>=` that asks; "" for `abs`, `max` and the like."""
        asker = self.meeting.join.asker
        return asker.op.infix if isinstance(asker, Call) and asker.op.is_order else ""

    @property
    def case(self) -> str:
        """The target for which the formulas are, as in `t = -1`, or ""."""
        view, target = self.view, self.view.loss.target
        return f"{target.name} = {decimal(view.target_case)}" if view.target_case is not None and target else ""

    @cached_property
    def value(self) -> Verdict:
        """On "no jump"."""
        if self.meeting.same_value:
            return Verdict("proved", "pieces")
        return self._searched(counterexamples.jump) if self.search is not None and self._places else OPEN

    @cached_property
    def slope(self) -> Verdict:
        """On "no kink"."""
        if self.meeting.same_slope:
            return Verdict("proved", "pieces")
        if self.search is None or not self._places or self.value.how != "proved":
            return OPEN
        return self._searched(counterexamples.kink)

    def _searched(self, look: Callable[[GridSearch, Sequence[Expr]], Verdict | None]) -> Verdict:
        """What a search at its places finds; many pieces meet at the same ones."""
        key = look, tuple(self._places)
        if self.search is not None and key not in self.tried:
            self.tried[key] = look(self.search, self._places)
        return self.tried.get(key) or OPEN

    @property
    def left(self) -> str:
        return formula(self.view.written(self._values[0]))

    @property
    def right(self) -> str:
        return formula(self.view.written(self._values[1]))

    @property
    def left_slope(self) -> str:
        return formula(self.view.written(self._slopes[0]), self.view.loss.names)

    @property
    def right_slope(self) -> str:
        return formula(self.view.written(self._slopes[1]), self.view.loss.names)

    @property
    def jump(self) -> str:
        """By how much the value jumps, as a formula; "" where it does not, or where that is not known."""
        return _difference(self.view, self.meeting, self._values) if self.value.how == "refuted" else ""

    @property
    def kink(self) -> str:
        """By how much the slope jumps; "" also where it is infinite."""
        is_kink = self.slope.how == "refuted" and self.slope.detail != counterexamples.INFINITE
        return _difference(self.view, self.meeting, self._slopes) if is_kink else ""

    @property
    def decides_nothing(self) -> bool:
        """Whether `<` might as well be `<=`: value and slope agree on both sides."""
        return bool(self.comparison) and self.value.how == "proved" and self.slope.how == "proved"

    @cached_property
    def _values(self) -> list[Expr]:
        return [_at_join(cell.value, self.meeting) for cell in self.meeting.sides]

    @cached_property
    def _slopes(self) -> list[Expr]:
        return [_at_join(self.meeting.pieces.slope(cell.value), self.meeting) for cell in self.meeting.sides]

    @cached_property
    def _places(self) -> list[Expr]:
        return list(_places(self.view, self.meeting))


@dataclass(frozen=True)
class Piece:
    """Something about a piece: it is "unreachable" (never selected), a "gap" (no piece is), or an "overlap"."""

    kind: Literal["unreachable", "gap", "overlap"]
    text: str
    verdict: Verdict
    at: Mapping[str, Number] = field(default_factory=dict)
    span: Span | None = None
    node: Expr | None = None


def joins(view: PredictionView, pieces: Piecewise, search: GridSearch | None) -> Iterator[Join]:
    """Each join of a loss once, in the order of the source."""
    tried: dict[Any, Verdict | None] = {}
    found = [Join(view, meeting, search, tried) for meeting in pieces.meetings if _is_of_prediction(meeting)]
    yield from told_once(found)


def _is_of_prediction(meeting: Adjacency) -> bool:
    """Whether a join is reached by moving the prediction alone: else other inputs or parameters must coincide."""
    pieces = meeting.pieces
    if all(leaf is pieces.leaf for leaf, _ in meeting.solved):
        return True
    return len(meeting.on.zeros) == 1 and any(True for _ in pieces.places(meeting.join))


def told_once(found: Sequence[Join]) -> tuple[Join, ...]:
    """One join for each condition, the worst that was found there, in the order of the source."""
    worst: dict[str, Join] = {}
    for join in found:
        if join.condition not in worst or _is_worse(join, worst[join.condition]):
            worst[join.condition] = join
    return tuple(sorted(worst.values(), key=lambda join: join.span.start if join.span else -1))


_BADNESS = {"proved": 0, "tested": 0, "open": 1, "refuted": 2}


def _is_worse(one: Join, other: Join) -> bool:
    """By the value; where that is no worse, by the slope. Nothing is worse than a jump."""
    if other.value.how == "refuted":
        return False
    more = _BADNESS[one.value.how] - _BADNESS[other.value.how]
    return more > 0 or (more == 0 and _BADNESS[one.slope.how] > _BADNESS[other.slope.how])


def _at_join(expr: Expr, meeting: Adjacency) -> Expr:
    """An expression at a join; where that could not be solved for, what is left after division by its equation."""
    found, forms = meeting.pieces.at_join(expr, meeting), meeting.pieces.assumptions.forms
    try:
        form = forms.of(found)
        if meeting.solved or not form.is_polynomial:
            return found
        rest = forms.of_polynomial(form.top % meeting.join.difference)
        return forms.expr(forms.div(rest, forms.of_polynomial(form.bottom)))
    except TooLarge:
        return found


def _places(view: PredictionView, meeting: Adjacency) -> Iterator[Expr]:
    """The predictions at which two pieces meet, in the author's inputs, as far as they can be solved for."""
    pieces, target = meeting.pieces, view.loss.target
    solved = [value for leaf, value in meeting.solved if leaf is pieces.leaf]
    for place in solved or pieces.places(meeting.join):
        if view.moves and target is not None:
            yield b.sub(target.nodes[0], place)
        elif view.target_case is not None and target is not None:  # the other targets meet somewhere else
            yield b.where(b.call("eq", target.nodes[0], b.const(view.target_case)), place, UNDEFINED)
        else:
            yield place


def asked(view: PredictionView, asker: Expr) -> tuple[str, str]:
    """The two sides that a comparison, a `max` or an `abs` asks for, as the author wrote them."""
    node = view.source.get(asker, asker)
    call = node if isinstance(node, Call) and isinstance(asker, Call) and node.op is asker.op else asker
    assert isinstance(call, Call)
    sides = (call.args[0], call.args[1]) if len(call.args) == 2 else (call.args[0], b.ZERO)
    one, other = (formula(view.written(side), view.loss.names) for side in sides)
    return one, other


def _difference(view: PredictionView, meeting: Adjacency, sides: Sequence[Expr]) -> str:
    """How far the right side lies above the left one, without its sign where that is known."""
    assumptions = meeting.pieces.assumptions
    try:
        form = assumptions.forms.of(b.sub(sides[1], sides[0]))
        sign = assumptions.ratio_sign(form, meeting.on.region)
        if sign is not None and sign[0] < 0:
            form = assumptions.forms.negative(form)
        return formula(view.written(assumptions.forms.expr(form)))
    except TooLarge:
        return formula(view.written(b.sub(sides[1], sides[0])))


def _outcomes(views: Sequence[PredictionView], cells: Sequence[Sequence[Cell]]) -> Mapping[Expr, set[bool]]:
    """How the condition of each choice comes out in some case."""
    met: dict[Expr, set[bool]] = {}
    for view, found in zip(views, cells, strict=True):
        for node, held in (chosen for cell in found for chosen in cell.chosen):
            met.setdefault(view.source.get(node, node), set()).add(held)
    return met


def unreachable(views: Sequence[PredictionView], cells: Sequence[Sequence[Cell]]) -> Iterator[Piece]:
    """The pieces that no admissible input selects."""
    loss, met = views[0].loss, _outcomes(views, cells)
    whole = {view.source.get(node, node) for view in views for node in walk(view.expr)}
    numbers = Finiteness(ranges(loss))
    for node in walk(loss.value):
        if not (isinstance(node, Call) and node.op.name == "where" and node in whole and len(met.get(node, ())) == 1):
            continue
        holds = True in met[node]
        piece = node.args[2 if holds else 1]
        if _asks_for_no_number(node.args[0]) or _is_undefined(piece):  # as the missing `else` of `cases`, not missed
            continue
        if holds and not all(numbers[side] for side in _compared(node.args[0])):
            continue  # where `t/t == 1` has no value, it does not hold
        outcome = "always holds" if holds else "never holds"
        text = f"`{formula(node.args[0], loss.names)}` {outcome}"
        span = loss.spans.get(piece) or loss.spans.get(node.args[0]) or loss.spans.get(node)
        yield Piece("unreachable", text, Verdict("proved", "pieces"), {}, span, piece)


def _compared(condition: Expr) -> Iterator[Expr]:
    """The numbers that a condition compares."""
    return (
        side for test in walk(condition) for side in test.children if test.kind is Kind.BOOL and side.kind is Kind.REAL
    )


def _asks_for_no_number(condition: Expr) -> bool:
    """Whether a condition asks if an input is nan or infinite: then it may be, though no number of its kind is."""
    subjects = [subject for test in walk(condition) for subject, _ in questions(test)]
    return any(isinstance(part, Input) for part in walk(*subjects))


def gaps(view: PredictionView, cells: Sequence[Cell], search: GridSearch | None) -> Iterator[Piece]:
    """Inputs for which no condition holds and there is no `else`: the loss has no value there."""
    if not any(_is_undefined(part) for cell in cells for part in walk(cell.value)):
        return
    node = next((one for one in walk(view.loss.value) if any(map(_is_undefined, one.children))), None)
    verdict = Verdict("open")
    at: Mapping[str, Number] = {}
    for line in search.lines if search is not None else ():
        bad = [x for x, y in zip(line.xs, line.values, strict=True) if y is None]
        if bad and search is not None:
            at = search.at(line.setting, min(bad, key=lambda x: (x.denominator, abs(x))))
            verdict = Verdict("refuted", "search", at=at, detail="no condition holds")
            break
    span = view.span(node) if node is not None else None
    yield Piece("gap", "no condition holds", verdict, at, span, node)


def _is_undefined(node: Expr) -> bool:
    """Whether a node is what stands for a missing `else`."""
    return isinstance(node, Const) and node.value != node.value


def overlaps(view: PredictionView, search: GridSearch | None) -> Iterator[Piece]:
    """Inputs for which two conditions of one `cases` hold and the values differ: the first one counts."""
    if search is None:
        return
    for node in walk(view.loss.value):
        chain = _chain(node)
        span = view.loss.spans.get(node)
        if len(chain) < 2 or span is None or not span.text.lstrip("( ").startswith("cases"):
            continue
        yield from _overlap(view, search, chain, span)


def _chain(node: Expr) -> list[tuple[Expr, Expr]]:
    """The conditions and values of nested choices, each in the other's last place."""
    found = []
    while isinstance(node, Call) and node.op.name == "where":
        found.append((node.args[0], node.args[1]))
        node = node.args[2]
    return found


def _overlap(
    view: PredictionView, search: GridSearch, chain: Sequence[tuple[Expr, Expr]], span: Span
) -> Iterator[Piece]:
    """Two conditions of which neither is a part of the other: `u <= 2` and `u <= 4` are told one after the other."""
    for place, (condition, value) in enumerate(chain):
        for later, other in chain[place + 1 :]:
            both = b.where(b.call("and", condition, later), b.call("abs", b.sub(value, other)), b.ZERO)
            at = _first(both, search)
            first_alone = b.number(b.call("and", condition, b.call("not", later)))
            second_alone = b.number(b.call("and", later, b.call("not", condition)))
            if at is None or _first(first_alone, search) is None or _first(second_alone, search) is None:
                continue
            verdict = Verdict("refuted", "search", at=at, detail="both hold, and the values differ")
            texts = [formula(one, view.loss.names) for one in (condition, later)]
            text = f"`{texts[0]}` and `{texts[1]}` both hold"
            yield Piece("overlap", text, verdict, at, view.loss.spans.get(later, span), later)


def _first(expr: Expr, search: GridSearch) -> Mapping[str, Number] | None:
    """The plainest point of the first line on which something is more than nothing at two points."""
    tiny = search.m.mpf(10) ** -12
    for line in search.lines:
        inner = sorted(line.xs, key=lambda x: (x.denominator, abs(x)))
        values = search.numbers(expr, line.setting, inner)
        found = [x for x, y in zip(inner, values, strict=True) if y is not None and y > tiny]
        if len(found) > 1:
            return search.at(line.setting, found[0])
    return None

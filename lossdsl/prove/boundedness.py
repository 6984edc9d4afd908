"""Whether a value stays within bounds whatever the prediction, everything else being set."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.bounds import INF, Bounds
from lossdsl.ir.expr import Along, Call, Const, Expr, Reduce
from lossdsl.ir.traits import Trait
from lossdsl.prove.assumptions import Assumptions
from lossdsl.prove.asymptotics import towards
from lossdsl.prove.case_splits import Cell
from lossdsl.prove.composition import Composition
from lossdsl.prove.piecewise import Piecewise
from lossdsl.prove.rational_field import TooLarge, atoms_in


@dataclass
class Boundedness(Interpretation[bool]):
    """Whether it is proved that, for each target and parameters, a bound holds for every prediction.

    What is in `held` is known to stay within bounds.
    """

    properties: Composition
    held: frozenset[Expr] = frozenset()

    def top(self, node: Expr) -> bool:
        return False

    def refined(self, node: Expr, below: list[bool], found: bool) -> bool:
        properties = self.properties[node]
        return found or node in self.held or properties.constant or properties.bounds.is_finite

    def call(self, node: Call, below: list[bool]) -> bool:
        name, args = node.op.name, node.args
        if node.op.trait is not None:
            near = name == "log" and (is_away_from_zero(args[0], self) or is_filtered(args[0], self))
            return below[0] and (near or self._avoids_poles(node.op.trait, self.properties.bounds(args[0])))
        match name:
            case "where":
                return below[1] and below[2]
            case "div":
                bounds = self.properties.bounds(args[1])
                return below[0] and (self.properties[args[1]].constant or bounds.low > 0 or bounds.high < 0)
            case "pow":
                base, power = self.properties.bounds(args[0]), self.properties[args[1]]
                return power.constant and below[0] and (power.bounds.low >= 0 or base.low > 0)
        return node.op.is_total and all(below)

    def _avoids_poles(self, trait: Trait, bounds: Bounds) -> bool:
        """Whether an argument within bounds comes no nearer to an open end of the domain than some distance."""
        domain = trait.domain
        low = domain.low == -INF or not domain.low_open or bounds.low > domain.low
        high = domain.high == INF or not domain.high_open or bounds.high < domain.high
        return low and high and (not trait.elsewhere or bounds.within(domain))

    def reduced(self, node: Reduce, inner: bool) -> bool:
        return inner

    def along(self, node: Along, below: list[bool]) -> bool:
        return below[0]


def is_away_from_zero(expr: Expr, limited: Boundedness) -> bool:
    """Whether an expression is proved to stay above some positive number whatever the prediction.

    The exponential of what stays within bounds does, and so do sums that have such a term and no negative one.
    """
    known = limited.properties[expr]
    if known.bounds.low > 0 or (known.constant and known.bounds.is_positive):
        return True
    match expr:
        case Call(op, (inner,)) if op.name == "exp":
            return limited[inner]
        case Call(op, (one, other)) if op.name == "add":
            positive = all(limited.properties.bounds(part).is_nonnegative for part in (one, other))
            return positive and (is_away_from_zero(one, limited) or is_away_from_zero(other, limited))
        case Call(op, (one, other)) if op.name == "mul":
            return is_away_from_zero(one, limited) and is_away_from_zero(other, limited)
        case Reduce(op, inner) if op.name == "sum" or op.is_between:
            return is_away_from_zero(inner, limited)
    return False


def is_filtered(expr: Expr, limited: Boundedness) -> bool:
    """The same of a sum over elements that targets and positions choose, if it is not 0: none may be chosen.

    Then it is 0 whatever the prediction, and its logarithm never has a value.
    """
    match expr:
        case Call(op, (inner, other)) if op.name in ("mul", "div") and limited.properties[other].constant:
            return limited.properties.bounds(other).is_nonnegative and is_filtered(inner, limited)
        case Reduce(op, Call(choice, (condition, chosen, Const(0)))) if op.name in ("sum", "mean"):
            is_set = choice.name == "where" and limited.properties[condition].constant
            return is_set and is_away_from_zero(chosen, limited)
    return False


def is_limited(expr: Expr, known: Composition, held: frozenset[Expr] = frozenset()) -> bool:
    """Whether an expression is proved to stay within bounds whatever the prediction, everything else being set."""
    return Boundedness(known, held)[expr]


# --- piece by piece -----------------------------------------------------------------------------------------------


def is_bounded(pieces: Piecewise) -> bool:
    """Whether the loss is proved to stay within bounds, for each target, over all predictions."""
    edged = _edged(pieces)
    return all(_stays(cell.value, pieces, cell, edged) for cell in pieces.cells)


def is_gentle(pieces: Piecewise) -> bool:
    """Whether the slope is proved to stay within bounds, for each target, over all predictions."""
    edged = _edged(pieces)
    for cell in pieces.whole:
        closed = pieces.assumptions.composition(cell.region.closed(), frozenset({pieces.leaf}))
        if not closed[cell.value].total or not _stays(pieces.slope(cell.value), pieces, cell, edged):
            return False
    return True


def _edged(pieces: Piecewise) -> Assumptions:
    """The assumptions with the edge of the predictions, if it is open there."""
    leaves = dict(pieces.assumptions.leaves)
    bounds = leaves.get(pieces.leaf, Bounds())
    if not (bounds.low_open or bounds.high_open):
        return pieces.assumptions
    leaves[pieces.leaf] = Bounds(bounds.low, bounds.high)
    return replace(pieces.assumptions, leaves=leaves, _facts=(-1, ()), _composed={})


def _stays(expr: Expr, pieces: Piecewise, cell: Cell, edged: Assumptions) -> bool:
    """Whether an expression stays within bounds on a cell, everything but the leaf being set.

    What is continuous on the cell and its edge is bounded on each bounded part of it; then its ends count.
    """
    region, leaf = cell.region.closed(), pieces.leaf
    sides = _held_sides(pieces, cell)
    held = frozenset({leaf}) if sides == {1, -1} else frozenset()
    for form in _forms(expr, pieces):
        known = pieces.assumptions.composition(region, frozenset({leaf}))
        if is_limited(form, known, held):
            return True
    for form in _forms(expr, pieces):
        properties = edged.composition(region, frozenset({leaf}))[form]
        if not properties.continuous or not (properties.total or edged.is_defined(form, region)):
            continue
        ends = [towards(form, leaf, side * INF, side, known.bounds) for side in {1, -1} - sides]
        if all(end is not None and end.stays for end in ends):
            return True
    return False


def _forms(expr: Expr, pieces: Piecewise) -> list[Expr]:
    """An expression as it is, and in its normal form."""
    forms = pieces.assumptions.forms
    try:
        return [expr, forms.expr(forms.of(expr))]
    except TooLarge:
        return [expr]


def _held_sides(pieces: Piecewise, cell: Cell) -> set[int]:
    """The sides, 1 above and -1 below, on which a cell or the kind of the prediction holds the leaf."""
    forms, bounds = pieces.assumptions.forms, pieces.assumptions.leaves.get(pieces.leaf, Bounds())
    sides = {side for side, end in ((1, bounds.high), (-1, bounds.low)) if -INF < end < INF}
    place = atoms_in(forms.of(pieces.leaf).top)[0]
    known = [(one.polynomial, False) for one in cell.region.known]
    for polynomial, is_zero in [*known, *((zero, True) for zero in cell.region.zeros)]:
        degree = int(polynomial.degrees()[place])
        others = [forms.atoms[other] for other in atoms_in(polynomial) if other != place]
        if not degree or len(sides) == 2 or any(b.depends(other, (pieces.leaf,)) for other in others):
            continue
        leading = polynomial
        for _ in range(degree):
            leading = leading.derivative(place)
        found = pieces.assumptions.within(cell.region).sign(leading)
        if found is None or not found[1] or not found[0]:
            continue
        # Where the leading term goes to minus infinity, the polynomial cannot stay at least 0.
        sides |= {side for side in (1, -1) if is_zero or found[0] * side**degree < 0}
    return sides

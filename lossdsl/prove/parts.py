"""Parts of a loss over whole tensors, taken apart like a loss of one number: choices inside of a sum.

A part is what stands inside of an aggregate and is made of operations element by element. Of the things that it is made
of, such as `x[t]` or another aggregate, nothing is used but their bounds: what is proved of every number holds of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lossdsl.ir.bounds import NONNEGATIVE, Bounds
from lossdsl.ir.build import const, substitute
from lossdsl.ir.expr import Call, Expr, Input, Length, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.prediction_view import CASES, ERROR, PredictionView
from lossdsl.prove.assumptions import Assumptions, required
from lossdsl.prove.case_splits import cells
from lossdsl.prove.piecewise import Piecewise
from lossdsl.prove.properties import Profile
from lossdsl.prove.rational_field import TooLarge
from lossdsl.prove.rational_functions import NormalForms

MAX_PART = 60
"""The largest part, in operations, that is taken apart."""


Known = Mapping[Expr, Profile]
"""What is known of expressions by composition."""


@dataclass(frozen=True)
class Parts:
    """The parts of one view of a loss."""

    view: PredictionView

    def __call__(self, node: Expr, found: Profile, known: Known) -> Profile:
        """What is known of a part: what composition found, and what its pieces tell."""
        if not self._is_worth_it(node, found, known):
            return found
        for units in (_errors(node, known), _units(node, known)):
            found = self._by_pieces(node, units, found, known) if units else found
            if not self._is_worth_it(node, found, known):
                return found
        top = _numerator(node, known)
        if top is not node and not found.bounds.is_nonnegative and self(top, known[top], known).bounds.is_nonnegative:
            found = replace(found, bounds=found.bounds.meet(NONNEGATIVE))
        return found

    def _by_pieces(self, node: Expr, units: Sequence[Expr], found: Profile, known: Known) -> Profile:
        """The same, with a part as a function of some of what it is made of."""
        leaves = {unit: Input(f"the part {place}", unit.axes) for place, unit in enumerate(units)}
        try:
            every = [self._pieces(node, leaves, case, known) for case in self._cases(node)]
        except TooLarge:
            return found
        if not found.bounds.is_nonnegative and all(pieces.nonnegative for pieces in every):
            found = replace(found, bounds=found.bounds.meet(NONNEGATIVE))
        return _composed(every, known[units[0]], found) if len(units) == 1 else found

    def _cases(self, node: Expr) -> Iterator[Mapping[Expr, Expr]]:
        """The values that inputs in a part have, of those that have only a few."""
        used = set(walk(node))
        few = {
            part.node: CASES[part.domain]
            for spec in self.view.loss.inputs
            for part in spec.parts
            if part.domain in CASES and part.node in spec.nodes
        }
        few = {leaf: values for leaf, values in few.items() if leaf in used and leaf not in self.view.variables}
        for values in itertools.product(*few.values()):
            yield {leaf: const(value) for leaf, value in zip(few, values, strict=True)}

    def _is_worth_it(self, node: Expr, found: Profile, known: Known) -> bool:
        """Whether something is open of a part: its sign, or what choices in it leave open."""
        is_known = found.convex and found.continuous and found.smooth
        if found.constant or (is_known and found.bounds.is_nonnegative) or not isinstance(node, Call):
            return False
        own = _own(node, known)
        chooses = any(one.op.selects or one.op.name in ("abs", "sign") for one in own)
        return len(own) <= MAX_PART and (chooses or not found.bounds.is_nonnegative)

    def _pieces(self, node: Expr, leaves: Mapping[Expr, Expr], case: Mapping[Expr, Expr], known: Known) -> Piecewise:
        """The pieces of a part as a function of what it is made of. Raises TooLarge."""
        still = {
            one: Input(f"the constant {place}", one.axes) for place, one in enumerate(_constants(node, case, known))
        }
        expr = substitute(node, {**leaves, **still, **case})
        forms = NormalForms()
        bounds: dict[Expr, Bounds] = dict(self.view.leaves)
        bounds |= {leaf: known[part].bounds for part, leaf in {**leaves, **still}.items()}
        conditions = self.view.loss.granted
        moved = frozenset(leaves.values())
        fixed = replace(self.view, expr=expr, variables=moved).fixed
        assumptions = Assumptions(bounds, forms, required(conditions, forms), fixed)
        leaf: Expr = next(iter(moved)) if len(moved) == 1 else ERROR
        return Piecewise(cells(expr, assumptions), assumptions, leaf)


def _own(node: Expr, known: Known) -> list[Call]:
    """The operations of a part that the prediction has an influence on, down to what it is made of."""
    found: dict[Call, None] = {}
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Call) and one not in found and not known[one].constant:
            found[one] = None
            stack += one.args
    return list(found)


def _units(node: Expr, known: Known) -> list[Expr]:
    """What a part is made of: whatever of the prediction is no operation on single elements."""
    found: dict[Expr, None] = {}
    for one in _own(node, known):
        for arg in one.args:
            if not isinstance(arg, Call | Length) and not known[arg].constant:
                if arg.kind is Kind.BOOL:
                    return []  # a condition over an axis is no number
                found[arg] = None
    return list(found)


def _errors(node: Expr, known: Known) -> list[Expr]:
    """What the choices in a part ask about, such as an error, if nothing else of the prediction is in it."""
    asked: dict[Expr, None] = {}
    for one in _own(node, known):
        for arg in one.args if one.op.name == "abs" or one.kind is Kind.BOOL else ():
            if isinstance(arg, Call) and arg.kind is not Kind.BOOL and not known[arg].constant:
                asked[arg] = None
    inner = [one for one in asked if not any(other is not one and other in set(walk(one)) for other in asked)]
    rest = substitute(node, {one: Input(f"the part {place}", one.axes) for place, one in enumerate(inner)})
    return [] if any(unit in set(walk(rest)) for unit in _units(node, known)) else inner


def _numerator(node: Expr, known: Known) -> Expr:
    """What has the sign of a quotient, wherever that has a value, if the divisor is not negative."""
    while isinstance(node, Call) and node.op.name == "div" and known[node.args[1]].bounds.is_nonnegative:
        node = node.args[0]
    return node


def _constants(node: Expr, case: Mapping[Expr, Expr], known: Known) -> list[Expr]:
    """The numbers in a part that are worked out from inputs that are not given, and not from the prediction."""
    found: dict[Expr, None] = {}
    for one in _own(node, known):
        for arg in one.args:
            is_worked_out = isinstance(arg, Call) and any(
                isinstance(leaf, Input) and leaf not in case for leaf in walk(arg)
            )
            if is_worked_out and known[arg].constant and arg.kind is not Kind.BOOL:
                found[arg] = None
    return list(found)


def _composed(every: Sequence[Piecewise], unit: Profile, found: Profile) -> Profile:
    """What a function of one number, of which the pieces are known, makes of what it is a function of."""
    if not unit.affine and not all(map(_is_total, every)):
        return found  # the predictions at which there is a value need be no convex set
    continuous = found.continuous or (unit.continuous and all(pieces.continuous for pieces in every))
    smooth = found.smooth or (unit.smooth and all(pieces.smooth for pieces in every))
    convex = found.convex or (unit.affine and all(pieces.convex for pieces in every))
    return replace(found, continuous=continuous, smooth=smooth and continuous, convex=convex)


def _is_total(pieces: Piecewise) -> bool:
    return all(pieces.assumptions.is_defined(cell.value, cell.region) for cell in pieces.cells)

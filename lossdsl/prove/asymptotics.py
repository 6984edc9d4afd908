"""How fast an expression of one variable grows towards an end: exact, for whatever everything else may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from lossdsl.ir import build as b
from lossdsl.ir.abstract import Interpretation
from lossdsl.ir.axes import NONE
from lossdsl.ir.bounds import INF, REALS, Bounds, End, point
from lossdsl.ir.expr import Call, Const, Expr, Flag, Input, Length
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import conjuncts
from lossdsl.prove.growth_orders import (
    ANY_FAST,
    LEVEL,
    UP,
    Growth,
    divided,
    has_own_growth,
    one_argument,
    several_arguments,
)
from lossdsl.prove.rational_field import TooLarge, atoms_in
from lossdsl.prove.rational_functions import NormalForms
from lossdsl.transform.language import expression


@dataclass
class Growths(Interpretation[Growth | None]):
    """Growth of expressions in a variable, as it goes to plus infinity. `settled` has the bounds of other parts."""

    variable: Expr
    settled: Callable[[Expr], Bounds]
    forms: NormalForms = field(default_factory=NormalForms)
    _moved: dict[Expr, bool] = field(default_factory=dict, init=False)

    def top(self, node: Expr) -> Growth | None:
        return None

    def constant(self, node: Const) -> Growth | None:
        return Growth(LEVEL, point(node.value)) if isinstance(node.value, Fraction) else None

    def refined(self, node: Expr, below: list[Growth | None], found: Growth | None) -> Growth | None:
        if node is self.variable:
            return Growth((Fraction(1), 0), UP)
        return found if isinstance(node, Const) or self._moves(node) else Growth(LEVEL, self.settled(node))

    def gathered(self, node: Expr, below: list[Growth | None]) -> Growth | None:
        return None

    def call(self, node: Call, below: list[Growth | None]) -> Growth | None:
        if node.kind is Kind.BOOL or not self._moves(node):
            return None
        name = node.op.name
        if node.op.selects:
            return self._chosen(node)
        if name == "xlogy" and below[0] == Growth(LEVEL, point(0)) and not self._moves(node.args[0]):
            return below[0]  # 0 times whatever the logarithm is counts as 0
        if node.op.written and not has_own_growth(node.op):
            return self[expression(node.op.written, dict(zip(node.op.args, node.args, strict=True)))]
        known = [arg for arg in below if arg is not None]
        if len(known) < len(below):
            return self._bounded(node)
        found = one_argument(node.op, known[0]) if node.op.trait is not None else several_arguments(name, known)
        if found is None or (name in ("add", "sub") and not found.sign):
            found = self._rational(node) or found
        return found if found is not None else self._bounded(node)

    def _moves(self, node: Expr) -> bool:
        if node not in self._moved:
            below = () if isinstance(node, Length) else node.children
            self._moved[node] = node is self.variable or any(self._moves(child) for child in below)
        return self._moved[node]

    def _chosen(self, node: Call) -> Growth | None:
        """A choice: the part that is taken in the end."""
        first, second = node.args[-2:]
        if node.op.name == "where":
            held = self._holds(node.args[0])
        else:
            held = self._holds(b.call("gt" if node.op.name == "max" else "lt", first, second))
        return None if held is None else self.known[first if held else second]

    def _holds(self, node: Expr) -> bool | None:
        """Whether a condition holds, or fails, in the end."""
        if isinstance(node, Flag):
            return node.value
        if not isinstance(node, Call):
            return None
        name = node.op.name
        if name in ("and", "or", "not"):
            parts = [self._holds(arg) for arg in (node.args if name == "not" else conjuncts(node, name))]
            held = any(parts) if name == "or" else all(parts)
            return None if None in parts else held != (name == "not")
        if not node.op.turned:
            return None
        gap = self[b.sub(b.number(node.args[0]), b.number(node.args[1]))]
        if gap is None or not gap.sign:
            return None
        return gap.sign in node.op.holds_at

    def _bounded(self, node: Call) -> Growth | None:
        """A function whose values are bounded is of order 1, whatever its argument does."""
        fact = node.op.trait
        return Growth(LEVEL) if fact is not None and fact.image.is_finite and fact.domain == REALS else None

    def _rational(self, node: Expr) -> Growth | None:
        """The growth of a quotient of polynomials in the leaf: what cancels has no part in it."""
        try:
            form = self.forms.of(node)
            place = atoms_in(self.forms.of(self.variable).top)[0]
            parts = []
            for polynomial in (form.top, form.bottom):
                degree = int(polynomial.degrees()[place]) if not polynomial.is_zero() else 0
                if any(self._moves(self.forms.atoms[other]) for other in atoms_in(polynomial) if other != place):
                    return None
                lead = polynomial
                for _ in range(degree):
                    lead = lead.derivative(place)
                for step in range(2, degree + 1):
                    lead = lead / step
                parts.append((degree, self.settled(self.forms.expr(self.forms.of_polynomial(lead)))))
        except TooLarge:
            return None
        (top, first), (bottom, second) = parts
        return divided(Growth((Fraction(top), 0), first), Growth((Fraction(bottom), 0), second))


FAR = Input("what goes to infinity", NONE)


def towards(expr: Expr, leaf: Expr, end: End, side: int, settled: Callable[[Expr], Bounds]) -> Growth | None:
    """The growth of an expression as `leaf` goes to `end`, from above (`side` 1) or below, or to an infinity.

    `settled` has the bounds of what does not depend on the leaf.
    """
    if end in (INF, -INF):
        path: Expr = FAR if end > 0 else b.neg(FAR)
    else:
        path = b.add(b.const(Fraction(end)), b.div(b.const(side), FAR))
    moved = b.substitute(expr, {leaf: path})
    growths = Growths(FAR, settled)
    return growths[moved] or _of_one_atom(moved, growths)


def _of_one_atom(expr: Expr, growths: Growths) -> Growth | None:
    """The growth of an expression in a single atom, such as exp(x), that goes to an infinity or to 0 itself."""
    forms = growths.forms
    try:
        form = forms.of(expr)
        used = {place for one in (form.top, form.bottom) for place in atoms_in(one)}
        moving = [forms.atoms[place] for place in sorted(used) if b.depends(forms.atoms[place], (FAR,))]
        written = forms.expr(form)
    except TooLarge:
        return None
    found = growths[moving[0]] if len(moving) == 1 and moving[0] is not FAR else None
    if found is None or not found.sign or found.order == LEVEL:
        return None
    away = FAR if found.order > LEVEL else b.div(b.ONE, FAR)
    path = away if found.sign > 0 else b.neg(away)
    # It is a function of the atom alone, which takes the way of y, or of 1/y: bounds and limits are the same.
    inner = Growths(FAR, growths.settled)[b.substitute(written, {moving[0]: path})]
    if inner is None:
        return None
    if inner.order > LEVEL:
        return Growth(ANY_FAST, point(inner.sign)) if inner.sign and found.order[0] in (INF, -INF) else None
    return Growth(LEVEL, inner.limit)

"""Which curvature a boosting step may rest on: what is proved of a loss as a function of its raw score.

Gradient boosting steps by -g/h. With h the true second derivative (Newton's method) a step may go anywhere where the
loss flattens out, as Huber's and Cauchy's do. A *majorizer* is an h for which the parabola through the present point
lies above the loss everywhere, so that no step makes it worse. Where the slope ψ of a loss is odd about a centre and
ψ(u)/u does not grow with |u|, that quotient is one (de Leeuw and Lange, Sharp quadratic majorization in one dimension,
Computational Statistics & Data Analysis 53, 2009): of an error it is the weight of iteratively reweighted least
squares, of the logistic loss the bound of Jaakkola and Jordan (Bayesian parameter estimation via variational methods,
Statistics and Computing 10, 2000). For the softmax 1/2 is one (Böhning, Multinomial logistic regression algorithm,
Annals of the Institute of Statistical Mathematics 44, 1992), else any bound on the second derivative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import cached_property

from lossdsl.analyze import analyzer
from lossdsl.boosting.multinomial import Multiple, multiple
from lossdsl.errors import LossConfigError
from lossdsl.ir import build as b
from lossdsl.ir.bounds import NONNEGATIVE
from lossdsl.ir.expr import Expr
from lossdsl.ir.prediction_view import views
from lossdsl.pipeline import Program
from lossdsl.prove.assumptions import slope
from lossdsl.prove.claims import TargetCase

CURVATURES = ("auto", "newton", "majorizer", "one")
_BOUNDS = tuple(Fraction(2) ** power for power in range(-6, 11))
"""Bounds on a second derivative that are tried, least first."""
_STEPS = tuple(Fraction(2) ** power for power in range(7))
"""Bounds on a Newton step that are tried."""


class Centre(Enum):
    """What a quotient of slopes is taken about."""

    TARGET = "the target"
    ORIGIN = "0"


@dataclass(frozen=True)
class Majorizer:
    """The quotient of slopes about a centre, or a constant."""

    why: str
    centre: Centre | None = None
    constant: float = 0.0


@dataclass(frozen=True)
class Curvature:
    """What was taken ("newton", "majorizer" or "one"), and why."""

    kind: str
    why: str
    majorizer: Majorizer | None = None


@dataclass(frozen=True)
class ScoreCase:
    """An elementwise loss as a function of its score: its slope and second derivative, for one kind of target."""

    case: TargetCase
    leaf: Expr

    @cached_property
    def slope(self) -> Expr:
        return slope(self.case.view.expr, self.leaf)

    @cached_property
    def second(self) -> Expr:
        return slope(self.slope, self.leaf)

    @property
    def is_quadratic(self) -> bool:
        at_centre = b.substitute(self.second, {self.leaf: b.ZERO})  # in every piece the same, so not only its slope
        return self.case.vanishes(b.sub(self.second, at_centre)) and not self.case.vanishes(at_centre)

    @property
    def has_quotient(self) -> bool:
        """Whether (ψ(u) - ψ(0))/u is proved to be a majorizer."""
        case, leaf = self.case, self.leaf
        centred = b.sub(self.slope, b.substitute(self.slope, {leaf: b.ZERO}))
        if not case.vanishes(b.add(centred, b.substitute(centred, {leaf: b.neg(leaf)}))):
            return False
        square = b.mul(leaf, leaf)
        if case.stays_above(b.sub(b.mul(leaf, centred), b.mul(square, self.second))):
            return True  # the quotient falls: its derivative is (u*ψ'(u) - ψ(u))/u^2
        view = replace(case.view, expr=centred, leaves={**case.view.leaves, leaf: NONNEGATIVE})
        return TargetCase(view).properties.concave  # a concave slope that begins at 0 grows less than its chord

    def is_below(self, bound: Fraction) -> bool:
        """Whether the second derivative is proved to lie between -bound and bound."""
        most = b.const(bound)
        return self.case.stays_above(b.sub(most, self.second)) and self.case.stays_above(b.add(most, self.second))

    @property
    def has_short_steps(self) -> bool:
        """Whether a Newton step is proved to be bounded, or never to pass the target."""
        case, second = self.case, self.second
        if not case.stays_above(second) or case.vanishes(second):
            return False
        if case.view.moves:
            error = b.mul(self.leaf, self.leaf)
            return case.stays_above(b.sub(b.mul(error, second), b.mul(self.leaf, self.slope)))
        for step in _STEPS:
            most = b.mul(b.const(step), second)
            if case.stays_above(b.sub(most, self.slope)) and case.stays_above(b.add(most, self.slope)):
                return True
        return False


@dataclass(frozen=True)
class Score:
    """What is proved of a loss as a function of its raw score; each answer is worked out once."""

    program: Program
    """The loss with numbers for its parameters."""

    @classmethod
    def of(cls, program: Program, numbers: dict[str, float]) -> Score:
        bound = program.bound(numbers)
        return cls(Program(bound.file, replace(bound.loss, requirements=())))

    @cached_property
    def cases(self) -> list[ScoreCase]:
        """The cases of an elementwise loss of one number; none of another."""
        found = [TargetCase(view) for view in views(self.program.loss)]
        leaves = [case.view.variable for case in found]
        pairs = zip(found, leaves, strict=True)
        return [ScoreCase(case, leaf) for case, leaf in pairs if leaf is not None] if None not in leaves else []

    def is_proved(self, name: str) -> bool:
        """Whether a property of `lossdsl check` is proved."""
        return analyzer(self.program).decide(name).how == "proved"

    @cached_property
    def is_of_error(self) -> bool:
        """Whether only the difference of target and score matters."""
        return bool(self.cases) and all(one.case.view.moves for one in self.cases)

    @cached_property
    def softmax(self) -> Multiple:
        """The multiple of logsumexp that a loss of several scores has; None if there is more to it, or it may fall."""
        found = None if self.cases else multiple(self.program)
        return found if found is not None and found[0] >= 0 and found[1] > 0 else None

    @cached_property
    def ignores_target(self) -> bool:
        """Whether the second derivative is proved not to depend on the target."""
        target = self.program.loss.target
        if target is None or self.is_of_error:
            return False
        if not self.cases:
            return self.softmax is not None
        first = self.cases[0]
        if len(self.cases) > 1:
            return all(first.case.vanishes(b.sub(first.second, other.second)) for other in self.cases[1:])
        return all(first.case.vanishes(slope(first.second, node)) for node in target.nodes)

    @cached_property
    def is_affine_in_target(self) -> bool:
        """Whether the slope is proved to be an affine function of the target, so that means of targets count."""
        target = self.program.loss.target
        if target is None or not self.cases or self.is_of_error or target.is_label or len(target.nodes) != 1:
            return False
        (node,) = target.nodes
        return len(self.cases) > 1 or all(one.case.vanishes(slope(slope(one.slope, node), node)) for one in self.cases)

    @cached_property
    def majorizer(self) -> Majorizer | None:
        """A curvature that is proved to bound the loss from above; None if none is known."""
        if self.softmax is not None and self.softmax[1] < float("inf"):
            constant = self.softmax[1] / 2
            return Majorizer(f"{constant:g} is proved to bound the second derivatives (Böhning)", constant=constant)
        if not self.cases or not self.is_proved("smooth"):
            return None
        if all(one.has_quotient for one in self.cases):
            if self.is_of_error:
                why = "slope/error, the weight of reweighted least squares, is proved to fall with the error's size"
                return Majorizer(why, Centre.TARGET)
            return Majorizer("the quotient of slopes about 0 is proved to fall on both sides", Centre.ORIGIN)
        bound = next((bound for bound in _BOUNDS if all(one.is_below(bound) for one in self.cases)), None)
        if bound is None:
            return None
        return Majorizer(f"the second derivative is proved to be at most {bound}", constant=float(bound))

    @cached_property
    def newton(self) -> str:
        """Why Newton's step is safe; empty if that is not proved."""
        if not self.is_proved("smooth"):
            return ""
        if self.cases and all(one.has_short_steps for one in self.cases):
            if all(one.is_quadratic for one in self.cases):
                return "the loss is proved to be quadratic in the score"
            return "the loss is proved to be convex, with Newton steps that stay short"
        if self.ignores_target and self.is_proved("convex"):
            return "the loss is proved to be convex, with a second derivative that no target changes (Fisher scoring)"
        return ""

    def curvature(self, chosen: str) -> Curvature:
        """The curvature of that name; "auto" takes Newton where it is proved to be safe, else a majorizer, else one.

        Raises LossConfigError for another name, and where no majorizer is known.
        """
        if chosen not in CURVATURES:
            known = ", ".join(f'"{one}"' for one in CURVATURES)
            raise LossConfigError(f"there is no curvature {chosen!r}", None, f"one of {known}")
        if chosen in ("newton", "one"):
            return Curvature(chosen, "as was asked for")
        if chosen == "auto" and self.newton:
            return Curvature("newton", self.newton)
        found = self.majorizer
        if found is not None:
            return Curvature("majorizer", found.why, found)
        if chosen == "majorizer":
            message = f"{self.program.loss.name}: no bound on the curvature is proved"
            raise LossConfigError(message, None, 'leave `curvature` out, or take "newton" or "one"')
        return Curvature("one", "neither is Newton's step proved to be safe, nor a bound on the curvature known")

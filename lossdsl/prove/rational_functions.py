"""Normal forms: an expression as a quotient of polynomials over atoms, so that equal ones are seen to be equal.

An atom is a leaf, or an operation that is not arithmetic, over arguments in normal form. A few identities are worked in
(`log(exp(a)) = a`, `softplus(-a) = softplus(a) - a`, even and odd functions); every step is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.bounds import ball, enclosed
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Reduce, Rename, Slice, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import OPS
from lossdsl.prove.rational_field import (
    MAX_ATOMS,
    MAX_POWER,
    RationalField,
    RationalFunction,
    TooLarge,
    atoms_in,
    context,
    rational,
)

HALF = Fraction(1, 2)
_PLAIN = 10**9
MAX_NODES = 300
"""The most operations of an expression whose normal form is worked out."""


@dataclass
class NormalForms(RationalField):
    """The forms of expressions that were worked out so far."""

    _places: dict[Any, int] = field(default_factory=dict)
    _done: dict[Expr, RationalFunction] = field(default_factory=dict)
    _failed: set[Expr] = field(default_factory=set)

    def of(self, expr: Expr) -> RationalFunction:
        """The normal form. Raises TooLarge."""
        if expr in self._done:
            return self._done[expr]
        if expr in self._failed or any(child in self._failed for child in expr.children):
            self._failed.add(expr)
            raise TooLarge
        order = list(walk(expr))
        try:
            if len(order) > MAX_NODES:
                raise TooLarge
            for node in order:
                if node not in self._done:
                    self._done[node] = self._of(node)
        except TooLarge:
            self._failed.add(expr)
            raise
        return self._done[expr]

    # --- expressions --------------------------------------------------------------------------------------------

    def _of(self, node: Expr) -> RationalFunction:
        if isinstance(node, Const):
            if isinstance(node.value, float):
                raise TooLarge
            return self.number(node.value)
        same = self._of_one_number(node)
        if same is not None:
            return same
        if isinstance(node, Reduce):  # one of equal elements is the same, however they are written
            over = node.over, node.over & node.arg.axes
            return self._atom((node.op.name, *over, self._done[node.arg].key), node, ())
        if isinstance(node, Gather | Rename):
            return self._picked(node)
        if not isinstance(node, Call) or node.kind is Kind.BOOL or any(arg.kind is Kind.BOOL for arg in node.args):
            return self._atom(node, node, ())
        args = tuple(self._done[arg] for arg in node.args)
        match node.op.name, args:
            case "add", (a, c):
                return self.add(a, c)
            case "sub", (a, c):
                return self.sub(a, c)
            case "mul", (a, c):
                return self.mul(a, c)
            case "neg", (a,):
                return self.negative(a)
            case "div", (a, c):
                return self.div(a, c)
            case "square", (a,):
                return self.mul(a, a)
            case "real" | "stop", (a,):
                return a
            case "pow", (a, c):
                exponent = c.value
                if exponent is not None and exponent.denominator == 1 and abs(exponent) <= MAX_POWER:
                    return self.power(a, int(exponent))
                if exponent == Fraction(1, 2):
                    return self._function("sqrt", (a,))
        return self._function(node.op.name, args)

    def _of_one_number(self, node: Expr) -> RationalFunction | None:
        """What an aggregate or a choice of elements gives where every element is the same number."""
        match node:
            case Reduce(op, inner) if op.is_between:
                found = self._done[inner]
            case Reduce(op, inner) if op.name == "sum" and self._done[inner].is_zero:
                found = self._done[inner]
            case Along(op, (inner, *_)) if op.is_between:
                found = self._done[inner]
            case Rename(inner) | Slice(inner) | Gather(inner):
                found = self._done[inner]
            case _:
                return None
        return found if found.value is not None else None

    def _picked(self, node: Gather | Rename) -> RationalFunction:
        """What is read at a position of a polynomial, as one of what is read there: (2*d + 1)[t] = 2*d[t] + 1."""
        inner = self._done[node.arg]
        used = atoms_in(inner.top)
        if not inner.is_polynomial or not used or self.atom(used[0]).key == inner.key:
            return self._atom(node, node, ())
        axis = node.axis if isinstance(node, Gather) else node.old
        read = {}
        for place in used:
            one = self.atoms[place]
            there = node.rebuilt((one, *node.children[1:])) if axis in one.axes else one
            read[place] = self.atom(place) if there is one else self._atom(there, there, ())
        found = self.number(0)
        for powers, coefficient in inner.top.to_dict().items():
            term = self.number(rational(coefficient))
            for place in used:
                term = self.mul(term, self.power(read[place], int(powers[place]))) if powers[place] else term
            found = self.add(found, term)
        return found

    def _function(self, name: str, args: tuple[RationalFunction, ...]) -> RationalFunction:
        first = args[0] if args else self.number(0)
        one = self.number(1)
        exact = self._exact(name, first) if len(args) == 1 else None
        if exact is not None:
            return self.number(exact)
        trait = OPS[name].trait if name in OPS else None
        if trait is not None and trait.parity and self._is_turned(first):
            turned = self._function(name, (self.negative(first),))
            return turned if trait.parity > 0 else self.negative(turned)
        match name:
            case "expm1":
                return self.sub(self._function("exp", args), one)
            case "log1p":
                return self._function("log", (self.add(one, first),))
            case "log_sigmoid":
                return self.negative(self._function("softplus", (self.negative(first),)))
            case "exp" | "softplus" | "sigmoid" if self._is_turned(first):
                turned = self._function(name, (self.negative(first),))
                if name == "exp":
                    return self.div(one, turned)
                return self.sub(one, turned) if name == "sigmoid" else self.add(turned, first)
            case "exp" if (power := self._power_inside(first)) is not None:
                return power
            case "exp" | "log" if (inner := self._inside(first, "log" if name == "exp" else "exp")) is not None:
                return inner
            case "max" | "min" if args[0].key == args[1].key:
                return first
            case "pow" if first.value == 1:
                return one
        return self._atom((name, *(arg.key for arg in args)), None, args, name)

    def _exact(self, name: str, a: RationalFunction) -> Fraction | None:
        """The value of a function at a number, or at a multiple of pi/2, where it is rational and known to be so."""
        trait = OPS[name].trait if name in OPS else None
        if trait is None:
            return None
        if a.value is None:
            return self._of_quarters(name, a) if name in ("sin", "cos") else None
        if name == "sqrt" and a.value >= 0:
            return _root(a.value)
        if name == "sign":
            return Fraction((a.value > 0) - (a.value < 0))
        if trait.ball is None or abs(a.value) > _PLAIN or not trait.domain.contains(a.value):
            return None
        found = enclosed(trait.ball(ball(a.value)))  # a ball without a radius is the value itself
        return Fraction(found.low) if found.is_point else None

    def _of_quarters(self, name: str, a: RationalFunction) -> Fraction | None:
        used = atoms_in(a.top)
        node = self.atoms[used[0]] if len(used) == 1 and a.is_polynomial else None
        if not isinstance(node, Call) or node.op.name != "pi":
            return None
        turns = a.top.derivative(used[0])
        rest = a.top - turns * context().gens()[used[0]]
        quarters = rational(turns.leading_coefficient()) * 2 if turns.is_constant() and rest.is_zero() else HALF
        if quarters.denominator != 1:
            return None
        return Fraction((0, 1, 0, -1)[(int(quarters) + (name == "cos")) % 4])

    def _is_turned(self, a: RationalFunction) -> bool:
        """Whether the first coefficient is negative: one of a and -a is taken for both."""
        return not a.is_zero and a.top.leading_coefficient() < 0

    def _inside(self, a: RationalFunction, name: str) -> RationalFunction | None:
        """What a stands for if it is exactly one atom of that name."""
        used = atoms_in(a.top)
        if len(used) == 1 and a.key == self.atom(used[0]).key:
            node = self.atoms[used[0]]
            if isinstance(node, Call) and node.op.name == name:
                return self.arguments[used[0]][0]
        return None

    def _power_inside(self, a: RationalFunction) -> RationalFunction | None:
        """Of a whole multiple of half a logarithm, what exp makes of it: exp(3/2*log(c)) = sqrt(c)^3."""
        used = atoms_in(a.top)
        node = self.atoms[used[0]] if len(used) == 1 and a.is_polynomial and a.top.total_degree() == 1 else None
        if not isinstance(node, Call) or node.op.name != "log" or len(a.top) != 1:
            return None
        times = rational(a.top.leading_coefficient()) * 2
        (inner,) = self.arguments[used[0]]
        if times.denominator != 1 or abs(times) > MAX_POWER:
            return None
        half = times.numerator % 2
        whole = self.power(inner, (times.numerator - half) // 2)
        return self.mul(whole, self._function("sqrt", (inner,))) if half else whole

    def _atom(
        self, key: Any, node: Expr | None, args: tuple[RationalFunction, ...], name: str = ""
    ) -> RationalFunction:
        if key not in self._places:
            if len(self.atoms) == MAX_ATOMS:
                raise TooLarge
            self._places[key] = len(self.atoms)
            self.atoms.append(node if node is not None else b.call(name, *(self.expr(arg) for arg in args)))
            if args:
                self.arguments[self._places[key]] = args
        return self.atom(self._places[key])


def _root(value: Fraction) -> Fraction | None:
    """The root of a square of a fraction."""
    import math

    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    return Fraction(top, bottom) if top * top == value.numerator and bottom * bottom == value.denominator else None

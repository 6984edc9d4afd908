"""Sums and products in one normal form: an exact coefficient, and each base once with its exponent.

Nothing here loses digits. Constants are multiplied as fractions. What both multiplies and divides goes away, as does
what is both added and taken away. A product with a reciprocal is a quotient, which is rounded once. All else keeps its
order and its brackets: a factor is not spread over a sum, a quotient inside a product stays one part, so that `(e/c)^2`
overflows no sooner, and a sum is opened only for a term that another part of it cancels. What is used twice is one part
too, as long as nothing in it cancels.

Each node is looked at once. A factor of a larger product is gathered where that one ends, and what a part is made of is
kept, so that the work grows with the size of what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, reduce

from lossdsl.ir import build as b
from lossdsl.ir.axes import NONE, Axes
from lossdsl.ir.expr import Call, Expr, Reduce, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import Ranges
from lossdsl.transform.cancellation import Count, Family, Part, Parts, netted, settled, shared_by_quotient, size, total
from lossdsl.transform.choice_rules import indicator, joined_choices, simpler_choice
from lossdsl.transform.factors import (
    LARGEST_POWER,
    as_power,
    is_length,
    is_normal,
    is_single,
    multiplied,
    name_of,
    negative,
    positive,
    powered,
    value_of,
    with_powers,
)
from lossdsl.transform.kept import Finiteness, decisive

SHORT, WIDEST = 8, 24
"""The largest product, or sum, that is taken apart, or looked into, where it is part of another."""
_UNIT = Fraction(1)


def canonical(roots: Iterable[Expr], known: Ranges | None = None) -> tuple[Expr, ...]:
    """The roots with every sum and product in normal form; in conditions as far as `known` allows it."""
    known = known or Ranges()
    return Canonical(numbers=Finiteness(known), keeps=known.keeps_conditions)(tuple(roots))


def cancels_in_conditions(root: Expr, known: Ranges) -> bool:
    """Whether the normal form of a condition lacks something that may have no value, as that of `t/t == 1` does."""
    if not any(node.kind is Kind.BOOL for node in walk(root)):
        return False
    return Canonical(numbers=Finiteness(known), keeps=True)((root,)) != Canonical()((root,))


def settled_products(roots: Iterable[Expr], known: Ranges) -> tuple[Expr, ...]:
    """The roots in normal form where factors cancel or constants meet; their order elsewhere, which counts, is kept."""
    return Canonical(numbers=Finiteness(known), keeps=known.keeps_conditions, sparing=True)(tuple(roots))


@dataclass(frozen=True)
class Product:
    """`sign*scale` times each base to the power of its exponent. If `is_divided`, it is divided by `1/scale`."""

    sign: int
    scale: Fraction
    factors: Parts
    is_divided: bool = False

    @cached_property
    def is_reciprocal(self) -> bool:
        """Whether all factors are divisors."""
        return all(power < 0 for _, power in self.factors)


@dataclass
class Canonical:
    """One pass over expressions. Parts in `named`, which have a name, stay what they are.

    If it is `sparing`, only products change in which something cancels or several constants meet.
    """

    named: Collection[Expr] = ()
    sparing: bool = False
    numbers: Finiteness = field(default_factory=Finiteness)
    """What is known of parts of conditions."""
    keeps: bool = False
    """Whether conditions are kept, as far as something may have no value."""
    decides: bool = False
    """Whether what is looked at is part of a condition, where a nan counts: see `kept`."""
    closed: set[Expr] = field(default_factory=set)
    """What is used twice."""
    products: dict[Expr, Product] = field(default_factory=dict)
    """What products, their signs aside, are made of."""
    units: dict[Expr, Part] = field(default_factory=dict)
    """Of parts with a constant somewhere in their factors: the part without it, and the constant."""
    sums: dict[Expr, Parts] = field(default_factory=dict)
    """The terms of sums."""
    bases: dict[Expr, Mapping[Expr, Count]] = field(default_factory=dict)
    terms: dict[Expr, Mapping[Expr, Count]] = field(default_factory=dict)
    """What products and sums are made of, opened as far as it goes."""
    pairs: dict[frozenset[Part], Expr] = field(default_factory=dict)
    """Sums of two as they were first written: the other order has the same value."""
    visits: int = 0

    def __call__(self, roots: tuple[Expr, ...]) -> tuple[Expr, ...]:
        users = _users(roots)
        conditions = decisive(*roots) if self.keeps else set()
        done: dict[Expr, Expr] = {}
        for node in walk(*roots):
            self.decides = node in conditions
            new = b.rebuild(node, tuple(done[child] for child in node.children))
            if node in self.named or not _is_inside(node, users[node]):
                changed = new if new in self.named else self.visited(new)
                new = changed if _may_lose(new.axes - changed.axes, node, users) else new
            elif name_of(new) in _SUMS and not self.sparing:
                new = self._bracketed(new)
            done[node] = new
            if len(users[node]) > 1:
                self.closed |= {new, positive(new)}
        return tuple(done[root] for root in roots)

    def visited(self, node: Expr) -> Expr:
        """A node, whose children are in normal form, in normal form."""
        self.visits += 1
        name = name_of(node)
        if self.sparing and (name not in _PRODUCTS or node.kind is not Kind.REAL):
            return node
        if name in _SUMS:
            node = self._bracketed(node)
            return self._sum(node) if name_of(node) in _SUMS and node.kind is Kind.REAL else node
        if name in _PRODUCTS and node.kind is Kind.REAL:
            return self._product(node)
        if name == "pow":
            self.bases_of(node)  # while those of its base are known: no recursion later
        if name == "where":
            return simpler_choice(node)
        return self._pulled(node) if isinstance(node, Reduce) and node.op.name in ("sum", "mean") else node

    # --- products -------------------------------------------------------------------------------------------------

    def _product(self, node: Expr) -> Expr:
        sign, constants, factors = self.gathered(node)
        units = [(self.units.get(base, (base, 1))[0], power) for base, power in factors]
        left = settled(units, Family(lambda part, _: self.bases_of(part), self.factors_of, self._shared))
        inner = [(b.const(self.units[base][1]), power) for base, power in factors if base in self.units]
        scale = value_of([*constants, *inner])
        if self.sparing and left is None and len(constants) + len(inner) < 2:
            self._note(positive(node), Product(1, abs(value_of(constants)), tuple(factors)))
            return node
        if len(constants) + len(inner) > (left is None) and is_normal(scale):
            factors = self._with_powers(units if left is None else left)
            is_divided = not is_single(scale) and is_single(1 / scale) and any(power > 0 for _, power in factors)
            return self.placed(node, Product(sign if scale > 0 else -sign, abs(scale), tuple(factors), is_divided))
        if left is not None and not inner:
            factors = left
        scale, rest = value_of(constants[:1]), constants[1:]
        factors = [*self._with_powers(factors), *rest]
        is_divided = any(power < 0 for _, power in constants[:1]) and any(power > 0 for _, power in factors)
        return self.placed(node, Product(sign if scale > 0 else -sign, abs(scale), tuple(factors), is_divided))

    def may_go(self, base: Expr, *, divides: bool = True) -> bool:
        """Whether a part may cancel, as a divisor or as a term: whatever it is, but for conditions."""
        return not self.decides or (self.numbers[base] and (not divides or self.numbers.ranges[base].is_nonzero))

    def _shared(self, base: Expr, counts: list[Count], is_open: bool) -> Count:
        found = shared_by_quotient(base, counts, is_open)
        return found if found and self.may_go(base) else 0

    def _with_powers(self, factors: list[Part]) -> list[Part]:
        return with_powers(factors) if all(self.may_go(_base(part)) for part, _ in factors) else factors

    def placed(self, node: Expr, found: Product) -> Expr:
        """A product as an expression; if one factor is 1 or 0 by a condition, as a choice between the rest and 0."""
        for place, (base, power) in enumerate(found.factors):
            condition = indicator(base) if power > 0 else None
            if condition is not None and condition.axes >= node.axes:
                rest = replace(found, sign=1, factors=found.factors[:place] + found.factors[place + 1 :])
                chosen = simpler_choice(b.where(condition, self.written(rest), b.ZERO))
                return negative(chosen) if found.sign < 0 else chosen
        return self.written(found)

    def gathered(self, node: Expr) -> tuple[int, list[Part], list[Part]]:
        """The sign of a product, its constants and its factors, in order. A quotient inside of it is one factor."""
        sign, constants, factors = 1, list[Part](), list[Part]()
        stack: list[tuple[Expr, int, bool]] = [(node, 1, True)]
        while stack:
            part, power, is_spine = stack.pop()
            self.visits += 1
            name = name_of(part)
            is_named = part is not node and part in self.named
            is_open = power > 0 and not is_named and (part is node or part not in self.closed)
            if name == "neg" and not is_named:
                sign = -sign
                stack.append((part.children[0], power, is_spine))
            elif name == "mul" and is_open and part.kind is Kind.REAL:
                stack += [(child, power, False) for child in reversed(part.children)]
            elif name == "div" and ((is_open and is_spine) or (power > 0 and self._is_plain(part))):
                stack += [(part.children[1], -power, False), (part.children[0], power, True)]
            elif b.exact(part) is not None and part is not b.ZERO:
                constants.append((part, power))
            else:
                factors.append((part, power) if is_named else as_power(part, power))
        return sign, constants, factors

    def _is_plain(self, quotient: Expr) -> bool:
        """Whether a short quotient is a reciprocal, or one by a length: `x/len(x)*t` is as good as `x*t/len(x)`."""
        known = self.products.get(quotient)
        if known is None or len(known.factors) > SHORT:
            return False
        return known.is_reciprocal or is_length(quotient.children[1])

    def written(self, product: Product) -> Expr:
        """A product as an expression, of which it is kept what it is made of."""
        plain = replace(product, sign=1)
        result = self.spelled(plain)
        self._note(result, plain)
        return negative(result) if product.sign < 0 else result

    def _note(self, result: Expr, plain: Product) -> None:
        """Keeps what a product is made of."""
        if result in self.products or plain.factors == ((result, 1),):
            return
        self.products[result] = plain
        inner = [(self.units[base][1], power) for base, power in plain.factors if base in self.units]
        scale = plain.scale * value_of((b.const(each), power) for each, power in inner)
        if scale != 1 and is_normal(scale):
            units = tuple((self.units.get(base, (base, 1))[0], power) for base, power in plain.factors)
            self.units[result] = self.written(Product(1, _UNIT, units)), scale

    def spelled(self, product: Product) -> Expr:
        """The size of a product: factors in their order after the constant, then divided one by one."""
        result = multiplied(powered(base, power) for base, power in product.factors if power > 0)
        scale = product.scale
        result = b.div(result, b.const(1 / scale)) if product.is_divided else b.mul(b.const(scale), result)
        return reduce(b.div, (powered(base, -power) for base, power in product.factors if power < 0), result)

    def bases_of(self, part: Expr) -> Mapping[Expr, Count]:
        """What a part is a product of, each base with its exponent; a large one is a base itself."""
        if part not in self.bases:
            self.bases[part] = _opened_all(part, self.factors_of(part), lambda base, _: self.bases_of(base))
        return self.bases[part]

    def factors_of(self, part: Expr) -> Parts:
        """The factors of a part; one with a constant is a factor itself."""
        known = self.products.get(part)
        if known is not None:
            return known.factors if known.scale == 1 else ((part, 1),)
        return ((part, 1),) if part in self.named else (as_power(part, 1, least=-LARGEST_POWER),)

    def _pulled(self, node: Reduce) -> Expr:
        """A sum or mean with the factors that do not vary along its axes outside, where they are applied once."""
        inner = positive(node.arg)
        known = self.products.get(inner, Product(1, _UNIT, ((inner, 1),)))
        known = replace(known, sign=1 if inner is node.arg else -1)
        factors: list[Part] = []
        for base, power in known.factors:
            below = self.factors_of(base) if power == 1 and base not in self.units else ()
            is_mixed = all(count > 0 for _, count in below) and any(not part.axes & node.over for part, _ in below)
            factors += below if is_mixed else [(base, power)]
        outside = [(base, power) for base, power in factors if not base.axes & node.over]
        if (known.sign == known.scale == 1 and not outside) or not all(self.may_go(base) for base, _ in outside):
            return node
        inside = self.written(Product(1, _UNIT, tuple(part for part in factors if part not in outside)))
        if not node.over <= inside.axes:
            return node
        whole = Reduce(node.op, inside, node.over)
        return self.visited(self.written(replace(known, factors=((whole, 1), *outside))))

    # --- sums -----------------------------------------------------------------------------------------------------

    def _bracketed(self, node: Expr) -> Expr:
        """A sum of two: inside one choice, over one divisor, and with its signs outside."""
        choice = joined_choices(node)
        if choice is not None:
            condition, *pieces = choice
            return simpler_choice(b.where(condition, *map(self.visited, pieces)))
        left, right = node.children
        is_fraction = name_of(left) == name_of(right) == "div" and left.children[1] is right.children[1]
        if is_fraction and self.may_go(left.children[1]):
            above = self.visited(b.call(name_of(node), left.children[0], right.children[0]))
            return self.visited(b.div(above, left.children[1]))
        one, other = positive(left), positive(right)
        is_sum = (name_of(node) == "add") == (other is right)
        if one is left:
            return b.add(one, other) if is_sum else b.sub(one, other)
        return b.sub(other, one) if is_sum else b.neg(b.add(one, other))

    def _sum(self, node: Expr) -> Expr:
        """A whole sum, without what cancels in it."""
        terms: list[Part] = []
        stack = [(node, 1)]
        while stack:
            part, scale = stack.pop()
            self.visits += 1
            if name_of(part) in _SUMS and (part is node or not (part in self.sums or part in self.named)):
                left, right = part.children
                stack += [(right, scale if name_of(part) == "add" else -scale), (left, scale)]
            else:
                unit, count = self._unit_of(positive(part))
                terms.append((unit, count * scale if positive(part) is part else -count * scale))
        left_over = settled(terms, Family(self._opened_terms, self._opened_sum, self._added_and_taken))
        if left_over is not None:
            left_over = netted(left_over, {unit for unit, _ in left_over if self.may_go(unit, divides=False)})
            result = self.written_sum(left_over)
            if len(left_over) < 3 or not _is_worse(node, result):
                return result
        if len(terms) == 2:
            node = self.pairs.setdefault(frozenset(terms), node)
        self.sums[node] = tuple(terms)
        return node

    def _unit_of(self, part: Expr) -> Part:
        """A term without its coefficient, and that; a constant is one times it."""
        value = b.exact(part)
        return (b.ONE, value) if value is not None else self.units.get(part, (part, 1))

    def _opened_terms(self, part: Expr, scale: Count) -> Mapping[Expr, Count]:
        """What a part is a sum of, each term with its coefficient; `3*(t - x)` is one term."""
        if size(scale) != 1:
            return {part: 1}
        if part not in self.terms:
            self.terms[part] = _opened_all(part, self._opened_sum(part), self._opened_terms)
        return self.terms[part]

    def _opened_sum(self, part: Expr) -> Parts:
        return self.sums.get(part, ((part, 1),))

    def _added_and_taken(self, base: Expr, counts: list[Count], is_open: bool) -> Count:
        """How much of a term is both added and taken away: all of it, or all parts of the sum are open.

        Constants are added if float32 has their sum, so that nothing is rounded.
        """
        if base is b.ONE:
            return total(map(size, counts)) if is_single(Fraction(total(counts))) else 0
        found = shared_by_quotient(base, counts, is_open)
        return found if found and (is_open or not total(counts)) and self.may_go(base, divides=False) else 0

    def written_sum(self, terms: list[Part]) -> Expr:
        """Terms added in their order, one that is not negative first, with a coefficient that all have outside."""
        sizes = {Fraction(size(scale)) for _, scale in terms}
        shared = sizes.pop() if len(sizes) == 1 and all(unit is not b.ONE for unit, _ in terms) else _UNIT
        first = next((place for place, (_, scale) in enumerate(terms) if scale > 0), 0)
        result: Expr = b.ZERO
        for unit, scale in [*terms[first : first + 1], *terms[:first], *terms[first + 1 :]]:
            term = b.const(size(scale)) if unit is b.ONE else self._times(size(scale) / shared, unit)
            result = b.add(result, term) if scale > 0 else b.sub(result, term)
            result = self._bracketed(result) if name_of(result) in _SUMS else result
        self.sums[positive(result)] = tuple(terms)
        return self._times(shared, result)

    def _times(self, scale: Fraction, unit: Expr) -> Expr:
        return unit if scale == 1 else self.written(Product(1, scale, self.factors_of(unit)))


_PRODUCTS = ("mul", "div", "neg")
_SUMS = ("add", "sub")


def _users(roots: tuple[Expr, ...]) -> dict[Expr, list[Expr | None]]:
    """Where nodes are used; a root is asked for by nobody in there."""
    found: dict[Expr, list[Expr | None]] = {root: [None] for root in roots}
    for node in walk(*roots):
        for child in node.children:
            found.setdefault(child, []).append(node)
    return found


def _may_lose(lost: Axes, node: Expr, users: Mapping[Expr, list[Expr | None]], depth: int = 8) -> bool:
    """Whether those who use a node have the axes that it would lose, such as `x - x`, from others."""
    return not lost or all(
        isinstance(user, Call)
        and (
            lost <= NONE.union(*(child.axes for child in user.args if child is not node))
            or (depth > 0 and _may_lose(lost, user, users, depth - 1))
        )
        for user in users[node]
    )


def _is_inside(node: Expr, users: list[Expr | None]) -> bool:
    """Whether a node is part of one larger product or sum, which will see to it."""
    user = users[0]
    if len(users) > 1 or user is None or node.kind is not Kind.REAL or user.kind is not Kind.REAL:
        return False
    name, above = name_of(node), name_of(user)
    is_first = user.children[0] is node
    if name in _SUMS or above in _SUMS:
        return name in _SUMS and above in _SUMS and is_first
    if name == "div" or above == "div":
        return name in _PRODUCTS and above == "div" and is_first
    return name in _PRODUCTS and above in _PRODUCTS


def _base(factor: Expr) -> Expr:
    return factor.children[0] if name_of(factor) in ("pow", "sqrt") else factor


def _opened_all(
    part: Expr, parts: Parts, contents: Callable[[Expr, Count], Mapping[Expr, Count]]
) -> Mapping[Expr, Count]:
    """What the parts of a part are made of, together; of a large one, itself."""
    found: dict[Expr, Count] = {}
    for base, count in parts:
        for inner, each in ({base: 1} if base is part else contents(base, count)).items():
            found[inner] = found.get(inner, 0) + count * each
    is_small = len(found) <= WIDEST and all(size(count) <= LARGEST_POWER for count in found.values())
    return found if is_small else {part: 1}


def _is_worse(before: Expr, after: Expr) -> bool:
    """Whether a form has fewer digits than another."""
    from lossdsl.oracle.veto import worse  # here, for few sums cancel, and what it needs takes long to load

    return worse(before, after, Ranges()) is not None

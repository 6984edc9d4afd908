"""Logarithms that descend: what is positive as `factor*exp(power)`, so that its logarithm needs no exponential.

`log(E)` overflows, underflows or loses its digits where E is made of exponentials, sigmoids, softmaxes or distribution
functions, though the logarithm itself is an ordinary number. One recursion knows such E as `factor*exp(power)`, with a
factor that can do neither; a sum of several is a logsumexp. Where E is plain, nothing is changed. Weights stay factors,
so that a weight of 0 is no logarithm of 0.

Mächler (2012), Accurately computing log(1 - exp(-|a|)); Blanchard, Higham, Higham (2021), Accurately computing the
log-sum-exp and softmax functions, IMA Journal of Numerical Analysis 41(4).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce as fold
from typing import TypeVar

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.bounds import UNIT
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Reduce, Rename, Slice, Unslice, walk
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.traversal import unknown
from lossdsl.ir.whole import INF, along, reduce
from lossdsl.transform import polynomials
from lossdsl.transform.log_difference import difference
from lossdsl.transform.log_rules import RULES
from lossdsl.transform.lower import largest
from lossdsl.transform.running import log_of_padded
from lossdsl.transform.scaled import LEAST, MOST, NEAR, NOTHING, Scaled, name_of, prefix, unshifted
from lossdsl.transform.sums import Terms, less, summands

T = TypeVar("T")
_DEEP = 50
"""How deep the recursion goes before what is below is worked out first."""


class LogDomain:
    """Expressions as `factor*exp(power)`, worked out on demand and kept.

    `complement` gives 1 - F without the subtraction; None for an F of which nothing better is known.
    """

    def __init__(self, known: Ranges, complement: Callable[[Expr, LogDomain], Expr | None]) -> None:
        self.known = known
        self.complement = complement
        self._rests: dict[Expr, Expr | None] = {}
        self._done: dict[Expr, Scaled] = {}
        self._polynomials: dict[Expr, Scaled | None] = {}
        self._wild: dict[Expr, bool] = {}
        self._depth = 0

    def scale(self, expr: Expr) -> Scaled:
        """An expression as `factor*exp(power)`; its own factor where nothing is gained."""
        return self._kept(self._done, expr, self._of)

    def known_rest(self, expr: Expr, work: Callable[[Expr], Expr | None]) -> Expr | None:
        """1 - F, worked out once."""
        return self._kept(self._rests, expr, work)

    def polynomial(self, expr: Expr) -> Scaled | None:
        """A polynomial of probabilities that is near 0 or 1 at an end; None for any other expression."""
        return self._kept(self._polynomials, expr, lambda part: polynomials.scaled(self, part))

    def _kept(self, known: dict[Expr, T], expr: Expr, work: Callable[[Expr], T]) -> T:
        """What is worked out of an expression; of one that is far from its leaves, from these on."""
        self._depth += 1
        for node in () if expr in known else unknown(expr, known) if self._depth > _DEEP else (expr,):
            known[node] = work(node)
        self._depth -= 1
        return known[expr]

    def chosen(self, expr: Expr, scaled: Scaled) -> Scaled:
        """A sum that cannot overflow by itself, unless it is too small: one of its terms may be 0 and still move it."""
        if scaled.is_plain or not self.known[expr].is_nonnegative:
            return scaled
        return Scaled(b.ONE, self.unless_small(expr, scaled.log))

    def unless_small(self, expr: Expr, log: Expr) -> Expr:
        """The logarithm of what is not negative, by itself if it cannot overflow and is large enough."""
        if not self._is_bounded(expr):
            return log
        return b.where(b.call("gt", expr, b.const(LEAST)), b.call("log", expr), log)

    def near_one(self, expr: Expr, scaled: Scaled) -> Scaled:
        """A sum that is a probability, as of `p + epsilon`, whose logarithm loses its digits where p is near 1."""
        rest = None if name_of(scaled.power) == "softplus" else self.rest(expr)
        if rest is None:
            return scaled
        is_near: Expr = Flag(True) if self.known[expr].low >= 0.5 else b.call("gt", expr, NEAR)
        if not self.known[expr].high <= 2:
            is_near = b.call("and", is_near, b.call("lt", expr, b.TWO))
        better = b.where(is_near, b.call("log1p", b.neg(rest)), scaled.log)
        return Scaled(expr, better=better) if scaled.is_plain else Scaled(b.ONE, better)

    def rest(self, expr: Expr) -> Expr | None:
        """1 - F for a sum F of exponentials that may be near 1."""
        if not 0 <= self.known[expr].low <= 1 or not self.is_made_of_exponentials(expr):
            return None
        return self.complement(expr, self)

    def log(self, expr: Expr) -> Expr | None:
        """The logarithm of what is positive, if it descends."""
        if self.polynomial(expr) is None:
            found = difference(self, expr)
            if found is not None:
                return found
        scaled = self.scale(expr)
        return None if scaled.is_plain and scaled.better is None else scaled.log

    def size(self, expr: Expr) -> Expr | None:
        """The logarithm of the absolute value, if it descends."""
        return self.log(b.call("abs", expr))

    def log_of(self, expr: Expr) -> Expr:
        """The logarithm, whether it descends or not."""
        return self.log(expr) or b.call("log", expr)

    def is_tame(self, expr: Expr) -> bool:
        """Whether an expression can neither overflow nor underflow, so that it is as well off without a shift."""
        return self.known[expr].low > LEAST and self._is_bounded(expr)

    def is_made_of_exponentials(self, expr: Expr) -> bool:
        """Whether something in an expression can overflow, underflow or round to 1."""
        for node in walk(expr) if expr not in self._wild else ():
            if node not in self._wild:
                self._wild[node] = name_of(node) in _WILD or any(self._wild[child] for child in node.children)
        return self._wild[expr]

    def is_positive(self, expr: Expr) -> bool:
        return self.known[expr].is_positive

    def _is_bounded(self, expr: Expr) -> bool:
        stack, seen = [expr], set[Expr]()
        while stack:
            node = stack.pop()
            is_settled = node in seen or self.known[node].high < MOST or name_of(node) == "softplus"
            seen.add(node)
            parts = () if is_settled else self._bounding(node)  # softplus grows no faster than its argument
            if parts is None:
                return False
            stack += parts
        return True

    @staticmethod
    def _bounding(node: Expr) -> tuple[Expr, ...] | None:
        """What has to be bounded for a node to be; None if that does not do."""
        if name_of(node) in ("max", "min") and isinstance(node, Reduce) and name_of(node.arg) == "where":
            _, whole, other = node.arg.children
            is_filter = isinstance(other, Const) and abs(other.value) == INF  # what is left out is infinite
            return (whole,) if is_filter else (whole, other)
        if name_of(node) in ("sum", "mean", "max", "min") or isinstance(node, Gather | Rename | Slice):
            return node.children[:1]
        return node.children if name_of(node) in ("add", "mul") else None

    # --- the recursion

    def _of(self, expr: Expr) -> Scaled:
        match expr:
            case Const() | Flag():
                return Scaled(expr)
            case Call(op, args):
                rule = RULES.get(op.name)
                return Scaled(expr) if rule is None else rule(self, expr, args)
            case Reduce(op, arg, over):
                return self._reduced(expr, op.name, arg, over)
            case Along(op, (arg,), over) if op.name in _LOG_OF_WHOLE:
                return Scaled(b.ONE, along(_LOG_OF_WHOLE[op.name], arg, over))
            case Along(op, (arg,), over) if op.name == "others":
                return self._others(expr, arg, over)
            case Along(op, (arg,), over) if op.name == "cumsum":
                return self._running(expr, arg)
            case Along(op, (arg, key), over) if op.sorts or op.name == "unsort":
                return self._sorted(expr, arg, key)
            case Along(op, (arg,), over) if op.name == "normalize" and self.is_positive(arg):
                return self.scale(b.div(arg, reduce("norm", arg, over)))
            case Gather() if (total := prefix(expr)) is not None:
                found = self.scale(total)
                return Scaled(expr) if found.is_plain and found.better is None else found
            case Gather(arg, axis, index):
                return self.each(expr, arg, lambda part: Gather(part, axis, index) if axis in part.axes else part)
            case Rename(arg, old, new):
                return self.each(expr, arg, lambda part: Rename(part, old, new) if old in part.axes else part)
            case Slice(arg, old):
                return self.each(expr, arg, lambda part: expr.rebuilt((part,)) if old in part.axes else part)
            case Unslice(arg):
                inner = self.scale(arg)
                pure = None if inner.is_plain else self.pure(inner.by_logarithm)
                return Scaled(expr) if pure is None else Scaled(b.ONE, log_of_padded(expr, pure))
        return Scaled(expr)

    def _others(self, expr: Along, arg: Expr, over: Axes) -> Scaled:
        inner = self.scale(arg)
        pure = None if inner.is_plain or self.is_tame(expr) else self.pure(inner.by_logarithm)
        if pure is None:
            return Scaled(expr)
        logits = b.spread(pure, over)
        return Scaled(b.ONE, b.add(reduce("logsumexp", logits, over), along("log_softmax_rest", logits, over)))

    def _sorted(self, expr: Along, arg: Expr, key: Expr) -> Scaled:
        """By the logarithm as the key, if it is that of the elements themselves, which may all have vanished."""
        inner = self.scale(arg).by_logarithm
        if inner.is_plain or not inner.factor.is_static:
            return Scaled(expr)
        if key is arg:
            key = inner.power if self.is_positive(inner.factor) else b.neg(inner.power)
        return Scaled(inner.factor, Along(expr.op, (b.spread(inner.power, expr.over), key), expr.over))

    def _running(self, expr: Along, arg: Expr) -> Scaled:
        inner = self.scale(arg)
        pure = None if inner.is_plain or self.is_tame(expr) else self.pure(inner.by_logarithm)
        if pure is None:
            return self.near_one(expr, Scaled(expr))
        return self.near_one(expr, Scaled(b.ONE, Along(AGGREGATES["logcumsumexp"], (pure,), expr.over, expr.reverse)))

    def each(self, expr: Expr, arg: Expr, change: Callable[[Expr], Expr]) -> Scaled:
        inner = self.scale(arg)
        return Scaled(expr) if inner.is_plain and inner.better is None else inner.map(change)

    def _reduced(self, expr: Expr, name: str, arg: Expr, over: Axes) -> Scaled:
        inner = self.scale(self._floored(arg) if name == "max" else arg)
        if name == "prod" and self.known[arg].is_nonnegative:
            return Scaled(b.ONE, reduce("sum", b.spread(self.log_of(arg), over), over))
        if inner.is_plain or self.is_tame(expr):
            return self.near_one(expr, Scaled(expr))
        if name == "norm":
            squares = self._sum(Scaled(b.mul(inner.factor, inner.factor), b.mul(b.TWO, inner.power)), over)
            return Scaled(b.call("sqrt", squares.factor), b.mul(NEAR, squares.power))
        if name in ("max", "min"):
            pure = self.pure(inner.by_logarithm)
            return Scaled(expr) if pure is None else Scaled(b.ONE, reduce(name, b.spread(pure, over), over))
        if name not in ("sum", "mean"):
            return Scaled(expr)
        found = self._sum(inner, over)
        if name == "mean":
            found = Scaled(b.div(found.factor, b.length(arg, over)), found.power)
        if unshifted(inner.power, over)[1] is None:  # what is shifted by hand goes with other terms, without the shift
            found = self.chosen(expr, found)
        return self.near_one(expr, found)

    def _floored(self, arg: Expr) -> Expr:
        """The elements of a largest one, none of which is negative, with 0 for those that a filter leaves out."""
        match arg:
            case Call(op, (condition, whole, other)) if op.name == "where" and other is NOTHING:
                return b.where(condition, whole, b.ZERO) if self.known[whole].is_nonnegative else arg
        return arg

    def _sum(self, inner: Scaled, over: Axes) -> Scaled:
        factor, power = inner.factor, inner.power
        if not over & power.axes:
            return Scaled(b.total(b.spread(factor, over), over), power)
        power, constant = unshifted(b.spread(power, over), over)
        if constant is not None:
            inner = self._sum(Scaled(factor, power), over)
            return Scaled(inner.factor, b.sub(inner.power, constant))
        if not over & factor.axes and (factor is b.ONE or self.is_positive(factor)):
            return Scaled(factor, reduce("logsumexp", power, over))
        shift = largest(b.where(self._nonzero(factor), power, NOTHING), over)
        return Scaled(b.total(self._times_exp(factor, b.sub(power, shift)), over), shift)

    def _times_exp(self, factor: Expr, power: Expr) -> Expr:
        """`factor*exp(power)`, and 0 where the factor is."""
        if factor is b.ONE:
            return b.call("exp", power)
        if self._nonzero(factor) is Flag(True):
            return b.mul(factor, b.call("exp", power))
        return b.call("mulexp", factor, power)

    def _nonzero(self, factor: Expr) -> Expr:
        """The condition that a factor is not 0."""
        if self.known[factor].is_nonzero:
            return Flag(True)
        match factor:
            case Const(value):
                return Flag(value != 0)
            case Call(op, (one, other)) if op.name == "mul":
                return b.call("and", self._nonzero(one), self._nonzero(other))
            case Call(op, (one, *_)) if op.name in ("neg", "div", "truth"):
                return one if op.name == "truth" else self._nonzero(one)
            case Call(op, (condition, one, other)) if op.name == "where":
                if self._nonzero(other) is Flag(False):
                    return b.call("and", condition, self._nonzero(one))
        return b.call("ne", factor, b.ZERO)

    def pure(self, scaled: Scaled) -> Expr | None:
        """The logarithm of what has a positive factor, which may then be compared and added by its logarithm."""
        if scaled.factor is b.ONE:
            return scaled.power
        return scaled.log if self.is_positive(scaled.factor) else None

    # --- sums of a few

    def added(self, expr: Expr) -> Scaled:
        """A sum as one number: of positive terms by their logarithms, else by one shift for all."""
        apart = self._less_shares(_apart(summands(expr)))
        if len(apart) == 1 and apart[0][0] > 0:
            return self.scale(apart[0][1])
        return self.near_one(expr, self.chosen(expr, self._added(expr, apart)))

    def _less_shares(self, terms: Terms) -> Terms:
        """`1 - F + G` as the complement of F, and G, if no term is negative then."""
        negative = [term for sign, term in terms if sign < 0]
        if len(negative) != 1 or len(terms) < 3 or (1, b.ONE) not in terms:
            return terms
        (share,) = negative
        if not self.known[share].within(UNIT) or self.scale(share).is_plain:
            return terms
        return [(1, b.sub(b.ONE, share)), *(less(terms, [(1, b.ONE), (-1, share)]) or [])]

    def _added(self, expr: Expr, apart: Terms) -> Scaled:
        terms = [(sign, self.scale(term)) for sign, term in apart]
        if all(term.is_plain for _, term in terms) or self.is_tame(expr):
            return Scaled(expr)
        if any(sign < 0 for sign, _ in terms):  # a shift would bring no digits back that are lost in a difference
            bounded = all(self._is_bounded(term) for _, term in summands(expr))
            return Scaled(expr) if bounded else self._shifted(expr, terms)
        settled = [term.factor for _, term in terms if term.is_plain and b.exact(term.factor) is not None]
        others = [term for _, term in terms if not (term.is_plain and b.exact(term.factor) is not None)]
        logs = [log for term in others if (log := self.pure(term.by_logarithm)) is not None]
        if len(logs) < len(others) or not all(map(self.is_positive, settled)):
            return self._shifted(expr, terms)
        found = fold(lambda one, other: b.call("logaddexp", one, other), logs)
        if not settled:
            return Scaled(b.ONE, found)
        constant = fold(b.add, settled)
        if constant is b.ONE:
            return Scaled(b.ONE, b.call("softplus", found))
        return Scaled(constant, b.call("softplus", b.sub(found, b.call("log", constant))))

    def _shifted(self, expr: Expr, terms: list[tuple[int, Scaled]]) -> Scaled:
        tops = [b.where(self._nonzero(term.factor), term.power, NOTHING) for _, term in terms]
        top = fold(lambda one, other: b.call("max", one, other), tops)
        finite = b.where(b.call("lt", b.call("abs", top), Const(INF)), top, b.ZERO)
        shift = b.call("stop", finite)
        parts = [self._times_exp(term.factor, b.sub(term.power, shift)) for _, term in terms]
        signed = [part if sign > 0 else b.neg(part) for (sign, _), part in zip(terms, parts, strict=True)]
        return Scaled(fold(b.add, signed), shift)


def _apart(terms: Terms) -> Terms:
    """The terms with each exp(a) - 1 as two, of which one may be taken away."""
    found: Terms = []
    for sign, term in terms:
        if name_of(term) == "expm1":
            found += [(sign, b.call("exp", term.children[0])), (-sign, b.ONE)]
        else:
            found.append((sign, term))
    if (1, b.ONE) in found and (-1, b.ONE) in found:
        found.remove((1, b.ONE))
        found.remove((-1, b.ONE))
    return found


_WILD = frozenset({"exp", "expm1", "sigmoid", "norm_cdf", "erfc", "softmax", "softmax_rest", "softplus", "prod"})
_LOG_OF_WHOLE = {"softmax": "log_softmax", "softmax_rest": "log_softmax_rest"}

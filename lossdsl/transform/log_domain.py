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
from dataclasses import dataclass
from functools import reduce as fold

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Reduce, Rename, Slice, walk
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.whole import INF, along, reduce
from lossdsl.transform.lower import largest
from lossdsl.transform.pairs import paired, summands

NOTHING = Const(-INF)
"""The logarithm of 0."""
LEAST, MOST = 1e-30, 1e30
"""Between them no format of 32 bits overflows or underflows."""
NEAR = b.const(0.5)


@dataclass(frozen=True)
class Scaled:
    """A number as `factor*exp(power)`; `better` is its logarithm, where that of the factor has lost digits near 1."""

    factor: Expr
    power: Expr = b.ZERO
    better: Expr | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the number is its own factor: it can neither overflow nor underflow."""
        return self.power is b.ZERO

    @property
    def by_logarithm(self) -> Scaled:
        """The same with the better logarithm as the power."""
        return self if self.better is None else Scaled(b.ONE, self.better)

    @property
    def log(self) -> Expr:
        """The logarithm."""
        if self.better is not None:
            return self.better
        if self.factor is b.ONE:
            return self.power
        found = b.call("log", self.factor)
        return found if self.is_plain else b.add(found, self.power)

    def map(self, change: Callable[[Expr], Expr]) -> Scaled:
        return Scaled(change(self.factor), change(self.power), None if self.better is None else change(self.better))


def _name(node: Expr) -> str:
    return node.op.name if isinstance(node, Call | Reduce | Along) else ""


class LogDomain:
    """Expressions as `factor*exp(power)`, worked out on demand and kept.

    `complement` gives 1 - F without the subtraction; None for an F of which nothing better is known.
    """

    def __init__(self, known: Ranges, complement: Callable[[Expr, LogDomain], Expr | None]) -> None:
        self.known = known
        self.complement = complement
        self.rests: dict[Expr, Expr | None] = {}
        """The complements that are known so far."""
        self._done: dict[Expr, Scaled] = {}
        self._wild: dict[Expr, bool] = {}

    def scale(self, expr: Expr) -> Scaled:
        """An expression as `factor*exp(power)`; its own factor where nothing is gained."""
        if expr not in self._done:
            self._done[expr] = self._of(expr)
        return self._done[expr]

    def _chosen(self, expr: Expr, scaled: Scaled) -> Scaled:
        """A sum that cannot overflow by itself, unless it is too small: one of its terms may be 0 and still move it."""
        if scaled.is_plain or not self._is_bounded(expr) or not self.known[expr].is_nonnegative:
            return scaled
        is_large = b.call("gt", expr, b.const(LEAST))
        return Scaled(b.ONE, b.where(is_large, b.call("log", expr), scaled.log))

    def _near_one(self, expr: Expr, scaled: Scaled) -> Scaled:
        """A sum that is a probability, as of `p + epsilon`, whose logarithm loses its digits where p is near 1."""
        rest = self._rest(expr)
        if rest is None:
            return scaled
        better = b.where(b.call("gt", expr, NEAR), b.call("log1p", b.neg(rest)), scaled.log)
        return Scaled(expr, better=better) if scaled.is_plain else Scaled(b.ONE, better)

    def _rest(self, expr: Expr) -> Expr | None:
        """1 - F for a sum F of exponentials that may be a little less than 1."""
        if not 0 <= self.known[expr].low < 1 or not self.is_made_of_exponentials(expr):
            return None
        return self.complement(expr, self)

    def log(self, expr: Expr) -> Expr | None:
        """The logarithm of what is positive, if it descends."""
        difference = self.difference(expr)
        if difference is not None:
            return difference
        scaled = self.scale(expr)
        return None if scaled.is_plain and scaled.better is None else scaled.log

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
                self._wild[node] = _name(node) in _WILD or any(self._wild[child] for child in node.children)
        return self._wild[expr]

    def is_positive(self, expr: Expr) -> bool:
        return self.known[expr].is_positive

    def _is_bounded(self, expr: Expr) -> bool:
        if self.known[expr].high < MOST:
            return True
        if _name(expr) == "softplus":  # which grows no faster than its argument
            return True
        if _name(expr) in ("sum", "mean", "max", "min") or isinstance(expr, Gather | Rename | Slice):
            return self._is_bounded(expr.children[0])
        return _name(expr) in ("add", "mul") and all(map(self._is_bounded, expr.children))

    # --- the recursion

    def _of(self, expr: Expr) -> Scaled:
        match expr:
            case Const() | Flag():
                return Scaled(expr)
            case Call(op, args):
                rule = _CALLS.get(op.name)
                return Scaled(expr) if rule is None else rule(self, expr, args)
            case Reduce(op, arg, over):
                return self._reduced(expr, op.name, arg, over)
            case Along(op, (arg,), over) if op.name in _LOG_OF_WHOLE:
                return Scaled(b.ONE, along(_LOG_OF_WHOLE[op.name], arg, over))
            case Gather(arg, axis, index):
                return self._each(expr, arg, lambda part: Gather(part, axis, index) if axis in part.axes else part)
            case Rename(arg, old, new):
                return self._each(expr, arg, lambda part: Rename(part, old, new) if old in part.axes else part)
            case Slice(arg, old):
                return self._each(expr, arg, lambda part: expr.rebuilt((part,)) if old in part.axes else part)
        return Scaled(expr)

    def _each(self, expr: Expr, arg: Expr, change: Callable[[Expr], Expr]) -> Scaled:
        inner = self.scale(arg)
        return Scaled(expr) if inner.is_plain and inner.better is None else inner.map(change)

    def _reduced(self, expr: Expr, name: str, arg: Expr, over: Axes) -> Scaled:
        inner = self.scale(arg)
        if name == "prod" and self.known[arg].is_nonnegative:
            return Scaled(b.ONE, reduce("sum", b.spread(self.log_of(arg), over), over))
        if inner.is_plain or self.is_tame(expr):
            return self._near_one(expr, Scaled(expr))
        if name in ("max", "min"):
            pure = self._pure(inner.by_logarithm)
            return Scaled(expr) if pure is None else Scaled(b.ONE, reduce(name, b.spread(pure, over), over))
        if name not in ("sum", "mean"):
            return Scaled(expr)
        found = self._sum(inner, over)
        if name == "mean":
            found = Scaled(b.div(found.factor, b.length(arg, over)), found.power)
        return self._near_one(expr, self._chosen(expr, found))

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

    def _pure(self, scaled: Scaled) -> Expr | None:
        """The logarithm of what has a positive factor, which may then be compared and added by its logarithm."""
        if scaled.factor is b.ONE:
            return scaled.power
        return scaled.log if self.is_positive(scaled.factor) else None

    # --- sums of a few

    def added(self, expr: Expr) -> Scaled:
        """A sum as one number: of positive terms by their logarithms, else by one shift for all."""
        terms = [(sign, self.scale(term)) for sign, term in summands(expr)]
        if all(term.is_plain for _, term in terms) or self.is_tame(expr):
            return Scaled(expr)
        if any(sign < 0 for sign, _ in terms):  # a shift would bring no digits back that are lost in a difference
            bounded = all(self._is_bounded(term) for _, term in summands(expr))
            return Scaled(expr) if bounded else self._shifted(expr, terms)
        settled = [term.factor for _, term in terms if term.is_plain and b.exact(term.factor) is not None]
        others = [term for _, term in terms if not (term.is_plain and b.exact(term.factor) is not None)]
        logs = [log for term in others if (log := self._pure(term.by_logarithm)) is not None]
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

    # --- differences, which are taken to be positive

    def difference(self, expr: Expr) -> Expr | None:
        """The logarithm of a difference of two such numbers, or of 1 and one; None for anything else."""
        pair = subtraction(expr)
        if pair is None:
            return None
        return self._log_difference(*pair, depth=0)

    def _log_difference(self, one: Expr, other: Expr, depth: int) -> Expr | None:
        for place, side in enumerate((one, other)):
            if _name(side) == "where" and depth < 4 and not self.scale(side).is_plain:
                condition, *pieces = side.children
                sides = [(piece, other) if place == 0 else (one, piece) for piece in pieces]
                logs = [self._log_difference(*pair, depth + 1) or b.call("log", b.sub(*pair)) for pair in sides]
                return b.where(condition, *logs)
        if b.is_const(other, 0):
            return self.log(one)
        same = {_name(one), _name(other)}
        if same == {"sigmoid"}:
            a, c = one.children[0], other.children[0]
            both = b.add(b.call("log_sigmoid", a), b.call("log_sigmoid", b.neg(c)))
            return b.add(both, b.call("log1mexp", b.sub(c, a)))
        if same == {"norm_cdf"}:
            return b.call("log_norm_cdf_diff", one.children[0], other.children[0])
        left, right = self.scale(one), self.scale(other)
        if right.is_plain and left.is_plain:
            return None
        if one is b.ONE:
            return self._log_rest(other, right)
        high, low = self._pure(left), self._pure(right)
        if high is None or low is None:
            return None
        return b.add(high, b.call("log1mexp", b.sub(low, high)))

    def _log_rest(self, share: Expr, scaled: Scaled) -> Expr | None:
        """log(1 - F): that of the complement, where it is known as more than 1 less the exponential of a logarithm."""
        rest = self.complement(share, self)
        if rest is not None and not (_name(rest) == "neg" and _name(rest.children[0]) == "expm1"):
            found = self.log_of(rest)
            if not _is_sum(rest) or self._rest(rest) is not None:
                return found
            return b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), found)
        power = self._pure(scaled)
        if power is None:
            return None
        plain = b.call("log1mexp", power)
        if _name(share) != "exp":  # whose exponent is there; a logarithm of what is small has fewer digits than that
            plain = b.where(b.call("lt", share, NEAR), b.call("log1p", b.neg(share)), plain)
        away = self._away(power)  # where F is so near to 1 that even its logarithm is tiny
        if away is None:
            return plain
        tiny = b.call("gt", power, b.const(-1e-6))
        return b.where(tiny, b.add(away, b.mul(NEAR, power)), plain)

    def _away(self, power: Expr) -> Expr | None:
        """The logarithm of less a logarithm near 0, log(-log(F)), which is log(1 - F) but for half of 1 - F."""
        match power:
            case Call(op, (a,)) if op.name == "log_sigmoid":
                return b.call("log_softplus", b.neg(a))
            case Call(op, (a,)) if op.name == "log_norm_cdf":
                return b.sub(b.call("log_norm_cdf", b.neg(a)), b.mul(NEAR, power))
            case Call(op, (a,)) if op.name == "log1mexp":
                return b.sub(a, b.mul(NEAR, power))
            case Call(op, (factor, inner)) if op.name == "mul":
                if self.is_positive(inner):
                    factor, inner = inner, factor
                away = self._away(inner) if self.is_positive(factor) else None
                return None if away is None else b.add(b.call("log", factor), away)
            case Call(op, (one, other)) if op.name == "add":
                first, second = self._away(one), self._away(other)
                return None if first is None or second is None else b.call("logaddexp", first, second)
            case Call(op, (condition, one, other)) if op.name == "where":
                first, second = self._away(one), self._away(other)
                return None if first is None or second is None else b.where(condition, first, second)
            case Reduce(op, arg, over) if op.name == "sum":
                away = self._away(arg)
                return None if away is None else reduce("logsumexp", b.spread(away, over), over)
            case Along(op, (a,), over) if op.name == "log_softmax":
                return b.sub(along("log_softmax_rest", a, over), b.mul(NEAR, power))
            case Gather(arg, axis, index) if (away := self._away(arg)) is not None:
                return Gather(away, axis, index)
        scaled = self.scale(b.neg(power))
        return None if scaled.is_plain else scaled.log


_WILD = frozenset({"exp", "expm1", "sigmoid", "norm_cdf", "erfc", "softmax", "softmax_rest", "prod"})
_LOG_OF_WHOLE = {"softmax": "log_softmax", "softmax_rest": "log_softmax_rest"}


def _is_sum(expr: Expr) -> bool:
    return _name(expr) in ("add", "sub", "sum", "mean")


def unshifted(power: Expr, over: Axes) -> tuple[Expr, Expr | None]:
    """An exponent without what is subtracted from all of it, and that."""
    if isinstance(power, Call) and power.op.name == "sub" and not power.args[1].axes & over:
        return power.args[0], power.args[1]
    return power, None


def subtraction(expr: Expr) -> tuple[Expr, Expr] | None:
    """What a sum of two terms subtracts from what."""
    if _name(expr) == "neg" and _name(expr.children[0]) == "expm1":
        return b.ONE, b.call("exp", expr.children[0].children[0])
    if _name(expr) == "expm1":
        return b.call("exp", expr.children[0]), b.ONE
    if _name(expr) not in ("add", "sub"):
        return None
    if _name(expr) == "sub" and expr.children[0] is b.ONE:
        return b.ONE, expr.children[1]
    terms = summands(expr)
    positive, negative = ([term for sign, term in terms if sign == wanted] for wanted in (1, -1))
    if len(positive) == 1 and len(negative) == 1:
        return positive[0], negative[0]
    settled = [term for _, term in terms if b.exact(term) is not None]
    if len(negative) == 1 and positive == settled:
        return fold(b.add, positive), negative[0]
    return None


# --- one rule an operation -----------------------------------------------------------------------------------------

Args = tuple[Expr, ...]


def _exp(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return Scaled(b.ONE, args[0])


def _by_logarithm(name: str) -> Callable[[LogDomain, Expr, Args], Scaled]:
    return lambda d, expr, args: Scaled(b.ONE, b.call(name, args[0]))


def _erfc(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return Scaled(b.TWO, b.call("log_norm_cdf", b.mul(b.neg(b.call("sqrt", b.TWO)), args[0])))


def _mul(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    one, other = map(d.scale, args)
    if one.is_plain and other.is_plain:
        return Scaled(expr)
    one, other = one.by_logarithm, other.by_logarithm
    return Scaled(b.mul(one.factor, other.factor), b.add(one.power, other.power))


def _div(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    one, other = map(d.scale, args)
    if one.is_plain and other.is_plain:
        return Scaled(expr)
    one, other = one.by_logarithm, other.by_logarithm
    return Scaled(b.div(one.factor, other.factor), paired(b.sub(one.power, other.power)))


def _neg(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    if _name(args[0]) == "expm1" and d.known[args[0].children[0]].high <= 0:
        return Scaled(b.ONE, b.call("log1mexp", args[0].children[0]))
    inner = d.scale(args[0])
    return Scaled(expr) if inner.is_plain else Scaled(b.neg(inner.factor), inner.power)


def _raised(d: LogDomain, expr: Expr, base: Expr, exponent: Expr) -> Scaled:
    inner = d.scale(base).by_logarithm
    if inner.is_plain:
        power = d.difference(base)
        return Scaled(expr) if power is None else Scaled(b.ONE, b.mul(exponent, power))
    factor = b.ONE if inner.factor is b.ONE else b.power(inner.factor, exponent)
    return Scaled(factor, b.mul(exponent, inner.power))


def _pow(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, *args)


def _square(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, args[0], b.TWO)


def _sqrt(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return _raised(d, expr, args[0], NEAR)


def _where(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    condition, *pieces = args
    found = [Scaled(b.ONE, NOTHING) if b.is_const(piece, 0) else d.scale(piece).by_logarithm for piece in pieces]
    if all(piece.is_plain or piece.power is NOTHING for piece in found):
        return Scaled(expr)
    one, other = found
    return Scaled(b.where(condition, one.factor, other.factor), b.where(condition, one.power, other.power))


def _extreme(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    found = [d.scale(arg).by_logarithm for arg in args]
    if all(one.is_plain for one in found):
        return Scaled(expr)
    if any(b.is_const(arg, 0) for arg in args) and _name(expr) == "max":
        return next(one for one, arg in zip(found, args, strict=True) if not b.is_const(arg, 0))
    pure = [d._pure(one) for one in found]
    if pure[0] is None or pure[1] is None:
        return Scaled(expr)
    return Scaled(b.ONE, b.call(_name(expr), *(b.number(one) for one in pure if one is not None)))


def _stop(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    return d._each(expr, args[0], lambda part: b.call("stop", part))


def _via(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    inner = d.scale(args[0])
    return Scaled(expr) if inner.is_plain else inner


def _added(d: LogDomain, expr: Expr, args: Args) -> Scaled:
    pair = subtraction(expr)
    if pair is not None and pair[0] is b.ONE:
        share = d.scale(pair[1])
        rest = None if share.is_plain else d._log_rest(pair[1], share)
        if rest is not None:
            return Scaled(b.ONE, rest)
    return d._near_one(expr, d._chosen(expr, d.added(expr)))


_CALLS: dict[str, Callable[[LogDomain, Expr, Args], Scaled]] = {
    "exp": _exp,
    "sigmoid": _by_logarithm("log_sigmoid"),
    "norm_cdf": _by_logarithm("log_norm_cdf"),
    "softplus": _by_logarithm("log_softplus"),
    "erfc": _erfc,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "pow": _pow,
    "square": _square,
    "sqrt": _sqrt,
    "where": _where,
    "max": _extreme,
    "min": _extreme,
    "stop": _stop,
    "via": _via,
    "add": _added,
    "sub": _added,
}

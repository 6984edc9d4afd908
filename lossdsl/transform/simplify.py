"""Simpler forms that sympy proposes, each taken only if it passes the scales of `weigh`.

Sympy sees rational functions of opaque symbols: whatever is no sum, product, quotient or power, and every difference
of two such parts (`e = t - x`), is one symbol to it, so it cannot spread or reorder them. Work is bounded by the size
of what is given, and chance is seeded: the result is the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Call, Const, Expr, Flag, Input, Length, Param, Reduce, walk
from lossdsl.ir.op import Kind
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import formula
from lossdsl.ir.traversal import users, valued
from lossdsl.oracle.rational import MEANINGS, proposed
from lossdsl.transform.kept import decisive

MAX_OPERATIONS = 24
"""The largest rational function that is given to sympy."""
MAX_REGION = 256
"""The largest that is looked at for what is worth giving."""
MAX_SYMBOLS = 6
MAX_EXPONENT = 8

_HERE = frozenset({LAST})


@dataclass(frozen=True)
class Proposal:
    """A simpler form of a part: who proposed it, whether it was taken, and why not."""

    before: Expr
    after: Expr
    by: str
    refused: str | None

    @property
    def taken(self) -> bool:
        return self.refused is None

    def __str__(self) -> str:
        fate = "taken" if self.refused is None else f"refused: {self.refused}"
        return f"{formula(self.before)}\n=> {formula(self.after)}    # {self.by}\n{fate}"


def simplified(roots: Iterable[Expr], known: Ranges) -> tuple[tuple[Expr, ...], list[Proposal]]:
    """The roots with every proposal that passes put in, and all proposals with their fates.

    Roots that are not elementwise stay as they are: there the price of an operation depends on the axes that it runs
    over, which `weigh` does not know.
    """
    roots = tuple(roots)
    if not all(map(is_elementwise, roots)):
        return roots, []
    inner = _interior(roots) | (decisive(*roots) if known.keeps_conditions else set())
    done: dict[Expr, Expr] = {}
    proposals: list[Proposal] = []
    for node in walk(*roots):
        new = b.rebuild(node, tuple(done[child] for child in node.children))
        if node not in inner and _is_open(new):
            new = _improved(new, known, proposals)
        done[node] = new
    return tuple(done[root] for root in roots), proposals


def is_elementwise(root: Expr) -> bool:
    """Whether an expression is made of elementwise operations on inputs and parameters, but for its outermost mean."""
    while isinstance(root, Reduce):
        root = root.arg
    return all(isinstance(node, Call | Const | Flag | Input | Param | Length) for node in valued(root))


def _is_open(node: Expr) -> bool:
    """Whether sympy may look into a node."""
    if not isinstance(node, Call) or node.op.name not in MEANINGS or node.kind is not Kind.REAL:
        return False
    if node.op.name == "sub" and not any(isinstance(arg, Const) or _is_term(arg) for arg in node.args):
        return False
    if node.op.name == "pow":
        exponent = b.exact(node.args[1])
        return exponent is not None and exponent.denominator == 1 and abs(exponent) <= MAX_EXPONENT
    return True


def _is_term(node: Expr) -> bool:
    """Whether a term of a difference is itself worth opening."""
    return isinstance(node, Call) and node.op.name in MEANINGS


def _may_be_closed(node: Expr) -> bool:
    """Whether a part that occurs again may count as one thing: a product, or a sum such as a smoothed label.

    A sum with a constant, such as 1 - p, is more use opened: it cancels against what it is made of.
    """
    if not isinstance(node, Call):
        return False
    if node.op.name in ("add", "sub"):
        return not any(isinstance(arg, Const) for arg in node.args)
    return _is_term(node) and not node.op.signs


def _interior(roots: tuple[Expr, ...]) -> set[Expr]:
    """The open nodes that only open nodes use: parts of a larger rational function."""
    above = users(*roots)
    return {node for node in walk(*roots) if node not in roots and _is_open(node) and all(map(_is_open, above[node]))}


def _improved(node: Expr, known: Ranges, proposals: list[Proposal]) -> Expr:
    """The best of the node and its proposals: first with what occurs again closed, then open."""
    region = _region(node, frozenset())
    if len(region) > MAX_REGION or not _is_worth(region):
        return node
    uses = Counter(child for part in region for child in part.children)
    repeated = frozenset(part for part in region if uses[part] > 1 and _may_be_closed(part))
    best = node
    for closed in dict.fromkeys((repeated, frozenset[Expr]())):
        if _is_worth(_region(best, frozenset())):
            best = _tried(best, closed, known, proposals, _proposed)
    return best


def _tried(
    node: Expr,
    closed: frozenset[Expr],
    known: Ranges,
    proposals: list[Proposal],
    propose: Callable[[Expr, _Facts], tuple[tuple[str, Expr], ...]],
) -> Expr:
    """The best of the node and what is proposed for it, with its opaque parts and those of `closed` as symbols."""
    region = _region(node, closed)
    children = dict.fromkeys(child for part in region for child in part.children)
    opaque = [child for child in children if child in closed or not (_is_open(child) or isinstance(child, Const))]
    symbols: dict[Expr, Expr] = {child: Input(f"?{place}", _HERE) for place, child in enumerate(opaque)}
    if not 2 < len(region) <= MAX_OPERATIONS or len(symbols) > MAX_SYMBOLS:
        return node
    facts = tuple((leaf, known[original]) for original, leaf in symbols.items())
    back = {leaf: original for original, leaf in symbols.items()}
    best = b.substitute(node, symbols)
    seen = {best}
    for by, candidate in propose(best, facts):
        if candidate in seen:
            continue
        seen.add(candidate)
        refused = _refused(best, candidate, facts)
        proposals.append(Proposal(b.substitute(best, back), b.substitute(candidate, back), by, refused))
        best = candidate if refused is None else best
    return b.substitute(best, back)


_Facts = tuple[tuple[Expr, Bounds], ...]
"""What is known of each symbol."""


# The same parts turn up under each setting of a loss's parameters, and in its gradients in several inputs.


@lru_cache(256)
def _proposed(expr: Expr, facts: _Facts) -> tuple[tuple[str, Expr], ...]:
    return tuple(proposed(expr, Ranges(dict(facts))))


@lru_cache(256)
def _refused(before: Expr, after: Expr, facts: _Facts) -> str | None:
    # Opened here, so that a loss without proposals pays for neither mpmath nor numpy.
    from lossdsl.oracle.veto import weigh

    return weigh(before, after, Ranges(dict(facts)))


def _region(node: Expr, closed: frozenset[Expr]) -> list[Expr]:
    """The open nodes from `node` down, each once, as long as they are not too many."""
    found: dict[Expr, None] = {}
    stack = [node]
    while stack and len(found) <= MAX_REGION:
        part = stack.pop()
        if part not in found:
            found[part] = None
            stack.extend(child for child in part.children if _is_open(child) and child not in closed)
    return list(found)


def _is_worth(region: list[Expr]) -> bool:
    """Whether there is much to gain: quotients that may share a denominator, or one that is divided by.

    Everything else is left as it is without waking sympy, whose import alone takes longer than a compilation.
    """
    return any(map(_may_gain, region))


def _may_gain(node: Expr) -> bool:
    if not isinstance(node, Call) or node.op.name not in ("add", "sub", "div"):
        return False
    if node.op.name == "div":
        return any(map(_varies, _divisors(node.args[1])))
    left, right = node.args
    return _shares(_divisors(left), right) or _shares(_divisors(right), left)


def _shares(divisors: list[Expr], other: Expr) -> bool:
    """Whether a term with divisors may be brought to one quotient with another term."""
    return any(map(_varies, divisors)) and (isinstance(other, Const) or bool(_divisors(other)))


def _varies(node: Expr) -> bool:
    """Whether a divisor is more than a parameter or a length."""
    return any(isinstance(part, Input) or (isinstance(part, Param) and not part.is_static) for part in valued(node))


def _divisors(node: Expr) -> list[Expr]:
    """What a product is divided by."""
    found: list[Expr] = []
    stack, seen = [node], set[Expr]()
    while stack:
        part = stack.pop()
        if part not in seen and isinstance(part, Call) and part.op.name in ("mul", "neg", "div"):
            seen.add(part)
            if part.op.name == "div":
                found.append(part.args[1])
            stack.extend(part.args)
    return found

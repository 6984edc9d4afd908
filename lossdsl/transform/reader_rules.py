"""What a careful person writes in the place of a node: rules on one node at a time, for readers alone.

None of them changes a value of real arithmetic. Digits do not count here.
"""

from __future__ import annotations

from collections.abc import Collection, Container

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes
from lossdsl.ir.expr import Along, Call, Const, Expr, Gather, Input, Position, Reduce, walk
from lossdsl.ir.op import Kind, Op
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import is_onehot
from lossdsl.ir.traversal import within
from lossdsl.ir.whole import along, definition
from lossdsl.transform.choice_rules import is_choice
from lossdsl.transform.factors import name_of
from lossdsl.transform.language import expression
from lossdsl.transform.signs import positive_part, with_difference

# --- before sums and products are put together -----------------------------------------------------------------------


def public(node: Expr) -> Expr:
    """A node in operations that the language has, `log1p(-a)` as `log(1 - a)`, and `(a^2)^2` as `a^4`."""
    if name_of(node) == "log1p" and name_of(node.children[0]) == "neg":
        return b.call("log", b.sub(b.ONE, node.children[0].children[0]))
    if name_of(node) == name_of(node.children[0] if node.children else node) == "pow":
        (base, inner), outer = node.children[0].children, node.children[1]
        powers = b.exact(inner), b.exact(outer)
        if all(power is not None and power.denominator == 1 for power in powers):
            return b.power(base, b.const((powers[0] or 0) * (powers[1] or 0)))
    if isinstance(node, Call) and node.op.written and not node.op.public:
        return expression(node.op.written, dict(zip(node.op.args, node.args, strict=True)))
    if isinstance(node, Along | Reduce) and not node.op.public:
        return definition(node) or node
    return node


def without_logarithms(node: Expr) -> Expr:
    """`exp(log_softmax(x))` as `softmax(x)`, `expm1` of it as that less 1, and `exp(a)^2` as `exp(2*a)`."""
    if isinstance(node, Call) and node.op.name in ("exp", "expm1"):
        power = _exponential(node.args[0])
        if power is not None:
            return power if node.op.name == "exp" else b.sub(power, b.ONE)
    if isinstance(node, Call) and node.op.name == "pow" and name_of(node.args[0]) == "exp":
        inner, count = node.args[0].children[0], node.args[1]
        if b.exact(count) is not None:
            sign = name_of(inner) == "neg"
            return b.call("exp", b.mul(b.neg(count), inner.children[0]) if sign else b.mul(count, inner))
    return node


def _exponential(logarithm: Expr) -> Expr | None:
    """The exponential of a logarithm that has a name."""
    match logarithm:
        case Along(op, (arg,), over) if op.name == "log_softmax":
            return along("softmax", arg, over)
        case Gather(arg, axis, index):
            inner = _exponential(arg)
            return None if inner is None else Gather(inner, axis, index)
    return None


def known_total(node: Expr) -> Expr:
    """The sum of a softmax as 1, of differences from their mean as 0, and of the same number as a multiple of it."""
    if not (isinstance(node, Reduce) and node.op.name in ("sum", "mean")):
        return node
    if name_of(node.arg) == "sub" and _is_mean(node.arg.children[1], node.arg.children[0], node.over):
        return b.ZERO
    if isinstance(node.arg, Along) and node.arg.op.name == "softmax" and node.arg.over == node.over:
        return b.ONE if node.op.name == "sum" else node
    value = _spread(node.arg, node.over)
    if value is None:
        return node
    return value if node.op.name == "mean" else b.mul(value, _length(node, value))


def _is_mean(node: Expr, of: Expr, over: Axes) -> bool:
    return isinstance(node, Reduce) and node.op.name == "mean" and node.arg is of and node.over == over


def _spread(node: Expr, over: Axes) -> Expr | None:
    """The number that a node has at every position of some axes; None if it varies along them."""
    while over & node.axes:
        if not (is_choice(node) and node.children[2] is b.ZERO and name_of(node.children[0]) == "ge"):
            return None
        place, least = node.children[0].children
        if not (isinstance(place, Position) and least is b.ZERO):
            return None
        node = node.children[1]
    return node


def _length(node: Reduce, value: Expr) -> Expr:
    """How many positions there are along the axes of a sum, asked of an input that the value asks already, if any."""
    leaves = [leaf for leaf in walk(value, node) if isinstance(leaf, Input) and node.over <= leaf.axes]
    return b.length(leaves[0] if leaves else node.arg, node.over)


# --- afterwards ------------------------------------------------------------------------------------------------------


def settled_choice(node: Expr, known: Ranges) -> Expr:
    """A choice whose condition always holds, such as `u > 0` of a sum of squares and a positive number."""
    if is_choice(node):
        condition, first, _ = node.children
        if name_of(condition) == "gt" and condition.children[1] is b.ZERO:
            bounds = known[condition.children[0]]
            if bounds.low > 0 or (bounds.low == 0 and bounds.low_open):
                return first
    return node


def comparison(node: Expr, whole: Container[Expr] = ()) -> Expr:
    """`not a >= b` as `a < b`, `0 >= u` as `u <= 0`, and `a - b > 0` as `a > b`, but for what stays `whole`."""
    match node:
        case Call(Op("not"), (Call(op, args) as inner,)) if op.opposite and not is_onehot(inner):
            return comparison(b.call(op.opposite, *args), whole)
        case Call(op, (left, right)) if op.turned and not is_onehot(node):
            if isinstance(left, Const) and not isinstance(right, Const):
                return comparison(b.call(op.turned, right, left), whole)
            if right is b.ZERO and name_of(left) == "sub" and left not in whole:
                return comparison(b.call(op.name, *left.children), whole)
    return node


def choice(node: Expr) -> Expr:
    """`where(not c, u, v)` as `where(c, v, u)`, and `where(onehot(t) == 1, -1, 0)` as `-onehot(t)`."""
    if not is_choice(node):
        return node
    condition, first, second = node.children
    if name_of(condition) == "not":
        return b.where(condition.children[0], second, first)
    if is_onehot(condition) and second is b.ZERO and isinstance(first, Const) and first.value in (1, -1):
        return b.number(condition) if first.value == 1 else b.neg(b.number(condition))
    return node


def opposite(node: Expr, whole: Container[Expr]) -> Expr:
    """`where(u <= 0, 0, v)` as `where(u > 0, v, 0)`."""
    condition, first, second = node.children
    return b.where(comparison(b.call("not", condition), whole), second, first) if first is b.ZERO else node


def inside_choice(node: Expr, named: Collection[Expr]) -> Expr:
    """A choice in whose pieces nothing is chosen by the same condition again."""
    if not is_choice(node):
        return node
    condition, first, second = node.children
    return b.where(condition, _given(first, condition, True, named), _given(second, condition, False, named))


def _given(expr: Expr, condition: Expr, holds: bool, named: Collection[Expr]) -> Expr:
    """An expression where it is known whether a condition holds, at the same position."""
    facts = _facts(condition, holds)
    done = _larger(facts) if holds else {}
    for node in _elementwise(expr, named):
        if node in named:
            done[node] = node
        elif node in done:
            continue
        elif is_choice(node) and node.children[0] in facts:
            done[node] = done[node.children[1 if holds else 2]]
        else:
            children = tuple(done.get(child, child) for child in node.children)
            done[node] = b.rebuild(node, children, keeps_axes=False)
    return done[expr]


def _facts(condition: Expr, holds: bool) -> set[Expr]:
    """A condition and what it consists of, if all of that holds, or none, together with it."""
    facts: set[Expr] = set()
    stack = [condition]
    while stack:
        one = stack.pop()
        facts.add(one)
        if name_of(one) == ("and" if holds else "or"):
            stack += one.children
    return facts


def _larger(facts: Collection[Expr]) -> dict[Expr, Expr]:
    """What `max(u, 0)` is where `u > 0` is a fact."""
    found: dict[Expr, Expr] = {}
    for fact in facts:
        if name_of(fact) in ("gt", "ge") and fact.children[1] is b.ZERO:
            above = fact.children[0]
            found |= {b.call("max", *pair): above for pair in ((above, b.ZERO), (b.ZERO, above))}
    return found


def _elementwise(expr: Expr, named: Collection[Expr]) -> list[Expr]:
    """What an expression is made of at the same position, children first; nothing of what has a name."""
    return within(expr, lambda node: isinstance(node, Call) and node not in named)


def signed(node: Expr) -> Expr:
    """A sum with its signs outside, `a - (1 - b)` as `a + b - 1`, and `(-a)^2` as `a^2`."""
    name = name_of(node)
    if name == "pow":
        base, count = node.children
        turned = positive_part(base) if _is_even(count) else None
        return node if turned is None else b.power(turned, count)
    node = with_difference(node)
    if name_of(node) == "sub" and node.kind is Kind.REAL:
        left, right = node.children
        if name_of(right) == "sub" and isinstance(right.children[0], Const):
            return b.sub(signed(b.add(left, right.children[1])), right.children[0])
    return node


def _is_even(count: Expr) -> bool:
    exponent = b.exact(count)
    return exponent is not None and exponent.denominator == 1 and exponent % 2 == 0


def size(root: Expr) -> int:
    """How much there is to read: the operations, each once."""
    return sum(1 for node in walk(root) if node.children)

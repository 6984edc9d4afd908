"""Rational functions handed to sympy, and what it makes of them brought back. Imports sympy only when called."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Any

from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Const, Expr, Input, walk
from lossdsl.ir.ranges import Ranges

MAX_DENOMINATOR = 16
"""Constants with a larger one are symbols to sympy."""
MAX_NUMERATOR = 10**9
"""So are those with a larger one, to find whose factors may take for ever."""


def proposed(expr: Expr, facts: Ranges) -> list[tuple[str, Expr]]:
    """What sympy makes of a rational function, dearest work last."""
    import sympy

    # A constant such as 1e-7 is a symbol too, or sympy would multiply the whole quotient by ten million.
    leaves = [node for node in walk(expr) if isinstance(node, Input) or _is_odd(node)]
    symbols = {
        leaf: sympy.Symbol(f"s{place}", real=True, positive=facts[leaf].is_positive or None)
        for place, leaf in enumerate(leaves)
    }
    given = _sympy(expr, symbols)
    steps: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("factor_terms", sympy.factor_terms),
        ("together", lambda e: sympy.factor_terms(sympy.together(e))),
        ("factor", sympy.factor),
    )
    nodes = {symbol: leaf for leaf, symbol in symbols.items()}
    found = []
    for by, step in steps:
        try:
            result = step(given)
        except sympy.PolynomialError:
            continue
        if not result.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):  # a quotient by what is 0 everywhere
            found.append((by, _ir(result, nodes)))
    return found


def _is_odd(node: Expr) -> bool:
    value = b.exact(node)
    is_long = value is None or value.denominator > MAX_DENOMINATOR or abs(value) > MAX_NUMERATOR
    return isinstance(node, Const) and is_long


MEANINGS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "neg": operator.neg,
    "square": lambda a: a**2,
}


def _sympy(expr: Expr, symbols: dict[Expr, Any]) -> Any:
    """A rational function as sympy's; products are not spread over sums."""
    import sympy
    from sympy.core.parameters import distribute

    done: dict[Expr, Any] = dict(symbols)
    with distribute(False):
        for node in walk(expr):
            if node in done:
                continue
            if isinstance(node, Const):
                value = node.value
                assert isinstance(value, Fraction)
                done[node] = sympy.Rational(value.numerator, value.denominator)
            elif isinstance(node, Call):
                done[node] = MEANINGS[node.op.name](*(done[arg] for arg in node.args))
    return done[expr]


def _ir(expr: Any, nodes: dict[Any, Expr]) -> Expr:
    """A rational function of sympy's as an expression: one quotient a product, differences before sums."""
    if expr in nodes:
        return nodes[expr]
    if expr.is_Rational:
        return b.const(Fraction(int(expr.p), int(expr.q)))
    if expr.is_Add:
        return _sum(list(expr.args), nodes)
    if expr.is_Mul or expr.is_Pow:
        return _product(expr, nodes)
    raise AssertionError(f"no expression for {expr.func}")


def _sum(terms: list[Any], nodes: dict[Any, Expr]) -> Expr:
    """A sum in which terms of opposite sign meet first and constants come last: that is where digits are lost."""
    order = sorted((term for term in terms if not term.is_Rational), key=lambda term: _rank(term, nodes))
    plus = [term for term in order if not term.could_extract_minus_sign()]
    minus = [term for term in order if term.could_extract_minus_sign()]
    constants = [term for term in terms if term.is_Rational]
    if not plus and constants and constants[0] > 0:  # a sum begins with what is positive, if anything is
        plus, constants = constants, []
    found: Expr = b.ZERO
    for term in filter(None, chain(*zip_longest(plus, minus), constants)):
        if term.could_extract_minus_sign():
            found = b.sub(found, _ir(-term, nodes))
        else:
            found = b.add(found, _ir(term, nodes))
    return found


def _rank(term: Any, nodes: dict[Any, Expr]) -> tuple[int, str]:
    """Plain symbols before products; the rest of the order only has to be the same every time."""
    node = nodes.get(term, nodes.get(-term))
    return (1 if node is None else 2 if isinstance(node, Const) else 0, _text(term))


@lru_cache(512)
def _text(expr: Any) -> str:
    """An expression of sympy's written out, which takes long: one proposal has many terms of another."""
    return str(expr)


def _product(expr: Any, nodes: dict[Any, Expr]) -> Expr:
    above: list[Expr] = []
    below: list[Expr] = []
    scale = Fraction(1)
    for factor in sorted(expr.args if expr.is_Mul else (expr,), key=_text):
        if factor.is_Rational:
            scale = Fraction(int(factor.p), int(factor.q))
        elif factor.is_Pow and factor.exp.is_Integer:
            inner = _ir(factor.base, nodes)
            count = abs(int(factor.exp))
            part = inner if count == 1 else b.power(inner, b.const(count))
            (above if factor.exp > 0 else below).append(part)
        else:
            above.append(_ir(factor, nodes))
    top = b.const(abs(scale))
    rest: Expr = b.ONE
    for factor in above:
        rest = b.mul(rest, factor)
    result = b.mul(top, rest)
    for factor in below:
        result = b.div(result, factor)
    return b.neg(result) if scale < 0 else result

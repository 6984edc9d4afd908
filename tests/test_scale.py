"""Work and code grow with the size of a loss, whatever is nested in what, and value and gradient are always tested.

The sizes are counted, in parts of expressions, and never timed: `benchmarks/scale.py` does that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest

import lossdsl
from lossdsl import pipeline
from lossdsl.analyze import analyzer
from lossdsl.ir import build as b
from lossdsl.ir.abstract import Anywhere
from lossdsl.ir.expr import Call, Const, Expr, Input, Param, walk
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.traversal import unknown
from lossdsl.oracle.gradient_check import judge
from lossdsl.oracle.rational import proposed
from lossdsl.prove.rational_field import TooLarge
from lossdsl.prove.rational_functions import NormalForms
from lossdsl.source import Source
from lossdsl.transform import complement, factors, log_domain, masks, pairs, scaled, shares, signs
from lossdsl.transform.guard import guarded
from lossdsl.transform.logit_shift import Terms, combination
from lossdsl.transform.pairs import summands


def definitions(steps: int, step: str) -> str:
    """A chain of definitions, each of the one before."""
    lines = ["a0 = t - x", *(f"a{place + 1} = {step.format(f'a{place}', place)}" for place in range(steps))]
    return "\n".join(["loss f(t, x)", *lines, f"a{steps}"])


STEPS = {
    "functions": "tanh({0})",
    "roots": "sqrt({0}^2 + 1)",
    "powers": "abs({0})^1.5 + {0}",
    "squares": "{0}^2",
    "products": "{0}*{0}",
    "own uses": "{0}*sin({0}) + {0}",
    "exponentials": "exp(-exp({0})) - {0}",
    "exponentials of what is used": "exp(-{0}) + {0}",
    "choices": "where({0} > {1}, {0}^2, x*{0})",
    "choices by inputs": "where(t > {1}, {0}, x*{0})",
    "choices that only decide": "where({0} > {1}, t, x) + {0}",
    "extremes": "max({0}, {1} - x*{0})",
    "masks": "where(isnan(t), 0, {0}^2)",
    "norms": "{0}/norm({0})",
    "softmax": "{0} - softmax({0})",
}


def program(text: str) -> pipeline.Program:
    return pipeline.program(pipeline.parsed(Source(text, "")))


def parts(of: pipeline.Program) -> int:
    """How many parts value and gradients have, with what guards their pieces."""
    slopes = [expr for exprs in of.gradients.values() for expr in exprs]
    return sum(1 for _ in walk(*guarded((of.value, *slopes), of.known)))


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_code_grows_with_the_size(step: str) -> None:
    few, many = (parts(program(definitions(count, step))) for count in (12, 24))
    assert many < 2.6 * few, (few, many)


SHARED = {
    "choices by a mask": "where(t > 0, {}, 0)",
    "logarithms": "log({})",
    "sums of products": "1 - sum(softmax(x)*{0}*{0})",
}


@pytest.mark.parametrize("last", SHARED.values(), ids=SHARED)
@pytest.mark.parametrize("step", ["{0}*{0}", "exp(-{0}) + {0}", "max({0}, 1 - {0})", "{0}/sum({0})"])
def test_what_is_used_twice_is_worked_out_once(step: str, last: str) -> None:
    """A tower of 20 squares is a product of a million factors, which none of the passes may look at one by one."""
    few, many = (program(_finished(count, step, last)) for count in (10, 20))
    assert parts(many) < 2.6 * parts(few)
    assert len(many.show("numpy")) < 2.6 * len(few.show("numpy"))


def _finished(count: int, step: str, last: str) -> str:
    *lines, end = definitions(count, step).replace("a0 = t - x", "a0 = exp(x)").splitlines()
    return "\n".join([*lines, last.format(end)])


@pytest.mark.parametrize("term", ["t", "t*x", "-t*x"])
def test_a_long_sum_is_not_looked_at_once_for_each_of_its_terms(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many terms are put in a list, beside how many there are."""
    listed = 0

    def counted(expr: Expr, most: int | None = None) -> Terms:
        nonlocal listed
        found = summands(expr, most)
        listed += len(found)
        return found

    for module in (scaled, pairs, complement, shares, log_domain):
        monkeypatch.setattr(module, "summands", counted)
    program("x + " + " + ".join([term] * 500)).stable  # noqa: B018 - it is made here
    assert listed < 100 * 500


CHAINS = {
    "roots": (definitions(300, "sqrt(abs({0}) + {1})"), factors, "value_of", 8),
    "a product": ("loss f(t, x)\n" + "*".join(f"(x/(t + {i}))" for i in range(300)), signs, "name_of", 6),
    "cases": (
        f"loss f(t, x)\ncases({', '.join(f'x < {i}: t*x^2 + {i}' for i in range(60))}, else: t)",
        masks,
        "conjuncts",
        0.2,
    ),
}


@pytest.mark.parametrize(("text", "module", "function", "most"), CHAINS.values(), ids=CHAINS)
def test_a_link_of_a_chain_does_not_go_through_the_others(
    text: str, module: ModuleType, function: str, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How often a pass does something, at `most` for each part that there is."""
    done = 0
    original = getattr(module, function)

    def counted(what: object) -> object:
        nonlocal done
        listed = list(what) if isinstance(what, Iterable) and not isinstance(what, Expr) else [what]
        done += len(listed)
        return original(listed if listed != [what] else what)

    monkeypatch.setattr(module, function, counted)
    of = program(text)
    size = parts(of)
    list(of.pullbacks.values())
    assert 0 < done < most * size, (done, size)


def test_the_logarithm_of_a_sum_of_a_thousand_terms() -> None:
    of = program("loss f(t, x)\nlog(" + " + ".join(f"exp({i}*x)" for i in range(1000)) + ")")
    assert parts(of) < 60 * 1000


TOWERS = {
    "squares": (40, "{0}^2 + 1"),
    "few squares": (10, "{0}^2 + 1"),
    "sizes": (10, "abs({0})^2 - 2"),
    "smaller ones": (30, "min({0}^2, 4) - {0}"),
    "cubes": (40, "{0}^3 + 1"),
}


@pytest.mark.parametrize(("steps", "step"), TOWERS.values(), ids=TOWERS)
def test_a_tower_is_checked(steps: int, step: str) -> None:
    """Its degree, or the number of its choices, doubles at each step: what proves and refutes stops early."""
    report = lossdsl.check(definitions(steps, step))
    assert report.ok, report.findings
    assert any("tested at" in line for line in report.passed)


def test_numbers_whose_factors_nobody_finds_are_symbols_to_sympy() -> None:
    """Of a quotient in which one stands, sympy would factor the numerator: that of 1e300 - 1 takes for ever."""
    x, huge = Input("x", frozenset()), b.const(10**300 - 1)
    found = proposed(b.div(b.add(b.mul(huge, x), huge), b.mul(x, x)), Ranges({}))
    assert any(huge in set(walk(expr)) for _, expr in found)


def test_a_polynomial_of_high_degree_is_left_alone() -> None:
    """The difference of two pieces would be x^(2^26) - x, and a proof would factor it."""
    of = program(definitions(26, "clip({0}, 0, 1)*{0}"))
    with pytest.raises(TooLarge):
        NormalForms().of(program(definitions(8, "{0}*{0}")).loss.value)
    assert analyzer(of).decide("nonnegative").how != "refuted"


def test_sympy_is_asked_of_what_can_be_written_out() -> None:
    """The loss has 60 operations, and as a tree ten thousand million."""
    shown = str(lossdsl.check(definitions(30, "{0}*(1 - {0})")))
    assert "gradients in t and x tested at" in shown


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_value_and_gradient_are_tested_at_any_size(step: str) -> None:
    of = program(definitions(60, step))
    verdicts = judge(of.loss, of.stable, of.gradients, of.known)
    assert {verdict.how for _, verdict in verdicts} == {"tested"}, verdicts


@pytest.mark.parametrize("step", ["tanh({0})", "where({0} > {1}, {0}^2, x*{0})", "{0}*(x + {1})"])
def test_no_depth_of_the_stack_is_needed(step: str) -> None:
    text = definitions(130, step)
    limit = sys.getrecursionlimit()
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
    sys.setrecursionlimit(depth + 200)
    try:
        module = program(text).module("numpy")
    finally:
        sys.setrecursionlimit(limit)
    assert module.body


@pytest.mark.parametrize("step", ["{0}*sigmoid(x - {1})", "where(x > {1}, {0}, 0)"])
def test_logarithms_and_complements_take_no_depth(step: str) -> None:
    first, *lines, _ = definitions(130, step).replace("a0 = t - x", "a0 = sigmoid(x - t)").splitlines()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(700)
    try:
        module = program("\n".join([first, *lines, "log(1 - a130) - log(a130)"])).module("numpy")
    finally:
        sys.setrecursionlimit(limit)
    assert module.body


def test_each_part_is_looked_at_once() -> None:
    looked_at: list[Expr] = []

    def is_one(node: Expr) -> bool:
        looked_at.append(node)
        return isinstance(node, Call) and node.op.name == "exp"

    has_exponential = Anywhere(is_one=is_one)
    result = program(definitions(20, "tanh({0})")).loss.result
    assert not any(has_exponential[node] for node in walk(result))
    assert len(looked_at) == len(set(looked_at)) == sum(1 for _ in walk(result))
    assert list(unknown(result, has_exponential.known)) == []
    assert list(unknown(Const(Fraction(7)), {})) == [Const(Fraction(7))]


def test_a_long_chain_has_the_gradient_of_its_recursion() -> None:
    text = definitions(80, "where({0} > 0.25, 0.5*{0}, sin({0} + 0.125))")
    t, x = np.array([[3.0, 0.1, -2.0]]), np.array([[0.5, 0.0, 1.0]])
    value, slope = t - x, -np.ones_like(x)
    for _ in range(80):
        above = value > 0.25
        slope = np.where(above, 0.5, np.cos(value + 0.125)) * slope
        value = np.where(above, 0.5 * value, np.sin(value + 0.125))
    loss = lossdsl.load(text)
    assert np.allclose(loss.numpy(t, x), value.mean(), rtol=1e-12)
    assert np.allclose(loss.numpy.grad(t, x), slope / 3, rtol=1e-9, atol=0)


def test_a_sum_is_combined_node_by_node() -> None:
    """One of itself has 2^60 terms, and one of many is deeper than the stack."""
    x, y = (Param(name) for name in "xy")
    tower: Expr = x
    for _ in range(60):
        tower = b.add(tower, tower)
    assert combination(tower) == {x: 2**60}
    chain: Expr = y
    for _ in range(3000):
        chain = b.sub(b.div(b.add(chain, x), b.TWO), b.const(3))
    assert combination(chain)[y] == Fraction(1, 2**3000)


def test_a_chain_of_comparisons_along_a_slice_is_read_without_recursion():
    """Each link meets the slice; that the lengths agree is asked of each once."""
    links = " == ".join(["x"] * 2000)
    assert lossdsl.compile(f"u = t[:-1]\nwhere(u == {links}, 1, x)") is not None

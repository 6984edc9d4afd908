"""Sums and products in normal form: nothing that cancels is left, nothing changes its value, and no digits are lost."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST
from lossdsl.ir.expr import Call, Const, Input, walk
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import formula
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import float32_numbers, mp_numbers
from lossdsl.source import Source
from lossdsl.transform.canonical import Canonical, canonical
from lossdsl.transform.gradient import gradient
from lossdsl.transform.language import expression
from lossdsl.transform.readable import readable
from lossdsl.transform.signs import positive_part, signs_outside

LETTERS = {letter: Input(letter, frozenset({LAST})) for letter in "txeucpn"}


def read(text):
    return expression(text, dict(LETTERS))


def program(text):
    return pipeline.program(pipeline.parsed(Source(text)))


@pytest.mark.parametrize(
    "before, after",
    [
        # constants are one, and exact
        ("0.1*(3*x)", "0.3*x"),
        ("2*x/6", "x/3"),
        ("2*(x/3)*(t/5)", "x*t/7.5"),
        ("4*x/(2*t)", "2*x/t"),
        ("x/(2*t)", "x/(2*t)"),
        ("0.25*x/0.5", "0.5*x"),
        ("1e30*(1e30*x)", "1e30*x*1e30"),  # float32 has no 1e60
        # what multiplies and divides
        ("x*t/x", "t"),
        ("x/t*t", "x"),
        ("x^3/x", "x^2"),
        ("x/(x*t)", "1/t"),
        ("x/u^2*u", "x/u"),
        ("c^2*(1/c)*(e/c)", "e"),
        ("c*(e/c)^2", "e/c*e"),  # e^2 would overflow sooner
        ("c^2*(e/c)^2", "e*e"),
        ("x^(u - 1)*x", "x^u"),
        ("u/sqrt(u)", "sqrt(u)"),
        ("sqrt(u)/u", "1/sqrt(u)"),
        ("u^0.5*t/u^1.5", "t/u"),
        ("u^(-0.5)*u", "u^0.5"),
        # what stays as it is
        ("(e/c)^2", "(e/c)^2"),
        ("sqrt(1 + (e/c)^2)", "sqrt(1 + (e/c)^2)"),
        ("x*(t/c)", "x*(t/c)"),
        ("3*(t - x)", "3*(t - x)"),
        ("x*t*x", "x*t*x"),
        ("x*(1/t)", "x/t"),
        ("(t - x) + (t - u)", "(t - x) + (t - u)"),
        # sums
        ("(t - x) - (t - u)", "u - x"),
        ("x + t - x", "t"),
        ("2*x + t - 2*x", "t"),
        ("1 + (0.5 + x)", "1.5 + x"),
        ("(x - 1) + 0.0000001", "x - 1 + 0.0000001"),  # their sum is no number of float32
        ("(u + x - c) + (u - x + c)", "2*u"),
        ("(u + x - c) - (u - x - t)", "2*x - c + t"),
        ("x*(t + u)/(u + t)", "x"),
        ("-(t - x)", "x - t"),
    ],
)
def test_the_normal_form(before, after):
    (found,) = canonical((read(before),))
    assert formula(found) == formula(read(after))


# --- an independent look for what may not be left ------------------------------------------------------------------


def name(node):
    return node.op.name if isinstance(node, Call) else ""


def factors(node, names):
    """The factors of a product with their exponents, opened as far as it goes."""
    found, stack = [], [(node, 1)]
    while stack:
        part, power = stack.pop()
        inner = part is node or part not in names
        exponent = b.exact(part.args[1]) if name(part) == "pow" else None
        if inner and name(part) == "neg":
            stack.append((part.args[0], power))
        elif inner and name(part) in ("mul", "div"):
            stack += [(part.args[0], power), (part.args[1], power if name(part) == "mul" else -power)]
        elif inner and exponent is not None:
            stack.append((part.args[0], power * exponent))
        else:
            found.append((part, power))
    return found


def terms(node, names):
    found, stack = [], [(node, 1)]
    while stack:
        part, sign = stack.pop()
        inner = part is node or part not in names
        if inner and name(part) in ("add", "sub"):
            stack += [(part.args[0], sign), (part.args[1], sign if name(part) == "add" else -sign)]
        elif inner and name(part) == "neg":
            stack.append((part.args[0], -sign))
        else:
            found.append((part, sign))
    return found


def left_over(root, names=()):
    """The products with two constants or a factor over itself, and the sums in which something cancels."""
    found = []
    for node in walk(root):
        parts = []
        if name(node) in ("mul", "div", "neg"):
            parts = factors(node, names)
            if sum(isinstance(part, Const) for part, _ in parts) > 1:
                found.append(f"constants: {formula(node)}")
        elif name(node) in ("add", "sub"):
            parts = terms(node, names)
        signs = defaultdict(set)
        for part, count in parts:
            if not isinstance(part, Const):
                signs[part].add(count > 0)
        if any(len(both) > 1 for both in signs.values()):
            found.append(f"cancels: {formula(node)}")
    return found


@pytest.mark.parametrize("name", catalog.names())
def test_nothing_is_left_in_a_gradient_that_cancels(name):
    found = pipeline.program(pipeline.builtin(name))
    for kind in ("gradients", "pullbacks", "element_gradients", "readable_gradients"):
        names = found.loss.names if kind == "readable_gradients" else ()
        for exprs in getattr(found, kind).values():
            for expr in exprs:
                assert left_over(expr, names) == [], kind


INNER = ("t", "x", "e", "d", "e/d", "2", "0.5", "0.1", "t*x", "x^2", "e^2")
OUTER = ("({0} + {1})", "({0} - {1})", "{0}*{1}", "({0})/({1})", "({0})^2", "sqrt(1 + ({0})^2)",
         "log(1 + ({0})^2)", "exp(-({0})^2)", "abs({0})", "where(abs(e) < d, {0}, {1})", "max({0}, {1})",
         "sigmoid({0})", "tanh({0})")  # fmt: skip


def test_nothing_is_left_of_fresh_formulas(rng):
    """Of formulas that nobody wrote: a product of a constant and a quotient of 1 has two constants, which stay."""
    for _ in range(12):
        parts = [str(rng.choice(INNER)) for _ in range(8)]
        while len(parts) > 1:
            parts = [str(rng.choice(OUTER)).format(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
        found = program(f"loss f(t, x; d = 1.5)\nrequire d > 0\ne = t - x\n{parts[0]} + e")
        for kind in ("gradients", "pullbacks", "element_gradients", "readable_gradients"):
            names = found.loss.names if kind == "readable_gradients" else ()
            for expr in (one for exprs in getattr(found, kind).values() for one in exprs):
                assert [line for line in left_over(expr, names) if "1/(" not in line] == [], (parts[0], kind)


def test_the_look_sees_what_is_left():
    for text in ("2*x*3", "x/(x*t)", "x*(t/x)", "x + (t - x)", "2*x/(4*t)", "x/x^2"):
        assert left_over(read(text)), text
    for text in ("2*x/t", "x*t*x", "x + t + x", "(t - x)/(t + x)"):
        assert not left_over(read(text)), text


# --- laws ----------------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from(["1", "2", "3", "0.5", "0.1", "10", "7"])


def joined(parts):
    pairs = st.tuples(parts, st.sampled_from("+-*/"), parts)
    return st.one_of(
        pairs.map(lambda pair: f"({pair[0]} {pair[1]} {pair[2]})"),
        parts.map(lambda part: f"(-{part})"),
        parts.map(lambda part: f"{part}^2"),
        parts.map(lambda part: f"exp({part}/8)"),
    )


FORMULAS = st.recursive(st.one_of(st.sampled_from("txeuc"), NUMBERS), joined, max_leaves=14)
POINTS = (
    {"t": "0.7", "x": "-1.3", "e": "2.1", "u": "0.31", "c": "1.9"},
    {"t": "-2.2", "x": "0.4", "e": "0.11", "u": "3.7", "c": "0.6"},
)
WIDE = (
    {"t": "1e25", "x": "-3e24", "e": "2e20", "u": "1e-20", "c": "7e18"},
    {"t": "1e-25", "x": "3e-22", "e": "2e-19", "u": "1e15", "c": "7e-20"},
    {"t": "1", "x": "1.000001", "e": "1e-6", "u": "1.0000002", "c": "1"},
)


def value(expr, numbers, point):
    given = {LETTERS[letter]: filled([Fraction(text)], numbers) for letter, text in point.items()}
    return evaluate((expr,), given, numbers, {"last": 1})[expr].item(0) if expr.axes else b.exact(expr)


def is_number(found):
    return found is not None and abs(found) < 10**60


@given(FORMULAS)
def test_nothing_changes_its_value(text):
    """At 50 digits, the interpreter of formulas as they are written; for readers as well."""
    before, numbers = read(text), mp_numbers(50)
    for after in (*canonical((before,)), readable(before, (), Ranges())):
        if before.axes != after.axes:
            continue
        for point in POINTS:
            true = value(before, numbers, point)
            if is_number(true):
                found = value(after, numbers, point)
                assert abs(found - true) <= abs(true) * 10**-30 + 10**-35, (formula(before), formula(after))


@given(FORMULAS)
def test_nothing_overflows_that_did_not(text):
    """In float32, each operation rounded correctly, at inputs as large and as small as it has."""
    before, numbers, exact = read(text), float32_numbers(), mp_numbers(110)
    (after,) = canonical((before,))
    if not before.axes or after.axes != before.axes:
        return
    for point in WIDE:
        old, new, true = value(before, numbers, point), value(after, numbers, point), value(before, exact, point)
        if abs(old) <= numbers.largest and is_number(true) and abs(old - true) <= 1e-3 * abs(true):
            assert abs(new - true) <= 1e-2 * abs(true), (formula(before), formula(after), point, old, new, true)


@given(FORMULAS)
def test_nothing_that_cancels_is_left_in_any_formula(text):
    # Of numbers, for of arrays a whole that is constant, such as t*(1/t), is kept for its axes.
    (found,) = canonical((expression(text, {letter: Input(letter, frozenset()) for letter in LETTERS}),))
    assert not [line for line in left_over(found) if line.startswith("constants")], formula(found)


# --- work ----------------------------------------------------------------------------------------------------------


def chain(step, size):
    total = LETTERS["x"]
    for place in range(size):
        total = expression(step.format(place + 1), {**LETTERS, "a": total})
    return total


@pytest.mark.parametrize(
    "step",
    [
        "a*(x + {0})",
        "a + sin(x*{0})",
        "a/(t + {0})",
        "a*(x/(t + {0}))",
        "a*0.5 + {0}",
        "a*a",
        "a^2",
        "-(a - x)",
        "a + a",
        "(a + t)*(a - t)",
        "a - x/(a + {0})",
    ],
)
def test_the_work_grows_with_what_is_written(step):
    """Nodes looked at, of a chain of so many steps: a fixed number for each."""
    for size in (100, 400, 1600):
        form = Canonical()
        form((chain(step, size),))
        assert form.visits <= 60 * size, (step, size, form.visits)


def test_the_sign_of_a_long_product_is_found_without_recursion():
    long = b.neg(LETTERS["t"])
    for place in range(5000):
        long = b.call("mul", long, b.add(LETTERS["x"], b.const(place)))
    (turned,) = signs_outside((b.call("add", LETTERS["e"], long),))
    assert name(turned) == "sub"
    assert positive_part(turned.children[1]) is None


@pytest.mark.parametrize("step", ["a*(x + {0})", "a*(x/(t + {0}))", "a + sin(x*{0})", "tanh(a)", "a^2"])
def test_the_work_for_a_gradient_grows_with_what_is_written(step):
    for size in (100, 400):
        value = b.average(chain(step, size))
        form = Canonical()
        form(tuple(gradient(value, [LETTERS["x"]]).values()))
        assert form.visits <= 60 * size, (step, size, form.visits)


@pytest.mark.parametrize(
    ("condition", "where_it_holds"),
    [
        ("t/t == 1", "t"),
        ("x*t/x == t", "x"),
        ("x^2/x <= 5", "x"),
        ("t*(1/t) > 0", "t"),
        ("not (t/t != t/t)", "t"),
        ("1/t - 1/t == 0", "t"),
        ("1/t - 2/t < 9", "t"),
        ("exp(t)/exp(t) == 1", ""),
    ],
)
def test_a_condition_is_not_met_where_what_cancels_in_it_has_no_value(condition, where_it_holds):
    """In value, gradient and the gradient for readers; a divisor that is never 0 cancels."""
    loss = lossdsl.compile(f"where({condition}, 3*x, 5*x)")
    t, x = np.array([0.0, 2.0, 0.0, 2.0])[:, None], np.array([0.0, 0.0, 2.0, 2.0])[:, None]
    holds = {"t": t != 0, "x": x != 0, "": t == t}[where_it_holds]
    with np.errstate(all="ignore"):
        value, slope = loss.numpy.value_and_grad(t, x)
    np.testing.assert_array_equal(value, np.where(holds, 3 * x, 5 * x)[:, 0])
    np.testing.assert_array_equal(slope, np.where(holds, 3.0, 5.0))
    made = program(f"where({condition}, 3*x, 5*x)")
    (shown,) = made.readable_gradients[made.loss.prediction]
    assert isinstance(shown, Const) is not bool(where_it_holds), formula(shown)

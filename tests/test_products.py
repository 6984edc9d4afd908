"""Where factors are applied: along few axes first, out of sums, and never out of a choice that throws them away."""

import ast
import re

import numpy as np
import pytest

import lossdsl
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, SAMPLE
from lossdsl.ir.bounds import POSITIVE
from lossdsl.ir.expr import Input, Reduce
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.ranges import Ranges
from lossdsl.ir.text import formula
from lossdsl.transform.fewer_passes import affine_choices, doubled, shared_choices
from lossdsl.transform.language import expression
from lossdsl.transform.products import small_first
from lossdsl.transform.signs import signs_outside

# t, x, p over all axes; u, v one number a sample, g one number
LETTERS = {letter: Input(letter, SAMPLE | {LAST}) for letter in "txp"}
LETTERS |= {letter: Input(letter, SAMPLE) for letter in "uv"} | {"g": Input("g", frozenset())}
KNOWN = Ranges({LETTERS["p"]: POSITIVE})


def read(text):
    return expression(text, dict(LETTERS))


@pytest.mark.parametrize(
    "before, after",
    [
        ("u*(x - t)/v", "u/v*(x - t)"),
        ("x*u*g", "g*u*x"),
        ("x/v", "x/v"),  # a quotient is rounded once, and is one pass
        ("u*x/v - u*t/v", "u/v*(x - t)"),
        ("u*x - u", "u*(x - 1)"),
        ("u*(v*x - g*t)", "v*u*x - g*u*t"),
        ("u*(v*x - t)", "u*(v*x - t)"),  # one pass more either way
        ("-(u*x) - u*t", "-u*(x + t)"),
        ("x*p*u - x*t*u", "u*((p - t)*x)"),
        ("x*t*(p - t) + x*(x*(p*(-t)))", "(p - t - x*p)*x*t"),
        ("where(u > 0, 2 + where(u > 0, x, 1), 0)*v", "where(u > 0, 1, 0)*v*(2 + where(u > 0, x, 1))"),
        ("where(u > 0 and x > t, -where(u > 0, x, 1), 0)", "-where(u > 0, 1, 0)*where(x > t, where(u > 0, x, 1), 0)"),
        ("where(x > t, sum(x), 0)*v", "where(x > t, sum(x)*v, 0)"),
        # what may be nan or infinite where it is not selected stays inside
        ("where(u > 0, x, 0)*v", "v*where(u > 0, x, 0)"),
        ("where(u > 0 and x > t, x, 0)", "where(u > 0 and x > t, x, 0)"),
        ("where(x > t, u, 0)*v", "v*where(x > t, u, 0)"),
        ("where(u > 0, 1/x, 0)*v", "v*where(u > 0, 1/x, 0)"),
        ("where(u > 0, x*x, 0)", "where(u > 0, x*x, 0)"),
        ("where(x > 0, u*x, 0)", "where(x > 0, u*x, 0)"),
    ],
)
def test_factors_along_few_axes_meet_first(before, after):
    (found,) = small_first((read(before),), KNOWN)
    assert found is read(after), formula(found)


@pytest.mark.parametrize(
    "before, after",
    [
        ("1 - t - u - t", "2*((1 - u)/2 - t)"),
        ("t - (u - (t + g))", "2*((-u + g)/2 + t)"),
        ("t + t", "2*t"),
        ("-(t - u) - t", "2*(u/2 - t)"),
        ("u*(1 - x - (v + x))/g", "u*(2*((1 - v)/2 - x))/g"),
        # another large term, three of them, and signs that cancel stay
        ("x - t - u - t", "x - t - u - t"),
        ("u - t - t - t", "2*(u/2 - t) - t"),
        ("u - t + t", "u - t + t"),
        ("1 - u", "1 - u"),
    ],
)
def test_a_term_that_occurs_twice_is_one_pass(before, after):
    (found,) = doubled((read(before),))
    assert found is read(after), formula(found)


def test_a_sum_of_sums_of_sums_is_opened_no_deeper_than_is_quick():
    total = read("t")
    for _ in range(64):
        total = expression("a + a", {"a": total})
    assert doubled((total,))


def test_what_is_used_twice_is_worked_out_once():
    one, other = small_first((read("u*(v*x)"), read("exp(v*x)")), KNOWN)
    assert one is read("u*(v*x)"), formula(one)
    assert other is read("exp(v*x)")


def test_the_sign_of_what_is_used_twice_is_no_pass_of_its_own():
    one, other = small_first((read("sum(-(t/v)*x)"), read("-(t/v)*p")), KNOWN)
    assert one is read("-sum(t/v*x)"), formula(one)
    assert other is read("-(t/v*p)"), formula(other)


def test_what_a_choice_keeps_is_taken_from_it():
    one, other = shared_choices((read("sum(where(x > t, exp(x), 0))"), read("where(x > t, u*exp(x) + p, 0)")))
    assert one is read("sum(where(x > t, exp(x), 0))")
    assert other is read("where(x > t, u*where(x > t, exp(x), 0) + p, 0)"), formula(other)
    kept = (read("where(x > t, exp(x), 0)"), read("where(x > t, 1/exp(x), 0)"), read("where(x < t, u*exp(x), 0)"))
    assert shared_choices(kept) == kept


@pytest.mark.parametrize(
    "before, after",
    [
        ("where(u > 0, 2*t - 1, t)", "where(u > 0, 2, 1)*t + where(u > 0, -1, 0)"),
        ("where(u > 0, 1 - t, -t)", "-t + where(u > 0, 1, 0)"),
        ("where(u > 0, 2*t, x)", "where(u > 0, 2*t, x)"),
        ("where(x > 0, 2*t, t)", "where(x > 0, 2*t, t)"),
    ],
)
def test_a_choice_between_lines_is_made_once_a_sample(before, after):
    (found,) = affine_choices((read(before),))
    assert found is read(after), formula(found)


def test_a_divisor_of_zero_is_thrown_away_with_what_it_divides(rng):
    """x/sum(x) where the sum is 0: every quotient is infinite, clipped, and has the slope 0; so has the sum."""
    loss = lossdsl.load("loss f(t, x)\nsum(t*log(clip(x/sum(x), 0.1, 0.9)))")
    value, slope = loss.numpy.value_and_grad([[1.0, 1.0]], [[1.0, -1.0]])
    np.testing.assert_allclose(value, np.log(0.9) + np.log(0.1), rtol=1e-14)
    np.testing.assert_array_equal(slope, [[0.0, 0.0]])


@pytest.mark.parametrize("body", ["count(b > 0 and t >= x) + x", "any(t > x and b > 0) + x", "max(b*(x - x)) + x"])
def test_a_number_may_settle_all_that_is_summed(body):
    t, x = np.array([[1.0, 2.0]]), np.array([[0.5, 3.0]])
    source = f"loss f(t, x; b = -1.0)\n{body} + 0*t*x"
    for value in (-1.0, 1.0):
        loss = lossdsl.compile(source, b=value, reduction=None, dtype="float64")
        np.testing.assert_allclose(loss(t, x), loss.numpy(t, x), rtol=1e-14)


@pytest.mark.parametrize(
    "before, after",
    [
        ("x + -t", "x - t"),
        ("x - -t", "x + t"),
        ("-x + t", "t - x"),
        ("-x - t", "-(x + t)"),
        ("x + (-2)*t", "x - 2*t"),
        ("x + (-1)", "x - 1"),
        ("(-0.5)*x + t", "t - 0.5*x"),
        ("x*(u + -v)", "x*(u - v)"),
    ],
)
def test_a_sum_has_no_minus_sign_that_a_difference_could_have(before, after):
    (found,) = signs_outside([read(before)])
    assert formula(found) == after


def test_a_sign_leaves_what_is_summed_and_moved():
    x = LETTERS["x"]
    turned = Reduce(AGGREGATES["sum"], b.neg(x), frozenset({LAST}))
    (found,) = signs_outside([b.add(LETTERS["u"], turned)])
    assert found is b.sub(LETTERS["u"], Reduce(AGGREGATES["sum"], x, frozenset({LAST})))


@pytest.mark.parametrize("name", ["pairwise_hinge", "lambdarank", "multilabel_margin", "push_pull", "shape_iou"])
def test_compiled_gradients_add_nothing_that_is_negative(name):
    text = ast.unparse(lossdsl.load(name).program.module("numpy"))
    assert not re.search(r"[+-] -", text)

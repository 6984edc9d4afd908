"""Every rule of the stable forms, sampled: that it is true, that it gains digits, and that a wrong one never fires."""

import pytest

from lossdsl.ir.axes import NONE
from lossdsl.ir.bounds import REALS
from lossdsl.ir.build import const
from lossdsl.ir.expr import Input
from lossdsl.ir.ranges import Ranges
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import float32_numbers, mp_numbers
from lossdsl.oracle.veto import ulps
from lossdsl.transform.language import expression
from lossdsl.transform.rules import RULES, match, stable

M = mp_numbers()
TRUE = [rule for rule in RULES if not rule.wrong_at]
WRONG = [rule for rule in RULES if rule.wrong_at]
LETTERS = {letter: Input(f"?{letter}", NONE) for letter in "abc"}
NAMED = {"ids": lambda rule: rule.name}


def side(text, letters=LETTERS):
    return expression(text, dict(letters))


def valued(text, point, m, constants=""):
    """A side at a point; letters among the constants are written into it, exactly."""
    letters = {letter: const(point[letter]) if letter in constants else node for letter, node in LETTERS.items()}
    expr = side(text, letters)
    given = {LETTERS[letter]: filled(value, m) for letter, value in point.items()}
    return evaluate([expr], given, m, {})[expr].item()


def sampled(rule, rng):
    """Points that meet a rule's needs; letters that the parameters settle are in ascending order, as bounds are."""
    needs = dict(rule.needs)
    for _ in range(4000):
        point = {letter: float(rng.choice([0.01, 0.3, 1, 8]) * rng.uniform(-2, 2)) for letter in "abc"}
        ordered = sorted(point[letter] for letter in rule.constants)
        point.update(zip(rule.constants, ordered, strict=True))
        if all(needs.get(letter, REALS).contains(value) for letter, value in point.items()):
            yield point


@pytest.mark.parametrize("rule", TRUE, **NAMED)
def test_a_rule_is_true_to_50_digits(rule, rng):
    compared = 0
    exact = mp_numbers(120)  # a left side that rounds to 1 in between, as tanh does, has lost some of them
    for point in sampled(rule, rng):
        left = valued(rule.left, point, exact)
        if not M.isfinite(left):
            continue
        compared += 1
        if compared == 60:
            break
        right = valued(rule.right, point, exact)
        assert abs(left - right) <= M.mpf("1e-40") * (1 + abs(left)), (rule.name, point)
    assert compared >= 20


@pytest.mark.parametrize("rule", [rule for rule in TRUE if rule.point], **NAMED)
def test_a_rule_gains_digits_in_float32(rule):
    single = float32_numbers()
    # Letters are numbers of float32, but for constants, which the compiler sees as they were written.
    point = {letter: value if letter in rule.constants else float(single.number(value)) for letter, value in rule.point}
    true = valued(rule.left, point, mp_numbers(120), rule.constants)
    sides = (valued(text, point, single, rule.constants) for text in (rule.left, rule.right))
    before, after = (ulps(got, true, single.largest) for got in sides)
    assert after <= 4
    assert before > 16, f"{before:.3g} ulp before, {after:.3g} after"


@pytest.mark.parametrize("rule", WRONG, **NAMED)
def test_a_tempting_rule_is_wrong_where_it_says(rule):
    point = dict(rule.wrong_at)
    left, right = (valued(text, point, M) for text in (rule.left, rule.right))
    assert M.isfinite(left)
    assert not M.isfinite(right) or abs(left - right) > 0.1


@pytest.mark.parametrize("rule", WRONG, **NAMED)
def test_a_tempting_rule_never_fires(rule):
    left = side(rule.left)
    assert stable((left,), Ranges())[0] is not side(rule.right)


@pytest.mark.parametrize("rule", TRUE, **NAMED)
def test_a_rule_matches_its_own_left_side(rule):
    found = match(side(rule.left), side(rule.left))
    assert found is not None
    assert all(found[letter] is LETTERS[letter] for letter in found)


def test_names_are_told_apart():
    assert len({rule.name for rule in RULES}) == len(RULES)

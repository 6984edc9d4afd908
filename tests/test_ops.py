"""Every row of the op table, sampled: its derivative, its spellings, and what it does at a kink."""

import ast
import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from op_trial import draws, partials

from lossdsl import load
from lossdsl.ir.axes import LAST
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.expr import Call, Input
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES, OPS, function_names
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.runtime.execute import functions
from lossdsl.targets.numpy_code import HELPERS

M = mp_numbers(60)
COUNT = 24
HERE = frozenset({LAST})

# Its slope is needed by no loss: the third derivative of lgamma, for a fourth that nobody takes.
LAST_OF_ITS_KIND = {"polygamma2"}
# Their value is the small difference of larger numbers in every library; the error is one of the argument's size.
CANCELLING = {"lgamma", "log_bessel_i", "log_i0"}
# Bessel functions of any order are good to some 30 units; log_i0 is a difference near 0.
ULPS = {"log_bessel_i": 64, "log_i0": 64}
REAL_ROWS = [op for op in OPS.values() if op.arity and op.gives is Kind.REAL and set(op.takes) <= {Kind.REAL}]
SLOPED = [op for op in REAL_ROWS if any(op.derivative) and op.name != "via"]  # which is told its slope
STEPS = [op for op in REAL_ROWS if not any(op.derivative) and op.name not in LAST_OF_ITS_KIND | {"stop"}]


def drawn(op, rng):
    """Values for each argument in its sample range, in the order of the row."""
    rows = []
    for position in range(op.arity):
        interval = op.sample_of(position)
        rows.append([float(value) for value in rng.uniform(interval.low, interval.high, COUNT)])
    return rows


def at(op, rows):
    """The row's meaning at points, and at points moved along one argument."""
    return [M.apply(op.exact, op.name, tuple(map(M.number, point))) for point in zip(*rows, strict=True)]


def quotient(op, rows, position):
    """The central difference quotient in one argument."""
    step = M.mpf("1e-18")
    found = []
    for point in zip(*rows, strict=True):
        ahead, behind = ([M.number(value) for value in point] for _ in range(2))
        ahead[position] += step
        behind[position] -= step
        values = [M.apply(op.exact, op.name, tuple(args)) for args in (ahead, behind)]
        found.append((values[0] - values[1]) / (2 * step))
    return found


@pytest.mark.parametrize("op", SLOPED, ids=lambda op: op.name)
def test_the_derivative_is_that_of_the_meaning(op, rng):
    rows = drawn(op, rng)
    leaves = [Input(letter, HERE) for letter in op.args]
    given = {leaf: filled(row, M) for leaf, row in zip(leaves, rows, strict=True)}
    assert len(op.derivative) == op.arity
    for position, slope in enumerate(partials(Call(op, tuple(leaves)))):
        if op.has_no_slope(position):
            continue
        expected = quotient(op, rows, position)
        found = M.mpf(0) if slope is None else evaluate([slope], given, M, {"last": COUNT})[slope]
        got = np.broadcast_to(found, (COUNT,)).tolist()
        for ours, theirs, point in zip(got, expected, zip(*rows, strict=True), strict=True):
            assert abs(ours - theirs) <= M.mpf("1e-25") * (1 + abs(theirs)), (op.name, op.args[position], point)


@pytest.mark.parametrize("op", STEPS, ids=lambda op: op.name)
def test_a_row_without_derivative_is_flat(op, rng):
    rows = drawn(op, rng)
    for position in range(op.arity):
        assert all(slope == 0 for slope in quotient(op, rows, position))


SPELLED = [(op, target) for op in REAL_ROWS for target in ("numpy", "python") if target in op.spelling]


@pytest.mark.parametrize("op, target", SPELLED, ids=lambda item: getattr(item, "name", item))
def test_a_spelling_has_the_value_of_the_meaning(op, target, rng):
    rows = drawn(op, rng)
    head = "import math\nimport numpy as np\nfrom scipy import special\n" + "\n".join(HELPERS.values())
    text = f"{head}\ndef spelled({', '.join(op.args)}):\n    return {op.spelling[target]}"
    spelled = functions(ast.parse(text), op.name)["spelled"]
    points = list(zip(*rows, strict=True))
    got = [spelled(*point) for point in points] if target == "python" else spelled(*map(np.array, rows))
    for one, exact, point in zip(got, at(op, rows), points, strict=True):
        size = max(abs(float(exact)), 0.1, *(point if op.name in CANCELLING else ()))
        assert abs(M.mpf(float(one)) - exact) <= ULPS.get(op.name, 16) * math.ulp(size), (op.name, point)


@pytest.mark.parametrize("op", REAL_ROWS, ids=lambda op: op.name)
def test_values_lie_in_the_bounds(op):
    """Of arguments all over the domain, each in an interval that holds it: wide, narrow, open, without an end."""
    random, m = Random(f"bounds {op.name}"), mp_numbers(200)
    for point in draws(op, "float64")[::3]:
        box = [_around(Fraction(value), random) for value in point]
        value = m.apply(op.exact, op.name, tuple(map(m.number, point)))
        image, slack = op.image(*box), abs(value) * m.mpf(10) ** -50
        for end, is_open, sign in ((image.low, image.low_open, 1), (image.high, image.high_open, -1)):
            beyond = sign * (m.number(end) - value) if math.isfinite(end) else -1
            # Elsewhere mpmath may have rounded to an end that is not taken.
            assert beyond < 0 or (beyond <= slack and not (is_open and op.is_exact)), (point, box, image)


def _around(value, random):
    """An interval with a number in it."""
    below, above = (random.choice((0, Fraction(1, 2**20), 1, 40)) for _ in range(2))
    ends = value - below, value + above
    low, high = (end if random.random() < 0.8 else sign * math.inf for end, sign in zip(ends, (-1, 1), strict=True))
    return Bounds(low, high, low < value and random.random() < 0.5, high > value and random.random() < 0.5)


@pytest.mark.parametrize(
    "body, x, slope",
    [
        ("abs(x)", 0.0, 0.0),
        ("sign(x)", 0.0, 0.0),
        ("relu(x)", 0.0, 0.0),
        ("where(x >= 0, x, 0)", 0.0, 1.0),
        ("where(x > 0, x, 0)", 0.0, 0.0),
        ("max(x, 0)", 0.0, 1.0),
        ("max(0, x)", 0.0, 0.0),
        ("max(x, -x)", 0.0, 1.0),
        ("min(x, -x)", 0.0, 1.0),
        ("min(-x, x)", 0.0, -1.0),
        ("clip(x, 0, 1)", 0.0, 1.0),
        ("clip(x, 0, 1)", 1.0, 1.0),
        ("stop(x)*x", 3.0, 3.0),
        ("norm(x)", 0.0, 0.0),
        ("floor(x)", 2.0, 0.0),
    ],
)
def test_slopes_at_kinks(body, x, slope):
    assert load(f"loss f(x)\n{body}").numpy.grad([x]).tolist() == [slope]


@pytest.mark.parametrize("body", ["max(x)", "min(x)", "sort(x)[0]"])
def test_ties_in_aggregates_go_to_the_first(body):
    assert load(f"loss f(x)\n{body}").numpy.grad([2.0, 2.0, 2.0]).tolist() == [1.0, 0.0, 0.0]


def test_every_row_is_told_apart_and_documented():
    assert not set(OPS) & set(AGGREGATES) - {"max", "min"}
    assert all(row.doc for row in (*OPS.values(), *AGGREGATES.values()))
    assert {"abs", "softmax", "pi", "where"} <= set(function_names())
    assert all(len(op.derivative) in (0, op.arity) and len(op.safe) in (0, op.arity) for op in OPS.values())


@pytest.mark.parametrize("op", [op for op in REAL_ROWS if op.arity == 1], ids=lambda op: op.name)
def test_a_function_has_the_parity_that_its_row_states(op):
    domain, meaning = op.defined_of(0), M.meaning(op)
    points = [place / 7 for place in (1, 2, 3, 5, 8) if domain.contains(place / 7) and domain.contains(-place / 7)]
    pairs = [(meaning(M.number(one)), meaning(M.number(-one))) for one in points]
    finite = [pair for pair in pairs if all(map(M.isfinite, pair))]
    same, opposite = (
        len(finite) > 1 and all(abs(one - sign * other) <= M.mpf("1e-40") * (1 + abs(one)) for one, other in finite)
        for sign in (1, -1)
    )
    assert op.trait.parity == same - opposite


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.turned or op.signs], ids=lambda op: op.name)
def test_comparisons_and_sums_are_what_their_rows_state(op, rng):
    for one, other in [(0, 0), (1, 1), *((int(a), int(b)) for a, b in rng.integers(-3, 4, (20, 2)))]:
        if op.signs:
            args = (M.number(one), M.number(other))[: op.arity]
            assert M.meaning(op)(*args) == sum(sign * arg for sign, arg in zip(op.signs, args, strict=True))
        else:
            held = [M.meaning(OPS[op.name])(one, other), M.meaning(OPS[op.turned])(other, one)]
            assert held[0] == held[1] != M.meaning(OPS[op.opposite])(one, other)

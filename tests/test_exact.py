"""Expressions over exact numbers: tables by hand, then the law that 50 digits and float64 agree."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from shipped import THOROUGH

from lossdsl import load, pipeline
from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH, LAST, SPACE, Axis, ordered
from lossdsl.ir.expr import Gather, Input, Length, Param, Position, Reduce, Rename, Slice, Unslice
from lossdsl.ir.ops import AGGREGATES
from lossdsl.ir.ranges import ranges
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import Beyond, float32_numbers, mp_numbers
from lossdsl.oracle.points import points
from lossdsl.oracle.sympy_numbers import SympyNumbers
from lossdsl.source import Source

M = mp_numbers()
ROW = Input("x", frozenset({BATCH, LAST}))
SHORT = Axis("last", "last", 0, 1)
VALUES = [[3, 1, 2], [0, -1, 5]]
SIZES = {"batch": 2, "space": 1, "last": 3}


def plain(array):
    """Nested lists of floats."""
    return np.frompyfunc(float, 1, 1)(array).tolist() if np.ndim(array) else float(array.item())


def worked_out(expr, m=M):
    return plain(evaluate([expr], {ROW: filled(VALUES, m)}, m, SIZES)[expr])


def formula(body):
    """The value of a formula before its final average, where x is VALUES as a batch with one place."""
    loss = pipeline.program(pipeline.parsed(Source(f"loss f(x)\n{body}"))).loss
    given = {loss.prediction.nodes[0]: filled(np.array(VALUES)[:, None, :], M)}
    return plain(evaluate([loss.value], given, M, SIZES)[loss.value])


J = Axis("j", "batch", 1)


@pytest.mark.parametrize(
    "expr, expected",
    [
        (b.add(ROW, b.ONE), [[4, 2, 3], [1, 0, 6]]),
        (b.total(ROW, frozenset({LAST})), [6, 4]),
        (b.total(ROW, frozenset({BATCH})), [3, 0, 7]),
        (Reduce(AGGREGATES["mean"], ROW, frozenset({BATCH, LAST})), 10 / 6),
        (Position(LAST), [0, 1, 2]),
        (Length(ROW, frozenset({LAST, BATCH})), 6),
        (Slice(ROW, LAST, SHORT, 1), [[1, 2], [-1, 5]]),
        (Slice(ROW, LAST, SHORT, 0), [[3, 1], [0, -1]]),
        (Unslice(Slice(ROW, LAST, SHORT, 1), ROW, SHORT, LAST, 1), [[0, 1, 2], [0, -1, 5]]),
        (Gather(ROW, LAST, b.ZERO), [3, 0]),
        (Gather(ROW, LAST, b.const(-1)), [2, 5]),
        (Gather(ROW, LAST, b.const(7)), [2, 5]),  # held inside the range
        (Gather(ROW, LAST, Position(LAST)), VALUES),
        (Gather(ROW, BATCH, b.ONE), [0, -1, 5]),
        (Rename(ROW, BATCH, J), VALUES),
        (b.total(b.sub(ROW, Rename(ROW, BATCH, J)), frozenset({J})), [[3, 2, -3], [-3, -2, 3]]),
        (Rename(b.mul(ROW, Rename(ROW, BATCH, J)), J, BATCH), [[9, 1, 4], [0, 1, 25]]),  # the diagonal
    ],
    ids=str,
)
def test_nodes_by_hand(expr, expected):
    assert worked_out(expr) == expected


@pytest.mark.parametrize(
    "body, expected",
    [
        ("cumsum(x)", [[[3, 4, 6]], [[0, -1, 4]]]),
        ("sort(x)", [[[1, 2, 3]], [[-1, 0, 5]]]),
        ("sort(x, -x)", [[[3, 2, 1]], [[5, 0, -1]]]),
        ("rank(x)", [[[1, 3, 2]], [[2, 3, 1]]]),
        ("argmax(x)", [[0], [2]]),
        ("max(x) - min(x)", [[2], [6]]),
        ("prod(x)", [[6], [0]]),
        ("sum[j](x[j]*j)", [[5], [9]]),
        ("sum[j in batch if j != self](x[j])", [[[0, -1, 5]], [[3, 1, 2]]]),
        ("where(any(x < 0), 1, 0)", [[0], [1]]),
        ("max[j if x[j] > 100](x[j])", [[-math.inf], [-math.inf]]),
    ],
)
def test_aggregates_by_hand(body, expected):
    assert formula(body) == expected


def test_a_tie_in_rank_goes_to_the_first():
    node = pipeline.program(pipeline.parsed(Source("loss f(x)\nrank(x)"))).loss.value
    x = next(iter(node.children))
    found = evaluate([node], {x: filled([[[2, 2, 1]]], M)}, M, SIZES)[node]
    assert plain(found) == [[[1, 2, 3]]]


@pytest.mark.parametrize("name", THOROUGH)
def test_fifty_digits_and_float64_agree(name):
    loss = load(name).program.loss
    for point in points(loss, ranges(loss), 2):
        exact = evaluate([loss.result], point.given(M), M, point.sizes)[loss.result]
        arrays = {}
        for one in loss.inputs:
            parts = [point.values[node].astype(float) for node in one.nodes]
            whole = np.concatenate(parts, axis=-1)
            arrays[one.identifier] = whole[:, 0] if SPACE in one.over else whole  # there is one place only
        free = [spec for spec in loss.parameters if spec.name not in loss.settled]
        parameters = {spec.name: point.values[spec.node].astype(float).tolist() for spec in free}
        got = load(name, **parameters).numpy(**arrays)
        np.testing.assert_allclose(got, np.squeeze(plain(exact)), rtol=1e-12, atol=1e-14)


def test_mpmath_elsewhere_keeps_its_own_digits():
    before = mpmath.mp.dps
    assert str(mp_numbers().power(2, mp_numbers().ratio(1, 2)))[:40] == "1.41421356237309504880168872420969807856"
    assert mpmath.mp.dps == before


@pytest.mark.parametrize(
    "op, args, expected",
    [
        ("div", (1, 0), math.inf),
        ("div", (-1, 0), -math.inf),
        ("div", (0, 0), math.nan),
        ("log", (0,), -math.inf),
        ("log", (-1,), math.nan),
        ("sqrt", (-1,), math.nan),
        ("pow", (-1, Fraction(1, 2)), math.nan),
        ("xlogy", (0, 0), 0.0),
        ("round", (Fraction(5, 2),), 2.0),
        ("digamma", (0,), math.nan),
    ],
)
def test_edges_are_those_of_floating_point(op, args, expected):
    found = float(M.apply(b.OPS[op].exact, op, tuple(M.number(arg) for arg in args)))
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_ideal_float32_is_numpys_rounding(rng):
    single = float32_numbers()
    values = rng.choice([-1, 1], 2000) * 10.0 ** rng.uniform(-47, 40, 2000)
    with np.errstate(over="ignore", under="ignore"):
        expected = values.astype(np.float32).astype(float)
    assert [float(single.number(float(value))) for value in values] == expected.tolist()


def test_ideal_float32_rounds_every_operation():
    tiny = Param("a")
    expr = b.sub(b.add(b.ONE, tiny), b.ONE)
    single = float32_numbers()
    assert plain(evaluate([expr], {tiny: filled(1e-9, single)}, single, {})[expr]) == 0.0
    assert float(evaluate([expr], {tiny: filled(1e-9, M)}, M, {})[expr].item()) == pytest.approx(1e-9, rel=1e-12)


def test_sympy_sees_the_same_meaning():
    import sympy

    m = SympyNumbers()
    x, y = sympy.symbols("x y", real=True)
    expr = b.total(b.power(ROW, b.TWO), frozenset({LAST}))
    array = np.array([[x, y, x + y]], dtype=object)
    assert sympy.expand(evaluate([expr], {ROW: array}, m, SIZES)[expr].item()) == 2 * x**2 + 2 * x * y + 2 * y**2
    with pytest.raises(Beyond):
        evaluate([b.call("floor", ROW)], {ROW: array}, m, SIZES)


def test_arrays_lie_in_the_order_of_their_axes():
    expr = b.mul(Rename(ROW, BATCH, J), ROW)
    assert [axis.name for axis in ordered(expr.axes)] == ["batch", "j", "last"]
    assert np.shape(worked_out(expr)) == (2, 2, 3)


def test_powers_with_exponents_of_any_size():
    m = mp_numbers()
    far = m.mpf("1e300")
    assert m.isnan(m.power(m.mpf(2), m.nan))
    assert m.isnan(m.power(m.nan, far))
    assert [m.power(m.mpf(base), far) for base in ("2", "0.5", "1", "-1", "0")] == [m.inf, 0, 1, 1, 0]
    assert [m.power(m.mpf(base), -far) for base in ("2", "0.5", "1")] == [0, m.inf, 1]
    assert m.power(m.mpf(2), m.mpf(10)) == 1024

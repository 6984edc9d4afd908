"""Random well-formed formulas: text and back, target against target, gradient against automatic differentiation.

The formulas are made as text from the op table, so that a new row is tried from the day it is there. An argument that
must lie in an interval is brought there by a function that maps all reals into it.
"""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl.frontend.parse import parse
from lossdsl.frontend.resolve import resolve
from lossdsl.ir import build as b
from lossdsl.ir.expr import Along, Call, Expr, Reduce, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import NO_SLOPE, Kind, Op
from lossdsl.ir.ops import OPS
from lossdsl.ir.ranges import ranges
from lossdsl.ir.text import definitions, formula
from lossdsl.oracle.interpreter import evaluate, filled, met
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.runtime.execute import functions
from lossdsl.source import Source
from lossdsl.targets import code
from lossdsl.transform.guard import guarded
from lossdsl.transform.lower import lowered

HEADER = "loss random(t, x; a = 0.75, b = 1.5)"
SHAPE = (2, 3)

# --- formulas as text ---------------------------------------------------------------------------------------------

FUNCTIONS = [op for op in OPS.values() if op.public and not op.infix and op.arity > 0 and op.gives is Kind.REAL
             and NO_SLOPE not in op.derivative
             and op.name not in ("where", "stop", "max", "min")]  # fmt: skip
ONE_NUMBER = ("sum", "mean", "max", "min", "prod", "logsumexp", "norm", "var", "std")
ALONG = ("softmax", "log_softmax", "normalize", "cumsum", "sort")


def applied(op: Op, arguments: list[str]) -> str:
    return f"{op.name}({', '.join(within(op, place, text) for place, text in enumerate(arguments))})"


def within(op: Op, place: int, text: str) -> str:
    """The argument, brought to the interval from which tests draw it."""
    interval = op.sample_of(place)
    return f"({interval.low} + {interval.high - interval.low}*sigmoid({text}))"


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    conditions = st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["<", "<=", ">", ">="]), inner),
        st.builds("{} < {} <= {}".format, inner, inner, inner),
        st.builds("not ({} < {} or {} > 0) and {} >= {}".format, inner, inner, inner, inner, inner),
        st.builds("any({} > {})".format, inner, inner),
    )
    return st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({})/(1 + abs({}))".format, inner, inner),
        st.builds("-({})^{}".format, inner, st.sampled_from(["2", "3", "1"])),
        st.builds(
            "(0.1 + abs({}))^({})".format, inner, st.sampled_from(["0.5", "-1", "a", "b", "1.5", "-0.5", "sigmoid(t)"])
        ),
        st.one_of(
            *(st.builds(lambda *given, op=op: applied(op, list(given)), *[inner] * op.arity) for op in FUNCTIONS)
        ),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), inner, inner),
        st.builds("clip({}, -a, b)".format, inner),
        st.builds("where({}, {}, {})".format, conditions, inner, inner),
        st.builds("cases({}: {}, {}: {}, else: {})".format, conditions, inner, conditions, inner, inner),
        st.builds("({})*({})".format, conditions, inner),
        st.builds("{}({})".format, st.sampled_from(ONE_NUMBER), inner),
        st.builds("{}({})".format, st.sampled_from(ALONG), inner),
        st.builds("count({})/len(x)*({})".format, conditions, inner),
    )


def bodies(leaves: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(st.sampled_from(leaves), larger, max_leaves=6)


LEAVES = ["t", "x", "x", "t - x", "a", "b", "0.5", "2", "1.25"]
FIRST, SECOND = bodies(LEAVES), bodies([*LEAVES, "u", "u"])


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A file: a definition, and a formula in which it may be used."""
    return f"{HEADER}\nu = {draw(FIRST)}\n({draw(SECOND)}) + 0.5*(x - t)^2"


@functools.lru_cache(maxsize=64)
def resolved(source: str) -> Loss:
    return resolve(parse(Source(source)))


# --- what is held -------------------------------------------------------------------------------------------------

tried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@settings(tried, max_examples=150)
@given(sources())
def test_a_formula_printed_and_read_again_is_the_same(source: str) -> None:
    """Nodes are interned: the same value is the same object."""
    loss = resolved(source)
    assume("position[" not in formula(loss.value))  # a number spread along an axis has no spelling
    value = from_the_left(loss.value)
    assert from_the_left(resolved(f"{HEADER}\n{formula(loss.value)}").value) is value
    lines = "\n".join(definitions(loss.value))
    assert from_the_left(resolved(f"{HEADER}\n{lines}").value) is value


def test_a_class_compared_with_1_is_a_condition_and_no_number() -> None:
    value = resolved("loss f(t: label, x)\nsum(where(onehot(t) == 1, x, 0))").value
    assert not any(isinstance(node, Call) and node.op.name == "truth" for node in walk(value))


def from_the_left(expr: Expr) -> Expr:
    """Products of products, which are printed flat, as the language reads them then."""

    def change(node: Expr) -> Expr:
        if isinstance(node, Call) and node.op.name in ("mul", "and", "or"):
            first, last = node.args
            if isinstance(last, Call) and last.op is node.op:
                return change(Call(node.op, (change(Call(node.op, (first, last.args[0]))), last.args[1])))
        return node

    return b.mapped((expr,), change)[0]


@pytest.mark.parametrize("text", ["t + (x + a)", "t + (t - x)", "(t - x) + (a + x)", "t - (x - a)", "t*(x/a)"])
def test_the_order_of_sums_is_printed(text: str) -> None:
    value = resolved(f"{HEADER}\n{text}").value
    assert resolved(f"{HEADER}\n{formula(value)}").value is value


@pytest.mark.parametrize(
    "body",
    [
        "sum(onehot(t)*x)",
        "sum(where(onehot(t) == 1, x, -x)) + sum(onehot(t))^2",
        "sum(where(onehot(t) == 1 and x > 0, onehot(t), onehot(t) - x))",
        "max(x*(1 - onehot(t + 1))) - sum(where(not onehot(t) == 1, x, 0))",
    ],
)
def test_a_class_is_printed_as_the_language_has_it(body: str) -> None:
    header = "loss f(t: label, x)"
    loss = resolved(f"{header}\n{body}")
    lines = "\n".join(definitions(loss.value))
    assert "position" not in lines
    for text in (formula(loss.value), lines):
        assert resolved(f"{header}\n{text}").value is loss.value


@settings(tried, max_examples=60)
@given(sources(), st.integers(0, 10_000))
def test_value_and_gradient_of_a_formula(source: str, seed: int) -> None:
    """numpy against TensorFlow, both against 50 digits; the gradient against the plain formula's own derivative.

    All in float64. The yardstick is the largest number that the formula meets on the way, of which each step may lose a
    few units in the last place: 1e-11 of it for a value, 1e-9 for a gradient, which divides where the value does not.
    """
    import tensorflow as tf

    loss = resolved(source)
    rng = np.random.default_rng(seed)
    t, x = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    true, size = exactly(loss, t, x)
    spec = lossdsl.load(source)
    value, slope = spec.numpy.value_and_grad(t, x)
    np.testing.assert_allclose(value, true, rtol=1e-11, atol=1e-11 * size)

    compiled = lossdsl.compile(source, dtype="float64")
    found, gradient = differentiated(compiled.call, tf.constant(t), tf.constant(x))
    np.testing.assert_allclose(found, value, rtol=1e-11, atol=1e-11 * size)
    plain_value, plain_slope = differentiated(plain(loss), tf.constant(t), tf.constant(x))
    np.testing.assert_allclose(plain_value, true, rtol=1e-9, atol=1e-9 * size)
    steep = max(size, float(np.max(np.abs(plain_slope))))
    np.testing.assert_allclose(slope, plain_slope, rtol=1e-8, atol=1e-9 * steep)
    np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-9 * steep)


def differentiated(function: Any, t: Any, x: Any) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(t, x)
    return value.numpy(), tape.gradient(value, x, unconnected_gradients="zero").numpy()


def plain(loss: Loss) -> Any:
    """The formula as it was written, in TensorFlow, without stable forms and without our gradient."""
    (value,) = guarded(lowered((loss.result,)), ranges(loss))
    module = code.module([code.value_function(loss, value, "tensorflow")], "tensorflow")
    function = functions(module, "plain")["value"]
    return lambda t, x: function(t, x, *(parameter.default for parameter in loss.parameters))


def exactly(loss: Loss, t: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float]:
    """The value to 50 digits, and the size of the largest number on the way. No point near a join is let through."""
    m = mp_numbers()
    leaves: dict[Expr, Any] = {spec.nodes[0]: filled(array, m) for spec, array in zip(loss.inputs, (t, x), strict=True)}
    leaves.update({parameter.node: filled(parameter.default, m) for parameter in loss.parameters})
    sizes = {"batch": SHAPE[0], "space": 1, "last": SHAPE[1]}
    spread = {node: array[:, None, :] if array.ndim == 2 else array for node, array in leaves.items()}
    done = evaluate([loss.result], spread, m, sizes)
    size = 1.0
    for node in walk(loss.result):
        if node.kind is Kind.REAL:
            numbers = np.abs(np.asarray(done[node], dtype=float))
            assume(np.all(np.isfinite(numbers)))
            size = max(size, float(np.max(numbers)))
        assume(not on_a_join(node, done))
    assume(size < 1e6)
    return done[loss.result].astype(float)[:, 0], size


CLOSE = 1e-6


def on_a_join(node: Expr, done: dict[Expr, Any]) -> bool:
    """Whether a number on the way lies so near to a join that rounding might choose the other piece."""
    distance: Any = np.inf
    if isinstance(node, Call):
        numbers = [met(done[arg], arg.axes, node.axes) for arg in node.args if arg.kind is not Kind.BOOL]
        match node.op.name:
            case "lt" | "le" | "gt" | "ge" | "max" | "min" | "eq" | "ne":
                distance = numbers[0] - numbers[1]
            case "abs" | "sign" | "relu" | "cbrt":
                distance = numbers[0]
            case "floor" | "ceil" | "round" | "mod":
                halves = np.asarray(2 * numbers[0] / (numbers[1] if node.op.arity == 2 else 1), dtype=float)
                distance = halves - np.round(halves)
    elif isinstance(node, Reduce) and node.op.name in ("max", "min"):
        distance = np.diff(np.sort(done[node.arg].astype(float), -1), axis=-1)
    elif isinstance(node, Along) and node.op.name in ("sort", "unsort", "rank"):
        distance = np.diff(np.sort(done[node.args[-1]].astype(float), -1), axis=-1)
    return bool(np.any(np.abs(np.asarray(distance, dtype=float)) < CLOSE))

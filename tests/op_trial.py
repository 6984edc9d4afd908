"""Every row of the op table on a target, value and slope, over its whole domain: python tests/op_trial.py TARGET.

The truth is mpmath's, of the row's exact meaning; that of a slope, of its text, which `test_ops.py` compares with
difference quotients. Errors are in units in the last place of the true value, or of the row's `scale`. What underflows
is 0 on some machines and not on others: so no argument, sum or difference of arguments is below the smallest normal
number, and an error is none below that number times four times the largest argument or reciprocal of one, by which what
underflowed may have been multiplied. A truth beyond the format's range is not judged; one within it must be met by a
finite result.
"""

from __future__ import annotations

import ast
import math
import os
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Call, Expr, Input
from lossdsl.ir.op import DOUBLE, Kind, Op
from lossdsl.ir.ops import OPS
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.runtime.execute import functions
from lossdsl.targets import code, target_module
from lossdsl.targets.template import assign, defined, fill, name
from lossdsl.transform.choices import masks
from lossdsl.transform.flow import Flow
from lossdsl.transform.language import expression
from lossdsl.transform.slopes import slopes_of

HERE = frozenset({BATCH})
POINTS = 100
DIGITS = {"float32": 150, "float64": 360}
SIZES = {"float32": (-36, 36), "float64": (-60, 60)}


def leaves_of(op: Op) -> tuple[tuple[Input, ...], tuple[Expr, ...]]:
    """An input for each argument, and what the operation is applied to: conditions are made from the input's sign."""
    inputs, args = [], []
    for position, letter in enumerate(op.args):
        kind = op.takes[position] if op.takes else Kind.REAL
        leaf = Input(letter, HERE, kind is Kind.INT)
        inputs.append(leaf)
        args.append(b.call("gt", leaf, b.ZERO) if kind is Kind.BOOL else leaf)
    return tuple(inputs), tuple(args)


def partials(root: Call) -> list[Expr | None]:
    """The slopes of one operation in its arguments."""
    return slopes_of(root, Flow(root, frozenset(root.args), masks(root)))


# --- points -------------------------------------------------------------------------------------------------------


def draws(op: Op, kind: str) -> list[tuple[float, ...]]:
    """Points of the row's domain, each a number of the format."""
    seed = os.environ.get("LOSSDSL_SEED", "")
    random, found = Random(f"{op.name} {kind}{seed}"), list[tuple[float, ...]]()
    single = np.dtype(kind).type
    holds = _condition(op)
    tries = 0
    while len(found) < POINTS * max(op.arity, 1) and tries < 100 * POINTS:
        tries += 1
        point, base = list[float](), None
        for position in range(op.arity):
            value = _value(op, position, kind, random)
            if base is not None and random.random() < 0.3:  # arguments near one another
                value = base * (1 + random.choice((-1, 1)) * 10 ** random.uniform(-6, 0))
            base = value
            if op.takes and op.takes[position] is Kind.INT:
                value = max(-1e6, min(1e6, value)) // 1
            point.append(float(single(value)))
        inside = all(_inside(op, i, value) for i, value in enumerate(point))
        if inside and holds(point) and not _underflows(tuple(point), kind):
            found.append(tuple(point))
    assert len(found) >= POINTS / 2 or not op.arity, f"too few points for {op.name}"
    return found


def _value(op: Op, position: int, kind: str, random: Random) -> float:
    """One argument: of any size, of everyday size, or near an end of the domain, 0, 1 or another number of note."""
    low, high = SIZES[kind]
    domain = op.defined_of(position)
    ends = [end for end in (domain.low, domain.high) if math.isfinite(end)]
    sign = random.choice((-1, 1))
    style = random.randrange(6)
    if style == 0:
        return sign * 10 ** random.uniform(low, high)
    if style == 1:
        return sign * 10 ** random.uniform(-3, 3)
    if style == 2 and ends:
        return random.choice(ends) + sign * 10 ** random.uniform(-7, 0)
    if style == 3:
        return random.choice((-2, -1, 1, 2, 3, math.pi / 2, 88, 0.5)) + sign * 10 ** random.uniform(-7, -1)
    if style == 4 and len(ends) == 2:
        return random.uniform(*ends)
    return random.uniform(-20, 20)


def _inside(op: Op, position: int, value: float) -> bool:
    return op.defined_of(position).contains(value) and math.isfinite(value)


def _underflows(point: tuple[float, ...], kind: str) -> bool:
    """Whether an argument, or a sum or difference of two, is too small for a normal number."""
    together = [abs(a + sign * b) for a in point for b in point for sign in (1, -1) if a is not b]
    return any(0 < size < float(np.finfo(kind).tiny) for size in (*map(abs, point), *together))


def _condition(op: Op) -> Callable[[list[float]], bool]:
    if not op.holds:
        return lambda _: True
    m = mp_numbers(60)
    leaves = {letter: Input(letter, frozenset()) for letter in op.args}
    expr = expression(op.holds, dict(leaves))

    def holds(point: list[float]) -> bool:
        given = {leaf: filled(value, m) for leaf, value in zip(leaves.values(), point, strict=True)}
        return bool(evaluate([expr], given, m, {})[expr].item())

    return holds


# --- running ------------------------------------------------------------------------------------------------------


def compiled(target: str, inputs: tuple[Input, ...], root: Expr) -> Callable[..., Any]:
    """A function of the arguments as the target's printer writes it."""
    printer = target_module(target).PRINTER((root,), {leaf.name: leaf.name for leaf in inputs})
    (tree,) = printer.print()
    body = [*printer.body]
    body.insert(0, assign("dtype", printer.dtype_of(name(inputs[0].name))))
    if target == "torch":
        body.insert(0, assign("device", fill("a.device", a=name(inputs[0].name))))
    function = defined("value", [leaf.name for leaf in inputs], [*body, ast.Return(tree)])
    made = code.module([code.Function(function, frozenset(printer.helpers))], target)
    return functions(made, f"{target} row")["value"]


def runs(target: str, function: Callable[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The ways in which a target runs code, over numpy's arrays."""
    if target == "numpy":
        yield "numpy", function
    elif target == "tensorflow":
        import tensorflow as tf

        yield "eager", lambda *args: np.asarray(function(*map(tf.constant, args)))
        graph = tf.function(function, jit_compile=True)
        yield "XLA", lambda *args: np.asarray(graph(*map(tf.constant, args)))
    elif target == "jax":
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        yield "eager", lambda *args: np.asarray(function(*map(jnp.asarray, args)))
        yield "jit", lambda *args: np.asarray(jax.jit(function)(*map(jnp.asarray, args)))
    elif target == "torch":
        import torch

        yield "eager", lambda *args: np.asarray(function(*map(torch.from_numpy, args)))
    elif target == "keras":
        from keras import ops

        yield "keras", lambda *args: np.asarray(ops.convert_to_numpy(function(*map(ops.convert_to_tensor, args))))


# --- judging ------------------------------------------------------------------------------------------------------


def ulps(got: float, true: Any, kind: str, scale: float = 0.0, reach: float = 1.0) -> float:
    """The error in units in the last place of the truth, or of `scale` where that is larger."""
    info = np.finfo(kind)
    size = abs(true)
    if not size <= float(info.max):  # beyond the range, or no number
        return 0.0
    if not math.isfinite(got):
        return math.inf
    m = mp_numbers(60)
    error = abs(m.mpf(got) - true)
    if error <= float(info.tiny) * reach:
        return 0.0
    unit = np.spacing(np.dtype(kind).type(max(float(size), scale, float(info.tiny))))
    return float(error / m.mpf(float(unit)))


@lru_cache(4)
def truths(op: Op, kind: str) -> tuple[list[tuple[float, ...]], dict[str, tuple[Expr, list[Any]]]]:
    """Points, and of the value and of the slope in each argument the expression and its exact values there."""
    inputs, args = leaves_of(op)
    root = Call(op, args)
    parts: dict[str, Expr] = {"value": root}
    if op.gives is Kind.REAL and op.ulps[DOUBLE][1] < math.inf:
        for letter, slope in zip(op.args, partials(root), strict=True):
            if slope is not None and slope.axes:
                parts[letter] = slope
    points = draws(op, kind)
    m = mp_numbers(DIGITS[kind])
    columns = zip(*points, strict=True)
    given = {leaf: filled([Fraction(v) for v in column], m) for leaf, column in zip(inputs, columns, strict=True)}
    found = {}
    for part, expr in parts.items():
        done = evaluate([expr], given, m, {"batch": len(points)})[expr]
        found[part] = expr, np.broadcast_to(done, (len(points),)).tolist()
    return points, found


def measured(op: Op, target: str, kind: str) -> Iterator[tuple[str, str, float, tuple[float, ...]]]:
    """For the value and the slope in each argument, and each way to run it: the worst error, and where."""
    inputs, _ = leaves_of(op)
    points, parts = truths(op, kind)
    arrays = [
        np.array(column, dtype="int32" if leaf.whole else kind)
        for leaf, column in zip(inputs, zip(*points, strict=True), strict=True)
    ]
    for part, (expr, truth) in parts.items():
        function = compiled(target, inputs, expr)
        for way, run in runs(target, function):
            with np.errstate(all="ignore"):
                got = np.broadcast_to(np.asarray(run(*arrays)), (len(points),)).tolist()
            errors = [error_at(op, part, kind, *one) for one in zip(got, truth, points, strict=True)]
            worst = max(range(len(points)), key=lambda place: errors[place])
            yield part, way, errors[worst], points[worst]


def error_at(op: Op, part: str, kind: str, got: Any, true: Any, point: tuple[float, ...]) -> float:
    """The error of a value or slope at a point."""
    if isinstance(true, bool):
        return 0.0 if got == true else math.inf
    sizes = [abs(value) for value in point if value]
    reach = 4 * max(1.0, *sizes, *(1 / size for size in sizes)) if sizes else 1.0
    return ulps(float(got), true, kind, op.scale(*point) if op.scale and part == "value" else 0.0, reach)


def main() -> int:
    """Prints what is measured: TARGET [float32,float64 [NAMES]]."""
    target, kinds, names = (*sys.argv[1:], *("", "float32", ",".join(OPS))[len(sys.argv) - 1 :])
    for op in (OPS[word] for word in names.split(",") if OPS[word].arity):
        for kind in kinds.split(","):
            found = measured(op, target, kind)
            texts = [
                f"{part}/{way} {worst:.3g} at {', '.join(f'{v:.6g}' for v in place)}"
                for part, way, worst, place in found
            ]
            print(f"{op.name:18} {kind} {' | '.join(texts)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

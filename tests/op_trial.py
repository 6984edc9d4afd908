"""Every row of the op table on a target, value and slope, over its whole domain: python tests/op_trial.py TARGET.

The truth is mpmath's, of the row's exact meaning; that of a slope, of its text, which `test_ops.py` compares with
difference quotients. Errors are in units in the last place of the true value, or of the row's `scale`. What underflows
is 0 on some machines and not on others: so no argument, sum or difference of arguments is below the smallest normal
number, and an error is none below that number times four times the largest argument or reciprocal of one, by which what
underflowed may have been multiplied. A truth beyond the format's range is not judged; one within it must be met by a
finite result.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Call, Expr, Input
from lossdsl.ir.op import Kind, Op
from lossdsl.ir.ops import OPS
from lossdsl.oracle.interpreter import evaluate, filled
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.runtime.execute import functions
from lossdsl.targets import code
from lossdsl.targets.template import assign, defined, name
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


# --- points -------------------------------------------------------------------------------------------------------


def draws(op: Op, kind: str) -> list[tuple[float, ...]]:
    """Points of the row's domain, each a number of the format."""
    random, found = Random(f"{op.name} {kind}"), list[tuple[float, ...]]()
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
    printer = code._module(target).PRINTER((root,), {leaf.name: leaf.name for leaf in inputs})
    (tree,) = printer.print()
    body = [*printer.body]
    if inputs:
        body.insert(0, assign("dtype", printer.dtype_of(name(inputs[0].name))))
    if target == "torch" and inputs:
        from lossdsl.targets.template import fill

        body.insert(0, assign("device", fill("a.device", a=name(inputs[0].name))))
    import ast

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


def measured(op: Op, target: str, kind: str) -> Iterator[tuple[str, str, float, tuple[float, ...]]]:
    """For the value and the slope in each argument, and each way to run it: the worst error, and where."""
    inputs, args = leaves_of(op)
    root = Call(op, args)
    parts: dict[str, Expr] = {"value": root}
    if op.gives is Kind.REAL:
        for letter, slope in zip(op.args, slopes_of(root), strict=True):
            if slope is not None and slope.axes:
                parts[letter] = slope
    points = draws(op, kind) if op.arity else [()]
    m = mp_numbers(DIGITS[kind])
    columns = list(zip(*points, strict=True))
    exactly = {leaf: filled([Fraction(v) for v in column], m) for leaf, column in zip(inputs, columns, strict=True)}
    arrays = [
        np.array(column, dtype="int32" if leaf.whole else kind) for leaf, column in zip(inputs, columns, strict=True)
    ]
    for part, expr in parts.items():
        done = evaluate([expr], exactly, m, {"batch": len(points)})[expr]
        truth = np.broadcast_to(done, (len(points),)).tolist()
        function = compiled(target, inputs, expr)
        for way, run in runs(target, function):
            with np.errstate(all="ignore"):
                got = np.broadcast_to(np.asarray(run(*arrays)), (len(points),)).tolist()
            worst, place = 0.0, points[0]
            for one, true, point in zip(got, truth, points, strict=True):
                if isinstance(true, bool):
                    error = 0.0 if one == true else math.inf
                else:
                    scale = op.scale(*point) if op.scale and part == "value" else 0.0
                    sizes = [abs(value) for value in point if value]
                    reach = 4 * max(1.0, *sizes, *(1 / size for size in sizes)) if sizes else 1.0
                    error = ulps(float(one), true, kind, scale, reach)
                if error > worst:
                    worst, place = error, point
            yield part, way, worst, place


def main() -> int:
    target, kinds = sys.argv[1], sys.argv[2].split(",") if len(sys.argv) > 2 else ["float32"]
    only = sys.argv[3].split(",") if len(sys.argv) > 3 else list(OPS)
    for op in OPS.values():
        if op.name not in only:
            continue
        if target not in op.spelling:
            print(f"{op.name:18} has no spelling", flush=True)
            continue
        for kind in kinds:
            found = []
            try:
                for part, way, worst, place in measured(op, target, kind):
                    found.append(f"{part}/{way} {worst:.3g} at {', '.join(f'{v:.6g}' for v in place)}")
            except Exception as error:
                found.append(f"{type(error).__name__}: {str(error)[:150]}")
            print(f"{op.name:18} {kind} " + " | ".join(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

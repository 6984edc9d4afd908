"""How long `lossdsl.properties` takes over random formulas: `python benchmarks/properties.py [--seed N] [--filter]`.

Formulas of 10 to 30 operations are drawn over the error and over target and prediction, with parameters, kinds of
inputs and pieces; of every fourth the elements of the last axis may meet. Of each all properties are asked for, one
after the other, in one process; told are the processor time of all, of the slowest, and how the verdicts came out. With
`--filter` only those that a search would ask for are, and the first that is not proved ends the work.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter

import lossdsl
from lossdsl import pipeline
from lossdsl.ir.expr import Call, Reduce, walk
from lossdsl.source import Source

OPERATIONS = (10, 30)
WANTED = ("symmetric", "least at t = x", "finite", "bounded below", "slope bounded", "continuous")

_SHAPES = (
    "({a} + {c})", "({a} - {c})", "{a}*{c}", "({a})/(1 + ({c})^2)", "abs({a})", "({a})^2", "log(1 + ({a})^2)",
    "log(cosh({a}))", "sqrt(1 + ({a})^2)", "exp(-({a})^2)", "where({u} < {c}, {a}, {u})", "max({a}, {c})", "relu({a})",
    "tanh({a})", "softplus({a})", "({a})/(1 + abs({c}))", "log(1 + exp(-({a})))", "p*({a})", "clip({a}, -1, 2)",
)  # fmt: skip


_OVER_LAST = (
    "logsumexp({a})", "softmax({a})", "mean({a})", "({a})/(1 + sum(abs({c})))", "norm({a})", "max({a})",
    "({a} - mean({a}))",
)  # fmt: skip


def formula(draw: random.Random, depth: int, shapes: tuple[str, ...] = _SHAPES) -> str:
    """A random formula of the error `e`, the target, the prediction and a parameter."""
    if depth == 0:
        return draw.choice(["e", "e", "e", "x", "t", "1", "0.5", "p"])
    a, c, u = (formula(draw, draw.randrange(depth), shapes) for _ in range(3))
    return draw.choice(shapes).format(a=formula(draw, depth - 1, shapes), c=c, u=draw.choice([a, u]))


def size(text: str) -> int:
    """The operations of a formula, each counted once."""
    result = pipeline.program(pipeline.parsed(Source(text, ""))).loss.result
    return sum(isinstance(node, Call | Reduce) for node in walk(result))


def formulas(count: int, seed: int) -> list[str]:
    """So many formulas that are losses, of 10 to 30 operations, no two alike."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        target = draw.choice(["t", "t", "t", "t: binary", "t: prob"])
        prediction = draw.choice(["x", "x", "x", "x: prob", "x: positive"])
        text = formula(draw, draw.randint(3, 6), draw.choice([_SHAPES, _SHAPES, _SHAPES, (*_SHAPES, *_OVER_LAST)]))
        parameter = "; p = 1.5" if "p*" in text or "p" in text.replace("exp", "").replace("clip", "") else ""
        required = ["require p > 0"] if parameter else []
        lines = [f"loss f({target}, {prediction}{parameter})", *required, "e = t - x", text]
        try:
            if OPERATIONS[0] <= size("\n".join(lines)) <= OPERATIONS[1]:
                found["\n".join(lines)] = None
        except lossdsl.LossError:  # nothing is left of the prediction
            continue
    return list(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formulas", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--filter", action="store_true", help="ask for what a search does, until it is not proved")
    parser.add_argument("--slowest", type=int, default=5, metavar="N", help="show the slowest N (5)")
    options = parser.parse_args()
    texts = formulas(options.formulas, options.seed)
    list(lossdsl.properties("abs(t - x)").values())  # libraries are loaded first
    times: list[tuple[float, str]] = []
    counts: Counter[str] = Counter()
    kept = 0
    for text in texts:
        start = time.process_time()
        found = lossdsl.properties(text)
        if options.filter:
            kept += all(found[name].how == "proved" for name in WANTED)
        else:
            counts.update(found[name].how for name in found)
        times.append((time.process_time() - start, text))
    total = sum(seconds for seconds, _ in times)
    median, slowest = sorted(times)[len(times) // 2][0], max(times)[0]
    print(f"{len(texts)} formulas: {total:.1f} s, median {median:.2f} s, slowest {slowest:.2f} s")
    print(f"{kept} kept" if options.filter else ", ".join(f"{count} {how}" for how, count in counts.most_common()))
    for seconds, text in sorted(times, reverse=True)[: options.slowest]:
        print(f"{seconds:6.2f} s  {text!r}")


if __name__ == "__main__":
    main()

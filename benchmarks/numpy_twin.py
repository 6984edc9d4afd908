"""Times the numpy twin beside the textbook's expressions: value, and value and gradient, alternating in one process.

    python benchmarks/numpy_twin.py [--only NAME …] [--shape ROWSxCOLUMNS] [--calls N] [--write]

The expressions are those that one writes down from a formula, on whole float32 arrays; gradients share with values what
a line of Python can share. Each is checked against the twin before it is timed. `--write` puts the table into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sections import put

import lossdsl

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TITLE = "The numpy twin"
SEED = 20260305
WHY = """\
What took most: a temporary array as large as the batch for each operation, and `np.where`, whose branch for each
element no processor foresees (14 ms on such an array, 1 by bits). Functions such as `log` and `tanh` cost the same in
blocks, so that cross-entropies gain least; reading two arrays and writing one is all that cheap losses do.
`np.sum` over short rows takes three times as long as their product with ones, which has as many digits.
`mean_squared_logarithmic_error` takes one logarithm of a quotient instead of a difference of two, and
`categorical_crossentropy` sums its exponentials but the largest once more: both keep digits that the textbook loses.
The former bounds its inputs first, and `poisson` adds 1e-7 to them, as Keras does. Their gradients, and that of
`mean_absolute_error`, take the textbook's operations and copy each block into the result.

Four times the textbook for values and three times with the gradient is reached by the losses with choices. The others
are near what their operations cost in a cache: blocks of 2^16 to 2^20 bytes differ little. Two threads, half of the
samples each, took 1.0 to 1.1 times the processor time of one, and in elapsed time, on a busy machine of two
processors, had 0.5 to 1.2 times its speed: one waits for the other's lock between operations of some microseconds.

Adding two such arrays takes 1.2 ms. A loop that numba compiles took 0.7 for the value of `mean_squared_error` and 1.3
with the gradient, where ours took 2.0 and 4.2; but 54 for the mean of a softplus, where numpy's expression took 11, for
numba's exponentials and logarithms are worked out one at a time. So there is no `lossdsl[numba]`: it would serve the
losses without functions alone.
"""
Both = Callable[[Any, Any], tuple[Any, Any]]


class Textbook(NamedTuple):
    """Inputs, and a loss written for whole arrays: the value, and value and gradient."""

    inputs: str
    value: Callable[[Any, Any], Any]
    both: Both


def per_element(
    inputs: str, value: Callable[..., Any], slope: Callable[..., Any], common: Callable[..., Any]
) -> Textbook:
    """The mean over the last axis of what `value` makes of `common(t, x)`, t and x; `slope` is its derivative in x."""

    def both(t: Any, x: Any) -> tuple[Any, Any]:
        shared = common(t, x)
        return np.mean(value(shared, t, x), -1), slope(shared, t, x) / np.float32(x.shape[-1])

    return Textbook(inputs, lambda t, x: np.mean(value(common(t, x), t, x), -1), both)


def error(t: Any, x: Any) -> Any:
    return x - t


def nothing(t: Any, x: Any) -> None:
    return None


LOG2 = np.float32(np.log(2.0))
BOOKS: dict[str, Textbook] = {
    "mean_squared_error": per_element("real", lambda e, t, x: e**2, lambda e, t, x: 2 * e, error),
    "mean_absolute_error": per_element("real", lambda e, t, x: np.abs(e), lambda e, t, x: np.sign(e), error),
    "huber": per_element(
        "real",
        lambda e, t, x: np.where(np.abs(e) < 1, 0.5 * e**2, np.abs(e) - 0.5),
        lambda e, t, x: np.where(np.abs(e) < 1, e, np.sign(e)),
        error,
    ),
    "pseudo_huber": per_element(
        "real", lambda e, t, x: np.sqrt(1 + e**2) - 1, lambda e, t, x: e / np.sqrt(1 + e**2), error
    ),
    "log_cosh": per_element(
        "real",
        lambda e, t, x: np.abs(e) + np.log1p(np.exp(-2 * np.abs(e))) - LOG2,
        lambda e, t, x: np.tanh(e),
        error,
    ),
    "quantile": per_element(
        "real",
        lambda e, t, x: np.where(e > 0, 0.5 * e, -0.5 * e),
        lambda e, t, x: np.where(e > 0, np.float32(0.5), np.float32(-0.5)),
        error,
    ),
    "epsilon_insensitive": per_element(
        "real",
        lambda e, t, x: np.maximum(np.abs(e) - np.float32(0.1), 0),
        lambda e, t, x: np.where(np.abs(e) > 0.1, np.sign(e), 0),
        error,
    ),
    "cauchy": per_element("real", lambda e, t, x: np.log1p(0.5 * e**2), lambda e, t, x: e / (1 + 0.5 * e**2), error),
    "hinge": per_element(
        "sign",
        lambda m, t, x: np.maximum(1 - m, 0),
        lambda m, t, x: np.where(m < 1, -t, 0),
        lambda t, x: t * x,
    ),
    "squared_hinge": per_element(
        "sign",
        lambda m, t, x: np.maximum(1 - m, 0) ** 2,
        lambda m, t, x: -2 * t * np.maximum(1 - m, 0),
        lambda t, x: t * x,
    ),
    "binary_crossentropy": per_element(
        "prob",
        lambda _, t, x: -(t * np.log(x) + (1 - t) * np.log(1 - x)),
        lambda _, t, x: (x - t) / (x * (1 - x)),
        nothing,
    ),
    "poisson": per_element("count", lambda _, t, x: x - t * np.log(x), lambda _, t, x: 1 - t / x, nothing),
    "mean_squared_logarithmic_error": per_element(
        "count",
        lambda e, t, x: e**2,
        lambda e, t, x: 2 * e / (1 + x),
        lambda t, x: np.log1p(x) - np.log1p(t),
    ),
}


def _cross_entropy(t: Any, x: Any) -> tuple[Any, Any]:
    e = np.exp(x - x.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    value = -np.sum(t * np.log(p), -1)
    return value, p - t


def _dice(t: Any, x: Any) -> tuple[Any, Any]:
    top, below = 2 * np.sum(t * x, -1), np.sum(t, -1) + np.sum(x, -1)
    return 1 - top / below, -(2 * t * below[:, None] - top[:, None]) / below[:, None] ** 2


def _cosine(t: Any, x: Any) -> tuple[Any, Any]:
    of_t, of_x = (one / np.linalg.norm(one, axis=-1, keepdims=True) for one in (t, x))
    value = -np.sum(of_t * of_x, -1)
    return value, -(of_t + value[:, None] * of_x) / np.linalg.norm(x, axis=-1, keepdims=True)


ROWS: dict[str, tuple[str, dict[str, Any], Both]] = {
    "categorical_crossentropy": ("simplex", {"from_logits": True}, _cross_entropy),
    "dice": ("prob", {}, _dice),
    "cosine_similarity": ("real", {}, _cosine),
}
"""Losses that take the elements of a sample together."""


def arrays(kind: str, shape: tuple[int, int]) -> tuple[Any, Any]:
    """A target and a prediction, float32."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal(shape, "float32")
    prob = rng.uniform(0.01, 0.99, shape).astype("float32")
    if kind == "simplex":
        return np.eye(shape[1], dtype="float32")[rng.integers(0, shape[1], shape[0])], x
    if kind == "prob":
        return (rng.random(shape) < 0.5).astype("float32"), prob
    if kind == "count":
        return rng.poisson(2.0, shape).astype("float32"), prob * 4
    return (np.sign(x[::-1]) if kind == "sign" else rng.standard_normal(shape, "float32")), x


def medians(calls: list[Callable[[], Any]], count: int) -> list[float]:
    """The median of each call's processor time in ms, of calls in turn."""
    found: list[list[float]] = [[] for _ in calls]
    for number in range(count + 1):
        for call, own in zip(calls, found, strict=True):
            start = time.thread_time()
            call()
            if number:
                own.append(time.thread_time() - start)
    return [statistics.median(own) * 1e3 for own in found]


def measured(name: str, shape: tuple[int, int], count: int) -> str:
    """A row of the table."""
    parameters: dict[str, Any] = {}
    if name in BOOKS:
        kind, plain, book = BOOKS[name]
    else:
        kind, parameters, book = ROWS[name]

        def plain(t: Any, x: Any) -> Any:
            return book(t, x)[0]

    t, x = arrays(kind, shape)
    twin = lossdsl.load(name, **parameters).numpy
    for one, other in zip(book(t, x), twin.value_and_grad(t, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-4 * float(np.max(np.abs(other))), err_msg=name)
    calls = [lambda: plain(t, x), lambda: twin(t, x), lambda: book(t, x), lambda: twin.value_and_grad(t, x)]
    times = medians(calls, count)
    pairs = [f"{theirs:.1f} / {ours:.1f} = {theirs / ours:.1f}" for theirs, ours in (times[:2], times[2:])]
    return f"| {name} | {' | '.join(pairs)} |"


def main() -> None:
    every = [*BOOKS, *ROWS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--shape", default="4096x1024", metavar="ROWSxCOLUMNS")
    parser.add_argument("--calls", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="write the section of docs/performance.md")
    options = parser.parse_args()
    rows, columns = map(int, options.shape.split("x"))
    lines = [
        f"Written by `benchmarks/numpy_twin.py --write`: {options.shape} in float32, medians of the processor",
        "time of calls in turn in one thread, in ms: the textbook's expression on whole arrays / ours = how many",
        "times as fast.",
        f"numpy {np.__version__}, Python {platform.python_version()}.",
        "",
        "| loss | value | value and gradient |",
        "|---|---|---|",
    ]
    print("\n".join(lines))
    for name in options.only:
        lines.append(measured(name, (rows, columns), options.calls))
        print(lines[-1], flush=True)
    if options.write:
        put(OUT, TITLE, [*lines, "", *WHY.splitlines()])


if __name__ == "__main__":
    main()

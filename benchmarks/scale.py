"""How time grows with the size of a loss: `python benchmarks/scale.py [--check] [--most SECONDS] [KIND …]`.

Each row is a kind of formula at one size, in operations or pieces; it has the seconds of processor time to read it, to
compile value and gradient, and with `--check` to check it, and whether value and gradient were tested. A row has a
process of its own, which is stopped after so many seconds of processor time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable

import numpy as np

import lossdsl
from lossdsl.pipeline import parsed, program
from lossdsl.source import Source

T, X = np.array([[1.0, 2.0]]), np.array([[2.0, 3.0]])


def definitions(steps: int, step: str) -> str:
    """A chain of definitions, each of the one before."""
    lines = ["a0 = t - x", *(f"a{place + 1} = {step.format(f'a{place}', place)}" for place in range(steps))]
    return "\n".join([*lines, f"a{steps}"])


def nested(depth: int, inner: str, outer: str) -> str:
    """One expression inside the next."""
    for place in range(depth):
        inner = outer.format(inner, place)
    return inner


def joins(count: int) -> str:
    """A function of the error in pieces, continuous at its joins."""
    pieces = ", ".join(f"abs(t - x) <= {k + 1}: {k + 1}*abs(t - x) - {k * (k + 1) / 2:g}" for k in range(count))
    return f"cases({pieces}, else: {count + 1}*abs(t - x) - {count * (count + 1) / 2:g})"


LARGE = (50, 200, 400, 1000, 3000)
DEEP = (8, 16, 40, 100, 300)

KINDS: dict[str, tuple[Callable[[int], str], tuple[int, ...]]] = {
    "a sum": (lambda n: " + ".join(f"{i + 1}*sin(x*{i + 2})" for i in range(n // 4)), LARGE),
    "a long difference": (lambda n: "t" + " - x" * n, LARGE),
    "a product": (lambda n: "*".join(f"(x + {i})" for i in range(n // 2)), LARGE),
    "a product of quotients": (lambda n: "*".join(f"(x/(t + {i}))" for i in range(n // 3)), LARGE),
    "a chain of definitions": (lambda n: definitions(n // 2, "{0}*0.5 + {1}"), LARGE),
    "a tower of functions": (lambda n: definitions(n, "tanh({0})"), LARGE),
    "nested functions": (lambda n: nested(n, "t - x", "tanh({0})"), (25, 55)),
    "a chain of squares": (lambda n: definitions(n, "{0}^2"), (10, 20, 40)),
    "a chain of products": (lambda n: definitions(n, "{0}*{0}"), (10, 20, 40, 100)),
    "a chain of its own uses": (lambda n: definitions(n, "{0}*sin({0}) + {0}"), DEEP),
    "a chain of softplus": (lambda n: definitions(n, "softplus({0}) - {0}"), DEEP),
    "a chain of logarithms": (lambda n: definitions(n, "log(1 + exp({0}))"), DEEP),
    "nested where": (lambda n: nested(n, "(t - x)^2", "where(t - x > {1}, {1}*x, {0})"), (8, 16, 40, 58)),
    "nested where, first": (lambda n: nested(n, "(t - x)^2", "where(x < {1}, {0}, {1}*abs(t - x))"), (8, 16, 40, 58)),
    "choices of choices": (lambda n: definitions(n, "where({0} > {1}, {0}^2, x*{0})"), DEEP),
    "conditions of choices": (lambda n: definitions(n, "where({0} > {1}, t, x) + {0}"), DEEP),
    "choices by inputs": (lambda n: definitions(n, "where(t > {1}, {0}, x*{0})"), DEEP),
    "max of max": (lambda n: definitions(n, "max({0}, {1} - x*{0})"), DEEP),
    "a sum of choices": (lambda n: " + ".join(f"where(x > {i}, (t - x)^2, x)" for i in range(n)), DEEP),
    "a product of choices": (lambda n: "*".join(f"where(x > {i}, t - x, {i} - t)" for i in range(n)), DEEP),
    "a sum of abs": (lambda n: " + ".join(f"abs(t - {i}*x)" for i in range(n)), DEEP),
    "cases": (joins, (5, 10, 12, 20, 40, 100)),
    "masked towers": (lambda n: f"where(isnan(t), 0, {nested(n, 't - x', 'tanh({0})')})", (25, 55)),
    "masks in masks": (lambda n: definitions(n, "where(isnan(t), 0, {0}^2)"), DEEP),
    "sums of sums": (lambda n: definitions(n, "{0} + sum({0})"), DEEP),
    "a chain of norms": (lambda n: definitions(n, "{0}/norm({0})"), DEEP),
    "a chain of softmax": (lambda n: definitions(n, "{0} - softmax({0})"), DEEP),
    "roots of roots": (lambda n: definitions(n, "sqrt({0}^2 + 1)"), DEEP),
    "powers of powers": (lambda n: definitions(n, "abs({0})^1.5 + {0}"), DEEP),
    "bessel of an extreme": (lambda n: f"log_bessel_i({n}, abs(t - x)) + 1e300*x", (1, 1000)),
}


def measured(text: str, is_checked: bool, send: Callable[[object], None]) -> None:
    """Sends what was measured of a loss so far, after each step."""
    times: list[float] = []
    start = time.process_time()
    loss_text = f"loss f(t, x)\n{text}"
    program(parsed(Source(loss_text, "")))
    times.append(time.process_time() - start)
    send((times, "", 0))
    loss = lossdsl.load(loss_text)
    with np.errstate(all="ignore"):
        loss.numpy(T, X)
        loss.numpy.grad(T, X)
    times.append(time.process_time() - start - times[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    send((times, "", peak))
    if is_checked:
        before = time.process_time()
        report = lossdsl.check(loss_text)
        times.append(time.process_time() - before)
        told = [*report.passed, *(f"{found.id}: {found.message}"[:60] for found in report.findings)]
        send((times, "; ".join(told), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def tried(text: str, is_checked: bool, most: int, send: Callable[[object], None]) -> None:
    """The same; an exception is what was found out last."""
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    try:
        measured(text, is_checked, send)
    except Exception as error:  # whatever it is, it is told
        send(([], f"{type(error).__name__}: {error}".splitlines()[0], 0))


def in_process(text: str, is_checked: bool, most: int) -> tuple[list[float], str, int, bool]:
    """The same in a process of its own, and whether it was ready in time."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=tried, args=(text, is_checked, most, theirs.send))
    process.start()
    process.join()
    is_ready = process.exitcode == 0
    times, told, peak = [], "", 0
    while ours.poll():
        times, told, peak = ours.recv()
    return times, told, peak, is_ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="which; all if there is none")
    parser.add_argument("--check", action="store_true", help="check each loss too")
    parser.add_argument("--most", type=int, default=30, metavar="SECONDS", help="when a row is stopped (30)")
    options = parser.parse_args()
    lossdsl.check("exp(t - x)/(1 + x^2)")  # libraries are loaded first
    print(f"{'':24} {'size':>6} {'read':>7} {'compile':>7} {'check':>7} {'MB':>6}")
    for kind, (made, sizes) in KINDS.items():
        for size in sizes if not options.kinds or kind in options.kinds else ():
            times, told, peak, is_ready = in_process(made(size), options.check, options.most)
            cells = [*(f"{one:7.2f}" for one in times), *["      -"] * (3 - len(times))]
            note = told if is_ready else f"stopped after {options.most:g} s"
            print(f"{kind:24} {size:6} {' '.join(cells)} {peak:6} {note[:150]}", flush=True)
            if not is_ready:
                break


if __name__ == "__main__":
    main()

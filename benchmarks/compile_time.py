"""How long compilation takes, by the kind and the size of a loss: `python benchmarks/compile_time.py`.

Each row is one kind, each column a size in operations; a cell has the seconds of processor time for the value, the
gradient, and the code for TensorFlow. A process of its own compiles a small loss first, so that no import counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

import lossdsl

T, X = np.array([[1.0, 2.0]]), np.array([[2.0, 3.0]])


def definitions(steps: int, step: str) -> str:
    """A chain of definitions, each of the one before."""
    lines = ["a0 = t - x", *(f"a{place + 1} = {step.format(f'a{place}', place)}" for place in range(steps))]
    return "\n".join([*lines, f"a{steps}"])


KINDS: dict[str, tuple[Callable[[int], str], tuple[int, ...]]] = {
    "a sum": (lambda n: " + ".join(f"{i + 1}*sin(x*{i + 2})" for i in range(n // 4)), (300, 1000, 3000)),
    "a product": (lambda n: "*".join(f"(x + {i})" for i in range(n // 2)), (300, 1000, 3000)),
    "a product of quotients": (lambda n: "*".join(f"(x/(t + {i}))" for i in range(n // 3)), (300, 1000, 3000)),
    "a chain of definitions": (lambda n: definitions(n // 2, "{0}*0.5 + {1}"), (300, 1000, 3000)),
    "a chain of squares": (lambda n: definitions(n, "{0}^2"), (10, 20, 40)),
    "a chain of products": (lambda n: definitions(n, "{0}*{0}"), (10, 20, 40)),
    "nested choices": (lambda n: definitions(n, "where({0} > {1}, {0}^2, x*{0})"), (8, 16, 32)),
    "a tower of functions": (lambda n: definitions(n, "tanh({0})"), (300, 1000, 3000)),
}


def seconds(text: str) -> tuple[float, float, float]:
    """Processor time for the value, the gradient and the code for TensorFlow."""
    times = [time.process_time()]
    loss = lossdsl.load(f"loss f(t, x)\n{text}")
    loss.numpy(T, X)
    times.append(time.process_time())
    loss.numpy.grad(T, X)
    times.append(time.process_time())
    loss.program.kernel("tensorflow")
    times.append(time.process_time())
    return times[1] - times[0], times[2] - times[1], times[3] - times[2]


def main(wanted: list[str]) -> None:
    seconds("exp(t - x)/(1 + x^2)")
    print(f"{'':24} {'operations':>10} {'value':>8} {'gradient':>8} {'kernel':>8} {'together':>8}")
    for kind, (made, sizes) in KINDS.items():
        for size in sizes if not wanted or kind in wanted else ():
            found = seconds(made(size))
            print(f"{kind:24} {size:10} {found[0]:8.2f} {found[1]:8.2f} {found[2]:8.2f} {sum(found):8.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measures fused last layers beside whole logits, functions of the libraries, and chunks written by hand.

    python benchmarks/fused.py [--on torch|jax|tensorflow …] [--loss LOSS …] [--places N] [--width N] [--classes N]
                               [--chunk N] [--calls N] [--memory] [--ways WAY …] [--write]

Value and gradients in hidden states and kernel, float32. Memory is what a process needs beyond what it has when the
arrays are there: the largest resident size of the first call or of a second one, which compiles nothing, less the size
before both; each way has a process of its own. Times are medians of calls in turn in one process. The error is that of
value and gradients against the library's own functions on whole logits, in the size of the largest. `--write` puts the
tables into docs/performance.md. It runs on Linux, where a process can be asked for its largest size.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from fused_ways import LOSSES, WAYS, Way, problem
from sections import kept, put

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TITLE = "The last layer and the loss in one"
NATIVE, OURS = "by hand, whole logits", "ours, fused"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(key: str) -> float:
    """A size of this process in MB: `VmRSS` now, `VmHWM` the largest."""
    found = re.search(rf"{key}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) / 1000


def memory(way: Way) -> float:
    """What one call needs, in MB: the lesser of two, since a library may compile at its first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed is no part of what there is before
    before = resident("VmRSS")
    largest = []
    for _ in range(2):
        _CLEAR.write_text("5", encoding="ascii")  # the largest size begins anew
        found = way()
        largest.append(resident("VmHWM"))
        del found
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    return min(largest) - before  # of the second call with what the first has kept


def times(ways: dict[str, Way], calls: int) -> dict[str, float]:
    """The median time of each way in seconds, of calls in turn."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(calls + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number:
                found[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in found.items()}


def errors(ways: dict[str, Way]) -> dict[str, float]:
    """How far value and gradients are from those of the native way, in the size of the largest of each."""
    truth = [np.asarray(each) for each in ways[NATIVE]()]
    found = {}
    for name, way in ways.items():
        gaps = []
        for one, other in zip(way(), truth, strict=True):
            one, other = np.asarray(one), other.T if np.ndim(one) > 1 and np.shape(one) != other.shape else other
            gaps.append(float(np.max(np.abs(one - other)) / np.max(np.abs(other))))
        found[name] = max(gaps)
    return found


def one_process(options: argparse.Namespace) -> None:
    """What a process of its own measures, as JSON."""
    (library,), (loss,) = options.on, options.loss
    given = problem(loss, options.places, options.width, options.classes, options.chunk)
    makers = WAYS[library](given)
    if options.way:
        if options.way not in makers:
            print(json.dumps(None))
            return
        WAYS[library](problem(loss, 8, 8, 8, options.chunk))[options.way]()()  # a library loads at its first call
        way = makers[options.way]()
        print(json.dumps(memory(way)))
        return
    ways = {name: make() for name, make in makers.items()}
    print(json.dumps({"times": times(ways, options.calls), "errors": errors(ways)}))


def measured(options: argparse.Namespace, library: str, loss: str) -> dict[str, dict[str, float]]:
    """For each way memory, time and error."""

    def process(*more: str) -> Any:
        command = [sys.executable, __file__, "--here", "--on", library, "--loss", loss]
        for name in ("places", "width", "classes", "calls", "chunk"):
            if getattr(options, name) is not None:
                command += [f"--{name}", str(getattr(options, name))]
        environment = {**os.environ, "KERAS_BACKEND": library}
        done = subprocess.run([*command, *more], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    found = {} if options.memory else process()
    names = options.ways or found.get("times") or [*WAYS[library](problem(loss, 8, 8, 8))]
    return {"memory": {name: process("--way", name) for name in names}, **found}


def bound(options: argparse.Namespace, heads: int = 1) -> float:
    """Twice the gradients and 0.15 of the logits of some heads, in MB."""
    gradients = options.width * (options.places + options.classes)
    return 4e-6 * (2 * gradients + 0.15 * heads * options.places * options.classes)


def lines_of(library: str, loss: str, found: dict[str, dict[str, float]]) -> list[str]:
    """Rows of the table; times in those of the native way, empty where they were not asked for."""
    lines = []
    for name, size in found["memory"].items():
        if size is None:  # a way that this library has not
            continue
        more = " | "
        if "times" in found:
            more = f"{found['times'][name] / found['times'][NATIVE]:.2f} | {found['errors'][name]:.1e}"
        lines.append(f"| {library} | {loss} | {name} | {size:.0f} | {more} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--loss", nargs="+", default=list(LOSSES), choices=LOSSES, metavar="LOSS")
    parser.add_argument("--places", type=int, default=2048)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--classes", type=int, default=50_000)
    parser.add_argument("--chunk", type=int, help="places at a time; by default what the library takes")
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write its rows into docs/performance.md; others stay")
    parser.add_argument("--memory", action="store_true", help="memory alone; on a busy machine times say little")
    parser.add_argument("--ways", nargs="+", metavar="WAY", help="the memory of these ways only")
    parser.add_argument("--here", action="store_true", help="in this process, for one library and loss")
    parser.add_argument("--way", help="with --here, the memory of one way alone")
    options = parser.parse_args()
    if options.here:
        one_process(options)
        return
    size = f"{options.places} places, {options.width} wide, {options.classes} classes"
    head = [
        f"Written by `benchmarks/fused.py --write`: {size}, float32, value and gradients in hidden states and",
        f"kernel. The logits have {4e-6 * options.places * options.classes:.0f} MB, the gradients",
        f"{4e-6 * options.width * (options.places + options.classes):.0f}; twice these and 0.15 of those are",
        f"{bound(options):.0f} MB, and of distillation, with the logits of a teacher, {bound(options, 2):.0f}. Memory",
        "is what one call needs, in MB, in a process of its own; times are those of the library's functions on whole",
        "logits, medians of calls in turn in one process; the error is the difference from them, in the size of the",
        "largest number. An empty cell was not measured.",
        "",
    ]
    table = [
        "| library | loss | | memory | time | error |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join([*head, *table]))
    rows = []
    for library in options.on:
        for loss in options.loss:
            some = lines_of(library, loss, measured(options, library, loss))
            print("\n".join(some), flush=True)
            rows += some
    if options.write:
        said, old = kept(OUT, TITLE)
        new = set(map(_cell, rows))
        rows += [row for row in old if _cell(row) not in new]
        rows.sort(key=lambda row: (list(WAYS).index(_cell(row)[0]), list(LOSSES).index(_cell(row)[1])))
        put(OUT, TITLE, [*head, *said, *[""] * bool(said), *table, *rows])


def _cell(row: str) -> tuple[str, ...]:
    """The library and the loss of a row."""
    return tuple(part.strip() for part in row.split("|")[1:3])


if __name__ == "__main__":
    main()

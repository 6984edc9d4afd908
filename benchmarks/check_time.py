"""How long `lossdsl check` takes: for each file the processor time after start-up, and the whole catalog at once.

    python benchmarks/check_time.py [--runs N] [NAME …]

Each file is checked in interpreters of its own, which check `(t - x)^2` first and import what generated code may ask
for, so that only the check itself is timed. Bytecode is kept, as it is after an installation. With no NAME it is every
built-in, and then all of them by one command, as a user would: the time on the wall, and the memory of the largest
process.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

from lossdsl import catalog

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

_TIMED = """
import sys, time, lossdsl, scipy.special
lossdsl.check("(t - x)^2")
start = time.process_time()
lossdsl.check(sys.argv[1])
print(time.process_time() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="built-ins or files; all built-ins if there is none")
    parser.add_argument("--runs", type=int, default=5, help="how often each file is checked (5)")
    options = parser.parse_args()
    _output("-c", _TIMED, "huber")  # writes the bytecode
    start_up = [_processor_time("-m", "lossdsl", "check", "(t - x)^2") for _ in range(options.runs)]
    print(f"start-up (a process that checks `(t - x)^2`): {statistics.median(start_up):.2f} s of processor time")
    print(f"\n| loss | processor time after start-up, median of {options.runs} (s) | most (s) |\n|---|---:|---:|")
    medians = []
    for name in options.names or catalog.names():
        times = [float(_output("-c", _TIMED, name)) for _ in range(options.runs)]
        medians.append(statistics.median(times))
        print(f"| `{name}` | {medians[-1]:.2f} | {max(times):.2f} |", flush=True)
    print(f"\n{len(medians)} files: {sum(medians):.1f} s in all, at most {max(medians):.2f} s")
    if not options.names:
        start = time.perf_counter()
        _output("-m", "lossdsl", "check", *catalog.names())
        wall = time.perf_counter() - start
        # Linux counts in KiB, macOS in bytes. It is that of the largest process, workers included.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(f"all by one command on {os.cpu_count()} cores: {wall:.1f} s; largest process: {peak / 2**20:.0f} MiB")


def _output(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=_ENVIRONMENT).stdout


def _processor_time(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _output(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()

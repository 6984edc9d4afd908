"""How long `lossdsl check` takes for one small file, as a process of its own: the aim is 1.5 s.

    python benchmarks/check_time.py [NAME …]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from lossdsl import catalog

RUNS = 7


def main() -> None:
    for name in sys.argv[1:] or catalog.names():
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "lossdsl", "check", name], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        print(f"{name:40} median {statistics.median(times):.2f} s, least {min(times):.2f} s of {RUNS}", flush=True)


if __name__ == "__main__":
    main()

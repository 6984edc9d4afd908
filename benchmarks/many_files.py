"""How long `lossdsl check` takes for a folder of files: `python benchmarks/many_files.py [--files N] [--jobs N]`.

The folder has the losses of the catalogue as files, as many as are asked for. It is checked by one command as a user
would, in processes of its own, and once more; told are the time on the wall, the processor time and the memory of the
largest process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lossdsl import catalog

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200, help="how many files the folder has (200)")
    parser.add_argument("--jobs", type=int, help="how many processes check them; as many as there are processors")
    parser.add_argument("--runs", type=int, default=2, help="how often (2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names = catalog.names()
        for number in range(options.files):
            source = catalog.read(names[number % len(names)])
            assert source is not None
            path = Path(folder) / f"part{number % 10}" / f"{names[number % len(names)]}_{number}.loss"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source.text, encoding="utf-8")
        jobs = [] if options.jobs is None else ["--jobs", str(options.jobs)]
        command = [sys.executable, "-m", "lossdsl", "check", "--isolated", *jobs, folder]
        for _ in range(options.runs):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            told = subprocess.run(command, capture_output=True, text=True, env=_ENVIRONMENT, check=False).stdout
            wall = time.perf_counter() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            peak = after.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            print(told.splitlines()[-1])
            print(f"{wall:.1f} s, {used:.1f} s of {os.cpu_count()} processors, {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()

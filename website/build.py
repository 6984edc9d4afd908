"""Builds the site: the gallery of losses, and the documentation.

    python website/build.py [--out build/site] [--jobs 2] [--no-docs] [--drawn N [--seed S]] [NAME ...]

With names, or a number of losses to draw, the gallery has these losses alone.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import facts
import pages

from lossdsl import catalog

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LARGEST = 300_000
"""How many bytes a page may have, with all that is read for it."""


def gallery(out: Path, names: list[str], jobs: int) -> None:
    """Writes the start page, and a page and a script for each loss."""
    every = facts.every(names, out.parent / "facts", jobs)
    (out / "losses").mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "static", out / "static", dirs_exist_ok=True)
    names = out / "losses" / "names.js"
    names.write_text(pages.names(every), encoding="utf-8")
    shared = [*(out / "static").iterdir(), names]
    of_curves = {"curves.js", "page.js", names.name}
    _write({out / "index.html": pages.start(every)}, [path for path in shared if path.name not in of_curves])
    for one in every:
        family = [other["name"] for other in every if other["family"] == one["family"]]
        path = out / "losses" / f"{one['name']}.html"
        _write({path: pages.loss(one, family), path.with_suffix(".js"): pages.script(one)}, shared)


def _write(texts: dict[Path, str], shared: list[Path]) -> None:
    """Writes a page, the first of the texts, and what it alone reads."""
    size = sum(len(text.encode()) for text in texts.values()) + sum(path.stat().st_size for path in shared)
    if size > LARGEST:
        raise SystemExit(f"{next(iter(texts)).name} has {size} bytes, and a page may have {LARGEST}")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def documentation(out: Path) -> None:
    """Writes the documentation; what Sphinx warns of, such as a link that leads nowhere, is an error."""
    work = out.parent / "doctrees"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", str(HERE / "docs")]
    subprocess.run([*command, "-d", str(work), str(ROOT / "docs"), str(out / "docs")], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--no-docs", action="store_true")
    parser.add_argument("--drawn", type=int, default=0)
    parser.add_argument("--seed", type=int, default=20250)
    options = parser.parse_args()
    out = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    unknown = [name for name in options.names if catalog.full_name(name) is None]
    if unknown:
        raise SystemExit(f"there is no built-in loss {unknown[0]}")
    named = [name for each in options.names if (name := catalog.full_name(each))]
    drawn = random.Random(options.seed).sample(catalog.names(), options.drawn)
    gallery(out, list(dict.fromkeys([*named, *drawn])) or catalog.names(), options.jobs)
    if not options.no_docs:
        documentation(out)
    print(f"{sum(1 for _ in out.rglob('*.html'))} pages in {out}: open {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

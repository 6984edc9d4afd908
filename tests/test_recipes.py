"""The recipes of docs/recipes.md and the tutorial, run as they stand.

A recipe that names a library in its fence runs where that is named by LOSSDSL_BACKENDS or LOSSDSL_BOOSTING.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "recipes.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```python ?(\w*)\n(>>> .*?)^```$", re.M | re.S)
NAMED = f"{os.environ.get('LOSSDSL_BACKENDS', 'tensorflow')} {os.environ.get('LOSSDSL_BOOSTING', '')}".split()
HERE = "tensorflow" in NAMED

BLOCKS = [found.groups() for found in FENCE.finditer(PAGE.read_text(encoding="utf-8"))]
LIBRARIES = ["", "torch", "jax", "xgboost", "lightgbm", "catboost"]


def test_every_recipe_is_run_somewhere():
    assert {library for library, _ in BLOCKS} == set(LIBRARIES)
    assert len(BLOCKS) == PAGE.read_text(encoding="utf-8").count("```python")


@pytest.mark.parametrize("library", [name for name in LIBRARIES if (name in NAMED if name else HERE)])
def test_recipes(library, tmp_path):
    """All blocks for a library in one process, each with names of its own."""
    for number, (needed, text) in enumerate(BLOCKS):
        if needed == library:
            (tmp_path / f"recipe_{number:02}.txt").write_text(text, encoding="utf-8")
    if not library:  # its blocks go on from one another
        blocks = [text for _, text in FENCE.findall(TUTORIAL.read_text(encoding="utf-8"))]
        assert len(blocks) == TUTORIAL.read_text(encoding="utf-8").count("```python") > 5
        (tmp_path / "tutorial.txt").write_text("\n".join(blocks), encoding="utf-8")
    script = "import doctest, sys\nsys.exit(any([doctest.testfile(name, False).failed for name in sys.argv[1:]]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, cwd=tmp_path, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

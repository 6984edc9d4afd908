"""The recipes for libraries of configuration and search, each where it is installed; none of them is an extra."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```py (\w+)\n(>>> .*?)^```$", PAGE, re.M | re.S))


def test_there_is_a_recipe_for_each():
    assert sorted(BLOCKS) == ["hydra", "keras_tuner", "omegaconf", "optuna"]


@pytest.mark.parametrize("library", BLOCKS)
def test_recipe(library, tmp_path):
    pytest.importorskip(library)
    (tmp_path / "recipe.txt").write_text(BLOCKS[library], encoding="utf-8")
    script = "import doctest, sys\nsys.exit(doctest.testfile('recipe.txt', False).failed)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""The generated documents are those that their generators would write now."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["losses", "findings", "words", "api"])
def test_a_page_is_fresh(page):
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / f"{page}.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run python docs/{page}.py\n{done.stderr[-2000:]}"

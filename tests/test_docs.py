"""The generated documents are those that their generators would write now."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_built_in_losses_is_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "losses.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run python docs/losses.py\n{done.stderr[-2000:]}"

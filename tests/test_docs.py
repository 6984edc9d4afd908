"""The generated documents are those that their generators would write now."""

import doctest
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["losses", "findings", "words", "api"])
def test_a_page_is_fresh(page):
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / f"{page}.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run python docs/{page}.py\n{done.stderr[-2000:]}"


PAGES = sorted((ROOT / "docs").rglob("*.md"))
RUN_ELSEWHERE = {"api", "recipes", "tutorial"}  # its blocks are docstrings'; the others' are in test_recipes.py


def test_the_first_page_runs_and_no_other_page_has_python_that_nothing_runs():
    found = doctest.testfile(str(ROOT / "docs" / "index.md"), False, encoding="utf-8")
    assert (found.failed, found.attempted > 2) == (0, True)
    assert {path.stem for path in PAGES if "```python" in path.read_text(encoding="utf-8")} == {*RUN_ELSEWHERE, "index"}


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: path.stem)
def test_links_lead_to_files_and_headings(path):
    text = re.sub(r"^```.*?^```$|^    .*?$|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, heading = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if heading and target.suffix == ".md":
            assert heading in headings(target), link


@cache
def headings(path):
    """The anchors that a page has, as GitHub and MyST make them of headings."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}

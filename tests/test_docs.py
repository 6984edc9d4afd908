"""The generated documents are those that their generators would write now."""

import ast
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


def documented():
    """The functions and classes on docs/api.md that are no errors, each with what it is called with."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        name, _, rest = part.partition("\n")
        call = re.match(r"\s*```python\n([\w.]+\(.*?\))\n```\n(.*)", rest, re.S)
        if call:
            (tree,) = ast.parse(re.sub(r",\s*\)$", ")", f"def f{call[1][call[1].index('(') :]}: ...")).body
            arguments = {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}
            yield name.split(":")[0], arguments, call[2]


ENTRIES = {name: (arguments, text) for name, arguments, text in documented()}
MADE_BY_OTHERS = {"LoadedLoss", "Twin", "lossdsl.jax.PureLoss", "lossdsl.torch.Loss"}
"""Classes whose objects come from functions, or whose methods say what they are called with."""


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_tells_its_arguments_and_errors_and_has_an_example(name):
    arguments, text = ENTRIES[name]
    if name not in MADE_BY_OTHERS:
        assert {argument for argument in arguments if f"`{argument}`" not in text.replace("*", "")} == set()
        assert ">>>" in text
        assert re.search(r"Raises\b", text)
    assert len(ENTRIES) > 20


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

"""What a user gets: the sdist, the wheel made from it, and a package that finds its grammar without a checkout."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PIP_TARGET"}}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=env, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(*patterns: str) -> set[str]:
    """The files of the checkout that match, as paths from its top."""
    return {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that `build` makes from it."""
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    [sdist], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def test_the_sdist_holds_what_its_tests_need(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    losses = "lossdsl/catalog/*/*.loss"
    expected = files("lossdsl/**/*.py", losses, "grammars/*", "tests/**/*.py", "examples/*", "docs/*")
    assert expected <= names, sorted(expected - names)
    assert {".pre-commit-hooks.yaml", "LICENSE", "Makefile", "README.md", "lossdsl/py.typed", "pyproject.toml"} <= names


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as archive:
        names = set(archive.namelist())
        [entry_points] = [archive.read(name).decode() for name in names if name.endswith("/entry_points.txt")]
    code = files("lossdsl/**/*.py", "lossdsl/catalog/*/*.loss", "lossdsl/py.typed")
    grammars = {f"lossdsl/{name}" for name in files("grammars/*.lark")}
    assert "lossdsl/grammars/lossdsl.lark" in grammars
    assert code | grammars <= names, sorted((code | grammars) - names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"lossdsl"}
    assert "lossdsl = lossdsl.cli:console" in entry_points


def test_the_installed_wheel_finds_its_grammar_and_catalog(built, tmp_path):
    target = tmp_path / "target"
    run("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", target, built[1], cwd=tmp_path)
    script = f"""
import json, sys
sys.path.insert(0, {str(target)!r})
import lossdsl
values = lossdsl.load("huber", delta=1.0).numpy([[0.0]], [[3.0]])
print(json.dumps([lossdsl.__file__, [float(value) for value in values]]))
"""
    # -I: neither the current folder, nor PYTHONPATH, nor a user's own packages are seen.
    origin, values = json.loads(run("-I", "-c", script, cwd=tmp_path))
    assert Path(origin).resolve().is_relative_to(target.resolve())
    assert values == [2.5]  # by hand: delta*(|x - t| - delta/2) = 1*(3 - 1/2)

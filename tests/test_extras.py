"""The core without frameworks, and what is said where one of them is missing."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lossdsl
from lossdsl import extras

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# They are not there for the finder that looks through folders.
FINDER = """
import sys
from importlib.machinery import PathFinder

there = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name in BLOCKED else there(name, *rest)
"""


def without(libraries: str, code: str, cwd: Path, **env: str) -> str:
    """What a fresh Python prints that finds none of some libraries."""
    blocked = f"BLOCKED = {libraries.split()!r}\n{FINDER}"
    done = subprocess.run(
        [sys.executable, "-c", blocked + code],
        capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Each command of the core, and the numpy twin with pickle; then what needs a library.
CORE = """
import contextlib, io, json, pickle
import lossdsl
from lossdsl.cli import main

def told(call):
    try:
        call()
    except ImportError as error:
        return [type(error).__name__, str(error)]

statuses = {}
for line in COMMANDS:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        statuses[line] = main(line.split())
    assert out.getvalue(), line
again = pickle.loads(pickle.dumps(lossdsl.load("huber", delta=0.5)))
assert again.numpy([0.0], [2.0]) == 0.875  # by hand: 0.5*(2 - 0.5/2)
assert again.numpy.grad([0.0], [2.0]) == 0.5
again._repr_html_()
kept = {
    "compile": told(lambda: lossdsl.compile("huber")),
    "losses": told(lambda: lossdsl.losses),
    "plot": told(lambda: __import__("lossdsl.plot").plot.png(again)),
    "backend": told(lambda: lossdsl.check("huber", backend="torch")),
}
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
print(json.dumps([statuses, kept, sorted(loaded)]))
"""
COMMANDS = [
    "new mine",
    "check mine.loss",
    "fmt mine.loss",
    "grad huber",
    "grad huber --as latex",
    "show huber --stage stable",
    "eval huber t=0 x=3",
    "list",
    *(f"emit huber --target {target}" for target in ("numpy", "tensorflow", "jax", "torch", "keras")),
    "completion bash",
]


def test_the_core_needs_no_framework(tmp_path):
    printed = without(" ".join(extras.EXTRAS), f"COMMANDS = {COMMANDS!r}\n{CORE}", tmp_path)
    statuses, told, loaded = json.loads(printed.splitlines()[-1])
    assert statuses == dict.fromkeys(COMMANDS, 0)
    assert set(loaded).isdisjoint(extras.EXTRAS)
    commands = {"compile": "tensorflow", "losses": "tensorflow", "plot": "plot", "backend": "torch"}
    for what, extra in commands.items():
        kind, message = told[what]
        assert kind == "LossImportError"
        assert f"pip install 'lossdsl[{extra}]'" in message, message


def test_a_missing_backend_of_keras_is_named_and_keras_can_be_tried_again(tmp_path):
    code = """
import lossdsl
try:
    lossdsl.compile("huber")
except ImportError as error:
    print(error)
BLOCKED.clear()
for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
    del sys.modules[name]
import keras
print(keras.saving.get_registered_object("lossdsl>Loss") is not None, float(lossdsl.compile("huber")([0.0], [3.0])))
"""
    printed = without("tensorflow jax torch", code, tmp_path, KERAS_BACKEND="tensorflow")
    assert printed.splitlines() == [
        "import error: tensorflow, the backend of Keras, is not installed",
        "  help: pip install 'lossdsl[tensorflow]'",
        "True 2.5",
    ]


def test_installed_libraries_are_offered_instead(monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda name: name == "jax")
    assert extras.missing("tensorflow", for_keras=True).hint == (
        "pip install 'lossdsl[tensorflow]', or set the environment variable KERAS_BACKEND=jax, which is installed"
    )
    assert extras.missing("tensorflow").hint == "pip install 'lossdsl[tensorflow]'"
    assert extras.missing("keras").hint == "pip install 'lossdsl[jax]'"


def test_a_fault_inside_a_library_is_not_called_missing(monkeypatch, tmp_path):
    (tmp_path / "brokenlib.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all") as raised:
        extras.load("brokenlib")
    assert not isinstance(raised.value, lossdsl.LossError)


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", one)[0] for one in requirements}


def test_each_extra_brings_what_is_said_of_it():
    optional = PROJECT["optional-dependencies"]
    assert all(library in names(optional[extra]) for library, extra in extras.EXTRAS.items())
    assert names(PROJECT["dependencies"]).isdisjoint(extras.EXTRAS)

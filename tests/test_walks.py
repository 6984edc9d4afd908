"""The four tasks of a stranger, each done in a copy of the package: only the files that docs/design.md names change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def copy(tmp_path):
    for folder in ("lossdsl", "grammars"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def changed(path, old, new):
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), "utf-8")


def run(copy, *command):
    """What the copy's command line prints."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "lossdsl", *command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in found.stderr, found.stderr
    return found.stdout


OPERATION = """    Op("gudermann", "a", "2*atan(tanh(a/2))", lambda m, a: 2 * m.atan(m.tanh(a / 2)),
       ("2*exp(-abs(a))/(1 + exp(-2*abs(a)))",),
       spelled("2 * np.arctan(np.tanh(0.5 * a))", "2 * tf.math.atan(tf.math.tanh(0.5 * a))",
               "2.0 * math.atan(math.tanh(0.5 * a))"),
       trait=Trait(lambda a: 2 * (a / 2).tanh().atan(), direction=1, bends_right=-1, parity=-1,
                   limits=(-PI_ABOVE / 2, PI_ABOVE / 2), image=Bounds(-PI_ABOVE / 2, PI_ABOVE / 2, True, True)),
       ulps=errors("9", "9", "9 9")),
"""


def test_an_operation(copy):
    asinh = '    Op("asinh", "a", '
    changed(copy / "lossdsl/ir/rows/trigonometry.py", asinh, OPERATION + asinh)
    assert "nothing found" in run(copy, "check", "gudermann(t - x)^2", "--select", "ALL", "--ignore", "no-example")
    assert "gudermann" in run(copy, "grad", "gudermann(t - x)^2")
    assert "Math.atan(Math.tanh(" in run(copy, "emit", "gudermann(t - x)^2", "--target", "javascript")
    assert run(copy, "eval", "gudermann(t - x)^2", "t=0", "x=1").startswith("0.7495567")


def test_a_built_in(copy):
    text = '"""Half."""\nloss halved(t, x)\n\n0.5*abs(t - x)\n\nexpect convex\nexample t=[0], x=[3] -> 1.5\n'
    (copy / "lossdsl/catalog/robust/halved.loss").write_text(text, "utf-8")
    assert "nothing found" in run(copy, "check", "halved")
    assert "halved" in run(copy, "list", "--family", "robust")
    assert run(copy, "eval", "robust/halved", "t=0", "x=1") == "0.5\n"


FINDING = '''"""Losses with many parameters."""

from lossdsl.checks.finding import Row

CROWDED = Row("many-parameters", "Two", "warning", "Nobody tunes so many.", "a*b*abs(t - x)", "abs(t - x)", "")
ROWS = (CROWDED,)


def look(subject):
    """A finding where there are two."""
    if len(subject.loss.parameters) > 1:
        yield CROWDED.found("there are two", subject.loss.spans.get(subject.loss.result), "take one")
'''


def test_a_finding(copy):
    (copy / "lossdsl/checks/crowded.py").write_text(FINDING, "utf-8")
    table = copy / "lossdsl/checks/table.py"
    changed(table, "    by_hand,\n    defaults,", "    by_hand,\n    crowded,\n    defaults,")
    changed(table, "    reads.look,\n", "    reads.look,\n    crowded.look,\n")
    changed(table, "        by_hand,\n", "        by_hand,\n        crowded,\n")
    source = "loss two(t, x; a = 1, b = 1)\na*b*(t - x)^2"
    assert "warning[many-parameters]: there are two" in run(copy, "check", source)
    assert "nothing found" in run(copy, "check", source, "--ignore", "many-parameters")
    assert "Nobody tunes so many." in run(copy, "check", "--explain", "many-parameters")


def test_a_target(copy):
    """A library with numpy's names, under another name: its modules are numpy's, but for how they import it."""
    numpy = (copy / "lossdsl/targets/numpy_code.py").read_text("utf-8")
    other = numpy.replace('target = "numpy"', 'target = "cupy"').replace("import numpy as np", "import cupy as np")
    (copy / "lossdsl/targets/cupy_code.py").write_text(other, "utf-8")
    changed(copy / "lossdsl/ir/op.py", '"torch", "keras")', '"torch", "keras", "cupy")')
    changed(copy / "lossdsl/ir/op.py", "LIKE: Mapping[str, str] = {}", 'LIKE: Mapping[str, str] = {"cupy": "numpy"}')
    made, known = (run(copy, "emit", "grpo", "--target", target) for target in ("cupy", "numpy"))
    assert made == known.replace("import numpy as np", "import cupy as np") != known
    assert "cupy" in run(copy, "completion", "bash")

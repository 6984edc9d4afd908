"""Who imports whom, and which folder is the only door to which library: the tables of docs/design.md, held here."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lossdsl"

_STAGES = "source errors catalog ir frontend oracle transform targets pipeline"

# Each part of the package, and the parts it may import besides itself; -a.b takes one module away again.
MAY_IMPORT = {
    "source": "errors",
    "errors": "source",
    "extras": "errors",
    "garbage": "",
    "catalog": "source errors",
    "ir": "source errors",
    "frontend": "source errors ir",
    "oracle": "source errors ir",
    "transform": "source errors ir frontend oracle",
    "targets": "source errors ir transform",  # of transform what reads the texts of tables
    "stages": "source errors ir frontend transform targets pipeline",  # of the pipeline a type alone
    "pipeline": "source errors garbage catalog ir frontend oracle transform targets stages",
    "runtime": f"{_STAGES} extras plot",  # by a loss that a notebook asks for its picture
    "prove": "source errors ir transform",  # of transform what reads the texts of tables
    "refute": "source errors ir oracle pipeline",
    "analyze": "source errors ir oracle transform pipeline prove refute",
    "checks": f"{_STAGES} analyze runtime -runtime.keras_loss",
    "_registration": "runtime",
    "config": f"{_STAGES} runtime checks",
    "api": f"{_STAGES} runtime config",
    "plot": f"{_STAGES} extras runtime checks",
    "fused": "source errors extras ir pipeline runtime api",
    "losses": f"{_STAGES} runtime checks",
    "__init__": f"{_STAGES} runtime checks config fused plot losses api _registration",
    "cli": f"{_STAGES} garbage analyze runtime checks config plot losses api __init__",
    "boosting": "source errors ir pipeline prove analyze runtime api",
    "torch": "source errors extras runtime fused api",
    "jax": "source errors extras pipeline runtime fused api",
    "__main__": "cli",
}

# Each library that is not Python's own, and the parts that may import it.
DOORS = {
    "lark": "frontend",
    "sympy": "oracle",
    "mpmath": "oracle",
    "flint": "ir prove",
    "numpy": "oracle refute analyze runtime checks plot boosting",
    "scipy": "boosting",
    "keras": "runtime fused",
    "tensorflow": "runtime fused",
    "jax": "runtime fused jax",
    "torch": "runtime fused torch",
    "yaml": "config",
    "rich": "cli",
    "matplotlib": "plot",
}

# What neither `import lossdsl` nor `lossdsl check FILE` loads.
HEAVY = {"keras", "tensorflow", "jax", "torch"}
LATE = HEAVY | {"sympy", "mpmath", "flint", "lark", "matplotlib", "numpy", "yaml", "rich"}


def imported(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything `module` imports, anywhere in it; `from a import b` yields a.b."""
    home = module.split(".") if is_package else module.split(".")[:-1]

    def absolute(name: str, level: int) -> str:
        return ".".join([*home[: len(home) - level + 1], name]) if level else name

    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                for alias in names:
                    yield node.lineno, absolute(f"{origin}.{alias.name}" if origin else alias.name, level)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, absolute(name.lstrip("."), len(name) - len(name.lstrip(".")))


def trespasses(text: str, module: str, *, is_package: bool = False) -> list[str]:
    """The imports of a module with this text that the tables do not allow, each as `line: name`."""
    part = [*module.split("."), "__init__"][1]
    allowed = MAY_IMPORT[part].split()
    found = []
    for line, name in imported(ast.parse(text), module, is_package=is_package):
        root, *inner = name.split(".")
        if root != "lossdsl":
            legal = root in sys.stdlib_module_names or part in DOORS.get(root, "").split()
        else:
            target = inner[0] if inner and inner[0] in MAY_IMPORT else "__init__"
            taken = [f"lossdsl.{word[1:]}" for word in allowed if word.startswith("-")]
            legal = target in {part, *allowed} and not any(f"{name}.".startswith(f"{word}.") for word in taken)
        if not legal:
            found.append(f"{line}: {name}")
    return found


@pytest.mark.parametrize(
    "module, text, expected",
    [
        ("lossdsl.ir.ops", "import math\nfrom ..source import Span\nfrom . import axes", []),
        ("lossdsl.ir.ops", "import numpy as np", ["1: numpy"]),
        ("lossdsl.ir.ops", "from lossdsl.frontend.tree import Node", ["1: lossdsl.frontend.tree.Node"]),
        ("lossdsl.ir.ops", "from lossdsl import pipeline", ["1: lossdsl.pipeline"]),
        ("lossdsl.ir.ops", "from .. import pipeline", ["1: lossdsl.pipeline"]),
        ("lossdsl.ir.ops", "from lossdsl import __version__", ["1: lossdsl.__version__"]),
        ("lossdsl.cli", "from lossdsl import __version__\nfrom rich.text import Text", []),
        ("lossdsl.source", "from lossdsl.errors import LossError", []),
        ("lossdsl.targets.numpy_code", "def f():\n    import sympy.core", ["2: sympy.core"]),
        ("lossdsl.targets.numpy_code", "import_module('numpy')", ["1: numpy"]),
        ("lossdsl.targets.numpy_code", "importlib.import_module('..runtime', __package__)", ["1: lossdsl.runtime"]),
        ("lossdsl.targets.numpy_code", "importlib.import_module('.lower', __package__)", []),
        ("lossdsl.frontend.fmt", "if TYPE_CHECKING:\n    from ..targets import rules", ["2: lossdsl.targets.rules"]),
        ("lossdsl.checks.values", "from lossdsl.runtime.numpy_twin import twin", []),
        ("lossdsl.checks.backend_gradients", "from lossdsl.runtime import autodiff\nimport jax", ["2: jax"]),
        ("lossdsl.runtime.autodiff", "def f():\n    import jax\n    import torch", []),
        ("lossdsl.checks.values", "from lossdsl.runtime import keras_loss", ["1: lossdsl.runtime.keras_loss"]),
        ("lossdsl.checks.values", "from ..runtime.keras_loss import build", ["1: lossdsl.runtime.keras_loss.build"]),
        ("lossdsl.runtime.keras_loss", "import keras\nimport tqdm", ["2: tqdm"]),
    ],
)
def test_the_tables_are_read_as_meant(module, text, expected):
    assert trespasses(text, module) == expected


def test_the_tables_name_each_other_rightly():
    named = {word.lstrip("-").split(".")[0] for allowed in MAY_IMPORT.values() for word in allowed.split()}
    assert named <= set(MAY_IMPORT)
    assert {part for parts in DOORS.values() for part in parts.split()} <= set(MAY_IMPORT)


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_the_tables_allow(path):
    names = path.relative_to(ROOT).with_suffix("").parts
    is_package = names[-1] == "__init__"
    module = ".".join(names[:-1] if is_package else names)
    assert names[1] in MAY_IMPORT, f"{names[1]} has no row in MAY_IMPORT"
    assert trespasses(path.read_text(encoding="utf-8"), module, is_package=is_package) == []


def loaded_by(code: str, *arguments: str, cwd: Path) -> set[str]:
    """The top-level modules that a fresh Python has loaded once it ran `code`."""
    code = f"{code}\nimport sys\nprint('loaded:', *{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stdout.splitlines()[-1].removeprefix("loaded: ").split())


def test_importing_lossdsl_loads_no_library(tmp_path):
    loaded = loaded_by("import lossdsl", cwd=tmp_path)
    assert "lossdsl" in loaded
    assert loaded.isdisjoint(LATE), sorted(loaded & LATE)


def test_check_on_the_command_line_loads_no_keras(tmp_path):
    file = tmp_path / "mine.loss"
    file.write_bytes((PACKAGE / "catalog" / "robust" / "huber.loss").read_bytes())
    main = """
try:
    from lossdsl.cli import main
    code = main()
except SystemExit as exit:
    code = exit.code
assert not code, code
"""
    loaded = loaded_by(main, "check", str(file), cwd=tmp_path)
    assert "lossdsl" in loaded
    assert loaded.isdisjoint(HEAVY), sorted(loaded & HEAVY)

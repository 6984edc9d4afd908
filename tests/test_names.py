"""One name for one thing: no two modules and no two public classes of the package are called alike."""

import ast
from collections import Counter
from pathlib import Path

from lossdsl.cli import GROUPS

COMMANDS = {module.__name__.rpartition(".")[2] for modules in GROUPS.values() for module in modules}
PACKAGE = Path(__file__).parents[1] / "lossdsl"
MODULES = sorted(PACKAGE.rglob("*.py"))


def bears_another_name(path: Path) -> bool:
    """Whether a module's name is not its own: a package's two, a command's, a format's, a backend's column."""
    return (
        path.stem.startswith("__")
        or (
            path.parent == PACKAGE / "cli" and path.stem in COMMANDS
        )  # a command's module bears the name of its command
        or path.parent == PACKAGE / "cli" / "formats"  # a format's that of the format
    )


def test_no_two_modules_have_one_name():
    named = [path.stem for path in MODULES if not bears_another_name(path)]
    named += [path.parent.name for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]
    assert [name for name, count in Counter(named).items() if count > 1] == []


# The nodes of a syntax tree bear the names of what they are the text of, and are called `s.Call`, `s.Example`.
TEXTS = PACKAGE / "frontend" / "syntax.py"
# What is called `lossdsl.Loss` in saved models is a Keras loss; `ir.Loss` is the same thing resolved.
SAME = {"Loss"}


def test_no_two_public_classes_have_one_name():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES if path != TEXTS]
    named = [node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    public = Counter(name for name in named if not name.startswith("_") and name not in SAME)
    assert [name for name, count in public.items() if count > 1] == []

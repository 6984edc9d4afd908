"""Writes docs/api.md from the docstrings of what users import; no library is imported for that.

python docs/api.py            write it
python docs/api.py --check    exit 1 if it is out of date
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import lossdsl

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
HEAD = """\
# What users import

Written by `python docs/api.py` from the docstrings. `lossdsl.losses` has the names and arguments of `keras.losses`.
Submodules are imported when they are asked for.
"""
MODULES = ("lossdsl.torch", "lossdsl.jax", "lossdsl.boosting", "lossdsl.plot")
TWIN = ("lossdsl.runtime.spec.LoadedLoss", "lossdsl.runtime.twin.Twin")
"""What `load` gives, and its `numpy`."""

FENCE = "```"

Definition = ast.FunctionDef | ast.ClassDef


def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module of the package."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def found(module: str, name: str) -> Definition | None:
    """The function or class of that name, also where the module has it from another; None for what is neither."""
    for node in tree_of(module).body:
        if isinstance(node, Definition) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and node.module and any((a.asname or a.name) == name for a in node.names):
            return found(node.module, name)
    return None


def public(module: str) -> list[str]:
    """What `__all__` of a module lists."""
    for node in tree_of(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(each) for each in ast.literal_eval(node.value)]
    raise SystemExit(f"{module} has no __all__")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in lossdsl.__all__:
        home = lossdsl._LATE.get(name, "lossdsl.errors")
        parts += entry(f"lossdsl.{name}", found(home, name))
    for path in TWIN:
        module, _, name = path.rpartition(".")
        parts += entry(name, found(module, name), title=f"{name}: what `load` gives" if name == "LoadedLoss" else name)
    for module in MODULES:
        parts.append(f"\n# {module}\n\n{body(ast.get_docstring(tree_of(module)) or '')}")
        for name in public(module):
            parts += entry(f"{module}.{name}", found(module, name))
    return "\n".join(parts).rstrip() + "\n"


def entry(name: str, node: Definition | None, title: str = "") -> Iterator[str]:
    """A function with its signature, or a class with its methods; nothing for what has no documentation."""
    text = ast.get_docstring(node) if node is not None else None
    if node is None or not text:
        return
    yield f"\n## {title or name}\n"
    if isinstance(node, ast.FunctionDef):
        yield f"```python\n{signature(name, node)}\n```\n\n{body(text)}"
        return
    init = next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    if init is not None and not any(ast.unparse(base).endswith("Error") for base in node.bases):
        yield f"```python\n{signature(name, init)}\n```\n"
    yield body(text)
    yield from methods(node)


def methods(node: ast.ClassDef) -> Iterator[str]:
    """The public methods and properties of a class that have documentation."""
    for each in node.body:
        own = ast.get_docstring(each) if isinstance(each, ast.FunctionDef) else None
        if isinstance(each, ast.FunctionDef) and own and not each.name.startswith("_"):
            is_property = any("property" in ast.unparse(one) for one in each.decorator_list)
            shown = f".{each.name}" if is_property else signature(f".{each.name}", each)
            yield f"\n### `{' '.join(shown.split())}`\n\n{body(own)}"


def signature(name: str, node: ast.FunctionDef) -> str:
    """The call, an argument a line where they are many."""
    arguments = ast.unparse(node.args)
    arguments = re.sub(r"^self(, )?", "", re.sub(r"^(self|cls)(, )?", "", arguments))
    line = f"{name}({arguments})"
    if len(line) <= 100:
        return line
    parts = re.split(r", (?![^\[(]*[\])])", arguments)
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def body(text: str) -> str:
    """A docstring as Markdown: sections in bold, their entries as lists, examples as code."""
    lines: list[str] = []
    section = False
    for line, is_example in fenced(text):
        if line.startswith(FENCE):
            lines.append(line)
            continue
        heading = re.fullmatch(r"(Args|Raises|Shapes|Returns):", line)
        lines += [f"**{heading[1]}**", ""] if heading else [as_entry(line, is_example) if section else line]
        section = bool(heading) or (section and (line.startswith("    ") or not line))
    return "\n".join(lines).rstrip() + "\n"


def fenced(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a docstring, with fences around its examples, each with whether it is of one."""
    is_example = False
    for line in [*inspect.cleandoc(text).split("\n"), ""]:
        if line.lstrip().startswith(">>>") and not is_example:
            yield f"{FENCE}python", True
            is_example = True
        if is_example and not line.strip():
            yield FENCE, True
            is_example = False
        yield line, is_example


def as_entry(line: str, is_example: bool) -> str:
    """A line of a section: an entry of the list, what goes on with one, or what stands by itself."""
    item = re.fullmatch(r"    (\*{0,2}\w+(?:, \w+)*): (.*)", line)
    if item:
        return f"- {', '.join(f'`{name}`' for name in item[1].split(', '))}: {item[2]}"
    if line.startswith("        "):
        return re.sub(r"^ {4}", "  ", line, count=1)
    return line if is_example else line.strip()


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

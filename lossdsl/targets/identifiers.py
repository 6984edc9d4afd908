"""Hygiene of names: what a user calls things can meet none of the names that generated code has for itself.

While trees are built, a user's name carries a mark that no Python name can have. The whole module is then known when
the marks come off: a user's name stays as it was written, and what the code calls so itself is renamed, unless Python
allows that for neither.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_MARK = "$"
_BUILTINS = frozenset(dir(builtins))
_DUNDER = re.compile(r"__\w*__")


def user(text: str) -> str:
    """A user's name, marked."""
    return f"{_MARK}{text}"


def distinct(marked: str, taken: Iterable[str]) -> str:
    """A marked name that is none of those taken."""
    while marked in taken:
        marked += "_"
    return marked


@dataclass(frozen=True)
class Renaming:
    """What names become: a user's, by the marked name, and the code's own."""

    users: Mapping[str, str]
    own: Mapping[str, str]
    modules: Mapping[str, str]
    """Those of the code's own that stand for modules."""

    def apply(self, trees: Iterable[ast.AST]) -> None:
        """Renames in place."""
        every = {**self.users, **self.own}
        nodes = {id(node): node for tree in trees for node in ast.walk(tree)}  # a tree may hang in two places
        for node in nodes.values():
            if isinstance(node, ast.Name):
                node.id = every.get(node.id, node.id)
            elif isinstance(node, ast.arg):
                node.arg = every.get(node.arg, node.arg)
            elif isinstance(node, ast.keyword) and node.arg is not None:
                node.arg = self.users.get(node.arg, node.arg)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                node.name = every.get(node.name, node.name)

    def text(self, text: str) -> str:
        """A text with modules under their new names; no name of a user's may stand before a dot in it."""
        for old, new in self.modules.items():
            text = re.sub(rf"(?<![\w.]){re.escape(old)}(?=\.)", new, text)
        return text


def renaming(trees: Sequence[ast.AST], modules: Iterable[str] = (), blocked: Iterable[str] = ()) -> Renaming:
    """How the marks come off; `modules` are the names of modules, `blocked` the code's own that have to stay."""
    names = [name for tree in trees for name in _names(tree)]
    marked = dict.fromkeys(name for name in names if name.startswith(_MARK))
    own = {*modules, *(name for name in names if not name.startswith(_MARK))}
    fixed = {*(own & _BUILTINS), *keyword.kwlist, *blocked}
    users: dict[str, str] = {}
    for name in marked:
        found = name.removeprefix(_MARK).replace(" ", "_")  # names with spaces are those that no user can write
        if _DUNDER.fullmatch(found):  # Python's own
            found = f"name{found}"
        while found in fixed or found in users.values():
            found += "_"
        users[name] = found
    taken = {*own, *users.values()}
    renamed: dict[str, str] = {}
    for name in sorted(own & set(users.values())):
        found = f"_{name}"
        while found in taken:
            found = f"_{found}"
        taken.add(found)
        renamed[name] = found
    return Renaming(users, renamed, {name: renamed[name] for name in modules if name in renamed})


def _names(tree: ast.AST) -> Iterable[str]:
    """The names in a tree, but for what an unmarked function at its top is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and (node is not tree or node.name.startswith(_MARK)):
            yield node.name
